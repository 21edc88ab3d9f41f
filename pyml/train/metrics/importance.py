"""How much worse predictions get when one column of the data says nothing."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pyml.data.checks import count, function
from pyml.ops.creation import from_numpy
from pyml.tensor import Tensor
from pyml.train.metrics.rows import array_of
from pyml.train.metrics.table import get

__all__ = ["Importance", "permutation_importance"]


class Importance(NamedTuple):
    """What permutation_importance() found."""

    columns: list
    """Names of the columns, or their numbers."""
    losses: np.ndarray
    """By how much the metric got worse, (columns, repeats)."""
    metric: str
    """Its name."""
    base: float
    """The metric of the data as it is."""

    @property
    def means(self):
        """(columns,), over the repeats."""
        return self.losses.mean(1)

    @property
    def stds(self):
        """Standard deviations, (columns,), over the repeats."""
        return self.losses.std(1)


def permutation_importance(predict, X, y, metric, *, weight=None, n_repeats=5, seed=0):
    """By how much a metric gets worse when the rows of one column change places.

    A column that predictions do not use costs nothing. Of columns that say the same, each alone
    seems to say little. Take rows that had no part in training (Breiman 2001, "Random forests",
    section 10; Fisher, Rudin & Dominici 2019, "All models are wrong, but many are useful").

    Args:
        predict: a function of X that gives what the metric wants: classes, probabilities or values.
        X: rows, (n, columns): an array or a Tensor; a dict of arrays; a frame of pandas or polars.
        y: targets, n rows.
        metric: as metrics.get() takes it.
        weight: of each row, (n,). Default: 1.
        n_repeats: how many permutations of each column, >= 1. Default: 5.
        seed: of the permutations, an integer >= 0. Default: 0.

    Returns:
        an Importance: columns, losses (columns, n_repeats), metric, base.

    Raises:
        TypeError: for X of another kind, and for a metric that is no number.
        ValueError: for X without columns, and as the metric.

    Example:
        >>> importance = pyml.train.metrics.permutation_importance(
        ...     lambda x: x[:, 0], pyml.randn(100, 2), pyml.zeros(100), "mae")
        >>> importance.losses[1]
        array([0., 0., 0., 0., 0.])
    """
    who = "permutation_importance"
    if function(predict, who, "predict") is None:
        raise TypeError(f"{who}: predict is None, it must be a function")
    metric = get(metric)
    n_repeats, seed = count(n_repeats, who, "n_repeats"), count(seed, who, "seed", 0)
    columns = _columns(X, who)
    base = _number(metric, predict(X), y, weight, who)
    rows = len(array_of(y, f"{who}: y"))
    if metric.greater_is_better is None:
        raise ValueError(
            f"{who}: whether more of {metric.name} is better is not known; "
            "metrics.FunctionMetric(function, greater_is_better=False) says it of a function"
        )
    sign = -1 if metric.greater_is_better else 1
    losses = np.empty((len(columns), n_repeats))
    for i, name in enumerate(columns):
        for k in range(n_repeats):
            order = np.random.default_rng([seed, i, k]).permutation(rows)
            shuffled = predict(_with_rows_of_column(X, i, name, order))
            losses[i, k] = sign * (_number(metric, shuffled, y, weight, who) - base)
    return Importance(columns, losses, metric.name, base)


def _number(metric, prediction, y, weight, who):
    number = metric(prediction, y, weight)
    if np.ndim(number):
        raise TypeError(
            f"{who}: metric {metric.name} has shape {np.shape(number)}, it must be one number"
        )
    return number


def _columns(X, who):
    """The names of the columns of X, or their numbers."""
    if isinstance(X, Mapping):
        columns = list(X)
    elif hasattr(X, "with_columns") or hasattr(X, "isetitem"):  # polars, pandas
        columns = list(X.columns)
    elif getattr(X, "ndim", None) == 2:
        columns = list(range(X.shape[1]))
    else:
        shape = f" of shape {tuple(X.shape)}" if hasattr(X, "shape") else ""
        raise TypeError(
            f"{who}: X is a {type(X).__name__}{shape}, it must be an array (n, columns), a dict of "
            "arrays or a frame"
        )
    if not columns:
        raise ValueError(f"{who}: X has no columns; give one at least")
    return columns


def _with_rows_of_column(X, i, name, order):
    """A copy of X, with the rows of column i in another order."""
    if isinstance(X, Mapping):
        return {**X, name: X[name][order]}
    if hasattr(X, "with_columns"):
        return X.with_columns(X[name].gather(order))
    if hasattr(X, "isetitem"):  # names may occur twice
        copy = X.copy()
        copy.isetitem(i, X.iloc[:, i].array.take(order))
        return copy
    array = np.array(X.detach().numpy() if isinstance(X, Tensor) else X)
    array[:, i] = array[order, i]
    return from_numpy(array) if isinstance(X, Tensor) else array
