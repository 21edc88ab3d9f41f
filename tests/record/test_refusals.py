"""What cannot be recorded raises and says where, or runs eagerly with one warning."""

import copy
import inspect
import io
import math
import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn
from pyml.nn import functional as F
from pyml.optim.optimizer import register_optimizer_step_post_hook

REFUSED = {}
WITHOUT_A_LINE = {  # found when a step has ended
    "gradient_from_numpy",
    "random_number_of_a_generator",
    "random_number_of_a_generator_of_python",
    "random_number_of_an_old_generator",
    "random_number_of_numpy",
    "random_number_of_numpy_as_a_factor",
    "random_number_of_python_in_a_list",
    "random_number_of_python_as_a_factor",
}


def refused(function):
    """Enters a step into the table: a function of a positive vector x and a Linear."""
    REFUSED[function.__name__] = function
    return function


# ---- values that Python sees ---------------------------------------------------------------------


@refused
def item(x, layer):
    return x * x.sum().item()


@refused
def conversion_to_float(x, layer):
    return x * float(x.sum())


@refused
def conversion_to_int(x, layer):
    return x * int(x.sum())


@refused
def mathematics_of_python(x, layer):
    return x * math.sqrt(x.sum())


@refused
def condition(x, layer):
    return x * 2 if x.sum() > 1 else x


@refused
def loop_until(x, layer):
    while (x < 100).all():
        x = x * 2
    return x


@refused
def assertion(x, layer):
    assert (x > 0).all()
    return x * 2


@refused
def largest_by_python(x, layer):
    return max(x[0], x[1]) * 2


@refused
def lists(x, layer):
    return pyml.tensor(x.tolist()) * 2


@refused
def numpy_array(x, layer):
    return pyml.from_numpy(np.exp(x.numpy()))


@refused
def numpy_function(x, layer):
    return pyml.from_numpy(np.asarray(x) * 2)


@refused
def numpy_copy(x, layer):
    return pyml.from_numpy(np.array(x) * 2)


@refused
def numpy_function_of_a_tensor(x, layer):
    return np.exp(x.detach())


@refused
def printing(x, layer):
    print(x, file=io.StringIO())
    return x * 2


@refused
def representation(x, layer):
    repr(x)
    return x * 2


@refused
def formatted(x, layer):
    return x * len(f"{x.sum():.3f}")


@refused
def membership(x, layer):
    return x * 2 if 5.0 in x else x


@refused
def index_of_python(x, layer):
    return x * [1, 2, 3, 4, 5][x.argmax()]


@refused
def equality_of_all(x, layer):
    return x * 2 if pyml.equal(x, x * 1) else x


@refused
def closeness_of_all(x, layer):
    return x * 2 if pyml.allclose(x, x * 1) else x


@refused
def deep_copy(x, layer):
    return copy.deepcopy(x) * 2


@refused
def pickling(x, layer):
    return pickle.loads(pickle.dumps(x)) * 2


# ---- shapes that depend on values ----------------------------------------------------------------


@refused
def boolean_mask(x, layer):
    return x[x > 0.5].max()


@refused
def selection_by_mask(x, layer):
    return pyml.masked_select(x, x > 0.5)


@refused
def places_of_nonzeros(x, layer):
    return x[pyml.nonzero(x > 0.5)[:, 0]].sum()


# ---- values that do not come from kernels --------------------------------------------------------


@refused
def random_array_of_numpy(x, layer):
    return x + pyml.from_numpy(np.random.rand(5).astype(np.float32))


@refused
def random_number_of_numpy(x, layer):
    return x + pyml.tensor(np.random.rand(), dtype=pyml.float32)


@refused
def random_array_as_a_tensor(x, layer):
    return x + pyml.tensor(np.random.rand(5), dtype=pyml.float32)


@refused
def random_array_as_an_operand(x, layer):
    return x + np.random.rand(5).astype(np.float32)


@refused
def random_number_of_python_in_a_list(x, layer):
    return x + pyml.tensor([random.random()] * 5)


@refused
def random_number_of_numpy_as_a_factor(x, layer):
    return x * np.random.rand()


@refused
def random_number_of_python_as_a_factor(x, layer):
    return x * random.random()


GENERATORS = {}


def seed():
    """All generators begin anew."""
    np.random.seed(3)
    random.seed(3)
    GENERATORS["new"] = np.random.default_rng(3)
    GENERATORS["old"] = np.random.RandomState(3)
    GENERATORS["python"] = random.Random(3)


@refused
def random_number_of_a_generator(x, layer):
    return x * GENERATORS["new"].random()


@refused
def random_number_of_an_old_generator(x, layer):
    return x * GENERATORS["old"].rand()


@refused
def random_number_of_a_generator_of_python(x, layer):
    return x * GENERATORS["python"].random()


@refused
def gradient_from_numpy(x, layer):
    layer.bias.grad = pyml.from_numpy(np.random.rand(2).astype(np.float32))
    return x * 2


@refused
def count_of_changes(x, layer):
    return x * (2 if layer.weight._version > 3 else 3)


@refused
def tensor_of_which_an_argument_is_a_part(x, layer):
    return x * (2 if x._base is None else 3)


@refused
def place_of_an_argument_in_memory(x, layer):
    return x * (2 if x.storage_offset() > 3 else 3)


@refused
def elements_beside_an_argument(x, layer):
    return x.as_strided((2,), (1,), 1) * 2


@refused
def computed_on_another_thread(x, layer):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: x * 2).result() + x


# ---- objects that are changed --------------------------------------------------------------------


@refused
def hook_of_an_optimizer(x, layer):
    optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *args: None)
    F.linear(pyml.ones(1, 3), layer.weight).sum().backward()
    optimizer.step()
    return x * 2


@refused
def hook_of_every_optimizer(x, layer):
    optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
    F.linear(pyml.ones(1, 3), layer.weight).sum().backward()
    with register_optimizer_step_post_hook(lambda *args: None):
        optimizer.step()
    return x * 2


refused_steps = pytest.mark.parametrize("function", REFUSED.values(), ids=REFUSED)


def inputs(n=4):
    rng = np.random.default_rng(0)
    return [pyml.from_numpy(rng.uniform(0.4, 0.7, 5).astype(np.float32)) for _ in range(n)]


def made(function, layer=None, **options):
    """The step, recorded."""
    layer = nn.Linear(3, 2) if layer is None else layer

    def step(x):
        return function(x, layer)

    return pyml.record(step, **options)


def first_call(step, x):
    """Whether nothing was refused in as many calls as may pass until then."""
    for _ in range(3):
        step(x)


@refused_steps
def test_is_refused_where_it_stands(function):
    seed()
    lines, begin = inspect.getsourcelines(function)
    with pytest.raises(pyml.RecordError) as error:
        first_call(made(function), inputs()[0])
    if function.__name__ in WITHOUT_A_LINE:
        return
    message = str(error.value)
    places = [f"{__file__}:{begin + i}" for i in range(len(lines))]
    assert any(f"{place}{end}" in message for place in places for end in " :"), message


@refused_steps
def test_may_run_eagerly_with_one_warning(function):
    seed()
    layers = [nn.Linear(3, 2) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    wanted = [function(x, layers[0]).detach().array.copy() for x in inputs()]
    seed()
    step = made(function, layers[1], unrecordable="eager")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = [step(x) for x in inputs()]
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    assert "eager" in str(caught[0].message)
    assert caught[0].filename == __file__
    for result, array in zip(got, wanted, strict=True):
        assert_same_bits(result.array, array)
    for p, q in zip(layers[1].parameters(), layers[0].parameters(), strict=True):
        assert_same_bits(p.array, q.array)


# ---- the state after a refusal -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [tuple, list, lambda pair: dict(zip("hc", pair, strict=True))])
def test_a_state_of_several_tensors_gets_the_cure(kind):
    self = SimpleNamespace(state=kind([pyml.zeros(3), pyml.ones(3)]))

    def step(x):
        h, c = self.state.values() if isinstance(self.state, dict) else self.state
        self.state = kind([h + x, c * x])
        return h.sum()

    step = pyml.record(step)
    with pytest.raises(pyml.RecordError, match=r"of tensors: keep each at a place of its own"):
        for _ in range(3):
            step(pyml.ones(3))


def test_lists_that_are_too_deep_to_be_compared():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(pyml.RecordError, match="too deep in each other"):
        pyml.record(lambda x: x * len(deep))(pyml.ones(1))


@pytest.mark.parametrize("function", [item, random_array_of_numpy, boolean_mask])
def test_after_a_refusal_all_else_works(function):
    with pytest.raises(pyml.RecordError):
        made(function)(inputs()[0])
    assert inputs()[0].sum().item() > 0
    double = pyml.record(lambda x: x * 2)
    for x in inputs():
        assert_same_bits(double(x).array, x.array * 2)


def test_an_exception_in_the_step_ends_the_recording():
    fails = [True]

    @pyml.record
    def step(x):
        if fails[0]:
            raise KeyError("mine")
        return x * 2

    x = inputs()[0]
    with pytest.raises(KeyError, match="mine"):
        step(x)
    x.tolist()
    fails[0] = False
    for _ in range(3):
        assert_same_bits(step(x).array, x.array * 2)


def test_a_recorded_function_inside_of_another_is_a_part_of_it():
    double = pyml.record(lambda x: x * 2)
    both = pyml.record(lambda x: double(x) + 1)
    for x in inputs():
        assert_same_bits(both(x).array, x.array * 2 + 1)
        assert_same_bits(double(x).array, x.array * 2)


def test_run_inside_of_a_recording_is_refused():
    inner = pyml.record(lambda x: x.sum())
    outer = pyml.record(lambda x: inner.run(x, batch_size=2))
    with pytest.raises(pyml.RecordError, match="inside"):
        outer(inputs()[0])


def test_eager_fallback_of_a_training_step_in_run():
    """run() goes on with a step that fell back: the same bits as its loop."""

    def train(wrap):
        pyml.manual_seed(0)
        layer = nn.Linear(3, 1)
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
        x = pyml.randn(12, 3)

        def step(x):
            optimizer.zero_grad()
            loss = layer(x).square().mean()
            loss.backward()
            if loss.item() > 1e-3:
                optimizer.step()
            return loss

        return wrap(step), layer, x

    step, wanted, x = train(lambda function: function)
    for rows in x.split(4):
        step(rows)
    step, got, x = train(lambda function: pyml.record(function, unrecordable="eager"))
    with pytest.warns(UserWarning, match="eager"):
        step.run(x, batch_size=4, shuffle=False)
    assert_same_bits(got.weight.array, wanted.weight.array)


# ---- the arguments of record and of a recorded step ----------------------------------------------


def test_an_argument_with_a_graph_is_refused():
    x = pyml.ones(3, requires_grad=True) * 2
    with pytest.raises(pyml.RecordError, match="detach"):
        pyml.record(lambda x: x * 2)(x)


def test_what_record_takes():
    with pytest.raises(TypeError, match="function"):
        pyml.record(3)
    with pytest.raises(ValueError, match="unrecordable"):
        pyml.record(lambda x: x, unrecordable="ignore")


def keeps(name):
    """A step that keeps a tensor which is not a new one, and how it keeps a copy."""
    self = SimpleNamespace(a=pyml.ones(3), b=pyml.zeros(3))

    def swap(x, copied):
        self.a, self.b = copied(self.b), copied(self.a)
        return x * self.a

    def the_argument(x, copied):
        y = x * self.a
        self.a = copied(x)
        return y

    def the_last_one(x, copied):
        self.a = copied(self.b)
        self.b = x * 2
        return self.a + self.b

    return {"swap": swap, "the argument": the_argument, "the last one": the_last_one}[name]


@pytest.mark.parametrize("name", ["swap", "the argument", "the last one"])
def test_a_tensor_that_is_kept_is_to_be_cloned(name):
    function = keeps(name)
    step = pyml.record(lambda x: function(x, lambda t: t))
    with pytest.raises(pyml.RecordError, match=r"changes 'self\.[ab]' at .*py:\d+.*\.clone\(\)"):
        for _ in range(3):
            step(pyml.ones(3))
    cured, eager = keeps(name), keeps(name)
    step = pyml.record(lambda x: cured(x, lambda t: t.clone()))
    for call in range(1, 20):
        x = pyml.full((3,), call / 7)
        assert_same_bits(step(x).array, eager(x, lambda t: t.clone()).array)


def test_an_array_that_is_converted_in_the_step():
    """By NumPy: refused with the cure; by pyml, or to the type that it has: recorded."""
    array = np.arange(3, dtype=np.float64)
    with pytest.raises(pyml.RecordError, match=r"astype of an argument .*\.float\(\)"):
        pyml.record(lambda a: pyml.tensor(a.astype(np.float32)) * 2)(array)
    for convert in (
        lambda a: pyml.tensor(a).float(),
        lambda a: pyml.tensor(a.astype(np.float64, copy=False)),
    ):
        step = pyml.record(lambda a, convert=convert: convert(a) * 2)
        for call in range(1, 10):
            assert_same_bits(step(array * call).array, (convert(array * call) * 2).array)
