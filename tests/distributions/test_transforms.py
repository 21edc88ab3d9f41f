"""Transforms: inverses, determinants by differences, caches, and derivatives."""

import copy
import math
import pickle

import numpy as np
import pytest

import pyml
from distributions.cases import TRANSFORMS
from pyml import distributions as d
from pyml.autograd import grad, gradcheck, gradgradcheck

ids = [f"{name}{arguments}".replace(" ", "") for name, arguments, _ in TRANSFORMS]
each = pytest.mark.parametrize(("name", "arguments", "values"), TRANSFORMS, ids=ids)
BIJECTIONS = [row for row in TRANSFORMS if getattr(d, row[0]).bijective]


@each
def test_inverse_and_gradients(name, arguments, values):
    transform = getattr(d, name)(*arguments)
    x = pyml.tensor(values, dtype=pyml.float64, requires_grad=True)
    y = transform(x)
    again = transform(transform.inv(y))
    np.testing.assert_allclose(again.detach().numpy(), y.detach().numpy(), rtol=1e-9, atol=1e-12)
    assert gradcheck(transform, [x]) and gradgradcheck(transform, [x])
    assert gradcheck(transform.inv, [y.detach().requires_grad_()])
    assert transform == getattr(d, name)(*arguments) and transform == copy.deepcopy(transform)
    assert transform != d.identity_transform and transform.inv != transform
    assert hash(transform) == hash(getattr(d, name)(*arguments))
    assert pickle.loads(pickle.dumps(transform)) == transform
    assert repr(transform).startswith(name)


@pytest.mark.parametrize("row", BIJECTIONS, ids=lambda row: f"{row[0]}{row[1]}".replace(" ", ""))
def test_determinants(row):
    """log |dy / dx| by the derivatives of each number of the result."""
    name, arguments, values = row
    transform = getattr(d, name)(*arguments)
    events = transform.domain.event_dim
    x = pyml.tensor(values, dtype=pyml.float64, requires_grad=True)
    y = transform(x)
    got = transform.log_abs_det_jacobian(x, y).detach().numpy().reshape(-1)
    parts = [x] if events == 0 else x.reshape((-1, *x.shape[x.ndim - events :])).unbind(0)
    wanted = []
    for part in parts:
        part = part.detach().reshape(-1).requires_grad_()
        shape = x.shape[x.ndim - events :] if events else (-1,)
        out = transform(part.reshape(shape))
        if name == "CorrCholeskyTransform":
            out = out[np.tril_indices(3, -1)]
        out = out.reshape(-1)[: part.numel()]  # K of K + 1 for a simplex
        rows = [grad(number, part, retain_graph=True)[0].numpy() for number in out.unbind(0)]
        if events:
            wanted.append(np.linalg.slogdet(np.stack(rows))[1])
        else:
            wanted += np.log(np.abs(np.diag(np.stack(rows)))).tolist()
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_caches():
    x = pyml.tensor([-20.0, 20.0])
    plain, cached = d.TanhTransform(), d.TanhTransform(cache_size=1)
    assert not plain.inv(plain(x)).isfinite().all()
    assert cached.inv(cached(x)) is x
    assert cached.with_cache(1) is cached and cached.with_cache(0) == plain
    chain = d.ComposeTransform([d.TanhTransform(), d.AffineTransform(0.0, 2.0)], cache_size=1)
    assert chain.inv(chain(x)) is x
    y = chain.inv(pyml.tensor([0.5]))
    assert chain(y).tolist() == [0.5]


def test_infinite_shares():
    """All of a stick, or nothing, is taken; gradients are finite."""
    for transform, x, wanted in (
        (d.StickBreakingTransform(), [math.inf, 0.0], [1, 0, 0]),
        (d.StickBreakingTransform(), [-math.inf, math.inf], [0, 1, 0]),
        (d.CorrCholeskyTransform(), [math.inf], [[1, 0], [1, 0]]),
        (d.CorrCholeskyTransform(), [0.0, -math.inf, 0.0], [[1, 0, 0], [0, 1, 0], [-1, 0, 0]]),
    ):
        x = pyml.tensor(x, requires_grad=True)
        y = transform(x)
        assert y.tolist() == wanted
        assert not grad(y.sum(), x)[0].isnan().any()
    jacobian = d.StickBreakingTransform().log_abs_det_jacobian
    x = pyml.tensor([-math.inf, 0.0])
    assert jacobian(x, d.StickBreakingTransform()(x)).item() == -math.inf


def test_parts_of_one_event():
    """The determinants of stacked parts of an event are summed: PyTorch 2.13 fails there."""
    base = d.Normal(pyml.zeros(3, 2), 1.0)
    stacked = d.TransformedDistribution(base, d.StackTransform([d.ExpTransform()] * 2, -1))
    assert stacked.event_shape == (2,) and stacked.batch_shape == (3,)
    value = stacked.sample((4,))
    single = d.TransformedDistribution(base, d.ExpTransform())
    np.testing.assert_allclose(
        stacked.log_prob(value).numpy(), single.log_prob(value).sum(-1).numpy(), rtol=1e-6
    )


def test_transforms_that_broadcast_have_draws_of_their_own():
    shift = d.AffineTransform(pyml.tensor([0.0, 1.0, 2.0]), 1.0)
    moved = d.TransformedDistribution(d.Normal(0.0, 1.0), shift)
    assert moved.batch_shape == moved.base_dist.batch_shape == (3,)
    assert len(set((moved.sample() - shift.loc).tolist())) == 3


def test_decreasing_transforms_turn_the_cdf():
    turned = d.TransformedDistribution(d.Exponential(1.0), d.AffineTransform(0.0, -2.0))
    value = pyml.tensor([-1.0])
    assert turned.cdf(value).item() == pytest.approx(math.exp(-0.5))
    assert turned.icdf(turned.cdf(value)).item() == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
            TypeError,
            "must be a Transform",
        ),
        (lambda: d.ComposeTransform([3]), TypeError, "a int among the transforms"),
        (lambda: d.CatTransform([d.ExpTransform()], 0, [1, 2]), ValueError, "2 lengths for 1"),
        (lambda: d.StackTransform([d.ExpTransform()])(pyml.ones(2)), ValueError, "size 2 in"),
        (lambda: d.CatTransform([d.ExpTransform()])(pyml.ones(2)), ValueError, "size 2 in"),
        (
            lambda: d.IndependentTransform(d.ExpTransform(), 2)(pyml.ones(2)),
            ValueError,
            "at least 2 are needed",
        ),
        (
            lambda: d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform()),
            ValueError,
            "need 1 dimensions",
        ),
        (lambda: d.ReshapeTransform((2,), (1, 2)).forward_shape((3,)), ValueError, "must end in"),
        (lambda: d.CorrCholeskyTransform()(pyml.ones(4)), ValueError, "1, 3, 6, 10"),
        (lambda: d.CorrCholeskyTransform().inverse_shape((2, 3)), ValueError, "as many rows"),
        (lambda: d.biject_to.register(3, abs), TypeError, "must be a Constraint"),
        (lambda: d.Transform()(pyml.ones(2)), NotImplementedError, "_call is not there"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()
