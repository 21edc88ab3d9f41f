"""pyml.nn.utils.parametrize and parametrizations."""

import copy
import pickle
from contextlib import nullcontext

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn.utils import fuse_linear_bn_eval
from pyml.nn.utils.parametrizations import spectral_norm, weight_norm
from pyml.nn.utils.parametrize import (
    ParametrizationList,
    cached,
    is_parametrized,
    register_parametrization,
    remove_parametrizations,
    type_before_parametrizations,
)


class Double(nn.Module):
    def forward(self, x):
        return x * 2

    def right_inverse(self, x):
        return x / 2


class Sum(nn.Module):
    """Of two tensors, which are halves at first."""

    def forward(self, a, b):
        return a + b

    def right_inverse(self, x):
        return x / 2, x / 2


class Symmetric(nn.Module):
    def forward(self, x):
        return (x + x.T) / 2


KINDS = {
    "double": lambda layer: register_parametrization(layer, "weight", Double()),
    "sum": lambda layer: register_parametrization(layer, "weight", Sum()),
    "symmetric": lambda layer: register_parametrization(layer, "weight", Symmetric()),
    "weight_norm": weight_norm,
    "spectral_norm": spectral_norm,
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def network(kind):
    pyml.manual_seed(0)
    layers = nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)
    for layer in (layers[0], layers[2]):
        KINDS[kind](layer)
    return nn.Sequential(*layers)


def state_of(net):
    return {name: tensor.tolist() for name, tensor in net.state_dict().items()}


def test_names_and_values():
    layer = nn.Linear(3, 2)
    weight, before = layer.weight, layer.weight.detach().clone()
    assert register_parametrization(layer, "weight", Double()) is layer
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert layer.parametrizations.weight.original is weight  # which an optimizer may have
    assert pyml.equal(layer.weight, before) and pyml.equal(weight, before / 2)
    assert is_parametrized(layer) and is_parametrized(layer, "weight")
    assert not is_parametrized(layer, "bias")
    assert type(layer).__name__ == "ParametrizedLinear" and isinstance(layer, nn.Linear)
    assert type_before_parametrizations(layer) is nn.Linear
    assert type_before_parametrizations(nn.Tanh()) is nn.Tanh
    layer.weight.sum().backward()
    assert (weight.grad == 2).all()
    layer.weight = pyml.ones(2, 3)
    assert (layer.weight == 1).all() and (weight == 0.5).all()

    register_parametrization(layer, "weight", Double())
    register_parametrization(layer, "bias", Double())
    assert (layer.weight == 2).all()
    assert len(layer.parametrizations.weight) == 2
    assert remove_parametrizations(layer, "weight") is layer
    assert layer.weight is weight and (weight == 2).all()
    assert is_parametrized(layer, "bias") and not is_parametrized(layer, "weight")
    remove_parametrizations(layer, "bias", leave_parametrized=False)
    assert type(layer) is nn.Linear and not hasattr(layer, "parametrizations")
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


def test_buffers():
    bn = nn.BatchNorm1d(3)
    register_parametrization(bn, "running_var", Double())
    assert [name for name, _ in bn.named_buffers()][-1] == "parametrizations.running_var.original"
    assert (bn.running_var == 1).all()
    remove_parametrizations(bn, "running_var")
    assert (bn.running_var == 1).all() and bn._registered["running_var"] == "buffer"


def test_several_originals():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    register_parametrization(layer, "weight", Sum())
    several = layer.parametrizations.weight
    assert not several.is_tensor and several.ntensors == 2
    assert isinstance(several.original0, nn.Parameter)
    assert pyml.equal(layer.weight, before)
    layer.weight = pyml.ones(2, 3)
    assert (several.original1 == 0.5).all()
    with pytest.raises(ValueError, match="leave_parametrized must be True"):
        remove_parametrizations(layer, "weight", leave_parametrized=False)
    remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.is_leaf
    assert (layer.weight == 1).all()


def function_module(function, inverse=None):
    class Made(nn.Module):
        def forward(self, x):
            return function(x)

    if inverse:
        Made.right_inverse = lambda self, x: inverse(x)
    return Made()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (function_module(lambda x: x[0]), r"changes the shape from \(2, 3\) to \(3,\)"),
        (function_module(lambda x: x.double()), "changes the dtype from float32 to float64"),
        (function_module(lambda x: 3), "must return a Tensor, not int"),
        (function_module(lambda x: x, lambda x: 3), "right_inverse must return a Tensor"),
        (function_module(lambda x: x, lambda x: x.double()), "right_inverse changes the dtype"),
        (function_module(lambda x: x[0], lambda x: x + 1), "changes the shape"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_refused_and_nothing_changed(made, message, again):
    layer = nn.Linear(3, 2).eval()
    if again:
        register_parametrization(layer, "weight", Double())
    text, state, names = str(layer), state_of(layer), dict(layer._registered)
    with pytest.raises(ValueError, match=message if not again else "changes|must return a Tensor"):
        register_parametrization(layer, "weight", made)
    assert made.training
    assert str(layer) == text and state_of(layer) == state and layer._registered == names


def test_what_is_refused():
    layer = nn.Linear(3, 2, bias=False)
    for name in ("w", "bias", "in_features"):
        with pytest.raises(ValueError, match=f"no parameter, .* tensor named '{name}'"):
            register_parametrization(layer, name, Double())
        with pytest.raises(ValueError, match=f"no parametrization of '{name}'"):
            remove_parametrizations(layer, name)
    with pytest.raises(TypeError, match="parametrization must be a Module, not function"):
        register_parametrization(layer, "weight", lambda x: x)
    with pytest.raises(ValueError, match="modules is empty"):
        ParametrizationList([], layer.weight)
    with pytest.raises(TypeError, match="original must be a Tensor"):
        ParametrizationList([Double()], 3)
    register_parametrization(layer, "weight", Double())
    before = state_of(layer)
    with pytest.raises(ValueError, match=r"changes the shape from \(2, 3\) to \(3,\)"):
        layer.weight = pyml.ones(3)
    with pytest.raises(ValueError, match="changes the dtype"):
        layer.weight = pyml.ones(2, 3).double()
    with pytest.raises(TypeError, match="must give Tensors, not float"):
        layer.weight = 3
    assert state_of(layer) == before
    square = register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    with pytest.raises(RuntimeError, match="Symmetric has no right_inverse"):
        square.weight = pyml.ones(3, 3)
    with pytest.raises(RuntimeError, match="linear is parametrized"):
        fuse_linear_bn_eval(square.eval(), nn.BatchNorm1d(3).eval())
    with pytest.raises(ValueError, match="n_power_iterations is 0"):
        spectral_norm(nn.Linear(3, 2), n_power_iterations=0)
    with pytest.raises(ValueError, match="no parameter or buffer named 'q'"):
        spectral_norm(nn.Linear(3, 2), "q")
    for norm in (weight_norm, spectral_norm):
        with pytest.raises(IndexError, match="dim is 5, the tensor has 2 dimensions"):
            norm(nn.Linear(3, 2), dim=5)


def test_unsafe():
    layer = nn.Linear(3, 2)
    register_parametrization(layer, "weight", function_module(lambda x: x[:1]), unsafe=True)
    assert layer.weight.shape == (1, 3)


@EVERY
def test_copies(kind):
    """A copy is of its own, computes the same, and state dicts go round."""
    net = network(kind).eval()
    x = pyml.randn(5, 4)
    wanted = net(x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net)), network(kind).eval()):
        other.load_state_dict(net.state_dict())
        assert pyml.equal(other(x), wanted)
        assert type(other[0]) is type(net[0]) and str(other) == str(net)
        assert list(other.state_dict()) == list(net.state_dict())
        remove_parametrizations(other[0], "weight")
        assert pyml.allclose(other(x), wanted) and is_parametrized(net[0])
        for p in other.parameters():
            p.data.fill_(0)
        assert pyml.equal(net(x), wanted)
    double = copy.deepcopy(net).double()
    assert double(x.double()).dtype == "float64"


@EVERY
def test_gradients(kind):
    net = network(kind).double().eval()
    x = pyml.randn(3, 4, dtype=pyml.float64)
    net(x).square().sum().backward()
    for p in net.parameters():
        grad = p.grad.numpy().ravel()
        for i in range(0, p.numel(), 3):
            flat, h = p.data.reshape(-1), 1e-6
            values = []
            for sign in (1, -2):
                flat[i] += sign * h
                values.append(net(x).square().sum().item())
            flat[i] += h
            assert (values[0] - values[1]) / (2 * h) == pytest.approx(grad[i], rel=1e-5, abs=1e-7)


def trained(kind, record, inside=nullcontext):
    """Numbers of some steps, of a change to eval in between, and the state behind."""
    net = network(kind)

    def step(x):
        net.zero_grad()
        with inside():
            loss = (net(x).square().sum(1) - 1).square().mean() + net[0].weight.square().mean()
        loss.backward()
        with pyml.no_grad():
            for p in net.parameters():
                p.sub_(p.grad, alpha=0.1)
        return loss

    step = pyml.record(step) if record else step
    losses = []
    for i in range(14):
        losses.append(step(pyml.randn(6, 4)).item())
        net.train(not 5 <= i < 9)
    return losses, state_of(net)


@EVERY
@pytest.mark.parametrize("inside", [nullcontext, cached])
def test_a_recorded_step_has_the_bits_of_the_eager_one(kind, inside):
    assert trained(kind, True, inside) == trained(kind, False, inside)


def test_recording_within_cached_is_refused():
    layer = weight_norm(nn.Linear(3, 2))
    step = pyml.record(lambda x: layer(x).sum())
    x = pyml.ones(1, 3)
    with cached(), pytest.raises(pyml.RecordError, match=r"within cached\(\) that began before"):
        step(x)
    for _ in range(6):
        assert pyml.equal(step(x), layer(x).sum())


@pytest.mark.parametrize("change", ["register", "remove"])
def test_a_recorded_step_sees_a_changed_class(change):
    layer = register_parametrization(nn.Linear(3, 2), "weight", Double())
    step = pyml.record(lambda x: layer(x))
    x = pyml.randn(4, 3)
    for _ in range(6):
        step(x)
    if change == "register":
        register_parametrization(layer, "bias", Double())
        layer.parametrizations.bias.original.data.fill_(5)
    else:
        remove_parametrizations(layer, "weight")
        layer.weight.data.fill_(5)
    for _ in range(3):
        assert pyml.equal(step(x), layer(x))


def test_registering_in_a_recorded_step_is_refused():
    layer = nn.Linear(3, 2)
    with pytest.raises(pyml.RecordError, match="register_parametrization"):
        pyml.record(lambda x: weight_norm(layer)(x))(pyml.ones(1, 3))
    weight_norm(layer)
    with pytest.raises(pyml.RecordError, match="remove_parametrizations"):
        pyml.record(lambda x: remove_parametrizations(layer, "weight")(x))(pyml.ones(1, 3))


def test_cached():
    layer = register_parametrization(nn.Linear(3, 2), "weight", Double())
    assert layer.weight is not layer.weight
    with cached():
        kept = layer.weight
        with cached():
            assert layer.weight is kept
        assert layer.weight is kept
    assert layer.weight is not kept
    with pytest.raises(KeyError), cached():
        raise KeyError
    assert layer.weight is not layer.weight


@pytest.mark.parametrize(("dim", "shape"), [(0, (2, 1)), (1, (1, 3)), (-2, (2, 1)), (None, ())])
def test_weight_norm(dim, shape):
    layer = nn.Linear(3, 2).double()
    w = layer.weight.detach().numpy().copy()
    weight_norm(layer, dim=dim)
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    assert g.shape == shape
    np.testing.assert_allclose(layer.weight.detach().numpy(), w, rtol=1e-14)
    axis = None if dim is None else 1 - dim % 2
    wanted = np.sqrt((w**2).sum(axis, keepdims=axis is not None))
    np.testing.assert_allclose(g.detach().numpy(), wanted, rtol=1e-14)
    v.data.mul_(7)
    np.testing.assert_allclose(layer.weight.detach().numpy(), w, rtol=1e-14)


@pytest.mark.parametrize("dim", [None, 0, 1, -1])
def test_spectral_norm(dim):
    pyml.manual_seed(0)
    layer = nn.Linear(5, 4).double()
    w = layer.weight.detach().numpy().copy()
    spectral_norm(layer, dim=dim, n_power_iterations=100)
    wanted = w / np.linalg.svd(w)[1][0]
    np.testing.assert_allclose(layer.weight.detach().numpy(), wanted, rtol=1e-6)
    module = layer.parametrizations.weight[0]
    assert module._u.shape == ((4,) if dim in (None, 0) else (5,))
    module.n_power_iterations = 1
    before = module._u.clone()
    layer.eval()(pyml.ones(1, 5).double())
    assert pyml.equal(module._u, before)
    layer.train()
    layer.parametrizations.weight.original.data.add_(1)
    layer(pyml.ones(1, 5).double())
    assert not pyml.equal(module._u, before)


def test_spectral_norm_of_a_vector():
    layer = spectral_norm(nn.Linear(3, 4), "bias")
    assert layer.bias.norm().item() == pytest.approx(1)
    assert "parametrizations.bias.0._u" not in layer.state_dict()


def test_a_recorded_step_sees_that_values_are_kept():
    layer = nn.Linear(3, 2)
    register_parametrization(layer, "weight", Double())
    x = pyml.randn(4, 3)
    step = pyml.record(lambda x: layer(x))
    for _ in range(5):
        step(x)
    with cached():
        layer.weight.sum()
        with pytest.raises(pyml.RecordError, match="cached"):
            step(x)
    assert pyml.equal(step(x), layer(x))
