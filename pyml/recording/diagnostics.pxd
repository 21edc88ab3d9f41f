from numpy cimport ndarray

from pyml._kernels cimport pyml_program


cdef struct Snapshot:      # weights, kept for the time of an update
    void **copied          # where the pointers to their copy stand
    void **compared
    size_t size


cdef class Diagnosis:
    cdef pyml_program *calls      # the program's, which this belongs to
    cdef readonly list names      # of the numbers, in the order of `numbers`
    cdef readonly ndarray numbers # float64, written by a step if it is diagnosed
    cdef ndarray zero             # the index of the only row of an array
    cdef Snapshot *snapshots
    cdef Py_ssize_t snapshot_count
    cdef list copies
    cdef dict counts              # how often each name was given
    cdef dict layers              # address of a layer's output -> (its name, its columns)

    cdef int enable(self, bint on) except -1
    cdef int trace(self, dict names) except -1
    cdef str named(self, str kind, str name)
    cdef int insert(self, dict names) except -1
    cdef int around_update(self, Py_ssize_t i, dict names) except -1
