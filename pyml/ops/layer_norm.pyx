"""LayerNorm, RMSNorm, GroupNorm and InstanceNorm: statistics of each example alone.

All are one operation of rows: what one mean and one variance belong to is a row, see csrc/contracts/norm.h.
"""
import math

import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport contiguous, empty_like, empty_shape, empty_vector, full, real_tensor, same_dtype
from pyml.tensor cimport Node, Tensor, shape_of, tracks, wrap

from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.ops.norm import batch_norm, rstd_of
from pyml.ops.reduce import mean, sum
from pyml.ops.shape import as_sizes, integer, reshape
from pyml.ops.statistics import var_mean

cnp.import_array()

# the numbers of kernels
cdef int LAYER_NORM_BACKWARD = _kernels.kernel("layer_norm_backward")
cdef int LAYER_NORM_FORWARD = _kernels.kernel("layer_norm_forward")
cdef int RMS_NORM_BACKWARD = _kernels.kernel("rms_norm_backward")
cdef int RMS_NORM_FORWARD = _kernels.kernel("rms_norm_forward")


cdef class RowNorm(Node):
    """Kept: x, gamma, mean (None for RMSNorm), rstd."""
    cdef Py_ssize_t n, c, groups, each
    cdef tuple parameter_shape
    cdef double eps
    cdef bint is_centred

    def _operation(self):
        return "RMSNorm" if not self.is_centred else "GroupNorm" if self.groups > 1 else "LayerNorm"

    cdef tuple of_no_elements(self, Tensor x):
        """The gradients where a row has none: nothing, and zeros."""
        return (
            x.detach(),
            None if self.inputs[1] is None else wrap(full(self.parameter_shape, x.array, 0)),
            None if self.inputs[2] is None else wrap(full(self.parameter_shape, x.array, 0)),
        )

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), gamma = self.saved(1)
        if self.c == 0:
            return self.of_no_elements(x)
        parts = (self.n // self.groups, self.groups, self.c // self.each, self.each)   # a row: the last two
        shape, row = x.shape, (2, 3)
        dy, x = reshape(dy, parts), reshape(x, parts)
        centred = x - mean(x, row, True) if self.is_centred else x
        rstd = rstd_of(centred, row, self.eps)
        xhat = centred * rstd
        g = dy if gamma is None else dy * reshape(gamma, (*parts[1:3], 1))
        dx = g - xhat * mean(g * xhat, row, True)
        if self.is_centred:
            dx = dx - mean(g, row, True)
        return (
            reshape(rstd * dx, shape),
            None if self.inputs[1] is None else reshape(sum(dy * xhat, (0, 3)), self.parameter_shape),
            None if self.inputs[2] is None else reshape(sum(dy, (0, 3)), self.parameter_shape),
        )

    cdef tuple gradients_fused(self, Tensor dy):
        if self.c == 0:
            return self.of_no_elements(self.saved(0))
        cdef ndarray x = contiguous(self.saved(0).array)
        cdef Tensor mean = self.saved(2)
        cdef ndarray dx = None if self.inputs[0] is None else empty_like(x)
        cdef ndarray dgamma = None if self.inputs[1] is None else empty_shape(self.parameter_shape, x)
        cdef ndarray dbeta = None if self.inputs[2] is None else empty_shape(self.parameter_shape, x)
        _kernels.row_norm_backward(
            LAYER_NORM_BACKWARD if self.is_centred else RMS_NORM_BACKWARD, dx, dgamma, dbeta, contiguous(dy.array), x,
            None if mean is None else mean.array, self.saved(3).array, array_of(self.saved(1)),
            self.n, self.c, self.groups, self.each,
        )
        return (
            None if dx is None else wrap(dx),
            None if dgamma is None else wrap(dgamma),
            None if dbeta is None else wrap(dbeta),
        )


cdef ndarray array_of(Tensor t):
    return None if t is None else contiguous(t.array)


cdef Tensor row_norm(
    Tensor x, Tensor gamma, Tensor beta, tuple parameter_shape, Py_ssize_t n, Py_ssize_t c, Py_ssize_t groups,
    Py_ssize_t each, double eps, bint is_centred
):
    """x, which is n rows of c elements, normalised; gamma and beta are of parameter_shape, or None."""
    cdef ndarray a = contiguous(x.array), y = empty_like(a), mean = None, rstd = None
    cdef bint is_tracked = tracks(x) or (gamma is not None and tracks(gamma)) or (beta is not None and tracks(beta))
    cdef RowNorm node
    if gamma is None and beta is None:
        groups = each = 1
    if is_tracked:
        rstd = empty_vector(n, a)
        if is_centred:
            mean = empty_vector(n, a)
    _kernels.row_norm_forward(
        LAYER_NORM_FORWARD if is_centred else RMS_NORM_FORWARD, y, mean, rstd, a, array_of(gamma), array_of(beta),
        n, c, groups, each, eps,
    )
    cdef Tensor out = wrap(y)
    if is_tracked:
        node = RowNorm.__new__(RowNorm)
        node.n, node.c, node.groups, node.each = n, c, groups, each
        node.parameter_shape, node.eps, node.is_centred = parameter_shape, eps, is_centred
        node.connect(out, (x, gamma, beta))
        node.keep_for(0b11, x)
        node.keep_for(0b01, gamma)
        node.keep(None if mean is None else wrap(mean))
        node.keep(wrap(rstd))
    return out


cdef Tensor parameter(object t, Tensor x, tuple shape, str name, str argument):
    """A weight or bias, if it is of this shape and of x's dtype; None stays None."""
    if t is None:
        return None
    cdef Tensor v = real_tensor(t, name, argument)
    if shape_of(v) != shape:
        raise ArgumentError(f"{name}: {argument} has shape {v.shape}, it must be {shape}")
    same_dtype(v, x, name, argument)
    return v


cdef double checked_eps(object eps, str name) except? -1:
    """`eps`, if it may be added to a variance."""
    if not isinstance(eps, (int, float, np.number)) or isinstance(eps, bool):
        raise TypeError(f"{name}: eps must be a number, not {type(eps).__name__}")
    if not eps >= 0:
        raise ArgumentError(f"{name}: eps is {eps}, it must not be negative")
    return eps


cdef tuple trailing(Tensor x, object normalized_shape, str name):
    """`normalized_shape` as a tuple, if the last dimensions of x are of these sizes."""
    cdef tuple shape = as_sizes(normalized_shape, name)
    if not shape:
        raise ArgumentError(f"{name}: normalized_shape is empty, it needs at least one size")
    if shape_of(x)[-len(shape):] != shape:
        raise ArgumentError(
            f"{name}: input has shape {x.shape}, its last dimensions must be normalized_shape, {shape}"
        )
    return shape


cdef Py_ssize_t examples(Tensor x, tuple shape):
    """How many there are of the trailing shape."""
    return math.prod(shape_of(x)[: x.array.ndim - len(shape)])


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions of each example.

    The variance divides by the number of elements.

    Ba, Kiros & Hinton 2016 (arXiv:1607.06450).

    Args:
        input: (..., *normalized_shape), float32 or float64.
        normalized_shape: the sizes of the last dimensions, or one size.
        weight, bias: of normalized_shape, or None.
        eps: added to the variance. Default: 1e-5.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, or a negative eps.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.layer_norm(pyml.tensor([[1.0, 3.0], [5.0, 5.0]]), (2,), eps=0.0)[0]
        tensor([-1.,  1.])
    """
    cdef Tensor x = real_tensor(input, "layer_norm")
    cdef tuple shape = trailing(x, normalized_shape, "layer_norm")
    return row_norm(
        x, parameter(weight, x, shape, "layer_norm", "weight"), parameter(bias, x, shape, "layer_norm", "bias"), shape,
        examples(x, shape), math.prod(shape), 1, 1, checked_eps(eps, "layer_norm"), True,
    )


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions of each example.

    Zhang & Sennrich 2019 (arXiv:1910.07467), eq. 4.

    Args:
        input: (..., *normalized_shape), float32 or float64.
        normalized_shape: the sizes of the last dimensions, or one size.
        weight: of normalized_shape, or None.
        eps: added to the mean square. Default: that of the dtype, 2^-23 in float32.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, or a negative eps.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.rms_norm(pyml.tensor([3.0, -3.0]), (2,))
        tensor([ 1., -1.])
    """
    cdef Tensor x = real_tensor(input, "rms_norm")
    cdef tuple shape = trailing(x, normalized_shape, "rms_norm")
    return row_norm(
        x, parameter(weight, x, shape, "rms_norm", "weight"), None, shape, examples(x, shape), math.prod(shape),
        1, 1, np.finfo(x.array.dtype).eps if eps is None else checked_eps(eps, "rms_norm"), False,
    )


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over groups of channels of each example.

    Wu & He 2018 (arXiv:1803.08494).

    Args:
        input: (n, c, ...), float32 or float64.
        num_groups: how many groups the c channels make; it divides c.
        weight, bias: (c), or None.
        eps: added to the variance. Default: 1e-5.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, a negative eps, or one value in all.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.group_norm(pyml.tensor([[1.0, 3.0, 20.0, 40.0]]), 2)
        tensor([[-1.,  1., -1.,  1.]])
    """
    cdef Tensor x = real_tensor(input, "group_norm")
    if x.array.ndim < 2:
        raise ArgumentError(f"group_norm: input has shape {x.shape}, it must be (n, c, ...)")
    cdef Py_ssize_t groups = integer(num_groups, "group_norm: num_groups")
    cdef Py_ssize_t n = x.array.shape[0], c = x.array.shape[1], each = math.prod(shape_of(x)[2:])
    if groups < 1 or c % groups:
        raise ArgumentError(
            f"group_norm: num_groups is {groups}, it must be positive and divide the {c} channels"
        )
    weight = parameter(weight, x, (c,), "group_norm", "weight")
    bias = parameter(bias, x, (c,), "group_norm", "bias")
    eps = checked_eps(eps, "group_norm")
    if n == 1 and c * each == groups:
        raise ArgumentError(
            f"group_norm: input of shape {x.shape} has one value in each of {groups} groups; it needs more than 1"
        )
    return row_norm(x, weight, bias, (c,), n * groups, c // groups * each, groups, max(each, 1), eps, True)


def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each example.

    Ulyanov, Vedaldi & Lempitsky 2016 (arXiv:1607.08022).

    Args:
        input: (n, c, length, ...), float32 or float64.
        running_mean, running_var: (c), or None; with use_input_stats updated in place,
            running <- (1 - momentum) running + momentum s, where s is the mean over the examples
            of their means, and of their variances, which divide by length - 1.
        weight, bias: (c), or None.
        use_input_stats: normalise by the statistics of the input; else by the running ones.
            Default: True.
        momentum: the weight of the input in the running statistics, 0 to 1. Default: 0.1.
        eps: added to the variance. Default: 1e-5.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, or one value per channel.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.instance_norm(pyml.tensor([[[1.0, 3.0], [20.0, 40.0]]]))
        tensor([[[-1.,  1.],
                 [-1.,  1.]]])
    """
    cdef Tensor x = real_tensor(input, "instance_norm")
    if x.array.ndim < 3:
        raise ArgumentError(f"instance_norm: input has shape {x.shape}, it must be (n, c, length, ...)")
    cdef Py_ssize_t n = x.array.shape[0], c = x.array.shape[1], each = math.prod(shape_of(x)[2:])
    running = [
        parameter(t, x, (c,), "instance_norm", name)
        for name, t in (("running_mean", running_mean), ("running_var", running_var))
    ]
    weight = parameter(weight, x, (c,), "instance_norm", "weight")
    bias = parameter(bias, x, (c,), "instance_norm", "bias")
    eps = checked_eps(eps, "instance_norm")
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("instance_norm: running_mean and running_var must be given together")
    if not use_input_stats:
        if running_mean is None:
            raise ArgumentError(
                "instance_norm: running_mean and running_var are needed when use_input_stats is False"
            )
        return batch_norm(x, running_mean, running_var, weight, bias, False, eps=eps)
    if each == 1:
        raise ArgumentError(
            f"instance_norm: expected more than 1 spatial element when training, got input of shape {x.shape}"
        )
    if running_mean is not None:
        if not 0.0 <= momentum <= 1.0:
            raise ArgumentError(f"instance_norm: momentum is {momentum}, it must be between 0 and 1")
        for t in running:
            t._will_change(False)
        with no_grad():
            var, means = var_mean(reshape(x, (n, c, each)), 2)
            for t, s in zip(running, (means, var), strict=True):
                if n:
                    t.lerp_(mean(s, 0), momentum)
    return row_norm(x, weight, bias, (c,), n * c, each, c, max(each, 1), eps, True)
