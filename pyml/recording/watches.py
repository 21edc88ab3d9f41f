"""What a function depends on beside its arguments: as far as its code names it.

A recorded step does not run its Python again, so it would not see that a name means something else
now: another optimizer, another factor. `watches_of` lists where a function finds what it uses, and
what was there: in its globals and closure, and in what hangs on them by names of its code.
"""

import collections
import functools
import os
import sys
import types

__all__ = [
    "ATTRIBUTE",
    "CELL",
    "ITEM",
    "SEQUENCE",
    "is_library",
    "watches_of",
    "watches_of_module",
]

CELL, ITEM, SEQUENCE, ATTRIBUTE = range(4)  # where a watch looks: a closure's cell, a dict, a list,
# an attribute of a class or a function

DEPTH = 4  # functions that call functions, objects that hold objects
LONGEST = 64  # elements of a list or dict that are watched one by one
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
OPAQUE = (str, bytes, int, float, complex, bool, type(None))


def watches_of(function, known, objects=()):
    """What `function` depends on.

    Args:
        function: a Python function or method.
        known: a function of an object: True for one that needs no look inside.
        objects: arguments of a call, whose attributes the code may name.

    Returns:
        (where, container, key, value) for each name: `value` is what the container held.
    """
    found, seen = [], {}
    _look_at(function, frozenset(), found, seen, known, DEPTH)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    for value in objects if code is not None else ():
        _look_at(value, _names(code), found, seen, known, DEPTH)
    return _distinct(found)


def watches_of_module(module, known):
    """The same for the forward() of a module that users wrote, and for what its attributes hold."""
    found, seen = [], {}
    forward = getattr(type(module), "forward", None)
    if not isinstance(forward, types.FunctionType) or _is_ours(type(module)):
        return found
    _look_at_class_attribute(type(module), "forward", module, found, seen, known, DEPTH)
    names = set()
    for base in type(module).__mro__:  # forward may call all of them
        if not _is_ours(base) and base is not object:
            for member in base.__dict__.values():
                if isinstance(member, types.FunctionType):
                    names |= _names(member.__code__)
    for value in module.__dict__.values():
        _look_at(value, names, found, seen, known, DEPTH - 1)
    for name in names:  # methods, and attributes of the class
        _look_at_class_attribute(type(module), name, module, found, seen, known, DEPTH)
    return _distinct(found)


def _distinct(found):
    """Each place once."""
    return list(
        {
            (kind, id(place), key): (kind, place, key, value) for kind, place, key, value in found
        }.values()
    )


def _is_ours(cls):
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _look_at(value, names, found, seen, known, depth):
    """Adds what is inside of `value`; `names` are the attributes that the code uses."""
    if depth == 0 or isinstance(value, OPAQUE) or known(value):
        return
    if isinstance(value, types.MethodType):  # a new object each time, so it is not in `seen`
        function = value.__func__
        if isinstance(function, types.FunctionType):
            _look_at(value.__self__, names | _names(function.__code__), found, seen, known, depth)
            _look_at(function, names, found, seen, known, depth)
        return
    names_before, depth_before, _ = seen.get(id(value), (frozenset(), 0, None))
    names = frozenset(names) | names_before
    if depth <= depth_before and names == names_before:
        return
    seen[id(value)] = names, max(depth, depth_before), value  # alive, so that its id is its own
    if isinstance(value, types.ModuleType):
        if not is_library_module(value):
            _look_at_items(vars(value), names, names, found, seen, known, depth)
    elif isinstance(value, functools.partial):
        code = getattr(value.func, "__code__", None)
        names = names | (_names(code) if code is not None else set())
        for part in (value.func, value.args, value.keywords):
            _look_at(part, names, found, seen, known, depth - 1)
    elif isinstance(value, types.FunctionType):
        _look_at_function(value, found, seen, known, depth)
    elif isinstance(value, type):
        for name in names:
            _look_at_class_attribute(value, name, value, found, seen, known, depth)
    elif isinstance(value, (list, tuple, collections.deque)):
        _look_at_sequence(value, names, found, seen, known, depth)
    else:
        _look_at_attributes(value, names, found, seen, known, depth)


def _look_at_function(function, found, seen, known, depth):
    if is_library(function.__code__):
        return
    names = _names(function.__code__)
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        found.append((CELL, cell, None, value))
        _look_at(value, names, found, seen, known, depth - 1)
    for name in names:
        if name in function.__globals__:
            value = function.__globals__[name]
            found.append((ITEM, function.__globals__, name, value))
            _look_at(value, names, found, seen, known, depth - 1)
    found.append((ATTRIBUTE, function, "__code__", function.__code__))
    found.append((ATTRIBUTE, function, "__defaults__", function.__defaults__))
    for name, value in (function.__kwdefaults__ or {}).items():
        found.append((ITEM, function.__kwdefaults__, name, value))
        _look_at(value, names, found, seen, known, depth - 1)
    for value in function.__defaults__ or ():
        _look_at(value, names, found, seen, known, depth - 1)


def _look_at_sequence(values, names, found, seen, known, depth):
    if len(values) > LONGEST:
        return
    if not isinstance(values, tuple):
        found.append((SEQUENCE, values, None, tuple(values)))
    for value in values:
        _look_at(value, names, found, seen, known, depth - 1)


def _look_at_attributes(value, names, found, seen, known, depth):
    """A dict's items, or the attributes of an object that the code names."""
    if isinstance(value, dict):
        items = value if len(value) <= LONGEST else {}
    else:
        items = getattr(value, "__dict__", None)
        items = items if isinstance(items, dict) else {}
        _, call = _in_class(type(value), "__call__")
        if isinstance(call, types.FunctionType):
            names = names | _names(call.__code__) | {"__call__"}
    _look_at_items(
        items, items if isinstance(value, dict) else names, names, found, seen, known, depth
    )
    for name in names:
        _look_at_class_attribute(type(value), name, value, found, seen, known, depth)


def _look_at_items(items, wanted, names, found, seen, known, depth):
    """Watches the items whose name is wanted; `names` are the attributes that the code uses."""
    for name, item in list(items.items()):
        if name in wanted:
            found.append((ITEM, items, name, item))
            _look_at(item, names, found, seen, known, depth - 1)


def _look_at_class_attribute(cls, name, instance, found, seen, known, depth):
    """What a class that users wrote has under a name: a method is looked into, a value watched."""
    for base in cls.__mro__:  # all of them, as super() leads on
        if name in base.__dict__ and not _is_ours(base) and base.__module__ != "builtins":
            _look_at_member(base, name, instance, found, seen, known, depth)


def _look_at_member(base, name, instance, found, seen, known, depth):
    value = base.__dict__[name]
    found.append((ATTRIBUTE, base, name, value))
    if isinstance(value, types.MemberDescriptorType) and not isinstance(instance, type):  # a slot
        found.append((ATTRIBUTE, instance, name, getattr(instance, name, None)))
        value = getattr(instance, name, None)
    elif isinstance(value, property):
        value = value.fget.__get__(instance) if value.fget is not None else None
    elif isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    elif isinstance(value, types.FunctionType) and not isinstance(instance, type):
        value = value.__get__(instance)
    _look_at(value, frozenset(), found, seen, known, depth - 1)


def _in_class(cls, name):
    """(class, value): where a class has a name from, and what; (None, None) if it has not."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base, base.__dict__[name]
    return None, None


def is_library(code):
    """Whether code is of pyml or the standard library: what they do does not change."""
    path = code.co_filename
    return path.startswith(PACKAGE) or (
        path.startswith(STANDARD_LIBRARY) and "site-packages" not in path
    )


def is_library_module(module):
    """Whether a module belongs to Python or to installed software."""
    path = getattr(module, "__file__", None)
    if path is None:
        return module.__name__ in sys.builtin_module_names
    return path.startswith((PACKAGE, STANDARD_LIBRARY)) or "site-packages" in path


def _names(code):
    """The globals and attributes that a code object and those inside it name."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names
