"""The absolute value of a normal variable."""

import math

from pyml.distributions import constraints
from pyml.distributions.normal import Normal
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import AbsTransform
from pyml.ops.elementwise import where

__all__ = ["HalfNormal"]


class HalfNormal(TransformedDistribution):
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

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale, validate_args=None):
        TransformedDistribution.__init__(
            self, Normal(0, scale, False), AbsTransform(), validate_args
        )

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(HalfNormal, _instance)
        return super().expand(batch_shape, new)

    @property
    def scale(self):
        return self.base_dist.scale

    @property
    def mean(self):
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self):
        return self.scale * 0

    @property
    def variance(self):
        return self.scale**2 * (1 - 2 / math.pi)

    def log_prob(self, value):
        value = self._checked(value)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, log_prob, -math.inf)

    def cdf(self, value):
        return 2 * self.base_dist.cdf(self._checked(value)) - 1

    def icdf(self, value):
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)
