"""Writes the stubs: what type checkers and editors read of pyml, a .pyi beside each public module.

    python docs/stubs.py            writes them
    python docs/stubs.py --test     holds them to pyml by mypy's stubtest

Names, arguments and their defaults are looked up in pyml, as they are: methods that a table gives,
modules of Cython, functions that a function made. Their types are the annotations, where there are
any, else the rows of stub_rows.py, of which most are of a name wherever it stands: `input` is a
Tensor. A name without a type is an error, so what is new is typed or refused.
"""

import ast
import builtins
import enum
import functools
import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import BuiltinFunctionType, GenericAlias, ModuleType

import pyml
from pyml.distributions import Distribution
from pyml.nn.activation import Elementwise

sys.path.insert(0, str(Path(__file__).parent))

import stub_rows as rows
import stub_values

ROOT = Path(__file__).parent.parent
EMPTY = inspect.Parameter.empty
TYPING = ("Any", "ClassVar", "Generic", "Literal", "NamedTuple", "NoReturn", "overload")
COLLECTIONS = (
    *("Callable", "Hashable", "ItemsView", "Iterable", "Iterator", "KeysView", "Mapping"),
    *("MutableMapping", "Sequence", "ValuesView"),
)
BUILTIN = {"bool", "float", "int", "type", "list", "dict", "set", "str", "bytes", "tuple"}
BUILTIN |= {"property", "classmethod", "staticmethod", "object", "slice", "range", "complex"}
RENAMED = {"dtype", "device"}  # classes that are also names of properties
TENSOR = set(dir(pyml.Tensor)) - {"__new__", "__init__", "__deepcopy__"}
SETTABLE = {"Tensor": {"data", "grad", "requires_grad"}}  # of C: Python cannot tell


# ---- what is public ------------------------------------------------------------------------------


def module_of(name):
    return importlib.import_module("pyml" if name == "pyml" else f"pyml.{name}")


def public(module):
    """{name: value} of what a module shows."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name in dir(module) if name[0] != "_"]
    shown = {name: getattr(module, name) for name in sorted({*names})}
    if module is pyml:
        shown |= {name: getattr(pyml, name) for names in pyml._LATER.values() for name in names}
        shown |= {name: importlib.import_module(f"pyml.{name}") for name in sorted(pyml._MODULES)}
        shown["__version__"] = pyml.__version__
    return {
        name: value
        for name, value in shown.items()
        if not (isinstance(value, ModuleType) and not value.__name__.startswith("pyml."))
        and ((names is not None and hasattr(module, "__all__")) or is_own(value, module))
    }


def is_own(value, module):
    """Whether a name of a module without __all__ is its own, not one that it imported."""
    return getattr(value, "__module__", module.__name__) == module.__name__


@functools.cache
def homes():
    """{class: (module, name)} of the stub that defines it: the first that has it."""
    found = {}
    for module in rows.MODULES:
        for name, value in public(module_of(module)).items():
            if isinstance(value, type):
                at_home = name == value.__name__
                if value not in found or (at_home and found[value][1] != value.__name__):
                    found.setdefault(value, (module, name))
    return found


@functools.cache
def functions():
    """{id: (module, name)} of the stub that defines a function: as homes()."""
    found = {}
    for module in rows.MODULES:
        for name, value in ordered(public(module_of(module))):
            if callable(value) and not isinstance(value, type):
                found.setdefault(id(value), (module, name))
    return found


def ordered(names):
    """The names, those before the others by which the values call themselves."""
    return sorted(names.items(), key=lambda item: item[0] != getattr(item[1], "__name__", item[0]))


@functools.cache
def class_names():
    """{name: {modules}} of the classes that types may name."""
    found = {}
    for module, name in homes().values():
        found.setdefault(name, []).append(module)
    for module, names in rows.UNEXPORTED.items():
        for name in names:
            found.setdefault(name, []).append(module)
    return found


@functools.cache
def classes():
    """{name: class} of the classes that types may name; of those that no module exports the names
    of their attributes."""
    found = {own: cls for cls, (_, own) in reversed(homes().items())}
    for texts in rows.UNEXPORTED.values():
        for name, text in texts.items():
            found[name] = re.findall(r"^    (?:def )?(\w+)", text, re.MULTILINE)
    return found | {f"_{name}": found[name] for name in RENAMED}


def fits(value, kind, module="pyml"):
    """Whether a value is of a type, as the stub of a module writes it."""
    own = vars(module_of(module))

    def class_of(name):
        found = own.get(name)
        return found if isinstance(found, type) and found in homes() else classes().get(name)

    return stub_values.fits(value, kind, class_of)


# ---- types ---------------------------------------------------------------------------------------


class NoType(Exception):
    """What a name has whose type stands in no row."""


def own_rows(path):
    """The rows that are of a callable alone, or of its name wherever it stands."""
    yield rows.SPECIAL.get(path, {})
    for place in (*rows.OF_OPERATIONS, "Tensor"):
        if path.startswith(f"{place}."):
            yield rows.SPECIAL.get(path[len(place) + 1 :], {})
    yield rows.SPECIAL.get(f"*.{path.rpartition('.')[2]}", {})


def around(table, path):
    """The rows of a path in a table, and those of the class and the modules that it is in."""
    while path:
        yield table.get(path, {})
        path = path.rpartition(".")[0]


def rows_around(path):
    return around(rows.SPECIAL, path.rpartition(".")[0])


def special(path, key):
    """The type in the nearest row; what works in place takes what it takes without `_`."""
    found = *own_rows(path), *own_rows(path.removesuffix("_")), *rows_around(path)
    return nearest(found, key)


def nearest(found, key):
    return next((row[key] for row in found if key in row), None)


def with_none(text, default):
    return f"{text} | None" if default is None and not fits(None, text) else text


SAYING = (bool, float, str)  # types of defaults that say that of the argument; 0 may stand for 0.0


def type_of_argument(path, parameter, function):
    """The type of an argument, as its own annotation, or rows, or its default say it.

    The default goes before a row of the name alone, where it is not of that type.
    """
    name, default = parameter.name, parameter.default
    text = special(path, name)
    if text is None and name == "out":
        text = type_of_out(path)
    if text is None and isinstance(parameter.annotation, str):
        return parameter.annotation
    if text is None:
        text = rows.of_name(name)
        if type(default) in SAYING and not (text and fits(default, text)):
            text = type(default).__name__
    is_given = type(default) in (*SAYING, int, tuple)
    if text is None or (is_given and not fits(default, text)):
        value = "" if default is EMPTY else repr(default)
        raise NoType(f"{path}({name}={value})" + (f": {text}" if text else ""))
    return with_none(text, default)


def type_of_out(path):
    """The type of `out`: a tensor for each that the function returns."""
    return "Tensor" if type_of_result(path) in ("Self", "Tensor") else "Sequence[Tensor]"


def type_of_result(path):
    """The type of a result: of a row of its own, of its name, of its class or module."""
    place, _, name = path.rpartition(".")
    texts = [row["return"] for row in own_rows(path) if "return" in row]
    texts += [rows.RESULT_OF_NAME[name]] if name in rows.RESULT_OF_NAME else []
    texts += [row["return"] for row in rows_around(path) if "return" in row]
    if place == "Tensor" and name.endswith("_") and name[0] != "_":
        texts.append("Self")
    if place in ("", "Tensor", "nn.init", *rows.OF_OPERATIONS):
        texts.append("Tensor")
    if not texts:
        raise NoType(f"{path}() -> ?")
    return "None" if name == "__init__" else texts[0]


ANNOTATIONS = {"list": "list[Any]", "dict": "dict[str, Any]", "tuple": "tuple[Any, ...]"}
ANNOTATIONS |= {"ndarray": "Array", "object": "Any", "NoneType": "None"}


def annotated(cls, name):
    """The annotation of an attribute, of a NamedTuple or a dataclass."""
    for klass in cls.__mro__:
        found = vars(klass).get("__annotations__", {}).get(name)
        if found is not None:
            text = found if isinstance(found, str) else getattr(found, "__name__", str(found))
            if not isinstance(found, (str, type)):
                text = str(found)
            text = re.sub(r"\b(typing|numpy|np|collections\.abc|pyml[\w.]*)\.", "", text)
            return re.sub(
                r"\b(list|dict|tuple|ndarray|object)\b(?!\[)", lambda m: ANNOTATIONS[m[0]], text
            )
    return None


def type_of_attribute(path, cls, value=EMPTY):
    """The type of an attribute or property: of rows, or that of the constructor's argument."""
    owner, _, name = path.rpartition(".")
    argument = parameter_of(cls, name)
    text = nearest(around(rows.ATTRIBUTES, owner), name)
    if text is None and name in (row := rows.SPECIAL.get(owner, {})):
        text = with_none(row[name], argument.default if argument else EMPTY)
    text = text or annotated(cls, name)
    text = text or rows.ATTRIBUTE_OF_NAME.get(name)
    if text is None and type(value) in (*SAYING, int):
        text = type(value).__name__
    if text is None and argument is not None:
        text = type_of_argument(f"{owner}.__init__", argument, cls)
    text = text or special(owner, name) or rows.of_name(name)
    if text is None:
        raise NoType(f"{path}: attribute")
    return text


def parameter_of(cls, name):
    """The argument of the constructor that has the name, or None."""
    try:
        return inspect.signature(cls.__init__).parameters.get(name)
    except ValueError:
        return None


def type_of_value(path, value):
    text = rows.SPECIAL.get(path, {}).get("value")
    if text is None and type(value) in (bool, int, float, str):
        text = type(value).__name__
    if text is None:
        text = next((homes()[kind][1] for kind in type(value).__mro__ if kind in homes()), None)
    if text is None:
        raise NoType(f"{path} = {value!r:.40}")
    return text


# ---- a stub --------------------------------------------------------------------------------------


class Stub:
    """The text of the stub of a module, with the imports that it needs."""

    def __init__(self, name):
        self.name, self.imports, self.aliases, self.wrong = name, {}, set(), []
        self.known = {}
        self.module = module_of(name)
        self.names = public(self.module)
        self.taken = {n for n, v in self.names.items() if n in BUILTIN}

    def text(self):
        body = []
        for name, value in ordered(self.names):
            path = name if self.name == "pyml" else f"{self.name}.{name}"
            try:
                body += self.lines_of(name, value, path)
            except NoType as error:
                self.wrong.append(str(error))
        for text in rows.UNEXPORTED.get(self.name, {}).values():
            body += by_hand(text)
        body = self.resolved(body)
        imports = [
            f"from {module} import {', '.join(sorted(names))}"
            for module, names in sorted(self.imports.items())
            if names
        ]
        imports += [f"import {module}" for module, names in self.imports.items() if not names]
        aliases = [f"_{name} = {name}" for name in sorted(self.aliases)]
        return "\n".join([*imports, *body, *aliases, ""])

    def need(self, module, name=None):
        names = self.imports.setdefault(module, set())
        if name is not None:
            names.add(name)

    # ---- types to text

    def resolved(self, lines):
        """The lines, with the names that stand for the marked types «...» here."""
        return [re.sub(r"«(?:;([\w,]*))?\|(.*?)»", self.written, line) for line in lines]

    def written(self, found):
        """A type, in a class or not, whose members take names."""
        taken, text = {*(found[1] or "").split(",")}, found[2]
        parts = re.split(r"(\"[^\"]*\"|'[^']*')", text)
        return "".join(
            part
            if i % 2
            else re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda m: self.token(m[0], taken), part)
            for i, part in enumerate(parts)
        )

    def token(self, word, taken):
        if word in BUILTIN or word in ("None", "True", "False"):
            if word in taken or word in self.taken:
                self.need("builtins", f"{word} as _{word}")
                return f"_{word}"
            return word
        if word in TYPING:
            self.need("typing", word)
        elif word == "Self":
            self.need("typing_extensions", word)
        elif word in COLLECTIONS:
            self.need("collections.abc", word)
        elif word in rows.ALIASES:
            self.need("pyml._types", word)
        elif word in rows.FOREIGN:
            self.need(rows.FOREIGN[word], word if rows.FOREIGN[word] != "numpy as np" else None)
        elif word in class_names():
            modules = class_names()[word]
            if self.name in modules:
                if word in RENAMED:
                    self.aliases.add(word)
                    return f"_{word}"
            else:
                home = modules[0]
                home = "pyml" if home == "pyml" else f"pyml.{home}"
                if word in RENAMED:
                    self.need(home, f"{word} as _{word}")
                    return f"_{word}"
                self.need(home, word)
        elif not hasattr(builtins, word) and word not in rows.KNOWN:
            self.wrong.append(f"{self.name}: no such type: {word}")
        return word

    # ---- what there is

    def lines_of(self, name, value, path):
        if path in rows.HAND:
            return by_hand(rows.HAND[path])
        if isinstance(value, ModuleType):
            parent, _, leaf = value.__name__.rpartition(".")
            return [f"from {parent} import {leaf} as {name}"]
        if isinstance(value, type):
            home, own = homes()[value]
            if home != self.name:
                return self.again(home, own, name)
            if own != name:
                return [f"{name} = {own}"]
            return self.class_lines(name, value, path)
        again = functions().get(id(value), (self.name, name))
        if again != (self.name, name) and inspect.isroutine(value):
            home, own = again
            if home == self.name:
                return [f"{name} = {own}"]
            return self.again(home, own, name)
        if callable(value):
            if type(value) in homes() and not hasattr(value, "__name__"):
                return [f"{name}: «|{type_of_value(path, value)}»"]
            return self.function_lines(name, value, path)
        return [f"{name}: «|{type_of_value(path, value)}»"]

    def again(self, home, own, name):
        """Lines that give a name of another stub: `as` another name would not be shown."""
        home = "pyml" if home == "pyml" else f"pyml.{home}"
        if own == name:
            return [f"from {home} import {own} as {own}"]
        return [f"from {home} import {own} as _{own}", f"{name} = _{own}"]

    def function_lines(self, name, function, path, indent="", taken="", first=None):
        if texts := overloads_of(path):
            lines = []
            for text in texts:
                if first:
                    text = text.replace("(input: Tensor", "(input")
                lines.append(f"{indent}@«|overload»")
                lines.append(f"{indent}{marked(name, text, taken)}")
            return lines
        signature = signature_of(function)
        parameters = list(signature.parameters.values())
        parts, star, positional = [], False, False
        if first and parameters and parameters[0].kind not in (parameters[0].VAR_POSITIONAL,):
            parts.append(parameters[0].name)  # of Tensor "input" where a function is the method
            parameters = parameters[1:]
        elif first:
            parts.append(f"{first}")
            parts.append("/")
        for p in parameters:
            if p.kind == p.POSITIONAL_ONLY:
                positional = True
            elif positional:
                parts.append("/")
                positional = False
            if p.kind == p.VAR_POSITIONAL:
                star = True
            if p.kind == p.KEYWORD_ONLY and not star:
                parts.append("*")
                star = True
            mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
            try:
                kind = type_of_argument(path, p, function)
            except NoType as error:
                self.wrong.append(str(error))
                kind = "Any"
            text = f"{mark}{p.name}: «;{taken}|{kind}»"
            if p.default is not EMPTY:
                text += f" = {default_text(p.default)}"
            parts.append(text)
        if positional:
            parts.append("/")
        annotation = signature.return_annotation
        try:
            result = annotation if isinstance(annotation, str) else type_of_result(path)
        except NoType as error:
            self.wrong.append(str(error))
            result = "Any"
        return [f"{indent}def {name}({', '.join(parts)}) -> «;{taken}|{result}»: ..."]

    def class_lines(self, name, cls, path):
        bases = bases_of(cls, path)
        members = self.members(cls, path)
        above = {}
        for base in reversed(cls.__mro__[1:]):
            if base in homes():
                home, own = homes()[base]
                above |= self.members(base, own if home == "pyml" else f"{home}.{own}")
        body = [
            line
            for member, lines in members.items()
            if above.get(member) != lines
            for line in lines
        ]
        written = ", ".join(f"«|{base}»" for base in bases)
        head = f"class {name}({written}):" if written else f"class {name}:"
        return [head, *body] if body else [head + " ..."]

    def members(self, cls, path):
        """{name: lines} of a class; what has no type goes to `wrong`."""
        if cls not in self.known:
            self.known[cls] = dict(self.each_member(cls, path))
        return self.known[cls]

    def each_member(self, cls, path):
        members = members_of(cls)
        taken = ",".join(sorted(BUILTIN & {*members}))
        for name, value in members.items():
            try:
                lines = self.member_lines(name, value, cls, f"{path}.{name}", taken)
            except NoType as error:
                self.wrong.append(str(error))
                continue
            yield name, lines
            if name == "forward" and issubclass(cls, pyml.nn.Module) and cls is not pyml.nn.Module:
                yield "__call__", [re.sub(r"def forward\b", "def __call__", line) for line in lines]
        for name in (*attributes_of(cls), *rows.ATTRIBUTES.get(path, ())):
            if name in members or hasattr(cls, name):
                continue
            try:
                yield name, [f"    {name}: «;{taken}|{type_of_attribute(f'{path}.{name}', cls)}»"]
            except NoType as error:
                self.wrong.append(str(error))

    def member_lines(self, name, value, cls, path, taken):
        if path in rows.HAND:
            return [f"    {line}" for line in by_hand(rows.HAND[path])]
        if (
            isinstance(value, property)
            or type(value).__name__
            in (
                "getset_descriptor",
                "member_descriptor",
                "cached_property",
                "_tuplegetter",
                "DependentProperty",
            )
            or is_property(value)
        ):
            kind = type_of_attribute(path, cls)
            if type(value).__name__ in ("_tuplegetter", "derived"):
                default = " = ..." if name in getattr(cls, "_field_defaults", ()) else ""
                return [f"    {name}: «;{taken}|{kind}»{default}"]
            settable = getattr(value, "fset", None) is not None or name in SETTABLE.get(
                cls.__name__, ()
            )
            if type(value).__name__ == "member_descriptor":
                settable = True
            if settable or type(value).__name__ == "cached_property":
                return [f"    {name}: «;{taken}|{kind}»"]
            return ["    @property", f"    def {name}(self) -> «;{taken}|{kind}»: ..."]
        if isinstance(value, classmethod):
            lines = self.function_lines(name, value.__func__, path, "    ", taken, "cls")
            return ["    @classmethod", *lines] if len(lines) == 1 else lines
        if name == "__new__":
            return self.function_lines(name, value.__func__, path, "    ", taken, "cls")
        if isinstance(value, staticmethod):
            return [
                "    @staticmethod",
                *self.function_lines(name, value.__func__, path, "    ", taken),
            ]
        if isinstance(value, type) and value in homes():
            return [f"    {name}: «|type»[«;{taken}|{homes()[value][1]}»]"]
        if (
            callable(value)
            and not isinstance(value, type)
            and (inspect.isroutine(value) or type(value).__name__ == "cython_function_or_method")
        ):
            lines = []
            if name in rows.DUNDERS and cls is pyml.Tensor:
                return ["    " + marked(name, rows.DUNDERS[name], taken)]
            if name == "__init__" and type(value).__name__ == "wrapper_descriptor":
                lines = self.function_lines(name, cls, path, "    ", taken, None)
                return [lines[0].replace("(", "(self, ", 1).replace("(self, )", "(self)")]
            lines = self.function_lines(name, value, path, "    ", taken, "self")
            return lines
        kind = type_of_attribute(path, cls, value)
        if isinstance(value, enum.Enum):
            return [f"    {name} = ..."]
        return [f"    {name}: «;{taken}|{kind}»"]


def marked(name, text, taken):
    """A def of a signature, with its types marked."""
    [function] = ast.parse(f"def {name}{text}: ...").body
    of = function.args
    for arg in (*of.posonlyargs, *of.args, *of.kwonlyargs):
        if arg.annotation:
            arg.annotation = ast.Name(f"«;{taken}|{ast.unparse(arg.annotation)}»")
    function.returns = ast.Name(f"«;{taken}|{ast.unparse(function.returns)}»")
    return ast.unparse(function).replace("\n    ...", " ...")


def by_hand(text):
    """Lines, with the types between backticks marked."""
    return re.sub(r"`(.*?)`", r"«|\1»", text).strip("\n").splitlines()


def is_property(value):
    return isinstance(value, property) or (
        hasattr(type(value), "__get__")
        and not callable(value)
        and not isinstance(value, (classmethod, staticmethod))
    )


def signature_of(function):
    try:
        return inspect.signature(function)
    except ValueError:
        if isinstance(function, type):
            return inspect.Signature()
        raise NoType(f"{function!r} has no signature") from None


def overloads_of(path):
    """The overloads of a function, or of the method that is the function."""
    is_method = path.startswith("Tensor.") and path != "Tensor.where"
    return rows.OVERLOADS.get(path) or (is_method and rows.OVERLOADS.get(path[7:]))


def default_text(value):
    """A default as Python writes it, or `...` for one that has no short form."""
    if value is None or type(value) in (bool, int, str):
        return repr(value)
    if type(value) is float and value == value and abs(value) != float("inf"):
        return repr(value)
    if type(value) is tuple and all(default_text(v) != "..." for v in value):
        return repr(value)
    return "..."


KEPT = ("builtins", "enum")


def covered(base):
    """A base whose members are not written again."""
    return base in homes() or base.__module__ in KEPT or base is GenericAlias


def bases_of(cls, path):
    """The bases that a stub has: public ones, Python's own, and generic ones by a row."""
    if path in rows.BASES:
        return [rows.BASES[path]]
    found, seen = [], set()
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return ["NamedTuple"]

    def walk(klass):
        for base in klass.__bases__:
            if base in homes():
                name = homes()[base][1]
            elif base.__module__ in KEPT and base is not object:
                name = base.__name__ if base.__module__ == "builtins" else "Enum"
            else:
                walk(base)
                continue
            if not any(issubclass(other, base) for other in seen):
                found.append(name)
                seen.add(base)

    walk(cls)
    return found


def members_of(cls):
    """{name: value} of what a class has that none of its public bases has, in order."""
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        own = [n for n in vars(cls) if n[0] != "_" and n not in cls._fields]
        return {name: vars(cls)[name] for name in (*cls._fields, *own)}
    found = {}
    for klass in cls.__mro__:
        if klass is not cls and covered(klass):
            continue
        if klass is object or klass.__module__ in ("typing", "abc"):
            continue
        foreign = not klass.__module__.startswith("pyml")
        for name in sorted(vars(klass), key="__hash__".__eq__):  # of a dataclass, it moves
            value = vars(klass)[name]
            if name in found or not is_shown(name, foreign):
                continue
            owner = next(k for k in cls.__mro__ if name in vars(k))
            if (owner is klass and value is not None) or (owner is klass and name[0] != "_"):
                found[name] = value
    if issubclass(cls, pyml.nn.Module):
        found = {n: v for n, v in found.items() if n not in ("__new__", "__call__", "__dir__")}
    if issubclass(cls, pyml.Tensor) and cls is not pyml.Tensor:
        found = {n: v for n, v in found.items() if n not in TENSOR}
    if isinstance(found.get("__new__"), BuiltinFunctionType):  # of C: the arguments are __init__'s
        del found["__new__"]
    for name in rows.HIDDEN:
        found.pop(name, None)
    return found


def is_shown(name, foreign=False):
    if name.startswith("__"):
        return name in rows.SPECIAL_NAMES and not foreign
    return name[0] != "_"


def attributes_of(cls):
    """The public attributes that a class declares or documents, or that its methods set on self;
    its private bases too."""
    found = {}
    for klass in cls.__mro__:
        if klass is cls or not covered(klass):
            names = [*declared(klass), *documented(klass), *listed(klass)]
            found |= dict.fromkeys(name for name in names if name[0] != "_")
    return [*found]


def listed(cls):
    """The names that a distribution, or an activation, sets in a loop."""
    for base, names in ((Distribution, "_parameters"), (Elementwise, "_options")):
        if issubclass(cls, base):
            yield from vars(cls).get(names, ())


def documented(cls):
    """The names under `Attributes:` in the docstring of a class."""
    _, _, text = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")
    for line in text.partition("\n\n")[0].splitlines():
        if found := re.match(r"    (\w[\w, ]*):", line):
            yield from found[1].split(", ")


def declared(cls):
    path = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    if path.endswith(".py") and cls.__module__.startswith("pyml"):  # no file: of C
        for statement in classes_in(path).get(cls.__name__, ast.parse("")).body:
            if isinstance(statement, ast.AnnAssign):
                yield statement.target.id
            elif isinstance(statement, ast.FunctionDef):
                yield from set_on_self(statement)


@functools.cache
def classes_in(path):
    """{name: tree} of the classes of a file."""
    tree = ast.parse(Path(path).read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def set_on_self(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            registers = node.func.attr in ("register_buffer", "register_parameter")
            if registers and node.args and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


# ---- the files -----------------------------------------------------------------------------------


def path_of(module):
    """The stub of a module."""
    parts = module_of(module).__name__.split(".")
    folder = ROOT.joinpath(*parts)
    return folder / "__init__.pyi" if folder.is_dir() else folder.with_suffix(".pyi")


def stubs():
    """{path: text} of all stubs.

    Raises:
        SystemExit: for names without a type.
    """
    texts, wrong = {}, []
    for module in rows.MODULES:
        stub = Stub(module)
        texts[path_of(module)] = stub.text()
        wrong += stub.wrong
    if wrong:
        sys.exit("docs/stub_rows.py has no row for\n    " + "\n    ".join(wrong))
    return texts


def write():
    """Writes the stubs; one that is of no module goes."""
    texts = stubs()
    for path in stub_files():
        if path not in texts:
            path.unlink()
    for path, text in texts.items():
        path.write_text(text)


def stub_files():
    return sorted((ROOT / "pyml").rglob("*.pyi"))


def test():
    """Holds the stubs to pyml by mypy's stubtest, in a folder of them alone; 0 if they hold."""
    with tempfile.TemporaryDirectory() as folder:
        typed = [Path(module_of(name).__file__) for name in rows.TYPED]
        for path in [*stub_files(), *typed]:
            target = Path(folder, "stubs") / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        allowed = Path(folder, "allowed")
        modules = "|".join(re.escape(f"pyml.{name}") for name in (*rows.MODULES, *rows.TYPED))
        internal = rf"(?!(?:{modules})$)pyml(?:\.\w+)+"  # that have no stub
        missing = [m.name for m in pkgutil.walk_packages(pyml.__path__, "pyml.")]
        lines = [name for name in missing if re.fullmatch(internal, name)]
        allowed.write_text("\n".join([*map(re.escape, lines), *rows.ALLOWED, ""]))
        command = [sys.executable, "-m", "mypy.stubtest", "--mypy-config-file"]
        command += [ROOT / "pyproject.toml", "--allowlist", allowed, "--ignore-unused-allowlist"]
        environment = os.environ | {"MYPYPATH": f"{folder}/stubs"}
        return subprocess.run(
            [*command, "--concise", "pyml"], env=environment, cwd=folder
        ).returncode


if __name__ == "__main__":
    sys.exit(test() if sys.argv[1:] == ["--test"] else write())
