"""Schedules against their closed forms; chained, changed by hand, saved. See also tests/parity."""

import functools
import math
import random

import pytest

import pyml
from optim.cases import parameter, tensor
from optim.schedules import SCHEDULES
from pyml import optim
from pyml.optim import lr_scheduler
from pyml.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from pyml.optim.swa_utils import SWALR

EPOCHS = 70  # longer than the horizon of each schedule


def make_optimizer(lr=0.5):
    p = parameter([1.0])
    return optim.SGD([{"params": [p]}, {"params": [parameter([1.0])], "lr": 0.2}], lr=lr)


def rates(optimizer, scheduler, epochs):
    """The learning rates of epochs 0 .. epochs-1."""
    seen = []
    for _ in range(epochs):
        seen.append(scheduler.get_last_lr())
        assert seen[-1] == [float(group["lr"]) for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step()
    return seen


each = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


@each
def test_closed_form(schedule):
    optimizer = make_optimizer()
    for epoch, seen in enumerate(rates(optimizer, schedule.make(optimizer), EPOCHS)):
        assert seen == pytest.approx([schedule.rate(epoch, lr) for lr in (0.5, 0.2)], rel=1e-12)


COMPOSED = ("SequentialLR", "ChainedScheduler")
deprecated = pytest.mark.filterwarnings("ignore:step.epoch. of a scheduler is deprecated")


@each
@deprecated
def test_an_epoch(schedule):
    """Forth and back, and on from there."""
    optimizer = make_optimizer()
    scheduler = schedule.make(optimizer)
    optimizer.step()
    if schedule.name in COMPOSED:
        with pytest.raises(TypeError, match="argument"):
            scheduler.step(3)
        return
    for epoch in (4, 2, 0, 3, None):
        scheduler.step(epoch)
        epoch = 4 if epoch is None else epoch
        wanted = [schedule.rate(epoch, lr) for lr in (0.5, 0.2)]
        assert scheduler.last_epoch == epoch
        assert scheduler.get_last_lr() == pytest.approx(wanted, rel=1e-12)
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]


@each
def test_recorded(schedule):
    """A step that holds the scheduler's, replayed by call and by run, has the eager one's rates."""

    def rates_of(record, run=0):
        optimizer = make_optimizer()
        scheduler = schedule.make(optimizer)
        w = optimizer.param_groups[0]["params"][0]

        def step(x):
            optimizer.zero_grad()
            loss = (w * x).sum()
            loss.backward()
            optimizer.step()
            scheduler.step()
            return loss

        step = pyml.record(step) if record else step
        seen = []
        for i in range(EPOCHS - run):
            step(pyml.full((1,), 1.0 + i))
            seen.append(scheduler.get_last_lr())
        if run:
            step.run(pyml.full((run, 1), 1.0), batch_size=1)
            seen += [None] * (run - 1) + [scheduler.get_last_lr()]
        return seen, w.item() if not run else None

    eager = rates_of(False)
    assert rates_of(True) == eager
    assert rates_of(True, run=20)[0][-1] == eager[0][-1]


def test_two_schedules_multiply():
    optimizer = make_optimizer()
    first, second = StepLR(optimizer, 2, 0.5), LinearLR(optimizer, 0.1, 1.0, 4)
    for epoch in range(8):
        factor = 0.5 ** (epoch // 2) * (0.1 + 0.9 * min(epoch, 4) / 4)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * factor, rel=1e-12)
        optimizer.step()
        first.step()
        second.step()


def test_a_change_by_hand_is_scaled_on():
    optimizer = make_optimizer()
    scheduler = StepLR(optimizer, 1, 0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 8.0
    scheduler.step()
    assert scheduler.get_last_lr() == [4.0, 0.1]
    assert scheduler.base_lrs == [0.5, 0.2]
    assert optimizer.param_groups[0]["initial_lr"] == 0.5


def test_a_tensor_stays_the_tensor():
    lr = tensor(0.5)
    optimizer = make_optimizer(lr)
    scheduler = StepLR(optimizer, 1, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == 0.25
    assert scheduler.get_last_lr() == [0.25, 0.1]


@each
def test_saved_and_resumed(schedule):
    optimizer = make_optimizer()
    scheduler = schedule.make(optimizer)
    whole = rates(optimizer, scheduler, 12)

    optimizer = make_optimizer()
    scheduler = schedule.make(optimizer)
    first = rates(optimizer, scheduler, 5)
    saved = scheduler.state_dict(), optimizer.state_dict()
    assert "optimizer" not in saved[0]
    resumed_optimizer = make_optimizer()
    resumed = schedule.make(resumed_optimizer)
    resumed.load_state_dict(saved[0])
    resumed_optimizer.load_state_dict(saved[1])
    assert first + rates(resumed_optimizer, resumed, 7) == whole
    if "last_epoch" in saved[0]:  # not of a ChainedScheduler
        assert saved[0]["last_epoch"] == 5  # the state_dict is a copy
    assert resumed.last_epoch == 12


def test_every_schedule_is_in_the_table():
    apart = {"LRScheduler", "ReduceLROnPlateau"}  # whose rates are no function of the epoch
    missing = set(lr_scheduler.__all__) - apart - {row.name for row in SCHEDULES}
    assert not missing


def test_resumed_by_last_epoch():
    optimizer = make_optimizer()
    rates(optimizer, LinearLR(optimizer, 0.1, 0.9, 9), 4)
    before = [group["lr"] for group in optimizer.param_groups]
    scheduler = LinearLR(optimizer, 0.1, 0.9, 9, last_epoch=3)
    assert scheduler.get_last_lr() == before
    assert scheduler.last_epoch == 4
    with pytest.raises(KeyError, match="initial_lr"):
        StepLR(make_optimizer(), 2, last_epoch=3)


def test_step_before_the_optimizer_warns():
    optimizer = make_optimizer()
    scheduler = StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="before optimizer.step"):
        scheduler.step()
    scheduler.step()


def test_a_step_that_was_put_over_the_optimizers_warns():
    """Schedulers made before do not see its calls; those made after count on it."""
    optimizer = make_optimizer()
    before = StepLR(optimizer, 2)
    inner = optimizer.step
    optimizer.step = lambda: inner()
    optimizer.step()
    with pytest.warns(UserWarning, match=r"`optimizer.step\(\)` has been overridden after"):
        before.step()
    before.step()
    after = StepLR(optimizer, 2)
    optimizer.step()
    after.step()


def test_the_first_step_after_a_resume_does_not_warn():
    optimizer = make_optimizer()
    scheduler = StepLR(optimizer, 2)
    optimizer.step()
    saved = optimizer.state_dict(), scheduler.state_dict()
    optimizer = make_optimizer()
    scheduler = StepLR(optimizer, 2)
    optimizer.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])
    scheduler.step()
    assert scheduler.last_epoch == 1


def test_refusals():
    optimizer = make_optimizer()
    made = StepLR(make_optimizer(), 2)
    plateau = ReduceLROnPlateau(make_optimizer())
    for make, match in [
        (lambda: StepLR(optimizer, 0), "step_size is 0"),
        (lambda: LinearLR(optimizer, 0.0), "start_factor is 0.0"),
        (lambda: LinearLR(optimizer, 1.5), "start_factor is 1.5"),
        (lambda: LinearLR(optimizer, 0.5, -1), "end_factor is -1"),
        (lambda: LinearLR(optimizer, 0.5, 1.0, -1), "total_iters is -1"),
        (lambda: LinearLR(optimizer, 0.5, 1.0, 10**400), "total_iters is 1000"),
        (lambda: StepLR(optimizer, float("nan")), "step_size is nan"),
        (lambda: StepLR(optimizer, 2, float("nan")), "gamma is nan"),
        (lambda: CosineAnnealingLR(optimizer, 0), "T_max is 0, it must be >= 1"),
        (lambda: CosineAnnealingLR(optimizer, 2, float("nan")), "eta_min is nan"),
        (lambda: MultiStepLR(optimizer, [3, -1]), r"milestones\[1\] is -1, it must be >= 0"),
        (lambda: MultiStepLR(optimizer, [3], float("nan")), "gamma is nan"),
        (lambda: ExponentialLR(optimizer, None), "ExponentialLR: gamma is None"),
        (lambda: ConstantLR(optimizer, 0.0), "ConstantLR: factor is 0.0, it must be in"),
        (lambda: ConstantLR(optimizer, 0.5, -1), "ConstantLR: total_iters is -1"),
        (lambda: PolynomialLR(optimizer, -1), "PolynomialLR: total_iters is -1"),
        (lambda: PolynomialLR(optimizer, 5, -1.0), "PolynomialLR: power is -1.0"),
        (lambda: CosineAnnealingWarmRestarts(optimizer, 0), "T_0 is 0, it must be >= 1"),
        (lambda: CosineAnnealingWarmRestarts(optimizer, 5, 0), "T_mult is 0, it must be >= 1"),
        (lambda: CosineAnnealingWarmRestarts(optimizer, 5, 1, math.inf), "eta_min is inf"),
        (lambda: OneCycleLR(optimizer, 0.5), "pass total_steps, or epochs and steps_per_epoch"),
        (lambda: OneCycleLR(optimizer, 0.5, 0), "total_steps is 0, it must be >= 1"),
        (lambda: OneCycleLR(optimizer, [0.5], 9), "max_lr has 1 numbers, the optimizer 2 groups"),
        (lambda: OneCycleLR(optimizer, 0.5, 9, pct_start=1.5), "pct_start is 1.5"),
        (lambda: OneCycleLR(optimizer, 0.5, 9, anneal_strategy="sin"), "anneal_strategy is 'sin'"),
        (lambda: CyclicLR(optimizer, 0.1, 0.5, 0), "step_size_up is 0, it must be > 0"),
        (lambda: CyclicLR(optimizer, 0.1, 0.5, mode="square"), "mode is 'square'"),
        (lambda: CyclicLR(optimizer, 0.1, 0.5, scale_mode="x", scale_fn=abs), "scale_mode is 'x'"),
        (lambda: CyclicLR(optim.Adagrad([parameter([1.0])]), 0.1, 0.5), "has no momentum or betas"),
        (lambda: ReduceLROnPlateau(optimizer, "least"), "mode is 'least', it must be 'min' or"),
        (lambda: ReduceLROnPlateau(optimizer, factor=1.0), "factor is 1.0"),
        (lambda: ReduceLROnPlateau(optimizer, min_lr=[0.1]), "min_lr has 1 rates"),
        (lambda: SequentialLR(optimizer, [], []), "schedulers is empty"),
        (lambda: ChainedScheduler([]), "schedulers is empty"),
        (lambda: ChainedScheduler([made], optimizer), r"schedulers\[0\] is of another optimizer"),
        (lambda: ChainedScheduler([plateau]), "is a ReduceLROnPlateau, whose step"),
        (lambda: SequentialLR(made.optimizer, [made, made], [1, 2]), "milestones has 2 epochs"),
        (lambda: SequentialLR(made.optimizer, [made] * 3, [2, 1]), "is 1 after 2, they must not"),
        (lambda: LambdaLR(optimizer, [abs]), "lr_lambda has 1 functions, the optimizer 2 groups"),
        (lambda: StepLR(optimizer, 2, last_epoch=-2), "StepLR: last_epoch is -2"),
        (lambda: SWALR(optimizer, 1.0, -1), "SWALR: anneal_epochs is -1.*anneal_epochs must be eq"),
        (lambda: SWALR(optimizer, 1.0, 1.7), "SWALR: anneal_epochs is 1.7, not an integer"),
        (lambda: SWALR(optimizer, [1.0] * 3), "swa_lr has 3 numbers.*swa_lr must be one for"),
        (lambda: SWALR(optimizer, 1.0, 2, "exp"), "anneal_strategy is 'exp'.*anneal_strategy must"),
    ]:
        with pytest.raises(ValueError, match=match):
            make()
    for make, match in [
        (lambda: StepLR(0.5, 2), "Optimizer, not float"),
        (lambda: MultiStepLR(optimizer, 3), r"milestones is 3, it must be a list.* use \[epoch\]"),
        (lambda: CosineAnnealingWarmRestarts(optimizer, 2.5), "T_0 is 2.5, it must be an integer"),
        (lambda: LambdaLR(optimizer, 0.5), "LambdaLR: lr_lambda is 0.5, it must be a function"),
        (lambda: MultiplicativeLR(optimizer, [abs, 1]), r"lr_lambda\[1\] is 1, it must be"),
        (lambda: LambdaLR(optimizer, lambda epoch: None), "group 0 returned None for epoch 0"),
        (lambda: MultiStepLR(optimizer, [2.5]), r"milestones\[0\] is 2.5, it must be an integer"),
    ]:
        with pytest.raises(TypeError, match=match):
            make()
    assert "initial_lr" not in optimizer.param_groups[0]
    with pytest.raises(NotImplementedError, match="get_lr"):
        LRScheduler(optimizer)


def test_restarts_between_epochs():
    """step(epoch) goes to any place, forth and back; step() goes on from there."""
    optimizer = make_optimizer()
    scheduler = CosineAnnealingWarmRestarts(optimizer, 3, 3, 0.1)
    optimizer.step()
    for epoch in (0.5, 2.75, 3, 3.5, 12, 39, 38.5, 1):
        scheduler.step(epoch)
        first = max(start for start in (0, 3, 12, 39) if start <= epoch)
        length = {0: 3, 3: 9, 12: 27, 39: 81}[first]
        height = 1 + math.cos(math.pi * (epoch - first) / length)
        wanted = [0.1 + (lr - 0.1) * height / 2 for lr in (0.5, 0.2)]
        assert scheduler.get_last_lr() == pytest.approx(wanted, rel=1e-12)
        assert scheduler.last_epoch == math.floor(epoch)
    scheduler.step()
    assert scheduler.get_last_lr()[0] == pytest.approx(0.1 + 0.4 * 0.25, rel=1e-12)
    before = scheduler.state_dict()
    for epoch, error in [(-1, ValueError), (math.inf, ValueError), ("1", TypeError)]:
        with pytest.raises(error, match="CosineAnnealingWarmRestarts: step: epoch is"):
            scheduler.step(epoch)
    assert scheduler.state_dict() == before
    resumed = CosineAnnealingWarmRestarts(optimizer, 3, 3, 0.1, last_epoch=12)
    assert (resumed.T_cur, resumed.T_i) == (1, 27)


def test_a_step_whose_function_raises_changes_nothing():
    optimizer = make_optimizer()
    scheduler = LambdaLR(optimizer, lambda epoch: 1 / (3 - epoch))
    rates(optimizer, scheduler, 2)
    before = scheduler.state_dict()
    with pytest.raises(ZeroDivisionError):
        scheduler.step()
    assert scheduler.state_dict() == before
    assert [group["lr"] for group in optimizer.param_groups] == before["_last_lr"]


class Scaled:
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, epoch):
        return self.scale / (1 + epoch)


def test_functions_are_saved_as_their_attributes():
    f, g = Scaled(2.0), Scaled(3.0)
    state = LambdaLR(make_optimizer(), [f, abs]).state_dict()
    assert state["lr_lambdas"] == [{"scale": 2.0}, None]
    scheduler = LambdaLR(make_optimizer(), [g, abs])
    scheduler.load_state_dict(state)
    assert g.scale == 2.0
    assert scheduler.lr_lambdas == [g, abs]
    other = LambdaLR(make_optimizer(), abs)
    with pytest.raises(ValueError, match=r"lr_lambdas\[0\] has attributes of an object"):
        other.load_state_dict(state)
    with pytest.raises(ValueError, match="lr_lambdas has 1 items, the scheduler 2"):
        other.load_state_dict(state | {"lr_lambdas": [None]})
    with pytest.raises(TypeError, match=r"lr_lambdas\[1\] is 3, it must be None or a dict"):
        other.load_state_dict(state | {"lr_lambdas": [None, 3]})


def test_scale_fn_is_saved_as_its_attributes():
    f, g = Scaled(2.0), Scaled(3.0)
    options = {"base_lr": 0.1, "max_lr": 0.5, "cycle_momentum": False}
    state = CyclicLR(make_optimizer(), scale_fn=f, **options).state_dict()
    assert state["_scale_fn_custom"] == {"scale": 2.0}
    scheduler = CyclicLR(make_optimizer(), scale_fn=g, **options)
    scheduler.load_state_dict(state)
    assert g.scale == 2.0
    with pytest.raises(ValueError, match="_scale_fn_custom has attributes of an object"):
        CyclicLR(make_optimizer(), scale_fn=abs, **options).load_state_dict(state)


calls = []
drawn = random.Random(1)


def counted(epoch):
    calls.append(epoch)
    return 1 / len(calls)


class Counted:
    def __init__(self):
        self.count = 0

    def __call__(self, epoch):
        self.count += 1
        return 1 / self.count


IMPURE = {
    "uses the attribute append": counted,
    "changes what is kept": Counted(),
    "uses random, random": lambda epoch: random.random(),
    "uses drawn, a Random": lambda epoch: drawn.random(),
    "is a _lru_cache_wrapper": functools.lru_cache(lambda epoch: 1.0),
    "has a list and an assignment": lambda epoch, c=[1]: helper_in_place(epoch, c),
}


def helper_in_place(epoch, c):
    c += [epoch]
    return 1 / len(c)


@pytest.mark.parametrize("match", IMPURE)
def test_recorded_steps_refuse_other_functions_than_of_numbers(match):
    optimizer = make_optimizer()
    w = optimizer.param_groups[0]["params"][0]
    scheduler = LambdaLR(optimizer, IMPURE[match])

    @pyml.record
    def step(x):
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    with pytest.raises(pyml.RecordError, match=f"LambdaLR for group 0, which {match}.*move it out"):
        step(pyml.ones(1))


@pytest.mark.parametrize(
    "mode, threshold_mode, worse, better",
    [
        ("min", "rel", 9.5, 8.9),
        ("min", "abs", 9.95, 9.5),
        ("max", "rel", 10.5, 11.1),
        ("max", "abs", 10.05, 10.5),
    ],
)
def test_what_is_better_by_a_threshold(mode, threshold_mode, worse, better):
    optimizer = make_optimizer(lr=0.5)
    options = {"threshold": 0.1, "threshold_mode": threshold_mode, "patience": 0, "factor": 0.5}
    scheduler = ReduceLROnPlateau(optimizer, mode, **options)
    for metric, best, lr in ((10.0, 10.0, 0.5), (worse, 10.0, 0.25), (better, better, 0.25)):
        scheduler.step(metric)
        assert (scheduler.best, scheduler.get_last_lr()[0]) == (best, lr)


def test_plateau():
    optimizer = make_optimizer()
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=[0, 0.15])
    seen = []
    for loss in (3.0, 2.0, 2.0, math.nan, 2.0, 2.0, pyml.tensor(2.0), 1.0):
        optimizer.step()
        scheduler.step(loss)
        seen.append(scheduler.get_last_lr())
    first, second, third = [0.5, 0.2], [0.25, 0.15], [0.125, 0.15]
    assert seen == [first] * 3 + [second] * 3 + [third] * 2
    assert scheduler.best == 1.0
    resumed = ReduceLROnPlateau(optimizer)
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.state_dict() == scheduler.state_dict()
    for call, match in [
        (lambda: scheduler.step(), r"needs the epoch's metric, step\(loss\)"),
        (lambda: scheduler.step("2"), "metrics is '2', it must be a number"),
    ]:
        with pytest.raises(TypeError, match=match):
            call()
    assert resumed.state_dict() == scheduler.state_dict()


def test_recorded_steps_refuse_a_metric():
    optimizer = make_optimizer()
    w = optimizer.param_groups[0]["params"][0]
    scheduler = ReduceLROnPlateau(optimizer)

    @pyml.record
    def step(x):
        loss = (w * x).sum()
        scheduler.step(loss)
        return loss

    with pytest.raises(pyml.RecordError, match=r"ReduceLROnPlateau.step.*move it out"):
        step(pyml.ones(1))
    assert scheduler.last_epoch == 0


def test_sequential_resumed_by_last_epoch():
    optimizer = make_optimizer()
    parts = [LinearLR(optimizer, 0.1, 1.0, 4), StepLR(optimizer, 2, 0.5)]
    whole = rates(optimizer, SequentialLR(optimizer, parts, [4]), 9)
    optimizer = make_optimizer()
    parts = [LinearLR(optimizer, 0.1, 1.0, 4), StepLR(optimizer, 2, 0.5)]
    assert SequentialLR(optimizer, parts, [4], last_epoch=6).get_last_lr() == whole[7]


def test_composed_of_composed():
    optimizer = make_optimizer()
    warmup = ChainedScheduler([ConstantLR(optimizer, 0.5, 9), ExponentialLR(optimizer, 0.5)])
    decay = ChainedScheduler([ConstantLR(optimizer, 0.5, 2), ExponentialLR(optimizer, 0.5)])
    scheduler = SequentialLR(optimizer, [warmup, decay], [2])
    seen = [lr for lr, _ in rates(optimizer, scheduler, 5)]
    assert seen == [0.25, 0.125, 0.25, 0.125, 0.125]
    assert (scheduler.last_epoch, decay.last_epoch) == (5, 3)


def test_a_cycle_that_is_over_changes_nothing():
    optimizer = make_optimizer()
    scheduler = OneCycleLR(optimizer, 0.5, total_steps=3)
    rates(optimizer, scheduler, 3)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match="step 4 is behind the cycle, whose total_steps is 3"):
        scheduler.step()
    assert scheduler.state_dict() == before


def test_an_epoch_is_deprecated():
    optimizer = make_optimizer()
    with pytest.warns(UserWarning, match=r"step\(epoch\) of a scheduler is deprecated") as seen:
        scheduler = StepLR(optimizer, 2)
        optimizer.step()
        scheduler.step(4)
    assert seen[0].filename == __file__ and len(seen) == 1
    with pytest.warns(UserWarning, match="deprecated"):
        plateau = ReduceLROnPlateau(optimizer)
        plateau.step(1.0, 7)
    assert plateau.last_epoch == 7


def test_an_epoch_without_steps_of_the_optimizer_warns_once():
    scheduler = StepLR(make_optimizer(), 2)
    with pytest.warns(UserWarning) as seen:
        scheduler.step(4)
    assert ["deprecated" in str(w.message) for w in seen] == [True, False]
    assert "before optimizer.step" in str(seen[1].message)


@deprecated
def test_an_epoch_that_is_none_changes_nothing():
    optimizer = make_optimizer()
    optimizer.step()
    for scheduler in (
        StepLR(optimizer, 2),
        OneCycleLR(optimizer, 1.0, 3),
        ReduceLROnPlateau(optimizer),
    ):
        before = scheduler.state_dict(), [dict(group) for group in optimizer.param_groups]
        metric = (1.0,) if isinstance(scheduler, ReduceLROnPlateau) else ()
        for epoch, error in [(-1, ValueError), (1.5, TypeError), ("2", TypeError)]:
            with pytest.raises(error, match=f"{type(scheduler).__name__}: step: epoch is"):
                scheduler.step(*metric, epoch)
        if isinstance(scheduler, OneCycleLR):
            with pytest.raises(ValueError, match="behind the cycle"):
                scheduler.step(4)
        assert (scheduler.state_dict(), optimizer.param_groups) == before


@pytest.mark.parametrize("make", [CosineAnnealingWarmRestarts, StepLR])
def test_recorded_steps_refuse_an_epoch(make):
    optimizer = make_optimizer()
    scheduler = make(optimizer, 3)

    @pyml.record
    def step(x):
        optimizer.step()
        scheduler.step(2)
        return x + 1

    with pytest.raises(pyml.RecordError, match=r"step\(epoch\) of .* \(use step\(\) without"):
        step(pyml.ones(1))


@pytest.mark.parametrize(
    "name, value, error, match",
    [
        ("last_epoch", ..., ValueError, "StepLR: state_dict lacks last_epoch; it is of another"),
        ("_last_lr", ..., ValueError, "lacks _last_lr"),
        ("last_epoch", -2, ValueError, "last_epoch is -2, it must be >= -1"),
        ("last_epoch", float("nan"), TypeError, "last_epoch is nan, it must be an integer"),
        ("last_epoch", "3", TypeError, "last_epoch is '3'"),
        ("last_epoch", True, TypeError, "last_epoch is True"),
        ("_step_count", -1, ValueError, "_step_count is -1"),
        ("_is_initial", 1, TypeError, "_is_initial is 1, it must be True or False"),
        ("step_size", 0, ValueError, "step_size is 0"),
        ("step_size", None, TypeError, "step_size is None"),
        ("gamma", float("nan"), ValueError, "gamma is nan"),
        ("gamma", [0.1], TypeError, "gamma is"),
        ("base_lrs", 0.5, TypeError, "base_lrs is 0.5, it must be a list"),
        ("base_lrs", {"0": 0.5}, TypeError, "base_lrs is"),
        ("base_lrs", ["0.5"], TypeError, r"base_lrs\[0\] is '0.5', it must be a number"),
        ("base_lrs", [0.5] * 3, ValueError, "base_lrs has 3 learning rates, the optimizer 2"),
        ("_last_lr", [], ValueError, "_last_lr has 0 learning rates, the optimizer 2"),
        ("optimizer", 3, ValueError, "has 'optimizer', which is not of a scheduler's state"),
        ("get_lr", 3, ValueError, "has 'get_lr'"),
        (3, 3, ValueError, "has 3, which is not"),
    ],
)
def test_a_damaged_state_is_refused_and_nothing_changes(name, value, error, match):
    scheduler = StepLR(make_optimizer(), 2, 0.5)
    before = scheduler.__dict__.copy()
    state = StepLR(make_optimizer(), 3).state_dict()
    if value is ...:
        del state[name]
    else:
        state[name] = value
    with pytest.raises(error, match=match):
        scheduler.load_state_dict(state)
    assert scheduler.__dict__ == before
    with pytest.raises(TypeError, match="state_dict must be a dict, not list"):
        scheduler.load_state_dict([state])


def test_polynomial_rate_of_no_epochs():
    optimizer = optim.SGD([pyml.zeros(1)], lr=0.5)
    assert PolynomialLR(optimizer, 0).get_lr() == [0.5]


@pytest.mark.parametrize("cycle_momentum", [False, True])
def test_scale_fn_is_asked_once_a_step(cycle_momentum):
    optimizer, asked = optim.SGD([parameter([1.0])], lr=0.5, momentum=0.9), []

    def scale(step):
        asked.append(step)
        return 1 / (1 + step)

    options = {"scale_mode": "iterations", "cycle_momentum": cycle_momentum}
    scheduler = CyclicLR(optimizer, 0.1, 0.9, 4, scale_fn=scale, **options)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    assert asked == [0, 1, 2, 3]


def test_a_sequence_whose_first_schedule_has_no_epoch_begins_with_the_second():
    optimizer = make_optimizer()
    parts = [LinearLR(optimizer, 0.5, total_iters=4), ConstantLR(optimizer, 0.25, total_iters=2)]
    scheduler = SequentialLR(optimizer, parts, [0])
    seen = [lr for lr, _ in rates(optimizer, scheduler, 3)]
    assert seen == [0.125, 0.125, 0.5]


def test_a_schedule_of_the_decay_that_is_refused_changes_nothing():
    optimizer = optim.SGD([parameter([1.0])], lr=1.0, weight_decay=0.5)
    before = dict(optimizer.param_groups[0])
    with pytest.raises(ValueError, match="total_steps"):
        optim.lr_scheduler.CosLogLR(optimizer, total_steps=0, flat_cos_decay=True)
    assert optimizer.param_groups[0] == before
