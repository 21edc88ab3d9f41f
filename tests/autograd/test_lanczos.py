"""Lanczos against NumPy's eigenvalues, and the Hessian of a loss against autograd.functional."""

import numpy as np
import pytest

import pyml
from pyml import func, nn
from pyml.autograd.hessian import LossHessian, joined, parts_of
from pyml.autograd.lanczos import extreme_eigenpairs


def symmetric(values, seed=0):
    """A matrix with these eigenvalues."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values),) * 2))
    return (q * values) @ q.T


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 40, 200])
def test_extreme_eigenpairs(n, k):
    a = symmetric(np.random.default_rng(n).normal(size=n))
    found = extreme_eigenpairs(lambda v: a @ v, n, k, tolerance=1e-9)
    wanted = np.linalg.eigvalsh(a)
    wanted = wanted if n <= 2 * k else np.r_[wanted[:k], wanted[-k:]]
    np.testing.assert_allclose(found.values, wanted, atol=1e-8)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(len(wanted)), atol=1e-10)
    errors = np.linalg.norm(a @ found.vectors - found.vectors * found.values, axis=0)
    assert (errors <= found.residuals + 1e-8).all()


def test_it_stops_when_the_ends_are_found():
    """Two eigenvalues far outside of the others: few of 500 steps."""
    a = symmetric(np.r_[-50.0, np.linspace(-1, 1, 498), 80.0])
    calls = []
    found = extreme_eigenpairs(lambda v: calls.append(0) or a @ v, 500, 1)
    np.testing.assert_allclose(found.values, [-50, 80])
    assert len(calls) <= 30


def test_the_residuals_say_when_it_has_not():
    a = symmetric(np.linspace(-1, 1, 400))
    found = extreme_eigenpairs(lambda v: a @ v, 400, 1, max_steps=25)
    error = np.abs(found.values - [-1, 1])
    assert (error > 1e-6).all() and (error <= found.residuals).all()


@pytest.mark.parametrize("values", [[2.0] * 6, [0.0] * 4, [-1.0, 3.0, 3.0, 3.0, 3.0]])
def test_an_invariant_subspace_is_left(values):
    """The first vectors span only what one vector reaches; the others are there all the same."""
    a = symmetric(np.array(values))
    found = extreme_eigenpairs(lambda v: a @ v, len(values), 3)
    wanted = np.sort(values)
    wanted = wanted if len(wanted) <= 6 else np.r_[wanted[:3], wanted[-3:]]
    np.testing.assert_allclose(found.values, wanted, atol=1e-12)


def test_what_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        extreme_eigenpairs(lambda v: v * np.inf, 3, 1)


# ---- LossHessian ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
def test_the_hessian_of_a_loss(dtype):
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).to(dtype)
    x, y = pyml.rand(5, 2, dtype=dtype), pyml.rand(5, 1, dtype=dtype)
    names, params = zip(*model.named_parameters(), strict=True)

    def loss(*values):
        state = dict(zip(names, values, strict=True))
        return nn.functional.mse_loss(func.functional_call(model, state, x), y)

    hessian = LossHessian(loss(*params), params)
    blocks = pyml.autograd.functional.hessian(loss, params)
    wanted = np.block(
        [
            [b.numpy().reshape(p.numel(), q.numel()) for b, q in zip(row, params, strict=True)]
            for row, p in zip(blocks, params, strict=True)
        ]
    )
    tolerance = 1e-5 if dtype == pyml.float32 else 1e-12
    np.testing.assert_allclose(hessian.matrix(), wanted, atol=tolerance)
    wanted = joined(pyml.autograd.grad(loss(*params), params))
    np.testing.assert_allclose(hessian.gradient, wanted, atol=tolerance)
    assert all(p.grad is None for p in params)


def test_what_the_loss_does_not_depend_on():
    w, b = pyml.ones(2, requires_grad=True), pyml.ones(1, requires_grad=True)
    hessian = LossHessian((3 * w).sum(), [w, b])
    assert hessian.gradient.tolist() == [3, 3, 0] and not hessian.matrix().any()
    hessian = LossHessian((w**2).sum(), [w, b])
    np.testing.assert_array_equal(hessian.matrix(), np.diag([2.0, 2, 0]))


def test_parts():
    a, b = pyml.rand(2, 3), pyml.rand(4, dtype=pyml.float64)
    parts = parts_of(joined([a, b]), [a, b])
    assert pyml.equal(parts[0], a) and pyml.equal(parts[1], b)
    assert [p.dtype for p in parts] == [pyml.float32, pyml.float64]
