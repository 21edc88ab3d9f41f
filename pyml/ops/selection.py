"""x[mask] in a recorded step: how many rows it has is known to a replay alone.

A Selection has memory for all rows. Those that the mask chooses lie first, the others are zero, and
a kernel counts them. What treats each row by itself works on this memory; what goes over all rows
reads the count: the bits of the eager step. Everything else is refused.
"""

import math

import numpy as np

from pyml import _kernels
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import broadcast_to, contiguous, copied, empty
from pyml.ops.elementwise import where
from pyml.ops.operands import cast, checked_dtype
from pyml.ops.shape import tracked, wrapped_dim
from pyml.recorder import refuse
from pyml.tensor import Tensor

__all__ = ["Selection", "at_mask"]

FLOAT64, INT64 = np.dtype(np.float64), np.dtype(np.int64)
ALL_USES = (
    "a use of an index by a mask that needs to know how many elements it has (compute with all "
    "elements and select at the end: F.cross_entropy(x, y, reduction='none')[mask].mean(), or "
    "(loss * mask).sum() / mask.sum())"
)


def mask_gather(x, mask):
    """The rows of x that the mask chooses, then zeros, and the array that their number is in."""
    source = contiguous(x.array)
    rest = source.shape[mask.ndim :]
    y, count = empty((mask.size, *rest), source.dtype), empty((), INT64)
    _kernels.mask_gather(y, count, source, mask, math.prod(rest) * source.itemsize)
    return tracked(x, Tensor._on(y), "Index", lambda dy: mask_scatter(dy, mask)), count


def mask_scatter(x, mask):
    """The inverse: zeros where the mask does not choose."""
    y = at_mask(x.array, mask)
    return tracked(x, y, "IndexBackward", lambda dy: mask_gather(dy, mask)[0])


def at_mask(array, mask):
    """A Tensor with the rows of an array at the places that the mask chooses, zeros elsewhere."""
    source = contiguous(array)
    rest = source.shape[1:]
    y = empty((*mask.shape, *rest), source.dtype)
    _kernels.mask_scatter(y, source, mask, math.prod(rest) * source.itemsize)
    return Tensor._on(y)


def counted_sum(x, count, dims, shape):
    """The sum over the first count[0] rows of x, and over the next dimensions, `dims` of all."""
    source, sizes = contiguous(x.array), x.shape
    each, inner = math.prod(sizes[1:dims]), math.prod(sizes[dims:])
    y = empty(shape, source.dtype)
    _kernels.sum(y, source, 1, sizes[0] * each, inner, count, each)
    return tracked(x, Tensor._on(y), "Sum", lambda dy: counted_expand(dy, count, dims, sizes))


def counted_expand(x, count, dims, sizes):
    """x in each of the rows; of those beyond the count nothing comes back."""
    shape = x.shape
    y = Tensor._on(broadcast_to(x.array.reshape(sizes[dims:]), sizes))
    return tracked(x, y, "Expand", lambda dy: counted_sum(dy, count, dims, shape))


class Selection:
    """What x[mask] gives in a recorded step. It is no Tensor: what is not here is refused."""

    __slots__ = ("_changes", "_count", "_mask", "_rows", "_source")
    __hash__ = None

    def __init__(self, x, mask):
        self._source, self._changes = mask, mask._changes()
        self._mask = copied(mask.array)
        self._rows, self._count = mask_gather(x, self._mask)

    def of(self, rows):
        """Another one, of the same mask."""
        other = object.__new__(Selection)
        other._source, other._changes = self._source, self._changes
        other._rows, other._count, other._mask = rows, self._count, self._mask
        return other

    def is_by(self, mask):
        """Whether it was chosen by this mask, as it is now."""
        return self._source is mask and self._changes == mask._changes()

    def scattered(self):
        """A Tensor with the rows where they come from, zero elsewhere."""
        return mask_scatter(self._rows, self._mask)

    def as_operands(self, x, mask):
        """Of where(), for x[mask] = self."""
        if not self.is_by(mask):
            refused()
        rest = (1,) * (self._rows.ndim - 1)
        return Tensor._on(self._mask.reshape(self._mask.shape + rest)), self.scattered(), x

    def operand(self, other):
        """Another operand as it goes with the rows."""
        if type(other) is Selection:
            return other._rows if other.is_by(self._source) else refused()
        if isinstance(other, Tensor) and (
            other.ndim >= self._rows.ndim or (other.requires_grad and is_grad_enabled())
        ):
            refused()
        return other

    def __getattr__(self, name):
        refused()

    @property
    def __class__(self):
        """For isinstance(), which is true eagerly; compiled code sees that it is no Tensor."""
        return Tensor

    # ---- over all rows ---------------------------------------------------------------------------

    def sum(self, dim=None, keepdim=False, *, dtype=None):
        """See pyml.sum."""
        rows = self._rows if dtype is None else cast(self._rows, checked_dtype(dtype, "sum"))
        if rows.dtype.kind != "f" and (dtype is not None or rows.dtype.itemsize >= 4):
            refuse(f"sum of dtype {rows.dtype}")
        dims = self.dims(dim, "sum")
        if dims[0] > 0:
            return self.of(rows.sum(dims, keepdim))
        if rows.dtype.kind == "f":
            return self.total(rows, dims, keepdim)
        return cast(self.total(cast(rows, FLOAT64), dims, keepdim), INT64)  # exact

    def mean(self, dim=None, keepdim=False, *, dtype=None):
        """See pyml.mean."""
        rows = self._rows if dtype is None else cast(self._rows, checked_dtype(dtype, "mean"))
        dims = self.dims(dim, "mean")
        if dims[0] > 0 or rows.dtype.kind != "f":
            return self.of(rows.mean(dims, keepdim))
        each = float(math.prod(rows.shape[1 : len(dims)]))
        divisor = cast(cast(Tensor._on(self._count), FLOAT64) * each, rows.dtype)
        values = rows.detach()
        y = self.total(values, dims, keepdim) / divisor
        part = self.total(values * 2.0**-64, dims, keepdim) / divisor  # as pyml.mean
        y = where(y.abs() < math.inf, y, part * 2.0**64)
        count, sizes = self._count, rows.shape
        return tracked(
            rows, y, "Mean", lambda dy: counted_expand(dy / divisor, count, len(dims), sizes)
        )

    def sum_to(self, shape):
        """Summed over what broadcasting from the shape of a row repeated."""
        before = self._rows.ndim - len(shape)
        dims = [
            d
            for d, size in enumerate(self._rows.shape)
            if d < before or (shape[d - before] == 1 and size != 1)
        ]
        return self.sum(dims, True).reshape(shape)

    def dims(self, dim, name):
        """The dimensions that are meant, in their order."""
        ndim = self._rows.ndim
        if dim is None or dim == () or dim == []:
            return tuple(range(ndim))
        items = dim if isinstance(dim, (tuple, list)) else (dim,)
        return tuple(sorted(wrapped_dim(item, ndim, name) for item in items))

    def total(self, rows, dims, keepdim):
        if dims != tuple(range(len(dims))):
            refused()
        rest = rows.shape[len(dims) :]
        shape = (1,) * len(dims) + rest if keepdim else rest
        return counted_sum(rows, self._count, len(dims), shape)


def refused(*_):
    refuse(ALL_USES)
    raise RuntimeError(
        "index: a recorded step has left an index by a mask behind, which has no size"
    )


for _name in (  # what Python does not look up by __getattr__
    *("__array__", "__bool__", "__contains__", "__float__", "__getitem__", "__int__", "__iter__"),
    *("__len__", "__matmul__", "__repr__", "__rmatmul__", "__setitem__"),
):
    setattr(Selection, _name, refused)


def of_rows(name):
    """The method of that name, which treats each row by itself."""

    def apply(self, *others):
        y = getattr(self._rows, name)(*map(self.operand, others))
        return self if y is self._rows else self.of(y)

    return apply


for _name in (
    *("abs", "bool", "ceil", "clamp", "clone", "cos", "detach", "double", "exp", "expm1", "float"),
    *("floor", "isfinite", "isinf", "isnan", "log", "log1p", "logical_not", "long", "neg", "pow"),
    *("reciprocal", "relu", "rsqrt", "sigmoid", "sign", "sin", "sqrt", "square", "tanh"),
    *("__abs__", "__invert__", "__neg__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__"),
    *("__ge__", "__and__", "__or__", "__xor__", "__add__", "__radd__", "__iadd__", "__sub__"),
    *("__rsub__", "__isub__", "__mul__", "__rmul__", "__imul__", "__truediv__", "__rtruediv__"),
    *("__itruediv__", "__pow__", "__rpow__"),
):
    setattr(Selection, _name, of_rows(_name))
