"""Settings of every form, read by the step and changed between calls."""

import argparse
import collections
import dataclasses
import enum
import functools
import sys
import types

import numpy as np

import pyml as torch
from pyml import optim
from pyml.nn import functional as F
from record.loops.common import batches, final, inputs, regressor, targets, update
from record.loops.harness import loop


class AttrDict(dict):
    """Keys as attributes."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class ConfigDict:
    """As ml_collections': fields in a private dict, types kept, can be locked."""

    def __init__(self, **fields):
        object.__setattr__(self, "_fields", dict(fields))

    def __getattr__(self, name):
        try:
            return object.__getattribute__(self, "_fields")[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self._fields[name] = type(self._fields[name])(value) if name in self._fields else value

    def __getitem__(self, name):
        return self._fields[name]

    def __setitem__(self, name, value):
        self._fields[name] = value


class Node:
    """As OmegaConf's: values are boxed."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return float(self.value)


class OmegaDict:
    """Boxes hang in a nested content."""

    def __init__(self, **values):
        self.__dict__["_content"] = {k: Node(v) for k, v in values.items()}

    def __getattr__(self, name):
        return self.__dict__["_content"][name].value

    def __setattr__(self, name, value):
        self.__dict__["_content"][name].value = value


class Lazy:
    """Computes a value from another when it is asked."""

    def __init__(self, w):
        self._w = w

    @property
    def w(self):
        return self._w * 1.0

    @w.setter
    def w(self, value):
        self._w = value


class Validated:
    """A descriptor keeps the value."""

    class Positive:
        def __set_name__(self, owner, name):
            self.name = "_" + name

        def __get__(self, instance, owner=None):
            return getattr(instance, self.name)

        def __set__(self, instance, value):
            assert value > 0
            setattr(instance, self.name, value)

    w = Positive()

    def __init__(self, w):
        self.w = w


class Slots:
    __slots__ = ("w",)

    def __init__(self, w):
        self.w = w


class ByClass:
    """A class attribute, which an instance may shadow."""

    w = 1.0


@dataclasses.dataclass
class Data:
    w: float = 1.0


@dataclasses.dataclass(frozen=True)
class Frozen:
    w: float = 1.0


Tuple = collections.namedtuple("Tuple", "w")


class Holder:
    """c.h.w: what is replaced is inside."""

    def __init__(self, h):
        self.h = h


LIBRARY = """
class Extra:
    __slots__ = ("__dict__", "_extra", "_late")

    def __init__(self, **values):
        self._extra = values

    def __getattr__(self, name):
        try:
            return self._extra[name]
        except KeyError:
            raise AttributeError(name) from None


class Wrapper:
    def __init__(self, inside):
        self.inside = inside

    @property
    def unwrapped(self):
        return getattr(self.inside, "unwrapped", self.inside)


class Composed:
    __slots__ = ("_functions",)

    def __init__(self, *functions):
        self._functions = functions

    def __call__(self, value):
        for function in self._functions:
            value = function(value)
        return value


class Held:
    def __init__(self, function):
        self.__dict__["call"] = function

    def __call__(self, value):
        return self.call(value)
"""


def installed(source):
    """A module of another library, as pip installs one."""
    module = types.ModuleType("installed_library")
    module.__file__ = "/usr/lib/site-packages/installed_library/__init__.py"
    sys.modules[module.__name__] = module
    exec(compile(source, module.__file__, "exec"), vars(module))
    return module


library = installed(LIBRARY)


class OwnExtra(library.Extra):
    """As pydantic's models."""


class ByLetter(list):
    """Its items are asked for otherwise."""

    def __getitem__(self, letter):
        return super().__getitem__("wxyz".index(letter))

    def __iter__(self):
        return iter("wxyz"[: len(self)])


class Factor:
    w = 1.0

    def __call__(self, value):
        return value * self.w


def set_unwrapped(c, value):
    c.unwrapped.w = value
    return c


def set_w(c, value):
    c.w = value
    return c


def set_item(c, value):
    c["w"] = value
    return c


def set_inner(c, value):
    c.h = dataclasses.replace(c.h, w=value)
    return c


# name -> (make(1.0), read(c), change(c, value) gives c or another)
FORMS = {
    "dict": (lambda: {"w": 1.0}, lambda c: c["w"], set_item),
    "dict_get": (lambda: {}, lambda c: c.get("w", 1.0), set_item),
    "dict_in": (lambda: {}, lambda c: c["w"] if "w" in c else 1.0, set_item),  # noqa: SIM401
    "dict_setdefault": (lambda: {}, lambda c: c.setdefault("w", 1.0), set_item),
    "dict_values": (lambda: {"w": 1.0}, lambda c: sum(c.values()), set_item),
    "dict_length": (lambda: {"w": 1.0}, lambda c: len(c) * c["w"], set_item),
    "dict_unpacked": (lambda: {"w": 1.0}, lambda c: (lambda w: w)(**c), set_item),
    "nested_dict": (
        lambda: {"a": {"b": {"c": {"w": 1.0}}}},
        lambda c: c["a"]["b"]["c"]["w"],
        lambda c, v: (c["a"]["b"]["c"].update(w=v), c)[1],
    ),
    "defaultdict": (lambda: collections.defaultdict(lambda: 1.0), lambda c: c["w"], set_item),
    "ordered_dict": (lambda: collections.OrderedDict(w=1.0), lambda c: c["w"], set_item),
    "counter": (lambda: collections.Counter(w=1), lambda c: c["w"], set_item),
    "chain_map": (lambda: collections.ChainMap({}, {"w": 1.0}), lambda c: c["w"], set_item),
    "user_dict": (lambda: collections.UserDict(w=1.0), lambda c: c["w"], set_item),
    "list": (lambda: [1.0], lambda c: c[0], lambda c, v: (c.__setitem__(0, v), c)[1]),
    "list_sum": (lambda: [0.5, 0.5], sum, lambda c, v: (c.append(v - 1), c)[1]),
    "list_length": (lambda: [1], lambda c: len(c), lambda c, v: (c.append(1), c)[1]),
    "list_last": (lambda: [1.0], lambda c: c[-1], lambda c, v: (c.append(v), c)[1]),
    "tuple": (lambda: (1.0,), lambda c: c[0], lambda c, v: (v,)),
    "deque": (
        lambda: collections.deque([1.0]),
        lambda c: c[0],
        lambda c, v: (c.appendleft(v), c)[1],
    ),
    "set": (lambda: set(), lambda c: 3.0 if "w" in c else 1.0, lambda c, v: (c.add("w"), c)[1]),
    "set_length": (lambda: {0}, lambda c: float(len(c)), lambda c, v: (c.add(v), c)[1]),
    "frozenset": (lambda: frozenset(), lambda c: 1.0 + 2 * ("w" in c), lambda c, v: c | {"w"}),
    "namespace": (lambda: types.SimpleNamespace(w=1.0), lambda c: c.w, set_w),
    "argparse": (lambda: argparse.Namespace(w=1.0), lambda c: c.w, set_w),
    "vars": (lambda: argparse.Namespace(w=1.0), lambda c: vars(c)["w"], set_w),
    "getattr": (lambda: types.SimpleNamespace(), lambda c: getattr(c, "w", 1.0), set_w),
    "hasattr": (lambda: types.SimpleNamespace(), lambda c: c.w if hasattr(c, "w") else 1.0, set_w),
    "getattr_by_name": (
        lambda: types.SimpleNamespace(w=1.0, key="w"),
        lambda c: getattr(c, c.key),
        set_w,
    ),
    "attr_dict": (lambda: AttrDict(w=1.0), lambda c: c.w, set_w),
    "config_dict": (lambda: ConfigDict(w=1.0), lambda c: c.w, set_w),
    "config_dict_items": (lambda: ConfigDict(w=1.0), lambda c: c["w"], set_item),
    "omega": (lambda: OmegaDict(w=1.0), lambda c: c.w, set_w),
    "box_with_float": (lambda: Node(1.0), float, lambda c, v: (setattr(c, "value", v), c)[1]),
    "property": (lambda: Lazy(1.0), lambda c: c.w, set_w),
    "descriptor": (lambda: Validated(1.0), lambda c: c.w, set_w),
    "slots": (lambda: Slots(1.0), lambda c: c.w, set_w),
    "shadowed_class_attribute": (lambda: ByClass(), lambda c: c.w, set_w),
    "class_attribute": (lambda: type("C", (), {"w": 1.0}), lambda c: c.w, set_w),
    "type_of_an_object": (
        lambda: type("C", (), {"w": 1.0})(),
        lambda c: type(c).w,
        lambda c, v: (setattr(type(c), "w", v), c)[1],
    ),
    "dataclass": (lambda: Data(), lambda c: c.w, set_w),
    "dataclass_as_dict": (lambda: Data(), lambda c: dataclasses.asdict(c)["w"], set_w),
    "replaced_dataclass": (lambda: Frozen(), lambda c: c.w, lambda c, v: Frozen(v)),
    "replaced_inside": (lambda: Holder(Frozen()), lambda c: c.h.w, set_inner),
    "namedtuple": (lambda: Tuple(1.0), lambda c: c.w, lambda c, v: c._replace(w=v)),
    "number": (lambda: 1.0, lambda c: c, lambda c, v: v),
    "int_for_float": (lambda: 1, lambda c: c, lambda c, v: float(c)),
    "text": (lambda: "1.0", float, lambda c, v: str(v)),
    "function": (lambda: lambda: 1.0, lambda c: c(), lambda c, v: lambda: v),
    "partial": (
        lambda: functools.partial(max, 1.0),
        lambda c: c(0.0),
        lambda c, v: functools.partial(max, v),
    ),
    "closure_cell": (
        lambda: (lambda box: lambda *new: box.__setitem__(0, *new) if new else box[0])([1.0]),
        lambda c: c(),
        lambda c, v: (c(v), c)[1],
    ),
    "module": (lambda: types.ModuleType("settings"), lambda c: getattr(c, "w", 1.0), set_w),
    "numpy_scalar": (lambda: np.float32(1.0), float, lambda c, v: np.float32(v)),
    "numpy_array": (lambda: np.ones(3), lambda c: float(c[1]), lambda c, v: np.full(3, v)),
    "tensor": (lambda: torch.tensor(1.0), lambda c: c, lambda c, v: torch.tensor(v)),
    "tensor_in_place": (lambda: torch.tensor(1.0), lambda c: c, lambda c, v: c.fill_(v)),
    "range": (lambda: range(1), lambda c: float(len(c)), lambda c, v: range(int(v))),
    "slice": (lambda: slice(0, 1), lambda c: float(len([1, 1, 1][c])), lambda c, v: slice(0, 3)),
    "bytes": (lambda: b"1", float, lambda c, v: b"3"),
    "bytearray": (
        lambda: bytearray(b"1"),
        lambda c: float(c[0]) / 49,
        lambda c, v: bytearray(b"9"),
    ),
    "generator_of_a_list": (
        lambda: [1.0],
        lambda c: sum(v for v in c),
        lambda c, v: (c.append(v), c)[1],
    ),
    "slots_of_a_library": (
        lambda: OwnExtra(w=1.0),
        lambda c: c.w,
        lambda c, v: (c._extra.update(w=v), c)[1],
    ),
    "slot_of_a_library_that_appears": (
        lambda: OwnExtra(),
        lambda c: getattr(c, "_late", 1.0),
        lambda c, v: (setattr(c, "_late", v), c)[1],
    ),
    "own_object_in_one_of_a_library": (
        lambda: library.Wrapper(library.Wrapper(Factor())),
        lambda c: c.unwrapped.w,
        set_unwrapped,
    ),
    "own_object_composed_by_a_library": (
        lambda: library.Composed(float, Factor()),
        lambda c: c(1.0),
        lambda c, v: (setattr(c._functions[1], "w", v), c)[1],
    ),
    "own_function_held_by_a_library": (
        lambda: library.Held((lambda f: lambda value: value * f["w"])({"w": 1.0})),
        lambda c: c(1.0),
        lambda c, v: (c.call.__closure__[0].cell_contents.update(w=v), c)[1],
    ),
    "list_of_its_own_class": (
        lambda: ByLetter([1.0, 2.0]),
        lambda c: c["w"],
        lambda c, v: (list.__setitem__(c, 0, v), c)[1],
    ),
    "flag": (lambda: True, lambda c: 1.0 if c else 3.0, lambda c, v: not c),
    "none": (lambda: None, lambda c: 1.0 if c is None else c, lambda c, v: v),
    "enum": (
        lambda: enum.Enum("Mode", {"A": 1.0, "B": 3.0}).A,
        lambda c: c.value,
        lambda c, v: type(c).B,
    ),
}


@loop(each=FORMS)
def setting_is(record, form):
    """Read by the code of the step, through a function; changed at the ninth call."""
    make, read, change = form
    c = make()
    model, X = regressor(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x, y):
        return update(optimizer, read(c) * F.mse_loss(model(x), y))

    for i, (x, y) in enumerate(batches(X, targets(X))):
        if i == 8:
            c = change(c, 3.0)
        yield step(x, y)
    yield from final(model)


@loop(each={name: FORMS[name] for name in FORMS if not name.startswith("tensor")})
def setting_of_an_object_is(record, form):
    """The same as an attribute of an object with methods."""
    make, read, change = form

    class Trainer:
        def __init__(self):
            self.config, self.model = make(), regressor()
            self.optimizer = optim.SGD(self.model.parameters(), lr=0.05)

        def loss(self, x, y):
            return read(self.config) * F.mse_loss(self.model(x), y)

        @record
        def step(self, x, y):
            return update(self.optimizer, self.loss(x, y))

    trainer, X = Trainer(), inputs()
    for i, (x, y) in enumerate(batches(X, targets(X))):
        if i == 8:
            trainer.config = change(trainer.config, 3.0)
        yield trainer.step(x, y)
    yield from final(trainer.model)
