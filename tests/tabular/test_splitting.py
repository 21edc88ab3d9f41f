"""Every row is in one part; how the parts are made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyml.tabular import Table, given_split, published_split, split

N = 500
RNG = np.random.default_rng(0)


def whole(parts, rows):
    together = np.sort(np.concatenate(parts[:3]))
    np.testing.assert_array_equal(together, np.arange(rows))
    for part in parts[:3]:
        assert part.dtype == np.int64 and (np.diff(part) > 0).all()


@given(
    rows=st.integers(1, 60),
    validation=st.floats(0, 0.5),
    test=st.floats(0, 0.49),
    seed=st.integers(0, 2**64 - 1),
    way=st.sampled_from([None, "stratify", "groups", "time"]),
)
def test_every_row_is_in_one_part(rows, validation, test, seed, way):
    values = np.random.default_rng(seed % 1000).integers(0, 6, rows)
    column = {} if way is None else {way: "c"}
    try:
        parts = split(Table({"c": values}), validation=validation, test=test, seed=seed, **column)
    except ValueError as error:
        assert "none is left to train on; validation and test are" in str(error)
        return
    whole(parts, rows)
    train, validated, tested = (set(values[part].tolist()) for part in parts[:3])
    if way == "groups":
        assert not (train & validated or train & tested or validated & tested)
    if way == "time":
        order = [*map(max, (p for p in (train, validated) if p))]
        ends = [*map(min, (p for p in (validated, tested) if p))]
        assert all(last < first for last, first in zip(order, ends, strict=False) if train)


def test_shares_and_seeds():
    table = Table({"c": np.arange(N)})
    parts = split(table)
    assert [len(part) for part in parts[:3]] == [320, 80, 100]
    assert parts.how == "at random, seed 0"
    again, other = split(table), split(table, seed=1)
    assert parts.test.tolist() == again.test.tolist() != other.test.tolist()
    assert split(table, validation=0, test=0).train.tolist() == list(range(N))
    assert split(range(10), validation=0.5, test=0).how == "at random, seed 0"


def test_classes_have_one_share():
    y = np.array(["common"] * 450 + ["rare"] * 49 + ["once"], object)
    parts = split(Table({"y": y}), stratify="y", validation=0.2, test=0.2, seed=3)
    whole(parts, N)
    for part, rare in zip(parts[:3], (29, 10, 10), strict=True):
        assert (y[part] == "rare").sum() == rare
    assert "once" in y[parts.train]
    assert parts.how == "at random, by class, seed 3"
    assert split(Table({"y": y}), stratify=y, seed=3)[2].tolist() == (
        split(Table({"y": y}), stratify="y", seed=3)[2].tolist()
    )
    whole(split(Table({"y": [None, "a"] * 20}), stratify="y"), 40)


def test_rare_classes_are_held_out_together():
    """None is left without a row to train on."""
    y = np.arange(400) // 2  # 200 classes of two rows
    parts = split(Table({"y": y}), stratify="y", validation=0.2, test=0.2, seed=1)
    whole(parts, 400)
    assert len(parts.test) == 80 and 50 <= len(parts.validation) <= 80
    assert set(y[parts.train]) == set(y)
    assert len(set(y[parts.test])) == 80 and (parts.test % 2).any() and (parts.test % 2 == 0).any()
    other = split(Table({"y": y}), stratify="y", validation=0.2, test=0.2, seed=2)
    assert other.test.tolist() != parts.test.tolist()
    mixed = np.concatenate([y[:40], [999] * 100])
    parts = split(Table({"y": mixed}), stratify="y", validation=0, test=0.2)
    assert (mixed[parts.test] == 999).sum() == 20 and len(parts.test) == 28


def test_the_future_is_tested():
    days = np.datetime64("2020-01-01") + RNG.permutation(N)
    for column in (
        days,
        [day.astype(object).strftime("%d.%m.%Y") for day in days],
        days.astype(int),
    ):
        parts = split(Table({"t": column}), time="t")
        whole(parts, N)
        assert days[parts.train].max() < days[parts.validation].min()
        assert days[parts.validation].max() < days[parts.test].min()
        assert [len(part) for part in parts[:3]] == [320, 80, 100]
    assert parts.how == "by time of t"


def test_published_splits_are_those_of_the_papers():
    """Their rows, by the sums of the numbers that sklearn's train_test_split gives."""
    parts = published_split(20_640)
    assert [len(part) for part in parts[:3]] == [13_209, 3_303, 4_128]
    whole_rows = np.sort(np.concatenate(parts[:3]))
    np.testing.assert_array_equal(whole_rows, np.arange(20_640))
    selection = pytest.importorskip("sklearn.model_selection")
    others, test = selection.train_test_split(np.arange(20_640), test_size=0.2, random_state=0)
    train, validation = selection.train_test_split(others, test_size=0.2, random_state=1)
    for ours, theirs in zip(parts[:3], (train, validation, test), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_given_rows():
    parts = given_split(5, train=[4, 0], validation=[1], test=np.array([0, 0, 1, 1, 0], bool))
    assert [part.tolist() for part in parts[:3]] == [[4, 0], [1], [2, 3]]
    assert parts.how == "as given"


TABLE = Table({"g": [1, 2, None] * 3, "d": ["x", "y", "z"] * 3})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: split(TABLE, test=1), ValueError, "test is 1"),
        (lambda: split(TABLE, test=float("nan")), ValueError, "test is nan"),
        (lambda: split(TABLE, validation=-0.1), ValueError, "validation is -0.1"),
        (lambda: split(TABLE, validation="x"), TypeError, "validation is 'x'"),
        (lambda: split(TABLE, validation=0.5, test=0.5), ValueError, "together they must be below"),
        (lambda: split(TABLE, groups="d", time="d"), ValueError, "groups and time are given"),
        (lambda: split(TABLE, groups="gg"), ValueError, "did you mean 'g'"),
        (lambda: split(TABLE, groups="g"), ValueError, "groups of g is missing in row 2"),
        (lambda: split(TABLE, groups=[1, 2]), ValueError, "groups has 2 values, there are 9"),
        (lambda: split(TABLE, time="d"), ValueError, "time is text that is no date, as 'x'"),
        (lambda: split(TABLE.take([])), ValueError, "of 0 rows none is left"),
        (lambda: given_split(3, [0, 3]), ValueError, r"train\[1\] is 3, rows are 0 to 2"),
        (lambda: given_split(3, [-1]), ValueError, r"train\[0\] is -1"),
        (lambda: given_split(3, [0, 1], test=[1]), ValueError, "row 1 is there twice"),
        (lambda: given_split(3, []), ValueError, "train has no rows"),
        (lambda: given_split(3, [0.5]), ValueError, "dtype float64"),
        (lambda: given_split(3, np.array([True])), ValueError, r"train has shape \(1,\)"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
