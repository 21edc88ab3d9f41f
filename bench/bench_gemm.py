"""The three products of a layer, batch x in x out."""

import numpy as np
import pytest

from pyml import _kernels

LAYERS = [(1, 784, 256), (32, 64, 64), (64, 784, 256), (128, 512, 512), (512, 1024, 1024)]


@pytest.fixture(params=LAYERS, ids=lambda layer: "x".join(map(str, layer)))
def layer(request):
    n, k, o = request.param
    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal(shape, dtype=np.float32)
        for name, shape in [("x", (n, k)), ("w", (o, k)), ("b", (o,)), ("y", (n, o))]
    }


def bench_linear_forward(benchmark, layer):
    benchmark(_kernels.linear_forward, layer["y"], layer["x"], layer["w"], layer["b"])


def bench_linear_dx(benchmark, layer):
    dx = np.empty_like(layer["x"])
    benchmark(_kernels.linear_backward, dx, None, None, layer["y"], layer["x"], layer["w"])


def bench_linear_dw(benchmark, layer):
    dw = np.empty_like(layer["w"])
    benchmark(_kernels.linear_backward, None, dw, None, layer["y"], layer["x"], layer["w"])
