"""The curvature report on losses whose Hessians are known, and on a net against the dense one."""

import doctest

import numpy as np
import pytest

import pyml
from pyml import func, nn
from pyml.func import landscape
from pyml.nn import functional as F


class Surface(nn.Module):
    """Its loss is sum curvatures w^2 / 2 + slope w[0], at w."""

    def __init__(self, curvatures, w=None, slope=0.0):
        super().__init__()
        self.curvatures = pyml.tensor(curvatures, dtype=pyml.float64)
        self.slope = slope
        w = np.zeros(len(curvatures)) if w is None else w
        self.w = nn.Parameter(pyml.tensor(w, dtype=pyml.float64))

    def forward(self, x):
        return (self.curvatures * self.w**2).sum() / 2 + self.slope * self.w[0]


def loss(output, y):
    return output


def look(curvatures, k=1, **options):
    return func.curvature(Surface(curvatures, **options), loss, None, None, k)


@pytest.mark.parametrize(
    ("curvatures", "options", "verdict"),
    [
        ([1.0, 2.0], {}, "near a minimum"),
        ([1.0, -2.0, 3.0], {}, "near a saddle, 1 negative direction found"),
        ([1.0, -2.0, -3.0, 4.0, 5.0], {"k": 2}, "near a saddle, 2 negative directions found"),
        ([-1.0, -2.0], {}, "near a maximum"),
        ([1.0, 0.0], {}, "near a minimum or a saddle, flat in a direction"),
        ([1.0, -1e-6], {}, "near a minimum or a saddle, flat in a direction"),
        ([-1.0, 0.0], {}, "near a saddle, 1 negative direction found"),
        ([0.0, 0.0], {}, "flat"),
        ([1.0, 2.0], {"slope": 0.5}, "not stationary, 0 negative directions found"),
        ([1.0, -2.0], {"w": [0.0, 1.0]}, "not stationary, 1 negative direction found"),
    ],
    ids=str,
)
def test_verdict(curvatures, options, verdict):
    found = look(curvatures, **options)
    assert found.verdict == verdict and str(found).startswith(verdict)


def test_what_it_finds():
    found = look([3.0, -2.0, 0.5], slope=0.25)
    np.testing.assert_allclose(found.eigenvalues, [-2, 3], atol=1e-12)
    assert found.gradient_norm == 0.25 and found.loss == 0 and found.parameters == 3
    low, high = (np.abs(v["w"].numpy()) for v in found.eigenvectors)
    np.testing.assert_allclose(low, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(high, [1, 0, 0], atol=1e-12)


def net(dtype=pyml.float64):
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3, bias=False)).to(dtype)
    x = pyml.rand(6, 2, dtype=dtype)
    return model, nn.CrossEntropyLoss(), x, pyml.randint(0, 3, (6,))


@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
def test_a_net(dtype):
    model, loss, x, y = net(dtype)
    found = func.curvature(model, loss, x, y, k=2)
    dense = func.loss_hessian(model, loss, x, y).numpy()
    wanted = np.linalg.eigvalsh(dense)
    np.testing.assert_allclose(found.eigenvalues, wanted[[0, 1, -2, -1]], atol=1e-5)
    for value, vector in zip(found.eigenvalues, found.eigenvectors, strict=True):
        v = np.concatenate([part.numpy().ravel() for part in vector.values()])
        np.testing.assert_allclose(dense @ v, value * v, atol=1e-5)
        assert list(vector) == ["0.weight", "0.bias", "2.weight"]


def test_blocks_of_layers():
    model, loss, x, y = net()
    dense = func.loss_hessian(model, loss, x, y).numpy()
    blocks = func.loss_hessian(model, loss, x, y, by_layer=True)
    assert list(blocks) == ["0", "2"]
    np.testing.assert_allclose(blocks["0"].numpy(), dense[:12, :12], atol=1e-14)
    np.testing.assert_allclose(blocks["2"].numpy(), dense[12:, 12:], atol=1e-14)


def test_frozen_parameters_have_no_part():
    model, loss, x, y = net()
    dense = func.loss_hessian(model, loss, x, y).numpy()
    model[2].requires_grad_(False)
    np.testing.assert_allclose(func.loss_hessian(model, loss, x, y).numpy(), dense[:12, :12])


def test_the_trace():
    model, loss, x, y = net()
    wanted = np.trace(func.loss_hessian(model, loss, x, y).numpy())
    found = func.hessian_trace(model, loss, x, y, samples=400)
    assert abs(found.value - wanted) < 4 * found.error < 0.5 * abs(wanted)
    exact = func.hessian_trace(Surface([1.0, -3.0, 5.0]), lambda output, y: output, None, None, 2)
    assert exact == (exact.__class__)(3.0, 0.0)


def test_the_model_is_as_before():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    func.curvature(model, nn.MSELoss(), pyml.rand(8, 2), pyml.rand(8, 1))
    assert all(pyml.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and model.training


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m: func.curvature(3, loss, 0, 0), TypeError, "model is a int"),
        (lambda m: func.curvature(m, loss, 0, 0, k=0), ValueError, "k is 0, it must be >= 1"),
        (lambda m: func.curvature(m, loss, 0, 0, k=1.5), TypeError, "k is 1.5"),
        (lambda m: func.curvature(m, loss, 0, 0, max_steps=0), ValueError, "max_steps is 0"),
        (lambda m: func.curvature(m, loss, 0, 0, tolerance=0), ValueError, "tolerance is 0"),
        (lambda m: func.curvature(m, lambda a, b: 3, 0, 0), TypeError, "must return a tensor"),
        (lambda m: func.curvature(m, lambda a, b: m.w, 0, 0), TypeError, r"one of shape \(2,\)"),
        (lambda m: func.curvature(m, lambda a, b: a / 0, 0, 0), ValueError, "the loss is nan"),
        (lambda m: func.curvature(m, lambda a, b: a.detach(), 0, 0), ValueError, "not depend"),
        (lambda m: func.curvature(nn.Tanh(), loss, m.w, 0), ValueError, "no parameter"),
        (lambda m: func.hessian_trace(m, loss, 0, 0, 1), ValueError, "samples is 1"),
    ],
)
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(Surface([1.0, 2.0]))


def test_in_a_recorded_step():
    model = Surface([1.0, 2.0])
    step = pyml.record(lambda x: func.curvature(model, loss, None, None))
    with pytest.raises(pyml.RecordError, match=r"curvature\(\)"):
        step(pyml.ones(2))


def test_examples():
    tested = doctest.testmod(
        landscape,
        extraglobs={"pyml": pyml, "nn": nn, "func": func},
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert tested.attempted > 0 and tested.failed == 0


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "softplus of products"])
def test_gauss_newton_diagonal(name):
    """Against the dense J^T H J; the loss may join samples, and be of any curvature."""
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 3)).double()
    x, y = pyml.randn(5, 3, dtype=pyml.float64), pyml.tensor([0, 2, 1, 1, 0])
    loss = {
        "cross_entropy": F.cross_entropy,
        "mse_loss": lambda output, y: F.mse_loss(output, F.one_hot(y, 3).double()),
        "softplus of products": lambda output, y: F.softplus(output @ output.T).sum(),
    }[name]
    before = {key: buffer.clone() for key, buffer in model.named_buffers()}
    got = func.gauss_newton_diagonal(model, loss, x, y)
    for key, buffer in model.named_buffers():
        assert pyml.equal(buffer, before[key])
    params = {key: p.detach() for key, p in model.named_parameters()}
    buffers = {key: b.clone() for key, b in before.items()}
    jacobians = func.jacrev(lambda p: func.functional_call(model, (p, buffers), (x,)))(params)
    inner = func.hessian(lambda output: loss(output, y))(model(x).detach()).reshape(15, 15)
    for key, jacobian in jacobians.items():
        rows = jacobian.reshape(15, -1)
        wanted = (rows * (inner @ rows)).sum(0).reshape(params[key].shape)
        np.testing.assert_allclose(got[key].numpy(), wanted.numpy(), 1e-9, 1e-12)


def test_gauss_newton_diagonal_is_the_hessian_of_a_linear_model():
    model = nn.Linear(3, 2).double()
    x, y = pyml.randn(7, 3, dtype=pyml.float64), pyml.tensor([0, 1, 1, 0, 1, 0, 0])
    got = func.gauss_newton_diagonal(model, F.cross_entropy, x, y)
    dense = np.diag(func.loss_hessian(model, F.cross_entropy, x, y).numpy())
    np.testing.assert_allclose(np.concatenate([d.numpy().ravel() for d in got.values()]), dense)
