"""The generator: its state, its copies, and threads that draw from one."""

import copy
import pickle
import threading

import numpy as np
import pytest

import pyml
from helpers.memory import from_read_only_memory
from pyml import Generator, nn


def in_threads(count, function):
    threads = [threading.Thread(target=function) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "draw, each",
    [
        (lambda g: pyml.randn(30_000, generator=g)[0].item(), 7500),
        (lambda g: pyml.rand(30_000, generator=g)[0].item(), 7500),
        (lambda g: tuple(pyml.randperm(3000, generator=g)[:4].tolist()), 1500),
        (
            lambda g: tuple(nn.functional.dropout(pyml.ones(40_000), generator=g)[:64].tolist()),
            10_000,
        ),
    ],
    ids=["normal", "uniform", "permutation", "dropout"],
)
def test_threads_draw_different_numbers(draw, each):
    """Each call takes a range of the counter for itself, whether or not its kernel has the GIL."""
    drawn, generator = [], Generator(3)
    in_threads(8, lambda: drawn.extend([draw(generator) for _ in range(60)]))
    assert len(drawn) == 480 and len(set(drawn)) == 480
    assert generator.get_state()[1] == 480 * each
    alone = Generator(3)
    assert set(drawn) == {draw(alone) for _ in range(480)}


def test_a_state_is_copied_in_and_out():
    generator, other = Generator(1), Generator(2)
    memory = generator._state  # which kernels read
    pyml.rand(5, generator=other)
    generator.state = kept = other.state
    assert generator._state is memory
    drawn = pyml.rand(3, generator=generator)
    assert drawn.equal(pyml.rand(3, generator=other))
    generator.state = kept  # as it was when it was read
    assert drawn.equal(pyml.rand(3, generator=generator))
    generator.state[:] = 0
    assert generator.state[0] == 2


@pytest.mark.parametrize(
    "state",
    [None, 1, [1, 2], np.zeros(1, np.uint64), np.zeros(3, np.uint64), np.zeros(2), "ab"],
    ids=repr,
)
def test_what_is_no_state_changes_nothing(state):
    generator = Generator(7)
    before = generator.get_state()
    with pytest.raises(ValueError, match="state: two uint64"):
        generator.state = state
    with pytest.raises(ValueError, match="state: two uint64"):
        generator.set_state(state)
    assert np.array_equal(generator.get_state(), before)


def test_copies_do_not_share_a_state():
    generator = Generator(7)
    pyml.rand(5, generator=generator)
    for made in (
        copy.copy(generator),
        copy.deepcopy(generator),
        pickle.loads(pickle.dumps(generator)),
        from_read_only_memory(generator),
    ):
        assert not np.shares_memory(made.state, generator.state)
        assert made._state.flags.writeable  # kernels do not ask
        assert pyml.rand(3, generator=made).equal(pyml.rand(3, generator=copy.deepcopy(generator)))


def test_what_is_no_generator():
    for draw in (pyml.rand, pyml.randn, pyml.randperm):
        for generator in (np.random.default_rng(0), 5):
            with pytest.raises(TypeError, match="it must be a Generator"):
                draw(3, generator=generator)
    with pytest.raises(TypeError, match="dropout: generator is a int"):
        nn.functional.dropout(pyml.ones(3), generator=5)


def test_numbers_that_are_none():
    masked = np.ma.masked_array([1.0], True)
    with pytest.raises(TypeError, match="seed: "):
        Generator(masked)
    with pytest.raises(TypeError, match="seed: "):
        Generator().manual_seed(masked)
    with pytest.raises(ValueError, match="randperm"):
        pyml.randperm(2**63)


def test_the_device_of_a_generator():
    assert Generator("cpu").device == Generator(device=pyml.device("cpu")).device == "cpu"
    assert Generator(pyml.device("cpu")).get_state().tolist() == [0, 0]
    assert Generator(3, "cpu").initial_seed() == 3
    for wrong in ("cuda", pyml.device("cuda:1")):
        with pytest.raises(RuntimeError, match=r"Generator: device is 'cuda.*, only 'cpu'"):
            Generator(wrong)


def test_fork_rng():
    wanted = pyml.rand(8).tolist()
    pyml.manual_seed(0)
    with pyml.random.fork_rng():
        assert pyml.rand(8).tolist() == wanted
    with pytest.raises(RuntimeError), pyml.random.fork_rng(devices=[]):
        pyml.manual_seed(5)
        raise RuntimeError
    assert pyml.rand(8).tolist() == wanted
    with pyml.random.fork_rng(enabled=False):
        drawn = pyml.rand(8).tolist()
    assert pyml.rand(8).tolist() not in (wanted, drawn)
