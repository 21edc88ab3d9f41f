"""Activations: elementwise functions of one kernel forward and one backward.

Each is a Rule, which names its kernels, says what backward keeps and how the derivative is computed by operations that
can be differentiated again; and a function with its options. The formulas stand in csrc/kernels/activation.c.
"""
import inspect
from math import pi, prod, sqrt

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport checked_tensor, contiguous, empty_like, is_real, real_tensor, room_of
from pyml.ops.inplace cimport replace
from pyml.ops.operands cimport floating, written
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.elementwise import abs, clamp, exp, minimum, where
from pyml.ops.reduce import sum
from pyml.ops.shape import reshape

cnp.import_array()


cdef class Rule:
    """How an activation is computed and differentiated.

    Attributes:
        name: its kernels are name_forward and name_backward.
        keeps_output: whether backward is given the output, else the input.
        options: how many numbers the kernels take beside arrays, at most two.
        derivative: (dy, what was kept, options...) -> dy * f'(x), by differentiable operations.
        of_integers: (x, options...) -> f(x) in an integer dtype; None if f is of real numbers alone.
    """
    cdef readonly str name
    cdef int forward, backward, options
    cdef bint keeps_output
    cdef object derivative, of_integers


cdef Rule activation(str name, str keeps, derivative, int options=0, of_integers=None):
    """The Rule of an activation that keeps its "input" or its "output".

    Raises:
        ImportError: if it has no kernels.
    """
    cdef Rule rule = Rule()
    rule.name, rule.keeps_output, rule.derivative, rule.options = name, keeps == "output", derivative, options
    rule.of_integers = of_integers
    rule.forward, rule.backward = _kernels.kernel(name + "_forward"), _kernels.kernel(name + "_backward")
    return rule


cdef class Activation(Node):
    cdef Rule rule
    cdef double alpha, beta

    def _operation(self):
        return self.rule.name

    cdef tuple gradients(self, Tensor dy):
        s = self.saved_output(0) if self.rule.keeps_output else self.saved(0)
        return (self.rule.derivative(dy, s, *(self.alpha, self.beta)[:self.rule.options]),)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray s = contiguous(self.saved(0).array)
        cdef ndarray dx = room_of(dy)
        _kernels.activation_backward(self.rule.backward, dx, contiguous(dy.array), s, self.alpha, self.beta)
        return (wrap(dx),)


cdef Tensor apply(Rule rule, input, double alpha=0, double beta=0):
    """f(input)."""
    if is_of_integers(rule, input):
        return rule.of_integers(input, *(alpha, beta)[:rule.options])
    cdef Tensor x = real_tensor(input, rule.name, "input")
    cdef ndarray a = contiguous(x.array)
    cdef ndarray y = empty_like(a)
    cdef Activation node
    _kernels.activation_forward(rule.forward, y, a, alpha, beta)
    cdef Tensor out = wrap(y)
    if tracks(x):
        node = Activation.__new__(Activation)
        node.rule, node.alpha, node.beta = rule, alpha, beta
        node.connect(out, (x,))
        node.keep(out if rule.keeps_output else x)
    return out


cdef inline bint has_integers(input):
    return isinstance(input, Tensor) and cnp.PyArray_ISINTEGER((<Tensor>input).array)


cdef inline bint is_of_integers(Rule rule, input):
    return rule.of_integers is not None and has_integers(input)


cdef object as_real(input, str name):
    """The input; integers and bools are of the default dtype, as exp takes them."""
    return floating(input, name) if isinstance(input, Tensor) and not is_real((<Tensor>input).array) else input


cdef Tensor apply_in_place(Rule rule, input, double alpha=0, double beta=0):
    """input <- f(input); if backward keeps the input, it keeps a copy."""
    cdef Tensor x = input if is_of_integers(rule, input) else real_tensor(input, rule.name + "_", "input")
    source = x if rule.keeps_output or not tracks(x) else x.clone()
    return replace(x, apply(rule, source, alpha, beta), rule.name + "_")


def in_place(function):
    """`function` with inplace=True, as a function of its own: relu_ of relu."""

    def changed(input, *args, **kwargs):
        return function(input, *args, inplace=True, **kwargs)

    signature = inspect.signature(function)
    changed.__signature__ = signature.replace(
        parameters=[p for name, p in signature.parameters.items() if name != "inplace"])
    changed.__name__ = changed.__qualname__ = function.__name__ + "_"
    changed.__doc__ = f"{function.__name__} in place: the input itself is changed, and returned."
    return changed


cdef Rule RELU = activation(
    "relu", "output", lambda dy, y: where(y > 0, dy, 0.0), options=0, of_integers=lambda x: clamp(x, min=0)
)


def relu(input, bint inplace=False):
    """max(x, 0). The derivative at 0 is 0; NaN stays NaN.

    Args:
        input: any shape; integers stay integers.
        inplace: change the input itself. Default: False.

    Example:
        >>> F.relu(pyml.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return apply_in_place(RELU, input) if inplace else apply(RELU, input)


relu_ = in_place(relu)

cdef Rule LEAKY_RELU = activation("leaky_relu", "input", lambda dy, x, slope: where(x > 0, dy, dy * slope), options=1)


def leaky_relu(input, double negative_slope=0.01, bint inplace=False):
    """x where x > 0, else negative_slope * x (Maas et al. 2013). With `inplace` the input itself is changed."""
    return apply_in_place(LEAKY_RELU, input, negative_slope) if inplace else apply(LEAKY_RELU, input, negative_slope)


leaky_relu_ = in_place(leaky_relu)

cdef Rule SIGMOID = activation("sigmoid", "output", lambda dy, y: dy * (y * (1 - y)))


def sigmoid(input):
    """1 / (1 + exp(-x))."""
    return apply(SIGMOID, as_real(input, "sigmoid"))


def sigmoid_(input):
    """sigmoid in place: the input itself is changed, and returned."""
    return apply_in_place(SIGMOID, input)


cdef Rule TANH = activation("tanh", "output", lambda dy, y: dy * (1 - y * y))


def tanh(input):
    """The hyperbolic tangent."""
    return apply(TANH, as_real(input, "tanh"))


def tanh_(input):
    """tanh in place: the input itself is changed, and returned."""
    return apply_in_place(TANH, input)


cdef class GELUDerivative(Node):
    # d/dx (Phi(x) + x phi(x)) = phi(x) (2 - x^2)
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        return (dy * (exp(-0.5 * (x * x)) * (2 - x * x) * (1 / sqrt(2 * pi))),)


cdef Tensor gelu_derivative(Tensor x):
    """Phi(x) + x phi(x), with Phi and phi the normal distribution and its density."""
    cdef ndarray a = contiguous(x.array)
    cdef ndarray ones = empty_like(a), dx = empty_like(a)
    _kernels.fill(ones, 1)
    _kernels.activation_backward(GELU.backward, dx, ones, a, 0, 0)
    cdef Tensor out = wrap(dx)
    if tracks(x):
        node = GELUDerivative.__new__(GELUDerivative)
        (<GELUDerivative>node).connect(out, (x,))
        (<GELUDerivative>node).keep(x)
    return out


def gelu_tanh_derivative(dy, x):
    c = sqrt(2 / pi)
    t = tanh(c * (x + 0.044715 * (x * x * x)))
    return dy * (0.5 * (1 + t) + (0.5 * c) * x * (1 - t * t) * (1 + (3 * 0.044715) * (x * x)))


cdef Rule GELU = activation("gelu", "input", lambda dy, x: dy * gelu_derivative(x))
cdef Rule GELU_TANH = activation("gelu_tanh", "input", gelu_tanh_derivative)


def gelu(input, approximate="none"):
    """Gaussian error linear unit, x * Phi(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Args:
        input: any shape.
        approximate: "none" for the exact form with erf, "tanh" for 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    Raises:
        ValueError: for another `approximate`.
    """
    if approximate == "none":
        return apply(GELU, input)
    if approximate == "tanh":
        return apply(GELU_TANH, input)
    raise ArgumentError(f"gelu: approximate is {approximate!r}, it must be 'none' or 'tanh'")


def silu_derivative(dy, x):
    s = sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


cdef Rule SILU = activation("silu", "input", silu_derivative)


def silu(input, bint inplace=False):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017, arXiv:1702.03118).

    With `inplace` the input itself is changed.
    """
    return apply_in_place(SILU, input) if inplace else apply(SILU, input)


cdef Rule ELU = activation(
    "elu", "input", lambda dy, x, alpha: where(x > 0, dy, dy * (alpha * exp(minimum(x, x * 0)))), options=1
)


def elu(input, double alpha=1.0, bint inplace=False):
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015, arXiv:1511.07289).

    With `inplace` the input itself is changed.
    """
    return apply_in_place(ELU, input, alpha) if inplace else apply(ELU, input, alpha)


elu_ = in_place(elu)

cdef Rule SOFTPLUS = activation(
    "softplus", "input",
    lambda dy, x, beta, threshold: where(x * beta > threshold, dy, dy * sigmoid(x * beta)), options=2,
)


def softplus(input, double beta=1.0, double threshold=20.0):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""
    return apply(SOFTPLUS, input, beta, threshold)


def mish_derivative(dy, x):
    t = tanh(softplus(x))
    return dy * (t + x * (1 - t * t) * sigmoid(x))


cdef Rule MISH = activation("mish", "input", mish_derivative)


def mish(input, bint inplace=False):
    """x * tanh(softplus(x)) (Misra 2019, arXiv:1908.08681). With `inplace` the input itself is changed."""
    return apply_in_place(MISH, input) if inplace else apply(MISH, input)


def hardswish_derivative(dy, x):
    return where(x <= -3, 0.0, where(x >= 3, dy, dy * (x / 3 + 0.5)))


cdef Rule HARDSWISH = activation("hardswish", "input", hardswish_derivative)


def hardswish(input, bint inplace=False):
    """x * relu6(x + 3) / 6 (Howard et al. 2019, arXiv:1905.02244). The derivative is 0 at -3 and 1 at 3.

    With `inplace` the input itself is changed.
    """
    return apply_in_place(HARDSWISH, input) if inplace else apply(HARDSWISH, input)


SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def below(x):
    """x where it is not above 0, else 0: what exp takes of a function that is linear above."""
    return where(x > 0, 0.0, x)


def selu_derivative(dy, x):
    return dy * where(x > 0, SELU_SCALE, exp(below(x)) * (SELU_SCALE * SELU_ALPHA))


cdef Rule SELU = activation("selu", "input", selu_derivative)


def selu(input, bint inplace=False):
    """scale * elu(x, alpha): keeps mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515).

    scale is 1.0507009873554805, alpha 1.6732632423543772. With `inplace` the input itself is changed.
    """
    return apply_in_place(SELU, input) if inplace else apply(SELU, input)


selu_ = in_place(selu)

cdef Rule CELU = activation(
    "celu", "input", lambda dy, x, alpha: where(x > 0, dy, dy * exp(below(x) / alpha)), options=1
)


def celu(input, double alpha=1.0, bint inplace=False):
    """x where x > 0, else alpha * (exp(x / alpha) - 1): the slope is continuous (Barron 2017, arXiv:1704.07483).

    With `inplace` the input itself is changed.

    Raises:
        ValueError: if alpha is 0.
    """
    if alpha == 0:
        raise ArgumentError("celu: alpha is 0, it must be another number, as it divides")
    return apply_in_place(CELU, input, alpha) if inplace else apply(CELU, input, alpha)


celu_ = in_place(celu)

cdef Rule LOGSIGMOID = activation("logsigmoid", "input", lambda dy, x: dy * sigmoid(-x))


def logsigmoid(input):
    """log(sigmoid(x)) = -log(1 + exp(-x)), without overflow.

    Example:
        >>> F.logsigmoid(pyml.tensor([-1e4])).item()
        -10000.0
    """
    return apply(LOGSIGMOID, input)


def softsign_derivative(dy, x):
    r = 1 / (1 + abs(x))
    return dy * (r * r)


cdef Rule SOFTSIGN = activation("softsign", "input", softsign_derivative)


def softsign(input):
    """x / (1 + |x|)."""
    return apply(SOFTSIGN, as_real(input, "softsign"))


def tanhshrink_derivative(dy, x):
    t = tanh(x)
    return dy * (t * t)


cdef Rule TANHSHRINK = activation("tanhshrink", "input", tanhshrink_derivative)


def tanhshrink(input):
    """x - tanh(x)."""
    return apply(TANHSHRINK, as_real(input, "tanhshrink"))


cdef Rule HARDTANH = activation(
    "hardtanh", "input", lambda dy, x, low, high: where(x <= low, 0.0, where(x >= high, 0.0, dy)), options=2,
    of_integers=lambda x, low, high: clamp(x, int(low), int(high)),
)


def hardtanh(input, double min_val=-1.0, double max_val=1.0, bint inplace=False):
    """x, but at least min_val and at most max_val. The derivative at both is 0.

    With `inplace` the input itself is changed. For integers the limits are cut to integers.

    Raises:
        ValueError: if min_val is greater than max_val.
    """
    if min_val > max_val:
        raise ArgumentError(f"hardtanh: min_val is {min_val}, it must not be greater than max_val, {max_val}")
    if inplace:
        return apply_in_place(HARDTANH, input, min_val, max_val)
    return apply(HARDTANH, input, min_val, max_val)


hardtanh_ = in_place(hardtanh)


def relu6(input, bint inplace=False):
    """min(max(x, 0), 6). The derivative at 0 and 6 is 0. With `inplace` the input itself is changed."""
    return apply_in_place(HARDTANH, input, 0, 6) if inplace else apply(HARDTANH, input, 0, 6)


cdef Rule HARDSIGMOID = activation(
    "hardsigmoid", "input", lambda dy, x: where(x > -3, where(x < 3, dy * (1 / 6), 0.0), 0.0)
)


def hardsigmoid(input, bint inplace=False):
    """relu6(x + 3) / 6. The derivative at -3 and 3 is 0. With `inplace` the input itself is changed.

    Courbariaux et al. 2015 (arXiv:1511.00363), with PyTorch's slope.
    """
    return apply_in_place(HARDSIGMOID, input) if inplace else apply(HARDSIGMOID, input)


cdef Rule THRESHOLD = activation(
    "threshold", "input", lambda dy, x, limit, value: where(x <= limit, 0.0, dy), options=2,
    of_integers=lambda x, limit, value: where(x > int(limit), x, int(value)),
)


def threshold(input, double threshold, double value, bint inplace=False):
    """x where x > threshold, else value; for integers both are cut to integers.

    With `inplace` the input itself is changed.
    """
    return apply_in_place(THRESHOLD, input, threshold, value) if inplace else apply(THRESHOLD, input, threshold, value)


threshold_ = in_place(threshold)


def shrink_derivative(dy, x, lambd):
    return where(x >= -lambd, where(x <= lambd, 0.0, dy), dy)


cdef Rule HARDSHRINK = activation("hardshrink", "input", shrink_derivative, options=1)
cdef Rule SOFTSHRINK = activation("softshrink", "input", shrink_derivative, options=1)


def hardshrink(input, double lambd=0.5, *, out=None):
    """x where |x| > lambd, else 0."""
    if out is not None:
        return written(out, hardshrink(input, lambd), "hardshrink")
    return apply(HARDSHRINK, input, lambd)


def softshrink(input, double lambd=0.5):
    """x moved towards 0 by lambd; 0 where |x| <= lambd.

    Raises:
        ValueError: if lambd is negative.
    """
    if not lambd >= 0:
        raise ArgumentError(f"softshrink: lambd is {lambd}, it must be at least 0")
    return apply(SOFTSHRINK, input, lambd)


# ---- with a second tensor ------------------------------------------------------------------------------------


cdef class PReLU(Node):
    """Kept: the input, (rows, channels, inner), and the slopes of the channels."""
    cdef Py_ssize_t rows, inner

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), w = self.saved(1)
        parts = (self.rows, w.array.size, self.inner)
        xs, g = reshape(x, parts), reshape(dy, parts)
        # of what is not multiplied, inf above all, nothing must reach the gradient of the slopes
        negative = where(xs > 0, 0.0, xs)
        dx = where(xs > 0, g, g * reshape(w, (-1, 1)))
        return reshape(dx, x.shape), reshape(sum(g * negative, (0, 2)), w.shape)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), w = contiguous(self.saved(1).array)
        cdef ndarray dx = None if self.inputs[0] is None else empty_like(x)
        cdef ndarray dw = None if self.inputs[1] is None else empty_like(w)
        _kernels.prelu_backward(dx, dw, contiguous(dy.array), x, w, self.rows, self.inner)
        return None if dx is None else wrap(dx), None if dw is None else wrap(dw)


def prelu(input, weight):
    """x where x > 0, else weight * x, with one weight or one for each channel.

    Args:
        input: (n, c, ...), or any shape for one weight.
        weight: (1), () or (c), of the input's dtype.

    Raises:
        ValueError: if the weight has another shape.

    He et al. 2015, "Delving deep into rectifiers" (arXiv:1502.01852).

    Example:
        >>> F.prelu(pyml.tensor([-2.0, 2.0]), pyml.tensor([0.25]))
        tensor([-0.5,  2. ])
    """
    cdef Tensor x = checked_tensor(input, "prelu"), w = checked_tensor(weight, "prelu", "weight")
    cdef ndarray a, y
    cdef PReLU node
    cdef Py_ssize_t channels = x.array.shape[1] if x.array.ndim > 1 else 1
    if not is_real(x.array) or w.dtype != x.dtype:
        raise DtypeError(
            f"prelu: weight has dtype {w.dtype}, input {x.dtype}; both must be float32, or float64")
    if w.array.ndim > 1:
        raise ArgumentError(f"prelu: weight has shape {w.shape}, it must have one dimension")
    if w.array.size != 1 and w.array.size != channels:
        raise ArgumentError(
            f"prelu: weight has {w.numel()} numbers, it must have one, or one for each of the {channels} channels of the "
            f"input (shape {x.shape})")
    a = contiguous(x.array)
    y = empty_like(a)
    cdef Py_ssize_t inner = prod(shape_of(x)[2:]) if w.array.size != 1 else 1
    cdef Py_ssize_t rows = a.shape[0] if w.array.size != 1 else a.size
    _kernels.prelu_forward(y, a, contiguous(w.array), rows, inner)
    cdef Tensor out = wrap(y)
    if tracks(x) or tracks(w):
        node = PReLU.__new__(PReLU)
        node.rows, node.inner = rows, inner
        node.connect(out, (x, w))
        node.keep(x)
        node.keep_for(0b01, w)
    return out
