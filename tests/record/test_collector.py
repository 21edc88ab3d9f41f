"""The garbage collector rests while a step is recorded."""

import gc
import subprocess
import sys

import pytest

import pyml

CODE = """
import gc, sys, threading, time
import pyml
from pyml import nn, optim
sys.setswitchinterval(1e-6)
gc.set_threshold(10, 1, 1000)
end = time.monotonic() + 2

def litter():
    while time.monotonic() < end:
        [[] for _ in range(100)]

threads = [threading.Thread(target=litter) for _ in range(2)]
for thread in threads:
    thread.start()
while time.monotonic() < end:
    model = nn.Sequential(*[nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)) for _ in range(4)])
    average, optimizer = optim.swa_utils.AveragedModel(model), optim.SGD(model.parameters(), lr=0.1)

    @pyml.record
    def step(x):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        return loss

    x = pyml.randn(4, 3)
    step(x), step(x)
for thread in threads:
    thread.join()
print(gc.isenabled())
"""


def test_generators_of_a_step_and_other_threads():
    """With the collector at work, Python 3.11.2 dies of this in a second."""
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert run.stdout == "True\n"


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_it_works_again(enabled, fails):
    (gc.enable if enabled else gc.disable)()
    try:

        @pyml.record
        def step(x):
            if fails:
                raise KeyError("of the step")
            return x * 2

        for _ in range(3):
            if fails:
                with pytest.raises(KeyError):
                    step(pyml.ones(3))
            else:
                step(pyml.ones(3))
            assert gc.isenabled() is enabled
    finally:
        gc.enable()
