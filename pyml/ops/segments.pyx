"""The table of a kernel call for many arrays at once: parameters of an optimizer, gradients to clip."""
cimport numpy as cnp
from libc.stdlib cimport free, realloc
from libc.string cimport memset
from numpy cimport ndarray

from contract_optim cimport optim_segment

from pyml.ops.arrays cimport contiguous, copied, copy_into
from pyml.no_gil cimport pyml_lock, pyml_mutex, pyml_unlock
from pyml.recorder cimport Recorder, recorder
from pyml.tensor cimport unwritable

from pyml.errors import ArgumentError

cnp.import_array()

cdef pyml_mutex guard   # of Segments.is_open
cdef double ELEMENT_TIME = 0.5   # nanoseconds to update one element, about


cdef class Segments:
    """The segments of a call for each dtype: float32 at the front of the table, float64 at its end."""
    def __dealloc__(self):
        free(self.table)

    cdef int acquire(self) except -1:
        """Nobody else uses this object until close()."""
        cdef bint was_open
        pyml_lock(&guard)
        was_open, self.is_open = self.is_open, True
        pyml_unlock(&guard)
        if was_open:
            raise RuntimeError("step() was called while a step() of the same optimizer is running")
        self.floats = self.doubles = 0
        self.float_time = self.double_time = 0
        self.alive, self.copies = [], []
        return 0

    cdef int reserve(self, Py_ssize_t capacity) except -1:
        """Makes room for `capacity` segments; none are in use."""
        cdef void *table
        if capacity > self.capacity:
            table = realloc(self.table, capacity * sizeof(optim_segment))
            if table == NULL:
                raise MemoryError()
            self.table, self.capacity = <optim_segment *>table, capacity
        return 0

    cdef void close(self):
        self.alive = self.copies = None
        self.is_open = False

    cdef int tell(self) except -1:
        """Tells a recording that the segments point into arrays. Call after the kernels."""
        cdef Recorder r = recorder()
        if r is not None:
            for array in self.alive:
                r.keep(array)
        return 0

    cdef optim_segment *append(self, ndarray w) except NULL:
        """The next segment, for the real array w, which the kernel will write."""
        cdef Py_ssize_t n = cnp.PyArray_SIZE(w)
        cdef optim_segment *s
        if cnp.PyArray_TYPE(w) == cnp.NPY_FLOAT32:
            s = &self.table[self.floats]
            self.floats += 1
            self.float_time += n * ELEMENT_TIME
        else:
            self.doubles += 1
            s = &self.table[self.capacity - self.doubles]
            self.double_time += n * ELEMENT_TIME
        memset(s, 0, sizeof(optim_segment))
        s.n, s.w = n, self.writable(w)
        return s

    cdef optim_segment *double_segments(self) noexcept:
        """Those of float64."""
        return self.table + self.capacity - self.doubles

    cdef void *writable(self, ndarray a) except NULL:
        """Memory that holds a's values in order, and whose values a will have after write_back()."""
        cdef ndarray copy
        if not cnp.PyArray_ISCARRAY(a):
            why = unwritable(a)
            if why is not None:
                raise ArgumentError(f"the optimizer cannot write a parameter, gradient or state that {why}; .clone() it")
            copy = copied(a)
            self.copies.append((a, copy))
            a = copy
        self.alive.append(a)
        return cnp.PyArray_DATA(a)

    cdef void *readable(self, ndarray a):
        a = contiguous(a)
        self.alive.append(a)
        return cnp.PyArray_DATA(a)

    cdef int write_back(self) except -1:
        for array, copy in self.copies:
            copy_into(array, copy)
        return 0
