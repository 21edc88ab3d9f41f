"""Batches of a data set; with PyTorch's names."""

import os
import warnings
from itertools import repeat
from typing import Generic

from pyml.data.checks import count, flag, function, sized
from pyml.data.collate import default_collate, default_convert
from pyml.data.dataset import IterableDataset, Sample
from pyml.data.fetch import END, Reading, Told
from pyml.data.sampler import BatchSampler, RandomSampler, SequentialSampler, iterable
from pyml.ops.creation import randint
from pyml.options import Range, check_number
from pyml.random import state_of

__all__ = ["DataLoader"]

SEEDS = 2**53  # how many randint can draw from
PREFETCH = 2
CONTEXTS = ("fork", "spawn", "forkserver")
FIXED = ("batch_sampler", "batch_size", "dataset", "drop_last", "persistent_workers", "sampler")


class DataLoader(Generic[Sample]):
    """Iterates over a data set by batches, each time anew.

    With the default collate_fn, a batch of a TensorDataset, of a Subset or StackDataset of such, or
    of a Tensor is taken by one call for each tensor: a copy of a slice where the order is that of
    the data set, else a gather. Other data sets are asked for sample after sample.

    Workers are processes, by default forks of this one. They cost their start, some fifty
    milliseconds each at every iteration (once with persistent_workers), and for each batch about
    0.3 ms and a few copies of its bytes through a pipe. They bring something where a batch takes
    longer than that to make: decoding, augmentation, slow files. For tensors in memory they are a
    loss: 64 rows of a TensorDataset of 64 columns take some twenty microseconds here (figures of a
    machine with 2 cores). Each worker computes with one thread.

    Each iteration takes one number from the generator, for the seeds of workers, and a shuffled one
    its order: the order is the same for any number of workers.

    Args:
        dataset: what has __getitem__ and __len__, or is an IterableDataset.
        batch_size: samples in a batch. None: samples as they are, each by default_convert; an item
            of the sampler is then the index. Default: 1.
        shuffle: a new random order in each iteration. Default: that of the data set.
        sampler: the order instead: an iterable of indices. Default: none.
        batch_sampler: the batches instead: an iterable of lists of indices. Default: none.
        num_workers: how many processes read; 0 for none but this. Default: 0.
        collate_fn: makes a batch of a list of samples. Default: default_collate.
        pin_memory, pin_memory_device: without effect.
        drop_last: leaves out the last batch if it is smaller. Default: False.
        timeout: how long to wait for a batch of a worker, in seconds; 0 for any time. Default: 0.
        worker_init_fn: called with its number, from 0, in each worker when it starts. pyml's,
            Python's and NumPy's random numbers are seeded before, differently in each. Default:
            none.
        multiprocessing_context: how workers start: "fork", "spawn", "forkserver", or a context of
            multiprocessing. With the last two, the data set and the functions must be picklable.
            Default: "fork" where it is there.
        generator: a Generator. Default: the default generator.
        prefetch_factor: how many batches each worker reads ahead. Default: 2, with workers.
        persistent_workers: keeps the workers for the next iteration. A second iteration then ends
            the first. Default: False.
        in_order: False gives the batches of workers as they are ready. Default: True.

    Raises:
        TypeError, ValueError: when it is made, for arguments of other types and values, and those
            that exclude each other.
        Exception: that of a worker as it was there, caused by the worker's traceback. The iterator
            goes on with the batch after.
        RuntimeError: if a worker died, had no batch within `timeout`, or raised what cannot be
            pickled.

    Example:
        >>> data = TensorDataset(pyml.arange(10.0), pyml.arange(10))
        >>> for x, y in DataLoader(data, batch_size=4):
        ...     print(y)
        tensor([0, 1, 2, 3])
        tensor([4, 5, 6, 7])
        tensor([8, 9])
        >>> len(DataLoader(data, batch_size=4, shuffle=True, drop_last=True))
        2
    """

    _iterator = None  # of persistent workers
    _told = None  # the length of an IterableDataset, if it was asked for
    _is_made = False

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        who = "DataLoader"
        is_iterable = isinstance(dataset, IterableDataset)
        if not is_iterable and not hasattr(type(dataset), "__getitem__"):
            raise TypeError(
                f"{who}: dataset is a {type(dataset).__name__}, which has no __getitem__; give it "
                "one, or make it an IterableDataset"
            )
        flag(persistent_workers, who, "persistent_workers")
        flag(in_order, who, "in_order")
        theirs = "timeout option should be non-negative"
        check_number(who, "timeout", timeout, Range(0), theirs)
        function(collate_fn, who, "collate_fn")
        function(worker_init_fn, who, "worker_init_fn")
        state_of(generator, who)
        theirs = "num_workers option should be non-negative"
        num_workers = count(num_workers, who, "num_workers", 0, theirs)
        if num_workers == 0:
            _refuse_without_workers(
                prefetch_factor=prefetch_factor is not None,
                persistent_workers=persistent_workers,
                multiprocessing_context=multiprocessing_context is not None,
            )
        elif prefetch_factor is None:
            prefetch_factor = PREFETCH
        else:
            prefetch_factor = count(prefetch_factor, who, "prefetch_factor")
        _warn_of_many(num_workers)
        if is_iterable:
            _exclude(
                "an IterableDataset has its own order, so there can be no",
                "DataLoader with IterableDataset: expected unspecified {} option",
                shuffle=shuffle,
                sampler=sampler is not None,
                batch_sampler=batch_sampler is not None,
            )
        if sampler is not None:
            iterable(sampler, who, "sampler")
            theirs = "sampler option is mutually exclusive with shuffle"
            _exclude("with sampler there can be no", theirs, shuffle=shuffle)
        if batch_sampler is not None:
            iterable(batch_sampler, who, "batch_sampler")
            _exclude(
                "with batch_sampler there can be no",
                "batch_sampler option is mutually exclusive with {}",
                batch_size=not (type(batch_size) is int and batch_size == 1),
                shuffle=shuffle,
                sampler=sampler is not None,
                drop_last=drop_last,
            )
            batch_size = None
        elif batch_size is None:
            _exclude(
                "without batches (batch_size=None) there can be no",
                "batch_size=None option disables auto-batching and is mutually exclusive with {}",
                drop_last=drop_last,
            )
        else:
            batch_size = count(batch_size, who, "batch_size")
        if shuffle is not None:
            flag(shuffle, who, "shuffle")
        flag(drop_last, who, "drop_last")
        _check_context(multiprocessing_context)

        auto_collation = batch_size is not None or batch_sampler is not None
        if not is_iterable and sampler is None and batch_sampler is None:
            sized(dataset, who, "dataset")
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_size is not None and not is_iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_collate if auto_collation else default_convert
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.num_workers, self.collate_fn, self.pin_memory = num_workers, collate_fn, pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout, self.worker_init_fn = timeout, worker_init_fn
        self.multiprocessing_context, self.generator = multiprocessing_context, generator
        self.prefetch_factor, self.persistent_workers = prefetch_factor, persistent_workers
        self.in_order = in_order
        self._auto_collation = auto_collation
        self._is_made = True

    def __setattr__(self, name, value):
        if self._is_made and name in FIXED:
            raise ValueError(f"DataLoader: {name} cannot be changed; make another DataLoader")
        super().__setattr__(name, value)

    def __getstate__(self):  # of a copy and of a pickle: the workers are not shared
        return {name: value for name, value in self.__dict__.items() if name != "_iterator"}

    def __len__(self):
        """The number of batches.

        Raises:
            TypeError: if the sampler or the IterableDataset has no length.
        """
        if not isinstance(self.dataset, IterableDataset):
            return len(self.batch_sampler if self._auto_collation else self.sampler)
        size = self._told = len(self.dataset)
        if self.batch_size is None:
            return size
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def __iter__(self):
        base_seed = int(randint(SEEDS, (1,), generator=self.generator).item())
        reading = Reading(
            self.dataset, self.batch_size, self._auto_collation, self.drop_last, self.collate_fn
        )
        told = None if self._told is None else Told(self.dataset, self._told)
        if self.num_workers == 0:
            return Batches(reading, self._tasks(), told)
        iterator = self._iterator
        if iterator is None or iterator.closed:
            from pyml.data.pool import WorkerIterator  # multiprocessing takes time to import

            iterator = WorkerIterator(
                reading,
                self.num_workers,
                base_seed,
                self.worker_init_fn,
                self.multiprocessing_context,
                self.prefetch_factor or PREFETCH,  # num_workers can be set
                self.timeout,
                self.persistent_workers,
                self.in_order,
            )
            if self.persistent_workers:
                self._iterator = iterator
        return iterator.begin(self._tasks(), told)

    def _tasks(self):
        """What the batches are made of, one after another."""
        if isinstance(self.dataset, IterableDataset):
            return repeat(None)
        if not self._auto_collation:
            return iter(self.sampler)
        if type(self.batch_sampler).__iter__ is BatchSampler.__iter__:
            return self.batch_sampler._batches()
        return iter(self.batch_sampler)


class Batches:
    """The batches that this process reads; after one whose reading raised, the next.

    Args:
        reading: a Reading.
        tasks: an iterator of what the batches are made of.
        told: a Told, or None.
    """

    def __init__(self, reading, tasks, told):
        self._read, self._tasks, self._told = reading.begin(), tasks, told

    def __iter__(self):
        return self

    def __next__(self):
        task = next(self._tasks)
        try:
            batch = self._read(task)
        except StopIteration as error:
            raise RuntimeError("DataLoader: a data set raised StopIteration") from error
        if batch is END:
            raise StopIteration
        if self._told is not None:
            self._told.one_more()
        return batch


def _warn_of_many(num_workers):
    """Warns of more workers than there are processors."""
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count()
    if num_workers > processors:
        warnings.warn(
            f"This DataLoader will create {num_workers} worker processes in total, for "
            f"{processors} processors that it may use; excessive worker creation might get "
            "DataLoader running slow or even freeze, lower num_workers",
            UserWarning,
            stacklevel=3,
        )


def _exclude(rule, words, **given):
    """Raises ValueError for arguments that are given; `words` are PyTorch's, for their names."""
    names = ", ".join([name for name, is_given in given.items() if is_given])
    if names:
        raise ValueError(f"DataLoader: {rule} {names} ({words.format(names)})")


def _refuse_without_workers(**given):
    """Raises ValueError for an argument that is given, and is for workers."""
    for name, is_given in given.items():
        if is_given:
            raise ValueError(
                f"DataLoader: {name} is for workers; set num_workers to 1 or more ({name} can only "
                "be used with multi-process loading (num_workers > 0), but got num_workers=0)"
            )


def _check_context(context):
    """Raises unless it is None, a context of multiprocessing or the name of one."""
    words = "multiprocessing_context option should"
    if not isinstance(context, (str, type(None))) and not hasattr(context, "Process"):
        raise TypeError(
            f"DataLoader: multiprocessing_context is a {type(context).__name__}, it must be a name "
            f"or a context of multiprocessing ({words} be a valid context object or a string)"
        )
    if isinstance(context, str) and context not in CONTEXTS:
        raise ValueError(
            f"DataLoader: multiprocessing_context is {context!r}, it must be one of "
            f"{', '.join(CONTEXTS)} ({words} specify a valid start method in {list(CONTEXTS)!r})"
        )
