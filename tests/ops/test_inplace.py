"""Changes in place."""

import operator

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from ops.cases import Case, positive, tests_of

# change in place, and what it makes of (2, 3) numbers x and of a that broadcasts to them
IN_PLACE = {
    "add_": (lambda y, a: y.add_(a), lambda x, a: x + a),
    "add_ alpha": (lambda y, a: y.add_(a, alpha=2), lambda x, a: x + 2 * a),
    "sub_": (lambda y, a: y.sub_(a), lambda x, a: x - a),
    "div_": (lambda y, a: y.div_(a), lambda x, a: x / a),
    "iadd": (lambda y, a: operator.iadd(y, a), lambda x, a: x + a),
    "imul number": (lambda y, a: operator.imul(y, 3), lambda x, a: x * 3),
    "addcmul_": (lambda y, a: y.addcmul_(a, a, value=2), lambda x, a: x + 2 * a * a),
    "addcdiv_": (lambda y, a: y.addcdiv_(a, a + 1, value=2), lambda x, a: x + 2 * a / (a + 1)),
    "lerp_": (lambda y, a: y.lerp_(a, 0.25), lambda x, a: x + 0.25 * (a - x)),
    "copy_": (lambda y, a: y.copy_(a), lambda x, a: a + 0 * x),
    "fill_": (lambda y, a: y.fill_(2), lambda x, a: 0 * x + 2),
    "zero_": (lambda y, a: y.zero_(), lambda x, a: 0 * x),
    "neg_": (lambda y, a: y.neg_(), lambda x, a: -x),
    "exp_": (lambda y, a: y.exp_(), lambda x, a: np.exp(x)),
    "sqrt_": (lambda y, a: y.sqrt_(), lambda x, a: np.sqrt(x)),
    "tanh_": (lambda y, a: y.tanh_(), lambda x, a: np.tanh(x)),
    "relu_": (lambda y, a: y.relu_(), lambda x, a: np.maximum(x, 0)),
    "pow_": (lambda y, a: y.pow_(a), lambda x, a: x**a),
    "abs_": (lambda y, a: y.abs_(), lambda x, a: np.abs(x)),
    "log_": (lambda y, a: y.log_(), lambda x, a: np.log(x)),
    "square_": (lambda y, a: y.square_(), lambda x, a: x * x),
    "reciprocal_": (lambda y, a: y.reciprocal_(), lambda x, a: 1 / x),
    "sigmoid_": (lambda y, a: y.sigmoid_(), lambda x, a: 1 / (1 + np.exp(-x))),
    "floor_": (lambda y, a: y.floor_(), lambda x, a: np.floor(x)),
    "ceil_": (lambda y, a: y.ceil_(), lambda x, a: np.ceil(x)),
    "round_": (lambda y, a: y.round_(decimals=1), lambda x, a: np.round(x, 1)),
    "clamp_": (lambda y, a: y.clamp_(0.8, 1.3), lambda x, a: np.clip(x, 0.8, 1.3)),
    "sub_ alpha": (lambda y, a: y.sub_(a, alpha=3), lambda x, a: x - 3 * a),
    "masked_fill_": (
        lambda y, a: y.masked_fill_(pyml.tensor([True, False, True]), 1.5),
        lambda x, a: np.where([True, False, True], 1.5, x),
    ),
}


def changed(name, shape):
    change, reference = IN_PLACE[name]
    return Case(
        name,
        lambda x, a: change(x * 1, a) * 2,
        lambda x, a: reference(x, a) * 2,
        ((2, 3), shape),
        positive,
    )


CASES = [changed(name, shape) for name in IN_PLACE for shape in ((2, 3), (3,))]

test_values, test_layouts, test_gradients = tests_of(CASES)


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("shape", [(2, 3), (3,)])
def test_in_place(name, shape):
    change, reference = IN_PLACE[name]
    rng = np.random.default_rng(0)
    a, b = positive(rng, (2, 3)), positive(rng, shape)
    y = pyml.tensor(a)
    memory = y.array
    assert change(y, pyml.tensor(b)) is y and np.shares_memory(y.array, memory) and y._version == 1
    np.testing.assert_allclose(memory, reference(a, b), rtol=1e-15)


def test_in_place_needs_room():
    x = pyml.zeros(3)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        x.add_(pyml.ones(2, 3))
    with pytest.raises(TypeError, match="float32"):
        pyml.zeros(3, dtype=pyml.int64).add_(1.5)
    with pytest.raises(TypeError, match="does not fit"):
        pyml.zeros(3, dtype=pyml.int64).fill_(0.5)
    assert x.tolist() == [0, 0, 0] and x._version == 0
    assert (
        pyml.ones(2, dtype=pyml.float32).add_(pyml.ones(2, dtype=pyml.float64)).dtype
        == pyml.float32
    )


def test_in_place_with_overlapping_memory():
    x = pyml.arange(6.0).reshape(2, 3).clone()
    x.add_(x[0])
    assert x.tolist() == [[0, 2, 4], [3, 5, 7]]
    x = pyml.arange(6.0)
    x[1:].add_(x[:-1])
    assert x.tolist() == [0, 1, 3, 5, 7, 9]


def test_random_in_place():
    generator = pyml.Generator(3)
    x = pyml.empty(1000).uniform_(-1, 3, generator=generator)
    assert x.min() >= -1 and x.max() < 3 and 0.9 < x.mean() < 1.1
    y = pyml.empty(1000).normal_(5, 0.1, generator=generator)
    assert 4.98 < y.mean() < 5.02 and 0.09 < y.std() < 0.11
    again = pyml.empty(1000).uniform_(-1, 3, generator=pyml.Generator(3))
    assert_same_bits(x.numpy(), again.numpy())
    with pytest.raises(ValueError, match="std"):
        x.normal_(0, -1)
    with pytest.raises(TypeError, match="int64"):
        pyml.zeros(2, dtype=pyml.int64).uniform_()
