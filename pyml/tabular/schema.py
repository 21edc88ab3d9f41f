"""Schema: what each column of a table is, and what is to be predicted."""

import re
import unicodedata
import warnings
from copy import copy
from itertools import islice

import numpy as np

from pyml.options import check_choice
from pyml.tabular.leaks import gives_away
from pyml.tabular.reading import as_table
from pyml.tabular.table import TableWarning, check_type, grid, name_of, near
from pyml.tabular.values import (
    DATES,
    LARGEST_EXACT,
    NAT,
    NUMBERS,
    PLACEHOLDERS,
    TRUTHS,
    date_format,
    dates_of,
    distinct,
    key_of,
    missing,
    moments_of,
    number_format,
    numbers_of,
)

__all__ = ["INPUT_KINDS", "KINDS", "TASKS", "Column", "Schema"]

INPUT_KINDS = ("number", "category", "boolean", "date")
KINDS = (*INPUT_KINDS, "text", "identifier", "constant", "dropped")
TASKS = ("regression", "binary", "multiclass", "multilabel", "multioutput", "counts")
ARRIVALS = {"b": "boolean", "i": "number", "f": "number", "M": "date", "O": "text"}

MANY_ROWS = 20  # from so many on, that no value occurs twice means something
MANY_WORDS = 5  # of a value, on average, that are a sentence
MOST_CLASSES = 10  # of numbers that are taken for classes
MOST_NAMES = 50  # of different texts, where half of the rows or more differ
LARGEST_MEAN = 10  # of numbers that are taken for counts
MOSTLY = 0.8  # of text that are numbers or dates, which is worth a word
SOME_VALUES = 1000  # that are looked at for it
SIGNS = " $€£¥%~<>"  # around numbers
IDENTIFIER = re.compile(
    r"(?:^|[\W_])(?:id|ids|uuid|guid|index|idx|rowid|row|key|unnamed)(?:$|[\W_])"
    r"|^column_1$",  # the first column, where it has no name: what pandas and R write in front
    re.IGNORECASE,
)
CAMEL_ID = re.compile(r"[a-z](?:Id|ID)$")

SHOWN_COLUMNS = 60
SHOWN_VALUES = 4


class Column:
    """What a column is.

    Attributes:
        name: its name.
        kind: "number", "category", "boolean" or "date", which are inputs; "text", "identifier",
            "constant" or "dropped", which are not. May be set.
        arrived: what its values were: "number", "text", "boolean" or "date".
        format: how its text is a number or a date, None for the usual.
        missing, distinct: how many values are missing, and how many different ones there are.
        shown: some values, for people.
        note: what is to be known about it, "" if nothing is.
    """

    FIELDS = ("name", "kind", "arrived", "format", "missing", "distinct", "shown", "note")

    def __init__(self, name, kind, arrived, format, missing, distinct, shown, note):
        self.name = name
        self.kind = kind
        self.arrived = arrived
        self.format = format
        self.missing = missing
        self.distinct = distinct
        self.shown = shown
        self.note = note

    @property
    def kind(self):
        return self._kind

    @kind.setter
    def kind(self, kind):
        check_choice(f"Schema: column {self.name!r}", "kind", kind, KINDS)
        self._kind = kind

    def __deepcopy__(self, memo):
        return copy(self)  # its attributes are text and numbers, and there may be many

    @property
    def is_input(self):
        """Whether a model gets it."""
        return self.kind in INPUT_KINDS

    def __repr__(self):
        return f"Column({self.name!r}, {self.kind})"


class Schema:
    """What each column of a table is, and what is to be predicted; print it to see.

    Schema.infer(table, target) makes one. A kind may be changed, before a Preprocessor is fitted:

        >>> schema["zip code"].kind = "category"

    Attributes:
        columns: {name: Column}, without targets.
        targets: {name: Column}.
        task: "regression", "binary", "multiclass", "multilabel", "multioutput" or "counts"; None
            without a target.
        reason: why it is this task.
        rows: of the table.
        warnings: sentences about what is probably not as it was meant.
    """

    def __init__(self, columns, targets, task, reason, rows, warnings=()):
        columns, targets = list(columns), list(targets)
        for column in (*columns, *targets):
            check_type("Schema", "one of columns and targets", column, Column)
        self.columns = {column.name: column for column in columns}
        self.targets = {column.name: column for column in targets}
        self.task = task
        self.reason = reason
        self.rows = rows
        self.warnings = list(warnings)

    @classmethod
    def infer(cls, table, target=None, *, task=None, kinds=None, drop=()):
        """Looks at a table.

        - number: numbers, also as text. Few different whole numbers stay numbers: "category" is
          for you to say.
        - category: text with values that come again, and what is of a dtype of categories where
          its values do.
        - boolean: two values of True and False, 1 and 0, yes and no.
        - date: dates and times, also as text in one of the usual orders; the model gets its parts.
        - constant: one value everywhere, or none.
        - identifier: a number or code of the row, which tells nothing about another.
        - text: sentences and names, which networks of dense layers cannot read.

        The last three are no inputs; the last two are warned of.

        Args:
            table: a Table, or what read() takes.
            target: the name of the column to be predicted, or a list of several. Default: none.
            task: of the model. Default: what fits the target, see `reason`.
            kinds: {name: kind} of columns that you know better. Default: none.
            drop: names of columns that the model is not to get. Default: none.

        Raises:
            ValueError: for a table of less than two rows; for names that are not there; if no
                column can be an input; if the target has no values, is text that never comes again,
                or does not fit the task; if it has one value alone, unless task says that it is of
                numbers or labels.

        Example:
            >>> table = tabular.Table({"x": [1.5, 2.5, 4.0], "y": ["a", "b", "a"]})
            >>> tabular.Schema.infer(table, "y").task
            'binary'
        """
        table = as_table(table)
        targets = names_given("target", target, table)
        dropped = names_given("drop", drop, table)
        kinds = kinds_given(kinds, table)
        for name in targets:
            if name in dropped or name in kinds:
                raise ValueError(
                    f"Schema.infer: {name!r} is the target, it must not be in kinds or drop; task= "
                    "says what it is"
                )
        if task is not None:
            check_choice("Schema.infer", "task", task, TASKS)
        if table.rows < 2:
            raise ValueError(
                f"Schema.infer: the table has {table.rows} {plural(table.rows, 'row')}, it must "
                "have two or more"
            )
        columns, words = columns_of(table, targets, dropped, kinds)
        reason, found = "", []
        if targets:
            arrays = {name: table[name] for name in targets}
            task, reason, found = task_of(arrays, task, table.formats)
            if not any(column.is_input for column in columns):
                raise ValueError(none_left(columns))
            words += gives_away(table, columns, found)
        schema = cls(columns, found, task, reason, table.rows, words)
        for sentence in words:
            warnings.warn(f"Schema.infer: {sentence}", TableWarning, stacklevel=2)
        return schema

    @property
    def inputs(self):
        """The Columns that a model gets, as a list."""
        return [column for column in self.columns.values() if column.is_input]

    def __getitem__(self, name):
        for columns in (self.columns, self.targets):
            if name in columns:
                return columns[name]
        raise KeyError(f"there is no column {name!r}; {near(name, self.columns)}")

    def formats(self):
        """{name: format} by which read() takes text as it was in this table."""
        return {
            column.name: (column.format or ".")
            if column.arrived == "number" or column.kind == "number"
            else "text"
            for column in (*self.columns.values(), *self.targets.values())
        }

    def labelled(self, table):
        """The numbers of those rows of a table of which no target is missing.

        Args:
            table: a Table, or what read() takes.

        Example:
            >>> table = table.take(schema.labelled(table))
        """
        table = as_table(table, self)
        complete = np.ones(table.rows, bool)
        for name in self.targets:
            complete &= ~missing(table[name])
        return np.flatnonzero(complete)

    # ---- as text ---------------------------------------------------------------------------------

    def __str__(self):
        lines = [["column", "kind", "missing", "different", "values", ""]]
        for column in islice(self.columns.values(), SHOWN_COLUMNS):
            lines.append(self._line(column, column.kind))
        for column in self.targets.values():
            lines.append(self._line(column, "target"))
        count = len(self.columns) + len(self.targets)
        text = [
            f"{self.rows:,} rows, {count:,} {plural(count, 'column')}, "
            f"{len(self.inputs):,} of them {plural(len(self.inputs), 'an input', 'inputs')}",
            grid(lines),
        ]
        if len(self.columns) > SHOWN_COLUMNS:
            text.append(f"... and {len(self.columns) - SHOWN_COLUMNS:,} columns more")
        if self.targets:
            text.append(f"task: {self.task} of {', '.join(self.targets)}: {self.reason}")
        text += [f"warning: {sentence}" for sentence in self.warnings]
        return "\n".join(text)

    def _line(self, column, kind):
        used = "" if kind == "target" or column.is_input else "not an input"
        note = ": ".join(part for part in (used, column.note) if part)
        return [
            column.name,
            kind,
            f"{column.missing:,}",
            f"{column.distinct:,}",
            column.shown,
            note,
        ]

    def __repr__(self):
        return f"Schema of {len(self.columns)} columns, task {self.task}"

    # ---- in files --------------------------------------------------------------------------------

    def state_dict(self):
        """All of it, as what pyml.save keeps."""
        return {
            "columns": [states(column) for column in self.columns.values()],
            "targets": [states(column) for column in self.targets.values()],
            "task": self.task,
            "reason": self.reason,
            "rows": self.rows,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_state_dict(cls, state):
        """The Schema that state_dict() is of.

        Raises:
            ValueError: if it is none.
        """
        kept = checked_state(
            state,
            "schema",
            columns=list,
            targets=list,
            task=(str, type(None)),
            reason=str,
            rows=int,
            warnings=list,
        )
        if kept["task"] not in (*TASKS, None) or not all(
            isinstance(w, str) for w in kept["warnings"]
        ):
            raise ValueError(f"schema: task is {kept['task']!r}, or warnings are no text")
        parts = {}
        for part in ("columns", "targets"):
            parts[part] = [Column(**checked_column(each)) for each in kept.pop(part)]
        names = [column.name for columns in parts.values() for column in columns]
        if len(set(names)) != len(names) or bool(parts["targets"]) != (kept["task"] is not None):
            raise ValueError("schema: a column is there twice, or the target is missing")
        return cls(**parts, **kept)


def states(column):
    return {name: getattr(column, name) for name in Column.FIELDS}


def checked_column(state):
    optional = (str, type(None))
    kept = checked_state(
        state,
        "column",
        name=str,
        kind=str,
        arrived=str,
        format=optional,
        missing=int,
        distinct=int,
        shown=str,
        note=str,
    )
    known = kept["format"] in (None, *NUMBERS, *DATES)
    if kept["arrived"] not in ARRIVALS.values() or kept["kind"] not in KINDS or not known:
        raise ValueError(f"column {kept['name']!r}: its kind, arrival or format is unknown")
    return kept


def checked_state(state, what, **types):
    """A state of exactly these entries, of these types.

    Raises:
        ValueError
    """
    if not isinstance(state, dict) or set(state) != set(types):
        raise ValueError(f"{what} is not made of {', '.join(types)}")
    for name, kind in types.items():
        allowed = kind if isinstance(kind, tuple) else (kind,)
        if type(state[name]) not in allowed:
            raise ValueError(f"{what}: {name} is a {type(state[name]).__name__}")
    return dict(state)


# ---- columns -------------------------------------------------------------------------------------


def columns_of(table, targets, dropped, kinds):
    """The Columns of a table but its targets, and sentences on those that may surprise."""
    columns, words = [], []
    for name in table:
        if name in targets:
            continue
        column = looked_at(name, table[name], table.formats.get(name))
        if name in dropped:
            column.kind, column.note = "dropped", "as you said"
        if name in kinds:
            column.kind, column.note = kinds[name], "as you said"
        elif column.kind in ("identifier", "text") or is_almost(column):
            words.append(f"column {name!r}: {column.kind}, {column.note}")
        columns.append(column)
    return columns, words


# ---- names ---------------------------------------------------------------------------------------


def kinds_given(kinds, table):
    """{name: kind} of columns that are there; {} for None."""
    if not isinstance(kinds, (dict, type(None))):
        raise TypeError(f"Schema.infer: kinds is {kinds!r}, it must be a dict {{name: kind}}")
    kinds = {name_of(name): kind for name, kind in (kinds or {}).items()}
    for name in kinds:
        check_name("kinds", name, table)
    return kinds


def names_given(argument, names, table):
    """Names of columns as a list, one or several being given; each is there."""
    if names is None:
        return []
    if hasattr(names, "tolist"):
        names = names.tolist()
    several = isinstance(names, (list, tuple, set))
    names = [name_of(name) for name in (names if several else [names])]
    for name in names:
        check_name(argument, name, table)
    if len(set(names)) != len(names):
        raise ValueError(f"Schema.infer: {argument} has a name twice: {names}")
    return names


def check_name(argument, name, table):
    if name not in table:
        raise ValueError(
            f"Schema.infer: {argument} has {name!r}, which is no column; {near(name, table.names)}"
        )


def plural(count, one, many=None):
    return one if count == 1 else many or f"{one}s"


def none_left(columns):
    if not columns:
        return (
            "Schema.infer: there is no column beside the target; a model needs one to predict from"
        )
    listed = ", ".join(f"{column.name!r} ({column.kind})" for column in columns[:10])
    more = ", ..." if len(columns) > 10 else ""
    almost = (f"{column.name!r} is {column.note}; " for column in columns if is_almost(column))
    cure = "kinds={name: 'category'}, or 'number', makes one an input"
    if all(column.kind == "constant" for column in columns):
        cure = "give a column whose values differ"
    return f"Schema.infer: no column can be an input: {listed}{more}; {next(almost, '')}{cure}"


# ---- kinds ---------------------------------------------------------------------------------------


def looked_at(name, array, format):
    """The Column of an array."""
    gone = int(missing(array).sum())
    values, counts = distinct(array)
    arrived = ARRIVALS[array.dtype.kind]
    is_said = format == "text"
    kind, format, note = kind_of(
        name, array, arrived, values, gone, None if is_said else format, is_said
    )
    if is_said and kind in ("identifier", "text"):  # as what it looks like it may be an input
        kind, format, note = kind_of(name, array, arrived, values, gone, None)
    shown = examples(kind, values, counts, format)
    return Column(name, kind, arrived, format, gone, len(values), shown, note)


def kind_of(name, array, arrived, values, gone, format, is_said=False):
    """The kind, the format and a note, by the distinct values; is_said: that it is text."""
    if len(values) == 0:
        return "constant", format, "no value at all"
    if len(values) == 1:
        if gone == 0:
            return "constant", format, ""
        return "category", format, "one value or none"
    if arrived == "date":
        return "date", None, ""
    if arrived == "boolean":
        return "boolean", None, ""
    if arrived == "number":
        if np.isin(values, (0, 1)).all():
            return "boolean", format, ""
        note = numbers_rows(name, array, values)
        return ("identifier", format, note) if note else ("number", format, "")
    return kind_of_text(name, array, values, len(array) - gone, is_said)


def numbers_rows(name, array, values):
    """Why numbers are those of the rows, "" if they are not."""
    whole = array.dtype.kind == "i" or bool((values == np.floor(values)).all())
    if whole and len(values) == len(array) >= MANY_ROWS // 2:
        if (np.abs(np.diff(array)) == 1).all():
            return "it numbers the rows"
        if IDENTIFIER.search(name) or CAMEL_ID.search(name):
            return "by its name, and no value comes twice"
    return ""


def kind_of_text(name, array, values, present, is_said):
    """The same for text; is_said: that it is, whatever it looks like."""
    if len(values) == 2 and all(value.lower() in TRUTHS for value in values):
        return "boolean", None, ""
    note = ""
    if not is_said:
        numeric = [v for v in values if v.lower() not in PLACEHOLDERS]
        format = number_format(lambda pattern: all(re.match(pattern, v) for v in numeric))
        if format is not None and numeric and not are_codes(numeric, format):
            return "number", format, "numbers as text"
        orders = date_format(array)
        if orders:
            ambiguous = f"the order may also be {orders[1]}" if len(orders) > 1 else ""
            return "date", orders[0], ambiguous
        note = mostly(array, values)
    words = np.mean([value.count(" ") + 1 for value in values])
    unique = len(values) / present
    if present >= MANY_ROWS and unique > 0.9:
        kind = "identifier" if words < 1.2 else "text"
        return kind, None, note or "almost no value comes twice"
    if (words >= MANY_WORDS and len(values) > MANY_ROWS) or (
        unique > 0.5 and len(values) > MOST_NAMES
    ):
        return "text", None, note or f"{len(values):,} different values in {present:,} rows"
    return "category", None, note


def are_codes(texts, format):
    """Whether different text would be the same number."""
    numbers, _ = numbers_of(np.array(texts, object), format)
    is_long = (np.abs(numbers) > LARGEST_EXACT).any()
    return bool(is_long) and len(np.unique(numbers)) < len(texts)


def is_number(text):
    return re.match(NUMBERS["."], text) is not None


def without_signs(text):
    """Text without units, groups of digits, and what other alphabets write in place of a sign."""
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip(SIGNS)
    return re.sub("[,' \u2019]", "", text)


def is_date(text):
    return moments_of([text], None)[0] != NAT


ALMOST = (  # what text may be for the most part: the word, its test, and that of what it should be
    ("numbers", is_number, is_number),
    ("numbers with signs", lambda text: is_number(without_signs(text)), is_number),
    ("dates", is_date, is_date),
)


def is_almost(column):
    """Whether a column is text that is mostly something else."""
    return column.note.startswith("mostly")


def mostly(array, values):
    """What most of some text is, and the first of it that is not; "" if it is just text."""
    some = values[:: len(values) // SOME_VALUES + 1]
    for word, fits, is_right in ALMOST:
        if np.mean([fits(value) for value in some]) > MOSTLY:
            wrong = (i for i, v in enumerate(array) if v and not is_right(v))
            row = next(wrong, None)
            but = "in several orders" if row is None else f"but row {row} has {array[row]!r}"
            return f"mostly {word}, {but}"
    return ""


def examples(kind, values, counts, format=None):
    """Some values of a column, for people."""
    if len(values) == 0:
        return ""
    if kind == "date":
        dates, _ = dates_of(values, format)
        return f"{str(np.nanmin(dates))[:10]} to {str(np.nanmax(dates))[:10]}"
    if kind == "number":
        numbers, _ = numbers_of(values, format or ".")
        return f"{np.nanmin(numbers):.6g} to {np.nanmax(numbers):.6g}"
    order = np.argsort(-counts, kind="stable")[:SHOWN_VALUES]
    shown = ", ".join(key_of(value) for value in values[order].tolist())
    return shown + (", ..." if len(values) > SHOWN_VALUES else "")


# ---- task ----------------------------------------------------------------------------------------


def task_of(arrays, task, formats):
    """The task, why, and the Columns of the targets."""
    looks = [target_look(name, array, formats.get(name), task) for name, array in arrays.items()]
    if len(looks) > 1:
        return task_of_many(looks, task)
    [(column, numbers, values, counts)] = looks
    is_said = formats.get(column.name) == "text" and column.kind == "category"
    found, reason = fitting_task(column, None if is_said else numbers, values, counts)
    if task in ("multilabel", "multioutput"):
        raise ValueError(f"Schema.infer: task is {task!r}, which needs a list of targets")
    if task is None:
        task = found
    else:
        reason = "as you said"
    check_task(task, column, numbers, len(values))
    column.kind = "number" if task in ("regression", "counts") else "category"
    return task, reason, [column]


def target_look(name, array, format, task):
    """A target's Column, its numbers or None, its distinct values and their counts."""
    column = looked_at(name, array, format)
    values, counts = distinct(array)
    if len(values) == 0:
        raise ValueError(f"Schema.infer: the target {name!r} has no value in any row")
    if len(values) == 1 and task in (None, "binary", "multiclass"):
        raise ValueError(
            f"Schema.infer: the target {name!r} is {key_of(values[0])} in every row: there is "
            "nothing to learn; a task of numbers or labels that is said takes it as it is"
        )
    if column.arrived == "date":
        raise ValueError(
            f"Schema.infer: the target {name!r} is a date; make it a number, as days since another"
        )
    as_number = column.arrived != "text" or column.format in NUMBERS or format == "text"
    numbers, bad = numbers_of(array, column.format or ".") if as_number else (None, 0)
    return column, numbers if bad is None else None, values, counts


def fitting_task(column, numbers, values, counts):
    """The task that a single target has, and why."""
    different = f"{len(values):,} different {plural(len(values), 'value')}"
    if len(values) == 2:
        return "binary", f"two values, {examples('category', values, counts)}"
    if column.arrived == "text" and (numbers is None or len(values) <= MOST_CLASSES):
        return "multiclass", f"text with {different}"
    present = numbers[~np.isnan(numbers)]
    whole = bool((present == np.floor(present)).all())
    if not whole:
        return "regression", f"numbers with {different}"
    repeated = len(values) <= len(present) / 4
    if present.min() == 0 and present.mean() <= LARGEST_MEAN and falls(present, len(values)):
        return "counts", f"whole numbers from 0 to {present.max():.0f}, the larger the rarer"
    if len(values) <= MOST_CLASSES and repeated:
        return "multiclass", f"whole numbers with {different}, that come again"
    return "regression", f"whole numbers with {different}"


def falls(present, different):
    """Are numbers distributed as counts: more than a few, ever rarer from the commonest on?"""
    if different <= MOST_CLASSES // 2 or present.max() > 1000:
        return False
    counts = np.bincount(present.astype(np.int64))
    head = counts[: np.searchsorted(np.cumsum(counts), 0.95 * counts.sum()) + 1]
    top = head.argmax()
    rarer = head[-1] < head[top] / 2 and bool((np.diff(head[top:]) <= 0).all())
    return rarer and top < len(head) / 2


def check_task(task, column, numbers, different):
    """Raises ValueError if a target does not fit the task."""
    name = column.name
    if task in ("regression", "counts"):
        if numbers is None:
            raise ValueError(
                f"Schema.infer: task is {task!r}, but the target {name!r} is no number: "
                f"{column.shown}"
            )
        if task == "counts" and (np.nanmin(numbers) < 0 or np.isinf(numbers).any()):
            raise ValueError(
                f"Schema.infer: task is 'counts', but the target {name!r} is {np.nanmin(numbers)} "
                "somewhere; counts are 0 or more"
            )
    elif task == "binary" and different != 2:
        raise ValueError(
            f"Schema.infer: task is 'binary', but the target {name!r} has {different} different "
            "values"
        )
    elif column.kind in ("text", "identifier") and column.arrived == "text":
        raise ValueError(
            f"Schema.infer: the target {name!r} is {column.kind}, {column.note}; classes must come "
            "again"
        )


def task_of_many(looks, task):
    """The task, why, and the Columns of several targets."""
    columns = [column for column, *_ in looks]
    truths = all(column.kind == "boolean" for column in columns)
    numeric = [numbers is not None for _, numbers, *_ in looks]
    found = "multilabel" if truths else "multioutput"
    reason = f"{len(columns)} targets of two values each" if truths else f"{len(columns)} numbers"
    if task not in (None, "multilabel", "multioutput"):
        raise ValueError(
            f"Schema.infer: task is {task!r}, which has one target, not {len(columns)}"
        )
    task, reason = (found, reason) if task is None else (task, "as you said")
    for column, number in zip(columns, numeric, strict=True):
        if not (number if task == "multioutput" else column.kind in ("boolean", "constant")):
            wanted = "a number" if task == "multioutput" else "of two values, as 0 and 1"
            raise ValueError(
                f"Schema.infer: of several targets each must be {wanted} for {task}, "
                f"{column.name!r} is {column.shown}"
            )
        column.kind = "number" if task == "multioutput" else "boolean"
    return task, reason, columns
