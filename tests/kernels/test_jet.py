"""Activations of jets: the chain rule to second order and its transpose, by the whole Jacobian."""

from typing import NamedTuple

import numpy as np
import pytest

from helpers import activations, tolerances
from helpers.activations import limit, normal_pdf, sigmoid
from helpers.compare import assert_same_bits
from helpers.sweep import KERNEL, Scaled, around_lanes, check_kernel
from pyml import _kernels

PAIRS = np.array([[1, 1], [1, 2]])
FIRSTS = 2


class Row(NamedTuple):
    """value(x), and slopes(x, y): f', f'', f''', each Scaled; the numbers of the kernel."""

    value: object
    slopes: object
    numbers: tuple = ()


def tanh_slopes(x, y):
    d = 1 - y * y
    return Scaled(d, 1), Scaled(-2 * y * d, 2 * np.abs(y)), Scaled((6 * y * y - 2) * d, 8)


def sigmoid_slopes(x, y):
    d = y * (1 - y)
    return Scaled(d, y), Scaled((1 - 2 * y) * d, 3 * y), Scaled((1 - 6 * d) * d, 2.5 * y)


def sin_slopes(x, y):
    return [Scaled(v, np.abs(v)) for v in (np.cos(x), -y, -np.cos(x))]


def softplus_slopes(x, y, beta, threshold):
    bx = beta * x
    g, h = sigmoid(bx), sigmoid(-bx)
    linear, share = bx > threshold, 1 + np.minimum(np.abs(bx), 1e4)  # exp multiplies bx's errors
    found = (g, 1), (beta * g * h, 0), (beta**2 * g * h * (h - g), 0)
    sizes = g, beta * g * h, beta**2 * g * h
    return [
        Scaled(np.where(linear, above, value), np.where(linear, above, size * share))
        for (value, above), size in zip(found, sizes, strict=True)
    ]


def silu_slopes(x, y):
    t = limit(x)
    g, h = sigmoid(t), sigmoid(-t)
    s1, s2, s3 = g * h, g * h * (h - g), g * h * (1 - 6 * g * h)
    share = 1 + np.minimum(np.abs(t), 40)
    return (
        Scaled(g + t * s1, (g + np.abs(t) * s1) * share),
        Scaled(2 * s1 + t * s2, (2 * s1 + np.abs(t) * s1) * share),
        Scaled(3 * s2 + t * s3, (3 * s1 + 2.5 * np.abs(t) * s1) * share),
    )


def gelu_slopes(x, y):
    t = limit(x)
    square, density = t * t, normal_pdf(t)
    share = density * (1 + np.minimum(square, 1e4))
    return (
        activations.gelu_derivative(x),
        Scaled((2 - square) * density, (2 + square) * share),
        Scaled((square - 4) * t * density, (4 + square) * np.abs(t) * share),
    )


ROWS = {
    "tanh": Row(np.tanh, tanh_slopes),
    "sigmoid": Row(sigmoid, sigmoid_slopes),
    "sin": Row(np.sin, sin_slopes),
    "softplus": Row(activations.softplus, softplus_slopes, (1.5, 6.0)),
    "silu": Row(activations.silu, silu_slopes),
    "gelu": Row(activations.gelu, gelu_slopes),
}
each = pytest.mark.parametrize("name", ROWS)


def split(x):
    return x[0], x[1 : 1 + FIRSTS], x[1 + FIRSTS :]


def forward(name, x):
    row = ROWS[name]
    x0, first, second = split(x)
    y0 = row.value(x0, *row.numbers)
    y0 = y0 if isinstance(y0, Scaled) else Scaled(y0, np.abs(y0))
    (d1, s1), (d2, s2), _ = row.slopes(x0, y0.wanted, *row.numbers)
    ys, scales = [y0.wanted], [y0.scale]
    for xi in first:
        ys.append(d1 * xi)
        scales.append(s1 * np.abs(xi))
    for (i, j), xs in zip(PAIRS, second, strict=True):
        ys.append(d2 * x[i] * x[j] + d1 * xs)
        scales.append(s2 * np.abs(x[i] * x[j]) + s1 * np.abs(xs))
    return Scaled(np.stack(ys), np.stack([np.broadcast_to(s, x0.shape) for s in scales]))


def backward(name, dy, x, y):
    """dx[c] = sum over channels of dy[b] * d y[b] / d x[c], from the whole Jacobian."""
    row, count = ROWS[name], len(x)
    (d1, s1), (d2, s2), (d3, s3) = row.slopes(x[0], y, *row.numbers)
    jacobian = np.zeros((count, count, x.shape[1]), x.dtype)
    scales = np.zeros_like(jacobian)
    for c in range(count):
        jacobian[c, c], scales[c, c] = d1, s1
    for i in range(1, 1 + FIRSTS):
        jacobian[i, 0], scales[i, 0] = d2 * x[i], s2 * np.abs(x[i])
    for s, (i, j) in enumerate(PAIRS, 1 + FIRSTS):
        jacobian[s, 0] = d3 * x[i] * x[j] + d2 * x[s]
        scales[s, 0] = s3 * np.abs(x[i] * x[j]) + s2 * np.abs(x[s])
        for a, b in ((i, j), (j, i)):
            jacobian[s, a] += d2 * x[b]
            scales[s, a] += s2 * np.abs(x[b])
    return Scaled((jacobian * dy[:, None]).sum(0), (scales * np.abs(dy)[:, None]).sum(0))


def both(numbers):
    return (*numbers, 0, 0)[:2]


@each
def test_forward(name):
    kernel = KERNEL[f"jet_{name}_forward"]
    check_kernel(
        f"jet_{name}_forward",
        lambda y, x: _kernels.jet_forward(kernel, y, x, PAIRS, FIRSTS, *both(ROWS[name].numbers)),
        arguments=lambda draw, n: {"x": draw((5, n))},
        reference=lambda x: {"y": forward(name, x)},
        eps=tolerances.MATH + tolerances.FEW,
        sizes=lambda lanes: around_lanes(lanes, 12_003),
        values=("normal", "offset"),
    )


@each
def test_backward(name):
    kernel = KERNEL[f"jet_{name}_backward"]

    def arguments(draw, n):
        x = draw((5, n))
        y = ROWS[name].value(x[0].astype(np.longdouble), *ROWS[name].numbers)
        y = y.wanted if isinstance(y, Scaled) else y
        return {"dy": draw.normal((5, n)), "x": x, "y": y.astype(x.dtype)}

    check_kernel(
        f"jet_{name}_backward",
        lambda dx, dy, x, y: _kernels.jet_backward(
            kernel, dx, dy, x, y, PAIRS, FIRSTS, *both(ROWS[name].numbers)
        ),
        arguments=arguments,
        reference=lambda dy, x, y: {"dx": backward(name, dy, x, y)},
        eps=tolerances.MATH + tolerances.FEW,
        sizes=lambda lanes: around_lanes(lanes, 6_003),
        values=("normal", "offset"),
    )


@each
def test_the_value_alone(name, isa, dtype):
    """Without derivatives it is the activation."""
    x = np.random.default_rng(0).normal(size=(1, 37)).astype(dtype)
    y, wanted = np.empty_like(x), np.empty_like(x)
    nothing, numbers = np.empty((0, 2), np.int64), both(ROWS[name].numbers)
    _kernels.jet_forward(KERNEL[f"jet_{name}_forward"], y, x, nothing, 0, *numbers)
    if name == "sin":
        _kernels.unary(KERNEL["sin"], wanted, x, 0, 0)
    else:
        _kernels.activation_forward(KERNEL[f"{name}_forward"], wanted, x, *numbers)
    assert_same_bits(y, wanted)
