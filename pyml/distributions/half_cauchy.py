"""The absolute value of a Cauchy variable."""

import math

from pyml.distributions.cauchy import Cauchy
from pyml.distributions.folded import Folded
from pyml.distributions.utils import of_base
from pyml.ops import atan2, full_like

__all__ = ["HalfCauchy"]


class HalfCauchy(Folded):
    """The absolute value of a Cauchy variable of median 0.

    Args:
        scale: that of the variable, positive, and the median; a number or a tensor.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if scale is not positive.

    Example:
        >>> distributions.HalfCauchy(1.0).cdf(pyml.tensor([0.0, 1.0]))
        tensor([0. , 0.5])
    """

    _parameters = {}

    def __init__(self, scale, validate_args=None):
        Folded.__init__(self, Cauchy, scale, validate_args)

    @property
    def mean(self):
        return full_like(self.scale.detach(), math.inf)

    variance = of_base("variance")

    def cdf(self, value):
        return atan2(self._checked(value), self.scale) * (2 / math.pi)

    def icdf(self, value):
        angle = value * (math.pi / 2)
        return self.scale * angle.sin() / angle.cos()
