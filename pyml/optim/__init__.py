"""Optimizers and learning-rate schedules."""

from pyml.optim import lr_scheduler
from pyml.optim.adagrad import Adagrad
from pyml.optim.adam import Adam, AdamW
from pyml.optim.adamax import Adamax
from pyml.optim.lbfgs import LBFGS
from pyml.optim.nadam import NAdam
from pyml.optim.optimizer import Optimizer
from pyml.optim.rmsprop import RMSprop
from pyml.optim.sgd import SGD

__all__ = [
    *("SGD", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RMSprop"),
    "LBFGS",
    *("Optimizer", "lr_scheduler"),
]
