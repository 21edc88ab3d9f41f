"""Training steps beside other libraries': medians of one run, the sides taking turns.

A step is zero grad, forward, backward and Adam on one batch; where a call of a side runs an epoch,
its time is divided by the steps. All sides start from the same weights and take the same batches,
and their first losses must agree; scikit-learn alone starts from weights of its own, which changes
nothing in what it computes. sides.py has the code of each side.
"""

from argparse import ArgumentTypeError
from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from .compare import Table, about, agree, medians, parse, parser, picture, ratio, version
from .networks import NETWORKS
from .sides import SIDES, LeftOut, first_losses, first_weights

LOSS_STEPS = 5  # steps whose losses are compared
# relative; rounding differs, and Adam's first steps divide by small numbers
LOSS_TOLERANCE = {"float32": 1e-3, "bfloat16": 3e-2}
QUICK_STEPS = ("tiny", "small", "deep")  # every activation and loss, with BatchNorm and without
PACKAGES = sorted({package for side in SIDES.values() for package in side.packages})
RATIOS = {
    "best peer / pyml": "pyml",
    "best peer / recorded": "pyml recorded",
    "best peer / run": "pyml run",
    "best bf16 peer / run": "pyml bf16 run",
}


class Started(NamedTuple):
    """A side that has made its first steps.

    Attributes:
        call: makes the next.
        steps: that a call makes.
        losses: of the first steps, if the side returns any.
        seconds: that these took.
    """

    call: Callable
    steps: int
    losses: list
    seconds: float

    def extra(self, later):
        """Milliseconds that the first steps took more than later ones, of `later` microseconds."""
        made = max(self.steps, len(self.losses))
        return max(0.0, 1e3 * self.seconds - 1e-3 * made * later)


def rows(options):
    for name in options.steps:
        sides, left_out = start(NETWORKS[name], options.sides)
        for precision, tolerance in LOSS_TOLERANCE.items():
            some = of_precision(sides, precision)
            losses = {side: started.losses for side, started in some.items() if started.losses}
            if losses:
                agree(f"{name}: losses in {precision}", losses, tolerance)
        times = medians(
            {name: side.call for name, side in sides.items()},
            options.seconds,
            steps={name: side.steps for name, side in sides.items()},
        )
        yield {
            "step": name,
            **times,
            **ratios(times),
            "start": {name: side.extra(times[name]) for name, side in sides.items()},
            "left out": left_out,
        }


def start(network, names):
    """{name: side}, and {name: why it is left out}."""
    weights = first_weights(network)
    sides, left_out = {}, {}
    for name in names:
        side = SIDES[name]
        try:
            call = side.make(network, weights)
            begin = perf_counter()
            losses = first_losses(call, LOSS_STEPS)
            seconds = perf_counter() - begin
            sides[name] = Started(call, network.epoch if side.is_epoch else 1, losses, seconds)
        except LeftOut as reason:
            left_out[name] = str(reason)
    return sides, left_out


def of_precision(sides, precision):
    return {name: value for name, value in sides.items() if SIDES[name].precision == precision}


def ratios(times):
    """An eager step is held against peers whose call is a step too, a recorded one against all.

    All of them have products of the same precision.
    """
    found = {}
    for name, ours in RATIOS.items():
        same = of_precision(times, SIDES[ours].precision)
        single = {side: time for side, time in same.items() if not SIDES[side].is_epoch}
        found[name] = ratio(single if ours == "pyml" else same, ours)
    return found


def draw(table, path):
    """Bars on a logarithmic axis: a panel a thread count, in it a group a network."""
    panels = sorted({row["threads"] for row in table.rows})
    sides = [side for side in SIDES if any(side in row for row in table.rows)]
    groups = list(dict.fromkeys(row["step"] for row in table.rows))
    size = 6 * len(panels), 1.5 + 0.16 * len(sides) * len(groups)
    with picture(path, "One training step: less is better", table.about, size) as figure:
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axis, threads in zip(axes, panels, strict=True):
            found = [row for row in table.rows if row["threads"] == threads]
            for number, side in enumerate(sides):
                bars = [(groups.index(row["step"]), row[side]) for row in found if side in row]
                places = [group + (number + 0.5) * 0.84 / len(sides) for group, _ in bars]
                drawn = axis.barh(places, [us for _, us in bars], 0.8 / len(sides), label=side)
                axis.bar_label(drawn, [f"{us:,.0f}" for _, us in bars], padding=2, fontsize=6)
            axis.set_title(f"{threads} thread{'s' if threads > 1 else ''}")
            axis.set(xscale="log", xlabel="microseconds a step (median)")
            axis.set_yticks([group + 0.42 for group in range(len(groups))], groups)
            axis.spines[["top", "right"]].set_visible(False)
            axis.margins(x=0.12)
        axes[0].invert_yaxis()
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4 * len(panels)
        )


def some_of(known):
    """The type of an option: names out of `known`, divided by commas."""

    def names(text):
        unknown = set(text.split(",")) - set(known)
        if unknown:
            raise ArgumentTypeError(f"{', '.join(unknown)} unknown; there are {', '.join(known)}")
        return text.split(",")

    return names


def main(argv=None):
    arguments = parser(__doc__, plot=True)
    for option, known in [("--steps", NETWORKS), ("--sides", SIDES)]:
        arguments.add_argument(
            option,
            type=some_of(known),
            default=list(known),
            metavar="NAMES",
            help=f"some of {', '.join(known)} (default: all)",
        )
    options = parse(arguments, argv)
    if options.quick:
        options.steps = [name for name in options.steps if name in QUICK_STEPS]
        options.sides = [side for side in options.sides if side != "torch.compile"]
    options.sides = [side for side in options.sides if all(map(version, SIDES[side].packages))]

    columns = ["step", "threads", *options.sides]
    caption = "median microseconds of a step"
    table = Table(about(*PACKAGES), [*columns, *RATIOS], label=12, caption=caption)
    table.run(rows, options)
    caption = "milliseconds that the first steps took more than later ones"
    starts = Table({"\nstart": "compiling, recording"}, columns, label=12, caption=caption)
    for row in table.rows:
        starts.add({**row["start"], "step": row["step"], "threads": row["threads"]})
    left_out = {}
    for row in table.rows:
        for reason in row["left out"].items():
            left_out.setdefault(reason, []).append(row["step"])
    for (side, reason), steps in left_out.items():
        print(f"{side} {reason}: {', '.join(dict.fromkeys(steps))}")
    if options.plot:
        draw(table, options.plot)


if __name__ == "__main__":
    main()
