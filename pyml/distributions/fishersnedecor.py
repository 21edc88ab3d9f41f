"""Fisher's and Snedecor's F distribution."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import finfo
from pyml.ops import expand, lgamma, where
from pyml.ops.sampling import log_gamma_variable

__all__ = ["FisherSnedecor"]

NAN = float("nan")


class FisherSnedecor(Distribution):
    """(V1 / df1) / (V2 / df2), V1 of Chi2(df1) and V2 of Chi2(df2).

    Args:
        df1, df2: degrees of freedom, positive; numbers or tensors, which broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.FisherSnedecor(1.0, pyml.tensor([2.0, 4.0])).mean
        tensor([nan,  2.])
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parameters = {"df1": 0, "df2": 0}

    def __init__(self, df1, df2, validate_args=None):
        self._take(validate_args, df1=df1, df2=df2)

    @property
    def mean(self):
        df2 = where(self.df2 <= 2, NAN, self.df2)
        return df2 / (df2 - 2)

    @property
    def mode(self):
        mode = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return where(self.df1 <= 2, NAN, mode)

    @property
    def variance(self):
        df1, df2 = self.df1, where(self.df2 <= 4, NAN, self.df2)
        return 2 * df2**2 * (df1 + df2 - 2) / (df1 * (df2 - 2) ** 2 * (df2 - 4))

    def rsample(self, sample_shape=()):
        """A ratio of gamma variables, by their logarithms. See Gamma.rsample."""
        shape = self._extended_shape(sample_shape)
        upper, lower = (log_gamma_variable(expand(df / 2, shape)) for df in (self.df1, self.df2))
        value = (upper - lower).exp() * (self.df2 / self.df1)
        return value.clamp(min=float(finfo(value).tiny))

    def log_prob(self, value):
        value, a, b, ratio = self._checked(value), self.df1 / 2, self.df2 / 2, self.df1 / self.df2
        log_norm = lgamma(a) + lgamma(b) - lgamma(a + b) - a * ratio.log()
        return (a - 1) * value.log() - (a + b) * (ratio * value).log1p() - log_norm
