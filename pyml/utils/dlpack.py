"""Memory for other libraries by DLPack, by the names of torch.utils.dlpack."""

from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor):
    """A capsule of DLPack on the memory of a tensor, which from_dlpack() uses up.

    Libraries of today take the tensor itself.

    Raises:
        BufferError: if the tensor requires grad or is read-only.

    Example:
        >>> from pyml.utils import dlpack
        >>> dlpack.from_dlpack(dlpack.to_dlpack(pyml.arange(3)))
        tensor([0, 1, 2])
    """
    return checked_tensor(tensor, "to_dlpack").__dlpack__()
