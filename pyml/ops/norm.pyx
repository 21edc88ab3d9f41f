"""BatchNorm: statistics over the batch in training, running statistics in inference."""
import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport as_matrix, contiguous, empty_like, empty_vector, real_tensor, same_dtype
from pyml.tensor cimport Node, Tensor, tracks, will_change, wrap

from pyml.errors import ArgumentError
from pyml.ops.elementwise import rsqrt, where
from pyml.ops.reduce import amax, mean, sum
from pyml.ops.shape import moveaxis

cnp.import_array()


cdef ndarray channels_last(ndarray a):
    """(n, c, ...) as the matrix (n * ..., c)."""
    return contiguous(a) if a.ndim == 2 else as_matrix(moved_axis(a, 1, -1))


cdef ndarray moved_axis(ndarray a, int source, int target):
    axes = list(range(a.ndim))
    axes.insert(target if target >= 0 else a.ndim + target, axes.pop(source))
    return a.transpose(axes)


cdef ndarray channels_first(ndarray matrix, ndarray like):
    """The way back: (n * ..., c) in the shape of `like`, (n, c, ...)."""
    if like.ndim == 2:
        return matrix
    shape = (<object>like).shape
    return contiguous(moved_axis(matrix.reshape((shape[0], *shape[2:], shape[1])), like.ndim - 1, 1))


cdef ndarray array_of(Tensor t):
    return None if t is None else contiguous(t.array)


def rstd_of(centred, dims, eps):
    """1 / sqrt(mean(centred^2) + eps) along dims, which are kept; by operations that can be differentiated again."""
    # squares of more than `large` are of x / s; by 1 nothing changes
    large = 1e15 if centred.dtype == "float32" else 1e150
    s = amax(centred.detach().abs(), dims, keepdim=True)
    s = where((s > large) & (s < np.inf), s, 1.0)
    part = centred / s
    return rsqrt(mean(part * part, dims, True) + eps / s / s) / s


cdef class BatchNorm(Node):
    """Training: kept x, gamma, mean, rstd."""
    cdef double eps

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), gamma = self.saved(1)
        dy, x = moveaxis(dy, 1, -1), moveaxis(x, 1, -1)
        dims = tuple(range(x.array.ndim - 1))
        if x.array.size == 0:
            return moveaxis(dy, -1, 1), sum(dy, dims), sum(dy, dims)
        centred = x - mean(x, dims)
        rstd = rstd_of(centred, dims, self.eps)
        xhat = centred * rstd
        dx = rstd * (dy - mean(dy, dims) - xhat * mean(dy * xhat, dims)) if gamma is None else (
            gamma * rstd * (dy - mean(dy, dims) - xhat * mean(dy * xhat, dims)))
        return moveaxis(dx, -1, 1), sum(dy * xhat, dims), sum(dy, dims)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = channels_last(self.saved(0).array)
        dx, dgamma, dbeta = wanted(self, x)
        _kernels.batchnorm_backward(
            dx, dgamma, dbeta, channels_last(dy.array), x, self.saved(2).array, self.saved(3).array,
            array_of(self.saved(1)),
        )
        return gradients(dx, dgamma, dbeta, dy.array)


cdef class BatchNormInference(Node):
    """Given statistics: kept x, gamma, mean, var."""
    cdef double eps

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), gamma = self.saved(1)
        dy, x = moveaxis(dy, 1, -1), moveaxis(x, 1, -1)
        dims = tuple(range(x.array.ndim - 1))
        rstd = rsqrt(self.saved(3) + self.eps)
        dx = dy * rstd if gamma is None else dy * (gamma * rstd)
        return moveaxis(dx, -1, 1), sum(dy * ((x - self.saved(2)) * rstd), dims), sum(dy, dims)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = channels_last(self.saved(0).array)
        dx, dgamma, dbeta = wanted(self, x)
        _kernels.batchnorm_inference_backward(
            dx, dgamma, dbeta, channels_last(dy.array), x, contiguous(self.saved(2).array),
            contiguous(self.saved(3).array), array_of(self.saved(1)), self.eps,
        )
        return gradients(dx, dgamma, dbeta, dy.array)


cdef tuple wanted(Node node, ndarray x):
    """Arrays for dx, dgamma and dbeta; None for what no input asks for."""
    return (
        None if node.inputs[0] is None else empty_like(x),
        None if node.inputs[1] is None else empty_vector(x.shape[1], x),
        None if node.inputs[2] is None else empty_vector(x.shape[1], x),
    )


cdef tuple gradients(ndarray dx, ndarray dgamma, ndarray dbeta, ndarray like):
    return (
        None if dx is None else wrap(channels_first(dx, like)),
        None if dgamma is None else wrap(dgamma),
        None if dbeta is None else wrap(dbeta),
    )


cdef Tensor per_channel(object t, Tensor x, str name):
    """`t` as a tensor of one number a channel, checked; None stays None."""
    if t is None:
        return None
    cdef Tensor v = real_tensor(t, "batch_norm", name)
    same_dtype(v, x, "batch_norm", name)
    if v.array.ndim != 1 or v.array.shape[0] != x.array.shape[1]:
        raise ArgumentError(
            f"batch_norm: {name} has shape {v.shape}, it must be ({x.shape[1]},): one number for each channel of input {x.shape}"
        )
    return v


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5, *,
               num_batches_tracked=None):
    """Batch normalisation over all dimensions but the second: (x - mean) / sqrt(var + eps) * weight + bias.

    Ioffe & Szegedy 2015 (arXiv:1502.03167). The variance that normalises divides by n, the one that goes into
    running_var by n - 1, as in PyTorch. A batch without values leaves running_mean and running_var as they are.

    Args:
        x: (n, c) or (n, c, length...).
        running_mean, running_var: (c), or None; in training updated in place, running <- (1 - m) running + m batch.
        weight, bias: (c), or None.
        training: normalise by the batch's statistics; otherwise by the running ones.
        momentum: m, 0 to 1; None for the cumulative average, which needs num_batches_tracked. Default: 0.1.
        eps: added to the variance. Default: 1e-5.
        num_batches_tracked: 0-d int64 Tensor, incremented in training; or None.

    Raises:
        ValueError: on shapes that do not go together, or one value per channel in training.
    """
    cdef Tensor xt = real_tensor(x, "batch_norm", "input")
    if xt.array.ndim < 2:
        raise ArgumentError(f"batch_norm: input has shape {xt.shape}, it must be (n, c) or (n, c, length)")
    cdef Tensor rm = per_channel(running_mean, xt, "running_mean")
    cdef Tensor rv = per_channel(running_var, xt, "running_var")
    cdef Tensor gamma = per_channel(weight, xt, "weight")
    cdef Tensor beta = per_channel(bias, xt, "bias")
    cdef Tensor tracked = num_batches_tracked
    cdef ndarray a = channels_last(xt.array)
    cdef ndarray y = empty_like(a)
    cdef ndarray mean, rstd
    cdef Tensor out
    cdef bint is_tracked = tracks(xt) or (gamma is not None and tracks(gamma)) or (beta is not None and tracks(beta))
    if (rm is None) != (rv is None):
        raise ArgumentError("batch_norm: running_mean and running_var must be given together")

    if not training:
        if rm is None:
            raise ArgumentError("batch_norm: running_mean and running_var are needed when training is False")
        _kernels.batchnorm_inference(
            y, a, contiguous(rm.array), contiguous(rv.array), array_of(gamma), array_of(beta), eps)
        out = wrap(channels_first(y, xt.array))
        if is_tracked:
            inference = BatchNormInference.__new__(BatchNormInference)
            (<BatchNormInference>inference).eps = eps
            keep(inference, out, xt, gamma, beta, rm, rv)
        return out

    if a.shape[0] == 1 and a.shape[1] > 0:
        raise ArgumentError(f"batch_norm: expected more than 1 value per channel when training, got input of shape {xt.shape}")
    if momentum is None and tracked is None and rm is not None:
        raise ArgumentError("batch_norm: momentum None (the cumulative average) needs num_batches_tracked")
    cdef double factor = -1.0 if momentum is None else momentum   # negative asks the kernel for the cumulative average
    if rm is None:
        factor = 0.0
    elif momentum is not None and not 0.0 <= factor <= 1.0:
        raise ArgumentError(f"batch_norm: momentum is {momentum}, it must be between 0 and 1, or None")
    for t in (rm, rv, tracked):
        if t is not None:
            will_change(t, False)
            if not cnp.PyArray_ISCARRAY((<Tensor>t).array):
                raise ArgumentError(
                    "batch_norm: running statistics must be contiguous, and aligned in memory; .clone() makes a copy that is")
    if tracked is not None and (tracked.dtype != "int64" or tracked.array.size != 1):
        raise TypeError(f"batch_norm: num_batches_tracked must be one int64, not {tracked.dtype} of shape {tracked.shape}")
    mean = empty_vector(a.shape[1], a)
    rstd = empty_vector(a.shape[1], a)
    _kernels.batchnorm_forward(
        y, mean, rstd, None if rm is None else rm.array, None if rv is None else rv.array,
        None if tracked is None else tracked.array, a, array_of(gamma), array_of(beta),
        eps, factor,
    )
    for t in (rm, rv, tracked):
        if t is not None:
            (<Tensor>t).mark_changed()
    out = wrap(channels_first(y, xt.array))
    if is_tracked:
        node = BatchNorm.__new__(BatchNorm)
        (<BatchNorm>node).eps = eps
        keep(node, out, xt, gamma, beta, wrap(mean), wrap(rstd))
    return out


cdef void keep(Node node, Tensor out, Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor scale) except *:
    node.connect(out, (x, gamma, beta))
    node.keep_for(0b11, x)
    node.keep_for(0b01, gamma)
    node.keep(mean)
    node.keep(scale)
