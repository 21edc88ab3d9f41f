"""Losses of an input and a target of its shape, element by element: one row each at the end.

The formulas stand in csrc/kernels/pair_loss.c.
"""
import warnings

import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_like, empty_scalar, is_real, real_tensor
from pyml.ops.reduction cimport MEAN, NONE, reduction_of
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.ops.elementwise import abs, mul, sign, where
from pyml.ops.operands import broadcast_shapes
from pyml.ops.reduce import sum
from pyml.ops.shape import expand, to

cnp.import_array()


cdef class PairLoss:
    """A loss f(input, target).

    Args:
        name: of the function, for messages. Its kernels have the name without "_loss".
        node: the operation's name in a graph.
        slope: slope(g, x, t, *options) is g * df/dx, computed by operations that can be differentiated again.
        slope_t: the same with df/dt. Default: minus the slope, as of every function of x - t.
        options: {name: the least that it may be, or None}: at most two, alpha and beta of the kernels.
        signs: the targets are 1 or -1: they have no gradient, and take the input's dtype.
    """
    cdef str name, node
    cdef int kernel_forward, kernel_backward
    cdef object slope, slope_t
    cdef dict options
    cdef bint signs

    def __init__(self, name, node, slope, slope_t=None, *, options=None, signs=False):
        kernel = name.removesuffix("_loss")
        self.name, self.node, self.slope, self.slope_t = name, node, slope, slope_t
        self.options, self.signs = options or {}, signs
        self.kernel_forward = _kernels.kernel(f"{kernel}_forward")
        self.kernel_backward = _kernels.kernel(f"{kernel}_backward")

    cdef Tensor of(self, input, target, reduction, weight=None, tuple options=()):
        """The loss.

        Args:
            input, target: of one shape; others are broadcast with a warning.
            reduction: "mean", "sum" or "none".
            weight: a factor for each element, by whose sum the mean divides; or None.
            options: numbers, in the order of their names.
        """
        cdef Tensor x = real_tensor(input, self.name, "input"), t, out
        cdef int how = reduction_of(reduction, self.name)
        cdef PairLossNode node
        cdef double alpha = self.option(options, 0), beta = self.option(options, 1)
        if not isinstance(target, Tensor):
            raise TypeError(f"{self.name}: target must be a Tensor, not {type(target).__name__}")
        t = target
        if cnp.PyArray_TYPE(t.array) != cnp.PyArray_TYPE(x.array):
            dtype = np.result_type(x.dtype, t.dtype) if is_real(t.array) and not self.signs else x.dtype
            x, t = to(x, dtype), to(t, dtype)
        if not cnp.PyArray_SAMESHAPE(x.array, t.array):
            warnings.warn(
                f"{self.name}: target has shape {t.shape}, input {x.shape}: they are broadcast, which is likely a mistake; "
                "make the shapes the same", stacklevel=2)
            shape = broadcast_shapes(x.shape, t.shape, name=self.name)
            x, t = expand(x, shape), expand(t, shape)
        if weight is not None:
            loss = mul(weight, self.of(x, t, "none", None, options))
            if how == MEAN:
                return sum(loss) / sum(weight)
            return loss if how == NONE else sum(loss)
        cdef ndarray a = contiguous(x.array), b = contiguous(t.array)
        cdef ndarray y = empty_like(a) if how == NONE else empty_scalar(a)
        _kernels.pair_loss_forward(
            self.kernel_forward, y, a, b, alpha, beta, how)
        out = wrap(y)
        if tracks(x) or (tracks(t) and not self.signs):
            node = PairLossNode.__new__(PairLossNode)
            node.loss, node.options, node.reduction = self, options, how
            node.alpha, node.beta = alpha, beta
            node.connect(out, (x, None if self.signs else t))
            node.keep(x)
            node.keep(t)
        return out

    cdef double option(self, tuple options, int i) except? -1:
        """The i-th option if there is one, else 0."""
        cdef double number
        if i >= len(options):
            return 0
        name, least = list(self.options.items())[i]
        try:
            number = options[i]
        except TypeError:
            raise TypeError(f"{self.name}: {name} must be a number, not {type(options[i]).__name__}") from None
        if least is not None and not number >= least:
            raise ValueError(f"{self.name}: {name} is {number}, it must be at least {least}")
        return number


cdef class PairLossNode(Node):
    cdef PairLoss loss
    cdef tuple options
    cdef double alpha, beta
    cdef int reduction

    def name(self):
        """The loss."""
        return self.loss.node

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), t = self.saved(1)
        g = dy * (1.0 / x.array.size) if self.reduction == MEAN and x.array.size else dy
        dx = dt = None
        if self.inputs[0] is not None or self.loss.slope_t is None:
            dx = self.loss.slope(g, x, t, *self.options)
        if self.inputs[1] is not None:
            dt = -dx if self.loss.slope_t is None else self.loss.slope_t(g, x, t, *self.options)
        return dx, dt

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), t = contiguous(self.saved(1).array)
        cdef ndarray dx = None if self.inputs[0] is None else empty_like(x)
        cdef ndarray dt = None if self.inputs[1] is None else empty_like(x)
        _kernels.pair_loss_backward(
            self.loss.kernel_backward, dx, dt, contiguous(dy.array), x, t, self.alpha, self.beta, self.reduction)
        return None if dx is None else wrap(dx), None if dt is None else wrap(dt)


# ---- the losses -----------------------------------------------------------------------------------------------


cdef PairLoss MSE = PairLoss("mse_loss", "MSE", lambda g, x, t: (x - t) * (g * 2.0))


def mse_loss(input, target, reduction="mean", weight=None):
    """Squared error, (input - target)^2.

    Args:
        input: any shape.
        target: the same shape. Another one is broadcast with a warning, as it is mostly a mistake.
        reduction: "mean", "sum" or "none".
        weight: a factor for each element; the mean is then over the sum of the weights. Default: None.
    """
    return MSE.of(input, target, reduction, weight)


def smooth_l1_slope(g, x, t, beta):
    d = x - t
    return g * (where(abs(d) < beta, d / beta, sign(d)) if beta > 0 else sign(d))


cdef PairLoss SMOOTH_L1 = PairLoss("smooth_l1_loss", "SmoothL1", smooth_l1_slope, options={"beta": 0})


def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where d = |input - target| is less than beta, else d - beta / 2.

    Args:
        input, target: one shape, as for mse_loss.
        reduction: "mean", "sum" or "none".
        beta: where the line begins; 0 is the absolute error. Default: 1.

    Raises:
        ValueError: if beta is negative.

    Girshick 2015, "Fast R-CNN" (arXiv:1504.08083).
    """
    return SMOOTH_L1.of(input, target, reduction, None, (beta,))


def hinge_embedding_slope(g, x, t, margin):
    return where(t != -1, g, 0.0) - where(t != 1, where(x <= margin, g, 0.0), 0.0)


cdef PairLoss HINGE_EMBEDDING = PairLoss(
    "hinge_embedding_loss", "HingeEmbedding", hinge_embedding_slope, options={"margin": None}, signs=True
)


def hinge_embedding_loss(input, target, margin=1.0, reduction="mean"):
    """input where target is 1, max(0, margin - input) where it is -1.

    Args:
        input: any shape, such as a distance between two embeddings.
        target: 1 or -1, the same shape; it gets no gradient.
        margin: the input from which a pair of target -1 has no loss. Default: 1.
        reduction: "mean", "sum" or "none".
    """
    return HINGE_EMBEDDING.of(input, target, reduction, None, (margin,))
