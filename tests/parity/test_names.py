"""docs/torch_names.json has the names and arguments of the PyTorch that is installed."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch


def test_names():
    script = Path(__file__).parent.parent.parent / "docs" / "parity.py"
    spec = importlib.util.spec_from_file_location("parity_page", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    names = json.loads(module.NAMES.read_text())
    if torch.__version__.partition("+")[0] != names["torch"]:
        pytest.skip(f"the names are of PyTorch {names['torch']}")
    assert module.torch_names() == names
