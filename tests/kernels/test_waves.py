import numpy as np
import pytest

import pyml
from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import Scaled, check_kernel, columns_around_lanes
from pyml import _kernels


@pytest.mark.parametrize("k", [1, 3, 16, 60, 64])
def test_waves_have_the_bits_of_cos_and_sin(k, isa, dtype, rng):
    x = rng.standard_normal((7, 3)).astype(dtype)
    c = rng.standard_normal((3, k)).astype(dtype)
    x[2, 1], x[3], x[4, 2], x[5] = np.nan, np.inf, 1e7, [0, -0.0, 1e-30]  # 1e7: beyond the limit
    z = np.full((3, 7, 2 * k), 9, dtype)
    _kernels.waves_forward(z, x, c)
    with np.errstate(invalid="ignore"):
        angles = np.ascontiguousarray((x.T[:, :, None] * c[:, None, :]).astype(dtype))
    for name, found in (("cos", z[..., :k]), ("sin", z[..., k:])):
        wanted = np.empty_like(angles)
        _kernels.unary(_kernels.kernel(name), wanted, angles, 0, 0)
        assert_same_bits(np.where(np.isnan(found), 0, found), np.where(np.isnan(wanted), 0, wanted))
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))


@pytest.mark.parametrize("n", [0, 1, 50])
def test_waves_both(n):
    check_kernel(
        "waves_both",
        _kernels.waves_both,
        arguments=lambda draw, o: {"dy": draw((n, 3, o)), "x": draw((n, 3))},
        reference=lambda dy, x: {"both": np.concatenate([dy, x[..., None] * dy], -1)},
        eps=tolerances.ROUNDED,
        sizes=columns_around_lanes,
    )


@pytest.mark.parametrize("k", [1, 5])
def test_waves_backward(k):
    def slopes(p, w):
        o = w.shape[2]
        return (w[:, k:] * p[:, :k, o:]).sum(2), (w[:, :k] * p[:, k:, o:]).sum(2)

    def reference(p, w):
        (of_sin, of_cos), sizes = slopes(p, w), slopes(np.abs(p), np.abs(w))
        return {"dw": p[..., : w.shape[2]], "dc": Scaled(of_sin - of_cos, sizes[0] + sizes[1])}

    check_kernel(
        "waves_backward",
        _kernels.waves_backward,
        arguments=lambda draw, o: {"p": draw((3, 2 * k, 2 * o)), "w": draw((3, 2 * k, o))},
        reference=reference,
        eps={"dw": tolerances.EXACT, "dc": tolerances.product(131)},
        sizes=columns_around_lanes,
    )


def test_waves_among_threads(isa, rng):
    """Any number of threads gives the same bits."""
    x, c, dy, w = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((3000, 3), (3, 70), (3000, 3, 60), (3, 140, 60))
    )
    p = rng.standard_normal((3, 140, 120)).astype(np.float32)
    results, before = [], pyml.get_num_threads()
    try:
        for threads in (1, 2, 3):
            pyml.set_num_threads(threads)
            shapes = (3, 3000, 140), (3000, 3, 120), w.shape, c.shape
            z, both, dw, dc = (np.full(shape, np.nan, np.float32) for shape in shapes)
            _kernels.waves_forward(z, x, c)
            _kernels.waves_both(both, dy, x)
            _kernels.waves_backward(dw, dc, p, w)
            results.append((z, both, dw, dc))
    finally:
        pyml.set_num_threads(before)
    for others in results[1:]:
        for other, first in zip(others, results[0], strict=True):
            assert_same_bits(other, first)
