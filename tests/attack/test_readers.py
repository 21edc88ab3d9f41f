"""Damaged files, state dicts and command lines: readers.py says how they are damaged."""

import itertools

import numpy as np
import pytest

import pyml
from attack import readers
from attack.children import Fault


def test_readers(besieged):
    besieged("attack.readers:attack", cases=200)


def changes(world):
    world.model[0].weight.data.fill_(1)
    raise ValueError("too late")


def changes_state(world):
    world.optimizer.param_groups[0]["lr"] = 7
    raise ValueError("too late")


def draws(world):
    pyml.rand(1)
    raise ValueError("too late")


def slips(world):
    return {}["x"]


def waits(world):
    for _ in itertools.count():
        pass


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (changes, "changed something"),
        (changes_state, "changed something"),
        (draws, "changed something"),
        (slips, "KeyError"),
        (waits, "more than seconds"),
    ],
)
def test_a_fault_of_a_reader_is_found(load, words, monkeypatch):
    monkeypatch.setattr("attack.calls.SECONDS", 0.2)
    world = readers.World(np.random.default_rng(0))
    with pytest.raises(Fault, match=words):
        readers.load_and_look(world, lambda: load(world), readers.OF_FILES)
