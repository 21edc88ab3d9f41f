"""NewtonCG and LevenbergMarquardt: what they promise, their state, and what they refuse."""

import copy
import doctest
import itertools
import math

import numpy as np
import pytest

import pyml
from optim.cases import parameter
from pyml import nn, optim
from pyml.optim import levenberg_marquardt, newton_cg


def parabola(w):
    return 2 * (w - 3) ** 2 + 1


def saddle(w):
    """x^2 - y^2 + y^4 / 2: its ridge is y = 0, its minima (0, +-1), where it is -1/2."""
    return w[0] ** 2 - w[1] ** 2 + w[1] ** 4 / 2


def rosenbrock(w):
    return 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2


class World:
    """A function of one parameter, and an optimizer of it."""

    def __init__(
        self, function, start, dtype=np.float64, backward=False, cls=optim.NewtonCG, **options
    ):
        self.w = parameter(start, dtype)
        self.optimizer = cls([self.w], **options)
        self.function, self.backward, self.calls = function, backward, 0

    def closure(self):
        self.calls += 1
        result = self.function(self.w)
        if self.backward:
            self.optimizer.zero_grad()
            result.backward()
        return result

    def step(self, count=1):
        for _ in range(count):
            result = self.optimizer.step(self.closure)
        return result

    @property
    def state(self):
        return self.optimizer.state[self.w]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("start", [-2.0, 4.5])
def test_one_newton_step_lands_in_the_minimum(dtype, start, backward):
    world = World(parabola, start, dtype, backward)
    assert world.step().item() == parabola(np.array(start))
    assert world.w.item() == pytest.approx(3, abs=1e-6) and world.w.dtype == dtype


def test_one_step_of_a_parabola_in_many_dimensions(rng):
    q, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    h = pyml.from_numpy((q * rng.uniform(0.5, 4, 8)) @ q.T)
    world = World(lambda w: w @ (h @ w) / 2, rng.normal(size=8), tolerance_cg=1e-12)
    world.step()
    np.testing.assert_allclose(world.w.array, 0, atol=1e-9)
    assert world.state["products"] <= 9


def test_on_the_ridge_of_a_saddle_gradient_descent_stays():
    w = parameter([1.0, 0.0])
    descent = optim.SGD([w], lr=0.1)
    for _ in range(300):
        descent.zero_grad()
        saddle(w).backward()
        descent.step()
    np.testing.assert_allclose(w.array, [0, 0], atol=1e-20)


@pytest.mark.parametrize("start", [(1.0, 0.0), (0.0, 0.0), (1.0, 1e-3)])
def test_newton_leaves_the_ridge(dtype, start):
    world = World(saddle, start, dtype)
    world.step(12)
    np.testing.assert_allclose(np.abs(world.w.array), [0, 1], atol=1e-4)


def test_it_stays_in_a_minimum():
    world = World(saddle, [0.0, 1.0])
    world.step(3)
    np.testing.assert_array_equal(world.w.array, [0, 1])


@pytest.mark.parametrize("radius", [0.1, 10.0])
def test_a_curved_valley(radius):
    world = World(rosenbrock, [-1.2, 1.0], radius=radius)
    losses = [world.step().item() for _ in range(80)]
    assert all(b <= a for a, b in itertools.pairwise(losses))
    np.testing.assert_allclose(world.w.array, [1, 1], atol=1e-6)


def test_convergence_is_quadratic():
    world = World(lambda w: w.exp() - 2 * w, 1.0, tolerance_cg=0.0)
    errors = []
    for _ in range(4):
        errors.append(abs(world.w.item() - math.log(2)))
        world.step()
    for before, after in itertools.pairwise(errors):
        assert after < 0.6 * before**2 + 1e-15


def test_a_move_is_no_longer_than_the_region():
    world = World(parabola, 10.0, radius=0.5)
    world.step()
    assert world.w.item() == 9.5 and world.state["radius"] == 1.0
    world.step()
    assert world.w.item() == 8.5
    world = World(parabola, 10.0, radius=0.5, max_radius=0.75)
    world.step()
    assert world.state["radius"] == 0.75


def test_a_move_that_does_not_lower_the_loss_is_undone():
    """Far from where the parabola holds the region is made smaller until one does."""
    world = World(lambda w: (1 + w * w).sqrt(), 5.0, radius=500.0)
    world.step()
    assert abs(world.w.item()) < 5 and world.calls > 2
    assert world.state["func_evals"] == world.calls


def test_a_net_of_several_parameters():
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = pyml.linspace(-2, 2, 30, dtype=pyml.float64).reshape(-1, 1)
    optimizer = optim.NewtonCG(model.parameters())
    for _ in range(60):
        optimizer.step(lambda: nn.functional.mse_loss(model(x), x.sin()))
    assert nn.functional.mse_loss(model(x), x.sin()).item() < 1e-6


@pytest.mark.parametrize("lowest", [0.5, -0.5])
def test_the_way_down(rng, lowest):
    """It ends at the edge of any region, and says how far the parabola falls to there."""
    q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    h, g = (q * [lowest, 1.0, 2.0, 3.0, 4.0]) @ q.T, rng.normal(size=5)
    options = {"tolerance_cg": 1e-12, "max_iter": 9}
    segments = newton_cg.way_down(g, lambda v: h @ v, 1e6, options)
    assert len(segments) > 1 and math.isinf(segments[-1].length) == (lowest < 0)
    falls = []
    for radius in (0.01, 0.3, 0.6, 1.0, 1.5, 2.5, 50.0):
        z, decrease = newton_cg.along(segments, radius)
        inside = lowest > 0 and radius > np.linalg.norm(np.linalg.solve(h, g))
        wanted = np.linalg.norm(np.linalg.solve(h, g)) if inside else radius
        np.testing.assert_allclose(np.linalg.norm(z), wanted, rtol=1e-9)
        np.testing.assert_allclose(decrease, -(g @ z + z @ h @ z / 2), rtol=1e-9)
        falls.append(decrease)
    assert falls == sorted(falls)


@pytest.mark.parametrize("size", [1e-6, 100.0])
def test_how_far_conjugate_gradients_go(rng, size):
    """Until |g + H z| is min(1/2, sqrt |g|) of |g|, and no further."""
    h, g = np.diag(np.geomspace(1, 100, 40)), rng.normal(size=40)
    g *= size / np.linalg.norm(g)
    options = {"tolerance_cg": None, "max_iter": 100}
    segments = newton_cg.way_down(g, lambda v: h @ v, 1e9, options)
    left = []
    for count in (len(segments) - 1, len(segments)):
        z, _ = newton_cg.along(segments[:count], 1e9)
        left.append(np.linalg.norm(g + h @ z) / size)
    assert left[1] <= min(0.5, math.sqrt(size)) < left[0]


# ---- LevenbergMarquardt --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 40])
def test_a_linear_problem_is_solved(rng, dtype, count):
    """By rows and by columns of the Jacobian: near least squares after two steps."""
    a, y = rng.normal(size=(count, 3)), rng.normal(size=count)
    matrix, target = (pyml.from_numpy(v.astype(dtype)) for v in (a, y))
    world = World(
        lambda w: matrix @ w - target,
        np.zeros(3),
        dtype,
        cls=optim.LevenbergMarquardt,
        damping=1e-8,
    )
    assert world.step().item() == pytest.approx(float(y @ y), rel=1e-5)
    world.step()
    wanted = np.linalg.lstsq(a, y, rcond=None)[0]
    np.testing.assert_allclose(world.w.array, wanted, rtol=1e-8 if dtype == np.float64 else 1e-2)


def test_its_step_is_that_of_the_formula(rng):
    """One step: (J^T J + damping diag(J^T J)) d = -J^T r."""
    start = rng.normal(size=3)
    points = pyml.from_numpy(rng.normal(size=6))
    function = lambda w: w[0] * (w[1] * points).sin() + w[2]  # noqa: E731
    world = World(function, start, cls=optim.LevenbergMarquardt, damping=0.5)
    residuals = function(world.w)
    j = pyml.autograd.functional.jacobian(function, world.w.detach()).numpy()
    h = j.T @ j
    wanted = start + np.linalg.solve(
        h + 0.5 * np.diag(np.diag(h)), -j.T @ residuals.detach().numpy()
    )
    world.step()
    np.testing.assert_allclose(world.w.array, wanted, rtol=1e-9)


def test_the_damping_follows_the_decrease():
    """From w = 1 of r = w^2 a step goes to 2/3: 65/81 of the 8/9 foretold."""
    world = World(lambda w: w * w, [1.0], cls=optim.LevenbergMarquardt, damping=0.5)
    world.step()
    assert world.w.item() == pytest.approx(2 / 3)
    gain = (65 / 81) / (8 / 9)
    assert world.state["damping"] == pytest.approx(0.5 * (1 - (2 * gain - 1) ** 3))


def test_the_valley_of_squares():
    """Rosenbrock's function is a sum of two squares."""
    function = lambda w: pyml.stack([10 * (w[1] - w[0] ** 2), 1 - w[0]])  # noqa: E731
    world = World(function, [-1.2, 1.0], cls=optim.LevenbergMarquardt)
    totals = [world.step().item() for _ in range(30)]
    assert all(b <= a for a, b in itertools.pairwise(totals))
    np.testing.assert_allclose(world.w.array, [1, 1], atol=1e-8)
    assert world.state["damping"] < 1e-3


def test_a_move_that_raises_the_sum_is_undone():
    world = World(lambda w: w.atan(), [3.0], cls=optim.LevenbergMarquardt, damping=1e-6)
    for _ in range(10):
        before = abs(world.w.item())
        world.step()
        assert abs(world.w.item()) <= before
    assert abs(world.w.item()) < 1e-6


# ---- both ----------------------------------------------------------------------------------------

KINDS = {
    "NewtonCG": (optim.NewtonCG, rosenbrock),
    "LevenbergMarquardt": (
        optim.LevenbergMarquardt,
        lambda w: pyml.stack([10 * (w[1] - w[0] ** 2), 1 - w[0]]),
    ),
}
each = pytest.mark.parametrize("kind", KINDS)


def world_of(kind):
    cls, function = KINDS[kind]
    return World(function, [-1.2, 1.0], cls=cls)


@each
def test_it_goes_on_from_a_saved_state(kind):
    a, b = world_of(kind), world_of(kind)
    a.step(3)
    b.optimizer.load_state_dict(copy.deepcopy(a.optimizer.state_dict()))
    with pyml.no_grad():
        b.w.copy_(a.w)
    a.step(3)
    b.step(3)
    np.testing.assert_array_equal(a.w.array, b.w.array)
    assert a.state == b.state


@each
def test_a_state_of_another_kind_is_refused(kind):
    world = world_of(kind)
    world.step()
    saved = world.optimizer.state_dict()
    for state, words in [
        ({0: {"step": 1}}, "of another optimizer"),
        ({0: {**saved["state"][0], "n_iter": -1}}, "n_iter is -1"),
        ({0: {**saved["state"][0], "n_iter": "many"}}, "n_iter is 'many'"),
        ({0: [1]}, "it must be a dict"),
    ]:
        with pytest.raises((TypeError, ValueError), match=words):
            world.optimizer.load_state_dict({**saved, "state": state})
    world.optimizer.load_state_dict({**saved, "state": {}})
    assert not world.optimizer.state


@each
def test_a_closure_that_raises_changes_nothing(kind):
    world = world_of(kind)
    world.step(2)
    before, state = world.w.array.copy(), dict(world.state)
    count = world.calls
    function = world.function

    def failing(w):
        if world.calls > count + 1:
            raise KeyError("stop")
        return function(w)

    world.function = failing
    with pytest.raises(KeyError):
        world.step()
    np.testing.assert_array_equal(world.w.array, before)
    assert world.state == state


@each
def test_refused(kind):
    world = world_of(kind)
    for error, closure, words in [
        (TypeError, None, "closure is None"),
        (TypeError, lambda: 3.0, "closure must return"),
        (ValueError, lambda: world.w.sum() * math.nan, "is nan"),
        ((RuntimeError, ValueError), lambda: pyml.tensor(3.0), "require grad|do not depend"),
    ]:
        with pytest.raises(error, match=words):
            world.optimizer.step(closure)
    np.testing.assert_array_equal(world.w.array, [-1.2, 1.0])
    with pytest.raises(ValueError, match=f"{kind}: there is one group"):
        world.optimizer.add_param_group({"params": [parameter([1.0])]})
    with pytest.raises(pyml.RecordError, match=rf"{kind}\.step\(\)"):
        pyml.record(lambda x: world.optimizer.step(world.closure))(pyml.ones(1))


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("NewtonCG", {"radius": 0}, ValueError),
        ("NewtonCG", {"max_radius": math.inf}, ValueError),
        ("NewtonCG", {"max_iter": 0}, ValueError),
        ("NewtonCG", {"max_iter": 2.5}, TypeError),
        ("NewtonCG", {"tolerance_cg": -1}, ValueError),
        ("NewtonCG", {"tolerance_grad": "small"}, TypeError),
        ("NewtonCG", {"tolerance_curvature": 0}, ValueError),
        ("LevenbergMarquardt", {"damping": 0}, ValueError),
        ("LevenbergMarquardt", {"damping": None}, TypeError),
    ],
)
def test_options_out_of_range(kind, options, error):
    with pytest.raises(error, match=f"{kind}: {next(iter(options))} is"):
        KINDS[kind][0]([parameter([1.0])], **options)


def test_an_empty_tensor_of_residuals():
    world = World(lambda w: w[:0], [1.0], cls=optim.LevenbergMarquardt)
    with pytest.raises(ValueError, match="no residuals"):
        world.step()


@pytest.mark.parametrize("module", [newton_cg, levenberg_marquardt], ids=lambda m: m.__name__)
def test_examples(module):
    tested = doctest.testmod(module, extraglobs={"pyml": pyml})
    assert tested.attempted > 0 and tested.failed == 0
