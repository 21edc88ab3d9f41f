"""What a step depends on is changed between two calls: a replay notices, as the eager step does."""

import argparse
import array
import collections
import contextvars
import ctypes
import functools
import math
import operator
import types
import weakref
from types import SimpleNamespace

import pytest

import pyml
from pyml import nn, optim
from record.programs import assert_same_state, eager_run, state_of

FACTOR = 1.0  # a global that the step reads
TABLE = {"factor": 1.0}
OTHER_LR = 0.2


class Config:
    """A class whose attributes are settings."""

    factor = 1.0


def helper(loss):
    return loss * HELPER_FACTOR


HELPER_FACTOR = 1.0


class Net(nn.Module):
    """A layer of every kind, and the places where a module keeps settings."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 6)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.3)
        self.act = nn.ReLU()
        self.last = nn.Linear(6, 2)
        self.scale = 1.0
        self.scales = [1.0, 1.0]
        self.settings = SimpleNamespace(scale=1.0)
        self.table = {"scale": 1.0}

    def forward(self, x):
        hidden = self.act(self.drop(self.norm(self.first(x))))
        scale = self.scale * self.scales[0] * self.settings.scale * self.table["scale"]
        return self.last(hidden) * (scale * FORWARD_FACTOR)


FORWARD_FACTOR = 1.0


def script(wrap):
    """A training script: its objects, and functions that give names in its closure other values."""
    pyml.manual_seed(1)
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    other_optimizer = optim.SGD(model.parameters(), lr=OTHER_LR)
    weights = pyml.ones(2)
    factor, factors = 1.0, [1.0]
    settings = SimpleNamespace(factor=1.0, inner=SimpleNamespace(factor=1.0))
    x, y = pyml.randn(30, 3), pyml.randn(30, 2)

    def step(x, y, scale=1.0):
        optimizer.zero_grad()
        loss = (weights * (model(x) - y)).square().mean()
        loss = helper(loss) * (FACTOR * TABLE["factor"] * Config.factor * factor * factors[0])
        loss = loss * (settings.factor * settings.inner.factor * scale)
        if loss.requires_grad:
            loss.backward()
            optimizer.step()
        return loss

    def set_factor(value):
        nonlocal factor
        factor = value

    def set_optimizer(value):
        nonlocal optimizer
        optimizer = value

    def set_weights(value):
        nonlocal weights
        weights = value

    def current_optimizer():
        return optimizer

    plain, step = step, wrap(step)
    return SimpleNamespace(**locals())


# ---- changes of the script's objects -------------------------------------------------------------

CHANGES = {}
SETUPS = {}  # what is done to the script before its first step


def change(function=None, *, setup=None):
    """Enters a change into the table."""
    if function is None:
        return lambda function: change(function, setup=setup)
    CHANGES[function.__name__] = function
    SETUPS[function.__name__] = setup
    return function


def option(name, value, setup=None):
    """A change of one option of the first group."""

    def change_option(s):
        s.current_optimizer().param_groups[0][name] = value

    change_option.__name__ = f"{name} is {value}"
    change(change_option, setup=setup)


def with_optimizer(name, **options):
    return lambda s: s.set_optimizer(getattr(optim, name)(s.model.parameters(), **options))


@change
def a_parameter_is_replaced(s):
    s.model.last.weight = nn.Parameter(pyml.ones(2, 6))


@change
def the_data_of_a_parameter_is_replaced(s):
    s.model.last.weight.data = pyml.ones(2, 6)


@change
def the_data_of_a_parameter_is_not_contiguous(s):
    s.model.last.weight.data = pyml.ones(6, 2).T


@change
def a_parameter_is_changed_in_place(s):
    with pyml.no_grad():
        s.model.last.weight.mul_(2)


@change
def a_parameter_is_changed_by_numpy(s):
    s.model.last.weight.detach().numpy()[...] = 0.5


@change
def a_module_is_replaced(s):
    s.model.first = nn.Linear(3, 6)


@change
def an_activation_is_replaced(s):
    s.model.act = nn.Tanh()


@change
def the_model_is_in_eval_mode(s):
    s.model.eval()


@change
def one_layer_is_in_eval_mode(s):
    s.model.norm.eval()


@change
def a_parameter_is_frozen(s):
    s.model.first.weight.requires_grad_(False)


@change
def all_are_frozen(s):
    s.model.requires_grad_(False)


@change
def dropout_has_another_p(s):
    s.model.drop.p = 0.7


@change
def batch_norm_has_another_momentum(s):
    s.model.norm.momentum = None


@change
def batch_norm_has_another_eps(s):
    s.model.norm.eps = 0.5


@change
def a_buffer_is_replaced(s):
    s.model.norm.running_mean = pyml.ones(6)


@change
def a_buffer_is_changed_in_place(s):
    s.model.norm.running_mean.fill_(2.0)


@change
def running_statistics_begin_anew(s):
    s.model.norm.reset_running_stats()


@change
def the_model_is_loaded(s):
    s.model.load_state_dict({k: v.clone() + 1 for k, v in s.model.state_dict().items()})


@change
def the_model_is_loaded_by_assignment(s):
    state = {k: v.clone() + 1 for k, v in s.model.state_dict().items()}
    s.model.load_state_dict(state, assign=True)


@change
def an_attribute_of_the_model(s):
    s.model.scale = 2.0


@change
def a_list_of_the_model(s):
    s.model.scales[0] = 2.0


@change
def an_object_of_the_model(s):
    s.model.settings.scale = 2.0


@change
def a_dict_of_the_model(s):
    s.model.table["scale"] = 2.0


@change
def a_global_of_forward(s):
    globals()["FORWARD_FACTOR"] = 2.0


@change
def a_global(s):
    globals()["FACTOR"] = 2.0


@change
def a_global_dict(s):
    TABLE["factor"] = 2.0


@change
def an_attribute_of_a_class(s):
    Config.factor = 2.0


@change
def a_global_of_a_helper(s):
    globals()["HELPER_FACTOR"] = 2.0


@change
def a_helper_is_replaced(s):
    globals()["helper"] = lambda loss: loss * 3


@change
def a_name_of_the_closure(s):
    s.set_factor(2.0)


@change
def an_integer_instead_of_a_float(s):
    s.set_factor(2)


@change
def a_list_of_the_closure(s):
    s.factors[0] = 2.0


@change
def an_attribute_of_an_object(s):
    s.settings.factor = 2.0


@change
def an_attribute_of_an_object_in_an_object(s):
    s.settings.inner.factor = 2.0


@change
def an_object_in_an_object_is_replaced(s):
    s.settings.inner = SimpleNamespace(factor=2.0)


@change
def a_default_argument(s):
    s.plain.__defaults__ = (2.0,)


@change
def a_tensor_of_the_closure_is_replaced(s):
    s.set_weights(pyml.tensor([1.0, 2.0]))


@change
def a_tensor_of_the_closure_has_another_shape(s):
    s.set_weights(pyml.tensor([3.0]))


@change
def a_tensor_of_the_closure_is_changed_in_place(s):
    s.weights.mul_(2)


@change
def a_tensor_of_the_closure_requires_grad(s):
    s.weights.requires_grad_()


@change
def another_optimizer_has_the_name(s):
    s.set_optimizer(s.other_optimizer)


@change
def an_optimizer_of_another_kind_has_the_name(s):
    s.set_optimizer(optim.Adam(s.model.parameters(), lr=0.01))


option("lr", 0.03)
option("lr", 0.0)
option("weight_decay", 0.1)
option("momentum", 0.9)
option("maximize", True)
option("dampening", 0.5, setup=with_optimizer("SGD", momentum=0.9))
option("momentum", 0.5, setup=with_optimizer("SGD", momentum=0.9))
option("momentum", 0, setup=with_optimizer("SGD", momentum=0.9))
option("nesterov", True, setup=with_optimizer("SGD", momentum=0.9))
option("betas", (0.5, 0.9), setup=with_optimizer("Adam", lr=0.01))
option("amsgrad", True, setup=with_optimizer("Adam", lr=0.01))
option("amsgrad", False, setup=with_optimizer("AdamW", lr=0.01, amsgrad=True))
option("decoupled_weight_decay", True, setup=with_optimizer("Adam", weight_decay=0.1))
option("eps", 0.1, setup=with_optimizer("Adam", lr=0.01))
option("alpha", 0.5, setup=with_optimizer("RMSprop", lr=0.01))
option("centered", True, setup=with_optimizer("RMSprop", lr=0.01))
option("lr_decay", 0.5, setup=with_optimizer("Adagrad", lr=0.1))


@change
def the_rate_becomes_a_tensor(s):
    s.current_optimizer().param_groups[0]["lr"] = pyml.tensor(0.03)


def rate_is_a_tensor(s):
    s.current_optimizer().param_groups[0]["lr"] = pyml.tensor(0.1)


@change(setup=rate_is_a_tensor)
def a_rate_that_is_a_tensor_is_changed_in_place(s):
    s.current_optimizer().param_groups[0]["lr"].fill_(0.03)


def last_layer_is_left_out(s):
    s.set_optimizer(optim.SGD(s.model.first.parameters(), lr=0.1))


@change(setup=last_layer_is_left_out)
def a_group_is_added(s):
    s.current_optimizer().add_param_group({"params": list(s.model.last.parameters())})


@change
def the_list_of_groups_is_replaced(s):
    group = s.current_optimizer().param_groups[0]
    s.current_optimizer().param_groups = [{**group, "params": group["params"][:2], "lr": OTHER_LR}]


@change
def a_group_is_replaced(s):
    groups = s.current_optimizer().param_groups
    groups[0] = {**groups[0], "lr": OTHER_LR}


@change
def a_parameter_leaves_its_group(s):
    s.current_optimizer().param_groups[0]["params"].pop()


@change
def the_parameters_of_a_group_are_replaced(s):
    group = s.current_optimizer().param_groups[0]
    group["params"] = group["params"][:-1]


@change(setup=with_optimizer("SGD", momentum=0.9))
def the_optimizer_is_loaded(s):
    saved = s.current_optimizer().state_dict()
    for state in saved["state"].values():
        state["momentum_buffer"] = state["momentum_buffer"] * 2
    s.current_optimizer().load_state_dict(saved)


@change(setup=with_optimizer("SGD", momentum=0.9))
def state_is_changed_in_place(s):
    for state in s.current_optimizer().state.values():
        state["momentum_buffer"].zero_()


@change(setup=with_optimizer("SGD", momentum=0.9))
def the_dict_of_states_is_replaced(s):
    optimizer = s.current_optimizer()
    optimizer.state = {
        p: {name: t.clone() * 2 for name, t in state.items()}
        for p, state in optimizer.state.items()
    }


@change(setup=with_optimizer("Adam", lr=0.01))
def a_state_is_replaced(s):
    s.current_optimizer().state[s.model.last.bias]["exp_avg"] = pyml.ones(2)


@change(setup=with_optimizer("Adam", lr=0.01))
def the_count_of_steps_is_replaced(s):
    s.current_optimizer().state[s.model.last.bias]["step"] = pyml.tensor(7.0, dtype=pyml.float64)


@change(setup=with_optimizer("Adam", lr=0.01))
def state_is_taken_away(s):
    del s.current_optimizer().state[s.model.last.bias]


@change(setup=with_optimizer("Adam", lr=0.01))
def all_state_is_taken_away(s):
    s.current_optimizer().state.clear()


@change
def a_forward_hook(s):
    s.model.act.register_forward_hook(lambda module, args, output: output * 2)


@change
def a_forward_pre_hook(s):
    s.model.act.register_forward_pre_hook(lambda module, args: (args[0] * 2,))


@change
def a_backward_hook(s):
    s.model.last.register_full_backward_hook(lambda module, dx, dy: (dx[0] * 2,))


def forward_hook_is_there(s):
    s.handle = s.model.act.register_forward_hook(lambda module, args, output: output * 2)


@change(setup=forward_hook_is_there)
def a_hook_is_removed(s):
    s.handle.remove()


@change
def a_hook_of_a_parameter(s):
    s.model.last.weight.register_hook(lambda grad: grad * 2)


def parameter_hook_is_there(s):
    s.handle = s.model.last.weight.register_hook(lambda grad: grad * 2)


@change(setup=parameter_hook_is_there)
def a_hook_of_a_parameter_is_removed(s):
    s.handle.remove()


@change
def the_seed(s):
    pyml.manual_seed(77)


@change
def gradients_by_hand(s):
    """Which zero_grad drops: no different result, but nothing that fails."""
    for p in s.model.parameters():
        p.grad = pyml.ones_like(p)


# Those that eager results do not show.
WITHOUT_EFFECT = {"an_integer_instead_of_a_float", "gradients_by_hand"}


def observed(wrap, name, by, changes=True):
    """What there is to see when the change is made after three steps; some more follow."""
    s = script(wrap)
    if SETUPS[name] is not None:
        SETUPS[name](s)
    results = [s.step(s.x[:10], s.y[:10]) for _ in range(3)]
    if changes:
        CHANGES[name](s)
    if by == "call":
        results += [s.step(s.x[i : i + 10], s.y[i : i + 10]) for i in range(4)]
    elif hasattr(s.step, "run"):
        results.append(s.step.run(s.x, s.y, batch_size=10, epochs=2))
    else:
        settings = {"batch_size": 10, "epochs": 2, "shuffle": True, "drop_last": False}
        results.append(eager_run(s.step, s.x, s.y, **settings))
    seen = {f"result {i}": r.detach().array for i, r in enumerate(results)}
    if s.weights.grad is not None:
        seen["gradient of weights"] = s.weights.grad.array
    return seen | state_of(s.model, s.current_optimizer())


@pytest.fixture
def namespace():
    """Globals and class attributes are put back."""
    before = dict(globals())
    yield
    globals().update(before)
    TABLE["factor"] = Config.factor = 1.0


@pytest.mark.parametrize("by", ["call", "run"])
@pytest.mark.parametrize("name", list(CHANGES))
def test_is_noticed(name, by, namespace):
    before = dict(globals())

    def fresh(*args, **kwargs):
        globals().update(before)
        TABLE["factor"] = Config.factor = 1.0
        return observed(*args, **kwargs)

    wanted = fresh(lambda function: function, name, by)
    if name not in WITHOUT_EFFECT:
        unchanged = fresh(lambda function: function, name, by, changes=False)
        assert not same(wanted, unchanged), "the change has no effect"
    assert_same_state(fresh(pyml.record, name, by), wanted)


def same(a, b):
    try:
        assert_same_state(a, b)
    except AssertionError:
        return False
    return True


# ---- places behind objects of the standard library -----------------------------------------------
# Each gives a function that reads a number, and one that changes it.


class Holder:
    """Of a number; weak references can lead to it."""

    def __init__(self):
        self.value = 1.0
        self.inner = SimpleNamespace(value=1.0)

    def times(self, factor):
        return factor * self.value


def behind_a_weak_reference(holder):
    reference = weakref.ref(holder)
    return lambda: reference().value, lambda v: setattr(holder, "value", v)


def behind_a_proxy(holder):
    proxy = weakref.proxy(holder)
    return lambda: proxy.value, lambda v: setattr(holder, "value", v)


def behind_a_weak_method(holder):
    method = weakref.WeakMethod(holder.times)
    return lambda: method()(2.0), lambda v: setattr(holder, "value", v)


def in_a_dict_of_weak_values(holder):
    values = weakref.WeakValueDictionary(a=holder)
    return lambda: values["a"].value, lambda v: setattr(holder, "value", v)


def by_attrgetter(holder):
    get = operator.attrgetter("inner.value")
    return lambda: get(holder), lambda v: setattr(holder.inner, "value", v)


def by_a_partial_of_attrgetter(holder):
    get = functools.partial(operator.attrgetter("value"), holder)
    return lambda: get(), lambda v: setattr(holder, "value", v)


def by_methodcaller(holder):
    call = operator.methodcaller("times", 3.0)
    return lambda: call(holder), lambda v: setattr(holder, "value", v)


def in_a_context_variable(holder):
    variable = contextvars.ContextVar("variable", default=1.0)
    return lambda: variable.get(), variable.set


def in_an_object_in_a_context_variable(holder):
    variable = contextvars.ContextVar("variable", default=holder)
    return lambda: variable.get().value, lambda v: setattr(holder, "value", v)


def in_an_array(holder):
    values = array.array("d", [1.0])
    return lambda: values[0], lambda v: values.__setitem__(0, v)


def in_a_memoryview(holder):
    values = memoryview(array.array("d", [1.0]))
    return lambda: values[0], lambda v: values.__setitem__(0, v)


def in_a_view_of_a_dict(holder):
    table = {"a": 1.0}
    values = table.values()
    return lambda: sum(values), lambda v: table.__setitem__("a", v)


def in_a_cell(holder):
    value = 1.0
    cell = (lambda: value).__closure__[0]
    return lambda: cell.cell_contents, lambda v: setattr(cell, "cell_contents", v)


def in_a_class_of_user_dict(holder):
    class Settings(collections.UserDict):
        def __missing__(self, key):
            return 1.0

    settings = Settings()
    return lambda: settings["value"], lambda v: settings.__setitem__("value", v)


def in_a_class_of_user_list(holder):
    values = type("Values", (collections.UserList,), {"__module__": __name__})([1.0])
    return lambda: values[0], lambda v: values.__setitem__(0, v)


def in_a_class_of_chain_map(holder):
    settings = type("Chain", (collections.ChainMap,), {"__module__": __name__})({}, {"a": 1.0})
    return lambda: settings["a"], lambda v: settings.__setitem__("a", v)


def in_an_attribute_of_a_dict(holder):
    class Settings(dict):
        default = 1.0

        def __missing__(self, key):
            return self.default

    settings = Settings()
    return lambda: settings["value"], lambda v: setattr(settings, "default", v)


def in_a_metaclass(holder):
    class Meta(type):
        value = 1.0

        @property
        def current(cls):
            return cls.value

    class Settings(metaclass=Meta):
        pass

    return lambda: Settings.current, lambda v: setattr(Meta, "value", v)


def by_the_getattr_of_a_metaclass(holder):
    class Meta(type):
        table = {"value": 1.0}  # noqa: RUF012

        def __getattr__(cls, name):
            return Meta.table[name]  # a KeyError for other names

    class Settings(metaclass=Meta):
        pass

    return lambda: Settings.value, lambda v: Meta.table.__setitem__("value", v)


def by_the_item_of_a_class(holder):
    class Settings:
        table = {"value": 1.0}  # noqa: RUF012

        def __class_getitem__(cls, name):
            return cls.table[name]

    return lambda: Settings["value"], lambda v: Settings.table.__setitem__("value", v)


def in_keyword_defaults_that_are_replaced(holder):
    def read(*, value=1.0):
        return value

    return lambda: read(), lambda v: setattr(read, "__kwdefaults__", {"value": v})


def in_the_sign_of_a_complex_zero(holder):
    holder.value = complex(0.0, 0.0)
    change = lambda v: setattr(holder, "value", complex(0.0, math.copysign(0.0, v - 1)))  # noqa: E731
    return lambda: math.copysign(1.0, holder.value.imag), change


def in_a_base_that_is_replaced(holder):
    class Base:
        value = 1.0

    class Settings(Base):
        pass

    settings = Settings()
    change = lambda v: setattr(Settings, "__bases__", (type("Other", (), {"value": v}),))  # noqa: E731
    return lambda: settings.value, change


def in_a_base_of_a_module_that_is_replaced(holder):
    def base(value):
        return type("Base", (nn.Module,), {"forward": lambda self, x: value * x})

    class Settings(base(1.0)):
        pass

    module = Settings()
    return lambda: module(2.0), lambda v: setattr(Settings, "__bases__", (base(v),))


def in_a_module_that_has_every_name(holder):
    settings = types.ModuleType("settings")
    settings.__getattr__ = lambda name: holder.value
    return lambda: settings.value, lambda v: setattr(holder, "value", v)


def in_a_forward_that_a_module_was_given(holder):
    module = nn.Identity()
    module.forward = lambda x: holder.value * x
    return lambda: module(2.0), lambda v: setattr(holder, "value", v)


@pytest.mark.parametrize(
    "place",
    [
        *(by_attrgetter, by_a_partial_of_attrgetter, by_methodcaller, in_a_context_variable),
        *(in_an_object_in_a_context_variable, in_an_array, in_a_memoryview, in_a_view_of_a_dict),
        *(in_a_cell, in_a_class_of_user_dict, in_a_class_of_user_list, in_a_class_of_chain_map),
        *(in_an_attribute_of_a_dict, in_a_metaclass, by_the_getattr_of_a_metaclass),
        *(by_the_item_of_a_class, in_keyword_defaults_that_are_replaced),
        *(in_a_forward_that_a_module_was_given, in_the_sign_of_a_complex_zero),
        *(in_a_base_that_is_replaced, in_a_base_of_a_module_that_is_replaced),
        in_a_module_that_has_every_name,
    ],
)
def test_a_change_behind_an_object_of_the_standard_library(place):
    read, change = place(holder := Holder())
    executed = ctypes.c_long(0)

    @pyml.record
    def step(x):
        executed.value += 1
        return x * read()

    x = pyml.tensor([1.0, -3.0])
    for call in range(1, 21):
        if call in (3, 9):  # between confirmations
            change(call / 4)
        assert step(x).tolist() == (x * read()).tolist(), f"call {call}"
    assert executed.value < 14
    del holder


@pytest.mark.parametrize(
    "place",
    [behind_a_weak_reference, behind_a_proxy, behind_a_weak_method, in_a_dict_of_weak_values],
)
def test_weak_references_are_refused(place):
    """What they lead to may be gone in a later call, and a guard must not keep it."""
    read, _ = place(holder := Holder())
    with pytest.raises(
        pyml.RecordError, match=r"reaches a weak reference \(.*use the object itself"
    ):
        pyml.record(lambda x: x * read())(pyml.ones(2))
    del holder


def test_what_a_step_does_not_read_may_change():
    arguments = argparse.Namespace(factor=2.0, note=0)
    executed = ctypes.c_long(0)

    @pyml.record
    def step(x):
        executed.value += 1
        return x * arguments.factor

    for arguments.note in range(5):
        step(pyml.ones(3))
    assert executed.value == 3  # at calls 1, 2 and 4


@pytest.mark.parametrize("kind", ["pre", "post"])
def test_a_hook_on_the_optimizers_step_is_noticed(kind):
    """It is refused, as one that is there from the start."""
    s = script(pyml.record)
    for _ in range(3):
        s.step(s.x[:10], s.y[:10])
    getattr(s.optimizer, f"register_step_{kind}_hook")(lambda *_: None)
    with pytest.raises(pyml.RecordError, match="hook"):
        s.step(s.x[:10], s.y[:10])
