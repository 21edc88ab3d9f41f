"""The categorical distribution of one-hot vectors."""

from pyml.distributions import constraints
from pyml.distributions.categorical import OfCategories
from pyml.grad_mode import no_grad
from pyml.ops import arange, eye

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


def one_hot(index, count, dtype):
    return (index.unsqueeze(-1) == arange(count)).to(dtype)


class OneHotCategorical(OfCategories):
    """A vector of K numbers, one of which is 1, the others 0. See Categorical.

    Args:
        probs: (..., K), not negative; they are divided by their sum.
        logits: (..., K), logarithms of probabilities up to a constant, in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, or probs are negative or sum to 0.

    Example:
        >>> distributions.OneHotCategorical(pyml.tensor([0.0, 1.0, 0.0])).sample()
        tensor([0., 1., 0.])
    """

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take_categorical(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(OneHotCategorical, _instance)
        return super().expand(batch_shape, new)

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        return one_hot(self._categorical.mode, self._event_shape[0], self._param.dtype)

    @property
    def variance(self):
        probs = self.probs
        return probs * (1 - probs)

    def sample(self, sample_shape=()):
        with no_grad():
            index = self._categorical.sample(sample_shape)
            return one_hot(index, self._event_shape[0], self._param.dtype)

    def log_prob(self, value):
        return self._categorical.log_prob(self._checked(value).argmax(-1))

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        return self._enumerated(eye(self._event_shape[0], dtype=self._param.dtype), expand)

    def __repr__(self):
        return f"{type(self).__name__}({self._categorical!r})"


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical with rsample: a draw whose gradient is that of the probabilities.

    Bengio, Leonard & Courville 2013 (arXiv:1308.3432). See OneHotCategorical for the arguments.
    """

    has_rsample = True

    def rsample(self, sample_shape=()):
        """sample() + probs - probs.detach(). See Distribution."""
        probs = self.probs
        return self.sample(sample_shape) + (probs - probs.detach())
