"""The structs of csrc/contracts, as ctypes, for kernels that no binding calls."""

import ctypes
from pathlib import Path

from helpers.files import module_of
from helpers.sweep import KERNEL
from pyml import _kernels

NUMBERS = {
    "ptrdiff_t": ctypes.c_ssize_t,
    "int64_t": ctypes.c_int64,
    "double": ctypes.c_double,
    "int": ctypes.c_int,
}

_structs = module_of(Path(__file__).parents[2] / "csrc/structs.py")


def structs(text=None):
    """Each struct of a header (by default of all contracts): name -> ctypes.Structure."""
    found = {}
    for name, fields in _structs.read_structs(text).items():
        members = []
        for field in fields:
            number = ctypes.c_void_p if field.is_pointer else NUMBERS[field.kind]
            members.append((field.name, number * field.count if field.count > 1 else number))
        found[name] = type(name, (ctypes.Structure,), {"_fields_": members})
    return found


STRUCTS = structs()


def submit(kernel, dtype, args):
    """Runs a kernel on a struct of its arguments."""
    _kernels.call(KERNEL[kernel], str(dtype), ctypes.addressof(args), ctypes.sizeof(args))
