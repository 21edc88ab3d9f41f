"""A graph whose linear layers compute in whole numbers of 8 bits, after training.

Weights have a scale for each output, inputs of a layer one scale, of the largest input that the
given rows have: Jacob et al. 2018 (arXiv:1712.05877), without zero points. Sums are whole
numbers; all between the layers stays in floats.
"""

import numpy as np

from pyml.export.graph import Graph, Value, constant
from pyml.export.traced import computed

LARGEST = 127


def quantised(graph, rows):
    """The Graph with linear layers of int8.

    Args:
        rows: an array for each input, that the range of what layers are given is taken of.

    Raises:
        ValueError: if it has no linear layer, or a weight or what a layer is given is not finite.
    """
    layers = [v for v in graph.values if v.op == "linear"]
    if not layers:
        raise ValueError("export: dtype is 'int8', and the model has no linear layer; use float32")
    seen = {f"v{i}": layer.inputs[0] for i, layer in enumerate(layers)}
    found = computed(Graph(graph.inputs, seen), rows)
    steps = {
        layer: max(float(np.abs(found[name]).max(initial=0)), 1e-30) / LARGEST
        for layer, name in zip(layers, seen, strict=True)
    }
    for layer, name in zip(layers, seen, strict=True):
        weight = layer.inputs[1].options
        if not (np.isfinite(weight["array"]).all() and np.isfinite(found[name]).all()):
            raise ValueError(
                f"export: dtype is 'int8', and {weight['name']!r}, or what it multiplies in the "
                "given rows, is not finite; use float32"
            )
    made = {}
    for value in graph.values:
        inputs = [made[each] for each in value.inputs]
        if value in steps:
            made[value] = integer_layer(value, inputs, steps[value])
        elif value.inputs:
            made[value] = Value(value.op, inputs, value.shape, value.dtype, **value.options)
        else:
            made[value] = value
        made[value].where = value.where
    return Graph(graph.inputs, {name: made[value] for name, value in graph.outputs.items()})


def integer_layer(layer, inputs, step):
    """A linear layer as one of int8."""
    x, weight, *bias = inputs
    array, name = weight.options["array"], weight.options["name"]
    scale = np.abs(array).max(1, initial=0) / LARGEST
    scale = np.where(scale > 0, scale, 1).astype(array.dtype)
    whole = np.rint(array / scale[:, None]).astype(np.int8)
    given = x, constant(whole, name), constant(scale, f"{name}_scale"), *bias
    step = float(array.dtype.type(step))
    return Value("linear_int8", given, layer.shape, layer.dtype, step=step)
