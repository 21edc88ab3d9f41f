"""What all pictures share: where they are drawn, how lines differ, how axes are numbered."""

import math
import os
from types import NoneType

import numpy as np

# Okabe and Ito's colours, which colour-blind readers tell apart, the darker ones first; the lines
# differ without them, too
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]
MARKERS = ["o", "s", "^", "v", "D", "P", "X"]
GREY = "0.45"

MOST_COLUMNS = 3  # of panels
MOST_MARKED = 50  # points of a line that has markers; of more they would hide it


def style(i, points=0):
    """Colour, dashes and marker of line i, of so many points."""
    marked = 0 < points <= MOST_MARKED
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": LINES[(i + i // len(COLOURS)) % len(LINES)],
        "marker": MARKERS[i % len(MARKERS)] if marked else "",
        "markersize": 4,
    }


def figure_of(size, title=None):
    """A Figure that pyplot does not know.

    Args:
        size: width and height in inches.
        title: above all. Default: none.

    Raises:
        ImportError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f'pictures need matplotlib ({error}): pip install "pyml-nn[plot]"'
        ) from None
    figure = Figure(figsize=size, layout="constrained")
    if title is not None:
        figure.suptitle(title)
    return figure


def grid_of(count, size, title=None):
    """A Figure and so many panels, three side by side, each of this size in inches."""
    columns = min(MOST_COLUMNS, count)
    rows = -(-count // columns)
    figure = figure_of((size[0] * columns, size[1] * rows), title)
    panels = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for panel in panels[count:]:
        panel.remove()
    return figure, panels[:count]


def axes_of(who, ax, size):
    """`ax`, or the Axes of a Figure of this size.

    Raises:
        TypeError: if ax is something else.
    """
    if ax is None:
        return clean(figure_of(size).subplots())
    if not (hasattr(ax, "plot") and hasattr(ax, "set_xlabel")):
        raise TypeError(
            f"{who}: ax is a {type(ax).__name__}, it must be the Axes of a figure, as "
            "figure.subplots() makes"
        )
    return clean(ax)


def clean(ax):
    """The Axes with a faint grid behind what is drawn, and open at the top and the right."""
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def done(drawn, path, title=None):
    """`drawn`, a Figure or Axes, with a title above the Axes, and written to a path, if there are.

    Raises:
        OSError: if the file cannot be written.
        TypeError: if the path is none, and no file object.
    """
    if not isinstance(path, (str, os.PathLike, NoneType)) and not hasattr(path, "write"):
        raise TypeError(
            f"pyml.plot: path is a {type(path).__name__}, it must be a file's name or a file object"
        )
    if title is not None:
        drawn.set_title(title)
    if path is not None:
        figure = drawn.figure if hasattr(drawn, "set_xlabel") else drawn
        while hasattr(figure, "subfigs") and not hasattr(figure, "savefig"):  # a SubFigure
            figure = figure.figure
        figure.savefig(path, dpi=120)
    return drawn


def number_logarithms(axis, numbers):
    """Ticks of a logarithmic axis with their numbers: some even where it spans less than a power.

    Args:
        axis: an XAxis or YAxis.
        numbers: what is drawn along it, positive.
    """
    from matplotlib.ticker import (
        FuncFormatter,
        LogFormatterSciNotation,
        LogLocator,
        MaxNLocator,
        NullFormatter,
    )

    powers = math.log10(numbers.max() / numbers.min()) if len(numbers) else 1
    if powers < 0.5:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if powers < 2.5 else (1,), numticks=12))
    if len(numbers) and numbers.min() > 2e-4 and numbers.max() < 1e6:
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.6g}"))
    else:
        axis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=False))
    axis.set_minor_formatter(NullFormatter())


def legend(ax, outside=False):
    """A legend inside the Axes, or to their right."""
    where = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if outside else {}
    ax.legend(fontsize="small", frameon=False, **where)


def positive(numbers):
    """The positive finite ones of some numbers, as one array."""
    numbers = np.concatenate([np.ravel(part) for part in numbers]) if numbers else np.empty(0)
    return numbers[np.isfinite(numbers) & (numbers > 0)]


def literal(text):
    """Text of data as it stands in a picture.

    Between two $ matplotlib would see a formula, and legends leave out what begins with _, in front
    of which there is a space of no width here.
    """
    text = str(text).replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def name_checked(who, names, count, of):
    """A name for each of `count` things, as it stands in a picture: names, or their numbers.

    Raises:
        ValueError: if there are more or fewer.
    """
    if names is None:
        return [str(i) for i in range(count)]
    names = [literal(name) for name in names]
    if len(names) != count:
        raise ValueError(f"{who}: names has {len(names)} names, there are {count} {of}")
    return names
