import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from plot.drawn import labels, lines, panel, ticks
from pyml import plot


class Columns:
    """As much of a History as is drawn."""

    def __init__(self, **columns):
        self.of = {name: np.array(values) for name, values in columns.items()}

    @property
    def columns(self):
        return list(self.of)

    def column(self, name):
        return self.of[name]


def history(epochs=5):
    epoch = np.arange(1, epochs + 1)
    validation = 1.1 / epoch
    if epochs > 3:
        validation[3:] = 2.0
    return Columns(
        epoch=epoch,
        train_loss=1 / epoch,
        train_accuracy=1 - 0.1 / epoch,
        validation_loss=validation,
        validation_accuracy=1 - 0.2 / epoch,
        learning_rate=np.full(epochs, 1e-3),
        seconds=np.ones(epochs),
    )


def test_learning_curves(tmp_path):
    """As the command line calls it, and what is in the picture."""
    path, of = tmp_path / "curves.png", history()
    figure = plot.learning_curves(of, path, "title", 0.97)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert isinstance(figure, Figure) and figure.get_suptitle() == "title"
    loss, accuracy = figure.axes
    for ax, name in ((loss, "loss"), (accuracy, "accuracy")):
        for part, label in (("train", "training"), ("validation", "validation")):
            x, y = lines(ax)[label]
            np.testing.assert_array_equal(x, of.column("epoch"))
            np.testing.assert_array_equal(y, of.column(f"{part}_{name}"))
        assert ax.get_xlabel() == "epoch"
    assert (loss.get_ylabel(), loss.get_yscale()) == ("mean loss", "log")
    assert (accuracy.get_ylabel(), accuracy.get_yscale()) == ("accuracy", "linear")
    assert set(lines(accuracy)["test: 0.9700"][1]) == {0.97}


def test_the_best_epoch_is_marked():
    loss, accuracy = plot.learning_curves(history()).axes
    np.testing.assert_allclose(lines(loss)["epoch 3 (best loss): 0.3667"], [[3], [1.1 / 3]])
    np.testing.assert_allclose(lines(accuracy)["epoch 3 (best loss): 0.9333"], [[3], [1 - 0.2 / 3]])
    ax = plot.learning_curves(history(), best=1).axes[1]
    np.testing.assert_allclose(lines(ax)["epoch 1 (best): 0.8"], [[1], [0.8]])
    of = Columns(epoch=[1, 2, 3], train_loss=[2.0, 1.0, 3.0])
    assert labels(plot.learning_curves(of).axes[0]) == ["training", "epoch 2 (best loss): 1"]
    of = Columns(epoch=[1, 2], train_loss=[2.0, 1.0], validation_loss=[np.nan, 3.0])
    assert "epoch 2 (best loss): 3" in labels(plot.learning_curves(of).axes[0])
    of = Columns(epoch=[1, 2], train_loss=[2.0, 1.0], validation_loss=[np.nan, np.nan])
    assert labels(plot.learning_curves(of).axes[0]) == ["training", "validation"]


def test_epochs_that_begin_later():
    """Of a training that was taken up, the best epoch has its own number."""
    of = Columns(epoch=[11, 12, 13], train_loss=[2.0, 1.0, 3.0])
    np.testing.assert_array_equal(
        lines(plot.learning_curves(of).axes[0])["epoch 12 (best loss): 1"], [[12], [1]]
    )


def test_the_grid_of_the_accuracy_is_said():
    loss, accuracy = plot.learning_curves(history(), rows=143).axes
    assert "143 rows, in steps of 1/143 = 0.007" in accuracy.get_xlabel()
    assert loss.get_xlabel() == "epoch"


@pytest.mark.parametrize(
    ("values", "some"),
    [
        ([0.5, 0.02], {"0.02", "0.05", "0.1", "0.2", "0.5"}),
        ([1.0, 0.8], {"0.8", "0.9", "1"}),
        ([300.0, 0.1], {"0.1", "1", "10", "100"}),
    ],
)
def test_the_logarithmic_axis_has_numbers(values, some):
    of = Columns(epoch=[1, 2], train_loss=values)
    loss = plot.learning_curves(of).axes[0]
    assert loss.get_yscale() == "log"
    assert some <= set(ticks(loss.yaxis))


def test_losses_that_are_not_positive_are_on_a_linear_axis():
    of = Columns(epoch=[1, 2, 3], train_loss=[1.0, -1.0, np.nan])
    assert plot.learning_curves(of).axes[0].get_yscale() == "linear"


def test_one_panel(tmp_path):
    of = history()
    ax = panel()
    assert plot.learning_curves(of, ax=ax, title="here") is ax
    assert ax.get_ylabel() == "mean loss" and ax.get_title() == "here"
    ax = plot.learning_curves(of, ax=panel(), metrics="accuracy", path=tmp_path / "a.svg")
    assert ax.get_ylabel() == "accuracy"
    assert "accuracy" in (tmp_path / "a.svg").read_text()
    figure = plot.learning_curves(of, metrics=["accuracy", "loss"])
    assert [ax.get_ylabel() for ax in figure.axes] == ["accuracy", "mean loss"]


def test_a_panel_of_a_part_of_a_figure(tmp_path):
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].subplots()
    plot.learning_curves(history(), ax=ax, path=tmp_path / "whole.png")
    assert (tmp_path / "whole.png").exists()


def test_a_metric_of_two_words_and_one_epoch():
    of = Columns(epoch=[1], train_loss=[1.0], validation_roc_auc=[0.5])
    figure = plot.learning_curves(of)
    assert [ax.get_ylabel() for ax in figure.axes] == ["mean loss", "roc auc"]
    assert figure.axes[1].lines[0].get_marker() not in ("", "None")  # a line of one point is none


def test_many_metrics_are_in_rows_of_three():
    names = [f"train_{name}" for name in ("loss", "mae", "r2", "mape")]
    of = Columns(epoch=[1, 2], **{name: [1.0, 2.0] for name in names})
    of.of["train_confusion_matrix"] = np.ones((2, 3, 3))  # no curve
    figure = plot.learning_curves(of)
    panels = figure.axes
    assert figure.get_size_inches().tolist() == pytest.approx([13.5, 7.2])
    assert [ax.get_ylabel() for ax in panels] == ["mean loss", "mae", "r2", "mape"]
    assert [ax.get_subplotspec().rowspan.start for ax in panels] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plot.learning_curves(3), TypeError, "history must be a train.History, not int"),
        (lambda: plot.learning_curves(Columns(epoch=[])), ValueError, "no epochs with a loss"),
        (
            lambda: plot.learning_curves(Columns(epoch=[], train_loss=[])),
            *(ValueError, "no epochs with a loss"),
        ),
        (
            lambda: plot.learning_curves(history(), metrics=["f1"]),
            *(ValueError, "metrics has 'f1', the history has 'loss', 'accuracy'"),
        ),
        (lambda: plot.learning_curves(history(), metrics=[]), ValueError, "metrics has 0 names"),
        (
            lambda: plot.learning_curves(history(), metrics=["loss", "accuracy"], ax=panel()),
            *(ValueError, "metrics has 2 names"),
        ),
        (
            lambda: plot.learning_curves(history(), ax=3),
            TypeError,
            "ax is a int, it must be the Ax",
        ),
        (lambda: plot.learning_curves(history(), rows=0), ValueError, "rows is 0"),
        (lambda: plot.learning_curves(history(), best=1.5), TypeError, "best is 1.5"),
        (lambda: plot.learning_rates([1.0]), TypeError, "losses is missing"),
        (
            lambda: plot.learning_rates([1.0], [1.0, 2.0]),
            ValueError,
            r"rates has shape \(1,\), los",
        ),
        (lambda: plot.learning_rates([0.0], [1.0]), ValueError, "rates has 0.0, it must have num"),
        (lambda: plot.learning_rates([1.0], [np.nan]), ValueError, "losses has no finite number"),
        (
            lambda: plot.learning_rates([1.0], [1.0], smoothed=[1.0, 2.0]),
            *(ValueError, r"smoothed has shape \(2,\), it must be \(1,\)"),
        ),
    ],
)
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_matplotlib_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "pyml-nn\[plot\]"'):
        plot.learning_curves(history(), tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


# ---- learning rates ------------------------------------------------------------------------------

RATES = np.geomspace(1e-5, 1, 6)
LOSSES = np.array([2.0, 1.9, 1.0, 0.5, 3.0, np.inf])


def test_learning_rates(tmp_path):
    path = tmp_path / "rates.png"
    ax = plot.learning_rates(RATES, LOSSES, suggestion=1e-3, path=path, title="digits")
    assert path.exists() and ax.get_title() == "digits"
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("learning rate", "loss", "log")
    np.testing.assert_array_equal(lines(ax)["loss of a batch"], [RATES[:5], LOSSES[:5]])
    assert set(lines(ax)["suggestion: 0.001"][0]) == {1e-3}
    assert ax.get_yscale() == "linear"
    assert plot.learning_rates(RATES, LOSSES, ax=ax) is ax


def test_learning_rates_that_were_found():
    smoothed = LOSSES[:5] * 0.9
    found = SimpleNamespace(rates=RATES[:5], losses=LOSSES[:5], smoothed=smoothed, suggestion=None)
    ax = plot.learning_rates(found)
    np.testing.assert_array_equal(lines(ax)["smoothed"], [RATES[:5], smoothed])
    np.testing.assert_array_equal(lines(ax)["loss of a batch"], [RATES[:5], LOSSES[:5]])
    assert len(ax.lines) == 2
    ax = plot.learning_rates(found, suggestion=0.1)
    assert "suggestion: 0.1" in lines(ax)


def test_losses_that_explode_are_on_a_logarithmic_axis():
    assert plot.learning_rates(RATES, [2.0, 1.9, 1.0, 0.5, 30.0, 1e6]).get_yscale() == "log"
