"""Values, layouts, first and second derivatives of each row of helpers.losses."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.losses import CASES, PAIR_LOSSES, REDUCTIONS
from ops.cases import Case, tests_of
from pyml import ops
from pyml.ops import names, pair_loss

SHAPES = [(), (7,), (4, 3)]


def cases():
    for name, (loss, options) in CASES.items():
        for reduction in REDUCTIONS:
            for shape in SHAPES:
                yield case_of(name, loss, options, reduction, shape)


def case_of(name, loss, options, reduction, shape):
    function = getattr(ops, loss.name)
    shapes, constant = (shape, shape), ()
    if loss.signs:
        shapes, constant = (shape,), (loss.target(np.random.default_rng(2), shape),)

    def of(*tensors):
        dtype = tensors[0].dtype
        targets = [pyml.tensor(np.asarray(t, dtype)) for t in constant]
        return function(*tensors, *targets, reduction=reduction, **options)

    def reference(*arrays):
        return loss.reduced(*arrays, *constant, reduction, **options)

    eps = tolerances.summed(12)
    return Case(f"{name} {reduction}", of, reference, shapes, draw=loss.input, eps=eps)


test_values, test_layouts, test_gradients = tests_of(list(cases()))

EACH = pytest.mark.parametrize("loss", PAIR_LOSSES, ids=lambda loss: loss.name)


def drawn(loss, rng, shape):
    """Input and target."""
    return pyml.tensor(loss.input(rng, shape)), pyml.tensor(np.array(loss.target(rng, shape)))


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_target_of_another_shape_is_broadcast_with_a_warning(loss, reduction, rng):
    function = getattr(ops, loss.name)
    x, _ = drawn(loss, rng, (4, 3))
    _, t = drawn(loss, rng, (3,))
    if loss.same_shape:
        with pytest.raises(ValueError, match=rf"{loss.name}: target has shape \(3,\), it must be"):
            function(x, t, reduction=reduction)
        return
    with pytest.warns(UserWarning, match=r"Using a target size \(\(3,\)\) that is different"):
        got = function(x, t, reduction=reduction)
    assert_same_bits(got.numpy(), function(x, t.expand(4, 3), reduction=reduction).numpy())
    with pytest.raises(ValueError, match=f"{loss.name}: shapes"), pytest.warns(UserWarning):
        function(x, pyml.ones(2, dtype=x.dtype))


@EACH
def test_dtypes(loss, rng):
    """A target of integers takes the input's dtype, one of another precision the larger of both."""
    function = getattr(ops, loss.name)
    x = pyml.tensor(loss.input(rng, 5), dtype=pyml.float32)
    ones = np.ones(5)
    for target in (np.int64, np.uint8, bool, np.float32):
        y = function(x, pyml.tensor(ones.astype(target)))
        assert y.dtype == pyml.float32
        assert y.item() == function(x, pyml.ones(5)).item()
    wide = function(x, pyml.tensor(ones))
    if loss.signs:
        assert wide.dtype == pyml.float32
    else:
        assert wide.dtype == pyml.float64
        assert wide.item() == function(x.double(), pyml.tensor(ones)).item()


@EACH
def test_errors(loss):
    function, x = getattr(ops, loss.name), pyml.ones(3)
    with pytest.raises(TypeError, match=f"{loss.name}: input must be a Tensor, not list"):
        function([1.0], x)
    with pytest.raises(TypeError, match=f"{loss.name}: target must be a Tensor, not float"):
        function(x, 1.0)
    with pytest.raises(TypeError, match=f"{loss.name}: input has dtype int64"):
        function(pyml.tensor([1]), x)
    for reduction in ("avg", None, 1):
        with pytest.raises(ValueError, match=f"{loss.name}: reduction is {reduction!r}, it must"):
            function(x, x, reduction=reduction)


@EACH
def test_options(loss):
    for name in loss.options[0]:
        with pytest.raises(TypeError, match=f"{loss.name}: {name} must be a number, not str"):
            getattr(ops, loss.name)(pyml.ones(3), pyml.ones(3), **{name: "1"})
    for options, message in loss.refused:
        with pytest.raises(ValueError, match=f"{loss.name}: {message}"):
            getattr(ops, loss.name)(pyml.ones(3), pyml.ones(3), **options)


WEIGHTED = [loss for loss in PAIR_LOSSES if loss.weights_divide is not None]


@pytest.mark.parametrize("loss", WEIGHTED, ids=lambda loss: loss.name)
def test_weights(loss, rng):
    function = getattr(ops, loss.name)
    x, t, w = (pyml.tensor(rng.uniform(0.1, 0.9, (4, 3)), requires_grad=True) for _ in range(3))
    weighted = (function(x, t, reduction="none") * w).detach()
    divisor = w.detach().sum() if loss.weights_divide else 12
    for reduction, wanted in [
        ("none", weighted),
        ("sum", weighted.sum()),
        ("mean", weighted.sum() / divisor),
    ]:
        got = function(x, t, reduction=reduction, weight=w)
        np.testing.assert_allclose(got.detach().numpy(), wanted.numpy(), rtol=1e-14)
        assert pyml.autograd.gradcheck(
            lambda x, t, w, how=reduction: function(x, t, reduction=how, weight=w), (x, t, w)
        )
    if loss.same_shape:
        a, b = (function(x, t, weight=v) for v in (w[0], w[:1].expand(4, 3)))
        assert a.item() == b.item()
    else:
        with pytest.raises(
            ValueError, match=r"weight has shape \(3,\), it must be that of the inp"
        ):
            function(x, t, weight=w[0])


def test_probabilities_out_of_range():
    t = pyml.zeros(2)
    for numbers in ([0.5, 1.5], [-0.5, 0.5], [0.5, np.nan]):
        for reduction in REDUCTIONS:
            with pytest.raises(ValueError, match=r"input has numbers from .* between 0 and 1"):
                ops.binary_cross_entropy(pyml.tensor(numbers), t, reduction=reduction)
    x = pyml.tensor([0.0, 1.0], requires_grad=True)
    loss = ops.binary_cross_entropy(x, 1 - x.detach(), reduction="none")
    assert loss.tolist() == [100, 100]
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [-1e12, 1e12], rtol=1e-6)


@pytest.mark.parametrize("positive", [None, 2.0])
def test_logits_far_out(positive, dtype):
    x = pyml.tensor(np.array([1e4, -1e4, 1e4, -1e4], dtype), requires_grad=True)
    weight = None if positive is None else pyml.full((), positive, dtype=dtype)
    t = pyml.tensor([1, 1, 0, 0])
    y = ops.binary_cross_entropy_with_logits(x, t, pos_weight=weight, reduction="none")
    y.sum().backward()
    p = positive or 1
    assert y.tolist() == [0, p * 1e4, 1e4, 0] and x.grad.tolist() == [0, -p, 1, 0]


def test_the_table_has_every_function():
    listed = " ".join(row for family, _, row in names.ROWS if family is pair_loss)
    assert sorted(listed.split()) == sorted(loss.name for loss in PAIR_LOSSES)
