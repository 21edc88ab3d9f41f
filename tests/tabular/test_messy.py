"""Tables as users make them: each becomes a model that predicts from the raw file, or says why not.

Each is a file's content, the target, and either the task with the kinds of some columns, or the
words by which it is refused.
"""

import numpy as np
import pytest

import pyml
from pyml.tabular import Schema, TableWarning, TabularModel, read, split

pytest.importorskip("pyarrow")

N = 60
RNG = np.random.default_rng(7)
AGE, PAY = RNG.integers(18, 80, N), RNG.normal(50_000, 9_000, N)
TOWN = [("Zürich", "São Paulo", "東京")[i % 3] for i in range(N)]


def lines(header, row, separator=","):
    rows = (row(i) for i in range(N))
    return "\n".join([separator.join(header), *(separator.join(map(str, r)) for r in rows)]) + "\n"


def german(number):
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


WORKS = {
    "German Excel: semicolons, decimal commas, groups, dates, cp1252": (
        lines(
            ("Größe", "Gehalt", "Datum", "Ort"),
            lambda i: (
                german(AGE[i] / 7),
                german(PAY[i]),
                f"{1 + i % 28:02}.03.2021",
                "Köln" if i % 3 else "Bonn",
            ),
            ";",
        ).encode("cp1252"),
        "Gehalt",
        ("regression", {"Größe": "number", "Datum": "date", "Ort": "category"}),
    ),
    "American: groups in quotes, month first, a mark at the beginning": (
        lines(
            ("age", "pay", "day"),
            lambda i: (AGE[i], f'"{PAY[i]:,.0f}"', f"{1 + i % 12}/{13 + i % 15}/2021"),
        ).encode("utf-8-sig"),
        "pay",
        ("regression", {"day": "date"}),
    ),
    "an index that pandas wrote, and blanks around everything": (
        lines(("", " age ", " label"), lambda i: (i, f" {AGE[i]} ", " yes" if i % 3 else " no")),
        "label",
        ("binary", {"column_1": "identifier", "age": "number"}),
    ),
    "question marks, dashes and NA among numbers": (
        lines(
            ("a", "b", "y"), lambda i: (AGE[i] if i % 5 else "?", PAY[i] if i % 7 else "-", TOWN[i])
        ),
        "y",
        ("multiclass", {"a": "number", "b": "number"}),
    ),
    "numbers with a few words": (
        lines(("dose", "x", "y"), lambda i: ("high" if i % 15 == 0 else i % 9, PAY[i], TOWN[i])),
        "y",
        ("multiclass", {"dose": "category"}),
    ),
    "names of columns twice": (
        lines(("a", "a", "y"), lambda i: (AGE[i], PAY[i], TOWN[i])),
        "y",
        ("multiclass", {"a": "number", "a.1": "number"}),
    ),
    "names that are not ASCII, with quotes, commas and line ends": (
        lines(('"größe, ""cm"""', '"two\nlines"', "日付"), lambda i: (AGE[i], PAY[i], TOWN[i])),
        "日付",
        ("multiclass", {'größe, "cm"': "number", "two\nlines": "number"}),
    ),
    "no names": (
        lines(("1", "2.5", "3"), lambda i: (AGE[i], PAY[i], AGE[i] % 2)),
        "column_3",
        ("multiclass", {"column_1": "number"}),
    ),
    "an empty column, a constant one, and a comma at the end of lines": (
        lines(("a", "none", "same", "y", ""), lambda i: (AGE[i], "", "x", TOWN[i], "")),
        "y",
        ("multiclass", {"none": "constant", "same": "constant", "column_5": "constant"}),
    ),
    "codes with zeros in front": (
        lines(("code", "x", "y"), lambda i: (f"{i % 4:03}", PAY[i], AGE[i])),
        "y",
        ("regression", {"code": "category"}),
    ),
    "e-mails, keys and comments beside one number": (
        lines(
            ("mail", "user_id", "comment", "x", "y"),
            lambda i: (
                f"{i}@x.org",
                i * 37 % 101,
                f"no {i} is not what I had in mind",
                PAY[i],
                TOWN[i],
            ),
        ),
        "y",
        ("multiclass", {"mail": "identifier", "user_id": "identifier", "comment": "text"}),
    ),
    "a class that occurs once": (
        lines(("x", "y"), lambda i: (PAY[i], "rare" if i == 30 else TOWN[i])),
        "y",
        ("multiclass", {}),
    ),
    "targets that are missing": (
        lines(("x", "y"), lambda i: (PAY[i], "" if i % 4 == 0 else AGE[i] / 2)),
        "y",
        ("regression", {}),
    ),
    "the target in another column": (
        lines(("x", "copy", "y"), lambda i: (PAY[i], AGE[i] * 2, AGE[i])),
        "y",
        ("regression", {"copy": "number"}),
    ),
    "TRUE and FALSE of Excel, and 1 and 0": (
        lines(("a", "b", "y"), lambda i: ("TRUE" if i % 3 else "FALSE", i % 2, PAY[i])),
        "y",
        ("regression", {"a": "boolean", "b": "boolean"}),
    ),
    "times of several zones, and infinite numbers": (
        lines(
            ("when", "x", "y"),
            lambda i: (
                f"2021-03-{1 + i % 28:02}T10:00:00+0{i % 3}:00",
                "inf" if i == 5 else PAY[i],
                TOWN[i],
            ),
        ),
        "y",
        ("multiclass", {"when": "date", "x": "number"}),
    ),
    "numbers far too large and far too small": (
        lines(("x", "y"), lambda i: (f"{PAY[i]:.3f}e{i * 10 - 300}", AGE[i])),
        "y",
        ("regression", {"x": "number"}),
    ),
    "tabs, quotes and separators in text": (
        lines(
            ("a", "t", "y"), lambda i: (AGE[i], '"x\ty; ""z"""' if i % 2 else '"w,"', PAY[i]), "\t"
        ),
        "y",
        ("regression", {"t": "category"}),
    ),
    "lines of Windows, blank ones between": (
        lines(("a", "y"), lambda i: (AGE[i], PAY[i])).replace("\n", "\r\n\r\n"),
        "y",
        ("regression", {}),
    ),
    "five hundred columns": (
        "\n".join(
            [",".join([f"x{j}" for j in range(500)] + ["y"])]
            + [",".join([*(str((i * j) % 11) for j in range(500)), TOWN[i]]) for i in range(12)]
        ),
        "y",
        ("multiclass", {"x7": "number"}),
    ),
    "numbers of customers with more digits than numbers have": (
        lines(("customer", "x", "y"), lambda i: (10**25 + i % 9, PAY[i], TOWN[i])),
        "y",
        ("multiclass", {"customer": "category"}),
    ),
    "UTF-32 with its mark": (
        lines(("größe", "y"), lambda i: (PAY[i], TOWN[i])).encode("utf-32"),
        "y",
        ("multiclass", {"größe": "number"}),
    ),
    "two rows": ("x,y\n1,a\n2,b\n", "y", ("binary", {})),
}

REFUSED = {
    "no rows": ("x,y\n", "y", "the table has 0 rows"),
    "one row": ("x,y\n1,2\n", "y", "the table has 1 row"),
    "one column": ("y\n1\n2\n", "y", "there is no column beside the target"),
    "a target that is not there": ("x,prize\n1,2\n3,4\n", "price", "did you mean 'prize'"),
    "a target of one value": ("x,y\n1,a\n2,a\n", "y", "the target 'y' is a in every row"),
    "a target of sentences": (
        lines(("x", "y"), lambda i: (i % 7, f"this is what number {i} said to us")),
        "y",
        "the target 'y' is text",
    ),
    "a title above the table": (
        "Report of 2021\n" + lines(("a", "b", "y"), lambda i: (AGE[i], PAY[i], i)),
        "y",
        "row 2 has 3 fields, the first has 1.*skip= lines",
    ),
    "a row with a comma too many": (
        "a,y\n1,2\n3,4,5\n",
        "y",
        "row 3 has 3 fields, the first has 2",
    ),
    "nothing but names of people": (
        lines(("name", "y"), lambda i: (f"Ann{i} Smith{i}", i % 2)),
        "y",
        r"no column can be an input: 'name' \(text\)",
    ),
    "UTF-16 without its mark": (
        lines(("x", "y"), lambda i: (PAY[i], TOWN[i])).encode("utf-16-le"),
        "y",
        "if it is UTF-16, encoding='utf-16-le'",
    ),
    "bytes that are not UTF-8, far below": (
        b"x,y\n" + b"1.5,a\n" * 60_000 + b"1,\xff\n",
        "y",
        "give another encoding, as encoding='cp1252'",
    ),
    "a target with minus signs of a text processor": (
        lines(("x", "y"), lambda i: (PAY[i], f"\u2212{PAY[i]:.1f}")),
        "y",
        "mostly numbers with signs, but row 0 has '\u2212",
    ),
    "groups of digits with spaces between": (
        lines(("x", "y"), lambda i: (f"{i % 9 + 1}\u202f{AGE[i]}5", TOWN[i])),
        "y",
        "mostly numbers with signs, but row 0 has",
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "y", "has zero bytes"),
}


def written(content, path):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize("name", WORKS)
def test_becomes_a_model(name, tmp_path):
    content, target, (task, kinds) = WORKS[name]
    path = written(content, tmp_path / "raw.csv")
    table = read(path)
    schema = Schema.infer(table, target)
    assert schema.task == task, str(schema)
    assert {name: schema[name].kind for name in kinds} == kinds, str(schema)
    table = table.take(schema.labelled(table))
    parts = split(table, test=0.2, validation=0, seed=1) if table.rows > 20 else None
    train = table if parts is None else table.take(parts.train)
    model = TabularModel.for_table(schema, train, hidden=(4,))
    inputs, y = model.inputs(train), model.targets(train)
    loss = model.loss()(model(*inputs), y)
    loss.backward()
    assert np.isfinite(loss.item())
    assert all(np.isfinite(p.grad.numpy()).all() for p in model.parameters())
    model.save(tmp_path / "model")
    again = TabularModel.load(tmp_path / "model")
    predicted = again.predict(path)  # from the raw file
    assert len(predicted) == read(path).rows
    model.eval()
    assert (
        again.outputs(path)[schema.labelled(read(path))].tobytes() == model.outputs(table).tobytes()
    )


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_says_why_not(name, tmp_path):
    content, target, words = REFUSED[name]
    path = written(content, tmp_path / "raw.csv")
    with pytest.raises(ValueError, match=words):
        Schema.infer(path, target)


def test_ten_thousand_columns():
    columns = {f"x{i}": RNG.permutation(20) for i in range(9_000)}
    columns |= {f"c{i}": [TOWN[i * j % 3] for j in range(20)] for i in range(1, 1_000)}
    table = pyml.tabular.Table({**columns, "y": AGE[:20] + PAY[:20]})
    schema = Schema.infer(table, "y")
    assert "columns more" in str(schema)
    model = TabularModel.for_table(schema, table, hidden=(4,), numbers="standard")
    assert np.isfinite(model.predict(table)).all()


def test_names_of_frames():
    """Without a name a column is its number; levels without a name are none."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([[1.5, 2, 3]], columns=["", None, "y"])
    assert read(frame).names == ["column_1", "column_2", "y"]
    frame.columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("y", "")])
    assert read(frame).names == ["a.1", "a.2", "y"]


def test_objects_of_polars():
    pl = pytest.importorskip("polars")
    series = pl.Series([(1, 2), None], dtype=pl.Object)
    assert read(pl.DataFrame({"x": series}))["x"].tolist() == ["(1, 2)", None]


def test_there_are_twenty():
    assert len(WORKS) >= 20


def test_what_was_detected_is_said(tmp_path):
    content, target, _ = WORKS["German Excel: semicolons, decimal commas, groups, dates, cp1252"]
    table = read(written(content, tmp_path / "x"))
    assert table.notes == ["it is not UTF-8, and was read as cp1252", "fields are separated by ';'"]
    assert table.formats == {"Größe": "1.000,0", "Gehalt": "1.000,0"}
    np.testing.assert_allclose(table["Gehalt"], np.round(PAY, 2))
    content, target, _ = WORKS["the target in another column"]
    with pytest.warns(TableWarning, match="column 'copy' is, in another unit, the target 'y'"):
        Schema.infer(written(content, tmp_path / "x"), target)


def test_targets_that_are_missing_are_told(tmp_path):
    content, target, _ = WORKS["targets that are missing"]
    table = read(written(content, tmp_path / "x"))
    schema = Schema.infer(table, target)
    with pytest.raises(ValueError, match=r"'y' is missing in 15 rows: 0, 4, 8, 12, 16, \.\.\."):
        TabularModel.for_table(schema, table)


def test_a_random_state_is_not_touched(tmp_path):
    """What reads and splits does not draw from the generator that trainings use."""
    content, target, _ = WORKS["a class that occurs once"]
    state = pyml.get_rng_state().tolist()
    table = read(written(content, tmp_path / "x"))
    split(table, stratify=target)
    Schema.infer(table, target)
    assert pyml.get_rng_state().tolist() == state
