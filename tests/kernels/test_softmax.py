import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from helpers.rows import VALUES, columns, log_softmax, logits
from helpers.sweep import KERNEL, LARGE, Scaled, check_kernel
from pyml import _kernels

SOFTMAX = {
    "softmax": lambda x: Scaled(np.exp(log_softmax(x)), None),
    "log_softmax": lambda x: Scaled(
        log_softmax(x), np.abs(x - x.max(1, keepdims=True)) + np.log(x.shape[1]) + 1
    ),
}


@pytest.mark.parametrize("name", SOFTMAX)
@pytest.mark.parametrize("n", [0, 1, 5, 33])
def test_softmax_forward(name, n):
    kernel = f"{name}_forward"

    def reference(x):
        wanted, scale = SOFTMAX[name](x)
        if scale is None:  # exp multiplies the rounding error of its argument
            scale = wanted * (1 + np.minimum(np.abs(x - x.max(1, keepdims=True)), 1000))
        return {"y": Scaled(wanted, scale)}

    check_kernel(
        kernel,
        lambda y, x: _kernels.softmax_forward(KERNEL[kernel], y, x),
        arguments=lambda draw, c: {"x": logits(draw, (n, c))},
        reference=reference,
        eps=tolerances.SOFTMAX,
        sizes=columns,
        values=VALUES,
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize("name", SOFTMAX)
@pytest.mark.parametrize("n", [0, 1, 5, 33])
def test_softmax_backward(name, n):
    kernel = f"{name}_backward"

    def reference(dy, y):
        if name == "softmax":
            dot, scale = ((f(dy * y)).sum(1, keepdims=True) for f in (lambda v: v, np.abs))
            return {"dx": Scaled(y * (dy - dot), y * (np.abs(dy) + scale))}
        total, scale = (f(dy).sum(1, keepdims=True) for f in (lambda v: v, np.abs))
        return {
            "dx": Scaled(dy - np.exp(y) * total, np.abs(dy) + np.exp(y) * (1 + np.abs(y)) * scale)
        }

    def arguments(draw, c):
        y = log_softmax(draw.normal((n, c)).astype(float)) if n else np.empty((0, c))
        return {
            "dy": draw.normal((n, c)),
            "y": (np.exp(y) if name == "softmax" else y).astype(draw.dtype),
        }

    check_kernel(
        kernel,
        lambda dx, dy, y: _kernels.softmax_backward(KERNEL[kernel], dx, dy, y),
        arguments=arguments,
        reference=reference,
        eps=tolerances.SOFTMAX,
        sizes=columns,
        in_place=[("dx", "dy")],
    )


@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_of_infinite_and_missing_logits(name, isa, dtype):
    """-inf has probability 0; NaN or +inf spoil their row alone, as in PyTorch."""
    x = np.zeros((4, 21), dtype)
    x[0, 3], x[1, 5], x[2, 7] = -np.inf, np.nan, np.inf
    y = np.empty_like(x)
    _kernels.softmax_forward(KERNEL[f"{name}_forward"], y, x)
    assert y[0, 3] == (0 if name == "softmax" else -np.inf)
    assert_close(
        y[0, :3], np.full(3, 1 / 20 if name == "softmax" else -np.log(20)), tolerances.SOFTMAX
    )
    assert np.isnan(y[1]).all() and np.isnan(y[2, 7])
    assert_close(
        y[3], np.full(21, 1 / 21 if name == "softmax" else -np.log(21)), tolerances.SOFTMAX
    )


@pytest.mark.parametrize("name", SOFTMAX)
@pytest.mark.parametrize("c", [1, 4, 10, 37])
def test_softmax_of_a_row_alone_and_in_a_batch(c, name, isa, dtype, rng):
    x = rng.normal(size=(50, c)).astype(dtype)
    x[1], x[16] = np.nan, np.inf
    y = np.empty_like(x)
    _kernels.softmax_forward(KERNEL[f"{name}_forward"], y, x)
    for i in (0, 17, 49):
        alone = np.empty((1, c), dtype)
        _kernels.softmax_forward(KERNEL[f"{name}_forward"], alone, x[i : i + 1])
        assert_same_bits(alone, y[i : i + 1])


@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_among_threads(name):
    shape, kernel = (2000, 60), f"{name}_forward"
    check_kernel(
        kernel,
        lambda y, x: _kernels.softmax_forward(KERNEL[kernel], y, x),
        arguments=lambda draw, size: {"x": draw(shape)},
        reference=lambda x: {
            "y": Scaled(SOFTMAX[name](x).wanted, 1 + np.abs(SOFTMAX[name](x).wanted))
        },
        eps=tolerances.SOFTMAX,
        sizes=lambda lanes: [LARGE],
    )
