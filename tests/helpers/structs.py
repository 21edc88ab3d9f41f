"""The structs of csrc/pyml_kernels.h, as ctypes, for kernels that no binding calls."""

import ctypes
import re
from pathlib import Path

from helpers.sweep import KERNEL
from pyml import _kernels

HEADER = (Path(__file__).parents[2] / "csrc/pyml_kernels.h").read_text()
NUMBERS = {
    "ptrdiff_t": ctypes.c_ssize_t,
    "int64_t": ctypes.c_int64,
    "double": ctypes.c_double,
    "int": ctypes.c_int,
}


def structs(text):
    """Each struct of a header: name -> ctypes.Structure."""
    text = re.sub(r"/\*[\s\S]*?\*/", "", text)
    sizes = {name: int(size) for name, size in re.findall(r"enum \{ (\w+) = (\d+) \}", text)}
    found = {}
    for body, name in re.findall(r"typedef struct \{([^}]*)\} (\w+);", text):
        fields = []
        for kind, names in re.findall(r"(?:const )?(\w+) ([^;]+);", body):
            for star, field, size in re.findall(r"(\*?)(\w+)(?:\[(\w+)\])?(?:,|$)", names):
                number = ctypes.c_void_p if star else NUMBERS[kind]
                fields.append((field, number * sizes[size] if size else number))
        found[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return found


STRUCTS = structs(HEADER)


def submit(kernel, dtype, args):
    """Runs a kernel on a struct of its arguments."""
    _kernels.call(KERNEL[kernel], str(dtype), ctypes.addressof(args), ctypes.sizeof(args))
