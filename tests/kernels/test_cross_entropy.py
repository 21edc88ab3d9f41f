import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from helpers.losses import REDUCTIONS
from helpers.rows import VALUES, columns, log_softmax, logits
from helpers.sweep import Scaled, check_kernel
from pyml import _kernels

IGNORED = 2


def targets(index, prob, shape, ignored):
    """The coefficients q of -log_softmax, and which rows count: one-hot, or the probabilities."""
    if prob is not None:
        return prob, np.ones(shape[0], bool)
    kept = index != ignored
    q = np.zeros(shape, np.longdouble)
    q[np.arange(shape[0])[kept], index[kept]] = 1
    return q, kept


def cross_entropy(x, index, prob, weight, smoothing, reduction, ignored):
    """The outputs of forward, and d loss / d x (Szegedy et al. 2015; PyTorch's weights)."""
    n, c = x.shape
    q, kept = targets(index, prob, x.shape, ignored)
    v = np.ones(c, x.dtype) if weight is None else weight
    if prob is None:
        q = q * (1 - smoothing) + kept[:, None] * smoothing / c
    else:
        q = q * (1 - smoothing) + smoothing / c
    logp = log_softmax(x)
    size = np.abs(x - x.max(1, keepdims=True)) + np.log(c) + 1  # of a logit's rounding errors
    losses, scales = -(q * v * logp).sum(1), (np.abs(q) * v * size).sum(1)
    total = v[index[kept]].sum() if prob is None else x.dtype.type(n)
    slopes = np.exp(logp) * (q * v).sum(1, keepdims=True) - q * v
    slope_scales = (
        np.exp(logp) * np.minimum(size, 1000) * (np.abs(q) * v).sum(1, keepdims=True)
        + np.abs(q) * v
    )
    return {
        "loss": Scaled(losses, scales)
        if reduction == "none"
        else combined(losses, scales, total, reduction),
        "softmax": Scaled(np.exp(logp), np.exp(logp) * np.minimum(size, 1000)),
        "total_weight": np.array([total]),
    }, Scaled(slopes, slope_scales)


def combined(losses, scales, total, reduction):
    divisor = total if reduction == "mean" else 1
    return Scaled(np.array([losses.sum() / divisor]), np.array([scales.sum() / divisor]))


OPTIONS = [
    (kind, weighted, smoothing, reduction)
    for kind in ("index", "prob")
    for weighted in (False, True)
    for smoothing in (0.0, 0.1, 1.0)
    for reduction in REDUCTIONS
]


def loss_arguments(n, kind, weighted):
    def arguments(draw, c):
        inputs = {"x": logits(draw, (n, c)), "index": None, "prob": None, "weight": None}
        if kind == "index":
            inputs["index"] = draw.index(c, n)
        else:
            p = draw.rng.random((n, c))
            inputs["prob"] = (p / p.sum(1, keepdims=True)).astype(draw.dtype)
        if weighted:
            inputs["weight"] = draw.uniform(c, 0.2, 2)
        return inputs

    return arguments


@pytest.mark.parametrize(("kind", "weighted", "smoothing", "reduction"), OPTIONS)
@pytest.mark.parametrize("n", [1, 7])
def test_cross_entropy_forward(kind, weighted, smoothing, reduction, n):
    def call(loss, softmax, total_weight, x, index, prob, weight):
        _kernels.cross_entropy_forward(
            loss,
            softmax,
            total_weight,
            x,
            index,
            prob,
            weight,
            IGNORED,
            smoothing,
            REDUCTIONS[reduction],
        )

    check_kernel(
        "cross_entropy_forward",
        call,
        arguments=loss_arguments(n, kind, weighted),
        reference=lambda x, index, prob, weight: cross_entropy(
            x, index, prob, weight, smoothing, reduction, IGNORED
        )[0],
        eps=tolerances.SOFTMAX,
        sizes=columns,
        values=VALUES,
    )


@pytest.mark.parametrize(("kind", "weighted", "smoothing", "reduction"), OPTIONS)
@pytest.mark.parametrize("n", [1, 7])
def test_cross_entropy_backward(kind, weighted, smoothing, reduction, n):
    forward_arguments = loss_arguments(n, kind, weighted)

    def arguments(draw, c):
        inputs = forward_arguments(draw, c)
        softmax, total_weight = np.empty((n, c), draw.dtype), np.empty(1, draw.dtype)
        loss = np.empty(n if reduction == "none" else 1, draw.dtype)
        _kernels.cross_entropy_forward(
            loss, softmax, total_weight, *inputs.values(), IGNORED, smoothing, REDUCTIONS[reduction]
        )
        kept = {"softmax": softmax, "total_weight": total_weight}
        return inputs | {"dloss": draw.normal(loss.shape)} | kept

    def call(dx, dloss, x, softmax, total_weight, index, prob, weight):
        _kernels.cross_entropy_backward(
            dx,
            dloss,
            softmax,
            total_weight,
            index,
            prob,
            weight,
            IGNORED,
            smoothing,
            REDUCTIONS[reduction],
        )

    def reference(dloss, x, softmax, total_weight, index, prob, weight):
        forward, (slopes, scales) = cross_entropy(
            x, index, prob, weight, smoothing, reduction, IGNORED
        )
        total = forward["total_weight"] if reduction == "mean" else 1
        factor = dloss[:, None] / np.where(total == 0, 1, total)  # all rows ignored: no gradient
        return {"dx": Scaled(factor * slopes, np.abs(factor) * scales)}

    check_kernel(
        "cross_entropy_backward",
        call,
        arguments=arguments,
        reference=reference,
        eps=tolerances.SOFTMAX,
        sizes=columns,
        values=VALUES,
    )


def cross_entropy_of(x, index, reduction="none", smoothing=0.0, weight=None, ignore_index=-100):
    loss = np.full(len(x) if reduction == "none" else 1, -7, x.dtype)
    softmax, total_weight = np.empty_like(x), np.empty(1, x.dtype)
    options = (ignore_index, smoothing, REDUCTIONS[reduction])
    _kernels.cross_entropy_forward(loss, softmax, total_weight, x, index, None, weight, *options)
    dx = np.full(x.shape, -7, x.dtype)
    _kernels.cross_entropy_backward(
        dx, np.ones_like(loss), softmax, total_weight, index, None, weight, *options
    )
    return loss, dx


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_an_index_outside_gives_nan_for_its_row(smoothing, isa, dtype, rng):
    x = rng.normal(size=(6, 5)).astype(dtype)
    index = np.array([0, 5, -1, 2**62, -(2**62), 4])
    loss, dx = cross_entropy_of(x, index, smoothing=smoothing)
    np.testing.assert_array_equal(np.isnan(loss), [False, True, True, True, True, False])
    assert np.isfinite(dx[[0, 5]]).all()
    assert np.isnan(cross_entropy_of(x, index, "mean", smoothing)[0]).all()


@pytest.mark.parametrize("ignore_index", [-100, 1, 5])
def test_ignored_rows_have_no_loss_and_no_gradient(ignore_index, isa, dtype, rng):
    x = rng.normal(size=(8, 5)).astype(dtype)
    index = np.array([0, ignore_index, 3, ignore_index, 2, 2, 4, 0])
    kept = index != ignore_index
    for smoothing in (0.0, 0.2):
        loss, dx = cross_entropy_of(x, index, smoothing=smoothing, ignore_index=ignore_index)
        assert (loss[~kept] == 0).all() and (dx[~kept] == 0).all()
        alone, _ = cross_entropy_of(
            x[kept], index[kept], "mean", smoothing, ignore_index=ignore_index
        )
        mean, _ = cross_entropy_of(x, index, "mean", smoothing, ignore_index=ignore_index)
        assert_close(mean, alone.astype(float), tolerances.SOFTMAX)


def test_all_ignored(isa, dtype):
    """The mean over no weight is NaN, the sum 0, as in PyTorch."""
    x, index = np.zeros((3, 4), dtype), np.full(3, -100)
    assert np.isnan(cross_entropy_of(x, index, "mean")[0]).all()
    assert (cross_entropy_of(x, index, "sum")[0] == 0).all()


def test_no_rows(isa, dtype):
    x, index = np.empty((0, 4), dtype), np.empty(0, np.int64)
    assert np.isnan(cross_entropy_of(x, index, "mean")[0]).all()
    assert (cross_entropy_of(x, index, "sum")[0] == 0).all()
    assert len(cross_entropy_of(x, index, "none")[0]) == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("c", [1, 4, 10, 37])
def test_cross_entropy_of_a_row_alone_and_in_a_batch(c, smoothing, isa, dtype, rng):
    x, index = rng.normal(size=(50, c)).astype(dtype), rng.integers(0, c, size=50)
    x[1], x[16], index[18] = np.nan, np.inf, c
    loss, dx = cross_entropy_of(x, index, smoothing=smoothing)
    for i in (0, 17, 49):
        alone = cross_entropy_of(x[i : i + 1], index[i : i + 1], smoothing=smoothing)
        assert_same_bits(alone[0], loss[i : i + 1])
        assert_same_bits(alone[1], dx[i : i + 1])


@pytest.mark.parametrize("c", [4, 40])
def test_cross_entropy_is_the_same_for_any_threads(c, isa, dtype, rng):
    x, index = rng.normal(size=(50_000 // c, c)).astype(dtype), rng.integers(0, c, 50_000 // c)
    results = []
    for threads in (1, 2, 3):
        _kernels.set_num_threads(threads)
        results.append(cross_entropy_of(x, index, "mean"))
    for loss, dx in results[1:]:
        assert_same_bits(loss, results[0][0])
        assert_same_bits(dx, results[0][1])


@pytest.mark.parametrize("c", [2, 3, 40])
def test_a_class_without_mass_adds_nothing(c, isa):
    """However far its logit is from the largest."""
    x = np.full((1, c), -3e38, np.float32)
    x[0, 0] = 3e38
    prob = np.zeros((1, c), np.float32)
    prob[0, 0] = 1
    loss, total = np.empty((), np.float32), np.empty((), np.float32)
    _kernels.cross_entropy_forward(loss, None, total, x, None, prob, None, -100, 0.0, 1)
    assert loss == 0
