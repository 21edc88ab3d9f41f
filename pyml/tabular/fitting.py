"""fit: from a table to a trained model in one call."""

import time
import warnings
from dataclasses import dataclass
from functools import partial
from numbers import Integral

import numpy as np

from pyml import ops, optim
from pyml.config import get_num_threads
from pyml.distributed.group import digest_of, is_initialized
from pyml.grad_mode import no_grad
from pyml.options import Range, check_counts, check_integer, check_number, is_number
from pyml.pytree import tree_leaves
from pyml.random import Generator, drawing_from
from pyml.tabular.defaults import Defaults, defaults_for
from pyml.tabular.model import TabularEnsemble, TabularModel
from pyml.tabular.preprocessor import Preprocessor
from pyml.tabular.reading import as_table
from pyml.tabular.recipes import recipe_named, trained_by
from pyml.tabular.schema import Schema, names_given
from pyml.tabular.scoring import evaluate, labelled, scores_of_constant, weights_of
from pyml.tabular.splitting import given_split, split
from pyml.tabular.table import TableWarning, check_type, grid, near
from pyml.tabular.target import Target
from pyml.train import EarlyStopping, History, TimeLimit, Trainer
from pyml.train.callbacks import Callback, check_callbacks
from pyml.train.crew import Ended, Stop, each_of

__all__ = ["Fitted", "fit"]

SEEDS = 2**64
LEAST_SECONDS = 1e-9  # where none is left


@dataclass(repr=False)
class Fitted:
    """What fit() gives; print it to see how good the model is.

    Attributes:
        model: a TabularModel with its best weights, or a TabularEnsemble; in evaluation mode.
        history: the History of the training; of an ensemble a list, one for each member.
        schema: the Schema.
        task: as of the schema.
        rows: {"train": n, "validation": n}.
        baseline: {metric: number} of predicting the same for each validation row; see baseline().
        scores: {metric: number} of the model for the validation rows; see evaluate().
        seconds: from the call to the end.
        stopped: why the training ended, in words.
        interrupted: whether Ctrl-C has ended it.
    """

    model: TabularModel
    history: History | list
    schema: Schema
    rows: dict
    baseline: dict
    scores: dict
    stopped: str
    seconds: float
    interrupted: bool

    @property
    def task(self):
        return self.schema.task

    def __repr__(self):
        """The scores beside the baseline."""
        of = ", ".join(self.schema.targets)
        text = [
            f"{self.task} of {of}: trained on {self.rows['train']:,} rows in {self.seconds:.1f} s; "
            f"{self.stopped}"
        ]
        if self.scores:
            columns = [f"{self.rows['validation']:,} rows to validate on", "model", "baseline"]
            lines = [
                [name, f"{score:.5g}", f"{self.baseline[name]:.5g}"]
                for name, score in self.scores.items()
            ]
            text.append(grid([columns, *lines]))
        return "\n".join(text)


def fit(
    data,
    target=None,
    *,
    schema=None,
    task=None,
    drop=(),
    recipe=None,
    validation=0.2,
    sample_weight=None,
    hidden=None,
    epochs=None,
    batch_size=None,
    lr=None,
    max_seconds=None,
    ensemble=1,
    seed=0,
    callbacks=(),
    resume=None,
    progress=None,
):
    """A trained model of a table.

    All that is not said follows from the table: the task, the columns, the network and how it is
    trained. Numbers are scaled by their quantiles and embedded piecewise linearly; AdamW makes
    steps until the loss of the validation rows gets no better; the model is that of the best epoch.
    Rows without a target are left out, with a TableWarning. The same seed gives the same bits, with
    any number of threads, unless max_seconds ends it.

    Ctrl-C ends the training early: the best model so far is returned, and `interrupted` and
    `stopped` say so.

    Args:
        data: what read() takes: a path, a frame, a Table, ...
        target: the name of the column to be predicted, or a list of several. Default: that of the
            schema.
        schema: a Schema, where you know better than Schema.infer. Default: none.
        task, drop: see Schema.infer.
        recipe: a published network in place of the one above: "realmlp-td-s", "realmlp-td", "mlp",
            "mlp-plr", "mlp-ple", "tabm", "tabm-mini", or a Recipe; what hidden, epochs, batch_size
            and lr say replaces its values. Default: none.
        validation: the rows that say when to stop: their share, from 0 on and below 1, drawn at
            random, from each class by its share; or their numbers, or a bool for each row; or
            another table. Default: 0.2. Without any the training makes 200 epochs, or some
            thousand steps where these are fewer, and there are no scores.
        sample_weight: of each row, (n,), >= 0, or the name of a column of them, which is then no
            input. A step's loss is sum(w l) / sum(w), and so is the validation's; scores count rows
            by it. Another table to validate on has weights where it has that column; members of
            TabM then share their batches. Default: 1.
        hidden: widths of the hidden layers. Default: by the number of rows, two of 256 at most.
        epochs: at most so many. Default: until the validation loss gets no better.
        batch_size: rows of a step. Default: by the number of rows, from 32 to 1024.
        lr: the learning rate. Default: 0.002.
        max_seconds: of the whole call; the training ends then, also in the middle of an epoch.
            Default: no limit.
        ensemble: how many models are trained, from different seeds; their mean predicts. They are
            trained at the same time, a thread each; one after another with callbacks, and in data
            parallel. Default: 1.
        seed: of the split, the first weights and the order of the rows. Default: 0.
        callbacks: of each training; see Trainer. Default: none.
        resume: the path of a checkpoint that pyml.train.Checkpoint, one of the callbacks, wrote in
            a fit of the same table with the same callbacks and options, but for epochs: it goes on
            from there with the same bits, and max_seconds counts the seconds before. Of a single
            model. Default: none.
        progress: show a bar, where there is a terminal or a notebook. Default: True.

    Returns:
        A Fitted.

    Raises:
        TypeError, ValueError: for options that are not as said; and for a table that no model can
            be trained of: it says which column is why. See Schema.infer and Preprocessor.fit.
        FloatingPointError: if the loss becomes infinite in the first epoch.

    Example:
        >>> fitted = tabular.fit("diamonds.csv", "price")
        >>> fitted.scores["rmse"] < fitted.baseline["rmse"]
        True
        >>> fitted.model.save("diamonds.safetensors")
        >>> prices = fitted.model.predict("new.csv")
    """
    began = time.monotonic()
    check_options(epochs, batch_size, lr, max_seconds, ensemble, seed)
    if resume is not None and ensemble > 1:
        raise ValueError(
            f"fit: resume goes on with a single model, ensemble is {ensemble}; fit its members "
            "one by one, each with a seed and a checkpoint of its own, and put them into a "
            "TabularEnsemble"
        )
    recipe = None if recipe is None else recipe_named(recipe)
    callbacks = list(callbacks) if hasattr(callbacks, "__iter__") else [callbacks]
    check_callbacks("fit", callbacks)
    schema, table = schema_and_table(data, target, schema, task, drop, sample_weight)
    table, weight = weighted(table, schema, sample_weight)
    train, held = divided(table, schema, weight, validation, seed)
    chosen = {"batch_size": batch_size, "lr": lr, "epochs": epochs}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if recipe is None:
        prepared = Prepared(schema, train, held, weight)
        how = defaults_for(prepared.inputs[0], prepared.preprocessor.values)._replace(**chosen)
        trained = prepared.trained
        if hidden is not None:
            how.architecture["hidden"] = hidden
    else:
        prepared = Prepared(schema, train, held, weight, recipe.numbers, recipe.log)
        trained = partial(trained_by, prepared=prepared)
        how = recipe.replace(**chosen, **({} if hidden is None else {"hidden": hidden}))
    if callbacks:  # one of them may write checkpoints
        callbacks.append(SameFit(prepared, {"seed": seed, **options_of(how)}))
    models, histories, ends, is_interrupted = all_trained(
        *(partial(trained, how, resume=resume), ensemble, seed, callbacks),
        end=None if max_seconds is None else (began + max_seconds, max_seconds),
        progress=progress is None or progress,
    )
    model = (models[0] if ensemble == 1 else TabularEnsemble(models)).eval()
    return Fitted(
        model=model,
        history=histories[0] if ensemble == 1 else histories,
        schema=schema,
        rows={"train": train.rows, "validation": 0 if held is None else held.rows},
        baseline={} if held is None else prepared.baseline(),
        scores={} if held is None else evaluate(model, held, sample_weight=prepared.held_weight),
        stopped=ends[0] if len(ends) == 1 else numbered(ends),
        seconds=time.monotonic() - began,
        interrupted=is_interrupted,
    )


def check_options(epochs, batch_size, lr, max_seconds, ensemble, seed):
    """Raises TypeError or ValueError for an option that is not as fit() says."""
    optional = {"epochs": epochs, "batch_size": batch_size}
    counts = {name: value for name, value in optional.items() if value is not None}
    check_counts("fit", least=1, **counts, ensemble=ensemble)
    for name, value in {"lr": lr, "max_seconds": max_seconds}.items():
        if value is not None:
            check_number("fit", name, value, Range(0, ends="(]"))
    check_integer("fit", "seed", seed)


# ---- rows ----------------------------------------------------------------------------------------


def schema_and_table(data, target, schema, task, drop, sample_weight):
    """The Schema and the Table, whose targets are there. A column of weights is no input."""
    if schema is None:
        table = as_table(data)
        if target is None:
            raise ValueError(
                f"fit: target is missing; name the column to be predicted: {near('', table.names)}"
            )
        if isinstance(sample_weight, str):
            [sample_weight] = names_given("sample_weight", sample_weight, table)
            drop = [*dict.fromkeys([*names_given("drop", drop, table), sample_weight])]
        return Schema.infer(table, target, task=task, drop=drop), table
    check_type("fit", "schema", schema, Schema)
    if schema.task is None:
        raise ValueError("fit: the schema has no target; Schema.infer(table, target=...) has one")
    if task not in (None, schema.task) or len(drop):
        raise ValueError(
            "fit: task and drop are for Schema.infer; the schema that is given has them"
        )
    table = as_table(data, schema)
    if target is not None and names_given("target", target, table) != list(schema.targets):
        raise ValueError(
            f"fit: target is {target!r}, that of the schema is {', '.join(schema.targets)}"
        )
    for name in schema.targets:
        if name not in table:
            raise ValueError(f"fit: the table lacks the target {name!r}; {near(name, table.names)}")
    return schema, table


def weighted(table, schema, sample_weight):
    """A Table with the weights of its rows, and the name of their column, None for none."""
    if sample_weight is None:
        return table, None
    if isinstance(sample_weight, str):
        if any(column.name == sample_weight for column in schema.inputs):
            raise ValueError(
                f"fit: sample_weight is {sample_weight!r}, which is an input of the schema; drop "
                "it there, or pass an array"
            )
        weights_of("fit", table, sample_weight)
        return table, sample_weight
    name = "weight"
    while name in table:
        name += "_"
    return table.with_column(name, weights_of("fit", table, sample_weight)), name


def counting(table, weight):
    """The rows whose weight is not 0."""
    return table if weight is None else table.take(weights_of("fit", table, weight) > 0)


def divided(table, schema, weight, validation, seed):
    """The rows to train on, and those to validate on or None, all with a target and a weight."""
    rows = row_numbers(validation)
    if validation is None:
        validation = 0
    if rows is not None:
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows
        others = np.setdiff1d(np.arange(table.rows), chosen)
        parts = given_split(table.rows, others, rows)
        train, held = table.take(parts.train), table.take(parts.validation)
    elif is_number(validation):
        check_number("fit", "validation", validation, Range(0, 1, "[)"))
        table = counting(labelled("fit", table, schema), weight)
        is_of_classes = schema.task in ("binary", "multiclass")
        by = next(iter(schema.targets)) if is_of_classes else None
        parts = split(table, validation=float(validation), test=0, seed=seed, stratify=by)
        if validation and len(parts.validation) == 0:
            warnings.warn(
                f"fit: of {table.rows} rows none is left to validate on: nothing says when to "
                "stop, and there are no scores",
                TableWarning,
                stacklevel=3,
            )
        train, held = table.take(parts.train), table.take(parts.validation)
    else:
        train, held = table, as_table(validation, schema)
    train = counting(labelled("fit", train, schema), weight)
    return train, labelled("fit: validation", held, schema) if held.rows else None


def row_numbers(validation):
    """An array of numbers of rows, or a bool for each; None if it is something else."""
    is_list = isinstance(validation, (list, tuple, range)) and all(
        isinstance(row, (Integral, np.bool_)) for row in validation
    )
    if is_list or (hasattr(validation, "dtype") and getattr(validation, "ndim", 0) == 1):
        array = np.asarray(validation)
        if array.size == 0 or array.dtype.kind in "iub":
            return array.astype(np.int64) if array.dtype.kind != "b" else array
    return None


# ---- training ------------------------------------------------------------------------------------


class SameFit(Callback):
    """Keeps in checkpoints what is trained and how: with other rows or options none is resumed.

    How many epochs there are may differ: a training may go on for longer.
    """

    def __init__(self, prepared, options):
        self.prepared = prepared
        self.said = {name: str(value) for name, value in options.items() if name != "epochs"}

    def state_dict(self):
        if self.prepared is not None:
            of = self.prepared
            leaves = tree_leaves((of.inputs, of.y, of.weight, of.held))
            given = [ops.as_tensor(leaf) for leaf in leaves if leaf is not None]
            self.rows, self.prepared = digest_of(given), None
        return {"rows": self.rows, "options": self.said}

    def load_state_dict(self, state):
        mine = self.state_dict()
        if state["rows"] != mine["rows"]:
            raise ValueError(
                "fit: resume is of a training on other rows, or with other rows to validate on; "
                "pass the table, validation, sample_weight and seed of that one"
            )
        for name in {**state["options"], **self.said}:
            before, now = (options.get(name, "none") for options in (state["options"], self.said))
            if before != now:
                raise ValueError(
                    f"fit: resume is of a training with {name} {before}, here it is {now}; pass "
                    "the options of that one"
                )


def options_of(how):
    """The options of a Recipe or of Defaults by name, those of the network among them."""
    options = dict(how._asdict() if isinstance(how, Defaults) else vars(how))
    network = dict(options.pop("architecture" if isinstance(how, Defaults) else "network"))
    network.pop("bins", None)  # they follow from the rows
    return {**options, **network}


class Prepared:
    """A table as a network takes it.

    Args:
        schema: of the table.
        train, held: the rows to train on, and those to validate on or None.
        weight: the name of the column of the rows' weights, None for none.
        numbers, log: see Preprocessor.
    """

    def __init__(self, schema, train, held, weight=None, numbers="quantile", log=None):
        self.target = Target(schema).fit(train)
        self.preprocessor = Preprocessor(schema, numbers, log).fit(train)
        self.inputs, self.y = self._read(train)
        self.weight = None if weight is None else weights_of("fit", train, weight)
        self.start = self.target.outputs_of_mean(self.target.actual(train), self.weight)
        self.held = self.held_weight = self.held_actual = None
        if held is not None:
            self.held, self.held_actual = self._read(held), self.target.actual(held)
            if weight is not None and weight in held:
                self.held_weight = weights_of("fit: validation", held, weight)
                self.held = *self.held, self.held_weight

    def _read(self, table):
        numbers, categories = map(ops.tensor, self.preprocessor.transform(table))
        return (numbers, categories), ops.tensor(self.target.encode(table))

    def baseline(self):
        """The metrics of predicting the same for each row that is validated."""
        return scores_of_constant(self.target, self.start, self.held_actual, self.held_weight)

    def trained(self, defaults, callbacks, resume, progress):
        """A model, its History, and whether Ctrl-C has ended it."""
        rows, epochs = len(self.y), defaults.epochs
        best = None if self.held is None else EarlyStopping(patience=defaults.patience(rows))
        if epochs is None and best is None:
            epochs = defaults.enough(rows)
        model = TabularModel(
            self.preprocessor.schema, self.preprocessor, self.target, **defaults.architecture
        )
        self._start_at_mean(model)
        optimizer = optim.AdamW(
            model.parameters(), lr=defaults.lr, weight_decay=defaults.weight_decay
        )
        trainer = Trainer(
            model,
            model.loss(),
            optimizer,
            metrics=["accuracy"] if self.target.classes is not None else [],
            callbacks=[*([] if best is None else [best]), *callbacks],
            clip=defaults.clip,
            ema=defaults.ema(rows),
        )
        is_interrupted = self.run(
            *(trainer, best),
            epochs=epochs,
            batch_size=defaults.batch_size,
            resume=resume,
            progress=progress,
        )
        model.load_state_dict(trainer.averaged.module.state_dict())
        return model, trainer.history, is_interrupted

    def run(self, trainer, best, data=None, **options):
        """Trains; True if Ctrl-C has ended it. The best weights stay where the loss is infinite.

        Args:
            trainer: a Trainer.
            best: its EarlyStopping, or None.
            data: inputs, y and what to validate on, in place of the table's.
            options: of Trainer.fit.
        """
        inputs, y, held = data or (self.inputs, self.y, self.held)
        try:
            trainer.fit(inputs, y, validation=held, sample_weight=self.weight, **options)
        except KeyboardInterrupt:
            if not trainer.stopped:  # it had not begun
                raise
            return True
        except FloatingPointError:
            if best is None or best.best is None:
                raise
        return False

    @no_grad()
    def _start_at_mean(self, model):
        """The network begins with the outputs of the baseline."""
        model.network[-1].bias.copy_(ops.tensor(self.start.astype(np.float32)))


def numbered(ends):
    """Why trainings have ended, in one line."""
    return "; ".join(f"model {i}: {end}" for i, end in enumerate(ends, 1))


# ---- ensembles -----------------------------------------------------------------------------------


def all_trained(trained, count, seed, callbacks, end, progress):
    """The members of an ensemble: on threads, or one after another.

    The latter where there are callbacks, or other processes, which make the same exchanges.

    Args:
        trained: a function of (callbacks, progress): a model, its History, and whether Ctrl-C has
            ended it.
        count: how many.
        seed: of the first; each has the next one.
        callbacks: of each.
        end: (when, after how many seconds), or None.
        progress: show a bar.

    Returns:
        Models and Histories, those that Ctrl-C has ended only if there are no others; why each has
        ended; whether Ctrl-C has.
    """
    in_turn = callbacks or is_initialized()
    threads, stop = 1 if in_turn else min(get_num_threads(), count), Stop()

    def train(i):
        limits = [] if threads == 1 else [Ended(stop)]
        if end is not None:
            when, seconds = end
            left = (when - time.monotonic()) / -(-(count - i) // threads)
            why = f"max_seconds, {seconds:g}, are over"
            limits.append(TimeLimit(max(left, LEAST_SECONDS), why=why))
        with drawing_from(Generator((seed + i) % SEEDS)):
            model, history, is_interrupted = trained(
                callbacks=[*callbacks, *limits], progress=progress and threads == 1
            )
        return model, history, is_interrupted or history.stopped == stop.why

    found = []
    if threads == 1:
        while len(found) < count and not (found and found[-1][-1]):
            found.append(train(len(found)))
    else:
        found = each_of([partial(train, i) for i in range(count)], threads, stop, progress)
        found = [each for each in found if each is not None]
        if not found:
            raise KeyboardInterrupt
    is_whole = [not is_interrupted for _, _, is_interrupted in found]
    is_kept = is_whole if any(is_whole) else [True] * len(found)
    return (
        [model for (model, _, _), kept in zip(found, is_kept, strict=True) if kept],
        [history for (_, history, _), kept in zip(found, is_kept, strict=True) if kept],
        [
            history.stopped + ("" if kept else ", and is left out")
            for (_, history, _), kept in zip(found, is_kept, strict=True)
        ],
        not all(is_whole),
    )
