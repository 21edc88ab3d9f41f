"""What a step depends on beside its arguments and the values of tensors.

A recorded step does not run its Python again, so it would not see that a place holds something else
now: another optimizer, another factor. `Reach` goes from a function through all code that it can
call and all objects that this code can get at: globals and closures by the names in the code,
attributes by all names in all of that code, items of containers. Each place is listed with what it
held.
"""

import abc
import array
import builtins
import collections
import contextvars
import dis
import enum
import functools
import gc
import operator
import os
import random
import re
import sys
import types
import weakref
from typing import NamedTuple

import numpy as np

from pyml.recorder import Traced
from pyml.recording.code import (
    OPEN_FILES,
    absent_from,
    code_of,
    codes_in,
    installed_package,
    is_generated,
    is_interrupting,
    is_library,
    is_library_class,
    is_library_module,
    is_only_called,
    reads_of,
)
from pyml.recording.objects import (
    DESCRIPTORS,
    MAKING,
    MISSING,
    PLAIN,
    ask_for_classes,
    asked,
    attributes_of_protocol,
    bytes_of,
    content,
    is_called_by_python,
    is_decorator,
    is_foreign,
    is_generator,
    is_module,
    is_namespace,
    is_optimizer,
    is_same,
    joined,
    level_of,
    lies_in_c,
    lineage,
    named_by_libraries,
    names_in,
    own_bases,
    slots_of_libraries,
    subclasses_of,
    value_in_context,
)

__all__ = [
    "ABSENT",
    "ARRAY",
    "ASKED",
    "ATTRIBUTE",
    "CELL",
    "ITEM",
    "KEYS",
    "SEQUENCE",
    "Place",
    "Reach",
]

# what a place is: a closure's cell, an item of a dict, a list or a set, an attribute of a class, a
# function or of slots, the keys of a dict, names that a dict does not have, an array by form and
# content, what a function says of an object
CELL, ITEM, SEQUENCE, ATTRIBUTE, KEYS, ABSENT, ARRAY, ASKED = range(8)

MOST_PLACES = 4096  # a look at them takes less than 0.1 ms
MOST_BYTES = 1 << 16  # of an array that is compared by content
# with one of these of its own, an object can answer from anything that it holds
ANSWERING = (
    "__bool__",
    "__call__",
    "__contains__",
    "__float__",
    "__getattr__",
    "__getattribute__",
    "__getitem__",
    "__index__",
    "__int__",
    "__iter__",
    "__len__",
)
# what reads attributes by names that are computed
REFLECTING = {
    "__dict__",
    "__getattribute__",
    "__getstate__",
    "__reduce__",
    "__reduce_ex__",
    "asdict",
    "astuple",
    "attrgetter",
    "delattr",
    "dir",
    "format",
    "format_map",
    "getattr",
    "getattr_static",
    "getmembers",
    "hasattr",
    "methodcaller",
    "setattr",
    "vars",
}
ATTRIBUTE_ERRORS = {"AttributeError", "Exception", "BaseException"}
CONTAINERS = (list, tuple, dict, set, types.SimpleNamespace)
ARGPARSE = os.path.join(os.path.dirname(os.__file__), "argparse.py")
# of libraries what users change
STATE = (os.environ, os.getenv, sys.modules)
CHANGING = (list, dict, set, collections.deque)
BUILTINS = dict(vars(builtins))
BUFFERS = (np.ndarray, np.void, bytearray, memoryview, array.array)
VIEWS = tuple(type(getattr({}, name)()) for name in ("keys", "values", "items"))
WEAK = (weakref.ReferenceType, *weakref.ProxyTypes)
GETTERS = (operator.attrgetter, operator.itemgetter, operator.methodcaller)
IN_C = (
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    *DESCRIPTORS,
    *GETTERS,
)
WITH_INTRINSICS = (types.FunctionType, type, BaseException)


class Place(NamedTuple):
    """Where something is found, and what was there."""

    kind: int
    container: object
    key: object
    value: object
    name: str  # for a message


class Reach:
    """All places that can be read from some objects.

    Args:
        tensor: the class of Tensors.
        unwrapped: a function: what a recorded function records, None for other objects.
        hosts: what a step runs on the host, which is no part of it: code -> None, and
            id -> (object, its method).
        without: ids of objects to leave out.

    Attributes:
        places: of them, without those of modules' own attributes.
        tensors, modules, optimizers, generators: objects that were reached; guarded as such.
        scopes: of functions that name `type`: id -> their globals.
        problems: (where, what) was reached and cannot be compared, in words.
    """

    def __init__(self, tensor, unwrapped, hosts, without=()):
        self.places = []
        self.tensors, self.modules, self.optimizers, self.generators = {}, {}, {}, {}
        self.problems = []
        self._tensor, self._unwrapped = tensor, unwrapped
        self._is_full = False
        self._seen = {}  # id of an object -> what was read when it was looked at
        self._listed = set()  # (kind, id of a container, key) of the places
        self._names = frozenset()
        self._is_whole = False  # code asks for attributes by names that are computed
        self._compares_namespaces = False  # or shows them
        self._catches = False  # it goes on where an attribute is not there
        self._imports = []  # of modules that were not there: arguments of _visit_import
        self._absent = {}  # id of globals -> (globals, names that the code has and they do not)
        self._objects = {}  # id -> (object, path), to which all names apply
        self._codes = {}  # that was read, in the order in which it was reached: id -> code
        self.scopes = {}  # id -> globals of functions that name `type`
        self._hosts, self._without = hosts, without
        self._home = None  # the installed package that the step is of

    def add(self, roots):
        """Goes on from objects, and lists what can be reached.

        Args:
            roots: (object, its name for a message).
        """
        path = ""
        try:
            for value, path in roots:
                self._visit(value, path)
            self._look_up_names()
        except RecursionError:
            what = "lists or other containers that are too deep in each other to be compared"
            self._refuse(path, f"{what}; keep them less deep")

    def _look_up_names(self):
        """Applies all names to all objects, until there are no new ones."""
        known = None
        while known != (*self._asks(), len(self._objects)) and not self._is_full:
            known = *self._asks(), len(self._objects)
            for key, (value, path) in list(self._objects.items()):
                if self._is_full:  # it is refused whatever else is found
                    break
                now = self._asks()
                if self._seen.get(key) != now:
                    self._seen[key] = now
                    self._visit_attributes(value, path)

    def _asks(self):
        """What is read of objects: it only grows."""
        return len(self._names), self._is_whole, self._compares_namespaces

    def learn(self, ran, pickles):
        """Takes up what the step has told by running, for the next add(): modules that it has
        imported, and what it reads of objects as a whole, to compare, show or sort them.

        Args:
            ran: as for strayed().
            pickles: whether it has pickled something.
        """
        imports, self._imports = self._imports, []
        for each in imports:
            self._visit_import(*each)
        codes = [code for code, _ in ran.values()]
        for code in codes:
            if is_generated(code) and code.co_name not in MAKING:
                self._names |= reads_of(code).attributes
        self._compares_namespaces |= any(code.co_filename == ARGPARSE for code in codes)
        self._is_whole |= pickles

    def look_again(self):
        """The next add() looks at all objects anew: some may have got attributes."""
        self._seen.clear()

    def absent(self):
        """Names that the code has and objects do not: they may appear."""
        places = [
            Place(ABSENT, items, absent_from(items, names), None, "a global")
            for items, names in self._absent.values()
        ]
        for value, path in self._objects.values():
            items = getattr(value, "__dict__", None)
            if (
                isinstance(items, dict)
                and not isinstance(value, type)  # which has other guards
                and not is_module(value)
                and not (isinstance(value, types.ModuleType) and is_library_module(value))
            ):
                places.append(Place(ABSENT, items, absent_from(items, self._names), None, path))
        if self._is_whole or self._catches:  # getattr(parameter, "rate", 1.0)
            for key, tensor in self.tensors.items():
                if key not in self._objects:
                    places.append(Place(ABSENT, vars(tensor), self._names, None, "a tensor"))
        return places

    def line_of(self, path):
        """(file, line) of the code that stores into a place, or else names it; or None."""
        name = re.split(r"[.\[]", re.sub(r"(\[[^]]*\])+$", "", path))[-1]
        best = None
        for code in self._codes.values():
            line = code.co_firstlineno
            for instruction in dis.get_instructions(code):
                line = instruction.starts_line if type(instruction.starts_line) is int else line
                if instruction.argval == name:
                    if instruction.opname.startswith("STORE"):
                        return code.co_filename, line
                    best = best or (code.co_filename, line)
        return best

    def _is_followed(self, code):
        """Whether code belongs to the step: of libraries, its own one, and what is open."""
        if is_library(code):
            return False
        if code.co_filename in OPEN_FILES:
            return True
        package = installed_package(code.co_filename)
        if self._home is None:
            self._home = package
        return package in ("", self._home)

    def strayed(self, ran):
        """The first code object of the step that ran and was not reached, or None.

        Args:
            ran: id -> (code that ran, the code that called it).
        """
        if self._home is None:  # the step is of pyml, as a Trainer's, and of no package besides
            self._home = ""
        for code, _ in ran.values():
            if (
                id(code) not in self._codes
                and self._is_followed(code)
                and not is_generated(code)
                and not is_interrupting(code, ran)
            ):
                return code
        return None

    def may_call_host(self):
        """Whether the code names a function called host."""
        return "host" in self._names or any(
            "host" in reads_of(code).globals for code in self._codes.values()
        )

    def knows(self, value):
        """Whether it is an object that was reached."""
        return id(value) in self._objects

    def only_for_hosts(self):
        """Ids of objects that the step uses for nothing but calls of one method on the host."""
        found = set()
        for key, of in self._hosts.items():
            if of is not None and key in self._objects:
                name = re.split(r"[.\[]", self._objects[key][1])[-1]
                if is_only_called(name, of[1], self._codes.values()):
                    found.add(key)
        return found

    def _list(self, kind, container, key, value, name):
        at = kind, id(container), key
        if at not in self._listed:
            self._listed.add(at)
            if len(self.places) < MOST_PLACES:
                self.places.append(Place(kind, container, key, value, name))
            elif not self._is_full:
                self._is_full = True
                self._refuse(
                    name,
                    f"more than {MOST_PLACES} variables, the last is {name!r}; "
                    "pass what it needs of them as an argument",
                )

    def _list_asked(self, function, container, name):
        """What a function says of an object, if it says it twice."""
        value = function(container)
        if is_same(value, function(container)):
            self._list(ASKED, container, function, value, name)
            self._visit(value, name)

    def _refuse(self, path, what):
        self.problems.append((path, f"the step reaches {what}"))

    def _visit(self, value, path):
        """Takes up an object: what is in it whatever the names, or itself for the names."""
        if type(value) in PLAIN or id(value) in self._objects or id(value) in self._without:
            return
        if issubclass(type(value), WEAK):
            self._refuse(
                path,
                f"a weak reference ({path!r}), which is not followed; use the object itself, or "
                "pass it as an argument",
            )
            return
        if isinstance(value, Traced) or (
            isinstance(value, np.generic) and type(value) is not np.void
        ):
            return
        if isinstance(value, self._tensor):
            self.tensors[id(value)] = value
            if type(value) is not self._tensor or vars(value):  # something may be set on it
                self._objects[id(value)] = value, path
            return
        if isinstance(value, types.MethodType):  # a new object each time
            self._visit(value.__self__, path)
            self._visit(value.__func__, path)
            return
        self._objects[id(value)] = value, path
        recorded = self._unwrapped(value)
        if recorded is not None:
            self._visit(recorded, path)
            return
        if value is os.getenv:
            self._visit(os.environ, path)
        elif value is sys.modules:
            self._refuse(path, f"sys.modules ({path!r}); import the module by its name")
        elif isinstance(value, types.FunctionType):
            self._visit_function(value, path)
        elif isinstance(value, functools._lru_cache_wrapper):
            for part in gc.get_referents(value):
                self._visit(part, path)
        elif is_decorator(value):  # in C
            self._list(ATTRIBUTE, value, "__wrapped__", value.__wrapped__, path)
            self._visit(value.__wrapped__, path)
        elif isinstance(value, (functools.partialmethod, functools.singledispatchmethod)):
            for part in vars(value).values():
                self._visit(part, path)
        elif isinstance(value, functools.partial):
            for name in ("func", "args", "keywords"):
                self._list(ATTRIBUTE, value, name, getattr(value, name), joined(path, name))
                self._visit(getattr(value, name), path)
        elif isinstance(value, IN_C):
            self._visit_in_c(value, path)
        elif isinstance(value, (staticmethod, classmethod)):
            self._visit(value.__func__, path)
        elif isinstance(value, property):
            for part in (value.fget, value.fset, value.fdel):
                self._visit(part, path)
        elif isinstance(value, types.CellType):
            self._list(CELL, value, None, content(value), path)
            self._visit(content(value), path)
        elif isinstance(value, contextvars.ContextVar):
            self._list_asked(value_in_context, value, path)
        elif isinstance(value, contextvars.Context):
            self._refuse(
                path,
                f"a copy of a context ({path!r}), which is not compared; use its variables, or "
                "run the step in it: context.run(step, ...)",
            )
        elif isinstance(value, (list, tuple, collections.deque, set, frozenset)):
            self._visit_sequence(value, path)
        elif isinstance(value, (dict, types.MappingProxyType)):
            self._visit_dict(value, path)
        elif isinstance(value, VIEWS):
            self._visit(value.mapping, path)
        elif isinstance(value, BUFFERS):
            self._visit_array(value, path)
        elif is_module(value):
            self._visit_module(value, path)
        elif is_optimizer(value):
            self.optimizers[id(value)] = value
            self._names |= {"step"}  # pyml's own code calls it, too
        elif isinstance(value, random.SystemRandom):
            self._refuse(
                path,
                f"the random numbers of the system ({path!r}), which a replay "
                "would not draw anew; draw them from pyml, or outside of the step",
            )
        elif is_generator(value):
            self.generators[id(value)] = value
        elif hasattr(type(value), "__next__"):
            self._refuse(
                path,
                f"an iterator ({path or type(value).__name__!r}), which a replay "
                "would not advance; call next() outside of the step, and pass what it gives",
            )

    def _visit_in_c(self, function, path):
        """A function of C, a method of an object, or a getter made by `operator`."""
        if isinstance(function, GETTERS):
            make, parts = function.__reduce__()[:2]
            names = [*parts, *getattr(make, "args", ())]  # with keywords, `make` is a partial
            self._visit(getattr(make, "keywords", None), path)
            for each in names:
                self._visit(each, path)
                if isinstance(each, str) and not isinstance(function, operator.itemgetter):
                    self._names |= set(each.split("."))
            return
        if isinstance(function, DESCRIPTORS):
            self._names |= {function.__name__}
            return
        self._is_whole |= function.__name__ in REFLECTING
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, types.ModuleType):
            self._visit(owner, path)

    def _visit_function(self, function, path):
        code = function.__code__
        if code in self._hosts:
            return
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=False))
        if not self._is_followed(code):  # decorators among them
            self._visit(getattr(function, "__wrapped__", None), path)
            for cell in cells.values():
                if type(content(cell)).__module__ != "weakref":  # the cache of a singledispatch
                    self._visit(content(cell), path)
            return
        for inner in codes_in(code, self._hosts):
            self._codes[id(inner)] = inner
            reads = reads_of(inner)
            self._names = self._names | reads.attributes
            self._is_whole |= not REFLECTING.isdisjoint(reads.globals | reads.attributes)
            self._catches |= not ATTRIBUTE_ERRORS.isdisjoint(reads.globals)
            for name in reads.cells & cells.keys():
                value = content(cells[name])
                self._list(CELL, cells[name], name, value, name)
                self._visit(value, name)
            absent = set()
            for name in reads.globals:
                value = function.__globals__.get(name, MISSING)
                if value is MISSING:
                    absent.add(name)
                else:
                    self._list(ITEM, function.__globals__, name, value, name)
                    self._visit(value, name)
            self._visit_builtins(function, absent)
            if "type" in reads.globals:
                self.scopes[id(function.__globals__)] = function.__globals__
            for dots, name in reads.modules:
                self._visit_import(dots, name, function.__globals__)
        if "get_last_lr" in self._names:
            self._names |= {"_last_lr"}
        stored = ("__code__", "__defaults__", "__kwdefaults__")
        for name in stored if code.co_kwonlyargcount else stored[:2]:
            self._list(ATTRIBUTE, function, name, getattr(function, name), f"{path}.{name}")
        self._visit(function.__defaults__, f"a default of {function.__name__}")
        if function.__kwdefaults__:
            self._visit(function.__kwdefaults__, f"a default of {function.__name__}")
        self._visit(getattr(function, "__wrapped__", None), path)

    def _visit_import(self, dots, name, names):
        """A module that code imports when it runs; `names` are its globals."""
        package = (names.get("__package__") or "").split(".")
        full = ".".join([*package[: len(package) + 1 - dots], name]).strip(".") if dots else name
        if full in sys.modules:
            self._list(ITEM, sys.modules, full, sys.modules[full], full)
            self._visit(sys.modules[full], full)
        else:
            self._imports.append((dots, name, names))

    def _visit_builtins(self, function, names):
        """Names that are no globals, but may become some: most of them are Python's own."""
        _, known = self._absent.setdefault(id(function.__globals__), (function.__globals__, set()))
        known |= names
        for name in names & function.__builtins__.keys():
            value = function.__builtins__[name]
            if value is not BUILTINS.get(name, MISSING):
                self._list(ITEM, function.__builtins__, name, value, name)
                self._visit(value, name)

    def _is_too_long(self, values, path):
        """Whether a container has more items than can be compared; tells of it."""
        if len(values) <= MOST_PLACES:
            return False
        self._refuse(
            path,
            f"{path!r}, {len(values)} items, more than can be compared at "
            "each replay; pass what it needs of them as an argument",
        )
        return True

    def _visit_sequence(self, values, path):
        if self._is_too_long(values, path):
            return
        # what a list of a class of one's own has, not what its methods say
        items = tuple(list.__iter__(values) if isinstance(values, list) else values)
        if not isinstance(values, (tuple, frozenset)):
            self._list(SEQUENCE, values, None, items, path)
        for i, value in enumerate(items):
            self._visit(value, f"{path}[{i}]")

    def _visit_dict(self, values, path):
        if self._is_too_long(values, path):
            return
        self._list(KEYS, values, None, tuple(values), path)
        for key, value in list(values.items()):
            name = f"{path}[{key!r}]" if isinstance(key, PLAIN) else f"{path}[...]"
            self._list(ITEM, values, key, value, name)
            self._visit(key, name)
            self._visit(value, name)
        if isinstance(values, collections.defaultdict):
            name = joined(path, "default_factory")
            self._list(ATTRIBUTE, values, "default_factory", values.default_factory, name)
            self._visit(values.default_factory, name)

    def _visit_array(self, array, path):
        size = memoryview(array).nbytes if not hasattr(array, "nbytes") else array.nbytes
        if size > MOST_BYTES:
            self._refuse(
                path,
                f"{path!r}, an array of {size} bytes, more than can be compared "
                "at each replay; make a Tensor of it outside of the step (pyml.from_numpy), or "
                "pass it as an argument",
            )
        elif isinstance(array, (np.ndarray, np.void)) and array.dtype.hasobject:
            self._refuse(
                path,
                f"{path!r}, a NumPy array of objects, whose content is not compared; "
                "use a list, or pass it as an argument",
            )
        else:
            self._list(ARRAY, array, None, bytes_of(array), path)

    def _visit_module(self, module, path):
        for each in module.modules():
            self.modules[id(each)] = each
            self._objects[id(each)] = each, path
            for inside in vars(each).values():
                if isinstance(inside, self._tensor):
                    self._visit(inside, path)
            for hook in each._hooks:
                self._visit(hook.function, path)
            for variable in each._contexts:
                self._visit(variable, path)

    def _visit_attributes(self, value, path):
        """What the names in the code get of an object."""
        if isinstance(value, WITH_INTRINSICS) and not (
            isinstance(value, type) and is_library_class(value)
        ):
            for name in self._names:
                if lies_in_c(type(value), name):
                    self._list_asked(asked(name), value, joined(path, name))
        if isinstance(value, types.ModuleType):
            self._visit_named_of_module(value, path)
        elif isinstance(value, type):
            self._visit_class(value, value, path)
            self._visit_metaclass(value, path)
        elif isinstance(value, types.FunctionType) or (
            is_library_class(type(value)) and is_decorator(value)
        ):
            self._visit_named(vars(value), path)
        elif not isinstance(value, IN_C) and type(value) is not np.ndarray:
            self._visit_instance(value, path)

    def _visit_named_of_module(self, module, path):
        """What the code names of a module; of one that users wrote, perhaps by a computed name."""
        items = vars(module)
        if is_library_module(module):
            for name in self._names & items.keys():
                self._list(ITEM, items, name, items[name], joined(path, name))
                if any(items[name] is each for each in STATE) or (
                    type(items[name]) in CHANGING and len(items[name]) <= MOST_PLACES
                ):
                    self._visit(items[name], joined(path, name))
        elif self._is_whole:
            for name, value in list(items.items()):
                self._list(ITEM, items, name, value, joined(path, name))
                if name in self._names or (
                    isinstance(value, CONTAINERS) and not name.startswith("__")
                ):
                    self._visit(value, joined(path, name))
        else:
            self._visit_named(items, path)
            if "__getattr__" in items:
                self._list(ITEM, items, "__getattr__", items["__getattr__"], path)
                self._visit(items["__getattr__"], path)

    def _visit_named(self, items, path, others=frozenset()):
        """The items of an object whose names the code has, or that are among others."""
        for name in list(items) if self._is_whole else (self._names | others) & items.keys():
            self._list(ITEM, items, name, items[name], joined(path, name))
            self._visit(items[name], joined(path, name))

    def _visit_instance(self, value, path):
        cls = type(value)
        items = getattr(value, "__dict__", None)
        items = items if isinstance(items, dict) else {}
        if own_bases(cls) and not is_module(value):
            self._list(ASKED, value, lineage, cls.__mro__, path)
        if hasattr(cls, "getEffectiveLevel") and hasattr(value, "manager"):
            self._list_asked(level_of, value, path)
        if is_module(value):  # its own attributes are guarded as such
            names = list(items) if self._is_whole else (self._names | {"forward"}) & items.keys()
            for name in names:
                self._visit(items[name], joined(path, name))
        elif is_foreign(cls):
            self._visit_foreign(items, cls, path)
        elif (
            self._is_whole
            or (self._compares_namespaces and is_namespace(cls))
            or any(name in base.__dict__ for base in own_bases(cls) for name in ANSWERING)
        ):
            self._list(KEYS, items, None, tuple(items), path)
            for name, inside in list(items.items()):
                self._list(ITEM, items, name, inside, joined(path, name))
                self._visit(inside, joined(path, name))
        else:
            self._visit_named(items, path, named_by_libraries(cls))
        self._visit_foreign_slots(value, path)
        if isinstance(value, enum.Enum):
            self._list(ITEM, items, "_value_", value._value_, joined(path, "value"))
            self._visit(value._value_, joined(path, "value"))
        self._visit_class(cls, value, path)

    def _visit_foreign(self, items, cls, path):
        """Of an object of another library: what is plain in it, what is named, and its parts."""
        self._list(KEYS, items, None, tuple(items), path)
        for name, inside in list(items.items()):
            if name in self._names or self._is_part(inside, cls):
                self._list(ITEM, items, name, inside, joined(path, name))
                self._visit(inside, joined(path, name))

    def _visit_foreign_slots(self, value, path):
        """The same of what lies in slots that classes of another library have."""
        for name, cls in slots_of_libraries(type(value)):
            inside = getattr(value, name, MISSING)
            if inside is MISSING or name in self._names or self._is_part(inside, cls):
                self._list(ATTRIBUTE, value, name, inside, joined(path, name))
                if inside is not MISSING:
                    self._visit(inside, joined(path, name))

    def _is_part(self, inside, cls):
        """Whether what an object of a library's class has is plain, a user's, or that library's."""
        if isinstance(inside, (*PLAIN, *CONTAINERS, collections.deque, np.ndarray)):
            return True
        code = code_of(inside)
        if code is not None:
            return self._is_followed(code)
        root = cls.__module__.partition(".")[0]
        return (
            not is_library_class(type(inside))
            or type(inside).__module__.partition(".")[0] == root not in sys.stdlib_module_names
        )

    def _visit_class(self, cls, instance, path):
        """What a class that users wrote has under the names, and what Python calls by itself."""
        is_made = isinstance(instance, type)  # an instance may be made in the step
        before = []
        for base in own_bases(cls):  # all of them, as super() leads on
            for name, value in list(base.__dict__.items()):
                if self._hosts and any(
                    getattr(each.__dict__.get(name), "__code__", None) in self._hosts
                    for each in cls.__mro__
                ):
                    continue
                if (
                    self._is_whole
                    or name in self._names
                    or is_called_by_python(name, value, is_made)
                ):
                    self._visit_member(base, name, value, instance, path)
                    for nearer in before:
                        if name not in nearer.__dict__:
                            self._list(
                                ATTRIBUTE, nearer, name, MISSING, f"{nearer.__name__}.{name}"
                            )
            before.append(base)

    def _visit_metaclass(self, cls, path):
        """Where a class that users wrote has its attributes, beside itself."""
        meta = type(cls)
        if not own_bases(cls):
            return
        self._list_asked(asked("__mro__"), cls, cls.__name__)
        if self._is_whole:  # hasattr(cls, "late")
            self._list_asked(names_in, cls, cls.__name__)
        if "__subclasses__" in self._names:
            self._list_asked(subclasses_of, cls, cls.__name__)
        if isinstance(cls, enum.EnumMeta):
            self._visit_dict(cls._member_map_, path)
        if isinstance(cls, abc.ABCMeta):  # isinstance() asks for registered classes
            self._list(ASKED, abc, ask_for_classes, abc.get_cache_token(), "abc")
        if cls.__dict__.get("_is_protocol"):  # and whether an object has these attributes
            self._names |= attributes_of_protocol(cls)
        self._visit_class(meta, cls, path)

    def _visit_member(self, base, name, value, instance, path):
        self._list(ATTRIBUTE, base, name, value, f"{base.__name__}.{name}")
        if isinstance(value, types.MemberDescriptorType) and not isinstance(instance, type):
            inside = getattr(instance, name, MISSING)  # a slot
            self._list(ATTRIBUTE, instance, name, inside, joined(path, name))
            value = inside
        if value is not MISSING:
            self._visit(value, joined(path, name))
