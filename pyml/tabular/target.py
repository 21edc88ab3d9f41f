"""Target: what is predicted, as numbers for a loss; and outputs of a network as predictions."""

import math

import numpy as np

from pyml import nn, ops
from pyml.nn import functional as F
from pyml.tabular.networks import OF_MEMBERS
from pyml.tabular.reading import as_table
from pyml.tabular.scaling import LARGEST
from pyml.tabular.schema import Schema, checked_state, plural
from pyml.tabular.table import check_type, near
from pyml.tabular.values import distinct, missing, names_of, numbers_of, truths_of
from pyml.tensor import Tensor

__all__ = ["Target"]

LARGEST_COUNT = 1e30  # float32, which a count is taken as, ends at 3.4e38
SHOWN_ROWS = 5
RAREST = 1e-6  # a share, or a mean count, that stands for 0, whose logarithm is infinite

LOSSES = {
    "regression": nn.MSELoss,
    "multioutput": nn.MSELoss,
    "binary": nn.CrossEntropyLoss,
    "multiclass": nn.CrossEntropyLoss,
    "multilabel": nn.BCEWithLogitsLoss,
    "counts": nn.PoissonNLLLoss,
}


class Target:
    """What a network learns for a task, and what its outputs say.

    | task | y | outputs | prediction |
    |---|---|---|---|
    | regression | (y - mean) / std, float32 (n) | (n) | the number |
    | multioutput | the same, (n, k) | (n, k) | the numbers |
    | binary, multiclass | the number of the class, int64 (n) | scores (n, classes) | the class |
    | multilabel | 0 and 1, float32 (n, k) | scores (n, k) | True where a score is above 0 |
    | counts | the count, float32 (n) | its logarithm (n) | the mean count |

    Classes come back as they were: text, whole numbers, truth values.

    Args:
        schema: a Schema with a target.

    Attributes:
        task: as of the schema.
        names: of the targets.
        classes: the classes in the order of their numbers, an array; None for other tasks.
        mean, std: arrays with a number for each target, a std of 0 where all training rows have the
            same; None for other tasks than regression and multioutput.

    Raises:
        ValueError: if the schema has no target.
    """

    def __init__(self, schema):
        check_type("Target", "schema", schema, Schema)
        if schema.task is None:
            raise ValueError("Target: the schema has no target; Schema.infer(table, target=...)")
        self.task = schema.task
        self.columns = list(schema.targets.values())
        self.classes = self.mean = self.std = None

    @property
    def names(self):
        """The names of the targets."""
        return [column.name for column in self.columns]

    @property
    def outputs(self):
        """How many numbers a network gives for a row."""
        return len(self.columns) if self.classes is None else len(self.classes)

    @property
    def is_fitted(self):
        """Whether it knows what fit() has to find."""
        found = self.classes if self.task in ("binary", "multiclass") else self.mean
        return found is not None or self.task in ("multilabel", "counts")

    @property
    def is_single(self):
        """Whether an output is one number, of shape (n)."""
        return self.task in ("regression", "counts")

    @property
    def _scale(self):
        return (self.mean[0], self.std[0]) if self.is_single else (self.mean, self.std)

    def loss(self, label_smoothing=0.0, of_members=False):
        """The loss of the task, a Module of (outputs, y).

        Args:
            label_smoothing: of classes; other tasks have none. Default: 0.
            of_members: of outputs (n, members, ...), the mean over the members. Default: False.
        """
        made = LOSSES[self.task]
        options = {"label_smoothing": label_smoothing} if self.classes is not None else {}
        return (OF_MEMBERS[made] if of_members else made)(**options)

    # ---- fit and encode --------------------------------------------------------------------------

    def fit(self, table):
        """Looks at the training rows. Returns self.

        Raises:
            ValueError: if a value is missing or infinite, or there is one class alone.
        """
        table = as_table(table)
        if self.task in ("binary", "multiclass"):
            array = self._complete(table, "fit")[0]
            classes, _ = distinct(array)
            if len(classes) < 2:
                raise ValueError(
                    f"Target.fit: {self.names[0]!r} is {classes[0] if len(classes) else 'missing'} "
                    "in all training rows: there must be two classes or more"
                )
            self.classes = classes
        elif self.task in ("regression", "multioutput"):
            values = self._numbers(table, "fit")
            if len(values) == 0:
                raise ValueError("Target.fit: the table has no rows")
            low, spread = values.min(0), np.ptp(values, 0)
            self.mean = np.where(spread > 0, values.mean(0), low)
            self.std = spread * ((values - low) / nonzero(spread)).std(0)  # squares may underflow
        else:
            self.encode(table)
        return self

    def encode(self, table):
        """The targets of a table's rows: y, an array; see the table above.

        Raises:
            ValueError: if there is no such column, or a value is missing, infinite, a class that
                is in no training row, or none of the task.
        """
        table = as_table(table)
        if self.task in ("binary", "multiclass"):
            return self._codes(table)
        if self.task == "multilabel":
            return self._truths(table)
        values = self._numbers(table, "encode")
        if self.task == "counts":
            if (values < 0).any():
                self._refuse(
                    "encode", self.columns[0], table, int((values[:, 0] < 0).argmax()), "count"
                )
            return values[:, 0].astype(np.float32)
        values = ((values - self.mean) / nonzero(self.std)).astype(np.float32)
        return values[:, 0] if self.task == "regression" else values

    def actual(self, table):
        """The targets of a table's rows beside what a metric gets of predictions, an array.

        Numbers of classes, int64 (n); 0 and 1, int64 (n, k); numbers in their own unit, float64
        (n) or (n, k).

        Raises:
            ValueError: as encode().
        """
        table = as_table(table)
        if self.task in ("binary", "multiclass"):
            return self._codes(table)
        if self.task == "multilabel":
            return self._truths(table).astype(np.int64)
        values = self._numbers(table, "actual")
        return values[:, 0] if self.is_single else values

    def _complete(self, table, method):
        """The columns of the targets, in which nothing is missing."""
        arrays = []
        for column in self.columns:
            if column.name not in table:
                raise ValueError(
                    f"Target.{method}: the table lacks the target {column.name!r}; "
                    f"{near(column.name, table.names)}"
                )
            arrays.append(table[column.name])
            self._check_missing(method, column.name, table, missing(arrays[-1]))
        return arrays

    def _check_missing(self, method, name, table, gone):
        if gone.any():
            rows = np.flatnonzero(gone)
            numbers = ", ".join(str(table.row_numbers[row]) for row in rows[:SHOWN_ROWS])
            shown = numbers + (", ..." if len(rows) > SHOWN_ROWS else "")
            raise ValueError(
                f"Target.{method}: the target {name!r} is missing in {len(rows):,} "
                f"{plural(len(rows), 'row')}: {shown}; "
                "fill them in, or leave these rows out: table.take(schema.labelled(table))"
            )

    def _refuse(self, method, column, table, row, what):
        raise ValueError(
            f"Target.{method}: the target {column.name!r} has {str(table[column.name][row])!r} in "
            f"row {table.row_numbers[row]}, which is no {what}"
        )

    def _numbers(self, table, method):
        columns, largest = [], LARGEST_COUNT if self.task == "counts" else LARGEST
        for column, array in zip(self.columns, self._complete(table, method), strict=True):
            x, bad = numbers_of(array, column.format or ".")
            if bad is not None:
                self._refuse(method, column, table, bad, "number")
            self._check_missing(method, column.name, table, np.isnan(x))
            beyond = np.abs(x) > largest
            if beyond.any():
                self._refuse(
                    method, column, table, int(beyond.argmax()), f"number within {largest:g}"
                )
            columns.append(x)
        return np.stack(columns, 1)

    def _truths(self, table):
        columns = []
        for column, array in zip(self.columns, self._complete(table, "encode"), strict=True):
            x, bad = truths_of(array)
            if bad is not None:
                self._refuse("encode", column, table, bad, "truth value")
            columns.append(x)
        return np.stack(columns, 1).astype(np.float32)

    def _codes(self, table):
        [column], [array] = self.columns, self._complete(table, "encode")
        kind, classes = self.classes.dtype.kind, self.classes
        if kind != "O" and not kind == array.dtype.kind == "i":  # float64 has not all of int64
            classes = classes.astype(np.float64)
            numbers = truths_of(array) if kind == "b" else numbers_of(array, column.format or ".")
            array, bad = numbers
            if bad is not None:
                self._refuse("encode", column, table, bad, "class of the training rows")
        names, numbers = names_of(array), {name: i for i, name in enumerate(names_of(classes))}
        found = {name: numbers.get(name, -1) for name in {*names}}
        codes = np.fromiter(map(found.__getitem__, names), np.int64, len(names))
        if (codes < 0).any():
            self._refuse(
                "encode", column, table, int((codes < 0).argmax()), "class of the training rows"
            )
        return codes

    # ---- decode ----------------------------------------------------------------------------------

    def decode(self, outputs):
        """Predictions of a network's outputs, as targets were before encode().

        Args:
            outputs: an array or Tensor, see the table above.

        Returns:
            Classes, (n); truth values, bool (n, k); numbers, float64 (n) or (n, k).
        """
        outputs = _array(outputs)
        if self.classes is not None:
            return self.classes[self.labels(outputs)]
        if self.task == "multilabel":
            return outputs > 0
        if self.task == "counts":
            return np.exp(outputs)
        mean, std = self._scale
        return outputs * std + mean

    def labels(self, outputs):
        """Numbers of the classes that outputs say, int64 (n); for multilabel 0 and 1, (n, k)."""
        outputs = _array(outputs)
        return (outputs > 0).astype(np.int64) if self.classes is None else outputs.argmax(1)

    def outputs_of_mean(self, actual, weight=None):
        """Outputs that say of any row what some rows are on average, float64, of a row's shape.

        Args:
            actual: their targets, as actual() gives them, one or more.
            weight: how much each row counts. Default: the same.
        """
        if self.classes is not None:
            counts = np.bincount(actual, weight, minlength=len(self.classes))
            return np.log(np.maximum(counts / counts.sum(), RAREST))
        mean = np.average(actual, 0, weight)
        if self.task == "multilabel":
            mean = np.clip(mean, RAREST, 1 - RAREST)
            return np.log(mean / (1 - mean))
        if self.task == "counts":
            return np.log(np.maximum(mean, RAREST))
        center, std = self._scale
        return (mean - center) / nonzero(std)

    def averaged(self, outputs):
        """Outputs of several networks as one, whose prediction is the mean of theirs.

        That of numbers, of counts, of probabilities.

        Args:
            outputs: a Tensor, (networks, n, ...).
        """
        if self.classes is not None:
            return log_mean_exp(ops.log_softmax(outputs, 2))
        if self.task == "multilabel":
            return log_mean_exp(F.logsigmoid(outputs)) - log_mean_exp(F.logsigmoid(-outputs))
        return log_mean_exp(outputs) if self.task == "counts" else last(outputs).mean(-1)

    def probabilities(self, outputs):
        """Probabilities of a network's outputs, float64.

        Returns:
            (n, classes); for multilabel (n, k), of True.

        Raises:
            ValueError: for a task of numbers.
        """
        scores = ops.tensor(_array(outputs))
        if self.classes is not None:
            return ops.softmax(scores, 1).numpy()
        if self.task == "multilabel":
            return ops.sigmoid(scores).numpy()
        raise ValueError(f"predict_proba: the task is {self.task}, which has no probabilities")

    # ---- in files --------------------------------------------------------------------------------

    def state_dict(self):
        """What fit() has found, as what pyml.save keeps."""
        classes = self.classes
        if classes is not None and classes.dtype.kind == "O":
            classes = classes.tolist()
        return {"classes": classes, "mean": self.mean, "std": self.std}

    @classmethod
    def from_state_dict(cls, schema, state):
        """The Target of a schema that state_dict() is of.

        Raises:
            ValueError: if it is none.
        """
        optional = (np.ndarray, type(None))
        kept = checked_state(
            state, "target", classes=(*optional, list), mean=optional, std=optional
        )
        made = cls(schema)
        classes = kept["classes"]
        if made.task in ("binary", "multiclass"):
            if isinstance(classes, list):
                if not all(isinstance(name, str) for name in classes):
                    raise ValueError("target: classes are no text")
                classes = np.array(classes, object)
            if classes is None or classes.ndim != 1 or len(classes) < 2:
                raise ValueError("target: there must be two classes or more")
            if classes.dtype not in (np.bool_, np.int64, np.float64, object):
                raise ValueError(f"target: classes are of {classes.dtype}")
            if len(set(classes.tolist())) != len(classes):
                raise ValueError("target: a class is there twice")
        elif classes is not None:
            raise ValueError(f"target: {made.task} has no classes")
        made.classes = classes
        wanted = made.task in ("regression", "multioutput")
        for name in ("mean", "std"):
            values = kept[name]
            if (values is not None) != wanted:
                raise ValueError(f"target: {name} is not that of {made.task}")
            if wanted and (
                values.dtype != np.float64
                or values.shape != (len(made.columns),)
                or not np.isfinite(values).all()
                or (name == "std" and (values < 0).any())
            ):
                raise ValueError(f"target: {name} is not a finite number for each target")
            setattr(made, name, values)
        return made


def nonzero(std):
    """What to divide by: 1 for 0, as of targets that are all the same."""
    return np.where(std > 0, std, 1)


def log_mean_exp(x):
    """log(mean(exp(x))) over the first dimension."""
    return ops.logsumexp(last(x), -1) - math.log(len(x))


def last(x):
    """x with its first dimension last: sums over that have one order for any number of rows."""
    return x.movedim(0, -1).contiguous()


def _array(outputs):
    outputs = outputs.detach().numpy() if isinstance(outputs, Tensor) else outputs
    return np.asarray(outputs, np.float64)
