"""Student's t distribution."""

import math

from pyml.distributions import constraints
from pyml.distributions.chi2 import Chi2
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import location, standard_normal
from pyml.ops import digamma, expand, lgamma, where

__all__ = ["StudentT"]

NAN = float("nan")


class StudentT(Distribution):
    """loc + scale * Z / sqrt(V / df), Z standard normal, V of Chi2(df).

    Args:
        df: degrees of freedom, positive.
        loc: the median. Default: 0.
        scale: positive. Default: 1. All are numbers or tensors, and broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if df or scale is not positive, or loc is NaN.

    Example:
        >>> distributions.StudentT(pyml.tensor([1.0, 2.0, 4.0])).variance
        tensor([nan, inf,  2.])
    """

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True
    _parameters = {"df": 0, "loc": 0, "scale": 0}

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self._take(validate_args, df=df, loc=loc, scale=scale)

    @property
    def mean(self):
        return where(self.df <= 1, NAN, self.loc)

    mode = location

    @property
    def variance(self):
        wide = self.df > 2
        variance = self.scale**2 * self.df / where(wide, self.df - 2, 1.0)
        return where(wide, variance, where(self.df > 1, math.inf, NAN))

    def rsample(self, sample_shape=()):
        """Gradients go to all three; see Gamma.rsample."""
        shape = self._extended_shape(sample_shape)
        z = standard_normal(shape, self.loc.dtype)
        v = Chi2(expand(self.df, shape), False).rsample()
        return self.loc + self.scale * z * (v / self.df).rsqrt()

    def _log_norm(self):
        """log of gamma(df / 2) gamma(1 / 2) / gamma((df + 1) / 2) sqrt(df) scale"""
        half = self.df * 0.5
        log_beta = lgamma(half) - lgamma(half + 0.5) + math.log(math.pi) / 2
        return self.scale.log() + 0.5 * self.df.log() + log_beta

    def log_prob(self, value):
        z = (self._checked(value) - self.loc) / self.scale
        return -0.5 * (self.df + 1) * (z**2 / self.df).log1p() - self._log_norm()

    def entropy(self):
        half = self.df * 0.5
        return self._log_norm() + (half + 0.5) * (digamma(half + 0.5) - digamma(half))
