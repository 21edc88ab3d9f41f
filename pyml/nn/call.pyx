"""What it costs to call a module."""
cimport cython

from pyml.recorder cimport Recorder, recorder

from pyml.hooks import of_every_module
from pyml.nn.hooks import call_with_hooks

cdef list EVERY = of_every_module


@cython.auto_pickle(False)   # there is nothing here to pickle
cdef class Callable:
    """The base of Module: a call runs the hooks, if there are any, and forward.

    In C, as a step calls every module: a Python method takes a tenth of a microsecond more.
    """

    # A field makes this the class that lays out a module's memory, also where a class without one
    # stands before Module among the bases. This one a module has in any case.
    cdef object __weakref__

    def __call__(self, *args, **kwargs):
        cdef Recorder r = recorder()
        if r is not None:
            r.called(self)
        if self._hooks or EVERY:
            return call_with_hooks(self, args, kwargs)
        if kwargs:
            return self.forward(*args, **kwargs)
        return self.forward(args[0]) if len(args) == 1 else self.forward(*args)   # one: no method object is made for it

    def __reduce_ex__(self, protocol):
        # protocols 0 and 1 do not know how to make an object of a class in C
        return object.__reduce_ex__(self, max(protocol, 2))
