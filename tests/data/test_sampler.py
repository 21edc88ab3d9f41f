import sys

import numpy as np
import pytest

import pyml
from pyml.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

RANDOM = {
    "permutation": lambda g: RandomSampler(range(50), generator=g),
    "replacement": lambda g: RandomSampler(range(50), True, generator=g),
    "many": lambda g: RandomSampler(range(50), num_samples=120, generator=g),
    "subset": lambda g: SubsetRandomSampler(list(range(100, 150)), g),
    "weighted": lambda g: WeightedRandomSampler(range(50), 50, generator=g),
    "weighted without replacement": lambda g: WeightedRandomSampler(range(50), 40, False, g),
}


@pytest.mark.parametrize("name", RANDOM)
def test_the_generator_decides(name):
    generator = pyml.Generator(1)
    first = list(RANDOM[name](generator))
    assert len(first) == len(RANDOM[name](None)) and all(type(index) is int for index in first)
    assert list(RANDOM[name](generator)) != first
    assert list(RANDOM[name](generator.manual_seed(1))) == first
    pyml.manual_seed(1)
    assert list(RANDOM[name](None)) == first
    begun = iter(RANDOM[name](None))
    pyml.manual_seed(1)  # the order is drawn when the first index is asked for
    assert list(begun) == first


@pytest.mark.parametrize(("samples", "wanted"), [(3, 3), (7, 7), (15, 15), (None, 7)])
def test_permutations_follow_each_other(samples, wanted):
    order = list(RandomSampler(range(7), num_samples=samples))
    assert len(order) == wanted
    for start in range(0, wanted, 7):
        part = order[start : start + 7]
        assert len(set(part)) == len(part) and set(part) <= set(range(7))


def test_a_length_that_changes():
    data = [1, 2]
    sampler, in_order = RandomSampler(data), SequentialSampler(data)
    data.append(3)
    assert sorted(sampler) == list(in_order) == [0, 1, 2] and len(sampler) == len(in_order) == 3


@pytest.mark.parametrize("scale", [1, 1e-300, 1e307])
def test_draws_go_by_the_weights(scale):
    weights = np.array([0, 1, 0, 3, 6, 0]) * scale
    order = list(WeightedRandomSampler(weights, 20_000, generator=pyml.Generator(2)))
    shares = np.bincount(order, minlength=6) / len(order)
    np.testing.assert_allclose(shares, [0, 0.1, 0, 0.3, 0.6, 0], atol=0.015)  # 4 deviations
    firsts = [
        next(iter(WeightedRandomSampler(weights, 2, False, pyml.Generator(seed))))
        for seed in range(2000)
    ]
    shares = np.bincount(firsts, minlength=6) / len(firsts)
    np.testing.assert_allclose(shares, [0, 0.1, 0, 0.3, 0.6, 0], atol=0.045)


def test_without_replacement_each_once():
    assert sorted(WeightedRandomSampler([1, 0, 1e-9, 5], 3, replacement=False)) == [0, 2, 3]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, sys.maxsize])
@pytest.mark.parametrize(
    "sampler", [range(6), SequentialSampler(range(6)), RandomSampler(range(6)), ["a", "b"], []]
)
def test_batches(sampler, size, drop_last):
    pyml.manual_seed(4)
    order = list(sampler)
    pyml.manual_seed(4)
    batches = BatchSampler(sampler, size, drop_last)
    got = list(batches)
    wanted = [order[i : i + size] for i in range(0, len(order), size)]
    if drop_last:
        wanted = [batch for batch in wanted if len(batch) == size]
    assert got == wanted and len(batches) == len(got)
    assert all(type(index) in (int, str) for batch in got for index in batch)


def test_a_sampler_of_ones_own():
    class Odd(SequentialSampler):
        def __iter__(self):
            return iter([1, 3, 5])

    assert list(BatchSampler(Odd(range(6)), 2, False)) == [[1, 3], [5]]
    with pytest.raises(NotImplementedError, match="Sampler must have"):
        iter(Sampler())


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SequentialSampler(iter("a")), TypeError, "no __len__"),
        (lambda: RandomSampler(object()), TypeError, "data_source is a object"),
        (lambda: RandomSampler([]), ValueError, "is empty"),
        (lambda: RandomSampler("a", 1), TypeError, "replacement is 1"),
        (lambda: RandomSampler("a", num_samples=0), ValueError, "num_samples is 0"),
        (lambda: RandomSampler("a", num_samples=1.5), TypeError, "num_samples is 1.5"),
        (lambda: RandomSampler("a", generator=3), TypeError, "generator is a int"),
        (lambda: SubsetRandomSampler(3), TypeError, "indices is a int"),
        (lambda: SubsetRandomSampler([], 3), TypeError, "generator is a int"),
        (lambda: WeightedRandomSampler([1, 2], 0), ValueError, "num_samples is 0"),
        (lambda: WeightedRandomSampler([1, 2], True), TypeError, "num_samples is True"),
        (lambda: WeightedRandomSampler([1, 2], 1, None), TypeError, "replacement is None"),
        (lambda: WeightedRandomSampler([[1, 2]], 1), ValueError, r"shape \(1, 2\)"),
        (lambda: WeightedRandomSampler([1, -2], 1), ValueError, r"weights\[1\] is -2"),
        (lambda: WeightedRandomSampler([np.nan], 1), ValueError, r"weights\[0\] is nan"),
        (lambda: WeightedRandomSampler([1, np.inf], 1), ValueError, r"weights\[1\] is inf"),
        (lambda: WeightedRandomSampler([0, 0], 1), ValueError, "of 2 weights one"),
        (lambda: WeightedRandomSampler([], 1), ValueError, "of 0 weights one"),
        (lambda: WeightedRandomSampler([1, 0], 2, False), ValueError, "positive weights, 1"),
        (lambda: BatchSampler(range(3), 0, False), ValueError, "batch_size is 0"),
        (
            lambda: BatchSampler(range(3), 10**20, False),
            ValueError,
            "batch_size is 1000.*fit into int64",
        ),
        (lambda: BatchSampler(range(3), 2.5, False), TypeError, "batch_size is 2.5"),
        (lambda: BatchSampler(range(3), True, False), TypeError, "batch_size is True"),
        (lambda: BatchSampler(range(3), 2, 0), TypeError, "drop_last is 0"),
        (lambda: BatchSampler(3, 2, False), TypeError, "sampler is a int"),
    ],
)
def test_arguments_that_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
