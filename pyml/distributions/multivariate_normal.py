"""The normal distribution of vectors."""

from pyml.distributions import constraints
from pyml.distributions.distribution import Distribution
from pyml.distributions.matrices import (
    cholesky,
    diagonal,
    factor_of_inverse,
    inverse_lower,
    solve_lower,
    times_vector,
)
from pyml.distributions.normal import LOG_ROOT_2PI
from pyml.distributions.utils import derived, standard_normal
from pyml.ops.matmul import matmul
from pyml.ops.operands import broadcast_shapes
from pyml.ops.shape import expand
from pyml.tensor import Tensor

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers.

    log p(x) = -|L^-1 (x - loc)|^2 / 2 - log det L - n log(2 pi) / 2, with covariance L L^T

    Args:
        loc: (..., n), the mean.
        covariance_matrix: (..., n, n), symmetric and positive definite.
        precision_matrix: its inverse, in place of it.
        scale_tril: L, lower triangular with a positive diagonal, in place of it: the fastest.
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: unless one of the three matrices is given, of that form.

    Example:
        >>> covariance = pyml.tensor([[2.0, 0.5], [0.5, 1.0]])
        >>> normal = distributions.MultivariateNormal(pyml.zeros(2), covariance)
        >>> normal.log_prob(pyml.zeros(2))
        tensor(-2.1177)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = {"loc": 1, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}

    def __init__(
        self,
        loc,
        covariance_matrix=None,
        precision_matrix=None,
        scale_tril=None,
        validate_args=None,
    ):
        given = {
            name: matrix
            for name, matrix in (
                ("covariance_matrix", covariance_matrix),
                ("precision_matrix", precision_matrix),
                ("scale_tril", scale_tril),
            )
            if matrix is not None
        }
        if len(given) != 1:
            raise ValueError(
                "MultivariateNormal: one of covariance_matrix, precision_matrix and scale_tril "
                f"must be given, not {len(given)} of them"
            )
        ((name, matrix),) = given.items()
        for word, value, ndim in (("loc", loc, 1), (name, matrix, 2)):
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"MultivariateNormal: {word} is a {type(value).__name__}, it must be a Tensor"
                )
            if value.ndim < ndim:
                raise ValueError(
                    f"MultivariateNormal: {word} has shape {value.shape}, at least {ndim} "
                    "dimensions are needed"
                )
        if not loc.shape[-1] == matrix.shape[-1] == matrix.shape[-2]:
            raise ValueError(
                f"MultivariateNormal: loc has {loc.shape[-1]} numbers (shape {loc.shape}), {name} "
                f"has shape {matrix.shape}; it must have as many rows and columns"
            )
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1], name="MultivariateNormal")
        self.loc = expand(loc, batch + loc.shape[-1:])
        setattr(self, name, expand(matrix, batch + matrix.shape[-2:]))
        Distribution.__init__(self, batch, loc.shape[-1:], validate_args)
        word = f"MultivariateNormal: {name}"
        if name == "scale_tril":
            self._factor = matrix
        elif name == "covariance_matrix":
            self._factor = cholesky(matrix, word)
        else:
            self._factor = factor_of_inverse(matrix, word)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._factor = self._factor
        return new

    def _whole(self, matrix):
        return expand(matrix, self._batch_shape + matrix.shape[-2:])

    @derived
    def scale_tril(self):
        return self._whole(self._factor)

    @derived
    def covariance_matrix(self):
        return self._whole(matmul(self._factor, self._factor.mT))

    @derived
    def precision_matrix(self):
        inverse = inverse_lower(self._factor)
        return self._whole(matmul(inverse.mT, inverse))

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        return expand((self._factor * self._factor).sum(-1), self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        """loc + L N(0, 1), so that gradients go to both. See Distribution."""
        draw = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + times_vector(self._factor, draw)

    def log_prob(self, value):
        centred = self._checked(value) - self.loc
        z = solve_lower(self._factor, centred.unsqueeze(-1)).squeeze(-1)
        log_det = diagonal(self._factor).log().sum(-1)
        return (z * z).sum(-1) * -0.5 - log_det - self._event_shape[0] * LOG_ROOT_2PI

    def entropy(self):
        log_det = diagonal(self._factor).log().sum(-1)
        entropy = self._event_shape[0] * (0.5 + LOG_ROOT_2PI) + log_det
        return expand(entropy, self._batch_shape)
