"""What is told to a recording while it is open on a thread.

Recording stands far above (pyml.recording). What it must hear of happens here below: kernels are called, memory is taken,
tensors change, values are read into Python. So the floors below tell a Recorder, and know nothing of what it does.
"""
from cpython.buffer cimport PyObject_GetBuffer
from cpython.ref cimport PyObject
from numpy cimport ndarray

from pyml.no_gil cimport added

cdef extern from *:
    """
    static _Thread_local PyObject *pyml_recorder = NULL;
    """
    PyObject *pyml_recorder   # kept alive by whoever opened it


cdef class Traced:
    """Stands for a Python number that a step changes, while it is recorded. `value` is what it is in this call."""

    def __init__(self, value):
        self.value = value


cdef class ArrayArgument:
    """Stands for a NumPy array that a step is given, while it is recorded. It is none: NumPy would read it unheard."""

    def __cinit__(self, ndarray array, *args):
        self.array = array

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        refuse("the buffer of an argument that is a NumPy array")
        PyObject_GetBuffer(self.array, buffer, flags)


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

    cdef int number(self, ndarray array, Traced number) except -1:
        """The value of `array`, which is new and was said to be constant, is that of a number that a step changes."""
        return 0

    cdef int allocated(self, void *memory, size_t size) except -1:
        """New memory: what is in it must come from kernels, or be constant."""
        return 0

    cdef int freed(self, void *memory) except -1:
        """That memory is free again."""
        return 0

    cdef int changed(self, object tensor) except -1:
        """The values of a tensor were changed in place."""
        return 0

    cdef int gradient(self, object tensor, bint assigned, bint accumulates) except -1:
        """tensor.grad is about to be assigned, or to be added to, or else to be read."""
        return 0

    cdef int backward(self, tuple outputs) except -1:
        """Gradients of these tensors are about to be computed."""
        return 0

    cdef int called(self, object module) except -1:
        """A module is about to be called."""
        return 0

    cdef int stepping(self, object optimizer) except -1:
        """An optimizer is about to make a step."""
        return 0

    cdef int updating(self, object update, dict group, dict state) except -1:
        """The next kernels are those of an Update (pyml.ops.optim), for a param_group and its state."""
        return 0

    cdef int option(self, ndarray array, dict group, str name) except -1:
        """The value of `array`, which is new and was said to be constant, is that of an option of a param_group."""
        return 0

    cdef int scheduled(self, object scheduler) except -1:
        """A scheduler is about to make a step."""
        return 0

    cdef int altered(self, object owner, str name, object before) except -1:
        """An attribute of a Tensor, Module or Optimizer got another value; `before` is what it was."""
        return 0

    cdef int fault(self, ndarray fault, object error) except -1:
        """A kernel wrote into `fault`, one int64, -1; or else where a step ends by an exception, which is about to be
        raised: index_check the position of a number that is not allowed, for error(position, number), and callback what
        csrc/contracts/callback.h says, for error()."""
        return 0

    cdef object item(self, object tensor):
        """What item() of a tensor gives."""
        return tensor.array.item()

    cdef int located(self, object tensor, bint is_address) except -1:
        """The address of a tensor is about to be read, or of which memory it is a part."""
        return 0

    cdef int lent(self, object tensor) except -1:
        """A Tensor has been made that has another's memory and not its version."""
        return 0

    cdef bint replaced(self, object tensor, object value) except -1:
        """tensor.data = value is about to be done. True: it has been."""
        return False

    cdef bint is_strict(self):
        """Whether what is refused raises. Else the step goes on eagerly."""
        return True

    cdef int refuse(self, str what) except -1:
        """`what` is about to happen, and cannot be recorded."""
        return 0


cpdef object unwatched(object value):
    """What operations of pyml take: the array that an ArrayArgument stands for, or else the value itself."""
    return (<ArrayArgument>value).array if isinstance(value, ArrayArgument) else value


cdef int recordings = 0
cdef unsigned long structure = 0


cdef Recorder of_thread():
    return None if pyml_recorder == NULL else <Recorder>pyml_recorder


cdef void open_recorder(Recorder r):
    global pyml_recorder
    pyml_recorder = <PyObject *>r
    added(recordings, 1)


cdef void close_recorder():
    global pyml_recorder
    pyml_recorder = NULL
    added(recordings, -1)


def is_recording():
    """Whether a recording is open on this thread."""
    return recorder() is not None


def is_strict():
    """Whether a recording is open on this thread, and nothing that it refuses goes on eagerly."""
    cdef Recorder r = recorder()
    return r is not None and r.is_strict()


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


cdef int note_altered(object owner, str name, object before) except -1:
    added(structure, 1)
    cdef Recorder r = recorder()
    if r is not None:
        r.altered(owner, name, before)
    return 0


def altered(owner, str name, before):
    """Call when an attribute of a Module or Optimizer got another value."""
    note_altered(owner, name, before)


def stepping(optimizer):
    """Call when an optimizer is about to make a step."""
    cdef Recorder r = recorder()
    if r is not None:
        r.stepping(optimizer)


class scheduling:
    """Context manager around the step of a scheduler: a recording notes that it is made, not how."""

    def __init__(self, scheduler):
        self.scheduler = scheduler

    def __enter__(self):
        cdef Recorder r = recorder()
        self.recorder = r
        if r is not None:
            r.scheduled(self.scheduler)
            close_recorder()

    def __exit__(self, *exc):
        if self.recorder is not None:
            open_recorder(self.recorder)
