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

    return Case(f"{name} {reduction}", of, reference, shapes, eps=tolerances.summed(12))


test_values, test_layouts, test_gradients = tests_of(list(cases()))

EACH = pytest.mark.parametrize("loss", PAIR_LOSSES, ids=lambda loss: loss.name)


def drawn(loss, rng, shape):
    """Input and target."""
    return pyml.tensor(rng.standard_normal(shape)), pyml.tensor(np.array(loss.target(rng, shape)))


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_target_of_another_shape_is_broadcast_with_a_warning(loss, reduction, rng):
    function = getattr(ops, loss.name)
    x, _ = drawn(loss, rng, (4, 3))
    _, t = drawn(loss, rng, (3,))
    with pytest.warns(UserWarning, match=rf"{loss.name}: target has shape \(3,\), input \(4, 3\)"):
        got = function(x, t, reduction=reduction)
    assert_same_bits(got.numpy(), function(x, t.expand(4, 3), reduction=reduction).numpy())
    with pytest.raises(ValueError, match=f"{loss.name}: shapes"), pytest.warns(UserWarning):
        function(x, pyml.ones(2, dtype=x.dtype))


@EACH
def test_dtypes(loss, rng):
    """A target of integers takes the input's dtype, one of another precision the larger of both."""
    function = getattr(ops, loss.name)
    x = pyml.tensor(rng.standard_normal(5), dtype=pyml.float32)
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


def test_weights_divide_the_mean(rng):
    x, t, w = (pyml.tensor(rng.uniform(0.5, 2, (4, 3)), requires_grad=True) for _ in range(3))
    squares = (x.detach() - t.detach()).square()
    for reduction, wanted in [
        ("none", w.detach() * squares),
        ("sum", (w.detach() * squares).sum()),
        ("mean", (w.detach() * squares).sum() / w.detach().sum()),
    ]:
        got = ops.mse_loss(x, t, reduction, w)
        np.testing.assert_allclose(got.detach().numpy(), wanted.numpy(), rtol=1e-14)
        assert pyml.autograd.gradcheck(
            lambda x, t, w, how=reduction: ops.mse_loss(x, t, how, w), (x, t, w)
        )


def test_the_table_has_every_function():
    listed = " ".join(row for family, _, row in names.ROWS if family is pair_loss)
    assert sorted(listed.split()) == sorted(loss.name for loss in PAIR_LOSSES)
