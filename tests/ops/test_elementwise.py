"""Elementwise operations."""

import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
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


# change in place, and what it makes of (2, 3) numbers x and of a that broadcasts to them
IN_PLACE = {
    "add_": (lambda y, a: y.add_(a), lambda x, a: x + a),
    "add_ alpha": (lambda y, a: y.add_(a, alpha=2), lambda x, a: x + 2 * a),
    "sub_": (lambda y, a: y.sub_(a), lambda x, a: x - a),
    "div_": (lambda y, a: y.div_(a), lambda x, a: x / a),
    "iadd": (lambda y, a: operator.iadd(y, a), lambda x, a: x + a),
    "imul number": (lambda y, a: operator.imul(y, 3), lambda x, a: x * 3),
    "addcmul_": (lambda y, a: y.addcmul_(a, a, value=2), lambda x, a: x + 2 * a * a),
    "addcdiv_": (lambda y, a: y.addcdiv_(a, a + 1, value=2), lambda x, a: x + 2 * a / (a + 1)),
    "lerp_": (lambda y, a: y.lerp_(a, 0.25), lambda x, a: x + 0.25 * (a - x)),
    "copy_": (lambda y, a: y.copy_(a), lambda x, a: a + 0 * x),
    "fill_": (lambda y, a: y.fill_(2), lambda x, a: 0 * x + 2),
    "zero_": (lambda y, a: y.zero_(), lambda x, a: 0 * x),
    "neg_": (lambda y, a: y.neg_(), lambda x, a: -x),
    "exp_": (lambda y, a: y.exp_(), lambda x, a: np.exp(x)),
    "sqrt_": (lambda y, a: y.sqrt_(), lambda x, a: np.sqrt(x)),
    "tanh_": (lambda y, a: y.tanh_(), lambda x, a: np.tanh(x)),
    "relu_": (lambda y, a: y.relu_(), lambda x, a: np.maximum(x, 0)),
    "pow_": (lambda y, a: y.pow_(a), lambda x, a: x**a),
    "abs_": (lambda y, a: y.abs_(), lambda x, a: np.abs(x)),
    "log_": (lambda y, a: y.log_(), lambda x, a: np.log(x)),
    "square_": (lambda y, a: y.square_(), lambda x, a: x * x),
    "reciprocal_": (lambda y, a: y.reciprocal_(), lambda x, a: 1 / x),
    "sigmoid_": (lambda y, a: y.sigmoid_(), lambda x, a: 1 / (1 + np.exp(-x))),
    "floor_": (lambda y, a: y.floor_(), lambda x, a: np.floor(x)),
    "ceil_": (lambda y, a: y.ceil_(), lambda x, a: np.ceil(x)),
    "round_": (lambda y, a: y.round_(decimals=1), lambda x, a: np.round(x, 1)),
    "clamp_": (lambda y, a: y.clamp_(0.8, 1.3), lambda x, a: np.clip(x, 0.8, 1.3)),
    "sub_ alpha": (lambda y, a: y.sub_(a, alpha=3), lambda x, a: x - 3 * a),
    "masked_fill_": (
        lambda y, a: y.masked_fill_(pyml.tensor([True, False, True]), 1.5),
        lambda x, a: np.where([True, False, True], 1.5, x),
    ),
}
# their backward needs what they overwrite, and is refused
OVERWRITING = ("pow_", "abs_", "log_", "square_", "clamp_")


def changed(name, shape):
    change, reference = IN_PLACE[name]
    return Case(
        name,
        lambda x, a: change(x * 1, a) * 2,
        lambda x, a: reference(x, a) * 2,
        ((2, 3), shape),
        positive,
    )


CASES = [
    *[
        changed(name, shape)
        for name in IN_PLACE
        if name not in OVERWRITING
        for shape in ((2, 3), (3,))
    ],
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
    one("cast", lambda x: x.to(pyml.float64).to(x.dtype), lambda x: x, (3,), eps=tolerances.EXACT),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


# ---- broadcasting --------------------------------------------------------------------------------


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=5, min_side=0, max_side=3))
def test_broadcasting_is_that_of_numpy(shapes):
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.standard_normal(shape)) for shape in shapes.input_shapes)
    x, y = pyml.tensor(a, requires_grad=True), pyml.tensor(b, requires_grad=True)
    product = x * y
    assert_same_bits(product.detach().numpy(), np.asarray(a * b))
    dx, dy = grad(product.sum(), (x, y))
    assert dx.shape == a.shape and dy.shape == b.shape
    ones = np.ones_like(a * b)
    np.testing.assert_allclose(dx.numpy(), summed_to(ones * b, a.shape), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(dy.numpy(), summed_to(ones * a, b.shape), rtol=1e-14, atol=1e-14)


def summed_to(array, shape):
    array = array.sum(tuple(range(array.ndim - len(shape))))
    return array.sum(tuple(d for d, size in enumerate(shape) if size == 1), keepdims=True)


@given(st.data())
def test_expanded_and_sliced_operands(data):
    """What the kernels read with strides, and what is copied first, gives the same."""
    base = np.random.default_rng(0).standard_normal((4, 6, 4))
    index = data.draw(
        hnp.basic_indices((4, 6, 4), min_dims=1, allow_newaxis=False, allow_ellipsis=False)
    )
    a = np.asarray(base[index])
    b = np.broadcast_to(np.asarray(a.reshape(-1)[:1].reshape(()) if a.size else 1.0), a.shape)
    got = pyml.from_numpy(a) - pyml.from_numpy(base.copy()[index]) * pyml.from_numpy(b)
    assert_same_bits(got.numpy(), a - a * b)


@pytest.mark.parametrize(
    "function", [pyml.add, pyml.mul, pyml.where, pyml.eq, pyml.maximum, pyml.sub, pyml.div]
)
def test_shapes_that_do_not_broadcast(function):
    arguments = [pyml.zeros(2, 3), pyml.zeros(2, 4)]
    if function is pyml.where:
        arguments.insert(0, pyml.tensor(True))
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\) do not broadcast"):
        function(*arguments)


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


# ---- dtypes --------------------------------------------------------------------------------------

ORDER = ["bool", "uint8", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize("a", ORDER)
@pytest.mark.parametrize("b", ORDER)
def test_result_type(a, b):
    def of(m, n):
        return str(pyml.result_type(m, n))

    x, y = pyml.ones(2, dtype=a), pyml.ones(2, dtype=b)
    assert of(x, y) == ORDER[max(ORDER.index(a), ORDER.index(b))] == str((x + y).dtype)
    category = {"b": 0, "u": 1, "i": 1, "f": 2}
    kind_a, kind_b = category[np.dtype(a).kind], category[np.dtype(b).kind]
    assert of(x, pyml.ones((), dtype=b)) == (b if kind_b > kind_a else a)


@pytest.mark.parametrize(
    "number, wanted",
    [
        (True, ["bool", "uint8", "int64", "float32", "float64"]),
        (2, ["int64", "uint8", "int64", "float32", "float64"]),
        (2.5, ["float32", "float32", "float32", "float32", "float64"]),
    ],
)
def test_numbers_count_by_their_category(number, wanted):
    dtypes = ["bool", "uint8", "int64", "float32", "float64"]
    assert [str((pyml.ones(2, dtype=d) * number).dtype) for d in dtypes] == wanted
    assert [str((number * pyml.ones(2, dtype=d)).dtype) for d in dtypes] == wanted


def test_integers():
    x = pyml.tensor([7, -7, 0])
    assert (x + 2).tolist() == [9, -5, 2] and (x + 2).dtype == pyml.int64
    assert (x / 2).tolist() == [3.5, -3.5, 0] and (x / 2).dtype == pyml.float32
    assert (x // 2).tolist() == [3, -4, 0] and (x % 4).tolist() == [3, 1, 0]
    assert pyml.div(x, 2, rounding_mode="trunc").tolist() == [3, -3, 0]
    assert (x**2).tolist() == [49, 49, 0] and abs(x).tolist() == [7, 7, 0]
    assert pyml.sqrt(pyml.tensor([4])).dtype == pyml.float32
    assert (pyml.tensor([True, False]) + pyml.tensor([True, True])).tolist() == [True, True]
    assert (pyml.tensor([6]) & 3).tolist() == [2] and (~pyml.tensor([0])).tolist() == [-1]
    assert (~pyml.tensor([True]) | pyml.tensor([True])).tolist() == [True]
    with pytest.raises(ZeroDivisionError):
        x // 0


def test_numpy_operands():
    x = pyml.tensor([1.0, 2.0], requires_grad=True)
    array = np.array([3.0, 4.0], np.float32)
    for y in (x * array, array * x, x * pyml.tensor(array)):
        assert isinstance(y, pyml.Tensor) and y.tolist() == [3, 8] and y.requires_grad
    assert (x + np.float64(1)).dtype == pyml.float32
    assert (array - x).tolist() == [2, 2] and (array > x).tolist() == [True, True]


@pytest.mark.parametrize("other", ["a", None, [1.0], 1j, object()])
def test_other_operands(other):
    x = pyml.ones(2)
    with pytest.raises(TypeError):
        x + other
    if not isinstance(other, complex):
        assert (x == other) is False and (x != other) is True


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons(name):
    a, b = np.array([[1.0, 2, np.nan]]), np.array([[2.0], [1]])
    x, y = pyml.tensor(a, requires_grad=True), pyml.tensor(b)
    wanted = getattr(operator, name)(a, b)
    for got in (getattr(operator, name)(x, y), getattr(x, name)(y), getattr(pyml, name)(x, y)):
        assert got.dtype == pyml.bool and not got.requires_grad
        assert_same_bits(got.numpy(), wanted)


ALL_DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint64"]
ALL_DTYPES += ["float32", "float64"]


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_comparisons_of_every_dtype(name, dtype):
    dtype, rng = np.dtype(dtype), np.random.default_rng(0)
    if dtype.kind == "f":
        info = np.finfo(dtype)
        some = [0, -0.0, info.smallest_subnormal, -info.tiny / 4, 1, np.inf, -np.inf, np.nan]
    elif dtype.kind == "b":
        some = [False, True]
    else:
        some = [np.iinfo(dtype).min, 0, 1, np.iinfo(dtype).max]
    some = np.array(some, dtype)
    a, b, row = (some[rng.integers(len(some), size=shape)] for shape in [(20, 30), (20, 30), 30])
    for other in (b, row, b.T.copy().T, some[-1, ...]):
        got = getattr(pyml, name)(pyml.from_numpy(a), pyml.from_numpy(other)).numpy()
        assert got.dtype == bool
        np.testing.assert_array_equal(got, getattr(operator, name)(a, other))


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_xor"])
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_logic_of_every_dtype(name, dtype):
    a = np.array([[0, 0, 1, 1], [3, 0, 5, 0]]).astype(dtype)
    for b in (a[::-1], a[0], a[:, :1], a.T.copy().T):
        got = getattr(pyml, name)(pyml.from_numpy(a), pyml.from_numpy(b)).numpy()
        np.testing.assert_array_equal(got, getattr(np, name)(a, b), strict=True)
    got = pyml.logical_not(pyml.from_numpy(a.T)).numpy()
    np.testing.assert_array_equal(got, np.logical_not(a.T), strict=True)


@pytest.mark.parametrize("to", ALL_DTYPES)
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_conversions_are_those_of_numpy(dtype, to):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (6, 7)).astype(dtype)
    for part in (x, x.T, x[:, ::2], x[0, 0, ...], x[:0]):
        np.testing.assert_array_equal(
            pyml.from_numpy(part).to(to).numpy(), part.astype(to), strict=True
        )
        y = pyml.ones(part.shape, dtype=to)
        y.copy_(pyml.from_numpy(part))
        np.testing.assert_array_equal(y.numpy(), part.astype(to), strict=True)


def test_logic_and_classes():
    a, b = pyml.tensor([0.0, 0, 2, np.nan]), pyml.tensor([0, 1, 0, 1])
    assert pyml.logical_and(a, b).tolist() == [False, False, False, True]
    assert pyml.logical_or(a, b).tolist() == [False, True, True, True]
    assert pyml.logical_xor(a, b).tolist() == [False, True, True, False]
    assert pyml.logical_not(a).tolist() == [True, True, False, False]
    x = pyml.tensor([1.0, np.inf, -np.inf, np.nan])
    assert x.isnan().tolist() == [False, False, False, True]
    assert x.isinf().tolist() == [False, True, True, False]
    assert x.isfinite().tolist() == [True, False, False, False]
    assert (
        pyml.allclose(x[:3], x[:3])
        and not pyml.allclose(x, x)
        and pyml.allclose(x, x, equal_nan=True)
    )
    assert pyml.equal(x[:3], x[:3].clone()) and not pyml.equal(x[:2], x[:3])


def test_where_of_a_condition_alone():
    rows, columns = pyml.where(pyml.tensor([[False, True], [True, False]]))
    assert rows.tolist() == [0, 1] and columns.tolist() == [1, 0]
    with pytest.raises(TypeError, match="condition has dtype int64"):
        pyml.where(pyml.tensor([1, 0]), 1.0, 2.0)


def test_masked_fill_keeps_the_dtype():
    assert pyml.tensor([1, 2]).masked_fill(pyml.tensor([True, False]), 5).tolist() == [5, 2]
    with pytest.raises(TypeError, match="does not fit"):
        pyml.tensor([1, 2]).masked_fill(pyml.tensor([True, False]), 0.5)


def test_clamp_needs_a_bound():
    with pytest.raises(ValueError, match="at least one"):
        pyml.ones(2).clamp()
    assert pyml.tensor([1, 5]).clamp(2, 3).tolist() == [2, 3]
    assert pyml.tensor([1.0]).clamp(2, 1).tolist() == [1]


# ---- in place ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("shape", [(2, 3), (3,)])
def test_in_place(name, shape):
    change, reference = IN_PLACE[name]
    rng = np.random.default_rng(0)
    a, b = positive(rng, (2, 3)), positive(rng, shape)
    y = pyml.tensor(a)
    memory = y.array
    assert change(y, pyml.tensor(b)) is y and np.shares_memory(y.array, memory) and y._version == 1
    np.testing.assert_allclose(memory, reference(a, b), rtol=1e-15)


def test_in_place_needs_room():
    x = pyml.zeros(3)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        x.add_(pyml.ones(2, 3))
    with pytest.raises(TypeError, match="float32"):
        pyml.zeros(3, dtype=pyml.int64).add_(1.5)
    with pytest.raises(TypeError, match="does not fit"):
        pyml.zeros(3, dtype=pyml.int64).fill_(0.5)
    assert x.tolist() == [0, 0, 0] and x._version == 0
    assert (
        pyml.ones(2, dtype=pyml.float32).add_(pyml.ones(2, dtype=pyml.float64)).dtype
        == pyml.float32
    )


def test_in_place_with_overlapping_memory():
    x = pyml.arange(6.0).reshape(2, 3).clone()
    x.add_(x[0])
    assert x.tolist() == [[0, 2, 4], [3, 5, 7]]
    x = pyml.arange(6.0)
    x[1:].add_(x[:-1])
    assert x.tolist() == [0, 1, 3, 5, 7, 9]


def test_random_in_place():
    generator = pyml.Generator(3)
    x = pyml.empty(1000).uniform_(-1, 3, generator=generator)
    assert x.min() >= -1 and x.max() < 3 and 0.9 < x.mean() < 1.1
    y = pyml.empty(1000).normal_(5, 0.1, generator=generator)
    assert 4.98 < y.mean() < 5.02 and 0.09 < y.std() < 0.11
    again = pyml.empty(1000).uniform_(-1, 3, generator=pyml.Generator(3))
    assert_same_bits(x.numpy(), again.numpy())
    with pytest.raises(ValueError, match="std"):
        x.normal_(0, -1)
    with pytest.raises(TypeError, match="int64"):
        pyml.zeros(2, dtype=pyml.int64).uniform_()


def test_rounding_a_bool_gives_it():
    assert pyml.round(pyml.tensor([True, False])).dtype == pyml.bool


def test_shapes_broadcast_as_in_numpy():
    for shapes in ([(3, 1), (4,)], [(), (2, 3), (1,)], [(0, 1), (5,)], [], [5], [(0,), (1, 1)]):
        assert pyml.broadcast_shapes(*shapes) == np.broadcast_shapes(*shapes)
    for shapes in ([(3,), (4,)], [(2, 0), (3,)], [(2, 1), (3, 1)], [(0,), (2,)], [(-1,), (1,)]):
        with pytest.raises(ValueError):
            pyml.broadcast_shapes(*shapes)
    with pytest.raises(TypeError, match="sizes must be integers"):
        pyml.broadcast_shapes((1.5,), (1,))


def test_as_many_dimensions_as_a_tensor_can_have():
    a, b = pyml.ones([1] * 40), pyml.full([1] * 63 + [2], 2.0)
    assert (a + b).shape == (1,) * 63 + (2,) and (a * b).sum() == 4
    assert pyml.where(a > 0, a, b).shape == b.shape and (a == b).shape == b.shape


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, memory, 1)
    copy[...] = array
    return pyml.from_numpy(copy)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow", "maximum", "eq", "lt", "where"])
def test_operands_that_are_not_aligned(op, dtype):
    function = getattr(pyml, op) if op != "where" else lambda a, b: pyml.where(a > b, a, b)
    for shape, other in [((), (4,)), ((4,), ()), ((4,), (4,)), ((), ()), ((3, 4), (3, 1))]:
        a = np.arange(1, 1 + np.prod(shape), dtype=dtype).reshape(shape)
        b = np.full(other, 2, dtype)
        want = function(pyml.tensor(a), pyml.tensor(b))
        for x in (pyml.tensor(a), unaligned(a)):
            for y in (pyml.tensor(b), unaligned(b)):
                assert_same_bits(function(x, y).numpy(), want.numpy())
