"""Activations made of other operations: with random slopes, or halves."""

from pyml.errors import ArgumentError, DtypeError
from pyml.ops.activation import leaky_relu, sigmoid
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import rand
from pyml.ops.draws import will_draw_into
from pyml.ops.elementwise import where
from pyml.ops.inplace import replace
from pyml.ops.shape import narrow, wrapped_dim


def with_slopes(x, slopes):
    """x where x > 0, else slopes * x."""
    positive = x > 0
    # of what is not multiplied, inf above all, nothing must reach the gradient of the slopes
    return where(positive, x, where(positive, 0.0, x) * slopes)


def rrelu(input, lower=1 / 8, upper=1 / 3, training=False, inplace=False, *, generator=None):
    """x where x > 0, else slope * x, each slope drawn from U(lower, upper) in training.

    Args:
        input: any shape.
        lower: the least slope. Default: 1/8.
        upper: the largest slope. Default: 1/3.
        training: draw slopes; else all are (lower + upper) / 2. Default: False.
        inplace: change the input itself. Default: False.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        ValueError: if lower is greater than upper, or one is not finite.

    Xu et al. 2015, "Empirical evaluation of rectified activations" (arXiv:1505.00853).

    Example:
        >>> F.rrelu(pyml.tensor([-8.0, 2.0]), 0.25, 0.75)
        tensor([-4.,  2.])
    """
    checked_tensor(input, "rrelu")
    if not (float("-inf") < lower <= upper < float("inf")):
        raise ArgumentError(
            f"rrelu: lower is {lower} and upper {upper}, they must be finite, lower not greater"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    if input.dtype.kind != "f":
        raise DtypeError(f"rrelu: input has dtype {input.dtype}, it must be float32 or float64")
    if not inplace:
        return with_random_slopes(input, lower, upper, generator)
    tracked = will_draw_into(input)
    source = input.clone() if tracked else input
    return replace(input, with_random_slopes(source, lower, upper, generator), "rrelu_")


def with_random_slopes(x, lower, upper, generator):
    slopes = rand(*x.shape, dtype=x.dtype, generator=generator) * (upper - lower) + lower
    return with_slopes(x, slopes)


def rrelu_(input, lower=1 / 8, upper=1 / 3, training=False, *, generator=None):
    """rrelu in place: the input itself is changed, and returned."""
    return rrelu(input, lower, upper, training, True, generator=generator)


def glu(input, dim=-1):
    """a * sigmoid(b), with a and b the halves of the input along `dim`.

    Args:
        input: any shape, but not a single number.
        dim: the dimension that is halved. Default: the last.

    Raises:
        ValueError: if the size of `dim` is odd, or the input is a single number.

    Dauphin et al. 2016, "Language modeling with gated convolutional networks" (arXiv:1612.08083).

    Example:
        >>> F.glu(pyml.tensor([3.0, 4.0, 0.0, 0.0]))
        tensor([1.5, 2. ])
    """
    checked_tensor(input, "glu")
    if input.ndim == 0:
        raise ArgumentError("glu: input is a single number, it must have a dimension to be halved")
    dim = wrapped_dim(dim, input.ndim, "glu")
    size = input.shape[dim]
    if size % 2:
        raise ArgumentError(
            f"glu: dimension {dim} of the input (shape {input.shape}) has size {size}, it must be "
            "even"
        )
    half = size // 2
    return narrow(input, dim, 0, half) * sigmoid(narrow(input, dim, half, half))
