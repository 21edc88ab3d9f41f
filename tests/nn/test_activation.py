import math

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn import functional as F

X = np.array([-30.0, -2.0, -0.5, -0.0, 0.0, 0.5, 2.0, 25.0])


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def gelu(x):
    return x * np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])


# module, formula, repr
CASES = [
    (nn.ReLU(), lambda x: np.maximum(x, 0), "ReLU()"),
    (nn.ReLU(inplace=True), lambda x: np.maximum(x, 0), "ReLU(inplace=True)"),
    (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x), "LeakyReLU(negative_slope=0.01)"),
    (
        nn.LeakyReLU(0.3, inplace=True),
        lambda x: np.where(x > 0, x, 0.3 * x),
        "LeakyReLU(negative_slope=0.3, inplace=True)",
    ),
    (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), "Sigmoid()"),
    (nn.Tanh(), np.tanh, "Tanh()"),
    (nn.GELU(), gelu, "GELU(approximate='none')"),
    (
        nn.GELU("tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "GELU(approximate='tanh')",
    ),
    (nn.SiLU(), lambda x: x / (1 + np.exp(-x)), "SiLU()"),
    (nn.SiLU(inplace=True), lambda x: x / (1 + np.exp(-x)), "SiLU(inplace=True)"),
    (nn.ELU(), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), "ELU(alpha=1.0)"),
    (
        nn.ELU(0.5, inplace=True),
        lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))),
        "ELU(alpha=0.5, inplace=True)",
    ),
    (
        nn.Softplus(),
        lambda x: np.where(x > 20, x, np.log1p(np.exp(x))),
        "Softplus(beta=1.0, threshold=20.0)",
    ),
    (
        nn.Softplus(2, 1),
        lambda x: np.where(2 * x > 1, x, np.log1p(np.exp(2 * x)) / 2),
        "Softplus(beta=2, threshold=1)",
    ),
    (nn.Softmax(dim=0), lambda x: softmax(x, 0), "Softmax(dim=0)"),
    (
        nn.LogSoftmax(-1),
        lambda x: x - x.max() - np.log(np.exp(x - x.max()).sum()),
        "LogSoftmax(dim=-1)",
    ),
]


@pytest.mark.parametrize(
    ("module", "formula", "text"), CASES, ids=lambda c: c if isinstance(c, str) else ""
)
def test_formula(module, formula, text):
    assert repr(module) == text
    x = pyml.tensor(X.copy())
    y = module(x)
    np.testing.assert_allclose(y.numpy(), formula(X), rtol=1e-13, atol=1e-15)
    assert (y is x) == getattr(module, "inplace", False)
    if y is not x:
        np.testing.assert_array_equal(x.numpy(), X)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (nn.ReLU, {}),
        (nn.LeakyReLU, {"negative_slope": 0.3}),
        (nn.ELU, {"alpha": 0.7}),
        (nn.SiLU, {}),
    ],
)
def test_inplace_has_the_gradient_of_the_other(make, arguments):
    def run(inplace):
        leaf = pyml.tensor(X, requires_grad=True)
        h = leaf * 1.5
        before = h._version
        y = make(**arguments, inplace=inplace)(h)
        assert (y is h) == inplace
        assert (h._version > before) == inplace
        (y * pyml.tensor(np.arange(8.0))).sum().backward()
        return y.detach().numpy(), leaf.grad.numpy()

    for a, b in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "module",
    [
        nn.ReLU(True),
        nn.LeakyReLU(inplace=True),
        nn.ELU(inplace=True),
        nn.SiLU(True),
        nn.Dropout(inplace=True),
    ],
)
def test_inplace_is_noticed(module):
    leaf = pyml.tensor(X, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        module(leaf)
    np.testing.assert_array_equal(leaf.detach().numpy(), X)
    h = leaf * 2
    square = h * h
    module(h)
    with pytest.raises(RuntimeError, match="changed in place"):
        square.sum().backward()


@pytest.mark.parametrize("function", [F.relu_, F.leaky_relu_, F.elu_])
def test_functions_in_place(function):
    x = pyml.tensor(X.copy())
    assert function(x) is x
    np.testing.assert_array_equal(
        x.numpy(), getattr(F, function.__name__[:-1])(pyml.tensor(X)).numpy()
    )


@pytest.mark.parametrize(("ndim", "dim"), [(1, 0), (2, 1), (3, 0), (4, 1)])
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_implicit_dim(function, ndim, dim):
    x = pyml.randn(*range(2, 2 + ndim))
    with pytest.warns(UserWarning, match=f"dim is not given, {dim} is taken for {ndim} dimensions"):
        y = function(x)
    np.testing.assert_array_equal(y.numpy(), function(x, dim).numpy())


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_softmax_of_a_number(function):
    x = pyml.tensor(3.0, requires_grad=True)
    y = function(x, dim=0)
    y.backward()
    assert y.shape == () and y.item() == (function is F.softmax) and x.grad.item() == 0


def test_softmax_dtype():
    x = pyml.tensor([1, 2, 3])
    assert F.softmax(x, 0, dtype=pyml.float64).dtype == np.float64
    assert F.log_softmax(x, 0, dtype=pyml.float32).dtype == np.float32
    with pytest.raises(TypeError, match="int64"):
        F.softmax(x, 0)


def test_errors():
    with pytest.raises(ValueError, match="approximate is 'erf'"):
        nn.GELU("erf")(pyml.ones(2))
    with pytest.raises(IndexError, match="dim is 2"):
        nn.Softmax(2)(pyml.ones(2, 2))
    with pytest.raises(TypeError, match="must be a Tensor"):
        nn.ReLU()(X)
