"""What NumPy computes in a recorded step. The bits of each operation: test_ops.py."""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from pyml import nn
from pyml.ops.numpys import by_numpy
from pyml.recording.code import installed_package

CALLS = 6  # Python runs 1, 2 and 4, the others are replays


def matrices(singular=None):
    """Square ones; that of one call has no inverse."""
    pyml.manual_seed(0)
    for call in range(CALLS):
        yield call, pyml.zeros(3, 3) if call == singular else pyml.randn(3, 3)


@pytest.mark.parametrize("singular", range(CALLS))
@pytest.mark.parametrize("begins_with_a_step", [False, True])
def test_an_exception_arrives_where_it_does_eagerly(begins_with_a_step, singular):
    def play(wrap):
        layer = nn.Linear(3, 3, bias=False)
        layer.load_state_dict({"weight": pyml.eye(3)})
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
        results, count = [], []

        def step(x):
            if begins_with_a_step:
                optimizer.zero_grad()
                layer(x).square().mean().backward()
                optimizer.step()
            y = pyml.linalg.inv(x) @ layer.weight
            optimizer.zero_grad()
            y.sum().backward()
            return y.detach()

        step = wrap(step)
        for call, x in matrices(singular):
            try:
                result = step(x)
            except pyml.linalg.LinAlgError as error:
                assert "linalg.inv: Singular matrix (shape (3, 3))" in str(error)
                count.append(call)
                continue
            results += [t.array.copy() for t in (result, layer.weight, layer.weight.grad)]
        assert count == [singular]
        return results

    for got, wanted in zip(play(pyml.record), play(lambda f: f), strict=True):
        assert_same_bits(got, wanted)


@pytest.mark.parametrize(
    "draw", [pyml.bernoulli, lambda p: pyml.zeros(3).bernoulli_(p)], ids=["new", "in place"]
)
@pytest.mark.parametrize("bad", [1.5, -0.5, float("nan")])
def test_replays_look_at_probabilities(draw, bad):
    def play(wrap):
        pyml.manual_seed(0)
        step, results = wrap(lambda p: draw(p)), []
        for call in range(CALLS):
            try:
                results.append(step(pyml.full((3,), bad if call in (2, 4) else 0.5)).tolist())
            except ValueError as error:
                results.append(str(error))
        return results

    wanted = play(lambda f: f)
    assert [call for call, each in enumerate(wanted) if "probabilities" in each] == [2, 4]
    assert play(pyml.record) == wanted


def test_an_option_that_changes_unseen_is_found():
    decimals = ctypes.c_int(1)
    step = pyml.record(lambda x: x.round(decimals=decimals.value))
    for _ in range(3):
        step(pyml.ones(3))
    decimals.value = 2
    with pytest.raises(pyml.RecordError, match="NumPy computes something else"):
        step(pyml.ones(3))


def test_subnormal_numbers_are_what_they_are_eagerly():
    x = pyml.full((3,), 1e-40)
    step = pyml.record(lambda x: x.tan())
    for _ in range(CALLS):
        assert_same_bits(step(x).array, x.tan().array)
    assert x.tan().array.all()


def test_a_view_that_is_changed():
    def step(x, rows, columns):
        y = x * 2
        y[:, ::2][rows, columns] = x[0, 0]
        return y

    recorded = pyml.record(step)
    pyml.manual_seed(0)
    for _ in range(CALLS):
        x, rows = pyml.randn(4, 6), pyml.randint(4, (3,))
        columns = pyml.randint(3, (3,))
        assert_same_bits(recorded(x, rows, columns).array, step(x, rows, columns).array)


def test_what_numpy_made_of_an_argument_is_no_operand():
    step = pyml.record(lambda x: pyml.Tensor(np.ones(3, np.float32)).tan() * x)
    with pytest.raises(pyml.RecordError, match="NumPy"):
        step(pyml.ones(3))


def test_more_tensors_than_a_call_has():
    x, i = pyml.zeros((1,) * 60), pyml.zeros(2, dtype="int64")
    with pytest.raises(pyml.RecordError, match="index of more than 16 tensors"):
        pyml.record(lambda x, i: x[(i,) * 60])(x, i)
    step = pyml.record(lambda x, i: x[(i,) * 60], unrecordable="eager")
    with pytest.warns(UserWarning, match="index of more than 16 tensors"):
        assert_same_bits(step(x, i).array, np.zeros(2, np.float32))


ERRORS = [KeyboardInterrupt, TimeoutError]
left = ctypes.c_int(-1)  # calls of `doubled` until it raises; guards do not look into it
which = ctypes.c_int()  # of the errors


def doubled(x):
    """As if a signal's handler ran in it now and then."""
    left.value = max(-1, left.value - 1)
    if left.value == 0:
        raise ERRORS[which.value]("from outside")
    return x * 2


def by_a_callback(x):
    return pyml.from_numpy(by_numpy("doubled", doubled, (x.array,)))


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("handles", [False, True])
def test_an_interrupt_arrives(handles, error):
    """Also where Python runs the step if an exception is its own; nothing has happened then."""

    def step(x):
        x = x + pyml.rand(3)
        try:
            return by_a_callback(x) if handles else None
        except ValueError:
            pass

    def plain(x):
        return by_a_callback(x + pyml.rand(3))

    step, x = pyml.record(step if handles else plain), pyml.ones(3)
    for _ in range(4):
        step(x)
    before = pyml.get_rng_state()
    left.value, which.value = 1, ERRORS.index(error)
    with pytest.raises(error, match="from outside"):
        step(x)
    assert (pyml.get_rng_state() == before).all()
    replayed = step(x)
    pyml.set_rng_state(before)
    assert_same_bits(replayed.array, plain(x).array)


def signalled(x):
    left.value = max(-1, left.value - 1)
    if left.value == 0:
        signal.raise_signal(signal.SIGUSR1)
    return x * 2


def test_a_handler_that_calls_the_step_runs_it_eagerly():
    step = pyml.record(lambda x: pyml.from_numpy(by_numpy("signalled", signalled, (x.array,))) + x)
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(step(pyml.ones(3) * 5)))
    try:
        for _ in range(CALLS):
            step(pyml.ones(3))
        left.value = 1
        assert_same_bits(step(pyml.ones(3)).array, np.full(3, 3, np.float32))
        left.value = 12  # Python makes two steps of the run, the others are replays
        runs = step.run(pyml.ones(60), batch_size=3, shuffle=False)
        assert_same_bits(runs.array, np.full(60, 3, np.float32))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) == 2
    for result in seen:
        assert_same_bits(result.array, np.full(3, 15, np.float32))


@pytest.mark.parametrize("error", ERRORS)
def test_an_interrupt_of_a_comparison_arrives(error):
    """Python has made the step then, and is to be compared with in the next call."""
    step = pyml.record(lambda x: by_a_callback(x))
    step(pyml.ones(3))
    left.value, which.value = 2, ERRORS.index(error)  # the second is that of the replay
    with pytest.raises(error, match="from outside"):
        step(pyml.ones(3))
    for _ in range(CALLS):
        assert_same_bits(step(pyml.ones(3)).array, np.full(3, 2, np.float32))


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("calls", [4, 7, 30, 50])  # in replays
def test_an_interrupt_ends_a_run_that_can_go_on(calls, error):
    def train(interrupted):
        pyml.manual_seed(0)
        layer = nn.Linear(3, 3)
        optimizer = pyml.optim.Adam(layer.parameters())
        x = pyml.randn(60, 3)

        @pyml.record
        def step(x):
            optimizer.zero_grad()
            loss = layer(by_a_callback(x + 0.1 * pyml.randn(10, 3))).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        if interrupted:
            left.value, which.value = calls, ERRORS.index(error)
            with pytest.raises(error, match="from outside"):
                step.run(x, batch_size=10, epochs=10)
        step.run(x, batch_size=10, epochs=10, resume=step.progress if interrupted else None)
        return layer

    for p, q in zip(train(True).parameters(), train(False).parameters(), strict=True):
        assert_same_bits(p.array, q.array)


def test_a_run_takes_the_lock_for_each_and_leaves_it_to_others():
    """The same bits as its loop; another thread goes on meanwhile."""

    def train(play):
        pyml.manual_seed(0)
        layer = nn.Linear(3, 2)
        optimizer = pyml.optim.Adam(layer.parameters())
        x = pyml.randn(60, 3)

        @pyml.record
        def step(x):
            optimizer.zero_grad()
            loss = (layer(x).cumprod(1) + layer(x).sort(1).values).sinh().mean()
            loss.backward()
            optimizer.step()
            return loss

        play(step, x)
        return layer

    counter, stop = itertools.count(), threading.Event()

    def count():
        while not stop.is_set():
            next(counter)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        ran = train(lambda step, x: step.run(x, batch_size=10, epochs=20, shuffle=False))
    finally:
        stop.set()
        thread.join()
    looped = train(lambda step, x: [step(rows) for _ in range(20) for rows in x.split(10)])
    assert next(counter) > 0
    for p, q in zip(ran.parameters(), looped.parameters(), strict=True):
        assert_same_bits(p.array, q.array)


def test_numpy_may_lie_anywhere(tmp_path):
    """Its functions in Python are of a library: Debian's folder, pip install --target."""
    (tmp_path / "numpy").symlink_to(Path(np.__file__).parent)
    program = """
import numpy, pyml
limits = numpy.ones(3)

@pyml.record
def step(x):
    return x * 2 if (limits > 0).all() else x

print([step(pyml.ones(1)).item() for _ in range(5)], numpy.__file__)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith(f"{[2.0] * 5} {tmp_path}"), done.stderr


def test_packages_are_known_by_their_folders():
    assert installed_package("/usr/lib/python3/dist-packages/param/reactive.py") == "param"
    assert installed_package("/a/site-packages/wrapt/wrappers.py") == "wrapt"
    assert installed_package(np.linalg.__file__) == "numpy"
    assert installed_package("/home/user/project/numpy/own.py") == ""
