"""Special functions that NumPy sums: the incomplete gamma's, zeta, of the normal tail; polynomials;
Bessel's functions by their scaled kernels.

What NumPy sums is computed in double. Derivatives are made of operations, so that they can be
differentiated again. Formulas are those of Abramowitz & Stegun 1964, "Handbook of mathematical
functions".
"""

import math

import numpy as np

from pyml.ops import functions, special
from pyml.ops.elementwise import abs as absolute
from pyml.ops.elementwise import exp, log, neg, where
from pyml.ops.functions import both_floating, computed, of_one
from pyml.recorder import constant, refuse
from pyml.tensor import Tensor

# ---- modified Bessel functions -------------------------------------------------------------------


def special_array(function, x):
    """The array of a function of special."""
    return function(Tensor._on(np.asarray(x, np.float64))).array


def unscaled(x, scaled):
    """scaled(x) exp(|x|) of an array, which overflows where the product does."""
    half = np.exp(np.abs(x, dtype=np.float64) / 2)
    return special_array(scaled, x) * half * half


def i1_slope(x):
    """i0(x) - i1(x) / x; near 0, where digits cancel, its series."""
    near = absolute(x) < 0.01
    square = x * x
    series = 0.5 + square * 3 / 16 * (1 + square * 5 / 72)
    return where(near, series, i0(x) - i1(x) / where(near, 1.0, x))


BESSEL = "The modified Bessel function of the first kind of order"
i0 = of_one("i0", lambda x: unscaled(x, special.i0e), lambda x: i1(x), f"{BESSEL} 0", __name__)
i1 = of_one(
    "i1",
    lambda x: unscaled(x, special.i1e),
    i1_slope,
    f"{BESSEL} 1",
    __name__,
)


# ---- the normal distribution's tail --------------------------------------------------------------


def scaled_erfc(x):
    """exp(x^2) erfc(x) of an array: by its parts, far out by the continued fraction 7.1.14."""
    x = np.asarray(x, np.float64)
    near = np.minimum(x, 3.0)
    y = np.exp(near * near) * special_array(special.erfc, near)
    far = np.maximum(x, 3.0)
    fraction = far
    for k in range(60, 0, -1):
        fraction = far + k / 2 / fraction
    return np.where(x <= 3, y, np.where(np.isnan(x), x, 1 / (math.sqrt(math.pi) * fraction)))


erfcx = of_one(
    "erfcx",
    scaled_erfc,
    lambda x: 2 * x * erfcx(x) - 2 / math.sqrt(math.pi),
    "exp(x^2) erfc(x), which does not underflow",
    __name__,
)


def log_of_ndtr(x):
    """log ndtr(x) of an array; below 0 by erfcx."""
    x = np.asarray(x, np.float64)
    left, right = np.minimum(x, 0) * math.sqrt(0.5), np.maximum(x, 0) * math.sqrt(0.5)
    tail = np.log(scaled_erfc(-left) / 2) - left * left
    return np.where(x < 0, tail, np.log1p(-special_array(special.erfc, right) / 2))


def normal_hazard(x):
    """The derivative of log ndtr."""
    return math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5))


log_ndtr = of_one(
    "log_ndtr",
    log_of_ndtr,
    normal_hazard,
    "The logarithm of ndtr, which does not underflow",
    __name__,
)


def inverse_ndtr(p):
    """The quantile of an array: Newton's method on log_ndtr, of the smaller tail."""
    p = np.asarray(p, np.float64)
    tail = np.minimum(p, 1 - p)
    inside = (tail > 0) & (tail <= 0.5)
    wanted = np.log(np.where(inside, tail, 0.5))
    x = -np.sqrt(-2 * wanted)
    for _ in range(8):
        slope = math.sqrt(2 / math.pi) / scaled_erfc(x * -math.sqrt(0.5))
        x = x - (log_of_ndtr(x) - wanted) / slope
    x = np.where(inside, x, np.where(tail == 0, -np.inf, np.nan))
    return np.where(p <= 0.5, x, -x)


ndtri = of_one(
    "ndtri",
    inverse_ndtr,
    lambda _p, y: math.sqrt(2 * math.pi) * exp(y * y / 2),
    "The inverse of ndtr: infinite at 0 and 1, NaN outside",
    __name__,
)


# ---- the incomplete gamma function ---------------------------------------------------------------

STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)  # 6.1.41
LONG = 1e6  # of a: from here on two terms of Temme's expansion have the digits of a double
# of powers of eta, of the terms 1 and 1 / a
TEMME_0 = (-1 / 3, 1 / 12, -2 / 135, 1 / 864, 1 / 2835, -139 / 777600, 1 / 25515, -571 / 261273600)
TEMME_1 = (-1 / 540, -1 / 288, 1 / 378, -77 / 77760)


def gamma_tails(a, x):
    """The regularised incomplete gamma functions, the lower and the upper, of arrays.

    6.5.29, a series, up to x = a + 1, then 6.5.31, a continued fraction; where both are long, as
    the root of a, Temme's expansion.
    """
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    valid = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    is_long = valid & (a >= LONG)
    is_summed = valid & ~is_long
    a1, x1 = np.where(is_summed, a, 1.0), np.where(is_summed, x, 1.0)
    factor = np.exp(log_of_term(a1, x1))  # x^a exp(-x) / gamma(a + 1)
    is_low = x1 < a1 + 1
    low = np.where(is_low, factor * lower_series(a1, np.where(is_low, x1, 0.0)), 0.0)
    fraction = upper_fraction(np.where(is_low, 1.0, a1), np.where(is_low, 3.0, x1))
    high = np.where(is_low, 0.0, factor * a1 * fraction)
    low, high = np.where(is_low, low, 1 - high), np.where(is_low, 1 - low, high)
    if is_long.any():
        tails = tails_of_long(np.where(is_long, a, LONG), np.where(is_long, x, LONG))
        low, high = np.where(is_long, tails[0], low), np.where(is_long, tails[1], high)
    wrong = (a < 0) | (x < 0) | np.isnan(a) | np.isnan(x) | ((a == 0) & (x == 0))
    wrong |= np.isinf(a) & np.isinf(x)
    below = np.where((x == 0) | np.isinf(a), 0.0, 1.0)  # of the edges: a or x is 0 or infinite
    low, high = np.where(valid, low, below), np.where(valid, high, 1 - below)
    return np.where(wrong, np.nan, low), np.where(wrong, np.nan, high)


def log_of_term(a, x):
    """a log(x) - x - lgamma(a + 1); of a large a by Stirling's series, in which little cancels."""
    small = a * np.log(x) - x - special_array(special.lgamma, a + 1)
    b = np.maximum(a, 16.0)
    offset = (x - b) / b
    rest = np.zeros_like(b)
    for c in reversed(STIRLING):
        rest = c / b + rest / (b * b)
    large = b * (np.log1p(offset) - offset) - np.log(2 * math.pi * b) / 2 - rest
    return np.where(a < 16, small, large)


def tails_of_long(a, x):
    """gamma_tails of a >= LONG.

    With eta^2 / 2 = mu - log(1 + mu) and mu = x / a - 1 they are the normal distribution's tails at
    eta sqrt(a), and a correction. Where |mu| > 0.1 they are 0 and 1. Temme 1979, "The asymptotic
    expansion of the incomplete gamma functions".
    """
    mu = np.clip((x - a) / a, -0.1, 0.1)
    half = mu - np.log1p(mu)
    eta = np.copysign(np.sqrt(2 * half), mu)
    terms = np.polyval(TEMME_0[::-1], eta) + np.polyval(TEMME_1[::-1], eta) / a
    correction = np.exp(-a * half) / np.sqrt(a) / math.sqrt(2 * math.pi) * terms
    end = eta * np.sqrt(a / 2)
    low, high = special_array(special.erfc, -end) / 2, special_array(special.erfc, end) / 2
    return low - correction, high + correction


def lower_series(a, x):
    """sum over n >= 0 of x^n / ((a + 1) ... (a + n))."""
    term, total, n = np.ones_like(x), np.ones_like(x), 0
    while np.any(term > 1e-17 * total):
        n += 1
        term = term * x / (a + n)
        total = total + term
    return total


def upper_fraction(a, x):
    """1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...)), by Lentz's method."""
    b = x + 1 - a
    c, d = np.full_like(b, 1e300), 1 / b
    y, n = d, 0
    moves = True
    while moves:
        n += 1
        numerator = n * (a - n)
        b = b + 2
        d = 1 / (b + numerator * d)
        c = b + numerator / c
        y = y * c * d
        moves = np.any(np.abs(c * d - 1) > 1e-15)
    return y


def of_shape_alone(name):
    def refused(a, x):
        raise NotImplementedError(
            f"{name}: the derivative by the first argument is not there, as in PyTorch; detach() it"
        )

    return refused


def gamma_density(a, x):
    """x^(a - 1) exp(-x) / gamma(a), the derivative of igamma by x."""
    return exp((a - 1) * log(x) - x - special.lgamma(a))


def lower_tail(a, x):
    return gamma_tails(a, x)[0]


def upper_tail(a, x):
    return gamma_tails(a, x)[1]


def igamma(input, other):
    """The regularised lower incomplete gamma function: the distribution function of Gamma(input).

    1 / gamma(input) times the integral of t^(input - 1) exp(-t) for t from 0 to other

    It has a derivative by other alone, as in PyTorch.
    """
    return computed(
        "igamma",
        lower_tail,
        both_floating(input, other, "igamma"),
        (of_shape_alone("igamma"), gamma_density),
    )


def igammac(input, other):
    """The regularised upper incomplete gamma function, 1 - igamma(input, other)."""
    return computed(
        "igammac",
        upper_tail,
        both_floating(input, other, "igammac"),
        (of_shape_alone("igammac"), lambda a, x: neg(gamma_density(a, x))),
    )


# ---- zeta ----------------------------------------------------------------------------------------

BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
FIRST = 12  # terms that are added one by one


def hurwitz(s, q):
    """sum over k >= 0 of (q + k)^-s of arrays.

    The terms before a negative q's first positive one, with p = -q, are those from 1 - frac(q) to
    p, negative if s is odd: zeta(s, ceil(q) - q) - zeta(s, 1 + p) but for the sign.
    """
    s, q = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(q, np.float64))
    whole, low = np.floor(s) == s, np.floor(q)
    below = (q < 0) & (q != low) & whole & (s > 1)
    valid = below | ((q > 0) & (s > 1))
    s1, q1 = np.where(valid, s, 2.0), np.where(valid, np.where(below, q - low, q), 1.0)
    total = np.asarray(hurwitz_of_positive(s1, q1))
    if below.any():
        s2, q2 = s[below], q[below]
        sign = np.where(s2 % 2 == 0, 1.0, -1.0)
        before = hurwitz_of_positive(s2, np.ceil(q2) - q2) - hurwitz_of_positive(s2, 1 - q2)
        total[below] += sign * before
    pole = (s == 1) | ((s > 1) & (q <= 0) & (q == low))
    return np.where(valid, total, np.where(pole, np.inf, np.nan))


def hurwitz_of_positive(s1, q1):
    """The same of s > 1 and q > 0: FIRST terms, then Euler-Maclaurin (23.1.30)."""
    total = np.zeros(s1.shape)
    for k in range(FIRST):
        total = total + (q1 + k) ** -s1
    a = q1 + FIRST
    power = a**-s1
    total = total + power * (a / (s1 - 1) + 0.5)
    factor = s1 / a
    for j, b in enumerate(BERNOULLI):
        total = total + power * factor * b / math.factorial(2 * j + 2)
        factor = factor * (s1 + 2 * j + 1) * (s1 + 2 * j + 2) / (a * a)
    return total


def zeta(input, other):
    """Hurwitz's zeta function, the sum over k >= 0 of (other + k)^-input.

    It has a derivative by other alone, as in PyTorch.

    Args:
        input: above 1; inf at 1, NaN below.
        other: not one of 0, -1, -2, ..., where it is inf; of negative ones and an input that is
            not whole it is NaN.
    """
    return computed(
        "zeta",
        hurwitz,
        both_floating(input, other, "zeta"),
        (of_shape_alone("zeta"), lambda s, q: neg(s * zeta(s + 1, q))),
    )


# ---- polynomials by their recurrences ------------------------------------------------------------

# name: (the polynomial of degree 1, that of degree k + 1 from those of k and k - 1), 22.7
RECURRENCES = {
    "chebyshev_polynomial_t": (lambda x: x, lambda k, x, p, q: 2 * x * p - q),
    "chebyshev_polynomial_u": (lambda x: 2 * x, lambda k, x, p, q: 2 * x * p - q),
    "chebyshev_polynomial_v": (lambda x: 2 * x - 1, lambda k, x, p, q: 2 * x * p - q),
    "chebyshev_polynomial_w": (lambda x: 2 * x + 1, lambda k, x, p, q: 2 * x * p - q),
    "hermite_polynomial_h": (lambda x: 2 * x, lambda k, x, p, q: 2 * x * p - 2 * k * q),
    "hermite_polynomial_he": (lambda x: x, lambda k, x, p, q: x * p - k * q),
    "laguerre_polynomial_l": (
        lambda x: 1 - x,
        lambda k, x, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1),
    ),
    "legendre_polynomial_p": (
        lambda x: x,
        lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1),
    ),
}


def polynomial(name, shift=False):
    """The family of a name in RECURRENCES; with shift, of 2 x - 1."""
    first, following = RECURRENCES[name]
    title = f"shifted_{name}" if shift else name

    def of_degree(input, n):
        if isinstance(n, Tensor):
            refuse(f"{title} of a tensor of degrees")
            degrees = np.trunc(n.detach().array)
            x, _ = both_floating(input, n, title)
        else:
            degrees = np.array(functions.integer(n, f"{title}: n"))
            x = functions.floating(input, title)
        z = 2 * x - 1 if shift else x
        p, q = first(z), x * 0 + 1
        y = where(chosen(degrees, 0), q, 0.0)
        for k in range(1, int(degrees.max(initial=0)) + 1):
            y = where(chosen(degrees, k), p, y)
            p, q = following(k, z, p, q), p
        return y

    of_degree.__name__ = of_degree.__qualname__ = title
    of_degree.__doc__ = f"""The {title.replace("_", " ")} of degree n; 0 for a negative n.

    Args:
        n: an integer, or a tensor of them that broadcasts.
    """
    return of_degree


def chosen(degrees, k):
    """Where the degree is k."""
    return Tensor._on(constant(np.asarray(degrees == k)))


POLYNOMIALS = []
for _name in RECURRENCES:
    for _shift in (False, True) if "chebyshev" in _name else (False,):
        _function = polynomial(_name, _shift)
        globals()[_function.__name__] = _function
        POLYNOMIALS.append(_function.__name__)
