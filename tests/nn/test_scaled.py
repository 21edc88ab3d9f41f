"""Layers of RealMLP: their definitions, initial values, derivatives, errors, in recorded steps."""

import math

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.autograd import gradcheck, gradgradcheck

X = np.random.default_rng(1).normal(size=(5, 3))

LAYERS = {
    "scale": lambda **o: nn.ScalingLayer(3, **o),
    "linear": lambda **o: nn.NTPLinear(3, 2, **o),
    "linear without bias": lambda **o: nn.NTPLinear(3, 2, bias=False, **o),
    "activation": lambda **o: nn.ParametricActivation(nn.SELU(), 3, **o),
}


def drawn(name, dtype):
    """A layer whose parameters are all random numbers."""
    pyml.manual_seed(0)
    layer = LAYERS[name](dtype=dtype)
    for p in layer.parameters():
        nn.init.normal_(p)
    return layer


def by_numpy(name, layer, x):
    given = {n: p.detach().numpy() for n, p in layer.named_parameters()}
    if name == "scale":
        return x * given["scale"]
    if name == "activation":
        scale, alpha = 1.0507009873554805, 1.6732632423543772
        f = scale * np.where(x > 0, x, alpha * np.expm1(x))
        return x + given["alpha"] * (f - x)
    return x @ given["weight"].T / math.sqrt(3) + given.get("bias", 0)


@pytest.mark.parametrize("name", LAYERS)
def test_definition(name, dtype):
    layer, x = drawn(name, dtype), X.astype(dtype)
    y = layer(pyml.tensor(x))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.detach().numpy(), by_numpy(name, layer, x), rtol=2e-5, atol=1e-6)
    stacked = layer(pyml.tensor(x[None]))
    np.testing.assert_array_equal(stacked[0].detach().numpy(), y.detach().numpy())


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives(name):
    layer = drawn(name, np.float64)
    given = pyml.tensor(X, requires_grad=True), *layer.parameters()
    assert gradcheck(lambda x, *_: layer(x), given)
    assert gradgradcheck(lambda x, *_: layer(x), given)


@pytest.mark.parametrize("name", LAYERS)
def test_another_last_dimension(name):
    for shape in ((), (4,), (2, 4)):
        with pytest.raises(ValueError, match="its last dimension must be"):
            LAYERS[name]()(pyml.zeros(shape))


def test_initial_values():
    pyml.manual_seed(0)
    weights = nn.NTPLinear(300, 200).weight.detach().numpy()
    assert abs(weights.mean()) < 0.02 and abs(weights.std() - 1) < 0.02
    assert nn.NTPLinear(1, 5000).bias.detach().numpy().std() == pytest.approx(1, abs=0.03)
    assert all((p == 0).all() for p in nn.NTPLinear(3, 2, zero_init=True).parameters())
    assert (nn.ScalingLayer(3).scale == 1).all()
    x = pyml.tensor(X)
    f = nn.ParametricActivation(nn.Mish(), 3, dtype=np.float64)
    np.testing.assert_allclose(f(x).detach().numpy(), nn.Mish()(x).numpy(), rtol=1e-14)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.ScalingLayer(0), ValueError, "ScalingLayer: num_features is 0"),
        (lambda: nn.NTPLinear(3.0, 2), TypeError, "NTPLinear: in_features"),
        (lambda: nn.NTPLinear(3, -2), ValueError, "NTPLinear: out_features is -2"),
        (lambda: nn.ParametricActivation("SELU", 3), TypeError, "activation is a str"),
        (lambda: nn.AnnealedDropout(1.0), ValueError, "AnnealedDropout: p is 1.0"),
        (lambda: nn.AnnealedDropout(0.5, 0), ValueError, "total_steps is 0"),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error, match=words):
        make()


# ---- AnnealedDropout -----------------------------------------------------------------------------


def wanted_rate(p, t):
    return p * (1 if t < 0.5 else (1 + math.cos(math.pi * (2 * t - 1))) / 2)


def test_dropout_falls_to_nothing(dtype):
    layer, x = nn.AnnealedDropout(0.4, 8), pyml.ones(200, 300, dtype=dtype)
    for call in range(10):
        y = layer(x)
        rate = wanted_rate(0.4, min(call / 8, 1))
        assert y.dtype == dtype and float((y == 0).double().mean()) == pytest.approx(rate, abs=0.01)
        kept = y[y != 0]
        np.testing.assert_allclose(kept.numpy(), 1 / (1 - rate), rtol=1e-6)
    assert layer.count == 10
    assert layer.eval()(x) is x and layer.count == 10


def test_dropout_has_the_derivative_of_its_mask():
    layer = nn.AnnealedDropout(0.4, 100)
    x = pyml.tensor(X, requires_grad=True)

    def function(x):
        pyml.manual_seed(3)
        layer.count.zero_()
        return layer(x) * x

    assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


def test_rates_change_in_a_recorded_run():
    """Learning rate, decay and dropout of each step are the eager loop's, bit by bit."""
    x = pyml.tensor(np.random.default_rng(0).normal(size=(64, 3)), dtype=pyml.float32)

    def trained(is_recorded):
        pyml.manual_seed(5)
        model = nn.Sequential(
            nn.ScalingLayer(3),
            nn.NTPLinear(3, 8),
            nn.ParametricActivation(nn.Mish(), 8),
            nn.AnnealedDropout(0.3, 48),
            nn.NTPLinear(8, 1, zero_init=True),
        )
        optimizer = pyml.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
        scheduler = pyml.optim.lr_scheduler.CosLogLR(optimizer, 48, flat_cos_decay=True)

        def step(x):
            optimizer.zero_grad()
            loss = (model(x).squeeze(1) - x.sum(1)).square().mean()
            loss.backward()
            optimizer.step()
            scheduler.step()
            return loss

        if is_recorded:
            step = pyml.record(step)
            losses = step.run(x, batch_size=8, epochs=6).numpy()
            assert step.stats().replays > 30
        else:
            losses = np.float32(
                [step(x[rows]).item() for _ in range(6) for rows in pyml.randperm(64).split(8)]
            )
        return losses, model, optimizer

    losses, model, optimizer = trained(True)
    np.testing.assert_array_equal(losses, trained(False)[0])
    assert losses[-1] < 0.2 * losses[0]
    assert model[3].count == 48 and optimizer.param_groups[0]["weight_decay"] == 0
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)
