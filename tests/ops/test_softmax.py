"""Softmax and log-softmax: values, layouts, first and second derivatives."""

import numpy as np
import pytest

import pyml
from helpers import tolerances
from ops.cases import Case, tests_of
from pyml import ops


def log_softmax(x, dim):
    shifted = x - x.max(dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(dim, keepdims=True))


def cases():
    for shape in [(5,), (3, 4), (2, 3, 2), (2, 21)]:
        for dim in range(len(shape)):
            for name, reference in [
                ("softmax", lambda x, dim=dim: np.exp(log_softmax(x, dim))),
                ("log_softmax", lambda x, dim=dim: log_softmax(x, dim)),
            ]:
                function = getattr(ops, name)
                yield Case(
                    f"{name} dim={dim}",
                    lambda x, f=function, dim=dim: f(x, dim),
                    reference,
                    (shape,),
                    eps=tolerances.SOFTMAX,
                )


test_values, test_layouts, test_gradients = tests_of(list(cases()))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_dimensions(name):
    function, x = getattr(ops, name), pyml.ones(2, 3)
    with pytest.raises(ValueError, match=f"{name}: dim must be given"):
        function(x, None)
    with pytest.raises(IndexError, match=f"{name}: dim is 2, it must be from -2 to 1"):
        function(x, 2)
    assert function(x, -1).tolist() == function(x, 1).tolist()
    assert function(pyml.tensor(3.0), 0).item() == (1 if name == "softmax" else 0)
    assert function(x, 1, pyml.float64).dtype == pyml.float64
