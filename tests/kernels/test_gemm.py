import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import tolerances
from helpers.compare import assert_same_bits, first_mismatch
from helpers.memory import Guarded, at_page_end
from pyml import _kernels

LAYOUTS = {  # an operand of (rows, cols) as a view whose memory lies otherwise
    "C": lambda x: x,
    "T": lambda x: at_page_end(x.T).T,
    "reversed": lambda x: at_page_end(x[::-1, ::-1])[::-1, ::-1],
    "spaced": lambda x: at_page_end(np.repeat(x, 3, 1))[:, ::3],
    "spaced rows": lambda x: at_page_end(np.repeat(x, 2, 0))[::2],
}
SINGLE = np.dtype("float32")


def strides(x):
    return tuple(s // x.itemsize for s in x.strides)


def gemm(c, a, b, alpha=1.0, beta=0.0):
    """c <- alpha a b + beta c for matrices or stacks of them, of any strides."""
    batch = c.shape[0] if c.ndim == 3 else 1
    (m, k), n = a.shape[-2:], b.shape[-1]
    between = [strides(x)[0] if x.ndim == 3 else 0 for x in (a, b, c)]
    _kernels.gemm(
        c,
        a,
        b,
        m,
        n,
        k,
        *strides(a)[-2:],
        *strides(b)[-2:],
        strides(c)[-2],
        batch,
        *between,
        alpha,
        beta,
    )


def check_gemm(a, b, dtype, alpha=1.0, beta=0.0, c=None, pad=0):
    """C is guarded, with `pad` unused columns in each row."""
    shape = (*a.shape[:-1], b.shape[-1])
    guarded = Guarded((*shape[:-1], shape[-1] + pad), dtype)
    out = guarded.array[..., : shape[-1]]
    if c is not None:
        out[...] = c
    gemm(out, a, b, alpha, beta)
    wide = float if dtype == SINGLE or a.shape[-1] > 100 else np.longdouble
    a, b = a.astype(wide), b.astype(wide)
    wanted, scale = alpha * (a @ b), abs(alpha) * (np.abs(a) @ np.abs(b))
    if beta != 0:
        wanted, scale = wanted + beta * c.astype(wide), scale + np.abs(beta * c)
    mismatch = first_mismatch(out, wanted, tolerances.product(a.shape[-1]) + 2, scale)
    assert mismatch is None, f"{a.shape} x {b.shape}, alpha {alpha}, beta {beta}: {mismatch}"
    assert guarded.broken() is None, guarded.broken()
    assert np.isnan(guarded.array[..., shape[-1] :]).all(), "the columns between rows were written"
    return out


def matrices(rng, dtype, m, n, k):
    return rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)


@pytest.mark.parametrize(
    "layouts",
    [("C", "C"), ("C", "T"), ("T", "C"), ("T", "T"), ("spaced", "reversed")],
    ids="-".join,
)
def test_sizes_around_the_tiles(layouts, isa, dtype, rng):
    """Each size from 1 to 70 in each place, the two others at random."""
    for size in range(1, 71):
        other = rng.integers(1, 71, size=2)
        m, n, k = np.roll([size, *other], size % 3)
        a, b = matrices(rng, dtype, m, n, k)
        check_gemm(LAYOUTS[layouts[0]](at_page_end(a)), LAYOUTS[layouts[1]](at_page_end(b)), dtype)


THIN = [
    (1, 1, 1000),
    (1, 1000, 1),
    (1000, 1, 1),
    (1, 700, 300),
    (700, 1, 300),
    (700, 300, 1),
    (2, 2, 5000),
    (3, 600, 2),
]
BLOCKS = [
    *[(255, 257, 256), (252, 256, 257), (253, 300, 513), (40, 40, 1025), (300, 270, 33)],
    *[(5, 1040, 300), (145, 1025, 257), (73, 513, 257)],
]


@pytest.mark.parametrize("shape", THIN + BLOCKS, ids=str)
@pytest.mark.parametrize("layouts", ["CC", "TC", "CT", "TT"])
def test_thin_shapes_and_block_borders(shape, layouts, isa, dtype, rng):
    a, b = matrices(rng, dtype, *shape)
    check_gemm(LAYOUTS[layouts[0]](a), LAYOUTS[layouts[1]](b), dtype)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (5, 7, 0), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_nothing(shape, beta, isa, dtype, rng):
    """An empty sum is zero, times alpha, plus beta c."""
    m, n, k = shape
    a, b = matrices(rng, dtype, m, n, k)
    check_gemm(a, b, dtype, alpha=2.0, beta=beta, c=rng.normal(size=(m, n)).astype(dtype))


@pytest.mark.parametrize("alpha", [1.0, 0.0, -0.5, 3.0])
@pytest.mark.parametrize("beta", [0.0, 1.0, -2.0, 0.25])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (5, 17, 9), (33, 40, 270), (70, 65, 600), (9, 70, 1)], ids=str
)
def test_alpha_and_beta(alpha, beta, shape, isa, dtype, rng):
    a, b = matrices(rng, dtype, *shape)
    check_gemm(a, b, dtype, alpha, beta, rng.normal(size=(shape[0], shape[1])).astype(dtype), pad=3)


def test_beta_zero_never_reads_c(isa, dtype, rng):
    for shape in [(1, 1, 1), (5, 17, 9), (33, 40, 600)]:
        a, b = matrices(rng, dtype, *shape)
        for bad in (np.nan, np.inf):
            check_gemm(a, b, dtype, 1.0, 0.0, np.full(shape[:2], bad, dtype))


def test_zero_strides_repeat(isa, dtype, rng):
    row, column = rng.normal(size=(1, 50)).astype(dtype), rng.normal(size=(37, 1)).astype(dtype)
    a, b = (
        np.broadcast_to(row, (20, 50)),
        np.broadcast_to(rng.normal(size=(50, 1)).astype(dtype), (50, 30)),
    )
    check_gemm(a, b, dtype)
    check_gemm(np.broadcast_to(column, (37, 50)), b, dtype)
    check_gemm(np.broadcast_to(dtype.type(2), (9, 50)), np.broadcast_to(row.T, (50, 40)), dtype)


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 5, 6), (33, 20, 40)], ids=str)
@pytest.mark.parametrize("repeated", ["", "a", "b"])
def test_batch(shape, repeated, isa, dtype, rng):
    m, n, k = shape
    a, b = rng.normal(size=(7, m, k)).astype(dtype), rng.normal(size=(7, k, n)).astype(dtype)
    if repeated == "a":
        a = np.broadcast_to(a[0], a.shape)
    if repeated == "b":
        b = np.broadcast_to(b[0], b.shape)
    check_gemm(a, b, dtype)
    check_gemm(a, b, dtype, -1.0, 0.5, rng.normal(size=(7, m, n)).astype(dtype))
    check_gemm(a[::-1], b.transpose(0, 2, 1).copy().transpose(0, 2, 1), dtype)


def test_batch_of_none(isa, dtype):
    gemm(np.empty((0, 3, 4), dtype), np.empty((0, 3, 2), dtype), np.empty((0, 2, 4), dtype))


@given(
    size=st.tuples(*[st.integers(0, 90)] * 3),
    layouts=st.tuples(*[st.sampled_from(sorted(LAYOUTS))] * 2),
    scalars=st.sampled_from([(1, 0), (1, 1), (-0.5, 0), (2, -1)]),
    single=st.booleans(),
    pad=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=300)
def test_any_layout(size, layouts, scalars, single, pad, seed):
    rng, dtype = np.random.default_rng(seed), np.dtype("float32" if single else "float64")
    a, b = matrices(rng, dtype, *size)
    c = rng.normal(size=size[:2]).astype(dtype)
    for isa in _kernels.available_isas():
        _kernels.select_isa(isa)
        check_gemm(LAYOUTS[layouts[0]](a), LAYOUTS[layouts[1]](b), dtype, *scalars, c, pad)


@pytest.mark.parametrize(
    "shape",
    [
        *[(200, 200, 300), (64, 500, 270), (500, 64, 257), (700, 10, 200)],
        *[(16, 32, 10_000), (40, 3, 10_000)],  # cut by blocks of k
    ],
    ids=str,
)
@pytest.mark.parametrize("layouts", ["CC", "TC", "CT"])
def test_same_bits_for_any_threads(shape, layouts, isa, dtype, rng):
    a, b = matrices(rng, dtype, *shape)
    a, b = LAYOUTS[layouts[0]](a), LAYOUTS[layouts[1]](b)
    results = []
    for threads in (1, 2, 3):
        _kernels.set_num_threads(threads)
        results.append(check_gemm(a, b, dtype))
    for result in results[1:]:
        assert_same_bits(result, results[0])


@pytest.mark.parametrize("k", [1, 16, 255, 256, 257, 600])
def test_an_element_depends_on_its_row_and_column_alone(k, isa, dtype, rng):
    """Whatever the rest of the product is, how the operands lie, and what path the size takes."""
    a, b = matrices(rng, dtype, 140, 150, k)
    c = check_gemm(a, b, dtype)
    for rows, cols in [
        (slice(3, 4), slice(7, 8)),
        (slice(100, 140), slice(90, 91)),
        (slice(5, 6), slice(0, 150)),
        (slice(0, 140), slice(20, 21)),
        (slice(0, 140), slice(20, 23)),
    ]:
        for layout_a in ("C", "T", "spaced"):
            for layout_b in ("C", "T", "spaced"):
                part = check_gemm(LAYOUTS[layout_a](a[rows]), LAYOUTS[layout_b](b[:, cols]), dtype)
                assert_same_bits(part, c[rows, cols], f"{layout_a}{layout_b}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_bad_numbers_stay_in_their_row_and_column(value, isa, dtype, rng):
    a, b = matrices(rng, dtype, 40, 50, 30)
    clean = check_gemm(a, b, dtype).copy()
    a[11, 3] = value
    c = np.empty_like(clean)
    gemm(c, a, b)
    assert not np.isfinite(c[11]).any()
    assert_same_bits(np.delete(c, 11, 0), np.delete(clean, 11, 0))
