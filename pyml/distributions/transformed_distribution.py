"""Distributions of functions of random variables."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution, checked_distribution
from pyml.distributions.independent import Independent
from pyml.distributions.transforms import ComposeTransform, Transform, with_events
from pyml.distributions.utils import of_base, sum_rightmost
from pyml.errors import KindError
from pyml.grad_mode import no_grad
from pyml.ops.shape import as_sizes

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of y = f(x), f transforms one after another.

    log p(y) = log p(x) - log |dy / dx|

    Args:
        base_distribution: that of x.
        transforms: a Transform or a list of them; the first is applied first.
        validate_args: check values. Default: see Distribution.

    Raises:
        TypeError: for what is no Transform.
        ValueError: if the base has fewer dimensions than the transforms need.

    Example:
        >>> base = distributions.Normal(pyml.zeros(3), 1.0)
        >>> squashed = distributions.TransformedDistribution(base, distributions.TanhTransform())
        >>> bool((squashed.sample((100,)).abs() <= 1).all())
        True
    """

    arg_constraints = {}
    _parameters = {}

    def __init__(self, base_distribution, transforms, validate_args=None):
        checked_distribution(base_distribution, "TransformedDistribution", "base_distribution")
        transforms = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(transforms, (list, tuple)) or not all(
            isinstance(t, Transform) for t in transforms
        ):
            raise KindError(
                "TransformedDistribution: transforms must be a Transform or a list of them, not "
                f"{transforms!r}"
            )
        self.transforms = list(transforms)
        transform = ComposeTransform(self.transforms)
        needed, changed = transform.domain.event_dim, transform.codomain.event_dim
        shape = base_distribution.batch_shape + base_distribution.event_shape
        events = len(base_distribution.event_shape)
        if len(shape) < needed:
            raise ValueError(
                f"TransformedDistribution: base_distribution has shape {shape}, the transforms "
                f"need {needed} dimensions"
            )
        result = tuple(transform.forward_shape(shape))
        wanted = tuple(transform.inverse_shape(result))
        if wanted != shape:
            base_distribution = base_distribution.expand(wanted[: len(wanted) - events])
        if needed > events:
            base_distribution = Independent(base_distribution, needed - events)
        self.base_dist = base_distribution
        cut = len(result) - max(changed, events + changed - needed)
        Distribution.__init__(self, result[:cut], result[cut:], validate_args)

    def expand(self, batch_shape, _instance=None):
        batch_shape = as_sizes(batch_shape, "expand")
        new = self._with_parameters(batch_shape, _instance)
        shape = batch_shape + self._event_shape
        for transform in reversed(self.transforms):
            shape = transform.inverse_shape(shape)
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        new.transforms = self.transforms
        return self._expanded(new, batch_shape)

    @constraints.dependent_property(is_discrete=False)
    def support(self):
        if not self.transforms:
            return self.base_dist.support
        return with_events(self.transforms[-1].codomain, len(self._event_shape))

    has_rsample = of_base("has_rsample")

    def sample(self, sample_shape=()):
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape=()):
        """f(base_dist.rsample()). See Distribution."""
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _transformed(self, x):
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value):
        y = self._checked(value)
        events, total = len(self._event_shape), None
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            events += transform.domain.event_dim - transform.codomain.event_dim
            term = transform.log_abs_det_jacobian(x, y)
            term = sum_rightmost(term, events - transform.domain.event_dim)
            total = -term if total is None else total - term
            y = x
        term = self.base_dist.log_prob(y)
        term = sum_rightmost(term, events - len(self.base_dist.event_shape))
        return term if total is None else total + term

    def _turned(self, probability):
        """1 - probability where the transforms are decreasing."""
        sign = ComposeTransform(self.transforms).sign
        if isinstance(sign, int) and sign == 1:
            return probability
        return sign * (probability - 0.5) + 0.5

    def cdf(self, value):
        given = value
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        if self._validate_args:  # also where the base, whose parameters are this one's, does not
            try:
                self.base_dist._validate_sample(value)
            except ValueError as error:
                name = type(self).__name__
                raise ValueError(f"{name}: of value {given}, its base: {error}") from None
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value):
        return self._transformed(self.base_dist.icdf(self._turned(value)))

    def __repr__(self):
        if type(self) is not TransformedDistribution:
            return Distribution.__repr__(self)
        return f"TransformedDistribution({self.base_dist}, {self.transforms})"
