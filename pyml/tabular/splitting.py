"""Splits of a table's rows into those to train on, to choose by, and to test."""

import math
from typing import NamedTuple

import numpy as np

from pyml.data.split import stratified_split
from pyml.ops.creation import randperm
from pyml.options import Range, check_number
from pyml.random import Generator
from pyml.tabular.table import Table, near
from pyml.tabular.values import date_format, dates_of, missing, names_of

__all__ = ["Split", "given_split", "published_split", "split"]


class Split(NamedTuple):
    """Numbers of rows, int64 arrays."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    how: str = ""
    """A word on how they were divided, for people."""


def split(table, *, validation=0.16, test=0.2, seed=0, stratify=None, groups=None, time=None):
    """Divides rows in three.

    At random, unless a column says how:

    - stratify: with the same share of every class; of classes that are too rare for it, one row
      of some; a class that occurs once is in the training rows.
    - groups: rows of one group, as of one person, stay in one part. The shares are of groups.
    - time: the test rows are the last ones, the validation rows the last before them; rows of one
      moment stay in one part.

    Args:
        table: a Table.
        validation, test: shares of the rows, from 0 to 1, together below 1. Default: 0.16, 0.2.
        seed: of the choice, which is the same on every machine. Default: 0.
        stratify, groups, time: the name of a column, or an array with a value for each row; at most
            one of them. Default: none.

    Returns:
        A Split; the rows of each part ascend.

    Raises:
        TypeError, ValueError: for shares out of range, more than one column, one that is not there,
            or a group or time that is missing; if there is no row left to train on.

    Example:
        >>> parts = tabular.split(table, stratify="species", seed=1)
        >>> train = table.take(parts.train)
    """
    check_number("split", "validation", validation, Range(0, 1, "[)"))
    check_number("split", "test", test, Range(0, 1, "[)"))
    if validation + test >= 1:
        raise ValueError(
            f"split: validation and test are {validation} and {test}, together they must be below 1"
        )
    ways = {"stratify": stratify, "groups": groups, "time": time}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"split: {given[0]} and {given[1]} are given, it must be one of them")
    rows = table.rows if isinstance(table, Table) else len(table)
    if not given:
        parts, how = at_random(rows, validation, test, seed), "at random"
    else:
        values, word = column_for(table, rows, given[0], ways[given[0]])
        parts = WAYS[given[0]](values, validation, test, seed)
        how = {
            "stratify": "at random, by class",
            "groups": f"by groups{word}",
            "time": f"by time{word}",
        }
        how = how[given[0]]
    if len(parts[0]) == 0:
        raise ValueError(
            f"split: of {rows} rows none is left to train on; validation and test are {validation} "
            f"and {test}, make them smaller"
        )
    return Split(*parts, f"{how}, seed {seed}" if given != ["time"] else how)


def column_for(table, rows, argument, value):
    """The array of a column, or of an argument, and its name for people."""
    word = f" of {value}" if isinstance(value, str) else ""
    if isinstance(value, str):
        if not isinstance(table, Table):
            raise TypeError(
                f"split: {argument} is {value!r}, the table is a {type(table).__name__}; columns "
                "have names in a Table, and for others it must be an array of values"
            )
        if value not in table:
            raise ValueError(
                f"split: {argument} is {value!r}, which is no column; {near(value, table.names)}"
            )
        value = table[value]
    [value] = Table({argument: value}).columns.values()
    if len(value) != rows:
        raise ValueError(f"split: {argument} has {len(value)} values, there are {rows} rows")
    gone = missing(value)
    if argument != "stratify" and gone.any():
        numbers = table.row_numbers if isinstance(table, Table) else np.arange(rows)
        raise ValueError(f"split: {argument}{word} is missing in row {numbers[gone.argmax()]}")
    return value, word


def at_random(rows, validation, test, seed):
    shuffled = randperm(rows, generator=Generator(seed)).numpy()
    return cut(shuffled, validation, test, rows)


def cut(order, validation, test, rows):
    """The parts of some order of rows: test first, then validation."""
    tested = round(test * rows)
    validated = tested + round(validation * rows)
    return np.sort(order[validated:]), np.sort(order[tested:validated]), np.sort(order[:tested])


def by_class(values, validation, test, seed):
    labels = np.unique(names_of(values).astype(str), return_inverse=True)[1]
    rest, tested = share_of_classes(labels, test, seed)
    train, validated = share_of_classes(labels[rest], validation / (1 - test), seed)
    return rest[train], rest[validated], tested


def share_of_classes(labels, share, seed):
    """The other rows, and a share of each class; of those too rare for it, one row of some."""
    rest, part = stratified_split(labels, share, seed)
    counts = np.bincount(labels)
    rare = np.setdiff1d(np.flatnonzero(counts > 1), labels[part])
    generator = Generator(seed)
    shuffled = randperm(len(labels), generator=generator).numpy()
    count = round(share * counts[rare].sum())
    chosen = rare[randperm(len(rare), generator=generator).numpy()[:count]]
    classes, first = np.unique(labels[shuffled], return_index=True)
    part = np.union1d(part, shuffled[first[np.isin(classes, chosen)]])
    return np.setdiff1d(rest, part), part


def by_group(values, validation, test, seed):
    group = np.unique(names_of(values).astype(str), return_inverse=True)[1]
    count = int(group.max()) + 1 if len(group) else 0
    parts = at_random(count, validation, test, seed)
    return tuple(np.flatnonzero(np.isin(group, part)) for part in parts)


def by_time(values, validation, test, seed):
    if values.dtype.kind == "O":
        orders = date_format(values)
        if not orders:
            raise ValueError(f"split: time is text that is no date, as {values[0]!r}")
        values, _ = dates_of(values, orders[0])
    moments, moment = np.unique(values, return_inverse=True)
    rows = len(values)
    before = np.cumsum(np.bincount(moment, minlength=len(moments)))  # rows up to each moment
    ends = [
        np.searchsorted(before, share * rows - 1e-9) for share in (1 - test - validation, 1 - test)
    ]
    train, validated = moment <= ends[0], moment <= ends[1]
    return tuple(np.flatnonzero(part) for part in (train, validated & ~train, ~validated))


WAYS = {"stratify": by_class, "groups": by_group, "time": by_time}


def given_split(rows, train, validation=(), test=()):
    """A Split of given rows, in the given order, checked.

    Args:
        rows: how many the table has.
        train, validation, test: numbers of rows, from 0 on, or a bool for each row.

    Raises:
        ValueError: if a number is no row, or is there twice.

    Example:
        >>> given_split(4, train=[0, 1], test=[3]).test
        array([3])
    """
    parts = []
    for name, part in (("train", train), ("validation", validation), ("test", test)):
        part = np.asarray(part)
        if part.dtype == bool:
            if part.shape != (rows,):
                raise ValueError(
                    f"given_split: {name} has shape {part.shape}, there are {rows} rows"
                )
            part = np.flatnonzero(part)
        if part.ndim != 1 or (part.size and part.dtype.kind not in "iu"):
            raise ValueError(
                f"given_split: {name} has shape {part.shape} and dtype {part.dtype}, it must be "
                "row numbers"
            )
        wrong = (part < 0) | (part >= rows) if part.size else np.zeros(0, bool)
        if wrong.any():
            raise ValueError(
                f"given_split: {name}[{wrong.argmax()}] is {part[wrong.argmax()]}, rows are 0 to "
                f"{rows - 1}"
            )
        parts.append(part.astype(np.int64))
    everything = np.concatenate(parts)
    numbers, counts = np.unique(everything, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"given_split: row {numbers[counts.argmax()]} is there twice")
    if len(parts[0]) == 0:
        raise ValueError("given_split: train has no rows")
    return Split(*parts, "as given")


def published_split(rows):
    """The split of published results on regression data: 64, 16 and 20 % of the rows.

    That of Gorishniy et al. (arXiv:2203.05556, arXiv:2410.24210): of a permutation of seed 0 the
    first fifth is the test rows; of one of the others, of seed 1, the first fifth the validation
    rows. The order of rows is theirs, too.

    Args:
        rows: how many the table has.

    Example:
        >>> [len(part) for part in tabular.published_split(20640)[:3]]
        [13209, 3303, 4128]
    """
    first = np.random.RandomState(0).permutation(rows)
    tested = math.ceil(0.2 * rows)
    test, others = first[:tested], first[tested:]
    second = np.random.RandomState(1).permutation(len(others))
    validated = math.ceil(0.2 * len(others))
    return Split(
        others[second[validated:]], others[second[:validated]], test, "as published, seeds 0 and 1"
    )
