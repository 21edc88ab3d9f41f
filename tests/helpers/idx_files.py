"""Files as Fashion-MNIST has them, small, and each way they can be wrong."""

import gzip
import struct

import numpy as np

ROWS = {"train": 200, "t10k": 50}


def idx(array, magic=None):
    """The bytes of an IDX file of unsigned bytes."""
    array = np.asarray(array, np.uint8)
    if magic is None:
        magic = 0x0800 + array.ndim
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def write_data_set(directory, rng):
    """A learnable data set: class c is bright in rows 2c and 2c+1 of the image."""
    for prefix, count in ROWS.items():
        labels = np.arange(count) % 10
        images = rng.integers(0, 100, (count, 28, 28))
        for row in (2 * labels, 2 * labels + 1):
            images[np.arange(count), row] += 100
        write(directory, prefix, "images", idx(images))
        write(directory, prefix, "labels", idx(labels))


def file_of(directory, prefix, kind):
    return directory / f"{prefix}-{kind}-idx{3 if kind == 'images' else 1}-ubyte.gz"


def write(directory, prefix, kind, content):
    file_of(directory, prefix, kind).write_bytes(gzip.compress(content, mtime=0))


def _damaged(content):
    """One byte in the middle of the compressed stream inverted."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def _change(change):
    def apply(directory, prefix, kind):
        path = file_of(directory, prefix, kind)
        path.write_bytes(change(path.read_bytes()))

    return apply


def _replace(content):
    return lambda directory, prefix, kind: write(directory, prefix, kind, content)


LABELS_250 = idx(np.arange(200) + 50)
IMAGES_27 = idx(np.zeros((200, 28, 27)))

# what: (prefix, kind, how the file is spoilt, part of the message)
FAULTS = {
    "missing": ("train", "labels", lambda *place: file_of(*place).unlink(), "is missing"),
    "truncated": ("train", "images", _change(lambda b: b[: len(b) // 2]), "is truncated"),
    "no bytes at all": ("train", "images", _change(lambda b: b""), "magic number is 0x0"),
    "not gzip": ("t10k", "images", _change(lambda b: b"<html>" + b), "is not a gzip file"),
    "damaged": ("train", "images", _change(_damaged), "damaged"),
    "checksum": ("train", "labels", _change(lambda b: b[:-8] + bytes(8)), "damaged"),
    "magic of labels": ("train", "images", _replace(LABELS_250), "magic number is 0x00000801"),
    "magic of floats": (
        "train",
        "labels",
        _replace(idx([1], 0x0D01)),
        "magic number is 0x00000d01",
    ),
    "header cut": ("t10k", "images", _replace(struct.pack(">II", 0x803, 9)), "is truncated"),
    "data cut": ("t10k", "labels", _replace(idx(np.zeros(50))[:-1]), "holds 49 bytes"),
    "data too long": ("t10k", "labels", _replace(idx(np.zeros(50)) + b"\0"), "holds 51 bytes"),
    "shape": ("train", "images", _replace(IMAGES_27), "images are (28, 27), not (28, 28)"),
    "label": ("train", "labels", _replace(LABELS_250), "label number 199 is 249"),
    "counts": ("train", "labels", _replace(idx(np.zeros(199))), "200 images, but 199 labels"),
}
