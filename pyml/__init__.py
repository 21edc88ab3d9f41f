"""pyml: training neural networks on a CPU, with PyTorch's names.

    import pyml as torch

Sub-packages are imported when they are first used: nn, optim, autograd, func, distributions, data,
distributed, estimators, tabular, testing, train, io, plot, recording, utils.
"""

import importlib
import os as _os
import sys as _sys
from math import e, inf, nan, pi
from types import ModuleType as _Module

try:
    from pyml import _kernels

    if _os.path.dirname(_kernels.__file__) not in __path__:  # of another one, installed editable
        raise ImportError
except ImportError as _error:  # PYML_ISA is none of this machine's, or nothing is compiled here
    from importlib.machinery import EXTENSION_SUFFIXES as _SUFFIXES
    from pathlib import Path as _Path

    _folder = _Path(__file__).parent
    if not any((_folder / f"_kernels{suffix}").exists() for suffix in _SUFFIXES):
        _error = ImportError(
            f"{_folder} is pyml's source, which is not compiled: leave the folder that it is in, "
            "if pyml is installed, or run `pip install -e .` there"
        )
    if _sys.argv[0].endswith(("/pyml", "\\pyml")) or _sys.orig_argv[1:3] == ["-m", "pyml"]:
        raise SystemExit(f"pyml: error: {_error}") from None  # the shell gets a line
    raise _error from None

from pyml import typed as _typed
from pyml.absent_devices import get_default_device, set_default_device
from pyml.amp import (
    autocast,
    get_autocast_dtype,
    is_autocast_enabled,
    set_autocast_enabled,
)
from pyml.attributes import NAMES as _DTYPES
from pyml.attributes import Size, dtype, get_default_dtype, set_default_dtype
from pyml.config import (
    __version__,
    get_num_interop_threads,
    get_num_threads,
    set_num_interop_threads,
    set_num_threads,
    show_config,
)
from pyml.device_names import device
from pyml.dispatch import entry as _entry
from pyml.dtypes import can_cast, finfo, iinfo, promote_types, set_default_tensor_type
from pyml.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from pyml.ops import linalg as _linalg
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
from pyml.tensor import PRINTED as _PRINTED
from pyml.tensor import Tensor
from pyml.tensor import anomaly_mode as _anomaly_mode
from pyml.tensor import set_anomaly_mode as _set_anomaly_mode

_int, _float = int, float

float32 = float = _DTYPES["float32"]
float64 = double = _DTYPES["float64"]
float16 = half = _DTYPES["float16"]  # this and the next are names alone: no tensor has them
bfloat16 = _DTYPES["bfloat16"]
complex64 = cfloat = _DTYPES["complex64"]
complex128 = cdouble = _DTYPES["complex128"]
int8 = _DTYPES["int8"]
int16 = short = _DTYPES["int16"]
int32 = int = _DTYPES["int32"]
int64 = long = _DTYPES["int64"]
uint8 = _DTYPES["uint8"]
uint16, uint32, uint64 = (_DTYPES[_name] for _name in ("uint16", "uint32", "uint64"))
bool = _DTYPES["bool"]

globals().update(_operations(_PYML))
globals().update({name: getattr(_typed, name) for name in _typed.__all__})

strided = "strided"
preserve_format, contiguous_format = "preserve_format", "contiguous_format"
channels_last, channels_last_3d = "channels_last", "channels_last_3d"  # names alone


def is_tensor(obj):
    """True for a Tensor."""
    return isinstance(obj, Tensor)


def numel(input):
    """The number of elements."""
    return _checked_tensor(input, "numel").numel()


def is_floating_point(input):
    """True for a tensor of float32 or float64."""
    return _checked_tensor(input, "is_floating_point").is_floating_point()


def is_complex(input):
    """False: no tensor is complex."""
    return _checked_tensor(input, "is_complex").is_complex()


def is_inference_mode_enabled():
    """False: inference_mode is no_grad here."""
    return False


def is_nonzero(input):
    """See Tensor.is_nonzero."""
    return _checked_tensor(input, "is_nonzero").is_nonzero()


def is_signed(input):
    """True if its dtype holds negative numbers."""
    return _checked_tensor(input, "is_signed").is_signed()


def is_same_size(input, other):
    """Whether both have one shape."""
    return _checked_tensor(input, "is_same_size").is_same_size(other)


def is_inference(input):
    """False: tensors that are made in inference_mode are as any others."""
    return _checked_tensor(input, "is_inference").is_inference()


def get_device(input):
    """-1, for the CPU."""
    return _checked_tensor(input, "get_device").get_device()


@_entry
def cholesky(input, upper=False):
    """See linalg.cholesky."""
    return _linalg.cholesky(input, upper=upper)


def fill(input, value):
    """A tensor of the shape and dtype of the input with one value in it."""
    return _checked_tensor(input, "fill").clone().fill_(value)


def index_put(input, indices, values, accumulate=False):
    """See Tensor.index_put."""
    return _checked_tensor(input, "index_put").index_put(indices, values, accumulate)


def detach(input):
    """See Tensor.detach."""
    return _checked_tensor(input, "detach").detach()


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """See func.vmap."""
    from pyml import func as of_functions

    return of_functions.vmap(func, in_dims, out_dims, randomness, chunk_size=chunk_size)


def typename(obj):
    """The name of a tensor's class, as "pyml.FloatTensor"; of another object that of its type."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", None)
    return kind.__qualname__ if module in (None, "builtins") else f"{module}.{kind.__qualname__}"


def as_strided_(input, size, stride, storage_offset=None):
    """See Tensor.as_strided_."""
    return _checked_tensor(input, "as_strided_").as_strided_(size, stride, storage_offset)


def detach_(input):
    """See Tensor.detach_."""
    return _checked_tensor(input, "detach_").detach_()


def zero_(input):
    """See Tensor.zero_."""
    return _checked_tensor(input, "zero_").zero_()


def resize_as_(input, the_template, *, memory_format=None):
    """See Tensor.resize_as_."""
    _checked_tensor(input, "resize_as_")
    return input.resize_as_(the_template, memory_format=memory_format)


def index_put_(input, indices, values, accumulate=False):
    """See Tensor.index_put_."""
    return _checked_tensor(input, "index_put_").index_put_(indices, values, accumulate)


@_entry
def lu(A, pivot=True, get_infos=False):
    """See linalg.lu_factor; with get_infos also zeros of int32, one for each matrix."""
    return _linalg.lu_with_infos(A, pivot, get_infos)


@_entry
def lu_solve(b, LU_data, LU_pivots):
    """X of A X = b by the factors that lu(A) gave; see linalg.lu_solve."""
    return _linalg.old_lu_solve(b, LU_data, LU_pivots)


@_entry
def qr(input, some=True):
    """Q and R of input = Q R; see linalg.qr."""
    return _linalg.qr_of_columns(input, some)


@_entry
def svd(input, some=True, compute_uv=True):
    """U, S and V of input = U diag(S) V^T; see linalg.svd."""
    return _linalg.svd_of_columns(input, some, compute_uv)


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Does nothing: results are the same each time, with any number of threads."""


def are_deterministic_algorithms_enabled():
    """True."""
    return True


def is_deterministic_algorithms_warn_only_enabled():
    """False: there is nothing to warn of."""
    return False


def set_deterministic_debug_mode(debug_mode):
    """Does nothing, as use_deterministic_algorithms.

    Args:
        debug_mode: "default", "warn" or "error", or their numbers, 0 to 2.
    """
    if debug_mode not in ("default", "warn", "error", 0, 1, 2):
        raise ValueError(
            f"set_deterministic_debug_mode: debug_mode is {debug_mode!r}, it must be 'default', "
            "'warn' or 'error'"
        )


def get_deterministic_debug_mode():
    """2, "error": nothing is computed in a way that is not deterministic."""
    return 2


def set_flush_denormal(mode):
    """Does nothing: within kernels numbers below the least normal one count as 0, always.

    Returns:
        True for mode=True; False for mode=False, which is not to be had.
    """
    return mode is True


def get_float32_matmul_precision():
    """ "highest": products of float32 are computed in float32."""
    return "highest"


def set_float32_matmul_precision(precision):
    """Does nothing: products of float32 are computed in float32, as "highest" asks.

    Args:
        precision: "highest", "high" or "medium": how much may be lost.
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(
            f"set_float32_matmul_precision: precision is {precision!r}, it must be 'highest', "
            "'high' or 'medium'"
        )


def is_anomaly_enabled():
    """True if operations remember where they are recorded; see autograd.detect_anomaly."""
    return _anomaly_mode()[0]


def is_anomaly_check_nan_enabled():
    """True if a backward that gives NaN raises; see autograd.detect_anomaly."""
    return _anomaly_mode()[1]


def set_anomaly_enabled(mode, check_nan=True):
    """See autograd.set_detect_anomaly."""
    _set_anomaly_mode(mode, mode and check_nan)


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """How tensors are printed.

    Args:
        precision: digits behind the point. Default: 4.
        threshold: tensors of more elements are shortened. Default: 1000.
        edgeitems: how many are shown at each end of these. Default: 3.
        linewidth: letters of a line. Default: 80.
        profile: "default", "short" (2 digits, 2 items) or "full" (all elements).
        sci_mode: True for powers of ten, False for none. Default: as NumPy chooses.

    Example:
        >>> pyml.set_printoptions(precision=2)
        >>> pyml.tensor([1.23456])
        tensor([1.23])
        >>> pyml.set_printoptions(profile="default")
    """
    from sys import maxsize

    profiles = {
        None: {},
        "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "max_line_width": None},
        "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "max_line_width": None},
        "full": {"precision": 4, "threshold": maxsize, "edgeitems": 3, "max_line_width": None},
    }
    if profile not in profiles:
        raise ValueError(
            f"set_printoptions: profile is {profile!r}; default, short, full are known"
        )
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "max_line_width": linewidth,
    }
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if not isinstance(value, (_int, _float)) or value < 0:
            raise ValueError(f"set_printoptions: {name} is {value!r}, it must be a number >= 0")
    _PRINTED.update(profiles[profile] | given)
    if profile == "default" or sci_mode is not None:
        _PRINTED.pop("formatter", None)
        _PRINTED.pop("suppress_small", None)
    if sci_mode:
        digits = _PRINTED["precision"]
        _PRINTED["formatter"] = {"float_kind": lambda x: f"{x:.{digits}e}"}
    elif sci_mode is False:
        _PRINTED["suppress_small"] = True


_MODULES = {
    *("accelerator", "amp", "autograd", "backends", "cuda", "data", "distributed"),
    *("distributions", "estimators", "export", "func", "io", "linalg", "memory", "mps", "nn"),
    *("optim", "plot", "random", "recording", "special", "tabular", "testing", "train", "utils"),
    "xpu",
}
_LATER = {  # names of modules that are imported when one of the names is first used
    "pyml.io": ("load", "save"),
    "pyml.recording": ("RecordError", "host", "record"),
    "pyml.train": ("fit_many", "load_checkpoint", "save_checkpoint", "tune"),
}

__all__ = [
    *(n for n, value in globals().items() if n[0] != "_" and not isinstance(value, _Module)),
    *_LATER["pyml.recording"],
]


def __dir__():
    later = (name for names in _LATER.values() for name in names)
    return sorted({*__all__, *_MODULES, *later, *(n for n in globals() if n[:2] == "__")})


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"pyml.{name}")
    for module, names in _LATER.items():
        if name in names:
            found = importlib.import_module(module)
            globals().update({n: getattr(found, n) for n in names})
            return globals()[name]
    from pyml.left_out import absent

    raise absent("pyml", name)
