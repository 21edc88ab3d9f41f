import sys

import numpy as np
import pytest

import pyml
from pyml import nn, optim, plot
from pyml.recording import Diagnostics
from pyml.train import Epoch, History

HISTORY = History(
    Epoch(epoch, 1 / epoch, 1.1 / epoch, 1 - 0.2 / epoch, 1e-3, 0.1) for epoch in range(1, 6)
)


def test_learning_curves(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.png"
    plot.learning_curves(HISTORY, path, title="title", test_accuracy=0.97)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "matplotlib.pyplot" not in sys.modules  # which would look for a display


def test_one_epoch_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    plot.learning_curves(History(HISTORY[:1]), tmp_path / "curves.svg")
    assert "epoch" in (tmp_path / "curves.svg").read_text()


def test_matplotlib_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "pyml-nn\[plot\]"'):
        plot.learning_curves(HISTORY, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())


# ---- diagnostics ---------------------------------------------------------------------------------


def measured():
    """The diagnostics of a few steps, with every kind in it."""
    model = nn.Sequential(
        *(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh()),
        nn.Linear(4, 1),
    )
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @pyml.record
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    step.run(pyml.randn(40, 3), batch_size=4, diagnostics=True)
    return step.diagnostics


LABELS = ["norm of the gradient", "update / weights", "share of dead ReLUs", "saturated units"]


def test_diagnostics(tmp_path):
    pytest.importorskip("matplotlib")
    records = measured()
    plot.diagnostics(records, tmp_path / "diagnostics.png", title="title")
    assert (tmp_path / "diagnostics.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    plot.diagnostics(records, tmp_path / "diagnostics.svg")
    text = (tmp_path / "diagnostics.svg").read_text()
    for label in (*LABELS, "drift of the batch mean", "0.weight", "5.bias"):
        assert label in text
    assert "matplotlib.pyplot" not in sys.modules


def test_diagnostics_of_one_kind(tmp_path):
    pytest.importorskip("matplotlib")
    records = Diagnostics({"dead_relu/1": np.array([np.nan, 0.5, 0.25])})
    plot.diagnostics(records, tmp_path / "diagnostics.svg")
    text = (tmp_path / "diagnostics.svg").read_text()
    assert LABELS[2] in text and LABELS[0] not in text


@pytest.mark.parametrize("records", [None, Diagnostics()])
def test_diagnostics_of_nothing(tmp_path, records):
    with pytest.raises(ValueError, match="records is empty"):
        plot.diagnostics(records, tmp_path / "diagnostics.png")
    assert not list(tmp_path.iterdir())
