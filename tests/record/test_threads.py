"""Recorded steps on several threads, with several threads, in forked children; and their memory."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from helpers.forks import HANG, in_child
from helpers.together import together
from pyml import nn
from pyml.nn import functional as F
from record.programs import assert_same_history, assert_same_state, plan, state_of
from record.test_run import script


class Fit:
    """A script of its own generator: its bits depend on no other thread."""

    def __init__(self, seed, width=16, rows=64):
        rng = np.random.default_rng(seed)
        self.model = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 3))
        for p in self.model.parameters():
            p.data = pyml.tensor(rng.normal(size=p.shape), dtype=pyml.float32)
        self.optimizer = pyml.optim.AdamW(self.model.parameters(), lr=0.01)
        self.x = pyml.tensor(rng.normal(size=(rows, 8)), dtype=pyml.float32)
        self.y = pyml.from_numpy(rng.integers(0, 3, rows))
        self.generator = pyml.Generator(seed)

    @pyml.record
    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(F.dropout(self.model(x), 0.1, generator=self.generator), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self, epochs=3, **settings):
        settings = {"batch_size": 10, "generator": self.generator, **settings}
        return self.step.run(self.x, self.y, epochs=epochs, **settings)


# ---- threads -------------------------------------------------------------------------------------


def test_fits_at_the_same_time_have_the_bits_of_fits_alone():
    """Recording, replaying by call and by run, all mixed."""
    wanted, got = ([Fit(seed) for seed in range(3)] for _ in range(2))

    def work(fit):
        for _ in range(10):
            fit.step.clear()
            fit.step(fit.x[:7], fit.y[:7])
            fit.run()
            for i in range(5):
                fit.step(fit.x[i : i + 7], fit.y[i : i + 7])

    for fit in wanted:
        work(fit)
    together([lambda fit=fit: work(fit) for fit in got])
    for a, b in zip(got, wanted, strict=True):
        assert_same_state(state_of(a.model, a.optimizer), state_of(b.model, b.optimizer))


def test_a_run_and_calls_of_one_step_take_turns():
    fit = Fit(0, rows=200)
    fit.run(1)
    together([lambda: fit.run(20), lambda: [fit.step(fit.x[:10], fit.y[:10]) for _ in range(300)]])
    state = fit.optimizer.state[next(fit.model.parameters())]
    assert state["step"].item() == 20 + 20 * 20 + 300


def test_threads_that_record_one_step_take_turns():
    """Each with shapes of its own in turn, which are recorded, confirmed and replayed."""
    weight, state = nn.Parameter(pyml.zeros(())), {"t": 0}
    optimizer = pyml.optim.SGD([weight], lr=1.0)

    @pyml.record
    def step(x):
        state["t"] += 1
        optimizer.zero_grad()
        (weight * x).mean().backward()
        optimizer.step()

    def work(thread):
        for call in range(50):
            step(pyml.ones(1 + (call + thread) % 5))

    together([lambda i=i: work(i) for i in range(4)])
    assert (state["t"], weight.item()) == (200, -200)


def test_threads_that_share_an_object_have_one_step_of_it():
    for _ in range(20):
        fit = Fit(0)
        steps = []
        together([lambda fit=fit, steps=steps: steps.append(fit.step)] * 4)
        assert all(step is steps[0] for step in steps)


def test_a_step_that_waits_for_a_thread_that_calls_it_is_no_hang(monkeypatch):
    monkeypatch.setattr("pyml.recording.turns.PATIENCE", 0.2)
    errors = []

    def call_from_inside(x):
        try:
            step(x)
        except RuntimeError as error:
            errors.append(str(error))

    @pyml.record
    def step(x):
        pyml.host(lambda: together([lambda: call_from_inside(x)]))
        return x * 2

    x = pyml.ones(2)
    assert step(x).sum().item() == 4
    assert "another thread" in errors[0]


def test_a_thread_waits_as_long_as_others_are_served(monkeypatch):
    monkeypatch.setattr("pyml.recording.turns.PATIENCE", 1.0)
    step = pyml.record(lambda x: pyml.host(time.sleep, 0.25) or x * 2)
    together([lambda: step(pyml.ones(2))] * 8)


def test_threads_that_wait_no_more_leave_the_line_whole(monkeypatch):
    """From its end, its middle and its head; who stands behind them is served all the same."""
    monkeypatch.setattr("pyml.recording.turns.PATIENCE", 0.004)
    busy, served, gone = threading.Lock(), [], []

    def alone():
        assert busy.acquire(blocking=False), "two threads are in the step"
        time.sleep(0.005)
        busy.release()

    step = pyml.record(lambda x: pyml.host(alone) or (x * 2).sum())

    def work(i):
        for _ in range(10):
            try:
                served.append((i, step(pyml.ones(50) * i).item()))
            except RuntimeError as error:
                assert "another thread" in str(error)
                gone.append(i)

    step(pyml.ones(50))
    together([lambda i=i: work(i) for i in range(6)])
    assert len(served) > 6 and len(gone) > 6
    assert all(value == 100 * i for i, value in served)
    assert step(pyml.ones(50)).item() == 100


def test_many_threads_on_one_step_leave_it_whole():
    step = pyml.record(lambda x: (x * 2).sum())
    inputs = [pyml.ones(50) * i for i in range(4)]

    def work(i):
        for _ in range(300):
            assert step(inputs[i]).item() == 100 * i

    together([lambda i=i: work(i) for i in range(4)])
    assert step(inputs[1]).item() == 100


def test_other_threads_run_while_a_run_does():
    fit = Fit(0, width=256, rows=1000)
    fit.run(1)
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(1)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    ticks.clear()
    begin = time.monotonic()
    fit.run(10**6, callback=lambda p: time.monotonic() - begin > 0.3, every_seconds=0.1)
    during = len(ticks)
    stop.set()
    thread.join()
    assert during > 10_000


def test_computing_elsewhere_while_recording():
    """A recording hears its own thread alone: what others compute is theirs."""
    stop, errors = threading.Event(), []
    x = pyml.randn(20, 20)
    wanted = (x @ x).tanh().sum().item()

    def compute():
        while not stop.is_set():
            if (x @ x).tanh().sum().item() != wanted:
                errors.append("other bits")

    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    fit = Fit(1)
    for _ in range(100):
        fit.step.clear()
        fit.step(fit.x, fit.y)
        fit.step(fit.x, fit.y)
    stop.set()
    thread.join()
    assert not errors


def test_recorded_on_one_thread_and_replayed_on_another():
    fit, alone = Fit(2), Fit(2)
    for f in (fit, alone):
        f.run(1)
    together([lambda: fit.run(2)])
    alone.run(2)
    assert_same_state(state_of(fit.model, fit.optimizer), state_of(alone.model, alone.optimizer))


@pytest.mark.parametrize("recorded_with", [1, 2])
def test_threads_of_kernels_do_not_change_a_bit(recorded_with):
    """Large enough to be shared; also when the count changes after the recording."""
    states = []
    for threads in (1, 2, 3):
        pyml.set_num_threads(recorded_with)
        pyml.manual_seed(0)
        fit = Fit(3, width=300, rows=600)
        fit.step(fit.x[:300], fit.y[:300])
        pyml.set_num_threads(threads)
        fit.step(fit.x[:300], fit.y[:300])
        fit.run(2, batch_size=300)
        states.append(state_of(fit.model, fit.optimizer))
    for state in states[1:]:
        assert_same_state(state, states[0])


@pytest.mark.parametrize("seed", range(8))
def test_random_programs_with_two_threads(seed):
    """The programs of test_equality, of which some make calls that are shared."""
    pyml.set_num_threads(2)
    assert_same_history(plan(1000 + seed), pyml.record)


# Python 3.12 warns of any fork in a process with threads: that is what is tested here.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_goes_on_with_a_recording():
    pyml.set_num_threads(2)
    fit, alone = (Fit(4, width=300, rows=600) for _ in range(2))
    fit.run(1, batch_size=300)

    def go_on():
        fit.run(2, batch_size=300)
        alone.run(1, batch_size=300)
        alone.run(2, batch_size=300)
        for p, q in zip(fit.model.parameters(), alone.model.parameters(), strict=True):
            assert_same_bits(p.array, q.array)

    assert in_child(go_on) == 0
    go_on()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_wait_for_a_thread_of_its_parent():
    """The thread whose turn it is does not come along."""
    this, has_turn, may_go = threading.get_ident(), threading.Event(), threading.Event()

    def hold():
        if threading.get_ident() != this:
            has_turn.set()
            may_go.wait(HANG)

    @pyml.record
    def step(x):
        pyml.host(hold)
        return x * 2

    for _ in range(3):
        step(pyml.ones(2))
    thread = threading.Thread(target=step, args=(pyml.ones(2),))
    thread.start()
    assert has_turn.wait(HANG)

    def calls():
        assert [step(pyml.ones(2)).tolist() for _ in range(3)] == [[2, 2]] * 3

    code = in_child(calls)
    may_go.set()
    thread.join()
    assert code == 0
    assert step(pyml.ones(2)).tolist() == [2, 2]


# ---- memory --------------------------------------------------------------------------------------


def objects():
    """How many the collector knows. Without a GIL it lets go of some when it looks again."""
    gc.collect()
    gc.collect()
    return len(gc.get_objects())


def used():
    gc.collect()
    return pyml.memory.stats()["used"]


def test_replays_take_no_memory():
    """Between call 65 and call 256 of all rows and of 5, and 17 and 64 of the 3 that are left."""
    s = script(pyml.record)
    for _ in range(65):
        s.step(s.x, s.y)
    s.step.run(s.x, s.y, batch_size=5, epochs=17)
    before, calls = used(), pyml.memory.stats()["system_calls"]
    for _ in range(180):
        s.step(s.x, s.y)
    for _ in range(15):
        s.step.run(s.x, s.y, batch_size=5, epochs=2)
    assert used() == before
    assert pyml.memory.stats()["system_calls"] == calls


def test_calls_that_python_confirms_give_their_memory_back():
    """By the next call, which is a replay."""
    s = script(pyml.record)
    for _ in range(3):
        s.step(s.x, s.y)
    before, known = used(), objects()
    changed = []
    for call in range(4, 300):
        calls = pyml.memory.stats()["system_calls"]
        s.step(s.x, s.y)
        if pyml.memory.stats()["system_calls"] != calls:
            changed.append(call)
    assert changed == [4, 5, 16, 17, 64, 65, 256, 257]
    assert used() == before
    assert objects() <= known + 10


def test_recording_again_takes_no_memory():
    s = script(pyml.record)
    for _ in range(3):
        s.step.clear()
        s.step(s.x, s.y)
    before, known = used(), objects()
    for _ in range(30):
        s.step.clear()
        s.step(s.x, s.y)
        s.step(s.x, s.y)
    assert used() == before
    assert objects() <= known + 10


def test_clear_gives_all_back():
    layer, x = nn.Linear(3, 2), pyml.randn(5, 3)
    step = pyml.record(lambda x: layer(x).tanh().sum())
    before = used()
    step(x)
    step(x[:2])
    step.clear()
    assert used() == before
    assert step(x).shape == ()


def test_the_process_does_not_grow():
    """Memory that no Python object counts: arenas, programs."""
    script = """
        import gc, resource
        import pyml
        from pyml import nn

        layer = nn.Linear(200, 200)
        optimizer = pyml.optim.SGD(layer.parameters(), lr=0.1)
        x = pyml.randn(200, 200)

        @pyml.record
        def step(x):
            optimizer.zero_grad()
            loss = layer(x).tanh().square().mean()
            loss.backward()
            optimizer.step()
            return loss

        def resident():
            gc.collect()
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1]) * resource.getpagesize()

        def work():
            for _ in range(100):
                step.clear()
                for _ in range(3):
                    step(x)
                step.run(x, batch_size=100)
            for _ in range(300):
                step(x)

        work()
        before = resident()
        work()
        work()
        print(resident() - before)
    """
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("/proc is Linux's")
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 2_000_000  # one arena of the step is 0.8 MB


@pytest.mark.parametrize("shape", ["closure", "method", "global"])
def test_a_step_and_its_model_are_freed(shape):
    references = []
    if shape == "method":
        fit = Fit(5)
        fit.run(1)
        references = [weakref.ref(fit.step), weakref.ref(fit.model), weakref.ref(fit.optimizer)]
        del fit
    else:
        s = script(pyml.record)
        s.step.run(s.x, s.y, batch_size=5)
        references = [weakref.ref(s.step), weakref.ref(s.model), weakref.ref(s.optimizer)]
        if shape == "global":
            globals()["kept_step"] = s.step
            del globals()["kept_step"]
        del s
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_what_a_recording_refused_is_freed():
    layer = nn.Linear(2, 2)
    step = pyml.record(lambda x: layer(x).sum() * layer(x).sum().item())
    x = pyml.ones(1, 2)
    for _ in range(3):
        with pytest.raises(pyml.RecordError):
            step(x)
    before = used()
    for _ in range(5):
        with pytest.raises(pyml.RecordError):
            step(x)
    assert used() == before


def test_results_live_on_without_their_step():
    step = pyml.record(lambda x: x * 2)
    x = pyml.ones(3)
    step(x)
    result = step(x)
    del step
    gc.collect()
    assert result.tolist() == [2.0, 2.0, 2.0]


def test_gradients_live_on_without_their_step():
    layer, x = nn.Linear(3, 2), pyml.ones(1, 3)
    step = pyml.record(lambda x: layer(x).sum().backward())
    for _ in range(2):
        layer.zero_grad()
        step(x)
    del step
    gc.collect()
    junk = [pyml.full((2, 3), float("nan")) for _ in range(100)]
    assert layer.weight.grad.tolist() == [[1.0] * 3] * 2
    assert len(junk) == 100
