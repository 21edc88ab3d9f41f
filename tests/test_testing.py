"""assert_close: what is close, and what is said of the rest, as torch judges; make_tensor."""

import numpy as np
import pytest

import pyml
from pyml.testing import assert_close, make_tensor

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


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        *(("float32", -9, 9), ("float64", -9, 9), ("int64", -9, 10), ("int8", -9, 10)),
        *(("uint8", 0, 10), ("bool", 0, 2)),
    ],
)
def test_make_tensor_draws_between(dtype, low, high):
    pyml.manual_seed(0)
    made = make_tensor(40, 50, dtype=getattr(pyml, dtype))
    array = made.numpy().astype(float)
    assert made.dtype == dtype and made.shape == (40, 50)
    assert low <= array.min() and array.max() < high
    if dtype[:5] == "float":
        assert array.min() < low + 0.1 and array.max() > high - 0.1
    else:
        assert set(np.unique(array)) == set(range(low, high))


def test_make_tensor_by_option():
    pyml.manual_seed(0)
    whole = {"dtype": pyml.int64}
    assert set(make_tensor(99, low=1.5, high=3.5, **whole).tolist()) == {2, 3}
    assert set(make_tensor(99, low=0, high=2, exclude_zero=True, **whole).tolist()) == {1}
    tiny = make_tensor((99,), dtype=pyml.float32, low=0, high=1e-45, exclude_zero=True)
    assert set(tiny.tolist()) == {float(np.finfo(np.float32).tiny)}
    assert make_tensor(3, dtype=pyml.uint8, low=-5, high=1000).min() >= 0
    apart = make_tensor((4, 3), dtype=pyml.float64, noncontiguous=True, requires_grad=True)
    assert apart.shape == (4, 3) and not apart.is_contiguous()
    assert apart.requires_grad and apart.is_leaf
    assert make_tensor(1, dtype=pyml.float64, noncontiguous=True).is_contiguous()
    assert make_tensor((), device="cpu", dtype=pyml.float32).shape == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"low": 3, "high": 3}, "low is 3, it must be below high, 3"),
        ({"low": float("nan")}, "low is nan"),
        ({"dtype": pyml.int64, "requires_grad": True}, "floating point dtype, not int64"),
        ({"noncontiguous": True, "memory_format": "preserve_format"}, "exclude each other"),
    ],
)
def test_make_tensor_refuses(options, words):
    with pytest.raises(ValueError, match=words):
        make_tensor(2, **{"dtype": pyml.float32, **options})
