"""Errors of numbers: absolute, squared, relative, R2, pinball."""

import numpy as np

from pyml.data.checks import flag
from pyml.options import Range, check_choice, check_number
from pyml.train.metrics.metric import Mean, RowMetric, plain, undefined
from pyml.train.metrics.rows import array_of, finite, found

__all__ = [
    "R2",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanPinballLoss",
    "MeanSquaredError",
    "RootMeanSquaredError",
]


class Regression(RowMetric):
    """Numbers of one or several outputs; a subclass says what an output's is."""

    greater_is_better = False
    wants = "values"
    _averages = ("uniform_average", "raw_values")

    def __init__(self, *, multioutput="uniform_average"):
        who = type(self).__name__
        if isinstance(multioutput, str):
            check_choice(who, "multioutput", multioutput, self._averages)
        else:
            multioutput = self._output_weights(multioutput, who)
        self.multioutput = multioutput
        super().__init__()

    @staticmethod
    def _output_weights(multioutput, who):
        weights = finite(array_of(multioutput, f"{who}: multioutput"), f"{who}: multioutput")
        weights = weights.astype(np.float64)
        if weights.ndim != 1:
            raise ValueError(
                f"{who}: multioutput has shape {weights.shape}, it must have a weight for each "
                "output"
            )
        if (weights < 0).any():
            number, where = found(weights < 0, weights)
            raise ValueError(f"{who}: multioutput has {number} in {where}, it must be >= 0")
        if not weights.any():
            raise ValueError(f"{who}: the weights of multioutput are all 0; give one of them more")
        return weights

    def _check_outputs(self, outputs):
        if not isinstance(self.multioutput, str) and len(self.multioutput) != outputs:
            raise ValueError(
                f"{type(self).__name__}: multioutput has {len(self.multioutput)} weights, "
                f"prediction has {outputs} outputs; they must be as many"
            )

    def _over_outputs(self, numbers, variances=None):
        """One number of the outputs', (k,), or these, as `multioutput` says."""
        if isinstance(self.multioutput, np.ndarray):
            return plain(np.average(numbers, weights=self.multioutput))
        if self.multioutput == "raw_values":
            return numbers
        if self.multioutput == "variance_weighted" and variances.any():
            return plain(np.average(numbers, weights=variances))
        return plain(numbers.mean())


class MeanError(Regression):
    """A mean over rows; a subclass has _errors(prediction, target) of each row and output."""

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._mean = Mean()

    def _add(self, rows):
        self._check_outputs(rows.target.shape[1])
        with np.errstate(over="ignore"):
            errors = self._errors(rows.prediction, rows.target)
        self._mean.add(errors, rows.weight)

    def _output_means(self):
        self._need_rows()
        return self._mean.value

    def compute(self):
        """The mean error, a float; of each output for multioutput="raw_values"."""
        return self._over_outputs(self._output_means())


class MeanAbsoluteError(MeanError):
    """Mean absolute error: mean of |y - p|. 0 is best.

    Predictions and targets are numbers, (n,) or (n, outputs); equal to scikit-learn's
    mean_absolute_error.

    Args:
        multioutput: what is made of the errors of several outputs: their mean
            ("uniform_average"), an array of them ("raw_values"), or their mean by the weights of
            this list. Default: "uniform_average".

    Example:
        >>> pyml.train.metrics.MeanAbsoluteError()([1.0, 2.0], [1.0, 4.0])
        1.0
    """

    name = "mae"

    @staticmethod
    def _errors(prediction, target):
        return np.abs(target - prediction)


class MeanSquaredError(MeanError):
    """Mean squared error: mean of (y - p)^2. 0 is best.

    Predictions and targets are numbers, (n,) or (n, outputs); equal to scikit-learn's
    mean_squared_error. Differences are taken in float64.

    Args:
        multioutput: as of MeanAbsoluteError. Default: "uniform_average".

    Example:
        >>> pyml.train.metrics.MeanSquaredError()([1.0, 2.0], [1.0, 4.0])
        2.0
    """

    name = "mse"

    @staticmethod
    def _errors(prediction, target):
        return (target - prediction) ** 2


class RootMeanSquaredError(MeanSquaredError):
    """Root of the mean squared error: sqrt(mean of (y - p)^2), in the unit of y. 0 is best.

    Of several outputs the roots are averaged, as by scikit-learn's root_mean_squared_error.

    Args:
        multioutput: as of MeanAbsoluteError. Default: "uniform_average".

    Example:
        >>> pyml.train.metrics.RootMeanSquaredError()([1.0, 2.0], [1.0, 4.0])
        1.4142135623730951
    """

    name = "rmse"

    def _output_means(self):
        return np.sqrt(super()._output_means())


class MeanAbsolutePercentageError(MeanError):
    """Mean absolute relative error: mean of |y - p| / max(|y|, eps). 0 is best; 1 is 100 %.

    eps is that of float64, 2.2e-16: a target of 0 gives huge numbers. Equal to scikit-learn's
    mean_absolute_percentage_error.

    Args:
        multioutput: as of MeanAbsoluteError. Default: "uniform_average".

    Example:
        >>> pyml.train.metrics.MeanAbsolutePercentageError()([1.0, 2.0], [1.0, 4.0])
        0.25
    """

    name = "mape"

    @staticmethod
    def _errors(prediction, target):
        return np.abs(target - prediction) / np.maximum(np.abs(target), np.finfo(np.float64).eps)


class MeanPinballLoss(MeanError):
    """Pinball loss, the error of a quantile. 0 is best.

    mean of alpha * (y - p) where y >= p, and of (1 - alpha) * (p - y) elsewhere. The best constant
    prediction is the quantile alpha of the targets (Koenker & Bassett 1978, "Regression
    quantiles"). Equal to scikit-learn's mean_pinball_loss.

    Args:
        alpha: which quantile is predicted, from 0 to 1. Default: 0.5, half the absolute error.
        multioutput: as of MeanAbsoluteError. Default: "uniform_average".

    Example:
        >>> pyml.train.metrics.MeanPinballLoss(alpha=0.9)([1.0, 2.0], [1.0, 4.0])
        0.9
    """

    name = "pinball"

    def __init__(self, *, alpha=0.5, multioutput="uniform_average"):
        check_number("MeanPinballLoss", "alpha", alpha, Range(0, 1))
        self.alpha = float(alpha)
        if self.alpha != 0.5:
            self.name = f"pinball_{self.alpha:g}"
        super().__init__(multioutput=multioutput)

    def _errors(self, prediction, target):
        above = target - prediction
        return np.where(above >= 0, self.alpha * above, (self.alpha - 1) * above)


class R2(Regression):
    """Coefficient of determination. 1 is best; the mean of the targets gets 0, worse is negative.

    1 - sum w (y - p)^2 / sum w (y - mean y)^2, equal to scikit-learn's r2_score. The spread of y is
    merged piece by piece (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample
    variance"), from its first row on, so that a large offset costs no digits. Of one row it is
    NaN, with an UndefinedMetricWarning.

    Args:
        multioutput: as of MeanAbsoluteError, or "variance_weighted": the mean by the spread of
            each output's targets. Default: "uniform_average".
        force_finite: for targets that are all equal, 1 if all predictions are right and else 0,
            in place of NaN and -inf. Default: True.

    Example:
        >>> pyml.train.metrics.R2()([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])
        0.5
    """

    name = "r2"
    greater_is_better = True
    _averages = ("uniform_average", "raw_values", "variance_weighted")

    def __init__(self, *, multioutput="uniform_average", force_finite=True):
        self.force_finite = flag(force_finite, "R2", "force_finite")
        super().__init__(multioutput=multioutput)

    def reset(self):
        """Forgets all rows."""
        super().reset()
        self._errors = Mean()
        self._origin = None  # the first row: what is near it loses no digits
        self._mean = 0.0  # of y - origin
        self._spread = 0.0  # sum w (y - mean y)^2

    def _add(self, rows):
        self._check_outputs(rows.target.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            self._errors.add((rows.target - rows.prediction) ** 2, rows.weight)
            weight = rows.weight.sum()
            if weight == 0:
                return
            if self._origin is None:
                self._origin = rows.target[0].copy()
            y = rows.target - self._origin
            mean = rows.weight @ y / weight
            total = self._weight + weight
            apart = mean - self._mean
            self._spread = (
                self._spread
                + rows.weight @ (y - mean) ** 2
                + apart**2 * (self._weight * weight / total)
            )
            self._mean = self._mean + apart * (weight / total)

    def compute(self):
        """R2, a float; of each output for multioutput="raw_values"."""
        self._need_rows()
        if self._rows < 2:
            undefined("R2 of one row is not defined, and set to NaN")
            return float("nan")
        errors, spread = self._errors.sum, self._spread
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers = 1 - errors / spread
        if self.force_finite:
            numbers = np.where(spread == 0, np.where(errors == 0, 1.0, 0.0), numbers)
        return self._over_outputs(numbers, spread)
