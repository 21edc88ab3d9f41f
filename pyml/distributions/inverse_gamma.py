"""The inverse gamma distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.gamma import Gamma
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import PowerTransform
from pyml.distributions.utils import of_base, tensor_of
from pyml.ops import digamma, lgamma, where

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """The inverse of a gamma variable.

    p(x) = rate^a x^(-a - 1) exp(-rate / x) / gamma(a), a the concentration

    Args:
        concentration, rate: those of the gamma variable, positive; see Gamma.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.InverseGamma(pyml.tensor([1.0, 3.0]), 4.0).mean
        tensor([inf,  2.])
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    _parameters = {}

    def __init__(self, concentration, rate, validate_args=None):
        base = Gamma(concentration, rate, validate_args)
        inverse = PowerTransform(tensor_of(-1, base.rate.dtype))
        TransformedDistribution.__init__(self, base, inverse, validate_args)

    concentration = of_base("concentration")
    rate = of_base("rate")

    @property
    def mean(self):
        a = self.concentration
        return where(a > 1, self.rate / where(a > 1, a - 1, 1.0), math.inf)

    @property
    def mode(self):
        return self.rate / (self.concentration + 1)

    @property
    def variance(self):
        a = where(self.concentration > 2, self.concentration, 3.0)
        variance = self.rate**2 / ((a - 1) ** 2 * (a - 2))
        return where(self.concentration > 2, variance, math.inf)

    def log_prob(self, value):
        value, a, rate = self._checked(value), self.concentration, self.rate
        return a * rate.log() - (a + 1) * value.log() - rate / value - lgamma(a)

    def entropy(self):
        a = self.concentration
        return a + self.rate.log() + lgamma(a) - (1 + a) * digamma(a)
