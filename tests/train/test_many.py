"""fit_many: the bits of lone runs, failures kept apart, time limits, folders that go on."""

import copy
import multiprocessing
import os
import pickle
import signal
import time
from functools import partial

import numpy as np
import pytest

import pyml
from pyml import nn, optim
from pyml.optim import lr_scheduler
from pyml.train import Callback, EarlyStopping, Member, Trainer, fit_many, mlp
from pyml.train.crew import Bar
from pyml.train.member import Trained
from pyml.train.slots import Slot

ROWS = 120
QUIET = {"progress": False}


@pytest.fixture
def data(rng):
    x = rng.normal(size=(ROWS, 5)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 0)


@pytest.fixture
def exhaustive(request):
    return request.config.getoption("exhaustive")


def net(dropout=0.0, width=8):
    return mlp(5, (width,), 3, dropout)


def plain():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


def same_bits(found, trainer):
    for name, tensor in trainer.model.state_dict().items():
        np.testing.assert_array_equal(found.state[name], tensor.numpy(), err_msg=name)
    if trainer.averaged is not None:
        for name, tensor in trainer.averaged.module.state_dict().items():
            np.testing.assert_array_equal(found.averaged[name], tensor.numpy(), err_msg=name)
    for name in set(trainer.history.columns) - {"seconds"}:
        np.testing.assert_array_equal(
            found.history.column(name), trainer.history.column(name), err_msg=name
        )
    assert found.history.stopped == trainer.history.stopped


# ---- lone runs -----------------------------------------------------------------------------------

OPTIMIZERS = [
    lambda draw: partial(optim.Adam, lr=draw.uniform(1e-3, 1e-1), weight_decay=draw.uniform()),
    lambda draw: partial(optim.AdamW, lr=draw.uniform(1e-3, 1e-1), amsgrad=bool(draw.integers(2))),
    lambda draw: partial(optim.SGD, lr=draw.uniform(1e-3, 1e-1), momentum=draw.uniform(0.1, 0.9)),
    lambda draw: partial(optim.RMSprop, lr=draw.uniform(1e-3, 1e-2)),
    lambda draw: partial(optim.Adagrad, lr=0.1, initial_accumulator_value=draw.uniform()),
    lambda draw: partial(optim.NAdam, lr=draw.uniform(1e-3, 1e-2)),
    lambda draw: partial(optim.Lion, lr=draw.uniform(1e-4, 1e-3)),
    lambda draw: partial(optim.Adafactor, lr=0.01),
]


def falling(share):
    return lambda epoch: 1 / (1 + share * epoch)


SCHEDULES = [
    lambda draw: None,
    lambda draw: partial(lr_scheduler.StepLR, step_size=1, gamma=draw.uniform(0.5, 1)),
    lambda draw: partial(lr_scheduler.CosineAnnealingLR, T_max=int(draw.integers(2, 9))),
    lambda draw: partial(lr_scheduler.LambdaLR, lr_lambda=falling(draw.uniform())),
    lambda draw: partial(
        lr_scheduler.OneCycleLR,
        max_lr=draw.uniform(0.01, 0.1),
        total_steps=999,
        cycle_momentum=False,
    ),
    lambda draw: partial(lr_scheduler.ReduceLROnPlateau, patience=0),
]


def drawn(draw):
    """(arguments of Member, of Trainer, of fit) of one member."""

    def one(*choices):
        return choices[draw.integers(len(choices))]

    model = one(plain, partial(net, one(0.0, 0.1, float(draw.uniform(0, 0.5))), one(8, 8, 11)))
    training = {"clip": one(None, None, 0.5), "ema": one(None, None, 0.9)}
    training["metrics"] = one((), ["accuracy"])
    fitting = {"epochs": int(draw.integers(1, 5)), "batch_size": one(16, 16, 32, 50)}
    fitting["validation"] = one(None, 0.25)
    fitting["shuffle"], fitting["drop_last"] = one(True, True, False), one(False, False, True)
    fitting["class_weight"] = one(None, None, "balanced")
    rows = one(
        None, draw.integers(0, ROWS, 90), draw.permutation(ROWS)[:80], np.arange(ROWS) % 3 > 0
    )
    weight = one(None, None, draw.uniform(0.1, 1, ROWS))
    patience = None if fitting["validation"] is None else one(None, 1, 2)
    makes = OPTIMIZERS[draw.integers(len(OPTIMIZERS))](draw)
    schedule = SCHEDULES[draw.integers(len(SCHEDULES))](draw)
    return model, makes, schedule, training, fitting, rows, weight, patience


def callbacks_of(patience):
    return [] if patience is None else [EarlyStopping(patience=patience)]


def member_of(mix, seed):
    model, makes, schedule, training, fitting, rows, weight, patience = mix
    return Member(
        *(model, makes, schedule),
        **{"seed": seed, "callbacks": callbacks_of(patience), **training, **fitting},
        rows=rows,
        sample_weight=weight,
    )


def alone(mix, seed, x, y, loss=None):
    model, makes, schedule, training, fitting, rows, weight, patience = mix
    pyml.manual_seed(seed)
    made = model()
    optimizer = makes(made.parameters())
    trainer = Trainer(
        *(made, loss or nn.CrossEntropyLoss(), optimizer),
        None if schedule is None else schedule(optimizer),
        **{"callbacks": callbacks_of(patience), **training},
    )
    taken = slice(None) if rows is None else rows
    weight = None if weight is None else weight[taken]
    trainer.fit(x[taken], y[taken], sample_weight=weight, seed=seed, **fitting, **QUIET)
    return trainer


def test_members_have_the_bits_of_their_lone_runs(data, exhaustive):
    x, y = data
    draw = np.random.default_rng(7)
    mixes = [drawn(draw) for _ in range(200 if exhaustive else 14)]
    mixes += mixes[:3]  # which take the places of others
    members = [member_of(mix, seed) for seed, mix in enumerate(mixes)]
    trained = fit_many(members, x, y, loss=nn.CrossEntropyLoss(), threads=3, **QUIET)
    for seed, (found, mix) in enumerate(zip(trained, mixes, strict=True)):
        assert found.finished and found.error is None
        same_bits(found, alone(mix, seed, x, y))


def test_one_after_another_on_a_thread(data):
    x, y = data
    start, size = {"epochs": 3, "batch_size": 30}, (None, None)
    mixes = [
        (net, partial(makes, lr=0.1), partial(lr_scheduler.LambdaLR, lr_lambda=falling(share)))
        for makes in (optim.Adam, partial(optim.Adagrad, initial_accumulator_value=0.1))
        for share in (0.1, 0.9, 0.9)
    ]
    mixes = [(*mix, {}, start, *size, None) for mix in mixes]
    members = [member_of(mix, seed) for seed, mix in enumerate(mixes)]
    trained = fit_many(members, x, y, loss=nn.CrossEntropyLoss(), threads=1, **QUIET)
    for seed, (found, mix) in enumerate(zip(trained, mixes, strict=True)):
        same_bits(found, alone(mix, seed, x, y))


def test_members_of_one_form_share_a_recording(data, monkeypatch):
    x, y = data
    slots = []
    monkeypatch.setattr(
        "pyml.train.many.Slot", lambda trainer: slots.append(trainer) or Slot(trainer)
    )
    members = [Member(net, partial(optim.Adam, lr=0.01 * (i + 1))) for i in range(6)]
    fit_many(members, x, y, loss=nn.CrossEntropyLoss(), epochs=2, batch_size=30, threads=1, **QUIET)
    assert len(slots) == 1
    [step] = slots[0]._steps.values()
    assert len(step._programs) <= 2  # a full batch, and perhaps one that made the state


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.scale = net(), nn.Buffer(pyml.ones(1))

    def forward(self, x):
        return self.inner(x) * self.scale


def smoothed(output, target):
    if not hasattr(
        output, "log_softmax"
    ):  # a name in words: all that the step reaches is looked at
        raise TypeError
    return nn.functional.cross_entropy(output, target, label_smoothing=0.1)


@pytest.mark.filterwarnings("error")
def test_modules_of_ones_own_are_recorded(rng):
    """What their steps reach is compared at each replay; the rows of all are not among it."""
    x = rng.normal(size=(40_000, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    members = [Member(Own, partial(optim.Adam, lr=0.01)) for _ in range(2)]
    fitting = {"epochs": 1, "batch_size": 1000}
    for found in fit_many(members, x, y, loss=smoothed, **fitting, **QUIET):
        mix = Own, members[0].optimizer, None, {}, fitting, None, None, None
        same_bits(found, alone(mix, found.seed, x, y, loss=smoothed))


def test_a_module_has_its_weights_in_the_end(data):
    x, y = data
    models = [net(), net()]
    optimizers = [optim.Adam(m.parameters(), lr=0.01) for m in models]
    members = [Member(m, o) for m, o in zip(models, optimizers, strict=True)]
    before = [{n: t.clone() for n, t in m.state_dict().items()} for m in models]
    trained = fit_many(members, x, y, loss=nn.CrossEntropyLoss(), epochs=2, **QUIET)
    for model, found, start in zip(models, trained, before, strict=True):
        assert not np.array_equal(start["0.weight"], found.state["0.weight"])
        for name, tensor in model.state_dict().items():
            np.testing.assert_array_equal(tensor.numpy(), found.state[name])
    assert not optimizers[0].state


def test_the_default_generator_stays(data):
    x, y = data
    pyml.manual_seed(5)
    before = pyml.get_rng_state()
    fit_many([Member(net, optim.Adam)], x, y, loss=nn.CrossEntropyLoss(), epochs=1, **QUIET)
    np.testing.assert_array_equal(pyml.get_rng_state(), before)


@pytest.mark.filterwarnings("ignore:autocast:UserWarning")  # where nothing multiplies bfloat16
def test_threads_are_as_the_callers(data):
    """autocast is of a thread, and a lone run has that of the call."""
    x, y = data
    mix = (
        partial(net, 0.1),
        partial(optim.Adam, lr=0.01),
        None,
        {},
        {"epochs": 2},
        None,
        None,
        None,
    )
    with pyml.autocast():
        [found] = fit_many([member_of(mix, 0)], x, y, loss=nn.CrossEntropyLoss(), **QUIET)
        same_bits(found, alone(mix, 0, x, y))
    if pyml.show_config(mode="dicts")["bfloat16"].startswith("none"):
        return
    with pytest.raises(AssertionError):
        same_bits(found, alone(mix, 0, x, y))


def test_the_bar_is_full_in_the_end(data, tmp_path, monkeypatch):
    """Also of members that end early, and of those that are read from files."""
    seen = []

    class Seen(Bar):
        def __exit__(self, *_):
            seen.append((self.done(), self.total))

    monkeypatch.setattr("pyml.train.many.Bar", Seen)
    members = [Member(net, optim.Adam, callbacks=Stopping()), Member(net, optim.Adam, epochs=3)]
    for _ in range(2):
        fit_many(members, *data, loss=nn.CrossEntropyLoss(), epochs=5, checkpoint=tmp_path)
    assert seen == [(8, 8)] * 2


class Stopping(Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.trainer.stop("enough")


def test_names_of_torch(data):
    """Weights of members stacked, and one function of all of them."""
    trained = fit_many(
        [Member(net, optim.Adam) for _ in range(3)],
        *data,
        **{"loss": nn.CrossEntropyLoss(), "epochs": 1, **QUIET},
    )
    models = [each.predictor for each in trained]
    state, x = pyml.func.stack_module_state(models), pyml.tensor(data[0])

    def call(*state):
        return pyml.func.functional_call(models[0], state, x)

    with pyml.no_grad():
        outputs = pyml.vmap(call)(*state)
        np.testing.assert_array_equal(outputs.numpy(), pyml.stack([m(x) for m in models]).numpy())


def test_an_ensemble_is_one_file(data, tmp_path):
    options = {"loss": nn.CrossEntropyLoss(), "epochs": 1}
    members = [Member(net, optim.Adam, ema=0.9) for _ in range(3)]
    ensemble = fit_many(members, *data, **options, **QUIET).ensemble("probabilities")
    pyml.save(ensemble.state_dict(), tmp_path / "all.safetensors")
    again = nn.Ensemble([net() for _ in range(3)], "probabilities").eval()
    again.load_state_dict(pyml.load(tmp_path / "all.safetensors"))
    x = pyml.tensor(data[0])
    assert pyml.equal(again(x), ensemble(x))


def test_what_has_trained_is_a_tuple_of_members(data):
    trained = fit_many([Member(plain, optim.SGD)] * 3, *data, loss=nn.MSELoss(), epochs=0, **QUIET)
    for same in (copy.copy(trained), pickle.loads(pickle.dumps(trained)), trained[:]):
        assert type(same) is Trained and len(same) == 3
    with pytest.raises(TypeError, match=r"Trained: members\[1\] is a int, it must be a TrainedM"):
        Trained([trained[0], 3])


# ---- what goes wrong -----------------------------------------------------------------------------


def test_one_that_fails_stops_no_other(data):
    x, y = data
    rates = [0.01, 1e38, 0.01]
    members = [Member(plain, partial(optim.SGD, lr=lr), seed=0) for lr in rates]
    trained = fit_many(members, x, y, loss=nn.CrossEntropyLoss(), epochs=3, threads=1, **QUIET)
    assert [each.error is None for each in trained] == [True, False, True]
    assert "training loss is" in trained[1].error and trained.failed == [trained[1]]
    assert trained.finished and len(trained.ensemble("probabilities")) == 2
    for name, value in trained[0].state.items():
        np.testing.assert_array_equal(trained[2].state[name], value)


def test_another_error_ends_all(data):
    x, y = data

    def fails(epoch):
        raise KeyError("mine")

    members = [Member(net, optim.Adam), Member(net, optim.Adam, callbacks=[fails])]
    with pytest.raises(KeyError, match="mine"):
        fit_many(members, x, y, loss=nn.CrossEntropyLoss(), epochs=2, **QUIET)


def test_time_ends_all(data):
    x, y = data
    members = [Member(net, optim.Adam) for _ in range(4)]
    start = time.monotonic()
    trained = fit_many(
        members, x, y, loss=nn.CrossEntropyLoss(), epochs=10**6, max_seconds=0.5, threads=2, **QUIET
    )
    assert time.monotonic() - start < 10
    assert not trained.finished and trained[0].history.stopped == "0.5 seconds are over"
    assert trained[0].state is not None and trained[3].state is None
    with pytest.raises(RuntimeError, match="has not begun"):
        _ = trained[3].predictor


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [0, ROWS]}, "rows has 120, rows are 0 to 119"),
        ({"rows": []}, "rows"),
        ({"validation_rows": [-1]}, "validation_rows has -1"),
        ({"sample_weight": [1.0]}, r"sample_weight has shape \(1,\)"),
        ({"rows": [True]}, "rows has 1 booleans"),
    ],
)
def test_wrong_rows(data, change, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fit_many(
            [Member(net, optim.Adam, **change)],
            *data,
            loss=nn.CrossEntropyLoss(),
            epochs=1,
            **QUIET,
        )


def test_what_is_no_model_no_rows_and_no_column(data):
    options = {"loss": nn.CrossEntropyLoss(), "epochs": 1, **QUIET}
    with pytest.raises(TypeError, match="model gives a int, it must give a Module"):
        fit_many([Member(lambda: 3, optim.Adam)], *data, **options)
    with pytest.raises(ValueError, match="y is missing"):
        fit_many([Member(net, optim.Adam)], [data], None, **options)
    with pytest.raises(ValueError, match=r"X is \(\), it must have an array of rows"):
        fit_many([Member(net, optim.Adam)], (), data[1], **options)
    trained = fit_many([Member(net, optim.Adam)], *data, **options)
    with pytest.raises(ValueError, match="name is 'validation_loss'; the epochs have epoch, tr"):
        trained.ranked()
    with pytest.raises(ValueError, match="mode is 'best'"):
        trained.column("train_loss", mode="best")
    assert fit_many([], *data, **options).ranked() == ()


class Scaled(nn.Module):
    """A loss that is trained."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(pyml.ones(3))

    def forward(self, output, target):
        return nn.functional.cross_entropy(output * self.scale, target)


def shared_by(kind):
    """Members that train something of one another, and their loss."""
    model, loss = net(), nn.CrossEntropyLoss()
    if kind == "model":
        return [Member(model, optim.Adam)] * 2, loss
    if kind == "function":
        return [Member(lambda: model, optim.Adam, seed=i) for i in range(2)], loss
    if kind == "layer":
        models = [nn.Sequential(model, nn.Linear(3, 3)) for _ in range(2)]
        return [Member(m, optim.Adam) for m in models], loss
    if kind == "statistics":
        norm = nn.BatchNorm1d(5, affine=False)
        return [Member(lambda: nn.Sequential(norm, plain()), optim.Adam) for _ in range(2)], loss
    return [Member(net, optim.Adam) for _ in range(2)], Scaled()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("model", "Linear"),
        ("function", "Linear"),
        ("layer", "Linear"),
        ("statistics", "BatchNorm1d"),
        ("loss", "Scaled"),
    ],
)
def test_members_that_train_the_same_module(data, kind, name):
    """None would have the bits of its lone run."""
    members, loss = shared_by(kind)
    said = rf"members\[.\] has the {name} of members\[.\], which training changes"
    with pytest.raises(ValueError, match=said):
        fit_many(members, *data, loss=loss, epochs=1, **QUIET)


def test_members_may_have_a_frozen_layer_in_common(data):
    frozen = nn.Linear(5, 5).requires_grad_(False)
    mix = (
        *(lambda: nn.Sequential(frozen, plain()), optim.Adam, None, {}, {"epochs": 2}),
        *(None, None, None),
    )
    members = [member_of(mix, seed) for seed in range(3)]
    for _ in range(2):  # and be trained again
        trained = fit_many(members, *data, loss=nn.CrossEntropyLoss(), threads=2, **QUIET)
    for found in trained:
        same_bits(found, alone(mix, found.seed, *data))


def test_an_error_says_of_which_member(data):
    members = [Member(net, optim.Adam), Member(net, optim.Adam, rows=[1])]
    with pytest.raises(ValueError, match="more than 1 value per channel") as raised:
        fit_many(members, *data, loss=nn.CrossEntropyLoss(), epochs=1, threads=1, **QUIET)
    if hasattr(raised.value, "add_note"):
        assert raised.value.__notes__ == ["It was raised by members[1] of fit_many."]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (Member(net, optim.Adam), "members is a Member, it must be a list of Members"),
        (None, "members is a NoneType"),
        ([net], r"members\[0\] is a function, it must be a Member"),
    ],
)
def test_what_are_no_members(data, members, message):
    with pytest.raises(TypeError, match=message):
        fit_many(members, *data, loss=nn.CrossEntropyLoss(), epochs=1)


def measured(sender, count):
    """How many bytes the peak of this process has grown by, of so many members."""
    import resource

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

    x = np.random.default_rng(0).normal(size=(1000, 10)).astype(np.float32)
    y, options = (x[:, 0] > 0).astype(np.int64), {"epochs": 2, "batch_size": 100, **QUIET}
    members = [Member(partial(mlp, 10, (45, 45), 10), optim.Adam) for _ in range(count)]
    options["loss"] = nn.CrossEntropyLoss()
    fit_many(members[:4], x, y, **options)
    before = peak()
    trained = fit_many(members, x, y, validation=0.2, **options)
    sender.send((peak() - before, trained.finished))


@pytest.mark.exhaustive
@pytest.mark.skipif(os.name == "nt", reason="there is no module resource")
def test_a_thousand_members_are_small():
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=measured, args=(sender, 1000))
    child.start()
    grown, is_finished = receiver.recv()
    child.join()
    assert is_finished and grown < 200e6


# ---- folders -------------------------------------------------------------------------------------


def folds(epochs=6):
    make = [partial(optim.Adam, lr=0.01), partial(optim.SGD, lr=0.1, momentum=0.9)]
    return [
        Member(
            partial(net, 0.2),
            make[i % 2],
            partial(lr_scheduler.CosineAnnealingLR, T_max=epochs),
            ema=0.9 if i == 2 else None,
            callbacks=[EarlyStopping(patience=3)],
            rows=np.arange(ROWS) % 4 != i,
            validation_rows=np.arange(ROWS) % 4 == i,
        )
        for i in range(4)
    ]


OPTIONS = {"loss": nn.CrossEntropyLoss(), "epochs": 6, "batch_size": 16, **QUIET}


def same_trained(got, wanted):
    for a, b in zip(got, wanted, strict=True):
        assert a.finished and a.history.stopped == b.history.stopped
        for name, value in b.state.items():
            np.testing.assert_array_equal(a.state[name], value)
        if b.averaged is not None:
            for name, value in b.averaged.items():
                np.testing.assert_array_equal(a.averaged[name], value)
        wanted_losses = b.history.column("validation_loss")
        np.testing.assert_array_equal(a.history.column("validation_loss"), wanted_losses)


def test_a_folder_goes_on(data, tmp_path, monkeypatch):
    monkeypatch.setattr("pyml.train.many.SAVE_SECONDS", 0)
    wanted = fit_many(folds(), *data, **OPTIONS)

    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                raise InterruptedError

    members = folds()
    members[1].callbacks.append(Stop())
    with pytest.raises(InterruptedError):
        fit_many(members, *data, checkpoint=tmp_path / "runs", threads=1, **OPTIONS)
    same_trained(fit_many(folds(), *data, checkpoint=tmp_path / "runs", **OPTIONS), wanted)
    same_trained(fit_many(folds(), *data, checkpoint=tmp_path / "runs", **OPTIONS), wanted)
    with pytest.raises(ValueError, match="a folder of other members"):
        fit_many(folds()[:2], *data, checkpoint=tmp_path / "runs", **OPTIONS)


def of_lr(lr, rows=None, width=8):
    return Member(partial(net, 0.0, width), partial(optim.Adam, lr=lr), rows=rows)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"members": [of_lr(0.01), of_lr(0.03)]}, r"members\[1\] was .*lr=0.02\).*lr=0.03\)"),
        ({"members": [of_lr(0.01), of_lr(0.02, width=9)]}, r"members\[1\] was "),
        ({"members": [of_lr(0.01, [1, 2]), of_lr(0.02)]}, r"members\[0\] was .*rows=int64\(2,\)"),
        ({"epochs": 2}, "they had .*epochs=1, .*, here it is .*epochs=2, "),
        ({"loss": nn.CrossEntropyLoss(label_smoothing=0.1)}, "they had loss="),
    ],
    ids=["rate", "width", "rows", "epochs", "loss"],
)
def test_a_folder_of_other_options(data, tmp_path, change, words):
    """What was trained otherwise is not given back as if it were theirs."""
    options = {"members": [of_lr(0.01), of_lr(0.02)], "loss": nn.CrossEntropyLoss(), "epochs": 1}
    fit_many(options["members"], *data, loss=options["loss"], epochs=1, checkpoint=tmp_path)
    options |= change
    with pytest.raises(ValueError, match=f"a folder of other members: {words}"):
        fit_many(options.pop("members"), *data, **options, checkpoint=tmp_path)


@pytest.mark.parametrize("what", ["X", "y", "sample_weight"])
def test_a_folder_of_other_data(data, tmp_path, what):
    """Rows as many as these, but others."""
    given = {"X": data[0], "y": data[1], "sample_weight": np.ones(ROWS)}
    options = {"loss": nn.CrossEntropyLoss(), "epochs": 1, "checkpoint": tmp_path, **QUIET}
    for _ in range(2):
        fit_many([of_lr(0.01)], **given, **options)
    given[what] = given[what][::-1].copy()
    given["sample_weight"][0] = 0.5 if what == "sample_weight" else 1.0
    said = "their X and y differ" if what in "Xy" else "they had .*sample_weight=float64"
    with pytest.raises(ValueError, match=f"a folder of other members: {said}"):
        fit_many([of_lr(0.01)], **given, **options)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[3]"])
def test_a_folder_that_is_damaged(data, tmp_path, content):
    (tmp_path / "members.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"members.json is damaged .*; pass another folder"):
        fit_many([of_lr(0.01)], *data, **OPTIONS, checkpoint=tmp_path)


def in_folder(data, folder):
    from pyml.train import many

    many.SAVE_SECONDS = 0
    fit_many(folds(), *data, checkpoint=folder, threads=2, **OPTIONS)


def test_a_kill_loses_nothing(data, tmp_path, exhaustive):
    wanted = fit_many(folds(), *data, **OPTIONS)
    draw = np.random.default_rng(3)
    context = multiprocessing.get_context("spawn")
    for k in range(100 if exhaustive else 1):
        folder = tmp_path / str(k)
        child = context.Process(target=in_folder, args=(data, folder))
        child.start()
        while not any(folder.glob("member-*")) and child.is_alive():
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.05))
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
        child.join()
        same_trained(fit_many(folds(), *data, checkpoint=folder, **OPTIONS), wanted)
