"""What code names, whose it is, and when it runs: read off code objects."""

import dis
import functools
import gc
import inspect
import os
import signal
import sys
import types
import weakref
from typing import NamedTuple

import numpy as np

KINDS = {  # of the instructions that read or store a name
    "LOAD_DEREF": "DEREF",
    "LOAD_CLASSDEREF": "DEREF",
    "LOAD_FROM_DICT_OR_DEREF": "DEREF",
    "LOAD_GLOBAL": "GLOBAL",
    "LOAD_NAME": "GLOBAL",
    "LOAD_FROM_DICT_OR_GLOBALS": "GLOBAL",
    "LOAD_ATTR": "ATTR",
    "LOAD_METHOD": "ATTR",
    "LOAD_SUPER_ATTR": "ATTR",
    "LOAD_SUPER_METHOD": "ATTR",
    "STORE_ATTR": "ATTR",  # what is stored and not read is to be stored by a replay, too
    "STORE_DEREF": "DEREF",
    "STORE_GLOBAL": "GLOBAL",
    "IMPORT_FROM": "ATTR",
    "IMPORT_NAME": "IMPORT",
}
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
NUMPY = os.path.dirname(np.__file__) + os.sep
INSTALLED = ("site-packages" + os.sep, "dist-packages" + os.sep)
# of pyml, but looked into as a user's code is: what they read of options and state may change
OPEN_MODULES = ("pyml.optim.composite", "pyml.optim.adafactor", "pyml.optim.muon")
OPEN_FILES = tuple(
    PACKAGE + f"{name.partition('.')[2].replace('.', os.sep)}.py" for name in OPEN_MODULES
)
GENERATORS = (
    inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
)  # flags of code


class Reads(NamedTuple):
    """The names that a code object reads, without those of functions inside it."""

    cells: frozenset
    globals: frozenset
    attributes: frozenset
    modules: frozenset  # that it imports: (the dots before it, its name)


_reads = {}


def reads_of(code):
    """The names of a code object, which are kept: to read its instructions takes a while."""
    found = _reads.get(code)
    if found is None:
        if len(_reads) > 10_000:
            _reads.clear()
        found = _reads[code] = read(code)
    return found


def read(code):
    found = {"DEREF": set(), "GLOBAL": set(), "ATTR": set(), "IMPORT": set()}
    constants = [0, None]  # the last two before an import are its dots, and the names it takes
    for instruction in dis.get_instructions(code):
        kind = KINDS.get(instruction.opname)
        if kind == "IMPORT":
            found[kind].add((constants[-2], instruction.argval))
        elif kind is not None:
            found[kind].add(instruction.argval)
        elif instruction.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            constants.append(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.isidentifier():
            found["ATTR"].add(constant)  # getattr(self, "t", 0)
    return Reads(*map(frozenset, found.values()))


def absent_from(items, names):
    """Of names those that a dict lacks. It may get others meanwhile, from another thread."""
    return frozenset(name for name in names if name not in items)


def is_generated(code):
    """Whether code is a method of a dataclass, a named tuple or a class of attrs."""
    return code.co_filename.startswith(("<string>", "<attrs ")) and (
        code.co_name[:2] == "__" or code.co_varnames[:1] == ("_cls",)
    )


def is_interrupting(code, ran):
    """Whether code runs at any line of any other: for a signal, or when an object goes."""
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    interrupting = [
        code_of(called)
        for each in (*handlers, *gc.callbacks)
        for called in (each, type(each).__call__)
    ]
    passed = set()
    while code is not None and id(code) not in passed:
        passed.add(id(code))
        if (
            code.co_name == "__del__"
            or code.co_filename == weakref.__file__
            or any(code is each for each in interrupting)
        ):
            return True
        _, code = ran.get(id(code), (None, None))
    return False


def code_of(function):
    """The code of a function, a method, or what a partial calls; None for what is not Python."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(getattr(function, "__func__", function), "__code__", None)


def described(code):
    """Code, for a message."""
    return f"{code.co_name!r} ({code.co_filename}:{code.co_firstlineno})"


def of_function(function, before):
    """A function, for a message, after the word `before`; "" if it has no code of Python."""
    code = code_of(function)
    return "" if code is None else f"{before}{described(code)}"


def codes_in(code, without=()):
    """A code object and those inside it."""
    if code not in without:
        yield code
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                yield from codes_in(constant, without)


def is_only_called(name, method, codes):
    """Whether code uses what has a name for nothing but one of its methods."""
    for code in codes:
        is_loaded = False
        for instruction in dis.get_instructions(code):
            kind = KINDS.get(instruction.opname)
            if is_loaded and not (kind == "ATTR" and instruction.argval == method):
                return False
            is_loaded = kind is not None and instruction.argval == name
    return True


def is_library(code):
    """Whether code is of pyml or the standard library: what they do does not change."""
    return is_library_file(code.co_filename)


@functools.lru_cache(maxsize=10_000)
def is_library_file(path):
    if path in OPEN_FILES:
        return False
    return path.startswith(PACKAGE) or (
        path.startswith((STANDARD_LIBRARY, "<frozen ")) and not installed_package(path)
    )


def installed_package(path):
    """The package that a file is of: where pip or Debian puts it, NumPy anywhere; else ""."""
    if path.startswith(NUMPY):
        return "numpy"
    for folder in INSTALLED:
        _, found, inside = path.partition(folder)
        if found:
            return inside.partition(os.sep)[0]
    return ""


@functools.lru_cache(maxsize=10_000)
def is_installed(path):
    return path.startswith((PACKAGE, STANDARD_LIBRARY, "<frozen ")) or installed_package(path) != ""


def is_library_module(module):
    """Whether a module belongs to Python or to installed software; __main__ does not."""
    if module.__name__ == "__main__":
        return False
    path = vars(module).get("__file__")  # not by a __getattr__ that it has
    return module.__name__ in sys.builtin_module_names if path is None else is_installed(path)


@functools.lru_cache(maxsize=10_000)
def is_library_class(cls):
    """Whether a class is pyml's, Python's own, or of installed software."""
    if cls.__module__ in OPEN_MODULES:
        return False
    root = cls.__module__.partition(".")[0]
    if root == "pyml" or root in sys.stdlib_module_names:
        return root != "__main__"
    if root == "__main__":
        return False
    module = sys.modules.get(cls.__module__)
    return module is not None and is_library_module(module)
