"""One call of Trainer.fit: epochs, validation, callbacks, and what ends them."""

import math
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress

import numpy as np

from pyml.distributed.group import digest_of
from pyml.grad_mode import no_grad
from pyml.nn.module import Module
from pyml.nn.norm import BatchNorm
from pyml.optim.lr_scheduler import ReduceLROnPlateau
from pyml.optim.swa_utils import update_bn
from pyml.random import fork_rng, manual_seed
from pyml.train.callbacks import hooks_of
from pyml.train.early_stopping import EarlyStopping
from pyml.train.evaluation import applied, ignored_by, outputs_of, sums_up
from pyml.train.history import Epoch, History
from pyml.train.reading import Rows

TICK = 0.1  # seconds between two looks at the bar and the clock
MOST_SEEN = 1024  # training rows that metrics are computed of, where others are validated


class Fitting:
    """One call of Trainer.fit."""

    def __init__(
        self,
        trainer,
        train,
        held,
        *,
        class_weight,
        epochs,
        batch_size,
        shuffle,
        extra,
        drop_last=False,
    ):
        self.trainer, self.train, self.held = trainer, train, held
        if isinstance(train, Rows):
            self.train = trainer._reader.weighted(train, class_weight, "fit", is_part=True)
        self.epochs, self.batch_size, self.shuffle = epochs, batch_size, shuffle
        self.drop_last = drop_last
        self.job = None  # the Group, of several ranks
        self.interrupted = False  # by Ctrl-C, of which the other ranks do not know yet
        self.callbacks = [*trainer.callbacks, *extra]
        self.seen = seen_rows(train, held) if trainer.metrics else None
        self.stop = self.step = None
        self.done = 0

    @property
    def form(self):
        """What must be the same in a training that goes on with the same bits."""
        rows = self.train.count if isinstance(self.train, Rows) else None
        names = "batch_size", "shuffle", "drop_last"
        return {"rows": rows, **{name: getattr(self, name) for name in names}}

    # ---- beginning and end -----------------------------------------------------------------------

    def prepare(self, seed, resume):
        """All that can still raise without a change."""
        trainer = self.trainer
        self.join(seed, resume)
        names = ["loss", *(metric.name for metric in trainer.metrics)]
        trainer.columns = ["train_loss"]
        if self.seen is not None:
            trainer.columns += [f"train_{name}" for name in names[1:]]
        if self.held is not None:
            trainer.columns += [f"validation_{name}" for name in names]
        trainer.columns += ["learning_rate", "seconds"]
        for callback in self.callbacks:
            if hasattr(callback, "set_trainer"):
                callback.set_trainer(trainer)
        self.hooks = hooks_of(self.callbacks)
        if isinstance(self.train, Rows):
            self.step = trainer._step_for(self.train)
            self.check_classes(self.train, "fit")
            if isinstance(self.held, Rows):
                self.check_classes(self.held, "fit: validation")
        if resume is not None:
            progress = trainer._progress_of(resume)
            for name, value in self.form.items():
                if progress.get(name, value) != value:
                    raise ValueError(
                        f"fit: resume is of a training with {name} {progress[name]}, here it is "
                        f"{value}"
                    )
            trainer.load_checkpoint(resume)
            if self.job is not None:
                state = digest_of(trainer.model.state_dict().values())
                self.job.check_same("fit", resume=(trainer.steps, state))
            return
        trainer.history, trainer.steps = History(), 0
        if seed is not None:
            manual_seed(seed)

    def join(self, seed, resume):
        """Several ranks train together what all of them have."""
        job = self.trainer._join()
        if job is None or job.size == 1:
            return
        self.job = job
        rows = [part for part in (self.train, self.held) if isinstance(part, Rows)]
        options = {**self.form, "epochs": self.epochs, "seed": seed, "resume": resume is not None}
        data = [digest_of(part.tensors) for part in rows]
        job.check_same("fit", form=options, data=data)
        job.wants_stop = job.stops = False
        if job.rank > 0:
            self.callbacks = [c for c in self.callbacks if not getattr(c, "rank_0_alone", False)]

    def check_classes(self, rows, who):
        """Raises unless the model has an output for each class. It runs on a row to find out."""
        trainer, target = self.trainer, rows.target.numpy()
        if not trainer._reader.meaning.classes or target.dtype.kind != "i":
            return
        classes = trainer._classes
        if classes is None:
            with fork_rng():
                classes = outputs_of(trainer.model, [rows[:1]], 1).shape[1:2]
        if trainer._is_alone:  # the members that it is bound to have its form
            trainer._classes = classes
        wrong = (target < 0) | (target >= (*classes, 0)[0])
        wrong &= target != ignored_by(trainer.loss)
        if classes and wrong.any():
            raise ValueError(
                f"{who}: y has the class {target[wrong][0]} in row {np.argwhere(wrong)[0][0]}, the "
                f"model has {classes[0]} outputs: classes are 0 to {classes[0] - 1}"
            )

    def go(self):
        """Trains; returns the History."""
        trainer = self.trainer
        trainer.epochs = self.epochs
        trainer.batches = self.batches_of_an_epoch()
        trainer.epoch_is_whole = True
        self.statistics = [b for b in trainer.model.buffers() if b.is_floating_point()]
        modes = [(module, module.training) for module in trainer.model.modules()]
        error = None
        try:
            self.call("on_train_begin")
            trainer.model.train()
            with self.interrupts_agreed():
                self.all_epochs()
            why = self.stop or f"{len(trainer.history)} epochs are done"
        except KeyboardInterrupt:
            error, why = KeyboardInterrupt, "stopped by Ctrl-C"
        except FloatingPointError as raised:
            if not is_of_loss(raised):
                self.end(modes, f"{raised!r} was raised")
                raise
            error, why = FloatingPointError, f"the training loss is {value_of(raised)}"
            self.restore_statistics()
        except BaseException as raised:
            self.end(modes, f"{raised!r} was raised")
            raise
        if error is not None:
            progress = getattr(self.step, "progress", None)
            batch = self.done if progress is None else progress.batch
            why = f"{why} in epoch {len(trainer.history) + 1}, batch {batch + 1}"
        self.settle_averages()
        self.end(modes, why)
        if error is not None:
            raise error(self.message(error, why))
        return trainer.history

    # ---- several ranks ---------------------------------------------------------------------------

    def is_over(self):
        """Whether the training ends between two batches: for several ranks in the same step.

        What a rank wants goes with the loss of its next step, after which all know it.
        """
        if self.job is None:
            return self.stop is not None
        self.job.wants_stop = self.interrupted or self.stop is not None
        if self.job.stops:
            self.agree()
        return self.job.stops

    def agree(self):
        """All ranks stop, if one does. All of them call it."""
        if self.job is None:
            return
        of_all = self.job.all_of((self.interrupted, self.stop))
        if any(interrupted for interrupted, _ in of_all):
            raise KeyboardInterrupt
        self.stop = next((stop for _, stop in of_all if stop is not None), None)

    @contextmanager
    def interrupts_agreed(self):
        """The first Ctrl-C waits until all ranks know of it."""
        if self.job is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number, frame):
            if self.interrupted and callable(before):
                before(number, frame)
            self.interrupted = True

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def end(self, modes, why):
        """Modes as they were, and the callbacks' end."""
        for module, mode in modes:
            module.training = mode
        self.trainer.history.stopped = why
        self.call("on_train_end")

    def message(self, error, why):
        """What an exception says of the model and of what is done."""
        best = [
            callback
            for callback in self.callbacks
            if isinstance(callback, EarlyStopping) and callback.best is not None
        ]
        advice = ""
        if error is FloatingPointError:
            advice = f" at learning rate {self.rate():g}: {infinite(self.train)}"
        if best:
            model = f"has the best weights ({best[-1].monitor} {best[-1].best:.6g})"
        elif error is FloatingPointError:
            model = "has the weights before that step"
        else:
            model = "has the weights of that moment"
        done = f"{len(self.trainer.history)} epochs are done, see .history"
        return f"fit: {why}{advice}; the model {model}; {done}"

    def call(self, hook, *arguments):
        for method in self.hooks[hook]:
            method(*arguments)

    def rate(self):
        """Of the first group of parameters; NaN of an optimizer without rates."""
        return float(self.trainer.optimizer.param_groups[0].get("lr", math.nan))

    # ---- epochs ----------------------------------------------------------------------------------

    def batches_of_an_epoch(self):
        """How many, or None."""
        if isinstance(self.train, Rows):
            full, left = divmod(self.train.count, self.batch_size)
            return full + (1 if left and not self.drops_last() else 0)
        with suppress(TypeError):
            return len(self.train)
        return None

    def drops_last(self):
        """Whether a smaller last batch is left out, as one of a single row without variance is."""
        if self.drop_last:
            return True
        is_single = self.train.count % self.batch_size == 1 < min(self.train.count, self.batch_size)
        return is_single and self.needs_rows

    @property
    def needs_rows(self):
        """Whether a single row is no batch."""
        return any(isinstance(module, BatchNorm) for module in self.trainer.model.modules())

    def all_epochs(self):
        begun = len(self.trainer.history)
        if self.stop is not None or (self.epochs is not None and begun >= self.epochs):
            return
        self.begin_epoch()
        if isinstance(self.train, Rows):
            self.run_rows(begun)
        else:
            while self.stop is None and len(self.trainer.history) != self.epochs:
                self.read_stream()

    def begin_epoch(self):
        trainer = self.trainer
        self.done, self.total, self.weights = 0, 0.0, 0  # steps, and what their losses sum up to
        self.began, self.first_rate = time.perf_counter(), self.rate()
        self.before = [each.clone() for each in self.statistics]
        if self.hooks["on_epoch_begin"]:
            self.call("on_epoch_begin", len(trainer.history) + 1, {})

    def run_rows(self, begun):
        """Epochs on rows in memory, in C as far as they can be."""
        train, trainer = self.train, self.trainer
        step, tensors = self.step, train.tensors
        limit = sys.maxsize // train.count
        epochs = limit if self.epochs is None else min(self.epochs - begun, limit)
        batches, size, before = trainer.batches, self.batch_size, trainer.steps
        full, left = divmod(train.count, size)
        sums = sums_up(trainer.loss)
        per_epoch = batches * size if batches == full else train.count
        per_batch = self.hooks["on_batch_end"]
        each = per_batch or self.job is not None
        owners = [getattr(method, "__self__", None) for method in self.hooks["on_tick"]]
        ticks = not all(getattr(owner, "is_idle", False) for owner in owners)
        begin = 0  # of the epoch, in steps of this run

        def between(progress):
            nonlocal begin
            done = progress.step
            trainer.steps = before + done
            if per_batch:
                self.after_batch(progress, done - begin - 1)
            is_end = progress.batch == 0
            if ticks and not is_end:
                self.call("on_tick")
            self.done = done - begin
            if not is_end and not self.is_over():
                return False
            losses = progress.losses.numpy()[begin:]
            total = np.add.reduce(losses, dtype=np.float64)
            if sums:
                mean = total / per_epoch if is_end else total / (self.done * size)
            elif is_end and batches > full:
                mean = (size * (total - losses[-1]) + left * losses[-1]) / per_epoch
            else:
                mean = total / self.done
            begin = done
            self.end_epoch(float(mean), is_whole=is_end)
            return self.stop is not None

        ticking = {"every_seconds": TICK, "every_epoch": True} if ticks else {}
        when = {"every_steps": 1} if each else ticking
        step.run(
            *tensors,
            batch_size=size,
            epochs=epochs,
            shuffle=self.shuffle,
            drop_last=self.drops_last(),
            callback=between,
            **when,
        )

    def after_batch(self, progress, batch):
        losses = progress.losses
        self.call("on_batch_end", batch, {"loss": losses[len(losses) - 1].item()})

    def read_stream(self):
        """An epoch on batches that are read one by one."""
        trainer, due = self.trainer, 0.0
        is_whole = True
        for rows in self.train:
            if self.is_over():
                is_whole = False
                break
            if rows.count == 1 and self.needs_rows:
                continue
            step = trainer._step_for(rows)
            losses = step.run(*rows.tensors, batch_size=rows.count, shuffle=False)
            loss = losses.item()
            share = rows.count
            self.total += loss if sums_up(trainer.loss) else loss * share
            self.weights += share
            self.done += 1
            trainer.steps += 1
            if self.hooks["on_batch_end"]:
                self.call("on_batch_end", self.done - 1, {"loss": loss})
            now = time.monotonic()
            if now >= due:
                due = now + TICK
                self.call("on_tick")
        if self.weights == 0:
            raise ValueError("fit: X has no batches" + (" any more" if trainer.history else ""))
        self.end_epoch(self.total / self.weights, is_whole)

    def end_epoch(self, loss, is_whole):
        """Validation, schedule, History, callbacks; and the beginning of the next epoch."""
        trainer = self.trainer
        number = len(trainer.history) + 1
        trainer.epoch_is_whole = is_whole
        logs = Epoch(epoch=number, train_loss=loss)
        if trainer.averaged is not None and not trainer._averages_steps:
            trainer.averaged.update_parameters(trainer.model)
        if self.held is not None or self.seen is not None:
            self.settle_averages()
            with fork_rng():  # a DataLoader draws
                logs.update(self.evaluated())
        logs["learning_rate"] = self.first_rate
        if trainer.scheduler is not None and trainer.scheduler_every == "epoch":
            if isinstance(trainer.scheduler, ReduceLROnPlateau):
                trainer.scheduler.step(logs.get("validation_loss", loss))
            else:
                trainer.scheduler.step()
        logs["seconds"] = time.perf_counter() - self.began
        trainer.history.append(logs)
        for method in self.hooks["on_epoch_end"]:
            method(number, logs)
        self.agree()
        if self.stop is None and number != self.epochs:
            self.begin_epoch()

    def evaluated(self):
        """Columns of training rows and of validation. Metrics that give arrays are left out."""
        parts = {"train": self.seen, "validation": self.held}
        found = {
            f"{part}_{name}": value
            for part, data in parts.items()
            if data is not None
            for name, value in self.trainer._evaluated_often(data).items()
            if np.ndim(value) == 0
        }
        found.pop("train_loss", None)  # which is of the steps
        return found

    def settle_averages(self):
        """The statistics of BatchNorm layers of averaged weights, computed on the training rows."""
        averaged = self.trainer.averaged
        if averaged is None or int(averaged.n_averaged) == 0:
            return
        train = self.train
        if isinstance(train, Rows):
            count = train.count - (train.count % self.batch_size if self.drops_last() else 0)
            batches = train[:count].split(self.batch_size)
        else:
            if train.is_spent_after_one:
                return
            batches = train
        with fork_rng():
            update_bn(([rows] for rows in batches), Applied(averaged))

    def restore_statistics(self):
        """Running statistics that a step made NaN or infinite become those of the epoch's begin."""
        with no_grad():
            for statistic, before in zip(self.statistics, self.before, strict=True):
                if not np.isfinite(statistic.numpy()).all():
                    statistic.copy_(before)


class Applied(Module):
    """A model as a module of Rows."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, rows):
        return applied(self.model, rows.names, rows.inputs)


def seen_rows(train, held):
    """The training rows that metrics are computed of: as many as are validated, MOST_SEEN at most.

    None if targets of a row have another form than those to validate on, as of a model that has
    several outputs in training and their mean in evaluation.
    """
    if not isinstance(train, Rows):
        return None
    if held is None:
        return train
    if not isinstance(held, Rows) or train.target.shape[1:] != held.target.shape[1:]:
        return None
    count = min(held.count, MOST_SEEN)
    if count >= train.count:
        return train
    chosen = np.random.Generator(np.random.PCG64(0)).permutation(train.count)[:count]
    return train[np.sort(chosen)]


# ---- a loss that is not finite -------------------------------------------------------------------


def infinite(train):
    """What may help."""
    for i, x in enumerate(train.inputs if isinstance(train, Rows) else ()):
        array = x.numpy()
        if array.dtype.kind == "f" and (wrong := np.isinf(array)).any():
            row, *column = (int(i) for i in np.unravel_index(wrong.argmax(), array.shape))
            name = "x" if len(train.inputs) == 1 else f"x[{i}]"
            place = f", column {column[0]}" if len(column) == 1 else ""
            return f"{name} is infinite in row {row}{place}"
    return "a smaller one, or clip=, may help"


def check_finite(value):
    """Raises as a run does, of a step that runs eagerly, before its backward."""
    number = value.item()
    if not math.isfinite(number):
        raise FloatingPointError(f"run: the result is {number} at this step")


def is_of_loss(error):
    return str(error).startswith("run: the result is ")


def value_of(error):
    """nan, inf or -inf."""
    return str(error).removeprefix("run: the result is ").split()[0]
