"""Layers of networks whose weights begin as N(0, 1) and are scaled where they are used.

Holzmueller et al. 2024 (arXiv:2407.04491), "Better by default: strong pre-tuned MLPs and boosted
trees on tabular data"; the parametrisation is that of the neural tangent kernel, Jacot et al. 2018
(arXiv:1806.07572).
"""

import math

from pyml import ops
from pyml.nn import init
from pyml.nn.module import Module
from pyml.nn.numeric import check_last
from pyml.nn.parameter import Buffer, Parameter
from pyml.ops.arrays import checked_tensor
from pyml.options import Range, check_counts, check_number

__all__ = ["AnnealedDropout", "NTPLinear", "ParametricActivation", "ScalingLayer"]


class ScalingLayer(Module):
    """y = x scale, with a learned factor for each feature.

    scale begins as 1. With a large learning rate it chooses features. Holzmueller et al. 2024
    (arXiv:2407.04491), section 3.

    Args:
        num_features: the last dimension.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        scale: (num_features).

    Shape:
        (..., num_features) to the same.

    Raises:
        TypeError, ValueError: if num_features is not a positive integer; ValueError in forward, for
            another number of features.

    Example:
        >>> nn.ScalingLayer(2)(pyml.ones(1, 2)).detach()
        tensor([[1., 1.]])
    """

    def __init__(self, num_features, device=None, dtype=None):
        super().__init__()
        check_counts(self._get_name(), least=1, num_features=num_features)
        self.num_features = num_features
        self.scale = Parameter(ops.ones(num_features, device=device, dtype=dtype))

    def forward(self, input):
        """(..., num_features) to the same."""
        check_last(self, input, self.num_features, "num_features")
        return input * self.scale

    def extra_repr(self):
        """The number of features."""
        return str(self.num_features)


class NTPLinear(Module):
    """y = x weight^T / sqrt(in_features) + bias.

    weight and bias begin as N(0, 1), so that by one learning rate layers of any width change alike:
    the neural tangent parametrisation, Jacot et al. 2018 (arXiv:1806.07572).

    Args:
        in_features: size of each input row.
        out_features: size of each output row.
        bias: add a learned bias. Default: True.
        zero_init: weight and bias begin as 0, as in a last layer. Default: False.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        weight: (out_features, in_features), as of Linear.
        bias: (out_features), or None.

    Shape:
        (..., in_features) to (..., out_features).

    Raises:
        TypeError, ValueError: if a size is not a positive integer; ValueError in forward, if the
            last dimension of the input is not in_features.

    Example:
        >>> nn.NTPLinear(3, 2)(pyml.zeros(5, 3)).shape
        (5, 2)
    """

    def __init__(
        self, in_features, out_features, bias=True, zero_init=False, device=None, dtype=None
    ):
        super().__init__()
        sizes = {"in_features": in_features, "out_features": out_features}
        check_counts(self._get_name(), least=1, **sizes)
        self.in_features = in_features
        self.out_features = out_features
        self.zero_init = zero_init
        self.weight = Parameter(ops.empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(ops.empty(out_features, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self):
        """Draws weight and bias anew."""
        begin = init.zeros_ if self.zero_init else init.normal_
        begin(self.weight)
        if self.bias is not None:
            begin(self.bias)

    def forward(self, input):
        """(..., in_features) to (..., out_features)."""
        check_last(self, input, self.in_features, "in_features")
        alpha = 1 / math.sqrt(self.in_features)
        return ops.scaled_linear(input, self.weight, self.bias, alpha)

    def extra_repr(self):
        """The sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class ParametricActivation(Module):
    """y = x + alpha (f(x) - x): each unit learns how much of an activation it takes.

    alpha begins as 1, which is f; 0 is the identity. Holzmueller et al. 2024 (arXiv:2407.04491).

    Args:
        activation: f, a Module of one input, shape to shape.
        num_features: the last dimension.
        device: "cpu" or None.
        dtype: float32 or float64. Default: float32.

    Attributes:
        alpha: (num_features).

    Shape:
        (..., num_features) to the same.

    Raises:
        TypeError, ValueError: if activation is no Module, or num_features not a positive integer;
            ValueError in forward, for another number of features.

    Example:
        >>> nn.ParametricActivation(nn.ReLU(), 2)(pyml.tensor([[-1.0, 2.0]])).detach()
        tensor([[0., 2.]])
    """

    def __init__(self, activation, num_features, device=None, dtype=None):
        super().__init__()
        if not isinstance(activation, Module):
            raise TypeError(
                f"ParametricActivation: activation is a {type(activation).__name__}, it must be a "
                "Module, such as nn.SELU()"
            )
        check_counts(self._get_name(), least=1, num_features=num_features)
        self.activation = activation
        self.num_features = num_features
        self.alpha = Parameter(ops.ones(num_features, device=device, dtype=dtype))

    def forward(self, input):
        """(..., num_features) to the same."""
        check_last(self, input, self.num_features, "num_features")
        return input + self.alpha * (self.activation(input) - input)


class AnnealedDropout(Module):
    """Dropout whose probability falls from p to 0 over total_steps calls in training.

        p(t) = p                               t < 1/2
        p(t) = p (1 + cos(pi (2 t - 1))) / 2   else,     t = calls / total_steps

    In evaluation it is the identity. The count is a buffer, so that a recorded step draws by
    another probability at each replay, and a state_dict goes on where it stood. The schedule
    "flat_cos" of Holzmueller et al. 2024 (arXiv:2407.04491).

    Args:
        p: of an element to be zeroed, at first, in [0, 1). Default: 0.15.
        total_steps: how many calls in training there will be, >= 1. Default: 1000.

    Attributes:
        count: calls so far, a Tensor of one number.

    Raises:
        TypeError, ValueError: if p is outside [0, 1), or total_steps not a positive integer.

    Example:
        >>> nn.AnnealedDropout(0.15, total_steps=100).eval()(pyml.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, p=0.15, total_steps=1000):
        super().__init__()
        check_number("AnnealedDropout", "p", p, Range(0, 1, "[)"))
        check_counts(self._get_name(), least=1, total_steps=total_steps)
        self.p = p
        self.total_steps = total_steps
        self.count = Buffer(ops.zeros((), dtype="float64"))

    def forward(self, input):
        """Any shape; the output has the same."""
        checked_tensor(input, "AnnealedDropout")
        if not self.training or self.p == 0:
            return input
        turn = (self.count * (2 * math.pi / self.total_steps) - math.pi).clamp(0, math.pi)
        kept = (1 - self.p * (1 + turn.cos()) / 2).to(input.dtype)
        self.count += 1
        return input * ((ops.rand_like(input.detach()) < kept).to(input.dtype) / kept)

    def extra_repr(self):
        """p and total_steps."""
        return f"p={self.p}, total_steps={self.total_steps}"
