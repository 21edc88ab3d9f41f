"""BatchNorm."""

import numpy as np

from pyml import _kernels


def bench_forward(benchmark, x):
    y = np.empty_like(x)
    mean, rstd, running_mean, running_var = np.ones((4, x.shape[1]), np.float32)
    count = np.zeros((), np.int64)
    benchmark(
        _kernels.batchnorm_forward,
        *(y, mean, rstd, running_mean, running_var, count, x, mean.copy(), mean.copy(), 1e-5, 0.1),
    )


def bench_inference(benchmark, x):
    y = np.empty_like(x)
    mean, var, gamma, beta = np.ones((4, x.shape[1]), np.float32)
    benchmark(_kernels.batchnorm_inference, y, x, mean, var, gamma, beta, 1e-5)


def bench_backward(benchmark, x):
    dx, dy = np.empty_like(x), x.copy()
    dgamma, dbeta, mean, rstd, gamma = np.ones((5, x.shape[1]), np.float32)
    benchmark(_kernels.batchnorm_backward, dx, dgamma, dbeta, dy, x, mean, rstd, gamma)
