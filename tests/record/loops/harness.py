"""Plays a loop twice, eagerly and recorded, and says what became of it.

A loop is a generator function of `record`. What it yields is what a person would look at: losses,
logs, weights at the end. It is compared call by call, tensors by their bits.
"""

import contextlib
import functools
import io
import random
import re
import struct
import sys
import types
import warnings
from dataclasses import dataclass, field

import numpy as np

import pyml

LOOPS = {}  # name -> Loop

# What becomes of a loop.
RECORDED = "recorded"  # the same, and its Python ran in few of the calls
RERECORDED = "rerecorded"  # the same, but its Python ran in most of the calls
REFUSED = "refused"  # a RecordError that names a line
UNCLEAR = "unclear"  # a RecordError that names none
WRONG = "wrong"  # something else than eagerly, and not a word
CRASH = "crash"  # another exception
BROKEN = "broken"  # it does not even run eagerly

MEETS = {  # what is expected -> what may become of it
    "recorded": {RECORDED},
    "refused": {REFUSED},
    "same": {RECORDED, RERECORDED},  # there is something new in most of the calls
    "either": {RECORDED, RERECORDED, REFUSED},
}
MOST = 2 / 3  # of the calls
PLACE = re.compile(r"\S+\.py:\d+")


@dataclass(frozen=True)
class Loop:
    """An entry of the table."""

    name: str
    expect: str
    function: object

    def __call__(self, record):
        return self.function(record)


def loop(function=None, *, expect="recorded", each=None):
    """Enters a loop into the table.

    Args:
        expect: a key of MEETS.
        each: name -> value: a loop for each, whose function is called with (record, value).
    """
    if function is None:
        return functools.partial(loop, expect=expect, each=each)
    assert expect in MEETS, expect
    if each is None:
        enter(function.__name__, expect, function)
    else:
        for name, value in each.items():
            enter(f"{function.__name__}[{name}]", expect, functools.partial(given, function, value))
    return function


def given(function, value, record):
    return function(record, value)


def enter(name, expect, function):
    assert name not in LOOPS, f"two loops are called {name}"
    LOOPS[name] = Loop(name, expect, function)


# ---- once ----------------------------------------------------------------------------------------


@dataclass
class Played:
    """What a loop did."""

    seen: list = field(default_factory=list)  # what it yielded, frozen
    executions: int = 0  # of the Python of what it has recorded
    error: Exception | None = None


class Player:
    """Calls a loop with `record`, and counts how often the functions given to that run."""

    def __init__(self, record):
        self.record = record
        self.codes = set()
        self.played = Played()

    def __call__(self, function=None, *, unrecordable="error"):
        """What a loop knows as `record`."""
        if function is None:
            return functools.partial(self, unrecordable=unrecordable)
        self.codes.add(code_of(function))
        return self.record(function, unrecordable=unrecordable)

    def count(self, frame, event, _):
        if event == "call" and frame.f_code in self.codes:
            self.played.executions += 1

    def play(self, loop):
        played, text = self.played, io.StringIO()
        pyml.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        before = sys.getprofile()
        with contextlib.redirect_stdout(text), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "record: ")  # the table tells of it
            sys.setprofile(self.count)
            try:
                for value in loop(self):
                    played.seen.append(frozen(value))
            except Exception as error:
                played.error = error
            finally:
                sys.setprofile(before)
        if played.error is None:
            played.seen.append(("generator", frozen(pyml.get_rng_state())))
            played.seen.append(("printed", text.getvalue()))
        return played


def code_of(function):
    """The code that runs when it is called."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif isinstance(function, types.FunctionType):
            return function.__code__
        elif isinstance(function, pyml.nn.Module):
            return type(function).forward.__code__
        else:
            function = type(function).__call__


def frozen(value):
    """A copy that can be compared; numbers by their bits."""
    if isinstance(value, pyml.Tensor):
        return ("tensor", *frozen(value.detach().array))
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, np.generic):
        return (str(value.dtype), value.tobytes())
    if isinstance(value, float):
        return ("float", struct.pack("d", value))
    if isinstance(value, dict):
        return ("dict", [(frozen(key), frozen(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)) or hasattr(value, "popleft"):
        return (type(value).__name__, [frozen(item) for item in value])
    if isinstance(value, (str, bytes, bool, int, type(None))):
        return (type(value).__name__, value)
    raise TypeError(f"a loop yields a {type(value).__name__}")


# ---- twice ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a loop, and why."""

    kind: str
    detail: str = ""

    def __str__(self):
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


def eagerly(function, unrecordable="error"):
    return function


def play(loop):
    """The Outcome of a loop."""
    wanted = Player(eagerly).play(loop)
    if wanted.error is not None:
        return Outcome(BROKEN, described(wanted.error))
    got = Player(pyml.record).play(loop)
    for i, (a, b) in enumerate(zip(got.seen, wanted.seen, strict=False)):
        if a != b:
            return Outcome(WRONG, f"item {i} of {len(wanted.seen)}: {difference(a, b)}")
    if isinstance(got.error, pyml.RecordError):
        message = str(got.error)
        return Outcome(REFUSED if PLACE.search(message) else UNCLEAR, described(got.error))
    if got.error is not None:
        return Outcome(CRASH, described(got.error))
    if len(got.seen) != len(wanted.seen):
        return Outcome(WRONG, f"{len(got.seen)} items, eagerly {len(wanted.seen)}")
    ran = f"Python ran in {got.executions} of {wanted.executions} calls"
    return Outcome(RECORDED if got.executions < MOST * wanted.executions else RERECORDED, ran)


def described(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def difference(got, wanted):
    """In a few words."""
    return f"{shown(got)}, eagerly {shown(wanted)}"


def shown(value):
    if isinstance(value, tuple) and value and value[0] == "tensor":
        dtype, shape, data = value[1:]
        return f"{np.frombuffer(data, dtype).reshape(shape).tolist()}"[:60]
    if isinstance(value, tuple) and value and value[0] == "float":
        return repr(struct.unpack("d", value[1])[0])
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], list):
        return f"{value[0]} of {len(value[1])}: {', '.join(map(shown, value[1][-3:]))}"[:90]
    return repr(value)[:60]
