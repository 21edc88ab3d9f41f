"""Steps of pyml where pip puts it, and of a library beside it, which is not looked into."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyml

LIBRARY = """
import pyml

STATE = {}


class Momentum:
    '''An optimizer whose state is where a step is not looked into.'''

    def __init__(self, params):
        self.params = list(params)

    def step(self):
        with pyml.no_grad():
            for p in self.params:
                if p not in STATE:
                    STATE[p] = pyml.zeros(p.shape)
                p.sub_(STATE[p].lerp_(p.grad, 0.1))
"""
STEPS = """
import sys

import momentum
import pyml
from pyml import nn, optim

assert "site-packages" in pyml.__file__
name = sys.argv[1]
cls = getattr(optim, name, None) or getattr(momentum, name)


def trained(record):
    pyml.manual_seed(0)
    model = nn.Linear(3, 2, bias=False)
    optimizer, x = cls(model.parameters()), pyml.randn(24, 4, 3)

    def step(x):
        model.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    step = pyml.record(step) if record else step
    losses = []
    for i, each in enumerate(x):
        losses.append(step(each).item())
        for state in getattr(optimizer, "state", {}).values() if i == 12 else ():
            state.update({key: value / 2 for key, value in state.items()})
    assert not record or step.stats().replays > 4
    return losses


assert trained(True) == trained(False)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed") / "site-packages"
    folder.mkdir()
    (folder / "momentum.py").write_text(LIBRARY)
    try:
        (folder / "pyml").symlink_to(Path(pyml.__file__).parent, target_is_directory=True)
    except OSError:
        pytest.skip("links need a right that is not there")
    return folder


@pytest.mark.parametrize("name", ["Adafactor", "Muon", "Adam", "Momentum"])
def test_state_that_the_first_step_makes(folder, tmp_path, name):
    (tmp_path / "steps.py").write_text(STEPS)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "steps.py", name]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
