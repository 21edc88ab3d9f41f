"""Linear and Identity."""

import math

from pyml import ops
from pyml.nn import init
from pyml.nn.module import Module
from pyml.nn.parameter import Parameter

__all__ = ["Identity", "Linear"]


class Identity(Module):
    """Gives back its input. Takes any arguments, so that it can stand in for any layer."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        """The input itself."""
        return input


class Linear(Module):
    """y = x weight^T + bias.

    weight and bias begin as U(-1/sqrt(in_features), 1/sqrt(in_features)), as in PyTorch.

    Args:
        in_features: size of each input row.
        out_features: size of each output row.
        bias: add a learned bias. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features), or None.

    Shape:
        (..., in_features) to (..., out_features).

    Raises:
        ValueError: in forward, if the last dimension of the input is not in_features.

    Example:
        >>> nn.Linear(3, 2)(pyml.zeros(5, 3)).shape
        (5, 2)
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(ops.empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(ops.empty(out_features, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        """Draws weight and bias anew."""
        if self.weight.numel() > 0:
            init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input):
        """(..., in_features) to (..., out_features)."""
        return ops.linear(input, self.weight, self.bias)

    def extra_repr(self):
        """The sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
