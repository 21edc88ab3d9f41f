"""Functions of dtypes: their limits, which one takes another."""

import numpy as np

from pyml.attributes import NAMES, dtype, get_default_dtype, set_default_dtype
from pyml.ops.operands import checked_dtype, result_type
from pyml.tensor import Tensor

__all__ = ["can_cast", "finfo", "iinfo", "promote_types", "set_default_tensor_type"]

FLOATS = {"float16": np.float16, "float32": np.float32, "float64": np.float64}


class finfo:
    """The limits of a floating point dtype: eps, max, min, tiny, smallest_normal, resolution, bits.

    Args:
        type: a dtype. Default: the default one.

    Example:
        >>> pyml.finfo(pyml.float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, type=None):
        type = get_default_dtype() if type is None else type
        name = type.name if isinstance(type, dtype) else checked_dtype(type, "finfo").name
        if name == "bfloat16":
            limits = 2.0**-7, (2 - 2.0**-7) * 2.0**127, 2.0**-126, 0.01, 16
        elif name in FLOATS:
            of_numpy = np.finfo(FLOATS[name])
            limits = of_numpy.eps, of_numpy.max, of_numpy.tiny, of_numpy.resolution, of_numpy.bits
        else:
            raise TypeError(f"finfo: type is {type}, it must be a floating point dtype")
        self.eps, self.max, self.tiny, self.resolution = map(float, limits[:4])
        self.min, self.smallest_normal = -self.max, self.tiny
        self.bits, self.dtype = limits[4], name

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype: max, min, bits.

    Args:
        type: a dtype.

    Example:
        >>> pyml.iinfo(pyml.uint8).max
        255
    """

    def __init__(self, type):
        of_numpy = checked_dtype(type, "iinfo")
        if of_numpy.kind not in "iu":
            raise TypeError(f"iinfo: type is {type}, it must be an integer dtype")
        limits = np.iinfo(of_numpy)
        self.min, self.max = int(limits.min), int(limits.max)
        self.bits, self.dtype = limits.bits, of_numpy.name

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def promote_types(type1, type2):
    """The dtype in which tensors of both are computed together."""
    a, b = (Tensor._on(np.empty(0, checked_dtype(t, "promote_types"))) for t in (type1, type2))
    return result_type(a, b)


def can_cast(from_, to):
    """Whether a tensor of one dtype may be written into another: bool < integers < floats."""
    order = "buif"
    a, b = (order.index(checked_dtype(t, "can_cast").kind) for t in (from_, to))
    return a <= b or {order[a], order[b]} == {"u", "i"}


def set_default_tensor_type(t):
    """set_default_dtype() by a class: pyml.FloatTensor or DoubleTensor, or the name of one."""
    kinds = {"FloatTensor": "float32", "DoubleTensor": "float64"}
    name = t.rpartition(".")[2] if isinstance(t, str) else getattr(t, "__name__", "")
    if name not in kinds:
        raise TypeError(
            f"set_default_tensor_type: t is {t!r}, it must be FloatTensor or DoubleTensor"
        )
    set_default_dtype(NAMES[kinds[name]])
