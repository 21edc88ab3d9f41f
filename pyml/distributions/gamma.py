"""The gamma distribution, and chi squared."""

from pyml.distributions import constraints
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.utils import broadcast_all, finfo, xlogy
from pyml.ops import digamma, expand, igamma, lgamma
from pyml.ops.sampling import log_gamma_variable

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """The gamma distribution.

    p(x) = rate^a x^(a - 1) exp(-rate x) / gamma(a), a the concentration

    Args:
        concentration: the shape a, positive; a number or a tensor.
        rate: 1 / scale, positive; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.Gamma(pyml.tensor([1.0, 4.0]), 2.0).mean
        tensor([0.5, 2. ])
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _takes_numbers = True
    _parameters = {"concentration": 0, "rate": 0}

    def __init__(self, concentration, rate, validate_args=None):
        self._take(validate_args, concentration=concentration, rate=rate)

    @property
    def mean(self):
        return self.concentration / self.rate

    @property
    def mode(self):
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self):
        return self.concentration / self.rate**2

    def rsample(self, sample_shape=()):
        """Draws whose gradients are those of the implicit reparametrisation; no second ones.

        Figurnov, Mohamed & Mnih 2018 (arXiv:1805.08498). See Distribution.
        """
        concentration = expand(self.concentration, self._extended_shape(sample_shape))
        value = log_gamma_variable(concentration).exp() / self.rate
        return value.clamp(min=float(finfo(value).tiny))

    def log_prob(self, value):
        value = self._checked(value)
        a, rate, value = broadcast_all(self.concentration, self.rate, value)
        return xlogy(a, rate) + xlogy(a - 1, value) - rate * value - lgamma(a)

    def cdf(self, value):
        """Without a gradient by the concentration, as in PyTorch."""
        value = self._checked(value)
        return igamma(*broadcast_all(self.concentration, self.rate * value))

    def entropy(self):
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1 - a) * digamma(a)
