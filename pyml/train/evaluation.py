"""What a model gives for rows, and how good that is."""

import copy
import inspect

from pyml import nn
from pyml.grad_mode import no_grad
from pyml.nn.modes import evaluating
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import ones_like
from pyml.ops.elementwise import where
from pyml.ops.shape import cat
from pyml.options import check_counts
from pyml.recording import record
from pyml.train.outputs import aligned, meaning_of
from pyml.train.reading import Reader, Rows, Stream, batches_of, is_source

__all__ = ["evaluate", "predict"]

EVALUATION_ROWS = 1024  # at a time: activations stay small
CACHED_ROWS = 256  # where they are large: they stay in a cache
LARGE = 4 << 20  # bytes of a recorded forward
CALLS, EVALUATIONS = 64, 8  # from which on a recording is worth its time
IGNORED = -100  # the class that losses leave out, unless they say another


def predict(model, X, *, batch_size=EVALUATION_ROWS):
    """What a model gives for rows, in evaluation mode; its modes are restored.

    Args:
        model: a Module.
        X: an array, Tensor or frame; a tuple of these for several arguments, or a dict of them by
            name; a Dataset or an iterable of batches that are x, (x, y) or (x, y, weight).
        batch_size: rows at a time; no result depends on it. Default: 1024.

    Returns:
        A NumPy array, a row for each row.

    Raises:
        TypeError: if model is no Module, or X is not made of numbers.
        ValueError: if X has no rows, other columns than the model takes, or NaN.

    Example:
        >>> predict(nn.Identity(), [[1.0, 2.0]])
        array([[1., 2.]], dtype=float32)
    """
    check_model("predict", model)
    reader = Reader(model, meaning_of(None))
    return outputs_of(model, inputs_of(reader, X, batch_size, "predict"), batch_size).numpy()


def evaluate(model, loss, X, y=None, *, metrics=(), sample_weight=None, batch_size=EVALUATION_ROWS):
    """The mean loss of a model, and metrics, in evaluation mode; its modes are restored.

    Args:
        model: a Module.
        loss: a module or function of (output, target), as of training.
        X, y: the rows; see Trainer.fit.
        metrics: names, Metrics, or functions (prediction, target) -> number; see Trainer.
        sample_weight: of each row, (n,). Default: 1.
        batch_size: rows at a time. Default: 1024.

    Returns:
        A dict: "loss", and each metric by its name.

    Raises:
        TypeError, ValueError: as Trainer.fit.

    Example:
        >>> evaluate(nn.Identity(), nn.MSELoss(), [[1.0], [2.0]], [[1.0], [4.0]])
        {'loss': 2.0}
    """
    check_model("evaluate", model)
    reader = reader_for(model, loss)
    check_size("evaluate", batch_size)
    metrics = [metric_of(metric, reader.meaning) for metric in metrics]
    data = reader.data(X, y, sample_weight, batch_size=batch_size, shuffle=False, who="evaluate")
    return evaluated(model, loss, data, metrics, reader.meaning, batch_size)


def reader_for(model, loss):
    """The Reader of data for a model and a loss."""
    return Reader(model, meaning_of(loss), keeps_integers=not is_ours(loss))


def is_ours(loss):
    """Whether it is a loss of pyml's, which takes targets of floating-point numbers or classes."""
    return getattr(loss, "__module__", type(loss).__module__).startswith("pyml.")


# ---- forward -------------------------------------------------------------------------------------


def applied(model, names, inputs):
    """model(x), model(*inputs) or model(**inputs)."""
    if names is None:
        return model(*inputs)
    return model(**dict(zip(names, inputs, strict=True)))


def inputs_of(reader, x, batch_size, who):
    """Rows without a target, one after another, of all that `predict` takes."""
    check_size(who, batch_size)
    is_pairs = isinstance(x, list) and x and all(isinstance(each, tuple) for each in x)
    if not is_pairs and (isinstance(x, (list, tuple)) or not is_source(x)):
        return [reader.inputs(x, who)]
    return Stream(reader, batches_of(x, batch_size, shuffle=False), who=who).inputs()


class RepeatedForward:
    """applied() of one model, evaluated again and again: recorded when that is worth its time.

    What cannot be recorded runs as it is, without a word.

    Args:
        model: a Module.
        names: of its inputs, None if they have none.
    """

    def __init__(self, model, names):
        self.recorded = record(lambda *inputs: applied(model, names, inputs), unrecordable="eager")
        self.recorded._is_quiet = True
        self.calls = self.evaluations = 0
        self._rows = EVALUATION_ROWS

    def begin(self):
        """An evaluation begins; returns how many rows it is to be given at a time."""
        self.evaluations += 1
        if self.recorded._memory > LARGE:
            self._rows = CACHED_ROWS
        return EVALUATION_ROWS if self.recorded._is_eager else self._rows

    def __call__(self, model, names, inputs):
        self.calls += 1
        if self.calls > CALLS and self.evaluations > EVALUATIONS:
            return self.recorded(*inputs)
        return applied(model, names, inputs)


def outputs_of(model, parts, batch_size, forward=applied):
    """The outputs of Rows, one after another, as one Tensor.

    Args:
        forward: a function as `applied`, of each batch.
    """
    with evaluating(model):
        outputs = [
            checked_tensor(
                forward(model, batch.names, batch.inputs), "predict", "what model returns"
            )
            for part in parts
            for batch in part.split(batch_size)
        ]
    if not outputs:
        raise ValueError("predict: X has no batches")
    return outputs[0] if len(outputs) == 1 else cat(outputs)


def evaluated(model, loss, data, metrics, meaning, batch_size, forward=applied):
    """{"loss": mean, name: metric} of Rows or a Stream, in evaluation mode; see outputs_of."""
    if isinstance(data, Rows):
        outputs = outputs_of(model, [data], batch_size, forward)
        results = {"loss": mean_loss(loss, outputs, data, "evaluate")}
        for metric in metrics:
            results[metric.name] = metric(
                *read_for(metric, meaning, outputs, data, ignored_by(loss))
            )
        return results
    metrics = [copy.deepcopy(metric) for metric in metrics]
    for metric in metrics:
        metric.reset()
    total = weights = 0.0
    for rows in data:
        outputs = outputs_of(model, [rows], batch_size, forward)
        share = rows.count if rows.weight is None else rows.weight.double().sum().item()
        total += mean_loss(loss, outputs, rows, data.who) * share
        weights += share
        for metric in metrics:
            metric.update(*read_for(metric, meaning, outputs, rows, ignored_by(loss)))
    if weights == 0:
        raise ValueError(f"{data.who}: there are no rows, or none with a weight")
    return {"loss": total / weights} | {each.name: each.compute() for each in metrics}


def read_for(metric, meaning, outputs, rows, ignored):
    """prediction, target and weight as a metric wants them, without rows of an ignored class."""
    target, wants = aligned(outputs, rows.target), metric.wants
    weight = None if rows.weight is None else rows.weight.numpy()
    found = meaning.read(outputs, wants), meaning.read_target(target, wants), weight
    if not meaning.classes or found[1].ndim != 1 or (kept := found[1] != ignored).all():
        return found
    return tuple(None if part is None else part[kept] for part in found)


def ignored_by(loss):
    """The class that a loss of classes leaves out."""
    return getattr(loss, "ignore_index", IGNORED)


# ---- loss ----------------------------------------------------------------------------------------


def loss_of(loss, output, target, who):
    """The loss of a batch, a Tensor of one number."""
    value = checked_tensor(loss(output, aligned(output, target)), who, "what loss returns")
    if value.numel() != 1:
        raise ValueError(
            f"{who}: loss returns shape {value.shape}, it must return one number: reduction='mean'"
        )
    return value


def weighted_loss_of(of_rows, sums, output, target, weight, who):
    """sum_i w_i l_i / sum_i w_i, with l_i the mean over what the loss gives of row i.

    0 where all weights are 0.

    Args:
        of_rows: the loss, without its reduction.
        sums: whether it is not to be divided by the sum of the weights.
    """
    losses = checked_tensor(of_rows(output, aligned(output, target)), who, "what loss returns")
    if losses.ndim == 0 or len(losses) != len(weight):
        raise ValueError(
            f"{who}: with reduction='none' loss returns shape {losses.shape}, it must have "
            f"{len(weight)} rows"
        )
    if losses.ndim > 1:
        losses = losses.reshape(len(losses), -1).mean(1)
    value = (losses * weight).sum()
    return value if sums else over_weights(value, weight)


def over_weights(value, weight):
    """value / the sum of the weights; value where that is 0."""
    total = weight.sum()
    return value / where(total > 0, total, ones_like(total))


@no_grad()
def mean_loss(loss, output, rows, who):
    """The mean loss of rows, a float."""
    if rows.weight is None:
        value = loss_of(loss, output, rows.target, who).item()
        return value / rows.count if sums_up(loss) else value
    of_rows = without_reduction(loss)
    return weighted_loss_of(of_rows, False, output, rows.target, rows.weight, who).item()


def sums_up(loss):
    """Whether a loss is the sum over the rows, not their mean."""
    return getattr(loss, "reduction", "mean") == "sum"


def without_reduction(loss):
    """A loss that gives the losses of the rows.

    Raises:
        TypeError: if it has no `reduction`.
    """
    if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
        unreduced = copy.copy(loss)  # its parameters are the same
        unreduced.reduction = "none"
        return unreduced
    try:
        takes = "reduction" in inspect.signature(loss).parameters
    except (TypeError, ValueError):
        takes = False
    if not takes or isinstance(loss, nn.Module):
        raise TypeError(
            f"fit: sample_weight and class_weight need the loss of each row, and loss "
            f"{getattr(loss, '__name__', type(loss).__name__)} has no reduction='none'"
        )
    return lambda output, target: loss(output, target, reduction="none")


# ---- metrics -------------------------------------------------------------------------------------


def metric_of(spec, meaning, who="metrics"):
    """A metric by its name, a Metric, or a function; checked against what outputs mean."""
    from pyml.train.metrics import FunctionMetric, get

    if callable(spec) and not hasattr(spec, "wants"):
        return FunctionMetric(spec, wants=meaning.wants)
    metric = get(spec)
    if metric.wants != "values" and not meaning.has_labels:
        raise ValueError(
            f"{who}: {metric.name} is of {metric.wants}, and the loss gives values: take a loss as "
            "CrossEntropyLoss or BCEWithLogitsLoss, or another metric"
        )
    if metric.wants == "values" and meaning.has_labels:
        raise ValueError(
            f"{who}: {metric.name} is of values, and the loss gives labels and probabilities: take "
            "a loss as MSELoss, or another metric; one of your own says what it `wants`"
        )
    return metric


def check_weighted(metrics, *data):
    """Raises TypeError if rows have weights, and a metric is a function that does not take them."""
    if any(isinstance(rows, Rows) and rows.weight is not None for rows in data):
        for metric in metrics:
            if hasattr(metric, "check_takes_weights"):
                metric.check_takes_weights()


# ---- checks --------------------------------------------------------------------------------------


def check_model(who, model):
    """Raises TypeError unless it is a Module."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"{who}: model must be a Module, not {type(model).__name__}")


def check_size(who, batch_size):
    """Raises unless a batch can have so many rows."""
    check_counts(who, least=1, batch_size=batch_size)
