"""partial_fit and warm_start, early stopping; what scikit-learn's MLP gets wrong."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from pyml.estimators import MLPClassifier, MLPRegressor, fitting

from .data import (
    BINARY,
    CLASSES,
    LABELS,
    NUMBERS,
    SCORES,
    TARGETS,
    VALUES,
    WEIGHTS,
    X,
    fitted,
    same_bits,
)

SMALL = {"hidden_layer_sizes": (8,), "random_state": 0}
WAYS = {
    "adam": {},
    "batches": {"batch_size": 25},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
    "adaptive": {
        **{"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3},
        **{"tol": 0.05, "n_iter_no_change": 1},
    },
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.3},
    "dropout, norm": {"dropout": 0.3, "batch_norm": True, "batch_size": 20},
    "members": {"n_ensemble": 2},
    "rmsprop": {"optimizer": "rmsprop", "alpha": 0},
    "schedule": {"schedule": "cosine", "batch_size": 25},
    "schedule, sgd": {"schedule": "warmup_cosine", "solver": "sgd"},
}
CALLS = [  # a schedule is of one fit; partial_fit holds nothing out
    *[("fit", way) for way in WAYS if "schedule" not in WAYS[way]],
    *[("partial_fit", way) for way in WAYS if "early_stopping" not in WAYS[way]],
]


@pytest.mark.parametrize(("call", "way"), CALLS)
def test_single_iterations_are_one_long_fit(call, way):
    long = fitted(MLPClassifier(**SMALL, max_iter=9, **WAYS[way]), X, CLASSES)
    short = MLPClassifier(**SMALL, max_iter=9, warm_start=True, **WAYS[way])
    for i in range(9):
        if call == "fit":
            fitted(short.set_params(max_iter=1), X, CLASSES)
        else:
            short.partial_fit(X, CLASSES, classes=[0, 1, 2])
        if i == 4:
            short = pickle.loads(pickle.dumps(short))
        if i == 6:
            short = copy.deepcopy(short)
    assert long.n_iter_ == 9
    assert same_bits(long, short)
    assert long.loss_curve_ == short.loss_curve_
    assert long.validation_scores_ == short.validation_scores_
    assert (long.best_loss_, long.best_validation_score_) == (
        short.best_loss_,
        short.best_validation_score_,
    )
    assert long.t_ == short.t_


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_schedule_begins_anew(solver):
    """The optimizer goes on: its moments, and Adam's count of steps."""
    options = {**SMALL, "solver": solver, "schedule": "linear", "learning_rate_init": 0.02}
    mlp = MLPClassifier(**options, warm_start=True, max_iter=2, batch_size=25)
    losses = [fitted(mlp, X, CLASSES).loss_ for _ in range(9)]
    assert losses == sorted(losses, reverse=True) and losses[8] < 0.99 * losses[4]
    rate = mlp._trainings[0].rate
    assert (rate.first, rate.total, rate.last_epoch) == (48, 6, 54)
    fitted(mlp.set_params(max_iter=3, tol=1e9, n_iter_no_change=1), X, CLASSES)
    assert mlp.n_iter_ == 2 and not rate.is_over
    fitted(mlp, X, CLASSES)
    assert (rate.first, rate.total) == (60, 9), "also where the last call stopped by itself"
    mlp.partial_fit(X, CLASSES).partial_fit(X, CLASSES)
    assert (rate.first, rate.last_epoch) == (69, 72)


def test_warm_start_makes_all_its_iterations():
    """scikit-learn's makes a single one after it has stopped by itself."""
    mlp = MLPClassifier(**SMALL, tol=0.5, n_iter_no_change=3, max_iter=30, warm_start=True)
    fitted(mlp, X, CLASSES)
    assert mlp.n_iter_ < 30
    fitted(mlp, X, CLASSES)
    assert mlp.n_iter_ > 3
    assert len(mlp.loss_curve_) > mlp.n_iter_


def test_partial_fit_after_early_stopping():
    """scikit-learn's raises."""
    mlp = fitted(MLPClassifier(**SMALL, early_stopping=True, max_iter=20), X, CLASSES)
    rows = mlp.t_
    best = [each.copy() for each in mlp.coefs_]
    mlp.partial_fit(X, CLASSES)
    assert mlp.n_iter_ == 1 and mlp.t_ == rows + len(X)
    steps = np.abs(mlp.coefs_[0] - best[0])
    assert 0 < steps.max() < 0.01, "it goes on from the best weights, by a step of Adam"
    MLPClassifier(**SMALL, early_stopping=True).partial_fit(X[:1], CLASSES[:1], classes=[0, 1, 2])


def test_partial_fit_of_labels():
    """scikit-learn's raises."""
    mlp = MLPClassifier(**SMALL, learning_rate_init=0.05)
    for _ in range(40):
        mlp.partial_fit(X, LABELS)
    assert mlp.score(X, LABELS) > 0.8
    assert np.array_equal(mlp.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match="columns"):
        mlp.partial_fit(X, LABELS[:, :2])
    with pytest.raises(ValueError, match="at the first fit it was multilabel"):
        mlp.partial_fit(X, CLASSES)


def test_partial_fit_is_an_iteration():
    both = MLPClassifier(**SMALL), MLPClassifier(**SMALL, warm_start=True, max_iter=1)
    for _ in range(3):
        both[0].partial_fit(X, CLASSES, classes=[0, 1, 2])
        fitted(both[1], X, CLASSES)
    assert same_bits(*both)
    both = MLPRegressor(**SMALL), MLPRegressor(**SMALL, warm_start=True, max_iter=1)
    for _ in range(3):
        both[0].partial_fit(X, VALUES)
        fitted(both[1], X, VALUES)
    assert same_bits(*both)


@pytest.mark.parametrize(
    ("before", "after"),
    [([0, 1], [0, 1, 2]), ([1], [0, 1, 2]), ([0], [0, 2]), ([0, 1, 2], [-1, 0, 1, 2])],
)
def test_new_classes(before, after):
    mlp = MLPClassifier(**SMALL, learning_rate_init=0.05)
    rows = np.isin(CLASSES, before)
    for _ in range(5):
        mlp.partial_fit(X[rows], CLASSES[rows], classes=before)
    known = mlp.predict_proba(X)
    copied = copy.deepcopy(mlp)
    copied.set_params(learning_rate_init=1e-300)
    copied.partial_fit(X[rows], CLASSES[rows], classes=after)
    assert np.array_equal(copied.classes_, after)
    shares = copied.predict_proba(X)[:, np.searchsorted(after, before)]
    if len(before) > 1:
        np.testing.assert_allclose(shares / shares.sum(1, keepdims=True), known, rtol=1e-10)
    rows = np.isin(CLASSES, after)
    for _ in range(40):
        mlp.partial_fit(X[rows], CLASSES[rows], classes=after)
    assert mlp.score(X[rows], CLASSES[rows]) > 0.85
    assert mlp.predict_proba(X).shape == (60, len(after))
    with pytest.raises(ValueError, match="lacks"):
        mlp.partial_fit(X, np.full(60, after[1]), classes=[*after[1:], 9])
    with pytest.raises(ValueError, match="not among the classes_"):
        mlp.partial_fit(X, np.full(60, 8))


def test_early_stopping_keeps_the_best():
    mlp = MLPClassifier(
        **SMALL, early_stopping=True, validation_fraction=0.3, max_iter=40, learning_rate_init=0.3
    )
    fitted(mlp, X, CLASSES)
    assert len(mlp.validation_scores_) == mlp.n_iter_ == len(mlp.loss_curve_)
    assert mlp.best_validation_score_ == max(mlp.validation_scores_)
    assert mlp.best_loss_ is None
    training = mlp._trainings[0]
    _, held = training._split(mlp, mlp._coding, CLASSES)
    assert mlp.score(X[held], CLASSES[held]) == mlp.best_validation_score_
    assert training.network is not training.predictor
    counts = np.bincount(CLASSES[held]) / np.bincount(CLASSES)
    assert np.all(np.abs(counts - 0.3) < 0.05), "each class by its share"


@pytest.mark.parametrize("name", [*TARGETS, *NUMBERS])
def test_early_stopping_of_all_kinds(name):
    made = MLPClassifier if name in TARGETS else MLPRegressor
    y = (TARGETS | NUMBERS)[name]
    mlp = made(**SMALL, early_stopping=True, validation_fraction=0.25, max_iter=30)
    fitted(mlp, X, y)
    _, held = mlp._trainings[0]._split(mlp, mlp._coding, mlp._coding.numbers(np.array(y), ""))
    assert mlp.best_validation_score_ == pytest.approx(mlp.score(X[held], y[held]), rel=1e-12)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_early_stopping_with_classes_of_one_member():
    """scikit-learn's raises."""
    y = np.append(np.zeros(30, int), np.arange(1, 31))
    mlp = fitted(MLPClassifier(**SMALL, early_stopping=True, max_iter=3), X, y)
    assert len(mlp.classes_) == 31
    mlp = fitted(MLPClassifier(**SMALL, early_stopping=True, max_iter=3), X, np.arange(60) % 30)
    assert len(mlp.validation_scores_) == 3
    words = r"0 to validate on, of the classes \[0 1 2\]: The validation set is too small"
    with pytest.raises(ValueError, match=words):
        MLPClassifier(early_stopping=True).fit(X[:3], [0, 1, 2])


def test_early_stopping_without_a_finite_loss():
    mlp = MLPRegressor(**SMALL, early_stopping=True, solver="sgd", learning_rate_init=0.05)
    y = VALUES.copy()
    fitted(mlp.set_params(warm_start=True, max_iter=3), X, y)
    scores = mlp.best_validation_score_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="the best weights are kept"):
            mlp.set_params(learning_rate_init=1e200, max_iter=50).fit(X, y)
    assert scores > -np.inf


def test_a_fit_that_raises_changes_nothing():
    mlp = fitted(MLPClassifier(**SMALL, max_iter=3), X, CLASSES)
    before = dict(mlp.__dict__)
    for x, y in ((X[:, :2], np.full(60, np.nan)), (X, SCORES), (X[:0], CLASSES[:0])):
        with pytest.raises(ValueError):
            mlp.fit(x, y)
    with pytest.raises(ValueError, match="n_ensemble"):
        mlp.set_params(n_ensemble=2, warm_start=True).fit(X, CLASSES)
    mlp.set_params(n_ensemble=1, warm_start=False)
    assert mlp.__dict__ == before
    with pytest.raises(ValueError, match="same classes as in the previous"):
        mlp.set_params(warm_start=True).fit(X, BINARY)


@pytest.mark.parametrize(
    ("known", "call", "words"),
    [
        ([0, 1], {"classes": [0, 1, 2], "sample_weight": -np.ones(60)}, "sample_weight"),
        ([0, 1, 2], {"classes": [0, 1, 2, 3], "sample_weight": -np.ones(60)}, "sample_weight"),
        ([0, 1, 2], {"classes": [0, 1, 2, 3], "batch_norm": True}, "batch_norm needs batches of 2"),
        ([0, 1, 2], {"batch_norm": True}, "batch_norm needs batches of 2"),
    ],
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_partial_fit_that_raises_changes_nothing(known, call, words, early_stopping):
    norm = {"batch_norm": "batch_norm" in call, "early_stopping": early_stopping}
    rows, call = np.isin(CLASSES, known), {k: v for k, v in call.items() if k != "batch_norm"}
    mlp = MLPClassifier(**SMALL, **norm, learning_rate_init=0.1, validation_fraction=0.3)
    fitted(mlp.set_params(max_iter=12), X[rows], CLASSES[rows])
    copied, before = copy.deepcopy(mlp), mlp.predict_proba(X)
    with pytest.raises(ValueError, match=words):
        mlp.set_params(batch_size=1).partial_fit(X, CLASSES, **call)
    mlp.set_params(batch_size="auto")
    assert np.array_equal(mlp.predict_proba(X), before)
    for each in (mlp, copied):
        fitted(each.set_params(warm_start=True), X[rows], CLASSES[rows])
    assert same_bits(mlp, copied) and mlp.loss_curve_ == copied.loss_curve_


def test_a_warm_fit_that_raises_predicts_by_the_best_weights_still():
    options = {"early_stopping": True, "learning_rate_init": 0.3, "batch_norm": True}
    mlp = MLPClassifier(**SMALL, **options, warm_start=True, max_iter=20)
    before = fitted(mlp, X, CLASSES).predict_proba(X)
    assert mlp.networks_[0] is not mlp._trainings[0].network
    with pytest.raises(ValueError, match="batch_norm"):
        mlp.set_params(early_stopping=False, batch_size=1).fit(X, CLASSES)
    assert np.array_equal(mlp.predict_proba(X), before)


CHANGES = {  # and the same in other words
    "n_ensemble": (2, 1),
    "dtype": ("float32", np.float64),
    "hidden_layer_sizes": ((9,), [8]),
    "activation": ("tanh", "ReLU"),
    "dropout": (0.1, 0),
    "batch_norm": (True, False),
    "layer_norm": (True, False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_network_that_is_trained_keeps_its_architecture(name):
    mlp = fitted(MLPClassifier(**SMALL, max_iter=2, warm_start=True), X, CLASSES)
    before = mlp.predict_proba(X)
    other, same = CHANGES[name]
    mlp.set_params(**{name: other})
    for call in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=f"^{call}: {name} is .*; set it back, or fit without"):
            getattr(mlp, call)(X, CLASSES)
    assert np.array_equal(mlp.predict_proba(X), before)
    fitted(mlp.set_params(**{name: same}), X, CLASSES)
    fitted(mlp.set_params(**{name: other}, warm_start=False), X, CLASSES)


def test_an_infinite_loss_leaves_the_weights_of_before():
    mlp = fitted(MLPRegressor(**SMALL, solver="lbfgs", max_iter=5, warm_start=True), X, VALUES)
    before = mlp.predict(X)
    with pytest.raises(ValueError, match="not finite"):
        mlp.fit(X * 1e200, VALUES)
    assert np.array_equal(mlp.predict(X), before)


def test_lbfgs_after_early_stopping():
    """It holds nothing out, and its own weights predict."""
    mlp = MLPClassifier(**SMALL, early_stopping=True, max_iter=30, warm_start=True)
    fitted(mlp, X, CLASSES)
    fitted(mlp.set_params(solver="lbfgs", max_iter=200), X, CLASSES)
    assert mlp.loss_ < 0.1 and mlp.score(X, CLASSES) == 1


@pytest.mark.parametrize("between", ["partial_fit", "fit"])
def test_early_stopping_after_another_training(between):
    """Scores of weights that are no longer there are none to reach."""
    options = {"early_stopping": True, "validation_fraction": 0.3, "warm_start": True}
    mlp = fitted(MLPClassifier(**SMALL, **options, max_iter=60), X, CLASSES)
    training = mlp._trainings[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        getattr(mlp.set_params(early_stopping=False, max_iter=1), between)(X, 2 - CLASSES)
    fitted(mlp.set_params(early_stopping=True), X, CLASSES)
    _, held = training._split(mlp, mlp._coding, CLASSES)
    assert mlp.best_validation_score_ == mlp.score(X[held], CLASSES[held])


def test_rows_held_out_are_in_no_pickle():
    x = np.tile(X, (40, 20))
    mlp = fitted(MLPClassifier(**SMALL, early_stopping=True, max_iter=2), x, np.tile(CLASSES, 40))
    assert len(pickle.dumps(mlp)) < x.nbytes / 10


def test_lbfgs_goes_on_too():
    mlp = MLPRegressor(**SMALL, solver="lbfgs", max_iter=5, warm_start=True)
    losses = [fitted(mlp, X, VALUES).loss_ for _ in range(4)]
    assert losses == sorted(losses, reverse=True) and losses[3] < losses[0]
    assert not hasattr(mlp, "partial_fit") and not hasattr(mlp, "loss_curve_")


def test_lbfgs_has_the_same_bits_recorded(monkeypatch):
    found = []
    for worth in (1, 10**9):
        monkeypatch.setattr(fitting, "WORTH", worth)
        mlp = MLPClassifier(**SMALL, solver="lbfgs", max_iter=12, activation="tanh")
        found.append(fitted(mlp, X, CLASSES, WEIGHTS))
    assert same_bits(*found) and found[0].loss_ == found[1].loss_
