"""Trainer.fit: the bits of a loop by hand, and what it does when something goes wrong."""

import copy
import pickle
import signal
import threading
import time
import types

import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.nn import functional as F
from pyml.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from pyml.train import Callback, EarlyStopping, Trainer, evaluate, evaluation, mlp, predict
from pyml.train.metrics import FunctionMetric


def blobs(rng, rows, classes=3, features=5):
    """Rows around one point a class, and their classes."""
    centers = rng.normal(size=(classes, features)) * 4
    y = rng.integers(0, classes, rows)
    x = centers[y] + rng.normal(size=(rows, features))
    return x.astype(np.float32), y


def made(dropout=0.1, **options):
    """A Trainer of a small classifier, the same each time."""
    pyml.manual_seed(0)
    model = mlp(5, (16,), 3, dropout)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    return Trainer(model, nn.CrossEntropyLoss(), optimizer, **options)


def accuracy(prediction, target, sample_weight=None):
    return np.average(prediction == target, weights=sample_weight)


def bits(model):
    return {name: t.numpy().copy() for name, t in model.state_dict().items()}


def assert_same_bits(got, wanted):
    for name, value in wanted.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


QUIET = {"progress": False}


# ---- the loop by hand ----------------------------------------------------------------------------


def by_hand(trainer, x, y, *, epochs, batch_size, clip=None, averaged=None, by_step=None):
    """The loop that fit stands for; returns the mean loss of each epoch."""
    model, loss, optimizer, means = trainer.model, trainer.loss, trainer.optimizer, []
    x, y = pyml.from_numpy(x), pyml.from_numpy(y)
    model.train()
    for _ in range(epochs):
        total = rows = 0
        for batch in pyml.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            value = loss(model(x[batch]), y[batch])
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            if by_step is not None:
                by_step.step()
            if averaged is not None:
                averaged.update_parameters(model)
            total += value.item() * len(batch)
            rows += len(batch)
        means.append(total / rows)
    return means


@pytest.mark.parametrize("progress", [False, True])
@pytest.mark.parametrize("rows", [96, 100])  # with and without a smaller last batch
def test_fit_is_the_loop_by_hand(rng, rows, progress):
    x, y = blobs(rng, rows)
    hand, trainer = made(), made()
    pyml.manual_seed(1)
    wanted = by_hand(hand, x, y, epochs=4, batch_size=16)
    history = trainer.fit(x, y, epochs=4, batch_size=16, seed=1, progress=progress)
    assert_same_bits(bits(trainer.model), bits(hand.model))
    np.testing.assert_allclose(history.column("train_loss"), wanted, rtol=1e-6)
    assert history.column("epoch").tolist() == [1, 2, 3, 4]
    assert (history.column("seconds") > 0).all()
    assert history.columns == ["epoch", "train_loss", "learning_rate", "seconds"]
    assert history.stopped == trainer.stopped == "4 epochs are done"


def test_drop_last_leaves_out_what_is_no_whole_batch(rng):
    x, y = blobs(rng, 39)
    trainer = made(dropout=0)
    history = trainer.fit(x, y, epochs=3, batch_size=16, drop_last=True, seed=1, **QUIET)
    assert trainer.steps == 6 and trainer.batches == 2
    hand, totals = made(dropout=0), []
    pyml.manual_seed(1)
    for _ in range(3):
        order = pyml.randperm(39).numpy()
        losses = []
        for rows in (order[:16], order[16:32]):
            hand.optimizer.zero_grad()
            value = hand.loss(hand.model(pyml.from_numpy(x[rows])), pyml.from_numpy(y[rows]))
            value.backward()
            hand.optimizer.step()
            losses.append(value.item())
        totals.append(np.mean(losses))
    assert_same_bits(bits(trainer.model), bits(hand.model))
    np.testing.assert_allclose(history.column("train_loss"), totals, rtol=1e-6)
    for given, words in (
        ({"batch_size": 40}, "drop_last leaves nothing: there are 39 rows, batch_size is 40"),
        ({"batch_size": 16, "drop_last": 1}, "drop_last"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            made().fit(x, y, epochs=1, **{"drop_last": True, **given}, **QUIET)
    with pytest.raises(ValueError, match="X has batches of its own"):
        made().fit([(x, y)], epochs=1, drop_last=True, **QUIET)


def test_clip_ema_and_a_schedule_of_steps_are_those_of_the_loop_by_hand(rng):
    x, y = blobs(rng, 90)

    def schedule(trainer):
        return optim.lr_scheduler.OneCycleLR(trainer.optimizer, 0.05, total_steps=18)

    hand = made()
    averaged = AveragedModel(hand.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    pyml.manual_seed(1)
    options = {"clip": 0.5, "averaged": averaged, "by_step": schedule(hand)}
    by_hand(hand, x, y, epochs=3, batch_size=16, **options)

    trainer = made(dropout=0.1)
    scheduler = schedule(trainer)
    trainer = Trainer(
        *(trainer.model, trainer.loss, trainer.optimizer, scheduler), clip=0.5, ema=0.9
    )
    assert trainer.scheduler_every == "step"
    trainer.fit(x, y, epochs=3, batch_size=16, seed=1, **QUIET)
    assert_same_bits(bits(trainer.model), bits(hand.model))
    with pyml.random.fork_rng():
        update_bn(pyml.from_numpy(x).split(16), averaged)
    assert_same_bits(bits(trainer.averaged), bits(averaged))
    assert trainer.predictor is trainer.averaged
    np.testing.assert_array_equal(
        trainer.predict(x), averaged.eval()(pyml.from_numpy(x)).detach().numpy().argmax(1)
    )


def test_swa_averages_epochs(rng):
    x, y = blobs(rng, 60)
    trainer = made(dropout=0.0)
    averaged, seen = AveragedModel(trainer.model), []

    class Note(Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model[0].weight.detach().numpy().copy())

    trainer = Trainer(
        *(trainer.model, trainer.loss, trainer.optimizer), callbacks=[Note()], ema=averaged
    )
    trainer.fit(x, y, epochs=3, validation=(x, y), **QUIET)
    np.testing.assert_allclose(
        averaged.module[0].weight.detach().numpy(), np.mean(seen, 0), rtol=1e-5, atol=1e-6
    )


def test_the_averaged_model_is_validated_with_statistics_of_its_own(rng):
    """Without update_bn the statistics would be those of the model's start."""
    x, y = blobs(rng, 120)
    trainer = made(dropout=0.0, ema=0.5)
    history = trainer.fit(x, y, epochs=6, batch_size=16, validation=(x, y), **QUIET)
    wanted = copy.deepcopy(trainer.averaged)
    with pyml.random.fork_rng():
        update_bn(pyml.from_numpy(x).split(16), wanted)
    found = evaluate(wanted, trainer.loss, x, y)["loss"]
    assert history[-1].validation_loss == pytest.approx(found, rel=1e-6)
    assert found < 0.5 * evaluate(mlp(5, (16,), 3), trainer.loss, x, y)["loss"]


@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_for_any_thread_count(rng, threads):
    data = blobs(rng, 100)
    wanted, got = made(), made()
    wanted.fit(*data, epochs=2, validation=0.2, seed=3, **QUIET)
    pyml.set_num_threads(threads)
    got.fit(*data, epochs=2, validation=0.2, seed=3, **QUIET)
    assert_same_bits(bits(got.model), bits(wanted.model))


def test_a_validation_has_no_influence(rng):
    x, y = blobs(rng, 60)
    wanted, got = made(ema=0.9), made(ema=0.9, metrics=[accuracy])
    wanted.fit(x, y, epochs=3, batch_size=16, seed=3, **QUIET)
    got.fit(x, y, epochs=3, batch_size=16, validation=blobs(rng, 7), seed=3, **QUIET)
    assert_same_bits(bits(got.model), bits(wanted.model))


def test_a_recorded_step_is_what_runs(rng, recwarn):
    x, y = blobs(rng, 200)
    trainer = made(clip=1.0, ema=0.9)
    trainer.fit(x, y, epochs=100, batch_size=8, validation=0.2, **QUIET)
    [step], [forward] = trainer._steps.values(), trainer._forwards.values()
    assert step.stats().replays > 1000
    assert forward.recorded.stats().replays > 20
    assert not recwarn.list


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("rows", [1024, 256])
def test_a_recorded_validation_is_of_the_model_as_it_is(rng, recwarn, monkeypatch, ema, rows):
    """Whatever an epoch or a callback has changed, as the weights, a hook or a module."""
    if rows == 256:  # as of activations that leave the cache
        monkeypatch.setattr(evaluation, "LARGE", 0)
    x, y = blobs(rng, 90)
    held, actual = blobs(rng, 300)
    trainer = made(metrics=[accuracy], ema=ema)
    head = trainer.model[0] if ema is None else trainer.averaged.module[0]
    wrong, seen = [], []

    class Changes(Callback):
        def on_epoch_end(self, epoch, logs):
            wanted = evaluate(trainer.predictor, trainer.loss, held, actual, metrics=[accuracy])
            if any(logs[f"validation_{name}"] != value for name, value in wanted.items()):
                wrong.append(epoch)
            if epoch == 60:
                [forward] = trainer._forwards.values()
                assert forward.recorded.stats().replays > 20
                assert forward.begin() == rows
                state = trainer.predictor.state_dict()
                trainer.predictor.load_state_dict({k: v * 2 for k, v in state.items()})
                assert not recwarn.list
            if epoch == 70:
                self.hook = head.register_forward_hook(lambda _, __, out: seen.append(len(out)))
            if epoch == 72:
                self.hook.remove()

    trainer.callbacks.append(Changes())
    trainer.fit(x, y, epochs=80, batch_size=45, validation=(held, actual), **QUIET)
    assert wrong == []
    assert seen.count(300) == (4 if rows == 1024 else 3)  # evaluate() and validation
    assert ema is None or not recwarn.list  # what is trained has no hook


def test_a_validation_that_no_recording_fits_is_not_recorded_for_ever(rng, recwarn):
    class Counts(nn.Linear):
        text = "0"

        def forward(self, x):
            if not self.training:
                self.text = str(int(self.text) + 1)
            return super().forward(x)

    x, y = blobs(rng, 90)
    model = Counts(5, 3)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1))
    trainer.fit(x, y, epochs=100, batch_size=45, validation=blobs(rng, 20), **QUIET)
    [forward] = trainer._forwards.values()
    assert forward.recorded._is_eager
    assert model.text == "102"  # with a row of both parts, before the first epoch
    [warning] = recwarn.list
    assert "_make_step" in str(warning.message)  # what is trained, not what is validated


class Halving(optim.Optimizer):
    """An optimizer as users write them."""

    def __init__(self, params, lr=0.5):
        super().__init__(params, {"lr": lr})

    @pyml.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad * group["lr"])


@pytest.mark.parametrize("optimizer", [optim.Adafactor, optim.Muon, Halving])
def test_steps_of_operations_are_recorded(rng, recwarn, optimizer):
    """Optimizers whose step is Python code, which only the Trainer's own code calls."""
    x, y = blobs(rng, 80)
    model = nn.Linear(5, 3, bias=False)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer(model.parameters(), lr=0.01))
    trainer.fit(x, y, epochs=3, batch_size=8, **QUIET)
    [step] = trainer._steps.values()
    assert step.stats().replays > 15
    assert not recwarn.list


def test_what_cannot_be_recorded_runs_eagerly_and_says_why(rng):
    class Deciding(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            return y if y.sum() > -1e9 else -y

    x, y = blobs(rng, 40)
    model = Deciding(5, 3)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    with pytest.warns(UserWarning, match="truth of a tensor[^$]*runs eagerly from now on"):
        history = trainer.fit(x, y, epochs=5, seed=0, **QUIET)
    assert history[-1].train_loss < history[0].train_loss


def test_an_optimizer_of_closures(rng):
    x, y = blobs(rng, 40)
    model = nn.Linear(5, 3)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.LBFGS(model.parameters()))
    with pytest.warns(UserWarning, match="eagerly"):
        history = trainer.fit(x, y, epochs=3, batch_size=40, **QUIET)
    assert history[-1].train_loss < 0.1 * history[0].train_loss


def test_a_single_row_is_left_out_for_batchnorm_alone(rng):
    x, y = blobs(rng, 33)
    for model, steps in ((mlp(5, (4,), 3), 2), (nn.Linear(5, 3), 3)):
        trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01))
        trainer.fit(x, y, epochs=1, batch_size=16, **QUIET)
        assert trainer.steps == trainer.batches == steps


def test_modes_are_as_they_were(rng):
    x, y = blobs(rng, 40)
    trainer = made()
    trainer.model.eval()
    trainer.fit(x, y, epochs=1, validation=0.2, **QUIET)
    assert not any(module.training for module in trainer.model.modules())
    trainer.model.train()
    trainer.model[1].eval()
    trainer.predict(x), trainer.evaluate(x, y)
    assert [module.training for module in trainer.model] == [True, False, True, True, True]


def test_the_mean_loss_weighs_the_last_batch_by_its_rows():
    x = np.arange(5, dtype=np.float32)[:, None]
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    for loss in (nn.MSELoss(), nn.MSELoss(reduction="sum"), F.mse_loss):
        trainer = Trainer(model, loss, optimizer)
        for source in ((x, x), ([(x[:4], x[:4]), (x[4:], x[4:])],)):
            size = {"batch_size": 4} if len(source) == 2 else {}
            history = trainer.fit(*source, epochs=2, shuffle=False, **size, **QUIET)
            assert history.column("train_loss") == pytest.approx([6.0, 6.0])  # 30 / 5
            assert trainer.evaluate(x, x)["loss"] == pytest.approx(6.0)


# ---- targets, weights ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
@pytest.mark.parametrize("outputs", [(40,), (40, 1)])
def test_targets_of_one_column_do_not_broadcast(rng, shape, outputs):
    class Flat(nn.Linear):
        def forward(self, x):
            return super().forward(x).reshape(-1, *outputs[1:])

    x = rng.normal(size=(40, 3))
    y = (x @ [1.0, -2.0, 0.5]).reshape(shape)
    model = Flat(3, 1)
    trainer = Trainer(model, nn.MSELoss(), optim.Adam(model.parameters(), lr=0.05))
    history = trainer.fit(x, y, epochs=80, batch_size=10, **QUIET)
    assert history[-1].train_loss < 0.01
    assert trainer.predict(x).shape == outputs


def test_weights_that_are_whole_are_rows_that_often(rng):
    x, y = blobs(rng, 30)
    counts = rng.integers(0, 4, 30)
    rows = np.repeat(np.arange(30), counts)
    ends = []
    for data, weight in (((x, y), counts), ((x[rows], y[rows]), None)):
        trainer = made(dropout=0.0)
        model = nn.Linear(5, 3)
        nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
        trainer = Trainer(model, trainer.loss, optim.SGD(model.parameters(), lr=0.1))
        history = trainer.fit(*data, sample_weight=weight, epochs=5, batch_size=1000, **QUIET)
        found = trainer.evaluate(*data, sample_weight=weight)["loss"]
        ends.append((model.weight.detach().numpy(), history.column("train_loss"), found))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_class_weights_are_those_of_the_loss(rng):
    x, y = blobs(rng, 48)
    factors = [0.5, 2.0, 3.0]
    ends = []
    for loss, given in (
        (nn.CrossEntropyLoss(weight=pyml.tensor(factors)), None),
        (nn.CrossEntropyLoss(), dict(enumerate(factors))),
    ):
        model = made(dropout=0.0).model
        trainer = Trainer(model, loss, optim.SGD(model.parameters(), lr=0.1))
        history = trainer.fit(x, y, class_weight=given, epochs=3, batch_size=16, seed=0, **QUIET)
        ends.append((model[0].weight.detach().numpy(), history.column("train_loss")))
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=1e-3, atol=1e-5)


def test_balanced_classes_weigh_the_same(rng):
    x, y = blobs(rng, 60)
    y[:50] = 0
    reader = made()._reader
    rows = reader.weighted(reader.rows(x, y, who="fit"), "balanced", "fit")
    sums = np.bincount(y, rows.weight.numpy())
    np.testing.assert_allclose(sums, sums[0] * np.ones(3), rtol=1e-5)
    assert rows.weight.numpy().mean() == pytest.approx(1)


def test_weights_of_rows_and_of_classes_multiply(rng):
    x, y = blobs(rng, 30)
    given, reader = rng.random(30), made()._reader
    rows = reader.weighted(reader.rows(x, y, given, who="fit"), {0: 2.0, 1: 3.0}, "fit")
    wanted = given * np.array([2.0, 3.0, 1.0])[y]
    np.testing.assert_allclose(rows.weight.numpy(), wanted, rtol=1e-6)


def test_a_batch_whose_weights_are_0_changes_nothing(rng):
    x, y = blobs(rng, 40)
    weight = np.ones(40)
    weight[:20] = 0
    trainer = made()
    trainer.fit(x, y, sample_weight=weight, epochs=2, batch_size=10, shuffle=False, **QUIET)
    assert all(np.isfinite(value).all() for value in bits(trainer.model).values())


# ---- meanings of outputs -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60,), (60, 1), (60, 2)], ids=str)
@pytest.mark.parametrize("loss", [nn.BCEWithLogitsLoss, nn.BCELoss])
def test_yes_and_no(rng, loss, shape):
    x = rng.normal(size=(60, 2)).astype(np.float32)
    labels = x > 0
    y = labels if shape == (60, 2) else labels[:, 0].reshape(shape)
    layers = [nn.Linear(2, 2 if shape == (60, 2) else 1)]
    model = nn.Sequential(*layers, *([nn.Sigmoid()] if loss is nn.BCELoss else []))
    trainer = Trainer(model, loss(), optim.Adam(model.parameters(), lr=0.1), metrics=[accuracy])
    history = trainer.fit(x, y.astype(int), epochs=40, validation=0.25, seed=0, **QUIET)
    wanted = y if shape == (60, 2) else labels[:, 0]
    assert trainer.predict(x).shape == trainer.predict_proba(x).shape == wanted.shape
    assert trainer.predict(x).dtype == np.int64
    assert (trainer.predict(x) == wanted).mean() > 0.9
    np.testing.assert_array_equal(trainer.predict_proba(x) > 0.5, trainer.predict(x) == 1)
    assert trainer.evaluate(x, y)["accuracy"] == (trainer.predict(x) == wanted).mean()
    assert history[-1].validation_accuracy > 0.8
    assert {"train_accuracy", "validation_loss"} < {*history.columns}


def test_probabilities_of_classes(rng):
    x, y = blobs(rng, 50)
    for loss, last in ((nn.CrossEntropyLoss(), []), (nn.NLLLoss(), [nn.LogSoftmax(1)])):
        model = nn.Sequential(nn.Linear(5, 3), *last)
        trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=0.1))
        trainer.fit(x, y, epochs=5, **QUIET)
        probabilities = trainer.predict_proba(x)
        np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
        np.testing.assert_array_equal(probabilities.argmax(1), trainer.predict(x))
        scores = predict(model, x)
        np.testing.assert_allclose(
            np.log(probabilities), scores - np.log(np.exp(scores).sum(1, keepdims=True)), atol=1e-4
        )


def test_values_have_no_probabilities(rng):
    model = nn.Linear(2, 3)
    trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    x = rng.normal(size=(4, 2)).astype(np.float32)
    np.testing.assert_array_equal(trainer.predict(x), model(pyml.from_numpy(x)).detach().numpy())
    with pytest.raises(RuntimeError, match="MSELoss gives values, no probabilities"):
        trainer.predict_proba(x)


def test_predictions_do_not_depend_on_batches(rng):
    x, y = blobs(rng, 2500)
    trainer = made()
    for batch_size in (1, 100, 2499, 10**6):
        np.testing.assert_array_equal(
            trainer.predict_proba(x[:2500], batch_size=batch_size), trainer.predict_proba(x)
        )
        assert trainer.evaluate(x, y, batch_size=batch_size) == trainer.evaluate(x, y)


class Counting:
    """A metric that streams: the share of right labels."""

    name, greater_is_better, wants = "counted", True, "labels"

    def __init__(self):
        self.reset()

    def reset(self):
        self.right = self.all = 0

    def update(self, prediction, target, weight=None):
        weight = np.ones(len(target)) if weight is None else weight
        self.right += weight[prediction == target].sum()
        self.all += weight.sum()

    def compute(self):
        return self.right / self.all

    def __call__(self, prediction, target, weight=None):
        other = Counting()
        other.update(prediction, target, weight)
        return other.compute()


@pytest.fixture
def metrics(monkeypatch):
    """pyml.train.metrics, as far as a Trainer uses it."""
    module = types.ModuleType("pyml.train.metrics")
    module.get = lambda spec: Counting() if spec == "counted" else spec
    module.FunctionMetric = FunctionMetric
    monkeypatch.setitem(__import__("sys").modules, "pyml.train.metrics", module)


def test_metrics_of_training_rows_are_of_some(rng):
    """As many as are validated, at most 1,024; of all without validation."""
    x, y = blobs(rng, 3000)
    for rows, wanted in ((300, {300}), (1500, {1024, 1500}), (0, {3000})):
        held = (x[:rows], y[:rows]) if rows else None
        seen = set()

        def counted(prediction, target, seen=seen):
            seen.add(len(target))
            return 0.0

        made(metrics=[counted]).fit(x, y, epochs=1, validation=held, **QUIET)
        assert seen == wanted


def test_metrics_by_name(rng, metrics):
    x, y = blobs(rng, 60)
    stopping = EarlyStopping(monitor="train_counted")
    trainer = made(metrics=["counted", accuracy], callbacks=[stopping])
    history = trainer.fit(x, y, epochs=3, validation=0.3, **QUIET)
    assert (history.column("validation_counted") == history.column("validation_accuracy")).all()
    assert (history.column("train_counted") == history.column("train_accuracy")).all()
    assert stopping.mode == "max"
    weight = rng.random(60)
    whole = trainer.evaluate(x, y, sample_weight=weight)
    parts = [(x[:7], y[:7], weight[:7]), (x[7:], y[7:], weight[7:])]
    streamed = trainer.evaluate(parts)
    assert streamed["counted"] == pytest.approx(whole["counted"])
    assert streamed["loss"] == pytest.approx(whole["loss"])
    assert streamed["accuracy"] == pytest.approx(whole["accuracy"])
    model = nn.Linear(5, 1)
    with pytest.raises(ValueError, match="counted is of labels, and the loss gives values"):
        Trainer(model, nn.MSELoss(), optim.SGD(model.parameters()), metrics=["counted"])
    of_values = Counting()
    of_values.wants = "values"
    with pytest.raises(ValueError, match="counted is of values, and the loss gives labels"):
        made(metrics=[of_values])


def test_metrics_are_weighed_by_rows_and_not_by_classes(rng, metrics):
    x, y = blobs(rng, 60)
    seen = []

    class Weights(Counting):
        def __call__(self, prediction, target, weight=None):
            seen.append(weight)
            return 0.5

    given = rng.random(60)
    for weight in (None, given):
        trainer = made(metrics=[Weights()])
        trainer.fit(x, y, class_weight={0: 5.0}, sample_weight=weight, epochs=1, **QUIET)
    assert seen[0] is None
    np.testing.assert_array_equal(seen[1], given.astype(np.float32))


def test_a_function_that_takes_no_weights_is_refused_before_training(rng):
    x, y = blobs(rng, 60)
    trainer = made(metrics=[lambda prediction, target: (prediction == target).mean()])
    before = [p.tolist() for p in trainer.model.parameters()]
    with pytest.raises(TypeError, match="has no argument sample_weight"):
        trainer.fit(x, y, sample_weight=rng.random(60), epochs=1, **QUIET)
    assert [p.tolist() for p in trainer.model.parameters()] == before
    trainer.fit(x, y, class_weight="balanced", epochs=1, **QUIET)  # which metrics do not get


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(ignore_index=7), F.cross_entropy])
def test_rows_of_an_ignored_class_are_in_no_metric(rng, loss):
    x, y = blobs(rng, 60)
    model = nn.Linear(5, 3)
    trainer = Trainer(model, loss, optim.Adam(model.parameters(), lr=0.1), metrics=[accuracy])
    spoiled = y.copy()
    spoiled[::3] = -100 if loss is F.cross_entropy else 7
    trainer.fit(x, spoiled, epochs=5, **QUIET)
    kept = np.arange(60) % 3 != 0
    found, wanted = trainer.evaluate(x, spoiled), trainer.evaluate(x[kept], y[kept])
    assert found["accuracy"] == wanted["accuracy"]
    assert found["loss"] == pytest.approx(wanted["loss"])
    assert trainer.evaluate([(x, spoiled)])["accuracy"] == wanted["accuracy"]


def test_an_optimizer_without_rates(rng):
    x, y = blobs(rng, 40)
    model = nn.Linear(5, 3)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.NewtonCG(model.parameters()))
    with pytest.warns(UserWarning, match="eagerly"):
        history = trainer.fit(x, y, epochs=3, batch_size=40, **QUIET)
    assert history[-1].train_loss < history[0].train_loss
    assert np.isnan(history.column("learning_rate")).all()


@pytest.mark.parametrize(("held", "seen"), [(None, 60), (10, 10), (70, 60)])
def test_metrics_of_as_many_training_rows_as_are_validated(rng, metrics, held, seen):
    x, y = blobs(rng, 60)
    rows = []

    class Rows(Counting):
        def __call__(self, prediction, target, weight=None):
            rows.append(len(target))
            return 0.5

    validation = None if held is None else blobs(rng, held)
    made(metrics=[Rows()]).fit(x, y, epochs=1, validation=validation, **QUIET)
    assert rows == ([seen] if held is None else [seen, held])


# ---- validation ----------------------------------------------------------------------------------


def test_a_fraction_takes_each_class_by_its_share_and_the_same_rows_each_time(rng):
    x, y = blobs(rng, 100)
    y[:80], y[80:95], y[95:] = 0, 1, 2
    reader = made()._reader
    rows = reader.rows(x, y, who="fit")
    train, held = reader.divided(rows, 0.2, 7)
    assert np.bincount(held.target.numpy()).tolist() == [16, 3, 1]
    assert train.count + held.count == 100
    both = np.concatenate([train.inputs[0].numpy(), held.inputs[0].numpy()])
    np.testing.assert_array_equal(np.sort(both, 0), np.sort(x, 0))
    for seed, same in ((7, True), (8, False)):
        again = reader.divided(rows, 0.2, seed)[1].inputs[0].numpy()
        assert np.array_equal(again, held.inputs[0].numpy()) is same


@pytest.mark.parametrize(("seed", "of_split"), [(None, 0), (5, 5)])
def test_the_seed_of_fit_is_that_of_the_fraction(rng, seed, of_split):
    x, y = blobs(rng, 40)
    model = nn.Linear(5, 1)
    trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01))
    history = trainer.fit(x, y, epochs=2, validation=0.25, seed=seed, **QUIET)
    rows = trainer._reader.rows(x, y, who="fit")
    train, held = trainer._reader.divided(rows, 0.25, of_split)
    assert (train.count, held.count) == (30, 10)
    assert trainer._evaluated(held)["loss"] == history[-1].validation_loss


def test_all_forms_of_validation_are_one(rng):
    x, y = blobs(rng, 60)
    held = x[40:], y[40:]
    data = pyml.data.TensorDataset(*map(pyml.from_numpy, held))
    forms = [
        held,
        [*held],
        (*held, np.ones(20)),
        data,
        pyml.data.DataLoader(data, batch_size=7),
        [(held[0][:9], held[1][:9]), (held[0][9:], held[1][9:])],
        lambda: iter([held]),
    ]
    found = []
    for form in forms:
        trainer = made(metrics=[accuracy])
        history = trainer.fit(x[:40], y[:40], epochs=2, validation=form, seed=0, **QUIET)
        found.append((history[-1].validation_loss, history[-1].validation_accuracy))
    np.testing.assert_allclose(found, found[:1] * len(forms), rtol=1e-5)


# ---- Ctrl-C, NaN, time ---------------------------------------------------------------------------


def test_ctrl_c_keeps_the_best_and_says_so(rng, interruptible):
    x, y = blobs(rng, 300)
    stopping = EarlyStopping(patience=10**9)
    trainer = made(callbacks=[stopping])

    def interrupt():
        while len(trainer.history) < 3:
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt, match=r"Ctrl-C in epoch \d+, batch .*has the best weigh"):
        trainer.fit(x, y, epochs=10**6, validation=0.3, **QUIET)
    thread.join()
    assert len(trainer.history) >= 3 and "Ctrl-C" in trainer.stopped
    rows = trainer._reader.divided(trainer._reader.rows(x, y, who=""), 0.3, 0)[1]
    validated = trainer.history.column("validation_loss")
    assert trainer._evaluated(rows)["loss"] == stopping.best
    assert stopping.best in (validated.min(), validated[:-1].min())  # the last may be cut short
    trainer.fit(x, y, epochs=1, validation=0.3, **QUIET)


@pytest.mark.filterwarnings("ignore:record. the truth of a tensor")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("eager", [False, True])
def test_a_loss_that_is_nan_is_noticed_before_weights_change(rng, streamed, eager):
    class Spoiled(nn.Sequential):
        """NaN for a row with a large number."""

        def forward(self, x):
            if eager and x.sum() > 1e30:
                raise AssertionError
            return super().forward(pyml.where(x > 50, x + float("nan"), x))

    x, y = blobs(rng, 64)
    x[40, 2] = 100  # of the sixth batch of eight
    model, states = Spoiled(nn.BatchNorm1d(5), nn.Linear(5, 3)), []
    first = bits(model)

    class Note(Callback):
        def on_batch_end(self, batch, logs=None):
            states.append(bits(model))

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, callbacks=[Note()])
    words = (
        r"loss is nan in epoch 1, batch 6 at learning rate 0\.1: .* the weights before that step"
    )
    with pytest.raises(FloatingPointError, match=words):
        if streamed:
            batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 64, 8)]
            trainer.fit(batches, epochs=3, **QUIET)
        else:
            trainer.fit(x, y, epochs=3, batch_size=8, shuffle=False, **QUIET)
    assert len(states) == 5 and trainer.history == []
    now = bits(model)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        np.testing.assert_array_equal(now[name], states[-1][name])
    for name in ("0.running_mean", "0.running_var"):
        np.testing.assert_array_equal(now[name], first[name])


def test_a_number_that_is_infinite_is_named(rng):
    x, y = blobs(rng, 40)
    x[17, 3] = np.inf
    trainer = made(dropout=0.0)
    with pytest.raises(FloatingPointError, match="x is infinite in row 17, column 3; the"):
        trainer.fit(x, y, epochs=1, **QUIET)
    assert all(np.isfinite(value).all() for value in bits(trainer.model).values())


def test_a_copy_trains_its_own_model(rng):
    x, y = blobs(rng, 40)
    averaged, plain = made(ema=0.9), made()
    averaged.fit(x, y, epochs=1, **QUIET), plain.fit(x, y, epochs=1, **QUIET)
    copies = [(averaged, copy.deepcopy(averaged))]
    copies += [(each, pickle.loads(pickle.dumps(each))) for each in (averaged, plain)]
    for trainer, copied in copies:
        before = bits(trainer.predictor)
        copied.fit(x, y, epochs=1, **QUIET)
        assert_same_bits(bits(trainer.predictor), before)
        assert (copied.model[0].weight != trainer.model[0].weight).any()
        for a, b in zip(copied.predictor.parameters(), trainer.predictor.parameters(), strict=True):
            assert a is not b


def test_parts_may_be_exchanged(rng):
    x, y = blobs(rng, 40)
    trainer = made(dropout=0.0)
    trainer.fit(x, y, epochs=1, **QUIET)
    trainer.clip = 1e-30
    trainer.optimizer = optim.SGD(trainer.model.parameters(), lr=1.0)
    before = bits(trainer.model)
    trainer.fit(x, y, epochs=1, **QUIET)
    assert_same_bits(
        {"0.weight": bits(trainer.model)["0.weight"]}, {"0.weight": before["0.weight"]}
    )


def test_time_is_up_in_the_middle_of_an_epoch(rng):
    x, y = blobs(rng, 20000)
    trainer = made()
    begin = time.monotonic()
    history = trainer.fit(x, y, max_seconds=0.3, batch_size=2, validation=0.1, **QUIET)
    assert 0.25 < time.monotonic() - begin < 3
    assert history.stopped == "0.3 seconds are over"
    assert len(history) >= 1 and np.isfinite(history[-1].train_loss)


def test_stop_by_a_callback(rng):
    x, y = blobs(rng, 64)

    class Enough(Callback):
        def on_batch_end(self, batch, logs=None):
            if self.trainer.steps == 6:
                self.trainer.stop("enough")

    trainer = made(callbacks=[Enough()])
    history = trainer.fit(x, y, batch_size=16, **QUIET)
    assert (trainer.steps, len(history), history.stopped) == (6, 2, "enough")
    assert not trainer.epoch_is_whole


def test_an_exception_of_a_callback_arrives_and_all_is_closed(rng):
    x, y = blobs(rng, 64)
    ended = []

    class Bad(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyError("bad")

        def on_train_end(self, logs=None):
            ended.append(self.trainer.stopped)

    trainer = made(callbacks=[Bad()])
    with pytest.raises(KeyError, match="bad"):
        trainer.fit(x, y, epochs=3, **QUIET)
    assert ended == ["KeyError('bad') was raised"]
    trainer.callbacks.clear()
    assert len(trainer.fit(x, y, epochs=2, **QUIET)) == 2


# ---- arguments -----------------------------------------------------------------------------------

BAD = {
    "no epochs": ({"epochs": None}, ValueError, "epochs is missing"),
    "epochs": ({"epochs": -1}, ValueError, "epochs is -1"),
    "epochs of text": ({"epochs": "3"}, TypeError, "epochs is '3', it must be an integer"),
    "batch_size": ({"batch_size": 0}, ValueError, "batch_size is 0"),
    "batch_size 1.5": ({"batch_size": 1.5}, TypeError, r"batch_size is 1\.5"),
    "max_seconds": ({"max_seconds": 0}, ValueError, "max_seconds is 0"),
    "seed": ({"seed": "a"}, TypeError, "seed is 'a'"),
    "a fraction": ({"validation": 1.0}, ValueError, r"validation is 1\.0, it must be in \(0.*1\)"),
    "no row": ({"validation": 0.001}, ValueError, "leaves 8 rows to train on and 0 to"),
    "True": ({"validation": True}, ValueError, "validation is True"),
    "text": ({"validation": "x"}, TypeError, "fit: validation: X is 'x', it must be"),
    "two rows": ({"validation": (np.ones((2, 5)), [0])}, ValueError, "x has 2 rows, but y has 1"),
    "a tuple": ({"validation": (1, 2, 3, 4)}, ValueError, "tuple of 4"),
    "weights": ({"sample_weight": np.ones(7)}, ValueError, r"sample_weight has shape \(7,\)"),
    "negative": ({"sample_weight": -np.ones(8)}, ValueError, "sample_weight has -1"),
    "all 0": ({"sample_weight": np.zeros(8)}, ValueError, "0 everywhere"),
    "classes": ({"class_weight": "all"}, ValueError, "class_weight is 'all'"),
    "a class": ({"class_weight": {0: -1, 1: 1}}, ValueError, "class_weight has -1"),
    "no class": ({"class_weight": {"a": 1}}, ValueError, "class_weight has the class 'a', which y"),
    "shuffle": ({"shuffle": "yes"}, TypeError, "shuffle is 'yes'"),
    "a list": ({"class_weight": [1, 2]}, TypeError, "class_weight is a list"),
    "a path": ({"resume": "/absent"}, FileNotFoundError, "absent"),
}


@pytest.mark.parametrize("case", BAD)
def test_arguments_that_cannot_be(rng, case):
    given, error, message = BAD[case]
    x, y = blobs(rng, 8)
    trainer = made()
    before, state = bits(trainer.model), pyml.get_rng_state()
    with pytest.raises(error, match=message):
        trainer.fit(x, y, **{"epochs": 1, **QUIET, **given})
    assert_same_bits(bits(trainer.model), before)
    np.testing.assert_array_equal(pyml.get_rng_state(), state)
    assert trainer.history == []
    assert len(trainer.fit(x, y, epochs=1, **QUIET)) == 1


def test_parts_that_cannot_be():
    model = nn.Linear(5, 3)
    good = [model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1)]
    for place, value, words in (
        (0, 3, "model must be a Module, not int"),
        (1, nn.MSELoss, "loss is <class"),
        (1, "mse", "loss is 'mse'"),
        (2, model, "optimizer must be an Optimizer, not Linear"),
        (2, optim.SGD, "optimizer is the class SGD, it must be an Optimizer, made by calling it"),
    ):
        with pytest.raises(TypeError, match=words):
            Trainer(*[value if i == place else part for i, part in enumerate(good)])
    for options, error, words in (
        ({"scheduler": nn.ReLU()}, TypeError, "scheduler must be an LRScheduler, not ReLU"),
        ({"scheduler": optim.lr_scheduler.StepLR}, TypeError, "scheduler is the class StepLR"),
        ({"scheduler_every": "day"}, ValueError, "scheduler_every is 'day'"),
        ({"clip": 0}, ValueError, "clip is 0"),
        ({"ema": 1.0}, ValueError, r"ema is 1\.0"),
        ({"ema": "swa"}, TypeError, "ema is a str"),
        ({"ema": AveragedModel(nn.Linear(2, 2))}, ValueError, "another model"),
        ({"callbacks": [EarlyStopping]}, TypeError, r"callbacks\[0\] is EarlyStopping"),
        ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3"),
        ({"callbacks": [Keras()]}, TypeError, "a Keras, has on_train_batch_end, which is never"),
    ):
        with pytest.raises(error, match=words):
            Trainer(*good, **options)


class Keras(Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


def test_an_optimizer_of_another_model():
    model, other = nn.Linear(5, 3), nn.Linear(5, 3)
    with pytest.raises(ValueError, match="parameters of another model, so that nothing would be"):
        Trainer(model, nn.CrossEntropyLoss(), optim.SGD(other.parameters(), lr=0.1))
    both = optim.SGD([*model.parameters(), *other.parameters()], lr=0.1)
    Trainer(model, nn.CrossEntropyLoss(), both)


def test_one_row_that_is_no_row():
    with pytest.raises(ValueError, match=r"shape \(3,\), it must be \(n, classes\); x of one row"):
        model = nn.Linear(5, 3)
        trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        trainer.predict(np.zeros(5, np.float32))


def test_a_second_fit_goes_on(rng):
    x, y = blobs(rng, 64)
    whole, parts = made(), made()
    whole.fit(x, y, epochs=4, seed=0, **QUIET)
    first = parts.fit(x, y, epochs=2, seed=0, **QUIET)
    parts.fit(x, y, epochs=2, **QUIET)
    assert_same_bits(bits(parts.model), bits(whole.model))
    assert len(first) == 2 and parts.history is not first


def test_epochs_may_be_none_or_endless(rng):
    x, y = blobs(rng, 20)
    trainer = made()
    assert trainer.fit(x, y, epochs=0, **QUIET) == []

    def enough(epoch):
        if epoch.epoch == 3:
            trainer.stop("enough")

    trainer = made(callbacks=[enough])
    assert len(trainer.fit(x, y, epochs=10**30, batch_size=10**30, **QUIET)) == 3
