"""Recorded.run(): epochs in C leave the bits of the documented loop."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.nn import functional as F
from pyml.optim import lr_scheduler
from record.programs import assert_same_state, eager_run, state_of

ROWS = 28
HANG = 60  # seconds after which a child process is taken to hang


def script(wrap, *, lr=0.05, returns=lambda loss, outputs: loss, schedule=None):
    """A small classifier with all that has state: BatchNorm, dropout, Adam, perhaps a schedule."""
    pyml.manual_seed(5)
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )
    optimizer = optim.Adam(model.parameters(), lr=lr)
    scheduler = None if schedule is None else schedule(optimizer)
    x, y = pyml.randn(ROWS, 4), pyml.from_numpy(np.arange(ROWS) % 3)

    def step(x, y):
        optimizer.zero_grad()
        outputs = model(x)
        loss = F.cross_entropy(outputs, y)
        loss.backward()
        optimizer.step()
        return returns(loss, outputs)

    def step_and_schedule(x, y):
        result = step(x, y)
        scheduler.step()
        return result

    plain = step if schedule is None else step_and_schedule
    return SimpleNamespace(
        model=model, optimizer=optimizer, scheduler=scheduler, x=x, y=y, step=wrap(plain)
    )


def eagerly(function):
    return function


def state(s):
    return state_of(s.model, s.optimizer)


def both(settings, **options):
    """Two scripts after their epochs, the recorded one and the eager one, and their results."""
    wanted = script(eagerly, **options)
    loop = {"epochs": 1, "shuffle": True, "drop_last": False, **settings}
    results = eager_run(wanted.step, wanted.x, wanted.y, **loop)
    wanted_state = state(wanted)
    got = script(pyml.record, **options)
    got_results = got.step.run(got.x, got.y, **settings)
    assert_same_state(state(got), wanted_state)
    return got, got_results, results


# ---- which rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("batch_size", [2, 5, 13, 24, 28, 40])
@pytest.mark.parametrize("epochs", [1, 3])
def test_bits_of_the_documented_loop(batch_size, epochs, shuffle, drop_last):
    if drop_last and batch_size > ROWS:
        pytest.skip("no batch")
    settings = {"batch_size": batch_size, "epochs": epochs, "shuffle": shuffle}
    _, got, wanted = both({**settings, "drop_last": drop_last})
    assert got.shape == (epochs * (ROWS // batch_size + (not drop_last and ROWS % batch_size > 0)),)
    assert_same_bits(got.array, wanted.array)


def test_a_second_run_goes_on():
    wanted = script(eagerly)
    for epochs in (2, 1, 3):
        eager_run(
            wanted.step,
            wanted.x,
            wanted.y,
            batch_size=5,
            epochs=epochs,
            shuffle=True,
            drop_last=False,
        )
    wanted_state = state(wanted)
    got = script(pyml.record)
    for epochs in (2, 1, 3):
        got.step.run(got.x, got.y, batch_size=5, epochs=epochs)
    assert_same_state(state(got), wanted_state)


def test_a_generator_of_its_own():
    generators = [pyml.Generator(9), pyml.Generator(9)]
    wanted = script(eagerly)
    loop = {"batch_size": 5, "epochs": 2, "shuffle": True, "drop_last": False}
    eager_run(wanted.step, wanted.x, wanted.y, **loop, generator=generators[0])
    wanted_state = state(wanted)
    got = script(pyml.record)
    got.step.run(got.x, got.y, batch_size=5, epochs=2, generator=generators[1])
    assert_same_state(state(got), wanted_state)
    assert_same_bits(generators[0].state, generators[1].state)


def test_dropout_and_the_order_draw_from_one_generator():
    """The order of an epoch is drawn when it begins, between the dropout of two steps."""
    got, _, _ = both({"batch_size": 4, "epochs": 3})
    assert got.model[3].p > 0


def test_one_argument_and_many():
    x, y, z = pyml.randn(9, 2), pyml.randn(9), pyml.randn(9, 1, 2)
    one = pyml.record(lambda x: x.sum())
    three = pyml.record(lambda x, y, z: (x * y.reshape(-1, 1) + z[:, 0]).sum())
    settings = {"batch_size": 4, "epochs": 2, "shuffle": False, "drop_last": False}
    for step, data in ((one, (x,)), (three, (x, y, z))):
        wanted = eager_run(step.function, *data, **settings)
        assert_same_bits(step.run(*data, **settings).array, wanted.array)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool", "int32"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_rows_of_every_dtype(dtype, shuffle):
    """Integers are gathered and passed on as they are."""
    index = pyml.from_numpy((np.arange(ROWS) % 2).astype(dtype))
    step = pyml.record(lambda x, i: x.sum())
    x = pyml.randn(ROWS, 3)
    wanted = []
    for _ in range(2):
        pyml.manual_seed(3)
        wanted.append(step.run(x, index, batch_size=4, epochs=2, shuffle=shuffle))
    assert_same_bits(wanted[0].array, wanted[1].array)


def test_data_that_are_not_contiguous():
    x = pyml.randn(3, 14).T
    step = pyml.record(lambda x: x.sum(0))
    for shuffle in (True, False):
        pyml.manual_seed(0)
        got = step.run(x, batch_size=4, shuffle=shuffle, drop_last=True)
        pyml.manual_seed(0)
        settings = {"epochs": 1, "drop_last": True, "shuffle": shuffle}
        wanted = eager_run(step.function, x, batch_size=4, **settings)
        assert_same_bits(got.array, wanted.array)


def test_data_that_the_step_changes():
    """Without shuffling the rows are views of the data, as slices are."""

    def step(x):
        x.mul_(2)
        return x.sum()

    a, b = pyml.ones(10, 2), pyml.ones(10, 2)
    recorded = pyml.record(step)
    got = recorded.run(a, batch_size=4, epochs=3, shuffle=False)
    wanted = [step(rows) for _ in range(3) for rows in (b[:4], b[4:8], b[8:])]
    assert_same_bits(a.array, b.array)
    assert_same_bits(got.array, np.stack([t.array for t in wanted]))
    assert a._version > 0


# ---- what is returned ----------------------------------------------------------------------------


def test_several_results_of_each_step():
    settings = {"batch_size": 14, "epochs": 2}
    returns = {
        "pair": lambda loss, outputs: (loss, outputs.square().sum(0)),
        "dict": lambda loss, outputs: {"loss": loss, "deep": [outputs.sum()]},
    }
    _, got, wanted = both(settings, returns=returns["pair"])
    assert got[0].shape == (4,) and got[1].shape == (4, 3)
    for a, b in zip(got, wanted, strict=True):
        assert_same_bits(a.array, b.array)
    s = script(pyml.record, returns=returns["dict"])
    got = s.step.run(s.x, s.y, **settings)
    assert got["loss"].shape == got["deep"][0].shape == (4,)


def test_nothing_is_returned():
    _, got, _ = both({"batch_size": 14}, returns=lambda loss, outputs: loss)
    assert got.shape == (2,)
    s = script(pyml.record, returns=lambda loss, outputs: None)
    assert s.step.run(s.x, s.y, batch_size=14, epochs=3) is None


@pytest.mark.parametrize("batch_size", [2, 5, 28, 40])
def test_a_row_for_each_row(batch_size):
    """Inference."""
    layer = nn.Linear(4, 3)
    x = pyml.randn(ROWS, 4)

    @pyml.record
    @pyml.no_grad()
    def predict(x):
        y = layer(x)
        return y.argmax(1), F.softmax(y, 1)

    for _ in range(2):
        classes, probabilities = predict.run(x, batch_size=batch_size, shuffle=False)
        wanted = [predict.function(rows) for rows in x.split(batch_size)]
        assert_same_bits(classes.array, np.concatenate([c.array for c, _ in wanted]))
        assert_same_bits(probabilities.array, np.concatenate([p.array for _, p in wanted]))


def test_a_row_for_each_row_with_shuffle_is_refused():
    step = pyml.record(lambda x: x * 2)
    with pytest.raises(ValueError, match="shuffle=False"):
        step.run(pyml.ones(6, 2), batch_size=2)


@pytest.mark.parametrize("function", [lambda x: x.sum(0), lambda x: x @ x.T], ids=["sum", "square"])
def test_neither_rows_nor_one_shape(function):
    """(4, ...) of a batch of 4 looks like rows; the last batch shows that it is not."""
    with pytest.raises((ValueError, RuntimeError), match="run"):
        pyml.record(function).run(pyml.randn(10, 4), batch_size=4, shuffle=False)


# ---- schedulers ----------------------------------------------------------------------------------

SCHEDULES = {
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 3, gamma=0.5),
    "LinearLR": lambda optimizer: lr_scheduler.LinearLR(optimizer, total_iters=9),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_scheduler_in_the_step(name):
    got, losses, wanted = both({"batch_size": 4, "epochs": 3}, schedule=SCHEDULES[name])
    assert_same_bits(losses.array, wanted.array)
    assert got.scheduler.last_epoch == 21


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_scheduler_after_each_epoch(name):
    wanted, got = script(eagerly), script(pyml.record)
    schedulers = [SCHEDULES[name](s.optimizer) for s in (wanted, got)]
    pyml.manual_seed(1)
    loop = {"batch_size": 5, "epochs": 4, "shuffle": True, "drop_last": False}
    eager_run(wanted.step, wanted.x, wanted.y, **loop, scheduler=schedulers[0])
    wanted_state = state(wanted)
    pyml.manual_seed(1)
    got.step.run(got.x, got.y, batch_size=5, epochs=4, scheduler=schedulers[1])
    assert_same_state(state(got), wanted_state)
    assert schedulers[0].state_dict() == schedulers[1].state_dict()


def test_a_scheduler_in_the_step_that_ends_early():
    """The schedulers stand where the steps do, not where the slice in C would have ended."""
    s = script(pyml.record, schedule=SCHEDULES["StepLR"])

    def stop(progress):
        return progress.step == 10

    s.step.run(s.x, s.y, batch_size=4, epochs=20, callback=stop, every_steps=5)
    assert s.scheduler.last_epoch == 10
    assert s.optimizer.param_groups[0]["lr"] == 0.05 * 0.5**3


# ---- callbacks -----------------------------------------------------------------------------------


def test_a_callback_after_each_epoch():
    s, seen = script(pyml.record), []
    losses = s.step.run(
        s.x,
        s.y,
        batch_size=5,
        epochs=3,
        callback=lambda p: seen.append((p.epoch, p.batch, p.step, p.epochs, p.batches, p.steps)),
    )
    assert seen == [(1, 0, 6, 3, 6, 18), (2, 0, 12, 3, 6, 18), (3, 0, 18, 3, 6, 18)]
    assert losses.shape == (18,)


@pytest.mark.parametrize("every", [1, 2, 4, 7, 100])
def test_a_callback_after_some_steps(every):
    s, seen, lengths = script(pyml.record), [], []

    def note(progress):
        seen.append(progress.step)
        lengths.append(len(progress.losses))

    losses = s.step.run(s.x, s.y, batch_size=5, epochs=3, callback=note, every_steps=every)
    assert seen == list(range(every, 19, every)) == lengths
    assert losses.shape == (18,)


def test_the_losses_so_far():
    s, seen = script(pyml.record), []
    settings = {"batch_size": 5, "epochs": 2, "every_steps": 3}
    losses = s.step.run(s.x, s.y, **settings, callback=lambda p: seen.append(p.losses.array.copy()))
    for part in seen:
        assert_same_bits(part, losses.array[: len(part)])


def test_a_callback_after_some_seconds():
    s, seen = script(pyml.record), []

    def note(progress):
        seen.append(time.monotonic())
        return len(seen) == 4

    start = time.monotonic()
    s.step.run(s.x, s.y, batch_size=5, epochs=10**6, callback=note, every_seconds=0.05)
    assert len(seen) == 4
    assert seen[-1] - start > 0.15


@pytest.mark.parametrize("when", [{"every_seconds": 1e9}, {"every_steps": 3}])
def test_a_callback_after_each_epoch_too(when):
    s, seen = script(pyml.record), []
    batches = -(-len(s.x) // 5)

    def note(progress):
        seen.append((progress.epoch, progress.batch))

    s.step.run(s.x, s.y, batch_size=5, epochs=4, callback=note, every_epoch=True, **when)
    every = when.get("every_steps", 4 * batches)
    steps = {step for step in range(1, 4 * batches + 1) if step % every == 0 or step % batches == 0}
    wanted = [divmod(step, batches) for step in sorted(steps)]
    assert seen == (wanted if "every_steps" in when else [(epoch, 0) for epoch in range(1, 5)])


def test_a_callback_does_not_change_a_bit():
    wanted, got = script(eagerly), script(pyml.record)
    loop = {"batch_size": 5, "epochs": 3, "shuffle": True, "drop_last": False}
    pyml.manual_seed(1)
    eager_run(wanted.step, wanted.x, wanted.y, **loop)
    wanted_state = state(wanted)
    pyml.manual_seed(1)
    got.step.run(got.x, got.y, batch_size=5, epochs=3, callback=lambda p: None, every_steps=2)
    assert_same_state(state(got), wanted_state)


@pytest.mark.parametrize("every", [None, 4])
def test_true_ends_the_run(every):
    s = script(pyml.record)
    last = {None: 6, 4: 8}[every]
    losses = s.step.run(
        s.x, s.y, batch_size=5, epochs=9, callback=lambda p: p.step == last, every_steps=every
    )
    assert losses.shape == (last,)
    assert s.step.progress.step == last
    assert s.optimizer.state[s.model[0].weight]["step"].item() == last


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        (True, 6),
        (np.True_, 6),
        (pyml.tensor(2.0) > 1, 6),
        (False, 12),
        (1, 12),
        (pyml.ones(3), 12),
        ("go on", 12),
    ],
)
def test_what_ends_the_run(answer, steps):
    s = script(pyml.record)
    done = s.step.run(s.x, s.y, batch_size=5, epochs=2, callback=lambda p: answer)
    assert done.shape == (steps,)


@pytest.mark.parametrize("every", [None, 4])
def test_an_exception_ends_the_run_and_all_can_go_on(every):
    s = script(pyml.record)

    def fail(progress):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        s.step.run(s.x, s.y, batch_size=5, epochs=9, callback=fail, every_steps=every)
    done = {None: 6, 4: 4}[every]
    assert s.step.progress.step == done
    assert s.optimizer.state[s.model[0].weight]["step"].item() == done
    assert s.step.run(s.x, s.y, batch_size=5, epochs=1).shape == (6,)
    assert np.isfinite(s.step(s.x[:5], s.y[:5]).item())


def with_changes_between_epochs(s, run_epoch):
    """Epochs of one script between which all sorts of things happen."""
    run_epoch()
    s.optimizer.param_groups[0]["lr"] = 0.01
    run_epoch()
    s.model.eval()
    s.model(s.x)
    s.model.train()
    run_epoch()
    s.model[3].p = 0.5
    run_epoch()
    s.model.eval()
    run_epoch()


def test_a_callback_that_changes_things():
    """The rate, the mode and back, dropout: the next step knows."""
    wanted = script(eagerly)
    loop = {"batch_size": 5, "epochs": 1, "shuffle": True, "drop_last": False}
    with_changes_between_epochs(wanted, lambda: eager_run(wanted.step, wanted.x, wanted.y, **loop))
    wanted_state = state(wanted)
    got = script(pyml.record)

    def callback(progress):
        if progress.epoch == 1:
            got.optimizer.param_groups[0]["lr"] = 0.01
        if progress.epoch == 2:
            got.model.eval()
            got.model(got.x)
            got.model.train()
        if progress.epoch == 3:
            got.model[3].p = 0.5
        if progress.epoch == 4:
            got.model.eval()

    got.step.run(got.x, got.y, batch_size=5, epochs=5, callback=callback)
    assert_same_state(state(got), wanted_state)


def test_a_callback_that_calls_and_runs_the_step():
    """It is between two steps, so the step is free."""
    s = script(pyml.record)
    inner = []

    def callback(progress):
        s.step(s.x[:5], s.y[:5])
        inner.append(s.step.run(s.x, s.y, batch_size=14))

    losses = s.step.run(s.x, s.y, batch_size=5, epochs=2, callback=callback)
    assert losses.shape == (12,) and np.isfinite(losses.array).all()
    assert [len(t) for t in inner] == [2, 2]
    assert s.optimizer.state[s.model[0].weight]["step"].item() == 12 + 2 + 4


def test_a_callback_that_clears_the_recordings():
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=5, epochs=3, callback=lambda p: s.step.clear(), every_steps=2)
    wanted = script(eagerly)
    loop = {"batch_size": 5, "epochs": 3, "shuffle": True, "drop_last": False}
    eager_run(wanted.step, wanted.x, wanted.y, **loop)
    for p, q in zip(s.model.parameters(), wanted.model.parameters(), strict=True):
        assert_same_bits(p.array, q.array)


def test_a_progress_bar(capsys):
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=5, epochs=3, progress=True)
    assert "18/18" in capsys.readouterr().err


# ---- numbers that are not finite -----------------------------------------------------------------


@pytest.mark.parametrize("bad_row", [0, 11, 26])
def test_nan_stops_before_the_weights_change(bad_row):
    """In a replay; the first call of a shape has changed them when its result is seen."""
    s = script(pyml.record)
    s.model[3].p = 0.0
    for rows in (5, 3):
        s.step(s.x[:rows], s.y[:rows])
    s.x.array[bad_row] = np.nan
    batch = bad_row // 5
    seen = []
    with pytest.raises(FloatingPointError, match=rf"step {batch} \(epoch 0, batch {batch}"):
        s.step.run(
            s.x,
            s.y,
            batch_size=5,
            shuffle=False,
            callback=lambda p: seen.append([q.array.copy() for q in s.model.parameters()]),
            every_steps=1,
        )
    assert len(seen) == batch
    if batch > 0:
        for p, array in zip(s.model.parameters(), seen[-1], strict=True):
            assert_same_bits(p.array, array)
    assert s.step.progress.step == batch


def test_infinity_stops_too_and_nan_is_passed_on_if_asked_for():
    s = script(pyml.record)
    s.step(s.x[:14], s.y[:14])
    s.x.array[20] = np.inf
    with pytest.raises(FloatingPointError, match="step 1"):
        s.step.run(s.x, s.y, batch_size=14, shuffle=False)
    losses = s.step.run(s.x, s.y, batch_size=14, epochs=2, shuffle=False, stop_on_nan=False)
    assert np.isnan(losses.array[1:]).all()


def test_after_a_stop_the_step_works():
    s = script(pyml.record)
    s.step(s.x[:5], s.y[:5])
    kept = s.x.array[7].copy()
    s.x.array[7] = np.nan
    with pytest.raises(FloatingPointError):
        s.step.run(s.x, s.y, batch_size=5, shuffle=False)
    s.x.array[7] = kept
    assert np.isfinite(s.step(s.x[:5], s.y[:5]).item())


# ---- resume --------------------------------------------------------------------------------------


def interrupted(stop_at, **options):
    """A script whose run was stopped at a step, and went on in a twin of it from saved state."""
    first = script(pyml.record, **options)
    settings = {"batch_size": 5, "epochs": 3}
    losses = [
        first.step.run(
            first.x, first.y, **settings, callback=lambda p: p.step == stop_at, every_steps=1
        )
    ]
    saved = json.loads(json.dumps(first.step.progress.state_dict()))
    generator = pyml.get_rng_state()
    second = script(pyml.record, **options)
    second.model.load_state_dict({k: v.clone() for k, v in first.model.state_dict().items()})
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    if first.scheduler is not None:
        second.scheduler.load_state_dict(first.scheduler.state_dict())
    pyml.set_rng_state(generator)
    losses.append(second.step.run(second.x, second.y, **settings, resume=saved))
    return second, losses


@pytest.mark.parametrize("schedule", [None, SCHEDULES["StepLR"]], ids=["", "schedule"])
@pytest.mark.parametrize("stop_at", range(1, 18))
def test_resume_at_any_step(stop_at, schedule):
    whole = script(pyml.record, schedule=schedule)
    losses = whole.step.run(whole.x, whole.y, batch_size=5, epochs=3)
    wanted = state(whole)
    got, parts = interrupted(stop_at, schedule=schedule)
    assert_same_state(state(got), wanted)
    assert_same_bits(np.concatenate([part.array for part in parts]), losses.array)


def test_resume_at_the_end_does_nothing():
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=5)
    before = state(s)
    assert s.step.run(s.x, s.y, batch_size=5, resume=s.step.progress) is None
    assert_same_state(state(s), before)


def test_resume_takes_a_progress_and_the_losses_are_of_this_run():
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=5, epochs=3, callback=lambda p: p.step == 8, every_steps=1)
    assert s.step.run(s.x, s.y, batch_size=5, epochs=3, resume=s.step.progress).shape == (10,)


def test_resume_with_more_epochs():
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=5, epochs=2)
    saved = s.step.progress.state_dict()
    losses = s.step.run(s.x, s.y, batch_size=5, epochs=3, resume=saved)
    whole = script(pyml.record)
    wanted = whole.step.run(whole.x, whole.y, batch_size=5, epochs=3)
    assert_same_bits(losses.array, wanted.array[12:])


def test_resume_of_another_run_is_refused():
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=5)
    saved = s.step.progress.state_dict()
    with pytest.raises(ValueError, match="batch_size 5, here it is 4"):
        s.step.run(s.x, s.y, batch_size=4, resume=saved)
    with pytest.raises(ValueError, match="rows of data 28"):
        s.step.run(s.x[:20], s.y[:20], batch_size=5, resume=saved)
    with pytest.raises(ValueError, match="shuffle"):
        s.step.run(s.x, s.y, batch_size=5, shuffle=False, resume=saved)
    for name, values in {
        "batch": [77, 6, -1, None, "x", 1.5, True],
        "epoch": [-1, None, "x", 1.5, True],
        "order_state": [-1, 1, "xy", [1], [1, -1], [1, 2**64], [0.5, 1]],
    }.items():
        for value in values:
            with pytest.raises(ValueError, match=rf"run: resume .*{name} .*; pass the Progress"):
                s.step.run(s.x, s.y, batch_size=5, resume={**saved, name: value})
            assert s.step.progress.step == 6
    del saved["batch"]
    with pytest.raises(ValueError, match="batch None"):
        s.step.run(s.x, s.y, batch_size=5, resume=saved)


# ---- what is passed ------------------------------------------------------------------------------

BAD = {
    "no data": (lambda x, y: (), {}, ValueError, "no data"),
    "an array": (lambda x, y: (x, y.numpy()), {}, TypeError, r"data\[1\] is a ndarray"),
    "a number": (lambda x, y: (x, pyml.tensor(1.0)), {}, ValueError, r"data\[1\] is a single"),
    "fewer rows": (lambda x, y: (x, y[1:]), {}, ValueError, "27 rows.*28"),
    "needs grad": (lambda x, y: (x.requires_grad_(), y), {}, ValueError, "detach"),
    "batch_size 0": (None, {"batch_size": 0}, ValueError, "batch_size is 0"),
    "batch_size 2.5": (None, {"batch_size": 2.5}, ValueError, "batch_size is 2.5"),
    "batch_size True": (None, {"batch_size": True}, ValueError, "batch_size is True"),
    "epochs -1": (None, {"epochs": -1}, ValueError, "epochs is -1"),
    "epochs 1.5": (None, {"epochs": 1.5}, ValueError, "epochs is 1.5"),
    "epochs 2**70": (None, {"epochs": 2**70}, ValueError, "epochs is 1180591620717411303424, "),
    "epochs 2**62": (None, {"epochs": 2**62}, ValueError, "epochs is .*of 28 rows.* callback"),
    "batch_size 2**70": (None, {"batch_size": 2**70}, ValueError, "batch_size is .*at most"),
    "no batch": (None, {"batch_size": 29, "drop_last": True}, ValueError, "no batch of 29"),
    "no rows": (lambda x, y: (x[:0], y[:0]), {}, ValueError, "0 rows"),
    "every_steps 0": (None, {"every_steps": 0, "callback": len}, ValueError, "every_steps is 0"),
    "every_seconds 0": (None, {"every_seconds": 0, "callback": len}, ValueError, "every_seconds"),
    "two times": (
        None,
        {"every_seconds": 1, "every_steps": 1, "callback": len},
        ValueError,
        "one of them",
    ),
    "no callback": (None, {"every_steps": 1}, ValueError, "callback"),
    "no callback of epochs": (None, {"every_epoch": True}, ValueError, "callback"),
    "a generator": (None, {"generator": 3}, TypeError, "generator"),
    "a scheduler": (None, {"scheduler": 3}, TypeError, "scheduler"),
    "a callback": (None, {"callback": 3}, TypeError, "callback"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_change_nothing(name):
    data, settings, error, match = BAD[name]
    s = script(pyml.record)
    before = state(s)
    passed = (s.x, s.y) if data is None else data(s.x, s.y)
    with pytest.raises(error, match=match):
        s.step.run(*passed, **{"batch_size": 5, **settings})
    assert_same_state(state(s), before)


def test_no_epochs():
    s = script(pyml.record)
    before = state(s)
    s.step.run(s.x, s.y, batch_size=5, epochs=0)
    assert_same_state(state(s), before)


def test_the_step_takes_another_number_of_arguments():
    with pytest.raises(TypeError):
        pyml.record(lambda x: x.sum()).run(pyml.ones(4), pyml.ones(4), batch_size=2)


def test_an_exception_in_the_step():
    def step(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        pyml.record(step).run(pyml.ones(4), batch_size=2)


# ---- Ctrl-C --------------------------------------------------------------------------------------

INTERRUPTED = """
import sys, time
import pyml
from pyml import nn
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
optimizer = pyml.optim.Adam(model.parameters())
x, y = pyml.randn(4000, 20), pyml.randn(4000, 3)
@pyml.record
def step(x, y):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss
step.run(x, y, batch_size=32)
print("runs", flush=True)
try:
    step.run(x, y, batch_size=32, epochs=10**7)
except KeyboardInterrupt:
    stopped = time.time()
    done = step.progress.step
    assert optimizer.state[model[0].weight]["step"].item() == 125 + done > 125
    assert all(p.isfinite().all() for p in model.parameters())
    step.run(x, y, batch_size=32)
    print(stopped, flush=True)
    raise
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_a_run_soon(interruptible):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline() == "runs\n", child.stderr.read()
        time.sleep(0.3)
        sent = time.time()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=HANG)
    finally:
        child.kill()
    assert child.returncode == -signal.SIGINT, err
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert float(out) - sent < 1


def test_a_scheduler_in_the_step_does_not_make_the_callback_wait():
    """Rates are computed ahead, for steps whose time is not known yet."""
    model = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Linear(256, 256), nn.Linear(256, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    scheduler = lr_scheduler.StepLR(optimizer, 10)

    @pyml.record
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    calls = []
    step.run(pyml.randn(16 * 4000, 8), batch_size=16, callback=calls.append, every_seconds=0.02)
    assert len(calls) >= 3


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_step_whose_batch_comes_to_require_grad(shuffle):
    """What it writes into its batch has a gradient: the batch of each step takes it anew."""
    weight = pyml.ones(3, requires_grad=True)

    def step(x):
        x[x < 0] = weight.sum()
        return x.sum()

    data = pyml.tensor([[-1.0, 2, 3], [4, -5, 6], [7, 8, 9], [-1, -2, -3]] * 3)
    wanted, copy = [], data.clone()
    pyml.manual_seed(0)
    for _ in range(2):
        rows = pyml.randperm(12).split(1) if shuffle else [[i] for i in range(12)]
        wanted += [
            step(copy[i].detach() if shuffle else copy[i[0] : i[0] + 1]).item() for i in rows
        ]
        copy = copy.detach()
    pyml.manual_seed(0)
    got = pyml.record(step).run(data.clone(), batch_size=1, epochs=2, shuffle=shuffle)
    assert got.tolist() == wanted
