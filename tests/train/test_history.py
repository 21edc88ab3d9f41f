import numpy as np
import pytest

from pyml.train import Epoch, History


def test_column():
    history = History([Epoch(1, 0.5, 0.6, 0.7, 0.1, 2.0), Epoch(2, 0.4, 0.5, 0.8, 0.05, 3.0)])
    np.testing.assert_array_equal(history.column("validation_accuracy"), [0.7, 0.8])
    assert history.column("epoch").tolist() == [1, 2]
    with pytest.raises(ValueError, match="name is 'weight', which is no field"):
        history.column("weight")
