"""The absolute values of variables that are symmetric about 0."""

import math

from pyml.distributions import constraints
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import AbsTransform
from pyml.distributions.utils import of_base
from pyml.ops import where


class Folded(TransformedDistribution):
    """The absolute value of a variable of a `base` with the parameters loc, here 0, and scale."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    _parameters = {}

    def __init__(self, base, scale, validate_args):
        TransformedDistribution.__init__(self, base(0, scale, False), AbsTransform(), validate_args)

    scale = of_base("scale")

    @property
    def mode(self):
        return self.scale * 0

    def log_prob(self, value):
        value = self._checked(value)
        log_prob = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, log_prob, -math.inf)

    def entropy(self):
        return self.base_dist.entropy() - math.log(2)
