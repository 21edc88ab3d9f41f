"""Splits of the rows of a data set."""

import numpy as np

from pyml.ops.creation import randperm
from pyml.random import Generator

__all__ = ["stratified_split"]


def stratified_split(labels, fraction, seed):
    """Divides rows at random in two, with the same share of every class.

    Args:
        labels: the class of each row, shape (n,).
        fraction: the share of each class that goes to the second part, from 0 to 1.
        seed: of the choice, which is the same on every machine.

    Returns:
        Two int64 arrays of row numbers, ascending: the rest, and the fraction.

    Example:
        >>> train, test = stratified_split(labels, 0.2, seed=0)
        >>> images[train].shape
        (1438, 64)
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels has shape {labels.shape}, it must have one dimension")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(f"labels[{np.isnan(labels).argmax()}] is NaN, which is no class")
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction is {fraction}, it must be from 0 to 1")
    shuffled = randperm(len(labels), generator=Generator(seed)).numpy()
    second = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = shuffled[labels[shuffled] == label]
        second[rows[: round(fraction * len(rows))]] = True
    return np.flatnonzero(~second), np.flatnonzero(second)
