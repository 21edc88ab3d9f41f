"""export.onnx: a model as a file of ONNX."""

import numpy as np

from pyml import io
from pyml.config import __version__
from pyml.export.operations import FUNCTIONS
from pyml.export.traced import traced
from pyml.options import check_integer

__all__ = ["onnx"]

OLDEST, NEWEST = 13, 22  # opsets; from 13 on sums take their axes as an input
AXES_AS_INPUT = 18  # of ReduceMean and ReduceMax


def imported():
    """The package onnx."""
    try:
        import onnx
    except ImportError:
        raise ImportError("export.onnx needs onnx: pip install 'pyml-nn[onnx]'") from None
    return onnx


def onnx(model, path, *, inputs=None, opset=17):
    """Writes a model to a file of ONNX, for onnxruntime and others.

    The first dimension of all inputs and outputs, the batch, is of any size. One input is called
    x, several x1, x2, ...; the output y. Initializers have the names of state_dict().

    Args:
        model: a Module of the modules of nn, or with export.rule of others.
        path: the file, and one of that name is replaced; or an object with write(bytes).
        inputs: rows as the model takes them: an array or Tensor, a tuple of them if it takes
            several. Default: random ones, if the first layer says how many numbers it takes.
        opset: the version of ONNX's operators, 13 to 22. Default: 17.

    Raises:
        ImportError: without the package onnx.
        TypeError: if a module cannot be exported; it says which, and why.
        ValueError: if inputs are needed, or do not fit; for another opset.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> export.onnx(model, "model.onnx")
    """
    check_integer("export.onnx", "opset", opset)
    if not OLDEST <= opset <= NEWEST:
        raise ValueError(f"export.onnx: opset is {opset}, it must be from {OLDEST} to {NEWEST}")
    library = imported()
    graph = traced(model, inputs, "export.onnx").graph
    content = Writer(library, graph, opset).model(type(model).__name__).SerializeToString()
    if hasattr(path, "write"):
        io._write_all(path, content)
    else:
        io._write_whole(io._checked_path(path), content)


class Writer:
    """A Graph as one of ONNX: each Value is one node, some a few.

    Args:
        onnx: the package.
        graph: a Graph.
        opset: the version of the operators.
    """

    def __init__(self, onnx, graph, opset):
        self.onnx, self.graph, self.opset = onnx, graph, opset
        self.nodes, self.arrays, self.names = [], {}, {}

    def model(self, name):
        """The ModelProto."""
        helper = self.onnx.helper
        for value in self.graph.inputs:
            self.names[value] = value.options["name"]
        for value in self.graph.values:
            if value.is_constant:
                self.names[value] = self.constant(
                    value.options["array"], value.options["name"] or "number"
                )
            elif value not in self.names:
                self.names[value] = self.write(value)
        for name_of_output, value in self.graph.outputs.items():
            self.node("Identity", self.names[value], output=name_of_output)
        inputs = [self.info(v.options["name"], v) for v in self.graph.inputs]
        outputs = [self.info(name, v) for name, v in self.graph.outputs.items()]
        arrays = [self.onnx.numpy_helper.from_array(a, n) for n, a in self.arrays.items()]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, arrays)
        made = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            producer_name="pyml",
            producer_version=__version__,
        )
        made.ir_version = helper.find_min_ir_version_for(made.opset_import)
        self.onnx.checker.check_model(made)
        return made

    def kind(self, dtype):
        """ONNX's number of a dtype."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def info(self, name, value):
        """The type and shape of an input or output."""
        shape = ["n", *value.shape]
        return self.onnx.helper.make_tensor_value_info(name, self.kind(value.dtype), shape)

    def node(self, op, *inputs, output=None, **attributes):
        """Adds a node, and gives the name of its output."""
        output = output or f"h{len(self.nodes) + 1}"
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, array, name="constant"):
        """The name of an initializer."""
        taken, count, array = {*self.arrays, *self.graph.outputs}, 1, np.asarray(array)
        made = name
        while made in taken:
            if made in self.arrays and same(self.arrays[made], array):
                return made
            count += 1
            made = f"{name}_{count}"
        self.arrays[made] = array
        return made

    def write(self, value):
        """The nodes of a Value; the name of the last."""
        given = [self.names[v] for v in value.inputs]
        method = getattr(self, f"of_{value.op}", None)
        if method is None:
            return self.node(FUNCTIONS[value.op].onnx, *given)
        return method(value, *given)

    def of_cast(self, value, x):
        return self.node("Cast", x, to=self.kind(value.dtype))

    def of_linear(self, value, x, weight, *bias):
        if len(value.shape) == 1:
            return self.node("Gemm", x, weight, *bias, transB=1)
        array = value.inputs[1].options["array"].T
        product = self.node("MatMul", x, self.constant(np.ascontiguousarray(array), f"{weight}_T"))
        return self.node("Add", product, *bias) if bias else product

    def of_members(self, value, x, weight, *bias):
        axis = self.constant(np.array([-2]), "axis")
        product = self.node("MatMul", self.node("Unsqueeze", x, axis), weight)
        product = self.node("Squeeze", product, axis)
        return self.node("Add", product, *bias) if bias else product

    def of_reshape(self, value, x):
        shape = self.constant(np.array([0, *value.shape]), "shape")
        return self.node("Reshape", x, shape)

    def of_take(self, value, x):
        places = self.constant(np.array(value.options["places"]), "places")
        return self.node("Gather", x, places, axis=value.options["axis"] + 1)

    def of_concat(self, value, *parts):
        return self.node("Concat", *parts, axis=value.options["axis"] + 1)

    def of_reduce(self, value, x):
        kind, axes = value.options["kind"], [axis + 1 for axis in value.options["axes"]]
        op = f"Reduce{kind.title()}"
        if kind == "sum" or self.opset >= AXES_AS_INPUT:
            return self.node(op, x, self.constant(np.array(axes), "axes"), keepdims=1)
        return self.node(op, x, axes=axes, keepdims=1)

    def of_lookup(self, value, table, rows):
        return self.node("Gather", table, rows)


def same(a, b):
    """Are both arrays equal, bit by bit?"""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
