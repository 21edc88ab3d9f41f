cdef enum:
    KERNEL = 1      # a kernel wrote it
    CONSTANT = 2    # its values are the same in every step
    REWRITTEN = 4   # constant at first, then written by a kernel
    NUMPY = 8       # NumPy's own memory, else a result's


cdef struct Piece:
    size_t begin, size
    int marks
    Py_ssize_t number   # in the order in which calls first use it; -1: not used yet


cdef class NewMemory:
    cdef Piece *pieces
    cdef Py_ssize_t count, capacity
    cdef dict places           # where a piece begins -> which it is
    cdef object handler, before

    cdef int allocated(self, const void *memory, size_t size, int marks) except -1
    cdef int freed(self, const void *memory) except -1
    cdef int clear(self) except -1
    cdef Piece *find(self, size_t begin) except? NULL
    cdef int watch_numpy(self) except -1
    cdef int unwatch_numpy(self) except -1
