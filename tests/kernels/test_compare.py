import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import KERNEL, LARGE, check_kernel, columns_around_lanes
from kernels.test_elementwise import ALL, LAYOUTS, strides, whole
from pyml import _kernels

COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
LOGICAL = ("logical_and", "logical_or", "logical_xor")


def call_comparison(name, rows, cols):
    def call(y, a, b):
        _kernels.compare(
            KERNEL[name], y, a, b, rows, cols, *strides(a, rows, cols), *strides(b, rows, cols)
        )

    return call


def flat(name):
    return lambda y, a, b: _kernels.compare(KERNEL[name], y, a, b, 1, y.size, y.size, 1, y.size, 1)


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparison(name):
    check_kernel(
        name,
        flat(name),
        arguments=lambda draw, n: {"a": draw(n), "b": draw(n)},
        reference=lambda a, b: {"y": getattr(np, name)(a, b)},
        eps=tolerances.EXACT,
        values=ALL,
        flushes=False,
    )


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparison_of_every_pair(name, dtype, isa):
    """Equal numbers, both zeros, infinities, NaN of either sign, subnormals beside zero."""
    info = np.finfo(dtype)
    some = [0, info.smallest_subnormal, info.tiny / 2, info.tiny, 1, 1 + info.eps, np.inf, np.nan]
    some = np.array(some, dtype)
    some = np.concatenate([some, np.negative(some)])
    a, b = (np.tile(x, 9).copy() for x in (some.repeat(16), np.tile(some, 16)))
    y = np.zeros(a.size, bool)
    flat(name)(y, a, b)
    np.testing.assert_array_equal(y, getattr(np, name)(a, b))
    y = np.zeros((16, 16), bool)
    call_comparison(name, 16, 16)(y, some[:, None].copy(), some[None].copy())
    np.testing.assert_array_equal(y, getattr(np, name)(some[:, None], some))


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("type_", ["int32", "int64"])
def test_comparison_of_integers(name, type_, isa, rng):
    info = np.iinfo(type_)
    some = np.array([info.min, info.min + 1, -1, 0, 1, info.max - 1, info.max], type_)
    for n in [0, 1, 300, LARGE]:
        a, b = (some[rng.integers(len(some), size=n)] for _ in range(2))
        y = np.full(n, 7, np.uint8)
        flat(name)(y, a, b)
        np.testing.assert_array_equal(y, getattr(np, name)(a, b))


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("layouts", [(a, b) for a in LAYOUTS for b in LAYOUTS], ids="-".join)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_comparison_broadcasts(name, layouts, rows):
    layout_a, layout_b = (LAYOUTS[layout] for layout in layouts)

    def call(y, a, b):
        call_comparison(name, *y.shape)(y, a, b)

    check_kernel(
        name,
        call,
        arguments=lambda draw, cols: {
            "a": draw.index(3, layout_a(rows, cols)).astype(draw.dtype),
            "b": draw.index(3, layout_b(rows, cols)).astype(draw.dtype),
        },
        reference=lambda a, b: {"y": whole(getattr(np, name)(a, b), rows, layouts, a, b)},
        eps=tolerances.EXACT,
        sizes=columns_around_lanes,
    )


@pytest.mark.parametrize(
    "layouts", [("matrix", "row"), ("matrix", "column"), ("scalar", "matrix")], ids="-".join
)
def test_comparison_broadcasts_among_threads(layouts):
    rows, cols = 101, LARGE // 100
    layout_a, layout_b = (LAYOUTS[layout] for layout in layouts)
    check_kernel(
        "less",
        call_comparison("less", rows, cols),
        arguments=lambda draw, n: {
            "a": draw(layout_a(rows, cols)),
            "b": draw(layout_b(rows, cols)),
        },
        reference=lambda a, b: {"y": np.less(a, b)},
        eps=tolerances.EXACT,
        sizes=lambda lanes: [LARGE],
    )


def truth(draw, n):
    return draw.index(3, n).astype(np.uint8)  # anything but 0 is true


@pytest.mark.parametrize("name", LOGICAL)
def test_logical(name):
    check_kernel(
        name,
        lambda y, a, b: _kernels.logical(KERNEL[name], y, a, b),
        arguments=lambda draw, n: {"a": truth(draw, n), "b": truth(draw, n)},
        reference=lambda a, b: {"y": getattr(np, name)(a, b).astype(np.uint8)},
        eps=tolerances.EXACT,
        in_place=[("y", "a"), ("y", "b")],
    )


def test_logical_not():
    check_kernel(
        "logical_not",
        lambda y, a: _kernels.logical(KERNEL["logical_not"], y, a, None),
        arguments=lambda draw, n: {"a": truth(draw, n)},
        reference=lambda a: {"y": np.logical_not(a).astype(np.uint8)},
        eps=tolerances.EXACT,
        in_place=[("y", "a")],
    )


@pytest.mark.parametrize("type_", ["float32", "int32", "float64", "int64"])
def test_where_moves_any_type_of_its_size(type_, isa, rng):
    a, b = rng.integers(0, 255, (2, 37 * np.dtype(type_).itemsize)).astype(np.uint8).view(type_)
    condition = rng.integers(0, 2, 37).astype(bool)
    y = np.zeros(37, type_)
    _kernels.where(y, condition, a, b)
    assert_same_bits(y, np.where(condition, a, b))
