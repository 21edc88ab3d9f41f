"""Rows as networks take them."""

import numpy as np
from scipy import sparse

from pyml import ops
from pyml.grad_mode import no_grad
from pyml.ops.shape import cat

DENSE_BYTES = 2**28  # sparse rows of more are made dense batch by batch
PREDICTION_ROWS = 1024  # at a time: activations stay small


class Rows:
    """What a training reads.

    Args:
        x: an array, or a sparse matrix.
        target: a Tensor.
        weight: a Tensor, or None.
    """

    def __init__(self, x, target, weight):
        if sparse.issparse(x):
            x = x.tocsr()
            if x.shape[0] * x.shape[1] * x.dtype.itemsize <= DENSE_BYTES:
                x = x.toarray()
        self.is_dense = isinstance(x, np.ndarray)
        self.x = tensor_of(x) if self.is_dense else x
        self.others = [target] if weight is None else [target, weight]
        self.count = x.shape[0]

    @property
    def tensors(self):
        """For run(), of dense rows."""
        return [self.x, *self.others]

    def batch(self, rows):
        """Tensors of some rows, of sparse ones."""
        rows = rows.numpy()
        return [tensor_of(self.x[rows].toarray()), *(each[rows] for each in self.others)]


def tensor_of(x):
    """A Tensor of an array; it may share its memory, which nobody writes."""
    x = np.ascontiguousarray(x)
    return ops.from_numpy(x if x.flags.writeable else x.copy())


@no_grad()
def outputs_of(network, x):
    """What a network in evaluation mode gives of rows, an array (n, outputs)."""
    if sparse.issparse(x):
        x = x.tocsr()
    parts = [
        network(tensor_of(part.toarray() if sparse.issparse(part) else part))
        for part in (x[i : i + PREDICTION_ROWS] for i in range(0, x.shape[0], PREDICTION_ROWS))
    ]
    return parts[0] if len(parts) == 1 else cat(parts)
