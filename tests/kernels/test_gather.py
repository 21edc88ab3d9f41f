import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.memory import Guarded, at_page_end
from helpers.sweep import Scaled, check_kernel, columns_around_lanes
from pyml import _kernels


def rows_sizes(lanes):
    return [0, 1, 2, 33, 1000, 10_003]


@pytest.mark.parametrize("columns", [0, 1, 3, 16, 70])
def test_gather(columns):
    check_kernel(
        "gather",
        lambda y, x, index: _kernels.gather(y, x, index, columns * x.itemsize),
        arguments=lambda draw, n: {"x": draw((37, columns)), "index": draw.index(37, n)},
        reference=lambda x, index: {"y": x[index]},
        eps=tolerances.EXACT,
        sizes=rows_sizes,
        values=("normal", "special"),
        signed_zero=True,
    )


@pytest.mark.parametrize("type_", ["uint8", "int64", "float16"])
def test_gather_of_any_type(type_, isa, rng):
    x = rng.integers(0, 100, size=(10, 7)).astype(type_)
    index = rng.integers(0, 10, size=23)
    y = np.zeros((23, 7), type_)
    _kernels.gather(y, x, index, 7 * x.itemsize)
    np.testing.assert_array_equal(y, x[index])


@pytest.mark.parametrize("n", [0, 1, 50, 3000])
def test_gather_backward(n):
    rows = 23

    def reference(dy, index):
        dx, scale = np.zeros((2, rows, dy.shape[1]), dy.dtype)
        np.add.at(dx, index, dy)
        np.add.at(scale, index, np.abs(dy))
        return {"dx": Scaled(dx, scale)}

    check_kernel(
        "gather_backward",
        _kernels.gather_backward,
        arguments=lambda draw, c: {"dy": draw((n, c)), "index": draw.index(rows, n)},
        reference=reference,
        eps=tolerances.product(n / rows),
        sizes=lambda lanes: [*columns_around_lanes(lanes), 300],
        values=("normal", "offset"),
    )


def test_gather_backward_adds_in_the_order_of_the_index(isa, dtype):
    """1 is lost when added to 2^60, and kept when the large numbers have cancelled before."""
    big = dtype.type(2.0**60)
    dy = np.array([[1], [big], [-big], [big], [-big], [1]], dtype)
    dx = np.full((2, 1), np.nan, dtype)
    _kernels.gather_backward(dx, dy, np.array([0, 0, 0, 1, 1, 1]))
    np.testing.assert_array_equal(dx, [[0], [1]])


BAGS = {  # where they begin and end, in an index of 40 numbers below 23
    "of one size": np.arange(0, 41, 4),
    "of others": np.array([0, 0, 1, 1, 17, 39, 39]),
    "none": np.array([0]),
}


def factors(w, index, ends, padding, mean):
    """How often each row is in each bag, times what it is multiplied by: (bags, 23)."""
    matrix = np.zeros((len(ends) - 1, 23), w.dtype)
    for b in range(len(ends) - 1):
        kept = [i for i in range(ends[b], ends[b + 1]) if index[i] != padding]
        for i in kept:
            matrix[b, index[i]] += w[i] / (max(1, len(kept)) if mean else 1)
    return matrix


def bag_arguments(rows, ends, weighted):
    def arguments(draw, c):
        found = {"x": draw((rows if rows is not None else len(ends) - 1, c))}
        return found | ({"w": draw.normal(40)} if weighted else {}) | {"index": draw.index(23, 40)}

    return arguments


@pytest.mark.parametrize("bags", BAGS)
@pytest.mark.parametrize("padding", [-1, 3])
@pytest.mark.parametrize("weighted, mean", [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("kernel", ["bag_forward", "bag_backward"])
def test_bags(kernel, bags, padding, weighted, mean):
    ends, forward = BAGS[bags], kernel == "bag_forward"

    def reference(x, index, w=None):
        w = np.ones(40, x.dtype) if w is None else w
        matrix = factors(w, index, ends, padding, mean)
        size = factors(np.abs(w), index, ends, padding, mean)
        matrix, size = (matrix, size) if forward else (matrix.T, size.T)
        return {"y": Scaled(matrix @ x, size @ np.abs(x))}

    check_kernel(
        kernel,
        lambda y, x, index, w=None: getattr(_kernels, kernel)(y, x, index, ends, w, padding, mean),
        arguments=bag_arguments(23 if forward else None, ends, weighted),
        reference=reference,
        eps=tolerances.product(40),
        sizes=lambda lanes: [*columns_around_lanes(lanes), 300],
        values=("normal", "offset"),
    )


def test_bags_are_added_in_the_order_of_the_index(isa, dtype):
    big = dtype.type(2.0**60)
    x = np.array([[1], [big], [-big]], dtype)
    index, ends, y = np.array([0, 1, 2, 1, 2, 0]), np.array([0, 3, 6]), np.empty((2, 1), dtype)
    _kernels.bag_forward(y, x, index, ends, None, -1, False)
    np.testing.assert_array_equal(y, [[0], [1]])
    dx = np.empty((2, 1), dtype)
    index, ends = np.array([0, 0, 0, 1, 1, 1]), np.arange(7)
    _kernels.bag_backward(dx, x[[0, 1, 2, 1, 2, 0]], index, ends, None, -1, False)
    np.testing.assert_array_equal(dx, [[0], [1]])


@pytest.mark.parametrize("kernel", ["bag_forward", "bag_backward"])
def test_bags_among_threads(kernel, isa, rng):
    """Any number of threads gives the same bits."""
    ends = np.append(0, np.cumsum(rng.integers(0, 60, 3000)))
    index = rng.integers(0, 500, ends[-1])
    forward = kernel == "bag_forward"
    x = rng.standard_normal((500 if forward else 3000, 130)).astype(np.float32)
    results = []
    before = pyml.get_num_threads()
    try:
        for threads in (1, 2, 3):
            pyml.set_num_threads(threads)
            y = np.empty((3000 if forward else 500, 130), np.float32)
            getattr(_kernels, kernel)(y, x, index, ends, None, 7, True)
            results.append(y)
    finally:
        pyml.set_num_threads(before)
    for other in results[1:]:
        assert_same_bits(other, results[0])


# ---- piecewise linear ----------------------------------------------------------------------------

EDGES = [[-1.0, -0.25, 0.5, 2.0, 3.0], [0.0, 0.5], [-2.0, 0.25, 0.75]]  # 4 bins, 1 and 2


def bins_of(dtype):
    """left, scale and counts; NaN where a function has no bin."""
    left, scale = np.full((2, 3, 4), np.nan, dtype)
    for f, edges in enumerate(EDGES):
        used = [*range(len(edges) - 2), 3]
        left[f, used], scale[f, used] = edges[:-1], 1 / np.diff(edges)
    return left, scale, np.array([len(edges) - 1 for edges in EDGES])


def weights_at(x, dtype):
    """(n, 3, 5): what the values at the edges are multiplied by; beyond them the line goes on."""
    found = np.zeros((*x.shape, 5), dtype)
    for (i, f), number in np.ndenumerate(x):
        edges = np.array(EDGES[f])
        bin = np.clip(np.searchsorted(edges, number, "right") - 1, 0, len(edges) - 2)
        share = (number - edges[bin]) / (edges[bin + 1] - edges[bin])
        place = bin if bin < len(edges) - 2 else 3
        found[i, f, place : place + 2] = 1 - share, share
    return found


@pytest.mark.parametrize("n", [0, 1, 100])
@pytest.mark.parametrize("kernel", ["piecewise_forward", "piecewise_backward"])
def test_piecewise(kernel, n):
    forward = kernel == "piecewise_forward"

    def call(y, given, x):
        getattr(_kernels, kernel)(y, given, x, *bins_of(y.dtype))

    def arguments(draw, c):
        x = draw.uniform((n, 3), -3, 4)
        x[: len(EDGES[0])] = np.array(EDGES[0])[:n, None]  # at edges
        return {"given": draw((3, 5, c) if forward else (n, 3, c)), "x": x}

    def reference(given, x):
        weights = weights_at(x, given.dtype)
        product = "nfe,fec->nfc" if forward else "nfe,nfc->fec"
        size = np.einsum(product, np.abs(weights), np.abs(given)) + np.abs(given).max(initial=0) * 8
        return {"y": Scaled(np.einsum(product, weights, given), size)}

    check_kernel(
        kernel,
        call,
        arguments=arguments,
        reference=reference,
        eps=tolerances.product(max(n, 1)),
        sizes=columns_around_lanes,
        values=("normal",),
    )


def test_piecewise_of_what_is_no_number(isa, dtype):
    values, x = np.ones((3, 5, 2), dtype), np.full((1, 3), np.nan, dtype)
    y = np.zeros((1, 3, 2), dtype)
    _kernels.piecewise_forward(y, values, x, *bins_of(dtype))
    assert np.isnan(y).all()


@pytest.mark.parametrize("kernel", ["piecewise_forward", "piecewise_backward"])
def test_piecewise_among_threads(kernel, isa, rng):
    """Any number of threads gives the same bits."""
    x = rng.uniform(-3, 4, (3000, 3)).astype(np.float32)
    shapes = (3, 5, 70), (3000, 3, 70)
    given, of = shapes if kernel == "piecewise_forward" else shapes[::-1]
    given, results = rng.standard_normal(given).astype(np.float32), []
    before = pyml.get_num_threads()
    try:
        for threads in (1, 2, 3):
            pyml.set_num_threads(threads)
            y = np.full(of, np.nan, np.float32)
            getattr(_kernels, kernel)(y, given, x, *bins_of(np.float32))
            results.append(y)
    finally:
        pyml.set_num_threads(before)
    for other in results[1:]:
        assert_same_bits(other, results[0])


INDICES = np.array([3, -1, 0, -7, 6, 2, -100, 7, -8, 1])  # of size 7; ignored: -100


@pytest.mark.parametrize(
    ("wrap", "checked", "fault"),
    [
        (False, [3, 0, 0, 0, 6, 2, -100, 0, 0, 1], 1),
        (True, [3, 6, 0, 0, 6, 2, 0, 0, 0, 1], 6),
    ],
)
def test_index_check(wrap, checked, fault, isa):
    for n in range(len(INDICES) + 1):
        index = at_page_end(INDICES[:n])
        index.flags.writeable = False
        y, found = Guarded(n, np.int64), Guarded(1, np.int64)
        _kernels.index_check(y.array, found.array, index, 7, -100, wrap)
        np.testing.assert_array_equal(y.array, checked[:n])
        assert found.array[0] == (fault if fault < n else -1)
        assert not y.broken() and not found.broken()
        found.array[0] = 77
        _kernels.index_check(None, found.array, index, 7, -100, wrap)
        assert found.array[0] == (fault if fault < n else -1)
        in_place = index.copy()
        _kernels.index_check(in_place, found.array, in_place, 7, -100, wrap)
        np.testing.assert_array_equal(in_place, y.array)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 5, -6])
@pytest.mark.parametrize("size", [0, 5])
def test_index_check_far_outside(number, size, isa):
    index, y, fault = np.array([number]), np.array([9]), np.array([9])
    for wrap in (False, True):
        _kernels.index_check(y, fault, index, size, 2, wrap)
        assert fault[0] == 0 and y[0] == 0


@pytest.mark.parametrize("type_", ["uint8", "float32", "int64"])
@pytest.mark.parametrize("columns", [0, 1, 3])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_rows_by_a_mask(n, columns, type_, isa, rng):
    x = rng.integers(1, 100, size=(n, columns)).astype(type_)
    for mask in (rng.random(n) < 0.5, np.ones(n, bool), np.zeros(n, bool)):
        chosen, back = Guarded((n, columns), type_), Guarded((n, columns), type_)
        count = np.array([-1])
        _kernels.mask_gather(chosen.array, count, x, mask, columns * x.itemsize)
        assert count[0] == mask.sum()
        np.testing.assert_array_equal(chosen.array[: count[0]], x[mask])
        assert not chosen.array[count[0] :].any()
        rows = at_page_end(chosen.array[: count[0]])  # no more of them are read
        _kernels.mask_scatter(back.array, rows, mask, columns * x.itemsize)
        np.testing.assert_array_equal(back.array, np.where(mask[:, None], x, 0))
        assert not chosen.broken() and not back.broken()


ALONG = [(1, 1, 1), (3, 5, 2), (1, 37, 70), (40, 9, 1), (0, 5, 3), (3, 5, 0), (300, 11, 9)]


@pytest.mark.parametrize(("outer", "n", "inner"), ALONG)
def test_gather_along(outer, n, inner):
    check_kernel(
        "gather_along",
        lambda y, x, index: _kernels.gather_along(y, x, index, outer, n, index.shape[1], inner),
        arguments=lambda draw, m: {
            "x": draw((outer, n, inner)),
            "index": draw.index(n, (outer, m, inner)),
        },
        reference=lambda x, index: {"y": np.take_along_axis(x, index, 1)},
        eps=tolerances.EXACT,
        sizes=lambda lanes: [0, 1, 2, 33],
        values=("normal", "special"),
        signed_zero=True,
        flushes=False,
    )


@pytest.mark.parametrize("type_", ["bool", "uint8", "int16", "float32", "int64"])
def test_gather_along_of_any_type(type_, isa, rng):
    x = rng.integers(0, 2, size=(3, 7, 4)).astype(type_)
    index = rng.integers(0, 7, size=(3, 9, 4))
    y = np.zeros((3, 9, 4), type_)
    _kernels.gather_along(y, x, index, 3, 7, 9, 4)
    np.testing.assert_array_equal(y, np.take_along_axis(x, index, 1))


@pytest.mark.parametrize(("outer", "n", "inner"), ALONG)
def test_scatter_add(outer, n, inner):
    def reference(dx, dy, index):
        dx, scale = dx.copy(), np.abs(dx)
        i, _, k = np.ogrid[:outer, : index.shape[1], :inner]
        np.add.at(dx, (i, index, k), dy)
        np.add.at(scale, (i, index, k), np.abs(dy))
        return {"dx": Scaled(dx, scale)}

    def call(dx, dy, index):
        _kernels.scatter_add(dx, dy, index, outer, n, index.shape[1], inner)

    check_kernel(
        "scatter_add",
        call,
        arguments=lambda draw, m: {
            "dx": draw((outer, n, inner)),
            "dy": draw((outer, m, inner)),
            "index": draw.index(n, (outer, m, inner)),
        },
        reference=reference,
        eps=tolerances.product(33),
        sizes=lambda lanes: [0, 1, 2, 33],
        values=("normal", "offset"),
    )


def test_scatter_add_adds_in_the_order_of_the_index(isa, dtype):
    big = dtype.type(2.0**60)
    dy = np.array([1, big, -big, big, -big, 1], dtype)
    dx = np.zeros(2, dtype)
    _kernels.scatter_add(dx, dy, np.array([0, 0, 0, 1, 1, 1]), 1, 2, 6, 1)
    np.testing.assert_array_equal(dx, [0, 1])
