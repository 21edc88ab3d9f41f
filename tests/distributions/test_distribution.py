"""What all distributions share: checks, subclasses, divergences by class."""

import abc
import copy
import pickle

import numpy as np
import pytest

import pyml
from pyml import distributions as d
from pyml.distributions import constraints, utils
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
    with pytest.raises(TypeError, match="cat: a int among the constraints"):
        constraints.cat([3])
    for bounds in ({}, {"lower_bound": 0.0}, {"lower": 0.0, "upper_bound": 1.0}):
        with pytest.raises(TypeError, match="Interval: takes lower_bound, upper_bound"):
            constraints.interval(**bounds)
    with pytest.raises(TypeError, match="takes lower_bound, upper_bound"):
        constraints.interval(0.0, 1.0, upper_bound=2.0)


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


def test_the_mode_of_a_flat_dirichlet_distribution():
    """Where all concentrations are 1, any point is one; where all are less, the largest is."""
    modes = d.Dirichlet(pyml.tensor([[1.0, 1, 1], [0.5, 0.9, 0.9], [3, 1, 2]])).mode
    assert modes.isnan().all(-1).tolist() == [True, False, False]
    assert modes[1:].tolist() == [[0, 0.5, 0.5], [pytest.approx(2 / 3), 0, pytest.approx(1 / 3)]]


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


# ---- families of their own -----------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.02, 0.49, 0.4989, 0.4995, 0.5, 0.5005, 0.5011, 0.8])
def test_continuous_bernoulli_near_half(p, dtype):
    """Where terms of its formulas cancel: against integrals."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x, weights = (nodes + 1) / 2, weights / 2
    wanted = p**x * (1 - p) ** (1 - x)
    norm = (wanted * weights).sum()
    density = wanted / norm
    mean = (x * density * weights).sum()
    variance = ((x - mean) ** 2 * density * weights).sum()
    entropy = -(np.log(density) * density * weights).sum()
    q = d.ContinuousBernoulli(pyml.tensor(p, dtype=dtype))
    rtol = 2e-6 if dtype == np.float32 else 1e-10
    assert q.mean.item() == pytest.approx(mean, rel=rtol)
    assert q.variance.item() == pytest.approx(variance, rel=rtol)
    assert q.entropy().item() == pytest.approx(entropy, rel=rtol, abs=rtol)
    at = pyml.tensor([0.1, 0.6], dtype=dtype)
    for value, cdf in zip(at.tolist(), q.cdf(at).tolist(), strict=True):
        part = value * x
        below = (p**part * (1 - p) ** (1 - part) * weights).sum() * value / norm
        assert cdf == pytest.approx(below, rel=rtol)
    np.testing.assert_allclose(q.icdf(q.cdf(at)).numpy(), at.numpy(), rtol=rtol)


def test_generalized_pareto_without_a_tail():
    """Exponential where the concentration is 0, uniform where it is -1."""
    value = pyml.tensor([0.2, 0.7], dtype=pyml.float64)
    p = d.GeneralizedPareto(pyml.zeros((), dtype=pyml.float64), 1.0, 0.0)
    for name in ("log_prob", "cdf", "icdf"):
        wanted = getattr(d.Exponential(pyml.ones((), dtype=pyml.float64)), name)(value)
        np.testing.assert_allclose(getattr(p, name)(value).numpy(), wanted.numpy(), rtol=1e-14)
    flat = d.GeneralizedPareto(0.0, 1.0, -1.0)
    assert flat.log_prob(pyml.tensor([0.0, 0.5, 1.0])).tolist() == [0, 0, 0]
    far = pyml.tensor([800.0], dtype=pyml.float64)
    assert p.log_survival_function(far).item() == -800 and p.log_cdf(far).item() == 0


def test_tails_of_cauchy():
    """cdf has digits where atan + 1/2 would have none."""
    far = pyml.tensor([-1e12], dtype=pyml.float64)
    scale = pyml.ones((), dtype=pyml.float64)
    assert d.Cauchy(0.0, scale).cdf(far).item() == pytest.approx(1e-12 / np.pi, rel=1e-12)
    assert d.HalfCauchy(scale).cdf(-1 / far).item() == pytest.approx(2e-12 / np.pi, rel=1e-12)
    assert d.HalfCauchy(scale).icdf(-1 / far).item() == pytest.approx(np.pi / 2e12, rel=1e-12)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_correlations(dim, dtype):
    """Each correlation is, from -1 to 1, of Beta(c - 1 + dim/2, c - 1 + dim/2)."""
    pyml.manual_seed(5)
    p = d.LKJCholesky(dim, pyml.tensor(1.5, dtype=dtype))
    factor = p.sample((20_000,))
    correlations = (factor @ factor.mT).double().numpy()
    a = 1.5 - 1 + dim / 2
    for i, j in zip(*np.tril_indices(dim, -1), strict=True):
        r = correlations[:, i, j]
        variance = 1 / (2 * a + 1)
        assert abs(r.mean()) < 6 * np.sqrt(variance / len(r))
        assert abs(r.var() - variance) < 6 * (r**2).std() / np.sqrt(len(r))
    assert p.support.check(factor).all()


@pytest.mark.parametrize("probs", [[1.0], [0.3, 0.0, 0.7], [0.1, 0.2, 0.3, 0.05, 0.35]])
@pytest.mark.parametrize("count", [0, 3, 100_000])
def test_multinomial_counts(probs, count, dtype):
    pyml.manual_seed(1)
    p = d.Multinomial(count, pyml.tensor(probs, dtype=dtype))
    x = p.sample((2000,)).numpy().astype(float)
    assert (x.sum(-1) == count).all() and (x >= 0).all()
    share = np.array(probs) / np.sum(probs)
    covariance = count * (np.diag(share) - np.outer(share, share))
    error = np.abs(x.mean(0) - count * share)
    assert (error <= 6 * np.sqrt(np.diag(covariance) / 2000) + 1e-9).all()
    if len(probs) > 1:
        spread = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        assert (np.abs(np.cov(x.T) - covariance) <= 0.2 * spread + 1e-9).all()
    if count:
        assert p.log_prob(p.sample()).isfinite()


def test_counts_of_trials():
    counts = pyml.tensor([3, 5])
    p = d.Binomial(counts, pyml.tensor([0.5, 0.25], dtype=pyml.float64))
    assert p.total_count.dtype == pyml.float64 and p.mean.tolist() == [1.5, 1.25]
    for call in (p.entropy, p.enumerate_support):
        with pytest.raises(NotImplementedError, match="total_count has several values"):
            call()
    assert d.Binomial(counts[:1], 0.5).enumerate_support().tolist() == [[0], [1], [2], [3]]
    with pytest.raises(NotImplementedError, match="first total_count is smaller"):
        d.kl_divergence(d.Binomial(2, 0.5), d.Binomial(3, 0.5))
    assert d.kl_divergence(d.Binomial(3, 0.5), d.Binomial(2, 0.5)).item() == np.inf
    assert d.NegativeBinomial(0, 0.5).log_prob(pyml.tensor([0.0, 1.0])).tolist() == [0, -np.inf]
    with pytest.raises(ValueError, match="total_count is -1"):
        d.Multinomial(-1, pyml.ones(2))


def test_a_covariance_of_low_rank(dtype):
    """The same as the whole covariance, of batches that broadcast."""
    factor = pyml.tensor([[[1.0], [0.5], [-1.0]], [[0.0], [2.0], [0.3]]], dtype=dtype)
    diag = pyml.tensor([0.5, 1.0, 2.0], dtype=dtype)
    p = d.LowRankMultivariateNormal(pyml.zeros(3, dtype=dtype), factor, diag)
    q = d.MultivariateNormal(p.loc, p.covariance_matrix)
    value = pyml.tensor(np.linspace(-1, 1, 24).reshape(4, 2, 3), dtype=dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    for one, other in (
        (p.log_prob(value), q.log_prob(value)),
        (p.entropy(), q.entropy()),
        (p.scale_tril, q.scale_tril),
        (p.precision_matrix, q.precision_matrix),
        (p.variance, q.variance),
    ):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=rtol, atol=rtol)
    with pytest.raises(ValueError, match="as many rows and numbers are needed"):
        d.LowRankMultivariateNormal(pyml.zeros(2), factor, diag)


def test_wishart_of_few_degrees():
    with pytest.warns(UserWarning, match="df is below 3"):
        p = d.Wishart(2.5, pyml.eye(3, dtype=pyml.float64))
    pyml.manual_seed(0)
    assert p.support.check(p.sample((500,))).all()
    with pytest.raises(ValueError, match="df must satisfy"):
        d.Wishart(1.0, pyml.eye(2))
    with pytest.raises(ValueError, match="as many rows as columns"):
        d.Wishart(3.0, pyml.ones(2, 3))


def test_an_exponential_family():
    """Entropy and divergence by derivatives of the normaliser: those of Exponential."""

    class Mine(d.Exponential):
        entropy = d.ExponentialFamily.entropy
        _mean_carrier_measure = 0

        @property
        def _natural_params(self):
            return (-self.rate,)

        def _log_normalizer(self, x):
            return -(-x).log()

    p, q = Mine(pyml.tensor([0.5, 2.0])), Mine(pyml.tensor([1.0, 3.0]))
    plain = [d.Exponential(x.rate) for x in (p, q)]
    np.testing.assert_allclose(p.entropy().detach().numpy(), plain[0].entropy().numpy(), rtol=1e-6)
    got = d.kl.kl_exponential_family(p, q)
    np.testing.assert_allclose(got.detach().numpy(), d.kl_divergence(*plain).numpy(), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="_natural_params is not there"):
        d.ExponentialFamily(validate_args=False).entropy()


@pytest.mark.parametrize("make", [lambda: d.Normal(0.0, 1.0), lambda: d.Beta(1.0, 1.0)])
def test_batches_that_no_memory_holds(make):
    assert make().expand(2**31).batch_shape == (2**31,)
    with pytest.raises(ValueError, match="at most"):
        make().expand((2**62, 4))
    wide = d.Independent(d.Normal(pyml.zeros(2), 1.0), 1)
    assert wide.expand(2**31).batch_shape == (2**31,)


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


def test_divergences_from_what_is_no_distribution_of_pyml():
    class Point:
        """As Delta of pyro: it looks like a distribution."""

    class Anything(metaclass=abc.ABCMeta):  # noqa: B024
        """As its base of all, which also those are that are registered."""

    Anything.register(d.Normal)
    d.register_kl(Point, Anything)(lambda p, q: "from a point")
    assert d.kl_divergence(Point(), d.Normal(0.0, 1.0)) == "from a point"
    d.register_kl(Point, d.Normal)(lambda p, q: "nearer")
    assert d.kl_divergence(Point(), d.Normal(0.0, 1.0)) == "nearer"


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


def test_numbers_alone_have_the_default_dtype():
    pyml.set_default_dtype(pyml.float64)
    try:
        assert d.Normal(0, 1).sample().dtype == d.Bernoulli(0.3).entropy().dtype == "float64"
    finally:
        pyml.set_default_dtype(pyml.float32)


def test_lazy_properties_have_gradients_also_of_no_grad():
    class Shifted:
        x = pyml.ones(2, requires_grad=True)
        y = utils.lazy_property(lambda self: self.x + 1)

        y.wrapped.__name__ = "y"

    shifted = Shifted()
    with pyml.no_grad():
        assert shifted.y.requires_grad
    shifted.y.sum().backward()
    assert shifted.x.grad.tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
def test_draws_whose_density_is_finite(dtype):
    """With a = 0.01 most draws of beta distributions are nearer to 0 or 1 than any number."""
    pyml.manual_seed(0)
    a = pyml.tensor(0.01, dtype=dtype)
    x = d.Beta(a, a).sample((1000,))
    assert 0 < x.min() < 1e-30 and 0.999999 < x.max() < 1
    assert d.Beta(a, a).log_prob(x).isfinite().all()
    assert 0.4 < (x < 0.5).double().mean() < 0.6


@pytest.mark.parametrize("diag", [-2, -1, 0, 1])
@pytest.mark.parametrize("n", [2, 4])
def test_lower_triangles(n, diag):
    mat = pyml.tensor(np.random.default_rng(0).normal(size=(3, n, n)))
    vec = utils.tril_matrix_to_vec(mat, diag)
    assert vec.shape == (3, len(np.tril_indices(n, diag)[0]))
    assert pyml.equal(utils.vec_to_tril_matrix(vec, diag), mat.tril(diag))


def test_triangles_that_are_none():
    with pytest.raises(ValueError, match="vec has 4 elements"):
        utils.vec_to_tril_matrix(pyml.ones(4))
    with pytest.raises(ValueError, match="diag is 3, it must be >= -3 and < 3"):
        utils.tril_matrix_to_vec(pyml.ones(3, 3), 3)
    with pytest.raises(ValueError, match=r"vec has shape \(\), it must have at least 1"):
        utils.vec_to_tril_matrix(pyml.tensor(1.0))
    with pytest.raises(TypeError, match="vec must be a Tensor, not ndarray"):
        utils.vec_to_tril_matrix(np.ones(3))
    with pytest.raises(TypeError, match=r"diag is 0\.5, it must be an integer"):
        utils.tril_matrix_to_vec(pyml.ones(3, 3), 0.5)


def test_numbers_where_nothing_is_validated():
    """As PyTorch takes them; where values are checked they must be tensors."""
    normal = d.Normal(pyml.zeros(2), pyml.ones(2), validate_args=False)
    assert pyml.equal(normal.cdf(0), pyml.full((2,), 0.5))
    assert d.Gamma(0.5, 1.0, validate_args=False).log_prob(0) == float("inf")
    with pytest.raises(TypeError, match="the value is a str"):
        normal.log_prob("0")
    with pytest.raises(ValueError, match="the value is a int, it must be a Tensor"):
        d.Normal(0.0, 1.0, validate_args=True).log_prob(0)


def test_a_number_is_a_value_of_gamma_and_a_function_no_transform():
    """As in PyTorch, with values checked."""
    gamma = d.Gamma(pyml.tensor([1.0, 2.0]), 1.0, validate_args=True)
    assert gamma.log_prob(1).tolist() == gamma.log_prob(pyml.ones(2)).tolist()
    with pytest.raises(ValueError, match="must be a Transform"):
        d.TransformedDistribution(gamma, [lambda x: x])
    assert d.Uniform(0.0, 1.0).arg_constraints["low"].event_dim == 0


def test_what_lies_in_the_support_of_wishart_has_a_density():
    pyml.manual_seed(0)
    with pytest.warns(UserWarning, match="singular"):
        wishart = d.Wishart(pyml.tensor(2.3, dtype=pyml.float64), pyml.eye(3, dtype=pyml.float64))
    draws = wishart._draw((1000, 3, 3))  # some singular to the digits that there are
    valid = wishart.support.check(draws)
    assert 0 < valid.sum() < len(draws)
    assert wishart.log_prob(draws[valid]).isfinite().all()
    assert wishart.support.check(pyml.zeros(0, 3, 3)).shape == (0,)
