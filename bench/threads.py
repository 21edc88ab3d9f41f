"""What threads must never do: slow a step down, or change its result.

    width       the script of pytorch#144633: a 10-w-w-10 net on one thread and on two
    networks    every network of networks.py on one thread and on two
    python      Python threads, each training a net of its own
    recorded    the same with recorded steps, run over an epoch in C
    processes   processes doing the same, started by fork and by spawn
    affinity    a process that may use one processor only
    denormals   a step on weights and inputs of 1e-40 beside one on usual numbers
    paper       what steps would gain of more threads than there are, computed and not measured

Both numbers of a comparison are measured in turns, and the losses of all sides must agree: those of
pyml to the last bit, whatever the threads.
"""

import json
import math
import multiprocessing
import os
import statistics
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from time import perf_counter

import numpy as np

import pyml

from . import sides
from .compare import (
    THREAD_VARIABLES,
    Table,
    about,
    agree,
    medians,
    parse,
    parser,
    timed,
    version,
    wait_until_quiet,
    with_threads,
)
from .networks import NETWORKS, Network
from .sides import first_losses, first_weights, pyml_step, recorded_run, torch_step

NOISE = 0.03  # a ratio this near 1 is called equal
LOSSES, TOLERANCE = 5, 1e-3  # steps that are compared, and how well other libraries must agree
WIDTHS = (32, *range(40, 51), 64)
COUNTS = range(1, 9)
LEAST_CALLS = 20
PATIENCE = 300  # seconds, for what may hang
DENORMAL = 1e-40
PAPER = (2, 4, 8, 16, 32)  # threads
PIECE_NS = {"linear": 3000, "other": 800}  # the least that a thread is given, as in csrc
MEETING_NS = {"near": 100, "far": 500}  # until another core has what one has written
FETCH_GB = 15  # a second, of what lies in the caches of other cores; chosen so that 2 threads fit
PAPER_SECONDS = 2  # of steps that are timed


losses = partial(first_losses, count=LOSSES)


def check(what, results):
    """Ends the script unless the losses agree, those of pyml to the last bit."""
    ours = {side: result for side, result in results.items() if side.startswith("pyml")}
    agree(f"{what}: losses", ours, rtol=0)
    agree(f"{what}: losses", results, rtol=TOLERANCE)


def start(name):
    """A network and its weights: what makes a step."""
    return NETWORKS[name], first_weights(NETWORKS[name])


def verdict(ratio):
    return "SLOWER" if ratio < 1 - NOISE else ""


# ---- one thread and two --------------------------------------------------------------------------


def script(library, width):
    """A step of the script: three linear layers learn the identity from slices of noisy data."""
    batch, batches = 128, 100
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch * batches, 10), dtype=np.float32)
    target = x + 0.01 * rng.standard_normal(x.shape, dtype=np.float32)
    x, target = library.from_numpy(x), library.from_numpy(target)
    nn = library.nn
    model = nn.Sequential(nn.Linear(10, width), nn.Linear(width, width), nn.Linear(width, 10))
    for parameter in model.parameters():
        values = rng.uniform(-0.15, 0.15, tuple(parameter.shape))
        np.copyto(parameter.detach().numpy(), values, casting="same_kind")
    optimizer = library.optim.Adam(model.parameters(), **fused(library))
    loss_of = nn.MSELoss()
    begin = 0

    def step():
        nonlocal begin
        optimizer.zero_grad()
        loss = loss_of(model(x[begin : begin + batch]), target[begin : begin + batch])
        loss.backward()
        optimizer.step()
        begin = (begin + batch) % len(x)
        return loss

    return step


def fused(library):
    return {} if library is pyml else {"fused": True}


def libraries():
    """{name: module} of pyml and, where it is installed, PyTorch."""
    if not version("torch"):
        return {"pyml": pyml}
    import torch

    return {"pyml": pyml, "torch": torch}


def one_and_many(what, makers, options):
    """A row: steps on one thread and on all of this process.

    Args:
        makers: {name: (library, function that makes a step)}.
    """
    sides = {
        f"{name} {place}": on_threads(count, library, make())
        for name, (library, make) in makers.items()
        for place, count in [("1", 1), ("n", options.many)]
    }
    check(what, {side: losses(step) for side, step in sides.items()})
    times = medians(sides, options.seconds)
    ratios = {name: times[f"{name} 1"] / times[f"{name} n"] for name in makers}
    return {
        "work": what,
        **times,
        **{f"{name} 1/n": ratio for name, ratio in ratios.items()},
        "": verdict(ratios["pyml"]),
    }


def on_threads(count, library, step):
    def call():
        if library.get_num_threads() != count:  # PyTorch takes milliseconds to set it, each time
            library.set_num_threads(count)
        return step()

    return call


def width_rows(options):
    for width in options.widths:
        makers = {
            name: (library, partial(script, library, width))
            for name, library in libraries().items()
        }
        yield one_and_many(f"10-{width}-{width}-10", makers, options)


def network_rows(options):
    for name in options.networks:
        yield one_and_many(name, {"pyml": (pyml, partial(pyml_step, *start(name)))}, options)


# ---- many nets at once ---------------------------------------------------------------------------


def run(call, calls, barrier, results):
    """Appends losses, and when `calls` calls began and ended, to results."""
    first = losses(call)
    barrier.wait()
    begin = perf_counter()
    for _ in range(calls):
        call()
    results.append((first, begin, perf_counter()))


def rate(results, calls, rtol):
    """Calls a second of all together; ends the script unless their first losses agree."""
    firsts, begins, ends = zip(*results, strict=True)
    agree("losses", dict(enumerate(firsts)), rtol)
    return len(results) * calls / (max(ends) - min(begins))


def in_threads(make, rtol, calls, count):
    barrier, results = threading.Barrier(count, timeout=PATIENCE), []
    threads = [
        threading.Thread(target=run, args=(make(), calls, barrier, results)) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(results) < count:
        sys.exit(f"{count - len(results)} of {count} threads failed")
    return rate(results, calls, rtol)


def in_processes(method, calls, count):
    context = multiprocessing.get_context(method)
    barrier, queue = context.Barrier(count, timeout=PATIENCE), context.Queue()
    arguments = calls, barrier, queue
    processes = [
        context.Process(target=run_in_process, args=arguments, daemon=True) for _ in range(count)
    ]
    for process in processes:
        process.start()
    results = [queue.get(timeout=PATIENCE) for _ in processes]
    for process in processes:
        process.join()
    return rate(results, calls, rtol=0)


def run_in_process(calls, barrier, queue):
    """Large kernels first, on threads that a forked process must start anew."""
    large, results = losses(pyml_step(*start("tabular"))), []
    run(pyml_step(*start("small")), calls, barrier, results)
    [(small, begin, end)] = results
    queue.put((small + large, begin, end))


def scaling(measure, count, options, seconds):
    """(calls a second of one, of `count`), medians of a few turns; a call takes `seconds`."""
    calls = max(LEAST_CALLS, round(options.seconds / options.turns / 2 / seconds))
    each = max(LEAST_CALLS, calls // count)
    turns = []
    for _ in range(options.turns):
        wait_until_quiet()
        one = measure(calls, 1)
        wait_until_quiet()
        turns.append((one, measure(each, count)))
    return map(statistics.median, zip(*turns, strict=True))


def call_seconds(call):
    losses(call)  # recorded in them
    return timed(call, LEAST_CALLS) / LEAST_CALLS


def thread_rows(how, makers, judged, options):
    """Rows of some nets at once, each trained by a Python thread.

    Args:
        makers: {side: (function that makes a callable, steps that a call of it makes)}.
        judged: the side that must not be slower.
    """
    seconds = {side: call_seconds(make()) for side, (make, _) in makers.items()}
    for count in options.counts:
        row = {"how": how, "nets": count, "processors": len(os.sched_getaffinity(0))}
        for side, (make, steps) in makers.items():
            measure = partial(in_threads, make, TOLERANCE if side == "torch" else 0)
            one, many = scaling(measure, count, options, seconds[side])
            row |= {f"{side} 1": steps * one, f"{side} n": steps * many, f"{side} n/1": many / one}
        yield row | {"": verdict(row[f"{judged} n/1"]) if count > 1 else ""}


def python_rows(options):
    arguments = start("small")
    makers = {
        # one thread each serves PyTorch best
        name: (
            lambda library=library, make=make: on_threads(
                options.many if library is pyml else 1, library, make(*arguments)
            ),
            1,
        )
        for (name, library), make in zip(libraries().items(), (pyml_step, torch_step), strict=False)
    }
    yield from thread_rows("threads", makers, "pyml", options)


def recorded_rows(options):
    for name in ("tiny", "small"):
        network, weights = start(name)
        makers = {
            "pyml": (partial(pyml_step, network, weights), 1),
            "run": (partial(recorded_run, network, weights), network.epoch),
        }
        yield from thread_rows(name, makers, "run", options)


def process_rows(options):
    pyml.set_num_threads(options.many)
    losses(pyml_step(*start("tabular")))  # the pool has run before the fork
    seconds = call_seconds(pyml_step(*start("small")))
    for method in ("fork", "spawn"):
        for count in options.counts:
            one, many = scaling(partial(in_processes, method), count, options, seconds)
            yield {
                **{"how": method, "nets": count, "processors": len(os.sched_getaffinity(0))},
                **{"pyml 1": one, "pyml n": many, "pyml n/1": many / one},
                "": verdict(many / one) if count > 1 else "",
            }


# ---- one processor -------------------------------------------------------------------------------


def affinity_rows(options):
    """In a new process that finds one processor, and no variable that says how many threads."""
    everywhere, environ = os.sched_getaffinity(0), os.environ.copy()
    os.sched_setaffinity(0, {min(everywhere)})
    for name in THREAD_VARIABLES:
        os.environ.pop(name, None)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        found = executor.submit(on_one_processor, everywhere, options)
        os.sched_setaffinity(0, everywhere)
        os.environ.update(environ)
        yield from found.result()


def on_one_processor(everywhere, options):
    here, default = os.sched_getaffinity(0), pyml.get_num_threads()
    return [affinity_row(name, here, everywhere, default, options) for name in ("small", "tabular")]


def affinity_row(name, here, everywhere, default, options):
    def on(processors, threads):
        step = pyml_step(*start(name))

        def call():
            os.sched_setaffinity(0, processors)
            pyml.set_num_threads(threads)
            return step()

        return call

    sides = {
        "all, 1 thread": on(everywhere, 1),
        "one, default": on(here, default),
        "one, 2 threads": on(here, 2),
    }
    results = {f"pyml {side}": losses(call) for side, call in sides.items()}
    check(name, results)
    times = medians(sides, options.seconds)
    ratio = times["all, 1 thread"] / times["one, default"]
    wrong = "WRONG DEFAULT" if default != 1 else verdict(ratio)
    return {"work": name, "default": default, **times, "all / one": ratio, "": wrong}


# ---- denormals -----------------------------------------------------------------------------------


def denormal_rows(options):
    network = Network((64, 256, 256, 10), "Tanh", False, 256, "MSELoss")
    usual = first_weights(network)
    tiny = {name: np.full_like(value, DENORMAL) for name, value in usual.items()}
    sides = {}
    for name, library in libraries().items():
        for side, weights, scale in [(name, usual, 1), (f"{name} 1e-40", tiny, DENORMAL)]:
            step = restarting_step(library, network, weights, scale)
            sides[side] = on_threads(1, library, step)
    for suffix in ("", " 1e-40"):
        check(f"denormals{suffix}", {name: losses(sides[name + suffix]) for name in libraries()})
    times = medians(sides, options.seconds)
    ratios = {name: times[name] / times[f"{name} 1e-40"] for name in libraries()}
    yield {
        "work": "64-256-256-10 tanh",
        **times,
        **{f"{name} usual/1e-40": ratio for name, ratio in ratios.items()},
        "": verdict(ratios["pyml"]),
    }


def restarting_step(library, network, weights, scale):
    """A step that first resets the weights: pyml writes what is below 1e-38 as zero."""
    model = network.build(library.nn)
    optimizer = library.optim.Adam(model.parameters(), **fused(library))
    loss_of = getattr(library.nn, network.loss)()
    x, target = next(network.batches())
    x, target = library.from_numpy(x * np.float32(scale)), library.from_numpy(target)
    pairs = [(p.detach().numpy(), weights[name]) for name, p in model.named_parameters()]

    def step():
        for parameter, first in pairs:
            np.copyto(parameter, first)
        optimizer.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


# ---- the tables ----------------------------------------------------------------------------------

ONE_AND_MANY = ["pyml 1", "pyml n", "pyml 1/n", "", "torch 1", "torch n", "torch 1/n"]
MANY = ["nets", "processors", "pyml 1", "pyml n", "pyml n/1", ""]
TORCH_MANY = ["torch 1", "torch n", "torch n/1"]
US, A_SECOND = "median microseconds of a step", "steps a second of all nets together, and of one"


def paper_rows(options):
    """Times on one thread, cut as csrc/threads.c and gemm.c cut work.

    A kernel of t nanoseconds and b bytes goes to p threads, min(threads, t / the least that each is
    given). It takes t / p, the time in which cores meet, and that in which each fetches what the
    others have of its share, b / p (p - 1) / p. Odd sizes and a memory that is full are left out.
    """
    pyml.set_num_threads(1)
    for name in options.networks:
        network = NETWORKS[name]
        _, step, _ = sides.start(pyml, network, first_weights(network))
        step = pyml.record(step)
        data = [pyml.from_numpy(part) for part in network.data(network.epoch)]
        end = perf_counter() + (0 if options.quick else PAPER_SECONDS)
        while True:
            step.run(*data, batch_size=network.batch, shuffle=False)
            if perf_counter() > end and not math.isnan(step.stats().seconds):
                break
        calls = []
        for kernel in step.stats().kernels:
            names = [name for name in kernel.name.split("+") if name.endswith("ward")]
            count = max(1, kernel.calls // max(1, len(names)))  # that are made as one
            kind = kernel.name.split("_")[0]
            calls += [(kind, kernel.seconds * 1e9 / count, kernel.bytes / count)] * count
        alone = sum(ns for _, ns, _ in calls)
        for cores, meeting in MEETING_NS.items():
            takes = {n: sum(on_paper(*call, n, meeting) for call in calls) for n in PAPER}
            gains = {str(n): alone / ns for n, ns in takes.items()}
            yield {"work": name, "cores": cores, "us on 1": alone / 1000} | gains


def on_paper(kind, ns, size, threads, meeting):
    """Nanoseconds of a kernel on so many threads."""
    least = PIECE_NS.get(kind, PIECE_NS["other"])
    threads = max(1, min(threads, int(ns / least)))
    fetched = size / threads * (threads - 1) / threads
    return ns / threads + (meeting if threads > 1 else 0) + fetched / FETCH_GB


PARTS = {  # rows, columns, caption
    "width": (width_rows, ["work", *ONE_AND_MANY], US),
    "networks": (network_rows, ["work", *ONE_AND_MANY[:4]], US),
    "python": (python_rows, ["how", *MANY, *TORCH_MANY], A_SECOND),
    "recorded": (recorded_rows, ["how", *MANY[:5], "run 1", "run n", "run n/1", ""], A_SECOND),
    "processes": (process_rows, ["how", *MANY], A_SECOND),
    "affinity": (
        affinity_rows,
        ["work", "default", "all, 1 thread", "one, default", "one, 2 threads", "all / one", ""],
        f"{US}, on all processors and on one",
    ),
    "denormals": (
        denormal_rows,
        [
            *("work", "pyml", "pyml 1e-40", "pyml usual/1e-40", ""),
            *("torch", "torch 1e-40", "torch usual/1e-40"),
        ],
        US,
    ),
    "paper": (
        paper_rows,
        ["work", "cores", "us on 1", *map(str, PAPER)],
        "how many times as fast on so many threads, computed",
    ),
}


def rows(options):
    """(part, row) of all parts."""
    options.many = pyml.get_num_threads()
    for part in options.parts:
        for row in PARTS[part][0](options):
            yield part, row


def main(argv=None):
    arguments = parser(__doc__)
    arguments.add_argument(
        "--parts", nargs="+", choices=PARTS, default=list(PARTS), help="(default: all)"
    )
    available = len(os.sched_getaffinity(0))
    arguments.set_defaults(threads=[min(2, available)])
    options = parse(arguments, argv)
    options.widths = (46,) if options.quick else WIDTHS
    options.networks = ["tiny", "tabular"] if options.quick else list(NETWORKS)
    options.counts = (1, 2) if options.quick else COUNTS
    options.turns = 1 if options.quick else 3  # of one net and of many

    counts = dict.fromkeys(options.parts, available)
    counts |= dict.fromkeys({"width", "networks"} & set(counts), options.threads[0])
    described, tables = about("torch"), {}
    for count in dict.fromkeys(counts.values()):  # a process each
        options.parts = [part for part in counts if counts[part] == count]
        for part, row in with_threads(count, rows, options):
            if part not in tables:
                heading = {"\npart": part} if tables else described | {"part": part}
                _, columns, caption = PARTS[part]
                tables[part] = Table(heading, columns, 20, caption)
            tables[part].add(row)
    if options.json:
        found = {part: table.rows for part, table in tables.items()}
        options.json.write_text(json.dumps({"about": described, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
