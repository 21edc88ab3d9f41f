"""What the benchmarks share: data, threads, and a kernel's number from its name."""

import numpy as np
import pytest

from pyml import _kernels

SHAPES = [(32, 64), (256, 256), (4096, 1024)]


@pytest.fixture(autouse=True)
def one_thread():
    threads = _kernels.get_num_threads()
    _kernels.set_num_threads(1)
    yield
    _kernels.set_num_threads(threads)


@pytest.fixture(params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def x(request):
    """float32 numbers of the normal distribution."""
    return np.random.default_rng(0).standard_normal(request.param, dtype=np.float32)


@pytest.fixture
def kernel():
    """kernel("relu_forward"): its number."""
    return _kernels.kernel_names().index
