"""The negative binomial distribution."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.odds import Odds, count_beside
from pyml.distributions.utils import broadcast_all, log1p_exp, one_of
from pyml.ops import expand, lgamma, sampling, sigmoid, where

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Odds, Distribution):
    """How many trials succeed before a number of them have failed.

    p(k) = gamma(n + k) / (k! gamma(n)) (1 - p)^n p^k, k = 0, 1, ...

    Args:
        total_count: the number n of failures, not negative, any real; a number or a tensor.
        probs: the probability p of a success, below 1; a number or a tensor.
        logits: its log-odds, in place of probs. total_count and it broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none of probs and logits are given, or one is out of range.

    Example:
        >>> distributions.NegativeBinomial(3, pyml.tensor([0.5, 0.75])).mean
        tensor([3., 9.])
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    _parameters = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        given = one_of(probs, logits, "NegativeBinomial")
        self._take(validate_args, total_count=count_beside(total_count, given), **given)

    @property
    def mean(self):
        return self.total_count * self.logits.exp()

    @property
    def mode(self):
        """The integer part of (n - 1) p / (1 - p).."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self):
        return self.mean / sigmoid(-self.logits)

    def sample(self, sample_shape=()):
        """Poisson variables whose means are gamma variables."""
        count = expand(self.total_count.detach(), self._extended_shape(sample_shape))
        return sampling.poisson((sampling.log_gamma_variable(count) + self.logits.detach()).exp())

    def log_prob(self, value):
        n, logits, value = broadcast_all(self.total_count, self.logits, self._checked(value))
        odds = -n * log1p_exp(logits) - value * log1p_exp(-logits)
        n = where(n + value == 0, 1.0, n)  # then 0 is certain, and two terms are infinite
        return odds + lgamma(n + value) - lgamma(1 + value) - lgamma(n)
