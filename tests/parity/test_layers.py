"""Layers of several inputs, or of integers, against torch: values, gradients, options, errors."""

from itertools import product

import numpy as np
import pytest
import torch

import pyml
from parity.torch_side import assert_parity, assert_state_parity, load_from_torch, pair
from pyml import nn
from pyml.nn import functional as F

DTYPES = ["float32", "float64"]


def options(**values):
    """Every combination, as keyword arguments."""
    return [dict(zip(values, choice, strict=True)) for choice in product(*values.values())]


def shown(value):
    return str(value).replace(" ", "")


# ---- functions of floating point tensors ---------------------------------------------------------

CALLS = [  # name, shapes, options
    *[("normalize", [(3, 4)], o) for o in options(p=[1.0, 2.0, 3.0], dim=[0, -1], eps=[1e-12, 5])],
    *[
        ("cosine_similarity", shapes, o)
        for shapes in ([(3, 4), (3, 4)], [(3, 4, 2), (3, 1, 2)])
        for o in options(dim=[0, -1], eps=[1e-8, 1e-3])  # below eps torch's derivative is another
    ],
    *[
        ("pairwise_distance", shapes, o)
        for shapes in ([(3, 4), (3, 4)], [(3, 4), (4,)], [(4,), (4,)])
        for o in options(p=[1.0, 2.0, 3.0], eps=[1e-6, 0.5], keepdim=[False, True])
    ],
    ("bilinear", [(3, 4), (3, 2), (5, 4, 2)], {}),
    ("bilinear", [(2, 3, 4), (2, 3, 2), (5, 4, 2), (5,)], {}),
    *[("pad", [(2, 3, 4)], {"pad": p}) for p in [(1, 2), (0, 1, 2, 0), (-1, 2, 0, -1, 1, 1), ()]],
    *[("pad", [(3, 4)], {"pad": (1, 1), "value": v}) for v in (0.0, 2.5)],
    *[
        ("pad", [(2, 3, 4)], {"pad": (3, 2), "mode": m})
        for m in ("reflect", "replicate", "circular")
    ],
    ("layer_norm", [(3, 4)], {"normalized_shape": (4,), "eps": 0.1}),
    ("layer_norm", [(3, 1)], {"normalized_shape": (1,)}),
    ("instance_norm", [(3, 4, 5)], {"eps": 0.1}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS, ids=shown)
def test_function(call, dtype, rng):
    name, shapes, given = call
    pairs = [pair(rng.normal(size=shape).astype(dtype), requires_grad=True) for shape in shapes]
    wanted = getattr(torch.nn.functional, name)(*[t for t, _ in pairs], **given)
    got = getattr(F, name)(*[x for _, x in pairs], **given)
    assert_parity(got, wanted, 16)
    tdy, dy = pair(rng.normal(size=got.shape).astype(dtype))
    wanted.backward(tdy)
    got.backward(dy)
    for t, x in pairs:
        assert_parity(x.grad, t.grad, 16)


# ---- tables --------------------------------------------------------------------------------------

INDEX = np.array([[1, 4, 4, 2], [0, 1, 5, 2], [3, 3, 3, 3]])


def both_tables(name, given, dtype, rng):
    reference = getattr(torch.nn, name)(6, 3, **given).to(getattr(torch, dtype))
    module = getattr(nn, name)(6, 3, **given).to(getattr(pyml, dtype))
    assert str(module) == str(reference)
    load_from_torch(module, reference)
    return module, reference


def compare(module, reference, inputs, rng, **others):
    """Values, the table as it then is, and its gradient."""
    pairs = [pair(a) for a in inputs]
    keywords = {k: pair(a, requires_grad=True) for k, a in others.items()}
    wanted = reference(*[t for t, _ in pairs], **{k: t for k, (t, _) in keywords.items()})
    got = module(*[x for _, x in pairs], **{k: x for k, (_, x) in keywords.items()})
    assert_parity(got, wanted, 4)
    tdy, dy = pair(rng.normal(size=got.shape).astype(got.dtype))
    wanted.backward(tdy)
    got.backward(dy)
    assert_state_parity(module, reference, 4)
    for t, x in keywords.values():
        assert_parity(x.grad, t.grad, 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "given",
    options(
        padding_idx=[None, 4, -3],
        max_norm=[None, 1.0],
        norm_type=[2.0, 1.0],
        scale_grad_by_freq=[False, True],
    ),
    ids=shown,
)
def test_embedding(given, dtype, rng):
    module, reference = both_tables("Embedding", given, dtype, rng)
    for index in (INDEX, INDEX[0].astype("int32"), np.array(2)):
        for net in (module, reference):
            net.zero_grad()
        compare(module, reference, [index], rng)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "given",
    options(
        mode=["sum", "mean", "max"],
        padding_idx=[None, 4],
        max_norm=[None, 1.0],
        include_last_offset=[False, True],
    ),
    ids=shown,
)
def test_embedding_bag(given, dtype, rng):
    module, reference = both_tables("EmbeddingBag", given, dtype, rng)
    flat = INDEX.reshape(-1)
    offsets = np.array([0, 3, 3, 7, 12] if given["include_last_offset"] else [0, 3, 3, 7])
    compare(module, reference, [flat, offsets], rng)
    for net in (module, reference):
        net.zero_grad()
    compare(module, reference, [INDEX], rng)
    if given["mode"] == "sum":
        weights = rng.normal(size=flat.shape).astype(dtype)
        compare(module, reference, [flat, offsets], rng, per_sample_weights=weights)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_embedding_bag_by_frequency(mode, rng):
    """Where all rows have as many uses: else torch divides by those of other rows."""
    given = {"mode": mode, "scale_grad_by_freq": True}
    module, reference = both_tables("EmbeddingBag", given, "float64", rng)
    compare(module, reference, [np.array([[1, 4, 2], [2, 1, 4]])], rng)


def test_from_pretrained():
    table = np.arange(6.0).reshape(3, 2)
    for name, given in product(("Embedding", "EmbeddingBag"), options(freeze=[True, False])):
        made = [
            getattr(library.nn, name).from_pretrained(library.tensor(table), **given)
            for library in (pyml, torch)
        ]
        assert str(made[0]) == str(made[1])
        assert made[0].weight.requires_grad == made[1].weight.requires_grad
        assert_parity(made[0].weight, made[1].weight)


@pytest.mark.parametrize("numbers", [[0, 2, 1], [[1, 1], [0, 3]], [], 1])
@pytest.mark.parametrize("classes", [4, 7])
def test_one_hot(numbers, classes):
    numbers = np.array(numbers, "int64")
    t, x = pair(numbers)
    assert_parity(F.one_hot(x, classes), torch.nn.functional.one_hot(t, classes))
    if numbers.size:
        assert_parity(F.one_hot(x), torch.nn.functional.one_hot(t))


# ---- lazy modules, lists -------------------------------------------------------------------------


@pytest.mark.parametrize("given", options(bias=[True, False]), ids=shown)
def test_lazy_modules(given, rng):
    nets = [
        library.nn.Sequential(
            library.nn.LazyLinear(4, **given), library.nn.LazyBatchNorm1d(**given)
        )
        for library in (pyml, torch)
    ]
    assert str(nets[0]) == str(nets[1])
    assert list(nets[0].state_dict()) == list(nets[1].state_dict())
    t, x = pair(rng.normal(size=(6, 3)).astype("float32"))
    nets[0](x), nets[1](t)
    assert str(nets[0]) == str(nets[1])
    load_from_torch(*nets)
    assert_parity(nets[0](x), nets[1](t), 4)
    assert_state_parity(*nets, k=4)


def test_parameter_lists_have_the_same_state():
    for kind, given in (("ParameterList", [1, 2]), ("ParameterDict", {"b": 1, "a": 2})):
        made = []
        for library in (pyml, torch):
            values = [library.ones(n) for n in (1, 2)]
            values = dict(zip("ba", values, strict=True)) if isinstance(given, dict) else values
            made.append(library.nn.Sequential(getattr(library.nn, kind)(values)))
        names = [sorted(net.state_dict()) for net in made]
        assert names[0] == names[1]


# ---- what torch refuses is refused ---------------------------------------------------------------


WRONG = {
    "layer_norm": lambda m, f: f.layer_norm(m.ones(2, 3), (2,)),
    "rms_norm": lambda m, f: f.rms_norm(m.ones(2, 3), (2,)),
    "group_norm": lambda m, f: f.group_norm(m.ones(2, 3), 2),
    "group_norm of one": lambda m, f: f.group_norm(m.ones(1, 2), 2),
    "instance_norm": lambda m, f: f.instance_norm(m.ones(2, 3, 1)),
    "embedding": lambda m, f: f.embedding(m.tensor([4]), m.ones(3, 2)),
    "embedding of a negative": lambda m, f: f.embedding(m.tensor([-1]), m.ones(3, 2)),
    "embedding of floats": lambda m, f: f.embedding(m.ones(2), m.ones(3, 2)),
    "embedding_bag": lambda m, f: f.embedding_bag(m.tensor([1]), m.ones(3, 2)),
    "embedding_bag mode": lambda m, f: f.embedding_bag(m.tensor([[1]]), m.ones(3, 2), mode="x"),
    "one_hot": lambda m, f: f.one_hot(m.tensor([4]), 3),
    "one_hot of a negative": lambda m, f: f.one_hot(m.tensor([-1])),
    "bilinear": lambda m, f: f.bilinear(m.ones(2, 3), m.ones(2, 3), m.ones(1, 3, 4)),
    "cosine_similarity": lambda m, f: f.cosine_similarity(m.ones(2, 3), m.ones(2, 4)),
    "pad": lambda m, f: f.pad(m.ones(2, 3), (3, 0), "reflect"),
    "pad of odd": lambda m, f: f.pad(m.ones(2, 3), (3,)),
    "alpha_dropout": lambda m, f: f.alpha_dropout(m.ones(2), 1.5),
    "Unflatten": lambda m, f: m.nn.Unflatten(1, (4, 2))(m.ones(2, 6)),
    "GroupNorm": lambda m, f: m.nn.GroupNorm(3, 4),
    "BatchNorm2d": lambda m, f: m.nn.BatchNorm2d(2)(m.ones(2, 2, 2)),
    "ParameterList": lambda m, f: m.nn.ParameterList(m.ones(2)),
    "UninitializedParameter": lambda m, f: m.nn.LazyLinear(2).weight.shape,
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    for library, functions in ((torch, torch.nn.functional), (pyml, F)):
        with pytest.raises((ValueError, TypeError, RuntimeError, IndexError, AssertionError)):
            WRONG[name](library, functions)
