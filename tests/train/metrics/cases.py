"""Metrics beside scikit-learn's functions, with the rows that each is held to them on."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn import metrics as sk

from pyml.train import metrics


@dataclass
class Case:
    """A metric and what scikit-learn computes of (target, prediction, sample_weight=)."""

    metric: metrics.Metric
    wanted: object
    rows: str
    """A name of ROWS."""

    def __str__(self):
        return f"{self.metric!r} of {self.rows}"


def softmax(scores):
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def classes_of(rng, n, labels):
    """Predictions that are right more often than not, and targets."""
    target = rng.choice(labels, n, p=np.arange(1, len(labels) + 1) / sum(range(len(labels) + 1)))
    return np.where(rng.random(n) < 0.6, target, rng.choice(labels, n)), target


def probabilities_of(rng, n, k, ties=False):
    target = rng.integers(0, k, n)
    scores = rng.normal(size=(n, k)) + 1.5 * (target[:, None] == np.arange(k))
    if ties:
        scores = np.round(scores)
    return softmax(scores), target


def column(rng, n, ties=False):
    target = rng.integers(0, 2, n)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + target - 0.5)))
    return np.round(p, 1) if ties else p, target


def several(rng, n, k):
    target = rng.random((n, k)) < np.linspace(0.2, 0.7, k)
    return (target ^ (rng.random((n, k)) < 0.3)).astype(np.int64), target.astype(np.int64)


def several_scores(rng, n, k):
    target = several(rng, n, k)[1]
    return 1 / (1 + np.exp(-(rng.normal(size=(n, k)) + target - 0.5))), target


def values(rng, n, shape=(), offset=0.0):
    target = rng.normal(size=(n, *shape)) + offset
    return target + rng.normal(size=(n, *shape)) * 0.3, target


ROWS = {  # name: (prediction, target) of n rows
    "two classes": lambda rng, n: classes_of(rng, n, [0, 1]),
    "classes -1 and 1": lambda rng, n: classes_of(rng, n, [-1, 1]),
    "four classes": lambda rng, n: classes_of(rng, n, [0, 1, 2, 3]),
    "classes with gaps": lambda rng, n: classes_of(rng, n, [-7, 3, 10**12]),
    "several labels": lambda rng, n: several(rng, n, 4),
    "a column": column,
    "a column with ties": partial(column, ties=True),
    "probabilities": partial(probabilities_of, k=4),
    "probabilities with ties": partial(probabilities_of, k=5, ties=True),
    "probabilities of two": partial(probabilities_of, k=2),
    "scores of labels": partial(several_scores, k=3),
    "values": values,
    "values around 1e8": partial(values, offset=1e8),
    "three outputs": partial(values, shape=(3,)),
    "outputs around 1e8": partial(values, shape=(2,), offset=1e8),
}


def cases():
    shares = ((metrics.Precision, sk.precision_score), (metrics.Recall, sk.recall_score))
    shares += ((metrics.F1, sk.f1_score),)
    of_classes = ("two classes", "classes -1 and 1", "four classes", "classes with gaps")
    for rows in of_classes:
        yield Case(metrics.Accuracy(), sk.accuracy_score, rows)
        yield Case(metrics.MatthewsCorrelation(), sk.matthews_corrcoef, rows)
        for adjusted in (False, True):
            wanted = partial(sk.balanced_accuracy_score, adjusted=adjusted)
            yield Case(metrics.BalancedAccuracy(adjusted=adjusted), wanted, rows)
        for normalize in (None, "true", "pred", "all"):
            wanted = partial(sk.confusion_matrix, normalize=normalize)
            yield Case(metrics.ConfusionMatrix(normalize=normalize), wanted, rows)
        for share, wanted in shares:
            for average in ("micro", "macro", "weighted", None):
                yield Case(share(average=average), partial(wanted, average=average), rows)
    for rows in ("two classes", "classes -1 and 1"):
        for share, wanted in shares:
            yield Case(share(), wanted, rows)
            if rows == "two classes":
                yield Case(share(pos_label=0), partial(wanted, pos_label=0), rows)
    for share, wanted in shares:
        for average in ("micro", "macro", "weighted", None):
            for labels in ([3, 1], [2, 0, 3]):
                options = {"average": average, "labels": labels}
                yield Case(share(**options), partial(wanted, **options), "four classes")
        for average in ("micro", "macro", "weighted", "samples", None):
            for labels in (None, [2, 0]):
                options = {"average": average, "labels": labels, "zero_division": 1.0}
                yield Case(share(**options), partial(wanted, **options), "several labels")
    for zero in (0.0, np.nan):
        for share, wanted in shares:
            options = {"average": "samples", "zero_division": zero}
            yield Case(share(**options), partial(wanted, **options), "several labels")
    yield Case(metrics.Accuracy(), sk.accuracy_score, "several labels")
    yield Case(metrics.Accuracy(normalize=False), partial(sk.accuracy_score, normalize=False), rows)
    for labels in ([2, 0], [3, 2, 1, 0], [0, 9]):
        for normalize in (None, "true", "pred", "all"):
            options = {"labels": labels, "normalize": normalize}
            wanted = partial(sk.confusion_matrix, **options)
            yield Case(metrics.ConfusionMatrix(**options), wanted, "four classes")

    for rows in ("a column", "a column with ties"):
        yield Case(metrics.RocAuc(), sk.roc_auc_score, rows)
        for max_fpr in (0.1, 0.5, 1.0):
            wanted = partial(sk.roc_auc_score, max_fpr=max_fpr)
            yield Case(metrics.RocAuc(max_fpr=max_fpr), wanted, rows)
        yield Case(metrics.AveragePrecision(), sk.average_precision_score, rows)
        wanted = partial(sk.average_precision_score, pos_label=0)
        yield Case(metrics.AveragePrecision(pos_label=0), wanted, rows)
        yield Case(metrics.TopKAccuracy(k=1), partial(sk.top_k_accuracy_score, k=1), rows)
        yield Case(metrics.LogLoss(), partial(sk.log_loss, labels=[0, 1]), rows)
        for options in ({}, {"pos_label": 0}, {"scale_by_half": False}):
            wanted = partial(sk.brier_score_loss, **options)
            yield Case(metrics.BrierScore(**options), wanted, rows)
    for rows, k in (("probabilities", 4), ("probabilities with ties", 5)):
        labels = list(range(k))
        for average in ("macro", "weighted", "micro", None):
            wanted = partial(sk.roc_auc_score, multi_class="ovr", average=average, labels=labels)
            yield Case(metrics.RocAuc(average=average), wanted, rows)
            wanted = partial(sk.average_precision_score, average=average)
            yield Case(metrics.AveragePrecision(average=average), wanted, rows)
        for average in ("macro", "weighted"):
            options = {"multi_class": "ovo", "average": average, "labels": labels}
            yield Case(metrics.RocAuc(**options), partial(sk.roc_auc_score, **options), rows)
        for top in (1, 2, 3):
            for normalize in (True, False):
                options = {"k": top, "normalize": normalize, "labels": labels}
                wanted = partial(sk.top_k_accuracy_score, **options)
                yield Case(metrics.TopKAccuracy(**options), wanted, rows)
        for normalize in (True, False):
            options = {"normalize": normalize, "labels": labels}
            yield Case(metrics.LogLoss(**options), partial(sk.log_loss, **options), rows)
        for half in ("auto", True, False):
            options = {"scale_by_half": half, "labels": labels}
            yield Case(metrics.BrierScore(**options), partial(sk.brier_score_loss, **options), rows)
    two = "probabilities of two"
    yield Case(metrics.LogLoss(), partial(sk.log_loss, labels=[0, 1]), two)
    yield Case(metrics.BrierScore(), partial(sk.brier_score_loss, labels=[0, 1]), two)
    yield Case(metrics.RocAuc(), on_column(sk.roc_auc_score, 1), two)
    yield Case(metrics.AveragePrecision(), on_column(sk.average_precision_score, 1), two)
    wanted = on_column(partial(sk.average_precision_score, pos_label=0), 0)
    yield Case(metrics.AveragePrecision(pos_label=0), wanted, two)
    for average in ("macro", "weighted", "micro", None):
        for metric, wanted in (
            (metrics.RocAuc, sk.roc_auc_score),
            (metrics.AveragePrecision, sk.average_precision_score),
        ):
            yield Case(
                metric(average=average), partial(wanted, average=average), "scores of labels"
            )

    for rows, outputs in (
        ("values", 1),
        ("values around 1e8", 1),
        ("three outputs", 3),
        ("outputs around 1e8", 2),
    ):
        weights = [list(range(1, outputs + 1))] if outputs > 1 else []
        for multioutput in ("uniform_average", "raw_values", *weights):
            options = {"multioutput": multioutput}
            for metric, wanted in (
                (metrics.MeanAbsoluteError, sk.mean_absolute_error),
                (metrics.MeanSquaredError, sk.mean_squared_error),
                (metrics.RootMeanSquaredError, sk.root_mean_squared_error),
                (metrics.MeanAbsolutePercentageError, sk.mean_absolute_percentage_error),
                (metrics.MeanPinballLoss, sk.mean_pinball_loss),
                (
                    partial(metrics.MeanPinballLoss, alpha=0.9),
                    partial(sk.mean_pinball_loss, alpha=0.9),
                ),
                (metrics.R2, sk.r2_score),
            ):
                yield Case(metric(**options), partial(wanted, **options), rows)
        options = {"multioutput": "variance_weighted"}
        yield Case(metrics.R2(**options), partial(sk.r2_score, **options), rows)


def on_column(function, c):
    return lambda target, prediction, sample_weight=None: function(
        target, prediction[:, c], sample_weight=sample_weight
    )


CASES = list(cases())
