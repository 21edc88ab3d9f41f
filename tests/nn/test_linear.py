import math

import numpy as np
import pytest

import pyml
from pyml import nn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_parameters(bias, dtype, device):
    dtype = None if dtype is None else np.dtype(dtype)
    layer = nn.Linear(5, 3, bias=bias, device=device, dtype=dtype)
    assert layer.weight.shape == (3, 5)
    assert {p.dtype for p in layer.parameters()} == {dtype or np.dtype("float32")}
    assert all(p.requires_grad and p.is_leaf for p in layer.parameters())
    if bias:
        assert layer.bias.shape == (3,)
    else:
        assert layer.bias is None
    assert repr(layer) == f"Linear(in_features=5, out_features=3, bias={bias})"


def test_initial_values():
    pyml.manual_seed(0)
    layer = nn.Linear(400, 300)
    bound = 1 / math.sqrt(400)
    for p in layer.parameters():
        values = p.detach().numpy()
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.95 * bound
        n = values.size
        assert abs(values.mean()) < 5 * bound / math.sqrt(3 * n)
        assert abs(values.var() / (bound**2 / 3) - 1) < 5 / math.sqrt(n)


def test_seed():
    def draw(seed):
        pyml.manual_seed(seed)
        return nn.Linear(3, 2).weight.tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    layer = nn.Linear(3, 2)
    before = layer.weight.tolist()
    layer.reset_parameters()
    assert layer.weight.tolist() != before


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 3), (3, 0), (0, 0)])
def test_of_size_zero(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    y = layer(pyml.ones(2, inputs))
    assert y.shape == (2, outputs)
    assert (y.detach().numpy() == layer.bias.detach().numpy()).all()


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4), (2, 0, 4)])
def test_any_leading_dimensions(shape):
    layer = nn.Linear(4, 2).double()
    x = np.random.randn(*shape)
    y = layer(pyml.tensor(x)).detach().numpy()
    wanted = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    assert y.shape == wanted.shape
    np.testing.assert_allclose(y, wanted, rtol=1e-13)


def test_errors():
    layer = nn.Linear(8, 3)
    with pytest.raises(
        ValueError, match=r"input has 10 features \(shape \(32, 10\)\), in_features is 8"
    ):
        layer(pyml.zeros(32, 10))
    with pytest.raises(TypeError, match="dtype"):
        layer(pyml.zeros(2, 8, dtype=pyml.float64))
    with pytest.raises(TypeError, match="must be a Tensor, not ndarray"):
        layer(np.zeros((2, 8)))
    with pytest.raises((ValueError, RuntimeError), match="cuda"):
        nn.Linear(2, 2, device="cuda")


def test_identity():
    x = pyml.ones(2)
    assert nn.Identity(54, unused=3)(x) is x
    assert repr(nn.Identity()) == "Identity()"
