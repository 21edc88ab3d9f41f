"""Dropout of whole channels, and dropout that keeps mean and variance."""

import math

from pyml.errors import ArgumentError
from pyml.ops.arrays import full, real_tensor
from pyml.ops.draws import will_draw_into
from pyml.ops.dropout import dropout
from pyml.ops.elementwise import where
from pyml.ops.inplace import replace
from pyml.tensor import Tensor

# What SELU tends to for large negative numbers: Klambauer et al. 2017 (arXiv:1706.02515)
SATURATION = -1.7580993408473766


def changed(input, p, training, inplace, name, compute):
    """compute(), in training; in the place of the input if so wanted."""
    real_tensor(input, name)
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p is {p}, a probability must be between 0 and 1")
    if not training or p == 0:
        return input
    if inplace:
        will_draw_into(input)
    y = compute()
    return replace(input, y, name) if inplace else y


def each_channel(x):
    """The shape of one number for each channel, (n, c, 1, ...)."""
    return x.shape[:2] + (1,) * (x.ndim - 2)


def draw(shape, like, p, generator):
    """1 / (1 - p) with probability 1 - p, else 0."""
    return dropout(Tensor._on(full(shape, like.array, 1)), p, generator=generator)


def standard(x, mask, p):
    """x where the mask is not 0, else the saturation; then scaled to the mean and variance of x."""
    if p == 1:
        return x * 0
    a = 1 / math.sqrt((SATURATION * SATURATION * p + 1) * (1 - p))
    return where(mask > 0, x, SATURATION) * a - a * SATURATION * p


def dropout1d(input, p=0.5, training=True, inplace=False, *, generator=None):
    """In training, zeroes whole channels with probability p and scales the others by 1 / (1 - p).

    Tompson et al. 2015 (arXiv:1411.4280).

    Args:
        input: (n, c, length) or (c, length), float32 or float64.
        p: probability of a channel to be zeroed, 0 to 1. Default: 0.5.
        training: do it at all. Default: True.
        inplace: change the input itself. Default: False.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        ValueError: if p is outside [0, 1], or for another number of dimensions.

    Example:
        >>> F.dropout1d(pyml.ones(2, 3), 1.0)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    real_tensor(input, "dropout1d")
    if input.ndim not in (2, 3):
        raise ArgumentError(
            f"dropout1d: input has shape {input.shape}, it must be (n, c, length) or (c, length)"
        )
    shape = (*input.shape[:-1], 1)
    return changed(
        input, p, training, inplace, "dropout1d", lambda: input * draw(shape, input, p, generator)
    )


def alpha_dropout(input, p=0.5, training=False, inplace=False, *, generator=None):
    """Dropout for SELU: keeps mean 0 and variance 1.

    In training, elements become -1.7581 with probability p, and then all become a x + b with
    a = ((1.7581^2 p + 1) (1 - p))^(-1/2), b = 1.7581 a p.

    Klambauer et al. 2017 (arXiv:1706.02515), "Self-normalizing neural networks".

    Args:
        input: any shape, float32 or float64.
        p: probability of an element to be dropped, 0 to 1. Default: 0.5.
        training: do it at all. Default: False, as in PyTorch.
        inplace: change the input itself. Default: False.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        ValueError: if p is outside [0, 1].

    Example:
        >>> F.alpha_dropout(pyml.ones(2), 0.5)
        tensor([1., 1.])
    """
    return changed(
        input,
        p,
        training,
        inplace,
        "alpha_dropout",
        lambda: standard(input, draw(input.shape, input, p, generator), p),
    )


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False, *, generator=None):
    """alpha_dropout of whole channels. Arguments as there; the input is (n, c, ...).

    Raises:
        ValueError: if p is outside [0, 1], or the input has fewer than two dimensions.

    Example:
        >>> F.feature_alpha_dropout(pyml.ones(1, 2), 0.5)
        tensor([[1., 1.]])
    """
    real_tensor(input, "feature_alpha_dropout")
    if input.ndim < 2:
        raise ArgumentError(
            f"feature_alpha_dropout: input has shape {input.shape}, it must be (n, c, ...)"
        )
    return changed(
        input,
        p,
        training,
        inplace,
        "feature_alpha_dropout",
        lambda: standard(input, draw(each_channel(input), input, p, generator), p),
    )
