"""Schedules of the learning rate, a file a family."""

from pyml.optim.lr_scheduler.base import LRScheduler
from pyml.optim.lr_scheduler.compose import ChainedScheduler, SequentialLR
from pyml.optim.lr_scheduler.cosine import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CosLogLR,
    FlatCosLR,
)
from pyml.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from pyml.optim.lr_scheduler.epochs import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from pyml.optim.lr_scheduler.functions import LambdaLR, MultiplicativeLR
from pyml.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    *("ChainedScheduler", "ConstantLR", "CosLogLR", "CosineAnnealingLR"),
    *("CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "FlatCosLR", "LRScheduler"),
    *("LambdaLR", "LinearLR", "MultiStepLR"),
    *("MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR"),
    "StepLR",
]
