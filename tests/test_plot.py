import sys

import pytest

from pyml import plot
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
