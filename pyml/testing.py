"""Comparison of tensors in tests, and tensors to test with: names of torch.testing."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pyml import ops
from pyml.errors import ArgumentError
from pyml.ops.operands import checked_dtype
from pyml.ops.shape import as_sizes
from pyml.recorder import refuse
from pyml.tensor import Tensor

__all__ = ["assert_close", "make_tensor"]

TOLERANCES = {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}  # rtol, atol; integers: 0
DRAWN = {"f": (-9, 9), "i": (-9, 10), "u": (0, 10), "b": (0, 2)}  # from, to: by kind of dtype
KINDS = {
    "tensor": Tensor,
    "array": np.ndarray,
    "number": (bool, int, float, np.number, np.bool_),
}


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raises AssertionError unless |actual - expected| <= atol + rtol * |expected|, elementwise.

    Args:
        actual, expected: Tensors, NumPy arrays or numbers, None, or lists, tuples and dicts of
            these, which are compared item by item.
        allow_subclasses: False: both must be of one type. Default: True.
        rtol, atol: given together. Default: 1.3e-6 and 1e-5 for float32, 1e-7 and 1e-7 for float64
            and Python's floats, 0 for integers and bool; of two dtypes the larger.
        equal_nan: NaN equals NaN. Default: False.
        check_dtype: dtypes, or the types of numbers, must be the same. Default: True.
        check_stride: the strides of Tensors must be the same. Default: False.
        check_device, check_layout: without effect: there is one of each.
        msg: the message in place of the one that is found, or a function of that. Default: None.

    Raises:
        AssertionError: if they are not close, with the item and the first element that is not.
        TypeError: for things of other types, or of two kinds.
        ValueError: if only one of rtol and atol is given.

    Example:
        >>> assert_close([pyml.ones(2), 3.0], [pyml.ones(2) * (1 + 1e-7), 3.0])
    """
    refuse("assert_close")
    if (rtol is None) != (atol is None):
        raise ValueError(f"assert_close: rtol is {rtol}, atol is {atol}; give both or none of them")

    def compare(a, b, place):
        at = f" at {place}" if place else ""
        if not allow_subclasses and type(a) is not type(b):
            raise TypeError(f"assert_close: a {named(a)} and a {named(b)}{at}, of two types")
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if a.keys() != b.keys():
                fail(f"the keys {list(a)} are not {list(b)}{at}")
            for key in a:
                compare(a[key], b[key], f"{place}[{key!r}]")
        elif is_list(a) and is_list(b):
            if len(a) != len(b):
                fail(f"the length {len(a)} is not {len(b)}{at}")
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                compare(x, y, f"{place}[{i}]")
        elif a is None or b is None:
            if a is not b:
                fail(f"{a} is not {b}{at}")
        elif kind_of(a) is kind_of(b) is not None:
            if check_dtype and kind_of(a) == "number" and type(a) is not type(b):
                fail(f"the type {named(a)} is not {named(b)}{at}")
            compare_arrays(a, b, at)
        else:
            raise TypeError(f"assert_close: a {named(a)} and a {named(b)}{at} cannot be compared")

    def compare_arrays(a, b, at):
        if check_stride and isinstance(a, Tensor) and a.stride() != b.stride():
            fail(f"the strides {a.stride()} are not {b.stride()}{at}")
        a, b = array_of(a), array_of(b)
        if a.shape != b.shape:
            fail(f"the shape {a.shape} is not {b.shape}{at}")
        if check_dtype and a.dtype != b.dtype:
            fail(f"the dtype {a.dtype} is not {b.dtype}{at}")
        relative, absolute = rtol, atol
        if rtol is None:
            pairs = [TOLERANCES.get(x.dtype.name, (0, 0)) for x in (a, b)]
            relative, absolute = np.max(pairs, axis=0)
        with np.errstate(invalid="ignore", over="ignore"):
            x, y = a.astype(np.longdouble), b.astype(np.longdouble)  # which int64 fits in
            near = np.abs(x - y) <= absolute + relative * np.abs(y)
        wrong = ~((x == y) | (np.isfinite(y) & near))
        if equal_nan:
            wrong &= ~(np.isnan(x) & np.isnan(y))
        if wrong.any():
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            fail(
                f"{int(wrong.sum())} of {wrong.size} elements are not close{at}, the first"
                f"{f' at {first}' if first else ''}: {a[first]} is not {b[first]} "
                f"(rtol {relative:.3g}, atol {absolute:.3g})"
            )

    def fail(found):
        raise AssertionError(msg(found) if callable(msg) else found if msg is None else msg)

    compare(actual, expected, "")


def is_list(value):
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def kind_of(value):
    """Which of the things that can be compared, None for none."""
    return next((kind for kind, types in KINDS.items() if isinstance(value, types)), None)


def named(value):
    return type(value).__name__


def array_of(value):
    return value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)


def make_tensor(
    *shape,
    dtype,
    device=None,
    low=None,
    high=None,
    requires_grad=False,
    noncontiguous=False,
    exclude_zero=False,
    memory_format=None,
):
    """A tensor of random numbers, all from low to high alike.

    Args:
        shape: the sizes, as numbers or one tuple.
        dtype: of the tensor.
        device, memory_format: see pyml.empty.
        low, high: the numbers are in [low, high), within what the dtype has. Default: -9 and 10,
            9 for floating point numbers; for unsigned integers from 0, for bool 0 and 2.
        requires_grad: see pyml.tensor. Default: False.
        noncontiguous: every other place of twice the memory, if it has two numbers or more.
            Default: False.
        exclude_zero: the dtype's least positive normal number, or 1, in place of 0. Default: False.

    Raises:
        ValueError: unless low is below high; for gradients of integers; for noncontiguous with a
            memory_format.

    Example:
        >>> make_tensor(2, 3, dtype=pyml.int64, low=0, high=5).shape
        (2, 3)
    """
    name = "make_tensor"
    dtype, sizes = (
        checked_dtype(dtype, name),
        as_sizes(shape[0] if len(shape) == 1 else shape, name),
    )
    if noncontiguous and memory_format is not None:
        raise ArgumentError(f"{name}: noncontiguous and memory_format exclude each other")
    if requires_grad and dtype.kind != "f":
        raise ArgumentError(f"{name}: requires_grad needs a floating point dtype, not {dtype}")
    least, end = DRAWN[dtype.kind]
    low, high = least if low is None else low, end if high is None else high
    if not low < high:
        raise ArgumentError(f"{name}: low is {low}, it must be below high, {high}")
    apart = noncontiguous and np.prod(sizes) > 1
    made = ops.empty(
        (*sizes, 2) if apart else sizes, dtype=dtype, device=device, memory_format=memory_format
    )
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        made.uniform_(max(low, float(limits.min)), min(high, float(limits.max)))
    else:
        limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
        ends = max(math.ceil(low), int(limits.min)), min(math.ceil(high), int(limits.max) + 1)
        made.copy_(ops.randint(*ends, made.shape))
    if exclude_zero:
        made[made == 0] = float(limits.tiny) if dtype.kind == "f" else 1
    return (made[..., 0] if apart else made).requires_grad_(requires_grad)
