"""A table of operations, each with a reference, and the checks that all of them pass."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_close, assert_same_bits
from pyml.autograd import grad, gradcheck, gradgradcheck

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint64"]
DTYPES += ["float32", "float64"]

TABLES = []  # all cases that tests_of was given


class Case(NamedTuple):
    """function(*tensors) is reference(*arrays), which computes in double."""

    name: str
    function: Callable
    reference: Callable
    shapes: tuple
    draw: Callable = None  # (rng, shape) -> values. Default: N(0, 1)
    eps: float = tolerances.MATH  # of the largest number of the result

    def __str__(self):
        return f"{self.name} {' '.join(map(str, self.shapes))}"


def normal(rng, shape):
    return rng.standard_normal(shape)


def positive(rng, shape):
    return rng.uniform(0.5, 2, shape)


def inside(rng, shape):
    """Between -1 and 1."""
    return rng.uniform(-0.9, 0.9, shape)


def chances(rng, shape):
    """Between 0 and 1."""
    return rng.uniform(0.1, 0.9, shape)


def apart(rng, shape):
    """Different numbers, none near another, 0 or a half: no difference crosses a kink."""
    n = int(np.prod(shape))
    return (rng.permutation(n) - n // 2 + 0.3).reshape(shape)


def with_zeros(rng, shape):
    return rng.integers(-1, 3, shape).astype(float)


def arrays_of(case, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    draw = case.draw or normal
    return [np.asarray(draw(rng, shape), dtype) for shape in case.shapes]


def check_values(case, dtype):
    """The reference's numbers, in the dtype of the inputs; the inputs are left alone."""
    arrays = arrays_of(case, dtype)
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    got = case.function(*map(pyml.from_numpy, arrays)).numpy()
    with np.errstate(all="ignore"):
        wanted = np.asarray(case.reference(*[a.astype(np.float64) for a in arrays]))
    assert got.dtype == dtype
    largest = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    assert_close(got, wanted, case.eps, np.maximum(np.abs(wanted), largest))
    for a, b in zip(arrays, before, strict=True):
        assert_same_bits(a, b)


def layouts(array):
    """The same values in other memory: transposed, with gaps, reversed."""
    yield array.T.copy().T
    if array.ndim:
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        wide[..., ::2] = array
        yield wide[..., ::2]
        yield array[::-1].copy()[::-1]


def check_layouts(case, dtype):
    """The same bits whatever the strides of the inputs."""
    arrays = arrays_of(case, dtype)
    wanted = case.function(*map(pyml.from_numpy, arrays)).numpy()
    for i, array in enumerate(arrays):
        for other in layouts(array):
            inputs = [*arrays[:i], other, *arrays[i + 1 :]]
            got = case.function(*map(pyml.from_numpy, inputs)).numpy()
            assert_same_bits(np.ascontiguousarray(got), np.ascontiguousarray(wanted))


def check_gradients(case):
    """First and second derivatives against differences.

    The first ones are computed twice, by kernels and by operations: second derivatives are those
    of the latter, so that gradgradcheck alone takes a wrong formula that is consistent.
    """
    inputs = [pyml.tensor(a, requires_grad=True) for a in arrays_of(case)]
    y = case.function(*inputs)
    assert y.requires_grad
    assert gradcheck(case.function, inputs)
    weights = pyml.tensor(np.random.default_rng(1).standard_normal(y.shape))
    wanted = gradients(y, inputs, weights)
    assert_same_gradients(gradients(y, inputs, weights, create_graph=True), wanted)
    for i in range(len(inputs) if len(inputs) > 1 else 0):
        alone = [x if k == i else x.detach() for k, x in enumerate(inputs)]
        y = case.function(*alone)
        for create_graph in (False, True) if y.requires_grad else ():
            got = gradients(y, alone[i], weights, create_graph)
            assert_same_gradients(got, wanted[i : i + 1])
    assert gradgradcheck(case.function, inputs)


def gradients(y, inputs, weights, create_graph=False):
    """By kernels, or with create_graph by operations; zeros where there is none."""
    return grad(
        y, inputs, weights, retain_graph=True, create_graph=create_graph, materialize_grads=True
    )


def assert_same_gradients(got, wanted):
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.numpy(), rtol=1e-9, atol=1e-12)


def tests_of(cases, of_any_layout=None):
    """test_values, test_layouts and test_gradients of a table.

    Args:
        of_any_layout: those that take inputs of any strides. Default: all.
    """
    TABLES.extend(cases)
    each = pytest.mark.parametrize("case", cases, ids=str)

    @each
    def test_values(case, dtype):
        check_values(case, dtype)

    @pytest.mark.parametrize("case", of_any_layout or cases, ids=str)
    def test_layouts(case, dtype):
        check_layouts(case, dtype)

    @each
    def test_gradients(case):
        check_gradients(case)

    return test_values, test_layouts, test_gradients
