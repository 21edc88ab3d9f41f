import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import LARGE, Scaled, check_kernel, columns_around_lanes
from pyml import _kernels

BATCHES = [0, 1, 2, 5, 32, 67]


def product(a, b):
    """a b and |a| |b|, the scale of its rounding errors."""
    return Scaled(a @ b, np.abs(a) @ np.abs(b))


def linear(x, w, b):
    y, scale = product(x, w.T)
    if b is not None:
        y, scale = y + b, scale + np.abs(b)
    return {"y": Scaled(y, scale)}


def linear_backward(dy, x, w):
    return {
        "dx": product(dy, w),
        "dw": product(dy.T, x),
        "db": Scaled(dy.sum(0), np.abs(dy).sum(0)),
    }


@pytest.mark.parametrize("n", BATCHES)
@pytest.mark.parametrize("k", [0, 1, 3, 64, 300])
@pytest.mark.parametrize("bias", [True, False])
def test_forward(n, k, bias):
    check_kernel(
        "linear_forward",
        _kernels.linear_forward,
        arguments=lambda draw, o: {
            "x": draw((n, k)),
            "w": draw((o, k)),
            "b": draw(o) if bias else None,
        },
        reference=linear,
        eps=tolerances.product(k + 1),
        sizes=columns_around_lanes,
        values=("normal", "offset"),
    )


@pytest.mark.parametrize("n", BATCHES)
@pytest.mark.parametrize("k", [0, 1, 3, 64, 300])
def test_backward(n, k):
    check_kernel(
        "linear_backward",
        _kernels.linear_backward,
        arguments=lambda draw, o: {"dy": draw((n, o)), "x": draw((n, k)), "w": draw((o, k))},
        reference=linear_backward,
        eps=tolerances.product(131),
        sizes=columns_around_lanes,
        values=("normal", "offset"),
    )


@pytest.mark.parametrize("missing", ["dx", "dw", "db", "dx dw", "dx db", "dw db"])
def test_backward_computes_what_is_asked(missing):
    missing = missing.split()

    def call(**arrays):
        _kernels.linear_backward(*(arrays.get(name) for name in ("dx", "dw", "db", "dy", "x", "w")))

    check_kernel(
        "linear_backward",
        call,
        arguments=lambda draw, o: {"dy": draw((7, o)), "x": draw((7, 9)), "w": draw((o, 9))},
        reference=lambda dy, x, w: {
            k: v for k, v in linear_backward(dy, x, w).items() if k not in missing
        },
        eps=tolerances.product(131),
        sizes=columns_around_lanes,
    )


@pytest.mark.parametrize(
    ("n", "k", "o"), [(64, 300, 256), (256, 270, 129), (1000, 65, 33), (3, 700, 400)]
)
def test_among_threads(n, k, o):
    check_kernel(
        "linear_forward",
        _kernels.linear_forward,
        arguments=lambda draw, size: {"x": draw((n, k)), "w": draw((o, k)), "b": draw(o)},
        reference=lambda x, w, b: linear(*(a.astype(float) for a in (x, w, b))),
        eps=tolerances.product(k),
        sizes=lambda lanes: [LARGE],
    )
    check_kernel(
        "linear_backward",
        _kernels.linear_backward,
        arguments=lambda draw, size: {"dy": draw((n, o)), "x": draw((n, k)), "w": draw((o, k))},
        reference=lambda dy, x, w: linear_backward(*(a.astype(float) for a in (dy, x, w))),
        eps=tolerances.product(max(n, o)),
        sizes=lambda lanes: [LARGE],
    )


@pytest.mark.parametrize(("k", "o"), [(1, 1), (7, 5), (64, 64), (300, 17), (784, 256), (1100, 40)])
def test_a_row_has_the_same_bits_alone_and_in_a_batch(k, o, isa, dtype, rng):
    x, w, b = (rng.normal(size=shape).astype(dtype) for shape in [(133, k), (o, k), o])
    y = np.empty((133, o), dtype)
    _kernels.linear_forward(y, x, w, b)
    for size in (1, 2, 3, 13, 32, 100):
        part = np.empty((size, o), dtype)
        _kernels.linear_forward(part, x[20 : 20 + size], w, b)
        assert_same_bits(part, y[20 : 20 + size], f"{size} rows")


@pytest.mark.parametrize(("n", "k", "o"), [(10_000, 4, 32), (10_000, 32, 16), (3000, 16, 300)])
def test_backward_has_the_same_bits_for_any_threads(n, k, o, isa, dtype, rng):
    dy, x, w = (rng.normal(size=shape).astype(dtype) for shape in [(n, o), (n, k), (o, k)])
    results = []
    for threads in (1, 2, 3):
        _kernels.set_num_threads(threads)
        results.append([np.empty_like(x), np.empty_like(w), np.empty(o, dtype)])
        _kernels.linear_backward(*results[-1], dy, x, w)
    for others in results[1:]:
        for name, one, other in zip(("dx", "dw", "db"), results[0], others, strict=True):
            assert_same_bits(other, one, name)


@pytest.mark.parametrize(("n", "k", "o"), [(5, 3, 7), (67, 300, 33), (1, 40, 9), (40, 9, 1)])
@pytest.mark.parametrize("alpha", [0.0, -0.5])
def test_alpha_scales_the_products(n, k, o, alpha, isa, dtype, rng):
    """By a power of two, so that no bit differs."""
    x, w, b, dy = (rng.normal(size=shape).astype(dtype) for shape in [(n, k), (o, k), o, (n, o)])
    y, plain = np.full((2, n, o), np.nan, dtype)
    _kernels.linear_forward(y, x, w, b, alpha)
    _kernels.linear_forward(plain, x, w, None)
    assert_same_bits(y, np.array(alpha, dtype) * plain + b, "y")
    scaled = [np.full_like(a, np.nan) for a in (x, w, b)]
    unscaled = [np.full_like(a, np.nan) for a in (x, w, b)]
    _kernels.linear_backward(*scaled, dy, x, w, alpha)
    _kernels.linear_backward(*unscaled, dy, x, w)
    for name, one, factor in zip(("dx", "dw", "db"), unscaled, (alpha, alpha, 1), strict=True):
        assert_same_bits(scaled.pop(0), np.array(factor, dtype) * one, name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_number_stays_in_its_row(value, isa, dtype, rng):
    x, w, b = (rng.normal(size=shape).astype(dtype) for shape in [(40, 33), (21, 33), 21])
    clean, y = np.empty((2, 40, 21), dtype)
    _kernels.linear_forward(clean, x, w, b)
    x[17, 5] = value
    _kernels.linear_forward(y, x, w, b)
    assert not np.isfinite(y[17]).any()
    assert_same_bits(np.delete(y, 17, 0), np.delete(clean, 17, 0), "other rows")


def test_float32_against_float64(isa, rng):
    """Both dtypes of one text: on float32 inputs they agree to float32's eps."""
    x, w, b = (rng.normal(size=shape).astype(np.float32) for shape in [(50, 90), (31, 90), 31])
    y32, y64 = np.empty((50, 31), np.float32), np.empty((50, 31))
    _kernels.linear_forward(y32, x, w, b)
    _kernels.linear_forward(y64, x.astype(float), w.astype(float), b.astype(float))
    np.testing.assert_allclose(y32, y64, rtol=1e-5, atol=1e-4)
