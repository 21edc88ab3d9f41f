"""A linear layer of its own for each feature."""

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from ops.cases import Case, tests_of
from pyml.dispatch import entry
from pyml.ops.feature_linear import composed, feature_linear

X, WEIGHT, BIAS = (5, 3, 4), (3, 4, 2), (3, 2)


def by_einsum(x, weight, bias=None):
    return np.einsum("nfk,fko->nfo", x, weight) + (0 if bias is None else bias)


def of_waves(x, *others):
    return by_einsum(np.concatenate([np.cos(x), np.sin(x)], -1), *others)


def waves(*inputs):
    return feature_linear(*inputs, waves=True)


CASES = [
    Case("feature_linear", feature_linear, by_einsum, (X, WEIGHT, BIAS)),
    Case("feature_linear without bias", feature_linear, by_einsum, (X, WEIGHT)),
    Case("feature_linear waves", waves, of_waves, (X, (3, 8, 2), BIAS)),
    Case("feature_linear waves without bias", waves, of_waves, (X, (3, 8, 2))),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [pyml.tensor(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("is_of_waves", [False, True])
def test_a_part_of_the_inputs_needs_a_gradient(is_of_waves):
    shapes = X, (3, 8, 2) if is_of_waves else WEIGHT, BIAS
    for needs in ([0], [1], [2], [0, 1], [1, 2]):
        grads = []
        for function in (feature_linear, composed):
            inputs = drawn(*shapes)
            for i in needs:
                inputs[i].requires_grad_()
            function(*inputs, is_of_waves).square().sum().backward()
            grads.append([None if t.grad is None else t.grad.numpy() for t in inputs])
        for i, (found, wanted) in enumerate(zip(*grads, strict=True)):
            assert (found is not None) == (wanted is not None) == (i in needs)
            if i in needs:
                np.testing.assert_allclose(found, wanted, 1e-12, 1e-12)


def test_rows_alone_and_threads_give_the_same_bits():
    x, weight, bias = drawn((3000, 3, 20), (3, 40, 8), (*BIAS[:1], 8))
    whole = waves(x, weight, bias).numpy()
    for rows in (x[:1], x[7:9], x[100:2000]):
        start = int((x[:, 0, 0] == rows[0, 0, 0]).numpy().argmax())
        assert_same_bits(waves(rows, weight, bias).numpy(), whole[start : start + len(rows)])
    before = pyml.get_num_threads()
    try:
        pyml.set_num_threads(2)
        assert_same_bits(waves(x, weight, bias).numpy(), whole)
    finally:
        pyml.set_num_threads(before)


def test_what_has_no_rows_and_what_is_rounded():
    x, weight, bias = drawn((0, 3, 4), WEIGHT, BIAS)
    assert feature_linear(x, weight, bias).shape == (0, 3, 2)
    x, weight, bias = (t.float() for t in drawn(X, WEIGHT, BIAS))
    with pyml.autocast():
        assert_same_bits(
            feature_linear(x, weight, bias).numpy(), composed(x, weight, bias, False).numpy()
        )
    with pytest.raises(TypeError, match="must be the same"):
        feature_linear(x.double(), weight)
    each = pyml.func.vmap(entry(feature_linear), (0, None, None))(x.unsqueeze(1), weight, bias)
    np.testing.assert_allclose(each[:, 0].numpy(), feature_linear(x, weight, bias).numpy(), 1e-5)
