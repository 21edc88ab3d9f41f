"""Order among elements: sorted, chosen by rank, different ones, places in intervals."""

from collections import namedtuple

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.arrays import checked_tensor, contiguous
from pyml.ops.elementwise import lerp, where
from pyml.ops.index import gather, index_select
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import numpy_names
from pyml.ops.shape import clone, integer, stack, tracked, wrapped_dim
from pyml.recorder import constant, refuse, unwatched
from pyml.tensor import Tensor

sort_result = namedtuple("sort", ("values", "indices"))
topk_result = namedtuple("topk", ("values", "indices"))
kthvalue_result = namedtuple("kthvalue", ("values", "indices"))
median_result = namedtuple("median", ("values", "indices"))
mode_result = namedtuple("mode", ("values", "indices"))
ROUNDINGS = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}
INTERPOLATIONS = ("linear", *ROUNDINGS, "midpoint")


def order_of(array, dim, descending):
    """The indices that sort along `dim`; equal elements keep their order, NaN is the largest."""
    if array.ndim == 0:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(array, dim, kind="stable")
    backward = np.argsort(np.flip(array, dim), dim, kind="stable")
    return array.shape[dim] - 1 - np.flip(backward, dim)


@numpy_names
def sort(input, dim=-1, descending=False, *, stable=False):
    """The elements in order along one dimension.

    Args:
        input: any shape.
        dim: the dimension along which it is sorted. Default: the last.
        descending: the largest first. Default: False.
        stable: equal elements keep their order; they do so in any case. Default: False.

    Returns:
        A named tuple: values, of the input's shape, through which gradients go; and indices, int64,
        the places of the values in the input. NaN counts as larger than any number, as in PyTorch.

    Example:
        >>> pyml.sort(pyml.tensor([2.0, 3.0, 1.0])).indices
        tensor([2, 0, 1])
    """
    checked_tensor(input, "sort")
    dim = wrapped_dim(dim, input.ndim, "sort")
    indices = Tensor._on(by_numpy("sort", order_of, (input.array,), dim, bool(descending)))
    return sort_result(gather(input, dim, indices), indices)


@numpy_names
def argsort(input, dim=-1, descending=False, *, stable=False):
    """The indices of sort(), int64."""
    checked_tensor(input, "argsort")
    dim = wrapped_dim(dim, input.ndim, "argsort")
    return Tensor._on(by_numpy("argsort", order_of, (input.array,), dim, bool(descending)))


def msort(input):
    """The elements in order along the first dimension; see sort."""
    return sort(input, 0).values


@numpy_names
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest elements along one dimension.

    Args:
        k: how many.
        dim: the dimension. Default: the last.
        largest: False for the smallest. Default: True.
        sorted: in their order; they are so in any case. Default: True.

    Returns:
        A named tuple (values, indices), see sort.

    Example:
        >>> pyml.topk(pyml.tensor([2.0, 3.0, 1.0]), 2).indices
        tensor([1, 0])
    """
    checked_tensor(input, "topk")
    dim = wrapped_dim(dim, input.ndim, "topk")
    size = input.shape[dim] if input.ndim else 1
    if isinstance(k, Tensor):
        k = k.item()
    k = integer(k, "topk: k")
    if not 0 <= k <= size:
        raise ArgumentError(
            f"topk: k is {k}, it must be from 0 to {size}, the size of dimension {dim}"
        )
    indices = Tensor._on(by_numpy("topk", first_of_order, (input.array,), dim, bool(largest), k))
    if input.ndim == 0:
        return topk_result(clone(input), indices)
    return topk_result(gather(input, dim, indices), indices)


def first_of_order(array, dim, descending, k):
    """The first k of the indices that sort."""
    order = order_of(array, dim, descending)
    return np.take(order, np.arange(k), dim) if array.ndim else order


@numpy_names
def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest element along one dimension, k from 1; a named tuple (values, indices)."""
    checked_tensor(input, "kthvalue")
    dim = wrapped_dim(dim, input.ndim, "kthvalue")
    size = input.shape[dim] if input.ndim else 1
    k = integer(k, "kthvalue: k")
    if not 1 <= k <= size:
        raise ArgumentError(f"kthvalue: k is {k}, it must be from 1 to {size}")
    index = by_numpy("kthvalue", kth_of_order, (input.array,), dim, k)
    return kthvalue_result(*chosen(input, dim, index, keepdim))


def kth_of_order(array, dim, k):
    return np.take(np.atleast_1d(order_of(array, dim, False)), [k - 1], dim)


def chosen(input, dim, index, keepdim):
    """The elements at `index`, of size 1 in `dim`, and the index; of a 0-d input both are 0-d."""
    indices = Tensor._on(index if input.ndim else index.reshape(()))
    values = gather(input, dim, indices)
    if keepdim or input.ndim == 0:
        return values, indices
    return values.squeeze(dim), indices.squeeze(dim)


@numpy_names
def median(input, dim=None, keepdim=False):
    """The median, of two in the middle the smaller; NaN if there is one.

    Args:
        dim: a dimension, for a named tuple (values, indices). Default: None, of all elements.
        keepdim: leave that dimension, with size 1.
    """
    return middle(input, dim, keepdim, False, "median")


@numpy_names
def nanmedian(input, dim=None, keepdim=False):
    """The median of what is not NaN; see median."""
    return middle(input, dim, keepdim, True, "nanmedian")


def middle(input, dim, keepdim, ignore, name):
    checked_tensor(input, name)
    if dim is None:
        if input.numel() == 0 and input.is_floating_point():
            return input.sum() / 0  # NaN, as the mean of nothing
        if input.numel() == 0:
            raise ArgumentError(f"{name}: a tensor of shape {input.shape} has no elements")
        return middle_of_all(input, ignore, name)
    dim = wrapped_dim(dim, input.ndim, name)
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"{name}: a tensor of shape {input.shape} has no elements to choose from")
    index = by_numpy(name, middle_of, (input.array,), dim, ignore)
    return median_result(*chosen(input, dim, index, keepdim))


def middle_of_all(input, ignore, name):
    """The median of all elements; its gradient goes in equal parts to all that equal it."""
    x = input.detach()
    value = middle(x.reshape(-1), 0, False, ignore, name).values
    equal = (x == value) | (x.isnan() & value.isnan())
    share = equal.sum()
    return tracked(input, value, name.capitalize(), lambda dy: where(equal, dy / share, 0.0))


def middle_of(array, dim, ignore):
    """The index of the median, or of the first NaN unless these are ignored."""
    array = np.atleast_1d(array)
    order = np.argsort(array, dim, kind="stable")
    nan = np.isnan(array)
    count = (~nan).sum(dim, keepdims=True)
    place = (np.maximum(count - 1, 0) if ignore else np.full_like(count, array.shape[dim] - 1)) // 2
    index = np.take_along_axis(order, place, dim)
    if not ignore:
        index = np.where(nan.any(dim, keepdims=True), nan.argmax(dim, keepdims=True), index)
    return index


@numpy_names
def mode(input, dim=-1, keepdim=False):
    """The most frequent element along one dimension, of several the smallest.

    Returns:
        A named tuple (values, indices); an index is that of the last place.
    """
    checked_tensor(input, "mode")
    dim = wrapped_dim(dim, input.ndim, "mode")
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"mode: a tensor of shape {input.shape} has no elements to choose from")
    index = by_numpy("mode", most_frequent, (input.array,), dim)
    return mode_result(*chosen(input, dim, index, keepdim))


def most_frequent(array, dim):
    """The last index of the most frequent element."""
    array = np.atleast_1d(array)

    def last_of_most(row):
        values, counts = np.unique(row, return_counts=True)
        return np.flatnonzero(row == values[counts.argmax()])[-1:]

    if not array.size:  # no rows
        return np.zeros([1 if d == dim else n for d, n in enumerate(array.shape)], np.int64)
    return np.apply_along_axis(last_of_most, dim, array)


@numpy_names
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The number below which a share q of the elements lies; NaN if there is one.

    Args:
        q: from 0 to 1: a number, or a vector for several, in a new first dimension.
        dim: a dimension. Default: None, of all elements.
        keepdim: leave that dimension, with size 1.
        interpolation: between two elements: "linear", "lower", "higher", "nearest", "midpoint".
    """
    return quantiles(input, q, dim, keepdim, interpolation, False, "quantile")


@numpy_names
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The quantile of what is not NaN; see quantile."""
    return quantiles(input, q, dim, keepdim, interpolation, True, "nanquantile")


def quantiles(input, q, dim, keepdim, interpolation, ignore, name):
    checked_tensor(input, name)
    if input.dtype.kind != "f":
        raise DtypeError(f"{name}: input has dtype {input.dtype}, it must be float32 or float64")
    shares = q.array if isinstance(q, Tensor) else constant(np.asarray(unwatched(q), np.float64))
    shares = by_numpy(name, checked_shares, (shares,), name)
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(
            f"{name}: interpolation is {interpolation!r}, it must be one of "
            f"{', '.join(INTERPOLATIONS)}"
        )
    ndim = input.ndim
    if dim is None:
        x, dim = input.reshape(-1), 0
        kept = (1,) * ndim
    else:
        dim = wrapped_dim(dim, ndim, name)
        x = input if ndim else input.reshape(1)
        kept = tuple(1 if d == dim else n for d, n in enumerate(input.shape))
    n = x.shape[dim]
    if n == 0:
        raise ArgumentError(f"{name}: a tensor of shape {input.shape} has no elements")
    ordered = sort(x, dim).values
    neighbours = by_numpy(name, neighbours_of, (x.array, shares), dim, interpolation, ignore)
    results = []
    for low, high, weight in zip(*neighbours, strict=True):
        y = gather(ordered, dim, Tensor._on(low))
        if interpolation not in ROUNDINGS:
            y = lerp(y, gather(ordered, dim, Tensor._on(high)), Tensor._on(weight))
        results.append(y.reshape(kept) if keepdim else y.squeeze(dim))
    return stack(results) if shares.ndim else results[0]


def checked_shares(q, name):
    if q.ndim > 1 or not ((q >= 0) & (q <= 1)).all():
        raise ArgumentError(
            f"{name}: q is {q.tolist()}, it must be a number from 0 to 1, or a vector of them"
        )
    return q.astype(np.float64)


def neighbours_of(array, shares, dim, interpolation, ignore):
    """The places below and above each share and the weight of the second, in a first dimension for
    the shares. What is NaN stands last: there is the place where one counts."""
    nan = np.isnan(array)
    count = (~nan).sum(dim, keepdims=True) if ignore else array.shape[dim]
    place = shares.reshape(-1, *[1] * array.ndim) * np.maximum(count - 1, 0)
    if not ignore:
        place = np.where(nan.any(dim, keepdims=True), array.shape[dim] - 1, place)
    if interpolation in ROUNDINGS:
        place = ROUNDINGS[interpolation](place)
    low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
    weight = np.full_like(place, 0.5) if interpolation == "midpoint" else place - low
    return low, high, weight.astype(array.dtype)


# ---- sets ----------------------------------------------------------------------------------------


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements in their order. The gradient of one goes to where it is first.

    Args:
        sorted: in order; they are so in any case.
        return_inverse: also where each element of the input is found in the result.
        return_counts: also how often each is there.
        dim: compare slices along this dimension. Default: None, elements.
    """
    checked_tensor(input, "unique")
    refuse("unique")
    array = input.array
    if dim is not None:
        dim = wrapped_dim(dim, input.ndim, "unique")
    _, first, inverse, counts = np.unique(
        array, True, return_inverse=True, return_counts=True, axis=dim, equal_nan=False
    )
    return several_results(
        input,
        dim,
        first,
        inverse.reshape(-1 if dim is not None else array.shape),
        counts,
        return_inverse,
        return_counts,
    )


def several_results(input, dim, places, inverse, counts, return_inverse, return_counts):
    """The elements or slices of the input at these places, and what else is asked for."""
    if dim is None:
        input, dim = input.reshape(-1), 0
    places, inverse, counts = (
        Tensor._on(contiguous(np.asarray(y, np.int64))) for y in (places, inverse, counts)
    )
    results = (index_select(input, dim, places),)
    results += (inverse,) if return_inverse else ()
    results += (counts,) if return_counts else ()
    return results if len(results) > 1 else results[0]


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements without those that are equal to the one before, through which gradients go.

    Args:
        return_inverse, return_counts, dim: as for unique.
    """
    checked_tensor(input, "unique_consecutive")
    refuse("unique_consecutive")
    array = input.array.reshape(-1) if dim is None else input.array
    axis = 0 if dim is None else wrapped_dim(dim, input.ndim, "unique_consecutive")
    rows = np.moveaxis(array, axis, 0)
    n = len(rows)
    new = np.ones(n, bool)
    if n > 1:
        new[1:] = (rows[1:] != rows[:-1]).reshape(n - 1, -1).any(1)
    starts = np.flatnonzero(new)
    inverse = np.cumsum(new) - 1
    return several_results(
        input,
        dim,
        starts,
        inverse.reshape(input.shape) if dim is None else inverse,
        np.diff(np.append(starts, n)),
        return_inverse,
        return_counts,
    )


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """True where an element is among others.

    Args:
        assume_unique: nothing is twice in either; the result is the same.
        invert: True where it is not.
    """
    if not isinstance(elements, Tensor):
        checked_tensor(test_elements, "isin", "test_elements")
    a = numbers_of(elements, "isin", "elements")
    b = numbers_of(test_elements, "isin", "test_elements")
    return Tensor._on(by_numpy("isin", np.isin, (a, b), False, bool(invert)))


def numbers_of(x, name, argument):
    """The array of a Tensor, or of one number."""
    if isinstance(x, (int, float, np.generic)):
        return constant(np.asarray(x))
    return checked_tensor(x, name, argument).array


# ---- in intervals --------------------------------------------------------------------------------


def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where numbers would be put into a sequence so that it stays in order.

    Args:
        sorted_sequence: in order along the last dimension; a vector, or of input's first sizes.
        input: numbers, or one.
        out_int32: int32 in place of int64.
        right: behind equal elements. Default: False, before them.
        side: "right" for right=True, "left" for False.
        sorter: the indices that sort the sequence. Default: None, it is in order.
    """
    checked_tensor(sorted_sequence, "searchsorted", "sorted_sequence")
    if side not in (None, "left", "right"):
        raise ArgumentError(f"searchsorted: side is {side!r}, it must be 'left' or 'right'")
    if side == "left" and right:
        raise ArgumentError("searchsorted: side is 'left' and right is True; only one can hold")
    side = "right" if right or side == "right" else "left"
    rows = sorted_sequence.array
    if rows.ndim == 0:
        raise ArgumentError("searchsorted: sorted_sequence is 0-d, it must have a dimension")
    if sorter is not None:
        checked_tensor(sorter, "searchsorted", "sorter")
        rows = by_numpy("searchsorted", np.take_along_axis, (rows, sorter.array), -1)
    numbers = numbers_of(input, "searchsorted", "input")
    if rows.ndim > 1 and (numbers.ndim != rows.ndim or numbers.shape[:-1] != rows.shape[:-1]):
        raise ArgumentError(
            f"searchsorted: input has shape {numbers.shape}, sorted_sequence {rows.shape}; all "
            "sizes but the last must be the same"
        )
    kind = np.int32 if out_int32 else np.int64
    return Tensor._on(by_numpy("searchsorted", places_in, (rows, numbers), side, kind))


def places_in(rows, numbers, side, dtype):
    if rows.ndim == 1:
        return np.asarray(np.searchsorted(rows, numbers, side), dtype)
    found = np.empty(numbers.shape, dtype)
    for place in np.ndindex(rows.shape[:-1]):
        found[place] = np.searchsorted(rows[place], numbers[place], side)
    return found


def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the interval between boundaries, in order, that each number lies in.

    Args:
        right: a number equal to a boundary belongs to the interval above it. Default: below.
    """
    checked_tensor(boundaries, "bucketize", "boundaries")
    if boundaries.ndim != 1:
        raise ArgumentError(f"bucketize: boundaries has shape {boundaries.shape}, not a vector")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
