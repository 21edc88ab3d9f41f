"""How the batch of a task is read: in the loader's process, and in each of its workers."""

import warnings
from itertools import islice

import numpy as np

from pyml.data.collate import default_collate
from pyml.data.dataset import IterableDataset, gathered, numbers, row_numbers, samples_of


class END:
    """In place of a batch: an IterableDataset has no more."""


class Reading:
    """How a DataLoader reads: what its workers are told.

    Args:
        dataset: the data set.
        batch_size: how many samples of an IterableDataset make a batch; None without batches.
        batched: whether a task is a batch of indices, or one index.
        drop_last: whether the last, smaller batch is left out.
        collate: makes the batch of a list of samples; without batches, what is given of one sample.
    """

    def __init__(self, dataset, batch_size, batched, drop_last, collate):
        self.dataset, self.batch_size, self.batched = dataset, batch_size, batched
        self.drop_last, self.collate = drop_last, collate

    def begin(self):
        """A function from a task to its batch, or END, for one pass."""
        dataset, collate = self.dataset, self.collate
        if not isinstance(dataset, IterableDataset):
            if self.batched:
                return lambda task: batch_of(dataset, task, collate)
            return lambda task: collate(dataset[task])
        samples = iter(dataset)
        if not self.batched:
            return lambda task: (
                END if (found := list(islice(samples, 1))) == [] else collate(*found)
            )

        def batch(task):
            found = list(islice(samples, self.batch_size))
            if not found or (self.drop_last and len(found) < self.batch_size):
                return END
            return collate(found)

        return batch


def batch_of(dataset, indices, collate):
    """The batch of samples `indices`: a range, an int64 vector, or any sequence of a sampler."""
    if collate is default_collate and len(indices) > 0:
        rows = indices
        if isinstance(indices, range) and not (indices.step == 1 and indices.start >= 0):
            rows = list(indices)
        if isinstance(rows, (list, tuple)):
            rows = row_numbers(rows)
        elif not isinstance(rows, range) and not is_rows(rows):
            rows = None
        batch = None if rows is None else gathered(dataset, rows)
        if batch is not None:
            return batch
    return collate(samples_of(dataset, list(numbers(indices))))


class Told:
    """Warns of an IterableDataset that has more samples than it told, each time.

    Args:
        dataset: the data set.
        length: what it told.
    """

    def __init__(self, dataset, length):
        self.dataset, self.length, self.count = dataset, length, 0

    def one_more(self):
        """Counts a batch."""
        self.count += 1
        if self.count > self.length:
            warnings.warn(
                f"{type(self.dataset).__name__}: its length was said to be {self.length}, but "
                f"{self.count} samples have been fetched. For multiprocessing data-loading, this "
                "can be as each worker reads all of it: leave out what a worker shall not read, by "
                "get_worker_info()",
                UserWarning,
                stacklevel=3,
            )


def is_rows(indices):
    return isinstance(indices, np.ndarray) and indices.ndim == 1 and indices.dtype.kind in "iu"
