"""The norm of gradients, and clipping them by it or by value."""

import math
import types
import warnings

import numpy as np

from pyml import ops
from pyml.dispatch import check_values
from pyml.errors import ArgumentError, DtypeError
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.ops.clip_grad import clip_grad_norm_ as clip_by_2_norm
from pyml.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scales the gradients in place so that their norm, as one vector, is at most max_norm.

        g <- g * min(1, max_norm / (norm + 1e-6))

    Pascanu, Mikolov & Bengio 2013 (arXiv:1211.5063), algorithm 1.

    Args:
        parameters: Tensors or one Tensor; those without a gradient are left out.
        max_norm: the largest norm allowed, >= 0.
        norm_type: p of the p-norm, inf for the largest absolute value. Default: 2.
        error_if_nonfinite: raise if the norm is inf or NaN, and change nothing. Default: False.
        foreach: how PyTorch computes it; of no effect.

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
    check_bound("clip_grad_norm_", "max_norm", max_norm)
    total = norm_of(grads, norm_type)
    if error_if_nonfinite:
        check_finite("clip_grad_norm_", total)
    scale_to(grads, max_norm, total)
    return total.to(result_dtype(grads))


@no_grad()
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors taken as one vector: what clip_grad_norm_ measures of gradients.

        (sum |x|^p)^(1/p)

    Computed in float64, outside the graph.

    Args:
        tensors: Tensors or one Tensor, of any shapes. One that stands there twice counts twice.
        norm_type: p of the p-norm, inf for the largest absolute value. Default: 2.
        error_if_nonfinite: raise if the norm is inf or NaN. Default: False.
        foreach: how PyTorch computes it; of no effect.

    Returns:
        A 0-d Tensor: float64 if one of the tensors is, else float32. 0 of no tensors.

    Raises:
        TypeError: if an item is not a Tensor of float32 or float64.
        RuntimeError: for a norm that is not finite, if asked for.

    Example:
        >>> nn.utils.get_total_norm([pyml.tensor([3.0]), pyml.tensor([[4.0]])]).item()
        5.0
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    check_values("get_total_norm", tuple(tensors))
    for i, tensor in enumerate(tensors):
        if not checked_tensor(tensor, "get_total_norm", f"item {i}").is_floating_point():
            raise DtypeError(
                f"get_total_norm: item {i} has dtype {tensor.dtype}, it must be float32 or "
                "float64; .float() converts it"
            )
    total = norm_of(tensors, norm_type)
    if error_if_nonfinite:
        check_finite("get_total_norm", total)
    return total.to(result_dtype(tensors))


@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scales the gradients in place by the norm that they are said to have.

        g <- g * min(1, max_norm / (total_norm + 1e-6))

    get_total_norm and this are clip_grad_norm_, for a norm of more than these parameters, or of
    some of them.

    Args:
        parameters: Tensors or one Tensor; those without a gradient are left out.
        max_norm: the largest norm allowed, >= 0.
        total_norm: the norm, a Tensor of one element, or a number.
        foreach: how PyTorch computes it; of no effect.

    Raises:
        ValueError: if max_norm is negative or NaN, or total_norm has more elements than one.
        TypeError: if total_norm is neither a Tensor nor a number.

    Example:
        >>> p = nn.Parameter(pyml.zeros(2))
        >>> p.grad = pyml.tensor([3.0, 4.0])
        >>> total = nn.utils.get_total_norm([p.grad])
        >>> nn.utils.clip_grads_with_norm_([p], 2.5, total)
        >>> p.grad
        tensor([1.5, 2. ])
    """
    check_bound("clip_grads_with_norm_", "max_norm", max_norm)
    if isinstance(total_norm, (int, float, np.integer, np.floating)):
        total_norm = ops.tensor(float(total_norm), dtype="float64")
    checked_tensor(total_norm, "clip_grads_with_norm_", "total_norm")
    if total_norm.numel() != 1:
        raise ArgumentError(
            f"clip_grads_with_norm_: total_norm has shape {total_norm.shape}, it must have one "
            "element"
        )
    scale_to(grads_of(parameters), max_norm, total_norm.double().reshape(()))


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clips every element of the gradients in place to [-clip_value, clip_value].

    Args:
        parameters: Tensors or one Tensor; those without a gradient are left out.
        clip_value: the largest absolute value allowed, >= 0.
        foreach: how PyTorch computes it; of no effect.

    Raises:
        ValueError: if clip_value is negative or NaN.
    """
    check_bound("clip_grad_value_", "clip_value", clip_value)
    for grad in changeable(grads_of(parameters)):
        grad.clamp_(-clip_value, clip_value)


def norm_of(tensors, norm_type):
    """The p-norm of all tensors taken as one vector: the norm of their norms.

    In float64: sums of powers of float32 overflow where their norm, or what it divides, does not.
    """
    p = float(norm_type)
    norms = [(each if p == math.inf else each.double()).norm(p).double() for each in tensors]
    return ops.stack(norms).norm(p) if norms else ops.zeros((), dtype="float64")


def scale_to(grads, max_norm, total):
    """Scales gradients of the norm `total` in place to at most max_norm."""
    scale = (max_norm / (total + 1e-6)).clamp(max=1)
    # A kernel takes a scale below the smallest normal number as 0: then it is made of two factors.
    part = ops.where(scale < 1e-30, 2.0**-64, 1.0).to(total.dtype)
    scale = (max_norm / ((total + 1e-6) * part)).clamp(max=1)
    for grad in changeable(grads):
        grad.mul_(scale.to(grad.dtype)).mul_(part.to(grad.dtype))


def check_bound(name, argument, bound):
    if not bound >= 0:
        raise ArgumentError(f"{name}: {argument} is {bound}, it must be >= 0")


def check_finite(name, total):
    if not math.isfinite(total.item()):
        raise RuntimeError(
            f"{name}: the norm of the gradients is {total.item()}, it must be finite; "
            "error_if_nonfinite=False goes on with it anyway"
        )


def result_dtype(tensors):
    return np.result_type(np.float32, *(tensor.dtype for tensor in tensors))


def grads_of(parameters):
    """The gradients there are, each once; warns of a generator that has given its parameters."""
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    is_generator, parameters = isinstance(parameters, types.GeneratorType), list(parameters)
    if is_generator and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
        )
    tensors = [checked_tensor(p, "parameters", f"item {i}") for i, p in enumerate(parameters)]
    return list(dict.fromkeys(p.grad for p in tensors if p.grad is not None))


def changeable(grads):
    """`grads`; raises before the first is changed if one cannot be."""
    for grad in grads:
        grad._will_change(False)
    return grads
