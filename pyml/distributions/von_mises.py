"""The von Mises distribution."""

import math

import numpy as np

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.utils import location
from pyml.ops import expand, i0e, i1e, sampling

__all__ = ["VonMises"]


class VonMises(Distribution):
    """The von Mises distribution of angles, the normal one of the circle.

    p(x) = exp(k cos(x - loc)) / (2 pi I_0(k)), k the concentration, I_0 Bessel's function

    Values are angles in radians, of any number of turns; draws are in [-pi, pi].

    Args:
        loc: the mean direction, in radians; a number or a tensor.
        concentration: k, positive; they broadcast.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if concentration is not positive, or loc is NaN.

    Example:
        >>> distributions.VonMises(0.0, pyml.tensor([1.0])).log_prob(pyml.tensor([0.0]))
        tensor([-1.0738])
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _parameters = {"loc": 0, "concentration": 0}

    def __init__(self, loc, concentration, validate_args=None):
        self._take(validate_args, loc=loc, concentration=concentration)

    mean = mode = location

    @property
    def variance(self):
        """The circular variance, 1 - E cos(x - loc) = 1 - I_1(k) / I_0(k), computed in float64."""
        k = self.concentration.to(np.float64)
        return (1 - i1e(k) / i0e(k)).to(self.concentration.dtype)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        loc, concentration = self.loc.detach(), self.concentration.detach()
        return sampling.von_mises(expand(loc, shape), expand(concentration, shape))

    def log_prob(self, value):
        below = -2 * ((self._checked(value) - self.loc) / 2).sin() ** 2  # cos(x - loc) - 1
        norm = i0e(self.concentration).log() + math.log(2 * math.pi)
        return self.concentration * below - norm
