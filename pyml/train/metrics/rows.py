"""The gate of the metrics: predictions, targets and weights become plain arrays of one length."""

from typing import NamedTuple

import numpy as np

from pyml.ops.outside import arrived

SUM_TO_ONE = 1e-4  # float32's softmax over thousands of classes is nearer


class Rows(NamedTuple):
    """What one update brought. All arrays are contiguous; a column alone, (n, 1), is (n,)."""

    prediction: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    """(n,) float64, of each row."""


def array_of(value, place):
    """`value` as a contiguous array of numbers, with rows.

    Raises:
        TypeError: if it is none.
        ValueError: for lists whose lengths differ, and for a number alone.
    """
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{place}: its rows cannot be made an array ({error})") from None
    if getattr(getattr(value, "dtype", None), "kind", None) in ("U", "S", "O"):
        raise TypeError(
            f"{place} has dtype {value.dtype}, it must have numbers; of the names of classes "
            "np.unique(names, return_inverse=True) makes indices"
        )
    array = np.ascontiguousarray(arrived(value, place))  # which makes (1,) of a number
    if np.ndim(value) == 0:
        raise ValueError(f"{place} is one number, it must have rows: shape (n,) or (n, columns)")
    if array.ndim > 2:
        raise ValueError(f"{place} has shape {array.shape}, it must be (n,) or (n, columns)")
    if array.shape[1:] == (0,):
        raise ValueError(f"{place} has shape {array.shape}, it must have a column at least")
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def found(wrong, array):
    """The first element where `wrong` is true, and where that is: (number, "row 3, column 1")."""
    index = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    names = zip(("row", "column"), index, strict=False)
    return array[index].item(), ", ".join(f"{name} {i}" for name, i in names)


def finite(array, place):
    """`array`.

    Raises:
        ValueError: if there is NaN or an infinity in it.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        number, where = found(~np.isfinite(array), array)
        name = "NaN" if np.isnan(number) else number
        raise ValueError(f"{place} has {name} in {where}, it must have finite numbers")
    return array


def whole(array, place, cure):
    """`array` of whole numbers as int64.

    Raises:
        ValueError: for a number that is not whole.
    """
    if finite(array, place).dtype.kind != "f":
        return array.astype(np.int64)
    wrong = (array != np.rint(array)) | (np.abs(array) >= 2.0**63)
    if wrong.any():
        number, where = found(wrong, array)
        raise ValueError(f"{place} has {number} in {where}, which is the index of no class; {cure}")
    return array.astype(np.int64)


def binary(array, place):
    """An array of 0 and 1, for each label, as bool.

    Raises:
        ValueError: for another number.
    """
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        number, where = found(wrong, array)
        raise ValueError(
            f"{place} has {number} in {where}; of several labels, shape {array.shape}, each is 0 "
            "or 1"
        )
    return array.astype(bool)


def same_rows(who, prediction, target):
    if len(prediction) != len(target):
        raise ValueError(
            f"{who}: prediction has {len(prediction)} rows, target has {len(target)}; they must "
            "have the same"
        )


def weights(who, weight, count):
    """Weights of rows, (n,) float64.

    Raises:
        ValueError: for another number of them, and for a negative one.
    """
    if weight is None:
        return np.ones(count)
    array = finite(array_of(weight, f"{who}: weight"), f"{who}: weight").astype(np.float64)
    if array.shape != (count,):
        raise ValueError(
            f"{who}: weight has shape {array.shape}, it must be ({count},): one for each row"
        )
    if (array < 0).any():
        number, where = found(array < 0, array)
        raise ValueError(f"{who}: weight has {number} in {where}, it must be >= 0")
    return array


def labels(who, prediction, target, weight):
    """Rows of classes, (n,) int64, or of several labels, (n, k) bool."""
    cure = "of scores take argmax(1), of probabilities of one class > 0.5"
    prediction = whole(array_of(prediction, f"{who}: prediction"), f"{who}: prediction", cure)
    target = whole(array_of(target, f"{who}: target"), f"{who}: target", "round it, or encode it")
    same_rows(who, prediction, target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"{who}: prediction has shape {prediction.shape}, target {target.shape}; classes are "
            "(n,) in both, several labels (n, k) in both"
        )
    if target.ndim == 2:
        prediction = binary(prediction, f"{who}: prediction")
        target = binary(target, f"{who}: target")
    return Rows(prediction, target, weights(who, weight, len(target)))


def probabilities(who, prediction, target, weight):
    """Rows of scores, (n,) or (n, columns), and of classes, (n,), or of several labels, (n, k)."""
    prediction = finite(array_of(prediction, f"{who}: prediction"), f"{who}: prediction")
    target = whole(array_of(target, f"{who}: target"), f"{who}: target", "round it, or encode it")
    same_rows(who, prediction, target)
    if prediction.dtype.kind != "f":
        prediction = prediction.astype(np.float64)
    if target.ndim == 2:
        if prediction.shape != target.shape:
            raise ValueError(
                f"{who}: target has {target.shape[1]} labels (shape {target.shape}), prediction "
                f"has shape {prediction.shape}; it must have a column for each label"
            )
        target = binary(target, f"{who}: target")
    return Rows(prediction, target, weights(who, weight, len(target)))


def values(who, prediction, target, weight):
    """Rows of numbers, (n, outputs) float64 in both."""
    prediction = finite(array_of(prediction, f"{who}: prediction"), f"{who}: prediction")
    target = finite(array_of(target, f"{who}: target"), f"{who}: target")
    same_rows(who, prediction, target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"{who}: prediction has shape {prediction.shape}, target {target.shape}; they must "
            "have the same outputs"
        )
    columns = 1 if target.ndim == 1 else target.shape[1]
    shape = len(target), columns
    return Rows(
        prediction.astype(np.float64).reshape(shape),
        target.astype(np.float64).reshape(shape),
        weights(who, weight, len(target)),
    )


READERS = {"labels": labels, "probabilities": probabilities, "values": values}


# ---- what is asked of rows beyond that, and of options -------------------------------------------


def between_0_and_1(who, prediction):
    """Raises ValueError unless all are probabilities, and rows of several classes sum to 1."""
    wrong = (prediction < 0) | (prediction > 1)
    if wrong.any():
        number, where = found(wrong, prediction)
        raise ValueError(
            f"{who}: prediction has {number} in {where}, it must have probabilities, from 0 to 1; "
            "softmax(1) or sigmoid() makes them of scores"
        )


def sum_to_one(who, prediction):
    """Raises ValueError unless the probabilities of the classes, (n, classes), sum to 1."""
    sums = prediction.sum(1)
    wrong = np.abs(sums - 1) > SUM_TO_ONE
    if wrong.any():
        number, where = found(wrong, sums)
        raise ValueError(
            f"{who}: prediction sums to {number:g} in {where}; probabilities of the classes, "
            f"shape {prediction.shape}, sum to 1: softmax(1) makes them of scores"
        )


def checked_labels(who, labels):
    """The option `labels`, a list of classes, as a tuple of ints; None stays None.

    Raises:
        TypeError, ValueError: unless it has whole numbers, each once.
    """
    if labels is None:
        return None
    array = array_of(labels, f"{who}: labels")
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"{who}: labels is {labels!r}, it must be a list of classes")
    numbers = whole(array, f"{who}: labels", "give whole numbers")
    if len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"{who}: labels is {labels!r}, it must have each class once")
    return tuple(numbers.tolist())


def columns_of(who, target, labels, columns):
    """Which column of the predictions is that of each row's class, (n,).

    Args:
        target: classes, (n,).
        labels: the classes of the columns. None: 0, 1, ...
        columns: how many columns the predictions have.

    Raises:
        ValueError: for a class that is none of them, and for another number of labels.
    """
    labels = np.arange(columns) if labels is None else np.array(labels)
    if len(labels) != columns:
        raise ValueError(
            f"{who}: labels has {len(labels)} classes, prediction has {columns} columns; they must "
            "be as many"
        )
    order = np.argsort(labels)
    place = np.minimum(np.searchsorted(labels, target, sorter=order), columns - 1)
    column = order[place]
    if (wrong := labels[column] != target).any():
        number, where = found(wrong, target)
        raise ValueError(
            f"{who}: target has class {number} in {where}, the {columns} columns of prediction are "
            f"of the classes {listed(labels)}; labels= says others"
        )
    return column


def listed(labels):
    """A few classes for a message."""
    numbers = [str(label) for label in np.asarray(labels)[:6]]
    return ", ".join(numbers) + (", ..." if len(labels) > 6 else "")
