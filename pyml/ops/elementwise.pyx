"""Elementwise operations: arithmetic with broadcasting, functions of one argument, selection, comparison, dtypes.

Both operands of a kernel have one dtype and a layout of two dimensions (see binary_args in csrc/pyml_kernels.h). What
does not fit into it is copied first, so that the same formula always runs. Integers are computed by NumPy, but for
comparisons, logic and conversions. What NumPy computes is refused while a step is recorded.

Derivatives are written with operations of Tensor. Outside create_graph these do not record, and are then just
their kernels.
"""
import numbers
import operator

import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.memory cimport new_number
from pyml.ops.arrays cimport (
    as_type, broadcast_to, contiguous, empty, empty_like, empty_of_kind, empty_shape, full, is_real,
)
from pyml.recorder cimport Recorder, Traced, recorder, unwatched
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.recorder import constant, refuse

cnp.import_array()

# the numbers of kernels
cdef int ABS = _kernels.kernel("abs")
cdef int ADD = _kernels.kernel("add")
cdef int CLAMP = _kernels.kernel("clamp")
cdef int COS = _kernels.kernel("cos")
cdef int DIV = _kernels.kernel("div")
cdef int EQUAL = _kernels.kernel("equal")
cdef int EXP = _kernels.kernel("exp")
cdef int EXPM1 = _kernels.kernel("expm1")
cdef int GREATER = _kernels.kernel("greater")
cdef int GREATER_EQUAL = _kernels.kernel("greater_equal")
cdef int LESS = _kernels.kernel("less")
cdef int LESS_EQUAL = _kernels.kernel("less_equal")
cdef int LOG = _kernels.kernel("log")
cdef int LOG1P = _kernels.kernel("log1p")
cdef int LOGICAL_AND = _kernels.kernel("logical_and")
cdef int LOGICAL_NOT = _kernels.kernel("logical_not")
cdef int LOGICAL_OR = _kernels.kernel("logical_or")
cdef int LOGICAL_XOR = _kernels.kernel("logical_xor")
cdef int MAXIMUM = _kernels.kernel("maximum")
cdef int MINIMUM = _kernels.kernel("minimum")
cdef int MUL = _kernels.kernel("mul")
cdef int NEG = _kernels.kernel("neg")
cdef int NOT_EQUAL = _kernels.kernel("not_equal")
cdef int POW = _kernels.kernel("pow")
cdef int RECIPROCAL = _kernels.kernel("reciprocal")
cdef int SIGN = _kernels.kernel("sign")
cdef int SIN = _kernels.kernel("sin")
cdef int SQRT = _kernels.kernel("sqrt")
cdef int SUB = _kernels.kernel("sub")

cdef object FLOAT32 = np.dtype(np.float32), INT64 = np.dtype(np.int64), BOOL = np.dtype(np.bool_)
cdef frozenset DTYPES = frozenset(np.dtype(name) for name in (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"
))
cdef dict OF_INTEGERS = {
    ADD: np.add, SUB: np.subtract, MUL: np.multiply, POW: np.power,
    MAXIMUM: np.maximum, MINIMUM: np.minimum, ABS: np.abs, NEG: np.negative,
    SIGN: np.sign,
}
cdef dict COMPARISONS = {
    EQUAL: np.equal, NOT_EQUAL: np.not_equal, LESS: np.less, LESS_EQUAL: np.less_equal,
    GREATER: np.greater, GREATER_EQUAL: np.greater_equal,
}


# ---- operands -------------------------------------------------------------------------------------------------


def checked_dtype(dtype, str name):
    """The NumPy dtype that `dtype` means.

    Raises:
        TypeError: if it is none that a Tensor can have.
    """
    try:
        result = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {dtype!r} is not a dtype") from None
    if result not in DTYPES:
        raise TypeError(f"{name}: dtype {result} is not supported; use float32, float64, an integer type or bool")
    return result


cdef Tensor lift(object x, str name):
    if isinstance(x, Tensor):
        return x
    x = unwatched(x)
    dtype = own_dtype(x, name)
    if isinstance(x, ndarray):
        return Tensor._on(x)   # which a backward may need: on an array object that the caller cannot reshape
    return wrap(number_as(x, dtype, name))


cpdef ndarray number_as(object x, object dtype, str name):
    """An array of Python's numbers, which go by way of no other dtype."""
    try:
        return constant(np.array(x, dtype))
    except OverflowError:
        raise ValueError(f"{name}: {x} does not fit dtype {np.dtype(dtype)}; .to() another dtype first") from None


cdef object own_dtype(object x, str name):
    """The dtype of a Tensor or an array, and the one that a number gets if it is alone."""
    if isinstance(x, Tensor):
        return (<Tensor>x).array.dtype
    x = unwatched(x)
    if isinstance(x, ndarray):
        checked_dtype(x.dtype, name)
        return x.dtype
    if isinstance(x, (bool, np.bool_)):
        return BOOL
    if isinstance(x, numbers.Integral):
        return INT64
    if isinstance(x, numbers.Real):
        return FLOAT32
    raise TypeError(f"{name}: a Tensor, a NumPy array or a number is needed, not {type(x).__name__}")


cdef Tensor floating(object x, str name):
    cdef Tensor t = lift(x, name)
    return t if is_real(t.array) else cast(t, FLOAT32)


cdef double as_double(object x, str name) except? -1:
    try:
        return x
    except OverflowError:
        raise ValueError(f"{name}: an integer of {x.bit_length()} bits is too large for a floating point number") from None


cdef ndarray scalar(double value, int kind):
    return new_number(0, NULL, kind, value)


cdef ndarray traced_scalar(Traced number, int kind):
    """A number that a recorded step changes: replays write its value then."""
    cdef ndarray a = scalar(number.value, kind)
    cdef Recorder r = recorder()
    if r is not None:
        r.number(a, number)
    return a


cdef inline bint is_number(object x):
    return type(x) is float or type(x) is int


cdef object promote(object a, object b):
    """The dtype of two of one rank, either may be None. Floats by size; a float absorbs an integer."""
    if a is None or b is None:
        return b if a is None else a
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    result = np.promote_types(a, b)
    return INT64 if result.kind == "f" and a.kind != "f" else result   # uint64 with a signed type


cdef object outrank(object a, object b):
    """The dtype of a higher rank `a` and a lower one `b`: b counts only by its category, bool < integer < float."""
    if a is None or a.kind == "b" or (b is not None and b.kind == "f" and a.kind != "f"):
        return promote(a, b)
    return a


def result_type(*operands, name="result_type"):
    """The dtype in which operands are computed together: PyTorch's rules.

    Tensors with dimensions outrank 0-d tensors, and these outrank Python numbers: within a category (bool,
    integer, float) the lower rank does not count.
    """
    cdef list ranks = [None, None, None]
    for x in operands:
        x = unwatched(x)
        rank = 2 if not isinstance(x, (Tensor, ndarray)) else 0 if x.ndim else 1
        ranks[rank] = promote(ranks[rank], own_dtype(x, name))
    return outrank(outrank(ranks[0], ranks[1]), ranks[2])


cdef inline bint alike(object a, object b):
    """Two Tensors of one real dtype: nothing to convert."""
    return (
        isinstance(a, Tensor) and isinstance(b, Tensor)
        and cnp.PyArray_TYPE((<Tensor>a).array) == cnp.PyArray_TYPE((<Tensor>b).array) and is_real((<Tensor>a).array)
    )


cdef tuple converted(object a, object b, str name, bint to_float=False):
    """Both as Tensors of the dtype in which they are computed."""
    if is_number(b) and isinstance(a, Tensor) and is_real((<Tensor>a).array):
        return a, wrap(scalar(as_double(b, name), cnp.PyArray_TYPE((<Tensor>a).array)))
    if is_number(a) and isinstance(b, Tensor) and is_real((<Tensor>b).array):
        return wrap(scalar(as_double(a, name), cnp.PyArray_TYPE((<Tensor>b).array))), b
    if isinstance(b, Traced) and isinstance(a, Tensor) and is_real((<Tensor>a).array):
        return a, wrap(traced_scalar(b, cnp.PyArray_TYPE((<Tensor>a).array)))
    if isinstance(a, Traced) and isinstance(b, Tensor) and is_real((<Tensor>b).array):
        return wrap(traced_scalar(a, cnp.PyArray_TYPE((<Tensor>b).array))), b
    dtype = result_type(a, b, name=name)
    if to_float and dtype.kind != "f":
        dtype = FLOAT32
    return converted_to(a, dtype, name), converted_to(b, dtype, name)


cdef Tensor converted_to(object x, object dtype, str name):
    x = unwatched(x)
    if isinstance(x, (Tensor, ndarray)):
        return cast(lift(x, name), dtype)
    return wrap(number_as(x, dtype, name))


def broadcast_shapes(*shapes, name="broadcast_shapes"):
    """The shape to which the shapes broadcast.

    Args:
        shapes: sequences of sizes; a number is one size.
    """
    cdef list result = [], backwards
    cdef Py_ssize_t size
    cdef int d
    for shape in shapes:
        backwards = list(shape if isinstance(shape, (tuple, list)) else (shape,))[::-1]
        for d in range(len(backwards)):
            size = sized(backwards[d], shape, name)
            if d == len(result):
                result.append(size)
            elif result[d] == 1:
                result[d] = size
            elif size != 1 and size != <Py_ssize_t>result[d]:
                raise ValueError(
                    f"{name}: shapes {' and '.join(map(str, shapes))} do not broadcast: "
                    "counted from the last dimension, sizes must be equal or one of them 1"
                )
    return tuple(result[::-1])


cdef Py_ssize_t sized(object size, object shape, str name) except -1:
    try:
        size = operator.index(size)
    except TypeError:
        raise TypeError(f"{name}: sizes must be integers, not {shape!r}") from None
    if not 0 <= size < 1 << 63:
        raise ValueError(f"{name}: shape {shape} has size {size}; sizes are from 0 to 2**63 - 1")
    return size


# ---- layouts --------------------------------------------------------------------------------------------------


cdef struct Layout:
    Py_ssize_t rows, cols, a_row, a_col, b_row, b_col


cdef inline Py_ssize_t step(ndarray a, int d, int ndim):
    """Elements between neighbours of `a` in dimension d of the result; 0 where it is broadcast."""
    d -= ndim - a.ndim
    return 0 if d < 0 or a.shape[d] == 1 else a.strides[d] // cnp.PyArray_ITEMSIZE(a)


cdef bint fit(Layout *layout, ndarray y, ndarray a, ndarray b):
    """Merges the dimensions of y where both operands allow it; true if at most two are left that the kernels can walk."""
    cdef Py_ssize_t size[2]
    cdef Py_ssize_t a_step[2]
    cdef Py_ssize_t b_step[2]
    cdef int n = 0, d
    cdef Py_ssize_t p, q
    for d in range(y.ndim):
        if y.shape[d] == 1:
            continue
        p, q = step(a, d, y.ndim), step(b, d, y.ndim)
        if n > 0 and a_step[n - 1] == p * y.shape[d] and b_step[n - 1] == q * y.shape[d]:
            size[n - 1] *= y.shape[d]
        elif n == 2:
            return False
        else:
            size[n] = y.shape[d]
            n += 1
        a_step[n - 1], b_step[n - 1] = p, q
    layout.rows = layout.cols = 1
    layout.a_row = layout.a_col = layout.b_row = layout.b_col = 0
    if n == 2:
        layout.rows, layout.a_row, layout.b_row = size[0], a_step[0], b_step[0]
    if n > 0:
        layout.cols, layout.a_col, layout.b_col = size[n - 1], a_step[n - 1], b_step[n - 1]
    return 0 <= layout.a_col <= 1 and 0 <= layout.b_col <= 1


cdef ndarray expanded(ndarray a, tuple shape):
    """`a` broadcast to `shape`, contiguous."""
    return contiguous(a if (<object>a).shape == shape else broadcast_to(a, shape))


cdef ndarray compute(int kernel, ndarray a, ndarray b, str name):
    cdef ndarray y
    cdef tuple shape
    if a.ndim == b.ndim and cnp.PyArray_SAMESHAPE(a, b):
        if not is_real(a):
            return of_integers(kernel, a, b, name)
        y = empty_like(a)
        if cnp.PyArray_ISCARRAY_RO(a) and cnp.PyArray_ISCARRAY_RO(b):
            _kernels.binary(kernel, y, a, b, 1, cnp.PyArray_SIZE(y), 0, 1, 0, 1)
            return y
    elif b.ndim == 0 and is_real(a):
        y = empty_like(a)
        if cnp.PyArray_ISCARRAY_RO(a) and cnp.PyArray_ISCARRAY_RO(b):
            _kernels.binary(kernel, y, a, b, 1, cnp.PyArray_SIZE(y), 0, 1, 0, 0)
            return y
    else:
        shape = broadcast_shapes((<object>a).shape, (<object>b).shape, name=name)
        if not is_real(a):
            return of_integers(kernel, a, b, name)
        y = empty_shape(shape, a)
    broadcast(kernel, y, a, b)
    return y


cdef ndarray of_integers(int kernel, ndarray a, ndarray b, str name):
    refuse(f"{name} of integers")
    return np.asarray(OF_INTEGERS[kernel](a, b))


cdef int broadcast(int kernel, ndarray y, ndarray a, ndarray b) except -1:
    """y <- f(a, b) of operands that broadcast to y; a bool y is of a comparison."""
    cdef Layout layout
    if cnp.PyArray_SIZE(y) == 0:
        return 0
    if not cnp.PyArray_ISALIGNED(a):
        a = contiguous(a)
    if not cnp.PyArray_ISALIGNED(b):
        b = contiguous(b)
    if not fit(&layout, y, a, b):
        shape = (<object>y).shape
        a, b = expanded(a, shape), expanded(b, shape)
        fit(&layout, y, a, b)
    if cnp.PyArray_TYPE(y) == cnp.NPY_BOOL:
        return _kernels.compare(
            kernel, y, a, b, layout.rows, layout.cols, layout.a_row, layout.a_col, layout.b_row, layout.b_col
        )
    return _kernels.binary(
        kernel, y, a, b, layout.rows, layout.cols, layout.a_row, layout.a_col, layout.b_row, layout.b_col
    )


# ---- two operands ---------------------------------------------------------------------------------------------


cpdef Tensor sum_to(Tensor x, tuple shape):
    """x summed over what broadcasting from `shape` repeated: the derivative of broadcasting."""
    cdef tuple sizes = x.shape
    if sizes == shape:
        return x
    cdef Py_ssize_t before = len(sizes) - len(shape), d
    dims = [d for d in range(len(sizes)) if d < before or (shape[d - before] == 1 and sizes[d] != 1)]
    return x.sum(dims, True).reshape(shape) if dims else x.reshape(shape)


cdef class Binary(Node):
    """Two operands; remembers the shape of one that was broadcast."""
    cdef tuple a_shape, b_shape   # None: the result's

    cdef Tensor record(self, Tensor y, Tensor a, Tensor b):
        """Makes this the node of y = f(a, b)."""
        self.connect(y, (a, b))
        if a.array.ndim != y.array.ndim or not cnp.PyArray_SAMESHAPE(a.array, y.array):
            self.a_shape = a.shape
        if b.array.ndim != y.array.ndim or not cnp.PyArray_SAMESHAPE(b.array, y.array):
            self.b_shape = b.shape
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


def add(input, other, *, alpha=1):
    """input + alpha * other."""
    if alpha is not 1:
        other = mul(other, alpha)
    if not alike(input, other):
        input, other = converted(input, other, "add")
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(ADD, a.array, b.array, "add"))
    return (<Add>Add.__new__(Add)).record(y, a, b) if tracks(a) or tracks(b) else y


cdef class Sub(Binary):
    cdef tuple gradients(self, Tensor dy):
        return self.reduced(
            None if self.inputs[0] is None else dy,
            None if self.inputs[1] is None else -dy,
        )


def sub(input, other, *, alpha=1):
    """input - alpha * other."""
    if alpha is not 1:
        other = mul(other, alpha)
    if not alike(input, other):
        input, other = converted(input, other, "sub")
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(SUB, a.array, b.array, "sub"))
    return (<Sub>Sub.__new__(Sub)).record(y, a, b) if tracks(a) or tracks(b) else y


cdef class Mul(Binary):
    cdef tuple gradients(self, Tensor dy):
        return self.reduced(
            None if self.inputs[0] is None else dy * self.saved(1),
            None if self.inputs[1] is None else dy * self.saved(0),
        )


def mul(input, other):
    """input * other."""
    if not alike(input, other):
        input, other = converted(input, other, "mul")
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(MUL, a.array, b.array, "mul"))
    cdef Mul node
    if tracks(a) or tracks(b):
        node = Mul.__new__(Mul)
        node.record(y, a, b)
        node.keep(None if node.inputs[1] is None else a)
        node.keep(None if node.inputs[0] is None else b)
    return y


cdef class Div(Binary):
    # y = a / b:  da = dy / b,  db = -dy * y / b
    cdef tuple gradients(self, Tensor dy):
        da = dy / self.saved(0)
        return self.reduced(
            None if self.inputs[0] is None else da,
            None if self.inputs[1] is None else -(da * self.saved_output(1)),
        )


def div(input, other, *, rounding_mode=None):
    """input / other; integers give float32.

    Args:
        rounding_mode: None, "floor" or "trunc".
    """
    if rounding_mode is not None:
        return rounded_quotient(input, other, rounding_mode)
    if not alike(input, other):
        input, other = converted(input, other, "div", True)
    cdef Tensor a = input, b = other
    cdef Tensor y = wrap(compute(DIV, a.array, b.array, "div"))
    cdef Div node
    if tracks(a) or tracks(b):
        node = Div.__new__(Div)
        node.record(y, a, b)
        node.keep(b)
        node.keep(None if node.inputs[1] is None else y)
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


def pow(input, exponent):
    """input raised to `exponent`."""
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
        return record(scalar_node, y, a, a)
    a, b = converted(input, exponent, "pow")
    y = wrap(compute(POW, a.array, b.array, "pow"))
    if tracks(a) or tracks(b):
        node = Pow.__new__(Pow)
        node.record(y, a, b)
        node.keep(a)
        node.keep(b)
    return y


cdef ndarray raised(ndarray a, ndarray b, object exponent):
    if exponent == 2:
        return compute(MUL, a, a, "pow")
    if exponent in (0.5, -0.5) and is_real(a):
        a = mapped(SQRT, a)
        return a if exponent > 0 else mapped(RECIPROCAL, a)
    return compute(POW, a, b, "pow")


cdef class Maximum(Binary):
    # the larger gets the gradient, equals a half each; 1 and 0.5 do not change with the operands
    cdef bint largest

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
        node.record(y, a, b)
        node.keep(a)
        node.keep(b)
    return y


def maximum(input, other):
    """The larger of the two, elementwise; NaN if one is. Equals share the gradient."""
    return extreme(input, other, "maximum", MAXIMUM, True)


def minimum(input, other):
    """The smaller of the two, elementwise; NaN if one is. Equals share the gradient."""
    return extreme(input, other, "minimum", MINIMUM, False)


# ---- one operand ----------------------------------------------------------------------------------------------


cdef inline Tensor record(Node node, Tensor y, Tensor x, Tensor kept):
    node.connect(y, (x,))
    node.keep(kept)
    return y


cdef ndarray mapped(int kernel, ndarray a):
    if not is_real(a):
        refuse("a function of integers")
        return np.asarray(OF_INTEGERS[kernel](a))
    a = contiguous(a)
    cdef ndarray y = empty_like(a)
    _kernels.unary(kernel, y, a, 0, 0)
    return y


cdef class Neg(Node):
    cdef tuple gradients(self, Tensor dy):
        return (-dy,)


def neg(input):
    """-input."""
    cdef Tensor x = lift(input, "neg"), y = wrap(mapped(NEG, x.array))
    return record(Neg.__new__(Neg), y, x, None) if tracks(x) else y


cdef class Abs(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * sign(self.saved(0).detach()),)


def abs(input):
    """The absolute value; its derivative at 0 is 0."""
    cdef Tensor x = lift(input, "abs"), y = wrap(mapped(ABS, x.array))
    return record(Abs.__new__(Abs), y, x, x) if tracks(x) else y


cdef class Exp(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * self.saved_output(0),)


def exp(input):
    """e to the power of the input."""
    cdef Tensor x = floating(input, "exp"), y = wrap(mapped(EXP, x.array))
    return record(Exp.__new__(Exp), y, x, y) if tracks(x) else y


cdef class Log(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy / self.saved(0),)


def log(input):
    """The natural logarithm: -inf at 0, NaN below."""
    cdef Tensor x = floating(input, "log"), y = wrap(mapped(LOG, x.array))
    return record(Log.__new__(Log), y, x, x) if tracks(x) else y


cdef class Sqrt(Node):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (dy / (y + y),)


def sqrt(input):
    """The square root: NaN below 0; its derivative at 0 is inf."""
    cdef Tensor x = floating(input, "sqrt"), y = wrap(mapped(SQRT, x.array))
    return record(Sqrt.__new__(Sqrt), y, x, y) if tracks(x) else y


cdef class Reciprocal(Node):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (-(dy * (y * y)),)


def reciprocal(input):
    """1 / input."""
    cdef Tensor x = floating(input, "reciprocal"), y = wrap(mapped(RECIPROCAL, x.array))
    return record(Reciprocal.__new__(Reciprocal), y, x, y) if tracks(x) else y


def rsqrt(input):
    """1 / sqrt(input)."""
    return reciprocal(sqrt(input))


def square(input):
    """input * input."""
    return pow(lift(input, "square"), 2)


cdef class PiecewiseConstant(Node):
    cdef tuple gradients(self, Tensor dy):
        return (wrap(full(dy.shape, dy.array, 0)),)


cdef Tensor piecewise_constant(Tensor x, ndarray y):
    cdef Tensor out = wrap(y)
    return record(PiecewiseConstant.__new__(PiecewiseConstant), out, x, None) if tracks(x) else out


def sign(input):
    """-1, 0 or 1; NaN stays NaN. Its derivative is 0."""
    cdef Tensor x = lift(input, "sign")
    return piecewise_constant(x, x.array if x.array.dtype.kind == "b" else mapped(SIGN, x.array))


def floor(input):
    """The largest integer not above. Its derivative is 0."""
    cdef Tensor x = lift(input, "floor")
    refuse("floor")
    return piecewise_constant(x, np.asarray(np.floor(x.array), x.array.dtype))


def ceil(input):
    """The smallest integer not below. Its derivative is 0."""
    cdef Tensor x = lift(input, "ceil")
    refuse("ceil")
    return piecewise_constant(x, np.asarray(np.ceil(x.array), x.array.dtype))


def round(input, *, decimals=0):
    """The nearest integer, halves to the even one; with `decimals`, to that many places. Its derivative is 0."""
    cdef Tensor x = lift(input, "round")
    if decimals != 0 and cnp.PyArray_TYPE(x.array) == cnp.NPY_BOOL:
        raise TypeError("round: input has dtype bool, which has no decimals; .to() another dtype first")
    refuse("round")
    return piecewise_constant(x, np.asarray(np.round(x.array, decimals), x.array.dtype))


cdef class Sin(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * cos(self.saved(0)),)


def sin(input):
    """The sine."""
    cdef Tensor x = floating(input, "sin"), y = wrap(mapped(SIN, x.array))
    return record(Sin.__new__(Sin), y, x, x) if tracks(x) else y


cdef class Cos(Node):
    cdef tuple gradients(self, Tensor dy):
        return (-(dy * sin(self.saved(0))),)


def cos(input):
    """The cosine."""
    cdef Tensor x = floating(input, "cos"), y = wrap(mapped(COS, x.array))
    return record(Cos.__new__(Cos), y, x, x) if tracks(x) else y


cdef class Log1p(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy / (self.saved(0) + 1),)


def log1p(input):
    """log(1 + input), exact near 0."""
    cdef Tensor x = floating(input, "log1p"), y = wrap(mapped(LOG1P, x.array))
    return record(Log1p.__new__(Log1p), y, x, x) if tracks(x) else y


cdef class Expm1(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * (self.saved_output(0) + 1),)


def expm1(input):
    """exp(input) - 1, exact near 0."""
    cdef Tensor x = floating(input, "expm1"), y = wrap(mapped(EXPM1, x.array))
    return record(Expm1.__new__(Expm1), y, x, y) if tracks(x) else y


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
        raise ValueError("clamp: at least one of min and max must be given")
    min, max = unwatched(min), unwatched(max)
    if isinstance(min, (Tensor, ndarray)) or isinstance(max, (Tensor, ndarray)):
        return clamp_between(input, min, max)
    bounds = [bound for bound in (min, max) if bound is not None]
    x = cast(x, result_type(x, *bounds, name="clamp"))
    if not is_real(x.array):
        refuse("clamp of integers")
        return wrap(np.asarray(np.clip(x.array, min, max)))
    cdef ndarray a = contiguous(x.array), y = empty_like(a)
    _kernels.unary(CLAMP, y, a, -np.inf if min is None else min, np.inf if max is None else max)
    cdef Tensor out = wrap(y)
    cdef Clamp node
    if tracks(x):
        node = Clamp.__new__(Clamp)
        node.low, node.high = min, max
        record(node, out, x, x)
    return out


cdef Tensor clamp_between(input, low, high):
    """clamp with tensors: where(x < low, low, x), then the same with high. A tie goes to x."""
    x = input
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
        raise TypeError(f"where: condition has dtype {c.dtype}, it must be bool; compare with something, as in x > 0")
    a, b = (input, other) if alike(input, other) else converted(input, other, "where")
    shape = broadcast_shapes(c.shape, a.shape, b.shape, name="where")
    if cnp.PyArray_ITEMSIZE(a.array) >= 4:
        out = empty_shape(shape, a.array)
        _kernels.where(out, expanded(c.array, shape), expanded(a.array, shape), expanded(b.array, shape))
    else:
        refuse(f"where of dtype {a.dtype}")
        out = np.asarray(np.where(c.array, a.array, b.array))
    y = wrap(out)
    if tracks(a) or tracks(b):
        node = Where.__new__(Where)
        node.record(y, a, b)
        node.keep(c)
    return y


def masked_fill(input, mask, value):
    """The input with `value` where the mask is true."""
    cdef Tensor x = lift(input, "masked_fill")
    if result_type(x, value, name="masked_fill") != x.dtype:
        raise TypeError(f"masked_fill: value {value!r} does not fit into a tensor of dtype {x.dtype}")
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


# ---- integer division -----------------------------------------------------------------------------------------


cdef Tensor rounded_quotient(input, other, str mode):
    cdef Tensor a, b
    if mode not in ("floor", "trunc"):
        raise ValueError(f"div: rounding_mode is {mode!r}, it must be None, 'floor' or 'trunc'")
    a, b = converted(input, other, "div")
    refuse(f"div with rounding_mode={mode!r}")
    if a.array.dtype.kind != "f" and not np.all(b.array):
        raise ZeroDivisionError("div: an integer is divided by zero")
    with np.errstate(all="ignore"):
        if mode == "floor":
            y = np.floor_divide(a.array, b.array)
        else:
            y = np.trunc(np.divide(a.array, b.array))
    return wrap(np.asarray(y, a.array.dtype))


def floor_divide(input, other):
    """The quotient rounded down. Not differentiable."""
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
    refuse("remainder")
    if a.array.dtype.kind != "f" and not np.all(b.array):
        raise ZeroDivisionError("remainder: an integer is divided by zero")
    with np.errstate(all="ignore"):
        y = wrap(np.asarray(np.remainder(a.array, b.array)))
    if tracks(a) or tracks(b):
        node = Remainder.__new__(Remainder)
        node.record(y, a, b)
        node.keep(a)
        node.keep(b)
    return y


# ---- comparison -----------------------------------------------------------------------------------------------


cdef Tensor compared(int kernel, input, other, str name):
    cdef Tensor a, b
    cdef ndarray p, q, y
    a, b = (input, other) if alike(input, other) else converted(input, other, name)
    p, q = a.array, b.array
    if cnp.PyArray_TYPE(p) == cnp.NPY_BOOL and kernel in (EQUAL, NOT_EQUAL):
        differ = logical(LOGICAL_XOR, a, b, name)
        return differ if kernel == NOT_EQUAL else logical_not(differ)
    if p.ndim == q.ndim and cnp.PyArray_SAMESHAPE(p, q):
        y = empty_of_kind(p, cnp.NPY_BOOL)
    else:
        y = empty(broadcast_shapes(a.shape, b.shape, name=name), BOOL)
    if not is_real(p):
        if _kernels.element_of(p) < 0:
            refuse(f"{name} of dtype {a.dtype}")
            return wrap(np.asarray(COMPARISONS[kernel](p, q)))
        p, q = as_type(p, INT64), as_type(q, INT64)
    broadcast(kernel, y, p, q)
    return wrap(y)


cdef bint comparable(x):
    return isinstance(unwatched(x), (Tensor, ndarray, numbers.Number, np.generic))


def eq(input, other):
    """input == other, elementwise."""
    return compared(EQUAL, input, other, "eq") if comparable(other) else NotImplemented


def ne(input, other):
    """input != other, elementwise."""
    return compared(NOT_EQUAL, input, other, "ne") if comparable(other) else NotImplemented


def less(input, other):
    """input < other, elementwise."""
    return compared(LESS, input, other, "lt")


def less_equal(input, other):
    """input <= other, elementwise."""
    return compared(LESS_EQUAL, input, other, "le")


def greater(input, other):
    """input > other, elementwise."""
    return compared(GREATER, input, other, "gt")


def greater_equal(input, other):
    """input >= other, elementwise."""
    return compared(GREATER_EQUAL, input, other, "ge")


lt, le, gt, ge = less, less_equal, greater, greater_equal


cdef Tensor logical(int kernel, Tensor a, Tensor b, str name):
    """Of truth values: whether each is not zero."""
    cdef ndarray p = as_type(a.array, BOOL), q = as_type(b.array, BOOL), y
    cdef tuple shape
    if p.ndim == q.ndim and cnp.PyArray_SAMESHAPE(p, q):
        p, q = contiguous(p), contiguous(q)
        y = empty_like(p)
    else:
        shape = broadcast_shapes(a.shape, b.shape, name=name)
        p, q = expanded(p, shape), expanded(q, shape)
        y = empty(shape, BOOL)
    _kernels.logical(kernel, y, p, q)
    return wrap(y)


def logical_and(input, other):
    """True where both are not zero."""
    a, b = converted(input, other, "logical_and")
    return logical(LOGICAL_AND, a, b, "logical_and")


def logical_or(input, other):
    """True where one is not zero."""
    a, b = converted(input, other, "logical_or")
    return logical(LOGICAL_OR, a, b, "logical_or")


def logical_xor(input, other):
    """True where exactly one is not zero."""
    a, b = converted(input, other, "logical_xor")
    return logical(LOGICAL_XOR, a, b, "logical_xor")


def logical_not(input):
    """True where the input is zero."""
    cdef ndarray x = contiguous(as_type(lift(input, "logical_not").array, BOOL)), y = empty_like(x)
    _kernels.logical(LOGICAL_NOT, y, x, None)
    return wrap(y)


cdef Tensor bitwise(int kernel, function, input, other, str name):
    cdef Tensor a, b
    a, b = converted(input, other, name)
    if a.array.dtype.kind == "f":
        raise TypeError(f"{name}: dtype {a.dtype}; it must be bool or an integer type")
    if a.array.dtype.kind == "b":
        return logical(kernel, a, b, name)
    refuse(f"{name} of integers")
    return wrap(np.asarray(function(a.array, b.array)))


def bitwise_and(input, other):
    """The bits that both have; of bool: both."""
    return bitwise(LOGICAL_AND, np.bitwise_and, input, other, "bitwise_and")


def bitwise_or(input, other):
    """The bits that one has; of bool: one or both."""
    return bitwise(LOGICAL_OR, np.bitwise_or, input, other, "bitwise_or")


def bitwise_xor(input, other):
    """The bits that exactly one has; of bool: exactly one."""
    return bitwise(LOGICAL_XOR, np.bitwise_xor, input, other, "bitwise_xor")


def bitwise_not(input):
    """The other bits; of bool: not."""
    cdef Tensor x = lift(input, "bitwise_not")
    if is_real(x.array):
        raise TypeError(f"bitwise_not: dtype {x.dtype}; it must be bool or an integer type")
    if cnp.PyArray_TYPE(x.array) == cnp.NPY_BOOL:
        return logical_not(x)
    refuse("bitwise_not of integers")
    return wrap(np.asarray(np.invert(x.array)))


def isnan(input):
    """True where the input is NaN."""
    cdef Tensor x = lift(input, "isnan")
    return ne(x, x)


def isinf(input):
    """True where the input is inf or -inf."""
    cdef Tensor x = lift(input, "isinf")
    return eq(wrap(mapped(ABS, x.array)), np.inf) if is_real(x.array) else ne(x, x)


def isfinite(input):
    """True where the input is neither NaN nor infinite."""
    cdef Tensor x = lift(input, "isfinite")
    return less(wrap(mapped(ABS, x.array)), np.inf) if is_real(x.array) else eq(x, x)


def isclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """True where |input - other| <= atol + rtol * |other|."""
    cdef Tensor a = lift(input, "isclose"), b = lift(other, "isclose")
    refuse("isclose")
    return wrap(np.asarray(np.isclose(a.array, b.array, rtol, atol, equal_nan)))


def allclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """True if |input - other| <= atol + rtol * |other| everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input, other):
    """True if both have the same shape and elements."""
    cdef Tensor a = lift(input, "equal"), b = lift(other, "equal")
    refuse("equal")
    return bool(np.array_equal(a.array, b.array))


# ---- dtype ----------------------------------------------------------------------------------------------------


cdef class Cast(Node):
    cdef object dtype   # of the input

    cdef tuple gradients(self, Tensor dy):
        return (cast(dy, self.dtype),)


cpdef Tensor cast(Tensor x, object dtype):
    """x in another dtype; x itself if it has it."""
    cdef Cast node
    if x.array.dtype == dtype:
        return x
    y = wrap(as_type(x.array, np.dtype(dtype)))
    if tracks(x) and is_real((<Tensor>y).array):
        node = Cast.__new__(Cast)
        node.dtype = x.array.dtype
        node.connect(y, (x,))
    return y
