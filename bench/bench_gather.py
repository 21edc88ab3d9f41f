"""Rows by index: a minibatch out of an array."""

import numpy as np

from pyml import _kernels


def bench_gather(benchmark):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60000, 784), dtype=np.float32)
    index = rng.integers(0, len(x), 128)
    benchmark(_kernels.gather, np.empty((128, 784), np.float32), x, index, x[0].nbytes)
