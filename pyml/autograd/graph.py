"""The graph that backward walks: its nodes, and what it keeps."""

from contextlib import contextmanager

from pyml.tensor import Node, Tensor

__all__ = ["Node", "disable_saved_tensors_hooks", "increment_version", "save_on_cpu"]


@contextmanager
def save_on_cpu(pin_memory=False, device_type="cuda"):
    """Within it what backward needs is kept on the CPU: as everywhere, so that it does nothing.

    Args:
        pin_memory, device_type: of no effect.
    """
    yield


@contextmanager
def disable_saved_tensors_hooks(error_message):
    """Within it hooks of saved tensors are errors: there are none, so that it does nothing.

    Args:
        error_message: of no effect.
    """
    yield


def increment_version(tensor):
    """Says that a tensor was changed by what is none of pyml's operations, as through NumPy.

    A backward that needs its values of before is then an error.

    Args:
        tensor: a Tensor, or an iterable of several.

    Raises:
        TypeError: if it is neither.

    Example:
        >>> x = pyml.ones(2)
        >>> x.numpy()[0] = 5.0
        >>> pyml.autograd.graph.increment_version(x)
        >>> x._version
        1
    """
    tensors = [tensor] if isinstance(tensor, Tensor) else list(tensor)
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"increment_version: item {i} is a {type(t).__name__}, not a Tensor")
    for t in tensors:
        t._mark_changed()
