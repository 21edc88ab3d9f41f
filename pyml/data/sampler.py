"""In which order a DataLoader reads a data set; with PyTorch's names."""

import itertools
from typing import Generic, TypeVar

import numpy as np

from pyml.data.checks import count, flag, sized, with_items
from pyml.ops.creation import as_tensor, rand, randint, randperm
from pyml.random import state_of

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

Index = TypeVar("Index", covariant=True)


class Sampler(Generic[Index]):
    """A base for orders: a subclass writes __iter__, which yields indices, and mostly __len__.

    For type hints it is Sampler[...] of its indices.

    Args:
        data_source: without effect, as in PyTorch. Default: None.

    Example:
        >>> class Backward(Sampler):
        ...     def __iter__(self):
        ...         return iter([2, 1, 0])
        >>> list(Backward())
        [2, 1, 0]
    """

    def __init__(self, data_source=None):
        pass

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must have a method __iter__")


class RowSampler(Sampler):
    """A sampler that knows its whole order when an iteration begins."""

    def _rows(self):
        """The order: a range of step 1, or an int64 vector."""
        raise NotImplementedError

    def __iter__(self):
        rows = self._rows()  # drawn when the first index is asked for
        yield from rows if isinstance(rows, range) else rows.tolist()


class SequentialSampler(RowSampler):
    """0, 1, ..., n - 1.

    Args:
        data_source: what has the length n.

    Raises:
        TypeError: for what has no length.

    Example:
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source):
        self.data_source = sized(data_source, "SequentialSampler", "data_source")

    def _rows(self):
        return range(len(self))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(RowSampler):
    """0, 1, ..., n - 1 in a random order, or drawn from these with replacement.

    Args:
        data_source: what has the length n.
        replacement: each index is drawn from all of them. Default: False.
        num_samples: how many indices. Without replacement, one permutation follows another as long
            as more than n are asked for. Default: n.
        generator: a Generator. Default: the default generator.

    Raises:
        TypeError: for what has no length, and for arguments of other types.
        ValueError: if num_samples is not positive, or n is 0.

    Example:
        >>> sorted(RandomSampler("abc"))
        [0, 1, 2]
        >>> len(list(RandomSampler("abc", num_samples=7)))
        7
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source = sized(data_source, "RandomSampler", "data_source")
        self.replacement = flag(replacement, "RandomSampler", "replacement")
        if num_samples is not None:
            num_samples = count(num_samples, "RandomSampler", "num_samples")
        if len(data_source) == 0:
            raise ValueError("RandomSampler: data_source is empty, there is nothing to draw from")
        state_of(generator, "RandomSampler")
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self):
        """How many indices an iteration has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _rows(self):
        size, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            return randint(size, (wanted,), generator=self.generator).numpy()
        orders = [
            randperm(size, generator=self.generator).numpy() for _ in range(-(-wanted // size))
        ]
        return (orders[0] if len(orders) == 1 else np.concatenate(orders))[:wanted]

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """Given indices in a random order.

    Args:
        indices: a sequence.
        generator: a Generator. Default: the default generator.

    Raises:
        TypeError: for what has no length.

    Example:
        >>> sorted(SubsetRandomSampler([5, 2, 9]))
        [2, 5, 9]
    """

    def __init__(self, indices, generator=None):
        self.indices = sized(indices, "SubsetRandomSampler", "indices")
        state_of(generator, "SubsetRandomSampler")
        self.generator = generator

    def __iter__(self):
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(RowSampler):
    """Indices 0, 1, ..., n - 1, each drawn with the probability weight / (sum of the weights).

    Without replacement, each draw is from those that are left: the indices with the smallest
    E_i / weight_i, E_i exponential (Efraimidis & Spirakis 2006, "Weighted random sampling with a
    reservoir", Information Processing Letters 97).

    Args:
        weights: n numbers, finite and not negative, not all zero; they need not be 1 together.
        num_samples: how many indices.
        replacement: an index can be drawn again. Default: True.
        generator: a Generator. Default: the default generator.

    Raises:
        ValueError: for other weights, a num_samples that is not positive, and without replacement
            if it is more than there are positive weights.
        TypeError: for arguments of other types.

    Example:
        >>> list(WeightedRandomSampler([0, 1, 0], 4))
        [1, 1, 1, 1]
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        who = "WeightedRandomSampler"
        num_samples = count(num_samples, who, "num_samples")
        flag(replacement, who, "replacement")
        state_of(generator, who)
        if not hasattr(weights, "__len__"):
            weights = list(weights)
        weights = as_tensor(weights).detach().numpy().astype(np.float64)
        if weights.ndim != 1:
            raise ValueError(f"{who}: weights has shape {weights.shape}, it must be a vector")
        wrong = ~((weights >= 0) & np.isfinite(weights))
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(
                f"{who}: weights[{i}] is {weights[i]}, it must be finite and not negative"
            )
        positive = int(np.count_nonzero(weights))
        if positive == 0:
            raise ValueError(f"{who}: of {len(weights)} weights one at least must be positive")
        if not replacement and num_samples > positive:
            raise ValueError(
                f"{who}: num_samples is {num_samples}, without replacement it must not be more "
                f"than the positive weights, {positive}"
            )
        self.weights = as_tensor(weights)
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def _rows(self):
        weights = self.weights.numpy()
        weights = weights / weights.max()  # their sum cannot overflow
        if not self.replacement:
            u = rand(len(weights), dtype=np.float64, generator=self.generator).numpy()
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                keys = np.where(weights > 0, -np.log1p(-u) / weights, np.inf)
            return np.argsort(keys, kind="stable")[: self.num_samples]
        edges = np.cumsum(weights)
        u = rand(self.num_samples, dtype=np.float64, generator=self.generator).numpy()
        rows = np.searchsorted(edges, u * edges[-1], side="right")
        return np.minimum(rows, np.searchsorted(edges, edges[-1]))  # where u * sum became the sum

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """Batches of the indices of a sampler, as lists.

    Args:
        sampler: what yields indices.
        batch_size: how many make a batch.
        drop_last: leaves out the last batch if it is smaller.

    Raises:
        TypeError, ValueError: unless batch_size is a positive integer and drop_last a bool.

    Example:
        >>> list(BatchSampler(range(5), 2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler, batch_size, drop_last):
        self.sampler = iterable(sampler, "BatchSampler", "sampler")
        self.batch_size = count(batch_size, "BatchSampler", "batch_size")
        self.drop_last = flag(drop_last, "BatchSampler", "drop_last")

    def __iter__(self):
        return (
            batch.tolist() if isinstance(batch, np.ndarray) else list(batch)
            for batch in self._batches()
        )

    def _batches(self):
        """The batches as lists, ranges of step 1, or int64 vectors."""
        size = self.batch_size
        if isinstance(self.sampler, RowSampler) and (
            type(self.sampler).__iter__ is RowSampler.__iter__
        ):
            rows = self.sampler._rows()
            end = len(rows) - (len(rows) % size if self.drop_last else 0)
            yield from (rows[start : min(start + size, end)] for start in range(0, end, size))
            return
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, size)):
            if len(batch) == size or not self.drop_last:
                yield batch

    def __len__(self):
        size = len(self.sampler)
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


def iterable(value, who, name):
    """Raises TypeError unless one can iterate over `value`, more than once."""
    if not hasattr(value, "__iter__"):
        raise TypeError(f"{who}: {name} is a {type(value).__name__}, it must be iterable")
    return with_items(value, who, name)
