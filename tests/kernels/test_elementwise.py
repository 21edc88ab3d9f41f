import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import (
    KERNEL,
    LARGE,
    around_lanes,
    around_lanes_math,
    check_kernel,
    columns_around_lanes,
)
from pyml import _kernels

ALL = ("normal", "offset", "special")


def maximum(a, b):
    return np.where((a > b) | np.isnan(a), a, b)


def minimum(a, b):
    return np.where((a < b) | np.isnan(a), a, b)


BINARY = {
    "add": (np.add, tolerances.ROUNDED),
    "sub": (np.subtract, tolerances.ROUNDED),
    "mul": (np.multiply, tolerances.ROUNDED),
    "div": (np.divide, tolerances.ROUNDED),
    "pow": (np.power, tolerances.FEW),
    "maximum": (maximum, tolerances.EXACT),
    "minimum": (minimum, tolerances.EXACT),
}
UNARY = {
    "neg": (np.negative, tolerances.EXACT),
    "abs": (np.abs, tolerances.EXACT),
    "exp": (np.exp, tolerances.MATH),
    "log": (np.log, tolerances.MATH),
    "sqrt": (np.sqrt, tolerances.ROUNDED),
    "sign": (np.sign, tolerances.EXACT),
    "reciprocal": (lambda x: 1 / x, tolerances.ROUNDED),
    "sin": (np.sin, tolerances.MATH),
    "cos": (np.cos, tolerances.MATH),
    "log1p": (np.log1p, tolerances.LIBRARY),
    "expm1": (np.expm1, tolerances.LIBRARY),
}
EXPENSIVE = ("exp", "log", "sin", "cos", "log1p", "expm1")

# (row, column) strides of an operand of (rows, cols), its shape, and the same in NumPy's
# broadcasting
LAYOUTS = {
    "matrix": lambda rows, cols: (rows, cols),
    "row": lambda rows, cols: (1, cols),
    "column": lambda rows, cols: (rows, 1),
    "scalar": lambda rows, cols: (1, 1),
}


def strides(array, rows, cols):
    return (
        array.shape[1] if array.shape[0] == rows != 1 else 0,
        1 if array.shape[1] == cols != 1 else 0,
    )


def call_binary(name, rows, cols):
    def call(y, a, b):
        _kernels.binary(
            KERNEL[name], y, a, b, rows, cols, *strides(a, rows, cols), *strides(b, rows, cols)
        )

    return call


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    function, eps = BINARY[name]

    check_kernel(
        name,
        lambda y, a, b: _kernels.binary(KERNEL[name], y, a, b, 1, y.size, y.size, 1, y.size, 1),
        arguments=lambda draw, n: {"a": draw(n), "b": draw(n)},
        reference=lambda a, b: {"y": function(a, b)},
        eps=eps,
        sizes=around_lanes_math if name == "pow" else around_lanes,
        values=ALL,
        in_place=[("y", "a"), ("y", "b")],
    )


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("layouts", [(a, b) for a in LAYOUTS for b in LAYOUTS], ids="-".join)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_binary_broadcasts(name, layouts, rows):
    function, eps = BINARY[name]
    layout_a, layout_b = (LAYOUTS[layout] for layout in layouts)

    def call(y, a, b):
        call_binary(name, *y.shape)(y, a, b)

    check_kernel(
        name,
        call,
        arguments=lambda draw, cols: {
            "a": draw(layout_a(rows, cols)),
            "b": draw(layout_b(rows, cols)),
        },
        reference=lambda a, b: {"y": whole(function(a, b), rows, layouts, a, b)},
        eps=eps,
        sizes=columns_around_lanes,
    )


def whole(y, rows, layouts, a, b):
    """The result with the rows and columns that no operand had."""
    cols = max(a.shape[1], b.shape[1]) if 0 not in (a.shape[1], b.shape[1]) else 0
    return np.broadcast_to(y, (rows, cols)).copy()


@pytest.mark.parametrize("name", ["add", "pow"])
@pytest.mark.parametrize(
    "layouts", [("matrix", "row"), ("matrix", "column"), ("scalar", "matrix")], ids="-".join
)
def test_binary_broadcasts_among_threads(name, layouts):
    function, eps = BINARY[name]
    rows, cols = 101, LARGE // 100
    layout_a, layout_b = (LAYOUTS[layout] for layout in layouts)
    check_kernel(
        name,
        call_binary(name, rows, cols),
        arguments=lambda draw, n: {
            "a": draw(layout_a(rows, cols)),
            "b": draw(layout_b(rows, cols)),
        },
        reference=lambda a, b: {"y": function(a, b)},
        eps=eps,
        sizes=lambda lanes: [LARGE],
    )


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    function, eps = UNARY[name]
    check_kernel(
        name,
        lambda y, x: _kernels.unary(KERNEL[name], y, x, 0, 0),
        arguments=lambda draw, n: {"x": draw(n)},
        reference=lambda x: {"y": function(x)},
        eps=eps,
        sizes=around_lanes_math if name in EXPENSIVE else around_lanes,
        values=ALL,
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize(
    ("low", "high"), [(-0.5, 0.25), (0, np.inf), (-np.inf, 1e4), (-np.inf, np.inf), (1, 1), (2, 1)]
)
def test_clamp(low, high):
    check_kernel(
        "clamp",
        lambda y, x: _kernels.unary(KERNEL["clamp"], y, x, low, high),
        arguments=lambda draw, n: {"x": draw(n)},
        reference=lambda x: {"y": np.minimum(np.maximum(x, low), high)},
        eps=tolerances.EXACT,
        values=ALL,
        in_place=[("y", "x")],
    )


def test_sign_of_zero_is_kept(isa, dtype):
    x = np.array([0.0, -0.0], dtype)
    for name, wanted in [
        ("neg", [-0.0, 0.0]),
        ("abs", [0.0, 0.0]),
        ("sqrt", [0.0, -0.0]),
        ("reciprocal", [np.inf, -np.inf]),
        ("sin", [0.0, -0.0]),
        ("cos", [1.0, 1.0]),
        ("log1p", [0.0, -0.0]),
        ("expm1", [0.0, -0.0]),
    ]:
        y = np.empty_like(x)
        _kernels.unary(KERNEL[name], y, x, 0, 0)
        assert_same_bits(y, np.array(wanted, dtype), name)


def test_values_at_the_ends(isa, dtype):
    """Where the mathematics says what comes out, to the bit."""
    tiny = np.finfo(dtype).tiny
    for name, x, wanted in [
        ("sin", [np.inf, -np.inf, np.nan, tiny, -tiny], [np.nan] * 3 + [tiny, -tiny]),
        ("cos", [np.inf, -np.inf, np.nan, tiny, -tiny], [np.nan] * 3 + [1, 1]),
        ("log1p", [-1, -2, np.inf, -np.inf, tiny], [-np.inf, np.nan, np.inf, np.nan, tiny]),
        ("expm1", [-np.inf, np.inf, -1e4, 1e4, tiny], [-1, np.inf, -1, np.inf, tiny]),
    ]:
        x, y = np.tile(np.array(x, dtype), 7), np.empty(35, dtype)
        _kernels.unary(KERNEL[name], y, x, 0, 0)
        np.testing.assert_array_equal(y, np.tile(np.array(wanted, dtype), 7), name)


def test_where():
    check_kernel(
        "where",
        _kernels.where,
        arguments=lambda draw, n: {
            "condition": draw.index(3, n).astype(np.uint8),  # anything but 0 is true
            "a": draw(n),
            "b": draw(n),
        },
        reference=lambda condition, a, b: {"y": np.where(condition, a, b)},
        eps=tolerances.EXACT,
        values=ALL,
        in_place=[("y", "a"), ("y", "b")],
        signed_zero=True,
    )
