"""Dual tensors: their tangents are the derivatives along a direction."""

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.autograd import forward_ad

RNG = np.random.default_rng(0)
X, V = RNG.normal(size=(2, 3, 4))


def test_tangents_are_those_of_jvp():
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    x, v = pyml.tensor(X), pyml.tensor(V)
    wanted = pyml.func.jvp(model, (x,), (v,))
    with forward_ad.dual_level():
        y = model(forward_ad.make_dual(x, v))
        got = forward_ad.unpack_dual(y)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


def test_tangents_of_several():
    x, v = pyml.tensor(X), pyml.tensor(V)
    with forward_ad.dual_level():
        a, b = forward_ad.make_dual(x, v), forward_ad.make_dual(v, x)
        primal, tangent = forward_ad.unpack_dual(a * b)
        assert forward_ad.unpack_dual(a).tangent.tolist() == v.tolist()
    np.testing.assert_allclose(tangent.numpy(), V * V + X * X, rtol=1e-12)
    assert primal.tolist() == (x * v).tolist()
    assert not (primal.requires_grad or tangent.requires_grad)


def test_what_has_no_tangent():
    x = pyml.ones(2, requires_grad=True)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(pyml.ones(2), pyml.ones(2))
        assert forward_ad.unpack_dual(x * 2).tangent is None
        assert forward_ad.unpack_dual(pyml.ones(2)).tangent is None
        assert forward_ad.unpack_dual(dual.detach()).tangent is None
        assert forward_ad.unpack_dual(dual * 0 + 1).tangent.tolist() == [0, 0]
    assert forward_ad.unpack_dual(dual).tangent is None


def test_gradients_of_tangents():
    """A parameter outside: d/dw of (w x^2)' is 2 x x'."""
    w, x = pyml.tensor(3.0, requires_grad=True), pyml.tensor(X)
    with forward_ad.dual_level():
        y = w.double() * forward_ad.make_dual(x, pyml.tensor(V)) ** 2
        _, tangent = forward_ad.unpack_dual(y)
        tangent.sum().backward()
    assert w.grad.item() == pytest.approx((2 * X * V).sum(), rel=1e-6)


def test_refusals():
    x = pyml.ones(2)
    with pytest.raises(RuntimeError, match="make_dual: there is no dual level"):
        forward_ad.make_dual(x, x)
    with pytest.raises(RuntimeError, match="exit_dual_level: there is no dual level"):
        forward_ad.exit_dual_level()
    with forward_ad.dual_level():
        with pytest.raises(RuntimeError, match="there is one around it"):
            forward_ad.enter_dual_level()
        with pytest.raises(ValueError, match=r"tangent has shape \(3,\)"):
            forward_ad.make_dual(x, pyml.ones(3))
        with pytest.raises(ValueError, match=r"and dtype \S*float64, those"):
            forward_ad.make_dual(x, x.double())
        with pytest.raises(ValueError, match="int64; only float32"):
            forward_ad.make_dual(pyml.arange(2), pyml.arange(2))
        with pytest.raises(TypeError, match="tangent is a float"):
            forward_ad.make_dual(x, 1.0)
        with pyml.no_grad(), pytest.raises(RuntimeError, match="gradients, and these are off"):
            forward_ad.make_dual(x, x)
        with pytest.raises(TypeError, match="unpack_dual: tensor is a float"):
            forward_ad.unpack_dual(1.0)
