"""Indexing: parts of a tensor by slices, integers, masks and tensors of indices."""

import functools
import math
import warnings

import numpy as np

from pyml import _kernels
from pyml.errors import ArgumentError, DtypeError, OutOfRange
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import (
    as_indices,
    broadcast_to,
    checked_index,
    checked_tensor,
    contiguous,
    copied,
    copy_into,
    empty,
    full,
)
from pyml.ops.elementwise import where
from pyml.ops.inplace import replace
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes, cast, number_as, result_type, sum_to
from pyml.ops.outside import unmasked
from pyml.ops.selection import Selection, at_mask
from pyml.ops.shape import (
    LARGEST,
    as_sizes,
    clone,
    expand,
    integer,
    movedim,
    part,
    tracked,
    wrapped_dim,
)
from pyml.recorder import constant, is_strict, refuse, unwatched
from pyml.tensor import Node, Tensor

INT64 = np.dtype(np.int64)


# ---- x[index] ------------------------------------------------------------------------------------


def as_index(index, shape):
    """What NumPy indexes with, always a tuple that ends in `...`, and whether it is basic (a view).

    Raises:
        IndexError: if an index is out of range, or there are too many.
    """
    if type(index) is slice and index.step is None and shape:
        return (index, ...), True
    if isinstance(index, tuple) or (type(index) is list and is_tuple(index)):
        items = list(index)
    else:
        items = [index]
    basic, used = True, 0
    for i, item in enumerate(items):
        if isinstance(item, Tensor):
            item = items[i] = item.array
            if item.ndim == 0:
                refuse("an index that is a 0-d tensor")
        elif isinstance(item, (list, tuple, range)):
            item = items[i] = constant(np.asarray(item, INT64 if len(item) == 0 else None))
        elif isinstance(item, np.ndarray):
            refuse("an index that is a NumPy array")
            item = items[i] = unwatched(item)
        if isinstance(item, np.ndarray):
            if item.dtype.kind not in "iub":
                raise IndexError(
                    f"index: a tensor of dtype {item.dtype} is no index; an integer type or bool is"
                )
            if item.dtype == np.uint8:
                item = items[i] = mask_of_bytes(item)
            if item.ndim == 0 and item.dtype.kind in "iu":
                item = items[i] = int(item)
            elif item.dtype == np.uint64:
                item = items[i] = as_indices(item)
        if isinstance(item, (bool, np.bool_)):
            item = items[i] = np.asarray(item)
        if isinstance(item, np.ndarray):
            basic = False
            used += item.ndim if item.dtype.kind == "b" else 1
        elif item is not None and item is not Ellipsis:
            used += 1
            if isinstance(item, (int, np.integer)) and not -LARGEST <= item <= LARGEST:
                raise IndexError(f"index: {item} is out of range, whatever the size")
            if isinstance(item, slice) and item.step is not None and item.step <= 0:
                raise ArgumentError(
                    f"index: step {item.step} of a slice must be positive; flip() reverses"
                )
    if used > len(shape):
        raise IndexError(f"index: {used} indices for a tensor of {len(shape)} dimensions")
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    return tuple(items), basic


def is_tuple(index):
    """Whether a list of indices is the tuple of them, as PyTorch takes it if there are under 32."""
    kinds = (Tensor, np.ndarray, slice, list, tuple, range, type(None), type(Ellipsis))
    if len(index) >= 32 or not any(isinstance(item, kinds) for item in index):
        return False
    warnings.warn(
        "indexing with a list of indices is deprecated, as PyTorch takes it for a tuple and NumPy "
        "for an array; write x[tuple(indices)] or x[pyml.tensor(indices)]",
        stacklevel=4,
    )
    return True


def mask_of_bytes(index):
    """The mask that PyTorch takes an index of dtype uint8 for, from before it had bool."""
    refuse("an index of dtype uint8, which is a mask,")
    warnings.warn(
        "indexing with dtype uint8 is deprecated, as it is a mask and no numbers of elements; use "
        ".bool() for the mask, .long() for the numbers",
        stacklevel=4,
    )
    return index != 0


def getitem(input, index):
    """input[index]: a view for integers, slices, None and `...`; else a copy."""
    if is_strict() and isinstance(index, Tensor) and is_mask(index.array, input.shape):
        return Selection(input, index)
    index, basic = as_index(index, input.shape)
    if basic:
        try:
            return part(input, index, "Slice")
        except IndexError as error:
            raise IndexError(said("index", error, input)) from None
    whole = input
    input, index = without_integers(input, index, "index")
    if is_row_index(index, input.array):
        return selected(input, 0, Tensor._on(index[0]), "index", wrap=True)
    if is_column_index(index):
        dim = len(index) - 2
        slices = part(input, (*index[:dim], ...), "Slice")
        return selected(slices, dim, Tensor._on(index[dim]), "index", wrap=True)
    try:
        return take(
            input, tuple(copied(item) if isinstance(item, np.ndarray) else item for item in index)
        )
    except IndexError as error:
        raise IndexError(said("index", error, input, whole)) from None


def said(name, error, input, whole=None):
    """The message of NumPy's error. `whole`: what integers chose the input from, if they did."""
    it = "the tensor" if whole is None or whole is input else "what the integers choose"
    return f"{name}: {error} ({it} has shape {input.shape})"


def without_integers(input, index, name):
    """An index with arrays after its integers, which choose first: to NumPy they are arrays too."""
    rest = tuple([item for item in index if not isinstance(item, (int, np.integer))])
    if len(rest) == len(index):
        return input, index
    chosen = []
    for item in index:
        if item is Ellipsis or isinstance(item, (int, np.integer)):
            chosen.append(item)
        elif item is not None:
            is_mask = isinstance(item, np.ndarray) and item.dtype.kind == "b"
            chosen += [slice(None)] * (item.ndim if is_mask else 1)
    try:
        return part(input, tuple(chosen), "Slice"), rest
    except IndexError as error:
        raise IndexError(said(name, error, input)) from None


def is_row_index(index, array):
    """x[rows] with a vector of integers: what the gather kernel does."""
    return (
        len(index) == 2
        and isinstance(index[0], np.ndarray)
        and index[0].ndim == 1
        and index[0].dtype.kind in "iu"
        and array.ndim > 0
    )


def is_column_index(index):
    """x[:, 1:5, rows]: slices, then a vector of integers."""
    *slices, last, _ = index
    return (
        all(isinstance(item, slice) for item in slices)
        and isinstance(last, np.ndarray)
        and last.ndim == 1
        and last.dtype.kind in "iu"
        and index[-1] is Ellipsis
    )


def without_arrays(index):
    """An index with a word in place of each of its arrays, and the arrays."""
    form = tuple("array" if isinstance(item, np.ndarray) else item for item in index)
    return form, tuple(item for item in index if isinstance(item, np.ndarray))


def take(x, index):
    """x.array[index], an index with arrays."""
    shape = x.shape
    form, arrays = without_arrays(index)
    if any(item.dtype.kind == "b" for item in arrays):
        refuse("an index with a mask, whose number of elements depends on values,")
    y = Tensor._on(by_numpy("index", taken, (x.array, *arrays), form))
    return tracked(x, y, "Index", lambda dy: take_backward(dy, shape, index))


def with_arrays(form, arrays):
    """The index of which without_arrays() made two."""
    arrays = iter(arrays)
    return tuple(next(arrays) if type(item) is str else item for item in form)


def taken(array, *others):
    *arrays, form = others
    return array[with_arrays(form, arrays)]


def added(array, *others):
    """Zeros to which the array is added at an index."""
    *arrays, shape, form = others
    y = np.zeros(shape, array.dtype)
    np.add.at(y, with_arrays(form, arrays), array)
    return y


def put(array, value, *others):
    *arrays, form = others
    array[with_arrays(form, arrays)] = value


def add_at(array, value, *places):
    np.add.at(array, places, value)


def take_backward(x, shape, index):
    """Zeros of `shape` to which x is added at `index`."""
    if is_row_mask(index, shape):
        y = at_mask(x.array, index[0])
        return tracked(x, y, "IndexBackward", lambda dy: take(dy, index))
    form, arrays = without_arrays(index)
    y = Tensor._on(by_numpy("index", added, (x.array, *arrays), shape, form))
    return tracked(x, y, "IndexBackward", lambda dy: take(dy, index))


class SetItem(Node):
    """x with x[index] = value: dx is dy with zeros there, dvalue is dy[index].

    Args:
        shape, row_shape: of the value, and as it broadcasts to each row, or the same.
    """

    def __init__(self, index, shape, row_shape):
        self._index, self._shape, self._row_shape = index, shape, row_shape

    def _gradients(self, dy):
        dx = dvalue = None
        if self.inputs[0] is not None:
            dx = dy.clone()
            setitem(dx, self._index, 0)
        if self.inputs[1] is not None:
            chosen = getitem(dy, self._index)
            is_selection = type(chosen) is Selection
            summed = chosen.sum_to if is_selection else functools.partial(sum_to, chosen)
            dvalue = summed(self._row_shape).reshape(self._shape)
        return dx, dvalue


def setitem(input, index, value):
    """input[index] = value, in place."""
    if type(value) is Selection:
        replace(input, where(*value.as_operands(input, index)), "setitem")
        return
    index, basic = as_index(index, input.shape)
    if not isinstance(value, Tensor):
        if isinstance(value, np.ndarray):
            refuse("setitem: a value that is a NumPy array")
            value = unwatched(value)
        if not isinstance(value, (int, float)):
            kind = np.asarray(unmasked(value, "setitem: value")).dtype
            if kind.kind not in "fiub":
                raise TypeError(f"setitem: value is of type {kind}, it must be numbers or bool")
        value = Tensor._on(number_as(value, input.dtype, "setitem"))
    if result_type(input, value, name="setitem") != input.dtype and input.dtype.kind != "f":
        value = value.detach()
    value = cast(value, input.dtype)
    whole = input
    if not basic:
        input, index = without_integers(input, index, "setitem")
    tracked = is_grad_enabled() and (input.requires_grad or value.requires_grad)
    input._will_change(tracked)
    if tracked:
        value._check_current()
        if basic and is_there(input, index, value):
            return
        kept = tuple(
            Tensor._on(copied(item)) if isinstance(item, np.ndarray) else item for item in index
        )
    try:
        assign(input.array, index, basic, value.array)
    except IndexError as error:
        raise IndexError(said("setitem", error, input, whole)) from None
    except ValueError as error:
        raise ArgumentError(said("setitem", error, input, whole)) from None
    if tracked:  # recorded before the change is counted: value may be a view of input
        row = None
        if is_row_mask(index, input.shape):
            kept, row = kept[0], for_each(input.shape[kept[0].ndim :], value.array)
        row_shape = value.shape if row is None else row.shape
        SetItem(kept, value.shape, row_shape)._connect(input, (input, value))
    input._mark_changed()
    if tracked:
        input._pass_to_base()


def is_there(input, index, value):
    """Whether the value is input[index] itself, as at the end of `x[index] += 1`."""
    try:
        return input._is_part(input.array[index], value)
    except IndexError:
        return False  # for assign() to tell


def assign(array, index, basic, value):
    """array[index] = value, by kernels if the index is basic, or a mask with the same for each."""
    if basic:
        place = array[index]
        new = for_each(place.shape, value)
        if new is not None:
            copy_into(place, new)
            return
    elif is_row_mask(index, array.shape) and array.itemsize >= 4:
        mask, new = index[0], for_each(array.shape[index[0].ndim :], value)
        if new is not None:
            mask = mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim))
            copy_into(array, where(*map(Tensor._on, (mask, new, array))).array)
            return
    form, arrays = without_arrays(index)
    by_numpy("setitem", put, (array, value, *arrays), form, changes=True)


def is_mask(item, shape):
    """A bool for each element of that shape, or of its first dimensions."""
    return (
        isinstance(item, np.ndarray)
        and item.dtype.kind == "b"
        and item.ndim > 0
        and item.shape == shape[: item.ndim]
    )


def is_row_mask(index, shape):
    """x[mask]"""
    return len(index) == 2 and index[1] is Ellipsis and is_mask(index[0], shape)


def for_each(shape, value):
    """The value as it broadcasts to that shape, or None if it does not."""
    extra = max(value.ndim - len(shape), 0)
    ends = zip(reversed(value.shape), reversed(shape), strict=False)
    if value.shape[:extra] != (1,) * extra or not all(n in (1, size) for n, size in ends):
        return None
    return value.reshape(value.shape[extra:]) if extra else value


# ---- along a dimension ---------------------------------------------------------------------------


def index_along(index, size, dim, name, wrap=False):
    """`index` as int64, a copy; with `wrap` those from -size on are counted from the end.

    Raises:
        TypeError, IndexError
    """
    if isinstance(index, Tensor):
        array = index.array
    else:
        if isinstance(index, np.ndarray):
            refuse(f"{name}: an index that is a NumPy array")
        array = constant(np.asarray(unwatched(index)))
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{name}: index has dtype {array.dtype}, it must be an integer type")

    def error(position, number):
        return OutOfRange(
            f"{name}: index {number} is out of range for dimension {dim} of size {size}"
        )

    checked = checked_index(as_indices(array), size, 0, wrap, error)
    return checked if wrap else copied(checked)


def index_select(input, dim, index):
    """The slices `index` (a vector, none below zero) along `dim`; a copy."""
    return selected(input, dim, index, "index_select")


def selected(input, dim, index, name, wrap=False):
    """index_select() for an operation of this name."""
    checked_tensor(input, name)
    dim = wrapped_dim(dim, input.ndim, name)
    index = index_along(index, input.size(dim) if input.ndim else 1, dim, name, wrap)
    if index.ndim > 1:
        raise ArgumentError(f"{name}: index has shape {index.shape}, it must be a vector")
    index = index.reshape(-1)  # one number, too
    if input.ndim == 0:
        if index.size != 1:
            return rows(input.reshape(1), index)
        return clone(input)
    if dim == 0:
        return rows(input, index)

    def along(function, x):
        return movedim(function(movedim(x, dim, 0)), 0, dim).contiguous()

    count = input.shape[dim]
    y = along(lambda x: rows(x, index), input.detach())
    return tracked(
        input, y, "IndexSelect", lambda dy: along(lambda g: rows_backward(g, count, index), dy)
    )


def rows(x, index, name="IndexSelect"):
    """x[index] along the first dimension; `index`, contiguous, has been checked."""
    source = contiguous(x.array)
    array = empty((*index.shape, *source.shape[1:]), source.dtype)
    _kernels.gather(array, source, index, math.prod(source.shape[1:]) * source.itemsize)
    count = source.shape[0]
    return tracked(x, Tensor._on(array), name, lambda dy: rows_backward(dy, count, index))


def rows_backward(x, count, index):
    """Zeros of `count` rows to which the rows of x are added at `index`, contiguous."""
    source = contiguous(x.array)
    array = empty((count, *source.shape[index.ndim :]), source.dtype)
    _kernels.gather_backward(array, source, index)
    return tracked(x, Tensor._on(array), "IndexSelectBackward", lambda dy: rows(dy, index))


def extents(shape, dim):
    """The sizes before, of and after dimension `dim`; a 0-d shape is that of one element."""
    return math.prod(shape[:dim]), shape[dim] if shape else 1, math.prod(shape[dim + 1 :])


def beside(shape, index_shape, dim):
    """What an index of a smaller shape can reach of `shape`: all of `dim`, a part of the others."""
    return tuple(
        slice(size if d == dim else n)
        for d, (n, size) in enumerate(zip(index_shape, shape, strict=True))
    )


def gather(input, dim, index, *, sparse_grad=False):
    """y[i][j] = input[i][index[i][j]] for dim 1, and so for every dim.

    Args:
        index: none of it below zero, which take_along_dim() counts from the end.
        sparse_grad: of no effect: gradients are dense.
    """
    return collected(input, dim, index, "gather")


def collected(input, dim, index, name, wrap=False):
    """gather() for an operation of this name."""
    checked_tensor(input, name)
    dim = wrapped_dim(dim, input.ndim, name)
    index = index_along(index, input.size(dim) if input.ndim else 1, dim, name, wrap)
    if input.ndim + index.ndim == 1:  # one number of a vector
        return gathered(input.reshape(-1), 0, index.reshape(-1)).reshape(index.shape)
    if 0 in index.shape:
        return input.reshape(-1)[:0].reshape(index.shape)
    check_extent(index.shape, input.shape, dim, name)
    return gathered(input, dim, index)


def gathered(x, dim, index):
    """gather() by an index that has been checked."""
    shape = x.shape
    source = contiguous(x.array[beside(shape, index.shape, dim)] if shape else x.array)
    array = empty(index.shape, x.dtype)
    outer, m, inner = extents(index.shape, dim)
    _kernels.gather_along(array, source, index, outer, extents(shape, dim)[1], m, inner)
    return tracked(
        x, Tensor._on(array), "Gather", lambda dy: gather_backward(dy, shape, dim, index)
    )


def gather_backward(x, shape, dim, index):
    """Zeros of `shape` to which x is added along `dim` at `index`."""
    array = full(shape, x.array, 0)
    add_along(array, dim, index, x.array)
    return tracked(x, Tensor._on(array), "GatherBackward", lambda dy: gathered(dy, dim, index))


def add_along(array, dim, index, source):
    """array[i][index[i][j]] += source[i][j] for dim 1, and so for every dim; real."""
    place = array[beside(array.shape, index.shape, dim)] if array.ndim else array
    target = contiguous(place)
    outer, m, inner = extents(index.shape, dim)
    _kernels.scatter_add(
        target, contiguous(source), index, outer, extents(array.shape, dim)[1], m, inner
    )
    if target is not place:
        copy_into(place, target)


def check_extent(index_shape, shape, dim, name):
    if len(index_shape) != len(shape) or any(
        n > size for d, (n, size) in enumerate(zip(index_shape, shape, strict=True)) if d != dim
    ):
        raise ArgumentError(
            f"{name}: index of shape {index_shape} for a tensor of shape {shape}; "
            f"it must have as many dimensions, and no size larger except in dimension {dim}"
        )


def take_along_dim(input, indices, dim=None):
    """gather() for an index that argmax or argsort gave.

    Args:
        indices: of a shape that broadcasts with the input's, but for `dim`; those below zero are
            counted from the end.
        dim: Default: None, that of the flattened tensors.
    """
    name = "take_along_dim"
    checked_tensor(input, name)
    checked_tensor(indices, name, "indices")
    if dim is None:
        return collected(input.reshape(-1), 0, indices.reshape(-1), name, wrap=True)
    if input.ndim != indices.ndim:
        raise ArgumentError(
            f"take_along_dim: input has shape {input.shape} and indices {indices.shape}; they must "
            "have as many dimensions"
        )
    dim = wrapped_dim(dim, input.ndim, name)
    if input.ndim == 0:
        return collected(input, dim, indices, name, wrap=True)
    around = [(*x.shape[:dim], 1, *x.shape[dim + 1 :]) for x in (input, indices)]
    shape = broadcast_shapes(*around, name=name)
    input, indices = (
        expand(x, (*shape[:dim], x.shape[dim], *shape[dim + 1 :])) for x in (input, indices)
    )
    return collected(input, dim, indices, name, wrap=True)


class ScatterAdd(Node):
    def __init__(self, dim, index):
        self._dim, self._index = dim, index

    def _gradients(self, dy):
        return dy, None if self.inputs[1] is None else gathered(dy, self._dim, self._index)


def aimed(input, dim, index, src, name):
    """dim, index and src, checked. An index of no elements may have any shape, and src as many."""
    dim = wrapped_dim(dim, input.ndim, name)
    index = index_along(index, input.size(dim) if input.ndim else 1, dim, name)
    if 0 in index.shape:
        shape = (0,) * max(input.ndim, 1)
        index = index.reshape(shape)
        if isinstance(src, Tensor):
            src = src.reshape(-1)[:0].reshape(shape)
    check_extent(index.shape, input.shape, dim, name)
    return dim, index, src


def scatter_add(input, dim, index, src):
    """A copy of the input with y[i][index[i][j]] += src[i][j] for dim 1, and so for every dim."""
    checked_tensor(input, "scatter_add", "input")
    checked_tensor(src, "scatter_add", "src")
    dim, index, src = aimed(input, dim, index, src, "scatter_add")
    check_extent(index.shape, src.shape, -1, "scatter_add")
    if src.dtype != input.dtype:
        raise DtypeError(
            f"scatter_add: src has dtype {src.dtype}, it must be that of the input, {input.dtype}"
        )
    array = copied(input.array)
    part_of_src = src.array[(..., *(slice(n) for n in index.shape))]
    if array.dtype.kind == "f":
        add_along(array, dim, index, part_of_src)
    else:
        places = grid(index, dim)
        by_numpy("scatter_add", add_at, (array, part_of_src, *places), changes=True)
    y = Tensor._on(array)
    if is_grad_enabled() and (input.requires_grad or src.requires_grad):
        src = src[tuple(slice(n) for n in index.shape)] if src.shape != index.shape else src
        ScatterAdd(dim, index)._connect(y, (input, src))
    return y


def grid(index, dim):
    """The index that takes `index` along `dim` and each place itself in the other dimensions."""
    places = [constant(place) for place in np.ogrid[tuple(slice(n) for n in index.shape)]]
    return tuple(index if d == dim else place for d, place in enumerate(places))


def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of the input with y[i][index[i][j]] = src[i][j] for dim 1, and so for every dim.

    Args:
        src: a tensor, or a number.
        value: a number, in place of src.
        reduce: "add" to add it to what is there. Default: None, to put it in its place.
    """
    checked_tensor(input, "scatter")
    if (src is None) == (value is None):
        raise TypeError("scatter: src or value must be given, and one of them")
    src = value if src is None else src
    if reduce is not None:
        if reduce != "add":
            raise ArgumentError(f"scatter: reduce is {reduce!r}, it must be None or 'add'")
        if not isinstance(src, Tensor):
            checked_tensor(index, "scatter", "index")
            src = Tensor._on(constant(np.full(index.shape, src, input.dtype)))
        return scatter_add(input, dim, index, src)
    dim, index, src = aimed(input, dim, index, src, "scatter")
    if isinstance(src, Tensor):
        src = src[tuple(slice(n) for n in index.shape)]
    y = input.clone()
    setitem(y, tuple(map(Tensor._on, grid(index, dim))), src)
    return y


# ---- by a mask -----------------------------------------------------------------------------------


def masked_select(input, mask):
    """The elements where the mask is true, both broadcast to one shape; a vector."""
    checked_tensor(input, "masked_select")
    checked_tensor(mask, "masked_select", "mask")
    if mask.dtype != np.bool_:
        raise DtypeError(f"masked_select: mask has dtype {mask.dtype}, it must be bool")
    shape = broadcast_shapes(input.shape, mask.shape, name="masked_select")
    chosen = Tensor._on(contiguous(broadcast_to(mask.array, shape)))
    return getitem(input if input.shape == shape else expand(input, shape), chosen)


def nonzero(input, *, as_tuple=False):
    """The indices of the elements that are not zero, (count, ndim).

    Args:
        as_tuple: a vector for each dimension instead.
    """
    checked_tensor(input, "nonzero")
    refuse("nonzero")
    if as_tuple:
        return tuple(map(Tensor._on, np.nonzero(np.atleast_1d(input.array))))
    return Tensor._on(np.argwhere(input.array))


def argwhere(input):
    """The indices of the elements that are not zero, (count, ndim)."""
    return nonzero(checked_tensor(input, "argwhere"))


def nonzero_static(input, *, size, fill_value=-1):
    """The first `size` rows of nonzero(input); rows of fill_value where there are fewer."""
    checked_tensor(input, "nonzero_static")
    size = integer(size, "nonzero_static: size")
    if size < 0:
        raise ArgumentError(f"nonzero_static: size is {size}, it must not be negative")
    fill_value = integer(fill_value, "nonzero_static: fill_value")
    found = nonzero(input).array[:size]
    rows = np.full((size, input.ndim), fill_value, INT64)
    rows[: len(found)] = found
    return Tensor._on(rows)


def unravel_index(indices, shape):
    """The index in each dimension of indices into a flattened tensor of a shape, a tuple.

    Args:
        indices: integers, those below zero counted from the end.
        shape: of the tensor, an integer or a sequence of them.

    Raises:
        TypeError: for other indices or sizes.
        ValueError: for a size below zero.
        IndexError: for an index that is not in the tensor.
    """
    checked_tensor(indices, "unravel_index", "indices")
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"unravel_index: indices has dtype {indices.dtype}, not integers")
    if isinstance(shape, Tensor):
        raise TypeError("unravel_index: shape is a Tensor, it must be an integer or a sequence")
    refuse("unravel_index")
    shape = as_sizes(shape, "unravel_index")
    if min(shape, default=0) < 0:
        raise ArgumentError(f"unravel_index: shape is {shape}, its sizes must be >= 0")
    size = math.prod(shape)
    flat = index_along(indices, size, 0, "unravel_index", wrap=True)
    return tuple(Tensor._on(np.asarray(part)) for part in np.unravel_index(flat, shape))
