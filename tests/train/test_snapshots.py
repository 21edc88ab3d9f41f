import pytest

import pyml
from pyml import nn
from pyml.train import Snapshots


def test_copies_at_the_end_of_each_cycle():
    model = nn.Linear(1, 1)
    snapshots = Snapshots(model, period=3)
    for epoch in range(8):
        model.weight.data.fill_(epoch)
        snapshots()
    assert [copied.weight.item() for copied in snapshots.models] == [2, 5]
    assert not snapshots.models[0].training and model.training
    ensemble = snapshots.ensemble()
    assert len(ensemble) == 2
    assert ensemble(pyml.ones(1, 1)).item() == pytest.approx(3.5 + model.bias.item())


def test_only_the_last_are_kept():
    model = nn.Linear(1, 1)
    snapshots = Snapshots(model, period=1, keep=2)
    for epoch in range(5):
        model.weight.data.fill_(epoch)
        snapshots()
    assert [copied.weight.item() for copied in snapshots.models] == [3, 4]


def test_in_a_run_with_a_cyclic_schedule():
    """The rate is at its lowest when a copy is taken."""
    model = nn.Linear(3, 1)
    optimizer = pyml.optim.SGD(model.parameters(), lr=0.1)
    schedule = pyml.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=4)
    rates, snapshots = [], Snapshots(model, period=4)

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    def callback(progress):
        rates.append(optimizer.param_groups[0]["lr"])
        snapshots(progress)

    x = pyml.randn(32, 3)
    step.run(x, x.sum(1, True), batch_size=8, epochs=12, scheduler=schedule, callback=callback)
    assert len(snapshots.models) == 3
    assert rates[3] == rates[7] == 0.1  # the schedule has restarted for the next epoch
    weights = [copied.weight for copied in snapshots.models]
    assert not (weights[0] == weights[1]).all()


def test_an_epoch_whose_copy_fails_is_none():
    class Model(nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("no copies")

    snapshots = Snapshots(Model(1, 1), period=1)
    with pytest.raises(RuntimeError, match="no copies"):
        snapshots()
    assert snapshots.epochs == 0 and not snapshots.models


def test_errors():
    with pytest.raises(ValueError, match="period is 0"):
        Snapshots(nn.Linear(1, 1), 0)
    with pytest.raises(TypeError, match="period is None"):
        Snapshots(nn.Linear(1, 1), None)
    with pytest.raises(ValueError, match="keep is 0"):
        Snapshots(nn.Linear(1, 1), 1, keep=0)
    with pytest.raises(ValueError, match="models is empty"):
        Snapshots(nn.Linear(1, 1), 1).ensemble()
