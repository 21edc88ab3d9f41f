"""A row for each family: parameters, and where its values lie. All families are tested from it."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """A distribution of a batch.

    Attributes:
        name: of its class.
        parameters: name -> values of three distributions.
        values: a value of each.
        low, high: numbers between which all but 1e-9 of the probability lies; None where
            values are no numbers. A discrete distribution has the integers from low to high.
        discrete: whether it has.
        differentiable: whether rsample gives, with the same random numbers, differentiable draws.
        word: what tells rows of a class apart.
        fixed: name -> a parameter that is no tensor.
        circular: whether values are angles, of which mean and variance are circular.
    """

    name: str
    parameters: dict
    values: list
    low: float = None
    high: float = None
    discrete: bool = False
    differentiable: bool = True
    word: str = ""
    fixed: dict = MappingProxyType({})
    circular: bool = False

    def __str__(self):
        return f"{self.name}{self.word}"

    @property
    def has_vectors(self):
        """Whether a parameter of one distribution is not a number."""
        return any(np.ndim(value) != 1 for value in self.parameters.values())

    def parameter_arrays(self, dtype="float64"):
        return {name: np.array(value, dtype) for name, value in self.parameters.items()}

    def of(self, distributions, tensors, **options):
        """The distribution of pyml's or of torch's."""
        return getattr(distributions, self.name)(**tensors, **self.fixed, **options)


COVARIANCE = [[[2.0, 0.3], [0.3, 1.0]], [[1.0, -0.4], [-0.4, 0.5]], [[0.5, 0.1], [0.1, 3.0]]]
FACTOR = [[[1.4, 0.0], [0.2, 1.0]], [[1.0, 0.0], [-0.4, 0.5]], [[0.5, 0.0], [0.1, 1.7]]]
VECTORS = [[0.3, -1.0], [1.2, 0.4], [-0.5, 2.0]]
PROBS = [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]
LOGITS = [[0.2, -0.3, 1.5], [2.0, 0.0, -1.0], [-30.0, 0.5, 40.0]]
ONE_HOT = [[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]
COUNTS = [[2.0, 1, 2], [5, 0, 0], [0, 1, 4]]
SIMPLEX = [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.3, 0.4, 0.3]]
CORRELATIONS = [
    [[1.0, 0, 0], [0.6, 0.8, 0], [0.36, 0.48, 0.8]],
    [[1.0, 0, 0], [-0.28, 0.96, 0], [0.48, -0.6, 0.64]],
    [[1.0, 0, 0], [0, 1, 0], [0.28, 0, 0.96]],
]

CASES = [
    Case("Bernoulli", {"probs": [0.2, 0.6, 0.9]}, [0, 1, 1], 0, 1, True),
    Case("Bernoulli", {"logits": [-1.5, 0.3, 4.0]}, [0, 1, 0], 0, 1, True, word=" of logits"),
    Case(
        "Beta",
        {"concentration1": [4.5, 3.0, 2.0], "concentration0": [3.5, 2.0, 6.0]},
        [0.3, 0.9, 0.25],
        *(1e-12, 1 - 1e-12),
        differentiable=False,
    ),
    Case(
        "Binomial",
        {"probs": [0.2, 0.6, 0.9]},
        [0, 3, 4],
        *(0, 4, True),
        fixed={"total_count": 4},
    ),
    Case(
        "Binomial",
        {"logits": [-1.5, 0.3, 4.0]},
        [2, 3, 25],
        *(0, 40, True),
        word=" of logits",
        fixed={"total_count": 40},
    ),
    Case("Categorical", {"probs": PROBS}, [0, 2, 1], 0, 2, True),
    Case("Categorical", {"logits": LOGITS}, [2, 0, 1], 0, 2, True, word=" of logits"),
    Case(
        "Cauchy",
        {"loc": [0.0, 1.0, -2.0], "scale": [1.0, 0.5, 2.0]},
        [0.3, 0.5, 1.0],
        *(-1e10, 1e10),
    ),
    Case("Chi2", {"df": [5.0, 8.0, 20.0]}, [3.0, 9.0, 15.0], 1e-12, 200, differentiable=False),
    Case("ContinuousBernoulli", {"probs": [0.2, 0.6, 0.9]}, [0.3, 0.6, 0.95], 0, 1),
    Case(
        "ContinuousBernoulli",
        {"logits": [-1.5, 0.3, 8.0]},
        [0.3, 0.6, 0.95],
        *(0, 1),
        word=" of logits",
    ),
    Case(
        "Dirichlet",
        {"concentration": [[1.5, 2.0, 0.7], [3.0, 1.0, 4.0], [0.4, 2.5, 1.0]]},
        SIMPLEX,
        differentiable=False,
    ),
    Case("Exponential", {"rate": [0.5, 1.0, 3.0]}, [0.7, 0.1, 2.0], 0, 60),
    Case(
        "FisherSnedecor",
        {"df1": [5.0, 8.0, 6.0], "df2": [30.0, 40.0, 25.0]},
        [0.3, 2.5, 0.6],
        *(1e-12, 300),
        differentiable=False,
    ),
    Case(
        "Gamma",
        {"concentration": [3.5, 3.0, 20.0], "rate": [1.0, 0.5, 4.0]},
        [0.7, 4.0, 5.5],
        *(1e-12, 80),
        differentiable=False,
    ),
    Case(
        "GeneralizedPareto",
        {
            "loc": [0.0, 1.0, -2.0],
            "scale": [1.0, 0.5, 2.0],
            "concentration": [-0.3, 0.1, 0.05],
        },
        [0.7, 1.5, 0.4],
        *(-2, 9000),
    ),
    Case("Geometric", {"probs": [0.3, 0.6, 0.9]}, [2, 0, 1], 0, 120, True),
    Case("Geometric", {"logits": [-1.0, 0.0, 2.0]}, [2, 0, 1], 0, 120, True, word=" of logits"),
    Case("Gumbel", {"loc": [0.0, 1.0, -2.0], "scale": [1.0, 0.5, 2.0]}, [0.3, 0.5, 1.0], -12, 80),
    Case("HalfCauchy", {"scale": [1.0, 0.5, 2.0]}, [0.3, 0.5, 1.0], 0, 1e10),
    Case("HalfNormal", {"scale": [1.0, 0.5, 2.0]}, [0.3, 0.5, 1.0], 0, 20),
    Case(
        "InverseGamma",
        {"concentration": [9.0, 12.0, 20.0], "rate": [8.0, 6.0, 30.0]},
        [0.7, 0.5, 1.5],
        *(1e-4, 1000),
        differentiable=False,
    ),
    Case(
        "Kumaraswamy",
        {"concentration1": [4.5, 3.0, 2.0], "concentration0": [3.5, 2.0, 6.0]},
        [0.3, 0.9, 0.25],
        *(1e-12, 1 - 1e-12),
    ),
    Case("LKJCholesky", {"concentration": [0.7, 1.0, 2.5]}, CORRELATIONS, fixed={"dim": 3}),
    Case("Laplace", {"loc": [0.0, 1.0, -2.0], "scale": [1.0, 0.5, 2.0]}, [0.3, 0.5, 1.0], -60, 60),
    Case(
        "LogNormal", {"loc": [0.0, 1.0, -1.0], "scale": [0.3, 0.5, 0.4]}, [0.7, 2.5, 0.3], 1e-3, 99
    ),
    Case(
        "LogisticNormal", {"loc": VECTORS, "scale": [[1.0, 0.5], [0.3, 2.0], [1.0, 1.0]]}, SIMPLEX
    ),
    Case(
        "LowRankMultivariateNormal",
        {
            "loc": VECTORS,
            "cov_factor": [[[0.5], [0.3]], [[1.0], [-0.7]], [[0.0], [1.0]]],
            "cov_diag": [[0.5, 1.0], [0.8, 0.9], [2.0, 0.5]],
        },
        VECTORS[::-1],
    ),
    Case("Multinomial", {"probs": PROBS}, COUNTS, discrete=True, fixed={"total_count": 5}),
    Case(
        "Multinomial",
        {"logits": LOGITS},
        COUNTS,
        discrete=True,
        word=" of logits",
        fixed={"total_count": 5},
    ),
    Case("MultivariateNormal", {"loc": VECTORS, "covariance_matrix": COVARIANCE}, VECTORS[::-1]),
    Case(
        "MultivariateNormal",
        {"loc": VECTORS, "precision_matrix": COVARIANCE},
        VECTORS[::-1],
        word=" of precision",
    ),
    Case(
        "MultivariateNormal",
        {"loc": VECTORS, "scale_tril": FACTOR},
        VECTORS[::-1],
        word=" of factor",
    ),
    Case(
        "NegativeBinomial",
        {"total_count": [2.5, 4.0, 8.0], "probs": [0.3, 0.6, 0.5]},
        [2, 5, 7],
        *(0, 150, True),
    ),
    Case(
        "NegativeBinomial",
        {"total_count": [2.5, 4.0, 8.0], "logits": [-1.0, 0.0, 0.4]},
        [2, 5, 7],
        *(0, 150, True),
        word=" of logits",
    ),
    Case("Normal", {"loc": [0.0, 1.0, -2.0], "scale": [1.0, 0.5, 2.0]}, [0.3, 0.5, 1.0], -20, 20),
    Case("OneHotCategorical", {"probs": PROBS}, ONE_HOT),
    Case("OneHotCategorical", {"logits": LOGITS}, ONE_HOT, word=" of logits"),
    Case("OneHotCategoricalStraightThrough", {"logits": LOGITS}, ONE_HOT, differentiable=False),
    Case(
        "Pareto", {"scale": [1.0, 0.5, 2.0], "alpha": [9.0, 12.0, 20.0]}, [1.2, 0.6, 2.1], 0.5, 900
    ),
    Case("Poisson", {"rate": [0.5, 4.0, 20.0]}, [0, 3, 22], 0, 80, True),
    Case(
        "RelaxedBernoulli",
        {"temperature": [0.5, 1.0, 2.0], "logits": [-1.0, 0.0, 2.0]},
        [0.3, 0.6, 0.9],
    ),
    Case(
        "RelaxedBernoulli",
        {"temperature": [0.5, 1.0, 2.0], "probs": [0.3, 0.6, 0.9]},
        [0.3, 0.6, 0.9],
        word=" of probs",
    ),
    Case(
        "RelaxedOneHotCategorical",
        {"temperature": 0.7, "logits": [[0.2, -0.3, 1.5], [2.0, 0.0, -1.0], [0.0, 0.5, 1.0]]},
        SIMPLEX,
    ),
    Case(
        "StudentT",
        {"df": [12.0, 20.0, 30.0], "loc": [0.0, 1.0, -2.0], "scale": [1.0, 0.5, 2.0]},
        [0.3, 0.5, 1.0],
        *(-300, 300),
        differentiable=False,
    ),
    Case("Uniform", {"low": [0.0, -1.0, 2.0], "high": [1.0, 3.0, 2.5]}, [0.3, 2.9, 2.1], -1, 3),
    Case(
        "VonMises",
        {"loc": [0.0, 1.0, -2.0], "concentration": [0.5, 2.0, 10.0]},
        [0.3, 0.5, -2.2],
        *(-np.pi, np.pi),
        circular=True,
    ),
    Case(
        "Weibull",
        {"scale": [1.0, 0.5, 2.0], "concentration": [2.0, 3.0, 4.5]},
        [0.7, 0.4, 1.9],
        1e-12,
        20,
    ),
    *(
        Case(
            "Wishart",
            {"df": [4.0, 5.5, 8.0], word: matrices},
            [[[3.0, 0.5], [0.5, 2.0]], [[7.0, -3.0], [-3.0, 4.0]], [[2.0, 0.3], [0.3, 9.0]]],
            differentiable=False,
            word=f" of {word}",
        )
        for word, matrices in (
            ("covariance_matrix", COVARIANCE),
            ("precision_matrix", COVARIANCE),
            ("scale_tril", FACTOR),
        )
    ),
]
NUMBERS = [case for case in CASES if case.low is not None]

# Transform's name, arguments, and an argument of it
TRANSFORMS = [
    ("AbsTransform", (), [-1.0, 2.0]),
    ("AffineTransform", (1.0, -2.0), [-1.0, 2.0]),
    ("AffineTransform", (1.0, 0.5, 1), [-1.0, 2.0]),
    ("CorrCholeskyTransform", (), [[-1.0, 0.5, 0.2], [0.1, 2.0, -0.7]]),
    ("ExpTransform", (), [-1.0, 2.0]),
    ("LowerCholeskyTransform", (), [[-1.0, 2.0], [0.5, 0.2]]),
    ("PositiveDefiniteTransform", (), [[-1.0, 2.0], [0.5, 0.2]]),
    ("PowerTransform", (2.0,), [1.5, 0.2]),
    ("ReshapeTransform", ((4,), (2, 2)), [[1.0, 2.0, 3.0, 4.0]]),
    ("SigmoidTransform", (), [-1.0, 3.0]),
    ("SoftmaxTransform", (), [-1.0, 3.0, 0.5]),
    ("SoftplusTransform", (), [-1.0, 3.0]),
    ("StickBreakingTransform", (), [[-1.0, 3.0, 0.5], [0.1, 0.2, 0.3]]),
    ("TanhTransform", (), [-1.0, 1.5]),
]
