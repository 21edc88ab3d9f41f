import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.train import LearningRates, Trainer, mlp

X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def made(**options):
    pyml.manual_seed(0)
    model = mlp(4, (16,), 2, dropout=0.1)
    optimizer = optim.SGD(
        [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[4].parameters()}],
        lr=0.01,
        momentum=0.9,
    )
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, **options)


def test_it_leaves_all_as_it_was():
    wanted, got = made(ema=0.9), made(ema=0.9)
    wanted.model[1].eval(), got.model[1].eval()
    gradient = got.model[0].weight.grad = pyml.ones(16, 4)
    found = got.lr_find(X, Y)
    assert got.model[0].weight.grad is gradient
    assert [module.training for module in got.model] == [True, False, True, True, True]
    assert [group["lr"] for group in got.optimizer.param_groups] == [0.1, 0.01]
    for trainer in (wanted, got):
        trainer.fit(X, Y, epochs=2, seed=1, progress=False)
    for a, b in zip(wanted.averaged.parameters(), got.averaged.parameters(), strict=True):
        assert (a == b).all()
    assert 1e-6 < found.suggestion < 10 and "suggestion" in repr(found)


def test_rates_are_those_of_the_steps():
    """The first losses, by a loop by hand."""
    trainer = made()
    found = trainer.lr_find([(X[:50], Y[:50])], low=1e-3, high=1e-1, steps=5)
    np.testing.assert_allclose(found.rates, [1e-3, 10**-2.5, 1e-2, 10**-1.5, 1e-1])
    hand, losses = made(), []
    for rate in found.rates:
        for group, ratio in zip(hand.optimizer.param_groups, (1, 0.1), strict=True):
            group["lr"] = rate * ratio
        hand.optimizer.zero_grad()
        value = hand.loss(hand.model(pyml.tensor(X[:50])), pyml.tensor(Y[:50]))
        value.backward()
        hand.optimizer.step()
        losses.append(value.item())
    np.testing.assert_allclose(found.losses, losses, rtol=1e-6)


def test_it_ends_where_it_diverges():
    found = made().lr_find(X, Y, high=1e6, steps=300)
    assert len(found.rates) < 300 and np.isfinite(found.losses).all()
    assert len(found.rates) == len(found.losses) == len(found.smoothed)


def test_the_suggestion_is_where_it_falls_steepest():
    rates = np.geomspace(1e-4, 1, 200)
    losses = 1 - 0.5 / (1 + (1e-2 / rates) ** 3)  # falls most at 1e-2
    found = LearningRates(rates, losses)
    assert 0.9e-2 < found.suggestion < 2e-2  # the mean comes a little later
    assert LearningRates(rates, np.linspace(1, 2, 200)).suggestion is None
    assert LearningRates([0.1], [1.0]).suggestion is None
    constant = LearningRates(rates, np.full(200, 3.0))
    np.testing.assert_allclose(constant.smoothed, 3.0)


def test_rates_that_cannot_be():
    for rates, losses, message in (
        ([0.1], [1.0, 2.0], r"rates has shape \(1,\), losses \(2,\)"),
        ([], [], "one or more"),
        ([[0.1]], [[1.0]], r"must be \(n,\)"),
        ([0.1, 0.0], [1.0, 2.0], "rates must be > 0"),
    ):
        with pytest.raises(ValueError, match=message):
            LearningRates(rates, losses)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 1}, ValueError, "steps is 1"),
        ({"steps": 2.5}, TypeError, r"steps is 2\.5"),
        ({"low": 0}, ValueError, "low is 0"),
        ({"high": 1e-9}, ValueError, "high is 1e-09"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ],
    ids=range(5),
)
def test_options_out_of_range(options, error, message):
    with pytest.raises(error, match=message):
        made().lr_find(X, Y, **options)


def test_a_loss_that_is_never_finite():
    trainer = made()
    nn.init.constant_(trainer.model[4].weight, float("inf"))
    with pytest.raises(ValueError, match="not finite at the first rate"):
        trainer.lr_find(X, Y)
    with pytest.raises(ValueError, match="X has no batches"):
        made().lr_find([])
