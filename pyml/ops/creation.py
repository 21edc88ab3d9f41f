"""Making tensors: from data, filled, ranges, random."""

import math

import numpy as np

from pyml import _kernels
from pyml.attributes import Size, default_float
from pyml.errors import ArgumentError
from pyml.grad_mode import is_grad_enabled, no_grad
from pyml.ops.arrays import as_type, copied
from pyml.ops.arrays import empty as empty_array
from pyml.ops.inplace import copy_, normal_, uniform_
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes, checked_dtype, number_as, result_type
from pyml.ops.outside import arrived, unmasked
from pyml.ops.shape import LARGEST, as_sizes, check_device, check_format, integer
from pyml.random import state_of
from pyml.recorder import constant, is_recording, refuse, unwatched
from pyml.tensor import Tensor

INT64, FLOAT64 = np.dtype(np.int64), np.dtype(np.float64)
CONVERTED = {  # what a kernel converts
    np.dtype(name)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")
}


# ---- from data -----------------------------------------------------------------------------------


def as_array(data, dtype, name):
    """`data` as an array, copied if it must be. Numbers get the default dtype, int64, bool."""
    if dtype is not None:
        dtype = checked_dtype(dtype, name)
    data = unwatched(data)
    if isinstance(data, Tensor):
        return data.array if dtype is None else as_type(data.array, dtype)
    if isinstance(unmasked(data, f"{name}: the data"), np.ndarray):
        if is_recording() and data.dtype in CONVERTED:  # a replay reads what it holds then
            return as_type(data.view(np.ndarray), data.dtype if dtype is None else dtype)
        refuse(f"{name} of a NumPy array of dtype {data.dtype}")
        array = data
    elif isinstance(data, np.generic):
        array = np.asarray(data)
    else:
        try:
            array = np.array(unwrapped(data, name))
        except ValueError as error:
            raise ArgumentError(f"{name}: the data is not a regular array: {error}") from None
        if dtype is None and array.dtype == np.float64 and not has_arrays(data):
            dtype = default_float()
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: data of type {array.dtype} cannot be made a tensor; numbers and bool can, "
            "and pyml.tabular makes numbers of a table's text, dates and gaps"
        )
    dtype = checked_dtype(array.dtype.newbyteorder("=") if dtype is None else dtype, name)
    if array is not data and array.size > 0 and array.dtype != dtype:
        check_range(array.min(), array.max(), dtype, name)
    with np.errstate(all="ignore"):
        return constant(np.asarray(array, dtype))


def check_range(least, most, dtype, name):
    """Raises if numbers from `least` to `most` do not fit an integer dtype: they would wrap."""
    if dtype.kind not in "iu":
        return
    limits = np.iinfo(dtype)
    # NumPy compares its bool with no integer that C does not have
    least, most = (n.item() if isinstance(n, np.generic) else n for n in (least, most))
    if not (limits.min <= least and most <= limits.max):
        raise ArgumentError(
            f"{name}: numbers from {least} to {most} do not fit into {dtype}, which holds "
            f"{limits.min} to {limits.max}"
        )


def unwrapped(data, name):
    """Nested lists with the tensors in them as arrays."""
    if isinstance(unmasked(data, f"{name}: the data"), (Tensor, np.ndarray)):
        refuse("a tensor of a list of tensors or NumPy arrays")
        data = unwatched(data)
    if isinstance(data, Tensor):
        return data.detach().array
    return [unwrapped(item, name) for item in data] if isinstance(data, (list, tuple)) else data


def has_arrays(data):
    """Whether the first number of nested lists comes with a dtype."""
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (Tensor, np.ndarray, np.generic))


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A tensor with a copy of the data.

    Args:
        data: a number, nested lists, a NumPy array or a tensor. Python floats get the
            default dtype, float32, and Python integers int64.
        dtype: float32, float64, an integer type or bool. Default: that of the data.
        requires_grad: track operations on it.

    Example:
        >>> pyml.tensor([[1.0, 2.0], [3.0, 4.0]])
        tensor([[1., 2.],
                [3., 4.]])
    """
    check_device(device, "tensor")
    data = unwatched(data)
    array = as_array(data, dtype, "tensor")
    if isinstance(data, (Tensor, np.ndarray)) and np.may_share_memory(
        array, data.array if isinstance(data, Tensor) else data.view(np.ndarray)
    ):
        array = copied(array)
    return Tensor._on(array, requires_grad=requires_grad)


def as_tensor(data, dtype=None, device=None):
    """A tensor that shares memory with the data, if that is a tensor or an array of the dtype."""
    check_device(device, "as_tensor")
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return Tensor._on(as_array(data, dtype, "as_tensor"))


def from_numpy(ndarray):
    """A tensor that shares memory with a NumPy array."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: a NumPy array is needed, not {type(ndarray).__name__}")
    return Tensor._on(arrived(ndarray, "from_numpy: the array", shared=True))


class Capsule:
    """A capsule of DLPack, as NumPy takes one: with the methods of what it is of."""

    def __init__(self, capsule):
        self._capsule = capsule

    def __dlpack__(self, **options):
        return self._capsule

    def __dlpack_device__(self):
        return DLPACK_CPU


DLPACK_CPU = (1, 0)  # kDLCPU and the number of the device


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor on the memory of another library's, by DLPack.

    What is read-only there is read-only here, and so is what an older library gives, which cannot
    say it (versions of DLPack before 1.0).

    Args:
        ext_tensor: an object with __dlpack__() and __dlpack_device__(), as arrays of PyTorch, NumPy
            and JAX; or a capsule of DLPack, which is used up.
        copy: True for memory of its own, False to raise where a copy is needed. Default: None, as
            False, for there is no need.

    Raises:
        TypeError: if it is none of these, or its numbers are of a dtype that a Tensor cannot have.
        BufferError: if it is not in the memory of the CPU, or its library does not give it.

    Example:
        >>> x = pyml.from_dlpack(np.arange(3.0))
        >>> x
        tensor([0., 1., 2.], dtype=float64)
    """
    check_device(device, "from_dlpack")
    refuse("from_dlpack")
    ext_tensor = unwatched(ext_tensor)
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = Capsule(ext_tensor)
    if not (hasattr(ext_tensor, "__dlpack__") and hasattr(ext_tensor, "__dlpack_device__")):
        raise TypeError(
            f"from_dlpack: ext_tensor is a {type(ext_tensor).__name__}, it must have __dlpack__() "
            "and __dlpack_device__(), or be a capsule of DLPack"
        )
    try:
        array = np.from_dlpack(ext_tensor)
    except (BufferError, RuntimeError, ValueError) as error:
        raise BufferError(
            f"from_dlpack: {error}; where it was made, put it on the CPU as float32"
        ) from None
    if copy:
        array = array.copy()
    return Tensor._on(arrived(array, "from_dlpack: ext_tensor", shared=True))


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor of data, a number, an array or a buffer.

    Args:
        copy: True for memory of its own, False to raise where a copy is needed. Default: None, a
            copy where it is needed.
    """
    given = obj
    if isinstance(obj, (bytes, bytearray, memoryview)):
        given = np.frombuffer(obj, np.uint8 if dtype is None else checked_dtype(dtype, "asarray"))
    y = as_tensor(given, dtype, device)
    shares = isinstance(given, (Tensor, np.ndarray)) and np.may_share_memory(
        y.array, given.array if isinstance(given, Tensor) else given
    )
    if copy is False and not shares:
        raise ArgumentError("asarray: copy is False, but this data must be copied")
    y = y.detach().clone() if copy and shares else y.detach() if y is obj else y
    return y.requires_grad_(requires_grad)


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A vector on the memory of an object with Python's buffer protocol.

    Args:
        dtype: of the elements.
        count: how many. Default: -1, all that there are.
        offset: bytes before the first.
    """
    refuse("frombuffer")
    count, offset = integer(count, "frombuffer: count"), integer(offset, "frombuffer: offset")
    array = np.frombuffer(buffer, checked_dtype(dtype, "frombuffer"), count, offset)
    return Tensor._on(
        arrived(array, "frombuffer: the buffer", shared=True), requires_grad=requires_grad
    )


def of_data_or_sizes(data, dtype, device, name):
    """What the classes make: Tensor(2, 3) and Tensor(shape) of sizes, Tensor([2, 3]) of data."""
    check_device(device, name)
    if all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in data):
        return empty(*(data or (0,)), dtype=dtype)
    if len(data) > 1:
        raise TypeError(f"{name}: takes data, or sizes that are integers, not {data!r}")
    return empty(data[0], dtype=dtype) if isinstance(data[0], Size) else tensor(*data, dtype=dtype)


# ---- filled --------------------------------------------------------------------------------------


def shape_of(sizes, name, size=None):
    """zeros(2, 3), zeros((2, 3)), zeros(2) and zeros(size=(2, 3)) give shapes."""
    if size is not None:
        if sizes:
            raise TypeError(f"{name}: sizes are given twice, {sizes} and size={size!r}")
        sizes = (size,)
    shape = as_sizes(sizes[0] if len(sizes) == 1 else sizes, name)
    if any(n < 0 for n in shape):
        raise ArgumentError(f"{name}: shape {shape} has a negative size")
    return shape


def made(function, shape, dtype, device, requires_grad, name, default=None):
    """A tensor on the array function(shape, dtype)."""
    check_device(device, name)
    dtype = (default or default_float()) if dtype is None else checked_dtype(dtype, name)
    array = function(shape, dtype)
    if function is not empty_array:
        constant(array)
    return Tensor._on(array, requires_grad=requires_grad)


def zeros(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """Zeros of a shape."""
    return made(np.zeros, shape_of(sizes, "zeros", size), dtype, device, requires_grad, "zeros")


def ones(*sizes, size=None, dtype=None, device=None, requires_grad=False):
    """Ones of a shape."""
    return made(np.ones, shape_of(sizes, "ones", size), dtype, device, requires_grad, "ones")


def empty(*sizes, size=None, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Memory of a shape, with whatever it holds."""
    check_format(memory_format, "empty")
    return made(empty_array, shape_of(sizes, "empty", size), dtype, device, requires_grad, "empty")


def empty_strided(size, stride, *, dtype=None, device=None, requires_grad=False):
    """Memory of a shape, with whatever it holds, whose neighbours lie `stride` elements apart."""
    size, stride = shape_of((size,), "empty_strided"), as_sizes(stride, "empty_strided")
    if len(size) != len(stride) or min(stride, default=0) < 0:
        raise ArgumentError(
            f"empty_strided: size {size} and stride {stride} must be as long, no stride negative"
        )
    reach = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    memory = empty(max(reach, 0) if 0 not in size else 0, dtype=dtype, device=device).array
    steps = [step * memory.itemsize for step in stride]
    array = np.ndarray(size, memory.dtype, memory, strides=steps)
    return Tensor._on(array, requires_grad=requires_grad)


def empty_permuted(size, physical_layout, *, dtype=None, device=None, requires_grad=False):
    """Memory of a shape, with whatever it holds, whose dimensions lie in the order given.

    Args:
        physical_layout: the dimensions, that with the longest step first.
    """
    size = shape_of((size,), "empty_permuted")
    order = as_sizes(physical_layout, "empty_permuted")
    if sorted(order) != list(range(len(size))):
        raise ArgumentError(
            f"empty_permuted: physical_layout is {order}, it must name each of the {len(size)} "
            "dimensions once"
        )
    memory = empty([size[d] for d in order], dtype=dtype, device=device).array
    return Tensor._on(memory.transpose(np.argsort(order)), requires_grad=requires_grad)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """One value in a shape."""
    if dtype is None:
        dtype = as_array(fill_value, None, "full").dtype
    result_type(fill_value, name="full")  # raises for what is no number and no tensor
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    if type(fill_value) is int:
        check_range(fill_value, fill_value, checked_dtype(dtype, "full"), "full")

    def values(shape, dtype):
        array = np.empty(shape, dtype)
        array[...] = number_as(fill_value, dtype, "full")
        return array

    return made(values, shape_of((size,), "full"), dtype, device, requires_grad, "full")


def likeness(input, dtype, memory_format, name):
    """The shape of the input, a Tensor or an array, and `dtype`, or for None the input's.

    Raises:
        ValueError: for a memory_format that has no rows.
    """
    check_format(memory_format, name)
    array = arrived(input, f"{name}: input")
    shape = input.shape if isinstance(input, Tensor) else array.shape  # of a lazy module's: raises
    return shape, array.dtype if dtype is None else dtype


def zeros_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Zeros of the shape and dtype of the input."""
    shape, dtype = likeness(input, dtype, memory_format, "zeros_like")
    return made(np.zeros, shape, dtype, device, requires_grad, "zeros_like")


def ones_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Ones of the shape and dtype of the input."""
    shape, dtype = likeness(input, dtype, memory_format, "ones_like")
    return made(np.ones, shape, dtype, device, requires_grad, "ones_like")


def empty_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Memory of the shape and dtype of the input."""
    shape, dtype = likeness(input, dtype, memory_format, "empty_like")
    return made(empty_array, shape, dtype, device, requires_grad, "empty_like")


def full_like(
    input, fill_value, *, dtype=None, device=None, requires_grad=False, memory_format=None
):
    """One value in the shape and dtype of the input."""
    shape, dtype = likeness(input, dtype, memory_format, "full_like")
    return full(shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """Ones on the diagonal of n rows and m (default n) columns, zeros elsewhere."""
    shape = shape_of((n, n if m is None else m), "eye")
    return made(
        lambda shape, dtype: np.eye(*shape, dtype=dtype), shape, dtype, device, requires_grad, "eye"
    )


# ---- ranges --------------------------------------------------------------------------------------


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... before `end`; with one argument, from 0 to before it.

    The dtype is int64 if all are integers, else the default one, float32.
    """
    if end is None:
        start, end = 0, start
    start, end, step = (
        x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (start, end, step)
    )
    try:
        leads_away = (end - start) * step < 0
    except TypeError:
        raise TypeError(
            f"arange: start is {start!r}, end is {end!r}, step is {step!r}; they must be numbers"
        ) from None
    except OverflowError:
        raise ArgumentError("arange: an integer beside floats does not fit dtype float64") from None
    if step == 0 or leads_away:
        raise ArgumentError(f"arange: step is {step}, it must lead from start {start} to end {end}")
    integers = all(isinstance(x, int) for x in (start, end, step))
    if integers:
        start = integer(int(start), "arange: start")
        step = integer(int(step), "arange: step")

    else:
        named = {"start": start, "end": end, "step": step}
        start, end, step = (number_as(x, FLOAT64, f"arange: {n}").item() for n, x in named.items())
        if not math.isfinite((end - start) / step):
            raise ArgumentError(f"arange: from {start} to {end} by {step} is no finite range")
        if dtype is not None and checked_dtype(dtype, "arange") == INT64:  # as PyTorch
            start, end, step = map(math.trunc, (start, end, step))
            if step == 0:
                raise ArgumentError(f"arange: step is {named['step']}, of dtype int64 it is 0")
            integers = True
    count = -((start - end) // step) if integers else math.ceil((end - start) / step)
    shape = shape_of((count,), "arange")
    kind = INT64 if integers else None
    if shape[0] > 0 and (dtype is not None or integers):
        last = start + (shape[0] - 1) * step
        result = kind if dtype is None else checked_dtype(dtype, "arange")
        check_range(min(start, last), max(start, last), result, "arange")
        if result.kind == "f" and abs(last) > LARGEST:  # the sum below would wrap
            start, step = float(start), float(step)

    def values(shape, dtype):
        if dtype.kind in "iu":
            return np.asarray(math.trunc(start) + np.arange(shape[0]) * math.trunc(step), dtype)
        return np.asarray(start + np.arange(shape[0]) * step, dtype)

    return made(values, shape, dtype, device, requires_grad, "arange", kind)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal distances from start to end, both included."""
    steps = integer(steps, "linspace: steps")
    if steps < 0:
        raise ArgumentError(f"linspace: steps is {steps}, it must not be negative")

    ends = plain(start), plain(end)

    def values(shape, dtype):
        with np.errstate(all="ignore"):
            return fitting(np.linspace(*ends_in(ends, dtype), *shape), dtype, "linspace")

    return made(values, (steps,), dtype, device, requires_grad, "linspace")


def ends_in(ends, dtype):
    """The ends of a range, without what is behind the point if the dtype is an integer type."""
    return np.trunc(ends) if dtype.kind in "iu" else ends


def fitting(numbers, dtype, name):
    """Numbers in a dtype; those of an integer dtype end at the point, and must fit."""
    if numbers.size and dtype.kind in "iu":
        check_range(
            *(math.trunc(n) if math.isfinite(n) else n for n in (numbers.min(), numbers.max())),
            dtype,
            name,
        )
    return numbers.astype(dtype)


def plain(number):
    """A number of a Tensor of one as a number of Python; integers, of any size, as floats."""
    number = number.item() if isinstance(number, Tensor) else number
    return float(number) if isinstance(number, int) else number


def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`steps` powers of the base, whose exponents lie at equal distances from start to end."""
    steps = integer(steps, "logspace: steps")
    if steps < 0:
        raise ArgumentError(f"logspace: steps is {steps}, it must not be negative")
    ends, base = (plain(start), plain(end)), plain(base)

    def values(shape, dtype):
        with np.errstate(all="ignore"):
            powers = np.float64(base) ** np.linspace(*ends_in(ends, dtype), *shape)
            return fitting(powers, dtype, "logspace")

    return made(values, (steps,), dtype, device, requires_grad, "logspace")


def window(name, function):
    """A function that makes a window of a length: bell-shaped weights, 0 or little at its ends."""

    def of_length(window_length, periodic=True, *, dtype=None, device=None, requires_grad=False):
        return windowed(name, function, window_length, periodic, dtype, device, requires_grad)

    of_length.__name__ = of_length.__qualname__ = name
    of_length.__doc__ = f"""The {name.replace("_", " ")}, as NumPy's {function.__name__}.

    Args:
        window_length: how many weights.
        periodic: without the last of window_length + 1, so that windows join. Default: True.
    """
    return of_length


def windowed(name, function, length, periodic, dtype, device, requires_grad):
    length = integer(length, f"{name}: window_length")
    if length < 0:
        raise ArgumentError(f"{name}: window_length is {length}, it must not be negative")

    def values(shape, dtype):
        return np.asarray(function(length + bool(periodic and length > 1))[:length], dtype)

    return made(values, (length,), dtype, device, requires_grad, name)


bartlett_window = window("bartlett_window", np.bartlett)
blackman_window = window("blackman_window", np.blackman)
hann_window = window("hann_window", np.hanning)


def hamming_window(
    window_length,
    periodic=True,
    alpha=0.54,
    beta=0.46,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
):
    """The Hamming window, alpha - beta cos(2 pi k / n).

    Args:
        window_length: how many weights.
        periodic: n is window_length, so that windows join; else one less. Default: True.
    """

    def weights(n):
        return (
            alpha - beta * np.cos(2 * math.pi * np.arange(n) / max(n - 1, 1))
            if n > 1
            else (np.ones(n))
        )

    return windowed(
        "hamming_window", weights, window_length, periodic, dtype, device, requires_grad
    )


def kaiser_window(
    window_length, periodic=True, beta=12.0, *, dtype=None, device=None, requires_grad=False
):
    """The Kaiser window; the larger beta, the narrower.

    Args:
        window_length: how many weights.
        periodic: without the last of window_length + 1, so that windows join. Default: True.
    """

    def weights(n):
        return np.kaiser(n, beta)

    return windowed("kaiser_window", weights, window_length, periodic, dtype, device, requires_grad)


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor of a number, by default of the default dtype."""
    dtype = default_float() if dtype is None else dtype
    return full((), s, dtype=dtype, device=device, requires_grad=requires_grad)


# ---- random --------------------------------------------------------------------------------------


def rand(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers from [0, 1)."""
    requires_grad = bool(requires_grad)
    y = uniform_(empty(*sizes, size=size, dtype=dtype, device=device), generator=generator)
    return y.requires_grad_(requires_grad)


def randn(*sizes, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers from the standard normal distribution."""
    requires_grad = bool(requires_grad)
    y = normal_(empty(*sizes, size=size, dtype=dtype, device=device), generator=generator)
    return y.requires_grad_(requires_grad)


def rand_like(
    input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None
):
    """Random numbers from [0, 1) in the shape and dtype of the input."""
    shape, dtype = likeness(input, dtype, memory_format, "rand_like")
    return rand(shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


def randn_like(
    input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None
):
    """Standard normal numbers in the shape and dtype of the input."""
    shape, dtype = likeness(input, dtype, memory_format, "randn_like")
    return randn(
        shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad
    )


def normal(
    mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False
):
    """Random numbers from normal distributions.

    Args:
        mean, std: numbers, with `size`; or tensors, one for each element. Their gradients are zero,
            as draws count as constants; those of distributions.Normal.rsample are not.

    Raises:
        ValueError: if a standard deviation is negative, which recorded steps do not look for.
    """
    requires_grad = bool(requires_grad)
    if size is None:
        if not is_recording() and (np.asarray(getattr(std, "array", std)) < 0).any():
            raise ArgumentError("normal: std has a negative number, it must be 0 or positive")
        result_type(mean, std, name="normal")  # raises for what is no number and no tensor
        for number in (mean, std):
            if isinstance(number, int):  # raises for what no float is as large as
                number_as(number, FLOAT64, "normal")
        shape = broadcast_shapes(np.shape(mean), np.shape(std), name="normal")
        with no_grad():
            y = randn(shape, generator=generator, dtype=dtype, device=device) * std + mean
        if is_grad_enabled() and any(getattr(x, "requires_grad", False) for x in (mean, std)):
            y = copy_((mean + std).to(y.dtype), y)  # a graph that ends at the copy, with zeros
    else:
        y = normal_(empty(size, dtype=dtype, device=device), mean, std, generator=generator)
    return y.requires_grad_() if requires_grad else y


def randint(
    low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False
):
    """Random integers from low to before high.

    randint(high, size) starts from 0; randint(low, high, size).
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None or not isinstance(size, (tuple, list)):
        raise TypeError(f"randint: size must be a tuple, not {type(size).__name__}")
    low, high = integer(low, "randint: low"), integer(high, "randint: high")
    dtype = INT64 if dtype is None else checked_dtype(dtype, "randint")
    if not low < high:
        raise ArgumentError(f"randint: low is {low}, high is {high}; low must be smaller")
    if high - low > 2**53:
        raise ArgumentError(
            f"randint: {low} to {high} is a range of more than 2**53, which is the largest"
        )
    check_range(low, high - 1, INT64, "randint")
    check_range(low, high - 1, dtype, "randint")
    fraction = rand(size, generator=generator, dtype=np.float64, device=device).array
    array = by_numpy("randint", integers_of, (fraction,), np.dtype(dtype), low, high)
    return Tensor._on(array, requires_grad=requires_grad)


def integers_of(fraction, dtype, low, high):
    """Integers from low to before high, of numbers of [0, 1) in double."""
    size = high - low
    numbers = low + np.minimum(np.floor(fraction * size), size - 1).astype(np.int64)
    return np.asarray(numbers, dtype)


def randint_like(
    input, low, high=None, *, generator=None, dtype=None, device=None, memory_format=None
):
    """Random integers in the shape and dtype of the input; see randint."""
    low, high = (0, low) if high is None else (low, high)
    shape, dtype = likeness(input, dtype, memory_format, "randint_like")
    return randint(low, high, shape, generator=generator, dtype=dtype, device=device)


def randperm(n, *, generator=None, dtype=None, device=None):
    """A random permutation of 0 .. n-1."""
    n = integer(n, "randperm: n")
    dtype = INT64 if dtype is None else checked_dtype(dtype, "randperm")
    check_range(0, n - 1, dtype, "randperm")
    if n < 0:
        raise ArgumentError(f"randperm: n is {n}, it must not be negative")
    check_device(device, "randperm")
    state = state_of(generator, "randperm")
    index = empty_array(as_sizes(n, "randperm"), INT64)
    _kernels.random_permutation(index, state)
    return Tensor._on(as_type(index, dtype))
