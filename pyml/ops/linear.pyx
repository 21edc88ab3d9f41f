"""y = alpha x w^T + b: the layer, fused with its bias."""
cimport numpy as cnp
from libc.math cimport INFINITY
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport as_matrix, contiguous, empty_like, empty_matrix, empty_vector, real_tensor, same_dtype
from pyml.ops.matmul cimport multiplied
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.errors import ArgumentError
from pyml.ops.reduce import sum
from pyml.ops.shape import reshape, t
from pyml.options import Range, check_number

cnp.import_array()

NUMBERS = Range(-INFINITY, INFINITY, "()")


cdef class Linear(Node):
    cdef bint has_bias, bfloat16
    cdef double alpha

    def _operation(self):
        return "Linear" if self.has_bias else "LinearWithoutBias"

    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), w = self.saved(1)
        rows = dy.array.size // w.array.shape[0] if w.array.shape[0] else x.array.size // max(w.array.shape[1], 1)
        dy2 = reshape(dy, (rows, w.array.shape[0]))
        scaled = dy2 if self.alpha == 1 else dy2 * self.alpha
        x2 = reshape(x, (rows, w.array.shape[1]))
        return (
            None if self.inputs[0] is None else reshape(multiplied(scaled, w, self.bfloat16), x.shape),
            None if self.inputs[1] is None else multiplied(t(scaled), x2, self.bfloat16),
            None if self.inputs[2] is None else sum(dy2, 0),
        )

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), w = laid(self.saved(1).array)
        cdef ndarray dx = None, dw = None, db = None
        if self.inputs[0] is not None:
            dx = empty_like(x)
        if self.inputs[1] is not None:
            dw = empty_like(w)
        if self.inputs[2] is not None:
            db = empty_vector(w.shape[0], w)
        _kernels.linear_backward(dx, dw, db, as_matrix(dy.array), as_matrix(x), w, self.alpha, self.bfloat16)
        return (
            None if dx is None else wrap(dx),
            None if dw is None else wrap(dw),
            None if db is None else wrap(db),
        )


cdef inline ndarray laid(ndarray w):
    """A weight as the kernels read it: by rows or by columns."""
    return w if cnp.PyArray_ISFARRAY_RO(w) else contiguous(w)


cdef Tensor layer(input, weight, bias, double alpha, str who):
    cdef Tensor xt = real_tensor(input, who, "input")
    cdef Tensor w = real_tensor(weight, who, "weight")
    cdef Tensor b = None
    same_dtype(w, xt, who, "weight")
    if w.array.ndim != 2:
        raise ArgumentError(f"{who}: weight has shape {w.shape}, it must be (out_features, in_features)")
    if xt.array.ndim == 0 or xt.array.shape[xt.array.ndim - 1] != w.array.shape[1]:
        raise ArgumentError(
            f"{who}: input has {xt.shape[-1] if xt.array.ndim else 'no'} features (shape {xt.shape}), "
            f"in_features is {w.shape[1]} (weight {w.shape})"
        )
    if bias is not None:
        b = real_tensor(bias, who, "bias")
        same_dtype(b, xt, who, "bias")
        if b.array.ndim != 1 or b.array.shape[0] != w.array.shape[0]:
            raise ArgumentError(f"{who}: bias has shape {b.shape}, it must be ({w.shape[0]},) as weight is {w.shape}")

    cdef ndarray rows = as_matrix(xt.array)
    cdef ndarray y = empty_matrix(rows.shape[0], w.array.shape[0], rows)
    cdef bint bfloat16 = _kernels.rounds(rows)
    _kernels.linear_forward(y, rows, laid(w.array), None if b is None else contiguous(b.array), alpha, bfloat16)
    if xt.array.ndim != 2:
        y = y.reshape(xt.shape[:-1] + (w.array.shape[0],))
    cdef Tensor out = wrap(y)
    cdef Linear node
    if tracks(xt) or tracks(w) or (b is not None and tracks(b)):
        node = Linear.__new__(Linear)
        node.has_bias, node.bfloat16 = b is not None, bfloat16
        node.alpha = alpha
        node.connect(out, (xt, w, b))
        node.keep_for(0b10, xt)
        node.keep_for(0b01, w)
    return out


cpdef Tensor linear(input, weight, bias=None):
    """y = input weight^T + bias, for every row of the input.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features).
        bias: (out_features), or None.

    Returns:
        (..., out_features).

    Raises:
        ValueError: if the shapes do not go together.
        TypeError: if the dtypes are not one floating point dtype.
    """
    return layer(input, weight, bias, 1, "linear")


def scaled_linear(input, weight, bias=None, alpha=1):
    """y = alpha input weight^T + bias, for every row of the input; the product is scaled, not the input.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features).
        bias: (out_features), or None.
        alpha: a number. Default: 1.

    Returns:
        (..., out_features).

    Raises:
        ValueError: if the shapes do not go together.
        TypeError: if the dtypes are not one floating point dtype, or alpha is no number.

    Example:
        >>> ops.scaled_linear(pyml.ones(1, 4), pyml.ones(2, 4), alpha=0.5)
        tensor([[2., 2.]])
    """
    check_number("scaled_linear", "alpha", alpha, NUMBERS)
    return layer(input, weight, bias, alpha, "scaled_linear")
