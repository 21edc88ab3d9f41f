"""The normal distribution of vectors."""

from pyml.distributions import constraints
from pyml.distributions.covariance import Covariance, checked_parameter, one_matrix
from pyml.distributions.distribution import Distribution
from pyml.distributions.matrices import solve_lower, times_vector
from pyml.distributions.normal import LOG_ROOT_2PI
from pyml.distributions.utils import location, standard_normal
from pyml.ops import broadcast_shapes, expand

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Covariance, Distribution):
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
        name = "MultivariateNormal"
        word, matrix = one_matrix(name, covariance_matrix, precision_matrix, scale_tril)
        checked_parameter(loc, 1, name, "loc")
        if not loc.shape[-1] == matrix.shape[-1] == matrix.shape[-2]:
            raise ValueError(
                f"{name}: loc has {loc.shape[-1]} numbers (shape {loc.shape}), {word} has shape "
                f"{matrix.shape}; it must have as many rows and columns"
            )
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1], name=name)
        self.loc = expand(loc, batch + loc.shape[-1:])
        self._take_covariance(word, matrix, batch, loc.shape[-1:], validate_args)

    mean = mode = location

    @property
    def variance(self):
        return expand((self._factor * self._factor).sum(-1), self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=()):
        """loc + L N(0, 1), so that gradients go to both. See Distribution."""
        draw = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + times_vector(self._factor, draw)

    def _root(self):
        """A matrix whose product with its transpose is the covariance."""
        return self._factor

    def _squares(self, columns):
        """x^T covariance^-1 x of each column x of (..., n, k)"""
        return (solve_lower(self._factor, columns) ** 2).sum(-2)

    def log_prob(self, value):
        centred = self._checked(value) - self.loc
        square = self._squares(centred.unsqueeze(-1)).squeeze(-1)
        return -0.5 * (square + self._log_det()) - self._event_shape[0] * LOG_ROOT_2PI

    def entropy(self):
        entropy = self._event_shape[0] * (0.5 + LOG_ROOT_2PI) + 0.5 * self._log_det()
        return expand(entropy, self._batch_shape)
