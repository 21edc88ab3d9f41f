import numpy as np
import pytest

import pyml
from plot.drawn import labels, lines, panel
from pyml import nn, plot
from pyml.train.metrics import Importance

TARGET = np.array([1.0, 2.0, 3.0, 4.0])
PREDICTION = np.array([1.5, 2.0, 2.0, 4.5])
NUMBERS = "RMSE 0.6124 m, R2 0.700"


def test_predicted_against_true(tmp_path):
    path = tmp_path / "predicted.png"
    ax = plot.predicted_against_true(PREDICTION, TARGET, unit="m", path=path, title="test")
    assert path.exists() and ax.get_title() == "test"
    np.testing.assert_array_equal(ax.lines[0].get_data(), [TARGET, PREDICTION])
    np.testing.assert_array_equal(lines(ax)["equal"], [[1, 4.5], [1, 4.5]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true (m)", "predicted (m)")
    assert labels(ax) == ["equal", NUMBERS]
    ax = panel()
    assert plot.predicted_against_true(PREDICTION[:, None], pyml.tensor(TARGET), ax=ax) is ax
    assert ax.get_xlabel() == "true"


def test_residuals():
    ax = plot.residuals(PREDICTION, TARGET, unit="m")
    np.testing.assert_array_equal(ax.lines[0].get_data(), [PREDICTION, TARGET - PREDICTION])
    assert set(lines(ax)["no error"][1]) == {0}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted (m)", "true - predicted (m)")
    assert labels(ax) == ["no error", NUMBERS]
    assert labels(plot.residuals([1.0], [2.0])) == ["no error", "RMSE 1"]


@pytest.mark.parametrize("draw", [plot.predicted_against_true, plot.residuals])
def test_many_rows_are_counted(draw, rng):
    target = rng.normal(size=6000)
    ax = draw(target + rng.normal(size=6000), target)
    assert ax.collections[0].get_array().sum() == 6000
    assert ax.figure.axes[1].get_ylabel() == "rows"
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("draw", [plot.predicted_against_true, plot.residuals])
def test_refusals(draw):
    for prediction, words in (
        ([1.0, np.nan], "prediction has NaN in row 1"),
        ([1.0], "prediction has 1 rows, target has 2"),
    ):
        with pytest.raises(ValueError, match=f"{draw.__name__}: {words}"):
            draw(prediction, [1.0, 2.0])
    with pytest.raises(ValueError, match="prediction has 2 outputs; a picture is of one"):
        draw(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="there are no rows"):
        draw([], [])


# ---- importance ----------------------------------------------------------------------------------

FOUND = Importance(["a", "b", "c"], np.array([[1.0, 3.0], [5.0, 5.0], [-1.0, 0.0]]), "mse", 0.25)


def test_importance(tmp_path):
    path = tmp_path / "importance.png"
    ax = plot.importance(FOUND, path=path, title="test")
    assert path.exists() and ax.get_title() == "test"
    assert [bar.get_width() for bar in ax.patches] == [5, 2, -0.5]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["b", "a", "c"]
    assert ax.yaxis_inverted()  # the first is at the top
    assert set(ax.lines[-1].get_xdata()) == {0}
    ends = [path.vertices[:, 0].tolist() for path in ax.collections[0].get_paths()]
    assert ends == [[5, 5], [1, 3], [-1, 0]]
    assert ax.get_xlabel() == "by how much mse, now 0.25, gets worse"
    ax = plot.importance(FOUND, most=1, ax=panel())
    assert len(ax.patches) == 1 and "2 columns that cost less are left out" in ax.get_xlabel()


def test_importance_refuses():
    with pytest.raises(TypeError, match=r"found is a dict, it must be what .*importance"):
        plot.importance({"a": 1})
    with pytest.raises(ValueError, match="most is 0"):
        plot.importance(FOUND, most=0)


# ---- layers --------------------------------------------------------------------------------------


def network():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    model(pyml.ones(2, 3)).sum().backward()
    return model


def test_gradient_flow(tmp_path):
    model, path = network(), tmp_path / "gradients.png"
    ax = plot.gradient_flow(model, path=path, title="test")
    assert path.exists() and ax.get_title() == "test"
    gradients = [p.grad.numpy().astype(float) for p in model.parameters()]
    heights = [bar.get_height() for bar in ax.patches]
    np.testing.assert_allclose(heights[:4], [np.abs(g).max() for g in gradients])
    np.testing.assert_allclose(heights[4:], [np.sqrt((g**2).mean()) for g in gradients])
    assert 0 < ax.get_ylim()[0] < min(heights) and max(heights) < ax.get_ylim()[1]
    names = [text.get_text() for text in ax.get_xticklabels()]
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert labels(ax) == ["largest", "root mean square"]
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "gradient")
    assert "from input to output" in ax.get_xlabel()


def test_gradients_that_are_zero_or_missing():
    ax = plot.gradient_flow({"a": np.zeros(3), "b": np.array([3.0, -4.0]), "c": None})
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b"]
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [("0", 0)]
    assert [bar.get_height() for bar in ax.patches] == [0, 4, 0, 12.5**0.5]
    ax = plot.gradient_flow({"a": np.zeros(3)})
    assert ax.get_yscale() == "linear"
    name = "a.very.long.name.of.a.parameter.of.a.network"
    ax = plot.gradient_flow({name: np.ones(2)})
    assert ax.get_xticklabels()[0].get_text() == "..." + name[-27:]


def test_weight_histograms(tmp_path):
    model, path = network(), tmp_path / "weights.png"
    figure = plot.weight_histograms(model, bins=7, path=path, title="test")
    assert path.exists() and figure.get_suptitle() == "test"
    assert len(figure.axes) == 4
    for ax, (name, p) in zip(figure.axes, model.named_parameters(), strict=True):
        counts, edges, _ = ax.patches[0].get_data()
        wanted = np.histogram(p.detach().numpy().astype(float), 7)
        np.testing.assert_array_equal(counts, wanted[0])
        np.testing.assert_allclose(edges, wanted[1])
        assert ax.get_title().startswith(f"{name}, ") and ax.get_ylabel() == "count"
    assert figure.axes[0].get_title() == "0.weight, 4 x 3"
    ax = plot.weight_histograms({"w": np.array([0.0, 2.0, 4.0, 4.0])}).axes[0]
    assert ax.get_xlabel() == "weight (mean 2.5, std 1.7)"
    assert len(ax.patches[0].get_data()[0]) == 2  # the root of 4


def test_layers_refuse():
    model = nn.Sequential(nn.Linear(3, 4))
    for draw in (plot.gradient_flow, plot.weight_histograms):
        with pytest.raises(TypeError, match=f"{draw.__name__}: model is a int"):
            draw(3)
        with pytest.raises(ValueError, match=f"{draw.__name__}: w has NaN in row 1"):
            draw({"w": np.array([1.0, np.nan])})
        with pytest.raises(TypeError, match=f"{draw.__name__}: w is a str"):
            draw({"w": "x"})
    with pytest.raises(ValueError, match=r"model has no gradient; call backward\(\)"):
        plot.gradient_flow(model)
    with pytest.raises(ValueError, match="model has no parameters"):
        plot.weight_histograms(nn.ReLU())
    with pytest.raises(ValueError, match="bins is 0"):
        plot.weight_histograms(model, bins=0)
    with pytest.raises(ValueError, match="bins is 20000"):
        plot.weight_histograms(model, bins=20000)
