from contract_optim cimport optim_segment
from numpy cimport ndarray


cdef class Segments:
    cdef optim_segment *table
    cdef Py_ssize_t capacity, floats, doubles
    cdef double float_time, double_time   # of a call for those, in nanoseconds, about
    cdef list alive     # the arrays that the segments point into: another thread may drop them from their tensors
    cdef list copies    # (array, contiguous copy): what the kernel writes for an array that is not contiguous
    cdef bint is_open

    cdef int acquire(self) except -1
    cdef int reserve(self, Py_ssize_t capacity) except -1
    cdef void close(self)
    cdef int tell(self) except -1
    cdef optim_segment *append(self, ndarray w) except NULL
    cdef optim_segment *double_segments(self) noexcept
    cdef void *writable(self, ndarray a) except NULL
    cdef void *readable(self, ndarray a)
    cdef int write_back(self) except -1
