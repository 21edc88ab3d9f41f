"""A model as a graph, with rows that it was tried with."""

import keyword
import math
import re
import unicodedata
from itertools import chain
from types import ModuleType
from typing import NamedTuple

import numpy as np

from pyml import nn
from pyml.errors import ArgumentError
from pyml.export import graph as g
from pyml.export.graph import Graph
from pyml.export.modules import Tracer
from pyml.export.numpy_writer import HELPERS, Writer
from pyml.export.operations import plain
from pyml.export.table import graph_of, tried
from pyml.func import functional_call
from pyml.nn.modes import evaluating
from pyml.ops.outside import arrived
from pyml.tabular.model import TabularModel
from pyml.tensor import Tensor

ROWS = 8  # of random inputs, if none are given
CLOSE = 1e-3  # how far NumPy's outputs may be from the model's, of the largest one


class Traced(NamedTuple):
    """A Module, its Graph, arrays of rows, and {name: array} that the model gives of them."""

    model: nn.Module
    graph: Graph
    rows: tuple
    outputs: dict


def traced(model, inputs, who):
    """What a model computes in evaluation mode.

    Args:
        model: a Module, or an estimator with a TabularModel.
        inputs: rows as it takes them: an array or Tensor, a tuple of them if it takes several, a
            table for a TabularModel; or None, for random ones if its first layer says how many
            numbers it takes.
        who: the public function, for messages.
    """
    if not isinstance(model, nn.Module):
        model = getattr(model, "model_", model)
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"{who}: model is a {type(model).__name__}, it must be a Module; of a fitted MLP take "
            "its network, as estimator.networks_[0]"
        )
    if isinstance(model, TabularModel):
        made = Traced(model, graph_of(model), *tried(model, inputs, ROWS, who))
        check(made, who)
        return made
    floats = (np.dtype(p.dtype) for p in model.parameters() if p.is_floating_point())
    dtype = next(floats, None)
    rows = given_rows(model, inputs, dtype, who)
    names = ["x"] if len(rows) == 1 else [f"x{i}" for i in range(1, len(rows) + 1)]
    values = [g.placeholder(n, r.shape[1:], r.dtype) for n, r in zip(names, rows, strict=True)]
    try:
        graph = Graph(values, {"y": Tracer()(model, *values)})
        with evaluating(model):
            tensors = chain(model.named_parameters(), model.named_buffers())
            copies = {name: tensor.clone() for name, tensor in tensors}  # max_norm changes weights
            output = functional_call(model, copies, tuple(map(Tensor._on, rows))).numpy()
    except ValueError as error:
        shapes = ", ".join(str(array.shape) for array in rows)
        said = f"inputs has shape {shapes}: {error}"
        if inputs is None:
            said = (
                f"the model does not take rows of {rows[0].shape[1]} numbers, which were drawn as "
                f"inputs is None: {error}; if it takes others, give a few rows of inputs"
            )
        raise ArgumentError(f"{who}: {said}") from None
    made = Traced(model, graph, rows, {"y": output})
    check(made, who)
    return made


def given_rows(model, inputs, dtype, who):
    """The rows of inputs, arrays of int64 or of floats of a dtype; None: as they are."""
    if inputs is None:
        size = first_size(model)
        if size is None:
            raise ValueError(
                f"{who}: inputs is None, and the first layer does not say what it takes; give a "
                "few rows of inputs"
            )
        drawn = np.random.RandomState(0).standard_normal((ROWS, size))
        return (drawn.astype(dtype or np.float32),)
    given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    rows = []
    for i, array in enumerate(given):
        name = "inputs" if len(given) == 1 else f"inputs[{i}]"
        array = arrived(array, f"{who}: {name}")
        if array.ndim == 0 or len(array) == 0:
            raise ValueError(f"{who}: {name} has shape {array.shape}, it must have rows")
        wanted = (dtype or array.dtype) if array.dtype.kind == "f" else np.int64
        rows.append(np.ascontiguousarray(array, wanted))
    if not rows or len({len(array) for array in rows}) > 1:
        raise ValueError(f"{who}: inputs must be of one number of rows, for one input or more")
    return tuple(rows)


def first_size(model):
    """How many numbers a row has by the first layer that says it, None if it does not."""
    for module in model.modules():
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag, nn.Bilinear)):
            return None
        if hasattr(module, "counts"):
            return len(module.counts)
        for name in ("in_features", "num_features"):
            if isinstance(getattr(module, name, None), int):
                return getattr(module, name)
        if isinstance(module, nn.LayerNorm | nn.RMSNorm) and len(module.normalized_shape) == 1:
            return module.normalized_shape[0]
    return None


# ---- in NumPy ------------------------------------------------------------------------------------


MISSING = {"float64": "nan", "int64": "np.iinfo(np.int64).min", g.TEXT: "None or nan"}
OF_MODULES = {*HELPERS, "np", "math", "WEIGHTS"}


def python_name(name, taken=()):
    """A name of Python, another one than those that are taken, or used within a module."""
    letters = unicodedata.normalize("NFKC", name)  # as Python reads names
    base = "".join(c if f"_{c}".isidentifier() else "_" for c in letters) or "_"
    base = made = base if base.isidentifier() else f"_{base}"
    count = 1
    while made in (*taken, *OF_MODULES) or keyword.iskeyword(made) or re.match(r"h\d+$", made):
        count += 1
        made = f"{base}_{count}"
    return made


def module_of(graph, name="network", doc="Outputs of rows of inputs."):
    """A graph as a module of NumPy with `predict`, WEIGHTS and its `source`."""
    arguments = []
    for value in graph.inputs:
        arguments.append(python_name(value.options["name"], arguments))
    writer = Writer(graph, arguments)

    def result(outputs):
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        return "{" + ", ".join(f'"{name}": {text}' for name, text in outputs.items()) + "}"

    shapes = [shape_of(v) for v in graph.inputs], [shape_of(v) for v in graph.outputs.values()]
    lines = [
        f"{name}: {plain(value.options['note'])}; {MISSING[str(value.dtype)]} if it is missing"
        for name, value in zip(arguments, graph.inputs, strict=True)
        if value.options["note"]
    ]
    lines = lines or [f"{', '.join(shapes[0])} to {', '.join(shapes[1])}."]
    doc += "\n\n" + "".join(f"    {line}\n" for line in lines) + "    "
    source = writer.source(doc, result)
    module = ModuleType(name)
    module.source = source
    module.WEIGHTS = writer.weights
    module.np, module.math = np, math
    exec(compile(source, f"<{name}>", "exec"), vars(module))
    return module


def shape_of(value):
    """The shape of a batch, for people."""
    return f"({', '.join(map(str, ('n', *value.shape)))}{',' if not value.shape else ''})"


def computed(graph, rows):
    """{name: array} of what NumPy computes of a graph."""
    with np.errstate(all="ignore"):
        outputs = module_of(graph).predict(*rows)
    return outputs if isinstance(outputs, dict) else {next(iter(graph.outputs)): outputs}


def check(made, who):
    """Raises ValueError unless a graph computes what the model does."""
    for name, found in computed(made.graph, made.rows).items():
        wanted = made.outputs[name]
        shapes = [found.shape, (len(made.rows[0]), *made.graph.outputs[name].shape)]
        if shapes != [wanted.shape] * 2:
            raise ValueError(
                f"{who}: the model gives the shape {wanted.shape}, its rules "
                f"{' and '.join(map(str, shapes))}; are inputs rows, (n, ...)?"
            )
        if wanted.dtype.kind != "f":
            continue
        scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1e-30)
        if not np.allclose(found, wanted, CLOSE, CLOSE * scale, equal_nan=True):
            raise ValueError(
                f"{who}: what the model gives and what the rules of its modules compute differ by "
                f"up to {np.nanmax(np.abs(found - wanted)):.3g}; is a rule of export.rule wrong?"
            )
