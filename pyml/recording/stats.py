"""What a recorded step takes, kernel by kernel: an explain plan."""

import functools
import math
import time
from typing import NamedTuple

import numpy as np

from pyml import _kernels
from pyml.html_table import html_table

__all__ = ["KernelStats", "Stats", "machine_peak"]

ROUNDS = 200_000  # of multiply-adds, about a millisecond
STREAM_BYTES = 256 << 10  # of the two arrays that memory is measured with: they lie in L2
REPEATS = 7


class KernelStats(NamedTuple):
    """All calls of one kernel in a step, or of a chain that is replayed by blocks of rows."""

    name: str
    """Of a chain its kernels, with + between them."""
    calls: int
    seconds: float
    """Time in one step, of each call the median of the last eleven replays that were timed; NaN
    before there were any."""
    flops: float
    """Floating-point operations, as csrc/effects.h counts them."""
    bytes: float
    """Read and written, each array once."""
    of_peak: float
    """What the arithmetic or the memory would take at this machine's peak, the longer of the two,
    as a share of `seconds`. Above 1: more of the arrays lay in L1 than the peak assumes."""


class Stats:
    """What one variant of a recorded step takes.

    One replay in 64 is timed, from the fifth on. Times are medians of the last eleven, so that one
    in which the machine did something else does not count.

    Attributes:
        calls: kernel calls in a step.
        flops, bytes: of a step.
        seconds: of a step in C, the sum of the kernels'; NaN before a replay was timed.
        memory: bytes that the program owns: results and gradients, not weights and data.
        replays: how often it was replayed.
        variants: how many the step has: for shapes, train and eval.
        kernels: a KernelStats for each kernel, the longest first.

    Example:
        >>> print(train_step.stats())
        kernel ...
    """

    def __init__(self, plan, memory, replays, variants):
        peak_flops, peak_bytes = machine_peak()
        self.memory, self.replays, self.variants = memory, replays, variants
        self.calls = sum(row[1] for row in plan)
        self.flops, self.bytes, nanoseconds = (
            math.fsum(row[column] for row in plan) for column in (2, 3, 4)
        )
        self.seconds = nanoseconds * 1e-9
        self.kernels = []
        for name in dict.fromkeys(row[0] for row in plan):
            rows = [row for row in plan if row[0] == name]
            flops, size, time_ns = (math.fsum(row[column] for row in rows) for column in (2, 3, 4))
            least = max(flops / peak_flops, size / peak_bytes)
            self.kernels.append(
                KernelStats(
                    name,
                    sum(row[1] for row in rows),
                    time_ns * 1e-9,
                    flops,
                    size,
                    least / (time_ns * 1e-9 or np.nan),
                )
            )
        self.kernels.sort(key=lambda kernel: (-kernel.seconds, -kernel.flops))

    def _rows(self):
        """Texts for a line of names, for each kernel and for the step."""
        yield "kernel", "calls", "us", "share", "MFLOP", "MB", "of peak"
        for kernel in self.kernels:
            share = kernel.seconds / self.seconds if self.seconds else math.nan
            yield row(kernel.name, kernel, f"{share:.0%}", f"{kernel.of_peak:.0%}")
        yield row("a step", self, f"{1:.0%}", "")

    def _note(self):
        lines = [
            f"{self.replays} replays, {self.variants} variants, "
            f"{self.memory / 1e6:.2f} MB of its own"
        ]
        if any("_bfloat16" in kernel.name for kernel in self.kernels):
            lines.append(f"bfloat16: {_kernels.selected_bfloat16()}")
        if math.isnan(self.seconds):
            lines.append("no replay was timed yet: it takes at least five")
        return "\n".join(lines)

    def __str__(self):
        lines = [
            f"{name:28}{calls:>6}{us:>10}{share:>7}{mflop:>10}{mb:>9}{of_peak:>9}".rstrip()
            for name, calls, us, share, mflop, mb, of_peak in self._rows()
        ]
        return "\n".join([*lines, self._note()])

    __repr__ = __str__

    def _repr_html_(self):
        """A table, for notebooks."""
        names, *rows = self._rows()
        return html_table(names, rows, self._note())


def row(name, takes, share, of_peak):
    """A row of the table: of a kernel, or of the step."""
    return (
        name,
        str(takes.calls),
        f"{takes.seconds * 1e6:.2f}",
        share,
        f"{takes.flops / 1e6:.3f}",
        f"{takes.bytes / 1e6:.3f}",
        of_peak,
    )


@functools.cache
def machine_peak():
    """(operations, bytes) in a second: float32 multiply-adds, and a stream through L2.

    Of all threads that pyml may use. Measured once, in about ten milliseconds.
    """
    number = np.ones(1, np.float32)
    x = np.ones(STREAM_BYTES // 8, np.float32)
    y = np.empty_like(x)
    seconds = best_of(lambda: _kernels.multiply_adds(number, ROUNDS))
    flops = 2 * 16 * ROUNDS * _kernels.lanes("float32") / seconds
    stream = best_of(lambda: np.negative(x, out=y))  # not a copy: some processors' are slow
    threads = _kernels.get_num_threads()
    return flops * threads, 2 * x.nbytes / stream * threads


def best_of(call):
    """The least time of some calls, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
