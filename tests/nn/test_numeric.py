from itertools import pairwise

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.autograd import gradcheck, gradgradcheck

BINS = [np.array([0.0, 1.0, 3.0, 4.0]), np.array([-1.0, 1.0]), np.array([-2.0, 0.0, 0.5])]


def encoded(x, bins):
    """The definition, a number at a time."""
    pieces = []
    for left, right in pairwise(bins):
        pieces.append((x - left) / (right - left))
    for t in range(len(pieces)):
        if t > 0:
            pieces[t] = max(pieces[t], 0)
        if t < len(pieces) - 1:
            pieces[t] = min(pieces[t], 1)
    return pieces


def rows(dtype=np.float64):
    inside = np.random.default_rng(3).uniform(-5, 6, (40, 3))
    return np.concatenate([inside, [[0, -1, -2], [1, 0, 0], [3, 1, 0.5], [4, 1, 9]]]).astype(dtype)


@pytest.mark.parametrize("bins", [BINS, [BINS[0]] * 3, [BINS[1]] * 3], ids=["mixed", "3", "1"])
def test_encoding_is_its_definition(bins, dtype):
    x = rows(dtype)
    wanted = [[y for v, b in zip(row, bins, strict=True) for y in encoded(v, b)] for row in x]
    layer = nn.PiecewiseLinearEncoding(bins, dtype=dtype)
    y = layer(pyml.from_numpy(x))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert layer(pyml.from_numpy(x.reshape(4, 11, 3))).shape == (4, 11, len(wanted[0]))


def test_piecewise_linear_embedding_is_its_definition(dtype):
    x = rows(dtype)
    layer = nn.PiecewiseLinearEmbedding(BINS, 5, dtype=dtype)
    linear = x[..., None] * layer.weight.detach().numpy() + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(pyml.from_numpy(x)).detach().numpy(), linear, rtol=1e-5)
    nn.init.normal_(layer.pieces.weight)
    weights = layer.pieces.weight.detach().numpy()
    for i, (b, w) in enumerate(zip(BINS, weights, strict=True)):
        count = len(b) - 1
        used = [*range(count - 1), 2]  # of three places the last bin has the last
        linear[:, i] += np.array([encoded(v, b) for v in x[:, i]]) @ w[used]
    result = layer(pyml.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(result, linear, rtol=1e-4, atol=1e-5)
    layer.activation = True
    positive = layer(pyml.from_numpy(x)).detach().numpy()
    np.testing.assert_array_equal(positive, np.maximum(result, 0))


@pytest.mark.parametrize("lite", [False, True])
def test_periodic_embedding_is_its_definition(lite, dtype):
    x = rows(dtype)
    layer = nn.PeriodicEmbedding(3, 5, 7, sigma=0.3, lite=lite, dtype=dtype, activation=False)
    phase = 2 * np.pi * x[..., None] * layer.frequencies.detach().numpy()
    waves = np.concatenate([np.cos(phase), np.sin(phase)], -1)
    weight, bias = (p.detach().numpy() for p in (layer.linear.weight, layer.linear.bias))
    wanted = waves @ weight.T + bias if lite else np.einsum("nif,ifd->nid", waves, weight) + bias
    result = layer(pyml.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=2e-5)
    layer.activation = True
    positive = layer(pyml.from_numpy(x)).detach().numpy()
    np.testing.assert_array_equal(positive, np.maximum(result, 0))


def test_pbld_embedding_is_its_definition(dtype):
    x = rows(dtype)
    layer = nn.PBLDEmbedding(3, 5, 7, sigma=0.3, dtype=dtype)
    given = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    waves = np.cos(2 * np.pi * x[..., None] * given["frequencies"] + given["phases"])
    made = np.einsum("nif,ifd->nid", waves, given["linear.weight"]) + given["linear.bias"]
    wanted = np.concatenate([made.reshape(len(x), -1), x], 1)
    result = layer(pyml.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=2e-5)
    assert np.abs(given["phases"]).max() <= np.pi and np.abs(given["frequencies"]).max() < 1.5
    for options, words in (({"embedding_dim": 1}, "embedding_dim is 1"), ({"sigma": 0}, "sigma")):
        with pytest.raises(ValueError, match=words):
            nn.PBLDEmbedding(3, **options)
    with pytest.raises(ValueError, match="must be num_features, 3"):
        layer(pyml.zeros(4, 2, dtype=dtype))


def test_frequencies_begin_within_three_sigma():
    values = nn.PeriodicEmbedding(100, 1, 300, sigma=0.2).frequencies.detach().numpy()
    assert np.abs(values).max() <= 0.6 and values.std() == pytest.approx(0.197, rel=0.02)


def mlp(inputs, blocks, width, outputs):
    widths = [inputs] + [width] * blocks
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


@pytest.mark.parametrize(
    ("numbers", "others", "embedding", "network", "count"),
    [  # published with the results of arXiv:2410.24210, by data set
        (8, 0, ("PLE", 20, 108), (2, 672, 1), 578_721),  # California housing
        (8, 0, ("PLR", 28, 60), (1, 832, 1), 215_617),
        (6, 20, ("PLE", 24, 112), (3, 176, 1), 107_937),  # diamonds
        (6, 20, ("PLR", 24, 60), (1, 496, 1), 100_121),
        (6, 102, ("PLE", 24, 117), (1, 880, 2), 236_258),  # Adult
        (6, 102, ("PLR", 16, 64), (3, 112, 2), 60_594),
    ],
)
def test_numbers_of_parameters_are_the_published_ones(numbers, others, embedding, network, count):
    kind, size, pieces = embedding
    if kind == "PLE":
        layer = nn.PiecewiseLinearEmbedding([np.arange(pieces + 1.0)] * numbers, size)
    else:
        layer = nn.PeriodicEmbedding(numbers, size, pieces)
    layers = nn.Sequential(layer, mlp(numbers * size + others, *network))
    assert sum(p.numel() for p in layers.parameters()) == count


LAYERS = {
    "feature": lambda dtype: nn.FeatureLinear(3, 1, 4, dtype=dtype),
    "encoding": lambda dtype: nn.PiecewiseLinearEncoding(BINS, dtype=dtype),
    "piecewise": lambda dtype: nn.PiecewiseLinearEmbedding(BINS, 4, dtype=dtype),
    "periodic": lambda dtype: nn.PeriodicEmbedding(3, 4, 5, sigma=0.3, dtype=dtype),
    "pbld": lambda dtype: nn.PBLDEmbedding(3, 4, 5, sigma=0.3, dtype=dtype),
    "lite": lambda dtype: nn.PeriodicEmbedding(3, 4, 5, sigma=0.3, lite=True, dtype=dtype),
}


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives(name):
    layer = LAYERS[name](np.float64)
    x = pyml.tensor(np.random.default_rng(1).uniform(0.1, 0.4, (4, 3)), requires_grad=True)
    parameters = list(layer.parameters())

    def function(x, *_):
        return layer(x.unsqueeze(-1) if name == "feature" else x)

    assert gradcheck(function, (x, *parameters))
    if name == "pbld":
        assert gradgradcheck(function, (x, *parameters))


def test_piecewise_derivatives_where_numbers_need_none():
    """It then computes by values at edges, not by its definition."""
    x = pyml.tensor(np.random.default_rng(1).uniform(-2, 5, (7, 3)))
    layer = nn.PiecewiseLinearEmbedding(BINS, 4, dtype=np.float64)
    nn.init.normal_(layer.pieces.weight)
    parameters = list(layer.parameters())

    def function(*_):
        return layer(x).square()

    assert gradcheck(function, parameters) and gradgradcheck(function, parameters)
    wanted = layer(x.clone().requires_grad_())
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-12)
    assert layer(x[0]).shape == (3, 4) and layer(x[:0]).shape == (0, 3, 4)
    each = pyml.func.vmap(layer)(x.reshape(7, 1, 3))
    np.testing.assert_allclose(each[:, 0].detach().numpy(), layer(x).detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_steps_give_the_same_bits(name, dtype):
    layer = LAYERS[name](dtype)
    head = nn.LazyLinear(1, dtype=dtype)
    batches = [pyml.from_numpy(rows(dtype)[i : i + 8]) for i in range(8)]

    def forward(x):
        return head(layer(x.unsqueeze(-1) if name == "feature" else x).flatten(1)).mean()

    forward(batches[0])
    parameters = [*layer.parameters(), *head.parameters()]

    def step(x):
        for p in parameters:
            p.grad = None
        loss = forward(x)
        loss.backward()
        return [loss.detach()] + [p.grad.clone() for p in parameters]

    recorded = pyml.record(step)
    for x in batches:
        for a, b in zip(step(x), recorded(x), strict=True):
            assert (a == b).all()
    assert recorded.stats().replays > 0


@pytest.mark.parametrize("name", LAYERS)
def test_states_are_loaded(name):
    layer, other = LAYERS[name](np.float32), LAYERS[name](np.float32)
    for p in layer.parameters():
        nn.init.normal_(p)
    other.load_state_dict(layer.state_dict())
    x = pyml.from_numpy(rows(np.float32))
    x = x.unsqueeze(-1) if name == "feature" else x
    assert (layer(x) == other(x)).all()
    assert layer.double()(x.double()).dtype == np.float64


def test_bins_are_quantiles():
    x = np.concatenate([np.arange(101.0)[:, None], np.repeat([0, 1], [90, 11])[:, None]], 1)
    many, few = nn.quantile_bins(x, 4)
    np.testing.assert_array_equal(many, [0, 25, 50, 75, 100])
    np.testing.assert_array_equal(few, [0, 1])
    np.testing.assert_array_equal(nn.quantile_bins(pyml.tensor(x), 4)[0], many)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.quantile_bins(np.zeros(3)), ValueError, r"x has shape \(3,\)"),
        (lambda: nn.quantile_bins(np.zeros((0, 2))), ValueError, r"a row or more"),
        (lambda: nn.quantile_bins(np.zeros((3, 1))), ValueError, "feature 0 is 0.0 in every row"),
        (lambda: nn.quantile_bins([[1.0], [np.nan]]), ValueError, r"x\[1, 0\] is nan"),
        (lambda: nn.quantile_bins([[1.0], [2.0]], 0), ValueError, "num_bins is 0"),
        (lambda: nn.PiecewiseLinearEncoding([]), ValueError, "bins is empty"),
        (lambda: nn.PiecewiseLinearEncoding([[1.0]]), ValueError, r"bins\[0\] is"),
        (lambda: nn.PiecewiseLinearEncoding([[1, 1, 2]]), ValueError, "larger than the one before"),
        (lambda: nn.PiecewiseLinearEncoding([[0, 1], [0, np.inf]]), ValueError, r"bins\[1\] is"),
        (lambda: nn.PiecewiseLinearEncoding([[0, 1e-42]]), ValueError, "too near to each other"),
        (lambda: nn.PiecewiseLinearEncoding(BINS)(pyml.zeros(2, 2)), ValueError, "must be 3"),
        (lambda: nn.PiecewiseLinearEmbedding(BINS, 0), ValueError, "embedding_dim is 0"),
        (lambda: nn.PeriodicEmbedding(3, sigma=0), ValueError, "sigma is 0"),
        (lambda: nn.PeriodicEmbedding(3, num_frequencies=2.5), TypeError, "an integer"),
        (lambda: nn.PeriodicEmbedding(3)(pyml.zeros(2, 4)), ValueError, "must be num_features, 3"),
        (lambda: nn.FeatureLinear(3, 2, 1)(pyml.zeros(3, 3)), ValueError, r"\(3, 2\)"),
        (lambda: nn.FeatureLinear(3, 2, 1)(pyml.zeros(2)), ValueError, r"shape \(2,\)"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
