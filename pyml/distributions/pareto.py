"""The Pareto distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.exponential import Exponential
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import AffineTransform, ExpTransform
from pyml.distributions.utils import broadcast_all
from pyml.ops import where

__all__ = ["Pareto"]


class Pareto(TransformedDistribution):
    """The Pareto distribution of type 1.

    p(x) = alpha scale^alpha / x^(alpha + 1), x >= scale

    Args:
        scale: the smallest value, positive; a number or a tensor.
        alpha: the shape, positive; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.Pareto(1.0, pyml.tensor([1.0, 3.0])).mean
        tensor([inf, 1.5])
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    _parameters = {"scale": 0, "alpha": 0}

    def __init__(self, scale, alpha, validate_args=None):
        self.scale, self.alpha = broadcast_all(scale, alpha)
        transforms = [ExpTransform(), AffineTransform(0, self.scale)]
        base = Exponential(self.alpha, False)
        TransformedDistribution.__init__(self, base, transforms, validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        return constraints.greater_than_eq(self.scale.detach())

    @property
    def mean(self):
        finite = self.alpha > 1
        a = where(finite, self.alpha, 2.0)
        return where(finite, a * self.scale / (a - 1), math.inf)

    @property
    def mode(self):
        return self.scale

    @property
    def variance(self):
        finite = self.alpha > 2
        a = where(finite, self.alpha, 3.0)
        return where(finite, self.scale**2 * a / ((a - 1) ** 2 * (a - 2)), math.inf)

    def entropy(self):
        return (self.scale / self.alpha).log() + (1 + 1 / self.alpha)
