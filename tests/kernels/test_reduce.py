import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import KERNEL, LARGE, Scaled, check_kernel, without_largest
from pyml import _kernels

ROWS = lambda lanes: [0, 1, 31, 32, 33, 64, 65, 1000]  # noqa: E731  around the blocks of a pairwise sum


def summed(x):
    return {"y": Scaled(x.sum(1), np.abs(x).sum(1))}


def call_sum(y, x):
    _kernels.sum(y, x, *x.shape)


@pytest.mark.parametrize("outer", [0, 1, 3])
def test_sum_of_all(outer):
    check_kernel(
        "sum",
        call_sum,
        arguments=lambda draw, n: {"x": without_largest(draw((outer, n, 1)))},
        reference=summed,
        eps=tolerances.summed(LARGE),
        values=("normal", "offset", "special"),
    )


@pytest.mark.parametrize("inner", [0, 1, 2, 7, 8, 9, 16, 33, 64, 131, 300])
@pytest.mark.parametrize("outer", [1, 3])
def test_sum_of_rows(inner, outer):
    check_kernel(
        "sum",
        call_sum,
        arguments=lambda draw, n: {"x": draw((outer, n, inner))},
        reference=summed,
        eps=tolerances.summed(1000),
        sizes=ROWS,
        values=("normal", "offset"),
    )


@pytest.mark.parametrize(
    "shape", [(1, LARGE, 3), (300, 700, 1), (1, 500, 500), (40, 3, 2000), (3, 40_000, 2)], ids=str
)
def test_sum_among_threads(shape):
    check_kernel(
        "sum",
        call_sum,
        arguments=lambda draw, n: {"x": draw(shape)},
        reference=summed,
        eps=tolerances.summed(shape[1]),
        sizes=lambda lanes: [LARGE],
    )


@pytest.mark.parametrize("inner", [1, 3, 40])
@pytest.mark.parametrize("each", [1, 5])
def test_a_counted_sum_has_the_bits_of_a_sum_of_so_many(each, inner, isa, dtype, rng):
    x = rng.normal(size=(1, 40_000 * each, inner)).astype(dtype)
    for count in (0, 1, 7, 33, 5000, 40_000):
        wanted, y = np.full((2, 1, inner), np.nan, dtype)
        call_sum(wanted, x[:, : count * each])
        _kernels.sum(y, x, 1, x.shape[1], inner, np.array([count]), each)
        assert_same_bits(y, wanted)


def test_a_long_sum_of_ones_is_exact(isa):
    """A running sum in float32 would stop at 2^24."""
    x = np.ones((1, 2**24 + 3001, 1), np.float32)
    y = np.empty((1, 1), np.float32)
    call_sum(y, x)
    assert abs(float(y[0, 0]) - x.size) <= 2


EXTREMA = {"max": (np.max, np.argmax), "min": (np.min, np.argmin)}


def extremum(name, x):
    """NumPy's, which lets NaN win too, and counts the first."""
    value, index = EXTREMA[name]
    return {"y": value(x, 1), "index": index(x, 1)}


@pytest.mark.parametrize("name", EXTREMA)
@pytest.mark.parametrize(("outer", "inner"), [(0, 1), (1, 1), (3, 1), (1, 7), (3, 33), (2, 0)])
def test_extremum(name, outer, inner):
    check_kernel(
        name,
        lambda y, index, x: _kernels.extremum(KERNEL[name], y, index, x, *x.shape),
        arguments=lambda draw, n: {"x": draw((outer, n, inner))},
        reference=lambda x: extremum(name, x),
        eps=tolerances.EXACT,
        sizes=lambda lanes: [
            1,
            2,
            lanes - 1,
            lanes,
            lanes + 1,
            2 * lanes + 3,
            1000,
            60_001 // (outer * inner + 1),
        ],
        values=("normal", "special"),
    )


@pytest.mark.parametrize("name", EXTREMA)
def test_extremum_without_index(name):
    check_kernel(
        name,
        lambda y, x: _kernels.extremum(KERNEL[name], y, None, x, *x.shape),
        arguments=lambda draw, n: {"x": draw((2, n, 5))},
        reference=lambda x: {"y": extremum(name, x)["y"]},
        eps=tolerances.EXACT,
        sizes=lambda lanes: [1, 2, 33, 30_001],
        values=("normal", "special"),
    )


@pytest.mark.parametrize("name", EXTREMA)
@pytest.mark.parametrize("value", [0.0, np.inf, -np.inf, np.nan])
def test_extremum_is_the_first_of_equals(name, value, isa, dtype):
    for n in (1, 2, 9, 33, 100):
        for inner in (1, 5):
            x = np.full((1, n, inner), value, dtype)
            y, index = np.empty((1, inner), dtype), np.full((1, inner), -1)
            _kernels.extremum(KERNEL[name], y, index, x, 1, n, inner)
            assert (index == 0).all(), (n, inner, index)
            np.testing.assert_array_equal(y, x[:, 0])
