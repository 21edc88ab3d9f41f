"""Softmax and log-softmax along a dimension."""
import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport as_matrix, contiguous, empty_like, real_tensor
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.errors import ArgumentError
from pyml.ops.elementwise import exp
from pyml.ops.operands import numpy_names
from pyml.ops.reduce import sum
from pyml.ops.shape import to, wrapped_dim

cnp.import_array()

# the numbers of kernels
cdef int LOG_SOFTMAX_BACKWARD = _kernels.kernel("log_softmax_backward")
cdef int LOG_SOFTMAX_FORWARD = _kernels.kernel("log_softmax_forward")
cdef int SOFTMAX_BACKWARD = _kernels.kernel("softmax_backward")
cdef int SOFTMAX_FORWARD = _kernels.kernel("softmax_forward")


cdef class Softmax(Node):
    cdef int axis

    cdef tuple gradients(self, Tensor dy):
        y = self.saved_output(0)
        return (y * (dy - sum(dy * y, self.axis, True)),)

    cdef tuple gradients_fused(self, Tensor dy):
        return (rowwise_backward(SOFTMAX_BACKWARD, dy, self.saved(0), self.axis),)


cdef class LogSoftmax(Node):
    cdef int axis

    cdef tuple gradients(self, Tensor dy):
        return (dy - exp(self.saved_output(0)) * sum(dy, self.axis, True),)

    cdef tuple gradients_fused(self, Tensor dy):
        return (rowwise_backward(LOG_SOFTMAX_BACKWARD, dy, self.saved(0), self.axis),)


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
        raise ArgumentError(f"{name}: dim must be given: the dimension along which the result sums to one")
    return wrapped_dim(dim, x.array.ndim, name)


@numpy_names
def softmax(input, dim, dtype=None):
    """exp(x) / sum(exp(x)) along dimension `dim`.

    Args:
        input: any shape.
        dim: the dimension whose entries sum to one.
        dtype: convert to this first. Default: keep the input's.
    """
    return rowwise(Softmax, SOFTMAX_FORWARD, input if dtype is None else to(input, dtype), dim, "softmax")


@numpy_names
def log_softmax(input, dim, dtype=None):
    """log(softmax(x)) along dimension `dim`, without overflow or loss of digits. Arguments as for softmax."""
    return rowwise(LogSoftmax, LOG_SOFTMAX_FORWARD, input if dtype is None else to(input, dtype), dim, "log_softmax")


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
