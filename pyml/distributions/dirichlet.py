"""The Dirichlet distribution."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.utils import finfo, xlogy
from pyml.ops import digamma, expand, lgamma, softmax, where
from pyml.ops.sampling import log_gamma_variable
from pyml.tensor import Tensor

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """The Dirichlet distribution on vectors of K probabilities.

    p(x) = gamma(sum a) prod x_k^(a_k - 1) / gamma(a_k)

    Args:
        concentration: (..., K), positive.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if it has no dimensions, or is not positive.

    Example:
        >>> distributions.Dirichlet(pyml.tensor([1.0, 3.0])).mean
        tensor([0.25, 0.75])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _parameters = {"concentration": 1}

    def __init__(self, concentration, validate_args=None):
        if not isinstance(concentration, Tensor) or concentration.ndim < 1:
            raise ValueError(
                "Dirichlet: concentration must be a Tensor with at least one dimension: that of "
                "the categories"
            )
        self.concentration = concentration
        shape = concentration.shape
        Distribution.__init__(self, shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self):
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self):
        a = self.concentration.detach()
        above = (a - 1).clamp(min=0)
        largest = where(a == a.amax(-1, True), 1.0, a * 0)
        flat = largest / largest.sum(-1, True)
        return where((a < 1).all(-1, True), flat, above / above.sum(-1, True))

    @property
    def variance(self):
        total, a = self.concentration.sum(-1, True), self.concentration
        return a * (total - a) / (total**2 * (total + 1))

    def rsample(self, sample_shape=()):
        """Gamma variables divided by their sum, computed from logarithms. See Gamma.rsample.

        What would round to 0 or 1, where the density may be infinite, is the number beside it.
        """
        shape = self._extended_shape(sample_shape)
        x = softmax(log_gamma_variable(expand(self.concentration, shape)), -1)
        return x.clamp(float(finfo(x).tiny), 1 - float(finfo(x).epsneg))

    def log_prob(self, value):
        value, a = self._checked(value), self.concentration
        return xlogy(a - 1, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self):
        a, count = self.concentration, self._event_shape[0]
        total = a.sum(-1)
        return (
            lgamma(a).sum(-1)
            - lgamma(total)
            - (count - total) * digamma(total)
            - ((a - 1) * digamma(a)).sum(-1)
        )
