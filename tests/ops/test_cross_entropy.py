"""Cross entropy: values, first and second derivatives, of every option."""

from itertools import product

import numpy as np

import pyml
from helpers import tolerances
from helpers.losses import REDUCTIONS
from ops.cases import Case, tests_of
from pyml import ops

CLASSES, IGNORED = 4, 2
SHAPES = {(CLASSES,): (), (5, CLASSES): (5,), (2, CLASSES, 3): (2, 3)}  # logits: class indices
WEIGHT = np.array([0.5, 2.0, 1.5, 0.7])


def reference(x, q, v, counted, reduction, smoothing):
    """Of logits (n, c), with q the targets' distributions and v the weights of the classes."""
    shifted = x - x.max(1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    spread = ((1 - smoothing) * q + smoothing / CLASSES) * counted[:, None]
    losses = -(spread * v * logp).sum(1)
    return losses, losses.sum() if reduction == "sum" else losses


def rows(a):
    """Classes last."""
    return np.moveaxis(a, 0 if a.ndim == 1 else 1, -1).reshape(-1, CLASSES)


def of_classes(shape, weighted, smoothing, reduction):
    index = np.random.default_rng(3).integers(0, CLASSES, SHAPES[shape])
    v = WEIGHT if weighted else np.ones(CLASSES)
    flat = index.reshape(-1)
    counted = flat != IGNORED

    def function(x):
        weight = pyml.tensor(v.astype(x.dtype)) if weighted else None
        options = {"ignore_index": IGNORED, "label_smoothing": smoothing}
        return ops.cross_entropy(x, pyml.tensor(index), weight, reduction=reduction, **options)

    def wanted(x):
        losses, total = reference(rows(x), np.eye(CLASSES)[flat], v, counted, reduction, smoothing)
        if reduction == "mean":
            return losses.sum() / (v[flat] * counted).sum()
        return total.reshape(SHAPES[shape]) if reduction == "none" else total

    return function, wanted, (shape,)


def of_probabilities(shape, weighted, smoothing, reduction):
    """With a gradient of the target."""
    v = WEIGHT if weighted else np.ones(CLASSES)

    def function(x, p):
        weight = pyml.tensor(v.astype(x.dtype)) if weighted else None
        return ops.cross_entropy(x, p, weight, reduction=reduction, label_smoothing=smoothing)

    def wanted(x, p):
        counted = np.ones(len(rows(x)))
        losses, total = reference(rows(x), rows(p), v, counted, reduction, smoothing)
        if reduction == "mean":
            return losses.mean()
        return total.reshape(SHAPES[shape]) if reduction == "none" else total

    return function, wanted, (shape, shape)


def of_constant_probabilities(shape, weighted, smoothing, reduction):
    function, wanted, shapes = of_probabilities(shape, weighted, smoothing, reduction)
    p = np.random.default_rng(4).uniform(0, 1, shape)
    return (
        lambda x: function(x, pyml.tensor(p.astype(x.dtype))),
        lambda x: wanted(x, p),
        shapes[:1],
    )


def cases():
    for kind in (of_classes, of_probabilities, of_constant_probabilities):
        for options in product(SHAPES, (False, True), (0.0, 0.1), REDUCTIONS):
            if kind is of_classes and options[0] == (CLASSES,) and options[3] == "mean":
                continue  # its one target may be ignored: the mean of nothing
            name = f"{kind.__name__} weighted={options[1]} smoothing={options[2]} {options[3]}"
            yield Case(name, *kind(*options), eps=tolerances.SOFTMAX)


test_values, test_layouts, test_gradients = tests_of(list(cases()))
