from cpython.object cimport PyObject
from contract_optim cimport optim_segment
from libc.stdint cimport uint64_t
from numpy cimport ndarray

from pyml._kernels cimport OPTIM_ARRAYS, OPTIM_NUMBERS, argument_field, optimizer_traits, pyml_dtype
from pyml.ops.segments cimport Segments
from pyml.tensor cimport Tensor


cdef double number(object value) except? -1   # an option, as it is now


cdef class Algorithm:
    cdef int kernel
    cdef const optimizer_traits *traits
    cdef tuple options             # names, in the order of the kernel's struct
    cdef tuple arrays, numbers     # names of the state
    cdef tuple firsts              # values that the numbers begin with
    cdef list starts               # (index of an array, the option that it begins with)
    cdef int needs[OPTIM_ARRAYS]   # the option without which there is no such array, or -1


cdef struct seen_parameter:
    PyObject *tensor   # to compare with only: it may be gone
    void *data
    Py_ssize_t n
    PyObject *values   # its state, NULL if not looked up since the optimizer's dict of states was another
    uint64_t version   # of that, when these were looked up in it; NULL for those that were not
    PyObject *numbers[OPTIM_NUMBERS]
    PyObject *arrays[OPTIM_ARRAYS]


cdef class Update(Segments):
    cdef Algorithm algorithm
    cdef str name
    cdef char *options                    # the struct that the kernel reads
    cdef uint64_t options_version         # of the group from which it was read, 0 if that may read otherwise now
    cdef unsigned used                    # bit k: these options need array k of the state
    cdef double start[OPTIM_ARRAYS]       # what new arrays are filled with
    cdef double *steps                    # of a kernel whose state has no numbers, one for each of `given`
    cdef Py_ssize_t steps_capacity
    cdef list given                       # all parameters of the group
    cdef list params                      # those that have a gradient
    cdef seen_parameter *seen             # the given ones when they were last found to be distinct
    cdef Py_ssize_t seen_count, seen_capacity
    cdef uint64_t state_version           # of the dict of states in which theirs were looked up
    cdef list fresh                       # (parameter, its state, name, value): state that this step adds

    cdef int read_options(self, dict group) except -1
    cdef int read_tuple(self, str name, tuple values, double *at, Py_ssize_t count) except -1
    cdef bint is_on(self, const argument_field *field) noexcept
    cdef int call(self, pyml_dtype dtype, const optim_segment *segments, ptrdiff_t count, double work) except -1
    cdef int take(self, dict group) except -1
    cdef int prepare(self, dict state) except -1
    cdef int add(self, Py_ssize_t i, Tensor p, ndarray g, dict state) except -1
    cdef double *number_of(self, Py_ssize_t i, Tensor p, dict values, Py_ssize_t k) except NULL
    cdef void *array_of(self, Py_ssize_t i, Tensor p, dict values, Py_ssize_t k) except NULL
    cdef object mismatch(self, Py_ssize_t i, ndarray w, what, ndarray other)
    cdef int run(self, dict group, dict state) except -1
