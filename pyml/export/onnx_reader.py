"""export.load_onnx: multi-layer perceptrons of ONNX's files as modules.

Each node becomes a module of nn where there is one; what is computed between them, as a sum of two
branches, is an Operation. A chain is an nn.Sequential, anything else Steps.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from pyml import io, nn, ops
from pyml.export import graph as g
from pyml.export.modules import clamped, rule
from pyml.grad_mode import no_grad
from pyml.ops.outside import arrived
from pyml.tabular.arrow import needed

__all__ = ["load_onnx"]

OLDEST = 7  # from it on, shapes are broadcast as in NumPy
DTYPES = ("FLOAT", "DOUBLE", "FLOAT16", "INT64", "INT32", "BOOL")
SLACK = 1 << 20  # bytes that constants may have beyond those of the file
MOST_DIMENSIONS = 64  # as NumPy's arrays
MOST_COPIES = 16  # of the file in layers, as several may have the same weights
ML = "ai.onnx.ml"
NEW_SOFTMAX = 13  # before, what is behind the axis was one dimension
SELU = (1.6732632423543772, 1.0507009873554805)


def load_onnx(f, *, output=None):
    """A multi-layer perceptron of a file of ONNX, as a Module in evaluation mode.

    Gemm, MatMul and Add, activations, norms, Dropout, Softmax, Flatten, Reshape, Squeeze, Gather of
    an embedding or of columns, and element by element what joins branches: files of
    torch.onnx.export, skl2onnx, tf2onnx and export.onnx. A chain of layers is an nn.Sequential;
    other graphs are a Module whose children are the layers. Nothing but the file itself is read.

    Args:
        f: str, bytes or os.PathLike; or an object with read(), which is read to its end.
        output: the name of the output. Default: the only one of floats.

    Returns:
        The Module, which takes a Tensor for each input, a row of it for each row.

    Raises:
        ModuleNotFoundError: without the package onnx.
        ValueError: if it is no such file, is damaged, or has an operator that is not known, which
            is named with its node.
        OSError: if there is no such file.

    Example:
        >>> model = export.load_onnx("model.onnx")
    """
    library = needed("onnx", "onnx", "load_onnx")
    return io._read_whole(f, lambda content, place: read(library, content, place, output))


def read(library, content, place, output):
    """The Module that the bytes of a file hold."""
    from google.protobuf.message import DecodeError

    try:
        proto = library.load_model_from_string(content)
        made = Reader(library, proto, len(content)).module(output)
    except DecodeError:
        raise ValueError(f"{place}: is no file of ONNX, or is damaged") from None
    except MemoryError:
        raise ValueError(f"{place}: cannot be read: it takes more memory than there is") from None
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        raise ValueError(f"{place}: cannot be read: {error}") from None
    return made.eval()


# ---- modules -------------------------------------------------------------------------------------


class Steps(nn.Module):
    """Modules, each of which is given outputs of others.

    Args:
        inputs: how many the whole takes.
        steps: pairs of a Module and places: 0, 1, ... are the inputs, then come the modules'
            outputs in turn.
        result: the place of the output.
    """

    def __init__(self, inputs, steps, result):
        super().__init__()
        self.inputs, self.result = inputs, result
        self.places = [tuple(places) for _, places in steps]
        for i, (module, _) in enumerate(steps):
            self.add_module(str(i), module)

    def _computed(self, call, values):
        """The output; call(module, values, name) is what one of them computes."""
        if len(values) != self.inputs:
            raise TypeError(f"Steps: takes {self.inputs} inputs, {len(values)} are given")
        values = list(values)
        for (name, module), places in zip(self._modules.items(), self.places, strict=True):
            values.append(call(module, [values[place] for place in places], name))
        return values[self.result]

    def forward(self, *inputs):
        """The output of rows of each input."""
        return self._computed(lambda module, values, name: module(*values), inputs)


class Operation(nn.Module):
    """A function of rows, or of several and of constants.

    Args:
        op: a name of FUNCTIONS.
        constants: {place among its arguments: array}.
        options: by name.
    """

    def __init__(self, op, constants=None, **options):
        super().__init__()
        self.op, self.options, self.constants = op, options, sorted(constants or {})
        for place in self.constants:
            setattr(self, f"constant_{place}", nn.Buffer(ops.tensor(constants[place])))

    def arguments(self, values, made):
        """Values and constants in their order; made(constant, name) is how a constant is given."""
        values = list(values)
        for place in self.constants:
            name = f"constant_{place}"
            values.insert(place, made(getattr(self, name), name))
        return values

    def forward(self, *values):
        """The output of rows."""
        given = self.arguments(values, lambda constant, _: constant)
        return FUNCTIONS[self.op][0](*given, **self.options)

    def extra_repr(self):
        """What it is."""
        return ", ".join([self.op, *(f"{k}={v}" for k, v in self.options.items())])


@rule(Steps)
def _(tracer, module, *values):
    return module._computed(lambda child, given, name: tracer(child, *given, name=name), values)


@rule(Operation)
def _(tracer, module, *values):
    given = module.arguments(values, tracer.weight)
    return FUNCTIONS[module.op][1](*given, **module.options)


def folded(function):
    """A function of two as one of several."""

    def apply(first, *others):
        for other in others:
            first = function(first, other)
        return first

    return apply


def reduction(kind):
    """A sum, mean or maximum over dimensions, by pyml and in a graph."""
    functions = {"sum": ops.sum, "mean": ops.mean, "max": ops.amax}

    def of_graph(x, axes, keepdim):
        rows = [axis % (len(x.shape) + 1) - 1 for axis in axes]
        y = g.reduce(kind, x, *rows)
        shape = [n for i, n in enumerate(x.shape) if i not in rows]
        return y if keepdim else g.reshape(y, shape)

    return lambda x, axes, keepdim: functions[kind](x, axes, keepdim), of_graph


def quotient(x, y):
    """x / y, of whole numbers without what is behind the point."""
    is_whole = not (x.is_floating_point() or y.is_floating_point())
    return ops.div(x, y, rounding_mode="trunc" if is_whole else None)


def quotient_of_graph(x, y):
    if x.dtype.kind == "i":  # what languages have rounds down, or is of floats
        raise TypeError("Div: a quotient of whole numbers is not written; cast them to float32")
    return x / y


def row_axis(axis, x):
    """A dimension of the batch as one of a row."""
    return axis % (len(x.shape) + 1) - 1


def row_shape(x, shape):
    """The shape of a row that `shape` says, in which 0 is as before and one may be -1."""
    sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    if -1 in sizes:
        rest = math.prod(n for n in sizes if n != -1)
        sizes[sizes.index(-1)] = math.prod(x.shape) // rest if rest else 0
    return sizes


FUNCTIONS = {  # {operator: (of Tensors, of Values of a graph)}
    "Add": (folded(ops.add), folded(partial(g.call, "add"))),
    "Sum": (folded(ops.add), folded(partial(g.call, "add"))),
    "Sub": (ops.sub, partial(g.call, "sub")),
    "Mul": (ops.mul, partial(g.call, "mul")),
    "Div": (quotient, quotient_of_graph),
    "Pow": (ops.pow, partial(g.call, "pow")),
    "Max": (folded(ops.maximum), folded(g.maximum)),
    "Min": (folded(ops.minimum), folded(g.minimum)),
    "Less": (ops.lt, partial(g.call, "less")),
    "Greater": (ops.gt, lambda x, y: g.call("less", y, x)),
    "LessOrEqual": (ops.le, partial(g.call, "less_equal")),
    "GreaterOrEqual": (ops.ge, lambda x, y: g.call("less_equal", y, x)),
    "Equal": (ops.eq, partial(g.call, "equal")),
    "And": (ops.logical_and, partial(g.call, "and")),
    "Or": (ops.logical_or, partial(g.call, "or")),
    "Where": (ops.where, g.where),
    "Neg": (ops.neg, partial(g.call, "neg")),
    "Abs": (ops.abs, partial(g.call, "abs")),
    "Exp": (ops.exp, g.exp),
    "Log": (ops.log, partial(g.call, "log")),
    "Sign": (ops.sign, lambda x: g.where(x > 0, 1, g.where(x < 0, -1, x))),
    "Sqrt": (ops.sqrt, partial(g.call, "sqrt")),
    "Reciprocal": (ops.reciprocal, lambda x: 1 / x),
    "Erf": (ops.erf, partial(g.call, "erf")),
    "Sin": (ops.sin, partial(g.call, "sin")),
    "Cos": (ops.cos, partial(g.call, "cos")),
    "HardSigmoid": (
        lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
        lambda x, alpha, beta: clamped(alpha * x + beta, 0, 1),
    ),
    "PRelu": (
        lambda x, slope: ops.where(x > 0, x, slope * x),
        lambda x, slope: g.where(x > 0, x, slope * x),
    ),
    "ReduceSum": reduction("sum"),
    "ReduceMean": reduction("mean"),
    "ReduceMax": reduction("max"),
    "Concat": (
        lambda *values, axis: ops.cat(values, axis),
        lambda *values, axis: g.concat(list(values), row_axis(axis, values[0])),
    ),
    "Gather": (
        lambda x, places, axis: x.index_select(axis, ops.tensor(places)),
        lambda x, places, axis: g.take(x, places, row_axis(axis, x)),
    ),
    "Split": (
        lambda x, axis, start, length: x.narrow(axis, start, length),
        lambda x, axis, start, length: g.take(x, range(start, start + length), row_axis(axis, x)),
    ),
    "Squeeze": (
        lambda x, axes: x.reshape([n for i, n in enumerate(x.shape) if i not in axes]),
        lambda x, axes: g.reshape(x, [n for i, n in enumerate(x.shape, 1) if i not in axes]),
    ),
    "Reshape": (
        lambda x, shape: x.reshape(x.shape[0], *row_shape(x[:0].new_empty(x.shape[1:]), shape)),
        lambda x, shape: g.reshape(x, row_shape(x, shape)),
    ),
    "Shape": (  # a Reshape to that of another
        lambda x, like: x.reshape(like.shape),
        lambda x, like: g.reshape(x, like.shape),
    ),
    "Cast": (lambda x, dtype: x.to(np.dtype(dtype)), lambda x, dtype: g.cast(x, dtype)),
}


# ---- reading -------------------------------------------------------------------------------------


class Symbol(NamedTuple):
    """What a node gives.

    place: among the inputs and the outputs of steps.
    rank: of the batch.
    width: of the last dimension, None if it is not known.
    """

    place: int
    rank: int
    width: int | None


class Node:
    """A node: its operator, arguments, and attributes as numbers and arrays."""

    def __init__(self, library, proto, arguments):
        self.op, self.arguments, self.outputs = proto.op_type, arguments, list(proto.output)
        self.inputs = proto.input
        self.attributes = {}
        for attribute in proto.attribute:
            kind = library.AttributeProto.AttributeType.Name(attribute.type)
            if kind in ("GRAPH", "GRAPHS"):
                raise ValueError(f"node {self.op} has a graph within it, which no layer has")
            if kind == "TENSOR":
                value = array_of(library, attribute.t, f"of {self.op}")
            else:
                value = library.helper.get_attribute_value(attribute)
            self.attributes[attribute.name] = value
        name = f" {proto.name!r}" if proto.name else ""
        self.named = f"node {self.op}{name}"

    def refuse(self, why):
        raise ValueError(f"{self.named} {why}")

    def is_symbol(self, place):
        return len(self.arguments) > place and isinstance(self.arguments[place], Symbol)

    def constant(self, place, default=None):
        """An argument that must be a constant."""
        value = self.arguments[place] if place < len(self.arguments) else None
        if isinstance(value, Symbol):
            self.refuse(f"has an argument {place} that is computed; it must be a constant")
        return default if value is None else value

    def symbol(self):
        """The first argument, which must not be a constant."""
        if not self.is_symbol(0):
            self.refuse("has a constant where rows must be")
        return self.arguments[0]


def array_of(library, tensor, where):
    """The array of a TensorProto, which holds all its numbers itself."""
    if tensor.data_location == library.TensorProto.EXTERNAL or len(tensor.external_data):
        raise ValueError(
            f"constant {tensor.name!r} {where} lies in another file, which is not read; "
            "onnx.save(onnx.load(path), path) puts all into one"
        )
    kinds = library.TensorProto.DataType
    kind = kinds.Name(tensor.data_type) if tensor.data_type in kinds.values() else "unknown"
    if kind not in DTYPES:
        raise ValueError(
            f"constant {tensor.name!r} {where} is of {kind}, not of {', '.join(DTYPES)}"
        )
    if any(n < 0 for n in tensor.dims):
        raise ValueError(f"constant {tensor.name!r} {where} has sizes {list(tensor.dims)}")
    try:
        array = library.numpy_helper.to_array(tensor)
    except ValueError as error:
        raise ValueError(f"constant {tensor.name!r} {where}: {error}") from None
    return arrived(array, f"constant {tensor.name!r}")


ROWS, UNKNOWN = -2, -3  # in Sizes: the number of rows; another that is not known


class Sizes(np.ndarray):
    """Whole numbers of a shape, with ROWS or UNKNOWN among them: nothing may compute with it."""


def is_sizes(value):
    return isinstance(value, Sizes)


def sizes_of(numbers):
    """Sizes, or a plain array where all are known."""
    array = np.array(numbers)
    return array.view(Sizes) if (array < -1).any() else array


# What may be given Sizes as its first argument, and gives Sizes.
KEPT = ("Cast", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze")


def sliced(node, x, starts=None, ends=None, axes=None, steps=None):
    """A part of an array; before opset 10 all is in attributes."""
    for axis, part in slices(node, x.ndim, starts, ends, axes, steps).items():
        x = x[(slice(None),) * axis + (part,)]
    return x


def slices(node, rank, starts, ends, axes, steps):
    """{axis: slice} of a Slice."""
    given = zip(("starts", "ends", "axes"), (starts, ends, axes), strict=True)
    starts, ends, axes = (node.attributes.get(n) if v is None else v.tolist() for n, v in given)
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps.tolist()
    parts = map(slice, starts, ends, steps)
    return {axis % rank: part for axis, part in zip(axes, parts, strict=True)}


def computed(node, *arrays):
    """What one of FUNCTIONS computes of constants."""
    return FUNCTIONS[node.op][0](*map(ops.tensor, arrays)).numpy().astype(arrays[0].dtype)


FOLDED = {  # operators of constants alone
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Sqrt"), computed),
    "Gather": lambda node, x, places: x.take(places, node.attributes.get("axis", 0)),
    "Identity": lambda node, x: x,
    "Slice": sliced,
    "Transpose": lambda node, x: x.transpose(node.attributes.get("perm")),
    "Cast": lambda node, x: x.astype(node.dtype),
    "Reshape": lambda node, x, shape: x.reshape(shape.tolist()),
    "Squeeze": lambda node, x, axes=None: x.squeeze(node.axes(axes)),
    "Unsqueeze": lambda node, x, axes=None: np.expand_dims(x, node.axes(axes)),
    "Concat": lambda node, *xs: np.concatenate(xs, node.attributes["axis"]),
    "ConstantOfShape": lambda node, shape: np.broadcast_to(
        node.attributes.get("value", np.float32(0)), shape.tolist()
    ),
}


def folded_bytes(node, first, *others):
    """How long what FOLDED makes is at most."""
    if node.op == "Gather":
        return first.nbytes // max(first.shape[node.attributes.get("axis", 0)], 1) * others[0].size
    if node.op == "ConstantOfShape":
        return math.prod(first.tolist()) * node.attributes.get("value", np.float32(0)).itemsize
    if FOLDED[node.op] is computed:
        return math.prod(np.broadcast_shapes(*map(np.shape, node.arguments))) * first.itemsize
    if node.op == "Concat":
        return sum(x.nbytes for x in node.arguments)
    return first.size * (first.dtype if node.dtype is None else node.dtype).itemsize


class Reader:
    """Goes through the nodes of a model.

    Args:
        library: the package onnx.
        proto: a ModelProto.
        size: of the file, in bytes.
    """

    def __init__(self, library, proto, size):
        if not proto.HasField("graph"):
            raise ValueError("it is empty, or has no graph")
        self.library, self.graph = library, proto.graph
        self.room = 2 * size + SLACK  # for constants that are computed
        self.layers_room = MOST_COPIES * size + SLACK
        versions = {imported.domain: imported.version for imported in proto.opset_import}
        self.opset = versions.get("", versions.get("ai.onnx", 1))
        if self.opset < OLDEST:
            raise ValueError(f"it is of opset {self.opset}, {OLDEST} and newer are read")
        self.values = {"": None}
        self.initializers = {tensor.name: tensor for tensor in self.graph.initializer}
        self.names = {}  # {place of a Symbol: names}
        self.shapes = {}  # {name of a shape: the Symbol that it is of}
        self.steps = []
        if len(self.graph.sparse_initializer):
            raise ValueError("it has sparse constants, which no layer has")

    def module(self, output):
        """The Module."""
        self.inputs = [i for i in self.graph.input if i.name not in self.initializers]
        for place, value in enumerate(self.inputs):
            sizes = value.type.tensor_type.shape.dim
            if not value.type.HasField("tensor_type") or len(sizes) == 0:
                raise ValueError(f"input {value.name!r} is no tensor of rows")
            width = sizes[-1].dim_value if len(sizes) > 1 and sizes[-1].dim_value else None
            self.values[value.name] = Symbol(place, len(sizes), width)
        batches = {value.type.tensor_type.shape.dim[0].dim_value for value in self.inputs}
        self.batches = batches | {0, -1}
        name = self.chosen(output)
        needed = self.needed(name)
        self.uses = {}
        for node in [*needed, None]:
            for each in (name,) if node is None else node.input:
                self.uses[each] = self.uses.get(each, 0) + 1
        for proto in needed:
            self.add(proto)
        result = self.value(name, "the output")
        if not isinstance(result, Symbol):
            raise ValueError(f"its output {name!r} is constant")
        return self.made(result.place)

    def chosen(self, output):
        """The name of the output."""
        outputs = {value.name: value for value in self.graph.output}
        if output is not None:
            if output not in outputs:
                raise ValueError(f"it has no output {output!r}, but {', '.join(outputs)}")
            return output
        whole = self.library.TensorProto
        names = [
            name
            for name, value in outputs.items()
            if value.type.tensor_type.elem_type not in (whole.INT64, whole.STRING, whole.INT32)
        ]
        if len(names) != 1:
            raise ValueError(f"it has the outputs {', '.join(outputs)}; say which, by output=")
        return names[0]

    def needed(self, name):
        """The nodes that an output needs, in their order, in which each is behind what it takes."""
        wanted, found = {name}, []
        for node in reversed(self.graph.node):
            if wanted & set(node.output):
                found.append(node)
                wanted |= set(node.input)
        return found[::-1]

    def give(self, name, value):
        """Says what a name stands for from here on."""
        self.values[name] = value
        if isinstance(value, Symbol):
            self.names.setdefault(value.place, []).append(name)

    def value(self, name, where):
        """What a name stands for. A constant is read when something takes it."""
        if name not in self.values and name in self.initializers:
            self.values[name] = array_of(self.library, self.initializers[name], "of the graph")
        if name not in self.values:
            raise ValueError(f"{where} takes {name!r}, which nothing before it gives")
        return self.values[name]

    def made(self, result):
        """Steps as one Module."""
        count = len(self.inputs)
        is_chain = count == 1 and result == len(self.steps)
        if is_chain and all(places == (i,) for i, (_, places) in enumerate(self.steps)):
            return nn.Sequential(*(module for module, _ in self.steps))
        return Steps(count, self.steps, result)

    def add(self, proto):
        """One node."""
        arguments = [self.value(name, f"node {proto.op_type}") for name in proto.input]
        node = Node(self.library, proto, arguments)
        node.dtype, node.axes = self.dtype_of(node), partial(self.axes_of, node)
        self.check_sizes(node)
        if proto.domain == ML and node.op in OF_SKLEARN:
            self.give(node.outputs[0], OF_SKLEARN[node.op](self, node))
            return
        if proto.domain not in ("", "ai.onnx"):
            known = f"; of {ML} {', '.join(OF_SKLEARN)} are" if proto.domain == ML else ""
            node.refuse(f"is of {proto.domain}, and is not known{known}")
        if node.op == "Constant":
            self.give(node.outputs[0], self.constant(node))
            return
        symbols = [value for value in arguments if isinstance(value, Symbol)]
        if not symbols:
            self.give(node.outputs[0], self.fold(node))
            return
        method = getattr(self, f"of_{node.op.lower()}", None)
        if method is not None:
            result = method(node)
            if isinstance(result, list):
                for name, part in zip(node.outputs, result, strict=True):
                    self.give(name, part)
                return
        elif node.op in ACTIVATIONS:
            x = node.symbol()
            result = self.step(ACTIVATIONS[node.op](node, node.attributes), x.rank, x.width, x)
        elif node.op in FUNCTIONS:
            result = self.elementwise(node)
        else:
            node.refuse("is no operator of a multi-layer perceptron that is known")
        self.give(node.outputs[0], result)

    def scaled(self, node):
        """Columns without their offsets, times their scales."""
        x = node.symbol()
        for name, op in (("offset", "Sub"), ("scale", "Mul")):
            numbers = np.array(node.attributes[name], np.float32)
            x = self.step(Operation(op, {1: numbers}), x.rank, x.width, x)
        return x

    def imputed(self, node):
        """Columns with numbers where they are missing: NaN, which is not equal to itself."""
        x, numbers = node.symbol(), node.attributes.get("imputed_value_floats")
        missing = node.attributes.get("replaced_value_float", 0.0)
        if not numbers or len(numbers) not in (1, x.width or len(numbers)):
            node.refuse("says no float for each column")
        numbers, is_nan = np.array(numbers, np.float32), math.isnan(missing)
        constants = {} if is_nan else {1: np.array(missing, np.float32)}
        equal = self.step(Operation("Equal", constants), x.rank, x.width, *[x] * (1 + is_nan))
        where = Operation("Where", {2 if is_nan else 1: numbers})
        return self.step(where, x.rank, x.width, equal, x)

    def columns(self, node):
        """Some columns of rows."""
        x, places = node.symbol(), node.constant(1).reshape(-1)
        if x.rank < 2 or places.min(initial=0) < 0 or places.max(initial=0) >= (x.width or 2**31):
            node.refuse(f"takes columns {places.tolist()[:8]} of {x.width}")
        return self.entries(x, places, x.rank - 1)

    def constant(self, node):
        """What a node Constant holds."""
        [(name, value)] = node.attributes.items()
        if name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
            node.refuse(f"holds a {name}")
        dtype = np.float32 if "float" in name else None
        return np.asarray(value, dtype)

    def fold(self, node):
        """What a node computes of constants."""
        if node.op not in FOLDED:
            node.refuse("of constants alone is not known")
        self.take_room(node, folded_bytes(node, *node.arguments))
        array = np.array(FOLDED[node.op](node, *node.arguments), order="C")
        return sizes_of(array) if any(map(is_sizes, node.arguments)) else array

    def take_room(self, node, count):
        """Counts the bytes of a constant that is computed, before it is made."""
        self.room -= count
        if self.room < 0:
            node.refuse("makes constants that are larger than the file")

    def check_sizes(self, node):
        """Raises ValueError where sizes that are not known would be taken for numbers."""
        places = [i for i, value in enumerate(node.arguments) if is_sizes(value)]
        is_whole = node.op != "Cast" or node.dtype.kind == "i"
        is_kept = node.op in KEPT and places == [0] and is_whole
        is_shape = node.op == "Reshape" and places == [1] and node.is_symbol(0)
        if places and not (is_kept or is_shape or node.op == "Concat"):
            node.refuse(
                "takes the number of rows, or a size that the file does not say, which only the "
                "shape of a Reshape may have in it"
            )

    def dtype_of(self, node):
        """What Cast casts to."""
        if node.op != "Cast":
            return None
        dtype = self.library.helper.tensor_dtype_to_np_dtype(node.attributes["to"])
        if dtype.name not in ("float32", "float64", "int64", "int32", "bool"):
            node.refuse(f"casts to {dtype}")
        return dtype

    def axes_of(self, node, given=None):
        """Dimensions, which newer opsets have as an argument."""
        axes = node.attributes.get("axes") if given is None else given.tolist()
        return None if axes is None else tuple(axes)

    def step(self, module, rank, width, *symbols):
        """Adds a module, and gives its Symbol."""
        if rank > MOST_DIMENSIONS:
            raise ValueError(f"a {module} gives {rank} dimensions, arrays have {MOST_DIMENSIONS}")
        self.layers_room -= sum(tensor.nbytes for tensor in module.state_dict().values())
        if self.layers_room < 0:
            raise ValueError(f"its layers are larger than {MOST_COPIES} times the file")
        self.steps.append((module, tuple(symbol.place for symbol in symbols)))
        return Symbol(len(self.inputs) + len(self.steps) - 1, rank, width)

    # ---- layers ----------------------------------------------------------------------------------

    def linear(self, node, weight, bias=None):
        """A Linear; weight is (out, in)."""
        x = node.symbol()
        outputs, inputs = weight.shape
        if x.rank < 2 or not weight.size:
            node.refuse(f"multiplies rows of {x.rank} dimensions by a matrix of {weight.shape}")
        if x.width not in (None, inputs):
            node.refuse(f"takes {inputs} numbers, the layer before it gives {x.width}")
        module = nn.Linear(0, 0, bias=bias is not None, dtype=str(weight.dtype))
        module.in_features, module.out_features = inputs, outputs
        module.weight = parameter(weight)
        if bias is not None:
            bias = np.asarray(bias, weight.dtype)
            if not is_of_columns(bias, x.rank, 1, outputs):
                node.refuse(f"has a bias of shape {bias.shape}, and {outputs} outputs")
            module.bias = parameter(np.broadcast_to(bias.ravel(), (outputs,)))
        return self.step(module, x.rank, outputs, x)

    def of_gemm(self, node):
        weight, bias = node.constant(1), node.constant(2)
        if node.attributes.get("transA", 0) or np.ndim(weight) != 2:
            node.refuse("is no layer: its first argument is transposed, or its second no matrix")
        weight = weight if node.attributes.get("transB", 0) else weight.T
        alpha, beta = (node.attributes.get(name, 1.0) for name in ("alpha", "beta"))
        weight = weight * np.asarray(alpha, weight.dtype)
        return self.linear(node, weight, None if bias is None else bias * beta)

    def of_matmul(self, node):
        node.symbol()
        weight = node.constant(1)
        if weight.ndim != 2:
            node.refuse(f"multiplies by a constant of shape {weight.shape}, it must be a matrix")
        return self.linear(node, weight.T)

    def of_add(self, node):
        """A bias of the Linear before it, or a sum."""
        places = [i for i, value in enumerate(node.arguments) if isinstance(value, Symbol)]
        if len(places) == 1 and len(node.arguments) == 2:
            x, constant = node.arguments[places[0]], node.arguments[1 - places[0]]
            module = self.steps[x.place - len(self.inputs)][0] if self.is_last(x) else None
            is_bias = type(module) is nn.Linear and module.bias is None
            if is_bias and is_of_columns(constant, x.rank, x.width):
                module.bias = parameter(constant.ravel().astype(np.dtype(module.weight.dtype)))
                return x
        return self.elementwise(node)

    def is_last(self, x):
        """Is it what the last step gives, and taken once?"""
        names = self.names.get(x.place, ())
        return x.place == len(self.inputs) + len(self.steps) - 1 >= len(self.inputs) and (
            sum(self.uses.get(name, 0) for name in names) == 1
        )

    def of_batchnormalization(self, node):
        x = node.symbol()
        if node.attributes.get("training_mode", 0) or x.rank not in (2, 3):
            node.refuse("is in training mode, or of images")
        arrays = [node.constant(place) for place in range(1, 5)]
        size = len(arrays[0])
        if any(array.shape != (size,) for array in arrays):
            node.refuse("has statistics of several sizes")
        if x.rank == 2 and x.width not in (None, size):
            node.refuse(f"takes {size} numbers, the layer before it gives {x.width}")
        momentum = 1 - node.attributes.get("momentum", 0.9)
        module = nn.BatchNorm1d(size, node.attributes.get("epsilon", 1e-5), momentum)
        names = ("weight", "bias", "running_mean", "running_var")
        return self.filled(module, dict(zip(names, arrays, strict=True)), x)

    def of_layernormalization(self, node):
        x, weight, bias = node.symbol(), node.constant(1), node.constant(2)
        axis = node.attributes.get("axis", -1)
        if weight.ndim == 0 or not 0 < axis % x.rank == x.rank - weight.ndim:
            node.refuse(f"has axis {axis} and a weight of shape {weight.shape}")
        is_rms = node.op == "RMSNormalization"
        cls = nn.RMSNorm if is_rms else partial(nn.LayerNorm, bias=bias is not None)
        module = cls(weight.shape, node.attributes.get("epsilon", 1e-5))
        arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return self.filled(module, arrays, x)

    of_rmsnormalization = of_layernormalization

    def of_groupnormalization(self, node):
        if self.opset < 21:
            node.refuse("is of an opset before 21, where it had one scale for each group")
        return self.norm(node, partial(nn.GroupNorm, node.attributes["num_groups"]))

    def of_instancenormalization(self, node):
        if node.symbol().rank != 3:
            node.refuse("is not of rows of (channels, length)")
        return self.norm(node, partial(nn.InstanceNorm1d, affine=True))

    def norm(self, node, cls):
        x, weight, bias = node.symbol(), node.constant(1), node.constant(2)
        module = cls(weight.size, eps=node.attributes.get("epsilon", 1e-5))
        return self.filled(module, {"weight": weight, "bias": bias}, x)

    def filled(self, module, arrays, x):
        """A step of a module with these parameters and buffers."""
        [dtype] = {array.dtype for array in arrays.values()}
        module.to(dtype=dtype)
        with no_grad():
            for name, array in arrays.items():
                getattr(module, name).copy_(ops.tensor(array))
        return self.step(module, x.rank, x.width, x)

    def of_dropout(self, node):
        ratio = node.constant(1, node.attributes.get("ratio", 0.5))
        x = node.symbol()
        return self.step(nn.Dropout(float(ratio)), x.rank, x.width, x)

    def of_identity(self, node):
        return node.symbol()

    def of_cast(self, node):
        x = node.symbol()
        module = Operation("Cast", dtype=node.dtype.name)
        return self.step(module, x.rank, x.width, x)

    def of_flatten(self, node):
        x = node.symbol()
        if node.attributes.get("axis", 1) % x.rank != 1:
            node.refuse("has another axis than 1")
        return x if x.rank == 2 else self.step(nn.Flatten(), 2, None, x)

    def of_reshape(self, node):
        x, given, like = node.symbol(), node.constant(1), self.shapes.get(node.inputs[1])
        if like is not None:
            return self.step(Operation("Shape"), like.rank, like.width, x, like)
        shape, rows = given.tolist(), {ROWS} if is_sizes(given) else set()
        said = [{ROWS: "rows", UNKNOWN: "unknown"}.get(n, n) for n in shape]
        if not shape or shape[0] not in self.batches | rows or (shape[0] == -1 and -1 in shape[1:]):
            node.refuse(f"has the shape {said}, whose first number must be 0 or -1, the rows")
        sizes, is_known = shape[1:], x.rank == 2 and x.width is not None and 0 not in shape[1:]
        if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
            node.refuse(f"has the shape {said}")
        if is_known and -1 not in sizes and math.prod(sizes) != x.width:
            node.refuse(f"makes other rows: the shape is {shape}, a row has {x.width} numbers")
        width = shape[-1] if len(shape) > 1 and shape[-1] > 0 else None
        return self.step(Operation("Reshape", shape=shape[1:]), len(shape), width, x)

    def of_clip(self, node):
        x = node.symbol()
        ends = [
            float(node.constant(place, node.attributes.get(name, default)))
            for place, (name, default) in enumerate((("min", -math.inf), ("max", math.inf)), 1)
        ]
        return self.step(nn.Hardtanh(*ends), x.rank, x.width, x)

    def softmax(self, node, cls):
        x = node.symbol()
        axis = node.attributes.get("axis", -1 if self.opset >= NEW_SOFTMAX else 1) % x.rank
        if axis == 0 or (self.opset < NEW_SOFTMAX and axis != x.rank - 1):
            node.refuse(f"has axis {axis}: rows would not be by themselves")
        return self.step(cls(axis), x.rank, x.width, x)

    def of_softmax(self, node):
        return self.softmax(node, nn.Softmax)

    def of_logsoftmax(self, node):
        return self.softmax(node, nn.LogSoftmax)

    def of_shape(self, node):
        x = node.symbol()
        self.take_room(node, x.rank * np.dtype(np.int64).itemsize)
        sizes = [ROWS] + [UNKNOWN] * (x.rank - 1)
        if x.width is not None:
            sizes[-1] = x.width
        part = sizes[node.attributes.get("start", 0) : node.attributes.get("end")]
        if len(part) == x.rank:
            self.shapes[node.outputs[0]] = x
        return sizes_of(part)

    def of_split(self, node):
        """Parts of rows, each of which is a step."""
        x, count = node.symbol(), len(node.outputs)
        axis = node.attributes.get("axis", 0) % x.rank
        sizes = node.constant(1, node.attributes.get("split"))
        if sizes is None and x.width is not None and axis == x.rank - 1:
            size = -(-x.width // count)
            sizes = [min(size, x.width - i * size) for i in range(count)]
        if axis == 0 or sizes is None or len(sizes) != count or min(sizes) < 0:
            node.refuse("is of the rows of the batch, or of sizes that are not known")
        if axis == x.rank - 1 and x.width not in (None, sum(sizes)):
            node.refuse(f"has the sizes {list(sizes)}, the layer before it gives {x.width}")
        ends = np.cumsum(sizes).tolist()
        pairs = zip(ends, sizes, strict=True)
        return [self.part(x, axis, end - size, int(size)) for end, size in pairs]

    def part(self, x, axis, start, length):
        """Entries of a dimension of rows, one behind the other."""
        module = Operation("Split", axis=axis, start=start, length=length)
        return self.step(module, x.rank, length if axis == x.rank - 1 else x.width, x)

    def entries(self, x, places, axis):
        """Some entries of a dimension of rows."""
        module = Operation("Gather", places=places, axis=axis)
        return self.step(module, x.rank, len(places) if axis == x.rank - 1 else x.width, x)

    def of_gather(self, node):
        """Rows of an embedding, or entries of rows."""
        table, places = node.arguments
        axis = node.attributes.get("axis", 0)
        if isinstance(table, Symbol):
            places, axis = node.constant(1), axis % table.rank
            if places.ndim > 1 or axis == 0:
                node.refuse("takes rows of the batch, or is no list of entries")
            is_one, places = places.ndim == 0, places.reshape(-1)
            if table.width is not None and axis == table.rank - 1:
                self.take_room(node, places.nbytes)
                places = np.where(places < 0, places + table.width, places)
            if places.min(initial=0) < 0:
                node.refuse("counts entries from the end")
            x = self.entries(table, places, axis)
            return self.squeezed(x, [axis]) if is_one else x
        if axis or table.ndim != 2:
            node.refuse("is no embedding: its constant must be a matrix, its axis 0")
        places = self.unguarded(places, len(table))
        module = nn.Embedding(*table.shape, _weight=ops.tensor(table))
        return self.step(module, places.rank + 1, table.shape[1], places)

    def unguarded(self, x, count):
        """What Where(x < 0, count, x) guards, an Embedding's: as export.onnx writes it."""
        if not self.is_last(x) or len(self.steps) < 2:
            return x
        (less, of), (where, after) = self.steps[-2:]
        guard = {"Less": (less, 1, 0), "Where": (where, 1, count)}
        for op, (module, place, number) in guard.items():
            is_it = isinstance(module, Operation) and module.op == op
            if not is_it or module.constants != [place]:
                return x
            if getattr(module, f"constant_{place}").tolist() != number:
                return x
        uses = sum(self.uses.get(name, 0) for name in self.names.get(x.place - 1, ()))
        if after != (x.place - 1, *of) or uses != 1:
            return x
        for place in (x.place, x.place - 1):
            del self.steps[-1]
            self.names.pop(place, None)
        return Symbol(*of, x.rank, x.width)

    def of_slice(self, node):
        """Columns of rows."""
        x = node.symbol()
        parts = slices(node, x.rank, *(node.constant(place) for place in range(1, 5)))
        if [*parts] != [x.rank - 1] or x.rank == 1 or x.width is None:
            node.refuse("is not of the last dimension of rows, or the width is not known")
        places = range(x.width)[parts[x.rank - 1]]
        if places.step != 1:
            node.refuse(f"has the step {places.step}, it must be 1")
        return self.part(x, x.rank - 1, places.start, len(places))

    def of_squeeze(self, node):
        x = node.symbol()
        axes = sorted({a % x.rank for a in self.axes_of(node, node.constant(1)) or range(x.rank)})
        if 0 in axes or (x.rank - 1 in axes and x.width not in (None, 1)):
            node.refuse("is over the rows of the batch, or of a dimension that is not of size 1")
        return self.squeezed(x, axes)

    def squeezed(self, x, axes):
        """Rows without these dimensions, which are of size 1."""
        width = None if x.rank - 1 in axes else x.width
        return self.step(Operation("Squeeze", axes=axes), x.rank - len(axes), width, x)

    def of_prelu(self, node):
        x, slope = node.symbol(), node.constant(1)
        if is_of_columns(slope, x.rank, 1, x.width if x.rank == 2 else 1):
            return self.filled(nn.PReLU(slope.size), {"weight": slope.ravel()}, x)
        return self.elementwise(node)

    # ---- element by element ----------------------------------------------------------------------

    def elementwise(self, node):
        """An Operation of symbols and constants, whose shapes are those of a row."""
        symbols = [value for value in node.arguments if isinstance(value, Symbol)]
        rank = max(symbol.rank for symbol in symbols)
        if any(symbol.rank != rank for symbol in symbols):
            node.refuse("joins rows of several numbers of dimensions")
        constants = {}
        for place, value in enumerate(node.arguments):
            if isinstance(value, np.ndarray):
                if value.ndim > rank or (value.ndim == rank and value.shape[0] != 1):
                    node.refuse(f"has a constant of shape {value.shape}, which is along the rows")
                constants[place] = value[0] if value.ndim == rank else value
        widths = {symbol.width for symbol in symbols}
        widths |= {value.shape[-1] for value in constants.values() if value.ndim}
        widths = widths - {1} or {1}
        width = widths.pop() if len(widths) == 1 else None
        return self.step(Operation(node.op, constants), rank, width, *symbols)

    def of_concat(self, node):
        symbols = node.arguments
        if not all(isinstance(value, Symbol) for value in symbols):
            node.refuse("joins rows and constants")
        rank = symbols[0].rank
        axis = node.attributes["axis"] % rank
        if axis == 0 or any(symbol.rank != rank for symbol in symbols):
            node.refuse("joins rows of the batch, or of several numbers of dimensions")
        widths = [symbol.width for symbol in symbols]
        width = None if None in widths else sum(widths) if axis == rank - 1 else widths[0]
        return self.step(Operation("Concat", axis=axis), rank, width, *symbols)

    def reduce(self, node):
        x = node.symbol()
        axes = self.axes_of(node, node.constant(1)) or ()
        if not axes and node.attributes.get("noop_with_empty_axes", 0):
            return x
        axes = sorted({axis % x.rank for axis in axes or range(x.rank)})
        if 0 in axes:
            node.refuse("is over the rows of the batch")
        keepdim = bool(node.attributes.get("keepdims", 1))
        module = Operation(node.op, axes=tuple(axes), keepdim=keepdim)
        return self.step(module, x.rank if keepdim else x.rank - len(axes), None, x)

    of_reducesum = of_reducemean = of_reducemax = reduce


OF_SKLEARN = {  # operators of ai.onnx.ml, as skl2onnx writes pipelines
    "ArrayFeatureExtractor": Reader.columns,
    "Imputer": Reader.imputed,
    "Scaler": Reader.scaled,
    "ZipMap": lambda reader, node: node.symbol(),  # names beside numbers, which are left out
}


def is_of_columns(array, rank, *counts):
    """Has it one of these counts of numbers, side by side in the columns of rows?"""
    is_side_by_side = array.ndim <= rank and array.shape[-1:] in ((), (array.size,))
    return is_side_by_side and array.size in counts


def parameter(array):
    """A Parameter of an array's numbers."""
    return nn.Parameter(ops.tensor(np.ascontiguousarray(array)))


def selu(node, attributes):
    """SELU, of which there is one."""
    given = [attributes.get(name, n) for name, n in zip(("alpha", "gamma"), SELU, strict=True)]
    if not np.allclose(given, SELU, rtol=1e-6):
        node.refuse(f"has alpha and gamma {given}, those of SELU are {SELU}")
    return nn.SELU()


def hard_sigmoid(node, attributes):
    """Hardsigmoid, or one with other numbers."""
    alpha, beta = attributes.get("alpha", 0.2), attributes.get("beta", 0.5)
    if beta == 0.5 and abs(alpha - 1 / 6) < 1e-7:
        return nn.Hardsigmoid()
    return Operation("HardSigmoid", alpha=alpha, beta=beta)


ACTIVATIONS = {  # {operator: function(node, attributes)}
    "Relu": lambda n, a: nn.ReLU(),
    "LeakyRelu": lambda n, a: nn.LeakyReLU(a.get("alpha", 0.01)),
    "Elu": lambda n, a: nn.ELU(a.get("alpha", 1.0)),
    "Celu": lambda n, a: nn.CELU(a.get("alpha", 1.0)),
    "Selu": selu,
    "Sigmoid": lambda n, a: nn.Sigmoid(),
    "Tanh": lambda n, a: nn.Tanh(),
    "Softplus": lambda n, a: nn.Softplus(),
    "Softsign": lambda n, a: nn.Softsign(),
    "HardSigmoid": hard_sigmoid,
    "HardSwish": lambda n, a: nn.Hardswish(),
    "Mish": lambda n, a: nn.Mish(),
    "Gelu": lambda n, a: nn.GELU(a.get("approximate", b"none").decode()),
    "ThresholdedRelu": lambda n, a: nn.Threshold(a.get("alpha", 1.0), 0.0),
    "Swish": lambda n, a: nn.SiLU(),
}
