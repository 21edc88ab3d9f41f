"""Random graphs whose backward is disturbed: gradients.py says how."""

import numpy as np
import pytest

import pyml
from attack import gradients
from attack.children import Fault


def test_gradients(besieged):
    besieged("attack.gradients:attack", cases=300)


def half(a):
    """Has half of its gradient."""
    return a.detach() * 0.5 + a * 0.5


def half_of_second(a):
    """Has its gradient, and half of its second derivative."""
    x = a.detach()
    return a * (a + x) * 0.5 - x * (a - x) * 0.5 + a * (a - x)


def unseen(a):
    """Is changed in place behind the back of the graph."""
    y = a * 1
    y.tanh_()
    y.data.mul_(1.5)
    return y


@pytest.mark.parametrize(
    ("operation", "trick"),
    [
        (half, gradients.plainly),
        (half, gradients.twice),
        (half, gradients.mixed),
        (half_of_second, gradients.second_order),
        (unseen, gradients.plainly),
    ],
)
def test_a_wrong_gradient_is_found(operation, trick, monkeypatch):
    monkeypatch.setattr(
        gradients, "OPERATIONS", {"planted": (1, operation), "double": (1, lambda a: a * 2)}
    )
    rng = np.random.default_rng(0)
    case = gradients.Case(rng)
    case.program = [("planted", [0])]
    case.weights = [pyml.from_numpy(rng.normal(size=case.arrays[0].shape))]
    with pytest.raises(Fault, match="by differences"):
        trick(case, rng, lambda more="": None)


@pytest.mark.parametrize(
    ("name", "hook"), [("left", lambda g, t, y: leave(t)), ("keys", lambda g, t, y: {}[0])]
)
def test_a_fault_of_a_hook_is_found(name, hook, monkeypatch):
    monkeypatch.setattr(gradients, "HOOKS", {name: (False, hook)})
    rng = np.random.default_rng(1)
    with pytest.raises(Fault):
        for _ in range(30):
            gradients.hooked(gradients.Case(rng), rng, lambda more="": None)


def leave(t):
    """Leaves a gradient, then raises."""
    if t.is_leaf:
        t.grad = pyml.ones_like(t)
        raise ValueError("hook")
