"""vmap: against a loop, and what is refused; torch is in tests/parity."""

import numpy as np
import pytest

import pyml
from pyml import func
from pyml.nn import functional as F

X = pyml.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_dimensions():
    got = func.vmap(lambda x: x.cumsum(0), in_dims=1, out_dims=1)(X)
    np.testing.assert_array_equal(got.numpy(), X.cumsum(0).numpy())
    a, b = func.vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(X)
    np.testing.assert_array_equal(a.numpy(), X.numpy().T)
    np.testing.assert_array_equal(b.numpy(), [6, 15])


def test_gradients_of_each_sample():
    w = pyml.tensor([0.5, -1.0, 2.0])
    rows = func.vmap(func.grad(lambda w, x: (w * x).sum() ** 2), in_dims=(None, 0))(w, X)
    wanted = 2 * (X @ w).numpy()[:, None] * X.numpy()
    np.testing.assert_allclose(rows.numpy(), wanted)


def test_randomness():
    def noisy(x):
        return F.dropout(pyml.ones(100), 0.5)

    with pytest.raises(RuntimeError, match="vmap: func drew random numbers"):
        func.vmap(noisy)(X)
    a, b = func.vmap(noisy, randomness="different")(X)
    assert not pyml.equal(a, b)
    a, b = func.vmap(noisy, randomness="same")(X)
    assert pyml.equal(a, b)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: func.vmap(pyml.sin, in_dims=None)(X), ValueError, "in_dims is None for all"),
        (lambda: func.vmap(pyml.sin, in_dims=2)(X), ValueError, "in_dims is 2 for a tensor of 2"),
        (lambda: func.vmap(pyml.sin, in_dims=(0, 0))(X), ValueError, "does not fit the arguments"),
        (lambda: func.vmap(pyml.sin, in_dims="0")(X), TypeError, "in_dims is '0'"),
        (lambda: func.vmap(pyml.add)(X, 3), TypeError, "None for what is no Tensor"),
        (lambda: func.vmap(pyml.add)(X, X.T), ValueError, r"have the sizes \[2, 3\]"),
        (lambda: func.vmap(pyml.sin)(X[:0]), ValueError, "is empty"),
        (lambda: func.vmap(lambda x: 3)(X), TypeError, "func returned 3"),
        (lambda: func.vmap(pyml.sin, out_dims=(0, 0))(X), ValueError, "out_dims does not fit"),
        (lambda: func.vmap(pyml.sin, out_dims=None)(X), TypeError, "out_dims is None"),
        (lambda: func.vmap(pyml.sin, randomness="no"), ValueError, "randomness is 'no'"),
        (lambda: func.vmap(pyml.sin, chunk_size=0.5), TypeError, "chunk_size is 0.5"),
    ],
)
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
