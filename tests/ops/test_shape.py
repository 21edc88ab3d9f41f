"""Views, orders, parts and joins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import Case, tests_of


def case(name, function, reference, *shapes):
    return Case(name, function, reference, shapes or ((2, 3, 4),), eps=tolerances.EXACT)


# of a tensor of shape (2, 3, 4)
VIEWS = [
    case("reshape", lambda x: x.reshape(4, 6), lambda x: x.reshape(4, 6)),
    case("reshape -1", lambda x: x.reshape((-1, 8)), lambda x: x.reshape(-1, 8)),
    case("view", lambda x: x.view(6, 4), lambda x: x.reshape(6, 4)),
    case("view_as", lambda x: x.view_as(pyml.zeros(24)), lambda x: x.reshape(24)),
    case("flatten", lambda x: x.flatten(), lambda x: x.reshape(-1)),
    case("flatten 1", lambda x: x.flatten(1), lambda x: x.reshape(2, 12)),
    case("flatten 0 -2", lambda x: pyml.flatten(x, 0, -2), lambda x: x.reshape(6, 4)),
    case("unflatten", lambda x: pyml.unflatten(x, -1, (2, -1)), lambda x: x.reshape(2, 3, 2, 2)),
    case("transpose", lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, 2)),
    case("permute", lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1)),
    case("permute negative", lambda x: x.permute((-1, 0, -2)), lambda x: x.transpose(2, 0, 1)),
    case(
        "movedim",
        lambda x: pyml.movedim(x, (0, 1), (2, 0)),
        lambda x: np.moveaxis(x, (0, 1), (2, 0)),
    ),
    case("T", lambda x: x[0].T, lambda x: x[0].T),
    case("mT", lambda x: x.mT, lambda x: x.swapaxes(1, 2)),
    case("mH", lambda x: x.mH, lambda x: x.swapaxes(1, 2)),
    case("H", lambda x: x[0].H, lambda x: x[0].T),
    case("unsqueeze", lambda x: x.unsqueeze(-1).unsqueeze(0), lambda x: x[None, ..., None]),
    case("squeeze", lambda x: x[:1, :, :1].squeeze(), lambda x: x[0, :, 0]),
    case("squeeze one", lambda x: x[:1, :, :1].squeeze(2), lambda x: x[:1, :, 0]),
    case("squeeze two", lambda x: x[:1, :, :1].squeeze((0, -1)), lambda x: x[0, :, 0]),
    case("squeeze nothing", lambda x: x.squeeze(1), lambda x: x),
    case(
        "expand",
        lambda x: x.unsqueeze(0).expand(2, -1, 3, 4),
        lambda x: np.broadcast_to(x, (2, 2, 3, 4)),
    ),
    case(
        "expand inner",
        lambda x: x[..., :1].expand(2, 3, 5),
        lambda x: np.broadcast_to(x[..., :1], (2, 3, 5)),
    ),
    case("narrow", lambda x: pyml.narrow(x, 2, 1, 2), lambda x: x[..., 1:3]),
    case("narrow from the end", lambda x: pyml.narrow(x, 2, -2, 2), lambda x: x[..., 2:]),
    case("select", lambda x: pyml.select(x, 1, -1), lambda x: x[:, -1]),
    case("unbind", lambda x: x.unbind(1)[2], lambda x: x[:, 2]),
    case("split", lambda x: x.split(3, 2)[1], lambda x: x[..., 3:]),
    case("split sizes", lambda x: x.split([1, 2], 1)[1], lambda x: x[:, 1:]),
    case("chunk", lambda x: x.chunk(3, 2)[1], lambda x: x[..., 2:]),
]
COPIES = [
    case(
        "reshape of a transpose",
        lambda x: x.transpose(0, 2).reshape(6, 4),
        lambda x: x.swapaxes(0, 2).reshape(6, 4),
    ),
    case("contiguous", lambda x: x.transpose(0, 1).contiguous(), lambda x: x.swapaxes(0, 1)),
    case("clone", lambda x: x.clone(), lambda x: x),
    case("to copy", lambda x: x.to(x.dtype, copy=True), lambda x: x),
    case("flip", lambda x: pyml.flip(x, (0, -1)), lambda x: np.flip(x, (0, 2))),
    case("repeat", lambda x: x.repeat(2, 1, 3), lambda x: np.tile(x, (2, 1, 3))),
    case("repeat more", lambda x: x.repeat((3, 1, 2, 1)), lambda x: np.tile(x, (3, 1, 2, 1))),
    case("repeat once", lambda x: x.repeat(1, 1, 1), lambda x: x),
]
JOINS = [
    case(
        "cat",
        lambda a, b: pyml.cat([a, b, a], 1),
        lambda a, b: np.concatenate([a, b, a], 1),
        (2, 3),
        (2, 5),
    ),
    case("cat of nothing", lambda a, b: pyml.cat([a, b]), lambda a, b: a, (2, 3), (0,)),
    case("cat of no rows", lambda a, b: pyml.cat((a, b), -2), lambda a, b: a, (2, 3), (0, 3)),
    case(
        "stack",
        lambda a, b: pyml.stack([a, b], -1),
        lambda a, b: np.stack([a, b], -1),
        (2, 3),
        (2, 3),
    ),
    case("stack scalars", lambda a, b: pyml.stack([a, b]), lambda a, b: np.stack([a, b]), (), ()),
    case(
        "sum of broadcast_tensors",
        lambda a, b: sum(pyml.broadcast_tensors(a, b)) * 0,
        lambda a, b: 0 * (a + b),
        (2, 1),
        (3,),
    ),
]
CASES = VIEWS + COPIES + JOINS

test_values, test_layouts, test_gradients = tests_of(
    CASES, of_any_layout=[c for c in CASES if not c.name.startswith("view")]
)


@pytest.mark.parametrize("case", VIEWS, ids=str)
def test_views_share_memory(case):
    x = pyml.arange(24.0).reshape(2, 3, 4)
    y = case.function(x)
    assert np.may_share_memory(x.numpy(), y.numpy())
    x.fill_(7)
    assert (y == 7).all() and y._version == x._version == 1


@given(st.data())
def test_reshape_makes_views_where_numpy_does(data):
    """Strides of any kind: permuted, sliced, reversed, repeated."""
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple))
    a = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    a = a.transpose(data.draw(st.permutations(range(len(shape)))))
    a = a[tuple(data.draw(st.sampled_from([np.s_[:], np.s_[::2], np.s_[1:]])) for _ in a.shape)]
    a = np.broadcast_to(a, (data.draw(st.integers(1, 2)), *a.shape))
    sizes = [size for n in a.shape for size in data.draw(st.sampled_from(factors(n)))]
    if data.draw(st.booleans()):
        sizes = [int(np.prod(sizes[:2])), *sizes[2:]]
    x, wanted = pyml.from_numpy(a), a.reshape(sizes)
    assert_same_bits(x.reshape(sizes).numpy(), wanted)
    shares = a.size == 0 or np.may_share_memory(wanted, a)
    assert np.may_share_memory(x.reshape(sizes).numpy(), a) == (shares and a.size > 0)
    if shares:
        assert_same_bits(x.view(sizes).numpy(), wanted)
    else:
        with pytest.raises(RuntimeError, match="without a copy"):
            x.view(sizes)


def factors(n):
    return [(n,), (1, n), (n, 1), *((d, n // d) for d in (2, 3) if n % d == 0)]


@pytest.mark.parametrize("case", COPIES, ids=str)
def test_copies_do_not(case):
    x = pyml.arange(24.0).reshape(2, 3, 4)
    assert not np.may_share_memory(x.numpy(), case.function(x).numpy())


def test_an_untouched_tensor_is_itself():
    x = pyml.ones(2, 3)
    assert (
        x.contiguous() is x
        and x.flatten(1) is x
        and x.to("cpu") is x
        and x.float() is x
        and x.cpu() is x
    )


@pytest.mark.parametrize(
    "function, error, text",
    [
        (
            lambda x: x.reshape(4, 5),
            ValueError,
            r"shape \(4, 5\) does not fit a tensor of 24 elements",
        ),
        (lambda x: x.reshape(-1, 5), ValueError, "does not fit"),
        (lambda x: x.reshape(-1, -1), ValueError, "except one"),
        (lambda x: x.reshape(-2, 12), ValueError, "except one"),
        (lambda x: x.reshape(0, -1), ValueError, "does not fit"),
        (lambda x: x.reshape(2.0, 12), TypeError, "integers"),
        (lambda x: x.transpose(0, 2).view(24), RuntimeError, r"use reshape\(\)"),
        (lambda x: x.transpose(0, 3), IndexError, "from -3 to 2"),
        (lambda x: x.permute(0, 1), ValueError, "name each of the 3 dimensions once"),
        (lambda x: x.permute(0, 1, 1), ValueError, "once"),
        (lambda x: x.t(), ValueError, "not at most 2"),
        (lambda x: x.unsqueeze(4), IndexError, "from -4 to 3"),
        (lambda x: x.squeeze(3), IndexError, "from -3 to 2"),
        (lambda x: x.expand(2, 3, 5), ValueError, "only sizes 1"),
        (lambda x: x.expand(3, 4), ValueError, "expand"),
        (lambda x: x.expand(-1, 2, 3, 4), ValueError, "expand"),
        (lambda x: x.repeat(2), ValueError, "one for each of 3 dimensions"),
        (lambda x: x.flatten(2, 1), ValueError, "comes after"),
        (lambda x: pyml.narrow(x, 0, 1, 2), IndexError, "size 2"),
        (lambda x: pyml.select(x, 0, 2), IndexError, "out of range"),
        (lambda x: x.split([1, 1], 1), ValueError, "add up to 3"),
        (lambda x: x.split(0), ValueError, "positive"),
        (lambda x: x.chunk(0), ValueError, "at least 1"),
        (lambda x: pyml.cat([]), ValueError, "at least one"),
        (lambda x: pyml.cat([x, x[0]]), ValueError, "the same except"),
        (lambda x: pyml.cat([x, x[:, 1:]]), ValueError, "the same except"),
        (lambda x: pyml.cat([x[0, 0, 0]]), ValueError, "0-d"),
        (lambda x: pyml.cat([x, [1.0]]), TypeError, "list"),
        (lambda x: pyml.stack([x, x[0]]), ValueError, "the same"),
        (lambda x: x.to("cuda"), ValueError, "only 'cpu'"),
        (lambda x: x.to("float16"), TypeError, "float16 is not supported"),
        (lambda x: x.to("nonsense"), TypeError, "not a dtype"),
    ],
)
def test_errors(function, error, text):
    x = pyml.arange(24.0).reshape(2, 3, 4)
    with pytest.raises(error, match=text):
        function(x)


def test_the_number_of_chunks_may_be_of_numpy():
    assert len(pyml.zeros(4).chunk(np.uint8(255))) == 4


def test_split_and_chunk_sizes():
    x = pyml.arange(7)
    assert [p.tolist() for p in x.split(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [len(p) for p in x.chunk(3)] == [3, 3, 1] and len(x.chunk(9)) == 7
    assert [p.shape for p in pyml.zeros(0, 2).split(3)] == [(0, 2)] and len(
        pyml.zeros(0, 2).chunk(3)
    ) == 3


def test_to():
    x = pyml.tensor([1.5, -2.5], requires_grad=True)
    assert (
        x.double().dtype == pyml.float64
        and x.long().tolist() == [1, -2]
        and x.bool().tolist() == [True, True]
    )
    assert (
        x.to(pyml.zeros(1, dtype=pyml.float64)).dtype == pyml.float64
        and x.to("cpu", pyml.float64).requires_grad
    )
    assert x.int().dtype == pyml.int32 and not x.long().requires_grad
    x.double().sum().backward()
    assert x.grad.dtype == pyml.float32


# ---- creation ------------------------------------------------------------------------------------


def test_tensor_copies_and_others_share():
    array = np.zeros(3)
    assert not np.may_share_memory(pyml.tensor(array).numpy(), array)
    for function in (pyml.from_numpy, pyml.as_tensor):
        t = function(array)
        array[0] += 1
        assert t[0] == array[0]
    t = pyml.ones(2)
    assert pyml.as_tensor(t) is t and pyml.tensor(t) is not t
    assert pyml.tensor(np.arange(3, dtype=">f8")).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "function, dtype, shape",
    [
        (lambda: pyml.tensor(1), "int64", ()),
        (lambda: pyml.tensor(1.0), "float32", ()),
        (lambda: pyml.tensor([[True]]), "bool", (1, 1)),
        (lambda: pyml.tensor([]), "float32", (0,)),
        (lambda: pyml.tensor([1, 2.5]), "float32", (2,)),
        (lambda: pyml.tensor(np.zeros((2, 1))), "float64", (2, 1)),
        (lambda: pyml.tensor([np.float64(1)]), "float64", (1,)),
        (lambda: pyml.tensor([pyml.ones(2), pyml.ones(2)]), "float32", (2, 2)),
        (lambda: pyml.tensor([1], dtype="float64"), "float64", (1,)),
        (lambda: pyml.zeros(2, 3), "float32", (2, 3)),
        (lambda: pyml.zeros((2, 3)), "float32", (2, 3)),
        (lambda: pyml.zeros(()), "float32", ()),
        (lambda: pyml.empty(4, dtype=pyml.int32), "int32", (4,)),
        (lambda: pyml.full((2,), 1), "int64", (2,)),
        (lambda: pyml.full(3, 1.5), "float32", (3,)),
        (lambda: pyml.ones_like(pyml.zeros(2, dtype=pyml.int64)), "int64", (2,)),
        (lambda: pyml.arange(3), "int64", (3,)),
        (lambda: pyml.arange(0, 1, 0.25), "float32", (4,)),
        (lambda: pyml.linspace(0, 1, 5), "float32", (5,)),
        (lambda: pyml.eye(2, 3), "float32", (2, 3)),
        (lambda: pyml.rand(2, 3), "float32", (2, 3)),
        (lambda: pyml.randn((2, 3), dtype=pyml.float64), "float64", (2, 3)),
        (lambda: pyml.randint(5, (2, 3)), "int64", (2, 3)),
        (lambda: pyml.randperm(4), "int64", (4,)),
        (lambda: pyml.rand_like(pyml.zeros(2, dtype=pyml.float64)), "float64", (2,)),
        (lambda: pyml.normal(0.0, 1.0, (3,)), "float32", (3,)),
        (lambda: pyml.normal(pyml.zeros(3), pyml.ones(3)), "float32", (3,)),
    ],
)
def test_created(function, dtype, shape):
    t = function()
    assert (t.dtype.name, t.shape) == (dtype, shape) and t.is_leaf and not t.requires_grad


@pytest.mark.parametrize(
    "function, error",
    [
        (lambda: pyml.tensor([[1], [1, 2]]), ValueError),
        (lambda: pyml.tensor("a"), TypeError),
        (lambda: pyml.tensor(1j), TypeError),
        (lambda: pyml.tensor([1], requires_grad=True), RuntimeError),
        (lambda: pyml.zeros(-1), ValueError),
        (lambda: pyml.zeros(2.5), TypeError),
        (lambda: pyml.zeros(2, device="cuda"), ValueError),
        (lambda: pyml.zeros(2, dtype="float16"), TypeError),
        (lambda: pyml.from_numpy([1.0]), TypeError),
        (lambda: pyml.from_numpy(np.zeros(1, ">f4")), TypeError),
        (lambda: pyml.arange(0, 5, -1), ValueError),
        (lambda: pyml.arange(0, 5, 0), ValueError),
        (lambda: pyml.randint(3, 3, (2,)), ValueError),
        (lambda: pyml.randint(3, 5), TypeError),
        (lambda: pyml.randperm(-1), ValueError),
    ],
)
def test_not_created(function, error):
    with pytest.raises(error):
        function()


def test_random_numbers_come_from_the_generator():
    for function in (
        lambda g: pyml.rand(100, generator=g),
        lambda g: pyml.randn(100, generator=g),
        lambda g: pyml.randint(-5, 5, (100,), generator=g),
        lambda g: pyml.randperm(100, generator=g),
        lambda g: pyml.randn_like(pyml.zeros(100), generator=g),
    ):
        generator = pyml.Generator(1)
        first, second = function(generator).numpy(), function(generator).numpy()
        assert_same_bits(first, function(pyml.Generator(1)).numpy())
        assert (first != second).any()
    assert sorted(pyml.randperm(50).tolist()) == list(range(50))
    assert set(pyml.randint(-2, 3, (1000,)).tolist()) == {-2, -1, 0, 1, 2}


def test_sizes_and_dimensions_by_name():
    x = pyml.arange(6).reshape(2, 3)
    for got, wanted in [
        (x[:1].expand(size=(4, 3)), x[:1].expand(4, 3)),
        (x.flip(dims=(0,)), x.flip(0)),
        (x.permute(dims=(1, 0)), x.T),
        (x.repeat(repeats=(2, 1)), x.repeat(2, 1)),
        (x.reshape(shape=(3, 2)), x.reshape(3, 2)),
        (x.view(size=(3, -1)), x.view(3, 2)),
        (x.clone().resize_(size=(3, 2)), x.view(3, 2)),
        (x.sum_to_size(size=(1, 3)), x.sum(0, True)),
    ]:
        assert got.tolist() == wanted.tolist()
    with pytest.raises(TypeError, match="given twice"):
        x.reshape(3, 2, shape=(3, 2))


def test_flags_of_to():
    x = pyml.ones(2)
    assert x.to(pyml.float32, True) is x and x.to(x.double(), True).dtype == pyml.float64
    assert x.to(pyml.float32, False, True).data_ptr() != x.data_ptr()


def test_what_expand_does_not_repeat_can_be_written():
    w = pyml.tensor([1.0, 2.0], requires_grad=True)
    for y in ((w * 3).expand(2), (w * 3).expand(1, 2), pyml.broadcast_tensors(w * 3, w)[0]):
        y[..., 0] = 5
        w.grad = None
        y.sum().backward()
        assert w.grad.tolist() == [0, 3]
    x = pyml.zeros(2)
    x.expand(1, 1, 2).add_(1)
    assert x.tolist() == [1, 1] and pyml.tensor(1.0).expand(()).add_(1) == 2
    with pytest.raises(ValueError, match="read-only"):
        x.expand(2, 2).add_(1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.flip(0, -2),
        lambda x: x.squeeze((0, -2)),
        lambda x: x.movedim((0, 0), (1, 1)),
        lambda x: pyml.gradient(x, dim=(0, 0)),
    ],
)
def test_a_dimension_is_named_once(call):
    with pytest.raises(RuntimeError, match="twice"):
        call(pyml.ones(2, 3))


def test_ravel_leaves_no_gaps():
    x = pyml.arange(6)
    assert x[::2].ravel().is_contiguous() and x[::2].ravel().tolist() == [0, 2, 4]
    assert x.ravel().data_ptr() == x.data_ptr()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: x.mT, "mT: the tensor has shape"),
        (lambda x: x.narrow(0, 0, -1), "length -1"),
        (lambda x: pyml.tensor_split(x, pyml.tensor(1.5)), "dtype float32, not integers"),
    ],
)
def test_refusals_that_are_runtime_errors(call, match):
    with pytest.raises(RuntimeError, match=match):
        call(pyml.ones(3))
