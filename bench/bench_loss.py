"""Softmax, cross entropy, mean squared error."""

import numpy as np
import pytest

from pyml import _kernels

MEAN = 1  # REDUCTION_MEAN


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def bench_softmax(benchmark, kernel, x, name):
    benchmark(_kernels.softmax_forward, kernel(f"{name}_forward"), np.empty_like(x), x)


def bench_cross_entropy(benchmark, x):
    loss, total = np.empty((), np.float32), np.empty((), np.float32)
    softmax, dx = np.empty_like(x), np.empty_like(x)
    index = np.random.default_rng(0).integers(0, x.shape[1], len(x))
    one = np.ones((), np.float32)
    options = (None, None, -100, 0.0, MEAN)

    def forward_and_backward():
        _kernels.cross_entropy_forward(loss, softmax, total, x, index, *options)
        _kernels.cross_entropy_backward(dx, one, softmax, total, index, *options)

    benchmark(forward_and_backward)


def bench_mse(benchmark, kernel, x):
    loss, target = np.empty((), np.float32), x[::-1].copy()
    number = kernel("mse_forward")
    benchmark(_kernels.pair_loss_forward, number, loss, x, target, 0.0, 0.0, MEAN)
