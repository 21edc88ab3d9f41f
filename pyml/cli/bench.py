"""pyml bench: how fast this machine trains six networks."""

import statistics
from time import perf_counter

from pyml import config, nn, ops, optim, random
from pyml.cli.networks import NETWORKS
from pyml.cli.options import integer, number
from pyml.cli.output import say, say_json
from pyml.recording import record

HELP = "time training steps of six networks on this machine"
DESCRIPTION = (
    "Times training steps on this machine: forward, backward and Adam, recorded and run in C, of "
    "networks from a few to some thousand neurons wide. They are those that pyml is compared with "
    "other libraries by."
)

LEAST = 5  # runs of each network, of which the median counts
STEPS = 64  # of a run at most


def add_options(parser):
    parser.add_argument(
        "networks",
        nargs="*",
        default=tuple(NETWORKS),
        metavar="NETWORK",
        help=f"of {', '.join(NETWORKS)} (default: all)",
    )
    parser.add_argument(
        "--seconds", type=number(above=0), default=1.0, help="to measure each for (default: 1)"
    )
    parser.add_argument(
        "--threads", type=integer(1), help=f"default here: {config.get_num_threads()}"
    )
    parser.add_argument("--json", action="store_true", help="print one document of JSON")


def run(options):
    for name in options.networks:
        if name not in NETWORKS:
            options.parser.error(
                f"argument NETWORK: there is no {name!r}; there are {', '.join(NETWORKS)}"
            )
    if options.threads is not None:
        config.set_num_threads(options.threads)
    about = config.show_config(mode="dicts")
    if not options.json:
        say(
            f"pyml {about['pyml']} on {about['isa']}, {about['threads']} threads\n",
            f"{'network':9}  {'widths':28}  {'batch':>6}  {'us a step':>10}"
            f"  {'rows a second':>15}  {'GFLOP/s':>8}",
        )
    results = []
    for name in options.networks:
        results.append(timed(name, NETWORKS[name], options.seconds))
        if not options.json:
            result = results[-1]
            say(
                f"{name:9}  {shape(result['widths']):28}  {result['batch']:6,}"
                f"  {result['microseconds']:10,.1f}  {result['rows_per_second']:15,.0f}"
                f"  {result['gflops']:8.1f}"
            )
    if options.json:
        say_json({"about": about, "networks": results})
    return 0


def shape(widths):
    """Widths in words; many equal ones once."""
    inside = [str(width) for width in widths[1:-1]]
    if len(inside) > 3 and len(set(inside)) == 1:
        inside = [f"{len(inside)} x {inside[0]}"]
    return "-".join([str(widths[0]), *inside, str(widths[-1])])


def timed(name, network, seconds):
    """The median time of a step of a Network, in runs of some steps for so many seconds."""
    random.manual_seed(0)
    model = network.build(nn)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    loss_of = getattr(nn, network.loss)()

    @record
    def step(x, target):
        optimizer.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    steps = min(network.epoch, STEPS)
    data = [ops.tensor(part) for part in network.data(steps)]
    times = []
    end = None
    while end is None or len(times) < LEAST or perf_counter() < end:
        start = perf_counter()
        step.run(*data, batch_size=network.batch, shuffle=False)
        if end is None:  # the first run records, and is not counted
            end = perf_counter() + seconds
        else:
            times.append((perf_counter() - start) / steps)
    median = statistics.median(times)
    return {
        "name": name,
        "widths": network.widths,
        "batch": network.batch,
        "microseconds": median * 1e6,
        "rows_per_second": network.batch / median,
        "gflops": step.stats().flops / median / 1e9,
    }
