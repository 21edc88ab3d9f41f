"""What a recorded run measured, step by step."""

from pyml.plot.canvas import (
    COLOURS,
    clean,
    done,
    figure_of,
    legend,
    number_logarithms,
    positive,
    style,
)
from pyml.recording import Diagnostics

__all__ = ["diagnostics"]

# kinds of diagnostics, what they mean, and whether they span powers of ten
KINDS = [
    ("grad_norm", "norm of the gradient", True),
    ("update_ratio", "update / weights", True),
    ("dead_relu", "share of dead ReLUs", False),
    ("saturation", "share of saturated units", False),
    ("batchnorm_drift", "drift of the batch mean (std)", False),
]


def diagnostics(records, path=None, title=None):
    """Draws what `train_step.run(..., diagnostics=True)` measured.

    A panel a kind, a line a layer, against steps: norms of gradients, updates relative to
    weights, dead ReLUs, saturated units, drift of BatchNorm.

    Args:
        records: train_step.diagnostics.
        path: the picture; its ending says the format (png, svg, pdf). Default: none is written.
        title: above the panels. Default: none.

    Returns:
        the Figure.

    Raises:
        ValueError: if there is nothing to draw.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.
    """
    if not isinstance(records, (Diagnostics, type(None))):
        raise TypeError(
            f"diagnostics: records must be the .diagnostics of a recorded step, not of type "
            f"{type(records).__name__}"
        )
    if not records:
        raise ValueError(
            "diagnostics: records is empty; pass the .diagnostics of a recorded step after "
            "run(..., diagnostics=True)"
        )
    kinds = [(kind, *how) for kind, *how in KINDS if records.of(kind)]
    figure = figure_of((9, 2.6 * len(kinds)), title)
    panels = figure.subplots(len(kinds), 1, squeeze=False, sharex=True)[:, 0]
    for panel, (kind, label, spans) in zip(panels, kinds, strict=True):
        layers = records.of(kind)
        for i, (layer, values) in enumerate(layers.items()):
            panel.plot(values, label=layer, **style(i) | {"linewidth": 1})
        if kind in records:
            panel.plot(records[kind], label="all", linewidth=1.6, color=COLOURS[4])
        panel.set(ylabel=label)
        numbers = positive([*layers.values()])
        if spans and len(numbers):
            panel.set_yscale("log")
            number_logarithms(panel.yaxis, numbers)
        if not spans:
            top = panel.get_ylim()[1]
            panel.set_ylim(-0.03 * top, top)  # a line at 0 is seen
        legend(clean(panel), outside=True)
    panel.set_xlabel("step")
    return done(figure, path)
