"""Comparison of trees: of dicts, lists and tuples of numbers, tensors and arrays."""

import numpy as np

from pyml import Tensor


def bits(value):
    """A tree that equals another exactly if types, order and bits are the same."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        return type(value), array.dtype.str, array.shape, array.tobytes()
    if isinstance(value, dict):
        return type(value), [(bits(key), bits(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [bits(item) for item in value]
    return type(value), repr(value)
