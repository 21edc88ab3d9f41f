"""Modules and losses with options drawn at random, all at once, beside torch."""

import inspect
import warnings

import numpy as np
import pytest
import torch

import pyml
from parity.torch_side import assert_parity, assert_state_parity, load_from_torch, pair
from pyml import nn

DRAWS = 8  # of each module
K = 100  # terms in the longest sums
BOOLS = [False, True]
REDUCTIONS = ["mean", "sum", "none"]


def scores(rng, shape):
    return rng.normal(scale=2, size=shape)


def chances(rng, shape):
    return rng.uniform(0.05, 0.95, shape)


def signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


def counts(rng, shape):
    return rng.poisson(2.0, shape).astype(float)


def logarithms(rng, shape):
    return np.log(chances(rng, shape))


# name: (the values of its options, how each input is drawn)
ELEMENTS = {
    "BCELoss": ({}, (chances, chances)),
    "BCEWithLogitsLoss": ({"pos_weight": [None, [0.5, 2.0, 3.0]]}, (scores, chances)),
    "GaussianNLLLoss": ({"full": BOOLS, "eps": [1e-6, 0.5]}, (scores, scores, chances)),
    "HingeEmbeddingLoss": ({"margin": [0.3, 1.0, 2.5]}, (scores, signs)),
    "HuberLoss": ({"delta": [0.2, 1.0, 3.0]}, (scores, scores)),
    "KLDivLoss": ({"log_target": [False]}, (logarithms, chances)),
    "L1Loss": ({}, (scores, scores)),
    "MSELoss": ({}, (scores, scores)),
    "MarginRankingLoss": ({"margin": [0.0, 0.7, -0.5]}, (scores, scores, signs)),
    "MultiLabelSoftMarginLoss": ({}, (scores, chances)),
    "PoissonNLLLoss": (
        {"log_input": [True], "full": BOOLS, "eps": [1e-8, 0.1]},
        (scores, counts),
    ),
    "SmoothL1Loss": ({"beta": [0.0, 0.3, 2.0]}, (scores, scores)),
    "SoftMarginLoss": ({}, (scores, signs)),
    "TripletMarginLoss": (
        {"margin": [0.2, 1.0, 4.0], "p": [1.0, 2.0, 3.0], "eps": [1e-6, 0.1], "swap": BOOLS},
        (scores, scores, scores),
    ),
    "CosineEmbeddingLoss": ({"margin": [-0.5, 0.0, 0.4]}, (scores, scores)),
    "CrossEntropyLoss": (
        {
            "weight": [None, [0.5, 2.0, 3.0]],
            "ignore_index": [-100, 1],
            "label_smoothing": [0.0, 0.3],
        },
        (scores,),
    ),
    "NLLLoss": ({"weight": [None, [0.5, 2.0, 3.0]], "ignore_index": [-100, 1]}, (logarithms,)),
    "MultiMarginLoss": (
        {"p": [1, 2], "margin": [0.3, 1.0], "weight": [None, [0.5, 2.0, 3.0]]},
        (scores,),
    ),
}
LABELLED = {"CosineEmbeddingLoss", "CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"}
SHAPES = [(1, 3), (5, 3), (64, 3)]

# name: (positional arguments, the values of the options, shapes of the inputs)
LAYERS = {
    "Linear": ((6, 4), {"bias": BOOLS}, [(6,), (5, 6), (2, 3, 6)]),
    "BatchNorm1d": (
        (6,),
        {
            "eps": [1e-5, 0.1],
            "momentum": [0.1, 0.9, None],
            "affine": BOOLS,
            "track_running_stats": BOOLS,
        },
        [(4, 6), (3, 6, 5)],
    ),
    "LayerNorm": (
        ((4, 6),),
        {"eps": [1e-5, 0.1], "elementwise_affine": BOOLS, "bias": BOOLS},
        [(4, 6), (3, 4, 6)],
    ),
    "RMSNorm": ((6,), {"eps": [None, 0.1], "elementwise_affine": BOOLS}, [(6,), (3, 4, 6)]),
    "GroupNorm": ((2, 6), {"eps": [1e-5, 0.1], "affine": BOOLS}, [(4, 6), (3, 6, 5)]),
    "ELU": ((), {"alpha": [0.3, 1.0, 2.0]}, [(5, 6)]),
    "CELU": ((), {"alpha": [0.3, 1.0, 2.0]}, [(5, 6)]),
    "LeakyReLU": ((), {"negative_slope": [0.0, 0.01, 0.5]}, [(5, 6)]),
    "PReLU": ((), {"num_parameters": [1, 6], "init": [0.0, 0.25]}, [(5, 6), (2, 6, 3)]),
    "Softplus": ((), {"beta": [0.5, 1, 3], "threshold": [1, 20]}, [(5, 6)]),
    "GELU": ((), {"approximate": ["none", "tanh"]}, [(5, 6)]),
    "Hardtanh": ((), {"min_val": [-1.0, -0.2], "max_val": [0.1, 2.0]}, [(5, 6)]),
    "Hardshrink": ((), {"lambd": [0.0, 0.5, 2.0]}, [(5, 6)]),
    "Softshrink": ((), {"lambd": [0.0, 0.5, 2.0]}, [(5, 6)]),
    "Threshold": ((), {"threshold": [-0.5, 0.5], "value": [-3.0, 0.0]}, [(5, 6)]),
    "Softmax": ((), {"dim": [0, -1]}, [(5, 6), (2, 3, 4)]),
    "LogSoftmax": ((), {"dim": [0, -1]}, [(5, 6), (2, 3, 4)]),
    "GLU": ((), {"dim": [1, -1]}, [(5, 6), (2, 4, 6)]),
    "Dropout": ((), {"p": [0.0, 1.0]}, [(5, 6)]),
    # where a norm is below eps, torch has the derivative of the norm in place of 0
    "CosineSimilarity": ((), {"dim": [0, 1, -1], "eps": [1e-8, 1e-3]}, [(5, 6), (2, 4, 6)]),
    "PairwiseDistance": (
        (),
        {"p": [1.0, 2.0, 3.5], "eps": [1e-6, 0.1], "keepdim": BOOLS},
        [(5, 6), (6,)],
    ),
    "Bilinear": ((6, 6, 3), {"bias": BOOLS}, [(6,), (5, 6), (2, 3, 6)]),
}
TWO_INPUTS = {"CosineSimilarity", "PairwiseDistance", "Bilinear"}


def drawn(rng, values):
    return {name: choices[rng.integers(len(choices))] for name, choices in values.items()}


def of_library(library, options, dtype):
    """Lists of numbers as tensors."""
    make = {torch: torch.tensor, pyml: pyml.tensor}[library]
    return {
        name: make(np.array(value, dtype)) if isinstance(value, list) else value
        for name, value in options.items()
    }


def compare(modules, arrays, others=()):
    """Outputs, and gradients of a weighted sum of them."""
    sides = [pair(array, requires_grad=True) for array in arrays]
    rest = [pair(array) for array in others]
    outputs = [
        module(*[side[i] for side in sides], *[side[i] for side in rest])
        for i, module in enumerate(modules)
    ]
    assert_parity(outputs[1], outputs[0], K, least=0.1)
    weights = pair(np.random.default_rng(1).normal(size=outputs[0].shape).astype(arrays[0].dtype))
    for y, weight in zip(outputs, weights, strict=True):
        (y * weight).sum().backward()
    for theirs, ours in sides:
        assert_parity(ours.grad, theirs.grad, K, least=0.1)


def draws(names):
    return [
        pytest.param(name, seed, id=f"{name} {seed}") for name in names for seed in range(DRAWS)
    ]


@pytest.mark.parametrize(("name", "seed"), draws(ELEMENTS))
def test_losses(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    values, how = ELEMENTS[name]
    dtype, shape = ("float32", "float64")[seed % 2], SHAPES[rng.integers(len(SHAPES))]
    options = {**drawn(rng, values), "reduction": REDUCTIONS[rng.integers(3)]}
    modules = [
        getattr(library.nn, name)(**of_library(library, options, dtype))
        for library in (torch, pyml)
    ]
    inputs = [draw(rng, shape).astype(dtype) for draw in how]
    labels = []
    if name in LABELLED:
        signed = name == "CosineEmbeddingLoss"
        labels = [rng.choice([-1, 1], shape[0]) if signed else rng.integers(0, 3, shape[0])]
        if options.get("ignore_index") == 1:
            labels[0][0] = 0  # not all of them
    fixed = [] if name in ("TripletMarginLoss", *LABELLED) else [inputs.pop()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of KLDivLoss
        compare(modules, inputs, [*fixed, *labels])


@pytest.mark.parametrize(("name", "seed"), draws(LAYERS))
def test_layers(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    args, values, shapes = LAYERS[name]
    dtype, training = ("float32", "float64")[seed % 2], seed % 4 < 2
    options, shape = drawn(rng, values), shapes[rng.integers(len(shapes))]
    if name == "Softshrink" or name == "Hardshrink":
        shape = (50,)
    theirs, ours = (getattr(library.nn, name)(*args, **options) for library in (torch, pyml))
    theirs.to(getattr(torch, dtype)).train(training)
    ours.to(getattr(pyml, dtype)).train(training)
    load_from_torch(ours, theirs)
    assert str(ours) == str(theirs)
    for _ in range(2):  # running statistics
        arrays = [scores(rng, shape).astype(dtype) for _ in range(1 + (name in TWO_INPUTS))]
        compare((theirs, ours), arrays)
        assert_state_parity(ours, theirs, K)


def test_every_option_is_drawn():
    """An option that a module has is in its table, or is of no number."""
    words = {"device", "dtype", "inplace", "size_average", "reduce", "reduction", "weight"}
    old = {"max_value", "min_value"}
    tables = {name: values for name, (values, _) in ELEMENTS.items()}
    tables |= {name: values for name, (_, values, _) in LAYERS.items()}
    for name, values in tables.items():
        parameters = inspect.signature(getattr(nn, name)).parameters
        missing = {
            p.name
            for p in parameters.values()
            if p.default is not p.empty and p.name not in values and p.name not in words | old
        }
        assert missing - {"bias"} == set(), name
