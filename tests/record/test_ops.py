"""Every operation in a recorded step: the bits of the eager one, or a RecordError. Nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.activations import CALLS as ACTIVATIONS
from helpers.compare import assert_same_bits
from helpers.losses import CASES as PAIR_LOSS_CASES
from helpers.losses import REDUCTIONS as LOSS_REDUCTIONS
from pyml import Tensor, ops
from pyml.nn import functional as F
from pyml.ops import names
from pyml.ops.series import POLYNOMIALS

CALLS = 6  # Python runs 1, 2 and 4, the others are replays

# ---- the table -----------------------------------------------------------------------------------
# name -> calls f(t): f is the function or the method of that name; t.a and t.b are (4, 3), and each
# t.i, (4), is an index below 3, t.m a mask (4, 3).

UNARY = (
    *("abs", "ceil", "cos", "digamma", "erf", "erfc", "erfinv", "exp", "expm1", "floor"),
    *("i0e", "i1e", "isfinite", "isinf", "isnan", "lgamma", "log", "log1p"),
    *("logical_not", "neg", "reciprocal", "round", "rsqrt", "sign", "sin", "sqrt", "square"),
    *("abs_", "ceil_", "exp_", "floor_", "log_", "neg_", "reciprocal_", "round_", "sqrt_"),
    "square_",
)
BINARY = (
    *("add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder", "floor_divide"),
    *("eq", "ne", "lt", "le", "gt", "ge", "isclose", "logical_and", "logical_or", "logical_xor"),
    *("add_", "sub_", "mul_", "div_", "pow_"),
)
REDUCTIONS = ("sum", "mean", "amax", "amin", "prod", "norm", "logsumexp", "all", "any")
COMMUTES_WITH_NUMBERS = ("add", "sub", "mul", "div", "pow", "maximum", "minimum")

CASES = {
    **{name: [lambda f, t: f(t.a)] for name in UNARY},
    **{
        name: [lambda f, t, o=o: f(t.a, **o) for a, o in ACTIVATIONS if a.name == name]
        for name in sorted({a.name for a, _ in ACTIVATIONS})
    },
    **{
        name: [lambda f, t: f(t.a * 1)]
        for name in names.operations(names.FUNCTIONAL)
        if name.endswith("_")
    },
    **{
        name: [
            lambda f, t: f(t.a, t.b),
            lambda f, t: f(t.a, t.b[0]),
            lambda f, t: f(t.a, 2.0),
            lambda f, t: f(t.a, t.b.detach()),
        ]
        for name in BINARY
    },
    **{
        name: [
            lambda f, t: f(t.a, 1),
            lambda f, t: f(t.a, 0, keepdim=True),
            lambda f, t: f(t.a, -1),
        ]
        for name in REDUCTIONS
    },
    "add_": [
        lambda f, t: f(t.a, t.b),
        lambda f, t: f(t.a, t.b, alpha=0.5),
        lambda f, t: f(t.a, t.b[0]),
        lambda f, t: f(t.a, 3),
    ],
    "prelu": [lambda f, t: f(t.a, t.b[0]), lambda f, t: f(t.a, t.b[0, :1])],
    "relu6": [lambda f, t: f(t.a * 4)],
    "rrelu": [lambda f, t: f(t.a), lambda f, t: f(t.a, 0.2, 0.7, training=True)],
    "rrelu_": [lambda f, t: f(t.a * 1), lambda f, t: f(t.a * 1, 0.2, 0.7, training=True)],
    "glu": [lambda f, t: f(t.a, 0), lambda f, t: f(t.a[:, :2])],
    "softmin": [lambda f, t: f(t.a, 1)],
    "threshold_": [lambda f, t: f(t.a * 1, 0.2, 0.5)],
    "addcdiv": [lambda f, t: f(t.a, t.b, t.c, value=0.3)],
    "addcdiv_": [lambda f, t: f(t.a, t.b, t.c, value=0.3)],
    "addcmul": [lambda f, t: f(t.a, t.b, t.c, value=0.3)],
    "addcmul_": [lambda f, t: f(t.a, t.b, t.c)],
    "alpha_dropout": [lambda f, t: f(t.a, 0.4, True), lambda f, t: f(t.a, 0.4)],
    "allclose": [lambda f, t: f(t.a, t.b)],
    "arange": [lambda f, t: f(4).to(t.a.dtype).reshape(4, 1) * t.a],
    "argmax": [lambda f, t: f(t.a), lambda f, t: f(t.a, 1), lambda f, t: f(t.a, 0, keepdim=True)],
    "argmin": [lambda f, t: f(t.a), lambda f, t: f(t.a, 1)],
    "as_tensor": [lambda f, t: f(t.a) * 2, lambda f, t: f(2.0) * t.a],
    "batch_norm": [
        lambda f, t: f(t.a, None, None, training=True),
        lambda f, t: f(t.a, t.b[0].detach(), t.b[1].detach().square(), t.c[0], t.c[1]),
    ],
    "bilinear": [lambda f, t: f(t.a, t.b, t.c.expand(2, 4, 3)[:, :3], t.b[0, :2])],
    "bitwise_and": [lambda f, t: f(t.m, t.a > 0), lambda f, t: f(t.i, t.i + 1)],
    "bitwise_not": [lambda f, t: f(t.m), lambda f, t: f(t.i)],
    "bitwise_or": [lambda f, t: f(t.m, t.a > 0)],
    "bitwise_xor": [lambda f, t: f(t.m, t.a > 0)],
    "bmm": [lambda f, t: f(t.a.reshape(2, 2, 3), t.b.reshape(2, 3, 2))],
    "broadcast_shapes": [lambda f, t: t.a.expand(f(t.a.shape, (2, 4, 3))) * 2],
    "broadcast_tensors": [lambda f, t: [x * 2 for x in f(t.a, t.b[0])]],
    "cat": [
        lambda f, t: f([t.a, t.b]),
        lambda f, t: f([t.a, t.b, t.a], 1),
        lambda f, t: f([t.i, t.i]),
        lambda f, t: f([t.a]),
    ],
    "chunk": [lambda f, t: [x * 2 for x in f(t.a, 2)], lambda f, t: f(t.a * t.b, 2, 1)],
    "clamp": [
        lambda f, t: f(t.a, -0.5, 0.5),
        lambda f, t: f(t.a, min=0.1),
        lambda f, t: f(t.a, max=0.1),
        lambda f, t: f(t.a, t.b, t.b + 1),
    ],
    "clamp_": [lambda f, t: f(t.a, -0.5, 0.5), lambda f, t: f(t.a, min=0.1)],
    "clone": [lambda f, t: f(t.a), lambda f, t: f(t.a.T), lambda f, t: f(t.i)],
    "contiguous": [lambda f, t: f(t.a.T) * 2, lambda f, t: f(t.a) * 2],
    "copy_": [lambda f, t: f(t.a * 1, t.b), lambda f, t: f(t.a * 1, t.b[0])],
    "cosine_similarity": [lambda f, t: f(t.a, t.b), lambda f, t: f(t.a, t.b[0], 0, 0.1)],
    "cross_entropy": [
        lambda f, t: f(t.a, t.i),
        lambda f, t: f(t.a, t.i, reduction="sum", label_smoothing=0.1),
        lambda f, t: f(t.a, t.i, t.b[0].detach().square(), reduction="none"),
        lambda f, t: f(t.a, t.i, ignore_index=1),
        lambda f, t: f(t.a, t.b.detach().square()),
        lambda f, t: f(t.a.reshape(2, 3, 2), t.i.reshape(2, 2)),
    ],
    "polygamma": [lambda f, t: f(1, t.a), lambda f, t: f(0, t.a)],
    "sort": [lambda f, t: f(t.a)],
    "cumsum": [lambda f, t: f(t.a, 0), lambda f, t: f(t.a, 1)],
    "dot": [lambda f, t: f(t.a[0], t.b[0])],
    "dropout": [lambda f, t: f(t.a, 0.4), lambda f, t: f(t.a, 0.4, False), lambda f, t: f(t.a, 1)],
    "dropout1d": [lambda f, t: f(t.a, 0.4), lambda f, t: f(t.a * 1, 0.4, inplace=True)],
    "embedding": [
        lambda f, t: f(t.i, t.a),
        lambda f, t: f(t.i.reshape(2, 2), t.a, 1),
        lambda f, t: f(t.i, t.a, scale_grad_by_freq=True),
        lambda f, t: f(t.i, t.a.detach() * 1, max_norm=0.5) * t.b,
    ],
    "embedding_bag": [
        *(lambda f, t, m=m: f(t.i.reshape(2, 2), t.a, mode=m) for m in ("sum", "mean", "max")),
        *(
            lambda f, t, m=m: f(t.i.reshape(2, 2), t.a, mode=m, padding_idx=1)
            for m in ("sum", "mean", "max")
        ),
        lambda f, t: f(
            t.i.reshape(2, 2), t.a, mode="sum", per_sample_weights=t.b[:, 0].reshape(2, 2)
        ),
        lambda f, t: f(t.i, t.a, t.i[:1] * 0),
    ],
    "empty": [lambda f, t: f(4, 3, dtype=t.a.dtype).copy_(t.a)],
    "empty_like": [lambda f, t: f(t.a).copy_(t.a)],
    "equal": [lambda f, t: f(t.a, t.b)],
    "expand": [lambda f, t: f(t.a[0], (5, 3)) * 2],
    "eye": [lambda f, t: f(4, dtype=t.a.dtype) @ t.a],
    "feature_alpha_dropout": [lambda f, t: f(t.a, 0.4, True), lambda f, t: f(t.a, 0.4)],
    "fill_": [lambda f, t: f(t.a * 1, 2.0) * t.b, lambda f, t: f(t.a * 1, t.b[0, 0])],
    "flatten": [lambda f, t: f(t.a) * 2, lambda f, t: f(t.a.T) * 2],
    "flip": [lambda f, t: f(t.a, 0) * 2, lambda f, t: f(t.a, (0, 1))],
    "from_numpy": [lambda f, t: f(np.ones(3, t.a.dtype)) * t.a],
    "full": [lambda f, t: f((4, 3), 0.5, dtype=t.a.dtype) * t.a],
    "full_like": [lambda f, t: f(t.a, 0.5) * t.a],
    "gather": [
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1)),
        lambda f, t: f(t.a, 0, t.i.reshape(2, 2)),
    ],
    "getitem": [
        lambda f, t: f(t.a, 1) * 2,
        lambda f, t: f(t.a, slice(1, 3)) * 2,
        lambda f, t: f(t.a, (slice(None), 0)) * 2,
        lambda f, t: f(t.a, (..., None, slice(0, 3, 2))) * 2,
        lambda f, t: f(t.a, t.i) * 2,
        lambda f, t: f(t.a, (slice(None), t.i)) * 2,
        lambda f, t: f(t.a, (t.i, t.i)) * 2,
        lambda f, t: f(t.a, [0, 2]) * 2,
        lambda f, t: f(t.a, t.m),
        lambda f, t: f(t.a, t.a > 0),
        lambda f, t: f(t.i, slice(1, 3)) + 1,
    ],
    "group_norm": [lambda f, t: f(t.a, 3), lambda f, t: f(t.a, 1, t.b[0], t.b[1])],
    "index_select": [lambda f, t: f(t.a, 0, t.i), lambda f, t: f(t.a, 1, t.i)],
    "instance_norm": [
        lambda f, t: f(t.a[None]),
        lambda f, t: f(t.a.T[None], t.b[0].detach(), t.b[1].detach().square(), t.c[0], t.c[1]),
    ],
    "jet": [
        lambda f, t: f(pyml.tanh, t.a, 2, [(1, 2)]),
        lambda f, t: f(F.softplus, t.a, 2, [(1, 1)], 2.0, 1.0),
        lambda f, t: f(F.mish, t.a, 1, [(1, 1), (1, 1)]),
    ],
    "jet_linear": [
        lambda f, t: f(t.a.reshape(2, 2, 3), t.b, t.c[:, 0]),
        lambda f, t: f(t.a[None], t.b),
    ],
    "jet_net": [
        lambda f, t: f(t.a, (t.b, t.a.T), (t.c[:, 0], None), (0, 2), [(1, 2)], pyml.tanh),
        lambda f, t: f(t.a, (t.b, t.a.T), (None, t.b[0]), (1,), [], F.softplus, 2.0, 1.0),
        lambda f, t: f(t.a, (t.b, t.a.T), (None, None), (), [], F.mish),
    ],
    "layer_norm": [lambda f, t: f(t.a, 3), lambda f, t: f(t.a, (4, 3), t.b, t.c, 0.1)],
    "lerp": [lambda f, t: f(t.a, t.b, 0.3), lambda f, t: f(t.a, t.b, t.c)],
    "lerp_": [lambda f, t: f(t.a, t.b, 0.3)],
    "linear": [lambda f, t: f(t.a, t.b, t.c[:, 0]), lambda f, t: f(t.a, t.b)],
    "scaled_linear": [lambda f, t: f(t.a, t.b, t.c[:, 0], alpha=0.5)],
    "linspace": [lambda f, t: f(0, 1, 3, dtype=t.a.dtype) * t.a],
    "log_softmax": [lambda f, t: f(t.a, 1), lambda f, t: f(t.a, 0)],
    "masked_fill": [lambda f, t: f(t.a, t.m, 0.5), lambda f, t: f(t.a, t.a > 0, 0.0)],
    "masked_fill_": [lambda f, t: f(t.a, t.m, 0.5)],
    "masked_select": [lambda f, t: f(t.a, t.m)],
    "matmul": [
        lambda f, t: f(t.a, t.b.T),
        lambda f, t: f(t.a.T, t.b),
        lambda f, t: f(t.a, t.b[0]),
        lambda f, t: f(t.a[0], t.b[0]),
        lambda f, t: f(t.a.reshape(2, 2, 3), t.b[:3]),
    ],
    "max": [lambda f, t: f(t.a), lambda f, t: tuple(f(t.a, 1)), lambda f, t: f(t.a, t.b)],
    "mean": [
        lambda f, t: f(t.a),
        lambda f, t: f(t.a, 1),
        lambda f, t: f(t.a, (0, 1), keepdim=True),
    ],
    "min": [lambda f, t: f(t.a), lambda f, t: tuple(f(t.a, 0))],
    "mm": [lambda f, t: f(t.a, t.b.T)],
    "moveaxis": [lambda f, t: f(t.a, 0, 1) * 2],
    "movedim": [lambda f, t: f(t.a, 0, 1) * 2],
    "mv": [lambda f, t: f(t.a, t.b[0])],
    "narrow": [lambda f, t: f(t.a, 0, 1, 2) * 2],
    "nonzero": [lambda f, t: f(t.m)],
    "norm": [
        lambda f, t: f(t.a),
        lambda f, t: f(t.a, 2, 1),
        lambda f, t: f(t.a, 1),
        lambda f, t: f(t.a, float("inf"), 0),
        lambda f, t: f(t.a, 3),
    ],
    "normal": [lambda f, t: f(0.5, 2.0, (4, 3), dtype=t.a.dtype) * t.a],
    "normal_": [lambda f, t: f(t.a * 1, 0.5, 2.0) * t.b],
    "normalize": [lambda f, t: f(t.a), lambda f, t: f(t.a, 3.0, 0)],
    "one_hot": [lambda f, t: f(t.i, 3).to(t.a.dtype) @ t.a[:3], lambda f, t: f(t.i)],
    "ones": [lambda f, t: f(4, 3, dtype=t.a.dtype) * t.a],
    "ones_like": [lambda f, t: f(t.a) * t.a],
    "pad": [
        lambda f, t: f(t.a, (1, 2)),
        lambda f, t: f(t.a, (-1, 2, 0, 1), value=0.5),
        lambda f, t: f(t.a, (2, 1), "reflect"),
    ],
    "pairwise_distance": [lambda f, t: f(t.a, t.b), lambda f, t: f(t.a, t.b, 1.0, 0.1, True)],
    "permute": [lambda f, t: f(t.a, (1, 0)) * 2],
    "pow": [
        *(lambda f, t, p=p: f(t.a, p) for p in (2, 3, 0.5, -1, 0)),
        lambda f, t: f(t.a.abs(), t.b),
    ],
    "rand": [lambda f, t: f(4, 3, dtype=t.a.dtype) * t.a],
    "rand_like": [lambda f, t: f(t.a) * t.a],
    "randint": [lambda f, t: f(0, 3, (4,)), lambda f, t: t.a[f(0, 3, (4,))]],
    "randint_like": [lambda f, t: f(t.a, 0, 3) * t.a],
    "randn": [lambda f, t: f(4, 3, dtype=t.a.dtype) * t.a],
    "randn_like": [lambda f, t: f(t.a) * t.a],
    "randperm": [lambda f, t: f(4), lambda f, t: t.a[f(4)]],
    "repeat": [lambda f, t: f(t.a, (2, 1)) * 2],
    "reshape": [
        lambda f, t: f(t.a, (3, 4)) * 2,
        lambda f, t: f(t.a.T, (2, 6)) * 2,
        lambda f, t: f(t.a, (-1,)),
    ],
    "result_type": [lambda f, t: t.a * 2 if f(t.a, t.i) == t.a.dtype else t.a],
    "rms_norm": [lambda f, t: f(t.a, 3), lambda f, t: f(t.a, (4, 3), t.b, 0.1)],
    "round": [lambda f, t: f(t.a), lambda f, t: f(t.a, decimals=1)],
    "scatter": [
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1), t.b),
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1), 0.5),
    ],
    "scatter_add": [lambda f, t: f(t.a, 1, t.i.reshape(4, 1), t.b)],
    "select": [lambda f, t: f(t.a, 0, 2) * 2],
    "setitem": [
        lambda f, t: written(f, t.a, 1, t.b[0]),
        lambda f, t: written(f, t.a, slice(1, 3), 0.5),
        lambda f, t: written(f, t.a, (slice(None), 0), t.b[:, 1]),
        lambda f, t: written(f, t.a, t.i, 0.5),
        lambda f, t: written(f, t.a, t.m, 0.5),
        lambda f, t: written(f, t.a, t.i > 0, t.b[0]),
    ],
    "softmax": [lambda f, t: f(t.a, 1), lambda f, t: f(t.a, 0), lambda f, t: f(t.a[0], 0)],
    "split": [lambda f, t: [x * 2 for x in f(t.a, 3)], lambda f, t: f(t.a * 2, 2, 1)],
    "squeeze": [lambda f, t: f(t.a[:1]) * 2, lambda f, t: f(t.a[:1], 0) * 2],
    "stack": [lambda f, t: f([t.a, t.b]), lambda f, t: f([t.a[0], t.b[1]], 1)],
    "std": [lambda f, t: f(t.a), lambda f, t: f(t.a, 1), lambda f, t: f(t.a, 0, correction=0)],
    "sub": [
        lambda f, t: f(t.a, t.b),
        lambda f, t: f(t.a, t.b, alpha=0.3),
        lambda f, t: f(t.a, t.b[:, :1]),
        lambda f, t: f(t.a, t.i[:3]),
    ],
    "sum": [
        lambda f, t: f(t.a),
        lambda f, t: f(t.a, 1),
        lambda f, t: f(t.a, (0, 1), keepdim=True),
        lambda f, t: f(t.i),
        lambda f, t: f(t.m, 0),
    ],
    "swapaxes": [lambda f, t: f(t.a, 0, 1) * 2],
    "swapdims": [lambda f, t: f(t.a, 0, 1) * 2],
    "t": [lambda f, t: f(t.a) * 2],
    "take_along_dim": [lambda f, t: f(t.a, t.i.reshape(4, 1), 1)],
    "tensor": [lambda f, t: f([1.0, 2.0, 3.0], dtype=t.a.dtype) * t.a],
    "to": [
        lambda f, t: f(t.a, pyml.float64) * 2,
        lambda f, t: f(t.a, pyml.float32) * 2,
        lambda f, t: f(t.i, t.a.dtype) * 2,
        lambda f, t: f(t.m, pyml.float32) * 2,
        lambda f, t: f(t.a, pyml.int64),
        lambda f, t: f(t.a, "cpu") * 2,
        lambda f, t: f(t.a, copy=True),
    ],
    "transpose": [lambda f, t: f(t.a, 0, 1) * 2, lambda f, t: f(t.a, 0, 1) @ t.b],
    "unbind": [lambda f, t: [x * 2 for x in f(t.a)], lambda f, t: f(t.a * 2, 1)],
    "unflatten": [lambda f, t: f(t.a, 0, (2, 2)) * 2],
    "uniform_": [lambda f, t: f(t.a * 1, -1.0, 1.0) * t.b],
    "unsqueeze": [lambda f, t: f(t.a, 1) * 2],
    "var": [lambda f, t: f(t.a), lambda f, t: f(t.a, 1), lambda f, t: f(t.a, 0, correction=0)],
    "view": [lambda f, t: f(t.a, (2, 6)) * 2],
    "where": [
        lambda f, t: f(t.m, t.a, t.b),
        lambda f, t: f(t.a > t.b, t.a, 0.0),
        lambda f, t: f(t.m, t.a, t.b[0]),
    ],
    "zeros": [lambda f, t: f(4, 3, dtype=t.a.dtype) + t.a],
    "zeros_like": [lambda f, t: f(t.a) + t.a],
    "where of a tensor": [lambda f, t: t.a.where(t.m, t.b)],
    # of Tensor alone
    "T": [lambda f, t: t.a.T * 2, lambda f, t: t.a.T @ t.b],
    "mT": [lambda f, t: t.a.mT * 2],
    "mH": [lambda f, t: t.a.mH * 2],
    "H": [lambda f, t: t.a.H * 2],
    "bool": [lambda f, t: f(t.a)],
    "clip": [lambda f, t: f(t.a, -0.5, 0.5)],
    "cpu": [lambda f, t: f(t.a) * 2],
    "data": [lambda f, t: t.a.data * 2],
    "detach": [lambda f, t: f(t.a) * t.a],
    "double": [lambda f, t: f(t.a) * 2],
    "expand_as": [lambda f, t: f(t.a[0], t.b) * 2],
    "float": [lambda f, t: f(t.a) * 2, lambda f, t: f(t.m).mean(), lambda f, t: f(t.i)],
    "int": [lambda f, t: f(t.a)],
    "item": [lambda f, t: f(t.a[0, 0]) * t.a],
    "long": [lambda f, t: f(t.a)],
    "numpy": [lambda f, t: pyml.from_numpy(f(t.a.detach()) * 2)],
    "requires_grad_": [lambda f, t: f(t.a) * 2],
    "reshape_as": [lambda f, t: f(t.a.reshape(12), t.b) * 2],
    "retain_grad": [lambda f, t: t.a * 2 if f(t.a * 2) is None else None],
    "register_hook": [lambda f, t: hooked(f, t.a * 2)],
    "size": [lambda f, t: t.a * f(t.a, 0)],
    "tolist": [lambda f, t: pyml.tensor(f(t.a))],
    "type_as": [lambda f, t: f(t.a, t.i.to(pyml.float32)) * 2],
    "view_as": [lambda f, t: f(t.a.reshape(12), t.b) * 2],
    "zero_": [lambda f, t: f(t.a * 1) + t.b],
    # what users write
    "accuracy": [lambda f, t: (t.a.argmax(1) == t.i).float().mean()],
    "operators": [
        lambda f, t: 2 * t.a + 1 - t.b / 3,
        lambda f, t: 1 - t.a,
        lambda f, t: 1 / t.a,
        lambda f, t: 2**t.a,
        lambda f, t: t.a**2 @ t.b.T,
        lambda f, t: -t.a + abs(t.b),
        lambda f, t: (t.a > 0) & ~(t.b > 0),
        lambda f, t: t.a // 0.3 + t.a % 0.3,
        lambda f, t: t.i + 1,
        lambda f, t: t.i * t.i - 2,
        lambda f, t: t.a * t.i[:3],
        lambda f, t: t.a + t.m,
        lambda f, t: t.a.double() + t.a,
        lambda f, t: np.float32(2) * t.a,
        lambda f, t: t.a * True,
    ],
    "updates": [
        lambda f, t: updated(t.a * 1, "__iadd__", t.b),
        lambda f, t: updated(t.a * 1, "__imul__", 2.0),
        lambda f, t: updated(t.a * 1, "__itruediv__", t.b[0]),
    ],
    "iteration": [lambda f, t: sum(row * k for k, row in enumerate(t.a))],
    "loops": [lambda f, t: looped(t.a, 20)],
}

# what is made of others or computed by NumPy (tests/ops/breadth.py), and forms in place
OF_ONE = """
    acos acosh aminmax argsort argwhere asarray asin asinh atan atanh atleast_1d atleast_2d
    atleast_3d block_diag corrcoef cosh count_nonzero cov cumulative_trapezoid deg2rad diag diagflat
    diagonal diff entr erfcx exp2 fliplr flipud frac frexp gradient gumbel_softmax histc i0 i0e i1
    i1e isneginf isposinf linalg_norm log10 log2 log_ndtr logit matrix_norm median mode msort
    nan_to_num nanmean nanmedian nansum ndtr ndtri pdist pinv pinverse positive qr qr_of_columns
    rad2deg ravel rot90 signbit sinc sinh std_mean svdvals tan trapezoid trapz tril triu trunc
    unique unique_consecutive var_mean vector_norm"""
OF_TWO = """
    atan2 cdist dist float_power fmax fmin fmod heaviside hypot kron ldexp logaddexp
    logaddexp2 nextafter rsub tensordot vecdot xlog1py xlogy"""
OF_SQUARE = """
    cholesky_ex cholesky_inverse cond det inv inv_ex inverse lu lu_factor_ex lu_with_infos logdet
    matrix_exp matrix_rank slogdet svd svd_of_columns trace"""
IN_PLACE = """
    acos_ acosh_ asin_ asinh_ atan_ atanh_ cauchy_ cos_ cosh_ deg2rad_ digamma_ erf_ erfc_ erfinv_
    exp2_ expm1_ exponential_ frac_ i0_ lgamma_ log10_ log1p_ log2_ log_normal_ logical_not_ logit_
    nan_to_num_ rad2deg_ random_ rsqrt_ sign_ sin_ sinc_ sinh_ tan_ tril_ triu_ trunc_"""
IN_PLACE_OF_TWO = """
    atan2_ eq_ float_power_ floor_divide_ fmod_ ge_ gt_ heaviside_ hypot_ ldexp_
    le_ logical_and_ logical_or_ logical_xor_ lt_ maximum_ minimum_ ne_ nextafter_ remainder_ set_
    xlogy_"""
OF_BITS = "bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor"
CASES |= {
    **{name: [lambda f, t: f(t.a)] for name in OF_ONE.split()},
    **{name: [lambda f, t: f(t.a, t.b)] for name in OF_TWO.split()},
    **{name: [lambda f, t: f(definite(t))] for name in OF_SQUARE.split()},
    **{name: [lambda f, t: f(t.a * 1)] for name in IN_PLACE.split()},
    **{name: [lambda f, t: f(t.a * 1, t.b)] for name in IN_PLACE_OF_TWO.split()},
    **{f"{name}_": [lambda f, t: f(t.i * 1, t.i)] for name in OF_BITS.split()},
    "addbmm": [lambda f, t: f(t.a[0], t.a.reshape(2, 2, 3).mT, t.b.reshape(2, 2, 3))],
    "addbmm_": [lambda f, t: f(t.c[:3] * 1, t.a.reshape(2, 2, 3).mT, t.b.reshape(2, 2, 3))],
    "addmm": [lambda f, t: f(t.a[0], t.a.T, t.b)],
    "addmm_": [lambda f, t: f(t.c[:3] * 1, t.a.T, t.b)],
    "addmv": [lambda f, t: f(t.c[:, 0], t.a, t.b[0])],
    "addmv_": [lambda f, t: f(t.c[:, 0] * 1, t.a, t.b[0])],
    "addr": [lambda f, t: f(t.c, t.a[:, 0], t.b[0])],
    "addr_": [lambda f, t: f(t.c * 1, t.a[:, 0], t.b[0])],
    "apply_": [lambda f, t: f(t.a * 1, abs)],
    "as_strided": [lambda f, t: f(t.a, (2, 2), (1, 2))],
    "baddbmm": [lambda f, t: f(t.c[:3], t.a.reshape(2, 2, 3).mT, t.b.reshape(2, 2, 3))],
    "baddbmm_": [
        lambda f, t: f(t.c.reshape(2, 2, 3) * 1, t.a[:2, :2].expand(2, 2, 2), t.b.reshape(2, 2, 3))
    ],
    "bernoulli": [lambda f, t: f(t.a.sigmoid()) * t.a],
    "bernoulli_": [lambda f, t: f(t.a * 1, 0.5)],
    "bfloat16": [lambda f, t: refused_dtype(f, t.a)],
    "bincount": [lambda f, t: f(t.i)],
    "bitwise_left_shift": [lambda f, t: f(t.i, t.i)],
    "bitwise_not_": [lambda f, t: f(t.i * 1)],
    "bitwise_right_shift": [lambda f, t: f(t.i, t.i)],
    "broadcast_to": [lambda f, t: f(t.a, (2, 4, 3)) * 2],
    "bucketize": [lambda f, t: f(t.a, t.b[0].detach().sort().values)],
    "byte": [lambda f, t: f(t.m)],
    "cartesian_prod": [lambda f, t: f(t.a[0], t.b[0])],
    "chain_matmul": [lambda f, t: f(t.a, t.b.T, t.c)],
    "char": [lambda f, t: f(t.m)],
    "cholesky": [lambda f, t: f(definite(t))],
    "cholesky_solve": [lambda f, t: f(t.a[:3], definite(t))],
    "column_stack": [lambda f, t: f([t.a, t.b])],
    "combinations": [lambda f, t: f(t.a[0])],
    "cross": [lambda f, t: f(t.a, t.b)],
    "cuda": [lambda f, t: refused_dtype(f, t.a)],
    "cummax": [lambda f, t: tuple(f(t.a, 0))],
    "cummin": [lambda f, t: tuple(f(t.a, 1))],
    "cumprod": [lambda f, t: f(t.a, 0)],
    "cumprod_": [lambda f, t: f(t.a * 1, 0)],
    "cumsum_": [lambda f, t: f(t.a * 1, 0)],
    "detach_": [lambda f, t: f(t.a.detach()) * t.b],
    "diag_embed": [lambda f, t: f(t.a)],
    "dstack": [lambda f, t: f([t.a, t.b])],
    "eigh": [lambda f, t: tuple(f(definite(t)))],
    "eigvalsh": [lambda f, t: f(definite(t))],
    "einsum": [lambda f, t: f("ij,kj->ik", t.a, t.b), lambda f, t: f("ij,ij->", t.a, t.b)],
    "fill_diagonal_": [lambda f, t: f(t.a * 1, 2.0)],
    "geometric_": [lambda f, t: f(t.a * 1, 0.5)],
    "ger": [lambda f, t: f(t.a[0], t.b[0])],
    "half": [lambda f, t: refused_dtype(f, t.a)],
    "hsplit": [lambda f, t: [x * 2 for x in f(t.a, 3)]],
    "hstack": [lambda f, t: f([t.a, t.b])],
    "clamp_max": [lambda f, t: f(t.a, 0.3)],
    "clamp_max_": [lambda f, t: f(t.a * 1, 0.3)],
    "clamp_min": [lambda f, t: f(t.a, 0.3)],
    "clamp_min_": [lambda f, t: f(t.a * 1, 0.3)],
    "copysign": [lambda f, t: f(t.a, t.b)],
    "copysign_": [lambda f, t: f(t.a * 1, t.b)],
    "logspace": [lambda f, t: f(0, 1, 3, dtype=t.a.dtype) * t.a],
    "lu_factor": [lambda f, t: tuple(f(definite(t)))],
    "lu_unpack": [lambda f, t: tuple(f(t.a[:3], t.i[:3]))],
    "scalar_tensor": [lambda f, t: f(2.0, dtype=t.a.dtype) * t.a],
    "squeeze_": [lambda f, t: f(t.a.detach()[:1] * 1) * 2],
    "t_": [lambda f, t: f(t.a.detach() * 1) * 2],
    "transpose_": [lambda f, t: f(t.a.detach() * 1, 0, 1) * 2],
    "as_strided_": [lambda f, t: f(t.a.detach() * 1, (2, 2), (1, 2)) * 2],
    "unsqueeze_": [lambda f, t: f(t.a.detach() * 1, 0) * 2],
    "index_add": [lambda f, t: f(t.a, 0, t.i, t.b)],
    "index_add_": [lambda f, t: f(t.a * 1, 0, t.i, t.b)],
    "index_copy": [lambda f, t: f(t.a, 0, t.i, t.b)],
    "index_copy_": [lambda f, t: f(t.a * 1, 0, t.i, t.b)],
    "index_fill": [lambda f, t: f(t.a, 0, t.i, 0.5)],
    "index_fill_": [lambda f, t: f(t.a * 1, 0, t.i, 0.5)],
    "index_put": [lambda f, t: f(t.a, (t.i,), t.b)],
    "index_put_": [lambda f, t: f(t.a * 1, (t.i,), t.b)],
    "inner": [lambda f, t: f(t.a, t.b)],
    "is_complex": [lambda f, t: t.a * (2 if f(t.a) else 3)],
    "is_inference": [lambda f, t: t.a * (2 if f(t.a) else 3)],
    "is_pinned": [lambda f, t: t.a * (2 if f(t.a) else 3)],
    "is_shared": [lambda f, t: t.a * (2 if f(t.a) else 3)],
    "is_same_size": [lambda f, t: t.a * (2 if f(t.a, t.b) else 3)],
    "is_signed": [lambda f, t: t.a * (2 if f(t.a) else 3)],
    "isin": [lambda f, t: f(t.i, t.i[:2])],
    "kthvalue": [lambda f, t: tuple(f(t.a, 2))],
    "logcumsumexp": [lambda f, t: f(t.a, 0)],
    "lstsq": [lambda f, t: f(t.a, t.b).solution],
    "masked_scatter": [lambda f, t: f(t.a, t.m, t.b)],
    "masked_scatter_": [lambda f, t: f(t.a * 1, t.m, t.b)],
    "matrix_power": [lambda f, t: f(definite(t), 3)],
    "meshgrid": [lambda f, t: [x * 2 for x in f(t.a[0], t.b[0], indexing="xy")]],
    "multi_dot": [lambda f, t: f([t.a, t.b.T, t.c])],
    "multinomial": [lambda f, t: f(t.a.detach().abs(), 2)],
    "nanquantile": [lambda f, t: f(t.a, 0.5)],
    "new": [lambda f, t: f(t.a, 4, 3).copy_(t.a)],
    "new_empty": [lambda f, t: f(t.a, 4, 3).copy_(t.a)],
    "new_full": [lambda f, t: f(t.a, (4, 3), 2.0) * t.a],
    "new_ones": [lambda f, t: f(t.a, 4, 3) * t.a],
    "new_tensor": [lambda f, t: f(t.a, [1.0, 2.0, 3.0]) * t.a],
    "new_zeros": [lambda f, t: f(t.a, 4, 3) + t.a],
    "of_data_or_sizes": [lambda f, t: f(([1.0, 2.0, 3.0],), t.a.dtype, None, "new") * t.a],
    "outer": [lambda f, t: f(t.a[0], t.b[0])],
    "pin_memory": [lambda f, t: f(t.a) * 2],
    "quantile": [lambda f, t: f(t.a, 0.5)],
    "renorm": [lambda f, t: f(t.a, 2, 0, 1.0)],
    "renorm_": [lambda f, t: f(t.a * 1, 2, 0, 1.0)],
    "repeat_interleave": [lambda f, t: f(t.a, 2, 0), lambda f, t: f(t.a, t.i, 0)],
    "resize_as_": [lambda f, t: f(t.a.detach() * 1, t.b.detach())],
    "resize_": [lambda f, t: f(t.a.detach() * 1, 3, 4)],
    "roll": [lambda f, t: f(t.a, 1), lambda f, t: f(t.a, (1, 1), (0, 1))],
    "scatter_": [lambda f, t: f(t.a * 1, 1, t.i.reshape(4, 1), t.b)],
    "scatter_add_": [lambda f, t: f(t.a * 1, 1, t.i.reshape(4, 1), t.b)],
    "searchsorted": [lambda f, t: f(t.b[0].detach().sort().values, t.a)],
    "share_memory_": [lambda f, t: f(t.a.detach() * 1)],
    "short": [lambda f, t: f(t.m)],
    "solve": [lambda f, t: f(definite(t), t.a[:3])],
    "solve_triangular": [lambda f, t: f(definite(t), t.a[:3], upper=True)],
    "sum_to_size": [lambda f, t: f(t.a, 1, 3)],
    "take": [lambda f, t: f(t.a, t.i)],
    "tensor_split": [lambda f, t: [x * 2 for x in f(t.a, 3)]],
    "tile": [lambda f, t: f(t.a, (2, 1))],
    "topk": [lambda f, t: tuple(f(t.a, 2))],
    "tril_indices": [lambda f, t: f(3, 3)],
    "triu_indices": [lambda f, t: f(3, 3)],
    "type": [lambda f, t: f(t.a, "pyml.DoubleTensor") * 2],
    "vdot": [lambda f, t: f(t.a[0], t.b[0])],
    "vsplit": [lambda f, t: [x * 2 for x in f(t.a, 2)]],
    "vstack": [lambda f, t: f([t.a, t.b])],
    **{
        f"{name}_window": [lambda f, t: f(3, dtype=t.a.dtype) * t.a]
        for name in ("bartlett", "blackman", "hamming", "hann", "kaiser")
    },
    **{name: [lambda f, t: f(t.a, 3), lambda f, t: f(t.a[:, 0], t.i)] for name in POLYNOMIALS},
    "as_strided_scatter": [lambda f, t: f(t.a, t.b[0, :2], (2,), (3,))],
    "ctc_loss": [lambda f, t: f(t.a.log_softmax(1), t.i[:1] * 0 + 1, 4, 1)],
    "diagonal_scatter": [lambda f, t: f(t.a, t.b[0])],
    "dsplit": [lambda f, t: [x * 2 for x in f(t.a.reshape(1, 2, 6), 2)]],
    "dim_order": [lambda f, t: t.a * f(t.a)[1]],
    "empty_permuted": [lambda f, t: f((4, 3), (1, 0), dtype=t.a.dtype).copy_(t.a)],
    "empty_strided": [lambda f, t: f((4, 3), (1, 4), dtype=t.a.dtype).copy_(t.a)],
    "from_dlpack": [lambda f, t: f(np.ones(3, t.a.dtype)) * t.a],
    "frombuffer": [lambda f, t: f(bytes(12), dtype=pyml.float32) + t.a],
    "gcd": [lambda f, t: f(t.i, t.i + 2)],
    "gcd_": [lambda f, t: f(t.i * 1, t.i + 2)],
    "histogram": [lambda f, t: f(t.a, 3).hist],
    "histogramdd": [lambda f, t: f(t.a[:, :2], [2, 2]).hist],
    "householder_product": [lambda f, t: f(t.a, t.b[0])],
    **{
        name: [lambda f, t: f(t.a.detach().abs(), t.b.abs())]
        for name in ("igamma", "igammac", "zeta")
    },
    **{
        name: [lambda f, t: f(t.a.detach().abs(), t.b.detach().abs())]
        for name in ("igamma_", "igammac_")
    },
    "index_reduce": [
        lambda f, t: f(t.a, 0, t.i, t.b, "mean"),
        lambda f, t: f(t.a, 0, t.i, t.b, "amax"),
    ],
    "index_reduce_": [lambda f, t: f(t.a * 1, 0, t.i, t.b, "mean")],
    "is_nonzero": [lambda f, t: t.a * (2 if f(t.a[0, 0]) else 3)],
    "lcm": [lambda f, t: f(t.i, t.i + 2)],
    "lcm_": [lambda f, t: f(t.i * 1, t.i + 2)],
    "linear_cross_entropy": [lambda f, t: f(t.a, t.b, t.i)],
    "lu_solve": [lambda f, t: f(*pyml.linalg.lu_factor(definite(t)), t.a[:3])],
    "mvlgamma": [lambda f, t: f(t.a + 9, 2)],
    "mvlgamma_": [lambda f, t: f(t.a + 9, 2)],
    "narrow_copy": [lambda f, t: f(t.a, 0, 1, 2)],
    "new_empty_strided": [lambda f, t: f(t.a, (4, 3), (1, 4)).copy_(t.a)],
    "nonzero_static": [lambda f, t: f(t.m, size=3)],
    "old_lu_solve": [lambda f, t: f(t.a[:3], *pyml.linalg.lu_factor(definite(t)))],
    "binomial": [lambda f, t: f(t.a.detach().abs().round(), t.a.detach().sigmoid()) * t.a],
    "poisson": [lambda f, t: f(t.a.detach().abs()) * t.a],
    "polygamma_": [lambda f, t: f(t.a * 1, 1)],
    "put": [lambda f, t: f(t.a, t.i, t.b[:, 0]), lambda f, t: f(t.a, t.i, t.b[:, 0], True)],
    "put_": [lambda f, t: f(t.a * 1, t.i, t.b[:, 0], True)],
    "scatter_reduce": [
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1), t.b, "sum"),
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1), t.b, "mean"),
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1), t.b, "amax"),
        lambda f, t: f(t.a, 1, t.i.reshape(4, 1), t.b, "prod", include_self=False),
    ],
    "scatter_reduce_": [lambda f, t: f(t.a * 1, 1, t.i.reshape(4, 1), t.b, "sum")],
    "select_scatter": [lambda f, t: f(t.a, t.b[0], 0, 2)],
    "slice_scatter": [lambda f, t: f(t.a, t.b[:2], 0, 1, 3)],
    "solve_ex": [lambda f, t: f(definite(t), t.a[:3]).result],
    "split_with_sizes": [lambda f, t: [x * 2 for x in f(t.a, [1, 3])]],
    "storage_offset": [lambda f, t: t.a * (2 if f(t.a) else 3)],
    "swapaxes_": [lambda f, t: f(t.a.detach() * 1, 0, 1) * 2],
    "swapdims_": [lambda f, t: f(t.a.detach() * 1, 0, 1) * 2],
    "tensorinv": [lambda f, t: f(definite(t).reshape(3, 1, 3), 1)],
    "tensorsolve": [lambda f, t: f(definite(t), t.a[0])],
    "triangular_solve": [lambda f, t: f(t.a[:3], definite(t)).solution],
    "unfold": [lambda f, t: f(t.a, 0, 2, 1)],
    "unravel_index": [lambda f, t: list(f(t.i, (3, 2)))],
    "vander": [lambda f, t: f(t.a[0])],
}
for name in COMMUTES_WITH_NUMBERS:
    CASES[name] = [*CASES[name], lambda f, t: f(t.a, t.b[:, :1]), lambda f, t: f(t.a.T, t.b.T)]


def of_pairs(loss, options, reduction):
    """A call of a loss, with a gradient of the target if it has one."""
    domain = pyml.sigmoid if loss.unit else lambda x: x
    return lambda f, t: f(
        domain(t.a),
        t.b.detach().sign() if loss.signs else domain(t.b),
        reduction=reduction,
        **options,
    )


for loss, options in PAIR_LOSS_CASES.values():
    calls = [of_pairs(loss, options, reduction) for reduction in LOSS_REDUCTIONS]
    CASES[loss.name] = [*CASES.get(loss.name, ()), *calls]

LABELS = pyml.tensor([[0, -1, 1], [1, 0, 0], [-1, 0, 1]])
LOSSES = {
    "nll_loss": lambda f, t, r: f(t.a.log_softmax(1), t.i, ignore_index=1, reduction=r),
    "multi_margin_loss": lambda f, t, r: f(t.a, t.i, 2, reduction=r),
    "multilabel_margin_loss": lambda f, t, r: f(t.a[:3], LABELS, reduction=r),
    "multilabel_soft_margin_loss": lambda f, t, r: f(t.a, t.m, reduction=r),
    "margin_ranking_loss": lambda f, t, r: f(t.a, t.b, t.c.detach().sign(), 0.1, reduction=r),
    "cosine_embedding_loss": lambda f, t, r: f(
        t.a, t.b, t.c[:, 0].detach().sign(), 0.1, reduction=r
    ),
    "triplet_margin_loss": lambda f, t, r: f(t.a, t.b, t.c, swap=True, reduction=r),
    "triplet_margin_with_distance_loss": lambda f, t, r: f(t.a, t.b, t.c, reduction=r),
    "gaussian_nll_loss": lambda f, t, r: f(t.a, t.b, t.c.square(), full=True, reduction=r),
    "poisson_nll_loss": lambda f, t, r: f(t.a, t.i.reshape(4, 1), full=True, reduction=r),
    "kl_div": lambda f, t, r: f(t.a, t.b.softmax(1), reduction=r),
}
for name, call in LOSSES.items():
    CASES[name] = [
        lambda f, t, call=call, r=r: call(f, t, r)
        for r in ("none", "batchmean" if name == "kl_div" else "mean", "sum")
    ]
CASES["kl_div"].append(lambda f, t: f(t.a, t.b, log_target=True, reduction="sum"))
CASES["poisson_nll_loss"].append(lambda f, t: f(t.a.exp(), t.b.exp(), False))
CASES["binary_cross_entropy_with_logits"].append(
    lambda f, t: f(t.a, t.m, t.c.square(), pos_weight=t.b[0].square())
)


def definite(t):
    return t.a.T @ t.a + pyml.eye(3, dtype=t.a.dtype)


def refused_dtype(f, x):
    with pytest.raises((TypeError, ValueError, NotImplementedError)):
        f(x)
    return x * 2


def written(f, x, index, value):
    y = x * 1
    f(y, index, value)
    return y * 2


def updated(x, name, other):
    return getattr(x, name)(other) * 2


def hooked(f, x):
    f(x, lambda grad: grad * 3)
    return x * 2


def looped(x, n):
    for _ in range(n):
        x = (x * 1.01).tanh()
    return x


WITHOUT_VALUES = {  # of the namespaces: what gives no tensor, or is tested elsewhere
    *("backward", "array", "data_ptr", "device", "dim", "dtype", "element_size"),
    *("grad", "grad_fn", "is_contiguous", "is_floating_point", "is_leaf", "ndim", "nelement"),
    *("numel", "requires_grad", "retains_grad", "shape", "stride"),
    *("get_device", "is_cuda", "is_meta", "is_mkldnn", "is_mps", "is_nested", "is_quantized"),
    *("is_sparse", "is_xpu", "layout", "ndimension", "is_cpu", "is_sparse_csr", "itemsize"),
    *("nbytes", "register_post_accumulate_grad_hook"),
}

# What gives Python a value, a shape that depends on values, or other memory; all else is recorded.
# name -> positions.
REFUSED = {
    **dict.fromkeys(("allclose", "equal", "item", "numpy", "tolist"), (0,)),
    **dict.fromkeys(("bincount", "binomial", "lstsq", "masked_select", "nonzero"), (0,)),
    "poisson": (0,),
    **dict.fromkeys(("unique", "unique_consecutive"), (0,)),
    **dict.fromkeys(("apply_", "from_numpy", "resize_", "set_", "share_memory_"), (0,)),
    **dict.fromkeys(("as_strided_", "from_dlpack"), (0,)),
    **dict.fromkeys(("squeeze_", "t_", "transpose_", "unsqueeze_", "swapaxes_", "swapdims_"), (0,)),
    **dict.fromkeys(("argwhere", "is_nonzero", "nonzero_static", "unravel_index"), (0,)),
    **dict.fromkeys(("ctc_loss", "frombuffer", "histogram", "histogramdd", "poisson"), (0,)),
    **dict.fromkeys(("cholesky_ex", "inv_ex", "lu_factor_ex", "solve_ex"), (0,)),
    **dict.fromkeys(POLYNOMIALS, (1,)),
    "index_reduce": (1,),
    "scatter_reduce": (2, 3),
    "embedding_bag": (7,),
    "getitem": (8, 9),
    "one_hot": (1,),
    "repeat_interleave": (1,),
}


# ---- the test ------------------------------------------------------------------------------------


def forms():
    """name, position, where the function is from."""
    for name, calls in CASES.items():
        found = {}  # a method that is the function is one
        for home in HOMES:
            if hasattr(HOMES[home], name):
                found.setdefault(id(getattr(HOMES[home], name)), home)
        homes = list(found.values()) or ["expression"]
        if name in ("lu_solve", "polygamma", "where"):  # the method has another order of arguments
            homes.remove("Tensor")
        for position in range(len(calls)):
            for home in homes:
                case = name, position, home
                yield pytest.param(case, id=f"{name}-{position}-{home}")


HOMES = {"ops": ops, "Tensor": Tensor, "functional": F}


def function_of(name, home):
    if home == "Tensor":
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)
    return None if home == "expression" else getattr(HOMES[home], name)


def drawn(seed, dtype):
    """Tensors that differ in all values from those of another seed."""
    rng = np.random.default_rng(seed)
    a, b, c = (rng.normal(size=(4, 3)).astype(dtype) for _ in range(3))
    index = rng.permuted([0, 1, 2, 2 - seed % 3])
    return [*map(pyml.from_numpy, (a, b, c, index, rng.random((4, 3)) < 0.5))]


def as_list(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


def step_of(name, position, home, leaves):
    """A step that calls the operation and, with leaves, its backward."""
    f, call = function_of(name, home), CASES[name][position]

    def step(a, b, c, i, m):
        if leaves:
            a, b, c = (x + leaf for x, leaf in zip((a, b, c), leaves, strict=True))
        else:
            a, b, c = (x + 0.25 for x in (a, b, c))
        results = as_list(call(f, SimpleNamespace(a=a, b=b, c=c, i=i, m=m)))
        for leaf in leaves:
            leaf.grad = None
        total = [y.square().sum() for y in results if isinstance(y, Tensor) and y.requires_grad]
        if total:
            sum(total).backward()
        return results

    return step


def outcome(step, inputs, leaves):
    """Results, gradients and the generator after a call, as arrays."""
    results = step(*inputs)
    seen = [y.detach().array.copy() if isinstance(y, Tensor) else y for y in results]
    seen += [None if leaf.grad is None else leaf.grad.array.copy() for leaf in leaves]
    return [*seen, pyml.get_rng_state()]


KINDS = [  # float64 has no paths of its own here
    pytest.param(True, np.dtype("float32"), id="gradients-float32"),
    pytest.param(True, np.dtype("float64"), id="gradients-float64"),
    pytest.param(False, np.dtype("float32"), id="inference-float32"),
]


@pytest.mark.parametrize(("gradients", "dtype"), KINDS)
@pytest.mark.parametrize("case", list(forms()))
def test_replays_have_the_bits_or_the_recording_is_refused(case, gradients, dtype):
    name, position, _ = case
    leaves = [pyml.zeros(4, 3, dtype=dtype, requires_grad=True) for _ in range(3 * gradients)]
    step = step_of(*case, leaves)
    inputs = [drawn(seed, dtype) for seed in range(CALLS)]
    recorded = pyml.record(step)
    pyml.manual_seed(0)
    try:
        wanted = [outcome(step, each, leaves) for each in inputs]
    except RuntimeError as error:  # a change in place of what its own backward needs
        with pytest.raises(type(error)):
            outcome(recorded, inputs[0], leaves)
        return
    pyml.manual_seed(0)
    if position in REFUSED.get(name, ()):
        with pytest.raises(pyml.RecordError):
            outcome(recorded, inputs[0], leaves)
        return
    got = [outcome(recorded, each, leaves) for each in inputs]
    for call, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert len(a) == len(b)
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert type(x) is type(y), f"call {call}, {k}"
            if isinstance(y, np.ndarray):
                assert_same_bits(x, y, f"call {call}, {k}:")
            else:
                assert x == y


def test_the_table_is_complete():
    public = {
        name
        for home in HOMES.values()
        for name in getattr(home, "__all__", dir(home))
        if not name.startswith("_") and name not in WITHOUT_VALUES
    }
    assert public - CASES.keys() - names.ALIASES.keys() == set()


def test_inputs_differ():
    """The replays would otherwise show nothing."""
    for a, b in zip(drawn(0, "float32"), drawn(1, "float32"), strict=True):
        assert not np.array_equal(a.array, b.array)
