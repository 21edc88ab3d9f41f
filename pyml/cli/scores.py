"""How good a model is, with intervals, beside a baseline."""

from typing import NamedTuple

import numpy as np

from pyml import tabular
from pyml.cli.failures import Refused
from pyml.cli.output import columns
from pyml.tabular.scoring import measured, predictions
from pyml.tabular.table import near

__all__ = ["Score", "labelled", "scores_of", "table_of"]

RESAMPLES = 400  # of the rows, from which an interval comes
FEWEST_RESAMPLES = 100
MOST_NUMBERS = 2_000_000  # that all resamples have together
INTERVAL = (2.5, 97.5)  # percentiles


class Score(NamedTuple):
    """A metric of some rows."""

    value: float
    low: float
    """The ends of the interval of 95 %; NaN where the metric is not defined."""
    high: float
    baseline: float
    """Of predicting the same for each row: the mean, or the most frequent class."""


def labelled(schema, table):
    """The rows of a table that have a target, and how many have none.

    Raises:
        Refused: if the table lacks the column.
    """
    for name in schema.targets:
        if name not in table:
            raise Refused(
                f"there is no column {name!r}, which the model predicts; {near(name, table.names)}"
            )
    rows = schema.labelled(table)
    return table.take(rows), table.rows - len(rows)


def scores_of(model, table, train=None):
    """{metric: Score} of a model for rows with a target.

    The intervals are those of the percentile bootstrap (Efron & Tibshirani 1993, chapter 13): rows
    are drawn with replacement, the same ones in every run.

    Args:
        model: a TabularModel.
        table: the rows.
        train: those that the baseline is of. Default: the same rows.
    """
    target = model.target
    outputs, actual = model.outputs(table), target.actual(table)
    predicted = predictions(target, outputs)
    base = tabular.baseline(model, table if train is None else train, table)
    rng = np.random.default_rng(0)
    count = int(np.clip(MOST_NUMBERS // outputs.size, FEWEST_RESAMPLES, RESAMPLES))
    drawn = []
    for _ in range(count):
        rows = rng.integers(0, len(actual), len(actual))
        some = {wants: part[rows] for wants, part in predicted.items()}
        drawn.append(measured(target, some, actual[rows]))
    scores = {}
    for name, value in measured(target, predicted, actual).items():
        finite = [found[name] for found in drawn if np.isfinite(found[name])]
        low, high = np.percentile(finite, INTERVAL) if finite else (np.nan, np.nan)
        scores[name] = Score(value, float(low), float(high), base[name])
    return scores


def table_of(scores, part):
    """Lines of a table of Scores of a part of the rows."""
    rows = [[part, "model", "95 % interval", "baseline"]]
    rows += [
        [
            *(name, f"{score.value:.5g}", f"{score.low:.5g} to {score.high:.5g}"),
            f"{score.baseline:.5g}",
        ]
        for name, score in scores.items()
    ]
    return columns(rows, right=(1, 2, 3))
