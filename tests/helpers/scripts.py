"""Plays tests/scripts and tests/clients in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyml as tested

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "tests" / "scripts"
PLACE = Path(tested.__file__).parents[1]  # of the pyml under test: ROOT, or where a wheel lies
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("start", "play"))
CLIENTS = sorted(
    path.stem
    for path in (ROOT / "tests/clients").glob("*.py")
    if path.stem not in ("agents", "test_clients")
)


def played(*words, pyml=True, python=sys.executable):
    """{script: its losses, or a traceback} with pyml under the name torch, or with PyTorch.

    Args:
        words: for tests/scripts/play.py.
        pyml: False for PyTorch.
        python: the interpreter.
    """
    command = [
        python,
        *(["-m", "pyml.as_torch"] if pyml else []),
        FOLDER / "play.py",
        *words,
    ]
    environment = {**os.environ, "PYTHONPATH": str(PLACE)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
