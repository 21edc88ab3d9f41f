"""Matrices of the last two dimensions, by operations: differentiable, recorded, for small sizes."""

import numpy as np

from pyml.ops import cat, eye, flip, matmul, stack, where
from pyml.recorder import constant, is_recording
from pyml.tensor import Tensor


def mask(size, below):
    """A bool tensor, true where the column is at most `below` right of the diagonal."""
    return Tensor._on(constant(np.tri(size, size, below, dtype=bool)))


def diagonal(x):
    """The elements of the diagonals, as a last dimension."""
    return where(mask(x.shape[-1], 0) & ~mask(x.shape[-1], -1), x, 0.0).sum(-1)


def diag_embed(x):
    """Matrices of zeros with these numbers on the diagonal."""
    size = x.shape[-1]
    return where(mask(size, 0) & ~mask(size, -1), x.unsqueeze(-1), 0.0)


def running_sum(x):
    """cumsum along the last dimension, by a product."""
    size = x.shape[-1]
    return matmul(x, mask(size, 0).mT.to(x.dtype)) if size else x


def times_vector(matrix, vector):
    """The products of matrices and vectors, of batches that broadcast."""
    if matrix.ndim == 2:
        return matmul(vector, matrix.mT)
    return (matrix * vector.unsqueeze(-2)).sum(-1)


def cholesky(x, name):
    """L, lower triangular, with L L^T = x, for symmetric x of positive eigenvalues. By columns.

    Its gradient is symmetric. NaN where x has no such L, in a recorded step; else

    Raises:
        ValueError: naming the argument.
    """
    result = factors(x)
    if not is_recording() and not result.detach().isfinite().all():
        raise ValueError(f"{name} must be positive definite: it has no Cholesky factor")
    return result


def factors(x):
    """What cholesky gives, infinite or NaN where there is no such L."""
    x = x / 2 + x.mT / 2
    size, columns = x.shape[-1], []
    for j in range(size):
        column = x[..., j:, j]
        if columns:
            rows = stack([c[..., j:] for c in columns], -1)  # of what is left, (..., size - j, j)
            column = column - (rows * rows[..., :1, :]).sum(-1)
        column = column / column[..., :1].sqrt()
        if j:
            above = x[..., :j, j].detach()
            column = cat([where(above == above, 0.0, above), column], -1)
        columns.append(column)
    return stack(columns, -1) if columns else x


def solve_lower(matrix, b):
    """x with matrix x = b, of lower triangular matrices: (..., n, n) and (..., n, m)."""
    rows = []
    for i in range(matrix.shape[-1]):
        row = b[..., i, :]
        if rows:
            known = stack(rows, -2)
            row = row - (matrix[..., i, :i].unsqueeze(-1) * known).sum(-2)
        rows.append(row / matrix[..., i, i].unsqueeze(-1))
    return stack(rows, -2) if rows else b


def inverse_lower(matrix):
    """The inverses of lower triangular matrices."""
    return solve_lower(matrix, eye(matrix.shape[-1], dtype=matrix.dtype))


def factor_of_inverse(x, name):
    """The L of cholesky() of the inverse of x: x read backwards gives the L^-T, read backwards."""
    backwards = cholesky(flip(x, (-2, -1)), name)
    return inverse_lower(flip(backwards, (-2, -1)).mT)
