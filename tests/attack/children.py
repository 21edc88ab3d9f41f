"""Runs an attack in child processes: what kills or blocks a process is a finding, like any other.

    cd tests && python -m attack.children attack.test_calls:attack SEED CASE [COUNT]

runs a case again, in this process and in view. The child of a test says on a pipe which case it is
at before it begins; when it dies, or says nothing for TIMEOUT seconds, that case is the fault, with
what faulthandler and the sanitizers have printed, and another child goes on behind it.
"""

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import pyml

TESTS = Path(__file__).parents[1]
BATCH = 300  # cases of one child: a heap that a case has corrupted does not spoil the others
TIMEOUT = 60  # seconds without a word: many times the slowest case
MEMORY = 1 << 30  # bytes that a child may take beyond those it has when it begins
ALLOCATION = MEMORY >> 20  # the same for one allocation under AddressSanitizer, in MB
PIPE = 500  # the descriptor of the pipe: no small number that a case could close
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")


class Fault(AssertionError):
    """What must not happen has happened."""


class Skipped(Exception):
    """The case is of a fault that is known: ATTACK_SKIP in the environment is a pattern for it."""


@dataclass
class Finding:
    """One kind of fault, at the first case that showed it."""

    attack: str
    seed: int
    case: int
    first: int  # case of the child that died: it may have done the damage earlier
    environment: dict
    doing: str
    what: str
    count: int = 1

    def __str__(self):
        variables = "".join(f"{name}={value} " for name, value in self.environment.items())
        again = f"{variables}python -m attack.children {self.attack} {self.seed} {self.case}"
        if self.first is not None:
            again += (
                f"  # or, from where the child began: {self.first} {self.case - self.first + 1}"
            )
        return f"{self.count} x {self.what}\n  in {self.doing}\n  cd tests && {again}"


@dataclass
class Report:
    """What a run of an attack has found."""

    cases: int = 0
    skipped: int = 0
    findings: dict = field(default_factory=dict)  # kind -> Finding

    def add(self, finding):
        lines = finding.what.strip().split("\n")
        what = lines[-1] if lines[0].startswith("Traceback") else lines[0]
        kind = (
            re.sub(r"0x[0-9a-f]+|\d+|'[^']*'", "#", what)[:100]
            + re.split(r"[ (]", finding.doing)[0]
        )
        if kind in self.findings:
            self.findings[kind].count += 1
        else:
            self.findings[kind] = finding
            print(finding, end="\n\n", flush=True)  # nothing is lost of a run that does not end

    def __str__(self):
        return "\n\n".join(map(str, self.findings.values()))


def besiege(attack, seed, *, cases=None, seconds=None, timeout=TIMEOUT, environment=None):
    """Runs cases 0, 1, 2, ... of "module:function": so many, or for so many seconds."""
    report, begin, first = Report(), time.monotonic(), 0
    left = (
        (lambda: cases - first) if seconds is None else lambda: begin + seconds - time.monotonic()
    )
    while left() > 0:
        count = BATCH if seconds is not None else min(BATCH, left())
        first = _run_child(
            report, attack, seed, first, count, timeout, environment or {}, left, seconds
        )
    return report


def _run_child(report, attack, seed, first, count, timeout, environment, left, seconds):
    """Runs one batch, or as much as a child lives to see; returns the case to go on with."""
    ours, theirs = os.pipe()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [
                *(sys.executable, "-X", "faulthandler", "-m", "attack.children", attack),
                *map(str, (seed, first, count, theirs)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=[theirs],
            env=_environment(environment),
            cwd=folder,
            start_new_session=True,  # what a case starts ends with it
        )
        os.close(theirs)
        case, doing, ended = first - 1, "the start", False
        begin = last = time.monotonic()
        hung = False
        with os.fdopen(ours, "rb", buffering=0) as pipe:
            text = b""
            while True:
                if not select.select([pipe], [], [], 1)[0]:
                    begun = case >= first  # to import pyml may take long on a busy machine
                    hung = time.monotonic() - last > (timeout if begun else max(timeout, TIMEOUT))
                    if hung:
                        child.send_signal(signal.SIGABRT)  # faulthandler prints all stacks
                        break
                    continue
                chunk = pipe.read(1 << 16)
                if not chunk:
                    break
                last = time.monotonic()
                *lines, text = (text + chunk).split(b"\n")
                for line in lines:
                    word, value = json.loads(line)
                    if word == "case":
                        case, doing = value, "no call"
                        report.cases += 1
                    elif word == "doing":
                        doing = value
                    elif word == "skipped":
                        report.skipped += 1
                    elif word == "fault":
                        finding = (attack, seed, case, None, environment, doing, value)
                        report.add(Finding(*finding))
                    elif word == "end":
                        ended = True
                if seconds is not None and left() <= 0:
                    ended = True
                    child.kill()
                    break
        try:
            code = child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        _kill_group(child.pid)
        if not ended:
            errors.seek(0)
            stderr = errors.read()
            took = f"nothing for {timeout} s" if hung else f"died with {code}"
            what = f"{took} after {last - begin:.0f} s: {_essence(stderr)}"
            report.add(Finding(attack, seed, max(case, first), first, environment, doing, what))
        return case + 1 if not ended and case >= first else first + count


def _kill_group(leader):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _environment(environment):
    inherited = {**os.environ, **environment}
    here = str(Path(pyml.__file__).parents[1])  # the child imports what its parent has imported
    path = [here, str(TESTS), inherited.get("PYTHONPATH", "")]
    inherited["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    inherited["MPLBACKEND"] = "Agg"
    if SANITIZED:
        inherited["ASAN_OPTIONS"] += f":max_allocation_size_mb={ALLOCATION}"
    return inherited


def _essence(stderr):
    """The lines of interest of what a dead child has printed."""
    wanted = (
        r"[Ff]atal|runtime error|ERROR: |SUMMARY|Error|corrupt|free\(\)|^\s+File |^\s+#\d|Current"
    )
    lines = [line for line in stderr.splitlines() if re.search(wanted, line)]
    return "\n    ".join(lines[:24]) or stderr[-500:]


# ---- in the child --------------------------------------------------------------------------------


def limit_memory(room=MEMORY):
    """Lets this process take `room` bytes more than it has. AddressSanitizer has its own limit."""
    if not SANITIZED:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + room, resource.RLIM_INFINITY))


def load(attack) -> Callable:
    module, name = attack.split(":")
    return getattr(importlib.import_module(module), name)


def run_cases(attack, seed, first, count, say):
    function, skip = load(attack), os.environ.get("ATTACK_SKIP")
    limit_memory()

    def tell(text):
        say("doing", text)
        if skip and re.search(skip, text):
            raise Skipped

    for case in range(first, first + count):
        say("case", case)
        try:
            function(np.random.default_rng([seed, case]), tell)
        except Skipped:
            say("skipped", None)
        except Exception as error:
            text = (
                str(error) if isinstance(error, Fault) else "".join(traceback.format_exc(limit=-4))
            )
            say("fault", text)
        if case % 50 == 49:
            gc.collect()
    gc.collect()
    say("end", None)


def main():
    attack, seed, first, *more = sys.argv[1:]
    count = int(more[0]) if more else 1
    if len(more) > 1:
        pipe = os.fdopen(os.dup2(int(more[1]), PIPE), "wb", buffering=0)
        os.close(int(more[1]))

        def say(word, value):
            pipe.write(json.dumps([word, value]).encode() + b"\n")
    else:
        faulthandler.enable()

        def say(word, value):
            print(word, "" if value is None else value, flush=True)

    run_cases(attack, int(seed), int(first), count, say)
    if len(more) > 1:
        os._exit(0)  # what a case left running does not keep us


if __name__ == "__main__":
    importlib.import_module("attack.children").main()  # this file is one module, with one Fault
