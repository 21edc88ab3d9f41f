"""The Poisson distribution."""

from pyml.distributions import constraints
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.utils import broadcast_all, xlogy
from pyml.ops import expand, lgamma, sampling

__all__ = ["Poisson"]


class Poisson(ExponentialFamily):
    """How many events there are of which `rate` are expected.

    p(k) = rate^k exp(-rate) / k!

    Args:
        rate: the mean, not negative; a number or a tensor.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if rate is negative.

    Example:
        >>> distributions.Poisson(pyml.tensor([2.0])).log_prob(pyml.tensor([0.0]))
        tensor([-2.])
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    _parameters = {"rate": 0}

    def __init__(self, rate, validate_args=None):
        self._take(validate_args, rate=rate)

    @property
    def mean(self):
        return self.rate

    @property
    def mode(self):
        return self.rate.floor()

    @property
    def variance(self):
        return self.rate

    def sample(self, sample_shape=()):
        rate = expand(self.rate.detach(), self._extended_shape(sample_shape))
        return sampling.poisson(rate)

    def log_prob(self, value):
        rate, value = broadcast_all(self.rate, self._checked(value))
        return xlogy(value, rate) - rate - lgamma(value + 1)
