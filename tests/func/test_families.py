"""Distributions and special functions under vmap: what they give for each sample."""

import pytest
from distributions.cases import CASES

import pyml
from pyml import distributions, func
from pyml.func import batched

# their matrices are checked by NumPy, which a tensor of all indices has no values for
CHECKED_BY_NUMPY = {"LKJCholesky", "MultivariateNormal", "Wishart"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_log_prob(case):
    tensors = {name: pyml.tensor(value) for name, value in case.parameter_arrays().items()}
    values = pyml.tensor(case.values, dtype="float64")

    def log_prob(parameters, value):
        options = {"validate_args": False} if case.name in CHECKED_BY_NUMPY else {}
        return case.of(distributions, parameters, **options).log_prob(value)

    def sample(i):
        return {name: x[i] if x.ndim else x for name, x in tensors.items()}

    expected = pyml.stack([log_prob(sample(i), values[i]) for i in range(3)])
    dims = {name: 0 if x.ndim else None for name, x in tensors.items()}
    found = func.vmap(log_prob, in_dims=(dims, 0))(tensors, values)
    assert type(found) is not batched.Batched
    assert pyml.allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", sorted(pyml.special.SAME))
def test_special_functions(name):
    function = getattr(pyml.special, name)
    more = {"gammainc": (0.7,), "gammaincc": (0.7,), "multigammaln": (2,), "logsumexp": (0,)}
    x = pyml.tensor([[1.5, 2.25], [0.75, 3.5]], dtype="float64")
    args = [pyml.tensor(a) if isinstance(a, float) else a for a in more.get(name, ())]
    expected = pyml.stack([function(row, *args) for row in x])
    assert pyml.allclose(func.vmap(lambda row: function(row, *args))(x), expected, equal_nan=True)
