"""Calls held to the stubs: arguments, results and attributes must be of the types there."""

import ast
import functools
import inspect
import sys

import pyml
from helpers.patched import patched
from pyml.recorder import is_recording

KEPT = 9  # objects of a class whose attributes are looked at


class Held:
    """Inside `with held.watching():` each call from without pyml is compared with its stub.

    Attributes:
        wrong: {(path, argument, "->" or attribute): what it was and should be}.
        called: paths that were called.
    """

    def __init__(self, stubs):
        self.stubs, self.wrong, self.called = stubs, {}, set()
        self.functions, self.members, self.known, self.met = {}, {}, {}, {}
        for module in stubs.rows.MODULES:
            for node in ast.parse(stubs.path_of(module).read_text()).body:
                if isinstance(node, ast.FunctionDef):
                    self.functions.setdefault((module, node.name), []).append(node)
                elif isinstance(node, ast.ClassDef):
                    self.members[module, node.name] = nodes_by_name(node)

    # ---- what is watched

    def watching(self):
        attributes = {**self.of_modules(), **self.of_classes()}
        return patched(attributes, self.of_tensors())

    def of_modules(self):
        found = {}
        for module in map(self.stubs.module_of, self.stubs.rows.MODULES):
            for name, value in self.stubs.public(module).items():
                watched = self.of_function(value)
                if watched is not value:
                    found[module, name] = watched
        return found

    def of_function(self, function):
        """A public function watched, the same each time; another as it is."""
        home = self.stubs.functions().get(id(function))
        if home not in self.functions:
            return function
        if home not in self.known:
            module, name = home
            path = name if module == "pyml" else f"{module}.{name}"
            stub = path, module, self.functions[home]
            self.known[home] = self.watched(function, lambda args: stub)
        return self.known[home]

    def of_tensors(self):
        there, found = vars(pyml.Tensor), {}
        for name, nodes in self.members["pyml", "Tensor"].items():
            if name[:2] != "__" and is_method(nodes[0]) and name in there:
                called = "pyml", nodes
                found[name] = self.watched(
                    there[name], lambda args, path=f"Tensor.{name}", called=called: (path, *called)
                )
        return found

    def of_classes(self):
        """The methods of all classes that a public class is made of, and their constructors."""
        kinds = {base for kind in self.stubs.homes() for base in kind.__mro__}
        found = {}
        for kind in kinds - {pyml.Tensor}:
            if kind.__module__.startswith("pyml."):
                for name, value in vars(kind).items():
                    function = getattr(value, "__func__", value)
                    if inspect.isfunction(function) and name not in UNWATCHED:
                        find = functools.partial(self.of_method, kind, name)
                        watched = self.watched(function, find)
                        found[kind, name] = watched if value is function else type(value)(watched)
        return found

    def of_method(self, owner, name, args):
        """The stub of a method of the class `owner`, where it is that of the object."""
        kind = args[0] if args and isinstance(args[0], type) else type(args[0]) if args else owner
        if isinstance(inspect.getattr_static(owner, name), staticmethod):
            kind = owner
        if next((base for base in kind.__mro__ if name in vars(base)), None) is owner:
            for module, own in self.homes_of(kind):
                nodes = self.members.get((module, own), {}).get(name)
                if nodes and is_method(nodes[0]):
                    path = f"{own}.{name}" if module == "pyml" else f"{module}.{own}.{name}"
                    return path, module, nodes
        return None

    def homes_of(self, kind):
        homes = self.stubs.homes()
        return [homes[base] for base in kind.__mro__ if base in homes]

    def watched(self, function, find):
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*args, **kwargs):
            result = function(*args, **kwargs)
            if not is_recording() and is_outside(sys._getframe(1)) and (stub := find(args)):
                arguments = signature.bind(*args, **kwargs).arguments
                for each in (stub, *self.methods_like(stub[0])):
                    self.hold(*each, arguments, signature, result)
                for value in (*args[:1], result):
                    self.keep(value)
            return result

        return called

    def methods_like(self, path):
        """The stubs of the methods of Tensor that take what a function of pyml takes."""
        for name in {path, f"{path}_"} - OTHER_METHODS:
            if nodes := self.members["pyml", "Tensor"].get(name):
                yield f"Tensor.{name}", "pyml", nodes

    # ---- what is compared

    def hold(self, path, module, nodes, arguments, signature, result):
        """Of overloads, that which fits best counts."""
        self.called.add(path)
        found = (self.misfits(module, node, arguments, signature, result) for node in nodes)
        for name, text in min(found, key=len).items():
            self.wrong[path, name] = text

    def misfits(self, module, node, arguments, signature, result):
        """{argument, or "->": text} of what is not of its type."""
        of = node.args
        kinds = {a.arg: a.annotation for a in (*of.posonlyargs, *of.args, *of.kwonlyargs)}
        kinds |= {a.arg: a.annotation for a in (of.vararg, of.kwarg) if a}
        found = {}
        for name, value in arguments.items():
            kind = signature.parameters[name].kind
            values = value if kind == kind.VAR_POSITIONAL else [value]
            for each in value.values() if kind == kind.VAR_KEYWORD else values:
                self.compare(found, name, each, kinds.get(name), module)
        returns = ast.unparse(node.returns)
        if returns == "Self" and arguments:
            first = next(iter(arguments.values()))
            if not isinstance(result, first if isinstance(first, type) else type(first)):
                found["->"] = f"{described(result)} is no Self"
        elif node.name != "__init__":
            self.compare(found, "->", result, node.returns, module)
        return found

    def compare(self, found, name, value, kind, module):
        if kind is not None and not self.stubs.fits(value, kind, module):
            found[name] = f"{described(value)} is no {ast.unparse(kind)}"

    def keep(self, value):
        kind = type(value)
        if kind in self.stubs.homes() and kind is not pyml.Tensor:
            kept = self.met.setdefault(kind, [])
            if len(kept) < KEPT and all(value is not other for other in kept):
                kept.append(value)

    def look(self):
        """Compares the attributes and properties of the objects that were met."""
        for kind, values in self.met.items():
            members = {}
            for module, name in reversed(self.homes_of(kind)):
                path = name if module == "pyml" else f"{module}.{name}"
                for member, nodes in self.members.get((module, name), {}).items():
                    members[member] = path, module, annotation_of(nodes[0])
            if not issubclass(kind, CONTAINERS) and kind is not pyml.nn.Module:
                there = {name for value in values for name in getattr(value, "__dict__", ())}
                self.wrong |= {
                    (path, f".{name}"): "is in no stub"
                    for name in there - {*members}
                    if name[0] != "_"
                }
            for member, (path, module, annotation) in members.items():
                found = {}
                for value in values:
                    try:
                        attribute = getattr(value, member)
                    except Exception:  # one that is not set yet
                        continue
                    self.compare(found, member, attribute, annotation, module)
                self.wrong |= {(path, f".{name}"): text for name, text in found.items()}


OTHER_METHODS = {"bernoulli_", "normal_", "polygamma_"}  # than the functions
CONTAINERS = (  # whose attributes have the names that they are given
    *(pyml.nn.Sequential, pyml.nn.ModuleList, pyml.nn.ModuleDict),
    *(pyml.nn.ParameterList, pyml.nn.ParameterDict),
)
UNWATCHED = {"__new__", "__getattr__", "__setattr__", "__eq__", "__hash__", "__init_subclass__"}


def is_outside(frame):
    name = frame.f_globals.get("__name__", "")
    return not name.startswith("pyml.") and name not in ("pyml", __name__)


def nodes_by_name(tree):
    found = {}
    for node in tree.body:
        name = getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", None)
        found.setdefault(name, []).append(node)
    return found


def is_property(node):
    return any(getattr(d, "id", "").endswith("property") for d in node.decorator_list)


def is_method(node):
    return isinstance(node, ast.FunctionDef) and not is_property(node)


def annotation_of(node):
    """The type of an attribute or property; None of a method."""
    if isinstance(node, ast.FunctionDef):
        return node.returns if is_property(node) else None
    return getattr(node, "annotation", None)


def described(value):
    if type(value) in (list, tuple, dict, set):
        inner = sorted({described(v) for v in list(value)[:9]})
        return f"{type(value).__name__} of {', '.join(inner)}"
    return repr(value) if type(value) in (bool, int, float, str) else type(value).__name__
