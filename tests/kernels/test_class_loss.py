"""nll and multi_margin: scores and a class, or labels, for each sample."""

import numpy as np
import pytest

from helpers import tolerances
from helpers.losses import REDUCTIONS
from helpers.sweep import KERNEL, Scaled, check_kernel, columns_around_lanes
from pyml import _kernels

IGNORED, MARGIN = 2, 0.7
KINDS = [("nll", 1, inner) for inner in (1, 3)] + [("multi_margin", p, 1) for p in (1, 2)]
OPTIONS = [(*kind, weighted, r) for kind in KINDS for weighted in (False, True) for r in REDUCTIONS]
LABELS = ("labels", 1, 1)  # multi_margin of many
KERNELS = {"nll": "nll", "multi_margin": "multi_margin", "labels": "multi_margin"}
OPTIONS += [(*LABELS, False, r) for r in REDUCTIONS]


def factors(kind, x, index, weight):
    """w[y] of each sample, 0 for one that is ignored."""
    w = np.ones(x.shape[1], x.dtype) if weight is None else weight
    return w[index] * (index != IGNORED) if kind == "nll" else w[index]


def is_class(x, index):
    return np.arange(x.shape[1])[:, None] == index[:, None]  # (n, c, inner)


def of_class(x, index):
    return (x * is_class(x, index)).sum(1)


def losses(kind, p, x, index, weight):
    """Of each sample the loss, the scale of its errors, what it adds to the divisor of the mean,
    and the derivatives with theirs."""
    if kind == LABELS[0]:
        return of_labels(x[..., 0], index[:, 0])
    w = factors(kind, x, index, weight)
    if kind == "nll":
        loss = -w * of_class(x, index)
        slopes = -w[:, None] * is_class(x, index)
        return loss, np.abs(loss), w, slopes, np.abs(slopes)
    c = x.shape[1]
    z = np.where(is_class(x, index), 0, np.maximum(MARGIN - of_class(x, index)[:, None] + x, 0))
    size = np.abs(x) + np.abs(of_class(x, index))[:, None] + MARGIN  # of the roundings of z
    each, slopes = (z, 1.0 * (z > 0)) if p == 1 else (z * z, 2 * z)
    scale = size * (z > 0) if p == 1 else 2 * size * z
    slope_scale = slopes if p == 1 else 2 * size * (z > 0)
    sums = [np.where(is_class(x, index), s.sum(1, keepdims=True), s) for s in (slopes, slope_scale)]
    sums[0] = np.where(is_class(x, index), -1, 1) * sums[0]
    factor = w[:, None] / c
    return (
        w * each.sum(1) / c,
        w * scale.sum(1) / c,
        np.ones_like(w),
        factor * sums[0],
        factor * sums[1],
    )


def of_labels(x, index):
    """The same; z is (n, label, class)."""
    c = x.shape[1]
    before_end = np.cumprod(index != -1, 1)[..., None]
    times = ((index[..., None] == np.arange(c)) * before_end).sum(1)  # a label is among a row's
    pairs = times[:, :, None] * (times == 0)[:, None] / c
    z = np.maximum(MARGIN - x[:, :, None] + x[:, None], 0)
    size = (np.abs(x)[:, :, None] + np.abs(x)[:, None] + MARGIN) * (z > 0)
    slopes = pairs * (z > 0)
    loss, scale = ((pairs * each).sum((1, 2))[:, None] for each in (z, size))
    slopes = (slopes.sum(1) - slopes.sum(2))[..., None]
    return loss, scale, np.ones_like(loss), slopes, np.abs(slopes)


def arguments_of(kind, n, inner, weighted):
    def index(draw, c):
        if kind != LABELS[0]:
            return draw.index(c, (n, inner))
        return draw.index(c + 1, (n, 1, c)) - 1

    def arguments(draw, c):
        return {
            "x": draw((n, c, inner)),
            "index": index(draw, c),
            "weight": draw.uniform(c, 0.5, 2) if weighted else None,
        }

    return arguments


def reduced(values, total, reduction):
    if reduction == "none":
        return values
    return np.array([values.sum() / (total if reduction == "mean" else 1)])


def forward_reference(kind, p, reduction):
    def reference(x, index, weight):
        loss, scale, weights, *_ = losses(kind, p, x, index, weight)
        total = weights.sum()
        return {
            "loss": Scaled(reduced(loss, total, reduction), reduced(scale, total, reduction)),
            "total_weight": np.array([total]),
        }

    return reference


def check_forward(kind, p, inner, weighted, reduction, n, **options):
    def call(loss, total_weight, x, index, weight=None):
        _kernels.class_loss_forward(
            KERNEL[f"{KERNELS[kind]}_forward"],
            *(loss, total_weight, x, index, weight, IGNORED, MARGIN, p, REDUCTIONS[reduction]),
        )

    check_kernel(
        f"{KERNELS[kind]}_forward",
        call,
        arguments=arguments_of(kind, n, inner, weighted),
        reference=forward_reference(kind, p, reduction),
        eps=tolerances.NORMALISED,
        **options,
    )


@pytest.mark.parametrize(("kind", "p", "inner", "weighted", "reduction"), OPTIONS)
@pytest.mark.parametrize("n", [1, 7])
def test_forward(kind, p, inner, weighted, reduction, n):
    check_forward(kind, p, inner, weighted, reduction, n, sizes=columns)


def columns(lanes):
    return columns_around_lanes(lanes)[1:]


def check_backward(kind, p, inner, weighted, reduction, n, **options):
    forward_arguments = arguments_of(kind, n, inner, weighted)

    def arguments(draw, c):
        inputs = forward_arguments(draw, c)
        total = losses(kind, p, *inputs.values())[2].sum()
        shape = (n, inner) if reduction == "none" else (1,)
        total = np.array([total or 1], draw.dtype)  # not 0, where all are ignored
        return inputs | {"total_weight": total, "dloss": draw.normal(shape)}

    def call(dx, dloss, total_weight, x, index, weight=None):
        _kernels.class_loss_backward(
            KERNEL[f"{KERNELS[kind]}_backward"],
            *(dx, dloss, total_weight, None if kind == "nll" else x, index, weight),
            *(IGNORED, MARGIN, p, REDUCTIONS[reduction]),
        )

    def reference(x, index, weight, total_weight, dloss):
        *_, slopes, scales = losses(kind, p, x, index, weight)
        g = dloss[:, None] if reduction == "none" else dloss[0]
        g = g / total_weight[0] if reduction == "mean" else g
        return {"dx": Scaled(g * slopes, np.abs(g) * scales)}

    check_kernel(
        f"{KERNELS[kind]}_backward",
        call,
        arguments=arguments,
        reference=reference,
        eps=tolerances.NORMALISED,
        **options,
    )


@pytest.mark.parametrize(("kind", "p", "inner", "weighted", "reduction"), OPTIONS)
@pytest.mark.parametrize("n", [1, 7])
def test_backward(kind, p, inner, weighted, reduction, n):
    check_backward(kind, p, inner, weighted, reduction, n, sizes=columns)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("kind", "p", "inner", "n"), [*((*k, 30_000 // k[2]) for k in KINDS), (*LABELS, 1000)]
)
@pytest.mark.parametrize("check", [check_forward, check_backward])
def test_among_threads(check, kind, p, inner, n, reduction):
    options = {"sizes": lambda lanes: [20], "values": ("normal",)}
    check(kind, p, inner, kind != LABELS[0], reduction, n, **options)


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("bad", [-1, 5, 2**40, -(2**40)])
def test_no_class_gives_nan_for_its_sample(kind, bad, isa, dtype, rng):
    x = rng.normal(size=(3, 5, 1)).astype(dtype)
    index = np.array([[0], [bad], [4]])
    if kind == LABELS[0]:
        none = -2 if bad == -1 else bad  # -1 ends the labels
        index = np.array([[[0, -1, bad, 9, 9]], [[2, none, 1, 1, 1]], [[4, 3, 2, 1, 0]]])
    loss, total, dx = np.empty((3, 1), dtype), np.empty(1, dtype), np.empty_like(x)
    rest = (None, -100, MARGIN, 2, REDUCTIONS["none"])
    _kernels.class_loss_forward(KERNEL[f"{KERNELS[kind]}_forward"], loss, total, x, index, *rest)
    _kernels.class_loss_backward(
        KERNEL[f"{KERNELS[kind]}_backward"], dx, np.ones_like(loss), total, x, index, *rest
    )
    assert np.isnan(loss[1]).all() and np.isfinite(loss[[0, 2]]).all()
    assert np.isnan(dx[1]).all() and np.isfinite(dx[[0, 2]]).all()


def test_no_classes(isa, dtype):
    nothing, loss, total = np.empty((2, 0, 1), dtype), np.empty(1, dtype), np.empty(1, dtype)
    rest = np.zeros((2, 1), np.int64), None, -100, 0, 1, REDUCTIONS["sum"]
    _kernels.class_loss_forward(KERNEL["nll_forward"], loss, total, nothing, *rest)
    assert loss == 0 and total == 0


@pytest.mark.parametrize("p", [1, 2])
def test_a_margin_just_met_has_no_slope(p, isa, dtype):
    """As in PyTorch."""
    x, dx = np.zeros((1, 5, 1), dtype), np.full((1, 5, 1), np.nan, dtype)
    one, index = np.ones(1, dtype), np.array([[3]])
    rest = (None, -100, 0.0, p, REDUCTIONS["sum"])
    _kernels.class_loss_backward(KERNEL["multi_margin_backward"], dx, one, one, x, index, *rest)
    assert (dx == 0).all()
