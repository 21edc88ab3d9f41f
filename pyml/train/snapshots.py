"""Copies of a model on its way, for an ensemble of one training."""

from collections.abc import Mapping
from copy import deepcopy

from pyml.nn.ensemble import Ensemble
from pyml.nn.module import Module
from pyml.options import check_counts
from pyml.train.callbacks import Callback

__all__ = ["Snapshots"]


class Snapshots(Callback):
    """Copies a model each `period` epochs: with a cyclic schedule, at the end of each cycle.

    Huang et al. 2017 (arXiv:1704.00109), "Snapshot ensembles: train 1, get M for free": each
    restart of the rate leaves the minimum that the cycle ended in, and the next cycle ends in
    another.

    It is a callback of a Trainer and of a run.

    Args:
        model: a Module.
        period: epochs between two copies, >= 1: T_0 of a CosineAnnealingWarmRestarts.
        keep: how many copies to keep, the last ones. Default: all.

    Attributes:
        models: the copies, in evaluation mode, the oldest first.

    Raises:
        TypeError: if model is not a Module, or period or keep not an integer.
        ValueError: if period or keep is less than 1.

    Example:
        >>> schedule = pyml.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=20)
        >>> snapshots = pyml.train.Snapshots(model, period=20)
        >>> losses = step.run(
        ...     x, y, batch_size=64, epochs=100, scheduler=schedule, callback=snapshots
        ... )
        >>> ensemble = snapshots.ensemble("probabilities")

    For exact resume keep its state_dict() in the checkpoint's `extra`, and load it with
    load_state_dict(); a Trainer does.
    """

    model = None

    def __init__(self, model, period, keep=None):
        if not isinstance(model, Module):
            raise TypeError(f"Snapshots: model is a {type(model).__name__}, it must be a Module")
        for name, value in (("period", period), ("keep", keep)):
            if value is not None or name == "period":
                check_counts("Snapshots", least=1, **{name: value})
        self.model = model
        self.period = period
        self.keep = keep
        self.epochs = 0
        self.models = []

    def __call__(self, progress=None):
        """To be called after each epoch. What it is called with, a Progress of run, is not read."""
        if (self.epochs + 1) % self.period == 0:
            self.models.append(deepcopy(self.model).eval())
            if self.keep is not None:
                del self.models[: -self.keep]
        self.epochs += 1

    def on_epoch_end(self, epoch, logs=None):
        self()

    def state_dict(self):
        """The epochs so far, and the state of each copy."""
        return {"epochs": self.epochs, "models": [copied.state_dict() for copied in self.models]}

    def load_state_dict(self, state):
        """Takes over what state_dict() gave: the copies are made anew, of the model.

        Raises:
            TypeError, ValueError: if it is no such state. Nothing has changed then.
        """
        who = "Snapshots: the state"
        if not isinstance(state, Mapping) or {"epochs", "models"} - state.keys():
            raise ValueError(f"{who} is not that of Snapshots: it must have epochs and models")
        check_counts(who, epochs=state["epochs"])
        if not isinstance(state["models"], (list, tuple)):
            raise TypeError(f"{who}: models is a {type(state['models']).__name__}, not a list")
        models = [deepcopy(self.model).eval() for _ in state["models"]]
        for copied, weights in zip(models, state["models"], strict=True):
            copied.load_state_dict(weights)
        self.epochs, self.models = state["epochs"], models

    def ensemble(self, average="values", dim=-1):
        """An nn.Ensemble of the copies. Arguments as there.

        Raises:
            ValueError: if no copy was made yet.
        """
        return Ensemble(self.models, average, dim)
