"""Counts, moments, running products and differences, distances."""

from collections import namedtuple

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import as_tensor, zeros
from pyml.ops.elementwise import clamp, where
from pyml.ops.functions import floating
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import cast, checked_dtype, numpy_names
from pyml.ops.reduce import amax, amin, cumsum, logsumexp, mean, norm, std, sum, var
from pyml.ops.shape import (
    cat,
    clone,
    distinct_dims,
    expand,
    integer,
    narrow,
    stack,
    tracked,
    unsqueeze,
    wrapped_dim,
)
from pyml.recorder import constant, refuse
from pyml.tensor import Tensor

INT64 = np.dtype(np.int64)
aminmax_result = namedtuple("aminmax", ("min", "max"))
cummax_result = namedtuple("cummax", ("values", "indices"))
histogram_result = namedtuple("histogram", ("hist", "bin_edges"))
cummin_result = namedtuple("cummin", ("values", "indices"))


# ---- counts --------------------------------------------------------------------------------------


@numpy_names
def count_nonzero(input, dim=None):
    """How many elements are not zero.

    Args:
        dim: one dimension or several. Default: all.
    """
    checked_tensor(input, "count_nonzero")
    return sum(input != 0, dim)


def bincount(input, weights=None, minlength=0):
    """How often each of 0, 1, 2, ... is in a vector of integers.

    Args:
        weights: what each counts, a vector. Default: 1.
        minlength: the least size of the result.
    """
    checked_tensor(input, "bincount")
    refuse("bincount")
    x = input.array
    if x.ndim != 1 or x.dtype.kind not in "iu":
        raise ArgumentError(
            f"bincount: input has shape {input.shape} and dtype {input.dtype}, it must be a "
            "vector of integers"
        )
    if x.size and x.min() < 0:
        raise ArgumentError(f"bincount: input has {x.min()}, no number may be negative")
    if isinstance(minlength, bool) or not isinstance(minlength, int) or minlength < 0:
        raise ArgumentError(f"bincount: minlength is {minlength!r}, it must be an integer >= 0")
    if weights is None:
        return Tensor._on(np.bincount(x, minlength=minlength).astype(INT64))
    checked_tensor(weights, "bincount", "weights")
    if weights.shape != input.shape:
        raise ArgumentError(
            f"bincount: weights has shape {weights.shape}, it must be that of the input, "
            f"{input.shape}"
        )
    counts = np.bincount(x, weights.detach().array, minlength)
    return Tensor._on(counts.astype(np.float32 if weights.dtype == np.float32 else np.float64))


def histc(input, bins=100, min=0, max=0):
    """How many elements lie in each of `bins` intervals of one size from min to max.

    Args:
        min, max: the ends; those of the input if both are equal. What lies beyond is not counted.
    """
    checked_tensor(input, "histc")
    if input.dtype.kind != "f":
        raise DtypeError(f"histc: input has dtype {input.dtype}, it must be float32 or float64")
    bins = integer(bins, "histc: bins")
    if bins < 1:
        raise ArgumentError(f"histc: bins is {bins}, it must be > 0")
    return Tensor._on(
        by_numpy("histc", counts_in_bins, (input.array,), bins, float(min), float(max))
    )


def counts_in_bins(x, bins, low, high):
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    if not np.isfinite([low, high]).all() or low > high:
        raise ArgumentError(f"histc: min is {low}, max is {high}; they must be finite and in order")
    inside = x[(x >= low) & (x <= high)].astype(np.float64)
    place = np.minimum(((inside - low) / (high - low) * bins).astype(INT64), bins - 1)
    return np.bincount(place, minlength=bins).astype(x.dtype)


def histogram(input, bins, *, range=None, weight=None, density=False):
    """How many elements lie in each of the bins, and the bins' edges.

    Args:
        bins: how many of one size, or a vector of edges in their order.
        range: (lowest, highest) edge. Default: the smallest and the largest element.
        weight: what each element counts. Default: 1.
        density: divide by the sum and by the bins' sizes.

    Returns:
        A named tuple (hist, bin_edges). The last bin has both its ends.
    """
    checked_tensor(input, "histogram")
    if isinstance(bins, Tensor) and bins.ndim != 1:
        raise ArgumentError(f"histogram: bins has shape {bins.shape}, it must be a vector of edges")
    flat = input.reshape(-1, 1)
    hist, edges = histogramdd(flat, [bins], range=range, weight=weight, density=density)
    return histogram_result(hist, edges[0])


def histogramdd(input, bins, *, range=None, weight=None, density=False):
    """How many points lie in each of the boxes of a grid, and the edges along each dimension.

    Args:
        input: (..., d), points of d dimensions.
        bins: how many along each dimension; or a vector of edges for each.
        range: (lowest, highest) of each dimension, one after another. Default: of the points.
        weight: what each point counts. Default: 1.
        density: divide by the sum and by the boxes' sizes.

    Returns:
        A named tuple (hist, bin_edges).
    """
    checked_tensor(input, "histogramdd")
    refuse("histogramdd")
    if input.dtype.kind != "f" or input.ndim < 2:
        raise ArgumentError(
            f"histogramdd: input has shape {input.shape} and dtype {input.dtype}, it must be "
            "points (..., d) of float32 or float64"
        )
    points = input.detach().array.reshape(-1, input.shape[-1])
    d = points.shape[1]
    bins = [bins] * d if isinstance(bins, int) else list(bins)
    if len(bins) != d:
        raise ArgumentError(f"histogramdd: {len(bins)} bins for {d} dimensions")
    if range is not None and len(range) != 2 * d:
        raise ArgumentError(
            f"histogramdd: range has {len(range)} numbers, {2 * d} are needed: a lowest and a "
            "highest of each dimension"
        )
    edges = []
    for k, each in enumerate(bins):
        if isinstance(each, Tensor):
            edges.append(each.detach().array)
            continue
        count = integer(each, "histogramdd: bins")
        if count < 1:
            raise ArgumentError(f"histogramdd: bins is {count}, it must be at least 1")
        column = points[:, k]
        low, high = (0, 1) if not len(column) else (column.min(), column.max())
        low, high = range[2 * k : 2 * k + 2] if range is not None else (low, high)
        if low == high:
            low, high = low - 0.5, high + 0.5
        if not (np.isfinite([low, high]).all() and low < high):
            raise ArgumentError(
                f"histogramdd: range is ({low}, {high}), finite and in order it must be"
            )
        edges.append(np.linspace(low, high, count + 1).astype(points.dtype))
    weights = None if weight is None else checked_tensor(weight, "histogramdd", "weight")
    if weights is not None and weights.numel() != len(points):
        raise ArgumentError(f"histogramdd: {weights.numel()} weights for {len(points)} points")
    hist, _ = np.histogramdd(
        points,
        edges,
        weights=None if weights is None else weights.detach().array.reshape(-1),
        density=density,
    )
    return histogram_result(
        Tensor._on(hist.astype(points.dtype)), tuple(Tensor._on(np.array(e)) for e in edges)
    )


# ---- moments -------------------------------------------------------------------------------------


@numpy_names
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance and the mean; see var."""
    y = var(input, dim, unbiased, keepdim, correction=correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


@numpy_names
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation and the mean; see var."""
    y = std(input, dim, unbiased, keepdim, correction=correction)
    return y, mean(input, None if isinstance(dim, bool) else dim, keepdim)


@numpy_names
def aminmax(input, *, dim=None, keepdim=False):
    """The smallest and the largest value, a named tuple (min, max); see amax."""
    return aminmax_result(amin(input, dim, keepdim), amax(input, dim, keepdim))


@numpy_names
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum of what is not NaN; see sum."""
    checked_tensor(input, "nansum")
    return sum(where(input != input, 0, input), dim, keepdim, dtype=dtype)


@numpy_names
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN; see mean."""
    checked_tensor(input, "nanmean")
    count = sum(input == input, dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariances of variables: rows of a matrix, whose columns are observations.

    Of one variable it is a number, its variance.

    Args:
        correction: what is taken from the number of observations. Default: 1.
        fweights: how often each observation counts, a vector of integers. Default: once.
        aweights: how much each counts, a vector. Default: all the same.
    """
    input = floating(input, "cov")
    if input.ndim > 2:
        raise ArgumentError(
            f"cov: input has shape {input.shape}, it must have at most 2 dimensions"
        )
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    weights = weights_of(rows, fweights=fweights, aweights=aweights)
    if weights is None:
        centred = rows - mean(rows, 1, True)
        y = centred @ centred.t() / float(max(rows.shape[1] - correction, 0))
    else:
        total = sum(weights)
        centred = rows - sum(rows * weights, 1, True) / total
        lost = correction if aweights is None else correction * sum(weights * aweights) / total
        y = (centred * weights) @ centred.t() / clamp(total - lost, min=0)
    return y if rows.shape[0] > 1 else y.squeeze()


def weights_of(rows, **weights):
    """The product of the weights that are given, None for none; of the dtype of the rows."""
    y = None
    for name, each in weights.items():
        if each is None:
            continue
        checked_tensor(each, "cov", name)
        if each.shape != (rows.shape[1],):
            raise ArgumentError(
                f"cov: {name} has shape {each.shape}, it must be ({rows.shape[1]},): one weight "
                "for each observation"
            )
        if name == "fweights" and each.dtype.kind not in "iu":
            raise DtypeError(f"cov: fweights has dtype {each.dtype}, it must be an integer type")
        each = cast(each, rows.dtype)
        y = each if y is None else y * each
    return y


def corrcoef(input):
    """The correlations of variables; see cov."""
    y = cov(input)
    if y.ndim == 0:
        return y / y
    deviations = y.diagonal().sqrt()
    return (y / deviations.unsqueeze(1) / deviations.unsqueeze(0)).clamp(-1, 1)


# ---- running -------------------------------------------------------------------------------------


@numpy_names
def cumprod(input, dim, *, dtype=None):
    """The products of the elements up to each one along `dim`.

    Args:
        dtype: the dtype to multiply in. Default: the input's, int64 for integers.
    """
    checked_tensor(input, "cumprod")
    dim = wrapped_dim(dim, input.ndim, "cumprod")
    x = input if dtype is None else cast(input, checked_dtype(dtype, "cumprod"))
    kind = x.dtype.dtype if dtype is not None or x.dtype.kind == "f" else INT64
    y = Tensor._on(by_numpy("cumprod", running_product, (x.array,), dim, kind))
    return tracked(x, y, "CumProd", lambda dy, x: cumprod_backward(x, dy, dim), x)


def running_product(x, dim, dtype):
    return np.cumprod(x, dim, dtype) if x.ndim else x.astype(dtype)


def cumprod_backward(x, dy, dim):
    """sum over j >= i of dy[j] times the product of x[k], k <= j, k != i; right with zeros, too."""
    if x.ndim == 0:
        return dy * 1
    x, dy = x.movedim(dim, -1), dy.movedim(dim, -1)
    n = x.shape[-1]
    diagonal = Tensor._on(constant(np.eye(n, dtype=bool)))
    upper = Tensor._on(constant(np.triu(np.ones((n, n), bool))))
    rows = where(diagonal, 1.0, expand(unsqueeze(x, -2), (*x.shape[:-1], n, n)))
    products = where(upper, cumprod(rows, -1), 0.0)  # [i, j]
    return sum(products * unsqueeze(dy, -2), -1).movedim(-1, dim)


@numpy_names
def logcumsumexp(input, dim):
    """The logarithm of the sums of exp of the elements up to each one along `dim`."""
    checked_tensor(input, "logcumsumexp")
    dim = wrapped_dim(dim, input.ndim, "logcumsumexp")
    if input.ndim == 0 or input.numel() == 0:
        return input * 1
    x = input.movedim(dim, -1)
    n = x.shape[-1]
    lower = Tensor._on(constant(np.tril(np.ones((n, n), bool))))
    rows = where(lower, expand(unsqueeze(x, -2), (*x.shape[:-1], n, n)), -np.inf)
    return logsumexp(rows, -1).movedim(-1, dim)


@numpy_names
def cummax(input, dim):
    """The largest of the elements up to each one along `dim`; a named tuple (values, indices)."""
    return cummax_result(*running_extreme(input, dim, np.greater_equal, "cummax"))


@numpy_names
def cummin(input, dim):
    """The smallest of the elements up to each one along `dim`; a named tuple (values, indices)."""
    return cummin_result(*running_extreme(input, dim, np.less_equal, "cummin"))


def running_extreme(input, dim, beats, name):
    checked_tensor(input, name)
    dim = wrapped_dim(dim, input.ndim, name)
    if input.ndim == 0:
        return input * 1, Tensor._on(constant(np.zeros((), INT64)))
    indices = Tensor._on(by_numpy(name, places_of_extreme, (input.array,), dim, beats))
    return input.gather(dim, indices), indices


def places_of_extreme(array, dim, beats):
    """The index of the last of the extreme elements up to each one."""
    rows = np.moveaxis(array, dim, 0)
    index = np.zeros(rows.shape, INT64)
    if len(rows):
        best = rows[0].copy()
    for i in range(1, len(rows)):
        new = beats(rows[i], best) | np.isnan(rows[i])
        best = np.where(new, rows[i], best)
        index[i] = np.where(new, i, index[i - 1])
    return np.moveaxis(index, 0, dim)


@numpy_names
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The differences of neighbours along `dim`, n times.

    Args:
        prepend, append: tensors that are joined to the input first.
    """
    checked_tensor(input, "diff")
    if input.ndim == 0:
        raise ArgumentError("diff: a 0-d tensor has no neighbours")
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ArgumentError(f"diff: n is {n!r}, it must be an integer >= 0")
    dim = wrapped_dim(dim, input.ndim, "diff")
    if n == 0:
        return clone(input)
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        size = x.shape[dim]
        after, before = narrow(x, dim, 1, size - 1), narrow(x, dim, 0, size - 1)
        x = after ^ before if x.dtype.kind == "b" else after - before
    return x


@numpy_names
def trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integral of y along `dim` by the trapezoidal rule.

    Args:
        y: values.
        x: where they are. Default: None, at distances dx.
        dx: a number. Default: 1.
    """
    return sum(trapezoids(y, x, dx, dim, "trapezoid"), dim)


def trapezoids(y, x, dx, dim, name):
    """The areas between neighbours along `dim`."""
    checked_tensor(y, name, "y")
    if x is not None and dx is not None:
        raise TypeError(f"{name}: x and dx say the same, only one can be given")
    if y.ndim == 0:
        raise ArgumentError(f"{name}: y is 0-d, it must have a dimension")
    dim = wrapped_dim(dim, y.ndim, name)
    size = y.shape[dim]
    if size == 0:
        return y
    middle = (narrow(y, dim, 1, size - 1) + narrow(y, dim, 0, size - 1)) / 2
    if x is None:
        return middle * (1 if dx is None else dx)
    checked_tensor(x, name, "x")
    if x.ndim == 1 and y.ndim > 1:
        x = x.reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    return middle * diff(x, dim=dim - y.ndim + x.ndim if x.ndim != y.ndim else dim)


trapz = trapezoid


@numpy_names
def cumulative_trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integrals of y along `dim` up to each place but the first; see trapezoid."""
    return cumsum(trapezoids(y, x, dx, dim, "cumulative_trapezoid"), dim)


@numpy_names
def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """The derivative along each of `dim` by central differences, a tuple; a copy for each.

    Args:
        spacing: the distance of neighbours: a number for all dimensions, one for each, or a vector
            of places for each. Default: 1.
        dim: Default: all.
        edge_order: 1, or 2 for differences of three elements at the ends.

    Example:
        >>> pyml.gradient(pyml.tensor([1.0, 4.0, 9.0]))
        (tensor([3., 4., 5.]),)
    """
    if checked_tensor(input, "gradient").ndim == 0:
        raise ArgumentError("gradient: input has no dimensions, it must have one or more")
    if input.dtype.kind not in "fi":  # a difference of those has no sign
        raise DtypeError(f"gradient: input has dtype {input.dtype}, which has no negative numbers")
    dims = range(input.ndim) if dim is None else distinct_dims(dim, input.ndim, "gradient")
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order is {edge_order!r}, it must be 1 or 2")
    if isinstance(spacing, (tuple, list)):
        if len(spacing) != len(dims):
            raise ArgumentError(f"gradient: {len(spacing)} spacings for {len(dims)} dimensions")
    else:
        spacing = [1.0 if spacing is None else spacing] * len(dims)
    return tuple(
        slopes(input, steps, d, edge_order) for d, steps in zip(dims, spacing, strict=True)
    )


def slopes(x, spacing, dim, edge_order):
    """The derivative along a dimension: of second order inside, at the ends of edge_order."""
    n = x.shape[dim]
    if n <= edge_order:
        raise ArgumentError(
            f"gradient: dimension {dim} has size {n}, with edge_order {edge_order} it must have "
            f"more than {edge_order}"
        )
    y = x.movedim(dim, -1)
    places = isinstance(spacing, Tensor) and spacing.ndim
    if places:
        if spacing.shape != (n,):
            raise ArgumentError(
                f"gradient: a spacing has shape {spacing.shape}, it must be ({n},): a place for "
                "each element"
            )
        steps = diff(spacing)
    else:
        steps = expand(
            as_tensor(spacing, dtype=x.dtype if x.dtype.kind == "f" else None).reshape(1), (n - 1,)
        )
    rises = diff(y) / steps
    first, last = rises[..., :1], rises[..., -1:]
    if n > 2:
        before, after = steps[:-1], steps[1:]
        if places:
            inner = (rises[..., :-1] * after + rises[..., 1:] * before) / (before + after)
        else:  # nothing of the element itself, which may be infinite
            inner = (y[..., 2:] - y[..., :-2]) / (before + after)
        if edge_order == 2:
            bends = diff(rises) / (before + after)
            first = first - bends[..., :1] * steps[:1]
            last = last + bends[..., -1:] * steps[-1:]
        parts = [first, inner, last]
    else:
        parts = [first, last]
    return cat(parts, -1).movedim(-1, dim)


def vander(x, N=None, increasing=False):
    """The powers of the elements of a vector as rows, the largest first.

    Args:
        N: how many. Default: as many as elements.
        increasing: the smallest first.
    """
    checked_tensor(x, "vander", "x")
    if x.ndim != 1:
        raise ArgumentError(f"vander: x has shape {x.shape}, it must be a vector")
    count = len(x) if N is None else integer(N, "vander: N")
    if count < 0:
        raise ArgumentError(f"vander: N is {count}, it must not be negative")
    powers = range(count) if increasing else reversed(range(count))
    columns = [x**k for k in powers]
    return stack(columns, 1) if columns else zeros(len(x), 0, dtype=x.dtype)


# ---- distances -----------------------------------------------------------------------------------


def dist(input, other, p=2):
    """The p-norm of input - other."""
    return norm(checked_tensor(input, "dist") - other, p)


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The distances of all rows of x1 (..., n, k) from all rows of x2 (..., m, k): (..., n, m).

    Args:
        p: of the norm, from 0 to inf. Where a distance is 0 so is its gradient.
        compute_mode: how PyTorch computes p = 2; here always from the differences.
    """
    checked_tensor(x1, "cdist", "x1")
    checked_tensor(x2, "cdist", "x2")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ArgumentError(f"cdist: shapes {x1.shape} and {x2.shape}; both need rows, of one size")
    if not p >= 0:
        raise ArgumentError(f"cdist: p is {p}, it must not be negative")
    differences = unsqueeze(x1, -2) - unsqueeze(x2, -3)
    if differences.shape[-1] == 0:
        return sum(differences, -1)
    return lengths(differences, p)


def pdist(input, p=2.0):
    """The distances of all pairs of rows of a matrix, as a vector."""
    checked_tensor(input, "pdist")
    if input.ndim != 2:
        raise ArgumentError(f"pdist: input has shape {input.shape}, it must be a matrix")
    if not p >= 0:
        raise ArgumentError(f"pdist: p is {p}, it must not be negative")
    first, second = (Tensor._on(constant(i)) for i in np.triu_indices(len(input), 1))
    return lengths(input.index_select(0, first) - input.index_select(0, second), p)


def lengths(differences, p):
    """Of differences along the last dimension; of NaN it is NaN, also for the 0-norm."""
    return sum(differences.sign().abs(), -1) if p == 0 else norm(differences, p, -1)


def renorm(input, p, dim, maxnorm):
    """The slices along `dim` scaled down to a p-norm of at most maxnorm."""
    checked_tensor(input, "renorm")
    dim = wrapped_dim(dim, input.ndim, "renorm")
    others = [d for d in range(input.ndim) if d != dim]
    sizes = norm(input, p, others, True)
    return input * where(sizes > maxnorm, maxnorm / (sizes + 1e-7), 1.0)
