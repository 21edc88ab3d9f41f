from kernel_arguments cimport optim_segment

from pyml._kernels cimport pyml_dtype
from pyml.tensor cimport Tensor
from cpython.object cimport PyObject
from numpy cimport ndarray


cdef class Segments:
    cdef optim_segment *table
    cdef Py_ssize_t capacity, floats, doubles
    cdef double float_elements, double_elements
    cdef list alive     # the arrays that the segments point into: another thread may drop them from their tensors
    cdef list copies    # (array, contiguous copy): what the kernel writes for an array that is not contiguous
    cdef bint is_open

    cdef int acquire(self) except -1
    cdef int reserve(self, Py_ssize_t capacity) except -1
    cdef void close(self)
    cdef int tell(self) except -1
    cdef optim_segment *append(self, ndarray w) except NULL
    cdef void *writable(self, ndarray a) except NULL
    cdef void *readable(self, ndarray a)
    cdef int write_back(self) except -1


cdef struct seen_parameter:
    PyObject *tensor   # to compare with only: it may be gone
    void *data
    Py_ssize_t n


cdef class Update(Segments):
    cdef str name
    cdef list given                       # all parameters of the group
    cdef list params                      # those that have a gradient
    cdef seen_parameter *seen             # the given ones when they were last found to be distinct
    cdef Py_ssize_t seen_count, seen_capacity
    cdef list fresh                       # (parameter, its state, name, value): state that this step adds
    cdef double initial                   # the value of new state
    cdef readonly str name0, name1, name2 # what s0, s1 and s2 of a segment are called in the state; None: not used

    cdef int read_options(self, dict group) except -1
    cdef const void *options_at(self)
    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1
    cdef int take(self, dict group) except -1
    cdef int prepare(self, dict state) except -1
    cdef int add(self, Py_ssize_t i, Tensor p, ndarray g, dict values) except -1
    cdef double *step_of(self, Py_ssize_t i, Tensor p, dict values) except NULL
    cdef void *state_of(self, Py_ssize_t i, Tensor p, dict values, str name) except NULL
    cdef object mismatch(self, Py_ssize_t i, ndarray w, what, ndarray other)
    cdef int run(self, dict group, dict state) except -1
