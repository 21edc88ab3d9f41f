"""Ctrl-C waits while a step is made."""
import threading

from cpython.exc cimport PyErr_CheckSignals

# what `signal` is made of: that looks for each handler in an enum, which takes several times as long
from _signal import SIGINT, getsignal, signal


cdef class Interrupts:
    """While a run is in its steps, Ctrl-C waits for the edge of one. On the main thread, where Python's handler runs."""
    cdef object handler, note, pending   # of the user; ours, which stands in its place; (signal, None) that waits
    cdef bint waiting

    def begin(self):
        """From now on signals wait."""
        self.waiting = True
        handler = getsignal(SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self.handler, self.note = handler, self.take
            signal(SIGINT, self.note)

    def take(self, number, frame):
        """In the handler's place."""
        if self.waiting:
            self.pending = number, None   # the frame would keep what the step is computing
        else:
            self.handler(number, frame)

    cpdef allow(self):
        """The handler gets signals again, first the one that waits."""
        self.waiting = False
        pending, self.pending = self.pending, None
        if pending is not None:
            self.handler(*pending)

    cpdef defer(self):
        """Signals wait again. What was called meanwhile may have set another handler."""
        self.waiting = True
        if self.note is not None and getsignal(SIGINT) is not self.note:
            self.note = None
            self.begin()

    def end(self):
        """The handler that was there stands in its place again, and gets the signal that waits."""
        if self.note is not None and getsignal(SIGINT) is self.note:
            signal(SIGINT, self.handler)
        self.note = None
        self.allow()

    cpdef bint waits(self) except -1:
        """Whether one came."""
        PyErr_CheckSignals()
        return self.pending is not None
