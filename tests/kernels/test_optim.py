"""One step of a param_group is one call of a kernel: against the papers, in a wider type."""

import numpy as np
import pytest
from optim.cases import OPTIMIZERS
from optim.reference import UPDATES, decayed

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import LARGE, Scaled, around_lanes, check_kernel
from pyml import _kernels, optim
from pyml.ops.optim import Update, step
from pyml.tensor import Tensor

CHANGES = {  # options to test
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.5},
    ],
    "Adagrad": [{}, {"lr_decay": 0.1}, {"eps": 1e-3}],
    "RMSprop": [{}, {"momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True}],
    "Adam": [
        {},
        {"amsgrad": True},
        {"betas": (0.5, 0.9), "eps": 1e-3},
        {"decoupled_weight_decay": True},
    ],
    "NAdam": [{}, {"betas": (0.5, 0.9), "momentum_decay": 0.1}, {"decoupled_weight_decay": True}],
    "Adamax": [{}, {"betas": (0.5, 0.9), "eps": 1e-3}],
    "Adadelta": [{}, {"rho": 0.5, "eps": 1e-2}],
    "RAdam": [{}, {"betas": (0.5, 0.7)}, {"eps": 1e-3, "decoupled_weight_decay": True}],
    "Rprop": [{}, {"maximize": True}, {"etas": (0.3, 1.5), "step_sizes": (0.4, 0.7)}],
    "ASGD": [{}, {"lambd": 0.1, "alpha": 1, "t0": 3}],
    "Lion": [{}, {"betas": (0.5, 0.9)}],
}
CASES = [
    (name, changes | common)
    for name, all_changes in CHANGES.items()
    for changes in all_changes
    for common in ({}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "maximize": True})
    if name != "Rprop" or not common  # which has no decay
]
NUMBERS = {"step": 7.0, "mu_product": 0.01, "eta": 0.05, "mu": 0.3}  # of the state, before the step


POSITIVE = {
    *("sum", "square_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "acc_delta", "step_size"),
}


def test_every_kernel_is_in_the_table():
    kernels = {name: getattr(optim, name)._kernel for name in OPTIMIZERS}
    assert set(kernels.values()) - {kernels[name] for name in CHANGES} == set()


def all_options(name, options):
    return getattr(optim, name)([Tensor._on(np.zeros(1))]).defaults | {"lr": 0.1} | options


def state_names(name, options):
    """The arrays of state that these options need."""
    options = all_options(name, options)
    states = getattr(optim, name)._states
    return [key for key, needs in states.items() if needs is True or options[needs]]


def numbers(name):
    return {key: NUMBERS[key] for key in getattr(optim, name)._numbers}


def make_step(name, options, params, states):
    """One step of params on their states, {name: array} each, changed in place."""
    state = {
        p: {key: Tensor._on(np.asarray(value)) for key, value in (values | numbers(name)).items()}
        for p, values in zip(params, states, strict=True)
    }
    updates = [Update(getattr(optim, name)._algorithm, name)]
    step(updates, [all_options(name, options) | {"params": params}], state)


def update(name, options, w, g, state):
    """One step on arrays; `state` by name, changed in place."""
    p = Tensor._on(w, requires_grad=True)
    p.grad = Tensor._on(g)
    make_step(name, options, [p], [state])


def paper(name, options, w, g, state):
    """The same by the reference, with the scales of the rounding errors."""
    o = all_options(name, options)
    g = -g if o["maximize"] else g
    scale = np.abs(w)
    w, g = decayed(name, o, w, g)
    new = state | numbers(name)
    new["step"] = NUMBERS["step"] + 1
    after = UPDATES[name](w, g, new, o)
    gradient = np.abs(g) + o.get("weight_decay", 0) * scale  # cancels in g
    errors = {
        key: Scaled(
            new[key], np.abs(state[key]) + gradient * (1 + gradient) + scale * (key == "ax")
        )
        for key in state
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
    if name in ("Rprop", "Lion"):  # by signs
        return 0
    if name == "ASGD" or (name == "RAdam" and o["betas"][1] < 0.8):
        return gradient * (1 + gradient)
    if name == "Adadelta":
        u = np.sqrt((state["acc_delta"] + o["eps"]) / (state["square_avg"] + o["eps"]))
        return u * gradient * (1 + gradient)
    if name == "Adamax":
        m, u = np.abs(state["exp_avg"]), state["exp_inf"]
        return gradient / u * (1 + m / u)
    spread = {"Adagrad": "sum", "RMSprop": "square_avg"}.get(name, "exp_avg_sq")
    variance = state[spread] - state["grad_avg"] ** 2 if o.get("centered") else state[spread]
    condition = state[spread] / np.maximum(variance, 1e-30)  # of a difference, when centered
    return condition * gradient / (np.sqrt(np.maximum(variance, 1e-30)) + o["eps"]) * (1 + gradient)


def check_step(name, options, sizes):
    names = state_names(name, options)

    def arguments(draw, n):
        inputs = {"w": draw(n), "g": draw.normal(n)}
        for key in names:
            positive = key in POSITIVE
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


@pytest.mark.parametrize("name", CHANGES)
def test_step_among_threads(name):
    check_step(name, {}, lambda lanes: [LARGE])


@pytest.mark.parametrize("name", CHANGES)
def test_a_zero_gradient_moves_nothing_and_divides_by_nothing(name, isa, dtype):
    options = {"eps": 1e-8} if "eps" in getattr(optim, name)._options else {}
    options |= {"lambd": 0} if name == "ASGD" else {}
    w, g = np.ones(37, dtype), np.zeros(37, dtype)
    state = {key: np.zeros(37, dtype) for key in state_names(name, {})}
    update(name, options, w, g, state)
    assert_same_bits(w, np.ones(37, dtype))


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_gradient_spoils_its_element_alone(name, bad, isa, dtype, rng):
    results = []
    for value in (0.5, bad):
        w, g = np.ones(37, dtype), np.linspace(-1, 1, 37).astype(dtype)
        g[11] = value
        update(name, {}, w, g, {key: np.ones(37, dtype) for key in state_names(name, {})})
        results.append(w)
    if not (np.isinf(bad) and name in ("Rprop", "Lion")):  # which take its sign
        assert not np.isfinite(results[1][11])
    assert_same_bits(np.delete(results[1], 11), np.delete(results[0], 11))


@pytest.mark.parametrize(
    ("name", "number", "value"), [("NAdam", "mu_product", 0.2), ("Adam", "step", 5.0)]
)
def test_each_parameter_has_numbers_of_its_own(name, number, value, isa, dtype):
    """Also where both have made as many steps: one of them when momentum_decay was another."""
    together, alone = ([Tensor._on(np.ones(37, dtype)) for _ in range(2)] for _ in range(2))
    for p in together + alone:
        p.grad = Tensor._on(np.full(37, 0.5, dtype))
    make = getattr(optim, name)
    optimizers = [make(together), *(make([p]) for p in alone)]
    for optimizer in optimizers:
        optimizer.step()
    for state in (optimizers[0].state[together[1]], optimizers[2].state[alone[1]]):
        state[number].fill_(value)
    for optimizer in optimizers:
        optimizer.step()
    for p, q in zip(together, alone, strict=True):
        assert_same_bits(p.array, q.array)
    assert not np.array_equal(together[0].array, together[1].array)


@pytest.mark.parametrize("name", CHANGES)
def test_many_small_parameters_are_as_one_large(name, isa, dtype, rng):
    """Where a segment begins and ends changes no bit."""
    w, g = rng.normal(size=(2, 30_000)).astype(dtype)
    names = state_names(name, {})
    state = {key: np.abs(rng.normal(size=30_000)).astype(dtype) for key in names}
    whole, whole_state = w.copy(), {key: value.copy() for key, value in state.items()}
    update(name, {}, whole, g, whole_state)
    cuts = np.sort(rng.integers(0, 30_000, size=50))
    params, states = [], []
    for part, gradient, *values in zip(
        np.split(w, cuts),
        np.split(g, cuts),
        *(np.split(state[key], cuts) for key in names),
        strict=True,
    ):
        p = Tensor._on(part, requires_grad=True)
        p.grad = Tensor._on(gradient)
        params.append(p)
        states.append(dict(zip(names, values, strict=True)))
    _kernels.set_num_threads(3)
    make_step(name, {}, params, states)
    assert_same_bits(w, whole)
