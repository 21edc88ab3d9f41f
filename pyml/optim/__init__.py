"""Optimizers, learning-rate schedules, averages of weights."""

import importlib

from pyml.optim import lr_scheduler
from pyml.optim.adadelta import Adadelta
from pyml.optim.adafactor import Adafactor
from pyml.optim.adagrad import Adagrad
from pyml.optim.adam import Adam, AdamW
from pyml.optim.adamax import Adamax
from pyml.optim.asgd import ASGD
from pyml.optim.lbfgs import LBFGS
from pyml.optim.levenberg_marquardt import LevenbergMarquardt
from pyml.optim.lion import Lion
from pyml.optim.muon import Muon
from pyml.optim.nadam import NAdam
from pyml.optim.newton_cg import NewtonCG
from pyml.optim.optimizer import Optimizer
from pyml.optim.radam import RAdam
from pyml.optim.rmsprop import RMSprop
from pyml.optim.rprop import Rprop
from pyml.optim.sgd import SGD

__all__ = [
    *("SGD", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RMSprop"),
    *("Adadelta", "RAdam", "Rprop", "ASGD", "Lion", "Adafactor", "Muon"),
    *("LBFGS", "NewtonCG", "LevenbergMarquardt"),
    *("Optimizer", "lr_scheduler", "swa_utils"),
]


def __getattr__(name):
    if name == "swa_utils":  # knows pyml.nn, which optimizers do not
        return importlib.import_module("pyml.optim.swa_utils")
    from pyml.left_out import absent

    raise absent("pyml.optim", name)
