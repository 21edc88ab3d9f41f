"""vmap beside a loop, over every differentiable operation: values and gradients."""

import derivatives
import numpy as np
import pytest
from ops import breadth
from ops.cases import arrays_of

import pyml
from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from pyml import func
from pyml.autograd import grad
from pyml.nn import functional as F
from pyml.pytree import tree_leaves

pytestmark = pytest.mark.filterwarnings("ignore:kl_div. reduction")
WITHOUT = [row for row in breadth.ROWS if row.shapes and not row.smooth]
SIZE = 3
REFUSED = {  # rows with what vmap has an error for, and a word of it
    "as_strided": "reach beyond the tensor",  # memory is not that of one sample: not for a loop
    "hooks of a module": "_gated",
}
SHARED = {"fill", "Tensor.index_put_", "uniform_", "normal_"}  # change a tensor that is not mapped


def samples_of(case, mapped):
    """Tensors with a first dimension more where mapped, each sample other numbers."""
    draws = [arrays_of(case, seed=seed) for seed in range(SIZE)]
    return [
        pyml.tensor(np.stack(each) if here else each[0], requires_grad=True)
        for each, here in zip(zip(*draws, strict=True), mapped, strict=True)
    ]


def looped(function, inputs, mapped):
    return pyml.stack(
        [
            function(*[x[i] if here else x for x, here in zip(inputs, mapped, strict=True)])
            for i in range(SIZE)
        ]
    )


def masks(count):
    """Which of `count` arguments are mapped over: all, and each alone."""
    yield (True,) * count
    if count > 1:
        yield from (tuple(i == k for i in range(count)) for k in range(count))


def gradients(y, inputs):
    weights = np.random.default_rng(7).standard_normal(y.shape)
    return grad(y, inputs, pyml.tensor(weights), materialize_grads=True)


def assert_as_looped(function, inputs, mapped):
    dims = tuple(0 if here else None for here in mapped)
    wanted, got = (
        looped(function, inputs, mapped),
        func.vmap(function, dims, randomness="same")(*inputs),
    )
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    pairs = [(got, wanted), *zip(gradients(got, inputs), gradients(wanted, inputs), strict=True)]
    for a, b in pairs:
        a, b = a.detach().numpy(), b.detach().numpy()
        scale = np.maximum(np.abs(b), np.abs(b[np.isfinite(b)]).max(initial=1))
        assert_close(a, b, tolerances.VMAP, scale)


@pytest.mark.parametrize("case", derivatives.ROWS, ids=str)
def test_as_looped(case):
    if case.name in REFUSED:
        with pytest.raises((ValueError, RuntimeError), match=REFUSED[case.name]):
            func.vmap(case.function)(*samples_of(case, (True,)))
        return
    for mapped in masks(len(case.shapes)):
        if case.name in SHARED and not mapped[0]:
            with pytest.raises(RuntimeError, match="of a tensor that all indices share"):
                func.vmap(case.function, (None, 0))(*samples_of(case, mapped))
            continue
        assert_as_looped(case.function, samples_of(case, mapped), mapped)


@pytest.mark.parametrize("row", WITHOUT, ids=str)
def test_without_derivatives(row):
    """Values alone: comparisons, indices, integers."""

    def function(*tensors):
        return row.function(pyml, *tensors)

    arrays = [np.stack(each) for each in zip(*(draws_of(row, s) for s in range(SIZE)), strict=True)]
    inputs = [pyml.tensor(a) for a in arrays]
    try:
        wanted = looped(function, inputs, (True,) * len(inputs))
    except (ValueError, TypeError, RuntimeError):  # of different shapes, or no tensors
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            func.vmap(function)(*inputs)
        return
    got = func.vmap(function)(*inputs)
    assert got.dtype == wanted.dtype
    assert_close(got.numpy(), wanted.numpy(), tolerances.VMAP)


def draws_of(row, seed):
    rng = np.random.default_rng(seed)
    return [np.asarray(row.draw(rng, shape)) for shape in row.shapes]


# ---- arguments that mean something else with a dimension more ------------------------------------

ROWS, SQUARE, NUMBERS = (
    pyml.tensor(np.random.default_rng(0).standard_normal(shape), dtype=pyml.float32)
    for shape in ((4, 3), (4, 3, 3), (4,))
)
PLACES = pyml.tensor([0, 2, 1, 1])
MANY = np.ones((4, 3), np.float32)  # of as many dimensions as all samples


def made_by(change):
    """The tensor after a change of it, and what that returned."""

    def function(x, *others):
        x = x.clone()
        y = change(x, *others)
        return x if y is None else (x, y)

    return function


def put(x, index, value):
    x[index] = value


ODD = {
    **{
        f"{name} of {dim}, {keepdim}": (
            lambda x, f=name, d=dim, k=keepdim: getattr(pyml, f)(x, dim=d, keepdim=k),
            SQUARE,
        )
        for name in ("sum", "mean", "amax", "std", "logsumexp", "all", "norm", "std_mean", "max")
        for dim in ((), [], None)
        for keepdim in (False, True)
        if (name, dim) not in (("max", ()), ("max", []))
    },
    "normalize of no dim": (lambda x: F.normalize(x, dim=()), SQUARE),
    "an array": (lambda x: pyml.add(x, MANY), ROWS),
    "an array by name": (lambda x: pyml.add(x, other=MANY), ROWS),
    "a bound that is an array": (lambda x: pyml.clamp(x, min=MANY), ROWS),
    "a number that is an array": (lambda x: pyml.mul(x, other=np.array(2.0)), NUMBERS),
    "dot with an array": (lambda x: pyml.dot(x, MANY[0]), ROWS),
    "gather by an array": (lambda x: pyml.gather(x, 0, np.array([0, 1])), ROWS),
    "where of one": (lambda x: pyml.where(x > -99), ROWS),
    "a list with an index of its own": (lambda x, i: x[[i, 0]], SQUARE, PLACES),
    "lists in a list": (lambda x: x[[[0, 1], [1, 2]]], SQUARE),
    "a NumPy integer": (made_by(lambda x: x[np.int64(1)].add_(1.0)), SQUARE),
    "a part": (made_by(lambda x: x.split(1)[1].add_(1.0)), SQUARE),
    "addmm with an alpha of its own": (lambda x, a: pyml.addmm(x, x, x, alpha=a), SQUARE, NUMBERS),
    "changed and returned": (made_by(lambda x: F.relu(x, inplace=True).add_(1.0)), SQUARE),
}


@pytest.mark.filterwarnings("ignore:indexing with a list")
@pytest.mark.parametrize("row", ODD)
def test_of_one_sample(row):
    function, *inputs = ODD[row]
    wanted = [tree_leaves(function(*each)) for each in zip(*inputs, strict=True)]
    got = tree_leaves(func.vmap(function)(*inputs))
    for y, column in zip(got, zip(*wanted, strict=True), strict=True):
        of_loop = pyml.stack(column)
        assert (y.dtype, y.shape) == (of_loop.dtype, of_loop.shape)
        np.testing.assert_allclose(y.numpy(), of_loop.numpy(), rtol=1e-5, atol=1e-6)


WRONG = {  # for one sample; with all of them it would be right
    "expand": (lambda x: x.expand(-1, 3), ROWS),
    "features": (lambda x: F.linear(x, pyml.ones(2, 4)), NUMBERS),
    "bias of a layer": (lambda x, b: F.linear(x, pyml.ones(2, 3), b), ROWS, NUMBERS[:, None]),
    "dtype of a bias": (lambda x, w: F.linear(x, w, pyml.ones(3).double()), ROWS, SQUARE),
    "shape to normalize": (lambda x: F.layer_norm(x, (4, 3)), ROWS),
    "weight of layer_norm": (lambda x, w: F.layer_norm(x, (3,), w), ROWS, NUMBERS[:, None]),
    "weight of rms_norm": (lambda x, w: F.rms_norm(x, (3,), w), ROWS, NUMBERS[:, None]),
    "addmm": (lambda x: pyml.addmm(SQUARE, x, x), SQUARE),
    "rows of addmm": (lambda x: pyml.addmm(x, x[:1], x), SQUARE),
    "reduction": (lambda x: F.mse_loss(x, x, reduction="?"), ROWS),
    "a target that is an array": (lambda x: F.mse_loss(x, MANY[0]), ROWS),
    "an array in a list": (lambda x: pyml.cat([x, MANY[0]]), ROWS),
    "outer with an array": (lambda x: pyml.outer(x, MANY[0]), ROWS),
}


@pytest.mark.parametrize("row", WRONG)
def test_errors_of_one_sample(row):
    function, *inputs = WRONG[row]
    with pytest.raises((TypeError, ValueError)) as of_one:
        function(*[x[0] for x in inputs])
    with pytest.raises(of_one.type) as of_all:
        func.vmap(function)(*inputs)
    assert str(of_all.value) == str(of_one.value)


@pytest.mark.parametrize(
    "name, more",
    [("exp", ()), ("sum", (0,)), ("contiguous", ()), ("bool", ()), ("mul", (2.0,)), ("neg_", ())],
)
def test_methods_of_tensor_as_functions(name, more):
    method = getattr(pyml.Tensor, name)
    wanted = method(SQUARE.clone(), *more) if name != "sum" else SQUARE.sum(1)
    assert_same_bits(func.vmap(method, (0,) + (None,) * len(more))(SQUARE.clone(), *more), wanted)


@pytest.mark.parametrize("dims", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_how_a_sample_lies(dims):
    def lies(x):
        seen.append((x.stride(), x.stride(-1), x.is_contiguous(), x.T.is_contiguous()))
        return x

    seen, x = [], pyml.zeros(3, 4, 5, requires_grad=True).permute(dims)
    func.vmap(lies)(x)
    lies(x[0])
    assert seen[0] == seen[1]
    func.vmap(func.vmap(lambda x: lies(x.unsqueeze(0))))(x)
    lies(x[0, 0].unsqueeze(0))
    assert seen[2] == seen[3]


@pytest.mark.parametrize("method", [pyml.Tensor.exp, pyml.Tensor.acos, pyml.Tensor.bool])
def test_a_method_of_tensor_inside_is_refused(method):
    with pytest.raises((TypeError, RuntimeError), match="vmap"):
        func.vmap(lambda x: method(x))(SQUARE)


REFUSED_CHANGES = {  # a loop would see them elsewhere, or in another shape
    "of a view that was stacked": (made_by(lambda x: pyml.hsplit(x, 3)[1].add_(1.0)), "read-only"),
    "of shape": (made_by(lambda x: x.t_()), "another shape or memory in place"),
    "of memory": (lambda x: x.set_(pyml.zeros(3)) + 1, "another shape or memory in place"),
    "of what all share": (lambda x: put(pyml.zeros(3, 3), 0, x[0]), "that all indices share"),
}


@pytest.mark.parametrize("row", REFUSED_CHANGES)
def test_changes_that_would_be_lost(row):
    function, words = REFUSED_CHANGES[row]
    with pytest.raises((RuntimeError, ValueError), match=words):
        func.vmap(function)(SQUARE)
