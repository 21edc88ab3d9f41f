"""Special functions against series in a wider type, and draws by rejection against moments."""

import itertools
import math

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_same_bits
from helpers.sweep import DTYPES, KERNEL, SHARED, Scaled, check_kernel
from kernels.test_dropout import SEED, state
from pyml import _kernels

DRAWS = 100_000
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6]
FAR = 40  # from which the asymptotic series are exact


def sizes(lanes):
    return [0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, SHARED // 2 + 3]


def at_least_one(values):
    """The scale of errors: the result, or 1 where it is smaller."""
    return Scaled(values, np.maximum(np.abs(values), 1))


def zeta(s, a):
    """Hurwitz's, by Euler and Maclaurin's sum."""
    total = sum((a + k) ** -s for k in range(FAR))
    w = a + FAR
    total = total + w ** (1 - s) / (s - 1) + w**-s / 2
    factor = s
    for j, b in enumerate(BERNOULLI, 1):
        total = total + np.longdouble(b) / math.factorial(2 * j) * factor * w ** (-s - 2 * j + 1)
        factor *= (s + 2 * j - 1) * (s + 2 * j)
    return total


def digamma(x):
    w = x + FAR
    total = np.log(w) - 1 / (2 * w)
    for j, b in enumerate(BERNOULLI, 1):
        total = total - np.longdouble(b) / (2 * j) * w ** (-2 * j)
    return total - sum(1 / (x + k) for k in range(FAR))


def lgamma(x):
    w = x + FAR
    total = (w - 0.5) * np.log(w) - w + np.log(2 * np.longdouble(np.pi)) / 2
    for j, b in enumerate(BERNOULLI, 1):
        total = total + np.longdouble(b) / (2 * j * (2 * j - 1)) * w ** (1 - 2 * j)
    return total - sum(np.log(x + k) for k in range(FAR))


def scaled_bessel(n, x):
    """exp(-x) I_n(x) for x >= 0 by the power series, whose terms are positive."""
    x = x.astype(np.longdouble)
    term = np.exp(-x) * (x / 2) ** n
    total = term
    for k in range(1, 400):
        term = term * x * x / (4 * k * (k + n))
        total = total + term
    return total


FUNCTIONS = {  # name -> reference, tolerance, order
    "erf": (np.vectorize(math.erf, otypes=[float]), tolerances.FEW, 0),
    "erfc": (np.vectorize(math.erfc, otypes=[float]), tolerances.FEW, 0),
    "lgamma": (lambda x: at_least_one(lgamma(x)), tolerances.SPECIAL, 0),
    "digamma": (lambda x: at_least_one(digamma(x)), tolerances.SPECIAL, 0),
    **{
        f"polygamma {n}": (
            lambda x, n=n: (-1) ** (n + 1) * math.factorial(n) * zeta(np.longdouble(n + 1), x),
            tolerances.SPECIAL,
            n,
        )
        for n in (1, 2, 3, 4)
    },
    **{
        f"scaled_bessel {n}": (lambda x, n=n: scaled_bessel(n, x), tolerances.SPECIAL, n)
        for n in (0, 1)
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name):
    reference, eps, order = FUNCTIONS[name]
    kernel = name.split()[0]
    check_kernel(
        kernel,
        lambda y, x: _kernels.unary(KERNEL[kernel], y, x, order, 0),
        arguments=lambda draw, n: {"x": draw.uniform(n, 0.02, 12)},
        reference=lambda x: {"y": reference(x)},
        eps=eps,
        sizes=(lambda lanes: [lanes + 1, 203]) if order > 1 else sizes,  # longdouble is slow
        in_place=[("y", "x")],
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_polygamma_below_zero(isa, dtype, n):
    """Also near the zeros of even orders, where terms on both sides of 0 cancel."""
    x = np.concatenate(
        [np.linspace(-k - 0.95, -k - 0.05, 301) for k in range(5)]
        + [-k - 0.5 + np.linspace(-0.02, 0.02, 301) for k in range(5)]
    ).astype(dtype)
    exact = x.astype(np.longdouble)
    count = np.ceil(-exact)
    wanted = zeta(np.longdouble(n + 1), exact + count)
    for k in range(5):
        wanted = wanted + np.where(k < count, (exact + k) ** -(n + 1), 0)
    wanted = (-1) ** (n + 1) * math.factorial(n) * wanted
    error = np.abs(called("polygamma", x, n) - wanted)
    assert (error <= 8 * np.finfo(dtype).eps * np.maximum(np.abs(wanted), 1)).all()


def test_bessel_at_the_ends(isa, dtype):
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, 29.99, 30.01, -29.99, -30.01], dtype)
    y0, y1 = (called("scaled_bessel", x, n) for n in (0, 1))
    np.testing.assert_array_equal(y0[:5], np.array([1, 1, 0, 0, np.nan], dtype))
    np.testing.assert_array_equal(y1[:5], np.array([0, 0, 0, 0, np.nan], dtype))
    assert_same_bits(y0[5:7], y0[7:])
    assert_same_bits(y1[5:7], -y1[7:])
    far = x[5:7].astype(float)
    for n, y in enumerate((y0, y1)):
        wanted = scaled_bessel(n, far)
        assert (np.abs(y[5:7] - wanted) <= 4 * np.finfo(dtype).eps * wanted).all()


def called(name, x, order=0):
    y = np.empty_like(x)
    _kernels.unary(KERNEL[name], y, x, order, 0)
    return y


def test_erfinv(isa, dtype):
    """The error of its erf, or of its erfc, is that of a rounding of the argument or the result."""
    rng = np.random.default_rng(0)
    middle, tail = rng.uniform(-0.9, 0.9, 2000), np.exp(rng.uniform(np.log(1e-6), -1, 2000))
    eps = np.finfo(dtype).eps
    x = middle.astype(dtype)
    y = called("erfinv", x).astype(float)
    error = np.abs(np.vectorize(math.erf)(y) - x)
    assert (error <= 2 * eps * np.abs(x)).all()
    x = (1 - tail).astype(dtype)
    y = called("erfinv", x).astype(float)
    error = np.abs(np.vectorize(math.erfc)(y) / (1 - x.astype(float)) - 1)
    assert (error <= 2 * eps * (1 + 2 * y * y)).all()
    assert_same_bits(called("erfinv", -x), -called("erfinv", x))


def test_recurrences_below_zero(isa, dtype):
    """f(x + 1) - f(x), away from the poles."""
    x = np.concatenate([np.arange(-9, 1) + offset for offset in (0.25, 0.5, 0.625)]).astype(dtype)
    eps, x64 = np.finfo(dtype).eps, x.astype(float)
    for name, order, step in [
        ("lgamma", 0, np.log(np.abs(x64))),
        ("digamma", 0, 1 / x64),
        *(("polygamma", n, (-1) ** n * math.factorial(n) * x64 ** -(n + 1.0)) for n in (1, 2, 3)),
    ]:
        below, above = (
            called(name, x, order).astype(float),
            called(name, x + 1, order).astype(float),
        )
        scale = np.maximum(np.abs(below) + np.abs(above), 1)
        assert (np.abs(above - below - step) <= 60 * eps * scale).all(), (name, order)


def test_values_at_the_ends(isa, dtype):
    inf, nan = np.inf, np.nan
    for name, order, x, wanted in [
        ("erf", 0, [-inf, inf, nan, 0, -0.0], [-1, 1, nan, 0, -0.0]),
        ("erfc", 0, [-inf, inf, nan, 0], [2, 0, nan, 1]),
        ("erfinv", 0, [-1, 1, 1.5, nan, 0], [-inf, inf, nan, nan, 0]),
        ("lgamma", 0, [0, -0.0, -1, -5, inf, -inf, nan, 1, 2], [inf] * 6 + [nan, 0, 0]),
        ("digamma", 0, [0, -0.0, -1, inf, -inf, nan], [-inf, inf, nan, inf, nan, nan]),
        ("polygamma", 1, [0, -3, inf, -inf, nan], [inf, inf, 0, nan, nan]),
        ("polygamma", 2, [0, inf, nan], [-inf, 0, nan]),
    ]:
        x = np.array(x, dtype)
        np.testing.assert_array_equal(called(name, x, order) + 0.0, np.array(wanted, dtype), name)
    assert called("polygamma", np.full(3, -1e9 + 0.5), 1)[0] == pytest.approx(np.pi**2)


# ---- gamma variables -----------------------------------------------------------------------------

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def slope_by_quadrature(a, log_x):
    """-1/(x p(x)) times the integral over t up to x of p(t) (log t - digamma(a)), by log t."""
    a, log_x = a.astype(float), log_x.astype(float)
    psi, total = digamma(a.astype(np.longdouble)).astype(float), 0.0
    width = 60 / a + 12 / np.sqrt(a)
    edges = np.concatenate([[0], np.geomspace(1e-4, 1, 40)])
    for near, far in itertools.pairwise(edges):
        half = (far - near) / 2 * width
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            below = near * width + half * (1 + node)
            u = log_x - below
            density = np.exp(-a * below - np.exp(log_x) * np.expm1(-below))
            total = total - weight * half * density * (u - psi)
    return total


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_log_gamma_slope(dtype):
    def arguments(draw, n):
        a = np.exp(draw.uniform(n, -3, 7).astype(float))
        at = draw.rng.gamma(a)
        # below shape 1 also variables that are smaller than any number
        log_x = np.where(a < 0.2, -draw.rng.exponential(100, n) / a, np.log(np.maximum(at, 1e-300)))
        return {"a": a.astype(dtype), "b": log_x.astype(dtype)}

    check_kernel(
        "log_gamma_slope",
        lambda y, a, b: _kernels.binary(
            KERNEL["log_gamma_slope"], y, a, b, 1, y.size, y.size, 1, y.size, 1
        ),
        arguments=arguments,
        reference=lambda a, b: {"y": slope_by_quadrature(a, b)},
        eps=tolerances.FEW if dtype.itemsize == 4 else 1e5,  # of the quadrature
        sizes=lambda lanes: [0, 1, lanes + 1, 2003],
        dtypes=[dtype],
    )


def test_slopes_meet(isa):
    """Of large shapes, where Cornish and Fisher's expansion begins."""
    a = np.array([99_990.0, 100_010.0])
    for z in (-3, -1, 0, 0.5, 4):
        log_x, y = np.log(a + z * np.sqrt(a)), np.empty(2)
        _kernels.binary(KERNEL["log_gamma_slope"], y, a, log_x, 1, 2, 2, 1, 2, 1)
        assert y[0] * a[0] == pytest.approx(y[1] * a[1], rel=1e-6)


def drawn(name, at, *parameters):
    y = np.empty_like(parameters[0])
    _kernels.random_of(KERNEL[name], y, at, *parameters)
    return y


@pytest.mark.parametrize("a", [0.01, 0.3, 1.0, 1.7, 30.0, 1e5])
def test_log_gamma_variables(isa, dtype, a):
    """E log x = digamma, var log x = trigamma, E x = a, to six standard errors."""
    log_x = drawn("random_log_gamma", state(), np.full(DRAWS, a, dtype)).astype(float)
    psi, variance = (called("digamma", np.array([a]))[0], called("polygamma", np.array([a]), 1)[0])
    assert abs(log_x.mean() - psi) < 6 * np.sqrt(variance / DRAWS) + 1e-6
    assert abs(log_x.var() / variance - 1) < 6 * np.sqrt(9 / DRAWS)
    assert abs(np.exp(log_x).mean() - a) < 6 * np.sqrt(a / DRAWS) + a * 1e-5
    assert abs(np.corrcoef(log_x[:-1], log_x[1:])[0, 1]) < 6 / np.sqrt(DRAWS)


@pytest.mark.parametrize("mean", [0.01, 1.0, 9.9, 10.0, 57.3, 1e4])
def test_poisson_variables(isa, dtype, mean):
    k = drawn("random_poisson", state(), np.full(DRAWS, mean, dtype)).astype(float)
    assert (k == np.rint(k)).all() and k.min() >= 0
    assert abs(k.mean() - mean) < 6 * np.sqrt(mean / DRAWS)
    fourth = mean * (1 + 3 * mean)
    assert abs(k.var() - mean) < 6 * np.sqrt((fourth - mean**2) / DRAWS)
    for value in {int(mean), int(mean) + 1, max(int(mean) - 1, 0)}:
        p = math.exp(value * math.log(mean) - mean - math.lgamma(value + 1))
        assert abs((k == value).mean() - p) < 6 * np.sqrt(p * (1 - p) / DRAWS)


@pytest.mark.parametrize("n", [1, 10, 30, 1000, 1_000_000])
@pytest.mark.parametrize("p", [0.0, 1e-7, 0.03, 0.4, 0.5, 0.97, 1.0])
def test_binomial_variables(isa, dtype, n, p):
    p = float(dtype.type(p))
    k = drawn("random_binomial", state(), np.full(DRAWS, n, dtype), np.full(DRAWS, p, dtype))
    k = k.astype(float)
    assert (k == np.rint(k)).all() and k.min() >= 0 and k.max() <= n
    variance = n * p * (1 - p)
    assert abs(k.mean() - n * p) <= 6 * np.sqrt(variance / DRAWS)
    fourth = variance * (1 + 3 * (n - 2) * p * (1 - p))
    assert abs(k.var() - variance) <= 6 * np.sqrt(max(fourth - variance**2, variance) / DRAWS)
    for value in {int(n * p), min(int(n * p) + 1, n), max(int(n * p) - 1, 0)} if 0 < p < 1 else ():
        ways = math.lgamma(n + 1) - math.lgamma(value + 1) - math.lgamma(n - value + 1)
        share = math.exp(ways + value * math.log(p) + (n - value) * math.log1p(-p))
        assert abs((k == value).mean() - share) < 6 * np.sqrt(share * (1 - share) / DRAWS) + 1e-9


@pytest.mark.parametrize("concentration", [0.0, 1e-7, 0.01, 1.0, 25.0, 1e4, 9e5, 1.1e6, 1e9])
def test_von_mises_variables(isa, dtype, concentration):
    """E cos(x - loc) = I1 / I0 and E sin = 0; by quadrature."""
    loc = 2.5
    x = drawn(
        "random_von_mises",
        state(),
        np.full(DRAWS, loc, dtype),
        np.full(DRAWS, concentration, dtype),
    ).astype(float)
    assert np.abs(x).max() <= np.pi + 1e-6
    if dtype == np.float32 and concentration > 1e4:
        return  # what is drawn is narrower than the rounding of the angle
    width = min(np.pi, 12 / np.sqrt(concentration)) if concentration else np.pi
    nodes = np.linspace(-width, width, 20_001)
    density = np.exp(-2 * concentration * np.sin(nodes / 2) ** 2)
    density[[0, -1]] /= 2
    density /= density.sum()
    for f in (lambda d: np.sin(d / 2) ** 2, np.sin, lambda d: np.sin(d) ** 2):
        values, wanted = f(x - loc), (f(nodes) * density).sum()
        assert abs(values.mean() - wanted) < 6 * values.std() / np.sqrt(DRAWS) + 1e-7 * width


NAMES = ["random_binomial", "random_log_gamma", "random_poisson", "random_von_mises"]


@pytest.mark.parametrize("name", NAMES)
def test_draws_of_a_state(name, isa, dtype):
    """Same state, same numbers, on any number of threads; each element takes four words."""
    at, size = state(), SHARED + 3
    if name == "random_binomial":
        x = np.full(size, 100, dtype), np.full(size, 0.4, dtype)
    elif name == "random_von_mises":
        x = np.full(size, 1, dtype), np.full(size, 0.4, dtype)
    else:
        x = (np.full(size, 1.5, dtype),)
    y = drawn(name, at, *x)
    assert at[1] - state()[1] == size
    _kernels.set_num_threads(3)
    assert_same_bits(drawn(name, state(), *x), y)
    _kernels.set_num_threads(1)
    assert (drawn(name, at, *x) != y).any()
    assert (drawn(name, state(SEED + 1), *x) != y).any()
    assert_same_bits(drawn(name, state(), *[a[:7] for a in x]), y[:7])


def test_parameters_without_a_distribution(isa, dtype):
    inf, nan = np.inf, np.nan
    for name, *parameters, wanted in [
        ("random_log_gamma", [0, -1, nan, inf], [-inf, nan, nan, inf]),
        ("random_poisson", [0, -1, nan, inf], [0, nan, nan, inf]),
        ("random_binomial", [0, 3, 3, 3, 3, -1, inf], [0.5, 0, 1, 1.5, nan, 0, 0.5],
         [0, 0, 3, nan, nan, nan, nan]),
        ("random_von_mises", [0, 0, nan], [-1, nan, 1], [nan, nan, nan]),
    ]:  # fmt: skip
        arrays = [np.array(values, dtype) for values in parameters]
        np.testing.assert_array_equal(drawn(name, state(), *arrays), np.array(wanted, dtype), name)
