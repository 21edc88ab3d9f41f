import math

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)


def parameters(*grads, dtypes=("float64",)):
    made = []
    for i, grad in enumerate(grads):
        dtype = dtypes[i % len(dtypes)]
        p = nn.Parameter(pyml.tensor(np.zeros(np.shape(grad), dtype)))
        p.grad = pyml.tensor(np.array(grad, dtype))
        made.append(p)
    return made


def flat(params):
    return np.concatenate([p.grad.numpy().ravel() for p in params]).astype(np.float64)


GRADS = ([[3.0, -4.0], [0.0, 1.0]], [12.0], [-0.5, 2.0, 0.25])


@pytest.mark.parametrize("norm_type", [2, 2.0, 1, 3, 0.5, math.inf])
@pytest.mark.parametrize("max_norm", [0, 1.0, 5.0, 1000.0])
@pytest.mark.parametrize("dtypes", [("float32",), ("float64",), ("float32", "float64")])
def test_clip_grad_norm(norm_type, max_norm, dtypes):
    params = parameters(*GRADS, dtypes=dtypes)
    before = flat(params)
    wanted = (
        np.abs(before).max()
        if norm_type == math.inf
        else (np.abs(before) ** norm_type).sum() ** (1 / norm_type)
    )
    objects = [p.grad for p in params]
    total = clip_grad_norm_(params, max_norm, norm_type)
    assert total.shape == ()
    assert total.item() == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(flat(params), before * min(1, max_norm / (wanted + 1e-6)), rtol=1e-6)
    assert all(p.grad is grad for p, grad in zip(params, objects, strict=True))


def test_clip_grad_norm_of_what():
    [p] = parameters([3.0, 4.0])
    assert clip_grad_norm_(p, 1.0).item() == 5
    [p] = parameters([3.0, 4.0])
    without = nn.Parameter(pyml.zeros(2))
    assert clip_grad_norm_((q for q in [p, without, p]), 1.0).item() == 5
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-6)
    assert without.grad is None
    assert clip_grad_norm_([without], 1.0).item() == 0
    assert clip_grad_norm_([], 1.0, math.inf).item() == 0


@pytest.mark.parametrize("norm_type", [2, math.inf])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_clip_grad_norm_of_a_norm_that_is_not_finite(norm_type, bad):
    params = parameters([1.0, bad], [2.0])
    before = flat(params)
    with pytest.raises(RuntimeError, match="must be finite"):
        clip_grad_norm_(params, 1.0, norm_type, error_if_nonfinite=True)
    np.testing.assert_array_equal(flat(params), before)
    assert not math.isfinite(clip_grad_norm_(params, 1.0, norm_type).item())
    assert params[1].grad.item() == 0 if bad == math.inf else math.isnan(params[1].grad.item())


@pytest.mark.parametrize("max_norm", [-1.0, math.nan])
@pytest.mark.parametrize("norm_type", [2, 1])
def test_clip_grad_norm_refuses(max_norm, norm_type):
    with pytest.raises(ValueError, match="it must be >= 0"):
        clip_grad_norm_(parameters(*GRADS), max_norm, norm_type)


def test_clip_grad_value():
    params = parameters(*GRADS)
    before = flat(params)
    clip_grad_value_(params, 1.5)
    np.testing.assert_array_equal(flat(params), before.clip(-1.5, 1.5))
    clip_grad_value_(params[0], 0.5)
    assert np.abs(params[0].grad.numpy()).max() == 0.5
    with pytest.raises(ValueError, match="it must be >= 0"):
        clip_grad_value_(params, -1)


def test_parameters_to_vector_and_back():
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()
    vector = parameters_to_vector(net.parameters())
    assert vector.tolist() == [
        number for p in net.parameters() for number in p.detach().numpy().ravel()
    ]
    (vector * vector).sum().backward()
    for p in net.parameters():
        np.testing.assert_allclose(p.grad.numpy(), 2 * p.detach().numpy())

    ids = [id(p) for p in net.parameters()]
    other = pyml.tensor(np.arange(11.0))
    vector_to_parameters(other, net.parameters())
    assert [id(p) for p in net.parameters()] == ids
    assert parameters_to_vector(net.parameters()).tolist() == list(range(11))
    assert net[1].weight.shape == (1, 2)
    assert np.shares_memory(net[0].bias.array, other.array)


def test_vector_to_parameters_refuses():
    layer = nn.Linear(2, 1)
    before = parameters_to_vector(layer.parameters()).tolist()
    with pytest.raises(ValueError, match=r"vec has shape \(4,\), the parameters need \(3,\)"):
        vector_to_parameters(pyml.zeros(4), layer.parameters())
    with pytest.raises(TypeError, match="must be a Tensor, not ndarray"):
        vector_to_parameters(np.zeros(3), layer.parameters())
    layer.weight.requires_grad_(False)
    with pytest.raises(TypeError, match="vec has dtype int64, it must be float32 or float64"):
        vector_to_parameters(pyml.arange(3), layer.parameters())
    layer.weight.requires_grad_(True)
    assert parameters_to_vector(layer.parameters()).tolist() == before


def test_vector_to_parameters_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 1)
    y = layer(pyml.ones(1, 2, requires_grad=True)).sum()
    vector_to_parameters(pyml.zeros(3), layer.parameters())
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
