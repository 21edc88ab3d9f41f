"""Batches of samples."""

from collections.abc import Mapping, Sequence

import numpy as np

from pyml.errors import ArgumentError
from pyml.ops.creation import as_tensor, tensor
from pyml.ops.shape import stack
from pyml.tensor import Tensor

__all__ = ["default_collate", "default_convert"]


def default_collate(batch):
    """Samples as one batch, with a new first dimension.

    Tensors, NumPy arrays and numbers become one Tensor; Python's floats float64, its integers
    int64. Text stays a list, within sequences a tuple. Of dicts, each key has its batch; of tuples
    and lists, each place, in a list for tuples; a named tuple stays one.

    Args:
        batch: a list of samples of one form, not empty.

    Raises:
        ValueError: if the samples differ in shape, in keys or in length, or there are none.
        TypeError: for samples of another type.

    Example:
        >>> default_collate([(0.5, 1), (1.5, 2)])
        [tensor([0.5, 1.5], dtype=float64), tensor([1, 2])]
        >>> default_collate([{"name": "a"}, {"name": "b"}])
        {'name': ['a', 'b']}
    """
    if len(batch) == 0:
        raise ArgumentError("default_collate: the batch is empty, at least one sample is needed")
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray, np.generic)) and not is_text(first):
        try:
            return stack([as_tensor(item) for item in batch])
        except ValueError as error:
            raise ArgumentError(
                f"default_collate: the samples differ: {error}; pass a collate_fn that pads or "
                "cuts them"
            ) from None
    if isinstance(first, float):
        return tensor(batch, dtype=np.dtype(np.float64))
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch if isinstance(batch, tuple) else list(batch)
    if isinstance(first, Mapping):
        return like(first, {key: default_collate([item[key] for item in checked(batch)])
                            for key in first})  # fmt: skip
    if isinstance(first, Sequence):
        parts = [default_collate(part) for part in zip(*checked(batch), strict=True)]
        return like(first, parts)
    raise TypeError(
        f"default_collate: a sample is a {type(first).__name__}, it must be a Tensor, a NumPy "
        "array, a number, text, or a dict, tuple or list of these; for others pass a collate_fn"
    )


def default_convert(data):
    """`data` with Tensors in place of its NumPy arrays and numbers; all else stays as it is.

    Example:
        >>> default_convert({"x": np.ones(2, np.float32), "name": "a", "n": 1})
        {'x': tensor([1., 1.]), 'name': 'a', 'n': 1}
    """
    if isinstance(data, (np.ndarray, np.generic)):
        return data if is_text(data) else as_tensor(data)
    if isinstance(data, Mapping):
        return like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return like(data, [default_convert(value) for value in data])
    return data


def is_text(data):
    return not isinstance(data, Tensor) and data.dtype.kind in "SUO"


def checked(batch):
    """The samples, which are dicts of the same keys, or sequences of the same length."""
    first = batch[0]
    for i, item in enumerate(batch):
        if isinstance(first, Mapping):
            if not isinstance(item, Mapping) or item.keys() != first.keys():
                raise ArgumentError(
                    f"default_collate: the samples differ: sample {i} is not a dict of the keys "
                    f"{list(first)}"
                )
        elif not isinstance(item, Sequence) or len(item) != len(first):
            raise ArgumentError(
                f"default_collate: the samples differ: sample {i} is not of length {len(first)}, "
                "that of the first; pass a collate_fn that pads or cuts them"
            )
    return batch


def like(sample, parts):
    """The parts in a thing of the sample's type, a list for a tuple."""
    kind = type(sample)
    if isinstance(sample, tuple):
        return kind(*parts) if hasattr(sample, "_fields") else parts
    if kind in (dict, list):
        return parts
    try:
        return kind(parts)
    except TypeError:  # of a range, for example
        return parts
