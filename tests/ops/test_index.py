"""Indexing."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import Case, tests_of
from pyml.autograd import grad

SHAPE = (4, 5, 2)
ROWS = [2, 0, 2, -1]
MASK = np.random.default_rng(1).random(SHAPE) < 0.4

# an index of a tensor of SHAPE; arrays stand for tensors
INDICES = {
    "integer": 1,
    "negative integer": (-1, 2),
    "element": (1, 2, 0),
    "slices": (slice(1, 3), slice(None, None, 2)),
    "slice from the end": slice(-2, None),
    "empty slice": slice(3, 1),
    "ellipsis": (..., 1),
    "new dimensions": (slice(None), None, 1, None),
    "everything": ...,
    "vector": np.array(ROWS),
    "vector int32": np.array(ROWS, np.int32),
    "list": [0, 2],
    "range": range(3),
    "matrix": np.array([[0, 1], [2, 2]]),
    "no rows": np.zeros(0, np.int64),
    "two vectors": (np.array([0, 1, 1]), np.array([4, 0, 0])),
    "vectors apart": (np.array([0, 1]), slice(None), np.array([1, 0])),
    "vector after a slice": (slice(1, None), np.array([0, 0, 4])),
    "vector after an ellipsis": (..., np.array([1, 0])),
    "vector and integer": (np.array([0, 1]), 2),
    "0-d index": np.array(2),
    "mask": MASK,
    "mask of rows": np.array([True, False, True, False]),
    "mask in the middle": (slice(None), np.array([True, False, True, False, True]), 1),
    "true": True,
}


def as_tensors(index):
    if isinstance(index, tuple):
        return tuple(map(as_tensors, index))
    return pyml.tensor(index) if isinstance(index, np.ndarray) else index


def case(name, function, reference, *shapes):
    return Case(name, function, reference, shapes or (SHAPE,), eps=tolerances.EXACT)


def assigned(index):
    def reference(x, value):
        x = x.copy()
        x[index] = value
        return x

    def function(x, value):
        y = x * 1
        y[as_tensors(index)] = value
        return y

    return function, reference


def value_shapes():
    """Shapes that broadcast to x[index]; no element of x is named twice."""
    for name, index in INDICES.items():
        if name in ("vector", "vector int32", "matrix", "two vectors", "vector after a slice"):
            continue
        shape = np.zeros(SHAPE)[index].shape
        yield name, index, shape
        if shape and shape[0] > 1:
            yield name, index, (1, *shape[1:])


SCATTERED = np.array([[0, 1, 1], [2, 2, 2]])


def scatter_add_reference(x, index, dim, source):
    x = x.copy()
    for place in np.ndindex(index.shape):
        to = list(place)
        to[dim] = index[place]
        x[tuple(to)] += source[place]
    return x


def scatter_reference(x, source):
    x = x.copy()
    np.put_along_axis(x, np.array([[2], [0]]), source, 1)
    return x


GATHERED = np.array([[[0, 1], [4, 4]], [[1, 1], [0, 2]]])
CASES = [
    *[
        case(name, lambda x, i=index: x[as_tensors(i)], lambda x, i=index: x[i])
        for name, index in INDICES.items()
    ],
    *[
        case(f"assign {name}", *assigned(index), SHAPE, shape)
        for name, index, shape in value_shapes()
    ],
    case(
        "index_select",
        lambda x: x.index_select(1, pyml.tensor([4, 0, 4])),
        lambda x: x[:, [4, 0, 4]],
    ),
    case(
        "index_select rows",
        lambda x: x.index_select(0, pyml.tensor(ROWS) % SHAPE[0]),
        lambda x: x[ROWS],
    ),
    case(
        "gather",
        lambda x: x.gather(1, pyml.tensor(GATHERED)),
        lambda x: np.take_along_axis(x[:2], GATHERED, 1),
    ),
    case(
        "take_along_dim",
        lambda x: pyml.take_along_dim(x, x.argmax(2, True), 2),
        lambda x: x.max(2, keepdims=True),
    ),
    case(
        "take_along_dim broadcasts",
        lambda x: pyml.take_along_dim(x, pyml.tensor([[[2], [0]]]), -2),
        lambda x: x[:, [2, 0]],
    ),
    case(
        "take_along_dim broadcasts the input",
        lambda x: pyml.take_along_dim(x[:, :1], pyml.tensor([[[0, 1, 1]] * 5]), 2),
        lambda x: np.repeat(x[:, :1, [0, 1, 1]], 5, 1),
    ),
    *[
        case(
            f"scatter_add {dim}",
            lambda x, s, d=dim: pyml.scatter_add(x, d, pyml.tensor(SCATTERED), s),
            lambda x, s, d=dim: scatter_add_reference(x, SCATTERED, d, s),
            *shapes,
        )._replace(eps=tolerances.summed(3))
        for dim, shapes in [(1, ((3, 4), (2, 3))), (0, ((3, 3), (4, 5)))]
    ],
    case(
        "scatter",
        lambda x, s: pyml.scatter(x, 1, pyml.tensor([[2], [0]]), s),
        scatter_reference,
        (2, 3),
        (2, 1),
    ),
    case("masked_select", lambda x: pyml.masked_select(x, pyml.tensor(MASK)), lambda x: x[MASK]),
    case(
        "masked_select rows",
        lambda x: pyml.masked_select(x, pyml.tensor(MASK[0])),
        lambda x: x[:, MASK[0]].reshape(-1),
    ),
    case("nothing selected", lambda x: x[x > 99], lambda x: x[x > 99]),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


@given(st.data())
def test_basic_indices_are_those_of_numpy(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    items = index if isinstance(index, tuple) else (index,)
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = pyml.tensor(array, requires_grad=True)
    if any(isinstance(item, slice) and (item.step or 1) < 0 for item in items):
        with pytest.raises(ValueError, match="must be positive"):
            x[index]
        return
    assert_same_bits(
        np.ascontiguousarray(x[index].detach().numpy()), np.ascontiguousarray(array[index])
    )
    wanted = np.zeros(shape)
    wanted[index] = 1
    assert_same_bits(grad(x[index].sum(), x)[0].numpy() + 0, wanted)


@given(st.data())
def test_integer_indices_are_those_of_numpy(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    index = data.draw(
        hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    )
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    x = pyml.tensor(array, requires_grad=True)
    y = x[as_tensors(index)]
    assert_same_bits(y.detach().numpy(), array[index])
    wanted = np.zeros(shape)
    np.add.at(wanted, index, 1)
    assert_same_bits(grad(y.sum(), x)[0].numpy() + 0, wanted)


@pytest.mark.parametrize(
    ("index", "same"),
    [
        ((1, slice(None), [0, 2, 2]), lambda x: x[1][:, [0, 2, 2]]),
        ((0, ..., [True, False, True, False, True]), lambda x: x[0][..., [0, 2, 4]]),
        (([1, 0], slice(None), 3), lambda x: x[..., 3][[1, 0]]),
        ((-1, None, [2, 0], [1, 1]), lambda x: x[-1][None, [2, 0], [1, 1]]),
        ((None, pyml.tensor(1), slice(1, 3), [4]), lambda x: x[None, 1, 1:3][..., [4]]),
        (
            ([[True, False, True], [False, True, False]], 2),
            lambda x: x[..., 2][[0, 0, 1], [0, 2, 1]],
        ),
    ],
)
def test_integers_choose_before_arrays(index, same):
    """To NumPy they are arrays of one index, and what stands between arrays comes behind them."""
    x = pyml.arange(30.0).reshape(2, 3, 5).clone().requires_grad_()
    wanted = same(x)
    assert_same_bits(x[index].detach().numpy(), wanted.detach().numpy())
    slope = pyml.arange(1.0, wanted.numel() + 1).reshape(wanted.shape)
    assert_same_bits(*(grad(y, x, slope)[0].numpy() for y in (x[index], wanted)))
    y, value = x * 1, slope.clone().requires_grad_()
    y[index] = value
    places = same(pyml.arange(30.0).reshape(2, 3, 5)).long().flatten()
    z = x.detach().flatten()
    for place, number in zip(places.tolist(), slope.flatten().tolist(), strict=True):
        z[place] = number
    assert_same_bits(y.detach().numpy().ravel(), z.numpy())
    dx, dvalue = grad(y.sum(), (x, value))
    assert_same_bits(
        dx.numpy().ravel(), np.where(np.isin(np.arange(30), places), 0, 1).astype("f4")
    )
    assert_same_bits(dvalue.numpy(), np.ones(slope.shape, "f4"))
    with pytest.raises(RuntimeError, match="a view of a leaf"):
        x[index] = 0.0


def test_gradient_of_gather_where_the_index_is_smaller():
    x = pyml.zeros(3, 4, 2, requires_grad=True)
    index = pyml.tensor([[[3], [3]], [[0], [0]]])  # (2, 2, 1)
    y = pyml.gather(x, 1, index)
    y.backward(pyml.tensor([[[1.0], [2.0]], [[4.0], [8.0]]]))
    wanted = np.zeros((3, 4, 2), np.float32)
    wanted[0, 3, 0], wanted[1, 0, 0] = 3, 12
    np.testing.assert_array_equal(x.grad.numpy(), wanted)


@pytest.mark.parametrize("dtype", ["bool", "int16", "int64", "float32", "float64"])
def test_assignment_by_a_mask_of_the_shape(dtype):
    a = np.arange(40).reshape(SHAPE).astype(dtype)
    for array in (a, a.T.copy().T):
        x = pyml.from_numpy(array.copy(order="K"))
        x[pyml.from_numpy(MASK)] = 1
        wanted = a.copy()
        wanted[MASK] = 1
        np.testing.assert_array_equal(x.numpy(), wanted)


def test_assignment_of_overlapping_memory():
    a = np.arange(12.0).reshape(3, 4)
    for to, from_ in [
        (np.s_[1:], np.s_[:-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[0], np.s_[1]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[...], np.s_[:1]),
        (np.s_[...], np.s_[:, 3:]),
    ]:
        x, wanted = pyml.tensor(a), a.copy()
        x[to] = x[from_]
        wanted[to] = a[from_]
        np.testing.assert_array_equal(x.numpy(), wanted)


def test_an_index_is_looked_through_before_anything_is_read():
    x = pyml.zeros(4, 3)
    for index in ([0, 4], [-5, 0], [2**62, 0], [-(2**63), 0]):
        wrong = index[0] or index[1]
        text = f"index: index {wrong} is out of range for dimension 0 of size 4"
        with pytest.raises(IndexError, match=text):
            x[pyml.tensor(index)]
        with pytest.raises(IndexError, match="dimension 1 of size 3"):
            x.gather(1, pyml.tensor([index]))
    with pytest.raises(IndexError, match="of size 0"):
        pyml.zeros(0, 3)[pyml.tensor([0])]


def test_what_counts_indices_from_the_end_and_what_refuses_them():
    x, last = pyml.arange(6.0).reshape(2, 3), pyml.tensor([-1])
    columns, ones = pyml.tensor([[-1, 0, -2]]), pyml.ones(2, 1)
    for refused in (
        lambda: x.index_select(1, last),
        lambda: x.gather(1, columns),
        lambda: x.scatter(1, columns, 9.0),
        lambda: x.scatter(1, columns, 9.0, reduce="add"),
        lambda: x.scatter_add(1, columns, pyml.ones(1, 3)),
        lambda: x.scatter_reduce(1, columns, pyml.ones(1, 3), "amax"),
        lambda: x.index_add(1, last, ones),
        lambda: x.index_copy(1, last, ones),
        lambda: x.index_reduce(1, last, ones, "prod"),
    ):
        with pytest.raises(IndexError, match="index -1 is out of range for dimension 1 of size 3"):
            refused()
    numbers = np.arange(6.0).reshape(2, 3)
    filled, put = numbers.copy(), numbers.copy()
    filled[:, -1], put[-1, -1] = 7, 7
    for y, wanted in (
        (x[:, last], numbers[:, [-1]]),
        (x.take(columns), numbers.take([[-1, 0, -2]])),
        (pyml.take_along_dim(x, columns, 1), numbers[:, [-1, 0, -2]]),
        (pyml.take_along_dim(x, last), [5]),
        (x.index_fill(1, last, 7.0), filled),
        (x.index_select(1, pyml.tensor(2)), numbers[:, [2]]),
        (x.put(last, pyml.tensor([7.0])), put),
        (pyml.unravel_index(last, (2, 3))[1], [2]),
    ):
        np.testing.assert_array_equal(y.numpy(), wanted)
    for wrong in (-7, 6):
        with pytest.raises(IndexError, match=f"take: index {wrong} is out of range"):
            x.take(pyml.tensor([wrong]))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (2, 0)])
def test_an_index_of_no_elements(shape):
    x = pyml.ones(2, 3, requires_grad=True)
    index = pyml.zeros(shape, dtype=pyml.int64)
    src = pyml.ones(4, 6, requires_grad=True)
    assert x.gather(0, index).shape == shape
    for y in (
        x.scatter(0, index, src),
        x.scatter_add(0, index, src),
        x.scatter_reduce(0, index, src, "amax", include_self=False),
    ):
        dx, dsrc = pyml.autograd.grad(y.sum(), (x, src))
        assert (y == 1).all() and (dx == 1).all() and (dsrc == 0).all()
    assert (x.scatter(0, index, 5.0) == 1).all()
    with pytest.raises(TypeError, match="src has dtype float64"):
        x.scatter_add(0, index, src.double())
    assert (x.detach().scatter_(0, index, 5.0) == 1).all()


def test_scatter_add():
    index = np.array([[0, 1, 1], [2, 2, 2]])
    wanted = np.ones((3, 4))
    for i, j in np.ndindex(2, 3):
        wanted[i, index[i, j]] += i + j
    source = pyml.tensor([[0.0, 1, 2], [1, 2, 3]])
    assert (
        pyml.scatter_add(pyml.ones(3, 4), 1, pyml.tensor(index), source).tolist() == wanted.tolist()
    )


def test_scatter():
    index = pyml.tensor([[2], [0]])
    assert pyml.scatter(pyml.zeros(2, 3), 1, index, 1.0).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_a_number_is_a_place_of_its_own(dtype):
    x, y = (pyml.tensor(n, dtype=getattr(pyml, dtype)) for n in (1, 2))
    first, vector = pyml.tensor(0), pyml.tensor([0])
    total = x + y if dtype == "bool" else pyml.tensor(3, dtype=x.dtype)
    for got, wanted in [
        (x.scatter_add(0, first, y), total),
        (x.scatter(0, first, y, reduce="add"), total),
        (x.scatter(0, first, 2, reduce="add"), total),
        (x.scatter_reduce(0, first, y, "sum", include_self=False), y),
        (x.scatter_reduce(0, first, y, "amax", include_self=False), y),
        (x.index_select(0, vector), x),
        (x.index_add(0, vector, y), total),
        (x.index_copy(-1, vector, y), y),
        (x.index_reduce(0, vector, y, "amax"), y),
    ]:
        assert got.shape == () and got.dtype == x.dtype and got.item() == wanted.item()
    assert [i.tolist() for i in x.nonzero(as_tuple=True)] == [[0]]
    with pytest.raises(ValueError, match="index_add: source has shape"):
        pyml.ones(2).index_add(0, vector, pyml.tensor(1.0))


def test_gradients_of_a_number_that_is_a_place():
    x, y = (pyml.tensor(n, dtype=pyml.float64, requires_grad=True) for n in (2.0, 3.0))
    place = pyml.tensor(0)
    for reduce, wanted in [("sum", [1, 1]), ("prod", [3, 2]), ("amax", [0, 1])]:
        z = x.scatter_reduce(0, place, y, reduce)
        assert [g.item() for g in pyml.autograd.grad(z, (x, y))] == wanted


def test_nonzero():
    x = pyml.tensor([[0, 1], [2, 0]])
    assert pyml.nonzero(x).tolist() == [[0, 1], [1, 0]]
    assert [i.tolist() for i in pyml.nonzero(x, as_tuple=True)] == [[0, 1], [1, 0]]


def test_basic_indices_are_views_and_others_copies():
    x = pyml.zeros(4, 3)
    x[1][2] = 5.0
    x[2:][0, 0] = 7.0
    assert x[1, 2] == 5 and x[2, 0] == 7 and x._version == 2
    x[[0, 1]].fill_(1)
    assert x[0].tolist() == [0, 0, 0]


def test_an_index_may_be_changed_after_its_use():
    x = pyml.arange(4.0).requires_grad_()
    for index in (
        pyml.tensor([0, 1]),
        pyml.tensor([[0, 1]]),
        pyml.tensor([True, True, False, False]),
    ):
        y = x[index]
        index.copy_(pyml.tensor([3, 3]) if index.dtype == pyml.int64 else pyml.tensor([False] * 4))
        assert grad(y.sum(), x)[0].tolist() == [1, 1, 0, 0]


def test_assignment_converts_to_the_dtype():
    x = pyml.zeros(3, dtype=pyml.int64)
    x[0] = 2.7
    x[1:] = pyml.tensor([1.5, 2.5])
    assert x.tolist() == [2, 1, 2]
    y = pyml.zeros(3)
    y[:] = np.array([1, 2, 3])
    y[0] = True
    assert y.tolist() == [1, 2, 3] and y.dtype == pyml.float32


@pytest.mark.parametrize(
    ("index", "same"),
    [
        (pyml.tensor([3, 0, 1, 0], dtype=pyml.uint8), [True, False, True, False]),
        (np.array([3, 0, 1, 0], np.uint8), [True, False, True, False]),
        (pyml.tensor(3, dtype=pyml.uint8), True),
        (
            (1, pyml.tensor([0, 0, 1, 0, 2], dtype=pyml.uint8)),
            (1, [False, False, True, False, True]),
        ),
        ([[0, 2], [1, 3]], ([0, 2], [1, 3])),
        ([slice(None), [1, 2]], (slice(None), [1, 2])),
        ([None, 1], (None, 1)),
        ([pyml.tensor(2), pyml.tensor(0)], (2, 0)),
    ],
)
def test_indices_that_are_masks_and_tuples_as_in_pytorch(index, same):
    x = pyml.arange(40.0).reshape(SHAPE)
    with pytest.warns(UserWarning, match="indexing with .* is deprecated"):
        assert_same_bits(x[index].numpy(), x[same].numpy())
    y, z = x.clone(), x.clone()
    with pytest.warns(UserWarning, match="is deprecated"):
        y[index] = -1.0
    z[same] = -1.0
    assert_same_bits(y.numpy(), z.numpy())


def test_a_list_of_numbers_or_of_many_rows_is_an_array():
    x = pyml.arange(4.0)
    assert x[[2, 0]].tolist() == [2, 0] and x[[[3]] * 32].shape == (32, 1)


def test_a_tuple_within_the_index_is_an_array():
    x = pyml.arange(4.0, requires_grad=True)
    y = x.clone()
    y[(2, 0),] = pyml.tensor([5.0, 6.0])
    assert y.tolist() == [6, 1, 5, 3] and y[(2, 2, 1),].tolist() == [5, 5, 1]
    y[(2, 2, 1),].sum().backward()
    assert x.grad.tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "index",
    [
        4,
        -5,
        (0, 5),
        (0, 0, 0, 0),
        np.array([4]),
        np.array([-5]),
        (slice(None), np.array([5])),
        np.array([True] * 3),
        [0, 9],
        np.array(7),
        (0, 0, np.array([[3]])),
    ],
)
def test_out_of_range(index):
    x = pyml.zeros(SHAPE)
    with pytest.raises(IndexError):
        x[as_tensors(index)]
    with pytest.raises(IndexError):
        x[as_tensors(index)] = 1.0
    assert not x.any() and x._version == 0


def test_errors():
    x = pyml.zeros(SHAPE)
    with pytest.raises(IndexError, match="index 4 is out of range for dimension 0 of size 4"):
        x.index_select(0, pyml.tensor([4]))
    with pytest.raises(IndexError, match="index -6 is out of range for dimension 1 of size 5"):
        x.gather(1, pyml.full((4, 5, 3), -6))
    with pytest.raises(ValueError, match="no size larger except in dimension 1"):
        x.gather(1, pyml.zeros(5, 5, 3, dtype=pyml.int64))
    with pytest.raises(TypeError, match="float32"):
        x.gather(1, pyml.zeros(4, 5, 3))
    with pytest.raises(ValueError, match=r"take_along_dim: .* as many dimensions"):
        pyml.take_along_dim(x, pyml.zeros(4, 5, dtype=pyml.int64), 0)
    with pytest.raises(ValueError, match="take_along_dim"):
        pyml.take_along_dim(x, pyml.zeros(3, 5, 3, dtype=pyml.int64), 1)
    with pytest.raises(IndexError, match="dtype float32"):
        x[pyml.zeros(2)]
    with pytest.raises(ValueError, match="must be positive"):
        x[::-1]
    with pytest.raises(ValueError, match="setitem"):
        x[0] = pyml.zeros(4)
    with pytest.raises(IndexError, match="0-d"):
        pyml.select(pyml.tensor(1.0), 0, 0)


@pytest.mark.parametrize("shape", [(5, 3), (1, 3), (3,), (5, 1), (), (2, 5, 3), (2, 1, 1)])
def test_masked_select_broadcasts_both(shape):
    x, mask = pyml.randn(5, 3), np.asarray(np.random.default_rng(0).random(shape) < 0.7)
    got = x.masked_select(pyml.from_numpy(mask))
    each, chosen = np.broadcast_arrays(x.numpy(), mask)
    assert_same_bits(got.numpy(), each[chosen])


@pytest.mark.parametrize("shape", [(4, 4), (2,), (5, 3, 1), (0, 3), (1, 1, 1, 1, 0, 2, 0, 1)])
def test_masks_that_do_not_broadcast(shape):
    with pytest.raises(ValueError, match=r"masked_select: .*broadcast"):
        pyml.zeros(5, 3).masked_select(pyml.zeros(shape, dtype="bool"))


def test_a_mask_is_of_truth_values():
    with pytest.raises(TypeError, match="masked_select: mask has dtype int64, it must be bool"):
        pyml.zeros(3).masked_select(pyml.zeros(3, dtype="int64"))


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((pyml.tensor([1.0]), (2,)), TypeError, "indices has dtype float32"),
        ((pyml.tensor([True]), (2,)), TypeError, "indices has dtype bool"),
        (([1], (2,)), TypeError, "indices must be a Tensor"),
        ((pyml.tensor([1]), pyml.tensor([3, 2])), TypeError, "shape is a Tensor"),
        ((pyml.tensor([1]), (3.0, 2)), TypeError, "sizes must be integers"),
        ((pyml.tensor([1]), (-3, -2)), ValueError, "its sizes must be >= 0"),
        ((pyml.tensor([1]), -3), ValueError, "its sizes must be >= 0"),
        ((pyml.tensor([6]), (3, 2)), IndexError, "index 6 is out of range"),
    ],
)
def test_unravel_index_refuses(args, error, message):
    with pytest.raises(error, match=message):
        pyml.unravel_index(*args)


def test_messages_tell_what_integers_have_chosen():
    x = pyml.zeros(2, 3, 4)
    chosen = r"axis 0 with size 3 \(what the integers choose has shape \(3, 4\)\)"
    with pytest.raises(IndexError, match="^index: .*" + chosen):
        x[0, [9], [0]]
    with pytest.raises(IndexError, match="^setitem: .*" + chosen):
        x[0, [9], [0]] = 1.0
    with pytest.raises(IndexError, match=r"^setitem: .*\(the tensor has shape \(2, 3, 4\)\)"):
        x[5, :, [0]] = 1.0


@pytest.mark.parametrize("index", [True, 0, None, pyml.tensor([0, 1]), pyml.ones(2, 3) > 0])
def test_a_value_of_another_shape_is_a_runtime_error(index):
    with pytest.raises(RuntimeError, match="setitem"):
        pyml.zeros(2, 3)[index] = pyml.ones(5, 1, 4, 3)
