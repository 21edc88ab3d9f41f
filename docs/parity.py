"""Writes docs/parity.md: each public name of PyTorch, and what pyml has of it.

    python docs/parity.py            writes the page, without PyTorch
    python docs/parity.py --names    first reads PyTorch's names anew into docs/torch_names.json

What pyml has is looked up in pyml, by name and by the names of arguments; why a name is left out
stands in pyml/left_out.py.
"""

import argparse
import ast
import importlib
import inspect
import json
import re
import textwrap
from collections import Counter
from pathlib import Path
from types import ModuleType

import pyml
from pyml.left_out import FAMILIES, family_of

FOLDER = Path(__file__).parent
PAGE, NAMES = FOLDER / "parity.md", FOLDER / "torch_names.json"
CLASSES = {"Tensor", "nn.Module"}
MODULES = (
    *("nn", "nn.Module", "nn.functional", "nn.init", "nn.utils", "nn.utils.parametrize"),
    *("nn.utils.parametrizations", "nn.utils.prune", "nn.utils.rnn", "optim", "optim.lr_scheduler"),
    *("optim.swa_utils", "utils.data", "distributions", "autograd", "autograd.functional"),
    *("autograd.forward_ad", "autograd.graph", "func"),
    *("Tensor", "torch", "special", "linalg"),
)
FOREIGN = (
    "abc",
    "typing",
    "collections.abc",
    "torch._jit_internal",
    "torch.overrides",
    "torch._VF",
)
SHOWN = {"Generator", "Size", "device", "dtype", "finfo", "iinfo"}  # classes of torch._C
LEAKED = {"Tensor", "DType", "Callable"}  # imported for annotations


# ---- PyTorch's names -----------------------------------------------------------------------------


def torch_names():
    """{module: {name: its arguments}}, "*name" for one that can only be named; None if unknown."""
    torch = importlib.import_module("torch")
    found = {"version": torch.__version__.partition("+")[0]}
    root = Path(torch.__file__).parent
    stubs = arguments_in(root / "nn/functional.pyi") | arguments_in(
        root / "_C/_VariableFunctions.pyi"
    )
    methods = arguments_in(root / "_C/__init__.pyi", "TensorBase")
    for module in MODULES:
        owner = torch.nn.Module if module == "nn.Module" else torch
        if module not in CLASSES and module != "torch":
            owner = importlib.import_module(f"torch.{module}")
        elif module == "Tensor":
            owner = torch.Tensor
        known = methods if module == "Tensor" else stubs
        found[module] = {
            name: known.get(name) or in_words(value) if words == "unknown" else words
            for name, (value, words) in sorted(public(owner).items())
        }
    return found


def public(owner):
    """{name: (value, arguments)} of what a module or class of PyTorch shows."""
    is_class = isinstance(owner, type)
    inside = set(dir(owner._C)) - SHOWN if hasattr(owner, "_C") else ()
    names = getattr(owner, "__all__", None) or [name for name in dir(owner) if name[0] != "_"]
    shown = {}
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, ModuleType) or name[0] == "_" or name in LEAKED:
            continue
        if name.startswith("has_torch_function") or getattr(value, "__module__", "") in FOREIGN:
            continue
        if isinstance(value, type) and name in inside:
            continue
        if is_class or callable(value):
            shown[name] = value, arguments_of(value, is_class) if callable(value) else None
    return shown


def in_words(value):
    """The arguments in the first line of the documentation of a function of C."""
    found = re.match(r"\s*\w+\((.*?)\) ->", getattr(value, "__doc__", None) or "")
    if found is None:
        return None
    words = [word.partition("=")[0].strip(" *") for word in found[1].split(",")]
    return " ".join(word for word in words if word.isidentifier()) or None


def arguments_in(path, cls=None):
    """{function: its arguments in all overloads} of stubs, or of a class in them."""
    found, tree = {}, ast.parse(path.read_text())
    if cls is not None:
        [tree] = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == cls]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            known = found.setdefault(node.name, [])
            named = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
            named += ["*" + arg.arg for arg in node.args.kwonlyargs]
            known += [n for n in named if n not in known and n != "self"]
    return {name: " ".join(words) for name, words in found.items()}


# ---- what pyml has -------------------------------------------------------------------------------


def arguments_of(value, is_method=False):
    """The names of a callable's arguments as words; "unknown" where Python cannot tell."""
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return "unknown"
    marks = {inspect.Parameter.KEYWORD_ONLY: "*", inspect.Parameter.VAR_POSITIONAL: "..."}
    marks[inspect.Parameter.VAR_KEYWORD] = "***"
    if is_method and parameters and parameters[0].kind not in marks:
        parameters = parameters[1:]
    return " ".join(marks.get(p.kind, "") + p.name for p in parameters if p.name[0] != "_")


def own(module, name):
    """(whether pyml has it, it)"""
    try:
        if module in CLASSES:
            owner = pyml.Tensor if module == "Tensor" else pyml.nn.Module
        else:
            owner = pyml if module == "torch" else importlib.import_module(f"pyml.{module}")
        return True, getattr(owner, name)
    except (ImportError, AttributeError):
        return False, None


def status(module, name, wanted):
    """("same" | "extended" | "fewer" | "left out" | "missing", details)"""
    has, value = own(module, name)
    if not has:
        family = family_of(module, name)
        return ("left out", family) if family else ("missing", None)
    if not callable(value) or wanted is None:
        return "same", None
    got = arguments_of(value, module in CLASSES)
    if got == "unknown" or "***" in got:
        return "same", None
    got, wanted = got.split(), wanted.split()
    got = [word for word in got if word != "*out" or word in wanted]  # most functions have it
    names = {word.strip(".*") for word in got}
    fewer = [
        word.lstrip("*")
        for word in wanted
        if not word.startswith(("...", "***")) and word.lstrip("*") not in names
    ]
    if fewer:
        return "fewer", fewer
    asked = {word.strip(".*") for word in wanted}
    more = [word.strip("*") for word in got if word.strip(".*") not in asked and "." not in word]
    return ("extended", more) if more else ("same", None)


# ---- the page ------------------------------------------------------------------------------------

HEAD = """# PyTorch's names in pyml

Every public name of PyTorch {version}'s modules for networks of dense layers, and what pyml has of
it. `python docs/parity.py` writes this page from what pyml has; a test says when it is stale.

- **same**: the name, and all arguments of PyTorch's.
- **extended**: these, and the arguments that are named here.
- **fewer arguments**: without those that are named here.
- **left out**: with the reason. Under the name torch (`pyml.as_torch`) those that programs import
  without need are classes and functions that raise `NotImplementedError`.
- **missing**: not there, without a reason that it should not be.

Names and arguments are compared here; values, gradients and errors are in `tests/parity`.

"""


def page(names):
    """The text of docs/parity.md."""
    text = [HEAD.format(version=names["version"])]
    sections, counts = [], {}
    for module in MODULES:
        found = {name: status(module, name, wanted) for name, wanted in names[module].items()}
        counts[module] = Counter(kind for kind, _ in found.values())
        sections.append(section(module, found))
    kinds = ("same", "extended", "fewer", "left out", "missing")
    text.append("| module | same | extended | fewer arguments | left out | missing |\n")
    text.append("|---|--:|--:|--:|--:|--:|\n")
    for module, count in counts.items():
        row = " | ".join(str(count[kind]) for kind in kinds)
        text.append(f"| {title(module)} | {row} |\n")
    total = sum(counts.values(), Counter())
    row = " | ".join(str(total[kind]) for kind in kinds)
    return "".join([*text, f"| all | {row} |\n", *sections])


def title(module):
    return f"methods of `{module}`" if module in CLASSES else f"`{module}`"


def section(module, found):
    parts = [f"\n## {title(module).replace('methods', 'Methods')}\n"]

    def listed(head, names):
        if names:
            text = f"**{head}** ({len(names)}): " + ", ".join(names)
            parts.append("\n" + filled(text) + "\n")

    def of(kind):
        return {name: details for name, (k, details) in found.items() if k == kind}

    listed("same", [f"`{name}`" for name in of("same")])
    for kind, head in (("extended", "extended"), ("fewer", "fewer arguments")):
        rows = [
            f"`{name}` ({', '.join(f'`{argument}`' for argument in details)})"
            for name, details in of(kind).items()
        ]
        listed(head, rows)
    left = of("left out")
    for family, row in FAMILIES.items():
        names = [f"`{name}`" for name, of_family in left.items() if of_family == family]
        listed(f"left out: {family}, as {row.reason}", names)
    listed("missing", [f"`{name}`" for name in of("missing")])
    return "".join(parts)


def filled(text):
    return textwrap.fill(text, 110, break_long_words=False, break_on_hyphens=False)


def main():
    parser = argparse.ArgumentParser(description="Writes docs/parity.md.")
    parser.add_argument("--names", action="store_true", help="read PyTorch's names anew")
    if parser.parse_args().names:
        NAMES.write_text(json.dumps(torch_names(), indent=1) + "\n")
    PAGE.write_text(page(json.loads(NAMES.read_text())))


if __name__ == "__main__":
    main()
