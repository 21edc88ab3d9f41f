"""fit: from a table to a trained model in one call."""

import io
import os
import re
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pyml
from pyml import tabular, train
from pyml.tabular import Schema, Table, TableWarning, TabularEnsemble, TabularModel, fit
from pyml.tabular.defaults import defaults_for
from tabular.test_messy import REFUSED, WORKS, written
from tabular.test_random import tables

N = 120
RNG = np.random.default_rng(3)
X, C = RNG.normal(size=N), RNG.integers(0, 3, N)
MEAN = X + np.array([-1.0, 0.0, 1.0])[C]
TARGETS = {
    "regression": MEAN * 5 + 100,
    "binary": np.where(MEAN > 0, "yes", "no"),
    "multiclass": np.array(["p", "q", "r"])[np.digitize(MEAN, [-0.5, 0.5])],
    "counts": RNG.poisson(np.exp(MEAN)),
}


def table_of(task):
    return Table({"x": X, "c": np.array(["a", "b", "c"])[C], "y": TARGETS[task]})


@pytest.mark.parametrize("task", TARGETS)
def test_fit_beats_the_baseline(task):
    fitted = fit(table_of(task), "y", task=task, epochs=40)
    assert fitted.task == task
    assert fitted.rows == {"train": N - fitted.rows["validation"], "validation": 24}
    name = "rmse" if task in ("regression", "counts") else "log_loss"
    assert fitted.scores[name] < 0.8 * fitted.baseline[name], fitted
    assert not fitted.model.training
    assert len(fitted.history) <= 40 and fitted.stopped == fitted.history.stopped
    assert f"{fitted.scores[name]:.5g}" in repr(fitted)


def test_an_ensemble_is_one_file(tmp_path):
    table = table_of("binary")
    fitted = fit(table, "y", epochs=2, ensemble=3)
    assert len(fitted.history) == len(fitted.model.members) == 3
    fitted.model.save(tmp_path / "x")
    again = TabularModel.load(tmp_path / "x")
    assert again.outputs(table).tobytes() == fitted.model.outputs(table).tobytes()
    each = [member.predict_proba(table) for member in fitted.model.members]
    np.testing.assert_allclose(again.predict_proba(table), np.mean(each, 0), rtol=1e-5)
    assert np.ptp(each, 0).max() > 1e-3


@pytest.mark.parametrize("recipe", [None, "realmlp-td", "tabm"])
def test_an_ensemble_on_threads_is_that_of_one_after_another(recipe):
    """With a callback they are trained one after another; each is what its seed alone gives."""
    options = {"epochs": 2, "hidden": (8,), "recipe": recipe}
    table, count = table_of("binary"), pyml.get_num_threads()
    state = pyml.get_rng_state().tolist()
    pyml.set_num_threads(3)
    both = [
        fit(table, "y", ensemble=3, callbacks=callbacks, **options)
        for callbacks in ((), [lambda epoch: None])
    ]
    pyml.set_num_threads(count)
    assert pyml.get_rng_state().tolist() == state
    for one, other in zip(*(fitted.model.members for fitted in both), strict=True):
        assert one.outputs(table).tobytes() == other.outputs(table).tobytes()
    assert [len(history) for history in both[0].history] == [2] * 3
    assert both[0].scores == both[1].scores and both[0].stopped == both[1].stopped


def test_an_ensemble_of_several_processes_is_trained_in_turn(monkeypatch):
    """All of them make the same exchanges, in one order."""
    monkeypatch.setattr("pyml.tabular.fitting.is_initialized", lambda: True)
    monkeypatch.setattr("pyml.tabular.fitting.each_of", None)
    assert len(fit(table_of("binary"), "y", epochs=1, ensemble=2).model.members) == 2


def test_the_same_seed_gives_the_same_bits():
    table, threads = table_of("multiclass"), pyml.get_num_threads()
    state = pyml.get_rng_state().tolist()
    outputs = []
    try:
        for count, seed in ((1, 5), (2, 5), (2, 6)):
            pyml.set_num_threads(count)
            outputs.append(fit(table, "y", epochs=3, seed=seed).model.outputs(table).tobytes())
    finally:
        pyml.set_num_threads(threads)
    assert outputs[0] == outputs[1] != outputs[2]
    assert pyml.get_rng_state().tolist() == state


def test_evaluate_is_what_fit_says():
    table, rows = table_of("regression"), np.arange(0, N, 4)
    fitted = fit(table, "y", epochs=2, validation=rows)
    held = table.take(rows)
    assert tabular.evaluate(fitted.model, held) == fitted.scores
    y, predicted = TARGETS["regression"][rows], fitted.model.predict(held)
    np.testing.assert_allclose(fitted.scores["rmse"], np.sqrt(((y - predicted) ** 2).mean()))
    train = table.take(np.setdiff1d(np.arange(N), rows))
    expected = np.sqrt(((y - train["y"].mean()) ** 2).mean())
    np.testing.assert_allclose(fitted.baseline["rmse"], expected)
    assert tabular.baseline(fitted.model, train, held) == fitted.baseline


@pytest.mark.parametrize("task", ["multilabel", "multioutput", *TARGETS])
def test_the_baseline_is_what_rows_are_on_average(task):
    columns = {"multilabel": {"p": MEAN > 0, "q": X > C}, "multioutput": {"p": MEAN, "q": X + C}}
    of = columns.get(task) or {"y": TARGETS[task]}
    table = Table({"x": X, **of})
    schema = Schema.infer(table, list(of) if len(of) > 1 else "y", task=task)
    target = tabular.Target(schema).fit(table.take(slice(60)))
    actual = target.actual(table)
    assert actual.shape == ((N, 2) if len(of) > 1 else (N,))
    outputs = target.outputs_of_mean(actual)[None]
    if task in ("binary", "multiclass"):
        shares = [np.mean(TARGETS[task] == name) for name in target.classes]
        np.testing.assert_allclose(target.probabilities(outputs), [shares])
    elif task == "multilabel":
        np.testing.assert_allclose(target.probabilities(outputs), [actual.mean(0)])
    else:
        np.testing.assert_allclose(target.decode(outputs), [actual.mean(0)])


# ---- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [None, "realmlp-td-s", "tabm-mini"])
def test_rows_of_weight_0_are_not_learned(recipe):
    wrong, y = np.arange(N) % 3 == 0, TARGETS["regression"]
    table = Table({"x": X, "c": C, "y": np.where(wrong, 100 - y, y), "w": 1.0 - wrong})
    options = {"hidden": (16,), "epochs": 30, "recipe": recipe, "seed": 1, "validation": 0.3}
    fitted = tabular.fit(table, "y", sample_weight="w", **options)
    assert "w" not in [column.name for column in fitted.schema.inputs]
    given = tabular.fit(table.drop(["w"]), "y", sample_weight=1 - wrong, **options)
    assert np.array_equal(given.model.outputs(table), fitted.model.outputs(table))
    assert given.scores == fitted.scores
    right = table.take(~wrong)
    scores = tabular.evaluate(fitted.model, right)
    assert scores["rmse"] < y.std(), scores  # by the others some 40
    assert tabular.evaluate(fitted.model, table, sample_weight="w") == pytest.approx(scores)
    assert tabular.evaluate(fitted.model, table)["rmse"] > 10
    assert fitted.rows["train"] + fitted.rows["validation"] == (~wrong).sum()
    assert fitted.baseline["rmse"] < 2 * y.std()  # by the mean of the others
    assert fitted.scores["rmse"] < fitted.baseline["rmse"]


OWN_BATCHES = tabular.RECIPES["tabm-mini"].replace(shares_batches=False)


@pytest.mark.parametrize("recipe", [None, "mlp", "tabm-mini", OWN_BATCHES])
def test_weights_pull_the_network(recipe):
    """Each group has as many ones as zeros; the weights say which of them count."""
    group, y = np.arange(400) % 2, np.arange(400) // 2 % 2
    table = Table(
        {"g": group, "c": np.arange(400) // 4 % 5 / 4, "y": y + 1e-3 * np.cos(np.arange(400))}
    )
    table = table.with_column("w", np.where(y == group, 20.0, 1.0))
    options = {"hidden": (16,), "epochs": 40, "recipe": recipe, "lr": 0.01, "seed": 0}
    fitted = tabular.fit(table, "y", sample_weight="w", **options)
    plain = tabular.fit(table.drop(["w"]), "y", **options)
    gaps = []
    for model in (fitted.model, plain.model):
        predicted = model.predict(table)
        gaps.append(predicted[group == 1].mean() - predicted[group == 0].mean())
    assert gaps[0] > 0.7 > 0.3 > abs(gaps[1]), gaps


def test_weights_count_in_the_validation():
    """The loss that ends the training is that of the scores."""
    table, held = table_of("regression"), table_of("regression").take(slice(40))
    for weight in (np.ones(40), np.where(np.arange(40) < 20, 30.0, 1.0)):
        given = held.with_column("w", weight)
        training = table.with_column("w", np.ones(table.rows))
        fitted = tabular.fit(
            training, "y", sample_weight="w", validation=given, hidden=(8,), epochs=5, seed=0
        )
        least = min(fitted.history.column("validation_loss"))
        scale = fitted.model.target.std.item()
        assert least == pytest.approx((fitted.scores["rmse"] / scale) ** 2, rel=1e-4)


def test_weights_are_as_many_copies_of_a_row():
    actual, copies = TARGETS["multiclass"], np.arange(N) % 4
    table = Table({"x": X, "y": actual})
    repeated = table.take(np.repeat(np.arange(N), copies))
    fitted = tabular.fit(table, "y", hidden=(8,), epochs=3, seed=0)
    weighted = tabular.evaluate(fitted.model, table, sample_weight=copies)
    assert weighted == pytest.approx(tabular.evaluate(fitted.model, repeated), nan_ok=True)
    target = fitted.model.target
    outputs = target.outputs_of_mean(target.actual(table), copies)
    np.testing.assert_allclose(outputs, target.outputs_of_mean(target.actual(repeated)))


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones(3), ValueError, r"sample_weight has shape \(3,\), it must be \(120,\)"),
        (-np.ones(N), ValueError, "sample_weight has -1, a weight must be finite"),
        (np.full(N, np.nan), ValueError, "has nan"),
        (np.zeros(N), ValueError, "0 everywhere"),
        (["a"] * N, TypeError, "must be of numbers"),
        ("v", ValueError, "sample_weight has 'v', which is no column"),
        ("y", ValueError, "'y' is the target"),
    ],
)
def test_weights_that_are_none(weight, error, message):
    table = Table({"x": X, "y": TARGETS["regression"]})
    with pytest.raises(error, match=message):
        tabular.fit(table, "y", sample_weight=weight)
    schema = Schema.infer(table, "y")
    if isinstance(weight, str):
        with pytest.raises(ValueError, match="sample_weight is"):
            tabular.fit(table, schema=schema, sample_weight="x" if weight == "y" else weight)


# ---- rows ----------------------------------------------------------------------------------------


def test_rows_to_validate_on():
    table = table_of("binary")
    rows = np.arange(0, N, 5)
    is_held = np.isin(np.arange(N), rows)
    others = table.take(~is_held)
    ways = rows, rows.tolist(), is_held, pyml.tensor(rows), table.take(rows)
    options = {"epochs": 1, "schema": Schema.infer(table, "y")}
    found = []
    for way in ways:
        of = others if isinstance(way, Table) else table
        fitted = fit(of, "y", validation=way, **options)
        assert fitted.rows == {"train": 96, "validation": 24}
        found.append((fitted.scores, fitted.baseline, fitted.model.outputs(table).tobytes()))
    assert all(each == found[0] for each in found)
    shares = [np.mean(table.take(part)["y"] == "yes") for part in (slice(None), rows)]
    by_share = fit(table, "y", epochs=1, validation=0.25)
    assert by_share.rows["validation"] == 30
    assert by_share.baseline["accuracy"] == pytest.approx(max(shares[0], 1 - shares[0]), abs=0.02)


@pytest.mark.parametrize("nothing", [None, 0, 0.0, []])
def test_without_rows_to_validate_on(nothing):
    fitted = fit(table_of("regression"), "y", epochs=2, validation=nothing)
    assert fitted.rows == {"train": N, "validation": 0}
    assert fitted.scores == fitted.baseline == {} and len(fitted.history) == 2
    assert "trained on 120 rows" in repr(fitted)


def test_too_few_rows_to_validate_on():
    with pytest.warns(TableWarning, match="of 2 rows none is left to validate on"):
        fitted = fit({"x": [1.0, 2.0], "y": ["a", "b"]}, "y", seed=3)
    assert fitted.rows == {"train": 2, "validation": 0} and len(fitted.history) == 200
    assert fitted.model.predict({"x": [1.0, 2.0]}).tolist() == ["a", "b"]


def test_rows_without_a_target_are_left_out():
    y = TARGETS["regression"].copy()
    y[::3] = np.nan
    table = Table({"x": X, "y": y})
    with pytest.warns(TableWarning, match="fit: 'y' is missing in 40 of 120 rows, .* left out"):
        fitted = fit(table, "y", epochs=1)
    assert fitted.rows == {"train": 64, "validation": 16}
    with pytest.warns(TableWarning, match="fit: validation: 'y' is missing in 2 of 4 rows"):
        fitted = fit(table.take(y == y), "y", epochs=1, validation=table.take([0, 1, 2, 3]))
    assert fitted.rows["validation"] == 2
    with pytest.raises(ValueError, match="fit: validation: there is no row with a target"):
        fit(table.take(y == y), "y", validation=table.take([0, 3]))
    with pytest.warns(TableWarning, match="evaluate: 'y' is missing in 1 of 2 rows, which is"):
        tabular.evaluate(fitted.model, table.take([0, 1]))


def test_a_leak_is_warned_of():
    with pytest.warns(TableWarning, match="column 'copy' is a copy of the target 'y'"):
        fit(Table({"c": C, "copy": X, "y": X}), "y", epochs=1)


# ---- what ends a training ------------------------------------------------------------------------


def test_max_seconds_are_held():
    for ensemble in (1, 2):
        began = time.monotonic()
        fitted = fit(table_of("regression"), "y", max_seconds=0.6, ensemble=ensemble, lr=1e-6)
        assert time.monotonic() - began < 3  # 0.6, and what a busy machine takes for the rest
        assert fitted.stopped.count("max_seconds, 0.6, are over") == ensemble
        assert fitted.seconds > 0.5 and fitted.scores
        lengths = [*map(len, fitted.history)] if ensemble > 1 else [len(fitted.history)]
        assert max(lengths) < 4 * min(lengths)  # none takes the time of the others


class Interrupt(train.Callback):
    """Ctrl-C, at the end of some epoch of some training."""

    def __init__(self, epoch, training):
        self.epoch, self.left = epoch, training

    def on_train_begin(self, logs=None):
        self.left -= 1

    def on_epoch_end(self, epoch, logs=None):
        if self.left == 0 and epoch == self.epoch:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_the_best_so_far():
    table = table_of("regression")
    best = fit(table, "y", epochs=3)
    fitted = fit(table, "y", epochs=9, callbacks=Interrupt(3, 1))
    assert "Ctrl-C" in fitted.stopped and len(fitted.history) == 3
    assert fitted.scores == best.scores
    fitted = fit(table, "y", epochs=3, ensemble=4, callbacks=[Interrupt(2, 3)])
    assert len(fitted.model.members) == len(fitted.history) == 2
    assert re.search(r"model 2: 3 epochs are done; model 3: .*Ctrl-C.* is left out", fitted.stopped)
    assert fitted.model.members[0].outputs(table).tobytes() == best.model.outputs(table).tobytes()


@pytest.mark.skipif(os.name == "nt", reason="there are no signals")
@pytest.mark.parametrize(("count", "kept"), [(2, 2), (5, 2)])
def test_ctrl_c_in_an_ensemble(interruptible, count, kept):
    """Of those on threads none has come to its end: those that have begun are kept."""
    pyml.set_num_threads(2)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    fitted = fit(table_of("counts"), "y", validation=0, epochs=10**6, ensemble=count)
    timer.join()
    assert fitted.interrupted and len(fitted.model.members) == kept == len(fitted.history)
    assert fitted.stopped.count("stopped by Ctrl-C") == kept
    assert fitted.model.predict(table_of("counts")).shape == (N,)


def test_a_model_that_fails_ends_an_ensemble():
    options = {"lr": 1e38, "epochs": 3, "ensemble": 3}
    with pytest.raises(FloatingPointError, match="the training loss is"):
        fit(table_of("regression"), "y", **options)


@pytest.mark.skipif(os.name == "nt", reason="there are no signals")
def test_ctrl_c_of_the_system(interruptible):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))

    class Begun(train.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                timer.start()

    fitted = fit(table_of("counts"), "y", validation=0, epochs=10**6, callbacks=[Begun()])
    timer.join()
    assert fitted.interrupted and "Ctrl-C" in fitted.stopped and len(fitted.history) < 10**6
    assert fitted.model.predict(table_of("counts")).shape == (N,)


def test_a_loss_that_is_infinite():
    class Spoil(train.Callback):
        def __init__(self, epoch):
            self.epoch = epoch

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == self.epoch:
                self.trainer.optimizer.param_groups[0]["lr"] = 1e38

    fitted = fit(table_of("regression"), "y", epochs=9, callbacks=[Spoil(3)])
    assert "the training loss is" in fitted.stopped and np.isfinite(fitted.scores["rmse"])
    assert not fitted.interrupted
    with pytest.raises(FloatingPointError, match="the training loss is"):
        fit(table_of("regression"), "y", epochs=9, callbacks=[Spoil(1)])


def test_ctrl_c_before_the_training_begins():
    class Early(train.Callback):
        def set_trainer(self, trainer):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(table_of("regression"), "y", epochs=9, callbacks=[Early()])


# ---- how it is trained where nobody says ---------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "width", "batch_size", "steps", "patience", "enough"),
    [
        (1, 64, 32, 1, 100, 200),
        (500, 64, 32, 16, 8, 200),
        (501, 128, 32, 16, 8, 200),
        (2_000, 128, 64, 32, 8, 125),
        (2_001, 256, 64, 32, 8, 125),
        (8_000, 256, 128, 63, 8, 64),
        (32_000, 256, 256, 125, 8, 32),
        (108_000, 256, 512, 211, 8, 19),
        (108_001, 256, 1024, 106, 8, 38),
    ],
)
def test_defaults(rows, width, batch_size, steps, patience, enough):
    made = defaults_for(np.zeros((rows, 0), np.float32), 0)
    assert made.architecture == {"hidden": (width, width), "dropout": 0.1}
    assert (made.batch_size, made.steps(rows)) == (batch_size, steps)
    assert (made.patience(rows), made.enough(rows)) == (patience, enough)
    assert made.ema(rows) == 1 - 1 / (2 * steps)


def test_defaults_for_numbers():
    rng = np.random.default_rng(0)
    for rows, bins in ((30, 2), (100, 5), (2000, 48)):
        architecture = defaults_for(rng.normal(size=(rows, 3)), 2).architecture
        assert architecture["embedding"] == "piecewise"
        assert [len(edges) for edges in architecture["bins"]] == [bins + 1] * 2
    assert "embedding" in defaults_for(rng.normal(size=(9, 128)), 128).architecture
    assert "embedding" not in defaults_for(rng.normal(size=(9, 129)), 129).architecture


@pytest.mark.parametrize("task", TARGETS)
def test_the_network_begins_with_the_baseline(task):
    table = table_of(task)
    fitted = fit(table, "y", task=task, epochs=1, lr=1e-9, validation=np.arange(20))
    model = fitted.model
    with pyml.no_grad():
        model.network[-1].weight.zero_()
    found = tabular.evaluate(model, table.take(np.arange(20)))
    assert found == pytest.approx(fitted.baseline, rel=1e-4, abs=1e-4)


def test_what_is_said_is_done():
    """The options reach the Trainer, and the average is what predicts."""
    seen = []

    class Look(train.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.trainer)

    table = table_of("regression")
    options = {"hidden": (7, 5), "lr": 0.01, "batch_size": 40, "epochs": 2, "validation": 0.5}
    fitted = fit(table, "y", callbacks=[Look()], **options)
    trainer = seen[0]
    assert [p.shape[0] for p in fitted.model.network.parameters()] == [7, 7, 5, 5, 1, 1]
    assert (trainer.batches, len(seen)) == (2, 2)
    assert fitted.history.column("learning_rate").tolist() == [0.01, 0.01]
    assert trainer.clip == 1.0 and trainer.optimizer.param_groups[0]["weight_decay"] == 0.01
    average = trainer.averaged.module.outputs(table)
    assert fitted.model.outputs(table).tobytes() == average.tobytes()


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation": 1}, "fit: validation is 1"),
        ({"validation": -0.1}, "fit: validation is -0.1"),
        ({"validation": [3, 3]}, "row 3 is there twice"),
        ({"validation": [N]}, "rows are 0 to 119"),
        ({"validation": range(N)}, "train has no rows"),
        ({"validation": np.zeros(3, bool)}, "validation has shape"),
        ({"validation": {"x": [1.0], "c": ["a"]}}, "lacks the target 'y'"),
        ({"validation": {"x": [1.0], "y": ["yes"]}}, "lacks 'c'"),
        ({"validation": {"x": [1.0], "c": ["a"], "y": ["perhaps"]}}, "'perhaps' in row 0"),
        ({"epochs": 0}, "fit: epochs is 0"),
        ({"ensemble": 0}, "fit: ensemble is 0"),
        ({"lr": 0}, "fit: lr is 0"),
        ({"max_seconds": -1}, "fit: max_seconds is -1"),
        ({"batch_size": 0}, "fit: batch_size is 0"),
        ({"hidden": (0,)}, r"hidden\[0\] is 0"),
        ({"target": "z"}, "target has 'z', which is no column"),
        ({"target": None}, "fit: target is missing"),
        ({"task": "counts"}, "the target 'y' is no number"),
        ({"drop": ["x", "c"]}, "no column can be an input: 'x' \\(dropped\\)"),
        ({"seed": 2**64}, "seed: 18446744073709551616 is outside"),
    ],
)
def test_options_that_are_refused(options, words):
    options = {"target": "y", **options}
    with pytest.raises(ValueError, match=words):
        fit(table_of("binary"), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation": "none"}, "none"),
        ({"epochs": 1.5}, "fit: epochs is 1.5"),
        ({"ensemble": None}, "fit: ensemble is None"),
        ({"ensemble": True}, "fit: ensemble is True"),
        ({"seed": "x"}, "fit: seed is 'x'"),
        ({"lr": "fast"}, "fit: lr"),
        ({"schema": "y"}, "fit: schema is a str"),
        ({"callbacks": [3]}, r"fit: callbacks\[0\] is 3"),
        ({"hidden": 3}, "hidden is 3"),
    ],
)
def test_options_of_another_type(options, words):
    with pytest.raises((TypeError, FileNotFoundError), match=words):
        fit(table_of("binary"), "y", **options)


def test_a_schema_that_is_given():
    table = table_of("binary")
    schema = Schema.infer(table, "y", kinds={"x": "category"})
    fitted = fit(table, schema=schema, epochs=1)
    assert fitted.schema is schema and fitted.model.preprocessor.values == 0
    for options, words in (
        ({"target": "x"}, "fit: target is 'x', that of the schema is y"),
        ({"task": "multiclass"}, "fit: task and drop are for Schema.infer"),
        ({"drop": ["c"]}, "fit: task and drop are for Schema.infer"),
    ):
        with pytest.raises(ValueError, match=words):
            fit(table, schema=schema, **options)
    with pytest.raises(ValueError, match="fit: the table lacks the target 'y'"):
        fit(table.drop(["y"]), schema=schema)
    with pytest.raises(ValueError, match="fit: the schema has no target"):
        fit(table, "y", schema=Schema.infer(table))


# ---- tables as users make them -------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize("name", WORKS)
def test_messy_tables_train(name, tmp_path):
    content, target, (task, _) = WORKS[name]
    path = written(content, tmp_path / "raw.csv")
    fitted = fit(path, target, epochs=1, hidden=(4,))
    assert fitted.task == task
    fitted.model.save(tmp_path / "model")
    again = TabularModel.load(tmp_path / "model")
    assert again.outputs(path).tobytes() == fitted.model.outputs(path).tobytes()
    assert set(fitted.scores) == set(fitted.baseline)
    small = tabular.RECIPES["realmlp-td"].replace(hidden=(4,))
    fitted = fit(path, target, epochs=1, recipe=small)
    fitted.model.save(tmp_path / "model")
    again = TabularModel.load(tmp_path / "model")
    assert again.outputs(path).tobytes() == fitted.model.outputs(path).tobytes()


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_messy_tables_say_why_not(name, tmp_path):
    content, target, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        fit(written(content, tmp_path / "raw.csv"), target)


TWO = [0.0, 1.0] * 20
LABELS = {
    "0.0 and 1.0": (TWO, "binary", 0.0),
    "0 and 1": (list(map(int, TWO)), "binary", 0),
    "truths": (list(map(bool, TWO)), "binary", False),
    "yes and no": (["no", "yes"] * 20, "binary", "no"),
    "a class that occurs once": (["a", "b"] * 19 + ["a", "once"], "multiclass", "a"),
    "counts with zeros": (
        [0, 1, 0, 2, 0, 1, 3, 0, 2, 1] * 3 + [0, 4, 0, 5, 1, 6, 2, 3, 0, 1],
        "counts",
        1.0,
    ),
    "nearly all the same": ([0.5] * 38 + [1.5, 2.5], "regression", 0.5),
}


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
@pytest.mark.parametrize("name", LABELS)
def test_targets_come_back_as_they_were(name):
    y, task, like = LABELS[name]
    fitted = fit(Table({"x": np.linspace(0, 1, 40) ** 2, "y": y}), "y", epochs=1)
    assert fitted.task == task
    predicted = fitted.model.predict({"x": [0.0, 0.5]}).tolist()
    assert type(predicted[0]) is type(like) and len(predicted) == 2


def test_several_targets():
    table = Table({"x": X, "c": C, "a": X + C, "b": MEAN, "p": MEAN > 0, "q": X > C})
    fitted = fit(table.drop(["p", "q"]), ["a", "b"], epochs=30)
    assert fitted.task == "multioutput" and fitted.scores["r2"] > 0.5
    fitted = fit(table.drop(["a", "b"]), ["p", "q"], epochs=1, ensemble=2)
    assert fitted.task == "multilabel" and 0 <= fitted.scores["f1_micro"] <= 1
    each = [member.predict_proba(table) for member in fitted.model.members]
    np.testing.assert_allclose(fitted.model.predict_proba(table), np.mean(each, 0), rtol=1e-5)


def test_many_categories():
    city = [f"city {i % 500}" for i in range(1000)]
    y = np.arange(1000) % 500 < 250
    fitted = fit(Table({"city": city, "y": y}), "y", epochs=3, hidden=(8,))
    assert fitted.model.preprocessor.sizes[0] > 400 and fitted.scores
    assert len(fitted.model.predict({"city": ["nowhere", None]})) == 2


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(table=tables(), data=st.data())
def test_frames_of_random_kinds(table, data):
    target = data.draw(st.sampled_from(table.names))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", TableWarning)
        try:
            fitted = fit(table, target, epochs=1, hidden=(3,))
        except ValueError as error:
            assert re.match(r"(Schema\.infer|Preprocessor\.\w+|Target\.\w+|fit): ", str(error))
            return
        file = io.BytesIO()
        fitted.model.save(file)
        file.seek(0)
        again = TabularModel.load(file)
        assert again.outputs(table).tobytes() == fitted.model.outputs(table).tobytes()
        assert len(again.predict(table)) == table.rows


# ---- ensembles -----------------------------------------------------------------------------------


def test_ensembles_that_are_refused(tmp_path):
    table = table_of("binary")
    one, other = (fit(table, "y", epochs=1, hidden=(n,)).model for n in (3, 4))
    both = TabularEnsemble([one, TabularEnsemble([one])])
    assert both.members == [one, one]
    np.testing.assert_allclose(both.predict_proba(table), one.predict_proba(table), rtol=1e-5)
    for models, error, words in (
        ([], ValueError, "models is empty"),
        ([3], TypeError, r"models\[0\] is a int"),
        ([one, other], ValueError, r"models\[1\] has another preprocessor"),
    ):
        with pytest.raises(error, match=words):
            TabularEnsemble(models)
    changed = TabularModel(one.schema, one.preprocessor, one.target, hidden=(5,))
    with pytest.raises(ValueError, match=r"models\[1\] has another architecture"):
        TabularEnsemble([one, changed])


@pytest.mark.parametrize("task", TARGETS)
def test_the_mean_of_an_ensemble(task):
    """It is of predictions, which is not that of outputs."""
    table = table_of(task)
    schema = Schema.infer(table, "y", task=task)
    first = TabularModel.for_table(schema, table)
    members = [first] + [
        TabularModel(schema, first.preprocessor, first.target, hidden=(256, 256)) for _ in range(2)
    ]
    for i, member in enumerate(members):
        with pyml.no_grad():
            member.network[-1].weight.mul_(5.0 * (i + 1))
    ensemble = TabularEnsemble(members)
    of = "predict_proba" if task in ("binary", "multiclass") else "predict"
    each = [getattr(member, of)(table) for member in members]
    np.testing.assert_allclose(getattr(ensemble, of)(table), np.mean(each, 0), rtol=1e-4)
