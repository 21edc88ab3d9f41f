"""Kumaraswamy's distribution."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import AffineTransform, PowerTransform
from pyml.distributions.uniform import Uniform
from pyml.distributions.utils import (
    EULER_GAMMA,
    broadcast_all,
    finfo,
    standard_exponential,
    xlogy,
)
from pyml.ops import digamma, lgamma, ones_like, where, zeros_like

__all__ = ["Kumaraswamy"]


class Kumaraswamy(TransformedDistribution):
    """A distribution on [0, 1], like Beta, with a distribution function in closed form.

    p(x) = a b x^(a - 1) (1 - x^a)^(b - 1),   P(X <= x) = 1 - (1 - x^a)^b

    Args:
        concentration1: a, positive; a number or a tensor.
        concentration0: b, positive; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.Kumaraswamy(1.0, pyml.tensor([1.0, 3.0])).mean
        tensor([0.5 , 0.25])
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    _parameters = {"concentration1": 0, "concentration0": 0}

    def __init__(self, concentration1, concentration0, validate_args=None):
        a, b = broadcast_all(concentration1, concentration0)
        self.concentration1, self.concentration0 = a, b
        transforms = [
            PowerTransform(b.reciprocal()),
            AffineTransform(1.0, -1.0),
            PowerTransform(a.reciprocal()),
        ]
        base = Uniform(zeros_like(a.detach()), ones_like(a.detach()), False)
        TransformedDistribution.__init__(self, base, transforms, validate_args)

    def _moment(self, n):
        """E x^n"""
        b, power = self.concentration0, 1 + n / self.concentration1
        return b * (lgamma(power) + lgamma(b) - lgamma(power + b)).exp()

    @property
    def mean(self):
        return self._moment(1)

    @property
    def mode(self):
        a, b = self.concentration1.detach(), self.concentration0.detach()
        mode = ((a - 1) / (a * b - 1)) ** (1 / a)
        return where((a < 1) | (b < 1), float("nan"), mode)

    @property
    def variance(self):
        return self._moment(2) - self.mean**2

    sample = Distribution.sample

    def rsample(self, sample_shape=()):
        """(1 - U^(1/b))^(1/a), so that gradients go to both. See Distribution."""
        a, b = self.concentration1, self.concentration0
        log_u = -standard_exponential(self._extended_shape(sample_shape), a.dtype)
        share = -(log_u / b).expm1()
        return share.clamp(min=float(finfo(share).tiny)) ** (1 / a)

    def log_prob(self, value):
        a, b, value = broadcast_all(self.concentration1, self.concentration0, self._checked(value))
        rest = -(a * value.log()).expm1()  # 1 - x^a
        return a.log() + b.log() + xlogy(a - 1, value) + xlogy(b - 1, rest)

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        mean_log = digamma(b + 1) + EULER_GAMMA
        return (1 - 1 / b) + (1 - 1 / a) * mean_log - a.log() - b.log()
