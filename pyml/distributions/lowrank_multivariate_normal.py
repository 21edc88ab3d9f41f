"""The normal distribution of vectors, with a covariance of low rank and a diagonal."""

from pyml.distributions import constraints
from pyml.distributions.covariance import checked_parameter
from pyml.distributions.distribution import Distribution
from pyml.distributions.matrices import (
    cholesky,
    diag_embed,
    diagonal,
    solve_lower,
    times_vector,
)
from pyml.distributions.normal import LOG_ROOT_2PI
from pyml.distributions.utils import derived, location, standard_normal
from pyml.ops import broadcast_shapes, cat, expand, eye, matmul

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers with covariance W W^T + diag(d).

    With C = 1 + W^T diag(1/d) W, m by m, Woodbury's identities give determinant and inverse:
    det(W W^T + diag(d)) = det C prod d,
    (W W^T + diag(d))^-1 = diag(1/d) - diag(1/d) W C^-1 W^T diag(1/d)

    Args:
        loc: (..., n), the mean.
        cov_factor: W, (..., n, m), m small.
        cov_diag: d, (..., n), positive.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if their shapes do not fit, or cov_diag is not positive.

    Example:
        >>> factor, diag = pyml.tensor([[1.0], [0.5]]), pyml.ones(2)
        >>> distributions.LowRankMultivariateNormal(pyml.zeros(2), factor, diag).variance
        tensor([2.  , 1.25])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = {"loc": 1, "cov_factor": 2, "cov_diag": 1}

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        name = "LowRankMultivariateNormal"
        checked_parameter(loc, 1, name, "loc")
        checked_parameter(cov_factor, 2, name, "cov_factor")
        checked_parameter(cov_diag, 1, name, "cov_diag")
        n = loc.shape[-1]
        if cov_factor.shape[-2] != n or cov_diag.shape[-1] != n:
            raise ValueError(
                f"{name}: loc has {n} numbers (shape {loc.shape}), cov_factor has shape "
                f"{cov_factor.shape} and cov_diag {cov_diag.shape}; as many rows and numbers are "
                "needed"
            )
        batch = broadcast_shapes(
            loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1], name=name
        )
        self.loc, self.cov_diag = expand(loc, (*batch, n)), expand(cov_diag, (*batch, n))
        self.cov_factor = expand(cov_factor, batch + cov_factor.shape[-2:])
        Distribution.__init__(self, batch, (n,), validate_args)
        self._factor, self._diag = cov_factor, cov_diag
        over_diag = self._over_diag()
        inner = matmul(over_diag, cov_factor) + eye(cov_factor.shape[-1], dtype=cov_factor.dtype)
        self._inner_factor = cholesky(inner, f"{name}: the covariance")

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._factor, new._diag = self._factor, self._diag
        new._inner_factor = self._inner_factor
        return new

    def _over_diag(self):
        """W^T diag(1/d)"""
        return self._factor.mT / self._diag.unsqueeze(-2)

    def _whitening(self):
        """A with A^T A = diag(1/d) W C^-1 W^T diag(1/d)"""
        return solve_lower(self._inner_factor, self._over_diag())

    def _log_det(self):
        """log of the determinant of the covariance"""
        return 2 * diagonal(self._inner_factor).log().sum(-1) + self._diag.log().sum(-1)

    def _root(self):
        """A matrix whose product with its transpose is the covariance."""
        own, batch = diag_embed(self._diag.sqrt()), self._batch_shape
        parts = (self._factor, own)
        return cat([expand(part, batch + part.shape[-2:]) for part in parts], -1)

    def _squares(self, columns):
        """x^T covariance^-1 x of each column x of (..., n, k)"""
        whole = (columns**2 / self._diag.unsqueeze(-1)).sum(-2)
        return whole - (matmul(self._whitening(), columns) ** 2).sum(-2)

    def _whole(self, matrix):
        return expand(matrix, self._batch_shape + matrix.shape[-2:])

    @derived
    def scale_tril(self):
        """The lower Cholesky factor of the covariance."""
        root = self._diag.sqrt().unsqueeze(-1)
        part = self._factor / root
        inner = matmul(part, part.mT) + eye(part.shape[-2], dtype=part.dtype)
        return self._whole(root * cholesky(inner, "LowRankMultivariateNormal: the covariance"))

    @derived
    def covariance_matrix(self):
        return self._whole(matmul(self._factor, self._factor.mT) + diag_embed(self._diag))

    @derived
    def precision_matrix(self):
        whitening = self._whitening()
        return self._whole(diag_embed(1 / self._diag) - matmul(whitening.mT, whitening))

    mean = mode = location

    @property
    def variance(self):
        variance = (self._factor * self._factor).sum(-1) + self._diag
        return expand(variance, self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        """loc + W N(0, 1) + sqrt(d) N(0, 1), so that gradients go to all. See Distribution."""
        shape, dtype = self._extended_shape(sample_shape), self.loc.dtype
        common = standard_normal((*shape[:-1], self._factor.shape[-1]), dtype)
        own = standard_normal(shape, dtype)
        return self.loc + times_vector(self._factor, common) + self._diag.sqrt() * own

    def log_prob(self, value):
        centred = self._checked(value) - self.loc
        square = self._squares(centred.unsqueeze(-1)).squeeze(-1)
        return -0.5 * (square + self._log_det()) - self._event_shape[0] * LOG_ROOT_2PI

    def entropy(self):
        entropy = self._event_shape[0] * (0.5 + LOG_ROOT_2PI) + 0.5 * self._log_det()
        return expand(entropy, self._batch_shape)
