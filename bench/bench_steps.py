"""Whole training steps, eager and recorded: zero grad, forward, backward, Adam."""

import pytest

from .networks import NETWORKS
from .sides import first_losses, first_weights, pyml_step, recorded_step

NAMES = [name for name in NETWORKS if name != "wide"]


@pytest.mark.parametrize("name", NAMES)
def bench_step(benchmark, name):
    network = NETWORKS[name]
    benchmark(pyml_step(network, first_weights(network)))


@pytest.mark.parametrize("name", NAMES)
def bench_recorded_step(benchmark, name):
    network = NETWORKS[name]
    step = recorded_step(network, first_weights(network))
    first_losses(step, 3)  # recorded in them
    benchmark(step)
