"""Gradient and Hessian of a loss by all parameters, as a vector and a matrix of their elements."""

import numpy as np

from pyml.backward import run_backward
from pyml.ops import from_numpy

__all__ = ["LossHessian", "joined", "parts_of"]


def joined(tensors):
    """All elements of tensors, one after another, as a float64 array."""
    return np.concatenate([np.ravel(t.detach().numpy()) for t in tensors], dtype=np.float64)


def parts_of(vector, like):
    """The inverse: a vector as tensors with shapes and dtypes of `like`."""
    ends = np.cumsum([t.numel() for t in like])[:-1]
    parts = zip(np.split(vector, ends), like, strict=True)
    return [from_numpy(part.reshape(t.shape).astype(t.dtype)) for part, t in parts]


class LossHessian:
    """The Hessian of a loss, exact, by its products with vectors.

    A product is one backward through the graph of the gradient (Pearlmutter 1994, "Fast exact
    multiplication by the Hessian").

    Args:
        loss: a number in the graph of the parameters, which is not freed.
        params: a list of tensors that require grad.

    Attributes:
        gradient: a float64 array of all elements, zero where the loss does not depend on them.
        size: how many they are.

    Raises:
        RuntimeError: if the loss does not depend on parameters that require grad.
    """

    def __init__(self, loss, params):
        self.params = tuple(params)
        gradients = run_backward((loss,), (None,), True, True, self.params, False)
        pairs = zip(gradients, self.params, strict=True)
        self.gradient = joined([p.new_zeros(p.shape) if g is None else g for g, p in pairs])
        self.size = self.gradient.size
        self._gradients = tuple(
            None if g is None or not g.requires_grad else g for g in gradients
        )  # of those that are not there the second derivatives are zero

    def product(self, vector):
        """The Hessian times a float64 array (size), as one."""
        kept = [
            (g, v)
            for g, v in zip(self._gradients, parts_of(vector, self.params), strict=True)
            if g is not None
        ]
        if not kept:
            return np.zeros(self.size)
        outputs, weights = zip(*kept, strict=True)
        rows = run_backward(outputs, weights, True, False, self.params, False)
        pairs = zip(rows, self.params, strict=True)
        return joined([p.new_zeros(p.shape) if r is None else r for r, p in pairs])

    def matrix(self):
        """All of it, a float64 array (size, size): a product for each row, made symmetric."""
        rows = np.stack([self.product(row) for row in np.eye(self.size)])
        return (rows + rows.T) / 2
