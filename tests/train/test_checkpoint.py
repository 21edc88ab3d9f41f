"""Checkpoints: a training that was stopped goes on bit for bit as if it had not been."""

import copy
import doctest
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from optim import cases

import pyml
from helpers import interrupted
from helpers.trees import bits
from pyml import Generator, Tensor, io, json_tree, nn, optim
from pyml.optim.lr_scheduler import LinearLR, LRScheduler, StepLR
from pyml.recording import Progress
from pyml.train import checkpoint as module

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.9}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.99)}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("AdamW", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "momentum_decay": 0.1}),
    ("Adamax", {"lr": 0.01}),
    ("Adadelta", {"rho": 0.8}),
    ("RAdam", {"lr": 0.01}),
    ("Rprop", {"lr": 0.01, "etas": (0.4, 1.1)}),
    ("ASGD", {"lr": 0.01, "lambd": 0.1, "t0": 3}),
    ("Lion", {"lr": 0.01, "weight_decay": 0.1}),
]
SCHEDULERS = {
    "constant": None,
    "StepLR": lambda optimizer: StepLR(optimizer, 2, 0.7),
    "LinearLR": lambda optimizer: LinearLR(optimizer, 0.3, 1.0, 9),
}


def test_every_optimizer_is_in_the_table():
    assert cases.OPTIMIZERS - {name for name, _ in OPTIMIZERS} == set()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


class Training:
    """A network with BatchNorm and dropout, its optimizer with two groups, and its scheduler."""

    def __init__(self, seed, name="SGD", options=None, scheduler=None, dtype=np.float32, width=4):
        pyml.manual_seed(seed)
        self.model = nn.Sequential(
            nn.Linear(3, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3)
        )
        self.model.append(nn.Linear(width, 2)).to(dtype)
        groups = [
            {"params": self.model[0].parameters(), "lr": 0.03},
            {"params": [*self.model[1].parameters(), *self.model[4].parameters()]},
        ]
        if options is None:
            options = {"lr": 0.1, "momentum": 0.9}
        self.optimizer = getattr(optim, name)(groups, **options)
        self.scheduler = None if scheduler is None else scheduler(self.optimizer)
        self.x = pyml.tensor(np.random.default_rng(0).normal(size=(12, 3)).astype(dtype))
        self.y = pyml.tensor(np.arange(12) % 2)
        self.losses = []

    @property
    def parts(self):
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return {name: part for name, part in parts.items() if part is not None}

    def train(self, steps):
        for _ in range(steps):
            rows = pyml.randperm(12)[:8]
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(self.x[rows]), self.y[rows])
            loss.backward()
            self.optimizer.step()
            if self.scheduler is not None:
                self.scheduler.step()
            self.losses.append(loss.item())
        return self

    def bits(self):
        states = {name: part.state_dict() for name, part in self.parts.items()}
        return bits([states, pyml.get_rng_state()])


def refused(error, match, path, training, **changed):
    """load_checkpoint raises, and has changed nothing."""
    before = training.bits()
    with pytest.raises(error, match=match):
        pyml.load_checkpoint(path, **{**training.parts, **changed})
    assert training.bits() == before


# ---- a resumed training --------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", SCHEDULERS.values(), ids=SCHEDULERS)
@pytest.mark.parametrize("name, options", OPTIMIZERS, ids=str)
def test_resumed_bit_for_bit(name, options, scheduler, dtype, path):
    whole = Training(1, name, options, scheduler, dtype).train(5)
    pyml.save_checkpoint(path, **whole.parts)
    saved = whole.bits()
    whole.train(6)
    resumed = Training(2, name, options, scheduler, dtype)
    arrays = [p.array for p in resumed.model.parameters()]
    pyml.load_checkpoint(path, **resumed.parts)
    assert resumed.bits() == saved
    resumed.train(6)
    assert resumed.bits() == whole.bits()
    assert resumed.losses == whole.losses[5:]
    assert all(
        np.shares_memory(p.array, array)
        for p, array in zip(resumed.model.parameters(), arrays, strict=True)
    )


@pytest.mark.parametrize("when", [0, 1])
def test_resumed_from_the_start_and_before_the_first_step_of_the_scheduler(when, path):
    whole = Training(1, "Adam", {}, SCHEDULERS["LinearLR"]).train(0)
    if when == 1:
        scheduler, whole.scheduler = whole.scheduler, None
        whole.train(1).scheduler = scheduler
    pyml.save_checkpoint(path, **whole.parts)
    resumed = Training(2, "Adam", {}, SCHEDULERS["LinearLR"])
    pyml.load_checkpoint(path, **resumed.parts)
    for training in (resumed, whole):
        pyml.load_checkpoint(path)
        if when == 1:
            training.scheduler.step()
        training.train(4)
    assert resumed.bits() == whole.bits()


def test_a_learning_rate_that_is_a_tensor(path):
    options = {"lr": pyml.tensor(0.1, dtype=pyml.float64)}
    whole = Training(1, "Adam", options, SCHEDULERS["StepLR"]).train(3)
    pyml.save_checkpoint(path, **whole.parts)
    whole.train(3)
    options = {"lr": pyml.tensor(0.1, dtype=pyml.float64)}
    resumed = Training(2, "Adam", options, SCHEDULERS["StepLR"])
    pyml.load_checkpoint(path, **resumed.parts)
    resumed.train(3)
    assert resumed.bits() == whole.bits()
    assert isinstance(resumed.optimizer.param_groups[1]["lr"], Tensor)


def test_special_values_of_a_learning_rate(path):
    training = Training(1)
    for lr in (0.1 + 0.2, 5e-324, math.inf, np.float64(0.1), np.float32(0.1), 1, 2**70):
        training.optimizer.param_groups[0]["lr"] = lr
        pyml.save_checkpoint(path, optimizer=training.optimizer)
        other = Training(1)
        pyml.load_checkpoint(path, optimizer=other.optimizer)
        assert bits(other.optimizer.param_groups[0]["lr"]) == bits(lr)


class Plateau(LRScheduler):
    """Keeps Tensors, lists and infinities, and one name that it has only later."""

    def __init__(self, optimizer):
        self.best, self.losses = math.inf, []
        self.smooth = pyml.zeros(2)
        super().__init__(optimizer)

    def get_lr(self):
        self.late = {"epochs": (self.last_epoch,)}
        self.losses.append(0.5)
        self.smooth.add_(1)
        return self._current()


def test_a_scheduler_with_tensors_and_lists(path):
    saved = Training(1, scheduler=Plateau).train(3)
    pyml.save_checkpoint(path, **saved.parts)
    loaded = Training(2, scheduler=Plateau)
    del loaded.scheduler.late
    pyml.load_checkpoint(path, **loaded.parts)
    state = loaded.scheduler.state_dict()  # in another order
    assert bits({name: state.pop(name) for name in saved.scheduler.state_dict()}) == bits(
        saved.scheduler.state_dict()
    )
    assert not state
    assert loaded.scheduler.smooth.tolist() == [4, 4]


class Counter(StepLR):
    def state_dict(self):
        return {"last_epoch": self.last_epoch}


def test_a_scheduler_with_a_state_of_its_own(path):
    def schedule(optimizer):
        return Counter(optimizer, 2)

    pyml.save_checkpoint(path, **Training(1, scheduler=schedule).train(3).parts)
    loaded = Training(2, scheduler=schedule)
    pyml.load_checkpoint(path, **loaded.parts)
    assert loaded.scheduler.last_epoch == 3


def test_several_of_each(path):
    def pair(seed):
        first, second = Training(seed), Training(seed + 1, "Adam", {}, SCHEDULERS["StepLR"])
        parts = {
            "model": {"first": first.model, "second": second.model},
            "optimizer": {"first": first.optimizer, "second": second.optimizer},
            "scheduler": {"only": second.scheduler},
            "generator": {"rows": Generator(seed), "noise": Generator(seed + 1)},
        }
        return first, second, parts

    first, second, parts = pair(1)
    first.train(2), second.train(3)
    pyml.randn(5, generator=parts["generator"]["noise"])
    pyml.save_checkpoint(path, **parts)
    wanted = first.bits(), second.bits()
    first, second, loaded = pair(11)
    pyml.load_checkpoint(path, **loaded)
    assert (first.bits(), second.bits()) == wanted
    for name, generator in loaded["generator"].items():
        assert bits(generator.state) == bits(parts["generator"][name].state)
    only = Training(5)
    pyml.load_checkpoint(path, model={"first": only.model}, optimizer={"first": only.optimizer})
    assert only.bits() == wanted[0]


def test_generators(path):
    rows = Generator(2**64 - 1)
    pyml.randn(7, generator=rows)
    pyml.manual_seed(2**63 + 1)
    pyml.randn(3)
    states = bits([rows.state, pyml.get_rng_state()])
    pyml.save_checkpoint(path, generator=rows)
    for argument, wanted in [(None, False), (pyml.default_generator, False), (Generator(), True)]:
        other = argument if wanted else Generator()
        pyml.manual_seed(0)
        pyml.load_checkpoint(path, generator=argument)
        assert (bits([other.state, pyml.get_rng_state()]) == states) == wanted
        assert bits(pyml.get_rng_state()) == states[1][1]
    pyml.manual_seed(0)
    pyml.load_checkpoint(path, generator=False)
    assert pyml.get_rng_state().tolist() == [0, 0]
    pyml.save_checkpoint(path, generator=pyml.default_generator)
    pyml.randn(3)
    pyml.load_checkpoint(path, generator=pyml.default_generator)
    assert pyml.get_rng_state().tolist() == [0, 0]


def test_parts_that_are_not_asked_for_are_left(path):
    saved = Training(1, scheduler=SCHEDULERS["StepLR"]).train(2)
    pyml.save_checkpoint(path, **saved.parts)
    loaded = Training(2, scheduler=SCHEDULERS["StepLR"]).train(1)
    before = bits([loaded.optimizer.state_dict(), loaded.scheduler.state_dict()])
    pyml.load_checkpoint(path, model=loaded.model)
    assert bits(loaded.model.state_dict()) == bits(saved.model.state_dict())
    assert bits([loaded.optimizer.state_dict(), loaded.scheduler.state_dict()]) == before


def test_progress_best_and_extra(path):
    training = Training(1)
    best = {"loss": 0.1, "state_dict": dict(training.model.state_dict())}
    progress = Progress(epochs=4, batches=7, rows=100, batch_size=16, shuffle=True)
    progress.epoch, progress.batch, progress._order_state = 3, 2, [2**64 - 1, 5]
    extra = (np.arange(3), {"names": ["a", None, True]})
    pyml.save_checkpoint(path, progress=progress, best=best, extra=extra)
    loaded = pyml.load_checkpoint(path)
    assert isinstance(loaded, pyml.train.LoadedCheckpoint)
    assert bits(loaded.progress) == bits(progress.state_dict())
    assert bits(loaded.best) == bits(best)
    assert bits(loaded.extra) == bits(extra)
    for name, tensor in loaded.best["state_dict"].items():
        assert not np.shares_memory(tensor.array, best["state_dict"][name].array)
        assert tensor.array.flags.writeable and not tensor.requires_grad
    pyml.save_checkpoint(path, progress=[1])
    assert pyml.load_checkpoint(path) == ([1], None, None)


def test_what_has_a_state_dict_is_enough(path):
    saved, loaded = Scaler(2.5), Scaler(1.0)
    pyml.save_checkpoint(path, model=saved, optimizer={"a": saved}, scheduler=saved)
    pyml.load_checkpoint(path, model=loaded)
    assert loaded.scale.item() == 2.5


class Scaler:
    def __init__(self, scale):
        self.scale = pyml.tensor([scale])

    def state_dict(self):
        return {"scale": self.scale}

    def load_state_dict(self, state):
        self.scale = state["scale"]


# ---- trees ---------------------------------------------------------------------------------------

DTYPES = st.sampled_from(json_tree.DTYPES).map(np.dtype)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
SCALARS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, ())).map(lambda array: array[()])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
KEYS = st.recursive(PLAIN | SCALARS, lambda keys: st.lists(keys, max_size=3).map(tuple))
TREES = st.recursive(
    PLAIN | SCALARS | ARRAYS | ARRAYS.filter(lambda x: x.dtype != np.float16).map(Tensor._on),
    lambda trees: (
        st.lists(trees, max_size=4)
        | st.lists(trees, max_size=4).map(tuple)
        | st.dictionaries(KEYS, trees, max_size=4)
        | st.dictionaries(st.sampled_from(["tensor", "dict", "a.b", "a", "b"]), trees)
    ),
)


@given(tree=TREES)
def test_trees(tree):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        pyml.save_checkpoint(path, extra=tree, progress=[tree])
        loaded = pyml.load_checkpoint(path)
    assert bits(loaded.extra) == bits(tree)
    assert bits(loaded.progress) == bits([tree])


@pytest.mark.parametrize(
    "tree",
    [
        [math.nan, math.inf, -math.inf, -0.0, 1e-320, 0.1 + 0.2, 1.7976931348623157e308],
        {1: "int", "1": "str", 1.5: "float", None: 0, (1, ("a", 2.0)): 1, False: []},
        {"a.b": np.ones(1), "a": {"b": np.zeros(2), "b#2": np.ones(3)}, "é\ud800": np.ones(1)},
        [2**64 - 1, -(2**63), 2**200, np.uint64(2**64 - 1), np.float16(0.1), np.bool_(True)],
        {"tensor": "x"},
        [{"tensor": "extra.0"}, {"float": "nan"}, {"tuple": []}, {}, (), []],
        "",
        np.array(3.5),
        np.zeros((0, 3), np.int8),
    ],
)
def test_trees_that_are_special(tree, path):
    pyml.save_checkpoint(path, extra=tree)
    assert bits(pyml.load_checkpoint(path).extra) == bits(tree)


class Pair(NamedTuple):
    a: int
    b: object


def test_subclasses_come_back_as_their_base(path):
    color = IntEnum("Color", "RED")
    tree = [
        (Pair(1, 2.0), (1, 2.0)),
        (OrderedDict(a=1), {"a": 1}),
        (color.RED, 1),
        (np.str_("a"), "a"),
        (nn.Parameter(pyml.ones(2)), pyml.ones(2)),
        (pyml.train.History([{"loss": 1}]), [{"loss": 1}]),
        (np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy()),
        (np.arange(3, dtype=">i4"), np.arange(3, dtype="i4")),
    ]
    pyml.save_checkpoint(path, extra=[value for value, _ in tree])
    assert bits(pyml.load_checkpoint(path).extra) == bits([base for _, base in tree])


def test_the_file_is_readable_by_others(path):
    training = Training(1).train(1)
    pyml.save_checkpoint(path, **training.parts, best={"w": pyml.ones(2)}, progress={"epoch": 3})
    tensors = safetensors.numpy.load_file(path)
    assert np.array_equal(tensors["model.0.weight"], training.model[0].weight.detach().numpy())
    assert "optimizer.state.0.momentum_buffer" in tensors and "best.w" in tensors
    header = json.loads(io.load_metadata(path)["pyml_checkpoint"])
    assert header["version"] == 1
    assert header["content"]["progress"] == {"dict": [["epoch", 3]]}


def test_the_same_state_makes_the_same_file(path):
    contents = set()
    for _ in range(3):
        training = Training(1).train(1)
        pyml.save_checkpoint(path, **training.parts)
        contents.add(path.read_bytes())
    assert len(contents) == 1


# ---- what is not saved ---------------------------------------------------------------------------


def endless():
    tree = []
    tree.append(tree)
    return tree


@pytest.mark.parametrize(
    "arguments, error, match",
    [
        ({"extra": {"a": [1, {2}]}}, TypeError, r"extra\['a'\]\[1\] is a set; a checkpoint keeps"),
        ({"best": (lambda: 0,)}, TypeError, r"best\[0\] is a function"),
        ({"progress": 1j}, TypeError, "progress is a complex"),
        ({"extra": {"p": Path("x")}}, TypeError, r"extra\['p'\] is a PosixPath"),
        ({"extra": {3: np.ones(2, complex)}}, TypeError, r"extra\[3\] has dtype complex128"),
        ({"extra": [np.array(["a"])]}, TypeError, r"extra\[0\] has dtype <U1"),
        ({"extra": [{b"a": 1}]}, TypeError, r"extra\[0\] has the key b'a'; a checkpoint keeps"),
        ({"extra": {(1, frozenset()): 1}}, TypeError, r"extra has the key \(1, frozenset"),
        ({"extra": endless()}, ValueError, "extra is nested deeper than 100, or holds itself"),
        ({"model": 3}, TypeError, r"model is a int, it must have state_dict\(\)"),
        ({"scheduler": {"a": pyml}}, TypeError, r"scheduler\['a'\] is a module, it must have"),
        ({"optimizer": {1: Scaler(1)}}, TypeError, "optimizer has the key 1, it must be a string"),
        ({"generator": 3}, TypeError, "generator is a int, it must be a Generator"),
        ({"generator": {"a": None}}, TypeError, r"generator\['a'\] is a NoneType"),
    ],
    ids=lambda value: re.sub(" at 0x.*?>", ">", str(value)),
)
def test_refused_by_save(arguments, error, match, path):
    path.write_bytes(b"before")
    with pytest.raises(error, match=match):
        pyml.save_checkpoint(path, **arguments)
    assert path.read_bytes() == b"before"
    assert os.listdir(path.parent) == [path.name]


def test_a_state_that_is_refused_by_save(path):
    training = Training(1)
    training.optimizer.param_groups[1]["decay"] = training
    with pytest.raises(
        TypeError,
        match=r"save_checkpoint: optimizer\['o'\]\['param_groups'\]\[1\]\['decay'\] is a Training",
    ):
        pyml.save_checkpoint(path, optimizer={"o": training.optimizer})
    assert os.listdir(path.parent) == []


# ---- what is not loaded --------------------------------------------------------------------------


def test_cuts_and_changed_bits_are_noticed(path):
    model = nn.Sequential(nn.Linear(1, 2))
    optimizer = optim.SGD(model.parameters())
    parts = {"model": model, "optimizer": optimizer}
    pyml.save_checkpoint(path, **parts, progress={"epoch": 1}, best=[pyml.ones(3), 0.5])
    content, whole = path.read_bytes(), bits(pyml.load_checkpoint(path))
    for p in model.parameters():
        p.array[...] = 7
    before = bits([model.state_dict(), optimizer.state_dict(), pyml.get_rng_state()])
    for length in reversed(range(len(content))):
        os.truncate(path, length)
        with pytest.raises(ValueError, match=r"run\.safetensors: is (not|damaged)"):
            pyml.load_checkpoint(path, **parts)
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="damaged"):
        pyml.load_checkpoint(path, **parts)
    path.write_bytes(content)
    for i, byte in enumerate(content):
        put(path, i, byte ^ 1 << i % 8)
        try:
            loaded = pyml.load_checkpoint(path)
        except ValueError:
            pass
        else:  # as where a space of the header became a tab
            assert bits(loaded) == whole
        put(path, i, byte)
        assert bits([model.state_dict(), optimizer.state_dict(), pyml.get_rng_state()]) == before


def put(path, position, byte):
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(bytes([byte]))


@pytest.mark.parametrize(
    "text, match",
    [
        (None, r"is not a checkpoint, .* pyml.load\(\)"),
        ("", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged"),
        ('{"version": 1}', "is damaged"),
        ('{"version": 1, "crc32": 0, "named": [], "content": {}}', "checksum"),
        ('{"version": 1, "crc32": 0, "named": [], "content": %s}' % ("[" * 20000), "is damaged"),
        (
            '{"version": 2, "anything": 0}',
            "is a checkpoint of version 2, pyml here reads version 1",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_files_that_are_no_checkpoints(text, match, path):
    io.save({"x": np.ones(1)}, path, None if text is None else {"pyml_checkpoint": text})
    refused(ValueError, match, path, Training(1))


def test_other_files(path):
    with pytest.raises(FileNotFoundError):
        pyml.load_checkpoint(path)
    path.write_bytes(b"text of some length")
    refused(ValueError, "is not a safetensors file", path, Training(1))


def saved(path, training, **changed):
    pyml.save_checkpoint(path, **{**training.parts, **changed})
    return path


def test_parts_that_are_missing(path):
    training = Training(1, scheduler=SCHEDULERS["StepLR"]).train(1)
    pyml.save_checkpoint(path, model=training.model)
    refused(ValueError, r"has no optimizer .* it has: model\)", path, training, scheduler=None)
    refused(ValueError, r"scheduler out, or save it with", path, training, optimizer=None)
    only = {"optimizer": None, "scheduler": None}
    refused(ValueError, "has no generator", path, training, **only, generator=Generator())
    refused(ValueError, "has no generator", path, training, **only, generator={"a": Generator()})
    refused(TypeError, "generator is a bool", path, training, **only, generator=True)
    several = {"a": training.model}
    refused(ValueError, "model is a dict, .* a single one", path, training, **only, model=several)
    refused(TypeError, r"model is a list, it must have", path, training, **only, model=[])
    pyml.save_checkpoint(path, model={"a": training.model, "b": training.model})
    refused(ValueError, "model is a single one, .* several: 'a', 'b'", path, training, **only)
    several["c"] = training.model
    refused(
        ValueError, "model has the name 'c', .*: 'a', 'b'", path, training, **only, model=several
    )


def test_models_that_do_not_fit(path):
    saved(path, Training(1).train(1))
    refused(ValueError, r"model: 0\.weight has shape \(4, 3\) .* \(5, 3\) here", path, wide(5))
    refused(TypeError, "dtype float32 in the file, float64", path, Training(2, dtype=np.float64))
    other = Training(2)
    other.model.append(nn.Linear(2, 2))
    refused(ValueError, r"the file lacks 5\.weight, 5\.bias; make it", path, other)
    saved(path, other)
    refused(ValueError, r"Sequential lacks 5\.weight, 5\.bias", path, Training(2))
    array = np.ones((2, 2), np.float32)
    array.flags.writeable = False
    other.model[5].weight.data = pyml.from_numpy(array)
    refused(ValueError, r"5\.weight is on read-only memory", path, other)
    pyml.save_checkpoint(path, model=Scaler(1))
    refused(
        ValueError, r"lacks 0\.weight.* and Sequential lacks scale", path, other, optimizer=None
    )


def wide(width):
    return Training(2, width=width)


def test_optimizers_that_do_not_fit(path):
    saved(path, Training(1).train(1))
    other = Training(2)
    other.optimizer = optim.SGD(other.model.parameters(), lr=0.1)
    refused(ValueError, r"groups of \[2, 4\] parameters, .* of \[6\]", path, other)
    refused(ValueError, r"lacks betas, eps, .* of Adam; it is", path, Training(2, "Adam", {}))
    none = {"model": None}
    refused(ValueError, r"momentum_buffer of parameter 0 has shape", path, wide(5), **none)
    other = Training(2, dtype=np.float64)
    refused(TypeError, "momentum_buffer of parameter 0 has dtype float32", path, other, **none)
    saved(path, Training(1, scheduler=SCHEDULERS["StepLR"]))
    other = Training(2, scheduler=SCHEDULERS["LinearLR"])
    refused(ValueError, "scheduler: the file lacks start_factor, end_factor", path, other)
    other = Training(2)
    other.scheduler = StepLR(optim.SGD(other.model.parameters()), 2)
    refused(ValueError, "2 learning rates, the optimizer 1 groups", path, other, optimizer=None)
    pyml.save_checkpoint(path, optimizer=Scaler(1.0), scheduler=Training(1).optimizer)
    refused(ValueError, "not of an optimizer like SGD", path, Training(2), **none)


def test_parameters_in_another_order(path):
    a, b = (pyml.ones(2, requires_grad=True) for _ in "ab")
    pyml.save_checkpoint(path, optimizer=optim.SGD([("a", a), ("b", b)]))
    pyml.load_checkpoint(path, optimizer=optim.SGD([("a", a), ("b", b)]))
    pyml.load_checkpoint(path, optimizer=optim.SGD([a, b]))
    with pytest.raises(ValueError, match="has the parameters a, b in the file, b, a here"):
        pyml.load_checkpoint(path, optimizer=optim.SGD([("b", b), ("a", a)]))


class PythonOptimizer(optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {"lr": 0.5})

    def step(self):
        p = self.param_groups[0]["params"][0]
        self.state[p]["calls"] = self.state[p].get("calls", 0) + 1
        self.state[p]["sum"] = pyml.ones(3, dtype=self.dtype)
        self.state["all"] = [1]


@pytest.mark.parametrize("dtype", [pyml.float32, pyml.float64])
def test_an_optimizer_written_in_python(dtype, path):
    """Its state is of any shape; of a dtype that load_state_dict would change, it is refused."""
    p = pyml.ones(2, requires_grad=True)
    optimizer = PythonOptimizer([p])
    optimizer.dtype = dtype
    optimizer.step()
    pyml.save_checkpoint(path, optimizer=optimizer)
    loaded = PythonOptimizer([p])
    if dtype == pyml.float64:
        with pytest.raises(TypeError, match=r"sum of parameter 0 has dtype float64 .* would round"):
            pyml.load_checkpoint(path, optimizer=loaded)
    else:
        pyml.load_checkpoint(path, optimizer=loaded)
        assert bits(loaded.state_dict()) == bits(optimizer.state_dict())


class Broken(Scaler):
    def load_state_dict(self, state):
        self.scale.fill_(0)
        pyml.randn(1)
        if state["scale"].item() != self.before:
            raise KeyError("broken")
        super().load_state_dict(state)


def test_what_was_loaded_is_taken_back_when_a_later_part_raises(path):
    saved(path, Training(1, "Adam", {}).train(2), scheduler=Scaler(3.0))
    training = Training(2, "Adam", {}).train(1)
    broken = Broken(4.0)
    broken.before = 4.0
    refused(KeyError, "broken", path, training, scheduler=broken)
    assert broken.scale.item() == 4


def test_states_of_another_kind(path):
    class Anything(Scaler):
        def state_dict(self):
            return self.scale

        def load_state_dict(self, state):
            self.scale = state

    pyml.save_checkpoint(path, model=Anything(2.0))
    loaded = Anything(1.0)
    pyml.load_checkpoint(path, model=loaded)
    assert loaded.scale.item() == 2
    with pytest.raises(ValueError, match="model: the file has a Tensor, Scaler needs a dict"):
        pyml.load_checkpoint(path, model=Scaler(1.0))
    pyml.save_checkpoint(path, model=Scaler(pyml.ones(2).tolist()))
    with pytest.raises(ValueError, match="model: scale has shape"):
        pyml.load_checkpoint(path, model=Scaler(1.0))


def test_a_generator_that_is_none(path):
    pyml.save_checkpoint(path, generator=Generator())
    forge(path, "generator", [1, 2])
    with pytest.raises(ValueError, match="generator is a list in the file"):
        pyml.load_checkpoint(path, generator=Generator())


def forge(path, argument, tree):
    """Puts a tree in the place of a part, with the checksum right."""
    header = json.loads(io.load_metadata(path)["pyml_checkpoint"])
    header["content"][argument] = tree
    arrays = {name: tensor.array for name, tensor in io.load(path).items()}
    header["crc32"] = json_tree.checksum([header["named"], header["content"]], arrays)
    io.save(arrays, path, {"pyml_checkpoint": json.dumps(header)})


# ---- a wrong structure under a right checksum ----------------------------------------------------

JUNK = [
    *(None, True, 0, -1, 2**63, 10**30, 10**400, 0.5, 1e308, "", "x", [], [[]], {}, [1, 2]),
    *({"dict": []}, {"dict": [[1, 2]]}, {"dict": [[[], 1]]}, {"dict": [["a", 1], ["a", 2]]}),
    *({"dict": 5}, {"tuple": []}, {"tuple": [0.9, 0.99]}, {"tuple": 3}, {"a": 1, "b": 2}),
    *({"float": "nan"}, {"float": "inf"}, {"float": "x"}, {"float": 3}, {"unknown": 1}),
    *({"tensor": "model.0.weight"}, {"array": "model.0.weight"}, {"scalar": "model.0.weight"}),
    *({"tensor": "missing"}, {"tensor": ["x"]}, {"array": "default_generator"}),
]


def places(tree, path=()):
    """The path of every value in JSON, but the whole."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


def damage(tree, rng):
    """Changes one value of a tree: drops it, doubles it, or puts something else in its place."""
    paths = list(places(tree))
    path, other = rng.choice(paths), rng.choice(paths)
    parent, value = tree, tree
    for key in path:
        parent, value = value, value[key]
    for key in other:
        tree = tree[key]
    how, key = rng.randrange(5), path[-1]
    if how == 0:
        del parent[key]
    elif how == 1 and isinstance(parent, list):
        parent.insert(key, value)
    elif how == 2:
        parent[key] = copy.deepcopy(tree)
    elif how == 3 and isinstance(value, (int, float)):
        parent[key] = rng.choice([-value, value + 0.5, value * 10**20, str(value), [value]])
    else:
        parent[key] = copy.deepcopy(rng.choice(JUNK))


def damage_array(arrays, rng):
    """One array: gone, of another dtype or shape, of other values, or another one."""
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    changed = [
        None,
        array.astype(rng.choice(["f2", "f4", "f8", "i8", "u8", "?"])),
        array.reshape(-1)[1:],
        array[None],
        np.full_like(array, np.nan if array.dtype.kind == "f" else 1),
        arrays[rng.choice(sorted(arrays))],
    ]
    arrays[name] = rng.choice(changed)
    if arrays[name] is None:
        del arrays[name]


@pytest.mark.parametrize("name, options", [OPTIMIZERS[1], OPTIMIZERS[5], OPTIMIZERS[7]], ids=str)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_a_wrong_structure_is_refused_and_nothing_changes(name, options, path):
    """Or it is one that could have been saved: then the training goes on."""
    rng = random.Random(name)
    schedule = SCHEDULERS[rng.choice(["StepLR", "LinearLR"])]
    progress = {"epoch": 1, "losses": (0.5, math.inf, np.float32(2))}
    whole = Training(1, name, options, schedule).train(2)
    pyml.save_checkpoint(path, **whole.parts, generator={"a": Generator()}, progress=progress)
    whole_header = json.loads(io.load_metadata(path)["pyml_checkpoint"])
    whole_arrays, _ = io._read(path)
    outcomes = {"loaded": 0, "refused": 0}
    for _ in range(150):
        header, arrays = copy.deepcopy(whole_header), dict(whole_arrays)
        for _ in range(rng.choice([1, 1, 2])):
            damage(header["content"], rng)
        if rng.random() < 0.2:
            damage_array(arrays, rng)
        if rng.random() < 0.2:
            header["named"] = rng.choice([[], ["model"], ["optimizer"], ["generator", 3], *JUNK])
        header["crc32"] = json_tree.checksum([header["named"], header["content"]], arrays)
        if rng.random() < 0.1:
            damage(header, rng)
        io.save(arrays, path, {"pyml_checkpoint": json.dumps(header)})
        training, generator = Training(2, name, options, schedule).train(1), Generator(3)
        before = training.bits(), bits(generator.get_state())
        try:
            pyml.load_checkpoint(path, **training.parts, generator={"a": generator})
        except (ValueError, TypeError) as error:
            assert str(error).startswith((f"{path}: ", "load_checkpoint: ")), error
            assert (training.bits(), bits(generator.get_state())) == before
            outcomes["refused"] += 1
        else:
            training.train(1)
            outcomes["loaded"] += 1
    assert outcomes["refused"] > 100 and outcomes["loaded"] > 0


@pytest.mark.parametrize("argument", ["progress", "best", "extra", "default_generator"])
def test_what_every_checkpoint_has_is_missed_before_anything_changes(argument, path):
    training = Training(1).train(1)
    pyml.save_checkpoint(path, **training.parts)
    header = json.loads(io.load_metadata(path)["pyml_checkpoint"])
    del header["content"][argument]
    arrays, _ = io._read(path)
    header["crc32"] = json_tree.checksum([header["named"], header["content"]], arrays)
    io.save(arrays, path, {"pyml_checkpoint": json.dumps(header)})
    refused(ValueError, f"is damaged: it lacks '{argument}'", path, Training(2).train(1))


# ---- kills ---------------------------------------------------------------------------------------


def start(folder):
    """The training of helpers/interrupted.py in a process of its own, at its first step."""
    command = [sys.executable, "-W", "error", interrupted.__file__, "checkpoint", "weights"]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"training\n"
    return child


def partial_files(folder):
    return {name for name in os.listdir(folder) if name.endswith(".partial")}


def wait_for_a_save(child, folder, count):
    """Returns while the count-th save that can be seen writes; or when the child has ended."""
    seen = partial_files(folder)
    count += len(seen)
    while len(seen) < count and child.poll() is None:
        seen |= partial_files(folder)


def test_killed_at_any_moment(tmp_path, pytestconfig):
    """The end is that of a training that nobody disturbed: weights, and all of the checkpoint.

    pytest --kills 50 kills more often; -s tells how many kills were within a save.
    """
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    with start(folder) as child:
        begin = time.perf_counter()
        assert child.wait() == 0
    seconds = time.perf_counter() - begin
    wanted = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(wanted) == {"checkpoint", "weights"}

    moments = random.Random(0)
    count = pytestconfig.getoption("kills")
    kills, within_saves, starts, trainings = 0, 0, 0, 0
    while kills < count:
        folder = tmp_path / f"training{trainings}"
        folder.mkdir()
        trainings += 1
        code = None
        while code != 0:
            before = partial_files(folder)
            with start(folder) as child:
                if kills < count:
                    if starts % 2 == 0:
                        time.sleep(moments.uniform(0, seconds / 3))
                    else:
                        wait_for_a_save(child, folder, moments.randint(1, 4))
                    child.kill()
                code = child.wait()
            assert code in (0, -signal.SIGKILL)
            starts += 1
            kills += code != 0
            within_saves += not partial_files(folder) <= before
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == wanted
    print(f"{kills} kills, {within_saves} of them within a save, in {trainings} trainings")


# ---- the examples of the docstrings --------------------------------------------------------------


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(module, extraglobs={"pyml": pyml})
    assert failed == 0 and tried > 5
