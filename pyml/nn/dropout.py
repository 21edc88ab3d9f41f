"""Dropout, of elements and of channels."""

from pyml.errors import ArgumentError
from pyml.nn import functional as F
from pyml.nn.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "FeatureAlphaDropout"]


class DropoutOf(Module):
    """What all of them share: a probability, and whether the input itself is changed."""

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(
                f"{self._get_name()}: p is {p}, a probability must be between 0 and 1"
            )
        self.p = p
        self.inplace = inplace

    def extra_repr(self):
        """p and inplace."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(DropoutOf):
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

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(DropoutOf):
    """In training, zeroes whole channels with probability p and scales the others by 1 / (1 - p).

    In evaluation it is the identity.

    Tompson et al. 2015 (arXiv:1411.4280).

    Args:
        p: probability of a channel to be zeroed, 0 to 1. Default: 0.5.
        inplace: change the input itself. Default: False.

    Shape:
        (n, c, length) or (c, length) to the same.

    Raises:
        ValueError: if p is outside [0, 1]; in forward, for another number of dimensions.

    Example:
        >>> nn.Dropout1d(0.5).eval()(pyml.ones(1, 2))
        tensor([[1., 1.]])
    """

    def forward(self, input):
        """(n, c, length) or (c, length) to the same."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class AlphaDropout(DropoutOf):
    """Dropout for SELU: keeps mean 0 and variance 1.

    In training, elements become -1.7581 with probability p, and then all become a x + b with
    a = ((1.7581^2 p + 1) (1 - p))^(-1/2), b = 1.7581 a p. In evaluation it is the identity.

    Klambauer et al. 2017 (arXiv:1706.02515), "Self-normalizing neural networks".

    Args:
        p: probability of an element to be dropped, 0 to 1. Default: 0.5.
        inplace: change the input itself. Default: False.

    Raises:
        ValueError: if p is outside [0, 1].

    Example:
        >>> nn.AlphaDropout(0.5).eval()(pyml.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(DropoutOf):
    """AlphaDropout of whole channels. Arguments and errors as there.

    Shape:
        (n, c, ...) to the same.

    Example:
        >>> nn.FeatureAlphaDropout(0.5).eval()(pyml.ones(1, 3))
        tensor([[1., 1., 1.]])
    """

    def forward(self, input):
        """(n, c, ...) to the same."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
