"""Optimizers and schedulers beside torch's: 50 steps for every combination of options."""

import numpy as np
import pytest
from optim import composites
from optim.cases import CASES, VALUES, case_id, groups, parameter, starts, tensor, train
from optim.schedules import OWN, SCHEDULES

import pyml
from helpers.ids import without_addresses
from pyml import optim
from pyml.ops.clip_grad import clip_grad_norm_
from pyml.optim import lr_scheduler

torch = pytest.importorskip("torch")

# of 1 + |value|: the rounding of 50 steps is independent
RELATIVE = {np.dtype("float64"): 1e-7, np.dtype("float32"): 1e-5 * np.sqrt(50)}
NAMES = sorted(name for name in VALUES if hasattr(torch.optim, name))
SHARED = [case for case in CASES if case[0] in NAMES]


def as_torch(array, dtype=np.float64):
    return torch.from_numpy(np.array(array, dtype=dtype))


def torch_parameters(dtype):
    return [torch.nn.Parameter(as_torch(w, dtype)) for w in starts()]


def assert_near(got, wanted, dtype):
    wanted = wanted.detach().numpy()
    assert got.shape == wanted.shape
    assert np.all(np.abs(got.array - wanted) <= RELATIVE[np.dtype(dtype)] * (1 + np.abs(wanted)))


def assert_alike(params, optimizer, others, other, dtype):
    """Parameters, and states with their names."""
    for p, q in zip(params, others, strict=True):
        assert_near(p, q, dtype)
        assert set(optimizer.state[p]) == set(other.state[q])
        for key, value in optimizer.state[p].items():
            assert_near(value, torch.as_tensor(other.state[q][key]), dtype)


@pytest.mark.parametrize("name, options", SHARED, ids=case_id)
def test_fifty_steps(name, options, dtype):
    params, others = [parameter(w, dtype) for w in starts()], torch_parameters(dtype)
    optimizer = train(
        lambda g: getattr(optim, name)(g, **options), params, lambda g: tensor(g, dtype)
    )
    other = train(
        lambda g: getattr(torch.optim, name)(g, **options), others, lambda g: as_torch(g, dtype)
    )
    assert_alike(params, optimizer, others, other, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_the_same(name):
    ours = getattr(optim, name)([parameter([1.0])])
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))])
    assert ours.defaults == {key: theirs.defaults[key] for key in ours.defaults}
    rest = set(theirs.defaults) - set(ours.defaults)
    assert rest <= {"foreach", "fused", "capturable", "differentiable"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("to_torch", [False, True], ids=["from torch", "to torch"])
def test_state_dict_across(name, to_torch, rng):
    """Ten steps there and ten here are twenty there."""
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    params, others = [parameter(w) for w in starts()], torch_parameters(np.float64)
    optimizer = getattr(optim, name)(groups(params), **options)
    other = getattr(torch.optim, name)(groups(others), **options)

    def step(count):
        for _ in range(count):
            for p, q in zip(params, others, strict=True):
                grad = rng.normal(size=p.shape)
                p.grad, q.grad = tensor(grad), as_torch(grad)
            optimizer.step()
            other.step()

    step(10)
    if to_torch:
        saved = optimizer.state_dict()
        state = {
            i: {key: as_torch(value.array) for key, value in values.items()}
            for i, values in saved["state"].items()
        }
        other.load_state_dict({**saved, "state": state})
    else:
        saved = other.state_dict()
        optimizer.load_state_dict(saved)
    step(10)
    assert_alike(params, optimizer, others, other, np.float64)


def test_momentum_switched_on_and_off(rng):
    p, q = parameter([1.0, 2.0]), torch.nn.Parameter(as_torch([1.0, 2.0]))
    ours = optim.SGD([p], lr=0.1, dampening=0.3)
    theirs = torch.optim.SGD([q], lr=0.1, dampening=0.3)
    for momentum in (0, 0, 0.9, 0.9, 0, 0.9, 0.5):
        grad = rng.normal(size=2)
        p.grad, q.grad = tensor(grad), as_torch(grad)
        ours.param_groups[0]["momentum"] = theirs.param_groups[0]["momentum"] = momentum
        ours.step()
        theirs.step()
        assert_alike([p], ours, [q], theirs, np.float64)


@pytest.mark.parametrize("max_norm", [0.1, 3.0, 1e3])
def test_clip_grad_norm(max_norm, dtype, rng):
    arrays = [rng.normal(size=shape) for shape in [(3, 4), (), (7,)]]
    grads, others = [tensor(a, dtype) for a in arrays], torch_parameters(dtype)[:3]
    for q, a in zip(others, arrays, strict=True):
        q.data, q.grad = as_torch(a, dtype), as_torch(a, dtype)
    assert_near(
        clip_grad_norm_(grads, max_norm), torch.nn.utils.clip_grad_norm_(others, max_norm), dtype
    )
    for grad, q in zip(grads, others, strict=True):
        assert_near(grad, q.grad, dtype)


THEIRS = [row for row in SCHEDULES if row.name not in OWN]


@pytest.mark.parametrize("chosen", [*[[s] for s in THEIRS], THEIRS[1::4]], ids=without_addresses)
def test_fifty_epochs(chosen):
    """One schedule, or two chained; a rate changed by hand, a state_dict round trip on the way."""
    optimizers = [
        optim.SGD(groups([parameter(w) for w in starts()]), lr=0.5),
        torch.optim.SGD(groups(torch_parameters(np.float64)), lr=0.5),
    ]
    modules = lr_scheduler, torch.optim.lr_scheduler
    pairs = list(zip(optimizers, modules, strict=True))
    schedules = [[row.make(o, m) for row in chosen] for o, m in pairs]
    for epoch in range(50):
        for i, (optimizer, module) in enumerate(pairs):
            if epoch == 11:
                optimizer.param_groups[1]["lr"] = 0.125
            if epoch == 17:
                saved = [s.state_dict() for s in schedules[i]], optimizer.state_dict()
                schedules[i] = [row.make(optimizer, module) for row in chosen]
                for schedule, state in zip(schedules[i], saved[0], strict=True):
                    schedule.load_state_dict(state)
                optimizer.load_state_dict(saved[1])
            optimizer.step()
            for schedule in schedules[i]:
                schedule.step()
        rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
        assert rates[0] == rates[1]
        momenta = [[group["momentum"] for group in o.param_groups] for o in optimizers]
        assert momenta[0] == momenta[1]
        assert [s.get_last_lr() for s in schedules[0]] == [s.get_last_lr() for s in schedules[1]]


LBFGS = [
    {"lr": 0.01},
    {"lr": 0.01, "history_size": 2, "max_iter": 7},
    {"lr": 0.01, "max_eval": 3, "tolerance_change": 1e-2, "tolerance_grad": 1e-2},
    {"line_search_fn": "strong_wolfe", "max_iter": 3},
    {"line_search_fn": "strong_wolfe", "lr": 20, "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "lr": 1e-3, "max_iter": 5, "max_eval": 4},
    {"line_search_fn": "strong_wolfe", "max_iter": 5, "tolerance_change": 0.5},
]


class Valley:
    """Rosenbrock's, of two parameters, with an optimizer of pyml or torch."""

    def __init__(self, module, options, start=((-1.2, 1.0), (0.5, -0.3, 0.2))):
        ours = module is pyml
        make = parameter if ours else lambda w: torch.nn.Parameter(as_torch(w))
        self.module, self.params = module, [make(np.array(w)) for w in start]
        self.optimizer = module.optim.LBFGS(self.params, **options)

    def closure(self):
        self.optimizer.zero_grad()
        w = self.module.cat(self.params)
        loss = (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()
        loss.backward()
        return loss

    @property
    def w(self):
        return np.concatenate([p.detach().numpy() for p in self.params])


def plain(state):
    """A state of torch or pyml as NumPy arrays."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items() if key != "al"}
    if isinstance(state, (list, tuple)):
        return [plain(value) for value in state]
    return np.asarray(state.detach().numpy() if hasattr(state, "detach") else state)


def to_torch_tree(value):
    if isinstance(value, dict):
        return {key: to_torch_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_torch_tree(item) for item in value]
    return as_torch(value.array) if isinstance(value, pyml.Tensor) else value


@pytest.mark.parametrize("to_torch", [None, False, True], ids=["apart", "from torch", "to torch"])
@pytest.mark.parametrize("options", LBFGS, ids=case_id)
def test_lbfgs(options, to_torch):
    """Five steps; losses, counts, state; and from the other's state_dict on."""
    ours, theirs = worlds = Valley(pyml, options), Valley(torch, options)
    for step in range(5):
        if step == 3 and to_torch is True:
            w = np.split(ours.w, [2])
            theirs = Valley(torch, options, w)
            theirs.optimizer.load_state_dict(to_torch_tree(ours.optimizer.state_dict()))
        if step == 3 and to_torch is False:
            ours = Valley(pyml, options, np.split(theirs.w, [2]))
            ours.optimizer.load_state_dict(theirs.optimizer.state_dict())
        worlds = ours, theirs
        losses = [world.optimizer.step(world.closure).item() for world in worlds]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
        np.testing.assert_allclose(ours.w, theirs.w, rtol=1e-6)
        states = [plain(world.optimizer.state[world.params[0]]) for world in worlds]
        assert set(states[0]) == set(states[1])
        for name, value in states[0].items():
            if name != "prev_loss":
                near = {"rtol": 1e-4, "atol": 1e-8 * (1 + np.abs(ours.w).max())}
                np.testing.assert_allclose(value, states[1][name], **near, err_msg=name)


def test_lbfgs_defaults():
    ours, theirs = optim.LBFGS([parameter([1.0])]), torch.optim.LBFGS(torch_parameters("float64"))
    assert ours.defaults == theirs.defaults


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        lambda module: {},
        lambda module: {"avg_fn": module.get_swa_avg_fn()},
        lambda module: {"avg_fn": module.get_ema_avg_fn(0.75)},
        lambda module: {"multi_avg_fn": module.get_ema_multi_avg_fn(0.75)},
    ],
    ids=["default", "swa", "ema", "ema of lists"],
)
def test_averaged_model(options, use_buffers, rng):
    """Parameters, buffers and names; a state_dict of one is the other's."""
    sides = []
    for module in (pyml, torch):
        model = module.nn.Sequential(module.nn.Linear(3, 2), module.nn.BatchNorm1d(2))
        averages = options(module.optim.swa_utils)
        made = module.optim.swa_utils.AveragedModel
        sides.append((module, model, made(model, use_buffers=use_buffers, **averages)))
    for _ in range(4):
        arrays = [rng.normal(size=shape) for shape in ((2, 3), (2,), (2,), (2,), (2,), (2,), ())]
        for module, model, averaged in sides:
            for tensor_, array in zip(model.state_dict().values(), arrays, strict=True):
                is_count = array.ndim == 0
                value = np.int64(np.abs(array) * 100) if is_count else np.float32(array)
                tensor_.copy_(module.from_numpy(np.array(value)))
            averaged.update_parameters(model)
    ours, theirs = (averaged.state_dict() for _, _, averaged in sides)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        np.testing.assert_allclose(value.numpy(), theirs[name].numpy(), rtol=1e-5, err_msg=name)


def test_update_bn(rng):
    batches = [np.float32(rng.normal(i, 1, size=(5, 2))) for i in range(3)]
    results = []
    for module in (pyml, torch):
        model = module.nn.Sequential(module.nn.BatchNorm1d(2), module.nn.BatchNorm1d(2))
        module.optim.swa_utils.update_bn([[module.from_numpy(x)] for x in batches], model)
        results.append(model.state_dict())
    for name, value in results[0].items():
        np.testing.assert_allclose(value.numpy(), results[1][name].numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name, options", composites.CASES, ids=case_id)
def test_composites(name, options, dtype, monkeypatch):
    """Torch's Muon iterates in bfloat16, ours in the parameter's dtype."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    params = [parameter(w, dtype) for w in composites.starts(name)]
    others = [torch.nn.Parameter(as_torch(w, dtype)) for w in composites.starts(name)]
    optimizer, other = (
        composites.train(name, lambda g, m=m: getattr(m, name)(g, **options), p, make)
        for m, p, make in (
            (optim, params, lambda g: tensor(g, dtype)),
            (torch.optim, others, lambda g: as_torch(g, dtype)),
        )
    )
    assert_alike(params, optimizer, others, other, dtype)


def test_muon_in_bfloat16():
    """Torch's steps as they are: to the rounding of bfloat16, with singular values beside 1."""
    p, q = parameter(np.eye(4, 6), np.float32), torch.nn.Parameter(as_torch(np.eye(4, 6), "f4"))
    ours, theirs = optim.Muon([p], lr=0.1), torch.optim.Muon([q], lr=0.1)
    for grad in np.random.default_rng(0).normal(size=(5, 4, 6)):
        p.grad, q.grad = tensor(grad, np.float32), as_torch(grad, np.float32)
        ours.step()
        theirs.step()
    np.testing.assert_allclose(p.array, q.detach().numpy(), atol=0.02)


@pytest.mark.parametrize("name", sorted(composites.SHAPES))
@pytest.mark.parametrize("to_torch", [False, True], ids=["from torch", "to torch"])
def test_composite_state_dict_across(name, to_torch, monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self.clone())
    params = [parameter(w) for w in composites.starts(name)]
    others = [torch.nn.Parameter(as_torch(w)) for w in composites.starts(name)]
    ours, theirs = getattr(optim, name)(params), getattr(torch.optim, name)(others)
    for step, grads in enumerate(composites.gradients(name)):
        for p, q, g in zip(params, others, grads, strict=True):
            p.grad, q.grad = (None, None) if g is None else (tensor(g), as_torch(g))
        if step == 6 and to_torch:
            theirs.load_state_dict(to_torch_tree(ours.state_dict()))
        if step == 6 and not to_torch:
            ours.load_state_dict(theirs.state_dict())
        ours.step()
        theirs.step()
    assert_alike(params, ours, others, theirs, np.float64)


@pytest.mark.parametrize("name", sorted(composites.SHAPES))
def test_composite_defaults(name):
    ours = getattr(optim, name)([parameter(np.ones((2, 2)))]).defaults
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(2, 2))]).defaults
    assert ours == {key: value for key, value in theirs.items() if key != "foreach"}
