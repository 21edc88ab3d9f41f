"""assert_close: what is close, and what is said of the rest; parity has torch's judgement."""

import numpy as np
import pytest

import pyml
from pyml.testing import assert_close

ONES = pyml.ones(2)

CLOSE = [
    ((1.0, None, [ONES, {"a": (3,)}]), (1.0 + 9e-8, None, [ONES + 1.1e-5, {"a": (3,)}]), {}),
    (ONES, ONES.double(), {"check_dtype": False}),
    (1, 1.0, {"check_dtype": False}),
    (np.ones(2, np.float32), np.ones(2, np.float32), {}),
    (pyml.tensor([np.inf, np.nan]), pyml.tensor([np.inf, np.nan]), {"equal_nan": True}),
    (pyml.tensor([2**62, 2**62]), pyml.tensor([2**62, 2**62]), {}),
    (ONES, ONES * 1.5, {"rtol": 0.5, "atol": 0}),
    (pyml.empty(0, 3), pyml.empty(0, 3), {}),
]

APART = [
    (ONES, pyml.ones(3), {}, AssertionError, r"the shape \(2,\) is not \(3,\)$"),
    (ONES, ONES.double(), {}, AssertionError, "the dtype float32 is not float64"),
    (1, 1.0, {}, AssertionError, "the type int is not float"),
    ([ONES], [ONES, ONES], {}, AssertionError, "the length 1 is not 2"),
    ({"a": [1]}, {"b": [1]}, {}, AssertionError, r"the keys \['a'\] are not \['b'\]"),
    (
        {"a": [0, pyml.eye(2)]},
        {"a": [0, pyml.tensor([[1.0, 1e-3], [0.0, 2.0]])]},
        {},
        AssertionError,
        r"2 of 4 elements are not close at \['a'\]\[1\], the first at \(0, 1\): 0.0 is not 0.001",
    ),
    (1.0, 1.0 + 3e-7, {}, AssertionError, r"1 of 1 elements are not close, the first: 1.0 is not"),
    (ONES, ONES * np.nan, {}, AssertionError, "1.0 is not nan"),
    (ONES * np.nan, ONES * np.nan, {}, AssertionError, "nan is not nan"),
    (ONES * np.inf, -ONES * np.inf, {}, AssertionError, "inf is not -inf"),
    (ONES * 3, ONES * np.inf, {"rtol": 1, "atol": 1}, AssertionError, "3.0 is not inf"),
    (pyml.tensor(2**62), pyml.tensor(2**62 + 1), {}, AssertionError, r"4611686018427387904 is not"),
    (pyml.eye(2), pyml.eye(2).t(), {"check_stride": True}, AssertionError, "the strides"),
    (1, 2, {"msg": "mine"}, AssertionError, "^mine$"),
    (1, 2, {"msg": lambda found: f"mine: {found}"}, AssertionError, "^mine: 1 of 1"),
    (ONES, [1.0, 1.0], {}, TypeError, "a Tensor and a list cannot be compared"),
    (ONES, 1.0, {}, TypeError, "a Tensor and a float"),
    ([1, "a"], [1, "a"], {}, TypeError, r"a str and a str at \[1\] cannot"),
    (None, 0, {}, AssertionError, "None is not 0"),
    (ONES, np.ones(2, np.float32), {}, TypeError, "a Tensor and a ndarray cannot be"),
    (pyml.nn.Parameter(ONES), ONES, {"allow_subclasses": False}, TypeError, "of two types"),
    (1, 1, {"rtol": 1}, ValueError, "give both or none"),
]


@pytest.mark.parametrize(("actual", "expected", "options"), CLOSE)
def test_close(actual, expected, options):
    assert_close(actual, expected, **options)
    assert_close(expected, actual, **options)


@pytest.mark.parametrize(("actual", "expected", "options", "error", "message"), APART)
def test_apart(actual, expected, options, error, message):
    with pytest.raises(error, match=message):
        assert_close(actual, expected, **options)


def test_in_a_recorded_step():
    with pytest.raises(pyml.RecordError, match="assert_close"):
        pyml.record(lambda x: pyml.testing.assert_close(x, x))(ONES)
