"""Bernoulli variables made continuous, with gradients."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.odds import Odds
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import SigmoidTransform
from pyml.distributions.utils import (
    broadcast_all,
    log1p_exp,
    of_base,
    one_of,
    standard_exponential,
    tensor_of,
)
from pyml.ops import broadcast_shapes

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(Odds, Distribution):
    """The log-odds of a RelaxedBernoulli: (logits + a logistic variable) / temperature.

    Maddison, Mnih & Teh 2017 (arXiv:1611.00712), equation 24 and appendix C. See RelaxedBernoulli.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True
    _parameters = {"probs": 0, "logits": 0}

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._take(validate_args, **one_of(probs, logits, type(self).__name__))
        shape = getattr(temperature, "shape", ())
        broadcast_shapes(shape, self._batch_shape, name="RelaxedBernoulli: temperature")
        self.temperature = temperature

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape=()):
        """log E1 - log E2 of exponential variables is the logistic variable. See Distribution."""
        shape, logits = self._extended_shape(sample_shape), self.logits
        ones, others = (standard_exponential(shape, logits.dtype).log() for _ in range(2))
        return (ones - others + logits) / self.temperature

    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, self._checked(value))
        gap = logits - value * self.temperature
        temperature = tensor_of(self.temperature, logits.dtype)
        return temperature.log() + gap - 2 * log1p_exp(gap)


class RelaxedBernoulli(TransformedDistribution):
    """A number in (0, 1) that nears a Bernoulli variable where the temperature nears 0.

    Args:
        temperature: positive; a number or a tensor.
        probs: the probability of 1; a number or a tensor.
        logits: its log-odds, in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, or probs is not from 0 to 1.

    Example:
        >>> soft = distributions.RelaxedBernoulli(0.5, logits=pyml.zeros(3, requires_grad=True))
        >>> soft.rsample().requires_grad
        True
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    _parameters = {}

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args)
        TransformedDistribution.__init__(self, base, SigmoidTransform(), validate_args)

    temperature = of_base("temperature")
    logits = of_base("logits")
    probs = of_base("probs")
