"""Threads, forks, interrupts and too little memory: threads.py says how."""

import faulthandler
import os
import threading
import time

import numpy as np
import pytest

import pyml
from attack import threads
from attack.children import SANITIZED, Fault


def test_threads(besieged):
    besieged("attack.threads:attack", cases=50)


# ---- planted faults: another `epochs` of a training ----------------------------------------------

undisturbed = threads.Training.epochs
shared = []


def loses_when_interrupted(self, count, resume=None):
    """A step that was interrupted is taken for done."""
    for _ in range(count):
        try:
            undisturbed(self, 1)
            time.sleep(0.01)
        except KeyboardInterrupt:
            pass


def loses_when_starved(self, count, resume=None):
    try:
        undisturbed(self, count, resume)
        np.ones(1 << 24)
    except MemoryError:
        pyml.set_grad_enabled(False)
        raise


def mixes_threads(self, count, resume=None):
    """All trainings count in one place, which two threads read and write at once."""
    mine = threading.get_ident()
    shared[:] = [mine]
    time.sleep(0.01)
    undisturbed(self, count, resume)
    if shared != [mine]:
        self.model[0].weight.data.mul_(2)


def other_bits_in_a_fork(self, count, resume=None, parent=os.getpid()):  # noqa: B008
    undisturbed(self, count, resume)
    if os.getpid() != parent:
        self.model[0].weight.data.mul_(2)


def hangs_in_a_fork(self, count, resume=None, parent=os.getpid()):  # noqa: B008
    if os.getpid() != parent:
        faulthandler.disable()
        time.sleep(60)
    undisturbed(self, count, resume)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    ("epochs", "trick", "words"),
    [
        (loses_when_interrupted, threads.interrupted, "after an interrupt"),
        (loses_when_starved, threads.starved, "leaves gradients disabled"),
        (mixes_threads, threads.many, "thread"),
        (other_bits_in_a_fork, threads.forked, "other bits"),
        (hangs_in_a_fork, threads.forked, "nothing"),
    ],
)
def test_a_fault_of_a_training_is_found(epochs, trick, words, monkeypatch):
    if SANITIZED and trick is threads.starved:
        pytest.skip("AddressSanitizer needs all addresses")
    monkeypatch.setattr(threads.Training, "epochs", epochs)
    monkeypatch.setattr(threads, "SECONDS", 3)
    rng = np.random.default_rng(0)
    with pytest.raises(Fault, match=words):
        for seed in range(40):
            trick(rng, seed, 8, lambda text="": None)
    pyml.set_grad_enabled(True)


def test_numbers_that_are_drawn_twice_are_found(monkeypatch):
    def rand(size, generator, dtype):
        """Reads the state, and later writes it: another thread reads the same in between."""
        before = generator.get_state()
        time.sleep(1e-4)
        own = pyml.Generator()
        own.set_state(before)
        numbers = drawn(size, generator=own, dtype=dtype)
        generator.set_state(own.get_state())
        return numbers

    drawn = pyml.rand
    monkeypatch.setattr(pyml, "rand", rand)
    rng = np.random.default_rng(0)
    with pytest.raises(Fault, match="are drawn twice"):
        for seed in range(40):
            threads.draw(rng, seed, 1, lambda text="": None)
