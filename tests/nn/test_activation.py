import inspect

import numpy as np
import pytest

import pyml
from helpers.activations import CALLS
from helpers.sweep import Scaled
from pyml import nn
from pyml.nn import functional as F
from pyml.ops.names import WITH_OUT_IN_FUNCTIONAL

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
    alone = f.module.endswith("shrink")
    texts = [f"{value!r}" if alone else f"{name}={value!r}" for name, value in options.items()]
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


@pytest.mark.parametrize("inplace", [False, True])
def test_relu6_is_a_hardtanh(inplace):
    x, other = pyml.tensor([-1.0, 0.0, 3.0, 6.0, 7.0, np.nan]), pyml.zeros(6)
    other.copy_(x)
    module = nn.ReLU6(inplace)
    y = module(x)
    np.testing.assert_array_equal(y.numpy(), F.hardtanh(other, 0, 6).numpy())
    assert (y is x) == inplace and repr(module) == f"ReLU6({'inplace=True' * inplace})"


@pytest.mark.parametrize("shape", [(5, 3), (3,), (), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("weights", [1, 3])
def test_prelu(shape, weights, dtype, rng):
    x = rng.normal(size=shape).astype(dtype)
    module = nn.PReLU(weights, 0.5, dtype=dtype)
    assert repr(module) == f"PReLU(num_parameters={weights})"
    assert module.weight.tolist() == [0.5] * weights
    if weights > 1 and len(shape) < 2:
        with pytest.raises(ValueError, match="prelu: weight has 3 numbers, it must have one"):
            module(pyml.tensor(x))
        return
    w = np.arange(weights).astype(dtype) - 0.5
    module.weight.data = pyml.tensor(w)
    wanted = np.where(x > 0, x, x * (w.reshape(-1, *(1,) * (x.ndim - 2)) if weights > 1 else w[0]))
    np.testing.assert_array_equal(module(pyml.tensor(x)).detach().numpy(), wanted)


def test_prelu_of_infinity():
    """What is not multiplied by the weight adds nothing to its gradient."""
    x = pyml.tensor([np.inf, 1.0, -2.0], requires_grad=True)
    weight = pyml.tensor([0.25], requires_grad=True)
    F.prelu(x, weight).sum().backward()
    assert weight.grad.tolist() == [-2] and x.grad.tolist() == [1, 1, 0.25]


def test_rrelu_draws_slopes_in_training():
    x = pyml.tensor(np.where(np.arange(9000) % 3, -2.0, 2.0), requires_grad=True)
    module = nn.RReLU(0.25, 0.75)
    pyml.manual_seed(1)
    y = module(x)
    slopes = (y / x).detach().numpy()
    negative = x.detach().numpy() < 0
    assert (slopes[~negative] == 1).all()
    drawn = slopes[negative]
    assert 0.25 <= drawn.min() < 0.26 and 0.74 < drawn.max() <= 0.75
    assert abs(drawn.mean() - 0.5) < 0.01 and abs(drawn.std() - 0.5 / 12**0.5) < 0.005
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes)
    pyml.manual_seed(1)
    h = x.detach() * 1
    assert F.rrelu_(h, 0.25, 0.75, training=True) is h
    np.testing.assert_array_equal(h.numpy(), y.detach().numpy())
    module.eval()
    np.testing.assert_array_equal(module(x).detach().numpy(), F.leaky_relu(x, 0.5).detach().numpy())
    assert repr(nn.RReLU(0, 1, True)) == "RReLU(lower=0, upper=1, inplace=True)"


@pytest.mark.parametrize("training", [False, True])
def test_rrelu_in_place_has_the_gradient_of_the_other(training):
    grads = []
    for inplace in (False, True):
        leaf = pyml.tensor(X, requires_grad=True)
        h = leaf * 1.5
        y = F.rrelu(h, training=training, inplace=inplace, generator=pyml.Generator(3))
        assert (y is h) == inplace
        y.sum().backward()
        grads.append(leaf.grad.tolist())
    assert grads[0] == grads[1]
    with pytest.raises(RuntimeError, match="leaf"):
        F.rrelu_(leaf, training=training)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_glu(dim, rng):
    x = rng.normal(size=(4, 6))
    a, b = np.split(x, 2, dim)
    module = nn.GLU(dim)
    np.testing.assert_allclose(module(pyml.tensor(x)).numpy(), a / (1 + np.exp(-b)), rtol=1e-14)
    assert repr(module) == f"GLU(dim={dim})"


def test_softmin():
    x = pyml.tensor(X)
    np.testing.assert_allclose(nn.Softmin(0)(x).numpy(), softmax(-X, 0), rtol=1e-13)
    assert repr(nn.Softmin(1)) == "Softmin(dim=1)"
    with pytest.warns(UserWarning, match="softmin: dim is not given, 0 is taken"):
        F.softmin(x)


def test_logsigmoid_and_its_slope_far_out():
    x = pyml.tensor([-1e4, 1e4], requires_grad=True)
    y = F.logsigmoid(x)
    y.sum().backward()
    assert y.tolist() == [-1e4, 0] and x.grad.tolist() == [1, 0]


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
    x = pyml.ones(3)
    for call, message in [
        (lambda: F.celu(x, 0), "celu: alpha is 0"),
        (lambda: F.hardtanh(x, 1, 0), "hardtanh: min_val is 1.0, it must not be greater than max"),
        (lambda: F.softshrink(x, -1), "softshrink: lambd is -1.0, it must be at least 0"),
        (
            lambda: F.glu(x),
            r"glu: dimension 0 of the input \(shape \(3,\)\) has size 3, it must be",
        ),
        (lambda: F.glu(pyml.tensor(1.0)), "glu: input is a single number"),
        (lambda: F.prelu(x, pyml.ones(1, 1)), "prelu: weight has shape"),
        (lambda: F.rrelu(x, 2, 1), "rrelu: lower is 2 and upper 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="prelu: weight has dtype float64, input float32"):
        F.prelu(x, pyml.ones(1, dtype=pyml.float64))
    with pytest.raises(TypeError, match="rrelu: input has dtype int64"):
        F.rrelu(pyml.tensor([1]), training=True)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmax_takes_its_arguments_by_position(name):
    function, x = getattr(F, name), pyml.arange(3.0)
    wanted = function(x, 0)
    got = function(x, 0, 5, pyml.float64)
    assert got.dtype == "float64"
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)
    with pytest.warns(UserWarning, match="dim is not given") as caught:
        function(x, None, 2)
    assert caught[0].filename == F.__file__


INTEGERS = {  # as PyTorch, which keeps the dtype
    "relu": ((), [0, 0, 2, 9]),
    "relu6": ((), [0, 0, 2, 6]),
    "hardtanh": ((), [-1, 0, 1, 1]),
    "hardtanh of numbers": ((-2.5, 5.5), [-2, 0, 2, 5]),
    "threshold": ((1.5, 7.9), [7, 7, 2, 9]),
}


@pytest.mark.parametrize("dtype", ["int64", "int8"])
@pytest.mark.parametrize("name", INTEGERS)
def test_of_integers(name, dtype):
    args, wanted = INTEGERS[name]
    f = getattr(F, name.split()[0])
    x = pyml.tensor([-3, 0, 2, 9], dtype=dtype)
    assert f(x, *args).dtype == dtype and f(x, *args).tolist() == wanted
    assert x.tolist() == [-3, 0, 2, 9]
    assert f(x, *args, inplace=True) is x and x.tolist() == wanted
    recorded = pyml.record(lambda x: f(x, *args))
    assert [recorded(x).tolist() for _ in range(3)] == [f(x, *args).tolist()] * 3


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softsign", "tanhshrink"])
def test_of_integers_as_numbers(name):
    """As PyTorch, which promotes them here, and not in place."""
    f, x = getattr(F, name), pyml.tensor([-3, 0, 2])
    for numbers in (x, x > 0):
        y = f(numbers)
        assert y.dtype == pyml.float32 and pyml.equal(y, f(numbers.float()))
    if hasattr(pyml.Tensor, f"{name}_"):
        with pytest.raises(TypeError, match="int64"):
            getattr(x, f"{name}_")()


def test_not_of_integers():
    x = pyml.tensor([1, 2], dtype=pyml.int8)
    with pytest.raises(ValueError, match="300 does not fit dtype int8"):
        F.threshold(x, 1, 300, inplace=True)
    assert x.tolist() == [1, 2]
    for f in (F.relu, F.relu_):
        with pytest.raises(TypeError, match=r"relu.*bool"):
            f(pyml.tensor([True]))


@pytest.mark.parametrize("name", WITH_OUT_IN_FUNCTIONAL.split())
def test_out(name):
    f, x, out = getattr(F, name), pyml.tensor([-1.0, 0.5]), pyml.empty(2)
    assert f(x, out=out) is out and out.tolist() == f(x).tolist()
