"""pyml evaluate: how good a model is on a table."""

from pyml import tabular
from pyml.cli.failures import Refused, file_or_folder, refusing
from pyml.cli.models import add_model, loaded
from pyml.cli.output import say, say_json
from pyml.cli.scores import labelled, scores_of, table_of

HELP = "score a model on a table that has the target"
DESCRIPTION = (
    "Scores a model on the rows of a table that has the target, beside a baseline that says the "
    "same of each of them. The interval is that of 95 % of resampled rows."
)


def add_options(parser):
    add_model(parser)
    parser.add_argument(
        "data", metavar="TABLE", help="with the columns that the model was trained on"
    )
    parser.add_argument("--json", action="store_true", help="print one document of JSON")


def run(options):
    model = loaded(options.model)
    with refusing():
        table = tabular.read(file_or_folder(options.data), schema=model.schema)
    table, left_out = labelled(model.schema, table)
    if table.rows == 0:
        raise Refused(f"{options.data}: has no row with {', '.join(model.schema.targets)}")
    scores = scores_of(model, table)
    if options.json:
        content = {"data": options.data, "rows": table.rows, "without_target": left_out}
        say_json({**content, "task": model.schema.task, "scores": scores})
        return 0
    note = f"; {left_out:,} without a target are left out" if left_out else ""
    say(f"{options.data}: {table.rows:,} rows{note}\n", *table_of(scores, "rows"))
    return 0
