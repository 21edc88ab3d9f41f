"""Whether a value is of a type, as the stubs write it and a type checker would hold it.

Types are read as trees: pyml's generic classes take no [] when they run. Of what is open in a type,
such as the arguments of a function, every value is.
"""

import ast
import builtins
import collections.abc
import contextlib
import enum
import functools
import io
import operator
import os
import types
import typing
from pathlib import Path

import numpy as np

from pyml import _types

TREE = ast.parse(Path(_types.__file__).read_text())
ALIASES = {node.target.id: node.value for node in TREE.body if isinstance(node, ast.AnnAssign)}
OPEN = {"Any", "NoReturn", "Self", "object"}
KINDS = {"float": (int, float), "IO": io.IOBase, "NDArray": np.ndarray, "TypeGuard": bool}
PLACES = (builtins, collections.abc, typing, types, contextlib, enum, os, _types)
SIZED = (list, tuple, set, frozenset, dict, range)  # whose items are looked at


@functools.cache
def parsed(text):
    return ast.parse(text, mode="eval").body


def fits(value, kind, classes):
    """Whether a value is of a type.

    Args:
        kind: the type, a tree or its text.
        classes: a function of a name in a stub, which gives pyml's class; for one that pyml exports
            nowhere the names of its attributes; else None.
    """
    tree = parsed(kind) if isinstance(kind, str) else kind
    if isinstance(tree, ast.Constant):
        return value is tree.value
    if isinstance(tree, ast.BinOp):
        return fits(value, tree.left, classes) or fits(value, tree.right, classes)
    if isinstance(tree, ast.Subscript):
        parts = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        return fits_parts(value, plain(tree.value), parts, classes)
    return fits_name(value, plain(tree), classes)


def plain(name):
    """A name, of a builtin without the `_` that it has where a stub has that name itself."""
    text = ast.unparse(name)
    return text[1:] if text[0] == "_" and hasattr(builtins, text[1:]) else text


def fits_name(value, name, classes):
    known = classes(name)
    if isinstance(known, type):
        return isinstance(value, known)
    if known is not None:
        return all(hasattr(value, attribute) for attribute in known)
    if name in ALIASES:
        return fits(value, ALIASES[name], classes)
    if name == "ArrayLike":
        return is_array_like(value)
    if name == "Callable":
        return callable(value)
    return is_open(name) or isinstance(value, KINDS.get(name) or class_of(name))


def is_open(name):
    variable = getattr(_types, name.partition(".")[0], None)
    return name in OPEN or isinstance(variable, (typing.TypeVar, typing.ParamSpec))


def class_of(name):
    if name.startswith("np."):
        return operator.attrgetter(name[3:])(np)
    return next(getattr(place, name) for place in PLACES if hasattr(place, name))


def fits_parts(value, name, parts, classes):
    """Whether a value is of a type with parts, as Sequence[int]."""
    if name == "Literal":
        return any(type(value) is type(p.value) and value == p.value for p in parts)
    if not fits_name(value, name, classes):
        return False
    if name == "type":
        known = classes(ast.unparse(parts[0]))
        return known is None or issubclass(value, known)
    if not isinstance(value, SIZED) or name == "Callable" or classes(name):
        return True
    if name == "tuple" and not (parts and ast.unparse(parts[-1]) == "..."):
        return len(value) == len(parts) and all(
            fits(v, part, classes) for v, part in zip(value, parts, strict=True)
        )
    columns = zip(*value.items(), strict=True) if isinstance(value, dict) else [value]
    pairs = ((v, part) for c, part in zip(columns, parts, strict=False) for v in c)
    return all(fits(v, part, classes) for v, part in pairs)


def is_array_like(value):
    """Whether it is a number, text, what NumPy asks for an array, or a sequence of these."""
    if isinstance(value, (int, float, complex, str, bytes, np.generic, memoryview)):
        return True
    is_sequence = isinstance(value, collections.abc.Sequence)
    return hasattr(value, "__array__") or (is_sequence and all(map(is_array_like, value)))
