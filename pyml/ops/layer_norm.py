"""LayerNorm, RMSNorm, GroupNorm and InstanceNorm: statistics of each example alone.

What one mean and one variance belong to is a channel of batch_norm, whose kernels do the work.
"""

import math

import numpy as np

from pyml.grad_mode import no_grad
from pyml.ops.arrays import real_tensor
from pyml.ops.elementwise import rsqrt, square
from pyml.ops.norm import batch_norm
from pyml.ops.reduce import mean
from pyml.ops.shape import as_sizes, expand, integer, reshape


def check_affine(x, shape, name, **tensors):
    """Raises for a weight or bias that is not of this shape and of x's dtype; None is left out."""
    for argument, t in tensors.items():
        if t is None:
            continue
        real_tensor(t, name, argument)
        if t.shape != shape:
            raise ValueError(f"{name}: {argument} has shape {t.shape}, it must be {shape}")
        if t.dtype != x.dtype:
            raise TypeError(
                f"{name}: {argument} has dtype {t.dtype}, input has {x.dtype}; convert one of them"
            )


def checked_eps(eps, name):
    """`eps`, if it may be added to a variance."""
    if not isinstance(eps, (int, float, np.number)) or isinstance(eps, bool):
        raise TypeError(f"{name}: eps must be a number, not {type(eps).__name__}")
    if not eps >= 0:
        raise ValueError(f"{name}: eps is {eps}, it must not be negative")
    return float(eps)


def standardised(x, rows, eps):
    """(x - mean) / sqrt(var + eps) of each of `rows` parts of x, which follow one another."""
    size = x.numel() // rows if rows else 0
    if size == 1:  # its mean is the number itself
        return (x - x) * (1.0 if eps > 0 else math.nan)
    parts = reshape(x, (1, rows, size))
    return reshape(batch_norm(parts, None, None, training=True, eps=eps), x.shape)


def affine(y, weight, bias):
    """y weight + bias; None is left out."""
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def trailing(x, normalized_shape, name):
    """`normalized_shape` as a tuple, if the last dimensions of x are of these sizes."""
    shape = as_sizes(normalized_shape, name)
    if not shape:
        raise ValueError(f"{name}: normalized_shape is empty, it needs at least one size")
    if x.shape[-len(shape) :] != shape:
        raise ValueError(
            f"{name}: input has shape {x.shape}, its last dimensions must be normalized_shape, "
            f"{shape}"
        )
    return shape


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions of each example.

    The variance divides by the number of elements.

    Ba, Kiros & Hinton 2016 (arXiv:1607.06450).

    Args:
        input: (..., *normalized_shape), float32 or float64.
        normalized_shape: the sizes of the last dimensions, or one size.
        weight, bias: of normalized_shape, or None.
        eps: added to the variance. Default: 1e-5.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, or a negative eps.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.layer_norm(pyml.tensor([[1.0, 3.0], [5.0, 5.0]]), (2,), eps=0.0)[0]
        tensor([-1.,  1.])
    """
    real_tensor(input, "layer_norm")
    shape = trailing(input, normalized_shape, "layer_norm")
    check_affine(input, shape, "layer_norm", weight=weight, bias=bias)
    eps = checked_eps(eps, "layer_norm")
    rows = math.prod(input.shape[: input.ndim - len(shape)])
    return affine(standardised(input, rows, eps), weight, bias)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions of each example.

    Zhang & Sennrich 2019 (arXiv:1910.07467), eq. 4.

    Args:
        input: (..., *normalized_shape), float32 or float64.
        normalized_shape: the sizes of the last dimensions, or one size.
        weight: of normalized_shape, or None.
        eps: added to the mean square. Default: that of the dtype, 2^-23 in float32.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, or a negative eps.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.rms_norm(pyml.tensor([3.0, -3.0]), (2,))
        tensor([ 1., -1.])
    """
    real_tensor(input, "rms_norm")
    shape = trailing(input, normalized_shape, "rms_norm")
    check_affine(input, shape, "rms_norm", weight=weight)
    eps = float(np.finfo(input.dtype).eps) if eps is None else checked_eps(eps, "rms_norm")
    dims = tuple(range(input.ndim - len(shape), input.ndim))
    return affine(input * rsqrt(mean(square(input), dims, keepdim=True) + eps), weight, None)


def along_channels(t, x):
    """A vector of one number a channel, as it broadcasts to x, (n, c, ...)."""
    return None if t is None else reshape(t, (-1, *(1,) * (x.ndim - 2)))


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over groups of channels of each example.

    Wu & He 2018 (arXiv:1803.08494).

    Args:
        input: (n, c, ...), float32 or float64.
        num_groups: how many groups the c channels make; it divides c.
        weight, bias: (c), or None.
        eps: added to the variance. Default: 1e-5.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, a negative eps, or one value in all.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.group_norm(pyml.tensor([[1.0, 3.0, 20.0, 40.0]]), 2)
        tensor([[-1.,  1., -1.,  1.]])
    """
    real_tensor(input, "group_norm")
    if input.ndim < 2:
        raise ValueError(f"group_norm: input has shape {input.shape}, it must be (n, c, ...)")
    groups = integer(num_groups, "group_norm: num_groups")
    n, c = input.shape[:2]
    if groups < 1 or c % groups:
        raise ValueError(
            f"group_norm: num_groups is {groups}, it must be positive and divide the {c} channels"
        )
    check_affine(input, (c,), "group_norm", weight=weight, bias=bias)
    eps = checked_eps(eps, "group_norm")
    if input.numel() == groups and n == 1:
        raise ValueError(
            f"group_norm: input of shape {input.shape} has one value in each of {groups} groups; "
            "it needs more than 1"
        )
    y = standardised(input, n * groups, eps)
    return affine(y, along_channels(weight, input), along_channels(bias, input))


def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of each example.

    Ulyanov, Vedaldi & Lempitsky 2016 (arXiv:1607.08022).

    Args:
        input: (n, c, length, ...), float32 or float64.
        running_mean, running_var: (c), or None; with use_input_stats updated in place,
            running <- (1 - momentum) running + momentum s, where s is the mean over the examples
            of their means, and of their variances, which divide by length - 1.
        weight, bias: (c), or None.
        use_input_stats: normalise by the statistics of the input; else by the running ones.
            Default: True.
        momentum: the weight of the input in the running statistics, 0 to 1. Default: 0.1.
        eps: added to the variance. Default: 1e-5.

    Returns:
        A tensor of the input's shape.

    Raises:
        ValueError: on shapes that do not go together, or one value per channel.
        TypeError: on dtypes that are not the same.

    Example:
        >>> F.instance_norm(pyml.tensor([[[1.0, 3.0], [20.0, 40.0]]]))
        tensor([[[-1.,  1.],
                 [-1.,  1.]]])
    """
    real_tensor(input, "instance_norm")
    if input.ndim < 3:
        raise ValueError(
            f"instance_norm: input has shape {input.shape}, it must be (n, c, length, ...)"
        )
    n, c = input.shape[:2]
    given = {"running_mean": running_mean, "running_var": running_var}
    check_affine(input, (c,), "instance_norm", weight=weight, bias=bias, **given)
    eps = checked_eps(eps, "instance_norm")
    if (running_mean is None) != (running_var is None):
        raise ValueError("instance_norm: running_mean and running_var must be given together")
    if not use_input_stats:
        if running_mean is None:
            raise ValueError(
                "instance_norm: running_mean and running_var are needed when use_input_stats is "
                "False"
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, eps=eps)
    if math.prod(input.shape[2:]) == 1:
        raise ValueError(
            "instance_norm: expected more than 1 spatial element when training, got input of "
            f"shape {input.shape}"
        )
    parts = reshape(input, (1, n * c, math.prod(input.shape[2:])))
    if running_mean is None:
        y = batch_norm(parts, None, None, training=True, eps=eps)
    else:
        for t in given.values():
            t._will_change(False)
        with no_grad():  # of each example apart, then their mean
            many = [reshape(expand(t, (n, c)), (-1,)).clone() for t in given.values()]
        y = batch_norm(parts, *many, training=True, momentum=momentum, eps=eps)
        with no_grad():
            for t, each in zip(given.values(), many, strict=True):
                if n:
                    t.copy_(mean(reshape(each, (n, c)), 0))
    y = reshape(y, input.shape)
    return affine(y, along_channels(weight, input), along_channels(bias, input))
