"""DataLoader without workers; test_pool.py has those."""

import copy
import pickle
import sys

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from helpers.ids import without_addresses
from pyml.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    get_worker_info,
    random_split,
)

X, Y = pyml.arange(22.0).reshape(11, 2), pyml.arange(11)
DATA = TensorDataset(X, Y)


class Slowly(Dataset):
    """The samples of DATA, which only it itself can tell."""

    def __len__(self):
        return len(DATA)

    def __getitem__(self, index):
        assert type(index) is int
        return DATA[index]


class Together(Slowly):
    def __getitems__(self, indices):
        assert type(indices) is list and all(type(index) is int for index in indices)
        return [DATA[index] for index in indices]


class Numbers(IterableDataset):
    def __init__(self, size=5):
        self.size = size

    def __iter__(self):
        return iter(range(self.size))


class SizedNumbers(Numbers):
    def __len__(self):
        return self.size


ORDERS = {
    "in order": {},
    "shuffled": {"shuffle": True},
    "of a generator": {"shuffle": True, "generator": pyml.Generator(3)},
    "sampler": {"sampler": [3, 1, 10, 0]},
    "generator function": {"sampler": SubsetRandomSampler([9, 2, 5, 4])},
    "replacement": {"sampler": RandomSampler(DATA, replacement=True, num_samples=20)},
    "batches": {"batch_sampler": [[1], [5, 2, -1], (0, 3), range(2, 9, 3), range(-2, 1)]},
    "arrays": {"batch_sampler": [np.array([4, 2]), np.array([1], np.uint8)]},
    "batch sampler": {"batch_sampler": BatchSampler(SequentialSampler(DATA), 4, True)},
}


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 4, 11, 12])
@pytest.mark.parametrize("name", ORDERS)
def test_many_rows_at_once_are_the_samples_one_by_one(name, batch_size, drop_last):
    options = dict(ORDERS[name])
    if "batch_sampler" not in options:
        options |= {"batch_size": batch_size, "drop_last": drop_last}
    batches = []
    for dataset in (DATA, Slowly(), Together()):
        if "generator" in options:
            options["generator"].manual_seed(3)
        pyml.manual_seed(2)
        loader = DataLoader(dataset, **options)
        batches.append(list(loader))
        assert len(batches[-1]) == len(loader)
    for one, *others in zip(*batches, strict=True):
        for other in others:
            assert type(one) is type(other) is list
            for a, b in zip(one, other, strict=True):
                assert_same_bits(a.numpy(), b.numpy())


def test_a_split_is_read_by_its_rows():
    part, _ = random_split(DATA, [6, 5])
    got = [y.tolist() for _, y in DataLoader(part, 4)]
    assert got == [part.indices[:4], part.indices[4:]]
    assert [y.tolist() for y in DataLoader(Y, 6)] == [list(range(6)), list(range(6, 11))]
    named = next(iter(DataLoader(StackDataset(x=X, y=Subset(Y, range(11))), 2)))
    assert named["x"].shape == (2, 2) and named["y"].tolist() == [0, 1]


def test_the_seed_decides_the_order():
    def order(loader):
        return [i for (batch,) in loader for i in batch.tolist()]

    data = TensorDataset(pyml.arange(40))
    loader = DataLoader(data, 7, shuffle=True)
    pyml.manual_seed(5)
    first, second = order(loader), order(loader)
    assert first != second and sorted(first) == sorted(second) == list(range(40))
    pyml.manual_seed(5)
    assert [order(loader), order(loader)] == [first, second]
    own = DataLoader(data, 7, shuffle=True, generator=pyml.Generator(5))
    state = pyml.get_rng_state()
    assert [order(own), order(own)] == [first, second]
    assert (pyml.get_rng_state() == state).all()


def test_without_batches():
    assert [y for _, y in DataLoader(DATA, None)] == list(range(11))
    chosen = DataLoader(DATA, batch_size=None, sampler=[[1, 2], [3]])
    assert [y.tolist() for _, y in chosen] == [[1, 2], [3]] and len(chosen) == 2
    assert len(DataLoader(DATA, batch_size=None, shuffle=True)) == 11
    assert list(DataLoader(["a", "b"], batch_size=None)) == ["a", "b"]
    arrays = DataLoader([np.ones(2)], batch_size=None)
    assert [type(x) for x in arrays] == [pyml.Tensor]
    assert list(DataLoader(Numbers(), batch_size=None, collate_fn=lambda x: -x)) == [
        0,
        *range(-1, -5, -1),
    ]


@pytest.mark.parametrize(("drop_last", "wanted"), [(False, [2, 2, 1]), (True, [2, 2])])
def test_iterable(drop_last, wanted):
    loader = DataLoader(SizedNumbers(), batch_size=2, drop_last=drop_last)
    for _ in range(2):
        assert [len(batch) for batch in loader] == wanted
    assert len(loader) == len(wanted)
    assert len(DataLoader(SizedNumbers(), batch_size=None)) == 5
    with pytest.raises(TypeError):
        len(DataLoader(Numbers()))
    assert list(DataLoader(Numbers(0))) == []


def test_collate_fn_gets_the_samples():
    assert list(DataLoader("abcde", 2, collate_fn="".join)) == ["ab", "cd", "e"]
    keyed = DataLoader({"a": 1, "b": 2}, sampler=["b", "a"], batch_size=2)
    assert [batch.tolist() for batch in keyed] == [[2, 1]]
    assert [b.tolist() for b in DataLoader([5, 6], sampler=[True, False])] == [[6], [5]]


def test_no_samples():
    empty = TensorDataset(pyml.zeros(0, 2))
    assert list(DataLoader(empty)) == [] and len(DataLoader(empty)) == 0
    with pytest.raises(ValueError, match="data_source is empty"):
        DataLoader(empty, shuffle=True)


def test_the_options_are_its_attributes():
    loader = DataLoader(DATA, 4, pin_memory=True, num_workers=1)
    assert (loader.batch_size, loader.pin_memory, loader.prefetch_factor) == (4, True, 2)
    assert isinstance(loader.sampler, SequentialSampler) and loader.dataset is DATA
    for name in ("batch_size", "dataset", "sampler", "batch_sampler", "drop_last"):
        with pytest.raises(ValueError, match=f"{name} cannot be changed"):
            setattr(loader, name, None)
    assert loader.batch_size == 4
    loader.num_workers = 0
    assert len(list(loader)) == 3
    for twin in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
        assert [y.tolist() for _, y in twin] == [y.tolist() for _, y in loader]


def test_an_error_of_the_data_set_is_raised():
    class Broken(Slowly):
        def __getitem__(self, index):
            raise KeyError("sample")

    with pytest.raises(KeyError, match="sample"):
        next(iter(DataLoader(Broken())))
    with pytest.raises(RuntimeError, match="a data set raised StopIteration"):
        next(iter(DataLoader([1], collate_fn=lambda samples: next(iter([])))))
    with pytest.raises(IndexError, match="out of range"):
        list(DataLoader(DATA, sampler=[11]))
    with pytest.raises(IndexError, match="out of range"):
        list(DataLoader(DATA, sampler=range(12), batch_size=12))


@pytest.mark.parametrize("workers", [0, 1])
def test_after_an_error_comes_the_next_batch(workers):
    class Holed(Dataset):
        def __len__(self):
            return 7

        def __getitem__(self, index):
            if index in (2, 6):
                raise KeyError(index)
            return index

    batches, holes = iter(DataLoader(Holed(), 2, num_workers=workers)), []
    read = []
    while True:
        try:
            for batch in batches:
                read.append(batch.tolist())
        except KeyError as error:
            holes += error.args
        else:
            break
    assert (read, holes) == ([[0, 1], [4, 5]], [2, 6])


@pytest.mark.parametrize("workers", [0, 2])
def test_more_samples_than_was_told(workers):
    """Told of by each that is too much, once the length was asked for."""
    loader = DataLoader(TooMany(3), None, num_workers=workers)
    assert len(list(loader)) == 4 * max(workers, 1)
    assert len(loader) == 3
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    for count in range(4, 4 * max(workers, 1) + 1):
        with pytest.warns(UserWarning, match=f"to be 3, but {count} samples have been fetched"):
            next(batches)
    assert list(batches) == []


class TooMany(SizedNumbers):
    def __iter__(self):
        return iter(range(self.size + 1))


def test_more_workers_than_processors():
    with pytest.warns(UserWarning, match="will create 9999 worker .* slow or even freeze"):
        DataLoader(DATA, num_workers=9999)


REFUSED = [
    ({"batch_size": 0}, ValueError, "batch_size is 0, it must be 1 or more"),
    ({"batch_size": -1}, ValueError, "batch_size is -1"),
    ({"batch_size": 2.5}, TypeError, "batch_size is 2.5, it must be an integer"),
    ({"batch_size": "4"}, TypeError, "batch_size is '4'"),
    ({"batch_size": True}, TypeError, "batch_size is True"),
    ({"batch_size": sys.maxsize + 1}, ValueError, "fit into int64"),
    ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None.*drop_last"),
    ({"shuffle": 1}, TypeError, "shuffle is 1"),
    ({"shuffle": 3, "sampler": [1]}, ValueError, "sampler option is mutually exclusive with sh"),
    ({"shuffle": 3, "dataset": Numbers()}, ValueError, "IterableDataset: expected unspecified sh"),
    ({"batch_sampler": [[1]], "drop_last": 3}, ValueError, "batch_sampler option is mutually ex"),
    ({"shuffle": True, "sampler": [1]}, ValueError, "with sampler there can be no shuffle"),
    ({"sampler": 3}, TypeError, "sampler is a int, it must be iterable"),
    ({"batch_sampler": 3}, TypeError, "batch_sampler is a int"),
    ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "no batch_size"),
    ({"batch_sampler": [[1]], "batch_size": None}, ValueError, "no batch_size"),
    ({"batch_sampler": [[1]], "shuffle": True}, ValueError, "no shuffle"),
    ({"batch_sampler": [[1]], "sampler": [1], "drop_last": True}, ValueError, "sampler, drop_last"),
    ({"drop_last": None}, TypeError, "drop_last is None"),
    ({"num_workers": -1}, ValueError, "num_workers is -1, it must be 0 or more"),
    ({"num_workers": 1.0}, TypeError, "num_workers is 1.0"),
    ({"collate_fn": 3}, TypeError, "collate_fn is a int, it must be a function"),
    ({"worker_init_fn": 3}, TypeError, "worker_init_fn is a int"),
    ({"timeout": -1}, ValueError, "timeout is -1"),
    ({"timeout": "1"}, TypeError, "timeout is '1'"),
    ({"generator": 3}, TypeError, "generator is a int, it must be a Generator"),
    ({"prefetch_factor": 2}, ValueError, "prefetch_factor is for workers"),
    ({"prefetch_factor": 0, "num_workers": 1}, ValueError, "prefetch_factor is 0"),
    ({"persistent_workers": True}, ValueError, "persistent_workers is for workers"),
    ({"persistent_workers": 1, "num_workers": 1}, TypeError, "persistent_workers is 1"),
    ({"multiprocessing_context": "fork"}, ValueError, "multiprocessing_context is for workers"),
    ({"multiprocessing_context": "x", "num_workers": 1}, ValueError, "multiprocessing_context"),
    ({"multiprocessing_context": 3, "num_workers": 1}, TypeError, "multiprocessing_context"),
    ({"in_order": 0}, TypeError, "in_order is 0"),
    ({"dataset": 3}, TypeError, "dataset is a int, which has no __getitem__"),
    ({"dataset": Dataset()}, TypeError, "dataset is a Dataset, which has no __len__"),
    ({"dataset": Dataset(), "shuffle": True}, TypeError, "dataset is a Dataset.*no __len__"),
    ({"dataset": Numbers(), "shuffle": True}, ValueError, "no shuffle"),
    ({"dataset": Numbers(), "sampler": [1]}, ValueError, "no sampler"),
    ({"dataset": Numbers(), "batch_sampler": [[1]]}, ValueError, "no batch_sampler"),
]


@pytest.mark.parametrize(
    ("options", "error", "message"), REFUSED, ids=lambda x: without_addresses(x)[:60]
)
def test_arguments_that_are_refused(options, error, message):
    state = pyml.get_rng_state()
    with pytest.raises(error, match=message):
        DataLoader(**{"dataset": DATA, **options})
    assert (pyml.get_rng_state() == state).all()


def test_a_data_set_without_a_length_and_a_sampler():
    class Endless(Dataset):
        def __getitem__(self, index):
            return index

    loader = DataLoader(Endless(), sampler=[7, 9], batch_size=2)
    assert [batch.tolist() for batch in loader] == [[7, 9]]


def test_this_process_is_no_worker():
    assert get_worker_info() is None
