"""Products of bfloat16, to the bit, beside models of VDPBF16PS, TDPBF16PS and BFMMLA.

The models follow the manuals of Intel and Arm. Builds with PYML_WIDE=1 have "amx_model", where the
instructions of AMX are C, so that all else of its products is tested without it.
"""

import numpy as np
import pytest

from helpers.compare import assert_same_bits
from helpers.memory import Guarded, at_page_end
from pyml import _kernels

pytestmark = pytest.mark.usefixtures("unit")


def flushed(x):
    """Subnormal numbers are zero."""
    return np.where(np.abs(x) < np.finfo("float32").tiny, np.copysign(np.float32(0), x), x)


def rounded(x):
    """To bfloat16, to nearest even: the upper half of a float32."""
    bits = np.ascontiguousarray(flushed(x.astype("float32"))).view("uint32")
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    return bits.view("float32")


def added(total, a, b):
    """total + a b, rounded once: a product of two numbers of bfloat16 is exact in float32."""
    return flushed(flushed(a[:, None] * b) + total)


def by_pairs(a, b):
    """Of a pair the second product is added first."""
    total = np.zeros((len(a), b.shape[1]), "float32")
    for first in range(0, a.shape[1], 2):
        for p in range(first, min(first + 2, a.shape[1]))[::-1]:
            total = added(total, a[:, p], b[p])
    return total


def by_tiles(a, b):
    """Of 32 numbers of k, those in even places are summed, those in odd ones, and then both."""
    total = np.zeros((len(a), b.shape[1]), "float32")
    for first in range(0, a.shape[1], 32):
        sums = np.zeros((2, *total.shape), "float32")
        for p in range(first, min(first + 32, a.shape[1])):
            sums[p % 2] = added(sums[p % 2], a[:, p], b[p])
        total = flushed(total + flushed(sums[0] + sums[1]))
    return total


def odd_sum(a, b):
    """a + b, rounded to odd: of two numbers beside an inexact sum, that whose last bit is set."""
    a, b = a.astype("float64"), b.astype("float64")
    total = a + b
    part = total - a
    rest = (a - (total - part)) + (b - part)  # Knuth's: total + rest is a + b
    found = total.astype("float32")
    is_beyond = (np.abs(found) > np.abs(total)) | ((found == total) & (rest * total < 0))
    found = np.where(is_beyond, np.nextafter(found, np.float32(0)), found)
    is_inexact = (found != total) | (rest != 0)
    return flushed((found.view("uint32") | is_inexact).view("float32"))


def by_fours(a, b):
    """Of four numbers of k two products are added, and that to the sum, then the other two."""
    fill = -a.shape[1] % 4
    a, b = np.pad(a, ((0, 0), (0, fill))), np.pad(b, ((0, fill), (0, 0)))
    total = np.zeros((len(a), b.shape[1]), "float32")
    for p in range(0, a.shape[1], 2):
        first, second = (flushed(a[:, [q]] * b[q]) for q in (p, p + 1))
        total = odd_sum(total, odd_sum(first, second))
    return total


SUMS = {"avx512_bf16": by_pairs, "amx_bf16": by_tiles, "amx_model": by_tiles, "bfmmla": by_fours}


def product(unit, a, b, alpha=1):
    """alpha a b."""
    return np.float32(alpha) * SUMS[unit](rounded(a), rounded(b))


def draw(rng, *shape):
    return at_page_end(rng.normal(size=shape).astype("float32"))


SHAPES = [(1, 1, 1), (2, 3, 5), (13, 31, 32), (14, 32, 33), (15, 33, 31), (29, 65, 64), (1, 40, 70)]
LONG = [(17, 20, 513), (3, 1030, 9), (270, 5, 40), (5, 7, 1100), (4, 0, 3), (4, 5, 0), (0, 5, 3)]
# Whole tiles, beside others, of several blocks of k: in y, in dx and in dw.
LONG += [(70, 33, 1057), (33, 2070, 65), (2049, 32, 34)]


@pytest.mark.parametrize("alpha", [1, 0.375])
@pytest.mark.parametrize("shape", SHAPES + LONG, ids=str)
def test_linear(shape, alpha, unit, rng):
    """Forward, dx and dw; db is a sum of float32."""
    n, o, k = shape
    x, w, b, dy = draw(rng, n, k), draw(rng, o, k), draw(rng, o), draw(rng, n, o)
    y, dx, dw, db = (Guarded(size, np.dtype("float32")) for size in ((n, o), (n, k), (o, k), (o,)))
    _kernels.linear_forward(y.array, x, w, b, alpha, True)
    _kernels.linear_backward(dx.array, dw.array, db.array, dy, x, w, alpha, True)
    assert_same_bits(y.array, product(unit, x, w.T, alpha) + b)
    assert_same_bits(dx.array, product(unit, dy, w, alpha))
    assert_same_bits(dw.array, product(unit, dy.T, x, alpha))
    plain = np.empty_like(db.array)
    _kernels.linear_backward(None, None, plain, dy, x, w)
    assert_same_bits(db.array, plain)
    assert [out.broken() for out in (y, dx, dw, db)] == [None] * 4


def test_rounding_and_subnormals(unit, rng):
    """Middles go to even; subnormal numbers, and products of them, are zero."""
    bits = rng.integers(0, 2**32, size=(2, 40, 40), dtype="uint64").astype("uint32")
    bits = bits & 0x81FFFFFF | 0x3C000000  # of usual sizes
    bits[0, ::2] = bits[0, ::2] & 0xFFFF0000 | 0x8000  # in the middle of two
    a, b = bits.view("float32").copy()
    a[5:9], b[:, 3:7] = a[5:9] * np.float32(1e-37), b[:, 3:7] * np.float32(1e-5)
    a[10] = np.float32(1e-40)
    y = np.empty((40, 40), "float32")
    _kernels.linear_forward(y, a, np.ascontiguousarray(b.T), None, 1, True)
    assert_same_bits(y, product(unit, a, b))
    assert (y[10] == 0).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_rows(threads, rng):
    """The same bits for any number of threads, and for rows alone."""
    x, w, b = draw(rng, 300, 600), draw(rng, 400, 600), draw(rng, 400)
    dy = draw(rng, 300, 400)
    results = []
    for count in (1, threads):
        _kernels.set_num_threads(count)
        out = [np.empty(size, "float32") for size in ((300, 400), (300, 600), (400, 600), (400,))]
        _kernels.linear_forward(out[0], x, w, b, 1, True)
        _kernels.linear_backward(*out[1:], dy, x, w, 1, True)
        results.append(out)
    for one, many in zip(*results, strict=True):
        assert_same_bits(one, many)
    row = np.empty((1, 400), "float32")
    _kernels.linear_forward(row, x[7:8], w, b, 1, True)
    assert_same_bits(row[0], results[0][0][7])


@pytest.mark.parametrize("alpha, beta", [(1, 0), (1, 1), (0.5, 0), (0.25, -2)])
@pytest.mark.parametrize("shape", [(5, 7, 40), (64, 64, 64), (37, 66, 2100)], ids=str)
def test_onto_what_is_there(shape, alpha, beta, unit, rng):
    """alpha a b + beta c, of numbers whose sums are exact in any order."""
    m, n, k = shape
    a, b, c = (rng.integers(-8, 9, size).astype("float32") for size in ((m, k), (k, n), (m, n)))
    wanted = alpha * (a.astype("float64") @ b) + beta * c
    _kernels.gemm(c, a, b, m, n, k, k, 1, n, 1, n, 1, 0, 0, 0, alpha, beta, True)
    assert_same_bits(c, wanted.astype("float32"))
