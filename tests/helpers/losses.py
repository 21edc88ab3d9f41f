"""The losses of an input and a target of its shape, one row each: all tests of them use it.

Kernels on every ISA (tests/kernels/test_pair_loss.py), first and second derivatives (tests/ops),
modules (tests/nn), PyTorch's values (tests/parity), effects and recordings.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


class PairLoss(NamedTuple):
    """A loss and its derivatives, in the dtype of the arrays.

    Attributes:
        name: of the function. Its kernels have the name without "_loss".
        module: the name of the class in nn.
        value: value(x, t, **options), of each element.
        slope: the derivative by x.
        slope_t: the derivative by t. Default: minus the slope.
        options: what to test, the defaults first; their order is that of alpha and beta. With
            each, an input between 0.5 and 1 must have a gradient: test_effects.py looks for it.
        refused: (options, message) of those that are out of range.
        signs: targets are 1 or -1, and have no gradient.
        scale: of the rounding errors of each element. Default: its value.
    """

    name: str
    module: str
    value: Callable
    slope: Callable
    slope_t: Callable = None
    options: tuple = ({},)
    refused: tuple = ()
    signs: bool = False
    scale: Callable = None

    @property
    def kernel(self):
        return self.name.removesuffix("_loss")

    def derivatives(self, x, t, **options):
        """By x and by t; None for a target that has no gradient."""
        dx = self.slope(x, t, **options)
        if self.signs:
            return dx, None
        return dx, -dx if self.slope_t is None else self.slope_t(x, t, **options)

    def reduced(self, x, t, reduction, **options):
        return reduce(self.value(x, t, **options), reduction)

    def target(self, rng, shape):
        """Random values of a target."""
        return rng.choice([-1.0, 1.0], shape) if self.signs else rng.standard_normal(shape)


def reduce(values, reduction):
    """The mean of nothing is NaN."""
    if reduction == "none":
        return values
    divisor = values.dtype.type(values.size) if reduction == "mean" else 1
    return values.sum() / divisor


def alpha_beta(options):
    """Options as the kernels have them."""
    return dict(zip(("alpha", "beta"), (*options.values(), 0.0, 0.0), strict=False))


PAIR_LOSSES = [
    PairLoss(
        "mse_loss",
        "MSELoss",
        value=lambda x, t: (x - t) ** 2,
        slope=lambda x, t: 2 * (x - t),
    ),
    PairLoss(
        "smooth_l1_loss",
        "SmoothL1Loss",
        value=lambda x, t, beta: np.where(
            abs(x - t) < beta, (x - t) ** 2 / (2 * (beta or 1)), abs(x - t) - beta / 2
        ),
        slope=lambda x, t, beta: np.where(abs(x - t) < beta, (x - t) / (beta or 1), np.sign(x - t)),
        options=({"beta": 1.0}, {"beta": 0.3}, {"beta": 0.0}),
        refused=(({"beta": -1.0}, "beta is -1.0, it must be at least 0"),),
    ),
    PairLoss(
        "hinge_embedding_loss",
        "HingeEmbeddingLoss",
        value=lambda x, t, margin: (
            np.where(t != -1, x, 0) + np.where(t != 1, np.maximum(margin - x, 0), 0)
        ),
        slope=lambda x, t, margin: np.where(t != -1, 1, 0) - ((t != 1) & (x <= margin)),
        options=({"margin": 1.0}, {"margin": 2.0}),
        signs=True,
    ),
]
CASES = {  # id -> (loss, options)
    " ".join([loss.name, *(f"{name}={value}" for name, value in options.items())]): (loss, options)
    for loss in PAIR_LOSSES
    for options in loss.options
}
