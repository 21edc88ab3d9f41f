"""The categorical distribution, of indices and of one-hot vectors."""

import numpy as np

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.odds import Odds
from pyml.distributions.utils import finfo, one_of, standard_exponential
from pyml.grad_mode import no_grad
from pyml.ops import arange, broadcast_shapes
from pyml.tensor import Tensor

__all__ = ["Categorical"]


class Categorical(Odds, Distribution):
    """An index from 0 to K - 1, of probabilities along the last dimension.

    log p(i) = log(probs[i] / sum probs), or logits[i] - logsumexp(logits)

    A draw is the index of the largest probs[i] / E[i], E exponential variables, as in PyTorch.

    Args:
        probs: (..., K), not negative; they are divided by their sum.
        logits: (..., K), logarithms of probabilities up to a constant, in place of probs.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, or probs are negative or sum to 0.

    Example:
        >>> policy = distributions.Categorical(logits=pyml.tensor([[0.0, 0.0], [0.0, 100.0]]))
        >>> policy.sample()[1]
        tensor(1)
        >>> policy.log_prob(pyml.tensor([0, 1]))
        tensor([-0.6931,  0.    ])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _parameters = {"probs": 1, "logits": 1}
    _is_binary = False

    def __init__(self, probs=None, logits=None, validate_args=None):
        ((name, given),) = one_of(probs, logits, "Categorical").items()
        if not isinstance(given, Tensor) or given.ndim < 1:
            raise ValueError(
                f"Categorical: {name} has no dimensions, at least one is needed: that of the "
                "categories"
            )
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
        Distribution.__init__(self, given.shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def _num_events(self):
        return self._param.shape[-1]

    @property
    def mean(self):
        return self._param.detach().sum(-1) * float("nan")

    @property
    def mode(self):
        return self.probs.argmax(-1)

    @property
    def variance(self):
        return self.mean

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with no_grad():
            probs = self.probs.to(np.float64)
            waiting = standard_exponential((*shape, self._num_events), np.float64)
            return (probs / waiting.clamp(min=SMALLEST)).argmax(-1)

    def log_prob(self, value):
        value, logits = self._checked(value).long().unsqueeze(-1), self.logits
        shape = broadcast_shapes(value.shape[:-1], logits.shape[:-1], name="Categorical")
        logits = logits.expand((*shape, logits.shape[-1]))
        return logits.gather(-1, value.expand((*shape, 1))).squeeze(-1)

    def entropy(self):
        logits = self.logits
        return -(logits.clamp(min=float(finfo(logits).min)) * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return self._enumerated(arange(self._num_events), expand)


SMALLEST = float(np.finfo(np.float64).tiny)  # a probability of 0 divided by it is 0, never NaN


class OfCategories(Distribution):
    """A distribution of vectors with a number for each category of a Categorical."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _parameters = {}

    def _take_categorical(self, probs, logits, validate_args):
        """__init__"""
        self._categorical = Categorical(probs, logits, validate_args)
        events = self._categorical.param_shape[-1:]
        Distribution.__init__(self, self._categorical.batch_shape, events, validate_args)

    def expand(self, batch_shape, _instance):
        _instance._categorical = self._categorical.expand(batch_shape)
        return self._expanded(_instance, _instance._categorical.batch_shape)

    @property
    def _param(self):
        return self._categorical._param

    @property
    def probs(self):
        return self._categorical.probs

    @property
    def logits(self):
        return self._categorical.logits

    @property
    def param_shape(self):
        return self._categorical.param_shape
