"""How tests start programs of several processes."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE = Path(sys.executable).parent / "mpiexec"  # of the wheel mpich
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
HERE = Path(__file__).parent

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason="mpiexec or mpi4py is missing: pip install mpich mpi4py",
)


def run(program, *words, ranks=None, cwd=None):
    """A program's CompletedProcess; without ranks it is started without mpiexec.

    Some have a thread each, the others as many as there are: no bit depends on it.
    """
    start = [] if ranks is None else [MPIEXEC, "-n", str(ranks)]
    own = {"OMP_NUM_THREADS": "1"} if ranks in (None, 1, 3) else {}
    program = [str(HERE / program)] if program.endswith(".py") else ["-m", program]
    return subprocess.run(
        [*start, sys.executable, *program, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | own,
        cwd=cwd,
    )


def output(*words, **how):
    """What it prints; it must not fail."""
    done = run(*words, **how)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
