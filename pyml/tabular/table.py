"""Table: columns by name."""

import unicodedata
import warnings

import numpy as np

from pyml.tabular.values import array_of, is_missing
from pyml.tensor import Tensor

__all__ = ["Table", "TableWarning"]


class TableWarning(UserWarning):
    """Something in a table that is probably not as it was meant."""


class Table:
    """Columns of one length by name, as NumPy arrays; what tabular.read() gives.

    A column is of one of five dtypes: bool, int64, float64 (NaN where a value is missing),
    datetime64[us] (NaT), or object for text (None).

    Args:
        columns: {name: values}, arrays, Tensors or lists of one length, or pairs (name, values).
            A name that is there twice gets a number behind, with a TableWarning.
        formats: {name: format} of columns that were text and are numbers, see read(); "text" of
            those that are categories whatever they look like. Default: none.
        notes: sentences about how the table was read. Default: none.

    Attributes:
        columns: {name: array}.
        rows: how many.
        names: a list of the names.
        row_numbers: the number of each row in the file or frame that it comes from, from 0 on.

    Raises:
        TypeError: for columns of what is no number, text, date or truth value, as complex numbers.
        ValueError: for columns of more than one dimension, or of different lengths.

    Example:
        >>> table = tabular.Table({"carat": [0.2, 0.3], "cut": ["Ideal", None]})
        >>> table.rows, table["cut"]
        (2, array(['Ideal', None], dtype=object))
    """

    def __init__(self, columns, formats=None, notes=()):
        pairs = columns.items() if hasattr(columns, "items") else columns
        self.columns = {}
        pairs = list(pairs) if hasattr(pairs, "__iter__") else [pairs]
        for pair in pairs:
            if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
                raise TypeError(
                    f"Table: columns has {pair!r:.100}, it must be {{name: values}} or pairs"
                )
        for name, (_, values) in zip(unique_names(n for n, _ in pairs), pairs, strict=True):
            self.columns[name] = array_of(values, f"Table: column {name!r}")
        lengths = {name: len(values) for name, values in self.columns.items()}
        self.rows = next(iter(lengths.values()), 0)
        for name, length in lengths.items():
            if length != self.rows:
                raise ValueError(
                    f"Table: column {name!r} has {length} rows, column {next(iter(lengths))!r} has "
                    f"{self.rows}; they must be equal"
                )
        self.formats = dict(formats or {})
        self.notes = list(notes)
        self.row_numbers = np.arange(self.rows)

    @classmethod
    def _of_arrays(cls, columns, formats=None, notes=(), row_numbers=None):
        """A Table of arrays that are as a Table's are, which are not looked at again.

        Args:
            columns: {name: array}.
            formats, notes, row_numbers: as of a Table.
        """
        made = cls({}, formats, notes)
        made.columns = dict(columns)
        made.rows = len(next(iter(columns.values()), ()))
        made.row_numbers = np.arange(made.rows) if row_numbers is None else row_numbers
        return made

    @property
    def names(self):
        """The names of the columns."""
        return list(self.columns)

    def __len__(self):
        return self.rows

    def __getitem__(self, name):
        if name not in self.columns:
            raise KeyError(f"there is no column {name!r}; {near(name, self.columns)}")
        return self.columns[name]

    def __contains__(self, name):
        return name in self.columns

    def __iter__(self):
        return iter(self.columns)

    def take(self, rows):
        """A Table of some of the rows.

        Args:
            rows: their numbers, or a bool for each row, or a slice.
        """
        if isinstance(rows, Tensor):
            rows = rows.numpy()
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            rows = rows.astype(np.int64) if rows.size == 0 else rows
        taken = {name: values[rows] for name, values in self.columns.items()}
        return self._like(taken, self.row_numbers[rows])

    def select(self, names):
        """A Table of some of the columns.

        Raises:
            KeyError: if there is none of that name.
        """
        return self._like({name: self[name] for name in names}, self.row_numbers)

    def drop(self, names):
        """A Table without some of the columns.

        Raises:
            KeyError: if there is none of that name.
        """
        gone = {name for name in names if self[name] is not None}
        columns = {n: values for n, values in self.columns.items() if n not in gone}
        return self._like(columns, self.row_numbers)

    def with_column(self, name, values):
        """A Table with one more column.

        Args:
            name: as no column has it.
            values: an array with a value for each row.
        """
        return self._like({**self.columns, name: values}, self.row_numbers)

    def _like(self, columns, row_numbers):
        formats = {name: format for name, format in self.formats.items() if name in columns}
        return Table._of_arrays(columns, formats, self.notes, row_numbers)

    def __repr__(self):
        """The first rows."""
        lines = [["", *map(str, self.names[:SHOWN_COLUMNS])]]
        for row in range(min(self.rows, SHOWN_ROWS)):
            values = [self.columns[name][row] for name in self.names[:SHOWN_COLUMNS]]
            lines.append([str(row), *("" if v is None else str(v) for v in values)])
        return f"Table of {self.rows:,} rows and {len(self.columns):,} columns\n" + grid(lines)


SHOWN_ROWS, SHOWN_COLUMNS = 5, 12


def check_type(who, name, value, kind):
    """Raises TypeError unless `value` is of a class."""
    if not isinstance(value, kind):
        raise TypeError(f"{who}: {name} is a {type(value).__name__}, it must be a {kind.__name__}")


def name_of(name):
    """The name of a column as text; of a column of several levels with dots between."""
    if isinstance(name, tuple):
        return ".".join(part for part in map(name_of, name) if part)
    return "" if is_missing(name) else str(name).strip()


def unique_names(names):
    """Names of columns as text, in order; one that comes again gets a number behind.

    A column without a name is column_ and its number.
    """
    unique = {}
    for i, name in enumerate(map(name_of, names), 1):
        name = name or f"column_{i}"
        new, number = name, 0
        while new in unique:
            number += 1
            new = f"{name}.{number}"
        if number:
            warnings.warn(
                f"there are several columns {name!r}; one of them is named {new!r}",
                TableWarning,
                stacklevel=3,
            )
        unique[new] = None
    return list(unique)


def near(name, names):
    """What to say where a name is not among others."""
    from difflib import get_close_matches

    close = get_close_matches(str(name), [str(n) for n in names], n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    listed = ", ".join(repr(n) for n in list(names)[:10])
    more = ", ..." if len(names) > 10 else ""
    return f"there are {listed}{more}" if names else "there are no columns"


# ---- text in columns -----------------------------------------------------------------------------

WIDEST, WIDEST_LAST = 32, 90  # places of a cell, and of the last of a line


def width(text):
    """How many places of a terminal some text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def cell(text, widest):
    """Text that fits into a cell, on one line."""
    text = "".join(c if c.isprintable() else " " for c in text[: 2 * widest])
    if width(text) <= widest:
        return text
    while width(text) >= widest:
        text = text[:-1]
    return text + "…"


def grid(lines):
    """Lines of cells, one below the other."""
    lines = [[*(cell(t, WIDEST) for t in line[:-1]), cell(line[-1], WIDEST_LAST)] for line in lines]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(text + " " * (w - width(text)) for text, w in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)
