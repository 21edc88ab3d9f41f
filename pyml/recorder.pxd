from numpy cimport ndarray

from pyml.no_gil cimport now


cdef class Traced:
    cdef readonly object value


cdef class ArrayArgument:
    cdef ndarray array


cdef class Recorder:
    cdef object arena   # where results take their memory: a pyml.memory.Arena

    cdef int call(self, int kernel, int dtype, const void *args, size_t size) except -1
    cdef int keep(self, ndarray array) except -1
    cdef int constant(self, ndarray array) except -1
    cdef int number(self, ndarray array, Traced number) except -1
    cdef int allocated(self, void *memory, size_t size) except -1
    cdef int freed(self, void *memory) except -1
    cdef int changed(self, object tensor) except -1
    cdef int gradient(self, object tensor, bint assigned, bint accumulates) except -1
    cdef int backward(self, tuple outputs) except -1
    cdef int called(self, object module) except -1
    cdef int stepping(self, object optimizer) except -1
    cdef int updating(self, object update, dict group, dict state) except -1
    cdef int option(self, ndarray array, dict group, str name) except -1
    cdef int scheduled(self, object scheduler) except -1
    cdef int altered(self, object owner, str name, object before) except -1
    cdef int fault(self, ndarray fault, object error) except -1
    cdef object item(self, object tensor)
    cdef int located(self, object tensor, bint is_address) except -1
    cdef int lent(self, object tensor) except -1
    cdef bint replaced(self, object tensor, object value) except -1
    cdef bint is_strict(self)
    cdef int refuse(self, str what) except -1


cdef int recordings            # open in this process
cdef unsigned long structure   # moves when a Tensor, Module or Optimizer is altered in a way a recorded step may not know of
cdef Recorder of_thread()


cdef inline Recorder recorder():
    """The recording that is open on this thread, or None."""
    return of_thread() if now(recordings) > 0 else None


cpdef object unwatched(object value)
cdef void open_recorder(Recorder r)
cdef void close_recorder()
cdef int note_altered(object owner, str name, object before) except -1
