"""Schedules that follow a cosine."""

import math

from pyml import recorder
from pyml.optim.lr_scheduler.base import LRScheduler, check_count, check_optimizer
from pyml.options import Range, check_number, is_number

__all__ = ["CosLogLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "FlatCosLR"]


class CosineAnnealingLR(LRScheduler):
    """Lets the learning rate fall along half a cosine, from the initial one to eta_min.

    In epoch k::

        lr = eta_min + (initial_lr - eta_min) * (1 + cos(pi * k / T_max)) / 2

    Behind T_max it rises again, along the same cosine. Loshchilov & Hutter 2017
    (arXiv:1608.03983), eq. 5, without restarts.

    Args:
        optimizer: an Optimizer.
        T_max: epochs from the initial rate to eta_min, >= 1.
        eta_min: the least rate. Default: 0.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max = T_max
        self.eta_min = eta_min
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        T_max, eta_min = options["T_max"], options["eta_min"]
        if not (is_number(T_max) and 1 <= T_max < math.inf):
            raise ValueError(f"CosineAnnealingLR: T_max is {T_max}, it must be >= 1")
        check_least("CosineAnnealingLR", eta_min)

    def get_lr(self):
        if self.last_epoch == 0:
            return self._current()
        k, low = self.last_epoch, self.eta_min
        if self._is_initial:
            return [low + (base - low) * self._height(k) / 2 for base in self.base_lrs]
        if (k - 1 - self.T_max) % (2 * self.T_max) == 0:  # up from the bottom
            rise = 1 - math.cos(math.pi / self.T_max)
            pairs = zip(self._current(), self.base_lrs, strict=True)
            return [lr + (base - low) * rise / 2 for lr, base in pairs]
        fall = self._height(k) / self._height(k - 1)
        return [fall * (lr - low) + low for lr in self._current()]

    def _height(self, epoch):
        """Of the cosine, from 2 down to 0."""
        return 1 + math.cos(math.pi * epoch / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lets the learning rate fall along half a cosine, again and again from the initial rate.

    T_cur epochs after the last restart, in a cycle of T_i epochs::

        lr = eta_min + (initial_lr - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2

    The first cycle has T_0 epochs, each other one T_mult times as many as the one before it.
    Loshchilov & Hutter 2017 (arXiv:1608.03983), eq. 5.

    Args:
        optimizer: an Optimizer.
        T_0: epochs of the first cycle, an integer >= 1.
        T_mult: the factor from a cycle to the next, an integer >= 1. Default: 1.
        eta_min: the least rate. Default: 0.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if T_0 or T_mult is not an integer.
        ValueError: if an option is out of range.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = 0.0
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        who = "CosineAnnealingWarmRestarts"
        for name in ("T_0", "T_mult", "T_i"):
            check_count(who, name, options[name], 1)
        check_least(who, options["eta_min"])
        check_number(who, "T_cur", options["T_cur"], Range(0, options["T_i"], "[)"))

    def get_lr(self):
        low, height = self.eta_min, 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [low + (base - low) * height / 2 for base in self.base_lrs]

    def step(self, epoch=None):
        """Goes on by one epoch, or to a given one.

        Args:
            epoch: where to go, also between two epochs: with step(epoch + i / batches) after batch
                i the rate falls from batch to batch. A number >= 0; None is the next epoch, and
                what a recorded step may call. Default: None.

        Raises:
            TypeError, ValueError: if epoch is not a number >= 0. Nothing has changed then.
        """
        if epoch is None:
            super().step()
            return
        check_number("CosineAnnealingWarmRestarts: step", "epoch", epoch, Range(0, math.inf, "[)"))
        recorder.refuse("step(epoch) of CosineAnnealingWarmRestarts (use step() without an epoch)")
        self._go_to(float(epoch))

    def _step(self):
        self._warn_early()
        if self._is_initial:
            self._go_to(self.last_epoch + 1)
            return
        self._step_count += 1
        self.last_epoch += 1
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult
        self._set(self.get_lr())

    def _go_to(self, epoch):
        """Finds the cycle of an epoch, and sets the rates."""
        first, length = 0, self.T_0
        if self.T_mult == 1:
            first = epoch // length * length
        else:
            while first + length <= epoch:
                first, length = first + length, length * self.T_mult
        self._step_count += 1
        self.last_epoch, self.T_cur, self.T_i = math.floor(epoch), float(epoch - first), length
        self._set(self.get_lr())


class _OverAllSteps(LRScheduler):
    """What the two have in common: factors of the share of total_steps that is done."""

    def __init__(self, optimizer, total_steps, last_epoch=-1):
        self.total_steps = total_steps
        self._check(self.__dict__)
        super().__init__(optimizer, last_epoch)

    def _check(self, options):
        check_count(type(self).__name__, "total_steps", options["total_steps"], 1)

    @property
    def _share(self):
        return min(self.last_epoch / self.total_steps, 1.0)

    def get_lr(self):
        factor = self._factor()
        return [base * factor for base in self.base_lrs]


class CosLogLR(_OverAllSteps):
    """Lets the learning rate rise from 0 and fall to 0 in cycles, each about twice as long.

    In step k, with t = k / total_steps, which goes to 1::

        lr = initial_lr * (1 - cos(2 pi log2(1 + (2**num_cycles - 1) t))) / 2

    Holzmueller et al. 2024 (arXiv:2407.04491): "coslog4". step() is called after each batch.

    Args:
        optimizer: an Optimizer.
        total_steps: how many steps the training has, an integer >= 1.
        num_cycles: an integer >= 1. Default: 4.
        flat_cos_decay: whether "weight_decay" changes too, as the rate of FlatCosLR does.
            Default: False.
        last_epoch: the step to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError, ValueError: if an option is out of range; with flat_cos_decay, if the optimizer
            has no "weight_decay".

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.CosLogLR(optimizer, total_steps=30)
        >>> scheduler.get_last_lr()
        [0.0]
        >>> optimizer.step()
        >>> scheduler.step()  # log2(1 + 15 / 30) = 0.585 of the first cycle
        >>> round(scheduler.get_last_lr()[0], 3)
        0.93
    """

    def __init__(self, optimizer, total_steps, num_cycles=4, flat_cos_decay=False, last_epoch=-1):
        self.num_cycles = num_cycles
        self.flat_cos_decay = flat_cos_decay
        check_optimizer("CosLogLR", optimizer, last_epoch)
        if flat_cos_decay and "weight_decay" not in optimizer.defaults:
            raise ValueError(
                f"CosLogLR: {type(optimizer).__name__} has no weight_decay to change; pass "
                "flat_cos_decay=False"
            )
        super().__init__(optimizer, total_steps, last_epoch)

    def _begin(self, last_epoch):
        if self.flat_cos_decay:
            for group in self.optimizer.param_groups:
                group.setdefault("initial_weight_decay", float(group["weight_decay"]))
        super()._begin(last_epoch)

    def _check(self, options):
        super()._check(options)
        check_count("CosLogLR", "num_cycles", options["num_cycles"], 1)

    def _factor(self):
        place = math.log2(1 + (2**self.num_cycles - 1) * self._share)
        return (1 - math.cos(2 * math.pi * place)) / 2

    def _take_rates(self):
        super()._take_rates()
        if self.flat_cos_decay:
            factor = flat_cos(self._share)
            for group in self.optimizer.param_groups:
                group["weight_decay"] = group["initial_weight_decay"] * factor


class FlatCosLR(_OverAllSteps):
    """Keeps the learning rate for half of the steps, then lets it fall to 0 along half a cosine.

    In step k, with t = k / total_steps, which goes to 1::

        lr = initial_lr                                  t < 1/2
        lr = initial_lr * (1 + cos(pi (2 t - 1))) / 2    else

    Holzmueller et al. 2024 (arXiv:2407.04491): "flat_cos". step() is called after each batch.

    Args:
        optimizer: an Optimizer.
        total_steps: how many steps the training has, an integer >= 1.
        last_epoch: the step to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError, ValueError: if total_steps is not a positive integer.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.FlatCosLR(optimizer, total_steps=4)
        >>> for step in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 6)
        0.5
    """

    def _factor(self):
        return flat_cos(self._share)


def flat_cos(share):
    """1 for the first half, then down to 0 along half a cosine."""
    return 1.0 if share < 0.5 else (1 + math.cos(math.pi * (2 * share - 1))) / 2


def check_least(who, eta_min):
    """Raises ValueError unless the least rate is a finite number."""
    if not (is_number(eta_min) and math.isfinite(eta_min)):
        raise ValueError(f"{who}: eta_min is {eta_min}, it must be a finite number")
