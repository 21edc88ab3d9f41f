"""Handwritten digits, bundled with the package. digits.txt has their origin and licence."""

from importlib import resources

import numpy as np

from pyml.ops.creation import from_numpy

__all__ = ["load_digits"]

PIXEL_MAX = 16


def load_digits():
    """The 1,797 handwritten digits that scikit-learn calls load_digits.

    Alpaydin & Kaynak 1998, UCI Machine Learning Repository (doi:10.24432/C50P49), CC BY 4.0.

    Returns:
        images: float32 of shape (1797, 64), 8 x 8 pixels row by row, from 0 to 1 (the file's 0..16,
            divided by 16).
        labels: int64 of shape (1797,), the digits 0 to 9.

    Example:
        >>> images, labels = pyml.data.load_digits()
        >>> images.shape, labels.shape
        ((1797, 64), (1797,))
    """
    with (resources.files("pyml.data") / "digits.npy").open("rb") as file:
        table = np.load(file)
    images = np.divide(table[:, :-1], PIXEL_MAX, dtype=np.float32, order="C")
    return from_numpy(images), from_numpy(table[:, -1].astype(np.int64))
