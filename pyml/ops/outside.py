"""The gate for arrays from outside: files, states, and what other libraries made.

Kernels know numbers of a few types in this machine's byte order. What else NumPy can hold is
converted here where no value changes, or refused by name; C sees only what passed.
"""

import numpy as np

from pyml.ops.operands import checked_dtype
from pyml.recorder import unwatched
from pyml.tensor import Tensor

__all__ = ["arrived", "unmasked"]


def unmasked(value, place):
    """`value`, which is no masked array: what its mask hides would come to light.

    Raises:
        TypeError: if it is one.
    """
    # np.ma is imported when it is asked for, in 15 ms: not for what cannot be of it
    if (
        type(value) is not np.ndarray
        and isinstance(value, np.ndarray)
        and isinstance(value, np.ma.MaskedArray)
    ):
        raise TypeError(f"{place} is a masked array; .filled(value) says what is behind the mask")
    return value


def arrived(value, place, *, shared=False):
    """`value` as a plain array of a dtype that a Tensor can have.

    Args:
        value: a Tensor, a NumPy array or number, or an object that gives an array by __array__().
        place: what it is, for messages, as in "load_state_dict: weight".
        shared: the array must lie on the memory of `value`, so nothing is converted. Default:
            bytes in the order of another machine are swapped, float16 becomes float32; both copy.

    Raises:
        TypeError: if it is none of these, or of another dtype.
    """
    value = unwatched(unmasked(value, place))
    if isinstance(value, Tensor):
        array = value.array
    elif isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        raise TypeError(
            f"{place} is a {type(value).__name__}, it must be a Tensor or a NumPy array"
        )
    if not array.dtype.isnative:
        native = array.dtype.newbyteorder("=")
        checked_dtype(np.float32 if native == np.float16 else native, place)
        if shared:
            raise TypeError(
                f"{place} has dtype {array.dtype.str}, which is not in this machine's byte order; "
                f".astype({native.name!r}) converts it"
            )
        array = array.astype(native)
    if array.dtype == np.float16:
        if shared:
            raise TypeError(
                f"{place} has dtype float16, which is not supported; .astype('float32') converts it"
            )
        with np.errstate(invalid="ignore"):  # ARM tells of NaNs that signal
            array = array.astype(np.float32)
    checked_dtype(array.dtype, place)
    return array
