"""Tensors in memory that processes share."""

import multiprocessing
import pickle

import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.ops import sharing


def train(model, part, queue):
    """A step of another process; what it was given goes back."""
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    model(pyml.ones(1, 2)).sum().backward()
    optimizer.step()
    part[1] = 7.0
    queue.put((part, [p.is_shared() for p in (*model.parameters(), part)]))
    queue.get()  # the memory is there until the other has it


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_changes_them(method):
    context = multiprocessing.get_context(method)
    model, whole = nn.Linear(2, 1), pyml.zeros(4, 2).share_memory_()
    weights, there = model.weight, context.Queue()
    assert not weights.is_shared() and model.share_memory() is model
    assert model.weight is weights and weights.is_shared()
    before = weights.tolist()
    column, back = whole.t()[0], context.Queue()
    queues = QueuePair(there, back)
    process = context.Process(target=train, args=(model, column, queues))
    process.start()
    part, shared = there.get()
    assert shared == [True, True, True] and part.is_shared() and type(part) is pyml.Tensor
    part[0] = 5.0
    back.put(None)
    process.join(60)
    assert process.exitcode == 0
    np.testing.assert_allclose(weights.tolist(), np.subtract(before, 1), rtol=1e-5, atol=1e-6)
    assert whole.tolist() == [[5, 0], [7, 0], [0, 0], [0, 0]]


class QueuePair:
    """What is put goes one way, what is got comes the other."""

    def __init__(self, there, back):
        self.put, self.get = there.put, back.get


def test_what_is_not_shared_is_copied():
    x = pyml.arange(4.0)
    assert not x.is_shared()
    y = pickle.loads(pickle.dumps(x.share_memory_()))  # a file has values
    assert x.is_shared() and not y.is_shared() and y.tolist() == [0, 1, 2, 3]
    memory = x.data_ptr()
    assert x.share_memory_() is x and x.data_ptr() == memory
    assert x[1:].is_shared() and not (x * 1).is_shared()
    assert not pyml.empty(0).share_memory_().is_shared()


def test_parameters_keep_what_they_are():
    p = nn.Parameter(pyml.ones(2, 2, dtype=pyml.float64))
    p.sum().backward()
    nn.ParameterList([p]).share_memory()
    assert p.requires_grad and p.is_leaf and p.dtype == pyml.float64
    assert p.grad.is_shared() and p.grad.tolist() == [[1, 1], [1, 1]]


def test_a_system_without_files_in_memory(monkeypatch):
    monkeypatch.delattr(sharing.os, "memfd_create")
    x = pyml.ones(2)
    with pytest.raises(NotImplementedError, match="no files in memory"):
        x.share_memory_()
    assert not x.is_shared() and x.tolist() == [1, 1]
