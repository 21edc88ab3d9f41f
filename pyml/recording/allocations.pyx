"""Where values come from: memory that is new in a step, and who has written it.

A recorded step repeats what kernels computed. What NumPy computed would silently stay as it was at the recording. So
while a step is recorded, all memory that is taken is listed here: that of results, and NumPy's own, by a handler of
its allocations (NEP 49). Kernels mark what they write. A kernel that is about to read new memory without a mark
would read what NumPy has put there.
"""
from cpython.pycapsule cimport PyCapsule_New
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport strcpy

cdef extern from *:
    """
    #define NPY_TARGET_VERSION NPY_1_22_API_VERSION
    """

cimport numpy as cnp

from pyml.no_gil cimport NO_GIL, pyml_lock, pyml_mutex, pyml_unlock

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyDataMemAllocator:
        void *ctx
        void *(*malloc)(void *ctx, size_t size) noexcept
        void *(*calloc)(void *ctx, size_t count, size_t size) noexcept
        void *(*realloc)(void *ctx, void *memory, size_t size) noexcept
        void (*free)(void *ctx, void *memory, size_t size) noexcept
    ctypedef struct PyDataMem_Handler:
        char name[127]
        unsigned char version
        PyDataMemAllocator allocator
    object PyDataMem_SetHandler(object handler)

cdef extern from "Python.h":
    void *PyCapsule_GetPointer(object capsule, const char *name) except NULL


cdef class NewMemory:
    """The pieces of memory that are new, the latest last."""

    def __cinit__(self):
        self.places = {}

    def __dealloc__(self):
        free(self.pieces)

    cdef int allocated(self, const void *memory, size_t size, int marks) except -1:
        cdef Piece *larger
        if self.count == self.capacity:
            larger = <Piece *>realloc(self.pieces, (2 * self.capacity + 64) * sizeof(Piece))
            if larger == NULL:
                raise MemoryError()
            self.pieces, self.capacity = larger, 2 * self.capacity + 64
        self.pieces[self.count] = Piece(<size_t>memory, size, marks, -1)
        self.places[<size_t>memory] = self.count
        self.count += 1
        return 0

    cdef int freed(self, const void *memory) except -1:
        place = self.places.pop(<size_t>memory, None)
        if place is not None:
            self.count -= 1
            if <Py_ssize_t>place < self.count:   # the last takes its place
                self.pieces[<Py_ssize_t>place] = self.pieces[self.count]
                self.places[self.pieces[self.count].begin] = place
        return 0

    cdef int clear(self) except -1:
        self.count = 0
        self.places.clear()
        return 0

    cdef Piece *find(self, size_t begin) except? NULL:
        """The piece that an address lies in, or NULL."""
        cdef Py_ssize_t i
        place = self.places.get(begin)
        if place is not None:
            return &self.pieces[<Py_ssize_t>place]
        for i in range(self.count - 1, -1, -1):
            if begin - self.pieces[i].begin < self.pieces[i].size:
                return &self.pieces[i]
        return NULL

    cdef int watch_numpy(self) except -1:
        """From now on, what NumPy allocates on this thread is listed."""
        cdef Watch *watch = <Watch *>calloc(1, sizeof(Watch))
        if watch == NULL:
            raise MemoryError()
        watch.memory, watch.thread = <void *>self, PyThread_get_thread_ident()
        strcpy(watch.handler.name, b"pyml: a step is recorded")
        watch.handler.version = 1
        watch.handler.allocator.ctx = watch
        watch.handler.allocator.malloc = watched_malloc
        watch.handler.allocator.calloc = watched_calloc
        watch.handler.allocator.realloc = watched_realloc
        watch.handler.allocator.free = watched_free
        self.handler = PyCapsule_New(watch, "mem_handler", free_watch)
        self.before = PyDataMem_SetHandler(self.handler)
        return 0

    cdef int unwatch_numpy(self) except -1:
        """Arrays that were made meanwhile keep their handler, which lists nothing any more."""
        if self.handler is None:
            return 0
        cdef Watch *watch = <Watch *>PyCapsule_GetPointer(self.handler, "mem_handler")
        cdef void *memory
        cdef void *after
        pyml_lock(&watches)
        watch.memory = NULL
        pyml_unlock(&watches)
        memory = watch.returned
        while NO_GIL and memory != NULL:
            after = (<void **>memory)[0]
            self.freed(memory)
            free(memory)
            memory = after
        PyDataMem_SetHandler(self.before)
        self.handler = self.before = None
        return 0


# ---- NumPy's allocations --------------------------------------------------------------------------------------


cdef struct Watch:
    PyDataMem_Handler handler
    void *memory   # the NewMemory; NULL when nobody looks any more
    unsigned long thread   # that it is of
    void *returned         # what other threads have freed meanwhile, where there is no GIL: each leads to the next


cdef pyml_mutex watches


cdef bint is_elsewhere(Watch *watch) noexcept:
    """Whether this is another thread than that of the recording, who may be looking at its pieces."""
    return NO_GIL and watch.thread != PyThread_get_thread_ident()


cdef void free_watch(object capsule) noexcept:
    free(PyCapsule_GetPointer(capsule, "mem_handler"))


cdef void *listed(void *context, void *memory, size_t size) noexcept:
    """Called with the GIL: NumPy allocates arrays under it."""
    cdef Watch *watch = <Watch *>context
    if memory != NULL and watch.memory != NULL and not is_elsewhere(watch):
        (<NewMemory>watch.memory).allocated(memory, size, NUMPY)
    return memory


cdef void unlisted(void *context, void *memory) noexcept:
    cdef Watch *watch = <Watch *>context
    if memory != NULL and watch.memory != NULL and not is_elsewhere(watch):
        (<NewMemory>watch.memory).freed(memory)


cdef void *watched_malloc(void *context, size_t size) noexcept:
    return listed(context, malloc(size), size)


cdef void *watched_calloc(void *context, size_t count, size_t size) noexcept:
    return listed(context, calloc(count, size), count * size)


cdef void *watched_realloc(void *context, void *memory, size_t size) noexcept:
    unlisted(context, memory)
    return listed(context, realloc(memory, size), size)


cdef void watched_free(void *context, void *memory, size_t size) noexcept:
    cdef Watch *watch = <Watch *>context
    cdef bint waits = False
    if memory != NULL and is_elsewhere(watch):
        pyml_lock(&watches)
        waits = watch.memory != NULL
        if waits:   # until unwatch_numpy(): else it might be allocated again, and not by a step
            (<void **>memory)[0] = watch.returned
            watch.returned = memory
        pyml_unlock(&watches)
    if waits:
        return
    unlisted(context, memory)
    free(memory)
