"""Cosine and distance of pairs of rows."""

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from helpers.sweep import KERNEL, LARGE, Scaled, check_kernel, columns_around_lanes
from pyml import _kernels

EPS = 1e-6
NAMES = ["cosine", "distance"]
TOLERANCE = tolerances.product(131) + tolerances.MATH


def lengths(x):
    """Of the rows, where their squares are none of the wider type either."""
    size = np.abs(x).max(1, initial=0, keepdims=True)
    size = np.where((size > 0) & (size < np.inf), size, 1)
    return size * np.sqrt(((x / size) ** 2).sum(1, keepdims=True))


def parts(x, t, eps):
    """The cosine, the scale of its errors, and what each row is divided by."""
    by_x, by_t = (np.maximum(lengths(v), eps) for v in (x, t))
    product = (x / by_x) * (t / by_t)
    return product.sum(1, keepdims=True), np.abs(product).sum(1, keepdims=True), by_x, by_t


def forward(name, x, t, eps):
    if name == "distance":
        d = x - t + eps
        scale = lengths(np.abs(x) + np.abs(t) + eps)
        return Scaled(lengths(d)[:, 0], scale[:, 0])
    y, scale, *_ = parts(x, t, eps)
    return Scaled(y[:, 0], scale[:, 0] + np.abs(y[:, 0]))


def backward(name, dy, x, t, eps):
    dy = dy[:, None]
    if name == "distance":
        d = x - t + eps
        y = lengths(d)
        slope = np.where(y == 0, 0, dy / np.where(y == 0, 1, y))
        scale = np.abs(slope) * (np.abs(x) + np.abs(t) + eps + np.abs(d))
        return {"dx": Scaled(slope * d, scale), "dt": Scaled(-slope * d, scale)}
    y, scale, by_x, by_t = parts(x, t, eps)
    found = {}
    for key, a, b, by_a, by_b in (("dx", x, t, by_x, by_t), ("dt", t, x, by_t, by_x)):
        counts = lengths(a) >= eps
        d = dy / by_a * (b / by_b - np.where(counts, y, 0) * a / by_a)
        size = np.abs(b) / by_b + np.where(counts, scale + np.abs(y), 0) * np.abs(a) / by_a
        found[key] = Scaled(d, np.abs(dy) / by_a * size)
    return found


def call_forward(name, eps=EPS):
    kernel = KERNEL[f"{name}_forward"]
    return lambda y, x, t: _kernels.row_pair_forward(kernel, y, x, t, *x.shape, eps)


def call_backward(name, eps=EPS):
    kernel = KERNEL[f"{name}_backward"]

    def call(dy, x, t, dx=None, dt=None):
        _kernels.row_pair_backward(kernel, dx, dt, dy, x, t, *x.shape, eps)

    return call


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("eps", [EPS, 3.0])
def test_forward(name, n, eps):
    check_kernel(
        f"{name}_forward",
        call_forward(name, eps),
        arguments=lambda draw, c: {"x": draw((n, c)), "t": draw((n, c))},
        reference=lambda x, t: {"y": forward(name, x, t, eps)},
        eps=TOLERANCE,
        sizes=columns_around_lanes,
        values=("normal", "offset"),
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("outputs", [("dx", "dt"), ("dx",), ("dt",)])
@pytest.mark.parametrize("eps", [EPS, 3.0])
def test_backward(name, outputs, eps):
    def reference(dy, x, t):
        wanted = backward(name, dy, x, t, eps)
        return {key: wanted[key] for key in outputs}

    check_kernel(
        f"{name}_backward",
        call_backward(name, eps),
        arguments=lambda draw, c: {
            "dy": draw.normal(5),
            "x": draw.normal((5, c)),
            "t": draw.normal((5, c)),
        },
        reference=reference,
        eps=TOLERANCE,
        sizes=columns_around_lanes,
    )


@pytest.mark.parametrize("name", NAMES)
def test_among_threads(name):
    shape = (LARGE // 60, 60)
    check_kernel(
        f"{name}_forward",
        call_forward(name),
        arguments=lambda draw, _: {"x": draw(shape), "t": draw(shape)},
        reference=lambda x, t: {"y": forward(name, x, t, EPS)},
        eps=TOLERANCE,
        sizes=lambda lanes: [LARGE],
    )
    check_kernel(
        f"{name}_backward",
        call_backward(name),
        arguments=lambda draw, _: {"dy": draw(shape[0]), "x": draw(shape), "t": draw(shape)},
        reference=lambda dy, x, t: backward(name, dy, x, t, EPS),
        eps=TOLERANCE,
        sizes=lambda lanes: [LARGE],
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("large", [False, True])
def test_rows_whose_squares_are_no_numbers(name, large, isa, dtype, rng):
    """Each of two rows alone, and both."""
    power = {4: 100, 8: 900}[dtype.itemsize] * (1 if large else -1)
    x, t = rng.normal(size=(2, 3, 37)).astype(dtype)
    x[:2], t[1:] = x[:2] * dtype.type(2) ** power, t[1:] * dtype.type(2) ** power
    y, dx, dt = np.empty(3, dtype), np.empty_like(x), np.empty_like(t)
    dy = np.full(3, 0.5, dtype)
    call_forward(name, 0)(y, x, t)
    call_backward(name, 0)(dy, x, t, dx, dt)
    wide = [v.astype(np.longdouble) for v in (dy, x, t)]
    wanted, scale = forward(name, *wide[1:], 0)
    assert_close(y, wanted, TOLERANCE, scale)
    for got, (wanted, scale) in zip((dx, dt), backward(name, *wide, 0).values(), strict=True):
        kept = np.abs(wanted) >= np.finfo(dtype).tiny  # smaller numbers are taken for 0
        assert_close(got[kept], wanted[kept], TOLERANCE, scale[kept])
        assert (got[~kept] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_rows_without_length(name, isa, dtype):
    """Of zeros the cosine is 0, and by eps it has a derivative; a distance of 0 has none."""
    x, t = np.zeros((1, 21), dtype), np.ones((1, 21), dtype)
    y, dx, dt, dy = np.empty(1, dtype), np.empty_like(x), np.empty_like(t), np.ones(1, dtype)
    if name == "distance":
        t = x.copy()
    eps = 0.25 if name == "cosine" else 0
    call_forward(name, eps)(y, x, t)
    call_backward(name, eps)(dy, x, t, dx, dt)
    assert y[0] == 0 and (dt == 0).all()
    assert_close(dx[0], np.full(21, 4 / 21**0.5 if name == "cosine" else 0), TOLERANCE)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_are_not_finite_spoil_their_row_alone(name, isa, dtype):
    x, t = np.ones((4, 21), dtype), np.zeros((4, 21), dtype)
    x[0, 3], x[1, 20] = np.nan, np.inf
    t[:, 1], t[2, 7] = 1, np.nan
    y = np.empty(4, dtype)
    call_forward(name)(y, x, t)
    assert np.isnan(y[[0, 2]]).all() and np.isfinite(y[3])
    assert y[1] == np.inf if name == "distance" else np.isnan(y[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("c", [3, 64, 5000])
def test_a_row_alone_and_in_a_batch(name, c, isa, dtype, rng):
    x, t = rng.normal(size=(2, 9, c)).astype(dtype)
    y, alone = np.empty(9, dtype), np.empty(1, dtype)
    call_forward(name)(y, x, t)
    assert_close(y, forward(name, *(v.astype(np.longdouble) for v in (x, t)), EPS).wanted, 1e3)
    for i in range(9):
        call_forward(name)(alone, x[i : i + 1], t[i : i + 1])
        assert_same_bits(alone, y[i : i + 1])
