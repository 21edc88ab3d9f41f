"""scikit-learn's own checks of estimators."""

import pytest
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils.estimator_checks import check_estimator

from pyml.estimators import MLPClassifier, MLPRegressor

QUICK = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "max_iter": 60}
PAIRS = [(MLPClassifier, TheirClassifier), (MLPRegressor, TheirRegressor)]


def outcomes(estimator):
    """{check: (status, words)} of those that are not passed."""
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 50
    return {
        each["check_name"]: (each["status"], str(each["exception"]))
        for each in results
        if each["status"] != "passed"
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ours", [MLPClassifier, MLPRegressor])
def test_no_check_fails_and_none_is_skipped_that_scikit_learns_passes(ours):
    left = outcomes(ours(**QUICK))
    assert not [name for name, (status, _) in left.items() if status not in ("skipped",)], left
    assert set(left) <= SKIPPED_BY_THEIRS, left


SKIPPED_BY_THEIRS = {
    "check_array_api_input",  # SCIPY_ARRAY_API is not set
    "check_classifiers_multilabel_output_format_decision_function",  # there is none
}


REPETITIONS = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}
CASES = {  # parameters, and the checks that fail where scikit-learn's MLP cannot show the same
    "defaults": ({}, set()),
    "lbfgs": ({"solver": "lbfgs"}, set()),
    # other rows are held out where rows are repeated: of dense rows check_estimator asks it with
    # lbfgs alone. It has no class_weight; with such weights as sample_weight it fails the check as
    # well: the few rows that weigh something and are held out say when to stop
    "early stopping": (
        {"early_stopping": True},
        {*REPETITIONS, "check_class_weight_classifiers"},
    ),
    # it has no dtype: rtol is 1e-7, below float32's eps; of rows of float32 it differs as much
    "float32": ({"dtype": "float32"}, REPETITIONS),
}


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("case", CASES)
def test_other_parameters(ours, theirs, case):
    """What fails of ours fails of scikit-learn's with the same parameters, or is listed above."""
    parameters, alone = CASES[case]
    known = {k: v for k, v in parameters.items() if k in theirs().get_params()}
    left, wanted = outcomes(ours(**parameters)), outcomes(theirs(**known))
    assert set(left) <= set(wanted) | alone, left
