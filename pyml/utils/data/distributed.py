"""The rows of a process, for those who cut an epoch between processes themselves."""

import numpy as np

from pyml.data.checks import count, flag, sized
from pyml.data.sampler import RowSampler
from pyml.distributed import group as groups
from pyml.ops.creation import randperm
from pyml.options import check_integer
from pyml.random import Generator

__all__ = ["DistributedSampler"]


class DistributedSampler(RowSampler):
    """Of a data set's indices every n-th, from the rank on: a part for each of n processes.

    Parts are equally long: the first indices come again at the end, or with drop_last the last ones
    are left out. It is for evaluation by parts, and for loops that combine what the processes have
    with distributed.all_reduce. A DistributedDataParallel needs none: its loss takes the rows of
    the whole batch.

    Args:
        dataset: what has a length.
        num_replicas: how many processes, n. Default: those of the group.
        rank: this one. Default: its rank in the group.
        shuffle: a new order in each epoch, by seed + epoch. Default: True.
        seed: of the order, the same in all processes. Default: 0.
        drop_last: leave out what does not make a row for each process. Default: False.

    Attributes:
        epoch: see set_epoch.
        num_samples: how many indices an iteration has.
        total_size: those of all processes.

    Raises:
        RuntimeError: without a process group, unless num_replicas and rank are given.
        TypeError: for what has no length, and for arguments of other types.
        ValueError: if rank is not one of 0 to num_replicas - 1.

    Example:
        >>> from pyml.utils.data.distributed import DistributedSampler
        >>> list(DistributedSampler("abcde", num_replicas=2, rank=1, shuffle=False))
        [1, 3, 0]
    """

    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ):
        who = "DistributedSampler"
        self.dataset = sized(dataset, who, "dataset")
        if num_replicas is None:
            num_replicas = groups.the_group(who).size
        if rank is None:
            rank = groups.the_group(who).rank
        self.num_replicas = count(num_replicas, who, "num_replicas")
        check_integer(who, "rank", rank)
        if not 0 <= rank < self.num_replicas:
            raise ValueError(
                f"{who}: Invalid rank {rank}: with num_replicas={self.num_replicas} it must be "
                f"0 to {self.num_replicas - 1}"
            )
        check_integer(who, "seed", seed)
        self.rank, self.seed, self.epoch = int(rank), int(seed), 0
        self.shuffle = flag(shuffle, who, "shuffle")
        self.drop_last = flag(drop_last, who, "drop_last")

    @property
    def num_samples(self):
        rows = len(self.dataset)
        return rows // self.num_replicas if self.drop_last else -(-rows // self.num_replicas)

    @property
    def total_size(self):
        return self.num_samples * self.num_replicas

    def set_epoch(self, epoch):
        """Says which epoch comes next, so that it has an order of its own.

        Args:
            epoch: an integer >= 0.
        """
        check_integer("set_epoch", "epoch", epoch)
        self.epoch = int(epoch)

    def _rows(self):
        rows = len(self.dataset)
        if self.shuffle:
            order = randperm(rows, generator=Generator(self.seed + self.epoch)).numpy()
        else:
            order = np.arange(rows)
        wanted = np.arange(self.rank, self.total_size, self.num_replicas)
        return order[wanted % max(1, rows)]

    def __len__(self):
        return self.num_samples
