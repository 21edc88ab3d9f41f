"""Metrics of scores and probabilities of classes: of their order, and of themselves."""

import math
from itertools import combinations

import numpy as np

from pyml.data.checks import flag
from pyml.options import Range, check_choice, check_counts, check_integer, check_number
from pyml.train.metrics.curves import (
    checked_pos_label,
    counts_above,
    positive_label,
)
from pyml.train.metrics.metric import Mean, RowMetric, undefined
from pyml.train.metrics.rows import (
    between_0_and_1,
    checked_labels,
    columns_of,
    sum_to_one,
)

__all__ = ["AveragePrecision", "BrierScore", "LogLoss", "RocAuc", "TopKAccuracy"]


# ---- of the order of the scores ------------------------------------------------------------------


class Ranking(RowMetric):
    """Keeps all rows, as the order of their scores counts; a subclass scores one class of two."""

    wants = "probabilities"
    _averages = ("macro", "weighted", "micro", "samples", None)

    def __init__(self, average, labels):
        who = type(self).__name__
        check_choice(who, "average", average, self._averages)
        self.average = average
        self.labels = checked_labels(who, labels)
        if average != "macro":
            self.name = f"{self.name}_{average or 'per_class'}"
        super().__init__()

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._parts = []
        self._classes = np.empty(0, np.int64)  # of one column of scores

    def _add(self, rows):
        prediction, target, weight = rows
        who = type(self).__name__
        classes = self._classes
        if target.ndim == 2:
            pass
        elif prediction.ndim == 2:
            if self.average == "samples":
                raise ValueError(
                    f"{who}: average='samples' is for several labels, (n, k); target has shape "
                    f"{target.shape}"
                )
            target = columns_of(who, target, self.labels, prediction.shape[1])
            self._check_classes_of(prediction)
        else:
            classes = np.union1d(classes, target)
            self._check_two(classes)
        kept = weight > 0
        # copies: the caller may write into theirs
        self._parts.append((prediction[kept], target[kept], weight[kept]))
        self._classes = classes

    def _check_classes_of(self, prediction):
        """Raises ValueError unless scores of several classes are as they must be."""

    def _check_two(self, classes):
        """Raises ValueError unless these are two classes at most, with one column of scores."""
        positive_label(type(self).__name__, classes, classes[-1] if len(classes) else None)

    def _all_rows(self):
        """prediction, target (of classes: the column of each), weight, as one array each."""
        self._need_rows()
        self._parts = [tuple(np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))]
        return self._parts[0]

    def _averaged(self, score, positive, weight):
        """The mean over the columns of scores, as `average` says.

        Args:
            score, positive: (n, k).
            weight: (n,).
        """
        if self.average == "micro":
            weight = np.repeat(weight, score.shape[1])
            return self._of_class(score.reshape(-1), positive.reshape(-1), weight)
        if self.average == "samples":
            numbers = [
                self._of_class(*row, np.ones(score.shape[1]))
                for row in zip(score, positive, strict=True)
            ]
            return float(np.average(numbers, weights=weight))
        numbers = np.array(
            [
                self._of_class(np.ascontiguousarray(column), is_positive, weight)
                for column, is_positive in zip(score.T, positive.T, strict=True)
            ]
        )
        if self.average is None:
            return numbers
        if self.average == "macro":
            return float(numbers.mean())
        true = weight @ positive.astype(np.float64)
        if not true.any():
            return 0.0
        return float(np.average(np.where(true == 0, 0, numbers), weights=true))


def area(x, y):
    """Under the line through points, by trapezoids."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)


class RocAuc(Ranking):
    """Area under the ROC curve. 1 is best, guessing gets 0.5.

    It is the probability that a positive row has a higher score than another one, ties counted
    half. Exact: the scores of all rows are kept until reset(), 4 or 8 bytes each. Equal to
    scikit-learn's roc_auc_score with labels given: where a class has no row or all rows, its area
    is NaN, and a mean over it, with an UndefinedMetricWarning.

    Predictions are scores of the higher one of two classes, (n,); probabilities of the classes,
    (n, classes); or scores of several labels, (n, k), with targets of 0 and 1, (n, k).

    Args:
        average: of classes or labels: their "macro" mean, the "weighted" one by their true rows,
            "micro" of all columns as one, of several labels also "samples", the mean over rows;
            None gives an array, one number a class. Default: "macro".
        multi_class: for more than two classes, each against the rest ("ovr") or the mean over all
            pairs ("ovo"; Hand & Till 2001, "A simple generalisation of the area under the ROC
            curve"), of those that occur; pairs count weights, too, which scikit-learn refuses.
            Default: "ovr".
        labels: the classes of the columns. Default: 0, 1, ...
        max_fpr: for one class of two, the area up to this share of false positives, scaled to 0.5
            for guessing (McClish 1989, "Analyzing a portion of the ROC curve"). Default: all.

    Example:
        >>> pyml.train.metrics.RocAuc()([0.1, 0.4, 0.3, 0.8], [0, 0, 1, 1])
        0.75
    """

    name = "roc_auc"

    def __init__(self, *, average="macro", multi_class="ovr", labels=None, max_fpr=None):
        check_choice("RocAuc", "multi_class", multi_class, ("ovr", "ovo"))
        if multi_class == "ovo":
            check_choice("RocAuc with multi_class='ovo'", "average", average, ("macro", "weighted"))
            self.name = f"{self.name}_ovo"
        if max_fpr is not None:
            check_number("RocAuc", "max_fpr", max_fpr, Range(0, 1, "(]"))
            max_fpr = float(max_fpr)
        self.multi_class = multi_class
        self.max_fpr = max_fpr
        super().__init__(average, labels)

    def _check_classes_of(self, prediction):
        if self.max_fpr not in (None, 1) and prediction.shape[1] > 2:
            raise ValueError(
                f"RocAuc: max_fpr is {self.max_fpr}, which is for one class of two; prediction has "
                f"{prediction.shape[1]} columns"
            )
        sum_to_one("RocAuc", prediction)

    def compute(self):
        """The area, a float; of each class for average=None."""
        score, target, weight = self._all_rows()
        if target.ndim == 2:
            return self._averaged(score, target, weight)
        if score.ndim == 1:
            return self._of_class(score, target == self._classes[-1], weight)
        if score.shape[1] == 2:
            return self._of_class(score[:, 1].copy(), target == 1, weight)
        if self.multi_class == "ovo":
            return self._of_pairs(score, target, weight)
        return self._averaged(score, target[:, None] == np.arange(score.shape[1]), weight)

    def _of_class(self, score, positive, weight):
        if positive.all() or not positive.any():
            undefined("RocAuc of a class that no row is of, or all are, is set to NaN")
            return math.nan
        false, true, _ = counts_above(score, positive, weight)
        false, true = np.append(0, false / false[-1]), np.append(0, true / true[-1])
        if self.max_fpr in (None, 1):
            return area(false, true)
        stop = np.searchsorted(false, self.max_fpr, "right")
        end = np.interp(self.max_fpr, false[stop - 1 : stop + 1], true[stop - 1 : stop + 1])
        part = area(np.append(false[:stop], self.max_fpr), np.append(true[:stop], end))
        least = self.max_fpr**2 / 2
        return (1 + (part - least) / (self.max_fpr - least)) / 2

    def _of_pairs(self, score, target, weight):
        """The mean over pairs of classes, each against the other."""
        numbers, shares = [], []
        for a, b in combinations(np.unique(target), 2):
            of_pair = (target == a) | (target == b)
            true, count = target[of_pair], weight[of_pair]
            numbers.append(
                sum(self._of_class(score[of_pair, c], true == c, count) for c in (a, b)) / 2
            )
            shares.append(count.sum())
        if not numbers:
            undefined("RocAuc of one class is set to NaN")
            return math.nan
        return float(np.average(numbers, weights=shares if self.average == "weighted" else None))


class AveragePrecision(Ranking):
    """Area under the precision-recall curve, by steps: sum of (R_n - R_(n-1)) P_n. 1 is best.

    Guessing gets the share of positive rows. Exact: the scores of all rows are kept until reset().
    Equal to scikit-learn's average_precision_score; without a positive row it is 0, with an
    UndefinedMetricWarning.

    Predictions are scores of the class `pos_label` of two, (n,); of the classes, (n, classes); or
    of several labels, (n, k), with targets of 0 and 1, (n, k).

    Args:
        average: as of RocAuc. Default: "macro".
        pos_label: the positive one of two classes. Default: 1.
        labels: the classes of the columns. Default: 0, 1, ...

    Example:
        >>> pyml.train.metrics.AveragePrecision()([0.1, 0.4, 0.3, 0.8], [0, 0, 1, 1])
        0.8333333333333333
    """

    name = "average_precision"

    def __init__(self, *, average="macro", pos_label=1, labels=None):
        check_integer("AveragePrecision", "pos_label", pos_label)
        self.pos_label = int(pos_label)
        super().__init__(average, labels)

    def _check_two(self, classes):
        positive_label("AveragePrecision", classes, self.pos_label)

    def _check_classes_of(self, prediction):
        labels = self.labels or range(prediction.shape[1])
        if prediction.shape[1] == 2 and self.pos_label not in labels:
            raise ValueError(
                f"AveragePrecision: pos_label is {self.pos_label}, the two columns of prediction "
                f"are of the classes {labels[0]} and {labels[1]}; it must be one of them"
            )

    def compute(self):
        """The area, a float; of each class for average=None."""
        score, target, weight = self._all_rows()
        if target.ndim == 2:
            return self._averaged(score, target, weight)
        if score.ndim == 1:
            return self._of_class(score, target == self.pos_label, weight)
        if score.shape[1] == 2:
            column = (self.labels or (0, 1)).index(self.pos_label)
            return self._of_class(score[:, column].copy(), target == column, weight)
        return self._averaged(score, target[:, None] == np.arange(score.shape[1]), weight)

    def _of_class(self, score, positive, weight):
        if not positive.any():
            undefined("AveragePrecision of a class that no row is of is set to 0")
            return 0.0
        false, true, _ = counts_above(score, positive, weight)
        return float(np.sum(np.diff(true, prepend=0) / true[-1] * (true / (true + false))))


class TopKAccuracy(RowMetric):
    """Share of rows whose class is among the k with the highest scores.

    Of equal scores those of later columns come first, as in scikit-learn's top_k_accuracy_score, to
    which it is equal with labels given. Where k is not below the number of classes it is 1, with
    an UndefinedMetricWarning. Of one column of probabilities, (n,), the class is 1 above 0.5.

    Args:
        k: how many classes, >= 1. Default: 2.
        normalize: False for the number of such rows, or their weight. Default: True.
        labels: the classes of the columns. Default: 0, 1, ...

    Example:
        >>> scores = [[0.5, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]]
        >>> pyml.train.metrics.TopKAccuracy(k=2)(scores, [0, 1, 2, 2])
        0.75
    """

    name = "top_k_accuracy"
    wants = "probabilities"

    def __init__(self, *, k=2, normalize=True, labels=None):
        check_counts("TopKAccuracy", least=1, k=k)
        self.k = int(k)
        if self.k != 2:
            self.name = f"top_{self.k}_accuracy"
        self.normalize = flag(normalize, "TopKAccuracy", "normalize")
        self.labels = checked_labels("TopKAccuracy", labels)
        super().__init__()

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._mean = Mean()

    def _add(self, rows):
        one_class("TopKAccuracy", rows.target)
        score = rows.prediction
        if score.ndim == 1:
            between_0_and_1("TopKAccuracy", score)
            column = columns_of("TopKAccuracy", rows.target, self.labels, 2)
            hits = (score > 0.5) == column if self.k == 1 else np.ones(len(score), bool)
        else:
            column = columns_of("TopKAccuracy", rows.target, self.labels, score.shape[1])
            true = np.take_along_axis(score, column[:, None], 1)
            later = np.arange(score.shape[1]) > column[:, None]
            hits = ((score > true) | ((score == true) & later)).sum(1) < self.k
        self._mean.add(hits, rows.weight)

    def compute(self):
        """The share, a float."""
        self._need_rows()
        classes = self._form[0][0] if self._form[0] else 2
        if self.k >= classes:
            undefined(f"TopKAccuracy with k={self.k} of {classes} classes is always 1")
        return float(self._mean.value if self.normalize else self._mean.sum)


# ---- of the probabilities themselves -------------------------------------------------------------


def one_class(who, target):
    """Raises ValueError for several labels in each row."""
    if target.ndim == 2:
        raise ValueError(
            f"{who}: target has {target.shape[1]} labels in each row (shape {target.shape}), it "
            "must have one class, (n,); take one column of prediction and target at a time"
        )


class LogLoss(RowMetric):
    """Mean of -log p of the true class, p clipped to [eps, 1 - eps] of its dtype. 0 is best.

    Predictions are probabilities of the second one of two classes, (n,), or of all, (n, classes).
    Equal to scikit-learn's log_loss with labels given; where the probabilities of a row do not sum
    to 1 it warns, and this raises.

    Args:
        normalize: False for the sum over rows in place of the mean. Default: True.
        labels: the classes of the columns. Default: 0, 1, ...

    Example:
        >>> pyml.train.metrics.LogLoss()([[0.9, 0.1], [0.2, 0.8]], [0, 1])
        0.164252033486018
    """

    name = "log_loss"
    greater_is_better = False
    wants = "probabilities"

    def __init__(self, *, normalize=True, labels=None):
        self.normalize = flag(normalize, "LogLoss", "normalize")
        self.labels = checked_labels("LogLoss", labels)
        super().__init__()

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._mean = Mean()

    def _add(self, rows):
        one_class("LogLoss", rows.target)
        p = rows.prediction
        between_0_and_1("LogLoss", p)
        column = columns_of("LogLoss", rows.target, self.labels, 2 if p.ndim == 1 else p.shape[1])
        if p.ndim == 1:
            p = np.where(column == 1, p, 1 - p)
        else:
            sum_to_one("LogLoss", p)
            p = np.take_along_axis(p, column[:, None], 1)[:, 0]
        eps = np.finfo(p.dtype).eps
        self._mean.add(-np.log(np.clip(p, eps, 1 - eps).astype(np.float64)), rows.weight)

    def compute(self):
        """The mean loss, a float."""
        self._need_rows()
        return float(self._mean.value if self.normalize else self._mean.sum)


class BrierScore(RowMetric):
    """Mean squared error of probabilities: mean of sum_k (p_k - y_k)^2, y_k = 1 for the true class.

    0 is best. Of two classes it is halved: mean of (p - y)^2 of the positive one (Brier 1950,
    "Verification of forecasts expressed in terms of probability"). Predictions are probabilities
    of the positive class, (n,), or of all, (n, classes). Equal to scikit-learn's brier_score_loss
    with labels given.

    Args:
        pos_label: the class of one column of probabilities. Default: 1, if the classes are 0 and 1,
            or -1 and 1.
        labels: the classes of several columns. Default: 0, 1, ...
        scale_by_half: True for half of it, False for all; "auto" for half of two classes. Default:
            "auto".

    Example:
        >>> pyml.train.metrics.BrierScore()([0.25, 1.0, 0.5, 0.0], [0, 1, 1, 0])
        0.078125
    """

    name = "brier"
    greater_is_better = False
    wants = "probabilities"

    def __init__(self, *, pos_label=None, labels=None, scale_by_half="auto"):
        check_choice("BrierScore", "scale_by_half", scale_by_half, ("auto", True, False))
        self.pos_label = checked_pos_label("BrierScore", pos_label)
        self.labels = checked_labels("BrierScore", labels)
        self.scale_by_half = scale_by_half
        super().__init__()

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._mean = Mean()
        self._classes = np.empty(0, np.int64)  # of one column

    def _add(self, rows):
        one_class("BrierScore", rows.target)
        p = rows.prediction
        between_0_and_1("BrierScore", p)
        classes = self._classes
        if p.ndim == 1:
            classes = np.union1d(classes, rows.target)
            positive = positive_label("BrierScore", classes, self.pos_label)
            errors = 2 * ((rows.target == positive) - p.astype(np.float64)) ** 2
        else:
            sum_to_one("BrierScore", p)
            column = columns_of("BrierScore", rows.target, self.labels, p.shape[1])
            true = column[:, None] == np.arange(p.shape[1])
            errors = ((true - p.astype(np.float64)) ** 2).sum(1)
        self._mean.add(errors, rows.weight)
        self._classes = classes

    def compute(self):
        """The mean score, a float."""
        self._need_rows()
        halved = self.scale_by_half
        if halved == "auto":
            halved = self._form[0] in ((), (2,))
        return float(self._mean.value * (0.5 if halved else 1))
