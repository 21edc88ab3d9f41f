"""What all schedules of the learning rate have in common.

A scheduler computes the next learning rate of a group from the current one (PyTorch's chainable
form), not from the epoch alone: so schedulers can be chained, and a rate that the user set by hand
is scaled on from there.
"""

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from copy import deepcopy

from pyml import recorder
from pyml.optim.optimizer import Optimizer
from pyml.options import is_number, with_words
from pyml.tensor import Tensor

__all__ = ["LRScheduler"]

EPOCH_DEPRECATION_WARNING = (
    "step(epoch) of a scheduler is deprecated: call step(), which goes on by one epoch; with an "
    "epoch the rates are those of that epoch, from the initial ones on"
)
ADJUSTING = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


class LRScheduler:
    """Base class of the schedulers.

    A subclass keeps its options as attributes, then calls this constructor, and writes get_lr. The
    constructor makes the first step: last_epoch becomes 0, the learning rates those of epoch 0.

    Args:
        optimizer: step() sets "lr" of its groups; their "initial_lr" is the rate they had at first.
        last_epoch: the epoch to resume after; -1 starts anew. Default: -1.

    Raises:
        TypeError: if optimizer is not an Optimizer, or last_epoch not an integer.
        ValueError: if last_epoch < -1.
        KeyError: if last_epoch is not -1 and a group has no "initial_lr".
    """

    _get_lr_called_within_step = True  # which subclasses written for PyTorch ask in get_lr
    _apart = ()  # names whose values are not copied: the subclass saves something else of them
    _untyped = ()  # names in the state whose value may be of another type, as None

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(type(self).__name__, optimizer, last_epoch)
        self.optimizer = optimizer
        with undone_if_raised(optimizer):
            self._begin(last_epoch)

    def _begin(self, last_epoch):
        if last_epoch == -1:
            for group in self.optimizer.param_groups:
                group.setdefault("initial_lr", float(group["lr"]))
        if "base_lrs" not in self.__dict__:  # a subclass may have rates of its own
            self.base_lrs = [float(group["initial_lr"]) for group in self.optimizer.param_groups]
        self.last_epoch = last_epoch
        self.optimizer._step_of_its_own = vars(self.optimizer).get("step")
        self._begin_again(self.step)

    def _begin_again(self, step=None):
        """The first step after last_epoch, from the rates that the groups have."""
        self._step_count = 0
        self._is_initial = True
        try:
            (step or self._step)()
        finally:
            self._is_initial = False

    def _restart(self):
        """Epoch 0 anew, from the initial rates."""
        self._rewind()
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            set_lr(group, lr)
        self._begin_again()

    def _rewind(self):
        """Before epoch 0."""
        self.last_epoch = -1

    def get_lr(self):
        """The learning rates of epoch `last_epoch`, one a group, from the current ones.

        This is what a subclass writes and step() calls; to look at the rates, use get_last_lr().
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_lr()")

    def get_last_lr(self):
        """The learning rates that the last step() set, a list of floats, one a group."""
        return list(self._last_lr)

    def step(self, epoch=None):
        """Goes on by one epoch. Call it after the epoch's optimizer.step().

        Args:
            epoch: where to go, from the initial rates on; deprecated, as in PyTorch. Default: None,
                the next epoch.

        Raises:
            TypeError, ValueError: if epoch is not an integer >= 0. Nothing has changed then.
            RecordError: in a step that is recorded, if it cannot be repeated.
        """
        self._refuse_recording()
        if epoch is not None:
            self._check_epoch(epoch)
            self._go_to(int(epoch))
            return
        with recorder.scheduling(self):
            self._step()

    def _check_epoch(self, epoch):
        """Warns of step(epoch); raises for what is no epoch, and in a recorded step."""
        who = type(self).__name__
        check_count(f"{who}: step", "epoch", epoch, 0)
        recorder.refuse(f"step(epoch) of {who} (use step() without an epoch)")
        warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=3)

    def _go_to(self, epoch):
        """Goes to an epoch, step by step from epoch 0."""
        before, count = dict(self.__dict__), self._step_count
        self._warn_early()
        with undone_if_raised(self.optimizer), epochs_that_are_over(self.optimizer):
            try:
                self._restart()
                for _ in range(epoch):
                    self._step()
            except BaseException:
                self.__dict__.update(before)
                raise
        self._step_count = count + 1

    def _refuse_recording(self):
        """In a step that is being recorded: refuses what replays would not do as Python does."""
        if recorder.is_recording() and (what := self._unrecordable()):
            recorder.refuse(what)

    def _unrecordable(self):
        """What in a step() could not be repeated for the same epoch, for the message, or None."""
        return None

    def _step(self):
        self._warn_early()
        before = self._step_count, self.last_epoch
        self._step_count += 1
        self.last_epoch += 1
        try:
            self._take_rates()
        except BaseException:
            self._step_count, self.last_epoch = before
            raise

    def _warn_early(self):
        """Warns at a first step() before the optimizer's, or if that is no longer what it was."""
        if self._step_count != 1:
            return
        if vars(self.optimizer).get("step") is not self.optimizer._step_of_its_own:
            warnings.warn(
                "`optimizer.step()` has been overridden after learning rate scheduler "
                "initialization: whether it comes before lr_scheduler.step(), as it must, is not "
                f"known ({ADJUSTING})",
                UserWarning,
                stacklevel=4,
            )
        elif not self.optimizer._stepped:
            warnings.warn(
                "lr_scheduler.step() was called before optimizer.step(): "
                f"the first learning rate is skipped; call optimizer.step() first ({ADJUSTING})",
                UserWarning,
                stacklevel=4,
            )

    def _take_rates(self):
        """Sets what belongs to epoch `last_epoch`."""
        self._set(self.get_lr())

    def _set(self, rates):
        """Gives the groups their learning rates."""
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_lr(group, lr)
        self._last_lr = self._current()

    def _current(self):
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self):
        """Everything but the optimizer, as a dict of plain values."""
        without = {"optimizer", *self._apart}
        return deepcopy({k: v for k, v in self.__dict__.items() if k not in without})

    def load_state_dict(self, state_dict):
        """Takes over what state_dict() gave. The learning rates are in the optimizer's.

        Raises:
            TypeError: if it is not a dict, or has a value of another type than the scheduler.
            ValueError: if it is not of such a scheduler: it lacks a value, or one is out of range.
                Nothing has changed then.
        """
        self._take(self._read(state_dict))

    def _take(self, state):
        """Takes over what _read() gave."""
        self.__dict__.update(state)

    def _check(self, options):
        """Raises ValueError if an option is out of range. A subclass may write it."""

    def _read(self, state_dict):
        """What state_dict() gave, checked, and copied."""
        who = f"{type(self).__name__}: state_dict"
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{who} must be a dict, not {type(state_dict).__name__}")
        own = self.state_dict()
        if missing := [name for name in own if name not in state_dict and name != "_is_initial"]:
            raise ValueError(f"{who} lacks {', '.join(missing)}; it is of another scheduler")
        for name, value in state_dict.items():
            # Some get a name only later, as a schedule that keeps its best loss.
            if not isinstance(name, str) or name == "optimizer" or hasattr(type(self), name):
                raise ValueError(f"{who} has {name!r}, which is not of a scheduler's state")
            if name in own and name not in self._untyped:
                check_like(value, own[name], f"{who}: {name}")
        for name, least in (("last_epoch", -1), ("_step_count", 0)):
            if name in state_dict and not state_dict[name] >= least:
                raise ValueError(f"{who}: {name} is {state_dict[name]}, it must be >= {least}")
        groups = len(self.optimizer.param_groups)
        for name in ("base_lrs", "_last_lr"):
            if name in state_dict and len(state_dict[name]) != groups:
                raise ValueError(
                    f"{who}: {name} has {len(state_dict[name])} learning rates, the optimizer "
                    f"{groups} groups; make it with the groups that were saved"
                )
        self._check(self.__dict__ | dict(state_dict))
        return deepcopy(dict(state_dict))


def check_optimizer(who, optimizer, last_epoch):
    """Raises for what no scheduler can be made of; nothing has changed then."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an Optimizer, not {type(optimizer).__name__}")
    check_count(who, "last_epoch", last_epoch, -1)
    for i, group in enumerate(optimizer.param_groups):
        if last_epoch != -1 and "initial_lr" not in group:
            raise KeyError(
                f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler "
                f"with last_epoch >= 0, here {last_epoch}; load the optimizer's state_dict first, "
                "or start with last_epoch=-1"
            )


@contextmanager
def undone_if_raised(optimizer):
    """Puts the options of an optimizer's groups back if what is done here raises."""
    before = [dict(group) for group in optimizer.param_groups]
    try:
        yield
    except BaseException:
        for group, options in zip(optimizer.param_groups, before, strict=True):
            group.clear()
            group.update(options)
        raise


@contextmanager
def epochs_that_are_over(optimizer):
    """No warnings that the optimizer makes no steps."""
    stepped = optimizer._stepped
    optimizer._stepped = True
    try:
        yield
    finally:
        optimizer._stepped = stepped


def set_lr(group, lr):
    """Sets the learning rate of a group; a Tensor stays the Tensor that it is."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def check_count(who, name, value, least, words=""):
    """Raises TypeError unless `value` is an integer, ValueError if it is less than `least`.

    Args:
        who, name, value, least: what has the option, its name, and what it is and may be.
        words: PyTorch's message, which programs may look for. Default: "".
    """
    check_like(value, 0, f"{who}: {name}")
    if value < least:
        raise ValueError(with_words(f"{who}: {name} is {value}, it must be >= {least}", words))


def check_like(value, own, place):
    """Raises TypeError unless `value` is of the type of `own`, numbers of any, also in lists."""
    if isinstance(own, bool):
        fits, needed = isinstance(value, bool), "True or False"
    elif isinstance(own, int):
        fits, needed = is_number(value) and float(value).is_integer(), "an integer"
    elif isinstance(own, float):
        fits, needed = is_number(value), "a number"
    elif isinstance(own, (list, tuple)):
        fits, needed = isinstance(value, (list, tuple)), "a list"
    else:
        return
    if not fits or (isinstance(value, bool) and not isinstance(own, bool)):
        raise TypeError(f"{place} is {value!r}, it must be {needed}")
    if isinstance(own, (list, tuple)) and own and all(type(item) is float for item in own):
        for i, item in enumerate(value):
            check_like(item, own[0], f"{place}[{i}]")
