import inspect
import math

import numpy as np
import pytest

import pyml
from pyml.nn import init

SHAPE = (300, 200)
N = math.prod(SHAPE)


def filled(function, *args, shape=SHAPE, dtype="float64", **kwargs):
    """The values that function gives a tensor of NaN."""
    pyml.manual_seed(0)
    tensor = pyml.tensor(np.full(shape, np.nan, dtype), requires_grad=True)
    before = tensor._version
    assert function(tensor, *args, **kwargs) is tensor
    assert tensor.is_leaf
    assert tensor._version > before
    values = tensor.detach().numpy()
    assert values.dtype == dtype
    assert np.isfinite(values).all()
    return values


def assert_moments(values, mean, std, kurtosis):
    """Mean and variance within five standard errors."""
    n = values.size
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(n)
    assert abs(values.var() / std**2 - 1) < 5 * math.sqrt((kurtosis - 1) / n)


def assert_uniform(values, low, high):
    assert_moments(values, (low + high) / 2, (high - low) / math.sqrt(12), 1.8)
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < values.max() <= high


def assert_normal(values, mean, std):
    assert_moments(values, mean, std, 3)
    inside = (np.abs(values - mean) < std).mean()
    assert abs(inside - 0.6827) < 5 * math.sqrt(0.6827 * 0.3173 / values.size)


DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@DTYPES
def test_uniform(dtype):
    assert_uniform(filled(init.uniform_, dtype=dtype), 0, 1)
    assert_uniform(filled(init.uniform_, -4.0, -3.0, dtype=dtype), -4, -3)


@DTYPES
def test_normal(dtype):
    assert_normal(filled(init.normal_, dtype=dtype), 0, 1)
    assert_normal(filled(init.normal_, 5.0, 0.1, dtype=dtype), 5, 0.1)


@DTYPES
@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, 0, 1.5), (0, 1, 1.5, 2.5), (0, 1, -0.1, 0.1)],
)
def test_trunc_normal(dtype, mean, std, a, b):
    values = filled(init.trunc_normal_, mean, std, a, b, dtype=dtype)
    assert values.min() >= a
    assert values.max() <= b

    x = np.linspace(max(a, mean - 9 * std), min(b, mean + 9 * std), 20001)
    density = np.exp(-(((x - mean) / std) ** 2) / 2)
    density /= density.sum()
    wanted = (x * density).sum()
    variance = ((x - wanted) ** 2 * density).sum()
    fourth = ((x - wanted) ** 4 * density).sum()
    assert_moments(values, wanted, math.sqrt(variance), fourth / variance**2)


def test_trunc_normal_of_a_half_line():
    values = filled(init.trunc_normal_, 0, 1, 1, math.inf)
    assert values.min() >= 1
    assert values.mean() == pytest.approx(1.5251, abs=0.05)  # phi(1) / (1 - Phi(1))


def test_trunc_normal_far_from_its_interval():
    with pytest.warns(UserWarning, match="more than 2 std"):
        values = filled(init.trunc_normal_, 0, 1, 3, 4)
    assert values.min() >= 3
    assert abs(values.mean() - 3.2617) < 0.01  # (phi(3) - phi(4)) / (Phi(4) - Phi(3))
    for options in ({"a": 1, "b": 0}, {"std": 0}, {"std": math.nan}):
        with pytest.raises(ValueError, match="a <= b, a finite mean and a finite std > 0"):
            init.trunc_normal_(pyml.zeros(2), **options)


def test_constants():
    assert (filled(init.constant_, 0.3) == 0.3).all()
    assert (filled(init.ones_) == 1).all()
    assert (filled(init.zeros_) == 0).all()
    for shape in ((3, 5), (5, 3), (4, 4)):
        np.testing.assert_array_equal(filled(init.eye_, shape=shape), np.eye(*shape))
    with pytest.raises(ValueError, match="2 dimensions are needed"):
        init.eye_(pyml.zeros(3))


@DTYPES
@pytest.mark.parametrize("gain", [1.0, 5 / 3])
@pytest.mark.parametrize("shape", [SHAPE, (30, 20, 10, 10)])
def test_xavier(dtype, gain, shape):
    fans = sum(shape[:2]) * math.prod(shape[2:])
    std = gain * math.sqrt(2 / fans)
    options = {"gain": gain, "shape": shape, "dtype": dtype}
    assert_uniform(filled(init.xavier_uniform_, **options), -math.sqrt(3) * std, math.sqrt(3) * std)
    assert_normal(filled(init.xavier_normal_, **options), 0, std)


@DTYPES
@pytest.mark.parametrize("shape", [SHAPE, (30, 20, 10, 10)])
def test_lecun(dtype, shape):
    std = 1 / math.sqrt(math.prod(shape[1:]))
    options = {"shape": shape, "dtype": dtype}
    bound = math.sqrt(3) * std
    assert_uniform(filled(init.lecun_uniform_, **options), -bound, bound)
    assert_normal(filled(init.lecun_normal_, **options), 0, std)


@DTYPES
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize(
    ("nonlinearity", "a", "gain"),
    [
        ("leaky_relu", 0, math.sqrt(2)),
        ("leaky_relu", math.sqrt(5), math.sqrt(1 / 3)),
        ("relu", 0.5, math.sqrt(2)),
        ("linear", 0, 1),
        ("tanh", 0, 5 / 3),
    ],
)
def test_kaiming(dtype, mode, nonlinearity, a, gain):
    std = gain / math.sqrt(SHAPE[1] if mode == "fan_in" else SHAPE[0])
    options = {"a": a, "mode": mode, "nonlinearity": nonlinearity, "dtype": dtype}
    bound = math.sqrt(3) * std
    assert_uniform(filled(init.kaiming_uniform_, **options), -bound, bound)
    assert_normal(filled(init.kaiming_normal_, **options), 0, std)


@DTYPES
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (3, 2, 4)])
@pytest.mark.parametrize("gain", [1, 2.5])
def test_orthogonal(dtype, shape, gain):
    values = filled(init.orthogonal_, gain, shape=shape, dtype=dtype).reshape(shape[0], -1)
    rows, columns = values.shape
    square = values @ values.T if rows < columns else values.T @ values
    np.testing.assert_allclose(square, gain**2 * np.eye(min(rows, columns)), atol=1e-5)


def test_orthogonal_has_both_signs():
    signs = [filled_with_seed(seed) for seed in range(20)]
    assert {True, False} == set(signs)


def filled_with_seed(seed):
    pyml.manual_seed(seed)
    return bool(init.orthogonal_(pyml.empty(1, 1)).item() > 0)


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.55, 1])
def test_sparse(sparsity):
    values = filled(init.sparse_, sparsity, std=0.5)
    zeros = math.ceil(sparsity * SHAPE[0])
    assert ((values == 0).sum(0) == zeros).all()
    if sparsity < 1:
        assert_normal(values[values != 0], 0, 0.5)
    if 0 < sparsity < 1:
        assert len(np.unique(values == 0, axis=1).T) > 1
    with pytest.raises(ValueError, match="sparsity is 2"):
        init.sparse_(pyml.zeros(2, 2), 2)
    with pytest.raises(ValueError, match="2 dimensions are needed"):
        init.sparse_(pyml.zeros(2), 0.5)


@pytest.mark.parametrize(
    "function",
    [
        init.uniform_,
        init.normal_,
        init.trunc_normal_,
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.lecun_uniform_,
        init.lecun_normal_,
        init.orthogonal_,
        lambda tensor, **kwargs: init.sparse_(tensor, 0.5, **kwargs),
    ],
)
def test_generator(function):
    first = filled(function, generator=pyml.Generator(5), shape=(4, 3))
    assert (first == filled(function, generator=pyml.Generator(5), shape=(4, 3))).all()
    assert (first != filled(function, generator=pyml.Generator(6), shape=(4, 3))).any()
    state = pyml.get_rng_state()
    function(pyml.empty(4, 3), generator=pyml.Generator(5))
    assert (pyml.get_rng_state() == state).all()
    function(pyml.empty(4, 3))
    assert (pyml.get_rng_state() != state).any()


@pytest.mark.parametrize(
    ("arguments", "gain"),
    [
        (("linear",), 1),
        *[((f"conv{d}d",), 1) for d in (1, 2, 3)],
        *[((f"conv_transpose{d}d",), 1) for d in (1, 2, 3)],
        (("sigmoid",), 1),
        (("tanh",), 5 / 3),
        (("relu",), math.sqrt(2)),
        (("leaky_relu",), math.sqrt(2 / 1.0001)),
        (("leaky_relu", 0.2), math.sqrt(2 / 1.04)),
        (("selu",), 3 / 4),
    ],
)
def test_gain(arguments, gain):
    assert init.calculate_gain(*arguments) == pytest.approx(gain, rel=1e-15)


def test_errors():
    with pytest.raises(ValueError, match="nonlinearity is 'step', it must be one of conv1d, "):
        init.calculate_gain("step")
    for slope in (True, "0.1"):
        with pytest.raises(ValueError, match="negative_slope is"):
            init.calculate_gain("leaky_relu", slope)
    with pytest.raises(ValueError, match="mode is 'fan'"):
        init.kaiming_uniform_(pyml.zeros(2, 2), mode="fan")
    for wrong in (
        {"mean": math.nan},
        {"mean": math.inf},
        {"std": 0},
        {"std": math.inf},
        {"a": math.nan},
    ):
        with pytest.raises(ValueError, match="trunc_normal_: mean is"):
            init.trunc_normal_(pyml.zeros(2), **wrong)
    for function in (
        init.xavier_uniform_,
        init.kaiming_normal_,
        init.lecun_uniform_,
        init.lecun_normal_,
        init.orthogonal_,
    ):
        with pytest.raises(ValueError, match="at least 2 dimensions"):
            function(pyml.zeros(3))
    for function in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="zero-element"):
            function(pyml.zeros(0, 3))
    assert init.orthogonal_(pyml.zeros(0, 3)).shape == (0, 3)


def test_a_weight_without_fans_has_nothing_to_fill():
    for shape in ((3, 0, 0), (0, 0)):
        w = pyml.zeros(shape)
        assert init.xavier_uniform_(w) is w and init.xavier_normal_(w) is w
        assert init.lecun_uniform_(w) is w and init.lecun_normal_(w) is w


def test_dirac_is_refused():
    w = pyml.ones(2, 2, 3)
    with pytest.raises(NotImplementedError, match=r"dirac_: .*convolutions.*; eye_ fills"):
        init.dirac_(w)
    assert (w == 1).all()


@pytest.mark.parametrize("name", [name for name in init.__all__ if name.endswith("_")])
def test_what_is_no_tensor(name):
    if name == "dirac_":
        return
    more = {"constant_": (1,), "sparse_": (0.5,)}.get(name, ())
    with pytest.raises(TypeError, match=f"{name}: tensor must be a Tensor"):
        getattr(init, name)(np.zeros((2, 2)), *more)


@pytest.mark.parametrize("name", ["xavier_uniform", "kaiming_normal", "constant", "sparse"])
def test_old_names_show_their_arguments(name):
    assert inspect.signature(getattr(init, name)) == inspect.signature(getattr(init, f"{name}_"))
