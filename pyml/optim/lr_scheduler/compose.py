"""Schedules made of schedules."""

from bisect import bisect_right

from pyml.optim.lr_scheduler.base import (
    LRScheduler,
    check_count,
    check_optimizer,
    epochs_that_are_over,
    undone_if_raised,
)
from pyml.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _OfSchedulers(LRScheduler):
    """What the two have in common: other schedulers of one optimizer, saved with them."""

    _apart = ("_schedulers",)

    def step(self):
        """Goes on by one epoch. Call it after the epoch's optimizer.step()."""
        super().step()

    def _unrecordable(self):
        found = (part._unrecordable() for part in self._schedulers)
        return next((what for what in found if what), None)

    def state_dict(self):
        """Everything but the optimizer; "_schedulers" has the state_dict() of each scheduler."""
        parts = [part.state_dict() for part in self._schedulers]
        return super().state_dict() | {"_schedulers": parts}

    def _read(self, state_dict):
        state = super()._read(state_dict)
        saved = state["_schedulers"]
        if len(saved) != len(self._schedulers):
            raise ValueError(
                f"{type(self).__name__}: state_dict is of {len(saved)} schedulers, here are "
                f"{len(self._schedulers)}"
            )
        parts = zip(self._schedulers, saved, strict=True)
        return state | {"_schedulers": [part._read(its) for part, its in parts]}

    def _take(self, state):
        saved = state.pop("_schedulers")
        super()._take(state)
        for part, its in zip(self._schedulers, saved, strict=True):
            part._take(its)

    def _rewind(self):
        for part in self._schedulers:
            part._rewind()


class SequentialLR(_OfSchedulers):
    """Follows one schedule after another, each from its own epoch 0 on.

    The schedule i is followed from epoch milestones[i-1] to the one before milestones[i]. It starts
    from the initial learning rates. With a first milestone of 0 the first schedule has no epoch.

    Args:
        optimizer: the Optimizer of all schedulers.
        schedulers: a list of schedulers just made, not ReduceLROnPlateau.
        milestones: epochs, integers >= 0 that do not fall, one less than schedulers.
        last_epoch: the epoch to resume after; the schedules are followed from epoch 0 to there,
            where PyTorch starts them anew. Default: -1.

    Raises:
        TypeError: if one of schedulers is none, or a milestone not an integer.
        ValueError: if there is none, one is of another optimizer or a ReduceLROnPlateau, or the
            milestones are not as above.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> warmup = pyml.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        >>> decay = pyml.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        >>> scheduler = pyml.optim.lr_scheduler.SequentialLR(optimizer, [warmup, decay], [2])
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.5, 0.75, 1.0, 0.5]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        who = "SequentialLR"
        check_optimizer(who, optimizer, last_epoch)
        schedulers = check_parts(who, schedulers, optimizer)
        if not isinstance(milestones, (list, tuple)):
            raise TypeError(f"{who}: milestones is {milestones!r}, it must be a list of epochs")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{who}: milestones has {len(milestones)} epochs for {len(schedulers)} schedulers, "
                "it must have one less than schedulers"
            )
        self._milestones = list(milestones)
        self._check(self.__dict__)
        self._schedulers = schedulers
        self.optimizer = optimizer
        with undone_if_raised(optimizer), epochs_that_are_over(optimizer):
            self._begin_again()
            for _ in range(last_epoch + 1):
                self._go_on()

    def _check(self, options):
        before = 0
        for i, epoch in enumerate(options["_milestones"]):
            check_count("SequentialLR", f"milestones[{i}]", epoch, 0)
            if epoch < before:
                raise ValueError(
                    f"SequentialLR: milestones[{i}] is {epoch} after {before}, they must not fall"
                )
            before = epoch

    @property
    def base_lrs(self):
        """The initial learning rates of the first schedule, one a group."""
        return self._schedulers[0].base_lrs

    def _begin_again(self):
        self._rewind()
        self.last_epoch = 0
        part = self._schedulers[bisect_right(self._milestones, 0)]
        part._restart()
        self._last_lr = part.get_last_lr()

    def _step(self):
        self._go_on()

    def _go_on(self):
        epoch = self.last_epoch + 1
        i = bisect_right(self._milestones, epoch)
        part = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == epoch:
            part._restart()
        else:
            part._step()
        self.last_epoch, self._last_lr = epoch, part.get_last_lr()

    def _rewind(self):
        super()._rewind()
        self.last_epoch = -1


class ChainedScheduler(_OfSchedulers):
    """Makes the step of each of several schedulers, one after another: their factors multiply.

    A schedule that computes the rate from the initial one, as LambdaLR or OneCycleLR, undoes what
    those before it have done.

    Args:
        schedulers: a list of schedulers of one optimizer, not ReduceLROnPlateau.
        optimizer: that Optimizer. Default: the one of the first scheduler.

    Raises:
        TypeError: if one of schedulers is none.
        ValueError: if there is none, one is of another optimizer, or a ReduceLROnPlateau.

    Example:
        >>> optimizer = pyml.optim.SGD([pyml.zeros(1, requires_grad=True)], lr=1.0)
        >>> warmup = pyml.optim.lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2)
        >>> decay = pyml.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        >>> scheduler = pyml.optim.lr_scheduler.ChainedScheduler([warmup, decay])
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers, optimizer=None):
        schedulers = check_parts("ChainedScheduler", schedulers, optimizer)
        self._schedulers = schedulers
        self.optimizer = schedulers[0].optimizer
        self._last_lr = self._current()

    @property
    def last_epoch(self):
        """The epoch of the last scheduler."""
        return self._schedulers[-1].last_epoch

    @property
    def base_lrs(self):
        """The initial learning rates, one a group."""
        return self._schedulers[0].base_lrs

    def _begin_again(self):
        for part in self._schedulers:
            part._begin_again()
        self._last_lr = self._current()

    def _step(self):
        for part in self._schedulers:
            part._step()
        self._last_lr = self._current()


def check_parts(who, schedulers, optimizer):
    """A list of the schedulers, checked: of one optimizer, of `optimizer` if that is not None."""
    if not isinstance(schedulers, (list, tuple)):
        raise TypeError(f"{who}: schedulers is {schedulers!r}, it must be a list of schedulers")
    if not schedulers:
        raise ValueError(f"{who}: schedulers is empty, it must have one scheduler or more")
    for i, part in enumerate(schedulers):
        place = f"{who}: schedulers[{i}]"
        if not isinstance(part, LRScheduler):
            raise TypeError(f"{place} is {part!r}, it must be a scheduler")
        if isinstance(part, ReduceLROnPlateau):
            raise ValueError(
                f"{place} is a ReduceLROnPlateau, whose step() needs a metric; call it beside"
            )
        if optimizer is None:
            optimizer = part.optimizer
        if part.optimizer is not optimizer:
            raise ValueError(f"{place} is of another optimizer, all must be of the same one")
    return list(schedulers)
