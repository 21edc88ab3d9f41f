"""A step that ends early, by an index out of range or a number that is not finite: what it leaves.

Eagerly that is all that stands before the line that raises. So it is in a replay: where
it can be undone, Python runs the step again from its begin; else it leaves what the lines before
have done.
"""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml.nn import functional as F
from record.worlds import ROWS, assert_same_looks, assert_same_plays, batches, look, world

pytestmark = pytest.mark.filterwarnings("ignore:lr_scheduler.step.. was called before")
STEPS = {}  # name -> function(world, x, y)


def step(function):
    STEPS[function.__name__] = function
    return function


@step
def all_before(w, x, y):
    w.t += 1
    w.rate *= 0.5
    w.phase = "loss" if w.phase == "none" else "none"
    w.mu = 0.9 * w.mu + x.mean(0)
    w.last = x.sum().item()
    pyml.host(w.log.append, w.t)
    w.scheduler.step()
    w.optimizer.zero_grad()
    loss = F.cross_entropy(w.model(x), y)
    loss.backward()
    w.optimizer.step()
    return loss


@step
def all_behind(w, x, y):
    loss = F.cross_entropy(w.model(x), y)
    w.optimizer.zero_grad()
    w.t += 1
    w.rate *= 0.5
    w.phase = "loss" if w.phase == "none" else "none"
    w.mu = 0.9 * w.mu + x.mean(0)
    w.last = x.sum().item()
    pyml.host(w.log.append, w.t)
    w.scheduler.step()
    loss.backward()
    w.optimizer.step()
    return loss


@step
def on_both_sides(w, x, y):
    w.t += 1
    w.phase = "forward"
    w.mu = w.mu + 1
    pyml.host(w.log.append, (w.t, x.sum().item()))
    loss = F.cross_entropy(w.model(x), y)
    w.t += 10
    w.phase = "backward"
    w.mu = w.mu * 0.5 + x.mean(0)
    pyml.host(w.log.append, (w.t, loss.item()))
    w.optimizer.zero_grad()
    loss.backward()
    w.optimizer.step()
    w.scheduler.step()
    w.phase = "none"
    return loss


@step
def two_losses(w, x, y):
    """The first has changed weights, and its gradients are there."""
    w.optimizer.zero_grad()
    first = w.model(x).square().mean()
    first.backward()
    w.optimizer.step()
    w.t += 1
    second = F.cross_entropy(w.model(x), y)
    w.optimizer.zero_grad()
    second.backward()
    w.optimizer.step()
    return second


@step
def gradients_that_stay(w, x, y):
    w.other.grad = None
    (w.other * x).sum().backward()
    F.cross_entropy(w.model(x), y).backward()
    (w.other * x).square().sum().backward()
    if w.t % 3 == 2:
        w.optimizer.step()
        w.optimizer.zero_grad()
    w.t += 1


@step
def modes(w, x, y):
    w.model.eval()
    loss = F.cross_entropy(w.model(x), y)
    w.model.train()
    w.optimizer.zero_grad()
    loss.backward()
    w.optimizer.step()
    return loss


@step
def an_argument_is_changed(w, x, y):
    x.mul_(2.0)
    w.t += 1
    loss = F.cross_entropy(w.model(x), y)
    w.optimizer.zero_grad()
    loss.backward()
    w.optimizer.step()
    return loss


@step
def several_schedulers_steps(w, x, y):
    w.scheduler.step()
    loss = F.cross_entropy(w.model(x), y)
    w.scheduler.step()
    w.optimizer.zero_grad()
    loss.backward()
    w.optimizer.step()
    w.scheduler.step()
    return loss


def loaded(function):
    """A step that changes, before all else, more than a replay can undo."""

    def step(w, x, y):
        w.ballast.add_(1.0)
        return function(w, x, y)

    return step


@pytest.mark.parametrize("bad", [(1,), (2,), (3,), (4,), (5, 6), (9,), (16, 17)], ids=str)
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("load", [lambda function: function, loaded], ids=["undone", "left"])
def test_an_index_out_of_range_leaves_what_stands_before_it(load, name, bad):
    assert_same_plays(load(STEPS[name]), bad, 20)


@pytest.mark.parametrize("bad", [1, 2, 3, 4, 9, 16])
@pytest.mark.parametrize(
    "name", ["two_losses", "several_schedulers_steps", "modes", "on_both_sides"]
)
@pytest.mark.parametrize("load", [lambda function: function, loaded], ids=["undone", "left"])
def test_in_a_run(load, name, bad):
    """Of kernels alone, or one by one."""
    data = [pyml.cat(list(each)) for each in zip(*batches(20, (bad,)), strict=True)]
    w, function = world(), load(STEPS[name])
    with pytest.raises(IndexError) as eager:
        for x, y in zip(data[0].split(ROWS), data[1].split(ROWS), strict=True):
            function(w, x, y)
    wanted = look(w)
    w = world()
    recorded = pyml.record(lambda x, y: function(w, x, y))
    with pytest.raises(IndexError) as error:
        recorded.run(*data, batch_size=ROWS, shuffle=False)
    assert str(error.value) == str(eager.value)
    assert recorded.progress.step == bad - 1
    assert_same_looks(look(w), wanted)


def before_backward(w, x, stop):
    """A step up to its backward, where a run looks whether the loss is finite."""
    w.t += 1
    w.mu = w.mu + x.mean(0)
    loss = (w.other * x).sum()
    w.phase = "loss"
    pyml.host(w.log.append, w.t)
    w.optimizer.zero_grad()
    w.other.grad = None
    stop(loss)
    loss.backward()
    w.phase = "step"
    w.t += 10
    pyml.host(w.log.append, w.t)
    with pyml.no_grad():
        w.other.sub_(0.1 * w.other.grad)
    return loss


def without_backward(w, x, stop):
    w.t += 1
    loss = (w.other.detach() * x).sum()
    w.mu = w.mu + x.mean(0)
    w.last = loss.item()
    w.phase = "loss"
    pyml.host(w.log.append, w.t)
    stop(loss)
    return loss


def a_number(w, x, stop):
    """Is returned, read after the weights have changed."""
    return before_backward(w, x, stop).item()


class Stopped(Exception):
    pass


def stop_eagerly(loss):
    if not np.isfinite(loss.item()):
        raise Stopped


@pytest.mark.parametrize("bad", [1, 2, 3, 4, 9, 16])
@pytest.mark.parametrize("function", [before_backward, without_backward, a_number])
def test_a_number_that_is_not_finite_leaves_what_stands_before_backward(function, bad):
    x = pyml.randn(20, 3)
    x.array[bad - 1, 1] = np.nan
    w = world()
    with pytest.raises(Stopped):
        for row in x.split(1):
            function(w, row, stop_eagerly)
    wanted = look(w)
    w = world()
    recorded = pyml.record(lambda x: function(w, x, lambda loss: None))
    with pytest.raises(FloatingPointError, match=f"nan at step {bad - 1} "):
        recorded.run(x, batch_size=1, shuffle=False)
    assert_same_looks(look(w), wanted)


def test_host_functions_before_an_exception_of_the_step_are_called():
    """Of its own, in a call that Python runs."""
    for bad in (1, 2, 4):
        log, calls = [], itertools.count(1)
        fails = SimpleNamespace(now=False)

        def function(x, log=log, fails=fails):
            pyml.host(log.append, x.sum().item())
            if fails.now:
                raise KeyError("mine")
            return x * 2

        recorded = pyml.record(function)
        for call in itertools.islice(calls, bad):
            fails.now = call == bad
            try:
                recorded(pyml.full((2,), float(call)))
            except KeyError:
                assert call == bad
        assert log == [2.0 * call for call in range(1, bad + 1)]


def test_an_argument_that_an_unfinished_step_has_changed():
    def function(x):
        x.mul_(2.0)
        raise KeyError("mine")

    x = pyml.ones(3)
    with pytest.raises(KeyError):
        pyml.record(function)(x)
    assert_same_bits(x.array, np.full(3, 2, np.float32))
