"""Schedules that change the learning rate at given epochs, or from epoch to epoch by a factor."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from pyml.optim.lr_scheduler.base import LRScheduler, check_count
from pyml.options import Range, check_number, is_number

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


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
        check_factor("StepLR", "gamma", gamma)

    def get_lr(self):
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by gamma at each of the milestones.

    In epoch k::

        lr = initial_lr * gamma ** (the number of milestones <= k)

    Args:
        optimizer: an Optimizer.
        milestones: epochs, integers >= 0, in any order. One that is there twice counts twice.
        gamma: the factor. Default: 0.1.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if milestones is not a list of integers.
        ValueError: if a milestone is < 0, or gamma not a number.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
        >>> for epoch in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        if not isinstance(milestones, Iterable) or isinstance(milestones, (str, bytes)):
            raise TypeError(
                f"MultiStepLR: milestones is {milestones!r}, it must be a list of epochs; "
                "of a single one use [epoch]"
            )
        milestones = list(milestones)
        for i, epoch in enumerate(milestones):
            check_count("MultiStepLR", f"milestones[{i}]", epoch, 0)
        self.milestones = Counter(milestones)  # {epoch: how often}
        self.gamma = gamma
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        milestones, gamma = options["milestones"], options["gamma"]
        if not isinstance(milestones, Mapping):
            raise TypeError(
                f"MultiStepLR: milestones is {milestones!r}, it must be a dict {{epoch: how often}}"
            )
        for epoch, times in milestones.items():
            check_count("MultiStepLR", "a milestone", epoch, 0)
            check_count("MultiStepLR", f"milestones[{epoch}]", times, 0)
        check_factor("MultiStepLR", "gamma", gamma)

    def get_lr(self):
        times = self.milestones.get(self.last_epoch)
        if times is None:
            return self._current()
        return [lr * self.gamma**times for lr in self._current()]


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by gamma every epoch.

    In epoch k::

        lr = initial_lr * gamma ** k

    Args:
        optimizer: an Optimizer.
        gamma: the factor.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        ValueError: if gamma is not a number.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> for epoch in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.125]
    """

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        check_factor("ExponentialLR", "gamma", options["gamma"])

    def get_lr(self):
        if self._is_initial:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class ConstantLR(LRScheduler):
    """Multiplies the learning rate by factor for the first epochs, then takes that back.

    In epoch k::

        lr = initial_lr * factor   if k < total_iters, else   initial_lr

    Args:
        optimizer: an Optimizer.
        factor: in (0, 1]. PyTorch takes 0, too, and divides by it when total_iters are over.
            Default: 1/3.
        total_iters: epochs until the rate is the initial one, >= 0. With 0, as in PyTorch, it
            never is. Default: 5.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=1)
        >>> scheduler.get_last_lr()
        [0.5]
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [1.0]
    """

    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        self.factor = factor
        self.total_iters = total_iters
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        check_number("ConstantLR", "factor", options["factor"], Range(0, 1, "(]"))
        check_total("ConstantLR", options["total_iters"])

    def get_lr(self):
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._current()]
        if self.last_epoch != self.total_iters:
            return self._current()
        return [lr * (1.0 / self.factor) for lr in self._current()]


class PolynomialLR(LRScheduler):
    """Lets the learning rate fall to 0 along a power of the epochs that are left.

    In epoch k, with n = total_iters::

        lr = initial_lr * (1 - min(k, n) / n) ** power

    Args:
        optimizer: an Optimizer.
        total_iters: n, epochs until the rate is 0, >= 0. With 0, as in PyTorch, it stays the
            initial one. Default: 5.
        power: of the polynomial. Default: 1.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2, power=2.0)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        self.total_iters = total_iters
        self.power = power
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        check_total("PolynomialLR", options["total_iters"])
        check_number("PolynomialLR", "power", options["power"], Range(0))

    def get_lr(self):
        n = self.total_iters
        if self._is_initial or n == 0 or self.last_epoch > n:
            return self._current()
        left, before = 1.0 - self.last_epoch / n, 1.0 - (self.last_epoch - 1) / n
        return [lr * (left / before) ** self.power for lr in self._current()]


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
        check_total("LinearLR", total)

    def get_lr(self):
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._current()]
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._current()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in self._current()]


def check_factor(who, name, value):
    """Raises ValueError unless `value` is a number."""
    if not is_number(value) or math.isnan(value):
        raise ValueError(f"{who}: {name} is {value}, it must be a number")


def check_total(who, value):
    """Raises ValueError unless `value` is a finite number of epochs."""
    if not (is_number(value) and 0 <= value < math.inf):
        raise ValueError(f"{who}: total_iters is {value}, it must be >= 0")
