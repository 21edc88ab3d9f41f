import math

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn import functional as F


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_training(p):
    pyml.manual_seed(0)
    x = pyml.randn(300, 100)
    y = nn.Dropout(p)(x).numpy()
    kept = y != 0
    np.testing.assert_allclose(y[kept], x.numpy()[kept] / (1 - p), rtol=1e-6)
    assert abs(kept.mean() - (1 - p)) < 5 * math.sqrt(p * (1 - p) / x.numel())


@pytest.mark.parametrize("inplace", [False, True])
def test_the_ends(inplace):
    x = pyml.ones(5)
    assert nn.Dropout(0, inplace)(x) is x
    assert nn.Dropout(0.5, inplace).eval()(x) is x
    assert nn.Dropout(1.0, inplace)(x).tolist() == [0] * 5
    assert x.tolist() == [0 if inplace else 1] * 5


def test_gradient_has_the_same_mask():
    x = pyml.ones(1000, requires_grad=True)
    y = nn.Dropout(0.3)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_in_place():
    leaf = pyml.ones(1000, requires_grad=True)
    h = leaf * 1.0
    y = nn.Dropout(0.3, inplace=True)(h)
    assert y is h
    assert 0 < (h.detach().numpy() == 0).sum() < 1000
    y.sum().backward()
    np.testing.assert_array_equal(leaf.grad.numpy(), h.detach().numpy())


def test_seed_and_generator():
    def draw():
        return nn.Dropout()(pyml.ones(100)).tolist()

    pyml.manual_seed(3)
    first, second = draw(), draw()
    assert first != second
    pyml.manual_seed(3)
    assert draw() == first
    generator = pyml.Generator(3)
    assert F.dropout(pyml.ones(100), generator=generator).tolist() == first


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_p_must_be_a_probability(p):
    with pytest.raises(ValueError, match="a probability must be between 0 and 1"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match="a probability must be between 0 and 1"):
        F.dropout(pyml.ones(1), p)


def test_repr():
    assert repr(nn.Dropout(0.2, inplace=True)) == "Dropout(p=0.2, inplace=True)"
