"""The continuous Bernoulli distribution."""

import math

import numpy as np

from pyml.distributions import constraints
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.odds import Odds
from pyml.distributions.utils import (
    clamp_probs,
    derived,
    finfo,
    is_number,
    log1p_exp,
    logits_to_probs,
    one_of,
    probs_to_logits,
)
from pyml.ops import rand, tanh, where

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(Odds, ExponentialFamily):
    """A number in [0, 1] with the density of a Bernoulli variable, normalised.

    p(x) = C p^x (1 - p)^(1 - x), C = l / tanh(l / 2), l = log(p / (1 - p)), and 2 where l is 0

    Loaiza-Ganem & Cunningham 2019 (arXiv:1907.06845). Computed in float64 in both dtypes.

    Args:
        probs: p, which is no probability here; a number or a tensor. Moved into [eps, 1 - eps].
        logits: its log-odds l, in place of probs.
        lims: probs between which a Taylor series is taken of C and of moments, whose terms cancel
            there. Default: (0.499, 0.501).
        validate_args: check them, and values. Default: see Distribution.

    Raises:
        ValueError: if both or none are given, probs is not from 0 to 1, or 0.5 is not in lims.

    Example:
        >>> distributions.ContinuousBernoulli(pyml.tensor([0.1, 0.5])).mean
        tensor([0.3301, 0.5   ])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _parameters = {"probs": 0, "logits": 0}

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        if type(lims) not in (list, tuple) or len(lims) != 2 or not all(map(is_number, lims)):
            raise TypeError(f"ContinuousBernoulli: lims is {lims!r}, it must be two numbers")
        low, high = lims
        if not 0 < low <= 0.5 <= high < 1:
            raise ValueError(f"ContinuousBernoulli: lims is {lims}, 0.5 must lie between its two")
        self._take(validate_args, **one_of(probs, logits, "ContinuousBernoulli"))
        if logits is None:
            self.probs = clamp_probs(self.probs)
        self._lims = lims

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._lims = self._lims
        return new

    @derived
    def probs(self):
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _log_odds(self):
        """l in float64."""
        if "probs" in self.__dict__:
            return probs_to_logits(self.probs.to(np.float64), is_binary=True)
        eps = float(finfo(self.logits).eps)
        most = math.log1p(-eps) - math.log(eps)  # of probs
        return self.logits.to(np.float64).clamp(-most, most)

    def _of_odds(self, series, formula):
        """A function of l: by its series in l within lims, else by the formula."""
        log_odds = self._log_odds()
        probs, (low, high) = logits_to_probs(log_odds, is_binary=True), self._lims
        near = (low < probs) & (probs <= high)
        apart = where(near, 1.0, log_odds)
        return where(near, series(log_odds), formula(apart))

    def _log_norm(self):
        """log C in float64."""
        return self._of_odds(
            lambda x: math.log(2) + (1 / 12 - (7 / 1440) * x**2) * x**2,
            lambda x: (x / tanh(x / 2)).log(),
        )

    def _mean(self):
        return self._of_odds(
            lambda x: 0.5 + (1 / 12 - x**2 / 720) * x, lambda x: -1 / (-x).expm1() - 1 / x
        )

    @property
    def mean(self):
        return self._mean().to(self._param.dtype)

    @property
    def variance(self):
        return self._of_odds(
            lambda x: 1 / 12 - (1 / 240 - x**2 / 6048) * x**2,
            lambda x: 1 / x**2 - x.exp() / x.expm1() ** 2,
        ).to(self._param.dtype)

    def rsample(self, sample_shape=()):
        """icdf of uniform numbers, so that gradients go to the parameter. See Distribution."""
        return self.icdf(rand(self._extended_shape(sample_shape), dtype=np.float64))

    def log_prob(self, value):
        return self._log_density(self._checked(value))

    def _log_density(self, value):
        log_odds = self._log_odds()
        log_density = log_odds * value - log1p_exp(log_odds) + self._log_norm()
        return log_density.to(self._param.dtype)

    def cdf(self, value):
        x, log_odds = self._checked(value), self._log_odds()
        apart = where(log_odds == 0, 1.0, log_odds)
        level = x + log_odds * x * (x - 1) / 2
        cdf = where(log_odds == 0, level, (apart * x).expm1() / apart.expm1())
        return cdf.clamp(0, 1).to(self._param.dtype)

    def icdf(self, value):
        log_odds = self._log_odds()
        apart = where(log_odds == 0, 1.0, log_odds)
        level = value - log_odds * value * (value - 1) / 2
        x = where(log_odds == 0, level, (value * apart.expm1()).log1p() / apart)
        return x.to(self._param.dtype)

    def entropy(self):
        log_odds = self._log_odds()
        entropy = log1p_exp(log_odds) - log_odds * self._mean() - self._log_norm()
        return entropy.to(self._param.dtype)
