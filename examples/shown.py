"""What the scripts of the lecture share: how they are called, printed and drawn."""

import argparse
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

PICTURES = Path(__file__).parent.parent / "docs" / "lecture"

# Okabe and Ito's colours, which colour-blind readers tell apart, each with a line of its own
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1))]
STYLES = [{"color": c, "linestyle": line} for c, line in zip(COLOURS, LINES, strict=True)]


def panels(columns=1, rows=1, width=4.2, height=3.2) -> tuple[Figure, Any]:
    """A Figure and its axes: one, or a list of them, row by row."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for panel in axes:
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes[0] if len(axes) == 1 else axes


def text_of(numbers):
    """The lines that a script prints: a name and what was found."""
    return "\n".join(f"{name}: {shown(value)}" for name, value in numbers.items())


def shown(value):
    """A number with three digits, as a page says it."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return f"{float(value):.3g}"


def show(main):
    """Runs main(small), which gives numbers by their names and a Figure; prints and draws them."""
    name = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--small", action="store_true", help="fewer steps, for a test")
    parser.add_argument(
        "--out",
        type=Path,
        default=PICTURES,
        help="where the picture is put (default: docs/lecture)",
    )
    arguments = parser.parse_args()
    numbers, figure = main(arguments.small)
    print(text_of(numbers))
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out / f"{name}.png", dpi=110)
