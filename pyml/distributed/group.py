"""The processes of a job, by torch.distributed's names, on mpi4py.

A program is started as `mpiexec -n 4 python train.py`; without mpiexec it is a job of one process,
which computes the same bits.
"""

import contextlib
import ctypes
import os
import signal
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

import numpy as np

from pyml import config
from pyml.distributed.exchange import all_reduce as exchange
from pyml.distributed.exchange import all_reduce_together, kernel_add
from pyml.distributed.leaving import Leaving
from pyml.distributed.tree import tree_sum
from pyml.ops import from_numpy
from pyml.ops.arrays import checked_tensor
from pyml.options import check_choice, check_counts, check_integer
from pyml.recorder import refuse

__all__ = [
    "ReduceOp",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
]

SHARD_SIZE = 32
PR_SET_PDEATHSIG = 1  # of Linux: a signal to get when what has started the process is gone
LAUNCHED = "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"  # what starters set for each process
SIZES = "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"  # and how many they have started


class Group:
    """The processes that train together."""

    def __init__(self, comm, shard_size):
        self.shard_size = shard_size
        self.rank, self.size = (0, 1) if comm is None else (comm.rank, comm.size)
        self.comm = self.behind = comm  # of the thread of the program; and of the one behind it
        self.pool, self.pending = None, {}
        self.wants_stop = self.stops = False  # of this rank; and what the last loss said, of any
        self.begun, self.leaving = 0, None  # exchanges of all ranks, and who takes no more part
        if self.size > 1:
            from mpi4py import MPI

            self.comm, self.behind = comm.Dup(), comm.Dup()
            if MPI.Query_thread() == MPI.THREAD_MULTIPLE:
                self.pool = ThreadPoolExecutor(1, "pyml.distributed")
                self.leaving = Leaving(comm.Dup(), lambda: self.begun, self.is_left_alone_by)

    def begin(self):
        """The communicator, for an exchange of all ranks, which is counted."""
        self.begun += 1
        return self.comm

    def is_left_alone_by(self, rank):
        """Ends the job: this rank waits for one that has ended."""
        end_job(
            f"rank {self.rank} of {self.size} waits for rank {rank}, which has ended, and with it "
            "the job"
        )

    # What follows is called by recorded steps too: functions of arrays and numbers alone.

    def total_of(self, values, begin, end, shards):
        """The sum of (n, ...) over all shards, of which this rank has n, those of [begin, end)."""
        return self._total(values, begin, end, shards, np.add)

    def loss_of(self, values, begin, end, shards):
        """The same of losses. With them goes whether a rank wants to stop, so that all know it in
        one and the same step."""
        if self.size == 1:
            return self.total_of(values, begin, end, shards)
        marks = np.full_like(values, self.wants_stop)
        total, stops = self.total_of(np.stack([values, marks], 1), begin, end, shards)
        self.stops = bool(stops)
        return np.array(total)

    def moments_of(self, values, begin, end, shards, dtype):
        """Count, mean and variance over all shards, of (n, 1 + 3 c): see together.moments.

        Returns:
            (), (c), (c) and (c): the last is the variance that divides by the count less one.
        """
        values = values.astype(np.float64)
        counts, (means, sums, squares) = values[:, :1], np.split(values[:, 1:], 3, axis=1)
        own = np.concatenate(
            [counts, means + sums / counts, squares - sums * sums / counts], axis=1
        )
        count, *rest = self._total(own, begin, end, shards, combined, by_element=False)
        if count < 2:
            raise ValueError(
                "SyncBatchNorm: the batch of all processes has one value per channel, whose "
                "variance is not known; give more rows"
            )
        mean, squares = np.split(np.array(rest), 2)
        found = np.array(count), mean, squares / count, squares / (count - 1)
        return tuple(each.astype(dtype) for each in found)

    def _total(self, values, begin, end, shards, combine, **how):
        parts = dict(zip(range(begin, end), values, strict=False))
        total = values[0] if begin == end else tree_sum(parts, begin, end, combine)
        total = np.array(total).reshape(-1)
        if self.size > 1:
            exchange(self.begin(), total, shards, combine, **how)
        return total.reshape(values.shape[1:])

    def start(self, *arrays_and_options):
        """Begins to add up arrays over the ranks, in place, behind the program: until `wait`."""
        *arrays, bucket, shards = arrays_and_options
        self.begin()
        if self.pool is None:
            self._add_behind(arrays, shards)
        else:
            self.pending[bucket] = self.pool.submit(self._add_behind, arrays, shards)

    def _add_behind(self, arrays, shards):
        """Takes the arrays out of the list, which the thread keeps for a moment after the result is
        there: a recorded step is refused if somebody still has them."""
        taken = arrays.copy()
        arrays.clear()
        all_reduce_together(self.behind, taken, shards, kernel_add)

    def wait(self, *arrays_and_bucket):
        """Returns when a bucket's arrays are the sums."""
        if self.pool is not None:
            self.pending.pop(arrays_and_bucket[-1]).result()

    def add_at_once(self, *arrays_and_shards):
        """Adds up arrays over the ranks, in place."""
        *arrays, shards = arrays_and_shards
        all_reduce_together(self.begin(), arrays, shards, kernel_add)

    # What follows is called between steps.

    def all_of(self, value):
        """What all ranks have, in their order; it is pickled."""
        return [value] if self.size == 1 else self.begin().allgather(value)

    def check_same(self, who, **values):
        """Raises on all ranks if one has other values than rank 0.

        Raises:
            RuntimeError: it says which, and of which ranks.
        """
        if self.size == 1:
            return
        of_all = self.all_of({"call": f"{who}, {', '.join(values)}", **values})
        for name in of_all[0]:
            for rank, its in enumerate(of_all):
                if its[name] != of_all[0][name]:
                    first, other = differing(of_all[0][name], its[name])
                    raise RuntimeError(
                        f"{who}: {name.replace('_', ' ')}: rank 0 has {first}, rank {rank} has "
                        f"{other}; all ranks must have the same"
                    )


def combined(left, right, out=None):
    """Count, means and sums of squared deviations of two parts of a batch together.

    Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample
    variances", eq. 2.1.
    """
    out = np.empty_like(left) if out is None else out
    if left[0] == 0 or right[0] == 0:  # whose means are none
        out[...] = right if left[0] == 0 else left
        return out
    count = left[0] + right[0]
    (mean, squares), (other, others) = np.split(left[1:], 2), np.split(right[1:], 2)
    step = other - mean
    out[1:] = np.concatenate(
        [
            mean + step * (right[0] / count),
            squares + others + step * step * (left[0] * right[0] / count),
        ]
    )
    out[0] = count
    return out


def differing(a, b, most=200):
    """What two different values have, as texts: of lists the first elements that differ."""
    if isinstance(a, list) and isinstance(b, list):
        a, b = next(((x, y) for x, y in zip(a, b, strict=False) if x != y), (a, b))
    return tuple(text if len(text) <= most else text[:most] + " ..." for text in (repr(a), repr(b)))


def digest_of(tensors):
    """A number of the values, shapes and dtypes of Tensors."""
    crc = 0
    for t in tensors:
        a = np.ascontiguousarray(t.numpy())
        crc = zlib.crc32(
            a.view(np.uint8).reshape(-1), zlib.crc32(f"{a.dtype}{a.shape}".encode(), crc)
        )
    return crc


group = None  # the Group, after init_process_group
excepthook = None  # what was there before


def launched_rank():
    """This process's number, by a starter of MPI, as mpiexec; None if none has started it."""
    return number_of(LAUNCHED)


def number_of(names):
    """What the first of some variables of the environment says that there is; None without one."""
    return next((int(os.environ[name]) for name in names if name in os.environ), None)


def is_available():
    """Whether mpi4py is installed."""
    try:
        import mpi4py  # noqa: F401
    except ImportError:
        return False
    return True


def is_initialized():
    """Whether init_process_group was called."""
    return group is not None


def the_group(who):
    if group is None:
        raise RuntimeError(f"{who}: there is no process group; call init_process_group() first")
    return group


def init_process_group(backend="mpi", *, shard_size=SHARD_SIZE):
    """Makes the processes that mpiexec has started one job. Call it once, in all of them.

    Without mpiexec the job is this process, and needs no mpi4py. A batch is cut into micro-shards
    of at most `shard_size` rows, whatever the number of processes: results depend on it, and on
    nothing else that is said here.

    The processes of one machine share its cores: each takes its part of them, unless
    OMP_NUM_THREADS says how many threads it has. An exception that nothing catches ends all
    processes of the job, with a message; so does the end of one that others wait for, as by
    sys.exit(), and the end of what has started them.

    Args:
        backend: "mpi". Default: "mpi".
        shard_size: rows of a micro-shard. Default: 32.

    Raises:
        ImportError: if there are several processes, and mpi4py is missing.
        RuntimeError: if there is a process group already, shard_size differs between processes, or
            mpiexec is of another MPI than mpi4py.
        TypeError, ValueError: if shard_size is no positive integer; for another backend.

    Example:
        >>> from pyml import distributed
        >>> distributed.init_process_group()
        >>> distributed.get_rank(), distributed.get_world_size()
        (0, 1)
        >>> distributed.destroy_process_group()
    """
    global group, excepthook
    who = "init_process_group"
    check_choice(who, "backend", backend, ("mpi",))
    check_counts(who, shard_size=shard_size)
    if group is not None:
        raise RuntimeError(f"{who}: there is a process group; call destroy_process_group() before")
    if launched_rank() is None:
        group = Group(None, int(shard_size))
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ImportError(
            f"{who}: this process was started by mpiexec, and mpi4py cannot be imported ({error}); "
            "pip install 'pyml-nn[mpi]'"
        ) from error
    comm = MPI.COMM_WORLD
    started = number_of(SIZES)
    if comm.size == 1 and started is not None and started > 1:
        raise RuntimeError(
            f"{who}: mpiexec has started {started} processes, each of which is alone to the MPI of "
            f"mpi4py, {MPI.Get_library_version().splitlines()[0]}: use the mpiexec of that MPI, or "
            "say by MPI4PY_MPIABI and MPI4PY_LIBMPI which one mpi4py is to load"
        )
    sizes = comm.allgather(int(shard_size))
    if len(set(sizes)) > 1:
        raise RuntimeError(f"{who}: shard_size differs between ranks: {sizes}; give all the same")
    made = Group(comm, int(shard_size))
    if comm.size > 1:
        if "OMP_NUM_THREADS" not in os.environ:
            here = comm.Split_type(MPI.COMM_TYPE_SHARED)
            config.set_num_threads(max(1, config.get_num_threads() // here.size))
            here.Free()
        if excepthook is None:
            excepthook, sys.excepthook = sys.excepthook, end_job_by
    group = made


def destroy_process_group():
    """Ends the job of the processes; each goes on alone. All of them call it.

    Raises:
        RuntimeError: if there is no process group.
    """
    global group, excepthook
    old = the_group("destroy_process_group")
    if old.leaving is not None:
        old.leaving.leave()
    if old.pool is not None:
        old.pool.shutdown()
    if old.size > 1:
        old.comm.Free()
        old.behind.Free()
    if excepthook is not None:
        sys.excepthook, excepthook = excepthook, None
    group = None


def end_job_by(kind, error, trace):
    """What an exception does that nothing catches: the others would wait for this process."""
    excepthook(kind, error, trace)
    end_job(f"rank {group.rank} of {group.size} ends by {kind.__name__}, and with it the job")


def end_job(why):
    """Ends all processes of the job, with a message."""
    print(
        f"pyml.distributed: {why}; go on from the last checkpoint, on any number of ranks",
        file=sys.stderr,
    )
    abort(1)


def abort(code):
    """Ends all processes of the job, which has this exit code."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    group.comm.Abort(code)


def get_rank():
    """The number of this process: 0 to get_world_size() - 1.

    Raises:
        RuntimeError: if there is no process group.
    """
    return the_group("get_rank").rank


def get_world_size():
    """How many processes there are.

    Raises:
        RuntimeError: if there is no process group.
    """
    return the_group("get_world_size").size


def barrier():
    """Returns when all processes have called it.

    Raises:
        RuntimeError: if there is no process group; in a recorded step.
    """
    refuse("distributed.barrier()")
    own = the_group("barrier")
    if own.size > 1:
        own.begin().Barrier()


class ReduceOp(Enum):
    """How all_reduce combines: SUM, PRODUCT, MIN, MAX, AVG."""

    SUM = "sum"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"
    AVG = "avg"


COMBINED_BY = {
    ReduceOp.SUM: np.add,
    ReduceOp.PRODUCT: np.multiply,
    ReduceOp.MIN: np.minimum,
    ReduceOp.MAX: np.maximum,
    ReduceOp.AVG: np.add,
}


def all_reduce(tensor, op=ReduceOp.SUM):
    """Combines the tensors of all processes, in place: afterwards all have the same bits.

    Ranks are combined as a binary tree: ((0 1) (2 3)).

    Args:
        tensor: a Tensor outside any graph, of the same shape and dtype in all processes.
        op: a ReduceOp. Default: ReduceOp.SUM.

    Raises:
        RuntimeError: if there is no process group; in a recorded step; for a tensor with a graph.
        TypeError: for what is no Tensor, or no ReduceOp.

    Example:
        >>> loss = pyml.tensor(0.5)
        >>> distributed.all_reduce(loss, distributed.ReduceOp.AVG)
        >>> loss
        tensor(0.5)
    """
    own, array = receiving(tensor, "all_reduce")
    if not isinstance(op, ReduceOp):
        raise TypeError(f"all_reduce: op is {op!r}, it must be a ReduceOp, as ReduceOp.SUM")
    if op is ReduceOp.AVG and array.dtype.kind != "f":
        raise TypeError(f"all_reduce: AVG of {array.dtype}; it is of floating-point numbers")
    if own.size == 1:
        return
    total = np.array(array).reshape(-1)
    with np.errstate(all="ignore"):
        exchange(own.begin(), total, own.size, COMBINED_BY[op])
        if op is ReduceOp.AVG:
            total /= own.size
    put(tensor, total)


def broadcast(tensor, src=0):
    """Gives all processes the values that the tensor has in one of them.

    Args:
        tensor: a Tensor outside any graph, of the same shape and dtype in all processes.
        src: the rank that has the values. Default: 0.

    Raises:
        RuntimeError: if there is no process group; in a recorded step; for a tensor with a graph.
        TypeError: for what is no Tensor.
        ValueError: if there is no such rank.
    """
    own, array = receiving(tensor, "broadcast")
    src = checked_rank(src, own, "broadcast")
    if own.size == 1:
        return
    values = np.array(array).reshape(-1)
    own.begin().Bcast(values.view(np.uint8), src)
    put(tensor, values)


def broadcast_object_list(object_list, src=0):
    """Gives all processes the objects that the list has in one of them. They are pickled.

    Args:
        object_list: a list, of the same length in all processes; changed in place.
        src: the rank that has them. Default: 0.

    Raises:
        RuntimeError: if there is no process group; in a recorded step.
        TypeError: for what is no list.
        ValueError: if there is no such rank.
    """
    refuse("distributed.broadcast_object_list()")
    own = the_group("broadcast_object_list")
    if not isinstance(object_list, list):
        raise TypeError(
            f"broadcast_object_list: object_list is a {type(object_list).__name__}, it must be a "
            "list, which is changed"
        )
    src = checked_rank(src, own, "broadcast_object_list")
    if own.size > 1:
        object_list[:] = own.begin().bcast(object_list, src)


def checked_rank(src, own, who):
    check_integer(who, "src", src)
    if not 0 <= src < own.size:
        raise ValueError(f"{who}: src is {src}, ranks are 0 to {own.size - 1}")
    return int(src)


def receiving(tensor, who):
    """The group, and the array of a tensor that is to be changed."""
    refuse(f"distributed.{who}()")
    own = the_group(who)
    t = checked_tensor(tensor, who, "tensor")
    if t is not tensor:
        raise TypeError(f"{who}: tensor is a {type(tensor).__name__}, it must be a Tensor")
    if t.requires_grad:
        raise RuntimeError(f"{who}: tensor requires grad; pass tensor.detach(), or its .grad")
    return own, t.numpy()


def put(tensor, values):
    tensor.copy_(from_numpy(values.reshape(tensor.shape)))
