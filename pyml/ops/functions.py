"""Functions of one or two numbers that NumPy computes. A recorded step refuses them.

Derivatives are made of operations, so that they can be differentiated again.
"""

import math

import numpy as np

from pyml.attributes import default_float
from pyml.grad_mode import is_grad_enabled
from pyml.ops.arrays import checked_tensor
from pyml.ops.elementwise import abs as absolute
from pyml.ops.elementwise import clamp, cos, log, mul, neg, pow, sub, where
from pyml.ops.operands import broadcast_shapes, cast, result_type, sum_to
from pyml.ops.reduce import logsumexp
from pyml.ops.shape import broadcast_tensors, stack
from pyml.recorder import refuse
from pyml.tensor import Node, Tensor

LN2, LN10 = math.log(2), math.log(10)


class Computed(Node):
    """y = f(*inputs), element by element; a derivative for each input is a function of them."""

    def __init__(self, name, shapes, derivatives):
        self._name, self._shapes, self._derivatives = name, shapes, derivatives

    def name(self):
        return self._name

    def _gradients(self, dy):
        inputs = [self._saved(i) for i in range(len(self._shapes))]
        return tuple(
            None if edge is None else sum_to(dy * derivative(*inputs), shape)
            for edge, shape, derivative in zip(
                self.inputs, self._shapes, self._derivatives, strict=True
            )
        )


def computed(name, function, inputs, derivatives):
    """function(*arrays) as a Tensor of their dtype, with its node."""
    refuse(name)
    with np.errstate(all="ignore"):
        array = np.asarray(function(*[x.array for x in inputs]), inputs[0].dtype)
    y = Tensor._on(array)
    if derivatives and is_grad_enabled() and any(x.requires_grad for x in inputs):
        node = Computed(name, [x.shape for x in inputs], derivatives)
        node._connect(y, tuple(inputs), keep=tuple(inputs))
    return y


def floating(x, name):
    """x as a Tensor of float32 or float64."""
    checked_tensor(x, name)
    return x if x.dtype.kind == "f" else cast(x, default_float())


def of_one(name, function, derivative, meaning):
    """A function of one number."""

    def of_tensor(input):
        return computed(name, function, (floating(input, name),), (derivative,))

    of_tensor.__name__ = of_tensor.__qualname__ = name
    of_tensor.__doc__ = f"{meaning}, element by element."
    return of_tensor


acos = of_one("acos", np.arccos, lambda x: neg(pow(1 - x * x, -0.5)), "The arc cosine")
acosh = of_one("acosh", np.arccosh, lambda x: pow(x * x - 1, -0.5), "The inverse of cosh")
asin = of_one("asin", np.arcsin, lambda x: pow(1 - x * x, -0.5), "The arc sine")
asinh = of_one("asinh", np.arcsinh, lambda x: pow(x * x + 1, -0.5), "The inverse of sinh")
atan = of_one("atan", np.arctan, lambda x: 1 / (1 + x * x), "The arc tangent")
atanh = of_one("atanh", np.arctanh, lambda x: 1 / (1 - x * x), "The inverse of tanh")
cosh = of_one("cosh", np.cosh, lambda x: sinh(x), "The hyperbolic cosine")
sinh = of_one("sinh", np.sinh, lambda x: cosh(x), "The hyperbolic sine")
tan = of_one("tan", np.tan, lambda x: pow(cos(x), -2), "The tangent")
log2 = of_one("log2", np.log2, lambda x: 1 / (x * LN2), "The logarithm to base 2")
log10 = of_one("log10", np.log10, lambda x: 1 / (x * LN10), "The logarithm to base 10")
exp2 = of_one("exp2", np.exp2, lambda x: exp2(x) * LN2, "2 to the power of the input")


# ---- rounding ------------------------------------------------------------------------------------


def trunc(input):
    """The integer part, towards 0. Its derivative is 0."""
    checked_tensor(input, "trunc")
    return computed("trunc", np.trunc, (input,), (lambda x: 0.0,))


def frac(input):
    """The fraction that trunc cuts off; its sign is the input's."""
    return sub(input, trunc(input))


def fmod(input, other):
    """What is left of input / other rounded towards 0; it has the sign of the input."""
    a, b = both(input, other, "fmod")
    if a.dtype.kind != "f" and not b.array.all():
        raise ZeroDivisionError("fmod: an integer is divided by zero")
    return computed("fmod", np.fmod, (a, b), (lambda a, b: 1.0, lambda a, b: neg(trunc(a / b))))


def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN and infinite numbers replaced.

    Args:
        nan: in place of NaN. Default: 0.
        posinf, neginf: in place of inf and -inf. Default: the largest and the smallest number.
    """
    checked_tensor(input, "nan_to_num")
    if input.dtype.kind != "f":
        return input.clone()
    largest = float(np.finfo(input.dtype).max)
    y = where(input != input, 0.0 if nan is None else float(nan), input)
    y = where(input == math.inf, largest if posinf is None else float(posinf), y)
    return where(input == -math.inf, -largest if neginf is None else float(neginf), y)


# ---- two -----------------------------------------------------------------------------------------


def both(a, b, name):
    """Two operands as Tensors of the dtype in which they are computed."""
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        checked_tensor(a, name)
    dtype = result_type(a, b, name=name)
    broadcast_shapes(np.shape(a), np.shape(b), name=name)
    return tuple(
        cast(x, dtype) if isinstance(x, Tensor) else Tensor._on(np.asarray(x, dtype))
        for x in (a, b)
    )


def both_floating(a, b, name):
    return tuple(floating(x, name) for x in both(a, b, name))


def atan2(input, other):
    """The angle of the point (other, input) with the positive axis, from -pi to pi."""
    return computed(
        "atan2",
        np.arctan2,
        both_floating(input, other, "atan2"),
        (lambda y, x: x / (x * x + y * y), lambda y, x: neg(y / (x * x + y * y))),
    )


def hypot(input, other):
    """sqrt(input^2 + other^2), without overflow."""
    return computed(
        "hypot",
        np.hypot,
        both_floating(input, other, "hypot"),
        (lambda a, b: a / hypot(a, b), lambda a, b: b / hypot(a, b)),
    )


def logaddexp(input, other):
    """log(exp(input) + exp(other)), without overflow."""
    return logsumexp(stack(broadcast_tensors(*both_floating(input, other, "logaddexp"))), 0)


def logaddexp2(input, other):
    """log2(2^input + 2^other), without overflow."""
    a, b = both_floating(input, other, "logaddexp2")
    return logaddexp(a * LN2, b * LN2) / LN2


def xlogy(input, other):
    """input * log(other); 0 where the input is 0, unless other is NaN."""
    a, b = both_floating(input, other, "xlogy")
    nothing = (a == 0) & ((b <= 0) | (b == math.inf))  # where log has no number to be 0 times
    return mul(a, log(where(nothing, 1.0, b)))


def fmax(input, other):
    """The larger of the two; if one is NaN, the other."""
    a, b = both(input, other, "fmax")
    return where((a >= b) | (b != b), a, b)


def fmin(input, other):
    """The smaller of the two; if one is NaN, the other."""
    a, b = both(input, other, "fmin")
    return where((a <= b) | (b != b), a, b)


def nextafter(input, other):
    """The next number of the dtype from the input towards other. Not differentiable."""
    return computed("nextafter", np.nextafter, both_floating(input, other, "nextafter"), ())


def bitwise_left_shift(input, other):
    """input * 2^other, of integers."""
    return shifted(input, other, np.left_shift, "bitwise_left_shift")


def bitwise_right_shift(input, other):
    """input / 2^other rounded down, of integers."""
    return shifted(input, other, np.right_shift, "bitwise_right_shift")


def shifted(input, other, function, name):
    a, b = both(input, other, name)
    if a.dtype.kind not in "iu":
        raise TypeError(f"{name}: dtype {a.dtype}; it must be an integer type")
    return computed(name, function, (a, b), ())


def clamp_min(input, min):
    """The input, or `min` where that is larger."""
    checked_tensor(input, "clamp_min")
    return clamp(input, min=min)


def clamp_max(input, max):
    """The input, or `max` where that is smaller."""
    checked_tensor(input, "clamp_max")
    return clamp(input, max=max)


def copysign(input, other):
    """The size of the input with the sign of other."""
    a, b = both_floating(input, other, "copysign")
    signs = Tensor._on(np.asarray(np.copysign(1.0, b.detach().array), a.dtype))
    refuse("copysign")
    return mul(absolute(a), signs)


# ---- composites ----------------------------------------------------------------------------------


def logit(input, eps=None):
    """log(input / (1 - input)).

    Args:
        eps: the input is clamped to [eps, 1 - eps] first. Default: None, not at all.
    """
    x = floating(input, "logit")
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    return sub(log(x), log(sub(1, x)))


def positive(input):
    """The input itself."""
    checked_tensor(input, "positive")
    if input.dtype.kind == "b":
        raise TypeError("positive: dtype bool; it must be a number")
    return input


def deg2rad(input):
    """Degrees as radians."""
    return mul(floating(input, "deg2rad"), math.pi / 180)


def rad2deg(input):
    """Radians as degrees."""
    return mul(floating(input, "rad2deg"), 180 / math.pi)


def signbit(input):
    """True where the sign is minus, also that of -0."""
    checked_tensor(input, "signbit")
    refuse("signbit")
    return Tensor._on(np.asarray(np.signbit(input.array)))
