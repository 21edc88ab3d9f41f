"""Targets of the estimators as numbers, and outputs as targets."""

import numpy as np
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from pyml import ops
from pyml.estimators.networks import as_tensor


class Classes:
    """A class for each row.

    Args:
        classes: all there are, sorted.

    Attributes:
        kind: "binary" or "multiclass", a row of losses.CLASSIFICATION.
        outputs: of the network.
    """

    def __init__(self, classes):
        self.classes = classes
        self.kind = "multiclass" if len(classes) > 2 else "binary"
        self.outputs = len(classes) if len(classes) > 2 else 1

    def numbers(self, y, who):
        """The number of each row's class, (n,).

        Raises:
            ValueError: for a class that is none of them.
        """
        others = np.setdiff1d(y, self.classes)
        if len(others):
            raise ValueError(
                f"{who}: y has the classes {others}, which are not among the classes_ "
                f"{self.classes}; pass all in classes= of partial_fit, or fit anew"
            )
        return np.searchsorted(self.classes, y)

    def encode(self, numbers, dtype, smoothing):
        """As the loss takes them, a Tensor."""
        if self.kind == "multiclass":
            return ops.tensor(numbers.astype(np.int64))
        return ops.tensor(smoothed(numbers[:, None].astype(dtype), smoothing))

    def probabilities(self, outputs):
        """(n, classes), of what the link gives of outputs."""
        if self.kind == "multiclass":
            return outputs
        if len(self.classes) == 1:
            return np.ones_like(outputs)
        return np.concatenate([1 - outputs, outputs], axis=1)

    def decide(self, outputs):
        """The number of each row's class, (n,)."""
        if self.kind == "multiclass":
            return outputs.argmax(1)
        return (
            (outputs[:, 0] > 0.5).astype(np.int64)
            if len(self.classes) == 2
            else np.zeros(len(outputs), np.int64)
        )

    def named(self, numbers):
        """Classes of numbers."""
        return self.classes[numbers]

    def strata(self, numbers):
        """What a split keeps the shares of."""
        return numbers

    score = staticmethod(lambda y, decided, weight: accuracy(y == decided, weight))


class Labels:
    """Several labels for each row: an indicator matrix."""

    kind = "multilabel"

    def __init__(self, count):
        self.classes = np.arange(count)
        self.outputs = count

    def numbers(self, y, who):
        """An array of 0 and 1, (n, labels)."""
        if y.ndim != 2 or y.shape[1] != self.outputs or np.setdiff1d(y, [0, 1]).size:
            raise ValueError(
                f"{who}: y has shape {y.shape}, it must be 0 and 1 in {self.outputs} columns, one "
                "a label, as at the first fit"
            )
        return y.astype(np.int64)

    def encode(self, numbers, dtype, smoothing):
        """As the loss takes them, a Tensor."""
        return ops.tensor(smoothed(numbers.astype(dtype), smoothing))

    def probabilities(self, outputs):
        """(n, labels), each of 1."""
        return outputs

    def decide(self, outputs):
        """0 and 1, (n, labels)."""
        return (outputs > 0.5).astype(np.int64)

    def named(self, numbers):
        """An indicator matrix."""
        return numbers

    def strata(self, numbers):
        """None: rows are split at random."""

    score = staticmethod(lambda y, decided, weight: accuracy((y == decided).all(1), weight))


class Values:
    """Numbers, in one or more columns.

    Args:
        outputs: how many.
        is_flat: whether predictions are (n,).
    """

    kind = "values"

    def __init__(self, outputs):
        self.outputs = outputs

    def numbers(self, y, who):
        """(n, outputs)."""
        y = y.reshape(len(y), -1)
        if y.shape[1] != self.outputs:
            raise ValueError(
                f"{who}: y has {y.shape[1]} columns, at the first fit it had {self.outputs}"
            )
        return y

    def encode(self, numbers, dtype, smoothing):
        """As the loss takes them, a Tensor."""
        return as_tensor(numbers, dtype)

    def decide(self, outputs):
        """Themselves."""
        return outputs

    def named(self, numbers):
        """(n,) of a single output."""
        return numbers[:, 0] if self.outputs == 1 else numbers

    def strata(self, numbers):
        """None: rows are split at random."""

    @staticmethod
    def score(y, predicted, weight):
        """The mean of R^2 over the outputs, as scikit-learn's r2_score."""
        mean = np.average(y, axis=0, weights=weight)
        error, spread = (
            np.average((y - other) ** 2, axis=0, weights=weight) for other in (predicted, mean)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(spread > 0, 1 - error / spread, np.where(error > 0, 0.0, 1.0))
        return float(scores.mean()) if np.isfinite(predicted).all() else np.nan


def accuracy(is_right, weight):
    return float(np.average(is_right, weights=weight))


def smoothed(labels, smoothing):
    """0 and 1 moved towards one half: cross entropy's label smoothing for two classes."""
    return labels * (1 - smoothing) + smoothing / 2 if smoothing else labels


def classes_or_labels(y, classes=None):
    """The coding of y, and y as an array.

    Args:
        y: as users give it.
        classes: all there are. Default: those in y.
    """
    y = y.toarray() if sparse.issparse(y) else np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_labels(y)
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind.startswith("continuous"):
        check_classification_targets(y)  # which says why not
    if kind == "multiclass-multioutput":
        raise ValueError(
            "fit: y has several columns of classes; multioutput classes are for "
            "sklearn.multioutput.MultiOutputClassifier, one network a column"
        )
    if kind == "multilabel-indicator":
        return Labels(y.shape[1]), y
    return Classes(np.unique(y) if classes is None else listed(classes)), y


def listed(classes):
    """The `classes` of partial_fit, sorted.

    Raises:
        ValueError: for a NaN or None, and for what is no list.
        TypeError: for classes without an order.
    """
    array = np.asarray(classes)
    if array.ndim != 1 or any(each is None or each != each for each in array.astype(object)):
        raise ValueError(
            f"partial_fit: classes is {classes!r}, it must be a list of all classes, without NaN "
            "or None"
        )
    check_labels(array, "partial_fit: classes")
    return np.unique(array)


def check_labels(y, name="fit: y"):
    """Raises ValueError for a label that is None, TypeError for labels without an order."""
    if y.dtype != object:
        return
    for place, label in np.ndenumerate(y):
        if label is None:
            raise ValueError(
                f"{name} has None in row {place[0]}; leave out the rows without a class"
            )
    kinds = sorted({type(label).__name__ for label in y.flat})
    try:
        np.unique(y)
    except TypeError:
        raise TypeError(
            f"{name} has labels of the types {', '.join(kinds)}, which have no common order; make "
            f"them one, as {name.split()[-1]}.astype(str) does"
        ) from None
