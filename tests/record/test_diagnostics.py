"""run(..., diagnostics=True): the numbers of an eager run looked at by hand, and no other bit."""

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim
from pyml.nn import functional as F
from record.programs import assert_same_state, state_of

ROWS, BATCH, STEPS = 24, 8, 9
RAN = [0, 1, 3]  # steps of the first run that Python runs: to record them, and to confirm that
FLAT = {"Tanh": lambda y: 1 - y * y < 0.1, "Sigmoid": lambda y: y * (1 - y) < 0.1 * 0.25}


def script(wrap, dtype="float32", *, optimizers=None, returns=lambda loss, x: loss, track=True):
    """A classifier with one of each layer that is measured, saturated and dead in places."""
    pyml.manual_seed(2)
    model = nn.Sequential(
        nn.Linear(4, 9, dtype=dtype),
        nn.BatchNorm1d(9, dtype=dtype, track_running_stats=track),
        nn.ReLU(),
        nn.Linear(9, 7, dtype=dtype),
        nn.Tanh(),
        nn.Linear(7, 5, dtype=dtype),
        nn.Sigmoid(),
        nn.Linear(5, 3, dtype=dtype),
        nn.ReLU(),
    )
    with pyml.no_grad():
        for layer, factor in ((model[1], 2), (model[3], 8), (model[5], 8), (model[7], 3)):
            layer.weight.mul_(factor)
        model[7].bias[1] = -20  # a dead one
    default = lambda model: [optim.SGD(model.parameters(), lr=0.5, momentum=0.9)]  # noqa: E731
    chosen = (optimizers or default)(model)
    x, y = pyml.randn(ROWS, 4, dtype=dtype), pyml.from_numpy(np.arange(ROWS) % 3)
    executions = ctypes.c_long()

    def step(x, y):
        executions.value += 1
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for optimizer in chosen:
            optimizer.step()
        return returns(loss, x)

    return SimpleNamespace(
        model=model, optimizers=chosen, x=x, y=y, step=wrap(step), executions=executions
    )


def by_hand(s):
    """name -> a number a step, of an eager run of the script: rows as they lie, three epochs."""
    found = {}

    def add(name, value):
        found.setdefault(name, []).append(value)

    def look(name, layer, before):
        def hook(module, args, output):
            y = output.detach().array.astype(np.longdouble)
            if isinstance(layer, nn.ReLU):
                add(f"dead_relu/{before}", (y <= 0).all(0).mean())
            elif isinstance(layer, nn.BatchNorm1d):
                x = args[0].detach().array.astype(np.longdouble)
                rstd = 1 / np.sqrt(x.var(0) + layer.eps)
                drift = (x.mean(0) - layer.running_mean.array) * rstd
                add(f"batchnorm_drift/{name}", np.sqrt((drift**2).mean()))
            else:
                add(f"saturation/{before}", FLAT[type(layer).__name__](y).mean())

        layer.register_forward_hook(hook)

    for name, layer in s.model.named_children():
        if not isinstance(layer, nn.Linear):
            look(name, layer, str(int(name) - 1))
    for optimizer in s.optimizers:
        optimizer.register_step_pre_hook(lambda optimizer, *_: before_update(optimizer))
        optimizer.register_step_post_hook(lambda optimizer, *_: after_update(optimizer))
    names = {id(p): name for name, p in s.model.named_parameters()}
    weights = {}

    def before_update(optimizer):
        for group in optimizer.param_groups:
            for p in group["params"]:
                weights[id(p)] = p.array.astype(np.longdouble)
                add(f"grad_norm/{names[id(p)]}", norm(p.grad.array))

    def after_update(optimizer):
        for group in optimizer.param_groups:
            for p in group["params"]:
                was = weights[id(p)]
                with np.errstate(divide="ignore"):  # the bias of BatchNorm begins with zeros
                    add(f"update_ratio/{names[id(p)]}", norm(p.array - was) / norm(was))

    for _ in range(3):
        for begin in range(0, ROWS, BATCH):
            s.step(s.x[begin : begin + BATCH], s.y[begin : begin + BATCH])
    norms = [values for name, values in found.items() if name.startswith("grad_norm/")]
    found["grad_norm"] = np.sqrt((np.array(norms) ** 2).sum(0))
    return found


def norm(x):
    return np.sqrt((x.astype(np.longdouble) ** 2).sum())


def measured(s, **settings):
    settings = {"batch_size": BATCH, "epochs": 3, "shuffle": False, **settings}
    s.step.run(s.x, s.y, **settings, diagnostics=True)
    return s.step.diagnostics


def eagerly(function):
    return function


def rows_without(got):
    """Of a run's diagnostics: the steps that have none, which are the same for each name."""
    rows = {tuple(np.flatnonzero(np.isnan(values))) for values in got.values()}
    assert len(rows) == 1, rows
    return list(rows.pop())


def assert_as_by_hand(got, wanted, dtype):
    assert got.keys() == wanted.keys()
    assert rows_without(got) == RAN
    replayed = np.setdiff1d(np.arange(STEPS), RAN)
    for name, values in wanted.items():
        assert got[name].shape == (STEPS,)
        # the update is a difference of near numbers, each rounded
        rtol = np.finfo(dtype).eps * (1e4 if name.startswith("update_ratio") else 1e2)
        np.testing.assert_allclose(
            got[name][replayed], np.float64(values)[replayed], rtol, err_msg=name
        )


# ---- values --------------------------------------------------------------------------------------


def test_values_are_those_of_an_eager_run(dtype):
    """Gradients as the optimizer sees them: after clipping."""
    s = script(pyml.record, dtype.name)
    got, wanted = measured(s), by_hand(script(eagerly, dtype.name))
    assert s.executions.value == len(RAN)
    assert_as_by_hand(got, wanted, dtype)
    assert np.nanmax(got["grad_norm"]) < 0.25 * (1 + 1e-5)


def test_the_data_show_something():
    wanted = by_hand(script(eagerly))
    assert 0 < np.mean(wanted["saturation/3"]) < 1 and 0 < np.mean(wanted["saturation/5"]) < 1
    assert min(wanted["dead_relu/7"]) >= 1 / 3
    assert min(wanted["batchnorm_drift/1"]) > 0.01


OPTIMIZERS = {
    "SGD": lambda model: [optim.SGD(model.parameters(), lr=0.1)],
    "Adam": lambda model: [optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)],
    "AdamW": lambda model: [optim.AdamW(model.parameters(), lr=0.01)],
    "RMSprop": lambda model: [optim.RMSprop(model.parameters(), lr=0.01, centered=True)],
    "Adagrad": lambda model: [optim.Adagrad(model.parameters(), lr=0.01)],
    "two": lambda model: [
        optim.Adam(model[:4].parameters(), lr=0.01),
        optim.SGD(model[4:].parameters(), lr=0.1),
    ],
    "groups": lambda model: [
        optim.SGD(
            [{"params": model[4:].parameters()}, {"params": model[:4].parameters(), "lr": 0.2}],
            lr=0.1,
        )
    ],
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    s = script(pyml.record, optimizers=OPTIMIZERS[name])
    got = measured(s)
    wanted = by_hand(script(eagerly, optimizers=OPTIMIZERS[name]))
    assert s.executions.value == len(RAN)
    assert_as_by_hand(got, wanted, np.float32)


def test_a_step_that_is_not_run_in_c():
    """It returns its argument."""
    got = measured(script(pyml.record, returns=lambda loss, x: (loss, x)))
    wanted = measured(script(pyml.record))
    assert got.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(got[name], values, name)


def test_a_parameter_of_two_optimizers():
    """Each update is measured."""

    def optimizers(model):
        return [optim.SGD(model[7:].parameters(), lr=lr) for lr in (0.1, 0.2)]

    got = measured(script(pyml.record, optimizers=optimizers)).of("update_ratio")
    assert got.keys() == {"7.weight", "7.weight (2)", "7.bias", "7.bias (2)"}
    ratios = sorted([got["7.weight"][-1], got["7.weight (2)"][-1]])
    np.testing.assert_allclose(ratios[1], 2 * ratios[0], rtol=0.1)


# ---- what it leaves alone ------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"shuffle": True, "batch_size": 7}], ids=["", "shuffle"])
def test_measuring_changes_no_bit(settings):
    settings = {"batch_size": BATCH, "epochs": 3, "shuffle": False, **settings}
    states, losses = [], []
    for diagnostics in (False, True):
        s = script(pyml.record)
        pyml.manual_seed(3)
        for on in (diagnostics, False, diagnostics):
            losses.append(s.step.run(s.x, s.y, **settings, diagnostics=on))
        states.append(state_of(s.model, s.optimizers[0]))
    assert_same_state(states[1], states[0])
    for a, b in zip(losses[3:], losses[:3], strict=True):
        assert_same_bits(a.array, b.array)


def test_stats_count_no_measuring():
    s = script(pyml.record)
    s.step.run(s.x, s.y, batch_size=BATCH)
    before = s.step.stats()
    measured(s)
    after = s.step.stats()
    assert (after.calls, after.flops, after.bytes) == (before.calls, before.flops, before.bytes)
    assert not {"vector_norm", "relative_change", "dead_share"} & {k.name for k in after.kernels}


# ---- which steps, which names --------------------------------------------------------------------


def test_steps_that_python_runs_have_none():
    """Calls 1, 2, 4 and 16 of each shape; an epoch has 3 steps of 7 rows, then one of 3."""
    s = script(pyml.record)
    first = measured(s, batch_size=7)
    assert len(first["grad_norm"]) == 12
    assert rows_without(first) == [0, 1, 3, 4, 7]
    assert s.executions.value == 5
    again = measured(s, batch_size=7)
    assert rows_without(again) == [3, 8]
    assert s.executions.value == 7
    assert rows_without(measured(s, batch_size=7)) == []
    assert s.executions.value == 7
    for got in (first, again):
        for values in got.values():
            assert np.isfinite(np.delete(values, rows_without(got))).all()


def test_only_the_last_run_is_there():
    s = script(pyml.record)
    assert s.step.diagnostics is None
    assert len(measured(s)["grad_norm"]) == STEPS
    assert len(measured(s, epochs=1)["grad_norm"]) == 3
    s.step.run(s.x, s.y, batch_size=BATCH)
    assert s.step.diagnostics is None


def test_a_run_that_ends_early_has_what_was_made():
    s = script(pyml.record)
    got = measured(s, callback=lambda progress: progress.step == 4, every_steps=2)
    assert {len(values) for values in got.values()} == {4}
    s.x.array[12] = np.nan
    with pytest.raises(FloatingPointError):
        measured(s)
    assert {len(values) for values in s.step.diagnostics.values()} == {1}
    assert all(np.isfinite(values).all() for values in s.step.diagnostics.values())


def test_names_are_in_the_order_of_the_network():
    got = measured(script(pyml.record))
    assert [name for name in got if not name.startswith(("grad_norm/", "update_ratio"))] == [
        *("grad_norm", "batchnorm_drift/1", "dead_relu/1"),
        *("saturation/3", "saturation/5", "dead_relu/7"),
    ]
    parameters = [f"{i}.{name}" for i in (0, 1, 3, 5, 7) for name in ("weight", "bias")]
    assert list(got.of("grad_norm")) == list(got.of("update_ratio")) == parameters
    assert list(got.of("dead_relu")) == ["1", "7"]
    assert got.of("dead_relu")["1"] is got["dead_relu/1"]


def test_batch_norm_that_tracks_nothing_has_no_drift():
    got = measured(script(pyml.record, track=False))
    assert not got.of("batchnorm_drift") and got.of("dead_relu")


def test_inference():
    s = script(pyml.record)
    predict = pyml.record(pyml.no_grad()(lambda x: s.model(x)))
    s.model.eval()
    predict.run(s.x, batch_size=BATCH, shuffle=False, diagnostics=True)
    got = predict.diagnostics
    assert not got.of("batchnorm_drift") and "grad_norm" not in got
    scores = predict(s.x[-BATCH:])
    assert got["dead_relu/7"][-1] == (scores.array <= 0).all(0).mean()


def test_a_layer_that_is_used_twice():
    layer = nn.Linear(5, 5)
    x = pyml.randn(12, 5) - 1
    model = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU())
    step = pyml.record(lambda x: model(x).sum())
    step.run(x, batch_size=4, shuffle=False, diagnostics=True)
    got = step.diagnostics.of("dead_relu")
    hidden = F.relu(layer(x[-4:]))
    wanted = [(y.detach().array <= 0).all(0).mean() for y in (hidden, F.relu(layer(hidden)))]
    assert set(got) == {"0", "0 (2)"}
    assert sorted(values[-1] for values in got.values()) == sorted(wanted)


def test_activations_that_follow_no_layer():
    """A ReLU of them has no columns that are units; in other memory of a layer that is gone too."""
    layer = nn.Linear(4, 8)

    @pyml.record
    @pyml.no_grad()
    def step(x, w):
        hidden = layer(x)
        total = hidden.sum()
        del hidden
        return total, (w * 2).relu(), (w * 0.1).tanh()

    data = pyml.randn(16, 4), pyml.randn(16, 7)
    step.run(*data, batch_size=8, shuffle=False, diagnostics=True)
    assert list(step.diagnostics) == ["saturation"]


def test_more_than_there_is_room_for():
    """The last layers are measured."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(300)))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @pyml.record
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    step.run(pyml.randn(9, 2), batch_size=3, diagnostics=True)
    got = step.diagnostics
    assert 1000 < len(got) <= 1025
    assert "grad_norm/299.weight" in got and "grad_norm/0.weight" not in got
    assert rows_without(got) == [0, 1]
    assert np.isfinite(got["update_ratio/299.weight"][2:]).all()


def test_a_step_that_fell_back_measures_nothing():
    step = pyml.record(lambda x: x * x.sum().item(), unrecordable="eager")
    with pytest.warns(UserWarning, match="eager"):
        step.run(pyml.ones(6), batch_size=2, shuffle=False, diagnostics=True)
    assert step.diagnostics is None
