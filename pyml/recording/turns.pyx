"""One thread at a time for a recorded step: what one finds must not be what another is changing."""
import os
import threading

cimport cython
from cpython.pythread cimport PyThread_get_thread_ident

PATIENCE = 30   # seconds that a thread waits while one other has the turn

cdef int forks = 0   # that led to this process


def forked():
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forked)


@cython.final
cdef class Turns:
    """A lock that a thread may take again while it has it, and that threads get in the order in which they have asked.

    The GIL guards the attributes.
    """

    def __cinit__(self):
        self.waiting = []

    cdef int take(self) except -1:
        """Waits until no other thread is at it.

        Raises:
            RuntimeError: that takes long. Perhaps the other thread waits for this one."""
        if self.process != forks:
            self.process = forks
            if self.owner != PyThread_get_thread_ident():   # a thread that has not come along
                self.owner = self.depth = 0
            self.waiting = []
        if self.owner == 0:
            self.owner = PyThread_get_thread_ident()
        elif self.owner != PyThread_get_thread_ident():
            self.wait()
        self.depth += 1
        return 0

    cdef int wait(self) except -1:
        lock = threading.Lock()
        lock.acquire()
        mine = PyThread_get_thread_ident(), lock
        self.waiting.append(mine)
        try:
            turn = self.turn
            has_come = lock.acquire(timeout=PATIENCE)
            while not has_come and turn != self.turn:   # others are served
                turn = self.turn
                has_come = lock.acquire(timeout=PATIENCE)
        except BaseException:   # an interrupt
            if not self.leave(mine):
                self.depth += 1
                self.give()
            raise
        if not has_come and self.leave(mine):
            raise RuntimeError(
                f"record: this step is running on another thread, for {PATIENCE} seconds or more; a recorded step serves "
                "one thread at a time, record one for each thread, and let no step wait for a thread that calls it")
        return 0

    cdef bint leave(self, mine) except -1:
        """A thread waits no more. Returns whether its turn had not come yet."""
        if mine in self.waiting:
            self.waiting.remove(mine)
            return True
        return False

    cdef int give(self) except -1:
        """To the next thread, if there is one."""
        self.depth -= 1
        if self.depth == 0:
            self.owner = 0
            self.turn += 1
            if self.waiting:
                self.owner, lock = self.waiting.pop(0)
                lock.release()
        return 0
