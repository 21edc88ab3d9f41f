"""Distributions beside torch's: values, gradients, shapes, errors."""

import itertools
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from distributions.cases import CASES, TRANSFORMS  # noqa: E402

import pyml  # noqa: E402
from parity.torch_side import array_of, assert_parity, pair  # noqa: E402

each = pytest.mark.parametrize("case", CASES, ids=str)


def both(case, dtype, requires_grad=False, **options):
    """(torch's distribution, its parameters), (pyml's, its)."""
    pairs = {n: pair(a, requires_grad) for n, a in case.parameter_arrays(dtype).items()}
    sides = []
    for side, module in enumerate((torch, pyml)):
        leaves = {name: tensors[side] for name, tensors in pairs.items()}
        given = dict(leaves)
        if "scale_tril" in given:  # torch has gradients by the zeros above a diagonal
            given["scale_tril"] = given["scale_tril"].tril()
        distribution = case.of(module.distributions, given, **options)
        sides.append((distribution, list(leaves.values())))
    return sides


def answer(function):
    """What it gives, or the class of error that says it is not there."""
    try:
        return function()
    except NotImplementedError:
        return NotImplementedError


def assert_near(got, wanted, k):
    """To the digits of the polynomials that torch has for Bessel's functions."""
    np.testing.assert_allclose(array_of(got), array_of(wanted), rtol=1e-5, atol=5e-6)


def assert_same(theirs, ours, their_inputs, our_inputs, assert_parity=assert_parity):
    """Values, and gradients of their weighted sums."""
    if theirs is NotImplementedError:
        return  # pyml may have more
    assert ours is not NotImplementedError
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert_parity(ours, theirs, 4)
    assert ours.requires_grad == theirs.requires_grad
    if not theirs.requires_grad:
        return
    weights = np.linspace(1, 2, int(np.prod(theirs.shape))).reshape(tuple(theirs.shape))
    tw, pw = pair(weights.astype(ours.detach().numpy().dtype))
    wanted = torch.autograd.grad(
        (theirs * tw).sum(), their_inputs, retain_graph=True, allow_unused=True
    )
    got = pyml.autograd.grad((ours * pw).sum(), our_inputs, retain_graph=True, allow_unused=True)
    for a, b in zip(got, wanted, strict=True):
        zero_or_none = [x is None or not x.any() for x in (a, b)]
        if not all(zero_or_none):
            assert_parity(a, b, 256)


@pytest.fixture
def default_dtype(dtype):
    """torch makes some constants in its default dtype."""
    torch.set_default_dtype(getattr(torch, dtype))
    yield
    torch.set_default_dtype(torch.float32)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(case, dtype, default_dtype):
    same = partial(assert_same, assert_parity=assert_near if case.circular else assert_parity)
    (theirs, their_inputs), (ours, our_inputs) = both(case, dtype, True)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(ours.event_shape) == tuple(theirs.event_shape)
    for name in ("mean", "variance", "stddev", "mode", "probs", "logits", "covariance_matrix",
                 "precision_matrix", "scale_tril"):  # fmt: skip
        if name == "mode" and case.name == "Kumaraswamy":  # NaN in torch
            continue
        if hasattr(type(theirs), name):
            wanted = answer(lambda name=name: getattr(theirs, name))
            got = answer(lambda name=name: getattr(ours, name))
            if name in ("mode", "mean", "variance", "stddev") and wanted is not NotImplementedError:
                wanted, got = wanted.detach(), got.detach()
            if wanted is not NotImplementedError and got.dtype == pyml.int64:
                assert got.tolist() == wanted.tolist()
                continue
            if (
                name == "precision_matrix"
            ):  # by the zeros above a diagonal there are gradients in torch
                wanted, got = wanted.detach(), got.detach()
            same(wanted, got, their_inputs, our_inputs)
    tv, pv = pair(np.array(case.values, dtype))
    same(theirs.log_prob(tv), ours.log_prob(pv), their_inputs, our_inputs)
    for name in ("entropy", "perplexity"):
        same(answer(getattr(theirs, name)), answer(getattr(ours, name)),
             their_inputs, our_inputs)  # fmt: skip
    if case.name in ("Beta", "Chi2", "Gamma", "InverseGamma"):  # not differentiated by a shape
        wanted, got = answer(lambda: theirs.cdf(tv)), answer(lambda: ours.cdf(pv))
        if wanted is NotImplementedError:
            assert got is wanted
        else:
            np.testing.assert_allclose(array_of(got), array_of(wanted), rtol=1e-5, atol=1e-6)
        return
    same(answer(lambda: theirs.cdf(tv)), answer(lambda: ours.cdf(pv)),
         their_inputs, our_inputs)  # fmt: skip
    tp, pp = pair(np.array([0.2, 0.4, 0.7], dtype))
    same(answer(lambda: theirs.icdf(tp)), answer(lambda: ours.icdf(pp)),
         their_inputs, our_inputs)  # fmt: skip


@each
@pytest.mark.filterwarnings("ignore:Singular sample detected")  # torch says so of regular ones
def test_attributes(case):
    (theirs, _), (ours, _) = both(case, "float64")
    assert ours.has_rsample == theirs.has_rsample
    assert ours.has_enumerate_support == theirs.has_enumerate_support
    assert set(ours.arg_constraints) == set(theirs.arg_constraints)
    assert ours.support.event_dim == theirs.support.event_dim
    assert ours.support.is_discrete == theirs.support.is_discrete
    wide, wanted = ours.expand((2, 3)), theirs.expand((2, 3))
    assert tuple(wide.batch_shape) == tuple(wanted.batch_shape)
    assert tuple(wide.sample((4,)).shape) == tuple(wanted.sample((4,)).shape)
    if theirs.has_enumerate_support:
        for expand in (True, False):
            got, want = ours.enumerate_support(expand), theirs.enumerate_support(expand)
            assert got.tolist() == want.tolist()


def test_all_divergences_of_torch():
    known = {(p.__name__, q.__name__) for p, q in pyml.distributions.kl.DIVERGENCES}
    pairs = {(p.__name__, q.__name__) for p, q in torch.distributions.kl._KL_REGISTRY}
    assert sorted(pairs - known) == []


KINDS = [case for case in CASES if not case.word and "Straight" not in case.name]


PAIRS = list(itertools.product(KINDS, KINDS))


@pytest.mark.parametrize("pair_of", PAIRS, ids=lambda p: "-".join(map(str, p)))
def test_divergences(pair_of):
    """All that torch has of these classes, and the same that it has not."""
    p, q = pair_of
    (their_p, ti), (our_p, oi) = both(p, "float64", True)
    turned = q._replace(
        parameters={
            name: rows[::-1] if isinstance(rows, list) else rows
            for name, rows in q.parameters.items()
        }
    )
    (their_q, tj), (our_q, oj) = both(turned, "float64", True)
    wanted = answer(lambda: torch.distributions.kl_divergence(their_p, their_q))
    got = answer(lambda: pyml.distributions.kl_divergence(our_p, our_q))
    if wanted is NotImplementedError:
        assert got is NotImplementedError
        return
    if {p.name, q.name} == {"ContinuousBernoulli", "Uniform"}:
        # torch has inf where both have the same ends
        got, wanted = got.detach().numpy(), wanted.detach().numpy()
        uniform = our_p if p.name == "Uniform" else our_q
        same_ends = ((uniform.low == 0) & (uniform.high == 1)).numpy()
        np.testing.assert_allclose(got[~same_ends], wanted[~same_ends], rtol=1e-6)
        assert np.isfinite(got[same_ends]).all()
    elif not np.isfinite(wanted.detach().numpy()).all():
        np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-6)
    else:
        assert_same(wanted, got, ti + tj, oi + oj)


def test_divergences_of_wishart_distributions():
    """One by one, as PyTorch 2.13 sums over the batch; all of a batch at once in pyml."""
    (case,) = (case for case in CASES if case.word == " of covariance_matrix")
    arrays = case.parameter_arrays()
    rows = [1, 2, 0]
    results = []
    for p, q in [*zip(range(3), rows, strict=True), (slice(None), rows)]:
        pairs = [[pair(array[i], True) for array in arrays.values()] for i in (p, q)]
        for side, module in enumerate((torch, pyml)):
            leaves = [tensors[side] for one in pairs for tensors in one]
            wishart = module.distributions.Wishart
            one, other = (wishart(*leaves[at : at + 2]) for at in (0, 2))
            results.append((module.distributions.kl_divergence(one, other), leaves))
    for i, batch in enumerate(results[-1][0].unbind(0)):
        (wanted, theirs), (got, ours) = results[2 * i : 2 * i + 2]
        assert_same(wanted, got, theirs[2:], ours[2:])  # by p torch has no gradient
        assert_parity(batch, wanted)


@pytest.mark.parametrize("row", TRANSFORMS, ids=lambda row: f"{row[0]}{row[1]}".replace(" ", ""))
@pytest.mark.parametrize("cache_size", [0, 1])
def test_transforms(row, cache_size):
    name, arguments, values = row
    theirs = getattr(torch.distributions, name)(*arguments, cache_size=cache_size)
    ours = getattr(pyml.distributions, name)(*arguments, cache_size=cache_size)
    tx, px = pair(np.array(values), True)
    ty, py = theirs(tx), ours(px)
    assert_same(ty, py, [tx], [px])
    assert_same(theirs.inv(ty), ours.inv(py), [tx], [px])
    assert (ours.inv(py) is px) == (theirs.inv(ty) is tx)
    assert ours.bijective == theirs.bijective
    assert ours.domain.event_dim == theirs.domain.event_dim
    assert ours.codomain.event_dim == theirs.codomain.event_dim
    assert tuple(ours.forward_shape(px.shape)) == tuple(theirs.forward_shape(tx.shape))
    assert tuple(ours.inverse_shape(py.shape)) == tuple(theirs.inverse_shape(ty.shape))
    assert ours.inv.inv is ours
    if name not in ("AbsTransform", "SoftmaxTransform", "LowerCholeskyTransform",
                    "PositiveDefiniteTransform"):  # fmt: skip
        wanted, got = theirs.log_abs_det_jacobian(tx, ty), ours.log_abs_det_jacobian(px, py)
        assert_same(wanted, got, [tx], [px])
        assert_same(theirs.inv.log_abs_det_jacobian(ty, tx), ours.inv.log_abs_det_jacobian(py, px),
                    [tx], [px])  # fmt: skip
    assert bool(ours.codomain.check(py.detach()).all())


def composed(d):
    return d.ComposeTransform(
        [d.AffineTransform(0.5, 2.0), d.TanhTransform(), d.AffineTransform(1.0, -0.25)]
    )


def of_both(make):
    return make(torch, torch.distributions), make(pyml, pyml.distributions)


TRANSFORMED = {
    "log-normal": lambda m, d: d.TransformedDistribution(
        d.Normal(m.tensor([0.5, 1.0]), 0.5), d.ExpTransform()
    ),
    "composed": lambda m, d: d.TransformedDistribution(
        d.Uniform(m.tensor([0.5, 1.0]), m.tensor([2.0, 3.0])), [composed(d)]
    ),
    "logistic": lambda m, d: d.TransformedDistribution(
        d.Uniform(m.tensor([0.0, 0.0]), 1.0),
        [d.SigmoidTransform().inv, d.AffineTransform(m.tensor([0.5, 1.0]), 2.0)],
    ),
    "affine events": lambda m, d: d.TransformedDistribution(
        d.Normal(m.tensor([0.5, 1.0]), 0.5), [d.AffineTransform(1.0, 2.0, event_dim=1)]
    ),
    "reshaped": lambda m, d: d.TransformedDistribution(
        d.Independent(d.Normal(m.zeros(2, 4), 1.0), 1), d.ReshapeTransform((4,), (2, 2))
    ),
    "expanded": lambda m, d: d.TransformedDistribution(
        d.Normal(0.0, 1.0), [d.AffineTransform(m.tensor([1.0, 2.0]), 1.0)]
    ),
    "sticks": lambda m, d: d.TransformedDistribution(
        d.Normal(m.zeros(2, 3), 1.0), d.StickBreakingTransform()
    ),
    "neighbours": lambda m, d: d.TransformedDistribution(
        d.Normal(m.zeros(3), 1.0),
        d.CatTransform([d.ExpTransform(), d.SigmoidTransform()], -1, [1, 2]),
    ),
    "independent": lambda m, d: d.Independent(d.Laplace(m.zeros(4, 2), 1.0), 1),
    "independent transform": lambda m, d: d.TransformedDistribution(
        d.Normal(m.zeros(3, 2), 1.0), d.IndependentTransform(d.ExpTransform(), 1)
    ),
    "cdf": lambda m, d: d.TransformedDistribution(
        d.Normal(m.zeros(2), 1.0),
        d.CumulativeDistributionTransform(d.Normal(m.tensor([0.5, -0.5]), 2.0)),
    ),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transformed(name):
    theirs, ours = of_both(TRANSFORMED[name])
    for attribute in ("batch_shape", "event_shape", "has_rsample"):
        got, wanted = getattr(ours, attribute), getattr(theirs, attribute)
        assert got == wanted or tuple(got) == tuple(wanted)
    value = theirs.sample((3,))
    assert_parity(ours.log_prob(pyml.tensor(value.numpy())), theirs.log_prob(value), 16)
    assert tuple(ours.rsample((3,)).shape) == tuple(value.shape)
    assert ours.support.event_dim == theirs.support.event_dim
    if theirs.event_shape == () and name != "neighbours":
        assert_parity(ours.cdf(pyml.tensor(value.numpy())), theirs.cdf(value), 16)
        p = torch.full_like(value, 0.3)
        assert_parity(ours.icdf(pyml.tensor(p.numpy())), theirs.icdf(p), 16)
    wide, wanted = ours.expand((5, *ours.batch_shape)), theirs.expand((5, *theirs.batch_shape))
    assert tuple(wide.sample().shape) == tuple(wanted.sample().shape)


CONSTRAINTS = ["boolean", "corr_cholesky", "lower_cholesky", "lower_triangular", "nonnegative",
               "nonnegative_integer", "one_hot", "positive", "positive_definite",
               "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex",
               "square", "symmetric", "unit_interval"]  # fmt: skip
MADE = {
    "greater_than": (0.5,), "greater_than_eq": (0.5,), "less_than": (0.5,), "interval": (0, 0.5),
    "half_open_interval": (0, 0.5), "integer_interval": (0, 1), "multinomial": (1,),
}  # fmt: skip


@pytest.mark.parametrize("name", [*CONSTRAINTS, *MADE])
def test_constraints(name):
    theirs, ours = (getattr(m.distributions.constraints, name) for m in (torch, pyml))
    if name in MADE:
        theirs, ours = theirs(*MADE[name]), ours(*MADE[name])
    assert (ours.event_dim, ours.is_discrete) == (theirs.event_dim, theirs.is_discrete)
    if name != "multinomial":  # torch leaves the bound out
        assert repr(ours).replace("Constraint", "") == repr(theirs).replace("Constraint", "")
    matrices = [np.eye(2), [[1, 2], [2, 1]], [[1, 0], [0.5, 2]], [[1, 0], [0.6, 0.8]],
                [[0.5, 0.5], [np.nan, 1]], [[-1, 2], [0, 0]], [[1, 1], [1, 1]]]  # fmt: skip
    for matrix in matrices:
        t, p = pair(np.array(matrix, "float64"))
        if name == "positive_definite" and np.isnan(matrix).any():
            continue
        assert ours.check(p).tolist() == theirs.check(t).tolist(), matrix


def test_transforms_of_constraints():
    for registry in ("biject_to", "transform_to"):
        for make in (
            lambda c: c.real, lambda c: c.positive, lambda c: c.greater_than(2.0),
            lambda c: c.less_than(-1.0), lambda c: c.unit_interval, lambda c: c.interval(1.0, 3.0),
            lambda c: c.simplex, lambda c: c.real_vector, lambda c: c.independent(c.positive, 1),
            lambda c: c.stack([c.real, c.positive, c.unit_interval], -1),
            lambda c: c.cat([c.real, c.positive], -1, [1, 2]),
        ):  # fmt: skip
            theirs, ours = (
                getattr(m.distributions, registry)(make(m.distributions.constraints))
                for m in (torch, pyml)
            )
            tx, px = pair(np.array([[0.5, -1.0, 2.0]]))
            assert_parity(ours(px), theirs(tx))
    with pytest.raises(NotImplementedError, match="no transform is registered for Boolean"):
        pyml.distributions.biject_to(pyml.distributions.constraints.boolean)


# calls that both refuse
WRONG = {
    "Normal scale": lambda m, d: d.Normal(0.0, -1.0),
    "Normal NaN": lambda m, d: d.Normal(m.tensor([float("nan")]), 1.0),
    "Uniform": lambda m, d: d.Uniform(1.0, 1.0),
    "Bernoulli none": lambda m, d: d.Bernoulli(),
    "Bernoulli both": lambda m, d: d.Bernoulli(0.5, 0.5),
    "Categorical 0-d": lambda m, d: d.Categorical(m.tensor(1.0)),
    "Categorical negative": lambda m, d: d.Categorical(m.tensor([-1.0, 2.0])),
    "Categorical zeros": lambda m, d: d.Categorical(m.zeros(2)),
    "Categorical value": lambda m, d: d.Categorical(m.ones(2)).log_prob(m.tensor(2)),
    "Dirichlet 0-d": lambda m, d: d.Dirichlet(m.tensor(1.0)),
    "MultivariateNormal two": lambda m, d: d.MultivariateNormal(m.zeros(2), m.eye(2), m.eye(2)),
    "MultivariateNormal none": lambda m, d: d.MultivariateNormal(m.zeros(2)),
    "MultivariateNormal 0-d": lambda m, d: d.MultivariateNormal(m.tensor(0.0), m.eye(2)),
    "MultivariateNormal form": lambda m, d: d.MultivariateNormal(m.zeros(2), -m.eye(2)),
    "MultivariateNormal tril": lambda m, d: d.MultivariateNormal(
        m.zeros(2), scale_tril=m.ones(2, 2)
    ),
    "Independent": lambda m, d: d.Independent(d.Normal(m.zeros(2), 1.0), 2),
    "cache_size": lambda m, d: d.ExpTransform(cache_size=2),
    "ReshapeTransform": lambda m, d: d.ReshapeTransform((2,), (3,)),
    "value": lambda m, d: d.Exponential(1.0).log_prob(m.tensor(-1.0)),
    "shape of value": lambda m, d: d.Normal(m.zeros(2), 1.0).log_prob(m.zeros(3)),
    "default": lambda m, d: d.Distribution.set_default_validate_args(2),
}


@pytest.mark.parametrize("name", WRONG)
def test_both_refuse(name):
    for m in (torch, pyml):
        with pytest.raises(ValueError):
            WRONG[name](m, m.distributions)


def test_numbers_give_what_they_give_in_torch():
    for make in (
        lambda d: d.Normal(0, 1), lambda d: d.Uniform(0, 2), lambda d: d.Gamma(1, 2.0),
        lambda d: d.Bernoulli(0.25), lambda d: d.Beta(1, 2), lambda d: d.Exponential(2),
    ):  # fmt: skip
        theirs, ours = make(torch.distributions), make(pyml.distributions)
        assert_parity(ours.mean, theirs.mean)
        assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
        value = theirs.sample()
        assert_parity(ours.log_prob(pyml.tensor(value.numpy())), theirs.log_prob(value), 4)


@pytest.mark.parametrize("vectors", [False, True])
def test_mixtures(vectors):
    def made(m, d, logits, loc):
        component = d.Normal(loc, 0.5)
        component = d.Independent(component, 1) if vectors else component
        return d.MixtureSameFamily(d.Categorical(logits=logits), component)

    shape = (4, 2, 3) if vectors else (4, 2)
    rng = np.random.default_rng(0)
    pairs = [pair(rng.normal(size=size), True) for size in ((4, 2), shape)]
    theirs = made(torch, torch.distributions, *[t for t, _ in pairs])
    ours = made(pyml, pyml.distributions, *[p for _, p in pairs])
    tv, pv = pair(rng.normal(size=(5, 4, 3) if vectors else (5, 4)))
    inputs = [t for t, _ in pairs], [p for _, p in pairs]
    assert_same(theirs.log_prob(tv), ours.log_prob(pv), *inputs)
    assert_same(theirs.mean, ours.mean, *inputs)
    assert_same(theirs.variance, ours.variance, *inputs)
    if not vectors:
        assert_same(theirs.cdf(tv), ours.cdf(pv), *inputs)
    assert tuple(ours.sample((2,)).shape) == tuple(theirs.sample((2,)).shape)
