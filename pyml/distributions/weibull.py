"""The Weibull distribution."""

from pyml.distributions import constraints
from pyml.distributions.exponential import Exponential
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import AffineTransform, PowerTransform
from pyml.distributions.utils import EULER_GAMMA, broadcast_all
from pyml.ops import lgamma, ones_like

__all__ = ["Weibull"]


class Weibull(TransformedDistribution):
    """The Weibull distribution, of the smallest of many numbers.

    p(x) = k / scale z^(k - 1) exp(-z^k), z = x / scale, k the concentration

    Args:
        scale: positive; a number or a tensor.
        concentration: the shape k, positive; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.Weibull(2.0, pyml.tensor([1.0])).mean
        tensor([2.])
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    _parameters = {"scale": 0, "concentration": 0}

    def __init__(self, scale, concentration, validate_args=None):
        self.scale, self.concentration = broadcast_all(scale, concentration)
        transforms = [
            PowerTransform(self.concentration_reciprocal),
            AffineTransform(0, self.scale),
        ]
        base = Exponential(ones_like(self.scale.detach()), False)
        TransformedDistribution.__init__(self, base, transforms, validate_args)

    @property
    def concentration_reciprocal(self):
        return self.concentration.reciprocal()

    def _moment(self, n):
        """E (x / scale)^n"""
        return lgamma(1 + n * self.concentration_reciprocal).exp()

    @property
    def mean(self):
        return self.scale * self._moment(1)

    @property
    def mode(self):
        share = (1 - self.concentration_reciprocal).clamp(min=0)
        return self.scale * share**self.concentration_reciprocal

    @property
    def variance(self):
        return self.scale**2 * (self._moment(2) - self._moment(1) ** 2)

    def log_prob(self, value):
        k, log_z = self.concentration, (self._checked(value) / self.scale).log()
        return (k / self.scale).log() + (k - 1) * log_z - (k * log_z).exp()

    def entropy(self):
        inverse = self.concentration_reciprocal
        return EULER_GAMMA * (1 - inverse) + (self.scale * inverse).log() + 1
