"""stats(): what a recorded step takes, kernel by kernel."""

import ctypes
import gc
import math
import time

import pytest

import pyml
from pyml import memory, nn, optim
from pyml.nn import functional as F
from pyml.ops.numpys import by_numpy
from pyml.recording.stats import machine_peak

is_slow = ctypes.c_bool()


def doubled(x):
    if is_slow.value:
        time.sleep(0.02)
    return x * 2


def test_before_anything_is_recorded():
    step = pyml.record(lambda x: x * 2)
    with pytest.raises(RuntimeError, match="call the step first"):
        step.stats()
    step(pyml.ones(3))
    step.clear()
    with pytest.raises(RuntimeError, match="call the step first"):
        step.stats()


def test_counts(dtype):
    """Of y = relu(x w^T + b), from the shapes."""
    layer = nn.Linear(2, 3, dtype=dtype)  # outputs of no whole vector: the ReLU is its own call
    step = pyml.record(pyml.no_grad()(lambda x: F.relu(layer(x)) * layer(x)))
    step(pyml.ones(5, 2, dtype=dtype))
    stats = step.stats()
    linear = {"flops": 2 * 5 * 2 * 3 + 15, "bytes": (10 + 6 + 3 + 15) * dtype.itemsize}
    assert {kernel.name: kernel.calls for kernel in stats.kernels} == {
        "linear_forward": 2,
        "relu_forward": 1,
        "mul": 1,
    }
    kernels = {kernel.name: kernel for kernel in stats.kernels}
    assert kernels["linear_forward"].flops == 2 * linear["flops"]
    assert kernels["linear_forward"].bytes == 2 * linear["bytes"]
    assert (kernels["mul"].flops, kernels["mul"].bytes) == (15, 45 * dtype.itemsize)
    assert stats.calls == 4
    assert stats.flops == 2 * linear["flops"] + 30
    assert stats.bytes == 2 * linear["bytes"] + 75 * dtype.itemsize


def test_before_a_replay_was_timed():
    """Calls 1, 2 and 4 are run by Python."""
    step = pyml.record(lambda x: x * 2)
    for replays in (0, 0, 1, 1, 2, 3, 4):
        step(pyml.ones(3))
        stats = step.stats()
        assert stats.replays == replays
        assert math.isnan(stats.seconds)
        assert all(math.isnan(k.seconds) and math.isnan(k.of_peak) for k in stats.kernels)
        assert "no replay was timed yet" in str(stats)


def trained(width=32, rows=64):
    """A step, its arguments and its model."""
    model = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 3))
    optimizer = optim.Adam(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, (pyml.randn(rows, 8), pyml.zeros(rows, dtype=pyml.int64)), model


def test_times():
    """The sum of the kernels', and about that of a step by the clock."""
    function, data, _ = trained()
    step = pyml.record(function)
    for _ in range(200):
        step(*data)
    stats = step.stats()
    assert 0 < stats.seconds < 0.01
    assert math.isclose(stats.seconds, math.fsum(k.seconds for k in stats.kernels))
    assert all(k.seconds > 0 and 0 <= k.of_peak < 10 for k in stats.kernels)
    assert [k.seconds for k in stats.kernels] == sorted(k.seconds for k in stats.kernels)[::-1]
    assert sum(k.calls for k in stats.kernels) == stats.calls
    assert "timed yet" not in str(stats)


def test_runs_are_timed_too():
    step = pyml.record(lambda x: x.sum())
    step.run(pyml.ones(400), batch_size=2)
    assert step.stats().replays == 195  # of 200: calls 1, 2, 4, 16 and 64 are run by Python
    assert step.stats().seconds > 0


def test_one_disturbed_replay_says_nothing():
    step = pyml.record(lambda x: pyml.from_numpy(by_numpy("doubled", doubled, (x.array,))))
    for _ in range(7):  # the next replay is the fifth: the first that is timed
        step(pyml.ones(3))
    is_slow.value = True
    try:
        step(pyml.ones(3))
    finally:
        is_slow.value = False
    assert step.stats().seconds >= 0.02
    for _ in range(200):  # three more that are timed: their mean is 0.005
        step(pyml.ones(3))
    assert 0 < step.stats().seconds < 0.004


def test_the_table():
    function, data, _ = trained()
    step = pyml.record(function)
    for _ in range(80):
        step(*data)
    stats = step.stats()
    lines = str(stats).splitlines()
    assert lines[0].split() == ["kernel", "calls", "us", "share", "MFLOP", "MB", "of", "peak"]
    assert [line.split()[0] for line in lines[1:-2]] == [k.name for k in stats.kernels]
    assert len({len(line) for line in lines[:-2]}) == 1
    assert lines[-2].startswith("a step") and "100%" in lines[-2]
    assert lines[-1].startswith(f"{stats.replays} replays, 1 variants")
    assert repr(stats) == str(stats)
    page = stats._repr_html_()
    assert (page.count("<th>"), page.count("<td>")) == (7, 7 * (len(stats.kernels) + 1))
    assert all(f"<td>{kernel.name}</td>" in page for kernel in stats.kernels)
    assert f"<p>{lines[-1]}</p>" in page


def test_the_variant_that_was_replayed_most():
    step = pyml.record(lambda x: x * 2)
    for n, calls in [(3, 3), (5, 6), (7, 1)]:  # 1, 3 and no replays
        for _ in range(calls):
            step(pyml.ones(n))
    stats = step.stats()
    assert (stats.variants, stats.replays, stats.flops) == (3, 3, 5)


def test_a_step_without_kernels():
    step = pyml.record(lambda x: x)
    step(pyml.ones(2))
    stats = step.stats()
    assert (stats.calls, stats.flops, stats.bytes, stats.kernels) == (0, 0, 0, [])
    assert "a step" in str(stats)


# ---- memory --------------------------------------------------------------------------------------


def test_memory_is_about_the_peak_of_a_step():
    """A program owns results and gradients, as an eager step does while it runs."""
    function, data, model = trained(width=512, rows=512)
    function(*data)  # makes the optimizer's state
    model.zero_grad()
    gc.collect()
    memory.empty_cache()
    before = memory.stats()["used"]
    function(*data)
    eager = memory.stats()["peak"] - before
    step = pyml.record(function)
    for _ in range(3):
        step(*data)
    assert 0.5 * eager < step.stats().memory <= 1.3 * eager


def test_memory_of_a_run_does_not_grow():
    function, data, _ = trained()
    step = pyml.record(function)
    step.run(*data, batch_size=16)
    before = step.stats().memory
    step.run(*data, batch_size=16, epochs=20)
    assert step.stats().memory == before


def test_the_peak_is_one():
    """No product is far above it, as when its loop waits for memory, or sums leave registers."""
    x, threads = pyml.ones(512, 512), pyml.get_num_threads()

    def rate():
        start = time.perf_counter()
        x @ x
        return 2 * 512**3 / (time.perf_counter() - start)

    pyml.set_num_threads(1)
    try:
        tries = [(rate(), machine_peak.__wrapped__()[0]) for _ in range(10)]
        product, peak = map(max, zip(*tries, strict=True))
        assert product < 1.2 * peak
    finally:
        pyml.set_num_threads(threads)
