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
@cython.no_gc
cdef class Place:
    """A thread that waits for its turn."""


@cython.final
cdef class Turns:
    """A lock that a thread may take again while it has it, and that threads get in the order in which they have asked."""

    cdef int take(self) except -1:
        """Waits until no other thread is at it.

        Raises:
            RuntimeError: that takes long. Perhaps the other thread waits for this one."""
        cdef Place mine
        if not self.begin(None):
            mine = Place()
            mine.thread = PyThread_get_thread_ident()
            mine.lock = threading.Lock()
            mine.lock.acquire()
            if not self.begin(mine):
                self.wait(mine)
        self.depth += 1
        return 0

    cdef bint begin(self, Place mine) noexcept:
        """Whether it is this thread's turn now. If not, its place, if it has one, is the last of the line."""
        cdef unsigned long thread = PyThread_get_thread_ident()
        cdef Place left = None   # freed after the guard is released
        cdef bint has_come
        pyml_lock(&guard)
        if self.process != forks:
            self.process = forks
            if self.owner != thread:   # a thread that has not come along
                self.owner = self.depth = 0
            left = self.first
            self.first = self.last = None
        if self.owner == 0:
            self.owner = thread
        has_come = self.owner == thread
        if not has_come and mine is not None:
            if self.last is None:
                self.first = mine
            else:
                self.last.behind = mine
            self.last = mine
        pyml_unlock(&guard)
        return has_come

    cdef int wait(self, Place mine) except -1:
        lock = mine.lock
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

    cdef bint leave(self, Place mine) noexcept:
        """A thread waits no more. Returns whether its turn had not come yet."""
        cdef Place before = None, place
        pyml_lock(&guard)
        place = self.first
        while place is not None and place is not mine:
            before = place
            place = place.behind
        if place is not None:
            if before is None:
                self.first = place.behind
            else:
                before.behind = place.behind
            if self.last is place:
                self.last = before
        pyml_unlock(&guard)
        return place is not None

    cdef int give(self) except -1:
        """To the next thread, if there is one."""
        cdef Place place = None
        pyml_lock(&guard)
        self.depth -= 1
        if self.depth == 0:
            self.owner = 0
            added(self.turn, 1)
            place = self.first
            if place is not None:
                self.owner = place.thread
                self.first = place.behind
                if self.first is None:
                    self.last = None
        pyml_unlock(&guard)
        if place is not None:
            place.lock.release()
        return 0
