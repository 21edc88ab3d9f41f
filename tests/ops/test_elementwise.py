"""Elementwise operations."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from ops.cases import Case, apart, positive, tests_of, with_zeros
from pyml.autograd import grad

SHAPES = [(), (5,), (3, 4), (2, 3, 2)]
PAIRS = [
    ((), ()),
    ((7,), (7,)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 4), (3, 1)),
    ((3, 1), (1, 4)),
    ((3, 4), ()),
    ((), (3, 4)),
    ((2, 1, 3), (2, 1)),
    ((2, 1, 2, 1), (1, 2, 1, 3)),
]


def unary(name, reference, draw=None, **options):
    function = getattr(pyml, name)
    return [Case(name, function, reference, (shape,), draw, **options) for shape in SHAPES]


def binary(name, function, reference, draw=None, **options):
    return [Case(name, function, reference, pair, draw, **options) for pair in PAIRS]


def one(name, function, reference, *shapes, draw=None, **options):
    return Case(name, function, reference, shapes, draw, **options)


CASES = [
    *unary("neg", np.negative, eps=tolerances.EXACT),
    *unary("abs", np.abs, apart, eps=tolerances.EXACT),
    *unary("exp", np.exp),
    *unary("expm1", np.expm1),
    *unary("log", np.log, positive),
    *unary("log1p", np.log1p, positive),
    *unary("sqrt", np.sqrt, positive, eps=tolerances.ROUNDED),
    *unary("rsqrt", lambda x: 1 / np.sqrt(x), positive),
    *unary("square", np.square, eps=tolerances.ROUNDED),
    *unary("reciprocal", np.reciprocal, positive, eps=tolerances.ROUNDED),
    *unary("sin", np.sin),
    *unary("cos", np.cos),
    *unary("sign", np.sign, apart, eps=tolerances.EXACT),
    *unary("floor", np.floor, apart, eps=tolerances.EXACT),
    *unary("ceil", np.ceil, apart, eps=tolerances.EXACT),
    *unary("round", np.round, apart, eps=tolerances.EXACT),
    *binary("add", pyml.add, np.add, eps=tolerances.ROUNDED),
    *binary("sub", pyml.sub, np.subtract, eps=tolerances.ROUNDED),
    *binary("mul", pyml.mul, np.multiply, eps=tolerances.ROUNDED),
    *binary("div", pyml.div, np.divide, positive, eps=tolerances.ROUNDED),
    *binary("pow", pyml.pow, np.power, positive),
    *binary(
        "maximum",
        lambda a, b: pyml.maximum(a, b + 0.25),
        lambda a, b: np.maximum(a, b + 0.25),
        apart,
    ),
    *binary(
        "minimum",
        lambda a, b: pyml.minimum(a, b + 0.25),
        lambda a, b: np.minimum(a, b + 0.25),
        apart,
    ),
    *binary(
        "where",
        lambda a, b: pyml.where(a > 0, a, b),
        lambda a, b: np.where(a > 0, a, b),
        apart,
        eps=tolerances.EXACT,
    ),
    one(
        "add alpha", lambda a, b: pyml.add(a, b, alpha=-2.5), lambda a, b: a - 2.5 * b, (3, 4), (4,)
    ),
    one("sub alpha", lambda a, b: pyml.sub(a, b, alpha=3), lambda a, b: a - 3 * b, (3, 4), (4,)),
    *[
        one(f"x**{p}", lambda x, p=p: x**p, lambda x, p=p: x**p, (3, 4), draw=positive)
        for p in (0, 1, 2, 3, 0.5, -0.5, -1, 2.5)
    ],
    *[
        one(f"(-x)**{p}", lambda x, p=p: (-x) ** p, lambda x, p=p: (-x) ** p, (3, 4), draw=positive)
        for p in (0, 1, 2, 3, -2)
    ],
    one("2.5**x", lambda x: 2.5**x, lambda x: 2.5**x, (3, 4)),
    one(
        "numbers on both sides",
        lambda x: (1 - x) * 2 + 3 / (x - 9.0),
        lambda x: (1 - x) * 2 + 3 / (x - 9),
        (4,),
    ),
    one(
        "clamp", lambda x: pyml.clamp(x, -1, 1.5), lambda x: np.clip(x, -1, 1.5), (5, 5), draw=apart
    ),
    one("clamp min", lambda x: x.clamp(min=0), lambda x: np.maximum(x, 0), (5, 5), draw=apart),
    one("clamp max", lambda x: x.clamp(max=0), lambda x: np.minimum(x, 0), (5, 5), draw=apart),
    one(
        "clamp tensors",
        lambda x, a: pyml.clamp(x, a - 0.5, a + 2.25),
        lambda x, a: np.clip(x, a - 0.5, a + 2.25),
        (5, 3),
        (3,),
        draw=apart,
    ),
    one(
        "masked_fill",
        lambda x: x.masked_fill(x > 0, 7),
        lambda x: np.where(x > 0, 7, x),
        (3, 4),
        draw=apart,
    ),
    one("lerp", lambda a, b: pyml.lerp(a, b, 0.3), lambda a, b: a + 0.3 * (b - a), (3, 4), (4,)),
    one(
        "lerp far", lambda a, b: pyml.lerp(a, b, 0.8), lambda a, b: a + 0.8 * (b - a), (3, 4), (4,)
    ),
    one("lerp tensor", pyml.lerp, lambda a, b, w: a + w * (b - a), (3, 4), (4,), (3, 1)),
    one(
        "addcmul",
        lambda x, a, b: pyml.addcmul(x, a, b, value=2),
        lambda x, a, b: x + 2 * a * b,
        (3, 4),
        (4,),
        (),
    ),
    one(
        "addcdiv",
        lambda x, a, b: pyml.addcdiv(x, a, b, value=2),
        lambda x, a, b: x + 2 * a / b,
        (3, 4),
        (4,),
        (),
        draw=positive,
    ),
    one(
        "remainder",
        lambda a: pyml.remainder(a, 2.5),
        lambda a: np.remainder(a, 2.5),
        (3, 4),
        draw=positive,
    ),
    one("remainder tensor", pyml.remainder, np.remainder, (3, 4), (4,), draw=positive),
    one("x**3 of zeros", lambda x: x**3, lambda x: x**3, (6,), draw=with_zeros),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


# ---- derivatives at special places ---------------------------------------------------------------


def derivative(function, *values):
    inputs = [pyml.tensor(value, dtype=pyml.float64, requires_grad=True) for value in values]
    return [dx.tolist() for dx in grad(function(*inputs).sum(), inputs)]


def test_derivatives_at_kinks_and_poles():
    inf = np.inf
    assert derivative(pyml.abs, [0.0, -2, 3]) == [[0, -1, 1]]
    assert derivative(pyml.sqrt, [0.0, 4]) == [[inf, 0.25]]
    assert derivative(pyml.log, [0.0]) == [[inf]]
    assert derivative(lambda x: x.clamp(-1, 1), [-1.0, -1.5, 0, 1, 2]) == [[1, 0, 1, 1, 0]]
    assert derivative(pyml.maximum, [1.0, 2, 3], [1.0, 3, 2]) == [[0.5, 0, 1], [0.5, 1, 0]]
    assert derivative(pyml.minimum, [1.0, 2, 3], [1.0, 3, 2]) == [[0.5, 1, 0], [0.5, 0, 1]]
    assert derivative(lambda x: x**0, [0.0, 2]) == [[0, 0]]
    assert derivative(lambda x: x**1, [0.0, 2]) == [[1, 1]]
    assert derivative(lambda x: x**2, [0.0, 2]) == [[0, 4]]
    assert derivative(lambda x: x**0.5, [0.0]) == [[inf]]
    assert derivative(pyml.pow, [0.0, 0, 0], [0.0, 1, 2]) == [[0, 1, 0], [0, 0, 0]]
    assert derivative(lambda x: 0**x, [0.0, 1, 2]) == [[0, 0, 0]]


def test_second_derivative_of_a_power_at_zero():
    x = pyml.tensor([0.0], requires_grad=True)
    (dx,) = grad((x**3).sum(), x, create_graph=True)
    (ddx,) = grad(dx.sum(), x, create_graph=True)
    (dddx,) = grad(ddx.sum(), x)
    assert (dx.item(), ddx.item(), dddx.item()) == (0, 0, 6)


def test_nan_is_kept():
    x = pyml.tensor([np.nan, 1.0])
    for y in (
        x.abs(),
        x.sign(),
        x.clamp(0, 1),
        pyml.maximum(x, 0),
        pyml.minimum(0.0, x),
        x.exp(),
        x**2,
        -x,
    ):
        assert y.isnan().tolist() == [True, False]


# ---- integers, selection, rounding ---------------------------------------------------------------


def test_integers():
    x = pyml.tensor([7, -7, 0])
    assert (x + 2).tolist() == [9, -5, 2] and (x + 2).dtype == pyml.int64
    assert (x / 2).tolist() == [3.5, -3.5, 0] and (x / 2).dtype == pyml.float32
    assert (x // 2).tolist() == [3, -4, 0] and (x % 4).tolist() == [3, 1, 0]
    assert pyml.div(x, 2, rounding_mode="trunc").tolist() == [3, -3, 0]
    assert (x**2).tolist() == [49, 49, 0] and abs(x).tolist() == [7, 7, 0]
    assert pyml.sqrt(pyml.tensor([4])).dtype == pyml.float32
    assert (pyml.tensor([True, False]) + pyml.tensor([True, True])).tolist() == [True, True]
    with pytest.raises(ZeroDivisionError):
        x // 0


def test_where_of_a_condition_alone():
    rows, columns = pyml.where(pyml.tensor([[False, True], [True, False]]))
    assert rows.tolist() == [0, 1] and columns.tolist() == [1, 0]
    with pytest.raises(TypeError, match="condition has dtype int64"):
        pyml.where(pyml.tensor([1, 0]), 1.0, 2.0)


def test_masked_fill_keeps_the_dtype():
    assert pyml.tensor([1, 2]).masked_fill(pyml.tensor([True, False]), 5).tolist() == [5, 2]
    with pytest.raises(TypeError, match="does not fit"):
        pyml.tensor([1, 2]).masked_fill(pyml.tensor([True, False]), 0.5)


def test_the_dtype_of_clamp_is_that_of_all_three_together():
    low, high = pyml.tensor(0.5, dtype=pyml.float64), pyml.tensor([2.0, 2.0])
    y = pyml.clamp(pyml.tensor([0, 3]), low, high)
    assert y.dtype == pyml.float32 and y.tolist() == [0.5, 2]


def test_clamp_needs_a_bound():
    with pytest.raises(ValueError, match="at least one"):
        pyml.ones(2).clamp()
    assert pyml.tensor([1, 5]).clamp(2, 3).tolist() == [2, 3]
    assert pyml.tensor([1.0]).clamp(2, 1).tolist() == [1]


def test_rounding_a_bool_gives_it():
    assert pyml.round(pyml.tensor([True, False])).dtype == pyml.bool


def test_decimals_that_no_number_has():
    with pytest.raises(ValueError, match="round: decimals is -18446744073709551616"):
        pyml.ones(2).round(decimals=-(2**64))
