"""What one core can do: the roofs that a kernel's time is held against.

Arithmetic (machine.c: multiply_add, divide, root) is in 10^9 operations a second, a multiply-add
being two. Bandwidth is in 10^9 bytes a second, read and written ones together, of y = 2x, of x = 2x
in place, and of a sum. All are the best of many tries, and compiled for the ISA that pyml selected.
"""

import ctypes
import math
import os
import shlex
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pyml import _kernels

from .compare import Table, about, parse, parser, timed

HERE = Path(__file__).parent
FLAGS = ["-O3", "-std=gnu11", "-shared", "-fPIC", "-fno-math-errno", "-Wno-psabi"]
ISA_FLAGS = {  # as in setup.py
    "baseline": [],
    "neon": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}
ALIGNMENT = 512  # bytes; machine.c handles 8 vectors at once
TRY_SECONDS = 2e-3
TRIES = 8
PLACES = 3  # in memory: which physical pages an array has changes what the caches do
USUAL_CACHES = {"L1": 32 << 10, "L2": 1 << 20, "L3": 16 << 20}  # where the system does not tell
MOST = 256 << 20  # bytes of arrays, far beyond any cache

length, pointer = ctypes.c_ssize_t, ctypes.c_void_p


@cache
def library(dtype):
    """machine.c, compiled for the ISA that pyml selected."""
    isa = _kernels.selected_isa()
    isa = isa if isa in ISA_FLAGS else "avx2"  # wide: the same instructions
    compiler = shlex.split(os.environ.get("CC", "cc"))
    bits = 8 * np.dtype(dtype).itemsize
    with TemporaryDirectory() as directory:
        path = Path(directory) / "machine.so"
        command = [*compiler, *FLAGS, *ISA_FLAGS[isa], f"-DISA_{isa}", f"-DREAL_BITS={bits}"]
        command += ["-I", str(HERE.parent / "csrc" / "simd"), str(HERE / "machine.c")]
        try:
            subprocess.run([*command, "-o", str(path), "-lm"], check=True)
        except FileNotFoundError:
            sys.exit(
                f"The roofs are measured by machine.c, and there is no C compiler {compiler[0]!r}: "
                "install gcc or clang, or name one in CC"
            )
        except subprocess.CalledProcessError:
            sys.exit(f"{compiler[0]} could not compile bench/machine.c for {isa}")
        found = ctypes.CDLL(str(path))
    found.elements_a_round.restype = length
    return found


def rate(run):
    """How many rounds a second run(rounds) makes, at best."""
    rounds = 1
    while (seconds := timed(partial(run, rounds))) < TRY_SECONDS:
        rounds = max(2 * rounds, int(rounds * TRY_SECONDS / seconds))
    return rounds / min(timed(partial(run, rounds)) for _ in range(TRIES))


@cache
def peak(operation, dtype="float32"):
    """10^9 operations a second of one core.

    Args:
        operation: "multiply_add" (counted as two), "divide" or "root".
        dtype: "float32" or "float64".
    """
    machine = library(dtype)
    loop = getattr(machine, operation)
    rounds = max(rate(lambda rounds: loop(length(rounds))) for _ in range(PLACES))
    return rounds * machine.elements_a_round() * (2 if operation == "multiply_add" else 1) / 1e9


def aligned(shape, dtype):
    """An uninitialized array that begins at a multiple of ALIGNMENT bytes: as good as it gets."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


@cache
def bandwidth(loop, footprint, dtype="float32"):
    """10^9 bytes a second that one core moves, read and written ones together.

    Args:
        loop: "copy", y = 2x; "update", x = 2x in place; "sum", which only reads.
        footprint: bytes that the arrays take together, which decides on the cache they sit in.
        dtype: "float32" or "float64".
    """
    arrays = 2 if loop == "copy" else 1
    size = max(min(footprint, MOST) // arrays // ALIGNMENT, 1) * ALIGNMENT
    n = size // np.dtype(dtype).itemsize
    scale, total = library(dtype).scale, library(dtype).sum

    def passes_a_second(memory):
        memory.fill(1)
        first, last = memory[0].ctypes.data, memory[-1].ctypes.data
        if loop == "sum":
            return rate(lambda passes: total(pointer(first), length(n), length(passes)))
        return rate(lambda passes: scale(pointer(last), pointer(first), length(n), length(passes)))

    places = [aligned((arrays, size), np.uint8) for _ in range(PLACES)]
    moved = size if loop == "sum" else 2 * size
    return max(map(passes_a_second, places)) * moved / 1e9


@cache
def caches():
    """{"L1": bytes of one core's data cache, "L2": ...}, as the system has them."""
    sizes = {}
    for entry in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        kind, level, size = (
            (entry / name).read_text().strip() for name in ("type", "level", "size")
        )
        if kind != "Instruction":
            sizes[f"L{level}"] = int(size.rstrip("K")) << 10
    return dict(sorted(sizes.items())) or USUAL_CACHES


def level(footprint):
    """Where arrays of so many bytes sit after a pass over them: "L1", ... "DRAM"."""
    return next((name for name, size in caches().items() if footprint <= size), "DRAM")


def limits(read, written, updated=0, products=0, divisions=0, roots=0, dtype="float32"):
    """{"memory", "products", "divider": microseconds that one core needs at least for each}.

    A byte written moves with one that is read, at the speed of y = 2x; the bytes read beyond them
    move at the speed of a sum. All at the speed of the power of two of bytes below their sum.

    Args:
        read, written, updated: numbers that are only read, only written, or both, in place.
        products: instructions of the multiply-add units; a sum or a comparison is one, too.
        divisions, roots: of the divider, which does them one after the other.
        dtype: "float32" or "float64".
    """
    itemsize = np.dtype(dtype).itemsize
    size = 1 << ((read + written + updated) * itemsize).bit_length() - 1
    moved = {
        "copy": written + min(read, written),
        "sum": max(read - written, 0),
        "update": 2 * updated,
    }
    memory = [n * itemsize / bandwidth(loop, size, dtype) for loop, n in moved.items() if n]
    products, roots, divisions = (
        count / peak(operation, dtype)
        for operation, count in [
            ("multiply_add", 2 * products),
            ("root", roots),
            ("divide", divisions),
        ]
    )
    ns = {"memory": sum(memory), "products": products, "divider": roots + divisions}
    return {what: value / 1e3 for what, value in ns.items()}


def footprints():
    """{level: bytes that sit there}: half of a cache, as L3 is shared, and DRAM for the last."""
    return {name: size // 2 for name, size in caches().items()} | {
        "DRAM": min(8 * max(caches().values()), MOST)
    }


def rows(options):
    dtypes = ("float32", "float64")
    for operation, unit in [("multiply_add", "GFLOP/s"), ("divide", "G/s"), ("root", "G/s")]:
        yield {"roof": f"{operation}, {unit}", **{x: peak(operation, x) for x in dtypes}}
    for loop, what in [("copy", "y = 2x"), ("update", "x = 2x"), ("sum", "sum")]:
        for name, size in footprints().items():
            text = f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
            roof = f"{what}, {text} ({name}), GB/s"
            yield {"roof": roof, **{x: bandwidth(loop, size, x) for x in dtypes}}


def main(argv=None):
    arguments = parser(__doc__)
    arguments.set_defaults(threads=[1])
    options = parse(arguments, argv)
    table = Table(about(), ["roof", "float32", "float64"], 32, "one core, best of many tries")
    table.run(rows, options)


if __name__ == "__main__":
    main()
