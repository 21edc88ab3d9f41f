"""Pictures, by matplotlib, which is imported when one is drawn: pip install "pyml-nn[plot]"."""

from pyml.recording import Diagnostics
from pyml.train.history import History

__all__ = ["diagnostics", "learning_curves"]

# kinds of diagnostics, what they mean, and whether they span powers of ten
DIAGNOSTICS = [
    ("grad_norm", "norm of the gradient", True),
    ("update_ratio", "update / weights", True),
    ("dead_relu", "share of dead ReLUs", False),
    ("saturation", "share of saturated units", False),
    ("batchnorm_drift", "drift of the batch mean (std)", False),
]


def learning_curves(history, path, title=None, test_accuracy=None):
    """Draws loss and accuracy against epochs. No display is needed.

    Args:
        history: a train.History.
        path: the picture; its ending says the format (png, svg, pdf).
        title: above the panels. Default: none.
        test_accuracy: drawn as a line across the accuracy. Default: none.

    Raises:
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.
    """
    if not isinstance(history, History):
        raise TypeError(
            f"learning_curves: history must be a train.History, not {type(history).__name__}"
        )
    epochs = history.column("epoch")
    figure = _figure((9, 3.6), title)
    from matplotlib.ticker import MaxNLocator

    loss, accuracy = figure.subplots(1, 2)

    loss.plot(epochs, history.column("train_loss"), label="training", marker=".")
    loss.plot(epochs, history.column("validation_loss"), label="validation", marker=".")
    loss.set(yscale="log", ylabel="mean loss")

    accuracy.plot(
        epochs,
        history.column("validation_accuracy"),
        label="validation",
        color="C1",
        marker=".",
    )
    if test_accuracy is not None:
        accuracy.axhline(
            test_accuracy, label=f"test: {test_accuracy:.4f}", color="C2", linestyle="--"
        )
    accuracy.set(ylabel="accuracy")

    for panel in (loss, accuracy):
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=120)


def diagnostics(records, path, title=None):
    """Draws what `train_step.run(..., diagnostics=True)` measured. No display is needed.

    A panel a kind, a line a layer, against steps: norms of gradients, updates relative to
    weights, dead ReLUs, saturated units, drift of BatchNorm.

    Args:
        records: train_step.diagnostics.
        path: the picture; its ending says the format (png, svg, pdf).
        title: above the panels. Default: none.

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
    kinds = [(kind, *how) for kind, *how in DIAGNOSTICS if records.of(kind)]
    figure = _figure((9, 2.6 * len(kinds)), title)
    for panel, (kind, label, spans) in zip(
        figure.subplots(len(kinds), 1, squeeze=False, sharex=True)[:, 0], kinds, strict=True
    ):
        for layer, values in records.of(kind).items():
            panel.plot(values, label=layer, linewidth=1)
        if kind in records:
            panel.plot(records[kind], label="all", linewidth=1, color="black")
        panel.set(ylabel=label, yscale="log" if spans else "linear")
        if not spans:
            panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        panel.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    panel.set_xlabel("step")
    figure.savefig(path, dpi=120)


def _figure(size, title):
    """A matplotlib Figure with a title, if there is one.

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
