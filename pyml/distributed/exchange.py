"""How ranks add up what each has: messages between pairs of them, in the order of the tree.

Whatever way the messages go, an element of the result is the same sequence of additions, so that
no bit depends on the way, or on how many ranks there are.
"""

import numpy as np

from pyml.distributed.tree import turns_of
from pyml.grad_mode import no_grad
from pyml.ops import add_, empty
from pyml.tensor import Tensor

__all__ = ["all_reduce", "all_reduce_together", "kernel_add"]

HALVED_BYTES = 64 << 10  # from here on the bandwidth counts, below the number of messages


def kernel_add(left, right, out):
    """left + right, by the kernel, which flushes subnormal numbers; `out` is one of them."""
    other = right if out is left else left
    with no_grad():
        add_(Tensor._on(out), Tensor._on(other))


def all_reduce(comm, values, shards, combine, by_element=True):
    """Combines the vectors of all ranks in place.

    Args:
        comm: a communicator of mpi4py.
        values: (n,), contiguous.
        shards: of the batch, whose tree says the order.
        combine: (left, right, out) -> None; `out` is one of them.
        by_element: whether it combines each element alone, so that a part can be combined by
            itself. Default: True.
    """
    turns = turns_of(shards, comm.size, comm.rank)
    in_pairs = comm.size & (comm.size - 1) == 0 and shards >= comm.size
    is_long = by_element and values.nbytes >= HALVED_BYTES
    by = all_reduce_halving if in_pairs and is_long else all_reduce_whole
    by(comm, values, turns, combine)


def all_reduce_whole(comm, values, turns, combine):
    """Each message is the whole vector: log2(ranks) of them, one after another."""
    other = room_for(len(values), values)
    for turn in turns:
        if turn.to == (turn.source,):
            comm.Sendrecv(memory(values), turn.to[0], recvbuf=memory(other), source=turn.source)
        else:
            sent = [comm.Isend(memory(values), rank) for rank in turn.to]
            if turn.source is not None:
                comm.Recv(memory(other), turn.source)
            for request in sent:
                request.Wait()
        if turn.source is None:
            continue
        if not turn.adds:
            values[...] = other
        elif turn.is_left:
            combine(values, other, out=values)
        else:
            combine(other, values, out=values)


def all_reduce_halving(comm, values, turns, combine):
    """Each rank adds up a part of its own and gives it to all others: twice as many messages, of
    2 n numbers together, however many ranks there are.

    Rabenseifner 2004, "Optimization of collective reduction operations", with halves that are
    exchanged between neighbours first, which makes each element's sum that of the tree.
    """
    other = room_for(-(-len(values) // 2), values)
    begin, end, parts = 0, len(values), []
    for turn in turns:
        half = begin + (end - begin) // 2
        left, right = slice(begin, half), slice(half, end)
        mine, theirs = (left, right) if turn.is_left else (right, left)
        got = other[: mine.stop - mine.start]
        comm.Sendrecv(memory(values[theirs]), turn.source, recvbuf=memory(got), source=turn.source)
        part = values[mine]
        if turn.is_left:
            combine(part, got, out=part)
        else:
            combine(got, part, out=part)
        parts.append((mine, theirs))
        begin, end = mine.start, mine.stop
    for turn, (mine, theirs) in zip(reversed(turns), reversed(parts), strict=True):
        comm.Sendrecv(
            memory(values[mine]), turn.source, recvbuf=memory(values[theirs]), source=turn.source
        )


def all_reduce_together(comm, arrays, shards, combine):
    """all_reduce of several arrays of one dtype, in place, as one message."""
    if len(arrays) == 1 and arrays[0].flags.c_contiguous:
        all_reduce(comm, arrays[0].reshape(-1), shards, combine)
        return
    packed = np.concatenate([a.reshape(-1) for a in arrays])
    all_reduce(comm, packed, shards, combine)
    ends = np.cumsum([a.size for a in arrays])
    for a, part in zip(arrays, np.split(packed, ends[:-1]), strict=True):
        a[...] = part.reshape(a.shape)


def room_for(count, values):
    """A vector for what comes, in memory that the next exchange uses again."""
    return empty((count,), dtype=values.dtype).numpy()


def memory(a):
    """What a message is made of: the bytes."""
    return a.view(np.uint8)
