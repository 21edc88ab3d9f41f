"""TabularModels for exporters: each task, scale, embedding and kind of network."""

import warnings

import numpy as np

from export.nets import drawn
from pyml import tabular

TARGETS = {  # {task: (names, function of a number)}
    "regression": (["y"], [lambda y: 100 + y]),
    "multioutput": (["y", "z"], [lambda y: y, lambda y: 1 - y]),
    "binary": (["y"], [lambda y: np.where(y > 0, "ja", 'n"ein\\?')]),
    "multiclass": (["y"], [lambda y: np.digitize(y, [0, 50]) - 1]),
    "multilabel": (["y", "z"], [lambda y: y > 0, lambda y: y > 50]),
    "counts": (["y"], [lambda y: np.abs(y).astype(int) // 20]),
}


def table_of(rows, seed, task, column=None):
    """A table of all kinds of columns, with gaps and odd names; or of one of them."""
    random = np.random.default_rng(seed)
    x = 100 * random.normal(size=rows)
    days = random.integers(-80_000, 40_000, rows)
    date = days * 86_400_000_000 + random.integers(0, 86_400_000_000, rows)
    columns = {
        "a b": np.where(random.random(rows) < 0.2, np.nan, x),
        "h1": np.round(np.exp(2 * random.normal(size=rows)), 1),  # with values that come again
        "same": np.ones(rows),
        "town": random.choice(["Bern", "Köln", 'qu"o\n/*te\\?', "東京", None], rows),
        "zip": random.choice([8001.0, 8002.0, -3.5, np.nan], rows),
        "class": random.random(rows) < 0.5,
        "date": date.astype("datetime64[us]"),
        "many": random.choice([f"c{i}" for i in range(14)], rows).astype(object),
    }
    columns["date"][random.random(rows) < 0.1] = np.datetime64("NaT", "us")
    if column is not None:
        columns = {column: columns[column]}
    y = np.nan_to_num(x)
    names, functions = TARGETS[task]
    targets = {name: function(y) for name, function in zip(names, functions, strict=True)}
    return tabular.Table(columns | targets)


def model_of(task, column=None, **options):
    """A TabularModel with random weights, and a table that it was not fitted to."""
    train, other = (table_of(rows, seed, task, column) for rows, seed in ((300, 0), (40, 1)))
    kinds = {} if column not in (None, "zip") else {"zip": "category"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tabular.TableWarning)
        schema = tabular.Schema.infer(train, TARGETS[task][0], task=task, kinds=kinds)
    options = {"hidden": (9, 5), "embedding_dim": 3, "num_frequencies": 4, "one_hot": 5, **options}
    model = tabular.TabularModel.for_table(schema, train, **options)
    drawn(model.network)
    if column is None:
        other.columns["a b"][:4] = np.inf, -np.inf, 1e4, 0.0
        other.columns["many"][:3] = "no", "c1", None
    return model.eval(), other


MODELS = {
    "plain": model_of("regression"),
    "noisy": model_of("binary", numbers="noisy-quantile", embedding="piecewise", num_bins=5),
    "robust": model_of("multiclass", numbers="robust", kind="realmlp", activation="SELU"),
    "learned": model_of("multioutput", numbers="robust", kind="realmlp-td", embedding="pbld"),
    "standard": model_of("multilabel", numbers="standard", log=True, embedding="periodic"),
    "none": model_of("multioutput", numbers="none", hidden=()),
    "tabm": model_of("binary", kind="tabm", members=3),
    "mini": model_of("counts", kind="tabm-mini", members=3, embedding="periodic-lite"),
    "tabm2": model_of("regression", kind="tabm", members=2),
    "wide": model_of("multiclass"),
    **{f"only_{name}": model_of("regression", name) for name in ("h1", "town", "zip", "date")},
}
MODELS["wide"][0].double()


def ensemble(task):
    """Three models of a task as one."""
    first, other = model_of(task)
    parts = first.schema, first.preprocessor, first.target
    models = [tabular.TabularModel(*parts, **first.architecture).eval() for _ in range(3)]
    return tabular.TabularEnsemble(models), other


MODELS |= {f"three_{task}": ensemble(task) for task in TARGETS}
