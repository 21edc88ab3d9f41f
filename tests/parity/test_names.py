"""docs/torch_names.json has the names and arguments of the PyTorch that is installed."""

import json
from pathlib import Path

import pytest
import torch

from helpers.files import module_of


def test_names():
    module = module_of(Path(__file__).parents[2] / "docs/parity.py")
    names = json.loads(module.NAMES.read_text())
    if torch.__version__.partition("+")[0] != names["torch"]:
        pytest.skip(f"the names are of PyTorch {names['torch']}")
    assert module.torch_names() == names
