"""A schedule that waits for a metric to stop getting better."""

import math

from pyml import recorder
from pyml.optim.lr_scheduler.base import LRScheduler, check_count, check_optimizer, set_lr
from pyml.options import Range, check_choice, check_number, is_number

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rate by factor when a metric has stopped getting better.

    A metric is better than the best so far by this rule, with t = threshold::

        metric < best * (1 - t)   mode "min", threshold_mode "rel"
        metric < best - t         mode "min", threshold_mode "abs"
        metric > best * (1 + t)   mode "max", threshold_mode "rel"
        metric > best + t         mode "max", threshold_mode "abs"

    After more than patience epochs in a row without a better one, lr = max(lr * factor, min_lr).

    A recorded step refuses it, as it decides by a number: call step(loss) outside of the step. In
    `run` a callback may call it, once an epoch.

    Args:
        optimizer: an Optimizer.
        mode: "min" for a metric that is to fall, "max" for one that is to rise. Default: "min".
        factor: the factor, in [0, 1). Default: 0.1.
        patience: epochs without a better metric that change nothing, an integer >= 0. Default: 10.
        threshold: t, >= 0. Default: 1e-4.
        threshold_mode: "rel" or "abs". Default: "rel".
        cooldown: epochs after a change in which none counts, an integer >= 0. Default: 0.
        min_lr: the least rate, >= 0, or a list of them, one a group. Default: 0.
        eps: a change of the rate that is not larger is not made, >= 0. Default: 1e-8.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range, or min_lr has not one number a group.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = pyml.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        >>> for loss in (0.5, 0.4, 0.4, 0.4):
        ...     optimizer.step()
        ...     scheduler.step(loss)
        >>> scheduler.get_last_lr()
        [0.1]
    """

    _untyped = ("default_min_lr",)

    def __init__(
        self,
        optimizer,
        mode="min",
        factor=0.1,
        patience=10,
        threshold=1e-4,
        threshold_mode="rel",
        cooldown=0,
        min_lr=0,
        eps=1e-8,
    ):
        check_optimizer("ReduceLROnPlateau", optimizer, -1)
        several = isinstance(min_lr, (list, tuple))
        groups = len(optimizer.param_groups)
        self.default_min_lr = None if several else min_lr
        self.min_lrs = list(min_lr) if several else [min_lr] * groups
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self.mode_worse = self.best = -math.inf if mode == "max" else math.inf
        self._check(self.__dict__)
        if len(self.min_lrs) != groups:
            raise ValueError(
                f"ReduceLROnPlateau: min_lr has {len(self.min_lrs)} rates, the optimizer {groups} "
                "groups; pass one for each, or a single number for all"
            )
        self.optimizer = optimizer
        self.min_lrs = [float(lr) for lr in self.min_lrs]
        self._last_lr = self._current()

    def _check(self, options):
        who = "ReduceLROnPlateau"
        check_choice(who, "mode", options["mode"], ("min", "max"))
        check_choice(who, "threshold_mode", options["threshold_mode"], ("rel", "abs"))
        check_number(who, "factor", options["factor"], Range(0, 1, "[)"))
        for name in ("patience", "cooldown", "cooldown_counter", "num_bad_epochs"):
            check_count(who, name, options[name], 0)
        for name in ("threshold", "eps"):
            check_number(who, name, options[name], Range(0, math.inf, "[)"))
        for i, lr in enumerate(options["min_lrs"]):
            check_number(who, f"min_lr[{i}]", lr, Range(0, math.inf, "[)"))
        if options["default_min_lr"] is not None:
            check_number(who, "min_lr", options["default_min_lr"], Range(0, math.inf, "[)"))

    @property
    def in_cooldown(self):
        """Whether epochs do not count, as the rate has just been changed."""
        return self.cooldown_counter > 0

    def _step(self):
        raise TypeError(
            "ReduceLROnPlateau: step() needs the epoch's metric, step(loss); what calls step() "
            "alone, as run(scheduler=...), cannot have it: call it in a callback"
        )

    def step(self, metrics=None, epoch=None):
        """Looks at the metric of an epoch. Call it after the epoch's optimizer.step().

        Args:
            metrics: the loss of a validation, or what is to fall or rise: a number or a Tensor of
                one. NaN is never better.
            epoch: what last_epoch becomes; deprecated, as in PyTorch. Default: None, the next one.

        Raises:
            TypeError: if metrics is not a number.
            TypeError, ValueError: if epoch is not an integer >= 0.
            RuntimeError: if the optimizer has got more groups than min_lr has rates.
            RecordError: in a step that is recorded.
        """
        if metrics is None:
            self._step()
        recorder.refuse("ReduceLROnPlateau.step(), which decides by a number,")
        if not is_number(metrics):
            raise TypeError(f"ReduceLROnPlateau: metrics is {metrics!r}, it must be a number")
        metric = float(metrics)
        if epoch is not None:
            self._check_epoch(epoch)
        groups = len(self.optimizer.param_groups)
        if len(self.min_lrs) != groups:
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"ReduceLROnPlateau: min_lr has {len(self.min_lrs)} rates, the optimizer now "
                    f"{groups} groups; append to min_lrs"
                )
            self.min_lrs = [float(self.default_min_lr)] * groups
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._current()

    def _is_better(self, metric):
        t, best = self.threshold, self.best
        if self.mode == "min":
            return metric < (best * (1.0 - t) if self.threshold_mode == "rel" else best - t)
        return metric > (best * (1.0 + t) if self.threshold_mode == "rel" else best + t)

    def _reduce(self):
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = float(group["lr"])
            lower = max(lr * self.factor, least)
            if lr - lower > self.eps:
                set_lr(group, lower)
