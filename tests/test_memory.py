import gc
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import pyml
from pyml import memory, nn, optim


@pytest.fixture(autouse=True)
def nothing_waits():
    gc.collect()
    memory.empty_cache()


keeps_blocks = pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitized build keeps no blocks"
)


def address_of(n):
    return pyml.exp(pyml.zeros(n)).data_ptr()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_size_has_memory_of_its_own(dtype):
    sizes = [*range(300), 1023, 1024, 1025, 4096, 65537, 10**6]
    tensors = [pyml.full((n,), i, dtype=dtype) + 0 for i, n in enumerate(sizes)]
    for i, (n, t) in enumerate(zip(sizes, tensors, strict=True)):
        assert t.data_ptr() % 64 == 0
        np.testing.assert_array_equal(t.numpy(), np.full(n, i, dtype))
    spans = sorted((t.data_ptr(), t.data_ptr() + t.numpy().nbytes) for t in tensors)
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


@keeps_blocks
@pytest.mark.skipif(sys.platform != "linux", reason="others have no regions of huge pages")
def test_blocks_of_a_region_go_back_with_its_last():
    """In a process of its own: blocks would be cut from holes that other tests leave."""
    subprocess.run([sys.executable, "-c", REGIONS], check=True, env=os.environ)


REGIONS = """
import itertools
import numpy as np, pyml
from pyml import memory

# Twelve of 1 MiB lie in two regions of 8: each is asked for once, and given back once.
zeros = pyml.zeros(1 << 18)
before = memory.stats()["system_calls"]
tensors = [pyml.exp(zeros) for _ in range(12)]
taken = memory.stats()["system_calls"]
for i, t in enumerate(tensors):
    t.numpy()[:] = i
assert [t.numpy().min() for t in tensors] == [*range(12)]
kept = tensors.pop(2)
del t
tensors.clear()
memory.empty_cache()
one_is_kept = memory.stats()["system_calls"]
np.testing.assert_array_equal(kept.numpy(), np.full(1 << 18, 2, np.float32))
del kept
memory.empty_cache()
calls = [before, taken, one_is_kept, memory.stats()["system_calls"]]
assert [b - a for a, b in itertools.pairwise(calls)] == [2, 1, 1], calls
"""


@keeps_blocks
@pytest.mark.skipif(sys.platform != "linux", reason="others have no regions of huge pages")
def test_holes_of_regions_are_cut_again():
    """Every second block is kept, as the results of batches of many lengths are."""
    sizes = np.random.default_rng(0).integers(1 << 15, 1 << 19, 400).tolist()
    few = pyml.zeros(1 << 15)
    kept, places = [], set()
    for i, size in enumerate(sizes):
        t = pyml.full((size,), i, dtype=np.float32) + 0
        places.update(range(t.data_ptr() >> 12, t.data_ptr() + 4 * size >> 12))
        kept.append(few + i)
        assert (t.numpy() == i).all()
        del t
        memory.empty_cache()
    for i, t in enumerate(kept):
        assert (t.numpy() == i).all()
    spans = sorted(t.data_ptr() for t in kept)
    assert all(b - a >= 1 << 17 for a, b in itertools.pairwise(spans))
    assert len(places) << 12 < 3 * (400 << 17)


@pytest.mark.parametrize("record", [pyml.record, lambda step: step], ids=["recorded", "eager"])
def test_the_state_of_an_optimizer_begins_on_a_line(record):
    model = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 7))
    optimizer = optim.Adam(model.parameters())

    @record
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    for _ in range(3):
        step(pyml.ones(2, 3))
    arrays = [s[name] for s in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert [a.data_ptr() % 64 for a in arrays] == [0] * 8
    assert all(pyml.isfinite(a).all() for a in arrays)


@keeps_blocks
def test_a_freed_block_is_used_again():
    assert address_of(1000) == address_of(1000)
    assert address_of(10**6) == address_of(10**6)


def test_a_view_keeps_its_memory():
    t = pyml.exp(pyml.zeros(1000))
    view = t.numpy()[10:20]
    del t
    pyml.exp(pyml.ones(1000))
    np.testing.assert_array_equal(view, np.ones(10))


@keeps_blocks
def test_a_steady_step_takes_nothing_from_the_system():
    widths = [20, 300, 200, 100, 7]
    layers = [layer for a, b in itertools.pairwise(widths) for layer in layer_of(a, b)]
    model = nn.Sequential(*layers)
    optimizer = optim.Adam(model.parameters())
    x = pyml.randn(500, widths[0])
    calls = []
    for _ in range(8):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()
        calls.append(memory.stats()["system_calls"])
    assert calls[3:] == calls[3:4] * 5


def layer_of(inputs, outputs):
    return nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.Dropout(0.1), nn.Tanh()


def test_what_waits_is_bounded():
    for n in [*range(1000, 100000, 3777), *range(100000, 1000, -2777)]:
        keep = [pyml.exp(pyml.zeros(n)) for _ in range(3)]
        del keep
        stats = memory.stats()
        assert stats["used"] + stats["waiting"] <= 2 * stats["peak"]


def test_empty_cache():
    before = memory.stats()["used"]
    t = pyml.exp(pyml.zeros(1000))
    assert memory.stats()["used"] >= before + 4000
    del t
    assert memory.stats()["used"] == before
    memory.empty_cache()
    stats = memory.stats()
    assert (stats["waiting"], stats["peak"]) == (0, before)


def test_a_gradient_is_taken_not_copied():
    layer = nn.Linear(30, 20)
    layer(pyml.randn(5, 30)).sum().backward()
    taken = memory.stats()["used"]
    assert type(layer.weight.grad.numpy().base.base).__name__ == "Block"
    assert taken >= layer.weight.grad.numpy().nbytes


def test_leaves_do_not_share_a_gradient():
    a, b = pyml.zeros(3, requires_grad=True), pyml.zeros(3, requires_grad=True)
    (a + b).sum().backward()
    a.grad.fill_(7)
    np.testing.assert_array_equal(b.grad.numpy(), np.ones(3))


def test_a_gradient_with_a_graph_is_no_more_shared():
    x, z = pyml.zeros(3, requires_grad=True), pyml.zeros(3, requires_grad=True)
    mine = pyml.ones(3)
    y = x + z
    y.backward(mine, create_graph=True, retain_graph=True)
    y.backward(pyml.ones(3))
    for grad, value in (x.grad, 2), (z.grad, 2), (mine, 1):
        np.testing.assert_array_equal(grad.detach().numpy(), np.full(3, value))
    (x + z).sum().backward(create_graph=True)
    (x + z).sum().backward()
    np.testing.assert_array_equal(x.grad.detach().numpy(), np.full(3, 4))


def test_a_gradient_with_a_graph_can_be_differentiated():
    x = pyml.full((3,), 2.0, requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    (second,) = pyml.autograd.grad(x.grad.sum(), x)
    np.testing.assert_array_equal(second.numpy(), np.full(3, 12))


def test_a_gradient_that_others_hold_is_copied():
    a = pyml.zeros(3, requires_grad=True)
    mine = pyml.ones(3)
    a.backward(mine)
    seen = []
    b = pyml.zeros(3, requires_grad=True)
    b.register_hook(seen.append)
    (b * 2).sum().backward()
    a.grad.fill_(7)
    b.grad.fill_(7)
    np.testing.assert_array_equal(mine.numpy(), np.ones(3))
    np.testing.assert_array_equal(seen[0].numpy(), np.full(3, 2))


def test_more_than_there_is():
    one = pyml.zeros(1, 1)
    peak = memory.stats()["peak"]
    for size in 2**24, 2**40:
        with pytest.raises(MemoryError):
            one.expand(size, 1) @ one.expand(1, size)
    assert memory.stats()["peak"] <= peak + 4096


def test_a_result_can_be_protected_and_freed_again():
    a = pyml.exp(pyml.zeros(3)).numpy()
    a.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        a[0] = 2
    a.flags.writeable = True
    a[0] = 2
    assert a[0] == 2


# ---- the memory of recorded steps ----------------------------------------------------------------


def chain(n):
    @pyml.record
    @pyml.no_grad()
    def step(x):
        for _ in range(n):
            x = x * 1.5
        return x

    return step


def memory_of(step, *arguments):
    step(*arguments)
    return step.stats().memory


def test_a_recording_uses_freed_blocks_again():
    """Results that the next one replaces: two are there at a time, and what is returned."""
    x = pyml.ones(100_000)
    two, fifty = memory_of(chain(3), x), memory_of(chain(50), x)
    assert fifty == two <= 4 * 500_000


def test_what_is_held_in_a_step_has_memory_of_its_own():
    @pyml.record
    @pyml.no_grad()
    def step(x):
        held = [x * i for i in range(20)]
        return sum(y.sum() for y in held), held[3]

    x = pyml.ones(10_000)
    assert 20 * 40_000 <= memory_of(step, x) <= 25 * 40_000
    for _ in range(3):
        total, third = step(x)
        assert total.item() == 10_000 * 190
        np.testing.assert_array_equal(third.numpy(), np.full(10_000, 3))


def test_small_results_lie_side_by_side():
    layers = nn.Sequential(*(nn.Linear(4, 4) for _ in range(20)))
    step = pyml.record(lambda x: layers(x).sum().backward())
    assert memory_of(step, pyml.ones(2, 4)) == 1 << 16
    for p in layers.parameters():
        assert p.grad.data_ptr() % 64 == 0


def test_replays_do_not_write_into_freed_memory_of_others():
    """Its blocks are the recording's alone: others that take memory meanwhile keep their values."""
    step, x = chain(5), pyml.ones(1000)
    step(x)
    others = [pyml.full((1000,), float(i)) + 0 for i in range(20)]
    for _ in range(3):
        np.testing.assert_array_equal(step(x).numpy(), np.full(1000, 1.5**5, np.float32))
    for i, other in enumerate(others):
        np.testing.assert_array_equal(other.numpy(), np.full(1000, i, np.float32))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="/proc is Linux's")
def test_clear_gives_memory_back_to_the_system():
    """In a process of its own: memory that other tests leave would be counted."""
    subprocess.run([sys.executable, "-c", CLEARING], check=True, env=os.environ)


CLEARING = """
import os, pyml
from pyml import memory

def resident():
    memory.empty_cache()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

x = pyml.ones(12_000_000)  # above the largest size that malloc would keep
step = pyml.record(lambda x: (x * 2 + 1).sum())
before = resident()
step(x)
owned = step.stats().memory
assert owned >= 2 * 48_000_000, owned
assert resident() >= before + 0.9 * owned, (resident(), before, owned)
step.clear()
assert resident() <= before + 0.1 * owned, (resident(), before, owned)
"""


def test_more_than_there_is_in_a_recorded_step():
    one = pyml.zeros(1, 1)
    step = pyml.record(lambda n: (one.expand(n, 1) @ one.expand(1, n)).sum())
    before = memory.stats()["used"]
    with pytest.raises(MemoryError):
        step(2**40)
    assert memory.stats()["used"] == before
    assert [step(2).item() for _ in range(3)] == [0, 0, 0]
