"""What is called while a Trainer trains, by Keras' names."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path

from pyml.optim.lr_scheduler import ReduceLROnPlateau
from pyml.options import Range, check_choice, check_counts, check_number

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "LearningCurvePlot",
    "ProgressBar",
    "ReduceOnPlateau",
    "TensorBoard",
    "TimeLimit",
]


class Callback:
    """A base: a subclass writes what it wants to be called at.

    Each method may be left out. The Trainer is `self.trainer`: its model, optimizer, history, and
    stop(reason), which ends the training after this epoch or, in on_batch_end and on_tick, now.
    `logs` is the Epoch, a dict; what a callback puts into it is a column of the History from then
    on. What state_dict() gives becomes part of checkpoints.

    A callback with on_batch_end is called after each step: the recorded step then runs one by one,
    which takes some ten microseconds each. on_tick is called some ten times a second, between two
    steps, and costs nothing.

    Where several processes train together (pyml.distributed) each calls its own callbacks; what
    shows or writes has rank_0_alone = True, and is called by the first alone.

    Example:
        >>> class Note(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["train_loss"])
    """

    comes_last = False  # whether it is called after those that stand behind it
    rank_0_alone = False  # of several processes: whether the first one calls it, and no other
    _trainer = None

    @property
    def trainer(self):
        """The Trainer that calls it.

        Raises:
            RuntimeError: if none does yet.
        """
        if self._trainer is None:
            raise RuntimeError(
                f"{type(self).__name__}: no Trainer calls it; pass it to one, callbacks=[...]"
            )
        return self._trainer

    def set_trainer(self, trainer):
        """Called first: what was in another training is forgotten."""
        if not callable(getattr(trainer, "fit", None)):
            raise TypeError(
                f"{type(self).__name__}: trainer is a {type(trainer).__name__}, it must be a "
                "Trainer"
            )
        self._trainer = trainer

    @property
    def model(self):
        """The Trainer's model."""
        return self.trainer.model

    def on_train_begin(self, logs=None):
        """Before the first epoch."""

    def on_train_end(self, logs=None):
        """After the last, and after what has stopped the training: Ctrl-C, a NaN loss, an error."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before an epoch: 1, 2, ..."""

    def on_epoch_end(self, epoch, logs=None):
        """After its steps and its validation."""

    def on_batch_end(self, batch, logs=None):
        """After a step: 0, 1, ... of its epoch; logs has its "loss"."""

    def on_tick(self):
        """Some ten times a second."""

    def state_dict(self):
        """What a checkpoint is to keep: a tree, as for save_checkpoint."""
        return {}

    def load_state_dict(self, state):
        """Takes over what state_dict() gave."""


HOOKS = (
    *("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end"),
    *("on_batch_end", "on_tick"),
)


def hooks_of(callbacks):
    """{hook: [methods]} of those that callbacks have, in their order; some come last.

    A callback need not be a Callback. A function is called after each epoch, with its Epoch.
    """
    found = {hook: [] for hook in HOOKS}
    for callback in sorted(callbacks, key=lambda each: getattr(each, "comes_last", False)):
        own = type(callback)
        written = [
            hook
            for hook in HOOKS
            if hasattr(own, hook) and getattr(own, hook) is not getattr(Callback, hook)
        ]
        for hook in written:
            found[hook].append(getattr(callback, hook))
        if not written and not isinstance(callback, Callback):
            found["on_epoch_end"].append(after_epoch(callback))
    return found


def after_epoch(function):
    return lambda epoch, logs: function(logs)


def check_callbacks(who, callbacks):
    """Raises TypeError for what is none, and for methods that are never called."""
    for i, callback in enumerate(callbacks):
        is_one = callable(callback) or any(hasattr(callback, hook) for hook in HOOKS)
        if isinstance(callback, type) or not (is_one or isinstance(callback, Callback)):
            what = callback.__name__ if isinstance(callback, type) else repr(callback)
            raise TypeError(
                f"{who}: callbacks[{i}] is {what}, it must be a Callback, made by calling its "
                "class, or a function of an Epoch"
            )
        for name in dir(type(callback)) if isinstance(callback, Callback) else ():
            if name.startswith("on_") and name not in HOOKS:
                raise TypeError(
                    f"{who}: callbacks[{i}], a {type(callback).__name__}, has {name}, which is "
                    f"never called; there are {', '.join(HOOKS)}"
                )


def check_monitor(callback, monitor, trainer):
    """Raises ValueError unless the epochs of the Trainer will have a column."""
    if monitor not in trainer.columns:
        cure = "pass validation= to fit, or " if monitor.startswith("validation") else ""
        raise ValueError(
            f"{type(callback).__name__}: monitor is {monitor!r}; {cure}monitor one of "
            f"{', '.join(trainer.columns)}"
        )


def kept(callback, state, name):
    """What a state_dict of a callback has."""
    if not isinstance(state, Mapping) or name not in state:
        raise ValueError(f"{type(callback).__name__}: the state must be a dict with {name!r}")
    return state[name]


# ---- what ends a training ------------------------------------------------------------------------


class TimeLimit(Callback):
    """Ends the training after some seconds, also in the middle of an epoch.

    Seconds of the trainings that a checkpoint continues count.

    Args:
        seconds: > 0.
        why: what `stopped` of the trainer says then. Default: that so many seconds are over.

    Raises:
        TypeError, ValueError: if it is not.
    """

    def __init__(self, seconds, *, why=None):
        check_number("TimeLimit", "seconds", seconds, Range(0, ends="(]"))
        self.seconds = seconds
        self.why = f"{seconds:g} seconds are over" if why is None else why
        self._before, self._begin = 0.0, None  # in trainings that this one continues

    def set_trainer(self, trainer):
        super().set_trainer(trainer)
        self._before, self._begin = 0.0, None

    def on_train_begin(self, logs=None):
        self._begin = time.monotonic()

    def on_train_end(self, logs=None):
        self._before, self._begin = self.spent, None

    @property
    def spent(self):
        """Seconds so far."""
        return self._before + (0.0 if self._begin is None else time.monotonic() - self._begin)

    def on_tick(self):
        if self.spent >= self.seconds:
            self.trainer.stop(self.why)

    def on_epoch_end(self, epoch, logs=None):
        self.on_tick()

    def state_dict(self):
        return {"spent": self.spent}

    def load_state_dict(self, state):
        spent = kept(self, state, "spent")
        check_number("TimeLimit", "spent", spent, Range(0))
        self._before = float(spent)


class ReduceOnPlateau(Callback):
    """Multiplies the learning rate by a factor when a column has stopped getting better.

    It is optim.lr_scheduler.ReduceLROnPlateau, whose other arguments are taken.

    Args:
        monitor: a column of the epochs. Default: "validation_loss".
        mode: "min" if smaller values are better, or "max". Default: as the metric says.
        factor, patience, ...: see there.

    Raises:
        ValueError: when the training begins, if there will be no such column, or an option is out
            of range.
    """

    def __init__(self, monitor="validation_loss", *, mode=None, factor=0.1, patience=10, **options):
        if mode is not None:
            check_choice("ReduceOnPlateau", "mode", mode, ("min", "max"))
        self.monitor, self.mode = monitor, mode
        self.options = {"factor": factor, "patience": patience, **options}
        self.schedule = self._state = None

    def on_train_begin(self, logs=None):
        check_monitor(self, self.monitor, self.trainer)
        mode = self.mode or self.trainer.mode_of(self.monitor)
        self.schedule = ReduceLROnPlateau(self.trainer.optimizer, mode, **self.options)
        if self._state is not None:
            self.schedule.load_state_dict(self._state)
            self._state = None

    def on_epoch_end(self, epoch, logs=None):
        value = self.trainer.history[-1][self.monitor]
        self.schedule.step(value)

    def state_dict(self):
        return {"schedule": None if self.schedule is None else self.schedule.state_dict()}

    def load_state_dict(self, state):
        self._state = kept(self, state, "schedule")


# ---- what is written -----------------------------------------------------------------------------


class Checkpoint(Callback):
    """Writes a checkpoint after each epoch, from which fit(resume=path) goes on with the same bits.

    It is called after all other callbacks, so that their state is that after the epoch. An epoch
    that is stopped in its middle has none: the training goes on from the last whole one.

    Args:
        path: the file. One of that name is replaced, when the new one is whole and on the disk.
        every: epochs from one to the next, >= 1. Default: 1.
    """

    comes_last = rank_0_alone = True

    def __init__(self, path, every=1):
        check_counts("Checkpoint", least=1, every=every)
        self.path, self.every = path, every

    def on_epoch_end(self, epoch, logs=None):
        if self.trainer.epoch_is_whole and len(self.trainer.history) % self.every == 0:
            self.trainer.save_checkpoint(self.path)


class CSVLogger(Callback):
    """Writes each epoch as a line of a CSV file, when it ends.

    Args:
        path: the file. One of that name is replaced when the training begins; where it continues
            another, the epochs before are written, too.
    """

    rank_0_alone = True

    def __init__(self, path):
        self.path = Path(path)
        self._names = None

    def on_train_begin(self, logs=None):
        history = self.trainer.history
        self._names = history.columns or None
        history.to_csv(self.path) if history else self.path.write_text("")

    def on_epoch_end(self, epoch, logs=None):
        logs = self.trainer.history[-1]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            lines = csv.writer(file, lineterminator="\n")
            if self._names is None:
                self._names = list(logs)
                lines.writerow(self._names)
            lines.writerow([logs.get(name, "") for name in self._names])


class TensorBoard(Callback):
    """Writes each epoch for TensorBoard; needs the package tensorboard.

    Losses and metrics of training and validation share a chart: "loss/train", "loss/validation".

    Args:
        log_dir: the folder. Default: runs/, in it the time and the name of the machine.
    """

    rank_0_alone = True

    def __init__(self, log_dir=None):
        self.log_dir = log_dir
        self._writer = None

    def on_train_begin(self, logs=None):
        from pyml.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(self.log_dir)

    def on_epoch_end(self, epoch, logs=None):
        for name, value in self.trainer.history[-1].items():
            part, _, what = name.partition("_")
            tag = f"{what}/{part}" if part in ("train", "validation") else name
            if name != "epoch":
                self._writer.add_scalar(tag, value, epoch)
        self._writer.flush()

    def on_train_end(self, logs=None):
        if self._writer is not None:
            self._writer.close()


class LearningCurvePlot(Callback):
    """Draws the learning curves into a file, after each epoch; needs matplotlib.

    Args:
        path: the picture; its ending says the format (png, svg, pdf). One of that name is replaced.
        every: epochs from one to the next, >= 1. Default: 1. The last is drawn in any case.
    """

    rank_0_alone = True

    def __init__(self, path, every=1):
        check_counts("LearningCurvePlot", least=1, every=every)
        self.path, self.every = path, every

    def on_epoch_end(self, epoch, logs=None):
        if len(self.trainer.history) % self.every == 0:
            self._draw()

    def on_train_end(self, logs=None):
        if self.trainer.history and len(self.trainer.history) % self.every != 0:
            self._draw()

    def _draw(self):
        from pyml.plot import learning_curves

        learning_curves(self.trainer.history, path=self.path)


class ProgressBar(Callback):
    """A bar of the steps, in terminals and notebooks; nothing where the output is piped.

    Args:
        leave: whether it stays when the training has ended. Default: True.
    """

    rank_0_alone = True

    def __init__(self, leave=True):
        self.leave = leave
        self.bar = None

    def on_train_begin(self, logs=None):
        from tqdm.auto import tqdm

        trainer = self.trainer
        total = None
        if trainer.epochs is not None and trainer.batches is not None:
            total = trainer.epochs * trainer.batches
        self.bar = tqdm(
            total=total, initial=trainer.steps, unit=" steps", leave=self.leave, disable=None
        )

    @property
    def is_idle(self):
        """Whether nobody sees it."""
        return self.bar is not None and self.bar.disable

    def on_tick(self):
        if self.bar is not None and not self.bar.disable:
            self.bar.update(self.trainer.steps - self.bar.n)

    def on_epoch_end(self, epoch, logs=None):
        if self.bar is None or self.bar.disable:
            return
        self.on_tick()
        of = "" if self.trainer.epochs is None else f"/{self.trainer.epochs}"
        self.bar.set_description(f"epoch {epoch}{of}", refresh=False)
        columns = self.trainer.history[-1].items()
        losses = {name: value for name, value in columns if name.endswith("_loss")}
        self.bar.set_postfix(losses)

    def on_train_end(self, logs=None):
        if self.bar is not None:
            self.bar.close()
