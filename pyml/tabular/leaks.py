"""Columns that give the target away."""

import numpy as np

from pyml.tabular.values import missing, names_of, numbers_of

FEW_ROWS = 5  # with fewer, a column may equal the target by chance
MANY_ROWS = 20  # with fewer, it may determine the target by chance
HEAD = 1024  # rows among which most columns show that they do not determine it
NEARLY_ONE = 1 - 1e-9  # of a correlation: the same number in another unit


def gives_away(table, columns, targets):
    """A sentence for each input that is a target in other words."""
    return [
        f"column {column.name!r} {how} the target {target.name!r}: drop it, unless it is known "
        "before the target is"
        for target in targets
        for column in columns
        if column.is_input and (how := given_away(table, column, target))
    ]


def given_away(table, column, target):
    """How a column gives the target, None if it does not."""
    values, wanted = table[column.name], table[target.name]
    both = ~missing(values) & ~missing(wanted)
    values, wanted = values[both], wanted[both]
    if len(values) < FEW_ROWS:
        return None
    if values.dtype == wanted.dtype or {values.dtype.kind, wanted.dtype.kind} <= {*"bif"}:
        equal = values == wanted
    else:
        equal = names_of(values) == names_of(wanted)
    if equal.all():
        return "is a copy of"
    if len(values) < MANY_ROWS:
        return None
    if column.kind == target.kind == "number":
        numbers = (
            numbers_of(a, c.format or ".")[0] for a, c in ((values, column), (wanted, target))
        )
        return "is, in another unit," if is_multiple(*numbers) else None
    if not determines(values[:HEAD], wanted[:HEAD]):
        return None
    common = np.bincount(codes(wanted)[0]).max()
    if codes(values)[1] > len(values) / 4 or len(values) - common < FEW_ROWS:
        return None
    return "determines" if determines(values, wanted) else None


def determines(values, wanted):
    """Does each of the distinct values have but one of those that are wanted?"""
    found, count = codes(values)
    classes, kinds = codes(wanted)
    return len(np.unique(found * kinds + classes)) == count


def codes(values):
    """Numbers of the distinct values, and how many these are."""
    if values.dtype.kind == "O":
        numbers = {value: i for i, value in enumerate({*values.tolist()})}
        index = np.fromiter(map(numbers.__getitem__, values.tolist()), np.int64, len(values))
        return index, len(numbers)
    distinct, index = np.unique(values, return_inverse=True)
    return index.astype(np.int64), len(distinct)


def is_multiple(a, b):
    """Is a number another one in another unit, a = scale b + offset?"""
    a, b = np.clip(a, -1e100, 1e100), np.clip(b, -1e100, 1e100)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt(a @ a) * np.sqrt(b @ b)
    return scale > 0 and abs(a @ b) / scale > NEARLY_ONE
