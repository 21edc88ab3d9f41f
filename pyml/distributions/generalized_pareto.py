"""The generalized Pareto distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import is_float, location
from pyml.ops import rand, where

__all__ = ["GeneralizedPareto"]

NAN = float("nan")


class GeneralizedPareto(Distribution):
    """The generalized Pareto distribution, of what exceeds a high threshold.

    P(X > x) = (1 + c z)^(-1 / c), z = (x - loc) / scale, and exp(-z) where c is 0

    It ends at loc - scale / c where c, the concentration, is negative.

    Args:
        loc: where it begins; a number or a tensor.
        scale: positive.
        concentration: c. All three broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or another is NaN.

    Example:
        >>> distributions.GeneralizedPareto(0.0, 1.0, pyml.tensor([-1.0, 0.0, 0.5])).mean
        tensor([0.5, 1. , 2. ])
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0, "concentration": 0}

    def __init__(self, loc, scale, concentration, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale, concentration=concentration)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        low, c = self.loc.detach(), self.concentration.detach()
        return constraints.interval(low, where(c < 0, low - self.scale.detach() / c, math.inf))

    def _level(self):
        """Where the concentration is as good as 0, and the concentration, or 1 there."""
        c = self.concentration
        level = c.detach().abs() <= 1e-8
        return level, where(level, 1.0, c)

    @property
    def mean(self):
        c = self.concentration
        return where(c < 1, self.loc + self.scale / (1 - where(c < 1, c, 0.5)), NAN)

    mode = location

    @property
    def variance(self):
        c = self.concentration
        narrow = where(c < 0.5, c, 0.25)
        return where(c < 0.5, self.scale**2 / ((1 - narrow) ** 2 * (1 - 2 * narrow)), NAN)

    def rsample(self, sample_shape=()):
        """icdf of uniform numbers, so that gradients go to all. See Distribution."""
        dtype = self.loc.dtype if is_float(self.loc.dtype) else None
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=dtype))

    def log_prob(self, value):
        z = (self._checked(value) - self.loc) / self.scale
        level, c = self._level()
        power = 1 / c + 1
        log_term = (c * where(power == 0, 0.0, z)).log1p()  # uniform where c is -1
        return -self.scale.log() - where(level, z, power * log_term)

    def log_survival_function(self, value):
        """log P(X > value)."""
        z = (self._checked(value) - self.loc) / self.scale
        level, c = self._level()
        return where(level, -z, -(c * z).log1p() / c)

    def log_cdf(self, value):
        """log P(X <= value)."""
        return self.cdf(value).log()

    def cdf(self, value):
        return -self.log_survival_function(value).expm1()

    def icdf(self, value):
        level, c = self._level()
        log_rest = (-value).log1p()
        return self.loc + self.scale * where(level, -log_rest, (-c * log_rest).expm1() / c)

    def entropy(self):
        return self.scale.log() + self.concentration + 1
