"""Derivatives as functions: by their formulas, and what is refused. torch is in tests/parity."""

import doctest
from collections import defaultdict

import numpy as np
import pytest

import pyml
from pyml import func, nn, optim
from pyml.func import modules, transforms, vectorized


def tensor(values):
    return pyml.tensor(values, dtype=pyml.float64)


X = np.array([0.5, -1.0, 2.0])


@pytest.mark.parametrize("module", [modules, transforms, vectorized], ids=lambda m: m.__name__)
def test_examples(module):
    tested = doctest.testmod(
        module,
        extraglobs={"pyml": pyml, "nn": nn},
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert tested.attempted > 0 and tested.failed == 0


def test_derivatives_of_any_order():
    derivative = pyml.sin
    for formula in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin):
        derivative = func.grad(derivative)
        np.testing.assert_allclose(derivative(tensor(0.7)).item(), formula(0.7))


def test_a_tree_keeps_its_form():
    state = {"w": tensor(X), "rest": [tensor(2.0), (tensor(3.0),)]}
    gradient = func.grad(lambda s: (s["w"] ** 2).sum() * s["rest"][0] * s["rest"][1][0])(state)
    assert list(gradient) == ["w", "rest"]
    np.testing.assert_allclose(gradient["w"].numpy(), 12 * X)
    assert isinstance(gradient["rest"], list) and isinstance(gradient["rest"][1], tuple)
    np.testing.assert_allclose(gradient["rest"][1][0].item(), 2 * (X**2).sum())
    counts = func.grad(lambda s: s["a"] ** 2)(defaultdict(list, a=tensor(3.0)))
    assert type(counts) is defaultdict and counts["a"].item() == 6


def test_tangents_go_by_their_keys():
    at = {"a": tensor(2.0), "b": tensor(3.0)}
    along = {"b": tensor(0.0), "a": tensor(1.0)}
    value, change = func.jvp(lambda d: d["a"] * d["b"] ** 2, (at,), (along,))
    assert value.item() == 18 and change.item() == 9
    _, vjp_fn = func.vjp(lambda x: {"a": x, "b": 10 * x}, at["a"])
    assert vjp_fn({"b": tensor(1.0), "a": tensor(5.0)})[0].item() == 15
    results = iter([{"a": at["a"], "b": at["b"]}, {"b": at["b"], "a": at["a"]}])
    rows = func.vmap(lambda _: next(results))(tensor(X[:2]))
    assert rows["a"].tolist() == [2, 2] and rows["b"].tolist() == [3, 3]


def test_no_gradient_is_left_on_what_is_outside():
    w, x = tensor(X).requires_grad_(), tensor(X)
    gradient = func.grad(lambda x: (w * x * x).sum())(x)
    assert x.grad is None and not x.requires_grad and w.grad is None
    gradient.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * X)
    with pyml.no_grad():
        assert not func.grad(lambda x: (w * x * x).sum())(x).requires_grad


def test_products_taken_without_gradients_are_constants():
    x = tensor(X).requires_grad_()
    (_, vjp_fn), (_, jvp_fn) = func.vjp(pyml.exp, x), func.linearize(pyml.exp, x)
    for product in (lambda: vjp_fn(tensor(X))[0], lambda: jvp_fn(tensor(X))):
        assert product().requires_grad
        with pyml.no_grad():
            assert not product().requires_grad
        np.testing.assert_allclose(pyml.autograd.grad(product().sum(), x)[0].numpy(), np.exp(X) * X)


def test_products_are_taken_again_from_one_call():
    calls = []

    def f(x):
        calls.append(x)
        return x**3

    y, vjp_fn = func.vjp(f, tensor(X))
    z, jvp_fn = func.linearize(f, tensor(X))
    for k in (1.0, 2.0):
        np.testing.assert_allclose(vjp_fn(tensor(X * k))[0].numpy(), 3 * k * X**3)
        np.testing.assert_allclose(jvp_fn(tensor(X * k)).numpy(), 3 * k * X**3)
    np.testing.assert_allclose(y.numpy(), X**3)
    np.testing.assert_allclose(z.numpy(), X**3)
    assert len(calls) == 2


def test_value_and_grad():
    f = func.value_and_grad(lambda x: ((x**2).sum(), "aux"), has_aux=True)
    (value, aux), gradient = f(tensor(X))
    assert (value.item(), aux) == ((X**2).sum(), "aux")
    np.testing.assert_allclose(gradient.numpy(), 2 * X)


def test_products_with_the_hessian_are_those_of_autograd():
    assert func.hvp is pyml.autograd.functional.hvp
    _, product = func.hvp(lambda x: (x**3).sum(), tensor(X), tensor(X))
    np.testing.assert_allclose(product.numpy(), 6 * X * X)


@pytest.mark.parametrize("transform", [func.jacrev, func.jacfwd])
def test_jacobians_of_nothing(transform):
    assert transform(lambda x: x[:0])(tensor(X)).shape == (0, 3)
    assert transform(lambda x: x.sum() * tensor(X))(tensor([])).shape == (3, 0)


def test_a_recorded_step():
    """Transforms, vmap and functional_call in a step that is replayed: the same bits."""
    results = []
    for wrap in (lambda step: step, pyml.record):
        pyml.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def energy(x, model=model):
            return model(x).sum()

        @wrap
        def step(x, model=model, optimizer=optimizer, energy=energy):
            optimizer.zero_grad()
            slope = func.vmap(func.grad(energy))(x)
            halved = {k: p * 0.5 for k, p in model.named_parameters()}
            loss = (slope**2).mean() + func.functional_call(model, halved, x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        x = pyml.rand(5, 3)
        results.append([step(x).item() for _ in range(6)])
    assert results[0] == results[1] and results[0][-1] < results[0][0]


# ---- what is refused -----------------------------------------------------------------------------


def total(x):
    return x.sum()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: func.grad(lambda x: x)(x), RuntimeError, "must return a tensor with no"),
        (lambda x: func.grad(lambda x: 3)(x), TypeError, "grad: what func returns is or has a int"),
        (lambda x: func.grad(total)(x.long()), TypeError, "grad: an argument .* dtype int64"),
        (lambda x: func.grad(total)([]), ValueError, "grad: an argument .* has no Tensor"),
        (lambda x: func.grad(total, 1)(x), ValueError, "argnums is 1, func was given 1"),
        (lambda x: func.grad(total, ())(x), ValueError, "must name an argument"),
        (lambda x: func.grad(total, (0, -1))(x), ValueError, "names an argument twice"),
        (lambda x: func.grad(total, 0.5)(x), TypeError, "argnums is 0.5, it must be an integer"),
        (lambda x: func.grad(total, has_aux=True)(x), RuntimeError, r"must return \(output, aux\)"),
        (lambda x: func.vjp(total, x)[1](x), ValueError, "v has shape .3,. and dtype"),
        (lambda x: func.vjp(total, x)[1]((x,)), ValueError, "v has a tuple, where shape"),
        (lambda x: func.jvp(total, (x,), (x, x)), ValueError, "tangents must be a tree of tensors"),
        (lambda x: func.jvp(total, x, x), TypeError, "primals is a Tensor, it must be a tuple"),
        (lambda x: func.jvp(total, (1.0,), (x,)), TypeError, "primals is or has a float"),
        (lambda x: func.jvp(total, (x,), (x[1:],)), ValueError, r"tangents has shape \(2,\)"),
        (lambda x: func.jvp(total, (x,), (x.float(),)), ValueError, "dtype float32, where"),
        (lambda x: func.jvp(lambda y: x * 1, (x,), (x,), strict=True), RuntimeError, "strict=True"),
        (lambda x: func.jacrev(total, chunk_size=0), ValueError, "chunk_size is 0, it must be"),
    ],
)  # fmt: skip
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(tensor(X))
