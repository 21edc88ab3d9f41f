"""Softmax, cross entropy, mean squared error."""
import warnings

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t
from numpy cimport ndarray

from pyml cimport _kernels
from pyml._kernels cimport (
    KERNEL_log_softmax_backward, KERNEL_log_softmax_forward, KERNEL_softmax_backward, KERNEL_softmax_forward,
)
from pyml.ops.arrays cimport (
    as_matrix, as_type, checked_index, contiguous, empty_like, empty_scalar, empty_vector, full, is_real, real_tensor,
    same_dtype,
)
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.ops.elementwise import broadcast_shapes, exp, mul
from pyml.ops.reduce import sum
from pyml.ops.shape import expand, moveaxis, reshape, to, wrapped_dim

cnp.import_array()

cdef object INT64 = np.dtype(np.int64)


# ---- softmax --------------------------------------------------------------------------------------------------


cdef class Softmax(Node):
    cdef int axis

    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (y * (dy - sum(dy * y, self.axis, True)),)

    cdef tuple gradients_fused(self, Tensor dy):
        return (rowwise_backward(KERNEL_softmax_backward, dy, self.saved(0), self.axis),)


cdef class LogSoftmax(Node):
    cdef int axis

    cdef tuple gradients(self, Tensor dy):
        return (dy - exp(self.saved_output(0)) * sum(dy, self.axis, True),)

    cdef tuple gradients_fused(self, Tensor dy):
        return (rowwise_backward(KERNEL_log_softmax_backward, dy, self.saved(0), self.axis),)


cdef ndarray to_rows(ndarray a, int axis):
    """`a` as a matrix whose rows run along `axis`."""
    return as_matrix(a if axis >= a.ndim - 1 else np.moveaxis(a, axis, -1))


cdef ndarray from_rows(ndarray rows, ndarray like, int axis):
    """The way back to the shape of `like`."""
    if axis >= like.ndim - 1:
        return rows.reshape((<object>like).shape)
    moved = list((<object>like).shape)
    moved.append(moved.pop(axis))
    return contiguous(np.moveaxis(rows.reshape(moved), -1, axis))


cdef Tensor rowwise_backward(int kernel, Tensor dy, Tensor y, int axis):
    cdef ndarray rows = to_rows(y.array, axis)
    cdef ndarray dx = empty_like(rows)
    _kernels.softmax_backward(kernel, dx, to_rows(dy.array, axis), rows)
    return wrap(from_rows(dx, y.array, axis))


cdef int axis_of(Tensor x, dim, str name) except -1:
    if dim is None:
        raise ValueError(f"{name}: dim must be given: the dimension along which the result sums to one")
    return wrapped_dim(dim, x.array.ndim, name)


def softmax(x, dim, dtype=None):
    """exp(x) / sum(exp(x)) along dimension `dim`.

    Args:
        x: any shape.
        dim: the dimension whose entries sum to one.
        dtype: convert to this first. Default: keep x's.
    """
    return rowwise(Softmax, KERNEL_softmax_forward, x if dtype is None else to(x, dtype), dim, "softmax")


def log_softmax(x, dim, dtype=None):
    """log(softmax(x)) along dimension `dim`, without overflow or loss of digits. Arguments as for softmax."""
    return rowwise(LogSoftmax, KERNEL_log_softmax_forward, x if dtype is None else to(x, dtype), dim, "log_softmax")


cdef Tensor rowwise(type op, int kernel, x, dim, str name):
    cdef Tensor xt = real_tensor(x, name, "input")
    cdef int axis = axis_of(xt, dim, name)
    cdef ndarray rows = to_rows(xt.array, axis)
    cdef ndarray y = empty_like(rows)
    _kernels.softmax_forward(kernel, y, rows)
    cdef Tensor out = wrap(from_rows(y, xt.array, axis))
    cdef Node node
    if tracks(xt):
        node = op.__new__(op)
        if op is Softmax:
            (<Softmax>node).axis = axis
        else:
            (<LogSoftmax>node).axis = axis
        node.connect(out, (xt,))
        node.keep(out)
    return out


# ---- reductions of a loss --------------------------------------------------------------------------------------

cdef enum:
    NONE = 0
    MEAN = 1
    SUM = 2


cdef int reduction_of(reduction, str name) except -1:
    if reduction == "mean":
        return MEAN
    if reduction == "sum":
        return SUM
    if reduction == "none":
        return NONE
    raise ValueError(f"{name}: reduction is {reduction!r}, it must be 'none', 'mean' or 'sum'")


# ---- cross entropy ---------------------------------------------------------------------------------------------


cdef class CrossEntropy(Node):
    """Kept: logits, weight, softmax, total weight, target; and the target's array, of indices or of probabilities."""
    cdef ndarray index, prob
    cdef int64_t ignore_index
    cdef double label_smoothing
    cdef int reduction

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0)
        q = self.weighted_target(x)
        if self.reduction == MEAN:
            dy = dy / self.saved(3)
        elif self.reduction == NONE:
            dy = reshape(dy, (-1, 1))
        return ((softmax(x, 1) * sum(q, 1, True) - q) * dy,)

    cdef Tensor weighted_target(self, Tensor x):
        """q with loss[i] = -sum_j q[i,j] log_softmax(x[i])[j]: the kernel's gradient, but for its sign, where the softmax
        is taken as 0."""
        cdef Tensor weight = self.saved(1)
        cdef ndarray q = full(x.shape, x.array, 0)
        self.saved(4)
        _kernels.cross_entropy_backward(
            q, full((x.array.shape[0],), x.array, -1), full(x.shape, x.array, 0), self.saved(3).array, self.index, self.prob,
            None if weight is None else contiguous(weight.array), self.ignore_index, self.label_smoothing, NONE,
        )
        return wrap(q)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray softmax = self.saved(2).array
        cdef Tensor weight = self.saved(1)
        cdef ndarray dx = empty_like(softmax)
        self.saved(4)
        _kernels.cross_entropy_backward(
            dx, contiguous(dy.array), softmax, self.saved(3).array, self.index, self.prob,
            None if weight is None else contiguous(weight.array), self.ignore_index, self.label_smoothing, self.reduction,
        )
        return (wrap(dx),)


cdef class ClassFault:
    """The exception for a target that is no class."""
    cdef Py_ssize_t classes
    cdef int64_t ignore_index

    def __call__(self, position, target):
        allowed = f"0 to {self.classes - 1} or" if self.classes else "(the input has no classes)"
        return IndexError(
            f"cross_entropy: target {target} at position {position} is out of bounds: a class index must be {allowed} "
            f"ignore_index ({self.ignore_index})"
        )


cdef ndarray checked_classes(ndarray index, Py_ssize_t classes, int64_t ignore_index):
    """The target as a vector of int64."""
    cdef ClassFault error = ClassFault.__new__(ClassFault)
    error.classes, error.ignore_index = classes, ignore_index
    index = contiguous(as_type(index, INT64))
    if index.ndim != 1:
        index = index.reshape(-1)
    return checked_index(index, classes, ignore_index, False, error)


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Softmax and cross entropy: -sum_j q_j log_softmax(x)_j for each sample, with q the target distribution.

    Args:
        x: logits, (n, c), (c) or (n, c, d...).
        target: class indices, an integer Tensor of x's shape without the class dimension; or probabilities, a
            floating point Tensor of x's shape.
        weight: (c), a factor for each class. Default: None.
        ignore_index: an index that adds nothing to the loss. Default: -100.
        reduction: "mean" (over the weights of the targets; over n for probabilities), "sum" or "none".
        label_smoothing: e in q <- (1 - e) q + e / c, 0 to 1 (Szegedy et al. 2015, arXiv:1512.00567). Default: 0.

    Raises:
        ValueError: on shapes that do not go together, or options out of range.
        IndexError: on a class index outside [0, c).
        TypeError: on dtypes.
    """
    cdef Tensor xt = real_tensor(x, "cross_entropy", "input")
    cdef int how = reduction_of(reduction, "cross_entropy")
    cdef Tensor w = None, tt, logits, out
    cdef ndarray index = None, prob = None, rows, loss, softmax_rows = None, total
    cdef CrossEntropy node
    if not isinstance(target, Tensor):
        raise TypeError(f"cross_entropy: target must be a Tensor, not {type(target).__name__}")
    tt = target
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}, it must be between 0 and 1")
    if xt.array.ndim == 0:
        raise ValueError("cross_entropy: input is a single number, it must be (n, c), (c) or (n, c, d...)")
    cdef int axis = 0 if xt.array.ndim == 1 else 1
    shape = xt.shape
    sample_shape = shape[:axis] + shape[axis + 1:]
    c = shape[axis]
    if weight is not None:
        w = real_tensor(weight, "cross_entropy", "weight")
        same_dtype(w, xt, "cross_entropy", "weight")
        if w.shape != (c,):
            raise ValueError(f"cross_entropy: weight has shape {w.shape}, it must be ({c},): one factor for each class")

    if is_real(tt.array):
        if tt.shape != shape:
            raise ValueError(
                f"cross_entropy: target of probabilities has shape {tt.shape}, it must be that of the input, {shape}")
        same_dtype(tt, xt, "cross_entropy", "target")
        if tracks(tt) or (w is not None and tracks(w)):
            return composite_cross_entropy(xt, tt, w, axis, reduction, label_smoothing)
        prob = to_rows(tt.array, axis)
    elif cnp.PyArray_ISINTEGER(tt.array):
        if tt.shape != sample_shape:
            raise ValueError(
                f"cross_entropy: target of class indices has shape {tt.shape}, input {shape} needs {sample_shape}")
        index = checked_classes(tt.array, c, ignore_index)
    else:
        raise TypeError(f"cross_entropy: target has dtype {tt.dtype}, it must be int64 (indices) or {xt.dtype} (probabilities)")

    logits = xt if xt.array.ndim == 2 else reshape(moveaxis(xt, axis, -1), (tt.array.size if prob is None else prob.shape[0], c))
    rows = contiguous(logits.array)
    loss = empty_vector(rows.shape[0], rows) if how == NONE else empty_scalar(rows)
    total = empty_scalar(rows)
    if tracks(logits):
        softmax_rows = empty_like(rows)
    _kernels.cross_entropy_forward(
        loss, softmax_rows, total, rows, index, prob, None if w is None else contiguous(w.array), ignore_index, label_smoothing, how)
    out = wrap(loss)
    if tracks(logits):
        node = CrossEntropy.__new__(CrossEntropy)
        node.index, node.prob = index, prob
        node.ignore_index, node.label_smoothing, node.reduction = ignore_index, label_smoothing, how
        node.connect(out, (logits,))
        node.keep(logits)
        node.keep(w)
        node.keep(wrap(softmax_rows))
        node.keep(wrap(total))
        node.keep(tt)
    return reshape(out, sample_shape) if how == NONE and out.shape != sample_shape else out


cdef Tensor composite_cross_entropy(Tensor x, Tensor target, Tensor weight, int axis, reduction, double label_smoothing):
    """The same by differentiable operations, for probabilities or weights that need a gradient."""
    x, target = moveaxis(x, axis, -1), moveaxis(target, axis, -1)
    q = target * (1 - label_smoothing) + label_smoothing / max(x.array.shape[x.array.ndim - 1], 1)
    if weight is not None:
        q = q * weight
    loss = -sum(q * log_softmax(x, -1), -1)
    if reduction == "none":
        return loss
    return sum(loss) / loss.numel() if reduction == "mean" else sum(loss)


# ---- mean squared error ----------------------------------------------------------------------------------------


cdef class MSE(Node):
    cdef int reduction

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), t = self.saved(1)
        factor = 2.0 / x.array.size if self.reduction == MEAN and x.array.size else 2.0
        dx = (x - t) * (dy * factor)
        return dx, -dx

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), t = contiguous(self.saved(1).array)
        cdef ndarray dx = None if self.inputs[0] is None else empty_like(x)
        cdef ndarray dt = None if self.inputs[1] is None else empty_like(x)
        _kernels.mse_backward(dx, dt, contiguous(dy.array), x, t, self.reduction)
        return None if dx is None else wrap(dx), None if dt is None else wrap(dt)


def mse_loss(x, target, reduction="mean", weight=None):
    """Squared error, (x - target)^2.

    Args:
        x: any shape.
        target: the same shape. Another one is broadcast with a warning, as it is mostly a mistake.
        reduction: "mean", "sum" or "none".
        weight: a factor for each element; the mean is then over the sum of the weights. Default: None.
    """
    cdef Tensor xt = real_tensor(x, "mse_loss", "input")
    cdef int how = reduction_of(reduction, "mse_loss")
    cdef Tensor tt, out
    cdef MSE node
    if not isinstance(target, Tensor):
        raise TypeError(f"mse_loss: target must be a Tensor, not {type(target).__name__}")
    tt = target
    if cnp.PyArray_TYPE(tt.array) != cnp.PyArray_TYPE(xt.array):
        dtype = np.result_type(xt.dtype, tt.dtype) if is_real(tt.array) else xt.dtype
        xt, tt = to(xt, dtype), to(tt, dtype)
    if not cnp.PyArray_SAMESHAPE(xt.array, tt.array):
        warnings.warn(
            f"mse_loss: target has shape {tt.shape}, input {xt.shape}: they are broadcast, which is likely a mistake; "
            "make the shapes the same", stacklevel=2)
        shape = broadcast_shapes(xt.shape, tt.shape, name="mse_loss")
        xt, tt = expand(xt, shape), expand(tt, shape)
    if weight is not None:
        loss = mul(weight, mse_loss(xt, tt, "none"))
        if how == MEAN:
            return sum(loss) / sum(weight)
        return loss if how == NONE else sum(loss)
    cdef ndarray a = contiguous(xt.array), b = contiguous(tt.array)
    cdef ndarray loss_array = empty_like(a) if how == NONE else empty_scalar(a)
    _kernels.mse_forward(loss_array, a, b, how)
    out = wrap(loss_array)
    if tracks(xt) or tracks(tt):
        node = MSE.__new__(MSE)
        node.reduction = how
        node.connect(out, (xt, tt))
        node.keep(xt)
        node.keep(tt)
    return out
