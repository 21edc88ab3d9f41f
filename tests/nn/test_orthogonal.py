import pickle

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.autograd import gradcheck, gradgradcheck
from pyml.nn.utils import parametrizations, parametrize
from pyml.nn.utils.parametrizations import inverse, matrix_exp, orthogonal

MAPS = parametrizations.MAPS
SHAPES = [(4, 4), (5, 3), (3, 5), (1, 1), (2, 4, 3)]


class Holder(nn.Module):
    def __init__(self, array, dtype="float64"):
        super().__init__()
        self.weight = nn.Parameter(pyml.tensor(array, dtype=dtype))

    def forward(self, x):
        return x @ self.weight


def distance(q):
    """From orthogonality."""
    q = q.detach().numpy()
    q = q if q.shape[-2] >= q.shape[-1] else np.swapaxes(q, -1, -2)
    return np.abs(np.swapaxes(q, -1, -2) @ q - np.eye(q.shape[-1])).max()


@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_is_orthogonal_wherever_training_goes(shape, kind, trivial, dtype):
    rng = np.random.default_rng(0)
    module = orthogonal(
        Holder(rng.normal(size=shape), dtype),
        orthogonal_map=kind,
        use_trivialization=trivial,
    )
    eps = np.finfo(dtype).eps
    assert distance(module.weight) < 50 * eps
    with pyml.no_grad():
        original = module.parametrizations.weight.original
        original.add_(pyml.tensor(rng.normal(size=shape), dtype=dtype))
    assert distance(module.weight) < 100 * eps
    assert module.weight.dtype == dtype


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 3)], ids=str)
def test_derivatives(shape, kind):
    made = parametrizations._Orthogonal(pyml.zeros(shape, dtype=pyml.float64), kind, False)
    x = np.random.default_rng(0).normal(size=shape)
    at = np.arange(min(shape))
    x[at, at] = np.sign(x[at, at]) if kind == "householder" else x[at, at]
    x = pyml.tensor(x, requires_grad=True)
    off = pyml.tensor(1 - np.eye(*shape)) if kind == "householder" else 1  # it says the signs
    keep = x.detach() * (1 - off) if kind == "householder" else 0

    def function(x):
        return made(x * off + keep)

    assert gradcheck(function, [x]) and gradgradcheck(function, [x])


def test_the_value_stays_where_it_is_orthogonal():
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    for shape, kind in [((5, 5), "matrix_exp"), ((5, 5), "cayley"), ((5, 3), "householder")]:
        value = q[: shape[0], : shape[1]]
        module = orthogonal(Holder(value), orthogonal_map=kind)
        np.testing.assert_allclose(
            np.abs(module.weight.detach().numpy()), np.abs(value), atol=1e-12
        )
        module.weight = pyml.tensor(-value)
        np.testing.assert_allclose(module.weight.detach().numpy(), -value, atol=1e-12)
    with pytest.raises(NotImplementedError, match="without use_trivialization"):
        orthogonal(Holder(q), use_trivialization=False).weight = pyml.tensor(q)
    with pytest.raises(ValueError, match="the value has shape"):
        module.weight = pyml.ones(2, 2)


@pytest.mark.parametrize("size", [0.1, 1.0, 50.0, 3000.0])
def test_matrix_exp_and_inverse(size):
    a = np.random.default_rng(0).normal(size=(6, 6))
    a = a - a.T
    a *= size / np.abs(a).sum(1).max()
    values, vectors = np.linalg.eigh(1j * a)
    wanted = (vectors * np.exp(-1j * values)) @ vectors.conj().T
    unit = pyml.eye(6, dtype=pyml.float64)
    got = matrix_exp(pyml.tensor(a), unit)
    np.testing.assert_allclose(got.numpy(), wanted.real, atol=1e-14 + 1e-14 * size)
    got = inverse(pyml.tensor(np.eye(6) - a), unit)
    np.testing.assert_allclose(got.numpy(), np.linalg.inv(np.eye(6) - a), rtol=1e-9, atol=1e-14)
    for lost in (matrix_exp(pyml.tensor(a * 1e12), unit), inverse(unit - a * 1e12, unit)):
        assert lost.isnan().all().item()


@pytest.mark.parametrize("kind", MAPS)
def test_trains_in_a_recorded_step(kind):
    def trained(wrap):
        pyml.manual_seed(0)
        layer = orthogonal(nn.Linear(4, 4, bias=False), orthogonal_map=kind)
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)

        @wrap
        def step(x):
            loss = (layer(x) - x).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        x = pyml.randn(16, 4)
        losses = [step(x).item() for _ in range(8)]
        return losses, layer

    losses, layer = trained(pyml.record)
    assert losses == trained(lambda step: step)[0]
    assert losses[-1] < losses[0]
    assert distance(layer.weight) < 1e-5
    with pytest.raises(pyml.RecordError, match="assigning to an orthogonal tensor"):
        pyml.record(lambda x: setattr(layer, "weight", x))(pyml.eye(4))


def test_state():
    layers = [orthogonal(nn.Linear(3, 4)) for _ in range(2)]
    assert list(layers[0].state_dict()) == [
        "bias",
        "parametrizations.weight.original",
        "parametrizations.weight.0.base",
    ]
    layers[1].load_state_dict(layers[0].state_dict())
    other = pickle.loads(pickle.dumps(layers[0]))
    for each in (layers[1], other):
        np.testing.assert_array_equal(
            each.weight.detach().numpy(), layers[0].weight.detach().numpy()
        )
    assert other.double().weight.dtype == np.float64


def test_what_is_refused():
    with pytest.raises(TypeError, match="module must be a Module"):
        orthogonal(3)
    with pytest.raises(ValueError, match="no parameter or buffer named 'w'"):
        orthogonal(nn.Linear(2, 2), "w")
    with pytest.raises(ValueError, match="must be a matrix"):
        orthogonal(nn.Linear(2, 2), "bias")
    with pytest.raises(ValueError, match="orthogonal_map is 'qr'"):
        orthogonal(nn.Linear(2, 2), orthogonal_map="qr")


# ---- transfer ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm", "orthogonal"])
def test_transfer(kind):
    layer = getattr(parametrizations, kind)(nn.Linear(3, 2)).eval()
    for other in (nn.Linear(3, 2), nn.Identity()):
        other = parametrize.transfer_parametrizations_and_params(layer, other.eval())
        assert parametrize.is_parametrized(other, "weight")
        np.testing.assert_array_equal(other.weight.detach().numpy(), layer.weight.detach().numpy())
        ours = {id(p) for p in other.parametrizations.parameters()}
        assert ours == {id(p) for p in layer.parametrizations.parameters()}


def test_transfer_of_nothing_and_of_what_does_not_fit():
    transfer = parametrize.transfer_parametrizations_and_params
    plain = nn.Linear(3, 2)
    assert transfer(plain, plain) is plain and not parametrize.is_parametrized(plain)
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="no parametrization of 'bias'"):
        transfer(layer, plain, "bias")
    with pytest.raises(ValueError, match=r"has shape \(4, 3\) in to_module"):
        transfer(layer, nn.Linear(3, 4))
    assert not parametrize.is_parametrized(plain)
    assert parametrize.is_parametrized(transfer(layer, plain, "weight"), "weight")
