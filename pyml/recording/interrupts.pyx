"""Ctrl-C waits while a step is made."""
import signal
import threading

from cpython.exc cimport PyErr_CheckSignals


class Interrupts:
    """While a run is in its steps, Ctrl-C waits for the edge of one. On the main thread, where Python's handler runs."""

    def __init__(self):
        self._handler = self._pending = None

    def defer(self):
        """From now on signals wait."""
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self._handler = handler
            signal.signal(signal.SIGINT, self._note)

    def _note(self, number, frame):
        self._pending = number, None   # the frame would keep what the step is computing

    def allow(self):
        """The handler that was there gets them again, first the one that waits."""
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            handler, self._handler = self._handler, None
            pending, self._pending = self._pending, None
            if pending is not None:
                handler(*pending)

    def waits(self):
        """Whether one came."""
        PyErr_CheckSignals()
        return self._pending is not None
