"""TabularClassifier() and TabularRegressor() beside scikit-learn's MLP and trees, nothing tuned.

    python -m bench.defaults --seeds 3 --diamonds diamonds.csv --adult adult.parquet.brotli \\
        --california california_housing.parquet.brotli --computers Computers.csv --hdma Hdma.csv

Ten data sets that packages ship, chosen before any was run: scikit-learn's own; those of
bench.tables, on the published split, whose validation rows all sides may train on; and Ecdat's
Computers (Stengos and Zacharias 2006) and Hdma (Munnell et al. 1996) of pydataset. Where no split
is published, the score is the mean of five folds. All are accuracy or R^2 of test rows, means over
seeds. The MLP of scikit-learn gets numbers standardised and categories one-hot, its trees
categories as such.
"""

import statistics
import warnings

import numpy as np

from pyml import tabular

from .compare import Table, about, parse, parser
from .estimators import parts
from .quality import frame_of, scikit_mlp, scikit_trees
from .tables import TABLES, Known, cpu_seconds, parts_of

OF_SCIKIT = {"iris": True, "wine": True, "breast_cancer": True, "digits": True, "diabetes": False}
OF_FILES = {
    **{name: known for name, known in TABLES.items() if known.published is not None},
    "computers": Known("price", "rmse", None),
    "hdma": Known("deny", "accuracy", None),
}


def of_pyml(x, y, seed, has_classes, validation):
    from pyml.estimators import TabularClassifier, TabularRegressor

    return (TabularClassifier if has_classes else TabularRegressor)(random_state=seed).fit(x, y)


SIDES = {"pyml": of_pyml, "scikit-learn MLP": scikit_mlp, "scikit-learn trees": scikit_trees}


def loaded(name, source):
    """Inputs as a frame, the target, whether it has classes, and rows to train on and to test."""
    if source is None:
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
        return x, np.asarray(y), OF_SCIKIT[name], parts(y, OF_SCIKIT[name])
    known, table = OF_FILES[name], tabular.read(source)
    x, y = frame_of(table, known)
    has_classes = known.metric == "accuracy"
    y = np.unique(y.astype(str), return_inverse=True)[1] if has_classes else y.astype(float)
    if known.published is None:
        return x, y, has_classes, parts(y, has_classes)
    train, validation, test = parts_of(name, table)
    return x, y, has_classes, [(np.concatenate([train, validation]), test)]


def rows(options):
    warnings.simplefilter("ignore")
    given = dict.fromkeys(OF_SCIKIT) | {
        name: getattr(options, name) for name in OF_FILES if getattr(options, name)
    }
    for name, source in list(given.items())[: 1 if options.quick else None]:
        x, y, has_classes, splits = loaded(name, source)
        scores, seconds = {side: [] for side in SIDES}, {}
        for side, fit in SIDES.items():
            used = cpu_seconds()
            for seed in range(options.seeds):
                for train, test in splits[: 1 if options.quick else None]:
                    model = fit(x.iloc[train], y[train], seed, has_classes, None)
                    scores[side].append(model.score(x.iloc[test], y[test]))
            seconds[side] = (cpu_seconds() - used) / len(scores[side])
        found = {side: statistics.mean(each) for side, each in scores.items()}
        yield {
            "table": name,
            "rows": len(x),
            "metric": "accuracy" if has_classes else "R2",
            **{side: f"{score:.4f}" for side, score in found.items()},
            "best": max(found, key=found.get),
            **{f"s {side}": f"{seconds[side]:.2f}" for side in SIDES},
        }


def main(argv=None):
    options = parser(__doc__)
    for name in OF_FILES:
        options.add_argument(f"--{name}", metavar="FILE", help="without it, it is left out")
    options.add_argument("--seeds", type=int, default=1, help="from 0 on (default: 1)")
    options = parse(options, argv)
    columns = ["table", "rows", "threads", "metric", *SIDES, "best", *(f"s {s}" for s in SIDES)]
    caption = "mean scores of test rows, and CPU seconds of a fit with its score"
    Table(about("scikit-learn"), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
