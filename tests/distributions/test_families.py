"""Every family from the table: densities against their integrals, draws against densities."""

import copy
import pickle

import numpy as np
import pytest

import pyml
from distributions.cases import CASES, NUMBERS
from pyml import distributions
from pyml.autograd import grad, gradcheck, gradgradcheck
from pyml.distributions import constraints, kl_divergence

DRAWS = 20_000
WIDTH = 6  # standard errors that an average may be off

each = pytest.mark.parametrize("case", CASES, ids=str)
each_of_numbers = pytest.mark.parametrize("case", NUMBERS, ids=str)


def tensors_of(case, dtype="float64", requires_grad=False):
    return {
        name: pyml.tensor(array, requires_grad=requires_grad)
        for name, array in case.parameter_arrays(dtype).items()
    }


def made(case, dtype="float64"):
    return case.of(distributions, tensors_of(case, dtype))


def known(function):
    """What it gives; None where the family has no such thing."""
    try:
        return function()
    except NotImplementedError as error:
        assert "is not there" in str(error)
        return None


def values_of(case, dtype="float64"):
    return pyml.tensor(np.array(case.values, dtype))


def grid(case):
    """Points (n, 3) within the support, and weights of an integral."""
    if case.discrete:
        points = np.arange(case.low, case.high + 1.0)
        return np.stack([points] * 3, -1), np.ones((len(points), 1))
    # Gauss and Legendre's rule in pieces, which are shorter where a density may be steep
    support = made(case).support
    ends = [np.broadcast_to(getattr(support, name, bound), 3).astype(float)
            for name, bound in (("lower_bound", case.low), ("upper_bound", case.high))]  # fmt: skip
    low, high = np.maximum(ends[0], case.low), np.minimum(ends[1], case.high)
    reach = max(9, 3 + np.log(case.high))
    share = np.sinh(np.linspace(-reach, reach, 200)) / np.sinh(reach)
    middle = made(case).mean.numpy()
    if not np.isfinite(middle).all():
        middle = made(case).mode.numpy()
    pieces = np.where(share[:, None] < 0, middle - low, high - middle) * share[:, None] + middle
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(pieces, axis=0) / 2
    points = (pieces[:-1] + half)[:, None] + half[:, None] * nodes[:, None]
    return points.reshape(-1, 3), (half[:, None] * weights[:, None]).reshape(-1, 3)


@each_of_numbers
def test_density(case):
    """The probability of all is 1; mean, variance and entropy are its averages."""
    points, weights = grid(case)
    distribution = case.of(distributions, tensors_of(case))
    log_prob = distribution.log_prob(pyml.tensor(points)).numpy()
    p = np.exp(log_prob) * weights
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-8)
    finite = np.where(p > 0, log_prob, 0)
    entropy = known(distribution.entropy)
    if entropy is not None:
        np.testing.assert_allclose(entropy.numpy(), -(p * finite).sum(0), rtol=1e-6)
    if case.name == "Categorical":
        return  # of names of classes
    if case.circular:
        wanted = 1 - (p * np.cos(points - distribution.mean.numpy())).sum(0)
        np.testing.assert_allclose(distribution.variance.numpy(), wanted, rtol=1e-9)
        return
    if not distribution.variance.isfinite().all():
        return
    mean = (p * points).sum(0)
    np.testing.assert_allclose(distribution.mean.numpy(), mean, rtol=1e-7, atol=1e-9)
    variance = (p * (points - mean) ** 2).sum(0)
    np.testing.assert_allclose(distribution.variance.numpy(), variance, rtol=1e-6)
    np.testing.assert_allclose(distribution.stddev.numpy(), variance**0.5, rtol=1e-6)


@each_of_numbers
def test_cdf(case):
    distribution, values = made(case), values_of(case)
    cdf = known(lambda: distribution.cdf(values))
    if cdf is None:
        return
    points, weights = grid(case)
    p = np.exp(distribution.log_prob(pyml.tensor(points)).numpy()) * weights
    below = np.where(points <= values.numpy(), p, 0).sum(0)
    largest_piece = p.max(0) * 16
    assert (np.abs(cdf.numpy() - below) <= largest_piece).all()
    back = known(lambda: distribution.icdf(cdf))
    if back is not None:
        np.testing.assert_allclose(back.numpy(), values.numpy(), rtol=1e-9)


@each_of_numbers
def test_slope_of_cdf(case):
    """It is the density, to the digits of the gradient."""
    distribution, values = made(case), values_of(case).requires_grad_()
    cdf = known(lambda: distribution.cdf(values))
    if cdf is None:
        return
    (slope,) = grad(cdf.sum(), values)
    density = distribution.log_prob(values.detach()).exp()
    np.testing.assert_allclose(slope.numpy(), density.numpy(), rtol=1e-12)


@each
def test_mode(case):
    """No draw is more likely."""
    distribution = made(case)
    mode = known(lambda: distribution.mode)
    if mode is None or mode.isnan().any() or distribution.log_prob(mode).isinf().any():
        return
    pyml.manual_seed(7)
    most = distribution.log_prob(distribution.sample((1000,))).amax(0)
    assert (distribution.log_prob(mode) >= most - 1e-12).all()


@each
def test_draws(case, dtype):
    """Shapes, dtypes, the support, and averages of the draws."""
    pyml.manual_seed(3)
    distribution = made(case, dtype)
    draws = distribution.sample((DRAWS,))
    assert not draws.requires_grad
    assert draws.shape == (DRAWS, *distribution.batch_shape, *distribution.event_shape)
    assert draws.dtype == (np.int64 if case.name == "Categorical" else np.dtype(dtype))
    for shape in ((), (2, 5), 4):
        sizes = (shape,) if shape == 4 else shape
        assert distribution.sample(shape).shape == (*sizes, *draws.shape[1:])
    x = draws.numpy().astype(float)
    if case.name != "Dirichlet" or dtype == "float64":  # the simplex is narrower than its rounding
        assert distribution.support.check(draws).all()
    if known(lambda: distribution.mean) is None:
        return
    if case.name == "Categorical":
        one_hot = x[..., None] == np.arange(3)
        x, mean = one_hot, distribution.probs.numpy().astype(float)
        variance = mean * (1 - mean)
    else:
        mean = distribution.mean.numpy().astype(float)
        variance = distribution.variance.numpy().astype(float)
    if case.circular:
        x = np.cos(x - mean)
        mean, variance = 1 - variance, x.var(0)
    if not np.isfinite(variance).all():
        return
    error = np.abs(x.mean(0) - mean)
    assert (error <= WIDTH * np.sqrt(variance / DRAWS) + 1e-6).all(), error
    spread = x.var(0)
    fourth = ((x - x.mean(0)) ** 4).mean(0)
    error = np.abs(spread - variance)
    assert (error <= WIDTH * np.sqrt(np.maximum(fourth - spread**2, 0) / DRAWS) + 1e-6).all()


@each_of_numbers
def test_distribution_of_draws(case):
    """Kolmogorov's and Smirnov's distance of draws from the integral of the density."""
    pyml.manual_seed(6)
    distribution = made(case)
    draws = distribution.sample((DRAWS,)).numpy().astype(float)
    points, weights = grid(case)
    log_prob = distribution.log_prob(pyml.tensor(points)).numpy()
    below = np.cumsum(np.exp(log_prob) * weights, 0)
    ends = points
    if not case.discrete:  # of pieces of 16 points; the last of one and the first of the next
        below, ends = below[15:-1:16], (points[15:-1:16] + points[16::16]) / 2
    for i in range(3):
        share = np.searchsorted(np.sort(draws[:, i]), ends[:, i], "right") / DRAWS
        assert np.abs(share - below[:, i]).max() < 2.2 / np.sqrt(DRAWS)  # once in 10,000 times


@each
def test_probabilities_of_draws(case, dtype):
    """-log_prob of draws is on average the entropy."""
    pyml.manual_seed(4)
    distribution = made(case, dtype)
    draws = distribution.sample((DRAWS,))
    if case.name == "Dirichlet":  # the simplex is narrower than its rounding
        distribution = distributions.Dirichlet(**tensors_of(case, dtype), validate_args=False)
    entropy = known(distribution.entropy)
    if entropy is None:
        return
    terms = -distribution.log_prob(draws).numpy().astype(float)
    assert terms.shape == (DRAWS, 3)
    allowed = WIDTH * terms.std(0) / np.sqrt(DRAWS) + 1e-5
    assert (np.abs(terms.mean(0) - entropy.numpy()) <= allowed).all()


@pytest.mark.parametrize("case", [c for c in CASES if c.name.startswith("Relaxed")], ids=str)
def test_draws_of_relaxed_families(case, dtype):
    """Rounded, or by their largest, they have the probabilities that are relaxed."""
    pyml.manual_seed(5)
    relaxed = made(case, dtype)
    y = relaxed.sample((DRAWS,)).numpy()
    assert ((y > 0) & (y < 1)).any(0).all()
    hits = y == y.max(-1, keepdims=True) if case.name.endswith("Categorical") else y > 0.5
    p = relaxed.probs.numpy()
    assert (np.abs(hits.mean(0) - p) <= WIDTH * np.sqrt(p * (1 - p) / DRAWS)).all()


def rolled(case, dtype="float64", **options):
    """The distributions of a case with the parameters of their neighbours."""
    arrays = case.parameter_arrays(dtype)
    tensors = {name: pyml.tensor(np.roll(a, 1, 0) if a.ndim else a) for name, a in arrays.items()}
    return case.of(distributions, tensors | options)


STRANGERS = {  # whose divergence from their own kind is not known, in PyTorch neither
    *("FisherSnedecor", "GeneralizedPareto", "Kumaraswamy", "LKJCholesky", "Multinomial"),
    *("NegativeBinomial", "StudentT", "VonMises", "Weibull"),
}


def divergence(p, q):
    """None where it is not known."""
    try:
        return kl_divergence(p, q).numpy()
    except NotImplementedError as error:
        assert "is not known" in str(error)
        return None


@each_of_numbers
def test_divergences(case):
    """Against the integral of p log(p / q), which is infinite where p has values that q has not."""
    points, weights = grid(case)
    p, x = made(case), pyml.tensor(points)
    log_p = p.log_prob(x).numpy()
    for other in NUMBERS:
        q = rolled(other, validate_args=False)
        got = divergence(p, q)
        if got is None:
            assert other.name != case.name or case.name in STRANGERS or case.fixed != other.fixed
            continue
        inside = q.support.check(x).numpy()
        log_q = np.where(inside, q.log_prob(x).numpy(), 0)
        wanted = (np.exp(log_p) * weights * (log_p - log_q)).sum(0)
        wanted = np.where(inside.all(0), wanted, np.inf)
        # the logarithm of q may have a pole at an end, of which the integral misses 3e-4
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-7, err_msg=str(other))


@pytest.mark.parametrize("case", [c for c in CASES if c.low is None], ids=str)
def test_divergences_of_vectors(case):
    """Against the average of log(p / q) over draws."""
    pyml.manual_seed(6)
    p, q = made(case), rolled(case)
    got = divergence(p, q)
    if got is None:
        assert case.name.startswith("Relaxed") or case.name in STRANGERS
        return
    draws = p.sample((DRAWS,))
    terms = (p.log_prob(draws) - q.log_prob(draws)).numpy()
    allowed = WIDTH * terms.std(0) / np.sqrt(DRAWS) + 1e-9
    assert (np.abs(got - terms.mean(0)) <= allowed).all()


def test_the_density_of_a_relaxed_bernoulli():
    """Its integral is 1, with y = sigmoid(x)."""
    x = np.linspace(-30, 30, 4001)[:, None]
    y = 1 / (1 + np.exp(-x))
    for case in (c for c in CASES if c.name == "RelaxedBernoulli"):
        p = np.exp(made(case).log_prob(pyml.tensor(y)).numpy()) * y * (1 - y)
        np.testing.assert_allclose(p.sum(0) * (x[1] - x[0]), 1, rtol=1e-5)


def test_the_density_of_a_relaxed_categorical():
    """Its integral over the simplex is 1, with y = softmax(u, v, 0)."""
    (case,) = (c for c in CASES if c.name == "RelaxedOneHotCategorical")
    x = np.linspace(-25, 25, 301)
    u, v = np.meshgrid(x, x)
    y = np.exp(np.stack([u, v, u * 0], -1).reshape(-1, 1, 3))
    y /= y.sum(-1, keepdims=True)
    p = np.exp(made(case).log_prob(pyml.tensor(y)).numpy()) * y.prod(-1)
    np.testing.assert_allclose(p.sum(0) * (x[1] - x[0]) ** 2, 1, rtol=1e-5)


@each
def test_gradients(case):
    """Of log_prob, entropy, cdf and icdf by the parameters and the value, twice."""
    names = list(case.parameters)
    inputs, value = list(tensors_of(case, requires_grad=True).values()), values_of(case)
    if case.name == "MultivariateNormal":  # one does, and takes a third of the time
        inputs, value = [x.detach()[:1].requires_grad_() for x in inputs], value[:1]

    def of(*tensors):
        given = dict(zip(names, tensors, strict=True))
        return case.of(distributions, given, validate_args=False)

    def check(function, inputs):
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)

    check(lambda *t: of(*t).log_prob(value), inputs)
    if known(made(case).entropy) is not None:
        check(lambda *t: of(*t).entropy(), inputs)
    if case.discrete or "Categorical" in case.name:
        return
    value.requires_grad_()
    check(lambda x, *t: of(*t).log_prob(x), [value, *inputs])
    if not hasattr(type(made(case)), "cdf") or known(lambda: made(case).cdf(value)) is None:
        return
    if case.name in ("Chi2", "Gamma", "InverseGamma"):  # igamma has a derivative by the value alone
        check(made(case).cdf, [value])
        return
    check(lambda x, *t: of(*t).cdf(x), [value, *inputs])
    probability = pyml.tensor([0.2, 0.4, 0.7], dtype=pyml.float64, requires_grad=True)
    check(lambda x, *t: of(*t).icdf(x), [probability, *inputs])


@each
def test_gradients_of_draws(case):
    """rsample is differentiable by its parameters; what has none says so."""
    names = list(case.parameters)
    inputs = list(tensors_of(case, requires_grad=True).values())
    distribution = made(case)
    if not distribution.has_rsample:
        with pytest.raises(NotImplementedError, match="rsample is not there"):
            distribution.rsample()
        return
    if not case.differentiable:
        return

    def draws(*tensors):
        pyml.manual_seed(5)
        given = dict(zip(names, tensors, strict=True))
        return case.of(distributions, given, validate_args=False).rsample((2,))

    assert gradcheck(draws, inputs)
    assert gradgradcheck(draws, inputs)
    assert draws(*inputs).requires_grad


@each
def test_parameters(case):
    """They are attributes, as they were given; logits of categories are normalized."""
    distribution = made(case)
    for name, array in case.parameter_arrays().items():
        if name == "logits" and array.ndim > 1:
            array = array - np.log(np.exp(array).sum(-1, keepdims=True))
        np.testing.assert_allclose(getattr(distribution, name).numpy(), array, rtol=1e-14)


@each
def test_expand(case):
    distribution, value = made(case), values_of(case)
    wide = distribution.expand((4, 3))
    assert type(wide) is type(distribution)
    assert wide.batch_shape == (4, 3) and wide.event_shape == distribution.event_shape
    assert wide.sample((5,)).shape == (5, 4, 3, *distribution.event_shape)
    wanted = np.broadcast_to(distribution.log_prob(value).numpy(), (4, 3))
    np.testing.assert_array_equal(wide.log_prob(value).numpy(), wanted)
    entropy = known(distribution.entropy)
    if entropy is not None:
        wanted = np.broadcast_to(entropy.numpy(), (4, 3))
        np.testing.assert_array_equal(wide.entropy().numpy(), wanted)


@each
def test_parameters_out_of_range(case):
    """NaN is in no parameter's range; without checks it goes through."""
    for name in case.parameters.keys() - {"temperature"}:  # which is not checked
        arrays = case.parameter_arrays()
        arrays[name].flat[0] = np.nan
        tensors = {key: pyml.tensor(array) for key, array in arrays.items()}
        with pytest.raises(ValueError, match=f"{name}.* must|must be below"):
            case.of(distributions, tensors)
        if name not in ("covariance_matrix", "precision_matrix", "cov_factor", "cov_diag"):
            case.of(distributions, tensors, validate_args=False)


@each
def test_values_out_of_range(case):
    distribution = made(case)
    outside = values_of(case) * np.nan
    if case.name == "Categorical":
        outside = values_of(case) + 3
    with pytest.raises(ValueError, match="within the support"):
        distribution.log_prob(outside)
    with pytest.raises((ValueError, NotImplementedError)):
        distribution.cdf(outside)
    with pytest.raises(TypeError, match="must be a Tensor"):
        distribution.log_prob("a")
    with pytest.raises(ValueError, match=r"broadcast|last sizes"):
        distribution.log_prob(pyml.zeros(5, *distribution.event_shape))


@pytest.mark.parametrize("case", [c for c in NUMBERS if not c.has_vectors], ids=str)
def test_parameters_that_are_numbers(case):
    numbers = case.of(distributions, {name: value[0] for name, value in case.parameters.items()})
    tensors = made(case, "float32")
    values = values_of(case, "float32")
    assert numbers.batch_shape == ()
    assert numbers.log_prob(values[0]).item() == tensors.log_prob(values)[0].item()
    for name in ("mean", "variance"):
        got, wanted = (known(lambda p=p, name=name: getattr(p, name)) for p in (numbers, tensors))
        assert (got is None) == (wanted is None)
        if got is not None:
            np.testing.assert_array_equal(got.item(), wanted[0].item())  # NaN is itself


@each
def test_text(case):
    assert repr(made(case)).startswith(case.name)


def test_enumerated_supports():
    for case in CASES:
        distribution = made(case)
        if distribution.has_enumerate_support:
            values = distribution.enumerate_support()
            total = distribution.log_prob(values).exp().sum(0)
            np.testing.assert_allclose(total.numpy(), 1, rtol=1e-12)
            narrow = distribution.enumerate_support(expand=False)
            assert narrow.shape[:2] == (len(values), 1)


@each
def test_copies(case):
    distribution, value = made(case), values_of(case)
    for p in (copy.deepcopy(distribution), pickle.loads(pickle.dumps(distribution))):
        np.testing.assert_array_equal(
            p.log_prob(value).numpy(), distribution.log_prob(value).numpy()
        )


@each
def test_transforms_of_constraints(case):
    """Any numbers become parameters by transform_to, and values by biject_to and back."""
    distribution = made(case)
    for name, constraint in distribution.arg_constraints.items():
        if constraints.is_dependent(constraint) or constraint.is_discrete:
            continue
        value = getattr(distribution, name)
        transform = distributions.transform_to(constraint)
        size = transform.inverse_shape(value.shape)
        again = transform(pyml.randn(*size, dtype=pyml.float64))
        assert again.shape == value.shape
        assert constraint.check(again).all()
    support = distribution.support
    if support.is_discrete or support is constraints.positive_definite:
        return
    if case.name == "GeneralizedPareto":  # an interval, whose end may be infinite
        return
    transform, value = distributions.biject_to(support), values_of(case)
    again = transform(transform.inv(value))
    np.testing.assert_allclose(again.numpy(), value.numpy(), rtol=1e-12, atol=1e-12)
    free = pyml.randn(*transform.inverse_shape(value.shape), dtype=pyml.float64)
    assert support.check(transform(free)).all()


ONE_OF_A_CLASS = list({case.name: case for case in reversed(CASES)}.values())
PAIRS = [
    (p, q)
    for p in ONE_OF_A_CLASS
    for q in ONE_OF_A_CLASS
    if distributions.kl.found(getattr(distributions, p.name), getattr(distributions, q.name))
]


def turned(case):
    """The same family with the parameters of the batch in another order."""
    rows = {
        name: value[1:] + value[:1] if isinstance(value, list) else value
        for name, value in case.parameters.items()
    }
    return case._replace(parameters=rows)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(map(str, pair)))
def test_divergences_against_draws(pair):
    """The mean of log p - log q over draws of p; infinite where q lacks values of p."""
    p, q = made(pair[0]), made(turned(pair[1]))
    try:
        divergence = distributions.kl_divergence(p, q).numpy()
    except NotImplementedError as error:
        assert "is not known" in str(error)
        return
    assert divergence.shape == (3,)
    pyml.manual_seed(8)
    draws = p.sample((DRAWS,))
    inside = q.support.check(draws).numpy().all(0)
    finite = np.isfinite(divergence)
    assert inside[finite].all()
    q = turned(pair[1]).of(distributions, tensors_of(turned(pair[1])), validate_args=False)
    terms = (p.log_prob(draws) - q.log_prob(draws)).numpy()[:, finite]
    allowed = WIDTH * terms.std(0) / np.sqrt(DRAWS) + 1e-9
    assert (np.abs(terms.mean(0) - divergence[finite]) <= allowed).all()
