"""The entry of operations from Python: where vmap, while it runs, looks at their arguments."""
import functools
import sys

cdef object handler = None        # of the calls that are made while a vmap runs
cdef Py_ssize_t running = 0       # vmaps, of all threads


@functools.cache
def entry(function):
    """The function as Python finds it: itself, or handler(entry, function, args, kwargs) while a vmap runs."""

    def called(*args, **kwargs):
        if running == 0:
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


def handled_by(function):
    """Sets what handles calls."""
    global handler
    handler = function


def opened():
    """From here on calls are handled, until as many closed()."""
    global running
    running += 1


def closed():
    global running
    running -= 1
