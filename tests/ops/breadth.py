"""Functions that are made of others or computed by NumPy: one table of calls.

A row is called with pyml, and where it is installed with torch; tests/derivatives.py, tests/record
and tests/parity read the table.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ops.cases import apart, chances, inside, normal, positive, with_zeros
from pyml.ops.series import POLYNOMIALS


class Row(NamedTuple):
    """function(m, *tensors), m the library."""

    name: str
    function: Callable
    shapes: tuple = ((3, 4),)
    draw: Callable = normal
    smooth: bool = True  # it has derivatives
    reference: Callable = None  # of arrays

    def __str__(self):
        return f"{self.name} {' '.join(map(str, self.shapes))}"


def above_one(rng, shape):
    return rng.uniform(1.2, 3, shape)


def definite(rng, shape):
    """Symmetric positive definite, with eigenvalues apart."""
    x = rng.standard_normal(shape)
    return x @ x.swapaxes(-1, -2) + np.diag(np.arange(1.0, shape[-1] + 1))


def regular(rng, shape):
    """Far from singular."""
    return rng.standard_normal(shape) + 3 * np.eye(*shape[-2:])


def named(name, draw=normal, shapes=((3, 4),), smooth=True, reference=None):
    return Row(name, lambda m, *x: getattr(m, name)(*x), shapes, draw, smooth, reference)


def unary():
    for name, draw in {
        "acos": inside,
        "acosh": above_one,
        "asin": inside,
        "asinh": normal,
        "atan": normal,
        "atanh": inside,
        "cosh": normal,
        "sinh": normal,
        "tan": inside,
        "exp2": normal,
        "log2": positive,
        "log10": positive,
        "trunc": apart,
        "deg2rad": normal,
        "rad2deg": normal,
    }.items():
        numpy_name = name.replace("a", "arc", 1) if name[0] == "a" else name
        yield named(name, draw, reference=getattr(np, numpy_name))
    yield from (named("erf"), named("erfc"), named("erfinv", inside), named("frac", apart))
    yield from (named("lgamma", positive), named("digamma", positive), named("logit", chances))
    yield from (named("nan_to_num"), named("positive"))
    yield Row(
        "digamma negative", lambda m, x: m.digamma(x), ((4,),), lambda r, s: -0.5 - np.arange(4)
    )
    for n in (0, 1, 2, 3):
        yield Row(f"polygamma {n}", lambda m, x, n=n: m.polygamma(n, x), ((5,),), positive)
    yield Row("logit eps", lambda m, x: m.logit(x, 0.2), ((5,),), chances)
    yield Row(
        "nan_to_num of all",
        lambda m, x: m.nan_to_num(x / m.tensor([0.0, 1.0, 1.0], dtype=x.dtype), 1.0, 2.0, -2.0),
        ((3,),),
        smooth=False,
    )
    yield named("signbit", smooth=False, reference=np.signbit)


def binary():
    for name in ("atan2", "hypot", "logaddexp", "logaddexp2", "fmax", "fmin"):
        reference = getattr(np, {"atan2": "arctan2"}.get(name, name))
        yield named(name, normal, ((3, 4), (4,)), reference=reference)
    yield named("fmod", positive, ((3, 4), (3, 1)), reference=np.fmod)
    yield named("xlogy", positive, ((3, 4), (4,)))
    yield named("nextafter", normal, ((3,), (3,)), False, np.nextafter)
    yield Row("copysign", lambda m, a, b: m.copysign(a, b.detach()) * b, ((3, 4), (4,)))
    yield Row("clamp_min", lambda m, a: m.clamp_min(a, 0.3))
    yield Row("clamp_max", lambda m, a: m.clamp_max(a, 0.3))
    for name in ("bitwise_left_shift", "bitwise_right_shift"):
        yield Row(name, lambda m, n=name: getattr(m, n)(m.arange(4), m.tensor(2)), (), smooth=False)


def rearranged():
    x = (3, 4)
    calls = {
        "roll": lambda m, x: m.roll(x, 1),
        "roll dims": lambda m, x: m.roll(x, (1, -2), (0, 1)),
        "rot90": lambda m, x: m.rot90(x),
        "rot90 2": lambda m, x: m.rot90(x, 2),
        "rot90 3": lambda m, x: m.rot90(x, 3, (0, 1)),
        "tile": lambda m, x: m.tile(x, (2, 1, 2)),
        "repeat_interleave": lambda m, x: m.repeat_interleave(x, 2),
        "repeat_interleave dim": lambda m, x: m.repeat_interleave(x, m.tensor([1, 0, 2]), 0),
        "flipud": lambda m, x: m.flipud(x),
        "fliplr": lambda m, x: m.fliplr(x),
        "ravel": lambda m, x: m.ravel(x) * 2,
        "broadcast_to": lambda m, x: m.broadcast_to(x, (2, 3, 4)) * 2,
        "atleast_1d": lambda m, x: m.atleast_1d(x[0, 0]) * 2,
        "atleast_2d": lambda m, x: m.atleast_2d(x[0]) * 2,
        "atleast_3d": lambda m, x: m.atleast_3d(x) * 2,
        "vstack": lambda m, x: m.vstack([x[0], x]),
        "hstack": lambda m, x: m.hstack([x, x[:, :1]]),
        "dstack": lambda m, x: m.dstack([x, x]),
        "column_stack": lambda m, x: m.column_stack([x[:, 0], x]),
        "row_stack": lambda m, x: m.row_stack([x[0], x]),
        "block_diag": lambda m, x: m.block_diag(x, x[0], x[0, 0]),
        "meshgrid": lambda m, x: m.stack(m.meshgrid(x[0], x[1], indexing="ij")),
        "meshgrid xy": lambda m, x: m.stack(m.meshgrid(x[0], x[:, 1], x[0], indexing="xy")),
        "cartesian_prod": lambda m, x: m.cartesian_prod(x[0], x[1]),
        "combinations": lambda m, x: m.combinations(x[0]),
        "combinations with": lambda m, x: m.combinations(x[0], 3, True),
        "tril": lambda m, x: m.tril(x),
        "tril 1": lambda m, x: m.tril(x, 1),
        "triu": lambda m, x: m.triu(x, -1),
        "diag": lambda m, x: m.diag(x[0], 1),
        "diag of a matrix": lambda m, x: m.diag(x, -1),
        "diag_embed": lambda m, x: m.diag_embed(x, -1),
        "diagflat": lambda m, x: m.diagflat(x, 1),
        "diagonal": lambda m, x: m.diagonal(x, 1) * 2,
        "trace": lambda m, x: m.trace(x),
        "tensor_split": lambda m, x: m.tensor_split(x, 3, 1)[0] * 2,
        "tensor_split at": lambda m, x: m.tensor_split(x, (1, 3), 1)[1] * 2,
        "hsplit": lambda m, x: m.hsplit(x, 2)[1] * 2,
        "vsplit": lambda m, x: m.vsplit(x, (1,))[1] * 2,
        "take": lambda m, x: m.take(x, m.tensor([[0, 5], [11, 5]])),
        "index_fill": lambda m, x: m.index_fill(x, 1, m.tensor([0, 2]), 0.5),
        "masked_scatter": lambda m, x: m.masked_scatter(x, m.eye(3, 4) > 0, x[0]),
        "as_strided": lambda m, x: m.as_strided(x, (2, 2), (1, 2), 1) * 2,
        "swapaxes": lambda m, x: m.swapaxes(x, axis0=0, axis1=1) * 2,
        "swapdims": lambda m, x: m.swapdims(x, 0, 1) * 2,
    }
    for name, function in calls.items():
        yield Row(name, function, (x,))
    index = [2, 0, 2]
    yield Row(
        "index_add",
        lambda m, x, y: m.index_add(x, 1, m.tensor(index), y, alpha=2),
        (x, (3, 3)),
    )
    yield Row("index_copy", lambda m, x, y: m.index_copy(x, 0, m.tensor([2, 0]), y), (x, (2, 4)))
    yield Row("diagonal of planes", lambda m, x: m.diagonal(x, 0, 0, 2) * 2, ((2, 3, 4),))
    yield Row("tril_indices", lambda m: m.tril_indices(3, 4, 1), (), smooth=False)
    yield Row("triu_indices", lambda m: m.triu_indices(3, 3), (), smooth=False)


def ordered():
    x = (4, 5)
    for name, function in {
        "topk": lambda m, x: m.topk(x, 2).values,
        "topk smallest": lambda m, x: m.topk(x, 3, 0, largest=False).values,
        "kthvalue": lambda m, x: m.kthvalue(x, 2).values,
        "kthvalue keepdim": lambda m, x: m.kthvalue(x, 2, 0, True).values,
        "median": lambda m, x: m.median(x),
        "median dim": lambda m, x: m.median(x, 0, True).values,
        "nanmedian": lambda m, x: m.nanmedian(x, 1).values,
        "nanmedian of all": lambda m, x: m.nanmedian(x),
        "mode": lambda m, x: m.mode(x, 0).values,
        "msort": lambda m, x: m.msort(x),
        "quantile": lambda m, x: m.quantile(x, 0.3),
        "quantile dim": lambda m, x: m.quantile(x, 0.6, 1, True, interpolation="midpoint"),
        "quantiles": lambda m, x: m.quantile(x, m.tensor([0.2, 0.9], dtype=x.dtype), 0),
        "nanquantile": lambda m, x: m.nanquantile(x, 0.5, 0),
        "cummax": lambda m, x: m.cummax(x, 1).values,
        "cummin": lambda m, x: m.cummin(x, 0).values,
        "aminmax": lambda m, x: m.aminmax(x, dim=0).max,
        "renorm": lambda m, x: m.renorm(x, 2, 0, 3.0),
    }.items():
        yield Row(name, function, (x,), apart)
    for name, function in {
        "argsort": lambda m, x: m.argsort(x, 0, True),
        "topk indices": lambda m, x: m.topk(x, 2).indices,
        "median index": lambda m, x: m.median(x, 1).indices,
        "searchsorted": lambda m, x: m.searchsorted(m.sort(x, 1).values, x, right=True),
        "bucketize": lambda m, x: m.bucketize(x, m.tensor([-3.0, 0.3, 4.0], dtype=x.dtype)),
        "isin": lambda m, x: m.isin(x, x[0]),
        "count_nonzero": lambda m, x: m.count_nonzero(x, 0),
        "histc": lambda m, x: m.histc(x, 5),
        "histc ends": lambda m, x: m.histc(x, 4, -4, 4),
    }.items():
        yield Row(name, function, (x,), apart, smooth=False)
    for name, function in {
        "unique": lambda m, x: m.unique(x),
        "unique inverse": lambda m, x: m.unique(x, return_inverse=True, return_counts=True)[1],
        "unique dim": lambda m, x: m.unique(x, dim=1),
        "unique_consecutive": lambda m, x: m.unique_consecutive(x),
        "unique counts": lambda m, x: m.unique_consecutive(x, return_counts=True)[1],
        "mode index": lambda m, x: m.mode(x, 0).values,
        "bincount": lambda m, x: m.bincount(x.reshape(-1).long() + 1, minlength=6),
        "bincount weights": lambda m, x: m.bincount(x[0].long() + 1, x[1]),
    }.items():
        yield Row(name, function, (x,), with_zeros, smooth=False)


def running():
    for name, function in {
        "cumprod": lambda m, x: m.cumprod(x, 1),
        "logcumsumexp": lambda m, x: m.logcumsumexp(x, 0),
        "diff": lambda m, x: m.diff(x, 2),
        "diff none": lambda m, x: m.diff(x, 0),
        "diff prepend": lambda m, x: m.diff(x, dim=0, prepend=x[:1], append=x[1:2]),
        "var_mean": lambda m, x: m.stack(m.var_mean(x, 0)),
        "std_mean": lambda m, x: m.stack(m.std_mean(x, 0, correction=0, keepdim=True)),
        "nansum": lambda m, x: m.nansum(x, 0),
        "nanmean": lambda m, x: m.nanmean(x, 1, True),
        "cov": lambda m, x: m.cov(x),
        "corrcoef": lambda m, x: m.corrcoef(x),
        "trapezoid": lambda m, x: m.trapezoid(x, dx=0.5),
        "trapezoid x": lambda m, x: m.trapezoid(x, x[:, 0] ** 2, dim=0),
        "trapz": lambda m, x: m.trapz(x),
    }.items():
        yield Row(name, function)
    yield Row("cumprod of zeros", lambda m, x: m.cumprod(x, 0), ((5,),), with_zeros)
    yield Row("dist", lambda m, x, y: m.dist(x, y, 3), ((3, 4), (4,)))
    for p in (1.0, 2.0, 3.0, float("inf")):
        yield Row(f"cdist {p}", lambda m, x, y, p=p: m.cdist(x, y, p), ((4, 3), (5, 3)))
    yield Row("cdist of batches", lambda m, x, y: m.cdist(x, y), ((2, 4, 3), (2, 5, 3)))
    yield Row("pdist", lambda m, x: m.pdist(x) if hasattr(m, "pdist") else None, ((4, 3),))


def multiplied():
    for name, shapes in {
        "outer": ((3,), (4,)),
        "ger": ((3,), (4,)),
        "inner": ((2, 3), (4, 3)),
        "vdot": ((4,), (4,)),
        "kron": ((2, 3), (3, 2)),
        "cross": ((2, 3), (2, 3)),
    }.items():
        yield named(name, shapes=shapes)
    yield Row("kron of other dims", lambda m, a, b: m.kron(a, b), ((2,), (2, 1, 2)))
    yield Row("cross dim", lambda m, a, b: m.cross(a, b, dim=0), ((3, 2), (3, 2)))
    yield Row("tensordot", lambda m, a, b: m.tensordot(a, b, 1), ((2, 3), (3, 4)))
    yield Row(
        "tensordot dims",
        lambda m, a, b: m.tensordot(a, b, dims=([0, 2], [1, 0])),
        ((2, 3, 4), (4, 2, 3)),
    )
    yield Row(
        "tensordot dims of size 1",
        lambda m, a, b: m.tensordot(a, b, dims=([0, 2], [1, 0])),
        ((2, 3, 1), (4, 1, 3)),
    )
    for equation, *shapes in (
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
        ("ii->i", (3, 3)),
        ("ii", (3, 3)),
        ("ij->ji", (2, 3)),
        ("ij->", (2, 3)),
        ("i,j->ij", (2,), (3,)),
        ("...ij,...jk->...ik", (2, 3, 4), (4, 2)),
        ("bi,ij,bj->b", (3, 2), (2, 4), (3, 4)),
        ("bhd,bkd->bhk", (2, 3, 4), (2, 5, 4)),
        ("ik,k->i", (2, 3), (3,)),
        ("a,a->", (4,), (4,)),
        ("ij,kl->il", (2, 3), (2, 3)),
        ("ba,cb->ca", (2, 3), (4, 2)),
    ):
        yield Row(f"einsum {equation}", lambda m, *x, e=equation: m.einsum(e, *x), tuple(shapes))
    yield Row("einsum list", lambda m, a, b: m.einsum("i,i->i", [a, b]), ((3,), (3,)))
    yield Row(
        "einsum numbers",
        lambda m, a, b: m.einsum(a, [..., 3, 30], b, [30, 1], [1, ..., 3]),
        ((4, 2, 3), (3, 2)),
    )
    yield Row("einsum order", lambda m, a, b: m.einsum(a, [31, 2], b, [2, 5]), ((2, 3), (3, 4)))
    options = {"beta": 0.5, "alpha": 2}
    for name, shapes in {
        "addmm": ((4,), (2, 3), (3, 4)),
        "addmv": ((2,), (2, 3), (3,)),
        "addr": ((2, 3), (2,), (3,)),
        "baddbmm": ((2, 1, 4), (2, 2, 3), (2, 3, 4)),
        "addbmm": ((2, 4), (2, 2, 3), (2, 3, 4)),
    }.items():
        yield Row(name, lambda m, *x, n=name: getattr(m, n)(*x, **options), shapes)
    yield Row(
        "chain_matmul",
        lambda m, *x: m.chain_matmul(*x) if "pyml" in m.__name__ else m.linalg.multi_dot(x),
        ((2, 3), (3, 4), (4, 2)),
    )
    yield Row("multi_dot", lambda m, *x: m.linalg.multi_dot(x), ((3,), (3, 4), (4,)))
    yield Row("vecdot", lambda m, a, b: m.linalg.vecdot(a, b, dim=0), ((3, 2), (3, 2)))


def algebra():
    square, batch = ((3, 3),), ((2, 3, 3),)
    for name, function, shapes, draw in (
        ("inv", lambda m, a: m.linalg.inv(a), batch, regular),
        ("inverse", lambda m, a: m.inverse(a), square, regular),
        ("det", lambda m, a: m.det(a), batch, regular),
        ("slogdet", lambda m, a: m.slogdet(a)[1], batch, regular),
        ("logdet", lambda m, a: m.logdet(a), square, definite),
        ("solve", lambda m, a, b: m.linalg.solve(a, b), ((3, 3), (3, 3)), regular),
        ("solve left", lambda m, a, b: m.linalg.solve(a, b, left=False), ((3, 3), (3, 3)), regular),
        ("pinv", lambda m, a: m.linalg.pinv(a), ((4, 3),), regular),
        (
            "pinv wide",
            lambda m, a: m.pinverse(a) if hasattr(m, "pinverse") else m.pinv(a),
            ((3, 4),),
            regular,
        ),
        ("lstsq", lambda m, a, b: m.linalg.lstsq(a, b).solution, ((4, 3), (4, 3)), regular),
        ("cholesky", lambda m, a: m.linalg.cholesky((a + a.mT) / 2), batch, definite),
        (
            "cholesky upper",
            lambda m, a: m.linalg.cholesky((a + a.mT) / 2, upper=True),
            square,
            definite,
        ),
        ("cholesky_inverse", lambda m, a: m.cholesky_inverse(m.tril(a)), square, regular),
        ("eigh", lambda m, a: m.linalg.eigh(a + a.mT).eigenvalues, batch, regular),
        ("eigvalsh", lambda m, a: m.linalg.eigvalsh(a + a.mT), square, regular),
        ("eigenvectors", lambda m, a: m.linalg.eigh(a + a.mT).eigenvectors ** 2, square, regular),
        ("svdvals", lambda m, a: m.linalg.svdvals(a), ((4, 3),), regular),
        ("svd U", lambda m, a: m.linalg.svd(a, full_matrices=False).U ** 2, ((4, 3),), regular),
        ("svd Vh", lambda m, a: m.linalg.svd(a, full_matrices=False).Vh ** 2, ((3, 4),), regular),
        ("svd S", lambda m, a: m.linalg.svd(a).S, ((3, 4),), regular),
        ("old svd", lambda m, a: m.svd(a).V ** 2, square, regular),
        ("qr Q", lambda m, a: m.linalg.qr(a).Q ** 2, ((4, 3),), regular),
        ("qr R", lambda m, a: m.linalg.qr(a).R ** 2, ((4, 3),), regular),
        ("lu L", lambda m, a: m.linalg.lu(a).L, square, normal),
        ("lu U", lambda m, a: m.linalg.lu(a).U, square, normal),
        ("lu_factor", lambda m, a: m.linalg.lu_factor(a).LU, square, normal),
        ("lu_unpack", lambda m, a: m.lu_unpack(*m.linalg.lu_factor(a))[1], square, normal),
        ("matrix_exp", lambda m, a: m.matrix_exp(a), batch, normal),
        ("matrix_power", lambda m, a: m.matrix_power(a, 5), square, regular),
        ("matrix_power -2", lambda m, a: m.matrix_power(a, -2), square, regular),
        ("linalg.norm", lambda m, a: m.linalg.norm(a), square, normal),
        ("linalg.norm 1", lambda m, a: m.linalg.norm(a, 1), square, apart),
        ("linalg.norm dim", lambda m, a: m.linalg.norm(a, 3, dim=1), square, normal),
        ("matrix_norm nuc", lambda m, a: m.linalg.matrix_norm(a, "nuc"), batch, regular),
        ("matrix_norm 2", lambda m, a: m.linalg.matrix_norm(a, 2, keepdim=True), batch, regular),
        ("matrix_norm inf", lambda m, a: m.linalg.matrix_norm(a, float("inf")), batch, apart),
        ("vector_norm", lambda m, a: m.linalg.vector_norm(a, 2, (0, 1)), square, normal),
        ("cond", lambda m, a: m.linalg.cond(a), square, regular),
    ):
        yield Row(name, function, shapes, draw)
    for upper in (False, True):
        yield Row(
            f"solve_triangular {upper}",
            lambda m, a, b, u=upper: m.linalg.solve_triangular(a, b, upper=u),
            ((3, 3), (3, 3)),
            regular,
        )
    yield Row(
        "solve_triangular unit",
        lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True, unitriangular=True),
        ((3, 3), (3, 3)),
        regular,
    )
    yield Row(
        "cholesky_solve", lambda m, b, a: m.cholesky_solve(b, m.tril(a)), ((3, 3), (3, 3)), regular
    )
    yield Row("matrix_rank", lambda m, a: m.linalg.matrix_rank(a), batch, regular, False)
    yield Row("lu pivots", lambda m, a: m.linalg.lu_factor(a).pivots, batch, normal, False)
    yield Row("lu_unpack P", lambda m, a: m.lu_unpack(*m.lu(a))[0], batch, normal, False)
    yield Row("logspace", lambda m: m.logspace(-1, 2, 5, 2.0), (), smooth=False)
    yield Row("scalar_tensor", lambda m: m.scalar_tensor(3), (), smooth=False)
    yield Row("lu of rows", lambda m, a: m.lu(a)[0], ((3, 4),), normal, False)
    yield Row("lu of columns", lambda m, a: m.lu(a)[0], ((4, 3),), normal, False)
    yield Row("lu P", lambda m, a: m.linalg.lu(a).P, square, normal, False)


def options():
    x, square = ((3, 4),), ((3, 3),)
    for name, function, shapes, draw in (
        ("aminmax keepdim", lambda m, x: m.aminmax(x, dim=0, keepdim=True).min, x, apart),
        ("cov correction", lambda m, x: m.cov(x, correction=0), x, normal),
        ("cumprod dtype", lambda m, x: m.cumprod(x, 0, dtype=m.float64), x, normal),
        ("cumsum dtype", lambda m, x: m.cumsum(x, 0, dtype=m.float64), x, normal),
        ("prod dtype", lambda m, x: m.prod(x, 0, dtype=m.float64), x, positive),
        ("diag_embed dims", lambda m, x: m.diag_embed(x, 0, 0, 2), x, normal),
        ("diagonal dims", lambda m, x: m.diagonal(x, 0, 1, 2) * 2, ((2, 3, 4),), normal),
        ("linalg.diagonal", lambda m, x: m.linalg.diagonal(x) * 2, ((2, 3, 4),), normal),
        (
            "linalg.diagonal dims",
            lambda m, x: m.linalg.diagonal(x, offset=1, dim1=2, dim2=0) * 2,
            ((2, 3, 4),),
            normal,
        ),
        ("eigh U", lambda m, a: m.linalg.eigh(a + a.mT, "U").eigenvalues, square, regular),
        ("eigvalsh U", lambda m, a: m.linalg.eigvalsh(a + a.mT, "U"), square, regular),
        ("cond fro", lambda m, a: m.linalg.cond(a, "fro"), square, regular),
        (
            "linalg.norm keepdim",
            lambda m, a: m.linalg.norm(a, 2, 0, True, dtype=m.float64),
            x,
            normal,
        ),
        (
            "matrix_norm dim",
            lambda m, a: m.linalg.matrix_norm(a, "fro", (0, 2), dtype=m.float64),
            ((2, 3, 4),),
            normal,
        ),
        (
            "vector_norm ord",
            lambda m, a: m.linalg.vector_norm(a, 3, 0, True, dtype=m.float64),
            x,
            normal,
        ),
        ("mode keepdim", lambda m, x: m.mode(x, 0, True).values, x, apart),
        ("nanmean dtype", lambda m, x: m.nanmean(x, 0, dtype=m.float64), x, normal),
        ("nansum dtype", lambda m, x: m.nansum(x, 0, True, dtype=m.float64), x, normal),
        ("nanmedian keepdim", lambda m, x: m.nanmedian(x, 1, True).values, x, apart),
        (
            "nanquantile lower",
            lambda m, x: m.nanquantile(x, 0.4, 0, True, interpolation="lower"),
            x,
            apart,
        ),
        ("nan_to_num options", lambda m, x: m.nan_to_num(x, 1.0, 2.0, -2.0), x, normal),
        ("pdist 3", lambda m, x: m.pdist(x, 3.0), x, normal),
        ("pinv rtol", lambda m, a: m.linalg.pinv(a, rtol=1e-9), square, regular),
        ("pinv atol", lambda m, a: m.linalg.pinv(a, atol=1e-9), square, regular),
        (
            "pinv hermitian",
            lambda m, a: m.linalg.pinv(a + a.mT, hermitian=True),
            square,
            regular,
        ),
        (
            "lstsq rcond",
            lambda m, a, b: m.linalg.lstsq(a, b, 1e-9).solution,
            ((3, 3), (3, 2)),
            lambda rng, shape: rng.standard_normal(shape) + 3 * np.eye(*shape),
        ),
        ("rot90 dims", lambda m, x: m.rot90(x, 1, (1, 0)), x, normal),
        (
            "scatter value",
            lambda m, x: m.scatter(x, 1, m.tensor([[0], [2], [1]]), value=0.5),
            x,
            normal,
        ),
        (
            "scatter reduce",
            lambda m, x: m.scatter(x, 1, m.tensor([[0], [2], [1]]), 0.5, reduce="add"),
            x,
            normal,
        ),
        (
            "solve_triangular right",
            lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True, left=False),
            ((3, 3), (3, 3)),
            regular,
        ),
        ("std_mean unbiased", lambda m, x: m.std_mean(x, 0, False)[0], x, normal),
        ("var_mean unbiased", lambda m, x: m.var_mean(x, 0, False, True)[0], x, normal),
        ("var_mean correction", lambda m, x: m.var_mean(x, 0, correction=2)[0], x, normal),
        (
            "cholesky_inverse upper",
            lambda m, a: m.cholesky_inverse(m.triu(a), upper=True),
            square,
            regular,
        ),
        (
            "cholesky_solve upper",
            lambda m, b, a: m.cholesky_solve(b, m.triu(a), upper=True),
            ((3, 3), (3, 3)),
            regular,
        ),
    ):
        yield Row(name, function, shapes, draw)


def special():
    tails = lambda rng, shape: 3 * rng.standard_normal(shape)  # noqa: E731
    for name, draw in {
        "entr": positive,
        "erfcx": tails,
        "i0": tails,
        "i0e": tails,
        "i1": tails,
        "i1e": tails,
        "log_ndtr": tails,
        "ndtr": normal,
        "ndtri": chances,
        "sinc": normal,
    }.items():
        yield Row(name, lambda m, x, n=name: getattr(m.special, n)(x), ((3, 4),), draw)
    yield Row("xlog1py", lambda m, x, y: m.special.xlog1py(x, y), ((3, 4), (4,)), positive)
    shape = [0.4, 1.0, 2.5, 9.0]
    for name in ("igamma", "igammac"):
        yield Row(
            name,
            lambda m, x, n=name: getattr(m, n)(m.tensor(shape, dtype=x.dtype), x * 3),
            ((3, 4),),
            positive,
        )
    yield Row(
        "zeta",
        lambda m, x: m.special.zeta(m.tensor([1.1, 2.0, 5.0], dtype=x.dtype), x * 2),
        ((4, 3),),
        positive,
    )
    yield Row(
        "zeta negative",
        lambda m, x: m.special.zeta(m.tensor([2.0, 3.0, 6.0], dtype=x.dtype), x),
        ((4, 3),),
        lambda rng, shape: rng.uniform(0.2, 0.8, shape) - np.arange(1, 5)[:, None],
    )
    yield Row("mvlgamma", lambda m, x: m.mvlgamma(x + 1, 3), ((5,),), positive)
    for name in POLYNOMIALS:
        for n in (0, 1, 4):
            yield Row(
                f"{name} {n}",
                lambda m, x, f=name, n=n: getattr(m.special, f)(x, n),
                ((5,),),
                chances,
            )
        yield Row(
            f"{name} of degrees",
            lambda m, x, f=name: getattr(m.special, f)(x, m.tensor([3, 0, 1, 2])),
            ((2, 4),),
            chances,
        )


def numbers():
    yield named("ldexp", shapes=((3, 4), (4,)))
    yield Row("rsub", lambda m, x, y: m.rsub(x, y, alpha=0.5), ((3, 4), (4,)))
    yield named("float_power", positive, ((3, 4), (4,)))
    yield Row("float_power of a number", lambda m, x: m.float_power(x, 1.7), draw=positive)
    yield Row("frexp", lambda m, x: m.frexp(x).mantissa)
    yield Row("frexp exponent", lambda m, x: m.frexp(x).exponent, smooth=False)
    yield Row("heaviside", lambda m, x: m.heaviside(x, x[0] * 2), ((4, 3),), with_zeros, False)
    edges = [-np.inf, np.inf, np.nan, 1.0]
    for name in ("isneginf", "isposinf"):
        yield Row(name, lambda m, n=name: getattr(m, n)(m.tensor(edges)), (), smooth=False)
    for name in ("gcd", "lcm"):
        yield Row(
            name,
            lambda m, n=name: getattr(m, n)(m.tensor([12, -4, 0, 7]), m.tensor([18, 6, 0, 0])),
            (),
            smooth=False,
        )


def placed():
    x, column = (3, 4), (3,)
    for name, function, *shapes in (
        ("select_scatter", lambda m, x, y: m.select_scatter(x, y, 1, 2), x, column),
        ("slice_scatter", lambda m, x, y: m.slice_scatter(x, y, 1, 0, 4, 2), x, (3, 2)),
        ("slice_scatter of all", lambda m, x, y: m.slice_scatter(x, y), x, x),
        ("diagonal_scatter", lambda m, x, y: m.diagonal_scatter(x, y, 1), x, column),
        (
            "diagonal_scatter dims",
            lambda m, x, y: m.diagonal_scatter(x, y, -1, 2, 0),
            (2, 3, 4),
            (3, 2),
        ),
        (
            "as_strided_scatter",
            lambda m, x, y: m.as_strided_scatter(x, y, (2, 2), (1, 2), 1),
            x,
            (2, 2),
        ),
        ("put", lambda m, x, y: x.put(m.tensor([0, 5, -1]), y), x, column),
        ("put accumulate", lambda m, x, y: m.put(x, m.tensor([0, 5, 5]), y, True), x, column),
    ):
        yield Row(name, function, tuple(shapes))
    for name, function in {
        "unfold": lambda m, x: x.unfold(1, 2, 1),
        "unfold apart": lambda m, x: x.unfold(0, 1, 2),
        "narrow_copy": lambda m, x: m.narrow_copy(x, 1, 1, 2),
        "split_with_sizes": lambda m, x: m.split_with_sizes(x, [1, 3], 1)[1] * 2,
        "unsafe_split": lambda m, x: m.unsafe_split(x, 2)[0] * 2,
        "unsafe_chunk": lambda m, x: m.unsafe_chunk(x, 2, 1)[0] * 2,
        "dsplit": lambda m, x: m.dsplit(x.reshape(1, 3, 4), 2)[1] * 2,
        "fill_diagonal_ wrap": lambda m, x: (x.T * 1).fill_diagonal_(2.0, True) * x.T,
    }.items():
        yield Row(name, function)
    index = [[0, 0, 1, 2], [2, 2, 2, 2]]
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        for include in (True, False):
            yield Row(
                f"scatter_reduce {reduce} {include}",
                lambda m, x, y, r=reduce, i=include: m.scatter_reduce(
                    x, 1, m.tensor(index), y, r, include_self=i
                ),
                (x, (2, 4)),
                apart,
            )
            if reduce != "sum":
                yield Row(
                    f"index_reduce {reduce} {include}",
                    lambda m, x, y, r=reduce, i=include: m.index_reduce(
                        x, 0, m.tensor([2, 0, 2]), y + 0.1, r, include_self=i
                    ),
                    ((4, 3), (3, 3)),
                    apart,
                )
    yield Row("argwhere", lambda m, x: m.argwhere(x > 0), smooth=False)
    yield Row(
        "nonzero_static", lambda m, x: m.nonzero_static(x > 0, size=20, fill_value=7), smooth=False
    )
    yield Row(
        "unravel_index",
        lambda m: m.stack(m.unravel_index(m.tensor([[0, 5], [23, 7]]), (2, 3, 4))),
        (),
        smooth=False,
    )


def sampled():
    x = (3, 5)
    for name, function, *shapes in (
        ("cumulative_trapezoid", lambda m, x: m.cumulative_trapezoid(x, dx=0.5, dim=0), x),
        (
            "cumulative_trapezoid x",
            lambda m, y, x: m.cumulative_trapezoid(y, x),
            x,
            (5,),
        ),
        ("gradient", lambda m, x: m.cat(list(m.gradient(x))), x),
        ("gradient spacing", lambda m, x: m.gradient(x, spacing=0.5, dim=1)[0], x),
        ("gradient spacings", lambda m, x: m.cat(list(m.gradient(x, spacing=[2.0, 0.5]))), x),
        ("gradient edges", lambda m, x: m.gradient(x, dim=1, edge_order=2)[0], x),
        ("vander", lambda m, x: m.vander(x[0]), x),
        ("vander increasing", lambda m, x: m.vander(x[0], 3, True), x),
        ("linalg.vander", lambda m, x: m.linalg.vander(x, N=3), x),
        (
            "cov weights",
            lambda m, x: m.cov(x, fweights=m.tensor([1, 2, 0, 3, 1])),
            x,
        ),
    ):
        yield Row(name, function, tuple(shapes))
    places = [0.0, 0.5, 0.7, 2.0, 3.0]
    for order in (1, 2):
        yield Row(
            f"gradient at places {order}",
            lambda m, x, o=order: m.gradient(
                x, spacing=(m.tensor(places, dtype=x.dtype),), dim=1, edge_order=o
            )[0],
            (x,),
        )
    yield Row(
        "cov aweights",
        lambda m, x, w: m.cov(x, fweights=m.tensor([1, 2, 1, 3, 1]), aweights=w, correction=1),
        (x, (5,)),
        positive,
    )
    for name, function in {
        "histogram": lambda m, x: m.histogram(x, 4).hist,
        "histogram edges": lambda m, x: m.histogram(x, 4, range=(-1.0, 2.0)).bin_edges,
        "histogram density": lambda m, x: (
            m.histogram(
                x, m.tensor([-1.0, 0.0, 0.5, 2.0], dtype=x.dtype), weight=x * x, density=True
            ).hist
        ),
        "histogramdd": lambda m, x: m.histogramdd(x[:, :2], [2, 3]).hist,
    }.items():
        yield Row(name, function, (x,), smooth=False)
    for name in ("bartlett", "blackman", "hamming", "hann", "kaiser"):
        for periodic in (True, False):
            yield Row(
                f"{name}_window {periodic}",
                lambda m, n=name, p=periodic: m.stack(
                    [getattr(m, f"{n}_window")(k, p, dtype=m.float64).sum() for k in range(8)]
                ),
                (),
                smooth=False,
            )


def more_algebra():
    square, batch = ((3, 3),), ((2, 3, 3),)
    for name, function, shapes, draw in (
        (
            "cholesky_ex",
            lambda m, a: m.linalg.cholesky_ex((a + a.mT) / 2, upper=True, check_errors=True).L,
            batch,
            definite,
        ),
        ("inv_ex", lambda m, a: m.linalg.inv_ex(a).inverse, batch, regular),
        ("solve_ex", lambda m, a, b: m.linalg.solve_ex(a, b).result, ((3, 3), (3, 3)), regular),
        (
            "solve_ex right",
            lambda m, a, b: m.linalg.solve_ex(a, b, left=False)[0],
            ((3, 3), (3, 3)),
            regular,
        ),
        ("lu_factor_ex", lambda m, a: m.linalg.lu_factor_ex(a).LU, square, normal),
        *(
            (
                f"lu_solve {left} {adjoint}",
                lambda m, a, b, left=left, adjoint=adjoint: m.linalg.lu_solve(
                    *m.linalg.lu_factor(a), b, left=left, adjoint=adjoint
                ),
                ((3, 3), (3, 3)),
                normal,
            )
            for left in (True, False)
            for adjoint in (True, False)
        ),
        ("old lu_solve", lambda m, a, b: m.lu_solve(b, *m.lu(a)), ((3, 3), (3, 3)), normal),
        *(
            (
                f"triangular_solve {upper} {transpose}",
                lambda m, b, a, u=upper, t=transpose: m.triangular_solve(b, a, u, t).solution,
                ((3, 3), (3, 3)),
                regular,
            )
            for upper in (True, False)
            for transpose in (True, False)
        ),
        (
            "triangular_solve unit",
            lambda m, b, a: m.triangular_solve(b, a, unitriangular=True)[0],
            ((3, 3), (3, 3)),
            regular,
        ),
        ("pinverse rcond", lambda m, a: m.pinverse(a, 1e-10), ((4, 3),), regular),
        ("qr of columns", lambda m, a: m.qr(a, False)[1] ** 2, square, regular),
        (
            "tensorinv",
            lambda m, a: m.linalg.tensorinv(a.reshape(2, 3, 6), ind=2),
            ((6, 6),),
            regular,
        ),
        (
            "tensorinv 1",
            lambda m, a: m.linalg.tensorinv(a.reshape(6, 2, 3), ind=1),
            ((6, 6),),
            regular,
        ),
        (
            "tensorsolve",
            lambda m, a, b: m.linalg.tensorsolve(a.reshape(2, 3, 6), b[:2, :3]),
            ((6, 6), (6, 6)),
            regular,
        ),
        (
            "tensorsolve dims",
            lambda m, a, b: m.linalg.tensorsolve(a.reshape(6, 2, 3), b[:2, :3], dims=(0,)),
            ((6, 6), (6, 6)),
            regular,
        ),
        (
            "householder_product",
            lambda m, a, t: m.linalg.householder_product(a, t),
            ((4, 3), (2,)),
            normal,
        ),
    ):
        yield Row(name, function, shapes, draw)


ROWS = [
    *unary(),
    *binary(),
    *rearranged(),
    *ordered(),
    *running(),
    *multiplied(),
    *algebra(),
    *options(),
    *special(),
    *numbers(),
    *placed(),
    *sampled(),
    *more_algebra(),
]
