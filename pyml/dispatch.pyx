"""The entry of operations from Python: where vmap, while it runs, looks at their arguments, and where tensors without
values are refused."""
import functools
import sys

from pyml.no_gil cimport added, now

cdef object handler = None        # of the calls that are made while a vmap runs
cdef Py_ssize_t running = 0       # vmaps, of all threads
cdef tuple valueless = ()         # classes of tensors without values


@functools.cache
def entry(function):
    """The function as Python finds it: itself, or handler(entry, function, args, kwargs) while a vmap runs."""

    cdef str name = function.__name__

    def called(*args, **kwargs):
        check_values(name, args)
        if kwargs:
            check_values(name, tuple(kwargs.values()))
        if now(running) == 0:
            return function(*args, **kwargs)
        return handler(called, function, args, kwargs)

    return made_of(function, called, entry)


def made_of(function, called, maker):
    """`called` with the name and words of the function. What maker(function) gives, always the same, can be pickled
    though it is not what is found by that name."""

    def reduced(protocol):
        name = called.__qualname__
        return name if getattr(sys.modules.get(called.__module__), name, None) is called else (maker, (function,))

    called = functools.wraps(function)(called)   # with what pickles the function
    called.__reduce_ex__ = reduced
    return called


cpdef int check_values(str name, tuple args) except -1:
    """Refuses tensors without values among the arguments of what is called `name`, and those that stand in a list or tuple
    among them."""
    cdef object x, item
    for x in args:
        check_value(name, x)
        if type(x) is list or type(x) is tuple:
            for item in x:
                check_value(name, item)
    return 0


cdef inline int check_value(str name, object x) except -1:
    cdef object kind
    for kind in valueless:
        if type(x) is kind:
            x._check_use(name)
    return 0


def checked_before_use(*kinds):
    """Sets the classes of tensors without values: x._check_use(name) raises, unless the operation needs none."""
    global valueless
    valueless = kinds


def handled_by(function):
    """Sets what handles calls."""
    global handler
    handler = function


def opened():
    """From here on calls are handled, until as many closed()."""
    added(running, 1)


def closed():
    added(running, -1)
