"""Dropout from the counter-based generator. A bit of each element says for backward what was kept."""
cimport numpy as cnp
from numpy cimport ndarray

from pyml cimport _kernels
from pyml.memory cimport new_array
from pyml.ops.arrays cimport contiguous, empty_like, real_tensor, room_of
from pyml.tensor cimport Node, Tensor, tracks, wrap

from pyml.errors import ArgumentError
from pyml.random import state_of

cnp.import_array()


cdef class Dropout(Node):
    cdef ndarray mask
    cdef double p

    cdef tuple gradients(self, Tensor dy):
        return (keep_again(dy, self.mask, self.p),)

    cdef tuple gradients_fused(self, Tensor dy):
        cdef ndarray dx = room_of(dy)
        _kernels.dropout_backward(dx, contiguous(dy.array), self.mask, self.p)
        return (wrap(dx),)


cdef Tensor keep_again(Tensor x, ndarray mask, double p):
    """Dropout by a mask drawn before. It is linear, so it is its own derivative."""
    cdef ndarray a = contiguous(x.array)
    cdef ndarray y = empty_like(a)
    _kernels.dropout_backward(y, a, mask, p)
    return recorded(wrap(y), x, mask, p)


cdef Tensor recorded(Tensor y, Tensor x, ndarray mask, double p):
    cdef Dropout node
    if tracks(x):
        node = Dropout.__new__(Dropout)
        node.mask = mask
        node.p = p
        node.connect(y, (x,))
    return y


def dropout(x, p=0.5, training=True, *, generator=None):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p), in training; x itself otherwise.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting" (inverted form).

    Args:
        x: any shape.
        p: probability of an element to be dropped, 0 to 1. Default: 0.5.
        training: apply it at all. Default: True.
        generator: source of the mask. Default: the one that manual_seed seeds.

    Raises:
        ValueError: if p is outside [0, 1].
    """
    cdef Tensor xt = real_tensor(x, "dropout", "input")
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p is {p}, a probability must be between 0 and 1")
    if not training or p == 0:
        return xt
    cdef ndarray a = contiguous(xt.array)
    cdef ndarray y = empty_like(a)
    cdef cnp.npy_intp words = (cnp.PyArray_SIZE(a) + 63) // 64
    cdef ndarray mask = new_array(1, &words, cnp.NPY_UINT64)
    _kernels.dropout_forward(y, mask, state_of(generator, "dropout"), a, p)
    return recorded(wrap(y), xt, mask, p)
