"""What distributions of a probability share, which is given as it is or by its log-odds."""

import numpy as np

from pyml.distributions.utils import derived, is_float, logits_to_probs, probs_to_logits
from pyml.tensor import Tensor


class Odds:
    """A distribution with probs or logits, its log-odds: one is given, the other follows."""

    _is_binary = True  # the probability of 1; else of each category, logits being logarithms

    @derived
    def logits(self):
        return probs_to_logits(self.probs, self._is_binary)

    @derived
    def probs(self):
        return logits_to_probs(self.logits, self._is_binary)

    @property
    def _param(self):
        return self.probs if "probs" in self.__dict__ else self.logits

    @property
    def param_shape(self):
        return self._param.shape


def count_beside(total_count, given):
    """A total_count in the dtype of the probs or logits that one_of tells."""
    (value,) = given.values()
    if not isinstance(total_count, Tensor):
        return total_count
    if isinstance(value, Tensor):
        return total_count.to(value.dtype)
    return total_count if is_float(total_count.dtype) else total_count.to(np.float32)
