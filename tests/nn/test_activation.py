import inspect

import numpy as np
import pytest

import pyml
from helpers.activations import CALLS
from helpers.sweep import Scaled
from pyml import nn
from pyml.nn import functional as F

X = np.array([-30.0, -2.0, -0.5, -0.0, 0.0, 0.5, 2.0, 25.0])


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# (activation, module, inplace)
MODULES = [
    (f, getattr(nn, f.module)(**options, **({"inplace": inplace} if f.inplace else {})), inplace)
    for f, options in CALLS
    for inplace in ([False, True] if f.inplace else [False])
]
INPLACE = [module for _, module, inplace in MODULES if inplace]


@pytest.mark.parametrize(("f", "module", "inplace"), MODULES, ids=str)
def test_formula(f, module, inplace):
    x = pyml.tensor(X.copy())
    y = module(x)
    numbers = f.numbers({name: getattr(module, name) for name in f.options[0]})
    wanted = f.function(X.astype(np.longdouble), *numbers)
    wanted = wanted.wanted if isinstance(wanted, Scaled) else wanted
    np.testing.assert_allclose(y.numpy(), wanted.astype(float), rtol=1e-13, atol=1e-15)
    assert (y is x) == inplace
    if y is not x:
        np.testing.assert_array_equal(x.numpy(), X)


@pytest.mark.parametrize(("f", "module", "inplace"), MODULES, ids=str)
def test_the_options_are_shown(f, module, inplace):
    options = {name: getattr(module, name) for name in f.options[0]}
    texts = [f"{name}={value!r}" for name, value in options.items()]
    assert repr(module) == f"{f.module}({', '.join(texts + ['inplace=True'] * inplace)})"


@pytest.mark.parametrize(
    ("module", "formula", "text"),
    [
        (nn.Softmax(dim=0), lambda x: softmax(x, 0), "Softmax(dim=0)"),
        (
            nn.LogSoftmax(-1),
            lambda x: x - x.max() - np.log(np.exp(x - x.max()).sum()),
            "LogSoftmax(dim=-1)",
        ),
    ],
    ids=["softmax", "log_softmax"],
)
def test_softmax(module, formula, text):
    assert repr(module) == text
    x = pyml.tensor(X.copy())
    np.testing.assert_allclose(module(x).numpy(), formula(X), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("module", INPLACE, ids=str)
def test_inplace_has_the_gradient_of_the_other(module):
    def run(inplace):
        module.inplace = inplace
        leaf = pyml.tensor(X, requires_grad=True)
        h = leaf * 1.5
        before = h._version
        y = module(h)
        assert (y is h) == inplace
        assert (h._version > before) == inplace
        (y * pyml.tensor(np.arange(8.0))).sum().backward()
        return y.detach().numpy(), leaf.grad.numpy()

    for a, b in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("module", [*INPLACE, nn.Dropout(inplace=True)], ids=str)
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


@pytest.mark.parametrize(
    ("f", "options"), [case for case in CALLS if hasattr(F, f"{case[0].name}_")], ids=str
)
def test_functions_in_place(f, options):
    changed = getattr(F, f"{f.name}_")
    x = pyml.tensor(X.copy())
    assert changed(x, **options) is x
    np.testing.assert_array_equal(x.numpy(), getattr(F, f.name)(pyml.tensor(X), **options).numpy())
    assert changed.__name__ == f"{f.name}_"
    assert "inplace" not in inspect.signature(changed).parameters


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
