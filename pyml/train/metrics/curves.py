"""ROC, precision-recall and calibration of probabilities of one class: the points of the curves."""

from typing import NamedTuple

import numpy as np

from pyml.data.checks import flag
from pyml.options import check_choice, check_integer
from pyml.train.metrics import rows
from pyml.train.metrics.metric import undefined

__all__ = [
    "CalibrationCurve",
    "PrecisionRecallCurve",
    "RocCurve",
    "calibration_curve",
    "precision_recall_curve",
    "roc_curve",
]


class RocCurve(NamedTuple):
    """Points of a ROC curve, by falling threshold."""

    fpr: np.ndarray
    """Share of the other rows with a score of at least the threshold."""
    tpr: np.ndarray
    """Share of the positive rows with one."""
    thresholds: np.ndarray
    """Starts with inf, where no row is positive."""


class PrecisionRecallCurve(NamedTuple):
    """Points of a precision-recall curve, by rising threshold."""

    precision: np.ndarray
    """Of the rows with a score of at least the threshold. Ends with 1, which has no threshold."""
    recall: np.ndarray
    """Ends with 0."""
    thresholds: np.ndarray
    """One fewer."""


class CalibrationCurve(NamedTuple):
    """What happened to rows of about the same predicted probability, bin by bin."""

    observed: np.ndarray
    """Share of positive rows."""
    predicted: np.ndarray
    """Mean of the predicted probabilities."""
    counts: np.ndarray
    """Rows in the bin, or their weight."""


def counts_above(score, positive, weight):
    """The weights of other and of positive rows from each distinct score on, by falling score.

    Args:
        score: (n,).
        positive: (n,) bool.
        weight: (n,), > 0.

    Returns:
        false positives, true positives, scores; each (distinct scores,).
    """
    order = np.argsort(score, kind="stable")[::-1]
    score, positive, weight = score[order], positive[order], weight[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # of equal scores
    true = np.cumsum(np.where(positive, weight, 0.0))[last]
    false = np.cumsum(np.where(positive, 0.0, weight))[last]
    return false, true, score[last]


def binary_rows(who, prediction, target, weight, pos_label):
    """Rows of one score and whether they are positive; rows of weight 0 are dropped.

    Returns:
        score (n,), positive (n,) bool, weight (n,).

    Raises:
        ValueError: unless there are rows of two classes at most.
    """
    score, target, weight = rows.probabilities(who, prediction, target, weight)
    if score.ndim == 2:  # as it is where target is
        raise ValueError(
            f"{who}: prediction has shape {score.shape}, target {target.shape}; a curve is of one "
            "class: take its column of the prediction, and target == class"
        )
    kept = weight > 0
    if not kept.any():
        raise ValueError(f"{who}: there are no rows, or all have weight 0; give some")
    positive = target == positive_label(who, np.unique(target), pos_label)
    return score[kept], positive[kept], weight[kept]


def positive_label(who, classes, pos_label=None):
    """The positive one of two classes: `pos_label`, or 1 of 0 and 1 or of -1 and 1.

    Raises:
        ValueError: if that is none of them, or they are more.
    """
    if len(classes) > 2:
        raise ValueError(
            f"{who}: target has {len(classes)} classes ({rows.listed(classes)}), one column of "
            "scores is for two; give a column for each class, (n, classes)"
        )
    if pos_label is None:
        if not (np.isin(classes, (0, 1)).all() or np.isin(classes, (-1, 1)).all()):
            raise ValueError(
                f"{who}: target has the classes {rows.listed(classes)}; say by pos_label= which "
                "is the positive one"
            )
        return 1
    if len(classes) == 2 and pos_label not in classes:
        raise ValueError(
            f"{who}: pos_label is {pos_label}, the classes are {rows.listed(classes)}; it must be "
            "one of them"
        )
    return pos_label


def checked_pos_label(who, pos_label):
    """`pos_label` as an int; None stays None."""
    if pos_label is None:
        return None
    check_integer(who, "pos_label", pos_label)
    return int(pos_label)


def roc_curve(prediction, target, weight=None, *, pos_label=None, drop_intermediate=True):
    """The ROC curve of one class: true positives against false ones, for every threshold.

    Equal to scikit-learn's roc_curve.

    Args:
        prediction: scores of the positive class, (n,): higher is more likely.
        target: classes, (n,).
        weight: of each row, (n,). Default: 1.
        pos_label: the positive class. Default: 1, if the classes are 0 and 1, or -1 and 1.
        drop_intermediate: leaves out points between others on a straight line. Default: True.

    Returns:
        a RocCurve: fpr, tpr, thresholds. Without a positive row tpr is NaN, without another fpr,
        with an UndefinedMetricWarning.

    Raises:
        ValueError: for NaN, for no rows, and for more than two classes.

    Example:
        >>> fpr, tpr, thresholds = pyml.train.metrics.roc_curve([0.1, 0.4, 0.3, 0.8], [0, 0, 1, 1])
        >>> tpr
        array([0. , 0.5, 0.5, 1. , 1. ])
    """
    who = "roc_curve"
    pos_label = checked_pos_label(who, pos_label)
    drop_intermediate = flag(drop_intermediate, who, "drop_intermediate")
    false, true, thresholds = counts_above(*binary_rows(who, prediction, target, weight, pos_label))
    if drop_intermediate and len(false) > 2:
        corner = np.append(
            True, np.append((np.diff(false, 2) != 0) | (np.diff(true, 2) != 0), True)
        )
        false, true, thresholds = false[corner], true[corner], thresholds[corner]
    shares = [shares_of_last(false, "other"), shares_of_last(true, "positive")]
    return RocCurve(
        *(np.append(0.0 * share[-1], share) for share in shares),
        np.append(np.inf, thresholds.astype(np.float64)),
    )


def shares_of_last(counts, what):
    """counts / the last of them; NaN if that is 0."""
    if counts[-1] == 0:
        undefined(f"roc_curve: no row is of the {what} class, and the share of them is set to NaN")
        return np.full(len(counts), np.nan)
    return counts / counts[-1]


def precision_recall_curve(
    prediction, target, weight=None, *, pos_label=None, drop_intermediate=False
):
    """Precision and recall of one class, for every threshold.

    Equal to scikit-learn's precision_recall_curve.

    Args:
        prediction, target, weight, pos_label: as of roc_curve.
        drop_intermediate: leaves out points between others of the same recall. Default: False.

    Returns:
        a PrecisionRecallCurve: precision, recall, thresholds. Without a positive row recall is 1,
        with an UndefinedMetricWarning.

    Raises:
        ValueError: for NaN, for no rows, and for more than two classes.

    Example:
        >>> curve = pyml.train.metrics.precision_recall_curve([0.1, 0.4, 0.3, 0.8], [0, 0, 1, 1])
        >>> curve.recall
        array([1. , 1. , 0.5, 0.5, 0. ])
    """
    who = "precision_recall_curve"
    pos_label = checked_pos_label(who, pos_label)
    drop_intermediate = flag(drop_intermediate, who, "drop_intermediate")
    false, true, thresholds = counts_above(*binary_rows(who, prediction, target, weight, pos_label))
    if drop_intermediate and len(false) > 2:
        end = np.append(True, np.append((np.diff(true[:-1]) != 0) | (np.diff(true[1:]) != 0), True))
        false, true, thresholds = false[end], true[end], thresholds[end]
    if true[-1] == 0:
        undefined("precision_recall_curve: no row is positive, and recall is set to 1")
        recall = np.ones(len(true))
    else:
        recall = true / true[-1]
    precision = true / (true + false)
    return PrecisionRecallCurve(
        np.append(precision[::-1], 1.0),
        np.append(recall[::-1], 0.0),
        thresholds[::-1],
    )


def calibration_curve(
    prediction, target, weight=None, *, pos_label=None, n_bins=5, strategy="uniform"
):
    """Share of positive rows against predicted probability, bin by bin.

    Equal to scikit-learn's calibration_curve, which knows no weights. Empty bins are left out.

    Args:
        prediction: probabilities of the positive class, (n,).
        target, weight, pos_label: as of roc_curve.
        n_bins: how many bins, >= 1. Default: 5.
        strategy: "uniform" for bins of one width, "quantile" for bins of as many rows. Default:
            "uniform".

    Returns:
        a CalibrationCurve: observed, predicted, counts.

    Raises:
        ValueError: for what is no probability, for no rows, and for more than two classes.

    Example:
        >>> p, y = [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 0]
        >>> pyml.train.metrics.calibration_curve(p, y, n_bins=2).observed
        array([0. , 0.5])
    """
    who = "calibration_curve"
    check_integer(who, "n_bins", n_bins)
    if not 1 <= n_bins <= MOST_BINS:
        raise ValueError(f"{who}: n_bins is {n_bins}, it must be from 1 to {MOST_BINS}")
    check_choice(who, "strategy", strategy, ("uniform", "quantile"))
    pos_label = checked_pos_label(who, pos_label)
    score, positive, weight = binary_rows(who, prediction, target, weight, pos_label)
    rows.between_0_and_1(who, score)
    score = score.astype(np.float64)
    edges = np.linspace(0, 1, n_bins + 1)
    if strategy == "quantile":
        edges = np.percentile(score, edges * 100)
    which = np.searchsorted(edges[1:-1], score)
    counts, hits, sums = (
        np.bincount(which, weight * of, n_bins) for of in (np.ones(len(score)), positive, score)
    )
    some = counts > 0
    return CalibrationCurve(hits[some] / counts[some], sums[some] / counts[some], counts[some])


MOST_BINS = 100_000  # more show nothing, and take memory
