"""Mixed precision: products of bfloat16 where the processor has instructions: docs/bfloat16.md."""

import warnings
from functools import wraps

from pyml import _kernels
from pyml.attributes import NAMES
from pyml.attributes import dtype as dtype_class

__all__ = [
    "autocast",
    "get_autocast_dtype",
    "is_autocast_available",
    "is_autocast_enabled",
    "set_autocast_enabled",
]

bfloat16 = NAMES["bfloat16"]


def checked(device_type, name):
    """The type of a device, which must be a word."""
    if not isinstance(device_type, str):
        raise TypeError(f"{name}: device_type is {device_type!r}, it must be a str such as 'cpu'")
    return device_type


class autocast:
    """Context manager and decorator: float32 products are of bfloat16, with sums of float32.

    Linear layers and matmul round their operands to bfloat16, to nearest even, and so do the
    backwards of what was computed inside, wherever they run. Results, gradients, weights and all
    else stay float32; float64 is as ever. On a processor without such instructions products are
    those of float32, and a warning says so; show_config() names what there is. The mode is that of
    a thread, and a recorded step has a variant for each.

    PyTorch's results are rounded to bfloat16 too; here they are float32, which is as fast and
    nearer to the product.

    Args:
        device_type: "cpu". With another, which is not there, it is off, and a warning says so.
            Default: "cpu".
        dtype: bfloat16. With another it is off, and a warning says so. Default: None, bfloat16.
        enabled: False turns it off inside. Default: True.
        cache_enabled: of no effect, as no rounded weights are kept.

    Raises:
        TypeError: if device_type is no str, or dtype no dtype.

    Example:
        >>> with pyml.autocast():
        ...     loss = criterion(model(x), target)
        >>> loss.backward()
    """

    def __init__(self, device_type="cpu", dtype=None, enabled=True, cache_enabled=None):
        if dtype is not None and not isinstance(dtype, dtype_class):
            raise TypeError(f"autocast: dtype is {dtype!r}, it must be pyml.bfloat16 or None")
        self._enabled, self._before = bool(enabled), []
        self._other = checked(device_type, "autocast") != "cpu"
        if not enabled:
            return
        reason = None
        if self._other:
            reason = f"there is no {device_type}, it is off"
        elif dtype not in (None, bfloat16):
            reason = f"dtype is {dtype}, and the processor has bfloat16 alone: it is off"
        elif _kernels.selected_bfloat16() is None:
            warnings.warn(
                "autocast: this processor multiplies no bfloat16, products are of float32",
                stacklevel=2,
            )
        if reason is not None:
            self._enabled = False
            warnings.warn(f"autocast: {reason}", stacklevel=2)

    def __enter__(self):
        self._before.append(_kernels.is_autocast_enabled())
        if not self._other:
            _kernels.set_autocast_enabled(self._enabled)
        return self

    def __exit__(self, *error):
        _kernels.set_autocast_enabled(self._before.pop())
        return False

    def __call__(self, function):
        @wraps(function)
        def call(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return call


def is_autocast_enabled(device_type="cpu"):
    """True inside autocast on this thread.

    Args:
        device_type: "cpu"; it is False for others. Default: "cpu".
    """
    return checked(device_type, "is_autocast_enabled") == "cpu" and _kernels.is_autocast_enabled()


def set_autocast_enabled(device_type, enabled):
    """Turns autocast on or off on this thread.

    Args:
        device_type: "cpu".
        enabled: True or False.

    Raises:
        ValueError: for another device.
    """
    if checked(device_type, "set_autocast_enabled") != "cpu":
        raise ValueError(f"set_autocast_enabled: there is no {device_type}; pass 'cpu'")
    _kernels.set_autocast_enabled(bool(enabled))


def get_autocast_dtype(device_type):
    """What autocast rounds operands to: bfloat16.

    Args:
        device_type: "cpu".

    Raises:
        ValueError: for another device.
    """
    if checked(device_type, "get_autocast_dtype") != "cpu":
        raise ValueError(f"get_autocast_dtype: there is no {device_type}; pass 'cpu'")
    return bfloat16


def is_autocast_available(device_type):
    """True for "cpu": autocast can be used, and where there are no instructions it changes nothing.

    Args:
        device_type: the type of a device, as "cpu".
    """
    return checked(device_type, "is_autocast_available") == "cpu"
