"""Numbers of an array, in float64 whatever its dtype."""

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close, bits
from helpers.memory import Guarded, at_page_end
from helpers.structs import STRUCTS, submit
from helpers.sweep import Draw, flushed
from pyml import _kernels

SIZES = [1, 2, 1023, 1024, 1025, 3001]  # around the kernels' CHUNK


def sizes(dtype):
    lanes = _kernels.lanes(dtype)
    return sorted({lanes - 1, lanes, lanes + 1, 2 * lanes + 3, *SIZES} - {0})


def measured(kernel, dtype, *, numbers=(), **arrays):
    """The number that a kernel makes of arrays, which end where memory does and do not change."""
    args = STRUCTS[f"{kernel}_args"](**dict(numbers))
    held = {name: at_page_end(array) for name, array in arrays.items()}
    for name, array in held.items():
        setattr(args, name, array.ctypes.data)
    result = Guarded((1,), np.float64)
    args.y = result.array.ctypes.data
    submit(kernel, dtype, args)
    assert result.broken() is None
    for name, array in held.items():
        assert (bits(array) == bits(arrays[name])).all(), f"{name} was changed"
    return result.array[0]


def close(got, wanted, eps, dtype):
    """In units of the dtype of the arrays, not of the number."""
    assert_close(np.float64(got), np.longdouble(wanted), eps * np.finfo(dtype).eps / 2**-52)


@pytest.fixture(params=["normal", "offset"])
def draw(request, rng, dtype):
    return Draw(rng, dtype, request.param)


# ---- vector_norm, relative_change ----------------------------------------------------------------


def test_vector_norm(isa, dtype, draw):
    for n in sizes(dtype):
        x = draw(n)
        wanted = np.sqrt((x.astype(np.longdouble) ** 2).sum())
        got = measured("vector_norm", dtype, x=x, numbers={"n": n})
        close(got, wanted, tolerances.summed(n), dtype)


def test_vector_norm_of_some_exact_numbers(isa, dtype):
    for x, wanted in [([], 0), ([-3], 3), ([3, 4], 5), ([0] * 99, 0), ([1] * 10000, 100)]:
        x = np.array(x, dtype)
        assert measured("vector_norm", dtype, x=x, numbers={"n": len(x)}) == wanted


@pytest.mark.parametrize("place", [0, 16, 1023, 1024, 1999])
def test_vector_norm_sees_every_element(isa, dtype, place):
    x = np.zeros(2000, dtype)
    x[place] = -7
    assert measured("vector_norm", dtype, x=x, numbers={"n": 2000}) == 7
    for bad, check in [(np.nan, np.isnan), (np.inf, np.isposinf), (-np.inf, np.isposinf)]:
        x[place] = bad
        assert check(measured("vector_norm", dtype, x=x, numbers={"n": 2000}))


def test_vector_norm_of_many(isa):
    """Partial sums are in float64: a float32 sum of so many squares would stand still."""
    x = np.full(1 << 22, 0.1, np.float32)
    wanted = np.sqrt(len(x) * float(np.float32(0.1)) ** 2)
    got = measured("vector_norm", "float32", x=x, numbers={"n": len(x)})
    close(got, wanted, tolerances.summed(1024), "float32")


def test_vector_norm_takes_subnormals_for_zeros(isa, dtype, rng):
    draw = Draw(rng, dtype, "special")
    x = draw(500)
    x = x[np.isfinite(x) & (np.abs(x) < 1e4)]
    wanted = np.sqrt((flushed(x).astype(np.longdouble) ** 2).sum())
    got = measured("vector_norm", dtype, x=x, numbers={"n": len(x)})
    close(got, wanted, tolerances.summed(len(x)), dtype)


def test_relative_change(isa, dtype, draw):
    for n in sizes(dtype):
        before = draw(n)
        x = before + draw.uniform(n, -0.5, 0.5)
        numbers = {"n": n}
        got = measured("relative_change", dtype, x=x, before=before, numbers=numbers)
        a, b = x.astype(np.longdouble), before.astype(np.longdouble)
        wanted = np.sqrt(((a - b) ** 2).sum() / (b**2).sum())
        close(got, wanted, 2 * tolerances.summed(n), dtype)


def test_relative_change_of_some_exact_numbers(isa, dtype):
    for x, before, wanted in [
        ([3, 4], [3, 4], 0),
        ([6, 8], [3, 4], 1),
        ([0, 0], [3, 4], 1),
        ([3, 9], [3, 4], 1),
        ([1, 0], [0, 0], np.inf),
        ([0, 0], [0, 0], np.nan),
        ([np.nan, 0], [1, 1], np.nan),
    ]:
        x, before = np.array(x, dtype), np.array(before, dtype)
        got = measured("relative_change", dtype, x=x, before=before, numbers={"n": 2})
        np.testing.assert_equal(got, float(wanted))


# ---- dead_share, outside_share -------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_dead_share(isa, dtype, rng, rows):
    for c in sizes(dtype):
        x = np.maximum(rng.normal(-0.7, 1, (rows, c)), 0).astype(dtype)
        got = measured("dead_share", dtype, x=x, numbers={"n": rows, "c": c})
        assert got == (x <= 0).all(0).mean()


def test_dead_share_sees_every_element(isa, dtype):
    rows, c = 3, 2 * _kernels.lanes(dtype) + 3
    x = np.zeros((rows, c), dtype)
    for place in range(rows * c):
        x[...] = -0.0
        x.flat[place] = np.finfo(dtype).tiny
        assert measured("dead_share", dtype, x=x, numbers={"n": rows, "c": c}) == (c - 1) / c


def test_dead_share_of_no_rows(isa, dtype):
    x = np.zeros((0, 5), dtype)
    assert measured("dead_share", dtype, x=x, numbers={"n": 0, "c": 5}) == 1


def test_outside_share(isa, dtype, rng):
    """Both ends count as outside."""
    low, high = -0.25, 0.5
    for n in sizes(dtype):
        x = rng.normal(size=n).astype(dtype)
        x[rng.random(n) < 0.1], x[rng.random(n) < 0.1] = low, high
        got = measured("outside_share", dtype, x=x, numbers={"n": n, "low": low, "high": high})
        assert got == ((x <= low) | (x >= high)).mean()


# ---- batchnorm_drift -----------------------------------------------------------------------------


def test_batchnorm_drift(isa, dtype, draw):
    for c in sizes(dtype):
        mean, running, rstd = draw(c), draw(c), draw.uniform(c, 0.5, 2)
        arrays = {"mean": mean, "rstd": rstd, "running_mean": running}
        got = measured("batchnorm_drift", dtype, numbers={"c": c}, **arrays)
        wide = {name: array.astype(np.longdouble) for name, array in arrays.items()}
        wanted = np.sqrt(np.mean(((wide["mean"] - wide["running_mean"]) * wide["rstd"]) ** 2))
        close(got, wanted, tolerances.product(c), dtype)


def test_batchnorm_drift_of_some_exact_numbers(isa, dtype):
    mean, running = np.array([1, 7], dtype), np.array([4, 3], dtype)
    for rstd, wanted in [([1, 1], np.sqrt(12.5)), ([2, 0.5], np.sqrt(20)), ([0, 0], 0)]:
        rstd = np.array(rstd, dtype)
        arrays = {"mean": mean, "rstd": rstd, "running_mean": running}
        assert measured("batchnorm_drift", dtype, numbers={"c": 2}, **arrays) == wanted
