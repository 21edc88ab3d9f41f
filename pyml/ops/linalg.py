"""Linear algebra: inverses, determinants, factors, eigenvalues.

NumPy's LAPACK computes.

Derivatives are made of operations, so that they can be differentiated again. Of functions with
several results each result has its own node; its derivative computes the others anew.

Sources: Giles 2008, "An extended collection of matrix derivative results"; Golub and Pereyra 1973
for the pseudo-inverse; Walter and Lehmann 2018 (arXiv:1802.03451) for QR.
"""

import math
import numbers
from collections import namedtuple

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import is_tracked
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import as_tensor, eye, zeros
from pyml.ops.elementwise import maximum, where
from pyml.ops.matmul import matmul
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import sum_to
from pyml.ops.rearranging import diag_embed, diagonal, tril, triu
from pyml.ops.reduce import amax, amin, norm, sum
from pyml.ops.shape import cat, expand, integer, movedim, stack, wrapped_dim
from pyml.recorder import refuse
from pyml.tensor import Node, Tensor

eigh_result = namedtuple("linalg_eigh", ("eigenvalues", "eigenvectors"))
svd_result = namedtuple("linalg_svd", ("U", "S", "Vh"))
old_svd_result = namedtuple("svd", ("U", "S", "V"))
qr_result = namedtuple("linalg_qr", ("Q", "R"))
slogdet_result = namedtuple("linalg_slogdet", ("sign", "logabsdet"))
lstsq_result = namedtuple("linalg_lstsq", ("solution", "residuals", "rank", "singular_values"))
lu_factor_result = namedtuple("linalg_lu_factor", ("LU", "pivots"))
lu_result = namedtuple("linalg_lu", ("P", "L", "U"))
cholesky_ex_result = namedtuple("linalg_cholesky_ex", ("L", "info"))
inv_ex_result = namedtuple("linalg_inv_ex", ("inverse", "info"))
lu_factor_ex_result = namedtuple("linalg_lu_factor_ex", ("LU", "pivots", "info"))
solve_ex_result = namedtuple("linalg_solve_ex", ("result", "info"))
triangular_solve_result = namedtuple("triangular_solve", ("solution", "cloned_coefficient"))


class LinAlgError(RuntimeError):
    """A matrix has no inverse, is not positive definite, or a method did not converge."""


# ---- nodes and checks ----------------------------------------------------------------------------


class OfMatrices(Node):
    """A result of matrices; derivatives(dy, *kept, y) gives the gradients of all inputs.

    Without y, unless it is kept.
    """

    def __init__(self, name, count, derivatives, keeps_result):
        self._name, self._count, self._derivatives = name, count, derivatives
        self._keeps_result = keeps_result

    def _operation(self):
        return self._name

    def _gradients(self, dy):
        kept = [self._saved(i) for i in range(self._count)]
        if self._keeps_result:
            kept.append(self._as_output(self._saved(self._count)))
        gradients = self._derivatives(dy, *kept)
        return tuple(
            None if edge is None else g for edge, g in zip(self.inputs, gradients, strict=True)
        )


def result(name, array, inputs, derivatives, by_result=None):
    """An array that NumPy made of the inputs, with its node.

    Args:
        derivatives: derivatives(dy, *inputs), the gradients of all inputs.
        by_result: the inputs that it takes in place of all, and then the result.
    """
    y = Tensor._on(array)
    if is_tracked(*inputs):
        kept = inputs if by_result is None else by_result
        node = OfMatrices(name, len(kept), derivatives, by_result is not None)
        node._connect(y, inputs, kept if by_result is None else (*kept, y))
    return y


def numpys(name, function, *arrays, options=()):
    """function(*arrays, *options) of numpy.linalg, its errors in our words."""
    return by_numpy(name, in_our_words, arrays, name, function, options)


def in_our_words(*arguments):
    *arrays, name, function, options = arguments
    shapes = f"(shape {' and '.join(str(a.shape) for a in arrays)})"
    if function in SINGULAR_VALUES and not all(np.isfinite(a).all() for a in arrays):
        raise LinAlgError(f"{name}: an element is infinite or NaN {shapes}")
    try:
        return function(*arrays, *options)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{name}: {error} {shapes}") from None


def matrices(x, name, argument="A", square=False, integers=False):
    """x, if it is a batch of real matrices, or with `integers` of any numbers."""
    checked_tensor(x, name, argument)
    if x.dtype.kind != "f" and not integers:
        raise DtypeError(f"{name}: {argument} has dtype {x.dtype}, it must be float32 or float64")
    if x.ndim < 2:
        raise ArgumentError(f"{name}: {argument} has shape {x.shape}, it must be (..., m, n)")
    if square and x.shape[-1] != x.shape[-2]:
        raise ArgumentError(
            f"{name}: {argument} has shape {x.shape}, it must be square: (..., n, n)"
        )
    return x


def same_dtype(a, b, name):
    if a.dtype != b.dtype:
        raise DtypeError(f"{name}: dtypes {a.dtype} and {b.dtype}; they must be the same")


def product(*factors):
    """Matrix products from left to right."""
    y = factors[0]
    for factor in factors[1:]:
        y = matmul(y, factor)
    return y


def on_diagonal(x):
    """x with zeros off its diagonal."""
    return diag_embed(diagonal(x, 0, -2, -1))


# ---- inverse, determinant, solutions -------------------------------------------------------------


def inv(A):
    """The inverse of square matrices (..., n, n).

    Raises:
        LinAlgError: if one is singular.
    """
    matrices(A, "linalg.inv", square=True)

    def derivatives(dy, y):
        return (-product(y.mT, dy, y.mT),)

    return result("Inverse", numpys("linalg.inv", np.linalg.inv, A.array), (A,), derivatives, ())


def inverse(input):
    """The inverse of square matrices; see linalg.inv."""
    return inv(input)


def det(A):
    """The determinant of square matrices. Its gradient needs an inverse."""
    matrices(A, "linalg.det", square=True)

    def derivatives(dy, A):
        return ((dy * det(A)).unsqueeze(-1).unsqueeze(-1) * inv(A).mT,)

    return result("Det", numpys("linalg.det", np.linalg.det, A.array), (A,), derivatives)


def slogdet(A):
    """The sign of the determinant and the logarithm of its size, a named tuple.

    Example:
        >>> pyml.slogdet(2 * pyml.eye(2)).logabsdet
        tensor(1.3863)
    """
    matrices(A, "linalg.slogdet", square=True)
    sign, logarithm = numpys("linalg.slogdet", np.linalg.slogdet, A.array)

    def derivatives(dy, A):
        return (dy.unsqueeze(-1).unsqueeze(-1) * inv(A).mT,)

    return slogdet_result(Tensor._on(sign), result("SLogDet", logarithm, (A,), derivatives))


def logdet(input):
    """The logarithm of the determinant; NaN where that is negative."""
    sign, logarithm = slogdet(input)
    return where(sign < 0, math.nan, logarithm)


def solve(A, B, *, left=True):
    """X of A X = B, for square A (..., n, n).

    Args:
        B: (..., n, k), or a vector (n) for each matrix.
        left: False for X A = B.
    """
    matrices(A, "linalg.solve", square=True)
    checked_tensor(B, "linalg.solve", "B")
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]):
        if not left:
            raise ArgumentError("linalg.solve: left is False, B must be matrices, not vectors")
        return solved(A, B.unsqueeze(-1)).squeeze(-1)
    return solved(A, B, left)


def solved(A, B, left=True):
    """solve() of matrices B alone, whatever their shape."""
    checked_tensor(B, "linalg.solve", "B")
    same_dtype(A, B, "linalg.solve")
    if not left and B.ndim >= 2:
        return solved(A.mT, B.mT).mT
    if B.ndim < 2 or B.shape[-2] != A.shape[-1]:
        raise ArgumentError(
            f"linalg.solve: A has shape {A.shape}, B {B.shape}; rows must be as many"
        )
    shapes = A.shape, B.shape

    def derivatives(dy, A, x):
        dB = solved(A.mT, dy)
        return sum_to(-matmul(dB, x.mT), shapes[0]), sum_to(dB, shapes[1])

    x = numpys("linalg.solve", np.linalg.solve, A.array, B.array)
    return result("Solve", x, (A, B), derivatives, (A,))


def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X of A X = B, of the upper or the lower triangle of A; the rest is not read.

    Args:
        upper: which triangle.
        left: False for X A = B.
        unitriangular: take the diagonal as ones.
    """
    matrices(A, "linalg.solve_triangular", square=True)
    part = (triu if upper else tril)(A, 0 if not unitriangular else 1 if upper else -1)
    if unitriangular:
        part = part + eye(A.shape[-1], dtype=A.dtype)
    return solved(part, B, left)


def pinv(A, *, atol=None, rtol=None, hermitian=False):
    """The pseudo-inverse (..., n, m) of matrices (..., m, n).

    Args:
        atol, rtol: singular values up to max(atol, rtol times the largest) are 0. Defaults: 0, and
            max(m, n) eps, or 0 where atol is positive.
        hermitian: the matrices are symmetric: eigenvalues are taken.
    """
    matrices(A, "linalg.pinv", square=bool(hermitian))
    if rtol is None:
        rtol = 0.0 if atol else np.finfo(A.dtype).eps * max(A.shape[-2:])
    options = atol or 0.0, rtol, bool(hermitian)

    def derivatives(dy, A):
        return (pinv_gradient(A, pinv(A, atol=atol, rtol=rtol, hermitian=hermitian), dy),)

    array = numpys("linalg.pinv", pseudo_inverse, A.array, options=options)
    return result("PInverse", array, (A,), derivatives)


def pseudo_inverse(a, atol, rtol, hermitian):
    if atol and a.size:
        largest = np.linalg.norm(a, 2, (-2, -1))
        rtol = np.maximum(rtol, atol / np.where(largest == 0, 1, largest))
    return np.linalg.pinv(a, rtol, hermitian)


def pinverse(input, rcond=1e-15):
    """The pseudo-inverse; see linalg.pinv.

    Args:
        rcond: singular values below rcond times the largest are 0.
    """
    return pinv(input, rtol=rcond)


def pinv_gradient(A, p, dp):
    """Of A, from that of its pseudo-inverse p."""
    m, n = A.shape[-2:]
    left = eye(m, dtype=A.dtype) - matmul(A, p)
    right = eye(n, dtype=A.dtype) - matmul(p, A)
    dA = -product(p.mT, dp, p.mT) + product(left, dp.mT, p, p.mT)
    return dA + product(p.mT, p, dp.mT, right)


def lstsq(A, B, rcond=None, *, driver=None):
    """X for which |A X - B| is smallest, and of these the smallest X.

    Args:
        A: (..., m, n).
        B: (..., m, k), or (..., m) for a vector.
        rcond: singular values below rcond times the largest are 0. Default: max(m, n) eps.
        driver: PyTorch's name of a method; singular values are taken here for all.

    Returns:
        A named tuple (solution, residuals, rank, singular_values); residuals, the sums of squares,
        where m > n and the rank is n, else empty.
    """
    name = "linalg.lstsq"
    matrices(A, name)
    checked_tensor(B, name, "B")
    same_dtype(A, B, name)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ArgumentError(f"{name}: driver is {driver!r}; gels, gelsy, gelsd and gelss are known")
    if B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]:
        x, *others = lstsq(A, B.unsqueeze(-1), rcond, driver=driver)
        return lstsq_result(x.squeeze(-1), *others)
    if B.ndim != A.ndim or B.shape[:-1] != A.shape[:-1]:
        raise ArgumentError(f"{name}: A has shape {A.shape}, B {B.shape}; rows must be as many")
    m, n = A.shape[-2:]
    limit = np.finfo(A.dtype).eps * max(m, n) if rcond is None else rcond
    if isinstance(limit, bool) or not isinstance(limit, numbers.Real):
        raise TypeError(f"{name}: rcond is {rcond!r}, it must be a number")
    if m > n:
        refuse(
            f"{name} with more rows than columns, whose residuals depend on the rank (pinv(A) @ B),"
        )
    x, rank, values = numpys(name, least_squares, A.array, B.array, options=(limit,))

    def derivatives(dy, A, B):
        p = pinv(A, rtol=rcond)
        return pinv_gradient(A, p, matmul(dy, B.mT)), matmul(p.mT, dy)

    x = result("LstSq", x, (A, B), derivatives)
    if m > n and (rank == n).all():
        residuals = ((matmul(A, x) - B) ** 2).sum(-2)
    else:
        residuals = Tensor._on(np.empty(0, A.dtype))
    return lstsq_result(x, residuals, Tensor._on(rank), Tensor._on(values))


def least_squares(a, b, limit):
    """Solutions, ranks and singular values of matrices, one after another."""
    batch, (m, n) = a.shape[:-2], a.shape[-2:]
    x, rank = np.empty((*batch, n, b.shape[-1]), a.dtype), np.empty(batch, np.int64)
    values = np.empty((*batch, min(m, n)), a.dtype)
    for i in np.ndindex(batch):
        x[i], _, rank[i], values[i] = np.linalg.lstsq(a[i], b[i], limit)
    return x, rank, values


# whose iterations in LAPACK may never end where an element is infinite
SINGULAR_VALUES = (np.linalg.svd, pseudo_inverse, least_squares)


# ---- factors -------------------------------------------------------------------------------------


def cholesky(A, *, upper=False):
    """L of A = L L^T, for symmetric positive definite A; its lower triangle is read.

    Args:
        upper: L^T in place of L.

    Raises:
        LinAlgError: if a matrix is not positive definite.
    """
    matrices(A, "linalg.cholesky", square=True)

    def derivatives(dy, y):
        s = product(y.mT, tril(dy))
        s = tril(s) - on_diagonal(s) * 0.5
        back = inv(y)
        g = product(back.mT, s, back)
        return ((g + g.mT) * 0.5,)

    array = numpys("linalg.cholesky", np.linalg.cholesky, A.array)
    y = result("Cholesky", array, (A,), derivatives, ())
    return y.mT if upper else y


def cholesky_solve(input, input2, upper=False):
    """X of A X = input, where A = L L^T (with upper, L^T L) and L is input2."""
    checked_tensor(input, "cholesky_solve")
    matrices(input2, "cholesky_solve", "input2", square=True)
    lower = triu(input2).mT if upper else tril(input2)
    return solved(lower.mT, solved(lower, input))


def cholesky_inverse(input, upper=False):
    """The inverse of L L^T (with upper, L^T L), where L is the input."""
    matrices(input, "cholesky_inverse", "input", square=True)
    return cholesky_solve(eye(input.shape[-1], dtype=input.dtype), input, upper)


def qr(A, mode="reduced"):
    """Q with orthonormal columns and R, an upper triangle, of A = Q R; a named tuple.

    Args:
        mode: "reduced": Q (..., m, k), k the smaller of m and n. "complete": Q (..., m, m), without
            gradients where m > n. "r": R alone, Q is empty and has none.
    """
    matrices(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"linalg.qr: mode is {mode!r}, it must be 'reduced', 'complete' or 'r'")
    method = "complete" if mode == "complete" else "reduced"
    q, r = numpys("linalg.qr", np.linalg.qr, A.array, options=(method,))
    m, n = A.shape[-2:]

    def pullback(A, dq, dr):
        if m < n or mode == "r" or (mode == "complete" and m > n):
            raise NotImplementedError(
                f"linalg.qr: the gradient for shape {A.shape} and mode {mode!r} is not there; "
                "matrices with at least as many rows as columns, and mode 'reduced', have one"
            )
        q, r = qr(A)
        s = matmul(r, dr.mT) if dr is not None else -matmul(dq.mT, q)
        low = tril(s, -1)
        y = matmul(q, low + low.mT + on_diagonal(s))
        if dq is not None:
            y = y + dq
        return (solved(r, y.mT).mT,)

    r = result("R", r, (A,), lambda dr, A: pullback(A, None, triu(dr)))
    if mode == "r":
        return qr_result(Tensor._on(np.empty(0, A.dtype)), r)
    return qr_result(result("Q", q, (A,), lambda dq, A: pullback(A, dq, None)), r)


def qr_of_columns(input, some=True):
    """Q and R of input = Q R; see linalg.qr.

    Args:
        some: False for its mode "complete". Default: True, "reduced".
    """
    return qr(input, "reduced" if some else "complete")


def lu(A, *, pivot=True):
    """P, L and U of A = P L U: a permutation, a lower triangle with ones, an upper triangle.

    Args:
        pivot: rows are exchanged so that the largest number divides; it must be True.
    """
    matrices(A, "linalg.lu")
    if not pivot:
        raise ArgumentError("linalg.lu: pivot must be True")
    m, n = A.shape[-2:]
    p, low, up = by_numpy("linalg.lu", factors, (A.array,))
    permutation = Tensor._on(p)

    def pullback(A, dl, du):
        if m != n:
            raise NotImplementedError(
                f"linalg.lu: the gradient for shape {A.shape} is not there; square ones have one"
            )
        p, low, up = lu(A)
        s = tril(matmul(low.mT, dl), -1) if dl is not None else triu(matmul(du, up.mT))
        return (product(p, inv(low).mT, s, inv(up).mT),)

    return lu_result(
        permutation,
        result("L", low, (A,), lambda dl, A: pullback(A, dl, None)),
        result("U", up, (A,), lambda du, A: pullback(A, None, du)),
    )


def factors(matrices):
    """P, L and U, by Gauss."""
    *batch, m, n = matrices.shape
    k, dtype = min(m, n), matrices.dtype
    p, low = np.zeros((*batch, m, m), dtype), np.zeros((*batch, m, k), dtype)
    up = np.zeros((*batch, k, n), dtype)
    for i in np.ndindex(*batch):
        a, order = matrices[i].copy(), np.arange(m)
        for j in range(k):
            top = j + int(np.abs(a[j:, j]).argmax())
            if top != j:
                a[[j, top]], order[[j, top]] = a[[top, j]], order[[top, j]]
            if a[j, j] != 0:
                a[j + 1 :, j] /= a[j, j]
                a[j + 1 :, j + 1 :] -= np.outer(a[j + 1 :, j], a[j, j + 1 :])
        p[i][order, np.arange(m)] = 1
        low[i], up[i] = np.tril(a[:, :k], -1) + np.eye(m, k), np.triu(a[:k])
    return p, low, up


def lu_factor(A, *, pivot=True):
    """L without its ones and U in one matrix, and the rows exchanged; a named tuple (LU, pivots).

    pivots[i], from 1, is the row that was exchanged with row i: int32, as LAPACK counts.
    """
    p, low, up = lu(A, pivot=pivot)
    m, n = A.shape[-2:]
    k = min(m, n)
    lower = tril(low, -1)
    if n > m:
        lower = cat([lower, zeros(*A.shape[:-1], n - m, dtype=A.dtype)], -1)
    if m > n:
        up = cat([up, zeros(*A.shape[:-2], m - n, n, dtype=A.dtype)], -2)
    pivots = by_numpy("linalg.lu_factor", exchanges, (p.array,), k)
    return lu_factor_result(lower + up, Tensor._on(pivots))


def exchanges(p, k):
    """The pivots of permutations p (..., m, m)."""
    *batch, m, _ = p.shape
    pivots = np.zeros((*batch, k), np.int32)
    for i in np.ndindex(*batch if k else (0,)):
        order, at = p[i].argmax(0), np.arange(m)
        for j in range(k):
            top = int(np.flatnonzero(at == order[j])[0])
            at[[j, top]] = at[[top, j]]
            pivots[i][j] = top + 1
    return pivots


def lu_with_infos(A, pivot=True, get_infos=False):
    """L and U in one matrix, and the rows exchanged: linalg.lu_factor.

    Args:
        get_infos: also zeros of int32, one for each matrix: nothing went wrong.
    """
    factors = lu_factor(A, pivot=pivot)
    return (*factors, zeros(A.shape[:-2], dtype="int32")) if get_infos else tuple(factors)


def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L and U of what lu_factor() gave.

    Args:
        unpack_data, unpack_pivots: False for empty L and U, or P. Default: True.
    """
    matrices(LU_data, "lu_unpack", "LU_data")
    checked_tensor(LU_pivots, "lu_unpack", "LU_pivots")
    m, n = LU_data.shape[-2:]
    k = min(m, n)
    empty = Tensor._on(np.empty(0, LU_data.dtype))
    p = by_numpy("lu_unpack", permutations, (LU_pivots.array,), m, LU_data.dtype.dtype)
    low = up = empty
    if unpack_data:
        low = tril(LU_data[..., :k], -1) + eye(m, k, dtype=LU_data.dtype)
        up = triu(LU_data[..., :k, :])
    return lu_result(Tensor._on(p) if unpack_pivots else empty, low, up)


def lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """X of A X = B by the factors that lu_factor(A) gave.

    Args:
        left: False for X A = B.
        adjoint: A^T in place of A.
    """
    matrices(LU, "linalg.lu_solve", "LU", square=True)
    checked_tensor(B, "linalg.lu_solve", "B")
    p, low, up = lu_unpack(LU, pivots)
    if not left:
        return lu_solve(LU, pivots, B.mT, adjoint=not adjoint).mT
    if adjoint:
        return matmul(p, solved(low.mT, solved(up.mT, B)))
    return solved(up, solved(low, matmul(p.mT, B)))


def old_lu_solve(b, LU_data, LU_pivots):
    """X of A X = b by the factors that lu(A) gave; see linalg.lu_solve."""
    return lu_solve(LU_data, LU_pivots, checked_tensor(b, "lu_solve", "b"))


def triangular_solve(input, A, upper=True, transpose=False, unitriangular=False):
    """X of A X = input, of a triangle of A; linalg.solve_triangular is its new name.

    Args:
        upper: which triangle is read. Default: the upper one.
        transpose: A^T in place of A.
        unitriangular: take the diagonal as ones.

    Returns:
        A named tuple (solution, cloned_coefficient), of X and a copy of A.
    """
    checked_tensor(input, "triangular_solve")
    matrices(A, "triangular_solve", square=True)
    given, upper = (A.mT, not upper) if transpose else (A, upper)
    x = solve_triangular(given, input, upper=upper, unitriangular=unitriangular)
    return triangular_solve_result(x, A.clone())


# ---- with an info in place of an error -----------------------------------------------------------


def tried(function, A, check_errors):
    """function(A) and what went wrong, 0 for nothing; NaN of a batch that has a wrong matrix."""
    info = np.zeros(A.shape[:-2], np.int32)
    try:
        return function(A), Tensor._on(info)
    except LinAlgError:
        if check_errors:
            raise
    for i in np.ndindex(A.shape[:-2]):
        try:
            function(A.detach()[i])
        except LinAlgError:
            info[i] = 1
    wrong = Tensor._on(np.asarray(info != 0)).unsqueeze(-1).unsqueeze(-1)
    return where(wrong, math.nan, function(where(wrong, eye(A.shape[-1], dtype=A.dtype), A))), (
        Tensor._on(info)
    )


def cholesky_ex(A, *, upper=False, check_errors=False):
    """cholesky(A) and an info for each matrix: 0, or 1 and NaN for one that has no factor.

    Args:
        check_errors: raise in place of it. Default: False.
    """
    matrices(A, "linalg.cholesky_ex", square=True)
    return cholesky_ex_result(*tried(lambda a: cholesky(a, upper=upper), A, check_errors))


def inv_ex(A, *, check_errors=False):
    """inv(A) and an info for each matrix: 0, or 1 and NaN for a singular one.

    Args:
        check_errors: raise in place of it. Default: False.
    """
    matrices(A, "linalg.inv_ex", square=True)
    return inv_ex_result(*tried(inv, A, check_errors))


def solve_ex(A, B, *, left=True, check_errors=False):
    """solve(A, B) and an info for each matrix: 0, or 1 and NaN for a singular one.

    Args:
        check_errors: raise in place of it. Default: False.
    """
    matrices(A, "linalg.solve_ex", square=True)
    inverse, info = tried(inv, A, check_errors)
    if not info.any():
        return solve_ex_result(solve(A, B, left=left), info)
    return solve_ex_result(matmul(inverse, B) if left else matmul(B, inverse), info)


def lu_factor_ex(A, *, pivot=True, check_errors=False):
    """lu_factor(A) and an info for each matrix: 0, or the place of the first 0 on U's diagonal.

    Args:
        check_errors: raise if there is one. Default: False.
    """
    factors = lu_factor(A, pivot=pivot)
    zero = np.diagonal(factors.LU.detach().array, 0, -2, -1) == 0
    before = np.logical_and.accumulate(~zero, -1).sum(-1)
    info = np.where(zero.any(-1), before + 1, 0).astype(np.int32)
    if check_errors and info.any():
        raise LinAlgError(f"linalg.lu_factor_ex: U has a 0 on its diagonal (shape {A.shape})")
    return lu_factor_ex_result(*factors, Tensor._on(np.asarray(info)))


# ---- of tensors ----------------------------------------------------------------------------------


def tensorinv(A, ind=2):
    """The inverse of A as a matrix of its first `ind` dimensions and the others."""
    checked_tensor(A, "linalg.tensorinv", "A")
    ind = integer(ind, "linalg.tensorinv: ind")
    if ind < 1:
        raise ArgumentError(f"linalg.tensorinv: ind is {ind}, it must be positive")
    rows, columns = A.shape[:ind], A.shape[ind:]
    if rows.numel() != columns.numel():
        raise ArgumentError(
            f"linalg.tensorinv: A has shape {A.shape}; {rows} and {columns} must have as many "
            "elements"
        )
    return inv(A.reshape(rows.numel(), -1)).reshape(columns + rows)


def tensorsolve(A, B, dims=None):
    """X of tensordot(A, X, X.ndim) = B.

    Args:
        A: its first dimensions have as many elements as B.
        dims: dimensions of A that are moved to its end first.
    """
    checked_tensor(A, "linalg.tensorsolve", "A")
    checked_tensor(B, "linalg.tensorsolve", "B")
    if dims is not None:
        A = movedim(A, dims, tuple(range(A.ndim - len(dims), A.ndim)))
    left = A.shape[B.ndim :]
    if left.numel() != B.numel() or A.numel() != B.numel() ** 2:
        raise ArgumentError(
            f"linalg.tensorsolve: A has shape {A.shape}, B {B.shape}; the dimensions of A before "
            "and after B's number must each have as many elements as B"
        )
    return solve(A.reshape(B.numel(), -1), B.reshape(-1)).reshape(left)


def vander(x, *, N=None):
    """The powers 0, 1, ..., N - 1 of the elements as rows of matrices.

    Args:
        x: (..., n).
        N: Default: n.
    """
    checked_tensor(x, "linalg.vander", "x")
    if x.ndim == 0:
        raise ArgumentError("linalg.vander: x is 0-d, it must be (..., n)")
    count = x.shape[-1] if N is None else integer(N, "linalg.vander: N")
    if count < 1:
        raise ArgumentError(f"linalg.vander: N is {count}, it must be at least 1")
    return stack([x**k for k in range(count)], -1)


def householder_product(A, tau):
    """The first columns of the product of the reflections I - tau_i v_i v_i^T.

    Args:
        A: (..., m, n), whose columns below the diagonal are the v_i, 1 on it and 0 above.
        tau: (..., k), k <= n <= m.
    """
    matrices(A, "linalg.householder_product")
    checked_tensor(tau, "linalg.householder_product", "tau")
    same_dtype(A, tau, "linalg.householder_product")
    (m, n), k = A.shape[-2:], tau.shape[-1] if tau.ndim else 0
    if not k <= n <= m or tau.shape != (*A.shape[:-2], k):
        raise ArgumentError(
            f"linalg.householder_product: A has shape {A.shape}, tau {tau.shape}; (..., m, n) and "
            "(..., k) are needed, k <= n <= m"
        )
    y = expand(eye(m, n, dtype=A.dtype), A.shape)
    vectors = tril(A, -1) + eye(m, n, dtype=A.dtype)
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        y = y - tau[..., i, None, None] * matmul(v, matmul(v.mT, y))
    return y if k else y.clone()


def permutations(pivots, m, dtype):
    """The permutations (..., m, m) of pivots."""
    batch = pivots.shape[:-1]
    p = np.zeros((*batch, m, m), dtype)
    for i in np.ndindex(batch):
        at = np.arange(m)
        for j, top in enumerate(pivots[i] - 1):
            at[[j, top]] = at[[top, j]]
        p[i][at, np.arange(m)] = 1
    return p


# ---- eigenvalues, singular values ----------------------------------------------------------------


def differences(values):
    """values[j] - values[i] at [i, j], 1 on the diagonal."""
    d = values.unsqueeze(-2) - values.unsqueeze(-1)
    return d + eye(values.shape[-1], dtype=values.dtype)


def eigh(A, UPLO="L"):
    """Eigenvalues in their order, and eigenvectors as columns, of symmetric matrices.

    Args:
        UPLO: the triangle that is read, "L" or "U".

    Returns:
        A named tuple (eigenvalues, eigenvectors). The gradient of the vectors needs different
        eigenvalues.
    """
    matrices(A, "linalg.eigh", square=True)
    if UPLO not in ("L", "U"):
        raise ArgumentError(f"linalg.eigh: UPLO is {UPLO!r}, it must be 'L' or 'U'")
    values, vectors = numpys("linalg.eigh", np.linalg.eigh, A.array, options=(UPLO,))

    def of_values(dy, A):
        v = eigh(A, UPLO).eigenvectors
        return (matmul(v * dy.unsqueeze(-2), v.mT),)

    def of_vectors(dy, A):
        w, v = eigh(A, UPLO)
        inside = matmul(v.mT, dy)
        inside = inside - on_diagonal(inside)
        return (product(v, inside / differences(w), v.mT),)

    return eigh_result(
        result("EigH", values, (A,), of_values), result("EigHVectors", vectors, (A,), of_vectors)
    )


def eigvalsh(A, UPLO="L"):
    """The eigenvalues of symmetric matrices; see eigh."""
    return eigh(A, UPLO).eigenvalues


def svd(A, full_matrices=True):
    """U, S and Vh of A = U diag(S) Vh: singular values S, the largest first; a named tuple.

    Args:
        full_matrices: U (..., m, m) and Vh (..., n, n), whose gradients are there for square
            matrices alone; else (..., m, k) and (..., k, n), k = min(m, n). Default: True.
    """
    matrices(A, "linalg.svd")
    u, s, vh = numpys("linalg.svd", np.linalg.svd, A.array, options=(bool(full_matrices),))
    m, n = A.shape[-2:]

    def check():
        if full_matrices and m != n:
            raise NotImplementedError(
                f"linalg.svd: full_matrices=True has no gradient of U and Vh for shape {A.shape}; "
                "pass full_matrices=False"
            )

    def skew(x):
        return x - x.mT

    def of_values(ds, A):
        u, _, vh = svd(A, False)
        return (matmul(u * ds.unsqueeze(-2), vh),)

    def of_u(du, A):
        check()
        u, s, vh = svd(A, False)
        inside = skew(matmul(u.mT, du)) / differences(s * s) * s.unsqueeze(-2)
        y = product(u, inside, vh)
        if m > u.shape[-1]:
            rest = du / s.unsqueeze(-2)
            y = y + matmul(rest - matmul(u, matmul(u.mT, rest)), vh)
        return (y,)

    def of_vh(dvh, A):
        check()
        u, s, vh = svd(A, False)
        dv = dvh.mT
        inside = s.unsqueeze(-1) * skew(matmul(vh, dv)) / differences(s * s)
        y = product(u, inside, vh)
        if n > vh.shape[-2]:
            rest = (dv / s.unsqueeze(-2)).mT
            y = y + matmul(u, rest - matmul(matmul(rest, vh.mT), vh))
        return (y,)

    return svd_result(
        result("SVDU", u, (A,), of_u),
        result("SVD", s, (A,), of_values),
        result("SVDVh", vh, (A,), of_vh),
    )


def svd_of_columns(input, some=True, compute_uv=True):
    """U, S and V of input = U diag(S) V^T; see linalg.svd."""
    u, s, vh = svd(input, not some)
    if not compute_uv:
        m, n = input.shape[-2:]
        batch = input.shape[:-2]
        u, vh = (zeros(*batch, k, k, dtype=input.dtype) for k in (m, n))
    return old_svd_result(u, s, vh.mT)


def svdvals(A):
    """The singular values, the largest first; see svd."""
    return svd(A, False).S


def matrix_rank(A, *, atol=None, rtol=None, hermitian=False):
    """The number of singular values above max(atol, rtol times the largest).

    Args:
        atol, rtol: numbers, or Tensors of one for each matrix. Defaults: 0, and max(m, n) eps, or 0
            where atol is positive.
        hermitian: the matrices are symmetric: eigenvalues are taken.
    """
    matrices(A, "linalg.matrix_rank", square=bool(hermitian))
    x = A.detach()
    sizes = eigvalsh(x).abs() if hermitian else svdvals(x)
    if sizes.shape[-1] == 0:
        return zeros(A.shape[:-2], dtype=np.int64)
    eps = float(np.finfo(A.dtype).eps) * max(A.shape[-2:])
    atol = as_tensor(0.0 if atol is None else atol).detach()
    rtol = where(atol > 0, 0.0, eps) if rtol is None else as_tensor(rtol).detach()
    limit = maximum(atol, rtol * sizes.amax(-1))
    return (sizes > limit.unsqueeze(-1)).sum(-1)


# ---- powers and exponentials ---------------------------------------------------------------------

PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000)
PADE += (10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)
PADE_RADIUS = 5.371920351148152  # of the 1-norm, for digits of double


def exponential(a):
    """Higham 2005, "The scaling and squaring method for the matrix exponential revisited"."""
    dtype, a = a.dtype, a.astype(np.float64)
    wrong = ~np.isfinite(a).all((-2, -1))
    a[wrong] = 0
    largest = np.abs(a).sum(-2).max(initial=0)
    squarings = max(0, math.ceil(math.log2(largest / PADE_RADIUS))) if largest > 0 else 0
    a = a / 2.0**squarings
    one = np.eye(a.shape[-1])
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    b = PADE
    u = a @ (
        a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one
    )
    v = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    y = np.linalg.solve(v - u, v + u)
    for _ in range(squarings):
        y = y @ y
    y[wrong] = np.nan
    return y.astype(dtype)


def matrix_exp(input):
    """exp of square matrices: the sum of A^k / k!."""
    matrices(input, "matrix_exp", "input", square=True)

    def derivatives(dy, A):
        n = A.shape[-1]
        zero = A.detach() * 0
        top = cat([A.mT, dy], -1)
        bottom = cat([zero, A.mT], -1)
        return (matrix_exp(cat([top, bottom], -2))[..., :n, n:],)

    return result(
        "MatrixExp", numpys("matrix_exp", exponential, input.array), (input,), derivatives
    )


def matrix_power(input, n):
    """The product of n of the same square matrix; with n < 0, of its inverse, not of integers."""
    n = integer(n, "matrix_power: n")
    matrices(input, "matrix_power", "input", square=True, integers=n >= 0)
    if n < 0:
        return matrix_power(inv(input), -n)
    if n == 0:
        return expand(eye(input.shape[-1], dtype=input.dtype), input.shape).contiguous()
    half = matrix_power(input, n // 2) if n > 1 else None
    if half is None:
        return input * 1
    square = matmul(half, half)
    return matmul(square, input) if n % 2 else square


# ---- norms ---------------------------------------------------------------------------------------


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(sum |x|^ord)^(1/ord) of the elements along dimensions; see norm.

    Args:
        ord: a number, inf or -inf; 0 counts what is not zero.
        dim: one dimension or several. Default: all.
    """
    checked_tensor(x, "linalg.vector_norm", "x")
    x = x if dtype is None else x.to(dtype)
    return norm(x, ord, dim, keepdim)


def largest(x):
    """The largest of numbers that are not negative along the last dimension; 0 of none."""
    return amax(x, -1) if x.shape[-1] else sum(x, -1)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """A norm of matrices.

    Args:
        ord: "fro", the root of the sum of squares; "nuc", the sum of singular values; 2 and -2, the
            largest and smallest of these; 1 and -1, the largest and smallest sum of a column's
            sizes; inf and -inf, of a row's.
        dim: the two dimensions of the matrices.
    """
    checked_tensor(A, "linalg.matrix_norm", "A")
    A = A if dtype is None else A.to(dtype)
    if not isinstance(dim, (tuple, list)):
        raise TypeError(f"linalg.matrix_norm: dim is {dim!r}, it must be two dimensions")
    dims = tuple(wrapped_dim(d, A.ndim, "linalg.matrix_norm") for d in dim)
    if len(dims) != 2 or dims[0] == dims[1]:
        raise ArgumentError(f"linalg.matrix_norm: dim {dim} must be two different dimensions")
    if ord in ("fro", None):
        return norm(A, 2, dims, keepdim)
    x = movedim(A, dims, (-2, -1))
    if ord in ("nuc", 2, -2):
        s = svdvals(x)
        y = sum(s, -1) if ord == "nuc" else largest(s) if ord == 2 else amin(s, -1)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = sum(x.abs(), -2 if abs(ord) == 1 else -1)
        y = largest(sums) if ord > 0 else amin(sums, -1)
    else:
        raise ArgumentError(
            f"linalg.matrix_norm: ord is {ord!r}, not 'fro', 'nuc', 1, -1, 2, -2, inf or -inf"
        )
    if keepdim:
        for d in sorted(dims):
            y = y.unsqueeze(d)
    return y


def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices; see diagonal."""
    return diagonal(checked_tensor(A, "linalg.diagonal", "A"), offset, dim1, dim2)


def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The norm of vectors, or with two dimensions and an `ord` of matrices.

    Args:
        ord: see vector_norm and matrix_norm. Default: None, 2 of all elements.
        dim: one dimension for vectors, two for matrices. Default: all.
    """
    checked_tensor(A, "linalg.norm", "A")
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if A.ndim > 2:
            raise ArgumentError(f"linalg.norm: ord needs dim for a tensor of shape {A.shape}")
        if A.ndim == 2:
            return matrix_norm(A, ord, keepdim=keepdim, dtype=dtype)
        return vector_norm(A, ord, None, keepdim, dtype=dtype)
    if isinstance(dim, (tuple, list)) and len(dim) == 2:
        return matrix_norm(A, ord, tuple(dim), keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


def cond(A, p=None):
    """The condition number: the norm of A times that of its inverse.

    Args:
        p: the norm, see matrix_norm. Default: None, 2.
    """
    matrices(A, "linalg.cond")
    if p in (None, 2, -2):
        s = svdvals(A)
        return s[..., 0] / s[..., -1] if p != -2 else s[..., -1] / s[..., 0]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)
