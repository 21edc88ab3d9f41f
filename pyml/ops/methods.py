"""Methods of Tensor whose arguments are not those of a function: single sizes, named dtypes."""

import math

import numpy as np

from pyml.attributes import NAMES
from pyml.errors import ArgumentError, DtypeError
from pyml.ops import creation, elementwise, index, linalg, rearranging, shape, special
from pyml.ops.arrays import checked_tensor
from pyml.ops.inplace import copy_, fill_, replace
from pyml.ops.operands import broadcast_shapes, sum_to
from pyml.ops.shape import reshape as reshaped
from pyml.ops.sharing import is_shared, share_memory_
from pyml.recorder import constant, refuse
from pyml.tensor import Tensor


def sizes_of(args, named=None):
    """x.expand(2, 3), x.expand((2, 3)) and x.expand(size=(2, 3)) mean the same."""
    if named is not None:
        if args:
            raise TypeError(f"sizes or dimensions are given twice: {args} and {named}")
        return named
    return args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


def broadcast_to(self, *sizes, size=None):
    """expand() to a shape, `sizes`, or a tuple `size` by name."""
    return shape.expand(self, sizes_of(sizes, size))


def expand(self, *sizes, size=None, implicit=False):
    """Dimensions of size 1 repeated to `sizes`, others put in front; a view that repeats memory.

    Args:
        sizes: the new shape; -1 leaves a size as it is.
        size: the same by name, as a tuple.
        implicit: of PyTorch's inside; of no effect.
    """
    return shape.expand(self, sizes_of(sizes, size))


def expand_as(self, other):
    """expand() to the shape of another tensor."""
    return shape.expand(self, checked_tensor(other, "expand_as", "other").shape)


def flip(self, *axes, dims=None):
    """The elements in reverse order along `axes`, or a tuple `dims` by name; a copy."""
    return shape.flip(self, sizes_of(axes, dims))


def permute(self, *axes, dims=None):
    """The dimensions in the order `axes`, or a tuple `dims` by name; a view."""
    return shape.permute(self, sizes_of(axes, dims))


def repeat(self, *counts, repeats=None):
    """The tensor counts[d] times along each dimension, or a tuple `repeats` by name; a copy."""
    return shape.repeat(self, sizes_of(counts, repeats))


def reshape(self, *sizes, shape=None):
    """The same elements in another shape; a view where that is possible.

    Args:
        sizes: of the dimensions, one of which may be -1: what is left.
        shape: the same by name, as a tuple.
    """
    return reshaped(self, sizes_of(sizes, shape))


def reshape_as(self, other):
    """reshape() to the shape of another tensor."""
    return shape.reshape(self, checked_tensor(other, "reshape_as", "other").shape)


def split(self, split_size, dim=0):
    """See pyml.split."""
    return shape.split(self, split_size, dim)


def type_as(self, other):
    """The same values in the dtype of another tensor."""
    return shape.to(self, checked_tensor(other, "type_as", "other").dtype)


def view(self, *sizes, size=None):
    """The same memory in another shape.

    Args:
        sizes: of the dimensions, one of which may be -1: what is left.
        size: the same by name, as a tuple.

    Raises:
        RuntimeError: if the strides do not allow it; reshape() copies then.
    """
    return shape.view(self, sizes_of(sizes, size))


def view_as(self, other):
    """view() in the shape of another tensor."""
    return shape.view(self, checked_tensor(other, "view_as", "other").shape)


def where(self, condition, other):
    """The elements of this tensor where `condition` holds, else those of `other`."""
    return elementwise.where(condition, self, other)


def zero_(self):
    """Sets every element to zero; returns self."""
    return fill_(self, 0)


# ---- of its kind ---------------------------------------------------------------------------------


def new(self, *data, device=None):
    """A tensor of the same dtype: of data, or of sizes, whose values are not set."""
    return creation.of_data_or_sizes(data, self.dtype, device, "new")


def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor of data, of the same dtype."""
    return creation.tensor(
        data,
        dtype=self.dtype if dtype is None else dtype,
        device=device,
        requires_grad=requires_grad,
    )


def of_sizes(name, function, meaning):
    """A method that makes a tensor of the dtype of another, in any of the forms of `function`."""

    def of_kind(
        self,
        *sizes,
        size=None,
        dtype=None,
        device=None,
        requires_grad=False,
        layout=None,
        pin_memory=False,
    ):
        check_layout(layout, name)
        dtype = self.dtype if dtype is None else dtype
        return function(*sizes, size=size, dtype=dtype, device=device, requires_grad=requires_grad)

    of_kind.__name__ = of_kind.__qualname__ = name
    of_kind.__doc__ = f"{meaning} of the same dtype."
    return of_kind


new_zeros = of_sizes("new_zeros", creation.zeros, "Zeros")
new_ones = of_sizes("new_ones", creation.ones, "Ones")
new_empty = of_sizes("new_empty", creation.empty, "Memory for elements")


def new_empty_strided(
    self,
    size,
    stride,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
):
    """Memory for elements of the same dtype, whose neighbours lie `stride` elements apart."""
    check_layout(layout, "new_empty_strided")
    dtype = self.dtype if dtype is None else dtype
    return creation.empty_strided(
        size, stride, dtype=dtype, device=device, requires_grad=requires_grad
    )


def check_layout(layout, name):
    """Memory has steps for its dimensions.

    Raises:
        ValueError: for another layout.
    """
    if layout not in (None, "strided"):
        raise ArgumentError(f"{name}: layout is {layout!r}, only strided is available")


def new_full(
    self,
    size,
    fill_value,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    layout=None,
    pin_memory=False,
):
    """One value in a shape, of the same dtype."""
    check_layout(layout, "new_full")
    dtype = self.dtype if dtype is None else dtype
    return creation.full(size, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def type(self, dtype=None, non_blocking=False):
    """The name of its class, as "pyml.FloatTensor"; or the tensor in another dtype.

    Under the name torch it is "torch.FloatTensor".

    Args:
        dtype: a dtype, a class as pyml.LongTensor, or the name of one.
    """
    if dtype is None:
        return repr(self.dtype).replace(self.dtype.name, CLASSES[self.dtype.name])
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2]
        found = [kind for kind, of_class in CLASSES.items() if of_class == name]
        dtype = found[0] if found else dtype
    elif hasattr(dtype, "of_elements"):
        dtype = dtype.of_elements
    return shape.to(self, dtype)


CLASSES = {  # of tensors, by their dtypes
    "float32": "FloatTensor", "float64": "DoubleTensor", "int64": "LongTensor",
    "int32": "IntTensor",
    "int16": "ShortTensor", "int8": "CharTensor", "uint8": "ByteTensor", "bool": "BoolTensor",
    "uint16": "UInt16Tensor", "uint32": "UInt32Tensor", "uint64": "UInt64Tensor",
}  # fmt: skip


# ---- another size, other memory ------------------------------------------------------------------


def resize_(self, *sizes, size=None, memory_format=None):
    """Another shape, in place: elements are kept in their order, new ones are not set."""
    shape.check_format(memory_format, "resize_")
    sizes = shape.as_sizes(sizes_of(sizes, size), "resize_")
    if self.requires_grad:
        raise RuntimeError("resize_: a tensor that requires grad cannot be resized; use reshape()")
    if tuple(self.shape) != sizes:
        y = creation.empty(sizes, dtype=self.dtype)
        count = min(y.numel(), self.numel())
        y.reshape(-1)[:count] = self.reshape(-1)[:count]
        self.data = y
    return self


def resize_as_(self, the_template, memory_format=None):
    """resize_() to the shape of another tensor."""
    sizes = checked_tensor(the_template, "resize_as_", "the_template").shape
    return resize_(self, sizes, memory_format=memory_format)


def unsqueeze_(self, dim):
    """unsqueeze(), in place."""
    return self._see_as(shape.unsqueeze(self, dim), "unsqueeze_")


def squeeze_(self, dim=None):
    """squeeze(), in place."""
    return self._see_as(shape.squeeze(self, dim), "squeeze_")


def transpose_(self, dim0, dim1):
    """transpose(), in place."""
    return self._see_as(shape.transpose(self, dim0, dim1), "transpose_")


def swapaxes_(self, axis0, axis1):
    """swapaxes(), in place."""
    return self._see_as(shape.transpose(self, axis0, axis1), "swapaxes_")


def swapdims_(self, dim0, dim1):
    """swapdims(), in place."""
    return self._see_as(shape.transpose(self, dim0, dim1), "swapdims_")


def t_(self):
    """t(), in place."""
    return self._see_as(shape.t(self), "t_")


def as_strided_(self, size, stride, storage_offset=None):
    """as_strided(), in place."""
    return self._see_as(rearranging.as_strided(self, size, stride, storage_offset), "as_strided_")


def set_(self, source, storage_offset=0, size=None, stride=None):
    """The memory, shape and values of another tensor of its dtype, in place.

    Args:
        storage_offset, size, stride: which elements of its memory. Default: its own.
    """
    checked_tensor(source, "set_", "source")
    if source.dtype != self.dtype:
        raise DtypeError(f"set_: source has dtype {source.dtype}, the tensor has {self.dtype}")
    self.data = source.detach() if size is None else seen_at(source, storage_offset, size, stride)
    return self


def seen_at(source, start, size, stride):
    """A tensor on elements of the memory of a contiguous one."""
    size = shape.as_sizes(size, "set_")
    if stride is None:
        stride = [math.prod(size[d + 1 :]) for d in range(len(size))]
    rearranging.strided_index(source, size, stride, start, "set_")  # raises for what is not there
    memory = source.detach().array.reshape(-1)[start:]
    steps = [step * memory.itemsize for step in stride]
    return Tensor._on(np.ndarray(size, memory.dtype, memory, strides=steps))


def sum_to_size(self, *sizes, size=None):
    """The sum over what broadcasting from these sizes would repeat."""
    sizes = shape.as_sizes(sizes_of(sizes, size), "sum_to_size")
    if broadcast_shapes(self.shape, sizes, name="sum_to_size") != self.shape:
        raise ArgumentError(f"sum_to_size: {sizes} does not broadcast to {self.shape}")
    return sum_to(self, sizes)


def index_put_(self, indices, values, accumulate=False):
    """self[indices] = values, in place; with accumulate, added where indices are equal."""
    if not isinstance(indices, (tuple, list)):
        raise TypeError("index_put_: indices must be a tuple of tensors")
    indices = tuple(indices)
    if accumulate:
        if not isinstance(values, Tensor):
            values = new_tensor(self, values)
        places = creation.arange(self.numel()).reshape(self.shape)[indices]
        values = shape.expand(values, places.shape).reshape(-1)
        total = self.reshape(-1).scatter_add(0, places.reshape(-1), values)
        return copy_(self, total.reshape(self.shape))
    index.setitem(self, indices, values)
    return self


def index_put(self, indices, values, accumulate=False):
    """A copy with index_put_()."""
    return index_put_(shape.clone(self), indices, values, accumulate)


def fill_diagonal_(self, fill_value, wrap=False):
    """The diagonal of a matrix, or of more dimensions of one size, <- a number.

    Args:
        wrap: in a tall matrix the diagonal begins anew below its end, one row apart.
    """
    if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
        raise ArgumentError(
            f"fill_diagonal_: the tensor has shape {self.shape}, not that of a matrix, nor are all "
            "its sizes equal"
        )
    mask = np.zeros(self.shape, bool)
    mask[(np.arange(min(self.shape)),) * self.ndim] = True
    if wrap and self.ndim == 2:
        mask.reshape(-1)[:: self.shape[1] + 1] = True
    return self.masked_fill_(Tensor._on(constant(mask)), fill_value)


def apply_(self, callable):
    """Every element <- callable(element), in Python."""
    refuse("apply_")
    values = [callable(value) for value in self.detach().array.reshape(-1).tolist()]
    return copy_(self, creation.tensor(values, dtype=self.dtype).reshape(self.shape))


def cholesky(self, upper=False):
    """See pyml.linalg.cholesky."""
    return linalg.cholesky(self, upper=upper)


def lu(self, pivot=True, get_infos=False):
    """See pyml.lu."""
    return linalg.lu_with_infos(self, pivot, get_infos)


def lu_solve(self, LU_data, LU_pivots):
    """See pyml.lu_solve."""
    return linalg.old_lu_solve(self, LU_data, LU_pivots)


def polygamma(self, n):
    """See pyml.polygamma."""
    return special.polygamma(n, self)


def polygamma_(self, n):
    """polygamma(), in place."""
    return replace(self, special.polygamma(n, self), "polygamma_")


def qr(self, some=True):
    """Q and R of self = Q R; see pyml.linalg.qr."""
    return linalg.qr_of_columns(self, some)


def svd(self, some=True, compute_uv=True):
    """U, S and V of self = U diag(S) V^T; see pyml.linalg.svd."""
    return linalg.svd_of_columns(self, some, compute_uv)


# ---- what it is ----------------------------------------------------------------------------------


def ndimension(self):
    """The number of dimensions."""
    return self.ndim


def is_complex(self):
    """False: no tensor is complex."""
    return False


def is_signed(self):
    """True if its dtype holds negative numbers."""
    return self.dtype.is_signed


def is_same_size(self, other):
    """Whether both have one shape."""
    return self.shape == checked_tensor(other, "is_same_size", "other").shape


def is_inference(self):
    """False: tensors that are made in inference_mode are as any others."""
    return False


def is_nonzero(self):
    """Whether its only element is not zero.

    Raises:
        RuntimeError: if it has another number of elements.
    """
    return bool(self)


def dim_order(self, ambiguity_check=False):
    """The dimensions in the order in which they lie in memory, that with the longest step first.

    Args:
        ambiguity_check: True to raise if several orders fit.
    """
    strides = self.stride()
    if ambiguity_check and len(set(strides)) < len(strides):
        raise RuntimeError(f"dim_order: strides {strides} fit several orders")
    return tuple(sorted(range(self.ndim), key=lambda d: -strides[d]))


def storage_offset(self):
    """How many elements lie before its first in the memory that it looks at."""
    self._locate()
    array = memory = self.array
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    return (array.ctypes.data - memory.ctypes.data) // array.itemsize


def is_pinned(self, device=None):
    """False: no other device reads its memory."""
    return False


def pin_memory(self, device=None):
    """The tensor itself: no other device reads its memory."""
    return self


def get_device(self):
    """-1, for the CPU."""
    return -1


def cuda(self, device=None, non_blocking=False, memory_format=None):
    """Refused: there is the CPU alone.

    Raises:
        ValueError
    """
    return shape.check_device("cuda", "Tensor.cuda")


def conversion(name, dtype):
    """The method `name`, which converts to a dtype."""

    def convert(self, memory_format=None):
        return shape.to(self, dtype, memory_format=memory_format)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The same values as {dtype}."
    return convert


METHODS = {
    method.__name__: method
    for method in (
        apply_, as_strided_, broadcast_to, cholesky, cuda, dim_order, expand, expand_as,
        fill_diagonal_, flip, get_device, index_put, index_put_, is_complex, is_inference,
        is_nonzero, is_pinned, is_same_size, is_shared, is_signed, lu, lu_solve, ndimension, new,
        new_empty, new_empty_strided, new_full, new_ones, new_tensor, new_zeros, permute,
        pin_memory, polygamma, polygamma_, qr, repeat, reshape, reshape_as, resize_, resize_as_,
        set_, share_memory_, split, squeeze_, storage_offset, sum_to_size, svd, swapaxes_,
        swapdims_, t_, transpose_, type, type_as, unsqueeze_, view, view_as, where, zero_,
    )
} | {
    "unsafe_split": split,
} | {
    name: conversion(name, NAMES[dtype])
    for name, dtype in {
        "bfloat16": "bfloat16", "bool": "bool", "byte": "uint8", "char": "int8",
        "double": "float64", "float": "float32", "half": "float16", "int": "int32",
        "long": "int64", "short": "int16",
    }.items()
}  # fmt: skip
