"""Accelerators, of which there are none: is_available() is False."""

from pyml.absent_devices import missing
from pyml.cuda import device_count, is_available, synchronize

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "device_count",
    "is_available",
    "set_device_idx",
    "set_device_index",
    "synchronize",
]


def current_accelerator(check_available=False):
    """None."""
    return None


current_device_index = current_device_idx = missing("accelerator.current_device_index")
set_device_index = set_device_idx = missing("accelerator.set_device_index")
