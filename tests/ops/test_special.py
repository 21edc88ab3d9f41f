"""Special functions."""

import math

import numpy as np
import pytest

import pyml
from helpers import tolerances
from ops.cases import Case, inside, positive, tests_of

SHAPES = [(), (5,), (3, 4), (2, 3, 2)]


def polygamma(n, x, terms=200_000):
    """By its sum, whose rest is near an integral."""
    k = np.arange(terms)
    x = np.asarray(x, float)[..., None]
    rest = (x[..., 0] + terms - 0.5) ** -n / n
    return (-1) ** (n + 1) * math.factorial(n) * (((x + k) ** -(n + 1)).sum(-1) + rest)


def digamma(x):
    """By 1/x - 1/k sums: digamma(1) = -0.5772..."""
    x = np.asarray(x, float)[..., None]
    k = np.arange(200_000)
    rest = (x[..., 0] - 1) / (k[-1] + 1.5 + (x[..., 0] - 1) / 2)
    return -0.5772156649015329 + (1 / (k + 1) - 1 / (x + k)).sum(-1) + rest


def scaled_bessel(n):
    """exp(-|x|) times the mean of cos(n t) exp(x cos t) over angles t, by sums, which are exact."""
    t = np.arange(64) * (2 * np.pi / 64)

    def function(x):
        x = np.asarray(x, float)[..., None]
        return (np.cos(n * t) * np.exp(x * np.cos(t) - np.abs(x))).mean(-1)

    return function


def unary(name, reference, draw=None, function=None, eps=tolerances.MATH):
    function = function or getattr(pyml, name)
    return [Case(name, function, reference, (shape,), draw, eps) for shape in SHAPES]


BY_SUMS = 1e4  # the sums of the references end; and math.lgamma is right to some hundred ulp
CASES = [
    *unary("erf", np.vectorize(math.erf)),
    *unary("erfc", np.vectorize(math.erfc)),
    *unary("lgamma", np.vectorize(math.lgamma), positive, eps=BY_SUMS),
    *unary("digamma", digamma, positive, eps=BY_SUMS),
    *unary("erfinv of erf", lambda x: x, inside, lambda x: pyml.erf(pyml.erfinv(x))),
    *unary("erfinv", np.vectorize(lambda x: inverted(math.erf, x)), inside, eps=BY_SUMS),
    *unary("i0e", scaled_bessel(0), function=pyml.special.i0e),
    *unary("i1e", scaled_bessel(1), function=pyml.special.i1e),
    *[
        Case(f"polygamma {n}", lambda x, n=n: pyml.polygamma(n, x),
             lambda x, n=n: polygamma(n, x) if n else digamma(x), ((3, 4),), positive, BY_SUMS)
        for n in (0, 1, 2, 3)
    ],
]  # fmt: skip


def inverted(function, y):
    """The x with function(x) = y, by halving."""
    low, high = -3.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < y else (low, middle)
    return low


test_values, test_layouts, test_gradients = tests_of(CASES)


def test_orders_of_polygamma():
    x = pyml.ones(2)
    with pytest.raises(ValueError, match="n is -1, it must be from 0 to 1000"):
        pyml.polygamma(-1, x)
    with pytest.raises(TypeError, match=r"n is 1\.5, it must be an integer"):
        pyml.polygamma(1.5, x)


def test_integers():
    assert pyml.lgamma(pyml.tensor([1, 3])).tolist() == pytest.approx([0, math.log(2)])


def test_slope_of_bessel_at_zero():
    x = pyml.zeros(1, dtype=pyml.float64, requires_grad=True)
    for function, slope in ((pyml.special.i0e, 0.0), (pyml.special.i1e, 0.5)):
        assert pyml.autograd.grad(function(x).sum(), x)[0].item() == slope
