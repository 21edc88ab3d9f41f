"""Derivatives along a direction, that go with the values: dual tensors.

A tangent is computed when it is asked for, by two backwards of what was recorded, as func.jvp does:
what is computed of a dual tensor requires grad, and under no_grad it has no tangent.
"""

import threading
from contextlib import contextmanager
from typing import NamedTuple

from pyml.autograd.functional import gradients, leads_out, sources
from pyml.backward import run_backward
from pyml.errors import ArgumentError
from pyml.grad_mode import enable_grad, is_grad_enabled
from pyml.ops import zeros_like
from pyml.tensor import Tensor

__all__ = [
    *("UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual"),
    "unpack_dual",
]


class Current(threading.local):
    """The dual tensors of this thread and their tangents; None outside a level."""

    duals = None


current = Current()


class UnpackedDualTensor(NamedTuple):
    """What unpack_dual gives.

    Attributes:
        primal: the values.
        tangent: their derivative along the tangents of make_dual; None if they depend on none.
    """

    primal: Tensor
    tangent: Tensor | None


@contextmanager
def dual_level():
    """Within it tensors may be made dual, and what is computed of them unpacked.

    Example:
        >>> import pyml.autograd.forward_ad as fwAD
        >>> with fwAD.dual_level():
        ...     x = fwAD.make_dual(pyml.tensor([1.0, 2.0]), pyml.tensor([1.0, 0.0]))
        ...     fwAD.unpack_dual(x * x)
        UnpackedDualTensor(primal=tensor([1., 4.]), tangent=tensor([2., 0.]))
    """
    enter_dual_level()
    try:
        yield
    finally:
        exit_dual_level()


def enter_dual_level():
    """Begins what exit_dual_level ends; dual_level is both, for a `with`. The result is 0.

    Raises:
        RuntimeError: within another level.
    """
    if current.duals is not None:
        raise RuntimeError(
            "dual_level: there is one around it; derivatives of tangents are those of func.jvp, "
            "which may stand in another"
        )
    current.duals = []
    return 0


def exit_dual_level(*, level=None):
    """Ends what enter_dual_level began: what is dual has no tangent any more.

    Args:
        level: None, or 0, as there is one.
    """
    opened("exit_dual_level")
    current.duals = None


def opened(name):
    if current.duals is None:
        raise RuntimeError(f"{name}: there is no dual level; use `with dual_level():`")
    return current.duals


def make_dual(tensor, tangent, *, level=None):
    """A tensor with the values of `tensor`, and `tangent` as their derivative.

    Args:
        tensor: a floating-point Tensor.
        tangent: a Tensor of its shape and dtype.
        level: None, or 0, as there is one.

    Raises:
        RuntimeError: outside a dual level, or where gradients are switched off.
        TypeError, ValueError: if the two are no such tensors.
    """
    duals = opened("make_dual")
    for name, value in (("tensor", tensor), ("tangent", tangent)):
        if not isinstance(value, Tensor):
            raise TypeError(f"make_dual: {name} is a {type(value).__name__}, it must be a Tensor")
    if not tensor.is_floating_point():
        raise ArgumentError(
            f"make_dual: tensor has dtype {tensor.dtype}; only float32 and float64 have "
            "derivatives: x.double() converts it"
        )
    if tensor.shape != tangent.shape or tensor.dtype != tangent.dtype:
        raise ArgumentError(
            f"make_dual: tangent has shape {tuple(tangent.shape)} and dtype {tangent.dtype}, those "
            f"of tensor are needed, {tuple(tensor.shape)} and {tensor.dtype}"
        )
    if not is_grad_enabled():
        raise RuntimeError(
            "make_dual: tangents need gradients, and these are off; use enable_grad()"
        )
    (dual,) = sources((tensor,), True)
    duals.append((dual, tangent))
    return dual


def unpack_dual(tensor, *, level=None):
    """The values of a tensor and their tangent, an UnpackedDualTensor.

    Args:
        tensor: a Tensor that was computed of dual tensors, or another.
        level: None, or 0, as there is one.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"unpack_dual: tensor is a {type(tensor).__name__}, it must be a Tensor")
    if not (duals := current.duals) or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    inputs, tangents = zip(*duals, strict=True)
    own = {id(x) for x in inputs if x.is_leaf}
    with enable_grad():
        u = zeros_like(tensor, requires_grad=True)
        products = run_backward((tensor,), (u,), True, True, inputs, False)
        reached = [(p, t) for p, t in zip(products, tangents, strict=True) if p is not None]
        if not reached:
            return UnpackedDualTensor(tensor, None)
        ys, ws = zip(*reached, strict=True)
        (tangent,) = gradients(ys, (u,), ws, True, False)
    own.add(id(u))
    return UnpackedDualTensor(*[t if leads_out(t, own) else t.detach() for t in (tensor, tangent)])
