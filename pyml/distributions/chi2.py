"""The chi-squared distribution."""

from pyml.distributions import constraints
from pyml.distributions.gamma import Gamma

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The sum of df squared standard normal variables: Gamma(df / 2, 1 / 2).

    Args:
        df: degrees of freedom, positive; a number or a tensor.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if df is not positive.

    Example:
        >>> distributions.Chi2(pyml.tensor([3.0])).variance
        tensor([6.])
    """

    arg_constraints = {"df": constraints.positive}
    _parameters = Gamma._parameters

    def __init__(self, df, validate_args=None):
        Gamma.__init__(self, df * 0.5, 0.5, validate_args)

    @property
    def df(self):
        return self.concentration * 2
