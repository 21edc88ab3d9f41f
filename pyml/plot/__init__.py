"""Pictures, by matplotlib, which is imported when one is drawn: pip install "pyml-nn[plot]".

Each function takes data and returns what it drew on: Axes, or a Figure of several. None shows
anything; `path=` writes a file whose ending says the format. `ax=` draws into Axes that are there.
No display is needed, and pyplot knows nothing of it: in a notebook `.figure` of the Axes shows it.

Lines differ by colour, by dashes and by markers, so that they can be told apart without colours.
"""

from pyml.plot.classes import calibration, confusion_matrix, precision_recall, roc
from pyml.plot.importance import importance
from pyml.plot.layers import gradient_flow, weight_histograms
from pyml.plot.learning import learning_curves, learning_rates
from pyml.plot.steps import diagnostics
from pyml.plot.values import predicted_against_true, residuals

__all__ = [
    "calibration",
    "confusion_matrix",
    "diagnostics",
    "gradient_flow",
    "importance",
    "learning_curves",
    "learning_rates",
    "precision_recall",
    "predicted_against_true",
    "residuals",
    "roc",
    "weight_histograms",
]
