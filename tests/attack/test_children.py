"""The attacks are able to find: each planted fault is reported, with the case that shows it."""

import ctypes
import importlib
import itertools
import os
import signal

import numpy as np
import pytest

import pyml
from attack import calls
from attack.calls import planted
from attack.children import SANITIZED, Fault, besiege, load

THIRD = 3  # the case of `every_third` that is at fault first

# ---- faults of a process -------------------------------------------------------------------------


def at_third(rng, tell):
    """The draw of case 3 of seed 0, which no other case has."""
    return rng.integers(2**40) == np.random.default_rng([0, THIRD]).integers(2**40)


def dies(rng, tell):
    if at_third(rng, tell):
        tell("null")
        ctypes.string_at(0)


def hangs(rng, tell):
    if at_third(rng, tell):
        tell("loop")
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        for _ in itertools.repeat(None):
            pass


def corrupts(rng, tell):
    """Frees the same block twice: the C library sees it, or a sanitizer does."""
    if at_third(rng, tell):
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        block = libc.malloc(1 << 20)
        libc.free(block)
        libc.free(block)


def eats(rng, tell):
    if at_third(rng, tell):
        np.ones(1 << 28)


def fails(rng, tell):
    if at_third(rng, tell):
        tell("words")
        raise Fault("the very words")


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (dies, ("null", "died with 1" if SANITIZED else "died with -11", "in dies")),
        (hangs, ("loop", "nothing for 8 s", "in hangs")),
        (corrupts, ("died with",)),
        (eats, ("MemoryError",)),
        (fails, ("the very words",)),
    ],
)
def test_a_fault_of_a_process_is_found(attack, words):
    name = f"{__name__}:{attack.__name__}"
    report = besiege(name, 0, cases=6, timeout=8)
    assert report.cases == 6  # those behind it, too
    (finding,) = report.findings.values()
    assert finding.case == THIRD
    assert f"python -m attack.children {name} 0 3" in str(finding)
    for word in words:
        assert word in str(finding)


def nothing(rng, tell):
    pass


def test_a_slow_start_is_no_fault(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(3)")
    path = {"PYTHONPATH": str(tmp_path)}
    report = besiege(f"{__name__}:nothing", 0, cases=2, timeout=1, environment=path)
    assert report.cases == 2
    assert not report.findings


# ---- faults of a call ----------------------------------------------------------------------------


def changes_before_it_raises(input):
    array = input.array if isinstance(input, pyml.Tensor) else np.zeros(0)
    if array.size and array.flags.writeable:
        array.reshape(-1)[:1] += 1
        raise ValueError("too late")


def wrong_exception(input):
    raise SystemError("bad argument to internal function")


def trips(input):
    return input.does_not_exist


def wordless(input):
    raise ValueError("")


def turns_gradients_off(input):
    pyml.set_grad_enabled(False)


class Swapped(pyml.Tensor):
    """Says that its elements are in the other byte order."""

    array = property(lambda self: np.zeros(3, ">f4"))
    dtype = property(lambda self: np.dtype(">f4"))


def other_dtype(input):
    return Swapped([1.0, 2.0, 3.0])


def other_each_time(input, state=itertools.count()):  # noqa: B008
    return pyml.tensor([float(next(state))])


def other_for_threads(input):
    return pyml.tensor([float(pyml.get_num_threads())])


def closes_a_file(input):
    os.close(0)


def sees_strides(input):
    return pyml.tensor([float(sum(input.stride()))])


FAULTS = {
    changes_before_it_raises: "and changed",
    wrong_exception: "SystemError",
    trips: "of something inside",
    wordless: "without words",
    turns_gradients_off: "gradients disabled",
    other_dtype: "dtype('>f4')",
    other_each_time: "twice the same call",
    other_for_threads: "twice the same call",
    closes_a_file: "closes file descriptor 0",
    sees_strides: "contiguous",
}
globals().update({f"attack_on_{f.__name__}": planted(f) for f in FAULTS})


def more_than_is_there(input):
    """A result of 2^60 numbers, none of which takes memory."""
    return pyml.zeros(1).expand(2**60)


def test_a_result_that_is_too_large_to_look_at_is_no_fault():
    attack = planted(more_than_is_there)
    for case in range(5):
        attack(np.random.default_rng([0, case]), lambda text: None)


@pytest.mark.parametrize(("function", "words"), FAULTS.items())
def test_a_fault_of_a_call_is_found(function, words):
    attack = load(f"{__name__}:attack_on_{function.__name__}")
    with pytest.raises(Fault, match=words.replace("(", r"\(").replace(")", r"\)")):
        for case in range(200):
            attack(np.random.default_rng([0, case]), lambda text: None)


def test_imports_are_not_interrupted(tmp_path, monkeypatch):
    """The rest of a module would be missing in all cases behind."""
    (tmp_path / "takes_long.py").write_text("import time\ntime.sleep(0.5)\nthere = True")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(calls, "SECONDS", 0.2)
    with calls.limited():
        module = importlib.import_module("takes_long")
    assert module.there
    with pytest.raises(calls.Slow), calls.limited():
        for _ in itertools.count():
            pass
