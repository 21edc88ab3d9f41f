"""The normal distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.utils import location, standard_normal
from pyml.ops import erfc, erfinv

__all__ = ["Normal"]

LOG_ROOT_2PI = math.log(2 * math.pi) / 2


class Normal(ExponentialFamily):
    """The normal (Gaussian) distribution.

    p(x) = exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi))

    Args:
        loc: the mean, a number or a tensor.
        scale: the standard deviation, positive; loc and scale broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or loc is NaN.

    Example:
        >>> normal = distributions.Normal(pyml.tensor([0.0, 1.0]), 2.0)
        >>> normal.sample((3,)).shape
        (3, 2)
        >>> normal.log_prob(pyml.tensor([0.0, 1.0]))
        tensor([-1.6121, -1.6121])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc, scale, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale)

    mean = mode = location

    @property
    def stddev(self):
        return self.scale

    @property
    def variance(self):
        return self.scale * self.scale

    def rsample(self, sample_shape=()):
        """loc + scale * N(0, 1), so that gradients go to both. See Distribution."""
        shape = self._extended_shape(sample_shape)
        return self.loc + standard_normal(shape, self.loc.dtype) * self.scale

    def log_prob(self, value):
        value = self._checked(value)
        z = (value - self.loc) / self.scale
        return z * z * -0.5 - self.scale.log() - LOG_ROOT_2PI

    def cdf(self, value):
        value = self._checked(value)
        return 0.5 * erfc((self.loc - value) / (self.scale * math.sqrt(2)))

    def icdf(self, value):
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self):
        return 0.5 + LOG_ROOT_2PI + self.scale.log()
