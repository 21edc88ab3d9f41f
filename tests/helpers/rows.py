"""Rows of logits, for the tests of softmax and of cross entropy."""

import numpy as np

VALUES = ("normal", "offset", "logits")


def columns(lanes):
    return sorted({1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 131})


def log_softmax(x):
    """Also where two logits differ by more than exp can tell."""
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def logits(draw, shape):
    """Of the sweep's values; "logits" are +-1e4, far beyond what exp can tell apart."""
    if draw.values == "logits":
        return draw.rng.choice([-1e4, 1e4, 0, 9999], size=shape).astype(draw.dtype)
    return draw(shape)
