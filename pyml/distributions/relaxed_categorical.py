"""Categorical variables made continuous, with gradients."""

import math

from pyml.distributions import constraints
from pyml.distributions.categorical import OfCategories
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import ExpTransform
from pyml.distributions.utils import broadcast_all, of_base, standard_exponential, tensor_of
from pyml.ops import log_softmax

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(OfCategories):
    """The logarithm of a RelaxedOneHotCategorical.

    Maddison, Mnih & Teh 2017 (arXiv:1611.00712), appendix B. See RelaxedOneHotCategorical.
    """

    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._take_categorical(probs, logits, validate_args)
        self.temperature = temperature

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(ExpRelaxedCategorical, _instance)
        new.temperature = self.temperature
        return super().expand(batch_shape, new)

    def rsample(self, sample_shape=()):
        """log_softmax((logits - log E) / temperature), E exponential. See Distribution."""
        shape, logits = self._extended_shape(sample_shape), self.logits
        gumbel = -standard_exponential(shape, logits.dtype).log()
        return log_softmax((logits + gumbel) / self.temperature, -1)

    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, self._checked(value))
        count = self._event_shape[0]
        temperature = tensor_of(self.temperature, logits.dtype)
        scores = log_softmax(logits - value * self.temperature, -1).sum(-1)
        return scores + (count - 1) * temperature.log() + math.lgamma(count)


class RelaxedOneHotCategorical(TransformedDistribution):
    """A vector of probabilities that nears a one-hot one where the temperature nears 0.

    Jang, Gu & Poole 2017 (arXiv:1611.01144), the Gumbel-softmax distribution.

    Args:
        temperature: positive; a number or a tensor.
        probs: (..., K), not negative; they are divided by their sum.
        logits: (..., K), logarithms of probabilities up to a constant, in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, or probs are negative or sum to 0.

    Example:
        >>> soft = distributions.RelaxedOneHotCategorical(0.5, logits=pyml.zeros(3))
        >>> soft.sample((4,)).shape
        (4, 3)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    _parameters = {}

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args)
        TransformedDistribution.__init__(self, base, ExpTransform(), validate_args)

    temperature = of_base("temperature")
    logits = of_base("logits")
    probs = of_base("probs")
