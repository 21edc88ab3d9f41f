"""Where the kernels of training steps stand below the machine's roofs: a roofline picture.

Each point is a kernel of one recorded step, its operations for each byte that it must move, and
those that it makes a second; its area is its share of the step. The roofs are those of
bench.machine: the multiply-adds of one core, and the bandwidth of a cache or of DRAM.

python -m bench.roofline --plot docs/roofline.png
"""

from time import perf_counter

import numpy as np

import pyml

from .compare import Table, about, parse, parser, picture
from .machine import bandwidth, footprints, peak
from .networks import NETWORKS
from .sides import first_weights, start

STEPS = ("small", "fashion", "wide")
LEAST_STEPS = 72  # the fifth is timed, and then one in 64
LEAST_SHARE = 0.01  # of a step: what takes less is not drawn
COLOURS = ("#0072B2", "#D55E00", "#009E73")
NAMED = 0.03  # of a step: from there on a kernel has its name beside it


def rows(options):
    for name in options.steps:
        network = NETWORKS[name]
        _, step, _ = start(pyml, network, first_weights(network))
        step = pyml.record(step)
        data = [pyml.from_numpy(part) for part in network.data(network.epoch)]
        end, steps = perf_counter() + options.seconds, 0
        while steps < LEAST_STEPS or perf_counter() < end:
            step.run(*data, batch_size=network.batch, shuffle=False)
            steps += network.epoch
        stats = step.stats()
        for kernel in stats.kernels:
            if kernel.seconds >= LEAST_SHARE * stats.seconds:
                yield {
                    "kernel": f"{name} {kernel.name}",
                    "calls": kernel.calls,
                    "us": kernel.seconds * 1e6,
                    "share %": 100 * kernel.seconds / stats.seconds,
                    "operations a byte": kernel.flops / kernel.bytes,
                    "GFLOP/s": kernel.flops / kernel.seconds / 1e9,
                }


def draw(table, path):
    arithmetic = peak("multiply_add")
    intensity = np.geomspace(0.05, 1000, 200)
    with picture(path, "Kernels of a training step below the roofs of one core", table.about) as f:
        panel = f.subplots()
        for where, size in footprints().items():
            speed = bandwidth("copy", size)
            roof = np.minimum(arithmetic, speed * intensity)
            panel.plot(intensity, roof, color="grey", linewidth=1)
            start = 0.06
            panel.annotate(
                f"{where}, {speed:.0f} GB/s", (start, 1.15 * speed * start), fontsize=8, rotation=33
            )
        panel.annotate(f"{arithmetic:.0f} GFLOP/s", (200, 1.08 * arithmetic), fontsize=8)
        for step, colour in zip(dict.fromkeys(steps_of(table)), COLOURS, strict=False):
            found = [
                row for row, name in zip(table.rows, steps_of(table), strict=True) if name == step
            ]
            x, y, share = (
                [row[key] for row in found] for key in ("operations a byte", "GFLOP/s", "share %")
            )
            panel.scatter(x, y, [12 * s for s in share], color=colour, alpha=0.6, label=step)
            named = [row for row in found if row["share %"] >= 100 * NAMED]
            for i, row in enumerate(sorted(named, key=lambda row: -row["GFLOP/s"])):
                beside = 4 + 1.8 * row["share %"] ** 0.5  # points, outside of the circle
                is_high = row["GFLOP/s"] > arithmetic / 2  # where products lie close together
                panel.annotate(
                    row["kernel"].partition(" ")[2].partition("+")[0],  # which does most of it
                    (row["operations a byte"], row["GFLOP/s"]),
                    xytext=(beside, -8 * i if is_high else 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                )
        panel.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="GFLOP/s")
        panel.set(xlim=(0.05, 1000), ylim=(1, 2 * arithmetic))
        panel.legend(title="area: share of the step", loc="lower right", markerscale=0.5)
        panel.grid(alpha=0.3)


def steps_of(table):
    return [row["kernel"].partition(" ")[0] for row in table.rows]


def main(argv=None):
    arguments = parser(__doc__, plot=True)
    arguments.set_defaults(threads=[1])
    arguments.add_argument(
        "--steps",
        type=lambda text: text.split(","),
        default=STEPS,
        metavar="small,...",
        help=f"networks of bench/networks.py (default: {','.join(STEPS)})",
    )
    options = parse(arguments, argv)
    if options.quick:
        options.steps = STEPS[:1]
    columns = ["kernel", "calls", "us", "share %", "operations a byte", "GFLOP/s"]
    table = Table(about(), columns, 36, "kernels of a recorded step, one thread")
    table.run(rows, options)
    if options.plot:
        draw(table, options.plot)


if __name__ == "__main__":
    main()
