"""The gate: what C may see."""

import operator

import numpy as np
import pytest

import pyml
from pyml.ops.outside import arrived
from pyml.tensor import _rebuild

KNOWN = ["bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]
UNKNOWN = [
    "c8",
    "c16",
    "longdouble",
    "clongdouble",
    "O",
    "S1",
    "U1",
    "M8[s]",
    "m8[s]",
    "V3",
    "i4,f4",
]


@pytest.mark.parametrize("dtype", KNOWN)
def test_known_dtypes_pass_as_they_are(dtype):
    array = np.arange(6).astype(dtype).reshape(2, 3)[:, ::2]
    for shared in (False, True):
        assert arrived(array, "x", shared=shared) is array
        got = arrived(pyml.from_numpy(array), "x", shared=shared)
        assert np.shares_memory(got, array) and got.dtype == dtype and np.array_equal(got, array)
        if got.dtype.kind == "f":  # NumPy alone would refuse it
            parameter = pyml.from_numpy(array).requires_grad_()
            assert np.shares_memory(arrived(parameter, "x", shared=shared), array)
    number = array[1, 0]
    assert arrived(number, "x") == number and arrived(number, "x").shape == ()


@pytest.mark.parametrize("dtype", [*KNOWN, "f2"])
def test_the_other_byte_order_is_converted_unless_memory_is_shared(dtype):
    values = np.arange(3).astype(dtype)
    swapped = values.astype(values.dtype.newbyteorder())
    got = arrived(swapped, "x")
    assert got.dtype == ("f4" if dtype == "f2" else dtype) and got.dtype.isnative
    assert np.array_equal(got, values)
    if not swapped.dtype.isnative:
        with pytest.raises(TypeError, match=r"x has dtype .*byte order; .astype\('.*'\) converts"):
            arrived(swapped, "x", shared=True)


@pytest.mark.parametrize("order", ["=", ">"])
@pytest.mark.parametrize("dtype", UNKNOWN)
def test_others_are_refused_by_name(dtype, order):
    array = np.zeros(2, dtype)
    array = array.astype(array.dtype.newbyteorder(order))
    for shared in (False, True):
        with pytest.raises(TypeError, match=r"weights: dtype .* is not supported; use float32"):
            arrived(array, "weights", shared=shared)


def test_float16_is_converted_unless_memory_is_shared():
    array = np.array([0.1, np.inf, 6e-8], "f2")
    assert arrived(array, "x").dtype == np.float32
    assert np.array_equal(arrived(array, "x"), array)
    with pytest.raises(TypeError, match=r"x has dtype float16.*\.astype\('float32'\) converts it"):
        arrived(array, "x", shared=True)


def test_subclasses_become_plain_and_masks_are_refused():
    assert type(arrived(np.ones(2).view(np.recarray), "x")) is np.ndarray
    with pytest.raises(TypeError, match=r"x is a masked array; .filled"):
        arrived(np.ma.array([1.0, 2.0], mask=[0, 1]), "x")


def test_objects_that_give_an_array():
    class Other:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0], ">f4")

    assert arrived(Other(), "x").tolist() == [1, 2] and arrived(Other(), "x").dtype.isnative
    for wrong in ([1.0], 1.0, None, "1", {}):
        with pytest.raises(TypeError, match=f"x is a {type(wrong).__name__}, it must be a Tensor"):
            arrived(wrong, "x")


@pytest.mark.parametrize(
    "use",
    [
        pyml.tensor,
        pyml.as_tensor,
        pyml.from_numpy,
        pyml.Tensor,
        pyml.exp,
        lambda masked: pyml.tensor([masked, masked]),
        lambda masked: pyml.ones(2) * masked,
        lambda masked: pyml.ones(2).copy_(masked),
        lambda masked: operator.setitem(pyml.ones(2), slice(None), masked),
        lambda masked: pyml.zeros_like(masked),
        lambda masked: pyml.tensor(_rebuild(pyml.Tensor, masked, False, None)),
    ],
)
def test_a_mask_is_not_lost(use):
    with pytest.raises(TypeError, match=r"masked array"):
        use(np.ma.array([1.0, 2.0], mask=[0, 1]))


@pytest.mark.parametrize(
    "make", [pyml.zeros_like, pyml.ones_like, pyml.empty_like, pyml.rand_like, pyml.randn_like]
)
def test_like_an_array_from_outside(make):
    name = make.__name__
    for dtype in ("f2", ">f4"):
        assert make(np.zeros((2, 3), dtype)).dtype == np.float32
        assert make(np.zeros((2, 3), dtype)).shape == (2, 3)
    for dtype in ("complex64", "O", "longdouble", "U1"):
        with pytest.raises(TypeError, match=rf"{name}: input: dtype .* is not supported"):
            make(np.zeros(2, dtype))
    for wrong in (None, [1.0], 2):
        with pytest.raises(TypeError, match=rf"{name}: input is a .* it must be a Tensor"):
            make(wrong)


def test_numbers_like_an_array_from_outside():
    assert pyml.full_like(np.zeros(2, "f2"), 3).dtype == np.float32
    assert pyml.randint_like(np.zeros(2, ">i8"), 3).dtype == np.int64
    with pytest.raises(TypeError, match="full_like: input: dtype"):
        pyml.full_like(np.zeros(2, complex), 3)


def test_the_constructor_takes_numbers_only():
    for data in ([None], ["1"], "x", [1j], np.zeros(2, complex)):
        with pytest.raises(TypeError, match="cannot be made a tensor"):
            pyml.Tensor(data)


@pytest.mark.parametrize("value", [None, "1.5", [None], ["1"], 1j, object()])
def test_values_are_numbers(value):
    x = pyml.ones(2)
    for index in (0, slice(0, 1), pyml.tensor([True, False])):
        with pytest.raises(TypeError, match="setitem: value is of type"):
            x[index] = value
    assert x.tolist() == [1, 1]
    for dtype in (None, pyml.float32):
        with pytest.raises(TypeError, match="full: "):
            pyml.full((2,), value, dtype=dtype)
