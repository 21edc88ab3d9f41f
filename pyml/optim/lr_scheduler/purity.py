"""Whether a user's function of the epoch can be called again for an epoch, by recorded steps.

A run of recorded steps asks schedules for the rates of coming steps, and takes that back where it
ends early: a function that counts its calls, or draws a random number, would then give other rates
than Python's loop has. So a step is recorded only if all that the function can reach is seen to be
numbers, and what Python and math compute of them.
"""

import bisect
import builtins
import dis
import functools
import inspect
import math
from types import CodeType, FunctionType, ModuleType

from pyml.recording.code import GENERATORS

__all__ = ["impurity"]

BUILTINS = [
    getattr(builtins, name)
    for name in (
        *("abs", "all", "any", "bool", "divmod", "enumerate", "float", "int", "isinstance", "len"),
        *("list", "max", "min", "pow", "range", "reversed", "round", "sorted", "sum", "tuple"),
        "zip",
    )
]
SEARCHES = ("bisect", "bisect_left", "bisect_right")
OF_MATH = {name: value for name, value in vars(math).items() if not name.startswith("_")}
FUNCTIONS = {
    id(each)
    for each in (*BUILTINS, *OF_MATH.values(), *(getattr(bisect, name) for name in SEARCHES))
    if callable(each)
}
# of math, bisect, numbers, lists, tuples and dicts: none changes what it is of
ATTRIBUTES = {*OF_MATH, *SEARCHES, "bit_length", "count", "get", "index", "items", "keys", "values"}
CHANGES = {
    *("STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR", "STORE_SLICE", "STORE_NAME"),
    *("DELETE_GLOBAL", "DELETE_ATTR", "DELETE_SUBSCR", "DELETE_DEREF", "DELETE_NAME"),
}


def impurity(function):
    """What a function does that numbers, math and Python's arithmetic do not; None if nothing.

    Args:
        function: a function, a functools.partial, a function of math, or an object with __call__.

    Returns:
        The end of a sentence that begins with the function, or None.
    """
    return _Reading().function(function)


class _Reading:
    """One look at a function and at all that it calls."""

    def __init__(self):
        self.seen = set()
        self.lists = False  # it can reach a list or dict
        self.in_place = False  # it has a += or the like, which would change that

    def function(self, function):
        return self._of(function) or (
            "has a list and an assignment like +=" if self.lists and self.in_place else None
        )

    def _of(self, function):
        if id(function) in FUNCTIONS or id(function) in self.seen:
            return None
        self.seen.add(id(function))
        if isinstance(function, functools.partial):
            given = (*function.args, *function.keywords.values())
            return self._of(function.func) or self._values(given)
        if isinstance(function, FunctionType):
            return self._written(function, set())
        call = inspect.getattr_static(type(function), "__call__", None)
        if isinstance(call, FunctionType) and isinstance(getattr(function, "__dict__", None), dict):
            own = vars(function)
            return self._values(own.values()) or self._written(call, set(own))
        return f"is a {type(function).__name__}, whose code is not looked into"

    def _values(self, values):
        for value in values:
            if why := self._value(value, "a value"):
                return why
        return None

    def _value(self, value, name):
        if type(value) in (int, float, bool, complex, str, type(None), range):
            return None
        if type(value) in (list, tuple, dict):
            self.lists |= type(value) is not tuple
            if id(value) in self.seen:
                return None
            self.seen.add(id(value))
            items = [*value, *value.values()] if type(value) is dict else value
            return self._values(items)
        if value is math or value is bisect or id(value) in FUNCTIONS:
            return None
        if isinstance(value, (FunctionType, functools.partial)):
            return self._of(value)
        what = value.__name__ if isinstance(value, ModuleType) else f"a {type(value).__name__}"
        return f"uses {name}, {what}"

    def _written(self, function, own):
        """Of a function written in Python; `own`: the attributes that its object has."""
        code = function.__code__
        if code.co_flags & GENERATORS:
            return "is a generator"
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        given = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        return self._values(given) or self._code(code, function.__globals__, cells, own)

    def _code(self, code, names, cells, own):
        for each in dis.get_instructions(code):
            why, name = None, each.argval
            if each.opname in CHANGES or (each.opname == "STORE_DEREF" and name in cells):
                why = "changes what is kept behind the call"
            elif each.opname.startswith("IMPORT"):
                why = "imports a module"
            elif each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                if name in names or hasattr(builtins, name):
                    value = names[name] if name in names else getattr(builtins, name)
                    why = self._value(value, name)
            elif "DEREF" in each.opname and name in cells:
                try:
                    why = self._value(cells[name].cell_contents, name)
                except ValueError:  # nothing is in it yet: the call raises
                    why = None
            elif each.opname.startswith(("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER")):
                if name not in ATTRIBUTES and name not in own:
                    why = f"uses the attribute {name}"
            elif each.opname.startswith("INPLACE") or (
                each.argrepr.endswith("=") and (each.opname == "BINARY_OP")
            ):
                self.in_place = True
            if why:
                return why
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                of_inner = {name: cell for name, cell in cells.items() if name in inner.co_freevars}
                if why := self._code(inner, names, of_inner, own):
                    return why
        return None
