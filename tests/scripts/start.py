"""What the scripts here share: the same first weights and random numbers under each torch."""

import numpy as np
import torch

rng = np.random.default_rng(0)
recorded = False


def again(record):
    """Starts the random numbers anew; says whether steps are recorded."""
    global rng, recorded
    rng, recorded = np.random.default_rng(0), record


def begin(module):
    """The module with weights that are the same under each torch: uniform, by the fan-in."""
    with torch.no_grad():
        for p in module.parameters():
            if p.dim() > 1:
                p.copy_((rand(*p.shape) * 2 - 1) * (3 / p.shape[1]) ** 0.5)
            elif p.numel() == 1 or p.min() != p.max():  # of a Linear; a norm's are equal already
                p.copy_(torch.zeros(p.shape))
    return module


def randn(*shape):
    """Normal numbers."""
    return torch.tensor(rng.standard_normal(shape).astype("float32"))


def rand(*shape):
    """Numbers from 0 to 1."""
    return torch.tensor(rng.random(shape).astype("float32"))


def randint(high, *shape):
    """Integers below `high`."""
    return torch.tensor(rng.integers(0, high, shape))


def step(function):
    """Marks the step of a script, which pyml can record."""
    if not recorded:
        return function
    import pyml

    return pyml.record(function)
