import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import LARGE, around_lanes_math, check_kernel
from pyml import _kernels

SEED = 0x0123456789ABCDEF


def state(seed=SEED, counter=0):
    return np.array([seed, counter], np.uint64)


def philox(seed, counter):
    """Philox4x32-10 (Salmon et al. 2011, section 3.3): four words of each counter."""
    c = [
        counter & 0xFFFFFFFF,
        counter >> np.uint64(32),
        np.zeros_like(counter),
        np.zeros_like(counter),
    ]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high, low = (lambda p: p >> np.uint64(32)), (lambda p: p & np.uint64(0xFFFFFFFF))
        c = [
            high(p1) ^ c[1] ^ np.uint64(key[0]),
            low(p1),
            high(p0) ^ c[3] ^ np.uint64(key[1]),
            low(p0),
        ]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, -1).reshape(-1)


def words(start, n):
    """The first n words of the stream at a state."""
    counters = start[1] + np.arange((n + 3) // 4, dtype=np.uint64)
    return philox(int(start[0]), counters)[:n]


def kept(start, n, p):
    return words(start, n) >= np.floor(p * 2**32 + 0.5)


def mask(kept):
    """A bit of each element, in numbers of 64."""
    bits = np.zeros(-len(kept) % 64 + len(kept), bool)
    bits[: len(kept)] = kept
    return np.packbits(bits, bitorder="little").view("<u8")


def test_the_reference_on_the_known_answers():
    """The vectors of Random123's kat_vectors whose counter has 64 bits and whose key is a seed."""
    assert [hex(w) for w in philox(0, np.array([0], np.uint64))] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]


@pytest.mark.parametrize(
    ("p", "counter"),
    [(0.0, 0), (0.2, 7), (0.5, 0), (0.5, 2**32 - 3), (0.5, 2**64 - 2), (0.999, 0), (1.0, 0)],
)
def test_forward(p, counter):
    """The mask is the paper's generator's on every ISA; the state moves past what was used."""

    def reference(x, state):
        n = len(x)
        moved = state.copy()
        with np.errstate(over="ignore"):
            moved[1] += np.uint64((n + 3) // 4)
        scaled = x / x.dtype.type(1 - p) if p < 1 else x
        keeps = kept(state, n, p)
        return {"y": np.where(keeps, scaled, 0), "mask": mask(keeps), "state": moved}

    check_kernel(
        "dropout_forward",
        lambda y, mask, state, x: _kernels.dropout_forward(y, mask, state, x, p),
        arguments=lambda draw, n: {"x": draw(n), "state": state(counter=counter)},
        reference=reference,
        eps=tolerances.FEW,
        sizes=around_lanes_math,
        values=("normal", "offset"),
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.999, 1.0])
def test_backward_keeps_what_the_mask_says(p):
    def keeps(n):
        return kept(state(counter=99), n, p)

    def reference(dy, mask):
        scaled = dy / dy.dtype.type(1 - p) if p < 1 else dy
        return {"dx": np.where(keeps(len(dy)), scaled, 0)}

    check_kernel(
        "dropout_backward",
        lambda dx, dy, mask: _kernels.dropout_backward(dx, dy, mask, p),
        arguments=lambda draw, n: {"dy": draw(n), "mask": mask(keeps(n))},
        reference=reference,
        eps=tolerances.FEW,
        sizes=around_lanes_math,
        values=("normal", "special"),
        in_place=[("dx", "dy")],
    )


def dropout(x, at, p):
    y = np.full_like(x, np.nan)
    _kernels.dropout_forward(y, np.empty((x.size + 63) // 64, np.uint64), at, x, p)
    return y


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_fraction_kept(p, isa, dtype):
    """Within five standard deviations of the binomial distribution."""
    y = dropout(np.ones(LARGE, dtype), state(), p)
    assert abs((y != 0).mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / LARGE)


def test_calls_continue_one_stream(isa, dtype):
    """Calls on multiples of four elements continue the stream; a state draws it again."""
    x, at = np.ones(1000, dtype), state()
    first, second = dropout(x[:400], at, 0.5), dropout(x[400:], at, 0.5)
    whole = dropout(x, state(), 0.5)
    assert_same_bits(np.concatenate([first, second]), whole)
    assert_same_bits(dropout(x, state(), 0.5), whole)
    assert (dropout(x, state(SEED + 1), 0.5) != whole).any()


def test_dropped_is_zero_whatever_x_is(isa, dtype):
    for bad in (np.nan, np.inf, -np.inf, -1.0):
        x = np.full(100, bad, dtype)
        dropped = ~kept(state(), 100, 0.5)
        zeros = np.zeros(dropped.sum(), dtype)
        assert_same_bits(dropout(x, state(), 0.5)[dropped], zeros, str(bad))
        assert_same_bits(dropout(x, state(), 1.0), np.zeros(100, dtype), "p = 1")
