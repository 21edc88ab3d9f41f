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


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize(
    "parameters", [{}, {"solver": "lbfgs"}, {"early_stopping": True}, {"dtype": "float32"}]
)
def test_other_parameters(ours, theirs, parameters):
    left, wanted = outcomes(ours(**parameters)), outcomes(theirs())
    assert set(left) <= set(wanted), left
