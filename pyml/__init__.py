"""pyml: training neural networks on a CPU, with PyTorch's names.

    import pyml as torch

Sub-packages are imported when they are first used: nn, optim, autograd, data, train, io, plot.
"""

import importlib
from math import e, inf, nan, pi

import numpy as np

from pyml.config import __version__, get_num_threads, set_num_threads, show_config
from pyml.ops import (
    abs,
    add,
    addcdiv,
    addcmul,
    all,
    allclose,
    amax,
    amin,
    any,
    arange,
    argmax,
    argmin,
    as_tensor,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    bmm,
    broadcast_shapes,
    broadcast_tensors,
    cat,
    ceil,
    chunk,
    clamp,
    clone,
    cos,
    cumsum,
    div,
    dot,
    dropout,
    empty,
    empty_like,
    eq,
    equal,
    exp,
    expm1,
    eye,
    flatten,
    flip,
    floor,
    floor_divide,
    from_numpy,
    full,
    full_like,
    gather,
    ge,
    gt,
    index_select,
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    lerp,
    linspace,
    log,
    log1p,
    log_softmax,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    logsumexp,
    lt,
    masked_fill,
    masked_select,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    mm,
    moveaxis,
    movedim,
    mul,
    mv,
    narrow,
    ne,
    neg,
    nonzero,
    norm,
    normal,
    ones,
    ones_like,
    permute,
    pow,
    prod,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    reciprocal,
    relu,
    remainder,
    reshape,
    result_type,
    round,
    rsqrt,
    scatter,
    scatter_add,
    select,
    sigmoid,
    sign,
    sin,
    softmax,
    split,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    sub,
    sum,
    swapaxes,
    t,
    take_along_dim,
    tanh,
    tensor,
    transpose,
    unbind,
    unflatten,
    unsqueeze,
    var,
    where,
    zeros,
    zeros_like,
)
from pyml.ops.arrays import checked_tensor as _checked_tensor
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
from pyml.tensor import Tensor, enable_grad, is_grad_enabled, no_grad, set_grad_enabled

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = short = np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
bool = np.dtype(np.bool_)

absolute, clip, concat, multiply, negative, subtract, true_divide = (
    abs, clamp, cat, mul, neg, sub, div,
)  # fmt: skip


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
    if name in ("autograd", "data", "io", "nn", "optim", "plot", "recording", "train"):
        return importlib.import_module(f"pyml.{name}")
    if name in ("load", "save"):
        return getattr(importlib.import_module("pyml.io"), name)
    if name in ("load_checkpoint", "save_checkpoint"):
        return getattr(importlib.import_module("pyml.train"), name)
    raise AttributeError(f"module 'pyml' has no attribute {name!r}")
