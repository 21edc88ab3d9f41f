"""pyml predict: the rows of a table with predictions beside them."""

import csv
import json
import os
import sys
from contextlib import nullcontext

from pyml import tabular
from pyml.cli.failures import Refused, file_or_folder, refusing
from pyml.cli.models import add_model, loaded
from pyml.cli.output import plain, say, told_of_stdout, whole_file
from pyml.cli.splits import resolved
from pyml.tabular.values import names_of as texts_of

HELP = "predict the rows of a table"
DESCRIPTION = (
    "Predicts the rows of a table of any size, some thousand at a time. Each row of the result has "
    "the columns --id, the prediction, and for classes the probability of each."
)

ROWS = 8192  # that are read, predicted and written at a time


def add_options(parser):
    add_model(parser)
    parser.add_argument(
        "data", metavar="TABLE", help="with the columns that the model was trained on"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the CSV to write (default: standard output)"
    )
    parser.add_argument(
        "--id",
        action="append",
        metavar="COLUMN",
        help="a column of the table to keep, as it is written; may come again",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument("--json", action="store_true", help="an object of JSON a row, no CSV")
    parser.add_argument("--quiet", action="store_true", help="do not say what was written")


def run(options):
    model = loaded(options.model)
    with refusing():
        source = file_or_folder(options.data)
        head = next(tabular.read_batches(source, 1)) if options.id else ()
        kept = resolved(head, "--id", options.id)
        batches = tabular.read_batches(source, ROWS, schema=model.schema, text=kept)
        batch = next(batches)
    rows = rows_of(model, batch, kept)  # what is refused is, before anything is written
    names = [*kept, *names_of(model)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Refused(f"argument --id: {twice!r} is what a prediction is called; rename the column")
    to_stdout = options.output in (None, "-")
    if not to_stdout and is_same_file(options.data, options.output):
        raise Refused(f"{options.output} is the table itself; -o names another file")
    count = 0
    with (
        told_of_stdout() if to_stdout else nullcontext(),
        nullcontext(sys.stdout) if to_stdout else whole_file(options.output, options.force) as file,
    ):
        lines = csv.writer(file, lineterminator="\n")
        if not options.json:
            lines.writerow(names)
        while batch is not None:
            if options.json:
                for row in rows:
                    content = plain(dict(zip(names, row, strict=True)))
                    file.write(json.dumps(content, ensure_ascii=False) + "\n")
            else:
                lines.writerows(rows)
            count += batch.rows
            batch = next(batches, None)
            rows = () if batch is None else rows_of(model, batch, kept)
    if not (to_stdout or options.quiet):
        say(f"wrote {count:,} rows to {options.output}")
    return 0


def is_same_file(path, other):
    return os.path.exists(other) and os.path.samefile(path, other)


def names_of(model):
    """What the columns of predictions are called."""
    target = model.target
    if target.task in ("binary", "multiclass"):
        return ["prediction", *(f"probability_{name}" for name in target.classes.tolist())]
    if target.task == "multilabel":
        return [f"{what}_{name}" for what in ("prediction", "probability") for name in target.names]
    if target.task == "multioutput":
        return [f"prediction_{name}" for name in target.names]
    return ["prediction"]


def rows_of(model, batch, kept):
    """Rows of some columns of a batch, as text, None where it is missing, and of predictions."""
    beside = [texts_of(batch[name]).tolist() for name in kept]
    return zip(*beside, *columns_of(model, batch), strict=True)


def columns_of(model, batch):
    """The columns of predictions of some rows, as lists."""
    target, outputs = model.target, model.outputs(batch)
    predicted = target.decode(outputs)
    columns = [predicted] if predicted.ndim == 1 else list(predicted.T)
    if target.task in ("binary", "multiclass", "multilabel"):
        columns += list(target.probabilities(outputs).T)
    return [column.tolist() for column in columns]
