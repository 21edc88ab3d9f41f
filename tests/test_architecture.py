"""Reads every import: a file may import from its own floor and those below, never upward."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyml.nn
import pyml.optim
from helpers.structs import STRUCTS
from pyml import _kernels

ROOT = Path(__file__).parent.parent
FLOORS = [  # lowest first; a name covers what is below it
    {
        "pyml._kernels",
        "pyml.attributes",
        "pyml.config",
        "pyml.device_names",
        "pyml.dict_version",
        "pyml.dispatch",
        "pyml.errors",
        "pyml.grad_mode",
        "pyml.hooks",
        "pyml.html_table",
        "pyml.left_out",
        "pyml.memory",
        "pyml.no_gil",
        "pyml.node_names",
        "pyml.pytree",
        "pyml.recorder",
    },
    {"pyml.tensor", "pyml.random", "pyml.options"},
    {"pyml.backward"},
    {"pyml.ops.arrays"},
    {"pyml.ops.numpys"},
    {"pyml.ops.operands"},
    {"pyml.ops.comparison"},
    {"pyml.ops", "pyml.recording"},
    {"pyml.autograd", "pyml.distributions", "pyml.func", "pyml.nn", "pyml.optim", "pyml.data"},
    {
        "pyml.distributed",
        "pyml.train",
        "pyml.io",
        "pyml.plot",
        "pyml.json_tree",
        "pyml.tabular",
        "pyml.testing",
        "pyml.utils",
        "pyml.optim.swa_utils",
    },
    {"pyml.export"},
    {"pyml.cli", "pyml.estimators"},
    {"pyml", "pyml.__main__"},
]
STRANGERS = [
    *(("pyml.nn", "pyml.optim"), ("pyml.optim", "pyml.nn")),
    *(("pyml.cli", "pyml.estimators"), ("pyml.estimators", "pyml.cli")),
]
FUNDAMENTS = {"numpy", "tqdm", "safetensors"}  # what pyml needs to run; anything else is an extra
OF_ROOMS = {"pyml.estimators": {"sklearn", "scipy"}}  # that are no use without theirs

SOURCES = sorted(
    path for kind in ("py", "pyx", "pxd") for path in (ROOT / "pyml").rglob(f"*.{kind}")
)
C_SOURCES = sorted([*(ROOT / "csrc").rglob("*.c"), *(ROOT / "csrc").rglob("*.h")])


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(module):
    """The floor of a module, by the longest name that covers it."""
    names = [
        (len(name), i) for i, names in enumerate(FLOORS) for name in names if covers(name, module)
    ]
    return max(names)[1]


def covers(name, module):
    return module == name or module.startswith(name + ".")


def imports(path):
    """Each module that a file imports, inside functions too, with its line."""
    text = path.read_text()
    package = (
        module_name(path)
        if path.name.startswith("__init__")
        else module_name(path).rpartition(".")[0]
    )
    if path.suffix == ".py":
        yield from python_imports(ast.parse(text), package)
    else:
        yield from cython_imports(text, package)


def python_imports(tree, package):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = resolved("." * node.level + (node.module or ""), package)
            for alias in node.names:
                yield named(base, alias.name), node.lineno


CYTHON_FROM = re.compile(r"^\s*from\s+([.\w]+)\s+(?:c?import)\s+(\([^)]*\)|[^\n#]*)", re.M)
CYTHON_IMPORT = re.compile(r"^\s*c?import\s+([.\w]+(?:\s*,\s*[.\w]+)*)", re.M)


def cython_imports(text, package):
    text = re.sub(r'"""[\s\S]*?"""', lambda match: "\n" * match.group().count("\n"), text)
    for match in CYTHON_FROM.finditer(text):
        base, line = resolved(match.group(1), package), text.count("\n", 0, match.start()) + 1
        for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", match.group(2).strip("()")):
            yield named(base, name), line
    for match in CYTHON_IMPORT.finditer(text):
        for name in re.split(r"\s*,\s*", match.group(1)):
            yield name, text.count("\n", 0, match.start()) + 1


def resolved(name, package):
    """A relative module name made absolute."""
    dots = len(name) - len(name.lstrip("."))
    if dots == 0:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - dots + 1], *([name[dots:]] if name[dots:] else [])])


def named(base, name):
    """`from base import name`: the module base.name if there is one, else base."""
    path = ROOT / (base + "." + name).replace(".", "/")
    is_module = path.is_dir() or any(
        path.with_suffix(f".{kind}").exists() for kind in ("py", "pyx", "pxd")
    )
    return f"{base}.{name}" if is_module else base


def upward(importer, imported):
    """Why an import is not allowed, or None."""
    if not covers("pyml", imported):
        return None
    if floor(imported) > floor(importer):
        return "runs upward"
    if floor(imported) == floor(importer) and any(
        covers(a, importer) and covers(b, imported) for a, b in STRANGERS
    ):
        return "is between neighbours that do not know each other"
    return None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downward(path):
    importer = module_name(path)
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: the import of {imported} {why}"
        for imported, line in imports(path)
        if (why := upward(importer, imported))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_files_import_each_other():
    """Also on one floor imports run one way: each file can be understood without those above it."""
    graph = {}
    for path in SOURCES:
        needs = graph.setdefault(module_name(path), set())
        needs.update(name for name, _ in imports(path) if name != module_name(path))
    list(graphlib.TopologicalSorter(graph).static_order())  # raises with a cycle


def test_there_is_something_to_read():
    assert len(SOURCES) > 5 and len(C_SOURCES) > 10
    assert "pyml.ops.linear" in {module_name(path) for path in SOURCES}


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("pyml.ops.linear", "pyml.tensor", True),
        ("pyml.ops.linear", "pyml._kernels", True),
        ("pyml.ops.linear", "pyml.nn.functional", False),
        ("pyml.ops.elementwise", "pyml.ops.comparison", True),
        ("pyml.ops.operands", "pyml.ops.elementwise", False),
        ("pyml.tensor", "pyml.ops", False),
        ("pyml.tensor", "pyml.backward", False),
        ("pyml.backward", "pyml.ops", False),
        ("pyml.nn.module", "pyml.optim", False),
        ("pyml.optim.sgd", "pyml.nn.module", False),
        ("pyml.optim.swa_utils", "pyml.nn.module", True),
        ("pyml.optim.sgd", "pyml.optim.swa_utils", False),
        ("pyml.nn.module", "pyml.train", False),
        ("pyml.nn.linear", "pyml.nn.init", True),
        ("pyml.nn.linear", "pyml", False),
        ("pyml.cli", "pyml.train", True),
        ("pyml.nn.linear", "numpy", True),
    ],
)
def test_the_rule(importer, imported, allowed):
    assert (upward(importer, imported) is None) == allowed


def test_the_reader_of_cython():
    text = '''
"""from pyml.cli import main"""
cimport numpy as cnp
from numpy cimport ndarray
from pyml.tensor cimport Tensor, wrap
from pyml._kernels cimport (
    KERNEL_add, KERNEL_sub,
)
from . import arrays
    from pyml import nn
'''
    found = {name for name, _ in cython_imports(text, "pyml.ops")}
    assert found == {"numpy", "pyml.tensor", "pyml._kernels", "pyml.ops.arrays", "pyml.nn"}


def top_level_imports(path):
    """Modules that loading a file imports for certain: not inside a function, a try, or an if."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (name for name, _ in python_imports(ast.Module([node], []), ""))


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.suffix == ".py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_extras_are_imported_where_they_are_used(path):
    """Loading a module needs the standard library and what pyml depends on, no more."""
    outside = (
        {name.partition(".")[0] for name in top_level_imports(path)} - {"pyml", ""} - FUNDAMENTS
    )
    outside -= set().union(*(n for room, n in OF_ROOMS.items() if covers(room, module_name(path))))
    assert outside <= sys.stdlib_module_names, outside - sys.stdlib_module_names


# ---- C
# ------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
KERNEL_HEADERS = {
    "math.h",
    "stddef.h",
    "stdint.h",
    "stdbool.h",
    "string.h",
    "immintrin.h",
    "arm_neon.h",
    "emmintrin.h",
}
FORBIDDEN_CALLS = re.compile(
    r"\b(malloc|calloc|realloc|free|alloca|printf|fprintf|puts|abort|assert|exit|getenv|fopen)\s*\("
)


GENERATED = {"argument_fields.h"}  # by setup.py, from csrc/contracts


def without_comments(text):
    return re.sub(r"/\*[\s\S]*?\*/|//[^\n]*", "", text)


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_includes(path):
    """Nothing of Python; kernels and simd include arithmetic alone; simd does not know kernels."""
    folder = path.parent.name
    for kind, name in INCLUDE.findall(without_comments(path.read_text())):
        assert "Python.h" not in name and "numpy" not in name, name
        if kind == '"' and name not in GENERATED:
            target = (path.parent / name).resolve()
            assert target.exists(), f"{name} is not there"
            assert (ROOT / "csrc") in target.parents, f"{name} is outside csrc"
            assert folder in ("kernels", "bfloat16") or target.parent.name != "kernels", (
                f"{name}: kernels are above"
            )
            assert folder != "simd" or target.parent.name == "simd", (
                f"{name}: simd is at the bottom"
            )
        elif folder in ("kernels", "simd"):
            assert name in KERNEL_HEADERS, f"a kernel includes <{name}>"


@pytest.mark.parametrize(
    "path",
    [path for path in C_SOURCES if path.parent.name in ("kernels", "simd")],
    ids=lambda path: path.name,
)
def test_kernels_never_allocate_check_or_print(path):
    found = FORBIDDEN_CALLS.findall(without_comments(path.read_text()))
    assert not found, found


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_threads_know_of_threads(path):
    text = without_comments(path.read_text())
    if path.stem not in ("threads", "system_threads", "tile_model"):  # whose tiles a thread has
        assert not re.search(r"pthread|stdatomic|_Thread_local|omp\.h|#pragma omp", text)


def test_no_module_hides_an_operation():
    """A submodule that is imported late takes its name in the package from what was there."""
    names = {path.stem for path in (ROOT / "pyml/ops").glob("*.py*")}
    operations = {name for name in names if callable(getattr(pyml, name, None))}
    assert [name for name in operations if not callable(getattr(pyml.ops, name))] == []


def test_every_kernel_is_listed_and_defined():
    """One line in kernel_list.h, one definition in kernels/."""
    lines = re.findall(
        r"^(X|SEGMENTS|OPTIMIZER|BFLOAT16)\((\w+), .+\)$",
        (ROOT / "csrc/kernel_list.h").read_text(),
        re.M,
    )
    listed = [name + "_bfloat16" * (kind == "BFLOAT16") for kind, name in lines]
    assert len(set(listed)) == len(listed)
    assert _kernels.kernel_names() == listed


def test_every_argument_of_a_call_is_set():
    """Recordings compare calls by all fields: none may be what was on the stack."""
    fields = {name: [field for field, _ in struct._fields_] for name, struct in STRUCTS.items()}
    text = (ROOT / "pyml/_kernels.pyx").read_text()
    calls = re.findall(r"^    cdef (\w+_args) args\n([\s\S]*?)(?=^\S|\Z)", text, re.M)
    assert len(calls) > 30
    for struct, body in calls:
        assert [name for name in fields[struct] if f"args.{name}" not in body] == [], struct


LOCKED = re.compile(r"^ *pyml_lock\((.+)\)\n([\s\S]*?)^ *pyml_unlock\(\1\)", re.M)
ALLOWED_UNDER_A_LOCK = {
    *("added", "from_system", "give_back", "max", "range", "size_bytes", "to_system"),
    *("PyGC_Disable", "PyGC_Enable"),  # flags
    *("held", "append", "Py_XDECREF"),  # a list of its own takes a view
}


def test_a_lock_of_no_gil_is_held_for_c_alone():
    """Who waits for one does not hear Python, so who holds it must not wait for Python."""
    blocks = [(path.name, body) for path in SOURCES for _, body in LOCKED.findall(path.read_text())]
    assert len({name for name, _ in blocks}) > 5
    for name, body in blocks:
        called = set(re.findall(r"(\w+)\(", re.sub("#.*", "", body)))
        assert called <= ALLOWED_UNDER_A_LOCK, (name, called - ALLOWED_UNDER_A_LOCK)


def test_a_null_beside_a_pointer_to_const_has_its_type():
    """Without one Cython takes both for void *, to which Clang assigns no such pointer."""
    untyped = re.compile(r"(?<!>)NULL if .+ else <const ")
    assert [path.name for path in SOURCES if untyped.search(path.read_text())] == []


def test_what_import_leaves_for_later():
    """`import pyml` imports operations alone; names of what is above are there all the same."""
    program = """
import sys, pyml
later = ("autograd", "data", "distributions", "func", "io", "nn", "optim", "recording", "tabular")
later += ("train", "estimators", "distributed")
print([name for name in sys.modules if name.startswith(tuple(f"pyml.{n}" for n in later))])
print({"host", "load", "record", "save_checkpoint"} - {*dir(pyml)})
from pyml import *
print(record is pyml.recording.record, host is pyml.host, issubclass(RecordError, Exception))
"""
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nset()\nTrue True True\n"
