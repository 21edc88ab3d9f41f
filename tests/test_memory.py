import gc
import itertools
import os

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
    assert type(layer.weight.grad.numpy().base).__name__ == "Block"
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
