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


# ---- of channels, and for SELU -------------------------------------------------------------------

CHANNELS = {"Dropout1d": 0.0, "FeatureAlphaDropout": -1.7580993408473766}  # what is dropped becomes


@pytest.mark.parametrize("p", [0.2, 0.7])
@pytest.mark.parametrize("name", CHANNELS)
def test_whole_channels(name, p):
    pyml.manual_seed(0)
    x = pyml.randn(40, 50, 6, dtype=pyml.float64)
    y = getattr(nn, name)(p)(x).numpy()
    dropped = (y == y[..., :1]).all(-1)
    assert abs(dropped.mean() - p) < 5 * math.sqrt(p * (1 - p) / dropped.size)
    a, b = 1 / (1 - p), 0.0
    if name == "FeatureAlphaDropout":
        a = (CHANNELS[name] ** 2 * p + 1) ** -0.5 * (1 - p) ** -0.5
        b = -a * CHANNELS[name] * p
    wanted = np.where(dropped[..., None], CHANNELS[name], x.numpy()) * a + b
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)


def test_alpha_dropout_keeps_mean_and_variance():
    pyml.manual_seed(0)
    x = pyml.randn(1000, 300)
    for p in (0.1, 0.5, 0.9):
        y = nn.AlphaDropout(p)(x)
        assert abs(y.mean().item()) < 0.02 and abs(y.std().item() - 1) < 0.02


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("name", ["AlphaDropout", "Dropout1d", "FeatureAlphaDropout"])
def test_the_ends_of_the_others(name, inplace):
    x = pyml.ones(2, 3, 4)
    layer = getattr(nn, name)
    assert layer(0, inplace)(x) is x
    assert layer(0.5, inplace).eval()(x) is x
    y = layer(1.0, inplace)(x)
    assert (y is x) == inplace and y.abs().sum().item() == 0
    assert repr(layer(0.2, True)) == f"{name}(p=0.2, inplace=True)"
    with pytest.raises(ValueError, match=f"{name}: p is 1.5"):
        layer(1.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.dropout1d(pyml.ones(3)), "dropout1d: input has shape"),
        (lambda: F.dropout1d(pyml.ones(1, 1, 1, 1)), "dropout1d: input has shape"),
        (lambda: F.feature_alpha_dropout(pyml.ones(3)), "feature_alpha_dropout: input has shape"),
        (lambda: F.alpha_dropout(pyml.ones(3), -0.1), "alpha_dropout: p is -0.1"),
        (lambda: F.dropout1d(pyml.ones(3, 1), math.nan), "dropout1d: p is nan"),
    ],
)
def test_wrong_arguments_of_the_others(call, message):
    before = pyml.get_rng_state()
    with pytest.raises(ValueError, match=message):
        call()
    np.testing.assert_array_equal(np.asarray(pyml.get_rng_state()), np.asarray(before))


def test_one_example_of_channels():
    pyml.manual_seed(0)
    y = nn.Dropout1d(0.5)(pyml.ones(100, 4)).numpy()
    assert set(y.sum(1)) == {0, 8}
