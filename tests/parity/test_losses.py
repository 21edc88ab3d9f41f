"""Losses against torch: every option, values and gradients."""

import numpy as np
import pytest
import torch

import pyml
from helpers.losses import CASES
from parity.torch_side import assert_parity, pair
from pyml import nn
from pyml.nn import functional as F

EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
CLASSES = 6
# shape of the logits, shape of the class indices
SHAPES = [
    ((5, CLASSES), (5,)),
    ((CLASSES,), ()),
    ((4, CLASSES, 3), (4, 3)),
    ((2, CLASSES, 3, 2), (2, 3, 2)),
]


def check(module, reference, x, target, rng, k, target_gradient=False):
    """Value and gradients of module(x, target)."""
    tx, x = pair(x, requires_grad=True)
    tt, t = pair(target, requires_grad=target_gradient)
    wanted, got = reference(tx, tt), module(x, t)
    assert_parity(got, wanted, k)
    tdy, dy = pair(rng.normal(size=got.shape).astype(x.dtype))
    wanted.backward(tdy)
    got.backward(dy)
    assert_parity(x.grad, tx.grad, k)
    if target_gradient:
        assert_parity(t.grad, tt.grad, k)


def both(name, dtype, weight=None, **kwargs):
    """The module in pyml and in torch."""
    tweight, pweight = (None, None) if weight is None else pair(weight.astype(dtype))
    if weight is not None:
        return getattr(nn, name)(pweight, **kwargs), getattr(torch.nn, name)(tweight, **kwargs)
    return getattr(nn, name)(**kwargs), getattr(torch.nn, name)(**kwargs)


@EACH
@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (300, 70), ()])
@pytest.mark.parametrize("target_gradient", [False, True])
def test_pairs(case, dtype, reduction, shape, target_gradient, rng):
    loss, options = case
    module, reference = both(loss.module, dtype, reduction=reduction, **options)
    x, t = rng.normal(size=shape).astype(dtype), np.asarray(loss.target(rng, shape), dtype)
    check(
        *(module, reference, x, t, rng, max(np.prod(shape), 1)),
        target_gradient=target_gradient and not loss.signs,
    )


@EACH
@DTYPES
@REDUCTIONS
def test_second_derivatives_of_pairs(case, dtype, reduction, rng):
    """Of a sum of first derivatives, by the input, the target and what backward begins with."""
    loss, options = case
    module, reference = both(loss.module, dtype, reduction=reduction, **options)
    x, t = rng.normal(size=(4, 3)).astype(dtype), loss.target(rng, (4, 3)).astype(dtype)
    dy = rng.normal(size=(4, 3) if reduction == "none" else ()).astype(dtype)
    inputs = [(x, True), (t, not loss.signs), (dy, True)]
    tensors = [pair(array, requires_grad) for array, requires_grad in inputs]
    wanted, got = (
        second_derivatives(grad, f, *side)
        for grad, f, side in zip(
            (torch.autograd.grad, pyml.autograd.grad),
            (reference, module),
            zip(*tensors, strict=True),
            strict=True,
        )
    )
    for a, b in zip(got, wanted, strict=True):
        assert_parity(a, b, x.size)


def second_derivatives(grad, f, x, t, dy):
    """First derivatives by x and t, and those of a number made of them, by dy too."""
    leaves = [leaf for leaf in (x, t) if leaf.requires_grad]
    first = grad(f(x, t), leaves, dy, create_graph=True)
    total = sum(dx.sin().sum() * (k + 1) for k, dx in enumerate(first))
    second = grad(total, [*leaves, dy], materialize_grads=True)
    return [*first, *(dx.clone() for dx in second)]  # torch's gradients of zeros have no memory


@EACH
def test_repr_of_pairs_begins_as_in_torch(case):
    loss, _ = case
    assert repr(getattr(nn, loss.module)()) == repr(getattr(torch.nn, loss.module)())


@EACH
def test_names_of_arguments(case, rng):
    loss, options = case
    (tx, x), (tt, t) = pair(rng.normal(size=3)), pair(loss.target(rng, 3))
    wanted = getattr(torch.nn.functional, loss.name)(input=tx, target=tt, **options)
    assert_parity(getattr(F, loss.name)(input=x, target=t, **options), wanted)


@DTYPES
@REDUCTIONS
def test_mse_weight(dtype, reduction, rng):
    x, t, w = (rng.normal(size=(4, 3)).astype(dtype) for _ in range(3))
    w = np.abs(w)
    tw, pw = pair(w)
    check(
        lambda a, b: F.mse_loss(a, b, reduction=reduction, weight=pw),
        lambda a, b: torch.nn.functional.mse_loss(a, b, reduction=reduction, weight=tw),
        x,
        t,
        rng,
        12,
    )


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [-100, 2, 255])
@pytest.mark.parametrize("shapes", SHAPES)
def test_cross_entropy_of_classes(
    dtype, reduction, label_smoothing, weighted, ignore_index, shapes, rng
):
    module, reference = both(
        "CrossEntropyLoss",
        dtype,
        rng.uniform(0.5, 2, CLASSES) if weighted else None,
        reduction=reduction,
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
    )
    x = rng.normal(size=shapes[0]).astype(dtype) * 3
    target = rng.integers(CLASSES, size=shapes[1])
    if target.ndim:
        target.flat[1] = ignore_index
        target.flat[0] = 1
    elif ignore_index == 2:
        target = np.array(3)
    check(module, reference, x, target, rng, CLASSES)


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [shape for shape, _ in SHAPES])
@pytest.mark.parametrize("target_gradient", [False, True])
def test_cross_entropy_of_probabilities(
    dtype, reduction, label_smoothing, weighted, shape, target_gradient, rng
):
    module, reference = both(
        "CrossEntropyLoss",
        dtype,
        rng.uniform(0.5, 2, CLASSES) if weighted else None,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    x = rng.normal(size=shape).astype(dtype) * 3
    axis = 0 if len(shape) == 1 else 1
    target = rng.uniform(0, 1, shape)
    target = (target / target.sum(axis, keepdims=True)).astype(dtype)
    check(module, reference, x, target, rng, CLASSES, target_gradient)


@DTYPES
def test_cross_entropy_of_large_logits(dtype, rng):
    module, reference = both("CrossEntropyLoss", dtype, reduction="none")
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4 - 1]], dtype)
    for target in ([0, 1, 2], [1, 0, 0]):
        check(module, reference, x, np.array(target), rng, 3)


@DTYPES
def test_cross_entropy_of_a_large_batch(dtype, rng):
    module, reference = both("CrossEntropyLoss", dtype, label_smoothing=0.1)
    check(
        module,
        reference,
        rng.normal(size=(2000, 100)).astype(dtype),
        rng.integers(100, size=2000),
        rng,
        2000,
    )


@REDUCTIONS
@pytest.mark.parametrize("size", [0, 3])
def test_everything_ignored_or_nothing_there(reduction, size):
    module, reference = both("CrossEntropyLoss", "float64", reduction=reduction)
    tx, x = pair(np.zeros((size, 4)), requires_grad=True)
    tt, t = pair(np.full(size, -100))
    assert_parity(module(x, t), reference(tx, tt))
    module, reference = both("MSELoss", "float64", reduction=reduction)
    if size == 0:
        assert_parity(module(x, x * 1), reference(tx, tx * 1))


def test_integer_dtypes_of_targets(rng):
    x = rng.normal(size=(5, 4))
    for dtype in ("int64", "int32", "uint8"):
        target = np.array([0, 3, 1, 2, 2], dtype)
        wanted = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(target).long())
        assert_parity(F.cross_entropy(input=pair(x)[1], target=pair(target)[1]), wanted)
