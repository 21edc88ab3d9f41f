"""One optimizer step over one parameter of n elements."""

import pytest

import pyml
from pyml import optim

METHODS = {
    "sgd": lambda p: optim.SGD(p, lr=1e-3, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True),
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "nadam": optim.NAdam,
    "adamax": optim.Adamax,
    "adadelta": optim.Adadelta,
    "radam": optim.RAdam,
    "rprop": optim.Rprop,
    "asgd": optim.ASGD,
    "lion": optim.Lion,
}


@pytest.mark.parametrize("n", [4096, 65536, 1 << 20, 1 << 24])
@pytest.mark.parametrize("method", METHODS)
def bench_step(benchmark, method, n):
    parameter = pyml.ones(n, requires_grad=True)
    parameter.grad = pyml.full((n,), 1e-3)
    benchmark(METHODS[method]([parameter]).step)
