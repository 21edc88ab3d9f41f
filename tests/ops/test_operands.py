"""Operands of all operations: dtypes, broadcasting, layouts."""

import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import DTYPES, Case, tests_of
from pyml.autograd import grad
from pyml.ops.arrays import broadcast_to

CASES = [
    Case(
        "cast",
        lambda x: x.to(pyml.float64).to(x.dtype),
        lambda x: x,
        ((3,),),
        eps=tolerances.EXACT,
    ),
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


# ---- dtypes --------------------------------------------------------------------------------------

ORDER = ["bool", "uint8", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize("a", ORDER)
@pytest.mark.parametrize("b", ORDER)
def test_result_type(a, b):
    def of(m, n):
        return pyml.result_type(m, n).name

    x, y = pyml.ones(2, dtype=a), pyml.ones(2, dtype=b)
    assert of(x, y) == ORDER[max(ORDER.index(a), ORDER.index(b))] == (x + y).dtype.name
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
    assert [(pyml.ones(2, dtype=d) * number).dtype.name for d in dtypes] == wanted
    assert [(number * pyml.ones(2, dtype=d)).dtype.name for d in dtypes] == wanted


@pytest.mark.parametrize("to", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_conversions_are_those_of_numpy(dtype, to):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (6, 7)).astype(dtype)
    for part in (x, x.T, x[:, ::2], x[0, 0, ...], x[:0]):
        np.testing.assert_array_equal(
            pyml.from_numpy(part).to(to).numpy(), part.astype(to), strict=True
        )
        y = pyml.ones(part.shape, dtype=to)
        y.copy_(pyml.from_numpy(part))
        np.testing.assert_array_equal(y.numpy(), part.astype(to), strict=True)


# ---- what is no Tensor ---------------------------------------------------------------------------


WORDS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"]
WORDS += ["lshift", "rshift", "matmul"]


@pytest.mark.parametrize("word", WORDS)
def test_another_object_may_have_the_operator(word):
    other = type("Other", (), {f"__r{word}__": lambda self, tensor: (self, tensor)})()
    x = pyml.tensor([2, 3])
    for call in (f"__{word}__", f"__r{word}__") + (f"__i{word}__",) * (word != "matmul"):
        assert getattr(x, call)(object()) is NotImplemented
    for name in (word, f"i{word}"):
        name += "_" * (name in ("and", "or"))
        assert getattr(operator, name)(x, other) == (other, x)
        with pytest.raises(TypeError):
            getattr(operator, name)(x, None)


@pytest.mark.parametrize("word", ["lt", "le", "gt", "ge"])
def test_another_object_may_have_the_comparison(word):
    mirrored = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}[word]
    other = type("Other", (), {f"__{mirrored}__": lambda self, tensor: (self, tensor)})()
    x = pyml.tensor([2, 3])
    assert getattr(operator, word)(x, other) == (other, x)
    with pytest.raises(TypeError):
        getattr(operator, word)(x, None)


@pytest.mark.parametrize("word", WORDS[:-1])
def test_operators_in_place_are_in_place(word):
    name = word + "_" * (word in ("and", "or"))
    x = same = pyml.tensor([6.0, 7.0] if word == "truediv" else [6, 7])
    wanted = getattr(operator, name)(x, 2)
    x = getattr(operator, f"i{word}")(x, 2)
    assert x is same and x.tolist() == wanted.tolist()


def test_shifts_of_a_number():
    assert (2 << pyml.tensor([1, 3])).tolist() == [4, 16]
    assert (16 >> pyml.tensor([1, 3])).tolist() == [8, 2]


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


# ---- memory that is not aligned ------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("before", "shape"),
    [((4, 4), (5, 3)), ((2,), (3,)), ((1, 1, 3), (3,)), ((3,), ()), ((0,), (3,)), ((5, 1), (4, 3))],
)
def test_an_array_that_does_not_broadcast_is_not_read_beyond_its_end(before, shape):
    with pytest.raises(ValueError, match="cannot be broadcast"):
        broadcast_to(np.zeros(before, np.float32), shape)
