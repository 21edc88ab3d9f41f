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


def test_unflatten():
    x = pyml.arange(12).reshape(2, 6)
    for sizes in ((2, 3), [2, -1]):
        assert nn.Unflatten(1, sizes)(x).tolist() == x.reshape(2, 2, 3).tolist()
    assert nn.Unflatten(-2, (1, 2))(x).shape == (1, 2, 6)
    assert repr(nn.Unflatten(1, (2, 3))) == "Unflatten(dim=1, unflattened_size=(2, 3))"
    with pytest.raises(TypeError, match="Unflatten: dim must be an integer, not 'features'"):
        nn.Unflatten("features", (2, 3))
    with pytest.raises(TypeError, match="unflattened_size must be a tuple"):
        nn.Unflatten(1, 6)
    with pytest.raises(TypeError, match="sizes must be integers"):
        nn.Unflatten(1, (2.0, 3))
    with pytest.raises(ValueError, match="does not fit"):
        nn.Unflatten(1, (4, 2))(x)
