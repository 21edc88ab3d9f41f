"""The stubs say what pyml has: `make types` gives them to type checkers."""

import ast
import inspect
import itertools
import sys
from pathlib import Path

import derivatives
import numpy as np
import pytest
import test_examples
from attack import surface
from distributions.cases import CASES as DISTRIBUTIONS
from distributions.cases import TRANSFORMS
from ops import breadth
from ops.cases import arrays_of
from optim.cases import CASES as OPTIMIZERS
from optim.schedules import SCHEDULES

import pyml
from helpers.activations import CALLS
from helpers.files import module_of
from helpers.held import Held
from helpers.losses import CASES, LOSS_CASES, tensors
from pyml import optim


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
    monkeypatch.setitem(stubs.rows.SPECIAL, "nn.functional.gelu", {"approximate": "int"})
    with pytest.raises(SystemExit) as raised:
        stubs.stubs()
    assert "train.mlp(in_features=)" in str(raised.value)
    assert "distributions.Normal.log_prob() -> ?" in str(raised.value)
    assert "nn.functional.gelu(approximate='none'): int" in str(raised.value)


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


# ---- calls ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held(stubs, tmp_path_factory):
    """The calls of the tables and of the examples, beside their stubs.

    Those that record are left out, as what is watched is none of pyml's functions; so are those of
    tables, which train.
    """
    found = Held(stubs)
    examples = {
        module: [
            (path, text)
            for path, text in test_examples.examples(stubs, module)
            if not path.startswith(("tabular", *test_examples.EXTRAS))
            and "@pyml.record" not in f"{test_examples.given(path)}{text}"
        ]
        for module in stubs.rows.MODULES
    }
    with pytest.MonkeyPatch.context() as patch, found.watching():
        patch.chdir(tmp_path_factory.mktemp("examples"))
        for case in derivatives.ALL:
            found.of_function(case.function)(*map(pyml.tensor, arrays_of(case)))
        for row in breadth.ROWS:
            row.function(pyml, *map(pyml.tensor, arrays_of(row)))
        for row, options in (*CALLS, *CASES.values(), *LOSS_CASES.values()):
            getattr(pyml.nn, row.module)(**tensors([], options)[1])
        nets = module_of(Path(__file__).parent / "export" / "nets.py")
        for layer, *rows in itertools.chain(*nets.LAYERS.values()):
            nets.output_of(layer, rows)
        groups = [{"params": [pyml.ones(2, requires_grad=True)]} for _ in range(2)]
        for name, options in OPTIMIZERS:
            getattr(optim, name)(groups, **options)
        for row in SCHEDULES:
            row.make(optim.SGD(groups, 0.1, momentum=0.9)).step()
        for case in DISTRIBUTIONS:
            parameters = {name: pyml.tensor(a) for name, a in case.parameter_arrays().items()}
            distribution = case.of(pyml.distributions, parameters)
            distribution.log_prob(distribution.sample((2,)))
        for name, arguments, value in TRANSFORMS:
            getattr(pyml.distributions, name)(*arguments)(pyml.tensor(value))
        for module, texts in examples.items():
            test_examples.play(stubs, module, texts, [].append)
        found.look()
    return found


@pytest.mark.filterwarnings("ignore")
def test_calls_are_as_the_stubs_say(held):
    """A Parameter may be None, or what parametrizes it, where PyTorch's types too say Parameter."""
    lenient = {key for key, text in held.wrong.items() if text.endswith("is no Parameter")}
    assert {key: text for key, text in held.wrong.items() if key not in lenient} == {}
    assert len(held.called) > 1000


def test_a_wrong_type_is_found(stubs):
    found = Held(stubs)
    [stub] = found.functions["pyml", "scatter_reduce"]
    stub.args.args[-1].annotation = ast.Name("bool")
    stub.returns = ast.Constant(None)
    with found.watching():
        pyml.scatter_reduce(pyml.ones(2), 0, pyml.tensor([1]), pyml.ones(1), "amax")
    assert found.wrong == {
        ("scatter_reduce", "reduce"): "'amax' is no bool",
        ("scatter_reduce", "->"): "Tensor is no None",
    }


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("bool", [True], ["amax", 1, None]),
        ("float", [1, 1.5, np.float64(2)], ["1", pyml.ones(1)]),
        ("int | None", [1, None], [1.5]),
        ("Operand", [pyml.ones(1), np.ones(2), 1, np.float32(1)], ["1", [1]]),
        ("Data", [pyml.ones(1), np.ones(2), 1, [[1, 2], [3, 4]], range(3)], [{1: 2}, [None]]),
        ("Sizes", [1, (2, 3), pyml.Size((2,))], [1.5, ("2",)]),
        ("tuple[int, str]", [(1, "a")], [(1,), (1, 2), [1, "a"]]),
        ("tuple[int, ...]", [(), (1, 2)], [("a",)]),
        ("Mapping[str, int]", [{"a": 1}], [{1: 1}, {"a": "b"}, [1]]),
        ('Literal["dicts"]', ["dicts"], ["stdout"]),
        ("Callable[[int], float]", [len], ["len"]),
        ("type[Module]", [pyml.nn.Linear], [int, pyml.nn.ReLU()]),
        ("Iterable[Tensor]", [[pyml.ones(1)], pyml.ones(1)], [[1], 1]),
        ("_Extremes", [pyml.ones(2).max(0)], [(1, 2)]),
        ("Module", [pyml.nn.ReLU()], [pyml.nn.ReLU]),
        ("_dtype", [pyml.float32], ["float32"]),
        ("Samples[int]", [[1], "ab", pyml.ones(2)], [1]),
        ("Any", [1, None], []),
    ],
)
def test_what_is_of_a_type(stubs, kind, right, wrong):
    assert [value for value in right if not stubs.fits(value, kind)] == []
    assert [value for value in wrong if stubs.fits(value, kind)] == []
