"""Predicted numbers beside true ones."""

import numpy as np

from pyml.plot.canvas import COLOURS, axes_of, done, legend
from pyml.train.metrics import R2, RootMeanSquaredError
from pyml.train.metrics.rows import values

__all__ = ["predicted_against_true", "residuals"]

MOST_POINTS = 5_000  # more hide each other, and are counted in hexagons


def predicted_against_true(prediction, target, *, unit=None, ax=None, path=None, title=None):
    """Predictions against targets; on the diagonal they are right.

    More than 5,000 rows are counted in hexagons: the darker, the more, in powers of ten.

    Args:
        prediction, target: numbers, (n,), or (n, 1).
        unit: of them, at the axes. Default: none.
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        ValueError: for NaN, and for no rows or several outputs.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> picture = pyml.plot.predicted_against_true(model(x), y, unit="USD", path="true.png")
    """
    who = "predicted_against_true"
    prediction, target = _one_output(who, prediction, target)
    ax = axes_of(who, ax, (4.8, 4.4))
    _scatter(ax, target, prediction)
    ends = np.array([min(target.min(), prediction.min()), max(target.max(), prediction.max())])
    ax.plot(ends, ends, color=COLOURS[4], linestyle="--", linewidth=1, label="equal")
    ax.set(xlabel=_with_unit("true", unit), ylabel=_with_unit("predicted", unit))
    ax.plot([], [], " ", label=_numbers(prediction, target, unit))
    legend(ax)
    return done(ax, path, title)


def residuals(prediction, target, *, unit=None, ax=None, path=None, title=None):
    """Errors against predictions: true - predicted, which should be around 0 everywhere.

    More than 5,000 rows are counted in hexagons: the darker, the more, in powers of ten.

    Args:
        prediction, target, unit, ax, path, title: as of predicted_against_true.

    Returns:
        the Axes.

    Raises:
        ValueError, ImportError, OSError: as predicted_against_true.

    Example:
        >>> picture = pyml.plot.residuals(model(x), y, unit="USD", path="residuals.png")
    """
    who = "residuals"
    prediction, target = _one_output(who, prediction, target)
    ax = axes_of(who, ax, (5.4, 4.0))
    _scatter(ax, prediction, target - prediction)
    ax.axhline(0, color=COLOURS[4], linestyle="--", linewidth=1, label="no error")
    ax.set(xlabel=_with_unit("predicted", unit), ylabel=_with_unit("true - predicted", unit))
    ax.plot([], [], " ", label=_numbers(prediction, target, unit))
    legend(ax)
    return done(ax, path, title)


def _one_output(who, prediction, target):
    prediction, target, _ = values(who, prediction, target, None)
    if prediction.shape[1] != 1:
        raise ValueError(
            f"{who}: prediction has {prediction.shape[1]} outputs; a picture is of one: take a "
            "column of prediction and target"
        )
    if len(target) == 0:
        raise ValueError(f"{who}: there are no rows; give some")
    return prediction[:, 0], target[:, 0]


def _scatter(ax, x, y):
    if len(x) <= MOST_POINTS:
        alpha = 0.7 if len(x) <= 500 else 0.3
        ax.plot(x, y, "o", markersize=3, alpha=alpha, markeredgewidth=0, color=COLOURS[0])
        return
    from matplotlib.colors import LogNorm

    shades = LogNorm(vmin=0.2)  # of one row, too, can be seen
    counted = ax.hexbin(x, y, gridsize=50, norm=shades, cmap="Blues", mincnt=1, linewidths=0.1)
    ax.figure.colorbar(counted, ax=ax, label="rows").ax.set_ylim(bottom=1)


def _with_unit(text, unit):
    return text if unit is None else f"{text} ({unit})"


def _numbers(prediction, target, unit):
    """What the legend says: the error, and R2 where there are two rows."""
    text = f"RMSE {RootMeanSquaredError()(prediction, target):.4g}"
    text += "" if unit is None else f" {unit}"
    return text if len(target) < 2 else f"{text}, R2 {R2()(prediction, target):.3f}"
