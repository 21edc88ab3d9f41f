"""Products with Jacobians and Hessians, against their formulas; torch is in tests/parity."""

import doctest

import numpy as np
import pytest

import pyml
from pyml.autograd import function, functional

A = np.array([[1.0, 2.0, -1.0], [0.5, -3.0, 2.0]])


def tensor(values):
    return pyml.tensor(values, dtype=pyml.float64)


def squares(x):
    """A x^2: the Jacobian is 2 A diag(x)."""
    return pyml.from_numpy(A) @ (x * x)


def cubic(x, y):
    """sum(x^2 y): the Hessian has 2 diag(y), 2 diag(x) and 0."""
    return (x * x * y).sum()


X, Y, V = np.array([1.0, -2.0, 0.5]), np.array([3.0, 1.0, -1.0]), np.array([0.3, 1.1, -0.4])
JACOBIAN = 2 * A * X
HESSIAN = np.block([[2 * np.diag(Y), 2 * np.diag(X)], [2 * np.diag(X), np.zeros((3, 3))]])


def test_products_with_a_jacobian():
    u = np.array([2.0, -1.0])
    y, product = functional.vjp(squares, tensor(X), tensor(u))
    np.testing.assert_allclose(y.numpy(), A @ X**2)
    np.testing.assert_allclose(product.numpy(), u @ JACOBIAN)
    y, product = functional.jvp(squares, tensor(X), tensor(V))
    np.testing.assert_allclose(y.numpy(), A @ X**2)
    np.testing.assert_allclose(product.numpy(), JACOBIAN @ V)
    for strategy in ("reverse-mode", "forward-mode"):
        jacobian = functional.jacobian(squares, tensor(X), strategy=strategy)
        np.testing.assert_allclose(jacobian.numpy(), JACOBIAN)


@pytest.mark.parametrize("name", ["vhp", "hvp"])
def test_products_with_a_hessian(name):
    y, products = getattr(functional, name)(
        cubic, (tensor(X), tensor(Y)), (tensor(V), tensor(V[::-1].copy()))
    )
    np.testing.assert_allclose(y.item(), (X * X * Y).sum())
    wanted = HESSIAN @ np.concatenate([V, V[::-1]])
    np.testing.assert_allclose(np.concatenate([p.numpy() for p in products]), wanted)


def test_hessian():
    blocks = functional.hessian(cubic, (tensor(X), tensor(Y)))
    np.testing.assert_allclose(np.block([[b.numpy() for b in row] for row in blocks]), HESSIAN)
    linear = functional.hessian(lambda x: (3 * x).sum(), tensor(X))
    assert linear.shape == (3, 3) and not linear.numpy().any()
    assert functional.jacobian(lambda x: x[:0], tensor(X)).shape == (0, 3)


def test_the_graph_goes_through_with_create_graph():
    x = tensor(X).requires_grad_()
    for create_graph in (False, True):
        jacobian = functional.jacobian(squares, x, create_graph=create_graph)
        assert jacobian.requires_grad == create_graph
    jacobian.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * A.sum(0))
    with pyml.no_grad():
        assert functional.jacobian(squares, x).shape == (2, 3)


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_the_function_captures_is_no_input(create_graph):
    x = tensor(X).requires_grad_()
    jacobian = functional.jacobian(lambda y: y * x, x, create_graph=create_graph)
    np.testing.assert_allclose(jacobian.detach().numpy(), np.diag(X))


def test_strict():
    x = tensor(X)
    for call, message in [
        (lambda: functional.vjp(lambda x: tensor(1.0), x, strict=True), "strict=True"),
        (lambda: functional.jacobian(lambda x, y: x, (x, x), strict=True), "strict=True"),
        (lambda: functional.hessian(lambda x: x.sum(), x, strict=True), "strict=True"),
        (lambda: functional.jacobian(squares, x, strict=True, vectorize=True), "vectorize"),
        (lambda: functional.jacobian(squares, x, strict=True, strategy="forward-mode"), "forward"),
    ]:
        with pytest.raises(RuntimeError, match=message):
            call()
    _, dx = functional.vjp(lambda x: tensor(1.0), x)
    assert dx.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["vjp", "jvp", "jacobian", "vhp", "hvp", "hessian"])
def test_strict_refuses_slopes_without_slopes_where_these_are_asked_for(name):
    x = tensor(X).requires_grad_()
    of_second = name in ("vhp", "hvp", "hessian")
    function = (lambda x: (x * x).sum()) if of_second else (lambda x: 3 * x)
    given = (x,) if name in ("jacobian", "hessian") else (x, tensor(X))
    call = getattr(functional, name)
    call(function, *given, strict=True)
    call(function, *given, create_graph=True)
    with pytest.raises(RuntimeError, match=r"(jacobian|hessian) of .* is independent of input 0"):
        call(function, *given, create_graph=True, strict=True)


def test_strict_says_of_a_linear_function_that_its_slope_is_constant():
    for call in (functional.vhp, functional.hvp):
        with pytest.raises(RuntimeError, match=r"jacobian of .* is independent of input 0"):
            call(lambda x: 3 * x.sum(), tensor(X), tensor(X), strict=True)


def test_what_does_not_fit_is_named():
    x = tensor(X)
    for error, call, message in [
        (TypeError, lambda: functional.vjp(squares, [1.0]), "inputs given to vjp must be.* list"),
        (
            TypeError,
            lambda: functional.jvp(lambda x: 5, x, x),
            "outputs .* given to jvp must be.* int",
        ),
        (RuntimeError, lambda: functional.vjp(squares, x), "v can only be None.* give a tensor"),
        (RuntimeError, lambda: functional.vjp(squares, x, x), r"v has invalid size: .* got \(3,\)"),
        (
            RuntimeError,
            lambda: functional.jvp(squares, x, (x, x)),
            "v should contain a single Tensor, not 2",
        ),
        (RuntimeError, lambda: functional.hessian(squares, x), "should contain a single element"),
        (
            RuntimeError,
            lambda: functional.hvp(lambda x: (x, x), x, x),
            "should return a single Tensor",
        ),
        (ValueError, lambda: functional.jacobian(squares, x, strategy="mixed"), "reverse"),
    ]:
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("module", [function, functional], ids=["function", "functional"])
def test_examples(module):
    found = doctest.testmod(module, extraglobs={"pyml": pyml})
    assert found.attempted > 0 and found.failed == 0
