"""What is told to a recording while it is open on a thread.

Recording stands far above (pyml.record). What it must hear of happens here below: kernels are called, memory is taken,
tensors change, values are read into Python. So the floors below tell a Recorder, and know nothing of what it does.
"""
from cpython.ref cimport PyObject
from numpy cimport ndarray

cdef extern from *:
    """
    static _Thread_local PyObject *pyml_recorder = NULL;
    """
    PyObject *pyml_recorder   # kept alive by whoever opened it


cdef class Recorder:
    """Hears what a step does. A method that raises refuses it."""

    cdef int call(self, int kernel, int dtype, const void *args, size_t size) except -1:
        """A kernel has run."""
        return 0

    cdef int keep(self, ndarray array) except -1:
        """A call of a kernel will point into `array`."""
        return 0

    cdef int constant(self, ndarray array) except -1:
        """The values of `array`, which is new, do not depend on data: they are the same in every step."""
        return 0

    cdef int born(self, void *memory, size_t size) except -1:
        """New memory: what is in it must come from kernels, or be constant."""
        return 0

    cdef void died(self, void *memory) noexcept:
        """That memory is free again."""

    cdef int changed(self, ndarray array) except -1:
        """The values of a tensor that is on `array` were changed in place."""
        return 0

    cdef int gradient(self, object tensor, bint assigned) except -1:
        """tensor.grad is about to be assigned, or else to be read."""
        return 0

    cdef int called(self, object module) except -1:
        """A module is about to be called."""
        return 0

    cdef int fault(self, ndarray fault, ndarray index, object error) except -1:
        """A kernel looked through `index` and wrote into `fault`, one int64, the position of the first number that is
        not allowed, or -1. error(position, number) makes the exception for it."""
        return 0

    cdef int refuse(self, str what) except -1:
        """`what` is about to happen, and cannot be recorded."""
        return 0


cdef int recordings = 0


cdef Recorder of_thread():
    return None if pyml_recorder == NULL else <Recorder>pyml_recorder


cdef void open_recorder(Recorder r):
    global pyml_recorder, recordings
    pyml_recorder = <PyObject *>r
    recordings += 1


cdef void close_recorder():
    global pyml_recorder, recordings
    pyml_recorder = NULL
    recordings -= 1


def refuse(str what):
    """Call before what NumPy computes from the values of tensors: it could not be repeated by a recorded step.

    Args:
        what: the operation, for the message.
    """
    cdef Recorder r = recorder()
    if r is not None:
        r.refuse(what)


def constant(array):
    """Call for a new array whose values do not depend on data. Returns it."""
    cdef Recorder r = recorder()
    if r is not None:
        r.constant(array)
    return array


def is_recording():
    """True while a step is being recorded on this thread."""
    return recorder() is not None
