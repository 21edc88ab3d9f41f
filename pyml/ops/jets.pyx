"""Jets: a value and its derivatives by inputs, one channel each, through linear layers and activations.

A jet is (channels, ...): the value; its first derivatives; its second ones, each by the variables of two of the first.
To differentiate so, forward, costs one pass; that pass is differentiated by backward as any other.
"""
from inspect import unwrap

import numpy as np

cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.ops.arrays cimport as_matrix, contiguous, empty_like, empty_shape, empty_vector, real_tensor, same_dtype
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.errors import ArgumentError
from pyml.backward import run_backward
from pyml.grad_mode import enable_grad
from pyml.ops.activation import gelu, sigmoid, silu, softplus, tanh
from pyml.ops.creation import ones_like, zeros_like
from pyml.ops.elementwise import sin
from pyml.ops.matmul import matmul
from pyml.ops.reduce import sum
from pyml.ops.shape import reshape, stack, t
from pyml.recorder import constant

cdef extern from "contracts/jet.h" nogil:
    enum: JET_BLOCK_BYTES, JET_LAYERS, JET_PARAMETERS, JET_ROWS

cnp.import_array()


# ---- linear ------------------------------------------------------------------------------------------------------


cdef class JetLinear(Node):
    cdef tuple gradients(self, Tensor dy):
        cdef Tensor x = self.saved(0), w = self.saved(1)
        rows = x.array.shape[0] * x.array.shape[1]
        dy2, x2 = reshape(dy, (rows, w.array.shape[0])), reshape(x, (rows, w.array.shape[1]))
        return (
            None if self.inputs[0] is None else reshape(matmul(dy2, w), x.shape),
            None if self.inputs[1] is None else matmul(t(dy2), x2),
            None if self.inputs[2] is None else sum(dy[0], 0),
        )

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), w = contiguous(self.saved(1).array)
        cdef ndarray dx = None, dw = None, db = None, a = contiguous(dy.array)
        if self.inputs[0] is not None:
            dx = empty_like(x)
        if self.inputs[1] is not None:
            dw = empty_like(w)
        if dx is not None or dw is not None:
            _kernels.linear_backward(dx, dw, None, as_matrix(a), as_matrix(x), w)
        if self.inputs[2] is not None:
            db = empty_vector(w.shape[0], w)
            _kernels.linear_backward(None, None, db, a[0], x[0], w)
        return (
            None if dx is None else wrap(dx),
            None if dw is None else wrap(dw),
            None if db is None else wrap(db),
        )


def jet_linear(x, weight, bias=None):
    """A linear layer of a jet: x weight^T, and + bias for the value alone.

    Args:
        x: (channels, n, in_features).
        weight: (out_features, in_features).
        bias: (out_features), or None.

    Returns:
        (channels, n, out_features).

    Raises:
        ValueError: if the shapes do not go together.
        TypeError: if the dtypes are not one floating point dtype.
    """
    cdef Tensor xt = real_tensor(x, "jet_linear", "x"), w = real_tensor(weight, "jet_linear", "weight")
    cdef Tensor b = None if bias is None else real_tensor(bias, "jet_linear", "bias")
    same_dtype(w, xt, "jet_linear", "weight")
    if w.array.ndim != 2 or xt.array.ndim != 3 or xt.array.shape[0] == 0 or xt.array.shape[2] != w.array.shape[1]:
        raise ArgumentError(
            f"jet_linear: x has shape {xt.shape}, weight {w.shape}; they must be (channels, n, in_features) and "
            "(out_features, in_features), with a channel at least")
    if b is not None:
        same_dtype(b, xt, "jet_linear", "bias")
        if b.array.ndim != 1 or b.array.shape[0] != w.array.shape[0]:
            raise ArgumentError(f"jet_linear: bias has shape {b.shape}, it must be ({w.shape[0]},) as weight is {w.shape}")
    cdef ndarray rows = contiguous(xt.array), matrix = contiguous(w.array)
    cdef ndarray y = empty_shape((*xt.shape[:2], w.shape[0]), rows)
    _kernels.linear_forward(y[0], rows[0], matrix, None if b is None else contiguous(b.array))
    _kernels.linear_forward(as_matrix(y[1:]), as_matrix(rows[1:]), matrix, None)
    cdef Tensor out = wrap(y)
    if tracks(xt) or tracks(w) or (b is not None and tracks(b)):
        node = JetLinear.__new__(JetLinear)
        (<JetLinear>node).connect(out, (xt, w, b))
        (<JetLinear>node).keep_for(0b10, xt)
        (<JetLinear>node).keep_for(0b01, w)
    return out


# ---- activations -------------------------------------------------------------------------------------------------

FUNCTIONS = {tanh: "tanh", sigmoid: "sigmoid", sin: "sin", softplus: "softplus", silu: "silu", gelu: "gelu"}

KERNELS = {   # forward, backward
    function: (_kernels.kernel(f"jet_{name}_forward"), _kernels.kernel(f"jet_{name}_backward"))
    for function, name in FUNCTIONS.items()
}


cdef class Jet(Node):
    cdef object function
    cdef tuple numbers, pairs
    cdef Py_ssize_t firsts

    cdef tuple gradients(self, Tensor dy):
        x = self.saved(0)
        y = composed(self.function, x, self.firsts, self.pairs, self.numbers)
        return run_backward((y,), (dy,), True, True, (x,), False)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray x = contiguous(self.saved(0).array), y = self.saved(1).array
        cdef ndarray dx = empty_like(x)
        _kernels.jet_backward(KERNELS[self.function][1], dx, contiguous(dy.array), x, y[0], indices(self.pairs),
                              self.firsts, number(self.numbers, 0), number(self.numbers, 1))
        return (wrap(dx),)


def jet(function, x, Py_ssize_t firsts, pairs, *numbers):
    """An elementwise function of a jet: the chain rule to second order.

        y[0] = f(x[0])    y[i] = f'(x[0]) x[i]    y[s] = f''(x[0]) x[i] x[j] + f'(x[0]) x[s]

    By a kernel for tanh, sigmoid, sin, softplus, silu and gelu; others are differentiated by backward.

    Args:
        function: of a tensor and the numbers, each element alone.
        x: (1 + firsts + seconds, ...).
        firsts: how many channels are first derivatives.
        pairs: (i, j) for each of the others, the second derivatives: channels of the variables, from 1 to firsts.
        numbers: what the function takes beside the tensor, as softplus' beta and threshold.

    Returns:
        The shape of x.

    Raises:
        ValueError: if channels and pairs do not go together.
    """
    cdef Tensor xt = real_tensor(x, "jet", "x")
    pairs = tuple([tuple(pair) for pair in pairs])
    if firsts < 0 or xt.array.ndim < 2 or xt.array.shape[0] != 1 + firsts + len(pairs):
        raise ArgumentError(f"jet: x has shape {xt.shape}; {1 + firsts + len(pairs)} channels are needed for "
                         f"{firsts} first and {len(pairs)} second derivatives")
    check_pairs("jet", pairs, firsts)
    function = unwrap(function)   # by whichever name it was found
    if function not in KERNELS:
        return composed(function, xt, firsts, pairs, numbers)
    cdef ndarray a = contiguous(xt.array)
    cdef ndarray y = empty_like(a)
    _kernels.jet_forward(KERNELS[function][0], y, a, indices(pairs), firsts, number(numbers, 0), number(numbers, 1))
    cdef Tensor out = wrap(y)
    cdef Jet node
    if tracks(xt):
        node = Jet.__new__(Jet)
        node.function, node.firsts, node.pairs, node.numbers = function, firsts, pairs, numbers
        node.connect(out, (xt,))
        node.keep(xt)
        node.keep(out)
    return out


def check_pairs(name, pairs, firsts):
    for pair in pairs:
        if len(pair) != 2 or not 1 <= min(pair) <= max(pair) <= firsts:
            raise ArgumentError(f"{name}: pairs has {pair}, it must be two channels from 1 to {firsts}")


cdef double number(tuple numbers, Py_ssize_t i) except *:
    """What a kernel is given as alpha or beta."""
    return numbers[i] if i < len(numbers) else 0


cdef ndarray indices(tuple pairs):
    return constant(np.array(pairs, np.int64).reshape(-1, 2))


def composed(function, Tensor x, Py_ssize_t firsts, tuple pairs, tuple numbers):
    """jet() by operations that can be differentiated again."""
    cdef bint tracked = tracks(x)
    with enable_grad():
        value = x[0] if tracked else x[0].detach().requires_grad_()
        y = function(value, *numbers)
        first = slope(y, value)
        channels = [y, *[first * x[i] for i in range(1, firsts + 1)]]
        if pairs:
            second = slope(first, value)
            channels += [second * x[i] * x[j] + first * x[firsts + 1 + r] for r, (i, j) in enumerate(pairs)]
        out = stack(channels)
    return out if tracked else out.detach()


cdef slope(y, x):
    """dy/dx of an elementwise function, in the graph."""
    if not y.requires_grad:
        return zeros_like(x)
    (dx,) = run_backward((y,), (ones_like(y),), True, True, (x,), False)
    return zeros_like(x) if dx is None else dx


# of the kernel of jet_net: room for layers, for channels * the widest, for weights and biases; a block of points
LIMITS = JET_LAYERS, JET_ROWS, JET_PARAMETERS
BLOCK_BYTES = JET_BLOCK_BYTES
