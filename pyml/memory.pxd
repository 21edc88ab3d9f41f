from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from pyml.recorder cimport Recorder

cdef enum:
    SIZES = 512

cdef struct Waiting:   # a freed block is a link of its list
    Waiting *next
    int index          # of the list that it is to go to, while it is in Arena.returned

cdef struct Taken:
    void *memory
    size_t size


cdef class Arena:
    cdef Recorder recorder   # None: closed
    cdef Waiting *waiting[SIZES]
    cdef Waiting *returned   # blocks that other threads have freed, where there is no GIL
    cdef Taken *taken        # from the system
    cdef Py_ssize_t taken_count
    cdef char *slab          # what is left of the last piece for small blocks
    cdef size_t left
    cdef readonly size_t bytes

    cdef void close(self)
    cdef void *from_slab(self, size_t size) except NULL
    cdef Block block(self, int index)
    cdef void give(self, void *memory, int index)
    cdef void take_back(self)
    cdef bint waits(self, const void *memory) noexcept


cdef class Block:
    cdef void *memory
    cdef int index
    cdef Arena arena         # whose memory it is; None: the pool's


cdef size_t size_bytes(int index) noexcept   # of a block
cdef ndarray new_array(int ndim, const npy_intp *shape, int type_number)   # contiguous, uninitialised, 64-byte aligned
cdef ndarray new_zeros(int ndim, const npy_intp *shape, int type_number)   # which outlive the step that is being recorded
cdef ndarray new_number(int ndim, const npy_intp *shape, int type_number, double value)   # float32 or float64, one element
cdef bint owns_memory(ndarray a)       # nothing but `a` (and views, which refer to it) can reach its memory
cdef bint only_one_has(PyObject *tensor, PyObject *array)   # a tensor; and only that its array, and only that its memory
cdef bint alone_on_memory(ndarray a)   # the same, or it is a view of an array that nobody else has
