import pytest

import pyml
from pyml import nn


def test_the_noise_has_the_std(dtype=pyml.float64):
    x = pyml.full((200, 500), 3.0, dtype=dtype)
    noise = nn.GaussianNoise(0.2, generator=pyml.Generator().manual_seed(1))(x) - x
    assert abs(noise.mean().item()) < 0.005 and noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert noise.dtype == dtype


def test_gradients_go_through():
    x = pyml.ones(4, requires_grad=True)
    nn.GaussianNoise(1.0)(x).sum().backward()
    assert (x.grad == 1).all()


def test_in_evaluation_and_without_noise_it_is_the_identity():
    x, before = pyml.randn(3), pyml.get_rng_state()
    assert nn.GaussianNoise(0.5).eval()(x) is x and nn.GaussianNoise(0)(x) is x
    assert (pyml.get_rng_state() == before).all()


def test_recorded_steps_draw_anew():
    layer, x = nn.GaussianNoise(), pyml.ones(5)
    step = pyml.record(lambda x: layer(x))
    pyml.manual_seed(2)
    recorded = [step(x) for _ in range(6)]
    pyml.manual_seed(2)
    assert all((layer(x) == each).all() for each in recorded)


def test_errors():
    with pytest.raises(ValueError, match="std is -1"):
        nn.GaussianNoise(-1)
    with pytest.raises(TypeError, match="of floats"):
        nn.GaussianNoise()(pyml.zeros(2, dtype=pyml.int64))
