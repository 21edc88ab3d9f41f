"""Recorded steps against eager ones, on arguments of all layouts: recorded.py says how."""

import pytest

import pyml
from attack.children import Fault
from attack.recorded import compare


def test_recorded(besieged):
    besieged("attack.recorded:attack", cases=120)


def stale(step):
    """Gives the results of the first call again."""
    first = []

    def replay(x, y):
        first.append(step(x, y))
        return first[0]

    return replay


def deaf(step):
    """Has other random numbers."""

    def replay(x, y):
        pyml.rand(1)
        return step(x, y)

    return replay


def careless(step):
    """Copies its arguments, and so does not change those of the caller."""
    return lambda x, y: step(x.clone(), y)


@pytest.mark.parametrize(
    ("record", "words"),
    [(stale, "call 1: result 0"), (deaf, "random numbers"), (careless, "call 0: memory")],
)
def test_a_fault_of_a_recording_is_found(record, words):
    program = [("mul_", [0]), ("sum", [2])]
    calls = [(("rows", (3, 3)), ("fresh", (3, 3)))] * 2
    arguments = (1, "float32", "SGD", True, program, [3], calls, lambda text: None)
    compare(*arguments)
    with pytest.raises(Fault, match=words):
        compare(*arguments, record)
