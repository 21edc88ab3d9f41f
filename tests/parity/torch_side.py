"""The same thing in torch and in pyml: inputs handed over, results compared."""

import math

import numpy as np
import torch

import pyml
from helpers.compare import assert_close

# relative; times sqrt(k) for sums of k terms in float32
TOLERANCE = {"float32": 1e-5, "float64": 1e-7}


def pair(array, requires_grad=False):
    """(torch tensor, pyml tensor) of the values of an array, each with its own memory."""
    array = np.array(array)
    return (
        torch.tensor(array, requires_grad=requires_grad),
        pyml.tensor(array, requires_grad=requires_grad),
    )


def array_of(tensor):
    return None if tensor is None else np.array(tensor.detach().numpy())


def assert_parity(got, wanted, k=1, least=0):
    """A pyml tensor equals a torch tensor, relative to each number and a tenth of the largest.

    Where all numbers are what is left of larger ones, `least` is a tenth of those.
    """
    got, wanted = array_of(got), array_of(wanted)
    if wanted is None or got is None:
        assert got is wanted
        return
    assert got.dtype == wanted.dtype
    if wanted.dtype.kind != "f" or wanted.size == 0:
        np.testing.assert_array_equal(got, wanted)
        return
    tolerance = TOLERANCE[wanted.dtype.name] * (math.sqrt(k) if wanted.dtype == "float32" else 1)
    finite = np.abs(wanted[np.isfinite(wanted)])
    scale = np.maximum(np.abs(wanted), max(finite.max(initial=0) / 10, least))
    assert_close(got, wanted, tolerance / np.finfo(wanted.dtype).eps, scale)


def assert_state_parity(module, reference, k=1, gradients=True):
    """Parameters, their gradients, and buffers."""
    state, wanted = module.state_dict(keep_vars=True), reference.state_dict(keep_vars=True)
    assert list(state) == list(wanted)
    for name in wanted:
        assert_parity(state[name], wanted[name], k)
        if gradients:
            assert_parity(state[name].grad, wanted[name].grad, k)


def load_from_torch(module, reference):
    module.load_state_dict({name: array_of(t) for name, t in reference.state_dict().items()})
