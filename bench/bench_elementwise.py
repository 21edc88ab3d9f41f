"""Arithmetic with its broadcasts, functions of one argument, copies."""

import numpy as np
import pytest

from pyml import _kernels


@pytest.mark.parametrize("name", ["add", "mul", "div", "pow", "maximum"])
def bench_binary(benchmark, kernel, x, name):
    a, y = np.abs(x), np.empty_like(x)
    benchmark(_kernels.binary, kernel(name), y, a, a, 1, x.size, 0, 1, 0, 1)


@pytest.mark.parametrize("layout", [(0, 0), (0, 1), (1, 0)], ids=["scalar", "row", "column"])
def bench_broadcast(benchmark, kernel, x, layout):
    rows, cols = x.shape
    benchmark(_kernels.binary, kernel("add"), np.empty_like(x), x, x, rows, cols, cols, 1, *layout)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt"])
def bench_unary(benchmark, kernel, x, name):
    benchmark(_kernels.unary, kernel(name), np.empty_like(x), np.abs(x), 0.0, 0.0)


def bench_transposed_copy(benchmark, x):
    benchmark(_kernels.copy, np.empty_like(x.T, order="C"), x.T)
