"""What all distributions share: checks, subclasses, divergences by class."""

import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import distributions as d
from pyml.distributions import constraints
from pyml.distributions.utils import broadcast_all


@pytest.fixture
def unchecked():
    d.Distribution.set_default_validate_args(False)
    yield
    d.Distribution.set_default_validate_args(True)


def test_the_default_of_checks(unchecked):
    assert d.Normal(0.0, -1.0).scale.item() == -1
    assert d.Exponential(1.0).log_prob(pyml.tensor(-1.0)).item() == 1
    with pytest.raises(ValueError, match="scale must satisfy GreaterThan"):
        d.Normal(0.0, -1.0, validate_args=True)


def test_messages():
    with pytest.raises(ValueError, match=r"(?s)Normal: scale must satisfy .*lower_bound=0.0.*-1"):
        d.Normal(pyml.zeros(2), pyml.tensor([1.0, -1.0]))
    with pytest.raises(TypeError, match="a parameter is a list"):
        d.Normal([0.0], 1.0)
    with pytest.raises(TypeError, match="logits is a list"):
        d.Categorical(logits=[0.0])
    with pytest.raises(ValueError, match="do not broadcast"):
        d.Normal(pyml.zeros(2), pyml.ones(3))
    with pytest.raises(ValueError, match="as many rows and columns"):
        d.MultivariateNormal(pyml.zeros(2), pyml.eye(3))
    with pytest.raises(TypeError, match="covariance_matrix is a list"):
        d.MultivariateNormal(pyml.zeros(2), [[1.0]])
    with pytest.raises(ValueError, match="no Cholesky factor"):
        d.MultivariateNormal(pyml.zeros(2), pyml.zeros(2, 2), validate_args=False)
    with pytest.raises(TypeError, match="must be a Distribution"):
        d.Independent(3, 1)


@pytest.mark.parametrize("shape", [(), (1,), (2, 1)])
def test_a_value_has_the_whole_event(shape):
    """A size of 1 would broadcast, and a number would be taken for every one of them."""
    p = d.MultivariateNormal(pyml.zeros(2), pyml.eye(2))
    with pytest.raises(ValueError, match="last sizes must be event_shape"):
        p.log_prob(pyml.zeros(*shape))


def test_numbers_become_tensors_of_the_others_dtype():
    a, b, c = broadcast_all(1, pyml.ones(2, dtype=pyml.float64), True)
    assert (a.dtype, c.dtype, b.shape, a.shape) == (pyml.float64, pyml.float64, (2,), (2,))
    assert broadcast_all(1)[0].dtype == pyml.float32


@pytest.mark.parametrize("name", ["RelaxedBernoulli", "RelaxedOneHotCategorical"])
def test_a_number_as_temperature_has_the_digits_of_the_logits(name):
    logits = pyml.tensor([0.5, -1.0, 0.0], dtype=pyml.float64)
    value = pyml.tensor([0.2, 0.5, 0.3], dtype=pyml.float64)
    tensor = pyml.tensor(0.7, dtype=pyml.float64)
    got, wanted = (getattr(d, name)(t, logits=logits).log_prob(value) for t in (0.7, tensor))
    assert got.dtype == pyml.float64 and got.tolist() == wanted.tolist()


def test_subclasses():
    class Plain(d.Normal):
        pass

    class Own(d.Normal):
        def __init__(self, loc):
            super().__init__(loc, 1.0)

    assert type(Plain(0.0, 1.0).expand((2,))) is Plain
    with pytest.raises(NotImplementedError, match="must have an expand of its own"):
        Own(0.0).expand((2,))

    class Triangle(d.Distribution):
        arg_constraints = {"width": constraints.positive}  # noqa: RUF012
        support = constraints.real

        def __init__(self, width, validate_args=None):
            self.width = width
            super().__init__(width.shape, validate_args=validate_args)

        def log_prob(self, value):
            self._validate_sample(value)
            return -(value / self.width).abs()

    triangle = Triangle(pyml.ones(2))
    assert triangle.log_prob(pyml.ones(2)).tolist() == [-1, -1]
    assert repr(triangle) == "Triangle(width: (2,))"
    with pytest.raises(ValueError, match="width must satisfy"):
        Triangle(-pyml.ones(2))
    for name in ("mean", "variance", "mode", "stddev"):
        with pytest.raises(NotImplementedError, match="is not there"):
            getattr(triangle, name)
    for name in ("entropy", "enumerate_support", "sample", "rsample"):
        with pytest.raises(NotImplementedError, match="is not there"):
            getattr(triangle, name)()
    with pytest.raises(NotImplementedError, match="expand is not there"):
        triangle.expand((3, 2))


def test_what_a_subclass_leaves_out_warns():
    with pytest.warns(UserWarning, match="no arg_constraints"):
        bare = d.Distribution()
    assert repr(bare) == "Distribution()"
    with pytest.warns(UserWarning, match="has no support"):
        bare._validate_sample(pyml.ones(()))
    with pytest.warns(FutureWarning, match="use sample"):
        assert d.Normal(0.0, 1.0).sample_n(3).shape == (3,)


def test_copies():
    for p in (d.Normal(0.0, 1.0), d.Categorical(logits=pyml.zeros(3)), d.Beta(1.0, 2.0)):
        for q in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
            assert q.entropy().tolist() == p.entropy().tolist()


def test_impossible_categories_are_not_drawn(dtype):
    pyml.manual_seed(0)
    p = d.Categorical(pyml.tensor([0.0, 1e-30, 1.0, 0.0], dtype=dtype), validate_args=False)
    assert set(p.sample((20_000,)).tolist()) == {2}
    logits = pyml.tensor([-np.inf, 0.0, -np.inf], dtype=dtype)
    assert set(d.Categorical(logits=logits).sample((1000,)).tolist()) == {1}
    assert d.Categorical(logits=logits).log_prob(pyml.tensor(0)).item() == -np.inf
    assert d.Categorical(logits=logits).entropy().item() == 0


def test_certain_coins(dtype):
    p = d.Bernoulli(pyml.tensor([0.0, 1.0], dtype=dtype))
    assert p.sample((1000,)).mean(0).tolist() == [0, 1]
    far = d.Bernoulli(logits=pyml.tensor([1e4, -1e4], dtype=dtype))
    assert far.log_prob(pyml.tensor([0.0, 1.0], dtype=dtype)).tolist() == [-1e4, -1e4]


def test_tails_of_the_normal_distribution(dtype):
    """cdf has digits where 1 + erf would have none."""
    value = pyml.tensor([-5.0], dtype=dtype)
    cdf = d.Normal(pyml.zeros(1, dtype=dtype), 1.0).cdf(value).item()
    assert cdf == pytest.approx(2.8665157187919391e-07, rel=1e-5)


def test_small_concentrations(dtype):
    """Draws of Dirichlet are finite where gamma variables are smaller than any number."""
    draws = d.Dirichlet(pyml.full((100, 3), 1e-4, dtype=dtype)).sample()
    assert draws.isfinite().all() and ((draws.sum(-1) - 1).abs() < 1e-5).all()


def test_a_batch_of_covariances_broadcasts_with_values(dtype):
    factors = pyml.tensor([[[1.0, 0], [0.5, 2]], [[3, 0], [-1, 1]]], dtype=dtype)
    p = d.MultivariateNormal(pyml.zeros(2, dtype=dtype), scale_tril=factors)
    value = pyml.tensor(np.linspace(-1, 1, 20).reshape(5, 2, 2), dtype=dtype)
    for k in range(2):
        covariance = (factors[k] @ factors[k].mT).double().numpy()
        x = value[:, k].double().numpy()
        wanted = -0.5 * np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        wanted -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
        np.testing.assert_allclose(p.log_prob(value)[:, k].numpy(), wanted, rtol=1e-5)


# ---- divergences ---------------------------------------------------------------------------------


class Near(d.Normal):
    pass


class Nearer(Near):
    pass


def test_the_nearest_function_is_taken(monkeypatch):
    table = d.kl.DIVERGENCES
    monkeypatch.setattr(d.kl, "DIVERGENCES", dict(table))
    p, q = Nearer(0.0, 1.0), d.Normal(1.0, 1.0)
    assert d.kl_divergence(p, q).item() == 0.5
    d.register_kl(Near, d.Normal)(lambda p, q: "near")
    assert d.kl_divergence(p, q) == "near" and d.kl_divergence(q, q).item() == 0
    d.register_kl(Nearer, d.Normal)(lambda p, q: "nearer")
    assert d.kl_divergence(p, q) == "nearer"
    d.register_kl(d.Normal, Nearer)(lambda p, q: "other")
    with pytest.warns(RuntimeWarning, match="two functions are as near"):
        d.kl_divergence(p, Nearer(0.0, 1.0))


def test_divergences_that_are_not_known():
    p, q = d.Normal(0.0, 1.0), d.Bernoulli(0.5)
    with pytest.raises(NotImplementedError, match="of a Normal and a Bernoulli is not known"):
        d.kl_divergence(p, q)
    with pytest.raises(TypeError, match="type_q is 3"):
        d.register_kl(d.Normal, 3)
    with pytest.raises(NotImplementedError, match="other transforms"):
        d.kl_divergence(
            d.TransformedDistribution(p, d.ExpTransform()),
            d.TransformedDistribution(p, d.TanhTransform()),
        )
    wide = d.Normal(pyml.zeros(2, 2), 1.0)
    with pytest.raises(NotImplementedError, match="reinterpreted_batch_ndims"):
        d.kl_divergence(d.Independent(wide, 1), d.Independent(wide, 2))
    assert d.kl_divergence(d.Independent(wide, 1), d.Independent(wide, 1)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (d.Gamma(2.0, 1.0), d.Gamma(3.0, 0.5)),
        (d.Gamma(2.0, 1.0), d.Normal(1.0, 2.0)),
        (d.Beta(2.0, 3.0), d.Gamma(2.0, 1.0)),
        (d.Normal(0.5, 1.0), d.Laplace(0.0, 2.0)),
        (d.Uniform(0.2, 0.7), d.Beta(2.0, 3.0)),
        (d.Exponential(2.0), d.Gamma(3.0, 0.5)),
        (d.Categorical(pyml.tensor([0.2, 0.8])), d.Categorical(pyml.tensor([0.5, 0.5]))),
    ],
    ids=lambda x: type(x).__name__,
)
def test_divergences_against_draws(p, q):
    pyml.manual_seed(1)
    x = p.sample((50_000,))
    terms = (p.log_prob(x) - q.log_prob(x)).numpy().astype(float)
    wanted = terms.mean()
    assert abs(d.kl_divergence(p, q).item() - wanted) < 6 * terms.std() / np.sqrt(50_000)


# ---- mixtures ------------------------------------------------------------------------------------


def mixture_of(component):
    return d.MixtureSameFamily(d.Categorical(pyml.tensor([0.25, 0.75])), component)


@pytest.mark.parametrize("batch", [(3, 3), (2, 2), (3, 5, 2)])
def test_components_that_do_not_fit_a_mixture(batch):
    mixture = d.Categorical(pyml.ones(3, 2))
    with pytest.raises(ValueError, match=r"the mixture needs \(3, 2\)"):
        d.MixtureSameFamily(mixture, d.Normal(pyml.zeros(*batch), 1.0))


def test_a_mixture(dtype):
    pyml.manual_seed(2)
    loc, scale = pyml.tensor([-1.0, 2.0], dtype=dtype), pyml.tensor([0.5, 1.0], dtype=dtype)
    p = mixture_of(d.Normal(loc, scale))
    x = p.sample((50_000,)).numpy().astype(float)
    assert p.batch_shape == p.event_shape == () and x.shape == (50_000,)
    assert p.mean.item() == pytest.approx(0.25 * -1 + 0.75 * 2)
    assert abs(x.mean() - p.mean.item()) < 6 * np.sqrt(p.variance.item() / len(x))
    assert abs(x.var() - p.variance.item()) < 0.06
    at = pyml.tensor([0.5], dtype=dtype)
    assert abs((x < 0.5).mean() - p.cdf(at).item()) < 0.014
    parts = d.Normal(loc, scale).log_prob(at.unsqueeze(-1)).exp().numpy()[0]
    assert p.log_prob(at).exp().item() == pytest.approx(0.25 * parts[0] + 0.75 * parts[1], rel=1e-5)
    assert p.expand((4,)).sample((3,)).shape == (3, 4)
    assert repr(p).startswith("MixtureSameFamily(")


def test_a_mixture_of_vectors():
    p = mixture_of(d.MultivariateNormal(pyml.zeros(2, 3), pyml.eye(3)))
    assert p.event_shape == (3,) and p.sample((5,)).shape == (5, 3)
    assert p.log_prob(pyml.zeros(5, 3)).shape == (5,)
    assert p.mean.shape == p.variance.shape == (3,)
    with pytest.raises(ValueError, match="within the support"):
        p.log_prob(pyml.full((3,), np.nan))


def test_mixtures_that_do_not_fit():
    with pytest.raises(ValueError, match=r"batch_shape \(3,\), the mixture needs \(2,\)"):
        mixture_of(d.Normal(pyml.zeros(3), 1.0))
    with pytest.raises(TypeError, match="must be a Categorical"):
        d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(0.0, 1.0))
    with pytest.raises(TypeError, match="must be a Distribution"):
        mixture_of(3)


def test_a_recorded_mixture():
    """A mixture density network's loss and draws: the bits of the eager ones."""

    def step(x):
        w = x + weight
        p = d.MixtureSameFamily(d.Categorical(logits=w[:, :2]), d.Normal(w[:, 2:4], w[:, 4:].exp()))
        weight.grad = None
        loss = -p.log_prob(x[:, 0]).mean()
        loss.backward()
        return loss, p.sample()

    weight = pyml.zeros(6, requires_grad=True)
    rng = np.random.default_rng(0)
    inputs = [pyml.from_numpy(rng.normal(size=(7, 6)).astype("float32")) for _ in range(6)]
    seen = []
    for function in (step, pyml.record(step)):
        pyml.manual_seed(0)
        seen.append([[*function(x), weight.grad.clone()] for x in inputs])
    for a, b in zip(*seen, strict=True):
        assert [x.tolist() for x in a] == [x.tolist() for x in b]
