"""Activations as modules."""

from pyml.nn import functional as F
from pyml.nn.module import Module

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class ReLU(Module):
    """max(x, 0).

    Args:
        inplace: change the input itself. Default: False.

    Example:
        >>> nn.ReLU()(pyml.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.relu(input, self.inplace)

    def extra_repr(self):
        """`inplace`, if set."""
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x (Maas et al. 2013).

    Args:
        negative_slope: the slope for x < 0. Default: 0.01.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        """The slope, and `inplace` if set."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015, arXiv:1511.07289).

    Args:
        alpha: minus the limit for x -> -inf. Default: 1.0.
        inplace: change the input itself. Default: False.
    """

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self):
        """alpha, and `inplace` if set."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SiLU(Module):
    """x * sigmoid(x), also called swish (Elfwing et al. 2017, arXiv:1702.03118).

    Args:
        inplace: change the input itself. Default: False.
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.silu(input, self.inplace)

    def extra_repr(self):
        """`inplace`, if set."""
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.tanh(input)


class GELU(Module):
    """x * Phi(x), with Phi the normal distribution (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Args:
        approximate: "none" for Phi by erf, or "tanh" for
            0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Default: "none".

    Raises:
        ValueError: in forward, for another `approximate`.
    """

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.gelu(input, self.approximate)

    def extra_repr(self):
        """The form."""
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold.

    Args:
        beta: sharpness. Default: 1.
        threshold: where it becomes linear. Default: 20.
    """

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        """beta and threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """exp(x) / sum(exp(x)) along `dim`.

    Args:
        dim: the dimension whose entries sum to one. Left out, it is chosen as in PyTorch, with a
            warning.
    """

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.softmax(input, self.dim)

    def extra_repr(self):
        """The dimension."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """log(softmax(x)) along `dim`, without overflow or loss of digits.

    Args:
        dim: the dimension whose probabilities sum to one. Left out, it is chosen as in PyTorch,
            with a warning.
    """

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """Any shape; the output has the same."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self):
        """The dimension."""
        return f"dim={self.dim}"
