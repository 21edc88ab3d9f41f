"""Mixtures of distributions of one family."""

from pyml.distributions import constraints
from pyml.distributions.categorical import Categorical
from pyml.distributions.distribution import Distribution, checked_distribution
from pyml.grad_mode import no_grad
from pyml.ops.shape import as_sizes

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A distribution that is drawn from K of one family, which lie along the last batch dimension.

    p(x) = sum over k of probs[k] p_k(x)

    Args:
        mixture_distribution: a Categorical of K.
        component_distribution: a distribution whose batch_shape ends in K.
        validate_args: check values. Default: see Distribution.

    Raises:
        TypeError: for a mixture that is no Categorical.
        ValueError: for shapes that do not fit.

    Example:
        >>> mixture = distributions.Categorical(pyml.tensor([0.25, 0.75]))
        >>> components = distributions.Normal(pyml.tensor([-1.0, 1.0]), 0.5)
        >>> distributions.MixtureSameFamily(mixture, components).mean
        tensor(0.5)
    """

    arg_constraints = {}

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        if not isinstance(mixture_distribution, Categorical):
            raise TypeError(
                "MixtureSameFamily: mixture_distribution is a "
                f"{type(mixture_distribution).__name__}, it must be a Categorical"
            )
        checked_distribution(component_distribution, "MixtureSameFamily", "component_distribution")
        wanted = (*mixture_distribution.batch_shape, mixture_distribution._num_events)
        shape = component_distribution.batch_shape
        ends = zip(reversed(wanted[:-1]), reversed(shape[:-1]), strict=False)
        if shape[-1:] != wanted[-1:] or any(a != b and a != 1 for a, b in ends):
            raise ValueError(
                f"MixtureSameFamily: component_distribution has batch_shape {shape}, the mixture "
                f"needs {wanted}"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        Distribution.__init__(self, shape[:-1], component_distribution.event_shape, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        batch_shape = as_sizes(batch_shape, "expand")
        count = self._mixture_distribution._num_events
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._component_distribution = self._component_distribution.expand((*batch_shape, count))
        return self._expanded(new, batch_shape)

    @property
    def mixture_distribution(self):
        return self._mixture_distribution

    @property
    def component_distribution(self):
        return self._component_distribution

    @constraints.dependent_property
    def support(self):
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    def _shares(self):
        """The probabilities, in the dimensions of a mean of the components."""
        probs = self._mixture_distribution.probs
        return probs.reshape((*probs.shape, *(1 for _ in self._event_shape)))

    def _summed(self, x):
        return x.sum(-1 - len(self._event_shape))

    def _apart(self, value):
        """A value beside a dimension for the components."""
        return value.unsqueeze(-1 - len(self._event_shape))

    @property
    def mean(self):
        return self._summed(self._shares() * self._component_distribution.mean)

    @property
    def variance(self):
        """The mean of the variances, and the variance of the means."""
        shares, component = self._shares(), self._component_distribution
        distance = component.mean - self._apart(self.mean)
        return self._summed(shares * component.variance) + self._summed(shares * distance**2)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        events = len(self._event_shape)
        with no_grad():
            batch = shape[: len(shape) - events]
            choice = self._mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            draws = self._component_distribution.sample(sample_shape)
            index = choice.reshape((*batch, 1, *(1 for _ in self._event_shape)))
            index = index.expand((*batch, 1, *self._event_shape))
            return draws.gather(len(batch), index).squeeze(len(batch))

    def log_prob(self, value):
        value = self._apart(self._checked(value))
        log_prob = self._component_distribution.log_prob(value)
        return (log_prob + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def cdf(self, value):
        cdf = self._component_distribution.cdf(self._apart(value))
        return (cdf * self._mixture_distribution.probs).sum(-1)

    def __repr__(self):
        return (
            f"MixtureSameFamily(\n  {self._mixture_distribution},\n  "
            f"{self._component_distribution})"
        )
