"""nn.utils.prune against torch."""

import numpy as np
import pytest
import torch.nn.utils.prune

import pyml
from parity.torch_side import assert_parity, assert_state_parity, load_from_torch, pair

MASK = np.random.default_rng(5).integers(0, 2, (6, 8)).astype(np.float32)

METHODS = {  # changes by (library, its module prune, a layer)
    "identity": lambda m, prune, layer: prune.identity(layer, "weight"),
    "l1": lambda m, prune, layer: prune.l1_unstructured(layer, "weight", 0.3),
    "l1 of a number": lambda m, prune, layer: prune.l1_unstructured(layer, "bias", 2),
    "l1 by scores": lambda m, prune, layer: prune.l1_unstructured(
        layer, "weight", 7, importance_scores=layer.weight.detach() - 0.1
    ),
    **{
        f"l{n} of dim {dim}": lambda m, prune, layer, n=n, dim=dim: prune.ln_structured(
            layer, "weight", 0.4, n=n, dim=dim
        )
        for n in (1, 2, float("inf"), float("-inf"), "fro")
        for dim in (0, 1, -1)
    },
    "mask": lambda m, prune, layer: prune.custom_from_mask(layer, "weight", m.tensor(MASK)),
    "global": lambda m, prune, layer: prune.global_unstructured(
        [(layer, "weight"), (layer, "bias")], prune.L1Unstructured, amount=0.5
    ),
}


def check(layers, rng):
    inputs = pair(rng.normal(size=(5, 8)).astype(np.float32))
    outputs = []
    for layer, x in zip(layers, inputs, strict=True):
        layer.zero_grad()
        outputs.append(layer(x))
        outputs[-1].square().sum().backward()
    assert_parity(outputs[1], outputs[0], 50)
    assert_state_parity(layers[1], layers[0], 50)
    for name in ("weight", "bias"):
        assert_parity(getattr(layers[1], name), getattr(layers[0], name))
    for kind in ("named_parameters", "named_buffers"):
        theirs, ours = ([n for n, _ in getattr(layer, kind)()] for layer in layers)
        assert ours == theirs


@pytest.mark.parametrize("second", ["l1", "l2 of dim 1", "mask", "global"])
@pytest.mark.parametrize("first", METHODS)
def test_one_and_another(first, second, rng):
    """What is pruned, trained, pruned again, and made permanent."""
    layers = torch.nn.Linear(8, 6), pyml.nn.Linear(8, 6)
    load_from_torch(layers[1], layers[0])
    for name in (first, second):
        for m, layer in zip((torch, pyml), layers, strict=True):
            METHODS[name](m, m.nn.utils.prune, layer)
        check(layers, rng)
    kinds = [[type(h).__name__ for h in m._forward_pre_hooks.values()] for m in layers]
    assert kinds[0] == kinds[1]
    for m, layer in zip((torch, pyml), layers, strict=True):
        for name in ("weight", "bias"):
            if hasattr(layer, f"{name}_orig"):
                m.nn.utils.prune.remove(layer, name)
        assert not m.nn.utils.prune.is_pruned(layer)
    check(layers, rng)
