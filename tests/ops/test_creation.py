"""Making tensors: arguments that mean no tensor."""

import math

import numpy as np
import pytest

import pyml
import pyml.nn.functional as F
from pyml.nn import init


def test_integers_that_do_not_fit_their_dtype():
    for call, text in [
        (lambda: pyml.randint(0, 300, (2,), dtype=pyml.uint8), "0 to 299 do not fit into uint8"),
        (lambda: pyml.randint(-1, 3, (2,), dtype=pyml.uint8), "-1 to 2 do not fit"),
        (lambda: pyml.randint(2**63, 2**63 + 2, (2,)), "int64"),
        (lambda: pyml.randint_like(pyml.zeros(2, dtype=pyml.int8), 300), "int8"),
        (lambda: pyml.randperm(300, dtype=pyml.uint8), "0 to 299 do not fit into uint8"),
        (lambda: pyml.arange(300, dtype=pyml.uint8), "0 to 299 do not fit into uint8"),
        (lambda: pyml.arange(200, 0, -3, dtype=pyml.int8), "2 to 200 do not fit into int8"),
        (lambda: pyml.linspace(0, 300, 3, dtype=pyml.uint8), "linspace: numbers from 0 to 300 do"),
        (lambda: pyml.linspace(0, math.inf, 2, dtype=pyml.int32), "linspace: .* do not fit"),
        (lambda: pyml.logspace(0, 3, 4, dtype=pyml.int8), "logspace: numbers from 1 to 1000 do"),
        (lambda: pyml.zeros(3, dtype=pyml.uint8).random_(0, 300), "random_: numbers from 0 to 299"),
        (lambda: pyml.zeros(3, dtype=pyml.uint8).random_(-1, 3), "random_: numbers from -1 to 2"),
        (lambda: pyml.tensor([1, 300], dtype=pyml.uint8), "1 to 300 do not fit into uint8"),
        (lambda: pyml.as_tensor([-1], dtype=pyml.uint8), "do not fit"),
        (lambda: pyml.tensor([1.0, math.nan], dtype=pyml.int64), "do not fit into int64"),
        (lambda: pyml.tensor(math.inf, dtype=pyml.int64), "do not fit into int64"),
        (lambda: pyml.arange(0, math.inf), "no finite range"),
        (lambda: pyml.arange(0, math.nan), "no finite range"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
    assert pyml.randint(0, 256, (100,), dtype=pyml.uint8).dtype == np.uint8
    assert pyml.randperm(256, dtype=pyml.uint8).double().sum() == 255 * 128
    assert pyml.tensor([-128, 127], dtype=pyml.int8).tolist() == [-128, 127]


def test_sizes_and_counts_are_integers():
    for number in (2.9, 2.0, "2", None, True, math.nan):
        for call in (
            pyml.randperm,
            lambda n: pyml.zeros(n, 2),
            lambda n: pyml.ones((2, n)),
            lambda n: pyml.empty(n, 1),
            lambda n: pyml.full((n,), 1.0),
            lambda n: pyml.eye(n, 2),
            lambda n: pyml.rand(n, 2),
            lambda n: pyml.randint(n, 5, (2,)),
            lambda n: pyml.randint(0, 5, (n,)),
            lambda n: pyml.linspace(0, 1, n),
            lambda n: pyml.ones(1).expand(n, 1),
            lambda n: pyml.ones(2).reshape(n, 1),
        ):
            with pytest.raises(TypeError, match="integer"):
                call(number)


def test_sizes_that_are_negative_or_too_large():
    for call in (pyml.zeros, pyml.ones, pyml.empty, pyml.rand, pyml.randn, pyml.eye, pyml.randperm):
        with pytest.raises(ValueError, match="negative"):
            call(-1)
        with pytest.raises(ValueError if call is pyml.eye else MemoryError):
            call(10**18)
        with pytest.raises((ValueError, OverflowError, MemoryError)):
            call(2**70)


def test_dimensions_are_64_at_most():
    x = pyml.ones(1)
    assert x.expand([1] * 64).shape == (1,) * 64
    for call in (
        lambda: x.expand([1] * 65),
        lambda: x.expand([2] * 65),
        lambda: x.expand([1] * 1000),
        lambda: pyml.zeros([1] * 65),
        lambda: pyml.empty([1] * 65),
        lambda: x.reshape([1] * 65),
        lambda: x.view([1] * 65),
        lambda: x.repeat([1] * 65),
        lambda: x.expand([1] * 64).unsqueeze(0),
        lambda: pyml.stack([x.expand([1] * 64)]),
    ):
        with pytest.raises(ValueError, match="64"):
            call()
    with pytest.raises(IndexError):
        x[(None,) * 65]


def test_random_integers_like_a_number():
    for like in (pyml.tensor(1.0), pyml.tensor(1), np.float64(1)):
        number = pyml.randint_like(like, 5)
        assert number.shape == () and number.dtype == like.dtype and 0 <= number.item() < 5


def test_a_call_that_raises_draws_nothing():
    generator = pyml.Generator(1)
    empty, leaf = pyml.ones(0), pyml.ones(3, requires_grad=True)
    readonly = pyml.from_numpy(np.broadcast_to(np.float32(1), (3, 3)))
    for call in (
        lambda: pyml.rand(2, requires_grad=empty, generator=generator),
        lambda: pyml.randn(2, requires_grad=empty, generator=generator),
        lambda: pyml.rand_like(leaf, requires_grad=empty, generator=generator),
        lambda: pyml.normal(0, 1, (2,), requires_grad=empty, generator=generator),
        lambda: pyml.normal(None, leaf, generator=generator),
        lambda: pyml.normal(pyml.ones(2), leaf, generator=generator),
        lambda: pyml.normal("0", "1", generator=generator),
        lambda: init.trunc_normal_(readonly, generator=generator),
        lambda: init.orthogonal_(readonly, generator=generator),
        lambda: init.orthogonal_(pyml.ones(2, 2), None, generator=generator),
        lambda: F.dropout(leaf, inplace=True, generator=generator),
        lambda: F.dropout(readonly, inplace=True, generator=generator),
    ):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            call()
        assert generator.get_state().tolist() == [1, 0]


def test_sizes_that_c_cannot_count_with():
    x = pyml.ones(2)
    for n in (2**63, 2**64, 10**30):
        for call in (
            lambda n: pyml.empty(n),
            lambda n: pyml.rand(2, n),
            lambda n: pyml.arange(n),
            lambda n: pyml.randint(0, 5, (n,)),
            lambda n: x.expand(n, 2),
            lambda n: x.repeat(n),
            lambda n: x.reshape(n),
            lambda n: pyml.broadcast_shapes((n,), (1,)),
        ):
            with pytest.raises(ValueError, match=r"2\*\*63 - 1"):
                call(n)


def test_a_dtype_that_is_none():
    for dtype in ("\ud800", "nonsense", [("a", "f4"), ("a", "f4")], 3, object()):
        with pytest.raises(TypeError, match=r"zeros: .* is not a dtype"):
            pyml.zeros(2, dtype=dtype)


@pytest.mark.parametrize(
    "make",
    [
        *(pyml.zeros_like, pyml.ones_like, pyml.empty_like, pyml.rand_like, pyml.randn_like),
        lambda x, **given: pyml.full_like(x, 2.0, **given),
        lambda x, **given: pyml.randint_like(x, 3, **given),
        lambda x, **given: pyml.empty(x.shape, dtype=x.dtype, **given),
    ],
)
def test_memory_formats(make):
    """Optimizers of others ask for the format of the parameter: what is made lies row by row."""
    x = pyml.ones(3, 2, dtype=pyml.float64).t()
    for memory_format in (None, pyml.preserve_format, pyml.contiguous_format):
        y = make(x, memory_format=memory_format)
        assert y.shape == (2, 3) and y.dtype == pyml.float64 and y.is_contiguous()
    with pytest.raises(ValueError, match="memory_format is 'channels_last'"):
        make(x, memory_format="channels_last")

    def chosen(row):
        return pyml.where(make(row, memory_format=None) == 0, row, row)

    assert pyml.func.vmap(chosen, randomness="same")(x).tolist() == x.tolist()


def test_normal_of_negative_deviations():
    for mean, std in [(0.0, pyml.tensor([1.0, -1.0])), (pyml.zeros(2), -1.0)]:
        with pytest.raises(RuntimeError, match="normal: std has a negative number"):
            pyml.normal(mean, std)
    assert pyml.normal(pyml.ones(2), 0.0).tolist() == [1, 1]


def test_ranges_of_integers_begin_and_end_at_integers():
    """As PyTorch, which takes their ends in the dtype."""
    assert pyml.arange(3.5, dtype=pyml.int64).tolist() == [0, 1, 2]
    assert pyml.arange(2.1, -2.9, -1.0, dtype=pyml.int64).tolist() == [2, 1, 0, -1]
    assert pyml.arange(0.1, -7.9, -4.0, dtype=pyml.int32).tolist() == [0, -4]
    assert pyml.linspace(4.3, 0, 5, dtype=pyml.int64).tolist() == [4, 3, 2, 1, 0]
    assert pyml.linspace(4.3, 0, 3).tolist() == pytest.approx([4.3, 2.15, 0])
    assert pyml.logspace(2.9, 0.5, 3, dtype=pyml.int32).tolist() == [100, 10, 1]
    with pytest.raises(ValueError, match=r"step is 0\.5, of dtype int64 it is 0"):
        pyml.arange(0, 2, 0.5, dtype=pyml.int64)


def test_draws_around_a_mean_are_constants_of_its_gradient():
    mean, std = pyml.ones(3, requires_grad=True), pyml.ones(2, 1, requires_grad=True)
    draws = pyml.normal(mean, std)
    pyml.distributions.Normal(mean, std).log_prob(draws).sum().backward()
    steps = (draws - mean) / std
    np.testing.assert_allclose(mean.grad.numpy(), (steps / std).sum(0).detach().numpy(), rtol=1e-5)
    mean.grad = None
    pyml.normal(mean, 0.5, dtype=pyml.float64).sum().backward()
    assert mean.grad.tolist() == [0, 0, 0]
