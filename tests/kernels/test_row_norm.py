"""LayerNorm and RMSNorm of rows; with groups and shared factors, as GroupNorm has them."""

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from helpers.sweep import KERNEL, LARGE, Scaled, check_kernel, columns_around_lanes
from pyml import _kernels

EPS = 1e-5
NAMES = ["layer_norm", "rms_norm"]
# rows, groups and the elements that have a factor in common
FORMS = [(1, 1, 1), (2, 1, 1), (7, 1, 1), (40, 1, 1), (6, 3, 1), (6, 2, 2), (6, 1, 5), (6, 3, 17)]


def columns(each):
    """Sizes of a row: of `each` elements, where they share a factor, a few times as many."""
    if each == 1:
        return columns_around_lanes
    return lambda lanes: [0, each, 3 * each, (2 * lanes + 1) * each]


def spread_out(parameters, n, c, groups, each, other):
    """A factor for each element of (n, c)."""
    if parameters is None:
        return np.full((n, c), other)
    rows = np.repeat(parameters.reshape(groups, c // each), each, 1)
    return np.tile(rows, (n // groups, 1))


def gathered(terms, groups, each):
    """Sums over what has a factor in common."""
    n, c = terms.shape
    return terms.reshape(n // groups, groups, c // each, each).sum((0, 3)).reshape(-1)


def deviations(name, x):
    if name == "rms_norm" or x.shape[1] == 0:
        return x
    near = x - x[:, :1]
    return near - near.mean(1, keepdims=True)


def scale_of(d):
    """Of the errors of deviations: those of their mean, too."""
    return np.abs(d) + np.abs(d).sum(1, keepdims=True) / max(d.shape[1], 1)


def rstd_of(d, eps=EPS):
    square = (d * d).sum(1) / max(d.shape[1], 1)
    return 1 / np.sqrt(square + eps)


def forward(name, groups, each, eps=EPS):
    def reference(x, gamma=None, beta=None):
        n, c = x.shape
        d = deviations(name, x)
        rstd = rstd_of(d, eps)
        g = spread_out(gamma, n, c, groups, each, 1)
        b = spread_out(beta, n, c, groups, each, 0)
        largest = np.abs(x).max(1, initial=0) if name == "layer_norm" else np.zeros(n)
        y = g * d * rstd[:, None] + b
        scale = np.abs(g) * scale_of(d) * rstd[:, None] + np.abs(b)
        wanted = {"y": Scaled(y, scale), "rstd": rstd}
        if name == "layer_norm":
            mean = x.mean(1) if c else np.zeros(n)
            wanted["mean"] = Scaled(mean, largest)
        return wanted

    return reference


def call_forward(name, groups, each, eps=EPS):
    def call(y, x, rstd=None, mean=None, gamma=None, beta=None):
        _kernels.row_norm_forward(
            KERNEL[f"{name}_forward"], y, mean, rstd, x, gamma, beta, *x.shape, groups, each, eps
        )

    return call


def with_parameters(draw, c, groups, each, *names):
    return {name: draw.normal(groups * (c // each)) for name in names}


@pytest.mark.parametrize(("n", "groups", "each"), FORMS)
@pytest.mark.parametrize("parameters", ["", "gamma", "beta", "gamma beta"])
@pytest.mark.parametrize("name", NAMES)
def test_forward(name, parameters, n, groups, each):
    check_kernel(
        f"{name}_forward",
        call_forward(name, groups, each),
        arguments=lambda draw, c: (
            {"x": draw((n, c))} | with_parameters(draw, c, groups, each, *parameters.split())
        ),
        reference=forward(name, groups, each),
        eps=tolerances.NORMALISED,
        sizes=columns(each),
        values=("normal", "offset"),
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize("name", NAMES)
def test_statistics_are_kept_if_asked_for(name):
    check_kernel(
        f"{name}_forward",
        call_forward(name, 1, 1),
        arguments=lambda draw, c: {"x": draw((5, c))},
        reference=lambda x: {"y": forward(name, 1, 1)(x)["y"]},
        eps=tolerances.NORMALISED,
        sizes=columns(1),
    )


@pytest.mark.parametrize("offset", [1e4, -1e6])
@pytest.mark.parametrize("c", [4, 64, 5000])
def test_an_offset_costs_no_digits(offset, c):
    """x, its mean and its variance are exact in float32."""
    exact = np.resize([-2.0, -1, 1, 2], c)
    rstd = 1 / np.sqrt(2.5 + EPS)
    check_kernel(
        "layer_norm_forward",
        call_forward("layer_norm", 1, 1),
        arguments=lambda draw, size: {"x": np.tile(exact + offset, (3, 1)).astype(draw.dtype)},
        reference=lambda x: {
            "y": np.tile(exact * rstd, (3, 1)),
            "mean": np.full(3, offset),
            "rstd": np.full(3, rstd),
        },
        eps=tolerances.FEW,
        sizes=lambda lanes: [c],
    )


def test_a_mean_between_two_numbers(isa, dtype):
    """1e6 and its successor in float32: rounding takes half their distance from the mean."""
    d = np.resize([-(2.0**-5), 2.0**-5], 70)
    y, rstd = np.empty((1, 70), dtype), np.empty(1, dtype)
    call_forward("layer_norm", 1, 1)(y, (1e6 + 2.0**-5 + d).astype(dtype)[None], rstd)
    assert_close(rstd, 1 / np.sqrt([2.0**-10 + EPS]), tolerances.FEW)
    assert_close(y[0], d / np.sqrt(2.0**-10 + EPS), tolerances.FEW)


SHAPES = [(1000, 300), (5000, 33), (LARGE // 2, 3), (20, 9000)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_forward_among_threads(name, shape):
    check_kernel(
        f"{name}_forward",
        call_forward(name, 1, 1),
        arguments=lambda draw, size: (
            {"x": draw(shape)} | with_parameters(draw, shape[1], 1, 1, "gamma", "beta")
        ),
        reference=forward(name, 1, 1),
        eps=tolerances.NORMALISED,
        sizes=lambda lanes: [LARGE],
    )


@pytest.mark.parametrize("c", [1, 7, 37, 2000])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e4, -3.7])
def test_constant_rows_are_zero(value, c, isa, dtype):
    """Exactly: no deviation is a rounding error."""
    x = np.full((3, c), value, dtype)
    y = np.empty_like(x)
    call_forward("layer_norm", 1, 1)(y, x)
    assert (y == 0).all()
    call_forward("layer_norm", 1, 1, 0.0)(y, x)
    assert np.isnan(y).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_number_spoils_its_row_alone(value, name, isa, dtype, rng):
    x, results = rng.normal(size=(21, 50)).astype(dtype), []
    for bad in (0.5, value):
        x[7, 11] = bad
        y = np.empty_like(x)
        call_forward(name, 1, 1)(y, x)
        results.append(y)
    assert np.isnan(results[1][7]).any()
    assert_same_bits(np.delete(results[1], 7, 0), np.delete(results[0], 7, 0), "other rows")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("c", [5, 37, 1500])
def test_a_row_alone_and_in_a_batch(c, name, isa, dtype, rng):
    x, y = rng.normal(size=(50, c)).astype(dtype), np.empty((50, c), dtype)
    call_forward(name, 1, 1)(y, x)
    for i in (0, 17, 49):
        alone = np.empty((1, c), dtype)
        call_forward(name, 1, 1)(alone, x[i : i + 1])
        assert_same_bits(alone, y[i : i + 1])


# ---- backward ------------------------------------------------------------------------------------


def backward(name, groups, each):
    """The mean of x itself: the kernel finds again what rounding took from `mean`."""

    def reference(dy, x, rstd, mean=None, gamma=None):
        n, c = x.shape
        d = deviations(name, x)
        xhat, size = d * rstd[:, None], scale_of(d) * rstd[:, None]
        factor = spread_out(gamma, n, c, groups, each, 1)
        g, per = dy * factor, 1 / max(c, 1)
        sums = [(g * xhat).sum(1, keepdims=True) * per, g.sum(1, keepdims=True) * per]
        sizes = [(np.abs(v).sum(1, keepdims=True) * per) for v in (g * size, g)]
        if name == "rms_norm":
            sums[1] = sizes[1] = 0
        dx = rstd[:, None] * (g - sums[1] - xhat * sums[0])
        scale = rstd[:, None] * (np.abs(g) + sizes[1] + size * sizes[0])
        terms = {"dgamma": (dy * xhat, np.abs(dy) * size), "dbeta": (dy, np.abs(dy))}
        return {
            "dx": Scaled(dx, scale),
            **{
                key: Scaled(*(gathered(v, groups, each) for v in pair))
                for key, pair in terms.items()
            },
        }

    return reference


def backward_arguments(name, n, groups, each, *parameters):
    def arguments(draw, c):
        x = draw((n, c))
        inputs = {"dy": draw.normal((n, c)), "x": x}
        inputs["rstd"] = rstd_of(deviations(name, x.astype(float))).astype(draw.dtype)
        if name == "layer_norm":
            inputs["mean"] = (x.mean(1, dtype=float) if c else np.zeros(n)).astype(draw.dtype)
        return inputs | with_parameters(draw, c, groups, each, *parameters)

    return arguments


def call_backward(name, groups, each):
    def call(dy, x, rstd, mean=None, gamma=None, dx=None, dgamma=None, dbeta=None):
        _kernels.row_norm_backward(
            KERNEL[f"{name}_backward"],
            *(dx, dgamma, dbeta, dy, x, mean, rstd, gamma, *x.shape, groups, each),
        )

    return call


@pytest.mark.parametrize(("n", "groups", "each"), [*FORMS, (0, 1, 1), (300, 1, 1), (300, 2, 3)])
@pytest.mark.parametrize("parameters", [(), ("gamma",)])
@pytest.mark.parametrize("name", NAMES)
def test_backward(name, parameters, n, groups, each):
    check_kernel(
        f"{name}_backward",
        call_backward(name, groups, each),
        arguments=backward_arguments(name, n, groups, each, *parameters),
        reference=backward(name, groups, each),
        eps=tolerances.NORMALISED,
        sizes=columns(each),
        values=("normal", "offset"),
        in_place=[("dx", "dy")],
    )


@pytest.mark.parametrize("asked", ["dx", "dgamma", "dbeta", "dgamma dbeta", "dx dbeta"])
@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_backward_computes_what_is_asked(name, each, asked):
    def reference(**inputs):
        wanted = backward(name, 2, each)(**inputs)
        return {key: wanted[key] for key in asked.split()}

    check_kernel(
        f"{name}_backward",
        call_backward(name, 2, each),
        arguments=backward_arguments(name, 6, 2, each, "gamma"),
        reference=reference,
        eps=tolerances.NORMALISED,
        sizes=columns(each),
    )


@pytest.mark.parametrize("shape", [*SHAPES, (40, 70_000)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_backward_among_threads(name, shape):
    arguments = backward_arguments(name, shape[0], 1, 1, "gamma")
    check_kernel(
        f"{name}_backward",
        call_backward(name, 1, 1),
        arguments=lambda draw, size: arguments(draw, shape[1]),
        reference=backward(name, 1, 1),
        eps=tolerances.NORMALISED,
        sizes=lambda lanes: [LARGE],
    )


# ---- rows whose squares the dtype does not hold --------------------------------------------------


@pytest.mark.parametrize("c", [2, 7, 130, 1300])
@pytest.mark.parametrize("size", [1e25, 1e30, 1e36, 1e-25])
@pytest.mark.parametrize("name", NAMES)
def test_extreme_rows(name, c, size, isa, rng):
    """float32 beside float64 with the same numbers; the rows beside it keep their bits."""
    x, dy = (rng.standard_normal((20, c)).astype(np.float32) for _ in range(2))
    ordinary = np.delete(np.arange(20), [0, 3, 17])
    large = x.copy()
    large[[0, 3, 17]] *= np.float32(size)
    eps = 0.0 if size < 1 else EPS
    results = {}
    for key, a in [("small", x), ("large", large), ("wanted", large.astype(np.float64))]:
        y, dx = np.empty_like(a), np.empty_like(a)
        mean, rstd = (np.empty(20, a.dtype) for _ in range(2))
        dgamma, dbeta = (np.empty(c, a.dtype) for _ in range(2))
        call_forward(name, 1, 1, eps)(y, a, rstd, mean)
        g = dy.astype(a.dtype)
        call_backward(name, 1, 1)(g, a, rstd, mean, None, dx, dgamma, dbeta)
        results[key] = y, dx, rstd, dgamma, dbeta
    y, dx, rstd, dgamma, dbeta = results["wanted"]
    largest = np.abs(y).max(1, keepdims=True) + 1
    scales = {
        "y": largest,
        "dx": np.abs(dy).max(1, keepdims=True) * rstd[:, None] * largest**2,
        "rstd": rstd,
        "dgamma": np.abs(dy * y).sum(0),
        "dbeta": np.abs(dy).sum(0),
    }
    for key, small, got, wanted in zip(scales, *results.values(), strict=True):
        assert np.isfinite(got).all()
        assert (np.abs(got - wanted) <= 1e-5 * scales[key] + 1e-37).all(), key
        if key not in ("dgamma", "dbeta"):
            assert_same_bits(got[ordinary], small[ordinary])


@pytest.mark.parametrize(
    "row, eps, rstd, mean",
    [
        ((1e154, 1e154), 1e-300, 1e150, 1e154),  # eps is lost beside the square of a constant
        ((1e-300, -1e-300), 1e-291, 1e-291**-0.5, 0),  # and in units of so small a number not held
        ((3e-150, 1e-150), 1e-300, 2**-0.5 * 1e150, 2e-150),
        ((0.0, 0.0), 1e-300, 1e150, 0),
    ],
)
def test_rows_of_doubles_with_a_tiny_eps(row, eps, rstd, mean, isa):
    x = np.tile(np.array(row), (1, 3))
    y = np.empty_like(x)
    found_mean, found = np.empty(1), np.empty(1)
    call_forward("layer_norm", 1, 1, eps)(y, x, found, found_mean)
    np.testing.assert_allclose([found.item(), found_mean.item()], [rstd, mean], rtol=1e-14)
    np.testing.assert_allclose(y, (x - mean) * rstd, rtol=1e-14, atol=1e-300)


def test_extreme_products(isa, rng):
    """dy (x - mean) is too large, dx and dgamma are not."""
    x = (rng.standard_normal((3, 50)) * 1e30).astype(np.float32)
    dy = (rng.standard_normal((3, 50)) * 1e15).astype(np.float32)
    gamma = rng.uniform(0.5, 2, 50).astype(np.float32)
    wanted = backward("layer_norm", 1, 1)(
        *(a.astype(float) for a in (dy, x)),
        rstd_of(deviations("layer_norm", x.astype(float))),
        gamma=gamma.astype(float),
    )
    mean, rstd = x.mean(1, dtype=float), rstd_of(deviations("layer_norm", x.astype(float)))
    dx, dgamma = np.empty_like(x), np.empty(50, np.float32)
    call_backward("layer_norm", 1, 1)(
        dy, x, rstd.astype(np.float32), mean.astype(np.float32), gamma, dx, dgamma
    )
    for got, key in [(dx, "dx"), (dgamma, "dgamma")]:
        assert_close(got, wanted[key].wanted, tolerances.NORMALISED, wanted[key].scale)
