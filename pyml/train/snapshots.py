"""Copies of a model on its way, for an ensemble of one training."""

from copy import deepcopy

from pyml.nn.ensemble import Ensemble
from pyml.nn.module import Module
from pyml.options import Range, check_integer, check_number

__all__ = ["Snapshots"]


class Snapshots:
    """Copies a model each `period` epochs: with a cyclic schedule, at the end of each cycle.

    Huang et al. 2017 (arXiv:1704.00109), "Snapshot ensembles: train 1, get M for free": each
    restart of the rate leaves the minimum that the cycle ended in, and the next cycle ends in
    another.

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
        >>> step.run(x, y, batch_size=64, epochs=100, scheduler=schedule, callback=snapshots)
        >>> ensemble = snapshots.ensemble("probabilities")
    """

    def __init__(self, model, period, keep=None):
        if not isinstance(model, Module):
            raise TypeError(f"Snapshots: model is a {type(model).__name__}, it must be a Module")
        for name, value in (("period", period), ("keep", keep)):
            if value is not None or name == "period":
                check_integer("Snapshots", name, value)
                check_number("Snapshots", name, value, Range(1))
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

    def ensemble(self, average="values", dim=-1):
        """An nn.Ensemble of the copies. Arguments as there.

        Raises:
            ValueError: if no copy was made yet.
        """
        return Ensemble(self.models, average, dim)
