"""The multinomial distribution."""

import math

import numpy as np

from pyml.distributions import constraints
from pyml.distributions.binomial import Binomial
from pyml.distributions.categorical import SMALLEST, OfCategories
from pyml.distributions.utils import broadcast_all
from pyml.grad_mode import no_grad
from pyml.ops import cat, expand, full, lgamma, sampling, stack, where, zeros
from pyml.ops.shape import integer

__all__ = ["Multinomial"]


class Multinomial(OfCategories):
    """How many of a number of draws of a Categorical fall on each of its K categories.

    p(x) = n! prod probs_k^(x_k) / x_k!, sum x = n

    log_prob takes n from the value.

    Args:
        total_count: the number n of draws, an integer from 0 on. Default: 1.
        probs: (..., K), not negative; they are divided by their sum.
        logits: (..., K), logarithms of probabilities up to a constant, in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, probs are negative or sum to 0, or total_count is.

    Example:
        >>> distributions.Multinomial(10, pyml.tensor([1.0, 4.0])).mean
        tensor([2., 8.])
    """

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        self.total_count = integer(total_count, "Multinomial: total_count")
        if self.total_count < 0:
            raise ValueError(f"Multinomial: total_count is {total_count}, it must not be negative")
        self._take_categorical(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Multinomial, _instance)
        new.total_count = self.total_count
        return super().expand(batch_shape, new)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def variance(self):
        probs = self.probs
        return self.total_count * probs * (1 - probs)

    def sample(self, sample_shape=()):
        """By halves: a binomial variable says how many of a half are of its first half."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            probs = self.probs.to(np.float64)
            categories = 2 ** max(shape[-1] - 1, 0).bit_length()
            missing = zeros((*probs.shape[:-1], categories - shape[-1]), dtype=np.float64)
            sums = [cat([probs, missing], -1)]  # of 1, 2, 4, ... neighbouring categories
            while sums[-1].shape[-1] > 1:
                sums.append(sums[-1].unflatten(-1, (-1, 2)).sum(-1))
            counts = full((*shape[:-1], 1), self.total_count, dtype=np.float64)
            for total, parts in zip(sums[:0:-1], sums[-2::-1], strict=True):
                share = parts.unflatten(-1, (-1, 2))[..., 0] / total.clamp(min=SMALLEST)
                first = sampling.binomial(counts, expand(share, counts.shape))
                counts = stack([first, counts - first], -1).flatten(-2)
            return counts[..., : shape[-1]].to(self._param.dtype)

    def log_prob(self, value):
        logits, value = broadcast_all(self.logits, self._checked(value))
        powers = where(value == 0, 0.0, value * where(value == 0, 0.0, logits)).sum(-1)
        return lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1) + powers

    def entropy(self):
        n = self.total_count
        each = Binomial(n, self.probs, validate_args=False)
        counts = each.enumerate_support(False)
        log_factorials = (each.log_prob(counts).exp() * lgamma(counts + 1)).sum((0, -1))
        return n * self._categorical.entropy() - math.lgamma(n + 1) + log_factorials

    def __repr__(self):
        return f"{type(self).__name__}(total_count: {self.total_count}, {self._categorical!r})"
