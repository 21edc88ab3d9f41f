# cython: binding=False
"""Arrays as kernels want them: contiguous, aligned, float32 or float64; and the checks that say so.

What moves or converts elements is a kernel too, so that a recorded step can repeat it. What the kernels do not know
(more than 8 dimensions, memory that is not aligned, unsigned integers of more than a byte) is left to NumPy, and
refused in a recorded step.
"""
import numpy as np

cimport numpy as cnp
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.attributes cimport number_of
from pyml.memory cimport new_array, only_one_has
from pyml.recorder cimport Recorder, recorder
from pyml.tensor cimport Tensor

from pyml.errors import ArgumentError, DtypeError
from pyml.recorder import refuse

cnp.import_array()

cdef bint is_real(ndarray a):
    cdef int kind = cnp.PyArray_TYPE(a)
    return kind == cnp.NPY_FLOAT32 or kind == cnp.NPY_FLOAT64


cdef inline bint is_movable(ndarray a):
    """The copy kernel knows its elements and layout."""
    cdef Py_ssize_t size = cnp.PyArray_ITEMSIZE(a)
    return a.ndim <= 8 and cnp.PyArray_ISALIGNED(a) and (size == 4 or size == 8 or size == 1 or size == 2)


cpdef ndarray contiguous(ndarray a):
    return a if cnp.PyArray_ISCARRAY_RO(a) else copied(a)


cpdef ndarray copied(ndarray a):
    if not is_movable(a):
        refuse("a copy of a tensor that is not aligned in memory, or has more than 8 dimensions")
        return a.copy()
    cdef ndarray copy = empty_like(a)
    _kernels.copy(copy, a)
    return copy


# ---- shapes ---------------------------------------------------------------------------------------------------


cpdef bint can_be_seen_as(ndarray a, object shape):
    cdef cnp.npy_intp old_sizes[64]     # 64: NumPy's largest number of dimensions
    cdef cnp.npy_intp old_strides[64]
    cdef cnp.npy_intp before, after
    cdef int old = 0, first = 0, begin = 0, d
    dimensions(shape)
    if cnp.PyArray_IS_C_CONTIGUOUS(a) or cnp.PyArray_SIZE(a) == 0:
        return True
    for d in range(a.ndim):
        if a.shape[d] != 1:
            old_sizes[old], old_strides[old] = a.shape[d], a.strides[d]
            old += 1
    while first < old:   # the next old dimensions that have as many elements as the next new ones must be one in memory
        before, after = old_sizes[first], (<tuple>shape)[begin]
        first, begin = first + 1, begin + 1
        while before != after:
            if before > after:
                after *= <cnp.npy_intp>(<tuple>shape)[begin]
                begin += 1
            elif old_strides[first - 1] != old_sizes[first] * old_strides[first]:
                return False
            else:
                before *= old_sizes[first]
                first += 1
    return True


# ---- into other memory ----------------------------------------------------------------------------------------


cdef void memory_range(ndarray a, char **first, char **end):
    cdef Py_ssize_t d, span
    first[0] = <char *>cnp.PyArray_DATA(a)
    end[0] = first[0] + cnp.PyArray_ITEMSIZE(a)
    for d in range(a.ndim):
        span = (a.shape[d] - 1) * a.strides[d]
        if span < 0:
            first[0] += span
        else:
            end[0] += span


cpdef int copy_into(ndarray y, ndarray x) except -1:
    cdef char *y_first
    cdef char *y_end
    cdef char *x_first
    cdef char *x_end
    if cnp.PyArray_SIZE(y) == 0:
        return 0
    if x.ndim != y.ndim or not cnp.PyArray_SAMESHAPE(x, y):
        x = broadcast_to(x, (<object>y).shape)
    memory_range(y, &y_first, &y_end)
    memory_range(x, &x_first, &x_end)
    if y_first < x_end and x_first < y_end:
        x = copied(x)
    if cnp.PyArray_ITEMSIZE(x) == cnp.PyArray_ITEMSIZE(y) and is_movable(x) and is_movable(y):
        return _kernels.copy(y, x)
    refuse("a change of a tensor that is not aligned in memory, or has more than 8 dimensions")
    cnp.PyArray_CopyInto(y, x)
    return 0


cpdef ndarray as_type(ndarray a, object dtype):
    cdef int kind = number_of(dtype)
    cdef ndarray y
    if cnp.PyArray_TYPE(a) == kind:
        return a
    a = contiguous(a)
    y = empty_of_kind(a, kind)
    if _kernels.element_of(a) >= 0 and _kernels.element_of(y) >= 0:
        _kernels.cast(y, a)
        return y
    refuse(f"a conversion from {a.dtype} to {dtype}")
    with np.errstate(all="ignore"):
        return a.astype(dtype)


# ---- new ones -------------------------------------------------------------------------------------------------


cdef int dimensions(object shape) except -1:
    """How many there are, as many as NumPy can have."""
    if not isinstance(shape, tuple):   # or a Size, which is one
        raise TypeError(f"shape is {shape!r}, it must be a tuple")
    if len(shape) > 64:
        raise ArgumentError(f"shape {shape} has {len(shape)} dimensions, a tensor can have 64 at most")
    return <int>len(shape)


cpdef ndarray empty(object shape, object dtype):
    cdef cnp.npy_intp sizes[64]
    cdef int d, ndim = dimensions(shape)
    for d in range(ndim):
        sizes[d] = (<tuple>shape)[d]
    return new_array(ndim, sizes, number_of(dtype))


cpdef ndarray full(object shape, ndarray like, double value):
    cdef ndarray y = empty_shape(shape, like)
    _kernels.fill(y, value)
    return y


cdef ndarray empty_of_kind(ndarray a, int kind):
    return new_array(a.ndim, a.shape, kind)


cdef ndarray empty_like(ndarray a):
    return new_array(a.ndim, a.shape, cnp.PyArray_TYPE(a))


cdef ndarray room_of(Tensor dy):
    """Room for a gradient that a kernel makes of dy element by element: dy's own memory where nobody but the walk that
    calls has dy, which is then over; else new memory."""
    if only_one_has(<PyObject *>dy, <PyObject *>dy.array) and cnp.PyArray_ISCARRAY(dy.array):
        return dy.array
    return empty_like(dy.array)


cdef ndarray empty_vector(Py_ssize_t n, ndarray like):
    cdef cnp.npy_intp shape[1]
    shape[0] = n
    return new_array(1, shape, cnp.PyArray_TYPE(like))


cdef ndarray empty_matrix(Py_ssize_t rows, Py_ssize_t columns, ndarray like):
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = rows, columns
    return new_array(2, shape, cnp.PyArray_TYPE(like))


cdef ndarray empty_shape(object shape, ndarray like):
    cdef cnp.npy_intp sizes[64]   # 64: NumPy's largest number of dimensions
    cdef int d, ndim = dimensions(shape)
    for d in range(ndim):
        sizes[d] = (<tuple>shape)[d]
    return new_array(ndim, sizes, cnp.PyArray_TYPE(like))


cdef ndarray empty_scalar(ndarray like):
    return new_array(0, NULL, cnp.PyArray_TYPE(like))


cpdef ndarray broadcast_to(ndarray a, object shape):
    cdef cnp.npy_intp sizes[64]   # 64: NumPy's largest number of dimensions
    cdef cnp.npy_intp strides[64]
    cdef int ndim = dimensions(shape), before = ndim - a.ndim, d
    cdef bint fits = before >= 0
    for d in range(ndim if fits else 0):
        sizes[d] = (<tuple>shape)[d]
        strides[d] = 0 if d < before or a.shape[d - before] == 1 else a.strides[d - before]
        fits = fits and (d < before or a.shape[d - before] == 1 or a.shape[d - before] == sizes[d])
    if not fits:
        raise ArgumentError(f"shape {(<object>a).shape} cannot be broadcast to {shape}")
    return view_at(a, cnp.PyArray_DATA(a), ndim, sizes, strides, 0)


cpdef ndarray strided(ndarray a, Py_ssize_t start, object sizes, object steps):
    cdef cnp.npy_intp shape[64]   # 64: NumPy's largest number of dimensions
    cdef cnp.npy_intp strides[64]
    cdef int ndim = dimensions(sizes), d
    for d in range(ndim):
        shape[d], strides[d] = sizes[d], <Py_ssize_t>steps[d] * cnp.PyArray_ITEMSIZE(a)
    cdef char *first = <char *>cnp.PyArray_DATA(a) + start * cnp.PyArray_ITEMSIZE(a)
    return view_at(a, first, ndim, shape, strides, cnp.PyArray_FLAGS(a) & cnp.NPY_ARRAY_WRITEABLE)


cdef ndarray view_at(ndarray a, void *first, int ndim, cnp.npy_intp *sizes, cnp.npy_intp *strides, int flags):
    """An array on the memory of `a`."""
    cdef int looked_up = cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED
    cdef ndarray view = cnp.PyArray_New(
        ndarray, ndim, sizes, cnp.PyArray_TYPE(a), strides, first, cnp.PyArray_ITEMSIZE(a), flags, None)
    cnp.set_array_base(view, a)
    cnp.PyArray_UpdateFlags(view, looked_up)
    return view


cdef ndarray as_matrix(ndarray a):
    a = contiguous(a)
    if a.ndim == 2:
        return a
    cdef Py_ssize_t columns = a.shape[a.ndim - 1] if a.ndim > 0 else 1
    cdef Py_ssize_t rows = 1
    cdef int i
    for i in range(a.ndim - 1):
        rows *= a.shape[i]
    return a.reshape(rows, columns)


cpdef Tensor checked_tensor(object x, str who, str name="input"):
    """x, if it is a Tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{who}: {name} must be a Tensor, not {type(x).__name__}; pyml.tensor() or pyml.from_numpy() makes one")
    return <Tensor>x


cpdef Tensor real_tensor(object x, str who, str name="input"):
    """x, if it is a floating point Tensor."""
    checked_tensor(x, who, name)
    if not is_real((<Tensor>x).array):
        check_shown(<Tensor>x, who, name)
        raise DtypeError(f"{who}: {name} has dtype {x.dtype}, it must be float32 or float64; {name}.float() converts it")
    return <Tensor>x


cdef int check_shown(Tensor x, str who, str name) except -1:
    """Not a tensor of vmap, whose values an operation without a rule cannot see. See Tensor._hidden."""
    if cnp.PyArray_TYPE(x.array) == cnp.NPY_VOID:
        raise TypeError(f"{who}: {name} is a tensor of vmap, which this function was not written for")
    return 0


cdef int same_dtype(Tensor a, Tensor x, str who, str name) except -1:
    """Checks that `a` has x's dtype; both are real."""
    if cnp.PyArray_TYPE(a.array) != cnp.PyArray_TYPE(x.array):
        raise DtypeError(f"{who}: {name} has dtype {a.dtype}, the input has {x.dtype}; they must be the same, .to() converts one")
    return 0


# ---- indices --------------------------------------------------------------------------------------------------


cpdef ndarray as_indices(ndarray a):
    """Integers as contiguous int64. What is larger is the largest, which is the index of nothing."""
    if cnp.PyArray_ISUNSIGNED(a) and cnp.PyArray_ITEMSIZE(a) == 8:
        refuse("an index of dtype uint64 (use x.long())")
        a = np.minimum(a, np.uint64(2**63 - 1))
    return contiguous(as_type(a, np.int64))


cpdef ndarray checked_index(ndarray index, Py_ssize_t size, int64_t ignored, bint wrap, object error):
    """`index`, if all of it is from 0 to size - 1 or `ignored`; with `wrap` from -size on, counted from the front.

    Args:
        index: contiguous, int64.
        error: error(position, number) is the exception to raise for the first that is none of these.
    """
    cdef ndarray fault = new_array(0, NULL, cnp.NPY_INT64), y = empty_like(index) if wrap else None
    cdef Recorder r = recorder()
    cdef int64_t position
    _kernels.index_check(y, fault, index, size, ignored, wrap)
    position = (<int64_t *>cnp.PyArray_DATA(fault))[0]
    if r is not None:
        r.fault(fault, error)
    if position >= 0:
        raise error(position, (<int64_t *>cnp.PyArray_DATA(index))[position])
    return y if wrap else index
