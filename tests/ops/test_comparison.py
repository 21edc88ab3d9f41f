"""Comparison, logic and bits."""

import operator

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from ops.cases import DTYPES


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons(name):
    a, b = np.array([[1.0, 2, np.nan]]), np.array([[2.0], [1]])
    x, y = pyml.tensor(a, requires_grad=True), pyml.tensor(b)
    wanted = getattr(operator, name)(a, b)
    for got in (getattr(operator, name)(x, y), getattr(x, name)(y), getattr(pyml, name)(x, y)):
        assert got.dtype == pyml.bool and not got.requires_grad
        assert_same_bits(got.numpy(), wanted)


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_comparisons_of_every_dtype(name, dtype):
    dtype, rng = np.dtype(dtype), np.random.default_rng(0)
    if dtype.kind == "f":
        info = np.finfo(dtype)
        some = [0, -0.0, info.smallest_subnormal, -info.tiny / 4, 1, np.inf, -np.inf, np.nan]
    elif dtype.kind == "b":
        some = [False, True]
    else:
        some = [np.iinfo(dtype).min, 0, 1, np.iinfo(dtype).max]
    some = np.array(some, dtype)
    a, b, row = (some[rng.integers(len(some), size=shape)] for shape in [(20, 30), (20, 30), 30])
    for other in (b, row, b.T.copy().T, some[-1, ...]):
        got = getattr(pyml, name)(pyml.from_numpy(a), pyml.from_numpy(other)).numpy()
        assert got.dtype == bool
        np.testing.assert_array_equal(got, getattr(operator, name)(a, other))


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_logic_of_every_dtype(name, dtype):
    a = np.array([[0, 0, 1, 1], [3, 0, 5, 0]]).astype(dtype)
    for b in (a[::-1], a[0], a[:, :1], a.T.copy().T):
        got = getattr(pyml, name)(pyml.from_numpy(a), pyml.from_numpy(b)).numpy()
        np.testing.assert_array_equal(got, getattr(np, name)(a, b), strict=True)
    got = pyml.logical_not(pyml.from_numpy(a.T)).numpy()
    np.testing.assert_array_equal(got, np.logical_not(a.T), strict=True)


def test_logic_and_classes():
    a, b = pyml.tensor([0.0, 0, 2, np.nan]), pyml.tensor([0, 1, 0, 1])
    assert pyml.logical_and(a, b).tolist() == [False, False, False, True]
    assert pyml.logical_or(a, b).tolist() == [False, True, True, True]
    assert pyml.logical_xor(a, b).tolist() == [False, True, True, False]
    assert pyml.logical_not(a).tolist() == [True, True, False, False]
    x = pyml.tensor([1.0, np.inf, -np.inf, np.nan])
    assert x.isnan().tolist() == [False, False, False, True]
    assert x.isinf().tolist() == [False, True, True, False]
    assert x.isfinite().tolist() == [True, False, False, False]
    assert (
        pyml.allclose(x[:3], x[:3])
        and not pyml.allclose(x, x)
        and pyml.allclose(x, x, equal_nan=True)
    )
    assert pyml.equal(x[:3], x[:3].clone()) and not pyml.equal(x[:2], x[:3])


def test_bits():
    assert (pyml.tensor([6]) & 3).tolist() == [2] and (~pyml.tensor([0])).tolist() == [-1]
    assert (~pyml.tensor([True]) | pyml.tensor([True])).tolist() == [True]


def test_isclose_tolerances():
    x = pyml.tensor([2**53, 5])
    assert pyml.isclose(x, x + pyml.tensor([1, 0]), rtol=0, atol=0).tolist() == [False, True]
    for tolerances in ({"rtol": -1.0}, {"atol": -1.0}, {"rtol": float("nan")}):
        with pytest.raises(RuntimeError, match="at least 0"):
            pyml.allclose(x, x, **tolerances)


def test_what_has_no_elements_to_compare():
    x = pyml.arange(3)
    for other in ("1", None, [0, 1, 2], object()):
        assert (x == other) is False and (x != other) is True  # objects, by Python
        for call in (pyml.eq, pyml.ne, lambda x, other: other in x):
            with pytest.raises(TypeError, match="a Tensor, a NumPy array or a number is needed"):
                call(x, other)
    assert 1 in x and 3 not in x and pyml.tensor([[5], [2]]) in x
    with pytest.raises(RuntimeError, match="do not broadcast"):
        _ = pyml.ones(2) in x
