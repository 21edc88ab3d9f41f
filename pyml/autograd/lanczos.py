"""Extreme eigenvalues of a symmetric matrix that is known by its products with vectors."""

from typing import NamedTuple

import numpy as np

from pyml.errors import ArgumentError

__all__ = ["Eigenpairs", "extreme_eigenpairs"]

LEAST_STEPS = 20  # before which no eigenvalue counts as found: the first residuals deceive
CHECK_EVERY = 5  # steps, as the eigenvalues of the small matrix cost the cube of its size


class Eigenpairs(NamedTuple):
    """Some eigenvalues with their vectors.

    Attributes:
        values: (k), ascending.
        vectors: (n, k), orthonormal columns.
        residuals: (k), the norms of A v - value v, which bound the errors of the values.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray


def extreme_eigenpairs(product, n, k, *, tolerance=1e-6, max_steps=300, seed=0):
    """The k smallest and the k largest eigenvalues; all, if there are no more than 2 k.

    Lanczos' method with full reorthogonalisation, from a random vector. Where the vectors span an
    invariant subspace, it goes on from another random vector. Of an eigenvalue that is there
    several times it may find fewer.

    Args:
        product: v -> A v, with v a float64 array (n).
        n: the number of rows, at least 1.
        k: how many at each end.
        tolerance: of the residuals, relative to the largest eigenvalue. Default: 1e-6.
        max_steps: products at most; then the residuals say how good the values are. Default: 300.
        seed: of the random vectors, from a generator of their own. Default: 0.

    Returns:
        Eigenpairs.

    Raises:
        ValueError: if a product is not finite.

    Golub & Van Loan 2013, "Matrix computations", chapter 10.
    """
    rng = np.random.default_rng(seed)
    steps = min(n, max_steps)
    basis = np.empty((steps, n))
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    q = unit_beside(basis[:0], rng)
    for m in range(steps):
        basis[m] = q
        w = np.asarray(product(q), np.float64)
        if not np.isfinite(w).all():
            raise ArgumentError("lanczos: a product of the matrix with a vector is not finite")
        diagonal[m] = q @ w
        scale = np.linalg.norm(w)
        for _ in range(2):  # Kahan and Parlett: twice is enough
            w = w - (basis[: m + 1] @ w) @ basis[: m + 1]
        beside[m] = np.linalg.norm(w)
        is_last = m + 1 == steps
        if is_last or (m + 1 >= LEAST_STEPS and (m + 1) % CHECK_EVERY == 0):
            values, small = np.linalg.eigh(tridiagonal(diagonal[: m + 1], beside[:m]))
            ends = np.unique(np.r_[: min(k, m + 1), max(m + 1 - k, 0) : m + 1])
            residuals = np.abs(beside[m] * small[-1, ends])
            if is_last or (residuals <= tolerance * np.abs(values).max()).all():
                if m + 1 == n:
                    residuals = np.zeros_like(residuals)  # the whole space
                return Eigenpairs(values[ends], basis[: m + 1].T @ small[:, ends], residuals)
        if beside[m] <= n * np.finfo(np.float64).eps * max(scale, np.finfo(np.float64).tiny):
            beside[m], w = 0, unit_beside(basis[: m + 1], rng)
        q = w / np.linalg.norm(w)
    raise AssertionError("the last step returns")


def unit_beside(basis, rng):
    """A random vector of length 1 that is orthogonal to the rows of the basis."""
    w = rng.standard_normal(basis.shape[1])
    for _ in range(2):
        w = w - (basis @ w) @ basis
    return w / np.linalg.norm(w)


def tridiagonal(diagonal, beside):
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
