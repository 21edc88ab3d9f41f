import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from helpers.sweep import LARGE, Scaled, check_kernel, columns_around_lanes
from pyml import _kernels

EPS = 1e-5
ROWS = [2, 3, 7, 64, 130, 300]


def deviations(x):
    """x - x.mean(0), with the digits of the mean that an offset would push out."""
    near = x - x[:1]
    return near - near.mean(0)


def batchnorm(x, gamma, beta, eps=EPS):
    """y and the statistics by the paper's algorithm 1; scales of their errors."""
    mean, var = x.mean(0), x.var(0)
    rstd = 1 / np.sqrt(var + eps)
    g, b = 1 if gamma is None else gamma, 0 if beta is None else beta
    y = g * (x - mean) * rstd + b
    return (
        mean,
        var,
        rstd,
        Scaled(y, np.abs(g * (x - mean) * rstd) + np.abs(b) + np.abs(g) * spread(x) * rstd),
    )


def spread(x):
    """What an error of the mean by half a unit of the last place of x adds, over eps."""
    return np.abs(x - x.mean(0)).mean(0) + np.abs(x).max(0)


def forward(x, gamma=None, beta=None, running_mean=None, running_var=None, eps=EPS, momentum=0.1):
    mean, var, rstd, y = batchnorm(x, gamma, beta, eps)
    wanted = {"y": y, "mean": Scaled(mean, np.abs(x).mean(0)), "rstd": rstd}
    if running_mean is not None:
        n = len(x)
        wanted["running_mean"] = Scaled(
            (1 - momentum) * running_mean + momentum * mean,
            np.abs(running_mean) + np.abs(x).mean(0),
        )
        wanted["running_var"] = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    return wanted


def call_forward(momentum=0.1, eps=EPS):
    def call(y, mean, rstd, x, gamma=None, beta=None, running_mean=None, running_var=None):
        _kernels.batchnorm_forward(
            y, mean, rstd, running_mean, running_var, None, x, gamma, beta, eps, momentum
        )

    return call


@pytest.mark.parametrize("n", ROWS)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_forward(n, affine, tracked):
    def arguments(draw, c):
        inputs = {"x": draw((n, c))}
        if affine:
            inputs |= {"gamma": draw.normal(c), "beta": draw.normal(c)}
        if tracked:
            inputs |= {"running_mean": draw.normal(c), "running_var": draw.uniform(c, 0.5, 2)}
        return inputs

    check_kernel(
        "batchnorm_forward",
        call_forward(),
        arguments=arguments,
        reference=forward,
        eps=tolerances.NORMALISED,
        sizes=columns_around_lanes,
        values=("normal",),
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize("offset", [1e4, -1e6])
@pytest.mark.parametrize("n", [2, 64, 5000])
def test_an_offset_costs_no_digits(offset, n):
    """x, its mean and its variance are exact in float32.

    The variance must not be a difference of large numbers, nor y lose what x has.
    """

    def arguments(draw, c):
        deviations = np.resize([-2, -1, 1, 2] if n % 4 == 0 else [-1, 1], (c, n)).T
        return {
            "x": (deviations + offset).astype(draw.dtype),
            "gamma": draw.normal(c),
            "beta": draw.normal(c),
        }

    def reference(x, gamma, beta):
        exact = x - offset
        var = (exact**2).mean(0)
        y = exact / np.sqrt(var + EPS)
        return {
            "y": Scaled(gamma * y + beta, np.abs(gamma * y) + np.abs(beta)),
            "mean": np.full(x.shape[1], offset, x.dtype),
            "rstd": 1 / np.sqrt(var + EPS),
        }

    check_kernel(
        "batchnorm_forward",
        call_forward(),
        arguments=arguments,
        reference=reference,
        eps=tolerances.FEW,
        sizes=columns_around_lanes,
    )


@pytest.mark.parametrize("shape", [(1000, 300), (5000, 33), (LARGE // 2, 3), (20, 9000)], ids=str)
def test_forward_among_threads(shape):
    check_kernel(
        "batchnorm_forward",
        call_forward(),
        arguments=lambda draw, size: {
            "x": draw(shape),
            "gamma": draw.normal(shape[1]),
            "beta": draw.normal(shape[1]),
        },
        reference=forward,
        eps=tolerances.NORMALISED,
        sizes=lambda lanes: [LARGE],
    )


def test_constant_columns(isa, dtype):
    """A variance of zero: y is beta, and nothing is infinite."""
    for value in (0.0, 1.0, 1e4, -3.7):
        x = np.full((37, 19), value, dtype)
        y, mean, rstd = np.empty_like(x), np.empty(19, dtype), np.empty(19, dtype)
        _kernels.batchnorm_forward(
            y, mean, rstd, None, None, None, x, None, np.full(19, 2, dtype), EPS, 0.1
        )
        assert_close(mean, np.full(19, float(dtype.type(value))), tolerances.FEW)
        assert_close(y, np.full(y.shape, 2.0), tolerances.FEW, scale=2 + abs(value) / np.sqrt(EPS))
        assert_close(rstd, np.full(19, 1 / np.sqrt(EPS)), 1e-2 / np.finfo(dtype).eps)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_number_spoils_its_column_alone(value, isa, dtype, rng):
    x = rng.normal(size=(50, 21)).astype(dtype)
    results = []
    for bad in (0.5, value):
        x[11, 7] = bad
        y, mean, rstd = np.empty_like(x), np.empty(21, dtype), np.empty(21, dtype)
        _kernels.batchnorm_forward(y, mean, rstd, None, None, None, x, None, None, EPS, 0.1)
        results.append(y)
    assert np.isnan(results[1][:, 7]).any()
    assert_same_bits(np.delete(results[1], 7, 1), np.delete(results[0], 7, 1), "other columns")


def test_momentum_of_a_cumulative_average(isa, dtype, rng):
    """A negative momentum: 1 / batches, so the running mean is the mean of the batches' means."""
    running_mean, running_var = np.full(9, 5, dtype), np.full(9, 7, dtype)
    tracked = np.zeros(1, np.int64)
    means, variances = [], []
    for count in range(1, 5):
        x = rng.normal(size=(10, 9)).astype(dtype)
        y, mean, rstd = np.empty_like(x), np.empty(9, dtype), np.empty(9, dtype)
        _kernels.batchnorm_forward(
            y, mean, rstd, running_mean, running_var, tracked, x, None, None, EPS, -1.0
        )
        means.append(x.astype(float).mean(0))
        variances.append(x.astype(float).var(0, ddof=1))
        assert tracked[0] == count
        assert_close(running_mean, np.mean(means, 0), tolerances.NORMALISED, scale=np.float64(1))
        assert_close(running_var, np.mean(variances, 0), tolerances.NORMALISED)


def test_no_columns(isa, dtype):
    nothing, empty = np.empty((5, 0), dtype), np.empty(0, dtype)
    _kernels.batchnorm_forward(
        nothing, empty, empty, None, None, None, nothing, None, None, EPS, 0.1
    )
    _kernels.batchnorm_backward(nothing, empty, empty, nothing, nothing, empty, empty, None)


def backward(dy, x, mean, rstd, gamma=None):
    """The mean of x itself: the kernel finds again what rounding took from `mean`."""
    n, g = len(x), 1 if gamma is None else gamma
    xhat = deviations(x) * rstd
    dgamma, dbeta = (
        Scaled((dy * xhat).sum(0), np.abs(dy * xhat).sum(0)),
        Scaled(dy.sum(0), np.abs(dy).sum(0)),
    )
    dx = g * rstd * (dy - dbeta.wanted / n - xhat * dgamma.wanted / n)
    scale = np.abs(g * rstd) * (np.abs(dy) + dbeta.scale / n + np.abs(xhat) * dgamma.scale / n)
    return {"dx": Scaled(dx, scale), "dgamma": dgamma, "dbeta": dbeta}


def backward_arguments(n, affine):
    def arguments(draw, c):
        x = draw((n, c))
        mean, rstd = x.mean(0), (1 / np.sqrt(x.var(0) + draw.dtype.type(EPS))).astype(draw.dtype)
        inputs = {"dy": draw.normal((n, c)), "x": x, "mean": mean, "rstd": rstd}
        return inputs | ({"gamma": draw.normal(c)} if affine else {})

    return arguments


def call_backward(dy, x, mean, rstd, dx=None, dgamma=None, dbeta=None, gamma=None):
    _kernels.batchnorm_backward(dx, dgamma, dbeta, dy, x, mean, rstd, gamma)


@pytest.mark.parametrize("n", ROWS)
@pytest.mark.parametrize("affine", [True, False])
def test_backward(n, affine):
    check_kernel(
        "batchnorm_backward",
        call_backward,
        arguments=backward_arguments(n, affine),
        reference=backward,
        eps=tolerances.NORMALISED,
        sizes=columns_around_lanes,
        values=("normal", "offset"),
        in_place=[("dx", "dy")],
    )


@pytest.mark.parametrize("asked", ["dx", "dgamma", "dbeta", "dgamma dbeta", "dx dbeta"])
def test_backward_computes_what_is_asked(asked):
    check_kernel(
        "batchnorm_backward",
        call_backward,
        arguments=backward_arguments(13, True),
        reference=lambda **inputs: {name: backward(**inputs)[name] for name in asked.split()},
        eps=tolerances.NORMALISED,
        sizes=columns_around_lanes,
    )


@pytest.mark.parametrize("shape", [(1000, 300), (5000, 33), (LARGE // 2, 3), (20, 9000)], ids=str)
def test_backward_among_threads(shape):
    arguments = backward_arguments(shape[0], True)
    check_kernel(
        "batchnorm_backward",
        call_backward,
        arguments=lambda draw, size: arguments(draw, shape[1]),
        reference=backward,
        eps=tolerances.NORMALISED,
        sizes=lambda lanes: [LARGE],
    )


def inference(x, mean, var, gamma=None, beta=None):
    g, b = 1 if gamma is None else gamma, 0 if beta is None else beta
    y = g * (x - mean) / np.sqrt(var + EPS) + b
    return {"y": Scaled(y, np.abs(g) * (np.abs(x) + np.abs(mean)) / np.sqrt(var + EPS) + np.abs(b))}


def statistics(draw, c):
    return {"mean": draw(c), "var": draw.uniform(c, 0, 2)}


@pytest.mark.parametrize("n", [0, 1, 2, 7, 300])
@pytest.mark.parametrize("affine", [True, False])
def test_inference(n, affine):
    check_kernel(
        "batchnorm_inference",
        lambda y, x, mean, var, gamma=None, beta=None: _kernels.batchnorm_inference(
            y, x, mean, var, gamma, beta, EPS
        ),
        arguments=lambda draw, c: (
            {"x": draw((n, c))}
            | statistics(draw, c)
            | ({"gamma": draw.normal(c), "beta": draw.normal(c)} if affine else {})
        ),
        reference=inference,
        eps=tolerances.FEW,
        sizes=lambda lanes: [*columns_around_lanes(lanes), 1000],
        values=("normal", "offset"),
        in_place=[("y", "x")],
    )


def test_inference_of_a_row_alone_and_in_a_batch(isa, dtype, rng):
    x = rng.normal(size=(101, 37)).astype(dtype)
    mean, var, gamma, beta = (rng.uniform(0.5, 2, size=37).astype(dtype) for _ in range(4))
    y = np.empty_like(x)
    _kernels.batchnorm_inference(y, x, mean, var, gamma, beta, EPS)
    for i in (0, 50, 100):
        alone = np.empty((1, 37), dtype)
        _kernels.batchnorm_inference(alone, x[i : i + 1], mean, var, gamma, beta, EPS)
        assert_same_bits(alone, y[i : i + 1])


def inference_backward(dy, x, mean, var, gamma=None):
    rstd = 1 / np.sqrt(var + EPS)
    xhat = (x - mean) * rstd
    scale = np.abs(dy) * (np.abs(x) + np.abs(mean)) * rstd
    return {
        "dx": dy * (1 if gamma is None else gamma) * rstd,
        "dgamma": Scaled((dy * xhat).sum(0), scale.sum(0)),
        "dbeta": Scaled(dy.sum(0), np.abs(dy).sum(0)),
    }


@pytest.mark.parametrize("n", [0, 1, 2, 7, 300])
@pytest.mark.parametrize("affine", [True, False])
def test_inference_backward(n, affine):
    check_kernel(
        "batchnorm_inference_backward",
        lambda dx, dgamma, dbeta, dy, x, mean, var, gamma=None: (
            _kernels.batchnorm_inference_backward(dx, dgamma, dbeta, dy, x, mean, var, gamma, EPS)
        ),
        arguments=lambda draw, c: (
            {"dy": draw.normal((n, c)), "x": draw((n, c))}
            | statistics(draw, c)
            | ({"gamma": draw.normal(c)} if affine else {})
        ),
        reference=inference_backward,
        eps=tolerances.NORMALISED,
        sizes=lambda lanes: [*columns_around_lanes(lanes), 1000],
        values=("normal", "offset"),
    )


# ---- columns whose squares the dtype does not hold ----------------------------------------------


@pytest.mark.parametrize("n", [2, 7, 130, 300])
@pytest.mark.parametrize("size", [1e25, 1e30, 1e36, 1e-25])
def test_extreme_columns(n, size, isa, rng):
    """float32 beside float64 with the same numbers; the columns beside it keep their bits."""
    x, dy = (rng.standard_normal((n, 20)).astype(np.float32) for _ in range(2))
    ordinary = np.delete(np.arange(20), [0, 3, 17])
    large = x.copy()
    large[:, [0, 3, 17]] *= np.float32(size)
    eps = 0.0 if size < 1 else EPS
    results = {}
    for name, a in [("small", x), ("large", large), ("wanted", large.astype(np.float64))]:
        y, dx = np.empty_like(a), np.empty_like(a)
        mean, rstd, dgamma, dbeta = (np.empty(20, a.dtype) for _ in range(4))
        g = dy.astype(a.dtype)
        _kernels.batchnorm_forward(y, mean, rstd, None, None, None, a, None, None, eps, 0.1)
        _kernels.batchnorm_backward(dx, dgamma, dbeta, g, a, mean, rstd, None)
        results[name] = y, dx, mean, rstd, dgamma, dbeta
    y, dx, mean, rstd, dgamma, dbeta = results["wanted"]
    scales = {
        "y": np.abs(y).max(0) + 1,
        "dx": np.abs(dy).max(0) * rstd * (np.abs(y).max(0) + 1) ** 2,
        "mean": np.abs(large).max(0),
        "rstd": rstd,
        "dgamma": np.abs(dy * y).sum(0),
        "dbeta": np.abs(dy).sum(0),
    }
    for name, small, got, wanted in zip(scales, *results.values(), strict=True):
        assert np.isfinite(got).all()
        assert (np.abs(got - wanted) <= 1e-5 * scales[name] + 1e-37).all(), name
        assert_same_bits(got[..., ordinary], small[..., ordinary])


def test_columns_too_large_to_be_scaled(isa):
    """1 / 2e38 is no normal float32: NaN tells of it, zeros would not."""
    x = np.tile(np.float32([[2e38, 1.0], [-2e38, -1.0]]), (8, 1))
    y = np.empty_like(x)
    mean, rstd = (np.empty(2, np.float32) for _ in range(2))
    _kernels.batchnorm_forward(y, mean, rstd, None, None, None, x, None, None, EPS, 0.1)
    assert np.isnan(y[:, 0]).all()
    np.testing.assert_allclose(np.abs(y[:, 1]), 1, rtol=1e-4)


def test_extreme_products(isa, rng):
    """dy (x - mean) is too large, dgamma is not."""
    x = (rng.standard_normal((50, 3)) * 1e30).astype(np.float32)
    dy = (rng.standard_normal((50, 3)) * 1e15).astype(np.float32)
    got, wanted = np.empty(3, np.float32), np.empty(3)
    for out, a, g in [(got, x, dy), (wanted, x.astype(np.float64), dy.astype(np.float64))]:
        mean, rstd = a.mean(0, dtype=np.float64).astype(a.dtype), (1 / a.std(0, dtype=np.float64))
        rstd = rstd.astype(a.dtype)
        _kernels.batchnorm_backward(np.empty_like(a), out, None, g, a, mean, rstd, None)
    np.testing.assert_allclose(got, wanted, rtol=1e-4)
