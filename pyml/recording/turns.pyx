"""One thread at a time for a recorded step: what one finds must not be what another is changing."""
import os
import threading

cimport cython
from cpython.pythread cimport PyThread_get_thread_ident

from pyml.no_gil cimport added, now, pyml_lock, pyml_mutex, pyml_unlock

PATIENCE = 30   # seconds that a thread waits while one other has the turn

cdef int forks = 0   # that led to this process
cdef pyml_mutex guard   # of the attributes, where the GIL does not guard them


def forked():
    global forks
    forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forked)


@cython.final
cdef class Turns:
    """A lock that a thread may take again while it has it, and that threads get in the order in which they have asked."""

    def __cinit__(self):
        self.waiting = []

    cdef int take(self) except -1:
        """Waits until no other thread is at it.

        Raises:
            RuntimeError: that takes long. Perhaps the other thread waits for this one."""
        mine = None
        pyml_lock(&guard)
        if self.process != forks:
            self.process = forks
            if self.owner != PyThread_get_thread_ident():   # a thread that has not come along
                self.owner = self.depth = 0
            self.waiting = []
        if self.owner == 0:
            self.owner = PyThread_get_thread_ident()
        elif self.owner != PyThread_get_thread_ident():
            mine = PyThread_get_thread_ident(), threading.Lock()
            self.waiting.append(mine)
            mine[1].acquire()
        pyml_unlock(&guard)
        if mine is not None:
            self.wait(mine)
        self.depth += 1
        return 0

    cdef int wait(self, tuple mine) except -1:
        lock = mine[1]
        try:
            turn = now(self.turn)
            has_come = lock.acquire(timeout=PATIENCE)
            while not has_come and turn != now(self.turn):   # others are served
                turn = now(self.turn)
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
        cdef bint waits
        pyml_lock(&guard)
        waits = mine in self.waiting
        if waits:
            self.waiting.remove(mine)
        pyml_unlock(&guard)
        return waits

    cdef int give(self) except -1:
        """To the next thread, if there is one."""
        lock = None
        pyml_lock(&guard)
        self.depth -= 1
        if self.depth == 0:
            self.owner = 0
            added(self.turn, 1)
            if self.waiting:
                self.owner, lock = self.waiting.pop(0)
        pyml_unlock(&guard)
        if lock is not None:
            lock.release()
        return 0
