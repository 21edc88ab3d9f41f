"""IDX, the file format of MNIST and its family (http://yann.lecun.com/exdb/mnist/).

bytes 0, 1   zero
byte  2      type of an element; 0x08 is an unsigned byte
byte  3      d, the number of dimensions
then         d sizes, 32 bits each, big-endian
then         the elements, row-major
"""

import gzip
import math
import zlib

import numpy as np

__all__ = ["read_idx"]

UNSIGNED_BYTE = 0x08


def read_idx(path, ndim):
    """Reads a gzip-compressed IDX file of unsigned bytes.

    Args:
        path: the file.
        ndim: how many dimensions it must have: 3 for images, 1 for labels.

    Returns:
        A NumPy array of uint8, read-only.

    Raises:
        ValueError: if it is not such a file, or is truncated or damaged.
        OSError: if it cannot be read.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
    except EOFError:
        raise ValueError(f"{path}: is truncated: the gzip stream ends early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: is not a gzip file, or is damaged ({error})") from None

    header_bytes = 4 + 4 * ndim
    magic = bytes([0, 0, UNSIGNED_BYTE, ndim])
    if content[:4] != magic:
        raise ValueError(
            f"{path}: magic number is 0x{content[:4].hex() or '0'}, it must be 0x{magic.hex()} "
            f"(IDX, unsigned bytes, dimensions: {ndim})"
        )
    if len(content) < header_bytes:
        raise ValueError(f"{path}: is truncated: the header takes {header_bytes} bytes")
    shape = tuple(np.frombuffer(content, ">u4", ndim, offset=4).tolist())
    if len(content) - header_bytes != math.prod(shape):
        raise ValueError(
            f"{path}: holds {len(content) - header_bytes} bytes of data, "
            f"its header says {math.prod(shape)} (shape {shape})"
        )
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)
