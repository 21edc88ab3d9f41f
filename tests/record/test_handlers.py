"""Code of a step that an index out of range would run: `except`, `finally`, `with`.

Python runs it, in each call: a replay that meets such an index is undone, or the step is refused.
"""

import contextlib
import sys

import pytest

import pyml
from pyml.nn import functional as F
from pyml.recording.handlers import open_handlers
from record.worlds import ROWS, assert_same_looks, assert_same_plays, batches, look, world

pytestmark = pytest.mark.filterwarnings("ignore:lr_scheduler.step.. was called before")
BAD = [(1,), (2,), (3,), (4,), (5, 6), (9,), (16, 17), (7, 12, 20)]  # calls
CALLS = 24
STEPS = {}  # name -> function(world, x, y)


def step(function):
    STEPS[function.__name__] = function
    return function


def train(w, x, y):
    w.optimizer.zero_grad()
    loss = F.cross_entropy(w.model(x), y)
    loss.backward()
    w.optimizer.step()
    return loss


@contextlib.contextmanager
def evaluating(w):
    w.model.eval()
    try:
        yield
    finally:
        w.model.train()
        w.ends += 1


@step
def caught(w, x, y):
    w.t += 1
    pyml.host(w.log.append, w.t)
    try:
        loss = train(w, x, y)
    except IndexError:
        w.bad += 1
        return w.t * pyml.ones(())
    pyml.host(w.log.append, loss.item())
    return loss


@step
def with_a_schedule(w, x, y):
    w.scheduler.step()
    try:
        return train(w, x, y)
    except IndexError:
        w.scheduler.step()
        return x.sum()


@step
def ended(w, x, y):
    try:
        return train(w, x, y)
    finally:
        w.optimizer.zero_grad()
        w.ends += 1


@step
def in_another_mode(w, x, y):
    with evaluating(w):
        loss = F.cross_entropy(w.model(x), y)
    return loss


@step
def suppressed(w, x, y):
    with contextlib.suppress(IndexError):
        return train(w, x, y)
    return x.sum()


@step
def goes_on(w, x, y):
    """What the handler does is what a recording would refuse."""
    try:
        return train(w, x, y)
    except IndexError as error:
        w.log.append(str(error))
        return pyml.tensor([float(x.sum()), w.t])


def data(bad):
    return batches(CALLS, bad)


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_python_runs_what_an_index_out_of_range_leads_to(name, bad):
    assert_same_plays(STEPS[name], bad, CALLS)


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("name", ["with_a_schedule", "ended", "in_another_mode", "suppressed"])
def test_in_a_run(name, bad):
    """In C, or one by one. It ends where the step raises."""
    columns = [pyml.cat(list(each)) for each in zip(*data(bad), strict=True)]
    w, wanted = world(), []
    with contextlib.suppress(IndexError):
        for x, y in zip(columns[0].split(ROWS), columns[1].split(ROWS), strict=True):
            wanted.append(STEPS[name](w, x, y).item())
    eager = look(w)
    w = world()
    recorded = pyml.record(lambda x, y: STEPS[name](w, x, y))
    with contextlib.suppress(IndexError):
        recorded.run(*columns, batch_size=ROWS, shuffle=False)
    assert recorded.progress.step == len(wanted) % CALLS or recorded.progress.epoch == 1
    assert recorded.progress.losses is None or recorded.progress.losses.tolist() == wanted
    assert_same_looks(look(w), eager)


def test_other_calls_are_replays():
    replays = []
    for bad in ((), (7,)):
        w = world()
        recorded = pyml.record(lambda x, y, w=w: STEPS["in_another_mode"](w, x, y))
        for x, y in data(bad):
            with contextlib.suppress(IndexError):
                recorded(x, y)
        replays.append(recorded.stats().replays)
    assert replays[0] > 15
    assert replays[1] == replays[0] - 1


REFUSED = {"caught": "except", "ended": "finally", "suppressed": "with", "in_another_mode": "with"}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_behind_what_cannot_be_undone(name):
    w = world()

    def function(x, y):
        w.ballast.add_(1.0)
        return STEPS[name](w, x, y)

    recorded = pyml.record(function)
    with pytest.raises(
        pyml.RecordError,
        match=rf"out of range at {__file__}:\d+ would run the {REFUSED[name]} at .*:\d+, .*; ",
    ):
        for x, y in data(()):
            recorded(x, y)


def test_modes_of_gradients_are_no_handlers():
    w = world()

    @pyml.record
    @pyml.no_grad()
    def function(x, y):
        w.ballast.add_(1.0)
        with pyml.no_grad(), pyml.set_grad_enabled(False):
            return F.cross_entropy(w.model(x), y)

    for x, y in data(()):
        function(x, y)
    assert function.stats().replays > 15


def test_a_host_function_whose_exceptions_the_step_catches_is_refused():
    @pyml.record
    def function(x):
        try:
            pyml.host(print, x.sum().item())
        except ValueError:
            return x
        return x * 2

    with pytest.raises(
        pyml.RecordError, match=rf"pyml.host\(\) at {__file__}:\d+ stands in a try .*; call"
    ):
        function(pyml.ones(2))


def test_a_host_function_behind_a_try():
    log = []

    @pyml.record
    def function(x):
        try:
            result = x * 2
        except ValueError:
            raise
        else:
            pyml.host(log.append, 1)
        try:
            pyml.host(log.append, 2)
        finally:
            pyml.host(log.append, 3)
        return result

    for _ in range(20):
        function(pyml.ones(2))
    assert log == [1, 2, 3] * 20


# ---- which are open ------------------------------------------------------------------------------


def words(function):
    """Of the handlers that are open where a function calls its argument, the innermost first."""
    found, here = [], sys._getframe()
    function(lambda: found.extend(each.word for each in open_handlers(here)))
    return found


def test_the_handlers_around_a_line():
    def nothing(look):
        try:
            pass
        except ValueError:
            pass
        else:
            look()
        look()

    def of_all_kinds(look):
        with pyml.no_grad():
            for _ in range(1):
                try:
                    with contextlib.nullcontext():
                        look()
                except (ValueError, IndexError) as error:
                    print(error)
                finally:
                    print(end="")

    def bare(look):
        try:
            look()
        except:  # noqa: E722
            print(end="")

    def two_in_one(look):
        with contextlib.nullcontext(), pyml.enable_grad():
            look()

    @contextlib.contextmanager
    def managed():
        yield

    @managed()
    def decorated(look):
        look()

    def called(look):
        try:
            decorated(look)
        finally:
            print(end="")

    def generated(look):
        return [look() for _ in range(1)]

    assert words(nothing) == []
    assert words(of_all_kinds) == ["with", "except", "finally"]
    assert words(bare) == ["except"]
    assert words(two_in_one) == ["with"]
    assert words(called) == ["with", "finally"]
    assert words(generated) == []
