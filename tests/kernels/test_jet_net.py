"""Nets of jets in one kernel: the bits of their layers one by one, and their gradients."""

import itertools

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import ops
from pyml.autograd import grad
from pyml.nn import functional as F
from pyml.ops.jet_net import composed

FUNCTIONS = {
    "tanh": (pyml.tanh,),
    "sigmoid": (pyml.sigmoid,),
    "sin": (pyml.sin,),
    "softplus": (F.softplus, 1.5, 3.0),
    "silu": (F.silu,),
    "gelu": (F.gelu,),
}
WIDTHS = [  # around the tiles of a product
    (2, 20, 20, 20, 1),
    (1, 1, 3),
    (3, 17, 5, 128, 2),
    (33, 7, 4),
]
SIZES = (0, 1, 31, 32, 33, 64, 65, 700)  # around the points of a block, and of several tasks


def draw(widths, n, dtype):
    rng = np.random.default_rng(0)

    def tensor(*shape):
        return pyml.tensor(rng.normal(size=shape).astype(dtype), requires_grad=True)

    weights = [tensor(o, k) for k, o in itertools.pairwise(widths)]
    biases = [None if o == 5 else tensor(o) for o in widths[1:]]
    return tensor(n, widths[0]), weights, biases


def both(widths, n, dtype, function, variables, pairs):
    """(result, gradients) of the kernel and of the layers."""
    x, weights, biases = draw(widths, n, dtype)
    inputs = x, *weights, *(b for b in biases if b is not None)
    found = []
    for net in (ops.jet_net, composed):
        u = net(x, weights, biases, variables, pairs, *function)
        dy = np.random.default_rng(1).normal(size=u.shape).astype(dtype)
        found.append((u.detach().numpy(), [g.numpy() for g in grad(u, inputs, pyml.tensor(dy))]))
        if net is ops.jet_net:
            assert type(u.grad_fn).__name__ == "JetNet"
    return found


def assert_agree(found, dtype):
    (u, gradients), (wanted, wanted_gradients) = found
    assert_same_bits(u + 0, wanted + 0)  # a zero may have the other sign
    for got, g in zip(gradients, wanted_gradients, strict=True):
        scale = np.abs(g).max(initial=1)
        np.testing.assert_allclose(got, g, rtol=0, atol=100 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, isa, dtype):
    found = both((2, 6, 5, 3), 70, dtype, FUNCTIONS[name], (1, 0), ((1, 1), (1, 2), (2, 2)))
    assert_agree(found, dtype)


@pytest.mark.parametrize("widths", WIDTHS)
def test_sizes(widths, isa, dtype):
    for n in SIZES:
        for variables, pairs in (((), ()), ((0,), ()), ((0, widths[0] - 1), ((1, 1), (2, 1)))):
            assert_agree(both(widths, n, dtype, (pyml.tanh,), variables, pairs), dtype)


def test_bits_do_not_depend_on_threads_or_on_other_points(isa, dtype):
    results = []
    for threads in (1, 2, 3):
        pyml.set_num_threads(threads)
        results.append(both((2, 20, 20, 1), 3000, dtype, (pyml.tanh,), (0, 1), ((1, 1),))[0])
    for u, gradients in results[1:]:
        assert_same_bits(u, results[0][0])
        for got, wanted in zip(gradients, results[0][1], strict=True):
            assert_same_bits(got, wanted)
    x, weights, biases = draw((2, 20, 20, 1), 3000, dtype)
    alone = ops.jet_net(x[777:778], weights, biases, (0, 1), ((1, 1),), pyml.tanh)
    assert_same_bits(alone.detach().numpy(), results[0][0][:, 777:778])


def test_a_point_that_is_not_finite_stays_alone(isa, dtype):
    x, weights, biases = draw((2, 4, 1), 65, dtype)
    with pyml.no_grad():
        x[3] = np.inf
    u = ops.jet_net(x, weights, biases, (0,), ((1, 1),), pyml.tanh)
    assert np.isfinite(np.delete(u.detach().numpy(), 3, 1)).all()


def test_a_weight_that_is_there_twice():
    x, (w, v), (b, _) = draw((3, 3, 3), 5, np.float64)
    results = []
    for net in (ops.jet_net, composed):
        (dw,) = grad(
            net(x, (w, w, v), (b, None, b), (0,), ((1, 1),), pyml.tanh).square().sum(),
            w,
            create_graph=True,
        )
        results += [dw.detach(), grad(dw.square().sum(), w)[0]]
    for got, wanted in zip(results[:2], results[2:], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11)


@pytest.mark.parametrize("widths", [(2, 129, 1), (2, *[3] * 16, 1), (2, 1)])
def test_nets_for_which_the_kernel_is_not_made(widths):
    x, weights, biases = draw(widths, 4, np.float64)
    u = ops.jet_net(x, weights, biases, (0,), (), pyml.tanh)
    assert type(u.grad_fn).__name__ != "JetNet"
    wanted = composed(x, weights, biases, (0,), (), pyml.tanh)
    assert_same_bits(u.detach().numpy(), wanted.detach().numpy())


@pytest.mark.parametrize(
    ("shape", "variables", "pairs", "words"),
    [
        ((4, 2), (2,), (), r"x has shape \(4, 2\), variables is \(2,\)"),
        ((4, 2), (-1,), (), "columns of it"),
        ((4,), (), (), r"x has shape \(4,\)"),
        ((4, 2), (0,), ((1, 2),), r"jet_net: pairs has \(1, 2\), it must be two channels from 1"),
        ((4, 3), (0,), (), "jet_linear: x has shape"),
    ],
)
def test_refusals(shape, variables, pairs, words):
    _, weights, biases = draw((2, 3, 1), 4, np.float64)
    x = pyml.ones(*shape, dtype=pyml.float64)
    with pytest.raises(ValueError, match=words):
        ops.jet_net(x, weights, biases, variables, pairs, pyml.tanh)
