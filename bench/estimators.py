"""pyml.estimators' MLPs beside scikit-learn's, with the same parameters: seconds and scores.

A time is of the fits of a cross-validation of five folds: CPU seconds of the process, the sides
taking turns, so that others at work on the machine count for little. A score is the folds' mean, of
accuracy or R^2. "float32" is pyml with dtype="float32".
"""

import statistics
import warnings
from time import perf_counter, process_time

import numpy as np

from .compare import Table, about, parse, parser

FOLDS, LEAST = 5, 3
SOLVERS = {  # parameters of both
    "adam": {},
    "adam, early stopping": {"early_stopping": True},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "lbfgs": {"solver": "lbfgs"},
}
DATA = {"digits": True, "breast_cancer": True, "wine": True, "diabetes": False}  # of classes?
SIDES = {  # (module, parameters of its own)
    "sklearn": ("sklearn.neural_network", {}),
    "pyml": ("pyml.estimators", {}),
    "float32": ("pyml.estimators", {"dtype": "float32"}),
}


def estimator(side, has_classes, parameters):
    """An estimator that is not fitted."""
    from importlib import import_module

    module, own = SIDES[side]
    made = getattr(import_module(module), "MLPClassifier" if has_classes else "MLPRegressor")
    return made(random_state=0, **parameters, **own)


def parts(y, has_classes):
    """Rows to train on and to test, of each fold."""
    from sklearn.model_selection import KFold, StratifiedKFold

    made = (StratifiedKFold if has_classes else KFold)(FOLDS, shuffle=True, random_state=0)
    return list(made.split(np.zeros(len(y)), y))


def folds(name, has_classes):
    """(train, target, test, target) of each, numbers scaled by the training rows."""
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    y = y if has_classes else (y - y.mean()) / y.std()
    for train, test in parts(y, has_classes):
        scaler = StandardScaler().fit(x[train])
        yield scaler.transform(x[train]), y[train], scaler.transform(x[test]), y[test]


def fitted(side, has_classes, parameters, data):
    """Seconds, and the mean score."""
    seconds, scores = 0.0, []
    for x, y, x_test, y_test in data:
        model = estimator(side, has_classes, parameters)
        start = process_time()
        model.fit(x, y)
        seconds += process_time() - start
        scores.append(model.score(x_test, y_test))
    return seconds, float(np.mean(scores))


def rows(options):
    warnings.simplefilter("ignore")  # that max_iter was reached
    for name in options.data:
        has_classes = DATA[name]
        data = list(folds(name, has_classes))[: 1 if options.quick else FOLDS]
        for solver, parameters in SOLVERS.items():
            if options.quick:
                parameters = {**parameters, "max_iter": 2}
            times, scores = {side: [] for side in SIDES}, {}
            end, turns = perf_counter() + options.seconds, 0
            while turns < (1 if options.quick else LEAST) or perf_counter() < end:
                for side in SIDES:
                    seconds, scores[side] = fitted(side, has_classes, parameters, data)
                    times[side].append(seconds)
                turns += 1
            taken = {side: statistics.median(each) for side, each in times.items()}
            yield {
                "data and solver": f"{name}: {solver}",
                **taken,
                "sklearn / pyml": taken["sklearn"] / taken["pyml"],
                "sklearn / float32": taken["sklearn"] / taken["float32"],
                **{f"score {side}": f"{score:.4f}" for side, score in scores.items()},
            }


def main(argv=None):
    options = parser(__doc__)
    options.add_argument(
        "--data",
        type=lambda text: text.split(","),
        default=list(DATA),
        help=f"data sets (default: {','.join(DATA)})",
    )
    options = parse(options, argv)
    ratios = [f"sklearn / {side}" for side in SIDES if side != "sklearn"]
    scores = [f"score {side}" for side in SIDES]
    columns = ["data and solver", "threads", *SIDES, *ratios, *scores]
    table = Table(about("scikit-learn"), columns, label=35, caption="CPU seconds of five fits")
    table.run(rows, options)


if __name__ == "__main__":
    main()
