"""Tensors that a step puts in the place of others, and what else it changes and returns."""

import contextlib
import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn

CALLS = 40
EXECUTIONS = 6  # of 40 calls: 1, 2, 4 and 16, and the first ones of a step that learns what it is

state_of_the_module = None  # a global that a step replaces


class Slotted:
    __slots__ = ("h",)


def places():
    """Name -> (get, set) of a place that holds a tensor, and advance(f): `place = f(place)`."""
    self, slotted, table, things = SimpleNamespace(), Slotted(), {}, [0, None]
    nested, deep = SimpleNamespace(inner={"list": [None]}), None
    module = nn.Linear(3, 3)

    class Holder:
        h = None

        @property
        def hidden(self):
            return self._h

        @hidden.setter
        def hidden(self, value):
            self._h = value

    holder = Holder()

    def attribute(f):
        self.h = f(self.h)

    def slot(f):
        slotted.h = f(slotted.h)

    def entry(f):
        table["h"] = f(table["h"])

    def item(f):
        things[1] = f(things[1])

    def deep_inside(f):
        nested.inner["list"][0] = f(nested.inner["list"][0])

    def closure(f):
        nonlocal deep
        deep = f(deep)

    def name_of_the_module(f):
        global state_of_the_module
        state_of_the_module = f(state_of_the_module)

    def class_attribute(f):
        Holder.h = f(Holder.h)

    def behind_a_property(f):
        holder.hidden = f(holder.hidden)

    def attribute_of_a_module(f):
        module.h = f(module.h)

    def buffer(f):
        module.b = f(module.b)

    def set_deep(value):
        nonlocal deep
        deep = value

    def set_global(value):
        global state_of_the_module
        state_of_the_module = value

    module.register_buffer("b", pyml.zeros(3))
    return {
        "attribute": (lambda: self.h, lambda t: setattr(self, "h", t), attribute),
        "slot": (lambda: slotted.h, lambda t: setattr(slotted, "h", t), slot),
        "dict": (lambda: table["h"], lambda t: table.update(h=t), entry),
        "list": (lambda: things[1], lambda t: things.__setitem__(1, t), item),
        "nested": (
            lambda: nested.inner["list"][0],
            lambda t: nested.inner["list"].__setitem__(0, t),
            deep_inside,
        ),
        "closure": (lambda: deep, set_deep, closure),
        "global": (lambda: state_of_the_module, set_global, name_of_the_module),
        "class": (lambda: Holder.h, lambda t: setattr(Holder, "h", t), class_attribute),
        "property": (lambda: holder._h, lambda t: setattr(holder, "_h", t), behind_a_property),
        "module": (lambda: module.h, lambda t: setattr(module, "h", t), attribute_of_a_module),
        "buffer": (lambda: module.b, lambda t: setattr(module, "b", t), buffer),
    }


def start(shape=(3,), value=0.0, dtype="float32"):
    return pyml.full(shape, value, dtype=dtype)


def x_of(call):
    return pyml.tensor([call / 7, -call / 3, 0.5])


def average(h, x):
    return 0.9 * h + 0.1 * x.sin()


def averaging(place):
    """(a step that keeps an average there and returns something of it, its executions)."""
    advance, get, executions = place[2], place[0], ctypes.c_long()

    def step(x):
        executions.value += 1
        advance(lambda h: average(h, x))
        return x * 2

    return step, get, executions


# ---- places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", places())
def test_has_the_bits_of_eager_calls(name, dtype):
    place = places()[name]
    function, get, executions = averaging(place)
    place[1](start(dtype=dtype.name))
    step, wanted = pyml.record(function), start(dtype=dtype.name)
    for call in range(1, CALLS + 1):
        x = x_of(call).to(dtype)
        wanted = average(wanted, x)
        assert_same_bits(step(x).array, (x * 2).array)
        assert_same_bits(get().array, wanted.array)
        assert get().is_leaf and not get().requires_grad
    assert executions.value <= EXECUTIONS


@pytest.mark.parametrize("name", places())
def test_what_was_there_is_not_written(name):
    """Whoever holds what an earlier call left, its array or a view, has the values of then."""
    place = places()[name]
    function, get, executions = averaging(place)
    place[1](start())
    step, held = pyml.record(function), []
    for call in range(1, CALLS + 1):
        for thing in (get(), get().array, get()[1:]):
            held.append((thing, np.array(thing)))
        step(x_of(call))
        for thing, then in held:
            assert_same_bits(np.asarray(thing), then)
    assert len({then.tobytes() for _, then in held}) == 2 * CALLS  # arrays and views of each call
    assert executions.value <= EXECUTIONS


@pytest.mark.parametrize("name", places())
def test_is_reset_from_outside(name):
    """A tensor of the same shape takes the place of the state, and is itself not written."""
    place = places()[name]
    function, get, executions = averaging(place)
    step, resets = pyml.record(function), []
    for value in (0.0, 1.0, -2.5):
        resets.append((start(value=value), value))
        place[1](resets[-1][0])
        wanted = start(value=value)
        for call in range(1, 21):
            step(x_of(call))
            wanted = average(wanted, x_of(call))
            assert_same_bits(get().array, wanted.array)
    for tensor, value in resets:
        assert_same_bits(tensor.array, np.full(3, value, np.float32))
    assert executions.value <= EXECUTIONS + 1


ZEROS = pyml.zeros(9)
RESETS = {
    "made": lambda: pyml.zeros(3),
    "cloned": lambda: pyml.zeros(3).clone(),
    "of numpy": lambda: pyml.from_numpy(np.zeros(3, np.float32)),
    "computed": lambda: pyml.ones(3) * 0,
    "a view": lambda: ZEROS[3:6],
}


@pytest.mark.filterwarnings("ignore:record. the tensor .* is a view")
@pytest.mark.parametrize("every", [1, 2, 3, 4, 5, 8, 15, 16])
@pytest.mark.parametrize("name", RESETS)
def test_is_reset_before_any_call(name, every):
    """A hidden state at the begin of a sequence, before calls that Python confirms, too."""
    self, wanted = SimpleNamespace(h=RESETS[name]()), RESETS[name]()

    def function(x):
        self.h = average(self.h, x)
        return self.h.sum()

    step = pyml.record(function, unrecordable="eager" if name == "a view" else "error")
    for call in range(1, CALLS + 1):
        if call % every == 0:
            self.h, wanted = RESETS[name](), RESETS[name]()
        step(x_of(call))
        wanted = average(wanted, x_of(call))
        assert_same_bits(self.h.array, wanted.array)


@pytest.mark.parametrize("name", places())
def test_another_shape_from_outside_is_recorded_anew(name):
    place = places()[name]
    function, get, executions = averaging(place)
    step = pyml.record(function)
    for shape in ((3,), (2, 3), (3,)):
        place[1](start(shape))
        wanted = start(shape)
        for call in range(1, 21):
            step(x_of(call))
            wanted = average(wanted, x_of(call))
            assert_same_bits(get().array, wanted.array)
    assert executions.value <= 2 * EXECUTIONS


@pytest.mark.parametrize("name", places())
def test_another_dtype_from_outside_is_recorded_anew(name):
    place = places()[name]
    function, get, _ = averaging(place)
    step = pyml.record(function)
    for dtype in ("float32", "float64", "float32"):
        place[1](start(dtype=dtype))
        wanted = start(dtype=dtype)
        for call in range(1, 21):
            x = x_of(call).to(np.dtype(dtype))
            step(x)
            wanted = average(wanted, x)
            assert get().dtype == np.dtype(dtype)
            assert_same_bits(get().array, wanted.array)


@pytest.mark.parametrize("name", places())
def test_values_changed_in_place_from_outside_are_read(name):
    place = places()[name]
    function, get, executions = averaging(place)
    place[1](start())
    step, wanted = pyml.record(function), start()
    for call in range(1, CALLS + 1):
        if call % 3 == 0:
            get().mul_(-0.5)
            wanted = wanted * -0.5
        step(x_of(call))
        wanted = average(wanted, x_of(call))
        assert_same_bits(get().array, wanted.array)
    assert executions.value <= EXECUTIONS


@pytest.mark.parametrize("name", places())
def test_in_a_run(name):
    place = places()[name]
    function, get, executions = averaging(place)
    place[1](start((1, 3)))
    data = pyml.randn(CALLS, 3)
    pyml.record(function).run(data, batch_size=1, shuffle=False)
    wanted = start((1, 3))
    for x in data.split(1):
        wanted = average(wanted, x)
    assert_same_bits(get().array, wanted.array)
    assert executions.value <= EXECUTIONS


@pytest.mark.parametrize("name", places())
def test_the_state_is_read_by_others_of_the_same_step(name):
    """What is returned is computed from the state, after it or before it was replaced."""
    place = places()[name]
    place[1](start())

    def step(x):
        before = place[0]() * 3
        place[2](lambda h: average(h, x))
        return before, place[0]() + 1

    step, wanted = pyml.record(step), start()
    for call in range(1, CALLS + 1):
        before, after = step(x_of(call))
        assert_same_bits(before.array, (wanted * 3).array)
        wanted = average(wanted, x_of(call))
        assert_same_bits(after.array, (wanted + 1).array)


def test_the_state_itself_is_returned():
    self = SimpleNamespace(h=start())
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        self.h = average(self.h, x)
        return self.h

    step, wanted, held = pyml.record(step), start(), []
    for call in range(1, CALLS + 1):
        result = step(x_of(call))
        wanted = average(wanted, x_of(call))
        assert_same_bits(result.array, wanted.array)
        assert self.h is result
        held.append((result, wanted.array.copy()))
    for result, array in held:
        assert_same_bits(result.array, array)
    assert executions.value <= EXECUTIONS


def test_several_states_of_each_other():
    self = SimpleNamespace(m=start(), v=start(value=1.0), t=0)
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * x
        self.v = 0.99 * self.v + 0.01 * self.m * self.m
        return self.m / (1 - 0.9**self.t) / self.v.sqrt()

    step, m, v = pyml.record(step), start(), start(value=1.0)
    for t in range(1, CALLS + 1):
        x = x_of(t)
        m = 0.9 * m + 0.1 * x
        v = 0.99 * v + 0.01 * m * m
        assert_same_bits(step(x).array, (m / (1 - 0.9**t) / v.sqrt()).array)
        assert_same_bits(self.m.array, m.array)
        assert_same_bits(self.v.array, v.array)
    assert executions.value <= EXECUTIONS


def test_a_state_that_the_first_call_makes():
    """It is None until then."""
    self, executions = SimpleNamespace(h=None), ctypes.c_long()

    def step(x):
        executions.value += 1
        self.h = x.sin() if self.h is None else average(self.h, x)
        return x * 2

    step, wanted = pyml.record(step), None
    for call in range(1, CALLS + 1):
        step(x_of(call))
        wanted = x_of(1).sin() if wanted is None else average(wanted, x_of(call))
        assert_same_bits(self.h.array, wanted.array)
    assert executions.value <= EXECUTIONS


def test_a_view_of_a_larger_tensor_is_not_written():
    """A state that begins as a row of a table."""
    table = pyml.zeros(4, 3)
    self = SimpleNamespace(h=table[1])

    def step(x):
        self.h = average(self.h, x)
        return x * 2

    step, wanted = pyml.record(step), start()
    for call in range(1, CALLS + 1):
        step(x_of(call))
        wanted = average(wanted, x_of(call))
        assert_same_bits(self.h.array, wanted.array)
    assert_same_bits(table.array, np.zeros((4, 3), np.float32))


def test_two_names_of_one_tensor_at_first():
    """Replacing one leaves the other."""
    shared = start(value=2.0)
    self = SimpleNamespace(h=shared, anchor=shared)

    def step(x):
        self.h = average(self.h, x)
        return self.h + self.anchor

    step, wanted = pyml.record(step), start(value=2.0)
    for call in range(1, CALLS + 1):
        result = step(x_of(call))
        wanted = average(wanted, x_of(call))
        assert_same_bits(result.array, (wanted + 2).array)
        assert_same_bits(self.h.array, wanted.array)
    assert self.anchor is shared
    assert_same_bits(shared.array, np.full(3, 2, np.float32))


def test_an_exception_leaves_the_state_of_python():
    self, fails = SimpleNamespace(h=start()), ctypes.c_long()

    def step(x):
        self.h = average(self.h, x)
        if fails.value:
            raise KeyError("mine")
        return x * 2

    step, wanted = pyml.record(step), start()
    for call in range(1, 20):
        fails.value = call in (1, 2, 3, 5)
        with contextlib.suppress(KeyError):  # a replay raises none
            step(x_of(call))
        wanted = average(wanted, x_of(call))
        assert_same_bits(self.h.array, wanted.array)


# ---- .data ---------------------------------------------------------------------------------------


def scaled(layer):
    layer.weight.data = layer.weight.data * 0.5


def loaded(layer):
    layer.load_state_dict({name: value * 0.5 for name, value in layer.state_dict().items()})


def decayed(layer):
    for p in layer.parameters():
        p.data = p.data - 0.1 * p.data


SEEN = {
    "detach": lambda w: w.detach(),
    "data": lambda w: w.data,
    "a view": lambda w: w.view(-1),
    "a row": lambda w: w[0],
    "a view of a view": lambda w: w.detach().unflatten(-1, (3, -1)),
}


@pytest.mark.parametrize("form", SEEN)
@pytest.mark.parametrize("use", ["returned", "read"])
def test_old_values_that_are_still_seen_when_data_is_assigned(form, use):
    """Python leaves them the old memory; where a replay writes there they would be the new ones."""
    layer = nn.Linear(3, 3)

    def step(x):
        old = SEEN[form](layer.weight)
        layer.weight.data = layer.weight.detach() * 0.9
        return old if use == "returned" else old.detach().sum() + x

    x = pyml.ones(1)
    with pytest.raises(pyml.RecordError, match=r"old values a view, detach\(\)"):
        pyml.record(step)(x)


def test_old_values_that_are_gone_when_data_is_assigned():
    layers = [nn.Linear(3, 3) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())

    def step_of(layer):
        def step(x):
            total = layer.weight.data.sum() + layer.weight.detach()[0].sum()
            for form in SEEN.values():
                form(layer.weight)
            layer.weight.data = layer.weight.data * 0.9
            return total + x

        return step

    eager, recorded = step_of(layers[0]), pyml.record(step_of(layers[1]))
    for _ in range(6):
        assert_same_bits(recorded(pyml.ones(1)).array, eager(pyml.ones(1)).array)
        assert_same_bits(layers[1].weight.array, layers[0].weight.array)


@pytest.mark.parametrize("change", [scaled, loaded, decayed])
def test_data_that_is_assigned(change):
    """Parameters keep their identity, and the optimizer sees their new values."""

    def script(wrap):
        pyml.manual_seed(0)
        layer, executions = nn.Linear(3, 2), ctypes.c_long()
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

        def step(x):
            executions.value += 1
            optimizer.zero_grad()
            loss = layer(x).square().sum()
            loss.backward()
            optimizer.step()
            change(layer)
            return loss

        step, seen = wrap(step), []
        for call in range(1, CALLS + 1):
            seen.append(step(x_of(call)).detach().array)
            seen += [p.array.copy() for p in layer.parameters()]
        return seen, executions.value

    wanted, _ = script(lambda function: function)
    got, executions = script(pyml.record)
    for a, b in zip(got, wanted, strict=True):
        assert_same_bits(a, b)
    assert executions <= EXECUTIONS


# ---- modes, arrays, indices ----------------------------------------------------------------------


def test_modes_that_the_step_sets():
    """train() and eval() inside; what was set outside between the calls does not matter."""

    def script(wrap):
        pyml.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
        executions = ctypes.c_long()

        def step(x):
            executions.value += 1
            model.train()
            noisy = model(x)
            model.eval()
            return noisy, model(x)

        step, seen = wrap(step), []
        for call in range(1, CALLS + 1):
            if call % 7 == 0:
                model.train()
            x = pyml.randn(5, 3)
            seen += [t.detach().array for t in step(x)]
            seen += [b.array.copy() for b in model.buffers()]
            assert not model.training
        return seen, executions.value

    wanted, _ = script(lambda function: function)
    got, executions = script(pyml.record)
    for a, b in zip(got, wanted, strict=True):
        assert_same_bits(a, b)
    assert executions <= 2 * EXECUTIONS


@pytest.mark.parametrize(
    "convert",
    [pyml.from_numpy, pyml.tensor, pyml.as_tensor],
    ids=["from_numpy", "tensor", "as_tensor"],
)
def test_an_array_of_outside_becomes_a_tensor_inside(convert):
    """A change of its values is noticed, in place or by another array."""
    scale, executions = np.array([1.0, 2.0, 3.0], np.float32), ctypes.c_long()

    def step(x):
        executions.value += 1
        return x * convert(scale)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        if call == 21:
            scale[1] = 5.0
        assert_same_bits(step(x_of(call)).array, x_of(call).array * scale)
    assert executions.value <= 2 * 4


@pytest.mark.parametrize("index", [[0, 2], [2, 2, 1], [-1]], ids=str)
@pytest.mark.parametrize("where", ["columns", "rows"])
def test_an_index_in_a_list(where, index):
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        return x[:, index] if where == "columns" else x[index]

    step = pyml.record(step)
    for _ in range(CALLS):
        x = pyml.randn(4, 3)
        wanted = x.array[:, index] if where == "columns" else x.array[index]
        assert_same_bits(step(x).array, np.ascontiguousarray(wanted))
    assert executions.value == 4


# ---- numbers that are returned -------------------------------------------------------------------

FORMS = {
    "alone": lambda loss, y: loss.item(),
    "tuple": lambda loss, y: (loss.item(), y),
    "named": lambda loss, y: {"loss": loss.item(), "first": y[0].item()},
    "tree": lambda loss, y: [{"a": (loss.item(),)}, [y, {"b": y.argmax().item()}], "text", 3],
    "twice": lambda loss, y: (lambda n: (n, n))(loss.item()),
    "beside the tensor": lambda loss, y: (loss, loss.item()),
    "a boolean of Python": lambda loss, y: (loss.item(), True, None),
}


@pytest.mark.parametrize("name", FORMS)
def test_items_are_returned(name):
    form, executions = FORMS[name], ctypes.c_long()

    def eager(x):
        y = x.sin() * 3
        return form(y.square().sum(), y)

    def step(x):
        executions.value += 1
        return eager(x)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        got = step(x_of(call))
        assert frozen(got) == frozen(eager(x_of(call)))
    assert executions.value == 4


def frozen(value):
    """Comparable, with the types: a number is Python's own."""
    if isinstance(value, pyml.Tensor):
        return "tensor", value.dtype.name, value.shape, value.array.tobytes()
    if isinstance(value, dict):
        return "dict", [(key, frozen(item)) for key, item in value.items()]
    if isinstance(value, (tuple, list)):
        return type(value).__name__, [*map(frozen, value)]
    return type(value).__name__, value


@pytest.mark.parametrize("kind", [dict, list])
def test_a_result_is_a_new_object_in_each_call(kind):
    """The caller may change it, and keep it."""

    def step(x):
        values = {"loss": x.sum().item(), "n": 1, "y": x * 2}
        return values if kind is dict else [{"in": values}, *values.values()]

    step, held = pyml.record(step), []
    for call in range(1, CALLS + 1):
        result = step(x_of(call))
        assert not any(result is other for other, _ in held)
        if kind is list:
            assert not any(result[0] is other[0] for other, _ in held)
            assert not any(result[0]["in"] is other[0]["in"] for other, _ in held)
        held.append((result, frozen(result)))
        if call % 2:
            result.clear()
            held.pop()
    for result, then in held:
        assert frozen(result) == then
    assert len({repr(then) for _, then in held}) == CALLS // 2


def test_items_in_a_run_are_put_together():
    """As float64, which holds what item() gives."""
    step = pyml.record(lambda x: (x.sum(), {"loss": x.sum().item()}, x.argmax().item()))
    data = pyml.arange(60.0).reshape(60, 1) / 7
    losses, items, places = step.run(data, batch_size=2, shuffle=False)
    wanted = [rows.sum().array for rows in data.split(2)]
    assert_same_bits(losses.array, np.stack(wanted))
    assert_same_bits(items["loss"].array, np.stack(wanted).astype(np.float64))
    assert places.tolist() == [1] * 30
