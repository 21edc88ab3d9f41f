"""The metrics by their names."""

from difflib import get_close_matches
from functools import partial
from inspect import signature

import numpy as np

from pyml.options import check_choice, is_number
from pyml.recorder import refuse
from pyml.train.metrics import rows
from pyml.train.metrics.classes import (
    F1,
    Accuracy,
    BalancedAccuracy,
    ConfusionMatrix,
    MatthewsCorrelation,
    Precision,
    Recall,
)
from pyml.train.metrics.metric import Metric
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

__all__ = ["METRICS", "FunctionMetric", "get"]

MADE = [
    *(Accuracy, BalancedAccuracy, TopKAccuracy),
    *(partial(TopKAccuracy, k=k) for k in (3, 5)),
    *(Precision, Recall, F1),
    *(
        partial(share, average=average)
        for share in (Precision, Recall, F1)
        for average in ("micro", "macro", "weighted", "samples")
    ),
    *(RocAuc, partial(RocAuc, average="weighted"), partial(RocAuc, average="micro")),
    *(partial(RocAuc, multi_class="ovo", average=average) for average in ("macro", "weighted")),
    *(AveragePrecision, partial(AveragePrecision, average="weighted")),
    partial(AveragePrecision, average="micro"),
    *(LogLoss, BrierScore, MatthewsCorrelation, ConfusionMatrix),
    *(MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError, MeanAbsolutePercentageError),
    *(R2, MeanPinballLoss),
]

METRICS = {make().name: make for make in MADE}
"""{name: what makes the Metric when it is called}"""


def get(metric):
    """A Metric of a name, a Metric, a class of them, or a function.

    Args:
        metric: a name of METRICS, as "roc_auc"; a Metric, which is returned; a class of metrics,
            which is called; or a function (prediction, target) -> number, as FunctionMetric takes.

    Raises:
        ValueError: for a name that is not there; near ones are named.
        TypeError: for anything else.

    Example:
        >>> pyml.train.metrics.get("f1_macro")
        F1(average='macro')
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if isinstance(metric, str):
        if metric in METRICS:
            return METRICS[metric]()
        raise ValueError(f"metrics.get: there is no metric {metric!r}; {_near(metric)}")
    if callable(metric):
        return FunctionMetric(metric)
    raise TypeError(
        f"metrics.get: metric is a {type(metric).__name__}, it must be a name, a Metric or a "
        "function (prediction, target) -> number"
    )


def _near(word):
    """What the names may be that were meant. Those of scikit-learn's functions are near, too."""
    spelled = {name: name for name in METRICS}
    spelled |= {m.__name__.lower(): name for name, m in METRICS.items() if isinstance(m, type)}
    asked = word.lower().removeprefix("neg_").removesuffix("_score")
    found = [
        near for w in (asked, asked.replace("_", "")) for near in get_close_matches(w, spelled)
    ]
    found = [spelled[near] for near in found] or [name for name in METRICS if asked in name]
    if found:
        return f"did you mean {' or '.join(map(repr, dict.fromkeys(found[:2])))}?"
    return f"the names are {', '.join(METRICS)}"


class FunctionMetric(Metric):
    """A function of all rows as a metric: they are kept until reset().

    Args:
        function: (prediction, target) -> number, which gets arrays; with weights also
            sample_weight=, if it has an argument of that name.
        name: of the metric. Default: the function's.
        greater_is_better: whether more of it is better. Default: None, not known.
        wants: what predictions are to be; see Metric. Default: "values".

    Raises:
        TypeError: if function cannot be called, or what it returns is no number.

    Example:
        >>> largest = pyml.train.metrics.FunctionMetric(
        ...     lambda prediction, target: abs(prediction - target).max(), name="largest error")
        >>> largest([1.0, 2.0], [1.5, 2.0])
        0.5
    """

    def __init__(self, function, *, name=None, greater_is_better=None, wants="values"):
        if not callable(function):
            raise TypeError(
                f"FunctionMetric: function is a {type(function).__name__}, it must be a function "
                "(prediction, target) -> number"
            )
        if not isinstance(name, (str, type(None))):
            raise TypeError(f"FunctionMetric: name is {name!r}, it must be text")
        check_choice("FunctionMetric", "wants", wants, tuple(rows.READERS))
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self.greater_is_better = greater_is_better
        self.wants = wants
        self.reset()

    def reset(self):
        """Forgets all rows."""
        self._parts = []
        self._has_weights = False

    def update(self, prediction, target, weight=None):
        """Takes more rows; see Metric.update."""
        who = self.name
        refuse(f"{who}: update()")
        prediction = rows.array_of(prediction, f"{who}: prediction").copy()
        target = rows.array_of(target, f"{who}: target").copy()
        rows.same_rows(who, prediction, target)
        part = prediction, target, rows.weights(who, weight, len(target))
        form, before = (
            [a.shape[1:] for a in arrays] for arrays in (part, (self._parts or [part])[0])
        )
        if form != before:
            raise ValueError(
                f"{who}: rows of prediction and target have the shapes {form[0]} and {form[1]}, "
                f"those before {before[0]} and {before[1]}; call reset() between them"
            )
        self._parts.append(part)
        self._has_weights |= weight is not None

    def check_takes_weights(self):
        """Raises TypeError if the function has no argument sample_weight."""
        if "sample_weight" not in signature(self.function).parameters:
            raise TypeError(
                f"{self.name}: the function has no argument sample_weight, and weights were "
                "given; give it one, or give none"
            )

    def compute(self):
        """What the function says of all rows, a float."""
        if not self._parts:
            raise RuntimeError(f"{self.name}: there are no rows; call update() before compute()")
        prediction, target, weight = map(np.concatenate, zip(*self._parts, strict=True))
        options = {}
        if self._has_weights:
            self.check_takes_weights()
            options["sample_weight"] = weight
        number = self.function(prediction, target, **options)
        if not is_number(number):
            raise TypeError(
                f"{self.name}: the function returned a {type(number).__name__}, it must be a number"
            )
        return float(number)
