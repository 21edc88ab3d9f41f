from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import pyml
from pyml.data import default_collate, default_convert
from pyml.errors import ArgumentError

Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("batch", "dtype", "values"),
    [
        ([1.5, 2.0], "float64", [1.5, 2.0]),
        ([1, 2], "int64", [1, 2]),
        ([True, False], "bool", [True, False]),
        ([np.float32(1), np.float32(2)], "float32", [1, 2]),
        ([np.array(3), np.array(4)], "int64", [3, 4]),
        ([np.ones(2, np.uint8)], "uint8", [[1, 1]]),
        ([pyml.ones(2), pyml.zeros(2)], "float32", [[1, 1], [0, 0]]),
        ([pyml.tensor(1)], "int64", [1]),
    ],
)
def test_numbers_and_arrays(batch, dtype, values):
    got = default_collate(batch)
    assert got.dtype == dtype and got.tolist() == values


def test_trees():
    batch = [
        {"a": (1, "p"), "b": [2.0, Pair(pyml.ones(1), np.zeros(2))]},
        {"b": [3.0, Pair(pyml.zeros(1), np.ones(2))], "a": (4, "q")},
    ]
    got = default_collate(batch)
    assert type(got["a"]) is list and got["a"][0].tolist() == [1, 4] and got["a"][1] == ("p", "q")
    assert type(got["b"][1]) is Pair and got["b"][1].y.shape == (2, 2)
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict
    assert default_collate([b"a", b"b"]) == [b"a", b"b"]
    assert default_collate([(), ()]) == []


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ([], ArgumentError, "at least one sample"),
        ([pyml.ones(2), pyml.ones(3)], ArgumentError, r"\(2,\), \(3,\).*collate_fn"),
        ([(1, 2), (1,)], ArgumentError, "sample 1 is not of length 2"),
        ([(1, 2), 3], ArgumentError, "sample 1 is not of length 2"),
        ([{"a": 1}, {"b": 1}], ArgumentError, r"sample 1 is not a dict of the keys \['a'\]"),
        ([object()], TypeError, "a sample is a object"),
        ([None], TypeError, "a sample is a NoneType"),
        ([np.array(["a"])], TypeError, "a sample is a ndarray"),
    ],
)
def test_what_makes_no_batch(batch, error, message):
    with pytest.raises(error, match=message):
        default_collate(batch)


def test_convert():
    names = np.array(["a"])
    got = default_convert([np.ones(1), (np.int64(3), "a", 2.0), names, None])
    assert got[0].tolist() == [1] and got[1][0].dtype == pyml.int64
    assert type(got[1]) is list and got[1][1:] == ["a", 2.0]
    assert got[2] is names and got[3] is None
    assert type(default_convert(Pair(np.ones(1), 2))) is Pair
