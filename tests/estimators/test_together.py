"""In scikit-learn's tools, in threads and in processes."""

import copy
import os
import pickle
import signal
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, VotingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import pyml
from pyml.estimators import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from pyml.train.fitting import Fitting

from .data import BINARY, CLASSES, SCORES, VALUES, WEIGHTS, X, fitted

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.03, "max_iter": 20}


def test_searches():
    grid = {"alpha": [1e-4, 1.0], "optimizer": [None, "adamw"]}
    with parallel_config("threading", n_jobs=2):
        found = GridSearchCV(MLPClassifier(**SMALL), grid, cv=2).fit(X, CLASSES)
    assert found.best_score_ > 0.6 and len(found.cv_results_["params"]) == 4
    half = HalvingRandomSearchCV(
        MLPClassifier(**SMALL),
        grid,
        n_candidates=4,
        resource="max_iter",
        max_resources=8,
        cv=2,
        random_state=0,
    )
    assert half.fit(X, BINARY).best_score_ > 0.6


def test_meta_estimators():
    classifier, regressor = MLPClassifier(**SMALL), MLPRegressor(**SMALL)
    assert CalibratedClassifierCV(classifier, cv=2).fit(X, CLASSES).score(X, CLASSES) > 0.6
    assert BaggingClassifier(classifier, 3).fit(X, CLASSES).score(X, CLASSES) > 0.6
    assert VotingRegressor([("a", regressor), ("b", regressor)]).fit(X, VALUES).score(X, VALUES) > 0
    scaled = TransformedTargetRegressor(regressor, transformer=StandardScaler())
    assert scaled.fit(X, 100 + 50 * VALUES).score(X, 100 + 50 * VALUES) > 0.5
    columns = np.column_stack([CLASSES, BINARY == "yes"])
    assert MultiOutputClassifier(classifier).fit(X, columns).predict(X).shape == (60, 2)
    assert cross_val_predict(classifier, X, CLASSES, cv=2, method="predict_proba").shape == (60, 3)
    importance = permutation_importance(fitted(classifier, X, CLASSES), X, CLASSES, n_repeats=2)
    assert importance.importances_mean.shape == (5,)


def test_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde")).assign(city=np.where(X[:, 0] > 0, "x", "y"))
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), list("abcde")), ("names", OneHotEncoder(), ["city"])]
    )
    pipeline = make_pipeline(columns, MLPRegressor(**SMALL)).set_output(transform="pandas")
    columns.set_params(names=OneHotEncoder(sparse_output=False))
    pipeline.fit(frame, VALUES)
    assert pipeline.score(frame, VALUES) > 0.5
    assert pipeline[-1].feature_names_in_[0] == "numbers__a"
    mlp = fitted(MLPRegressor(**SMALL), frame[list("abc")], VALUES)
    assert mlp.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        mlp.predict(frame[list("cba")])


def scaled(output):
    """A ColumnTransformer, numbers scaled and text as it is, that gives an array or a frame."""
    numbers = ("numbers", StandardScaler(), list("abcde"))
    return ColumnTransformer([numbers], remainder="passthrough").set_output(transform=output)


def halving(estimator):
    options = {"resource": "epochs", "min_resources": 2, "max_resources": 4, "factor": 2}
    grid = {"lr": [0.01, 0.05]}
    return HalvingRandomSearchCV(estimator, grid, n_candidates=2, cv=2, random_state=0, **options)


TOOLS = {  # functions of an estimator
    "Pipeline": lambda estimator: make_pipeline("passthrough", estimator),
    "ColumnTransformer": lambda estimator: make_pipeline(scaled("default"), estimator),
    "set_output": lambda estimator: make_pipeline(scaled("pandas"), estimator),
    "HalvingRandomSearchCV": halving,
    "BaggingClassifier": lambda estimator: BaggingClassifier(estimator, 2, random_state=0),
    "CalibratedClassifierCV": lambda estimator: CalibratedClassifierCV(estimator, cv=2),
}
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
}
QUICK = {"hidden": (16,), "epochs": 8, "lr": 0.05, "batch_size": 16, "random_state": 0}


@pytest.fixture
def frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(X, columns=list("abcde")).assign(city=np.where(X[:, 0] > 0, "x", "y"))


@pytest.mark.parametrize("tool", TOOLS)
def test_tabular_estimators_in_tools(tool, frame):
    estimator = TOOLS[tool](TabularClassifier(**QUICK)).fit(frame, BINARY)
    assert estimator.score(frame, BINARY) > 0.8


def test_what_takes_tabular_estimators(frame):
    regressor = TabularRegressor(**QUICK)
    assert cross_val_score(regressor, frame, VALUES, cv=2).min() > 0
    importance = permutation_importance(
        regressor.fit(frame, VALUES), frame, VALUES, n_repeats=2, random_state=0
    )
    assert importance.importances_mean.argmax() == 1  # of b, whose slope is the largest


def test_copies_of_tabular_estimators(frame):
    classifier = TabularClassifier(**QUICK).fit(frame, BINARY)
    wanted = classifier.predict_proba(frame)
    for name, made in COPIES.items():
        assert np.array_equal(made(classifier).predict_proba(frame), wanted), name
    again = clone(classifier)
    assert not hasattr(again, "model_")
    assert np.array_equal(again.fit(frame, BINARY).predict_proba(frame), wanted)


def test_fits_of_threads_run_side_by_side(frame, monkeypatch):
    """Each epoch of one begins when that of the other does."""
    together, begin = threading.Barrier(2, timeout=60), Fitting.begin_epoch
    monkeypatch.setattr(Fitting, "begin_epoch", lambda self: (together.wait(), begin(self)))
    fits = Parallel(n_jobs=2, backend="threading")(
        delayed(TabularClassifier(**QUICK).fit)(frame, BINARY) for _ in range(2)
    )
    assert [fit.n_iter_ for fit in fits] == [8, 8]


def test_routing_of_weights():
    with sklearn.config_context(enable_metadata_routing=True):
        mlp = MLPRegressor(**SMALL).set_fit_request(sample_weight=True)
        mlp.set_score_request(sample_weight=True)
        scores = cross_val_score(mlp, X, VALUES, cv=2, params={"sample_weight": WEIGHTS})
        plain = cross_val_score(MLPRegressor(**SMALL), X, VALUES, cv=2)
    assert scores.shape == (2,) and not np.allclose(scores, plain)


PROCESSES = pytest.param("loky", marks=pytest.mark.exhaustive)


@pytest.mark.parametrize("backend", ["threading", PROCESSES])
def test_the_same_bits_for_any_n_jobs(backend):
    options = {**SMALL, "dropout": 0.2, "early_stopping": True}

    def scores(n_jobs):
        with parallel_config(backend, n_jobs=n_jobs):
            return cross_val_predict(
                MLPClassifier(**options), X, CLASSES, cv=4, method="predict_proba"
            )

    assert np.array_equal(scores(1), scores(2))


def test_the_same_bits_for_any_number_of_threads():
    count = pyml.get_num_threads()
    x, y = np.tile(X, (40, 4)), np.tile(CLASSES, 40)
    found = []
    try:
        for threads in (1, 2):
            pyml.set_num_threads(threads)
            mlp = fitted(MLPClassifier(64, random_state=0, max_iter=2, dropout=0.1), x, y)
            found.append(mlp.predict_proba(x))
    finally:
        pyml.set_num_threads(count)
    assert np.array_equal(*found)


def test_fits_leave_the_default_generator():
    pyml.manual_seed(3)
    before = pyml.get_rng_state()
    fitted(MLPClassifier(**SMALL, dropout=0.2, activation="rrelu", batch_norm=True), X, CLASSES)
    assert np.array_equal(before, pyml.get_rng_state())
    first, second = (
        fitted(MLPClassifier(**{**SMALL, "random_state": None}), X, CLASSES) for _ in range(2)
    )
    assert not np.array_equal(first.coefs_[0], second.coefs_[0])


def test_another_thread_runs_meanwhile():
    options = {"max_iter": 10**6, "tol": 0, "n_iter_no_change": np.inf, "max_seconds": 0.3}
    mlp = MLPClassifier((256, 256), batch_size=500, **options)
    thread = threading.Thread(target=mlp.fit, args=(np.tile(X, (100, 10)), np.tile(CLASSES, 100)))
    counts = 0
    thread.start()
    while thread.is_alive():
        counts += 1
    assert mlp.n_iter_ > 0 and counts > 1000


ENSEMBLES = [
    MLPClassifier(**SMALL, n_ensemble=3, dropout=0.2, early_stopping=True, batch_norm=True),
    MLPClassifier(**{**SMALL, "max_iter": 5}, n_ensemble=3, solver="lbfgs"),
    TabularClassifier(epochs=2, hidden=(8,), random_state=0, n_ensemble=3),
]


@pytest.mark.parametrize("estimator", ENSEMBLES, ids=["epochs", "lbfgs", "tabular"])
def test_ensembles_have_the_same_bits_on_any_threads(estimator):
    """And inside of joblib's threads, where trainings of several ensembles meet."""
    count, found = pyml.get_num_threads(), []
    for threads in (1, 2, 4):
        pyml.set_num_threads(threads)
        found.append(fitted(clone(estimator), X, CLASSES).predict_proba(X))
    pyml.set_num_threads(count)
    assert all(np.array_equal(each, found[0]) for each in found)
    many = Parallel(n_jobs=3, backend="threading")(
        delayed(fitted)(clone(estimator), X, CLASSES) for _ in range(3)
    )
    assert all(np.array_equal(each.predict_proba(X), found[0]) for each in many)


def test_an_ensemble_is_of_lone_networks():
    """The first draws as a single one does, whatever the others do beside it."""
    options = {**SMALL, "dropout": 0.2, "early_stopping": True}
    several, one = (
        fitted(MLPClassifier(**options, n_ensemble=n), X, CLASSES).networks_[0] for n in (3, 1)
    )
    for a, b in zip(several.parameters(), one.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())


def test_what_ensembles_say(capsys):
    mlp = MLPClassifier(**{**SMALL, "max_iter": 2}, n_ensemble=3, verbose=True)
    with pytest.warns(ConvergenceWarning) as told:
        mlp.fit(X, CLASSES)
    assert len(told) == 1 and told[0].filename == __file__
    lines = sorted(capsys.readouterr().out.splitlines())
    assert len(lines) == 6
    assert [line[:23] for line in lines[::2]] == [f"Network {i}: Iteration 1," for i in (1, 2, 3)]


def test_a_line_is_one_write(monkeypatch):
    """What threads write between two writes of a line would lie within it."""
    written = []
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=written.append))
    with pytest.warns(ConvergenceWarning):
        MLPClassifier(**{**SMALL, "max_iter": 2}, n_ensemble=3, verbose=True).fit(X, CLASSES)
    lines = [text for text in written if text]
    assert len(lines) == 6 and all(line.endswith("\n") for line in lines)


def test_one_of_an_ensemble_that_fails():
    mlp = MLPRegressor(**{**SMALL, "learning_rate_init": 1e30}, n_ensemble=3, optimizer="sgd")
    with pytest.raises(ValueError, match="the training loss is not finite"):
        mlp.fit(X, VALUES)
    assert not hasattr(mlp, "networks_")


@pytest.mark.skipif(os.name == "nt", reason="there are no signals")
def test_ctrl_c_ends_an_ensemble(interruptible):
    """Networks that have begun are there, others not."""
    endless = {"max_iter": 10**7, "tol": 0, "n_iter_no_change": np.inf}
    mlp = MLPClassifier(**{**SMALL, **endless}, n_ensemble=5)
    pyml.set_num_threads(2)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        mlp.fit(X, CLASSES)
    assert len(mlp.networks_) == 2 and mlp.n_iter_ > 0 and len(mlp.predict(X)) == len(X)


def test_threads_that_fit_and_predict_at_once():
    mlps = [MLPRegressor(**{**SMALL, "random_state": seed}, dropout=0.1) for seed in range(4)]
    alone = [fitted(mlp, X, SCORES).predict(X) for mlp in mlps]
    both = Parallel(n_jobs=4, backend="threading")(
        delayed(lambda mlp: mlp.fit(X, SCORES).predict(X))(mlp) for mlp in mlps
    )
    assert all(np.array_equal(a, b) for a, b in zip(alone, both, strict=True))
    predicted = Parallel(n_jobs=4, backend="threading")(
        delayed(mlps[0].predict)(X) for _ in range(8)
    )
    assert all(np.array_equal(each, alone[0]) for each in predicted)
