"""Losses against torch: every option, values and gradients."""

import inspect

import numpy as np
import pytest
import torch

import pyml
from helpers.losses import CASES as OURS
from helpers.losses import LOSS_CASES, tensors
from parity.torch_side import assert_parity, assert_state_parity, load_from_torch, pair
from pyml import nn
from pyml.nn import functional as F

CASES = {k: v for k, v in OURS.items() if hasattr(torch.nn, v[0].module)}
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
    x, t = (np.asarray(draw(rng, shape), dtype) for draw in (loss.input, loss.target))
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
    x, t = (draw(rng, (4, 3)).astype(dtype) for draw in (loss.input, loss.target))
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
def test_names_of_arguments(case, rng):
    loss, options = case
    (tx, x), (tt, t) = pair(loss.input(rng, 3)), pair(loss.target(rng, 3))
    wanted = getattr(torch.nn.functional, loss.name)(input=tx, target=tt, **options)
    assert_parity(getattr(F, loss.name)(input=x, target=t, **options), wanted)


FACTORS = [
    *((name, ("weight",)) for name in ("mse_loss", "l1_loss", "huber_loss")),
    ("binary_cross_entropy", ("weight",)),
    *(
        ("binary_cross_entropy_with_logits", names)
        for names in (("weight",), ("pos_weight",), ("weight", "pos_weight"))
    ),
]


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize(("name", "factors"), FACTORS, ids=str)
def test_factors(name, factors, dtype, reduction, rng):
    x, t, w = (rng.uniform(0.1, 0.9, (4, 3)).astype(dtype) for _ in range(3))
    both = [pair(w if factor == "weight" else w[0]) for factor in factors]
    ours, theirs = (
        dict(zip(factors, side, strict=True)) | {"reduction": reduction}
        for side in zip(*((p, t) for t, p in both), strict=True)
    )
    check(
        lambda a, b: getattr(F, name)(a, b, **ours),
        lambda a, b: getattr(torch.nn.functional, name)(a, b, **theirs),
        *(x, t, rng, 12),
        target_gradient=True,
    )


@pytest.mark.filterwarnings("ignore:.*reduction. 'mean' divides", "ignore:kl_div")
@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("case", LOSS_CASES.values(), ids=LOSS_CASES)
def test_losses_of_several_inputs(case, dtype, reduction, rng):
    """Values, and gradients of all inputs that have one."""
    loss, options = case
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in loss.draw(rng)]
    given = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    results, leaves, texts = [], [], set()
    for library in (torch, pyml):
        inputs, named = tensors(arrays, given, library.tensor)
        leaves.append([x for i, x in enumerate(inputs) if loss.has_gradient(i)])
        for leaf in leaves[-1]:
            leaf.requires_grad_()
        module = getattr(library.nn, loss.module)(reduction=reduction, **named)
        results.append(module(*inputs))
        texts.add(str(module))
    assert len(texts) == 1
    wanted, got = results
    assert_parity(got, wanted, 20)
    tdy, dy = pair(rng.normal(size=got.shape).astype(dtype))
    wanted.backward(tdy)
    got.backward(dy)
    for theirs, ours in zip(*leaves, strict=True):
        assert_parity(ours.grad, theirs.grad, 20)


@pytest.mark.filterwarnings("ignore:size_average and reduce")
@pytest.mark.parametrize("size_average", [None, True, False])
@pytest.mark.parametrize("reduce", [None, True, False])
@pytest.mark.parametrize("name", ["mse_loss", "cross_entropy", "soft_margin_loss", "nll_loss"])
def test_deprecated_keywords(name, size_average, reduce, rng):
    (tx, x), (tt, t) = pair(rng.normal(size=(4, 3))), pair(rng.normal(size=(4, 3)))
    if name == "nll_loss":
        tt, t = pair(rng.integers(0, 3, 4))
    old = {"size_average": size_average, "reduce": reduce}
    wanted = getattr(torch.nn.functional, name)(tx, tt, **old)
    assert_parity(getattr(F, name)(x, t, **old), wanted, 12)


def test_signatures():
    """PyTorch's, but for what is ours alone."""
    for name in [*nn.loss.__all__, *(loss.name for loss, _ in (CASES | LOSS_CASES).values())]:
        home, other = (nn, torch.nn) if hasattr(nn, name) else (F, torch.nn.functional)
        if hasattr(other, name):
            ours, theirs = (
                [
                    (p.name, p.default)
                    for p in inspect.signature(getattr(h, name)).parameters.values()
                ]
                for h in (home, other)
            )
            assert ours == theirs, name


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


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize(
    ("targets", "inputs", "lengths", "blank"),
    [
        ([[1, 2, 2], [3, 1, 0]], [6, 5], [3, 2], 0),
        ([1, 2, 2, 3, 1], [6, 4], [3, 2], 0),
        ([[0, 1, 0], [3, 3, 3]], [6, 6], [3, 0], 4),
        ([[1, 1, 1], [1, 2, 3]], [4, 6], [3, 3], 0),  # the first is too short
    ],
)
def test_ctc(targets, inputs, lengths, blank, zero_infinity, reduction, dtype, rng):
    """Behind log_softmax: the gradient of PyTorch's function alone is another, see ctc_loss."""
    options = {"blank": blank, "reduction": reduction, "zero_infinity": zero_infinity}
    tx, x = pair(rng.normal(size=(6, 2, 5)).astype(dtype), requires_grad=True)
    got, wanted = (
        m.nn.CTCLoss(**options)(
            z.log_softmax(2), m.tensor(targets), m.tensor(inputs), m.tensor(lengths)
        )
        for m, z in ((pyml, x), (torch, tx))
    )
    assert_parity(got, wanted, 10)
    if wanted.isfinite().all():
        wanted.sum().backward()
        got.sum().backward()
        assert_parity(x.grad, tx.grad, 10)


@DTYPES
@REDUCTIONS
def test_ctc_of_one_sequence(reduction, dtype, rng):
    tx, x = pair(rng.normal(size=(6, 4)).astype(dtype), requires_grad=True)
    got, wanted = (
        m.nn.functional.ctc_loss(
            z.log_softmax(1), m.tensor([1, 2]), m.tensor(6), m.tensor(2), reduction=reduction
        )
        for m, z in ((pyml, x), (torch, tx))
    )
    assert_parity(got, wanted, 10)
    wanted.backward()
    got.backward()
    assert_parity(x.grad, tx.grad, 10)


@DTYPES
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("outputs", [(), (2, 3)])
@pytest.mark.parametrize("options", [{}, {"ignore_index": 1}, {"label_smoothing": 0.1}])
def test_linear_cross_entropy(options, outputs, bias, dtype, rng):
    reference = torch.nn.LinearCrossEntropyLoss(
        7, 4, out_features=outputs, bias=bias, dtype=getattr(torch, dtype), **options
    )
    module = nn.LinearCrossEntropyLoss(
        7, 4, out_features=outputs, bias=bias, dtype=getattr(pyml, dtype), **options
    )
    load_from_torch(module, reference)
    assert str(module) == str(reference)
    check(
        module,
        reference,
        rng.normal(size=(5, 7)).astype(dtype),
        rng.integers(0, 4, (5, *outputs)),
        rng,
        20,
    )
    assert_state_parity(module, reference, 20)
    if "ignore_index" not in options:
        shares = rng.dirichlet(np.ones(4), (5, *outputs)).astype(dtype)
        check(
            module,
            reference,
            rng.normal(size=(5, 7)).astype(dtype),
            np.moveaxis(shares, -1, 1),
            rng,
            20,
        )


@DTYPES
@pytest.mark.parametrize("head_bias", [False, True])
@pytest.mark.parametrize("cutoffs", [[4, 10], [1], [19]])
def test_adaptive_log_softmax(cutoffs, head_bias, dtype, rng):
    made = {"cutoffs": cutoffs, "div_value": 2.0, "head_bias": head_bias}
    reference = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 20, **made, dtype=getattr(torch, dtype))
    module = nn.AdaptiveLogSoftmaxWithLoss(8, 20, **made, dtype=getattr(pyml, dtype))
    load_from_torch(module, reference)
    assert str(module) == str(reference)
    for part in range(2):
        x, target = rng.normal(size=(9, 8)).astype(dtype), rng.integers(0, 20, 9)
        ours, theirs = (lambda x, t, m=m, part=part: m(x, t)[part] for m in (module, reference))
        check(ours, theirs, x, target, rng, 8)
        assert_state_parity(module, reference, 20)
    tx, x = pair(rng.normal(size=(9, 8)).astype(dtype))
    assert_parity(module.log_prob(x), reference.log_prob(tx), 8)
    assert module.predict(x).tolist() == reference.predict(tx).tolist()
