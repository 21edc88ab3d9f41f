"""The Gumbel distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import EULER_GAMMA, location, standard_exponential

__all__ = ["Gumbel"]


class Gumbel(Distribution):
    """The Gumbel distribution, of the largest of many numbers.

    p(x) = exp(y - exp(y)) / scale, y = (loc - x) / scale

    Args:
        loc: the mode, a number or a tensor.
        scale: positive; loc and scale broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or loc is NaN.

    Example:
        >>> distributions.Gumbel(pyml.tensor([0.0]), 1.0).mean
        tensor([0.5772])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc, scale, validate_args=None):
        self._take(validate_args, loc=loc, scale=scale)

    @property
    def mean(self):
        return self.loc + self.scale * EULER_GAMMA

    mode = location

    @property
    def variance(self):
        return self.stddev**2

    @property
    def stddev(self):
        return math.pi / math.sqrt(6) * self.scale

    def rsample(self, sample_shape=()):
        """loc - scale log E, E exponential, so that gradients go to both. See Distribution."""
        shape = self._extended_shape(sample_shape)
        return self.loc - self.scale * standard_exponential(shape, self.loc.dtype).log()

    def log_prob(self, value):
        y = (self.loc - self._checked(value)) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value):
        return (-((self.loc - self._checked(value)) / self.scale).exp()).exp()

    def icdf(self, value):
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self):
        return self.scale.log() + (1 + EULER_GAMMA)
