"""Whole training steps, eager: zero grad, forward, backward, Adam."""

import pytest

from .networks import NETWORKS
from .sides import first_weights, pyml_step


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "wide"])
def bench_step(benchmark, name):
    network = NETWORKS[name]
    benchmark(pyml_step(network, first_weights(network)))
