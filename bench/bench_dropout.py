"""Dropout, and the generator under it."""

import numpy as np
import pytest

from pyml import _kernels


@pytest.fixture
def state():
    return np.array([1, 0], np.uint64)


@pytest.fixture
def mask(x):
    return np.zeros((x.size + 63) // 64, np.uint64)


def bench_dropout_forward(benchmark, x, state, mask):
    benchmark(_kernels.dropout_forward, np.empty_like(x), mask, state, x, 0.5)


def bench_dropout_backward(benchmark, x, mask):
    benchmark(_kernels.dropout_backward, np.empty_like(x), x, mask, 0.5)


@pytest.mark.parametrize("name", ["random_uniform", "random_normal"])
def bench_random(benchmark, kernel, state, name):
    y = np.empty(65536, np.float32)
    benchmark(_kernels.random, kernel(name), y, state, 0.0, 1.0)
