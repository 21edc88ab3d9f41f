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


def draw_by_numpy():
    """What libraries draw by torch's functions and distributions is drawn here, from now on."""
    distributions = torch.distributions

    def normal(self, sample_shape=()):
        return self.loc + randn(*self._extended_shape(sample_shape)).to(self.loc) * self.scale

    def category(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        below = torch.cumsum(self.probs, -1)[..., :-1] < rand(*shape, 1)
        return below.sum(-1)

    distributions.Normal.sample = torch.no_grad()(normal)
    distributions.Normal.rsample = normal
    distributions.Categorical.sample = category
    torch.randperm = lambda n, **options: torch.tensor(rng.permutation(n))
    torch.utils.data.RandomSampler.__iter__ = lambda self: iter(
        rng.permutation(len(self.data_source)).tolist()
    )
    for name, draw in {"randn": randn, "rand": rand}.items():
        setattr(torch, name, drawn(draw))
        setattr(torch, f"{name}_like", drawn_like(draw))


def drawn(draw):
    """torch.randn or torch.rand by a function of sizes."""

    def function(*size, dtype=None, device=None, requires_grad=False, generator=None):
        size = size[0] if size and not isinstance(size[0], (int, np.integer)) else size
        return draw(*size).to(dtype or torch.get_default_dtype()).requires_grad_(requires_grad)

    return function


def drawn_like(draw):
    """torch.randn_like or torch.rand_like by a function of sizes."""
    return lambda input, dtype=None, device=None: draw(*input.shape).to(dtype or input.dtype)


def step(function):
    """Marks the step of a script, which pyml can record."""
    if not recorded:
        return function
    import pyml

    return pyml.record(function)
