import numpy as np
import pytest

from plot.drawn import labels, lines, panel, ticks
from pyml import plot
from pyml.plot.classes import wilson
from pyml.train import metrics

MATRIX = np.array([[50, 10], [3, 1]])


def test_confusion_matrix(tmp_path):
    path = tmp_path / "matrix.png"
    ax = plot.confusion_matrix(MATRIX, ["cat", "dog"], path=path, title="test")
    assert path.exists() and ax.get_title() == "test"
    np.testing.assert_allclose(ax.images[0].get_array(), [[5 / 6, 1 / 6], [3 / 4, 1 / 4]])
    numbers = {text.get_position(): text.get_text() for text in ax.texts}
    assert numbers == {(0, 0): "50", (1, 0): "10", (0, 1): "3", (1, 1): "1"}  # x, y
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == ["cat", "dog"]
    assert ax.figure.axes[1].get_ylabel() == "share of the true class"


def test_names_of_data_are_no_formulas(tmp_path):
    name = "in $ or $_{"  # the formula would have a syntax error
    classes = plot.confusion_matrix(MATRIX, [name, "$"], path=tmp_path / "classes.png")
    assert ticks(classes.xaxis) == [r"in \$ or \$_{", r"\$"]
    gradients = {name: np.ones(3)}
    plot.weight_histograms(gradients, path=tmp_path / "weights.png")
    plot.gradient_flow(gradients, path=tmp_path / "gradients.png")
    found = metrics.Importance((name, "x"), np.ones((2, 3)), "rmse", 0.5)
    plot.importance(found, path=tmp_path / "importance.png")


def test_numbers_can_be_read_on_their_shade():
    ax = plot.confusion_matrix(np.array([[90, 10], [0, 20]]))
    assert [text.get_color() for text in ax.texts] == ["white", "black", "0.6", "white"]


def test_confusion_matrix_of_shares_of_many_classes_and_of_a_class_without_rows():
    ax = plot.confusion_matrix([[0.75, 0.25], [0, 0]])
    assert [text.get_text() for text in ax.texts] == ["0.75", "0.25", "0", "0"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    ax = plot.confusion_matrix(np.eye(20, dtype=int))
    assert not ax.texts and ticks(ax.xaxis)[19] == "19"
    ax = plot.confusion_matrix(np.eye(60, dtype=int))
    assert len(ticks(ax.xaxis)) < 60
    assert plot.confusion_matrix([[3]]).texts[0].get_text() == "3"


def rows(rng, n=80):
    target = rng.integers(0, 2, n)
    return np.round(rng.random(n) * 0.6 + target * 0.4, 2), target


def test_roc(tmp_path, rng):
    prediction, target = rows(rng)
    path = tmp_path / "roc.png"
    ax = plot.roc(prediction, target, path=path, title="test")
    assert path.exists() and ax.get_title() == "test"
    area = metrics.RocAuc()(prediction, target)
    fpr, tpr, _ = metrics.roc_curve(prediction, target)
    assert labels(ax) == ["guessing: 0.5", f"area {area:.3f}"]
    np.testing.assert_array_equal(lines(ax)[f"area {area:.3f}"], [fpr, tpr])
    np.testing.assert_array_equal(lines(ax)["guessing: 0.5"], [[0, 1], [0, 1]])
    assert "false positives" in ax.get_xlabel() and "true positives" in ax.get_ylabel()
    ax = panel()
    assert plot.roc(prediction, target, ax=ax) is ax


def test_precision_recall(rng):
    prediction, target = rows(rng)
    ax = plot.precision_recall(prediction, target)
    mean = metrics.AveragePrecision()(prediction, target)
    curve = metrics.precision_recall_curve(prediction, target, drop_intermediate=True)
    label = f"average {mean:.3f}"
    np.testing.assert_array_equal(lines(ax)[label], [curve.recall, curve.precision])
    line = ax.lines[1]
    assert line.get_drawstyle() == "steps-post"
    # the area below the steps is the number
    x, y = line.get_data()
    assert -np.sum(np.diff(x) * y[:-1]) == pytest.approx(mean)
    share = target.mean()
    assert set(lines(ax)[f"guessing: {share:.3f}"][1]) == {share}
    assert ("recall" in ax.get_xlabel(), "precision" in ax.get_ylabel()) == (True, True)


def test_names_with_a_line_in_front_are_in_the_legend(rng):
    prediction, target = rng.random((40, 2)), rng.integers(0, 2, (40, 2))
    ax = plot.roc(prediction, target, names=["_hidden", "$shown$"])
    shown = " ".join(text.get_text() for text in ax.get_legend().get_texts())
    assert "_hidden" in shown and "shown" in shown


@pytest.mark.parametrize("draw", [plot.roc, plot.precision_recall])
def test_weights(draw, rng):
    """Rows of weight 0 are as if they were not there, rows of weight 2 are two."""
    prediction, target = rows(rng)
    weight = rng.integers(0, 3, 80)
    repeated = np.repeat(np.arange(80), weight)
    got = draw(prediction, target, weight=weight)
    wanted = draw(prediction[repeated], target[repeated])
    assert labels(got) == labels(wanted)
    np.testing.assert_allclose(got.lines[1].get_data(), wanted.lines[1].get_data())


def test_several_classes(rng):
    target = np.array([0, 1, 3] * 20)
    prediction = rng.dirichlet(np.ones(4), 60)
    ax = plot.roc(prediction, target)
    assert [label.partition(":")[0] for label in labels(ax)[1:]] == ["0", "1", "3"]  # none is 2
    fpr, tpr, _ = metrics.roc_curve(prediction[:, 3], target == 3)
    np.testing.assert_array_equal(ax.lines[-1].get_data(), [fpr, tpr])
    ax = plot.precision_recall(prediction, target, names="abcd")
    assert [label.partition(":")[0] for label in labels(ax)] == ["a", "b", "d"]
    ax = plot.roc(prediction, target + 5, labels=[5, 6, 7, 8])
    assert [label.partition(":")[0] for label in labels(ax)[1:]] == ["5", "6", "8"]
    styles = {(line.get_color(), str(line.get_linestyle())) for line in ax.lines}
    assert len(styles) == 4 and len({style for _, style in styles}) == 4  # also without colours


def test_a_class_whose_rows_have_no_weight_has_no_line(rng):
    target = np.array([0, 1, 2] * 10)
    ax = plot.roc(rng.dirichlet(np.ones(3), 30), target, weight=(target != 1).astype(float))
    assert [label.partition(":")[0] for label in labels(ax)[1:]] == ["0", "2"]


def test_two_columns_are_one_line(rng):
    prediction, target = rows(rng)
    both = np.stack([1 - prediction, prediction], 1)
    assert labels(plot.roc(both, target)) == labels(plot.roc(prediction, target))


def test_several_labels(rng):
    target = rng.integers(0, 2, (60, 2))
    prediction = rng.random((60, 2))
    ax = plot.roc(prediction, target, names=["red", "round"])
    area = metrics.RocAuc(average=None)(prediction, target)
    assert labels(ax)[1:] == [f"red: area {area[0]:.3f}", f"round: area {area[1]:.3f}"]


def test_many_classes_are_grey(rng):
    target = np.repeat(np.arange(15), 3)
    prediction = rng.dirichlet(np.ones(15), 45)
    ax = plot.roc(prediction, target)
    mean = metrics.RocAuc()(prediction, target)
    assert labels(ax) == ["guessing: 0.5", f"each of 15, mean area {mean:.3f}"]
    assert len(ax.lines) == 17


def test_calibration(rng):
    prediction, target = rows(rng, 300)
    ax = plot.calibration(prediction, target, n_bins=5)
    curve = metrics.calibration_curve(prediction, target, n_bins=5)
    np.testing.assert_array_equal(
        lines(ax)["observed, 95 % interval"], [curve.predicted, curve.observed]
    )
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights, curve.counts / 300)
    low, high = wilson(curve.observed, curve.counts)
    ends = np.array([path.vertices[:, 1] for path in ax.collections[0].get_paths()])
    np.testing.assert_allclose(ends, np.stack([low, high], 1))
    assert ax.get_xlabel() == "predicted probability"
    assert ax.get_ylabel() == "share of positive rows"


def test_the_interval_of_wilson():
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    count = np.array([263, 148, 20, 29])
    low, high = wilson(np.array([81, 15, 0, 1]) / count, count)
    np.testing.assert_allclose(low, [0.2553, 0.0624, 0.0000, 0.0061], atol=5e-5)
    np.testing.assert_allclose(high, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plot.confusion_matrix(np.ones((2, 3))), r"matrix has shape \(2, 3\), it must be"),
        (lambda: plot.confusion_matrix([[1, -1], [0, 1]]), "matrix has -1, it must have counts"),
        (lambda: plot.confusion_matrix([[1.0, np.nan], [0, 1]]), "has NaN in row 0, column 1"),
        (lambda: plot.confusion_matrix(MATRIX, ["a"]), "names has 1 names, there are 2 classes"),
        (lambda: plot.roc([0.1, 0.2], [1, 1]), "roc: target has rows of one class"),
        (lambda: plot.roc([0.1, np.nan], [0, 1]), "roc: prediction has NaN in row 1"),
        (lambda: plot.roc([0.1, 0.2], [0, 5]), "roc: target has the classes 0, 5"),
        (lambda: plot.roc([0.1, 0.2], [0, 1], names=["a"]), "names and labels are of columns"),
        (lambda: plot.roc(np.eye(3), [0, 1, 2], names="ab"), "names has 2 names, there are 3"),
        (lambda: plot.roc([], []), "target has rows of one class"),
        (lambda: plot.calibration([1.5], [1]), "prediction has 1.5 in row 0"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
