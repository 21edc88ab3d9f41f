"""The keyword out=: the result of every function that takes it, in a tensor that is there."""

import inspect

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml.ops import series
from pyml.ops.names import WITH_OUT

X = pyml.tensor([[0.3, 0.7], [0.2, 0.4]])
V, W = X[0], X[1]
SPD = pyml.tensor([[2.0, 0.5], [0.5, 1.0]])
BATCH = X.reshape(2, 1, 2)
N = pyml.tensor([[6, 4], [3, 9]])
I0 = pyml.tensor([1, 0])

OF = {  # arguments: the functions that are called with them
    (X,): """acos asin asinh atan atanh bernoulli ceil column_stack deg2rad diag digamma dstack entr
        erf erfc erfcx erfinv exp2 expm1 floor frac frexp hstack i0 i0e i1 i1e inverse isneginf
        isposinf lgamma log10 log1p log2 log_ndtr logical_not logit msort nan_to_num ndtr ndtri
        nonzero norm rad2deg round rsqrt sigmoid sign signbit sinc sinh slogdet tan tanh tril triu
        trunc vstack qr svd lu""",
    (
        X,
        W,
    ): """atan2 copysign eq float_power fmax fmin fmod ge gt heaviside hypot igamma igammac
        inner ldexp le logaddexp logaddexp2 logical_and logical_or logical_xor lt ne nextafter
        remainder xlog1py xlogy isin""",
    (X, 0.5): "clamp clamp_max clamp_min",
    (X + 1,): "acosh cosh",
    (X + 2, 1): "mvlgamma",
    (X + 2, X): "zeta",
    (1, X): "polygamma",
    (X, 2): "matrix_power multinomial",
    (N, N): """bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm""",
    (N,): "bitwise_not",
    (SPD,): """cholesky cholesky_ex cholesky_inverse eigh inv inv_ex lu_factor
        lu_factor_ex""",
    (SPD, X): "solve solve_ex",
    (SPD, SPD): "chain_matmul cholesky_solve kron",
    (V, W): "ger outer vdot",
    (X, V, W): "addr lerp addcdiv addcmul",
    (V, X, W): "addmv",
    (X, X, SPD): "addmm",
    (X, BATCH.mT, BATCH): "addbmm",
    (BATCH.mT @ BATCH, BATCH.mT, BATCH): "baddbmm",
    (4,): "arange eye randperm ones zeros rand randn",
    ((2, 3), 1.5): "full",
    (9, (2, 2)): "randint",
    (0.0, 1.0, 5): "linspace logspace",
    (0.0, 1.0, (2, 3)): "normal",
    (pyml.ones(3), pyml.tensor([1.0, 2.0, 4.0])): "cross",
    (X, 0, N * 0): "gather",
    (X, 0, I0): "index_select",
    (X, 0, I0, X): "index_add index_copy",
    (X, 0, I0, X, "amax"): "index_reduce",
    (X, 0, N * 0, X): "scatter scatter_add",
    (X, 0, N * 0, X, "prod"): "scatter_reduce",
    (X, N > 4): "masked_select",
    (X, N * 0): "take",
    (X, N * 0, 0): "take_along_dim",
    (X, 1, 0, 1): "narrow_copy",
    (X, 2.0, 0, 0.5): "renorm",
    (X, X): "tensordot",
    (X, 0.5, 0.0): "threshold",
    (X, pyml.tensor([0.1, 0.5])): "bucketize",
    (pyml.tensor([0.1, 0.5]), X): "searchsorted",
    (N > 4, X, SPD): "where",
    (X, SPD): "slice_scatter",
    (X, 3): "histc histogram",
    (X, V): "householder_product",
    pyml.linalg.lu_factor(SPD): "lu_unpack",
    (*pyml.linalg.lu_factor(SPD), X): "lu_solve",
}
CALLS = {name: args for args, names in OF.items() for name in names.split()}
CALLS |= dict.fromkeys(series.POLYNOMIALS, (X, 2))
OPTIONS = {"nonzero_static": {"size": 3}}
CALLS["nonzero_static"] = (X,)


def places(name):
    for place in (pyml.linalg, pyml.special, pyml):
        if hasattr(place, name):
            function = getattr(place, name)
            if "out" in inspect.signature(function).parameters:
                yield function


def parts(y):
    return list(y) if isinstance(y, tuple) else [y]


def test_every_function_has_a_call():
    assert {*WITH_OUT.split(), *series.POLYNOMIALS} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_out(name):
    functions = list(places(name))
    assert functions
    for function in functions:
        args, options = CALLS[name], OPTIONS.get(name, {})
        pyml.manual_seed(0)
        wanted = function(*args, **options)
        for shaped in (True, False):
            outs = [
                pyml.full_like(y, 1) if shaped else pyml.empty(0, dtype=y.dtype)
                for y in parts(wanted)
            ]
            pyml.manual_seed(0)
            given = outs if isinstance(wanted, tuple) else outs[0]
            got = function(*args, **options, out=given)
            assert type(got) is type(wanted)
            for y, out, w in zip(parts(got), outs, parts(wanted), strict=True):
                assert y is out
                assert_same_bits(y.numpy(), w.numpy())


def test_out_of_another_dtype_or_layout():
    out = pyml.zeros(2, 2, dtype=pyml.float64).t()
    assert pyml.clamp(X, 0.3, out=out) is out
    np.testing.assert_array_equal(out.numpy(), X.clamp(0.3).numpy().astype("f8"))
    x = X.clone()
    assert pyml.tanh(x, out=x) is x
    assert_same_bits(x.numpy(), X.tanh().numpy())
    counts = pyml.zeros(2, 2)
    pyml.gt(X, 0.3, out=counts)
    assert counts.tolist() == [[0, 1], [0, 1]]


def test_out_without_elements_takes_the_shape_of_a_result_without():
    out = pyml.empty(0)
    assert pyml.tan(pyml.empty(2, 0, 3), out=out) is out and out.shape == (2, 0, 3)


@pytest.mark.parametrize(
    ("out", "error", "match"),
    [
        (pyml.zeros(3), ValueError, r"tan: out has shape \(3,\), it must be .* \(2, 2\), or have"),
        (N.clone(), TypeError, "tan: out has dtype torch.int64|tan: out has dtype int64"),
        (pyml.empty(0, dtype=pyml.int64), TypeError, "tan: out has dtype"),
        (3, TypeError, "tan: out must be a Tensor, not int"),
        (pyml.zeros(2, 2).requires_grad_(), RuntimeError, "out= is not differentiable"),
    ],
)
def test_what_out_cannot_be(out, error, match):
    before = out.detach().clone() if isinstance(out, pyml.Tensor) else None
    with pytest.raises(error, match=match):
        pyml.tan(X, out=out)
    if before is not None:
        assert out.shape == before.shape and out.tolist() == before.tolist()


def test_out_of_what_requires_grad():
    out, x = pyml.empty(0), X.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="not differentiable"):
        pyml.tan(x, out=out)
    assert out.shape == (0,)
    with pyml.no_grad():
        pyml.tan(x, out=out)
    assert_same_bits(out.numpy(), X.tan().numpy())


def test_what_is_no_tensor_is_refused_before_numbers_are_drawn():
    generator = pyml.Generator().manual_seed(3)
    before = generator.get_state().tolist()
    with pytest.raises(TypeError, match="rand: out must be a Tensor, not float"):
        pyml.rand(2, generator=generator, out=0.5)
    assert generator.get_state().tolist() == before
