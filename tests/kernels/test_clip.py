"""The norm of all gradients and their scaling: against NumPy, on every ISA."""

import numpy as np
import pytest

from helpers import tolerances
from helpers.compare import assert_close
from helpers.sweep import LARGE, check_kernel
from pyml.ops.clip_grad import clip_grad_norm_
from pyml.tensor import Tensor


@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e9, np.inf])
def test_clip_grad_norm(max_norm):
    """The norm of all segments together; a gradient within the limit keeps its bits."""

    def call(g, norm):
        parts = [Tensor._on(part) for part in np.array_split(g, 3)]
        norm[...] = clip_grad_norm_(parts, max_norm).item()

    def reference(g):
        norm = np.sqrt((g**2).sum())
        return {"norm": norm, "g": g * min(1, max_norm / (norm + 1e-6))}

    check_kernel(
        "grad_norm",
        call,
        arguments=lambda draw, n: {"g": draw(n)},
        reference=reference,
        eps={"norm": tolerances.summed(LARGE), "g": tolerances.summed(LARGE)},
        values=("normal", "offset"),
    )


def test_the_norm_does_not_overflow_in_float32(isa):
    g = np.full(1000, 1e30, np.float32)
    norm = clip_grad_norm_([Tensor._on(g)], 1.0).item()
    assert_close(np.float64(norm), np.array(1e30 * np.sqrt(1000)), 1e-6 / np.finfo(float).eps)
    assert_close(g, np.full(1000, 1 / np.sqrt(1000)), 1e-5 / np.finfo(np.float32).eps)
