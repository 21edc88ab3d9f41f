"""Clipping of gradients, by their norm or by value."""

import math

import numpy as np

from pyml import ops
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.ops.clip_grad import clip_grad_norm_ as clip_by_2_norm
from pyml.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
    """Scales the gradients in place so that their norm, as one vector, is at most max_norm.

        g <- g * min(1, max_norm / (norm + 1e-6))

    Pascanu, Mikolov & Bengio 2013 (arXiv:1211.5063), algorithm 1.

    Args:
        parameters: Tensors or one Tensor; those without a gradient are left out.
        max_norm: the largest norm allowed, >= 0.
        norm_type: p of the p-norm, inf for the largest absolute value. Default: 2.
        error_if_nonfinite: raise if the norm is inf or NaN, and change nothing. Default: False.

    Returns:
        The norm before, a 0-d Tensor.

    Raises:
        ValueError: if max_norm is negative or NaN.
        RuntimeError: for a norm that is not finite, if asked for.

    Example:
        >>> p = nn.Parameter(pyml.zeros(2))
        >>> p.grad = pyml.tensor([3.0, 4.0])
        >>> nn.utils.clip_grad_norm_([p], max_norm=1.0).item()
        5.0
    """
    grads = grads_of(parameters)
    if norm_type == 2:
        return clip_by_2_norm(grads, max_norm, error_if_nonfinite=error_if_nonfinite)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm is {max_norm}, it must be >= 0")
    total = total_norm(grads, float(norm_type))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of the gradients is {total.item()}, it must be finite; "
            "error_if_nonfinite=False scales by it anyway"
        )
    scale = (max_norm / (total + 1e-6)).clamp(max=1)
    # A kernel takes a scale below the smallest normal number as 0: then it is made of two factors.
    part = ops.where(scale < 1e-30, 2.0**-64, 1.0).to(total.dtype)
    scale = (max_norm / ((total + 1e-6) * part)).clamp(max=1)
    for grad in changeable(grads):
        grad.mul_(scale.to(grad.dtype)).mul_(part.to(grad.dtype))
    return total.to(np.result_type(np.float32, *(grad.dtype for grad in grads)))


def total_norm(grads, p):
    """The p-norm of all gradients taken as one vector: the norm of their norms.

    In float64: sums of powers of float32 overflow where their norm, or what it divides, does not.
    """
    norms = [(grad if p == math.inf else grad.double()).norm(p).double() for grad in grads]
    return ops.stack(norms).norm(p) if norms else ops.zeros((), dtype="float64")


@no_grad()
def clip_grad_value_(parameters, clip_value):
    """Clips every element of the gradients in place to [-clip_value, clip_value].

    Args:
        parameters: Tensors or one Tensor; those without a gradient are left out.
        clip_value: the largest absolute value allowed, >= 0.

    Raises:
        ValueError: if clip_value is negative or NaN.
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value is {clip_value}, it must be >= 0")
    for grad in changeable(grads_of(parameters)):
        grad.clamp_(-clip_value, clip_value)


def grads_of(parameters):
    """The gradients there are, each once."""
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    tensors = [checked_tensor(p, "parameters", f"item {i}") for i, p in enumerate(parameters)]
    return list(dict.fromkeys(p.grad for p in tensors if p.grad is not None))


def changeable(grads):
    """`grads`; raises before the first is changed if one cannot be."""
    for grad in grads:
        grad._will_change(False)
    return grads
