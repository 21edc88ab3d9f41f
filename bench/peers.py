"""Training steps beside PyTorch's: zero grad, forward, backward, Adam, alternately in one run.

    python bench/peers.py [--quick] [--threads 1,2] [--steps tiny,small] [--seconds 5] [--json FILE]

Both sides start from the same weights and see the same batch; their losses are compared before
anything is timed. PyTorch runs in its best eager spelling: Adam(fused=True),
zero_grad(set_to_none=True), threads set.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import pyml
from pyml import _kernels, nn, optim

sys.path.insert(0, str(Path(__file__).parent))

from networks import NETWORKS

try:
    import torch
except ImportError:
    torch = None

LOSS_STEPS = 5  # steps whose losses are compared
LOSS_TOLERANCE = 1e-3  # relative; rounding differs, and Adam's first steps divide by small numbers


def pyml_step(network, weights=None):
    """(step, model): step() trains once and returns the loss."""
    model = network.build(nn)
    if weights is not None:
        model.load_state_dict(weights)
    optimizer = optim.Adam(model.parameters())
    loss_of = getattr(nn, network.loss)()
    x, target = map(pyml.from_numpy, network.data())

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step, model


def torch_step(network):
    """The same of PyTorch."""
    torch.manual_seed(0)
    model = network.build(torch.nn)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loss_of = getattr(torch.nn, network.loss)()
    x, target = map(torch.from_numpy, network.data())

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step, model


def steps_that_agree(network):
    """{side: step}, after some steps in which the losses were the same.

    Raises:
        SystemExit: if they were not.
    """
    if torch is None:
        step, _ = pyml_step(network)
        return {"pyml": step}
    theirs, their_model = torch_step(network)
    weights = {name: value.numpy().copy() for name, value in their_model.state_dict().items()}
    ours, _ = pyml_step(network, weights)
    for i in range(LOSS_STEPS):
        a, b = ours().item(), theirs().item()
        if not math.isclose(a, b, rel_tol=LOSS_TOLERANCE):
            sys.exit(f"{network}: losses differ at step {i}: pyml {a}, torch {b}")
    return {"pyml": ours, "torch": theirs}


def medians(steps, seconds):
    """Median microseconds of each step, the sides taking turns until `seconds` are over."""
    times = {side: [] for side in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["pyml"]) < 3:
        for side, step in steps.items():
            start = time.perf_counter()
            step()
            times[side].append((time.perf_counter() - start) * 1e6)
    return {side: statistics.median(values) for side, values in times.items()}


def processor():
    """The CPU's name."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of a second a step, not wide")
    parser.add_argument("--threads", default="1,2", help="thread counts (default: 1,2)")
    parser.add_argument("--steps", default=",".join(NETWORKS), help="which (default: all)")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row (default: 5)")
    parser.add_argument("--json", metavar="FILE", help="also write the results here")
    options = parser.parse_args(argv)
    options.threads = [int(count) for count in options.threads.split(",")]
    options.steps = options.steps.split(",")
    unknown = set(options.steps) - set(NETWORKS)
    if unknown:
        parser.error(
            f"--steps: {', '.join(sorted(unknown))} unknown; there are {', '.join(NETWORKS)}"
        )
    if options.quick:
        options.seconds = 0.1
        options.steps = [name for name in options.steps if name != "wide"]
    return options


def main(argv=None):
    options = parse(argv)
    about = {
        "processor": processor(),
        "isa": _kernels.selected_isa(),
        "pyml": pyml.__version__,
        "numpy": np.__version__,
        "torch": torch.__version__ if torch else "not installed: left out",
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(f"{'step':8} {'threads':>7} {'pyml us':>10} {'torch us':>10} {'torch / pyml':>12}")
    rows = []
    for name in options.steps:
        for threads in options.threads:
            pyml.set_num_threads(threads)
            if torch:
                torch.set_num_threads(threads)
            row = {"step": name, "threads": threads}
            row |= medians(steps_that_agree(NETWORKS[name]), options.seconds)
            rows.append(row)
            theirs = (
                f"{row['torch']:10.1f} {row['torch'] / row['pyml']:12.2f}"
                if torch
                else f"{'-':>10} {'-':>12}"
            )
            print(f"{name:8} {threads:7} {row['pyml']:10.1f} {theirs}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
