"""Arrays with watched neighbours: no kernel writes around its outputs or reads past its inputs."""

import ctypes
import mmap
import pickle

import numpy as np

GUARD_BYTES = 256
GUARD_BYTE = 0xA5
PROT_NONE = 0  # mmap.PROT_NONE is missing before Python 3.13

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def at_page_end(values):
    """A contiguous copy that ends where memory does: reading on is a segmentation fault."""
    values = np.ascontiguousarray(values)
    pages = -(-values.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, pages + mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if libc.mprotect(address + pages, mmap.PAGESIZE, PROT_NONE) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    copy = np.ndarray(values.shape, values.dtype, memory, pages - values.nbytes)
    copy[...] = values
    return copy


def from_read_only_memory(value):
    """A copy by a pickle whose arrays cannot be written, as joblib maps files."""
    buffers = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer) for buffer in buffers])


class Guarded:
    """`.array` is an output between two guard bands, aligned to its element and no more.

    It is filled with NaN (integers with a sentinel), or with `start` if it is also read.
    """

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
