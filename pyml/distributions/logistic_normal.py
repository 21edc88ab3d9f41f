"""The logistic-normal distribution."""

from pyml.distributions import constraints
from pyml.distributions.normal import Normal
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import StickBreakingTransform

__all__ = ["LogisticNormal"]


class LogisticNormal(TransformedDistribution):
    """StickBreakingTransform of n normal variables: a vector of n + 1 probabilities.

    Args:
        loc, scale: (..., n), mean and standard deviation of those variables; see Normal.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or loc is NaN.

    Example:
        >>> distributions.LogisticNormal(pyml.zeros(3), 1.0).sample().shape
        (4,)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    _parameters = {}

    def __init__(self, loc, scale, validate_args=None):
        base = Normal(loc, scale, validate_args)
        base = base if base.batch_shape else base.expand((1,))
        TransformedDistribution.__init__(self, base, StickBreakingTransform(), validate_args)

    @property
    def loc(self):
        return self.base_dist.base_dist.loc

    @property
    def scale(self):
        return self.base_dist.base_dist.scale
