"""Metrics, streaming: fed with rows in pieces, equal to scikit-learn's up to rounding.

A Metric takes rows by update(prediction, target, weight=None) and gives its number by compute();
called as a function it does both. METRICS has them by name, get() makes one.

    auc = pyml.train.metrics.get("roc_auc")
    for x, y in batches:
        auc.update(model(x).sigmoid(), y)
    print(auc.compute())
"""

from pyml.train.metrics.classes import (
    F1,
    Accuracy,
    BalancedAccuracy,
    ConfusionMatrix,
    MatthewsCorrelation,
    Precision,
    Recall,
)
from pyml.train.metrics.curves import (
    CalibrationCurve,
    PrecisionRecallCurve,
    RocCurve,
    calibration_curve,
    precision_recall_curve,
    roc_curve,
)
from pyml.train.metrics.importance import Importance, permutation_importance
from pyml.train.metrics.metric import Metric, UndefinedMetricWarning
from pyml.train.metrics.regression import (
    R2,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanPinballLoss,
    MeanSquaredError,
    RootMeanSquaredError,
)
from pyml.train.metrics.scores import (
    AveragePrecision,
    BrierScore,
    LogLoss,
    RocAuc,
    TopKAccuracy,
)
from pyml.train.metrics.table import METRICS, FunctionMetric, get

__all__ = [
    "F1",
    "METRICS",
    "R2",
    "Accuracy",
    "AveragePrecision",
    "BalancedAccuracy",
    "BrierScore",
    "CalibrationCurve",
    "ConfusionMatrix",
    "FunctionMetric",
    "Importance",
    "LogLoss",
    "MatthewsCorrelation",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanPinballLoss",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "PrecisionRecallCurve",
    "Recall",
    "RocAuc",
    "RocCurve",
    "RootMeanSquaredError",
    "TopKAccuracy",
    "UndefinedMetricWarning",
    "calibration_curve",
    "get",
    "permutation_importance",
    "precision_recall_curve",
    "roc_curve",
]
