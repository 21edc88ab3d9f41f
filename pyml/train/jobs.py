"""Members that the workers of joblib train: processes, or machines by Dask and Ray."""

import platform
import time
from concurrent.futures import Future
from copy import copy

from pyml import pytree
from pyml.attributes import get_default_dtype, set_default_dtype
from pyml.train.crew import in_modes, modes

__all__ = ["Jobs"]


class Jobs:
    """What a Crew is, of joblib's workers: all that waits is trained in one call of theirs.

    Args:
        work: a Work.
        n_jobs: as of joblib.Parallel.
        bar: a Bar.
    """

    def __init__(self, work, n_jobs, bar):
        self.work, self.n_jobs, self.bar = work, n_jobs, bar
        self.waiting = []  # (number of a member, until which epoch, Future)

    def submit(self, i, until=None):
        """A Future of the TrainedMember; of one that has ended, its file is read here."""
        future, found = Future(), self.work.begun(i)
        if self.work.read(found, until):
            self.work.take(found)
            future.set_result(found)
        else:
            self.waiting.append((i, until, future))
        return future

    def wait(self, *futures):
        """Those of the futures that are done."""
        if not any(future.done() for future in futures):
            self._train()
        self.bar.show()
        return [future for future in futures if future.done()]

    def _train(self):
        work, waiting, self.waiting = self.work, self.waiting, []
        leaves, structure = pytree.tree_flatten(work.data)
        part = task_of(work)
        from joblib import delayed

        tasks = [
            delayed(trained_elsewhere)(k, part, i, until, work.members[i], structure, *leaves)
            for k, (i, until, _) in enumerate(waiting)
        ]
        for k, found in parallel(self.n_jobs)(tasks):
            work.take(found)
            waiting[k][-1].set_result(found)
            self.bar.show()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def parallel(n_jobs):
    """A joblib.Parallel that gives results when they are there, if its backend can."""
    try:
        from joblib import Parallel
    except ImportError as error:
        raise ImportError(f"fit_many: n_jobs needs joblib ({error}): pip install joblib") from None
    try:
        return Parallel(n_jobs, return_as="generator_unordered")
    except ValueError:
        return Parallel(n_jobs)


def task_of(work):
    """What a worker needs of a Work beside data and member, and how things are here."""
    part = copy(work)
    part.members, part.data = {}, None
    left = None if work.end is None else time.time() + work.end - time.monotonic()
    return part, left, modes(), get_default_dtype()


def trained_elsewhere(k, task, i, until, member, structure, *leaves):
    """(k, the TrainedMember without its member), on a worker."""
    part, end, mode, dtype = task
    work = copy(part)
    work.data = pytree.tree_unflatten(leaves, structure)
    work.members, work.epochs = {i: member}, {i: 0}
    if work.folder is not None and not work.folder.is_dir():
        raise FileNotFoundError(
            f"fit_many: checkpoint is {str(work.folder)!r}, a folder that a worker on "
            f"{platform.node()} does not see; pass one that all machines share"
        )
    if end is not None:  # clocks of other machines are other monotonic ones
        work.end = time.monotonic() + end - time.time()
    before = get_default_dtype()
    set_default_dtype(dtype)
    try:
        with in_modes(*mode):
            found = work.run(i, until)
    finally:
        set_default_dtype(before)
    found.member = None
    return k, found
