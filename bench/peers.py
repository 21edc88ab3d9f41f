"""Training steps beside other libraries': medians of one run, the sides taking turns.

A step is zero grad, forward, backward and Adam on one batch. All sides start from the same weights
and their first losses must agree; scikit-learn alone starts from its own, which changes nothing in
what it computes. sides.py has the code of each side.
"""

from argparse import ArgumentTypeError

from .compare import Table, about, agree, medians, parse, parser, picture, ratio, version
from .networks import NETWORKS
from .sides import SIDES, LeftOut, first_weights

LOSS_STEPS = 5  # steps whose losses are compared
LOSS_TOLERANCE = 1e-3  # relative; rounding differs, and Adam's first steps divide by small numbers
QUICK_STEPS = ("tiny", "small", "deep")  # every activation and loss, with BatchNorm and without
PACKAGES = sorted({package for side in SIDES.values() for package in side.packages})


def rows(options):
    for name in options.steps:
        steps, left_out = start(NETWORKS[name], options.sides)
        losses = {side: [step() for _ in range(LOSS_STEPS)] for side, step in steps.items()}
        agree(
            f"{name}: losses",
            {side: [x.item() for x in xs] for side, xs in losses.items() if None not in xs},
            LOSS_TOLERANCE,
        )
        times = medians(steps, options.seconds)
        yield {"step": name, **times, "best peer / pyml": ratio(times), "left out": left_out}


def start(network, sides):
    """{side: step}, and {side: why it is left out}."""
    weights = first_weights(network)
    steps, left_out = {}, {}
    for side in sides:
        try:
            steps[side] = SIDES[side].step(network, weights)
        except LeftOut as reason:
            left_out[side] = str(reason)
    return steps, left_out


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
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)


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

    columns = ["step", "threads", *options.sides, "best peer / pyml"]
    table = Table(about(*PACKAGES), columns, caption="median microseconds of a step")
    table.run(rows, options)
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
