"""Losses of an input and a target of its shape, element by element: one row each at the end.

The formulas stand in csrc/kernels/pair_loss.c.
"""
import warnings
from collections import namedtuple

import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_like, empty_scalar, is_real, real_tensor
from pyml.ops.reduction cimport MEAN, NONE, named_reduction, reduction_of
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.errors import ArgumentError
from pyml.ops.activation import logsigmoid, sigmoid
from pyml.ops.elementwise import abs, clamp, log, log1p, mul, sign, where
from pyml.ops.operands import broadcast_shapes
from pyml.ops.reduce import mean, sum
from pyml.ops.shape import expand, to

cnp.import_array()


Range = namedtuple("Range", "words holds")
AT_LEAST_0 = Range("at least 0", lambda number: number >= 0)
POSITIVE = Range("greater than 0", lambda number: number > 0)
FRACTION = Range("between 0 and 1", lambda number: 0 <= number <= 1)


cdef reduced(Tensor loss, int how, divisor=None):
    """The loss of all elements, whose mean divides by their number or by a sum of weights."""
    if how == NONE:
        return loss
    if how == MEAN:
        return mean(loss) if divisor is None else sum(loss) / sum(divisor)
    return sum(loss)


cdef checked_factor(str name, str what, factor, Tensor x, bint broadcasts):
    """A factor for each element of x, of its shape, or if it `broadcasts` of one that becomes it."""
    real_tensor(factor, name, what)
    if factor.shape == x.shape or (broadcasts and broadcast_shapes(x.shape, factor.shape, name=name) == x.shape):
        return
    raise ArgumentError(
        f"{name}: {what} has shape {factor.shape}, it must {'broadcast to' if broadcasts else 'be'} that of the input, "
        f"{x.shape}")


cdef class PairLoss:
    """A loss f(input, target).

    Args:
        name: of the function, for messages. Its kernels have the name without "_loss".
        node: the operation's name in a graph.
        slope: slope(g, x, t, *options) is g * df/dx, computed by operations that can be differentiated again.
        slope_t: the same with df/dt. Default: minus the slope, as of every function of x - t.
        options: {name: Range, or None}: at most two, alpha and beta of the kernels.
        signs: the targets are 1 or -1: they have no gradient, and take the input's dtype.
        same_shape: a target of another shape is refused.
        weights_divide: the mean of weighted losses is over the sum of the weights, else over their number.
    """
    cdef str name, node
    cdef int kernel_forward, kernel_backward
    cdef object slope, slope_t
    cdef dict options
    cdef bint signs, same_shape, weights_divide

    def __init__(
        self, name, node, slope, slope_t=None, *, options=None, signs=False, same_shape=False, weights_divide=True
    ):
        kernel = name.removesuffix("_loss")
        self.name, self.node, self.slope, self.slope_t = name, node, slope, slope_t
        self.options, self.signs = options or {}, signs
        self.same_shape, self.weights_divide = same_shape, weights_divide
        self.kernel_forward = _kernels.kernel(f"{kernel}_forward")
        self.kernel_backward = _kernels.kernel(f"{kernel}_backward")

    cdef Tensor of(self, input, target, reduction, weight=None, tuple options=()):
        """The loss.

        Args:
            input, target: of one shape; others are broadcast with a warning.
            reduction: "mean", "sum" or "none".
            weight: a factor for each element, or None.
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
            if self.same_shape:
                raise ArgumentError(
                    f"{self.name}: target has shape {t.shape}, it must be that of the input, {x.shape}; reshape one of them")
            warnings.warn(
                f"Using a target size ({t.shape}) that is different to the input size ({x.shape}). This will likely lead to "
                "incorrect results due to broadcasting. Please ensure they have the same size.",   # as PyTorch, for filters
                stacklevel=2)
            shape = broadcast_shapes(x.shape, t.shape, name=self.name)
            x, t = expand(x, shape), expand(t, shape)
        if weight is not None:
            checked_factor(self.name, "weight", weight, x, self.same_shape)
            loss = mul(weight, self.of(x, t, "none", None, options))
            return reduced(loss, how, weight if self.weights_divide else None)
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
        name, allowed = list(self.options.items())[i]
        try:
            number = options[i]
        except TypeError:
            raise TypeError(f"{self.name}: {name} must be a number, not {type(options[i]).__name__}") from None
        if allowed is not None and not allowed.holds(number):
            raise ArgumentError(f"{self.name}: {name} is {number}, it must be {allowed.words}")
        return number


cdef class PairLossNode(Node):
    cdef PairLoss loss
    cdef tuple options
    cdef double alpha, beta
    cdef int reduction

    def _operation(self):
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
# size_average and reduce are PyTorch's old names of a reduction: None, or with a warning it is what they say.


cdef PairLoss MSE = PairLoss("mse_loss", "MSE", lambda g, x, t: (x - t) * (g * 2.0))


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Squared error, (input - target)^2.

    Args:
        input: any shape.
        target: the same shape. Another one is broadcast with a warning, as it is mostly a mistake.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".
        weight: a factor for each element; the mean is then over the sum of the weights. Default: None.

    Raises:
        ValueError: for another reduction, or a weight of another shape.
    """
    return MSE.of(input, target, named_reduction(size_average, reduce, reduction), weight)


cdef PairLoss L1 = PairLoss("l1_loss", "L1", lambda g, x, t: sign(x - t) * g)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Absolute error, |input - target|. Arguments as for mse_loss; the derivative is 0 where both are equal."""
    return L1.of(input, target, named_reduction(size_average, reduce, reduction), weight)


def smooth_l1_slope(g, x, t, beta):
    d = x - t
    return g * (where(abs(d) < beta, d / beta, sign(d)) if beta > 0 else sign(d))


cdef PairLoss SMOOTH_L1 = PairLoss("smooth_l1_loss", "SmoothL1", smooth_l1_slope, options={"beta": AT_LEAST_0})


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where d = |input - target| is less than beta, else d - beta / 2.

    Args:
        input, target: one shape, as for mse_loss.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".
        beta: where the line begins; 0 is the absolute error. Default: 1.

    Raises:
        ValueError: if beta is negative.

    Girshick 2015, "Fast R-CNN" (arXiv:1504.08083).
    """
    return SMOOTH_L1.of(input, target, named_reduction(size_average, reduce, reduction), None, (beta,))


def huber_slope(g, x, t, delta):
    d = x - t
    return g * where(abs(d) < delta, d, sign(d) * delta)


cdef PairLoss HUBER = PairLoss("huber_loss", "Huber", huber_slope, options={"delta": POSITIVE}, weights_divide=False)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """d^2 / 2 where d = |input - target| is less than delta, else delta (d - delta / 2).

    Args:
        input, target: one shape, as for mse_loss.
        reduction: "mean", "sum" or "none".
        delta: where the line begins. Default: 1.
        weight: a factor for each element; the mean is over the elements. Default: None.

    Raises:
        ValueError: if delta is not positive.

    Huber 1964, "Robust estimation of a location parameter".
    """
    return HUBER.of(input, target, reduction, weight, (delta,))


def quantile_slope(g, x, t, q):
    e = t - x
    return g * where(e > 0, -q, where(e < 0, 1 - q, e * 0))


cdef PairLoss QUANTILE = PairLoss("quantile_loss", "Quantile", quantile_slope, options={"q": FRACTION})


def quantile_loss(input, target, q=0.5, reduction="mean"):
    """q e where e = target - input is positive, else (q - 1) e: least for the q-quantile of the target.

    Also called pinball loss. The derivative is 0 where both are equal.

    Args:
        input, target: one shape, as for mse_loss.
        q: the quantile, 0 to 1; 0.5 is half the absolute error. Default: 0.5.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if q is outside [0, 1].

    Koenker & Bassett 1978, "Regression quantiles".

    Example:
        >>> F.quantile_loss(pyml.tensor([0.0, 0.0]), pyml.tensor([1.0, -1.0]), 0.75, reduction="none")
        tensor([0.75, 0.25])
    """
    return QUANTILE.of(input, target, reduction, None, (q,))


def hinge_embedding_slope(g, x, t, margin):
    return where(t != -1, g, 0.0) - where(t != 1, where(x <= margin, g, 0.0), 0.0)


cdef PairLoss HINGE_EMBEDDING = PairLoss(
    "hinge_embedding_loss", "HingeEmbedding", hinge_embedding_slope, options={"margin": None}, signs=True
)


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """input where target is 1, max(0, margin - input) where it is -1.

    Args:
        input: any shape, such as a distance between two embeddings.
        target: 1 or -1, the same shape; it gets no gradient.
        margin: the input from which a pair of target -1 has no loss. Default: 1.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".
    """
    return HINGE_EMBEDDING.of(input, target, named_reduction(size_average, reduce, reduction), None, (margin,))


cdef PairLoss SOFT_MARGIN = PairLoss(
    "soft_margin_loss", "SoftMargin", lambda g, x, t: -(t * g) * sigmoid(-t * x), signs=True
)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target input)), without overflow.

    Args:
        input: any shape.
        target: 1 or -1, the same shape; it gets no gradient.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".
    """
    return SOFT_MARGIN.of(input, target, named_reduction(size_average, reduce, reduction))


LEAST_VARIANCE = 1e-12   # as in the kernel


def binary_cross_entropy_slope(g, x, t):
    return g * ((x - t) / clamp((1 - x) * x, LEAST_VARIANCE))


def binary_cross_entropy_slope_t(g, x, t):
    return g * (clamp(log1p(-x), -100.0) - clamp(log(x), -100.0))


cdef PairLoss BINARY_CROSS_ENTROPY = PairLoss(
    "binary_cross_entropy", "BinaryCrossEntropy", binary_cross_entropy_slope, binary_cross_entropy_slope_t,
    same_shape=True, weights_divide=False,
)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-w (t log x + (1 - t) log(1 - x)) for probabilities x; the logarithms are at least -100, as in PyTorch.

    binary_cross_entropy_with_logits is more exact, and takes any numbers.

    Args:
        input: probabilities, 0 to 1, any shape.
        target: t, mostly 0 or 1, the same shape.
        weight: w, a factor for each element, or a shape that is broadcast. The mean is over the elements. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if the shapes differ, or a number of the input is outside [0, 1] or NaN; in a replay of a recorded step
            the loss is NaN then.
    """
    cdef Tensor loss = BINARY_CROSS_ENTROPY.of(input, target, named_reduction(size_average, reduce, reduction), weight)
    cdef ndarray x
    if np.isnan(loss.array).any():
        x = (<Tensor>input).array
        if not ((x >= 0) & (x <= 1)).all():
            raise ArgumentError(
                f"binary_cross_entropy: input has numbers from {x.min()} to {x.max()}, they must be between 0 and 1; take "
                "its sigmoid, or binary_cross_entropy_with_logits")
    return loss


def with_logits_slope(g, x, t):
    return g * (sigmoid(x) - t)


cdef PairLoss WITH_LOGITS = PairLoss(
    "binary_cross_entropy_with_logits", "BinaryCrossEntropyWithLogits", with_logits_slope, lambda g, x, t: -(x * g),
    same_shape=True, weights_divide=False,
)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """-w (p t log s + (1 - t) log(1 - s)) with s = sigmoid(input), without overflow or loss of digits.

    Args:
        input: logits, any shape.
        target: t, mostly 0 or 1, the same shape.
        weight: w, a factor for each element, or a shape that is broadcast. The mean is over the elements. Default: None.
        size_average, reduce: deprecated, see reduction.
        reduction: "mean", "sum" or "none".
        pos_weight: p, a factor of the positive targets, or a shape that is broadcast, such as that of the last dimension.
            Default: None.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> F.binary_cross_entropy_with_logits(pyml.tensor([0.0]), pyml.tensor([1.0])).item()  # log 2
        0.6931471824645996
    """
    reduction = named_reduction(size_average, reduce, reduction)
    if pos_weight is None:
        return WITH_LOGITS.of(input, target, reduction, weight)
    cdef int how = reduction_of(reduction, "binary_cross_entropy_with_logits")
    cdef Tensor x = real_tensor(input, "binary_cross_entropy_with_logits", "input")
    if not isinstance(target, Tensor):
        raise TypeError(f"binary_cross_entropy_with_logits: target must be a Tensor, not {type(target).__name__}")
    if target.shape != x.shape:
        raise ArgumentError(
            f"binary_cross_entropy_with_logits: target has shape {target.shape}, it must be that of the input, {x.shape}; "
            "reshape one of them")
    checked_factor(WITH_LOGITS.name, "pos_weight", pos_weight, x, True)
    if weight is not None:
        checked_factor(WITH_LOGITS.name, "weight", weight, x, True)
    t = target if is_real((<Tensor>target).array) else to(target, x.dtype)
    loss = -(pos_weight * t * logsigmoid(x) + (1 - t) * logsigmoid(-x))
    return reduced(loss if weight is None else loss * weight, how)
