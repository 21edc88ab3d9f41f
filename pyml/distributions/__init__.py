"""Probability distributions: draws, log-probabilities, entropies, divergences, transforms."""

from pyml.distributions import constraints, kl, transforms
from pyml.distributions.bernoulli import Bernoulli
from pyml.distributions.beta import Beta
from pyml.distributions.binomial import Binomial
from pyml.distributions.categorical import Categorical
from pyml.distributions.cauchy import Cauchy
from pyml.distributions.chi2 import Chi2
from pyml.distributions.constraint_registry import biject_to, transform_to
from pyml.distributions.continuous_bernoulli import ContinuousBernoulli
from pyml.distributions.dirichlet import Dirichlet
from pyml.distributions.distribution import Distribution
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.exponential import Exponential
from pyml.distributions.fishersnedecor import FisherSnedecor
from pyml.distributions.gamma import Gamma
from pyml.distributions.generalized_pareto import GeneralizedPareto
from pyml.distributions.geometric import Geometric
from pyml.distributions.gumbel import Gumbel
from pyml.distributions.half_cauchy import HalfCauchy
from pyml.distributions.half_normal import HalfNormal
from pyml.distributions.independent import Independent
from pyml.distributions.inverse_gamma import InverseGamma
from pyml.distributions.kl import kl_divergence, register_kl
from pyml.distributions.kumaraswamy import Kumaraswamy
from pyml.distributions.laplace import Laplace
from pyml.distributions.lkj_cholesky import LKJCholesky
from pyml.distributions.log_normal import LogNormal
from pyml.distributions.logistic_normal import LogisticNormal
from pyml.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from pyml.distributions.mixture_same_family import MixtureSameFamily
from pyml.distributions.multinomial import Multinomial
from pyml.distributions.multivariate_normal import MultivariateNormal
from pyml.distributions.negative_binomial import NegativeBinomial
from pyml.distributions.normal import Normal
from pyml.distributions.one_hot_categorical import (
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from pyml.distributions.pareto import Pareto
from pyml.distributions.poisson import Poisson
from pyml.distributions.relaxed_bernoulli import RelaxedBernoulli
from pyml.distributions.relaxed_categorical import RelaxedOneHotCategorical
from pyml.distributions.student_t import StudentT
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import *
from pyml.distributions.uniform import Uniform
from pyml.distributions.von_mises import VonMises
from pyml.distributions.weibull import Weibull
from pyml.distributions.wishart import Wishart

__all__ = [
    *("Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "ContinuousBernoulli"),
    *("Dirichlet", "Distribution", "Exponential", "ExponentialFamily", "FisherSnedecor", "Gamma"),
    *("GeneralizedPareto", "Geometric", "Gumbel", "HalfCauchy", "HalfNormal", "Independent"),
    *("InverseGamma", "Kumaraswamy", "LKJCholesky", "Laplace", "LogNormal", "LogisticNormal"),
    *("LowRankMultivariateNormal", "MixtureSameFamily", "Multinomial", "MultivariateNormal"),
    *("NegativeBinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough"),
    *("Pareto", "Poisson", "RelaxedBernoulli", "RelaxedOneHotCategorical", "StudentT"),
    *("TransformedDistribution", "Uniform", "VonMises", "Weibull", "Wishart"),
    *("biject_to", "constraints", "kl_divergence", "register_kl", "transform_to"),
    *transforms.__all__,
]
