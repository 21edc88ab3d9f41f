"""Shapes: views of the same memory where PyTorch makes views, and joining."""

import math
import operator

import numpy as np

from pyml.attributes import dtype as dtype_class
from pyml.device_names import TYPES, only_cpu
from pyml.device_names import device as device_class
from pyml.errors import ArgumentError, OutOfRange
from pyml.grad_mode import is_grad_enabled, is_tracked
from pyml.ops.arrays import (
    broadcast_to,
    can_be_seen_as,
    checked_tensor,
    copied,
    copy_into,
    empty,
    full,
)
from pyml.ops.operands import (
    broadcast_shapes,
    cast,
    checked_dtype,
    numpy_names,
    result_type,
    sum_to,
)
from pyml.tensor import Node, Tensor

LARGEST = 2**63 - 1  # of what C counts with


class Rearrange(Node):
    """Moves or repeats elements; `inverse` maps the gradient of the output to that of the input.

    It is a function of what is kept, too.
    """

    def __init__(self, name, inverse, count=0):
        self._name, self._inverse, self._count = name, inverse, count

    def _operation(self):
        return self._name

    def _gradients(self, dy):
        return (self._inverse(dy, *[self._saved(i) for i in range(self._count)]),)


def tracked(x, y, name, inverse, *kept):
    """y, with a node if x is tracked; inverse(dy, *kept) is the gradient of x."""
    if x.requires_grad and is_grad_enabled():
        Rearrange(name, inverse, len(kept))._connect(y, (x,), kept)
    return y


def wrapped_dim(dim, ndim, name):
    """`dim` counted from the front.

    Raises:
        IndexError: if it is out of range.
        TypeError: if it is no integer.
    """
    limit = max(ndim, 1)  # a 0-d tensor is treated as if it had one dimension
    try:
        dim = operator.index(dim)
    except (TypeError, np.ma.MaskError):
        raise TypeError(f"{name}: dim must be an integer, not {dim!r}") from None
    if not -limit <= dim < limit:
        raise IndexError(
            f"{name}: dim is {dim}, it must be from {-limit} to {limit - 1} "
            f"(the tensor has {ndim} dimensions)"
        )
    return dim % limit


def distinct_dims(dims, ndim, name):
    """Dimensions counted from the front, each of them once."""
    found = [wrapped_dim(d, ndim, name) for d in as_sizes(dims, name)]
    if len(set(found)) < len(found):
        raise ArgumentError(f"{name}: dims {dims} name a dimension twice")
    return tuple(found)


def as_sizes(sizes, name):
    """A shape given as one integer, a sequence, or both in one."""
    if isinstance(sizes, (int, np.integer)) or getattr(sizes, "ndim", None) == 0:
        sizes = (sizes,)
    try:
        sizes = tuple([as_integer(size) for size in sizes])
    except TypeError:
        raise TypeError(f"{name}: sizes must be integers, not {sizes!r}") from None
    if max(sizes, default=0) > LARGEST:
        raise ArgumentError(f"{name}: sizes {sizes}; the largest is 2**63 - 1")
    return sizes


def as_integer(number):
    """`number` as an int.

    Raises:
        TypeError: for what is none; a float is not cut off, and a bool is no number.
    """
    if isinstance(number, bool):
        raise TypeError("a bool is not an integer")
    return operator.index(number)


def integer(number, name):
    """`number` as an int that C has too; `name` is the function's and the argument's."""
    try:
        number = as_integer(number)
    except TypeError:
        raise TypeError(f"{name} is {number!r}, it must be an integer") from None
    if abs(number) > LARGEST:
        raise ArgumentError(f"{name} is {number}, it must fit into int64")
    return number


# ---- one shape for another -----------------------------------------------------------------------


def full_shape(sizes, numel, name):
    """`sizes` with -1 replaced by what is left."""
    sizes = as_sizes(sizes, name)
    if min(sizes, default=0) < 0:
        if min(sizes) < -1 or sizes.count(-1) > 1:
            raise ArgumentError(
                f"{name}: shape {sizes}; sizes are not negative, except one that may be -1"
            )
        known = -math.prod(sizes)
        left = numel // known if known else -1
        sizes = tuple([left if size == -1 else size for size in sizes])
    if -1 in sizes or math.prod(sizes) != numel:
        raise ArgumentError(f"{name}: shape {sizes} does not fit a tensor of {numel} elements")
    return sizes


def reshape(input, shape):
    """The same elements in another shape; a view where that is possible.

    Args:
        shape: sizes, one of which may be -1: what is left.
    """
    checked_tensor(input, "reshape")
    array, before = input.array, input.shape
    shape = full_shape(shape, array.size, "reshape")
    if can_be_seen_as(array, shape):
        y = input._view(array.reshape(shape))
    else:
        y = Tensor._on(copied(array).reshape(shape))
    return tracked(input, y, "Reshape", lambda dy: reshape(dy, before))


def view(input, shape):
    """The same memory in another shape.

    Raises:
        RuntimeError: if the strides do not allow it; reshape() copies then.
    """
    if isinstance(shape, (str, type, np.dtype, dtype_class)):
        raise TypeError("view: takes sizes; to(dtype) converts the elements")
    array, before = input.array, input.shape
    shape = full_shape(shape, array.size, "view")
    if not can_be_seen_as(array, shape):
        raise RuntimeError(
            f"view: a tensor of shape {input.shape} and strides {input.stride()} cannot be seen "
            f"as {shape} without a copy; use reshape()"
        )
    y = input._view(array.reshape(shape))
    return tracked(input, y, "View", lambda dy: reshape(dy, before))


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim made one."""
    checked_tensor(input, "flatten")
    if input.ndim == 0:
        return reshape(input, (1,))
    start = wrapped_dim(start_dim, input.ndim, "flatten")
    end = wrapped_dim(end_dim, input.ndim, "flatten")
    if start > end:
        raise ArgumentError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    if start == end:
        return input
    shape = input.shape
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def unflatten(input, dim, sizes):
    """Dimension `dim` split into `sizes`, one of which may be -1."""
    checked_tensor(input, "unflatten")
    dim = wrapped_dim(dim, input.ndim, "unflatten")
    shape = input.shape
    sizes = full_shape(sizes, input.size(dim), "unflatten")
    return reshape(input, shape[:dim] + sizes + shape[dim + 1 :])


@numpy_names
def squeeze(input, dim=None):
    """Without the dimensions of size 1, or without those in `dim` that have size 1."""
    checked_tensor(input, "squeeze")
    dims = range(input.ndim) if dim is None else distinct_dims(dim, input.ndim, "squeeze")
    before = input.shape
    shape = tuple(size for d, size in enumerate(before) if size != 1 or d not in dims)
    y = input._view(input.array.reshape(shape))
    return tracked(input, y, "Squeeze", lambda dy: reshape(dy, before))


@numpy_names
def unsqueeze(input, dim):
    """With a dimension of size 1 put in at `dim`."""
    checked_tensor(input, "unsqueeze")
    dim = wrapped_dim(dim, input.ndim + 1, "unsqueeze")
    before = input.shape
    y = input._view(input.array.reshape((*before[:dim], 1, *before[dim:])))
    return tracked(input, y, "Unsqueeze", lambda dy: reshape(dy, before))


# ---- order ---------------------------------------------------------------------------------------


def permute(input, dims):
    """The dimensions in the order `dims`; a view."""
    checked_tensor(input, "permute")
    dims = tuple(wrapped_dim(d, input.ndim, "permute") for d in as_sizes(dims, "permute"))
    if sorted(dims) != list(range(input.ndim)):
        raise ArgumentError(
            f"permute: dims {dims} must name each of the {input.ndim} dimensions once"
        )
    back = tuple(np.argsort(dims))
    y = input._view(input.array.transpose(dims))
    return tracked(input, y, "Permute", lambda dy: permute(dy, back))


def transpose(input, dim0, dim1):
    """Two dimensions swapped; a view."""
    checked_tensor(input, "transpose")
    if input.ndim == 0:
        wrapped_dim(dim0, 0, "transpose"), wrapped_dim(dim1, 0, "transpose")
        return view(input, ())
    a, b = wrapped_dim(dim0, input.ndim, "transpose"), wrapped_dim(dim1, input.ndim, "transpose")
    y = input._view(input.array.swapaxes(a, b))
    return tracked(input, y, "Transpose", lambda dy: transpose(dy, a, b))


def swapaxes(input, axis0, axis1):
    """Two dimensions swapped; see transpose."""
    return transpose(checked_tensor(input, "swapaxes"), axis0, axis1)


swapdims = transpose


def t(input):
    """The transpose of a matrix; a tensor of fewer dimensions as it is."""
    checked_tensor(input, "t")
    if input.ndim > 2:
        raise ArgumentError(
            f"t: the tensor has shape {input.shape}, not at most 2 dimensions; use transpose()"
        )
    return transpose(input, 0, -1) if input.ndim else view(input, ())


def movedim(input, source, destination):
    """Dimensions `source` moved to the places `destination`; the others keep their order."""
    checked_tensor(input, "movedim")
    source = distinct_dims(source, input.ndim, "movedim")
    destination = distinct_dims(destination, input.ndim, "movedim")
    if len(source) != len(destination):
        raise ArgumentError(
            f"movedim: source {source} and destination {destination} must be as long"
        )
    if input.ndim == 0:  # whose one dimension may be named, and is none
        return permute(input, ())
    order = [d for d in range(input.ndim) if d not in source]
    for place, d in sorted(zip(destination, source, strict=True)):
        order.insert(place, d)
    return permute(input, order)


moveaxis = movedim


def flip(input, dims):
    """The elements in reverse order along `dims`; a copy."""
    checked_tensor(input, "flip")
    dims = distinct_dims(dims, input.ndim, "flip")
    y = Tensor._on(copied(np.flip(input.array, dims) if input.ndim else input.array))
    return tracked(input, y, "Flip", lambda dy: flip(dy, dims))


# ---- repetition ----------------------------------------------------------------------------------


def expand(input, sizes):
    """Dimensions of size 1 repeated to `sizes`, others put in front; a view that repeats memory.

    Args:
        sizes: the new shape; -1 leaves a size as it is.
    """
    sizes = as_sizes(sizes, "expand")
    before = input.shape
    new = len(sizes) - len(before)
    shape = tuple(
        before[d - new] if size == -1 and d >= new else size for d, size in enumerate(sizes)
    )
    if new < 0 or any(size < 0 for size in shape):
        raise ArgumentError(
            f"expand: sizes {sizes} for a tensor of shape {before}; -1 keeps a size that there is"
        )
    if any(old not in (1, size) for old, size in zip(before, shape[new:], strict=True)):
        raise ArgumentError(
            f"expand: shape {before} does not expand to {sizes}; only sizes 1 can be repeated"
        )
    if len(shape) <= 64 and math.prod(shape) * input.array.itemsize > LARGEST:
        raise ArgumentError(f"expand: sizes {sizes}; a tensor has at most 2**63 - 1 bytes")
    if new > 32 or shape != (1,) * new + tuple(before):
        return read_only(input, shape)
    y = input._view(input.array if new == 0 else input.array[(*[None] * new, ...)])
    return tracked(input, y, "Expand", lambda dy: dy.reshape(before))


def read_only(input, shape):
    """The tensor in a shape to which it broadcasts; a view that cannot be written."""
    before = input.shape
    y = input._view(broadcast_to(input.array, shape))
    return tracked(input, y, "Expand", lambda dy: sum_to(dy, before))


def broadcast_tensors(*tensors):
    """All expanded to the shape to which they broadcast."""
    for i, x in enumerate(tensors):
        checked_tensor(x, "broadcast_tensors", f"tensor {i}")
    shape = broadcast_shapes(*(x.shape for x in tensors), name="broadcast_tensors")
    return tuple(expand(x, shape) for x in tensors)


def repeat(input, sizes):
    """The tensor repeated sizes[d] times along each dimension; a copy."""
    sizes = as_sizes(sizes, "repeat")
    new = len(sizes) - input.ndim
    if new < 0 or any(size < 0 for size in sizes):
        raise ArgumentError(
            f"repeat: sizes {sizes} must be counts, one for each of {input.ndim} dimensions or more"
        )
    shape = (1,) * new + input.shape
    apart = reshape(input, [n for size in shape for n in (1, size)])
    tiled = expand(apart, [n for pair in zip(sizes, shape, strict=True) for n in pair])
    return clone(tiled.reshape([a * b for a, b in zip(sizes, shape, strict=True)]))


# ---- parts ---------------------------------------------------------------------------------------


def part(x, index, name):
    """x.array[index], a basic index, as a view."""

    def inverse(dy):
        return place(dy, shape, index)

    shape = x.shape
    return tracked(x, x._view(x.array[index]), name, inverse)


def place(x, shape, index):
    """Zeros of `shape` with x at `index`: the derivative of part()."""
    array = full(shape, x.array, 0)
    copy_into(array[index], x.array)
    return tracked(x, Tensor._on(array), "Place", lambda dy: part(dy, index, "Slice"))


def along(dim, index):
    """The index that takes `index` in dimension dim and everything in the others."""
    return (*((slice(None),) * dim), index, ...)


def narrow(input, dim, start, length):
    """`length` elements from `start` on along `dim`; a view."""
    checked_tensor(input, "narrow")
    dim = wrapped_dim(dim, input.ndim, "narrow")
    size = input.size(dim)
    start = start + size if start < 0 else start
    if not 0 <= start <= start + length <= size:
        raise OutOfRange(
            f"narrow: start {start}, length {length} do not lie in dimension {dim} of size {size}"
        )
    return part(input, along(dim, slice(start, start + length)), "Slice")


def select(input, dim, index):
    """The slice at `index` along `dim`, without that dimension; a view."""
    checked_tensor(input, "select")
    if input.ndim == 0:
        raise IndexError("select: a 0-d tensor has no dimension to select from")
    dim = wrapped_dim(dim, input.ndim, "select")
    size = input.shape[dim]
    index = operator.index(index)
    if not -size <= index < size:
        raise IndexError(
            f"select: index {index} is out of range for dimension {dim} of size {size}"
        )
    return part(input, along(dim, index), "Select")


@numpy_names
def unbind(input, dim=0):
    """All slices along `dim`, a tuple of views."""
    checked_tensor(input, "unbind")
    dim = wrapped_dim(dim, input.ndim, "unbind")
    return tuple(select(input, dim, i) for i in range(input.size(dim)))


@numpy_names
def split(input, split_size_or_sections, dim=0):
    """Parts along `dim`, a tuple of views.

    Args:
        split_size_or_sections: the size of each part (the last may be smaller), or a list of sizes.
    """
    checked_tensor(input, "split")
    dim = wrapped_dim(dim, input.ndim, "split")
    size = input.size(dim)
    if isinstance(split_size_or_sections, (list, tuple)):
        sizes = as_sizes(split_size_or_sections, "split")
        if sum(sizes) != size or any(n < 0 for n in sizes):
            raise ArgumentError(
                f"split: sizes {sizes} must add up to {size}, the size of dimension {dim}"
            )
    else:
        step = operator.index(split_size_or_sections)
        if step < 0 or (step == 0 and size != 0):
            raise ArgumentError(f"split: split_size is {step}, it must be positive")
        sizes = [min(step, size - start) for start in range(0, size, step or 1)] or [size]
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(input, dim, start, n) for start, n in zip(starts, sizes, strict=True))


@numpy_names
def chunk(input, chunks, dim=0):
    """At most `chunks` parts of one size along `dim`, the last may be smaller; a tuple of views."""
    checked_tensor(input, "chunk")
    chunks = integer(chunks, "chunk: chunks")
    if chunks < 1:
        raise ArgumentError(f"chunk: chunks is {chunks}, it must be at least 1")
    dim = wrapped_dim(dim, input.ndim, "chunk")
    size = input.size(dim)
    return split(input, -(-size // chunks), dim) if size else split(input, [0] * chunks, dim)


# ---- joining -------------------------------------------------------------------------------------


class Cat(Node):
    def __init__(self, dim, sizes):
        self._dim, self._sizes = dim, sizes

    def _gradients(self, dy):
        starts = [sum(self._sizes[:i]) for i in range(len(self._sizes))]
        return tuple(
            None if edge is None else narrow(dy, self._dim, start, size)
            for edge, start, size in zip(self.inputs, starts, self._sizes, strict=True)
        )


def several(tensors, name):
    """A tuple of Tensors, at least one.

    Raises:
        TypeError, ValueError
    """
    try:
        tensors = tuple(tensors)
    except TypeError:
        raise TypeError(
            f"{name}: tensors is a {type(tensors).__name__}, it must be a sequence of Tensors"
        ) from None
    if not tensors:
        raise ArgumentError(f"{name}: at least one tensor is needed")
    for i, x in enumerate(tensors):
        checked_tensor(x, name, f"item {i}")
    return tensors


@numpy_names
def cat(tensors, dim=0):
    """The tensors one after another along `dim`. Their other sizes must be the same."""
    tensors = several(tensors, "cat")
    for i, x in enumerate(tensors):
        if x.ndim == 0:
            raise ArgumentError(
                f"cat: tensor {i} is 0-d, it has no dimension to join along; use stack()"
            )
    dtype = result_type(*tensors, name="cat")
    filled = [cast(x, dtype) for x in tensors if x.shape != (0,)] or [cast(tensors[0], dtype)]
    dim = wrapped_dim(dim, filled[0].ndim, "cat")
    shapes = {x.shape[:dim] + x.shape[dim + 1 :] for x in filled}
    if len({x.ndim for x in filled}) > 1 or len(shapes) > 1:
        raise ArgumentError(
            f"cat: shapes {', '.join(str(x.shape) for x in tensors)} must be the same "
            f"except in dimension {dim}"
        )
    size = sum(x.shape[dim] for x in filled)
    array = empty((*filled[0].shape[:dim], size, *filled[0].shape[dim + 1 :]), dtype)
    end = 0
    for x in filled:
        start, end = end, end + x.shape[dim]
        copy_into(array[along(dim, slice(start, end))], x.array)
    y = Tensor._on(array)
    if is_tracked(*filled):
        Cat(dim, [x.shape[dim] for x in filled])._connect(y, tuple(filled))
    return y


@numpy_names
def stack(tensors, dim=0):
    """The tensors, all of one shape, along a new dimension `dim`."""
    tensors = several(tensors, "stack")
    if len({x.shape for x in tensors}) > 1:
        raise ArgumentError(
            f"stack: shapes {', '.join(str(x.shape) for x in tensors)} must be the same"
        )
    dim = wrapped_dim(dim, tensors[0].ndim + 1, "stack")
    return cat([unsqueeze(x, dim) for x in tensors], dim)


# ---- copies --------------------------------------------------------------------------------------


def clone(input, *, memory_format=None):
    """A copy, contiguous, through which gradients flow."""
    checked_tensor(input, "clone")
    check_format(memory_format, "clone")
    return tracked(input, Tensor._on(copied(input.array)), "Clone", lambda dy: dy)


def contiguous(input, memory_format=None):
    """The tensor itself if it is contiguous, else a copy that is."""
    checked_tensor(input, "contiguous", "input")
    check_format(memory_format, "contiguous")
    return input if input.is_contiguous() else clone(input)


def to(input, *args, dtype=None, device=None, copy=False, non_blocking=False, memory_format=None):
    """The tensor in another dtype; itself if nothing changes and no copy is asked for.

    Args:
        args: a dtype, the device "cpu", or another tensor whose dtype is taken; then non_blocking
            and copy.
        copy: copy even if nothing changes.
        memory_format: None, or one that keeps rows: preserve_format, contiguous_format.
    """
    check_format(memory_format, "to")
    flags = []
    for arg in args:
        if isinstance(arg, Tensor):
            dtype = arg.dtype
        elif is_device(arg):
            device = arg
        elif isinstance(arg, bool):
            flags.append(arg)
        elif arg is not None:
            dtype = arg
    copy = flags[1] if len(flags) > 1 else copy
    check_device(device, "to")
    y = input if dtype is None else cast(input, checked_dtype(dtype, "to"))
    return clone(y) if copy and y is input else y


def is_device(value):
    """Whether it is a device or a text that names one, and no dtype."""
    if isinstance(value, str):
        return value.partition(":")[0] in TYPES
    return isinstance(value, device_class)


def check_format(memory_format, name):
    """Tensors that are made lie row by row.

    Raises:
        ValueError: for another format.
    """
    if memory_format not in (None, "preserve_format", "contiguous_format"):
        raise ArgumentError(
            f"{name}: memory_format is {memory_format!r}, only preserve_format and "
            "contiguous_format are available"
        )


def check_device(device, name):
    """Every tensor is on the CPU.

    Raises:
        ValueError: for another device.
    """
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise ArgumentError(f"{name}: device is {str(device)!r}, {only_cpu(device)}")
