"""fit: from a table to a trained model in one call."""

import numpy as np
import pytest

import pyml
from pyml import tabular
from pyml.tabular import Table, TabularModel, fit

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
