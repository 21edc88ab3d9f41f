"""PyTorch's table of optimizers, which its test/test_optim.py walks, on pyml beside torch."""

import copy
import io
import pickle

import numpy as np
import pytest

pytest.importorskip("expecttest")

import torch

import pyml
from helpers.trees import bits
from parity.tables import OptimizerErrorEnum, leaves, mapped, optim_db, to_pyml
from parity.torch_side import assert_parity
from pyml import optim
from pyml.left_out import family_of

INFOS = {
    info.optim_cls.__name__: info for info in optim_db if hasattr(optim, info.optim_cls.__name__)
}
STEPS = 20

# relative to 1 + |value|, where it is not rounding alone
NEAR = {
    ("Muon", "float32"): 2e-2,  # torch's iterates in bfloat16, of 8 bits
    ("Muon", "float64"): 2e-2,
    # what divides a gradient near zero by its size makes its rounding large
    ("Adafactor", "float32"): 1e-3,
    ("LBFGS", "float32"): 1e-3,
    ("LBFGS", "float64"): 1e-7,
}

# errors of the table: what they are in pyml
APART = {
    # there are no complex numbers to make a parameter of
    "does not support complex parameters": TypeError,
    "complex not supported": TypeError,
}


def test_every_optimizer_is_here_or_left_out():
    others = {info.optim_cls.__name__ for info in optim_db} - set(INFOS)
    assert all(family_of("optim", name) for name in others)


ROWS = [
    pytest.param(name, row.kwargs, id=f"{name} {row.desc}")
    for name, info in INFOS.items()
    for row in info.optim_inputs_func(device="cpu", dtype=torch.float32)
]
each = pytest.mark.parametrize(("name", "options"), ROWS)


class World:
    """Two parameters, a loss, and an optimizer of torch or pyml."""

    def __init__(self, library, name, options, dtype="float64", groups=lambda w, b: [w, b]):
        rng = np.random.default_rng(0)
        self.library = library
        self.w, self.b = (
            library.nn.Parameter(library.tensor(rng.normal(size=shape).astype(dtype)))
            for shape in ((10, 5), (10, 1))
        )
        self.x = library.tensor(rng.normal(size=(5, 1)).astype(dtype))
        options = copy.deepcopy(options)
        options = to_pyml(options) if library is pyml else options
        self.optimizer = getattr(library.optim, name)(groups(self.w, self.b), **options)

    def closure(self):
        self.optimizer.zero_grad()
        loss = (self.w @ self.x + self.b).square().sum()
        loss.backward()
        return loss

    def steps(self, n=STEPS):
        return [self.optimizer.step(self.closure).detach() for _ in range(n)]


def without_capturable(options):
    """Options as torch takes them on a CPU."""
    return {key: value for key, value in options.items() if key != "capturable"}


def assert_alike(ours, theirs, name, losses):
    near = NEAR.get((name, ours.w.dtype.name))
    for got, wanted in [*zip(*losses, strict=True), (ours.w, theirs.w), (ours.b, theirs.b)]:
        if near:
            arrays = got.detach().numpy(), wanted.detach().numpy()
            np.testing.assert_allclose(*arrays, rtol=near, atol=near)
        else:
            assert_parity(got, wanted, STEPS)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps(name, options, dtype):
    ours = World(pyml, name, options, dtype)
    theirs = World(torch, name, without_capturable(options), dtype)
    assert_alike(ours, theirs, name, (ours.steps(), theirs.steps()))


@each
def test_words_of_other_implementations(name, options):
    plain = World(pyml, name, options)
    losses = plain.steps(3)
    for word in set(INFOS[name].supported_impls) - {"differentiable"}:
        tensors = leaves(options, torch.Tensor)
        for flag in (True, False, None):
            if word == "foreach" and flag and tensors and not options.get("capturable"):
                continue  # torch has none
            other = World(pyml, name, {**options, word: flag})
            assert bits(other.steps(3)) == bits(losses)
            assert bits(other.w.detach()) == bits(plain.w.detach())


@each
def test_state_is_kept(name, options):
    """Saved, loaded, older, named, pickled and copied: the same steps."""
    first = World(pyml, name, options)
    first.steps(3)
    text = str(first.optimizer)
    assert text.startswith(f"{name} (\nParameter Group 0\n")
    saved = copy.deepcopy(first.optimizer.state_dict())
    kept = bits(saved)
    file = io.BytesIO()
    pyml.save(saved, file)
    file.seek(0)
    older = copy.deepcopy(saved)
    for group in older["param_groups"]:
        for flag in INFOS[name].not_og_supported_flags:
            if group.get(flag) == World(pyml, name, {}).optimizer.defaults.get(flag):
                group.pop(flag, None)
    counted = copy.deepcopy(saved)
    for state in counted["state"].values():
        if isinstance(state.get("step"), pyml.Tensor):
            state["step"] = state["step"].item()
    named = [("w", "b"), lambda w, b: [("w", w), ("b", b)]]
    resumed = []
    for state, groups in (
        *((state, None) for state in (saved, older, counted, pyml.load(file))),
        *(() if name == "LBFGS" else ((saved, named[1]),)),
    ):
        world = World(pyml, name, options, **({"groups": groups} if groups else {}))
        world.w.data, world.b.data = first.w.detach().clone(), first.b.detach().clone()
        world.optimizer.load_state_dict(state)
        resumed.append(world)
        if groups:
            assert world.optimizer.param_groups[0]["param_names"] == list(named[0])
    assert bits(saved) == kept
    pickled = pickle.loads(pickle.dumps(first.optimizer))
    copied = copy.deepcopy(first.optimizer)
    for other in (pickled, copied):
        assert bits(other.state_dict()) == kept
        public = [{key for key in vars(o) if key[0] != "_"} for o in (other, first.optimizer)]
        assert public[0] == public[1]
    losses = first.steps(3)
    for world in resumed:
        assert bits(world.steps(3)) == bits(losses)
        assert bits(world.w.detach()) == bits(first.w.detach())


@each
def test_no_gradient_no_step(name, options):
    world = World(pyml, name, options)
    before = bits(world.w.detach())
    world.optimizer.step(lambda: pyml.tensor(1.0))
    assert bits(world.w.detach()) == before


@pytest.mark.parametrize("name", [n for n in INFOS if INFOS[n].supports_param_groups])
def test_options_of_groups(name):
    """A rate of a group's own, as a number and as a Tensor; a group added later."""
    lr = float(World(torch, name, {}).optimizer.defaults["lr"])
    ways = [
        lambda w, b, rate=rate: [{"params": [w]}, {"params": [b], "lr": rate}]
        for rate in (lr / 4, pyml.tensor(lr / 4, dtype=pyml.float64))
    ]
    theirs = World(torch, name, {}, groups=ways[0])
    wanted = theirs.steps()
    for way in ways:
        ours = World(pyml, name, {}, groups=way)
        assert_alike(ours, theirs, name, (ours.steps(), wanted))
    assert float(ours.optimizer.param_groups[0]["lr"]) == lr
    assert ours.optimizer.param_groups[1]["lr"] is way(None, None)[1]["lr"]
    ours.optimizer.add_param_group({"params": [pyml.nn.Parameter(pyml.zeros(2, 2))]})
    assert ours.optimizer.param_groups[2]["lr"] == ours.optimizer.defaults["lr"]


@pytest.mark.parametrize("name", INFOS)
def test_with_schedulers(name):
    """The schedulers of the table: the rates and the parameters of torch."""
    for makers in INFOS[name].scheduler_inputs:
        worlds, rates = [World(library, name, {}) for library in (pyml, torch)], ([], [])
        for world, seen in zip(worlds, rates, strict=True):
            schedulers = [of_library(make, world) for make in makers]
            for _ in range(STEPS):
                loss = world.optimizer.step(world.closure).item()
                for scheduler in schedulers:
                    plateau = type(scheduler).__name__ == "ReduceLROnPlateau"
                    scheduler.step(*([loss] if plateau else []))
                seen += [float(group["lr"]) for group in world.optimizer.param_groups]
        assert rates[0] == pytest.approx(rates[1], rel=1e-12)
        assert_alike(*worlds, name, ([], []))


def of_library(make, world):
    """A scheduler that a function of torch's makes, of pyml for pyml."""
    if world.library is torch:
        return make(world.optimizer)
    names = {key: getattr(optim.lr_scheduler, key, None) for key in make.__code__.co_names}
    return type(make)(make.__code__, names)(world.optimizer)


ERRORS = [
    pytest.param(name, row, id=f"{name} {row.optimizer_error_input.desc}")
    for name, info in INFOS.items()
    for row in info.optim_error_inputs_func("cpu", torch.float32)
]


@pytest.mark.parametrize(("name", "row"), ERRORS)
def test_errors(name, row):
    given = row.optimizer_error_input
    kind = next((k for text, k in APART.items() if text in given.desc), row.error_type)
    words = row.error_regex if kind is row.error_type else "complex"
    made = {}

    def parameter(tensor):
        if id(tensor) not in made:
            made[id(tensor)] = pyml.nn.Parameter(pyml.tensor(tensor.detach().numpy()))
        return made[id(tensor)]

    warned = issubclass(kind, Warning)
    with (pytest.warns if warned else pytest.raises)(kind, match=words):
        tree = mapped(lambda x: parameter(x) if isinstance(x, torch.Tensor) else x, given.params)
        optimizer = getattr(optim, name)(tree, **to_pyml(given.kwargs))
        if row.error_on == OptimizerErrorEnum.STEP_ERROR:
            for p in made.values():
                p.grad = pyml.zeros_like(p)
            optimizer.step()
