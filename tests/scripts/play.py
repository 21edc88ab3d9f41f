"""Plays the scripts of this folder, and prints their losses as JSON.

    python tests/scripts/play.py                              with PyTorch
    python -m pyml.as_torch tests/scripts/play.py             with pyml
    python -m pyml.as_torch tests/scripts/play.py --recorded  with pyml, steps recorded

    python tests/scripts/play.py --clients ppo                the programs of tests/clients

Words after it choose scripts by their names.
"""

import json
import runpy
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path

import start
import torch


def play(path, record):
    start.again(record)
    try:
        with redirect_stdout(sys.stderr):  # for what libraries print
            return [float(loss) for loss in runpy.run_path(str(path))["losses"]]
    except Exception:
        return traceback.format_exc()


torch.set_num_threads(1)
words = sys.argv[1:]
chosen = [word for word in words if word[0] != "-"]
folder = Path(__file__).parent
if "--clients" in words:
    folder = folder.parent / "clients"
    sys.path.append(str(folder))
paths = sorted(folder.glob("*.py"))
scripts = [path for path in paths if path.stem not in ("start", "play", "agents", "test_clients")]
print(
    json.dumps(
        {
            path.stem: play(path, "--recorded" in words)
            for path in scripts
            if not chosen or path.stem in chosen
        }
    )
)
