from pyml._kernels cimport pyml_program
from pyml.recording.allocations cimport NewMemory


cdef enum Source:
    FROM_BEFORE   # it was there before: by its address
    FROM_INPUT    # an argument, or a gradient that was there
    FROM_STEP     # made in the step
    FROM_PROGRAM  # the program's: segments, step counts
    FROM_SLOT     # a tensor that the step replaces


cdef class Trace:
    cdef pyml_program *program   # whose calls these are
    cdef NewMemory memory        # that is new in the step
    cdef NewMemory inputs        # arguments and gradients
    cdef list calls              # Call
    cdef dict constants          # where new memory begins -> (array, its bytes)
    cdef Py_ssize_t used         # pieces of new memory that calls use
    # of the call that is noted now
    cdef list wires
    cdef list fresh

    cdef int note(self, int kernel, int dtype, void *args, tuple place) except -1
    cdef int wire(self, void **field, ptrdiff_t before, size_t size, int access) except -1
    cdef int rename(self, const void *memory, size_t size, Py_ssize_t slot) except -1
    cdef set outside(self)
    cdef str user_of(self, int kind, size_t which)
    cdef str line_of(self, Py_ssize_t call)
    cdef bint writes_outside(self, Py_ssize_t begin)
    cdef set written(self, Py_ssize_t begin, Py_ssize_t end)
    cdef Py_ssize_t traffic(self)
    cdef tuple difference(self, Trace other)
