"""Training, from data to a trained model, in one call."""

import math
import sys
from contextlib import contextmanager
from copy import deepcopy
from inspect import Parameter, signature

import numpy as np

from pyml import recorder
from pyml.data.checks import flag
from pyml.distributed import group as groups
from pyml.distributed.parallel import DistributedDataParallel
from pyml.nn.modes import modes_kept
from pyml.nn.module import Module
from pyml.nn.utils import clip_grad_norm_
from pyml.optim.lr_scheduler import CyclicLR, OneCycleLR
from pyml.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from pyml.options import Range, check_choice, check_counts, check_integer, check_number, is_number
from pyml.random import fork_rng
from pyml.recording import record
from pyml.train.callbacks import Callback, ProgressBar, TimeLimit, check_callbacks
from pyml.train.checkpoint import load_checkpoint, save_checkpoint
from pyml.train.evaluation import (
    EVALUATION_ROWS,
    RepeatedForward,
    applied,
    check_model,
    check_size,
    check_weighted,
    evaluated,
    inputs_of,
    loss_of,
    metric_of,
    outputs_of,
    over_weights,
    reader_for,
    sums_up,
    weighted_loss_of,
    without_reduction,
)
from pyml.train.fitting import Fitting, check_finite
from pyml.train.history import History
from pyml.train.lr_finder import find_rates
from pyml.train.reading import Rows, Stream

__all__ = ["Trainer"]

BATCH_SIZE = 32
SPLIT_SEED = 0  # of a fraction to validate on, unless fit is given a seed


class Trainer:
    """Trains a model: data in, History out.

    A step is recorded and runs in C (pyml.record), epoch after epoch; where it cannot be, it runs
    eagerly, with a warning that says why. It is what one would write by hand::

        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)  # with clip
        optimizer.step()
        averaged.update_parameters(model)  # with ema
        return value

    What outputs mean follows from the loss: CrossEntropyLoss, NLLLoss, BCEWithLogitsLoss and
    BCELoss have probabilities and labels, any other values. Targets of shape (n,) go with outputs
    of shape (n, 1), and the other way round.

    After distributed.init_process_group() the processes train together: the step's loss is that of
    distributed.DistributedDataParallel, all of them are given the same rows, the first one shows
    and writes, and all end in one step (docs/scaling.md).

    Args:
        model: a Module.
        loss: a module or function of (output, target) that gives the mean over the rows.
        optimizer: an Optimizer over the model's parameters.
        scheduler: a learning-rate schedule; ReduceLROnPlateau gets the validation loss, or the
            training loss without validation. Default: none.
        metrics: of the validation; and of training rows in memory: as many as are validated, 1,024
            at most, drawn once; or all without validation. Names, Metrics of pyml.train.metrics, or
            functions (prediction, target) -> number, which get labels where there are, else values;
            of rows with weights also sample_weight=. Default: none.
        callbacks: Callbacks, or functions that are called after each epoch, with its Epoch.
            Default: none.
        clip: the largest norm of the gradients as one vector, > 0. Default: none.
        ema: the decay of an exponential moving average of the weights, in (0, 1), updated after
            each step; or an AveragedModel of the model, updated after each epoch (SWA). What
            predicts, and is validated, is then the average, whose BatchNorm statistics are computed
            anew before, on the training rows. Default: none.
        scheduler_every: "epoch" or "step": when the schedule moves. Default: "step" for OneCycleLR
            and CyclicLR, else "epoch".

    Attributes:
        history: the History of the last fit.
        averaged: the AveragedModel, or None.
        predictor: what predicts: the averaged model if there is one, else the model.
        stopped: why the last fit ended; see History.
        columns: the names of what an epoch of the fit that goes on will have.
        epochs: how many epochs the fit makes, None where something else ends it.
        batches: of an epoch, None where that is not known.
        steps: how many are done, in this training and those that it continues.
        epoch_is_whole: whether the last epoch was.

    Raises:
        TypeError: if an argument is of another type.
        ValueError: if one is out of range, or a metric is of labels and the loss gives values.

    Example:
        >>> images, labels = pyml.data.load_digits()
        >>> model = pyml.train.mlp(64, (128,), 10)
        >>> optimizer = pyml.optim.Adam(model.parameters())
        >>> trainer = pyml.train.Trainer(model, nn.CrossEntropyLoss(), optimizer)
        >>> history = trainer.fit(images, labels, epochs=20, validation=0.2, seed=0)
        >>> trainer.predict(images[:3])
        array([0, 1, 2])
    """

    def __init__(
        self,
        model,
        loss,
        optimizer,
        scheduler=None,
        metrics=(),
        callbacks=(),
        clip=None,
        ema=None,
        *,
        scheduler_every=None,
    ):
        who = "Trainer"
        if isinstance(model, DistributedDataParallel):
            model = model.module
        check_model(who, model)
        if not callable(loss) or isinstance(loss, type):
            raise TypeError(
                f"{who}: loss is {loss!r}, it must be a module, such as nn.MSELoss(), or a function"
            )
        check_stepper(who, "optimizer", optimizer, "an Optimizer")
        check_trained(who, model, loss, optimizer)
        if scheduler is not None:
            check_stepper(who, "scheduler", scheduler, "an LRScheduler")
        if clip is not None:
            check_number(who, "clip", clip, Range(0, ends="(]"))
        if scheduler_every is None:
            by_step = isinstance(scheduler, (OneCycleLR, CyclicLR))
            scheduler_every = "step" if by_step else "epoch"
        check_choice(who, "scheduler_every", scheduler_every, ("epoch", "step"))
        if isinstance(metrics, str) or not hasattr(metrics, "__iter__"):
            metrics = [metrics]
        if not hasattr(callbacks, "__iter__"):
            callbacks = [callbacks]
        callbacks = list(callbacks)
        check_callbacks(who, callbacks)
        self._reader = reader_for(model, loss)
        self.metrics = [metric_of(metric, self._reader.meaning, who) for metric in metrics]
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.scheduler, self.scheduler_every = scheduler, scheduler_every
        self.callbacks, self.clip = callbacks, clip
        self.averaged = averaged_of(model, ema)
        self._averages_steps = self.averaged is not None and self.averaged is not ema
        self._steps = {}  # recorded, by the form of their arguments
        self._forwards = {}  # of what is evaluated after each epoch
        self.history = History()
        self.columns, self.epochs, self.batches, self.steps = [], None, None, 0
        self.epoch_is_whole = True
        self._fitting = None
        self._is_alone = False  # in its process, whatever group that is of
        self._classes = None  # how many outputs the model has, as a shape, where that cannot change
        self._group = self._parallel = None  # its Group, and the DistributedDataParallel for that

    @property
    def predictor(self):
        return self.model if self.averaged is None else self.averaged

    @property
    def stopped(self):
        return self.history.stopped

    # ---- training --------------------------------------------------------------------------------

    def fit(
        self,
        X,
        y=None,
        *,
        epochs=None,
        batch_size=None,
        validation=None,
        sample_weight=None,
        class_weight=None,
        max_seconds=None,
        seed=None,
        shuffle=True,
        drop_last=False,
        progress=True,
        resume=None,
    ):
        """Trains the model on minibatches. A second call goes on from the weights of the first.

        Rows are shuffled anew in each epoch, by the default generator (pyml.manual_seed). A batch
        that is left with a single row is left out where the model has a BatchNorm, which has no
        variance of one.

        Args:
            X: an array, Tensor or frame (of pandas, polars or Arrow) of numbers, without NaN; a
                tuple of these for several arguments of the model, or a dict of them by name. Or,
                without y, a Dataset of samples (x, y), or an iterable of batches (x, y) or
                (x, y, weight), which is read anew in each epoch and need not fit into memory: a
                DataLoader, a list of batches, or a function that returns an iterator.
            y: the targets, an array, Tensor or series, a row for each row of X.
            epochs: how many passes over the rows. Default: until max_seconds or a callback ends it.
            batch_size: rows of a step. Default: 32.
            validation: a fraction of the rows in (0, 1), drawn at random, from each class by its
                share; or (X, y) or (X, y, weight), a Dataset, or an iterable of batches. Evaluated
                after each epoch. Default: none.
            sample_weight: of each row, (n,), >= 0. A step's loss is sum(w l) / sum(w); the same for
                validation by a fraction. Default: 1.
            class_weight: {class: weight}, or "balanced" for the same weight of all classes, in
                training. Multiplies sample_weight. Default: 1.
            max_seconds: when to end, also in the middle of an epoch. Default: none.
            seed: as by pyml.manual_seed(seed), and of a fraction to validate on. Default: the
                default generator as it is, and 0 for the fraction.
            shuffle: a new order in each epoch; else as the rows lie. Default: True.
            drop_last: leave out what is left of an epoch for a batch of less than batch_size rows;
                needs rows in memory. Default: False.
            progress: show a bar, where there is a terminal or a notebook. Default: True.
            resume: a checkpoint's path, from which the training goes on with the same bits as if
                it had not stopped; all else must be as it was. Default: none.

        Returns:
            The History, which is also `history`.

        Raises:
            TypeError, ValueError: for arguments that do not go together, rows that are no numbers,
                or NaN, with its row and column. Nothing has changed then.
            FloatingPointError: if the loss of a step is infinite or NaN. The weights are those
                before that step, or the best ones with EarlyStopping.
            RuntimeError: if processes that train together have other rows or options.
            KeyboardInterrupt: on Ctrl-C, at the end of a step. The model is as it was there, or has
                the best weights with EarlyStopping; `history` has the epochs so far.
        """
        who = "fit"
        if self._fitting is not None:
            raise RuntimeError(f"{who}: this Trainer trains already; a callback called fit?")
        if epochs is None and max_seconds is None and not self.callbacks:
            raise ValueError(f"{who}: epochs is missing; pass epochs=, or max_seconds=")
        if epochs is not None:
            check_counts(who, epochs=epochs)
        if batch_size is not None:
            check_size(who, batch_size)
        if max_seconds is not None:
            check_number(who, "max_seconds", max_seconds, Range(0, ends="(]"))
        if seed is not None:
            check_integer(who, "seed", seed)
        flag(shuffle, who, "shuffle")
        flag(drop_last, who, "drop_last")
        flag(progress, who, "progress")
        columns = self._reader.columns
        try:
            self._reader.columns = None
            train, held = self._data(
                X, y, validation, sample_weight, class_weight, batch_size, seed, shuffle
            )
            check_weighted(self.metrics, train, held)
            if isinstance(train, Stream) and train.is_spent_after_one and epochs != 1:
                raise ValueError(
                    f"{who}: X is an iterator, which is empty after one epoch; pass what begins "
                    "anew each time, as a DataLoader, a list of batches, or a function that "
                    "returns an iterator; or epochs=1"
                )
            if drop_last and isinstance(train, Stream):
                raise ValueError(
                    f"{who}: drop_last is given, but X has batches of its own; leave out the last "
                    "one there"
                )
            if drop_last and train.count < (batch_size or BATCH_SIZE):
                raise ValueError(
                    f"{who}: drop_last leaves nothing: there are {train.count} rows, batch_size is "
                    f"{batch_size or BATCH_SIZE}"
                )
            fitting = Fitting(
                self,
                *(train, held),
                class_weight=class_weight,
                epochs=None if epochs is None else int(epochs),
                batch_size=min(int(batch_size or BATCH_SIZE), sys.maxsize),
                shuffle=shuffle,
                drop_last=drop_last,
                extra=[
                    *([] if max_seconds is None else [TimeLimit(max_seconds)]),
                    *([ProgressBar()] if progress else []),
                ],
            )
            self._fitting = fitting
            try:
                fitting.prepare(seed, resume)
            except BaseException:
                self._fitting = None
                raise
        except BaseException:
            self._reader.columns = columns
            raise
        try:
            return fitting.go()
        finally:
            self._fitting = None

    def _data(self, X, y, validation, sample_weight, class_weight, batch_size, seed, shuffle):
        """What to train on, and what to validate on or None."""
        reader, size = self._reader, batch_size or BATCH_SIZE
        is_fraction = is_number(validation) and np.ndim(validation) == 0
        data = reader.data(
            X, y, sample_weight, batch_size=size, shuffle=shuffle, class_weight=class_weight
        )
        if isinstance(data, Rows):
            reader.weighted(data, class_weight, "fit")  # of all classes: those of a part are fewer
        elif batch_size is not None and data.source is X:
            raise ValueError("fit: batch_size is given, but X has batches of its own")
        if validation is None:
            return data, None
        if not is_fraction:
            return data, self._held(validation, size)
        if isinstance(data, Stream):
            raise ValueError(
                f"fit: validation is {validation}, a fraction of rows that are not in memory; pass "
                "a Dataset or an iterable of batches"
            )
        return reader.divided(data, validation, SPLIT_SEED if seed is None else seed)

    def _held(self, validation, batch_size):
        """What to validate on."""
        who = "fit: validation"
        options = {"batch_size": batch_size, "shuffle": False, "who": who}
        is_pair = isinstance(validation, tuple) or (
            isinstance(validation, list)
            and not all(isinstance(each, (tuple, list)) for each in validation)
        )
        if is_pair and len(validation) in (2, 3):
            x, y, *weight = validation
            return self._reader.data(x, y, *(weight or [None]), **options)
        if isinstance(validation, tuple):
            raise ValueError(
                f"{who} is a tuple of {len(validation)}, it must be (X, y) or (X, y, weight)"
            )
        data = self._reader.data(validation, None, None, **options)
        if isinstance(data, Stream) and data.is_spent_after_one:
            raise ValueError(
                f"{who} is an iterator, which is empty after one epoch; pass what begins anew each "
                "time, as a DataLoader or a list of batches"
            )
        return data

    def stop(self, reason):
        """Ends the fit that goes on; for callbacks.

        Args:
            reason: why, in words, for `history.stopped`.
        """
        if self._fitting is None:
            raise RuntimeError("stop: no fit goes on")
        self._fitting.stop = self._fitting.stop or str(reason)

    def mode_of(self, column):
        """ "min" or "max": which values of a column of the epochs are better.

        Raises:
            ValueError: for a function's, of which nobody knows.
        """
        for metric in self.metrics:
            if column in (f"train_{metric.name}", f"validation_{metric.name}"):
                if metric.greater_is_better is None:
                    raise ValueError(
                        f"mode is missing: whether larger values of {metric.name} are better is "
                        "not known; pass mode='min' or mode='max'"
                    )
                return "max" if metric.greater_is_better else "min"
        return "min"

    def _step_for(self, rows):
        """The recorded step of Rows of this form."""
        form = rows.names, len(rows.inputs), rows.weight is not None
        parts = self.model, self.optimizer, self.scheduler, self.averaged, self._parallel
        key = (*form, self.clip, *map(id, parts))  # which the step keeps alive
        if key not in self._steps:
            self._steps[key] = record(self._make_step(*form), unrecordable="eager")
        return self._steps[key]

    def __getstate__(self):  # of a copy and of a pickle: steps are of the model they were made for
        empty = {"_steps": {}, "_forwards": {}, "_fitting": None, "_group": None, "_parallel": None}
        return {**self.__dict__, **empty}

    def _join(self):
        """The Group that this Trainer trains with; None of a process alone."""
        group = None if self._is_alone else groups.group
        if group is not self._group:
            self._parallel = None if group is None else DistributedDataParallel(self.model)
            self._group = group
        return group

    def _make_step(self, names, count, is_weighted, *, alone=False):
        """The step as a function of inputs, target and perhaps weight.

        Args:
            alone: without schedule and averages. Default: False.
        """
        model, loss, optimizer, clip = self.model, self.loss, self.optimizer, self.clip
        of_rows, sums = without_reduction(loss) if is_weighted else None, sums_up(loss)
        parallel = None if alone else self._parallel
        averaged = self.averaged if self._averages_steps and not alone else None
        scheduler = self.scheduler if self.scheduler_every == "step" and not alone else None
        parameters = [p for group in optimizer.param_groups for p in group["params"]]

        def value_of(*data, sums=sums):
            output = applied(model, names, data[:count])
            if is_weighted:
                return weighted_loss_of(of_rows, sums, output, *data[count:], "fit")
            return loss_of(loss, output, data[count], "fit")

        def sum_of(*data):
            return value_of(*data, sums=True)

        def value_of_all(*data):  # of several processes
            if not is_weighted:
                return parallel.loss(value_of, *data, reduction="sum" if sums else "mean")
            value = parallel.loss(sum_of, *data, reduction="sum")
            return value if sums else over_weights(value, data[-1])

        def gradients(data):
            optimizer.zero_grad()
            value = value_of(*data) if parallel is None else value_of_all(*data)
            if not recorder.is_recording():  # which looks by itself, in each step
                check_finite(value)
            value.backward()
            if clip is not None:
                clip_grad_norm_(parameters, clip)
            return value

        def after():
            if scheduler is not None:
                scheduler.step()
            if averaged is not None:
                averaged.update_parameters(model)

        def step(*data):
            value = gradients(data)
            optimizer.step()
            after()
            return value

        def step_of_closure(*data):  # of an optimizer that computes the loss anew
            value = optimizer.step(lambda: gradients(data))
            after()
            return value

        closure = signature(optimizer.step).parameters.get("closure")
        needs_it = closure is not None and closure.default is Parameter.empty
        return step_of_closure if needs_it else step

    # ---- what is trained -------------------------------------------------------------------------

    def predict(self, X, *, batch_size=EVALUATION_ROWS):
        """Labels of rows, or values, by what the loss says of the outputs.

        Args:
            X: as of fit; or an iterable of batches that are x, (x, y) or (x, y, weight).
            batch_size: rows at a time; no result depends on it. Default: 1024.

        Returns:
            A NumPy array: the number of the class (n,), or 0 and 1, (n,) or (n, labels); for other
            losses what the model gives.

        Raises:
            TypeError, ValueError: as of fit.
        """
        return self._read(X, batch_size, "predict", self._reader.meaning.wants)

    def predict_proba(self, X, *, batch_size=EVALUATION_ROWS):
        """Probabilities of rows.

        Args:
            X, batch_size: as of predict.

        Returns:
            A NumPy array: (n, classes); or of 1 in place of 0, (n,) or (n, labels).

        Raises:
            TypeError, ValueError: as of fit.
            RuntimeError: if the loss gives values, which have none.
        """
        if not self._reader.meaning.has_labels:
            name = getattr(self.loss, "__name__", type(self.loss).__name__)
            raise RuntimeError(
                f"predict_proba: {name} gives values, no probabilities; predict() returns them"
            )
        return self._read(X, batch_size, "predict_proba", "probabilities")

    def _read(self, X, batch_size, who, wants):
        parts = inputs_of(self._reader, X, batch_size, who)
        return self._reader.meaning.read(outputs_of(self.predictor, parts, batch_size), wants)

    def evaluate(self, X, y=None, *, sample_weight=None, batch_size=EVALUATION_ROWS):
        """The mean loss and the metrics of rows.

        Args:
            X, y, sample_weight: as of fit.
            batch_size: rows at a time. Default: 1024.

        Returns:
            A dict: "loss", and each metric by its name.

        Raises:
            TypeError, ValueError: as of fit.
        """
        check_size("evaluate", batch_size)
        data = self._reader.data(
            X, y, sample_weight, batch_size=batch_size, shuffle=False, who="evaluate"
        )
        return self._evaluated(data, batch_size)

    def _evaluated(self, data, batch_size=EVALUATION_ROWS, forward=applied):
        meaning = self._reader.meaning
        return evaluated(
            self.predictor, self.loss, data, self.metrics, meaning, batch_size, forward
        )

    def _evaluated_often(self, data):
        """The same of data that are evaluated after each epoch."""
        if not isinstance(data, Rows):
            return self._evaluated(data)
        model, names = self.predictor, data.names
        key = names, id(model)  # which the forward keeps alive
        if key not in self._forwards:
            self._forwards[key] = RepeatedForward(model, names)
        forward = self._forwards[key]
        return self._evaluated(data, forward.begin(), forward)

    # ---- learning rate ---------------------------------------------------------------------------

    def lr_find(
        self, X, y=None, *, low=1e-7, high=10.0, steps=100, batch_size=None, sample_weight=None
    ):
        """Tries learning rates from low to high, a step each, and leaves all as it was.

        Smith 2017 (arXiv:1506.01186), section 3.3, with rates that grow by a factor.

        Args:
            X, y, batch_size, sample_weight: as of fit.
            low, high: the first and the last rate, of the first group of parameters; others keep
                their ratio to it. Defaults: 1e-7, 10.
            steps: how many rates, at least 2. It ends where the loss is four times the least.
                Default: 100.

        Returns:
            A LearningRates: `rates`, `losses`, `suggestion`, and `plot()`.

        Raises:
            TypeError, ValueError: as of fit.
        """
        who = "lr_find"
        check_counts(who, least=2, steps=steps)
        check_number(who, "low", low, Range(0, ends="(]"))
        check_number(who, "high", high, Range(float(low), math.inf, "()"))
        if batch_size is not None:
            check_size(who, batch_size)
        size = batch_size or BATCH_SIZE
        data = self._reader.data(X, y, sample_weight, batch_size=size, shuffle=True, who=who)
        with fork_rng(), kept(self.model, self.optimizer):
            self.model.train()
            return find_rates(self._eager_step, self.optimizer, data, size, low, high, steps)

    def _eager_step(self, rows):
        """The loss of a step, made once."""
        form = rows.names, len(rows.inputs), rows.weight is not None
        return self._make_step(*form, alone=True)(*rows.tensors).item()

    # ---- checkpoints -----------------------------------------------------------------------------

    def save_checkpoint(self, path):
        """Writes all that the training needs to go on with the same bits; see fit's `resume`.

        Args:
            path: the file. One of that name is replaced, when the new one is whole and on the disk.

        Raises:
            TypeError, ValueError, OSError: as train.save_checkpoint.
        """
        progress = {
            "steps": self.steps,
            "history": [dict(epoch) for epoch in self.history],
            **({} if self._fitting is None else self._fitting.form),
        }
        save_checkpoint(path, **self._parts(), progress=progress)

    def load_checkpoint(self, path):
        """Loads what save_checkpoint wrote; fit(resume=path) does, and goes on.

        Args:
            path: the file.

        Raises:
            TypeError, ValueError, OSError: as train.load_checkpoint. Nothing has changed then.
        """
        progress = self._progress_of(path)
        load_checkpoint(path, **self._parts())
        self.history = History(progress["history"])
        self.steps = progress["steps"]

    def _progress_of(self, path):
        """How far a checkpoint's training was; nothing is loaded."""
        progress = load_checkpoint(path, generator=False).progress
        if not isinstance(progress, dict) or {"steps", "history"} - progress.keys():
            raise ValueError(f"load_checkpoint: {path} was not written by a Trainer")
        return progress

    def _parts(self):
        """Arguments of checkpoints."""
        models = {"model": self.model}
        if self.averaged is not None:
            models["averaged"] = self.averaged
        stateless = Callback.state_dict
        others = {} if self.scheduler is None else {"scheduler": self.scheduler}
        for i, callback in enumerate(self.callbacks):
            if getattr(type(callback), "state_dict", stateless) is not stateless:
                others[f"callback {i}: {type(callback).__name__}"] = callback
        return {"model": models, "optimizer": self.optimizer, "scheduler": others}


def check_stepper(who, name, value, kind):
    """Raises TypeError for what has no step(), and for a class."""
    if isinstance(value, type):
        raise TypeError(
            f"{who}: {name} is the class {value.__name__}, it must be {kind}, made by calling it"
        )
    if not callable(getattr(value, "step", None)):
        raise TypeError(f"{who}: {name} must be {kind}, not {type(value).__name__}")


def check_trained(who, model, loss, optimizer):
    """Raises ValueError if an optimizer has none of the parameters of a model and its loss."""
    groups = getattr(optimizer, "param_groups", [])
    theirs = {id(p) for group in groups for p in group["params"]}
    modules = [model, loss] if isinstance(loss, Module) else [model]
    ours = {id(p) for module in modules for p in module.parameters()}
    if theirs and ours and not theirs & ours:
        raise ValueError(
            f"{who}: optimizer has parameters of another model, so that nothing would be trained; "
            f"{type(optimizer).__name__}(model.parameters(), ...)"
        )


def averaged_of(model, ema):
    """The AveragedModel of Trainer's `ema`, or None."""
    if ema is None:
        return None
    if isinstance(ema, AveragedModel):
        shapes = [[p.shape for p in each.parameters()] for each in (ema.module, model)]
        if shapes[0] != shapes[1]:
            raise ValueError("Trainer: ema is an AveragedModel of another model; pass one of model")
        return ema
    if not is_number(ema):
        raise TypeError(
            f"Trainer: ema is a {type(ema).__name__}, it must be a number, the decay, or an "
            "AveragedModel"
        )
    check_number("Trainer", "ema", ema, Range(0, 1, "()"))
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(float(ema)))


@contextmanager
def kept(model, optimizer):
    """Weights, gradients, modes and the optimizer's state are afterwards as they were."""
    states = [(each, deepcopy(each.state_dict())) for each in (model, optimizer)]
    gradients = [(p, p.grad) for p in model.parameters()]
    try:
        with modes_kept(model):
            yield
    finally:
        for each, state in states:
            each.load_state_dict(state)
        for p, gradient in gradients:
            p.grad = gradient
