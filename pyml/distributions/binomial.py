"""The binomial distribution."""

import numbers

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.odds import Odds, count_beside
from pyml.distributions.utils import broadcast_all, log1p_exp, one_of
from pyml.ops import arange, expand, lgamma, sampling

__all__ = ["Binomial"]


class Binomial(Odds, Distribution):
    """How many of a number of trials succeed.

    p(k) = n! / (k! (n - k)!) p^k (1 - p)^(n - k), k = 0, ..., n

    Args:
        total_count: the number n of trials; an integer or a tensor. Default: 1.
        probs: the probability p of a success; a number or a tensor.
        logits: its log-odds, in place of probs. total_count and it broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none of probs and logits are given, or one is out of range.

    Example:
        >>> distributions.Binomial(10, pyml.tensor([0.0, 0.5, 1.0])).mean
        tensor([ 0.,  5., 10.])
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    _parameters = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        given = one_of(probs, logits, "Binomial")
        self._take(validate_args, total_count=count_beside(total_count, given), **given)
        self._count = int(total_count) if isinstance(total_count, numbers.Number) else None

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._count = self._count
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count.detach())

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        """The integer part of (n + 1) p.."""
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self):
        probs = self.probs
        return self.total_count * probs * (1 - probs)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        count, probs = self.total_count.detach(), self.probs.detach()
        return sampling.binomial(expand(count, shape), expand(probs, shape))

    def log_prob(self, value):
        n, logits, value = broadcast_all(self.total_count, self.logits, self._checked(value))
        ways = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        return ways + value * logits - n * log1p_exp(logits)

    def _one_count(self, name):
        """total_count as an integer, if it is one for the whole batch."""
        if self._count is not None:
            return self._count
        counts = self.total_count.detach()
        most = int(counts.max())
        if not (counts == most).all():
            raise NotImplementedError(
                f"Binomial: {name} is not there where total_count has several values"
            )
        return most

    def enumerate_support(self, expand=True):
        count = self._one_count("enumerate_support")
        return self._enumerated(arange(count + 1, dtype=self._param.dtype), expand)

    def entropy(self):
        values = arange(self._one_count("entropy") + 1, dtype=self._param.dtype)
        log_prob = self.log_prob(self._enumerated(values, False))
        return -(log_prob.exp() * log_prob).sum(0)
