"""Data sets, samplers, collate and DataLoader beside torch's: batches, types, errors."""

from collections import namedtuple
from functools import partial

import numpy as np
import pytest

import pyml
from pyml.utils import data as ours

torch = pytest.importorskip("torch")
theirs = torch.utils.data
SIDES = [(pyml, ours), (torch, theirs)]
Point = namedtuple("Point", "x y")


def plain(value):
    """A tree in which the tensors of both are one kind of thing, with dtype, shape and values."""
    if isinstance(value, (pyml.Tensor, torch.Tensor)):
        array = value.numpy()
        return "tensor", array.dtype.str, array.shape, array.tolist()
    if isinstance(value, dict):
        return type(value), [(key, plain(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tolist()
    return type(value), value


def same(make, raises=False):
    """make(torch or pyml, its utils.data) gives the same tree for both; or raises, for both."""
    results = []
    for module, names in SIDES:
        try:
            results.append(plain(make(module, names)))
        except (TypeError, ValueError, RuntimeError, IndexError):
            results.append("raised")
    assert results[0] == results[1]
    assert (results[0] == "raised") == raises


SAMPLES = {
    "tensors": lambda t: [t.ones(2), t.zeros(2)],
    "tensors of no dimension": lambda t: [t.tensor(1), t.tensor(2)],
    "arrays": lambda t: [np.ones((2, 1)), np.zeros((2, 1))],
    "float32 arrays": lambda t: [np.ones(2, np.float32)] * 2,
    "int8 arrays": lambda t: [np.array([1], np.int8)] * 2,
    "bool arrays": lambda t: [np.array([True, False])] * 2,
    "scalars of NumPy": lambda t: [np.float32(1.5), np.float32(2.5)],
    "integers of NumPy": lambda t: [np.int64(1), np.int64(2)],
    "ints": lambda t: [1, 2, 3],
    "floats": lambda t: [0.1, 2.0],
    "bools": lambda t: [True, False],
    "text": lambda t: ["a", "b"],
    "bytes": lambda t: [b"a", b"b"],
    "pairs": lambda t: [(t.ones(2), 0), (t.zeros(2), 1)],
    "lists": lambda t: [[t.ones(2), 0.5, "a"], [t.zeros(2), 1.5, "b"]],
    "dicts": lambda t: [{"x": t.ones(2), "y": 0}, {"x": t.zeros(2), "y": 1}],
    "named tuples": lambda t: [Point(1, 2.0), Point(3, 4.0)],
    "nested": lambda t: [
        {"a": [t.ones(1), {"b": (i, f"{i}")}], "c": Point(np.ones(2), (i,))} for i in range(3)
    ],
    "empty tuples": lambda t: [(), ()],
    "one": lambda t: [t.ones(3)],
    "unequal shapes": lambda t: [t.ones(2), t.ones(3)],
    "unequal lengths": lambda t: [[1, 2], [1]],
    "objects": lambda t: [object(), object()],
    "None": lambda t: [None, None],
    "nothing": lambda t: [],
}
REFUSED = {"unequal shapes", "unequal lengths", "objects", "None", "nothing"}


@pytest.mark.parametrize("name", SAMPLES)
def test_default_collate(name):
    make = SAMPLES[name]
    same(lambda module, names: names.default_collate(make(module)), raises=name in REFUSED)


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_default_convert(make):
    def kept(module, names):
        samples = make(module)
        return [item for item in names.default_convert(samples) if type(item) is not object]

    same(kept)


def table(module, names, n=11):
    x = module.arange(2.0 * n, dtype=module.float32).reshape(n, 2)
    return names.TensorDataset(x, module.arange(n))


class Words:
    """A data set of nested samples."""

    def __len__(self):
        return 7

    def __getitem__(self, i):
        return {"word": "abcdefg"[i], "row": np.full(3, i, np.float32), "pair": (i, [float(i)])}


DATASETS = {
    "TensorDataset": table,
    "of Python": lambda module, names: Words(),
    "a list": lambda module, names: list(range(10)),
    "a tensor": lambda module, names: module.arange(12).reshape(6, 2),
    "Subset": lambda module, names: names.Subset(table(module, names), [9, 0, 3, 3, 10]),
    "ConcatDataset": lambda module, names: names.ConcatDataset(
        [table(module, names, 4), table(module, names, 3)]
    ),
    "StackDataset": lambda module, names: names.StackDataset(
        words=Words(), rows=table(module, names, 7)
    ),
    "StackDataset of places": lambda module, names: names.StackDataset(
        table(module, names, 5), list(range(5))
    ),
}
BATCHES = [
    {},
    {"batch_size": 4},
    {"batch_size": 4, "drop_last": True},
    {"batch_size": 100},
    {"batch_size": 100, "drop_last": True},
    {"batch_size": None},
    {"batch_size": 2, "sampler": [3, 1, 1]},
    {"batch_sampler": [[0, 1, 2], [4], [3, 3]]},
    {"batch_size": 3, "collate_fn": list},
]


@pytest.mark.parametrize("options", BATCHES, ids=lambda o: "-".join(map(str, o.values())) or "1")
@pytest.mark.parametrize("make", DATASETS.values(), ids=DATASETS)
def test_batches(make, options):
    if options.get("collate_fn") is list:
        options = {**options, "collate_fn": lambda batch: [plain(sample) for sample in batch]}

    def read(module, names):
        loader = names.DataLoader(make(module, names), **options)
        return [list(loader), len(loader), list(loader)]

    same(read)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_iterable(batch_size, drop_last):
    def read(module, names):
        class Numbers(names.IterableDataset):
            def __iter__(self):
                return iter([(i, module.full((2,), float(i))) for i in range(7)])

        options = {"drop_last": drop_last} if batch_size else {}
        return list(names.DataLoader(Numbers(), batch_size=batch_size, **options))

    same(read)


def test_chain():
    def read(module, names):
        class Numbers(names.IterableDataset):
            def __init__(self, n):
                self.n = n

            def __iter__(self):
                return iter(range(self.n))

        return list(names.DataLoader(Numbers(3) + Numbers(2), batch_size=2))

    same(read)


def distributed(rank, drop_last, names):
    return names.DistributedSampler(range(7), 3, rank, shuffle=False, drop_last=drop_last)


SAMPLERS = {
    "SequentialSampler": lambda names: names.SequentialSampler(range(5)),
    "BatchSampler": lambda names: names.BatchSampler(range(5), 2, False),
    "BatchSampler drop_last": lambda names: names.BatchSampler(range(5), 2, True),
    **{
        f"DistributedSampler {rank} {drop_last}": partial(distributed, rank, drop_last)
        for rank in range(3)
        for drop_last in (False, True)
    },
    "BatchSampler even": lambda names: names.BatchSampler([7, 5, 3, 1], 2, True),
}


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_samplers(make):
    same(lambda module, names: [list(make(names)), len(make(names))])


RANDOM = {  # what is the same whatever the random numbers are
    "RandomSampler": lambda names: names.RandomSampler(range(9)),
    "RandomSampler num_samples": lambda names: names.RandomSampler(range(4), num_samples=8),
    "SubsetRandomSampler": lambda names: names.SubsetRandomSampler([4, 2, 8]),
    "WeightedRandomSampler": lambda names: names.WeightedRandomSampler([1.0, 0, 2.0], 2, False),
    "WeightedRandomSampler one": lambda names: names.WeightedRandomSampler([0, 0.0, 2.0], 5, True),
    "random_split": lambda names: [
        i for part in names.random_split(range(7), [4, 3]) for i in part
    ],
    "shuffle": lambda names: names.DataLoader(list(range(6)), batch_size=None, shuffle=True),
}


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_random_orders(make):
    same(lambda module, names: [sorted(map(int, make(names))), len(make(names))])


@pytest.mark.parametrize(
    "lengths",
    [[0.5, 0.5], [0.3, 0.3, 0.4], [1.0], [0.1] * 10, [11], [6, 5], [5, 5], [0.5, 0.6]],
    ids=str,
)
def test_random_split_lengths(lengths):
    same(
        lambda m, names: [len(part) for part in names.random_split(range(11), lengths)],
        raises=sum(lengths) not in (11, pytest.approx(1)),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"batch_size": -1},
        {"batch_size": 2.5},
        {"shuffle": True, "sampler": [0]},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_sampler": [[0]], "shuffle": True},
        {"batch_sampler": [[0]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
    ],
    ids=str,
)
def test_what_is_refused(options):
    same(lambda module, names: len(names.DataLoader(range(4), **options)), raises=True)
