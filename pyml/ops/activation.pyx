"""Activations: one kernel forward, one backward, each with its derivative as operations for second order.

The formulas stand in csrc/kernels/activation.c.
"""
from math import pi, sqrt

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_like, real_tensor
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.ops.elementwise import exp, minimum, where

cnp.import_array()

# the numbers of kernels
cdef int ELU_BACKWARD = _kernels.kernel("elu_backward")
cdef int ELU_FORWARD = _kernels.kernel("elu_forward")
cdef int GELU_BACKWARD = _kernels.kernel("gelu_backward")
cdef int GELU_FORWARD = _kernels.kernel("gelu_forward")
cdef int GELU_TANH_BACKWARD = _kernels.kernel("gelu_tanh_backward")
cdef int GELU_TANH_FORWARD = _kernels.kernel("gelu_tanh_forward")
cdef int LEAKY_RELU_BACKWARD = _kernels.kernel("leaky_relu_backward")
cdef int LEAKY_RELU_FORWARD = _kernels.kernel("leaky_relu_forward")
cdef int RELU_BACKWARD = _kernels.kernel("relu_backward")
cdef int RELU_FORWARD = _kernels.kernel("relu_forward")
cdef int SIGMOID_BACKWARD = _kernels.kernel("sigmoid_backward")
cdef int SIGMOID_FORWARD = _kernels.kernel("sigmoid_forward")
cdef int SILU_BACKWARD = _kernels.kernel("silu_backward")
cdef int SILU_FORWARD = _kernels.kernel("silu_forward")
cdef int SOFTPLUS_BACKWARD = _kernels.kernel("softplus_backward")
cdef int SOFTPLUS_FORWARD = _kernels.kernel("softplus_forward")
cdef int TANH_BACKWARD = _kernels.kernel("tanh_backward")
cdef int TANH_FORWARD = _kernels.kernel("tanh_forward")


cdef class Activation(Node):
    """An elementwise function whose derivative a kernel computes from the input or the output that was kept."""
    cdef int kernel_backward
    cdef double alpha, beta

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray s = contiguous(self.saved(0).array)
        cdef ndarray dx = empty_like(s)
        _kernels.activation_backward(self.kernel_backward, dx, contiguous(dy.array), s, self.alpha, self.beta)
        return (wrap(dx),)


cdef Tensor apply(type op, x, str name, int forward, int backward, bint keeps_output, double alpha=0, double beta=0):
    """f(x), with a node of class `op` if it is recorded."""
    cdef Tensor xt = real_tensor(x, name, "input")
    cdef ndarray a = contiguous(xt.array)
    cdef ndarray y = empty_like(a)
    cdef Activation node
    _kernels.activation_forward(forward, y, a, alpha, beta)
    cdef Tensor out = wrap(y)
    if tracks(xt):
        node = op.__new__(op)
        node.kernel_backward = backward
        node.alpha = alpha
        node.beta = beta
        node.connect(out, (xt,))
        node.keep(out if keeps_output else xt)
    return out


cdef class ReLU(Activation):
    cdef tuple gradients(self, Tensor dy):
        return (where(self.saved(0) > 0, dy, 0.0),)


def relu(x):
    """max(x, 0). The derivative at 0 is 0; NaN stays NaN."""
    return apply(ReLU, x, "relu", RELU_FORWARD, RELU_BACKWARD, True)


cdef class LeakyReLU(Activation):
    cdef tuple gradients(self, Tensor dy):
        return (where(self.saved(0) > 0, dy, dy * self.alpha),)


def leaky_relu(x, negative_slope=0.01):
    """x where x > 0, else negative_slope * x (Maas et al. 2013)."""
    return apply(
        LeakyReLU, x, "leaky_relu", LEAKY_RELU_FORWARD, LEAKY_RELU_BACKWARD, False, negative_slope
    )


cdef class Sigmoid(Activation):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (dy * (y * (1 - y)),)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return apply(Sigmoid, x, "sigmoid", SIGMOID_FORWARD, SIGMOID_BACKWARD, True)


cdef class Tanh(Activation):
    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (dy * (1 - y * y),)


def tanh(x):
    """The hyperbolic tangent."""
    return apply(Tanh, x, "tanh", TANH_FORWARD, TANH_BACKWARD, True)


cdef class GELU(Activation):
    cdef tuple gradients(self, Tensor dy):
        return (dy * gelu_derivative(self.saved(0)),)


cdef class GELUDerivative(Node):
    # d/dx (Phi(x) + x phi(x)) = phi(x) (2 - x^2)
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        return (dy * (exp(-0.5 * (x * x)) * (2 - x * x) * (1 / sqrt(2 * pi))),)


cdef Tensor gelu_derivative(Tensor x):
    """Phi(x) + x phi(x), with Phi and phi the normal distribution and its density."""
    cdef ndarray a = contiguous(x.array)
    cdef ndarray ones = empty_like(a), dx = empty_like(a)
    _kernels.fill(ones, 1)
    _kernels.activation_backward(GELU_BACKWARD, dx, ones, a, 0, 0)
    cdef Tensor out = wrap(dx)
    if tracks(x):
        node = GELUDerivative.__new__(GELUDerivative)
        (<GELUDerivative>node).connect(out, (x,))
        (<GELUDerivative>node).keep(x)
    return out


cdef class GELUTanh(Activation):
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        c = sqrt(2 / pi)
        t = tanh(c * (x + 0.044715 * (x * x * x)))
        return (dy * (0.5 * (1 + t) + (0.5 * c) * x * (1 - t * t) * (1 + (3 * 0.044715) * (x * x))),)


def gelu(x, approximate="none"):
    """Gaussian error linear unit, x * Phi(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Args:
        approximate: "none" for the exact form with erf, "tanh" for 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    """
    if approximate == "none":
        return apply(GELU, x, "gelu", GELU_FORWARD, GELU_BACKWARD, False)
    if approximate == "tanh":
        return apply(GELUTanh, x, "gelu", GELU_TANH_FORWARD, GELU_TANH_BACKWARD, False)
    raise ValueError(f"gelu: approximate is {approximate!r}, it must be 'none' or 'tanh'")


cdef class SiLU(Activation):
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        s = sigmoid(x)
        return (dy * (s * (1 + x * (1 - s))),)


def silu(x):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017, arXiv:1702.03118)."""
    return apply(SiLU, x, "silu", SILU_FORWARD, SILU_BACKWARD, False)


cdef class ELU(Activation):
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        return (where(x > 0, dy, dy * (self.alpha * exp(minimum(x, x * 0)))),)


def elu(x, alpha=1.0):
    """x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015, arXiv:1511.07289)."""
    return apply(ELU, x, "elu", ELU_FORWARD, ELU_BACKWARD, False, alpha)


cdef class Softplus(Activation):   # alpha is softplus's beta, beta its threshold
    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        return (where(x * self.alpha > self.beta, dy, dy * sigmoid(x * self.alpha)),)


def softplus(x, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""
    return apply(
        Softplus, x, "softplus", SOFTPLUS_FORWARD, SOFTPLUS_BACKWARD, False, beta, threshold
    )
