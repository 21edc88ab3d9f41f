"""A fair comparison: results that agree, sides that take turns, the same threads for all.

def rows(options):                          # runs in a process that has the threads
    sides = {"pyml": ..., "torch": ...}     # callables
    agree("relu 32x64", {side: call() for side, call in sides.items()}, rtol=1e-6)
    times = medians(sides, options.seconds)
    yield {"kernel": "relu", **times, "torch / pyml": ratio(times)}

options = parse(parser(__doc__), argv)
table = Table(about("torch"), ["kernel", "threads", "pyml", "torch", "torch / pyml"])
table.run(rows, options)
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time, sleep

import numpy as np

import pyml
from pyml import _kernels

QUICK_SECONDS = 0.02
TURN_SECONDS = 1e-3
WARM_SECONDS = 0.1  # a call that takes so long warms its caches itself
QUIET_SECONDS = 0.2  # at most, until other threads sleep
LOAD_LIMIT = 0.1  # of all processors, used by others: more spoils a row
LOAD_SECONDS = 0.5  # of measuring, below which the kernel's ticks of 10 ms are too coarse to tell
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


# ---- measuring ----------------------------------------------------------------------------------


def agree(what, results, rtol, atol=0.0):
    """Ends the script if a side's result is not that of the first side; NaN agrees with nothing.

    Args:
        what: is compared, for the message.
        results: {side: array}.
        rtol, atol: |result - first| <= atol + rtol * |first| must hold for each number.
    """
    (first, wanted), *others = [(side, np.asarray(value)) for side, value in results.items()]
    for side, got in others:
        if got.shape != wanted.shape:
            sys.exit(f"{what}: shapes differ: {first} {wanted.shape}, {side} {got.shape}")
        wrong = ~np.isclose(got, wanted, rtol, atol)
        if wrong.any():
            index = tuple(map(int, np.argwhere(wrong)[0]))
            sys.exit(
                f"{what}: {wrong.sum()} of {wrong.size} numbers differ, the first at {index}: "
                f"{first} {wanted[index]}, {side} {got[index]}"
            )


def medians(sides, seconds, least=5, steps=None):
    """{side: median microseconds of a call, or of a step}, the sides taking turns.

    A slow moment of the machine so hits all sides, but not all alike: threads that wait for each
    other lose more to another process. If others were at work, a line on stderr says so.

    A turn waits until the threads of the side before sleep; calls its side untimed, for the caches
    hold another side's data; and times a group of calls, which takes a millisecond for every side,
    so that the clock's own time does not count.

    Args:
        sides: {side: callable}.
        seconds: to measure for.
        least: turns of each side, however long they take.
        steps: {side: steps that a call makes}, by which its time is divided.
    """
    steps = steps or {}
    calls, short = {}, set()
    for side, call in sides.items():
        takes = timed(call)
        if takes < WARM_SECONDS:
            short.add(side)
            takes = min(takes, timed(call), timed(call))
        calls[side] = math.ceil(TURN_SECONDS / takes)
    times = {side: [] for side in sides}
    turns = 0
    end = perf_counter() + seconds
    with watch_for_others():
        while turns < least or perf_counter() < end:
            for side, call in sides.items():
                wait_until_quiet()
                if side in short:
                    timed(call, calls[side])
                times[side].append(timed(call, calls[side]) / calls[side] * 1e6)
            turns += 1
    return {side: statistics.median(times[side]) / steps.get(side, 1) for side in sides}


def wait_until_quiet():
    """Until no thread of this process runs: those of PyTorch spin for 10 ms after their work."""
    end = perf_counter() + QUIET_SECONDS
    while perf_counter() < end:
        start = process_time()
        sleep(1e-3)
        if process_time() - start < 0.3e-3:
            return


@contextlib.contextmanager
def watch_for_others():
    """Says on stderr if other processes were at work meanwhile."""
    start, used = perf_counter(), used_by_others()
    yield
    elapsed = perf_counter() - start
    load = (used_by_others() - used) / elapsed / os.cpu_count()
    if elapsed > LOAD_SECONDS and load > LOAD_LIMIT:
        print(f"others used {load:.0%} of the processors: not a fair row", file=sys.stderr)


def used_by_others():
    """Seconds of processors that other processes, or other machines of the host, ever used."""
    with open("/proc/stat") as lines:
        user, nice, system, _idle, _iowait, *interrupts_and_steal = map(
            int, next(lines).split()[1:9]
        )
    ticks = user + nice + system + sum(interrupts_and_steal)
    return ticks / os.sysconf("SC_CLK_TCK") - process_time()


def timed(call, calls=1):
    """Seconds that `calls` calls take."""
    start = perf_counter()
    for _ in range(calls):
        call()
    return perf_counter() - start


def ratio(times, ours="pyml"):
    """The best peer's time / ours: above 1, ours is faster. None where either is missing.

    A side whose name begins with pyml is no peer.
    """
    peers = [time for side, time in times.items() if not side.startswith("pyml")]
    return min(peers) / times[ours] if peers and ours in times else None


def with_threads(count, rows, options):
    """The rows that the generator `rows(options)` yields in a new process of `count` threads.

    Affinity and variables are set before it imports anything: JAX counts the processors it may use
    at its import, OpenBLAS reads OMP_NUM_THREADS then; PyTorch and pyml honour both.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send_rows, args=(sender, rows, options))
    with only_threads(count):
        child.start()
    sender.close()
    with contextlib.suppress(EOFError):
        while True:
            yield receiver.recv()
    child.join()
    if child.exitcode:
        sys.exit(child.exitcode)


def send_rows(sender, rows, options):
    for row in rows(options):
        sender.send(row)


@contextlib.contextmanager
def only_threads(count):
    """Processes started meanwhile have `count` processors and as many threads."""
    affinity, environ = os.sched_getaffinity(0), os.environ.copy()
    os.sched_setaffinity(0, sorted(affinity)[:count])
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
    os.environ["OPENBLAS_THREAD_TIMEOUT"] = "20"  # its threads spin for 2^20 cycles, not for 100 ms
    try:
        yield
    finally:
        os.sched_setaffinity(0, affinity)
        os.environ.clear()
        os.environ.update(environ)


# ---- options, table, picture --------------------------------------------------------------------


def parser(description, plot=False):
    """The options all scripts have; --plot where there is something to draw."""
    available = len(os.sched_getaffinity(0))
    threads = [count for count in (1, 2) if count <= available]
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--quick", action="store_true", help="a check that it works; no figures")
    options.add_argument(
        "--seconds", type=float, default=2.0, help="to measure for, each row (default: 2)"
    )
    options.add_argument(
        "--threads",
        type=lambda text: [int(count) for count in text.split(",")],
        default=threads,
        help=f"thread counts (default: {','.join(map(str, threads))})",
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here")
    if plot:
        options.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them here")
    return options


def parse(parser, argv):
    """The options, checked."""
    options = parser.parse_args(argv)
    available = len(os.sched_getaffinity(0))
    if not all(1 <= count <= available for count in options.threads):
        parser.error(f"--threads: this process has {available} processors")
    if getattr(options, "plot", None) and not find_spec("matplotlib"):
        parser.error("--plot needs matplotlib: pip install matplotlib")
    if options.quick:
        options.seconds, options.threads = QUICK_SECONDS, options.threads[-1:]
    return options


def about(*packages):
    """The machine and the versions; a package that is not installed is named as left out."""
    return {
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)),
        "isa": _kernels.selected_isa(),
        "python": platform.python_version(),
        "pyml": pyml.__version__,
        "numpy": np.__version__,
        **{package: version(package) or "not installed, left out" for package in packages},
    }


def version(package):
    """Of an installed package, None of another."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return None


def processor():
    """The CPU's name."""
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as lines:
        return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    return platform.processor() or platform.machine()


class Table:
    """Rows that are printed as they come, and kept.

    Args:
        about: printed above, and kept with the rows.
        columns: the keys of a row that are printed; None or a missing one is a dash.
        label: characters of the first column.
        caption: a line above the table: the unit.
    """

    def __init__(self, about, columns, label=10, caption="median microseconds of a call"):
        self.about, self.columns, self.rows = about, columns, []
        first, *others = columns
        self.widths = [max(label, len(first)), *(max(8, len(name)) for name in others)]
        print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n")
        print(caption)
        self.print(columns)

    def print(self, cells):
        first, *others = [
            f"{cell:>{width}}" for cell, width in zip(cells, self.widths, strict=True)
        ]
        print(first.strip().ljust(self.widths[0]), *others, sep="  ", flush=True)

    def add(self, row):
        self.rows.append(row)
        self.print([cell(row.get(name)) for name in self.columns])

    def run(self, rows, options):
        """Adds rows(options) of each thread count, with the key "threads"; writes --json."""
        for count in options.threads:
            for row in with_threads(count, rows, options):
                self.add({"threads": count, **row})
        self.write(options)

    def write(self, options):
        """Writes what is kept to --json, if it is given."""
        if options.json:
            content = {"about": self.about, "rows": self.rows}
            options.json.write_text(json.dumps(content, indent=1) + "\n")


def cell(value):
    """As text: numbers with two decimals below 100, one above."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.{2 if abs(value) < 100 else 1}f}"
    return str(value)


@contextlib.contextmanager
def picture(path, title, about, size=(9, 6)):
    """A matplotlib Figure, written to `path` at the end; the machine is below its title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    machine = f"{about['processor']}, {about['processors']} processors, pyml on {about['isa']}"
    figure.suptitle(f"{title}\n{machine}")
    yield figure
    figure.savefig(path, dpi=150)
