"""Reductions."""

import itertools

import numpy as np
import pytest

import pyml
from helpers import tolerances
from ops.cases import Case, apart, positive, tests_of, with_zeros
from pyml import nn
from pyml.autograd import grad

DIMS = [None, (), 0, 1, 2, -1, (0, 1), (1, 2), (0, 2), (2, 0), (0, 1, 2)]


def axes(dim):
    return None if dim == () else dim


def logsumexp(x, dim, keepdim):
    return np.log(np.exp(x).sum(axis=dim, keepdims=keepdim))


REFERENCES = {
    "sum": lambda x, dim, keepdim: x.sum(axis=dim, keepdims=keepdim),
    "mean": lambda x, dim, keepdim: x.mean(axis=dim, keepdims=keepdim),
    "var": lambda x, dim, keepdim: x.var(axis=dim, keepdims=keepdim, ddof=1),
    "std": lambda x, dim, keepdim: x.std(axis=dim, keepdims=keepdim, ddof=1),
    "amax": lambda x, dim, keepdim: x.max(axis=dim, keepdims=keepdim),
    "amin": lambda x, dim, keepdim: x.min(axis=dim, keepdims=keepdim),
    "logsumexp": logsumexp,
}


def all_dims():
    for (name, reference), dim, keepdim in itertools.product(
        REFERENCES.items(), DIMS, (False, True)
    ):
        yield Case(
            f"{name} {dim} {keepdim}",
            lambda x, name=name, d=dim, k=keepdim: getattr(pyml, name)(x, d, keepdim=k),
            lambda x, f=reference, d=dim, k=keepdim: f(x, axes(d), k),
            ((3, 2, 3),),
            apart if name in ("amax", "amin") else None,
            tolerances.SOFTMAX,
        )


def case(name, function, reference, *shapes, draw=None, eps=tolerances.SOFTMAX):
    return Case(name, function, reference, shapes, draw, eps)


def norm_reference(p, dim):
    return lambda x: (np.abs(x) ** p).sum(dim) ** (1 / p)


CASES = [
    *all_dims(),
    *[
        case(f"max {d}", lambda x, d=d: x.max(d)[0], lambda x, d=d: x.max(d), (3, 4, 2), draw=apart)
        for d in (0, 1, -1)
    ],
    *[
        case(
            f"min {d}",
            lambda x, d=d: x.min(d, True).values,
            lambda x, d=d: x.min(d, keepdims=True),
            (3, 4, 2),
            draw=apart,
        )
        for d in (0, 1, -1)
    ],
    case("max", lambda x: x.max(), np.max, (3, 4), draw=apart),
    case("min", lambda x: x.min(), np.min, (3, 4), draw=apart),
    *[
        case(
            f"var {c}",
            lambda x, c=c: pyml.var(x, 1, correction=c),
            lambda x, c=c: x.var(1, ddof=c),
            (3, 5),
        )
        for c in (0, 1, 2)
    ],
    case("biased std", lambda x: x.std(unbiased=False), np.std, (3, 5)),
    *[
        case(
            f"norm {p} {d}",
            lambda x, p=p, d=d: x.norm(p, d),
            norm_reference(p, d),
            (3, 4),
            draw=positive,
        )
        for p in (1, 2, 3, 0.5, 2.5)
        for d in (None, 0, 1)
    ],
    case(
        "norm inf",
        lambda x: x.norm(float("inf"), 1),
        lambda x: np.abs(x).max(1),
        (3, 4),
        draw=apart,
    ),
    case(
        "norm -inf",
        lambda x: x.norm(-float("inf"), 1),
        lambda x: np.abs(x).min(1),
        (3, 4),
        draw=apart,
    ),
    case(
        "norm fro",
        lambda x: pyml.norm(x, "fro", (0, 2)),
        lambda x: np.sqrt((x * x).sum((0, 2))),
        (3, 4, 2),
    ),
    case(
        "norm 3 of zeros",
        lambda x: pyml.norm(x, 3),
        lambda x: (np.abs(x) ** 3).sum() ** (1 / 3),
        (5,),
        draw=with_zeros,
    ),
    *[
        case(
            f"prod {d}",
            lambda x, d=d: x.prod(d),
            lambda x, d=d: x.prod(d),
            (3, 4, 2),
            draw=positive,
        )
        for d in (None, 0, 1, -1)
    ],
    *[
        case(
            f"prod of zeros {d}",
            lambda x, d=d: x.prod(d),
            lambda x, d=d: x.prod(d),
            (3, 4),
            draw=with_zeros,
        )
        for d in (None, 0, 1)
    ],
    *[
        case(f"cumsum {d}", lambda x, d=d: x.cumsum(d), lambda x, d=d: x.cumsum(d), (3, 4, 2))
        for d in (0, 1, -1)
    ],
    case("sum of a scalar", lambda x: x.sum(0), lambda x: x, ()),
    case("max of a scalar", lambda x: x.max(0)[0], lambda x: x, ()),
    case(
        "logsumexp far from zero",
        lambda x: (x + 1e3).logsumexp(1),
        lambda x: logsumexp(x, 1, False) + 1e3,
        (3, 4),
    ),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


@pytest.mark.parametrize(
    "shape, dim", [((1000, 300), 0), ((300, 1000), 1), ((40, 50, 60), (0, 2)), ((70, 9, 50), 1)]
)
def test_large_sums(shape, dim, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    n = x.size // x.sum(dim).size
    error = np.abs(pyml.from_numpy(x).sum(dim).numpy() - x.astype(np.longdouble).sum(dim))
    scale = np.abs(x).astype(np.longdouble).sum(dim)
    assert (error <= tolerances.summed(n) * np.finfo(dtype).eps * scale).all()


# ---- nothing, and one element --------------------------------------------------------------------


def test_of_nothing():
    x = pyml.zeros(0, 3)
    assert x.sum().item() == 0 and x.sum(0).tolist() == [0, 0, 0] and x.sum(1).shape == (0,)
    assert x.prod().item() == 1 and x.mean().isnan() and x.mean(0).isnan().all()
    assert x.var().isnan() and x.logsumexp(0).tolist() == [-np.inf] * 3 and x.norm().item() == 0
    assert x.any().item() is False and x.all().item() is True
    assert x.max(1).values.shape == (0,) and x.cumsum(0).shape == (0, 3)
    for name in ("max", "min", "amax", "amin", "argmax", "argmin"):
        with pytest.raises(IndexError, match=r"\(0, 3\) has no elements"):
            getattr(x, name)()
        with pytest.raises(IndexError, match=r"\(0, 3\) has no elements"):
            getattr(x, name)(0)


def test_gradient_of_nothing():
    x = pyml.zeros(0, 3, requires_grad=True)
    (x.sum() + x.sum(0).sum() + (x * x).mean(1).sum() + x.amax(1).sum()).backward()
    assert x.grad.shape == (0, 3)


def test_variance_of_one_element():
    assert pyml.ones(1).var().isnan() and pyml.ones(1).var(correction=0).item() == 0
    x = pyml.full((4,), 3.0, requires_grad=True)
    (x.std() + (x * 0).norm()).backward()
    assert x.grad.tolist() == [0, 0, 0, 0]


def test_variance_far_from_zero(dtype):
    x = pyml.tensor(1e4 + np.array([-1.0, 0, 1]), dtype=dtype)
    assert x.var().item() == 1


# ---- max and min ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize("dtype", ["bool", "int64", "uint16", "float32", "float64"])
def test_any_and_all(name, dtype):
    rng = np.random.default_rng(0)
    for shape in [(), (1,), (3, 4), (2, 3, 4), (0,), (2, 0)]:
        for share in (0.0, 0.3, 1.0):
            x = np.asarray(rng.random(shape) < share).astype(dtype)
            t, function = pyml.from_numpy(x), getattr(np, name)
            got = getattr(t, name)()
            assert got.dtype == bool and got.shape == () and got.item() == function(x)
            for d in range(len(shape)):
                np.testing.assert_array_equal(getattr(t, name)(d).numpy(), function(x, d))
                np.testing.assert_array_equal(
                    getattr(t, name)(d, True).numpy(), function(x, d, keepdims=True)
                )
            elements = getattr(t, name)(dim=())  # of no dimensions
            np.testing.assert_array_equal(elements.numpy(), x != 0)
            assert elements.dtype == bool and not np.shares_memory(elements.numpy(), x)
    x = np.array([np.nan, np.finfo("f").smallest_subnormal, 0], "f")  # what is not zero is true
    assert pyml.from_numpy(x[:2]).all() and not pyml.from_numpy(x).all()
    assert pyml.from_numpy(x[1:]).any() and not pyml.from_numpy(x[2:]).any()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64"])
def test_sums_of_integers_are_exact(dtype):
    x = np.full((1000, 30), 1 if dtype == "bool" else np.iinfo(dtype).max // 2, dtype)
    t = pyml.from_numpy(x)
    assert t.sum().dtype == np.int64
    assert t.sum().item() == int(x.sum(dtype=np.int64))
    np.testing.assert_array_equal(t.sum(0).numpy(), x.sum(0, dtype=np.int64), strict=True)
    np.testing.assert_array_equal(t.t().sum(0).numpy(), x.sum(1, dtype=np.int64), strict=True)


def test_max_is_a_named_tuple():
    x = pyml.tensor([[1.0, 3, 3], [5, 4, 5]])
    result = x.max(1)
    assert result.values.tolist() == [3, 5] and result.indices.tolist() == [1, 0]
    assert result.indices.dtype == pyml.int64 and type(result).__name__ == "max"
    assert (
        x.argmax().item() == 3
        and x.argmin(0).tolist() == [0, 0, 0]
        and x.argmax(1, True).shape == (2, 1)
    )


def test_max_of_two_tensors():
    a, b = pyml.tensor([1.0, 4]), pyml.tensor([2.0, 3])
    assert pyml.max(a, b).tolist() == [2, 4] and a.min(b).tolist() == [1, 3]


def test_equal_elements_share_the_gradient_of_a_value_and_the_first_takes_that_of_an_index():
    x = pyml.tensor([[1.0, 3, 3, 2]], requires_grad=True)
    assert grad(x.max(), x)[0].tolist() == [[0, 0.5, 0.5, 0]]
    assert grad(x.amax(1).sum(), x)[0].tolist() == [[0, 0.5, 0.5, 0]]
    assert grad(x.max(1).values.sum(), x)[0].tolist() == [[0, 1, 0, 0]]


def test_nan_is_the_extreme():
    x = pyml.tensor([[1.0, np.nan, 3]])
    for name in ("max", "min"):
        values, indices = getattr(x, name)(1)
        assert values.isnan().all() and indices.tolist() == [1] and getattr(x, name)().isnan()


# ---- dtypes and arguments ------------------------------------------------------------------------


def test_integers_and_bool():
    x = pyml.tensor([[3, 1], [2, 2]], dtype=pyml.int32)
    assert (
        x.sum().dtype == pyml.int64 and x.sum(0).tolist() == [5, 3] and x.prod(1).tolist() == [3, 4]
    )
    assert (
        x.max(0).values.dtype == pyml.int32
        and x.argmax(1).tolist() == [0, 0]
        and x.cumsum(0).tolist() == [[3, 1], [5, 3]]
    )
    assert pyml.tensor([True, True]).sum().item() == 2 and x.amin((0, 1)).item() == 1
    assert (x > 1).any(0).tolist() == [True, True] and (x > 1).all(1, True).tolist() == [
        [False],
        [True],
    ]
    assert (
        x.mean(dtype=pyml.float64).item() == 2 and x.sum(dtype=pyml.float32).dtype == pyml.float32
    )
    for name in ("mean", "var", "std", "norm"):
        with pytest.raises(TypeError, match="int32"):
            getattr(x, name)()


@pytest.mark.parametrize(
    "name",
    ["sum", "mean", "var", "amax", "max", "argmin", "any", "prod", "cumsum", "logsumexp", "norm"],
)
def test_dimensions_out_of_range(name):
    x = pyml.ones(2, 3)
    for dim in (2, -3):
        with pytest.raises(IndexError, match=f"dim is {dim}, it must be from -2 to 1"):
            getattr(pyml, name)(x, **{"dim": dim})


def test_a_dimension_twice():
    with pytest.raises(ValueError, match="twice"):
        pyml.ones(2, 3).sum((0, -2))


def test_unbiased_and_correction():
    x = pyml.tensor([1.0, 3.0])
    assert (
        x.var(False).item() == 1
        and x.var(unbiased=True).item() == 2
        and x.var(0, correction=0).item() == 1
    )
    with pytest.raises(ValueError, match="only one"):
        x.var(unbiased=True, correction=1)


def test_logsumexp_of_infinities():
    inf = float("inf")
    x = pyml.tensor([[-inf, -inf], [-inf, 0.0], [inf, 0.0], [inf, inf]])
    assert x.logsumexp(1).tolist() == [-inf, 0, inf, inf]


# ---- what float32 does not hold ------------------------------------------------------------------

EXTREMES = {
    "large": [1e20, -1e20, 3e19],
    "larger": [3e36, 3e36, -1e36],
    "small": [1e-30, 2e-30, 5e-30],
    "smaller than their sum": [1e19, -1e19, 5e18],
    "mixed": [1e-30, 2e25, 1.0],
}


@pytest.mark.parametrize("values", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("dim", [None, 0, 1])
def test_extreme_values(values, dim):
    """float64 has them all: the result is its result, rounded, with its gradient."""
    x = np.outer([1.0, -0.5, 0.25], values).astype(np.float32)
    for name, options in [
        ("mean", {}),
        ("std", {}),
        ("std", {"correction": 0}),
        ("var", {}),
        ("norm", {}),
        ("norm", {"p": 3}),
        ("norm", {"p": 1.5}),
        ("norm", {"p": np.inf}),
    ]:
        single = pyml.tensor(x, requires_grad=True)
        double = pyml.tensor(x, dtype=pyml.float64, requires_grad=True)
        y, wanted = (getattr(t, name)(dim=dim, **options) for t in (single, double))
        with np.errstate(over="ignore", under="ignore"):
            reference = wanted.detach().numpy().astype(np.float32)
        reference[np.abs(reference) < np.finfo(np.float32).tiny] = 0
        np.testing.assert_allclose(y.detach().numpy(), reference, rtol=1e-5, err_msg=name)
        if name == "var" or np.isinf(reference).any():
            continue
        y.sum().backward()
        wanted.sum().backward()
        np.testing.assert_allclose(
            single.grad.numpy(), double.grad.numpy(), rtol=1e-4, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [0.5, 1, 2, 3, np.inf])
def test_subnormal_numbers_are_zero(p, dtype):
    """As in all kernels; not NaN."""
    x = pyml.full((3,), float(np.finfo(dtype).tiny) / 8, dtype=dtype, requires_grad=True)
    y = x.norm(p)
    y.backward()
    assert y.item() < np.finfo(dtype).tiny and np.isfinite(x.grad.numpy()).all()
    assert x.detach().std().item() == 0
    p = nn.Parameter(pyml.zeros(3, dtype=dtype))
    p.grad = x.detach().clone()
    nn.utils.clip_grad_norm_([p], 1.0, norm_type=3)
    assert (p.grad.numpy() < np.finfo(dtype).tiny).all()


def test_extreme_values_in_a_recorded_step():
    @pyml.record
    def step(x):
        return x.mean(), x.std(), x.norm(), x.norm(3), x.var(0)

    rng = np.random.default_rng(0)
    for i, scale in enumerate([1, 1e20, 1e-30, 1, 1e18, 1e-16, 1e20]):
        x = pyml.from_numpy((rng.standard_normal((4, 3)) * scale).astype(np.float32))
        recorded = [y.numpy().copy() for y in step(x)]
        for got, y in zip(
            recorded, (x.mean(), x.std(), x.norm(), x.norm(3), x.var(0)), strict=True
        ):
            assert got.tobytes() == y.numpy().tobytes(), (i, scale)


def test_a_mean_whose_sum_is_too_large():
    x = pyml.tensor([[3e38, -3e38], [3e38, -3e38], [3e38, 1.0]])
    np.testing.assert_allclose(x.mean(0).numpy(), [3e38, -2e38], rtol=1e-6)
    np.testing.assert_allclose(pyml.tensor([3e38, -3e38]).std(correction=0).item(), 3e38, rtol=1e-6)


def test_infinite_values_stay_infinite():
    for value in (np.inf, np.nan):
        x = pyml.tensor([1.0, value])
        assert not (x.norm() < np.inf) and not (x.norm(3) < np.inf)
        assert np.isnan(x.std().item()) and not (x.mean() < np.inf)
    assert pyml.tensor([2.0, 2.0]).std() == 0 and pyml.zeros(3).norm() == 0


def test_the_0_norm_counts_nan():
    x = pyml.tensor([[np.nan, 0.0, -2.0], [np.nan, np.inf, 0.0]], requires_grad=True)
    assert x.norm(0, 1).tolist() == [2, 2]
    assert pyml.linalg.vector_norm(x, 0, 0).tolist() == [2, 1, 1]
    x.norm(0).backward()
    assert x.grad.tolist() == [[0] * 3] * 2
    assert pyml.pdist(x.detach(), 0).isnan().all()  # a distance is of the differences, as PyTorch's
    assert pyml.cdist(x.detach()[:, 1:], pyml.zeros(1, 2), 0).tolist() == [[1], [1]]


def test_dtypes_of_running_sums():
    x = pyml.tensor([[1, 2], [3, 0]], dtype=pyml.int32)
    assert x.cumsum(0, dtype=pyml.int32).dtype == pyml.int32
    assert x.cumsum(0, dtype=pyml.uint8).tolist() == [[1, 2], [4, 2]]
    assert x.cumsum(0).dtype == pyml.int64
