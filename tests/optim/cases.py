"""What the tests of optimizers share: every combination of options, and one run of 50 steps.

The run has two groups, a learning rate that changes, steps in which a parameter has no gradient,
and an optimizer made anew from its state_dict half-way.
"""

from itertools import product

import numpy as np

from pyml import optim
from pyml.tensor import Tensor

STEPS = 50
LR_CHANGE, LR_FACTOR = 20, 0.3  # the step before which the learning rates change
RELOAD = 25
SHAPES = [(5, 3), (7,), (), (0, 2), (2, 1, 9)]
SECOND_GROUP = 2  # its first parameter
SECOND_OPTIONS = {"lr": 0.03, "weight_decay": 0.02}

VALUES = {
    "SGD": {
        "lr": [0.1],
        "momentum": [0, 0.9],
        "dampening": [0, 0.3],
        "weight_decay": [0, 0.05],
        "nesterov": [False, True],
        "maximize": [False, True],
    },
    "Adagrad": {
        "lr": [0.1],
        "lr_decay": [0, 0.1],
        "weight_decay": [0, 0.05],
        "initial_accumulator_value": [0, 0.5],
        "eps": [1e-10, 1e-3],
        "maximize": [False, True],
    },
    "RMSprop": {
        "lr": [0.01],
        "alpha": [0.99, 0.7],
        "eps": [1e-8, 1e-3],
        "weight_decay": [0, 0.05],
        "momentum": [0, 0.9],
        "centered": [False, True],
        "maximize": [False, True],
    },
    "Adam": {
        "lr": [0.1],
        "betas": [(0.9, 0.999), (0.0, 0.5)],
        "eps": [1e-8, 1e-3],
        "weight_decay": [0, 0.05],
        "amsgrad": [False, True],
        "maximize": [False, True],
        "decoupled_weight_decay": [False, True],
    },
    "NAdam": {
        "lr": [0.1],
        "betas": [(0.9, 0.999), (0.0, 0.5)],
        "eps": [1e-8, 1e-3],
        "weight_decay": [0, 0.05],
        "momentum_decay": [4e-3, 0.1],
        "decoupled_weight_decay": [False, True],
        "maximize": [False, True],
    },
    "Adamax": {
        "lr": [0.1],
        "betas": [(0.9, 0.999), (0.0, 0.5)],
        "eps": [1e-8, 1e-3],
        "weight_decay": [0, 0.05],
        "maximize": [False, True],
    },
    "Adadelta": {
        "lr": [1.0],
        "rho": [0.9, 0.5],
        "eps": [1e-6, 1e-2],
        "weight_decay": [0, 0.05],
        "maximize": [False, True],
    },
    "RAdam": {
        "lr": [0.1],
        "betas": [(0.9, 0.999), (0.5, 0.5)],
        "eps": [1e-8, 1e-3],
        "weight_decay": [0, 0.05],
        "decoupled_weight_decay": [False, True],
        "maximize": [False, True],
    },
    "Rprop": {
        "lr": [0.01],
        "etas": [(0.5, 1.2), (0.3, 1.5)],
        "step_sizes": [(1e-6, 50), (1e-2, 0.1)],
        "maximize": [False, True],
    },
    "ASGD": {
        "lr": [0.01],
        "lambd": [1e-4, 0.1],
        "alpha": [0.75, 1],
        "t0": [1e6, 5],
        "weight_decay": [0, 0.05],
        "maximize": [False, True],
    },
    "Lion": {
        "lr": [0.01],
        "betas": [(0.9, 0.99), (0.5, 0.9)],
        "weight_decay": [0, 0.05],
        "maximize": [False, True],
    },
    "AdamW": {
        "lr": [0.1],
        "betas": [(0.9, 0.999), (0.5, 0.9)],
        "eps": [1e-8, 1e-3],
        "weight_decay": [0, 0.01],
        "amsgrad": [False, True],
        "maximize": [False, True],
    },
}


OPTIMIZERS = {name for name in optim.__all__ if getattr(getattr(optim, name), "_kernel", None)}


def is_valid(options):
    return not options.get("nesterov") or (options["momentum"] > 0 and options["dampening"] == 0)


CASES = [
    (name, options)
    for name, values in VALUES.items()
    for combination in product(*values.values())
    if is_valid(options := dict(zip(values, combination, strict=True)))
]


def case_id(value):
    """The options of a case on one line."""
    if isinstance(value, dict):
        return "-".join(f"{name}={option}" for name, option in value.items() if name != "lr")
    return str(value)


def starts():
    """The parameters before the first step, float64 arrays."""
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradients():
    """For each step a list of arrays; None for no gradient, as the third parameter at first."""
    rng = np.random.default_rng(2)
    for step in range(STEPS):
        grads = [np.asarray(rng.normal(0.3, 1, size=shape)) for shape in SHAPES]
        grads[step % 11 % len(SHAPES)] = None
        if step < 7:
            grads[2] = None
        yield grads


def groups(params):
    return [{"params": params[:SECOND_GROUP]}, {"params": params[SECOND_GROUP:], **SECOND_OPTIONS}]


def train(make_optimizer, params, make_tensor):
    """Runs the 50 steps with make_optimizer(groups), of pyml or torch; returns the last one."""
    optimizer = make_optimizer(groups(params))
    for step, grads in enumerate(gradients()):
        if step == LR_CHANGE:
            for group in optimizer.param_groups:
                group["lr"] *= LR_FACTOR
        if step == RELOAD:
            saved = optimizer.state_dict()
            optimizer = make_optimizer(groups(params))
            optimizer.load_state_dict(saved)
        for p, grad in zip(params, grads, strict=True):
            p.grad = None if grad is None else make_tensor(grad)
        optimizer.step()
    return optimizer


def tensor(array, dtype=np.float64):
    return Tensor._on(np.array(array, dtype=dtype))


def parameter(array, dtype=np.float64):
    return Tensor._on(np.array(array, dtype=dtype), requires_grad=True)
