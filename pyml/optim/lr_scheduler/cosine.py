"""Schedules that follow a cosine."""

import math

from pyml.optim.lr_scheduler.base import LRScheduler
from pyml.options import is_number

__all__ = ["CosineAnnealingLR"]


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
        if not (is_number(eta_min) and math.isfinite(eta_min)):
            raise ValueError(f"CosineAnnealingLR: eta_min is {eta_min}, it must be a finite number")

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
