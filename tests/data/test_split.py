import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyml.data import stratified_split


@given(
    labels=st.lists(st.integers(0, 4), max_size=200),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
)
def test_every_row_is_in_one_part_and_each_class_is_divided(labels, fraction, seed):
    labels = np.array(labels, np.int64)
    rest, part = stratified_split(labels, fraction, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, part])), np.arange(len(labels)))
    for rows in (rest, part):
        assert (np.diff(rows) > 0).all()
    for label in np.unique(labels):
        assert (labels[part] == label).sum() == round(fraction * (labels == label).sum())


def test_the_seed_decides():
    labels = np.zeros(1000, np.int64)
    first, again, other = (stratified_split(labels, 0.5, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match="fraction"):
        stratified_split(np.zeros(3), fraction, 0)


def test_labels_of_two_dimensions():
    with pytest.raises(ValueError, match=r"labels has shape \(3, 1\)"):
        stratified_split(np.zeros((3, 1)), 0.5, 0)


def test_labels_that_are_nan():
    with pytest.raises(ValueError, match=r"labels\[1\] is NaN, which is no class"):
        stratified_split([0.0, np.nan, 1.0], 0.5, 0)
