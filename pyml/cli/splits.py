"""Columns that options name, and the split of a table's rows."""

import json

import numpy as np

from pyml import tabular
from pyml.cli.failures import Refused, refusing, warn
from pyml.cli.options import short
from pyml.tabular.table import near

__all__ = ["PARTS", "TEST", "VALIDATION", "parts_of", "resolved"]

VALIDATION = 0.16
TEST = 0.2
PARTS = {  # of a Split, in its order
    "train": "rows to train on",
    "validation": "rows to validate on",
    "test": "rows to test on",
}
WITHOUT = {  # what it means that a part has no rows
    "validation": "validate on: nothing says when to stop",
    "test": "test on: the scores are of rows that had a part in training",
}
SPLIT_WORDS = {word: part for part in PARTS for word in (part, part[:3])} | {"": ""}


def resolved(table, option, given):
    """Names of columns, which were given one by one or with commas between.

    Raises:
        Refused: if there is no such column.
    """
    names = []
    for text in given or ():
        names += [text] if text in table else [part.strip() for part in text.split(",")]
    for name in names:
        if name not in table:
            raise Refused(
                f"argument {option}: there is no column {short(name)!r}; {near(name, table.names)}"
            )
    return list(dict.fromkeys(names))


def parts_of(table, schema, options):
    """A Split of the rows that have a target: row numbers of the whole table."""
    rows = schema.labelled(table)
    if len(rows) < table.rows:
        warn(
            f"{', '.join(schema.targets)} is missing in {table.rows - len(rows):,} of "
            f"{table.rows:,} rows, which are left out"
        )
    ways = {name: getattr(options, name) for name in ("groups", "time")}
    ways = {name: column for name, column in ways.items() if column is not None}
    for name, column in ways.items():
        resolved(table, f"--{name}", [column])
    shares = {
        "validation": VALIDATION if options.validation is None else options.validation,
        "test": TEST if options.test is None else options.test,
    }
    if schema.task in ("binary", "multiclass") and not ways:
        [ways["stratify"]] = schema.targets
    if options.split_file is not None:
        for name in ("validation", "test", "groups", "time"):
            if getattr(options, name) is not None:
                options.parser.error(f"argument --{name}: --split-file says which rows are where")
        parts = split_of_file(options.split_file, table.rows)
        train, validation, test = (part[np.isin(part, rows)] for part in parts[:3])
        if len(validation) == 0:  # a share of the others
            again = tabular.split(
                table.take(train), validation=VALIDATION, test=0, seed=options.seed, **ways
            )
            train, validation = train[again.train], train[again.validation]
        return tabular.Split(train, validation, test, parts.how)
    parts = tabular.split(table.take(rows), **shares, seed=options.seed, **ways)
    for part, share in shares.items():
        if share and len(getattr(parts, part)) == 0:
            warn(f"of {len(rows):,} rows none is left to {WITHOUT[part]}")
    return tabular.Split(*(rows[part] for part in parts[:3]), parts.how)


def split_of_file(path, rows):
    """The Split that a file says: JSON of row numbers, or a table with a word for each row."""
    with refusing():
        text = path.read_bytes()[:1]
        if text == b"{":
            try:
                parts = json.loads(path.read_text("utf-8"))
            except (ValueError, RecursionError) as error:
                raise Refused(f"{path}: is no JSON: {error}") from None
            if not parts.keys() <= PARTS.keys() or "train" not in parts:
                raise Refused(f"{path}: has {', '.join(parts)}; it must have {', '.join(PARTS)}")
        else:
            parts = words_of(path, rows)
    try:
        found = tabular.given_split(rows, **parts)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    return found._replace(how=f"by {path}")


def words_of(path, rows):
    """{part: row numbers} of a table with a word for each row."""
    words = tabular.read(path)
    name = "split" if "split" in words else words.names[0]
    if name != "split" and len(words.names) > 1:
        raise Refused(f"{path}: has no column split; {near('split', words.names)}")
    if words.rows != rows:
        raise Refused(f"{path}: has {words.rows:,} rows, the table has {rows:,}")
    parts = {part: [] for part in PARTS}
    for row, word in enumerate(words[name].tolist()):
        part = SPLIT_WORDS.get(str(word or "").strip().lower())
        if part is None:
            raise Refused(
                f"{path}: row {row} has {word!r}, it must be {', '.join(SPLIT_WORDS)} or empty"
            )
        if part:
            parts[part].append(row)
    return parts
