import math

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import KERNEL, WIDE, Scaled, around_lanes, around_lanes_math, check_kernel
from pyml import _kernels

SQRT_HALF = np.sqrt(np.longdouble(0.5))
erfc_of_double = np.vectorize(math.erfc, otypes=[float])


def erfc(z):
    """math.erfc, and what z has beyond a double by a step of Taylor's series."""
    double = z.astype(float)
    slope = -2 / np.sqrt(np.pi) * np.exp(-(z**2))
    return erfc_of_double(double) + slope * (z - double)


def limit(x, low=-1e4, high=1e4):
    """Cuts an argument where a function has long reached its limit, to avoid inf * 0."""
    return np.clip(x, low, high)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normal_cdf(x):
    return erfc(-limit(x) * SQRT_HALF) / 2


def normal_pdf(x):
    return np.exp(-(limit(x) ** 2) / 2) / np.sqrt(2 * np.pi)


def of_float32(x):
    """Whether x is the wide form of float32: there the normal distribution function is exact to
    an eps of 1, not of itself."""
    return x.dtype == WIDE[np.dtype("float32")]


def gelu(x):
    y = limit(x, high=np.inf) * normal_cdf(x)
    return Scaled(y, np.abs(x if of_float32(x) else y))


def gelu_derivative(x):
    x = limit(x)
    slope = normal_cdf(x) + x * normal_pdf(x)
    return Scaled(slope, 1 if of_float32(x) else normal_cdf(x) + np.abs(x) * normal_pdf(x))


A, B = (
    2 * np.sqrt(2 / np.longdouble(np.pi)),
    2 * np.sqrt(2 / np.longdouble(np.pi)) * np.longdouble("0.044715"),
)


def gelu_tanh(x):
    """x/2 (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3); exp multiplies u's errors."""
    t = limit(x)
    u = A * t + B * t**3
    y = limit(x, high=np.inf) * sigmoid(u)
    return Scaled(y, np.abs(y) * (1 + np.abs(u)))


def gelu_tanh_derivative(x):
    x = limit(x)
    u, du = A * x + B * x**3, A + 3 * B * x**2
    g = sigmoid(u)
    slope = x * du * sigmoid(u) * sigmoid(-u)
    return Scaled(g + slope, (g + np.abs(slope)) * (1 + np.minimum(np.abs(u), 100)))


def silu(x):
    return limit(x, high=np.inf) * sigmoid(x)


def silu_derivative(x):
    x = limit(x)
    slope = x * sigmoid(x) * sigmoid(-x)
    return Scaled(
        sigmoid(x) + slope, sigmoid(x) * (1 + np.clip(np.abs(x), 0, 40))
    )  # 1 - g loses digits until it is 0


def softplus(x, beta, threshold):
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


# the function, its derivative (of y for relu, sigmoid, tanh; else of x), and the (alpha, beta) it
# is called with
FUNCTIONS = {
    "relu": (lambda x: np.where(x <= 0, 0, x), lambda y: np.where(y <= 0, 0.0, 1.0), [()]),
    "leaky_relu": (
        lambda x, a, b: np.where(x > 0, x, x * a),
        lambda x, a, b: np.where(x > 0, 1, a),
        [(0.01, 0), (0.3, 0), (-0.5, 0), (0, 0)],
    ),
    "sigmoid": (sigmoid, lambda y: Scaled(y * (1 - y), np.abs(y)), [()]),
    "tanh": (np.tanh, lambda y: Scaled(1 - y * y, np.ones_like(y)), [()]),
    "gelu": (gelu, gelu_derivative, [()]),
    "gelu_tanh": (gelu_tanh, gelu_tanh_derivative, [()]),
    "silu": (silu, silu_derivative, [()]),
    "elu": (
        lambda x, a, b: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
        lambda x, a, b: np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
        [(1, 0), (0.5, 0), (-2, 0)],
    ),
    "softplus": (
        softplus,
        lambda x, b, t: np.where(x * b > t, 1, sigmoid(x * b)),
        [(1, 20), (2, 20), (0.5, 3)],
    ),
}
CALLS = [
    (name, options) for name, (_, _, all_options) in FUNCTIONS.items() for options in all_options
]
FROM_OUTPUT = ("relu", "sigmoid", "tanh")
EXACT = ("relu",)


def both(options):
    """The alpha and beta of a call; 0 for what a function has not."""
    return options or (0, 0)


def scaled(value):
    return value if isinstance(value, Scaled) else Scaled(value, np.abs(value))


def rounded_options(options, like):
    """What the kernel makes of an option: a number of the dtype."""
    narrow = np.float32 if like.dtype == np.float64 else np.float64
    return [np.asarray(narrow(option)).astype(like.dtype) for option in options]


def apply(function, x, options):
    return function(x, *rounded_options(options, x))


@pytest.mark.parametrize(("name", "options"), CALLS, ids=str)
def test_forward(name, options):
    kernel = f"{name}_forward"
    check_kernel(
        kernel,
        lambda y, x: _kernels.activation_forward(KERNEL[kernel], y, x, *both(options)),
        arguments=lambda draw, n: {"x": draw(n)},
        reference=lambda x: {"y": scaled(apply(FUNCTIONS[name][0], x, options))},
        eps=tolerances.EXACT if name in EXACT else tolerances.MATH,
        sizes=around_lanes if name in EXACT else around_lanes_math,
        values=("normal", "offset", "special"),
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize(("name", "options"), CALLS, ids=str)
def test_backward(name, options):
    kernel = f"{name}_backward"

    def arguments(draw, n):
        s = draw(n)
        if name in ("sigmoid", "tanh"):  # their outputs
            s = draw.uniform(n, 0 if name == "sigmoid" else -1, 1)
            s[: n // 8] = 1
            s[n // 8 : n // 4] = 0 if name == "sigmoid" else -1
        return {"dy": draw.normal(n), "s": s}

    def reference(dy, s):
        derivative, scale = scaled(apply(FUNCTIONS[name][1], s, options))
        wanted = dy * derivative
        if name in ("relu", "leaky_relu"):  # a choice, so that NaN in s is not read
            return {"dx": Scaled(wanted, np.abs(wanted))}
        return {"dx": Scaled(wanted, np.abs(dy) * scale)}

    check_kernel(
        kernel,
        lambda dx, dy, s: _kernels.activation_backward(KERNEL[kernel], dx, dy, s, *both(options)),
        arguments=arguments,
        reference=reference,
        eps=tolerances.EXACT if name in EXACT else tolerances.MATH,
        sizes=around_lanes if name in EXACT else around_lanes_math,
        values=("normal", "offset", "special"),
        in_place=[("dx", "dy"), ("dx", "s")],
    )


@pytest.mark.parametrize(("name", "options"), CALLS, ids=str)
def test_backward_is_the_derivative_of_forward(name, options, isa):
    """By central differences in float64, away from kinks."""
    x = np.concatenate([np.linspace(-5.9, -0.01, 201), np.linspace(0.01, 5.9, 201)])
    h = 1e-5
    y, plus, minus, dx = (np.empty_like(x) for _ in range(4))
    for into, at in ((y, x), (plus, x + h), (minus, x - h)):
        _kernels.activation_forward(KERNEL[f"{name}_forward"], into, at, *both(options))
    s = y if name in FROM_OUTPUT else x
    _kernels.activation_backward(KERNEL[f"{name}_backward"], dx, np.ones_like(x), s, *both(options))
    np.testing.assert_allclose(
        dx, (plus - minus) / (2 * h), rtol=1e-8, atol=1e-8
    )  # h^2 f''' and eps / h


@pytest.mark.parametrize(("name", "options"), CALLS, ids=str)
def test_a_number_does_not_depend_on_its_place(name, options, isa, dtype, rng):
    kernel = KERNEL[f"{name}_forward"]
    x = rng.normal(scale=3, size=67).astype(dtype)
    y = np.empty_like(x)
    _kernels.activation_forward(kernel, y, x, *both(options))
    for i in range(len(x)):
        alone = np.empty(1, dtype)
        _kernels.activation_forward(kernel, alone, x[i : i + 1], *both(options))
        assert_same_bits(alone, y[i : i + 1], f"x[{i}]")
