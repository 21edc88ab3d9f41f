"""What NumPy computes and no kernel: at once, and in a recorded step as a call of a kernel, which a replay makes again."""
import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memset
from numpy cimport ndarray

from contract_callback cimport callback_args

from pyml cimport _kernels
from pyml._kernels cimport EFFECT_READ, EFFECT_WRITE, PYML_FLOAT32
from pyml.memory cimport new_array
from pyml.ops.arrays cimport memory_range
from pyml.recorder cimport Recorder, close_recorder, open_recorder, recorder

cdef extern from "contracts/callback.h":
    int CALLBACK_ARRAYS, CALLBACK_RAISED, CALLBACK_INTERRUPTED

cnp.import_array()

cdef int CALLBACK = _kernels.kernel("callback")   # its number


cdef class Call:
    """A function, its options, and the forms of the arrays that it is given and, behind them, makes."""
    cdef object function
    cdef tuple options
    cdef list forms
    cdef Py_ssize_t given
    cdef object raised

    cdef object compute(self, arrays):
        with np.errstate(all="ignore"):
            return self.function(*arrays, *self.options)

    cdef int replay(self, void *const *at) except -1:
        cdef Py_ssize_t k
        cdef list arrays = [array_at(at[k], self.forms[k]) for k in range(len(self.forms))]
        made = self.compute(arrays[:self.given])
        for y, result in zip(arrays[self.given:], made if isinstance(made, tuple) else (made,)):
            y[...] = result
        return 0

    cdef bint raises_again(self, void *const *at, error) except -1:
        """Whether an exception is of the arrays, and none of a signal's handler, which only happened to run meanwhile."""
        if not isinstance(error, Exception):
            return False
        try:
            self.replay(at)
        except Exception:
            return True
        return False

    def exception(self):
        """What the last replay has raised."""
        raised, self.raised = self.raised, None
        return raised


cdef void replay(const void *call, void *const *at, int64_t *fault) noexcept with gil:
    fault[0] = -1
    try:
        (<Call>call).replay(at)
    except BaseException as error:
        (<Call>call).raised, fault[0] = error, CALLBACK_INTERRUPTED
        if (<Call>call).raises_again(at, error):
            fault[0] = CALLBACK_RAISED


def by_numpy(str name, function, tuple arrays, *options, int changes=0):
    """function(*arrays, *options), without warnings of NumPy.

    Args:
        name: the operation, for messages.
        function: depends on nothing but its arguments, and is the same object in every call. It returns an array
            or a tuple of arrays, whose shapes and dtypes follow from those of the arrays and from the options.
        options: numbers, strings, dtypes and tuples of them.
        changes: of so many arrays, the first ones, the function changes the values, and what it returns is dropped.
            Default: 0.

    Returns:
        Contiguous arrays, as the function does; None if it changes some.
    """
    cdef Call call = Call()
    cdef Recorder r = recorder()
    for a in arrays:
        if cnp.PyArray_TYPE(a) == cnp.NPY_VOID:   # see Tensor._hidden
            raise TypeError(f"{name}: a tensor of vmap, which this function was not written for")
    call.function, call.options = function, options
    if r is not None:
        return recorded(r, call, name, arrays, changes)
    return unrecorded(call.compute(arrays), changes)


cdef object unrecorded(made, int changes):
    """What by_numpy returns of what the function has."""
    if changes:
        return None
    return tuple([np.asarray(y, order="C") for y in made]) if isinstance(made, tuple) else np.asarray(made, order="C")


cdef object recorded(Recorder r, Call call, str name, tuple arrays, int changes):
    """The same, and the recording is told of it."""
    cdef ndarray a, fault = new_array(0, NULL, cnp.NPY_INT64)
    cdef callback_args args
    cdef Py_ssize_t k
    close_recorder()   # what the function does is one call
    try:
        made = call.compute(arrays)
    except BaseException:
        open_recorder(r)
        fault[...] = CALLBACK_RAISED
        r.fault(fault, call.exception)
        raise
    open_recorder(r)
    results = () if changes else made if isinstance(made, tuple) else (made,)
    if len(arrays) + len(results) > CALLBACK_ARRAYS or not all([cnp.PyArray_ISALIGNED(<ndarray>a) for a in arrays]):
        r.refuse(f"{name} of more than {CALLBACK_ARRAYS} tensors, or of one that is not aligned in memory,")
        return unrecorded(made, changes)
    everything = [*arrays, *[own(np.asarray(y)) for y in results]]
    call.given, call.forms = len(arrays), [form_of(a) for a in everything]
    memset(&args, 0, sizeof(args))
    args.call, args.run, args.count = <const void *>call, <const void *>&replay, len(everything)
    args.fault = <int64_t *>cnp.PyArray_DATA(fault)
    args.function = hash((call.function, repr((call.options, call.forms))))
    for k in range(args.count):
        a = everything[k]
        place(&args, k, a)
        args.access[k] = EFFECT_READ if k < call.given else EFFECT_WRITE
        r.keep(a)
    for k in range(changes):
        args.access[k] |= EFFECT_WRITE
    r.call(CALLBACK, PYML_FLOAT32, &args, sizeof(args))
    fault[...] = -1
    r.fault(fault, call.exception)
    if changes:
        return None
    return tuple(everything[call.given:]) if isinstance(made, tuple) else everything[call.given]


cdef int place(callback_args *args, Py_ssize_t k, ndarray a) except -1:
    """Where array k lies."""
    cdef char *first
    cdef char *end
    args.at[k] = cnp.PyArray_DATA(a)
    if cnp.PyArray_SIZE(a) > 0:
        memory_range(a, &first, &end)
        args.before[k], args.bytes[k] = <char *>args.at[k] - first, end - first
    return 0


cdef ndarray own(ndarray a):
    """A contiguous copy, in memory that a program can keep."""
    cdef ndarray y = new_array(a.ndim, a.shape, cnp.PyArray_TYPE(a))
    cnp.PyArray_CopyInto(y, a)
    return y


cdef tuple form_of(ndarray a):
    return cnp.PyArray_TYPE(a), (<object>a).shape, (<object>a).strides


cdef ndarray array_at(void *memory, tuple form):
    """A view of memory."""
    cdef cnp.npy_intp sizes[64]   # 64: NumPy's largest number of dimensions
    cdef cnp.npy_intp steps[64]
    cdef int d, ndim
    number, shape, strides = form
    ndim = len(shape)
    for d in range(ndim):
        sizes[d], steps[d] = shape[d], strides[d]
    cdef ndarray a = cnp.PyArray_New(ndarray, ndim, sizes, number, steps, memory, 0, cnp.NPY_ARRAY_WRITEABLE, None)
    cnp.PyArray_UpdateFlags(a, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED)
    return a
