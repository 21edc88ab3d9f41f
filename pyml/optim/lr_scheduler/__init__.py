"""Schedules of the learning rate, a file a family."""

from pyml.optim.lr_scheduler.base import LRScheduler
from pyml.optim.lr_scheduler.cosine import CosineAnnealingLR
from pyml.optim.lr_scheduler.epochs import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)

__all__ = [
    *("ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LinearLR"),
    *("MultiStepLR", "PolynomialLR", "StepLR"),
]
