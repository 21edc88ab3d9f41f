"""The Wishart distribution."""

import math
import warnings

from pyml.distributions import constraints
from pyml.distributions.covariance import Covariance, one_matrix
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.matrices import cholesky, diag_embed, diagonal, solve_lower
from pyml.distributions.utils import (
    finfo,
    multidigamma,
    multigammaln,
    standard_normal,
    sum_rightmost,
    tensor_of,
)
from pyml.ops import arange, broadcast_shapes, expand, matmul, tril, where
from pyml.ops.sampling import log_gamma_variable
from pyml.recorder import is_recording

__all__ = ["Wishart"]


class Wishart(Covariance, ExponentialFamily):
    """The distribution of sums of df products x x^T, x normal vectors of n numbers and mean 0.

    p(X) ~ det(X)^((df - n - 1) / 2) exp(-trace(V^-1 X) / 2), V the covariance of x

    Args:
        df: degrees of freedom, above n - 1, not only integers; a number or a tensor.
        covariance_matrix: V, (..., n, n), symmetric and positive definite.
        precision_matrix: its inverse, in place of it.
        scale_tril: its lower Cholesky factor, in place of it: the fastest.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: unless one of the three matrices is given, of that form, or if df is too small.

    Warns:
        UserWarning: if df is below n, where many draws are singular to the digits that there are.

    Example:
        >>> distributions.Wishart(4.0, pyml.eye(2)).mean
        tensor([[4., 0.],
                [0., 4.]])
    """

    support = constraints.positive_definite
    has_rsample = True
    _parameters = {"df": 0, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}

    @property
    def arg_constraints(self):
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def __init__(
        self,
        df,
        covariance_matrix=None,
        precision_matrix=None,
        scale_tril=None,
        validate_args=None,
    ):
        word, matrix = one_matrix("Wishart", covariance_matrix, precision_matrix, scale_tril)
        if matrix.shape[-1] != matrix.shape[-2]:
            raise ValueError(
                f"Wishart: {word} has shape {matrix.shape}, it must have as many rows as columns"
            )
        df = tensor_of(df, matrix.dtype)
        batch = broadcast_shapes(matrix.shape[:-2], df.shape, name="Wishart")
        self.df = expand(df, batch)
        self._take_covariance(word, matrix, batch, matrix.shape[-2:], validate_args)
        if self._validates() and (df.detach() < matrix.shape[-1]).any():
            warnings.warn(
                f"Wishart: df is below {matrix.shape[-1]}, the size of the matrices; many draws "
                "will be singular",
                stacklevel=2,
            )

    @property
    def _size(self):
        return self._event_shape[0]

    def _beside_matrices(self, x):
        """Numbers of the batch in the dimensions of its matrices."""
        return x.unsqueeze(-1).unsqueeze(-1)

    @property
    def mean(self):
        return self._beside_matrices(self.df) * self.covariance_matrix

    @property
    def mode(self):
        factor = self.df.detach() - self._size - 1
        factor = where(factor <= 0, float("nan"), factor)
        return self._beside_matrices(factor) * self.covariance_matrix

    @property
    def variance(self):
        v = self.covariance_matrix
        variances = diagonal(v)
        products = variances.unsqueeze(-1) * variances.unsqueeze(-2)
        return self._beside_matrices(self.df) * (v * v + products)

    def _draw(self, shape):
        """L A A^T L^T of Bartlett: A lower triangular, of chi and normal variables."""
        half = (self.df.unsqueeze(-1) - arange(self._size, dtype=self.df.dtype)) / 2
        log_squares = log_gamma_variable(expand(half, shape[:-1])) + math.log(2)
        roots = (log_squares / 2).exp()
        roots = roots.clamp(min=float(finfo(roots).eps))
        lower = tril(standard_normal(shape, roots.dtype), -1) + diag_embed(roots)
        factor = matmul(self._factor, lower)
        return matmul(factor, factor.mT)

    def rsample(self, sample_shape=(), max_try_correction=10):
        """Draws with gradients to df and to the covariance. See Gamma.rsample.

        Odell & Feiveson 1966, "A numerical procedure to generate a sample covariance matrix".

        Args:
            sample_shape: how many. Default: (), one.
            max_try_correction: how often draws that are singular to the digits that there are, are
                drawn anew; not in a recorded step. Default: 10.
        """
        shape = self._extended_shape(sample_shape)
        draw = self._draw(shape)
        for _ in range(0 if is_recording() else max_try_correction):
            regular = self.support.check(draw.detach())
            if regular.all():
                break
            draw = where(self._beside_matrices(regular), draw, self._draw(shape))
        return draw

    def log_prob(self, value):
        n, df = self._size, self.df
        factor = cholesky(self._checked(value), "Wishart: value")
        log_det = 2 * diagonal(factor).log().sum(-1)
        trace = sum_rightmost(solve_lower(self._factor, factor) ** 2, 2)
        log_norm = df / 2 * (n * math.log(2) + self._log_det()) + multigammaln(df / 2, n)
        return (df - n - 1) / 2 * log_det - trace / 2 - log_norm

    def entropy(self):
        n, half = self._size, self.df / 2
        scale = (n + 1) / 2 * (n * math.log(2) + self._log_det())
        moment = (half - (n + 1) / 2) * multidigamma(half, n)  # of (df - n - 1) / 2 log det X
        return scale + multigammaln(half, n) - moment + half * n
