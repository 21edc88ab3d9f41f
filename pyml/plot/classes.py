"""How well classes are told apart: confusion matrix, ROC, precision-recall, calibration."""

from dataclasses import dataclass

import numpy as np

from pyml.plot.canvas import COLOURS, GREY, axes_of, done, legend, name_checked, style
from pyml.train.metrics import (
    AveragePrecision,
    RocAuc,
    calibration_curve,
    precision_recall_curve,
    roc_curve,
)
from pyml.train.metrics.curves import positive_label
from pyml.train.metrics.rows import array_of, checked_labels, columns_of, finite, probabilities

__all__ = ["calibration", "confusion_matrix", "precision_recall", "roc"]

MOST_NUMBERED = 15  # classes whose cells have room for numbers
MOST_NAMED = 40  # classes whose names have room at the axes
FEW_LINES = 5  # whose names have room inside the axes
MOST_LINES = 12  # that can be told apart


def confusion_matrix(matrix, names=None, *, ax=None, path=None, title=None):
    """How many rows of each class are predicted as which.

    The shade is the share of the row, so that classes with few rows are seen as well.

    Args:
        matrix: (classes, classes), true by predicted, as metrics.ConfusionMatrix gives.
        names: of the classes. Default: 0, 1, ...
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        ValueError: if matrix is not square, or has a negative number or NaN.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> predicted, y = pyml.tensor([0, 1, 1, 0]), pyml.tensor([0, 1, 0, 0])
        >>> matrix = pyml.train.metrics.ConfusionMatrix()(predicted, y)
        >>> picture = pyml.plot.confusion_matrix(matrix, ["cat", "dog"], path="confusion.png")
    """
    who = "confusion_matrix"
    array = np.atleast_2d(np.squeeze(array_of(matrix, f"{who}: matrix")))
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(
            f"{who}: matrix has shape {np.shape(matrix)}, it must be (classes, classes); "
            "metrics.ConfusionMatrix() makes it of predictions and targets"
        )
    if (finite(array, f"{who}: matrix") < 0).any():
        raise ValueError(f"{who}: matrix has {array.min()}, it must have counts or shares, >= 0")
    classes = len(array)
    names = name_checked(who, names, classes, "classes")
    side = min(8, 2.2 + 0.5 * classes)
    ax = axes_of(who, ax, (side + 1, side))
    whole = array.sum(1, keepdims=True)
    shares = array / np.where(whole == 0, 1, whole)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ax.grid(visible=False)
    ax.figure.colorbar(image, ax=ax, label="share of the true class", shrink=0.8)
    ax.set(xlabel="predicted class", ylabel="true class")
    if classes <= MOST_NAMED:
        is_long = max(map(len, names)) > 3
        how = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
        ax.set_xticks(range(classes), names, **how)
        ax.set_yticks(range(classes), names)
    if classes <= MOST_NUMBERED:
        for (i, j), share in np.ndenumerate(shares):
            number = f"{array[i, j]:,}" if array.dtype.kind in "iub" else f"{array[i, j]:.3g}"
            color = "white" if share > 0.55 else "black" if share else "0.6"
            ax.text(
                *(j, i, number),
                **{"ha": "center", "va": "center", "color": color},
                **{"fontsize": "small" if classes > 6 else "medium"},
            )
    return done(ax, path, title)


def roc(
    prediction, target, *, weight=None, labels=None, names=None, ax=None, path=None, title=None
):
    """The ROC curve: how many positive rows are found for how many false alarms.

    Of several classes, or several labels, a line for each against the rest; a class without rows
    has none. More than 12 lines are grey, without names.

    Args:
        prediction: probabilities of the positive class, (n,); of the classes, (n, classes); or of
            several labels, (n, k).
        target: classes, (n,), or 0 and 1 for each label, (n, k).
        weight: of each row, (n,). Default: 1.
        labels: the classes of the columns. Default: 0, 1, ...
        names: of the lines. Default: the classes.
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        ValueError: as metrics.roc_curve, and if there are rows of one class alone.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> picture = pyml.plot.roc(model(x).softmax(1), y, path="roc.png")
    """
    lines, weight = _lines("roc", prediction, target, weight, labels, names)
    ax = axes_of("roc", ax, _size(lines))
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="guessing: 0.5")
    for line in lines:
        curve = roc_curve(line.score, line.positive, weight)
        line.points = curve.fpr, curve.tpr
        line.number = RocAuc()(line.score, line.positive, weight)
    _draw(ax, lines, "area")
    ax.set(xlabel="false positives (share of the other rows)", ylabel="true positives (share)")
    return done(ax, path, title)


def precision_recall(
    prediction, target, *, weight=None, labels=None, names=None, ax=None, path=None, title=None
):
    """Precision against recall: how many of those found are right, for how many are found.

    Of several classes, or several labels, a line for each against the rest. Guessing gets the share
    of positive rows, which is drawn for one line.

    Args:
        prediction, target, weight, labels, names, ax, path, title: as of roc.

    Returns:
        the Axes.

    Raises:
        ValueError, ImportError, OSError: as roc.

    Example:
        >>> picture = pyml.plot.precision_recall(model(x).softmax(1), y, path="precision.png")
    """
    lines, weight = _lines("precision_recall", prediction, target, weight, labels, names)
    ax = axes_of("precision_recall", ax, _size(lines))
    if len(lines) == 1:
        share = np.average(lines[0].positive, weights=weight)
        ax.axhline(share, color=GREY, linestyle=":", label=f"guessing: {share:.3f}")
    for line in lines:
        curve = precision_recall_curve(line.score, line.positive, weight, drop_intermediate=True)
        line.points = curve.recall, curve.precision
        line.number = AveragePrecision()(line.score, line.positive, weight)
    _draw(ax, lines, "average", drawstyle="steps-post")
    ax.set(xlabel="recall (share of the positive rows)", ylabel="precision (share)")
    return done(ax, path, title)


@dataclass
class Line:
    """One class against the rest: scores and 0 or 1 of each row; points and number of its curve."""

    name: str
    score: np.ndarray
    positive: np.ndarray
    points: tuple = ()
    number: float = 0.0


def _lines(who, prediction, target, weight, labels, names):
    """A Line for each class or label; one, without a name, for two classes.

    Returns:
        [Line] and the weights, (n,). Rows of weight 0 are left out, and lines whose rows are all
        positive, or none.

    Raises:
        ValueError: as the gate of the metrics; if no line is left.
    """
    score, target, weight = probabilities(who, prediction, target, weight)
    labels = checked_labels(who, labels)
    if score.ndim == 1:
        if names is not None or labels is not None:
            raise ValueError(
                f"{who}: names and labels are of columns, prediction has one, shape {score.shape}"
            )
        positive = (target == positive_label(who, np.unique(target)))[:, None]
        score, names = score[:, None], [""]
    else:
        columns = score.shape[1]
        positive = target
        if target.ndim == 1:
            column = columns_of(who, target, labels, columns)
            positive = column[:, None] == np.arange(columns)
        names = name_checked(who, labels if names is None else names, columns, "columns")
        if target.ndim == 1 and columns == 2:
            score, positive, names = score[:, 1:], positive[:, 1:], [""]
    kept = weight > 0
    lines = [
        Line(name, np.ascontiguousarray(score[kept, i]), positive[kept, i].astype(np.int64))
        for i, name in enumerate(names)
    ]
    lines = [line for line in lines if len(np.unique(line.positive)) == 2]
    if not lines:
        raise ValueError(f"{who}: target has rows of one class; a curve needs some of two")
    return lines, weight[kept]


def _has_legend_outside(lines):
    return FEW_LINES < len(lines) <= MOST_LINES


def _size(lines):
    return (6.6 if _has_legend_outside(lines) else 4.6, 4.4)


def _draw(ax, lines, what, **how):
    """The lines, with their numbers in the legend; many in grey, with the mean number."""
    many = len(lines) > MOST_LINES
    for i, line in enumerate(lines):
        label = f"{line.name}: {what} {line.number:.3f}".removeprefix(": ")
        looks = {"color": GREY, "linewidth": 0.7} if many else style(i) | {"label": label}
        ax.plot(*line.points, **looks, **how)
    if many:
        mean = np.mean([line.number for line in lines])
        ax.plot([], [], color=GREY, label=f"each of {len(lines)}, mean {what} {mean:.3f}")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_aspect("equal")
    legend(ax, outside=_has_legend_outside(lines))


def calibration(
    prediction,
    target,
    *,
    weight=None,
    n_bins=10,
    strategy="uniform",
    ax=None,
    path=None,
    title=None,
):
    """How often what is predicted with a probability happens: share of positive rows against it.

    Points below the diagonal are predicted too high. With intervals of 95 % (Wilson 1927, "Probable
    inference") and the share of the rows in each bin.

    Args:
        prediction: probabilities of the positive class, (n,).
        target: classes 0 and 1, or -1 and 1, (n,).
        weight: of each row, (n,). Default: 1.
        n_bins, strategy: as of metrics.calibration_curve. Default: 10, "uniform".
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        ValueError: as metrics.calibration_curve.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> picture = pyml.plot.calibration(model(x).sigmoid(), y, path="calibration.png")
    """
    curve = calibration_curve(prediction, target, weight, n_bins=n_bins, strategy=strategy)
    ax = axes_of("calibration", ax, (4.6, 4.4))
    shares = curve.counts / curve.counts.sum()
    ax.bar(curve.predicted, shares, 0.6 / n_bins, color="0.85", label="share of the rows")
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="calibrated")
    low, high = wilson(curve.observed, curve.counts)
    ax.vlines(curve.predicted, low, high, color=COLOURS[0], linewidth=1)
    how = style(0, points=1)
    ax.plot(curve.predicted, curve.observed, label="observed, 95 % interval", **how)
    ax.set(xlabel="predicted probability", ylabel="share of positive rows")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_aspect("equal")
    legend(ax)
    return done(ax, path, title)


def wilson(share, count):
    """The interval of 95 % of a probability: its low and high ends."""
    z2 = 1.959963984540054**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return middle - half, middle + half
