"""How the time of a data-parallel step goes with the number of ranks: measured here, and simulated.

What is measured, on this machine:

- steps on 1, 2, 4, ... shards without messages: a fixed part (optimizer, loss) and a part for each
  shard; of one process, and of 2 and 4 at once, which share the cores, caches and clock;
- the same steps with the calls of Python that exchange gradients and the loss, which exchange
  nothing: what these calls take where they stand, with the caches full of other things;
- a turn of the tree between two ranks, of 8 bytes to 32 MB, all pairs of the job at once: exchange
  and add up, of memory that was not touched since the last step, as gradients are; packing, by the
  byte.

The simulation puts these together as pyml.distributed does: shards one after another; in the
backward of the last one gradients become whole by layer, in buckets, and go through the tree of
ranks, whole or in halves by their size; the loss goes by itself. A network in place of this
machine's memory is a latency and a bandwidth, added to what a message costs here at least.

The check: whole steps of 1, 2 and 4 ranks on this machine, beside the simulation of the same. Here
a message is copied by the cores that also compute, so that nothing is overlapped. Ranks are bound
to cores in turn; where there are more of them than cores they take turns, and both what they
compute and their messages take what was measured of as many ranks at once.

    python -m bench.scaling            # all of it: a table, and docs/scaling.png
    python -m bench.scaling --quick    # a smoke test, without picture
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from statistics import median

import numpy as np

import pyml
from pyml import distributed, nn, optim
from pyml.distributed.exchange import HALVED_BYTES, kernel_add, room_for
from pyml.distributed.parallel import BUCKET_ARRAYS, BUCKET_BYTES
from pyml.distributed.tree import cut, owned

SHARD = 32  # rows, of init_process_group
NETS = {  # name -> (widths, rows of the batch here, rows of the batch that is simulated)
    "small": ((64, 256, 128, 10), 1024, 4096),
    "tabular": ((64, 512, 512, 512, 10), 512, 8192),
    "wide": ((784, 2048, 2048, 2048, 10), 128, 16384),
}
LARGEST = "wide"  # which a smoke test leaves out
SIZES = [8, 512, 4096, 32 << 10, 128 << 10, 512 << 10, 2 << 20, 8 << 20, 32 << 20]
TURNS = 3  # of all measurements: processes that come later may find another clock
TOUCHED = 16 << 20  # bytes that a step touches from one message to the next, about
CORES = len(os.sched_getaffinity(0))
PICTURE = Path(__file__).parent.parent / "docs" / "scaling.png"
TOLERANCE = 0.2  # of the simulation, beside what is measured here
PAYS = 0.5  # of the ranks' time goes into what one rank would do, at least
BOUND = ("-bind-to", "user:" + ",".join(map(str, sorted(os.sched_getaffinity(0)))))  # in turn
MPIEXEC = Path(sys.executable).parent / "mpiexec"


@dataclass
class Link:
    """What messages take: seconds = latency + bytes / bandwidth, beside what they take here."""

    name: str
    latency: float
    bandwidth: float


LINKS = [  # one-way, of one message; what is usual for MPI on these, not measured here
    Link("10 Gbit/s (TCP)", 30e-6, 1.15e9),
    Link("100 Gbit/s (RDMA)", 2e-6, 11.5e9),
]
RANKS = [2**i for i in range(11)]


# ---- measured, in processes of their own ---------------------------------------------------------


def step_of(name):
    """A recorded step of a net, and rows for it."""
    widths, rows, _ = NETS[name]
    pyml.manual_seed(0)
    layers = [layer for i, o in pairwise(widths) for layer in (nn.Linear(i, o), nn.ReLU())]
    net = nn.Sequential(*layers[:-1])
    model = distributed.DistributedDataParallel(net)
    optimizer = optim.Adam(net.parameters())
    x, y = pyml.randn(rows, widths[0]), pyml.randint(widths[-1], (rows,))

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = model.loss(lambda x, y: nn.functional.cross_entropy(net(x), y), x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step, x, y


def seconds_of(call, least, reps=9):
    """The median of `reps` times of a call, which take about `least` seconds together.

    All ranks make as many calls, as a call may be of all of them.
    """
    for _ in range(3):  # a recorded step is recorded, and confirmed once
        call()
    everybody()
    begin = time.perf_counter()
    call()
    count = agreed(max(1, round(least / reps / (time.perf_counter() - begin))))
    found = []
    for _ in range(reps):
        everybody()
        begin = time.perf_counter()
        for _ in range(count):
            call()
        found.append((time.perf_counter() - begin) / count)
    return median(found)


def world():
    from mpi4py import MPI

    return MPI.COMM_WORLD


def everybody():
    world().Barrier()


def agreed(count):
    return world().bcast(count)


def slowest(seconds):
    return max(world().allgather(seconds))


def in_turn(step, *data):
    step(*data)
    everybody()


def shards_of(name):
    """Of how many shards steps are measured."""
    return [c for c in (1, 2, 4, 8, 16, 32) if c <= NETS[name][1] // SHARD]


def measure_shards(least):
    """{net: {shards: seconds}} of steps without messages, of all ranks at once: each step waits for
    those of the others, so that ranks of one core take turns as in a job."""
    distributed.group.group = distributed.group.Group(None, SHARD)
    found = {}
    for name in NETS:
        step, x, y = step_of(name)
        found[name] = {
            c: slowest(seconds_of(partial(in_turn, step, x[: c * SHARD], y[: c * SHARD]), least))
            for c in shards_of(name)
        }
    return found


def measure_calls(least):
    """{net: {shards: seconds}}, the same with the calls of a job, which exchange nothing."""
    distributed.group.exchange = distributed.group.all_reduce_together = no_exchange
    found = {}
    for name in NETS:
        step, x, y = step_of(name)
        counts = [c for c in shards_of(name) if c * world().size * SHARD <= len(x)]
        found[name] = {}
        for c in counts:
            rows = c * world().size * SHARD
            found[name][c] = slowest(seconds_of(partial(in_turn, step, x[:rows], y[:rows]), least))
    return found


def no_exchange(*_, **__):
    pass


def measure_messages(least):
    """What a turn of the tree takes, {bytes: seconds}: to exchange, and to add up; what is taken
    beside it: to pack and unpack a byte."""
    comm = world()
    partner = comm.rank ^ 1
    found = {}
    for size in SIZES:
        arrays = [np.ones(size // 4, "f") for _ in range(min(1000, max(1, TOUCHED // size)))]
        others = cycle(arrays)

        def turn(others=others):
            mine = next(others)
            other = room_for(len(mine), mine)
            comm.Sendrecv(mine, partner, recvbuf=other, source=partner)
            kernel_add(mine, other, mine)

        found[size] = slowest(seconds_of(turn, least))
    parts = [np.ones(1 << 13, "f") for _ in range(8)]

    def pack():
        packed = np.concatenate([a.reshape(-1) for a in parts])
        for a, part in zip(parts, np.split(packed, 8), strict=True):
            a[...] = part

    packing = slowest(seconds_of(pack, least)) / (8 * parts[0].nbytes)
    return {"turn": found, "packing": packing}


def measure_steps(least):
    """{net: seconds} of the whole job."""
    found = {}
    for name in NETS:
        step, x, y = step_of(name)
        found[name] = slowest(seconds_of(partial(step, x, y), least))
    return found


MEASURES = {
    "shards": measure_shards,
    "calls": measure_calls,
    "messages": measure_messages,
    "steps": measure_steps,
}


def measured(what, ranks, least):
    """What a job of some ranks, each with a thread, measures."""
    words = ["-m", "bench.scaling", "--measure", what, "--seconds", str(least)]
    words += [] if LARGEST in NETS else ["--quick"]
    done = subprocess.run(
        [MPIEXEC, "-n", str(ranks), *BOUND, sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout)
    for key in ("turn", *NETS):  # JSON has no numbers as keys
        if isinstance(found.get(key), dict):
            found[key] = {int(n): seconds for n, seconds in found[key].items()}
    return found


# ---- simulated -----------------------------------------------------------------------------------


def line_through(points):
    """a, b of seconds = a + b shards, by least relative squares."""
    counts, seconds = np.array([*points]), np.array([*points.values()])
    design = np.stack([np.ones(len(counts)), counts], 1) / seconds[:, None]
    a, b = np.linalg.lstsq(design, np.ones(len(counts)), rcond=None)[0]
    return max(a, 0.0), b


def buckets_of(widths):
    """[(bytes, share of backward after which it is whole, whether it is packed)], as they go."""
    work = [i * o for i, o in pairwise(widths)]
    done, buckets, short = 0.0, [], []
    for k in reversed(range(len(work))):
        done += work[k] / sum(work)
        for size in (4 * widths[k + 1], 4 * work[k]):
            if size >= BUCKET_BYTES:
                buckets.append((size, done, False))
                continue
            short.append(size)
            if sum(short) >= BUCKET_BYTES or len(short) == BUCKET_ARRAYS:
                buckets.append((sum(short), done, True))
                short = []
    return [*buckets, (sum(short), 1.0, True)] if short else buckets


class Messages:
    """What exchanges take: as measured, and on a link in place of memory.

    Args:
        measures: of measure_messages.
        link: a Link, or None: as measured.
        turns: how many ranks share a core, which computes for one at a time.
    """

    def __init__(self, measures, link=None, turns=1.0):
        self.measures, self.link, self.turns = measures, link, turns

    def turn(self, size):
        """Seconds of one turn of the tree."""
        points = self.measures["turn"]
        here = math.exp(
            np.interp(math.log(max(size, 1)), np.log([*points]), np.log([*points.values()]))
        )
        return here if self.link is None else here + self.link.latency + size / self.link.bandwidth

    def all_reduce(self, size, ranks, shards, is_packed=False):
        """Seconds, as exchange.all_reduce_together."""
        levels = math.ceil(math.log2(ranks))
        packing = self.measures["packing"] * self.turns * size * is_packed
        in_pairs = ranks & (ranks - 1) == 0 and shards >= ranks
        if in_pairs and size >= HALVED_BYTES:
            return packing + sum(2 * self.turn(size / 2 ** (i + 1)) for i in range(levels))
        return packing + levels * self.turn(size)


def simulated(widths, rows, ranks, line, calls, messages, overlaps):
    """Seconds of a step.

    Args:
        line: a, b: a + b shards is the time of a rank by itself.
        calls: what the calls take that exchange, beside it.
        overlaps: whether messages go on while a rank computes.
    """
    fixed, per_shard = line
    shards = len(cut(rows, SHARD))
    most = max(
        1, max(end - begin for begin, end in (owned(shards, ranks, r) for r in range(ranks)))
    )
    if ranks == 1:
        return fixed + per_shard * most
    backward = per_shard * 2 / 3  # of the last shard: two products where forward has one
    now = begin = end = calls + per_shard * most - backward  # of the computing, of the messages
    now += messages.all_reduce(8, ranks, shards)  # the loss
    for size, share, is_packed in buckets_of(widths):
        takes = messages.all_reduce(size, ranks, shards, is_packed)
        whole = now + backward * share
        end = max(end, whole) + takes if overlaps else end + takes
    last = now + backward
    return (max(last, end) if overlaps else last + end - begin) + fixed


# ---- the script ----------------------------------------------------------------------------------


def checked(least, turns=TURNS):
    """What 1, 2 and 4 ranks measure, and [(net, ranks, seconds, simulated)]."""
    found, rows = {}, []
    for ranks in (1, 2, 4):
        kinds = ("shards", "steps") if ranks == 1 else MEASURES
        made = [{what: measured(what, ranks, least) for what in kinds} for _ in range(turns)]
        by = found[ranks] = medians_of(made)
        here = Messages(by.get("messages"), turns=max(1.0, ranks / CORES))
        for name, (widths, count, _) in NETS.items():
            line = line_through(by["shards"][name])
            calls = calls_of(by, name)
            foretold = simulated(widths, count, ranks, line, calls, here, overlaps=False)
            rows.append((name, ranks, by["steps"][name], foretold))
    return found, rows


def medians_of(turns):
    """Of numbers that lie alike in dicts."""
    if not isinstance(turns[0], dict):
        return median(turns)
    return {key: medians_of([turn[key] for turn in turns]) for key in turns[0]}


def calls_of(by, name):
    """What the calls of a step take that exchange: how much longer steps are that have them."""
    if "calls" not in by:  # of one rank
        return 0.0
    return max(0.0, median(t - by["shards"][name][c] for c, t in by["calls"][name].items()))


def curves_of(found):
    """{(net, link): [seconds of a step on RANKS]}, each rank on a machine, with a core for the
    messages."""
    return {
        (name, link.name): [
            simulated(
                *(widths, rows, ranks, line_through(found[1]["shards"][name])),
                *(calls_of(found[2], name), Messages(found[2]["messages"], link)),
                overlaps=True,
            )
            for ranks in RANKS
        ]
        for name, (widths, _, rows) in NETS.items()
        for link in LINKS
    }


def ends_of(seconds):
    """The most ranks that pay, and those of the fastest step."""
    pays = [n for n, t in zip(RANKS, seconds, strict=True) if seconds[0] / (t * n) >= PAYS]
    return max(pays), RANKS[int(np.argmin(seconds))]


def draw(curves):
    """The picture: how many times as fast a step is, by ranks."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(NETS), figsize=(12, 4.2), sharey=True, layout="constrained"
    )
    for ax, (name, (widths, _, rows)) in zip(axes, NETS.items(), strict=True):
        ax.plot(RANKS, RANKS, color="0.75", linewidth=1, label="ranks")
        ax.plot(RANKS, [PAYS * n for n in RANKS], ":", color="0.6", linewidth=1, label="half of it")
        for link, color in zip(LINKS, ("tab:blue", "tab:orange"), strict=True):
            seconds = curves[name, link.name]
            times = [seconds[0] / t for t in seconds]
            ax.plot(RANKS, times, "o-", color=color, markersize=3, label=link.name)
            pays, _ = ends_of(seconds)
            ax.plot(
                pays, times[RANKS.index(pays)], "o", color=color, markersize=9, fillstyle="none"
            )
        ax.set(xscale="log", yscale="log", xlabel="ranks", ylim=(0.3, 1400))
        ax.set_title(f"{'-'.join(map(str, widths))}\nbatch {rows:,}, shards of {SHARD}", fontsize=9)
        ax.set_xticks([1, 4, 16, 64, 256, 1024], [1, 4, 16, 64, 256, 1024])
        ax.set_yticks([1, 4, 16, 64, 256, 1024], [1, 4, 16, 64, 256, 1024])
        ax.minorticks_off()
        ax.grid(color="0.93")
    axes[0].set_ylabel("times as fast as one rank")
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test, without picture")
    parser.add_argument("--seconds", type=float, default=0.15, help="of each measurement")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        del NETS[LARGEST]
    if options.measure:
        distributed.init_process_group(shard_size=SHARD)
        found = MEASURES[options.measure](options.seconds)
        if world().rank == 0:
            print(json.dumps(found))
        return
    found, rows = checked(0.01, turns=1) if options.quick else checked(options.seconds)
    print(f"| net | batch | ranks on {CORES} cores | measured, ms | simulated, ms | |")
    print("|---|---|---|---|---|---|")
    for name, ranks, seconds, foretold in rows:
        cells = f"{seconds * 1e3:.2f} | {foretold * 1e3:.2f} | {foretold / seconds - 1:+.0%}"
        print(f"| {name} | {NETS[name][1]} | {ranks} | {cells} |")
    curves = curves_of(found)
    print("\n| net | batch | network | one rank, ms | pays up to | fastest |")
    print("|---|---|---|---|---|---|")
    for (name, link), seconds in curves.items():
        pays, fastest = ends_of(seconds)
        best = seconds[RANKS.index(fastest)]
        cells = f"{seconds[0] * 1e3:.1f} | {pays} | {fastest}, {best * 1e3:.2f} ms"
        print(f"| {name} | {NETS[name][2]} | {link} | {cells} |")
    for name in NETS:
        fixed, per_shard = line_through(found[1]["shards"][name])
        print(f"\n{name}: {fixed * 1e3:.3f} ms and {per_shard * 1e3:.4f} ms a shard")
    for ranks in (2, 4):
        turns = {size: f"{t * 1e6:.0f}" for size, t in found[ranks]["messages"]["turn"].items()}
        calls = {name: f"{calls_of(found[ranks], name) * 1e6:.0f}" for name in NETS}
        print(f"{ranks} ranks: turns of bytes, us: {turns}; calls of a step: {calls}")
    if not options.quick:
        draw(curves)
        worst = max(abs(foretold / seconds - 1) for _, _, seconds, foretold in rows)
        if worst > TOLERANCE:
            raise SystemExit(f"the simulation is {worst:.0%} beside what is measured")


if __name__ == "__main__":
    main()
