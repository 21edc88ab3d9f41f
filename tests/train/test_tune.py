"""tune: the same search on any number of threads, stopped and gone on, and Optuna's samplers."""

from functools import partial

import numpy as np
import pytest

from pyml import nn, optim
from pyml.train import Integers, Member, Uniform, fit_many, mlp, tune
from pyml.train.tune import Trial, Tuning

SPACE = {"lr": Uniform(1e-3, 1.0, log=True), "width": Integers(4, 5), "momentum": [0.0, 0.9]}


@pytest.fixture
def data(rng):
    x = rng.normal(size=(100, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def member(config):
    make = partial(optim.SGD, lr=config["lr"], momentum=config["momentum"])
    return Member(partial(mlp, 4, (config["width"],), 2), make)


OPTIONS = {"loss": nn.CrossEntropyLoss(), "validation": 0.3, "batch_size": 20, "progress": False}
HALVING = {"trials": 9, "epochs": 6, "halving": 2, "at_once": 4, **OPTIONS}


def what(tuning):
    return [(t.number, t.config, t.value, t.epochs) for t in tuning]


def test_at_random_trials_are_members(data):
    tuning = tune(SPACE, member, *data, trials=4, epochs=2, **OPTIONS)
    again = fit_many([member(t.config) for t in tuning], *data, epochs=2, **OPTIONS)
    for trial, found in zip(tuning, again, strict=True):
        assert trial.value == found.history.column("validation_loss").min()
    assert tuning.best.value == min(t.value for t in tuning)
    assert len({t.config["lr"] for t in tuning}) == 4


def test_halving_is_the_same_on_any_threads(data):
    one, three = (tune(SPACE, member, *data, threads=n, **HALVING) for n in (1, 3))
    assert what(one) == what(three)
    epochs = [t.epochs for t in one]
    assert set(epochs) <= {1, 2, 4, 6} and min(epochs) == 1 and max(epochs) > 1
    assert one.table()[0]["trial"] == one.best.number


def test_a_trial_that_went_on_is_a_lone_run(data):
    tuning = tune(SPACE, member, *data, **HALVING)
    whole = fit_many([member(t.config) for t in tuning], *data, epochs=6, **OPTIONS)
    for t in tuning:
        losses = t.trained.history.column("validation_loss")
        wanted = whole[t.number].history.column("validation_loss")[: t.epochs]
        np.testing.assert_array_equal(losses, wanted)


def test_a_search_goes_on(data, tmp_path):
    wanted = tune(SPACE, member, *data, **HALVING)

    calls = []

    def fails(epoch):
        calls.append(epoch)
        if len(calls) == 8:
            raise InterruptedError

    def failing(config):
        made = member(config)
        made.callbacks.append(fails)
        return made

    with pytest.raises(InterruptedError):
        tune(SPACE, failing, *data, checkpoint=tmp_path, threads=1, **HALVING)
    assert list(tmp_path.glob("member-*"))
    for _ in range(2):
        assert what(tune(SPACE, member, *data, checkpoint=tmp_path, **HALVING)) == what(wanted)


def test_picture(data, tmp_path):
    pytest.importorskip("matplotlib")
    tuning = tune(SPACE, member, *data, trials=3, epochs=2, **OPTIONS)
    tuning.plot(tmp_path / "tuning.png")
    assert (tmp_path / "tuning.png").stat().st_size > 1000


def test_a_sampler_of_optuna(data):
    optuna = pytest.importorskip("optuna", reason="optuna is not installed")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = [
        tune(
            *(SPACE, member, *data),
            **{"trials": 6, "epochs": 2, "at_once": 2, "threads": threads, **OPTIONS},
            sampler=optuna.samplers.TPESampler(seed=3, n_startup_trials=2),
        )
        for threads in (1, 2)
    ]
    assert what(found[0]) == what(found[1]) and len(found[0]) == 6


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"space": {}}, TypeError, "space is {}"),
        ({"space": {"lr": 3}}, TypeError, r"space\['lr'\] is 3"),
        ({"member": dict}, TypeError, "member gives a dict"),
        ({"halving": 1}, ValueError, "halving"),
        ({"monitor": "nothing"}, ValueError, "monitor is 'nothing'"),
        ({"halving": 2, "sampler": 3}, ValueError, "halving and sampler"),
    ],
)
def test_wrong_arguments(data, change, error, message):
    given = {"space": SPACE, "member": member, "trials": 2, "epochs": 2, **OPTIONS, **change}
    with pytest.raises(error, match=message):
        tune(given.pop("space"), given.pop("member"), *data, **given)


def test_a_tuning_is_of_trials():
    with pytest.raises(TypeError, match=r"trials\[1\] is a int, not a Trial"):
        Tuning([Trial(0, {}), 1], "loss", "min")
