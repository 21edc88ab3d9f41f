"""Recipes for tables beside their published results, on the published splits.

    python -m bench.quality --diamonds diamonds.csv --rows mlp,mlp-plr --seeds 5 --threads 2 \\
        --california california_housing.parquet.brotli --adult adult.parquet.brotli

The files are those of bench.tables. Rows that are named as recipes have the published options,
which were tuned on each table, but for the untuned ones: realmlp-td-s; realmlp-td, mlp-plr-untuned,
tabm-mini-untuned and "default", tabular.fit with no option, which are the presets "realmlp", "plr",
"tabm" and "fast" of the estimators. Published figures are of 15 seeds, their seconds those of the
whole run on an A100 (Gorishniy et al. 2024, arXiv:2410.24210). Members of TabM have batches of
their own, but for "tabm" on California housing, where the options are of a shared one. Peers train
on the training rows at their defaults: numbers standardised and categories one-hot for the MLP of
scikit-learn, categories as such for trees. What is not installed is left out. With --checkpoints a
fit that was ended goes on from its last epoch with the same bits. "of peak" is how much of the peak
of multiply-adds, of as many cores as there are threads (bench.machine), the floating-point
operations of the steps are, as stats() counts them, over the seconds of the whole fit: those of
validation count as time alone.
"""

import statistics
import time
import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyml import get_num_threads, tabular
from pyml.train import Callback, Checkpoint, load_checkpoint

from .compare import Table, about, parse, parser
from .machine import peak
from .tables import TABLES, cpu_seconds, made, parts_of


class Published(NamedTuple):
    """A result of a paper.

    Attributes:
        recipe: its name.
        options: as tuned on the table.
        score: the mean of the test rows, None where there is none.
        deviation: over the seeds, None where it is not known.
        seconds: of a whole run on an A100, None where they are not known.
        parameters: how many the network has.
    """

    recipe: str | None
    options: dict
    score: float | None = None
    deviation: float | None = None
    seconds: float | None = None
    parameters: int | None = None


def tuned(recipe, blocks, width, dropout, lr, decay, score, deviation, seconds, parameters, **more):
    """A row of the paper's tuned options."""
    options = {"hidden": (width,) * blocks, "dropout": dropout, "lr": lr, "weight_decay": decay}
    options |= {"shares_batches": False} if recipe.startswith("tabm") else {}
    return Published(recipe, options | more, score, deviation, seconds, parameters)


def plr(size, frequencies, sigma):
    return {"embedding_dim": size, "num_frequencies": frequencies, "sigma": sigma}


def ple(size, bins):
    return {"embedding_dim": size, "num_bins": bins}


PLAIN = {"embedding": None}
SHARED = {"embedding": None, "shares_batches": True}
UNTUNED = {
    **{name: Published(name, {}) for name in ("realmlp-td-s", "realmlp-td")},
    **{f"{name}-untuned": Published(name, {}) for name in ("mlp-plr", "tabm-mini")},
    "default": Published(None, {}),
}

ROWS = {
    "diamonds": {
        "mlp": tuned("mlp", 5, 96, 0.02871, 6.0259e-4, 0, 0.1404, 0.0011, 17.5, 39_937),
        "mlp-plr": tuned(
            "mlp-plr",
            1,
            496,
            0.44895,
            4.9777e-4,
            4.3672e-4,
            0.1337,
            None,
            12.7,
            100_121,
            **plr(24, 60, 0.4471),
        ),
        "mlp-ple": tuned(
            "mlp-ple",
            3,
            176,
            0,
            3.7339e-4,
            5.1375e-4,
            0.1323,
            0.0010,
            12.6,
            107_937,
            **ple(24, 112),
        ),
        "tabm-mini": tuned(
            "tabm-mini", 4, 96, 0, 7.6458e-4, 0, 0.1315, None, 37.0, 80_544, **ple(32, 114)
        ),
        "tabm": tuned(
            "tabm", 3, 432, 0.06710, 8.3843e-4, 0.09943, 0.1310, 0.0007, 62.0, 509_760, **PLAIN
        ),
        "tabm-ple": tuned(
            "tabm", 4, 112, 0, 2.1708e-3, 0.04088, 0.1302, 0.0005, 29.7, 108_512, **ple(16, 114)
        ),
        **UNTUNED,
    },
    "california": {
        "mlp": tuned("mlp", 2, 208, 0.17187, 5.6356e-4, 0.02876, 0.4948, 0.0056, 18.0, 45_553),
        "mlp-plr": tuned(
            "mlp-plr",
            1,
            832,
            0.46608,
            6.8324e-4,
            0,
            0.4597,
            None,
            4.8,
            215_617,
            **plr(28, 60, 0.4707),
        ),
        "mlp-ple": tuned(
            "mlp-ple", 2, 672, 0.26082, 3.8854e-5, 0, 0.4530, None, 31.5, 578_721, **ple(20, 108)
        ),
        "tabm-mini": tuned(
            "tabm-mini", 3, 576, 0.24050, 2.9926e-4, 0, 0.4275, None, 43.7, 765_664, **ple(16, 30)
        ),
        "tabm": tuned("tabm", 3, 352, 0.16974, 8.4687e-4, 0, 0.4509, None, 33.5, 352_288, **SHARED),
        "tabm-ple": tuned(
            "tabm",
            3,
            416,
            0.18105,
            1.0150e-4,
            1.8959e-4,
            0.4293,
            None,
            99.4,
            545_472,
            **ple(20, 47),
        ),
        **UNTUNED,
    },
    "adult": {
        "mlp": tuned("mlp", 4, 400, 0.23115, 1.0632e-4, 0.07951, 0.8540, 0.0018, 13.8, 525_602),
        "mlp-plr": tuned(
            "mlp-plr",
            3,
            112,
            0.19897,
            3.2227e-5,
            0,
            0.8694,
            None,
            16.0,
            60_594,
            **plr(16, 64, 7.953),
        ),
        "mlp-ple": tuned(
            "mlp-ple",
            1,
            880,
            0.39620,
            5.1359e-4,
            1.1489e-3,
            0.8603,
            None,
            10.3,
            236_258,
            **ple(24, 117),
        ),
        "tabm-mini": tuned(
            "tabm-mini",
            3,
            864,
            0.20836,
            1.2154e-3,
            0.07289,
            0.8700,
            0.0007,
            13.3,
            1_764_136,
            **ple(20, 117),
        ),
        "tabm": tuned("tabm", 4, 320, 0.38651, 9.1760e-4, 0, 0.8575, None, 30.1, 478_400, **PLAIN),
        "tabm-ple": tuned(
            "tabm", 3, 496, 0.06181, 1.6542e-3, 0, 0.8694, None, 15.5, 812_864, **ple(28, 114)
        ),
        **UNTUNED,
    },
    "made": {
        "mlp": Published("mlp", {"hidden": (8,), "epochs": 2}),
        "tabm-mini": Published("tabm-mini", {"hidden": (8,), "epochs": 2, "members": 2}),
    },
}


# ---- pyml ----------------------------------------------------------------------------------------


def recipe_of(row):
    """What tabular.fit takes: the recipe with its options, None for the default."""
    return row.recipe and tabular.RECIPES[row.recipe].replace(**row.options)


class Operations(Callback):
    """Counts the floating-point operations of all steps, as far as they are recorded."""

    count = 0

    def on_train_end(self, logs=None):
        with suppress(RuntimeError):  # nothing is recorded
            [step, *_] = self.trainer._steps.values()
            self.count = self.trainer.steps * step.stats().flops


def of_pyml(row, known, parts, seed, epochs=None, max_seconds=None, path=None):
    """The model as a function of rows, the number of its parameters, and what the fit took.

    Args:
        epochs, max_seconds: at most; None: the recipe's, and no limit.
        path: of the checkpoint that is written, and gone on from where it is there; None for none.

    Returns:
        The latter as seconds by the clock, of the processors, and the share of the peak. Of epochs
        of a run before only the clock's seconds are known: the second is None.
    """
    train, validation, _ = parts
    resume = path if path is not None and path.exists() else None
    past = [] if resume is None else load_checkpoint(path, generator=False).progress["history"]
    operations = Operations()
    began, before = time.perf_counter(), cpu_seconds()
    fitted = tabular.fit(
        train,
        known.target,
        recipe=recipe_of(row),
        validation=validation,
        seed=seed,
        epochs=epochs,
        max_seconds=max_seconds,
        callbacks=[operations, *([] if path is None else [Checkpoint(path)])],
        resume=resume,
        progress=False,
    )
    clock, cpu = time.perf_counter() - began, cpu_seconds() - before
    size = sum(p.numel() for p in fitted.model.parameters())
    clock += sum(epoch["seconds"] for epoch in past)
    share = operations.count / (1e9 * clock * get_num_threads() * peak("multiply_add"))
    return fitted.model.predict, size, (clock, None if past else cpu, share)


# ---- peers ---------------------------------------------------------------------------------------


def frame_of(table, known):
    """Inputs as a frame whose texts are categories, and the target."""
    import pandas

    frame = pandas.DataFrame({name: table[name] for name in table.names})
    schema = tabular.Schema.infer(table, known.target)
    frame = frame[[column.name for column in schema.inputs]]
    texts = [name for name in frame if frame[name].dtype.kind == "O"]
    return frame.astype(dict.fromkeys(texts, "category")), np.asarray(table[known.target])


def scikit_mlp(x, y, seed, is_of_classes, validation):
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include="number")),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore"),
                make_column_selector(dtype_include="category"),
            ),
        ]
    )
    made = MLPClassifier if is_of_classes else MLPRegressor
    return make_pipeline(columns, made(random_state=seed)).fit(x, y)


def scikit_trees(x, y, seed, is_of_classes, validation):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = HistGradientBoostingClassifier if is_of_classes else HistGradientBoostingRegressor
    return made(categorical_features="from_dtype", random_state=seed).fit(x, y)


def xgboost(x, y, seed, is_of_classes, validation):
    from xgboost import XGBClassifier, XGBRegressor

    made = XGBClassifier if is_of_classes else XGBRegressor
    return made(enable_categorical=True, random_state=seed).fit(x, y)


def catboost(x, y, seed, is_of_classes, validation):
    from catboost import CatBoostClassifier, CatBoostRegressor

    names = list(x.select_dtypes("category"))
    made = CatBoostClassifier if is_of_classes else CatBoostRegressor
    model = made(random_seed=seed, cat_features=names, verbose=0, allow_writing_files=False)
    return model.fit(x, y)


def lightgbm(x, y, seed, is_of_classes, validation):
    from lightgbm import LGBMClassifier, LGBMRegressor

    made = LGBMClassifier if is_of_classes else LGBMRegressor
    return made(random_state=seed, verbose=-1).fit(x, y)


def pytabkit(x, y, seed, is_of_classes, validation, n_epochs=None):
    import pandas
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    made = RealMLP_TD_S_Classifier if is_of_classes else RealMLP_TD_S_Regressor
    held, held_y = validation
    rows = np.arange(len(x), len(x) + len(held))
    model = made(device="cpu", random_state=seed, n_epochs=n_epochs)
    return model.fit(pandas.concat([x, held]), np.concatenate([y, held_y]), val_idxs=rows)


PEERS = {
    "scikit-learn MLP": ("sklearn", scikit_mlp),
    "scikit-learn trees": ("sklearn", scikit_trees),
    "XGBoost": ("xgboost", xgboost),
    "CatBoost": ("catboost", catboost),
    "LightGBM": ("lightgbm", lightgbm),
    "pytabkit TD-S": ("pytabkit", pytabkit),
}


def of_peer(name, known, parts, seed, epochs):
    train, validation, test = parts
    frames = [frame_of(part, known) for part in (train, validation, test)]
    for column in frames[0][0].select_dtypes("category"):
        levels = [*map(str, frames[0][0][column].cat.categories), "missing"]  # as CatBoost asks
        for frame, _ in frames:
            texts = frame[column].astype(str)
            texts = texts.where(texts.isin(levels), "missing")
            frame[column] = texts.astype("category").cat.set_categories(levels)
    is_of_classes, (x, y) = known.metric == "accuracy", frames[0]
    codes = None
    if is_of_classes:
        codes, y = np.unique(y.astype(str), return_inverse=True)
        held_y = np.searchsorted(codes, frames[1][1].astype(str))
    else:
        held_y = frames[1][1]
    more = {"n_epochs": epochs} if name == "pytabkit TD-S" else {}
    began, used = time.perf_counter(), cpu_seconds()
    model = PEERS[name][1](x, y, seed, is_of_classes, (frames[1][0], held_y), **more)
    seconds = time.perf_counter() - began, cpu_seconds() - used, None
    found = np.asarray(model.predict(frames[2][0])).ravel()
    return (codes[found.astype(int)] if is_of_classes else found), seconds


# ---- rows ----------------------------------------------------------------------------------------


def score_of(known, predicted, table):
    """Of the test rows: accuracy, or the root of the mean squared error in the table's unit."""
    actual = np.asarray(table[known.target])
    if known.metric == "accuracy":
        return float(np.mean(predicted.astype(str) == actual.astype(str)))
    return float(np.sqrt(np.mean(np.square(predicted.astype(float) - actual.astype(float)))))


def measured(name, row, source, options):
    """A row of the table: scores and seconds over the seeds."""
    known, table = TABLES[name], tabular.read(source)
    parts = [table.take(part) for part in parts_of(name, table)]
    unit = np.asarray(table[known.target]).std() if known.is_standard else 1
    scores, takes, size = [], [], None
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        if row in PEERS:
            predicted, taken = of_peer(row, known, parts, seed, options.epochs)
        else:
            path = options.checkpoints and options.checkpoints / f"{name}.{row}.{seed}.safetensors"
            limits = options.epochs, options.max_seconds
            predict, size, taken = of_pyml(ROWS[name][row], known, parts, seed, *limits, path)
            predicted = predict(parts[2])
        scores.append(score_of(known, predicted, parts[2]) / unit)
        takes.append(taken)
    of = ROWS[name].get(row, Published(None, {}))
    if of.parameters is not None and size != of.parameters:
        raise SystemExit(f"bench.quality: {name} {row}: {size} parameters, not {of.parameters}")
    deviation = statistics.stdev(scores) if len(scores) > 1 else None
    clock, cpu, share = (
        None if None in each else statistics.mean(each) for each in zip(*takes, strict=True)
    )
    found = {
        "test": statistics.mean(scores),
        "+-": deviation,
        "published": of.score,
        "its +-": of.deviation,
    }
    return {
        "table": name,
        "row": row,
        "metric": known.metric,
        "seeds": len(scores),
        **{key: None if value is None else f"{value:.4f}" for key, value in found.items()},
        "seconds": clock,
        "CPU": cpu,
        "A100": of.seconds,
        "of peak": share,
    }


def rows(options):
    warnings.simplefilter("ignore")
    sources = {"made": made()} if options.quick else vars(options)
    for name, of_table in ROWS.items():
        if sources.get(name) is None:
            continue
        peers = [peer for peer, (package, _) in PEERS.items() if find_spec(package)]
        peers = [] if options.quick else peers
        for row in [*of_table, *peers]:
            if options.rows is None or row in options.rows:
                yield measured(name, row, sources[name], options)


def main(argv=None):
    options = parser(__doc__)
    for name in TABLES:
        if name != "made":
            options.add_argument(f"--{name}", metavar="FILE", help="without it, it is left out")
    names = list(dict.fromkeys([*(row for each in ROWS.values() for row in each), *PEERS]))
    options.add_argument(
        "--rows",
        type=lambda text: text.split(","),
        help=f"some of: {', '.join(names)} (default: all)",
    )
    options.add_argument("--seeds", type=int, default=1, help="how many (default: 1)")
    options.add_argument(
        "--first-seed", type=int, default=0, help="the others follow it (default: 0)"
    )
    options.add_argument(
        "--epochs", type=int, help="of pyml's and pytabkit's networks (default: the recipe's)"
    )
    options.add_argument("--max-seconds", type=float, help="of a fit of pyml (default: no limit)")
    options.add_argument(
        "--checkpoints", type=Path, metavar="DIR", help="a folder that is there (default: none)"
    )
    options = parse(options, argv)
    if unknown := set(options.rows or ()) - set(names):
        raise SystemExit(f"bench.quality: --rows: there is no {', '.join(sorted(unknown))}")
    if not options.quick and all(getattr(options, name, None) is None for name in TABLES):
        raise SystemExit("bench.quality: no file is given; see --help")
    columns = [
        *("table", "row", "threads", "seeds", "metric", "test", "+-", "published", "its +-"),
        *("seconds", "CPU", "A100", "of peak"),
    ]
    caption = "scores of test rows; seconds of fit by the clock, of the processors, and published"
    packages = "scikit-learn", "xgboost", "catboost", "lightgbm", "pytabkit", "torch"
    Table(about(*packages), columns, caption=caption).run(rows, options)


if __name__ == "__main__":
    main()
