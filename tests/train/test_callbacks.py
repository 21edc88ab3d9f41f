"""What is called when, what it writes, and how a training goes on from a checkpoint."""

import csv
import sys
import time

import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.train import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LearningCurvePlot,
    ProgressBar,
    ReduceOnPlateau,
    Snapshots,
    TensorBoard,
    TimeLimit,
    Trainer,
    mlp,
)

QUIET = {"progress": False}
X = np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


def made(callbacks=(), **options):
    pyml.manual_seed(0)
    model = mlp(4, (8,), 2, dropout=0.2)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks=callbacks, **options)


class Note(Callback):
    """Notes each call."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch {epoch}")

    def on_batch_end(self, batch, logs=None):
        self.calls.append(f"batch {batch} {logs['loss'] > 0}")

    def on_epoch_end(self, epoch, logs=None):
        assert logs is self.trainer.history[-1] and logs.epoch == epoch
        self.calls.append(f"end of {epoch}")

    def on_train_end(self, logs=None):
        self.calls.append("end")


STREAM = [(X[:32], Y[:32]), (X[32:], Y[32:])]


@pytest.mark.parametrize("data", [(X, Y), (STREAM,)], ids=["rows", "stream"])
def test_the_order_of_calls(data):
    note = Note()
    size = {"batch_size": 40} if len(data) == 2 else {}
    made([note]).fit(*data, epochs=2, **size, **QUIET)
    assert note.calls == [
        *("begin", "epoch 1", "batch 0 True", "batch 1 True", "end of 1"),
        *("epoch 2", "batch 0 True", "batch 1 True", "end of 2", "end"),
    ]


def test_a_callback_of_batches_changes_no_bit():
    wanted, got = made(), made([Note()])
    wanted.fit(X, Y, epochs=5, seed=1, **QUIET)
    got.fit(X, Y, epochs=5, seed=1)
    for a, b in zip(wanted.model.parameters(), got.model.parameters(), strict=True):
        assert (a == b).all()
    assert [epoch.train_loss for epoch in wanted.history] == [e.train_loss for e in got.history]


def test_functions_and_other_objects_are_callbacks():
    epochs, begun = [], []

    class Other:
        def on_train_begin(self, logs=None):
            begun.append(logs)

    made([epochs.append, Other()]).fit(X, Y, epochs=2, **QUIET)
    assert [epoch.epoch for epoch in epochs] == [1, 2] and begun == [None]


def test_what_a_callback_adds_is_a_column():
    class Norm(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["norm"] = self.model[0].weight.norm().item()

    history = made([Norm()]).fit(X, Y, epochs=2, **QUIET)
    assert history.columns[-1] == "norm" and (history.column("norm") > 0).all()


# ---- EarlyStopping -------------------------------------------------------------------------------


def test_early_stopping_restores_the_best():
    stopping = EarlyStopping(patience=3)
    trainer = made([stopping])
    trainer.optimizer.param_groups[0]["lr"] = 0.3
    history = trainer.fit(X[:20], Y[:20], epochs=500, validation=(X[20:], Y[20:]), **QUIET)
    losses = history.column("validation_loss")
    assert len(history) == losses.argmin() + 1 + 3 < 500
    assert trainer.evaluate(X[20:], Y[20:])["loss"] == losses.min() == stopping.best
    assert f"best was {losses.min():.6g}, in epoch {losses.argmin() + 1}" in history.stopped


def test_early_stopping_restores_the_best_when_epochs_are_over_and_begins_anew():
    stopping = EarlyStopping(patience=100, monitor="train_loss", mode="max")  # the first
    trainer = made([stopping])
    seen = []
    trainer.callbacks.append(lambda _: seen.append(trainer.model[0].weight.detach().numpy().copy()))
    for _ in range(2):
        seen.clear()
        trainer.fit(X, Y, epochs=4, **QUIET)
        worst = trainer.history.column("train_loss").argmax()
        np.testing.assert_array_equal(trainer.model[0].weight.detach().numpy(), seen[worst])
        assert stopping.count == 4


def test_early_stopping_of_an_averaged_model():
    stopping = EarlyStopping(patience=2)
    trainer = made([stopping], ema=0.5)
    trainer.optimizer.param_groups[0]["lr"] = 0.3
    history = trainer.fit(X[:20], Y[:20], epochs=100, validation=(X[20:], Y[20:]), **QUIET)
    assert trainer.evaluate(X[20:], Y[20:])["loss"] == history.column("validation_loss").min()


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EarlyStopping(), "EarlyStopping: monitor is 'validation_loss'; pass validation= to fit"),
        (ReduceOnPlateau("accuracy"), "ReduceOnPlateau: monitor is 'accuracy'; monitor one of tr"),
        (EarlyStopping(monitor="train_share"), "whether larger values of share are better"),
    ],
    ids=range(3),
)
def test_a_monitor_that_will_not_be(callback, message):
    def share(prediction, target):
        return 0.5

    trainer = made([callback], metrics=[share])
    before = trainer.model[0].weight.clone()
    with pytest.raises(ValueError, match=message):
        trainer.fit(X, Y, epochs=2, **QUIET)
    assert (trainer.model[0].weight == before).all()


# ---- rates ---------------------------------------------------------------------------------------


def test_reduce_on_plateau():
    trainer = made([ReduceOnPlateau("train_loss", mode="max", factor=0.5, patience=1)])
    history = trainer.fit(X, Y, epochs=6, **QUIET)
    assert history.column("learning_rate")[0] == 0.01
    assert history.column("learning_rate")[-1] < 0.01
    with pytest.raises(ValueError, match="mode is 'up'"):
        ReduceOnPlateau(mode="up")
    with pytest.raises(ValueError, match="factor is 2"):
        made([ReduceOnPlateau("train_loss", factor=2)]).fit(X, Y, epochs=1, **QUIET)


def test_schedules_move_once_an_epoch_or_a_step():
    def rates(schedule, **options):
        trainer = made()
        scheduler = schedule(trainer.optimizer)
        trainer = Trainer(*(trainer.model, trainer.loss, trainer.optimizer, scheduler), **options)
        trainer.fit(X, Y, epochs=3, batch_size=32, **QUIET)
        return trainer.history.column("learning_rate")

    def halved(optimizer):
        return optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    np.testing.assert_allclose(rates(halved), [0.01, 0.005, 0.0025])
    np.testing.assert_allclose(rates(halved, scheduler_every="step"), 0.01 * 0.125 ** np.arange(3))
    np.testing.assert_allclose(
        rates(lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, "max", patience=0, factor=0.1)),
        [0.01, 0.01, 0.001],
    )


@pytest.mark.parametrize("validation", [None, 0.3])
def test_a_schedule_of_plateaus_gets_the_loss(validation):
    class Noting(optim.lr_scheduler.ReduceLROnPlateau):
        def step(self, metrics=None, epoch=None):
            seen.append(metrics)
            super().step(metrics)

    trainer, seen = made(), []
    trainer.scheduler = Noting(trainer.optimizer)
    trainer.fit(X, Y, epochs=3, validation=validation, **QUIET)
    name = "train_loss" if validation is None else "validation_loss"
    assert seen == trainer.history.column(name).tolist()


def test_time_limit():
    limit = TimeLimit(0.2)
    history = made([limit]).fit(X, Y, epochs=10**9, **QUIET)
    assert history.stopped == "0.2 seconds are over" and 0.2 <= limit.spent < 2
    with pytest.raises(ValueError, match="seconds is 0"):
        TimeLimit(0)


# ---- files ---------------------------------------------------------------------------------------


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    history = made([CSVLogger(path)]).fit(X, Y, epochs=3, validation=0.2, **QUIET)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [*rows[0]] == history.columns
    for name in history.columns:
        np.testing.assert_allclose([float(row[name]) for row in rows], history.column(name))
    with pytest.raises(FileNotFoundError):
        made([CSVLogger(tmp_path / "absent" / "log.csv")]).fit(X, Y, epochs=1, **QUIET)


def test_tensorboard(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder):
            assert folder == tmp_path

        def add_scalar(self, tag, value, step):
            written.append((tag, value, step))

        def flush(self):
            pass

        def close(self):
            written.append("closed")

    monkeypatch.setattr("pyml.utils.tensorboard.SummaryWriter", Writer)
    history = made([TensorBoard(tmp_path)]).fit(X, Y, epochs=2, validation=0.2, **QUIET)
    assert ("loss/train", history[0].train_loss, 1) in written
    assert ("loss/validation", history[1].validation_loss, 2) in written
    assert ("learning_rate", 0.01, 2) in written and written[-1] == "closed"
    assert len(written) == 2 * 4 + 1


def test_learning_curve_plot(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "pyml.plot.learning_curves", lambda history, path: drawn.append((len(history), path))
    )
    made([LearningCurvePlot("c.png", every=2)]).fit(X, Y, epochs=5, **QUIET)
    assert drawn == [(2, "c.png"), (4, "c.png"), (5, "c.png")]


class Screen:
    """A stderr that is a terminal, or is not."""

    def __init__(self, tty):
        self.text, self.tty = "", tty
        self.encoding = "utf-8"

    def isatty(self):
        return self.tty

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("data", [(X, Y), (STREAM,), (lambda: iter(STREAM),)], ids=range(3))
@pytest.mark.parametrize("tty", [False, True])
def test_the_bar_is_for_terminals(monkeypatch, data, tty):
    screen = Screen(tty)
    monkeypatch.setattr(sys, "stderr", screen)
    made().fit(*data, epochs=3)
    assert bool(screen.text) is tty
    if tty:
        assert "epoch 3/3" in screen.text and "train_loss=" in screen.text
        last = screen.text.rpartition("\r")[2]
        total = 9 if len(data) == 2 else 6
        assert (f"{total}/{total}" if data[0] is X or data[0] is STREAM else "6 steps") in last
    screen.text = ""
    made([ProgressBar(leave=False)]).fit(*data, epochs=3, progress=False)
    assert bool(screen.text) is tty


# ---- going on ------------------------------------------------------------------------------------


def resumable(path, epochs_seen, **options):
    callbacks = [
        EarlyStopping(patience=50),
        ReduceOnPlateau(factor=0.9, patience=0),
        Checkpoint(path),
        CSVLogger(path.with_suffix(".csv")),
        lambda epoch: epochs_seen.append(epoch.epoch),
    ]
    trainer = made(callbacks, ema=0.9, **options)
    trainer.callbacks.append(Snapshots(trainer.model, period=2))
    trainer.scheduler = optim.lr_scheduler.CosineAnnealingLR(trainer.optimizer, 10)
    return trainer


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_training_goes_on_with_the_same_bits(tmp_path, at, streamed):
    data = pyml.data.TensorDataset(pyml.tensor(X), pyml.tensor(Y))
    loader = pyml.data.DataLoader(data, 16, shuffle=True)
    train = (loader,) if streamed else (X[:50], Y[:50])
    options = {"validation": (X[50:], Y[50:]), **QUIET} | ({} if streamed else {"batch_size": 16})
    whole = resumable(tmp_path / "whole", [])
    whole.fit(*train, epochs=7, seed=5, **options)

    path, seen = tmp_path / "half", []
    half = resumable(path, [])
    half.fit(*train, epochs=at, seed=5, **options)
    pyml.manual_seed(99)
    rest = resumable(path, seen)
    rest.fit(*train, epochs=7, resume=path, **options)
    assert seen == [*range(at + 1, 8)]
    for name in ("model", "averaged", "optimizer", "scheduler"):
        a, b = getattr(rest, name).state_dict(), getattr(whole, name).state_dict()
        assert_same(a, b)
    for a, b in zip(rest.callbacks, whole.callbacks, strict=True):
        if isinstance(a, (EarlyStopping, Snapshots)):
            assert_same(a.state_dict(), b.state_dict())
    for name in whole.history.columns:
        if name != "seconds":
            np.testing.assert_array_equal(rest.history.column(name), whole.history.column(name))
    lines = path.with_suffix(".csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", *"1234567"]
    assert rest.steps == whole.steps


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(a, b)


def test_checkpoints_that_do_not_fit(tmp_path):
    path = tmp_path / "c"
    made([Checkpoint(path)]).fit(X, Y, epochs=2, **QUIET)
    for options, message in (
        ({"batch_size": 16}, "resume is of a training with batch_size 32, here it is 16"),
        ({"shuffle": False}, "resume is of a training with shuffle True"),
        ({"validation": 0.5}, "with rows 70, here it is 35"),
    ):
        trainer = made()
        before = trainer.model[0].weight.clone()
        with pytest.raises(ValueError, match=message):
            trainer.fit(X, Y, epochs=3, resume=path, **options, **QUIET)
        assert (trainer.model[0].weight == before).all() and trainer.history == []
    with pytest.raises(ValueError, match="callback 0: TimeLimit"):
        made([TimeLimit(5)]).fit(X, Y, epochs=3, resume=path, **QUIET)
    pyml.save_checkpoint(tmp_path / "other", progress={"epoch": 1})
    with pytest.raises(ValueError, match="other was not written by a Trainer"):
        made().fit(X, Y, epochs=3, resume=tmp_path / "other", **QUIET)
    trainer = made()
    assert len(trainer.fit(X, Y, epochs=2, resume=path, **QUIET)) == 2
    trainer.load_checkpoint(path)
    assert len(trainer.history) == 2


def test_states_that_are_none():
    for callback in (TimeLimit(1), ReduceOnPlateau()):
        for state in (3, {}, {"other": 1}):
            with pytest.raises(ValueError, match=f"{type(callback).__name__}: the state must be a"):
                callback.load_state_dict(state)
    with pytest.raises(TypeError, match="spent is 'x'"):
        TimeLimit(1).load_state_dict({"spent": "x"})


def test_a_limit_counts_the_training_before(tmp_path):
    first, second = TimeLimit(600), TimeLimit(600)

    class Ages(Callback):
        def on_epoch_end(self, epoch, logs=None):
            first.load_state_dict({"spent": 100})

    made([first, Ages(), Checkpoint(tmp_path / "c")]).fit(X, Y, epochs=2, **QUIET)
    assert first.spent > 100
    trainer = made([second])
    trainer.fit(X, Y, epochs=2, resume=tmp_path / "c", **QUIET)
    assert second.spent > 100
    trainer.fit(X, Y, epochs=0, **QUIET)
    assert second.spent < 100


def test_an_epoch_that_is_stopped_has_no_checkpoint(tmp_path):
    class Enough(Callback):
        def on_batch_end(self, batch, logs=None):
            if self.trainer.steps == 4:
                self.trainer.stop("enough")

    path = tmp_path / "c"
    made([Enough(), Checkpoint(path)]).fit(X, Y, epochs=9, seed=3, **QUIET)
    whole, rest = made(), made()
    whole.fit(X, Y, epochs=3, seed=3, **QUIET)
    rest.fit(X, Y, epochs=3, resume=path, **QUIET)
    assert_same(rest.model.state_dict(), whole.model.state_dict())


def test_checkpoints_every_few_epochs(tmp_path):
    made([Checkpoint(tmp_path / "c", every=2)]).fit(X, Y, epochs=5, **QUIET)
    trainer = made()
    trainer.load_checkpoint(tmp_path / "c")
    assert len(trainer.history) == 4
    for every, error in ((0, ValueError), (1.5, TypeError)):
        for kind in (Checkpoint, LearningCurvePlot):
            with pytest.raises(error, match="every is"):
                kind("x", every=every)


def test_ticks_come_between_epochs_of_a_run():
    class Ticks(Callback):
        count = 0

        def on_tick(self):
            self.count += 1

    ticks = Ticks()
    begin = time.monotonic()
    made([ticks]).fit(X, Y, batch_size=2, max_seconds=0.5, **QUIET)
    assert ticks.count <= (time.monotonic() - begin) / 0.1 + 1
