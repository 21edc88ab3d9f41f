"""A linear layer of its own for each feature."""

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from ops.cases import Case, tests_of
from pyml.dispatch import entry
from pyml.ops.feature_linear import composed, feature_linear, wave_linear, waves_of

X, WEIGHT, BIAS = (5, 3, 4), (3, 4, 2), (3, 2)


def by_einsum(x, weight, bias=None):
    return np.einsum("nfk,fko->nfo", x, weight) + (0 if bias is None else bias)


def of_waves(x, frequencies, *others):
    angles = x[:, :, None] * frequencies
    return by_einsum(np.concatenate([np.cos(angles), np.sin(angles)], -1), *others)


def waves_composed(x, frequencies, *others):
    return composed(waves_of(x, frequencies).transpose(0, 1), *others)


WAVES = (5, 3), (3, 4), (3, 8, 2)
CASES = [
    Case("feature_linear", feature_linear, by_einsum, (X, WEIGHT, BIAS)),
    Case("feature_linear without bias", feature_linear, by_einsum, (X, WEIGHT)),
    Case("wave_linear", wave_linear, of_waves, (*WAVES, BIAS)),
    Case("wave_linear without bias", wave_linear, of_waves, WAVES),
]

test_values, test_layouts, test_gradients = tests_of(CASES)


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [pyml.tensor(rng.normal(size=shape)) for shape in shapes]


@pytest.mark.parametrize("k", [1, 4, 120, 256])
def test_a_bias_is_added_once_and_last(k):
    """To a sum of one block, though it lies in the result before."""
    x, weight, bias = drawn((5, 3, k), (3, k, 2), (3, 2))
    assert_same_bits(
        feature_linear(x, weight, bias).numpy(), (feature_linear(x, weight) + bias).numpy()
    )


@pytest.mark.parametrize(
    ("function", "by_operations", "shapes"),
    [
        (feature_linear, composed, (X, WEIGHT, BIAS)),
        (wave_linear, waves_composed, (*WAVES, BIAS)),
    ],
)
def test_a_part_of_the_inputs_needs_a_gradient(function, by_operations, shapes):
    for needs in range(1, 1 << len(shapes)):
        grads = []
        for of in (function, by_operations):
            inputs = drawn(*shapes)
            for i, t in enumerate(inputs):
                t.requires_grad_(bool(needs >> i & 1))
            of(*inputs).square().sum().backward()
            grads.append([None if t.grad is None else t.grad.numpy() for t in inputs])
        for i, (found, wanted) in enumerate(zip(*grads, strict=True)):
            assert (found is not None) == (wanted is not None) == bool(needs >> i & 1)
            if found is not None:
                np.testing.assert_allclose(found, wanted, 1e-12, 1e-12)


def test_rows_alone_and_threads_give_the_same_bits():
    x, frequencies, weight, bias = drawn((3000, 3), (3, 20), (3, 40, 8), (*BIAS[:1], 8))
    whole = wave_linear(x, frequencies, weight, bias).numpy()
    for start, end in ((0, 1), (7, 9), (100, 2000)):
        rows = wave_linear(x[start:end], frequencies, weight, bias)
        assert_same_bits(rows.numpy(), whole[start:end])
    before = pyml.get_num_threads()
    try:
        pyml.set_num_threads(2)
        assert_same_bits(wave_linear(x, frequencies, weight, bias).numpy(), whole)
    finally:
        pyml.set_num_threads(before)


@pytest.mark.filterwarnings("ignore:autocast:UserWarning")  # where nothing multiplies bfloat16
def test_what_has_no_rows_and_what_is_rounded():
    x, weight, bias = drawn((0, 3, 4), WEIGHT, BIAS)
    assert feature_linear(x, weight, bias).shape == (0, 3, 2)
    x, weight, bias = (t.float() for t in drawn(X, WEIGHT, BIAS))
    with pyml.autocast():
        assert_same_bits(feature_linear(x, weight, bias).numpy(), composed(x, weight, bias).numpy())
        waves = [t.float() for t in drawn(*WAVES, BIAS)]
        assert_same_bits(wave_linear(*waves).numpy(), waves_composed(*waves).numpy())
    with pytest.raises(TypeError, match="must be the same"):
        feature_linear(x.double(), weight)
    each = pyml.func.vmap(entry(feature_linear), (0, None, None))(x.unsqueeze(1), weight, bias)
    np.testing.assert_allclose(each[:, 0].numpy(), feature_linear(x, weight, bias).numpy(), 1e-5)
    x, *others = waves
    each = pyml.func.vmap(entry(wave_linear), (0, None, None, None))(x.unsqueeze(1), *others)
    np.testing.assert_allclose(each[:, 0].numpy(), wave_linear(*waves).numpy(), 1e-5, 1e-6)
