"""What happened in training, epoch by epoch."""

from typing import NamedTuple

import numpy as np

__all__ = ["Epoch", "History"]


class Epoch(NamedTuple):
    """One pass over the training rows."""

    epoch: int
    """1, 2, ..."""
    train_loss: float
    """Mean over the rows, each at the time of its step: with dropout, and on moving weights."""
    validation_loss: float
    """After the epoch, in evaluation mode."""
    validation_accuracy: float
    """After the epoch, in evaluation mode, from 0 to 1."""
    learning_rate: float
    """Of the epoch's steps."""
    seconds: float
    """Training and validation."""


class History(list):
    """A list of Epochs.

    Example:
        >>> history.column("train_loss")
        array([0.9, 0.3, 0.1])
    """

    @property
    def columns(self):
        """The names of the fields, in their order, as a list."""
        return list(Epoch._fields)

    def column(self, name):
        """The values of one field of Epoch, as a NumPy array."""
        if not all(hasattr(epoch, name) for epoch in self):
            raise ValueError(f"column: name is {name!r}, which is no field of an epoch")
        return np.array([getattr(epoch, name) for epoch in self])
