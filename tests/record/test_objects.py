"""Objects of dataclasses and the like: arguments, results, state."""

import ctypes
import enum
import pickle
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn

CALLS = 40
MOST = 8  # executions of 40 calls

scale = 1.0  # a global that methods of batches read


@dataclass
class Data:
    x: object
    n: int = 2
    more: dict = field(default_factory=dict)

    def scaled(self):
        return self.x * scale


@dataclass(frozen=True)
class Frozen:
    x: object
    n: int = 2
    more: object = None

    def scaled(self):
        return self.x * scale


@dataclass
class Slotted:
    __slots__ = ("more", "n", "x")
    x: object
    n: int
    more: object

    def scaled(self):
        return self.x * scale


class Named(NamedTuple):
    x: object
    n: int = 2
    more: object = None

    def scaled(self):
        return self.x * scale


class Attrs:
    """As attrs makes them."""

    __attrs_attrs__ = tuple(SimpleNamespace(name=name) for name in ("x", "n", "more"))

    def __init__(self, x, n=2, more=None):
        self.x, self.n, self.more = x, n, more

    def scaled(self):
        return self.x * scale


def space(x, n=2, more=None):
    return SimpleNamespace(x=x, n=n, more=more, scaled=None)


CLASSES = [Data, Frozen, Slotted, Named, Attrs, space]


def same(got, wanted):
    assert type(got) is type(wanted)
    if isinstance(got, pyml.Tensor):
        assert_same_bits(got.array, wanted.array)
    elif isinstance(got, (list, tuple)):
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            same(a, b)
    elif isinstance(got, dict):
        assert list(got) == list(wanted)
        for name in got:
            same(got[name], wanted[name])
    elif type(got) in (int, float, str, type(None)):
        assert repr(got) == repr(wanted)
    else:
        for name in ("x", "n", "more"):
            same(getattr(got, name), getattr(wanted, name))


# ---- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", CLASSES)
def test_a_result_is_a_new_object_of_each_call(make):
    executions, kept = ctypes.c_long(), []

    def function(x):
        return [make(x.sum(), 3, {"y": (x * 2, x.sum().item())})]

    def step(x):
        executions.value += 1
        return function(x)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        x = pyml.full((3,), call / 7)
        got = step(x)
        same(got, function(x))
        kept.append((got[0], float(call)))
    assert executions.value <= MOST
    assert len({id(each) for each, _ in kept}) == CALLS
    for each, call in kept:  # and stays as it was
        assert_same_bits(each.more["y"][0].array, (pyml.full((3,), call / 7) * 2).array)


def test_an_object_that_was_there_is_returned_itself():
    old, x = Data(pyml.ones(3)), pyml.ones(3)
    step = pyml.record(lambda x: (old, x * 2, Data(x)))
    for _ in range(10):
        first, _, third = step(x)
        assert first is old
        assert third is not old and third.x is x


def test_a_run_puts_objects_together():
    step = pyml.record(lambda x: Data(x.sum(), n=x.mean(), more=None))
    losses = step.run(pyml.arange(20).float(), batch_size=2, shuffle=False)
    assert type(losses) is Data
    assert_same_bits(losses.x.array, np.arange(1, 40, 4, dtype=np.float32))
    assert losses.n.shape == (10,)


# ---- batches -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", CLASSES)
def test_a_batch(make):
    """Another object in each call: its tensors and arrays are arguments, its numbers variants."""
    global scale
    executions = ctypes.c_long()

    def function(batch):
        x = batch.x * scale if make is space else batch.scaled()
        return x * batch.n + pyml.tensor(batch.more["a"])

    def step(batch):
        executions.value += 1
        return function(batch)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        scale = 2.0 if call > 30 else 1.0
        array = np.full(3, call, np.float32)
        batch = make(pyml.full((3,), call / 7), 1 + (call > 20), {"a": array})
        assert_same_bits(step(batch).array, function(batch).array)
    assert executions.value <= 2 * MOST
    scale = 1.0


def by_default(items=()):
    return defaultdict(list, items)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [dict, OrderedDict, by_default])
def test_a_dict_of_another_kind(make):
    """As argument, and as result, which is a new one of the same kind."""
    executions, kept = ctypes.c_long(), []

    def function(batch):
        return make({"y": batch["x"] * batch["n"], "kind": type(batch).__name__, "more": make()})

    def step(batch):
        executions.value += 1
        return function(batch)

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        batch = make({"x": pyml.full((3,), call / 7), "n": 2})
        kept.append((step(batch), function(batch)))
    assert executions.value <= MOST
    for got, wanted in kept:
        same(got, wanted)
        assert getattr(got, "default_factory", None) is getattr(wanted, "default_factory", None)


@pytest.mark.parametrize("make", [dict, OrderedDict, by_default])
def test_a_dict_that_is_changed(make):
    def step(batch):
        batch["y"] = batch["x"] * 2

    step = pyml.record(step)
    with pytest.raises(pyml.recording.RecordError, match=r"changes a \w*ict that is an argument"):
        for _ in range(3):
            step(make({"x": pyml.ones(3)}))


def test_the_factory_of_a_dict_is_compared():
    def step(batch):
        return batch["x"] * len(batch.default_factory())

    recorded = pyml.record(step)
    for call in range(10):
        for factory in (list, lambda: "abc"):
            batch = defaultdict(factory, x=pyml.full((3,), float(call)))
            assert_same_bits(recorded(batch).array, step(batch).array)


def test_an_object_that_a_step_changes_is_its_state():
    """Also where there are several."""
    states = [Data(pyml.zeros(3), 0), Data(pyml.ones(3), 5)]
    eager = [Data(pyml.zeros(3), 0), Data(pyml.ones(3), 5)]
    executions = ctypes.c_long()

    def function(state, x):
        state.n += 1
        state.x = 0.5 * state.x + x
        return state.x * state.n

    def step(state, x):
        executions.value += 1
        return function(state, x)

    step = pyml.record(step)
    for call in range(CALLS):
        x = pyml.full((3,), call / 7)
        same(step(states[call % 2], x), function(eager[call % 2], x))
        same(states[call % 2], eager[call % 2])
    assert executions.value <= 2 * MOST


def append(batch):
    batch["list"].append(1)


def add_a_key(batch):
    batch["new"] = batch["x"] * 2


def replace(batch):
    batch["x"] = batch["x"] * 2


def drop(batch):
    del batch["n"]


CHANGES = [append, add_a_key, replace, drop]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("unrecordable", ["error", "eager"])
def test_a_list_or_dict_among_the_arguments_that_is_changed(change, unrecordable):
    """Is refused; it is changed by then, as eagerly."""

    def function(batch):
        change(batch)
        return batch["x"] + 1

    def batch():
        return {"x": pyml.ones(3), "list": [], "n": 1}

    step = pyml.record(function, unrecordable=unrecordable)
    got, wanted = batch(), batch()
    result = function(wanted)
    if unrecordable == "error":
        with pytest.raises(pyml.RecordError, match=r"step 'function' .* changes a (list|dict)"):
            step(got)
    else:
        with pytest.warns(UserWarning, match="runs eagerly"):
            same(step(got), result)
    same(got, wanted)


# ---- state ---------------------------------------------------------------------------------------


class Phase(enum.IntEnum):
    WARM = 0
    MAIN = 1
    LAST = 2


class Kind(enum.Enum):
    A = "a"
    B = "b"


def test_members_of_an_enum_change_as_flags_do():
    self = SimpleNamespace(phase=Phase.WARM, kind=Kind.A)
    executions = ctypes.c_long()

    def step(x):
        executions.value += 1
        y = x * int(self.phase) if self.kind is Kind.A else x + 1
        self.phase = Phase((self.phase + 1) % 3)
        self.kind = Kind.B if self.kind is Kind.A else Kind.A
        return y

    step = pyml.record(step)
    for call in range(120):
        x = pyml.full((3,), call / 7)
        wanted = x + 1 if call % 2 else x * (call % 3)
        assert_same_bits(step(x).array, wanted.array)
        assert self.phase is Phase((call + 1) % 3)
        assert self.kind is (Kind.A if call % 2 else Kind.B)
    assert executions.value <= 30


def test_a_counter_of_an_int_enum_becomes_a_plain_one():
    self = SimpleNamespace(t=Phase.WARM)

    def step(x):
        self.t += 1
        return x * self.t

    step = pyml.record(step)
    for call in range(1, 20):
        assert_same_bits(step(pyml.ones(2)).array, np.full(2, call, np.float32))
        assert type(self.t) is int and self.t == call


@pytest.mark.parametrize("number", [np.int64(0), np.float32(0), np.float64(0)], ids=type)
def test_a_counter_of_numpy_is_refused_with_the_cure(number):
    self = SimpleNamespace(t=number)

    def step(x):
        self.t = self.t + type(number)(1)
        return x * float(self.t)

    step = pyml.record(step)
    name = type(number).__name__
    with pytest.raises(
        pyml.RecordError, match=rf"'self\.t' .* it is an np\.{name}: .*int\(\.\.\.\)"
    ):
        for _ in range(3):
            step(pyml.ones(2))


# ---- methods -------------------------------------------------------------------------------------


class Trainer:
    def __init__(self):
        self.weight, self.t = nn.Parameter(pyml.ones(3)), 0

    @pyml.record
    def step(self, x):
        self.t += 1
        self.weight.grad = None
        (self.weight * x).sum().backward()
        with pyml.no_grad():
            self.weight.sub_(0.1 * self.weight.grad)
        return self.weight * self.t


@pytest.mark.parametrize("calls", [0, 1, 2, 5, 17])
def test_an_object_with_recorded_methods_is_pickled(calls):
    """Without its recordings: the copy goes on by itself."""
    trainer, wanted = Trainer(), Trainer()
    for call in range(calls):
        trainer.step(pyml.full((3,), call / 7))
    copy = pickle.loads(pickle.dumps(trainer))
    assert copy.t == calls and copy.step is not trainer.step
    for call in range(calls):
        Trainer.step.function(wanted, pyml.full((3,), call / 7))
    for call in range(calls, calls + 20):
        x = pyml.full((3,), call / 7)
        expected = Trainer.step.function(wanted, x).detach()
        for each in (trainer, copy):
            assert_same_bits(each.step(x).array, expected.array)
            assert each.t == wanted.t


def test_zeros_of_both_signs_are_two_arguments():
    """Of Python's float and of np.float64, which prints as one."""
    weight, executions = pyml.full((2,), -1.0), ctypes.c_long()

    def step(a):
        executions.value += 1
        return weight * a

    step = pyml.record(step)
    for kind in (float, np.float64):
        for call in range(20):
            a = kind(-0.0) if call % 2 else kind(0.0)
            assert_same_bits(step(a).array, np.full(2, 0.0 if call % 2 else -0.0, np.float32))
    assert executions.value <= 2 * MOST


def test_arguments_of_the_host_are_taken_before_its_first_call():
    """A host function that calls the step again changes the memory that they are taken from."""
    log, deeper = [], ctypes.c_long()

    def first():
        if deeper.value == 0:
            deeper.value = 1
            step(pyml.full((2,), 100.0))
            deeper.value = 0

    def step(x):
        y = x * 2
        pyml.host(first)
        pyml.host(lambda y, n: log.append((y.tolist(), n)), y, y.sum().item())

    step = pyml.record(step)
    for call in range(1, CALLS + 1):
        step(pyml.full((2,), float(call)))
    wanted = []
    for call in range(1, CALLS + 1):
        wanted += [([200.0, 200.0], 400.0), ([2.0 * call] * 2, 4.0 * call)]
    assert log == wanted


def test_gradients_are_results():
    """Each call's own, also where the step adds to them later, or the next step replaces them."""
    weight, other, kept = nn.Parameter(pyml.ones(3)), nn.Parameter(pyml.ones(3)), []

    def step(x):
        weight.grad = None
        (weight * x).sum().backward()
        (other * x).sum().backward()  # which stays, and grows
        return weight.grad, {"other": other.grad, "twice": weight.grad * 2}

    step = pyml.record(step)
    total = 0.0
    for call in range(1, CALLS + 1):
        grad, rest = step(pyml.full((3,), float(call)))
        total += call
        assert_same_bits(rest["twice"].array, np.full(3, 2 * call, np.float32))
        assert_same_bits(rest["other"].array, np.full(3, total, np.float32))
        assert_same_bits(weight.grad.array, np.full(3, call, np.float32))
        kept.append((grad, call))
    for grad, call in kept:
        assert_same_bits(grad.array, np.full(3, call, np.float32))


@pytest.mark.parametrize(
    "key", [lambda: frozenset({1, 2}), lambda: Fraction(1, 3), lambda: (Fraction(1, 3), 2)]
)
def test_keys_that_are_made_anew_are_the_same(key):
    @pyml.record
    def step(batch):
        return batch[key()] * 2

    for i in range(6):
        np.testing.assert_array_equal(step({key(): pyml.full((2,), float(i))}), [2.0 * i] * 2)
    assert step.stats().variants == 1
    assert step.stats().replays > 0
