from libc.stdint cimport int64_t
from numpy cimport ndarray

from pyml.tensor cimport Tensor

cpdef ndarray contiguous(ndarray a)            # a, or a copy of it that a kernel can read
cpdef ndarray copied(ndarray a)                # a contiguous copy
cpdef bint can_be_seen_as(ndarray a, object shape)   # a.reshape(shape), of the same size, is a view
cpdef int copy_into(ndarray y, ndarray x) except -1   # y <- x, broadcast; the caller knows that it broadcasts
cpdef ndarray strided(ndarray a, Py_ssize_t start, object sizes, object steps)   # a view, as pyml.ops.regions.seen
cpdef ndarray as_type(ndarray a, object dtype)   # a, or a contiguous copy of the dtype
cpdef ndarray empty(object shape, object dtype)   # as the others below, uninitialised
cdef ndarray empty_like(ndarray a)             # contiguous, same shape and dtype, uninitialised
cdef ndarray room_of(Tensor dy)                # for what a backward makes of dy element by element, see there
cdef ndarray empty_vector(Py_ssize_t n, ndarray like)
cdef ndarray empty_matrix(Py_ssize_t rows, Py_ssize_t columns, ndarray like)
cdef ndarray empty_shape(object shape, ndarray like)
cdef ndarray empty_scalar(ndarray like)
cdef ndarray empty_of_kind(ndarray a, int kind)   # a's shape, of the NumPy type `kind`
cpdef ndarray full(object shape, ndarray like, double value)   # like is real
cpdef ndarray broadcast_to(ndarray a, object shape)   # a read-only view; the caller knows that it broadcasts
cpdef ndarray strided(ndarray a, Py_ssize_t start, object sizes, object steps)   # a view, as pyml.ops.regions.seen
cdef void memory_range(ndarray a, char **first, char **end)   # its first byte, and behind its last; a has elements
cdef ndarray as_matrix(ndarray a)              # contiguous, all dimensions but the last made one
cdef bint is_real(ndarray a)                   # float32 or float64
cpdef Tensor checked_tensor(object x, str who, str name=*)
cpdef Tensor real_tensor(object x, str who, str name=*)
cdef int check_shown(Tensor x, str who, str name) except -1
cdef int same_dtype(Tensor a, Tensor x, str who, str name) except -1
cpdef ndarray as_indices(ndarray a)            # integers as contiguous int64
cpdef ndarray checked_index(ndarray index, Py_ssize_t size, int64_t ignored, bint wrap, object error)
