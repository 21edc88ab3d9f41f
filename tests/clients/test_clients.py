"""Libraries written for PyTorch run unmodified, with the losses that they have with PyTorch.

Outside of the ordinary run: `make clients` installs the libraries and plays the programs here.
All begin with equal weights and random numbers (tests/scripts/start.py).
"""

import numpy as np
import pytest

from helpers import scripts

FIRST, ALL = 5e-6, 1e-3  # float32's rounding, and as far as training carries a rounding on
DIFFERENCES = {  # {program: (of the first ten numbers, of all)} where these do not fit
    "deepxde_poisson": (FIRST, 1e-2),  # steps of L-BFGS to losses of 1e-6
    "nflows_density": (FIRST, 1e-2),  # the mean of a sample, near zero
    "stable_baselines3_td3": (FIRST, 5e-2),  # what it learns from follows from what it did
    "stable_baselines3_ppo": (2e-5, ALL),  # the first numbers are of the second rollout
}


@pytest.fixture
def python(pytestconfig):
    """The interpreter of the environment with the libraries."""
    return pytestconfig.getoption("clients") or pytest.skip("runs with --clients, as make clients")


@pytest.mark.parametrize("name", scripts.CLIENTS)
def test_losses(name, python):
    got, wanted = (
        scripts.played("--clients", name, pyml=pyml, python=python)[name] for pyml in (True, False)
    )
    assert isinstance(wanted, list), wanted
    assert isinstance(got, list), got
    assert np.isfinite(wanted).all() and len(wanted) == len(got) >= 10
    first, all_of_them = DIFFERENCES.get(name, (FIRST, ALL))
    difference = np.abs(np.subtract(got, wanted)) / np.maximum(np.abs(wanted), 1e-3)
    assert difference[:10].max() < first
    assert difference.max() < all_of_them
