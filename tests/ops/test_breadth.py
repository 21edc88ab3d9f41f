"""Functions made of others: values by NumPy, forms in place, draws, and what is refused."""

import math

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from ops import breadth
from pyml.ops import rewriting

A = pyml.tensor([[0.3, 0.7], [0.2, 0.9]])


@pytest.mark.parametrize("row", [r for r in breadth.ROWS if r.reference], ids=str)
def test_values(row):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(row.draw(rng, shape), np.float64) for shape in row.shapes]
    got = row.function(pyml, *map(pyml.tensor, arrays))
    np.testing.assert_allclose(got.numpy(), row.reference(*arrays), rtol=1e-12)


def test_special_functions():
    x = pyml.tensor([0.5, 1.0, 2.5], dtype=pyml.float64)
    np.testing.assert_allclose(x.lgamma().tolist(), [0.5723649429247001, 0, 0.2846828704729192])
    np.testing.assert_allclose(
        x.digamma().tolist(), [-1.9635100260214235, -0.5772156649015329, 0.7031566406452432]
    )
    np.testing.assert_allclose(pyml.polygamma(1, x)[1].item(), np.pi**2 / 6, rtol=1e-14)
    y = pyml.tensor([-0.999999, -0.3, 0.0, 1e-8, 0.7], dtype=pyml.float64)
    np.testing.assert_allclose(y.erfinv().erf().numpy(), y.numpy(), rtol=1e-14)
    assert pyml.tensor([1.0, -1.0, 2.0]).erfinv().isinf().tolist() == [True, True, False]
    assert pyml.tensor([0.0, -1.0]).lgamma().tolist() == [np.inf, np.inf]


def test_xlogy_of_zero():
    """0 whatever the other is, unless NaN; its derivative is still the logarithm."""
    x = pyml.zeros(6, dtype=pyml.float64, requires_grad=True)
    other = pyml.tensor([2.0, 0.5, 0.0, -1.0, np.inf, np.nan], dtype=pyml.float64)
    y = pyml.xlogy(x, other.requires_grad_())
    np.testing.assert_array_equal(y.detach().numpy(), [0, 0, 0, 0, 0, np.nan])
    dx, dother = pyml.autograd.grad(y[:4].sum(), [x, other])
    np.testing.assert_allclose(dx.numpy()[:4], [np.log(2), np.log(0.5), 0, 0], rtol=1e-12)
    np.testing.assert_array_equal(dother.numpy()[:4], [0, 0, 0, 0])


def test_matrix_power_of_integers():
    a = pyml.tensor([[1, 1], [1, 0]])
    assert a.matrix_power(10).tolist() == [[89, 55], [55, 34]]
    assert pyml.equal(a.matrix_power(0), pyml.eye(2, dtype=pyml.int64))
    with pytest.raises(TypeError, match="matrix_power: input has dtype int64"):
        a.matrix_power(-1)


@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 3, 0), (0, 3, 3)])
@pytest.mark.parametrize("ord", [1, 2, np.inf])
def test_norms_of_matrices_without_elements(shape, ord):
    x = pyml.zeros(shape, requires_grad=True)
    y = pyml.linalg.matrix_norm(x, ord)
    assert y.tolist() == [0] * shape[0]
    y.sum().backward()
    assert x.grad.shape == shape


def test_linear_algebra_by_definition():
    a = pyml.tensor(np.random.default_rng(0).standard_normal((2, 4, 4)))
    p, low, up = pyml.linalg.lu(a)
    np.testing.assert_allclose((p @ low @ up).numpy(), a.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        pyml.matrix_exp(a).numpy(), (pyml.matrix_exp(a / 64).matrix_power(64)).numpy(), rtol=1e-9
    )
    np.testing.assert_allclose(
        pyml.einsum("bij,bkj->bik", a, a).numpy(), (a @ a.mT).numpy(), rtol=1e-12
    )


ARGUMENTS = {  # of forms in place, after the tensor
    **dict.fromkeys(("cumsum_", "cumprod_"), (0,)),
    **dict.fromkeys(("clamp_min_", "clamp_max_"), (0.5,)),
    "copysign_": (-A,),
    **dict.fromkeys(("index_fill_",), (0, pyml.tensor([1]), 0.5)),
    **dict.fromkeys(("index_add_", "index_copy_"), (0, pyml.tensor([1]), A[:1])),
    **dict.fromkeys(("scatter_", "scatter_add_"), (0, pyml.tensor([[1, 0]]), A)),
    "index_reduce_": (0, pyml.tensor([1]), A[:1], "amax"),
    "mvlgamma_": (1,),
    "put_": (pyml.tensor([3, 0]), A[0]),
    "scatter_reduce_": (0, pyml.tensor([[1, 0]]), A, "prod"),
    "masked_scatter_": (A > 0.5, A),
    "renorm_": (2, 0, 0.5),
    **dict.fromkeys(("addmm_",), (A, A)),
    "addmv_": (A, A[0]),
    "addr_": (A[0], A[1]),
    **dict.fromkeys(("baddbmm_", "addbmm_"), (pyml.ones(2, 2, 2), pyml.ones(2, 2, 2))),
}
TWO = {
    "atan2_",
    "eq_",
    "float_power_",
    "floor_divide_",
    "fmod_",
    "ge_",
    "gcd_",
    "gt_",
    "heaviside_",
    "hypot_",
    "igamma_",
    "igammac_",
    "lcm_",
    "ldexp_",
    "le_",
    "logical_and_",
    "logical_or_",
    "logical_xor_",
    "lt_",
    "maximum_",
    "minimum_",
    "ne_",
    "nextafter_",
    "remainder_",
    "xlogy_",
}


@pytest.mark.parametrize("name", rewriting.NAMES)
def test_in_place(name):
    x, others = A.clone(), ARGUMENTS.get(name, (A.flip(0),) if name in TWO else ())
    if name.startswith("bitwise") or name in ("gcd_", "lcm_"):
        x, others = pyml.arange(4), () if "not" in name else (pyml.ones(4, dtype=pyml.int64),)
    if name == "baddbmm_":
        x = pyml.ones(2, 2, 2)
    if name == "addmv_":
        x = A[0].clone()
    if name == "acosh_":
        x = x + 1
    wanted = getattr(pyml, name[:-1])(x, *others).to(x.dtype)
    version = x._version
    assert getattr(x, name)(*others) is x and x._version > version
    assert_same_bits(x.numpy(), np.ascontiguousarray(wanted.numpy()))


def test_bernoulli():
    pyml.manual_seed(0)
    p = pyml.full((4000,), 0.3)
    assert abs(p.bernoulli().mean().item() - 0.3) < 0.03
    assert abs(pyml.zeros(4000).bernoulli_(0.7).mean().item() - 0.7) < 0.03
    assert pyml.bernoulli(pyml.tensor([0.0, 1.0])).tolist() == [0, 1]
    assert pyml.zeros(2, dtype=pyml.int64).bernoulli_(pyml.tensor([0.0, 1.0])).tolist() == [0, 1]
    with pytest.raises(ValueError, match="probabilities are from 0 to 1"):
        pyml.bernoulli(pyml.tensor([1.5]))


def test_multinomial():
    pyml.manual_seed(0)
    weights = pyml.tensor([1.0, 0.0, 3.0])
    drawn = pyml.multinomial(weights, 4000, replacement=True)
    shares = pyml.bincount(drawn, minlength=3) / 4000
    np.testing.assert_allclose(shares.tolist(), [0.25, 0, 0.75], atol=0.03)
    first = [pyml.multinomial(weights, 2).tolist() for _ in range(400)]
    assert {tuple(row) for row in first} == {(0, 2), (2, 0)}
    assert abs(sum(row[0] == 2 for row in first) / 400 - 0.75) < 0.08
    assert pyml.multinomial(pyml.ones(3, 5), 5).sort(1).values.tolist() == [[0, 1, 2, 3, 4]] * 3
    for replacement in (False, True):  # of no rows
        assert pyml.multinomial(pyml.ones(0, 5), 2, replacement).shape == (0, 2)
    for bad, match in (
        ((pyml.tensor([-1.0, 2.0]), 1), "not negative"),
        ((weights, 3), "has 2 classes"),
        ((pyml.zeros(2), 1), "one must be"),
        ((weights, 0), "at least 1"),
    ):
        with pytest.raises(ValueError, match=match):
            pyml.multinomial(*bad)


def test_multinomial_of_the_smallest_weight():
    """Its product with a number of [0, 1) may be rounded to itself."""
    pyml.manual_seed(0)
    weights = pyml.tensor([5e-324, 0.0], dtype=pyml.float64)
    assert pyml.multinomial(weights, 20, replacement=True).tolist() == [0] * 20


@pytest.mark.parametrize("weight", [np.inf, np.nan])
def test_multinomial_of_weights_that_are_not_finite(weight):
    with pytest.raises(ValueError, match="must be finite"):
        pyml.multinomial(pyml.tensor([1.0, weight]), 1)


@pytest.mark.parametrize("name", ["median", "nanmedian"])
def test_equals_share_the_gradient_of_a_median(name):
    x = pyml.tensor([3.0, 1, 1, 3, 1, 1, 9], requires_grad=True)
    y = getattr(pyml, name)(x)
    (dx,) = pyml.autograd.grad(y.square(), x, create_graph=True)
    assert y.item() == 1 and dx.tolist() == [0, 0.5, 0.5, 0, 0.5, 0.5, 0]
    assert pyml.autograd.grad(dx[1], x)[0].tolist() == [0, 0.125, 0.125, 0, 0.125, 0.125, 0]
    x = pyml.full((2, 1), np.nan, requires_grad=True)
    getattr(pyml, name)(x).backward()
    assert x.grad.tolist() == [[0.5], [0.5]]


def test_gradients_go_through_different_elements():
    x = pyml.tensor([[1.0, 2.0], [3.0, 2.0], [1.0, 2.0]], requires_grad=True)
    for function, dim, wanted in [
        (pyml.unique, None, [[2, 4], [6, 0], [0, 0]]),
        (pyml.unique, 0, [[2, 4], [6, 4], [0, 0]]),
        (pyml.unique_consecutive, None, [[2, 4], [6, 4], [2, 4]]),
        (pyml.unique_consecutive, 0, [[2, 4], [6, 4], [2, 4]]),
    ]:
        values, _ = function(x, return_counts=True, dim=dim)
        assert pyml.autograd.grad(values.square().sum(), x)[0].tolist() == wanted


def test_gradients_of_steps():
    x = pyml.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    at = pyml.tensor(3.0, requires_grad=True)
    dx, slope = pyml.autograd.grad(pyml.heaviside(x, at).sum(), (x, at))
    assert dx.tolist() == [0, 0, 0] and slope == 1
    dx, slope = pyml.autograd.grad(pyml.nextafter(x, at - 1).sum(), (x, at))
    assert dx.tolist() == [1, 1, 0] and slope == 0


def test_each_matrix_has_a_tolerance_of_its_rank():
    rank, x = pyml.linalg.matrix_rank, pyml.diag(pyml.tensor([4.0, 2.0, 0.0]))
    each = pyml.tensor([0.0, 3.0, 5.0])
    assert rank(x.expand(3, 3, 3), atol=each).tolist() == [2, 1, 0]
    assert rank(x, rtol=each / 4).tolist() == [2, 1, 0]
    steep = pyml.diag(pyml.tensor([1e8, 1.0]))  # where atol is positive, rtol is 0
    assert rank(steep) == 1 and rank(steep, atol=0.5) == 2
    assert rank(steep.expand(2, 2, 2), atol=pyml.tensor([0.0, 0.5])).tolist() == [1, 2]
    assert rank(x, atol=1e-9) == 2 and rank(pyml.zeros(0, 3, 3), atol=pyml.zeros(0)).shape == (0,)


def test_the_combinations_of_nothing():
    assert pyml.combinations(pyml.arange(3), r=0).shape == (0,)


def test_gather_of_numbers():
    x, at = pyml.tensor([5.0, 6, 7], requires_grad=True), pyml.tensor(2)
    y = x.gather(0, at)
    assert y.shape == () and y.item() == 7
    y.backward()
    assert x.grad.tolist() == [0, 0, 1]
    assert pyml.tensor(3.0).gather(0, pyml.tensor([0, 0])).tolist() == [3, 3]
    with pytest.raises(IndexError, match="index 3 is out of"):
        x.gather(0, pyml.tensor(3))
    with pytest.raises(ValueError, match="as many dimensions"):
        pyml.ones(3, 2).gather(0, at)


def test_nearest_quantile_between_two_elements():
    """The place of even number, as np.round and PyTorch."""
    x = pyml.tensor([10.0, 11.0, 12.0, 13.0])
    q = pyml.tensor([0.5 / 3, 0.5, 2.5 / 3], dtype=pyml.float64)
    assert pyml.quantile(x[:2], 0.5, interpolation="nearest").item() == 10
    assert pyml.quantile(x, q, interpolation="nearest").tolist() == [10, 12, 12]


@pytest.mark.parametrize("interpolation", ["lower", "higher", "nearest"])
def test_quantiles_that_are_elements_may_be_infinite(interpolation):
    x = pyml.tensor([math.inf, 1.0, -math.inf, math.inf])
    q = pyml.tensor([0.0, 0.8, 1.0])
    for function in (pyml.quantile, pyml.nanquantile):
        values = function(x, q, interpolation=interpolation)
        assert values.tolist() == [-math.inf, math.inf, math.inf]


def test_the_gradient_of_a_quantile_that_is_nan():
    """It is the NaN's, as that of a median, and not of nothing."""
    x = pyml.tensor([1.0, math.nan, 2.0], requires_grad=True)
    y = pyml.quantile(x, 0.5)
    y.backward()
    assert math.isnan(y.item()) and x.grad.tolist() == [0, 1, 0]
    x.grad = None
    pyml.nanquantile(x, 0.5).backward()
    assert x.grad.tolist() == [0.5, 0, 0.5]
    assert pyml.nanquantile(pyml.full((2, 2), math.nan), 0.5, 1).isnan().all()


def test_repeats_of_places():
    """repeat_interleave(repeats): each place as often as the tensor says."""
    for dtype in (pyml.int64, pyml.int32):
        places = pyml.repeat_interleave(pyml.tensor([1, 0, 2], dtype=dtype))
        assert places.tolist() == [0, 2, 2] and places.dtype == dtype
    assert pyml.repeat_interleave(pyml.zeros(0, dtype=pyml.int64)).tolist() == []
    with pytest.raises(TypeError, match="repeats has dtype float32"):
        pyml.repeat_interleave(pyml.ones(3))


def test_the_diagonal_of_a_cube():
    x = pyml.zeros(3, 3, 3)
    assert x.fill_diagonal_(2.0) is x
    assert x.nonzero().tolist() == [[0] * 3, [1] * 3, [2] * 3] and x.sum() == 6
    for shape in [(3,), (2, 3, 3)]:
        with pytest.raises(RuntimeError, match=r"fill_diagonal_: the tensor has shape"):
            pyml.zeros(shape).fill_diagonal_(1.0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x.bernoulli_(),
        lambda x: x.cauchy_(),
        lambda x: x.exponential_(),
        lambda x: x.geometric_(0.5),
        lambda x: x.log_normal_(),
        lambda x: x.random_(),
    ],
)
def test_nothing_is_drawn_for_a_tensor_that_refuses_it(draw):
    pyml.manual_seed(0)
    expected = pyml.rand(3)
    pyml.manual_seed(0)
    with pytest.raises(RuntimeError, match="leaf"):
        draw(pyml.ones(3, requires_grad=True))
    assert_same_bits(pyml.rand(3), expected)


def test_draws_in_place():
    pyml.manual_seed(0)
    x = pyml.empty(4000, dtype=pyml.float64)
    assert abs(x.exponential_(2.0).mean().item() - 0.5) < 0.05
    assert abs(x.log_normal_(0.0, 0.5).log().std().item() - 0.5) < 0.05
    assert abs(x.cauchy_(1.0).median().item() - 1) < 0.1
    assert abs(x.geometric_(0.25).mean().item() - 4) < 0.3 and x.min() == 1
    assert sorted(set(x.random_(2, 5).tolist())) == [2, 3, 4]
    assert sorted(set(pyml.empty(99, dtype=pyml.int64).random_(2).tolist())) == [0, 1]
    with pytest.raises(ValueError, match="lambd is 0"):
        x.exponential_(0)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: pyml.einsum("ij,jk", A), ValueError, "for 2 operands"),
        (lambda: pyml.einsum("ijk", A), ValueError, "another number of dimensions"),
        (lambda: pyml.einsum("ij->ijk", A), ValueError, "must stand left"),
        (lambda: pyml.einsum(A, [0, 52]), ValueError, "from 0 to 51"),
        (lambda: pyml.einsum(A, A), TypeError, "behind each tensor"),
        (lambda: pyml.einsum(A, [0], [0]), ValueError, "another number of dimensions"),
        (lambda: pyml.linalg.inv(pyml.ones(2, 2)), RuntimeError, "linalg.inv: Singular"),
        (lambda: pyml.linalg.inv(pyml.ones(2, 3)), ValueError, "must be square"),
        (lambda: pyml.linalg.cholesky(-pyml.eye(2)), RuntimeError, "linalg.cholesky"),
        (lambda: pyml.linalg.solve(A, A.double()), TypeError, "must be the same"),
        (lambda: pyml.topk(A, 3), ValueError, "k is 3, it must be from 0 to 2"),
        (lambda: pyml.kthvalue(A, 0), ValueError, "from 1 to 2"),
        (lambda: pyml.quantile(A, 1.5), ValueError, "q is 1.5"),
        (lambda: pyml.roll(A, (1, 1)), ValueError, "needs dims"),
        (lambda: pyml.meshgrid(A), ValueError, "must be vectors"),
        (lambda: pyml.bincount(A), ValueError, "vector of integers"),
        (lambda: pyml.cdist(A, pyml.ones(2, 3)), ValueError, "rows, of one size"),
        (lambda: pyml.outer(A, A), ValueError, "must be vectors"),
        (lambda: pyml.index_add(A, 0, pyml.tensor([5]), A[:1]), IndexError, "out of range"),
        (
            lambda: pyml.nn.functional.one_hot(pyml.tensor([3]), 2),
            IndexError,
            "index 3 is out of range",
        ),
        (lambda: A.masked_scatter(A > 0, A[0]), ValueError, "the mask chooses 4"),
        (lambda: pyml.fmod(pyml.tensor([1]), 0), ZeroDivisionError, "divided by zero"),
        (lambda: pyml.linalg.qr(A, "x"), ValueError, "mode is 'x'"),
        (lambda: pyml.diff(A, -1), ValueError, "n is -1"),
        (lambda: pyml.cross(pyml.ones(2, 3), pyml.ones(2, 1)), ValueError, r"size 3, not \[3, 1\]"),
        (lambda: pyml.cross(pyml.ones(3, 3), pyml.ones(3), 0), ValueError, r"size 3, not \[3, 1\]"),
        (lambda: pyml.norm(A, "nuc"), ValueError, "linalg.matrix_norm has 'nuc'"),
    ],
)
def test_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("name", ["igamma", "igammac", "zeta"])
def test_no_derivative_by_the_first_argument(name):
    function = getattr(pyml.special, {"igamma": "gammainc", "igammac": "gammaincc"}.get(name, name))
    x = pyml.full((2,), 2.0, requires_grad=True)
    with pytest.raises(NotImplementedError, match=f"{name}: the derivative by the first argument"):
        function(x, pyml.ones(2)).sum().backward()


def test_edges_of_special_functions():
    nan, inf = np.nan, np.inf
    a = pyml.tensor([0, 0, 1, inf, 1, inf, -1, 1, nan], dtype=pyml.float64)
    x = pyml.tensor([0, 1, 0, 1, inf, inf, 1, -1, 1], dtype=pyml.float64)
    low, high = pyml.igamma(a, x), pyml.igammac(a, x)
    np.testing.assert_array_equal(low.numpy(), [nan, 1, 0, 0, 1, nan, nan, nan, nan])
    np.testing.assert_array_equal(high.numpy(), [nan, 0, 1, 1, 0, nan, nan, nan, nan])
    ends = pyml.tensor([0.0, 1.0, -0.1, 1.1, nan])
    np.testing.assert_array_equal(pyml.special.ndtri(ends).numpy(), [-inf, inf, nan, nan, nan])
    far = pyml.tensor([-inf, -1e30, 1e30, inf], dtype=pyml.float64)
    np.testing.assert_array_equal(pyml.special.log_ndtr(far).numpy()[[0, 2, 3]], [-inf, 0, 0])
    np.testing.assert_array_equal(pyml.special.erfcx(far).numpy()[[0, 1, 3]], [inf, inf, 0])
    np.testing.assert_array_equal(pyml.special.i0e(far).numpy()[[0, 3]], [0, 0])
    edges = pyml.tensor([0.0, -1.0, 0.5, nan])
    np.testing.assert_array_equal(pyml.special.entr(edges).numpy()[[0, 1, 3]], [0, -inf, nan])
    nothing = pyml.special.xlog1py(pyml.zeros(3), pyml.tensor([-1.0, inf, nan]))
    np.testing.assert_array_equal(nothing.numpy(), [0, 0, nan])
    assert pyml.special.zeta(pyml.tensor([1.0, 0.5, 2.0]), 1.0).isinf().tolist() == [1, 0, 0]
    s, q = pyml.tensor([2.0, 2.0, 2.5, 0.5, 3.0]), pyml.tensor([-2.0, 0.0, -0.5, -0.5, -1e-20])
    np.testing.assert_array_equal(pyml.special.zeta(s, q).numpy(), [inf, inf, nan, nan, -inf])


def test_zeta_of_negative_numbers_is_that_of_the_next_and_a_term():
    q = pyml.tensor([-0.25, -0.5, -3.75, -40.1, -1e6 - 0.125], dtype=pyml.float64)
    for s in (2.0, 3.0, 8.0):
        wanted = pyml.special.zeta(s, q + 1) + q**-s
        np.testing.assert_allclose(pyml.special.zeta(s, q).numpy(), wanted.numpy(), rtol=1e-13)
    far = pyml.special.zeta(pyml.tensor(2.0, dtype=pyml.float64), -1e12 - 0.5)
    np.testing.assert_allclose(far.item(), np.pi**2, rtol=1e-11)


def test_special_functions_where_their_parts_meet():
    """Both formulas, at the place where one takes over, by their difference quotient."""
    for name, place in (("i0e", 20.0), ("i1e", 20.0), ("erfcx", 3.0), ("log_ndtr", 0.0)):
        function = getattr(pyml.special, name)
        x = pyml.tensor([place - 1e-9, place, place + 1e-9], dtype=pyml.float64)
        before, at, after = function(x).tolist()
        np.testing.assert_allclose(at - before, after - at, atol=1e-15)
    for a in (16.0, 30.0):
        x = pyml.tensor([a + 1 - 1e-9, a + 1, a + 1 + 1e-9], dtype=pyml.float64)
        before, at, after = pyml.igamma(pyml.full((3,), a, dtype=pyml.float64), x).tolist()
        np.testing.assert_allclose(at - before, after - at, atol=1e-14)
    x = 1e6 + 1e3 * pyml.arange(-8, 9, dtype=pyml.float64)
    a = pyml.tensor([np.nextafter(1e6, 0), 1e6], dtype=pyml.float64)
    for function in (pyml.igamma, pyml.igammac):
        before, at = function(a[:, None], x).numpy()
        np.testing.assert_allclose(before, at, rtol=1e-11)


@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
def test_incomplete_gamma_functions_of_enormous_numbers_end(dtype):
    a = pyml.tensor([1e38, 1e30, 1e38, 1e30, np.inf], dtype=dtype)
    x = pyml.tensor([1.0, 1e29, 1e38, 1e31, 1.0], dtype=dtype)
    np.testing.assert_allclose(pyml.igamma(a, x).numpy(), [0, 0, 0.5, 1, 0], rtol=1e-15)
    np.testing.assert_allclose(pyml.igammac(a, x).numpy(), [1, 1, 0.5, 0, 1], rtol=1e-15)


KNOWN = [  # to 15 digits, by mpmath
    ("gammainc", (30.0, 30.0), 0.524283013893680069),
    ("gammaincc", (100.0, 150.0), 5.92454033548391583e-6),
    ("gammainc", (0.3, 0.01), 0.279240996359014846),
    ("gammainc", (2e6, 2e6), 0.500094031597551918),
    ("gammaincc", (1e10, 1e10), 0.499998670192398665),
    ("erfcx", (10.0,), 0.0561409927438225859),
    ("erfcx", (3.0,), 0.17900115118138995),
    ("i0", (25.0,), 5774560606.46631032),
    ("i1", (25.0,), 5657865129.87870135),
    ("i0", (3.0,), 4.88079258586502409),
    ("i1", (-3.0,), -3.9533702174026094),
    ("log_ndtr", (-20.0,), -203.917155371097264),
    ("zeta", (3.0, 0.25), 64.6638699687684602),
    ("zeta", (2.0, -0.5), 8.93480220054467931),
    ("ndtri", (1e-20,), -9.262340089798408),
]


@pytest.mark.parametrize(("name", "arguments", "value"), KNOWN)
def test_known_values(name, arguments, value):
    tensors = [pyml.tensor(x, dtype=pyml.float64) for x in arguments]
    got = getattr(pyml.special, name)(*tensors).item()
    np.testing.assert_allclose(got, value, rtol=1e-13)


def test_logaddexp_far_apart_and_of_infinities():
    a = pyml.tensor([-20.0, 0.0, np.inf, -np.inf, np.inf], requires_grad=True)
    b = pyml.tensor([0.0, -20.0, 0.0, -np.inf, np.inf])
    y = pyml.logaddexp(a, b)
    np.testing.assert_allclose(y.detach(), np.logaddexp(a.detach(), b), rtol=1e-6)
    np.testing.assert_allclose(
        pyml.autograd.grad(y[:3].sum(), a)[0][:3], [np.exp(-20), 1, 1], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("a", "b", "slopes"),
    [(0.0, np.nan, np.nan), (np.nan, 0.0, np.nan), (np.inf, np.inf, 1), (-np.inf, -np.inf, 1)],
)
def test_slopes_of_logaddexp_sum_up_to_one_or_are_nan(a, b, slopes):
    inputs = [pyml.tensor(x, requires_grad=True) for x in (a, b)]
    found = pyml.autograd.grad(pyml.logaddexp(*inputs), inputs)
    np.testing.assert_equal(sum(x.item() for x in found), slopes)
    assert np.isnan(slopes) == all(np.isnan(x.item()) for x in found)


def test_slope_of_i1_near_zero():
    x = pyml.tensor([0.0, 1e-40, 1e-4, 0.0099, 0.0101], requires_grad=True)
    (slope,) = pyml.autograd.grad(pyml.special.i1(x).sum(), x, create_graph=True)
    square = x.detach() ** 2
    np.testing.assert_allclose(slope.detach(), 0.5 + square * 3 / 16, rtol=1e-6)
    (curve,) = pyml.autograd.grad(slope[2], x)
    np.testing.assert_allclose(curve[2], 3 / 8 * 1e-4, rtol=1e-5)


def test_slope_of_i0_up_to_overflow():
    x = pyml.tensor([1e-30, 88.8, -90.0], requires_grad=True)
    (slope,) = pyml.autograd.grad(pyml.i0(x).sum(), x)
    np.testing.assert_allclose(slope, [5e-31, 1.549567e37, -5.110607e37], rtol=1e-5)


def test_degrees_are_cut_to_integers():
    x, n = pyml.tensor([0.3, 0.3]), pyml.tensor([3.6, 2.0])
    wanted = pyml.special.legendre_polynomial_p(x, n.long())
    assert_same_bits(pyml.special.legendre_polynomial_p(x, n).numpy(), wanted.numpy())


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("sinc", [0.0, 0.003, -0.009, 0.0101]),
        ("i0", [0.0, 1e-9, -1.0]),
        ("i1", [0.0, 1.0]),
        ("i1e", [0.5, -0.5]),
    ],
)
def test_derivatives_near_zero(name, places):
    """Where digits cancel, or a division by 0 is avoided."""
    x = pyml.tensor(places, dtype=pyml.float64, requires_grad=True)
    function = getattr(pyml.special, name)
    assert pyml.autograd.gradcheck(function, x, eps=1e-4, atol=1e-7, rtol=1e-6)
    assert pyml.autograd.gradgradcheck(function, x, eps=1e-4, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("include_self", [True, False])
def test_equals_share_the_gradient_of_an_extreme(include_self):
    x = pyml.tensor([2.0, 5.0, 2.0], requires_grad=True)
    src = pyml.tensor([2.0, 2.0, 1.0], requires_grad=True)
    y = x.scatter_reduce(0, pyml.tensor([0, 0, 1]), src, "amax", include_self=include_self)
    y.backward(pyml.tensor([6.0, 10.0, 1.0]))
    assert y.tolist() == ([2, 5, 2] if include_self else [2, 1, 2])
    assert x.grad.tolist() == ([2, 10, 1] if include_self else [0, 0, 1])
    assert src.grad.tolist() == ([2, 2, 0] if include_self else [3, 3, 10])


@pytest.mark.parametrize("include_self", [True, False])
def test_gradient_of_products_with_zeros(include_self):
    """One zero of a product has a gradient, two have none."""
    x = pyml.tensor([2.0, 0.0, 3.0, 0.0], dtype=pyml.float64, requires_grad=True)
    src = pyml.tensor([0.0, 4.0, 5.0, 0.0, 0.0], dtype=pyml.float64, requires_grad=True)
    index = pyml.tensor([0, 0, 1, 3, 3])
    assert pyml.autograd.gradcheck(
        lambda x, src: x.scatter_reduce(0, index, src, "prod", include_self=include_self), (x, src)
    )
    y = x.scatter_reduce(0, index, src, "prod", include_self=include_self)
    with pytest.raises(NotImplementedError, match="products of zeros have no second derivative"):
        pyml.autograd.grad(y.sum(), x, create_graph=True)


def test_integers_that_are_scattered():
    x, index = pyml.tensor([7, 7, 7]), pyml.tensor([0, 0, 1])
    src = pyml.tensor([2, 3, -4])
    for reduce, with_self, without in (
        ("sum", [12, 3, 7], [5, -4, 7]),
        ("prod", [42, -28, 7], [6, -4, 7]),
        ("mean", [4, 1, 7], [2, -4, 7]),
        ("amax", [7, 7, 7], [3, -4, 7]),
        ("amin", [2, -4, 7], [2, -4, 7]),
    ):
        assert x.scatter_reduce(0, index, src, reduce).tolist() == with_self
        assert x.scatter_reduce(0, index, src, reduce, include_self=False).tolist() == without


def test_solving_with_matrices_that_look_like_vectors():
    """B of A's batch and rows is vectors to solve alone, and only if B has not to be turned."""
    rng = np.random.default_rng(0)
    a = pyml.tensor(rng.standard_normal((3, 3, 3)) + 4 * np.eye(3))
    b = pyml.tensor(rng.standard_normal((3, 3)))
    lu, pivots = pyml.linalg.lu_factor(a)
    for upper in (False, True):
        part = a.triu() if upper else a.tril()
        x = pyml.linalg.solve_triangular(a, b, upper=upper)
        np.testing.assert_allclose((part @ x).numpy(), b.expand(3, 3, 3).numpy(), atol=1e-12)
        factor = part.mT if upper else part
        np.testing.assert_allclose(
            (factor @ factor.mT @ pyml.cholesky_solve(b, part, upper)).numpy(),
            b.expand(3, 3, 3).numpy(),
            atol=1e-10,
        )
        x = pyml.linalg.lu_solve(lu, pivots, b, adjoint=upper)
        y = (a.mT if upper else a) @ x
        np.testing.assert_allclose(y.numpy(), b.expand(3, 3, 3).numpy(), atol=1e-12)
    for B in (b[:, :2], b[:2].mT):
        with pytest.raises(ValueError, match="rows must be as many"):
            pyml.linalg.solve(a[:2], B, left=False)


def test_diagonals_of_the_last_dimensions():
    x = pyml.arange(24).reshape(2, 3, 4)
    assert pyml.linalg.diagonal(x).tolist() == [[0, 5, 10], [12, 17, 22]]
    assert pyml.equal(pyml.linalg.diagonal(x, offset=1, dim1=0), x.diagonal(1, 0, 2))


def test_matrix_exp_of_a_batch_with_a_matrix_that_is_not_finite():
    x = pyml.tensor([[[0.0, np.nan], [0, 0]], [[0, 1], [0, 0]]])
    y = pyml.matrix_exp(x).numpy()
    np.testing.assert_array_equal(y, [np.full((2, 2), np.nan), [[1, 1], [0, 1]]])


def test_factors_of_matrices_without_elements():
    for shape in ((0, 0), (2, 0, 0), (2, 0, 3), (3, 0)):
        lu, pivots = pyml.linalg.lu_factor(pyml.zeros(shape))
        assert lu.shape == shape and pivots.shape == (*shape[:-2], 0)
        assert pyml.linalg.lu_factor_ex(pyml.zeros(shape)).info.shape == shape[:-2]
    nothing = pyml.zeros(2, 0, 0)
    assert pyml.linalg.lu_solve(*pyml.linalg.lu_factor(nothing), pyml.zeros(2, 0, 3)).shape == (
        2,
        0,
        3,
    )


def test_pinv_limits():
    a = pyml.diag(pyml.tensor([4.0, 1.0, 0.5], dtype=pyml.float64)).expand(2, 3, 3)
    a = a * pyml.tensor([1.0, -2.0]).reshape(2, 1, 1)
    for hermitian in (False, True):
        for limits, wanted in (
            ({"atol": 0.6}, [[0.25, 1, 0], [-0.125, -0.5, -1]]),
            ({"rtol": 0.2}, [[0.25, 1, 0], [-0.125, -0.5, 0]]),
            ({"atol": 0.6, "rtol": 0.3}, [[0.25, 0, 0], [-0.125, 0, 0]]),
            ({"atol": 9.0}, [[0, 0, 0], [0, 0, 0]]),
        ):
            y = pyml.linalg.pinv(a, **limits, hermitian=hermitian)
            np.testing.assert_allclose(pyml.linalg.diagonal(y).numpy(), wanted, rtol=1e-12)
    assert pyml.linalg.pinv(pyml.zeros(0, 3), atol=1.0).shape == (3, 0)


def test_infos_of_singular_matrices():
    a = pyml.stack([pyml.eye(2), pyml.ones(2, 2), -pyml.eye(2)])
    L, info = pyml.linalg.cholesky_ex(a)
    assert info.tolist() == [0, 1, 1] and info.dtype == pyml.int32
    assert L[0].tolist() == [[1, 0], [0, 1]] and L[2].isnan().all()
    L, info = pyml.linalg.cholesky_ex(a[1])
    assert info.shape == () and info.item() == 1 and L.isnan().all()
    inverse, info = pyml.linalg.inv_ex(a)
    assert info.tolist() == [0, 1, 0] and inverse[2].tolist() == [[-1, 0], [0, -1]]
    x, info = pyml.linalg.solve_ex(a, pyml.ones(3, 2, 1))
    assert info.tolist() == [0, 1, 0] and x[0].tolist() == [[1], [1]] and x[1].isnan().all()
    assert pyml.linalg.lu_factor_ex(a).info.tolist() == [0, 2, 0]
    for function in (pyml.linalg.cholesky_ex, pyml.linalg.inv_ex, pyml.linalg.lu_factor_ex):
        with pytest.raises(RuntimeError, match="linalg"):
            function(a, check_errors=True)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: A.scatter_reduce(0, pyml.tensor([[0, 1]]), A, "max"), "reduce is 'max'"),
        (lambda: A.index_reduce(0, pyml.tensor([0]), A[:1], "sum"), "reduce is 'sum'"),
        (lambda: A.select_scatter(A, 0, 0), "src has shape"),
        (lambda: A.diagonal_scatter(A), "src has shape"),
        (lambda: A.put(pyml.tensor([0]), A), "as many"),
        (lambda: A.unfold(0, 3, 1), "size is 3"),
        (lambda: A.unfold(0, 1, 0), "step 0"),
        (lambda: pyml.nonzero_static(A, size=-1), "size is -1"),
        (lambda: pyml.gradient(A, edge_order=3), "edge_order is 3"),
        (lambda: pyml.gradient(A, spacing=[1.0]), "1 spacings for 2"),
        (lambda: pyml.gradient(A[:1]), "it must have more than 1"),
        (lambda: pyml.vander(A), "must be a vector"),
        (lambda: pyml.cov(A, aweights=A), "one weight"),
        (lambda: pyml.histogram(A, 0), "at least 1"),
        (lambda: pyml.histogram(A, 2, range=(1.0, 0.0)), "in order"),
        (lambda: pyml.linalg.tensorinv(pyml.ones(2, 3), 1), "as many"),
        (lambda: pyml.linalg.householder_product(A, pyml.ones(3)), "k <= n <= m"),
        (lambda: pyml.mvlgamma(A, 0), "p is 0"),
        (lambda: pyml.hann_window(-1), "window_length is -1"),
        (lambda: pyml.poisson(-A), "negative"),
        (lambda: pyml.atan2(pyml.tensor([1]), 2**70), "does not fit"),
    ],
)
def test_values_that_are_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: pyml.linalg.lstsq(A, A, rcond=object()), "linalg.lstsq: rcond is"),
        (lambda: pyml.frexp(pyml.tensor([1])), "frexp: input has dtype int64"),
        (lambda: pyml.gcd(A, 2), "gcd: dtype float32"),
        (lambda: pyml.special.hermite_polynomial_h(A, 1.5), "hermite_polynomial_h: n"),
        (lambda: pyml.block_diag([A]), "block_diag"),
        (lambda: pyml.searchsorted(A, A, sorter=3), "searchsorted: sorter"),
        (lambda: pyml.gradient(A.to(pyml.uint8)), "gradient: input has dtype uint8"),
        (lambda: pyml.gradient(A > 0), "gradient: input has dtype bool"),
    ],
    ids=["lstsq", "frexp", "gcd", "hermite", "block_diag", "searchsorted", "uint8", "bool"],
)
def test_what_is_no_tensor(call, match):
    with pytest.raises(TypeError, match=match):
        call()


@pytest.mark.parametrize("name", ["tensor_split", "hsplit", "vsplit", "dsplit"])
def test_splits_by_keyword(name):
    function, x = getattr(pyml, name), pyml.arange(64).reshape(4, 4, 4)
    for place in (2, [1, 3]):
        wanted = [part.tolist() for part in function(x, place)]
        words = ("indices_or_sections", "indices", "sections", "tensor_indices_or_sections")
        for word in words[: 4 if name == "tensor_split" else 3]:
            assert [part.tolist() for part in function(x, **{word: place})] == wanted
            assert [part.tolist() for part in getattr(x, name)(**{word: place})] == wanted
    with pytest.raises(TypeError, match=f"{name}: 0 values are given for indices_or_sections"):
        function(x)
    with pytest.raises(TypeError, match=f"{name}: 2 values"):
        function(x, 2, sections=2)


@pytest.mark.parametrize("name", ["hsplit", "vsplit", "dsplit"])
@pytest.mark.parametrize("sections", [0, 3, -1])
def test_equal_parts_alone(name, sections):
    x = pyml.zeros(4, 4, 4)
    with pytest.raises(ValueError, match=f"{name}: sections is {sections}, it must divide .* 4;"):
        getattr(pyml, name)(x, sections)


def test_odd_shapes_as_pytorch():
    """Of nothing, of a number, of one variable; the angle of the origin."""
    assert pyml.median(pyml.zeros(0, 3)).isnan() and pyml.nanmedian(pyml.zeros(0)).isnan()
    with pytest.raises(ValueError, match="no elements"):
        pyml.median(pyml.zeros(0, dtype=pyml.int64))
    assert pyml.movedim(pyml.tensor(2.0), 0, -1).item() == 2
    x = pyml.tensor([[1, 2, 6]])
    assert pyml.cov(x).shape == pyml.corrcoef(x).shape == () and pyml.cov(x).item() == 7
    assert pyml.cov(x[:, :0]).isnan() and pyml.cov(pyml.ones(0, 3)).shape == (0, 0)
    zero = pyml.zeros(2, requires_grad=True)
    pyml.atan2(zero, pyml.tensor([0.0, 2.0])).sum().backward()
    assert zero.grad.tolist() == [0, 0.5]


def test_a_central_difference_has_nothing_of_the_element_between():
    inf = math.inf
    x = pyml.tensor([2.0, inf, 1.0, 5.0, -inf])
    assert pyml.gradient(x, spacing=0.5)[0].tolist() == [inf, -1, -inf, -inf, -inf]


def test_differences_of_integers_and_of_order_0():
    x = pyml.tensor([1, 4, 9])
    assert pyml.gradient(x, spacing=0.5)[0].tolist() == [6, 8, 10]
    assert pyml.diff(x, 0, append=x).tolist() == [1, 4, 9]


def test_no_differences_are_a_copy():
    x = pyml.ones(3)
    x.diff(n=0).add_(1)
    assert x.tolist() == [1, 1, 1]


def test_tensordot_of_size_1():
    a, b = pyml.arange(6.0).reshape(2, 3), pyml.ones(1, 4)
    assert pyml.tensordot(a, b, 1).equal(a.sum(1, keepdim=True).expand(2, 4))
    with pytest.raises(ValueError, match="do not match"):
        pyml.tensordot(a, pyml.ones(2, 4), 1)
