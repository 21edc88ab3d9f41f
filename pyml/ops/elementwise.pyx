"""Elementwise operations: arithmetic with broadcasting, functions of one argument, selection.

Derivatives are written with operations of Tensor. Outside create_graph these are not tracked, and are then just
their kernels.
"""
import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_like, empty_shape, full, is_real
from pyml.ops.operands cimport (
    alike, cast, compute, converted, expanded, floating, is_number, lift, mapped, number_as, scalar, sum_to,
    written,
)
from pyml.recorder cimport Traced, unwatched
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.comparison import eq, greater_equal, less, less_equal
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes, result_type
from pyml.recorder import refuse

cnp.import_array()

# the numbers of kernels
cdef int ABS = _kernels.kernel("abs")
cdef int ADD = _kernels.kernel("add")
cdef int CLAMP = _kernels.kernel("clamp")
cdef int COS = _kernels.kernel("cos")
cdef int DIV = _kernels.kernel("div")
cdef int EXP = _kernels.kernel("exp")
cdef int EXPM1 = _kernels.kernel("expm1")
cdef int LOG = _kernels.kernel("log")
cdef int LOG1P = _kernels.kernel("log1p")
cdef int MAXIMUM = _kernels.kernel("maximum")
cdef int MINIMUM = _kernels.kernel("minimum")
cdef int MUL = _kernels.kernel("mul")
cdef int NEG = _kernels.kernel("neg")
cdef int POW = _kernels.kernel("pow")
cdef int RECIPROCAL = _kernels.kernel("reciprocal")
cdef int SIGN = _kernels.kernel("sign")
cdef int SIN = _kernels.kernel("sin")
cdef int SQRT = _kernels.kernel("sqrt")
cdef int SUB = _kernels.kernel("sub")


# ---- two operands ---------------------------------------------------------------------------------------------


cdef class Binary(Node):
    """Two operands; remembers the shape of one that was broadcast."""
    cdef tuple a_shape, b_shape   # None: the result's

    cdef Tensor track(self, Tensor y, Tensor a, Tensor b):
        """Makes this the node of y = f(a, b)."""
        self.connect(y, (a, b))
        if a.array.ndim != y.array.ndim or not cnp.PyArray_SAMESHAPE(a.array, y.array):
            self.a_shape = shape_of(a)
        if b.array.ndim != y.array.ndim or not cnp.PyArray_SAMESHAPE(b.array, y.array):
            self.b_shape = shape_of(b)
        return y

    cdef tuple reduced(self, da, db):
        return (
            da if da is None or self.a_shape is None else sum_to(da, self.a_shape),
            db if db is None or self.b_shape is None else sum_to(db, self.b_shape),
        )


cdef class Add(Binary):
    cdef tuple gradients(self, Tensor dy):
        return self.reduced(
            None if self.inputs[0] is None else dy,
            None if self.inputs[1] is None else dy,
        )


def add(input, other, *, alpha=1, out=None):
    """input + alpha * other."""
    if out is not None:
        return written(out, add(input, other, alpha=alpha), "add")
    if alpha is not 1:
        other = mul(other, alpha)
    if not alike(input, other):
        input, other = converted(input, other, "add")
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(ADD, a.array, b.array, "add"))
    return (<Add>Add.__new__(Add)).track(y, a, b) if tracks(a) or tracks(b) else y


cdef class Sub(Binary):
    cdef tuple gradients(self, Tensor dy):
        return self.reduced(
            None if self.inputs[0] is None else dy,
            None if self.inputs[1] is None else -dy,
        )


def sub(input, other, *, alpha=1, out=None):
    """input - alpha * other."""
    if out is not None:
        return written(out, sub(input, other, alpha=alpha), "sub")
    if alpha is not 1:
        other = mul(other, alpha)
    if not alike(input, other):
        input, other = converted(input, other, "sub")
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(SUB, a.array, b.array, "sub"))
    return (<Sub>Sub.__new__(Sub)).track(y, a, b) if tracks(a) or tracks(b) else y


cdef class Mul(Binary):
    cdef tuple gradients(self, Tensor dy):
        return self.reduced(
            None if self.inputs[0] is None else dy * self.saved(1),
            None if self.inputs[1] is None else dy * self.saved(0),
        )


def mul(input, other, *, out=None):
    """input * other."""
    if out is not None:
        return written(out, mul(input, other), "mul")
    if not alike(input, other):
        input, other = converted(input, other, "mul")
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(MUL, a.array, b.array, "mul"))
    cdef Mul node
    if tracks(a) or tracks(b):
        node = Mul.__new__(Mul)
        node.track(y, a, b)
        node.keep(None if node.inputs[1] is None else a)
        node.keep(None if node.inputs[0] is None else b)
    return y


cdef class Div(Binary):
    # da = dy / b,  db = -da * a / b: of a, not of the result, which programs go on to change in place
    cdef tuple gradients(self, Tensor dy):
        b = self.saved(1)
        da = dy / b
        return self.reduced(
            None if self.inputs[0] is None else da,
            None if self.inputs[1] is None else -(da * (self.saved(0) / b)),
        )


def div(input, other, *, rounding_mode=None, out=None):
    """input / other; integers give float32.

    Args:
        rounding_mode: None, "floor" or "trunc".
    """
    if out is not None:
        return written(out, div(input, other, rounding_mode=rounding_mode), "div")
    if rounding_mode is not None:
        return rounded_quotient(input, other, rounding_mode)
    if not alike(input, other):
        input, other = converted(input, other, "div", True)
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(DIV, a.array, b.array, "div"))
    cdef Div node
    if tracks(a) or tracks(b):
        node = Div.__new__(Div)
        node.track(y, a, b)
        node.keep_for(0b10, a)
        node.keep(b)
    return y


cdef class Pow(Binary):
    # y = a^b:  da = b a^(b-1) dy, 0 where b = 0;  db = y log(a) dy, 0 where a = 0 and b >= 0
    cdef tuple gradients(self, Tensor dy):
        a, b = self.saved(0), self.saved(1)
        da = db = None
        if self.inputs[0] is not None:
            da = where(b == 0, 0.0, dy * (b * pow(a, b - 1)))
        if self.inputs[1] is not None:
            db = where((a == 0) & (b >= 0), 0.0, dy * (pow(a, b) * log(a)))
        return self.reduced(da, db)


cdef class PowScalar(Node):
    cdef object exponent

    cdef tuple gradients(self, Tensor dy):
        if self.exponent == 0:
            return (dy * 0,)
        return (dy * (self.exponent * pow(self.saved(0), self.exponent - 1)),)


def pow(input, exponent, *, out=None):
    """input raised to `exponent`."""
    if out is not None:
        return written(out, pow(input, exponent), "pow")
    cdef Tensor a, b, y
    cdef PowScalar scalar_node
    cdef Pow node
    if isinstance(input, Tensor) and (is_number(exponent) or isinstance(exponent, Traced)):
        a, b = converted(input, exponent, "pow")
        y = wrap(raised(a.array, b.array, exponent))
        if not tracks(a):
            return y
        scalar_node = PowScalar.__new__(PowScalar)
        scalar_node.exponent = exponent
        return track(scalar_node, y, a, a)
    a, b = converted(input, exponent, "pow")
    y = wrap(compute(POW, a.array, b.array, "pow"))
    if tracks(a) or tracks(b):
        node = Pow.__new__(Pow)
        node.track(y, a, b)
        node.keep(a)
        node.keep(b)
    return y


cdef ndarray raised(ndarray a, ndarray b, object exponent):
    if exponent in (1, 2):
        return compute(MUL, a, b if exponent == 1 else a, "pow")
    if exponent in (0.5, -0.5) and is_real(a):
        a = mapped(SQRT, a)
        return a if exponent > 0 else mapped(RECIPROCAL, a)
    return compute(POW, a, b, "pow")


cdef class Maximum(Binary):
    # the larger gets the gradient, equals a half each; 1 and 0.5 do not change with the operands
    cdef bint largest

    def _operation(self):
        return "Maximum" if self.largest else "Minimum"

    cdef tuple gradients(self, Tensor dy):
        a, b = self.saved(0), self.saved(1)
        p, q = (a, b) if self.largest else (b, a)
        kind = cnp.PyArray_TYPE(dy.array)
        half_or_one = where(eq(p, q), wrap(scalar(0.5, kind)), wrap(scalar(1, kind)))
        return self.reduced(
            None if self.inputs[0] is None else dy * where(less(p, q), 0.0, half_or_one),
            None if self.inputs[1] is None else dy * where(less(q, p), 0.0, half_or_one),
        )


cdef Tensor extreme(input, other, str name, int kernel, bint largest):
    cdef Tensor a, b
    a, b = converted(input, other, name)
    cdef Tensor y = wrap(compute(kernel, a.array, b.array, name))
    cdef Maximum node
    if tracks(a) or tracks(b):
        node = Maximum.__new__(Maximum)
        node.largest = largest
        node.track(y, a, b)
        node.keep(a)
        node.keep(b)
    return y


def maximum(input, other, *, out=None):
    """The larger of the two, elementwise; NaN if one is. Equals share the gradient."""
    if out is not None:
        return written(out, maximum(input, other), "maximum")
    return extreme(input, other, "maximum", MAXIMUM, True)


def minimum(input, other, *, out=None):
    """The smaller of the two, elementwise; NaN if one is. Equals share the gradient."""
    if out is not None:
        return written(out, minimum(input, other), "minimum")
    return extreme(input, other, "minimum", MINIMUM, False)


# ---- integer division -----------------------------------------------------------------------------------------


cdef Tensor rounded_quotient(input, other, str mode):
    cdef Tensor a, b
    if mode not in ("floor", "trunc"):
        raise ArgumentError(f"div: rounding_mode is {mode!r}, it must be None, 'floor' or 'trunc'")
    a, b = converted(input, other, "div")
    return wrap(by_numpy("div", quotient, (a.array, b.array), mode))


def quotient(a, b, mode):
    if a.dtype.kind != "f" and not np.all(b):
        raise ZeroDivisionError("div: an integer is divided by zero")
    return np.asarray(np.floor_divide(a, b) if mode == "floor" else np.trunc(np.divide(a, b)), a.dtype)


def floor_divide(input, other, *, out=None):
    """The quotient rounded down. Not differentiable."""
    if out is not None:
        return written(out, floor_divide(input, other), "floor_divide")
    return rounded_quotient(input, other, "floor")


cdef class Remainder(Binary):
    # a - b floor(a / b)
    cdef tuple gradients(self, Tensor dy):
        return self.reduced(
            None if self.inputs[0] is None else dy,
            None if self.inputs[1] is None else -(dy * floor_divide(self.saved(0), self.saved(1))),
        )


def remainder(input, other):
    """What floor_divide leaves; it has the sign of `other`."""
    cdef Tensor a, b
    cdef Remainder node
    a, b = converted(input, other, "remainder")
    y = wrap(by_numpy("remainder", rest, (a.array, b.array)))
    if tracks(a) or tracks(b):
        node = Remainder.__new__(Remainder)
        node.track(y, a, b)
        node.keep_for(0b10, a)
        node.keep_for(0b10, b)
    return y


def rest(a, b):
    if a.dtype.kind != "f" and not np.all(b):
        raise ZeroDivisionError("remainder: an integer is divided by zero")
    return np.remainder(a, b)


# ---- one operand ----------------------------------------------------------------------------------------------


cdef inline Tensor track(Node node, Tensor y, Tensor x, Tensor kept):
    node.connect(y, (x,))
    node.keep(kept)
    return y


cdef class Neg(Node):
    cdef tuple gradients(self, Tensor dy):
        return (-dy,)


def neg(input, *, out=None):
    """-input."""
    if out is not None:
        return written(out, neg(input), "neg")
    cdef Tensor x = lift(input, "neg"), y = wrap(mapped(NEG, x.array))
    return track(Neg.__new__(Neg), y, x, None) if tracks(x) else y


cdef class Abs(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * sign(self.saved(0).detach()),)


def abs(input, *, out=None):
    """The absolute value; its derivative at 0 is 0."""
    if out is not None:
        return written(out, abs(input), "abs")
    cdef Tensor x = lift(input, "abs"), y = wrap(mapped(ABS, x.array))
    return track(Abs.__new__(Abs), y, x, x) if tracks(x) else y


cdef class Exp(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * self.saved_output(0),)


def exp(input, *, out=None):
    """e to the power of the input."""
    if out is not None:
        return written(out, exp(input), "exp")
    cdef Tensor x = floating(input, "exp"), y = wrap(mapped(EXP, x.array))
    return track(Exp.__new__(Exp), y, x, y) if tracks(x) else y


cdef class Log(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy / self.saved(0),)


def log(input, *, out=None):
    """The natural logarithm: -inf at 0, NaN below."""
    if out is not None:
        return written(out, log(input), "log")
    cdef Tensor x = floating(input, "log"), y = wrap(mapped(LOG, x.array))
    return track(Log.__new__(Log), y, x, x) if tracks(x) else y


cdef class Sqrt(Node):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (dy / (y + y),)


def sqrt(input, *, out=None):
    """The square root: NaN below 0; its derivative at 0 is inf."""
    if out is not None:
        return written(out, sqrt(input), "sqrt")
    cdef Tensor x = floating(input, "sqrt"), y = wrap(mapped(SQRT, x.array))
    return track(Sqrt.__new__(Sqrt), y, x, y) if tracks(x) else y


cdef class Reciprocal(Node):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (-(dy * (y * y)),)


def reciprocal(input, *, out=None):
    """1 / input."""
    if out is not None:
        return written(out, reciprocal(input), "reciprocal")
    cdef Tensor x = floating(input, "reciprocal"), y = wrap(mapped(RECIPROCAL, x.array))
    return track(Reciprocal.__new__(Reciprocal), y, x, y) if tracks(x) else y


def rsqrt(input):
    """1 / sqrt(input)."""
    return reciprocal(sqrt(input))


def square(input, *, out=None):
    """input * input."""
    if out is not None:
        return written(out, square(input), "square")
    return pow(lift(input, "square"), 2)


cdef class PiecewiseConstant(Node):
    cdef str function

    def _operation(self):
        return self.function

    cdef tuple gradients(self, Tensor dy):
        return (wrap(full(shape_of(dy), dy.array, 0)),)


cdef Tensor piecewise_constant(Tensor x, ndarray y, str function):
    cdef Tensor out = wrap(y)
    cdef PiecewiseConstant node
    if not tracks(x):
        return out
    node = PiecewiseConstant.__new__(PiecewiseConstant)
    node.function = function
    return track(node, out, x, None)


def sign(input):
    """-1, 0 or 1; NaN stays NaN. Its derivative is 0."""
    cdef Tensor x = lift(input, "sign")
    return piecewise_constant(x, x.array if x.array.dtype.kind == "b" else mapped(SIGN, x.array), "sign")


def floor(input):
    """The largest integer not above. Its derivative is 0."""
    cdef Tensor x = lift(input, "floor")
    return piecewise_constant(x, by_numpy("floor", rounded, (x.array,), np.floor), "floor")


def ceil(input):
    """The smallest integer not below. Its derivative is 0."""
    cdef Tensor x = lift(input, "ceil")
    return piecewise_constant(x, by_numpy("ceil", rounded, (x.array,), np.ceil), "ceil")


def round(input, *, decimals=0):
    """The nearest integer, halves to the even one; with `decimals`, to that many places. Its derivative is 0."""
    cdef Tensor x = lift(input, "round")
    if decimals != 0 and cnp.PyArray_TYPE(x.array) == cnp.NPY_BOOL:
        raise DtypeError("round: input has dtype bool, which has no decimals; .to() another dtype first")
    if not -2**31 <= decimals < 2**31:
        raise ArgumentError(f"round: decimals is {decimals}, it must be between -2**31 and 2**31 - 1")
    return piecewise_constant(x, by_numpy("round", rounded, (x.array,), np.round, int(decimals)), "round")


def rounded(x, function, *decimals):
    return np.asarray(function(x, *decimals), x.dtype)


cdef class Sin(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * cos(self.saved(0)),)


def sin(input, *, out=None):
    """The sine."""
    if out is not None:
        return written(out, sin(input), "sin")
    cdef Tensor x = floating(input, "sin"), y = wrap(mapped(SIN, x.array))
    return track(Sin.__new__(Sin), y, x, x) if tracks(x) else y


cdef class Cos(Node):
    cdef tuple gradients(self, Tensor dy):
        return (-(dy * sin(self.saved(0))),)


def cos(input, *, out=None):
    """The cosine."""
    if out is not None:
        return written(out, cos(input), "cos")
    cdef Tensor x = floating(input, "cos"), y = wrap(mapped(COS, x.array))
    return track(Cos.__new__(Cos), y, x, x) if tracks(x) else y


cdef class Log1p(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy / (self.saved(0) + 1),)


def log1p(input):
    """log(1 + input), exact near 0."""
    cdef Tensor x = floating(input, "log1p"), y = wrap(mapped(LOG1P, x.array))
    return track(Log1p.__new__(Log1p), y, x, x) if tracks(x) else y


cdef class Expm1(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * (self.saved_output(0) + 1),)


def expm1(input):
    """exp(input) - 1, exact near 0."""
    cdef Tensor x = floating(input, "expm1"), y = wrap(mapped(EXPM1, x.array))
    return track(Expm1.__new__(Expm1), y, x, y) if tracks(x) else y


# ---- selection ------------------------------------------------------------------------------------------------


cdef class Clamp(Node):
    cdef object low, high   # a number, or None

    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        dx = dy if self.low is None else where(greater_equal(x, self.low), dy, 0.0)
        return (dx if self.high is None else where(less_equal(x, self.high), dx, 0.0),)


def clamp(input, min=None, max=None):
    """The input, moved into [min, max]. The gradient passes inside and on the borders.

    Args:
        min, max: numbers or tensors; None for no bound. Where min > max the result is max.
    """
    cdef Tensor x = lift(input, "clamp")
    if min is None and max is None:
        raise ArgumentError("clamp: at least one of min and max must be given")
    min, max = unwatched(min), unwatched(max)
    if isinstance(min, (Tensor, ndarray)) or isinstance(max, (Tensor, ndarray)):
        return clamp_between(input, min, max)
    bounds = [bound for bound in (min, max) if bound is not None]
    x = cast(x, result_type(x, *bounds, name="clamp"))
    if not is_real(x.array):
        for bound in bounds:
            number_as(bound, x.array.dtype, "clamp")   # raises for what does not fit
        return wrap(by_numpy("clamp", np.clip, (x.array,), min, max))
    cdef ndarray a = contiguous(x.array), y = empty_like(a)
    _kernels.unary(CLAMP, y, a, -np.inf if min is None else min, np.inf if max is None else max)
    cdef Tensor out = wrap(y)
    cdef Clamp node
    if tracks(x):
        node = Clamp.__new__(Clamp)
        node.low, node.high = min, max
        track(node, out, x, x)
    return out


cdef Tensor clamp_between(input, low, high):
    """clamp with tensors: where(x < low, low, x), then the same with high. A tie goes to x."""
    given = [each for each in (input, low, high) if each is not None]
    x = cast(lift(input, "clamp"), result_type(*given, name="clamp"))
    if low is not None:
        x = where(less(x, low), low, x)
    if high is not None:
        x = where(less(high, x), high, x)
    return x


cdef class Where(Binary):
    cdef tuple gradients(self, Tensor dy):
        condition = self.saved(0)
        return self.reduced(
            None if self.inputs[0] is None else where(condition, dy, 0.0),
            None if self.inputs[1] is None else where(condition, 0.0, dy),
        )


def where(condition, input=None, other=None):
    """input where the condition holds, else other.

    Args:
        condition: bool. Alone: the indices where it holds, a tuple with a tensor for each dimension.
    """
    cdef Tensor c = lift(condition, "where"), a, b, y
    cdef tuple shape
    cdef ndarray out
    cdef Where node
    if input is None and other is None:
        refuse("where with the condition alone")
        return tuple([wrap(index) for index in np.nonzero(c.array)])
    if cnp.PyArray_TYPE(c.array) != cnp.NPY_BOOL:
        raise DtypeError(f"where: condition has dtype {c.dtype}, it must be bool; compare with something, as in x > 0")
    a, b = (input, other) if alike(input, other) else converted(input, other, "where")
    shape = broadcast_shapes(shape_of(c), shape_of(a), shape_of(b), name="where")
    if cnp.PyArray_ITEMSIZE(a.array) >= 4:
        out = empty_shape(shape, a.array)
        _kernels.where(out, expanded(c.array, shape), expanded(a.array, shape), expanded(b.array, shape))
    else:
        out = by_numpy("where", np.where, (c.array, a.array, b.array))
    y = wrap(out)
    if tracks(a) or tracks(b):
        node = Where.__new__(Where)
        node.track(y, a, b)
        node.keep(c)
    return y


def masked_fill(input, mask, value):
    """The input with `value` where the mask is true."""
    cdef Tensor x = lift(input, "masked_fill")
    if result_type(x, value, name="masked_fill") != x.dtype:
        raise DtypeError(f"masked_fill: value {value!r} does not fit into a tensor of dtype {x.dtype}")
    return where(mask, value, x)


# ---- composites -----------------------------------------------------------------------------------------------


def lerp(input, end, weight):
    """input + weight * (end - input), from the nearer end: exact at weight 0 and 1."""
    weight = unwatched(weight)
    if not isinstance(weight, (Tensor, ndarray)):
        if -0.5 < weight < 0.5:
            return add(input, mul(weight, sub(end, input)))
        return sub(end, mul(sub(end, input), 1 - weight))
    step = sub(end, input)
    near = less(abs(weight), 0.5)
    return where(near, add(input, mul(weight, step)), sub(end, mul(step, sub(1, weight))))


def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2."""
    product = mul(tensor1, tensor2)
    return add(input, product if value is 1 else mul(product, value))


def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2."""
    quotient = div(tensor1, tensor2)
    return add(input, quotient if value is 1 else mul(quotient, value))
