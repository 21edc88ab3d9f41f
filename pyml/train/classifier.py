"""Training of a classifier on arrays in memory."""

import math
import time
from operator import index

from pyml import nn
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.ops.creation import randperm
from pyml.recording import record
from pyml.train.history import Epoch, History

__all__ = ["evaluate", "fit", "mlp"]

EVALUATION_ROWS = 1024  # at a time: activations stay small


def mlp(in_features, hidden, classes, dropout=0.0):
    """A multi-layer perceptron: Linear, BatchNorm1d, ReLU, Dropout a hidden layer, and a Linear.

    Args:
        in_features: columns of the input.
        hidden: the widths of the hidden layers, input side first.
        classes: columns of the output, one score (logit) a class.
        dropout: the probability of dropping an activation. Default: 0.

    Returns:
        An nn.Sequential.

    Example:
        >>> model = mlp(64, (256, 128), 10, dropout=0.2)
    """
    layers = []
    for width in hidden:
        layers += [
            nn.Linear(in_features, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        ]
        in_features = width
    return nn.Sequential(*layers, nn.Linear(in_features, classes))


def fit(
    model,
    loss,
    optimizer,
    train,
    validation,
    *,
    epochs,
    batch_size,
    scheduler=None,
    on_step=None,
    on_epoch=None,
):
    """Trains `model` on minibatches.

    Rows are shuffled anew in each epoch, by the default generator (pyml.manual_seed).

    Args:
        model: a Module that gives scores of shape (rows, classes).
        loss: a Module of (scores, labels) that gives the mean over the rows.
        optimizer: an Optimizer over the model's parameters.
        train: (x, y), Tensors of shapes (n, ...) and (n,), at least two rows.
        validation: (x, y), evaluated after each epoch. It has no influence on the result.
        epochs: how many passes over the training rows.
        batch_size: rows of a step, at least two. The last step of an epoch has what is left; a
            single row is left out, for BatchNorm has no variance of one.
        scheduler: a learning-rate schedule, stepped after each epoch. Default: none.
        on_step: called after each step.
        on_epoch: called after each epoch, with its Epoch.

    Returns:
        A History.

    Raises:
        TypeError: if epochs or batch_size is not an integer.
        ValueError: if epochs is negative or batch_size less than two; if there are fewer rows than
            two to train on or one to validate on, or not as many labels as rows. Nothing has
            changed then.
        FloatingPointError: if the training loss is infinite or NaN.
    """
    _check_model("fit", model)
    if scheduler is not None and not hasattr(scheduler, "step"):
        raise TypeError(f"fit: scheduler must be an LRScheduler, not {type(scheduler).__name__}")
    _check_count("epochs", epochs, 0)
    _check_count("batch_size", batch_size, 2)
    _check_rows("fit: train", *train, 2)
    _check_rows("fit: validation", *validation, 1)

    @record(unrecordable="eager")
    def step(x, y):
        optimizer.zero_grad()
        value = checked_tensor(loss(model(x), y), "fit", "what loss returns")
        value.backward()
        optimizer.step()
        return value

    history = History()
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        learning_rate = optimizer.param_groups[0]["lr"]
        train_loss = _train_epoch(model, step, train, batch_size, on_step)
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"the training loss is {train_loss} in epoch {epoch} "
                f"at learning rate {learning_rate:g}: a smaller one may help"
            )
        validation_loss, accuracy = evaluate(model, loss, *validation)
        if scheduler is not None:
            scheduler.step()
        seconds = time.perf_counter() - start
        history.append(Epoch(epoch, train_loss, validation_loss, accuracy, learning_rate, seconds))
        if on_epoch is not None:
            on_epoch(history[-1])
    return history


def _check_model(who, model):
    if not isinstance(model, nn.Module):
        raise TypeError(f"{who}: model must be a Module, not {type(model).__name__}")


def _check_count(name, value, least):
    try:
        count = index(value)
    except TypeError:
        raise TypeError(f"fit: {name} is {value!r}, it must be an integer") from None
    if count < least:
        raise ValueError(f"fit: {name} is {count}, it must be at least {least}")


def _check_rows(name, x, y, least):
    if len(x) != len(y):
        raise ValueError(f"{name} has {len(x)} rows, but {len(y)} labels")
    if len(y) < least:
        raise ValueError(f"{name} has {len(y)} rows, it must have at least {least}")


def _train_epoch(model, step, train, batch_size, on_step):
    """One pass over the rows; returns the mean loss."""
    model.train()
    x, y = train
    shuffled = randperm(len(y))
    total = rows = 0
    for start in range(0, len(y) - 1, batch_size):
        batch = shuffled[start : start + batch_size]
        batch_loss = step(x[batch], y[batch])
        total += batch_loss.item() * len(batch)
        rows += len(batch)
        if on_step is not None:
            on_step()
    return total / rows


@no_grad()
def evaluate(model, loss, x, y):
    """Mean loss and accuracy of a classifier, in evaluation mode; the model's mode is restored.

    Args:
        model: a Module that gives scores of shape (rows, classes).
        loss: a Module of (scores, labels) that gives the mean over the rows.
        x, y: Tensors of shapes (n, ...) and (n,).

    Returns:
        Two floats.

    Raises:
        ValueError: if there are no rows, or not as many labels as rows.
    """
    _check_rows("evaluate: data", x, y, 1)
    _check_model("evaluate", model)
    was_training = model.training
    model.eval()
    total = correct = 0
    try:
        for start in range(0, len(y), EVALUATION_ROWS):
            labels = y[start : start + EVALUATION_ROWS]
            scores = model(x[start : start + EVALUATION_ROWS])
            mean = checked_tensor(loss(scores, labels), "evaluate", "what loss returns")
            total += mean.item() * len(labels)
            correct += (scores.argmax(1) == labels).sum().item()
    finally:
        model.train(was_training)
    return total / len(y), correct / len(y)
