"""The Bernoulli distribution."""

from pyml.distributions import constraints
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.odds import Odds
from pyml.distributions.utils import (
    broadcast_all,
    log1p_exp,
    one_of,
)
from pyml.grad_mode import no_grad
from pyml.ops import arange, rand, where

__all__ = ["Bernoulli"]


class Bernoulli(Odds, ExponentialFamily):
    """1 with probability p, else 0.

    log p(x) = x log p + (1 - x) log(1 - p), computed from log-odds without overflow

    Args:
        probs: the probability of 1; a number or a tensor.
        logits: its log-odds log(p / (1 - p)), in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, or probs is not from 0 to 1.

    Example:
        >>> coin = distributions.Bernoulli(logits=pyml.tensor([0.0, 100.0]))
        >>> coin.probs
        tensor([0.5, 1. ])
        >>> coin.log_prob(pyml.tensor([1.0, 0.0]))
        tensor([  -0.6931, -100.    ])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _parameters = {"probs": 0, "logits": 0}

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(validate_args, **one_of(probs, logits, "Bernoulli"))

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        probs = self.probs.detach()
        return where(probs == 0.5, float("nan"), (probs >= 0.5).to(probs.dtype))

    @property
    def variance(self):
        probs = self.probs
        return probs * (1 - probs)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with no_grad():
            probs = self.probs
            return (rand(shape, dtype=probs.dtype) < probs).to(probs.dtype)

    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, self._checked(value))
        return logits * value - log1p_exp(logits)

    def entropy(self):
        logits = self.logits
        return log1p_exp(logits) - logits * self.probs

    def enumerate_support(self, expand=True):
        return self._enumerated(arange(2, dtype=self._param.dtype), expand)
