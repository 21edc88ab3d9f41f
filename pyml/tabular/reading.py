"""read: tables from files, frames and arrays, by the readers of pyarrow and openpyxl."""

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import os
import re
import stat
import zipfile
import zlib
from contextlib import contextmanager, suppress
from itertools import islice
from typing import NamedTuple

import numpy as np

from pyml.options import check_choice, check_integer
from pyml.tabular.arrow import column_of, needed, parsed, pyarrow
from pyml.tabular.table import Table, near, unique_names
from pyml.tabular.values import NUMBERS, key_of, number_format
from pyml.tensor import Tensor

__all__ = ["read", "read_batches"]

SAMPLE_BYTES = 1 << 18  # of a file, from which its form is seen
BLOCK_BYTES = 1 << 22  # that pyarrow parses at a time; no row may be longer
SAMPLE_RECORDS = 100
SEPARATORS = ",;\t|"

COMPRESSIONS = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
}
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
BYTE_ORDER_MARKS = {  # those that begin as another before it
    codecs.BOM_UTF8: "utf-8",
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
}


class Options(NamedTuple):
    """How a file is to be read."""

    separator: str | None = None
    decimal: str | None = None
    header: bool | None = None
    encoding: str | None = None
    skip: int = 0
    sheet: str | int | None = None
    text: tuple = ()


def read(source, *, schema=None, columns=None, **options):
    """A table from a file, a frame or arrays.

    What a file is, its first bytes say, not its name. Packages that are needed: pyarrow for files,
    `pip install "pyml-nn[table]"`; openpyxl for Excel, `pip install "pyml-nn[excel]"`; none for
    arrays and JSON.

    Text of CSV becomes numbers in a column where all of it is numbers: 0.5, 1e-3, with a decimal
    comma 0,5 or 1.234,5, with groups 1,234.5; what begins with a zero, as 007, stays text. Missing
    is what is empty, NA, N/A, NaN, NULL or ?; and among numbers also -, none, unknown and the like.

    Args:
        source: a path of CSV, TSV or another separated text, also compressed (gzip, bzip2, xz,
            zstd, lz4, brotli of the ending .br, zip of one file); Parquet, or a folder of it;
            Feather or Arrow; JSON, a line or an item of a list a row; Excel (.xlsx). Or a frame of
            pandas or polars, or what else has __arrow_c_stream__; a table of Arrow; a dict of
            arrays or lists; a list of dicts, one a row; a structured array of NumPy, or one of two
            dimensions, whose columns are x0, x1, ...; a Table.
        schema: a Schema: text is read as in the table that it was made of. Default: none.
        columns: names of those to read. Default: all.
        separator: of CSV, one character. Default: what fits of comma, semicolon, tab and |.
        decimal: "." or ",", of numbers in CSV. Default: what fits in each column.
        header: has CSV the names in its first line? Without, they are column_1, column_2, ...
            Default: yes, if not all that stands there is numbers.
        encoding: of CSV and JSON. Default: UTF-8, or UTF-16 with its mark, or else cp1252.
        skip: lines of CSV or Excel above the table. Default: 0.
        sheet: of Excel, its name or number. Default: 0, the first.
        text: names of columns of CSV that stay as they are written, as numbers of customers: where
            values come again they are categories. Default: none.

    Returns:
        A Table.

    Raises:
        ValueError: if the file is damaged or empty, a row of CSV has not as many fields as the
            first, or there are no such columns.
        TypeError: for another source, or values that are no numbers, text, dates or truth values.
        ModuleNotFoundError: if a package is missing; it says which extra has it.
        OSError: if there is no such file.

    Example:
        >>> table = tabular.read("diamonds.csv.gz")
        >>> table.names[:3]
        ['carat', 'cut', 'color']
    """
    [table] = tables(source, None, schema, columns, _options(options))
    return table


def read_batches(source, rows=65536, *, schema=None, columns=None, **options):
    """The rows of a table, so many at a time: files of any size, in little memory.

    Args:
        source: as for read(). Of a file that is not a separated text, Parquet, Arrow, or JSON
            lines, all is read first.
        rows: of a batch; the last may have less. Default: 65536.
        schema: a Schema: text is read as in the table that it was made of. Default: a column of
            text is numbers in all batches if it is in the first; where it is not, it stays text.
        columns, options: as for read().

    Returns:
        An iterator of Tables; of a table without rows it gives one.

    Raises:
        As read(), at the first batch or where the file is damaged.

    Example:
        >>> rows = sum(batch.rows for batch in tabular.read_batches("diamonds.csv"))
    """
    check_integer("read_batches", "rows", rows)
    if rows < 1:
        raise ValueError(f"read_batches: rows is {rows}, it must be positive")
    return tables(source, int(rows), schema, columns, _options(options))


def as_table(source, schema=None):
    """A Table, or what read() makes of a source."""
    return source if isinstance(source, Table) else read(source, schema=schema)


def _options(given):
    unknown = [name for name in given if name not in Options._fields]
    if unknown:
        raise TypeError(
            f"read: there is no option {unknown[0]!r}; {near(unknown[0], Options._fields)}"
        )
    options = Options(**given)
    if options.decimal is not None:
        check_choice("read", "decimal", options.decimal, (".", ","))
    if options.separator is not None and (
        not isinstance(options.separator, str) or len(options.separator) != 1
    ):
        raise ValueError(f"read: separator is {options.separator!r}, it must be one character")
    if isinstance(options.text, (str, bytes)) or not hasattr(options.text, "__iter__"):
        raise TypeError(f"read: text is {options.text!r}, it must be names of columns, as a list")
    options = options._replace(text=tuple(options.text))
    check_integer("read", "skip", options.skip)
    if options.skip < 0:
        raise ValueError(f"read: skip is {options.skip}, it must be 0 or more")
    if options.encoding is not None:
        try:
            codecs.lookup(options.encoding)
        except (LookupError, TypeError):
            raise ValueError(
                f"read: encoding is {options.encoding!r}, which is not known"
            ) from None
    return options


def tables(source, rows, schema, columns, options):
    """Tables of so many rows; one of all if rows is None."""
    if schema is not None and not hasattr(schema, "formats"):
        raise TypeError(f"read: schema is a {type(schema).__name__}, it must be a Schema")
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        formats, first = {} if schema is None else schema.formats(), 0
        with _told(path):
            for piece in _pieces(path, rows, columns, options):
                table, formats = piece.table(formats, options)
                table.row_numbers = np.arange(first, first + table.rows)
                first += table.rows
                yield _selected(table, columns, path)
        return
    table = _selected(from_memory(source), columns, "read")
    for start in range(0, max(table.rows, 1), rows or max(table.rows, 1)):
        yield table if rows is None else table.take(slice(start, start + rows))


def _selected(table, columns, place):
    if columns is None:
        return table
    columns = [columns] if isinstance(columns, str) else list(columns)
    _check_there(place, columns, table.names)
    return table.select(columns)


def _check_there(place, columns, names):
    for name in columns:
        if name not in names:
            raise ValueError(f"{place}: there is no column {name!r}; {near(name, names)}")


@contextmanager
def _told(path):
    """Errors of readers as sentences that name the file."""
    try:
        yield
    except ModuleNotFoundError:
        raise
    except OSError as error:
        if error.errno is not None:  # of the system: there is no such file, ...
            raise
        raise ValueError(f"{path}: is damaged: {error}") from None
    except DAMAGED as error:
        raise ValueError(f"{path}: is damaged: {error}") from None
    except UnicodeError as error:
        raise ValueError(
            f"{path}: is not of the encoding: {error}; give another, as encoding='latin-1'"
        ) from None
    except Exception as error:
        if not type(error).__module__.startswith(("pyarrow", "openpyxl")):
            raise
        raise ValueError(f"{path}: {_first_line(error)}") from None


def _first_line(error):
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) < 300 else lines[0][:300] + " ..."


# ---- files ---------------------------------------------------------------------------------------


class Typed:
    """A piece of a file that says what its columns are of."""

    def __init__(self, content):
        self.content = content

    def table(self, formats, options):
        """Its Table, and {name: format} of text: as known before, and what is found in it."""
        names = unique_names(self.content.schema.names)
        columns = zip(names, self.content.columns, strict=True)
        arrays = {name: column_of(column, name) for name, column in columns}
        are_categories = [hasattr(kind, "index_type") for kind in self.content.schema.types]
        return _of_categories(Table._of_arrays(arrays), are_categories), formats


class Records(Typed):
    """Columns of Python's objects."""

    def table(self, formats, options):
        return Table(self.content), formats


class Text(Typed):
    """A piece of a file of text: columns of strings."""

    def __init__(self, content, names, separator, notes):
        super().__init__(content)
        self.names, self.separator, self.notes = names, separator, notes

    def table(self, formats, options):
        def fitting(matches):
            if options.decimal == ",":
                return "1.000,0" if matches(NUMBERS["1.000,0"]) else None
            if options.decimal == ".":
                fits = (name for name in (".", "1,000.0") if matches(NUMBERS[name]))
                return next(fits, None)
            return number_format(matches, self.separator == ",")

        found = {}
        names = unique_names(self.names)
        columns = dict(zip(names, self.content.columns, strict=True))
        _check_there("read: text", options.text, columns)
        for name, column in columns.items():
            format = "text" if name in options.text else formats.get(name)
            found[name] = parsed(column, format, fitting)
        if any(format == "1.000,0" for _, format in found.values()):
            for name, (_, format) in found.items():
                if format == "." and name not in formats:  # 1.234 may be 1234 here
                    again = parsed(columns[name], "1.000,0", fitting)
                    found[name] = again if again[1] == "1.000,0" else found[name]
        known = {name: format for name, (_, format) in found.items() if format is not None}
        said = {name: format for name, format in known.items() if format != "text"}
        said |= dict.fromkeys(options.text, "text")
        arrays = {name: array for name, (array, _) in found.items()}
        return Table._of_arrays(arrays, said, self.notes), {**formats, **known}


def _pieces(path, rows, columns, options):
    if os.path.isdir(path):
        data = needed("pyarrow.dataset", "table", f"{path}: a folder of Parquet")
        found = data.dataset(path, format="parquet")
        if not found.files:
            raise ValueError(f"{path}: is a folder without Parquet files")
        return _regrouped(found.to_batches(), rows, found.schema)
    if stat.S_ISFIFO(os.stat(path).st_mode):
        raise ValueError(f"{path}: is a pipe, which can be read only once; save it as a file first")
    with open(path, "rb") as file:
        start = file.read(8)
    if not start:
        raise ValueError(f"{path}: is empty")
    if start.startswith(b"PAR1"):
        parquet = needed("pyarrow.parquet", "table", f"{path}: Parquet").ParquetFile(path)
        wanted = (
            None if columns is None else [n for n in parquet.schema_arrow.names if n in columns]
        )
        batches = parquet.iter_batches(batch_size=rows or 65536, columns=wanted)
        return _regrouped(batches, rows, parquet.schema_arrow, wanted)
    if start.startswith((b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")):
        return _arrow(path, start, rows)
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError(f"{path}: is of an old Excel; save it as .xlsx or CSV")
    if (
        start.startswith(b"PK\x03\x04")
        and "[Content_Types].xml" in zipfile.ZipFile(path).namelist()
    ):
        return _excel(path, options)
    with _opened(path) as file:
        sample = file.read(SAMPLE_BYTES)
    encoding, text, notes = _decoded(sample, options, path)
    if _is_json(text):
        return _json(path, encoding, rows)
    return _csv(path, encoding, text, len(sample) == SAMPLE_BYTES, notes, rows, options)


@contextmanager
def _opened(path):
    """A file of bytes, decompressed."""
    with open(path, "rb") as file:
        start = file.read(8)
    opener = next((o for magic, o in COMPRESSIONS.items() if start.startswith(magic)), None)
    if opener is None and path.endswith(".br"):
        opener = "brotli"
    if opener is None:
        with open(path, "rb") as file:
            yield file
    elif opener == "zip":
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise ValueError(f"{path}: has {len(members)} files, it must have one: unzip it")
            if archive.getinfo(members[0]).flag_bits & 1:
                raise ValueError(f"{path}: is encrypted: unzip it")
            with archive.open(members[0]) as file:
                yield file
    elif isinstance(opener, str):
        pa = pyarrow(f"{path}: {opener}")
        with pa.OSFile(path) as raw, pa.CompressedInputStream(raw, opener) as file:
            yield file
    else:
        with opener(path, "rb") as file:
            yield file


def _decoded(sample, options, path):
    """The encoding of a file, its first text, and notes."""
    if not sample.strip():
        raise ValueError(f"{path}: is empty")
    encoding, notes = options.encoding, []
    if encoding is None:
        marks = (name for mark, name in BYTE_ORDER_MARKS.items() if sample.startswith(mark))
        encoding = next(marks, "utf-8")
        try:
            codecs.getincrementaldecoder(encoding)().decode(sample)
        except UnicodeDecodeError:
            encoding = "cp1252"
            notes.append("it is not UTF-8, and was read as cp1252")
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    if "\0" in text:
        raise ValueError(
            f"{path}: has zero bytes, it is no file of text, nor of a known kind; if it is UTF-16, "
            "encoding='utf-16-le' or 'utf-16-be' reads it"
        )
    return encoding, text.removeprefix("\ufeff"), notes


def _regrouped(batches, rows, schema, wanted=None):
    """Pieces of so many rows, of batches of Arrow of other sizes."""
    pa = pyarrow("reading tables")
    waiting, count, given = [], 0, False
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while rows is not None and count >= rows:
            whole = pa.Table.from_batches(waiting)
            yield Typed(whole.slice(0, rows))
            given, rest = True, whole.slice(rows)
            waiting, count = rest.to_batches(), count - rows
    if waiting and count:
        yield Typed(pa.Table.from_batches(waiting))
    elif not given:
        empty = schema.empty_table()
        yield Typed(empty if wanted is None else empty.select(wanted))


def _arrow(path, start, rows):
    pa = pyarrow(f"{path}: Arrow")
    if start.startswith(b"FEA1"):
        feather = needed("pyarrow.feather", "table", f"{path}: Feather")
        whole = feather.read_table(path)
        yield from _regrouped(whole.to_batches(), rows, whole.schema)
        return
    with pa.memory_map(path) as file:
        if start.startswith(b"ARROW1"):
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            reader = batches = pa.ipc.open_stream(file)
        yield from _regrouped(batches, rows, reader.schema)


def _excel(path, options):
    openpyxl = needed("openpyxl", "excel", f"{path}: Excel")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl has no class of its own for most
        raise ValueError(f"{path}: is no workbook of Excel: {_first_line(error)}") from None
    try:
        sheet = 0 if options.sheet is None else options.sheet
        names = book.sheetnames
        if isinstance(sheet, int):
            if not -len(names) <= sheet < len(names):
                raise ValueError(f"{path}: sheet is {sheet}, there are {len(names)}: {names}")
            sheet = names[sheet]
        if sheet not in names:
            raise ValueError(f"{path}: there is no sheet {sheet!r}; {near(sheet, names)}")
        lines = islice(book[sheet].iter_rows(values_only=True), options.skip, None)
        lines = [line for line in lines if any(value is not None for value in line)]
    finally:
        book.close()
    if not lines:
        raise ValueError(f"{path}: sheet {sheet!r} is empty")
    header, *lines = lines
    if options.header is False:
        header, lines = [None] * len(header), [header, *lines]
    count = max(map(len, [header, *lines]))
    header = [*header, *[None] * (count - len(header))]
    lines = [[*line, *[None] * (count - len(line))] for line in lines]
    columns = [[line[i] for line in lines] for i in range(count)]
    used = [
        (named("" if name is None else key_of(name), i), values)
        for i, (name, values) in enumerate(zip(header, columns, strict=True))
        if name is not None or any(value is not None for value in values)
    ]
    yield Records(used)


def named(name, i):
    """The name of column i, which may have none."""
    return name.strip() or f"column_{i + 1}"


def _is_json(text):
    return re.match(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\]])", text) is not None


def _json(path, encoding, rows):
    with _opened(path) as raw, io.TextIOWrapper(raw, encoding=encoding) as file:
        first = file.read(1).lstrip("\ufeff") or file.read(1)
        while first.isspace():
            first = file.read(1)
        if first == "[":
            yield Records(_of_records(_loads("[" + file.read(), path), path))
            return
        line = first + file.readline()
        try:
            json.loads(line)
        except (ValueError, RecursionError):  # one object on several lines
            yield Records(_of_records(_loads(line + file.read(), path), path))
            return
        lines = (line for line in _chained(line, file) if line.strip())
        number, names = 0, {}
        while batch := list(islice(lines, rows)):
            records = [
                _loads(text, f"{path}: row {number + i + 1}") for i, text in enumerate(batch)
            ]
            if len(records) == 1 and not number and _is_columns(records[0]):
                records = records[0]
            columns = _of_records(records, path, number, names)
            yield Records(columns)
            number, names = number + len(batch), columns


def _chained(first, rest):
    yield first
    yield from rest


def _is_columns(record):
    values = record.values() if isinstance(record, dict) else []
    return bool(values) and all(isinstance(value, list) for value in values)


def _loads(text, place):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: is no JSON: {_first_line(error)}") from None


def _of_records(records, place, number=0, names=()):
    """Columns of rows that are dicts, of all names in them and of those that are known."""
    if isinstance(records, dict):
        if not _is_columns(records):
            records = [records]
        else:
            return records
    columns = dict.fromkeys(names)
    for i, record in enumerate(records):
        if not isinstance(record, dict):
            raise ValueError(
                f"{place}: row {number + i + 1} is {record!r:.100}, it must be names and values"
            )
        for name in record:
            columns.setdefault(name, None)
    return {name: [record.get(name) for record in records] for name in columns}


# ---- CSV -----------------------------------------------------------------------------------------


def _csv(path, encoding, text, cut, notes, rows, options):
    pa = pyarrow(f"{path}: CSV")
    reader = needed("pyarrow.csv", "table", f"{path}: CSV")
    lines = text.splitlines(keepends=True)[options.skip :]
    lines = lines[:-1] if cut and len(lines) > 1 else lines
    separator = options.separator or _separator(lines)
    first = next(_records(lines, separator), None)
    if first is None:
        skipped = f"nothing below the {options.skip} lines that are skipped"
        raise ValueError(f"{path}: has {skipped if options.skip else 'no names of columns'}")
    has_header = options.header
    if has_header is None:
        has_header = not all(re.match(NUMBERS["."], field.strip()) for field in first)
    names = [named(field if has_header else "", i) for i, field in enumerate(first)]
    if not has_header and options.header is None:
        notes = [*notes, "its first line is all numbers: it has no names"]
    if separator != "," and len(first) > 1:
        notes = [*notes, f"fields are separated by {separator!r}"]
    wrong = []

    def bad_row(row):
        wrong.append(row)
        return "error"

    with _opened(path) as file:
        if not cut and text[-1] not in "\r\n" and "\ufffd" not in text:  # pyarrow wants its end
            file, encoding = io.BytesIO(f"{text}\n".encode()), "utf-8"
        try:
            blocks = reader.open_csv(
                file,
                reader.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK_BYTES,
                    autogenerate_column_names=True,
                    skip_rows=options.skip,
                    encoding=encoding,
                ),
                reader.ParseOptions(
                    delimiter=separator, newlines_in_values=True, invalid_row_handler=bad_row
                ),
                reader.ConvertOptions(
                    column_types={f"f{i}": pa.string() for i in range(len(first))}
                ),
            )
            for piece in _regrouped(_without_first(blocks, has_header), rows, blocks.schema):
                yield Text(piece.content, names, separator, notes)
        except pa.ArrowInvalid as error:
            if not wrong and "Empty CSV" in str(error):
                raise ValueError(f"{path}: a quote is opened and never closed") from error
            if not wrong and "invalid UTF8" in str(error):
                raise ValueError(
                    f"{path}: begins as UTF-8, but has other bytes below; give another encoding, "
                    "as encoding='cp1252'"
                ) from error
            if not wrong:
                raise
            row = wrong[0]
            number = "" if row.number is None else f" {row.number}"
            raise ValueError(
                f"{path}: row{number} has {row.actual_columns} fields, the first has "
                f"{row.expected_columns}: {row.text[:200]!r}; mend it, or skip= lines above the "
                "table, or give the separator="
            ) from error


def _without_first(blocks, has_header):
    for block in blocks:
        yield block.slice(1) if has_header else block
        has_header = has_header and block.num_rows == 0


def _records(lines, separator):
    """The records of some text, as Python's csv reads them, without empty ones."""
    try:
        yield from (record for record in csv.reader(lines, delimiter=separator) if record)
    except csv.Error:
        return


def _separator(lines):
    """The separator by which most records have as many fields as the first, and those are most."""

    def fit(separator):
        counts = [len(record) for record in islice(_records(lines, separator), SAMPLE_RECORDS)]
        if not counts or counts[0] < 2:
            return (0, 0)
        return (counts.count(counts[0]) / len(counts), counts[0])

    return max(SEPARATORS, key=fit)


# ---- memory --------------------------------------------------------------------------------------


def from_memory(source):
    """A Table of a frame or arrays."""
    if isinstance(source, Table):
        return source
    if isinstance(source, Tensor):
        source = source.detach().numpy()
    package = type(source).__module__.partition(".")[0]
    if package == "pandas" and hasattr(source, "columns"):
        return _pandas(source)
    if package == "pandas" and hasattr(source, "to_frame"):
        return _pandas(source.to_frame())
    if package == "polars" and hasattr(source, "collect"):
        source = source.collect()
    if package == "polars" and hasattr(source, "get_columns"):
        return _of_categories(
            Table([(series.name, _polars(series)) for series in source.get_columns()]),
            [str(series.dtype).startswith(("Categorical", "Enum")) for series in source],
        )
    if hasattr(source, "__arrow_c_stream__") or package == "pyarrow":
        pa = pyarrow("a table of Arrow")
        return Typed(pa.table(source)).table({}, None)[0]
    if isinstance(source, np.ndarray):
        return _array(source)
    if hasattr(source, "keys") and hasattr(source, "__getitem__"):
        return Table([(name, source[name]) for name in source.keys()])  # noqa: SIM118
    if isinstance(source, (list, tuple)) and all(isinstance(row, dict) for row in source):
        return Table(_of_records(source, "read"))
    raise TypeError(
        f"read: source is a {type(source).__name__}, it must be a path, a frame of pandas or polars"
        ", a table of Arrow, a dict of arrays, a list of dicts or a structured array"
    )


def _of_categories(table, are_categories):
    """The Table, which says of which columns the dtype is one of categories."""
    marked = zip(table.names, are_categories, strict=True)
    table.formats |= {name: "text" for name, is_category in marked if is_category}
    return table


def _pandas(frame):
    columns = []
    for i, name in enumerate(frame.columns):
        series = frame.iloc[:, i]
        if str(series.dtype).startswith("period"):
            series = series.dt.to_timestamp()
        if isinstance(series.dtype, np.dtype):
            values = series.to_numpy()
        elif hasattr(series.dtype, "categories"):
            names = [key_of(value) for value in series.dtype.categories]
            values = np.array([*names, None], object)[series.cat.codes.to_numpy()]
        else:
            values = series.astype(object).tolist()
        columns.append((name, values))
    are_categories = [
        hasattr(dtype, "categories") or hasattr(getattr(dtype, "pyarrow_dtype", None), "index_type")
        for dtype in frame.dtypes
    ]
    return _of_categories(Table(columns), are_categories)


def _polars(series):
    if str(series.dtype) != "Object":  # whose addresses Arrow would get
        with suppress(ModuleNotFoundError):
            return column_of(series.to_arrow(), series.name)
    return series.to_list()


def _array(array):
    if array.dtype.names is not None:
        if array.ndim != 1:
            raise ValueError(f"read: source has shape {array.shape}, it must have one dimension")
        return Table([(name, array[name]) for name in array.dtype.names])
    if array.ndim != 2:
        raise ValueError(
            f"read: source has shape {array.shape}, it must be (rows, columns), or a dict of arrays"
        )
    return Table([(f"x{i}", array[:, i]) for i in range(array.shape[1])])
