"""Recipes of published networks: what they are made of, against their definitions."""

import math
from itertools import pairwise

import numpy as np
import pytest

import pyml
from pyml import nn, tabular
from pyml.tabular import (
    RECIPES,
    ByTask,
    CategoryCodes,
    Schema,
    Table,
    TabularModel,
    evaluate,
    fit,
    model,
    recipes,
)
from pyml.tabular.fitting import Prepared
from pyml.tabular.networks import KINDS, OF_MEMBERS, begin_by_data
from pyml.tabular.recipes import OwnBatches, groups
from pyml.train import Callback, Checkpoint

N = 160
RNG = np.random.default_rng(3)
X, Z = RNG.normal(size=N), RNG.exponential(size=N)
C, D = RNG.integers(0, 3, N), RNG.integers(0, 2, N)
MEAN = X + np.array([-1.0, 0.0, 1.0])[C] + D
TARGETS = {
    "regression": MEAN * 5 + 100,
    "multiclass": np.array(["p", "q", "r"])[np.digitize(MEAN, [0, 1])],
    "counts": RNG.poisson(np.exp(MEAN / 2)),
}


def table_of(task):
    return Table(
        {
            "x": X,
            "z": Z,
            "c": [None if i % 11 == 0 else "abc"[c] for i, c in enumerate(C)],
            "d": np.array(["u", "v"])[D],
            "many": np.array([f"m{i % 20}" for i in range(N)]),
            "y": TARGETS[task],
        }
    )


SMALL = {"hidden": (16, 16), "epochs": 12, "batch_size": 32}


def small(name, **more):
    options = SMALL | ({} if name.startswith("realmlp") else {"lr": 0.01}) | more
    return options | {"recipe": RECIPES[name].replace(**({"members": 4} if "tabm" in name else {}))}


@pytest.mark.parametrize("task", ["regression", "multiclass"])
@pytest.mark.parametrize("name", RECIPES)
def test_recipes_train_and_are_one_file(name, task, tmp_path):
    table = table_of(task)
    fitted = fit(table, "y", task=task, **small(name))
    metric = "rmse" if task == "regression" else "log_loss"
    assert fitted.scores[metric] < 0.8 * fitted.baseline[metric], fitted
    fitted.model.save(tmp_path / "x")
    again = TabularModel.load(tmp_path / "x")
    assert again.outputs(table).tobytes() == fitted.model.outputs(table).tobytes()
    other = fit(table, "y", task=task, **small(name, epochs=2))
    same = fit(table, "y", task=task, **small(name, epochs=2))
    assert same.model.outputs(table).tobytes() == other.model.outputs(table).tobytes()


@pytest.mark.parametrize("name", [None, "realmlp-td-s", "tabm-mini"])
def test_a_fit_goes_on_with_the_same_bits(name, tmp_path):
    table, path = table_of("multiclass"), tmp_path / "fit.safetensors"
    options = small(name) if name else SMALL
    whole = fit(table, "y", callbacks=[Until(99), Checkpoint(tmp_path / "other")], **options)
    part = fit(table, "y", callbacks=[Until(5), Checkpoint(path)], **options)
    again = fit(table, "y", callbacks=[Until(99), Checkpoint(path)], resume=path, **options)
    assert [len(each.history) for each in (whole, part, again)] == [12, 5, 12]
    losses = [[epoch.validation_loss for epoch in each.history] for each in (whole, again)]
    assert losses[0] == losses[1]
    assert again.model.outputs(table).tobytes() == whole.model.outputs(table).tobytes()
    assert again.model.outputs(table).tobytes() != part.model.outputs(table).tobytes()
    last = fit(table, "y", callbacks=[Until(99), Checkpoint(path)], resume=path, **options)
    assert len(last.history) == 12
    assert last.model.outputs(table).tobytes() == whole.model.outputs(table).tobytes()
    with pytest.raises(ValueError, match="resume goes on with a single model, ensemble is 2"):
        fit(table, "y", resume=path, ensemble=2, **options)


def test_a_fit_that_was_over_stays_so(tmp_path):
    table = table_of("multiclass")
    options = small("mlp", epochs=None, callbacks=Checkpoint(tmp_path / "x"))
    options["recipe"] = options["recipe"].replace(patience=1)
    first = fit(table, "y", **options)
    assert "was not better in 1 epochs" in first.stopped
    again = fit(table, "y", resume=tmp_path / "x", **options)
    assert again.stopped == first.stopped and len(again.history) == len(first.history)
    assert again.model.outputs(table).tobytes() == first.model.outputs(table).tobytes()


OTHER_FITS = {
    "seed": {"seed": 1},
    "validation": {"validation": 0.3},
    "sample_weight": {"sample_weight": np.linspace(1, 2, N)},
    "table": {},
}


@pytest.mark.parametrize("other", OTHER_FITS)
def test_a_fit_does_not_go_on_with_other_rows(other, tmp_path):
    table = table_of("regression")
    options = small("mlp", callbacks=Checkpoint(tmp_path / "x"), epochs=2)
    fit(table, "y", **options)
    if other == "table":
        table = table.with_column("x", np.roll(X, 1))
    with pytest.raises(ValueError, match=r"resume is of a training (on other rows|with rows)"):
        fit(table, "y", resume=tmp_path / "x", **options | OTHER_FITS[other])


OTHER_OPTIONS = {
    "lr": ({"lr": 0.5}, r"with lr 0\.\d+, here it is 0\.5; pass the options of that one"),
    "batch_size": ({"batch_size": 7}, r"with batch_size \d+, here it is 7"),
    "dropout": (
        {"recipe": RECIPES["mlp"].replace(dropout=0.5)},
        r"with dropout .*, here it is 0\.5",
    ),
}


@pytest.mark.parametrize(
    ("recipe", "other"), [("mlp", each) for each in OTHER_OPTIONS] + [(None, "lr")]
)
def test_a_fit_does_not_go_on_with_other_options(recipe, other, tmp_path):
    options, message = OTHER_OPTIONS[other]
    table = table_of("regression")
    given = small("mlp", callbacks=Checkpoint(tmp_path / "x"), epochs=2)
    if recipe is None:
        given["recipe"] = None
    fit(table, "y", **given)
    with pytest.raises(ValueError, match=f"resume is of a training {message}"):
        fit(table, "y", resume=tmp_path / "x", **given | options)


class Until(Callback):
    """Ends a training after so many epochs."""

    def __init__(self, last):
        self.last = last

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.last:
            self.trainer.stop("as said")


@pytest.mark.parametrize("name", ["realmlp-td-s", "tabm-mini"])
def test_counts_ensembles_and_no_validation(name, tmp_path):
    table = table_of("counts")
    fitted = fit(table, "y", task="counts", validation=0, ensemble=2, **small(name))
    fitted.model.save(tmp_path / "x")
    again = TabularModel.load(tmp_path / "x")
    assert again.outputs(table).tobytes() == fitted.model.outputs(table).tobytes()
    assert len(fitted.history[0]) == 12 and "validation_loss" not in fitted.history[0].columns


def test_recipes_that_are_none():
    with pytest.raises(ValueError, match="fit: recipe is 'realmlp'"):
        fit(table_of("counts"), "y", recipe="realmlp")
    with pytest.raises(TypeError, match="fit: recipe is a int, it must be a name, one of realmlp"):
        fit(table_of("counts"), "y", recipe=3)
    with pytest.raises(TypeError, match="sigmas"):
        fit(table_of("counts"), "y", recipe=RECIPES["mlp-plr"].replace(sigmas=1.0))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"schedule": "cosine"}, ValueError, "Recipe: schedule is 'cosine'"),
        ({"schedule": "coslog4"}, ValueError, "schedule 'coslog4' needs epochs"),
        ({"flat_cos": True}, ValueError, "flat_cos needs a schedule"),
        ({"ties": "both"}, ValueError, "Recipe: ties is 'both'"),
        ({"factors": {"biases": (1, 1)}}, ValueError, "a role in factors is 'biases'"),
        ({"patience": 0}, ValueError, "Recipe: patience is 0"),
        ({"epochs": 1.5}, TypeError, "Recipe: epochs"),
        ({"num_bins": None}, TypeError, "Recipe: num_bins"),
    ],
)
def test_a_recipe_that_is_none(options, error, words):
    with pytest.raises(error, match=words):
        RECIPES["mlp"].replace(**options)


# ---- RealMLP -------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_td_s_is_the_authors_loop(task):
    """The whole training again, as their 300 lines have it: the same bits."""
    table, epochs, size = table_of(task), 5, 48
    held = np.arange(0, N, 4)
    fitted = fit(
        table, "y", recipe="realmlp-td-s", validation=held, epochs=epochs, batch_size=size, seed=7
    )
    parts = {"train": table.take(np.setdiff1d(np.arange(N), held)), "held": table.take(held)}
    model = fitted.model
    inputs = {name: model.inputs(part) for name, part in parts.items()}
    y = {name: model.targets(part) for name, part in parts.items()}
    x = {name: model.features(*given) for name, given in inputs.items()}
    codes = model.categories.codes_0.numpy()
    assert (codes.max(0) != 1).all()  # scaled by the training rows
    is_of_classes = task == "multiclass"
    pyml.manual_seed(7)
    made = nn.SELU if is_of_classes else nn.Mish
    sizes = [x["train"].shape[1], 256, 256, 256]
    layers = [nn.ScalingLayer(sizes[0])]
    for a, b in pairwise(sizes):
        layers += [nn.NTPLinear(a, b), made()]
    layers.append(nn.NTPLinear(256, 3 if is_of_classes else 1, zero_init=True))
    network = nn.Sequential(*layers)
    scale, *others = network.parameters()
    optimizer = pyml.optim.Adam(
        [{"params": [scale]}, {"params": others[::2]}, {"params": others[1::2]}], betas=(0.9, 0.95)
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1) if is_of_classes else nn.MSELoss()

    def outputs(rows):
        made = network(rows)
        return made if is_of_classes else made.squeeze(1)

    best, kept, batches = math.inf, None, len(x["train"]) // size
    for epoch in range(epochs):
        order = pyml.randperm(len(x["train"]))
        for batch in range(batches):
            t = (epoch * batches + batch) / (epochs * batches)
            lr = (0.04 if is_of_classes else 0.07) * (
                0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * t))
            )
            for group, factor in zip(optimizer.param_groups, (6, 1, 0.1), strict=True):
                group["lr"] = lr * factor
            rows = order[batch * size : (batch + 1) * size]
            optimizer.zero_grad()
            loss_of(outputs(x["train"][rows]), y["train"][rows]).backward()
            optimizer.step()
        with pyml.no_grad():
            found = outputs(x["held"])
        if is_of_classes:
            value = int((found.argmax(1) != y["held"]).sum())
        else:
            value = float((found - y["held"]).square().mean())
        if value <= best:
            best, kept = value, [p.detach().numpy().copy() for p in network.parameters()]
    for p, wanted in zip(model.network.parameters(), kept, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


def robust(x):
    """Of the columns of training rows, by the paper."""
    low, center, high = np.quantile(x, (0.25, 0.5, 0.75), 0)
    spread = high - low
    factor = np.where(spread > 0, 1 / (spread + 1e-30), 2 / (x.max(0) - x.min(0) + 1e-30))
    z = (x - center) * np.where(x.max(0) > x.min(0), factor, 0)
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_rows_are_prepared_as_td_s_does():
    table = table_of("regression")
    schema = Schema.infer(table, "y")
    recipe = RECIPES["realmlp-td-s"].for_task(False)
    model = TabularModel.for_table(schema, table, numbers="robust", log=False, **recipe.network)
    numbers, categories = model.inputs(table)
    model.categories.begin(categories)
    c = [[float(name == level) for level in "abc"] for name in table["c"]]
    many = [[float(name == f"m{i}") for i in range(20)] for name in table["many"]]
    d = np.where(table["d"] == "u", 1.0, -1.0)[:, None]
    order = sorted(range(20), key=lambda i: f"m{i}")
    wanted = robust(np.hstack([np.stack([X, Z], 1), c, d, np.array(many)[:, order]]))
    found = model.features(numbers, categories).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    unseen = model.inputs({"x": [0.0], "z": [0.0], "c": ["?"], "d": ["?"], "many": [None]})
    found = model.categories(unseen[1]).numpy()[0]
    zeros = robust(np.vstack([np.hstack([c, d, np.array(many)[:, order]]), np.zeros(24)]))[-1]
    np.testing.assert_allclose(found, zeros, atol=0.1)  # the row more moves no quartile far


def test_codes_and_learned_categories():
    codes = CategoryCodes([["a", "b"], ["a", "b", None], list("abcdefghi"), ["a", None]])
    assert codes.widths == [1, 1, 1, 8] and codes.size == 11
    found = codes(pyml.tensor([[1, 2, 9, 1], [2, 3, 0, 2], [0, 0, 0, 0]])).detach().numpy()
    np.testing.assert_array_equal(found[:, :3], [[1, -1, 1], [-1, 0, 0], [0, 0, 0]])
    assert (found[1, 3:] == found[2, 3:]).all() and (found[0, 3:] != found[1, 3:]).all()
    with pytest.raises(ValueError, match=r"must be \(n, 4\)"):
        codes(pyml.zeros(3, 2, dtype=pyml.int64))


def test_a_network_begins_by_its_rows():
    pyml.manual_seed(0)
    x = pyml.tensor(RNG.normal(size=(500, 4)) * [1, 10, 0.1, 3], dtype=pyml.float32)
    network = KINDS["realmlp-td"]([1] * 4, 3, (64, 32), 0.0, "SELU")
    begin_by_data(network, x)
    rows = x
    with pyml.no_grad():
        for layer in network[:-1]:
            if isinstance(layer, nn.NTPLinear):
                z = (layer(rows) - layer.bias).numpy()
                np.testing.assert_allclose(z.std(0), 1, rtol=1e-3)
                kinks = -layer.bias.detach().numpy()
                assert ((z.min(0) < kinks) & (kinks < z.max(0))).all() and kinks.std() > 0.1
            rows = layer(rows)


def test_a_large_sorted_table_begins_by_rows_of_all_of_it(monkeypatch):
    given = []
    monkeypatch.setattr(recipes, "BEGIN_ROWS", 40)
    monkeypatch.setattr(recipes, "begin_by_data", lambda network, rows: given.append(rows))
    table = Table({"x": np.sort(X), "y": Z})
    fit(table, "y", validation=0, **small("realmlp-td", epochs=1))
    [rows] = given
    assert len(rows) == 40 and rows[:, -1].min() < -1 and rows[:, -1].max() > 1


def test_predictions_of_td_stay_within_the_training_rows():
    table = table_of("regression")
    model = fit(table, "y", validation=np.arange(20), **small("realmlp-td")).model
    far = model.predict(
        {"x": [1e6, -1e6], "z": [1e6, 0], "c": ["a"] * 2, "d": ["u"] * 2, "many": ["m1"] * 2}
    )
    y = TARGETS["regression"][20:]
    assert (far >= y.min() - 1e-4).all() and (far <= y.max() + 1e-4).all()


def test_groups_of_parameters():
    table = table_of("regression")
    schema = Schema.infer(table, "y")

    def found(name):
        recipe = RECIPES[name].replace(hidden=(8, 8), weight_decay=0.02).for_task(False)
        options = {"numbers": recipe.numbers, "log": recipe.log, **recipe.network}
        model = TabularModel.for_table(schema, table, **options)
        names = {id(p): name for name, p in model.named_parameters()}
        made = groups(model, recipe)
        assert sum(len(group["params"]) for group in made) == len(names)
        return {
            names[id(p)]: (group["lr"], group["weight_decay"])
            for group in made
            for p in group["params"]
        }

    td = found("realmlp-td")
    for name, (lr, decay) in {
        "network.0.scale": (6, 6),
        "network.1.weight": (1, 1),
        "network.1.bias": (0.1, 0),
        "network.2.alpha": (0.1, 0.1),
        "numbers.frequencies": (0.1, 0.1),
        "numbers.linear.bias": (0.1, 0.1),
        "categories.table_2.weight": (1, 1),
    }.items():
        assert td[name] == pytest.approx((0.2 * lr, 0.02 * decay)), name
    ple = found("tabm-mini")
    decayed = {name for name, (_, decay) in ple.items() if decay}
    assert decayed == {
        "numbers.pieces.weight",
        "network.1.weight",
        "network.2.weight",
        "network.5.weight",
        "network.8.weight",
    }


@pytest.mark.parametrize(
    ("name", "clip", "flat_cos", "patience", "ties"),
    [
        ("realmlp-td-s", None, False, 3, "last"),
        ("realmlp-td", None, True, 3, "last"),
        ("mlp", 1.0, None, 86, "first"),  # 256 steps
        ("mlp-plr", 1.0, None, 86, "first"),
        ("tabm", 1.0, None, 86, "first"),
    ],
)
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_how_a_recipe_is_trained(name, clip, flat_cos, patience, ties, task, monkeypatch):
    made = []

    class Noted(recipes.Trainer):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(recipes, "Trainer", Noted)
    epochs = 3 if name.startswith("realmlp") else None
    given = recipes.RECIPES[name].replace(
        hidden=(8,), batch_size=50, **{"members": 2} if "tabm" in name else {}
    )
    fit(table_of(task), "y", recipe=given, validation=np.arange(20), epochs=epochs, max_seconds=9)
    [trainer] = made
    stopping, *_ = trainer.callbacks
    assert trainer.clip == clip and stopping.patience == patience and stopping.ties == ties
    is_counted = task == "multiclass" and epochs is not None
    wanted = "validation_accuracy" if is_counted else "validation_loss"
    assert stopping.monitor == wanted and trainer.scheduler_every == "step"
    smoothing = 0.1 if name.startswith("realmlp") else 0.0
    assert getattr(trainer.loss, "label_smoothing", smoothing) == smoothing
    if flat_cos is None:
        assert trainer.scheduler is None and trainer.batches == 3  # 50, 50, 40
        return
    assert trainer.scheduler.total_steps == 6 and trainer.batches == 2
    assert trainer.scheduler.flat_cos_decay == flat_cos
    dropouts = [m for m in trainer.model.modules() if isinstance(m, nn.AnnealedDropout)]
    assert len(dropouts) == (name == "realmlp-td")
    for dropout in dropouts:
        assert dropout.total_steps == 6 and dropout.p == 0.15
        assert dropout.count in (2, 4, 6)  # at the end of the best epoch


@pytest.mark.parametrize(
    ("steps", "held", "patience", "monitor"),
    [
        (1, 3, 256, "validation_loss"),
        (15, 99, 18, "validation_loss"),
        (16, 100, 16, "validation_accuracy"),  # 1,001 rows and more, as published
        (500, 10_000, 16, "validation_accuracy"),
    ],
)
def test_few_rows_are_trained_longer_and_validated_by_their_loss(steps, held, patience, monitor):
    recipe = recipes.RECIPES["mlp-plr"]
    found = recipes.stopping(recipe, True, steps, held)
    assert (found.patience, found.monitor) == (patience, monitor)
    assert recipes.stopping(recipe.replace(patience=2), True, steps, held).patience == 2
    found = recipes.stopping(recipes.RECIPES["realmlp-td"], True, steps, held)
    assert (found.patience, found.monitor) == (256, "validation_accuracy")  # in all of its epochs


def test_few_rows_are_learned():
    """Of 120 rows 16 epochs are 64 steps."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(240, 2))
    table = Table({"a": x[:, 0], "b": x[:, 1], "y": np.where(x[:, 0] > x[:, 1], "u", "v")})
    recipe = recipes.RECIPES["mlp-plr"].replace(hidden=(64,))
    model = fit(table.take(range(120)), "y", recipe=recipe, validation=0.1).model
    assert evaluate(model, table.take(range(120, 240)))["accuracy"] > 0.9


# ---- TabM ----------------------------------------------------------------------------------------

NUMBERS = {"california": (8, [], 1), "diamonds": (6, [5, 7, 8], 1), "adult": (6, [102], 2)}


PIECEWISE, PERIODIC = nn.PiecewiseLinearEmbedding, nn.PeriodicEmbedding


@pytest.mark.parametrize(
    ("table", "kind", "hidden", "embedding", "count"),
    [  # published with the results of arXiv:2410.24210: (embedding_dim, bins or frequencies)
        ("diamonds", "mlp", (96,) * 5, None, 39_937),
        ("diamonds", "mlp", (176,) * 3, (PIECEWISE, 24, 112), 107_937),
        ("diamonds", "mlp", (496,), (PERIODIC, 24, 60), 100_121),
        ("diamonds", "tabm", (432,) * 3, None, 509_760),
        ("diamonds", "tabm-mini", (96,) * 4, (PIECEWISE, 32, 114), 80_544),
        ("diamonds", "tabm", (112,) * 4, (PIECEWISE, 16, 114), 108_512),
        ("california", "mlp", (208,) * 2, None, 45_553),
        ("california", "mlp", (672,) * 2, (PIECEWISE, 20, 108), 578_721),
        ("california", "mlp", (832,), (PERIODIC, 28, 60), 215_617),
        ("california", "tabm", (400,) * 3, None, 438_688),
        ("california", "tabm-mini", (576,) * 3, (PIECEWISE, 16, 30), 765_664),
        ("california", "tabm", (416,) * 3, (PIECEWISE, 20, 47), 545_472),
        ("california", "tabm", (352,) * 3, None, 352_288),
        ("adult", "mlp", (400,) * 4, None, 525_602),
        ("adult", "mlp", (112,) * 3, (PERIODIC, 16, 64), 60_594),
        ("adult", "mlp", (880,), (PIECEWISE, 24, 117), 236_258),
        ("adult", "tabm", (320,) * 4, None, 478_400),
        ("adult", "tabm", (496,) * 3, (PIECEWISE, 28, 114), 812_864),
        ("adult", "tabm-mini", (864,) * 3, (PIECEWISE, 20, 117), 1_764_136),
    ],
)
def test_numbers_of_parameters_are_the_published_ones(table, kind, hidden, embedding, count):
    numbers, categories, outputs = NUMBERS[table]
    layer, size, of_each = embedding or (None, 1, 0)
    options = {"hidden": hidden, "dropout": 0.0, "activation": "ReLU", "embedding": layer}
    parts = [size] * numbers + categories
    modules = [KINDS[kind](parts, outputs, **options, members=32)]
    if layer is PIECEWISE:
        modules.append(layer([np.arange(of_each + 1.0)] * numbers, size))
    elif layer is PERIODIC:
        modules.append(layer(numbers, size, of_each))
    assert sum(p.numel() for module in modules for p in module.parameters()) == count


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_members_with_batches_of_their_own(task):
    """Each sees each row once an epoch, and learns its own target."""
    table = Table({"x": X, "z": Z, "y": TARGETS[task]}) if task == "regression" else table_of(task)
    recipe = RECIPES["tabm-mini"].replace(members=3, shares_batches=False)
    fitted = fit(table, "y", recipe=recipe, hidden=(16,), epochs=12, batch_size=32, lr=0.01)
    metric = "rmse" if task == "regression" else "log_loss"
    assert fitted.scores[metric] < 0.9 * fitted.baseline[metric], fitted
    schema = Schema.infer(table, "y")
    prepared = Prepared(schema, table.take(np.arange(120)), table.take(np.arange(120, N)))
    model = TabularModel.for_table(schema, table, kind="tabm-mini", hidden=(8,), members=3)
    own = OwnBatches(model, prepared)
    rows, y, (held, held_y) = own.data(prepared)
    assert all((rows[:, i].sort().values == pyml.arange(120)).all() for i in range(3))
    assert (rows[:, 0] != rows[:, 1]).any() and (y == prepared.y[rows]).all()
    assert (held[:, 0] == pyml.arange(120, N)).all() and len(held_y) == N - 120
    together = own(rows[:20]).detach().numpy()
    for i in range(3):
        each = model(*(part[rows[:20, i]] for part in prepared.inputs)).detach().numpy()
        np.testing.assert_allclose(together[:, i], each[:, i], rtol=1e-5, atol=1e-6)
    wanted = model.eval()(*prepared.held[0])
    assert (own.eval()(held) == wanted).all()


@pytest.mark.parametrize("name", ["tabm", "tabm-mini"])
def test_scales_begin_as_signs_where_no_number_is_embedded(name):
    table = Table({"c": np.array(list("abc"))[C], "y": X})
    model = TabularModel.for_table(
        Schema.infer(table, "y"), table, **RECIPES[name].replace(hidden=(8,)).network
    )
    first = model.network[1]
    assert set(np.unique((first.r if name == "tabm" else first.weight).detach())) == {-1, 1}


@pytest.mark.parametrize("name", ["tabm", "tabm-mini"])
def test_columns_of_a_feature_begin_with_one_scale(name):
    layers = KINDS[name]([1, 3, 2], 1, (8,), 0.0, "ReLU", "piecewise", 5)
    scales = (layers[1].r if name == "tabm" else layers[1].weight).detach().numpy()
    assert scales.shape == (5, 6)
    assert (scales[:, 1:4] == scales[:, 1:2]).all() and (scales[:, 4] == scales[:, 5]).all()
    assert len(np.unique(scales)) == 15


@pytest.mark.parametrize("loss", OF_MEMBERS)
def test_a_loss_of_members_is_the_mean_of_theirs(loss):
    classes = loss is nn.CrossEntropyLoss
    shape = (6, 4, 3) if classes else (6, 4)
    outputs = pyml.tensor(RNG.normal(size=shape), dtype=pyml.float32)
    y = pyml.tensor(RNG.integers(0, 2, 6), dtype=pyml.int64 if classes else pyml.float32)
    of_members = OF_MEMBERS[loss]()
    each = [loss()(outputs[:, i], y).item() for i in range(4)]
    assert of_members(outputs, y).item() == pytest.approx(np.mean(each), rel=1e-5)
    assert of_members(outputs[:, 0], y).item() == pytest.approx(each[0], rel=1e-6)
    rows = OF_MEMBERS[loss](reduction="none")(outputs, y)
    many = pyml.tensor(RNG.integers(0, 2, (6, 4)), dtype=y.dtype)  # one for each member
    each_own = [loss()(outputs[:, i], many[:, i]).item() for i in range(4)]
    assert of_members(outputs, many).item() == pytest.approx(np.mean(each_own), rel=1e-5)
    assert rows.shape == (6,) and rows.mean().item() == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("task", TARGETS)
def test_a_row_alone_has_the_bits_it_has_in_a_table(task):
    table = table_of(task)
    for options in ({"recipe": RECIPES["tabm-mini"].replace(members=32)}, {"ensemble": 5}):
        model = fit(table, "y", task=task, hidden=(8,), epochs=1, **options).model
        every = model.outputs(table)
        for rows in (1, 3):
            assert model.outputs(table.take(np.arange(rows))).tobytes() == every[:rows].tobytes()


def test_members_predict_fewer_rows_at_a_time(monkeypatch):
    """PREDICTED_ROWS of all members together, LAYER_ROWS of one: memory of more is slow."""
    table, of_calls = table_of("regression"), []
    network = fit(table, "y", **small("tabm-mini", epochs=1)).model
    wanted = network.predict(table)
    monkeypatch.setattr(model, "PREDICTED_ROWS", 4 * 25)
    network.register_forward_pre_hook(lambda module, given: of_calls.append(len(given[0])))
    assert network.predict(table).tobytes() == wanted.tobytes()
    assert sum(of_calls) == N and max(of_calls) == 25
    of_calls.clear()
    monkeypatch.setattr(model, "LAYER_ROWS", 7)
    assert network.predict(table).tobytes() == wanted.tobytes()
    assert sum(of_calls) == N and max(of_calls) == 7


def test_outputs_of_members_and_their_mean():
    table = table_of("multiclass")
    schema = Schema.infer(table, "y")
    model = TabularModel.for_table(schema, table, kind="tabm", hidden=(8,), members=4)
    inputs = model.inputs(table)
    each = model(*inputs).detach()
    assert each.shape == (N, 4, 3)
    mean = model.eval()(*inputs).detach()
    wanted = pyml.softmax(each, 2).mean(1).numpy()
    np.testing.assert_allclose(pyml.softmax(mean, 1).numpy(), wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="hidden is empty"):
        TabularModel.for_table(schema, table, kind="tabm", hidden=())
    with pytest.raises(ValueError, match="kind is 'tab'"):
        TabularModel.for_table(schema, table, kind="tab")


# ---- rows ----------------------------------------------------------------------------------------


def test_noisy_quantiles_are_those_of_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = np.concatenate([np.round(RNG.normal(size=900), 1), np.zeros(300)])
    table = Table({"x": x, "y": RNG.normal(size=len(x))})
    found = tabular.Preprocessor(Schema.infer(table, "y"), "noisy-quantile").fit(table)
    noisy = x + np.random.RandomState(0).normal(0, 1e-5, len(x))
    theirs = preprocessing.QuantileTransformer(
        n_quantiles=len(x) // 30, output_distribution="normal", subsample=10**9
    ).fit(noisy[:, None])
    np.testing.assert_allclose(
        found.transform(table)[0], theirs.transform(x[:, None]), rtol=1e-4, atol=1e-5
    )


def test_a_recipe_of_ones_own():
    recipe = RECIPES["mlp-plr"].replace(hidden=(8,), sigma=0.3, lr=ByTask(0.1, 0.2), epochs=2)
    assert recipe.network["sigma"] == 0.3 and RECIPES["mlp-plr"].network["sigma"] != 0.3
    assert recipe.for_task(True).lr == 0.1 and recipe.for_task(False).lr == 0.2
    fitted = fit(table_of("regression"), "y", recipe=recipe)
    assert fitted.model.architecture["sigma"] == 0.3 and len(fitted.history) == 2
    assert fitted.history[0]["learning_rate"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["architecture"].update(kind="other"),
        lambda tree: tree["architecture"].update(kind=3),
        lambda tree: tree["architecture"].update(kind="tabm"),
        lambda tree: tree["architecture"].update(members=10**9),
        lambda tree: tree["architecture"].update(members=10**9, hidden=(10**6,)),
        lambda tree: tree["architecture"].update(members=0),
        lambda tree: tree["architecture"].update(embedding="pbld", num_frequencies=10**9),
    ],
)
def test_hostile_files_are_refused(change, tmp_path):
    table, path = table_of("multiclass"), tmp_path / "x"
    schema = Schema.infer(table, "y")
    TabularModel.for_table(schema, table, kind="tabm-mini", hidden=(8,), members=4).save(path)
    tree = pyml.load(path)
    change(tree)
    pyml.save(tree, path)
    with pytest.raises(ValueError, match="x: is damaged"):
        TabularModel.load(path)


def test_a_file_of_one_number(tmp_path):
    """What a file must hold is not more than it does."""
    table = Table({"x": X, "y": Z})
    schema = Schema.infer(table, "y")
    for embedding in ("pbld", "periodic", "periodic-lite", "piecewise"):
        options = {"embedding": embedding, "embedding_dim": 4, "hidden": (2,)}
        TabularModel.for_table(schema, table, **options).save(tmp_path / "x")
        assert TabularModel.load(tmp_path / "x").predict(table).shape == (N,)


def test_files_of_before_have_a_plain_network(tmp_path):
    table, path = table_of("multiclass"), tmp_path / "x"
    model = TabularModel.for_table(Schema.infer(table, "y"), table, hidden=(8,))
    model.save(path)
    tree = pyml.load(path)
    for name in ("kind", "members"):
        del tree["architecture"][name]
    pyml.save(tree, path)
    again = TabularModel.load(path)
    assert again.outputs(table).tobytes() == model.outputs(table).tobytes()
