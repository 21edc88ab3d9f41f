"""Scales of numbers, each fitted to one column of the training rows: from float64 to about [-3, 3].

A scale is made of a few arrays, which are its state.
"""

import math

import numpy as np

from pyml import ops

LARGEST = 1e150  # numbers are cut there, as squares of larger ones are infinite
SMALLEST = 1e-150  # and those nearer to 0 are 0, as slopes between them would be
CLIP = 3  # where the smooth clip ends
MOST_QUANTILES, ROWS_OF_A_QUANTILE, LEAST_QUANTILES = 1000, 30, 10
NEVER = 1e-7  # a share that is taken for 0, as the normal quantile of 0 is infinite
SKEWED = 2  # a skewness from which on the logarithm is taken


class Standard:
    """(x - mean) / std, of the logarithm where a column is skewed.

    With clip, (x - median) / (q75 - q25), clipped smoothly: z / sqrt(1 + (z / 3)^2); where both
    quartiles are equal, half of the range stands for their difference. Holzmueller et al. 2024
    (arXiv:2407.04491), "Better by default", section 3.

    Args:
        unit: for skewed columns that are not negative, log(1 + x / unit) is scaled; 0: x itself.
        center, factor: x becomes (x - center) * factor.
        clip: whether z is clipped.
    """

    names = ("unit", "center", "factor")

    def __init__(self, unit, center, factor, clip):
        self.unit, self.center, self.factor, self.clip = unit, center, factor, clip

    @classmethod
    def fitted(cls, x, clip, log):
        """Fits it to finite numbers.

        Args:
            log: True, False, or None: where the skewness says so.
        """
        unit = 0.0
        if x.min() >= 0 and (skewness(x) > SKEWED if log is None else log):
            unit = float(np.median(x[x > 0])) if (x > 0).any() else 0.0
        made = cls(unit, 0.0, 1.0, clip)
        x = made._logarithm(x)
        if clip:
            low, made.center, high = map(float, np.quantile(x, (0.25, 0.5, 0.75)))
            spread = high - low if high > low else float(x.max() - x.min()) / 2
        else:
            made.center, spread = float(x.mean()), float(x.std())
        made.factor = 1 / spread if spread > 1e-12 * abs(made.center) and spread > 1e-150 else 0.0
        return made

    def _logarithm(self, x):
        return np.log1p(np.maximum(x, 0) / self.unit) if self.unit else x

    def __call__(self, x):
        z = (self._logarithm(x) - self.center) * self.factor
        return smooth_clip(z) if self.clip else z


def smooth_clip(z):
    """About z next to 0, and never beyond CLIP."""
    return z / np.sqrt(1 + (z / CLIP) ** 2)


def skewness(x):
    """The third standardised moment, 0 where there is no spread."""
    z = x / max(np.abs(x).max(), 1e-150)
    z = z - z.mean()
    variance = (z * z).mean()
    return float((z**3).mean() / variance**1.5) if variance > 1e-24 else 0.0


class Quantile:
    """The normal quantile of the share of training rows below x.

    That share is interpolated between up to 1000 quantiles of the training rows. A value that many
    rows have gets the middle of their shares, also the smallest and the largest.

    Args:
        quantiles: ascending, at even shares from 0 to 1.
    """

    names = ("quantiles",)

    def __init__(self, quantiles):
        self.quantiles = quantiles
        self._shares = np.linspace(0, 1, len(quantiles))

    @classmethod
    def fitted(cls, x, noise=0.0):
        """Fits it to finite numbers.

        Args:
            noise: the standard deviation of normal noise on them, so that a value that many rows
                have lies between quantiles, not on them. Default: 0.
        """
        if noise:
            x = x + np.random.RandomState(0).normal(0, noise, len(x))
        count = max(min(len(x) // ROWS_OF_A_QUANTILE, MOST_QUANTILES), LEAST_QUANTILES)
        quantiles = np.quantile(x, np.linspace(0, 1, count))
        return cls(np.maximum.accumulate(quantiles))

    def __call__(self, x):
        shares, q = self._shares, self.quantiles
        below = np.interp(x, q, shares)
        above = -np.interp(-x, -q[::-1], -shares[::-1])
        share = np.clip((below + above) / 2, NEVER, 1 - NEVER)
        # what is left of 2 share - 1 next to -1 has nine digits; results are float32
        return math.sqrt(2) * ops.erfinv(ops.from_numpy(2 * share - 1)).numpy()
