"""Scattered elements that are summed, multiplied, averaged or compared with what is there."""

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import checked_tensor, copied
from pyml.ops.elementwise import clamp, div, where
from pyml.ops.index import aimed, check_extent, gather, grid, scatter, scatter_add
from pyml.ops.rearranging import in_every_row, of_slices, slices_at
from pyml.recorder import constant, refuse
from pyml.tensor import Node, Tensor

REDUCTIONS = {
    "sum": np.add,
    "prod": np.multiply,
    "mean": np.add,
    "amax": np.maximum,
    "amin": np.minimum,
}


class Scattered(Node):
    """derivatives(dy, input, src, result) gives both gradients."""

    def __init__(self, name, derivatives):
        self._name, self._derivatives = name, derivatives

    def _operation(self):
        return self._name

    def _gradients(self, dy):
        gradients = self._derivatives(dy, *[self._saved(i) for i in range(3)])
        return tuple(
            None if edge is None else g for edge, g in zip(self.inputs, gradients, strict=True)
        )


def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """A copy of the input whose y[i][index[i][j]] is made of all src[i][j], and so for every dim.

    Args:
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: and of input[i][index[i][j]] itself. Default: True.

    Equal largest or smallest elements share the gradient.

    Example:
        >>> x = pyml.zeros(2)
        >>> x.scatter_reduce(0, pyml.tensor([0, 0, 1]), pyml.tensor([1.0, 2.0, 3.0]), "amax")
        tensor([2., 3.])
    """
    name = "scatter_reduce"
    checked_tensor(input, name)
    checked_tensor(src, name, "src")
    if reduce not in REDUCTIONS:
        raise ArgumentError(
            f"{name}: reduce is {reduce!r}, it must be one of {', '.join(REDUCTIONS)}"
        )
    if src.dtype != input.dtype:
        raise DtypeError(
            f"{name}: src has dtype {src.dtype}, it must be that of the input, {input.dtype}"
        )
    dim, index, src = aimed(input, dim, index, src, name)
    check_extent(index.shape, src.shape, -1, name)
    if src.shape != index.shape:
        src = src[tuple(slice(n) for n in index.shape)]
    index = Tensor._on(index)
    if reduce == "sum":
        return scatter_add(starts(input, dim, index, 0, include_self), dim, index, src)
    if reduce == "mean":
        return averaged(input, dim, index, src, include_self)
    return gathered_by(reduce, input, dim, index, src, include_self)


def starts(input, dim, index, value, include_self):
    """The input, with `value` where something is scattered to if that is not to count."""
    return input if include_self else scatter(input, dim, index, value)


def averaged(input, dim, index, src, include_self):
    total = scatter_add(starts(input, dim, index, 0, include_self), dim, index, src)
    before = Tensor._on(constant(np.full(input.shape, include_self, input.dtype)))
    ones = Tensor._on(constant(np.ones(index.shape, input.dtype)))
    count = clamp(scatter_add(before, dim, index, ones), min=1)
    return div(total, count, rounding_mode=None if input.dtype.kind == "f" else "floor")


def gathered_by(reduce, input, dim, index, src, include_self):
    """The products, or the largest or the smallest elements."""
    refuse(f"scatter_reduce by {reduce}")
    array = copied(input.array)
    place = grid(index.array, dim) if input.ndim else (...,)
    if not include_self:
        array[place] = neutral(reduce, input.dtype)
    with np.errstate(all="ignore"):
        REDUCTIONS[reduce].at(array, place, src.array)
    y = Tensor._on(array)
    if is_grad_enabled() and (input.requires_grad or src.requires_grad):
        given = {"dim": dim, "index": index, "include_self": include_self}
        if reduce == "prod":

            def derivatives(dy, x, s, _):
                return products_of_others(dy, x, s, **given)

        else:

            def derivatives(dy, x, s, y):
                return shares(dy, x, s, y, **given)

        node = Scattered("ScatterReduce", derivatives)
        node._connect(y, (input, src), keep=(input, src, None if reduce == "prod" else y))
    return y


def neutral(reduce, dtype):
    """What changes nothing: before the first element."""
    if reduce == "prod":
        return 1
    if dtype.kind == "f":
        low, high = -np.inf, np.inf
    elif dtype.kind == "b":
        low, high = False, True
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return low if reduce == "amax" else high


def untouched(shape, dim, index):
    """Where nothing is scattered to, as truth values."""
    return scatter(Tensor._on(np.ones(shape, bool)), dim, index, False)


def shares(dy, x, s, y, dim, index, include_self):
    """The gradient goes to the elements that are the result, equals a share each."""
    of_input = x.detach() == y
    if not include_self:
        of_input = of_input & untouched(x.shape, dim, index)
    of_src = s.detach() == gather(y, dim, index)
    count = scatter_add(of_input.to(x.dtype), dim, index, of_src.to(x.dtype))
    share = dy / clamp(count, min=1)
    return where(of_input, share, 0.0), where(of_src, gather(share, dim, index), 0.0)


def products_of_others(dy, x, s, dim, index, include_self):
    """dy times the product of all other elements, also where some are 0."""
    alone = None if include_self else untouched(x.shape, dim, index)
    first = x if include_self else where(alone, x, 1.0)
    zero_input, zero_src = first == 0, s == 0
    if is_grad_enabled() and (
        (zero_input & ~untouched(x.shape, dim, index)).any() or zero_src.any()
    ):
        raise NotImplementedError(
            "scatter_reduce: products of zeros have no second derivative; leave create_graph out"
        )
    rest = scatter_reduce(
        where(zero_input, 1.0, first), dim, index, where(zero_src, 1.0, s), "prod"
    )
    zeros = scatter_add(zero_input.to(x.dtype), dim, index, zero_src.to(x.dtype)).detach()
    dx = dy * others(rest, zeros, first, zero_input)
    dx = dx if include_self else where(alone, dx, 0.0)
    at = [gather(each, dim, index) for each in (dy, rest, zeros)]
    return dx, at[0] * others(at[1], at[2], s, zero_src)


def others(rest, zeros, x, is_zero):
    """The product of all but x, of the product of what is not 0 and the number of zeros."""
    return where(zeros == is_zero.to(zeros.dtype), rest / where(is_zero, 1.0, x), 0.0)


@of_slices
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """A copy whose slices `index` (a vector) along `dim` are made of those of source.

    Args:
        reduce: "prod", "mean", "amax" or "amin".
        include_self: and of the slice itself. Default: True.
    """
    checked_tensor(input, "index_reduce")
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ArgumentError(
            f"index_reduce: reduce is {reduce!r}, it must be 'prod', 'mean', 'amax' or 'amin'"
        )
    dim, index = slices_at(input, dim, index, source, "index_reduce")
    return scatter_reduce(
        input, dim, in_every_row(index, dim, source), source, reduce, include_self=include_self
    )
