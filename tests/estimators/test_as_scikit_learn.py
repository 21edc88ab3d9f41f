"""With the same first weights and the order of the rows, the numbers are scikit-learn's."""

import numpy as np
import pytest
from sklearn import neural_network

from pyml.estimators import MLPClassifier, MLPRegressor

from .data import COUNTS, NUMBERS, TARGETS, WEIGHTS, X, fitted

CASES = {
    "adam": {},
    "adam, epsilon": {"epsilon": 1e-2, "beta_1": 0.5, "beta_2": 0.9},
    "batches": {"batch_size": 25},
    "sgd": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "no momentum": {"solver": "sgd", "momentum": 0.0},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {
        **{"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3},
        **{"tol": 0.05, "n_iter_no_change": 1},
    },
    "stops": {"tol": 0.05, "n_iter_no_change": 2},
    "lbfgs": {"solver": "lbfgs"},
    "identity": {"activation": "identity", "hidden_layer_sizes": ()},
    "logistic": {"activation": "logistic", "alpha": 0.5},
    "tanh": {"activation": "tanh", "hidden_layer_sizes": (7, 6)},
}
KINDS = [("classes", WEIGHTS), ("binary", None), ("labels", None), ("values", WEIGHTS)]


def both(target, weight, parameters, x=X):
    """Fitted estimators of both libraries."""
    name = "MLPClassifier" if target in TARGETS else "MLPRegressor"
    y = (TARGETS | NUMBERS | {"counts": COUNTS})[target]
    parameters = {
        **{"hidden_layer_sizes": (8,), "max_iter": 8, "shuffle": False, "random_state": 3},
        **parameters,
    }
    made = MLPClassifier if target in TARGETS else MLPRegressor
    return [
        fitted(each(**parameters), x, y, sample_weight=weight)
        for each in (made, getattr(neural_network, name))
    ]


def read(estimator, x=X):
    return getattr(estimator, "predict_proba", estimator.predict)(x)


@pytest.mark.parametrize(("target", "weight"), KINDS, ids=[kind for kind, _ in KINDS])
@pytest.mark.parametrize("case", CASES)
def test_numbers(case, target, weight):
    ours, theirs = both(target, weight, CASES[case])
    np.testing.assert_allclose(read(ours), read(theirs), rtol=1e-8, atol=1e-9)
    assert np.array_equal(ours.predict(X), theirs.predict(X)) or target == "values"
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-7)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    if case != "lbfgs":
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
        assert ours.best_loss_ == pytest.approx(theirs.best_loss_)
        assert ours.validation_scores_ is None and ours.best_validation_score_ is None
    if target != "values":
        assert np.array_equal(ours.classes_, theirs.classes_)


def test_several_outputs_and_counts():
    for case in ({}, {"solver": "sgd"}):
        ours, theirs = both("two", None, case)
        np.testing.assert_allclose(read(ours), read(theirs), rtol=1e-8)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    ours, theirs = both("counts", WEIGHTS, {"loss": "poisson"})
    np.testing.assert_allclose(read(ours), read(theirs), rtol=1e-8)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    assert ours.out_activation_ == "exp"


def test_first_weights_are_of_the_seed():
    ours, theirs = both("classes", None, {"max_iter": 1, "learning_rate_init": 1e-300})
    for mine, other in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert np.array_equal(mine, other)


def test_float32_is_kept():
    ours, theirs = both("classes", None, {}, X.astype(np.float32))
    assert {each.dtype for each in ours.coefs_} == {np.dtype("float32")}
    assert read(ours, X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(read(ours), read(theirs), atol=1e-5)


def test_parameters_are_theirs():
    for ours, theirs in (
        (MLPClassifier(), neural_network.MLPClassifier()),
        (MLPRegressor(), neural_network.MLPRegressor()),
    ):
        mine = ours.get_params()
        assert {name: mine[name] for name in theirs.get_params()} == theirs.get_params()
