"""Losses of other inputs than pairs: values in both dtypes, shapes, refusals.

Their derivatives are in tests/derivatives.py.
"""

import math

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_close
from helpers.losses import LOSS_CASES, LOSSES, REDUCTIONS, tensors
from pyml import ops
from pyml.ops import class_loss, losses, names

EACH = pytest.mark.parametrize("case", LOSS_CASES.values(), ids=LOSS_CASES)
pytestmark = pytest.mark.filterwarnings("ignore:kl_div. reduction 'mean'")


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_values(case, reduction, dtype, rng):
    loss, options = case
    arrays = loss.draw(rng)
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    given = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    inputs, named = tensors(arrays, given)
    got = getattr(ops, loss.name)(*inputs, reduction=reduction, **named).numpy()
    wide = [a.astype(float) if a.dtype.kind == "f" else a for a in arrays]
    wanted = np.asarray(loss.reduced(*wide, reduction=reduction, **options))
    assert got.dtype == dtype and got.shape == wanted.shape
    assert_close(got, wanted, tolerances.summed(20), np.maximum(np.abs(wanted), 4))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "uint16"])
def test_integer_dtypes_of_targets(dtype, rng):
    x = pyml.tensor(rng.standard_normal((5, 4)))
    classes = rng.integers(0, 4, 5)
    for name in ("nll_loss", "multi_margin_loss"):
        function = getattr(ops, name)
        wanted = function(x, pyml.tensor(classes))
        assert function(x, pyml.tensor(classes.astype(dtype))).item() == wanted.item()
    counts = pyml.tensor(rng.integers(0, 9, (5, 4)).astype(dtype))
    assert ops.poisson_nll_loss(x, counts).item() == ops.poisson_nll_loss(x, counts.double()).item()


def test_nll_shapes(rng):
    x = rng.standard_normal((2, 4, 3))
    t = rng.integers(0, 4, (2, 3))
    wanted = -np.take_along_axis(x, t[:, None], 1)[:, 0]
    got = ops.nll_loss(pyml.tensor(x), pyml.tensor(t), reduction="none")
    np.testing.assert_array_equal(got.numpy(), wanted)
    one = ops.nll_loss(pyml.tensor(x[0, :, 0]), pyml.tensor(t[0, 0]))
    assert one.shape == () and one.item() == wanted[0, 0]
    x = pyml.tensor([[-math.inf, -1.0]])
    assert ops.nll_loss(x, pyml.tensor([1])).item() == 1
    assert ops.nll_loss(x, pyml.tensor([0])).item() == math.inf
    assert math.isnan(ops.nll_loss(x, pyml.tensor([-100])).item())
    assert ops.nll_loss(pyml.zeros(2, 0), pyml.tensor([-100, -100]), reduction="sum").item() == 0
    assert ops.nll_loss(pyml.zeros(0, 3), pyml.zeros(0, dtype="int64"), reduction="sum").item() == 0


def test_batchmean_and_the_warning_of_kl_div(rng):
    x, t = (pyml.tensor(rng.uniform(0.5, 2, (4, 3))) for _ in range(2))
    total = ops.kl_div(x, t, reduction="sum").item()
    assert ops.kl_div(x, t, reduction="batchmean").item() == pytest.approx(total / 4)
    with pytest.warns(UserWarning, match="kl_div: reduction 'mean' divides"):
        assert ops.kl_div(x, t).item() == pytest.approx(total / 12)
    assert ops.kl_div(pyml.zeros(2), pyml.zeros(2), reduction="sum").item() == 0


def test_gaussian_variances(rng):
    x, t = (pyml.tensor(rng.standard_normal((4, 3))) for _ in range(2))
    wanted = ops.gaussian_nll_loss(x, t, pyml.full((4, 3), 0.5, dtype=x.dtype)).item()
    for var in (0.5, pyml.full((4,), 0.5, dtype=x.dtype), pyml.full((1, 3), 0.5, dtype=x.dtype)):
        assert ops.gaussian_nll_loss(x, t, var).item() == pytest.approx(wanted)
    var = pyml.tensor(np.full((4, 3), 1e-9), requires_grad=True)
    least = pyml.tensor(np.full((4, 3), 1e-6), requires_grad=True)
    for v in (var, least):
        ops.gaussian_nll_loss(x, t, v).backward()
    np.testing.assert_allclose(var.grad.numpy(), least.grad.numpy())


def test_one_sample():
    x, other = pyml.tensor([0.5, -1.0, 2.0]), pyml.tensor([1.0, 0.0, 1.0])
    for got, rows in [
        (
            ops.multi_margin_loss(x, pyml.tensor(1)),
            ops.multi_margin_loss(x[None], pyml.tensor([1])),
        ),
        (
            ops.multilabel_margin_loss(x, pyml.tensor([1, -1, 0])),
            ops.multilabel_margin_loss(x[None], pyml.tensor([[1, -1, 0]])),
        ),
        (
            ops.cosine_embedding_loss(x, other, pyml.tensor(-1)),
            ops.cosine_embedding_loss(x[None], other[None], pyml.tensor([-1])),
        ),
    ]:
        assert got.shape == () and got.item() == rows.item()


def test_cosine_embedding_loss_of_integers():
    a, b, t = pyml.tensor([[1, 2, 3]]), pyml.tensor([[0.5, -2.0, 1.0]]), pyml.tensor([1])
    for x in (a, a.to(pyml.uint8), a.double()):
        loss, real = ops.cosine_embedding_loss(x, b, t), ops.cosine_embedding_loss(x.float(), b, t)
        assert abs(loss.item() - real.item()) < 1e-6
    assert ops.cosine_embedding_loss(a, a, t).item() < 1e-6


X, T = pyml.ones(2, 3), pyml.tensor([0, 1])
REFUSED = [
    (IndexError, "nll_loss: target 3 at position 1", lambda: ops.nll_loss(X, T * 3)),
    (ValueError, "nll_loss: target of class indices has", lambda: ops.nll_loss(X, T[:1])),
    (ValueError, "nll_loss: weight has shape", lambda: ops.nll_loss(X, T, pyml.ones(2))),
    (TypeError, "nll_loss: target has dtype float32", lambda: ops.nll_loss(X, pyml.ones(2))),
    (TypeError, "nll_loss: target must be a Tensor", lambda: ops.nll_loss(X, [0, 1])),
    (ValueError, "nll_loss: input is a single", lambda: ops.nll_loss(pyml.ones(()), T)),
    (IndexError, "multi_margin_loss: target 3", lambda: ops.multi_margin_loss(X, T * 3)),
    (ValueError, "multi_margin_loss: p is 3", lambda: ops.multi_margin_loss(X, T, 3)),
    (
        ValueError,
        "multi_margin_loss: weight has",
        lambda: ops.multi_margin_loss(X, T, weight=pyml.ones(2)),
    ),
    (
        IndexError,
        "multilabel_margin_loss: target 3",
        lambda: ops.multilabel_margin_loss(X, pyml.full((2, 3), 3)),
    ),
    (ValueError, "multi_margin_loss: input has shape", lambda: ops.multi_margin_loss(X[None], T)),
    (ValueError, "must be a class or more", lambda: ops.multi_margin_loss(X[:, :0], T)),
    (ValueError, "has shape .2,., it must", lambda: ops.multi_margin_loss(X[0], T)),
    (
        ValueError,
        "must be a class or more",
        lambda: ops.multilabel_margin_loss(X[:, :0], pyml.zeros(2, 0, dtype=pyml.int64)),
    ),
    (
        ValueError,
        "multilabel_soft_margin_loss: target has shape",
        lambda: ops.multilabel_soft_margin_loss(X, X[0]),
    ),
    (
        ValueError,
        "margin_ranking_loss: input1 .* must have as many",
        lambda: ops.margin_ranking_loss(X, X, X[0]),
    ),
    (
        ValueError,
        "cosine_embedding_loss: inputs have the shapes",
        lambda: ops.cosine_embedding_loss(X, X, X),
    ),
    (
        ValueError,
        "triplet_margin_loss: margin is 0",
        lambda: ops.triplet_margin_loss(X, X, X, 0),
    ),
    (
        ValueError,
        "triplet_margin_loss: anchor .* must have as many",
        lambda: ops.triplet_margin_loss(X, X, X[0]),
    ),
    (TypeError, "kl_div: input has dtype int64", lambda: ops.kl_div(T, X, reduction="sum")),
    (TypeError, "poisson_nll_loss: target must be", lambda: ops.poisson_nll_loss(X, 1.0)),
    (ValueError, "gaussian_nll_loss: var is -1", lambda: ops.gaussian_nll_loss(X, X, -1.0)),
    (ValueError, "gaussian_nll_loss: var has the", lambda: ops.gaussian_nll_loss(X, X, -X)),
    (ValueError, "gaussian_nll_loss: var has shape", lambda: ops.gaussian_nll_loss(X, X, X[:, :2])),
]


@pytest.mark.parametrize(("kind", "message", "call"), REFUSED, ids=[m for _, m, _ in REFUSED])
def test_refused(kind, message, call):
    with pytest.raises(kind, match=message):
        call()


FAMILIES = class_loss, losses


def test_the_table_has_every_function():
    listed = " ".join(row for family, _, row in names.ROWS if family in FAMILIES).split()
    assert set(listed) == {loss.name for loss in LOSSES} | {"linear_cross_entropy"}


@pytest.mark.parametrize("x", [X[0], X[:1], pyml.tensor(0.5)])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_sample_has_the_shape_of_its_class(x, shape):
    """As in PyTorch: also the scores of one sample, and a number is the score of one class."""
    loss = ops.multi_margin_loss(x, pyml.zeros(shape, dtype=pyml.int64), reduction="none")
    assert loss.shape == shape
    assert loss.item() == ops.multi_margin_loss(x.reshape(1, -1), T[:1] * 0).item()


def test_a_number_is_the_score_of_one_label():
    x = pyml.tensor(0.5, requires_grad=True)
    loss = ops.multilabel_margin_loss(x, pyml.tensor(0), reduction="none")
    loss.backward()
    assert loss.shape == () and loss.item() == 0 and x.grad.item() == 0
