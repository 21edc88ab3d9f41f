"""Everything public of pyml that can be called, found by looking, so that what is new is attacked.

Public is what a package or a module with an __all__ exports, and what their classes have.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import EnumMeta
from functools import cache

import numpy as np

import pyml
from pyml.hooks import HookHandle

# not for callers (pyml.ops lies below all checks; its public names are pyml's), or no function
INTERNAL = (
    "pyml.ops",
    "pyml.tensor.Version",
    *("pyml.autograd.hessian", "pyml.autograd.lanczos", "pyml.nn.members", "pyml.optim.whole"),
    *("pyml.distributed.exchange", "pyml.distributed.leaving", "pyml.distributed.together"),
    "pyml.distributed.tree",
    *("pyml.export.table", "pyml.train.crew", "pyml.train.jobs"),
    "pyml.__main__",
    "pyml.cli",
    "pyml.as_torch",
    "pyml.left_out",
    "pyml.stand_ins",
    "pyml._",
    "pyml.recording.",
)
ALSO = ("pyml.memory",)  # of Cython, without an __all__, and documented
RETURNED = (HookHandle,)  # classes of what calls return, which no module exports
OF_PYTHON = {  # special names of a class that are no methods of its objects
    *("__new__", "__init_subclass__", "__subclasshook__", "__class_getitem__", "__getattribute__"),
    *("__dict__", "__weakref__", "__module__", "__doc__", "__pyx_vtable__", "__class__", "__del__"),
    *("__reduce_cython__", "__setstate_cython__", "__array_priority__", "__annotations__"),
}


@dataclass(frozen=True)
class Target:
    """Something to call. A method is called on an instance of one of `classes`."""

    name: str
    function: Callable
    classes: tuple = ()

    def __repr__(self):
        return self.name


def modules():
    for found in pkgutil.walk_packages(pyml.__path__, "pyml."):
        if found.name in ALSO or not found.name.startswith(INTERNAL):
            module = importlib.import_module(found.name)
            if found.ispkg or hasattr(module, "__all__") or found.name in ALSO:
                yield module
    yield pyml


def exported(module):
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name in vars(module) if name[0] != "_"]
    lazy = ("load", "save", "load_checkpoint", "save_checkpoint") if module is pyml else ()
    return {name: getattr(module, name) for name in (*names, *lazy) if hasattr(module, name)}


def one_of(values, rng):
    """One of a tuple of targets or classes, drawn by their names.

    Each has a number for this draw, of its name alone, and the smallest wins: what comes or goes
    beside it, in another version of pyml or without an extra, moves no case that is not its own.
    """
    numbers = _numbers(values) ^ rng.integers(2**64, dtype=np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):  # MurmurHash3's fmix64
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return values[int(np.argmin(numbers))]


@cache
def _numbers(values):
    names = [f"{v.__module__}.{v.__qualname__}" if isinstance(v, type) else v.name for v in values]
    digests = [hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


@cache
def targets():
    """All targets, sorted by name."""
    functions, classes = {}, {}
    for module in modules():
        for name, value in exported(module).items():
            if not str(getattr(value, "__module__", "")).startswith("pyml"):
                continue
            if isinstance(value, type):
                classes.setdefault(value, f"{value.__module__}.{value.__name__}")
            elif callable(value):
                functions.setdefault(value, f"{module.__name__}.{name}")
    classes |= {cls: f"{cls.__module__}.{cls.__name__}" for cls in RETURNED}
    found = [
        Target(name, function)
        for function, name in (*functions.items(), *classes.items())
        if not isinstance(function, EnumMeta)  # whose call is Python's: it makes other classes
    ]
    for cls, name in classes.items():
        found += methods(cls, name, tuple(classes))
    return tuple(sorted(found, key=lambda target: target.name))


def methods(cls, name, classes):
    """Targets for what `cls` has that no exported base of it has."""
    inherited = [base for base in cls.__mro__[1:] if base in classes]
    family = [c for c in classes if issubclass(c, cls)]
    for attribute in dir(cls):
        special = attribute.startswith("__") and attribute not in OF_PYTHON
        if attribute.startswith("_") and not special:
            continue
        value = getattr(cls, attribute, None)
        owner = owner_of(attribute, cls)
        if (
            owner is None
            or not owner.__module__.startswith("pyml")
            or any(getattr(base, attribute, None) is value for base in inherited)
        ):
            continue
        heirs = tuple(
            c for c in family if owner_of(attribute, c) is owner
        )  # the others have theirs
        if callable(value):
            yield Target(f"{name}.{attribute}", value, heirs)
        elif not issubclass(cls, tuple):
            yield Target(f"{name}.{attribute} (get)", _getter(attribute), heirs)
            if getattr(value, "__set__", None) is not None:
                yield Target(f"{name}.{attribute} (set)", _setter(attribute), heirs)


def owner_of(attribute, cls):
    return next((c for c in cls.__mro__ if attribute in vars(c)), None)


def _getter(attribute):
    def get(self):
        return getattr(self, attribute)

    return get


def _setter(attribute):
    def set(self, value=NO_VALUE):
        if value is NO_VALUE:
            delattr(self, attribute)
        else:
            setattr(self, attribute, value)

    return set


NO_VALUE = object()
