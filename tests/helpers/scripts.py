"""Plays tests/scripts in a process of their own."""

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "tests" / "scripts"
NEEDS = {  # names that a script needs; without them it is skipped
    "categorical_policy": "distributions.Categorical",
    "character_model": "nn.Embedding",
    "normal_vae": "distributions.kl_divergence",
    "resumed": "device",
    "second_order": "optim.LBFGS",
    "straight_through": "autograd.Function",
}
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("start", "play"))


def needed(name):
    """Skips a test of a script that needs what pyml has not."""
    need = NEEDS.get(name, "nn.Linear")
    module, _, last = f"pyml.{need}".rpartition(".")
    if find_spec(module) is None or not hasattr(import_module(module), last):
        pytest.skip(f"pyml has no {need}")


def played(*words, pyml=True):
    """{script: its losses, or a traceback} with pyml under the name torch, or with PyTorch."""
    command = [
        sys.executable,
        *(["-m", "pyml.as_torch"] if pyml else []),
        FOLDER / "play.py",
        *words,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
