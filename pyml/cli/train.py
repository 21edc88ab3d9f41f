"""pyml train: a network for a table, or for the bundled digits."""

import argparse
from pathlib import Path

from pyml import config
from pyml.cli import images, tables
from pyml.cli.options import integer, number, pair, widths
from pyml.cli.ranks import of_one_job
from pyml.cli.splits import TEST, VALIDATION
from pyml.tabular import INPUT_KINDS, TASKS

HELP = "train a network on a table or on images"
DESCRIPTION = (
    "Trains a network on a table (CSV, Parquet, JSON, Excel, also compressed) that predicts the "
    "column --target, tests it on rows that had no part in training, and writes it with its "
    "history and pictures into a folder. Without a table: on the bundled handwritten digits, or on "
    "Fashion-MNIST. Under mpiexec all processes train one network, data parallel."
)


def add_options(parser):
    parser.add_argument("data", nargs="?", metavar="TABLE", help="the table; default: the digits")
    of_tables = parser.add_argument_group("tables")
    of_tables.add_argument(
        "--target",
        action="append",
        metavar="COLUMN",
        help="the column to predict; several, with commas or given again, for several outputs",
    )
    of_tables.add_argument("--task", choices=TASKS, help="default: what fits the target")
    of_tables.add_argument(
        "--drop", action="append", metavar="COLUMN", help="not to be predicted from; may come again"
    )
    of_tables.add_argument(
        "--kind",
        action="append",
        type=pair,
        metavar="COLUMN=KIND",
        help=f"what a column is, where the guess is wrong: {', '.join(INPUT_KINDS)}",
    )
    of_tables.add_argument(
        "--validation",
        type=number(above=0, below=1),
        help=f"share of the rows to choose the best epoch by (default: {VALIDATION})",
    )
    of_tables.add_argument(
        "--test",
        type=number(least=0, below=1),
        help=f"share of the rows to test on, 0 for none (default: {TEST})",
    )
    of_tables.add_argument(
        "--groups", metavar="COLUMN", help="rows with one value of it stay in one part"
    )
    of_tables.add_argument("--time", metavar="COLUMN", help="test on the last rows by this column")
    of_tables.add_argument(
        "--split-file",
        metavar="FILE",
        type=Path,
        help='JSON {"train": [0, 1, ...], "validation": [...], "test": [...]}, rows from 0 on; or '
        "a table with one of these words for each row",
    )
    of_tables.add_argument(
        "--max-seconds", type=number(above=0), help="end the training after so long"
    )
    of_tables.add_argument(
        "--ensemble", type=integer(1, 1000), metavar="K", help="average K networks (default: 1)"
    )
    of_images = parser.add_argument_group("images")
    of_images.add_argument(
        "--fashion-mnist",
        metavar="DIR",
        type=Path,
        help="train on Fashion-MNIST: DIR has the original four .gz files",
    )
    of_images.add_argument(
        "--dropout",
        type=number(least=0, below=1),
        help=f"probability of dropping an activation; {images.default('dropout')}",
    )
    both = parser.add_argument_group("both")
    both.add_argument("--epochs", type=integer(1), help=f"at most; {images.default('epochs')}")
    both.add_argument("--batch-size", type=integer(2), help=images.default("batch_size"))
    both.add_argument("--lr", type=number(above=0), help=f"learning rate; {images.default('lr')}")
    both.add_argument(
        "--hidden",
        metavar="N,N,...",
        type=widths,
        help=f"hidden widths; {images.default('hidden')}",
    )
    both.add_argument(
        "--seed", type=integer(0, 2**64 - 1), default=0, help="of all random numbers (default: 0)"
    )
    both.add_argument(
        "--threads",
        type=integer(1),
        help=f"threads to compute with (default here: {config.get_num_threads()}); "
        "the result does not depend on it",
    )
    both.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="the folder to write into; made if missing (default: a new one in runs/)",
    )
    both.add_argument(
        "--force", action="store_true", help="replace the files of another run in the folder"
    )
    both.add_argument(
        "--plot",
        action=argparse.BooleanOptionalAction,
        help="draw the pictures (default: if matplotlib is there)",
    )
    both.add_argument("--json", action="store_true", help="print one document of JSON, no text")
    both.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")


def run(options):
    kind, other = (images, tables) if options.data is None else (tables, images)
    for name in other.OPTIONS:
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            options.parser.error(
                f"argument {option}: is for tables; give one, as pyml train data.csv {option} ..."
                if other is tables
                else f"argument {option}: is for images, and {options.data} is a table"
            )
    if options.threads is not None:
        config.set_num_threads(options.threads)
    with of_one_job():
        return kind.run(options)
