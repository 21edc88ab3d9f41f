"""A value that a step reads is changed between two calls, in odd ways."""

import functools

import pyml
from record.loops.harness import enter

CALLS = 20
CHANGE = 6  # the first call that sees the other value: after 2 and 4, which look again


def seen(make, expect="recorded"):
    """Enters a loop: a replay sees the change.

    Args:
        make: () -> (the step, a function that makes the change, perhaps one that undoes it).
    """
    enter(f"changed[{make.__name__}]", expect, functools.partial(changed, make))
    return make


def refused(make):
    """Enters a loop whose step reads where no guard looks, and says so."""
    return seen(make, "refused")


def changed(make, record):
    step, change, *undo = make()
    step = record(step)
    x = pyml.ones(3)
    try:
        for call in range(1, CALLS):
            if call == CHANGE:
                change()
            yield step(x)
    finally:
        for each in undo:
            each()


class Setting:
    def __init__(self, value=1.0):
        self.value = value


def of_setting(make):
    s = Setting()

    def change():
        s.value = 2.0

    return make(s), change
