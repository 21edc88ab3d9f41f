"""Small data of every kind, and fits without words."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 5))
SCORES = X @ rng.standard_normal((5, 3)) + 0.3 * rng.standard_normal((60, 3))
CLASSES = SCORES.argmax(1)
BINARY = np.array(["no", "yes"])[(SCORES[:, 0] > 0).astype(int)]
LABELS = (SCORES > 0).astype(int)
VALUES = SCORES[:, 0]
COUNTS = np.floor(np.exp(SCORES[:, 1] / 2))
WEIGHTS = rng.uniform(0.1, 2, 60)
TARGETS = {"classes": CLASSES, "binary": BINARY, "labels": LABELS}
NUMBERS = {"values": VALUES, "two": SCORES[:, :2]}


def fitted(estimator, *args, **kwargs):
    """Fits, without a warning that max_iter is reached."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*args, **kwargs)


def same_bits(ours, theirs):
    """Whether two estimators have the same weights."""
    pairs = zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
