import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import (
    DTYPES,
    KERNEL,
    LARGE,
    Scaled,
    around_lanes,
    around_lanes_math,
    check_kernel,
)
from kernels.test_dropout import SEED, state, words
from pyml import _kernels


def integers(start, n, dtype):
    """The stream's numbers, of one word for float32, of two (the low one first) for float64."""
    if dtype.itemsize == 4:
        return words(start, n)
    w = words(start, 2 * n)
    return w[0::2] | w[1::2] << np.uint64(32)


def advanced(start, count):
    moved = start.copy()
    moved[1] += np.uint64((count + 3) // 4)
    return moved


def arguments(draw, n):
    return {"y": np.zeros(n, draw.dtype), "state": state(counter=3)}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.1, 0.1), (5, 6), (-1e4, -9e3)])
def test_uniform(dtype, low, high):
    """The high 24 or 53 bits of each number, between low and high."""
    mantissa = np.finfo(dtype).nmant + 1

    def reference(y, state):
        unit = integers(state, len(y), dtype) >> np.uint64(8 * dtype.itemsize - mantissa)
        wanted = low + unit * np.longdouble(2.0**-mantissa) * (high - low)
        return {
            "y": Scaled(wanted, np.full(len(y), abs(low) + abs(high))),
            "state": advanced(state, len(y) * dtype.itemsize // 4),
        }

    check_kernel(
        "random_uniform",
        lambda y, state: _kernels.random(KERNEL["random_uniform"], y, state, low, high),
        arguments=arguments,
        reference=reference,
        eps=tolerances.FEW,
        sizes=around_lanes,
        dtypes=[dtype],
    )


def test_uniform_is_below_high(isa, dtype):
    """Also where rounding would reach it."""
    for low, high in [(0, 1), (1e4, 1e4 + 1), (-1, np.nextafter(dtype.type(-1), dtype.type(0)))]:
        y = np.empty(LARGE, dtype)
        _kernels.random(KERNEL["random_uniform"], y, state(), low, float(high))
        assert (y >= dtype.type(low)).all() and (y < dtype.type(high)).all(), (low, high)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_normal(dtype):
    """Box & Muller 1958, from pairs of numbers in (0, 1]."""
    mean, std = -1.0, 2.0
    bits = 32 if dtype.itemsize == 4 else 53

    def reference(y, state):
        pairs = (len(y) + 1) // 2
        u = integers(state, 2 * pairs, dtype) >> np.uint64(8 * dtype.itemsize - bits)
        u = (u + np.uint64(1)) * 2.0**-bits
        radius, angle = np.sqrt(-2 * np.log(u[0::2])), 2 * np.pi * u[1::2]
        normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).reshape(-1)[
            : len(y)
        ]
        return {
            "y": Scaled(mean + std * normal, 1 + std * np.repeat(radius, 2)[: len(y)]),
            "state": advanced(state, 2 * pairs * dtype.itemsize // 4),
        }

    check_kernel(
        "random_normal",
        lambda y, state: _kernels.random(KERNEL["random_normal"], y, state, mean, std),
        arguments=arguments,
        reference=reference,
        eps=tolerances.FEW,
        sizes=around_lanes_math,
        dtypes=[dtype],
    )


def test_moments(isa, dtype):
    """Of the uniform and the normal distribution, within five standard errors."""
    for name, options, mean, var, fourth in [
        ("uniform", (0, 1), 1 / 2, 1 / 12, 1 / 80),
        ("normal", (0, 1), 0, 1, 3),
    ]:
        y = np.empty(LARGE, dtype)
        _kernels.random(KERNEL[f"random_{name}"], y, state(), *options)
        deviations = y.astype(float) - mean
        assert abs(deviations.mean()) < 5 * np.sqrt(var / LARGE)
        assert abs((deviations**2).mean() - var) < 5 * np.sqrt((fourth - var**2) / LARGE)
        assert abs(np.corrcoef(y[:-1], y[1:])[0, 1]) < 5 / np.sqrt(LARGE)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 1000, 5003])
def test_permutation(n, isa):
    index, at = np.full(n, -1), state()
    _kernels.random_permutation(index, at)
    np.testing.assert_array_equal(np.sort(index), np.arange(n))
    again = np.full(n, -1)
    _kernels.random_permutation(again, state())
    assert_same_bits(again, index)
    if n >= 10:
        assert (at != state()).any()
        _kernels.random_permutation(again, state(SEED + 1))
        assert (again != index).any()


def test_all_isas_draw_the_same_permutation():
    results = []
    for isa in _kernels.available_isas():
        _kernels.select_isa(isa)
        index = np.empty(100, np.int64)
        _kernels.random_permutation(index, state())
        results.append(index)
    for result in results[1:]:
        assert_same_bits(result, results[0])


def test_permutations_are_uniform(isa):
    """Each of the six orders of three, in 6000 draws, within five standard deviations."""
    at, counts = state(), {}
    for _ in range(6000):
        index = np.empty(3, np.int64)
        _kernels.random_permutation(index, at)
        counts[tuple(index)] = counts.get(tuple(index), 0) + 1
    assert len(counts) == 6
    assert all(
        abs(count - 1000) < 5 * np.sqrt(6000 * 1 / 6 * 5 / 6) for count in counts.values()
    ), counts
