"""TabularClassifier and TabularRegressor."""

import pickle
import threading

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.utils.estimator_checks import check_estimator

import pyml
from pyml.estimators import TabularClassifier, TabularRegressor
from pyml.estimators.tabular import PRESETS
from pyml.tabular import RECIPES, Table, TabularModel

from .data import BINARY, CLASSES, LABELS, SCORES, VALUES, X

QUICK = {"hidden": (16,), "epochs": 20, "lr": 0.02, "batch_size": 16, "random_state": 0}
SKIPPED_BY_MLP = {
    "check_array_api_input",
    "check_classifiers_multilabel_output_format_decision_function",
}


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("made", [TabularClassifier, TabularRegressor])
def test_no_check_fails_and_none_is_skipped_that_scikit_learns_mlp_passes(made):
    results = check_estimator(made(**QUICK), on_fail=None, on_skip=None)
    left = {each["check_name"]: each["status"] for each in results if each["status"] != "passed"}
    assert set(left) <= SKIPPED_BY_MLP and set(left.values()) == {"skipped"}, left


@pytest.fixture
def frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X[:, 1:].copy(), columns=["a", "b", "c", "d"])
    frame["city"] = np.where(X[:, 0] > 0, "Bern", "Basel")
    frame["day"] = pandas.date_range("2020-01-01", periods=60)
    frame.loc[3, "a"] = np.nan
    frame.loc[4, "city"] = None
    return frame


def test_frames_as_they_are(frame):
    classifier = TabularClassifier(**QUICK).fit(frame, BINARY)
    assert classifier.classes_.tolist() == ["no", "yes"]
    assert classifier.score(frame, BINARY) > 0.8
    assert classifier.predict_proba(frame).shape == (60, 2)
    assert classifier.feature_names_in_.tolist() == [*"abcd", "city", "day"]
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame[["city", "day", *"abcd"]])
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again.predict_proba(frame), classifier.predict_proba(frame))
    same = clone(classifier).fit(frame, BINARY)
    assert np.array_equal(same.predict_proba(frame), classifier.predict_proba(frame))


def test_arrays_and_frames_of_the_same_numbers(frame):
    """By position, where one of both has no names; with scikit-learn's warning."""
    numbers = frame[list("abcd")]
    of_frame = TabularRegressor(**QUICK).fit(numbers, VALUES)
    of_array = TabularRegressor(**QUICK).fit(numbers.to_numpy(), VALUES)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = of_frame.predict(numbers.to_numpy())
    assert np.array_equal(found, of_frame.predict(numbers))
    with pytest.warns(UserWarning, match="fitted without feature names"):
        found = of_array.predict(numbers)
    assert np.array_equal(found, of_array.predict(numbers.to_numpy()))
    unnamed = numbers.set_axis(range(4), axis=1)
    of_unnamed = TabularRegressor(**QUICK).fit(unnamed, VALUES)
    assert np.array_equal(of_unnamed.predict(unnamed.to_numpy()), of_unnamed.predict(unnamed))
    with pytest.raises(ValueError, match="Expected a 2-dimensional container"):
        TabularRegressor(**QUICK).fit(frame["b"], VALUES)


def test_arrays_of_objects_and_of_text(frame):
    """Columns by position; the same as of a frame."""
    rows = frame[["a", "city"]].to_numpy(object)
    classifier = TabularClassifier(**QUICK).fit(rows, BINARY)
    assert [column.kind for column in classifier.fitted_.schema.inputs] == ["number", "category"]
    of_frame = TabularClassifier(**QUICK).fit(frame[["a", "city"]], BINARY)
    found = of_frame.predict_proba(frame[["a", "city"]])
    assert np.array_equal(classifier.predict_proba(rows), found)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert np.array_equal(of_frame.predict_proba(rows), found)
    city = np.where(X[:, :1] > 0, "Bern", "Basel")
    assert TabularClassifier(**QUICK).fit(city, BINARY).predict(city).shape == (60,)
    numbers = X.astype(object)
    of_numbers = TabularRegressor(**QUICK).fit(numbers, VALUES)
    assert np.array_equal(
        of_numbers.predict(numbers), TabularRegressor(**QUICK).fit(X, VALUES).predict(X)
    )


@pytest.mark.filterwarnings("ignore::pyml.tabular.TableWarning")
def test_what_an_array_holds_is_seen_by_its_columns():
    """Codes that look like numbers, and dates, are what they were in training, a row alone too."""
    pandas = pytest.importorskip("pandas")
    codes, y = ["01234", "04103", "08001"], [*["u", "v", "v"] * 19, "u", "v", "u"]
    days = pandas.date_range("2020-01-01", periods=60)
    frame = pandas.DataFrame({"zip": codes * 20, "long": [str(2**60), str(2**60 + 1), "7"] * 20})
    for inputs in (frame[["zip"]], frame[["long"]], frame.assign(day=days)):
        classifier = TabularClassifier(**QUICK).fit(inputs, y)
        wanted = classifier.predict_proba(inputs)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            found = classifier.predict_proba(inputs.to_numpy())
        assert np.array_equal(found, wanted)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            found = classifier.predict_proba(inputs[:1].to_numpy())
        assert np.array_equal(found, wanted[:1])
    for array in (frame[["zip"]].to_numpy(), frame[["zip"]].to_numpy(str)):
        kinds = [
            column.kind for column in TabularClassifier(**QUICK).fit(array, y).fitted_.schema.inputs
        ]
        assert kinds == ["category"]
    of_array = TabularClassifier(**QUICK).fit(inputs.to_numpy(), y)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        assert np.array_equal(of_array.predict_proba(inputs), wanted)
    rows = inputs.to_numpy().tolist()
    assert np.array_equal(TabularClassifier(**QUICK).fit(rows, y).predict_proba(rows), wanted)


def test_long_codes_in_an_array_of_objects():
    """Two of them are one number in float64."""
    pandas = pytest.importorskip("pandas")
    codes = pandas.DataFrame({"code": [2**60, 2**60 + 1] * 30})
    classifier = TabularClassifier(**QUICK, kinds={"code": "category"}).fit(
        codes, [0, 1] * 29 + [1, 1]
    )
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = classifier.predict_proba(codes.to_numpy(object))
    assert np.array_equal(found, classifier.predict_proba(codes))


def test_frames_that_are_not_computed_yet():
    """They were fitted, with warnings, and then refused as without features."""
    lazy = pytest.importorskip("polars").LazyFrame({"a": X[:, 0]})
    with pytest.raises(TypeError, match=r"X is a LazyFrame; pass a frame, as X.collect\(\)"):
        TabularClassifier(**QUICK).fit(lazy, BINARY)
    classifier = TabularClassifier(**QUICK).fit(lazy.collect(), BINARY)
    with pytest.raises(TypeError, match="X is a LazyFrame"):
        classifier.predict(lazy)


@pytest.mark.parametrize("unit", ["s", "D"])
def test_arrays_of_dates(unit):
    days = np.arange("2020-01-01", "2020-02-29", dtype="M8[D]").reshape(-1, 1)
    y = np.arange(len(days)) % 7 < 5
    classifier = TabularClassifier(**QUICK).fit(days.astype("M8[us]"), y)
    assert [column.kind for column in classifier.fitted_.schema.inputs] == ["date"]
    found = classifier.predict_proba(days.astype(f"M8[{unit}]"))
    assert np.array_equal(found, classifier.predict_proba(days.astype("M8[us]")))
    since = TabularClassifier(**QUICK).fit(days - days[0], y).predict_proba(days - days[0])
    seconds = (days - days[0]) / np.timedelta64(1, "s")
    assert np.array_equal(since, TabularClassifier(**QUICK).fit(seconds, y).predict_proba(seconds))


def test_kinds_that_are_said():
    codes = np.stack([np.arange(60) % 3, X[:, 0]], 1)
    classifier = TabularClassifier(**QUICK, kinds={"x0": "category"}).fit(codes, CLASSES)
    assert [column.kind for column in classifier.fitted_.schema.inputs] == ["category", "number"]
    assert np.array_equal(classifier.predict_proba(codes[:1]), classifier.predict_proba(codes)[:1])
    logarithms = classifier.predict_log_proba(codes)
    assert np.array_equal(np.exp(logarithms).argmax(1), classifier.predict_proba(codes).argmax(1))
    with pytest.raises(ValueError, match="kinds has 'zip', which is no column"):
        clone(classifier).set_params(kinds={"zip": "category"}).fit(codes, CLASSES)
    with pytest.raises(TypeError, match=r"kinds is \['x0'\], it must be a dict"):
        clone(classifier).set_params(kinds=["x0"]).fit(codes, CLASSES)


def test_the_model_is_tabulars(frame, tmp_path):
    regressor = TabularRegressor(**QUICK, n_ensemble=2).fit(frame, VALUES)
    assert regressor.n_iter_ == QUICK["epochs"]
    assert regressor.score(frame, VALUES) > 0.5
    regressor.model_.save(tmp_path / "model.safetensors")
    loaded = TabularModel.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(frame), regressor.predict(frame))


@pytest.mark.parametrize("y", [CLASSES, LABELS, SCORES], ids=["classes", "labels", "numbers"])
def test_targets(y):
    made = TabularClassifier if y.dtype.kind == "i" else TabularRegressor
    estimator = made(**QUICK).fit(X, y)
    assert estimator.predict(X).shape == y.shape
    assert estimator.score(X, y) > 0.4
    if y.ndim == 1:
        assert np.allclose(estimator.predict_proba(X).sum(1), 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset, frame):
    """Each is a recipe of tabular.fit, with its options where the estimator is given none."""
    options = {**QUICK, "preset": preset, "hidden": (8,), "epochs": 3}
    classifier = TabularClassifier(**options).fit(frame, BINARY)
    architecture = classifier.model_.architecture
    recipe = PRESETS[preset].get("recipe")
    if recipe is not None:
        wanted = RECIPES[recipe].for_task(has_classes=True).network
        assert {**wanted, "hidden": (8,)}.items() <= architecture.items()
    assert architecture["kind"] == KINDS[preset] and classifier.n_iter_ == 3
    assert classifier.fitted_.history[0]["learning_rate"] <= 0.02
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again.predict_proba(frame), classifier.predict_proba(frame))
    regressor = TabularRegressor(**options, validation_fraction=0).fit(frame, SCORES)
    assert regressor.predict(frame).shape == SCORES.shape


KINDS = {"fast": "mlp", "plr": "mlp", "realmlp": "realmlp-td", "tabm": "tabm-mini"}


@pytest.mark.parametrize("preset", PRESETS)
def test_targets_that_are_the_same_in_all_rows(preset):
    options = {**QUICK, "preset": preset, "hidden": (8,), "epochs": 3}
    regressor = TabularRegressor(**options).fit(X, np.full(60, 0.1))
    assert regressor.predict(X).tolist() == [0.1] * 60
    numbers = TabularRegressor(**options).fit(X, np.column_stack([VALUES, np.full(60, 7)]))
    assert numbers.predict(X)[:, 1].tolist() == [7] * 60
    labels = np.column_stack([CLASSES > 0, np.zeros(60), np.ones(60)]).astype(int)
    found = TabularClassifier(**{**options, "epochs": 20}).fit(X, labels).predict_proba(X)
    assert np.abs(found[:, 1:] - labels[:, 1:]).mean() < 0.25


@pytest.mark.parametrize("scale", [1e-300, 1e30])
def test_values_of_any_size(scale):
    regressor = TabularRegressor(**QUICK).fit(X, VALUES * scale)
    usual = TabularRegressor(**QUICK).fit(X, VALUES).predict(X)
    np.testing.assert_allclose(regressor.predict(X) / scale, usual, 1e-4)


def test_a_class_that_no_row_trains():
    y = np.where(np.arange(60) == 0, 7, CLASSES)
    classifier = TabularClassifier(**QUICK).fit(X, y)
    assert classifier.predict_proba(X).shape == (60, 4)


def test_searches_and_threads():
    found = GridSearchCV(TabularRegressor(**QUICK), {"epochs": [1, 6]}, cv=2).fit(X, VALUES)
    assert found.best_params_ == {"epochs": 6}
    results, alone = {}, TabularRegressor(**QUICK).fit(X, VALUES).predict(X)

    def run(i):
        results[i] = TabularRegressor(**QUICK).fit(X, VALUES).predict(X)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(alone, each) for each in results.values()) and len(results) == 2
    assert cross_val_predict(TabularRegressor(**QUICK), X, VALUES, cv=2).shape == (60,)


def test_what_is_refused():
    state = pyml.get_rng_state()
    with pytest.raises(ValueError, match="preset is 'best', it must be 'fast', "):
        TabularClassifier("best").fit(X, CLASSES)
    with pytest.raises(ValueError, match="the class 1 alone"):
        TabularClassifier().fit(X, np.ones(60, int))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        TabularRegressor().fit(X, VALUES[:50])
    with pytest.raises(TypeError, match=r"TabularClassifier: X is a dict; pass a frame"):
        TabularClassifier().fit({"a": [1, 2]}, [0, 1])
    with pytest.raises(TypeError, match="X is a structured array; pass a frame"):
        TabularClassifier().fit(np.zeros(2, [("a", float)]), [0, 1])
    with pytest.raises(TypeError, match="X is a Table; pass a frame"):
        TabularClassifier().fit(Table({"a": [1, 2]}), [0, 1])
    with pytest.raises(TypeError, match=r"X is a str; pass a frame, as pandas.read_csv\(X\)"):
        TabularClassifier().fit("houses.csv", BINARY)
    for unit in "mM":
        with pytest.raises(TypeError, match=r"TabularRegressor: y is of .*; make it numbers"):
            TabularRegressor().fit(X, np.arange(60).astype(f"{unit}8[s]"))
        with pytest.raises(TypeError, match=r"TabularRegressor: y is of .*; make it numbers"):
            TabularRegressor().fit(X, np.arange(60).astype(f"{unit}8[us]").tolist())
    with pytest.raises(TypeError, match="Sparse data was passed"):  # a dict of SciPy's
        TabularRegressor().fit(sparse.dok_array(X), VALUES)
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="TabularRegressor: X has 2 columns 'a'; rename them"):
        TabularRegressor().fit(pandas.DataFrame(X[:, :2], columns=["a", "a"]), VALUES)
    with pytest.raises(ValueError, match=r"X has shape \(60, 0\), 0 feature\(s\)"):
        TabularRegressor().fit(pandas.DataFrame(index=range(60)), VALUES)
    wrong = {"validation_fraction": "a.csv", "n_ensemble": 0, "max_seconds": 0, "verbose": "no"}
    for name, value in wrong.items():
        with pytest.raises((TypeError, ValueError), match=f"TabularRegressor: {name} is"):
            TabularRegressor(**{name: value}).fit(X, VALUES)
    assert np.array_equal(state, pyml.get_rng_state())
