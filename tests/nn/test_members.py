"""`_parameters`, `_buffers` and `_modules`: dicts by which libraries reach into modules."""

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import pytest

import pyml
from pyml import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2, bias=False)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.norm(self.layer(x)).sum()


def test_a_tensor_of_the_graph_takes_the_place_of_a_parameter():
    """The inner step of MAML, on the module itself."""
    layer = nn.Linear(3, 1)
    x, start = pyml.randn(4, 3), layer.weight
    (dw,) = pyml.autograd.grad(layer(x).square().sum(), start, create_graph=True)
    layer._parameters["weight"] = start - 0.1 * dw
    assert layer.weight is layer._parameters["weight"] and not layer.weight.is_leaf
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer(x).square().sum().backward()
    assert start.grad.shape == (1, 3) and layer.bias.grad is not None
    with pytest.raises(TypeError, match="cannot assign 'Tensor' as parameter 'weight'"):
        layer.weight = start * 2


def test_what_dicts_do():
    net = Net()
    assert dict(net._modules) == {"layer": net.layer, "norm": net.norm} and len(net._buffers) == 0
    assert list(net.norm._buffers) == ["running_mean", "running_var", "num_batches_tracked"]
    parameters = net.layer._parameters
    assert parameters["bias"] is None and "bias" in parameters and "other" not in parameters
    assert type(parameters.copy()) is OrderedDict and parameters.copy() == parameters
    assert repr(parameters) == repr(parameters.copy())
    with pytest.raises(KeyError):
        parameters["in_features"]
    with pytest.raises(KeyError):
        del parameters["in_features"]
    parameters["scale"] = nn.Parameter(pyml.ones(1))
    assert net.layer.scale is parameters.pop("scale") and not hasattr(net.layer, "scale")
    assert list(net.layer.state_dict()) == ["weight"]
    net._buffers["layer"] = pyml.zeros(1)  # of another kind than before
    assert list(net._modules) == ["norm"] and list(net._buffers) == ["layer"]
    assert next(iter(net.state_dict())) == "layer"
    del net._modules["norm"]
    assert not hasattr(net, "norm")


def test_a_dict_takes_the_place_of_all():
    net = Net()
    first, second = nn.Parameter(pyml.ones(2)), nn.Parameter(pyml.zeros(2))
    net._parameters = {"a": first}
    net._parameters = OrderedDict(b=second)
    assert (
        net.b is second and not hasattr(net, "a") and list(net.children()) == [net.layer, net.norm]
    )
    net._modules = {}
    assert list(net.named_parameters()) == [("b", second)] and not hasattr(net, "layer")


def cloned(module):
    """A module on clones of the parameters, as libraries make it."""
    clone = module.__new__(type(module))
    clone.__dict__ = module.__dict__.copy()
    for name in ("_parameters", "_buffers", "_modules"):
        setattr(clone, name, getattr(clone, name).copy())
    for name, parameter in module._parameters.items():
        clone._parameters[name] = None if parameter is None else parameter.clone()
    for name, child in module._modules.items():
        clone._modules[name] = cloned(child)
    return clone


def test_a_clone_is_part_of_the_graph():
    net = Net()
    first = net.layer.weight
    clone = cloned(net)
    clone(pyml.randn(5, 3)).backward()
    assert first.grad is not None and net.layer.weight is first
    assert clone.layer.weight is not first and clone.layer.weight.requires_grad
    clone._parameters["own"] = pyml.ones(1)
    assert "own" not in net._registered and list(net._parameters) == []


def test_they_are_found_in_the_dict_of_the_module():
    net = Net()
    assert "_parameters" not in vars(net.layer)
    assert net.layer._parameters is not None  # asked for once
    inside = vars(net.layer)["_parameters"]
    assert dict(inside) == {"weight": net.layer.weight}  # None is left out
    for same in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(same.layer._parameters) == ["weight", "bias"]
        assert vars(same.layer)["_parameters"]["weight"] is same.layer.weight
    gone = weakref.ref(net)
    gc.disable()
    try:
        del net, same, inside
        assert gone() is None
    finally:
        gc.enable()


class Strict(nn.Module):
    """With a __setattr__ of its own, written as PyTorch's."""

    def __setattr__(self, name, value):
        if isinstance(value, nn.Parameter):
            if self.__dict__.get("_parameters") is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            for others in (self.__dict__, self._parameters, self._buffers, self._modules):
                if name in others:
                    del others[name]
            self._non_persistent_buffers_set.discard(name)
            self.register_parameter(name, value)
        else:
            super().__setattr__(name, value)


def test_a_setattr_that_is_written_as_that_of_pytorch():
    net = Strict()
    net.register_buffer("scratch", pyml.zeros(1), persistent=False)
    assert net._non_persistent_buffers_set == {"scratch"}
    for _ in range(2):
        net.weight = nn.Parameter(pyml.ones(2))
    net.scratch = nn.Parameter(pyml.ones(1))
    assert [name for name, _ in net.named_parameters()] == ["weight", "scratch"]
    assert list(net.buffers()) == []
    for same in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(same.state_dict()) == ["weight", "scratch"]
        same.weight = nn.Parameter(pyml.zeros(2))
        assert net.weight.tolist() == [1, 1]


class Wrapper(nn.Linear):
    """With a __getattr__ that counts, as wrappers of PyTorch's modules have it."""

    def __getattr__(self, name):
        asked = self.__dict__.setdefault("asked", [])
        asked.append(name)
        value = super().__getattr__(name)
        return value * 1 if isinstance(value, nn.Parameter) else value


def test_a_getattr_is_asked_for_what_is_registered():
    net = Wrapper(2, 1)
    net.asked.clear()
    assert net(pyml.zeros(3, 2)).shape == (3, 1) and net.asked == ["weight", "bias"]
    assert not net.weight.is_leaf and net.in_features == 2
    assert [p.is_leaf for p in net.parameters()] == [True, True]
    with pytest.raises(AttributeError, match="'Wrapper' object has no attribute 'nothing'"):
        net.nothing  # noqa: B018
    assert not hasattr(net, "other") and issubclass(Wrapper, nn.Linear)

    class Below(Wrapper):
        def __getattr__(self, name):
            return 7 if name == "seven" else super().__getattr__(name)

    net = pickle.loads(pickle.dumps(net))
    assert Below(2, 1).seven == 7 and copy.deepcopy(net).weight.shape == (1, 2)


def test_names_of_types():
    assert pyml.typename(pyml.zeros(1)) == "pyml.FloatTensor"
    assert pyml.typename(nn.Linear) == "pyml.nn.linear.Linear" == pyml.typename(nn.Linear(1, 1))
    assert pyml.typename(3) == "int" and pyml.typename(None) == "NoneType"
