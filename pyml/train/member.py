"""One of many trainings, and what became of it."""

from copy import deepcopy
from functools import partial
from zlib import crc32

import numpy as np

from pyml.nn.ensemble import Ensemble
from pyml.nn.module import Module
from pyml.optim.swa_utils import AveragedModel
from pyml.options import (
    Range,
    check_choice,
    check_counts,
    check_each,
    check_integer,
    check_number,
    is_number,
)
from pyml.random import Generator, drawing_from
from pyml.tensor import Tensor
from pyml.train.callbacks import Callback, check_callbacks
from pyml.train.history import History
from pyml.train.trainer import Trainer, check_stepper

__all__ = ["Member", "Trained", "TrainedMember"]


class Member:
    """One of the trainings that fit_many makes.

    What is left out, or None, is what fit_many is given for all.

    Args:
        model: a Module, which has the weights in the end; or a function that makes one, called
            after manual_seed(seed): a member that waits then needs no memory.
        optimizer: a function of the model's parameters that makes an Optimizer, as
            partial(optim.Adam, lr=0.01); or an Optimizer of the model. It is copied.
        scheduler: a function of the optimizer that makes a schedule; or one. Default: none.
        seed: of its rows' order, its dropout and its initial weights. Default: its number.
        loss, metrics, clip, ema, scheduler_every: as of Trainer; ema is a number.
        callbacks: as of Trainer; Callbacks are copied for the member, and called on its thread.
            Default: none.
        epochs, batch_size, validation, sample_weight, class_weight, shuffle, drop_last: as of
            Trainer.fit; sample_weight is of all rows.
        rows: numbers of the rows of X to train on, with repetitions as in a bootstrap, or booleans.
            Default: all.
        validation_rows: those to validate on, in place of `validation`. Default: none.
        name: anything, for the table. Default: its number.

    Raises:
        TypeError, ValueError: for arguments that a training does not take.

    Example:
        >>> member = pyml.train.Member(
        ...     lambda: pyml.train.mlp(64, (32,), 10), partial(optim.Adam, lr=0.01), seed=3
        ... )
    """

    def __init__(
        self,
        model,
        optimizer,
        scheduler=None,
        *,
        seed=None,
        loss=None,
        metrics=None,
        callbacks=(),
        clip=None,
        ema=None,
        scheduler_every=None,
        epochs=None,
        batch_size=None,
        validation=None,
        sample_weight=None,
        class_weight=None,
        shuffle=None,
        drop_last=None,
        rows=None,
        validation_rows=None,
        name=None,
    ):
        who = "Member"
        if not isinstance(model, Module) and not callable(model):
            raise TypeError(
                f"{who}: model is {model!r}, it must be a Module or a function that makes one"
            )
        for name, value in (("optimizer", optimizer), ("scheduler", scheduler)):
            if value is not None and is_function(value) and not callable(value):
                raise TypeError(f"{who}: {name} is {value!r}, it must be a function that makes one")
        if not is_function(optimizer):
            check_stepper(who, "optimizer", optimizer, "an Optimizer")
            if not isinstance(model, Module):
                raise TypeError(
                    f"{who}: optimizer is made, but model is not; pass a function of its "
                    "parameters, as partial(optim.Adam, lr=0.01)"
                )
        if scheduler is not None and not is_function(scheduler) and is_function(optimizer):
            raise TypeError(
                f"{who}: scheduler is made, but optimizer is not; pass a function of it"
            )
        if seed is not None:
            check_integer(who, "seed", seed)
        if epochs is not None:
            check_counts(who, epochs=epochs)
        if batch_size is not None:
            check_counts(who, least=1, batch_size=batch_size)
        if ema is not None:
            if not is_number(ema):
                raise TypeError(f"{who}: ema is a {type(ema).__name__}, it must be a number")
            check_number(who, "ema", ema, Range(0, 1, "()"))
        if validation is not None and validation_rows is not None:
            raise ValueError(f"{who}: validation and validation_rows are given; pass one of them")
        callbacks = list(callbacks) if hasattr(callbacks, "__iter__") else [callbacks]
        check_callbacks(who, callbacks)
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.seed, self.name, self.callbacks = seed, name, callbacks
        self.rows = None if rows is None else numbers_of_rows(who, "rows", rows)
        self.validation_rows = (
            None
            if validation_rows is None
            else numbers_of_rows(who, "validation_rows", validation_rows)
        )
        self.sample_weight = sample_weight
        self.options = {"loss": loss, "metrics": metrics, "clip": clip, "ema": ema}
        self.options["scheduler_every"] = scheduler_every
        self.fitting = {"epochs": epochs, "batch_size": batch_size, "validation": validation}
        self.fitting |= {"class_weight": class_weight, "shuffle": shuffle, "drop_last": drop_last}

    def trainer(self, seed, shared):
        """A Trainer of it as it begins. Nobody else may draw from this thread's generator."""
        model = self.model if isinstance(self.model, Module) else self.model()
        if not isinstance(model, Module):
            raise TypeError(f"Member: model gives a {type(model).__name__}, it must give a Module")
        made = self.optimizer
        optimizer = made(model.parameters()) if is_function(made) else made
        made = self.scheduler
        scheduler = made if made is None or not is_function(made) else made(optimizer)
        options = {**shared, **given(self.options)}
        callbacks = [deepcopy(c) if isinstance(c, Callback) else c for c in self.callbacks]
        trainer = Trainer(
            *(model, options.pop("loss"), optimizer, scheduler), callbacks=callbacks, **options
        )
        trainer._is_alone = True
        return trainer

    @property
    def words(self):
        """What it is, but for its callbacks, which may be others when it goes on."""
        of_all = {"optimizer": self.optimizer, "scheduler": self.scheduler}
        of_all |= {name: getattr(self, name) for name in ("rows", "validation_rows", "model")}
        of_all |= {"sample_weight": self.sample_weight, **self.options, **self.fitting}
        return words({name: value for name, value in of_all.items() if value is not None})

    def made(self, seed):
        """Its model as it begins: its own, or a new one."""
        if isinstance(self.model, Module):
            return self.model
        with drawing_from(Generator(seed)):
            return self.model()


def words(value):
    """A value as words that are the same in each process: functions by name, arrays by checksum."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={words(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(words, value))})"
    if isinstance(value, partial):
        return f"{words(value.func)}({words(list(value.args))}, {words(value.keywords)})"
    if isinstance(value, (Tensor, np.ndarray)) and np.ndim(value):
        array = np.ascontiguousarray(value)
        content = array.tobytes() if array.dtype.hasobject else array.reshape(-1).view(np.uint8)
        return f"{array.dtype}{array.shape} {crc32(content):08x}"
    if isinstance(value, (np.generic, Tensor, np.ndarray)):
        return repr(value.item())
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    text = repr(value)
    if isinstance(value, Module):  # of a loss, say, repr() tells no options
        plain = {n: v for n, v in vars(value).items() if isinstance(v, (bool, int, float, str))}
        text = f"{text}[{words(plain)}]"
    return f"a {type(value).__qualname__}" if " at 0x" in text else text


def is_function(made):
    return isinstance(made, type) or not callable(getattr(made, "step", None))


def given(options):
    """Those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def numbers_of_rows(who, name, rows):
    """Rows as int64; of booleans those that are True."""
    array = np.asarray(rows)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise TypeError(
            f"{who}: {name} has shape {array.shape} and dtype {array.dtype}, it must be a list of "
            "row numbers, or of booleans"
        )
    return array if array.dtype == bool else array.astype(np.int64)


class TrainedMember:
    """What became of a member.

    Attributes:
        member: the Member.
        number: its place among the members.
        seed: with which it was trained.
        history: its History; `history.stopped` says why it ended.
        state: its weights, {name: array} as of state_dict().
        averaged: with ema the averaged ones, else None.
        error: what a loss that was not finite made of it, or None.
        finished: False of one that the time did not reach, or did not suffice for.
    """

    def __init__(self, member, number, seed):
        self.member, self.number, self.seed = member, number, seed
        self.history, self.state, self.averaged = History(), None, None
        self.error, self.finished = None, False

    @property
    def predictor(self):
        """A model with the weights that predict, in evaluation mode: made anew, if it can be.

        Raises:
            RuntimeError: if it has not begun.
        """
        if self.state is None:
            raise RuntimeError(f"predictor: member {self.number} has not begun to train")
        model = self.member.made(self.seed)
        if model is self.member.model:
            model = deepcopy(model)
        model.load_state_dict(self.state if self.averaged is None else self.averaged)
        return model.eval()

    def __repr__(self):
        end = self.error or self.history.stopped or "has not begun"
        return f"<member {self.number}: {end}>"


class Trained(tuple):
    """What became of many members: a tuple of TrainedMembers, in the order of the members.

    Raises:
        TypeError: if one is no TrainedMember.
    """

    def __new__(cls, members=()):
        made = super().__new__(cls, members)
        check_each("Trained", "members", made, TrainedMember)
        return made

    def __getitem__(self, i):
        """A TrainedMember; of a slice a Trained."""
        try:
            found = super().__getitem__(i)
        except IndexError:
            raise IndexError(f"Trained: there is no member {i} of {len(self)}") from None
        return Trained(found) if isinstance(i, slice) else found

    @property
    def failed(self):
        """Those whose loss was not finite."""
        return [each for each in self if each.error is not None]

    @property
    def finished(self):
        """Whether none is left: a time limit may have ended it before."""
        return all(each.finished for each in self)

    def column(self, name, mode="min"):
        """The best value that each member had of a column of its epochs.

        Args:
            name: of a column, as "validation_loss".
            mode: "min" or "max": which values are better. Default: "min".

        Returns:
            A NumPy array, NaN where there is none.

        Raises:
            ValueError: for another mode, and a column that no member has.
        """
        check_choice("column", "mode", mode, ("min", "max"))
        columns = dict.fromkeys(column for each in self for column in each.history.columns)
        if columns and name not in columns:
            raise ValueError(f"column: name is {name!r}; the epochs have {', '.join(columns)}")
        best = np.fmin if mode == "min" else np.fmax
        return np.array(
            [
                best.reduce(each.history.column(name)) if name in each.history.columns else np.nan
                for each in self
            ]
        )

    def ranked(self, name="validation_loss", mode="min"):
        """The members that have not failed, from the best to the worst.

        Args:
            name, mode: as of column.
        """
        values = self.column(name, mode) * (1 if mode == "min" else -1)
        order = np.argsort(values, kind="stable")
        return Trained(self[i] for i in order if self[i].error is None and not np.isnan(values[i]))

    def ensemble(self, average="values"):
        """An nn.Ensemble of those that have not failed; pyml.save writes it to one file.

        Args:
            average: how outputs are averaged; see nn.Ensemble. Default: "values".

        Raises:
            ValueError: if all have failed, or none has begun.
        """
        models = [each.predictor for each in self if each.error is None and each.state is not None]
        if not models:
            raise ValueError("ensemble: there is no member that has trained without failing")
        return Ensemble(models, average).eval()


def weights_of(trainer):
    """(weights, averaged weights or None): copies."""
    averaged = trainer.averaged if isinstance(trainer.averaged, AveragedModel) else None
    return tuple(
        None if model is None else {name: np.array(t) for name, t in model.state_dict().items()}
        for model in (trainer.model, None if averaged is None else averaged.module)
    )
