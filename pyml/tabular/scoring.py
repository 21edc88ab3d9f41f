"""How good predictions of a table are, in the target's unit, and how good knowing nothing is."""

import warnings

import numpy as np

from pyml.tabular.model import TabularModel
from pyml.tabular.reading import as_table
from pyml.tabular.schema import plural
from pyml.tabular.table import TableWarning, check_type, near
from pyml.tabular.values import numbers_of
from pyml.train import metrics
from pyml.train.reading import check_weights

__all__ = ["SCORES", "baseline", "evaluate"]

NUMBERS = ("rmse", "mae", "r2")
SCORES = {
    "regression": NUMBERS,
    "multioutput": NUMBERS,
    "counts": NUMBERS,
    "binary": ("accuracy", "roc_auc", "log_loss", "f1"),
    "multiclass": ("accuracy", "balanced_accuracy", "log_loss", "f1_macro"),
    "multilabel": ("accuracy", "f1_micro", "roc_auc"),
}
"""{task: names of metrics}, the most important first; see pyml.train.metrics."""


def evaluate(model, data, *, sample_weight=None):
    """The metrics of a model for the rows of a table.

    | task | metrics |
    |---|---|
    | regression, multioutput, counts | rmse, mae, r2, in the unit of the target |
    | binary | accuracy, roc_auc, log_loss; f1 of the second class of `model.target.classes` |
    | multiclass | accuracy, balanced_accuracy, log_loss, f1_macro |
    | multilabel | accuracy (of rows all of whose labels are right), f1_micro, roc_auc |

    Args:
        model: a TabularModel.
        data: rows with the target, what read() takes. Those without it are left out, with a
            TableWarning.
        sample_weight: how much each row counts, (n,), >= 0, or the name of a column. Default: 1.

    Returns:
        {name: number}; NaN where a metric is not defined for these rows, as ROC AUC of one class.

    Raises:
        ValueError: if there are no rows, a column is missing, or the target is none of the task, as
            a class that is in no training row.

    Example:
        >>> sorted(tabular.evaluate(fitted.model, "test.csv"))
        ['accuracy', 'f1', 'log_loss', 'roc_auc']
    """
    check_type("evaluate", "model", model, TabularModel)
    table = as_table(data, model.schema)
    weight = weights_of("evaluate", table, sample_weight)
    rows = labelled_rows("evaluate", table, model.schema)
    table, weight = table.take(rows), None if weight is None else weight[rows]
    actual = model.target.actual(table)
    return scores(model.target, model.outputs(table).astype(np.float64), actual, weight)


def baseline(model, train, data):
    """The metrics of predicting the same for each row: what a model must beat to have learned.

    Of numbers their mean in the training rows; of classes the shares that they have there, so that
    the most frequent one is predicted.

    Args:
        model: a TabularModel, for its target.
        train: the training rows, what read() takes.
        data: the rows to evaluate, as of evaluate().

    Returns:
        {name: number} as evaluate().

    Raises:
        ValueError: as evaluate().

    Example:
        >>> tabular.baseline(fitted.model, "train.csv", "test.csv")["roc_auc"]
        0.5
    """
    check_type("baseline", "model", model, TabularModel)
    target, schema = model.target, model.schema
    parts = [labelled("baseline", as_table(part, schema), schema) for part in (train, data)]
    seen, actual = (target.actual(part) for part in parts)
    return scores_of_constant(target, target.outputs_of_mean(seen), actual)


def weights_of(who, table, sample_weight):
    """How much each row of a table counts, float64 (n), None for the same.

    Raises:
        TypeError, ValueError: if it is neither a number >= 0 for each row nor a column of them.
    """
    if sample_weight is None:
        return None
    place = f"{who}: sample_weight"
    if isinstance(sample_weight, str):
        if sample_weight not in table:
            raise ValueError(
                f"{place} is {sample_weight!r}, which is no column; "
                f"{near(sample_weight, table.names)}"
            )
        weight, bad = numbers_of(table[sample_weight])
        if bad is not None:
            raise ValueError(
                f"{place}: the column {sample_weight!r} has {str(table[sample_weight][bad])!r} in "
                f"row {table.row_numbers[bad]}, which is no number"
            )
    else:
        weight = np.asarray(sample_weight)
        if weight.dtype.kind not in "biuf":
            raise TypeError(f"{place} is of {weight.dtype}, it must be of numbers")
        weight = weight.astype(np.float64)
    if weight.shape != (table.rows,):
        raise ValueError(
            f"{place} has shape {weight.shape}, it must be ({table.rows},): a number for each row"
        )
    check_weights(weight, place)
    return weight


def labelled(who, table, schema):
    """The rows of a table that have a target, a Table; see labelled_rows."""
    return table.take(labelled_rows(who, table, schema))


def labelled_rows(who, table, schema):
    """The numbers of the rows that have a target; it is said how many have none.

    Raises:
        ValueError: if there are no others.
    """
    lacking = [name for name in schema.targets if name not in table]
    rows = np.arange(table.rows) if lacking else schema.labelled(table)
    if len(rows) == 0:
        raise ValueError(f"{who}: there is no row" + (" with a target" if table.rows else ""))
    gone = table.rows - len(rows)
    if gone:
        names = ", ".join(map(repr, schema.targets))
        warnings.warn(
            f"{who}: {names} is missing in {gone:,} of {table.rows:,} "
            f"{plural(table.rows, 'row')}, which {plural(gone, 'is', 'are')} left out",
            TableWarning,
            stacklevel=4,
        )
    return rows


def scores(target, outputs, actual, weight=None):
    """{name: number} of a network's outputs, float64, and what Target.actual() gives."""
    return measured(target, predictions(target, outputs), actual, weight)


def scores_of_constant(target, outputs, actual, weight=None):
    """{name: number} of the same outputs for each row."""
    return scores(target, np.broadcast_to(outputs, (len(actual), *outputs.shape)), actual, weight)


READERS = {
    "labels": lambda target, outputs: target.labels(outputs),
    "probabilities": lambda target, outputs: target.probabilities(outputs),
    "values": lambda target, outputs: target.decode(outputs),
}


def predictions(target, outputs):
    """{what metrics want: an array} of a network's outputs, for all metrics of the task."""
    wanted = {metrics.get(name).wants for name in SCORES[target.task]}
    return {wants: READERS[wants](target, outputs) for wants in wanted}


def measured(target, predicted, actual, weight=None):
    """{name: number} of the metrics of a task.

    Args:
        target: a Target.
        predicted: as predictions() gives.
        actual: of the same rows, as Target.actual() gives.
        weight: how much each of them counts. Default: the same.
    """
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.UndefinedMetricWarning)
        for name in SCORES[target.task]:
            metric = metrics.get(name)
            found[name] = float(metric(predicted[metric.wants], actual, weight))
    return found
