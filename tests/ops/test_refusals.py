"""What is no argument of an operation is refused in the name of the operation."""

import numpy as np
import pytest

import pyml
from pyml import nn, optim, plot, train
from pyml.nn import functional as F

X = pyml.ones(2, 3)
INDEX = pyml.zeros(1, 3, dtype=pyml.int64)
OF_TENSORS = {
    "reshape": lambda x: pyml.reshape(x, (6,)),
    "flatten": lambda x: pyml.flatten(x),
    "unflatten": lambda x: pyml.unflatten(x, 0, (1, 2)),
    "squeeze": lambda x: pyml.squeeze(x),
    "unsqueeze": lambda x: pyml.unsqueeze(x, 0),
    "permute": lambda x: pyml.permute(x, (1, 0)),
    "swapaxes": lambda x: pyml.swapaxes(x, 0, 1),
    "t": lambda x: pyml.t(x),
    "movedim": lambda x: pyml.moveaxis(x, 0, 1),
    "flip": lambda x: pyml.flip(x, 0),
    "narrow": lambda x: pyml.narrow(x, 0, 0, 1),
    "select": lambda x: pyml.select(x, 0, 0),
    "unbind": lambda x: pyml.unbind(x),
    "split": lambda x: pyml.split(x, 1),
    "chunk": lambda x: pyml.chunk(x, 2),
    "clone": lambda x: pyml.clone(x),
    "broadcast_tensors": lambda x: pyml.broadcast_tensors(X, x),
    "stack": lambda x: pyml.stack([X, x]),
    "index_select": lambda x: pyml.index_select(x, 0, INDEX[0]),
    "gather": lambda x: pyml.gather(x, 0, INDEX),
    "scatter": lambda x: pyml.scatter(x, 0, INDEX, 1.0),
    "scatter_add": lambda x: pyml.scatter_add(X, 0, INDEX, x),
    "masked_select": lambda x: pyml.masked_select(X, x),
    "nonzero": lambda x: pyml.nonzero(x),
    "bmm": lambda x: pyml.bmm(x, x),
    "numel": lambda x: pyml.numel(x),
    "is_floating_point": lambda x: pyml.is_floating_point(x),
    "softmax": lambda x: F.softmax(x),
    "leaky_relu_": lambda x: F.leaky_relu_(x),
    "BatchNorm1d": lambda x: nn.BatchNorm1d(3)(x),
    "uniform_": lambda x: nn.init.uniform_(x),
    "zeros_": lambda x: nn.init.zeros_(x),
    "eye_": lambda x: nn.init.eye_(x),
    "xavier_normal_": lambda x: nn.init.xavier_normal_(x),
}


@pytest.mark.parametrize(
    "x", [None, 1.5, "x", [[1.0]], np.ones((2, 3))], ids=lambda x: type(x).__name__
)
@pytest.mark.parametrize("name", OF_TENSORS)
def test_no_tensor(name, x):
    with pytest.raises(TypeError, match=rf"{name}: .* must be a Tensor, not {type(x).__name__}"):
        OF_TENSORS[name](x)


@pytest.mark.parametrize("dim", [1.0, "x", (0,), np.ma.masked_array(0.0, True)], ids=str)
@pytest.mark.parametrize("name", ["cumsum", "argmax", "softmax", "log_softmax", "unbind", "size"])
def test_no_dimension(name, dim):
    with pytest.raises(TypeError, match=f"{name}: dim must be an integer, not "):
        getattr(X, name)(dim)


@pytest.mark.parametrize("name", ["size", "stride", "softmax"])
@pytest.mark.parametrize("dim", [2, -3, 10**30])
def test_dimensions_that_are_not_there(name, dim):
    with pytest.raises(IndexError, match=f"{name}: dim is {dim}, "):
        getattr(X, name)(dim)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: pyml.split(x, 2),
        lambda x: pyml.chunk(x, 2),
        lambda x: pyml.unbind(x),
        lambda x: pyml.narrow(x, 0, 0, 1),
        lambda x: pyml.unflatten(x, 0, (1, 1)),
    ],
)
def test_parts_of_a_number(function):
    with pytest.raises(IndexError, match="dim is 0, the tensor has 0 dimensions"):
        function(pyml.tensor(1.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.ReLU().get_parameter(X), "target must be a str"),
        (lambda: nn.ReLU().get_submodule(3), "target must be a str"),
        (lambda: list(nn.ReLU().named_modules({})), "memo must be a set, not dict"),
        (lambda: optim.Optimizer([X], 3), "defaults must be a dict of options, not int"),
        (
            lambda: nn.utils.clip_grad_norm_(nn.Sequential(nn.ReLU()), 1.0),
            "item 0 must be a Tensor",
        ),
        (lambda: train.evaluate(3, F.mse_loss, X, X), "evaluate: model must be a Module, not int"),
        (
            lambda: train.Trainer(nn.ReLU(), F.mse_loss, optim.SGD([X], lr=1), nn.ReLU()),
            "Trainer: scheduler must be an LRScheduler, not ReLU",
        ),
        (
            lambda: train.evaluate(nn.Identity(), lambda scores, labels: None, X, X),
            "evaluate: what loss returns must be a Tensor, not NoneType",
        ),
        (lambda: nn.utils.parameters_to_vector([X, 3]), "parameter 1 must be a Tensor, not int"),
        (lambda: nn.utils.vector_to_parameters(X[0], [3]), "parameter 0 must be a Tensor, not int"),
        (lambda: (X > 0).round(decimals=2), "round: input has dtype bool"),
        (lambda: plot.learning_curves(3, "x.png"), "history must be a train.History, not int"),
        (lambda: plot.diagnostics(3, "x.png"), "records must be the .diagnostics .* int"),
    ],
)
def test_other_types(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_a_group_without_parameters():
    with pytest.raises(KeyError, match="param_group has no 'params'"):
        optim.SGD([pyml.ones(2, requires_grad=True)], lr=0.1).add_param_group({"lr": 1.0})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: X.to(pyml.int16) < 2**31, "lt: 2147483648 does not fit dtype int16"),
        (lambda: X.to(pyml.uint8) & -1, "bitwise_and: -1 does not fit dtype uint8"),
        (lambda: X.masked_fill(X > 0, 10**400), "where: an integer of 1329 bits is too large"),
        (lambda: X * 10**400, "mul: an integer of 1329 bits is too large"),
        (lambda: pyml.clamp(10**30, 0), "clamp: 1(0{30}) does not fit dtype int64"),
        (lambda: X.to(pyml.int16).fill_(70_000), "fill_: 70000 does not fit dtype int16"),
        (lambda: pyml.zeros(2).fill_(10**400), "fill_: 1(0{400}) does not fit dtype float32"),
        (lambda: X.to(pyml.int8).__setitem__(0, 128), "setitem: 128 does not fit dtype int8"),
        (lambda: pyml.full((2,), -1, dtype=pyml.uint8), "full: numbers from -1 to -1 do not fit"),
    ],
)
def test_numbers_that_are_too_large(call, words):
    with pytest.raises(ValueError, match=words):
        call()
