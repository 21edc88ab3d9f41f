"""Adafactor and Muon against NumPy; state, recorded steps, checks."""

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from optim import composites
from optim.cases import case_id, parameter, tensor
from optim.composites import CASES, SHAPES, starts, train
from pyml import nn, optim
from pyml.optim.composite import Composite
from pyml.optim.muon import orthogonal
from pyml.tensor import Tensor

NAMES = sorted(SHAPES)
# of 1 + |value|: products of a dozen steps; five Newton-Schulz iterations triple an error each
RELATIVE = {"Adafactor": 100, "Muon": 2000}


def make(name, params, **options):
    return getattr(optim, name)(params, **options)


def test_every_composite_is_in_the_tables():
    classes = [getattr(optim, name) for name in optim.__all__]
    found = {c.__name__ for c in classes if isinstance(c, type) and issubclass(c, Composite)}
    assert found == set(NAMES)


@pytest.mark.parametrize("name, options", CASES, ids=case_id)
def test_steps(name, options, dtype):
    params = [parameter(w, dtype) for w in starts(name)]
    optimizer = train(name, lambda g: make(name, g, **options), params, lambda g: tensor(g, dtype))
    wanted, states = composites.reference(name, options, dtype)
    tolerance = RELATIVE[name] * np.finfo(dtype).eps
    for p, w, state in zip(params, wanted, states, strict=True):
        assert p.dtype == dtype
        assert np.all(np.abs(p.array - w) <= tolerance * (1 + np.abs(w)))
        for key, value in optimizer.state[p].items():
            assert value.dtype == (np.float64 if key == "step" else dtype)
            assert np.all(np.abs(value.array - state[key]) <= tolerance * (1 + np.abs(state[key])))


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5)], ids=str)
def test_orthogonal(shape, rng):
    """With coefficients that converge, it is U V^T of the singular value decomposition."""
    x = rng.normal(size=shape)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    got = orthogonal(Tensor._on(x), (15 / 8, -10 / 8, 3 / 8), 60, 1e-7)
    np.testing.assert_allclose(got.array, u @ v, atol=1e-10)
    usual = orthogonal(Tensor._on(x), (3.4445, -4.775, 2.0315), 10, 1e-7)
    values = np.linalg.svd(usual.array, compute_uv=False)
    assert values.min() > 0.6 and values.max() < 1.3


@pytest.mark.parametrize("name", NAMES)
def test_recorded(name):
    """A step replayed by call and by run has the eager one's bits, also after a change of lr."""

    def world(record, run):
        pyml.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        params = [p for p in model.parameters() if p.ndim == 2 or name != "Muon"]
        optimizer = make(name, params, lr=0.05)
        x, y = pyml.randn(24, 4, 3), pyml.randn(24, 4, 2)

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = pyml.record(step) if record else step
        for i in range(24 - run):
            if i == 9:
                optimizer.param_groups[0]["lr"] = 0.02
            step(x[i], y[i])
        assert not record or step.stats().replays > 4
        if run:
            rest = [t[-run:].reshape(4 * run, -1) for t in (x, y)]
            step.run(*rest, batch_size=4, shuffle=False)
        return [p.detach().numpy().copy() for p in model.parameters()] + [
            value.numpy().copy() for p in params for value in optimizer.state[p].values()
        ]

    eager = world(False, 0)
    for run in (0, 9):
        for a, b in zip(world(True, run), eager, strict=True):
            assert_same_bits(a, b)


def decay(optimizer):
    for group in optimizer.param_groups:
        group["lr"] *= 0.9


def exponential(optimizer):
    return optim.lr_scheduler.ExponentialLR(optimizer, 0.9).step


def one_cycle(optimizer):
    """Moves the momentum too, if there is one."""
    has_momentum = "momentum" in optimizer.defaults
    return optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 40, cycle_momentum=has_momentum).step


def nothing():
    pass


SCHEDULES = {  # what is called before the optimizer's step, and after it
    "after": lambda optimizer: (nothing, exponential(optimizer)),
    "before": lambda optimizer: (exponential(optimizer), nothing),
    "one cycle": lambda optimizer: (nothing, one_cycle(optimizer)),
    "by hand": lambda optimizer: (nothing, lambda: decay(optimizer)),
}


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step:UserWarning")  # before the first step
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("run", [0, 20])
def test_replays_read_the_rate(name, schedule, run):
    """A rate that the step moves, of two groups: replayed, with the eager one's bits."""

    def world(record):
        pyml.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 2, bias=False))
        a, b = model.parameters()
        optimizer = make(name, [{"params": [a]}, {"params": [b], "lr": 0.2}], lr=0.05)
        before, after = SCHEDULES[schedule](optimizer)
        x, y = pyml.randn(96, 3), pyml.randn(96, 2)

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            before()
            optimizer.step()
            after()
            return loss

        play = pyml.record(step) if record else step
        single = 24 - run if record else 24
        for batch in range(single):
            play(x[4 * batch : 4 * batch + 4], y[4 * batch : 4 * batch + 4])
        if record:
            if run:
                play.run(x[4 * single :], y[4 * single :], batch_size=4, shuffle=False)
            assert play.stats().replays > 14
        rates = [np.float64(group["lr"]) for group in optimizer.param_groups]
        return [*rates, *(p.detach().numpy().copy() for p in (a, b))]

    for got, wanted in zip(world(True), world(False), strict=True):
        assert_same_bits(got, wanted)


@pytest.mark.parametrize("name", NAMES)
def test_replays_see_a_parameter_that_was_added(name):
    a, b = parameter(np.ones((2, 3))), parameter(np.ones((2, 3)))
    optimizer = make(name, [a])

    @pyml.record
    def step():
        optimizer.zero_grad()
        loss = (a**2 + b**2).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(5):
        step()
    assert step.stats().replays > 0 and (b == 1).all()
    optimizer.param_groups[0]["params"].append(b)
    step()
    assert (b != 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_lr_may_be_a_tensor(name):
    results = []
    for lr in (0.05, tensor(0.05)):
        p = parameter(np.ones((2, 3)))
        p.grad = tensor(np.full((2, 3), 0.5))
        optimizer = make(name, [p], lr=lr)
        optimizer.step()
        results.append(p.array)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_without_a_gradient(name):
    empty, still = parameter(np.ones((0, 2))), parameter(np.ones((2, 2)))
    empty.grad = tensor(np.ones((0, 2)))
    optimizer = make(name, [empty, still])
    optimizer.step()
    assert still not in optimizer.state and empty in optimizer.state
    assert_same_bits(still.array, np.ones((2, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_a_zero_gradient_divides_by_nothing(name):
    p = parameter(np.ones((3, 2)))
    p.grad = tensor(np.zeros((3, 2)))
    make(name, [p], weight_decay=0).step()
    assert_same_bits(p.array, np.ones((3, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_a_closure(name):
    p = parameter(np.ones((2, 2)))

    def closure():
        p.grad = None
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert make(name, [p]).step(closure).item() == 4
    assert not np.array_equal(p.array, np.ones((2, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_checkpoint(name, tmp_path):
    results = []
    for stop in (False, True):
        params = [parameter(w, np.float32) for w in starts(name)]
        optimizer = make(name, params)
        for i, grads in enumerate(composites.gradients(name)):
            for p, g in zip(params, grads, strict=True):
                p.grad = None if g is None else tensor(g, np.float32)
            optimizer.step()
            if stop and i == 5:
                pyml.save_checkpoint(tmp_path / name, optimizer=optimizer)
                optimizer = make(name, params)
                pyml.load_checkpoint(tmp_path / name, optimizer=optimizer)
        results.append(params)
    for p, q in zip(*results, strict=True):
        assert_same_bits(p.array, q.array)


class TestNothingChangesWhenAStepRaises:
    @pytest.fixture(params=NAMES)
    def optimizer(self, request):
        self.good, self.bad = parameter(np.ones((2, 3))), parameter(np.ones((2, 3)))
        self.good.grad, self.bad.grad = tensor(np.ones((2, 3))), tensor(np.ones((2, 3)))
        return make(request.param, [{"params": [self.good]}, {"params": [self.bad]}])

    def check(self, optimizer, error, match):
        before, states = self.good.array.copy(), dict(optimizer.state)
        with pytest.raises(error, match=match):
            optimizer.step()
        assert_same_bits(self.good.array, before)
        assert dict(optimizer.state) == states

    def test_gradient_of_another_dtype(self, optimizer):
        self.bad.grad.data = tensor(np.ones((2, 3)), np.float32)
        self.check(optimizer, TypeError, "gradient has shape .* and dtype float32, it must have")

    def test_gradient_of_another_shape(self, optimizer):
        self.bad.grad.data = tensor(np.ones(4))
        self.check(optimizer, ValueError, r"gradient has shape \(4,\)")

    def test_state_of_another_shape(self, optimizer):
        optimizer.step()
        name = list(optimizer.state[self.bad])[-1]
        optimizer.state[self.bad][name] = tensor(np.ones(5))
        self.check(optimizer, ValueError, f"its state '{name}' has shape")

    def test_state_that_lacks_something(self, optimizer):
        optimizer.step()
        name = list(optimizer.state[self.bad])[-1]
        optimizer.state[self.bad] = {"other": 1}
        self.check(optimizer, ValueError, "its state lacks")
        optimizer.state[self.bad] = {name: 3.0}
        self.check(optimizer, (TypeError, ValueError), "state")

    def test_state_dict_of_another_shape(self, optimizer):
        optimizer.step()
        saved = optimizer.state_dict()
        name = list(saved["state"][0])[-1]
        state = {0: saved["state"][0] | {name: tensor(np.ones(5))}, 1: saved["state"][1]}
        with pytest.raises(ValueError, match=rf"{name} has shape \(5,\)"):
            optimizer.load_state_dict({**saved, "state": state})


@pytest.mark.parametrize(
    "name, options, error, match",
    [
        *[(name, {"lr": -1}, ValueError, f"{name}: lr is -1, it must be >= 0") for name in NAMES],
        *[(name, {"weight_decay": -1}, ValueError, "weight_decay is -1") for name in NAMES],
        ("Adafactor", {"beta2_decay": 0.1}, ValueError, "beta2_decay is 0.1, it must be in"),
        ("Adafactor", {"d": 0.5}, ValueError, "d is 0.5, it must be >= 1"),
        ("Adafactor", {"eps": 1e-3}, ValueError, "eps is 0.001, it must be a pair"),
        ("Adafactor", {"eps": (-1, 1e-3)}, ValueError, r"eps\[0\] is -1"),
        ("Adafactor", {"eps": (None, None)}, TypeError, r"eps\[1\] is None, it must be a number"),
        ("Muon", {"momentum": -1}, ValueError, "momentum is -1"),
        ("Muon", {"ns_coefficients": (1, 2)}, ValueError, "it must be three numbers"),
        ("Muon", {"ns_coefficients": (1, 2, "x")}, TypeError, r"ns_coefficients\[2\] is 'x'"),
        ("Muon", {"ns_steps": 100}, ValueError, "ns_steps is 100, it must be from 0 to 99"),
        ("Muon", {"ns_steps": 1.5}, TypeError, "ns_steps is 1.5, it must be an integer"),
        ("Muon", {"adjust_lr_fn": "x"}, ValueError, "adjust_lr_fn is 'x', it must be None"),
    ],
    ids=case_id,
)
def test_options_out_of_range(name, options, error, match):
    for p in (parameter(np.ones((2, 2))),):
        with pytest.raises(error, match=match):
            make(name, [p], **options)
        with pytest.raises(error, match=match):
            make(name, [{"params": [p], **options}])


def test_muon_takes_matrices():
    p = parameter(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"2D parameters: params\[1\] has shape \(3,\), it"):
        optim.Muon([p, parameter(np.ones(3))])
    optimizer = optim.Muon([p])
    with pytest.raises(ValueError, match="it must be a matrix"):
        optimizer.add_param_group({"params": [parameter(1.0)]})
    assert len(optimizer.param_groups) == 1
