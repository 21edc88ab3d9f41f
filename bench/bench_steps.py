"""Whole training steps, eager: zero grad, forward, backward, Adam."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from networks import NETWORKS
from peers import pyml_step


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "wide"])
def bench_step(benchmark, name):
    step, _ = pyml_step(NETWORKS[name])
    benchmark(step)
