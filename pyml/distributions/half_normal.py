"""The absolute value of a normal variable."""

import math

from pyml.distributions.folded import Folded
from pyml.distributions.normal import Normal

__all__ = ["HalfNormal"]


class HalfNormal(Folded):
    """The absolute value of a normal variable of mean 0.

    Args:
        scale: the standard deviation of that variable, positive; a number or a tensor.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive.

    Example:
        >>> distributions.HalfNormal(pyml.tensor([1.0])).mean
        tensor([0.7979])
    """

    _parameters = {}

    def __init__(self, scale, validate_args=None):
        Folded.__init__(self, Normal, scale, validate_args)

    @property
    def mean(self):
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self):
        return self.scale**2 * (1 - 2 / math.pi)

    def cdf(self, value):
        return 2 * self.base_dist.cdf(self._checked(value)) - 1

    def icdf(self, value):
        return self.base_dist.icdf((value + 1) / 2)
