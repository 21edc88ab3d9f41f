"""What pyml takes besides time: memory of a training step beside PyTorch's, import, package.

memory: by how much a process grows at most, from its model, optimizer and batch to the end of some
steps; what optimizer and gradients take is in it. A process for each row. "system calls" is how
often pyml's last step took memory from the system or gave some back.
import: above that of NumPy, median of new processes.
package: the installed files, as they are and packed as in a wheel.
"""

import importlib
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from statistics import median

import pyml
from pyml import memory
from pyml._kernels import available_isas

from .compare import Table, about, parse, parser, timed, with_threads
from .networks import NETWORKS
from .sides import eager_step, first_weights

STEPS, QUICK_STEPS = 8, 2
IMPORTS = 15
MB = 1e6


def growth(options):
    """One row: KiB that a process of `options.side` grows by while it trains options.network."""
    torch = importlib.import_module(options.side)
    torch.set_num_threads(options.count)
    eager_step(torch, NETWORKS["tiny"], first_weights(NETWORKS["tiny"]))()  # what a library starts
    network = NETWORKS[options.network]
    step = eager_step(torch, network, first_weights(network))
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    before = status("VmHWM")
    calls = []
    for _ in range(QUICK_STEPS if options.quick else STEPS):
        calls.append(memory.stats()["system_calls"])
        step()
    calls.append(memory.stats()["system_calls"])
    yield {"KiB": status("VmHWM") - before, "system calls": calls[-1] - calls[-2]}


def status(name):
    """A line of /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def rows(options):
    """Of the memory of every network."""
    names = [name for name in NETWORKS if name != "wide" or not options.quick]
    for name in names:
        options.network = name
        row = {"network": name, "threads": options.count}
        for side in filter(find_spec, ("pyml", "torch")):
            options.side = side
            (one,) = with_threads(options.count, growth, options)
            row[side] = one["KiB"]
            if side == "pyml":
                row["system calls"] = one["system calls"]
        if row.get("torch"):
            row["torch / pyml"] = row["torch"] / max(row["pyml"], 1)
        yield row


def import_milliseconds(module, count):
    """Median of new processes that import it."""
    command = [sys.executable, "-c", f"import {module}"]
    return 1e3 * median(timed(lambda: subprocess.run(command, check=True)) for _ in range(count))


def package_sizes():
    """Bytes of the installed files, and of the same in a zip archive, which is what a wheel is."""
    folder = Path(pyml.__file__).parent
    sources = {".c", ".pyx", ".pyc"}
    files = [p for p in folder.rglob("*") if p.is_file() and p.suffix not in sources]
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            packed.write(path, path.relative_to(folder))
    return sum(path.stat().st_size for path in files), len(archive.getvalue())


def main(argv=None):
    options = parse(parser(__doc__), argv)
    columns = ["network", "threads", "pyml", "torch", "torch / pyml", "system calls"]
    table = Table(about("torch"), columns, caption="KiB that a process grows by")
    for count in options.threads:
        options.count = count
        for row in rows(options):
            table.add(row)
    count = 3 if options.quick else IMPORTS
    numpy_only, both = (import_milliseconds(name, count) for name in ("numpy", "pyml"))
    print(f"\nimport: {both - numpy_only:.0f} ms above NumPy's {numpy_only:.0f}")
    size, packed = package_sizes()
    development = ", with the development ISA wide" if "wide" in available_isas() else ""
    print(f"package: {size / MB:.1f} MB, packed {packed / MB:.1f} MB{development}")
    table.write(options)


if __name__ == "__main__":
    main()
