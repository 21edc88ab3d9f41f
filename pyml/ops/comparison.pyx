"""Comparison and logic: operations that give bool, and the bits of integers. None has a derivative."""
import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport as_type, contiguous, empty, empty_like, empty_of_kind, is_real
from pyml.ops.operands cimport alike, broadcast, converted, expanded, lift, mapped
from pyml.tensor cimport Tensor, shape_of, wrap

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.numpys import by_numpy
from pyml.ops.operands import broadcast_shapes
from pyml.recorder import refuse

cnp.import_array()

# the numbers of kernels
cdef int ABS = _kernels.kernel("abs")
cdef int EQUAL = _kernels.kernel("equal")
cdef int GREATER = _kernels.kernel("greater")
cdef int GREATER_EQUAL = _kernels.kernel("greater_equal")
cdef int LESS = _kernels.kernel("less")
cdef int LESS_EQUAL = _kernels.kernel("less_equal")
cdef int LOGICAL_AND = _kernels.kernel("logical_and")
cdef int LOGICAL_NOT = _kernels.kernel("logical_not")
cdef int LOGICAL_OR = _kernels.kernel("logical_or")
cdef int LOGICAL_XOR = _kernels.kernel("logical_xor")
cdef int NOT_EQUAL = _kernels.kernel("not_equal")

cdef object INT64 = np.dtype(np.int64), BOOL = np.dtype(np.bool_)
cdef dict COMPARISONS = {
    EQUAL: np.equal, NOT_EQUAL: np.not_equal, LESS: np.less, LESS_EQUAL: np.less_equal,
    GREATER: np.greater, GREATER_EQUAL: np.greater_equal,
}


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
        y = empty(broadcast_shapes(shape_of(a), shape_of(b), name=name), BOOL)
    if not is_real(p):
        if _kernels.element_of(p) < 0:
            return wrap(by_numpy(name, COMPARISONS[kernel], (p, q)))
        p, q = as_type(p, INT64), as_type(q, INT64)
    broadcast(kernel, y, p, q)
    return wrap(y)


def eq(input, other):
    """input == other, elementwise."""
    return compared(EQUAL, input, other, "eq")


def ne(input, other):
    """input != other, elementwise."""
    return compared(NOT_EQUAL, input, other, "ne")


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


# ---- logic and bits -------------------------------------------------------------------------------------------


cdef Tensor logical(int kernel, Tensor a, Tensor b, str name):
    """Of truth values: whether each is not zero."""
    cdef ndarray p = as_type(a.array, BOOL), q = as_type(b.array, BOOL), y
    cdef tuple shape
    if p.ndim == q.ndim and cnp.PyArray_SAMESHAPE(p, q):
        p, q = contiguous(p), contiguous(q)
        y = empty_like(p)
    else:
        shape = broadcast_shapes(shape_of(a), shape_of(b), name=name)
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
        raise DtypeError(f"{name}: dtype {a.dtype}; it must be bool or an integer type")
    if a.array.dtype.kind == "b":
        return logical(kernel, a, b, name)
    return wrap(by_numpy(name, function, (a.array, b.array)))


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
        raise DtypeError(f"bitwise_not: dtype {x.dtype}; it must be bool or an integer type")
    if cnp.PyArray_TYPE(x.array) == cnp.NPY_BOOL:
        return logical_not(x)
    return wrap(by_numpy("bitwise_not", np.invert, (x.array,)))


# ---- NaN and infinity, closeness ------------------------------------------------------------------------------


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
    if not (rtol >= 0 and atol >= 0):
        raise ArgumentError(f"isclose: rtol is {rtol} and atol {atol}, they must be at least 0")
    if rtol == atol == 0 and not is_real(a.array) and not is_real(b.array):
        return eq(a, b)  # integers that double does not tell apart too
    return wrap(by_numpy("isclose", np.isclose, (a.array, b.array), rtol, atol, equal_nan))


def allclose(input, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """True if |input - other| <= atol + rtol * |other| everywhere."""
    refuse("allclose")
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


def equal(input, other):
    """True if both have the same shape and elements."""
    cdef Tensor a = lift(input, "equal"), b = lift(other, "equal")
    refuse("equal")
    return bool(np.array_equal(a.array, b.array))
