"""Tensors as arrays and tables of Arrow, and back, on the same memory where it lies alike."""

import numpy as np

from pyml.ops.outside import arrived
from pyml.tabular.arrow import pyarrow
from pyml.tensor import Tensor

__all__ = ["from_arrow", "to_arrow"]


def to_arrow(tensors):
    """A Tensor as an array of Arrow; a dict of them as a table.

    The memory is shared, unless the numbers do not lie one behind another, or are truth values, of
    which Arrow has eight in a byte. A Tensor of several dimensions is a fixed_shape_tensor array.

    Args:
        tensors: a Tensor or array with a dimension or more, or {name: Tensor}, all with as many
            rows.

    Returns:
        A pyarrow.Array or pyarrow.Table.

    Raises:
        ModuleNotFoundError: without pyarrow.
        TypeError: if it is none of these, or a name is no str.
        ValueError: for a single number, or rows without numbers; for columns of different lengths.

    Example:
        >>> export.to_arrow({"x": pyml.arange(3.0), "y": pyml.ones(3, 2)}).num_rows
        3
    """
    pa = pyarrow("to_arrow")
    if not isinstance(tensors, dict):
        return array_of(pa, tensors, "tensors")
    columns = {name: array_of(pa, value, f"tensors[{name!r}]") for name, value in tensors.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len({*lengths.values()}) > 1:
        raise ValueError(f"to_arrow: columns have different lengths: {lengths}")
    for name in columns:
        if not isinstance(name, str):
            raise TypeError(
                f"to_arrow: tensors has the name {name!r}, a {type(name).__name__}; columns of "
                "Arrow are called by a str"
            )
    return pa.table(columns)


def array_of(pa, tensor, name):
    """A Tensor as an array of Arrow."""
    if isinstance(tensor, Tensor) and tensor.requires_grad:
        tensor = tensor.detach()
    array = arrived(tensor, f"to_arrow: {name}")
    if array.ndim == 0:
        raise ValueError(f"to_arrow: {name} is a single number, it must have rows")
    array = np.ascontiguousarray(array)
    if array.dtype == bool:
        flat = pa.array(array.ravel())
    else:
        kind = pa.from_numpy_dtype(array.dtype)
        flat = pa.Array.from_buffers(kind, array.size, [None, pa.py_buffer(array.reshape(-1))])
    if array.ndim == 1:
        return flat
    size = int(np.prod(array.shape[1:], dtype=int))
    if size == 0:  # pyarrow divides by the size, and the process ends
        raise ValueError(f"to_arrow: {name} has shape {array.shape}, its rows must have numbers")
    rows = pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(flat.type, size))
    kind = pa.fixed_shape_tensor(flat.type, array.shape[1:])
    return pa.ExtensionArray.from_storage(kind, rows)


def from_arrow(data):
    """An array of Arrow as a Tensor; a table as a dict of them.

    The memory is shared, and read-only as Arrow's is, unless there are several chunks, truth values
    or gaps. A gap in floats is NaN.

    Args:
        data: an array, chunked array, record batch or table of pyarrow, or what gives one by
            __arrow_c_array__() or __arrow_c_stream__(), as series and frames of pandas and polars.

    Returns:
        A Tensor, (rows) or (rows, ...) of lists of one size; or {name: Tensor}.

    Raises:
        ModuleNotFoundError: without pyarrow.
        TypeError: for what is no data of Arrow, or of a type that is none of numbers.
        ValueError: for gaps in whole numbers or truth values, or in lists.

    Example:
        >>> export.from_arrow(pyarrow.table({"x": [1.0, 2.0], "y": [3, 4]}))
        {'x': tensor([1., 2.], dtype=float64), 'y': tensor([3, 4])}
    """
    pa = pyarrow("from_arrow")
    if isinstance(data, (pa.Array, pa.ChunkedArray)):
        return tensor_of(pa, data, "data")
    if not isinstance(data, (pa.Table, pa.RecordBatch)):
        if hasattr(data, "__arrow_c_array__"):
            return from_arrow(pa.array(data))
        if not hasattr(data, "__arrow_c_stream__"):
            raise TypeError(
                f"from_arrow: data is a {type(data).__name__}, it must be an array or table of "
                "Arrow, or give one by __arrow_c_stream__()"
            )
        try:
            data = pa.table(data)
        except (pa.ArrowInvalid, TypeError, ValueError):  # a series is no table
            return tensor_of(pa, pa.chunked_array(data), "data")
    names = data.schema.names
    if len({*names}) != len(names):
        raise ValueError(f"from_arrow: columns have the same name: {names}")
    return {name: tensor_of(pa, data[name], f"column {name!r}") for name in names}


def tensor_of(pa, column, name):
    """A column as a Tensor."""
    from pyarrow import compute, types

    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # of none
            column = pa.array([], column.type)
    shape = ()
    if isinstance(column.type, pa.FixedShapeTensorType):
        shape, order = tuple(column.type.shape), column.type.permutation
        if order is not None and list(order) != sorted(order):
            raise TypeError(f"from_arrow: {name} has its dimensions in another order, {order}")
        column = column.storage
    length = len(column)
    if types.is_fixed_size_list(column.type):
        shape = shape or (column.type.list_size,)
        if column.null_count:
            raise ValueError(f"from_arrow: {name} has {column.null_count} lists that are missing")
        column = column.flatten()
    kind = column.type
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        raise TypeError(
            f"from_arrow: {name} is of Arrow's type {kind}, it must be of numbers or truth values; "
            "tabular.read() takes tables of all kinds"
        )
    if column.null_count:
        if not types.is_floating(kind):
            raise ValueError(
                f"from_arrow: {name} has {column.null_count} gaps, and a Tensor of {kind} has "
                "none; fill them, or cast the column to float64"
            )
        column = compute.fill_null(column, pa.scalar(float("nan"), kind))
    array = column.to_numpy(zero_copy_only=not types.is_boolean(kind))
    return Tensor._on(arrived(array.reshape(length, *shape), f"from_arrow: {name}"))
