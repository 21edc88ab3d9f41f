"""Steps that meet an index out of range: what they can change, and how it is compared."""

from types import SimpleNamespace

import numpy as np

import pyml
from pyml import nn, optim

ROWS, CLASSES = 4, 3


def world():
    """All that a step can change, in the same state each time."""
    pyml.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.2), nn.Linear(5, CLASSES)
    )
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return SimpleNamespace(
        model=model,
        other=nn.Parameter(pyml.ones(3)),
        optimizer=optimizer,
        scheduler=optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5),
        t=0,
        bad=0,
        ends=0,
        rate=1.0,
        last=0.0,
        phase="none",
        mu=pyml.zeros(3),
        ballast=pyml.zeros(5000),
        log=[],
    )


def look(w):
    """Of a world, to be compared."""
    grads = [p.grad for p in w.model.parameters()] + [w.other.grad]
    return {
        "weights": [p.detach().array.tobytes() for p in [*w.model.parameters(), w.other]],
        "buffers": [b.array.tobytes() for b in w.model.buffers()],
        "gradients": [None if g is None else g.array.tobytes() for g in grads],
        "numbers": [(type(n), repr(n)) for n in (w.t, w.bad, w.ends, w.rate, w.last, w.phase)],
        "mu": w.mu.array.tobytes(),
        "log": list(w.log),
        "rate": (w.optimizer.param_groups[0]["lr"], w.scheduler.last_epoch),
        "modes": [m.training for m in w.model.modules()],
        "random": bytes(np.asarray(pyml.get_rng_state())),
    }


def batches(calls, bad):
    """(x, y) for each call; the labels of the bad ones are out of range."""
    rng = np.random.default_rng(1)
    for call in range(1, calls + 1):
        labels = rng.integers(0, CLASSES, ROWS)
        labels[2] = CLASSES if call in bad else labels[2]
        x = pyml.from_numpy(rng.standard_normal((ROWS, 3)).astype(np.float32))
        yield x, pyml.from_numpy(labels)


def play(function, wrap, bad, calls):
    """What each call returns and leaves."""
    w = world()
    play_step = wrap(lambda x, y: function(w, x, y))
    for x, y in batches(calls, bad):
        try:
            result = play_step(x, y)
            result = None if result is None else result.detach().array.tobytes()
        except IndexError as error:
            result = str(error)
        yield {"result": result, "x": x.array.tobytes(), **look(w)}


def assert_same_plays(function, bad, calls):
    """Recorded, the step returns and leaves what it does eagerly, after each call."""
    wanted = list(play(function, lambda step: step, bad, calls))
    got = play(function, pyml.record, bad, calls)
    for call, (each, eager) in enumerate(zip(got, wanted, strict=True), 1):
        assert_same_looks(each, eager, f"call {call}: ")


def assert_same_looks(got, wanted, place=""):
    assert got.keys() == wanted.keys()
    for what in wanted:
        assert got[what] == wanted[what], f"{place}{what}"
