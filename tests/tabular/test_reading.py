"""Every kind of file and frame gives the same Table."""

import bz2
import datetime
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pytest

import pyml
from pyml.tabular import Schema, Table, TableWarning, read, read_batches

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("openpyxl")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

WANTED = {
    "n": np.array([1, 2, 3]),
    "x": np.array([0.5, np.nan, -2.0]),
    "naïve": np.array(["a", None, "ü, ß"], object),
}
LINES = 'n,x,naïve\n1,0.5,a\n2,,\n3,-2.0,"ü, ß"\n'


def same(table, wanted=WANTED):
    assert table.names == list(wanted)
    for name, values in wanted.items():
        assert table[name].dtype == values.dtype, (name, table[name])
        if values.dtype == object:
            assert table[name].tolist() == values.tolist()
        else:
            np.testing.assert_array_equal(table[name], values)


def by_arrow(kind):
    def write(path, content):
        with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, kind) as out:
            out.write(content)

    return write


def zipped(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.csv", content)


TEXT_FILES = {
    "x.csv": lambda path, content: path.write_bytes(content),
    "no ending": lambda path, content: path.write_bytes(content),
    "x.csv.gz": lambda path, content: path.write_bytes(gzip.compress(content)),
    "twice.gz": lambda path, content: path.write_bytes(
        gzip.compress(content[:9]) + gzip.compress(content[9:])
    ),
    "x.csv.bz2": lambda path, content: path.write_bytes(bz2.compress(content)),
    "x.csv.xz": lambda path, content: path.write_bytes(lzma.compress(content)),
    "x.csv.zst": by_arrow("zstd"),
    "x.csv.lz4": by_arrow("lz4"),
    "x.csv.br": by_arrow("brotli"),
    "x.zip": zipped,
}


@pytest.mark.parametrize("name", TEXT_FILES)
def test_compressed_text(name, tmp_path):
    TEXT_FILES[name](tmp_path / name, LINES.encode())
    same(read(tmp_path / name))
    same(read(str(tmp_path / name)))


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (LINES.replace(",", "\t").replace("ü\t", "ü,"), ["fields are separated by '\\t'"]),
        (LINES.replace(",", ";").replace("ü;", "ü,"), ["fields are separated by ';'"]),
        (LINES.replace(",", "|").replace("ü|", "ü,"), ["fields are separated by '|'"]),
        (LINES.replace("\n", "\r\n"), []),
        ("\ufeff" + LINES, []),
        (LINES + "\n\n", []),
    ],
)
def test_dialects(text, notes, tmp_path):
    (tmp_path / "x").write_bytes(text.encode())
    table = read(tmp_path / "x")
    same(table)
    assert table.notes == notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_encodings(encoding, tmp_path):
    (tmp_path / "x").write_bytes(LINES.encode(encoding))
    same(read(tmp_path / "x"))
    same(read(tmp_path / "x", encoding=encoding))


@pytest.mark.parametrize(
    ("text", "values", "format"),
    [
        ("a;b\n1,5;x\n2,25;y\n", [1.5, 2.25], "1.000,0"),
        ("a;b\n1.234,5;x\n12;y\n", [1234.5, 12], "1.000,0"),
        ('a,b\n"1,5",x\n"2",y\n', [1.5, 2], "1.000,0"),
        ('a,b\n"1,234",x\n"12,345.5",y\n', [1234, 12345.5], "1,000.0"),
        ("a;b\n1.234;0,5\n12;1\n", [1234, 12], "1.000,0"),  # as b says
        ("a,b\n1.5,x\n-,y\n", [1.5, np.nan], "."),
        ("a,b\n?,x\n7.5,y\n", [np.nan, 7.5], "."),
        ("a,b\n+1e3,x\n.5,y\n", [1000, 0.5], "."),
        ("a,b\n9223372036854775808.,x\n1,y\n", [2.0**63, 1], "."),
        ("a,b\n9223372036854775807,x\n-1,y\n", [2**63 - 1, -1], "."),
    ],
)
def test_numbers(text, values, format, tmp_path):
    (tmp_path / "x").write_text(text)
    table = read(tmp_path / "x")
    np.testing.assert_array_equal(table["a"], values)
    assert table.formats["a"] == format


@pytest.mark.parametrize("cells", [["007", "12"], ["1,2,3", "1"], ["12 kg", "3"], ["-", "none"]])
def test_what_stays_text(cells, tmp_path):
    (tmp_path / "x").write_text("a;b\n" + "".join(f"{cell};1\n" for cell in cells))
    table = read(tmp_path / "x")
    assert table["a"].tolist() == cells and "a" not in table.formats


def test_options_of_text(tmp_path):
    path = tmp_path / "x"
    path.write_text("a title\n\n1,234 2\n5 6\n")
    table = read(path, skip=2, separator=" ", header=False, decimal=".")
    same(table, {"column_1": np.array([1234, 5]), "column_2": np.array([2, 6])})
    table = read(path, skip=2, separator=" ", header=False, decimal=",")
    assert table["column_1"].tolist() == [1.234, 5]
    path.write_text("1.5,2\n3,4\n")
    table = read(path)
    assert table.names == ["column_1", "column_2"] and table.rows == 2
    assert "its first line is all numbers" in table.notes[0]
    assert read(path, header=True).names == ["1.5", "2"]
    same(read(path, columns=["column_2"]), {"column_2": np.array([2, 4])})
    path.write_text("a,\n1,2\n")
    assert read(path).names == ["a", "column_2"]
    path.write_text('a,b\n"two\nlines",1\n')
    assert read(path)["a"].tolist() == ["two\nlines"]
    path.write_text("a,b\n")
    assert (read(path).rows, read(path).names) == (0, ["a", "b"])
    path.write_text("a\n1\n2\n")
    assert read(path)["a"].tolist() == [1, 2]


def test_names_that_are_there_twice(tmp_path):
    (tmp_path / "x").write_text("a,b,a\n1,2,3\n")
    with pytest.warns(TableWarning, match="several columns 'a'"):
        table = read(tmp_path / "x")
    assert table.names == ["a", "b", "a.1"] and table["a.1"].tolist() == [3]


FRAME = pandas.DataFrame(WANTED)
ARROW = pa.table({"n": [1, 2, 3], "x": [0.5, None, -2.0], "naïve": ["a", None, "ü, ß"]})
ROWS = ARROW.to_pylist()


def partitions(path):
    path.mkdir()
    for i in range(3):
        parquet.write_table(ARROW.slice(i, 1), path / f"{i}.parquet")


def stream(path):
    with pa.ipc.new_stream(path, ARROW.schema) as out:
        out.write_table(ARROW)


FILES = {
    "x.parquet": lambda path: parquet.write_table(ARROW, path),
    "x.parquet.brotli": lambda path: parquet.write_table(ARROW, path, compression="brotli"),
    "folder": partitions,
    "x.feather": lambda path: feather.write_feather(ARROW, path),
    "x.arrows": stream,
    "x.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS)) + "\n"),
    "x.jsonl.gz": lambda path: path.write_bytes(
        gzip.compress("\n".join(map(json.dumps, ROWS)).encode())
    ),
    "x.json": lambda path: path.write_text(json.dumps(ROWS, indent=1)),
    "columns.json": lambda path: path.write_text(json.dumps(ARROW.to_pydict(), indent=1)),
    "columns": lambda path: path.write_text(json.dumps(ARROW.to_pydict())),
    "x.xlsx": lambda path: FRAME.to_excel(path, index=False),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name, tmp_path):
    FILES[name](tmp_path / name)
    same(read(tmp_path / name))
    pieces = list(read_batches(tmp_path / name, 2))
    assert sum(piece.rows for piece in pieces) == 3
    assert [n for piece in pieces for n in piece["n"].tolist()] == [1, 2, 3]
    same(read(tmp_path / name, columns="x"), {"x": WANTED["x"]})


FRAMES = {
    "pandas": FRAME,
    "pandas of Arrow": ARROW.to_pandas(types_mapper=pandas.ArrowDtype),
    "pandas, converted": FRAME.astype({"x": "Float64", "n": "Int8"}),
    "pandas, categories": FRAME.astype({"naïve": "category"}),
    "polars": polars.from_arrow(ARROW),
    "polars, lazy": polars.from_arrow(ARROW).lazy(),
    "polars, categories": polars.from_arrow(ARROW).with_columns(
        polars.col("naïve").cast(polars.Categorical)
    ),
    "arrow": ARROW,
    "arrow, a batch": ARROW.to_batches()[0],
    "arrow, dictionary": ARROW.set_column(2, "naïve", ARROW["naïve"].dictionary_encode()),
    "dict": ARROW.to_pydict(),
    "dict of arrays": WANTED,
    "dict of tensors": WANTED | {"n": pyml.tensor([1, 2, 3])},
    "rows": ROWS,
    "structured": FRAME.to_records(index=False),
    "a table": Table(WANTED),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name):
    same(read(FRAMES[name]))
    assert [piece.rows for piece in read_batches(FRAMES[name], 2)] == [2, 1]


def test_periods_of_pandas_are_dates():
    periods = pandas.period_range("2020-01", periods=2, freq="M")
    found = read(pandas.DataFrame({"p": periods}))["p"]
    np.testing.assert_array_equal(found, np.array(["2020-01", "2020-02"], "M8[us]"))


def test_times_of_day_are_seconds_in_every_frame():
    """Objects in pandas, a type of Arrow's in polars."""
    times = [datetime.time(1, 2, 3, 100), None, datetime.time(23)]
    wanted = np.array([3723.0001, np.nan, 82800])
    for frame in (pandas.DataFrame({"t": times}), pa.table({"t": times})):
        np.testing.assert_array_equal(read(frame)["t"], wanted)


def test_arrays_of_two_dimensions():
    same(read(np.eye(2)), {"x0": np.array([1.0, 0]), "x1": np.array([0.0, 1])})
    assert read(pyml.zeros(3, 2)).names == ["x0", "x1"]
    assert read(pandas.Series([1, 2], name="s"))["s"].tolist() == [1, 2]


MOMENT = np.datetime64("2020-01-02T03:04:05", "us")


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (pa.array([True, False]), [True, False]),
        (pa.array([True, None]), [1.0, np.nan]),
        (pa.array([1, None], pa.int8()), [1.0, np.nan]),
        (pa.array([2**60, None]), [str(2**60), None]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([Decimal(2**64)], pa.decimal128(38, 0)), ["18446744073709551616"]),
        (pa.array([b"a", None], pa.large_binary()), ["a", None]),
        (pa.array([1.5], pa.float32()), [1.5]),
        (pa.array(["1.50"]).cast(pa.decimal128(5, 2)), [1.5]),
        (pa.array([MOMENT.item(), None], pa.timestamp("ns", "Europe/Berlin")), [MOMENT, "NaT"]),
        (pa.array([MOMENT.item().date()], pa.date32()), [MOMENT.astype("M8[D]")]),
        (pa.array([90_000], pa.duration("ms")), [90.0]),
        (pa.array([90], pa.time32("s")), [90.0]),
        (pa.array([None, None]), [np.nan, np.nan]),
        (pa.array([[1, 2], None]), ["[1, 2]", None]),
        (pa.array([{"a": 1}]), ['{"a": 1}']),
        (pa.array(["a", " "], pa.large_string()), ["a", None]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_types_of_arrow(array, wanted):
    found = read(pa.table({"a": array}))["a"]
    if isinstance(wanted[0], str):
        assert found.tolist() == wanted
    else:
        np.testing.assert_array_equal(found, np.array(wanted, found.dtype))


def test_a_type_that_is_none():
    with pytest.raises(TypeError, match="column 'é' is of Arrow's type fixed_size_binary"):
        read(pa.table({"é": pa.array([b"a"], pa.binary(1))}))


def test_batches_of_text_are_of_one_kind(tmp_path):
    """The first batch decides; what is then no number stays text, and is not silently missing."""
    lines = ["a,b,c", *(f"{i},{i},0{i}" for i in range(4)), "x,7,1", "8,9,2"]
    (tmp_path / "x").write_text("\n".join(lines))
    batches = list(read_batches(tmp_path / "x", 4))
    assert [batch.rows for batch in batches] == [4, 2]
    assert batches[0]["a"].tolist() == [0, 1, 2, 3] and batches[1]["a"].tolist() == ["x", "8"]
    assert batches[1]["b"].tolist() == [7, 9] and batches[1]["c"].tolist() == ["1", "2"]


def test_batches_of_json_have_the_names_of_those_before(tmp_path):
    (tmp_path / "x").write_text('{"a": 1, "b": 2}\n{"a": 3}\n{"c": 4}\n')
    batches = list(read_batches(tmp_path / "x", 1))
    assert [batch.names for batch in batches] == [["a", "b"], ["a", "b"], ["a", "b", "c"]]
    assert np.isnan(batches[1]["b"]).all()


def test_the_format_of_a_file_stays(tmp_path):
    """1.234 is what the numbers before it say, not what the training file's numbers were."""
    train = Table({"x": [f"{i},5" for i in range(30)], "y": np.arange(30.0) ** 2})
    schema = Schema.infer(train, "y")
    for lines, wanted in ((["1.5", "1.234"], [1.5, 1.234]), (["1,5", "1.234"], [1.5, 1234])):
        (tmp_path / "x").write_text("x;z\n" + "".join(f"{line};0\n" for line in lines))
        batches = read_batches(tmp_path / "x", 1, schema=schema)
        assert [batch["x"][0] for batch in batches] == wanted


def test_a_schema_says_what_is_text(tmp_path):
    """A file of digits alone does not turn the categories of the training file into numbers."""
    train = Table({"zip": ["01", "x", "02"] * 9, "y": np.arange(27.0)})
    schema = Schema.infer(train, "y")
    (tmp_path / "x").write_text("zip\n01\n02\n")
    assert read(tmp_path / "x", schema=schema)["zip"].tolist() == ["01", "02"]
    (tmp_path / "x").write_text("zip\n1\n2\n")
    assert read(tmp_path / "x", schema=schema)["zip"].tolist() == ["1", "2"]
    assert read(tmp_path / "x")["zip"].tolist() == [1, 2]


def test_what_is_said_to_be_text_is_no_number(tmp_path):
    (tmp_path / "x").write_text("zip,y\n" + "".join(f"{i % 5},{i * i}\n" for i in range(30)))
    for options, kind in ({"text": ["zip"]}, "category"), ({}, "number"):
        assert Schema.infer(read(tmp_path / "x", **options), "y")["zip"].kind == kind


def compressed(kind, content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, kind) as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def zipfile_of(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "1")
    return content.getvalue()


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b" \n \n", "is empty"),
    "zeros": (b"a,b\n\0,1\n", "has zero bytes"),
    "fields": (b"a,b\n1,2\n3,4,5\n", r"row 3 has 3 fields, the first has 2: '3,4,5'"),
    "gzip": (gzip.compress(LINES.encode() * 100)[:-20], "is damaged"),
    "gzip 2": (b"\x1f\x8bxxxxxxxxxxxxxxxx", "is damaged"),
    "xz": (lzma.compress(LINES.encode())[:-9], "is damaged"),
    "zstd": (compressed("zstd", LINES.encode() * 100)[:-20], "is damaged"),
    "zip": (zipfile_of("[Content_Types].xml"), "is no workbook of Excel"),
    "parquet": (b"PAR1xxxxxxxxxxxxxxxxPAR1", "bad:"),
    "arrow": (b"ARROW1xxxxxxxxxxxxxxxxxx", "bad:"),
    "excel": (b"PK\x03\x04xxxx", "is damaged"),
    "old excel": (b"\xd0\xcf\x11\xe0xxxxxxxxx", "old Excel"),
    "json": (b'{"a": 1}\n{"a": \n', "row 2: is no JSON"),
    "json 2": (b'[{"a": 1}, 2]', "row 2 is 2, it must be names and values"),
    "json 3": (b'{"a": 1}\n[1]\n', r"row 2 is \[1\]"),
    "json 4": (b'[{"a": 1}', "is no JSON"),
    "json 5": (b"[" * 100_000 + b"{", "is no JSON"),
    "json 6": (b'{"a":' * 100_000, "is no JSON"),
    "quote": (b'a,"b\n1,2\n', "a quote is opened and never closed"),
    "mark": (b"\xef\xbb\xbf", "has no names"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_the_last_line_may_have_no_end(encoding, tmp_path):
    path = tmp_path / "table.csv"
    for text, rows in (("ä,b", 0), ("1,2", 1), ('"ä\nc",b', 0), ('ä,b\n1,"x\ny"', 1)):
        path.write_bytes(text.encode(encoding))
        assert read(path).rows == rows and len(read(path).names) == 2


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is a pipe, which can be read only once"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name, tmp_path):
    content, words = BAD[name]
    (tmp_path / "bad").write_bytes(content)
    for attempt in (read, lambda path: list(read_batches(path, 1))):
        with pytest.raises(ValueError, match=words) as caught:
            attempt(tmp_path / "bad")
        assert "bad" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p: read(p / "none.csv"), FileNotFoundError, "none.csv"),
        (lambda p: read(p / "x.csv", columns=["m"]), ValueError, "no column 'm'"),
        (lambda p: read(p / "x.csv", separator=", "), ValueError, "separator is ', '"),
        (lambda p: read(p / "x.csv", decimal=";"), ValueError, "decimal is ';'"),
        (lambda p: read(p / "x.csv", encoding="utf-9"), ValueError, "encoding is 'utf-9'"),
        (lambda p: read(p / "x.csv", seperator=","), TypeError, "did you mean 'separator'"),
        (lambda p: read(p / "x.csv", skip=-1), ValueError, "skip is -1"),
        (lambda p: read(p / "x.csv", text="x"), TypeError, "text is 'x', it must be names"),
        (lambda p: read(p / "x.csv", text=["m"]), ValueError, "read: text: there is no column 'm'"),
        (lambda p: read(p / "x.csv", skip=99), ValueError, "nothing below the 99 lines"),
        (lambda p: read(p / "x.csv", encoding="ascii"), ValueError, "not of the encoding|encoding"),
        (lambda p: read_batches(p / "x.csv", 0), ValueError, "rows is 0"),
        (lambda p: read(3), TypeError, "source is a int"),
        (lambda p: read(np.zeros(3)), ValueError, r"source has shape \(3,\)"),
        (lambda p: read({"a": [1], "b": [1, 2]}), ValueError, "column 'b' has 2 rows"),
        (lambda p: read(p / "x.xlsx", sheet="no"), ValueError, "there is no sheet 'no'"),
        (lambda p: read(p / "x.xlsx", sheet=5), ValueError, "sheet is 5"),
        (lambda p: read(p / "two.zip"), ValueError, "has 2 files"),
        (lambda p: read(p / "nothing"), ValueError, "nothing"),
    ],
)
def test_errors(call, error, words, tmp_path):
    (tmp_path / "x.csv").write_bytes(LINES.encode())
    FRAME.to_excel(tmp_path / "x.xlsx", index=False)
    (tmp_path / "two.zip").write_bytes(zipfile_of("a", "b"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(error, match=words):
        call(tmp_path)


@pytest.mark.parametrize(
    ("missing", "what", "extra"),
    [("pyarrow", "x.csv", "table"), ("openpyxl", "x.xlsx", "excel")],
)
def test_missing_packages_are_named(missing, what, extra, tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_bytes(LINES.encode())
    FRAME.to_excel(tmp_path / "x.xlsx", index=False)
    for name in [n for n in sys.modules if n.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ModuleNotFoundError, match=rf'needs {missing}: pip install "pyml-nn\[{extra}'
    ):
        read(tmp_path / what)


def test_without_packages_arrays_and_json_are_read(tmp_path):
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    program = f"""
import sys
for name in ("pyarrow", "pandas", "polars", "openpyxl"):
    sys.modules[name] = None
from pyml import tabular
print(tabular.read({str(tmp_path / "x.jsonl")!r}).rows, tabular.read({{"a": ["1", "x"]}}).rows)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "3 2\n", done.stderr


def test_large_files_take_little_memory(tmp_path):
    """10 MB in batches stay far below what reading them at once takes."""
    line = ",".join(["1.2345", "some text here", "7"] * 4) + "\n"
    (tmp_path / "x.csv").write_text(",".join(f"c{i}" for i in range(12)) + "\n" + line * 100_000)
    program = f"""
import resource
from pyml import tabular
next(tabular.read_batches({str(tmp_path / "x.csv")!r}, 1000))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(t.rows for t in tabular.read_batches({str(tmp_path / "x.csv")!r}, 20_000))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 100_000 and kilobytes < 35_000
