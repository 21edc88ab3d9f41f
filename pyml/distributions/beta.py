"""The beta distribution."""

from pyml.distributions import constraints
from pyml.distributions.dirichlet import Dirichlet
from pyml.distributions.distribution import Distribution
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.utils import broadcast_all
from pyml.ops import stack

__all__ = ["Beta"]


class Beta(ExponentialFamily):
    """The beta distribution on [0, 1].

    p(x) = x^(a - 1) (1 - x)^(b - 1) gamma(a + b) / (gamma(a) gamma(b))

    Args:
        concentration1: a, positive; a number or a tensor.
        concentration0: b, positive; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if one is not positive.

    Example:
        >>> distributions.Beta(pyml.tensor([1.0, 3.0]), 1.0).mean
        tensor([0.5 , 0.75])
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True
    _parameters = {}

    def __init__(self, concentration1, concentration0, validate_args=None):
        both = stack(broadcast_all(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, False)
        Distribution.__init__(self, both.shape[:-1], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Beta, _instance)
        new._dirichlet = self._dirichlet.expand(batch_shape)
        return self._expanded(new, new._dirichlet.batch_shape)

    @property
    def concentration1(self):
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self):
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self):
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self):
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self):
        a, b = self.concentration1, self.concentration0
        total = a + b
        return a * b / (total**2 * (total + 1))

    def rsample(self, sample_shape=()):
        """The first of two of a Dirichlet distribution. See Gamma.rsample."""
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value):
        value = self._checked(value)
        return self._dirichlet.log_prob(stack([value, 1 - value], -1))

    def entropy(self):
        return self._dirichlet.entropy()

    def __repr__(self):
        a, b = self.concentration1.detach(), self.concentration0.detach()
        shown = (a, b) if a.numel() == 1 else (a.shape, b.shape)
        return f"Beta(concentration1: {shown[0]}, concentration0: {shown[1]})"
