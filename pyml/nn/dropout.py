"""Dropout."""

from pyml.nn import functional as F
from pyml.nn.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, zeroes elements with probability p and scales the others by 1 / (1 - p).

    In evaluation it is the identity.

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting",
    scaled in training instead of in evaluation.

    Args:
        p: probability of an element to be zeroed, 0 to 1. Default: 0.5.
        inplace: change the input itself. Default: False.

    Raises:
        ValueError: if p is outside [0, 1].

    Example:
        >>> nn.Dropout(0.5).eval()(pyml.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is {p}, a probability must be between 0 and 1")
        self.p = p
        self.inplace = inplace

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        """p and inplace."""
        return f"p={self.p}, inplace={self.inplace}"
