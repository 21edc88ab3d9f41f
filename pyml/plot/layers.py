"""The tensors of a network, layer by layer: gradients and weights."""

import math
from collections.abc import Mapping

import numpy as np

from pyml.data.checks import count
from pyml.nn.module import Module
from pyml.ops.outside import arrived
from pyml.plot.canvas import (
    COLOURS,
    GREY,
    axes_of,
    clean,
    done,
    grid_of,
    legend,
    literal,
    number_logarithms,
    positive,
)
from pyml.train.metrics.rows import finite

__all__ = ["gradient_flow", "weight_histograms"]

LONGEST = 30  # letters of a name


def gradient_flow(model, *, ax=None, path=None, title=None):
    """Size of the gradients of each parameter, from the first layer to the last.

    Where they fall by powers of ten from right to left, gradients vanish; where they grow, they
    explode. Two bars a parameter: the root of the mean square, and the largest absolute value.

    Args:
        model: a Module after backward(), or a dict of gradients by name.
        ax, path, title: Axes, a file and a title. Default: Axes of their own, none, none.

    Returns:
        the Axes.

    Raises:
        TypeError: if model is neither.
        ValueError: if no parameter has a gradient, or one has NaN.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> loss.backward()
        >>> picture = pyml.plot.gradient_flow(model, path="gradients.png")
    """
    who = "gradient_flow"
    gradients = _arrays(
        who, model, lambda p: p.grad, "has no gradient; call backward() on a loss first"
    )
    sizes = np.array([np.sqrt(np.mean(g.astype(np.float64) ** 2)) for g in gradients.values()])
    largest = np.array([np.abs(g).max() for g in gradients.values()], np.float64)
    ax = axes_of(who, ax, (max(5, 3 + 0.45 * len(gradients)), 3.8))
    places = np.arange(len(gradients))
    ax.bar(places, largest, 0.8, color="0.85", edgecolor=GREY, label="largest")
    ax.bar(places, sizes, 0.4, color=COLOURS[0], label="root mean square")
    ax.set_xticks(places, [_short(name) for name in gradients], rotation=45, ha="right")
    ax.grid(visible=False, axis="x")
    ax.set(xlabel="parameter, from input to output", ylabel="gradient")
    some = positive([sizes, largest])
    if len(some):
        ax.set_yscale("log")
        ax.set_ylim(some.min() / 3, some.max() * 3)
        number_logarithms(ax.yaxis, some)
    for place in places[largest == 0]:
        ax.annotate("0", (place, 0.02), xycoords=ax.get_xaxis_transform(), ha="center")
    legend(ax, outside=True)
    return done(ax, path, title)


def weight_histograms(model, *, bins=None, path=None, title=None):
    """How the weights of each parameter are spread: a panel each.

    Args:
        model: a Module, or a dict of arrays by name, as a state_dict().
        bins: of a histogram, from 1 to 10,000. Default: the root of the number of weights, 40 at
            most.
        path, title: a file and a title. Default: none.

    Returns:
        the Figure.

    Raises:
        TypeError: if model is neither.
        ValueError: if it has no parameters, or one has NaN.
        ImportError: if matplotlib is missing.
        OSError: if the file cannot be written.

    Example:
        >>> picture = pyml.plot.weight_histograms(model, path="weights.png")
    """
    who = "weight_histograms"
    if bins is not None and count(bins, who, "bins") > MOST_BINS:
        raise ValueError(f"{who}: bins is {bins}, it must be at most {MOST_BINS}")
    weights = _arrays(who, model, lambda p: p, "has no parameters; give a model with layers")
    figure, panels = grid_of(len(weights), (3.2, 2.4), title)
    from matplotlib.ticker import MaxNLocator

    for panel, (name, values) in zip(panels, weights.items(), strict=True):
        values = values.astype(np.float64)
        counts, edges = np.histogram(values, bins or min(40, math.ceil(math.sqrt(values.size))))
        clean(panel).stairs(counts, edges, fill=True, color=COLOURS[0])
        panel.axvline(values.mean(), color=COLOURS[4], linestyle="--", linewidth=1)
        shape = " x ".join(map(str, values.shape)) or "one number"
        panel.set_title(f"{_short(name)}, {shape}", fontsize="medium")
        panel.set_xlabel(f"weight (mean {values.mean():.2g}, std {values.std():.2g})")
        panel.set_ylabel("count")
        panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return done(figure, path)


MOST_BINS = 10_000  # more cannot be seen


def _arrays(who, model, of, none):
    """{name: array} of a Module's parameters or of a dict; what is None or empty is left out."""
    if isinstance(model, Module):
        tensors = {name: of(p) for name, p in model.named_parameters()}
    elif isinstance(model, Mapping):
        tensors = dict(model)
    else:
        raise TypeError(
            f"{who}: model is a {type(model).__name__}, it must be a Module or a dict of arrays"
        )
    arrays = {
        str(name): arrived(tensor, f"{who}: {name}")
        for name, tensor in tensors.items()
        if tensor is not None
    }
    arrays = {name: finite(array, f"{who}: {name}") for name, array in arrays.items() if array.size}
    if not arrays:
        raise ValueError(f"{who}: model {none}")
    return arrays


def _short(name):
    return literal(name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}")
