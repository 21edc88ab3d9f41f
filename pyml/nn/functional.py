"""Layers, activations and losses as functions, with PyTorch's names and arguments.

What they compute stands in pyml.ops. Here is what PyTorch's functions do beyond that: `inplace` of
dropout, and a dimension of softmax that may be left out.
"""

import warnings

from pyml import ops
from pyml.dispatch import entry
from pyml.errors import ArgumentError
from pyml.ops.arrays import checked_tensor
from pyml.ops.draws import will_draw_into
from pyml.ops.inplace import replace
from pyml.ops.names import FUNCTIONAL, operations
from pyml.ops.shape import integer
from pyml.tensor import Tensor

globals().update(operations(FUNCTIONAL))

__all__ = [*operations(FUNCTIONAL), "batch_norm", "dropout", "log_softmax", "softmax", "softmin"]


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) / sum(exp(x)) along `dim`.

    Args:
        input: any shape.
        dim: the dimension whose entries sum to one. Left out, it is chosen as in PyTorch, with a
            warning.
        _stacklevel: how far up the warning points, PyTorch's third argument. Default: 3.
        dtype: convert to this first. Default: keep the input's.
    """
    return ops.softmax(
        input, implicit_dim("softmax", input, _stacklevel) if dim is None else dim, dtype
    )


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-x) along `dim`. Arguments as for softmax."""
    dim = implicit_dim("softmin", input, _stacklevel) if dim is None else dim
    return ops.softmax(-checked_tensor(input, "softmin"), dim, dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(x)) along `dim`, without overflow or loss of digits. Arguments as for softmax."""
    return ops.log_softmax(
        input, implicit_dim("log_softmax", input, _stacklevel) if dim is None else dim, dtype
    )


def implicit_dim(name, input, stacklevel):
    """The dimension that PyTorch takes when none is given."""
    checked_tensor(input, name)
    stacklevel = integer(stacklevel, f"{name}: _stacklevel")
    dim = 0 if input.dim() in (0, 1, 3) else 1
    warnings.warn(
        f"{name}: dim is not given, {dim} is taken for {input.dim()} dimensions; pass dim",
        stacklevel=stacklevel,
    )
    return dim


@entry
def dropout(input, p=0.5, training=True, inplace=False, *, generator=None):
    """In training, zeroes elements with probability p and scales the others by 1 / (1 - p).

    Args:
        input: any shape.
        p: probability of an element to be zeroed, 0 to 1. Default: 0.5.
        training: do it at all. Default: True.
        inplace: change the input itself. Default: False.
        generator: source of the random numbers. Default: the one that pyml.manual_seed seeds.

    Raises:
        ValueError: if p is outside [0, 1].

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """
    if inplace and training and p != 0 and isinstance(input, Tensor):
        will_draw_into(input)
    output = ops.dropout(input, p, training, generator=generator)
    return replace(input, output, "dropout") if inplace and output is not input else output


def batch_norm(
    input,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
    *,
    num_batches_tracked=None,
):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel.

    Ioffe & Szegedy 2015 (arXiv:1502.03167).

    Args:
        input: (n, c) or (n, c, length).
        running_mean, running_var: (c), or None; in training updated in place,
            running <- (1 - momentum) running + momentum batch, where the batch's variance divides
            by n - 1.
        weight, bias: (c), or None.
        training: normalise by the batch's statistics, whose variance divides by n; else by the
            running ones.
        momentum: the weight of the batch in the running statistics, 0 to 1; None for the
            cumulative average, which needs num_batches_tracked. Default: 0.1.
        eps: added to the variance; positive in training, else >= 0. Default: 1e-5.
        num_batches_tracked: int64 of one element, incremented in training. Default: None.

    Raises:
        ValueError: on shapes that do not go together, an eps out of range, or one value per channel
            in training.
    """
    if not eps > 0 and (training or not eps >= 0):
        rule = "positive in training" if training else "non-negative"
        raise ArgumentError(f"batch_norm: eps must be {rule}, it is {eps}")
    return ops.batch_norm(
        input,
        running_mean,
        running_var,
        weight,
        bias,
        training,
        momentum,
        eps,
        num_batches_tracked=num_batches_tracked,
    )


def __getattr__(name):
    from pyml.left_out import absent

    raise absent("pyml.nn.functional", name)
