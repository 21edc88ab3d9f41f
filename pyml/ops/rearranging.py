"""Elements in other places: rolled, repeated, joined; triangles and diagonals; put at indices."""

import functools
import itertools

import numpy as np

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import arange, zeros
from pyml.ops.elementwise import where
from pyml.ops.index import index_along, index_select, scatter_add, selected, setitem
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes
from pyml.ops.reduce import sum as summed
from pyml.ops.regions import extent, seen
from pyml.ops.shape import (
    along,
    as_sizes,
    cat,
    clone,
    contiguous,
    expand,
    flip,
    integer,
    movedim,
    narrow,
    repeat,
    reshape,
    select,
    several,
    split,
    stack,
    transpose,
    unsqueeze,
    wrapped_dim,
)
from pyml.recorder import constant, refuse
from pyml.tensor import Tensor

INT64 = np.dtype(np.int64)


# ---- rolled and repeated -------------------------------------------------------------------------


def roll(input, shifts, dims=None):
    """The elements moved on by `shifts` along `dims`; what leaves at the end comes in at the front.

    Args:
        shifts: an integer, or one for each of dims.
        dims: dimensions. Default: None, those of the flattened tensor.
    """
    checked_tensor(input, "roll")
    shifts = as_sizes(shifts, "roll")
    if dims is None:
        if len(shifts) != 1:
            raise ArgumentError(f"roll: shifts {shifts} needs dims, one for each shift")
        return reshape(roll(reshape(input, (-1,)), shifts, 0), input.shape)
    dims = as_sizes(dims, "roll")
    if len(dims) != len(shifts):
        raise ArgumentError(f"roll: shifts {shifts} and dims {dims} must be as many")
    y = input
    for shift, dim in zip(shifts, dims, strict=True):
        dim = wrapped_dim(dim, input.ndim, "roll")
        size = input.shape[dim] if input.ndim else 1
        cut = -shift % size if size else 0
        if cut:
            y = cat(split(y, [cut, size - cut], dim)[::-1], dim)
    return clone(y) if y is input else y


def rot90(input, k=1, dims=(0, 1)):
    """The plane of two dimensions turned by k times 90 degrees, from the first to the second."""
    checked_tensor(input, "rot90")
    k = integer(k, "rot90: k") % 4
    a, b = two_dims(dims, input.ndim, "rot90")
    if k == 0:
        return clone(input)
    if k == 2:
        return flip(input, (a, b))
    return (
        transpose(flip(input, b), a, b).contiguous() if k == 1 else flip(transpose(input, a, b), b)
    )


def two_dims(dims, ndim, name):
    """Two different dimensions."""
    dims = [wrapped_dim(d, ndim, name) for d in as_sizes(dims, name)]
    if len(dims) != 2 or dims[0] == dims[1]:
        raise ArgumentError(f"{name}: dims {dims} must be two different dimensions")
    return dims


def tile(input, dims):
    """The tensor repeated dims[d] times along each dimension; missing ones in front are 1."""
    checked_tensor(input, "tile")
    dims = as_sizes(dims, "tile")
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element repeated, next to itself.

    Args:
        repeats: how often: an integer, or a vector of one for each slice along dim. Default: None,
            the input says it, and what is repeated are its places.
        dim: the dimension. Default: None, that of the flattened tensor.
        output_size: the size of the result along dim; it is not needed here.
    """
    checked_tensor(input, "repeat_interleave")
    if repeats is None:
        input, repeats = arange(input.numel(), dtype=input.dtype), input
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    dim = wrapped_dim(dim, input.ndim, "repeat_interleave")
    size = input.shape[dim] if input.ndim else 1
    if isinstance(repeats, Tensor):
        refuse("repeat_interleave with a tensor of counts")
        counts = repeats.array
        if counts.dtype.kind not in "iu":
            raise DtypeError(f"repeat_interleave: repeats has dtype {repeats.dtype}, not integers")
        if counts.ndim > 1 or (counts.size != size and counts.size != 1):
            raise ArgumentError(
                f"repeat_interleave: repeats has shape {repeats.shape}, it must be a vector of "
                f"{size}, the size of dimension {dim}"
            )
        counts = np.broadcast_to(counts.reshape(-1), (size,))
    else:
        counts = np.full(size, integer(repeats, "repeat_interleave: repeats"))
    if counts.size and counts.min() < 0:
        raise ArgumentError(f"repeat_interleave: repeats {counts.min()} must not be negative")
    index = np.repeat(np.arange(size), counts)
    if output_size is not None and output_size != len(index):
        raise ArgumentError(f"repeat_interleave: output_size is {output_size}, not {len(index)}")
    return index_select(input, dim, Tensor._on(constant(index)))


def flipud(input):
    """The rows in reverse order."""
    return flip(at_least(input, 1, "flipud"), 0)


def fliplr(input):
    """The columns in reverse order."""
    return flip(at_least(input, 2, "fliplr"), 1)


def at_least(input, ndim, name):
    """The input, if it has so many dimensions."""
    checked_tensor(input, name)
    if input.ndim < ndim:
        raise ArgumentError(f"{name}: the tensor has shape {input.shape}, not {ndim} dimensions")
    return input


def ravel(input):
    """The elements as a vector without gaps: of a tensor that has some, a copy."""
    checked_tensor(input, "ravel")
    return contiguous(reshape(input, (-1,)))


def broadcast_to(input, size):
    """The input expanded to a shape; see expand."""
    checked_tensor(input, "broadcast_to")
    return expand(input, size)


# ---- joined --------------------------------------------------------------------------------------


def raised(tensors, ndim, name):
    """Each of them, or one, with at least so many dimensions."""

    def lifted(x):
        checked_tensor(x, name)
        if x.ndim >= ndim:
            return x
        if x.ndim == 0:
            return reshape(x, (1,) * ndim)
        if ndim == 2:
            return unsqueeze(x, 0)
        return reshape(x, (1, *x.shape, 1) if x.ndim == 1 else (*x.shape, 1))

    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    elif len(tensors) == 1:
        return lifted(tensors[0])
    return tuple(lifted(x) for x in tensors)


def atleast_1d(*tensors):
    """The tensors, with a dimension where they have none."""
    return raised(tensors, 1, "atleast_1d")


def atleast_2d(*tensors):
    """The tensors with at least two dimensions, new ones in front."""
    return raised(tensors, 2, "atleast_2d")


def atleast_3d(*tensors):
    """The tensors with at least three dimensions."""
    return raised(tensors, 3, "atleast_3d")


def vstack(tensors):
    """Joined along the first dimension; vectors are rows."""
    return cat(raised((several(tensors, "vstack"),), 2, "vstack"), 0)


def hstack(tensors):
    """Joined along the second dimension, vectors along their only one."""
    tensors = raised((several(tensors, "hstack"),), 1, "hstack")
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def dstack(tensors):
    """Joined along the third dimension."""
    return cat(raised((several(tensors, "dstack"),), 3, "dstack"), 2)


def column_stack(tensors):
    """Joined along the second dimension; vectors are columns."""
    tensors = several(tensors, "column_stack")
    return cat([reshape(x, (x.numel(), 1)) if x.ndim < 2 else x for x in tensors], 1)


def block_diag(*tensors):
    """The matrices along a diagonal, zeros elsewhere."""
    if not tensors:
        checked_tensor(None, "block_diag")
    matrices = [raised((checked_tensor(x, "block_diag"),), 2, "block_diag") for x in tensors]
    if any(x.ndim > 2 for x in matrices):
        raise ArgumentError("block_diag: a tensor has more than 2 dimensions")
    columns = sum(x.shape[1] for x in matrices)
    rows, before = [], 0
    for x in matrices:
        left, right = (before, columns - before - x.shape[1])
        sides = [zeros(x.shape[0], n, dtype=x.dtype) for n in (left, right)]
        rows.append(cat([sides[0], x, sides[1]], 1))
        before += x.shape[1]
    return cat(rows, 0)


def meshgrid(*tensors, indexing="ij"):
    """The coordinates of a grid: each vector along its own dimension, expanded to all.

    Args:
        indexing: "ij", or "xy" for the first two dimensions swapped.

    Returns:
        A tuple of views, one for each vector.

    Example:
        >>> rows, columns = pyml.meshgrid(pyml.arange(2), pyml.arange(3), indexing="ij")
        >>> columns
        tensor([[0, 1, 2],
                [0, 1, 2]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    tensors = several(tensors, "meshgrid")
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing is {indexing!r}, it must be 'ij' or 'xy'")
    if any(x.ndim > 1 for x in tensors):
        raise ArgumentError("meshgrid: the tensors must be vectors or 0-d")
    if indexing == "xy" and len(tensors) > 1:
        second, first, *others = meshgrid(tensors[1], tensors[0], *tensors[2:])
        return first, second, *others
    sizes = tuple(x.numel() for x in tensors)
    grids = []
    for d, x in enumerate(tensors):
        shape = [1] * len(sizes)
        shape[d] = sizes[d]
        grids.append(expand(reshape(x, shape), sizes))
    return tuple(grids)


def cartesian_prod(*tensors):
    """All combinations of an element of each vector, as rows."""
    vectors = several(tensors, "cartesian_prod")
    if len(vectors) == 1:
        return vectors[0]
    return stack([reshape(x, (-1,)) for x in meshgrid(*vectors)], 1)


def combinations(input, r=2, with_replacement=False):
    """All choices of r elements of a vector in their order, as rows."""
    checked_tensor(input, "combinations")
    if input.ndim != 1:
        raise ArgumentError(f"combinations: input has shape {input.shape}, it must be a vector")
    r = integer(r, "combinations: r")
    if r < 0:
        raise ArgumentError(f"combinations: r is {r}, it must not be negative")
    if r == 0:
        return input[:0]
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    index = np.array(list(choose(range(len(input)), r)), INT64).reshape(-1, r)
    rows = index_select(input, 0, Tensor._on(constant(index.reshape(-1))))
    return reshape(rows, index.shape)


# ---- triangles and diagonals ---------------------------------------------------------------------


def tril(input, diagonal=0):
    """The lower triangle of matrices, zeros above.

    Args:
        diagonal: the last diagonal that is kept; above the main one it is positive.
    """
    return triangle(input, diagonal, True, "tril")


def triu(input, diagonal=0):
    """The upper triangle of matrices, zeros below.

    Args:
        diagonal: the first diagonal that is kept.
    """
    return triangle(input, diagonal, False, "triu")


def triangle(input, diagonal, lower, name):
    at_least(input, 2, name)
    rows, columns = input.shape[-2:]
    k = near(diagonal, rows, columns, f"{name}: diagonal")
    mask = np.tri(rows, columns, k, bool) if lower else ~np.tri(rows, columns, k - 1, bool)
    return where(Tensor._on(constant(mask)), input, zeros((), dtype=input.dtype))


def near(diagonal, rows, columns, name):
    """A diagonal, or one of as few elements next to the matrix: of any integer C has that one."""
    return min(max(integer(diagonal, name), -rows), columns + 1)


def indices_of(function, row, col, offset, name):
    row, col = integer(row, f"{name}: row"), integer(col, f"{name}: col")
    return function(row, near(offset, row, col, f"{name}: offset"), col)


def tril_indices(row, col, offset=0, *, dtype=None, device=None):
    """The indices of the lower triangle of a matrix: rows and columns, (2, count)."""
    index = indices_of(np.tril_indices, row, col, offset, "tril_indices")
    return Tensor._on(constant(np.array(index, INT64 if dtype is None else np.dtype(dtype))))


def triu_indices(row, col, offset=0, *, dtype=None, device=None):
    """The indices of the upper triangle of a matrix: rows and columns, (2, count)."""
    index = indices_of(np.triu_indices, row, col, offset, "triu_indices")
    return Tensor._on(constant(np.array(index, INT64 if dtype is None else np.dtype(dtype))))


def diagonal(input, offset=0, dim1=0, dim2=1):
    """The diagonals of the planes of two dimensions, as the last dimension: a view.

    Args:
        offset: which diagonal; above the main one it is positive.
    """
    at_least(input, 2, "diagonal")
    a, b = two_dims((dim1, dim2), input.ndim, "diagonal")
    offset = integer(offset, "diagonal: offset")
    size = diagonal_size(input.shape[a], input.shape[b], offset)
    sizes, steps = ([*values[:]] for values in (input.shape, input.stride()))
    down, right = steps[a], steps[b]
    for d in sorted((a, b), reverse=True):
        del sizes[d], steps[d]
    start = (offset * right if offset >= 0 else -offset * down) if size else 0
    return seen(input, start, (*sizes, size), (*steps, down + right), "Diagonal")


def diagonal_size(rows, columns, offset):
    """How many elements a diagonal of a matrix has."""
    return max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))


def diagonal_index(input, offset, dim1, dim2, name):
    """Both dimensions, and the indices of a diagonal in their flattened plane."""
    at_least(input, 2, name)
    a, b = two_dims((dim1, dim2), input.ndim, name)
    offset = integer(offset, f"{name}: offset")
    rows, columns = input.shape[a], input.shape[b]
    size = diagonal_size(rows, columns, offset)
    start = offset if offset >= 0 else -offset * columns
    return a, b, Tensor._on(constant(start + np.arange(size) * (columns + 1)))


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """The vectors of the last dimension as diagonals of matrices, zeros elsewhere."""
    checked_tensor(input, "diag_embed")
    if input.ndim == 0:
        raise ArgumentError("diag_embed: a 0-d tensor has no vector")
    offset = integer(offset, "diag_embed: offset")
    n = input.shape[-1]
    size = n + abs(offset)
    mask = np.eye(size, k=offset, dtype=bool)
    edge = zeros(*input.shape[:-1], abs(offset), dtype=input.dtype)
    rows = cat([input, edge] if offset >= 0 else [edge, input], -1)
    y = where(Tensor._on(constant(mask)), unsqueeze(rows, -1), zeros((), dtype=input.dtype))
    a, b = two_dims((dim1, dim2), y.ndim, "diag_embed")
    return movedim(y, (-2, -1), (a, b))


def diag(input, diagonal=0):
    """A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector."""
    checked_tensor(input, "diag")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim == 2:
        return clone(input.diagonal(diagonal))
    raise ArgumentError(
        f"diag: the tensor has shape {input.shape}, it must be a vector or a matrix"
    )


def diagflat(input, offset=0):
    """The elements as the diagonal of a matrix."""
    return diag_embed(ravel(input), offset)


def trace(input):
    """The sum of the diagonal of a matrix."""
    checked_tensor(input, "trace")
    if input.ndim != 2:
        raise ArgumentError(f"trace: the tensor has shape {input.shape}, it must be a matrix")
    return summed(diagonal(input))


# ---- parts ---------------------------------------------------------------------------------------


def tensor_split(
    input,
    indices_or_sections=None,
    dim=0,
    *,
    indices=None,
    sections=None,
    tensor_indices_or_sections=None,
):
    """Parts along `dim`, a tuple of views.

    Args:
        indices_or_sections: how many parts, whose sizes differ by one at most; or where to cut.
        indices, sections, tensor_indices_or_sections: other names of it.
    """
    checked_tensor(input, "tensor_split")
    given = (indices_or_sections, indices, sections, tensor_indices_or_sections)
    indices_or_sections = the_one(given, "tensor_split")
    dim = wrapped_dim(dim, input.ndim, "tensor_split")
    if input.ndim == 0:
        raise ArgumentError("tensor_split: a 0-d tensor has no parts")
    size = input.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        if indices_or_sections.array.dtype.kind not in "iu":
            raise DtypeError(
                f"tensor_split: indices_or_sections has dtype {indices_or_sections.dtype}, "
                "not integers"
            )
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, (tuple, list)):
        cuts = as_sizes(indices_or_sections, "tensor_split")
        ends = [min(max(c + size if c < 0 else c, 0), size) for c in cuts]
        starts = [0, *ends]
        sizes = [max(0, e - s) for s, e in zip(starts, [*ends, size], strict=True)]
    else:
        n = integer(indices_or_sections, "tensor_split: sections")
        if n < 1:
            raise ArgumentError(f"tensor_split: sections is {n}, it must be at least 1")
        sizes = [size // n + (i < size % n) for i in range(n)]
        starts = [sum(sizes[:i]) for i in range(n)]
    return tuple(input.narrow(dim, start, n) for start, n in zip(starts, sizes, strict=True))


def the_one(given, name):
    """What one of the names of PyTorch's argument was given."""
    given = [value for value in given if value is not None]
    if len(given) != 1:
        raise TypeError(
            f"{name}: {len(given)} values are given for indices_or_sections; pass one: how many "
            "parts, or a list of where to cut"
        )
    return given[0]


def in_equal_parts(input, place, dim, name):
    """tensor_split(), where a number of parts must divide the size."""
    if not isinstance(place, (Tensor, tuple, list)):
        n = integer(place, f"{name}: sections")
        if n < 1 or input.shape[dim] % n:
            raise ArgumentError(
                f"{name}: sections is {n}, it must divide the size of dimension {dim}, "
                f"{input.shape[dim]}; use tensor_split() for parts that differ"
            )
    return tensor_split(input, place, dim)


def hsplit(input, indices_or_sections=None, *, indices=None, sections=None):
    """tensor_split along the second dimension, of a vector along its only one."""
    at_least(input, 1, "hsplit")
    place = the_one((indices_or_sections, indices, sections), "hsplit")
    return in_equal_parts(input, place, 0 if input.ndim == 1 else 1, "hsplit")


def vsplit(input, indices_or_sections=None, *, indices=None, sections=None):
    """tensor_split along the first dimension."""
    place = the_one((indices_or_sections, indices, sections), "vsplit")
    return in_equal_parts(at_least(input, 2, "vsplit"), place, 0, "vsplit")


def dsplit(input, indices_or_sections=None, *, indices=None, sections=None):
    """tensor_split along the third dimension."""
    place = the_one((indices_or_sections, indices, sections), "dsplit")
    return in_equal_parts(at_least(input, 3, "dsplit"), place, 2, "dsplit")


def split_with_sizes(input, split_sizes, dim=0):
    """Parts of these sizes along `dim`, a tuple of views; see split."""
    checked_tensor(input, "split_with_sizes")
    return split(input, as_sizes(split_sizes, "split_with_sizes"), dim)


def narrow_copy(input, dim, start, length):
    """A copy of narrow()."""
    return clone(narrow(input, dim, start, length))


def unfold(input, dimension, size, step):
    """All slices of `size` elements along a dimension, `step` apart, as the last dimension: a view.

    Where step is less than size they share elements, and the view cannot be changed in place.
    """
    checked_tensor(input, "unfold")
    dim = wrapped_dim(dimension, input.ndim, "unfold")
    sizes, steps = (list(input.shape), list(input.stride())) if input.ndim else ([1], [1])
    length, apart = sizes[dim], steps[dim]
    size, step = integer(size, "unfold: size"), integer(step, "unfold: step")
    if not 0 <= size <= length or step < 1:
        raise ArgumentError(
            f"unfold: size is {size} and step {step}; a size from 0 to {length}, that of "
            "the dimension, and a step of at least 1 are needed"
        )
    sizes[dim] = (length - size) // step + 1
    steps[dim] = min(step, length) * apart  # a longer one leads nowhere
    if input.ndim == 0:
        return seen(input, 0, (size,), (1,), "Unfold")
    return seen(input, 0, (*sizes, size), (*steps, apart), "Unfold")


def take(input, index):
    """The elements at indices of the flattened input, in the shape of the index; -1 is the last."""
    checked_tensor(input, "take")
    checked_tensor(index, "take", "index")
    chosen = selected(reshape(input, (-1,)), 0, reshape(index, (-1,)), "take", wrap=True)
    return reshape(chosen, index.shape)


# ---- put at indices ------------------------------------------------------------------------------


def of_slices(operation):
    """The operation for a 0-d tensor too, which is a slice of one element."""

    @functools.wraps(operation)
    def called(input, dim, index, source, *args, **kwargs):
        if getattr(input, "ndim", None) == 0 == getattr(source, "ndim", None):
            input, source = reshape(input, (1,)), reshape(source, (1,))
            return operation(input, dim, index, source, *args, **kwargs).reshape(())
        return operation(input, dim, index, source, *args, **kwargs)

    return called


@of_slices
def index_add(input, dim, index, source, *, alpha=1):
    """A copy with alpha * source added to the slices `index` (a vector) along `dim`."""
    dim, index = slices_at(input, dim, index, source, "index_add")
    index = in_every_row(index, dim, source)
    return scatter_add(input, dim, index, source if alpha == 1 else source * alpha)


def in_every_row(index, dim, source):
    """A vector of indices along `dim` as an index of the shape of source."""
    shape = [1] * source.ndim
    shape[dim] = index.numel()
    return expand(reshape(index, shape), source.shape).contiguous()


@of_slices
def index_copy(input, dim, index, source):
    """A copy of the input with the slices of source in place of those at `index` along `dim`."""
    dim, index = slices_at(input, dim, index, source, "index_copy")
    return assigned(input, along(dim, index), source)


def index_fill(input, dim, index, value):
    """A copy of the input with `value` in the slices `index` along `dim`; -1 is the last."""
    checked_tensor(input, "index_fill")
    dim = wrapped_dim(dim, input.ndim, "index_fill")
    if input.ndim == 0:  # as one of one element
        return index_fill(reshape(input, (1,)), 0, index, value).reshape(())
    array = index_along(index, input.shape[dim], dim, "index_fill", wrap=True)
    return assigned(input, along(dim, Tensor._on(array)), value)


def assigned(input, place, value):
    """A copy of the input with input[place] = value."""
    y = clone(input)
    setitem(y, place, value)
    return y


def slices_at(input, dim, index, source, name):
    """The dimension and the index, a vector, if source has the slices of input that they name."""
    checked_tensor(input, name)
    checked_tensor(source, name, "source")
    if input.ndim == 0:
        raise ArgumentError(f"{name}: a 0-d tensor has no slices")
    dim = wrapped_dim(dim, input.ndim, name)
    array = index_along(index, input.shape[dim], dim, name)
    shape = (*input.shape[:dim], array.size, *input.shape[dim + 1 :])
    if array.ndim > 1 or source.shape != shape:
        raise ArgumentError(
            f"{name}: source has shape {source.shape}, it must be {shape} for a tensor of "
            f"shape {input.shape} and {array.size} indices along dimension {dim}"
        )
    if source.dtype != input.dtype:
        raise DtypeError(
            f"{name}: source has dtype {source.dtype}, it must be that of the input, {input.dtype}"
        )
    return dim, Tensor._on(array.reshape(-1))


def masked_scatter(input, mask, source):
    """A copy of the input, where the mask is true with the elements of source, in their order."""
    checked_tensor(input, "masked_scatter")
    checked_tensor(mask, "masked_scatter", "mask")
    checked_tensor(source, "masked_scatter", "source")
    if mask.dtype != np.bool_:
        raise DtypeError(f"masked_scatter: mask has dtype {mask.dtype}, it must be bool")
    shape = broadcast_shapes(input.shape, mask.shape, name="masked_scatter")
    place = by_numpy("masked_scatter", places_in_order, (mask.array,), shape, source.numel())
    if source.numel() == 0:
        return clone(expand(input, shape))
    values = reshape(index_select(reshape(source, (-1,)), 0, Tensor._on(place)), shape)
    return where(mask, values, input)


def places_in_order(mask, shape, size):
    """For each element that the mask chooses its number, a vector; any for the others."""
    mask = np.broadcast_to(mask, shape).reshape(-1)
    if (count := np.count_nonzero(mask)) > size:
        raise ArgumentError(f"masked_scatter: source has {size} elements, the mask chooses {count}")
    return np.maximum(np.cumsum(mask) - 1, 0)


def select_scatter(input, src, dim, index):
    """A copy of the input with src in place of select(input, dim, index)."""
    checked_tensor(input, "select_scatter")
    part = select(input, dim, index)
    dim = wrapped_dim(dim, input.ndim, "select_scatter")
    return with_part(input, along(dim, index), part, src, "select_scatter")


def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """A copy of the input with src in place of the slice start:end:step along `dim`."""
    checked_tensor(input, "slice_scatter")
    if input.ndim == 0:
        raise ArgumentError("slice_scatter: a 0-d tensor has no slices")
    place = along(wrapped_dim(dim, input.ndim, "slice_scatter"), slice(start, end, step))
    return with_part(input, place, input.detach()[place], src, "slice_scatter")


def with_part(input, place, part, src, name):
    """A copy of the input with src at a place, if it has the shape of the part that is there."""
    checked_tensor(src, name, "src")
    if src.shape != part.shape:
        raise ArgumentError(
            f"{name}: src has shape {src.shape}, it must be that of what it replaces, {part.shape}"
        )
    return assigned(input, place, src)


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of the input with src in place of diagonal(input, offset, dim1, dim2)."""
    a, b, index = diagonal_index(input, offset, dim1, dim2, "diagonal_scatter")
    x = movedim(input, (a, b), (-2, -1))
    flat = reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1]))
    part = index_select(flat.detach(), flat.ndim - 1, index)
    y = with_part(flat, (..., index), part, src, "diagonal_scatter")
    return movedim(reshape(y, x.shape), (-2, -1), (a, b)).contiguous()


def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of the input with src in place of as_strided(input, size, stride, storage_offset)."""
    checked_tensor(input, "as_strided_scatter")
    index = strided_index(input, size, stride, storage_offset, "as_strided_scatter")
    y = with_part(reshape(input, (-1,)), (index,), index, src, "as_strided_scatter")
    return reshape(y, input.shape)


def put(input, index, source, accumulate=False):
    """A copy of the input with the elements of source at indices of the flattened input.

    Args:
        source: as many elements as index has.
        accumulate: add them to what is there.
    """
    checked_tensor(input, "put")
    checked_tensor(index, "put", "index")
    checked_tensor(source, "put", "source")
    if index.numel() != source.numel():
        raise ArgumentError(
            f"put: index has {index.numel()} elements and source {source.numel()}; "
            "they must be as many"
        )
    flat, values = reshape(input, (-1,)), reshape(source, (-1,))
    places = reshape(index, (-1,))
    places = Tensor._on(index_along(places, flat.numel(), 0, "put", wrap=True))
    if accumulate:
        return reshape(scatter_add(flat, 0, places, values), input.shape)
    return reshape(assigned(flat, (places,), values), input.shape)


def as_strided(input, size, stride, storage_offset=None):
    """A view of the memory between the first and the last element, by other sizes and steps.

    Args:
        stride: the step of each dimension, in elements.
        storage_offset: the first element, counted as by storage_offset(). Default: None, the first
            of the tensor.

    Raises:
        ValueError: if they reach beyond the elements of the tensor.
    """
    checked_tensor(input, "as_strided")
    size, stride = sizes_and_steps(size, stride, "as_strided")
    start = 0
    if storage_offset is not None:
        start = integer(storage_offset, "as_strided: storage_offset") - input.storage_offset()
    low, high = (n // input.itemsize for n in extent(input.array))
    last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 in size:
        start = 0
    elif not low <= start <= last < high:
        first = input.storage_offset()
        raise ArgumentError(
            f"as_strided: size {size}, stride {stride} and storage_offset {first + start} reach "
            f"beyond the tensor, whose elements lie from {first + low} to {first + high - 1}"
        )
    return seen(input, start, size, stride, "AsStrided")


def sizes_and_steps(size, stride, name):
    """Both as tuples that go together."""
    size, stride = as_sizes(size, name), as_sizes(stride, name)
    if len(size) != len(stride) or min(size, default=0) < 0 or min(stride, default=0) < 0:
        raise ArgumentError(f"{name}: size {size} and stride {stride} must go together, none < 0")
    return size, stride


def strided_index(input, size, stride, storage_offset, name):
    """The indices in the flattened input of what is seen by other sizes and steps."""
    size, stride = sizes_and_steps(size, stride, name)
    start = 0 if storage_offset is None else integer(storage_offset, f"{name}: storage_offset")
    if not input.is_contiguous():
        raise RuntimeError(f"{name}: the tensor is not contiguous; call .contiguous() first")
    index = np.full(size, start, INT64)
    for d, (n, step) in enumerate(zip(size, stride, strict=True)):
        index += (np.arange(n) * step).reshape((n,) + (1,) * (len(size) - d - 1))
    if index.size and not 0 <= index.min() <= index.max() < input.numel():
        raise ArgumentError(
            f"{name}: size {size}, stride {stride} and storage_offset {start} reach beyond "
            f"the {input.numel()} elements"
        )
    return Tensor._on(constant(index))
