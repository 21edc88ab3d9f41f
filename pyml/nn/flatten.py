"""Flatten and Unflatten."""

from pyml import ops
from pyml.nn.module import Module
from pyml.ops.shape import as_sizes, wrapped_dim

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Makes one dimension of those from start_dim to end_dim.

    Args:
        start_dim: the first to be joined. Default: 1, which keeps the batch.
        end_dim: the last to be joined. Default: -1.

    Example:
        >>> nn.Flatten()(pyml.zeros(5, 2, 3)).shape
        (5, 6)
    """

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input):
        """(n, a, b, ...) to (n, a * b * ...) with the defaults."""
        return ops.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self):
        """The dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes several dimensions of one: the inverse of Flatten.

    Args:
        dim: the dimension.
        unflattened_size: the sizes that it is split into, one of which may be -1: what is left.

    Raises:
        TypeError: if dim or a size is no integer; dimensions have no names here.

    Example:
        >>> nn.Unflatten(1, (2, 3))(pyml.zeros(5, 6)).shape
        (5, 2, 3)
    """

    def __init__(self, dim, unflattened_size):
        super().__init__()
        wrapped_dim(dim, 64, "Unflatten")  # an integer, if any tensor can have it
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                f"Unflatten: unflattened_size must be a tuple of integers, not {unflattened_size!r}"
            )
        self.dim = dim
        self.unflattened_size = as_sizes(unflattened_size, "Unflatten")

    def forward(self, input):
        """(..., size, ...) to (..., *unflattened_size, ...)."""
        return ops.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self):
        """The dimension and the sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
