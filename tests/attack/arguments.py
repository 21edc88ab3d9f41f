"""Hostile and ordinary arguments, drawn from a random generator.

A Maker makes the values of one case. What a parameter is called and what its default is say what
would be ordinary; `hostility` is the share of values that are anything at all, or ONE.
"""

import ast
import contextlib
import gc
import inspect
import math

import numpy as np

import pyml
from pyml import nn, optim

DTYPES = ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"]
FOREIGN_DTYPES = [">f4", ">f8", ">i8", "float16", "complex64", "complex128", "longdouble", "uint64"]
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 17, 33, 100]
LARGE = [2**31 - 1, 2**31, 2**32 + 1, 2**62, 2**63 - 1, 2**63, 2**64, 10**30]
NUMBERS = [0, 1, -1, 2, 3, 0.0, -0.0, 0.5, 1.5, -2.5, 1e-45, 1e-310, 1e20, 1e38, 1e308]
EXTREMES = [math.inf, -math.inf, math.nan, *LARGE, *(-n for n in LARGE), 10**400]
SMALL = ["dim", "dim0", "dim1", "axis", "start_dim", "end_dim", "source", "destination", "index"]
COUNTS = {
    *("n", "m", "size", "steps", "chunks", "length", "start", "end", "stop", "step", "sections"),
    *("epochs", "batch_size", "seed", "rows", "count", "in_features", "out_features", "ndim"),
    *("num_features", "features", "classes", "step_size", "total_iters", "split_size", "hidden"),
    *("split_size_or_sections", "decimals", "every_steps", "last_epoch", "low", "high", "i", "key"),
}
WORDS = [
    "mean",
    "sum",
    "none",
    "trunc",
    "floor",
    "tanh",
    "relu",
    "linear",
    "eager",
    "raise",
    "fan_in",
]
WORDS += [
    "",
    "x",
    "a.b",
    "weight",
    "0",
    "\0",
    "\ud800",
    "é" * 300,
    "float32",
    "cpu",
    "cuda",
    "train",
]
ONE = "one"  # hostility: one argument of a call is anything at all, the others are ordinary
MOST_BYTES = 1 << 22  # of a tensor that is drawn


class Hostile(Exception):
    """What a hostile object raises: it may come back to us."""


class Maker:
    """Values for the arguments of one case."""

    def __init__(self, rng, hostility=0.15, plain=False, half_built=True):
        self.rng, self.hostility = rng, hostility
        self.makes_half_built = half_built  # their repr() raises
        self.plain = plain  # the same values, all contiguous
        self.tensors = []  # the tensors so far: some values are the same one again
        self.mischief = False  # did a hostile object change something?
        self.lies = False  # is there an object that is not what it says?
        self.endless = False  # is there a nest that holds itself?
        self.shape = tuple(self.sizes(3))  # many tensors of a case have one shape
        if self.chance(0.4):
            self.shape = (self.integer(1, 5),) * self.choose([2, 2, 3])
        self.dtype = self.choose(DTYPES[:2] if self.chance(0.8) else DTYPES)

    def chance(self, p):
        return self.rng.random() < p

    def choose(self, values):
        return values[int(self.rng.integers(len(values)))]

    def integer(self, low, high):
        return int(self.rng.integers(low, high))

    def sizes(self, most):
        if most > 1 and self.chance(0.02):  # kernels know 8, NumPy 64
            sizes = [1] * self.choose([7, 8, 9, 31, 32, 33, 63, 64, 65])
            for _ in range(3):
                sizes[self.integer(0, len(sizes))] = self.choose([0, 1, 2, 3])
            return sizes
        few = self.choose([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], SIZES])
        return [self.choose(few) for _ in range(self.integer(0, most + 1))]

    # -- tensors and arrays --

    def numbers(self, shape, dtype):
        """A contiguous array."""
        dtype = np.dtype(dtype)
        shape = tuple(shape)[:64]  # NumPy's largest number of dimensions
        values = self.rng.normal(size=shape) * self.choose([1, 1, 1, 3, 1e4])
        if dtype.kind in "iu":
            values = self.rng.integers(0, self.choose([1, 2, 3, 5, 120]), size=shape)
        array = np.asarray(values).astype(dtype)
        if dtype.kind == "f" and array.size and self.chance(0.15):
            place = self.integer(0, array.size)
            array.reshape(-1)[place] = self.choose([math.inf, -math.inf, math.nan, 0, -0.0, 1e-40])
        return array

    def laid_out(self, shape, dtype):
        """The same in one of many layouts."""
        array = self._laid_out(tuple(shape)[:64], dtype)
        return np.array(array, order="C") if self.plain else array

    def _laid_out(self, shape, dtype):
        layout = self.integer(0, 14)
        if layout == 0 and len(shape) > 1:
            order = [int(i) for i in self.rng.permutation(len(shape))]
            array = self.numbers([shape[i] for i in order], dtype)
            return array.transpose(np.argsort(order))
        if layout == 1 and shape:  # of 64 dimensions, not twice as many elements in each
            sizes = [2 * n for n in shape[:8]]
            array = self.numbers([*sizes, *shape[8:]], dtype)
            return array[tuple(slice(None, None, self.choose([2, -2])) for _ in sizes)]
        if layout == 2 and shape:
            return self.numbers(shape, dtype)[::-1]
        if layout == 3:
            kept = [n if self.chance(0.5) else 1 for n in shape]
            return np.broadcast_to(self.numbers(kept, dtype), shape)  # stride 0, read-only
        if layout == 4:
            array = self.numbers(shape, dtype)
            array.flags.writeable = False
            return array
        if layout == 5:
            values = self.numbers(shape, dtype)
            memory = np.zeros(values.nbytes + 16, np.uint8)
            array = np.ndarray(shape, values.dtype, memory, 1)  # not aligned
            array[...] = values
            return array
        if layout == 6 and len(shape) == 2:
            n = shape[0] + shape[1]
            return np.lib.stride_tricks.sliding_window_view(self.numbers([n], dtype), shape[1])[
                : shape[0]
            ]  # rows overlap
        if layout == 7 and shape:  # elements that share memory, and can be written
            steps = [self.choose([0, 1, 1, 2, -1]) for _ in shape]
            spans = [(max(n, 1) - 1) * step for n, step in zip(shape, steps, strict=True)]
            first = -sum(span for span in spans if span < 0)
            values = self.numbers([1 + sum(map(abs, spans))], dtype)
            strides = [step * values.itemsize for step in steps]
            return np.lib.stride_tricks.as_strided(values[first:], shape, strides)
        return self.numbers(shape, dtype)

    def tensor(self, shape=None, dtype=None, leaf=None):
        if self.tensors and shape is None and dtype is None and self.chance(0.15):
            return self.choose(self.tensors)
        if shape is None:
            shape = self.shape if self.chance(0.75) else self.sizes(self.choose([2, 3, 5]))
        dtype = dtype or (self.dtype if self.chance(0.8) else self.choose(DTYPES))
        while math.prod(shape) * 8 > MOST_BYTES:
            shape = shape[1:]
        array = self.laid_out(shape, dtype)
        try:
            t = pyml.from_numpy(array)
        except (TypeError, ValueError):
            t = pyml.from_numpy(array.copy())
        if t.is_floating_point() and self.chance(0.4):
            t.requires_grad_()
            if leaf is None and self.chance(0.4):
                t = self.choose([lambda: t * 2, lambda: t.exp(), lambda: t + t, lambda: t[...]])()
            elif self.chance(0.7 if leaf else 0.2):
                t.grad = pyml.ones_like(t)
        if leaf is None and self.tensors and self.chance(0.05):
            t = self.choose(self.tensors).detach()
            if t.ndim and self.chance(0.5):  # overlaps it
                t = self.choose([lambda: t[1:], lambda: t[:-1], lambda: t[::2], lambda: t[0]])()
        self.tensors.append(t)
        return t

    def array(self):
        shape = self.shape if self.chance(0.5) else self.sizes(3)
        kind = self.integer(0, 9)
        if kind == 0:
            return self.laid_out(shape, self.choose(FOREIGN_DTYPES))
        if kind == 1:
            return np.array([self.choose([None, 1, "x", []]) for _ in range(3)] + [{}], object)
        if kind == 2:
            return np.zeros(tuple(shape)[:64], [("a", "f4"), ("b", "i8")])
        if kind == 3:
            return np.ma.masked_array(self.numbers(shape, "float32"), True)
        if kind == 4:
            return self.numbers(shape, "float64").view(Subclass)
        if kind == 5:
            return self.choose([np.array(["a", "bc"]), np.zeros(2, "M8[s]"), np.zeros(3, "V5")])
        return self.laid_out(shape, self.choose(DTYPES))

    # -- other values --

    def anything(self, depth=0):
        kinds = [
            self.tensor,
            self.tensor,
            self.array,
            lambda: self.choose(NUMBERS),
            lambda: self.choose(EXTREMES),
            lambda: self.choose(WORDS),
            lambda: self.choose([None, True, False, Ellipsis, NotImplemented, b"x", 1j, object()]),
            lambda: self.choose([np.int64(-1), np.float32(2), np.uint8(255), np.bool_(True)]),
            lambda: np.dtype(self.choose(DTYPES + FOREIGN_DTYPES)),
            lambda: slice(*(self.choose([None, 0, 1, -1, 2, 10**20, "x"]) for _ in range(3))),
            lambda: self.choose([pyml.float32, pyml.int64, int, float, bool, str, np.float32]),
            lambda: self.trickster(),
            lambda: self.function(),
            lambda: self.choose([nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.BatchNorm1d(2))]),
            lambda: self.choose([optim.SGD, pyml.Generator(3), pyml.default_generator, pyml]),
        ]
        if self.makes_half_built:
            kinds.append(self.half_built)
        if depth < 3:
            kinds += [
                lambda: self.sequence(depth),
                lambda: {self.choose(["params", "lr", 0, None]): self.anything(depth + 1)},
                lambda: (x for x in self.sequence(depth)),
                self.nest,
            ]
        return self.choose(kinds)()

    def half_built(self):
        """An object whose constructor has not run."""
        self.lies = True
        classes = [pyml.Tensor, nn.Parameter, nn.Module, nn.Linear, nn.Sequential, nn.BatchNorm1d]
        classes += [optim.SGD, optim.Adam, optim.lr_scheduler.StepLR, pyml.Generator]
        cls = self.choose([*classes, pyml.recording.Recorded, pyml.recording.Progress])
        return cls.__new__(cls)

    def sequence(self, depth=0):
        items = [self.anything(depth + 1) for _ in range(self.integer(0, 4))]
        return self.choose([list, tuple, list])(items)

    def nest(self):
        """A nest that holds itself."""
        self.endless = True
        nest = [self.choose([1, 2.0, None])]
        nest.append(self.choose([nest, {"a": nest}, (nest,)]))
        return nest

    def function(self):
        return self.choose(
            [
                lambda *a, **k: None,
                lambda x=None, *a, **k: x,
                lambda x=None, *a, **k: x * 2,
                lambda x=None, *a, **k: x.sum(),
                lambda x=None, *a, **k: x.exp().sum(0),
                lambda *a, **k: self.anything(2),
                lambda *a, **k: _raise(Hostile("function")),
            ]
        )

    def change(self):
        """Changes a tensor of the case behind the back of the call that is under way."""
        self.mischief = True
        if not self.tensors:
            return
        t = self.choose(self.tensors)
        changes = [
            lambda: t.array.fill(3),
            lambda: setattr(t, "data", pyml.zeros(self.integer(0, 3), dtype=t.dtype)),
            lambda: setattr(t, "data", pyml.zeros(2, 3)),
            lambda: setattr(t, "grad", None),
            lambda: t.requires_grad_(not t.requires_grad),
            lambda: setattr(t.array, "shape", (-1,)),
            lambda: self.tensors.clear() or gc.collect(),
        ]
        with contextlib.suppress(AttributeError, ValueError, TypeError, RuntimeError):
            self.choose(changes)()

    def trickster(self):
        """An object whose special methods raise, lie, or change the tensors of the case."""
        self.lies = True

        def answer(*args, **kwargs):
            kind = self.integer(0, 4)
            if kind == 0:
                raise Hostile("special method")
            if kind == 1:
                self.change()
            return self.choose([0, 1, 2, -1, 1.5, None, "x", [1, 2], 2**70, math.nan, ()])

        names = ["__complex__", "__contains__", "__repr__", "__deepcopy__", "__array_ufunc__"]
        names += [
            "__float__",
            "__index__",
            "__len__",
            "__iter__",
            "__array__",
            "__bool__",
            "__int__",
        ]
        names += [
            "__getitem__",
            "__call__",
            "__next__",
            "__eq__",
            "__hash__",
            "__add__",
            "__radd__",
        ]
        names += ["__rmul__", "shape", "dtype", "keys", "array", "__fspath__", "__enter__", "items"]
        chosen = {name: answer for name in names if self.chance(0.3)}
        if "__eq__" in chosen:
            chosen.setdefault("__hash__", object.__hash__)
        return type("Trickster", (), chosen)()

    # -- by name --

    def for_parameter(self, name, default=inspect.Parameter.empty, hostility=None):
        """A value for a parameter of this name and default."""
        hostility = self.hostility if hostility is None else hostility
        if hostility != ONE and self.chance(hostility):
            return self.anything()
        if name in ("self", "input", "other", "x", "y", "t", "tensor", "value") and self.chance(
            0.9
        ):
            numbers = 0.5 if name == "value" else 0.1
            return self.choose(NUMBERS) if self.chance(numbers) else self.tensor()
        if name == "dim" and self.shape and self.chance(0.6):
            return self.integer(-len(self.shape), len(self.shape))
        if name in ORDINARY and self.chance(0.8):
            return ORDINARY[name](self)
        if name in ("mask", "condition"):
            return self.tensor(self.shape, "bool")
        same_shape = ("weight", "mat2", "tensor1", "tensor2", "end", "src", "mean", "std", "index")
        if name in same_shape and self.chance(0.7):
            return self.tensor(self.shape, "int64" if name == "index" else self.dtype)
        one_a_row = ("vec", "bias", "running_mean", "running_var", "target", "labels")
        if name in one_a_row and self.chance(0.7):
            classes = name == "labels" or (name == "target" and self.chance(0.4))
            return self.tensor(self.shape[:1], "int64" if classes else self.dtype)
        if name in ("in_features", "num_features", "features") and self.shape and self.chance(0.7):
            return self.shape[-1]
        if name in ("train", "validation", "data", "batches") and self.chance(0.7):
            return self.tensor((6, 3), "float32"), self.tensor((6,), "int64")
        if name == "dims" and self.chance(0.6):
            return [int(i) for i in self.rng.permutation(len(self.shape))]
        if name in SMALL:
            dims = [0, 0, 1, -1, -2, 2, 5, None, (0, 1), (0, -1), [0], ()]
            return self.choose(dims)
        if name in COUNTS:
            return self.integer(-1, 6) if self.chance(0.2) else self.integer(1, 5)
        if name in ("shape", "size", "sizes", "dims", "normalized_shape"):
            return self.choose(
                [tuple(self.sizes(3)), list(self.shape), self.integer(0, 5), (0, -1)]
            )
        if "dtype" in name or name == "type":
            return self.choose(
                [None, pyml.float32, pyml.float64, pyml.int64, np.float64, "float32"]
            )
        if name in ("tensors", "inputs", "outputs", "parameters", "params", "grad_outputs"):
            shape = self.choose([self.shape, None])
            leaf = name in ("parameters", "params") or None
            dtype = self.dtype if leaf else None
            return [self.tensor(shape, dtype, leaf=leaf) for _ in range(self.integer(1, 4))]
        if name == "optimizer":
            return optim.SGD([pyml.ones(2, requires_grad=True)], lr=0.1)
        if name in ("module", "model"):
            return self.choose([nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 2), nn.ReLU())])
        if name in ("path", "directory", "prefix", "name", "target", "title"):
            return self.choose(["weight", "bias", "a", "", "inner.weight", "x"])
        if name in ("hook", "fn", "func", "function", "closure", "callback", "what", "loss"):
            return self.function()
        if name == "state_dict":
            return self.choose([nn.Linear(2, 3).state_dict(), {}, {"weight": self.tensor()}])
        if default is inspect.Parameter.empty:
            return self.tensor() if self.chance(0.7) else self.choose(NUMBERS)
        if isinstance(default, bool):
            return self.chance(0.5)
        if isinstance(default, (int, float)):
            return self.choose([default, default, *NUMBERS])
        if isinstance(default, str):
            return self.choose([default, *WORDS])
        return (
            self.choose([default, default, self.tensor, 1, 0.5, True])
            if default is None
            else default
        )

    def call(self, parameters, hostility=None):
        """(args, kwargs) for the parameters of a signature; None: nobody knows them."""
        if parameters is None or self.chance(0.03):
            return tuple(
                self.tensor() if self.chance(0.6) else self.anything()
                for _ in range(self.integer(0, 4))
            ), {}
        args, kwargs, by_name, hostile = [], {}, False, None
        if hostility is None and self.hostility == ONE and parameters:
            hostile, hostility = self.choose(parameters), 0
        for p in parameters:
            if p.kind is p.VAR_POSITIONAL:
                if not by_name and p.name in ("dims", "sizes", "shape", "size", "data"):
                    value = self.for_parameter(p.name, hostility=hostility)
                    args += value if isinstance(value, (list, tuple)) else [value]
                elif not by_name:
                    args += [
                        self.for_parameter(p.name, hostility=hostility)
                        for _ in range(self.integer(0, 3))
                    ]
                continue
            if p.kind is p.VAR_KEYWORD:
                if self.chance(0.1):
                    kwargs[self.choose(["dtype", "copy", "nonsense"])] = self.anything()
                continue
            if p.default is not p.empty and p is not hostile and self.chance(0.5):
                by_name = True
                continue
            value = self.for_parameter(p.name, p.default, 1 if p is hostile else hostility)
            if callable(value) and value == self.tensor:
                value = self.tensor()
            if (
                p.kind is p.KEYWORD_ONLY
                or by_name
                or (p.kind is not p.POSITIONAL_ONLY and self.chance(0.1))
            ):
                by_name = True
                kwargs[p.name] = value
            else:
                args.append(value)
        if self.chance(0.02):
            args.append(self.anything())
        return tuple(args), kwargs


SCHEDULERS = [
    lambda make: optim.lr_scheduler.LinearLR(optim.SGD([pyml.ones(2, requires_grad=True)], lr=0.1)),
    lambda make: nn.Linear(1, 1),
]
ORDINARY = {  # name of a parameter -> a value, made by a Maker
    "ndarray": Maker.array,
    "p": lambda make: make.choose([0, 0.3, 0.5, 1, 2, math.inf]),
    "low": lambda make: make.integer(-3, 2),
    "high": lambda make: make.integer(2, 50),
    "defaults": lambda make: make.choose([{}, {"lr": 0.1}]),
    "param_group": lambda make: {"params": [make.tensor(leaf=True)], "lr": 0.2},
    "key": lambda make: make.choose(["a", "weight", 0, -1, 1]),
    "memo": lambda make: {},
    "state": lambda make: np.array([make.integer(0, 9), 3], np.uint64),
    "gradient": lambda make: make.tensor(make.shape, make.dtype),
    "modules": lambda make: make.choose([{"a": nn.ReLU()}, [nn.Linear(2, 2), nn.ReLU()]]),
    "module": lambda make: make.choose([nn.Linear(3, 2), nn.ReLU(), nn.Sequential(nn.Tanh())]),
    "nonlinearity": lambda make: make.choose(["relu", "tanh", "linear", "leaky_relu", "selu"]),
    "param": lambda make: nn.Parameter(pyml.ones(2)),
    "resume": lambda make: make.choose([None, {}, pyml.recording.Progress(2, 3, 6, 2, False)]),
    "scheduler": lambda make: make.choose([None, SCHEDULERS[0](make), SCHEDULERS[1](make)]),
    "sparsity": lambda make: make.choose([0.1, 0.5]),
    "generator": lambda make: make.choose([None, pyml.Generator(1), pyml.default_generator]),
}


class Subclass(np.ndarray):
    """An array of another class."""


def _raise(error):
    raise error


def parameters_of(function):
    """The parameters, from the signature or the first line of the docstring; None if unknown."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        pass
    line = (getattr(function, "__doc__", None) or "").split("\n")[0]
    begin, end = line.find("("), line.rfind(")")
    try:
        arguments = ast.parse(f"def f{line[begin : end + 1]}: pass").body[0].args
    except SyntaxError:
        return None
    if begin < 0:
        return None
    kinds = inspect.Parameter
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [inspect.Parameter.empty] * (len(positional) - len(arguments.defaults))
    found = [
        kinds(a.arg, kinds.POSITIONAL_OR_KEYWORD, default=_literal(d))
        for a, d in zip(positional, missing + arguments.defaults, strict=True)
    ]
    if arguments.vararg:
        found.append(kinds(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        default = inspect.Parameter.empty if d is None else d
        found.append(kinds(a.arg, kinds.KEYWORD_ONLY, default=_literal(default)))
    if arguments.kwarg:
        found.append(kinds(arguments.kwarg.arg, kinds.VAR_KEYWORD))
    return found


def _literal(node):
    if not isinstance(node, ast.AST):
        return node
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


# ---- looking at values ---------------------------------------------------------------------------


def describe(value, depth=0):
    """A short text that calls nothing of a hostile object."""
    if isinstance(value, pyml.Tensor):
        a = value.array
        flags = "" if a.flags.writeable else " read-only"
        flags += "" if a.flags.aligned else " unaligned"
        grad = " requires_grad" if value.requires_grad else ""
        return f"<{type(value).__name__} {a.dtype}{a.shape} strides {a.strides}{flags}{grad}>"
    if isinstance(value, np.ndarray):
        return f"<{type(value).__name__} {value.dtype}{value.shape} strides {value.strides}>"
    if type(value) in (list, tuple) and depth < 3:
        inside = ", ".join(describe(item, depth + 1) for item in value[:8])
        return f"[{inside}]" if type(value) is list else f"({inside},)"
    if type(value) is dict and depth < 3:
        return "{" + ", ".join(f"{k!r}: {describe(v, depth + 1)}" for k, v in value.items()) + "}"
    if type(value) in (int, float, bool, str, bytes, slice, type(None)) or isinstance(
        value, np.generic
    ):
        return repr(value) if len(repr(value)) < 60 else repr(value)[:50] + "..."
    if isinstance(value, type) or type(value).__name__ in ("function", "dtype"):
        return repr(value)[:60]
    value_type = type(value)
    if value_type.__name__ == "Trickster":
        return f"<Trickster {' '.join(sorted(set(vars(value_type)) - {'__module__', '__dict__'}))}>"
    return f"<{type(value).__name__}>"


SHOWN = ("_registered", "_last_lr", "_step_count")


def bits_of(value, seen=None):
    """What a value holds, to the bit, as something that can be compared."""
    seen = {} if seen is None else seen
    if id(value) in seen:
        return "again"
    if isinstance(value, pyml.Tensor):
        seen[id(value)] = value
        grad = value.grad
        inner = None if grad is None else bits_of(grad, seen)
        return ("tensor", bits_of(value.array, seen), value.requires_grad, inner)
    if isinstance(value, np.ndarray):
        value = np.asarray(value)  # without a mask, as np.ma.masked cannot tell its bytes
        content = value.tolist() if value.dtype.hasobject else value.tobytes()
        return (
            "array",
            str(value.dtype),
            value.shape,
            repr(content) if value.dtype.hasobject else content,
        )
    if isinstance(value, (list, tuple)):
        seen[id(value)] = value
        return (type(value).__name__, *(bits_of(item, seen) for item in value))
    if isinstance(value, dict):
        seen[id(value)] = value
        return ("dict", *((key_of(k), bits_of(v, seen)) for k, v in value.items()))
    if isinstance(value, pyml.Generator):
        state = getattr(value, "_state", None)  # None: its constructor has not run
        return ("generator", None if state is None else np.asarray(value.get_state()).tobytes())
    if type(value) in (int, float, bool, str, bytes, type(None)) or isinstance(value, np.generic):
        return repr(value)
    if type(value).__module__.startswith("pyml") and hasattr(value, "__dict__"):
        seen[id(value)] = value
        public = {
            name: item for name, item in vars(value).items() if name in SHOWN or name[0] != "_"
        }
        return (type(value).__name__, bits_of(public, seen))
    return type(value).__name__


def key_of(key):
    return repr(key) if isinstance(key, (str, int, float, tuple)) else type(key).__name__
