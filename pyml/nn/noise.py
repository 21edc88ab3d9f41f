"""Noise on activations, in training."""

from pyml import ops
from pyml.errors import DtypeError
from pyml.nn.module import Module
from pyml.ops.arrays import checked_tensor
from pyml.options import Range, check_number

__all__ = ["GaussianNoise"]


class GaussianNoise(Module):
    """In training, adds to each element a normal number of its own; otherwise the identity.

    On the inputs of a network with a small std it acts as a penalty on the network's derivatives:
    Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".

    Args:
        std: standard deviation of the noise, >= 0. Default: 0.1.
        generator: source of the noise. Default: the one that pyml.manual_seed seeds.

    Shape:
        Any to the same.

    Raises:
        TypeError, ValueError: if std is not a number >= 0; TypeError in forward for an input that
            is not of floats.

    Example:
        >>> nn.GaussianNoise(0.5).eval()(pyml.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, std=0.1, *, generator=None):
        super().__init__()
        check_number("GaussianNoise", "std", std, Range(0))
        self.std = std
        self._generator = generator

    def forward(self, input):
        """Any shape; the output has the same."""
        if not checked_tensor(input, "GaussianNoise").is_floating_point():
            raise DtypeError(f"GaussianNoise: input is of {input.dtype}, it must be of floats")
        if not self.training or self.std == 0:
            return input
        noise = ops.randn(input.shape, dtype=input.dtype, generator=self._generator)
        return input + noise * self.std

    def extra_repr(self):
        """std."""
        return f"std={self.std}"
