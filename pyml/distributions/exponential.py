"""The exponential distribution."""

from pyml.distributions import constraints
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.utils import standard_exponential

__all__ = ["Exponential"]


class Exponential(ExponentialFamily):
    """The exponential distribution.

    p(x) = rate exp(-rate x), x >= 0

    Args:
        rate: 1 / mean, positive; a number or a tensor.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if rate is not positive.

    Example:
        >>> distributions.Exponential(pyml.tensor([0.5, 2.0])).mean
        tensor([2. , 0.5])
    """

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _parameters = {"rate": 0}

    def __init__(self, rate, validate_args=None):
        self._take(validate_args, rate=rate)

    @property
    def mean(self):
        return self.rate.reciprocal()

    @property
    def mode(self):
        return self.rate * 0

    @property
    def stddev(self):
        return self.rate.reciprocal()

    @property
    def variance(self):
        return self.rate**-2

    def rsample(self, sample_shape=()):
        """-log(1 - U) / rate, so that gradients go to the rate. See Distribution."""
        shape = self._extended_shape(sample_shape)
        return standard_exponential(shape, self.rate.dtype) / self.rate

    def log_prob(self, value):
        value = self._checked(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value):
        value = self._checked(value)
        return -(-self.rate * value).expm1()

    def icdf(self, value):
        return -(-value).log1p() / self.rate

    def entropy(self):
        return 1 - self.rate.log()
