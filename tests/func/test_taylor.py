"""Derivatives by inputs against backward twice, in float64 to the last digits; what is refused."""

import doctest

import numpy as np
import pytest

import pyml
from pyml import func, nn, optim
from pyml.autograd import grad, gradcheck
from pyml.func import taylor
from pyml.nn import functional as F

WHICH = [(), 0, 1, 2, (0, 0), (1, 0), (2, 2), (1, 2)]


class Sine(nn.Module):
    def forward(self, x):
        return pyml.sin(3 * x)


ACTIVATIONS = {
    "Tanh": nn.Tanh,
    "Sigmoid": nn.Sigmoid,
    "Softplus": lambda: nn.Softplus(2.0, 1.5),
    "SiLU": nn.SiLU,
    "GELU": nn.GELU,
    "GELU tanh": lambda: nn.GELU("tanh"),
    "Mish": nn.Mish,
    "LogSigmoid": nn.LogSigmoid,
    "Tanhshrink": nn.Tanhshrink,
    "Sine": Sine,
}
GIVEN = {Sine: lambda x: pyml.sin(3 * x)}


def net(activation, dtype=pyml.float64, outputs=2):
    pyml.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 5),
        activation(),
        nn.Sequential(nn.Linear(5, 4, bias=False), nn.Identity(), activation()),
        nn.Linear(4, outputs),
    ).to(dtype)


def points(dtype=pyml.float64, n=7):
    return pyml.randn(n, 3, dtype=dtype)


def backward_twice(model, x, which):
    """Each output's derivatives, one backward after another."""
    x = x.detach().requires_grad_()
    u, found = model(x), []
    for order in which:
        columns = []
        for o in range(u.shape[1]):
            y = u[:, o]
            for i in order if isinstance(order, tuple) else (order,):
                y = grad(y.sum(), x, create_graph=True)[0][:, i]
            columns.append(y)
        found.append(pyml.stack(columns, 1))
    return found


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_they_are_those_of_backward_twice(name):
    model, x = net(ACTIVATIONS[name]), points()
    got = func.input_derivatives(model, x, WHICH, activations=GIVEN)
    for a, b in zip(got, backward_twice(model, x, WHICH), strict=True):
        assert a.shape == (7, 2)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_by_the_weights(name):
    model, x = net(ACTIVATIONS[name]), points()
    results = []
    for found in (
        func.input_derivatives(model, x, WHICH, activations=GIVEN),
        backward_twice(model, x, WHICH),
    ):
        weights = [1.0 + k / 7 for k in range(len(found))]
        loss = sum(w * (d * d).sum() for w, d in zip(weights, found, strict=True))
        results.append(grad(loss, tuple(model.parameters())))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", ["Tanh", "SiLU", "Mish"])
def test_gradients_by_x_and_of_second_order(name):
    model, x = net(ACTIVATIONS[name], outputs=1), points(n=2).requires_grad_()

    def function(x):
        return func.input_derivatives(model, x, [0, (0, 1), (2, 2)])

    assert gradcheck(function, (x,))
    (dx,) = grad(sum(d.sum() for d in function(x)), x, create_graph=True)
    first = grad(dx.square().sum(), model[0].weight)[0]
    wanted = sum(d.sum() for d in backward_twice_in_graph(model, x))
    (dx,) = grad(wanted, x, create_graph=True)
    np.testing.assert_allclose(first, grad(dx.square().sum(), model[0].weight)[0], rtol=1e-8)


def backward_twice_in_graph(model, x):
    (first,) = grad(model(x).sum(), x, create_graph=True)
    second = [grad(first[:, i].sum(), x, create_graph=True)[0][:, j] for i, j in ((0, 1), (2, 2))]
    return [first[:, 0], *second]


def test_what_is_asked_for_is_what_comes():
    model, x = net(nn.Tanh), points()
    every = func.input_derivatives(model, x, WHICH)
    for order, wanted in zip(WHICH, every, strict=True):
        (got,) = func.input_derivatives(model, x, [order])
        np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-14)
    assert func.input_derivatives(model, x, []) == ()
    a, b = func.input_derivatives(model, x, [(0, 1), (1, 0)])
    assert pyml.equal(a, b)
    np.testing.assert_allclose(
        func.input_derivatives(model, x, [()])[0].detach(), model(x).detach()
    )


def test_shapes_and_dtypes():
    model = net(nn.Tanh, pyml.float32)
    for shape in ((3,), (4, 3), (2, 4, 3), (0, 3)):
        u, u_xx = func.input_derivatives(model, pyml.rand(*shape), [(), (0, 0)])
        assert u.shape == u_xx.shape == (*shape[:-1], 2) and u_xx.dtype == pyml.float32
    with pyml.no_grad():
        assert not func.input_derivatives(model, pyml.rand(4, 3), [(0, 0)])[0].requires_grad
    linear = nn.Linear(3, 2)
    _, slope, zero = func.input_derivatives(linear, pyml.rand(4, 3), [(), 1, (1, 1)])
    assert pyml.equal(slope, linear.weight[:, 1].expand(4, 2)) and not zero.any()


@pytest.mark.parametrize(("features", "outputs"), [(0, 2), (3, 0), (0, 0)])
def test_layers_without_features(features, outputs):
    layer = nn.Linear(features, outputs)
    jet = pyml.rand(3, 4, features).requires_grad_()
    y = pyml.ops.jet_linear(jet, layer.weight, layer.bias)
    inputs = jet, layer.weight, layer.bias
    for create_graph in (False, True):
        dx, dw, db = grad(y.sum(), inputs, retain_graph=True, create_graph=create_graph)
        assert dx.shape == (3, 4, features) and not dx.any()
        assert dw.shape == (outputs, features) and db.tolist() == [4.0] * outputs


def test_a_subclass_and_a_parametrized_layer():
    class Net(nn.Sequential):
        pass

    model = Net(nn.Linear(3, 4), nn.Tanh(), nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)))
    model, x = model.double(), points()
    got = func.input_derivatives(model, x, WHICH)
    for a, b in zip(got, backward_twice(model, x, WHICH), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-13)


def test_dropout_in_evaluation():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 1)).double()
    with pytest.raises(TypeError, match=r"Sequential\.2 is a Dropout in training; call model.eval"):
        func.input_derivatives(model, points(), [0])
    x = points()
    (got,) = func.input_derivatives(model.eval(), x, [0])
    np.testing.assert_allclose(got.detach(), backward_twice(model, x, [0])[0].detach(), rtol=1e-12)


def test_a_recorded_step():
    results = []
    for wrap in (lambda step: step, pyml.record):
        model = net(nn.Tanh, outputs=1)
        optimizer = optim.Adam(model.parameters())

        @wrap
        def step(x, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            u, u_t, u_xx = func.input_derivatives(model, x, [(), 1, (0, 0)])
            loss = (u_t + u - u_xx).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        pyml.manual_seed(1)
        results.append([step(points()).item() for _ in range(8)])
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("model", "x", "which", "error", "words"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU()), None, [0], TypeError, "Sequential.1 is a ReLU"),
        (nn.BatchNorm1d(3), None, [0], TypeError, "BatchNorm1d is a BatchNorm1d; it takes"),
        (nn.Linear(3, 2), None, [3], ValueError, "which has 3, x has 3 features"),
        (nn.Linear(3, 2), None, [-1], ValueError, "which has -1"),
        (nn.Linear(3, 2), None, [(0, 0, 0)], ValueError, "to second order"),
        (nn.Linear(3, 2), None, [0.5], TypeError, "an index of which is 0.5"),
        (nn.Linear(4, 2), None, [0], ValueError, "jet_linear: x has shape"),
        (nn.Linear(3, 2), pyml.ones(4, 3).long(), [0], TypeError, "dtype int64"),
        (nn.Linear(3, 2), 3.0, [0], TypeError, "input_derivatives"),
    ],
)
def test_refused(model, x, which, error, words):
    with pytest.raises(error, match=words):
        func.input_derivatives(model, pyml.rand(4, 3) if x is None else x, which)


def test_a_layer_that_is_not_as_its_class_has_it():
    class Scaled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(TypeError, match="Scaled is a Scaled"):
        func.input_derivatives(Scaled(3, 2), pyml.rand(4, 3), [0])
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].register_forward_hook(lambda module, args, output: output * 2)
    with pytest.raises(TypeError, match=r"Sequential\.0 has hooks"):
        func.input_derivatives(model, pyml.rand(4, 3), [0])


def test_examples():
    tested = doctest.testmod(taylor, extraglobs={"pyml": pyml, "nn": nn, "func": func, "F": F})
    assert tested.attempted > 0 and tested.failed == 0
