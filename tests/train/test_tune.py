"""tune: the same search on any number of threads, stopped and gone on, and Optuna's samplers."""

import pickle
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


def failing(epochs):
    """Makes members of which one ends the search: at so many epochs of all of them."""
    calls = []

    def fails(epoch):
        calls.append(epoch)
        if len(calls) == epochs:
            raise InterruptedError

    def made(config):
        one = member(config)
        one.callbacks.append(fails)
        return one

    return made


def test_a_search_goes_on(data, tmp_path):
    wanted = tune(SPACE, member, *data, **HALVING)

    with pytest.raises(InterruptedError):
        tune(SPACE, failing(8), *data, checkpoint=tmp_path, threads=1, **HALVING)
    assert list(tmp_path.glob("member-*"))
    for _ in range(2):
        assert what(tune(SPACE, member, *data, checkpoint=tmp_path, **HALVING)) == what(wanted)


def test_picture(data, tmp_path):
    pytest.importorskip("matplotlib")
    tuning = tune(SPACE, member, *data, trials=3, epochs=2, **OPTIONS)
    tuning.plot(tmp_path / "tuning.png")
    assert (tmp_path / "tuning.png").stat().st_size > 1000


@pytest.fixture
def optuna():
    found = pytest.importorskip("optuna", reason="optuna is not installed")
    found.logging.set_verbosity(found.logging.WARNING)
    return found


@pytest.fixture
def proposed(optuna):
    """Options of tune: a sampler, a pruner, both."""

    def options(name):
        sampler = optuna.samplers.TPESampler(seed=3, n_startup_trials=2)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=1)
        given = {"sampler": {"sampler": sampler}, "pruner": {"pruner": pruner, "first": 2}}
        given["both"] = given["sampler"] | given["pruner"]
        return {"trials": 6, "epochs": 5, "at_once": 2, **OPTIONS, **given[name]}

    return options


@pytest.mark.parametrize("name", ["sampler", "pruner", "both"])
def test_optuna_proposes(data, proposed, name, tmp_path):
    """The same on any threads and joblib's workers; stopped, it goes on to the same end."""
    ways = {"threads": 1}, {"threads": 3}, {"n_jobs": 1}
    one, *others = [tune(SPACE, member, *data, **proposed(name), **way) for way in ways]
    assert len(one) == 6 and all(what(other) == what(one) for other in others)
    whole = fit_many([member(t.config) for t in one], *data, epochs=5, **OPTIONS)
    for t in one:  # trials are lone runs, as far as they go
        losses = t.trained.history.column("validation_loss")
        wanted = whole[t.number].history.column("validation_loss")[: t.epochs]
        np.testing.assert_array_equal(losses, wanted)
    states = {trial.state.name for trial in one.study.trials}
    assert states == {"COMPLETE"} if name == "sampler" else states == {"COMPLETE", "PRUNED"}
    if name == "sampler":
        assert {t.epochs for t in one} == {5}
        assert [t.value for t in one.study.trials] == [t.value for t in one]
    else:
        assert {t.epochs for t in one} <= {2, 4, 5} and min(t.epochs for t in one) < 5

    with pytest.raises(InterruptedError):
        tune(SPACE, failing(12), *data, checkpoint=tmp_path, threads=1, **proposed(name))
    for _ in range(2):
        again = tune(SPACE, member, *data, checkpoint=tmp_path, **proposed(name))
        assert what(again) == what(one)


def test_a_sampler_that_has_tried_all_ends_the_search(data, optuna):
    """Of a grid: it calls study.stop(), which Optuna allows in its own loop alone."""
    given = {"trials": 20, "epochs": 1, "at_once": 2, **OPTIONS}
    space = {"width": [4, 5], "lr": [0.01, 0.1], "momentum": [0.0]}
    for sampler in (optuna.samplers.GridSampler(space, seed=0),):
        tuning = tune(space, member, *data, **given, sampler=sampler)
        assert 4 <= len(tuning) <= 5
        assert len({(t.config["width"], t.config["lr"]) for t in tuning}) == 4
        with pytest.raises(RuntimeError):  # it is Optuna's own again
            tuning.study.stop()


def test_what_is_no_sampler(data, optuna):
    for name in ("sampler", "pruner"):
        with pytest.raises(TypeError, match=f"{name} is 3, it must be one of optuna.{name}s"):
            tune(SPACE, member, *data, trials=1, **OPTIONS, **{name: 3})


def test_a_trial_that_fails_is_told(data, proposed):
    space = SPACE | {"lr": [1e-2, 1e38]}
    tuning = tune(space, member, *data, **proposed("both"))
    for trial, told in zip(tuning, tuning.study.trials, strict=True):
        assert (trial.config["lr"] == 1e38) == (told.state.name == "FAIL")
        assert (trial.trained.error is None) == (trial.config["lr"] == 1e-2)
    assert tuning.best.config["lr"] == 1e-2 and len({t.config["lr"] for t in tuning}) == 2


def test_values_that_optuna_cannot_keep(data, proposed):
    """Tuples, functions, arrays."""
    space = {"widths": [(4,), (5, 4)], "bias": [np.zeros(2), np.ones(2)], "f": [len, print]}

    def made(config):
        assert config["f"] in (len, print) and config["bias"].shape == (2,)
        return Member(partial(mlp, 4, config["widths"], 2), optim.Adam)

    tuning = tune(space, made, *data, **proposed("sampler"))
    assert {t.config["widths"] for t in tuning} == {(4,), (5, 4)}


OTHERS = [
    {"seed": 1},
    {"space": SPACE | {"lr": Uniform(1e-3, 0.5)}},
    {"space": {name: SPACE[name] for name in ("width", "momentum", "lr")}},
]


@pytest.mark.parametrize("change", OTHERS, ids=["seed", "values", "order"])
def test_a_folder_of_another_search(data, tmp_path, change):
    given = {"trials": 2, "epochs": 1, "checkpoint": tmp_path, **OPTIONS}
    tune(SPACE, member, *data, **given)
    change = dict(change)
    with pytest.raises(ValueError, match="a folder of "):
        tune(change.pop("space", SPACE), member, *data, **given, **change)


def test_a_folder_of_another_proposal(data, tmp_path, optuna):
    given = {"trials": 2, "epochs": 1, "checkpoint": tmp_path, **OPTIONS}
    tune(SPACE, member, *data, **given, sampler=optuna.samplers.RandomSampler(seed=1))
    with pytest.raises(ValueError, match="a folder of another search: trial 0 is lr: "):
        tune(SPACE, member, *data, **given, sampler=optuna.samplers.RandomSampler(seed=2))


def test_values_of_a_range_and_an_array(data):
    space = {"width": range(4, 6), "lr": np.array([0.01, 0.1]), "momentum": [0.9]}
    tuning = tune(space, member, *data, trials=4, epochs=1, **OPTIONS)
    assert {t.config["width"] for t in tuning} <= {4, 5}
    assert all(type(t.config["lr"]) is float for t in tuning)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"space": {}}, TypeError, "space is {}"),
        ({"space": {"epochs": [1, 2]}}, ValueError, "space has 'epochs', a column of the table"),
        ({"space": {"lr": np.array(3)}}, TypeError, r"space\['lr'\] is array\(3\)"),
        ({"space": {"lr": 3}}, TypeError, r"space\['lr'\] is 3"),
        ({"member": dict}, TypeError, "member gives a dict"),
        ({"halving": 1}, ValueError, "halving"),
        ({"monitor": "nothing"}, ValueError, "monitor is 'nothing'"),
        ({"halving": 2, "sampler": 3}, ValueError, "halving and sampler"),
        ({"halving": 2, "pruner": 3}, ValueError, "halving and pruner"),
    ],
)
def test_wrong_arguments(data, change, error, message):
    given = {"space": SPACE, "member": member, "trials": 2, "epochs": 2, **OPTIONS, **change}
    with pytest.raises(error, match=message):
        tune(given.pop("space"), given.pop("member"), *data, **given)


def test_trials_that_have_one_model(data):
    model = mlp(4, (4,), 2)
    with pytest.raises(ValueError, match=r"members\[1\] has the Linear of members\[0\]"):
        tune(SPACE, lambda config: Member(model, optim.Adam), *data, trials=2, epochs=1, **OPTIONS)


def test_ranges_that_cannot_be_drawn_from():
    inf = float("inf")
    for low, high in ((0, inf), (-inf, 0), (-1e308, 1e308), (1, 1), (0, float("nan"))):
        with pytest.raises(ValueError, match=r"Uniform: (low|high) is"):
            Uniform(low, high)
    for low, high in ((-(2**64), 0), (0, 2**63)):
        with pytest.raises(ValueError, match="it must be of 64 bits"):
            Integers(low, high)
    draw = np.random.default_rng(0)
    assert Integers(2**63 - 1, 2**63 - 1)._draw(draw) == 2**63 - 1


def test_numbers_of_numpy_and_of_trials(data):
    given = {"trials": 2, "epochs": 1, **OPTIONS}
    tuning = tune(SPACE, member, *data, **given, seed=np.int64(3))
    assert what(tuning) == what(tune(SPACE, member, *data, **given, seed=3))
    with pytest.raises(ValueError, match="count is 0"):
        tuning.ensemble(0)
    with pytest.raises(ValueError, match="no trial has a value; the time was over before"):
        _ = tune(SPACE, member, *data, **given, max_seconds=1e-9).best


def test_a_tuning_is_of_trials():
    with pytest.raises(TypeError, match=r"trials\[1\] is a int, it must be a Trial"):
        Tuning([Trial(0, {}), 1], "loss", "min")
    tuning = pickle.loads(pickle.dumps(Tuning([Trial(0, {})], "loss", mode="min")))
    assert len(tuning) == 1 and isinstance(tuning[0], Trial)
    assert (tuning.monitor, tuning.mode, tuning.study) == ("loss", "min", None)
