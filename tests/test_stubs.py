"""The stubs say what pyml has: `make types` gives them to type checkers."""

import ast
import inspect
import sys

import pytest
from attack import surface

import pyml


@pytest.fixture(scope="module")
def trees(stubs):
    """{module: the names that its stub has, with what they are}"""
    return {
        module: {
            name: node
            for node in ast.parse(stubs.path_of(module).read_text()).body
            for name in names_of(node)
        }
        for module in stubs.rows.MODULES
    }


def names_of(node):
    """The names that a statement of a stub gives its module, as type checkers count."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname for alias in node.names if alias.asname == alias.name]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
    return [target.id for target in targets]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="fields have no annotations until asked")
def test_the_stubs_are_of_today(stubs):
    texts = stubs.stubs()  # SystemExit names what has no type
    stale = [path for path, text in texts.items() if path.read_text() != text]
    assert stale == [] and {*stubs.stub_files()} == {*texts}, "python docs/stubs.py writes them"


def test_what_has_no_type_is_named(stubs, monkeypatch):
    monkeypatch.delitem(stubs.rows.NAMES, "in_features")
    monkeypatch.delitem(stubs.rows.RESULT_OF_NAME, "log_prob")
    with pytest.raises(SystemExit) as raised:
        stubs.stubs()
    assert "train.mlp(in_features=)" in str(raised.value)
    assert "distributions.Normal.log_prob() -> ?" in str(raised.value)


def test_names_of_stubs_are_those_of_modules(stubs, trees):
    for module, names in trees.items():
        found = {name for name in names if name[0] != "_" or name == "__version__"}
        assert found == {*stubs.public(stubs.module_of(module))}, module


def test_all_that_is_public_is_in_a_stub(stubs):
    """What tests/attack finds by looking."""
    known = {
        id(value) for m in stubs.rows.MODULES for value in stubs.public(stubs.module_of(m)).values()
    }
    typed = [f"pyml.{name}" for name in stubs.rows.TYPED]
    packages = [m for m in surface.modules() if hasattr(m, "__path__") and m.__name__ not in typed]
    for module in packages:
        lost = [name for name, v in surface.exported(module).items() if id(v) not in known]
        assert lost == [], module.__name__


def test_rows_are_of_something(stubs, trees):
    """A name in a table is an argument, a function or an attribute of a stub."""
    words = set()
    for path in stubs.stub_files():
        for node in ast.walk(ast.parse(path.read_text())):
            words.add(getattr(node, "arg", getattr(node, "name", getattr(node, "id", None))))
    rows = stubs.rows
    tables = {**rows.NAMES, **rows.RESULT_OF_NAME, **rows.ATTRIBUTE_OF_NAME}
    assert sorted({*tables} - words) == []


def has_signature(function):
    try:
        inspect.signature(function)
    except ValueError:
        return False
    return True


def test_every_public_callable_has_a_signature(stubs):
    """But for classes that begin as Python's own do, whose signatures Python lacks."""
    missing = []
    for module in stubs.rows.MODULES:
        for name, value in stubs.public(stubs.module_of(module)).items():
            if isinstance(value, type):
                inherits = issubclass(value, (BaseException, dict, str))
                callables = {
                    f"{name}.{n}": v for n, v in stubs.members_of(value).items() if n[0] != "_"
                }
                callables |= {} if inherits else {name: value}
            else:
                callables = {name: value}
            for path, function in callables.items():
                function = getattr(function, "__func__", function)
                if callable(function) and not has_signature(function):
                    missing.append(f"{module}.{path}")
    assert missing == []


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (pyml.Tensor, "(*data, device=None, requires_grad=False)"),
        (pyml.Tensor.size, "(self, /, dim=None)"),
        (pyml.clamp, "(input, min=None, max=None, *, out=None)"),
        (pyml.nn.Linear, "(in_features, out_features, bias=True, device=None, dtype=None)"),
        (pyml.set_grad_enabled, "(mode)"),
    ],
)
def test_signatures_of_c(function, signature):
    assert str(inspect.signature(function)) == signature


def test_completion_shows_what_is_public(stubs):
    shown = {name for name in dir(pyml) if name[0] != "_"}
    assert shown == {*stubs.public(pyml)} - {"__version__"}
