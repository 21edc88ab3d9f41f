import copy
import math

import pytest

import pyml
from pyml import nn
from pyml.train import EarlyStopping


def run_through(stopping, values):
    """Which value it stops at, or None."""
    for i, value in enumerate(values):
        stopping.model.weight.data.fill_(i)
        if stopping(value):
            return i
    return None


@pytest.mark.parametrize(
    ("options", "values", "stops", "best"),
    [
        ({"patience": 2}, [3, 2, 2.5, 2.4], 3, 1),
        ({"patience": 2}, [3, 2, 2.5, 1, 5], None, 3),
        ({"patience": 1}, [1, 1], 1, 0),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.4, 2.1, 2], 4, 2),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.5], 2, 0),
        ({"patience": 2, "mode": "max"}, [0.1, 0.5, 0.4, 0.3], 3, 1),
        ({"patience": 2}, [math.nan, 1, math.nan, math.nan], 3, 1),
        ({"patience": 3}, [math.inf, 2, -math.inf, 0, 0, 0], 5, 2),
    ],
)
def test_when_it_stops_and_what_it_keeps(options, values, stops, best):
    stopping = EarlyStopping(nn.Linear(1, 1), **options)
    assert run_through(stopping, values) == stops
    assert stopping.best == values[best] and stopping.best_count == best + 1
    stopping.restore()
    assert stopping.model.weight.item() == best


def test_tensors_are_values():
    stopping = EarlyStopping(nn.Linear(1, 1))
    stopping(pyml.tensor(2.0))
    assert stopping.best == 2.0


def test_going_on_from_a_state(tmp_path):
    values = [3, 2, 2.5, 2.4, 2.3, 2.2]
    whole = EarlyStopping(nn.Linear(1, 1), patience=4)
    assert run_through(whole, values) == 5
    half, path = EarlyStopping(nn.Linear(1, 1), patience=4), tmp_path / "half.safetensors"
    run_through(half, values[:3])
    pyml.save_checkpoint(path, best=half.state_dict())
    rest = EarlyStopping(nn.Linear(1, 1), patience=4)
    rest.load_state_dict(pyml.load_checkpoint(path).best)
    assert run_through(rest, values[3:]) == 2
    assert (rest.best, rest.best_count, rest.count) == (whole.best, whole.best_count, whole.count)
    rest.restore(), whole.restore()
    assert (rest.model.weight == whole.model.weight).all()


def test_in_a_recorded_run():
    """It ends the run, and the best weights are those of a loop by hand."""
    pyml.manual_seed(0)
    x, y = pyml.randn(40, 5), pyml.randint(2, (40,))
    held_x, held_y = pyml.randn(200, 5), pyml.randint(2, (200,))
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2))
    start = copy.deepcopy(model.state_dict())
    loss = nn.CrossEntropyLoss()
    ends = []
    for recorded in (True, False):
        model.load_state_dict(start)
        optimizer = pyml.optim.Adam(model.parameters(), lr=0.02)
        stopping = EarlyStopping(model, patience=3)

        def held_loss():
            with pyml.no_grad():
                return loss(model(held_x), held_y)

        def step(x, y, optimizer=optimizer):
            optimizer.zero_grad()
            value = loss(model(x), y)
            value.backward()
            optimizer.step()
            return value

        if recorded:
            step = pyml.record(step)
            losses = step.run(
                x,
                y,
                batch_size=40,
                epochs=500,
                shuffle=False,
                callback=lambda _, stopping=stopping: stopping(held_loss()),
            )
            made = len(losses)
        else:
            made = 0
            while True:
                step(x, y)
                made += 1
                if stopping(held_loss()):
                    break
        stopping.restore()
        assert held_loss().item() == stopping.best
        ends.append((made, stopping.best, stopping.best_count))
    assert ends[0] == ends[1] and ends[0][0] < 500


def test_a_value_whose_weights_cannot_be_copied_is_none():
    class Model(nn.Linear):
        extra = 1

        def get_extra_state(self):
            return self.extra

    model = Model(1, 1)
    stopping = EarlyStopping(model)
    stopping(2.0)
    model.extra = (each for each in "ab")  # a generator
    with pytest.raises(TypeError, match="generator"):
        stopping(1.0)
    assert (stopping.best, stopping.best_count, stopping.count) == (2.0, 1, 1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"count": 1.5}, TypeError, r"count is 1\.5"),
        ({"best_count": -1}, ValueError, "best_count is -1"),
        ({"best": "low"}, TypeError, "best is 'low'"),
        ({"best": None}, ValueError, "best None and weights of type"),
        ({"weights": None}, ValueError, r"best 2\.0 and weights of type NoneType"),
        ({"weights": [1]}, ValueError, "weights of type list"),
    ],
    ids=range(6),
)
def test_a_state_that_is_none(change, error, message):
    stopping, other = EarlyStopping(nn.Linear(1, 1)), EarlyStopping(nn.Linear(1, 1))
    stopping(2.0)
    state = stopping.state_dict()
    with pytest.raises(error, match=message):
        other.load_state_dict(state | change)
    with pytest.raises(TypeError, match="it must be a dict"):
        other.load_state_dict([state])
    assert other.state_dict() == EarlyStopping(nn.Linear(1, 1)).state_dict()


def test_errors():
    model = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="model is a int"):
        EarlyStopping(3)
    with pytest.raises(ValueError, match="patience is 0"):
        EarlyStopping(model, 0)
    with pytest.raises(TypeError, match=r"patience is 1\.5"):
        EarlyStopping(model, 1.5)
    with pytest.raises(ValueError, match="min_delta is -1"):
        EarlyStopping(model, min_delta=-1)
    with pytest.raises(ValueError, match="mode is 'best'"):
        EarlyStopping(model, mode="best")
    with pytest.raises(RuntimeError, match="there is no model; pass one"):
        EarlyStopping()(1.0)
    with pytest.raises(RuntimeError, match="no Trainer calls it"):
        EarlyStopping().on_epoch_end(1)
    with pytest.raises(TypeError, match="trainer is a int"):
        EarlyStopping().set_trainer(3)
    stopping = EarlyStopping(model)
    with pytest.raises(TypeError, match="value is None"):
        stopping(None)
    with pytest.raises(RuntimeError, match="of 0 values none is a number"):
        stopping.restore()
    with pytest.raises(ValueError, match="the state lacks best_count, count, weights"):
        stopping.load_state_dict({"best": 1.0})
    assert stopping.count == 0 and stopping.best is None


def test_ties():
    """Of equally good values the first or the last has its weights kept."""
    model = nn.Linear(1, 1)
    for ties, wanted in (("first", 1.0), ("last", 3.0)):
        stopping = EarlyStopping(model, patience=2, mode="max", ties=ties)
        for value, weight in ((0.5, 0.0), (0.7, 1.0), (0.6, 2.0), (0.7, 3.0)):
            nn.init.constant_(model.weight, weight)
            stopped = stopping(value)
        assert stopped == (ties == "first")
        stopping.restore()
        assert model.weight.item() == wanted
    with pytest.raises(ValueError, match="ties is 'both'"):
        EarlyStopping(ties="both")
    with pytest.raises(ValueError, match="with ties='last' it must be 0"):
        EarlyStopping(ties="last", min_delta=0.1)
