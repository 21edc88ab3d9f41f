"""Columns of Arrow, by pyarrow, which is imported when it is needed."""

import json
from functools import partial

import numpy as np

from pyml.tabular.values import (
    LARGEST_EXACT,
    MISSING,
    NUMBERS,
    PLACEHOLDERS,
    seconds,
    text_of,
)

TEXT = (*("string", "large_string", "string_view", "binary", "large_binary", "binary_view"),)
SOME = 200  # values that are looked at first, to see that a column is no numbers
JOINED_BYTES = 1 << 24  # of a column: each call costs some microseconds for each of its chunks


def needed(module, extra, what):
    """A module of an optional package.

    Raises:
        ModuleNotFoundError: that names the extra.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{what} needs {error.name}: pip install "pyml-nn[{extra}]"', name=error.name
        ) from None


def pyarrow(what):
    """The module pyarrow."""
    return needed("pyarrow", "table", what)


def column_of(column, name):
    """A ChunkedArray or Array of Arrow as an array of one of a Table's dtypes.

    Raises:
        TypeError: for a type that is none of numbers, text, dates and truth values.
    """
    pa = pyarrow("reading tables")
    from pyarrow import compute, types

    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_dictionary(kind):
        return text_column(column)
    if types.is_boolean(kind):
        if column.null_count == 0:
            return column.to_numpy()
        return compute.cast(compute.cast(column, pa.int8()), pa.float64()).to_numpy()
    if types.is_integer(kind):
        bounds = compute.min_max(column).as_py()
        largest = max(abs(bound or 0) for bound in bounds.values())
        if column.null_count == 0 and largest < 2**63:
            return column.to_numpy().astype(np.int64)
        if largest > LARGEST_EXACT:  # as codes may be
            return text_column(compute.cast(column, pa.string()))
        return compute.cast(column, pa.float64(), safe=False).to_numpy()
    if types.is_floating(kind) or types.is_decimal(kind):
        numbers = compute.cast(column, pa.float64()).to_numpy().astype(np.float64)
        is_whole = types.is_decimal(kind) and kind.scale == 0
        return text_column(column) if is_whole and are_long(numbers) else numbers
    if types.is_timestamp(kind) or types.is_date(kind):
        zoneless = compute.cast(column, pa.timestamp("us"), safe=False)
        return zoneless.to_numpy().astype("datetime64[us]")
    if types.is_time(kind):
        since = compute.cast(compute.cast(column, pa.time64("us")), pa.int64())
        return compute.divide(compute.cast(since, pa.float64()), 1e6).to_numpy()
    if types.is_duration(kind):
        return seconds(compute.cast(column, pa.duration("us"), safe=False).to_numpy())
    if any(getattr(types, f"is_{name}")(kind) for name in TEXT):
        return text_column(column)
    if types.is_nested(kind):
        values = [json.dumps(value, default=str) for value in column.to_pylist()]
        return np.array([None if v == "null" else v for v in values], object)
    raise TypeError(
        f"column {name!r} is of Arrow's type {kind}, it must be of numbers, text, dates or truth "
        "values; leave it out"
    )


def are_long(numbers):
    """Whether there are float64 that may stand for other whole numbers, too, as of long codes."""
    return numbers.dtype.kind == "f" and bool((np.abs(numbers) > LARGEST_EXACT).any())


def text_column(column):
    """Text as an object array, one object for equal values; None where it is missing."""
    from pyarrow import types

    if not types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    values = [None if value is None else text_of(value) for value in column.dictionary.to_pylist()]
    return np.array([*values, None], object)[column.indices.fill_null(len(values)).to_numpy()]


# ---- text that may be numbers --------------------------------------------------------------------


def parsed(column, format, formats):
    """A column of text as numbers, if all of it is numbers.

    Args:
        column: a ChunkedArray of strings.
        format: of the numbers; "text": it stays text; None: one that fits.
        formats: a function that chooses one, as number_format does.

    Returns:
        The array, and the format: "text", or of numbers; None if there is no value.
    """
    from pyarrow import compute

    pa = pyarrow("reading tables")
    if column.num_chunks > 1 and column.nbytes < JOINED_BYTES:
        column = pa.chunked_array([column.combine_chunks()])
    found = fitting(column, format, formats) if len(column) else None
    if found is not None:  # as most columns are: nothing is missing
        return numbers_or_text(column, column, found, format)
    column = without(compute.utf8_trim_whitespace(column), MISSING)
    if format == "text":
        return text_column(column), "text"
    if column.null_count == len(column):
        return np.full(len(column), np.nan), None
    column, text = without(column, PLACEHOLDERS, compute.utf8_lower), column
    found = fitting(column, format, formats) if column.null_count < len(column) else None
    if found is None:
        return text_column(text), "text"
    return numbers_or_text(column, text, found, format)


def numbers_or_text(column, text, found, format):
    """Numbers of the format that was found; text if they are whole, and longer than float64 holds.

    Args:
        column: the numbers, null where one is missing.
        text: the same column as text.
        found, format: what was found, and what was given.
    """
    numbers = numbers_from(column, found)
    if format is None and are_long(numbers) and matches(column, CODE):
        return text_column(text), "text"
    return numbers, found


CODE = "^[+-]?[0-9]+$"


def fitting(column, format, formats):
    """The format by which all of a column is numbers, the given one first; None if it is text."""
    if format == "text":
        return None
    if format is not None and matches(column, NUMBERS[format]):
        return format
    return formats(partial(matches, column))


def numbers_from(column, format):
    """Text of a format as int64, or float64 where not all is whole."""
    from pyarrow import compute

    pa = pyarrow("reading tables")
    if format != ".":
        grouping, point = (".", ",") if format == "1.000,0" else (",", ".")
        column = compute.replace_substring(column, grouping, "")
        column = compute.replace_substring(column, point, ".")
    if column.null_count == 0 and column[0].as_py().lstrip("-").isdigit():
        try:
            return compute.cast(column, pa.int64()).to_numpy()
        except pa.ArrowInvalid:  # not all is whole, or within int64
            pass
    if compute.any(compute.starts_with(column, "+")).as_py():
        column = compute.replace_substring_regex(column, r"^\+", "")
    return compute.cast(column, pa.float64()).to_numpy()


def matches(column, pattern):
    """Does all text of a column match a pattern? Of a long one the first values are tried first."""
    from pyarrow import compute

    parts = (column,) if len(column) <= 10 * SOME else (column[:SOME], column[SOME:])
    return all(
        compute.all(compute.match_substring_regex(part, pattern)).as_py() is not False
        for part in parts
    )


def without(column, words, form=lambda column: column):
    """The column, missing where a form of it is one of the words."""
    from pyarrow import compute

    pa = pyarrow("reading tables")
    gone = compute.is_in(form(column), pa.array(words, column.type))
    return compute.if_else(gone, pa.scalar(None, column.type), column)
