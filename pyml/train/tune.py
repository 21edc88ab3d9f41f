"""A search over the options of members: at random, by successive halving, or by Optuna."""

import heapq
import math
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pyml.io import _write_whole
from pyml.options import (
    Range,
    check_choice,
    check_counts,
    check_each,
    check_integer,
    check_number,
    is_number,
)
from pyml.train.many import Work, check_workers
from pyml.train.member import Member, Trained

__all__ = ["Integers", "Trial", "Tuning", "Uniform", "tune"]

PANELS = 4  # of a picture, beside each other
MAGNITUDES = 20  # from which factor on an axis is logarithmic


class Uniform:
    """Numbers from low to high.

    Args:
        low, high: the ends, low < high, both and high - low finite.
        log: uniform in the logarithm; low > 0. Default: False.

    Example:
        >>> space = {"lr": pyml.train.Uniform(1e-4, 1e-1, log=True)}
    """

    def __init__(self, low, high, *, log=False):
        least = 0 if log else -math.inf
        check_number("Uniform", "low", low, Range(least, math.inf, "()"))
        low = float(low)
        check_number("Uniform", "high", high, Range(low, low + sys.float_info.max, "()"))
        self.low, self.high, self.log = low, float(high), bool(log)

    def _draw(self, random):
        """A number, from a numpy.random.Generator."""
        if self.log:
            return float(np.exp(random.uniform(np.log(self.low), np.log(self.high))))
        return float(random.uniform(self.low, self.high))

    def _suggest(self, trial, name):
        """A number, from a trial of Optuna."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    _text = staticmethod(repr)


class Integers:
    """Integers from low to high, both included.

    Args:
        low, high: the ends, low <= high, of 64 bits.
    """

    def __init__(self, low, high):
        for name, value in (("low", low), ("high", high)):
            check_integer("Integers", name, value)
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"Integers: {name} is {value}, it must be of 64 bits")
        if high < low:
            raise ValueError(f"Integers: high is {high}, it must be >= low, {low}")
        self.low, self.high = int(low), int(high)

    def _draw(self, random):
        """An integer, from a numpy.random.Generator."""
        return int(random.integers(self.low, self.high, endpoint=True))

    def _suggest(self, trial, name):
        """An integer, from a trial of Optuna."""
        return trial.suggest_int(name, self.low, self.high)

    _text = staticmethod(repr)


class Choice:
    """One of some values."""

    def __init__(self, values):
        self.values = list(values)

    def _draw(self, random):
        return self.values[random.integers(len(self.values))]

    def _suggest(self, trial, name):
        if all(isinstance(value, (str, bool, int, float, type(None))) for value in self.values):
            return trial.suggest_categorical(name, self.values)
        return self.values[trial.suggest_categorical(name, range(len(self.values)))]

    def _text(self, value):
        places = [i for i, mine in enumerate(self.values) if mine is value]
        return f"value {places[0] if places else self.values.index(value)}"


class Trial:
    """A configuration, and how far it was trained.

    Attributes:
        number: 0, 1, ...
        config: {name: value}.
        value: the best one of `monitor` in the epochs of its last rung and those before.
        epochs: how many it was trained for.
        trained: the TrainedMember.
    """

    def __init__(self, number, config):
        self.number, self.config = number, config
        self.value, self.epochs, self.trained = math.nan, 0, None

    def __repr__(self):
        return f"<trial {self.number}: {self.value:.5g} after {self.epochs} epochs, {self.config}>"


class Tuning(tuple):
    """The Trials of a search, in the order of their numbers: a tuple.

    Attributes:
        monitor, mode: what was compared.
        study: the Study of Optuna, if it proposed; else None.
    """

    def __new__(cls, trials, *_, **__):
        made = super().__new__(cls, trials)
        check_each("Tuning", "trials", made, Trial)
        return made

    def __init__(self, trials, monitor, mode, study=None):
        self.monitor, self.mode, self.study = monitor, mode, study

    def ranked(self):
        """Trials from the best to the worst: those of more epochs first."""
        sign = 1 if self.mode == "min" else -1
        kept = [t for t in self if not math.isnan(t.value)]
        return sorted(kept, key=lambda t: (-t.epochs, sign * t.value, t.number))

    @property
    def best(self):
        """The best Trial of those that were trained longest.

        Raises:
            ValueError: if no trial has a value.
        """
        ranked = self.ranked()
        if not ranked:
            why = "see .trained.error of the trials" if self else "the time was over before"
            raise ValueError(f"best: no trial has a value; {why}")
        return ranked[0]

    def table(self):
        """A dict for each trial, from the best to the worst."""
        return [
            {"trial": t.number, **t.config, "epochs": t.epochs, self.monitor: t.value}
            for t in self.ranked()
        ]

    def ensemble(self, count, average="values"):
        """An nn.Ensemble of the best trials; see Trained.ensemble."""
        check_counts("ensemble", least=1, count=count)
        return Trained(t.trained for t in self.ranked()[:count]).ensemble(average)

    def plot(self, path=None):
        """The curve of each trial, and its value beside each option; needs matplotlib.

        The best trial is in colour, others are the darker the more epochs they were trained for.

        Args:
            path: a picture to write. Default: none.

        Returns:
            The figure.
        """
        from matplotlib.figure import Figure

        best, names = self.best, list(self[0].config)
        columns = min(len(names), PANELS)
        rows = -(-len(names) // columns)
        figure = Figure(figsize=(8, 3.5 + 2.2 * rows), layout="constrained")
        grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.6, *[1] * rows])
        others = sorted((t for t in self.ranked() if t is not best), key=lambda t: t.epochs)
        drawn = [(t, str(0.8 - 0.6 * t.epochs / best.epochs), 1) for t in others]
        drawn.append((best, "C0", 2))
        what = self.monitor.replace("_", " ")
        axes = figure.add_subplot(grid[0, :])
        for t, color, width in drawn:
            epochs = t.trained.history[: t.epochs]
            line = [(epoch["epoch"], epoch[self.monitor]) for epoch in epochs]
            axes.plot(*zip(*line, strict=True), color=color, lw=width, marker=".", markevery=[-1])
        axes.set(xlabel="epoch", ylabel=what)
        axes.set_title(f"best: trial {best.number}, {best.value:.4g} after {best.epochs} epochs")
        scale = scale_of([t.value for t in self.ranked()])
        axes.set_yscale(scale)
        for k, name in enumerate(names):
            axes = figure.add_subplot(grid[1 + k // columns, k % columns])
            given = [t.config[name] for t, _, _ in drawn]
            if not all(is_number(value) for value in given):
                given = list(map(str, given))
            for value, (t, color, width) in zip(given, drawn, strict=True):
                axes.plot(value, t.value, ".", color=color, ms=6 * width)
            if not isinstance(given[0], str):
                axes.set_xscale(scale_of(given))
            axes.set(xlabel=name, yscale=scale, ylabel="" if k % columns else f"best {what}")
        if path is not None:
            figure.savefig(path)
        return figure


def scale_of(values):
    """Of an axis: "log" for positive numbers of several magnitudes, else "linear"."""
    return "log" if min(values) > 0 and max(values) > MAGNITUDES * min(values) else "linear"


def tune(
    space,
    member,
    X,
    y,
    *,
    loss=None,
    epochs=50,
    trials=50,
    halving=None,
    first=1,
    monitor="validation_loss",
    mode="min",
    seed=0,
    sampler=None,
    pruner=None,
    at_once=16,
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
    """Searches for options: each trial is a member, trained as by fit_many.

    With `halving` it is ASHA, Li et al. 2020 (arXiv:1810.05934), Algorithm 2: trials pause after
    first, first * halving, ... epochs, and the best 1 / halving of those at a rung go on. There
    decisions depend on who is ready first; here that is computed (a trial takes its number of
    epochs, `at_once` are under way), so that the search is the same on any machine.

    Args:
        space: {name: Uniform, Integers, or a list of values}.
        member: a function of a configuration {name: value} that makes a Member.
        X, y, loss, batch_size, validation, metrics, sample_weight, class_weight: as of fit_many.
        epochs: of a trial that is not stopped before. Default: 50.
        trials: how many. Default: 50.
        halving: the factor between rungs, >= 2. Default: none, all are trained to the end.
        first: epochs of the first rung; with a pruner from one look to the next. Default: 1.
        monitor: the column that is compared, by its best value. Default: "validation_loss".
        mode: "min" or "max". Default: "min".
        seed: of the configurations. Default: 0.
        sampler: one of Optuna's, which then proposes the configurations, and may end the search
            before, as one of a grid; without halving. With a seed of its own the search is
            reproducible, and goes on from a checkpoint.
        pruner: one of Optuna's, which ends trials after first, 2 * first, ... epochs; without
            halving. Default: none.
        at_once: how many trials are under way, at least the number of threads for all of them to
            be used. What is found depends on it with halving, sampler or pruner. Default: 16.
        max_seconds, threads, n_jobs, progress, checkpoint: as of fit_many; without a checkpoint,
            halving on other machines needs that all share the folder for temporary files.

    Returns:
        A Tuning, the list of Trials.

    Raises:
        TypeError, ValueError: for arguments out of range; as of fit_many.

    Example:
        >>> def member(config):
        ...     model = partial(pyml.train.mlp, 64, (config["width"],), 10)
        ...     return pyml.train.Member(model, partial(optim.Adam, lr=config["lr"]))
        >>> space = {"lr": pyml.train.Uniform(1e-4, 1e-1, log=True), "width": [16, 32]}
        >>> tuning = pyml.train.tune(
        ...     space, member, images, labels, loss=nn.CrossEntropyLoss(), validation=0.2,
        ...     trials=6, epochs=4, halving=2,
        ... )
        >>> config = tuning.best.config
    """
    who = "tune"
    if not isinstance(space, dict) or not space:
        raise TypeError(f"{who}: space is {space!r}, it must be a dict of names, one or more")
    for name in ("trial", "epochs", monitor):
        if name in space:
            raise ValueError(f"{who}: space has {name!r}, a column of the table; rename it")
    space = {name: checked(name, values) for name, values in space.items()}
    if not callable(member):
        raise TypeError(f"{who}: member is {member!r}, it must be a function of a configuration")
    check_counts(who, least=1, epochs=epochs, trials=trials, first=first, at_once=at_once)
    if halving is not None:
        check_counts(who, least=2, halving=halving)
        for name, given in (("sampler", sampler), ("pruner", pruner)):
            if given is not None:
                raise ValueError(f"{who}: halving and {name} are given; pass one of them")
    check_choice(who, "mode", mode, ("min", "max"))
    check_integer(who, "seed", seed)
    check_workers(who, threads, n_jobs)
    configs = Configs(space, int(seed) % 2**64, sampler, pruner, mode)
    # Optuna proposes when a trial begins; the number of members is known, what they are is not yet
    members = (
        [None] * trials
        if configs.study is not None
        else [made(member, configs.draw(i)) for i in range(trials)]
    )
    shared = {"loss": loss, "metrics": metrics}
    fitting = {"epochs": int(epochs), "batch_size": batch_size, "validation": validation}
    fitting["class_weight"] = class_weight
    rungs = [int(epochs)]
    if halving is not None:
        rungs = rungs_of(int(first), int(halving), int(epochs))
    elif pruner is not None:
        rungs = [*range(int(first), int(epochs), int(first)), int(epochs)]
    with TemporaryDirectory() as temporary:
        folder = checkpoint
        if folder is None and len(rungs) > 1:
            folder = Path(temporary)
        work = Work(
            *(members, X, y, sample_weight, shared, fitting),
            max_seconds=max_seconds,
            folder=folder,
        )
        search = Search(work, configs, member, rungs, halving, monitor, mode, int(at_once))
        with work.workers(threads, n_jobs, progress) as workers:
            search.go(workers)
    return Tuning(search.trials, monitor, mode, configs.study)


def checked(name, values):
    """What draws the values of a name."""
    if isinstance(values, (Uniform, Integers)):
        return values
    if isinstance(values, np.ndarray) and values.ndim:
        values = values.tolist()
    if isinstance(values, (list, tuple, range)) and values:
        return Choice(values)
    raise TypeError(
        f"tune: space[{name!r}] is {values!r}, it must be a Uniform, an Integers, or a list of "
        "values"
    )


def made(member, config):
    """The Member of a configuration."""
    found = member(dict(config))
    if not isinstance(found, Member):
        raise TypeError(f"tune: member gives a {type(found).__name__}, it must give a Member")
    return found


def rungs_of(first, halving, epochs):
    """Epochs at which trials pause, and the last."""
    rungs = []
    while first < epochs:
        rungs.append(first)
        first *= halving
    return [*rungs, epochs]


class Configs:
    """Where configurations come from."""

    def __init__(self, space, seed, sampler, pruner, mode):
        self.space, self.seed, self.study, self.asked = space, seed, None, {}
        self.prunes, self.are_over = pruner is not None, False
        if sampler is None and pruner is None:
            return
        try:
            import optuna
        except ImportError as error:
            raise ImportError(
                f"tune: sampler and pruner need optuna ({error}): pip install optuna"
            ) from None
        for name, value, kind in (
            ("sampler", sampler, optuna.samplers.BaseSampler),
            ("pruner", pruner, optuna.pruners.BasePruner),
        ):
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"tune: {name} is {value!r}, it must be one of optuna.{name}s")
        self.study = optuna.create_study(
            sampler=optuna.samplers.RandomSampler(seed % 2**32) if sampler is None else sampler,
            pruner=pruner or optuna.pruners.NopPruner(),
            direction="minimize" if mode == "min" else "maximize",
        )

    def end(self):
        """Nothing more is proposed."""
        self.are_over = True

    def draw(self, i):
        if self.study is None:
            random = np.random.Generator(np.random.PCG64([self.seed, i]))
            return {name: values._draw(random) for name, values in self.space.items()}
        self.asked[i] = self.study.ask()
        return {name: values._suggest(self.asked[i], name) for name, values in self.space.items()}

    def text(self, config):
        """A configuration in words that are the same in each process: of choices their numbers."""
        parts = {name: self.space[name]._text(value) for name, value in config.items()}
        return ", ".join(f"{name}: {part}" for name, part in parts.items())

    def is_pruned(self, i, epoch, value):
        """Whether the pruner ends a trial, of which it is told a value."""
        trial = self.asked[i]
        trial.report(value, epoch)
        return trial.should_prune()

    def tell(self, i, value, is_pruned=False):
        """What became of a trial."""
        if self.study is None:
            return
        state = None
        if is_pruned or math.isnan(value):
            from optuna.trial import TrialState

            value, state = None, TrialState.PRUNED if is_pruned else TrialState.FAIL
        self.study.stop = self.end  # which samplers call that have tried all, as of a grid
        try:
            self.study.tell(self.asked[i], value, state=state)
        finally:
            del self.study.stop


class Search:
    """Trials under way, in the order of a time that is computed: epochs."""

    def __init__(self, work, configs, member, rungs, halving, monitor, mode, at_once):
        self.work, self.configs, self.member, self.rungs = work, configs, member, rungs
        self.halving, self.monitor, self.mode, self.at_once = halving, monitor, mode, at_once
        self.trials = []
        self.values = [{} for _ in rungs]  # of each rung {trial: value}, the smaller the better
        self.gone_on = [set() for _ in rungs]
        self.not_pruned = []  # (trial, rung) that it goes on with

    def go(self, workers):
        """Trains until nothing is left."""
        under_way, now = [], 0  # (when it ends, trial, rung, future)
        while True:
            while len(under_way) < self.at_once and (task := self.next_task()) is not None:
                trial, rung = task
                takes = self.rungs[rung] - (self.rungs[rung - 1] if rung else 0)
                is_last = rung == len(self.rungs) - 1
                until = None if is_last else self.rungs[rung]
                future = workers.submit(trial, until)
                heapq.heappush(under_way, (now + takes, trial, rung, future))
            if not under_way:
                return
            now, trial, rung, future = heapq.heappop(under_way)
            while not future.done():
                workers.wait(future)
            self.take(trial, rung, future.result())

    def next_task(self):
        """(trial, rung) to go on with, from the highest rung; else a new one; else None."""
        if self.work.stops():
            return None
        if self.not_pruned:
            return self.not_pruned.pop(0)
        for rung in range(len(self.rungs) - 2, -1, -1) if self.halving else ():
            values = self.values[rung]
            order = sorted((v, t) for t, v in values.items() if not math.isnan(v))
            for _, trial in order[: len(values) // self.halving]:
                if trial not in self.gone_on[rung]:
                    self.gone_on[rung].add(trial)
                    return trial, rung + 1
        number = len(self.trials)
        if number == len(self.work.members) or self.configs.are_over:
            return None
        config = self.configs.draw(number)
        self.keep(number, config)
        if self.work.members[number] is None:
            self.work.members[number] = self.work.checked(number, made(self.member, config))
        self.trials.append(Trial(number, config))
        return number, 0

    def keep(self, number, config):
        """Writes a configuration to the folder, or compares it with what is there."""
        if self.work.folder is None:
            return
        path = self.work.folder / f"trial-{number:05d}.txt"
        text = self.configs.text(config)
        if not path.exists():
            _write_whole(path, text.encode())
        elif (saved := path.read_text(encoding="utf-8")) != text:
            raise ValueError(
                f"tune: checkpoint is {str(self.work.folder)!r}, a folder of another search: trial "
                f"{number} is {saved} there, {text} here; pass another folder, or the same space "
                "and seed, and a sampler with a seed of its own"
            )

    def take(self, number, rung, found):
        """What a trial gave."""
        trial, until = self.trials[number], self.rungs[rung]
        # of a search that goes on, files may have it farther than it is here
        epochs, has_ended = found.history[:until], len(found.history) <= until and found.finished
        has_failed = found.error is not None and len(epochs) < until
        sign = 1 if self.mode == "min" else -1
        if epochs and self.monitor not in epochs[0]:
            raise ValueError(
                f"tune: monitor is {self.monitor!r}; the epochs have {', '.join(epochs[0])}"
            )
        values = [sign * epoch[self.monitor] for epoch in epochs]
        values = [value for value in values if not math.isnan(value)]
        value = min(values) if values and not has_failed else math.nan
        self.values[rung][number] = value
        trial.value, trial.epochs, trial.trained = sign * value, len(epochs), found
        if not self.configs.prunes or has_ended or until == self.rungs[-1] or math.isnan(value):
            self.configs.tell(number, trial.value)
        elif self.configs.is_pruned(number, until, epochs[-1][self.monitor]):
            self.configs.tell(number, trial.value, is_pruned=True)
        else:
            self.not_pruned.append((number, rung + 1))
