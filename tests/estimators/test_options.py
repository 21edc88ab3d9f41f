"""What scikit-learn's MLP has not, and what parameters may be."""

import copy
import pickle
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import mean_pinball_loss

from pyml import nn, optim
from pyml.estimators import MLPClassifier, MLPRegressor, TabularClassifier, rows
from pyml.estimators.networks import ACTIVATIONS, linears
from pyml.estimators.solvers import OPTIMIZERS, SCHEDULES

from .data import BINARY, CLASSES, COUNTS, LABELS, VALUES, WEIGHTS, X, fitted, same_bits

SMALL = {"hidden_layer_sizes": (8, 6), "random_state": 0, "learning_rate_init": 0.02}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    first = fitted(MLPClassifier(**SMALL, activation=name, max_iter=2), X, CLASSES)
    again = fitted(MLPClassifier(**SMALL, activation=name, max_iter=2), X, CLASSES)
    assert same_bits(first, again), "drawn by the seed, RReLU's slopes too"
    assert first.loss_curve_[1] < first.loss_curve_[0]
    assert first.predict_proba(X).shape == (60, 3)


def test_activations_have_pytorchs_names_too():
    both = [fitted(MLPClassifier(**SMALL, activation=a, max_iter=1), X, CLASSES)
            for a in ("LeakyReLU", "leaky_relu")]  # fmt: skip
    assert same_bits(*both)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    mlp = fitted(MLPClassifier(**SMALL, optimizer=name, max_iter=4, alpha=0), X, CLASSES)
    assert min(mlp.loss_curve_[1:]) < mlp.loss_curve_[0]
    made = getattr(optim, next(n for n in optim.__all__ if n.lower() == name))
    assert isinstance(mlp._trainings[0].optimizer, made)


def test_an_optimizer_of_ones_own():
    def decaying(parameters, lr):
        return optim.AdamW(parameters, lr=lr, weight_decay=0.5)

    mlp = fitted(MLPClassifier(**SMALL, optimizer=decaying, max_iter=3), X, CLASSES)
    assert mlp._trainings[0].optimizer.param_groups[0]["weight_decay"] == 0.5


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_schedules(name, solver):
    mlp = MLPClassifier(**SMALL, schedule=name, solver=solver, max_iter=5, batch_size=20)
    fitted(mlp, X, CLASSES)
    rate = mlp._trainings[0].rate
    assert rate.last_epoch == rate.total == 15
    wanted = 0.02 * SCHEDULES[name](1.0)
    if solver == "adam":
        wanted *= np.sqrt(1 - 0.999**16) / (1 - 0.9**16)
    assert rate.get_last_lr() == [pytest.approx(wanted, abs=1e-12)]
    fitted(mlp.set_params(batch_size=59, batch_norm=True), X, CLASSES)  # one row is left over
    assert mlp._trainings[0].rate.last_epoch == mlp._trainings[0].rate.total == 5


@pytest.mark.parametrize(
    ("loss", "score"),
    [("squared_error", 0.8), ("absolute_error", 0.8), ("huber", 0.8), ("quantile", 0.8)],
)
def test_losses(loss, score):
    mlp = MLPRegressor(loss, **SMALL, max_iter=120)
    assert fitted(mlp, X, VALUES, WEIGHTS).score(X, VALUES) > score


@pytest.mark.parametrize(("loss", "y"), [("poisson", COUNTS), ("gamma", COUNTS + 0.5)])
def test_losses_with_a_logarithm(loss, y):
    mlp = fitted(MLPRegressor(loss, **SMALL, max_iter=150), X, y)
    assert (mlp.predict(X) > 0).all() and mlp.score(X, y) > 0.4
    with pytest.raises(ValueError, match="targets must be >"):
        mlp.fit(X, -y - 1)


def test_quantiles():
    found = [
        fitted(MLPRegressor("quantile", quantile=q, **SMALL, max_iter=150), X, VALUES).predict(X)
        for q in (0.1, 0.9)
    ]
    assert np.mean(found[0] > VALUES) < 0.35 and np.mean(found[1] > VALUES) > 0.65
    assert mean_pinball_loss(VALUES, found[1], alpha=0.9) < mean_pinball_loss(
        VALUES, found[0], alpha=0.9
    )


@pytest.mark.parametrize("y", [CLASSES, BINARY, LABELS], ids=["classes", "binary", "labels"])
def test_label_smoothing_keeps_probabilities_from_the_ends(y):
    ends = [
        fitted(MLPClassifier(**SMALL, label_smoothing=s, max_iter=150), X, y).predict_proba(X)
        for s in (0.0, 0.3)
    ]
    assert ends[1].max() < ends[0].max() and ends[1].min() > 2 * ends[0].min()


@pytest.mark.parametrize("only", [0, 1, "yes"])
def test_a_single_class_is_certain(only):
    y = np.full(60, only)
    for options in ({}, {"n_ensemble": 2}, {"label_smoothing": 0.5}):
        mlp = fitted(MLPClassifier(**SMALL, **options, max_iter=3), X, y)
        assert np.array_equal(mlp.predict_proba(X), np.ones((60, 1)))
        assert not mlp.predict_log_proba(X).any() and set(mlp.predict(X)) == {only}


def test_class_weight():
    y = (X[:, 0] > 1).astype(int)  # few are 1
    plain, balanced = (
        fitted(MLPClassifier(**SMALL, class_weight=w, max_iter=20), X, y)
        for w in (None, "balanced")
    )
    assert balanced.predict(X).sum() > plain.predict(X).sum()
    by_rows = MLPClassifier(**SMALL, max_iter=20)
    fitted(by_rows, X, y, len(y) / (2 * np.bincount(y)[y]))
    assert same_bits(balanced, by_rows)
    both = [
        fitted(MLPClassifier(**SMALL, class_weight=w, max_iter=3), X, y, v)
        for w, v in (({0: 1, 1: 3}, WEIGHTS), (None, WEIGHTS * np.where(y, 3, 1)))
    ]
    assert same_bits(*both)


def test_balanced_counts_weights():
    """Weights are repetitions, as in scikit-learn's compute_class_weight."""
    weight = np.arange(60) % 3
    options = {**SMALL, "solver": "lbfgs", "max_iter": 5, "class_weight": "balanced"}
    for y in (CLASSES, LABELS):
        both = (
            fitted(MLPClassifier(**options), X, y, weight),
            fitted(MLPClassifier(**options), X.repeat(weight, 0), y.repeat(weight, 0)),
        )
        np.testing.assert_allclose(*(mlp.predict_proba(X) for mlp in both), rtol=1e-6)
    counts = np.bincount(CLASSES, weight)
    of_classes = counts.sum() / (3 * counts)
    plain = {name: value for name, value in options.items() if name != "class_weight"}
    theirs = fitted(MLPClassifier(**plain), X, CLASSES, weight * of_classes[CLASSES])
    mine = fitted(MLPClassifier(**options), X, CLASSES, weight)
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)


def test_class_weight_is_of_all_classes():
    """Not of those that a batch has."""
    mlp = MLPClassifier(**SMALL, class_weight={0: 1, 2: 5})
    mlp.partial_fit(X, CLASSES, classes=[0, 1, 2])
    rows = CLASSES < 2
    by_rows = copy.deepcopy(mlp).set_params(class_weight=None)
    mlp.partial_fit(X[rows], CLASSES[rows])
    by_rows.partial_fit(X[rows], CLASSES[rows], np.ones(rows.sum()))
    assert same_bits(mlp, by_rows)
    with pytest.raises(ValueError, match=r"\[1, 2\], are not in class_weight"):
        mlp.set_params(class_weight={0: 1, 9: 1}).partial_fit(X, CLASSES)
    weights = [{1: 5}, {0: 2, 1: 1}, {1: 1}]
    labels = MLPClassifier(**SMALL, class_weight=weights).partial_fit(X, LABELS)
    rows = LABELS[:, 0] == 0
    by_rows = copy.deepcopy(labels).set_params(class_weight=None)
    labels.partial_fit(X[rows], LABELS[rows])
    by_rows.partial_fit(X[rows], LABELS[rows], np.where(LABELS[rows, 1], 1.0, 2.0))
    assert same_bits(labels, by_rows)


@pytest.mark.parametrize("given", [{0: 1, 1: 2}, [{0: 1, 1: 2}], [{0: 1}] * 4])
def test_class_weight_of_labels_is_a_list(given):
    with pytest.raises(ValueError, match="of labels it must be a list of 3 dicts or 'balanced'"):
        MLPClassifier(class_weight=given).fit(X, LABELS)


@pytest.mark.parametrize(
    ("given", "weight"),
    [
        (None, np.zeros(60)),
        ("balanced", np.zeros(60)),
        ({0: 0, 1: 0, 2: 0}, None),
        ({0: 0, 1: 1, 2: 1}, CLASSES == 0),
    ],
)
def test_a_weight_is_not_zero(given, weight):
    mlp = MLPClassifier(class_weight=given)
    with pytest.raises(ValueError, match="at least one non-zero"):
        mlp.fit(X, CLASSES, weight)
    with pytest.raises(ValueError, match="at least one non-zero"):
        mlp.partial_fit(X, CLASSES, weight, classes=[0, 1, 2])


def test_weights_of_rows_are_repetitions():
    twice = np.append(np.arange(60), np.arange(0, 60, 2))
    weight = np.where(np.arange(60) % 2, 1.0, 2.0)
    options = {**SMALL, "solver": "lbfgs", "max_iter": 15}
    both = (
        fitted(MLPRegressor(**options), X, VALUES, weight),
        fitted(MLPRegressor(**options), X[twice], VALUES[twice]),
    )
    np.testing.assert_allclose(both[0].predict(X), both[1].predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("made", [MLPClassifier, MLPRegressor])
def test_rows_without_weight_are_not_held_out(made):
    y = CLASSES if made is MLPClassifier else VALUES
    weight = np.where(np.arange(60) % 3, WEIGHTS, 0.0)
    options = {**SMALL, "early_stopping": True, "max_iter": 9, "shuffle": False}
    with_zeros = fitted(made(**options), X, y, weight)
    without = fitted(made(**options), X[weight > 0], y[weight > 0], weight[weight > 0])
    assert same_bits(with_zeros, without)
    only = np.where(np.arange(60) == 0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"leaves 1 rows of n_samples=1 to train on"):
        made(**options).fit(X, y, only)


@pytest.mark.parametrize("options", [{"batch_size": 1}, {}])
def test_a_batch_norm_needs_two_rows(options):
    rows = 60 if options else 1
    with pytest.raises(ValueError, match=f"batch_norm needs batches of 2 rows.*n_samples={rows}"):
        MLPRegressor(batch_norm=True, **options).fit(X[:rows], VALUES[:rows])


def test_an_ensemble_is_the_mean_of_its_networks():
    mlp = fitted(MLPClassifier(**SMALL, n_ensemble=3, max_iter=5), X, CLASSES)
    assert len(mlp.networks_) == 3
    one = fitted(MLPClassifier(**SMALL, max_iter=5), X, CLASSES)
    assert not np.allclose(mlp.predict_proba(X), one.predict_proba(X))
    import pyml

    with pyml.no_grad():
        outputs = [network(pyml.tensor(X)).softmax(1).numpy() for network in mlp.networks_]
    np.testing.assert_allclose(mlp.predict_proba(X), np.mean(outputs, 0), rtol=1e-12)


def test_max_seconds():
    endless = {"max_iter": 10**7, "tol": 0, "n_iter_no_change": np.inf, "n_ensemble": 2}
    start = time.monotonic()
    mlp = MLPClassifier(**SMALL, max_seconds=0.3, **endless).fit(X, CLASSES)
    assert time.monotonic() - start < 5
    assert mlp.n_iter_ > 1 and mlp.predict(X).shape == (60,)


@pytest.mark.parametrize("given", [None, "float32", "float64", np.float32])
def test_dtype(given):
    for kind in ("float32", "float64"):
        x = X.astype(kind)
        mlp = fitted(MLPRegressor(**SMALL, dtype=given, max_iter=2), x, VALUES)
        wanted = np.dtype(given or kind)
        assert mlp.predict(x).dtype == mlp.predict(X).dtype == mlp.coefs_[0].dtype == wanted


@pytest.mark.parametrize("made", [sparse.csr_matrix, sparse.csc_array], ids=["matrix", "array"])
@pytest.mark.parametrize("limit", [rows.DENSE_BYTES, 0], ids=["dense", "by batches"])
def test_sparse_rows(made, limit, monkeypatch):
    monkeypatch.setattr(rows, "DENSE_BYTES", limit)
    options = {**SMALL, "batch_size": 25, "max_iter": 4, "early_stopping": True}
    for weight in (None, WEIGHTS):
        both = [fitted(MLPClassifier(**options), x, CLASSES, weight) for x in (X, made(X))]
        assert same_bits(*both) and both[0].loss_curve_ == pytest.approx(both[1].loss_curve_)
        assert np.array_equal(both[0].predict_proba(X), both[1].predict_proba(made(X)))
    fitted(MLPClassifier(solver="lbfgs", **SMALL, max_iter=2), made(X), CLASSES)


def test_norms_and_dropout():
    parameters = {"batch_norm": True, "layer_norm": True, "dropout": 0.2, "batch_size": 59}
    mlp = MLPClassifier(**SMALL, **parameters, max_iter=30)
    fitted(mlp, X, CLASSES)  # of 60 rows one is left over, which has no variance
    kinds = [type(layer).__name__ for layer in mlp.networks_[0]]
    layer = ["Linear", "BatchNorm1d", "LayerNorm", "ReLU", "Dropout"]
    assert kinds == [*layer, *layer, "Linear"]
    assert mlp.score(X, CLASSES) > 0.7
    assert np.array_equal(mlp.predict_proba(X), mlp.predict_proba(X))


def test_weights_are_the_networks_memory():
    mlp = fitted(MLPClassifier(**SMALL, max_iter=1), X, CLASSES)
    assert [w.shape for w in mlp.coefs_] == [(5, 8), (8, 6), (6, 3)]
    mlp.coefs_[2][:] = 0
    mlp.intercepts_ = [np.zeros(8), np.zeros(6), np.array([0.0, 5.0, 0.0])]
    assert set(mlp.predict(X)) == {1}
    assert np.array_equal(linears(mlp.networks_[0])[2].bias.detach().numpy(), [0, 5, 0])
    with pytest.raises(ValueError, match="shapes"):
        mlp.coefs_ = mlp.coefs_[:2]


def test_arrays_that_are_assigned_are_copied():
    mlp = fitted(MLPClassifier(**SMALL, max_iter=1), X, CLASSES)
    coefs, zeros = copy.deepcopy(mlp.coefs_), np.zeros((6, 3))
    mlp.coefs_[2] = zeros
    mlp.intercepts_[-1] = [0.0, 5.0, 0.0]
    mlp.coefs_[0] *= 2
    zeros += 1
    assert set(mlp.predict(X)) == {1} and not mlp.coefs_[2].any()
    assert np.array_equal(mlp.coefs_[0], 2 * coefs[0])
    mlp.coefs_[:2] = [2 * each for each in coefs[:2]]
    assert np.array_equal(linears(mlp.networks_[0])[1].weight.detach().numpy(), 2 * coefs[1].T)
    before = mlp.predict_proba(X)
    for values in (coefs[0].T, coefs[1], 0.0):
        with pytest.raises(ValueError, match=r"coefs_: shapes are .*\(5, 8\)"):
            mlp.coefs_[0] = values
    assert np.array_equal(mlp.predict_proba(X), before)
    assert type(coefs) is list and type(pickle.loads(pickle.dumps(mlp.intercepts_))) is list


def test_verbose(capsys):
    fitted(MLPClassifier(**SMALL, verbose=True, max_iter=2), X, CLASSES)
    assert "Iteration 2, loss = " in capsys.readouterr().out
    fitted(MLPClassifier(**SMALL, verbose=True, max_iter=2, solver="lbfgs"), X, CLASSES)
    assert "Iteration 2, loss = " in capsys.readouterr().out


WRONG = [
    *[(name, -1, "must be") for name in ("alpha", "max_iter", "tol", "max_fun", "n_ensemble")],
    *[(name, "no", "must be") for name in ("shuffle", "alpha", "batch_size", "max_seconds")],
    *[(name, "no", "must be") for name in ("solver", "activation", "optimizer", "schedule")],
    *[(name, 1.0, "must be") for name in ("dropout", "beta_1", "validation_fraction")],
    *[("hidden_layer_sizes", value, "must be") for value in ((3, 0), (1.5,), "a")],
    ("learning_rate", "step", "'constant', 'invscaling' or 'adaptive'"),
    ("n_iter_no_change", 0.5, "must be"),
    ("batch_size", np.array([1, 2]), "must be"),
    *[("dtype", value, "must be") for value in ("x", 3)],
    ("optimizer", lambda p, lr: None, "gave a NoneType"),
    *[("class_weight", {0: value, 1: 1}, "finite and >= 0") for value in (-1, np.nan, np.inf)],
    ("class_weight", "equal", "'balanced'"),
    ("dtype", "float16", "'float32', 'float64' or None"),
    ("momentum", 1.5, r"in \[0, 1\]"),
    ("verbose", -1, "must be"),
    ("optimizer", "lbfgs", "must be"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_wrong_parameters(name, value, words):
    mlp = MLPClassifier().set_params(**{name: value})
    with pytest.raises((TypeError, ValueError), match=f"MLPClassifier: {name}.*{words}"):
        mlp.fit(X, CLASSES)
    assert not hasattr(mlp, "classes_")


def test_wrong_together():
    for parameters in ({"dropout": 0.5}, {"schedule": "cosine"}):
        with pytest.raises(ValueError, match="lbfgs"):
            MLPClassifier(solver="lbfgs", **parameters).fit(X, CLASSES)
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier().partial_fit(X, CLASSES)
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        MLPClassifier().fit(X, np.column_stack([CLASSES, CLASSES]))
    with pytest.raises(ValueError, match=r"not finite in iteration.*learning_rate_init"):
        MLPRegressor(solver="sgd", learning_rate_init=1e200, max_iter=9).fit(X, VALUES)


def test_without_scikit_learn():
    program = """
import sys
import pyml
assert "sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    import pyml.estimators
except ModuleNotFoundError as error:
    print(error)
"""
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == 'pyml.estimators needs sklearn: pip install "pyml-nn[sklearn]"\n'


class OwnReLU(nn.ReLU):
    pass


@pytest.mark.parametrize(
    ("optimizer", "activation", "least", "most"),
    [
        ("adamw", nn.ReLU, 17, 19),
        (lambda p, lr: optim.AdamW(p, lr=lr), nn.ReLU, 17, 19),
        ("adamw", OwnReLU, 1, 16),
    ],
)
def test_a_step_is_recorded_and_not_confirmed(optimizer, activation, least, most):
    """Its parts are pyml's own; of a class of the user's nobody knows."""
    options = {**SMALL, "optimizer": optimizer, "warm_start": True}
    mlp = fitted(MLPClassifier(**options, max_iter=1), X, CLASSES)
    mlp.networks_[0][1] = activation()
    mlp._trainings[0]._steps.clear()
    mlp.max_iter = 20
    fitted(mlp, X, CLASSES)
    [step] = mlp._trainings[0]._steps.values()
    assert least <= step.stats().replays <= most


NO_NUMBERS = {
    "datetime64": np.datetime64("2020-01-01") + np.arange(60),
    "timedelta64": np.arange(60).astype("m8[s]"),
    "<U": VALUES.astype(str),
    "|S": VALUES.astype("S"),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_values_that_are_no_numbers(kind):
    for call in ("fit", "partial_fit"):
        with pytest.raises(TypeError, match=f"^{call}: y has dtype {re.escape(kind)}.*numbers"):
            getattr(MLPRegressor(), call)(X, NO_NUMBERS[kind])


def test_values_that_are_sparse():
    for columns in (1, 2):
        with pytest.raises(TypeError, match=r"^fit: y is sparse, .*; pass y.toarray\(\)"):
            MLPRegressor().fit(X, sparse.csr_array(X[:, :columns]))


@pytest.mark.parametrize(
    ("classes", "error", "words"),
    [
        ([0, 1, 2, np.nan], ValueError, "without NaN or None"),
        (np.array([0, 1, 2, np.nan], object), ValueError, "without NaN or None"),
        ([0, 1, 2, None], ValueError, "without NaN or None"),
        ([[0, 1, 2]], ValueError, "a list of all classes"),
        ({0, 1, 2}, ValueError, "a list of all classes"),
        (np.array([0, 1, 2, "a"], object), TypeError, r"of the types int, str, .*classes.astype"),
    ],
)
def test_classes_of_partial_fit(classes, error, words):
    with pytest.raises(error, match=f"^partial_fit: classes .*{words}"):
        MLPClassifier().partial_fit(X, CLASSES, classes=classes)
    mlp = fitted(MLPClassifier(**SMALL, max_iter=2), X, CLASSES)
    with pytest.raises(error, match=f"^partial_fit: classes .*{words}"):
        mlp.partial_fit(X, CLASSES, classes=classes)


@pytest.mark.parametrize("made", [MLPClassifier, TabularClassifier])
def test_labels_that_are_missing_or_of_several_types(made):
    missing = np.where(np.arange(60) == 3, None, BINARY)
    with pytest.raises(ValueError, match="y has None in row 3; leave out the rows"):
        made().fit(X, missing)
    mixed = np.array([1, "a"] * 30, object)
    with pytest.raises(TypeError, match=r"of the types int, str, .*y.astype\(str\)"):
        made().fit(X, mixed)
