import sys

import pytest


@pytest.fixture(autouse=True)
def figures():
    """Pictures are drawn without pyplot, which would look for a display and keep them."""
    pytest.importorskip("matplotlib")
    before = "matplotlib.pyplot" in sys.modules
    yield
    assert ("matplotlib.pyplot" in sys.modules) == before
