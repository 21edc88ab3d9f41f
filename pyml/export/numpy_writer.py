"""A network as a module of plain NumPy, for people to read."""

import json
import math
from itertools import pairwise

import numpy as np

from pyml.export.operations import FUNCTIONS, is_wrapped, plain, written

LONGEST = 70  # of an expression within another
LISTED = 12  # places that are written in a line; more are an array

HELPERS = {
    "erf": '''\
def erf(x):
    """The error function, which NumPy lacks."""
    return np.array([math.erf(v) for v in x.ravel()], x.dtype).reshape(x.shape)''',
    "sigmoid": '''\
def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    return np.exp(-np.logaddexp(0, -x))''',
    "elu": '''\
def elu(x):
    """x where it is positive, else exp(x) - 1."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))''',
    "codes": '''\
def codes(x, names):
    """The places of texts among names, counted from 1; 0 where a text is not there.

    What is no text, as None, nan and pandas.NA, or has no letters is a missing one.
    """
    places = {name: place for place, name in enumerate(names, 1)}
    texts = [text if isinstance(text, str) and text else None for text in x]
    return np.array([places.get(text, 0) for text in texts], np.int64)''',
    "lookup": '''\
def lookup(table, rows):
    """Rows of a table. NumPy counts negative ones from the end; here they are none."""
    if np.min(rows, initial=0) < 0:
        raise IndexError(f"{np.min(rows)} is no row of a table")
    return table[rows]''',
    "share": '''\
def share(x, quantiles, begins):
    """How far columns are through quantiles of their own, in the middle of equal ones."""
    columns = []
    for i in range(len(begins) - 1):
        q = quantiles[begins[i] : begins[i + 1]]
        even = np.linspace(0, 1, len(q))
        above = -np.interp(-x[:, i], -q[::-1], -even[::-1])
        columns.append((np.interp(x[:, i], q, even) + above) / 2)
    return np.stack(columns, 1)''',
    "linear_int8": '''\
def linear_int8(x, step, weight, scale):
    """x weight^T scale, with x / step and weight as whole numbers of 8 bits; NaN if one of x is."""
    q = x / x.dtype.type(step)
    gone = np.isnan(q).any(-1, keepdims=True)
    q = np.where(gone, 0, np.clip(np.trunc(q + np.copysign(x.dtype.type(0.5), q)), -127, 127))
    sums = q.astype(np.int64) @ weight.T.astype(np.int64)
    y = sums.astype(q.dtype) * (scale * q.dtype.type(step))
    return np.where(gone, q.dtype.type(np.nan), y)''',
}


class Writer:
    """The text of a graph in Python.

    Args:
        graph: a Graph.
        arguments: names of the inputs in Python, one for each.
    """

    def __init__(self, graph, arguments):
        self.graph = graph
        self.arguments = arguments
        self.names = dict(zip(graph.inputs, arguments, strict=True))
        self.weights = {v.options["name"]: v.options["array"] for v in graph.constants}
        self.body, self.helpers = [], set()

    def source(self, doc, result):
        """The text: helpers, and the function `predict`.

        Args:
            doc: the first lines of its docstring.
            result: what it returns, of {name: text of the output}.
        """
        said = ""
        for value in self.graph.values:
            if value in self.names or value.is_constant or value in self.graph.inlined:
                continue
            if value.where and value.where != said:
                said = value.where
                self.body.append(f"# {plain(said)}")
            self.assign(value)
        self.body.append(
            f"return {result({n: self.names[v] for n, v in self.graph.outputs.items()})}"
        )
        lines = [f"def predict({', '.join(self.arguments)}):", f'    """{doc}"""']
        lines += [f"    {line}" for line in self.body]
        helpers = [text for name, text in HELPERS.items() if name in self.helpers]
        return "\n\n\n".join([*helpers, "\n".join(lines)]) + "\n"

    def assign(self, value):
        """Gives a Value a name."""
        text = self.text(value)
        text = text[1:-1] if is_wrapped(text) else text
        self.names[value] = f"h{len(self.names) - len(self.arguments) + 1}"
        self.body.append(f"{self.names[value]} = {text}")

    def name(self, value):
        """A Value where another one uses it."""
        if value.is_scalar:
            return literal(value)
        if value.is_constant:
            return self.weight(value.options["name"])
        if value in self.names:
            return self.names[value]
        text = self.text(value)
        if len(text) <= LONGEST:
            return text
        self.assign(value)
        return self.names[value]

    @staticmethod
    def weight(name):
        """An array of the weights."""
        return f"WEIGHTS[{json.dumps(name)}]"

    def text(self, value):
        """What computes a Value."""
        given = [self.name(v) for v in value.inputs]
        if value.is_elementwise:
            self.helpers.add(value.op)
            return written(FUNCTIONS[value.op].numpy, given, t=f"np.{value.dtype}")
        return getattr(self, f"of_{value.op}")(value, *given)

    def of_linear(self, value, x, weight, bias=None):
        return f"{x} @ {weight}.T" + (f" + {bias}" if bias else "")

    def of_members(self, value, x, weight, bias=None):
        return f'np.einsum("...ki,kio->...ko", {x}, {weight})' + (f" + {bias}" if bias else "")

    def of_linear_int8(self, value, x, weight, scale, bias=None):
        self.helpers.add("linear_int8")
        step = float(value.options["step"])
        return f"linear_int8({x}, {step!r}, {weight}, {scale})" + (f" + {bias}" if bias else "")

    def of_reshape(self, value, x):
        return f"{x}.reshape({', '.join(map(str, (-1, *value.shape)))})"

    def of_take(self, value, x):
        places = value.options["places"]
        steps = {b - a for a, b in pairwise(places)} or {1}
        before = ":, " * (value.options["axis"] + 1)
        if len(steps) == 1 and min(steps) > 0:
            [step] = steps
            end = f"{places[0]}:{places[-1] + 1}" + (f":{step}" if step > 1 else "")
            return f"{x}[{before}{end}]"
        if len(places) <= LISTED:
            return f"{x}[{before}{list(places)}]"
        name = f"places_{len(self.weights)}"
        self.weights[name] = np.array(places)
        return f"{x}[{before}{self.weight(name)}]"

    def of_concat(self, value, *parts):
        return f"np.concatenate([{', '.join(parts)}], {value.options['axis'] + 1})"

    def of_reduce(self, value, x):
        axes = tuple(axis + 1 for axis in value.options["axes"])
        axes = axes[0] if len(axes) == 1 else axes
        return f"{x}.{value.options['kind']}({axes}, keepdims=True)"

    def of_largest(self, value, x):
        return f"{x}.argmax(1)"

    def of_lookup(self, value, table, rows):
        self.helpers.add("lookup")
        return f"lookup({table}, {rows})"

    def of_share(self, value, x, quantiles):
        self.helpers.add("share")
        return f"share({x}, {quantiles}, {list(value.options['begins'])})"

    def of_choose(self, value, x):
        return f"np.array({list(value.options['names'])!r}, object)[{x}]"

    def of_code(self, value, x):
        self.helpers.add("codes")
        return f"codes({x}, {list(value.options['names'])!r})"


def literal(value):
    """A number in Python."""
    number = value.options["array"]
    if number.dtype.kind != "f":
        return repr(number.item())
    if not math.isfinite(number):
        return "np.nan" if math.isnan(number) else "np.inf" if number > 0 else "-np.inf"
    return str(number) if number >= 0 else f"({number})"
