"""Training on a table."""

import hashlib
import shlex
import warnings
from datetime import datetime, timezone
from pathlib import Path

from pyml import config, plot, tabular
from pyml.cli.card import card_of
from pyml.cli.epochs import EpochLines
from pyml.cli.failures import file_or_folder, refusing, warn
from pyml.cli.models import WEIGHTS
from pyml.cli.output import RunFolder, can_draw, default_folder, say, say_json
from pyml.cli.pictures import PICTURES, draw
from pyml.cli.scores import scores_of, table_of
from pyml.cli.splits import PARTS, parts_of, resolved
from pyml.plot.canvas import literal
from pyml.train import History

OPTIONS = (  # that images do not have
    *("target", "task", "drop", "kind", "validation", "test", "groups", "time", "split_file"),
    *("max_seconds", "ensemble"),
)

CARD = "model_card.md"
HISTORY = ("history.csv", "history.json")
CURVES = "curves.png"
SHOWN_NAMES = 20


def run(options):
    """pyml train with a table."""
    shown = not (options.json or options.quiet)
    table = table_to_train_on(options)
    target = resolved(table, "--target", options.target)
    schema = schema_of(table, target, options, shown)
    parts = parts_of(table, schema, options)
    pictures = (CURVES, PICTURES[schema.task][0]) if can_draw(options.plot) else ()
    files = (WEIGHTS, *HISTORY, CARD, *pictures)
    name = Path(options.data).name.partition(".")[0] or "table"
    out = options.out or default_folder(name, options.force)
    with RunFolder(out, files, options.force) as folder:
        if shown:
            sizes = [f"{len(getattr(parts, part)):,} {what}" for part, what in PARTS.items()]
            say(f"split {parts.how}: {', '.join(sizes)}\n")
        train = table.take(parts.train)
        fitted = fit(train, table.take(parts.validation), schema, options, shown)
        history = history_of(fitted)
        folder.write(WEIGHTS, fitted.model.save)
        folder.write(HISTORY[0], history.to_csv)
        folder.write(HISTORY[1], history.to_json)
        scored = next(part for part in ("test", "validation", "train") if len(getattr(parts, part)))
        rows = table.take(getattr(parts, scored))
        scores = scores_of(fitted.model, rows, train)
        if pictures:
            curves = histories_of(fitted)[0]
            title = literal(f"{fitted.task} of {', '.join(schema.targets)}")
            folder.write(pictures[0], lambda path: plot.learning_curves(curves, path, title))
            title = f"{rows.rows:,} {PARTS[scored]}"
            folder.write(pictures[1], lambda path: draw(path, fitted.model, rows, title))
        report = report_of(options, table, fitted, parts, scored, scores)
        folder.write(CARD, lambda path: path.write_text(card_of(report, schema), "utf-8"))
    report["files"] = folder.written
    if options.json:
        say_json(report)
    elif shown:
        say_result(folder, fitted, scored, scores)
    if fitted.interrupted:
        raise KeyboardInterrupt(f"the best model so far is in {folder.path}")
    return 0


# ---- what is trained on --------------------------------------------------------------------------


def table_to_train_on(options):
    """The Table of a path; if it is not said what is to be predicted, an error that names it."""
    with refusing():
        if options.target is not None:
            return tabular.read(file_or_folder(options.data))
        names = next(tabular.read_batches(file_or_folder(options.data), 1)).names
    more = ", ..." if len(names) > SHOWN_NAMES else ""
    options.parser.error(
        "argument --target: which column is to be predicted? there are "
        f"{', '.join(names[:SHOWN_NAMES])}{more}"
    )


def schema_of(table, target, options, shown):
    """The Schema, printed if it is to be shown; else its warnings go to stderr."""
    drop = resolved(table, "--drop", options.drop)
    kinds = {
        name: kind
        for names, kind in options.kind or ()
        for name in resolved(table, "--kind", [names])
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tabular.TableWarning)
        schema = tabular.Schema.infer(
            *(table, target if len(target) > 1 else target[0]),
            task=options.task,
            kinds=kinds,
            drop=drop,
        )
    if shown:
        notes = [f"{options.data}: {note}" for note in table.notes]
        say(*notes, schema)
    else:
        for sentence in schema.warnings:
            warn(sentence)
    return schema


# ---- training ------------------------------------------------------------------------------------


def fit(train, validation, schema, options, shown):
    """What tabular.fit gives.

    Raises:
        KeyboardInterrupt: on Ctrl-C before there is a model.
    """
    try:
        fitted = tabular.fit(
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
        if not history_of(fitted):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise KeyboardInterrupt("there was no model yet, nothing was written") from None
    return fitted


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
