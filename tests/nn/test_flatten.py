import numpy as np
import pytest

import pyml
from pyml import nn


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (2, 60)),
        ({"start_dim": 0}, (120,)),
        ({"end_dim": 2}, (2, 12, 5)),
        ({"start_dim": 2, "end_dim": -1}, (2, 3, 20)),
        ({"start_dim": -2, "end_dim": -1}, (2, 3, 20)),
        ({"start_dim": 1, "end_dim": 1}, (2, 3, 4, 5)),
    ],
)
def test_shapes(options, shape):
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    leaf = pyml.tensor(x, requires_grad=True)
    y = nn.Flatten(**options)(leaf)
    np.testing.assert_array_equal(y.detach().numpy(), x.reshape(shape))
    (y * y).sum().backward()
    np.testing.assert_array_equal(leaf.grad.numpy(), 2 * x)


def test_errors_and_repr():
    with pytest.raises((IndexError, ValueError, RuntimeError)):
        nn.Flatten(2, 1)(pyml.ones(2, 3, 4))
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
