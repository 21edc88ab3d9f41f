"""The process of a worker: it reads batches that a DataLoader asks for. pool.py is the other side.

The loader sends START where a pass begins, then tasks. To each task there is one reply, in order: a
batch, END, or a Failure. A thread sends the replies, so a worker reads ahead while nobody listens.
"""

import os
import pickle
import queue
import random
import signal
import threading
import traceback

import numpy as np

from pyml.config import set_num_threads
from pyml.random import manual_seed

START = "start"
TASK = "task"
PARENT_SECONDS = 5  # how often a worker without work looks whether the loader's process lives

info = None  # of this process


class WorkerInfo:
    """What get_worker_info returns.

    Attributes:
        id: the number of this worker, from 0.
        num_workers: how many there are.
        seed: what this worker's random numbers began with.
        dataset: the copy of the data set in this worker.
    """

    def __init__(self, id, num_workers, seed, dataset):
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset

    def __repr__(self):
        return f"WorkerInfo({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"


def get_worker_info():
    """Which worker of a DataLoader this process is; None in a process that is none.

    Returns:
        An object with the attributes id, num_workers, seed and dataset.

    Example:
        >>> class Numbers(IterableDataset):
        ...     def __iter__(self):
        ...         info = get_worker_info()
        ...         if info is None:
        ...             return iter(range(6))
        ...         return iter(range(info.id, 6, info.num_workers))
        >>> sorted(DataLoader(Numbers(), batch_size=None, num_workers=2))
        [0, 1, 2, 3, 4, 5]
    """
    return info


class Failure:
    """An exception of a worker.

    Attributes:
        error: the exception, None if it cannot be pickled.
        text: its traceback.
    """

    def __init__(self, error):
        self.text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.error = error.with_traceback(None)
        try:
            pickle.loads(pickle.dumps(self.error))
        except Exception:
            self.error = None


def packed(thing):
    """`thing` as bytes: what is done to its arrays later is not in them."""
    return pickle.dumps(thing, protocol=5)


def work(connection, others, reading, number, count, base_seed, init):
    """Runs a worker until the loader closes the connection or is no more.

    Args:
        connection: to the loader.
        others: the loader's ends of connections, which a fork has copied: they are closed here, so
            that the workers there hear when the loader closes them.
        reading: a Reading.
        number, count: which worker this is, of how many.
        base_seed: the seed of worker 0; of each further one, one more.
        init: called with the number; None for nothing.
    """
    # Ctrl-C is the loader's matter, and what its process does at SIGTERM is not the worker's.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = os.getppid()
    for end in others:
        end.close()
    global info
    seed = base_seed + number
    info = WorkerInfo(number, count, seed, reading.dataset)
    set_num_threads(1)
    manual_seed(seed)
    random.seed(seed)
    np.random.seed([seed % 2**32, seed >> 32])
    replies = queue.SimpleQueue()
    threading.Thread(target=send_all, args=(connection, replies), daemon=True).start()
    failure, read = None, None
    try:
        if init is not None:
            init(number)
    except Exception as error:
        failure = Failure(error)
    while True:
        try:
            while not connection.poll(PARENT_SECONDS):
                if os.getppid() != parent:
                    return
            kind, task = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            if kind == START:
                read = None if failure else reading.begin()
            else:
                replies.put(packed(failure or read(task)))
        except Exception as error:
            if kind == START:
                failure = Failure(error)
            else:
                replies.put(packed(Failure(error)))


def send_all(connection, replies):
    try:
        while True:
            connection.send_bytes(replies.get())
    except OSError:
        return  # nobody listens any more
