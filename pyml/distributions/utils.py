"""What the distributions share: parameters brought together, sums over events, standard draws."""

import math
import numbers

import numpy as np

from pyml.grad_mode import enable_grad
from pyml.ops import (
    arange,
    broadcast_tensors,
    digamma,
    lgamma,
    rand,
    randn,
    sigmoid,
    softmax,
    softplus,
    tril_indices,
    where,
    zeros,
)
from pyml.ops.arrays import checked_tensor
from pyml.ops.shape import integer
from pyml.recorder import Traced
from pyml.tensor import Tensor

__all__ = [
    *("broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"),
    *("tril_matrix_to_vec", "vec_to_tril_matrix"),
]

EULER_GAMMA = 0.57721566490153286061


@property
def location(distribution):
    """The parameter loc: `mean` or `mode` of some distributions."""
    return distribution.loc


def of_base(name):
    """A property: the attribute of that name of the base_dist."""
    return property(lambda distribution: getattr(distribution.base_dist, name))


def is_number(value):
    return isinstance(value, (numbers.Number, Traced))


def broadcast_all(*values):
    """Tensors of one shape. Numbers get the dtype of the first tensor, the default without one.

    Raises:
        TypeError: for what is neither a Tensor nor a number.
    """
    for value in values:
        if not isinstance(value, Tensor) and not is_number(value):
            raise TypeError(
                f"distributions: a parameter is a {type(value).__name__}, it must be a Tensor or a "
                "number; pyml.tensor() makes one"
            )
    dtype = next((value.dtype for value in values if isinstance(value, Tensor)), None)
    return broadcast_tensors(*[tensor_of(value, dtype) for value in values])


def tensor_of(value, dtype):
    """A number as a 0-d tensor of the dtype; a tensor as it is."""
    return value if isinstance(value, Tensor) else zeros((), dtype=dtype) + value


def tril_matrix_to_vec(mat, diag=0):
    """The elements of the lower triangles of matrices, row by row: (..., n, n) -> (..., m).

    Args:
        mat: the matrices.
        diag: the last diagonal that belongs to them. Default: the main one, 0.

    Raises:
        ValueError: for a diagonal that the matrices do not have.

    Example:
        >>> distributions.utils.tril_matrix_to_vec(pyml.tensor([[1.0, 0.0], [2.0, 3.0]]))
        tensor([1., 2., 3.])
    """
    n = last_size(mat, "tril_matrix_to_vec", "mat", 2)
    diag = integer(diag, "tril_matrix_to_vec: diag")
    if not -n <= diag < n:
        raise ValueError(f"tril_matrix_to_vec: diag is {diag}, it must be >= {-n} and < {n}")
    rows, columns = tril_indices(n, n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec, diag=0):
    """Matrices with these elements in their lower triangles, else zero: (..., m) -> (..., n, n).

    Arguments as for tril_matrix_to_vec.

    Raises:
        ValueError: if there is no square matrix with so many elements there.

    Example:
        >>> distributions.utils.vec_to_tril_matrix(pyml.tensor([1.0, 2.0, 3.0]))
        tensor([[1., 0.],
                [2., 3.]])
    """
    size = last_size(vec, "vec_to_tril_matrix", "vec", 1)
    diag = integer(diag, "vec_to_tril_matrix: diag")
    n = max(0, -diag)
    while triangle_numel(n, diag) < size:
        n += 1
    if triangle_numel(n, diag) != size:
        raise ValueError(
            f"vec_to_tril_matrix: vec has {size} elements, and with diag={diag} there is no square "
            "matrix whose lower triangle has so many"
        )
    mat = vec.new_zeros(*vec.shape[:-1], n, n)
    rows, columns = tril_indices(n, n, diag)
    mat[..., rows, columns] = vec
    return mat


def last_size(x, who, name, ndim):
    """The last size of a tensor that has at least ndim dimensions."""
    if checked_tensor(x, who, name).ndim < ndim:
        raise ValueError(
            f"{who}: {name} has shape {x.shape}, it must have at least {ndim} dimensions"
        )
    return x.shape[-1]


def triangle_numel(n, diag):
    """How many elements of an n x n matrix stand on the diagonal diag or below."""
    if diag > 0:
        above = max(0, n - 1 - diag)
        return n * n - above * (above + 1) // 2
    rows = max(0, n + diag)
    return rows * (rows + 1) // 2


def sum_rightmost(value, count):
    """The sum over the last `count` dimensions."""
    if count == 0:
        return value
    return value.reshape((*value.shape[: value.ndim - count], -1)).sum(-1)


def finfo(tensor):
    """NumPy's, of a tensor's dtype."""
    return np.finfo(tensor.dtype)


class lazy_property:
    """A property whose value takes its place in the instance when it is first read.

    Gradients go through it, also if it is first read under no_grad.
    """

    def __init__(self, wrapped):
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


class derived:
    """An attribute that follows from another one where it was not given: it is not checked."""

    PAIRS = {"probs": "logits", "logits": "probs"}  # of which each may follow from the other

    def __init__(self, wrapped):
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        other = self.PAIRS.get(self.wrapped.__name__)
        if other is not None and other not in instance.__dict__:
            raise AttributeError(
                f"{type(instance).__name__}: the {other} it was made of have been deleted"
            )
        return self.wrapped(instance)


# ---- probabilities -------------------------------------------------------------------------------


def one_of(probs, logits, name):
    """{word: value} of the one that is given, a tensor or a number; raises unless one is."""
    if (probs is None) == (logits is None):
        raise ValueError(f"{name}: one of probs and logits must be given, and not both")
    given, word = (probs, "probs") if logits is None else (logits, "logits")
    if not isinstance(given, Tensor) and not is_number(given):
        raise TypeError(
            f"{name}: {word} is a {type(given).__name__}, it must be a Tensor or a number; "
            "pyml.tensor() makes one"
        )
    return {word: given}


def clamp_probs(probs):
    """Probabilities moved into [eps, 1 - eps], where their logarithms are finite."""
    eps = float(finfo(checked_tensor(probs, "clamp_probs", "probs")).eps)
    return probs.clamp(eps, 1 - eps)


def logits_to_probs(logits, is_binary=False):
    """softmax along the last dimension, or the sigmoid of log-odds."""
    return sigmoid(logits) if is_binary else softmax(logits, -1)


def probs_to_logits(probs, is_binary=False):
    """Logarithms of probabilities, or log-odds, of clamp_probs."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


def log1p_exp(x):
    """log(1 + exp(x)): softplus without the threshold from which that is the identity."""
    return softplus(x, threshold=math.inf)


def xlogy(x, y):
    """x log y, and 0 where x is 0 and y is not positive."""
    nothing = (x == 0) & (y <= 0)
    return x * where(nothing, 1.0, y).log()


# ---- gamma functions of several dimensions -------------------------------------------------------


def shifted(a, count):
    """a, a - 1/2, ..., a - (count - 1)/2 along a last dimension."""
    return a.unsqueeze(-1) - arange(count, dtype=a.dtype) / 2


def multigammaln(a, count):
    """log of the multivariate gamma function, pi^(p (p - 1)/4) prod gamma(a - j/2), p = count."""
    return lgamma(shifted(a, count)).sum(-1) + count * (count - 1) / 4 * math.log(math.pi)


def multidigamma(a, count):
    """The derivative of multigammaln by a."""
    return digamma(shifted(a, count)).sum(-1)


# ---- draws ---------------------------------------------------------------------------------------


def is_float(dtype):
    return np.dtype(dtype).kind == "f"


def standard_normal(shape, dtype):
    return randn(shape, dtype=dtype if is_float(dtype) else np.float32)


def standard_exponential(shape, dtype):
    """-log(1 - U), U of 53 bits in both dtypes: small numbers are as frequent as they should be."""
    draw = -((-rand(shape, dtype=np.float64)).log1p())
    return draw.to(dtype if is_float(dtype) else np.float32)


def standard_cauchy(shape, dtype):
    """The cotangent of a uniform angle, of 53 bits in both dtypes."""
    angle = (1 - rand(shape, dtype=np.float64)) * math.pi
    return (angle.cos() / angle.sin()).to(dtype if is_float(dtype) else np.float32)
