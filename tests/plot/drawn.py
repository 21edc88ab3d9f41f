"""What a picture shows."""

import numpy as np
from matplotlib.figure import Figure


def panel():
    """Axes of a caller's figure."""
    return Figure().subplots()


def lines(ax):
    """{label: (x, y)} of the lines of Axes."""
    return {line.get_label(): np.array(line.get_data(), float) for line in ax.lines}


def labels(ax):
    """What its legend says."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ticks(axis):
    """The names at an axis."""
    axis.axes.figure.draw_without_rendering()
    return [text.get_text() for text in axis.get_ticklabels()]
