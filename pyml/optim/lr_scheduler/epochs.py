"""Schedules that change the learning rate at given epochs, or from epoch to epoch by a factor."""

import math

from pyml.optim.lr_scheduler.base import LRScheduler
from pyml.options import Range, check_number, is_number

__all__ = ["LinearLR", "StepLR"]


class StepLR(LRScheduler):
    """Multiplies the learning rate by gamma every step_size epochs.

    Args:
        optimizer: an Optimizer.
        step_size: epochs between two changes, >= 1.
        gamma: the factor. Default: 0.1.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        ValueError: if step_size < 1.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=0.5)
        >>> scheduler = pyml.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        >>> for epoch in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.005000000000000001]
    """

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size = step_size
        self.gamma = gamma
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        size, gamma = options["step_size"], options["gamma"]
        if not (is_number(size) and size >= 1):
            raise ValueError(f"StepLR: step_size is {size}, it must be >= 1")
        if not is_number(gamma) or math.isnan(gamma):
            raise ValueError(f"StepLR: gamma is {gamma}, it must be a number")

    def get_lr(self):
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class LinearLR(LRScheduler):
    """Scales the learning rate by a factor that goes linearly from start_factor to end_factor.

    After k epochs, with n = total_iters::

        lr = initial_lr * (start_factor + (end_factor - start_factor) * min(k, n) / n)

    Args:
        optimizer: an Optimizer.
        start_factor: the factor of epoch 0, in (0, 1]. Default: 1/3.
        end_factor: the factor from epoch total_iters on, in [0, 1]. Default: 1.
        total_iters: epochs of change, >= 0. Default: 5.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        ValueError: if an option is out of range.
    """

    def __init__(
        self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1
    ):
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        start, end, total = (
            options[name] for name in ("start_factor", "end_factor", "total_iters")
        )
        check_number("LinearLR", "start_factor", start, Range(0, 1, "(]"))
        check_number("LinearLR", "end_factor", end, Range(0, 1))
        if not (is_number(total) and 0 <= total < math.inf):
            raise ValueError(f"LinearLR: total_iters is {total}, it must be >= 0")

    def get_lr(self):
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._current()]
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._current()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in self._current()]
