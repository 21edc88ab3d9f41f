"""Arrays with watched neighbours: kernels must not write around their outputs, nor read past
their inputs."""

import ctypes
import mmap

import numpy as np

GUARD_BYTES = 256
GUARD_BYTE = 0xA5
PROT_NONE = 0  # mmap.PROT_NONE is missing before Python 3.13

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def at_page_end(values):
    """A contiguous copy whose last byte is the last one that may be touched: reading on is a
    segmentation fault."""
    values = np.ascontiguousarray(values)
    pages = -(-values.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, pages + mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if libc.mprotect(address + pages, mmap.PAGESIZE, PROT_NONE) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    copy = np.ndarray(values.shape, values.dtype, memory, pages - values.nbytes)
    copy[...] = values
    return copy


class Guarded:
    """`.array`: an output, aligned to its element and no more, of NaN (or of a sentinel, for
    integers) between two guard
    bands. With `start`, an output that is also read."""

    def __init__(self, shape, dtype, start=None):
        dtype = np.dtype(dtype)
        begin = GUARD_BYTES + dtype.itemsize
        length = int(np.prod(shape, dtype=int)) * dtype.itemsize
        self.memory = np.full(begin + length + GUARD_BYTES, GUARD_BYTE, np.uint8)
        self.array = np.ndarray(shape, dtype, self.memory, begin)
        self.before, self.after = self.memory[:begin], self.memory[begin + length :]
        if start is not None:
            self.array[...] = start
        elif dtype.kind == "f":
            self.array.fill(np.nan)

    def broken(self):
        """What was overwritten, in words; None if the guards stand."""
        for where, guard in (("before", self.before[::-1]), ("after", self.after)):
            changed = np.flatnonzero(guard != GUARD_BYTE)
            if len(changed):
                element = changed[0] // self.array.itemsize + 1
                return f"element {element} {where} the output was overwritten"
        return None
