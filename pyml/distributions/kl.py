"""Divergences between distributions, by a table of pairs of classes."""

import math
import warnings

from pyml.distributions.bernoulli import Bernoulli
from pyml.distributions.beta import Beta
from pyml.distributions.binomial import Binomial
from pyml.distributions.categorical import Categorical
from pyml.distributions.cauchy import Cauchy
from pyml.distributions.continuous_bernoulli import ContinuousBernoulli
from pyml.distributions.dirichlet import Dirichlet
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.exponential import Exponential
from pyml.distributions.gamma import Gamma
from pyml.distributions.geometric import Geometric
from pyml.distributions.gumbel import Gumbel
from pyml.distributions.half_normal import HalfNormal
from pyml.distributions.independent import Independent
from pyml.distributions.laplace import Laplace
from pyml.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from pyml.distributions.matrices import solve_lower
from pyml.distributions.multivariate_normal import MultivariateNormal
from pyml.distributions.normal import LOG_ROOT_2PI, Normal
from pyml.distributions.one_hot_categorical import OneHotCategorical
from pyml.distributions.pareto import Pareto
from pyml.distributions.poisson import Poisson
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.uniform import Uniform
from pyml.distributions.utils import (
    EULER_GAMMA,
    log1p_exp,
    multidigamma,
    multigammaln,
    sum_rightmost,
    xlogy,
)
from pyml.distributions.wishart import Wishart
from pyml.ops import digamma, full_like, lgamma, where

__all__ = ["kl_divergence", "register_kl"]

INF = float("inf")
DIVERGENCES = {}  # (class of p, class of q) -> function


def register_kl(type_p, type_q):
    """A decorator that enters f(p, q) for two classes, and for subclasses that have no own.

    Args:
        type_p, type_q: classes of distributions, also those that are none of pyml's.

    Example:
        >>> class Mine(distributions.Normal):
        ...     pass
        >>> @distributions.register_kl(Mine, distributions.Normal)
        ... def divergence(p, q):
        ...     return p.loc * 0
        >>> distributions.kl_divergence(Mine(1.0, 1.0), distributions.Normal(0.0, 1.0))
        tensor(0.)
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):
            raise TypeError(f"register_kl: {name} is {kind!r}, it must be a class of distributions")

    def enter(function):
        DIVERGENCES[type_p, type_q] = function
        return function

    return enter


def found(type_p, type_q):
    """The function of the nearest classes, those of p first; None if there is none."""
    if (type_p, type_q) in DIVERGENCES:
        return DIVERGENCES[type_p, type_q]
    near = {}
    for p, q in DIVERGENCES:
        if issubclass(type_p, p) and issubclass(type_q, q):
            near[distance(type_p, p), distance(type_q, q)] = DIVERGENCES[p, q]
    if not near:
        return None
    by_p, by_q = min(near), min(near, key=lambda places: places[::-1])
    if near[by_p] is not near[by_q]:
        warnings.warn(
            f"kl_divergence: two functions are as near to {type_p.__name__} and "
            f"{type_q.__name__}; register_kl one for them",
            RuntimeWarning,
            stacklevel=3,
        )
    return near[by_p]


def distance(kind, base):
    """How far above a class a base is; furthest are those that only say to be one, by an ABC."""
    above = kind.__mro__
    return above.index(base) if base in above else len(above)


def kl_divergence(p, q):
    """The Kullback-Leibler divergence, sum or integral of p log(p / q).

    Args:
        p, q: distributions of classes that register_kl has entered.

    Returns:
        A tensor of the batch's shape.

    Raises:
        NotImplementedError: for a pair of classes that is not known.

    Example:
        >>> p, q = distributions.Normal(1.0, 1.0), distributions.Normal(0.0, 1.0)
        >>> distributions.kl_divergence(p, q)
        tensor(0.5)
    """
    function = found(type(p), type(q))
    return unknown(p, q) if function is None else function(p, q)


def unknown(p, q):
    raise NotImplementedError(
        f"kl_divergence of a {type(p).__name__} and a {type(q).__name__} is not known; "
        "register_kl enters a function"
    )


def xlogx(x):
    return xlogy(x, x)


# ---- of one class --------------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def kl_bernoulli(p, q):
    one, other, a, b = p.probs, q.probs, p.logits, q.logits

    def term(probs, gap, impossible):
        return where(probs == 0, 0.0, where(impossible, INF, probs * gap))

    ones = log1p_exp(-b) - log1p_exp(-a)
    zeros = log1p_exp(b) - log1p_exp(a)
    return term(one, ones, other == 0) + term(1 - one, zeros, other == 1)


@register_kl(Binomial, Binomial)
def kl_binomial(p, q):
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "kl_divergence of Binomials is not known where the first total_count is smaller"
        )
    result = where(p.total_count == 0, 0.0, p.total_count * kl_bernoulli(p, q))
    return where(p.total_count > q.total_count, INF, result)


@register_kl(Categorical, Categorical)
def kl_categorical(p, q):
    one, other = p.probs, q.probs
    term = where(other == 0, INF, one * (p.logits - q.logits))
    return where(one == 0, 0.0, term).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def kl_one_hot_categorical(p, q):
    return kl_categorical(p._categorical, q._categorical)


@register_kl(Beta, Beta)
def kl_beta(p, q):
    return kl_dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def kl_dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    means = digamma(a) - digamma(total).unsqueeze(-1)  # of log x
    norms = lgamma(total) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return norms + ((a - b) * means).sum(-1)


@register_kl(Cauchy, Cauchy)
def kl_cauchy(p, q):
    """Chyzak & Nielsen 2019 (arXiv:1905.10965)."""
    squares = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
    return squares.log() - (4 * p.scale * q.scale).log()


@register_kl(Exponential, Exponential)
def kl_exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Gamma, Gamma)
def kl_gamma(p, q):
    a, b = p.concentration, q.concentration
    scales = b * (p.rate / q.rate).log() + (q.rate - p.rate) * (a / p.rate)
    return scales + lgamma(b) - lgamma(a) + (a - b) * digamma(a)


@register_kl(Geometric, Geometric)
def kl_geometric(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def kl_gumbel(p, q):
    ratio = p.scale / q.scale
    moment = (lgamma(1 + ratio) - p.loc / q.scale).exp()  # E exp(-x / q.scale)
    return of_gumbel(p.mean, moment, q) - p.entropy()


@register_kl(Laplace, Laplace)
def kl_laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(MultivariateNormal, MultivariateNormal)
def kl_multivariate_normal(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"kl_divergence: normal vectors of events {p.event_shape} and {q.event_shape}; they "
            "must be equal"
        )
    trace = q._squares(p._root()).sum(-1)
    square = q._squares((q.loc - p.loc).unsqueeze(-1)).squeeze(-1)
    return 0.5 * (q._log_det() - p._log_det() + trace + square - p.event_shape[0])


@register_kl(Normal, Normal)
def kl_normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def kl_pareto(p, q):
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, INF, result)


@register_kl(Poisson, Poisson)
def kl_poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def kl_uniform(p, q):
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) | (q.high < p.high), INF, result)


@register_kl(Wishart, Wishart)
def kl_wishart(p, q):
    n, gap = p.event_shape[0], p.df - q.df
    trace = sum_rightmost(solve_lower(q._factor, p._factor) ** 2, 2)
    norms = multigammaln(q.df / 2, n) - multigammaln(p.df / 2, n)
    scales = q.df * (q._log_det() - p._log_det()) + p.df * (trace - n)
    return norms + 0.5 * (scales + gap * multidigamma(p.df / 2, n))


@register_kl(ExponentialFamily, ExponentialFamily)
def kl_exponential_family(p, q):
    """Of one class that defines what ExponentialFamily says."""
    if type(p) is not type(q):
        unknown(p, q)
    natural, log_normalizer, means = p._log_normalizer_and_means()
    result = q._log_normalizer(*q._natural_params) - log_normalizer
    for one, other, mean in zip(natural, q._natural_params, means, strict=True):
        term = (other - one) * mean
        result = result - sum_rightmost(term, term.ndim - result.ndim)
    return result


@register_kl(Independent, Independent)
def kl_independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "kl_divergence of Independents of other reinterpreted_batch_ndims is not known"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(HalfNormal, HalfNormal)
@register_kl(TransformedDistribution, TransformedDistribution)
def kl_transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError(
            "kl_divergence of TransformedDistributions of other transforms is not known"
        )
    return kl_divergence(p.base_dist, q.base_dist)


# ---- of two classes ------------------------------------------------------------------------------


def of_gumbel(mean, moment, q):
    """-E log q(x), q a Gumbel, x of a mean and of the moment E exp(-x / q.scale)."""
    return q.scale.log() + (mean - q.loc) / q.scale + (q.loc / q.scale).exp() * moment


@register_kl(Exponential, Gumbel)
def kl_exponential_gumbel(p, q):
    product = p.rate * q.scale
    return of_gumbel(p.mean, product / (product + 1), q) - p.entropy()


@register_kl(Gamma, Gumbel)
def kl_gamma_gumbel(p, q):
    moment = (-p.concentration * (1 / (p.rate * q.scale)).log1p()).exp()
    return of_gumbel(p.mean, moment, q) - p.entropy()


@register_kl(Normal, Gumbel)
def kl_normal_gumbel(p, q):
    moment = (((p.scale / q.scale) ** 2) / 2 - p.loc / q.scale).exp()
    return of_gumbel(p.mean, moment, q) - p.entropy()


@register_kl(Uniform, Gumbel)
def kl_uniform_gumbel(p, q):
    ends = (-p.low / q.scale).exp() - (-p.high / q.scale).exp()
    return of_gumbel(p.mean, q.scale * ends / (p.high - p.low), q) - p.entropy()


@register_kl(Bernoulli, Poisson)
def kl_bernoulli_poisson(p, q):
    return q.rate - p.probs * q.rate.log() - p.entropy()


@register_kl(Exponential, Gamma)
def kl_exponential_gamma(p, q):
    ratio, a = q.rate / p.rate, q.concentration
    return -a * ratio.log() + ratio + lgamma(a) + a * EULER_GAMMA - (1 + EULER_GAMMA)


def of_gamma(p, mean_log, q):
    """-E log q(x) - entropy, q a Gamma, x of p and of the mean of its logarithm."""
    log_norm = lgamma(q.concentration) - q.concentration * q.rate.log()
    return -p.entropy() + log_norm - (q.concentration - 1) * mean_log + q.rate * p.mean


def mean_log_of_uniform(p):
    width = p.high - p.low
    return (xlogx(p.high) - xlogx(p.low) - width) / width


@register_kl(Beta, Gamma)
def kl_beta_gamma(p, q):
    a, total = p.concentration1, p.concentration1 + p.concentration0
    return of_gamma(p, digamma(a) - digamma(total), q)


@register_kl(Pareto, Gamma)
def kl_pareto_gamma(p, q):
    return of_gamma(p, p.scale.log() + 1 / p.alpha, q)


@register_kl(Uniform, Gamma)
def kl_uniform_gamma(p, q):
    return where(p.low < 0, INF, of_gamma(p, mean_log_of_uniform(p), q))


@register_kl(Uniform, Pareto)
def kl_uniform_pareto(p, q):
    log_norm = -q.alpha.log() - q.alpha * q.scale.log()
    result = -p.entropy() + log_norm + (q.alpha + 1) * mean_log_of_uniform(p)
    return where(p.low < q.scale, INF, result)


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
@register_kl(Pareto, Exponential)
def kl_of_exponential(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Uniform, Exponential)
def kl_uniform_exponential(p, q):
    result = q.rate * p.mean - ((p.high - p.low) * q.rate).log()
    return where(p.low < 0, INF, result)


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Pareto, Normal)
@register_kl(Uniform, Normal)
def kl_of_normal(p, q):
    mean, variance = p.mean, p.variance
    z = (variance + (mean - q.loc) ** 2) / (2 * q.scale**2)
    return q.scale.log() + LOG_ROOT_2PI + z - p.entropy()


@register_kl(Normal, Laplace)
def kl_normal_laplace(p, q):
    gap = p.loc - q.loc
    z = gap / (math.sqrt(2) * p.scale)
    size = math.sqrt(2 / math.pi) * p.scale * (-z * z).exp() + gap * z.erf()  # E |x - q.loc|
    return size / q.scale + (2 * q.scale).log() - p.entropy()


@register_kl(Beta, ContinuousBernoulli)
@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def kl_of_continuous_bernoulli(p, q):
    return -p.entropy() - q._log_density(p.mean)  # which is linear


@register_kl(Uniform, ContinuousBernoulli)
def kl_uniform_continuous_bernoulli(p, q):
    return where((p.low < 0) | (p.high > 1), INF, kl_of_continuous_bernoulli(p, q))


@register_kl(Beta, Uniform)
@register_kl(ContinuousBernoulli, Uniform)
def kl_of_uniform(p, q):
    result = -p.entropy() + (q.high - q.low).log()
    return where((q.low > 0) | (q.high < 1), INF, result)


@register_kl(Uniform, Beta)
def kl_uniform_beta(p, q):
    a, b = q.concentration1, q.concentration0
    low, high = p.low, p.high

    width = high - low
    logs = (a - 1) * (xlogx(high) - xlogx(low) - width)
    others = (b - 1) * (xlogx(1 - high) - xlogx(1 - low) + width)
    norms = lgamma(a) + lgamma(b) - lgamma(a + b)
    result = norms - width.log() - (logs - others) / width
    return where((high > 1) | (low < 0), INF, result)


@register_kl(Poisson, Bernoulli)
@register_kl(Poisson, Binomial)
def kl_infinite(p, q):
    """p has values that q never has."""
    return full_like(p.mean + q.mean, INF)


for p, more in {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
}.items():
    for q in more:
        register_kl(p, q)(kl_infinite)
