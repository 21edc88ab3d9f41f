"""A table of all activations: their kernels, modules, derivatives, effects and recordings are
tested from it, and compared with PyTorch's."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.sweep import WIDE, Scaled

# ---- what the formulas have in common

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


SELU_SCALE = np.longdouble("1.0507009873554804934193349852946")
SELU_ALPHA = np.longdouble("1.6732632423543772848170429916717")


def selu(x):
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def selu_derivative(x):
    return SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.minimum(x, 0)))


def celu_derivative(x, a):
    z = np.minimum(x, 0) / a
    slope = np.where(x > 0, 1, np.exp(z))
    return Scaled(slope, slope * (1 + np.clip(np.abs(z), 0, 1e4)))  # exp multiplies z's errors


def softsign(x):
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


def tanhshrink(x):
    return Scaled(x - np.tanh(x), np.where(np.isinf(x), 1, np.abs(x)))


def softshrink(x, a):
    return np.where(np.abs(x) <= a, 0, x - a * np.sign(x))


def mish(x):
    return limit(x, high=np.inf) * np.tanh(np.logaddexp(0, x))


def mish_derivative(x):
    x = limit(x)
    t, slope = np.tanh(np.logaddexp(0, x)), x * sigmoid(x) / np.cosh(np.logaddexp(0, x)) ** 2
    return Scaled(t + slope, t + np.abs(slope) * (1 + np.clip(np.abs(x), 0, 40)))


# ---- the table


@dataclass(frozen=True)
class Activation:
    """An activation with its reference.

    Attributes:
        kernel: its kernels are kernel_forward and kernel_backward.
        module: its name in nn.
        function: f(x, *numbers) in a wide dtype.
        derivative: f'(s, *numbers) from what backward is given; Scaled, if its errors are not of
            its own size.
        options: of the module, and of the function; a kernel is given those that are numbers.
        inplace: whether module and function have it, beside a function whose name ends in _.
        outputs: the range of f, if backward is given the output; else it is given the input.
        chooses: a derivative that is chosen: a NaN in s is not read.
        exact: nothing is rounded.
    """

    kernel: str
    module: str
    function: Callable
    derivative: Callable
    options: tuple = ({},)
    inplace: bool = False
    outputs: tuple = None
    chooses: bool = False
    exact: bool = False

    def __str__(self):
        return self.kernel

    @property
    def name(self):
        """That of the function in nn.functional."""
        return self.kernel.removesuffix("_tanh")

    def numbers(self, options):
        """What the kernels are given of the options."""
        return tuple(value for value in options.values() if not isinstance(value, str))


ACTIVATIONS = [
    Activation(
        "relu",
        "ReLU",
        lambda x: np.where(x <= 0, 0, x),
        lambda y: np.where(y <= 0, 0.0, 1.0),
        inplace=True,
        outputs=(0, np.inf),
        chooses=True,
        exact=True,
    ),
    Activation(
        "leaky_relu",
        "LeakyReLU",
        lambda x, a: np.where(x > 0, x, x * a),
        lambda x, a: np.where(x > 0, 1, a),
        options=tuple({"negative_slope": a} for a in (0.01, 0.3, -0.5, 0)),
        inplace=True,
        chooses=True,
    ),
    Activation(
        "sigmoid",
        "Sigmoid",
        sigmoid,
        lambda y: Scaled(y * (1 - y), np.abs(y)),
        outputs=(0, 1),
    ),
    Activation(
        "tanh",
        "Tanh",
        np.tanh,
        lambda y: Scaled(1 - y * y, np.ones_like(y)),
        outputs=(-1, 1),
    ),
    Activation("gelu", "GELU", gelu, gelu_derivative, options=({"approximate": "none"},)),
    Activation(
        "gelu_tanh",
        "GELU",
        gelu_tanh,
        gelu_tanh_derivative,
        options=({"approximate": "tanh"},),
    ),
    Activation("silu", "SiLU", silu, silu_derivative, inplace=True),
    Activation(
        "elu",
        "ELU",
        lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
        lambda x, a: np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
        options=tuple({"alpha": a} for a in (1.0, 0.5, -2)),
        inplace=True,
    ),
    Activation(
        "softplus",
        "Softplus",
        softplus,
        lambda x, b, t: np.where(x * b > t, 1, sigmoid(x * b)),
        options=tuple({"beta": b, "threshold": t} for b, t in [(1.0, 20.0), (2, 20), (0.5, 3)]),
    ),
    Activation("mish", "Mish", mish, mish_derivative, inplace=True),
    Activation(
        "hardswish",
        "Hardswish",
        lambda x: limit(x, high=np.inf) * np.clip(x + 3, 0, 6) / 6,
        lambda x: np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * limit(x) + 3) / 6)),
        inplace=True,
    ),
    Activation("selu", "SELU", selu, selu_derivative, inplace=True),
    Activation(
        "celu",
        "CELU",
        lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
        celu_derivative,
        options=tuple({"alpha": a} for a in (1.0, 0.5, 4)),
        inplace=True,
    ),
    Activation("logsigmoid", "LogSigmoid", lambda x: -np.logaddexp(0, -x), lambda x: sigmoid(-x)),
    Activation("softsign", "Softsign", softsign, lambda x: 1 / (1 + np.abs(x)) ** 2),
    Activation("tanhshrink", "Tanhshrink", tanhshrink, lambda x: np.tanh(x) ** 2),
    Activation(
        "hardtanh",
        "Hardtanh",
        lambda x, low, high: np.clip(x, low, high),
        lambda x, low, high: np.where((x <= low) | (x >= high), 0, 1),
        options=tuple({"min_val": a, "max_val": b} for a, b in [(-1.0, 1.0), (-2, 0.5), (0, 6)]),
        inplace=True,
        chooses=True,
        exact=True,
    ),
    Activation(
        "hardsigmoid",
        "Hardsigmoid",
        lambda x: np.clip(x + 3, 0, 6) / 6,
        lambda x: np.where((x > -3) & (x < 3), np.ones_like(x) / 6, 0),
        inplace=True,
        chooses=True,
    ),
    Activation(
        "threshold",
        "Threshold",
        lambda x, limit, value: np.where(x <= limit, value, x),
        lambda x, limit, value: np.where(x <= limit, 0, 1),
        options=tuple({"threshold": a, "value": b} for a, b in [(1.0, -0.5), (-2, 4)]),
        inplace=True,
        chooses=True,
        exact=True,
    ),
    Activation(
        "hardshrink",
        "Hardshrink",
        lambda x, a: np.where(np.abs(x) <= a, 0, x),
        lambda x, a: np.where(np.abs(x) <= a, 0, 1),
        options=tuple({"lambd": a} for a in (0.5, 2, 0)),
        chooses=True,
        exact=True,
    ),
    Activation(
        "softshrink",
        "Softshrink",
        softshrink,
        lambda x, a: np.where(np.abs(x) <= a, 0, 1),
        options=tuple({"lambd": a} for a in (0.5, 2, 0)),
        chooses=True,
    ),
]
CALLS = [(f, options) for f in ACTIVATIONS for options in f.options]
IDS = [f"{f.kernel}{list(f.numbers(options)) or ''}" for f, options in CALLS]
