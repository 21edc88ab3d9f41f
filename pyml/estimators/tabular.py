"""TabularClassifier and TabularRegressor: pyml.tabular with scikit-learn's interface."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from os import PathLike

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from pyml.estimators.fitting import SEEDS
from pyml.estimators.mlp import take, unchanged_if_raised
from pyml.estimators.targets import Values, classes_or_labels
from pyml.estimators.validation import PARAMETERS
from pyml.options import check_choice
from pyml.tabular.fitting import fit
from pyml.tabular.reading import as_table
from pyml.tabular.schema import Schema
from pyml.tabular.table import Table

__all__ = ["TabularClassifier", "TabularRegressor"]

PRESETS = {  # options of tabular.fit; those that an estimator is given go before
    "fast": {},
    "plr": {"recipe": "mlp-plr"},
    "realmlp": {"recipe": "realmlp-td"},
    "tabm": {"recipe": "tabm-mini"},
}
TIMES = (date, time, timedelta, np.datetime64, np.timedelta64)
TASKS = {
    "binary": "binary",
    "multiclass": "multiclass",
    "multilabel": "multilabel",
    "values": "regression",
}
CHECKED = ("validation_fraction", "n_ensemble", "max_seconds", "verbose")  # the others are by fit


class Tabular(BaseEstimator):
    """What both have in common."""

    kinds = None  # of pickles from before there were any

    def __init__(
        self,
        preset="fast",
        *,
        hidden=None,
        epochs=None,
        batch_size=None,
        lr=None,
        validation_fraction=0.1,
        n_ensemble=1,
        max_seconds=None,
        random_state=None,
        verbose=False,
        kinds=None,
    ):
        take(self, locals())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def fit(self, X, y):
        """Trains a network of a table: what its columns are, how they become numbers, how long.

        Args:
            X: a frame of pandas, polars or Arrow as it is, with text, dates and gaps; or an array
                or list, (n, features), of numbers, NaN where one is missing, of text, dates or
                objects, whose columns are x0, x1, ...
            y: the targets, (n,) or (n, outputs), without gaps.

        Returns:
            The estimator.

        Raises:
            TypeError, ValueError: for parameters and data that are not as said, and for a table
                that no model can be trained of: it says which column is why.
            FloatingPointError: if the loss becomes infinite in the first epoch.
        """
        with unchanged_if_raised(self):
            return self._fit(X, y)

    def _fit(self, X, y):
        who = type(self).__name__
        check_choice(who, "preset", self.preset, tuple(PRESETS))
        for name in CHECKED:
            PARAMETERS[name](who, name, getattr(self, name))
        if not isinstance(self.kinds, (Mapping, type(None))):
            raise TypeError(f"{who}: kinds is {self.kinds!r}, it must be a dict {{name: kind}}")
        if y is None:
            raise ValueError(f"{who} requires y to be passed, but the target y is None")
        table, numbers = self._table(X, reset=True)
        kinds = self.kinds if numbers is None else {**numbers, **(self.kinds or {})}
        y = checked_target(who, y, is_numeric=not hasattr(self, "predict_proba"))
        check_consistent_length(table, y)
        coding, y = self._coded(y)
        targets = coding.numbers(y, "fit")
        targets = targets.reshape(len(targets), -1)
        names = target_names(table, targets.shape[1])
        columns = {name: table[name] for name in table.names}
        columns |= dict(zip(names, targets.T.copy(), strict=True))
        task = TASKS[coding.kind] if targets.shape[1] == 1 or coding.kind != "values" else None
        whole = Table(columns, table.formats)
        schema = Schema.infer(whole, names, task=task or "multioutput", kinds=kinds)
        given = {
            **{"hidden": self.hidden, "epochs": self.epochs, "batch_size": self.batch_size},
            **{"lr": self.lr, "max_seconds": self.max_seconds},
        }
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        self.fitted_ = fit(
            whole,
            schema=schema,
            validation=self.validation_fraction,
            ensemble=self.n_ensemble,
            seed=seed,
            progress=bool(self.verbose),
            **PRESETS[self.preset]
            | {name: value for name, value in given.items() if value is not None},
        )
        self._coding, self._names, self._is_of_frames = coding, table.names, numbers is None
        self.model_ = self.fitted_.model
        history = self.fitted_.history
        self.n_iter_ = len(history if self.n_ensemble == 1 else history[0])
        return self

    def _table(self, X, *, reset):
        """The Table of X, and the kinds of its columns if it is an array of numbers alone.

        Columns that have kinds of their own in training keep them: what an array holds is seen by
        its column, whatever the other rows and columns are.
        """
        who = type(self).__name__
        if (cure := cure_of(X)) is not None:
            is_structured = isinstance(X, np.ndarray)
            kind = "structured array" if is_structured else type(X).__name__
            raise TypeError(f"{who}: X is a {kind}; pass a frame, as {cure}")
        X = rows_of(X) if isinstance(X, (list, tuple)) else X
        is_typed = is_array_of_values(X) and not (reset and are_numbers(X))
        if (is_frame(X) or is_typed) and (reset or self._is_of_frames):
            check_names(who, X)
            validate_data(self, X, skip_check_array=True, reset=reset)
            table = as_table(X)
            if not reset and not (is_frame(X) and {*self._names} <= {*table.names}):
                table = as_table(dict(zip(self._names, table.columns.values(), strict=True)))
            return table, None
        options = {"ensure_all_finite": "allow-nan", "dtype": (np.float64, np.float32)}
        options |= {"reset": reset, "ensure_min_samples": 2 if reset else 1}
        X = validate_data(self, X, **options)
        names = [f"x{i}" for i in range(X.shape[1])] if reset else self._names
        columns = dict(zip(names, X.T, strict=True))
        return as_table(columns), dict.fromkeys(columns, "number")

    def _predicted(self, X, method):
        check_is_fitted(self)
        table, _ = self._table(X, reset=False)
        return getattr(self.model_, method)(table)


def cure_of(X):
    """What makes a frame of what is none, but a table; None for all else."""
    if isinstance(X, (str, PathLike)):
        return "pandas.read_csv(X)"
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):  # of polars, not computed yet
        return "X.collect()"
    is_structured = isinstance(X, np.ndarray) and X.dtype.names is not None
    is_table = isinstance(X, (Mapping, Table)) and not sparse.issparse(X)  # as dok_array is
    return "pandas.DataFrame(X)" if is_structured or is_table else None


def is_frame(X):
    """Whether it has columns with names; a Series of pandas or polars has none."""
    has_columns = hasattr(X, "columns") or hasattr(X, "__arrow_c_stream__")
    return has_columns and len(getattr(X, "shape", (0, 0))) == 2


def rows_of(X):
    """Rows in a list as an array: of objects where not all are numbers, so that each stays so."""
    array = np.asarray(X)
    return np.asarray(X, object) if array.ndim == 2 and array.dtype.kind in "US" else array


def is_array_of_values(X):
    """Whether it is an array of two dimensions that may hold other things than numbers."""
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "OUSMm"


def are_numbers(X):
    """Whether all of such an array are numbers; text that looks like one may be a code."""
    if X.dtype.kind != "O" or any(isinstance(each, (str, bytes)) for each in X.flat):
        return False
    try:
        X.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def check_names(who, X):
    """Raises ValueError for a frame without columns, or with two of one name."""
    shape = getattr(X, "shape", (0, 1))
    if shape[1] == 0:
        raise ValueError(f"{who}: X has shape {shape}, 0 feature(s); it must have columns")
    names = list(getattr(X, "column_names", getattr(X, "columns", ())))
    for name in set(names):
        if names.count(name) > 1:
            raise ValueError(f"{who}: X has {names.count(name)} columns {name!r}; rename them")


def checked_target(who, y, is_numeric):
    """y as an array."""
    y = y.toarray() if sparse.issparse(y) else y
    if is_numeric and (of := time_in(y)) is not None:
        raise TypeError(f"{who}: y is of {of}; make it numbers, as seconds since a moment")
    y = check_array(y, ensure_2d=False, dtype="numeric" if is_numeric else None, input_name="y")
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def time_in(y):
    """What kind of dates or durations are in it, None if there are none."""
    array = np.asarray(y)
    if array.dtype.kind in "mM":
        return array.dtype
    values = array.flat if array.dtype.kind == "O" else ()
    return next((type(value).__name__ for value in values if isinstance(value, TIMES)), None)


def target_names(table, count):
    """Names that no column has."""
    name = "target"
    while any(each.startswith(name) for each in table.names):
        name += "_"
    return [name] if count == 1 else [f"{name}{i}" for i in range(count)]


class TabularClassifier(ClassifierMixin, Tabular):
    """A network for the classes of a table's rows, or for several labels; see tabular.fit.

    Args:
        preset: the network, and what is not given by the other parameters: "fast", tabular.fit's
            own choice by the table; or a recipe of it: "plr", mlp-plr; "realmlp", realmlp-td;
            "tabm", tabm-mini. Default: "fast".
        hidden, epochs, batch_size, lr: see tabular.fit. Defaults: by the table.
        validation_fraction: the share of rows that says when to stop. Default: 0.1, as of
            scikit-learn's MLPs.
        n_ensemble: how many networks are trained; their mean predicts. Default: 1.
        max_seconds: when fit ends at the latest. Default: None.
        random_state: of the split, the first weights and the order of the rows. Default: None.
        verbose: show a bar. Default: False.
        kinds: {name: kind} of columns that you know better, as of Schema.infer: "number",
            "category", "boolean" or "date"; "dropped". Default: None, by their values.

    Attributes:
        classes_: the classes, sorted; of labels their numbers.
        model_: the TabularModel, which can be saved: model_.save("model.safetensors").
        fitted_: what tabular.fit gave: scores, baseline, schema, history.
        n_iter_: epochs of the first network.
        n_features_in_, feature_names_in_: as in scikit-learn.

    Example:
        >>> classifier = TabularClassifier(random_state=0).fit(frame.drop(columns="cut"), frame.cut)
        >>> probabilities = classifier.predict_proba(frame.drop(columns="cut"))
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _coded(self, y):
        coding, y = classes_or_labels(y)
        if len(coding.classes) < 2:
            raise ValueError(
                f"fit: y has the class {coding.classes[0]} alone: there must be two classes or more"
            )
        self.classes_ = coding.classes
        return coding, y

    def predict_proba(self, X):
        """Probabilities, (n, classes); of labels (n, labels), each that it is 1."""
        found = self._predicted(X, "predict_proba")
        if self._coding.kind == "multilabel":
            return found
        every = np.zeros((len(found), len(self.classes_)))  # a class may have no training row
        every[:, self.model_.target.classes.astype(np.int64)] = found
        return every

    def predict_log_proba(self, X):
        """The logarithms of predict_proba."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """Classes, (n,), or an indicator matrix."""
        found = self.predict_proba(X)
        is_labels = self._coding.kind == "multilabel"
        return self._coding.named((found > 0.5).astype(np.int64) if is_labels else found.argmax(1))


class TabularRegressor(RegressorMixin, Tabular):
    """A network for numbers of a table's rows, one or more; see tabular.fit.

    Parameters and attributes are those of TabularClassifier, without classes_.

    Example:
        >>> inputs = frame.drop(columns="price")
        >>> prices = TabularRegressor(random_state=0).fit(inputs, frame.price).predict(inputs)
    """

    def _coded(self, y):
        y = np.asarray(y)
        return Values(1 if y.ndim == 1 else y.shape[1]), y

    def predict(self, X):
        """Numbers, (n,) or (n, outputs)."""
        return self._predicted(X, "predict")
