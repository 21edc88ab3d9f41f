"""Every metric beside scikit-learn's, of random rows in random cuts; refusals."""

import math
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning as OfSklearn

import pyml
from pyml.train import metrics
from train.metrics.cases import CASES, ROWS, softmax

N = 97
CLOSE = {"rtol": 1e-12, "atol": 1e-14}


def cut(rng, *arrays):
    """The rows in pieces: of one row, of many, and none."""
    places = np.sort(rng.integers(0, len(arrays[0]) + 1, 4))
    places = np.concatenate([[0, 1, 2, 2], np.maximum(places, 2)])
    return zip(*(np.split(array, places) for array in arrays), strict=True)


def streamed(metric, pieces):
    metric.reset()
    for piece in pieces:
        metric.update(*piece)
    return metric.compute()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_as_scikit_learn(case, rng):
    prediction, target = ROWS[case.rows](rng, N)
    wanted = case.wanted(target, prediction)
    got = case.metric(prediction, target)
    np.testing.assert_allclose(got, wanted, **CLOSE)
    assert type(got) is float or isinstance(got, np.ndarray)
    for _ in range(3):
        cuts = cut(rng, prediction, target)
        np.testing.assert_allclose(streamed(case.metric, cuts), wanted, **CLOSE)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_with_weights(case, rng):
    prediction, target = ROWS[case.rows](rng, N)
    weight = rng.choice([0, 0.5, 1, 3.25], N)
    if getattr(case.metric, "multi_class", None) == "ovo":
        # scikit-learn takes none: rows of a whole weight are so many rows
        weight = rng.choice([0, 1, 3], N)
        repeated = np.repeat(np.arange(N), weight)
        wanted = case.wanted(target[repeated], prediction[repeated])
    else:
        wanted = case.wanted(target, prediction, sample_weight=weight)
    np.testing.assert_allclose(case.metric(prediction, target, weight), wanted, **CLOSE)
    for _ in range(2):
        cuts = cut(rng, prediction, target, weight)
        np.testing.assert_allclose(streamed(case.metric, cuts), wanted, **CLOSE)


@pytest.mark.parametrize("name", metrics.METRICS)
def test_tensors_lists_and_columns(name, rng):
    """What holds the rows does not matter, nor whether one column is (n,) or (n, 1)."""
    metric = metrics.get(name)
    assert metric.name == name
    rows = {"labels": "two classes", "values": "values", "probabilities": "probabilities"}
    rows = "several labels" if name.endswith("samples") else rows[metric.wants]
    prediction, target = ROWS[rows](rng, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.UndefinedMetricWarning)
        wanted = metric(prediction, target)
        tensors = pyml.tensor(prediction.tolist(), dtype=pyml.float64), pyml.tensor(target)
        for p, t in (
            (prediction.tolist(), target.tolist()),
            (tensors[0].requires_grad_(), tensors[1]),
            (np.asfortranarray(prediction), target[::1]),
            (prediction.reshape(40, -1), target.reshape(40, -1)),
            (np.repeat(prediction, 2, 0)[::2], np.repeat(target, 2, 0)[::2]),
        ):
            np.testing.assert_array_equal(metric(p, t), wanted)


def test_a_call_leaves_what_was_seen(rng):
    for case in CASES[::6]:
        prediction, target = ROWS[case.rows](rng, 60)
        case.metric.reset()
        case.metric.update(prediction[:30], target[:30])
        alone = case.metric(prediction[30:], target[30:])
        case.metric.update(prediction[30:], target[30:])
        np.testing.assert_allclose(case.metric.compute(), case.wanted(target, prediction), **CLOSE)
        np.testing.assert_allclose(alone, case.wanted(target[30:], prediction[30:]), **CLOSE)


def test_rows_are_copied(rng):
    """A metric that keeps rows keeps them when the caller writes into its arrays."""
    for name in ("roc_auc", "average_precision"):
        metric, (prediction, target) = metrics.get(name), ROWS["a column"](rng, 50)
        wanted = metric(prediction, target)
        metric.update(prediction, target)
        prediction[:], target[:] = 0.5, 0
        assert metric.compute() == wanted


def test_float32_probabilities(rng):
    """They are clipped at the eps of their own dtype, as scikit-learn's are."""
    scores, target = rng.normal(size=(500, 4)) * 30, rng.integers(0, 4, 500)
    prediction = softmax(scores).astype(np.float32)
    wanted = sk.log_loss(target, prediction, labels=range(4))
    np.testing.assert_allclose(metrics.LogLoss()(prediction, target), wanted, rtol=1e-6)
    column, positive = prediction[:, 1], (target == 1).astype(int)
    wanted = sk.log_loss(positive, column)
    np.testing.assert_allclose(metrics.LogLoss()(column, positive), wanted, rtol=1e-6)
    certain = np.array([1, 0], np.float32)
    assert metrics.LogLoss()(certain, [0, 1]) == pytest.approx(-math.log(2**-23))
    assert metrics.LogLoss()(certain.astype(float), [0, 1]) == pytest.approx(-math.log(2**-52))


# ---- rounding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e8, -1e12])
def test_an_offset_costs_no_digits(offset, rng):
    """The spread is 1 or less around it; whole eighths are exact at every offset."""
    target = rng.integers(-8, 9, (300, 2)) / 8
    prediction = target + rng.integers(-2, 3, target.shape) / 8
    for metric in (metrics.R2(multioutput="raw_values"), metrics.MeanSquaredError()):
        wanted = metric(prediction, target)
        for pieces in (
            cut(rng, prediction + offset, target + offset),
            zip(prediction[:, None] + offset, target[:, None] + offset, strict=True),
        ):
            np.testing.assert_allclose(streamed(metric, pieces), wanted, rtol=1e-13)


def test_targets_that_are_all_equal():
    """The spread of 0.1 three times is 0, not what rounding makes of it."""
    r2 = metrics.R2()
    for _ in range(3):
        r2.update([0.1, 0.1, 0.1], [0.1, 0.1, 0.1])
    assert r2.compute() == 1.0
    r2.update([0.2], [0.1])
    assert r2.compute() == 0.0
    r2 = metrics.R2(force_finite=False)
    assert r2([0.1, 0.2], [0.1, 0.1]) == -math.inf
    assert math.isnan(r2([0.1, 0.1], [0.1, 0.1]))
    for options in ({}, {"force_finite": False}, {"multioutput": "variance_weighted"}):
        prediction, target = [[1.0, 2.0], [1.0, 3.0]], [[1.0, 2.0], [1.0, 2.5]]
        with np.errstate(all="ignore"):
            wanted = sk.r2_score(target, prediction, **options)
        np.testing.assert_equal(metrics.R2(**options)(prediction, target), wanted)
    of_equal = metrics.R2(multioutput="variance_weighted")
    assert of_equal([[1.0, 2.0], [1.0, 3.0]], [[1.0, 2.0], [1.0, 2.0]]) == 0.5


def test_many_small_pieces_do_not_add_up_errors():
    """0.1 three thousand times: naively the last digits of the sum drift."""
    metric = metrics.MeanAbsoluteError()
    one = np.array([0.1])
    for _ in range(3_000):
        metric.update(one, [0.0])
    assert abs(metric.compute() - 0.1) <= 2**-56


def test_huge_numbers_are_infinite_and_no_nan():
    metric = metrics.MeanSquaredError()
    metric.update([1e300], [-1e300])
    metric.update([1.0], [0.0])
    assert metric.compute() == math.inf
    assert metrics.MeanAbsolutePercentageError()([1.0], [0.0]) == 2.0**52


# ---- what is not defined -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "prediction", "target", "wanted"),
    [
        (metrics.Precision(), [0, 0], [1, 0], sk.precision_score),
        (metrics.Recall(), [1, 0], [0, 0], sk.recall_score),
        (metrics.F1(), [0, 0], [0, 0], sk.f1_score),
        (
            metrics.Precision(average="macro"),
            [0, 0, 2],
            [1, 0, 2],
            lambda t, p: sk.precision_score(t, p, average="macro"),
        ),
        (
            metrics.Recall(average="macro", labels=[0, 5]),
            [0, 0],
            [1, 0],
            lambda t, p: sk.recall_score(t, p, average="macro", labels=[0, 5]),
        ),
        (
            metrics.Recall(average="weighted", labels=[5]),
            [0, 0],
            [1, 0],
            lambda t, p: sk.recall_score(t, p, average="weighted", labels=[5]),
        ),
        (
            metrics.F1(average="samples"),
            [[0, 0], [1, 0]],
            [[0, 0], [1, 1]],
            lambda t, p: sk.f1_score(t, p, average="samples"),
        ),
        (metrics.RocAuc(), [0.1, 0.7], [1, 1], sk.roc_auc_score),
        (
            metrics.RocAuc(average=None),
            [[0.1, 0.2], [0.7, 0.9]],
            [[1, 1], [1, 0]],
            lambda t, p: sk.roc_auc_score(t, p, average=None),
        ),
        (
            metrics.RocAuc(average="weighted"),
            [[0.1, 0.2], [0.7, 0.9]],
            [[0, 1], [0, 0]],
            lambda t, p: sk.roc_auc_score(t, p, average="weighted"),
        ),
        (
            metrics.RocAuc(),
            [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]],
            [0, 1],
            lambda t, p: sk.roc_auc_score(t, p, multi_class="ovr", labels=[0, 1, 2]),
        ),
        (
            metrics.TopKAccuracy(k=3),
            [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]],
            [0, 1],
            lambda t, p: sk.top_k_accuracy_score(t, p, k=3, labels=[0, 1, 2]),
        ),
        (metrics.R2(), [1.0], [2.0], sk.r2_score),
        (metrics.AveragePrecision(), [0.1, 0.7], [0, 0], sk.average_precision_score),
        (metrics.BalancedAccuracy(), [0, 1, 2], [0, 1, 1], sk.balanced_accuracy_score),
    ],
    ids=lambda value: repr(value) if isinstance(value, metrics.Metric) else "",
)
def test_undefined_as_scikit_learn(metric, prediction, target, wanted):
    """The same number, with a warning where scikit-learn warns."""
    prediction, target = np.array(prediction), np.array(target)
    with pytest.warns(UserWarning):
        wanted = wanted(target, prediction)
    with pytest.warns(metrics.UndefinedMetricWarning):
        got = metric(prediction, target)
    np.testing.assert_array_equal(got, wanted)


def test_balanced_accuracy_of_one_class_is_not_adjusted():
    """A guess gets 1 then, and (1 - 1) / (1 - 1) is not a number."""
    with pytest.warns(metrics.UndefinedMetricWarning, match="NaN if a single class occurs"):
        assert math.isnan(metrics.BalancedAccuracy(adjusted=True)([1, 1], [1, 1]))


def test_correlation_of_light_rows():
    """Weights of one unit or another say the same."""
    prediction, target = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 2, 2, 1])
    wanted = sk.matthews_corrcoef(target, prediction)
    for weight in (1e-3, 1e-2, 1e3):
        got = metrics.MatthewsCorrelation()(prediction, target, np.full(5, weight))
        assert got == pytest.approx(wanted)


@pytest.mark.parametrize("share", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", ["binary", "micro", "macro", "weighted", None])
@pytest.mark.parametrize("zero_division", [0.0, 1.0, np.nan])
def test_zero_division_is_silent(share, average, zero_division):
    options = {"average": average, "zero_division": zero_division}
    ours = getattr(metrics, share.capitalize())(**options)
    theirs = getattr(sk, f"{share}_score")
    for prediction, target in (([0, 0], [0, 0]), ([0, 0, 1], [0, 0, 0]), ([0, 0], [0, 1])):
        np.testing.assert_array_equal(
            ours(prediction, target), theirs(target, prediction, **options)
        )


def test_samples_without_a_number_are_left_out():
    metric = metrics.Precision(average="samples", zero_division=np.nan)
    prediction, target = [[0, 0], [1, 0]], [[1, 0], [1, 1]]
    assert metric(prediction, target) == 1.0
    assert math.isnan(metric(prediction[:1], target[:1]))


def test_ovo_of_classes_that_occur(rng):
    """Pairs of classes without rows are left out, as by scikit-learn with labels."""
    prediction, target = ROWS["probabilities"](rng, 80)
    target = np.where(target == 2, 1, target)
    for average in ("macro", "weighted"):
        wanted = sk.roc_auc_score(
            target, prediction, multi_class="ovo", average=average, labels=range(4)
        )
        got = metrics.RocAuc(multi_class="ovo", average=average)(prediction, target)
        assert got == pytest.approx(wanted, rel=1e-13)
    with pytest.warns(metrics.UndefinedMetricWarning, match="of one class"):
        assert math.isnan(metrics.RocAuc(multi_class="ovo")(prediction[:5], np.ones(5, int)))


def test_samples_of_scores(rng):
    prediction, target = ROWS["scores of labels"](rng, 40)
    kept = (target.sum(1) > 0) & (target.sum(1) < 3)
    prediction, target = prediction[kept], target[kept]
    weight = rng.random(len(target))
    for w in (None, weight):
        for metric, wanted in (
            (metrics.RocAuc, sk.roc_auc_score),
            (metrics.AveragePrecision, sk.average_precision_score),
        ):
            wanted = wanted(target, prediction, average="samples", sample_weight=w)
            assert metric(average="samples")(prediction, target, w) == pytest.approx(wanted, 1e-13)


def test_a_confusion_matrix_counts_in_whole_numbers():
    matrix = metrics.ConfusionMatrix()
    assert matrix([0, 1], [0, 1]).dtype == np.int64
    assert matrix([0, 1], [0, 1], [1.0, 0.5]).dtype == np.float64
    matrix.update([5, 5], [5, 7], [1.0, 0.5])
    matrix.update([0], [0])
    assert matrix.classes.tolist() == [0, 5, 7]
    np.testing.assert_array_equal(matrix.compute(), [[1, 0, 0], [0, 1, 0], [0, 0.5, 0]])
    matrix.reset()
    matrix.update([1], [1])
    assert matrix.compute().dtype == np.int64 and matrix.classes.tolist() == [1]
    assert metrics.ConfusionMatrix(labels=[2, 0]).classes.tolist() == [2, 0]


def test_matthews_of_one_class():
    for prediction, target in (([0, 0], [0, 0]), ([0, 1], [1, 1]), ([1, 1], [0, 1])):
        assert metrics.MatthewsCorrelation()(prediction, target, [0.1, 0.3]) == 0.0


# ---- curves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["a column", "a column with ties"])
@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_curves(rows, drop, weighted, rng):
    prediction, target = ROWS[rows](rng, 80)
    weight = rng.choice([0, 1, 2.5], 80) if weighted else None
    for pos_label in (None, 0):
        options = {"pos_label": pos_label, "drop_intermediate": drop}
        for ours, theirs in (
            (metrics.roc_curve, sk.roc_curve),
            (metrics.precision_recall_curve, sk.precision_recall_curve),
        ):
            wanted = theirs(target, prediction, sample_weight=weight, **options)
            for got, want in zip(ours(prediction, target, weight, **options), wanted, strict=True):
                np.testing.assert_allclose(got, want, **CLOSE)


@pytest.mark.parametrize("score", ["random", "equal"])
def test_curves_by_default(score, rng):
    """As scikit-learn's without options, also where all scores are one."""
    prediction, target = ROWS["a column"](rng, 40)
    if score == "equal":
        prediction = np.full(40, 0.25)
        assert metrics.RocAuc()(prediction, target) == 0.5
        assert metrics.AveragePrecision()(prediction, target) == target.mean()
    for ours, theirs in (
        (metrics.roc_curve, sk.roc_curve),
        (metrics.precision_recall_curve, sk.precision_recall_curve),
    ):
        for got, wanted in zip(ours(prediction, target), theirs(target, prediction), strict=True):
            np.testing.assert_allclose(got, wanted, **CLOSE)


def test_classes_minus_one_and_one(rng):
    """The positive one is 1, as of 0 and 1."""
    prediction, target = ROWS["a column"](rng, 40)
    for function in (
        *(metrics.roc_curve, metrics.precision_recall_curve, metrics.calibration_curve),
        *(metrics.BrierScore(), metrics.AveragePrecision(), metrics.RocAuc()),
    ):
        np.testing.assert_equal(function(prediction, 2 * target - 1), function(prediction, target))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 5, 10])
def test_calibration_curve(strategy, n_bins, rng):
    from sklearn.calibration import calibration_curve

    prediction, target = ROWS["a column"](rng, 80)
    options = {"n_bins": n_bins, "strategy": strategy}
    wanted = calibration_curve(target, prediction, **options)
    got = metrics.calibration_curve(prediction, target, **options)
    np.testing.assert_allclose(got.observed, wanted[0], **CLOSE)
    np.testing.assert_allclose(got.predicted, wanted[1], **CLOSE)
    assert got.counts.sum() == 80
    weight = rng.choice([0, 1, 2], 80)
    repeated = np.repeat(np.arange(80), weight)
    if strategy == "uniform":  # the edges of quantiles are those of the rows
        wanted = metrics.calibration_curve(prediction[repeated], target[repeated], **options)
        for a, b in zip(
            metrics.calibration_curve(prediction, target, weight, **options), wanted, strict=True
        ):
            np.testing.assert_allclose(a, b, **CLOSE)


@pytest.mark.parametrize("positive", [0, 1])
def test_curves_of_one_class(positive):
    prediction, target = np.array([0.2, 0.7, 0.7]), np.full(3, positive)
    with pytest.warns(OfSklearn):
        wanted = sk.roc_curve(target, prediction, pos_label=1)
    with pytest.warns(metrics.UndefinedMetricWarning):
        got = metrics.roc_curve(prediction, target)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    if positive == 0:
        with pytest.warns(metrics.UndefinedMetricWarning):
            assert (metrics.precision_recall_curve(prediction, target).recall[:-1] == 1).all()


# ---- refusals ------------------------------------------------------------------------------------

NAN = math.nan


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.Accuracy()([0, NAN], [0, 1]), "Accuracy: prediction has NaN in row 1"),
        (lambda: metrics.Accuracy()([0, 1], [NAN, 1]), "Accuracy: target has NaN in row 0"),
        (
            lambda: metrics.R2()([[0, 1], [0, NAN]], np.ones((2, 2))),
            "R2: prediction has NaN in row 1, column 1",
        ),
        (lambda: metrics.R2()([1.0], [math.inf]), "R2: target has inf in row 0"),
        (lambda: metrics.RocAuc()([0.1, NAN], [0, 1]), "RocAuc: prediction has NaN in row 1"),
        (lambda: metrics.LogLoss()([0.1, NAN], [0, 1]), "LogLoss: prediction has NaN in row 1"),
        (lambda: metrics.R2()([1.0], [1.0], [NAN]), "R2: weight has NaN in row 0"),
        (lambda: metrics.R2()([1.0], [1.0], [-2.0]), "weight has -2.0 in row 0, it must be >= 0"),
        (
            lambda: metrics.R2()([1.0], [1.0], [1.0, 2.0]),
            r"weight has shape \(2,\), it must be \(1,\)",
        ),
        (lambda: metrics.Accuracy()([1], [1], [0.0]), "Accuracy: the weights of all rows are 0"),
        (lambda: metrics.RocAuc()([1.0], [1], [0.0]), "RocAuc: the weights of all rows are 0"),
        (
            lambda: metrics.F1(average="macro")([[1, 0]], [[1, 0]], [0.0]),
            "weights of all rows are 0",
        ),
        (lambda: metrics.Accuracy()([0.3], [0]), r"prediction has 0.3\d* in row 0, .* argmax\(1\)"),
        (lambda: metrics.Accuracy()([0, 1], [0]), "prediction has 2 rows, target has 1"),
        (
            lambda: metrics.Accuracy()(np.eye(3), [0, 1, 2]),
            r"prediction has shape \(3, 3\), target \(3,\)",
        ),
        (lambda: metrics.Accuracy()(np.zeros((2, 2, 2)), [0, 1]), r"shape \(2, 2, 2\), it must be"),
        (lambda: metrics.Accuracy()(np.zeros((2, 0)), np.zeros((2, 0))), "must have a column"),
        (lambda: metrics.Accuracy()(np.int64(1), [1]), "prediction is one number"),
        (lambda: metrics.Accuracy()([[1], [1, 2]], [1, 1]), "rows cannot be made an array"),
        (lambda: metrics.Accuracy()([[0, 3]], [[0, 1]]), "prediction has 3 in row 0, column 1"),
        (lambda: metrics.R2()(np.ones((3, 1)), np.ones((3, 2))), r"shape \(3,\), target \(3, 2\)"),
        (
            lambda: metrics.F1()([0, 1, 2], [0, 1, 1]),
            r"there are 3 classes \(0, 1, 2\), average='binary'",
        ),
        (lambda: metrics.F1()([[0, 1]], [[0, 1]]), "target has 2 labels in each row .*'samples'"),
        (lambda: metrics.F1(pos_label=5)([0, 1], [0, 1]), "pos_label is 5, the classes are 0, 1"),
        (
            lambda: metrics.F1(average="samples")([0, 1], [0, 1]),
            "average='samples' is for several labels",
        ),
        (
            lambda: metrics.F1(average="macro", labels=[2])([[0, 1]], [[0, 1]]),
            "labels has 2, the columns of target are 0 to 1",
        ),
        (
            lambda: metrics.BalancedAccuracy()([[0, 1]], [[0, 1]]),
            "BalancedAccuracy: target has 2 labels",
        ),
        (
            lambda: metrics.ConfusionMatrix()([[0, 1]], [[0, 1]]),
            "ConfusionMatrix: target has 2 labels",
        ),
        (
            lambda: metrics.ConfusionMatrix(labels=[3])([0, 3], [0, 1]),
            r"labels is \[3\], of which none occurs",
        ),
        (
            lambda: metrics.RocAuc()([0.1, 0.2, 0.3], [0, 1, 2]),
            r"target has 3 classes \(0, 1, 2\), one column",
        ),
        (
            lambda: metrics.RocAuc()([[1.0, 3.0, 2.0]], [0]),
            r"prediction sums to 6 in row 0; .*softmax\(1\)",
        ),
        (
            lambda: metrics.RocAuc()(np.eye(3), [0, 1, 5]),
            "target has class 5 in row 2, the 3 columns .* 0, 1, 2",
        ),
        (
            lambda: metrics.RocAuc(labels=[1, 2])(np.eye(3), [1, 2, 1]),
            "labels has 2 classes, prediction has 3 columns",
        ),
        (
            lambda: metrics.RocAuc(average="samples")(np.eye(3), [0, 1, 2]),
            "average='samples' is for several labels",
        ),
        (
            lambda: metrics.RocAuc(max_fpr=0.5)(np.eye(3), [0, 1, 2]),
            "max_fpr is 0.5, which is for one class of two",
        ),
        (lambda: metrics.RocAuc()([0.5, 0.5], [[0, 1], [1, 0]]), "target has 2 labels"),
        (
            lambda: metrics.AveragePrecision(pos_label=3)([0.5, 0.5], [0, 1]),
            "pos_label is 3, the classes are 0, 1",
        ),
        (
            lambda: metrics.AveragePrecision(pos_label=3)(np.eye(2), [0, 1]),
            "pos_label is 3, the two columns",
        ),
        (
            lambda: metrics.LogLoss()([1.5, 0.5], [0, 1]),
            "prediction has 1.5 in row 0, .* from 0 to 1",
        ),
        (lambda: metrics.LogLoss()([[0.2, 0.2]], [0]), "prediction sums to 0.4 in row 0"),
        (lambda: metrics.LogLoss()([0.5], [2]), "target has class 2 in row 0"),
        (
            lambda: metrics.LogLoss()([[0.2, 0.8]], [[0, 1]]),
            "LogLoss: target has 2 labels in each row",
        ),
        (lambda: metrics.BrierScore()([-0.5], [1]), "prediction has -0.5 in row 0"),
        (lambda: metrics.BrierScore()([0.5, 0.5], [1, 3]), "classes 1, 3; say by pos_label="),
        (lambda: metrics.BrierScore()([[0.2, 0.2]], [0]), "prediction sums to 0.4"),
        (lambda: metrics.TopKAccuracy()([1.5], [1]), "prediction has 1.5"),
        (lambda: metrics.TopKAccuracy()([[1, 2]], [[0, 1]]), "TopKAccuracy: target has 2 labels"),
        (lambda: metrics.roc_curve([], []), "roc_curve: there are no rows"),
        (lambda: metrics.roc_curve(np.eye(2), [0, 1]), "a curve is of one class"),
        (lambda: metrics.calibration_curve([1.5], [1]), "calibration_curve: prediction has 1.5"),
        (lambda: metrics.calibration_curve([0.5], [1], n_bins=0), "n_bins is 0, it must be from 1"),
        (lambda: metrics.F1(average="mean"), "F1: average is 'mean', it must be"),
        (
            lambda: metrics.F1(average="macro", pos_label=0),
            "pos_label is read with average='binary' alone",
        ),
        (lambda: metrics.F1(labels=[1]), "labels is not read with average='binary'"),
        (lambda: metrics.F1(zero_division=2), "zero_division is 2, it must be 'warn', 0, 1 or nan"),
        (lambda: metrics.F1(average="macro", labels=[1, 1]), "it must have each class once"),
        (lambda: metrics.F1(average="macro", labels=[]), "it must be a list of classes"),
        (lambda: metrics.ConfusionMatrix(normalize="rows"), "normalize is 'rows', it must be"),
        (
            lambda: metrics.RocAuc(multi_class="ovo", average="micro"),
            "RocAuc with multi_class='ovo': average is 'micro'",
        ),
        (lambda: metrics.RocAuc(max_fpr=0), r"max_fpr is 0, it must be in \(0, 1\]"),
        (lambda: metrics.TopKAccuracy(k=0), "k is 0, it must be >= 1"),
        (lambda: metrics.MeanPinballLoss(alpha=1.5), r"alpha is 1.5, it must be in \[0, 1\]"),
        (lambda: metrics.R2(multioutput=[0.5, -1.0]), "multioutput has -1.0 in row 1"),
        (lambda: metrics.R2(multioutput=[0.0]), "weights of multioutput are all 0"),
        (
            lambda: metrics.R2(multioutput=[1.0, 2.0])([1.0, 2.0], [1.0, 2.0]),
            "multioutput has 2 weights, prediction has 1 outputs",
        ),
        (
            lambda: metrics.MeanSquaredError(multioutput="variance_weighted"),
            "multioutput is 'variance_weighted'",
        ),
        (lambda: metrics.BrierScore(scale_by_half="half"), "scale_by_half is 'half'"),
        (lambda: metrics.get("auc"), "there is no metric 'auc'; did you mean 'roc_auc'"),
        (lambda: metrics.get("mean_squared_error"), "did you mean 'mse'"),
        (lambda: metrics.get("acc"), "did you mean 'accuracy'"),
        (lambda: metrics.get("?"), "the names are accuracy, .*, pinball"),
    ],
)
def test_values_that_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.Accuracy()(["a", "b"], ["a", "b"]), "prediction has dtype <U1.*np.unique"),
        (lambda: metrics.Accuracy()([0, None], [0, 1]), "prediction has dtype object"),
        (lambda: metrics.Accuracy()(3j * np.ones(2), [0, 1]), "dtype complex128 is not supported"),
        (lambda: metrics.Accuracy()({0: 1}, [0, 1]), "prediction is a dict, it must be"),
        (lambda: metrics.TopKAccuracy(k=1.5), "k is 1.5, it must be an integer"),
        (lambda: metrics.F1(pos_label=0.5), "F1: pos_label is 0.5, it must be an integer"),
        (
            lambda: metrics.AveragePrecision(pos_label="a"),
            "pos_label is 'a', it must be an integer",
        ),
        (lambda: metrics.BrierScore(pos_label=0.5), "pos_label is 0.5, it must be an integer"),
        (lambda: metrics.roc_curve([1], [1], pos_label=0.5), "pos_label is 0.5"),
        (lambda: metrics.roc_curve([1], [1], drop_intermediate=1), "drop_intermediate is 1"),
        (lambda: metrics.precision_recall_curve([1], [1], pos_label="a"), "pos_label is 'a'"),
        (lambda: metrics.calibration_curve([1], [1], n_bins=1.5), "n_bins is 1.5"),
        (lambda: metrics.calibration_curve([1], [1], pos_label=1.5), "pos_label is 1.5"),
        (lambda: metrics.Accuracy(normalize=1), "normalize is 1, it must be True or False"),
        (lambda: metrics.BalancedAccuracy(adjusted="no"), "adjusted is 'no', it must be True or"),
        (lambda: metrics.R2(force_finite=1), "force_finite is 1, it must be True or False"),
        (lambda: metrics.get(3), "metric is a int, it must be a name"),
        (lambda: metrics.FunctionMetric(3), "function is a int"),
        (lambda: metrics.get(lambda p, t: "x")([1], [1]), "returned a str, it must be a number"),
        (lambda: metrics.get(lambda p, t: 1)([1], [1], [1]), "no argument sample_weight"),
    ],
)
def test_types_that_are_refused(call, words):
    with pytest.raises(TypeError, match=words):
        call()


@pytest.mark.parametrize("name", metrics.METRICS)
def test_without_rows(name):
    metric = metrics.get(name)
    with pytest.raises(RuntimeError, match="there are no rows; call update"):
        metric.compute()
    if not name.endswith("samples"):
        metric.update([], [])
    with pytest.raises(RuntimeError, match="there are no rows; call update"):
        metric.compute()


def test_an_update_that_raised_changed_nothing(rng):
    """Rows of another form, and rows whose last one is wrong, leave a metric as it was."""
    for case in CASES[::6]:
        prediction, target = ROWS[case.rows](rng, 60)
        case.metric.reset()
        case.metric.update(prediction, target)
        wrong = target.astype(float)
        wrong[-1] = math.nan
        two = [np.concatenate([a.reshape(60, -1)] * 2, 1) for a in (prediction, target)]
        for p, t in ((prediction, wrong), two, (prediction, target[1:])):
            with pytest.raises(ValueError):
                case.metric.update(p, t)
        with pytest.raises(ValueError):
            case.metric.update(prediction, target, -np.ones(60))
        np.testing.assert_allclose(case.metric.compute(), case.wanted(target, prediction), **CLOSE)


def test_classes_and_several_labels_do_not_mix():
    """Their predictions have the same shape."""
    auc = metrics.RocAuc()
    auc.update([[0.2, 0.8], [0.9, 0.1]], [1, 0])
    with pytest.raises(ValueError, match=r"have the shapes \(2,\) and \(2,\), those before"):
        auc.update([[0.2, 0.8]], [[1, 0]])
    assert auc.compute() == 1.0
    auc.reset()
    auc.update([[0.2, 0.8], [0.9, 0.1]], [[0, 1], [1, 0]])
    assert auc.compute() == 1.0


def test_a_class_too_many_changed_nothing():
    f1 = metrics.F1()
    f1.update([0, 1], [1, 1])
    with pytest.raises(ValueError, match="there are 3 classes"):
        f1.update([2], [0])
    assert f1.compute() == f1([0, 1], [1, 1])


# ---- of one's own --------------------------------------------------------------------------------


def test_a_function():
    def largest(prediction, target):
        return np.abs(prediction - target).max()

    metric = metrics.get(largest)
    assert (metric.name, metric.wants, metric.greater_is_better) == ("largest", "values", None)
    metric.update([1.0, 2.0], [1.0, 5.0])
    metric.update(pyml.tensor([1.0]), [0.0])
    assert metric.compute() == 3.0
    with pytest.raises(ValueError, match="call reset"):
        metric.update([[1.0, 2.0]], [1.0])
    metric.reset()
    assert metric([1.0], [0.5]) == 0.5

    def weighted(prediction, target, sample_weight=None):
        return 0 if sample_weight is None else np.dot(sample_weight, prediction)

    metric = metrics.FunctionMetric(weighted, name="w", wants="labels", greater_is_better=False)
    assert (metric.name, metric.wants, metric.greater_is_better) == ("w", "labels", False)
    assert metric([1, 2], [0, 0]) == 0
    assert metric([1, 2], [0, 0], [0.5, 2]) == 4.5


def test_a_class():
    class Rows(metrics.Metric):
        name = "rows"

        def reset(self):
            self.count = 0

        def update(self, prediction, target, weight=None):
            self.count += len(target)

        def compute(self):
            return float(self.count)

    assert metrics.get(Rows)([1, 2], [1, 2]) == 2
    assert isinstance(metrics.get(metrics.F1), metrics.F1)
    metric = metrics.F1()
    assert metrics.get(metric) is metric
    for method in ("reset", "compute"):
        with pytest.raises(NotImplementedError, match=f"Metric has no {method}"):
            getattr(metrics.Metric(), method)()
    with pytest.raises(NotImplementedError, match="Metric has no update"):
        metrics.Metric().update([1], [1])


def test_names_and_options_are_shown():
    for metric, name, shown in (
        (
            metrics.F1(average="macro", labels=[0, 2]),
            "f1_macro",
            "F1(average='macro', labels=(0, 2))",
        ),
        (metrics.F1(average=None), "f1_per_class", "F1(average=None)"),
        (metrics.MeanPinballLoss(alpha=0.9), "pinball_0.9", "MeanPinballLoss(alpha=0.9)"),
        (metrics.TopKAccuracy(k=5), "top_5_accuracy", "TopKAccuracy(k=5)"),
        (
            metrics.RocAuc(multi_class="ovo", average="weighted"),
            "roc_auc_ovo_weighted",
            "RocAuc(average='weighted', multi_class='ovo')",
        ),
        (metrics.MatthewsCorrelation(), "matthews", "MatthewsCorrelation()"),
    ):
        assert metric.name == name
        assert repr(metric) == shown


def test_the_table():
    plain = """accuracy balanced_accuracy top_k_accuracy precision recall f1 roc_auc
        average_precision
        log_loss brier matthews confusion_matrix mae mse rmse mape r2 pinball"""
    averaged = [
        f"{share}_{average}"
        for share in ("precision", "recall", "f1")
        for average in ("micro", "macro", "weighted", "samples")
    ]
    ranked = """roc_auc_weighted roc_auc_micro roc_auc_ovo roc_auc_ovo_weighted
        average_precision_weighted average_precision_micro top_3_accuracy top_5_accuracy"""
    assert {*plain.split(), *averaged, *ranked.split()} == set(metrics.METRICS)


def test_what_is_better():
    worse = {name for name in metrics.METRICS if metrics.get(name).greater_is_better is False}
    assert worse == {"log_loss", "brier", "mae", "mse", "rmse", "mape", "pinball"}


def test_a_metric_is_no_part_of_a_recorded_step():
    metric = metrics.MeanSquaredError()

    @pyml.record
    def step(x):
        y = x * 2
        metric.update(y, x)
        return y

    with pytest.raises(pyml.RecordError, match=r"MeanSquaredError.update\(\)"):
        for _ in range(3):
            step(pyml.ones(3))
