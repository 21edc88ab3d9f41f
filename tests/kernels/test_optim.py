"""One step of a param_group is one call of a kernel: against the papers, in a wider type."""

from typing import NamedTuple

import numpy as np
import pytest
from optim.reference import UPDATES

from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from helpers.sweep import LARGE, Scaled, around_lanes, check_kernel
from pyml import _kernels
from pyml.ops.optim import (
    AdagradUpdate,
    AdamUpdate,
    RMSpropUpdate,
    SGDUpdate,
    clip_grad_norm_,
    step,
)
from pyml.tensor import Tensor


class Method(NamedTuple):
    """An optimizer.

    Attributes:
        update: what makes a step of a param_group.
        defaults: its options.
        state: the names of its state, or the option that each needs.
        changes: options to test.
    """

    update: type
    defaults: dict
    state: dict
    changes: list

    def state_names(self, options):
        options = self.defaults | options
        return [name for name, needs in self.state.items() if needs is None or options[needs]]


COMMON = {"lr": 0.1, "weight_decay": 0, "maximize": False}
METHODS = {
    "SGD": Method(
        SGDUpdate,
        COMMON | {"momentum": 0, "dampening": 0, "nesterov": False},
        {"momentum_buffer": "momentum"},
        [
            {},
            {"momentum": 0.9},
            {"momentum": 0.9, "nesterov": True},
            {"momentum": 0.9, "dampening": 0.5},
        ],
    ),
    "Adagrad": Method(
        AdagradUpdate,
        COMMON | {"lr_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10},
        {"sum": None},
        [{}, {"lr_decay": 0.1}, {"eps": 1e-3}],
    ),
    "RMSprop": Method(
        RMSpropUpdate,
        COMMON | {"alpha": 0.99, "eps": 1e-8, "momentum": 0, "centered": False},
        {"square_avg": None, "momentum_buffer": "momentum", "grad_avg": "centered"},
        [{}, {"momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True}],
    ),
    "Adam": Method(
        AdamUpdate,
        COMMON
        | {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False, "decoupled_weight_decay": False},
        {"exp_avg": None, "exp_avg_sq": None, "max_exp_avg_sq": "amsgrad"},
        [
            {},
            {"amsgrad": True},
            {"betas": (0.5, 0.9), "eps": 1e-3},
            {"decoupled_weight_decay": True},
        ],
    ),
}
CASES = [
    (name, changes | common)
    for name, method in METHODS.items()
    for changes in method.changes
    for common in ({}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "maximize": True})
]
STEP = 7  # updates before this one


def update(name, options, w, g, state):
    """One step on arrays; `state` by name, changed in place."""
    method = METHODS[name]
    p = Tensor._on(w, requires_grad=True)
    p.grad = Tensor._on(g)
    values = {key: Tensor._on(value) for key, value in state.items()}
    if name != "SGD":
        values["step"] = Tensor._on(np.array(float(STEP)))
    step([method.update(name)], [method.defaults | options | {"params": [p]}], {p: values})


def paper(name, options, w, g, state):
    """The same by the reference, with the scales of the rounding errors."""
    o = METHODS[name].defaults | options
    g = -g if o["maximize"] else g
    scale = np.abs(w)
    if o.get("decoupled_weight_decay"):
        w = w - o["lr"] * o["weight_decay"] * w
    else:
        g = g + o["weight_decay"] * w
    new = dict(state) | {"step": STEP + 1}
    after = UPDATES[name](w, g, new, o)
    gradient = np.abs(g) + o["weight_decay"] * scale  # cancels in g
    errors = {
        key: Scaled(new[key], np.abs(state[key]) + gradient * (1 + gradient)) for key in state
    }
    return {
        "w": Scaled(
            after, scale + np.abs(after - w) + o["lr"] * sensitivity(name, o, g, new, gradient)
        )
    } | errors


def sensitivity(name, o, g, state, gradient):
    """What an eps of the gradient's scale does to the direction."""
    if name == "SGD":
        return gradient + (np.abs(state["momentum_buffer"]) if o["momentum"] else 0)
    spread = {"Adagrad": "sum", "RMSprop": "square_avg", "Adam": "exp_avg_sq"}[name]
    variance = state[spread] - state["grad_avg"] ** 2 if o.get("centered") else state[spread]
    condition = state[spread] / np.maximum(variance, 1e-30)  # of a difference, when centered
    return condition * gradient / (np.sqrt(np.maximum(variance, 1e-30)) + o["eps"]) * (1 + gradient)


def check_step(name, options, sizes):
    names = METHODS[name].state_names(options)

    def arguments(draw, n):
        inputs = {"w": draw(n), "g": draw.normal(n)}
        for key in names:
            positive = key in ("sum", "square_avg", "exp_avg_sq", "max_exp_avg_sq")
            inputs[key] = draw.uniform(n, 0.5, 2) if positive else draw.uniform(n, -0.3, 0.3)
        return inputs

    check_kernel(
        name.lower(),
        lambda w, g, **state: update(name, options, w, g, state),
        arguments=arguments,
        reference=lambda w, g, **state: paper(name, options, w, g, state),
        eps=tolerances.UPDATE,
        sizes=sizes,
        values=("normal", "offset"),
    )


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_step(name, options):
    check_step(name, options, lambda lanes: around_lanes(lanes, large=3001))


@pytest.mark.parametrize("name", METHODS)
def test_step_among_threads(name):
    check_step(name, {}, lambda lanes: [LARGE])


@pytest.mark.parametrize("name", METHODS)
def test_a_zero_gradient_moves_nothing_and_divides_by_nothing(name, isa, dtype):
    options = {"eps": 1e-8} if name != "SGD" else {}
    w, g = np.ones(37, dtype), np.zeros(37, dtype)
    state = {key: np.zeros(37, dtype) for key in METHODS[name].state_names({})}
    update(name, options, w, g, state)
    assert_same_bits(w, np.ones(37, dtype))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_gradient_spoils_its_element_alone(name, bad, isa, dtype, rng):
    results = []
    for value in (0.5, bad):
        w, g = np.ones(37, dtype), np.linspace(-1, 1, 37).astype(dtype)
        g[11] = value
        update(name, {}, w, g, {key: np.ones(37, dtype) for key in METHODS[name].state_names({})})
        results.append(w)
    assert not np.isfinite(results[1][11]) or name in (
        "Adagrad",
    )  # inf / inf is NaN; sqrt(inf) divides to 0 or NaN
    assert_same_bits(np.delete(results[1], 11), np.delete(results[0], 11))


@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e9, np.inf])
def test_clip_grad_norm(max_norm):
    """The norm of all segments together; a gradient within the limit keeps its bits."""

    def call(g, norm):
        parts = [Tensor._on(part) for part in np.array_split(g, 3)]
        norm[...] = clip_grad_norm_(parts, max_norm).item()

    def reference(g):
        norm = np.sqrt((g**2).sum())
        return {"norm": norm, "g": g * min(1, max_norm / (norm + 1e-6))}

    check_kernel(
        "grad_norm",
        call,
        arguments=lambda draw, n: {"g": draw(n)},
        reference=reference,
        eps={"norm": tolerances.summed(LARGE), "g": tolerances.summed(LARGE)},
        values=("normal", "offset"),
    )


def test_the_norm_does_not_overflow_in_float32(isa):
    g = np.full(1000, 1e30, np.float32)
    norm = clip_grad_norm_([Tensor._on(g)], 1.0).item()
    assert_close(np.float64(norm), np.array(1e30 * np.sqrt(1000)), 1e-6 / np.finfo(float).eps)
    assert_close(g, np.full(1000, 1 / np.sqrt(1000)), 1e-5 / np.finfo(np.float32).eps)


@pytest.mark.parametrize("name", METHODS)
def test_many_small_parameters_are_as_one_large(name, isa, dtype, rng):
    """Where a segment begins and ends changes no bit."""
    w, g = rng.normal(size=(2, 30_000)).astype(dtype)
    names = METHODS[name].state_names({})
    state = {key: np.abs(rng.normal(size=30_000)).astype(dtype) for key in names}
    whole, whole_state = w.copy(), {key: value.copy() for key, value in state.items()}
    update(name, {}, whole, g, whole_state)
    cuts = np.sort(rng.integers(0, 30_000, size=50))
    method = METHODS[name]
    params, states = [], {}
    for part, gradient, *values in zip(
        np.split(w, cuts),
        np.split(g, cuts),
        *(np.split(state[key], cuts) for key in names),
        strict=True,
    ):
        p = Tensor._on(part, requires_grad=True)
        p.grad = Tensor._on(gradient)
        params.append(p)
        states[p] = {key: Tensor._on(value) for key, value in zip(names, values, strict=True)}
        if name != "SGD":
            states[p]["step"] = Tensor._on(np.array(float(STEP)))
    _kernels.set_num_threads(3)
    step([method.update(name)], [method.defaults | {"params": params}], states)
    assert_same_bits(w, whole)
