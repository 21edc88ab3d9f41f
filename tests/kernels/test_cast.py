import numpy as np
import pytest

from helpers.memory import Guarded, at_page_end
from pyml import _kernels

TYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")
SIZES = (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 67, 50_003)


def cast(x, type_):
    """By the kernel, with watched neighbours, on one thread and on three."""
    results = []
    for threads in (1, 3):
        _kernels.set_num_threads(threads)
        guard = Guarded(x.shape, type_)
        source = at_page_end(x)
        source.flags.writeable = False
        _kernels.cast(guard.array, source)
        assert not guard.broken(), guard.broken()
        np.testing.assert_array_equal(source, x)
        results.append(guard.array)
    assert results[0].tobytes() == results[1].tobytes()
    return results[0]


def values(rng, type_, n, to):
    """Among them all that fits into `to` and is special."""
    if type_ == "bool":
        return rng.integers(0, 2, n).astype(bool)
    if type_ in ("float32", "float64"):
        x = rng.normal(size=n) * 50
        if to == "bool" or to.startswith("float"):
            info = np.finfo(type_)
            special = [0, -0.0, np.nan, np.inf, -np.inf, info.max, info.tiny, info.tiny / 8, 0.1]
            x[: n // 2] = rng.choice(np.array(special, type_), n // 2)
        elif to == "uint8":
            x = abs(x)
        return x.astype(type_)
    info = np.iinfo(type_)
    return rng.integers(info.min, info.max, n, endpoint=True).astype(type_)


@pytest.mark.parametrize("to", TYPES)
@pytest.mark.parametrize("from_", TYPES)
def test_cast(from_, to, isa, rng):
    """NumPy's numbers; of floating-point ones, those in range."""
    for n in SIZES:
        x = values(rng, from_, n, to)
        with np.errstate(all="ignore"):
            wanted = x.astype(to)
        got = cast(x, to)
        np.testing.assert_array_equal(got, wanted)
        if to.startswith("float"):
            np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


@pytest.mark.parametrize("from_", ["float32", "float64"])
def test_the_range_of_integers(from_, isa):
    """The ends of the range, and beyond: the least of int64, or of int32 and its low bits."""
    x = np.array([-1.9, 1.9, 127, -128, 2**31 - 128, -(2**31), 2**31, 3e9, 1e30, -1e30], from_)
    x = np.concatenate([x, np.array([np.inf, -np.inf, np.nan], from_)])
    least = -(2**31)
    of_32 = np.array([-1, 1, 127, -128, 2**31 - 128, least, *[least] * 7], np.int64)
    for to in ("int32", "int16", "int8", "uint8"):
        np.testing.assert_array_equal(cast(x, to), of_32.astype(to), to)
    least = -(2**63)
    of_64 = [-1, 1, 127, -128, 2**31 - 128, -(2**31), 2**31, 3_000_000_000, *[least] * 5]
    np.testing.assert_array_equal(cast(x, "int64"), np.array(of_64))


def test_any_byte_but_0_is_true(isa):
    x = np.array([0, 1, 2, 255], np.uint8)
    np.testing.assert_array_equal(cast(x.view(bool), "int64"), [0, 1, 1, 1])
    np.testing.assert_array_equal(cast(x, "bool").view(np.uint8), [0, 1, 1, 1])


def test_the_flushing_of_subnormals_goes_on(isa):
    """After a cast, which keeps them, in the same process."""
    tiny = np.full(50_000, 1e-40, np.float32)
    assert (cast(tiny, "float64") == np.float64(np.float32(1e-40))).all()
    y = np.empty_like(tiny)
    for threads in (1, 3):
        _kernels.set_num_threads(threads)
        _kernels.unary(_kernels.kernel_names().index("neg"), y, tiny, 0, 0)
        _kernels.binary(_kernels.kernel_names().index("add"), y, tiny, tiny, 1, y.size, 0, 1, 0, 1)
        assert (y == 0).all()
