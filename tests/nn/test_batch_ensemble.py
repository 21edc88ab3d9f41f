"""Layers of TabM: their definitions, initial values, derivatives, errors, in recorded steps."""

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.autograd import gradcheck, gradgradcheck

X = np.random.default_rng(2).normal(size=(5, 4, 3))  # rows, members, features

LAYERS = {
    "affine": lambda **o: nn.ElementwiseAffine(4, 3, **o),
    "affine with bias": lambda **o: nn.ElementwiseAffine(4, 3, "normal", [1, 2], True, **o),
    "members": lambda **o: nn.LinearEnsemble(3, 2, k=4, **o),
    "members without bias": lambda **o: nn.LinearEnsemble(3, 2, False, k=4, **o),
    "shared": lambda **o: nn.LinearBatchEnsemble(3, 2, k=4, **o),
    "shared without bias": lambda **o: nn.LinearBatchEnsemble(
        3, 2, False, k=4, scaling_init=("random-signs", "ones"), **o
    ),
}


def drawn(name, dtype):
    """A layer whose parameters are all random numbers."""
    pyml.manual_seed(0)
    layer = LAYERS[name](dtype=dtype)
    for p in layer.parameters():
        nn.init.normal_(p)
    return layer


def by_numpy(layer, x):
    """A member at a time."""
    given = {n: p.detach().numpy() for n, p in layer.named_parameters()}
    made = []
    for i in range(x.shape[1]):
        if "r" in given:
            y = (x[:, i] * given["r"][i]) @ given["weight"].T * given["s"][i]
        elif isinstance(layer, nn.LinearEnsemble):
            y = x[:, i] @ given["weight"][i]
        else:
            y = x[:, i] * given["weight"][i]
        made.append(y + (given["bias"][i] if "bias" in given else 0))
    return np.stack(made, 1)


@pytest.mark.parametrize("name", LAYERS)
def test_definition(name, dtype):
    layer, x = drawn(name, dtype), X.astype(dtype)
    y = layer(pyml.tensor(x))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.detach().numpy(), by_numpy(layer, x), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_the_same_rows_for_all_members(name):
    layer, x = drawn(name, np.float32), pyml.tensor(X[:, 0], dtype=pyml.float32)
    view = nn.EnsembleView(4)
    y = layer(view(x))
    assert view(y) is y
    wanted = by_numpy(layer, np.repeat(x.numpy()[:, None], 4, 1))
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives(name):
    layer = drawn(name, np.float64)
    for x, view in ((X, nn.Identity()), (X[:, 0], nn.EnsembleView(4))):
        given = pyml.tensor(x, requires_grad=True), *layer.parameters()
        assert gradcheck(lambda x, *_, v=view: layer(v(x)), given)
        assert gradgradcheck(lambda x, *_, v=view: layer(v(x)), given)


def test_initial_values():
    pyml.manual_seed(0)
    layer = nn.LinearBatchEnsemble(
        6, 9, k=50, scaling_init=("normal", "ones"), first_scaling_init_chunks=[1, 2, 3]
    )
    bound, parameters = 1 / np.sqrt(6), {n: p.detach() for n, p in layer.named_parameters()}
    assert (parameters["s"] == 1).all() and (parameters["bias"] == parameters["bias"][0]).all()
    for name in ("weight", "bias"):
        values = parameters[name].numpy()
        assert np.abs(values).max() <= bound and len(np.unique(values)) > 8
    r = parameters["r"].numpy()
    assert (r[:, 1] == r[:, 2]).all() and (r[:, 3:] == r[:, 3:4]).all()
    assert len(np.unique(r)) == 150 and np.abs(r).max() > 2
    signs = nn.ElementwiseAffine(50, 6).weight.detach().numpy()
    assert set(signs.ravel()) == {-1.0, 1.0} and 100 < (signs > 0).sum() < 200
    ends = np.abs(nn.LinearEnsemble(6, 9, k=50).weight.detach().numpy())
    assert 0.99 * bound < ends.max() <= bound


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_steps_give_the_same_bits(name, dtype):
    layer = drawn(name, dtype)
    parameters = list(layer.parameters())
    view = nn.EnsembleView(4)

    def step(x):
        for p in parameters:
            p.grad = None
        loss = layer(view(x)).square().mean()
        loss.backward()
        return [loss.detach()] + [p.grad.clone() for p in parameters]

    recorded = pyml.record(step)
    for i in range(5):
        x = pyml.tensor(X[:, i % 4].astype(dtype))
        for a, b in zip(step(x), recorded(x), strict=True):
            assert (a == b).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.EnsembleView(0), ValueError, "EnsembleView: k is 0"),
        (lambda: nn.EnsembleView(4)(pyml.zeros(5)), ValueError, r"must be \(n, d\) or \(n, 4, d\)"),
        (lambda: nn.EnsembleView(4)(pyml.zeros(5, 3, 2)), ValueError, "with k in the middle"),
        (lambda: nn.ElementwiseAffine(4, 3, "zeros"), ValueError, "scaling_init is 'zeros'"),
        (lambda: nn.ElementwiseAffine(4, 3, chunks=[1, 1]), ValueError, "sum up to 2"),
        (lambda: nn.ElementwiseAffine(4, 3, chunks=[0, 3]), ValueError, r"chunks\[0\] is 0"),
        (lambda: nn.ElementwiseAffine(4, 3)(pyml.zeros(4, 2)), ValueError, "num_features, 3"),
        (lambda: nn.ElementwiseAffine(4, 3)(pyml.zeros(5, 3)), ValueError, "nn.EnsembleView"),
        (lambda: nn.LinearEnsemble(3, 2, k=4)(pyml.zeros(5, 3)), ValueError, "must end in"),
        (lambda: nn.LinearBatchEnsemble(3, 2, k=4)(pyml.zeros(3)), ValueError, "must end in"),
        (lambda: nn.LinearBatchEnsemble(3, 0, k=4), ValueError, "out_features is 0"),
        (
            lambda: nn.LinearBatchEnsemble(3, 2, k=4, scaling_init=("ones",)),
            ValueError,
            "or a pair",
        ),
        (
            lambda: nn.LinearBatchEnsemble(3, 2, k=4, scaling_init=("ones", "x")),
            ValueError,
            "scaling_init is 'x'",
        ),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error, match=words):
        make()
