"""Operands: what every family of operations does with its arguments before a kernel runs.

Dtypes and their promotion, numbers made Tensors, shapes that broadcast, and the call of an elementwise kernel. Both
operands of a kernel have one dtype and a layout of two dimensions (see binary_args in csrc/contracts). What
does not fit into it is copied first, so that the same formula always runs. Arithmetic of integers is NumPy's.
"""
import functools
import numbers
import inspect
import operator

import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.attributes cimport default_float, dtype as own_class, dtype_of_number, number_of
from pyml.memory cimport new_number
from pyml.ops.arrays cimport as_type, broadcast_to, check_shown, contiguous, copy_into, empty_like, empty_shape, is_real
from pyml.recorder cimport Recorder, Traced, recorder, unwatched
from pyml.tensor cimport Node, Tensor, shape_of, tracks, will_change, wrap

from pyml.errors import ArgumentError
from pyml.dispatch import made_of
from pyml.ops.numpys import by_numpy
from pyml.recorder import constant

cnp.import_array()

# the numbers of kernels
cdef int ABS = _kernels.kernel("abs")
cdef int ADD = _kernels.kernel("add")
cdef int MAXIMUM = _kernels.kernel("maximum")
cdef int MINIMUM = _kernels.kernel("minimum")
cdef int MUL = _kernels.kernel("mul")
cdef int NEG = _kernels.kernel("neg")
cdef int POW = _kernels.kernel("pow")
cdef int SIGN = _kernels.kernel("sign")
cdef int SUB = _kernels.kernel("sub")

cdef object INT64 = np.dtype(np.int64), BOOL = np.dtype(np.bool_)
cdef frozenset DTYPES = frozenset(np.dtype(name) for name in (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"
))
cdef dict OF_INTEGERS = {
    ADD: np.add, SUB: np.subtract, MUL: np.multiply, POW: np.power,
    MAXIMUM: np.maximum, MINIMUM: np.minimum, ABS: np.abs, NEG: np.negative,
    SIGN: np.sign,
}


# ---- dtypes ---------------------------------------------------------------------------------------------------


def checked_dtype(dtype, str name):
    """The NumPy dtype that `dtype` means.

    Raises:
        TypeError: if it is none that a Tensor can have.
    """
    if isinstance(dtype, own_class):
        if (<own_class>dtype).number < 0:
            raise TypeError(
                f"{name}: dtype {dtype} is not supported, it is a name alone; use float32, float64, an integer type or bool")
        return (<own_class>dtype).of_numpy
    try:
        result = np.dtype(dtype)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {dtype!r} is not a dtype") from None
    if result not in DTYPES:
        raise TypeError(f"{name}: dtype {result} is not supported; use float32, float64, an integer type or bool")
    return result


cdef object own_dtype(object x, str name):
    """The dtype of a Tensor or an array, and the one that a number gets if it is alone."""
    if isinstance(x, Tensor):
        check_shown(x, name, "a tensor")
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
        return default_float()
    raise TypeError(f"{name}: a Tensor, a NumPy array or a number is needed, not {type(x).__name__}")


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
    return dtype_of_number(number_of(outrank(outrank(ranks[0], ranks[1]), ranks[2])))


# ---- as Tensors -----------------------------------------------------------------------------------------------


cdef Tensor lift(object x, str name):
    if isinstance(x, Tensor):
        check_shown(x, name, "a tensor")
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
        raise ArgumentError(f"{name}: {x} does not fit dtype {np.dtype(dtype)}; .to() another dtype first") from None


cdef Tensor floating(object x, str name):
    cdef Tensor t = lift(x, name)
    return t if is_real(t.array) else cast(t, default_float())


cdef double as_double(object x, str name) except? -1:
    try:
        return x
    except OverflowError:
        raise ArgumentError(f"{name}: an integer of {x.bit_length()} bits is too large for a floating point number") from None


cdef ndarray scalar(double value, int kind):
    return new_number(0, NULL, kind, value)


cdef ndarray traced_scalar(Traced number, int kind):
    """A number that a recorded step changes: replays write its value then."""
    cdef ndarray a = scalar(number.value, kind)
    cdef Recorder r = recorder()
    if r is not None:
        r.number(a, number)
    return a


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
        dtype = default_float()
    return converted_to(a, dtype, name), converted_to(b, dtype, name)


cdef Tensor converted_to(object x, object dtype, str name):
    x = unwatched(x)
    if isinstance(x, (Tensor, ndarray)):
        return cast(lift(x, name), dtype)
    return wrap(number_as(x, dtype, name))


cdef class Cast(Node):
    cdef object dtype   # of the input

    cdef tuple gradients(self, Tensor dy):
        return (cast(dy, self.dtype),)


cpdef Tensor cast(Tensor x, object dtype):
    """x in another dtype; x itself if it has it."""
    cdef Cast node
    if cnp.PyArray_TYPE(x.array) == number_of(dtype):
        return x
    check_shown(x, "to", "a tensor")
    y = wrap(as_type(x.array, dtype))
    if tracks(x) and is_real((<Tensor>y).array):
        node = Cast.__new__(Cast)
        node.dtype = x.array.dtype
        node.connect(y, (x,))
    return y


cdef int check_out(object out, str name) except -1:
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}: out must be a Tensor, not {type(out).__name__}")
    return 0


cpdef Tensor written(object out, Tensor y, str name):
    """out <- y, for out=; returns out. One without elements gets the shape of y."""
    check_out(out, name)
    cdef Tensor t = out
    if y._requires_grad or tracks(t):
        raise RuntimeError(
            f"{name}: out= is not differentiable, and a tensor here requires grad; leave out= away, or use pyml.no_grad()")
    if not np.can_cast(y.array.dtype, t.array.dtype, "same_kind"):
        raise TypeError(f"{name}: out has dtype {t.dtype}, it cannot take a result of dtype {y.dtype}")
    if y.array.ndim != t.array.ndim or not cnp.PyArray_SAMESHAPE(y.array, t.array):
        if cnp.PyArray_SIZE(t.array) != 0:
            raise ArgumentError(
                f"{name}: out has shape {t.shape}, it must be that of the result, {y.shape}, or have no elements")
        t.data = wrap(empty_shape((<object>y.array).shape, t.array))
    will_change(t, False)
    copy_into(t.array, as_type(y.array, t.array.dtype))
    t.mark_changed()
    return t


@functools.cache
def numpy_names(function):
    """A decorator: the keywords `axis` and `keepdims` mean `dim` and `keepdim`, as NumPy calls them and PyTorch takes
    them, and `out` is a tensor that the result is written into."""
    name = function.__name__

    def called(*args, **kwargs):
        if not kwargs:
            return function(*args)
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in kwargs:
                if ours in kwargs:
                    raise TypeError(f"{name}: {theirs} and {ours} mean the same, only one can be given")
                kwargs[ours] = kwargs.pop(theirs)
        out = kwargs.pop("out", None)
        if out is None:
            return function(*args, **kwargs)
        if not isinstance(out, (tuple, list)):
            check_out(out, name)   # before random numbers are drawn
        y = function(*args, **kwargs)
        if isinstance(y, tuple):
            if not isinstance(out, (tuple, list)) or len(out) != len(y):
                raise TypeError(f"{name}: out must be a tuple of {len(y)} tensors")
            return type(y)(*[written(o, part, name) for o, part in zip(out, y)])
        return written(out, y, name)

    called = made_of(function, called, numpy_names)
    signature = inspect.signature(function)
    if "out" not in signature.parameters:
        out = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None)
        called.__signature__ = signature.replace(parameters=[*signature.parameters.values(), out])
    return called


# ---- shapes ---------------------------------------------------------------------------------------------------


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
                raise ArgumentError(
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
        raise ArgumentError(f"{name}: shape {shape} has size {size}; sizes are from 0 to 2**63 - 1")
    return size


cpdef Tensor sum_to(Tensor x, object shape):
    """x summed over what broadcasting from `shape` repeated: the derivative of broadcasting."""
    cdef tuple sizes = shape_of(x)
    if sizes == shape:
        return x
    cdef Py_ssize_t before = len(sizes) - len(shape), d
    dims = [d for d in range(len(sizes)) if d < before or (shape[d - before] == 1 and sizes[d] != 1)]
    return x.sum(dims, True).reshape(shape) if dims else x.reshape(shape)


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


# ---- calls of kernels -----------------------------------------------------------------------------------------


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


cdef ndarray mapped(int kernel, ndarray a):
    if not is_real(a):
        return by_numpy("a function", OF_INTEGERS[kernel], (a,))
    a = contiguous(a)
    cdef ndarray y = empty_like(a)
    _kernels.unary(kernel, y, a, 0, 0)
    return y


cdef ndarray of_integers(int kernel, ndarray a, ndarray b, str name):
    return by_numpy(name, OF_INTEGERS[kernel], (a, b))
