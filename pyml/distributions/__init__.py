"""Probability distributions: draws, log-probabilities, entropies, divergences, transforms."""

from pyml.distributions import constraints, kl, transforms
from pyml.distributions.bernoulli import Bernoulli
from pyml.distributions.beta import Beta
from pyml.distributions.categorical import Categorical
from pyml.distributions.chi2 import Chi2
from pyml.distributions.constraint_registry import biject_to, transform_to
from pyml.distributions.dirichlet import Dirichlet
from pyml.distributions.distribution import Distribution
from pyml.distributions.exp_family import ExponentialFamily
from pyml.distributions.exponential import Exponential
from pyml.distributions.gamma import Gamma
from pyml.distributions.geometric import Geometric
from pyml.distributions.gumbel import Gumbel
from pyml.distributions.half_normal import HalfNormal
from pyml.distributions.independent import Independent
from pyml.distributions.kl import kl_divergence, register_kl
from pyml.distributions.laplace import Laplace
from pyml.distributions.log_normal import LogNormal
from pyml.distributions.mixture_same_family import MixtureSameFamily
from pyml.distributions.multivariate_normal import MultivariateNormal
from pyml.distributions.normal import Normal
from pyml.distributions.one_hot_categorical import (
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from pyml.distributions.poisson import Poisson
from pyml.distributions.relaxed_bernoulli import RelaxedBernoulli
from pyml.distributions.relaxed_categorical import RelaxedOneHotCategorical
from pyml.distributions.student_t import StudentT
from pyml.distributions.transformed_distribution import TransformedDistribution
from pyml.distributions.transforms import *
from pyml.distributions.uniform import Uniform

__all__ = [
    *("Bernoulli", "Beta", "Categorical", "Chi2", "Dirichlet", "Distribution"),
    *("Exponential", "ExponentialFamily", "Gamma", "Geometric", "Gumbel"),
    *("HalfNormal", "Independent", "Laplace", "LogNormal"),
    *("MixtureSameFamily", "MultivariateNormal", "Normal", "OneHotCategorical"),
    *("OneHotCategoricalStraightThrough", "Poisson", "RelaxedBernoulli"),
    *("RelaxedOneHotCategorical", "StudentT", "TransformedDistribution", "Uniform"),
    *("biject_to", "constraints", "kl_divergence", "register_kl", "transform_to"),
    *transforms.__all__,
]
