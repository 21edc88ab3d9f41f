"""The side of a DataLoader that has workers: it starts them, asks them for batches, and ends them.

Each worker has a connection of its own: tasks one way, replies the other. Whatever ends an
iteration (its end, an error, Ctrl-C, nobody holds the iterator any more, the end of Python) ends
its workers.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import time
import warnings
import weakref
from collections import deque
from contextlib import contextmanager

from pyml.data.fetch import END
from pyml.data.worker import START, TASK, Failure, packed, work

GRACE_SECONDS = (
    1  # that a worker has for the batch it is at before SIGTERM, and then before SIGKILL
)

ends = weakref.WeakSet()  # the loaders' ends of all connections of this process


class WorkerTraceback(Exception):
    """The traceback of an exception in a worker; the cause of what the loader raises."""

    def __str__(self):
        return self.args[0]


class WorkerIterator:
    """The batches that workers read.

    Args:
        reading: a Reading.
        count: how many workers.
        base_seed: of their random numbers.
        init: a function of the worker's number, or None.
        context: how processes are started: a name, a context of multiprocessing, or None.
        prefetch: how many batches each worker reads ahead.
        timeout: how long to wait for a batch, in seconds; 0 for any time.
        persistent: whether the workers go on after the end of a pass.
        in_order: whether batches come in the order of the tasks, or as they are ready.
    """

    def __init__(
        self, reading, count, base_seed, init, context, prefetch, timeout, persistent, in_order
    ):
        self._count, self._prefetch, self._timeout = count, prefetch, timeout
        self._persistent, self._in_order = persistent, in_order
        self._pid = os.getpid()
        self._workers, self._connections = [], []
        self._pending = deque()  # the worker of each task without a reply, oldest first
        self._close = weakref.finalize(self, stop, self._pid, self._workers, self._connections)
        context = chosen(context)
        try:
            for number in range(count):
                self._start(context, reading, number, base_seed, init)
        except BaseException:
            self._close()
            raise

    def _start(self, context, reading, number, base_seed, init):
        ours, theirs = context.Pipe()
        ends.add(ours)
        self._connections.append(ours)
        others = list(ends) if context.get_start_method() == "fork" else []
        process = context.Process(
            target=work,
            args=(theirs, others, reading, number, self._count, base_seed, init),
            daemon=True,
        )
        # Until the worker ignores it, Ctrl-C waits. Python warns of a fork in a process with
        # threads: a fork of the kernels' starts its own.
        try:
            with interrupts_wait(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
                process.start()
                self._workers.append(process)
        finally:
            theirs.close()

    @property
    def closed(self):
        """Whether its workers have ended."""
        return not self._close.alive

    def begin(self, tasks, told=None):
        """Begins a pass over an iterable of tasks. What is left of the last one is dropped.

        Args:
            tasks: what the batches are made of.
            told: a Told, or None.
        """
        self._told = told
        self._check_process()
        try:
            while self._pending:
                self._receive(self._pending.popleft())
            self._tasks = iter(tasks)
            self._active = deque(range(self._count))  # who gets the next task first
            self._outstanding = [0] * self._count
            for number in range(self._count):
                self._send(number, START, None)
            self._fill()
        except BaseException:
            self._close()
            raise
        return self

    def __iter__(self):
        return self

    def __next__(self):
        self._check_process()
        try:
            number, reply = self._reply()
        except BaseException:
            self._close()
            raise
        if reply is END:
            raise StopIteration
        if isinstance(reply, Failure):
            raise_again(reply, number, self._workers[number].pid)
        if self._told is not None:
            self._told.one_more()
        return reply

    def _reply(self):
        """(the worker, its reply) of the next batch; END for the reply where there is none."""
        while self._pending and not self.closed:
            number = self._next_worker()
            self._pending.remove(number)  # its oldest task
            reply = self._receive(number)
            self._outstanding[number] -= 1
            if reply is END and number in self._active:
                self._active.remove(number)
            self._fill()
            if reply is not END:
                return number, reply
        if not self._persistent:
            self._close()
        return None, END

    def _check_process(self):
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"DataLoader: this iterator is of process {self._pid}, this is {os.getpid()}, a "
                "fork of it; iterate over the DataLoader anew here"
            )

    def _fill(self):
        """Gives tasks to the workers, in turn, up to as many as they may read ahead."""
        for _ in range(self._prefetch * len(self._active)):
            for _ in range(len(self._active)):
                if self._outstanding[self._active[0]] < self._prefetch:
                    break
                self._active.rotate(-1)
            else:
                return
            try:
                task = next(self._tasks)
            except StopIteration:
                return
            number = self._active[0]
            self._active.rotate(-1)
            self._send(number, TASK, task)
            self._outstanding[number] += 1
            self._pending.append(number)

    def _send(self, number, kind, task):
        try:
            self._connections[number].send_bytes(packed((kind, task)))
        except (BrokenPipeError, ConnectionResetError):
            self._raise_death(number)

    def _next_worker(self):
        """The worker whose reply is the next."""
        if self._in_order:
            return self._pending[0]
        waiting = {self._connections[number]: number for number in set(self._pending)}
        sentinels = {self._workers[number].sentinel: number for number in set(self._pending)}
        ready = multiprocessing.connection.wait([*waiting, *sentinels], self._timeout or None)
        numbers = [waiting[end] for end in ready if end in waiting]
        numbers += [sentinels[end] for end in ready if end in sentinels]
        return numbers[0] if numbers else self._pending[0]

    def _receive(self, number):
        connection, process = self._connections[number], self._workers[number]
        found = multiprocessing.connection.wait(
            [connection, process.sentinel], self._timeout or None
        )
        if not found:
            raise RuntimeError(
                f"DataLoader: worker {number} (process {process.pid}) had no batch within "
                f"{self._timeout} s; set timeout higher, or to 0 to wait for any time (DataLoader "
                f"timed out after {self._timeout} seconds)"
            )
        if connection not in found and not connection.poll():
            self._raise_death(number)
        try:
            reply = connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            self._raise_death(number)
        return pickle.loads(reply)

    def _raise_death(self, number):
        process = self._workers[number]
        process.join(GRACE_SECONDS)
        code = process.exitcode
        how = "ended" if code is None else f"ended with exit code {code}"
        theirs = "exited unexpectedly"
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            how, theirs = f"was killed by {name}", f"is killed by signal: {name}"
            if name == "SIGKILL":
                how += ", as the system does where memory is short"
        raise RuntimeError(
            f"DataLoader: worker {number} (process {process.pid}) {how}; num_workers=0 reads "
            f"without workers, and shows the cause (DataLoader worker (pid {process.pid}) {theirs})"
        ) from None


@contextmanager
def interrupts_wait():
    """Ctrl-C waits until the end, also in a process that is started meanwhile; not on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def chosen(context):
    """A context of multiprocessing: by default one that forks, where there is fork."""
    if context is None and "fork" in multiprocessing.get_all_start_methods():
        context = "fork"
    if context is None or isinstance(context, str):
        return multiprocessing.get_context(context)
    return context


def raise_again(failure, number, pid):
    """Raises the exception of a worker, caused by its traceback."""
    text = f"in worker {number} of a DataLoader (process {pid}):\n\n{failure.text}"
    error = failure.error
    if error is None:
        error = RuntimeError(f"DataLoader: {text}")
    raise error from WorkerTraceback(text)


def stop(pid, processes, connections):
    """Ends workers: they hear that the connection is closed; then by signals."""
    if os.getpid() != pid:
        return  # a fork: the workers are not its own
    try:
        for connection in connections:
            connection.close()
        wait_for(processes)
    finally:
        for process in processes:
            process.terminate()
        wait_for(processes)
        for process in processes:
            process.kill()
            process.join()


def wait_for(processes):
    until = time.monotonic() + GRACE_SECONDS
    for process in processes:
        process.join(max(0, until - time.monotonic()))
