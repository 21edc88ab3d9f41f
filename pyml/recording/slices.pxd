from numpy cimport ndarray

from pyml._kernels cimport program_rows, program_transfer
from pyml.recording.outputs cimport Outputs
from pyml.recording.program cimport Program


cdef class Slice:
    cdef program_rows *inputs
    cdef program_transfer *before
    cdef program_transfer *after
    cdef Py_ssize_t input_count, before_count, after_count
    cdef list tables            # of options, a row a step
    cdef list starts            # (scheduler, its state, its groups' options)

    cdef int rows(self, Program program, list data, list batches, ndarray order) except -1
    cdef int results(
        self, Program program, Outputs outputs, Py_ssize_t step, Py_ssize_t row, Py_ssize_t first, Py_ssize_t batch
    ) except -1
    cdef int measure(self, Program program, ndarray table, Py_ssize_t step, Py_ssize_t first) except -1
    cdef int rates(self, Program program, Py_ssize_t first, Py_ssize_t count) except -1
    cdef int settle(self, Program program, Py_ssize_t steps, Py_ssize_t count) except -1
