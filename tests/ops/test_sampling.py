"""Draws by kernels; what is random in them is tested in tests/kernels/test_special.py."""

import math

import numpy as np
import pytest

import pyml
from pyml.autograd import grad
from pyml.ops.sampling import log_gamma_variable, poisson

DRAWS = 50_000


@pytest.mark.parametrize("a", [0.3, 1.0, 2.5, 40.0])
def test_gradients_of_gamma_variables(a, dtype):
    """The mean of d log x / da is d digamma / da; that of dx / da is 1; to six standard errors."""
    pyml.manual_seed(1)
    x = pyml.full((DRAWS,), a, dtype=dtype, requires_grad=True)
    y = log_gamma_variable(x)
    for z, wanted in ((y, pyml.polygamma(1, pyml.tensor(a)).item()), (y.exp(), 1.0)):
        (slopes,) = grad(z.sum(), x, retain_graph=True)
        slopes = slopes.numpy().astype(float)
        assert abs(slopes.mean() - wanted) < 6 * slopes.std() / np.sqrt(DRAWS) + 1e-4 * wanted


def test_second_derivatives_are_refused():
    x = pyml.ones(2, requires_grad=True)
    (dx,) = grad(log_gamma_variable(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        dx.sum().backward()


@pytest.mark.parametrize("draw", [poisson, log_gamma_variable])
def test_layouts_and_generators(draw):
    x = pyml.tensor(np.linspace(0.5, 3, 6).reshape(2, 3))
    first = draw(x, pyml.Generator(3))
    assert first.shape == (2, 3) and first.dtype == pyml.float64
    assert first.tolist() == draw(x.T.contiguous().T, pyml.Generator(3)).tolist()
    assert first.tolist() != draw(x, pyml.Generator(4)).tolist()
    with pytest.raises(TypeError, match="must be a Generator"):
        draw(x, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.bernoulli_(pyml.ones(2) / 2),
        lambda x: pyml.bernoulli(x, pyml.ones(2) / 2),
        lambda x: x.cauchy_("a"),
        lambda x: x.cauchy_(pyml.ones(2)),
        lambda x: x.expand(2, 3).normal_(),
        lambda x: pyml.nn.functional.rrelu(x.requires_grad_(), training=True, inplace=True),
        lambda x: pyml.nn.functional.dropout(x.requires_grad_(), inplace=True),
        lambda x: pyml.nn.functional.alpha_dropout(x.requires_grad_(), 0.5, True, True),
        lambda x: pyml.nn.init.trunc_normal_(x.expand(2, 3)),
        lambda x: pyml.nn.init.orthogonal_(x.expand(2, 3)),
        lambda x: x.requires_grad_().log_normal_(),
        lambda x: pyml.distributions.RelaxedBernoulli(pyml.ones(2), probs=x + 0.5).sample(),
    ],
    ids=range(12),
)
def test_a_refused_call_has_drawn_nothing(call):
    pyml.manual_seed(0)
    before = pyml.get_rng_state()
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        call(pyml.zeros(3))
    assert (pyml.get_rng_state() == before).all()


def test_binomial_of_counts_that_broadcast():
    count = pyml.tensor([[20.0], [3.0], [0.0]])
    prob = pyml.tensor([0.0, 0.5, 1.0], requires_grad=True)
    drawn = pyml.stack([pyml.binomial(count, prob) for _ in range(2000)])
    assert not drawn.requires_grad
    np.testing.assert_array_equal(drawn[..., 0].numpy(), 0)
    np.testing.assert_array_equal(drawn[..., 2].numpy(), np.broadcast_to([20, 3, 0], (2000, 3)))
    half = drawn[..., 1].numpy()
    np.testing.assert_allclose(half.mean(0), [10, 1.5, 0], atol=0.25)  # five standard errors
    np.testing.assert_allclose(half.var(0), [5, 0.75, 0], atol=0.8)
    generator = pyml.Generator().manual_seed(1)
    once = pyml.binomial(count, prob, generator)
    assert once.tolist() == pyml.binomial(count, prob, generator.manual_seed(1)).tolist()


@pytest.mark.parametrize(
    ("count", "prob", "error", "match"),
    [
        ([1], [0.5], TypeError, "count has dtype int64"),
        ([1.0], [1], TypeError, "prob has dtype int64"),
        ([1.0], pyml.tensor([0.5], dtype=pyml.float64), TypeError, "must be the same"),
        ([-1.0], [0.5], ValueError, "a count is negative"),
        ([1.5], [0.5], ValueError, "not a whole number"),
        ([math.inf], [0.5], ValueError, "not a whole number"),
        ([1.0], [1.5], ValueError, r"a prob is outside \[0, 1\]"),
        ([1.0], [math.nan], ValueError, r"a prob is outside \[0, 1\], or NaN"),
        ([1.0] * 2, [0.5] * 3, ValueError, "broadcast"),
    ],
)
def test_binomial_refuses(count, prob, error, match):
    state = pyml.get_rng_state()
    with pytest.raises(error, match=match):
        pyml.binomial(pyml.as_tensor(count), pyml.as_tensor(prob))
    assert pyml.get_rng_state().tolist() == state.tolist()
