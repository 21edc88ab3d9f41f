import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import check_kernel
from pyml import _kernels
from pyml.ops import arrays


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, np.pi, 1e300, -np.inf, np.nan])
def test_fill(value):
    check_kernel(
        "fill",
        lambda y, like: _kernels.fill(y, value),
        arguments=lambda draw, n: {"like": draw(n)},
        reference=lambda like: {"y": np.full_like(like, like.dtype.type(value))},
        eps=tolerances.ROUNDED,
        signed_zero=True,
    )


VIEWS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.T,
    "reversed": lambda x: x[::-1, ::-1],
    "every second": lambda x: x[::2, ::3],
    "one column": lambda x: x[:, :1],
    "repeated rows": lambda x: np.broadcast_to(x[:1], (5, *x[:1].shape)),
    "repeated column": lambda x: np.broadcast_to(x[:, :1], x.shape),
    "added dimension": lambda x: x[:, None, :],
    "three dimensions, permuted": lambda x: np.broadcast_to(x, (3, *x.shape)).transpose(2, 0, 1),
    "planes, transposed": lambda x: np.stack([x, x[::-1], x]).transpose(0, 2, 1),
    "flat": lambda x: x.reshape(-1),
    "0-d": lambda x: x[0, 0, ...],
}


def whole(shape, dtype):
    y = np.zeros(shape, dtype)
    return y, y


def transposed(shape, dtype):
    y = np.zeros(shape[::-1], dtype)
    return y.T, y


def with_gaps(shape, dtype):
    y = np.zeros([2 * n + 1 for n in shape], dtype)
    return y[(*(slice(1, None, 2) for _ in shape), ...)], y


def a_part(shape, dtype):
    y = np.zeros([n + 2 for n in shape], dtype)
    return y[(*(slice(1, -1) for _ in shape), ...)], y


def reversed_(shape, dtype):
    y = np.zeros(shape, dtype)
    return y[(*(slice(None, None, -1) for _ in shape), ...)], y


# (shape, dtype) -> the array to write into, and all of its memory
VIEWS_TO_WRITE = {
    "contiguous": whole,
    "transposed": transposed,
    "every second": with_gaps,
    "a part": a_part,
    "reversed": reversed_,
}


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 3), (17, 16), (33, 70), (129, 515), (515, 1030)], ids=str
)
def test_copy(view, shape, dtype, isa, rng):
    x = VIEWS[view](rng.normal(size=shape).astype(dtype))
    results = []
    for threads in (1, 3):
        _kernels.set_num_threads(threads)
        y = np.full(x.shape, np.nan, dtype)
        _kernels.copy(y, x)
        results.append(y)
    for y in results:
        assert_same_bits(y, x.copy(), view)


@pytest.mark.parametrize("y_view", VIEWS_TO_WRITE)
@pytest.mark.parametrize("x_view", VIEWS)
def test_copy_into_a_view(x_view, y_view, dtype, isa, rng):
    x = VIEWS[x_view](rng.normal(size=(33, 70)).astype(dtype))
    for threads in (1, 3):
        _kernels.set_num_threads(threads)
        y, around = VIEWS_TO_WRITE[y_view](x.shape, dtype)
        before = around.copy()
        y_of_before = np.ndarray(
            y.shape, dtype, before, address(y) - address(around), strides=y.strides
        )
        y_of_before[...] = x
        _kernels.copy(y, x)
        assert_same_bits(around, before)


@pytest.mark.parametrize("type_", ["bool", "int8", "uint16", "int32", "int64"])
@pytest.mark.parametrize("view", VIEWS)
def test_copy_of_any_type(type_, view, isa, rng):
    x = VIEWS[view](rng.integers(0, 2 if type_ == "bool" else 100, (35, 600)).astype(type_))
    for y_view in VIEWS_TO_WRITE.values():
        y, _ = y_view(x.shape, type_)
        _kernels.copy(y, x)
        np.testing.assert_array_equal(y, x)


def test_copy_keeps_every_bit(dtype, isa, rng):
    """Subnormals, -0 and NaNs with their payload, by whatever loop."""
    x = rng.integers(0, 256, (50, 70 * dtype.itemsize)).astype(np.uint8).view(dtype)
    x[::3] = np.finfo(dtype).smallest_subnormal
    for source in (x, x.T, x[:, ::2], np.broadcast_to(x[:1], x.shape)):
        y = np.zeros(source.shape, dtype)
        _kernels.copy(y, source)
        assert_same_bits(y, source)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 2)], ids=str)
def test_copy_of_nothing(shape, dtype, isa):
    _kernels.copy(np.empty(shape, dtype), np.empty(shape, dtype))


def test_copy_of_eight_dimensions(dtype, isa, rng):
    x = rng.normal(size=(2, 3, 2, 1, 2, 3, 2, 2)).astype(dtype).transpose(7, 0, 5, 1, 6, 2, 3, 4)
    y = np.full(x.shape, np.nan, dtype)
    _kernels.copy(y, x)
    assert_same_bits(y, x.copy())


def test_what_a_kernel_does_not_know_is_refused():
    for dtype in ("int16", "int64", "float16", "complex64", "bool"):
        with pytest.raises(TypeError, match=f"array of dtype {dtype}, which it does not know"):
            _kernels.fill(np.zeros(3, dtype), 0)
        with pytest.raises(TypeError, match="does not know"):
            arrays.full((3,), np.zeros(1, dtype), 0)
    with pytest.raises(TypeError, match="does not know"):
        _kernels.where(*(np.zeros(3, t) for t in ("int16", "bool", "int16", "int16")))
    with pytest.raises(TypeError, match="does not know"):
        _kernels.cast(np.zeros(3, "uint32"), np.zeros(3, "float32"))


def test_memory_that_is_not_aligned_is_refused():
    array = np.ndarray(3, "float32", np.zeros(16, np.uint8), 1)
    with pytest.raises(ValueError, match="not aligned"):
        _kernels.fill(array, 0)
