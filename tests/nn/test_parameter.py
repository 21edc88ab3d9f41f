import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import nn


def test_shares_the_memory_of_its_data():
    data = pyml.tensor([1.0, 2.0])
    p = nn.Parameter(data)
    data.array[0] = 5
    assert p.tolist() == [5, 2]
    assert isinstance(p, pyml.Tensor)
    assert p.is_leaf


def test_requires_grad():
    assert nn.Parameter(pyml.zeros(2)).requires_grad
    assert not nn.Parameter(pyml.zeros(2), requires_grad=False).requires_grad
    assert not nn.Parameter(pyml.zeros(2), False).requires_grad
    frozen = nn.Parameter(pyml.tensor([1, 2]), requires_grad=False)
    assert frozen.dtype == np.int64
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(pyml.tensor([1, 2]))


def test_default_is_empty():
    assert nn.Parameter().shape == (0,)


def test_of_a_computed_tensor_is_a_leaf():
    x = pyml.ones(2, requires_grad=True) * 2
    p = nn.Parameter(x)
    assert p.is_leaf
    (p * 3).sum().backward()
    assert p.grad.tolist() == [3, 3]


def test_refuses_what_is_not_a_tensor():
    with pytest.raises(TypeError, match=r"data must be a Tensor, not list; pyml.tensor\(data\)"):
        nn.Parameter([1.0])


def test_repr():
    assert repr(nn.Parameter(pyml.ones(2))) == (
        "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    )


def test_is_in_the_graph():
    p = nn.Parameter(pyml.tensor([1.0, -2.0], dtype=pyml.float64))
    (p * p).sum().backward()
    assert p.grad.tolist() == [2, -4]
    assert type(p * 2) is pyml.Tensor
    assert type(p.detach()) is pyml.Tensor


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_copies_have_the_values_and_not_the_gradient(copied, requires_grad):
    p = nn.Parameter(pyml.tensor([1.0, 2.0]), requires_grad)
    p.grad = pyml.ones(2)
    q = copied(p)
    assert type(q) is nn.Parameter
    assert q.requires_grad is requires_grad
    assert q.grad is None
    assert q.tolist() == [1, 2]
    q.array[0] = 7
    assert p.tolist() == [1, 2]


def test_deepcopy_keeps_sharing():
    p = nn.Parameter(pyml.zeros(1))
    first, second = copy.deepcopy([p, p])
    assert first is second


def test_integers_cannot_require_grad():
    with pytest.raises(RuntimeError, match="only floating point"):
        nn.Parameter(pyml.arange(3))
    assert nn.Parameter(pyml.arange(3), requires_grad=False).tolist() == [0, 1, 2]
