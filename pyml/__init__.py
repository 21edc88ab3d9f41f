"""pyml: training neural networks on a CPU, with PyTorch's names.

    import pyml as torch

Sub-packages are imported when they are first used: nn, optim, autograd, distributions, data, train,
io, plot, utils.
"""

import importlib
from math import e, inf, nan, pi

import numpy as np

from pyml.config import __version__, get_num_threads, set_num_threads, show_config
from pyml.grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from pyml.ops.arrays import checked_tensor as _checked_tensor
from pyml.ops.names import PYML as _PYML
from pyml.ops.names import operations as _operations
from pyml.random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from pyml.recording import RecordError, host, record
from pyml.tensor import Tensor

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = short = np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

globals().update(_operations(_PYML))


def is_tensor(obj):
    """True for a Tensor."""
    return isinstance(obj, Tensor)


def numel(input):
    """The number of elements."""
    return _checked_tensor(input, "numel").numel()


def is_floating_point(input):
    """True for a tensor of float32 or float64."""
    return _checked_tensor(input, "is_floating_point").is_floating_point()


def __getattr__(name):
    if name in (
        *("autograd", "data", "distributions", "io", "nn", "optim", "plot", "recording", "train"),
        "utils",
    ):
        return importlib.import_module(f"pyml.{name}")
    if name in ("load", "save"):
        return getattr(importlib.import_module("pyml.io"), name)
    if name in ("load_checkpoint", "save_checkpoint"):
        return getattr(importlib.import_module("pyml.train"), name)
    raise AttributeError(f"module 'pyml' has no attribute {name!r}")
