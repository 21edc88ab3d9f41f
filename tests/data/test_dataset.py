import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    StackDataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)
from pyml.data.dataset import gathered

X = pyml.arange(24.0).reshape(6, 2, 2)
Y = pyml.arange(6)


class Numbers(IterableDataset):
    def __iter__(self):
        return iter([1, 2])


class Doubled(TensorDataset):
    def __getitem__(self, index):
        return [2 * tensor for tensor in super().__getitem__(index)]


class Asked(TensorDataset):
    def __getitems__(self, indices):
        return [self[index] for index in indices]


GATHERED = {
    "tensor": Y,
    "tensors": TensorDataset(X, Y),
    "one tensor": TensorDataset(X),
    "subset": Subset(TensorDataset(X, Y), [5, 1, -2, 0, 1]),
    "subset of a subset": Subset(Subset(TensorDataset(X), range(1, 6)), np.array([4, 0, 2, 2])),
    "stacked": StackDataset(TensorDataset(X), Y),
    "stacked by name": StackDataset(x=X, y=TensorDataset(Y)),
}


@pytest.mark.parametrize("rows", [range(0, 3), range(1, 1), np.array([3, 0, -1, 3])], ids=str)
@pytest.mark.parametrize("name", GATHERED)
def test_a_gathered_batch_is_the_collated_one(name, rows):
    dataset = GATHERED[name]
    got = gathered(dataset, rows)
    assert got is not None
    if len(rows) == 0:
        return
    assert_same_tree(got, default_collate([dataset[int(i)] for i in rows]))


def assert_same_tree(got, wanted):
    assert type(got) is type(wanted)
    if isinstance(wanted, dict):
        assert list(got) == list(wanted)
        got, wanted = list(got.values()), list(wanted.values())
    if isinstance(wanted, (list, tuple)):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert_same_tree(one, other)
    else:
        assert_same_bits(got.numpy(), wanted.numpy())


@pytest.mark.parametrize(
    "dataset", [[1, 2], Doubled(Y), Asked(Y), Subset([1, 2], [0]), Subset(Doubled(Y), [0, 1])]
)
def test_what_only_samples_tell_is_not_gathered(dataset):
    assert gathered(dataset, range(1)) is None


@pytest.mark.parametrize("rows", [range(0, 3), np.array([0, 1, 2])], ids=["slice", "gather"])
def test_a_batch_is_a_copy(rows):
    x = pyml.zeros(6)
    gathered(TensorDataset(x), rows)[0].add_(1)
    assert x.sum() == 0


@pytest.mark.parametrize("rows", [range(4, 7), range(6, 7), np.array([6])], ids=str)
def test_rows_that_are_not_there(rows):
    with pytest.raises(IndexError, match="out of range"):
        gathered(TensorDataset(Y), rows)


def test_gradients_flow_to_the_tensors_of_a_data_set():
    x = pyml.ones(4, 2, requires_grad=True)
    gathered(TensorDataset(x), np.array([1, 1]))[0].sum().backward()
    gathered(TensorDataset(x), range(0, 1))[0].sum().backward()
    assert x.grad.tolist() == [[1, 1], [2, 2], [0, 0], [0, 0]]


def test_samples():
    data = TensorDataset(X, Y)
    assert len(data) == 6 and isinstance(data[2], tuple)
    assert data[-1][1].item() == 5 and data[1:3][1].tolist() == [1, 2]
    with pytest.raises(IndexError):
        data[6]
    joined = data + TensorDataset(X[:2], Y[:2] + 10)
    assert isinstance(joined, ConcatDataset) and joined.cumulative_sizes == [6, 8]
    assert [joined[i][1].item() for i in (0, 5, 6, 7, -1, -8)] == [0, 5, 10, 11, 11, 0]
    assert [ConcatDataset([[], [1], [], [2]])[i] for i in range(2)] == [1, 2]
    for index in (8, -9):
        with pytest.raises(IndexError, match="length 8"):
            joined[index]
    assert StackDataset([1, 2], "ab")[1] == (2, "b") and len(StackDataset(a=[1, 2])) == 2
    chain = Numbers() + Numbers()
    assert isinstance(chain, ChainDataset) and list(chain) == list(chain) == [1, 2, 1, 2]


class Many(Dataset[int]):
    """The numbers from 10 on; the last of many is lacking where it shall be."""

    def __init__(self, lacking=0):
        self.lacking = lacking
        self.asked = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return 10 + index

    def __getitems__(self, indices):
        self.asked.append(indices)
        return [10 + index for index in indices][: len(indices) - self.lacking]


def test_many_samples_of_a_data_set_of_others():
    """A data set inside that has __getitems__ is asked once."""
    inner = Many()
    assert StackDataset(inner, "abcd").__getitems__([3, 0]) == [(13, "d"), (10, "a")]
    assert StackDataset(n=inner).__getitems__([1]) == [{"n": 11}]
    assert Subset(inner, [3, 2]).__getitems__([1, 0, 1]) == [12, 13, 12]
    assert Subset(range(5), [3, 2]).__getitems__([1]) == [2]
    (batch,) = DataLoader(Subset(inner, [3, 1]), 2)
    assert batch.tolist() == [13, 11]
    assert inner.asked == [[3, 0], [1], [2, 3, 2], [3, 1]]
    with pytest.raises(IndexError):
        StackDataset(inner, "abcd").__getitems__([0, 4])
    with pytest.raises(ValueError, match=r"Expected 3, got 2: __getitems__ of a Many"):
        StackDataset(Many(lacking=1), "abcd").__getitems__([0, 1, 2])


def test_type_hints():
    for kind in (Dataset, IterableDataset, ConcatDataset, Subset, DataLoader, Sampler):
        assert kind[int].__origin__ is kind
    assert issubclass(Many, Dataset)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TensorDataset(), ValueError, "at least one"),
        (lambda: TensorDataset(np.ones(3)), TypeError, r"tensor 0 is a ndarray.*as_tensor"),
        (lambda: TensorDataset(Y, pyml.tensor(1)), ValueError, "tensor 1 is 0-d"),
        (lambda: TensorDataset(X, Y[:5]), ValueError, r"\(6, 2, 2\), \(5,\)"),
        (lambda: StackDataset(), ValueError, "At least one dataset"),
        (lambda: StackDataset([1], a=[1]), ValueError, "either"),
        (lambda: StackDataset([1], [1, 2]), ValueError, r"Size mismatch between .*\[1, 2\]"),
        (lambda: StackDataset(iter([1])), TypeError, "no __len__"),
        (lambda: ConcatDataset([]), ValueError, "at least one"),
        (lambda: ConcatDataset([[1], Numbers()]), TypeError, "data set 1.*ChainDataset"),
        (lambda: ConcatDataset([Dataset()]), TypeError, "data set 0 is a Dataset.*no __len__"),
        (lambda: ChainDataset([[1]]), TypeError, "data set 0 is a list.*ConcatDataset"),
        (lambda: Subset([1], iter([0])), TypeError, "indices"),
        (
            lambda: Subset(0.5, [0]),
            TypeError,
            "Subset: dataset is a float, which has no __getitem__",
        ),
        (lambda: Subset([1], pyml.tensor(0)), TypeError, "indices is a 0-d Tensor"),
        (lambda: Dataset()[0], NotImplementedError, "Dataset must have"),
        (lambda: iter(IterableDataset()), NotImplementedError, "IterableDataset must have"),
    ],
)
def test_what_is_no_data_set(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ---- random_split --------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [[10], [7, 3], [0, 10], [0.5, 0.5], [1 / 3] * 3, [0.1] * 10])
def test_every_sample_is_in_one_part(lengths):
    parts = random_split(range(100, 110), lengths, generator=pyml.Generator(3))
    assert sorted(sample for part in parts for sample in part) == list(range(100, 110))
    again = random_split(range(100, 110), lengths, generator=pyml.Generator(3))
    assert [part.indices for part in parts] == [part.indices for part in again]
    assert all(type(index) is int for part in parts for index in part.indices)


def test_random_split_goes_by_the_default_generator():
    pyml.manual_seed(1)
    first = random_split(range(50), [25, 25])[0].indices
    assert random_split(range(50), [25, 25])[0].indices != first
    pyml.manual_seed(1)
    assert random_split(range(50), [25, 25])[0].indices == first


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([4, 5], ValueError, r"\[4, 5\] are 9 together, they must be 10"),
        ([0.5, 0.4], ValueError, "they must be 10"),
        ([], ValueError, "they must be 10"),
        ([-1, 11], ValueError, r"lengths\[0\] is -1"),
        ([float("nan"), 1], ValueError, r"lengths\[0\] is nan"),
        ([float("inf")], ValueError, r"lengths\[0\] is inf"),
        ([2.5, 7.5], TypeError, r"lengths\[0\] is 2.5"),
        (["10"], TypeError, r"lengths\[0\] is '10'"),
        ([True, 9], TypeError, r"lengths\[0\] is True"),
    ],
)
def test_lengths_that_do_not_fit(lengths, error, message):
    state = pyml.get_rng_state()
    with pytest.raises(error, match=message):
        random_split(range(10), lengths)
    assert (pyml.get_rng_state() == state).all()


def test_random_split_of_what_has_no_length():
    with pytest.raises(TypeError, match="no __len__"):
        random_split(Numbers(), [1])
    with pytest.raises(TypeError, match="generator"):
        random_split(range(3), [3], generator=3)
