"""Schedules of the learning rate, a file a family."""

from pyml.optim.lr_scheduler.base import LRScheduler
from pyml.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from pyml.optim.lr_scheduler.epochs import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from pyml.optim.lr_scheduler.functions import LambdaLR, MultiplicativeLR

__all__ = [
    *("ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR"),
    *("LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR"),
    "StepLR",
]
