"""Ranks that end while others wait for them.

To MPI it is an ordinary end when a rank leaves by sys.exit(), or as its program is over, and the
others would wait for ever. So a rank that leaves says how many exchanges it has begun, and who has
begun more waits for it in vain.
"""

import atexit
import os
import threading
import time

__all__ = ["Leaving"]

LOOK = 1.0  # seconds between two looks at who has left
POLL = 0.02  # the same, of a rank that has left itself


class Leaving:
    """Watches, on a thread that sleeps, who has left the job.

    Args:
        comm: a communicator of mpi4py, for this alone; other threads use MPI, too.
        begun: a function: how many exchanges of all ranks this one has begun.
        end: a function of the rank that others wait for in vain; it ends the job.
    """

    def __init__(self, comm, begun, end):
        self.comm, self.begun, self.end = comm, begun, end
        self.left = {}  # rank: how many it had begun
        self.over, self.process = threading.Event(), os.getpid()
        self.thread = threading.Thread(target=self._watch, name="pyml.distributed", daemon=True)
        self.thread.start()
        atexit.register(self.leave)

    def _watch(self):
        while not self.over.wait(LOOK):
            self._hear()
            for rank, begun in self.left.items():
                if self.begun() > begun:
                    self.end(rank)

    def _hear(self):
        while (message := self.comm.improbe()) is not None:
            rank, begun = message.recv()
            self.left[rank] = begun

    def leave(self):
        """Tells the others, and returns when all have left."""
        atexit.unregister(self.leave)
        if os.getpid() != self.process:  # a child, which has no part in MPI
            return
        self.over.set()
        self.thread.join()
        own = self.comm.rank, self.begun()
        others = [rank for rank in range(self.comm.size) if rank != self.comm.rank]
        sent = [self.comm.isend(own, rank) for rank in others]
        while len(self.left) < len(others):
            self._hear()
            time.sleep(POLL)
        for request in sent:
            request.wait()
        self.comm.Free()
