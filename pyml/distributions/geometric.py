"""The geometric distribution."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.odds import Odds
from pyml.distributions.utils import (
    broadcast_all,
    log1p_exp,
    one_of,
    standard_exponential,
)
from pyml.grad_mode import no_grad
from pyml.ops import where

__all__ = ["Geometric"]


class Geometric(Odds, Distribution):
    """How many failures there are before the first success.

    p(k) = (1 - p)^k p, k = 0, 1, ...

    Args:
        probs: the probability p of a success, above 0 and at most 1; a number or a tensor.
        logits: its log-odds, in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, or probs is out of range.

    Example:
        >>> distributions.Geometric(pyml.tensor([0.25])).mean
        tensor([3.])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    _parameters = {"probs": 0, "logits": 0}

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(validate_args, **one_of(probs, logits, "Geometric"))
        if logits is None and self._validates() and not (self.probs.detach() > 0).all():
            raise ValueError(f"Geometric: probs must be positive, not {self.probs.detach()}")

    @property
    def mean(self):
        return 1 / self.probs - 1

    @property
    def mode(self):
        return self.probs * 0

    @property
    def variance(self):
        probs = self.probs
        return (1 / probs - 1) / probs

    def sample(self, sample_shape=()):
        """Exponential variables rounded down.."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            probs = self.probs
            rate = -((-probs).log1p())
            return (standard_exponential(shape, probs.dtype) / rate).floor()

    def log_prob(self, value):
        value, probs = broadcast_all(self._checked(value), self.probs)
        failures = where((probs == 1) & (value == 0), 0.0, probs)
        return value * (-failures).log1p() + probs.log()

    def entropy(self):
        logits, probs = self.logits, self.probs
        return (log1p_exp(logits) - logits * probs) / probs
