"""LBFGS: its direction against dense BFGS, the strong Wolfe conditions, its ends, state and errors.

Its steps are held to PyTorch's in tests/parity/test_optim.py.
"""

import copy
import math

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from optim.cases import parameter
from pyml import nn, optim
from pyml.optim import lbfgs
from pyml.tensor import Tensor

SEARCHES = [None, "strong_wolfe"]
searches = pytest.mark.parametrize("search", SEARCHES, ids=str)


class Rosenbrock:
    """sum 100 (w[i+1] - w[i]^2)^2 + (1 - w[i])^2 of two parameters as one vector."""

    def __init__(self, dtype=np.float64, start=(0.2, 0.7, 0.5, 0.3), **options):
        a, b = np.split(np.array(start), [2])
        self.params = [parameter(a.reshape(2, 1), dtype), parameter(b, dtype)]
        self.optimizer = optim.LBFGS(self.params, **options)
        self.losses = []

    def closure(self):
        self.optimizer.zero_grad()
        w = pyml.cat([self.params[0].reshape(-1), self.params[1]])
        loss = (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()
        loss.backward()
        self.losses.append(loss.item())
        return loss

    def step(self, count=1):
        for _ in range(count):
            loss = self.optimizer.step(self.closure)
        return loss

    @property
    def state(self):
        return self.optimizer.state[self.params[0]]

    @property
    def w(self):
        return np.concatenate([p.detach().numpy().reshape(-1) for p in self.params])


def dense_direction(g, ys, ss, h):
    """-H g from H <- (I - r s y') H (I - r y s') + r s s': Nocedal & Wright 2006, eq. 7.16."""
    H, eye = h * np.eye(len(g)), np.eye(len(g))
    for y, s in zip(ys, ss, strict=True):
        r = 1 / (y @ s)
        H = (eye - r * np.outer(s, y)) @ H @ (eye - r * np.outer(y, s)) + r * np.outer(s, s)
    return -H @ g


@pytest.mark.parametrize("pairs", [0, 1, 2, 5])
def test_direction(pairs, rng):
    curvature = rng.uniform(0.5, 2, size=6)
    ss = rng.normal(size=(pairs, 6))
    ys, g = ss * curvature, rng.normal(size=6)
    ro = [float(1 / (y @ s)) for y, s in zip(ys, ss, strict=True)]
    got = lbfgs.direction(*as_tensors(g, ys, ss), ro, 0.7)
    np.testing.assert_allclose(got.array, dense_direction(g, ys, ss, 0.7), rtol=1e-10)


def as_tensors(g, ys, ss):
    return Tensor._on(g), [Tensor._on(y) for y in ys], [Tensor._on(s) for s in ss]


@pytest.mark.parametrize("t", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(
    "f, slope",
    [
        (lambda t: (t - 2) ** 2, lambda t: 2 * (t - 2)),
        (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
        (lambda t: math.cosh(t - 1) + 0.1 * t, lambda t: math.sinh(t - 1) + 0.1),
    ],
    ids=["square", "rational", "cosh"],
)
def test_strong_wolfe(f, slope, t):
    """The length that is found is so that both conditions hold."""
    seen = []

    def evaluate(t):
        seen.append(t)
        return f(t), Tensor._on(np.array([slope(t)]))

    d = Tensor._on(np.array([1.0]))
    start = f(0), Tensor._on(np.array([slope(0)])), slope(0)
    loss, g, found, count = lbfgs.strong_wolfe(evaluate, t, d, *start, 1e-9, 25)
    assert seen[0] == t and count == len(seen)
    assert loss == f(found) and g.item() == slope(found)
    assert f(found) <= f(0) + 1e-4 * found * slope(0)
    assert abs(slope(found)) <= 0.9 * abs(slope(0))


@pytest.mark.parametrize("swapped", [False, True])
def test_cubic_minimum(swapped):
    """Of x^3 - 3 x it is 1, wherever the two points are; between the ends."""
    points = [(x, x**3 - 3 * x, None, 3 * x * x - 3) for x in (0.25, 2.0)]
    a, b = reversed(points) if swapped else points
    assert lbfgs.cubic_minimum(a, b) == pytest.approx(1)
    assert lbfgs.cubic_minimum(a, b, (1.5, 3)) == 1.5
    assert lbfgs.cubic_minimum(a, b, (0, 0.5)) == 0.5


def test_cubic_without_a_minimum():
    assert lbfgs.cubic_minimum((0, 0.0, None, -1.0), (1, -2 / 3, None, -1.0)) == 0.5
    assert lbfgs.cubic_minimum((1, 0.0, None, -1.0), (1, 0.0, None, -1.0), (2, 4)) == 3
    assert lbfgs.cubic_minimum((0, 0.0, None, 0.0), (1, 0.0, None, 0.0)) == 0.5


def test_finds_the_minimum(dtype):
    world = Rosenbrock(dtype, line_search_fn="strong_wolfe", max_iter=100)
    first = world.step()
    assert first.item() == world.losses[0]
    np.testing.assert_allclose(world.w, np.ones(4), rtol=1e-5 if dtype == np.float64 else 1e-2)
    assert [p.dtype for p in world.params] == [dtype] * 2


def test_a_quadratic_is_solved_in_few_moves(rng):
    scale = Tensor._on(rng.uniform(0.5, 3, size=5))
    w = parameter(rng.normal(size=5))
    optimizer = optim.LBFGS([w], line_search_fn="strong_wolfe", max_iter=30)

    def closure():
        optimizer.zero_grad()
        loss = (scale * w * w).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert np.abs(w.array).max() < 1e-4
    assert optimizer.state[w]["n_iter"] <= 12


@searches
def test_history_is_limited(search):
    world = Rosenbrock(line_search_fn=search, lr=0.01 if search is None else 1, history_size=3)
    world.step(2)
    assert [len(world.state[name]) for name in ("old_dirs", "old_stps", "ro")] == [3, 3, 3]
    pairs = zip(world.state["old_dirs"], world.state["old_stps"], strict=True)
    products = [y.dot(s).item() for y, s in pairs]
    np.testing.assert_allclose(world.state["ro"], 1 / np.array(products), rtol=1e-12)


@searches
@pytest.mark.parametrize("max_iter, max_eval", [(1, None), (4, None), (50, 3), (50, 1)])
def test_counts(search, max_iter, max_eval):
    options = {"max_iter": max_iter, "max_eval": max_eval, "lr": 1e-3, "line_search_fn": search}
    world = Rosenbrock(**options)
    world.step()
    assert world.state["func_evals"] == len(world.losses)
    assert 1 <= world.state["n_iter"] <= max_iter
    if search is None:
        limit = max_eval or max_iter * 5 // 4
        assert len(world.losses) == min(max_iter, limit if limit > 1 else 2)


def test_ends_where_the_gradient_is_small():
    world = Rosenbrock(start=(1.0, 1.0, 1.0, 1.0))
    world.step()
    assert world.state == {"func_evals": 1, "n_iter": 0}
    assert_same_bits(world.w, np.ones(4))


def test_a_parameter_without_a_gradient_stays(rng):
    w, unused = parameter([1.0, 2.0]), parameter(rng.normal(size=(2, 2)))
    before = unused.array.copy()
    optimizer = optim.LBFGS([unused, w])

    def closure():
        w.grad = None
        loss = (w * w).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert_same_bits(unused.array, before)
    assert np.abs(w.array).max() < 1e-6


def test_float32_and_float64_in_one_group():
    a, b = parameter([1.0, 2.0], np.float32), parameter([3.0])
    optimizer = optim.LBFGS([a, b], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (a * a).sum().double() + ((b - 1) ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert a.dtype == np.float32 and b.dtype == np.float64
    assert np.abs(a.array).max() < 1e-5 and abs(b.item() - 1) < 1e-5


def test_lr_may_be_a_tensor():
    plain, tensor = Rosenbrock(lr=0.001), Rosenbrock(lr=pyml.tensor(0.001, dtype=pyml.float64))
    for world in (plain, tensor):
        world.step(2)
    assert_same_bits(plain.w, tensor.w)


@searches
@pytest.mark.parametrize("how", ["state_dict", "deepcopy"])
def test_goes_on_from_its_state(search, how):
    options = {"line_search_fn": search, "max_iter": 4, "lr": 1 if search else 0.01}
    whole, saved = Rosenbrock(**options), Rosenbrock(**options)
    whole.step(6)
    saved.step(3)
    resumed = Rosenbrock(start=saved.w, **options)
    state = saved.optimizer.state_dict()
    resumed.optimizer.load_state_dict(copy.deepcopy(state) if how == "deepcopy" else state)
    resumed.step(3)
    assert_same_bits(resumed.w, whole.w)
    assert resumed.state["func_evals"] == whole.state["func_evals"]


def test_checkpoint(tmp_path):
    whole, saved = Rosenbrock(max_iter=4, lr=0.01), Rosenbrock(max_iter=4, lr=0.01)
    whole.step(6)
    saved.step(3)
    pyml.save_checkpoint(tmp_path / "run", optimizer=saved.optimizer)
    resumed = Rosenbrock(start=saved.w, max_iter=4, lr=0.01)
    pyml.load_checkpoint(tmp_path / "run", optimizer=resumed.optimizer)
    resumed.step(3)
    assert_same_bits(resumed.w, whole.w)


@searches
@pytest.mark.parametrize("call", [1, 2, 5])
def test_a_closure_that_raises_changes_nothing(search, call):
    world = Rosenbrock(line_search_fn=search, lr=1 if search else 0.01, max_iter=6)
    world.step()
    w, state = world.w.copy(), copy.deepcopy(world.state)
    calls = []

    def closure():
        calls.append(1)
        if len(calls) == call:
            raise ZeroDivisionError
        return world.closure()

    with pytest.raises(ZeroDivisionError):
        world.optimizer.step(closure)
    assert_same_bits(world.w, w)
    assert str(world.state) == str(state)


def test_a_recorded_step_refuses_it():
    world = Rosenbrock()
    with pytest.raises(pyml.RecordError, match=r"LBFGS.step\(\), which decides by numbers"):
        pyml.record(lambda x: world.step())(pyml.ones(1))


def test_a_recorded_closure():
    """What it computes may be recorded."""
    results = []
    for record in (lambda function: function, pyml.record):
        pyml.manual_seed(3)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        x, y = pyml.randn(20, 3), pyml.randn(20, 1)
        optimizer = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe", max_iter=10)

        @record
        def closure(model=model, optimizer=optimizer, x=x, y=y):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)
        results.append([p.detach().numpy() for p in model.parameters()])
    for a, b in zip(*results, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize(
    "options, error, match",
    [
        ({"lr": -1}, ValueError, "LBFGS: lr is -1, it must be >= 0"),
        ({"max_iter": 0}, ValueError, "max_iter is 0, it must be >= 1"),
        ({"max_iter": 1.5}, TypeError, "max_iter is 1.5, it must be an integer"),
        ({"max_eval": True}, TypeError, "max_eval is True, it must be an integer"),
        ({"history_size": 0}, ValueError, "history_size is 0, it must be >= 1"),
        ({"tolerance_grad": math.nan}, ValueError, "tolerance_grad is nan"),
        ({"tolerance_change": "x"}, TypeError, "tolerance_change is 'x', it must be a number"),
        ({"line_search_fn": "armijo"}, ValueError, "must be None or 'strong_wolfe'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_options_out_of_range(options, error, match):
    with pytest.raises(error, match=match):
        optim.LBFGS([parameter([1.0])], **options)


def test_one_group():
    p, q = parameter([1.0]), parameter([1.0])
    with pytest.raises(ValueError, match="there is one group of parameters"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])
    optimizer = optim.LBFGS([p])
    with pytest.raises(ValueError, match="there is one group"):
        optimizer.add_param_group({"params": [q]})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match="no parameters"):
        optim.LBFGS([{"params": []}]).step(lambda: 0.0)


@pytest.mark.parametrize("closure", [None, 3.0], ids=str)
def test_it_needs_a_closure(closure):
    with pytest.raises(TypeError, match="must be a function that computes the loss anew"):
        optim.LBFGS([parameter([1.0])]).step(closure)


WRONG = {
    "a vector of another size": ({"d": pyml.ones(3)}, ValueError, r"d has shape \(3,\)"),
    "a history of another size": ({"old_dirs": [pyml.ones(3)]}, ValueError, "they must have as"),
    "no list": ({"old_stps": 3.0}, TypeError, "old_stps is 3.0, it must be a list"),
    "no vector": ({"d": 3.0}, TypeError, "d has a float, it must be a Tensor"),
    "no number": ({"t": pyml.ones(2)}, ValueError, "t has 2 elements"),
    "text": ({"n_iter": "3"}, TypeError, "n_iter is '3', it must be a number"),
    "a number too large": ({"H_diag": 10**400}, TypeError, "H_diag is 1000.*, it must be a number"),
    "infinite": ({"n_iter": math.inf}, ValueError, "n_iter is inf, it must be finite"),
    "a number for a list": ({"ro": 3.0}, TypeError, "ro is 3.0, it must be a list"),
    "nothing": ({"prev_loss": None}, ValueError, "lacks prev_loss"),
}


@pytest.mark.parametrize("changes, error, match", WRONG.values(), ids=WRONG)
def test_a_state_of_something_else(changes, error, match):
    world = Rosenbrock(lr=0.01)
    world.step()
    saved = world.optimizer.state_dict()
    before = str(world.state)
    with pytest.raises(error, match=match):
        world.optimizer.load_state_dict({**saved, "state": {0: saved["state"][0] | changes}})
    assert str(world.state) == before


@searches
def test_no_curvature_enters_no_history(search):
    w = parameter([1.0, 1.0])
    optimizer = optim.LBFGS([w], lr=0.5, max_iter=3, max_eval=9, line_search_fn=search)

    def closure():
        optimizer.zero_grad()
        loss = w.sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    state = optimizer.state[w]
    assert (state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"]) == ([], [], [], 1)
    if search is None:
        assert w.tolist() == [-0.25, -0.25]  # 1 - (0.5 / 2 + 0.5 + 0.5)


def test_a_gradient_of_zeros_that_is_not_flat():
    w = parameter([1.0, 2.0])
    optimizer = optim.LBFGS([w], tolerance_grad=-math.inf)
    assert optimizer.step(lambda: pyml.tensor(3.0)) == 3
    assert w.tolist() == [1, 2]


def test_a_second_group_is_not_added():
    optimizer = optim.LBFGS([parameter([1.0])])
    with pytest.raises(ValueError, match="there is one group of parameters"):
        optimizer.add_param_group({"params": [parameter([1.0])]})
    assert len(optimizer.param_groups) == 1
