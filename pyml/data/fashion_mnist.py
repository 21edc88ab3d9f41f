"""Fashion-MNIST: images of clothes, 28 x 28, ten classes. Xiao et al. 2017 (arXiv:1708.07747)."""

from pathlib import Path

import numpy as np

from pyml.data.idx import read_idx
from pyml.ops.creation import from_numpy

__all__ = ["load_fashion_mnist"]

PREFIXES = {"train": "train", "test": "t10k"}
IMAGE_SHAPE = (28, 28)
CLASSES = 10
PIXEL_MAX = 255


def load_fashion_mnist(directory, part):
    """Reads one part of Fashion-MNIST, or of any data set in MNIST's files.

    Args:
        directory: where the original gzip-compressed IDX files are: train-images-idx3-ubyte.gz,
            train-labels-idx1-ubyte.gz, and t10k- for the test part.
        part: "train" or "test".

    Returns:
        images: float32 of shape (n, 784), from 0 to 1.
        labels: int64 of shape (n,), 0 to 9.

    Raises:
        ValueError: if a file is damaged or holds something else.
        OSError: if the directory or a file is missing or cannot be read.
    """
    if part not in PREFIXES:
        raise ValueError(f"part is {part!r}, it must be 'train' or 'test'")
    directory = Path(directory)
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory}: is not a directory")
    images_path = directory / f"{PREFIXES[part]}-images-idx3-ubyte.gz"
    labels_path = directory / f"{PREFIXES[part]}-labels-idx1-ubyte.gz"
    for path in (images_path, labels_path):
        if not path.is_file():
            raise FileNotFoundError(f"{path}: is missing")

    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if images.shape[1:] != IMAGE_SHAPE:
        raise ValueError(f"{images_path}: images are {images.shape[1:]}, not {IMAGE_SHAPE} pixels")
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path}: {len(images)} images, but {len(labels)} labels in {labels_path.name}"
        )
    if len(labels) == 0:
        raise ValueError(f"{labels_path}: is empty")
    if labels.max() >= CLASSES:
        raise ValueError(
            f"{labels_path}: label number {labels.argmax()} is {labels.max()}, "
            f"it must be 0 to {CLASSES - 1}"
        )
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= PIXEL_MAX
    return from_numpy(pixels), from_numpy(labels.astype(np.int64))
