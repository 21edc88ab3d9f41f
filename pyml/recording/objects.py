"""What objects are to a recording: whose class they have, what runs of it, what can be asked."""

import abc
import functools
import random
import sys
import types
import typing

import numpy as np

from pyml.attributes import Size
from pyml.recording.code import is_library_class, reads_of

PLAIN = (str, bytes, int, float, complex, bool, type(None), range, slice, types.CodeType)
NAMESPACES = (("types", "SimpleNamespace"), ("argparse", "Namespace"))
DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
# methods of modules and of autograd.Function
CALLED_BY_PYML = ("forward", "backward", "setup_context", "vjp")
MAKING = ("__init__", "__new__", "__post_init__")
# methods that a step does not run to compute something
SILENT = (
    "__repr__",
    "__str__",
    "__format__",
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__annotate__",  # of Python 3.14, which names what is annotated
    "__annotate_func__",
)
MISSING = object()


def is_module(value):
    """A Module of pyml.nn, which is above this."""
    return "_registered" in getattr(value, "__dict__", ())


def is_called_by_python(name, value, is_made):
    """Whether a method runs without being named; with is_made also those that make an object."""
    value = getattr(value, "__func__", value)  # __class_getitem__ is a class method
    return (
        isinstance(value, types.FunctionType)
        and (name in CALLED_BY_PYML or name == "keys" or name[:2] == name[-2:] == "__")
        and name not in SILENT
        and (
            is_made or (name not in MAKING and value.__code__.co_filename != "<string>")
        )  # of a dataclass
    )


def attributes_of_protocol(cls):
    """What objects must have to be of a class of typing.Protocol."""
    if hasattr(cls, "__protocol_attrs__"):  # from Python 3.12 on
        return set(cls.__protocol_attrs__)
    return {
        name
        for base in own_bases(cls)
        for name in (*vars(base).get("__annotations__", ()), *vars(base))
        if name not in vars(typing.Protocol) and not name.startswith("_abc")
    }


def lies_in_c(cls, name):
    """Whether the objects of a class have an attribute that is not in their __dict__."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return isinstance(base.__dict__[name], DESCRIPTORS)
    return False


@functools.cache
def asked(name):
    """One function for each attribute: it is part of what names a place."""
    return lambda value: getattr(value, name, MISSING)


def lineage(value):
    """Its class, and where that looks for attributes: another tuple when one of both changes."""
    return type(value).__mro__


def names_in(cls):
    return tuple(cls.__dict__)


def subclasses_of(cls):
    return tuple(type.__subclasses__(cls))


def ask_for_classes(_):
    """It changes when a class is registered with an abstract one."""
    return abc.get_cache_token()


def level_of(logger):
    """Which may be that of a logger above it."""
    return logger.getEffectiveLevel(), logger.manager.disable


def value_in_context(variable):
    """Of this thread or task; MISSING for one that was not set."""
    try:
        return variable.get()
    except LookupError:
        return MISSING


def is_same(value, other):
    return value is other or (type(value) in (*PLAIN, tuple, Size) and value == other)


def is_decorator(value):
    """Whether an object that is called stands for another."""
    return callable(value) and "__wrapped__" in getattr(value, "__dict__", ())


@functools.lru_cache(maxsize=10_000)
def named_by_libraries(cls):
    """The attributes that methods read which a class has of another library: `data` of UserDict."""
    names = set()
    for base in cls.__mro__:
        for value in vars(base).values() if is_foreign(base) else ():
            if isinstance(value, types.FunctionType):
                names |= reads_of(value.__code__).attributes
    return frozenset(names)


@functools.lru_cache(maxsize=10_000)
def slots_of_libraries(cls):
    """(name, class) of the slots that an object has by classes of other libraries, and of what a
    proxy in C stands for. Not those of Python's own classes: they change by being read."""
    return tuple(
        (name, base)
        for base in cls.__mro__
        for name, value in vars(base).items()
        if (
            isinstance(value, types.MemberDescriptorType)
            and is_foreign(base)
            and base.__module__.partition(".")[0] not in sys.stdlib_module_names
        )
        or (name == "__wrapped__" and isinstance(value, DESCRIPTORS))
    )


def own_bases(cls):
    """The classes in the order in which attributes are looked for, without those of libraries."""
    return [base for base in cls.__mro__ if base is not object and not is_library_class(base)]


def is_foreign(cls):
    """Whether objects of a class are of another library, and more than their attributes."""
    return (
        is_library_class(cls)
        and cls.__module__.partition(".")[0] not in ("builtins", "pyml")
        and (cls.__module__, cls.__name__) not in NAMESPACES
    )


def is_namespace(cls):
    """Whether it is argparse's: all that an object has are attributes, which methods read."""
    return any((b.__module__, b.__name__) == ("argparse", "Namespace") for b in cls.__mro__)


def is_optimizer(value):
    """An Optimizer of pyml.optim, which is above this."""
    return "param_groups" in getattr(value, "__dict__", ())


def is_generator(value):
    """Of random numbers: Python's or NumPy's."""
    return isinstance(value, random.Random) or type(value).__module__.startswith("numpy.random")


def joined(path, name):
    return f"{path}.{name}" if path else name


def content(cell):
    """None for a cell that is not assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def bytes_of(array):
    """The form of an array, and its content."""
    if isinstance(array, np.ndarray):
        writable = array.flags.writeable
        return array.dtype, array.shape, array.strides, writable, array.tobytes()
    if isinstance(array, np.void):
        return array.dtype, array.tobytes()
    view = memoryview(array)
    return view.format, view.shape, view.tobytes()
