"""Pictures, by matplotlib, which is imported when one is drawn: pip install "pyml-nn[plot]"."""

__all__ = ["learning_curves"]


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
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ImportError(
            f'pictures need matplotlib ({error}): pip install "pyml-nn[plot]"'
        ) from None

    epochs = history.column("epoch")
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    if title is not None:
        figure.suptitle(title)
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
