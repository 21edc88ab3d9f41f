"""Training on a table."""

import hashlib
import json
import shlex
import warnings
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from pyml import config, plot, tabular
from pyml.cli.card import card_of
from pyml.cli.epochs import EpochLines
from pyml.cli.failures import Refused, refusing, warn
from pyml.cli.models import WEIGHTS
from pyml.cli.options import short
from pyml.cli.output import RunFolder, can_draw, default_folder, say, say_json
from pyml.cli.scores import scores_of, table_of
from pyml.plot.canvas import grid_of
from pyml.tabular.table import near
from pyml.train import History
from pyml.train.metrics import ConfusionMatrix

OPTIONS = (  # that images do not have
    *("target", "task", "drop", "validation", "test", "groups", "time", "split_file"),
    *("max_seconds", "ensemble"),
)

VALIDATION = 0.16
TEST = 0.2
PARTS = {  # of a Split, in its order
    "train": "rows to train on",
    "validation": "rows to validate on",
    "test": "rows to test on",
}
SPLIT_WORDS = {word: part for part in PARTS for word in (part, part[:3])} | {"": ""}
SHOWN_NAMES = 20

CARD = "model_card.md"
HISTORY = ("history.csv", "history.json")
CURVES = "curves.png"
PICTURES = {  # of the test rows, by the task
    "binary": "confusion_matrix.png",
    "multiclass": "confusion_matrix.png",
    "multilabel": "roc.png",
    "regression": "predicted_against_true.png",
    "multioutput": "predicted_against_true.png",
    "counts": "predicted_against_true.png",
}


def run(options):
    """pyml train with a table."""
    shown = not (options.json or options.quiet)
    table = table_to_train_on(options)
    target = resolved(table, "--target", options.target)
    schema = schema_of(table, target, options, shown)
    parts = parts_of(table, schema, options)
    with_pictures = can_draw(options.plot)
    files = (WEIGHTS, *HISTORY, CARD)
    files += (CURVES, PICTURES[schema.task]) if with_pictures else ()
    name = Path(options.data).name.partition(".")[0] or "table"
    with RunFolder(
        options.out or default_folder(name, options.force), files, options.force
    ) as folder:
        if shown:
            sizes = [f"{len(getattr(parts, name)):,} {what}" for name, what in PARTS.items()]
            say(f"split {parts.how}: {', '.join(sizes)}\n")
        train = table.take(parts.train)
        fitted = fit(train, table.take(parts.validation), schema, options, shown)
        is_interrupted = "stopped by Ctrl-C" in fitted.stopped
        if is_interrupted and not histories_of(fitted)[0]:
            raise KeyboardInterrupt("in the first epoch, nothing was written")
        folder.write(WEIGHTS, fitted.model.save)
        scored = next(part for part in ("test", "validation", "train") if len(getattr(parts, part)))
        rows = table.take(getattr(parts, scored))
        scores = scores_of(fitted.model, rows, train)
        history = history_of(fitted)
        folder.write(HISTORY[0], history.to_csv)
        folder.write(HISTORY[1], history.to_json)
        if with_pictures:
            draw(folder, fitted, rows, scored)
        report = report_of(options, table, fitted, parts, scored, scores)
        folder.write(CARD, lambda path: path.write_text(card_of(report, schema), "utf-8"))
    report["files"] = folder.written
    if options.json:
        say_json(report)
    elif shown:
        say_result(folder, fitted, scored, scores)
    if is_interrupted:
        raise KeyboardInterrupt(f"the best model so far is in {folder.path}")
    return 0


# ---- what is trained on --------------------------------------------------------------------------


def table_to_train_on(options):
    """The Table of a path; if it is not said what is to be predicted, an error that names it."""
    with refusing():
        if options.target is not None:
            return tabular.read(options.data)
        names = next(tabular.read_batches(options.data, 1)).names
    more = ", ..." if len(names) > SHOWN_NAMES else ""
    options.parser.error(
        "argument --target: which column is to be predicted? there are "
        f"{', '.join(names[:SHOWN_NAMES])}{more}"
    )


def resolved(table, option, given):
    """Names of columns, which were given one by one or with commas between.

    Raises:
        Refused: if there is no such column.
    """
    names = []
    for text in given or ():
        names += [text] if text in table else [part.strip() for part in text.split(",")]
    for name in names:
        if name not in table:
            raise Refused(
                f"argument {option}: there is no column {short(name)!r}; {near(name, table.names)}"
            )
    return list(dict.fromkeys(names))


def schema_of(table, target, options, shown):
    """The Schema, printed if it is to be shown; else its warnings go to stderr."""
    drop = resolved(table, "--drop", options.drop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tabular.TableWarning)
        schema = tabular.Schema.infer(
            *(table, target if len(target) > 1 else target[0]), task=options.task, drop=drop
        )
    if shown:
        notes = [f"{options.data}: {note}" for note in table.notes]
        say(*notes, schema)
    else:
        for sentence in schema.warnings:
            warn(sentence)
    return schema


def parts_of(table, schema, options):
    """A Split of the rows that have a target: row numbers of the whole table."""
    rows = schema.labelled(table)
    if len(rows) < table.rows:
        warn(
            f"{', '.join(schema.targets)} is missing in {table.rows - len(rows):,} of "
            f"{table.rows:,} rows, which are left out"
        )
    ways = {name: getattr(options, name) for name in ("groups", "time")}
    ways = {name: column for name, column in ways.items() if column is not None}
    for name, column in ways.items():
        resolved(table, f"--{name}", [column])
    shares = {
        "validation": VALIDATION if options.validation is None else options.validation,
        "test": TEST if options.test is None else options.test,
    }
    if options.split_file is not None:
        for name in ("validation", "test", "groups", "time"):
            if getattr(options, name) is not None:
                options.parser.error(f"argument --{name}: --split-file says which rows are where")
        parts = split_of_file(options.split_file, table.rows)
        kept = [part[np.isin(part, rows)] for part in parts[:3]]
        return parts._replace(**dict(zip(PARTS, kept, strict=True)))
    if schema.task in ("binary", "multiclass") and not ways:
        [ways["stratify"]] = schema.targets
    parts = tabular.split(table.take(rows), **shares, seed=options.seed, **ways)
    return tabular.Split(*(rows[part] for part in parts[:3]), parts.how)


def split_of_file(path, rows):
    """The Split that a file says: JSON of row numbers, or a table with a word for each row."""
    with refusing():
        text = path.read_bytes()[:1]
        if text == b"{":
            try:
                parts = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise Refused(f"{path}: is no JSON: {error}") from None
            if not parts.keys() <= PARTS.keys() or "train" not in parts:
                raise Refused(f"{path}: has {', '.join(parts)}; it must have {', '.join(PARTS)}")
        else:
            parts = words_of(path, rows)
    try:
        found = tabular.given_split(rows, **parts)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    return found._replace(how=f"by {path}")


def words_of(path, rows):
    """{part: row numbers} of a table with a word for each row."""
    words = tabular.read(path)
    name = "split" if "split" in words else words.names[0]
    if name != "split" and len(words.names) > 1:
        raise Refused(f"{path}: has no column split; {near('split', words.names)}")
    if words.rows != rows:
        raise Refused(f"{path}: has {words.rows:,} rows, the table has {rows:,}")
    parts = {part: [] for part in PARTS}
    for row, word in enumerate(words[name].tolist()):
        part = SPLIT_WORDS.get(str(word or "").strip().lower())
        if part is None:
            raise Refused(
                f"{path}: row {row} has {word!r}, it must be {', '.join(SPLIT_WORDS)} or empty"
            )
        if part:
            parts[part].append(row)
    return parts


# ---- training ------------------------------------------------------------------------------------


def fit(train, validation, schema, options, shown):
    """What tabular.fit gives."""
    return tabular.fit(
        train,
        schema=schema,
        validation=validation if validation.rows else 0,
        hidden=options.hidden,
        epochs=options.epochs,
        batch_size=options.batch_size,
        lr=options.lr,
        max_seconds=options.max_seconds,
        ensemble=options.ensemble or 1,
        seed=options.seed,
        callbacks=[EpochLines(every=False)] if shown else (),
        progress=shown,
    )


def histories_of(fitted):
    """The History of each network."""
    return [fitted.history] if isinstance(fitted.history, History) else fitted.history


def history_of(fitted):
    """The History of all networks; of several with a column that says of which."""
    histories = histories_of(fitted)
    if len(histories) == 1:
        return histories[0]
    return History(
        {"member": number, **epoch}
        for number, history in enumerate(histories, 1)
        for epoch in history
    )


# ---- what is said and written --------------------------------------------------------------------


def draw(folder, fitted, rows, scored):
    """Learning curves, and a picture of the scored rows."""
    histories = histories_of(fitted)
    title = "" if len(histories) == 1 else f" (the first of {len(histories)} networks)"
    title = f"{fitted.task} of {', '.join(fitted.schema.targets)}{title}"
    folder.write(CURVES, lambda path: plot.learning_curves(histories[0], path, title))
    target, outputs = fitted.model.target, fitted.model.outputs(rows)
    actual, title = target.actual(rows), f"{rows.rows:,} {PARTS[scored]}"
    name = PICTURES[fitted.task]
    if target.classes is not None:
        matrix = ConfusionMatrix(labels=np.arange(len(target.classes)))(
            target.labels(outputs), actual
        )
        names = [str(value) for value in target.classes.tolist()]
        folder.write(
            name, lambda path: plot.confusion_matrix(matrix, names, path=path, title=title)
        )
    elif fitted.task == "multilabel":
        probabilities = target.probabilities(outputs)
        folder.write(
            name,
            lambda path: plot.roc(
                probabilities, actual, names=target.names, path=path, title=title
            ),
        )
    else:
        predicted = target.decode(outputs)
        pairs = (
            [(predicted, actual)]
            if predicted.ndim == 1
            else zip(predicted.T, actual.T, strict=True)
        )
        figure, panels = grid_of(len(target.names), (4.8, 4.4), title)
        for panel, name_of_target, pair in zip(panels, target.names, pairs, strict=True):
            plot.predicted_against_true(*pair, ax=panel, title=name_of_target)
        folder.write(name, figure.savefig)


def report_of(options, table, fitted, parts, scored, scores):
    """All that is to be known about a run, by name."""
    schema, histories = fitted.schema, histories_of(fitted)
    return {
        "data": {
            "path": options.data,
            "sha256": sha256_of(options.data),
            "rows": table.rows,
            "columns": len(table.names),
        },
        "target": list(schema.targets),
        "task": schema.task,
        "reason": schema.reason,
        "inputs": {column.name: column.kind for column in schema.inputs},
        "warnings": schema.warnings,
        "split": {"how": parts.how, **{part: len(getattr(parts, part)) for part in PARTS}},
        "network": {
            "hidden": fitted.model.architecture["hidden"],
            "parameters": sum(p.numel() for p in fitted.model.parameters()),
            "members": len(histories),
        },
        "epochs": [len(history) for history in histories],
        "stopped": fitted.stopped,
        "seconds": fitted.seconds,
        "seed": options.seed,
        "scored": scored,
        "scores": scores,
        "validation": fitted.scores,
        "command": shlex.join(["pyml", *options.words]),
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": config.show_config(mode="dicts"),
    }


def sha256_of(path):
    """Of a file; None of a folder."""
    if Path(path).is_dir():
        return None
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def say_result(folder, fitted, scored, scores):
    """The scores, where all is, and what to do next."""
    name, best = next(iter(scores.items()))
    where, model = shlex.quote(str(folder.path)), str(folder.path / WEIGHTS)
    say(
        f"\n{fitted.stopped}; {fitted.seconds:.1f} s\n",
        *table_of(scores, PARTS[scored]),
        f"\nwrote {folder.path}: {', '.join(path.name for path in folder.written)}; to use it:\n",
        f"    pyml predict {where} new.csv -o predictions.csv",
        f"    pyml evaluate {where} new.csv",
        f"    pyml inspect {where}\n",
        "    from pyml import tabular",
        f"    model = tabular.TabularModel.load({model!r})",
        '    model.predict("new.csv")\n',
        f"{scored} {name} {best.value:.6g}",
    )
