"""Programs as they are published for PyTorch: the losses with pyml are those of PyTorch."""

import numpy as np
import pytest

from helpers import scripts


@pytest.fixture(scope="module")
def losses():
    return scripts.played(), scripts.played(pyml=False)


@pytest.mark.parametrize("name", scripts.NAMES)
def test_losses(name, losses):
    """The first to float32's rounding; later ones as far as training carries a rounding on."""
    got, wanted = (each[name] for each in losses)
    assert isinstance(wanted, list), wanted
    assert isinstance(got, list), got
    scale = np.maximum(np.abs(wanted), 1e-3)
    difference = np.abs(np.subtract(got, wanted)) / scale
    assert difference[:10].max() < 5e-6
    assert difference.max() < 1e-3
