"""The binary tree over the micro-shards of a batch, and who sends what to whom.

A batch of n rows is cut into shards [begin, end) by n and the shard size alone. The tree halves the
range of shards again and again; ranks are halved beside it, so that each rank has one node of the
tree and all that is below it. A sum over the shards is then the same sequence of additions, whoever
makes them.
"""

import functools
from dataclasses import dataclass

__all__ = ["Turn", "cut", "nodes_of", "owned", "tree_sum", "turns_of"]


def cut(rows, size):
    """[(begin, end)] of the shards: as few of at most `size` rows as can be, of equal sizes."""
    count = max(1, -(-rows // size))
    least, more = divmod(rows, count)
    ends = [least * (i + 1) + min(i + 1, more) for i in range(count)]
    return list(zip([0, *ends], ends, strict=False))


def middle(begin, end):
    """Where a range is halved; the first half is the larger one."""
    return begin + (end - begin + 1) // 2


def owned(shards, ranks, rank):
    """The shards [begin, end) of a rank: none of them where there are more ranks than shards."""
    begin, end, low, high = 0, shards, 0, ranks
    while high - low > 1:
        shard, half = middle(begin, end), middle(low, high)
        if rank < half:
            end, high = shard, half
        else:
            begin, low = shard, half
    return begin, end


@dataclass(frozen=True)
class Turn:
    """What a rank does at one level of the tree, from its own node on upward.

    `to`: the ranks that it sends its sum to. `source`: the rank whose sum it gets, or None. `adds`:
    whether that is added to its own, or else takes its place. `is_left`: whether its own comes
    first in that sum.
    """

    to: tuple
    source: int | None
    adds: bool
    is_left: bool


@functools.cache
def turns_of(shards, ranks, rank):
    """The Turns of a rank, after which all ranks have the sum of all."""
    turns, begin, end, low, high = [], 0, shards, 0, ranks
    while high - low > 1:
        shard, half = middle(begin, end), middle(low, high)
        left, right = half - low, high - half  # equal, or left is one more
        is_left = rank < half
        adds = shard < end
        if begin < end:
            if is_left:
                i = rank - low
                to = (half + i,) if i < right else ()
                source = half + min(i, right - 1) if adds else None
            else:
                i = rank - half
                more = (half - 1,) if i == right - 1 and left > right else ()
                to = (low + i, *more) if adds else ()
                source = low + i
            turns.append(Turn(to, source, adds, is_left))
        if is_left:
            end, high = shard, half
        else:
            begin, low = shard, half
    return tuple(reversed(turns))


@functools.cache
def nodes_of(begin, end):
    """{(begin, end): its two children} of the tree below a node of two shards or more."""
    if end - begin < 2:
        return {}
    half = middle(begin, end)
    halves = (begin, half), (half, end)
    return {(begin, end): halves} | nodes_of(*halves[0]) | nodes_of(*halves[1])


def tree_sum(parts, begin, end, add):
    """The sum of {shard: value} of [begin, end) by the tree; what is None counts as nothing."""
    if end - begin == 1:
        return parts[begin]
    half = middle(begin, end)
    left, right = tree_sum(parts, begin, half, add), tree_sum(parts, half, end, add)
    if left is None or right is None:
        return left if right is None else right
    return add(left, right)
