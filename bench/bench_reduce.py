"""Sums and extrema over rows, columns and everything."""

import numpy as np
import pytest

from pyml import _kernels


@pytest.mark.parametrize("over", ["rows", "columns", "all"])
def bench_sum(benchmark, x, over):
    rows, cols = x.shape
    outer, n, inner = {
        "rows": (1, rows, cols),
        "columns": (rows, cols, 1),
        "all": (1, x.size, 1),
    }[over]
    benchmark(_kernels.sum, np.empty(outer * inner, np.float32), x, outer, n, inner)


def bench_argmax(benchmark, kernel, x):
    rows, cols = x.shape
    y, index = np.empty(rows, np.float32), np.empty(rows, np.int64)
    benchmark(_kernels.extremum, kernel("max"), y, index, x, rows, cols, 1)
