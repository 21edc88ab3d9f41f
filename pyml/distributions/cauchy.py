"""The Cauchy distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import location, standard_cauchy
from pyml.ops import atan2, full_like

__all__ = ["Cauchy"]


class Cauchy(Distribution):
    """The Cauchy (Lorentz) distribution, of the ratio of two normal variables of mean 0.

    p(x) = 1 / (pi scale (1 + ((x - loc) / scale)^2))

    Args:
        loc: the median, a number or a tensor.
        scale: half the width at half the height, positive; loc and scale broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or loc is NaN.

    Example:
        >>> distributions.Cauchy(0.0, 1.0).cdf(pyml.tensor([0.0, 1.0]))
        tensor([0.5 , 0.75])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc, scale, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale)

    @property
    def mean(self):
        return full_like(self.loc.detach(), math.nan)

    mode = location

    @property
    def variance(self):
        return full_like(self.loc.detach(), math.inf)

    def rsample(self, sample_shape=()):
        """loc + scale C, C of the standard distribution: gradients go to both. See Distribution."""
        shape = self._extended_shape(sample_shape)
        return self.loc + self.scale * standard_cauchy(shape, self.loc.dtype)

    def log_prob(self, value):
        z = (self._checked(value) - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - (z**2).log1p()

    def cdf(self, value):
        return atan2(self.scale, self.loc - self._checked(value)) / math.pi

    def icdf(self, value):
        angle = math.pi * value
        return self.loc - self.scale * angle.cos() / angle.sin()

    def entropy(self):
        return math.log(4 * math.pi) + self.scale.log()
