"""What csrc/effects.c says of a call, against what the call does to memory.

All arrays of a call lie in one memory, with gaps around them. The call runs from several contents
of it, which shows what is written, what is written whole, and what has a part in the results.
"""

import ctypes
import re
from typing import NamedTuple

import numpy as np
import pytest

from helpers.activations import ACTIVATIONS
from helpers.losses import CASES as PAIR_LOSS_CASES
from helpers.losses import alpha_beta
from helpers.structs import STRUCTS, submit
from helpers.sweep import KERNEL
from pyml import _kernels

READ, WRITE, PART = 1, 2, 4
GAP = 64  # bytes
MOVES = {  # kernels without floating-point operations
    *("copy", "fill", "cast", "gather", "gather_along", "index_check", "random_permutation"),
    *("callback", "mask_gather", "mask_scatter"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
    "multiply_adds",  # which the caller counts
}
NONE, MEAN, SUM = range(3)  # reductions

# ---- calls
# ------------------------------------------------------------------------------------------------


class Array(NamedTuple):
    """Memory that a pointer of a call leads to.

    Attributes:
        values: of their own dtype, or of one that `kind` makes another.
        at: the element that the pointer points to.
        kind: "f": elements are of the call's dtype; "i": integers of its size.
    """

    values: np.ndarray
    at: int = 0
    kind: str = None


class Case(NamedTuple):
    """A call.

    Attributes:
        kernel: its name.
        struct: the name of the type of its arguments.
        arguments: field -> Array, the name of another field whose memory it has too, number, list
            of numbers or, for segments, list of dicts.
        left_out: pointers that are set, and not among the effects.
        idle: pieces whose values make no difference in this case.
    """

    kernel: str
    struct: str
    arguments: dict
    left_out: set
    idle: set


CASES = []
RNG = np.random.default_rng(0)


def case(kernels, arrays="", struct=None, left_out="", idle="", **arguments):
    """Adds a call of each kernel. `arrays` are of reals: "y=x x[n,5]": x has n rows, y is x."""
    for field, shape, same in re.findall(r"(\w+)(?:\[([\w,]+)\]|=(\w+))", arrays):
        arguments[field] = same or reals(
            *(arguments[size] if size in arguments else int(size) for size in shape.split(","))
        )
    for kernel in kernels.split():
        row = Case(
            *(kernel, struct or f"{kernel}_args", arguments),
            *(set(left_out.split()), set(idle.split())),
        )
        CASES.append(row)


def reals(*shape, at=0):
    """Numbers of the call's dtype, in (0.5, 0.65): no mean of squares is below a squared mean."""
    return Array(RNG.uniform(0.5, 0.65, int(np.prod(shape))), at, "f")


def strided(shape, strides):
    """The same, as many as lie between the first and the last element that the strides reach."""
    count, at = span(shape, strides)
    return reals(count, at=at)


def span(shape, strides):
    """How many elements that is, and which of them has no index but zeros."""
    reached = [int(np.dot(place, strides)) for place in np.ndindex(*shape)]
    return (max(reached) - min(reached) + 1, -min(reached)) if reached else (0, 0)


def items(count, size, at=0):
    """Elements of no type, of `size` bytes."""
    return Array(RNG.integers(0, 200, count * size, np.uint8).view(f"u{size}"), at)


def alike(shape, strides, value, kind):
    """Elements that are all one value."""
    count, at = span(shape, strides)
    return Array(np.full(count, value), at, kind)


def integers(*values):
    return Array(np.array(values, np.int64))


def state():
    """One from which dropout keeps the first and the last of 19 elements."""
    return Array(np.array([7, 6], np.uint64))


def kept(count):
    """Masks of dropout that keep all elements."""
    return Array(np.full(count, -1).view(np.uint64))


def options(struct, *values):
    return Array(np.frombuffer(bytes(STRUCTS[struct](*values)), np.float64))


def segment(n, *names):
    """Names with [] are of a state: arrays of n, numbers."""
    numbers = [name for name in names if name.startswith("numbers")]
    arrays = [name for name in names if name not in numbers]
    return {
        "n": n,
        **{name: Array(np.array([3], np.float64)) for name in numbers},
        **{name: reals(n) for name in arrays},
    }


# ---- every kernel
# ------------------------------------------------------------------------------------------------


def case_gemm(a, b, c, m=3, n=5, k=4, batch=1, beta=0.0, **rest):
    """a, b and c by their strides: of matrices, rows, and columns."""
    case(
        "gemm gemm_bfloat16",
        struct="gemm_args",
        a=strided((batch, m, k), a),
        b=strided((batch, k, n), b),
        c=strided((batch, m, n), (*c, 1)),
        **{"m": m, "n": n, "k": k, "batch": batch, "alpha": 0.5, "beta": beta},
        **{"a_batch": a[0], "a_row": a[1], "a_col": a[2], "c_batch": c[0], "c_row": c[1]},
        **{"b_batch": b[0], "b_row": b[1], "b_col": b[2]},
        **rest,
    )


case_gemm((0, 4, 1), (0, 5, 1), (0, 5))
case_gemm((0, 4, 1), (0, 5, 1), (0, 5), beta=0.5)
case_gemm((0, 1, 3), (0, 1, 4), (0, 5))
case_gemm((0, 4, 1), (0, 5, 1), (0, 8), idle="c")  # between its rows c keeps its values
case_gemm((0, 4, 1), (0, 5, 1), (0, 8), beta=0.5)
case_gemm((0, -4, 1), (0, 5, -1), (0, -5))
case_gemm((0, 9, 2), (0, -13, -2), (0, 5))
case_gemm((12, 4, 1), (0, 5, 1), (15, 5), batch=3)
case_gemm((-12, 4, 1), (20, 1, 4), (-20, 6), batch=3, idle="c")
case_gemm((0, 0, 1), (0, 5, 1), (0, 5))
case_gemm((0, 4, 1), (0, 1, 4), (0, 5), m=1)
case_gemm((0, 4, 1), (0, 1, 1), (0, 1), n=1)
case_gemm((0, 1, 1), (0, 5, 1), (0, 5), k=1)
case_gemm((0, 0, 1), (0, 5, 1), (0, 5), k=0)
case_gemm((0, 4, 1), (0, 5, 1), (0, 5), m=0, idle="b")

FORWARD = {
    "kernels": "linear_forward linear_forward_bfloat16",
    "struct": "linear_forward_args",
}
case(**FORWARD, arrays="y[n,o] x[n,k] w[o,k]", n=3, k=4, o=5, alpha=1)
case(**FORWARD, arrays="y[n,o] x[n,k] w[o,k] b[o]", n=3, k=4, o=5, alpha=1)
case(**FORWARD, arrays="y[n,o] x[n,k] w[o,k] b[o]", n=3, k=0, o=5, alpha=1)
case(**FORWARD, arrays="y[n,o] x[n,k] w[o,k] b[o]", n=3, k=4, o=5, alpha=1, by_columns=1)
for outputs, left_out in [
    ("dx[n,k] dw[o,k] db[o]", ""),
    ("dx[n,k]", "x"),
    ("dw[o,k]", "w"),
    ("db[o]", "x w"),
    ("dw[o,k] db[o]", "w"),
]:
    inputs = " dy[n,o] x[n,k] w[o,k]"
    case(
        "linear_backward linear_backward_bfloat16",
        outputs + inputs,
        struct="linear_backward_args",
        left_out=left_out,
        n=3,
        k=4,
        o=5,
        alpha=1,
    )

ONE_SLOPE = {"hardsigmoid", "hardshrink", "softshrink"}  # for all s that are tried here
for f in ACTIVATIONS:
    constants = {"n": 19, "alpha": 0.5, "beta": 20.0}
    idle = "s" if f.kernel in ONE_SLOPE else ""
    forward, backward = "activation_forward_args", "activation_backward_args"
    case(f"{f.kernel}_forward", "y[n] x[n]", forward, **constants)
    case(f"{f.kernel}_backward", "dx[n] dy[n] s[n]", backward, idle=idle, **constants)
    case(f"{f.kernel}_backward", "dx=dy dy[n] s[n]", backward, idle=idle, **constants)
case("silu_forward", "y=x x[n]", "activation_forward_args", n=19)

for x, w in [("n,5", "5"), ("n,5,3", "5"), ("n,1,3", "1")]:
    c, *inner = map(int, x.split(",")[1:])
    constants = {"n": 7, "c": c, "inner": inner[0] if inner else 1}
    positive = {"idle": "w"}  # all that is tried here is
    case("prelu_forward", f"y[{x}] x[{x}] w[{w}]", **positive, **constants)
    case("prelu_forward", f"y=x x[{x}] w[{w}]", **positive, **constants)
    inputs = f"dy[{x}] x[{x}] w[{w}]"
    case("prelu_backward", f"dx[{x}] dw[{w}] {inputs}", idle="w x", **constants)
    case("prelu_backward", f"dx=dy {inputs}", idle="w x", **constants)
    case("prelu_backward", f"dw[{w}] {inputs}", idle="x dy", left_out="w", **constants)

for name in ("tanh", "sigmoid", "sin", "softplus", "silu", "gelu"):
    constants = {"firsts": 2, "seconds": 2, "alpha": 0.5, "beta": 20.0}
    constants |= {"pairs": integers(1, 1, 1, 2), "n": 19}
    idle = {"sin": "", "tanh": "x", "sigmoid": "x"}.get(name, "y")  # x: the first of its rows
    forward, backward = "jet_forward_args", "jet_backward_args"
    case(f"jet_{name}_forward", "y[5,n] x[5,n]", forward, **constants)
    given = "dy[5,n] x[5,n] y[n]"
    case(f"jet_{name}_backward", f"dx[5,n] {given}", backward, idle=idle, **constants)
    idle = idle.strip("y")  # not of the jet
    case(f"jet_{name}_backward", f"dx=dy jet[5,n] {given}", backward, idle=idle, **constants)
    constants |= {"seconds": 0, "pairs": integers(), "firsts": 1}
    case(f"jet_{name}_forward", "y[2,n] x[2,n]", forward, **constants)

constants = {"layers": 3, "firsts": 2, "seconds": 2, "widths": [2, 3, 4, 2]}
constants |= {"n": 64}  # whole blocks
constants |= {"variables": integers(0, 1), "pairs": integers(1, 1, 1, 2)}
weights = {f"w[{layer}]": reals(o, k) for layer, (o, k) in enumerate([(3, 2), (4, 3), (2, 4)])}
forward = {**constants, **weights, "function": KERNEL["jet_sin_forward"]}
backward = {**constants, **weights, "function": KERNEL["jet_sin_backward"]}
biases = {"b[0]": reals(3), "b[2]": reals(2)}
case("jet_net_forward", "u[5,64,2] x[n,2]", **forward, **biases)
case("jet_net_forward", "u[5,64,2] x[n,2]", **forward, kept=reals(6, 7, 64))
case("jet_net_forward", "x[n,2]", **forward | {"n": 0}, left_out="w[0] w[1] w[2] variables pairs")
given = {"kept": reals(6, 7, 64), "du": reals(5, 64, 2)}
dw = {f"d{name}": array for name, array in weights.items()}
case("jet_net_backward", "dx[n,2] x[n,2]", **backward, **given, **dw, **{"db[1]": reals(4)})
case("jet_net_backward", "x[n,2]", **backward, **given, **dw, left_out="w[0]")
case(
    "jet_net_backward",
    "x[n,2]",
    **backward | {"n": 0},
    **dw,
    left_out="w[0] w[1] w[2] variables pairs",
    idle="dw[0] dw[1] dw[2]",
)

constants = {"n": 7, "c": 5, "eps": 1e-5}
tracked = "running_mean[c] running_var[c] gamma[c] beta[c]"
case("batchnorm_forward", "y[n,c] mean[c] rstd[c] x[n,c]", momentum=0.1, **constants)
case(
    "batchnorm_forward",
    f"y=x mean[c] rstd[c] x[n,c] {tracked}",
    batches_tracked=integers(4),
    momentum=-1.0,
    **constants,
)
case(
    "batchnorm_forward",
    f"y[n,c] mean[c] rstd[c] x[n,c] {tracked}",
    left_out="running_mean running_var gamma beta",
    **constants | {"n": 0},
)
case("batchnorm_inference", "y[n,c] x[n,c] mean[c] var[c]", **constants)
case("batchnorm_inference", "y=x x[n,c] mean[c] var[c] gamma[c] beta[c]", **constants)
outputs = "dx[n,c] dgamma[c] dbeta[c]"
inputs = "dy[n,c] x[n,c] mean[c] rstd[c]"
case("batchnorm_backward", f"{outputs} {inputs} gamma[c]", n=7, c=5)
case("batchnorm_backward", f"dgamma[c] {inputs}", n=7, c=5)
case("batchnorm_backward", f"dx=dy {inputs}", n=7, c=5)
inputs = "dy[n,c] x[n,c] mean[c] var[c]"
case("batchnorm_inference_backward", f"{outputs} {inputs} gamma[c]", **constants)
case("batchnorm_inference_backward", f"dgamma[c] {inputs}", **constants)
case("batchnorm_inference_backward", f"dx=dy {inputs}", idle="x mean", **constants)

for groups, each, count in [(1, 1, 6), (2, 1, 12), (2, 3, 4)]:  # rows of 6
    constants = {"n": 4, "c": 6, "groups": groups, "each": each}
    outputs, parameters = f"dx[n,c] dgamma[{count}] dbeta[{count}]", f"gamma[{count}] beta[{count}]"
    for name, mean in [("layer_norm", " mean[n]"), ("rms_norm", "")]:
        forward, backward = "row_norm_forward_args", "row_norm_backward_args"
        case(
            f"{name}_forward",
            f"y[n,c]{mean} rstd[n] x[n,c] {parameters}",
            forward,
            eps=1e-5,
            **constants,
        )
        case(f"{name}_forward", "y=x x[n,c]", forward, eps=1e-5, **constants)
        inputs = f"dy[n,c] x[n,c]{mean} rstd[n]"
        case(f"{name}_backward", f"{outputs} {inputs} gamma[{count}]", backward, **constants)
        case(f"{name}_backward", f"dgamma[{count}] {inputs}", backward, **constants)
        case(f"{name}_backward", f"dx=dy {inputs}", backward, **constants)

for name in ("cosine", "distance"):
    struct, constants = "row_pair_backward_args", {"n": 3, "c": 5, "eps": 1e-6}
    case(f"{name}_forward", "y[n] x[n,c] t[n,c]", "row_pair_forward_args", **constants)
    case(f"{name}_backward", "dx[n,c] dt[n,c] dy[n] x[n,c] t[n,c]", struct, **constants)
    case(f"{name}_backward", "dt[n,c] dy[n] x[n,c] t[n,c]", struct, **constants)

for name in ("softmax", "log_softmax"):
    case(f"{name}_forward", "y[n,c] x[n,c]", "softmax_forward_args", n=3, c=5)
    case(f"{name}_backward", "dx[n,c] dy[n,c] y[n,c]", "softmax_backward_args", n=3, c=5)

for reduction in (NONE, MEAN, SUM):
    losses = 3 if reduction == NONE else 1
    for inputs, left_out, target in [
        ("", "", {"index": integers(0, 2, 4)}),
        ("weight[c]", "", {"index": integers(0, 2, 4)}),
        ("weight[c]", "", {"index": integers(0, 2, 1), "label_smoothing": 0.1}),
        ("prob[n,c] weight[c]", "", {"label_smoothing": 0.1}),
        ("prob[n,c]", "prob", {"index": integers(0, 2, 4)}),
    ]:
        constants = target | {"n": 3, "c": 5, "ignore_index": -100, "reduction": reduction}
        outputs = f"loss[{losses}] total_weight[1] " + (
            "softmax[n,c] " if "weight" in inputs else ""
        )
        case("cross_entropy_forward", f"{outputs} x[n,c] {inputs}", left_out=left_out, **constants)
        case(
            "cross_entropy_backward",
            f"dx[n,c] dloss[{losses}] softmax[n,c] total_weight[1] {inputs}",
            left_out=left_out if reduction == MEAN else left_out + " total_weight",
            **constants,
        )
    case(
        "cross_entropy_forward",
        f"loss[{0 if reduction == NONE else 1}] total_weight[1] x[n,c] softmax[n,c] weight[c]",
        idle="weight",
        **constants | {"n": 0, "index": integers()},
    )

for reduction in (NONE, MEAN, SUM):
    forward, backward = "class_loss_forward_args", "class_loss_backward_args"
    for kernel, inner, labels, index, weight in [
        ("nll", 2, 0, integers(0, 2, 4, 1, 3, 4), "weight[c]"),
        ("nll", 1, 0, integers(0, 2, 4), ""),
        ("multi_margin", 1, 0, integers(0, 2, 4), "weight[c]"),
        ("multi_margin", 1, 0, integers(1, 2, 3), ""),
        ("multi_margin", 1, 5, integers(*(0, 2, -1, 1, 1), 2, *[-1] * 4, 3, 1, 3, 1, 2), ""),
    ]:
        constants = {"n": 3, "c": 5, "inner": inner, "labels": labels, "reduction": reduction}
        constants |= {"index": index, "ignore_index": -100, "margin": 1.0, "p": 2.0}
        losses = 3 * inner if reduction == NONE else 1
        case(
            f"{kernel}_forward",
            f"loss[{losses}] total_weight[1] x[n,c,inner] {weight}",
            forward,
            **constants,
        )
        case(
            f"{kernel}_backward",
            f"dx[n,c,inner] dloss[{losses}] total_weight[1] {weight} "
            + ("x[n,c,inner]" if kernel == "multi_margin" else ""),
            backward,
            left_out="" if reduction == MEAN else "total_weight",
            **constants,
        )

for y in ("y[n]", "y=x"):
    case("dropout_forward", f"{y} x[n]", mask=items(1, 8), state=state(), n=19, p=0.1)
case("dropout_forward", "y[n] x[n]", idle="state", mask=items(0, 8), state=state(), n=0, p=0.1)
case("random_log_gamma random_poisson", "y[n] a[n]", "random_of_args", state=state(), n=19)
case("random_binomial random_von_mises", "y[n] a[n] b[n]", "random_of_args", state=state(), n=19)
case("dropout_backward", "dx[n] dy[n]", mask=kept(2), n=128, p=0.1)
case("random_uniform random_normal", "y[n]", "random_args", state=state(), n=19, low=0.5, high=1.5)
case("random_permutation", index=integers(*range(19)), state=state(), n=19)

case(
    "image_view",
    "y[84] x[84]",
    "image_view_args",
    state=state(),
    **{"n": 1, "channels": 2, "height": 7, "width": 6, "out_height": 7, "out_width": 6},
    **{"padding": 0, "cutout": 0, "flip": 0.0, "rotation": 0.0},
)

ARRAYS, NUMBERS = ([f"{kind}[{i}]" for i in range(3)] for kind in ("arrays", "numbers"))
IDLE = {  # by the kernel and the count of its arrays
    ("rprop", 2): "options",  # a factor of gradients that change their sign
    ("asgd", 1): "segments[1].numbers[1] segments[1].numbers[2]",  # of an empty segment
    ("adam", 3): "segments[2].arrays[2]",  # its three elements may be the largest so far
}
for kernel, arrays, numbers, *values in [  # how many of the state those options need
    ("sgd", 1, 1, 0.1, 0.9, 0.0, 0.01, 0, 0),
    ("sgd", 0, 1, 0.1, 0.0, 0.0, 0.01, 0, 0),
    ("adagrad", 1, 1, 0.1, 0.01, 0.01, 1e-8, 0),
    ("rmsprop", 3, 1, 0.1, 0.9, 0.1, 0.01, 0.9, 1, 0),
    ("rmsprop", 1, 1, 0.1, 0.9, 1e-8, 0.01, 0.0, 0, 0),
    ("adam", 3, 1, 0.1, (0.9, 0.99), 1e-8, 0.01, 1, 0, 0),
    ("adam", 2, 1, 0.1, (0.9, 0.99), 1e-8, 0.01, 0, 0, 1),
    ("nadam", 2, 2, 0.1, (0.9, 0.99), 1e-8, 0.01, 0.1, 0, 0),
    ("adamax", 2, 1, 0.1, (0.9, 0.99), 1e-8, 0.01, 0),
    ("adadelta", 2, 1, 0.1, 0.9, 1e-6, 0.01, 0),
    ("radam", 2, 1, 0.1, (0.9, 0.99), 1e-8, 0.01, 0, 0),
    ("rprop", 2, 1, (0.5, 1.2), (1e-6, 50.0), 0),
    ("asgd", 1, 3, 0.1, 1e-4, 0.75, 1.0, 0.01, 0),
    ("lion", 1, 1, 0.1, (0.9, 0.99), 0.01, 0),
]:
    names = "w", "g", *ARRAYS[:arrays], *NUMBERS[:numbers]
    case(
        *(kernel, "", "optim_args"),
        idle=IDLE.get((kernel, arrays), ""),
        options=options(f"{kernel}_options", *values),
        segments=[segment(n, *names) for n in (19, 0, 3)],
    )
SGD = options("sgd_options", 0.1, 0.9, 0.0, 0.01, 0, 0)
PLAIN_SGD = options("sgd_options", 0.1, 0.0, 0.0, 0.01, 0, 0)
for values, rest in [
    (SGD, {"left_out": "segments[0].arrays[1] segments[0].arrays[2] segments[0].numbers[1]"}),
    (PLAIN_SGD, {"idle": "segments[0].arrays[0]"}),
]:
    names = [*ARRAYS, *NUMBERS[:2]] if values is SGD else [ARRAYS[0], NUMBERS[0]]
    case(
        *("sgd", "", "optim_args"), **rest, segments=[segment(3, "w", "g", *names)], options=values
    )
case(*("sgd", "", "optim_args"), idle="options", segments=[], options=SGD)
case(
    "grad_norm",
    "norm[1] coef[1]",
    left_out="segments[0].w segments[0].numbers[0] segments[1].arrays[0]",
    segments=[segment(19, "w", "g", "numbers[0]"), segment(3, "g", "arrays[0]")],
    max_norm=0.1,
)
case(
    "scale_segments",
    "coef[1]",
    left_out="segments[0].g segments[0].numbers[0]",
    segments=[segment(19, "w", "g", "numbers[0]"), segment(3, "w")],
)

BINARY = "add sub mul div pow maximum minimum log_gamma_slope"
# pairs of which each is near to give another result: real, or as integers
COMPARED = {
    "equal": (2, 2),
    "not_equal": (2, 2),
    "less": (2, 3),
    "less_equal": (3, 2),
    "greater": (3, 2),
    "greater_equal": (2, 3),
}
for a, b in [
    ((5, 1), (5, 1)),
    ((0, 0), (5, 1)),
    ((5, 1), (0, 1)),
    ((1, 0), (9, 1)),
    ((-5, 1), (7, 1)),
    ((5, 1), (-2, 0)),
]:
    constants = {"rows": 4, "cols": 5, "a_row": a[0], "a_col": a[1], "b_row": b[0], "b_col": b[1]}
    operands = {"a": strided((4, 5), a), "b": strided((4, 5), b)}
    case(BINARY, "y[rows,cols]", "binary_args", **operands, **constants)
    for kernel, pair in COMPARED.items():
        for kind, values in [("f", (0.75, 0.75)), ("i", pair)]:
            operands = {
                "a": alike((4, 5), a, values[0], kind),
                "b": alike((4, 5), b, values[1], kind),
            }
            y = items(20, 1)
            case(kernel, "", "compare_args", integers=kind == "i", y=y, **operands, **constants)
case(BINARY, "y=a a[4,5] b[1]", "binary_args", rows=4, cols=5, a_row=5, a_col=1)

UNARY = "neg abs exp log sqrt sign reciprocal sin cos log1p expm1 erf erfc erfinv lgamma digamma"
UNARY += " polygamma scaled_bessel clamp"
case(UNARY, "y[n] x[n]", "unary_args", n=19, low=0.0, high=2.0)
case(UNARY, "y=x x[n]", "unary_args", n=19, low=0.0, high=2.0)

case("waves_forward", "z[features,n,6] x[n,features] c[features,k]", n=4, features=2, k=3)
case("waves_both", "both[n,features,10] dy[n,features,o] x[n,features]", n=4, features=2, o=5)
arrays = "dw[features,6,o] dc[features,k] p[features,6,10] w[features,6,o]"
case("waves_backward", arrays, features=2, k=3, o=5)

for ends, between, idle in [(1, 0, "b"), (0, 1, "a")]:
    condition = Array(np.array([ends, *[between] * 17, ends], np.uint8))
    case("where", "y[n] a[n] b[n]", idle=idle, condition=condition, n=19)

for kernel, value in [("and", 1), ("or", 0), ("xor", 1), ("not", 1)]:
    a, b = (Array(np.full(19, value, np.uint8)) for _ in range(2))
    operands = {"a": a} if kernel == "not" else {"a": a, "b": b}
    for y in (items(19, 1), "a"):
        case(f"logical_{kernel}", "", "logical_args", y=y, n=19, **operands)

case("fill", "y[n]", n=19, value=0.3)
case("fill", "y[n]", n=0, value=0.3)

for shape, y_strides, x_strides in [
    ((), (), ()),
    ((7,), (1,), (-1,)),
    ((3, 5), (5, 1), (1, 3)),
    ((3, 5), (5, 1), (-10, 2)),
    ((3, 5), (8, 1), (5, -1)),
    ((3, 5), (-5, 1), (5, 1)),
    ((3, 5), (1, 3), (7, 1)),
    ((3, 5), (20, -3), (0, 0)),
    ((2, 3, 5), (15, 5, 1), (0, -5, 1)),
    ((2, 3, 2, 4), (24, 8, 4, 1), (-40, 3, 20, -9)),
    ((3, 0), (2, 1), (2, 1)),
]:
    constants = {"ndim": len(shape), "shape": list(shape)}
    constants |= {"y_strides": list(y_strides), "x_strides": list(x_strides)}
    for item_bytes in (1, 2, 4, 8):
        (y, y_at), (x, x_at) = span(shape, y_strides), span(shape, x_strides)
        operands = {"y": items(y, item_bytes, y_at), "x": items(x, item_bytes, x_at)}
        case("copy", item_bytes=item_bytes, **operands, **constants)

# as ELEMENT_BOOL, ELEMENT_UINT8, ...
ELEMENTS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
for y_element, y_type in enumerate(ELEMENTS):
    for x_element, x_type in enumerate(ELEMENTS):
        # a real that is near to be false, or one that is near to be another integer
        value = -0.5 if y_type == "bool" and x_type.startswith("float") else 1
        case(
            "cast",
            y=items(19, np.dtype(y_type).itemsize),
            x=Array(np.full(19, value, "uint8" if x_type == "bool" else x_type)),
            **{"n": 19, "y_element": y_element, "x_element": x_element},
        )

for outer, n, inner in [(3, 7, 1), (3, 4, 5), (1, 19, 1), (2, 1, 3)]:
    arrays = "y[outer,inner] x[outer,n,inner]"
    index = integers(*[0] * (outer * inner))
    case("sum", arrays, outer=outer, n=n, inner=inner)
    case("max min", arrays, "extremum_args", outer=outer, n=n, inner=inner)
    case("max min", arrays, "extremum_args", index=index, outer=outer, n=n, inner=inner)
case("sum", "y[outer,inner] x[outer,n,inner]", outer=3, n=0, inner=5)

for count, each, inner in [(1, 6, 1), (1, 6, 4)]:
    constants = {"outer": 1, "n": count * each, "inner": inner, "each": each}
    case("sum", "y[inner] x[n,inner]", count=integers(count), **constants)

row = np.arange(12, dtype=np.uint8)  # one row of x is told: another lies in the gap after it
rows = Array(np.zeros(4 * 12, np.uint8))
case("gather", y=rows, x=Array(row), index=integers(0, 0, 0, 0), n=4, row_bytes=12)
case("gather", "y[n] x[5]", left_out="x", index=integers(), n=0, row_bytes=8)
index = integers(3, 0, 3, 5)
case("gather_backward", "dx[rows,c] dy[n,c]", index=index, n=4, rows=6, c=5)
case("gather_backward", "dx[rows,c] dy[n,c]", index=integers(), n=0, rows=6, c=5)
bags = {"bags": 2, "n": 5, "rows": 4, "c": 5}  # a number that differs by one bit is one, too
bags |= {"index": integers(2, 0, 3, 1, 1), "ends": integers(0, 1, 5)}
for left_out, options in ("", {"mean": 0, "padding": -1}), ("w", {"mean": 1, "padding": -1}):
    w = "" if left_out else " w[n]"
    case("bag_forward", f"y[bags,c] x[rows,c]{w}", left_out=left_out, **bags, **options)
    case("bag_backward", f"dx[rows,c] dy[bags,c]{w}", left_out=left_out, **bags, **options)

bins = {"n": 6, "functions": 2, "bins": 3, "c": 5, "counts": integers(3, 3)}
bins |= {
    name: Array(np.array(values), kind="f")
    for name, values in {
        "x": [-1.0, -2.0, 0.5, 0.5, 1.0, 1.5, 0.0, 0.1, 1.2, 2.0, 0.7, 3.0],
        "left": [-0.5, 0.2, 0.9, 0.0, 0.4, 1.0],
        "scale": [1.5, 2.0, 0.5, 3.0, 0.25, 1.25],
    }.items()
}
case("piecewise_forward", "y[n,functions,c] values[functions,4,c]", **bins)
case("piecewise_backward", "dvalues[functions,4,c] dy[n,functions,c]", **bins)

counted = {"count": integers(0), "mask": Array(np.array([1, 1, 0, 1], np.uint8))}
case("mask_gather", "", "mask_args", y=rows, x=items(12, 4), n=4, row_bytes=12, **counted)
mask = Array(np.ones(4, np.uint8))  # of all: the last row of x is read
case("mask_scatter", "", "mask_args", y=rows, x=items(12, 4), mask=mask, n=4, row_bytes=12)

constants = {"size": 3, "ignored": -100, "wrap": 0}
case("index_check", fault=integers(0), index=integers(2, 0, 2), n=3, **constants)
for y in (integers(0, 0, 0), "index"):
    case("index_check", y=y, fault=integers(0), index=integers(2, -1, 2), n=3, **constants)
case("index_check", y=integers(), fault=integers(0), index=integers(), n=0, **constants)


@ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.POINTER(ctypes.c_int64)),
    ctypes.POINTER(ctypes.c_int64),
)
def called_back(call, at, fault):
    x, y, total = at[:3]
    for i in range(3):
        y[i] = 2 * x[i - 1]
        total[0] += x[i - 1]
    fault[0] = -1


case(
    "callback",
    **{"at[0]": Array(np.arange(3), at=1), "at[1]": integers(0, 0, 0), "at[2]": integers(5)},
    fault=integers(0),
    run=ctypes.cast(called_back, ctypes.c_void_p).value,
    count=3,
    before=[8],
    bytes=[24, 24, 8],
    access=[READ, WRITE, READ | WRITE],
)

constants = {"outer": 2, "n": 4, "m": 3, "inner": 2}
index = integers(0, 1, 2, 0, 3, 0, 0, 1, 2, 1, 3, 3)
for item_bytes in (1, 2, 4, 8):
    operands = {"y": items(12, item_bytes), "x": items(16, item_bytes), "index": index}
    case("gather_along", item_bytes=item_bytes, **operands, **constants)
case("scatter_add", "dx[outer,n,inner] dy[outer,m,inner]", index=index, **constants)
constants["m"] = 0
case("scatter_add", "dx[outer,n,inner]", index=integers(), idle="dx", **constants)

number = Array(np.zeros(1))  # of float64 whatever the dtype
case("vector_norm", "x[n]", y=number, n=19)
case("vector_norm", "x[n]", y=number, n=0)
case("relative_change", "x[n] before[n]", y=number, n=19)
case("dead_share", y=number, x=alike((3, 5), (5, 1), -0.75, "f"), n=3, c=5)
case("outside_share", "x[n]", y=number, n=19, low=0.25, high=1.5)
case("batchnorm_drift", "mean[c] rstd[c] running_mean[c]", y=number, c=19)
case("multiply_adds", "y[1]", rounds=3)

for reduction in (NONE, MEAN, SUM):
    losses = "1" if reduction else "n"
    for loss, numbers in PAIR_LOSS_CASES.values():
        t = alike((19,), (1,), -1.0, "f") if loss.signs else reals(19)
        constants = {"t": t, "n": 19, "reduction": reduction, **alpha_beta(numbers)}
        forward, backward = "pair_loss_forward_args", "pair_loss_backward_args"
        case(f"{loss.kernel}_forward", f"loss[{losses}] x[n]", forward, **constants)
        for outputs in ("dx[n]",) if loss.signs else ("dx[n]", "dt[n]", "dx[n] dt[n]"):
            inputs = f"{outputs} dloss[{losses}] x[n]"
            idle = "t" if loss.slope_t and outputs == "dt[n]" else ""  # of x alone
            case(f"{loss.kernel}_backward", inputs, backward, idle=idle, **constants)


# ---- the check
# ------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """A piece of a call's effects: its bytes in the memory, and the address of its pointer."""

    name: str
    bytes: slice
    access: int
    field: int


class Call:
    """A case in one dtype, and its memory.

    Attributes:
        memory: where all arrays lie.
        start: what it holds at first: the arrays' values, noise in the gaps.
        arrays: name -> the array's first byte in memory, and its values.
        fields: address of a pointer -> its name.
    """

    def __init__(self, case, dtype):
        self.case, self.dtype = case, dtype
        self.arrays, self.fields, self.size = {}, {}, GAP
        segments = case.arguments.get("segments", [])
        self.table = (STRUCTS["optim_segment"] * len(segments))()
        self.args = STRUCTS[case.struct]()
        structs = [(self.args, "", case.arguments)]
        for i, arguments in enumerate(segments):
            structs.append((self.table[i], f"segments[{i}].", arguments))
        if "segments" in case.arguments:
            self.args.segments, self.args.count = ctypes.addressof(self.table), len(segments)
        if "options" in case.arguments:
            self.args.options_size = case.arguments["options"].values.nbytes

        for _, prefix, arguments in structs:
            for field, value in arguments.items():
                if isinstance(value, Array):
                    self.place(prefix + field, value)
        self.memory = np.zeros(self.size, np.uint8)
        self.start = np.random.default_rng(0).integers(0, 256, self.size, np.uint8)
        for begin, values in self.arrays.values():
            self.start[begin : begin + values.nbytes] = values.view(np.uint8)
        for struct, prefix, arguments in structs:
            for field, value in arguments.items():
                self.set(struct, prefix, field, value)

    def place(self, name, array):
        values = array.values
        if array.kind is not None:
            values = values.astype(f"{array.kind}{self.dtype.itemsize}")
        self.arrays[name] = self.size, values
        self.size += -(-values.nbytes // 8) * 8 + GAP

    def set(self, struct, prefix, field, value):
        if isinstance(value, (Array, str)):
            name = value if isinstance(value, str) else prefix + field
            begin, values = self.arrays[name]
            at = begin + (0 if isinstance(value, str) else value.at * values.itemsize)
            member, index = re.match(r"(\w+)(?:\[(\d)\])?$", field).groups()
            address = ctypes.addressof(struct) + getattr(type(struct), member).offset
            address += int(index or 0) * ctypes.sizeof(ctypes.c_void_p)
            pointer(address).value = self.memory.ctypes.data + at
            self.fields[address] = prefix + field
        elif field != "segments":
            assert field in dict(struct._fields_), field  # ctypes takes any name
            setattr(struct, field, tuple(value) if isinstance(value, list) else value)

    def array_of(self, field):
        """The first byte and the values of what a pointer leads to."""
        same = self.case.arguments.get(field)
        return self.arrays[same if isinstance(same, str) else field]

    def effects(self):
        """Operations and pieces."""
        operations, told = _kernels.effects(
            KERNEL[self.case.kernel], self.dtype.name, ctypes.addressof(self.args)
        )
        pieces = []
        for field, before, size, access in told:
            begin = pointer(field).value - before - self.memory.ctypes.data
            pieces.append(Piece(self.fields[field], slice(begin, begin + size), access, field))
        return operations, pieces

    def run(self, start):
        """What memory holds after the call, when it holds `start` before."""
        self.memory[:] = start
        submit(self.case.kernel, self.dtype, self.args)
        return self.memory.copy()


def pointer(address):
    return ctypes.c_void_p.from_address(address)


def check(call):
    _, pieces = call.effects()
    assert_pieces_are_the_arrays(call, pieces)
    read, written = np.zeros((2, call.size), bool)
    for piece in pieces:
        read[piece.bytes] |= bool(piece.access & (READ | PART))
        written[piece.bytes] |= bool(piece.access & WRITE)
    assert_the_rest_has_no_part(call, read, written)

    after = call.run(call.start)
    for piece in pieces:
        if piece.name in call.case.idle:
            continue
        if piece.access in (READ | WRITE, WRITE | PART):
            assert (after != call.start)[piece.bytes].any(), f"{piece.name} is not written"
        if piece.access & READ:
            assert_it_matters(call, piece, after, ~read | written)
    assert_it_moves(call, pieces, after)


def assert_pieces_are_the_arrays(call, pieces):
    wanted = []
    for name in call.fields.values():
        begin, values = call.array_of(name)
        if values.nbytes and name not in call.case.left_out:
            wanted.append((name, slice(begin, begin + values.nbytes)))
    assert sorted((piece[:2] for piece in pieces), key=str) == sorted(wanted, key=str)


def assert_the_rest_has_no_part(call, read, written):
    """Whatever is where nothing is read, the same is written, all of it, and nothing beside it."""
    results = []
    for filler in (0xFF, 0x00):
        start = np.where(read, call.start, np.uint8(filler))
        after = call.run(start)
        assert (after == start)[~written].all(), "written outside the pieces"
        results.append(after[written])
    assert (results[0] == results[1]).all(), "read outside the pieces, or not written whole"


def assert_it_matters(call, piece, after, results):
    """Another first element of a piece gives another result, and so does another last one."""
    values = call.array_of(piece.name)[1]
    if values.dtype.kind == "f":
        changes = [lambda value: 2 * value + 1, lambda value: -2 * value - 1]
    else:
        changes = [lambda value: value ^ 1]
    for place in [0] if piece.name == "options" else [0, -1]:
        differs = False
        for change in changes:
            start = call.start.copy()
            elements = start[piece.bytes].view(values.dtype)
            elements[place] = change(elements[place])
            differs |= (call.run(start) != after)[results].any()
        assert differs, f"{piece.name}[{place}] is not read"


def assert_it_moves(call, pieces, after):
    """With its pointers changed, the call does the same in another memory, nothing in its own."""
    elsewhere = call.start.copy()
    call.memory[:] = 0
    for field in {piece.field for piece in pieces}:
        pointer(field).value += elsewhere.ctypes.data - call.memory.ctypes.data
    submit(call.case.kernel, call.dtype, call.args)
    assert not call.memory.any() and (elsewhere == after).all()


@pytest.mark.parametrize("kernel", KERNEL)
def test_effects(kernel, dtype):
    cases = [case for case in CASES if case.kernel == kernel]
    assert cases, "a kernel without a case here"
    for case in cases:
        print(case)  # the last one is the one that failed
        check(Call(case, dtype))


def operations(case):
    return Call(case, np.dtype(np.float32)).effects()[0]


@pytest.mark.parametrize("kernel", KERNEL)
def test_every_kernel_but_those_that_move_computes(kernel):
    counts = [operations(case) for case in CASES if case.kernel == kernel]
    assert (max(counts) > 0) == (kernel not in MOVES)


def case_of(*arguments, **named):
    case(*arguments, **named)
    return CASES.pop()


def test_operations():
    linear = {"n": 3, "k": 4, "o": 5, "alpha": 1}
    products, sums = 2 * 3 * 4 * 5, 3 * 5
    for arrays, wanted in [("", products), ("b[o]", products + sums)]:
        assert operations(case_of("linear_forward", arrays, **linear)) == wanted
    for arrays, wanted in [("dx[n,k]", products), ("dx[n,k] dw[o,k] db[o]", 2 * products + sums)]:
        assert operations(case_of("linear_backward", arrays, **linear)) == wanted
    assert operations(case_of("gemm", m=3, k=4, n=5, batch=7)) == 7 * products
    assert operations(case_of("add", "", "binary_args", rows=300_000, cols=300_000)) == 9e10
    segments = [segment(19, "w", "g"), segment(3, "w", "g")]
    assert operations(case_of("grad_norm", segments=segments)) == 2 * 22
    assert operations(case_of("less", "", "compare_args", rows=300_000, cols=300_000)) == 9e10
    assert operations(case_of("vector_norm", n=19)) == 2 * 19
    assert operations(case_of("multiply_adds", "y[1]", rounds=3)) == 0
