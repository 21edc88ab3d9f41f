"""The largest errors that csrc/simd/vmath.h states, over all exponents."""

import re
from pathlib import Path

import numpy as np
import pytest

from helpers.activations import gelu, gelu_derivative, sigmoid
from helpers.compare import ulp_distance
from helpers.sweep import KERNEL, WIDE, flushed, selection
from helpers.tolerances import FLUSHED
from pyml import _kernels

HEADER = Path(__file__).parents[2] / "csrc/simd/vmath.h"
STATED = {
    name: {"float32": float(single), "float64": float(double)}
    for name, single, double in re.findall(
        r"^ \*\s+(v\w+)\s+([\d.]+)\s+([\d.]+)", HEADER.read_text(), re.M
    )
}
ROUNDING = 0.5  # ulp; what the kernel does to the function's result
ERFC = 1.0  # ulp; the reference's own, by math.erfc, in float64


def unary(name):
    return lambda y, x: _kernels.unary(KERNEL[name], y, x, 0, 0)


def activation(name, alpha=0.0, beta=0.0):
    return lambda y, x: _kernels.activation_forward(KERNEL[f"{name}_forward"], y, x, alpha, beta)


def slope(name):
    def call(y, x):
        _kernels.activation_backward(KERNEL[f"{name}_backward"], y, np.ones_like(x), x, 0, 0)

    return call


def everywhere(x):
    return np.ones(x.shape, bool)


# the kernel that shows a function, its reference, where it shows it, and the ulp that the kernel
# may add
SHOWN = {
    "vexp": (unary("exp"), np.exp, everywhere, 0),
    "vlog": (unary("log"), np.log, lambda x: x > 0, 0),
    "vexpm1": (activation("elu", 1), np.expm1, lambda x: x <= 0, 0),
    "vlog1p": (
        activation("softplus", 1, 1e4),
        lambda x: np.log1p(np.exp(x)),
        lambda x: x <= 0,
        STATED["vexp"]["float32"],
    ),
    "vsigmoid": (activation("sigmoid"), sigmoid, everywhere, 0),
    "vtanh": (activation("tanh"), np.tanh, everywhere, 0),
    "vsin": (unary("sin"), np.sin, everywhere, 0),
    "vcos": (unary("cos"), np.cos, everywhere, 0),
    "vnormal_cdf": (activation("gelu"), lambda x: gelu(x).wanted, everywhere, ROUNDING + ERFC),
    "vgelu_slope": (slope("gelu"), lambda x: gelu_derivative(x).wanted, everywhere, ERFC),
}
OF_ONE = {  # whose error is one of 1: what the kernel multiplies it by
    ("vnormal_cdf", np.dtype("float32")): np.abs,
    ("vgelu_slope", np.dtype("float32")): np.ones_like,
    ("vgelu_slope", np.dtype("float64")): np.ones_like,
}


def test_all_functions_are_shown():
    assert set(STATED) == set(SHOWN)


def normal_numbers(x):
    return x[np.abs(x) >= np.finfo(x.dtype).tiny]


def strided(dtype):
    """Bit patterns at an odd distance, so all exponents; more where the functions bend."""
    if dtype == "float32":
        patterns = np.arange(0, 2**32, 12007, np.uint64).astype(np.uint32).view(np.float32)
    else:
        patterns = np.arange(200_000, dtype=np.uint64) * np.uint64(92233720368547) + np.uint64(
            12345
        )
        patterns = patterns.view(np.float64)
    rng = np.random.default_rng(0)
    dense = [
        rng.uniform(-width, width, 50_000).astype(dtype) for width in (0.1, 1, 8, 40, 100, 750)
    ]
    near_one = (1 + rng.normal(size=50_000) * 0.01).astype(dtype)
    zeros = (np.arange(1, 20_000) * np.pi / 2).astype(dtype)  # of sine and cosine
    near_zeros = [zeros, np.nextafter(zeros, 0), np.nextafter(zeros, zeros.dtype.type(1e9))]
    return normal_numbers(
        np.concatenate([patterns[np.isfinite(patterns)], *dense, near_one, *near_zeros])
    )


def assert_error(name, x):
    """On every ISA the error in ulp is at most what the header states."""
    call, reference, domain, added = SHOWN[name]
    x = x[domain(x)]
    with np.errstate(all="ignore"):
        wanted = reference(x.astype(WIDE[x.dtype]))
    tiny, largest = (
        WIDE[x.dtype].type(limit) for limit in (np.finfo(x.dtype).tiny, np.finfo(x.dtype).max)
    )
    smallest = tiny * (FLUSHED if added else 2)  # where the kernel goes on, a factor may be flushed
    compared = (np.abs(wanted) >= smallest) & (np.abs(wanted) <= largest)
    bound = STATED[name][str(x.dtype)] + added
    for isa in filter(lambda isa: selection.keeps(isa=isa), _kernels.available_isas()):
        _kernels.select_isa(isa)
        y = np.full_like(x, np.nan)
        call(y, x)
        if (name, x.dtype) in OF_ONE:
            scale = OF_ONE[name, x.dtype](x) * np.finfo(x.dtype).eps
            error = np.abs(y - wanted) / scale * compared
        else:
            error = np.where(compared, ulp_distance(y, np.where(compared, wanted, y)), 0)
        worst = error.argmax()
        assert error[worst] <= bound, (
            f"{name} on {isa}, {x.dtype}: {error[worst]:.3f} ulp, stated {bound}, "
            f"at x = {x[worst]!r} ({float(x[worst]).hex()}): got {y[worst]!r}, "
            f"wanted {wanted[worst]!r}"
        )
        limits = flushed(y)[~compared & ~np.isnan(wanted)]
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(
                limits,
                wanted[~compared & ~np.isnan(wanted)].astype(x.dtype),
                rtol=1e-5,
                atol=float(smallest),
            )


@pytest.mark.parametrize("name", SHOWN)
def test_stated_error(name, dtype):
    assert_error(name, strided(str(dtype)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SHOWN)
def test_stated_error_on_every_float32(name):
    chunk = 2**22
    for start in range(0, 2**32, chunk):
        x = np.arange(start, start + chunk, dtype=np.uint64).astype(np.uint32).view(np.float32)
        x = normal_numbers(x[np.isfinite(x)])
        if len(x):
            assert_error(name, x)


@pytest.mark.parametrize("name", ["vexp", "vexpm1", "vlog", "vsigmoid", "vtanh", "vsin", "vcos"])
def test_limits_are_exact(name, isa, dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    wanted = {
        "vexp": [1, 1, np.inf, 0, np.nan],
        "vexpm1": [0, -0.0, np.inf, -1, np.nan],
        "vlog": [-np.inf, -np.inf, np.inf, np.nan, np.nan],
        "vsigmoid": [0.5, 0.5, 1, 0, np.nan],
        "vtanh": [0, -0.0, 1, -1, np.nan],
        "vsin": [0, -0.0, np.nan, np.nan, np.nan],
        "vcos": [1, 1, np.nan, np.nan, np.nan],
    }[name]
    y = np.empty_like(x)
    SHOWN[name][0](y, x)
    np.testing.assert_array_equal(y, np.array(wanted, dtype))
    signs = np.signbit(y) == np.signbit(np.array(wanted, dtype))
    assert signs[~np.isnan(wanted)].all() or name == "vlog"


@pytest.mark.parametrize("name", ["vexp", "vlog", "vsigmoid", "vtanh"])
def test_monotone(name, isa, dtype):
    """To within the stated error, in steps a thousand times larger than it."""
    x = np.linspace(0.01, 5, 3000).astype(dtype)
    y = np.empty_like(x)
    SHOWN[name][0](y, x)
    assert (np.diff(y) >= 0).all()


@pytest.mark.parametrize("name", ["vsin", "vcos"])
def test_numbers_beyond_the_limit_change_no_others(name, isa, dtype):
    """Those that the C library computes lie beside others in a vector."""
    x = np.linspace(-7, 7, 200).astype(dtype)
    alone, mixed = np.empty_like(x), np.empty_like(x)
    SHOWN[name][0](alone, x)
    x[::3] = np.resize(np.array([1e5, np.inf, np.nan, 1e30, -1e8], dtype), len(x[::3]))
    SHOWN[name][0](mixed, x)
    kept = np.arange(len(x)) % 3 != 0
    np.testing.assert_array_equal(mixed[kept], alone[kept])
