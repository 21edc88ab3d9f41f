"""Curves of a training: losses and metrics against epochs, loss against the learning rate."""

import numpy as np

from pyml.data.checks import count
from pyml.options import check_integer
from pyml.plot.canvas import (
    COLOURS,
    GREY,
    axes_of,
    clean,
    done,
    grid_of,
    legend,
    number_logarithms,
    positive,
    style,
)

__all__ = ["learning_curves", "learning_rates"]

PARTS = {"train": "training", "validation": "validation"}


def learning_curves(
    history,
    path=None,
    title=None,
    test_accuracy=None,
    *,
    metrics=None,
    rows=None,
    best=None,
    ax=None,
):
    """Loss and metrics against epochs, with the best epoch marked.

    Args:
        history: a train.History.
        path: the picture; its ending says the format (png, svg, pdf). Default: none is written.
        title: above the panels. Default: none.
        test_accuracy: drawn as a line across the accuracy. Default: none.
        metrics: the names of the panels, as ["loss", "accuracy"]. Default: all in the history; with
            `ax` the first.
        rows: how many rows the validation has. Their accuracy moves in steps of 1 / rows, and the
            picture says so. Default: nothing is said.
        best: the epoch that is marked. Default: that of the lowest validation loss, or training
            loss if there is none.
        ax: Axes for one panel. Default: a Figure of all.

    Returns:
        the Figure, or `ax`.

    Raises:
        TypeError: if history is no History.
        ValueError: if it has no losses or metrics, or none of a name.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> pyml.plot.learning_curves(history, rows=143).savefig("curves.png")
    """
    who = "learning_curves"
    if not (hasattr(history, "columns") and hasattr(history, "column")):
        raise TypeError(f"{who}: history must be a train.History, not {type(history).__name__}")
    curves = _curves(history, who)
    names = _checked_names(who, metrics, curves, ax)
    rows = None if rows is None else count(rows, who, "rows")
    epochs = history.column("epoch")
    why = "best loss" if best is None else "best"
    if best is None:
        best = _best_epoch(epochs, curves.get("loss", {}))
    else:
        check_integer(who, "best", best)
    if ax is not None:
        panels = [axes_of(who, ax, None)]
        figure = panels[0]
    else:
        figure, panels = grid_of(len(names), (4.5, 3.6), title)
        title = None
    for panel, name in zip(panels, names, strict=True):
        _draw_curves(clean(panel), name, epochs, curves[name], best, why)
        if name == "accuracy":
            _finish_accuracy(panel, test_accuracy, rows)
        legend(panel)
    return done(figure, path, title)


def _curves(history, who):
    """{"loss": {"train": values, "validation": values}, "accuracy": ...}, the loss first."""
    curves = {"loss": {}}
    for column in history.columns:
        part, _, name = column.partition("_")
        if part in PARTS and name:
            values = np.asarray(history.column(column))
            if values.ndim == 1 and values.dtype.kind in "iuf":  # a confusion matrix is no curve
                curves.setdefault(name, {})[part] = values.astype(np.float64)
    curves = {name: parts for name, parts in curves.items() if parts}
    if not curves or len(history.column("epoch")) == 0:
        raise ValueError(f"{who}: history has no epochs with a loss or a metric; train first")
    return curves


def _checked_names(who, metrics, curves, ax):
    names = list(curves) if metrics is None else [metrics] if isinstance(metrics, str) else metrics
    if ax is not None and metrics is None:
        names = names[:1]
    for name in names:
        if name not in curves:
            raise ValueError(
                f"{who}: metrics has {name!r}, the history has {', '.join(map(repr, curves))}"
            )
    if len(names) == 0 or (ax is not None and len(names) > 1):
        raise ValueError(
            f"{who}: metrics has {len(names)} names; give one with ax, which is for one panel, or "
            "one at least without"
        )
    return names


def _best_epoch(epochs, losses):
    """The epoch of the lowest loss; None if there is none."""
    values = losses.get("validation", losses.get("train"))
    if values is None or np.isnan(values).all():
        return None
    return int(epochs[np.nanargmin(values)])


def _draw_curves(panel, name, epochs, parts, best, why):
    from matplotlib.ticker import MaxNLocator

    for i, (part, label) in enumerate(PARTS.items()):
        if part in parts:
            panel.plot(epochs, parts[part], label=label, **style(i, len(epochs)))
    panel.set(xlabel="epoch", ylabel="mean loss" if name == "loss" else name.replace("_", " "))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    if name == "loss" and all((values[np.isfinite(values)] > 0).all() for values in parts.values()):
        panel.set_yscale("log")
        number_logarithms(panel.yaxis, positive([*parts.values()]))
    at = np.flatnonzero(epochs == best) if best is not None else ()
    if len(at):
        part = "validation" if "validation" in parts else "train"
        value = parts[part][at[0]]
        panel.axvline(best, color=GREY, linestyle=":", linewidth=1, zorder=1)
        panel.plot(
            *([best], [value]),
            **{"marker": "o", "markersize": 10, "markerfacecolor": "none", "linestyle": ""},
            **{"markeredgecolor": COLOURS[4], "label": f"epoch {best} ({why}): {value:.4g}"},
        )


def _finish_accuracy(panel, test_accuracy, rows):
    if test_accuracy is not None:
        style_of_test = {"color": COLOURS[2], "linestyle": "-.", "linewidth": 1}
        panel.axhline(test_accuracy, label=f"test: {test_accuracy:.4f}", **style_of_test)
    if rows is not None:
        panel.set_xlabel(
            f"epoch\n(validation: {rows:,} rows, in steps of 1/{rows} = {1 / rows:.2g})"
        )


def learning_rates(
    rates, losses=None, *, smoothed=None, suggestion=None, ax=None, path=None, title=None
):
    """Loss against a learning rate that grows step by step, to choose one (Smith 2017).

    Args:
        rates: of the steps, (n,), > 0; or what Trainer.lr_find() returns, which has all the rest.
        losses: of the same steps, (n,); what is not finite is left out. Default: those of rates.
        smoothed: losses without the noise of their batches, (n,). Default: those of rates, or none.
        suggestion: a rate that is marked. Default: that of rates, or none.
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        ValueError: if rates and losses do not fit each other, or no loss is finite.
        ImportError, OSError: as learning_curves.

    Example:
        >>> picture = pyml.plot.learning_rates(trainer.lr_find(x, y), path="rates.png")
    """
    who = "learning_rates"
    if losses is None:
        if not hasattr(rates, "losses"):
            raise TypeError(
                f"{who}: losses is missing; give rates and losses, or what lr_find gave"
            )
        smoothed = rates.smoothed if smoothed is None else smoothed
        suggestion = rates.suggestion if suggestion is None else suggestion
        rates, losses = rates.rates, rates.losses
    rates, losses = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(
            f"{who}: rates has shape {rates.shape}, losses {losses.shape}; both must be (n,)"
        )
    if not (rates > 0).all():
        raise ValueError(f"{who}: rates has {rates[~(rates > 0)][0]}, it must have numbers > 0")
    if not np.isfinite(losses).any():
        raise ValueError(f"{who}: losses has no finite number; begin with a smaller rate")
    if smoothed is not None and np.shape(smoothed) != rates.shape:
        raise ValueError(
            f"{who}: smoothed has shape {np.shape(smoothed)}, it must be {rates.shape}, as rates"
        )
    ax = axes_of(who, ax, (5.5, 3.6))
    finite = np.isfinite(losses)
    if smoothed is None:
        ax.plot(rates[finite], losses[finite], label="loss of a batch", **style(0))
    else:
        ax.plot(rates[finite], losses[finite], color="0.7", linewidth=1, label="loss of a batch")
        ax.plot(rates, smoothed, label="smoothed", **style(0))
    if suggestion is not None:
        ax.axvline(
            suggestion, color=COLOURS[1], linestyle="--", label=f"suggestion: {suggestion:.2g}"
        )
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
    number_logarithms(ax.xaxis, rates)
    if (losses[finite] > 0).all() and losses[finite].max() > 30 * losses[finite].min():
        ax.set_yscale("log")
        number_logarithms(ax.yaxis, losses[finite])
    legend(ax)
    return done(ax, path, title)
