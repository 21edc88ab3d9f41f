"""The entry of operations from Python: where vmap, while it runs, looks at their arguments."""
import functools

cdef object handler = None        # of the calls that are made while a vmap runs
cdef Py_ssize_t running = 0       # vmaps, of all threads


@functools.cache
def entry(function):
    """The function as Python finds it: itself, or handler(entry, function, args, kwargs) while a vmap runs."""

    def called(*args, **kwargs):
        if running == 0:
            return function(*args, **kwargs)
        return handler(called, function, args, kwargs)

    return functools.wraps(function)(called)


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
