"""First and second derivatives of all operations, and that none is missing from their table."""

import ast
import functools
import inspect
from pathlib import Path

import derivatives
import pytest
from ops.cases import arrays_of, check_gradients

import pyml
from helpers.patched import patched
from pyml import ops
from pyml.autograd import grad
from pyml.nn import functional as F
from pyml.ops import names
from pyml.ops.methods import METHODS
from pyml.tensor import Node

pytestmark = pytest.mark.filterwarnings("ignore:kl_div. reduction")


@pytest.mark.parametrize("case", derivatives.ROWS, ids=str)
def test_gradients(case):
    check_gradients(case)


# ---- what the table must have met ----------------------------------------------------------------

MODULES = (pyml, ops, F, pyml.linalg, pyml.special)


class Met:
    """What the rows of the table make: nodes, and calls with a result that requires a gradient."""

    def __init__(self):
        self.nodes, self.names, self.functions, self.options = set(), set(), set(), set()

    def run(self, case):
        inputs = [pyml.tensor(a, requires_grad=True) for a in arrays_of(case)]
        self.functions.add(getattr(case.function, "__name__", None))
        y = case.function(*inputs)
        weights = pyml.ones_like(y, requires_grad=True)
        self.walk([y, *grad(y, inputs, weights, create_graph=True, materialize_grads=True)])

    def walk(self, tensors):
        nodes = [t.grad_fn for t in tensors]
        while nodes:
            node = nodes.pop()
            if isinstance(node, Node):
                kind = type(node)  # or the class of its name, which it has since it was looked at
                self.nodes.add(kind.__base__ if kind.__module__ == "builtins" else kind)
                self.names.add(node._operation())
                nodes += [edge for edge, _ in node.next_functions]

    def watched(self, function):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*args, **kwargs):
            result = function(*args, **kwargs)
            changed = args[:1] if result is None else ()  # by setitem
            if any(is_computed(y) for y in (*as_tuple(result), *changed)):
                self.functions.add(function.__name__)
                for name, value in signature.bind(*args, **kwargs).arguments.items():
                    if not is_default(value, signature.parameters[name]):
                        self.options.add((function.__name__, name))
            return result

        return called


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def is_computed(value):
    return isinstance(value, pyml.Tensor) and value.grad_fn is not None


def is_default(value, parameter):
    if parameter.default is inspect.Parameter.empty:
        return True
    return value is parameter.default or (
        type(value) is type(parameter.default) and value == parameter.default
    )


def functions_of(module):
    """The public functions of a module, by name."""
    names = getattr(module, "__all__", vars(module))
    return {
        name: value
        for name, value in vars(module).items()
        if name in names
        and not name.startswith("_")
        and callable(value)
        and not isinstance(value, type)
        and value.__module__.startswith("pyml.")
    }


@pytest.fixture(scope="module")
def met():
    found, there = Met(), vars(pyml.Tensor)
    functions = {
        (module, name): found.watched(function)
        for module in MODULES
        for name, function in functions_of(module).items()
    }
    methods = {
        name: found.watched(there[name]) for name in names.operations(names.TENSOR) | METHODS
    }
    with patched(functions, methods):
        for case in derivatives.ALL:
            found.run(case)
    return found


def nodes_below(kind):
    for each in kind.__subclasses__():
        yield each
        yield from nodes_below(each)


def test_every_node_is_met(met):
    """Those of pyml.distributed have first derivatives alone: tests/distributed."""
    nodes = {
        node
        for node in nodes_below(Node)
        if node.__module__.startswith("pyml.") and "distributed" not in node.__module__
    }
    assert {node.__name__ for node in nodes - met.nodes} == (
        derivatives.BASES | derivatives.REFUSING
    )


def test_every_rearrangement_is_met(met):
    """They share a node class; their names stand in the calls that make them."""
    names = set()
    for path in Path(ops.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("tracked", "part"):
                names |= {a.value for a in call.args if isinstance(a, ast.Constant)}
    assert len(names) > 10 and names - met.names == set()


def test_every_function_is_met(met):
    functions = {f.__name__ for module in MODULES for f in functions_of(module).values()}
    assert functions - met.functions == derivatives.NOT_DIFFERENTIABLE & functions


def test_every_option_is_met(met):
    options = {
        (function.__name__, name)
        for module in MODULES
        for function in functions_of(module).values()
        if function.__name__ in met.functions
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in derivatives.NO_FORMULA
    }
    assert options - met.options == set()


def test_every_method_is_met(met):
    """A method is the function of its name, or has a row of its own, or no derivative."""
    known = {case.name.removeprefix("Tensor.") for case in derivatives.OTHERS}
    known |= met.functions | derivatives.NOT_DIFFERENTIABLE
    for name in vars(pyml.Tensor):
        function = getattr(ops, name, None)
        assert name.startswith("_") or name in known or function.__name__ in known, name
