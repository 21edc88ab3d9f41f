"""Dimensions of a batch taken for those of an event."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution, checked_distribution
from pyml.distributions.utils import of_base, sum_rightmost
from pyml.ops.shape import as_sizes

__all__ = ["Independent"]


class Independent(Distribution):
    """A distribution whose last batch dimensions belong to the event: log_prob sums over them.

    Args:
        base_distribution: any distribution.
        reinterpreted_batch_ndims: how many dimensions, from 0 to those of its batch_shape.
        validate_args: check values. Default: see Distribution.

    Raises:
        ValueError: if it has no so many dimensions.

    Example:
        >>> normal = distributions.Normal(pyml.zeros(4, 3), 1.0)
        >>> distributions.Independent(normal, 1).log_prob(pyml.zeros(4, 3)).shape
        (4,)
    """

    arg_constraints = {}

    def __init__(self, base_distribution, reinterpreted_batch_ndims, validate_args=None):
        checked_distribution(base_distribution, "Independent", "base_distribution")
        batch = base_distribution.batch_shape
        if not 0 <= reinterpreted_batch_ndims <= len(batch):
            raise ValueError(
                f"Independent: reinterpreted_batch_ndims is {reinterpreted_batch_ndims}, it must "
                f"be from 0 to {len(batch)}: batch_shape is {batch}"
            )
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        cut = len(batch) - reinterpreted_batch_ndims
        Distribution.__init__(
            self, batch[:cut], batch[cut:] + base_distribution.event_shape, validate_args
        )

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Independent, _instance)
        events = self._event_shape[: self.reinterpreted_batch_ndims]
        batch_shape = as_sizes(batch_shape, "expand")
        new.base_dist = self.base_dist.expand(batch_shape + events)
        new.reinterpreted_batch_ndims = self.reinterpreted_batch_ndims
        return self._expanded(new, batch_shape)

    has_rsample = of_base("has_rsample")

    @property
    def has_enumerate_support(self):
        return self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support

    @constraints.dependent_property
    def support(self):
        support, count = self.base_dist.support, self.reinterpreted_batch_ndims
        return constraints.independent(support, count) if count else support

    mean = of_base("mean")
    mode = of_base("mode")
    variance = of_base("variance")

    def sample(self, sample_shape=()):
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value):
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self):
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand=True):
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError(
                "Independent: the values of several numbers are not enumerated; enumerate base_dist"
            )
        return self.base_dist.enumerate_support(expand)

    def __repr__(self):
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"
