"""Order among elements."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from ops.cases import Case, apart, tests_of

SHAPE = (3, 4, 5)


def case(dim, descending):
    def reference(x):
        y = np.sort(x, dim)
        return np.flip(y, dim) if descending else y

    return Case(
        f"sort {dim} {'down' if descending else 'up'}",
        lambda x: x.sort(dim, descending).values,
        reference,
        (SHAPE,),
        draw=apart,
        eps=tolerances.EXACT,
    )


test_values, test_layouts, test_gradients = tests_of(
    [case(dim, descending) for dim in (0, 1, -1) for descending in (False, True)]
)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_indices_are_the_places_and_equal_elements_keep_their_order(dtype, descending):
    array = np.random.default_rng(0).integers(0, 3, (7, 40)).astype(dtype)
    values, indices = pyml.from_numpy(array).sort(1, descending)
    assert indices.dtype == np.int64 and values.dtype == dtype
    assert_same_bits(values.numpy(), np.take_along_axis(array, indices.numpy(), 1))
    for row, places in zip(array.tolist(), indices.tolist(), strict=True):
        assert places == sorted(range(40), key=lambda i, row=row: -row[i] if descending else row[i])


def test_nan_is_the_largest():
    x = pyml.tensor([1.0, pyml.nan, -pyml.inf, pyml.inf, -0.0, 0.0])
    assert x.sort().indices.tolist() == [2, 4, 5, 0, 3, 1]
    assert x.sort(descending=True).indices.tolist() == [1, 3, 0, 4, 5, 2]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (3, 0)])
def test_few_elements(shape):
    x = pyml.ones(shape)
    for result in (pyml.sort(x), pyml.sort(x, 0, descending=True, stable=True)):
        assert result.values.shape == result.indices.shape == shape


def test_wrong_arguments():
    with pytest.raises(IndexError, match="sort: dim is 2"):
        pyml.zeros(2, 2).sort(2)
    with pytest.raises(TypeError, match="sort: dim must be an integer, not None"):
        pyml.zeros(2).sort(None)
    with pytest.raises(TypeError, match="sort: input"):
        pyml.sort([1.0, 2.0])
