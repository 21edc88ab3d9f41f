"""Metrics of predicted classes: accuracy, precision, recall, F1, Matthews, confusion matrix."""

import math

import numpy as np

from pyml.data.checks import flag
from pyml.options import check_choice, check_integer, is_number
from pyml.train.metrics.metric import Mean, RowMetric, undefined
from pyml.train.metrics.rows import checked_labels, listed

__all__ = [
    "F1",
    "Accuracy",
    "BalancedAccuracy",
    "ConfusionMatrix",
    "MatthewsCorrelation",
    "Precision",
    "Recall",
]


class Accuracy(RowMetric):
    """Share of rows whose class is right; of several labels, (n, k), all labels of the row.

    Equal to scikit-learn's accuracy_score.

    Args:
        normalize: False for the number of right rows, or their weight, in place of the share.
            Default: True.

    Example:
        >>> pyml.train.metrics.Accuracy()([0, 1, 1], [0, 1, 2])
        0.6666666666666666
    """

    name = "accuracy"
    wants = "labels"

    def __init__(self, *, normalize=True):
        self.normalize = flag(normalize, "Accuracy", "normalize")
        super().__init__()

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._mean = Mean()

    def _add(self, rows):
        right = rows.prediction == rows.target
        self._mean.add(right.all(1) if right.ndim == 2 else right, rows.weight)

    def compute(self):
        """The share, a float."""
        self._need_rows()
        return float(self._mean.value if self.normalize else self._mean.sum)


# ---- from counts of each class -------------------------------------------------------------------


class Counts(RowMetric):
    """For each class the weight of the rows that are hits, that are predicted, that are true."""

    wants = "labels"
    _takes_several_labels = False

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._classes = np.empty(0, np.int64)
        self._counts = np.zeros((3, 0))  # hits, predicted, true

    def _add(self, rows):
        if rows.target.ndim == 2:
            self._add_several_labels(rows)
            return
        classes = np.union1d(self._classes, np.union1d(rows.prediction, rows.target))
        self._check_classes(classes)
        counts = np.zeros((3, len(classes)))
        counts[:, np.searchsorted(classes, self._classes)] = self._counts
        predicted = np.searchsorted(classes, rows.prediction)
        true = np.searchsorted(classes, rows.target)
        hit = predicted == true
        for count, which, weight in (
            (counts[0], true[hit], rows.weight[hit]),
            (counts[1], predicted, rows.weight),
            (counts[2], true, rows.weight),
        ):
            count += np.bincount(which, weight, len(classes))
        self._classes, self._counts = classes, counts

    def _add_several_labels(self, rows):
        if not self._takes_several_labels:
            raise ValueError(
                f"{type(self).__name__}: target has {rows.target.shape[1]} labels in each row "
                f"(shape {rows.target.shape}), it must have one class, (n,)"
            )
        arrays = rows.prediction & rows.target, rows.prediction, rows.target
        counts = np.stack([rows.weight @ array.astype(np.float64) for array in arrays])
        self._counts = counts + self._counts if self._rows else counts
        self._classes = np.arange(rows.target.shape[1])

    def _check_classes(self, classes):
        """Raises ValueError if there must not be these classes."""

    def _all_counts(self):
        """hits, predicted, true, each (classes,)."""
        self._need_rows()
        return self._counts


class BalancedAccuracy(Counts):
    """Mean of the recalls of the classes: accuracy where each class counts the same.

    Equal to scikit-learn's balanced_accuracy_score. Classes that are predicted and do not occur are
    left out, with an UndefinedMetricWarning.

    Args:
        adjusted: True for (score - chance) / (1 - chance), with which guessing gets 0. Default:
            False.

    Example:
        >>> pyml.train.metrics.BalancedAccuracy()([0, 0, 0, 1], [0, 0, 1, 1])
        0.75
    """

    name = "balanced_accuracy"

    def __init__(self, *, adjusted=False):
        self.adjusted = flag(adjusted, "BalancedAccuracy", "adjusted")
        super().__init__()

    def compute(self):
        """The mean recall, a float."""
        hits, _, true = self._all_counts()
        occurs = true > 0
        if not occurs.all():
            undefined(
                "BalancedAccuracy leaves out what is predicted and does not occur: class "
                f"{listed(self._classes[~occurs])}"
            )
        score = np.mean(hits[occurs] / true[occurs])
        if self.adjusted:
            if occurs.sum() == 1:
                undefined("BalancedAccuracy with adjusted=True is NaN if a single class occurs")
                return math.nan
            chance = 1 / occurs.sum()
            score = (score - chance) / (1 - chance)
        return float(score)


class MatthewsCorrelation(Counts):
    """Correlation of predicted and true classes, from -1 to 1; guessing gets 0.

    (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2)), with c the hits, s all
    rows, p_k and t_k those predicted and true of class k (Gorodkin 2004, "Comparing two K-category
    assignments by a K-category correlation coefficient"). Equal to scikit-learn's
    matthews_corrcoef; 0 where the root is 0.

    Example:
        >>> pyml.train.metrics.MatthewsCorrelation()([1, 0, 1, 1], [1, 1, 1, 0])
        -0.3333333333333333
    """

    name = "matthews"

    def compute(self):
        """The correlation, a float."""
        hits, predicted, true = self._all_counts()
        total = true.sum()
        both = hits.sum() * total - predicted @ true
        of_predicted = predicted.sum() ** 2 - predicted @ predicted
        of_true = total**2 - true @ true
        if of_predicted <= 0 or of_true <= 0:
            return 0.0
        return float(both / np.sqrt(of_predicted * of_true))


class Share(Counts):
    """A share of counts, averaged over classes; a subclass says which."""

    _takes_several_labels = True
    _averages = ("binary", "micro", "macro", "weighted", "samples", None)

    def __init__(self, *, average="binary", pos_label=1, labels=None, zero_division="warn"):
        who = type(self).__name__
        check_choice(who, "average", average, self._averages)
        check_integer(who, "pos_label", pos_label)
        self.average = average
        self.pos_label = int(pos_label)
        self.labels = checked_labels(who, labels)
        self.zero_division = self._checked_zero_division(who, zero_division)
        if average == "binary" and self.labels is not None:
            raise ValueError(
                f"{who}: labels is not read with average='binary'; give pos_label, or another "
                "average"
            )
        if average != "binary":
            self.name = f"{self.name}_{average or 'per_class'}"
            if pos_label != 1:
                raise ValueError(
                    f"{who}: pos_label is read with average='binary' alone, average is "
                    f"{average!r}; labels=[{pos_label}] gives the share of one class"
                )
        super().__init__()

    @staticmethod
    def _checked_zero_division(who, value):
        if isinstance(value, str) and value == "warn":
            return value
        if is_number(value) and (float(value) in (0, 1) or math.isnan(float(value))):
            return float(value)
        raise ValueError(f"{who}: zero_division is {value!r}, it must be 'warn', 0, 1 or nan")

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._of_samples = Mean()
        self._any_undefined = False

    def _check_classes(self, classes):
        if self.average == "binary" and len(classes) > 2:
            raise ValueError(
                f"{type(self).__name__}: there are {len(classes)} classes ({listed(classes)}), "
                "average='binary' is for two; average='macro', 'weighted' or 'micro' is for more"
            )

    def _add(self, rows):
        if rows.target.ndim == 2:
            self._check_several_labels(rows.target)
        if self.average == "samples":
            self._add_samples(rows)
        else:
            super()._add(rows)

    def _check_several_labels(self, target):
        who, count = type(self).__name__, target.shape[1]
        if self.average == "binary":
            raise ValueError(
                f"{who}: target has {count} labels in each row (shape {target.shape}), "
                "average='binary' is for one; average='macro', 'weighted', 'micro' or 'samples' is "
                "for several"
            )
        for label in self.labels or ():
            if not 0 <= label < count:
                raise ValueError(
                    f"{who}: labels has {label}, the columns of target are 0 to {count - 1}"
                )

    def _add_samples(self, rows):
        """The share of each row, over its labels."""
        if rows.target.ndim == 1:
            raise ValueError(
                f"{type(self).__name__}: average='samples' is for several labels, (n, k); target "
                f"has shape {rows.target.shape}"
            )
        columns = slice(None) if self.labels is None else list(self.labels)
        predicted, true = rows.prediction[:, columns], rows.target[:, columns]
        counts = np.stack([array.sum(1) for array in (predicted & true, predicted, true)])
        shares, empty = self._divided(counts.astype(np.float64))
        defined = ~np.isnan(shares)
        self._of_samples.add(shares[defined], rows.weight[defined])
        self._any_undefined |= bool(empty.any())

    def compute(self):
        """The share, a float; of each class for average=None."""
        self._need_rows()
        if self.average == "samples":
            self._warn(self._any_undefined)
            return float(self._of_samples.value)
        counts = self._selected()
        if self.average == "micro":
            counts = counts.sum(1, keepdims=True)
        shares, empty = self._divided(counts)
        self._warn(empty.any())
        if self.average is None:
            return shares
        return mean_of_defined(shares, counts[2] if self.average == "weighted" else None)

    def _selected(self):
        """The counts of the classes that are asked for, in their order, (3, classes)."""
        labels = self.labels
        if self.average == "binary":
            labels = (self.pos_label,)
            if self.pos_label not in self._classes and len(self._classes) > 1:
                raise ValueError(
                    f"{type(self).__name__}: pos_label is {self.pos_label}, the classes are "
                    f"{listed(self._classes)}; it must be one of them"
                )
        if labels is None:
            return self._counts
        selected = np.zeros((3, len(labels)))
        which, where = np.nonzero(np.array(labels)[:, None] == self._classes)
        selected[:, which] = self._counts[:, where]
        return selected

    def _divided(self, counts):
        """The shares of hits, predicted and true, (3, ...), and where there is nothing to share."""
        part, whole = self._fraction(*counts)
        empty = whole == 0
        fill = 0.0 if self.zero_division == "warn" else self.zero_division
        return np.where(empty, fill, part / np.where(empty, 1, whole)), empty

    def _warn(self, is_undefined):
        if is_undefined and self.zero_division == "warn":
            undefined(
                f"{type(self).__name__} is set to 0 where no {self._nothing} is there; "
                "zero_division= says another number"
            )


def mean_of_defined(shares, weights):
    """The mean of what is not NaN, by weights if they are not all 0; NaN of nothing."""
    defined = ~np.isnan(shares)
    if not defined.any():
        return math.nan
    if weights is not None:
        weights = weights[defined] if weights[defined].any() else None
    return float(np.average(shares[defined], weights=weights))


class Precision(Share):
    """Share of right ones among the rows predicted as a class: hits / predicted. 1 is best.

    Equal to scikit-learn's precision_score.

    Args:
        average: "binary" for the class `pos_label` of two; for more the "macro" mean over
            classes, the "weighted" one by their true rows, "micro" of all counts together; of
            several labels, (n, k), also "samples", the mean over rows. None gives an array, one
            number a class. Default: "binary".
        pos_label: the class of average="binary". Default: 1.
        labels: the classes that are averaged, or columns of several labels. Default: all that
            occur, in a prediction or a target.
        zero_division: what 0 / 0 is: 0.0, 1.0 or nan, which is left out of means; "warn" is 0 with
            an UndefinedMetricWarning. Default: "warn".

    Example:
        >>> pyml.train.metrics.Precision()([0, 1, 1, 1], [0, 0, 1, 1])
        0.6666666666666666
    """

    name = "precision"
    _nothing = "predicted row"

    @staticmethod
    def _fraction(hits, predicted, true):
        return hits, predicted


class Recall(Share):
    """Share of right ones among the rows of a class: hits / true. 1 is best.

    Equal to scikit-learn's recall_score.

    Args:
        average, pos_label, labels, zero_division: as of Precision.

    Example:
        >>> pyml.train.metrics.Recall()([0, 1, 1, 0], [0, 0, 1, 1])
        0.5
    """

    name = "recall"
    _nothing = "true row"

    @staticmethod
    def _fraction(hits, predicted, true):
        return hits, true


class F1(Share):
    """Harmonic mean of precision and recall: 2 hits / (predicted + true). 1 is best.

    Equal to scikit-learn's f1_score.

    Args:
        average, pos_label, labels, zero_division: as of Precision.

    Example:
        >>> pyml.train.metrics.F1()([0, 1, 1, 1], [0, 0, 1, 1])
        0.8
        >>> pyml.train.metrics.F1(average="macro")([0, 1, 2, 1], [0, 2, 2, 1])
        0.7777777777777777
    """

    name = "f1"
    _nothing = "predicted or true row"

    @staticmethod
    def _fraction(hits, predicted, true):
        return 2 * hits, predicted + true


class ConfusionMatrix(RowMetric):
    """How many rows of each class are predicted as each class.

    An array, (classes, classes): row i are the rows of class i, column j those predicted as j.
    Equal to scikit-learn's confusion_matrix. Counts are int64 as long as no weights are given.

    Args:
        labels: the classes, in the order of rows and columns; rows of others are left out.
            Default: all that occur, in a prediction or a target.
        normalize: "true" for shares of each row, "pred" of each column, "all" of everything; 0 / 0
            is 0. Default: None, counts.

    Example:
        >>> pyml.train.metrics.ConfusionMatrix()([0, 1, 1], [0, 0, 1])
        array([[1, 1],
               [0, 1]])
    """

    name = "confusion_matrix"
    greater_is_better = None
    wants = "labels"

    def __init__(self, *, labels=None, normalize=None):
        check_choice("ConfusionMatrix", "normalize", normalize, ("true", "pred", "all", None))
        self.labels = checked_labels("ConfusionMatrix", labels)
        self.normalize = normalize
        super().__init__()

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._classes = np.empty(0, np.int64)
        self._matrix = np.zeros((0, 0))
        self._has_weights = False
        self._has_labels = self.labels is None

    def update(self, prediction, target, weight=None):
        super().update(prediction, target, weight)
        self._has_weights |= weight is not None

    def _add(self, rows):
        prediction, target, weight = rows
        if target.ndim == 2:
            raise ValueError(
                f"ConfusionMatrix: target has {target.shape[1]} labels in each row (shape "
                f"{target.shape}), it must have one class, (n,)"
            )
        if self.labels is not None:
            is_label = np.isin(target, self.labels)
            self._has_labels |= bool(is_label.any())
            kept = is_label & np.isin(prediction, self.labels)
            prediction, target, weight = prediction[kept], target[kept], weight[kept]
        self._grow(np.union1d(prediction, target))
        place = np.searchsorted(self._classes, target), np.searchsorted(self._classes, prediction)
        np.add.at(self._matrix, place, weight)

    def _grow(self, seen):
        """Makes room for classes."""
        classes = np.union1d(self._classes, seen)
        if len(classes) > len(self._classes):
            matrix = np.zeros((len(classes),) * 2)
            old = np.searchsorted(classes, self._classes)
            matrix[np.ix_(old, old)] = self._matrix
            self._classes, self._matrix = classes, matrix

    @property
    def classes(self):
        """The classes of rows and columns, in their order, (classes,)."""
        return self._classes.copy() if self.labels is None else np.array(self.labels)

    def compute(self):
        """The matrix, (classes, classes): int64, or float64 of weights or shares."""
        self._need_rows()
        if not self._has_labels:
            raise ValueError(
                f"ConfusionMatrix: labels is {list(self.labels)}, of which none occurs in the "
                "targets; give one that does"
            )
        matrix = self._ordered()
        if self.normalize is None:
            return matrix if self._has_weights else matrix.astype(np.int64)
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        whole = matrix.sum(axis, keepdims=True)
        return matrix / np.where(whole == 0, 1, whole)

    def _ordered(self):
        """The matrix of `classes`."""
        order, seen = np.nonzero(self.classes[:, None] == self._classes)
        matrix = np.zeros((len(self.classes),) * 2)
        matrix[np.ix_(order, order)] = self._matrix[np.ix_(seen, seen)]
        return matrix
