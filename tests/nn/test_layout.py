"""Weights by columns: the bits of weights by rows, everywhere."""

import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn.utils import convert_linear_weight_to_columns


def network(dtype):
    pyml.manual_seed(0)
    layers = [nn.Linear(40, 33), nn.BatchNorm1d(33), nn.ReLU(), nn.Linear(33, 1), nn.Linear(1, 5)]
    return nn.Sequential(*layers).to(dtype)


def by_columns(model):
    return model[0].weight.stride() == (1, 33)


@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 300])
def test_same_bits(rows, dtype):
    rows_first, columns_first = network(dtype).eval(), network(dtype).eval()
    assert convert_linear_weight_to_columns(columns_first) is columns_first
    assert by_columns(columns_first)
    results = []
    for model in (rows_first, columns_first):
        pyml.manual_seed(1)
        x = pyml.randn(rows, 40, dtype=dtype, requires_grad=True)
        y = model(x)
        grads = pyml.autograd.grad((y * y).sum(), [x, *model.parameters()], create_graph=True)
        seconds = pyml.autograd.grad(sum((g * g).sum() for g in grads), [x, model[0].weight])
        results.append([t.detach().numpy() for t in (y, *grads, *seconds)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def trained(convert):
    """The state of a network after some steps, called and run."""
    model = network(pyml.float32)
    if convert:
        convert_linear_weight_to_columns(model)
    optimizer = pyml.optim.Adam(model.parameters(), lr=0.01)

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    pyml.manual_seed(2)
    x, y = pyml.randn(96, 40), pyml.randn(96, 5)
    for begin in (0, 32, 64):
        step(x[begin : begin + 32], y[begin : begin + 32])
    step.run(x, y, batch_size=32, epochs=2)
    assert by_columns(model) is convert
    return [tensor.numpy() for tensor in model.state_dict().values()]


@pytest.mark.parametrize("threads", [1, 3])
def test_training_has_the_same_bits(threads):
    pyml.set_num_threads(threads)
    for a, b in zip(trained(False), trained(True), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_recorded_function_goes_on(tmp_path):
    model = network(pyml.float32).eval()
    predict = pyml.record(pyml.no_grad()(model.forward))
    x = pyml.randn(3, 40)
    before = predict(x).numpy()
    predict(x), predict(x)
    convert_linear_weight_to_columns(model)
    for _ in range(3):
        np.testing.assert_array_equal(predict(x).numpy(), before)
    pyml.save(model.state_dict(), tmp_path / "w.safetensors")
    state = pyml.load(tmp_path / "w.safetensors")
    with pyml.no_grad():
        model[0].weight.mul_(2)
    assert (predict(x).numpy() != before).any()
    model.load_state_dict(state)
    assert by_columns(model)
    for same in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(same(x).detach().numpy(), before)


def test_what_stays_as_it_is():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.out = nn.Embedding(7, 4), nn.Linear(4, 7)
            self.out.weight = self.words.weight
            self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 7))

    model = convert_linear_weight_to_columns(Tied())
    assert model.out.weight.stride() == model.normed.weight.stride() == (4, 1)


def test_refuses():
    with pytest.raises(TypeError, match="module must be a Module, not Tensor"):
        convert_linear_weight_to_columns(pyml.ones(2, 2))
    model = nn.Sequential(nn.Linear(3, 2), nn.LazyLinear(3))
    with pytest.raises(ValueError, match="LazyLinear whose weight has no values yet; call module"):
        convert_linear_weight_to_columns(model)
    assert model[0].weight.stride() == (3, 1)
