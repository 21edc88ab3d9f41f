"""Flatten."""

from pyml import ops
from pyml.nn.module import Module

__all__ = ["Flatten"]


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
