"""Programs as they are published for PyTorch run with not a character changed, and learn.

Their losses beside PyTorch's: tests/parity/test_scripts.py.
"""

import math

import pytest

from helpers import scripts

NO_MEASURE = {"gan", "policy_gradient", "categorical_policy"}  # losses that need not fall


@pytest.fixture(scope="module")
def eager():
    return scripts.played()


@pytest.fixture(scope="module")
def recorded():
    return scripts.played("--recorded")


@pytest.mark.parametrize("name", scripts.NAMES)
def test_a_script_learns(name, eager):
    losses = eager[name]
    assert isinstance(losses, list), losses
    assert all(map(math.isfinite, losses)) and len(losses) >= 25
    if name not in NO_MEASURE:
        assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


@pytest.mark.parametrize("name", scripts.NAMES)
def test_recorded_steps_leave_the_same_bits(name, eager, recorded):
    assert recorded[name] == eager[name]
