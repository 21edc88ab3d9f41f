"""A table of training loops: recorded, each leaves what it leaves eagerly, or says why not."""

import pytest

import pyml
from record.loops import LOOPS, harness, play
from record.loops.harness import MEETS, Loop


@pytest.mark.filterwarnings("ignore:Setting the .* on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_is_the_same_or_says_why(loop):
    outcome = play(loop)
    assert outcome.kind in MEETS[loop.expect], f"expected {loop.expect}; {outcome}"


def test_there_are_many():
    assert len(LOOPS) >= 320


# ---- the harness itself --------------------------------------------------------------------------


def outcome_of(function):
    return play(Loop(function.__name__, "either", function)).kind


def doubled(record):
    step = record(lambda x: x * 2)
    for i in range(24):
        yield step(pyml.full((3,), float(i)))


def test_a_recorded_loop():
    assert outcome_of(doubled) == harness.RECORDED


def test_another_number_is_wrong():
    def eager_and_recorded_differ(record):
        is_recorded = record.record is pyml.record
        for i, result in enumerate(doubled(record)):
            yield result + (0.001 if is_recorded and i == 20 else 0)

    assert outcome_of(eager_and_recorded_differ) == harness.WRONG


@pytest.mark.parametrize("end", ["shorter", "printed", "type", "zero", "generator"])
def test_any_difference_is_wrong(end):
    def loop(record):
        is_recorded = record.record is pyml.record
        yield from doubled(record)
        if end == "printed":
            print("recorded" if is_recorded else "eager")
        elif end == "type":
            yield 1 if is_recorded else 1.0
        elif end == "zero":
            yield -0.0 if is_recorded else 0.0
        elif end == "generator" and is_recorded:
            pyml.rand(1)
        elif end == "shorter" and is_recorded:
            yield 1

    assert outcome_of(loop) == harness.WRONG


def test_a_step_for_each_shape_is_recorded_anew():
    def loop(record):
        step = record(lambda x: x * 2)
        for i in range(24):
            yield step(pyml.ones(i + 1))

    assert outcome_of(loop) == harness.RERECORDED


def test_a_refused_loop():
    def loop(record):
        step = record(lambda x: x * x.sum().item())
        for i in range(24):
            yield step(pyml.full((3,), float(i)))

    assert outcome_of(loop) == harness.REFUSED


@pytest.mark.parametrize("when", [harness.BROKEN, harness.CRASH])
def test_an_exception_is_told(when):
    def loop(record):
        if when == harness.BROKEN or record.record is pyml.record:
            raise KeyError("mine")
        yield 1

    assert outcome_of(loop) == when
