"""Order among the elements along one dimension."""

from collections import namedtuple

import numpy as np

from pyml.ops.arrays import checked_tensor, contiguous
from pyml.ops.index import gather
from pyml.ops.shape import wrapped_dim
from pyml.recorder import refuse
from pyml.tensor import Tensor

sort_result = namedtuple("sort", ("values", "indices"))


def order_of(array, dim, descending):
    """The indices that sort along `dim`; equal elements keep their order, NaN is the largest."""
    if array.ndim == 0:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(array, dim, kind="stable")
    backward = np.argsort(np.flip(array, dim), dim, kind="stable")
    return array.shape[dim] - 1 - np.flip(backward, dim)


def sort(input, dim=-1, descending=False, *, stable=False):
    """The elements in order along one dimension.

    Args:
        input: any shape.
        dim: the dimension along which it is sorted. Default: the last.
        descending: the largest first. Default: False.
        stable: equal elements keep their order; they do so in any case. Default: False.

    Returns:
        A named tuple: values, of the input's shape, through which gradients go; and indices, int64,
        the places of the values in the input. NaN counts as larger than any number, as in PyTorch.

    Example:
        >>> pyml.sort(pyml.tensor([2.0, 3.0, 1.0])).indices
        tensor([2, 0, 1])
    """
    checked_tensor(input, "sort")
    refuse("sort")
    dim = wrapped_dim(dim, input.ndim, "sort")
    indices = Tensor._on(contiguous(order_of(input.array, dim, bool(descending))))
    return sort_result(gather(input, dim, indices), indices)
