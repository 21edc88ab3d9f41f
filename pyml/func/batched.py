"""Tensors with a dimension that a function does not see: what vmap gives it.

A Batched is, for all who look, one sample: its shape, its dtype, its methods. The values of all
samples are in a tensor of one dimension more, which comes first. An operation that is given one is
looked up in a table of rules, by its name; a rule computes all samples at once, by operations on
those tensors. What has no rule, or what a rule declines, runs once for each sample, and the results
are stacked. So every result is that of the loop, and the table says what is fast.

No operation can compute with a Batched unnoticed: where C would look for its numbers there are
none, see Tensor._hidden. The tensors inside may be Batched again, of a vmap further out.
"""

import inspect
import threading
from contextlib import contextmanager

import numpy as np

from pyml import dispatch, ops
from pyml.errors import ArgumentError
from pyml.ops.methods import METHODS
from pyml.ops.names import TENSOR, operations
from pyml.ops.shape import read_only
from pyml.pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from pyml.random import draws, generator_of_thread
from pyml.tensor import Tensor

__all__ = []

RULES = {}  # {name of an operation: rule(level, call, *args, **kwargs)}, see batching_rules


class Open(threading.local):
    """The levels of the vmaps that run in a thread, outermost first."""

    def __init__(self):
        self.levels = []


open_ones = Open()


class Level:
    """One vmap that runs.

    Attributes:
        size: how many samples there are.
        depth: how many vmaps are around it.
        randomness: what it was told.
    """

    def __init__(self, size, randomness):
        self.size, self.randomness = size, randomness
        self.depth = len(open_ones.levels)
        self.drawn = draws.count  # after the draws of this thread that are known of

    def __enter__(self):
        open_ones.levels = [*open_ones.levels, self]
        dispatch.opened()
        return self

    def __exit__(self, *exc):
        dispatch.closed()
        open_ones.levels = open_ones.levels[: self.depth]

    @contextmanager
    def outside(self):
        """Within it only the vmaps around this one run: what is drawn is drawn as they say."""
        levels, open_ones.levels = open_ones.levels, open_ones.levels[: self.depth]
        try:
            yield
        finally:
            open_ones.levels = levels

    def has(self, x):
        """Whether x is a Batched of this level."""
        return type(x) is Batched and x._level is self

    def wrap(self, result):
        """The Batched of a tensor whose first dimension is that of the samples; a tree of them."""
        if isinstance(result, Tensor):
            x = Tensor._hidden(result.shape[1:], Batched)
            x._level, x._value = self, result
            return x
        return tree_map(self.wrap, result)

    def spread(self, x):
        """The values of x for all samples; what is no Batched is repeated, without a copy."""
        if self.has(x):
            return x._value
        return not_to_change(x.unsqueeze(0), (self.size, *x.shape))

    def sample(self, x, i):
        return x._value.select(0, i) if self.has(x) else x

    def stacked(self, name, results):
        """A Batched of what an operation returned for each sample."""
        columns, form = zip(*map(tree_leaves, results), strict=True), tree_flatten(results[0])[1]
        return tree_unflatten([self.stacked_leaf(name, column) for column in columns], form)

    def stacked_leaf(self, name, values):
        if not isinstance(values[0], Tensor):
            if any(value != values[0] for value in values):
                raise RuntimeError(
                    f"vmap: {name} has a different value for each index, as {values[0]!r}, which "
                    "Python would have to go by; use where() and other operations of tensors"
                )
            return values[0]
        shapes = {value.shape for value in values}
        if len(shapes) > 1:
            raise RuntimeError(
                f"vmap: {name} has results of different shapes for the indices: "
                f"{', '.join(map(str, sorted(shapes)))}; they cannot be stacked"
            )
        return self.wrap(ops.stack(values, 0))


def spread_over(levels, x):
    """x as a Batched of each of the levels, outermost first."""
    if not levels:
        return x
    *outer, level = levels
    if level.has(x):
        return level.wrap(spread_over(outer, x._value))
    return level.wrap(spread_over(outer, level.spread(x)))


def own(x):
    """x as a tensor of each sample of the vmaps that run, so that each has a gradient by it."""
    return spread_over(open_ones.levels, x) if open_ones.levels else x


def innermost(x):
    """The tensor that has the values, and is in the graph."""
    while type(x) is Batched:
        x = x._value
    return x


# ---- calls ---------------------------------------------------------------------------------------


def batched_in(tree, found):
    """Adds the Batched among arguments to `found`."""
    for x in tree:
        if type(x) is Batched:
            found.append(x)
        elif type(x) in (tuple, list):
            batched_in(x, found)
        elif type(x) is dict:
            batched_in(x.values(), found)
    return found


def handle(call, function, args, kwargs):
    """What an operation does while a vmap runs; see pyml.dispatch.

    Args:
        call: the operation as Python finds it: with tensors of an outer vmap it comes here again.
        function: itself.
    """
    found = batched_in((args, kwargs), [])
    if not found:
        return called_alone(function, args, kwargs)
    return applied(innermost_level(found), call, args, kwargs)


dispatch.handled_by(handle)


def innermost_level(found):
    return max((x._level for x in found), key=lambda level: level.depth)


def applied(level, call, args, kwargs):
    name = call.__name__
    if level not in open_ones.levels:
        raise RuntimeError(
            f"vmap: {name} of a tensor of a vmap that has ended, or of another thread; "
            "return it from func"
        )
    if name == "run_backward":
        return gradients_of_each(level, call, *args)
    if kwargs.get("out") is not None:
        raise ArgumentError(
            f"vmap: {name} with out=: one tensor cannot take a result of each index"
        )
    if name in RULES:
        try:
            result = RULES[name](level, call, *args, **kwargs)
        except Exception:
            result = NotImplemented  # one sample has the error that is meant for who called
        if result is not NotImplemented and not any(map(level.has, tree_leaves(result))):
            return level.wrap(result)  # else the rule overlooked a Batched among the arguments
    return one_by_one(level, call, args, kwargs)


def one_by_one(level, call, args, kwargs):
    """An operation without a rule: for each sample."""
    name, generator = call.__name__, generator_of(kwargs)
    changes = name == "setitem" or (name.endswith("_") and not name.endswith("__"))
    if changes and not level.has(args[0]):
        raise shared_by_all(name)
    start, before = generator._state.copy(), draws.count
    results = []
    with level.outside():
        for i in range(level.size):
            if level.randomness == "same" and draws.count != before:
                generator.set_state(start)
            one = sample_of(level, i, (args, kwargs))
            results.append(call(*one[0], **one[1]))
            if i == 0 and draws.count != before and has_drawn(generator, start):
                check_randomness(level)
    note_draws()
    if args and (changes or results[-1] is one[0][0]):
        return changed_in_place(level, name, args[0], one[0][0])
    result = level.stacked(name, results)
    return tree_map(unwritable, result) if are_views(results[-1], one) else result


def changed_in_place(level, name, x, last):
    """x, after an operation that returns it. `last`: the last sample, as it left that."""
    if not level.has(x):
        raise shared_by_all(name)
    last, there = innermost(last), innermost(level.sample(x, level.size - 1))
    if laid(last) != laid(there):
        raise RuntimeError(
            f"vmap: {name} gives a tensor another shape or memory in place; use an operation that "
            "returns its result"
        )
    return x


def laid(t):
    """How a tensor lies in memory, and where."""
    return t.shape, t.stride(), t.array.ctypes.data


def shared_by_all(name):
    return RuntimeError(
        f"vmap: {name} of a tensor that all indices share, by what each has its own of; use an "
        "operation that returns its result"
    )


def are_views(result, args):
    """Whether a result is on memory of what it was computed from."""
    ys, xs = (
        [innermost(x).array for x in tree_leaves(tree) if isinstance(x, Tensor)]
        for tree in (result, args)
    )
    return any(np.may_share_memory(y, x) for y in ys for x in xs)


def unwritable(x):
    """x, refusing changes in place: of a view they are seen in its base, of this they were not."""
    if isinstance(x, Tensor):
        return x._level.wrap(not_to_change(x._value, x._value.shape))
    return x


def not_to_change(x, shape):
    """x in a shape to which it broadcasts, read-only; what a vmap further out has is not that."""
    return x.expand(shape) if isinstance(x, Batched) else read_only(x, shape)


def generator_of(kwargs):
    """That of the numbers that a call draws, if it draws any."""
    return kwargs.get("generator") or generator_of_thread()


def sample_of(level, i, tree):
    """The arguments of one sample."""
    if type(tree) is Batched:
        return level.sample(tree, i)
    if type(tree) is dict:
        return {key: sample_of(level, i, x) for key, x in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)([sample_of(level, i, x) for x in tree])
    return tree


def called_alone(function, args, kwargs):
    """A call that is given no Batched: the same for all samples, unless it draws."""
    levels, generator = open_ones.levels, generator_of(kwargs)
    if not levels:  # of another thread
        return function(*args, **kwargs)
    start, before = generator._state.copy(), draws.count
    result = function(*args, **kwargs)
    if draws.count == before or batched_in([result], []):  # or what it calls was handled
        return result
    if not has_drawn(generator, start):
        note_draws()
        return result
    first = [result]
    result = drawn(levels, lambda: first.pop() if first else function(*args, **kwargs))
    note_draws()
    return result


def drawn(levels, draw):
    """What draw() returns, drawn as often as the levels' randomness says."""
    if not levels:
        return draw()
    *outer, level = levels
    check_randomness(level)
    if level.randomness == "same":
        return drawn(outer, draw)
    return level.stacked("a draw", [drawn(outer, draw) for _ in range(level.size)])


def has_drawn(generator, start):
    return (generator._state != start).any()


def note_draws():
    """The numbers that were drawn until here were drawn as the levels say."""
    for level in open_ones.levels:
        level.drawn = draws.count


def check_randomness(level):
    if level.randomness == "error":
        raise RuntimeError("vmap: func drew random numbers; say randomness='different' or 'same'")


# ---- the class -----------------------------------------------------------------------------------


class Batched(Tensor):
    """A tensor of each sample. See the text of this file."""

    def __repr__(self):
        return f"Batched({self._value!r}, {self._level.size} indices)"

    @property
    def dtype(self):
        return self._value.dtype

    @property
    def requires_grad(self):
        return self._value.requires_grad

    @requires_grad.setter
    def requires_grad(self, value):
        self._value.requires_grad = value

    def requires_grad_(self, requires_grad=True):
        self._value.requires_grad_(requires_grad)
        return self

    @property
    def is_leaf(self):
        return self._value.is_leaf

    @property
    def grad_fn(self):
        return self._value.grad_fn

    @property
    def data(self):
        return self._level.wrap(self._value.data)

    def detach(self):
        return self._level.wrap(self._value.detach())

    @property
    def T(self):
        return self.permute(tuple(range(self.ndim))[::-1])

    @property
    def mT(self):
        return self.transpose(-2, -1)

    mH = mT

    @property
    def H(self):
        if self.ndim not in (0, 2):
            raise RuntimeError(f"H: the tensor has shape {self.shape}, it must be a matrix")
        return self.T

    def is_floating_point(self):
        return self._value.is_floating_point()

    def is_signed(self):
        return self._value.is_signed()

    def element_size(self):
        return self._value.element_size()

    itemsize = property(element_size)

    def cpu(self, memory_format=None):
        return self

    def expand_as(self, other):
        return self.expand(other.shape)

    def reshape_as(self, other):
        return self.reshape(other.shape)

    def view_as(self, other):
        return self.view(other.shape)

    def type_as(self, other):
        return self.to(other.dtype)

    def stride(self, dim=None):
        """As the tensor of each sample lies: they all lie alike."""
        return self._value.detach().select(0, 0).stride(dim)

    def is_contiguous(self, memory_format=None):
        return self._value.detach().select(0, 0).is_contiguous(memory_format)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))


# what is right of any tensor with a shape
OF_SHAPE = """
    shape size ndim dim numel nelement ndimension device get_device is_same_size layout is_cpu
    is_cuda is_mps is_xpu is_sparse is_quantized is_meta is_mkldnn is_nested is_sparse_csr
    is_complex is_inference is_pinned
    __array_priority__ __class__ __delattr__ __dict__ __dir__ __doc__ __format__ __getattribute__
    __getstate__ __hash__ __init__ __init_subclass__ __len__ __module__ __new__ __pyx_vtable__
    __setattr__ __sizeof__ __str__ __subclasshook__ __weakref__
    """

# operators: what they call
BINARY = {
    **{name: name for name in ("add", "sub", "mul", "pow", "matmul")},
    **{word: f"bitwise_{word}" for word in ("and", "or", "xor")},
    "floordiv": "floor_divide",
    "lshift": "bitwise_left_shift",
    "mod": "remainder",
    "rshift": "bitwise_right_shift",
    "truediv": "div",
}
OPERATORS = {
    **{f"__{name}__": name for name in ("abs", "eq", "ge", "gt", "le", "lt", "ne", "neg")},
    **{f"__{word}__": name for word, name in BINARY.items()},
    "__getitem__": "getitem",
    "__setitem__": "setitem",
    "__invert__": "bitwise_not",
    "__pos__": "positive",
}
REFLECTED = {f"__r{word}__": name for word, name in BINARY.items()}


def method(name):
    """A method of each sample."""

    def call(self, *args, **kwargs):
        return getattr(self, name)(*args, **kwargs)

    call.__name__ = name
    if name in METHODS:
        call.__signature__ = inspect.signature(METHODS[name])

    def of_all(self, *args, **kwargs):
        args = self, *args
        return applied(innermost_level(batched_in((args, kwargs), [])), call, args, kwargs)

    return of_all


def of_each(func):
    """func; what Batched has in its place where it is a method of Tensor, as Tensor.exp."""
    name = getattr(func, "__name__", "")
    return getattr(Batched, name) if getattr(Tensor, name, None) is func else func


def operator(name):
    operation = operations()[name]
    return lambda self, *args, **kwargs: operation(self, *args, **kwargs)


def reflected(name):
    operation = operations()[name]
    return lambda self, other: operation(other, self)


def in_place(word):
    """x += y and the like, by the operator on each sample."""

    def call(x, y):
        return getattr(x, word)(y)

    call.__name__ = f"{BINARY[word[3:-2]]}_"
    return lambda *pair: applied(innermost_level(batched_in(pair, [])), call, pair, {})


def refused(name):
    def refuse(self, *args, **kwargs):
        raise RuntimeError(
            f"vmap: {name} of a tensor that stands for all indices: they are computed "
            "together, and have no value, memory or place in the graph of their own"
        )

    return refuse


def attribute(name):
    """What a Batched has by a name that Tensor has."""
    shown = getattr(Tensor, name)
    if name in OPERATORS:
        return operator(OPERATORS[name])
    if name in REFLECTED:
        return reflected(REFLECTED[name])
    if name in ("__bool__", "__float__", "__int__", "__index__", "__contains__", "item", "tolist"):
        return method(name)
    if name.startswith("__i") and name[3:-2] in BINARY:
        return in_place(name)
    if name in operations(TENSOR):
        return operator(name)
    if name in METHODS:
        return method(name)
    return refused(name) if callable(shown) else property(refused(name))


own_names = {*vars(Batched), *OF_SHAPE.split()}
for name in dir(Tensor):
    if name not in own_names:
        setattr(Batched, name, attribute(name))


# ---- gradients -----------------------------------------------------------------------------------


def gradients_of_each(level, call, outputs, weights, retain, create_graph, inputs, accumulate):
    """Gradients by tensors of each sample: those of a sum over samples are those of each."""
    if accumulate:
        raise RuntimeError(
            "vmap: backward() inside would add the gradients of all indices together; use "
            "func.grad, which returns those of each"
        )
    if any(map(level.has, outputs)) and not all(map(level.has, inputs)):
        raise RuntimeError(
            "vmap: a gradient by a tensor that all indices share, of what is computed from one of "
            "theirs; func.grad makes one of each index of it, autograd.grad does not"
        )
    if not any(map(level.has, (*outputs, *inputs))):
        return products_of_each(level, call, outputs, weights, retain, create_graph, inputs)
    ys, ws = [], []
    for y, w in zip(outputs, weights, strict=True):
        if level.has(y):
            if w is None and y.numel() != 1:
                raise RuntimeError(f"gradients need a weight for an output of shape {y.shape}")
            ys.append(y._value)
            ws.append(ops.ones_like(y._value) if w is None else level.spread(w))
        elif not level.has(w):  # else its gradient is by nothing of this level
            ys.append(y)
            ws.append(w)
    inner = tuple([x._value if level.has(x) else x for x in inputs])
    found = call(tuple(ys), tuple(ws), retain, create_graph, inner, accumulate)
    return tuple([
        None if dx is None else level.wrap(dx) if level.has(x) else dx
        for x, dx in zip(inputs, found, strict=True)
    ])  # fmt: skip


def products_of_each(level, call, outputs, weights, retain, create_graph, inputs):
    """Gradients through a graph that all samples share, by weights of each."""
    found = []
    for i in range(level.size):
        ws = tuple([level.sample(w, i) for w in weights])
        last = i == level.size - 1
        found.append(call(outputs, ws, retain or not last, create_graph, inputs, False))
    return tuple([
        None if column[0] is None else level.wrap(ops.stack(column, 0))
        for column in zip(*found, strict=True)
    ])  # fmt: skip
