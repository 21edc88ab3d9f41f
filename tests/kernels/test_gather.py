import numpy as np
import pytest

from helpers import tolerances
from helpers.sweep import Scaled, check_kernel, columns_around_lanes
from pyml import _kernels


def rows_sizes(lanes):
    return [0, 1, 2, 33, 1000, 10_003]


@pytest.mark.parametrize("columns", [0, 1, 3, 16, 70])
def test_gather(columns):
    check_kernel(
        "gather",
        lambda y, x, index: _kernels.gather(y, x, index, columns * x.itemsize),
        arguments=lambda draw, n: {"x": draw((37, columns)), "index": draw.index(37, n)},
        reference=lambda x, index: {"y": x[index]},
        eps=tolerances.EXACT,
        sizes=rows_sizes,
        values=("normal", "special"),
        signed_zero=True,
    )


@pytest.mark.parametrize("type_", ["uint8", "int64", "float16"])
def test_gather_of_any_type(type_, isa, rng):
    x = rng.integers(0, 100, size=(10, 7)).astype(type_)
    index = rng.integers(0, 10, size=23)
    y = np.zeros((23, 7), type_)
    _kernels.gather(y, x, index, 7 * x.itemsize)
    np.testing.assert_array_equal(y, x[index])


@pytest.mark.parametrize("n", [0, 1, 50, 3000])
def test_gather_backward(n):
    rows = 23

    def reference(dy, index):
        dx, scale = np.zeros((2, rows, dy.shape[1]), dy.dtype)
        np.add.at(dx, index, dy)
        np.add.at(scale, index, np.abs(dy))
        return {"dx": Scaled(dx, scale)}

    check_kernel(
        "gather_backward",
        _kernels.gather_backward,
        arguments=lambda draw, c: {"dy": draw((n, c)), "index": draw.index(rows, n)},
        reference=reference,
        eps=tolerances.product(n / rows),
        sizes=lambda lanes: [*columns_around_lanes(lanes), 300],
        values=("normal", "offset"),
    )


def test_gather_backward_adds_in_the_order_of_the_index(isa, dtype):
    """1 is lost when added to 2^60, and kept when the large numbers have cancelled before."""
    big = dtype.type(2.0**60)
    dy = np.array([[1], [big], [-big], [big], [-big], [1]], dtype)
    dx = np.full((2, 1), np.nan, dtype)
    _kernels.gather_backward(dx, dy, np.array([0, 0, 0, 1, 1, 1]))
    np.testing.assert_array_equal(dx, [[0], [1]])
