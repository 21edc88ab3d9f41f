"""The uniform distribution."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import is_float
from pyml.ops import rand

__all__ = ["Uniform"]


class Uniform(Distribution):
    """The uniform distribution on [low, high).

    p(x) = 1 / (high - low)

    Args:
        low, high: the ends, numbers or tensors; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if low is not below high.

    Example:
        >>> distributions.Uniform(0.0, pyml.tensor([2.0, 4.0])).mean
        tensor([1., 2.])
    """

    arg_constraints = dict.fromkeys(
        ("low", "high"), constraints.dependent(is_discrete=False, event_dim=0)
    )
    has_rsample = True
    _parameters = {"low": 0, "high": 0}

    def __init__(self, low, high, validate_args=None):
        self._take(validate_args, low=low, high=high)
        if self._validates() and not (self.low.detach() < self.high.detach()).all():
            raise ValueError(
                f"Uniform: low must be below high; low is {self.low.detach()}, high is "
                f"{self.high.detach()}"
            )

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        return constraints.interval(self.low.detach(), self.high.detach())

    @property
    def mean(self):
        return (self.high + self.low) / 2

    @property
    def mode(self):
        return self.low * float("nan")

    @property
    def stddev(self):
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self):
        width = self.high - self.low
        return width * width / 12

    def rsample(self, sample_shape=()):
        """low + (high - low) U, so that gradients go to both. See Distribution."""
        dtype = self.low.dtype if is_float(self.low.dtype) else None
        u = rand(self._extended_shape(sample_shape), dtype=dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value):
        value = self._checked(value)
        inside = ((self.low <= value) & (value < self.high)).to(self.low.dtype)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value):
        value = self._checked(value)
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value):
        return value * (self.high - self.low) + self.low

    def entropy(self):
        return (self.high - self.low).log()
