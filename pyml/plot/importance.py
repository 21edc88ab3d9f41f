"""Which columns a prediction depends on."""

import numpy as np

from pyml.data.checks import count
from pyml.plot.canvas import COLOURS, GREY, axes_of, done, literal
from pyml.train.metrics import Importance

__all__ = ["importance"]


def importance(found, *, most=20, ax=None, path=None, title=None):
    """How much worse a metric gets when the rows of a column change places: a bar a column.

    The columns that cost most are at the top; lines are one standard deviation over the repeats.

    Args:
        found: what train.metrics.permutation_importance() returned.
        most: how many columns are drawn, >= 1. Default: 20.
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        TypeError: if found is something else.
        ValueError: if most is below 1.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> found = pyml.train.metrics.permutation_importance(model, x, y, "mse")
        >>> picture = pyml.plot.importance(found, path="importance.png")
    """
    who = "importance"
    if not isinstance(found, Importance):
        raise TypeError(
            f"{who}: found is a {type(found).__name__}, it must be what "
            "train.metrics.permutation_importance() returned"
        )
    order = np.argsort(-found.means, kind="stable")[: count(most, who, "most")]
    left_out = len(found.means) - len(order)
    ax = axes_of(who, ax, (6, 1.2 + 0.3 * len(order)))
    places = np.arange(len(order))
    ax.barh(places, found.means[order], 0.7, color=COLOURS[0])
    ax.errorbar(
        *(found.means[order], places),
        **{"xerr": found.stds[order], "linestyle": "", "color": COLOURS[4], "linewidth": 1},
    )
    ax.set_yticks(places, [literal(found.columns[i]) for i in order])
    ax.invert_yaxis()
    ax.axvline(0, color=GREY, linewidth=1)
    ax.grid(visible=False, axis="y")
    rest = f"\n({left_out} columns that cost less are left out)" if left_out else ""
    ax.set_xlabel(f"by how much {found.metric}, now {found.base:.4g}, gets worse{rest}")
    ax.set_ylabel("column")
    return done(ax, path, title)
