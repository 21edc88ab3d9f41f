"""embedding, embedding_bag, one_hot."""

from itertools import pairwise, product

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import Case, apart, tests_of
from pyml import nn
from pyml.nn import functional as F
from pyml.ops.embedding import piecewise_linear

TABLE = (6, 3)
INDEX = np.array([[1, 4, 4], [0, 1, 5]])
FLAT, OFFSETS = INDEX.reshape(-1), np.array([0, 2, 2, 5])


# two piecewise linear functions: of edges 0, 1, 3, 4, and of -1, 1, whose bin is the last of three
NUMBERS = np.array([[0.25, 0.5], [2.5, -3.0], [-1.0, 2.0], [3.5, 0.0]])
LEFT, SCALE = np.array([[0, 1, 3], [0, 0, -1.0]]), np.array([[1, 0.5, 1], [0, 0, 0.5]])
COUNTS = np.array([3, 1])


def bins_as(dtype):
    return (pyml.tensor(each, dtype=dtype) for each in (LEFT, SCALE))


def on_lines(values):
    def at(x, f):
        edges, used = ([0, 1, 3, 4], values[f]) if f == 0 else ([-1, 1], values[f, 2:])
        bin = int(np.clip(np.searchsorted(edges, x, "right") - 1, 0, len(edges) - 2))
        share = (x - edges[bin]) / (edges[bin + 1] - edges[bin])
        return (1 - share) * used[bin] + share * used[bin + 1]

    return np.stack([[at(x, f) for f, x in enumerate(row)] for row in NUMBERS])


def reduced(rows, mode):
    if len(rows) == 0:
        return np.zeros(TABLE[1])
    return {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, 0)


def bags(mode, ends, flat=FLAT, padding=None):
    def reference(table, samples=None):
        each = table[flat] if samples is None else table[flat] * samples.reshape(-1, 1)
        kept = flat != padding
        return np.stack([reduced(each[a:b][kept[a:b]], mode) for a, b in pairwise(ends)])

    return reference


def case(name, function, reference, *shapes):
    return Case(name, function, reference, shapes, draw=apart, eps=tolerances.FEW)


ENDS = [*OFFSETS, len(FLAT)]
MODES = ("sum", "mean", "max")
CASES = [
    case(
        "embedding",
        lambda w: F.embedding(pyml.tensor(INDEX), w),
        lambda w: w[INDEX],
        TABLE,
    ),
    case(  # each row is used once, or not: the gradient is the derivative
        "embedding options",
        lambda w: F.embedding(
            pyml.tensor([1, 0]),
            w * 1,
            padding_idx=3,
            max_norm=1e9,
            norm_type=1.0,
            scale_grad_by_freq=True,
        ),
        lambda w: w[[1, 0]],
        TABLE,
    ),
    *[
        case(
            f"embedding_bag {mode}",
            lambda w, m=mode: F.embedding_bag(pyml.tensor(INDEX), w, mode=m),
            bags(mode, [0, 3, 6]),
            TABLE,
        )
        for mode in MODES
    ],
    *[
        case(
            f"embedding_bag {mode} offsets padding={padding}",
            lambda w, m=mode, p=padding: F.embedding_bag(
                pyml.tensor(FLAT), w, pyml.tensor(OFFSETS), mode=m, padding_idx=p
            ),
            bags(mode, ENDS, padding=padding),
            TABLE,
        )
        for mode, padding in product(MODES, (None, 2))
    ],
    case(
        "embedding_bag weights",
        lambda w, s: F.embedding_bag(
            pyml.tensor(FLAT), w, pyml.tensor(OFFSETS), mode="sum", per_sample_weights=s
        ),
        bags("sum", ENDS),
        *(TABLE, (6,)),
    ),
    case(
        "embedding_bag weights of two dimensions",
        lambda w, s: F.embedding_bag(pyml.tensor(INDEX), w, mode="sum", per_sample_weights=s),
        bags("sum", [0, 3, 6]),
        *(TABLE, (2, 3)),
    ),
    case(
        "piecewise_linear",
        lambda v: piecewise_linear(
            pyml.tensor(NUMBERS, dtype=v.dtype), v, *bins_as(v.dtype), pyml.tensor(COUNTS)
        ),
        on_lines,
        (2, 4, 3),
    ),
    case(
        "embedding_bag options",
        lambda w: F.embedding_bag(
            pyml.tensor([1, 0, 4]),
            w * 1,
            pyml.tensor([0, 2, 3]),
            max_norm=1e9,
            norm_type=1,
            scale_grad_by_freq=True,
            include_last_offset=True,
        ),
        bags("mean", [0, 2, 3], np.array([1, 0, 4])),
        TABLE,
    ),
]

test_values, test_layouts, test_gradients = tests_of(
    CASES, of_any_layout=[c for c in CASES if "options" not in c.name]
)


def gradient(function, table):
    w = pyml.tensor(table, requires_grad=True)
    y = function(w)
    (y * pyml.arange(1, y.numel() + 1).reshape(y.shape)).sum().backward()
    return w.grad.numpy()


def test_padding_gets_no_gradient_and_frequent_rows_a_share():
    table = np.random.default_rng(0).normal(size=TABLE)
    index = pyml.tensor(FLAT)
    plain = gradient(lambda w: F.embedding(index, w), table)
    padded = gradient(lambda w: F.embedding(index, w, padding_idx=-2), table)
    shared = gradient(lambda w: F.embedding(index, w, scale_grad_by_freq=True), table)
    counts = np.bincount(FLAT, minlength=6)
    assert (padded[4] == 0).all() and (plain[4] != 0).all()
    np.testing.assert_array_equal(np.delete(padded, 4, 0), np.delete(plain, 4, 0))
    np.testing.assert_allclose(shared, plain / np.maximum(counts, 1)[:, None], rtol=1e-14)
    for mode in ("sum", "mean"):
        options = {"offsets": pyml.tensor(OFFSETS), "mode": mode}
        plain = gradient(lambda w, o=options: F.embedding_bag(index, w, **o), table)
        options = options | {"scale_grad_by_freq": True}
        shared = gradient(lambda w, o=options: F.embedding_bag(index, w, **o), table)
        np.testing.assert_allclose(shared, plain / np.maximum(counts, 1)[:, None], rtol=1e-14)


@pytest.mark.parametrize("mode", MODES)
def test_padding_is_left_out_of_bags(mode):
    table = np.random.default_rng(0).normal(size=TABLE)
    w = pyml.tensor(table, requires_grad=True)
    for padding in (1, -2):
        y = F.embedding_bag(pyml.tensor(INDEX), w, mode=mode, padding_idx=padding)
        wanted = bags(mode, [0, 3, 6], padding=padding % 6)(table)
        np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-14)
        (dw,) = pyml.autograd.grad(y.sum(), w)
        assert dw[padding].tolist() == [0, 0, 0] and dw.abs().sum().item() > 0


@pytest.mark.parametrize("norm_type", [2.0, 1.0])
def test_long_rows_are_made_shorter(dtype, norm_type):
    table = np.array([[3, 4], [0.3, 0.4], [6, 8], [30, 40]], dtype)
    w = pyml.tensor(table, requires_grad=True)
    for y in (
        F.embedding(pyml.tensor([0, 1, 0]), w, max_norm=1.0, norm_type=norm_type),
        F.embedding_bag(pyml.tensor([[0, 1]]), w, max_norm=1.0, norm_type=norm_type, mode="sum"),
    ):
        length = np.linalg.norm(table[0], norm_type)
        wanted = table.copy()
        wanted[0] /= length
        np.testing.assert_allclose(w.detach().numpy(), wanted, rtol=3e-7)
        assert_same_bits(w.detach().numpy()[1:], table[1:])  # short, or not used
        y.sum().backward()


def test_the_index_is_the_one_of_the_call():
    """What becomes of it afterwards does not matter to backward."""
    index, w = pyml.tensor([0, 1]), pyml.ones(3, 1, requires_grad=True)
    y = F.embedding(index, w)
    index.fill_(2)
    y.sum().backward()
    assert w.grad.tolist() == [[1], [1], [0]]


def test_empty_bags_are_zero():
    w = pyml.ones(4, 2, requires_grad=True)
    none = pyml.zeros(0, dtype=pyml.int64)
    for mode in MODES:
        for y in (
            F.embedding_bag(none, w, pyml.tensor([0, 0]), mode=mode),
            F.embedding_bag(none.reshape(2, 0), w, mode=mode),
            F.embedding_bag(pyml.tensor([[1, 1], [1, 1]]), w, mode=mode, padding_idx=1),
        ):
            assert y.tolist() == [[0, 0], [0, 0]]
            (dw,) = pyml.autograd.grad(y.sum(), w)
            assert dw.abs().sum().item() == 0
    assert F.embedding(none, w).shape == (0, 2)
    assert F.embedding_bag(pyml.tensor([1]), w, none, mode="sum").shape == (0, 2)


def test_what_comes_after_the_last_offset_is_in_no_bag():
    w = pyml.tensor([[1.0], [10.0], [100.0]])
    for mode, wanted in [("sum", 11), ("mean", 5.5), ("max", 10)]:
        y = F.embedding_bag(
            pyml.tensor([0, 1, 2]), w, pyml.tensor([0, 2]), mode=mode, include_last_offset=True
        )
        assert y.tolist() == [[wanted]]


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8"])
def test_one_hot(kind):
    numbers = np.array([[0, 2], [1, 1]], kind)
    y = F.one_hot(pyml.tensor(numbers))
    assert y.dtype == np.int64
    assert_same_bits(y.numpy(), np.eye(3, dtype=np.int64)[numbers])
    assert F.one_hot(pyml.tensor(numbers), 5).shape == (2, 2, 5)
    assert F.one_hot(pyml.tensor(1), 2).tolist() == [0, 1]
    assert F.one_hot(pyml.zeros(0, dtype=pyml.int64), 4).shape == (0, 4)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64"])
def test_a_table_of_integers_is_looked_up(dtype):
    table = pyml.tensor([[0, 1], [1, 0], [1, 1]]).to(dtype)
    y = nn.Embedding.from_pretrained(table)(pyml.tensor([[2], [0]]))
    assert y.dtype == dtype and y.tolist() == [[[1, 1]], [[0, 1]]]
    assert F.embedding(pyml.tensor([1]), table, padding_idx=1).tolist() == [[1, 0]]


W, PAIR, FLOATS = pyml.ones(4, 2), pyml.tensor([0, 1]), pyml.ones(2)
ZERO = pyml.tensor([0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.embedding(FLOATS, W), TypeError, "input has dtype float32"),
        (lambda: F.embedding(PAIR, PAIR[None], max_norm=1.0), TypeError, "weight has dtype int64"),
        (lambda: F.embedding_bag(PAIR, PAIR[None], ZERO), TypeError, "weight has dtype int64"),
        (lambda: F.embedding(PAIR, FLOATS), ValueError, "weight has shape"),
        (lambda: F.embedding(pyml.tensor([4]), W), IndexError, "index 4 is out of range"),
        (lambda: F.embedding(pyml.tensor([-1]), W), IndexError, "index -1 is out of range"),
        (lambda: F.embedding(PAIR, W, sparse=True), ValueError, "sparse=True"),
        (lambda: F.embedding(PAIR, W, padding_idx=4), ValueError, "padding_idx is 4"),
        (lambda: F.embedding(PAIR, W, max_norm=-1.0), ValueError, "max_norm is -1.0"),
        (lambda: F.embedding_bag(PAIR, W), ValueError, "offsets must be None"),
        (lambda: F.embedding_bag(PAIR[None], W, ZERO), ValueError, "offsets must be None"),
        (lambda: F.embedding_bag(PAIR, W, ZERO, mode="min"), ValueError, "mode is 'min'"),
        (lambda: F.embedding_bag(PAIR, W, ZERO + 1), ValueError, r"offsets\[0\] is 1"),
        (lambda: F.embedding_bag(PAIR, W, pyml.tensor([0, 3])), ValueError, "must ascend"),
        (lambda: F.embedding_bag(PAIR, W, pyml.tensor([0, 2, 1])), ValueError, "must ascend"),
        (lambda: F.embedding_bag(PAIR, W, FLOATS), ValueError, "offsets has shape"),
        (
            lambda: F.embedding_bag(PAIR, W, pyml.tensor([0, 3]), include_last_offset=True),
            ValueError,
            "the last of offsets is 3",
        ),
        (
            lambda: F.embedding_bag(PAIR, W, ZERO[:0], include_last_offset=True),
            ValueError,
            "offsets is empty",
        ),
        (
            lambda: F.embedding_bag(PAIR, W, ZERO, mode="max", scale_grad_by_freq=True),
            ValueError,
            "scale_grad_by_freq does not go with",
        ),
        (
            lambda: F.embedding_bag(PAIR, W, ZERO, per_sample_weights=FLOATS),
            ValueError,
            "mode='sum' alone",
        ),
        (
            lambda: F.embedding_bag(PAIR, W, ZERO, mode="sum", per_sample_weights=pyml.ones(3)),
            ValueError,
            "per_sample_weights has shape",
        ),
        (lambda: F.one_hot(FLOATS), TypeError, "tensor has dtype float32"),
        (lambda: F.one_hot(pyml.tensor([-1])), IndexError, "index -1 is out of range"),
        (lambda: F.one_hot(pyml.tensor([3]), 3), IndexError, "index 3 is out of range"),
        (lambda: F.one_hot(PAIR, 0), ValueError, "num_classes is 0"),
        (lambda: F.one_hot(PAIR[:0]), ValueError, "tensor is empty"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
