"""What this process runs on: instruction set, threads, build, versions."""

import operator
import os
import platform
from importlib import import_module

from pyml import _kernels
from pyml.errors import ArgumentError
from pyml.recorder import refuse

__all__ = [
    *("get_num_interop_threads", "get_num_threads", "set_num_interop_threads", "set_num_threads"),
    "show_config",
]

__version__ = "0.1.0"

INT_MAX = 2**31 - 1


def set_num_threads(count):
    """Sets how many threads a kernel may use, the caller's included. No result depends on it.

    The default honours the CPU affinity of the process, its cgroup's quota, and OMP_NUM_THREADS.

    Args:
        count: a positive integer.

    Raises:
        TypeError: if it is not an integer.
        ArgumentError: if it is not positive.
    """
    _kernels.set_num_threads(checked_count(count, "set_num_threads"))


def get_num_threads():
    """How many threads a kernel may use, the caller's included."""
    refuse("get_num_threads()")
    return _kernels.get_num_threads()


def set_num_interop_threads(count):
    """Does nothing: operations run one after another, each on the threads of set_num_threads.

    Args:
        count: a positive integer.

    Raises:
        TypeError, ValueError: if it is none.
    """
    checked_count(count, "set_num_interop_threads")


def get_num_interop_threads():
    """1: operations run one after another."""
    return 1


def checked_count(count, name):
    """A number of threads, as an int that C has too."""
    try:
        number = operator.index(count)
    except TypeError:
        raise TypeError(f"{name}: count is {count!r}, it must be an integer") from None
    if not 1 <= number <= INT_MAX:
        raise ArgumentError(f"{name}: count is {number}, it must be at least 1")
    return number


def show_config(mode="stdout"):
    """Prints what pyml runs on, as numpy.show_config does.

    Args:
        mode: "stdout" prints; "dicts" returns a dict of strings, numbers and lists.

    Example:
        >>> pyml.show_config(mode="dicts")["threads"]
        2
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"show_config: mode is {mode!r}, it must be 'stdout' or 'dicts'")
    compiler = _kernels.compiler()
    config = {
        "pyml": __version__,
        "python": platform.python_version(),
        **{name: import_module(name).__version__ for name in ("numpy", "safetensors", "tqdm")},
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": get_num_threads(),
        "isa": _kernels.selected_isa(),
        "isas available": _kernels.available_isas(),
        "bfloat16": _kernels.selected_bfloat16() or "none: autocast computes in float32",
        "compiler": compiler if compiler[0].isalpha() else f"GCC {compiler}",  # Clang says its name
    }
    if mode == "dicts":
        return config
    width = max(map(len, config))
    for name, value in config.items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:<{width}}  {text}")
    return None
