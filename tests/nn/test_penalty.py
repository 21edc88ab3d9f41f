"""Penalties on weights: their values, their gradients, and what they do to a training."""

import numpy as np
import pytest

import pyml
from pyml import nn
from pyml.nn.utils import (
    decay_groups,
    elastic_net_penalty,
    l1_penalty,
    l2_penalty,
    max_norm_,
    soft_threshold_,
    weights_of,
)


@pytest.fixture
def model():
    pyml.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 5),
        nn.BatchNorm1d(5),
        nn.LayerNorm((5,)),
        nn.RMSNorm(5),
        nn.PReLU(),
        nn.Linear(5, 2, bias=False),
    )


def test_weights_are_what_penalties_are_for(model):
    assert [tuple(weight.shape) for weight in weights_of(model)] == [(5, 6), (2, 5)]
    assert all(
        weight is model[i].weight for weight, i in zip(weights_of(model), (0, 5), strict=True)
    )
    assert weights_of(nn.LayerNorm((3, 4))) == []
    shared = nn.Sequential(model[0], model[0])
    assert len(weights_of(shared)) == 1


def test_a_bias_is_none_whatever_its_dimensions():
    module = nn.Module()
    module.weight, module.bias = (nn.Parameter(pyml.zeros(2, 3)) for _ in range(2))
    (weight,) = weights_of(module)
    assert weight is module.weight


def test_decay_groups_hold_every_parameter_once(model):
    groups = decay_groups(model, 0.1)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    optimizer = pyml.optim.SGD(groups, lr=0.5)
    optimizer.zero_grad()
    before = [p.detach().clone() for p in model.parameters()]
    for p in model.parameters():
        p.grad = pyml.zeros_like(p)
    optimizer.step()
    weights = {id(p) for p in weights_of(model)}
    for p, was in zip(model.parameters(), before, strict=True):
        wanted = was * (1 - 0.5 * 0.1) if id(p) in weights else was
        assert p.allclose(wanted)
    assert len(decay_groups(nn.LayerNorm(3), 0.1)) == 1


def test_values_and_gradients():
    a = pyml.tensor([[1.0, -2.0], [0.0, 0.5]], dtype=pyml.float64, requires_grad=True)
    b = pyml.tensor([-3.0], dtype=pyml.float64, requires_grad=True)
    for penalty, value, slope in [
        (lambda p: l1_penalty(p, 0.3), 0.3 * 6.5, lambda x: 0.3 * np.sign(x)),
        (lambda p: l2_penalty(p, 0.3), 0.15 * 14.25, lambda x: 0.3 * x),
        (
            lambda p: elastic_net_penalty(iter(p), 0.3, 0.2),
            0.3 * 6.5 + 0.1 * 14.25,
            lambda x: 0.3 * np.sign(x) + 0.2 * x,
        ),
    ]:
        a.grad = b.grad = None
        result = penalty([a, b])
        assert result.item() == pytest.approx(value)
        result.backward()
        assert np.allclose(a.grad.numpy(), slope(a.detach().numpy()))
        assert np.allclose(b.grad.numpy(), slope(b.detach().numpy()))


def test_l2_is_what_weight_decay_does(model):
    """One step of SGD with the penalty in the loss, and one with the option."""
    other = pyml.nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 2))
    x = pyml.randn(8, 6)
    after = []
    start = {k: v.clone() for k, v in other.state_dict().items()}
    for penalised in (True, False):
        other.load_state_dict(start)
        decay = 0.0 if penalised else 0.1
        optimizer = pyml.optim.SGD(decay_groups(other, decay), lr=0.2)
        optimizer.zero_grad()
        loss = other(x).square().mean()
        if penalised:
            loss = loss + l2_penalty(weights_of(other), 0.1)
        loss.backward()
        optimizer.step()
        after.append([p.detach().clone() for p in other.parameters()])
    assert all(p.allclose(q, atol=1e-6) for p, q in zip(*after, strict=True))


def test_soft_threshold_gives_exact_zeros_where_the_penalty_does_not():
    """A regression in which two of eight columns matter, by ISTA and by gradient descent."""
    pyml.manual_seed(1)
    x = pyml.randn(200, 8)
    y = x[:, :1] * 2 - x[:, 1:2]
    zeros = []
    for proximal in (True, False):
        layer = nn.Linear(8, 1, bias=False)
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(200):
            optimizer.zero_grad()
            loss = (layer(x) - y).square().mean() / 2
            if not proximal:
                loss = loss + l1_penalty(layer.weight, 0.1)
            loss.backward()
            optimizer.step()
            if proximal:
                soft_threshold_(layer.weight, 0.1 * 0.1)
        zeros.append((layer.weight == 0).sum().item())
        assert layer.weight[0, :2].detach().allclose(pyml.tensor([1.9, -0.9]), atol=0.05)
    assert zeros == [6, 0]


def test_soft_threshold():
    p = pyml.tensor([0.3, -0.3, 0.1, -0.05, 0.0])
    assert soft_threshold_(p, 0.1) is None
    assert p.allclose(pyml.tensor([0.2, -0.2, 0.0, 0.0, 0.0])) and (p[2:] == 0).all()


def test_max_norm(model):
    before = [weight.detach().clone() for weight in weights_of(model)]
    max_norm_(weights_of(model), 0.5)
    for weight, was in zip(weights_of(model), before, strict=True):
        norms = was.norm(dim=1, keepdim=True)
        assert weight.allclose(pyml.where(norms > 0.5, was / norms * 0.5, was), atol=1e-6)
    w = pyml.tensor([[3.0, 0.1], [4.0, 0.1]])
    max_norm_(w, 1.0, dim=1)
    assert w.allclose(pyml.tensor([[0.6, 0.1], [0.8, 0.1]]))


def test_all_in_a_recorded_step(model):
    x, y = pyml.randn(16, 6), pyml.randn(16, 2)
    start = {k: v.clone() for k, v in model.state_dict().items()}
    weights = []
    for wrap in (lambda f: f, pyml.record):
        model.load_state_dict(start)
        optimizer = pyml.optim.SGD(decay_groups(model, 1e-3), lr=0.1)

        @wrap
        def step(x, y, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (model(x) - y).square().mean()
            loss = loss + elastic_net_penalty(weights_of(model), 1e-3, 1e-3)
            loss.backward()
            optimizer.step()
            soft_threshold_(weights_of(model), 1e-4)
            max_norm_(weights_of(model), 1.0)
            return loss

        for _ in range(8):
            step(x, y)
        weights.append([p.detach().clone() for p in model.parameters()])
    assert step.stats().replays > 0
    assert all((p == q).all() for p, q in zip(*weights, strict=True))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: l1_penalty(w, -1), ValueError, "weight is -1"),
        (lambda w: l2_penalty(w, float("nan")), ValueError, "weight is nan"),
        (lambda w: elastic_net_penalty(w, 1, -2), ValueError, "l2 is -2"),
        (lambda w: soft_threshold_(w, -1), ValueError, "amount is -1"),
        (lambda w: max_norm_(w, -1), ValueError, "max_norm is -1"),
        (lambda w: max_norm_(w[0], 1), ValueError, "item 0 has 1 dimensions"),
        (lambda w: max_norm_([w, w[0]], 1), ValueError, "item 1 has 1 dimensions"),
        (lambda w: max_norm_(w, 1, dim=2), IndexError, "dim is 2"),
        (lambda w: l1_penalty([], 1), ValueError, "there is no parameter"),
        (lambda w: l1_penalty([w.long()], 1), TypeError, "must be of floats"),
        (lambda w: l1_penalty([3.0], 1), TypeError, "item 0"),
        (lambda w: l1_penalty(nn.Linear(1, 1), 1), TypeError, "parameters is a Linear"),
        (lambda w: decay_groups(nn.Linear(1, 1), -1), ValueError, "weight_decay is -1"),
    ],
    ids=range(13),
)
def test_errors_change_nothing(call, error, message):
    w = pyml.full((2, 3), 4.0)
    with pytest.raises(error, match=message):
        call(w)
    assert (w == 4).all()


@pytest.mark.parametrize("call", [weights_of, lambda each: decay_groups(each, 0.1)])
@pytest.mark.parametrize("wrong", [pyml.Generator(), None, [nn.Linear(2, 1)]])
def test_what_is_no_module_is_named(call, wrong):
    with pytest.raises(TypeError, match=r"module is a .*, it must be a Module"):
        call(wrong)
