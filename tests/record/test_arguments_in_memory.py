"""How arguments lie in memory: what one shares with another, strides, alignment, who may write."""

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits


def memory(seed):
    return np.random.default_rng(seed).normal(size=24).astype(np.float32)


def unaligned(seed):
    room = np.zeros(24 * 4 + 1, np.uint8)
    array = room[1:].view(np.float32)
    array[:] = memory(seed)
    return array


ARGUMENTS = {  # seed -> arrays on which the arguments lie
    "apart": lambda seed: (memory(seed)[:8], memory(seed)[8:16], memory(seed)[16:]),
    "a chain": lambda seed: (lambda m: (m[:8], m[12:20], m[6:14]))(memory(seed)),
    "a chain, the middle first": lambda seed: (lambda m: (m[6:14], m[12:20], m[:8]))(memory(seed)),
    "backwards": lambda seed: (lambda m: (m[:8], m[7::-1], m[12:20]))(memory(seed)),
    "backwards, before": lambda seed: (lambda m: (m[10:18], m[11:3:-1], m[:3].repeat(3)[:8]))(
        memory(seed)
    ),
    "every second": lambda seed: (lambda m: (m[:16:2], m[1:17:2], m[8:16]))(memory(seed)),
    "every third": lambda seed: (lambda m: (m[::3], m[1::3], m[2::3]))(memory(seed)),
}


def writing(a, b, c):
    b += 1
    b *= 2
    return a + c, b * 1


def played(function, order):
    """What a step leaves when its arguments lie in other ways from call to call."""
    seen = []
    for call, name in enumerate(order):
        arrays = ARGUMENTS[name](call)
        results = function(*map(pyml.from_numpy, arrays))
        seen += [t.array.copy() for t in results] + [array.copy() for array in arrays]
    return seen


@pytest.mark.parametrize("other", ARGUMENTS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_lie_elsewhere(name, other):
    order = [name] * 3 + [other] * 3 + [name, other] * 2
    recorded = pyml.record(writing)
    for got, wanted in zip(played(recorded, order), played(writing, order), strict=True):
        assert_same_bits(got, wanted)
    assert recorded.stats().replays > 0


def test_an_argument_that_is_not_aligned_is_another_variant():
    """Its copy is not aligned, either: what is refused then is not read from another place."""
    step = pyml.record(lambda x: x * 2)
    for seed in range(8):
        x = pyml.from_numpy(memory(seed))
        assert_same_bits(step(x).array, x.array * np.float32(2))
        x = x[::2]
        assert_same_bits(step(x).array, x.array * np.float32(2))
    for part in (slice(None), slice(None, None, 2)):
        with pytest.raises(pyml.RecordError, match="not aligned"):
            step(pyml.from_numpy(unaligned(1)[part]))


def test_other_strides_are_another_variant():
    step = pyml.record(lambda x: x * 2)
    for seed in range(4):
        for step_size in (1, 2, 3, -1, -2):
            x = pyml.from_numpy(memory(seed)[::step_size][:8])
            assert_same_bits(step(x).array, x.array * np.float32(2))


@pytest.mark.parametrize("others", [lambda x: x[:], pyml.clone], ids=["a view", "a clone"])
def test_one_tensor_twice_is_one_tensor(others):
    @pyml.record
    def doubled(a, b):
        return a * (2.0 if a is b else 3.0)

    for call in [1, 1, 1, 2, 2, 2, 1, 2] * 2:
        x = pyml.full((3,), call / 7)
        y = x if call == 1 else others(x)
        assert_same_bits(doubled(x, y).array, x.array * np.float32(2 if y is x else 3))
        assert_same_bits(doubled(y, x).array, x.array * np.float32(2 if y is x else 3))


@pytest.mark.filterwarnings("ignore:from_numpy")
def test_arguments_side_by_side_share_nothing():
    step = pyml.record(lambda x, y: x.mul_(2) + y)
    for begin in (4, 8, 4):
        array = memory(0)
        step(pyml.from_numpy(array[:4]), pyml.from_numpy(array[begin : begin + 4]))
    assert step.stats().variants == 1
    step(pyml.from_numpy(array[:4]), pyml.from_numpy(array[3:7]))
    assert step.stats().variants == 2


def test_an_argument_that_nobody_may_write():
    written = []

    def added(x):
        x += 1
        written.append(x)
        return x * 1

    x = np.ones(3, np.float32)
    x.flags.writeable = False
    for function in (added, pyml.record(added)):
        with pytest.raises((ValueError, RuntimeError), match="read-only"):
            function(pyml.from_numpy(x))
    assert (x == 1).all() and not written  # it is the step that raises


def test_nan_is_the_same_setting():
    bound = float("nan")

    @pyml.record
    def scaled(x):
        return x * bound

    for _ in range(6):
        bound = float("nan")  # another object
        scaled(pyml.ones(3))
    assert scaled.stats().replays == 3


@pytest.mark.parametrize("views", [False, True], ids=["arrays", "views"])
def test_a_change_is_seen_by_views_and_by_no_other_tensor(views):
    """A recorded step refuses to change a view: the other would be in the graph with it."""
    weight = pyml.full((4,), 2.0, requires_grad=True)

    def step(x, y):
        y.mul_(weight)
        x.add_(1)
        return (y * weight).sum()

    def arguments():
        array = memory(0)
        if not views:
            return pyml.from_numpy(array[:4]), pyml.from_numpy(array[2:6])
        x = pyml.from_numpy(array)[:6]
        return x[:4], x[2:6]

    recorded = pyml.record(step)
    for _ in range(6):
        if views:
            with pytest.raises(RuntimeError, match=r"is a view of another|was changed"):
                recorded(*arguments())
        else:
            assert_same_bits(recorded(*arguments()).array, step(*arguments()).detach().array)
