"""Special functions: the error function, the gamma function and Bessel's, with inverses and derivatives.

Their largest errors stand in csrc/kernels/special.h.
"""
from libc.math cimport M_PI, sqrt as root_of
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_like
from pyml.ops.operands cimport floating, mapped
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.errors import ArgumentError
from pyml.ops.shape import integer

# the numbers of kernels
cdef int DIGAMMA = _kernels.kernel("digamma")
cdef int ERF = _kernels.kernel("erf")
cdef int ERFC = _kernels.kernel("erfc")
cdef int ERFINV = _kernels.kernel("erfinv")
cdef int LGAMMA = _kernels.kernel("lgamma")
cdef int POLYGAMMA = _kernels.kernel("polygamma")
cdef int SCALED_BESSEL = _kernels.kernel("scaled_bessel")

LARGEST_ORDER = 1000   # of polygamma; derivatives count it up


cdef inline Tensor track(Node node, Tensor y, Tensor x, Tensor kept):
    node.connect(y, (x,))
    node.keep(kept)
    return y


cdef Tensor density(Tensor x):
    """2 / sqrt(pi) exp(-x^2), the derivative of erf."""
    return (-(x * x)).exp() * (2 / root_of(M_PI))


# ---- the error function ---------------------------------------------------------------------------------------


cdef class Erf(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * density(self.saved(0)),)


def erf(input):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to the input."""
    cdef Tensor x = floating(input, "erf"), y = wrap(mapped(ERF, x.array))
    return track(Erf.__new__(Erf), y, x, x) if tracks(x) else y


cdef class Erfc(Node):
    cdef tuple gradients(self, Tensor dy):
        return (-(dy * density(self.saved(0))),)


def erfc(input):
    """1 - erf(input), exact where that is small."""
    cdef Tensor x = floating(input, "erfc"), y = wrap(mapped(ERFC, x.array))
    return track(Erfc.__new__(Erfc), y, x, x) if tracks(x) else y


cdef class Erfinv(Node):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (dy * ((y * y).exp() * (root_of(M_PI) / 2)),)


def erfinv(input):
    """The inverse of erf: infinite at -1 and 1, NaN outside."""
    cdef Tensor x = floating(input, "erfinv"), y = wrap(mapped(ERFINV, x.array))
    return track(Erfinv.__new__(Erfinv), y, x, y) if tracks(x) else y


# ---- the gamma function ---------------------------------------------------------------------------------------


cdef class Lgamma(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * digamma(self.saved(0)),)


def lgamma(input):
    """The logarithm of the absolute value of the gamma function; inf at 0, -1, -2, ..."""
    cdef Tensor x = floating(input, "lgamma"), y = wrap(mapped(LGAMMA, x.array))
    return track(Lgamma.__new__(Lgamma), y, x, x) if tracks(x) else y


cdef class Digamma(Node):
    cdef tuple gradients(self, Tensor dy):
        return (dy * polygamma(1, self.saved(0)),)


def digamma(input):
    """The derivative of lgamma: -inf at 0, NaN at -1, -2, ..."""
    cdef Tensor x = floating(input, "digamma"), y = wrap(mapped(DIGAMMA, x.array))
    return track(Digamma.__new__(Digamma), y, x, x) if tracks(x) else y


cdef Tensor of_order(int kernel, Tensor x, int n):
    """What a kernel computes of a function of order n."""
    cdef ndarray a = contiguous(x.array)
    cdef ndarray out = empty_like(a)
    _kernels.unary(kernel, out, a, n, 0)
    return wrap(out)


cdef class Polygamma(Node):
    cdef int n

    cdef tuple gradients(self, Tensor dy):
        return (dy * polygamma(self.n + 1, self.saved(0)),)


def polygamma(n, input):
    """The derivative of order n of digamma, (-1)^(n+1) n! sum over k >= 0 of (input + k)^-(n+1).

    Args:
        n: an integer from 0, which is digamma, to 1000.
    """
    order = integer(n, "polygamma: n")
    if not 0 <= order <= LARGEST_ORDER:
        raise ArgumentError(f"polygamma: n is {n}, it must be from 0 to {LARGEST_ORDER}")
    if order == 0:
        return digamma(input)
    cdef Tensor x = floating(input, "polygamma"), y = of_order(POLYGAMMA, x, order)
    cdef Polygamma node
    if tracks(x):
        node = Polygamma.__new__(Polygamma)
        node.n = order
        track(node, y, x, x)
    return y


# ---- Bessel's functions ---------------------------------------------------------------------------------------


cdef class I0e(Node):
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        return (dy * (i1e(x) - x.sign() * i0e(x)),)


def i0e(input):
    """exp(-abs(input)) I_0(input), I_0 the modified Bessel function of the first kind of order 0."""
    cdef Tensor x = floating(input, "i0e"), y = of_order(SCALED_BESSEL, x, 0)
    return track(I0e.__new__(I0e), y, x, x) if tracks(x) else y


cdef class I1e(Node):
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        zero = x == 0
        slope = i0e(x) - i1e(x) * (x.sign() + x.masked_fill(zero, 1).reciprocal())
        return (dy * slope.masked_fill(zero, 0.5),)


def i1e(input):
    """exp(-abs(input)) I_1(input), I_1 the modified Bessel function of the first kind of order 1."""
    cdef Tensor x = floating(input, "i1e"), y = of_order(SCALED_BESSEL, x, 1)
    return track(I1e.__new__(I1e), y, x, x) if tracks(x) else y
