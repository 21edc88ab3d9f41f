"""The distribution of Lewandowski, Kurowicka and Joe, of factors of correlation matrices."""

import math

from pyml.distributions import constraints
from pyml.distributions.beta import Beta
from pyml.distributions.distribution import Distribution
from pyml.distributions.matrices import diag_embed, diagonal
from pyml.distributions.utils import broadcast_all, finfo, multigammaln, standard_normal
from pyml.grad_mode import no_grad
from pyml.ops import arange, cat, lgamma, ones_like, tril
from pyml.ops.shape import as_sizes, integer

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Lower Cholesky factors L of correlation matrices: p(L L^T) ~ det(L L^T)^(c - 1).

    All correlation matrices are as likely where c, the concentration, is 1.

    Lewandowski, Kurowicka & Joe 2009, "Generating random correlation matrices based on vines and
    extended onion method".

    Args:
        dim: the size of the matrices, from 2 on.
        concentration: c, positive; a number or a tensor. Default: 1.
        validate_args: check it, and values. Default: see Distribution.

    Raises:
        ValueError: if dim is below 2, or concentration not positive.

    Example:
        >>> distributions.LKJCholesky(3, 0.5).sample().shape
        (3, 3)
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _parameters = {"concentration": 0}

    def __init__(self, dim, concentration=1.0, validate_args=None):
        self.dim = integer(dim, "LKJCholesky: dim")
        if self.dim < 2:
            raise ValueError(f"LKJCholesky: dim is {dim}, it must be at least 2")
        (self.concentration,) = broadcast_all(concentration)
        shape = self.concentration.shape
        Distribution.__init__(self, shape, (self.dim, self.dim), validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new.dim = self.dim
        return new

    def sample(self, sample_shape=()):
        """By the onion method: a row is a direction whose squared length is a Beta variable."""
        shape, dim = self._extended_shape(sample_shape), self.dim
        with no_grad():
            concentration = self.concentration
            i = arange(1, dim, dtype=concentration.dtype)
            rest = concentration.unsqueeze(-1) + (dim - 1 - i) / 2
            squares = Beta(i / 2, rest, False)._dirichlet.rsample(as_sizes(sample_shape, "sample"))
            lengths, ends = squares.sqrt().unbind(-1)
            one = ones_like(lengths[..., :1])
            directions = tril(standard_normal(shape, concentration.dtype), -1)
            tiny = float(finfo(directions).tiny)
            directions = directions / directions.norm(2, -1, True).clamp(min=tiny)
            lengths = cat([one, lengths], -1).unsqueeze(-1)
            return lengths * directions + diag_embed(cat([one, ends], -1))

    def log_prob(self, value):
        below, c = self.dim - 1, self.concentration
        ends = diagonal(self._checked(value))[..., 1:]
        powers = 2 * (c.unsqueeze(-1) - 1) + arange(below - 1, -1, -1, dtype=c.dtype)
        a = c + below / 2
        log_norm = multigammaln(a - 0.5, below) - below * lgamma(a) + below * math.log(math.pi) / 2
        return (powers * ends.log()).sum(-1) - log_norm
