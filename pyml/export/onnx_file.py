"""export.onnx: a model as a file of ONNX."""

import numpy as np

from pyml import io
from pyml.config import __version__
from pyml.export.graph import TEXT
from pyml.export.operations import FUNCTIONS, in_utf8
from pyml.export.traced import traced
from pyml.options import check_integer
from pyml.tabular.arrow import needed

__all__ = ["onnx"]

OLDEST, NEWEST = 13, 22  # opsets; from 13 on sums take their axes as an input
AXES_AS_INPUT = 18  # of ReduceMean and ReduceMax
ML = ("ai.onnx.ml", 2)  # the operators for categories


def onnx(model, path, *, inputs=None, opset=17):
    """Writes a model to a file of ONNX, for onnxruntime and others.

    The first dimension of all inputs and outputs, the batch, is of any size. One input is called
    x, several x1, x2, ...; the output y. Initializers have the names of state_dict().

    Of a TabularModel the preprocessing goes along: inputs have the names of the columns and one
    dimension, double for numbers (NaN where one is missing), string for categories ("" where one is
    missing), int64 for dates (microseconds since 1970, the smallest one where one is missing);
    outputs are called prediction and probability, or prediction_2 and probability_2 if a column is.

    Args:
        model: a Module of the modules of nn, or with export.rule of others; or a TabularModel, or a
            fitted estimator of tables.
        path: the file, and one of that name is replaced; or an object with write(bytes).
        inputs: rows as the model takes them: an array or Tensor, a tuple of them if it takes
            several. Default: random ones, if the first layer says how many numbers it takes.
        opset: the version of ONNX's operators, 13 to 22. Default: 17.

    Raises:
        ModuleNotFoundError: without the package onnx.
        TypeError: if a module cannot be exported; it says which, and why.
        ValueError: if inputs are needed, or do not fit; for another opset.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> export.onnx(model, "model.onnx")
    """
    check_integer("export.onnx", "opset", opset)
    if not OLDEST <= opset <= NEWEST:
        raise ValueError(f"export.onnx: opset is {opset}, it must be from {OLDEST} to {NEWEST}")
    library = needed("onnx", "onnx", "export.onnx")
    made = traced(model, inputs, "export.onnx")
    proto = Writer(library, made.graph, opset).model(type(made.model).__name__)
    content = proto.SerializeToString()
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
        self.nodes, self.names = [], {}
        self.arrays, self.known = {}, {}  # by name, and the names by what is in them
        self.taken = {v.options["name"] for v in graph.inputs}
        self.outputs = {self.free(name): value for name, value in graph.outputs.items()}

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
        for name_of_output, value in self.outputs.items():
            self.node("Identity", self.names[value], output=name_of_output)
        inputs = [self.info(v.options["name"], v) for v in self.graph.inputs]
        outputs = [self.info(name, v) for name, v in self.outputs.items()]
        used = {name for node in self.nodes for name in node.input}
        arrays = [
            self.onnx.numpy_helper.from_array(a, n) for n, a in self.arrays.items() if n in used
        ]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, arrays)
        made = helper.make_model(
            graph,
            opset_imports=[
                helper.make_opsetid(*used)
                for used in (("", self.opset), ML)
                if used[0] in {node.domain for node in self.nodes}
            ],
            producer_name="pyml",
            producer_version=__version__,
        )
        made.ir_version = helper.find_min_ir_version_for(made.opset_import)
        self.onnx.checker.check_model(made)
        return made

    def kind(self, dtype):
        """ONNX's number of a dtype."""
        if dtype == TEXT:
            return self.onnx.TensorProto.STRING
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def info(self, name, value):
        """The type and shape of an input or output."""
        shape = ["n", *value.shape]
        return self.onnx.helper.make_tensor_value_info(name, self.kind(value.dtype), shape)

    def node(self, op, *inputs, output=None, **attributes):
        """Adds a node, and gives the name of its output."""
        output = output or self.free(f"h{len(self.nodes) + 1}")
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [output], **attributes))
        return output

    def free(self, name):
        """A name that nothing else has, which is then taken."""
        made, count = name, 1
        while made in self.taken:
            count += 1
            made = f"{name}_{count}"
        self.taken.add(made)
        return made

    def constant(self, array, name="constant"):
        """The name of an initializer; one that is there already is taken again."""
        array = np.asarray(array)
        key = array.dtype.str, array.shape, array.tobytes()
        if array.dtype == object or key not in self.known:
            self.known[key] = made = self.free(name)
            self.arrays[made] = array
        return self.known[key]

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

    def of_elu(self, value, x):
        """In float64 made of what onnxruntime has."""
        if value.dtype == np.float32:
            return self.node("Elu", x)
        zero, one = (self.number(n, value) for n in (0, 1))
        below = self.node("Sub", self.node("Exp", self.node("Min", x, zero)), one)
        return self.node("Where", self.node("Greater", x, zero), x, below)

    def of_softplus(self, value, x):
        """In float64 made of what onnxruntime has."""
        if value.dtype == np.float32:
            return self.node("Softplus", x)
        power = self.node("Exp", self.node("Neg", self.node("Abs", x)))
        above = self.node("Max", x, self.number(0, value))
        return self.node("Add", above, self.of_log1p(value, power))

    def of_lookup(self, value, table, rows):
        """Gather counts negative rows from the end: they become one that is not there."""
        count, zero = (self.constant(np.array(n), "number") for n in (value.inputs[0].shape[0], 0))
        is_none = self.node("Less", rows, zero)
        return self.node("Gather", table, self.node("Where", is_none, count, rows))

    # ---- of tables -------------------------------------------------------------------------------

    def number(self, number, like):
        """The name of one number, of the dtype of a Value."""
        return self.constant(np.array(number, like.dtype), "number")

    def of_log1p(self, value, x):
        """log(1 + x) x / ((1 + x) - 1), exact next to 0: Higham 2002, section 1.14.1."""
        one = self.number(1, value)
        more = self.node("Add", x, one)
        step = self.node("Sub", more, one)
        is_step = self.node("Greater", step, self.number(0, value))
        divisor = self.node("Where", is_step, step, one)
        exact = self.node("Mul", self.node("Log", more), self.node("Div", x, divisor))
        return self.node("Where", is_step, exact, x)

    def of_floordiv(self, value, x, divisor):
        """Of whole numbers by a positive one: Div cuts off, towards 0."""
        rest = self.node("Mod", x, divisor)
        return self.node("Div", self.node("Sub", x, rest), divisor)

    def of_share(self, value, x, quantiles):
        """Two binary searches, for the quantiles below each number and for those up to it."""
        begins = np.array(value.options["begins"])
        array, counts = value.inputs[1].options["array"], np.diff(begins)
        size = 1 << int(counts.max()).bit_length()
        padded = np.full((len(counts), size), np.inf)
        for row, begin, end in zip(padded, begins[:-1], begins[1:], strict=True):
            row[: end - begin] = array[begin:end]
        table = self.constant(padded.ravel(), f"{quantiles}_padded")
        starts = self.constant(size * np.arange(len(counts)), "starts")
        zero, one = (self.constant(np.array(n), "number") for n in (0, 1))

        def at(places):
            return self.node("Gather", table, self.node("Add", places, starts))

        def places_where(op):
            """How many quantiles of each number are smaller (Less), or not larger."""
            place = self.node("Mul", self.node("Cast", x, to=self.kind(np.int64)), zero)
            step = size // 2
            while step:
                there = self.node("Add", place, self.constant(np.array(step), "step"))
                before = at(self.node("Sub", there, one))
                place = self.node("Where", self.node(op, before, x), there, place)
                step //= 2
            return place

        def number(name):
            return self.node("Cast", name, to=self.kind(value.dtype))

        below, up_to = places_where("Less"), places_where("LessOrEqual")
        last = self.constant(counts - 1, "last")
        left = self.node("Max", self.node("Sub", below, one), zero)
        right = self.node("Min", below, last)
        before, after = at(left), at(right)
        gap = self.node("Sub", after, before)
        is_gap = self.node("Greater", gap, self.number(0, value))
        part = self.node(
            "Div",
            self.node("Sub", x, before),
            self.node("Where", is_gap, gap, self.number(1, value)),
        )
        between = self.node("Add", number(left), self.node("Where", is_gap, part, number(zero)))
        between = self.node("Max", number(zero), self.node("Min", number(last), between))
        middle = self.node("Add", number(below), number(self.node("Sub", up_to, one)))
        middle = self.node("Mul", middle, self.number(0.5, value))
        is_there = self.node("Less", below, up_to)
        return self.node("Div", self.node("Where", is_there, middle, between), number(last))

    def of_code(self, value, x):
        names = texts_of(value)
        return self.node(
            "LabelEncoder",
            x,
            domain=ML[0],
            keys_strings=names,
            values_int64s=list(range(1, len(names) + 1)),
            default_int64=0,
        )

    def of_choose(self, value, place):
        texts = self.constant(np.array(texts_of(value), object), "classes")
        return self.node("Gather", texts, place)

    def of_largest(self, value, x):
        return self.node("ArgMax", x, axis=1, keepdims=0)


def texts_of(value):
    """Names of categories or classes; a missing one is one without letters."""
    names = [name or "" for name in value.options["names"]]
    for name in names:
        in_utf8(name, "export.onnx")
    return names
