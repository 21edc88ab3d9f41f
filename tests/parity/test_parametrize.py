"""nn.utils.parametrize and parametrizations against torch."""

import numpy as np
import pytest
import torch

import pyml
from parity.torch_side import array_of, assert_parity, assert_state_parity, load_from_torch, pair

CASES = [
    *[("weight_norm", {"dim": dim}) for dim in (0, 1, -1, -2, None)],
    *[("spectral_norm", {"dim": d, "n_power_iterations": n}) for d in (None, 1) for n in (1, 3)],
]


def networks(name, kwargs, dtype):
    made = []
    for library in (pyml, torch):
        library.manual_seed(0)
        linear = library.nn.Linear(5, 4).to(getattr(library, dtype))
        getattr(library.nn.utils.parametrizations, name)(linear, **kwargs)
        made.append(library.nn.Sequential(linear, library.nn.Tanh()))
    load_from_torch(*made)
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_training_and_evaluation(name, kwargs, dtype, rng):
    module, reference = networks(name, kwargs, dtype)
    assert str(module) == str(reference)
    for kind in ("named_parameters", "named_buffers", "named_modules"):
        ours, theirs = ([n for n, _ in getattr(m, kind)()] for m in (module, reference))
        assert ours == theirs
    for training in [True] * 10 + [False] * 2 + [True]:
        tx, x = pair(rng.normal(size=(6, 5)).astype(dtype))
        for net, each in ((module, x), (reference, tx)):
            net.train(training).zero_grad()
            net(each).square().mean().backward()
        assert_parity(module(x), reference(tx), 50)
        assert_state_parity(module, reference, 50)
        for library, net in ((pyml, module), (torch, reference)):
            with library.no_grad():
                for p in net.parameters():
                    p.sub_(p.grad, alpha=0.1)
    values = pair(rng.normal(size=(4, 5)).astype(dtype))
    for net, value in ((reference, values[0]), (module, values[1])):
        net[0].weight = value
    assert_state_parity(module, reference, 50, gradients=False)
    for library, net in ((pyml, module), (torch, reference)):
        library.nn.utils.parametrize.remove_parametrizations(net.eval()[0], "weight")
    assert str(module) == str(reference)
    assert_state_parity(module, reference, 50, gradients=False)


@pytest.mark.parametrize("leave", [True, False])
def test_registered(leave):
    """Two that are the user's own, one after another, and both taken away."""
    nets = []
    for library in (pyml, torch):

        class Double(library.nn.Module):
            def forward(self, x):
                return x * 2

            def right_inverse(self, x):
                return x / 2

        parametrize = library.nn.utils.parametrize
        linear = library.nn.Linear(3, 2).double()
        linear.weight.data = library.tensor(np.arange(6.0).reshape(2, 3))
        linear.bias.data = library.tensor(np.arange(2.0))
        for name in ("weight", "bias", "weight"):
            parametrize.register_parametrization(linear, name, Double())
        nets.append(linear)
    module, reference = nets
    assert str(module) == str(reference)
    assert_parity(module.weight, reference.weight)
    assert_state_parity(module, reference)
    for library, net in ((pyml, module), (torch, reference)):
        library.nn.utils.parametrize.remove_parametrizations(net, "weight", leave)
    assert str(module) == str(reference)
    assert_state_parity(module, reference)
    np.testing.assert_array_equal(array_of(module.weight), array_of(reference.weight))


@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("sizes", [(4, 4), (5, 3), (3, 5)])
def test_orthogonal(sizes, kind, trivial, rng):
    weight = rng.normal(size=sizes[::-1])
    nets = []
    for library in (pyml, torch):
        linear = library.nn.Linear(*sizes).double()
        linear.weight.data = library.tensor(weight)
        library.nn.utils.parametrizations.orthogonal(
            linear, orthogonal_map=kind, use_trivialization=trivial
        )
        nets.append(linear)
    module, reference = nets
    assert str(module) == str(reference)
    if not trivial or sizes[0] == sizes[1]:  # else a part of the base is drawn
        ours, theirs = (net.parametrizations.weight.original for net in nets)
        assert_parity(ours, theirs, 16)
    load_from_torch(module, reference)
    for _ in range(3):
        tx, x = pair(rng.normal(size=(6, sizes[0])))
        for net, each in ((module, x), (reference, tx)):
            net.zero_grad()
            net(each).square().mul(net(each)).mean().backward()
        assert_parity(module(x), reference(tx))
        assert_state_parity(module, reference)
        for library, net in ((pyml, module), (torch, reference)):
            with library.no_grad():
                for p in net.parameters():
                    p.sub_(p.grad, alpha=0.1)


OLDER = [
    *[("weight_norm", {"dim": dim}) for dim in (0, 1, -1, None)],
    *[("spectral_norm", {"dim": d, "n_power_iterations": n}) for d in (None, 1) for n in (1, 3)],
]


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "kwargs"), OLDER)
def test_hooks(name, kwargs, dtype, rng):
    """The same by hooks, as it was before parametrizations: names, training, and the end."""
    nets = []
    for library in (pyml, torch):
        linear = library.nn.Linear(5, 4).to(getattr(library, dtype))
        nets.append(getattr(library.nn.utils, name)(linear, **kwargs))
    load_from_torch(*nets)
    module, reference = nets
    for training in [True] * 5 + [False, True]:
        tx, x = pair(rng.normal(size=(6, 5)).astype(dtype))
        for library, net, each in ((pyml, module, x), (torch, reference, tx)):
            net.train(training).zero_grad()
            net(each).square().mean().backward()
            with library.no_grad():
                for p in net.parameters():
                    p.sub_(p.grad, alpha=0.1)
        assert_parity(module.weight, reference.weight, 50)
        assert_state_parity(module, reference, 50)
    for library, net in ((pyml, module), (torch, reference)):
        getattr(library.nn.utils, f"remove_{name}")(net.eval())
    assert_state_parity(module, reference, 50, gradients=False)
