"""A command that mpiexec has started as several processes: one of them shows and writes."""

import os
import time
from contextlib import contextmanager, redirect_stdout

from pyml import distributed
from pyml.distributed import group as groups

__all__ = ["end_with", "is_first", "of_one_job"]

SHARD_SIZE = 16  # rows: fewer of them cost time, more leave ranks idle at common batch sizes
PATIENCE = 2  # seconds that a rank gives the first one to say the same error


@contextmanager
def of_one_job():
    """What is run in here is run by all ranks together; all but the first print nothing.

    Without mpiexec nothing is different.
    """
    if groups.launched_rank() is None:
        yield
        return
    distributed.init_process_group(shard_size=SHARD_SIZE)
    if is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield


def is_first():
    """Whether this process shows and writes."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def end_with(code, say):
    """Says an error, and returns the exit code. Of a job it ends all ranks, of which others may
    wait for this one."""
    if not is_first():
        time.sleep(PATIENCE)
    say()
    if distributed.is_initialized() and distributed.get_world_size() > 1:
        groups.abort(code)
    return code
