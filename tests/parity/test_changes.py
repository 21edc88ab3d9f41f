"""Tensors that are changed in place between a function and its backward, beside torch.

What a backward reads must be as it was, or else it refuses and never gives another number; what it
does not read, for the gradients that are asked for, may be changed wherever torch lets it be.
"""

import itertools
import math
import zlib

import numpy as np
import pytest
import torch
from ops import breadth
from ops.cases import chances, normal, positive

import pyml
from helpers.activations import ACTIVATIONS
from helpers.losses import PAIR_LOSSES
from parity import test_layers, test_ops

LARGEST = 60  # elements of all inputs of a row
STRICTER = {  # torch keeps what it computed on the way, pyml the inputs, and computes it anew
    *("cond", "cosine_similarity", "hinge_embedding_loss", "instance_norm", "l1_loss", "ldexp"),
    *("lu", "lu_factor", "lu_factor_ex", "lu_solve", "lu_unpack", "margin_ranking_loss"),
    *("matrix_norm", "mse_loss", "multilabel_soft_margin_loss", "old", "pairwise_distance"),
    *("qr", "rms_norm", "smooth_l1_loss", "svd", "svdvals", "tanhshrink", "triplet_margin_loss"),
    "cross_entropy",  # with create_graph
    *("erfinv", "logaddexp"),  # pyml keeps the result, torch the inputs
    "matmul ((3,), (5, 3, 2))",  # torch multiplies a copy
    *("kron", "expand"),  # torch gives a wrong number, and has an error of another kind
}
ONCE_ONLY = ("unfold", "expand")  # their results are not to be changed
COLUMNS = np.array([[0, 1], [1, 2], [2, 0]])
ROW = np.array([1, 2])
LABELS = np.array([0, 2, 1, 1])
MASK = np.arange(12).reshape(3, 4) % 5 > 1
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])


def of_nn(name, *more, **options):
    return lambda m, *tensors: getattr(m.nn.functional, name)(*tensors, *more, **options)


def assigned(m, x, index, values):
    y = x * 1
    y[index] = values
    return y


LAYERS = {  # function, and an array or a shape for each input
    "linear": (of_nn("linear"), (4, 3), (2, 3)),
    "linear bias": (of_nn("linear"), (4, 3), (2, 3), (2,)),
    "linear vector": (of_nn("linear"), (3,), (2, 3), (2,)),
    "layer_norm": (
        lambda m, x, w, b: m.nn.functional.layer_norm(x, (3,), w, b),
        (4, 3),
        (3,),
        (3,),
    ),
    "rms_norm": (lambda m, x, w: m.nn.functional.rms_norm(x, (3,), w), (4, 3), (3,)),
    "group_norm": (lambda m, x, w, b: m.nn.functional.group_norm(x, 3, w, b), (4, 3), (3,), (3,)),
    "batch_norm": (
        lambda m, x, w, b: m.nn.functional.batch_norm(x, None, None, w, b, True),
        *((4, 3), (3,), (3,)),
    ),
    "batch_norm eval": (
        lambda m, x, w, b: m.nn.functional.batch_norm(x, m.ones(3).double(), m.ones(3).double(), w),
        *((4, 3), (3,), (3,)),
    ),
    "prelu": (of_nn("prelu"), (4, 3), (3,)),
    "gaussian_nll_loss": (of_nn("gaussian_nll_loss"), (3,), (3,), (3,)),
    "triplet_margin_loss": (of_nn("triplet_margin_loss"), (4, 3), (4, 3), (4, 3)),
    "margin_ranking_loss": (of_nn("margin_ranking_loss"), (4,), (4,), SIGNS),
    "cosine_embedding_loss": (of_nn("cosine_embedding_loss"), (4, 3), (4, 3), SIGNS),
    "cross_entropy": (of_nn("cross_entropy"), (4, 3), LABELS),
    "cross_entropy probabilities": (of_nn("cross_entropy"), (4, 3), (4, 3)),
    "cross_entropy weight": (
        lambda m, x, i: m.nn.functional.cross_entropy(x, i, m.tensor([0.5, 1.0, 2.0]).double()),
        *((4, 3), LABELS),
    ),
    "nll_loss": (of_nn("nll_loss"), (4, 3), LABELS),
    "multi_margin_loss": (of_nn("multi_margin_loss"), (4, 3), LABELS),
    "multi_margin_loss 2": (of_nn("multi_margin_loss", p=2), (4, 3), LABELS),
    "multilabel_margin_loss": (of_nn("multilabel_margin_loss"), (3,), np.array([0, 2, -1])),
    "embedding": (of_nn("embedding"), LABELS, (4, 3)),
    "embedding_bag": (of_nn("embedding_bag"), COLUMNS, (4, 3)),
    "embedding_bag max": (of_nn("embedding_bag", mode="max"), COLUMNS, (4, 3)),
    "x[i]": (lambda m, x, i: x[i], (3, 4), ROW),
    "x[mask]": (lambda m, x, mask: x[mask], (3, 4), MASK),
    "x[i] = y": (assigned, (3, 4), ROW, (2, 4)),
    "x[mask] = y": (assigned, (3, 4), MASK, ()),
    "gather": (lambda m, x, i: m.gather(x, 1, i), (3, 4), COLUMNS),
    "index_select": (lambda m, x, i: m.index_select(x, 0, i), (3, 4), ROW),
    "take": (lambda m, x, i: m.take(x, i), (3, 4), ROW),
    "scatter": (lambda m, x, i, y: m.scatter(x, 1, i, y), (3, 4), COLUMNS, (3, 2)),
    "scatter_add": (lambda m, x, i, y: m.scatter_add(x, 1, i, y), (3, 4), COLUMNS, (3, 2)),
    "index_add": (lambda m, x, i, y: m.index_add(x, 0, i, y), (3, 4), ROW, (2, 4)),
    "index_copy": (lambda m, x, i, y: m.index_copy(x, 0, i, y), (3, 4), ROW, (2, 4)),
    "masked_fill": (lambda m, x, mask: m.masked_fill(x, mask, 2.0), (3, 4), MASK),
    "masked_select": (lambda m, x, mask: m.masked_select(x, mask), (3, 4), MASK),
    "where": (lambda m, mask, x, y: m.where(mask, x, y), MASK, (3, 4), (4,)),
}


def rows():
    """(name, function(m, *tensors), arrays)"""
    for name, (function, *inputs) in LAYERS.items():
        yield name, function, inputs, positive
    for row in breadth.ROWS:
        if row.smooth:
            yield str(row), row.function, row.shapes, row.draw
    tables = ("functions", "reductions", "products", "shapes", "indexing")
    for name, function, shapes, kinds in itertools.chain(*(getattr(test_ops, t)() for t in tables)):
        draw = positive if kinds[0] == test_ops.POSITIVE else normal
        yield f"{name} {shapes}", function, shapes, draw
    for name, shapes, options in test_layers.CALLS:
        if name != "layer_norm":
            yield f"{name} {shapes} {options}", of_nn(name, **options), shapes, positive
    for each in ACTIVATIONS:
        for options in each.options:
            yield f"{each.name} {options}", of_nn(each.name, **options), [(3,)], normal
    for loss in PAIR_LOSSES:
        for options in loss.options:
            function = of_nn(loss.name, **options)
            inputs = [(4,), SIGNS if loss.signs else (4,)]
            yield f"{loss.name} {options}", function, inputs, chances


def drawn(name, inputs, draw):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return [x if isinstance(x, np.ndarray) else np.asarray(draw(rng, x), float) for x in inputs]


def fits(inputs):
    sizes = [math.prod(np.shape(x) if isinstance(x, np.ndarray) else x) for x in inputs]
    return all(sizes) and sum(sizes) <= LARGEST


ROWS = {
    name: (function, drawn(name, inputs, draw))
    for name, function, inputs, draw in rows()
    if fits(inputs) and hasattr(torch.nn.functional, name.split()[0]) >= name.endswith("}")
}


def other(array):
    """Other values that are valid in the same place."""
    if array.dtype == bool:
        return ~array
    if array.dtype.kind == "i" or np.array_equal(array, SIGNS):
        return array[::-1].copy()
    return array * 1.25


def gradients(m, function, arrays, mask, changed=None, create_graph=False):
    """What a backward gives after a change in place: "refused", or the gradients asked for."""
    inputs = [m.tensor(a, requires_grad=wanted) for a, wanted in zip(arrays, mask, strict=True)]
    y = function(m, *inputs)
    if changed is not None:
        with m.no_grad():
            t = [*inputs, y][changed]
            t.copy_(m.tensor(other(t.detach().numpy())))
    leaves = [x for x in inputs if x.requires_grad]
    try:
        given = m.autograd.grad(y.sum(), leaves, create_graph=create_graph, allow_unused=True)
    except RuntimeError as error:
        if changed is None or "place" not in str(error):
            raise
        return "refused"
    return [0 if g is None else np.array(g.detach().numpy()) for g in given]


def same(a, b):
    return a != "refused" and all(
        np.allclose(x, y, 1e-9, 1e-12, True) for x, y in zip(a, b, strict=True)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ROWS)
def test_change(name, monkeypatch):
    # einsum multiplies from left to right, as it does where opt_einsum is not installed
    monkeypatch.setattr(torch.backends.opt_einsum, "enabled", False)
    function, arrays = ROWS[name]
    numbers = [a.dtype.kind == "f" and a is not SIGNS for a in arrays]
    stricter = name in STRICTER or name.split()[0] in STRICTER
    for mask in itertools.product(*[(False, True) if each else (False,) for each in numbers]):
        try:
            wanted = gradients(pyml, function, arrays, mask)
            plain = gradients(torch, function, arrays, mask)
        except RuntimeError:  # nothing of what is asked for has a gradient
            continue
        for changed in range(len(arrays) + (name.split()[0] not in ONCE_ONLY)):
            where = f"gradients of {mask}, {changed} changed"
            theirs = gradients(torch, function, arrays, mask, changed)
            for create_graph in (False, True):
                got = gradients(pyml, function, arrays, mask, changed, create_graph)
                assert got == "refused" or same(got, wanted), f"another number: {where}"
                assert got != "refused" or stricter or not same(theirs, plain), f"refused: {where}"
