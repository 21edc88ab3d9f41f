"""The table of tests/ops/breadth.py against torch: values, gradients, second gradients, dtypes."""

import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ops import breadth  # noqa: E402

import pyml  # noqa: E402
from parity.test_ops import nothing, results  # noqa: E402
from parity.torch_side import assert_parity  # noqa: E402

FIRST_ONLY = {  # torch has no second derivative, or NaN
    *("cdist 1.0", "cdist 2.0", "cdist 3.0", "cdist inf", "cdist of batches", "pdist"),
    *("cross", "cross dim", "digamma negative", "pdist 3"),
}


VALUES_ONLY = {  # torch has no derivative
    "as_strided_scatter",  # its own begins at the first element, whatever the offset
    *("cond fro", "scatter reduce"),
    *("vander", "vander increasing"),  # its own backward refuses what its forward did
    *(row.name for row in breadth.ROWS if "polynomial" in row.name),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", breadth.ROWS, ids=str)
def test_values_and_gradients(row):
    rng = np.random.default_rng(zlib.crc32(str(row).encode()))
    arrays = [np.asarray(row.draw(rng, shape), np.float64) for shape in row.shapes]

    def weights(shape):
        return np.random.default_rng(3).standard_normal(shape)

    got, wanted = [both(m, m.autograd.grad, row, arrays, weights) for m in (pyml, torch)]
    for a, b in zip(got, wanted, strict=True):
        if not (nothing(a) and nothing(b)):
            assert_parity(a, b, 10)


def both(m, grad, row, arrays, weights):
    if not row.smooth or row.name in VALUES_ONLY:
        y = row.function(m, *map(m.tensor, arrays))
        return [y]
    if row.name in FIRST_ONLY:
        inputs = [m.tensor(a, requires_grad=True) for a in arrays]
        y = row.function(m, *inputs)
        return [y, *grad(y, inputs, m.tensor(weights(y.shape)))]
    y, first, second = results(m, grad, row.function, arrays, weights)
    return [y, *first, *second]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", [r for r in breadth.ROWS if r.smooth], ids=str)
def test_values_of_float32(row):
    rng = np.random.default_rng(zlib.crc32(str(row).encode()))
    arrays = [np.asarray(row.draw(rng, shape), np.float32) for shape in row.shapes]
    got, wanted = [row.function(m, *map(m.tensor, arrays)) for m in (pyml, torch)]
    assert_parity(got, wanted, 1000)


@pytest.mark.filterwarnings("ignore:.*triangular_solve")
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("unitriangular", [False, True])
def test_triangular_solve(rng, dtype, upper, transpose, unitriangular):
    A = (rng.standard_normal((2, 3, 3)) + 4 * np.eye(3)).astype(dtype)
    b = rng.standard_normal((2, 3, 2)).astype(dtype)
    got, wanted = [
        m.triangular_solve(m.tensor(b), m.tensor(A), upper, transpose, unitriangular)[0]
        for m in (pyml, torch)
    ]
    assert_parity(got, wanted, 1000)
