"""Tensors in memory that processes share, as torch.multiprocessing has them."""

import mmap
import os
import pickle

import numpy as np

from pyml.recorder import refuse
from pyml.tensor import Tensor


class SharedMemory(mmap.mmap):
    """Anonymous memory that a descriptor names, which other processes can be given.

    Args:
        descriptor: of a file in memory; it is closed with this object.
        size: in bytes.
    """

    def __new__(cls, descriptor, size):
        self = super().__new__(cls, descriptor, size)
        self.descriptor = descriptor
        return self

    def __del__(self):
        os.close(self.descriptor)


def memory_of(array):
    """The SharedMemory that an array is in, or None."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, SharedMemory) else None


def is_shared(self):
    """Whether the tensor is in memory that processes share; see share_memory_."""
    return memory_of(self.array) is not None


def share_memory_(self):
    """Moves the values to memory that other processes see, as they change; returns the tensor.

    Of this process' forks, and of those that are given the tensor by multiprocessing: as an
    argument or in a queue, by itself or in a module. A view of the tensor from before stays
    where it is. Steps of several processes at once may overwrite each other.

    Raises:
        RuntimeError: in a recorded step.
        NotImplementedError: where the system has no files in memory, as Linux has.

    Example:
        >>> pyml.ones(2).share_memory_().is_shared()
        True
    """
    refuse("share_memory_()")
    if not hasattr(os, "memfd_create"):
        raise NotImplementedError(
            "share_memory_: this system has no files in memory (memfd_create); send NumPy arrays"
        )
    is_sent(type(self))
    array = self.array
    if array.size and not is_shared(self):
        descriptor = os.memfd_create("pyml")
        os.ftruncate(descriptor, array.nbytes)
        memory = SharedMemory(descriptor, array.nbytes)
        shared = np.ndarray(array.shape, array.dtype, memory)
        shared[...] = array
        self.data = Tensor._on(shared)
    return self


def is_sent(cls):
    """Lets multiprocessing send tensors of a class by `reduced`."""
    from multiprocessing.reduction import ForkingPickler

    ForkingPickler.register(cls, reduced)


def reduced(tensor):
    """How multiprocessing sends a tensor: where it is shared the name of the memory."""
    array, memory = tensor.array, memory_of(tensor.array)
    if memory is None:
        return tensor.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    from multiprocessing.reduction import DupFd

    offset = array.ctypes.data - np.frombuffer(memory, np.uint8).ctypes.data
    place = (array.shape, array.dtype.str, offset, array.strides)
    sent = DupFd(memory.descriptor), len(memory)
    return received, (type(tensor), *sent, place, tensor.requires_grad)


def received(cls, descriptor, size, place, requires_grad):
    """The tensor that another process sent."""
    shape, dtype, offset, strides = place
    memory = SharedMemory(descriptor.detach(), size)
    is_sent(cls)
    array = np.ndarray(shape, dtype, memory, offset, strides)
    return Tensor._on(array, cls, requires_grad=requires_grad)
