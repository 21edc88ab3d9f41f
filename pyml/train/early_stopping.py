"""When to stop a training, and the best weights on the way."""

import math
from collections.abc import Mapping
from copy import deepcopy

from pyml.nn.module import Module
from pyml.options import Range, check_choice, check_counts, check_number, is_number
from pyml.train.callbacks import Callback, check_monitor

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Says when a training no longer gets better, and keeps the weights of its best moment.

    Among the callbacks of a Trainer it looks at a column of the epochs, and in the end, whatever
    ends the training, the model has the best weights. By hand it is called with values.

    Prechelt 1998, "Early stopping - but when?": the validation loss falls, then rises as the model
    learns the training rows by heart.

    Args:
        model: a Module, whose state_dict() is copied each time that the value is the best so far.
            Default: the one that the Trainer predicts with.
        patience: how many values in a row may be no better before it says stop, >= 1. Default: 10.
        min_delta: how much better a value must be to count, >= 0. Default: 0.
        mode: "min" if smaller values are better, as of a loss; "max" as of an accuracy. Default:
            as the metric of a Trainer says, else "min".
        monitor: which column of a Trainer's epochs. Default: "validation_loss".
        ties: "first" or "last": which weights to keep of values that are equally good. "last" of
            an accuracy, which is the same in many epochs, are those that are trained longer; such a
            value is taken for better by patience, too, and min_delta must be 0. Default: "first".

    Attributes:
        best: the best value so far, or None.
        best_count: which value that was, counted from 1, or 0.
        count: how many values there were.

    Raises:
        TypeError: if model is not a Module, patience not an integer, or min_delta no number.
        ValueError: for a patience below 1, a negative min_delta or another mode.

    Example:
        >>> stopping = pyml.train.EarlyStopping(patience=5, monitor="validation_accuracy")
        >>> trainer = pyml.train.Trainer(
        ...     model, loss, optimizer, metrics=["accuracy"], callbacks=[stopping]
        ... )

        >>> stopping = pyml.train.EarlyStopping(model, patience=5)
        >>> losses = step.run(x, y, batch_size=64, epochs=1000,
        ...     callback=lambda progress: stopping(validation_loss()))
        >>> stopping.restore()

    For exact resume keep its state_dict() in the checkpoint's `best`, and load it with
    load_state_dict().
    """

    model = None  # of a Trainer, until the training begins

    def __init__(
        self,
        model=None,
        patience=10,
        *,
        min_delta=0.0,
        mode=None,
        monitor="validation_loss",
        ties="first",
    ):
        if model is not None and not isinstance(model, Module):
            raise TypeError(
                f"EarlyStopping: model is a {type(model).__name__}, it must be a Module"
            )
        check_counts("EarlyStopping", least=1, patience=patience)
        check_number("EarlyStopping", "min_delta", min_delta, Range(0))
        if mode is not None:
            check_choice("EarlyStopping", "mode", mode, ("min", "max"))
        check_choice("EarlyStopping", "ties", ties, ("first", "last"))
        if ties == "last" and min_delta:
            raise ValueError(
                f"EarlyStopping: min_delta is {min_delta}, with ties='last' it must be 0"
            )
        self.ties = ties
        self.model = self._given_model = model
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode or "min"
        self._given_mode, self.monitor = mode, monitor
        self._forget()

    def _forget(self):
        self.best = self._weights = None
        self.best_count = self.count = 0

    def set_trainer(self, trainer):
        super().set_trainer(trainer)
        self._forget()  # what a training before has found

    def on_train_begin(self, logs=None):
        check_monitor(self, self.monitor, self.trainer)
        self.model = self._given_model or self.trainer.predictor
        self.mode = self._given_mode or self.trainer.mode_of(self.monitor)
        if self._is_over:  # of a training that is resumed
            self._stop()

    def on_epoch_end(self, epoch, logs=None):
        if self(self.trainer.history[-1][self.monitor]):
            self._stop()

    def _stop(self):
        self.trainer.stop(
            f"{self.monitor} was not better in {self.patience} epochs: the best was "
            f"{self.best:.6g}, in epoch {self._epoch_of_best}"
            if self.best is not None
            else f"{self.monitor} was NaN in {self.patience} epochs"
        )

    def on_train_end(self, logs=None):
        if self._weights is not None:
            self.restore()

    @property
    def _epoch_of_best(self):
        return len(self.trainer.history) - (self.count - self.best_count)

    def __call__(self, value):
        """Takes the next value; True if the training is to stop.

        Args:
            value: a number, or a Tensor of one. NaN is never better than another.
        """
        if not is_number(value):
            raise TypeError(f"EarlyStopping: value is {value!r}, it must be a number")
        value = float(value)
        if self.model is None:
            raise RuntimeError(
                "EarlyStopping: there is no model; pass one, or pass this to a Trainer"
            )
        if self._is_better(value):
            self._weights = deepcopy(self.model.state_dict())
            self.best, self.best_count = value, self.count + 1
        self.count += 1
        return self._is_over

    @property
    def _is_over(self):
        return self.count - self.best_count >= self.patience

    def _is_better(self, value):
        if self.best is None:
            return not math.isnan(value)
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain >= 0 if self.ties == "last" else gain > self.min_delta

    def restore(self):
        """Loads the best weights into the model.

        Raises:
            RuntimeError: if there was no value yet, or NaN alone.
        """
        if self._weights is None:
            raise RuntimeError(
                f"EarlyStopping: there are no best weights, as of {self.count} values none is a "
                "number; call it with a value first"
            )
        self.model.load_state_dict(self._weights)

    def state_dict(self):
        """All that a training needs to go on: the values so far and the best weights."""
        return {
            "best": self.best,
            "best_count": self.best_count,
            "count": self.count,
            "weights": self._weights,
        }

    def load_state_dict(self, state):
        """Takes over what state_dict() gave.

        Raises:
            TypeError, ValueError: if it is no such state. Nothing has changed then.
        """
        who = "EarlyStopping: the state"
        if not isinstance(state, Mapping):
            raise TypeError(f"{who} is a {type(state).__name__}, it must be a dict")
        missing = self.state_dict().keys() - state.keys()
        if missing:
            raise ValueError(f"{who} lacks {', '.join(sorted(missing))}")
        best, weights = state["best"], state["weights"]
        check_counts(who, best_count=state["best_count"], count=state["count"])
        if best is not None:
            check_number(who, "best", best, Range(-math.inf))
        if isinstance(weights, Mapping) != (best is not None):
            raise ValueError(
                f"{who} has best {best} and weights of type {type(weights).__name__}; it must have "
                "a number and a dict, or None twice"
            )
        self._weights = deepcopy(weights)
        self.best, self.best_count, self.count = best, state["best_count"], state["count"]
