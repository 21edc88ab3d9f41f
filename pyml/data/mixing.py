"""Batches mixed with themselves: mixup and cutmix, by random numbers that a recorded step draws."""

import numpy as np

from pyml import ops
from pyml.errors import DtypeError
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.ops.sampling import log_gamma_variable
from pyml.options import Range, check_counts, check_number

__all__ = ["CutMix", "MixUp"]


ALPHAS = Range(1e-300, 1e300)  # beyond them the logarithm of a gamma variable is no number


class Mixing:
    """What both share: the share of the other row, and mixed targets."""

    def __init__(self, alpha=1.0, num_classes=None, *, generator=None):
        who = type(self).__name__
        check_number(who, "alpha", alpha, ALPHAS)
        if num_classes is not None:
            check_counts(who, least=1, num_classes=num_classes)
        self.alpha = alpha
        self.num_classes = num_classes
        self._generator = generator

    @no_grad()
    def __call__(self, x, y):
        """A mixed batch: x and y, new Tensors."""
        x, y = self._checked(x, y)
        both = ops.full((2,), float(self.alpha), dtype=np.float64)
        share = ops.softmax(log_gamma_variable(both, self._generator), 0)[0].to(x.dtype)
        mixed, share = self._mixed(x, share)
        return mixed, blend(y, share.to(y.dtype))

    def _checked(self, x, y):
        who = type(self).__name__
        if not checked_tensor(x, who, "x").is_floating_point():
            raise DtypeError(
                f"{who}: x is of {x.dtype}, it must be of floats; .float() converts it"
            )
        if checked_tensor(y, who, "y").dim() == 0 or x.dim() < 2 or len(x) != len(y):
            raise ValueError(
                f"{who}: x has shape {tuple(x.shape)} and y {tuple(y.shape)}; they must be (n, "
                "...) with as many rows, x with two dimensions or more"
            )
        for name, given in (("x", x), ("y", y)):
            if given.requires_grad:
                raise ValueError(
                    f"{who}: {name} requires grad, the mixed batch would not; pass {name}.detach()"
                )
        if not y.is_floating_point():
            if self.num_classes is None or y.dim() != 1:
                raise ValueError(
                    f"{who}: y is of {y.dtype} and shape {tuple(y.shape)}; labels must be (n), and "
                    "num_classes be given; targets that are mixed as they are must be of floats"
                )
            y = ops.one_hot(y, self.num_classes).to(x.dtype)
        return x, y


def blend(x, share):
    """share of each row and 1 - share of the row before it."""
    return x * share + x.roll(1, 0) * (1 - share)


class MixUp(Mixing):
    """Each row becomes a mean of itself and another of the batch, and so does its target.

        x' = s x + (1 - s) x_other,  y' = s y + (1 - s) y_other,  s of Beta(alpha, alpha)

    Zhang et al. 2018 (arXiv:1710.09412), "mixup: beyond empirical risk minimization". One s for a
    batch; the other row is the one before, so rows are to be shuffled, as a training does.

    Args:
        alpha: 1e-300 to 1e300; the smaller, the nearer to one of both. Default: 1, any share
            equally likely.
        num_classes: for labels, which become probabilities for CrossEntropyLoss. Default: None,
            targets are floats, and mixed as they are.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Called with x of shape (n, ...) and y of shape (n) or (n, ...), it gives both mixed, outside of
    any graph.

    Raises:
        TypeError: if alpha or num_classes is no number; if x is not of floats.
        ValueError: if they are out of range, if there are not as many targets as rows, if x or y
            requires grad, or for labels without num_classes.

    Example:
        >>> mixup = pyml.data.MixUp(alpha=0.2, num_classes=10)
        >>> x, y = mixup(pyml.randn(32, 64), pyml.randint(10, (32,)))
        >>> y.shape
        (32, 10)
    """

    def _mixed(self, x, share):
        return blend(x, share), share


class CutMix(Mixing):
    """Each row gets a part of another of the batch; its target the same part of the other's.

    Yun et al. 2019 (arXiv:1905.04899), "CutMix: regularization strategy to train strong classifiers
    with localizable features". The share s of Beta(alpha, alpha) stays:

    - x of shape (n, features): each column is the other row's with probability 1 - s;
    - x of shape (n, ..., height, width): a rectangle of sides sqrt(1 - s) of the picture's about a
      uniform centre, cut at the border, is the other picture's.

    Targets are mixed by the share that did stay. Arguments and errors as for MixUp.

    Example:
        >>> cutmix = pyml.data.CutMix(num_classes=10)
        >>> x, y = cutmix(pyml.randn(32, 1, 8, 8), pyml.randint(10, (32,)))
        >>> y.sum(dim=1).allclose(pyml.ones(32))
        True
    """

    def _mixed(self, x, share):
        if x.dim() == 2:
            stays = self._uniform(x, x.shape[1]) < share
        else:
            half = (1 - share).sqrt() / 2
            height, width = (self._within(x, dim, half) for dim in (-2, -1))
            stays = ~(height.unsqueeze(1) & width)
        if stays.numel() == 0:  # there is nothing to mix
            return x.clone(), ops.ones((), dtype=x.dtype)
        return ops.where(stays, x, x.roll(1, 0)), stays.to(x.dtype).mean()

    def _uniform(self, x, count):
        return ops.rand(count, dtype=x.dtype, generator=self._generator)

    def _within(self, x, dim, half):
        """Which places of a dimension are nearer to a uniform centre than half * size."""
        size = x.shape[dim]
        centre = self._uniform(x, 1) * size
        return (ops.arange(size, dtype=x.dtype) + 0.5 - centre).abs() < half * size
