"""What distributions of a covariance share, which is given, or its inverse or factor."""

from pyml.distributions.distribution import Distribution
from pyml.distributions.matrices import cholesky, diagonal, factor_of_inverse, inverse_lower
from pyml.distributions.utils import derived
from pyml.ops import expand, matmul
from pyml.tensor import Tensor


def checked_parameter(value, ndim, name, word):
    """The value, if it is a Tensor of at least so many dimensions."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: {word} is a {type(value).__name__}, it must be a Tensor")
    if value.ndim < ndim:
        raise ValueError(
            f"{name}: {word} has shape {value.shape}, at least {ndim} dimensions are needed"
        )
    return value


def one_matrix(name, covariance_matrix, precision_matrix, scale_tril):
    """(word, matrix) of the one that is given; raises unless one is."""
    given = {
        word: matrix
        for word, matrix in (
            ("covariance_matrix", covariance_matrix),
            ("precision_matrix", precision_matrix),
            ("scale_tril", scale_tril),
        )
        if matrix is not None
    }
    if len(given) != 1:
        raise ValueError(
            f"{name}: one of covariance_matrix, precision_matrix and scale_tril must be given, not "
            f"{len(given)} of them"
        )
    ((word, matrix),) = given.items()
    return word, checked_parameter(matrix, 2, name, word)


class Covariance:
    """A distribution of a covariance_matrix, precision_matrix or scale_tril: the others follow.

    `_factor` is the lower Cholesky factor of the covariance, without sizes of the batch that other
    parameters brought.
    """

    def _take_covariance(self, word, matrix, batch_shape, event_shape, validate_args):
        """__init__, with the matrix of that word."""
        setattr(self, word, expand(matrix, batch_shape + matrix.shape[-2:]))
        Distribution.__init__(self, batch_shape, event_shape, validate_args)
        text = f"{type(self).__name__}: {word}"
        if word == "scale_tril":
            self._factor = matrix
        elif word == "covariance_matrix":
            self._factor = cholesky(matrix, text)
        else:
            self._factor = factor_of_inverse(matrix, text)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._factor = self._factor
        return new

    def _whole(self, matrix):
        return expand(matrix, self._batch_shape + matrix.shape[-2:])

    def _log_det(self):
        """log of the determinant of the covariance"""
        return 2 * diagonal(self._factor).log().sum(-1)

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
