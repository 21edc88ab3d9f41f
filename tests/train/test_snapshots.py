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


def test_going_on_from_a_state(tmp_path):
    model = nn.Linear(1, 1)
    whole, half = Snapshots(model, period=2), Snapshots(model, period=2)
    for epoch in range(4):
        model.weight.data.fill_(epoch)
        whole(), half()
    path = tmp_path / "half"
    pyml.save_checkpoint(path, extra=half.state_dict())
    rest = Snapshots(model, period=2)
    rest.load_state_dict(pyml.load_checkpoint(path).extra)
    model.weight.data.fill_(4.0)
    for snapshots in (whole, rest):
        snapshots(), snapshots()
    assert [copied.weight.item() for copied in rest.models] == [1, 3, 4]
    assert [copied.weight.item() for copied in whole.models] == [1, 3, 4]
    assert rest.epochs == whole.epochs == 6 and not rest.models[0].training


def test_a_state_that_is_none():
    snapshots = Snapshots(nn.Linear(1, 1), period=2)
    weights = nn.Linear(1, 1).state_dict()
    for state, error, message in (
        ([], ValueError, "not that of Snapshots"),
        ({"epochs": 1}, ValueError, "must have epochs and models"),
        ({"epochs": -1, "models": []}, ValueError, "epochs is -1"),
        ({"epochs": 1.5, "models": []}, TypeError, r"epochs is 1\.5"),
        ({"epochs": 1, "models": weights}, TypeError, "models is a OrderedDict, not a list"),
        ({"epochs": 1, "models": [{}]}, RuntimeError, "weight"),
    ):
        with pytest.raises(error, match=message):
            snapshots.load_state_dict(state)
        assert (snapshots.epochs, snapshots.models) == (0, [])


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
