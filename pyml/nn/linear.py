"""Linear, LazyLinear, Bilinear and Identity."""

import math

from pyml import ops
from pyml.errors import ArgumentError
from pyml.nn import functional as F
from pyml.nn import init
from pyml.nn.lazy import LazyModuleMixin
from pyml.nn.module import Module
from pyml.nn.parameter import Parameter, UninitializedParameter
from pyml.ops.arrays import checked_tensor
from pyml.options import check_counts, check_sizes

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]


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
        check_sizes(self._get_name(), in_features=in_features, out_features=out_features)
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


class LazyLinear(LazyModuleMixin, Linear):
    """A Linear that learns in_features from its first input; it is then a Linear.

    Args:
        out_features: size of each output row.
        bias: add a learned bias. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: an UninitializedParameter, after the first call (out_features, in_features).
        bias: the same, then (out_features); or None.

    Shape:
        (..., in_features) to (..., out_features).

    Raises:
        ValueError: in forward, for an input without dimensions.

    Example:
        >>> net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1))
        >>> net(pyml.zeros(2, 8)).shape
        (2, 1)
        >>> net[2]
        Linear(in_features=4, out_features=1, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features, bias=True, device=None, dtype=None):
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self):
        """Draws weight and bias anew, once they are there."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Makes weight and bias for an input of this shape."""
        if checked_tensor(input, "LazyLinear").dim() == 0:
            raise ArgumentError("LazyLinear: input has no dimension that could be in_features")
        in_features = input.shape[-1]
        if self.has_uninitialized_params():
            self._materialize(weight=(self.out_features, in_features), bias=(self.out_features,))
            self.in_features = in_features
            self.reset_parameters()
        elif self.weight.shape[1] != in_features:
            raise ArgumentError(
                f"LazyLinear: input has {in_features} features (shape {input.shape}), the weight "
                f"that was loaded has {self.weight.shape[1]}"
            )
        self.in_features = in_features


class Bilinear(Module):
    """y[k] = x1^T weight[k] x2 + bias[k].

    weight and bias begin as U(-1/sqrt(in1_features), 1/sqrt(in1_features)), as in PyTorch.

    Args:
        in1_features: size of each row of the first input.
        in2_features: size of each row of the second input.
        out_features: size of each output row.
        bias: add a learned bias. Default: True.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (out_features, in1_features, in2_features).
        bias: (out_features), or None.

    Shape:
        (..., in1_features) and (..., in2_features) to (..., out_features).

    Raises:
        ValueError: if in1_features is not positive; in forward, on shapes that do not go together.

    Example:
        >>> nn.Bilinear(3, 4, 2)(pyml.zeros(5, 3), pyml.zeros(5, 4)).shape
        (5, 2)
    """

    def __init__(
        self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None
    ):
        super().__init__()
        check_counts(self._get_name(), least=1, in1_features=in1_features)
        check_sizes(self._get_name(), in2_features=in2_features, out_features=out_features)
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = out_features, in1_features, in2_features
        self.weight = Parameter(ops.empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(ops.empty(out_features, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        """Draws weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1, input2):
        """(..., in1_features) and (..., in2_features) to (..., out_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        """The sizes, and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
