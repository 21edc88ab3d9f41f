"""Fashion-MNIST beside its published figures: test accuracy of pyml.estimators' MLPClassifier.

    python -m bench.fashion --seeds 5

"relu [100]" has the settings of the published table, .871: pixels standardised, scikit-learn's
defaults, one hidden layer of 100 (Xiao et al. 2017, arXiv:1708.07747, table 3). "256-128-64" has
the widths of the network that its authors list with .900, and options chosen before any was run:
batch norm, dropout, AdamW with a cosine of the rate. Seconds are of fit.
"""

import statistics
import warnings
from time import perf_counter

from pyml.data import load_fashion_mnist

from .compare import Table, about, parse, parser
from .epoch import add_directory
from .tables import cpu_seconds

RECIPE = {  # of 256-128-64
    **{"batch_norm": True, "dropout": 0.2, "optimizer": "adamw", "schedule": "cosine"},
    **{"learning_rate_init": 2e-3, "batch_size": 128, "max_iter": 30, "n_iter_no_change": 30},
}
ROWS = {  # (hidden layers, options, published)
    "relu [100]": ((100,), {}, 0.871),
    "256-128-64": ((256, 128, 64), RECIPE, 0.900),
}
QUICK_ROWS = 500


def parts(directory):
    """Pixels, standardised by the training images, and labels, of training and of test."""
    from sklearn.preprocessing import StandardScaler

    (x, y), (x_test, y_test) = (
        [part.numpy() for part in load_fashion_mnist(directory, part)] for part in ("train", "test")
    )
    scaler = StandardScaler().fit(x)
    return scaler.transform(x), y, scaler.transform(x_test), y_test


def rows(options):
    from pyml.estimators import MLPClassifier

    warnings.simplefilter("ignore")  # that max_iter was reached
    if not options.fashion_mnist.is_dir():
        return
    x, y, x_test, y_test = parts(options.fashion_mnist)
    if options.quick:
        x, y = x[:QUICK_ROWS], y[:QUICK_ROWS]
    for name, (hidden, given, published) in ROWS.items():
        if options.rows is not None and name not in options.rows:
            continue
        given = {**given, "max_iter": 2} if options.quick else given
        scores, seconds, used = [], [], []
        for seed in range(options.seeds):
            began, before = perf_counter(), cpu_seconds()
            mlp = MLPClassifier(hidden, random_state=seed, dtype="float32", **given).fit(x, y)
            seconds.append(perf_counter() - began)
            used.append(cpu_seconds() - before)
            scores.append(mlp.score(x_test, y_test))
        deviation = statistics.stdev(scores) if len(scores) > 1 else None
        yield {
            "network": name,
            "seeds": len(scores),
            "test": f"{statistics.mean(scores):.4f}",
            "+-": None if deviation is None else f"{deviation:.4f}",
            "published": f"{published:.3f}",
            "seconds": statistics.mean(seconds),
            "CPU": statistics.mean(used),
        }


def main(argv=None):
    options = parser(__doc__)
    add_directory(options)
    options.add_argument(
        "--rows",
        type=lambda text: text.split(","),
        help=f"some of: {', '.join(ROWS)} (default: all)",
    )
    options.add_argument("--seeds", type=int, default=1, help="from 0 on (default: 1)")
    options = parse(options, argv)
    if not options.fashion_mnist.is_dir():
        print(f"{options.fashion_mnist} is not there: no row")
    columns = ["network", "threads", "seeds", "test", "+-", "published", "seconds", "CPU"]
    caption = "accuracy of 10,000 test images; seconds of fit by the clock and of the processors"
    Table(about("scikit-learn"), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
