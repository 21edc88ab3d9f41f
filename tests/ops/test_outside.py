"""The gate: what C may see."""

import numpy as np
import pytest

import pyml
from pyml.ops.outside import arrived

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
        assert arrived(pyml.from_numpy(array), "x", shared=shared) is array
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
