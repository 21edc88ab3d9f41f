"""Devices that are not there, as constants: what scripts ask before they choose the CPU."""

from pyml.device_names import CPU
from pyml.ops.shape import check_device

__all__ = ["get_default_device", "set_default_device"]


def get_default_device():
    """The device that tensors are made on: the CPU."""
    return CPU


def set_default_device(device):
    """Does nothing for the CPU; None means it, too.

    Raises:
        ValueError: for another device.
    """
    check_device(device, "set_default_device")


def missing(name):
    """A function that says that there is no such device."""

    def refuse(*args, **kwargs):
        raise RuntimeError(f"{name}: there is no such device; tensors are on the CPU")

    refuse.__name__ = name.rpartition(".")[2]
    refuse.__doc__ = "Refused: there is no such device."
    return refuse


def nothing(name, meaning):
    """A function for which there is nothing to do."""

    def do_nothing(*args, **kwargs):
        return None

    do_nothing.__name__, do_nothing.__doc__ = name, meaning
    return do_nothing
