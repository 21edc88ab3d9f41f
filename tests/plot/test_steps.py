import sys

import numpy as np
import pytest

import pyml
from plot.drawn import labels
from pyml import nn, optim, plot
from pyml.recording import Diagnostics


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


PANELS = [
    ("grad_norm", "norm of the gradient"),
    ("update_ratio", "update / weights"),
    ("dead_relu", "share of dead ReLUs"),
    ("saturation", "share of saturated units"),
    ("batchnorm_drift", "drift of the batch mean (std)"),
]


def test_diagnostics(tmp_path):
    records = measured()
    path = tmp_path / "diagnostics.png"
    figure = plot.diagnostics(records, path, title="title")
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert figure.get_suptitle() == "title"
    for ax, (kind, label) in zip(figure.axes, PANELS, strict=True):
        layers = records.of(kind)
        assert ax.get_ylabel() == label
        assert labels(ax) == [*layers, *(["all"] if kind in records else [])]
        for line, values in zip(ax.lines, layers.values(), strict=False):
            np.testing.assert_array_equal(line.get_ydata(), values)
        assert ax.get_yscale() == ("log" if kind in ("grad_norm", "update_ratio") else "linear")
    np.testing.assert_array_equal(figure.axes[0].lines[-1].get_ydata(), records["grad_norm"])
    assert figure.axes[-1].get_xlabel() == "step"


def test_diagnostics_of_one_kind():
    values = np.array([np.nan, 0.5, 0.25])
    (ax,) = plot.diagnostics(Diagnostics({"dead_relu/1": values})).axes
    assert ax.get_ylabel() == "share of dead ReLUs"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), values)
    assert ax.get_ylim()[0] < 0  # a line at 0 is seen


@pytest.mark.parametrize("records", [None, Diagnostics()])
def test_diagnostics_of_nothing(tmp_path, records):
    with pytest.raises(ValueError, match="records is empty"):
        plot.diagnostics(records, tmp_path / "diagnostics.png")
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "pyml-nn\[plot\]"'):
        plot.diagnostics(Diagnostics({"dead_relu/1": np.ones(3)}), tmp_path / "a.png")
    with pytest.raises(ImportError, match=r'pip install "pyml-nn\[plot\]"'):
        plot.roc([0.1, 0.2], [0, 1], path=tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
