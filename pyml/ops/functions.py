"""Functions of one or two numbers that NumPy computes.

Derivatives are made of operations, so that they can be differentiated again.
"""

import math
from collections import namedtuple

import numpy as np

from pyml.attributes import default_float
from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import is_tracked
from pyml.ops.activation import softplus
from pyml.ops.arrays import checked_tensor
from pyml.ops.comparison import eq, ne
from pyml.ops.elementwise import abs as absolute
from pyml.ops.elementwise import add, clamp, cos, log, log1p, mul, neg, pow, sub, where
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes, cast, number_as, result_type, sum_to
from pyml.ops.reduce import sum
from pyml.ops.shape import integer, stack
from pyml.ops.special import erfc, lgamma
from pyml.tensor import Node, Tensor

DOUBLE = np.dtype(np.float64)
LN2, LN10 = math.log(2), math.log(10)
frexp_result = namedtuple("frexp", ("mantissa", "exponent"))


class Computed(Node):
    """y = f(*inputs), element by element; a derivative for each input is a function of them.

    Where it has one more argument, that is y. What it does not read has a name with "_" before it,
    and may be None.
    """

    def __init__(self, name, shapes, derivatives):
        self._name, self._shapes, self._derivatives = name, shapes, derivatives

    def _operation(self):
        return self._name

    def track(self, y, inputs):
        self._connect(y, inputs)
        wanted = [
            d for d, edge in zip(self._derivatives, self.inputs, strict=True) if edge is not None
        ]
        read = {i for d in wanted for i, word in enumerate(arguments(d)) if word[0] != "_"}
        for i, x in enumerate(inputs):
            self._keep(x if i in read else None)
        self._reads_result = len(inputs) in read
        if self._reads_result:
            self._keep(y)

    def _gradients(self, dy):
        values = [self._saved(i) for i in range(len(self._shapes))]
        if self._reads_result:
            values.append(self._as_output(self._saved(len(values))))
        return tuple(
            None
            if edge is None
            else sum_to(dy * derivative(*values[: len(arguments(derivative))]), shape)
            for edge, shape, derivative in zip(
                self.inputs, self._shapes, self._derivatives, strict=True
            )
        )


def computed(name, function, inputs, derivatives):
    """function(*arrays), of their dtype, as a Tensor with its node."""
    y = Tensor._on(by_numpy(name, of_its_dtype, tuple(x.array for x in inputs), function))
    if derivatives and is_tracked(*inputs):
        Computed(name, [x.shape for x in inputs], derivatives).track(y, tuple(inputs))
    return y


def arguments(derivative):
    """The names of what it is a function of."""
    code = derivative.__code__
    return code.co_varnames[: code.co_argcount]


def of_its_dtype(*arguments):
    """function(*arrays), which may compute in double, of the arrays' dtype.

    The arrays are put in order: NumPy rounds otherwise where a stride is negative, also one that no
    element needs.
    """
    *arrays, function = arguments
    arrays = [np.ravel(a).reshape(a.shape) for a in arrays]
    return np.asarray(function(*arrays), arrays[0].dtype)


def floating(x, name):
    """x as a Tensor of float32 or float64."""
    checked_tensor(x, name)
    return x if x.dtype.kind == "f" else cast(x, default_float())


def of_one(name, function, derivative, meaning, module=__name__):
    """A function of one number, which is found by its name in a module."""

    def of_tensor(input):
        return computed(name, function, (floating(input, name),), (derivative,))

    of_tensor.__name__ = of_tensor.__qualname__ = name
    of_tensor.__module__ = module
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
tan = of_one("tan", np.tan, lambda _x, y: y * y + 1, "The tangent")
log2 = of_one("log2", np.log2, lambda x: 1 / (x * LN2), "The logarithm to base 2")
log10 = of_one("log10", np.log10, lambda x: 1 / (x * LN10), "The logarithm to base 10")
exp2 = of_one("exp2", np.exp2, lambda _x, y: y * LN2, "2 to the power of the input")


def sinc_slope(x):
    """(cos(pi x) - sinc(x)) / x; near 0, where digits cancel, its series."""
    t = x * math.pi
    near = absolute(x) < 0.01
    square = t * t
    series = t * (-math.pi / 3) * (1 - square / 10 * (1 - square / 28 * (1 - square / 54)))
    return where(near, series, (cos(t) - sinc(x)) / where(near, 1.0, x))


sinc = of_one("sinc", np.sinc, sinc_slope, "sin(pi x) / (pi x), 1 at 0")
entr = of_one(
    "entr",
    lambda x: np.where(x > 0, -x * np.log(np.where(x > 0, x, 1)), np.where(x < 0, -np.inf, x * 0)),
    lambda x: neg(log(x)) - 1,
    "-x log x, a term of an entropy; 0 at 0, -inf below",
)


# ---- rounding ------------------------------------------------------------------------------------


def trunc(input):
    """The integer part, towards 0. Its derivative is 0."""
    checked_tensor(input, "trunc")
    return computed("trunc", integer_part, (input,), (lambda _x: 0.0,))


def integer_part(x):
    return np.asarray(np.trunc(x), x.dtype)


def frac(input):
    """The fraction that trunc cuts off; its sign is the input's."""
    return sub(input, trunc(input))


def fmod(input, other):
    """What is left of input / other rounded towards 0; it has the sign of the input."""
    a, b = both(input, other, "fmod")
    return computed("fmod", rest, (a, b), (lambda _a, _b: 1.0, lambda a, b: neg(trunc(a / b))))


def rest(a, b):
    if a.dtype.kind != "f" and not b.all():
        raise ZeroDivisionError("fmod: an integer is divided by zero")
    return np.fmod(a, b)


def frexp(input):
    """The mantissa, from 0.5 to 1 in size, and the exponent of mantissa * 2^exponent.

    Returns:
        A named tuple (mantissa, exponent), the exponent of int32.

    Raises:
        TypeError: for integers.
    """
    checked_tensor(input, "frexp")
    if input.dtype.kind != "f":
        raise DtypeError(f"frexp: input has dtype {input.dtype}, it must be float32 or float64")
    exponent = Tensor._on(by_numpy("frexp", exponents, (input.array,)))

    def slope(_x):
        return pow(0.5, cast(exponent, input.dtype))

    return frexp_result(computed("frexp", mantissas, (input,), (slope,)), exponent)


def mantissas(x):
    return np.frexp(x)[0]


def exponents(x):
    return np.frexp(x)[1]


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
        cast(x, dtype) if isinstance(x, Tensor) else Tensor._on(number_as(x, dtype, name))
        for x in (a, b)
    )


def both_floating(a, b, name):
    return tuple(floating(x, name) for x in both(a, b, name))


def atan2(input, other):
    """The angle of the point (other, input) with the positive axis, from -pi to pi.

    At the origin its gradient is 0.
    """

    def by_square(y, x, z):
        square = x * x + y * y
        return where(square == 0, 0.0, z / where(square == 0, 1.0, square))

    return computed(
        "atan2",
        np.arctan2,
        both_floating(input, other, "atan2"),
        (lambda y, x: by_square(y, x, x), lambda y, x: neg(by_square(y, x, y))),
    )


def hypot(input, other):
    """sqrt(input^2 + other^2), without overflow."""
    return computed(
        "hypot",
        np.hypot,
        both_floating(input, other, "hypot"),
        (lambda a, _b, y: a / y, lambda _a, b, y: b / y),
    )


def logaddexp(input, other):
    """log(exp(input) + exp(other)), without overflow."""
    a, b = both_floating(input, other, "logaddexp")
    above = a > b
    larger, smaller = where(above, a, b), where(above, b, a)
    is_same = eq(a, b) & eq(absolute(a), math.inf)  # infinities, which have no difference
    return larger + softplus(where(is_same, 0.0, smaller - larger))


def logaddexp2(input, other):
    """log2(2^input + 2^other), without overflow."""
    a, b = both_floating(input, other, "logaddexp2")
    return logaddexp(a * LN2, b * LN2) / LN2


def xlogy(input, other):
    """input * log(other); 0 where the input is 0, unless other is NaN."""
    a, b = both_floating(input, other, "xlogy")
    nothing = (a == 0) & ((b <= 0) | (b == math.inf))  # where log has no number to be 0 times
    return mul(a, log(where(nothing, 1.0, b)))


def xlog1py(input, other):
    """input * log(1 + other); 0 where the input is 0, unless other is NaN."""
    a, b = both_floating(input, other, "xlog1py")
    nothing = (a == 0) & ((b <= -1) | (b == math.inf))  # where log has no number to be 0 times
    return mul(a, log1p(where(nothing, 0.0, b)))


def heaviside(input, values):
    """0 below 0, 1 above, `values` at 0; 0 for NaN. Its slope is 0, also where it jumps."""
    pair = both(input, values, "heaviside")
    return computed("heaviside", steps, pair, (lambda _x, _at: 0.0, lambda x, _at: eq(x, 0)))


def steps(x, at):
    return np.where(x == 0, at, x > 0)


def gcd(input, other):
    """The greatest common divisor of integers; gcd(0, 0) is 0."""
    return of_integers(input, other, np.gcd, "gcd")


def lcm(input, other):
    """The least common multiple of integers; 0 if one is 0."""
    return of_integers(input, other, np.lcm, "lcm")


def fmax(input, other):
    """The larger of the two; if one is NaN, the other."""
    a, b = both(input, other, "fmax")
    return where((a >= b) | (b != b), a, b)


def fmin(input, other):
    """The smaller of the two; if one is NaN, the other."""
    a, b = both(input, other, "fmin")
    return where((a <= b) | (b != b), a, b)


def nextafter(input, other):
    """The next number of the dtype from the input towards other.

    It moves with the input, and not where the two are equal, as in PyTorch; other does not move it.
    """
    pair = both_floating(input, other, "nextafter")
    return computed("nextafter", np.nextafter, pair, (lambda a, b: ne(a, b), lambda _a, _b: 0.0))


def bitwise_left_shift(input, other):
    """input * 2^other, of integers."""
    return of_integers(input, other, np.left_shift, "bitwise_left_shift")


def bitwise_right_shift(input, other):
    """input / 2^other rounded down, of integers."""
    return of_integers(input, other, np.right_shift, "bitwise_right_shift")


def of_integers(input, other, function, name):
    a, b = both(input, other, name)
    if a.dtype.kind not in "iu":
        raise DtypeError(f"{name}: dtype {a.dtype}; it must be an integer type")
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
    return mul(absolute(a), Tensor._on(by_numpy("copysign", signs, (b.array,))))


def signs(x):
    """1 or -1."""
    return np.copysign(x.dtype.type(1), x)


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
        raise DtypeError("positive: dtype bool; it must be a number")
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
    return Tensor._on(by_numpy("signbit", np.signbit, (input.array,)))


def isposinf(input):
    """True where the input is inf."""
    return eq(checked_tensor(input, "isposinf"), math.inf)


def isneginf(input):
    """True where the input is -inf."""
    return eq(checked_tensor(input, "isneginf"), -math.inf)


def rsub(input, other, *, alpha=1):
    """other - alpha * input."""
    checked_tensor(input, "rsub")
    return sub(other, input, alpha=alpha)


def float_power(input, exponent):
    """input raised to exponent, in float64."""
    if not isinstance(exponent, Tensor):
        checked_tensor(input, "float_power")
    a, b = (cast(x, DOUBLE) if isinstance(x, Tensor) else x for x in (input, exponent))
    return pow(a, b)


def ldexp(input, other):
    """input * 2^other."""
    a, b = both_floating(input, other, "ldexp")
    return mul(a, pow(2.0, b))


def ndtr(input):
    """The distribution function of the normal distribution, erfc(-input / sqrt(2)) / 2."""
    return erfc(mul(floating(input, "ndtr"), -math.sqrt(0.5))) / 2


def mvlgamma(input, p):
    """The logarithm of the multivariate gamma function of dimension p.

    p (p - 1) / 4 log(pi) + sum over i < p of lgamma(input - i / 2)

    Args:
        input: above (p - 1) / 2.
        p: an integer >= 1.
    """
    x = floating(input, "mvlgamma")
    p = integer(p, "mvlgamma: p")
    if p < 1:
        raise ArgumentError(f"mvlgamma: p is {p}, it must be at least 1")
    terms = stack([lgamma(x - i / 2) for i in range(p)])
    return add(sum(terms, 0), p * (p - 1) / 4 * math.log(math.pi))
