"""autograd.graph: nodes, and versions of what backward needs."""

import pytest

import pyml
from pyml.autograd import graph


def test_nodes():
    y = pyml.ones(2, requires_grad=True).exp()
    assert isinstance(y.grad_fn, graph.Node)
    assert isinstance(y.grad_fn.next_functions[0][0], graph.Node)


@pytest.mark.parametrize("together", [False, True])
def test_changes_that_backward_is_told_of(together):
    w, x, z = pyml.ones(2, requires_grad=True), pyml.ones(2), pyml.ones(2)
    y = (w * x).sum()
    x.numpy()[0] = 5.0
    version = x._version
    graph.increment_version([z, x] if together else x)
    assert x._version > version and (z._version > 0) == together
    with pytest.raises(RuntimeError, match="backward needs was changed in place"):
        y.backward()


def test_versions_of_what_is_no_tensor():
    x = pyml.ones(2)
    with pytest.raises(TypeError, match="increment_version: item 1 is a int"):
        graph.increment_version([x, 3])
    assert x._version == 0


def test_what_is_on_the_cpu_already():
    x = pyml.ones(2, requires_grad=True)
    with graph.save_on_cpu(pin_memory=True), graph.disable_saved_tensors_hooks("none"):
        y = x.exp()
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
