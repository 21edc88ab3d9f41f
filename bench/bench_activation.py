"""Activations, forward and backward."""

import numpy as np
import pytest

from pyml import _kernels

NAMES = [
    name.removesuffix("_forward")
    for name in _kernels.kernel_names()[
        _kernels.kernel_names().index("relu_forward") : _kernels.kernel_names().index(
            "prelu_forward"
        ) : 2
    ]
]


@pytest.mark.parametrize("name", NAMES)
def bench_forward(benchmark, kernel, x, name):
    y = np.empty_like(x)
    benchmark(_kernels.activation_forward, kernel(f"{name}_forward"), y, x, 1.0, 20.0)


@pytest.mark.parametrize("name", NAMES)
def bench_backward(benchmark, kernel, x, name):
    dx = np.empty_like(x)
    benchmark(_kernels.activation_backward, kernel(f"{name}_backward"), dx, x, x, 1.0, 20.0)
