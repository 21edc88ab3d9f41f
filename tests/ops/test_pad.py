"""Padding."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from ops.cases import Case, tests_of
from pyml.nn import functional as F

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def case(pad, mode="constant", value=None, shape=(3, 4)):
    pairs = [*zip(pad[::2], pad[1::2], strict=True)][::-1]
    width = [(0, 0)] * (len(shape) - len(pairs)) + pairs
    options = {} if value is None else {"constant_values": value}
    return Case(
        f"pad {mode} {pad} {value}",
        lambda x: F.pad(x, pad, mode=mode, value=value) * 1,
        lambda x: np.pad(x, width, MODES[mode], **options),
        (shape,),
        eps=tolerances.EXACT,
    )


CASES = [
    case((1, 2)),
    case((0, 0, 2, 1), value=2.5),
    case((1, 0, 0, 3), shape=(2, 3, 4)),
    *[case(pad, mode) for mode in MODES for pad in ((2, 3), (1, 0, 2, 1))],
]

test_values, test_layouts, test_gradients = tests_of(CASES)


def test_negative_sizes_take_away():
    x = pyml.tensor([[1, 2, 3], [4, 5, 6]])
    assert F.pad(x, (-1, 1)).tolist() == [[2, 3, 0], [5, 6, 0]]
    assert F.pad(x, (-1, -1, -1, 0), value=9).tolist() == [[5]]
    assert F.pad(x, (-2, -1)).shape == (2, 0)


@pytest.mark.parametrize(
    ("mode", "pad", "wanted"),
    [
        ("reflect", (-1, 2), [1, 2, 3, 4, 3, 2]),
        ("reflect", (-6, 2), [2]),  # beyond the end, of what is reflected there
        ("reflect", (2, -1), [2, 1, 0, 1, 2, 3]),
        ("replicate", (-6, 2), [4]),
        ("replicate", (-1, -1), [1, 2, 3]),
        ("circular", (-1, 2), [1, 2, 3, 4, 1, 2]),  # what was taken away does not come back
        ("circular", (2, -2), [1, 2, 0, 1, 2]),
    ],
)
def test_negative_sizes_of_other_modes(mode, pad, wanted):
    """As PyTorch's."""
    x = pyml.arange(5.0).requires_grad_()
    y = F.pad(x, pad, mode)
    assert y.tolist() == wanted
    y.sum().backward()
    assert x.grad.tolist() == [wanted.count(i) for i in range(5)]


def test_the_result_is_new():
    x = pyml.ones(2)
    for pad in ((), (0, 0), (-1, 0)):
        F.pad(x, pad).fill_(5)
    assert x.tolist() == [1, 1]


X = pyml.ones(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.pad(X, (1,)), ValueError, "must be pairs"),
        (lambda: F.pad(X, (1,) * 6), ValueError, "must be pairs"),
        (lambda: F.pad(X, (1.5, 0)), TypeError, "pad: sizes must be integers"),
        (lambda: F.pad(X, (-2, -2)), ValueError, "does not fit dimension 1 of size 3"),
        (lambda: F.pad(X, (3, 0), "reflect"), ValueError, "does not fit dimension 1 of size 3"),
        (lambda: F.pad(X, (4, 0), "circular"), ValueError, "does not fit"),
        (lambda: F.pad(X, (-3, 0), "replicate"), ValueError, "does not fit"),
        (lambda: F.pad(X, (-2, 2), "circular"), ValueError, "does not fit"),
        (lambda: F.pad(X, (3, -1), "reflect"), ValueError, "does not fit"),
        (lambda: F.pad(X[:, :0], (1, 0), "replicate"), ValueError, "does not fit"),
        (lambda: F.pad(X, (1, 1), "mirror"), ValueError, "mode is 'mirror'"),
        (lambda: F.pad(X, (1, 1), "reflect", 1.0), ValueError, "value goes with"),
        (lambda: F.pad([1.0], (1, 1)), TypeError, "pad: input"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
