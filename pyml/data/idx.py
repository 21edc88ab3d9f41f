"""IDX, the file format of MNIST and its family (http://yann.lecun.com/exdb/mnist/).

bytes 0, 1   zero
byte  2      type of an element; 0x08 is an unsigned byte
byte  3      d, the number of dimensions
then         d sizes, 32 bits each, big-endian
then         the elements, row-major
"""

import gzip
import math
import os
import stat
import zlib

import numpy as np

__all__ = ["read_idx"]

UNSIGNED_BYTE = 0x08
PIECE = 1 << 20  # bytes
# Images shrink to about a half, gzip at most to a thousandth: what unpacks to more than a hundred
# times its bytes was made to fill memory, unless it is small.
PLAUSIBLE_RATIO = 100
MODEST = 1 << 26  # bytes


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
    path = os.fspath(path)  # a descriptor is none: whoever opened the file closes it
    header_bytes = 4 + 4 * ndim
    magic = bytes([0, 0, UNSIGNED_BYTE, ndim])
    try:
        with open(path, "rb", opener=without_waiting) as compressed:
            status = os.fstat(compressed.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{path}: is a pipe or device, not a regular file")
            with gzip.open(compressed) as file:
                header = file.read(header_bytes)
                if header[:4] != magic:
                    raise ValueError(
                        f"{path}: magic number is 0x{header[:4].hex() or '0'}, it must be "
                        f"0x{magic.hex()} (IDX, unsigned bytes, dimensions: {ndim})"
                    )
                if len(header) < header_bytes:
                    raise ValueError(f"{path}: is truncated: the header takes {header_bytes} bytes")
                shape = tuple(np.frombuffer(header, ">u4", ndim, offset=4).tolist())
                size = math.prod(shape)
                if size > max(MODEST, PLAUSIBLE_RATIO * status.st_size):
                    raise ValueError(
                        f"{path}: its header says {size} bytes of data (shape {shape}), which "
                        f"{status.st_size} bytes of gzip do not plausibly hold"
                    )
                content = read_up_to(file, size + PIECE)  # what is behind may be damaged
    except EOFError:
        raise ValueError(f"{path}: is truncated: the gzip stream ends early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: is not a gzip file, or is damaged ({error})") from None
    if len(content) != size:
        held = f"{len(content)} bytes or more" if len(content) > size else f"{len(content)} bytes"
        raise ValueError(f"{path}: holds {held} of data, its header says {size} (shape {shape})")
    return np.frombuffer(content, np.uint8).reshape(shape)


def without_waiting(path, flags):
    """Opens also a pipe that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_up_to(file, size):
    """The next bytes of a file, `size` of them or all there are.

    In pieces: neither a size that is not true nor a file that unpacks without an end takes memory.
    """
    content = bytearray()
    while len(content) < size and (piece := file.read(min(size - len(content), PIECE))):
        content += piece
    return memoryview(content).toreadonly()
