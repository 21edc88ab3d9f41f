"""What a network computes for one row, as a graph of few operations, from which others are written.

A Value is the result of an operation, or a constant. Its shape is that of one row, without the
batch; constants broadcast against it from the right, as in NumPy.
"""

import math
from functools import cached_property
from itertools import chain

import numpy as np

from pyml.errors import ArgumentError
from pyml.export.operations import FUNCTIONS

DEEPEST = 64  # functions within each other, in one expression
TEXT = "text"  # the dtype of names of categories


class Value:
    """The result of an operation.

    Args:
        op: its name: "input", "constant", a name of FUNCTIONS, or of a function below.
        inputs: Values.
        shape: of one row; of a constant all of it.
        dtype: a NumPy dtype, or TEXT.
        options: what else the operation needs, by name.
    """

    where = ""  # the module that it is of, for comments
    __array_ufunc__ = None  # a number of NumPy leaves operators to it

    def __init__(self, op, inputs, shape, dtype, **options):
        self.op, self.inputs = op, tuple(inputs)
        self.shape = tuple(map(int, shape))
        self.dtype = dtype if dtype == TEXT else np.dtype(dtype)
        self.options = options

    def __bool__(self):
        raise TypeError(
            f"export: {self.op!r} has no truth value, as it is of all rows at once: `if` and `and` "
            "cannot be of it; export.graph.where(condition, x, y) takes the one or the other"
        )

    @property
    def is_constant(self):
        """Is it the same for all rows?"""
        return self.op == "constant"

    @property
    def is_scalar(self):
        """Is it one number that is written where it is used?"""
        return self.is_constant and self.options["array"].ndim == 0

    @property
    def is_elementwise(self):
        """Is it computed element by element?"""
        return self.op in FUNCTIONS

    @property
    def size(self):
        """Numbers of a row."""
        return math.prod(self.shape)

    def __add__(self, other):
        return call("add", self, other)

    def __radd__(self, other):
        return call("add", other, self)

    def __sub__(self, other):
        return call("sub", self, other)

    def __rsub__(self, other):
        return call("sub", other, self)

    def __mul__(self, other):
        return call("mul", self, other)

    def __rmul__(self, other):
        return call("mul", other, self)

    def __truediv__(self, other):
        return call("div", self, other)

    def __rtruediv__(self, other):
        return call("div", other, self)

    def __floordiv__(self, other):
        return call("floordiv", self, other)

    def __mod__(self, other):
        return call("mod", self, other)

    def __neg__(self):
        return call("neg", self)

    def __lt__(self, other):
        return call("less", self, other)

    def __gt__(self, other):
        return call("less", other, self)

    def __le__(self, other):
        return call("less_equal", self, other)

    def __ge__(self, other):
        return call("less_equal", other, self)

    def equals(self, other):
        """Whether it is equal, element by element."""
        return call("equal", self, other)


# ---- operations ----------------------------------------------------------------------------------


def placeholder(name, shape, dtype, note=""):
    """An input of the network.

    Args:
        note: what it is, for people, but for what a missing one is, which each language has its
            own of. Default: nothing is said.
    """
    return Value("input", (), shape, dtype, name=name, note=note)


def constant(array, name="", dtype=None):
    """Numbers that are the same for all rows.

    Args:
        name: which it has in exported files. Default: made of the place where it is used.
    """
    array = np.ascontiguousarray(array, dtype).reshape(np.shape(array))
    return Value("constant", (), array.shape, array.dtype, array=array, name=name)


def call(name, *arguments):
    """A function of FUNCTIONS, element by element; numbers of Python take the dtype of Values."""
    values = [argument for argument in arguments if isinstance(argument, Value)]
    numbers = [v.dtype for v in values if v.dtype != np.bool_] or [np.dtype(bool)]
    arguments = [
        a if isinstance(a, Value) else constant(np.asarray(a, numbers[-1])) for a in arguments
    ]
    shapes = [v.shape for v in arguments if not v.is_constant]
    if len({*map(len, shapes)}) != 1:
        raise TypeError(
            f"export.rule: {name} of rows of the shapes {shapes}, which need one number of "
            "dimensions; what is of parameters alone is to be computed before tracer.weight()"
        )
    deepest = max((v.shape for v in arguments), key=len)
    if len(deepest) > len(shapes[0]):
        raise ArgumentError(
            f"a row has the shape {shapes[0]}, where {name} takes {deepest}; give rows, (n, ...)"
        )
    shape = np.broadcast_shapes(*(v.shape for v in arguments))
    dtype = FUNCTIONS[name].dtype or arguments[-1].dtype
    return Value(name, arguments, shape, dtype)


def cast(x, dtype):
    """The same numbers in another dtype."""
    dtype = np.dtype(dtype)
    return x if x.dtype == dtype else Value("cast", (x,), x.shape, dtype)


def dimension(x, axis):
    """A dimension of a row, counted from its begin."""
    if not -len(x.shape) <= axis < len(x.shape):
        raise ArgumentError(
            f"a row has the shape {x.shape}, and no dimension {axis}; give rows, (n, ...)"
        )
    return axis % len(x.shape)


def ends_in(x, *sizes):
    """Raises ArgumentError unless a row ends in dimensions of these sizes."""
    if x.shape[-len(sizes) :] != sizes:
        wanted = ", ".join(map(str, sizes))
        raise ArgumentError(
            f"a row has the shape {x.shape}, where a layer takes {wanted}; give rows, (n, {wanted})"
        )


def linear(x, weight, bias=None):
    """x weight^T + bias over the last dimension. weight (out, in) and bias (out) are constants."""
    ends_in(x, weight.shape[1])
    shape = *x.shape[:-1], weight.shape[0]
    given = (x, weight) if bias is None else (x, weight, bias)
    return Value("linear", given, shape, x.dtype)


def members(x, weight, bias=None):
    """x[..., i, :] weight[i] + bias[i]: weight (k, in, out) and bias (k, out) are constants."""
    ends_in(x, *weight.shape[:2])
    shape = *x.shape[:-1], weight.shape[2]
    given = (x, weight) if bias is None else (x, weight, bias)
    return Value("members", given, shape, x.dtype)


def reshape(x, shape):
    """The numbers of a row in another shape."""
    shape = tuple(shape)
    return x if shape == x.shape else Value("reshape", (x,), shape, x.dtype)


def take(x, places, axis):
    """The entries at some places of a dimension of a row."""
    axis = dimension(x, axis)
    shape = *x.shape[:axis], len(places), *x.shape[axis + 1 :]
    return Value("take", (x,), shape, x.dtype, places=tuple(map(int, places)), axis=axis)


def concat(values, axis=-1):
    """Values behind each other along a dimension of a row."""
    if len(values) == 1:
        return values[0]
    axis = dimension(values[0], axis)
    shape = list(values[0].shape)
    shape[axis] = sum(v.shape[axis] for v in values)
    return Value("concat", values, shape, values[0].dtype, axis=axis)


def reduce(kind, x, *axes):
    """The "sum", "mean" or "max" over dimensions of a row, which become of size 1."""
    axes = tuple(sorted(dimension(x, axis) for axis in axes))
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return Value("reduce", (x,), shape, x.dtype, kind=kind, axes=axes)


def largest(x):
    """The place of the first largest number of a row of one dimension, int64."""
    return Value("largest", (x,), (), np.int64)


def lookup(table, rows):
    """The rows of a constant (n, d) that int64 numbers say."""
    return Value("lookup", (table, rows), (*rows.shape, table.shape[1]), table.dtype)


def share(x, quantiles, begins):
    """How far each number of a row is through quantiles of its own, from 0 to 1.

    Between two it is interpolated; at one that is there more than once it is in their middle.

    Args:
        quantiles: a constant, those of each number in turn, each ascending.
        begins: where those of each number begin, and where the last end.
    """
    return Value("share", (x, quantiles), x.shape, x.dtype, begins=tuple(map(int, begins)))


def choose(place, texts):
    """The text at a place, counted from 0."""
    return Value("choose", (place,), place.shape, TEXT, names=tuple(texts))


def code(x, names):
    """The place of a text in a list of names, counted from 1; 0 if it is not there.

    None among the names is a text that is missing, which "" is, too.
    """
    return Value("code", (x,), x.shape, np.int64, names=tuple(names))


def exp(x):
    return call("exp", x)


def maximum(x, y):
    return call("max", x, y)


def minimum(x, y):
    return call("min", x, y)


def where(condition, x, y):
    return call("where", condition, x, y)


# ---- the graph -----------------------------------------------------------------------------------


class Graph:
    """The operations between inputs and outputs, in an order in which they can be computed.

    Args:
        inputs: Values of op "input".
        outputs: {name: Value}.
    """

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = list(inputs), dict(outputs)
        self.values = in_order(self.outputs.values())
        self.users = dict.fromkeys(self.values, 0)
        for value in chain(self.outputs.values(), *(v.inputs for v in self.values)):
            self.users[value] += 1
        self._name_constants()

    def _name_constants(self):
        taken = set()
        for value in self.constants:
            given = value.options["name"]
            base = name = given or "constant"
            count = 1
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            value.options["name"] = name
            taken.add(name)

    @property
    def constants(self):
        """Arrays that stand by themselves."""
        return [v for v in self.values if v.is_constant and not v.is_scalar]

    @cached_property
    def inlined(self):
        """What is written within the one operation that uses it, up to DEEPEST into each other."""
        depths = {}  # {what is inlined: how many are within it}
        for user in self.values:
            for value in user.inputs:
                if (
                    value.is_elementwise
                    and user.is_elementwise
                    and self.users[value] == 1
                    and value.shape == user.shape
                ):
                    depth = 1 + max((depths.get(v, 0) for v in value.inputs), default=0)
                    if depth <= DEEPEST:
                        depths[value] = depth
        return set(depths)


def mark(value, where, inputs):
    """Says of which module a Value is, and what it needs behind the module's inputs."""
    stack = [value]
    while stack:
        value = stack.pop()
        if not (value.where or value.is_constant or value in inputs):
            value.where = where
            stack += value.inputs


def in_order(outputs):
    """All Values that some need, those first that others need."""
    found, stack = {}, [(value, False) for value in reversed(list(outputs))]
    while stack:
        value, is_done = stack.pop()
        if is_done:
            found.setdefault(value)
        elif value not in found:
            stack.append((value, True))
            stack += [(each, False) for each in reversed(value.inputs)]
    return list(found)
