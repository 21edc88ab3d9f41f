"""pyml.host(): functions that are called on the host in every step, and how a recording keeps these calls."""
import functools
import types

from pyml.recorder cimport Recorder, of_thread
from pyml.recording.listener cimport Recording
from pyml.recording.program cimport HostCall
from pyml.recording.pytree cimport flatten, mapped, unflatten
from pyml.recording.refusal cimport place
from pyml.tensor cimport Tensor, wrap

from pyml.recording.code import code_of, is_library, is_library_class
from pyml.recording.formula import Number
from pyml.recording.handlers import open_handlers
from pyml.recording.objects import content
from pyml.recording.pytree import SAMPLE


def host(function, *args, **kwargs):
    """Calls function(*args, **kwargs), also in every replay of a recorded step.

    For Python that takes something from a step and gives nothing back: logging, progress bars, counters. In a recorded
    step it is called when the step's kernels have run; in a `try` with an `except` it is refused. The function is not part
    of the step: what it reads and changes is not looked at.

    Args:
        function: its result is dropped.
        args, kwargs: Tensors arrive with the values that they have here, detached, as copies; numbers of item() and of
            counters as they are in each step; all else as it was at the recording.

    Example:
        >>> @pyml.record
        ... def step(x, y):
        ...     loss = loss_of(model(x), y)
        ...     pyml.host(history.append, loss.item())
    """
    cdef Recorder r = of_thread()
    if not callable(function):
        raise TypeError(f"host: a function is needed, not {type(function).__name__}")
    if r is None:
        args, kwargs = mapped((args, kwargs), snapshot)
        function(*args, **kwargs)
    else:
        keep_call(<Recording?>r, function, args, kwargs)


def snapshot(value):
    """A Tensor as it is now, outside of any graph."""
    return wrap((<Tensor>value).array).clone() if isinstance(value, Tensor) else value


cdef int keep_call(Recording recording, function, args, kwargs) except -1:
    """Keeps a call that every replay makes, too. It is made when the kernels of the step have run."""
    cdef HostCall call = HostCall()
    cdef Tensor t
    cdef list leaves = []
    if holds_numbers(function):
        recording.refuse("a number of the step that a function for pyml.host() has from its closure or defaults (pass it "
                         "as an argument)")
    for handler in open_handlers(recording.caller):
        if handler.word == "except":
            recording.refuse_with(handled_by(handler, place()))
    call.function = function
    tree = mapped((args, kwargs), recording.outcome)
    flatten(tree, leaves)
    call.tree = unflatten(tree, iter([SAMPLE] * len(leaves)))
    call.arrays = []
    for t in leaves:
        call.arrays.append(recording.settled(wrap(t.array).clone()))
    recording.program.host_calls.append(call)
    leave_out(recording.hosts, function)
    return 0


cdef str handled_by(handler, tuple at):
    """The message if the step may catch what a function for the host raises."""
    file, line = at
    return (
        f"record: pyml.host() at {file}:{line} stands in a try with {handler}, which a replay would not run, as it calls "
        "functions for the host when the step has been made; call pyml.host() behind the try, or catch exceptions in the "
        "function")


cdef int leave_out(dict hosts, function) except -1:
    """Adds to `hosts` what a function for the host is, so that guards leave it out, as no part of the step: its code, or
    the object whose method it is."""
    code, owner = code_of(function) or code_of(type(function).__call__), getattr(function, "__self__", None)
    if code is not None and not is_library(code):
        hosts[code] = None
    if owner is not None and is_library_class(type(owner)):
        hosts[id(owner)] = owner, function.__name__
    return 0


cdef bint holds_numbers(function) except -1:
    """Whether a function has numbers of the step by another way than its arguments."""
    cdef list held = []
    while isinstance(function, functools.partial):
        held += [*function.args, *function.keywords.values()]
        function = function.func
    if isinstance(function, types.MethodType):
        function = function.__func__
    if isinstance(function, types.FunctionType):
        held += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        held += [content(cell) for cell in function.__closure__ or ()]
    return any([isinstance(value, Number) for value in held])
