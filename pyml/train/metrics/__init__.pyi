from collections.abc import Sequence
from pyml._types import Array, Call, Data
from typing import Any, NamedTuple
class Accuracy(Metric):
    name: str
    def __init__(self, *, normalize: bool = True) -> None: ...
    normalize: bool
class AveragePrecision(Metric):
    name: str
    def __init__(self, *, average: str | None = 'macro', pos_label: Any = 1, labels: Data | None = None) -> None: ...
    pos_label: Any
    average: str | None
    labels: Data | None
class BalancedAccuracy(Metric):
    name: str
    def __init__(self, *, adjusted: bool = False) -> None: ...
    adjusted: bool
class BrierScore(Metric):
    name: str
    greater_is_better: bool
    def __init__(self, *, pos_label: Any = None, labels: Data | None = None, scale_by_half: str | bool = 'auto') -> None: ...
    pos_label: Any
    labels: Data | None
    scale_by_half: str | bool
class CalibrationCurve(NamedTuple):
    observed: Array
    predicted: Array
    counts: Array
class ConfusionMatrix(Metric):
    name: str
    def __init__(self, *, labels: Data | None = None, normalize: str | None = None) -> None: ...
    @property
    def classes(self) -> Array: ...
    def compute(self) -> Array: ...
    labels: Data | None
    normalize: str | None
class F1(Metric):
    name: str
    def __init__(self, *, average: str | None = 'binary', pos_label: Any = 1, labels: Data | None = None, zero_division: str | float = 'warn') -> None: ...
    average: str | None
    pos_label: Any
    labels: Data | None
    zero_division: str | float
class FunctionMetric(Metric):
    def __init__(self, function: Call, *, name: str | None = None, greater_is_better: bool | None = None, wants: str = 'values') -> None: ...
    def check_takes_weights(self) -> None: ...
    function: Call
class Importance(NamedTuple):
    columns: Any
    losses: Array
    metric: Any
    base: float
    @property
    def means(self) -> Array: ...
    @property
    def stds(self) -> Array: ...
class LogLoss(Metric):
    name: str
    greater_is_better: bool
    def __init__(self, *, normalize: bool = True, labels: Data | None = None) -> None: ...
    normalize: bool
    labels: Data | None
METRICS: dict[str, Call]
class MatthewsCorrelation(Metric):
    name: str
    def __init__(self) -> None: ...
class MeanAbsoluteError(Metric):
    name: str
    greater_is_better: bool
    def __init__(self, *, multioutput: str | Sequence[float] | Array = 'uniform_average') -> None: ...
    multioutput: str | Sequence[float] | Array
class MeanAbsolutePercentageError(Metric):
    name: str
    greater_is_better: bool
    def __init__(self, *, multioutput: str | Sequence[float] | Array = 'uniform_average') -> None: ...
    multioutput: str | Sequence[float] | Array
class MeanPinballLoss(Metric):
    name: str
    def __init__(self, *, alpha: float = 0.5, multioutput: str | Sequence[float] | Array = 'uniform_average') -> None: ...
    greater_is_better: bool
    alpha: float
    multioutput: str | Sequence[float] | Array
class MeanSquaredError(Metric):
    name: str
    greater_is_better: bool
    def __init__(self, *, multioutput: str | Sequence[float] | Array = 'uniform_average') -> None: ...
    multioutput: str | Sequence[float] | Array
class Metric:
    name: str | None
    greater_is_better: bool | None
    wants: str
    def reset(self) -> None: ...
    def update(self, prediction: Data, target: Data, weight: Data | None = None) -> None: ...
    def compute(self) -> float: ...
    def __call__(self, prediction: Data, target: Data, weight: Data | None = None) -> float: ...
class Precision(Metric):
    name: str
    def __init__(self, *, average: str | None = 'binary', pos_label: Any = 1, labels: Data | None = None, zero_division: str | float = 'warn') -> None: ...
    average: str | None
    pos_label: Any
    labels: Data | None
    zero_division: str | float
class PrecisionRecallCurve(NamedTuple):
    precision: Array
    recall: Array
    thresholds: Array
class R2(Metric):
    name: str
    greater_is_better: bool
    def __init__(self, *, multioutput: str | Sequence[float] | Array = 'uniform_average', force_finite: bool = True) -> None: ...
    force_finite: bool
    multioutput: str | Sequence[float] | Array
class Recall(Metric):
    name: str
    def __init__(self, *, average: str | None = 'binary', pos_label: Any = 1, labels: Data | None = None, zero_division: str | float = 'warn') -> None: ...
    average: str | None
    pos_label: Any
    labels: Data | None
    zero_division: str | float
class RocAuc(Metric):
    name: str
    def __init__(self, *, average: str | None = 'macro', multi_class: str = 'ovr', labels: Data | None = None, max_fpr: float | None = None) -> None: ...
    multi_class: str
    max_fpr: float | None
    average: str | None
    labels: Data | None
class RocCurve(NamedTuple):
    fpr: Array
    tpr: Array
    thresholds: Array
class RootMeanSquaredError(MeanSquaredError): ...
class TopKAccuracy(Metric):
    name: str
    def __init__(self, *, k: int = 2, normalize: bool = True, labels: Data | None = None) -> None: ...
    k: int
    normalize: bool
    labels: Data | None
class UndefinedMetricWarning(UserWarning): ...
def calibration_curve(prediction: Data, target: Data, weight: Data | None = None, *, pos_label: Any = None, n_bins: int = 5, strategy: str = 'uniform') -> CalibrationCurve: ...
def get(metric: Any) -> Metric: ...
def permutation_importance(predict: Call, X: Any, y: Any, metric: Any, *, weight: Data | None = None, n_repeats: int = 5, seed: int = 0) -> Importance: ...
def precision_recall_curve(prediction: Data, target: Data, weight: Data | None = None, *, pos_label: Any = None, drop_intermediate: bool = False) -> PrecisionRecallCurve: ...
def roc_curve(prediction: Data, target: Data, weight: Data | None = None, *, pos_label: Any = None, drop_intermediate: bool = True) -> RocCurve: ...
