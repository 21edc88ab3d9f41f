"""Networks trained with products of bfloat16, beside float32: scores of test rows over seeds.

Every seed trains both, from the same first weights and with the same order of rows; pyml.autocast
is all that differs. "digits" and Fashion-MNIST are pyml.estimators' MLPClassifier, the latter with
the options of bench.fashion's 256-128-64; diamonds is the published network of bench.quality. What
bfloat16 costs is the difference of the means, beside the deviation of float32 over the seeds.

    python -m bench.bfloat16 --seeds 5 --diamonds diamonds.csv
"""

import statistics
import warnings
from contextlib import nullcontext

import pyml
from pyml import tabular

from .compare import Table, about, parse, parser
from .epoch import add_directory
from .fashion import QUICK_ROWS, RECIPE, parts
from .quality import ROWS, of_pyml, score_of
from .tables import TABLES, parts_of


def of_images(hidden, given, x, y, x_test, y_test):
    """A function of a seed."""
    from pyml.estimators import MLPClassifier

    def score(seed):
        mlp = MLPClassifier(hidden, random_state=seed, dtype="float32", **given)
        return mlp.fit(x, y).score(x_test, y_test)

    return score


def digits(options):
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x / 16, y, test_size=0.3, random_state=0, stratify=y)
    return of_images((256, 256), {"max_iter": 60}, x, y, x_test, y_test)


def fashion(options):
    x, y, x_test, y_test = parts(options.fashion_mnist)
    given = RECIPE
    if options.quick:
        x, y, given = x[:QUICK_ROWS], y[:QUICK_ROWS], {**RECIPE, "max_iter": 2}
    return of_images((256, 128, 64), given, x, y, x_test, y_test)


def diamonds(options):
    known, table = TABLES["diamonds"], tabular.read(options.diamonds)
    pieces = [table.take(rows) for rows in parts_of("diamonds", table)]

    def score(seed):
        epochs = 1 if options.quick else None
        predict, *_ = of_pyml(ROWS["diamonds"]["mlp"], known, pieces, seed, epochs)
        return score_of(known, predict(pieces[2]), pieces[2]) / table[known.target].std()

    return score


def cases(options):
    """{name: (metric, a function of a seed)}"""
    yield "digits", "accuracy", digits(options)
    if options.fashion_mnist.is_dir():
        yield "Fashion-MNIST", "accuracy", fashion(options)
    if options.diamonds is not None:
        yield "diamonds mlp", "rmse", diamonds(options)


def rows(options):
    warnings.simplefilter("ignore")  # that max_iter was reached, that there is no bfloat16
    for name, metric, score in cases(options):
        found = {"float32": [], "bfloat16": []}
        for seed in range(options.seeds):
            for dtype, scores in found.items():
                with pyml.autocast() if dtype == "bfloat16" else nullcontext():
                    scores.append(score(seed))
        means = {dtype: statistics.mean(scores) for dtype, scores in found.items()}
        spread = [statistics.stdev(scores) if options.seeds > 1 else 0 for scores in found.values()]
        cost = means["bfloat16"] - means["float32"]
        yield {
            **{"data": name, "metric": metric, "seeds": options.seeds},
            **{"float32": f"{means['float32']:.4f}", "+-": f"{spread[0]:.4f}"},
            **{"bfloat16": f"{means['bfloat16']:.4f}", "its +-": f"{spread[1]:.4f}"},
            "difference": f"{cost:+.4f}",
        }


def main(argv=None):
    options = parser(__doc__)
    add_directory(options)
    options.add_argument("--diamonds", metavar="FILE", help="without it, it is left out")
    options.add_argument("--seeds", type=int, default=5, help="from 0 on (default: 5)")
    options = parse(options, argv)
    if options.quick:
        options.seeds = 1
    unit = pyml.show_config("dicts")["bfloat16"]
    columns = ["data", "metric", "threads", "seeds", "float32", "+-", "bfloat16", "its +-"]
    columns += ["difference"]
    caption = f"means and deviations of the scores of test rows; bfloat16 by {unit}"
    Table(about("scikit-learn"), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
