from numpy cimport ndarray

from pyml.tensor cimport Tensor

cdef ndarray contiguous(ndarray a)             # a, or a copy of it that a kernel can read
cdef ndarray empty_like(ndarray a)             # contiguous, same shape and dtype, uninitialised
cdef ndarray empty_vector(Py_ssize_t n, ndarray like)
cdef ndarray empty_matrix(Py_ssize_t rows, Py_ssize_t columns, ndarray like)
cdef ndarray empty_shape(tuple shape, ndarray like)
cdef ndarray empty_scalar(ndarray like)
cpdef ndarray broadcast_to(ndarray a, tuple shape)   # a read-only view; the caller knows that it broadcasts
cdef ndarray as_matrix(ndarray a)              # contiguous, all dimensions but the last made one
cdef bint is_real(ndarray a)                   # float32 or float64
cdef Tensor real_tensor(object x, str who, str name)
cdef int same_dtype(Tensor a, Tensor x, str who, str name) except -1
