"""The schedule of weight averaging; found in pyml.optim.swa_utils, as in PyTorch."""

import math

from pyml.optim.lr_scheduler.base import LRScheduler, check_count, check_optimizer, undone_if_raised
from pyml.optim.lr_scheduler.cycles import RATES, STRATEGIES, one_a_group
from pyml.options import check_choice, check_number

__all__ = ["SWALR"]


class SWALR(LRScheduler):
    """Takes the learning rate to a fixed one, where it stays while weights are averaged.

    In epoch k, with t = min(1, k / anneal_epochs)::

        lr = swa_lr * a + initial_lr * (1 - a)
        a = (1 - cos(pi * t)) / 2       anneal_strategy "cos"
        a = t                           anneal_strategy "linear"

    Izmailov et al. 2018 (arXiv:1803.05407). The groups keep "swa_lr", which may be changed.

    Args:
        optimizer: an Optimizer.
        swa_lr: the last rate, or a list of them, one a group.
        anneal_epochs: epochs until it is reached, an integer >= 0. Default: 10.
        anneal_strategy: "cos" or "linear". Default: "cos".
        last_epoch: the epoch to resume after, where PyTorch begins the way anew; -1 starts anew.
            Default: -1.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.swa_utils.SWALR(optimizer, 0.5, 2, "linear")
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [1.0, 0.75, 0.5, 0.5]
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        check_optimizer("SWALR", optimizer, last_epoch)
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        self._check(self.__dict__)
        swa_lrs = one_a_group("SWALR", "swa_lr", swa_lr, optimizer, RATES)
        with undone_if_raised(optimizer):
            for group, rate in zip(optimizer.param_groups, swa_lrs, strict=True):
                group["swa_lr"] = rate
            super().__init__(optimizer, last_epoch)

    def _check(self, options):
        epochs = options["anneal_epochs"]
        theirs = f"anneal_epochs must be equal or greater than 0, got {epochs}"
        if isinstance(epochs, float) and not epochs.is_integer():  # a ValueError, as PyTorch's
            raise ValueError(f"SWALR: anneal_epochs is {epochs}, not an integer ({theirs})")
        check_count("SWALR", "anneal_epochs", epochs, 0, theirs)
        strategy = options["_anneal_strategy"]
        theirs = f"anneal_strategy must by one of 'cos' or 'linear', instead got {strategy}"
        check_choice("SWALR", "anneal_strategy", strategy, STRATEGIES, theirs)

    def get_lr(self):
        k = max(self.last_epoch, 0 if self.anneal_epochs else 1)
        before, now = self._share(k - 1), self._share(k)
        rates = []
        for group in self.optimizer.param_groups:
            if "swa_lr" not in group:
                raise KeyError("a parameter group has no 'swa_lr', which SWALR needs; set it")
            check_number("SWALR", "swa_lr", group["swa_lr"], RATES)
            last = float(group["swa_lr"])
            first = last if before == 1 else (float(group["lr"]) - before * last) / (1 - before)
            rates.append(last * now + first * (1 - now))
        return rates

    def _share(self, epoch):
        """a of an epoch."""
        t = max(0, min(1, epoch / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2
