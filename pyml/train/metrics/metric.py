"""What a metric is: a number that is gathered from rows, in as many pieces as they come."""

import warnings
from copy import copy
from inspect import signature

import numpy as np

from pyml.recorder import refuse
from pyml.train.metrics import rows

__all__ = ["Metric", "UndefinedMetricWarning"]


class UndefinedMetricWarning(UserWarning):
    """A metric is not defined for the rows it has seen. The message says what it was set to."""


class Metric:
    """A number that says how good predictions are, gathered from rows in any pieces.

    A metric of your own is a class with these three methods; what was seen is kept by update()
    and forgotten by reset(). Each cut of the rows into updates gives the same number, up to
    rounding.

    Attributes:
        name: what a History calls it, as "roc_auc".
        greater_is_better: whether more of it is better; None if that is not known, or not so.
        wants: what predictions are. "labels": the indices of classes, (n,), or 0 and 1 for each of
            k labels, (n, k). "probabilities": of the classes, (n, classes), of the positive one,
            (n,), or of each label, (n, k). "values": numbers, (n,) or (n, outputs).

    Example:
        >>> metric = pyml.train.metrics.Accuracy()
        >>> metric.update([0, 1], [0, 1])
        >>> metric.update([1, 1], [0, 1])
        >>> metric.compute()
        0.75
    """

    name = None
    greater_is_better = True
    wants = "values"

    def reset(self):
        """Forgets all rows."""
        raise NotImplementedError(f"{type(self).__name__} has no reset(); write one")

    def update(self, prediction, target, weight=None):
        """Takes more rows.

        Args:
            prediction: as `wants` says; a Tensor, an array or a list.
            target: of as many rows.
            weight: of each row, (n,), >= 0. Default: 1.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update(); write one")

    def compute(self):
        """The number, of all rows since reset()."""
        raise NotImplementedError(f"{type(self).__name__} has no compute(); write one")

    def __call__(self, prediction, target, weight=None):
        """The number of these rows alone. What update() took stays as it is."""
        alone = copy(self)
        alone.reset()
        alone.update(prediction, target, weight)
        return alone.compute()

    def __repr__(self):
        options = (
            f"{name}={value!r}"
            for name, option in signature(type(self)).parameters.items()
            if (value := getattr(self, name, option.default)) is not option.default
        )
        return f"{type(self).__name__}({', '.join(options)})"


class RowMetric(Metric):
    """A metric whose rows pass the gate; a subclass has _add(), which takes them.

    _add() raises before it changes anything, or not at all.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        """Forgets all rows."""
        self._form = None  # the shapes behind the rows, which all updates share
        self._rows = 0
        self._weight = 0.0  # of all rows

    def update(self, prediction, target, weight=None):
        """Takes more rows.

        Args:
            prediction: as `wants` says; a Tensor, an array or a list.
            target: of as many rows.
            weight: of each row, (n,), >= 0. Default: 1.

        Raises:
            TypeError: for what is no array of numbers.
            ValueError: for NaN, for shapes that do not fit each other or those of the rows before,
                and for classes that the options do not allow. Nothing has changed then.
        """
        who = type(self).__name__
        refuse(f"{who}.update()")
        taken = rows.READERS[self.wants](who, prediction, target, weight)
        form = taken.prediction.shape[1:], taken.target.shape[1:]
        if self._form not in (None, form):
            raise ValueError(
                f"{who}: rows of prediction and target have the shapes {form[0]} and {form[1]}, "
                f"those before {self._form[0]} and {self._form[1]}; call reset() between them"
            )
        self._add(taken)
        self._form = form
        self._rows += len(taken.target)
        self._weight += taken.weight.sum()

    def _need_rows(self):
        """Raises RuntimeError if there are none, ValueError if all their weights are 0."""
        who = type(self).__name__
        if self._rows == 0:
            raise RuntimeError(
                f"{who}: there are no rows; call update(prediction, target) with some before "
                "compute()"
            )
        if self._weight == 0:
            raise ValueError(f"{who}: the weights of all rows are 0; give one of them more")


class Sum:
    """A sum of numbers, or of arrays of one shape, in pieces.

    What rounding loses is added apart, so that it does not grow with the number of pieces
    (Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen").
    """

    def __init__(self):
        self._sum = self._lost = np.float64(0)

    def add(self, number):
        with np.errstate(over="ignore", invalid="ignore"):
            total = self._sum + number
            lost = np.where(
                np.abs(self._sum) >= np.abs(number),
                self._sum - total + number,
                number - total + self._sum,
            )
            # of infinite numbers nothing is lost
            self._lost = self._lost + np.where(np.isfinite(total), lost, 0)
        self._sum = total

    @property
    def value(self):
        return self._sum + self._lost


class Mean:
    """sum(w x) / sum(w) of rows x, (n, ...), in pieces."""

    def __init__(self):
        self._values, self._weights = Sum(), Sum()

    def add(self, values, weight):
        with np.errstate(over="ignore", invalid="ignore"):
            self._values.add(weight @ np.asarray(values, np.float64))
        self._weights.add(weight.sum())

    @property
    def sum(self):
        return self._values.value

    @property
    def value(self):
        """NaN without rows of any weight."""
        with np.errstate(invalid="ignore"):
            return self._values.value / self._weights.value


def undefined(message):
    """Warns that a metric is not defined."""
    warnings.warn(message, UndefinedMetricWarning, stacklevel=3)


def plain(number):
    """A float of a number, or the array."""
    return float(number) if np.ndim(number) == 0 else number
