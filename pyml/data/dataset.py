"""Data sets: of tensors, of others, and the user's own; with PyTorch's names."""

import bisect
import itertools
import math
from typing import Generic, TypeVar

import numpy as np

from pyml.data.checks import count, indexed, sized
from pyml.ops.creation import randperm
from pyml.ops.index import selected
from pyml.ops.shape import clone
from pyml.random import state_of
from pyml.tensor import Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """A base for data sets with an index: a subclass writes __getitem__, and mostly __len__.

    With __getitems__(indices), which returns a list of samples, a DataLoader asks for all the
    samples of a batch at once. `a + b` is a ConcatDataset. For type hints it is Dataset[...] of its
    samples, as the other data sets are.

    Example:
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 3
        ...
        ...     def __getitem__(self, index):
        ...         return index**2
        >>> [Squares()[i] for i in range(3)]
        [0, 1, 4]
    """

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} must have a method __getitem__")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample]):
    """A base for data sets that are read from their beginning: a subclass writes __iter__.

    Each worker of a DataLoader has a copy and reads all of it: what a worker shall not read, its
    __iter__ leaves out by get_worker_info(). `a + b` is a ChainDataset.

    Example:
        >>> class Countdown(IterableDataset):
        ...     def __iter__(self):
        ...         return iter([3, 2, 1])
        >>> list(Countdown())
        [3, 2, 1]
    """

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must have a method __iter__")

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Row i of each tensor, as a tuple.

    A DataLoader with the default collate_fn takes a batch by one call for each tensor.

    Args:
        *tensors: Tensors with the same number of rows, their first size.

    Raises:
        TypeError: for what is no Tensor.
        ValueError: without tensors, for a 0-d tensor, and for other numbers of rows.

    Example:
        >>> data = TensorDataset(pyml.arange(4.0).reshape(2, 2), pyml.tensor([5, 6]))
        >>> data[1]
        (tensor([2., 3.]), tensor(6))
    """

    def __init__(self, *tensors):
        if not tensors:
            raise ValueError("TensorDataset: at least one tensor is needed")
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"TensorDataset: tensor {i} is a {type(tensor).__name__}, it must be a Tensor; "
                    "as_tensor() makes one"
                )
            if tensor.ndim == 0:
                raise ValueError(f"TensorDataset: tensor {i} is 0-d, it must have rows")
        if len({len(tensor) for tensor in tensors}) > 1:
            raise ValueError(
                f"TensorDataset: shapes {', '.join(str(tensor.shape) for tensor in tensors)} must "
                "have the same first size"
            )
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self):
        return len(self.tensors[0])

    def _gathered(self, rows):
        return [take(tensor, rows) for tensor in self.tensors]


class StackDataset(Dataset[Sample]):
    """Sample i of each data set, as a tuple, or as a dict for data sets given by name.

    Args:
        *datasets: data sets of one length; or
        **named: the same by name.

    Raises:
        ValueError: for none, for both kinds, and for other lengths.

    Example:
        >>> StackDataset(x=[1, 2], y=[3, 4])[1]
        {'x': 2, 'y': 4}
    """

    def __init__(self, *datasets, **named):
        if datasets and named:
            raise ValueError(
                "StackDataset: Supported either data sets by place, for tuples, or by name, for "
                "dicts, not both"
            )
        if not datasets and not named:
            raise ValueError("StackDataset: At least one dataset should be passed")
        self.datasets = named or datasets
        lengths = [len(sized(data, "StackDataset", "a data set")) for data in self._parts()]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"StackDataset: Size mismatch between datasets: lengths {lengths} must be the same"
            )
        self._length = lengths[0]

    def _parts(self):
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _like(self, parts):
        """A tuple or dict of them."""
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, parts, strict=True))
        return tuple(parts)

    def __getitem__(self, index):
        return self._like([data[index] for data in self._parts()])

    def __getitems__(self, indices):
        """A list of samples; a data set with __getitems__ is asked for its part of all at once."""
        return [
            self._like(parts)
            for parts in zip(*[items_of(data, indices) for data in self._parts()], strict=True)
        ]

    def __len__(self):
        return self._length

    def _gathered(self, rows):
        parts = [gathered(data, rows) for data in self._parts()]
        if any(part is None for part in parts):
            return None
        return self._like(parts) if isinstance(self.datasets, dict) else parts


class ConcatDataset(Dataset[Sample]):
    """Data sets one after another.

    Args:
        datasets: data sets with a length, at least one.

    Attributes:
        cumulative_sizes: the index after the last sample of each.

    Raises:
        ValueError: for none.
        TypeError: for an IterableDataset, or one without a length.

    Example:
        >>> data = ConcatDataset([[1, 2], [3]])
        >>> len(data), data[2]
        (3, 3)
    """

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: at least one data set is needed")
        for i, data in enumerate(self.datasets):
            if isinstance(data, IterableDataset):
                raise TypeError(
                    f"ConcatDataset: data set {i} is an IterableDataset; ChainDataset joins these"
                )
            sized(data, "ConcatDataset", f"data set {i}")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ConcatDataset: index {index} is out of range for length {size}")
        index %= size
        part = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[part][index - (self.cumulative_sizes[part - 1] if part else 0)]


class ChainDataset(IterableDataset):
    """IterableDatasets one after another.

    Args:
        datasets: IterableDatasets.

    Raises:
        TypeError: for another data set.

    Example:
        >>> class Two(IterableDataset):
        ...     def __iter__(self):
        ...         return iter([1, 2])
        >>> list(Two() + Two())
        [1, 2, 1, 2]
    """

    def __init__(self, datasets):
        self.datasets = list(datasets)
        for i, data in enumerate(self.datasets):
            if not isinstance(data, IterableDataset):
                raise TypeError(
                    f"ChainDataset: data set {i} is a {type(data).__name__}, it must be an "
                    "IterableDataset; ConcatDataset joins those with an index"
                )

    def __iter__(self):
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self):
        return sum(len(data) for data in self.datasets)


class Subset(Dataset[Sample]):
    """Some samples of a data set, in an order of their own.

    Args:
        dataset: what they are of.
        indices: their indices, a sequence.

    Example:
        >>> Subset(["a", "b", "c"], [2, 0])[0]
        'c'
    """

    def __init__(self, dataset, indices):
        self.dataset = indexed(dataset, "Subset", "dataset")
        self.indices = indexed(sized(indices, "Subset", "indices"), "Subset", "indices")

    def __getitem__(self, index):
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices):
        """A list of samples; a data set with __getitems__ is asked for all at once."""
        return items_of(self.dataset, [self.indices[index] for index in indices])

    def __len__(self):
        return len(self.indices)

    def _gathered(self, rows):
        chosen = row_numbers([self.indices[i] for i in numbers(rows)])
        return None if chosen is None else gathered(self.dataset, chosen)


def random_split(dataset, lengths, generator=None):
    """Divides a data set at random.

    Args:
        dataset: what to divide, n samples.
        lengths: how many samples each part gets, n together; or fractions that are 1 together. Part
            i then gets floor(fraction_i * n), and what is left goes to the first parts, one each.
        generator: a Generator. Default: the default generator.

    Returns:
        A list of Subsets.

    Raises:
        ValueError: if a length is negative or not finite, or the lengths are neither n nor 1
            together.
        TypeError: if a length is no number, or lengths are no integers.

    Example:
        >>> first, second = random_split(range(10), [0.8, 0.2], generator=pyml.Generator(1))
        >>> len(first), len(second), sorted([*first, *second]) == list(range(10))
        (8, 2, True)
    """
    size = len(sized(dataset, "random_split", "dataset"))
    state_of(generator, "random_split")
    lengths = list(lengths)
    for i, length in enumerate(lengths):
        if isinstance(length, bool) or not isinstance(length, (int, float, np.number)):
            raise TypeError(f"random_split: lengths[{i}] is {length!r}, it must be a number")
        if not 0 <= length < math.inf:
            raise ValueError(
                f"random_split: lengths[{i}] is {length}, it must be a number of samples or a "
                "fraction, not negative"
            )
    if lengths and math.isclose(math.fsum(lengths), 1):
        lengths = [math.floor(fraction * size) for fraction in lengths]
        for i in range(size - sum(lengths)):
            lengths[i % len(lengths)] += 1
    elif sum(lengths) != size:
        raise ValueError(
            f"random_split: lengths {lengths} are {sum(lengths)} together, they must be {size}, "
            "the length of the data set, or 1 for fractions"
        )
    lengths = [count(n, "random_split", f"lengths[{i}]", 0) for i, n in enumerate(lengths)]
    order = randperm(size, generator=generator).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - n : end]) for n, end in zip(lengths, ends, strict=True)]


# ---- many rows at once ---------------------------------------------------------------------------


def gathered(dataset, rows):
    """The batch that default_collate makes of these samples; None if only they themselves tell.

    Args:
        dataset: any data set. One of tensors, or of parts of such, is read by one call for each
            tensor, unless a subclass says what its samples are.
        rows: a range of step 1, or an int64 vector.
    """
    if type(dataset) is Tensor and dataset.ndim > 0:
        return take(dataset, rows)
    for kind in (TensorDataset, Subset, StackDataset):
        if isinstance(dataset, kind):
            own = type(dataset)
            is_plain = all(
                getattr(own, name, None) is getattr(kind, name, None)
                for name in ("__getitem__", "__getitems__")
            )
            return dataset._gathered(rows) if is_plain else None
    return None


def samples_of(dataset, indices):
    """What a data set gives for a list of indices."""
    if hasattr(dataset, "__getitems__"):
        return dataset.__getitems__(indices)
    return [dataset[index] for index in indices]


def items_of(dataset, indices):
    """The samples of a list of indices, one for each."""
    items = samples_of(dataset, indices)
    if len(items) != len(indices):
        raise ValueError(
            f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}: "
            f"__getitems__ of a {type(dataset).__name__} must give a sample for each index"
        )
    return items


def take(tensor, rows):
    """A copy of the rows: what changes a batch in place does not change the data set."""
    if type(rows) is not range:
        return selected(tensor, 0, rows, "index", wrap=True)
    if rows and not 0 <= rows[0] <= rows[-1] < len(tensor):
        raise IndexError(
            f"index: rows {rows.start} to {rows.stop} are out of range for a tensor of shape "
            f"{tensor.shape}"
        )
    return clone(tensor[rows.start : rows.stop])


def row_numbers(items):
    """A list of integers as an int64 vector; None if something else is among them."""
    if not all(type(item) is int or isinstance(item, np.integer) for item in items):
        return None
    try:
        return np.array(items, np.int64)
    except OverflowError:
        return None


def numbers(rows):
    """Rows as Python's integers."""
    return rows.tolist() if isinstance(rows, np.ndarray) else rows
