"""A recorded step leaves the bits of the eager one: random models, optimizers and options."""

import pytest

import pyml
from record.programs import assert_same_history, plan

SETTLED = 4  # calls of one shape with which each case begins


def cases():
    for seed in range(300):
        case = plan(seed)
        yield pytest.param(case, id=str(case))


def check(case):
    """The first call records, perhaps the second too, as the optimizer has made its state.

    Another one confirms.
    """
    executions = assert_same_history(case, pyml.record)
    assert executions[SETTLED - 1] <= 3


@pytest.mark.parametrize("case", list(cases()))
def test_every_event_leaves_the_bits_of_the_eager_step(case):
    check(case)
