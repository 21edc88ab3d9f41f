"""Matrix products."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_close
from ops.cases import Case, tests_of

PAIRS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((1, 1), (1, 1)),
    ((4, 2, 3), (3, 2)),
    ((2, 2, 3), (3,)),
    ((3,), (2, 3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 1)),
    ((2, 1, 2, 3), (1, 2, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((0, 2, 3), (3, 2)),
    ((2, 3), (3, 0)),
]
CASES = [
    *[Case("matmul", pyml.matmul, np.matmul, pair, eps=tolerances.product(3)) for pair in PAIRS],
    Case("mm", pyml.mm, np.matmul, ((2, 3), (3, 4)), eps=tolerances.product(3)),
    Case("mv", pyml.mv, np.matmul, ((2, 3), (3,)), eps=tolerances.product(3)),
    Case("dot", pyml.dot, np.matmul, ((3,), (3,)), eps=tolerances.product(3)),
    Case("bmm", pyml.bmm, np.matmul, ((2, 2, 3), (2, 3, 2)), eps=tolerances.product(3)),
    Case(
        "transposes",
        lambda a, b: a.t() @ b.t(),
        lambda a, b: a.T @ b.T,
        ((3, 2), (4, 3)),
        eps=tolerances.product(3),
    ),
    Case(
        "slices",
        lambda a, b: a[::2, 1:] @ b[:, ::2],
        lambda a, b: a[::2, 1:] @ b[:, ::2],
        ((3, 4), (3, 3)),
        eps=tolerances.product(3),
    ),
    Case("x @ x.T", lambda x: x @ x.T, lambda x: x @ x.T, ((3, 2),), eps=tolerances.product(2)),
    Case(
        "batches",
        lambda a, b: a.transpose(0, 2) @ b.permute(2, 0, 1),
        lambda a, b: a.transpose(2, 1, 0) @ b.transpose(2, 0, 1),
        ((2, 3, 2), (2, 2, 2)),
        eps=tolerances.product(2),
    ),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


@pytest.mark.parametrize(
    "a, b",
    [((130, 70), (70, 90)), ((3, 65, 40), (40, 33)), ((300,), (300, 20)), ((20, 5, 9), (20, 9, 7))],
)
def test_large(a, b, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(a).astype(dtype), rng.standard_normal(b).astype(dtype)
    scale = np.matmul(np.abs(x), np.abs(y)).astype(np.longdouble)
    wanted = np.matmul(x.astype(np.float64), y.astype(np.float64))
    assert_close(
        (pyml.from_numpy(x) @ pyml.from_numpy(y)).numpy(), wanted, tolerances.product(a[-1]), scale
    )


def test_integers():
    x = pyml.arange(6).reshape(2, 3)
    assert (x @ x.t()).tolist() == [[5, 14], [14, 50]] and (x @ x.t()).dtype == pyml.int64


@pytest.mark.parametrize(
    "a, b", [((2, 3), (2, 3)), ((3,), (2,)), ((2, 3), (4,)), ((), (3,)), ((2, 2, 3), (3, 3, 2))]
)
def test_shapes_that_do_not_go_together(a, b):
    with pytest.raises(ValueError, match="matmul"):
        pyml.zeros(a) @ pyml.zeros(b)


def test_dimensions_and_dtypes():
    with pytest.raises(ValueError, match="mm: shapes"):
        pyml.mm(pyml.zeros(2, 3), pyml.zeros(3))
    with pytest.raises(ValueError, match="bmm: batches"):
        pyml.bmm(pyml.zeros(2, 3, 4), pyml.zeros(3, 4, 5))
    with pytest.raises(TypeError, match="float32 and float64"):
        pyml.zeros(2, 3) @ pyml.zeros(3, 2, dtype=pyml.float64)
    with pytest.raises(TypeError, match="list"):
        pyml.matmul(pyml.zeros(2), [1.0, 2.0])


def test_numpy_operands():
    x, array = pyml.ones(2, 3), np.ones((3, 2), np.float32)
    assert (x @ array).tolist() == [[3, 3], [3, 3]] and isinstance(array @ x, pyml.Tensor)


@pytest.mark.parametrize("dtype", [pyml.int32, pyml.uint8])
def test_products_of_integers_with_something_added(dtype):
    """As PyTorch: in their dtype, with what is behind the point of a factor cut off."""
    x, a = pyml.ones(2, 2, dtype=dtype), pyml.full((3, 2, 2), 2, dtype=dtype)
    for y, wanted in [
        (pyml.addmm(x, a[0], a[1], beta=0.6, alpha=2.7), 16),
        (pyml.addbmm(x, a, a), 25),
        (pyml.baddbmm(x, a, a, beta=3, alpha=1.5)[0], 11),
        (pyml.addmv(x[0], a[0], x[0], alpha=2), 9),
        (pyml.addr(x, x[0], x[1], beta=0.2, alpha=3), 3),
    ]:
        assert y.dtype == dtype and y.unique().tolist() == [wanted]
