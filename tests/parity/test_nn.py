"""Modules against torch: outputs, gradients and buffers, in training and evaluation."""

import copy
from itertools import product

import numpy as np
import pytest
import torch

import pyml
from helpers.activations import CALLS as ACTIVATIONS
from parity.torch_side import (
    array_of,
    assert_parity,
    assert_state_parity,
    load_from_torch,
    pair,
)
from pyml import nn

SHAPES = [(7,), (5, 7), (2, 3, 7), (0, 7)]


def options(**values):
    """Every combination, as keyword arguments."""
    return [dict(zip(values, choice, strict=True)) for choice in product(*values.values())]


# name of the module, its arguments, shapes of the input, k: terms in its sums
CASES = [
    *[("Linear", (7, 4), o, SHAPES, 7) for o in options(bias=[True, False])],
    ("Linear", (300, 40), {}, [(33, 300)], 300),
    ("Identity", (), {}, SHAPES, 1),
    *[
        ("Flatten", (), o, [(2, 3, 4, 5)], 1)
        for o in options(start_dim=[0, 1, -3], end_dim=[-1, 2, 3])
    ],
    *[
        (f.module, (), o | extra, SHAPES, 1)
        for f, o in ACTIVATIONS
        for extra in ([{}, {"inplace": True}] if f.inplace else [{}])
        if not extra or min(f.numbers(o), default=0) >= 0  # torch's have no backward then
    ],
    *[("ReLU6", (), {"inplace": inplace}, SHAPES, 1) for inplace in (False, True)],
    *[("RReLU", (), {"lower": 0.3, "upper": 0.3, "inplace": i}, SHAPES, 1) for i in (False, True)],
    *[
        (f"{kind}Pad{d}d", (padding,), {}, [(2, 3, 4, 5, 4)[: d + 2], (3, 4, 5, 4)[: d + 1]], 8)
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for d in (1, 2, 3)
        for padding in (2, (1, 2, 0, 1, 3, 2)[: 2 * d])
    ],
    *[(f"ConstantPad{d}d", (2, 1.5), {}, [(2, 3, 4, 5, 4)[: d + 2]], 1) for d in (1, 2, 3)],
    *[("GLU", (), {"dim": d}, [(4, 6), (2, 4, 6)], 1) for d in (0, 1, -1)],
    *[("PReLU", (n,), {"init": 0.3}, [(5, 7), (2, 7, 3)], 35) for n in (1, 7)],
    *[("Softmin", (), {"dim": d}, [(3, 4, 5)], 5) for d in (0, -1)],
    *[("Softmax", (), {"dim": d}, [(3, 4, 5)], 5) for d in (0, 1, 2, -1, -2)],
    *[("LogSoftmax", (), {"dim": d}, [(3, 4, 5)], 5) for d in (0, 1, 2, -1, -2)],
    ("Softmax", (), {"dim": -1}, [(7,), (40, 100)], 100),
    *[
        ("BatchNorm1d", (6,), o, [(8, 6), (4, 6, 5)], 20)
        for o in options(
            eps=[1e-5, 1e-2],
            momentum=[0.1, 1.0, 0.0, None],
            affine=[True, False],
            track_running_stats=[True, False],
        )
    ],
    ("BatchNorm1d", (6,), {"bias": False}, [(8, 6)], 8),
    *[
        ("LayerNorm", (size,), o, [(5, 4, 7), (3, 4, 7), (0, 4, 7)], 28)
        for size in (7, (4, 7))
        for o in [*options(eps=[1e-5, 1e-2], bias=[True, False]), {"elementwise_affine": False}]
    ],
    *[
        ("RMSNorm", (size,), o, [(4, 7), (3, 4, 7), (0, 4, 7)], 28)
        for size in (7, (4, 7))
        for o in options(eps=[None, 1e-2], elementwise_affine=[True, False])
    ],
    *[
        ("GroupNorm", (groups, 6), o, [(2, 6, 3, 2), (4, 6, 5)], 30)
        for groups in (1, 3, 6)
        for o in [*options(eps=[1e-5, 1e-2], bias=[True, False]), {"affine": False}]
    ],
    *[
        ("InstanceNorm1d", (6,), o, [(6, 5), (1, 6, 5), (4, 6, 5)], 20)
        for o in options(
            eps=[1e-5, 1e-2], momentum=[0.1, None], affine=[True, False], track_running_stats=[1, 0]
        )
    ],
    *[
        (f"BatchNorm{k}d", (6,), o, [(4, 6, *(2,) * k), (0, 6, *(2,) * k), (3, 6, *(2,) * k)], 20)
        for k in (1, 2, 3)
        for o in options(momentum=[0.1, None], affine=[True, False])
    ],
    *[("Unflatten", (1, sizes), {}, [(2, 12, 3)], 1) for sizes in ((3, 4), (2, -1))],
    *[
        (name, (), o, [(3, 4, 5)], 1)
        for name in ("AlphaDropout", "Dropout1d", "FeatureAlphaDropout")
        for o in options(p=[0.0, 1.0], inplace=[False, True])
    ],
    ("Dropout", (), {"p": 0.0}, SHAPES, 1),
    ("Dropout", (), {"p": 1.0}, SHAPES, 1),
    ("Dropout", (), {"p": 1.0, "inplace": True}, SHAPES, 1),
]


def case_id(case):
    name, args, kwargs, _, _ = case
    return f"{name}({', '.join([*map(str, args), *(f'{k}={v}' for k, v in kwargs.items())])})"


@pytest.mark.parametrize("case", CASES, ids=case_id)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [True, False])
def test_module(case, dtype, training, rng):
    name, args, kwargs, shapes, k = case
    reference = getattr(torch.nn, name)(*args, **kwargs).to(getattr(torch, dtype))
    module = getattr(nn, name)(*args, **kwargs).to(getattr(pyml, dtype))
    with torch.no_grad():
        for p in reference.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    load_from_torch(module, reference)
    if name not in ("Hardswish", "Hardsigmoid") or not kwargs:  # inplace is not shown by torch's
        assert str(module) == str(reference)

    # twice in training, so that running statistics have a past; then in the mode that is compared
    for mode, shape in [(True, shapes[-1])] * 2 + [(training, shape) for shape in shapes]:
        reference.train(mode).zero_grad()
        module.train(mode).zero_grad()
        tx, x = pair(rng.normal(0.3, 2, shape).astype(dtype), requires_grad=True)
        ty, y = reference(tx * 1), module(x * 1)  # of no leaf, for inplace
        assert_parity(y, ty, k)
        tdy, dy = pair(rng.normal(size=y.shape).astype(dtype))
        ty.backward(tdy)
        y.backward(dy)
        assert_parity(x.grad, tx.grad, k)
        assert_state_parity(module, reference, k)


@pytest.mark.parametrize(("f", "options"), ACTIVATIONS)
def test_activations_at_whole_numbers(f, options):
    """Where a formula ends, and the next one begins."""
    tx, x = pair(np.arange(-8.0, 9), requires_grad=True)
    ty, y = (getattr(library, f.module)(**options)(x) for library, x in ((torch.nn, tx), (nn, x)))
    assert_parity(y, ty)
    ty.sum().backward()
    y.sum().backward()
    assert_parity(x.grad, tx.grad)


NONCONTIGUOUS = ["Linear", "ReLU", "BatchNorm1d", "Softmax", "GELU"]


@pytest.mark.parametrize("name", NONCONTIGUOUS)
def test_input_that_is_not_contiguous(name, rng):
    args = {"Linear": (7, 4), "BatchNorm1d": (7,), "Softmax": (-1,)}.get(name, ())
    reference = getattr(torch.nn, name)(*args).double()
    module = getattr(nn, name)(*args).double()
    load_from_torch(module, reference)
    tx, x = pair(rng.normal(size=(7, 10)), requires_grad=True)
    tdy, dy = pair(rng.normal(size=(module(x.T[::2]).shape[1], 5)))
    reference(tx.T[::2]).backward(tdy.T)
    module(x.T[::2]).backward(dy.T)
    assert_parity(x.grad, tx.grad)


def test_dropout_is_its_mask(rng):
    """The mask is ours; given it, output and gradient are torch's."""
    x = pyml.tensor(rng.normal(size=(50, 40)), requires_grad=True)
    y = nn.Dropout(0.3)(x)
    mask = torch.tensor(y.detach().numpy() != 0)
    tx = torch.tensor(x.detach().numpy(), requires_grad=True)
    ty = tx * mask / 0.7
    assert_parity(y, ty)
    tdy, dy = pair(rng.normal(size=(50, 40)))
    y.backward(dy)
    ty.backward(tdy)
    assert_parity(x.grad, tx.grad)


# ---- networks -----------------------------------------------------------------------------------


def network(library):
    return library.nn.Sequential(
        library.nn.Linear(10, 16),
        library.nn.BatchNorm1d(16),
        library.nn.ReLU(),
        library.nn.Linear(16, 16, bias=False),
        library.nn.BatchNorm1d(16, momentum=None),
        library.nn.GELU(),
        library.nn.Sequential(library.nn.Linear(16, 8), library.nn.SiLU(), library.nn.Linear(8, 4)),
    )


def both_networks(dtype):
    torch.manual_seed(0)
    reference = network(torch).to(getattr(torch, dtype))
    module = network(pyml).to(getattr(pyml, dtype))
    load_from_torch(module, reference)
    return module, reference


@pytest.mark.parametrize(
    ("dtype", "k"),
    [("float64", 1), ("float32", 50 * 16)],  # errors of 50 steps add up
)
def test_training_loop(dtype, k, rng):
    """50 steps with clipping, weight decay and label smoothing; then evaluation."""
    module, reference = both_networks(dtype)
    loss, tloss = (
        nn.CrossEntropyLoss(label_smoothing=0.1),
        torch.nn.CrossEntropyLoss(label_smoothing=0.1),
    )
    for step in range(50):
        tx, x = pair(rng.normal(size=(32, 10)).astype(dtype))
        tt, t = pair((array_of(x)[:, :4] + 0.1 * rng.normal(size=(32, 4))).argmax(1))
        module.zero_grad()
        reference.zero_grad()
        value, wanted = loss(module(x), t), tloss(reference(tx), tt)
        assert_parity(value, wanted, k)
        value.backward()
        wanted.backward()
        norm = nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        assert_parity(norm, torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0), k)
        with pyml.no_grad():
            for p in module.parameters():
                p.sub_(p.grad + 1e-3 * p, alpha=0.2)
        with torch.no_grad():
            for p in reference.parameters():
                p.sub_(p.grad + 1e-3 * p, alpha=0.2)
        if dtype == "float64" or step < 10:
            assert_state_parity(module, reference, k, gradients=False)
    assert value.item() < 1.2
    tx, x = pair(rng.normal(size=(100, 10)).astype(dtype))
    assert_parity(module.eval()(x), reference.eval()(tx), k)


def test_same_names():
    module, reference = both_networks("float32")
    assert list(module.state_dict()) == list(reference.state_dict())
    assert [n for n, _ in module.named_parameters()] == [n for n, _ in reference.named_parameters()]
    assert [n for n, _ in module.named_buffers()] == [n for n, _ in reference.named_buffers()]
    assert [n for n, _ in module.named_modules()] == [n for n, _ in reference.named_modules()]
    assert str(module) == str(reference)
    assert str(nn.ModuleList(module)) == str(torch.nn.ModuleList(reference))
    repeated, treference = (
        library.nn.ModuleList([library.nn.ReLU()] * 3 + [library.nn.Tanh()])
        for library in (pyml, torch)
    )
    assert str(repeated) == str(treference)


def test_torch_loads_ours():
    _, reference = both_networks("float32")
    pyml.manual_seed(3)
    other = network(pyml)
    state = {name: torch.tensor(array_of(t)) for name, t in other.state_dict().items()}
    reference.load_state_dict(state)
    assert_state_parity(other, reference, gradients=False)


def test_deepcopy_drops_gradients_as_torch_does():
    for library in (pyml, torch):
        layer = library.nn.Linear(2, 1)
        layer(library.ones(3, 2)).sum().backward()
        assert copy.deepcopy(layer).weight.grad is None


def run_hooks(library, used):
    """What the hooks of a module with two inputs and outputs see, and the gradients that result."""

    class Both(library.nn.Module):
        def forward(self, x, y):
            return x * y, x + y.exp()

    seen = []

    def values(tensors):
        return [None if t is None else np.round(array_of(t), 9).tolist() for t in tensors]

    module = Both()
    module.register_forward_pre_hook(lambda m, args: seen.append(("pre", values(args))))
    module.register_forward_hook(lambda m, args, out: seen.append(("forward", values(out))))
    module.register_full_backward_pre_hook(lambda m, dy: seen.append(("backward pre", values(dy))))
    module.register_full_backward_pre_hook(
        lambda m, dy: tuple(None if g is None else g * 2 for g in dy)
    )
    module.register_full_backward_hook(
        lambda m, dx, dy: seen.append(("backward", values(dx), values(dy)))
    )
    module.register_full_backward_hook(lambda m, dx, dy: tuple(g + 1 for g in dx))
    x = library.tensor([1.0, 2.0], dtype=library.float64, requires_grad=True)
    y = library.tensor([3.0, 4.0], dtype=library.float64, requires_grad=True)
    outputs = module(x * x, y)
    sum((outputs[i] * outputs[i]).sum() for i in used).backward()
    return seen, values([x.grad, y.grad])


@pytest.mark.parametrize("used", [(0,), (1,), (0, 1)])
def test_hooks(used):
    assert run_hooks(pyml, used) == run_hooks(torch, used)


# ---- initial values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        *[
            ("kaiming_uniform_", o)
            for o in options(
                a=[0, 5**0.5], mode=["fan_in", "fan_out"], nonlinearity=["leaky_relu", "relu"]
            )
        ],
        *[
            ("kaiming_normal_", o)
            for o in options(
                a=[0, 0.3], mode=["fan_in", "fan_out"], nonlinearity=["leaky_relu", "tanh"]
            )
        ],
        *[(f"xavier_{d}_", o) for d in ("uniform", "normal") for o in options(gain=[1.0, 2.0])],
        *[("trunc_normal_", o) for o in options(std=[1.0, 0.3, 5.0], a=[-2.0, -0.5], b=[0.7])],
    ],
)
@pytest.mark.parametrize("shape", [(400, 100), (40, 10, 10, 10)])
def test_initial_values_have_the_same_distribution(name, kwargs, shape):
    """The two-sample Kolmogorov-Smirnov distance, at a level of 1e-6."""
    pyml.manual_seed(0)
    torch.manual_seed(0)
    ours = array_of(getattr(nn.init, name)(pyml.empty(*shape), **kwargs)).ravel()
    theirs = array_of(getattr(torch.nn.init, name)(torch.empty(*shape), **kwargs)).ravel()
    assert distance(ours, theirs) < 2.7 * np.sqrt(2 / ours.size)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_lecun_is_kaiming_of_linear(kind):
    """Which torch has under that name alone."""
    pyml.manual_seed(0)
    torch.manual_seed(0)
    ours = array_of(getattr(nn.init, f"lecun_{kind}_")(pyml.empty(400, 100))).ravel()
    theirs = getattr(torch.nn.init, f"kaiming_{kind}_")(
        torch.empty(400, 100), nonlinearity="linear"
    )
    assert distance(ours, array_of(theirs).ravel()) < 2.7 * np.sqrt(2 / ours.size)


def distance(ours, theirs):
    """Of Kolmogorov and Smirnov, between two samples."""
    points = np.sort(np.concatenate([ours, theirs]))
    below = [np.searchsorted(np.sort(v), points, side="right") / v.size for v in (ours, theirs)]
    return np.abs(below[0] - below[1]).max()


def test_every_initialiser_is_here():
    """All but the names without "_" at the end, which torch itself calls deprecated."""
    theirs = {n for n in dir(torch.nn.init) if n.endswith("_") and not n.startswith("_")}
    assert theirs <= set(nn.init.__all__)


@pytest.mark.parametrize("name", nn.init.GAINS | {"leaky_relu": None})
@pytest.mark.parametrize("param", [None, 0.2])
def test_gain(name, param):
    assert nn.init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


# ---- utilities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm_type", [1, 2, 2.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 100.0])
def test_clip_grad_norm(dtype, norm_type, max_norm, rng):
    module, reference = both_networks(dtype)
    for p, tp in zip(module.parameters(), reference.parameters(), strict=True):
        tp.grad, p.grad = pair(rng.normal(size=p.shape).astype(dtype))
    got = nn.utils.clip_grad_norm_(module.parameters(), max_norm, norm_type)
    wanted = torch.nn.utils.clip_grad_norm_(reference.parameters(), max_norm, norm_type)
    assert_parity(got, wanted, 16)
    assert_state_parity(module, reference, 16)


def test_clip_grad_value(rng):
    module, reference = both_networks("float32")
    for p, tp in zip(module.parameters(), reference.parameters(), strict=True):
        tp.grad, p.grad = pair(rng.normal(size=p.shape).astype("float32"))
    nn.utils.clip_grad_value_(module.parameters(), 0.5)
    torch.nn.utils.clip_grad_value_(reference.parameters(), 0.5)
    assert_state_parity(module, reference)


def test_vectors():
    module, reference = both_networks("float32")
    ours = nn.utils.parameters_to_vector(module.parameters())
    assert_parity(ours, torch.nn.utils.parameters_to_vector(reference.parameters()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm_type", [1, 2, 2.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 100.0])
def test_total_norm(dtype, norm_type, max_norm, rng):
    module, reference = both_networks(dtype)
    for p, tp in zip(module.parameters(), reference.parameters(), strict=True):
        tp.grad, p.grad = pair(rng.normal(size=p.shape).astype(dtype))
    totals = []
    for library, network in ((pyml, module), (torch, reference)):
        grads = [p.grad for p in network.parameters()]
        totals.append(library.nn.utils.get_total_norm([*grads, grads[0]], norm_type))
        library.nn.utils.clip_grads_with_norm_(network.parameters(), max_norm, totals[-1])
    assert_parity(*totals, 16)
    assert_state_parity(module, reference, 16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("channels", [4, 1])
def test_fused_linear_and_batch_norm(dtype, bias, channels, rng):
    fused = []
    numbers = rng.uniform(0.5, 2, (4, channels)).astype(dtype)
    weight = rng.normal(size=(4, 3)).astype(dtype)
    for library in (pyml, torch):
        linear = library.nn.Linear(3, 4, bias=bias).to(getattr(library, dtype)).eval()
        bn = library.nn.BatchNorm1d(channels, eps=0.1).to(getattr(library, dtype)).eval()
        linear.weight.data = library.tensor(weight)
        if bias:
            linear.bias.data = library.tensor(weight[:, 0].copy())
        tensors = (bn.weight, bn.bias, bn.running_mean, bn.running_var)
        for tensor, values in zip(tensors, numbers, strict=True):
            tensor.data = library.tensor(values)
        fused.append(library.nn.utils.fuse_linear_bn_eval(linear, bn))
    assert_parity(fused[0].weight, fused[1].weight)
    # of one channel and without a bias torch's has one number for all rows
    assert_parity(fused[0].bias, fused[1].bias.expand(4))
    assert [p.requires_grad for p in fused[0].parameters()] == [
        p.requires_grad for p in fused[1].parameters()
    ]
