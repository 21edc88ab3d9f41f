"""Many trainings in one call: a member a core, each with the bits of its lone run."""

import json
import time
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from threading import local
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np

from pyml.config import get_num_threads
from pyml.io import _write_whole
from pyml.nn.module import Module
from pyml.nn.norm import BatchNorm
from pyml.options import Range, check_counts, check_integer, check_number
from pyml.random import Generator, drawing_from
from pyml.tensor import Tensor
from pyml.train import checkpoint as files
from pyml.train.callbacks import Callback
from pyml.train.crew import Bar, Crew
from pyml.train.history import History
from pyml.train.jobs import Jobs
from pyml.train.member import Member, Trained, TrainedMember, given, weights_of, words
from pyml.train.reading import columns_of, numbers_of
from pyml.train.slots import Slot

__all__ = ["fit_many"]

SLOTS = 4  # recorded trainings that a thread keeps, each for members of one form
of_thread = local()  # `kept`: Slots, and the generator that their recordings draw from
owners = WeakKeyDictionary()  # of modules that training changes: (key of a Work, a member's number)
SAVE_SECONDS = 10  # from one checkpoint of a member that runs to the next


def fit_many(
    members,
    X,
    y,
    *,
    loss=None,
    epochs=None,
    batch_size=None,
    validation=None,
    metrics=(),
    sample_weight=None,
    class_weight=None,
    max_seconds=None,
    threads=None,
    n_jobs=None,
    progress=True,
    checkpoint=None,
):
    """Trains many models, each as Trainer.fit would alone: the same bits, on all cores.

    A thread trains a member at a time; the kernels of one use several threads only when there are
    fewer members than threads. Members that differ in values alone (seed, weights, rates, decay,
    rows) share a recording.

    Args:
        members: Members.
        X, y: as of Trainer.fit, in memory.
        loss, metrics: as of Trainer, for members without their own.
        epochs, batch_size, validation, sample_weight, class_weight: as of Trainer.fit, the same.
        max_seconds: when to end all, also in the middle of an epoch. Default: none.
        threads: how many members train at a time. Default: pyml.get_num_threads().
        n_jobs: on joblib's workers instead: so many processes (-1: as many as cores), or those of
            the backend that `with joblib.parallel_config("dask")` chooses, on other machines.
            Default: none, threads of this process.
        progress: show a bar of the members' epochs, where there is a terminal. Default: True.
        checkpoint: a folder in which each member has a file: when it is there, members go on from
            it with the same bits. Default: none.

    Returns:
        A Trained, a list of a TrainedMember each, in the order of the members. One whose loss was
        not finite has an `error`, and does not stop the others.

    Raises:
        TypeError, ValueError: for what a member or Trainer.fit does not take, which ends all; for
            members that have modules in common which training changes.
        KeyboardInterrupt: on Ctrl-C, when members have stopped at the end of a step.

    Example:
        >>> def made():
        ...     return pyml.train.mlp(64, (32,), 10)
        >>> members = [
        ...     pyml.train.Member(made, partial(optim.Adam, lr=lr)) for lr in (1e-3, 3e-3, 1e-2)
        ... ]
        >>> trained = pyml.train.fit_many(
        ...     members, images, labels, loss=nn.CrossEntropyLoss(), epochs=5, validation=0.2
        ... )
        >>> ensemble = trained.ensemble("probabilities")
    """
    members = checked(members)
    shared = {"loss": loss, "metrics": metrics}
    fitting = {"epochs": epochs, "batch_size": batch_size, "validation": validation}
    work = Work(
        *(members, X, y, sample_weight, shared, {**fitting, "class_weight": class_weight}),
        max_seconds=max_seconds,
        folder=checkpoint,
    )
    check_workers("fit_many", threads, n_jobs)
    order = sorted(range(len(members)), key=work.cost, reverse=True)
    found = [None] * len(order)
    with work.workers(threads, n_jobs, progress) as workers:
        waiting = {workers.submit(i): i for i in order}
        while waiting:
            for future in workers.wait(*waiting):
                found[waiting.pop(future)] = future.result()
    return Trained(found)


def check_workers(who, threads, n_jobs):
    """Raises TypeError or ValueError for threads and n_jobs that are not as fit_many says."""
    if threads is not None:
        check_counts(who, least=1, threads=threads)
    if n_jobs is None:
        return
    check_integer(who, "n_jobs", n_jobs)
    if n_jobs == 0:
        raise ValueError(f"{who}: n_jobs is 0, it must be how many workers train, or -1 for all")
    if threads is not None:
        raise ValueError(f"{who}: threads and n_jobs are given; pass one of them")


def checked(members):
    """A list of Members."""
    if isinstance(members, Member) or not hasattr(members, "__iter__"):
        raise TypeError(
            f"fit_many: members is a {type(members).__name__}, it must be a list of Members"
        )
    members = list(members)
    for i, member in enumerate(members):
        if not isinstance(member, Member):
            raise TypeError(
                f"fit_many: members[{i}] is a {type(member).__name__}, it must be a Member: "
                "train.Member(model, optimizer)"
            )
    return members


class Work:
    """What all members share, and how one is trained."""

    def __init__(self, members, X, y, weight, shared, fitting, *, max_seconds=None, folder=None):
        who = "fit_many"
        if max_seconds is not None:
            check_number(who, "max_seconds", max_seconds, Range(0, ends="(]"))
        self.members, self.shared, self.fitting = members, shared, dict(fitting)
        if y is None:
            raise ValueError(
                f"{who}: y is missing; all members train on the same rows in memory, X and y"
            )
        weight = None if weight is None else np.asarray(weight)
        validation = self.fitting.pop("validation")
        self.data = arrays_of(X), arrays_of(y), weight, validation
        self.count = count_of(self.data[0])
        self.key = uuid4().hex
        for i, member in enumerate(members):
            if member is not None:  # of a search: it is made when it begins
                self.checked(i, member)
        self.seconds = max_seconds
        self.end = None if max_seconds is None else time.monotonic() + max_seconds
        self.why = None  # all are to stop, where it says why
        self.epochs = dict.fromkeys(range(len(members)), 0)  # that are done, of each member
        self.folder = None if folder is None else Path(folder).absolute()
        if self.folder is not None:
            self._begin_folder()

    def checked(self, i, member):
        """The member, if it goes with the data and the options of all."""
        who = "fit_many"
        check_rows(f"{who}: members[{i}]", member, self.count)
        for name, of_all in (("loss", self.shared["loss"]), ("epochs", self.fitting["epochs"])):
            own = member.options if name == "loss" else member.fitting
            if of_all is None and own[name] is None:
                raise ValueError(f"{who}: {name} is missing; pass {name}=, or one to members[{i}]")
        self.owned(i, member.model, {**self.shared, **given(member.options)}["loss"])
        return member

    def owned(self, i, *parts):
        """Raises ValueError for modules that training changes, and another member has, too."""
        for module in (m for part in parts if isinstance(part, Module) for m in part.modules()):
            trains = any(p.requires_grad for p in module.parameters(recurse=False))
            if not trains and not isinstance(module, BatchNorm):
                continue
            key, first = owners.setdefault(module, (self.key, i))
            if key != self.key:  # of a call before
                owners[module] = self.key, i
            elif first != i:
                raise ValueError(
                    f"fit_many: members[{i}] has the {type(module).__name__} of members[{first}], "
                    "which training changes; make one for each, or pass a function that does"
                )

    def seed(self, i):
        member = self.members[i]
        return i if member is None or member.seed is None else int(member.seed)

    def epochs_of(self, i):
        own = None if self.members[i] is None else self.members[i].fitting["epochs"]
        return int(self.fitting["epochs"] if own is None else own)

    def cost(self, i):
        """Of a member, beside others: rows that it goes through."""
        rows = self.members[i].rows
        count = self.count if rows is None else int(rows.sum()) if rows.dtype == bool else len(rows)
        return count * self.epochs_of(i)

    def stop(self, why):
        """Ends the members that run, at a step."""
        self.why = self.why or why

    @contextmanager
    def workers(self, threads, n_jobs, progress):
        """What numbers of members are submitted to; meanwhile a bar shows the epochs of all."""
        total = sum(map(self.epochs_of, range(len(self.members))))
        with Bar(total, lambda: sum(self.epochs.values()), "epochs", progress) as bar:
            if n_jobs is None:
                made = Threads(self, threads or get_num_threads(), bar)
            else:
                made = Jobs(self, n_jobs, bar)
            with made:
                yield made

    def stops(self):
        """Why all members are to stop now, or None."""
        if self.why is None and self.end is not None and time.monotonic() >= self.end:
            self.why = f"{self.seconds:g} seconds are over"
        return self.why

    # ---- a member ----

    def run(self, i, until=None):
        """Trains a member on this thread.

        Args:
            until: pause after so many epochs; its file goes on from there. Default: its end.
        """
        try:
            return self._run(i, until)
        except Exception as error:
            if hasattr(error, "add_note"):  # from Python 3.11 on
                error.add_note(f"It was raised by members[{i}] of fit_many.")
            raise

    def _run(self, i, until):
        found = self.begun(i)
        if self.read(found, until) or self.stops():
            return found
        slots, generator = getattr(of_thread, "kept", None) or ([], Generator())
        of_thread.kept = None  # a callback may train members on this thread, too
        with drawing_from(generator):
            generator.manual_seed(found.seed)
            trainer = self._bound(found, slots)
            self._fit(trainer, found, until)
        of_thread.kept = slots, generator
        return found

    def begun(self, i):
        """A TrainedMember that has not begun."""
        return TrainedMember(self.members[i], i, self.seed(i))

    def take(self, found):
        """What became of a member, perhaps in another process, which does not send it back."""
        i = found.number
        member = found.member = self.members[i]
        self.epochs[i] = self.epochs_of(i) if found.finished else len(found.history)
        if isinstance(member.model, Module) and found.state is not None:
            member.model.load_state_dict(found.state)

    def _bound(self, found, slots):
        """A Trainer of the member: one that is recorded, if there is one of its form."""
        member = found.member
        trainer = member.trainer(found.seed, self.shared)
        self.owned(found.number, trainer.model, trainer.loss)
        for k, slot in enumerate(slots):
            if slot.takes(trainer):
                slots.insert(0, slots.pop(k))
                return slot.trainer
        if isinstance(member.model, Module):
            trainer = deepcopy(trainer)
        slots.insert(0, Slot(trainer))
        del slots[SLOTS:]
        return trainer

    def _fit(self, trainer, found, until):
        member, path = found.member, self.path(found.number)
        X, y, weight, validation = self.data
        options = {**self.fitting, "validation": validation, **given(member.fitting)}
        if member.validation_rows is not None:
            held = member.validation_rows
            options["validation"] = (taken(X, held), taken(y, held))
        if member.sample_weight is not None:
            weight = np.asarray(member.sample_weight)
        rows = member.rows
        watch = Watch(self, found.number, until)
        trainer.callbacks = [*trainer.callbacks, watch]
        resume = path if path is not None and path.exists() else None
        try:
            trainer.fit(
                *(taken(X, rows), taken(y, rows)),
                **options,
                sample_weight=taken(weight, rows),
                seed=found.seed,
                resume=resume,
                progress=False,
            )
        except FloatingPointError as error:
            found.error = str(error)
        found.history = History(trainer.history, trainer.history.stopped)
        found.finished = watch.why is None
        found.state, found.averaged = weights_of(trainer)
        trainer.callbacks = []
        if path is not None and found.finished:
            self._write(trainer, found)

    # ---- files ----

    def path(self, i):
        return None if self.folder is None else self.folder / f"member-{i:05d}.safetensors"

    def _begin_folder(self):
        """The folder, which tells what it is of."""
        about = {
            "members": len(self.members),
            "rows": self.count,
            "X and y": words(self.data[:2]),
            "seeds": [self.seed(i) for i in range(len(self.members))],
            "options": words(
                {
                    **{**self.shared, **self.fitting},
                    **{"sample_weight": self.data[2], "validation": self.data[3]},
                }
            ),
            "of members": [None if member is None else member.words for member in self.members],
        }
        file = self.folder / "members.json"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_whole(file, json.dumps(about).encode())
            return
        try:
            saved = dict(json.loads(file.read_bytes()))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"fit_many: {file} is damaged ({error}); pass another folder as checkpoint"
            ) from None
        for name, value in about.items():
            if saved.get(name) != value:
                what = f"their {name} differ"
                if name == "options":
                    what = f"they had {saved.get(name)}, here it is {value}"
                elif name == "of members" and name in saved:
                    i = next(i for i, each in enumerate(value) if each != saved[name][i])
                    what = f"members[{i}] was {saved[name][i]}, here it is {value[i]}"
                raise ValueError(
                    f"fit_many: checkpoint is {str(self.folder)!r}, a folder of other members: "
                    f"{what}; pass another folder"
                )

    def _write(self, trainer, found):
        """The file of a member that has ended."""
        end = {"stopped": found.history.stopped, "error": found.error, "epochs": trainer.epochs}
        files.save_checkpoint(
            self.path(found.number),
            model=trainer._parts()["model"],
            progress={"history": [dict(epoch) for epoch in found.history]},
            extra=end,
        )

    def read(self, found, until):
        """Whether the member has ended, or is to pause, and is read from its file."""
        i = found.number
        path = self.path(i)
        if path is None or not path.exists():
            return False
        content, _ = files._read(path)
        end = content["extra"]
        history = content["progress"]["history"]
        if end is None:  # it goes on
            if until is None or len(history) < until:
                return False
            end = {"stopped": f"paused after {until} epochs", "error": None}
            found.history = History(history, end["stopped"])
        elif end["epochs"] != self.epochs_of(i):
            raise ValueError(
                f"fit_many: {path} is of a member of {end['epochs']} epochs, members[{i}] has "
                f"{self.epochs_of(i)}; pass another folder"
            )
        models = content["model"]
        found.state = {name: np.array(t) for name, t in models["model"].items()}
        if "averaged" in models:
            found.averaged = {
                name.removeprefix("module."): np.array(t)
                for name, t in models["averaged"].items()
                if name.startswith("module.")
            }
        found.history = History(history, end["stopped"])
        found.error, found.finished = end["error"], "epochs" in end
        return True


class Threads(Crew):
    """A Crew for members of a Work, by their numbers."""

    def __init__(self, work, threads, bar):
        super().__init__(threads, work.stop, bar)
        self.work = work

    def submit(self, i, until=None):
        """A Future of the TrainedMember."""
        return super().submit(self._run, i, until)

    def _run(self, i, until):
        found = self.work.run(i, until)
        self.work.take(found)
        return found


class Watch(Callback):
    """Ends a member when all are to stop, and writes its file."""

    comes_last = True

    def __init__(self, work, number, until):
        self.work, self.number, self.until = work, number, until
        self.path = work.path(number)
        self.why = None  # it was stopped before its end
        self.saved = time.monotonic()

    def on_tick(self):
        why = self.work.stops()
        if why is not None:
            self.why = why
            self.trainer.stop(why)

    def on_epoch_end(self, epoch, logs=None):
        self.work.epochs[self.number] = epoch
        trainer = self.trainer
        ended = epoch == trainer.epochs or trainer._fitting.stop is not None
        if ended and self.why is None:
            return
        if epoch == self.until:
            self.why = f"paused after {epoch} epochs"
        self.on_tick()
        is_due = self.why is not None or time.monotonic() - self.saved > SAVE_SECONDS
        if self.path is not None and trainer.epoch_is_whole and is_due:
            trainer.save_checkpoint(self.path)
            self.saved = time.monotonic()
        if self.why is not None:
            trainer.stop(self.why)


# ---- rows ----------------------------------------------------------------------------------------


def arrays_of(value):
    """Tensors and arrays of which rows can be taken; in tuples and dicts, too."""
    if isinstance(value, tuple):
        return tuple(map(arrays_of, value))
    if isinstance(value, dict):
        return {name: arrays_of(part) for name, part in value.items()}
    if columns_of(value) is not None or not isinstance(value, Tensor):
        return numbers_of(value, "fit_many: X and y")
    return value


def count_of(value):
    """Of rows."""
    while isinstance(value, (tuple, dict)):
        if not value:
            raise ValueError(f"fit_many: X is {value!r}, it must have an array of rows")
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return len(value)


def taken(value, rows):
    """Those rows; all for None."""
    if value is None or rows is None:
        return value
    if isinstance(value, tuple):
        return tuple(taken(part, rows) for part in value)
    if isinstance(value, dict):
        return {name: taken(part, rows) for name, part in value.items()}
    return value[rows]


def check_rows(who, member, count):
    for name in ("rows", "validation_rows"):
        rows = getattr(member, name)
        if rows is None:
            continue
        if rows.dtype == bool and len(rows) != count:
            raise ValueError(f"{who}: {name} has {len(rows)} booleans, X has {count} rows")
        if rows.dtype != bool and len(rows) and not (0 <= rows.min() <= rows.max() < count):
            wrong = rows[(rows < 0) | (rows >= count)][0]
            raise ValueError(f"{who}: {name} has {wrong}, rows are 0 to {count - 1}")
        if not (rows.any() if rows.dtype == bool else len(rows)):
            raise ValueError(f"{who}: {name} is empty, it must have a row")
    weight = member.sample_weight
    if weight is not None and np.shape(weight) != (count,):
        raise ValueError(
            f"{who}: sample_weight has shape {np.shape(weight)}, it must be ({count},)"
        )
