"""Preprocessor: tables as the numbers and categories that a network takes."""

from copy import deepcopy

import numpy as np

from pyml.options import check_choice
from pyml.tabular.reading import as_table
from pyml.tabular.scaling import LARGEST, SMALLEST, Quantile, Standard
from pyml.tabular.schema import Schema, checked_state
from pyml.tabular.table import check_type, near
from pyml.tabular.values import dates_of, names_of, numbers_of, truths_of

__all__ = ["Preprocessor"]

SCALES = ("quantile", "noisy-quantile", "robust", "standard", "none")
QUANTILES = {"quantile": 0.0, "noisy-quantile": 1e-5}  # the noise
PARTS = ("days", "month", "day", "weekday", "hour")
DAY = np.timedelta64(1, "D")
LARGEST_FLOAT32 = 3e38


class Preprocessor:
    """Makes a table numbers and categories, by what it has seen in the training rows.

    A number is scaled, a missing one is the median, and a further column of 0 and 1 says that it is
    missing, if it is in a training row. A date becomes days since 1970, month, day, weekday and
    hour. A category becomes its number from 1 on; missing is a category of its own if it occurs in
    a training row; 0 is what does not. What is the same in all training rows is left out.

    Args:
        schema: a Schema; it is copied.
        numbers: how they are scaled: "quantile", the normal quantile of the share of rows below,
            which outliers do not move; "noisy-quantile", the same with normal noise of 1e-5 on the
            rows that it is fitted to, as in arXiv:2410.24210; "robust", by median and quartiles
            with a smooth clip; "standard", by mean and standard deviation; "none".
            Default: "quantile".
        log: for "robust" and "standard", take the logarithm of columns without negative numbers:
            True, False, or None, of skewed ones. Default: None.

    Attributes:
        numbers: names of the columns of numbers that are given: `values` of them are numbers, the
            others say what is missing.
        categories: {name: levels} of the categories, None for missing.

    Raises:
        ValueError: for another scale.

    Example:
        >>> preprocessor = tabular.Preprocessor(schema).fit(table.take(train))
        >>> numbers, categories = preprocessor.transform(table.take(test))
    """

    def __init__(self, schema, numbers="quantile", log=None):
        check_type("Preprocessor", "schema", schema, Schema)
        check_choice("Preprocessor", "numbers", numbers, SCALES)
        check_choice("Preprocessor", "log", log, (None, True, False))
        self.schema = deepcopy(schema)  # what is changed later is not meant
        self.scale, self.log = numbers, log
        self.features = None
        self.categories = None

    # ---- fit -------------------------------------------------------------------------------------

    def fit(self, table):
        """Looks at the training rows, a Table or what read() takes. Returns self.

        Raises:
            ValueError: if the table has no rows, lacks an input, or has values in it that are not
                of its kind; or if all inputs are the same in all rows.
        """
        table = as_table(table, self.schema)
        self._check_columns(table, "fit")
        if table.rows == 0:
            raise ValueError("Preprocessor.fit: the table has no rows")
        features = []
        for column, part, x in self._numeric(table, "fit"):
            feature = Feature.fitted(column, part, x, self.scale, self.log)
            if feature is not None:
                before = features[-1].column if features else None
                feature.gaps = (
                    feature.gaps and before != column
                )  # a date's parts are missing as one
                features.append(feature)
        categories = {}
        for column, names in self._named(table, "fit"):
            found = {*names}
            levels = sorted(found - {None}) + ([None] if None in found else [])
            if len(levels) > 1:
                categories[column.name] = levels
        if not features and not categories:
            raise ValueError(
                "Preprocessor.fit: every input is the same in all rows, there is nothing to learn "
                "from"
            )
        self.features, self.categories = features, categories
        return self

    @property
    def values(self):
        """How many of the numbers are values; the others say what is missing."""
        return len(self.features)

    @property
    def numbers(self):
        """Names of the columns of numbers that transform() gives."""
        return [f.name for f in self.features] + [
            f"{f.name} is missing" for f in self.features if f.gaps
        ]

    @property
    def sizes(self):
        """How many categories each column of them has, without 0."""
        return [len(levels) for levels in self.categories.values()]

    # ---- transform -------------------------------------------------------------------------------

    def transform(self, table):
        """The inputs of a network.

        Args:
            table: a Table, or what read() takes, with the inputs of the schema, in any order; other
                columns do not matter.

        Returns:
            numbers, float32 (rows, len(self.numbers)), and categories, int64 (rows,
            len(self.categories)).

        Raises:
            RuntimeError: before fit().
            ValueError: if a column is missing, or has values that are not of its kind.
        """
        if self.features is None:
            raise RuntimeError("Preprocessor.transform: call fit() with the training rows first")
        table = as_table(table, self.schema)
        self._check_columns(table, "transform")
        numbers = np.zeros((table.rows, len(self.numbers)), np.float32)
        columns = {(column, part): x for column, part, x in self._numeric(table, "transform")}
        gaps = self.values
        for i, feature in enumerate(self.features):
            x = columns.pop((feature.column, feature.part))
            numbers[:, i] = feature(x)
            if feature.gaps:
                numbers[:, gaps] = np.isnan(x)
                gaps += 1
        categories = np.zeros((table.rows, len(self.categories)), np.int64)
        places = {name: i for i, name in enumerate(self.categories)}
        for column, names in self._named(table, "transform"):
            if column.name in places:
                levels = {name: i for i, name in enumerate(self.categories[column.name], 1)}
                codes = {name: levels.get(name, 0) for name in {*names}}
                found = map(codes.__getitem__, names)
                categories[:, places[column.name]] = np.fromiter(found, np.int64, table.rows)
        return numbers, categories

    # ---- columns ---------------------------------------------------------------------------------

    def _check_columns(self, table, method):
        lacking = [column.name for column in self.schema.inputs if column.name not in table]
        if lacking:
            listed = ", ".join(map(repr, lacking[:10])) + (", ..." if len(lacking) > 10 else "")
            raise ValueError(
                f"Preprocessor.{method}: the table lacks {listed}; {near(lacking[0], table.names)}"
            )

    def _numeric(self, table, method):
        """(name, part, float64 array) of each number, part "", and of each part of a date."""
        for column in self.schema.inputs:
            if column.kind == "number":
                x, bad = numbers_of(table[column.name], column.format or ".")
                self._check(method, column, table, bad, "number")
                yield column.name, "", x
            elif column.kind == "date":
                dates, bad = dates_of(table[column.name], column.format)
                self._check(method, column, table, bad, "date")
                for part, x in zip(PARTS, parts_of(dates), strict=True):
                    yield column.name, part, x

    def _named(self, table, method):
        """(Column, names of categories) of each category and boolean."""
        for column in self.schema.inputs:
            array = table[column.name]
            if column.kind == "category":
                numeric = column.arrived == "number"
                yield column, names_of(array, (column.format or ".") if numeric else None)
            elif column.kind == "boolean":
                x, bad = truths_of(array)
                if bad is not None and method == "transform" and column.arrived == "number":
                    x, bad = numbers_of(array)  # another than 0 and 1 is a category not seen
                self._check(method, column, table, bad, "truth value, as 0 and 1 or no and yes")
                yield column, names_of(x)

    def _check(self, method, column, table, bad, what):
        if bad is not None:
            value = table[column.name][bad]
            raise ValueError(
                f"Preprocessor.{method}: column {column.name!r} has {str(value)!r} in row "
                f"{table.row_numbers[bad]}, which is no {what}; mend it, leave it empty, or make "
                "the column a category"
            )

    # ---- in files --------------------------------------------------------------------------------

    def state_dict(self):
        """What fit() has found, as what pyml.save keeps."""
        return {
            "scale": self.scale,
            "log": self.log,
            "features": [feature.state_dict() for feature in self.features],
            "categories": [[name, list(levels)] for name, levels in self.categories.items()],
        }

    @classmethod
    def from_state_dict(cls, schema, state):
        """The Preprocessor of a schema that state_dict() is of.

        Raises:
            ValueError: if it is none.
        """
        kept = checked_state(
            state,
            "preprocessor",
            scale=str,
            log=(bool, type(None)),
            features=list,
            categories=list,
        )
        made = cls(schema, kept["scale"], kept["log"])
        made.features = [Feature.from_state_dict(each, kept["scale"]) for each in kept["features"]]
        made.categories = {}
        for pair in kept["categories"]:
            if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
                raise ValueError("preprocessor: categories are no pairs of a name and levels")
            name, levels = pair
            if not isinstance(levels, list) or len(levels) < 2 or name in made.categories:
                raise ValueError(
                    f"preprocessor: category {name!r} has no levels, or is there twice"
                )
            if not all(level is None or isinstance(level, str) for level in levels):
                raise ValueError(f"preprocessor: levels of category {name!r} are no text")
            if len(set(levels)) != len(levels):
                raise ValueError(f"preprocessor: category {name!r} has a level twice")
            made.categories[name] = levels
        made._check_names()
        return made

    def _check_names(self):
        """Raises ValueError unless features and categories are those of the schema's inputs."""
        numbers = [(f.column, f.part) for f in self.features]
        kinds = {"number": ("",), "date": PARTS}
        known = [(c.name, part) for c in self.schema.inputs for part in kinds.get(c.kind, ())]
        named = [c.name for c in self.schema.inputs if c.kind in ("category", "boolean")]
        for found, allowed in ((numbers, known), (list(self.categories), named)):
            if len(set(found)) != len(found) or not set(found) <= set(allowed):
                raise ValueError("preprocessor: its columns are not the schema's inputs")


class Feature:
    """One number of a network's input.

    Args:
        column: its name.
        part: of a date, "" for a number.
        median: of the training rows, which stands for missing ones.
        low, high: the smallest and the largest finite one, which stand for infinite ones.
        gaps: is it missing in a training row?
        scale: a Standard or Quantile; None: it stays as it is.
    """

    def __init__(self, column, part, median, low, high, gaps, scale):
        self.column, self.part, self.gaps, self.scale = column, part, gaps, scale
        self.median, self.low, self.high = median, low, high

    @classmethod
    def fitted(cls, column, part, x, scale, log):
        """Fits it to float64 numbers; None if they are all the same."""
        finite = within(x[np.isfinite(x)])
        if len(finite) == 0 or finite.min() == finite.max():
            return None
        ends = float(np.median(finite)), float(finite.min()), float(finite.max())
        made = cls(column, part, *ends, bool(np.isnan(x).any()), None)
        filled = made.filled(x)
        present = filled[~np.isnan(x)]
        if scale in QUANTILES:
            made.scale = Quantile.fitted(present, QUANTILES[scale])
        elif scale != "none":
            made.scale = Standard.fitted(present, scale == "robust", log)
        return made

    def __deepcopy__(self, memo):
        return self  # nothing of it changes, and there may be many

    @property
    def name(self):
        """For people."""
        return f"{self.column}.{self.part}" if self.part else self.column

    def filled(self, x):
        """Numbers all of which are finite."""
        x = np.where(np.isnan(x), self.median, x)
        x = np.where(np.isposinf(x), self.high, np.where(np.isneginf(x), self.low, x))
        return within(x)

    def __call__(self, x):
        x = self.filled(x)
        x = x if self.scale is None else self.scale(x)
        return np.clip(x, -LARGEST_FLOAT32, LARGEST_FLOAT32)

    def state_dict(self):
        """What it is made of."""
        names = ("column", "part", "median", "low", "high", "gaps")
        ends = {name: getattr(self, name) for name in names}
        scale = {} if self.scale is None else {n: getattr(self.scale, n) for n in self.scale.names}
        return {**ends, "scale": scale}

    @classmethod
    def from_state_dict(cls, state, scale):
        """The Feature that state_dict() is of.

        Raises:
            ValueError: if it is none.
        """
        kept = checked_state(
            state,
            "feature",
            column=str,
            part=str,
            median=float,
            low=float,
            high=float,
            gaps=bool,
            scale=dict,
        )
        ends = [kept[name] for name in ("low", "median", "high")]
        if not (np.isfinite(ends).all() and ends == sorted(ends)):
            raise ValueError(f"feature {kept['column']!r}: its median is not between low and high")
        of_scale = kept["scale"]
        if scale == "none":
            kept["scale"] = None
            checked_state(of_scale, "scale")
        elif scale in QUANTILES:
            values = checked_state(of_scale, "scale", quantiles=np.ndarray)["quantiles"]
            fits = values.ndim == 1 and values.dtype == np.float64 and len(values) >= 2
            if not fits or not np.isfinite(values).all() or (np.diff(values) < 0).any():
                raise ValueError(f"feature {kept['column']!r}: its quantiles are not ascending")
            kept["scale"] = Quantile(values)
        else:
            values = checked_state(of_scale, "scale", unit=float, center=float, factor=float)
            if not np.isfinite(list(values.values())).all() or values["unit"] < 0:
                raise ValueError(f"feature {kept['column']!r}: its scale is not finite")
            kept["scale"] = Standard(**values, clip=scale == "robust")
        return cls(**kept)


def within(x):
    """Finite numbers of which squares and slopes are finite, too."""
    return np.where(np.abs(x) < SMALLEST, 0, np.clip(x, -LARGEST, LARGEST))


def parts_of(dates):
    """The parts of datetime64[us], float64 each, NaN where a date is missing."""
    gone = np.isnat(dates)
    days = dates.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    parts = (
        (dates - np.datetime64(0, "us")) / DAY,
        months.astype(np.int64) % 12 + 1,
        (days - months.astype("datetime64[D]")) / DAY + 1,
        (days.astype(np.int64) + 3) % 7,  # Monday is 0; 1970 began on a Thursday
        (dates - days.astype(dates.dtype)) / np.timedelta64(1, "h"),
    )
    return [np.where(gone, np.nan, part) for part in parts]
