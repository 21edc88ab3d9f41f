"""Gradient clipping: one kernel call measures all gradients of a dtype, one scales them."""
import math

cimport numpy as cnp
from numpy cimport ndarray

from contract_optim cimport optim_segment

from pyml cimport _kernels
from pyml.memory cimport new_number
from pyml.ops.arrays cimport empty_scalar, real_tensor
from pyml.ops.segments cimport Segments
from pyml.tensor cimport Tensor, wrap

from pyml.errors import ArgumentError
from pyml.recorder import refuse

cnp.import_array()


cdef double kept_coefficient(double coef, double smallest):
    """See grad_norm_args in csrc/contracts/clip.h."""
    return -(coef * 2.0 ** 64) if 0 < coef < smallest else coef


def clip_grad_norm_(grads, double max_norm, *, bint error_if_nonfinite=False):
    """Scales gradients in place so that their 2-norm, all taken together, is at most max_norm.

        g <- g * min(1, max_norm / (norm + 1e-6))

    Pascanu, Mikolov & Bengio 2013 (arXiv:1211.5063), algorithm 1.

    Args:
        grads: Tensors; one that stands there twice counts once.
        max_norm: the largest norm allowed, >= 0; inf measures only.
        error_if_nonfinite: raise, and scale nothing, if the norm is inf or NaN.

    Returns:
        The norm before scaling, a 0-d Tensor.

    Raises:
        ValueError: if max_norm is negative or NaN.
        TypeError: if a gradient is not a float32 or float64 Tensor.
        RuntimeError: for a norm that is not finite, if asked for.
    """
    if not max_norm >= 0:
        raise ArgumentError(f"clip_grad_norm_: max_norm is {max_norm}, it must be >= 0")
    cdef dict distinct = {id(g): real_tensor(g, "clip_grad_norm_", "a gradient") for g in grads}
    cdef Segments all = Segments()
    cdef optim_segment *s
    cdef Tensor g
    cdef ndarray norm32 = new_number(0, NULL, cnp.NPY_FLOAT32, 0)
    cdef ndarray norm64 = new_number(0, NULL, cnp.NPY_FLOAT64, 0)
    cdef ndarray coef32 = empty_scalar(norm32), coef64 = empty_scalar(norm64)
    all.acquire()
    all.reserve(len(distinct))
    for g in distinct.values():
        s = all.append(g.array)
        s.g = s.w
    cdef optim_segment *doubles = all.double_segments()
    if all.floats > 0:
        _kernels.grad_norm(norm32, coef32, all.table, all.floats, max_norm, all.float_time)
    if all.doubles > 0:
        _kernels.grad_norm(norm64, coef64, doubles, all.doubles, max_norm, all.double_time)
    cdef double total, coef
    if all.floats > 0 and all.doubles > 0:
        refuse("clip_grad_norm_ of float32 and float64 gradients together")
        total = math.hypot(norm32.item(), norm64.item())
        coef = max_norm / (total + 1e-6)
        norm64.fill(total)
        coef64.fill(1 if coef > 1 else kept_coefficient(coef, 2.0 ** -1022))
        coef32.fill(1 if coef > 1 else kept_coefficient(coef, 2.0 ** -126))
    cdef ndarray norm = norm64 if all.doubles > 0 else norm32
    all.tell()
    if error_if_nonfinite:
        refuse("clip_grad_norm_ with error_if_nonfinite=True")
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of the gradients is {norm.item()}, it must be finite; "
            "error_if_nonfinite=False scales by it anyway"
        )
    if all.floats > 0:
        _kernels.scale_segments(all.table, all.floats, coef32, all.float_time)
    if all.doubles > 0:
        _kernels.scale_segments(doubles, all.doubles, coef64, all.double_time)
    all.write_back()
    for g in distinct.values():
        g.mark_changed()
    return wrap(norm)
