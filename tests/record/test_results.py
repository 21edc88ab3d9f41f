"""What a recorded step returns, takes and leaves behind."""

import collections
import contextlib
import math
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.nn import functional as F
from pyml.recording import RecordError

Pair = collections.namedtuple("Pair", "loss outputs")


@pytest.fixture
def layer():
    return nn.Linear(3, 2)


@pytest.fixture
def batches():
    return [pyml.randn(4, 3) for _ in range(6)]


def assert_same_results(function, calls, wrap=pyml.record):
    """The function, recorded, returns for each of the argument tuples what it returns eagerly."""
    step = wrap(function)
    held = []
    for args in calls:
        wanted, got = [], []
        wanted_tree, got_tree = tree(function(*args), wanted), tree(step(*args), got)
        assert got_tree == wanted_tree
        for a, b in zip(got, wanted, strict=True):
            assert b.requires_grad or not a.requires_grad
            assert not a.requires_grad or a.is_leaf or a.grad_fn.name() == "RecordedResult"
            assert_same_bits(a.array, b.detach().array)
        held += [(t, t.array.copy()) for t in got]
    for t, array in held:
        assert_same_bits(t.array, array)
    return step


def tree(value, tensors):
    """The value with its tensors, which are added to a list, replaced by their shape and dtype."""
    if isinstance(value, pyml.Tensor):
        tensors.append(value)
        return value.shape, value.dtype.name
    if isinstance(value, dict):
        return {name: tree(item, tensors) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value).__name__, [tree(item, tensors) for item in value]
    return value


# ---- what is returned ----------------------------------------------------------------------------

RETURNS = {
    "nothing": lambda x, layer: None,
    "a tensor": lambda x, layer: layer(x),
    "a tuple": lambda x, layer: (layer(x), x * 2),
    "a list": lambda x, layer: [layer(x)],
    "a dict": lambda x, layer: {"y": layer(x), "loss": layer(x).mean()},
    "a named tuple": lambda x, layer: Pair(layer(x).mean(), layer(x)),
    "a tree": lambda x, layer: {"a": [layer(x), (x + 1, {"b": x.sum()})], "n": 3, "s": "text"},
    "numbers of Python": lambda x, layer: (1, 2.5, "text", None, True),
    "an empty tuple": lambda x, layer: (),
    "the same tensor twice": lambda x, layer: (lambda y: (y, y))(layer(x)),
    "the argument": lambda x, layer: x,
    "the argument and more": lambda x, layer: (x, x * 2, x),
    "a view of the argument": lambda x, layer: x[1:3],
    "a transposed argument": lambda x, layer: x.T,
    "a view of a result": lambda x, layer: layer(x)[1:, 0],
    "a transposed result": lambda x, layer: layer(x).T,
    "a broadcast result": lambda x, layer: layer(x).sum().expand(3, 2),
    "a part of a result and the result": lambda x, layer: (lambda y: (y[0], y))(layer(x)),
    "a parameter": lambda x, layer: layer.weight,
    "a view of a parameter": lambda x, layer: layer.weight[0],
    "a constant": lambda x, layer: pyml.tensor(2.0) * 1,
    "no elements": lambda x, layer: x[:0] * 2,
    "integers": lambda x, layer: x.argmax(1),
    "zeros": lambda x, layer: pyml.zeros(2, 3),
    "ones": lambda x, layer: pyml.ones_like(x) * x,
    "a range": lambda x, layer: pyml.arange(3),
}


@pytest.mark.parametrize("name", RETURNS)
def test_returns(name, layer, batches):
    function = RETURNS[name]
    assert_same_results(lambda x: function(x, layer), [(x,) for x in batches])


def test_the_argument_itself_is_returned(batches):
    step = pyml.record(lambda x: (x, x * 2))
    for x in batches:
        assert step(x)[0] is x


def test_a_result_may_be_changed(batches, layer):
    step = pyml.record(lambda x: layer(x))
    for x in batches:
        wanted = layer(x).detach().array
        y = step(x)
        assert_same_bits(y.array, wanted)
        y.array.fill(np.nan)


def test_results_and_gradients_that_are_held_do_not_change(layer, batches):
    """A result, a gradient, its array, views of both: whatever is held over the next replays."""

    @pyml.record
    def step(x):
        layer.zero_grad()
        y = layer(x)
        loss = y.square().mean()
        loss.backward()
        return loss, y

    holds = [
        lambda loss, y: loss,
        lambda loss, y: y.numpy(),
        lambda loss, y: y[1:].T,
        lambda loss, y: layer.weight.grad,
        lambda loss, y: layer.weight.grad.numpy(),
        lambda loss, y: layer.weight.grad.numpy()[0, 1:],
        lambda loss, y: layer.weight.grad[0],
        lambda loss, y: layer.bias.grad.detach(),
        lambda loss, y: memoryview(layer.bias.grad.numpy()),
        lambda loss, y: layer.weight.grad.T.reshape(-1)[::2],
    ]
    for hold in holds:
        held = []
        for x in batches:
            thing = hold(*step(x))
            held.append((thing, np.array(thing)))
            for before, array in held:
                assert_same_bits(np.asarray(before), array)
    assert len({array.tobytes() for _, array in held}) == len(batches)


def test_gradients_that_are_held_over_a_run(layer):
    x = pyml.randn(12, 3)

    @pyml.record
    def step(x):
        layer.zero_grad()
        layer(x).square().mean().backward()

    step.run(x, batch_size=4)
    held = layer.weight.grad, layer.bias.grad.numpy()
    arrays = [np.array(h) for h in held]
    step.run(x, batch_size=4)
    for h, array in zip(held, arrays, strict=True):
        assert_same_bits(np.asarray(h), array)
    assert layer.weight.grad is not held[0]


def test_gradients_that_are_changed_between_replays(layer, batches):
    """In place, as clipping by hand would, while they accumulate."""

    def train(wrap):
        layer.zero_grad()
        step = wrap(lambda x: layer(x).square().mean().backward())
        for i, x in enumerate(batches):
            step(x)
            layer.weight.grad.mul_(0.5)
            if i == 3:
                layer.bias.grad.numpy()[...] = 0.25
        return [p.grad.array.copy() for p in layer.parameters()]

    wanted = train(lambda function: function)
    for a, b in zip(train(pyml.record), wanted, strict=True):
        assert_same_bits(a, b)


def test_gradients_that_lie_elsewhere_since(layer, batches):
    """Nobody holds the first of them; the second is held, and smaller than what a replay writes."""

    def train(wrap):
        @wrap
        def step(x):
            layer.zero_grad()
            layer(x).square().mean().backward()

        gradients = []
        for i, x in enumerate(batches * 2):
            step(x)
            gradients.append(layer.weight.grad.array.copy())
            if i == 4:
                layer.weight.grad.data = pyml.zeros(2, 3)
            if i == 7:
                held = layer.weight.grad
                held.data = pyml.zeros(1)
        return [*gradients, held.array]

    wanted = train(lambda function: function)
    for a, b in zip(train(pyml.record), wanted, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("size", [(0,), (0, 3), (3, 0)], ids=str)
def test_gradients_without_numbers(size, batches):
    """There is nothing in them that a replay would have to compute."""

    def train(wrap):
        pyml.manual_seed(0)
        model = nn.ParameterList([nn.Parameter(pyml.randn(3)), nn.Parameter(pyml.zeros(*size))])
        optimizer = optim.Adam(model.parameters())

        @wrap
        def step(x):
            optimizer.zero_grad()
            loss = (x @ model[0]).square().mean() + model[1].sum()
            loss.backward()
            optimizer.step()
            return loss, model[1]

        results = [step(x) for x in batches]
        assert [(loss.shape, empty.shape) for loss, empty in results] == [((), size)] * len(batches)
        assert model[1].grad.shape == size
        return [loss.array for loss, _ in results] + [model[0].array.copy()]

    for a, b in zip(train(pyml.record), train(lambda function: function), strict=True):
        assert_same_bits(a, b)


# ---- what is taken -------------------------------------------------------------------------------


def arguments():
    x, y = pyml.randn(4, 3), pyml.randn(4, 3)
    doubles = pyml.randn(4, 3, dtype=pyml.float64)
    return {
        "other values": [(x, y), (y, x), (x, x.clone())],
        "other shapes": [(x, y), (x[:2], y[:2]), (x, y), (x[:0], y[:0]), (x[:1], y), (x, y)],
        "other dimensions": [(x, y), (x[0], y[0]), (x[0], y), (x, y[0])],
        "other dtypes": [(x, y), (doubles, doubles), (doubles, y), (x, y)],
        "other strides": [(x, y), (x.T.clone().T, y), (doubles.float(), y), (x.flip(0), y)],
        "a transposed argument": [(x, y), (y.reshape(3, 4).T, x), (x, y.reshape(3, 4).T)],
        "a broadcast argument": [(x, y), (x[0].expand(4, 3), y), (x, y[0].expand(4, 3))],
        "the same argument twice": [(x, x), (y, y), (x, y), (x, x)],
        "overlapping arguments": [(x[:3], x[1:]), (x[1:], x[:3]), (y[:3], x[:3])],
        "numbers": [(x, 2.0), (x, 3.0), (x, 2.0), (x, 2), (x, True), (x, float("nan"))],
        "more than are kept": [(x, float(i)) for i in range(40)] + [(x, 0.0)],
    }


@pytest.mark.parametrize("name", arguments())
def test_takes(name):
    """Forty numbers are forty recordings, of which a warning tells."""
    pyml.manual_seed(0)
    warns = contextlib.nullcontext()
    if name == "more than are kept":
        warns = pytest.warns(
            UserWarning, match="recorded 12 times and replayed 0 times: an argument"
        )
    with warns:
        assert_same_results(lambda x, y: (x * y, (x + y).square()), arguments()[name])


def test_takes_nests_and_keywords(batches):
    def step(data, *, options=None, scale=1.0):
        y = data["x"] * data["pair"][0] + data["pair"][1][0]
        return y * scale if options is None else y + options[0]

    recorded = pyml.record(step)
    for i in range(3):
        a, b, c = batches[i : i + 3]
        data = {"x": a, "pair": (b, [c])}
        for keywords in ({}, {"scale": 2.0}, {"options": [c]}, {"scale": 3.0, "options": None}):
            assert_same_bits(recorded(data, **keywords).array, step(data, **keywords).array)


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        ({1: 0}, {True: 0}, lambda table: 2.0 if type(*table) is bool else 1.0),
        ({0.0: 0}, {-0.0: 0}, lambda table: math.copysign(1.0, *table)),
        (slice(0, 2), slice(False, 2), lambda part: 2.0 if part.start is False else 1.0),
        (complex(1, 0.0), complex(1, -0.0), lambda z: math.copysign(1.0, z.imag)),
    ],
    ids=["one", "zero", "slice", "complex"],
)
def test_equal_arguments_that_are_not_the_same(first, second, number, batches):
    calls = [(x, value) for value in (first, second) for x in batches[:3]]
    step = assert_same_results(lambda x, value: x * number(value), calls)
    assert len(step._programs) == 2


def test_objects_are_taken_by_identity(batches):
    doubling, tripling = SimpleNamespace(factor=2.0), SimpleNamespace(factor=3.0)
    function = lambda x, settings: x * settings.factor  # noqa: E731
    calls = [(x, settings) for x in batches for settings in (doubling, tripling)]
    assert_same_results(function, calls)


def test_an_attribute_of_an_argument_changes(batches):
    settings = SimpleNamespace(factor=2.0)
    step = pyml.record(lambda x, settings: x * settings.factor)
    for x in batches:
        assert_same_bits(step(x, settings).array, x.array * np.float32(settings.factor))
        settings.factor += 1


def test_a_module_as_an_argument(batches):
    layers = [nn.Linear(3, 2), nn.Linear(3, 2)]
    calls = [(x, layers[i % 2]) for i, x in enumerate(batches)]
    assert_same_results(lambda x, layer: layer(x), calls)


def test_no_gradient_of_a_result_is_lost(layer, batches):
    """A loss of what a step returns and of other terms would have the gradients of those alone."""
    loss = pyml.record(lambda x: layer(x).square().mean())
    constant = pyml.record(lambda x: layer(x).square().mean().detach())
    with pytest.raises(RecordError, match=r"a tensor of shape \(\) that a recorded step returned"):
        pyml.func.grad(loss)(batches[0])
    for x in batches:
        wrong = [
            lambda x=x: loss(x).backward(),
            lambda x=x: (layer(x).sum() + 0.1 * loss(x)).backward(),
            lambda x=x: pyml.autograd.grad(layer(x).sum() * loss(x), layer.weight),
        ]
        for use in wrong:
            with pytest.raises(RecordError, match="inside the step, or return the tensor detached"):
                use()
        assert loss(x).item() == (loss(x) + constant(x)).item() / 2
        with pyml.no_grad():
            assert not (loss(x).requires_grad or (layer(x).sum() + loss(x)).requires_grad)
        layer.weight.grad = None
        (layer(x).sum() + constant(x)).backward()
        assert layer.weight.grad is not None


def test_a_result_that_backward_went_through_is_a_constant(layer, batches):
    def step(x):
        y = layer(x).exp()
        loss = y.square().mean()
        loss.backward()
        return loss, y, layer.bias.sum()

    recorded = pyml.record(step)
    for x in batches:
        assert [t.requires_grad for t in recorded(x)] == [False, False, True]


def test_arguments_that_are_changed_in_place(batches):
    def step(x, y):
        x.mul_(2)
        y.add_(x)
        return x + y

    recorded = pyml.record(step)
    for strided in (False, True):
        for x in batches:
            a, b = x.clone(), x.clone() + 1
            c, d = x.clone(), x.clone() + 1
            if strided:
                a, b, c, d = (t.T for t in (a, b, c, d))
            assert_same_bits(recorded(a, b).array, step(c, d).array)
            assert_same_bits(a.array, c.array)
            assert_same_bits(b.array, d.array)
            assert [a._version > 0, b._version > 0] == [True, True]


@pytest.mark.filterwarnings("ignore:record. the truth:UserWarning")
@pytest.mark.parametrize("unrecordable", ["error", "eager"])
def test_arguments_that_are_changed_through_data(batches, unrecordable):
    def function(x, y):
        x.data.mul_(2)
        y.data[0] = 1.0
        total = (x * y).sum()
        if unrecordable == "eager" and total > 0:
            total = total + 1
        return total

    eager, recorded = ([x.clone() for x in batches[:2]] for _ in range(2))
    step = pyml.record(function, unrecordable=unrecordable)
    for _ in range(4):
        assert_same_bits(step(*recorded), function(*eager))
        for a, b in zip(recorded, eager, strict=True):
            assert_same_bits(a, b)


@pytest.mark.parametrize("recorded_with", ["one argument twice", "two arguments"])
def test_an_argument_that_is_changed_and_is_there_twice(recorded_with, batches):
    def step(x, y):
        x.mul_(2)
        return x + y

    recorded = pyml.record(step)
    calls = [(0, 0), (0, 1), (1, 1), (1, 0)]
    if recorded_with == "two arguments":
        calls.reverse()
    for i, j in calls:
        got, wanted = ([x.clone() for x in batches[:2]] for _ in range(2))
        result = recorded(got[i], got[j])
        assert_same_bits(result.array, step(wanted[i], wanted[j]).array)
        assert_same_bits(got[0].array, wanted[0].array)


def test_gradients_of_arguments(batches, layer):
    """Inputs that require grad get their .grad; twice it is added."""

    def step(x):
        layer(x).square().sum().backward()

    recorded = pyml.record(step)
    for x in batches:
        a, b = (x.clone().requires_grad_() for _ in range(2))
        for _ in range(2):
            recorded(a)
            step(b)
            assert_same_bits(a.grad.array, b.grad.array)


def test_gradients_by_inputs(batches, layer):
    """autograd.grad by the argument, also twice."""

    def step(x):
        x = x.detach().requires_grad_()
        y = layer(x).tanh().sum()
        (dx,) = pyml.autograd.grad(y, x, create_graph=True)
        (ddx,) = pyml.autograd.grad(dx.square().sum(), x)
        return y, dx, ddx

    assert_same_results(step, [(x,) for x in batches])


def test_modes_around_the_call(batches, layer):
    def step(x):
        y = layer(x)
        if pyml.is_grad_enabled():
            y.sum().backward()
            return layer.bias.grad * 1
        return y

    recorded = pyml.record(step)
    for x in batches:
        for mode in (pyml.enable_grad, pyml.no_grad):
            layer.zero_grad()
            with mode():
                got = recorded(x)
            layer.zero_grad()
            with mode():
                wanted = step(x)
            assert_same_bits(got.array, wanted.detach().array)


def test_decorator_forms(batches):
    class Trainer:
        def __init__(self, factor):
            self.factor = factor

        @pyml.record
        def step(self, x):
            """Scales."""
            return x * self.factor

    trainers = [Trainer(2.0), Trainer(3.0)]
    for x in batches:
        for trainer in trainers:
            assert_same_bits(trainer.step(x).array, x.array * np.float32(trainer.factor))
    assert Trainer.step.__doc__ == "Scales."
    assert pyml.record(unrecordable="eager")(lambda x: x)(batches[0]) is batches[0]


def test_an_item_is_what_the_tensor_was_where_it_is_read():
    """The tensor is changed in place behind that line."""
    weight, log = pyml.ones(1), []

    def step(x):
        y = x.sum()
        read = weight.item(), y.item(), x[0].item()
        pyml.host(log.append, read)
        weight.add_(1)
        y.mul_(10)
        x.mul_(2)
        return read

    step = pyml.record(step)
    for call in range(1, 20):
        assert step(pyml.full((2,), float(call))) == (call, 2 * call, call)
    assert log == [(call, 2 * call, call) for call in range(1, 20)]


# ---- an index that is out of range ---------------------------------------------------------------


@pytest.mark.parametrize("bad", [7, -1, 3])
def test_a_class_out_of_range_raises_and_changes_nothing(bad, layer):
    optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(x), y)
        loss.backward()
        optimizer.step()
        return loss

    recorded = pyml.record(step)
    x, good = pyml.randn(4, 3), pyml.tensor([0, 1, 1, 0])
    wrong = pyml.tensor([0, 1, bad, 0])
    for _ in range(3):
        recorded(x, good)
    before = [p.array.copy() for p in layer.parameters()]
    with pytest.raises(IndexError) as eager:
        step(x, wrong)
    with pytest.raises(IndexError) as replayed:
        recorded(x, wrong)
    assert str(replayed.value) == str(eager.value)
    for p, array in zip(layer.parameters(), before, strict=True):
        assert_same_bits(p.array, array)
    layer.zero_grad()
    assert_same_bits(
        recorded(x, good).array, F.cross_entropy(nn_copy(layer, before)(x), good).array
    )


def nn_copy(layer, arrays):
    """A Linear with these values."""
    copied = nn.Linear(3, 2)
    for p, array in zip(copied.parameters(), arrays, strict=True):
        p.data = pyml.tensor(array)
    return copied


def test_a_class_out_of_range_in_the_first_call_and_in_run(layer):
    step = pyml.record(lambda x, y: F.cross_entropy(layer(x), y))
    x, y = pyml.randn(8, 3), pyml.tensor([0, 1, 0, 1, 0, 1, 9, 1])
    with pytest.raises(IndexError, match="9"):
        step(x, y)
    with pytest.raises(IndexError, match="9"):
        step.run(x, y, batch_size=2, shuffle=False)
    step(x[:6], y[:6])
    with pytest.raises(IndexError, match="9"):
        step.run(x, y, batch_size=2)


# ---- what is kept elsewhere ----------------------------------------------------------------------


def keepers():
    """name -> a step that keeps a tensor beside what it returns, where no slot is."""
    self, things = SimpleNamespace(), []
    module = nn.Linear(3, 3)

    def added_to_a_list(x):
        things.append(x * 2)
        return things[-1] + 1

    def the_graph(x):
        self.h = module(x).sum()
        return x + 1

    def another_parameter(x):
        module.weight = nn.Parameter(module.weight.detach() * 0.5)
        return module(x)

    def the_argument(x):
        self.h = x
        return x + 1

    def a_gradient(x):
        module.zero_grad()
        module(x).sum().backward()
        self.h = module.weight.grad
        return x + 1

    def a_view_of_the_result(x):
        y = x * 2
        self.h = y[0]
        return y

    def a_view_of_the_argument(x):
        self.h = x[0]
        return x + 1

    keepers = locals().values()
    return {f.__name__: f for f in keepers if callable(f) and hasattr(f, "__code__")}


@pytest.mark.parametrize("name", keepers())
def test_what_is_kept_is_refused_in_two_calls(name):
    step = pyml.record(keepers()[name])
    x = pyml.randn(2, 3)
    with pytest.raises(pyml.RecordError):
        for _ in range(2):
            step(x)


@pytest.mark.parametrize("name", keepers())
def test_what_is_kept_may_run_eagerly(name, batches):
    function = keepers()[name]
    pyml.manual_seed(0)
    other = keepers()[name]
    for p, q in zip(parameters_of(function), parameters_of(other), strict=True):
        q.data = p.detach().clone()
    step = pyml.record(function, unrecordable="eager")
    with pytest.warns(UserWarning, match="eager") as caught:
        for x in batches:
            assert_same_bits(step(x).array, other(x).detach().array)
    assert len(caught) == 1


def parameters_of(function):
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [p for m in cells if isinstance(m, nn.Module) for p in m.parameters()]


def test_a_cache_that_is_filled_once_is_recorded(batches):
    """What the first call makes and the next ones find."""
    cache = {}

    def step(x):
        if "scale" not in cache:
            cache["scale"] = pyml.randn(3)
        return x * cache["scale"]

    assert_same_results(step, [(x,) for x in batches])


def counters():
    """kind -> (a step that counts its calls there, its count)."""
    count, table, self = 0, {"n": 0}, SimpleNamespace(n=0)

    def closure(x):
        nonlocal count
        count += 1
        return x * 2

    def entry(x):
        table["n"] += 1
        return x * 2

    def attribute(x):
        self.n += 1
        return x * 2

    return {
        "nonlocal": (closure, lambda: count),
        "dict": (entry, lambda: table["n"]),
        "attribute": (attribute, lambda: self.n),
    }


@pytest.mark.parametrize("kind", counters())
def test_what_python_counts_is_counted(kind):
    step, count = counters()[kind]
    step = pyml.record(step)
    for i in range(20):
        step(pyml.ones(2))
        assert count() == i + 1


def test_what_python_lists_is_refused():
    things = []

    def step(x):
        things.append(1)
        return x * 2

    step = pyml.record(step)
    with pytest.raises(pyml.RecordError, match="changes 'things'"):
        for _ in range(2):
            step(pyml.ones(2))
