"""What lives longer than a replay, or is reached by more names than one."""

import contextlib
import copy
import ctypes
import functools
import signal
import types

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn, optim


def assert_same_steps(made, calls=6, shape=(8, 16)):
    """`made()` gives a step and what it changes; eager and recorded steps leave the same bits.

    Of six calls, Python runs 1, 2 and 4.
    """
    eager, watched = made()
    recorded, got = made()
    recorded = pyml.record(recorded)
    for i in range(calls):
        x = pyml.full(shape, i + 1.0)
        wanted, result = eager(x), recorded(x)
        if wanted is not None:
            assert_same_bits(result.detach().array, wanted.detach().array)
        for a, b in zip(got(), watched(), strict=True):
            assert_same_bits(a.detach().array, b.detach().array)


def weight():
    return pyml.ones(16, requires_grad=True)


def test_a_gradient_that_the_next_replay_reads():
    def made():
        w = weight()

        def step(x):
            (x * w).sum().backward()
            w.grad = w.grad * 0.5

        return step, lambda: [w.grad]

    assert_same_steps(made, shape=(16,))  # all arrays have blocks of one size


def test_a_gradient_from_outside_is_read_where_it_is():
    def made():
        w, g = weight(), pyml.arange(16.0)
        optimizer = optim.SGD([w], lr=1.0)

        def step(x):
            w.grad = g
            optimizer.step()

        return step, lambda: [w, g]

    assert_same_steps(made)


def test_a_held_gradient_moves_with_all_that_shares_its_memory():
    def made():
        w, held = pyml.ones(257, requires_grad=True), []

        def step(x):
            with pyml.no_grad():
                t = x.sum() * pyml.ones(288)
                s = (t[258:] * 1).sum()
                del t
            w.grad = None
            (w * x.sum()).sum().backward()
            return s

        def watched():
            held.append(w.grad)
            return [w.grad, *(g.detach() for g in held[-2:])]

        return step, watched

    assert_same_steps(made)


def test_runs_whose_gradients_go_on_from_step_to_step():
    def made():
        w = pyml.zeros(1, requires_grad=True)

        def step(x):
            loss = (x * w).sum()
            loss.backward()
            return loss

        return step, w

    def clear(w, progress):
        w.grad = None

    x = pyml.ones(32, 1)
    step, w = made()
    for i in range(8):
        step(x[4 * i : 4 * i + 4])
        if (i + 1) % 3 == 0:
            clear(w, None)
    recorded, v = made()
    pyml.record(recorded).run(
        x, batch_size=4, shuffle=False, callback=functools.partial(clear, v), every_steps=3
    )
    assert_same_bits(v.grad.array, w.grad.array)


def test_read_only_arguments_are_not_written():
    step = pyml.record(lambda x: x.add_(1).sum())
    step(pyml.ones(4))
    frozen = np.ones(4, np.float32)
    frozen.flags.writeable = False
    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            step(pyml.from_numpy(frozen))
    with pytest.raises(ValueError, match="read-only"):
        pyml.record(lambda x: x.add_(1).sum())(pyml.from_numpy(frozen))
    assert_same_bits(frozen, np.ones(4, np.float32))


def test_an_argument_that_the_step_changes_by_another_name_is_refused():
    w = pyml.ones(3)

    def step(x):
        w.mul_(0.9)
        return x + w

    with pytest.raises(pyml.RecordError, match="another name"):
        pyml.record(step)(w)


def test_methods_of_subclasses_and_copies():
    class Base:
        scale = 1.0

        @pyml.record
        def step(self, x):
            return x * self.scale

    class Double(Base):
        def step(self, x):
            return super().step(x) * 2

    double = Double()
    for _ in range(3):
        assert double.step(pyml.ones(1)).item() == 2
    original = Base()
    original.step(pyml.ones(1))
    other = copy.copy(original)
    other.scale = 3.0
    for _ in range(2):
        assert other.step(pyml.ones(1)).item() == 3
        assert original.step(pyml.ones(1)).item() == 1


class Trainer:
    """Reaches what it uses by methods of its own."""

    def __init__(self):
        self.net, self.factor = nn.Linear(16, 2), 1.0
        self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)

    def forward(self, x):
        return self.net(x) * self.factor

    def update(self):
        self.optimizer.step()

    def step(self, x):
        self.optimizer.zero_grad()
        loss = self.forward(x).sum()
        loss.backward()
        self.update()
        return loss


def other_net(trainer):
    trainer.net = nn.Linear(16, 2)
    nn.init.constant_(trainer.net.weight, 0.25)
    nn.init.zeros_(trainer.net.bias)
    trainer.optimizer = optim.SGD(trainer.net.parameters(), lr=0.1)


def other_optimizer(trainer):
    trainer.optimizer = optim.SGD(trainer.net.parameters(), lr=0.3, momentum=0.5)


def other_factor(trainer):
    trainer.factor = 2.0


@pytest.mark.parametrize("change", [other_net, other_optimizer, other_factor])
def test_what_methods_of_methods_use_is_guarded(change):
    pyml.manual_seed(0)
    eager = Trainer()
    pyml.manual_seed(0)
    recorded = Trainer()
    step = pyml.record(recorded.step)
    for i in range(6):
        if i == 3:
            change(eager)
            change(recorded)
        x = pyml.full((4, 16), i + 0.5)
        assert_same_bits(step(x).array, eager.step(x).detach().array)
        assert_same_bits(recorded.net.weight.detach().array, eager.net.weight.detach().array)


def test_forward_of_a_class_is_replaced():
    class Scale(nn.Module):
        def forward(self, x):
            return x * 2

    module = Scale()
    step = pyml.record(lambda x: module(x))
    for _ in range(2):
        assert step(pyml.ones(1)).item() == 2
    Scale.forward = lambda self, x: x * 3
    assert step(pyml.ones(1)).item() == 3


def test_hooks_see_what_they_use():
    settings = {"factor": 2.0}
    module = nn.Identity() if hasattr(nn, "Identity") else nn.ReLU()
    module.register_forward_hook(lambda m, args, output: output * settings["factor"])
    step = pyml.record(lambda x: module(x))
    for factor in (2.0, 2.0, 5.0, 5.0):
        settings["factor"] = factor
        assert step(pyml.ones(1)).item() == factor


class Slotted:
    __slots__ = ("factor",)

    def __init__(self):
        self.factor = 1.0

    @property
    def doubled(self):
        return self.factor * 2


def test_slots_properties_and_partials():
    slotted = Slotted()
    step = pyml.record(functools.partial(lambda s, x: x * s.doubled, slotted))
    for factor in (1.0, 1.0, 4.0, 4.0):
        slotted.factor = factor
        assert step(pyml.ones(1)).item() == 2 * factor


class Decaying(optim.Optimizer):
    """Counts its steps in Python."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})

    @pyml.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            state = self.state[p]
            state["n"] = state.get("n", 0) + 1
            p.add_(p.grad, alpha=-0.1 / state["n"])


def test_an_optimizer_that_counts_in_python():
    counts, executions = [], ctypes.c_long()

    def made():
        w = weight()
        optimizer = Decaying([w])

        def step(x):
            executions.value += 1
            w.grad = None
            (x * w).sum().backward()
            optimizer.step()

        def watched():
            counts.append(optimizer.state[w]["n"])
            return [w]

        return step, watched

    assert_same_steps(made, calls=20)
    assert counts == [n for call in range(1, 21) for n in (call, call)]
    assert {type(n) for n in counts} == {int}
    # calls 1 and 2 make the state and find that it counts, the others are 1, 2, 4 and 16 after that
    assert executions.value <= 20 + 2 + 4


def test_each_optimizer_has_a_scheduler_of_its_own():
    def made():
        pair = [weight(), weight()]
        optimizers = [optim.SGD([w], lr=0.5) for w in pair]
        schedulers = [optim.lr_scheduler.StepLR(o, 2, 0.5) for o in optimizers]

        def step(x):
            for w, optimizer, scheduler in zip(pair, optimizers, schedulers, strict=True):
                optimizer.zero_grad()
                (x * w).sum().backward()
                optimizer.step()
                scheduler.step()

        return step, lambda: pair

    assert_same_steps(made, calls=7)


def test_plain_values_of_numpy_and_slices_are_compared_by_value():
    step = pyml.record(lambda x, part, factor: x[part] * float(factor))
    for _ in range(3):
        step(pyml.ones(4), slice(0, 2), np.float64(2.0))
    assert len(step._programs) == 1


def test_nothing_is_a_result_too():
    step = pyml.record(lambda x: x[:0])
    for _ in range(4):
        assert step(pyml.ones(3)).shape == (0,)


# ---- runs ----------------------------------------------------------------------------------------


def test_not_a_number_in_the_first_step_leaves_the_weights():
    layer = nn.Linear(3, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    @pyml.record
    def step(x):
        optimizer.zero_grad()
        loss = layer(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    x = pyml.full((8, 3), float("nan"))
    before = layer.weight.detach().clone()
    with pytest.raises(FloatingPointError, match="step 0"):
        step.run(x, batch_size=4)
    assert_same_bits(layer.weight.detach().array, before.array)


@pytest.mark.parametrize("at", [0, 3, 6])
def test_ctrl_c_waits_for_the_edge_of_a_step(at, interruptible):
    """In the first step, within an epoch, in the last batch, which is smaller."""

    def made():
        w = weight()
        optimizer = optim.SGD([w], lr=0.01, momentum=0.9)
        calls = ctypes.c_long()  # no guard looks into it

        def step(x):
            optimizer.zero_grad()
            loss = (x * w).square().sum()
            loss.backward()
            if at > 0:
                float(loss)  # is not recorded, so that Python runs in each step
            if calls.value == at and interrupts:
                signal.raise_signal(signal.SIGINT)
            calls.value += 1
            optimizer.step()
            return loss

        return step, w

    x = pyml.randn(26, 16)
    interrupts = False
    warns = pytest.warns(UserWarning, match="eagerly") if at > 0 else contextlib.nullcontext()
    step, wanted = made()
    pyml.manual_seed(1)
    with warns:
        pyml.record(step, unrecordable="eager").run(x, batch_size=4, epochs=2)
    interrupts = True
    step, got = made()
    step = pyml.record(step, unrecordable="eager")
    pyml.manual_seed(1)
    warns = pytest.warns(UserWarning, match="eagerly") if at > 0 else contextlib.nullcontext()
    with warns, pytest.raises(KeyboardInterrupt):
        step.run(x, batch_size=4, epochs=2)
    done = step.progress
    assert done.step == at + 1 and len(done.losses) == at + 1
    step.run(x, batch_size=4, epochs=2, resume=done.state_dict())
    assert_same_bits(got.detach().array, wanted.detach().array)


def test_a_callback_may_return_a_tensor():
    step = pyml.record(lambda x: x.sum())
    losses = step.run(
        pyml.ones(12, 2), batch_size=2, callback=lambda p: p.losses[-1] > 0, every_steps=2
    )
    assert losses.shape == (2,)


def test_resume_is_named():
    step = pyml.record(lambda x: x.sum())
    checkpoint = pyml.train.LoadedCheckpoint(None, None, None)
    for wrong, message in [(checkpoint, "progress"), (3, "int"), ("run", "str")]:
        with pytest.raises(TypeError, match=message):
            step.run(pyml.ones(4, 2), batch_size=2, resume=wrong)
    assert step.run(pyml.ones(4, 2), batch_size=np.int64(2)).shape == (2,)
    with pytest.raises(TypeError, match="plain function"):
        pyml.record(lambda x: (yield x))


# ---- names that lead further ---------------------------------------------------------------------


def test_an_attribute_of_a_module_of_the_user():
    settings = types.ModuleType("settings")
    settings.scale = 1.0
    step = pyml.record(lambda x: x * settings.scale)
    for scale in (1.0, 1.0, 3.0, 3.0):
        settings.scale = scale
        assert step(pyml.ones(1)).item() == scale


def test_what_a_helper_of_forward_reads():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.settings = {"inner": types.SimpleNamespace(scale=1.0)}

        def scale(self):
            return self.settings["inner"].scale

        def forward(self, x):
            return x * self.scale()

    module = Scale()
    step = pyml.record(lambda x: module(x))
    for scale in (1.0, 1.0, 3.0, 3.0):
        module.settings["inner"].scale = scale
        assert step(pyml.ones(1)).item() == scale


def test_an_attribute_of_an_optimizer_in_python():
    class Plain(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})
            self.decay = 1.0

        @pyml.no_grad()
        def step(self):
            for p in self.param_groups[0]["params"]:
                p.add_(p.grad, alpha=-self.decay)

    w = weight()
    optimizer = Plain([w])

    @pyml.record
    def step(x):
        w.grad = None
        (x * w).sum().backward()
        optimizer.step()

    wanted = 1.0
    for decay in (1.0, 1.0, 0.5, 0.25):
        optimizer.decay = decay
        step(pyml.ones(1, 16))
        wanted -= decay
        assert w[0].item() == wanted
