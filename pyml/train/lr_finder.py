"""Which learning rate to begin with."""

import itertools
import math

import numpy as np

from pyml.ops.creation import randperm
from pyml.train.reading import Rows

__all__ = ["LearningRates"]

SMOOTHING = 0.9  # of an exponential mean, whose begin is corrected as Adam's means
SETTLED = 10  # steps, before which that mean is as noisy as a single loss
DIVERGED = 4.0  # times the least smoothed loss: the end


class LearningRates:
    """Losses of a model while its learning rate grows, a step each: what Trainer.lr_find returns.

    Attributes:
        rates: an array.
        losses: of the steps with them, an array.
        smoothed: their exponential mean, an array.
        suggestion: the rate where the smoothed loss falls steepest against the logarithm of the
            rate; None where it never falls.

    Example:
        >>> found = trainer.lr_find(X, y)
        >>> picture = found.plot()
        >>> optimizer.param_groups[0]["lr"] = found.suggestion
    """

    def __init__(self, rates, losses):
        self.rates, self.losses = np.asarray(rates, float), np.asarray(losses, float)
        if self.rates.ndim != 1 or self.rates.shape != self.losses.shape or len(self.rates) == 0:
            raise ValueError(
                f"LearningRates: rates has shape {self.rates.shape}, losses {self.losses.shape}; "
                "both must be (n,), one or more"
            )
        if not (self.rates > 0).all():
            raise ValueError("LearningRates: rates must be > 0")
        weights = 1 - SMOOTHING ** np.arange(1, len(self.losses) + 1)
        means = itertools.accumulate(
            self.losses, lambda mean, loss: SMOOTHING * mean + (1 - SMOOTHING) * loss, initial=0.0
        )
        self.smoothed = np.array(list(means)[1:]) / weights
        self.suggestion = steepest(self.rates, self.smoothed)

    def plot(self, ax=None, **options):
        """Loss against learning rate; see pyml.plot.learning_rates, whose options are taken."""
        from pyml.plot import learning_rates

        return learning_rates(self, ax=ax, **options)

    def __repr__(self):
        found = "none" if self.suggestion is None else f"{self.suggestion:.3g}"
        return (
            f"LearningRates({len(self.rates)} from {self.rates[0]:.3g} to {self.rates[-1]:.3g}, "
            f"suggestion {found})"
        )


def steepest(rates, losses):
    """The rate at which the losses fall most, or None."""
    if len(rates) < 2:
        return None
    slopes = np.gradient(losses, np.log(rates))
    first = SETTLED if len(rates) > 2 * SETTLED else 0
    best = first + int(slopes[first:].argmin())
    return float(rates[best]) if slopes[best] < 0 else None


def find_rates(step, optimizer, data, batch_size, low, high, steps):
    """The LearningRates of a step on batches of Rows or of a Stream, each made with the next rate.

    Args:
        step: a function of Rows that returns the loss.
        optimizer: whose groups get the rates; those of others than the first keep their ratio.
    """
    groups = optimizer.param_groups
    ratios = [float(group["lr"]) / (float(groups[0]["lr"]) or 1.0) for group in groups]
    rates, losses, least, mean = [], [], math.inf, 0.0
    all_rates = np.geomspace(low, high, steps).tolist()
    for rate, rows in zip(all_rates, batches(data, batch_size), strict=False):
        for group, ratio in zip(groups, ratios, strict=True):
            group["lr"] = rate * ratio
        try:
            loss = step(rows)
        except FloatingPointError:  # it has diverged
            break
        rates.append(rate)
        losses.append(loss)
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed = mean / (1 - SMOOTHING ** len(losses))
        if smoothed > DIVERGED * least and least > 0:
            break
        least = min(least, smoothed)
    if not rates:
        raise ValueError("lr_find: the loss is not finite at the first rate; pass a lower `low`")
    return LearningRates(rates, losses)


def batches(data, size):
    """Batches without end, in a new order each time, all of one size if they can be."""
    while True:
        if isinstance(data, Rows):
            shuffled = randperm(data.count).numpy()
            whole = max(size, data.count - data.count % size)
            yield from (
                data[shuffled[i : i + size]] for i in range(0, min(whole, data.count), size)
            )
            continue
        empty = True
        for rows in data:
            empty = False
            yield rows
        if empty:
            raise ValueError("lr_find: X has no batches")
