"""The Laplace distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import location, standard_exponential

__all__ = ["Laplace"]


class Laplace(Distribution):
    """The Laplace (double exponential) distribution.

    p(x) = exp(-|x - loc| / scale) / (2 scale)

    Args:
        loc: the mean, a number or a tensor.
        scale: positive; loc and scale broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or loc is NaN.

    Example:
        >>> distributions.Laplace(0.0, 1.0).log_prob(pyml.tensor([0.0, 1.0]))
        tensor([-0.6931, -1.6931])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc, scale, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale)

    mean = mode = location

    @property
    def variance(self):
        return 2 * self.scale**2

    @property
    def stddev(self):
        return math.sqrt(2) * self.scale

    def rsample(self, sample_shape=()):
        """The difference of two exponential variables, times scale, plus loc. See Distribution."""
        shape, dtype = self._extended_shape(sample_shape), self.loc.dtype
        difference = standard_exponential(shape, dtype) - standard_exponential(shape, dtype)
        return self.loc + self.scale * difference

    def log_prob(self, value):
        value = self._checked(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value):
        value = self._checked(value)
        z = value - self.loc
        return 0.5 - 0.5 * z.sign() * (-z.abs() / self.scale).expm1()

    def icdf(self, value):
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self):
        return 1 + (2 * self.scale).log()
