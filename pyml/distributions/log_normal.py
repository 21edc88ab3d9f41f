"""The log-normal distribution."""

from pyml.distributions import constraints
from pyml.distributions.normal import Normal
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import ExpTransform
from pyml.distributions.utils import of_base

__all__ = ["LogNormal"]


class LogNormal(TransformedDistribution):
    """exp of a normal variable.

    Args:
        loc, scale: mean and standard deviation of the logarithm; see Normal.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive, or loc is NaN.

    Example:
        >>> distributions.LogNormal(pyml.tensor([0.0]), 1.0).mode
        tensor([0.3679])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive
    _parameters = {}

    def __init__(self, loc, scale, validate_args=None):
        TransformedDistribution.__init__(
            self, Normal(loc, scale, validate_args), ExpTransform(), validate_args
        )

    loc = of_base("loc")
    scale = of_base("scale")

    @property
    def mean(self):
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self):
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self):
        square = self.scale**2
        return square.expm1() * (2 * self.loc + square).exp()

    def entropy(self):
        return self.base_dist.entropy() + self.loc
