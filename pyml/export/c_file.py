"""export.c: a model as one header of C99."""

import math
import re
from typing import NamedTuple

import numpy as np

from pyml import io
from pyml.config import __version__
from pyml.errors import ArgumentError
from pyml.export.c_writer import TYPES, Writer, declared, identifier
from pyml.export.graph import TEXT
from pyml.export.int8 import quantised
from pyml.export.operations import plain
from pyml.export.traced import computed, traced
from pyml.options import check_choice
from pyml.tabular.model import TabularModel
from pyml.tensor import Tensor

__all__ = ["Exported", "c"]

TESTED_ROWS = 4
ULP = {"float32": 256, "int8": 2**17}  # of the largest output: of int8 about a hundredth
OWN = 16  # times what NumPy's outputs differ by, where that is more
MISSING = {"float64": "NAN", "int64": "INT64_MIN", TEXT: "NULL"}
FINITE = [  # options by which a compiler takes it that there is no NaN
    "#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)",
    '#error "missing numbers are NAN: compile without -ffast-math and -ffinite-math-only"',
    "#endif",
    "",
]
NO_CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', re.DOTALL)  # comments and texts
MATH = re.compile(r"\b(?:[a-z0-9]+f|exp|log|sqrt|cos|sin|tanh|erf|pow|fabs|expm1|log1p|isnan)\(")


class Exported(NamedTuple):
    """What export.c has written.

    weight_bytes: of constants.
    scratch_bytes: of the stack, for one call.
    error: the largest difference of an output of the given rows to the model's, of the largest
        output of the same name.
    loss, loss_before: with targets, of the file and of the model: the share of wrong classes, or
        the mean squared error; otherwise None.
    """

    path: str
    weight_bytes: int
    scratch_bytes: int
    error: float
    loss: float | None
    loss_before: float | None


def c(model, path, *, inputs=None, targets=None, name=None, dtype="float32"):
    """Writes a model to one file of C99, which needs the C library alone and allocates nothing.

    The file has the function NAME_predict(x, y), which computes one row in evaluation mode and
    returns 0, or 1 for a number that is no row of an embedding; the sizes NAME_INPUTS and
    NAME_OUTPUTS, NAME_WEIGHT_BYTES and NAME_SCRATCH_BYTES; and NAME_self_test(), which returns the
    number of outputs that differ from the model's by more than NAME_ULP rounding errors (2^-23) of
    the largest one. Names of constants are those of state_dict(). All is static: include the file
    where it is used. With several inputs or outputs x and y are structs.

    Of a TabularModel the preprocessing goes along: x has a field for each column, double for
    numbers (NAN where it is missing), const char * for categories (NULL), int64_t for dates
    (microseconds since 1970, INT64_MIN), y the prediction and probabilities.

    Args:
        model: a Module of the modules of nn, or with export.rule of others; or a TabularModel, or a
            fitted estimator of tables.
        path: the file, and one of that name is replaced; or an object with write(bytes).
        inputs: rows as the model takes them: an array or Tensor, a tuple of them if it takes
            several, a table for a TabularModel. The first are those of the self-test, and
            dtype="int8" takes the ranges of numbers from them. Default: random ones.
        targets: of the rows, to measure what is lost: numbers of classes, of which the model gives
            the largest output; whole 0 and 1 for an output that is positive, or above 1/2 behind a
            sigmoid, where it is 1; or what the model gives, numbers or texts. Default: none.
        name: what all names in the file begin with. Default: that of the file.
        dtype: "float32", as the model is (a float64 one is double); or "int8", post-training:
            weights of linear layers and what they are given are of 8 bits. Default: "float32".

    Returns:
        An Exported: bytes, and how far outputs are from the model's.

    Raises:
        TypeError: if a module cannot be exported; it says which, and why.
        ValueError: if inputs are needed, or do not fit.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> export.c(model, "model.h").weight_bytes
        268
    """
    check_choice("export.c", "dtype", dtype, tuple(ULP))
    if not isinstance(name, (str, type(None))):
        raise TypeError(f"export.c: name is a {type(name).__name__}, it must be a str, as 'net'")
    if name is None:
        place = path
        if hasattr(path, "write"):  # of a descriptor the name is its number
            place = path.name if isinstance(getattr(path, "name", None), str) else "model"
        name = re.split(r"[/\\]", io._checked_path(place))[-1].partition(".")[0]
    prefix = identifier(name)
    if dtype == "int8" and inputs is None:
        raise ValueError("export.c: dtype is 'int8', which needs inputs, rows as of the training")
    made = traced(model, inputs, "export.c")
    graph = made.graph
    if dtype == "int8":
        graph = quantised(graph, made.rows)
    found = computed(graph, made.rows)
    error = max(
        (relative(found[n], made.outputs[n]) for n, v in graph.outputs.items() if v.dtype != TEXT),
        default=0.0,
    )
    losses = None, None
    if targets is not None:
        [(first, value), *_] = graph.outputs.items()
        threshold = None if isinstance(made.model, TabularModel) else threshold_of(value)
        losses = [loss_of(outputs[first], targets, threshold) for outputs in (found, made.outputs)]
    writer = Writer(graph, prefix)
    writer.write()
    expected = found if dtype == "int8" else made.outputs
    ulp = ULP[dtype]
    if dtype == "float32":  # a norm of numbers that are nearly alike is worth fewer digits
        ulp = max(ulp, math.ceil(OWN * error * 2**23))
    text = text_of(writer, made.model, made.rows, expected, ulp, error)
    content = text.encode()
    if hasattr(path, "write"):
        io._write_all(path, content)
    else:
        path = io._checked_path(path)
        io._write_whole(path, content)
    return Exported(str(path), writer.weight_bytes, writer.scratch_bytes, error, *losses)


def relative(found, wanted):
    """The largest difference of finite numbers, of the largest one."""
    found, wanted = (np.asarray(a, np.float64) for a in (found, wanted))
    finite = np.isfinite(wanted) & np.isfinite(found)
    scale = np.abs(wanted[finite]).max(initial=1e-300)
    return float(np.abs(found[finite] - wanted[finite]).max(initial=0) / scale)


def loss_of(outputs, targets, threshold):
    """The share of wrong classes, or the mean squared error.

    Args:
        outputs: of the rows, an array.
        targets: see `c`.
        threshold: an output above it says 1 of 0 and 1; None: outputs are numbers.
    """
    targets = targets.detach().numpy() if isinstance(targets, Tensor) else np.asarray(targets)
    kinds = ["texts" if is_text(array) else "numbers" for array in (targets, outputs)]
    if kinds[0] != kinds[1]:
        raise ArgumentError(
            f"export.c: targets are {kinds[0]}, and the model gives {kinds[1]}; give what it is to "
            "predict"
        )
    is_whole = targets.dtype.kind in "iub"
    if long_sizes(targets) == long_sizes(outputs):
        targets = targets.reshape(outputs.shape)
        if outputs.dtype.kind != "f":
            return float((outputs != targets).mean())
        if threshold is not None and is_whole and np.isin(targets, (0, 1)).all():
            return float(((outputs > threshold) != targets).mean())
        return float(((outputs - targets) ** 2).mean())
    classes = outputs.shape[1] if outputs.ndim == 2 else 1
    if classes == 1 or not is_whole or long_sizes(targets) != long_sizes(outputs[:, 0]):
        of_rows = f", or {outputs.shape[:1]}, numbers of classes" if classes > 1 else ""
        raise ArgumentError(
            f"export.c: targets has shape {targets.shape} and dtype {targets.dtype}; its shape "
            f"must be that of outputs, {outputs.shape}{of_rows}"
        )
    if targets.min() < 0 or targets.max() >= classes:
        raise ArgumentError(
            f"export.c: targets has classes from {targets.min()} to {targets.max()}, the model has "
            f"{classes} outputs; classes are counted from 0"
        )
    return float((outputs.argmax(1) != targets.ravel()).mean())


def long_sizes(array):
    """The sizes of an array, but for those of 1."""
    return [n for n in array.shape if n != 1]


def is_text(array):
    """Is it of names of classes?"""
    return array.dtype.kind == "U" or (
        array.dtype.kind == "O" and any(isinstance(each, str) for each in array.flat)
    )


def threshold_of(value):
    """What an output is above where 1 is likelier than 0."""
    while value.op == "reshape":
        [value] = value.inputs
    return 0.5 if value.op == "sigmoid" else 0


# ---- the file ------------------------------------------------------------------------------------


def text_of(writer, model, rows, outputs, ulp, error):
    """The text of the file.

    Args:
        rows, outputs: of the self-test.
        error: see Exported.
    """
    p, capitals = writer.p, writer.prefix.upper()
    predict = predict_of(writer)
    tested = [*self_test(writer, rows, outputs, capitals)]
    parts = [*writer.constants(), *writer.functions(), *predict, *tested]
    whole = "\n\n".join([*structs(writer), *parts])
    headers = ["stddef.h", "stdint.h"]
    headers += ["math.h"] * bool(
        MATH.search(whole) or re.search(r"\b(INFINITY|NAN|HUGE_VAL)\b", whole)
    )
    headers += ["string.h"] * ("strcmp(" in whole)
    sizes = {"ULP": ulp, "WEIGHT_BYTES": writer.weight_bytes}
    sizes |= {"SCRATCH_BYTES": writer.scratch_bytes}
    for side, what in enumerate(("INPUTS", "OUTPUTS")):
        if len(writer.fields[side]) == 1:
            sizes[what] = next(iter(writer.fields[side].values())).size
    x, y = arguments(writer)
    lines = [
        f"/* {plain(type(model).__name__)} of {sum(t.numel() for t in model.parameters())} "
        f"parameters, written by pyml {__version__} for C99.",
        " *",
        f" * int {p}predict({x}, {y})   one row; 0, or 1 for a number that is no row of a table",
        f" * int {p}self_test(void)   the number of outputs that are not as they were in Python",
        " *",
        f" * {writer.weight_bytes} bytes of constants, {writer.scratch_bytes} of the stack; "
        "nothing is allocated or kept between calls.",
        f" * Where it was written, outputs differed from the model's by {error:.2g} of the largest",
        f" * one at most; the self-test allows {ulp} * 2^-23. */",
        f"#ifndef {capitals}_H",
        f"#define {capitals}_H",
        "",
        *(f"#include <{header}>" for header in sorted(headers)),
        "",
        *(FINITE * bool(re.search(r"\bisnan\(|\bNAN\b|_int8\(", NO_CODE.sub("", whole)))),
        *(f"#define {capitals}_{what} {size}" for what, size in sizes.items()),
    ]
    return "\n".join(lines) + "\n\n" + whole + "\n\n#endif\n"


def structs(writer):
    """The types of several inputs and of several outputs."""
    for side, what in enumerate(("inputs", "outputs")):
        fields = writer.fields[side]
        if len(fields) > 1:
            lines = [
                f"    {spaced(TYPES[str(v.dtype)])}{name}"
                + (f"[{max(v.size, 1)}];" if v.shape else ";")
                + comment_of(v)
                for name, v in fields.items()
            ]
            yield "\n".join(["typedef struct {", *lines, f"}} {writer.p}{what};"])


def comment_of(value):
    """What an input is, as a comment behind its field."""
    note = value.options.get("note")
    return f" /* {plain(note)}; {MISSING[str(value.dtype)]} if it is missing */" if note else ""


def spaced(kind):
    """A type in front of a name."""
    return kind if kind.endswith("*") else f"{kind} "


def arguments(writer):
    """How predict takes inputs and outputs."""
    result = []
    for side, (letter, what) in enumerate((("x", "inputs"), ("y", "outputs"))):
        fields = writer.fields[side]
        if len(fields) > 1:
            kind = f"{writer.p}{what} "
        else:
            kind = spaced(TYPES[str(next(iter(fields.values())).dtype)])
        const = "const " if side == 0 and not kind.startswith("const") else ""
        star = "*const *" if kind == "const char *" and side == 0 else "*"
        kind = "const char " if star == "*const *" else kind
        result.append(f"{const}{kind}{star}{letter}")
    return result


def predict_of(writer):
    """The function of one row."""
    buffers = [
        f"    {spaced(TYPES[kind])}{name}[{max(size, 1)}];"
        for name, (kind, size) in writer.declared.items()
    ]
    head = f"static inline int {writer.p}predict({', '.join(arguments(writer))})"
    body = [f"    {line}" for line in writer.body]
    used = " ".join(writer.body)
    unused = [f"    (void){v};" for v in "xy" if not re.search(rf"\b{v}\b", used)]
    yield "\n".join([head, "{", *buffers, *unused, *body, "    return 0;", "}"])


def self_test(writer, rows, outputs, capitals):
    """Rows with the outputs that they should have, and the function that compares."""
    p, count = writer.p, min(TESTED_ROWS, len(rows[0]))
    x = test_data(writer, 0, [row[:count] for row in rows], count)
    y = test_data(writer, 1, [outputs[name][:count] for name in writer.graph.outputs], count)
    yield from (x, y)
    lines = [f"static inline int {p}self_test(void)", "{", "    int wrong = 0;"]
    several = [len(fields) > 1 for fields in writer.fields]
    [(_, first), *_] = writer.fields[1].items()
    kind = spaced(TYPES[str(first.dtype)])
    y = f"{p}outputs y;" if several[1] else f"{kind}y[{max(first.size, 1)}];"
    step = "" if several[0] else f" * {next(iter(writer.fields[0].values())).size}"
    at = "&y" if several[1] else "y"
    lines += [
        f"    for (int t = 0; t < {count}; t++) {{",
        f"        {y}",
        f"        if ({p}predict({p}test_x + t{step}, {at})) {{",
        "            wrong++;",
        "            continue;",
        "        }",
    ]
    for (name, value), key in zip(writer.fields[1].items(), writer.graph.outputs, strict=True):
        got = f"y.{name}" if several[1] else "y"
        wanted = f"{p}test_y[t].{name}" if several[1] else f"({p}test_y + {value.size} * t)"
        got += "[j]" if value.shape or not several[1] else ""
        wanted += "[j]" if value.shape or not several[1] else ""
        lines.append(f"        for (int j = 0; j < {value.size}; j++)")
        if value.dtype == TEXT:
            lines.append(f"            wrong += strcmp({got}, {wanted}) != 0;")
        elif value.dtype.kind == "f":
            found = outputs[key][:count]
            is_finite = np.isfinite(found)
            scale = np.abs(found[is_finite]).max(initial=0)
            bound = f"{capitals}_ULP * {writer.literal(scale * 2.0**-23, value.dtype)}"
            differs = f"!({got} - {wanted} <= {bound} && {wanted} - {got} <= {bound})"
            if not is_finite.all():
                is_number = f"({got} == {got} || {wanted} == {wanted})"
                differs = f"{got} != {wanted} && {is_number} && {differs}"
            lines.append(f"            wrong += {differs};")
        else:
            lines.append(f"            wrong += {got} != {wanted};")
    yield "\n".join([*lines, "    }", "    return wrong;", "}"])


def test_data(writer, side, arrays, count):
    """Rows of inputs or outputs, as constants of C."""
    fields, p = writer.fields[side], writer.p
    name = f"{p}test_{'xy'[side]}"
    values = [*fields.values()]
    if len(fields) == 1:
        [value], [array] = values, arrays
        items = [item(writer, n, value) for n in array.reshape(-1)]
        kind = TYPES[str(value.dtype)]
        kind = "char *const " if value.dtype == TEXT else f"{kind} "
        return declared(f"static const {kind}{name}[{max(len(items), 1)}]", items or ["0"])
    rows = []
    for t in range(count):
        parts = []
        for value, array in zip(values, arrays, strict=True):
            items = [item(writer, n, value) for n in np.atleast_1d(array[t]).ravel()]
            parts.append("{" + ", ".join(items) + "}" if value.shape else items[0])
        rows.append("{" + ", ".join(parts) + "}")
    what = ("inputs", "outputs")[side]
    return declared(f"static const {p}{what} {name}[{count}]", rows)


def item(writer, number, value):
    """A number or text of the self-test."""
    if value.dtype == TEXT:
        return writer.literal_of(None if number is None else str(number))
    return writer.literal(number, value.dtype)
