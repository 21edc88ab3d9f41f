"""Where operations are found: the table of names, and what it gives."""

import copy
import importlib
import inspect
import pickle
from collections import Counter
from pathlib import Path

import pytest

import pyml
from pyml import Tensor, ops
from pyml.nn import functional
from pyml.ops import methods, names

PLACES = {
    names.PYML: pyml,
    names.TENSOR: Tensor,
    names.FUNCTIONAL: functional,
    names.LINALG: pyml.linalg,
    names.SPECIAL: pyml.special,
}
ROOT = Path(pyml.__file__).parent
EXPORTS = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.stem != "as_torch" and "\n__all__ = " in path.read_text()  # that one serves torch
]
OWN = {"batch_norm", "dropout", "log_softmax", "softmax"}  # nn.functional has more arguments


def test_a_name_has_one_row():
    listed = Counter(name for _, _, row in names.ROWS for name in row.split())
    assert [name for name, times in listed.items() if times > 1] == []
    assert not listed.keys() & names.ALIASES.keys()


@pytest.mark.parametrize("place", PLACES)
def test_what_is_listed_is_found(place):
    for name, operation in names.operations(place).items():
        found = getattr(PLACES[place], name)
        assert found is operation or (place == names.FUNCTIONAL and name in OWN), name


@pytest.mark.parametrize("place", [pyml, ops, functional, pyml.linalg, pyml.special])
def test_an_operation_can_be_pickled_and_copied(place):
    for name in place.__all__:
        operation = getattr(place, name)
        if inspect.isroutine(operation):
            assert pickle.loads(pickle.dumps(operation)) is operation, name
            assert copy.deepcopy(operation) is operation, name


def test_what_is_not_listed_is_not_found():
    functions = {n for n, value in vars(pyml).items() if n[0] != "_" and is_of_ops(value)}
    assert functions == names.operations(names.PYML).keys()
    assert {name for name, value in vars(Tensor).items() if is_of_ops(value)} == (
        names.operations(names.TENSOR).keys() | methods.METHODS.keys()
    )
    assert set(ops.__all__) == names.operations().keys()


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_module_exports_is_there(path):
    words = path.relative_to(ROOT.parent).with_suffix("").parts
    if "estimators" in words:
        pytest.importorskip("sklearn")
    module = importlib.import_module(".".join(words).removesuffix(".__init__"))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def is_of_ops(value):
    return callable(value) and str(getattr(value, "__module__", "")).startswith("pyml.ops.")


@pytest.mark.parametrize("name", [*names.operations(), *methods.METHODS])
def test_help_shows_arguments_and_meaning(name):
    shown = names.operations().get(name) or methods.METHODS[name]
    assert inspect.signature(shown).parameters
    assert inspect.getdoc(shown)


def test_a_method_takes_its_tensor_first():
    x = pyml.tensor([1.0, 3.0])
    assert [*inspect.signature(x.var).parameters] == [
        *("dim", "unbiased", "keepdim", "correction", "out")
    ]
    assert x.var(correction=0).item() == pyml.var(x, correction=0).item() == 1
    assert x.view(2, 1).shape == x.view((2, 1)).shape == x.reshape([2, -1]).shape == (2, 1)
