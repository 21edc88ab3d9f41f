"""vmap beside a loop, over every differentiable operation: values and gradients."""

import derivatives
import numpy as np
import pytest
from ops import breadth
from ops.cases import arrays_of

import pyml
from helpers import tolerances
from helpers.compare import assert_close
from pyml import func
from pyml.autograd import grad

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
