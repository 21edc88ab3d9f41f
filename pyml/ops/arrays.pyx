"""Arrays as kernels want them: contiguous, aligned, float32 or float64; and the checks that say so."""
cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.memory cimport new_array
from pyml.tensor cimport Tensor

cnp.import_array()


cdef bint is_real(ndarray a):
    cdef int kind = cnp.PyArray_TYPE(a)
    return kind == cnp.NPY_FLOAT32 or kind == cnp.NPY_FLOAT64


cdef ndarray contiguous(ndarray a):
    cdef ndarray copy
    if cnp.PyArray_ISCARRAY_RO(a):
        return a
    if is_real(a) and 0 < a.ndim <= 8 and cnp.PyArray_ISALIGNED(a):
        copy = empty_like(a)
        _kernels.copy(copy, a)
        return copy
    return a.copy()


cdef ndarray empty_like(ndarray a):
    return new_array(a.ndim, a.shape, cnp.PyArray_TYPE(a))


cdef ndarray empty_vector(Py_ssize_t n, ndarray like):
    cdef cnp.npy_intp shape[1]
    shape[0] = n
    return new_array(1, shape, cnp.PyArray_TYPE(like))


cdef ndarray empty_matrix(Py_ssize_t rows, Py_ssize_t columns, ndarray like):
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = rows, columns
    return new_array(2, shape, cnp.PyArray_TYPE(like))


cdef ndarray empty_shape(tuple shape, ndarray like):
    cdef cnp.npy_intp sizes[64]   # 64: NumPy's largest number of dimensions
    cdef int d, ndim = <int>len(shape)
    for d in range(ndim):
        sizes[d] = shape[d]
    return new_array(ndim, sizes, cnp.PyArray_TYPE(like))


cdef ndarray empty_scalar(ndarray like):
    return new_array(0, NULL, cnp.PyArray_TYPE(like))


cpdef ndarray broadcast_to(ndarray a, tuple shape):
    cdef cnp.npy_intp sizes[64]   # 64: NumPy's largest number of dimensions
    cdef cnp.npy_intp strides[64]
    cdef int ndim = <int>len(shape), before = ndim - a.ndim, d
    cdef ndarray view
    for d in range(ndim):
        sizes[d] = shape[d]
        strides[d] = 0 if d < before or a.shape[d - before] == 1 else a.strides[d - before]
    view = cnp.PyArray_New(
        ndarray, ndim, sizes, cnp.PyArray_TYPE(a), strides, cnp.PyArray_DATA(a), cnp.PyArray_ITEMSIZE(a), 0, None
    )
    cnp.set_array_base(view, a)
    cnp.PyArray_UpdateFlags(view, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED)
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


cdef Tensor real_tensor(object x, str who, str name):
    """x, if it is a floating point Tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{who}: {name} must be a Tensor, not {type(x).__name__}; pyml.tensor() or pyml.from_numpy() makes one")
    if not is_real((<Tensor>x).array):
        raise TypeError(f"{who}: {name} has dtype {x.dtype}, it must be float32 or float64; {name}.float() converts it")
    return <Tensor>x


cdef int same_dtype(Tensor a, Tensor x, str who, str name) except -1:
    """Checks that `a` has x's dtype; both are real."""
    if cnp.PyArray_TYPE(a.array) != cnp.PyArray_TYPE(x.array):
        raise TypeError(f"{who}: {name} has dtype {a.dtype}, the input has {x.dtype}; they must be the same, .to() converts one")
    return 0
