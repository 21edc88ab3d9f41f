"""What each column is, and what is to be predicted."""

import datetime
import re

import numpy as np
import pytest

import pyml
from pyml.tabular import Column, Schema, Table, TableWarning
from pyml.tabular.leaks import HEAD

N = 60
RNG = np.random.default_rng(0)
DAYS = [f"2020-{i % 12 + 1}-{i // 12 + 1}" for i in range(N - 1)]
FEW = [f"class {i % 3}" for i in range(N)]
UUIDS = [f"{i * 7919:08x}-{i}" for i in range(N)]
SENTENCES = [f"the parcel number {i} came late and was damaged" for i in range(N)]


def infer(columns, target=None, **options):
    table = columns if isinstance(columns, Table) else Table(columns)
    return Schema.infer(table, target, **options)


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (RNG.normal(size=N), "number"),
        (np.arange(N) % 7, "number"),
        (RNG.permutation(N) * 3, "number"),
        ([str(i % 9) for i in range(N)], "number"),
        ([f"{i % 9},5" for i in range(N)], "number"),
        ([1.5, "2.5", 3] * 20, "number"),
        ([1.5, "unknown", 3] * 20, "number"),
        ([1.5, "x", 3] * 20, "category"),
        (FEW, "category"),
        (["007", "12"] * 30, "category"),
        (["a", None] * 30, "category"),
        ([5, None] * 30, "category"),
        (np.arange(N) % 2 == 0, "boolean"),
        (np.arange(N) % 2, "boolean"),
        (["yes", "no"] * 30, "boolean"),
        (["Y", "N", None] * 20, "boolean"),
        ([True, None] * 30, "category"),
        ([datetime.date(2020, 1, 1 + i % 28) for i in range(N)], "date"),
        ([f"{1 + i % 28:02}.12.2020" for i in range(N)], "date"),
        (["2020-01-01 10:00", "2020-02-01"] * 30, "date"),
        ([3] * N, "constant"),
        (["x"] * N, "constant"),
        ([None] * N, "constant"),
        (np.arange(N), "identifier"),
        (np.arange(N)[::-1], "identifier"),
        (UUIDS, "identifier"),
        (SENTENCES, "text"),
        ([f"{s} {s}" for s in UUIDS], "text"),
    ],
)
def test_kinds(values, kind):
    schema = infer({"x": values, "other": RNG.normal(size=N)})
    assert schema["x"].kind == kind, str(schema)
    assert schema["x"].is_input == (kind in ("number", "category", "boolean", "date"))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([i % 5 * 101 for i in range(N)], "category"),
        ([f"2020-01-0{1 + i % 5}" for i in range(N)], "category"),
        ([True, False] * 30, "boolean"),
        ([5] * N, "constant"),
        ([5, None] * 30, "category"),
        ([None] * N, "constant"),
        ([i * i for i in range(N)], "number"),  # of which none comes again
        ([f"2020-{1 + i % 12:02}-{1 + i // 12:02}" for i in range(N)], "date"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("package", ["pandas", "pyarrow", "polars"])
def test_categories_are_categories(values, kind, package, tmp_path):
    """What a frame says are categories, whatever they look like; also in a file of the schema."""
    library = pytest.importorskip(package)
    other = RNG.normal(size=N)
    if package == "pandas":
        frame = library.DataFrame({"x": library.Categorical(values), "other": other})
    elif package == "pyarrow":
        frame = library.table({"x": library.array(values).dictionary_encode(), "other": other})
    else:
        texts = [None if value is None else str(value) for value in values]
        frame = library.DataFrame({"x": texts, "other": other})
        frame = frame.with_columns(x=frame["x"].cast(library.Categorical))
    schema = Schema.infer(frame)
    assert schema["x"].kind == kind, str(schema)
    assert Schema.from_state_dict(schema.state_dict())["x"].kind == kind


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("id", "identifier"), ("user_id", "identifier"), ("UserID", "identifier")),
        *(("userId", "identifier"), ("Index", "identifier"), ("row id", "identifier")),
        ("column_1", "identifier"),
        *(("width", "number"), ("valid", "number"), ("paid", "number"), ("IDF", "number")),
        ("column_2", "number"),
    ],
)
def test_names_of_identifiers(name, kind):
    values = RNG.permutation(N) * 3
    assert infer({name: values})[name].kind == kind
    assert infer({name: values % 5})[name].kind == "number"  # they come again


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"key": np.arange(N)}, "column 'key': identifier, it numbers the rows"),
        ({"ü": SENTENCES}, "column 'ü': text, almost no value comes twice"),
        (
            {"age": ["x y", *map(str, range(N - 1))]},
            "column 'age': identifier, mostly numbers, but row 0 has 'x y'",
        ),
        (
            {"fee": [f"${i}.5" for i in range(N)]},
            "column 'fee': identifier, mostly numbers with signs, but row 0 has '$0.5'",
        ),
        (
            {"rate": [f"{i % 9},000 %" for i in range(N)]},
            "column 'rate': category, mostly numbers with signs, but row 0 has '0,000 %'",
        ),
        (
            {"day": [f"{i % 28 + 1}/2/2020" for i in range(N - 1)] + ["31/2/2020"]},
            f"column 'day': category, mostly dates, but row {N - 1} has '31/2/2020'",
        ),
        (
            {"day": ["2020-01-05", "5.1.2020", "1/13/2020"] * (N // 3) + [None] * (N % 3)},
            "column 'day': category, mostly dates, in several orders",
        ),
    ],
)
def test_what_is_warned_of(columns, words):
    with pytest.warns(TableWarning, match=re.escape(words)):
        schema = infer({**columns, "x": RNG.normal(size=N)})
    assert words in schema.warnings and f"warning: {words}" in str(schema)


def test_kinds_may_be_changed():
    columns = {"zip": np.arange(N) % 20, "x": RNG.normal(size=N), "gone": FEW}
    schema = infer(columns, kinds={"zip": "category"}, drop=["gone"])
    assert [column.name for column in schema.inputs] == ["zip", "x"]
    assert schema["zip"].kind == "category" and schema["gone"].kind == "dropped"
    schema["x"].kind = "dropped"
    assert [column.name for column in schema.inputs] == ["zip"]
    with pytest.raises(ValueError, match="column 'x': kind is 'float', it must be 'number', 'cat"):
        schema["x"].kind = "float"
    assert schema["x"].kind == "dropped"
    with pytest.raises(KeyError, match="did you mean 'zip'"):
        schema["zipp"]


COUNTS = np.random.default_rng(1).poisson(1.5, 400)


@pytest.mark.parametrize(
    ("target", "task", "words"),
    [
        (RNG.normal(size=N), "regression", "numbers with 60 different values"),
        (RNG.integers(300, 18_000, N), "regression", "whole numbers"),
        ([f"{i},5" for i in range(N)], "regression", "numbers"),
        (FEW, "multiclass", "text with 3 different values"),
        (np.arange(N) % 10, "multiclass", "whole numbers with 10"),
        (np.arange(N) % 3 + 1.0, "multiclass", "whole numbers with 3"),
        (["a", "b"] * 30, "binary", "two values, a, b"),
        ([True, False] * 30, "binary", "two values"),
        ([0, 1] * 30, "binary", "two values, 0, 1"),
        ([-1, 1] * 30, "binary", "two values, -1, 1"),
        (["0", "1", "2"] * 20, "multiclass", "text with 3"),
        (COUNTS, "counts", "whole numbers from 0 to 7"),
        (np.arange(N) // 4, "regression", "whole numbers with 15"),
        (np.repeat(np.arange(60), np.arange(60, 0, -1)), "regression", "whole numbers with 60"),
        ([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4], "regression", "whole numbers with 8"),
        ([*FEW[:-1], "once"], "multiclass", "text with 4"),
    ],
)
def test_tasks(target, task, words):
    schema = infer({"x": np.linspace(0, 1, len(target)) ** 2, "y": target}, "y")
    assert schema.task == task and words in schema.reason
    assert f"task: {task} of y: {schema.reason}" in str(schema)
    assert list(schema.targets) == ["y"] and list(schema.columns) == ["x"]


def test_categories_are_classes_unless_it_is_said():
    pandas = pytest.importorskip("pandas")
    many = pandas.Categorical(np.arange(N) % 20 * 3)
    frame = pandas.DataFrame({"x": RNG.normal(size=N), "y": many, "z": many[::-1]})
    assert Schema.infer(frame, "y").task == "multiclass"
    assert Schema.infer(frame, "y", task="regression").task == "regression"
    assert Schema.infer(frame, ["y", "z"]).task == "multioutput"
    frame["y"] = pandas.Categorical(np.arange(N) ** 2)
    assert Schema.infer(frame[["x", "y"]], "y").task == "regression"


def test_several_targets():
    table = {"x": RNG.normal(size=N), "a": [0, 1] * 30, "b": ["yes", "no", "no"] * 20}
    schema = infer(table, ["a", "b"])
    assert schema.task == "multilabel" and list(schema.targets) == ["a", "b"]
    schema = infer({**table, "b": RNG.normal(size=N)}, ["a", "b"])
    assert schema.task == "multioutput"
    assert infer(table, ["a"]).task == "binary"


def test_a_task_may_be_given():
    table = {"x": RNG.normal(size=N), "y": np.arange(N) % 10}
    for task in ("regression", "counts", "multiclass"):
        schema = infer(table, "y", task=task)
        assert (schema.task, schema.reason) == (task, "as you said")


def test_leaks_are_warned_of():
    x = RNG.normal(size=N)
    y = x > 0.3
    columns = {
        "x": x,
        "copy": y,
        "label": np.where(y, "high", "low"),
        "sub": np.floor(x * 2),
        "y": y,
    }
    columns["sub"] = np.where(y, 5, 0) + np.arange(N) % 4
    with pytest.warns(TableWarning) as caught:
        infer(columns, "y")
    words = [str(warning.message) for warning in caught]
    assert len(words) == 3
    for name, how in (("copy", "is a copy of"), ("label", "determines"), ("sub", "determines")):
        assert any(f"column '{name}' {how} the target 'y': drop it" in word for word in words)
    with pytest.warns(TableWarning) as caught:
        infer({"meters": x, "z": RNG.normal(size=N), "feet": x / 0.3048 + 1}, "feet")
    assert "column 'meters' is, in another unit, the target 'feet'" in str(caught[0].message)
    assert len(caught) == 1
    with pytest.warns(TableWarning, match="column 'b' is a copy of the target 'a'"):
        infer({"a": ["p", "q", "r"] * 3, "b": ["p", "q", "r"] * 3}, "a")


@pytest.mark.filterwarnings("error")
def test_what_is_no_leak():
    x = RNG.normal(size=N)
    infer({"x": x, "group": np.arange(N) // 3, "y": x + 0.01 * RNG.normal(size=N)}, "y")
    infer({"unique": RNG.permutation(N) * 1.5, "y": FEW}, "y")
    rare = np.isin(np.arange(N), (7, 9))  # it may be chance
    infer({"level": np.where(rare, 3, np.arange(N) % 3), "x": x, "y": rare}, "y")
    level = np.arange(3 * HEAD) % 8
    late = np.arange(3 * HEAD) >= 2 * HEAD  # its first rows alone look as if it were
    infer({"level": level, "y": np.where(late, level % 3 == 0, level % 2 == 0)}, "y")


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({"x": [], "y": []}, {}, "the table has 0 rows, it must have two or more"),
        ({"x": [1.5], "y": [2]}, {}, "the table has 1 row, it must have two or more"),
        ({"x": [1, 2]}, {}, "target has 'y', which is no column; there are 'x'"),
        ({"y": [1, 2]}, {}, "there is no column beside the target"),
        ({"x": [1, 1], "y": [1, 2]}, {}, r"no column can be an input: 'x' \(constant\)"),
        ({"x": ["?!", *DAYS], "y": FEW}, {}, "'x' is mostly dates, but row 0 has '\\?!'"),
        ({"x": [1, 2], "y": [None, None]}, {}, "target 'y' has no value in any row"),
        ({"x": [1, 2], "y": ["a", "a"]}, {}, "target 'y' is a in every row"),
        ({"x": [1, 2], "y": [3, 3]}, {}, "target 'y' is 3 in every row"),
        ({"x": [1, 2], "y": [3, 3]}, {"task": "binary"}, "target 'y' is 3 in every row"),
        ({"x": [1, 2], "y": np.array(["2020", "2021"], "M8[s]")}, {}, "target 'y' is a date"),
        ({"x": [1, 2] * 30, "y": UUIDS}, {}, "target 'y' is identifier"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"task": "regression"}, "'y' is no number: a, b"),
        ({"x": [1, 2], "y": [-1, 1]}, {"task": "counts"}, "'y' is -1.0 somewhere"),
        ({"x": [1, 2, 3], "y": [1, 2, 3]}, {"task": "binary"}, "'y' has 3 different values"),
        ({"x": [1, 2], "y": [1, 2]}, {"task": "multilabel"}, "which needs a list of targets"),
        ({"x": [1, 2], "y": [1, 2]}, {"task": "ranking"}, "task is 'ranking', it must be"),
        ({"x": [1, 2], "y": [1, 2]}, {"kinds": {"y": "number"}}, "'y' is the target"),
        ({"x": [1, 2], "y": [1, 2]}, {"drop": "y"}, "'y' is the target"),
        ({"x": [1, 2], "y": [1, 2]}, {"drop": ["z"]}, "drop has 'z', which is no column"),
        ({"x": [1, 2], "y": [1, 2]}, {"kinds": {"xx": "number"}}, "did you mean 'x'"),
        ({"x": [1, 2], "y": [1, 2]}, {"kinds": {"x": "float"}}, "column 'x': kind is 'float'"),
    ],
)
def test_errors(columns, options, words):
    with pytest.raises(ValueError, match=words):
        infer(columns, "y", **options)


def test_names_that_are_numbers():
    """As of frames of pandas without names."""
    schema = infer({0: RNG.normal(size=N), 1: FEW, 2: FEW}, 1, drop=[2])
    assert list(schema.targets) == ["1"] and schema["2"].kind == "dropped"
    with pytest.raises(TypeError, match="kinds is 'number', it must be a dict"):
        infer({0: [1, 2]}, kinds="number")


def test_values_are_no_names():
    """Of an array or a series the message has one, not all."""
    series = pytest.importorskip("pandas").Series
    for kind in (np.array, series):
        infer({"x": RNG.normal(size=N), "y": FEW, "z": FEW}, kind(["y"]), drop=kind(["z"]))
        with pytest.raises(ValueError, match=r"target has '0\.5', which is no column"):
            infer({"x": [1, 2]}, kind([0.5, 2.5]))


def test_errors_of_several_targets():
    columns = {"x": [1, 2] * 9, "a": ["p", "q"] * 9, "b": [0, 1] * 9}
    with pytest.raises(ValueError, match="each must be a number for multioutput, 'a' is p, q"):
        infer(columns, ["b", "a"])
    with pytest.raises(ValueError, match="task is 'binary', which has one target, not 2"):
        infer(columns, ["a", "b"], task="binary")
    with pytest.raises(ValueError, match="target has a name twice"):
        infer(columns, ["a", "a"])


def test_rows_with_a_target():
    table = Table({"x": RNG.normal(size=36), "y": ["a", None, "b", "a"] * 9})
    schema = infer(table, "y")
    labelled = table.take(schema.labelled(table))
    assert labelled.rows == 27 and None not in labelled["y"].tolist()
    assert schema["y"].missing == 9


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
def test_a_schema_is_kept_in_files(tmp_path):
    schema = infer(
        {"é": FEW, "id": np.arange(N), "d": ["1.2.2020", "3.2.2020"] * 30, "y": FEW}, "y"
    )
    pyml.save(schema.state_dict(), tmp_path / "x")
    again = Schema.from_state_dict(pyml.load(tmp_path / "x"))
    assert str(again) == str(schema) and again.state_dict() == schema.state_dict()
    assert again.formats() == schema.formats()


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("rows"),
        lambda state: state.update(task="ranking"),
        lambda state: state.update(task=None),
        lambda state: state.update(rows="many"),
        lambda state: state.update(warnings=[1]),
        lambda state: state["columns"].append(state["columns"][0]),
        lambda state: state["columns"].append("x"),
        lambda state: state["columns"][0].update(kind="float"),
        lambda state: state["columns"][0].update(arrived="x"),
        lambda state: state["columns"][0].update(format="x"),
        lambda state: state["columns"][0].update(missing=True),
        lambda state: state["columns"][0].pop("name"),
    ],
)
def test_damaged_states_are_refused(change):
    state = infer({"x": RNG.normal(size=N), "y": FEW}, "y").state_dict()
    change(state)
    with pytest.raises(ValueError):
        Schema.from_state_dict(state)


def test_wide_tables_are_printed_in_part():
    schema = infer({f"列{i}": RNG.normal(size=5) for i in range(200)})
    text = str(schema)
    assert "... and 140 columns more" in text and "200 columns, 200 of them inputs" in text
    lines = text.splitlines()
    assert lines[2].index("number") == lines[1].index("kind") - 1  # a wide letter is one letter
    assert repr(Column("a", "number", "number", None, 0, 2, "", "")) == "Column('a', number)"
