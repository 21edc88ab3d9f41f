"""An epoch of Fashion-MNIST beside PyTorch's: seconds, medians of one run, the sides taking turns.

784-512-256-10 with BatchNorm, ReLU and dropout, Adam; the batches are slices of arrays in memory,
shuffled before. "pyml run" is pyml's step, recorded and run over these arrays in C. The sides start
from the same weights and see the same batches. They drop other activations, so their losses after
the first epoch, which is not timed, agree only roughly.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

import pyml
from pyml.data import load_fashion_mnist

from .compare import (
    Table,
    about,
    agree,
    parse,
    parser,
    ratio,
    timed,
    wait_until_quiet,
    watch_for_others,
)
from .networks import NETWORKS
from .sides import first_weights, start

NETWORK = NETWORKS["fashion"]._replace(dropout=0.2)
DIRECTORY = Path("/usr/share/datasets/fashion-mnist")  # Debian: dataset-fashion-mnist
ROWS, QUICK_ROWS = 60_000, 5_000
EPOCHS = 3  # of each side, at least
LOSS_ROWS = 5_000  # of which the loss is taken
LOSS_TOLERANCE = 0.1  # relative
RATIOS = {"best peer / pyml": "pyml", "best peer / run": "pyml run"}


def rows(options):
    data = load(options)
    weights = first_weights(NETWORK)
    trained = {side: trainer(side, weights, *data) for side in sides()}
    for epoch, _ in trained.values():
        epoch()
    losses = {side: loss() for side, (_, loss) in trained.items()}
    agree("loss after an epoch", losses, LOSS_TOLERANCE)

    times = {side: [] for side in trained}
    end = perf_counter() + options.seconds
    with watch_for_others():
        while len(times["pyml"]) < (1 if options.quick else EPOCHS) or perf_counter() < end:
            for side, (epoch, _) in trained.items():
                wait_until_quiet()
                times[side].append(timed(epoch))
    times = {side: median(values) for side, values in times.items()}
    losses = {f"{side} loss": loss for side, loss in losses.items()}
    ratios = {name: ratio(times, side) for name, side in RATIOS.items()}
    yield {"rows": len(data[0]), **times, **ratios, **losses}


def sides():
    """Those of pyml, and torch if it is installed."""
    return ["pyml", "pyml run", *filter(find_spec, ["torch"])]


def trainer(side, weights, x, y):
    """(epoch, loss), two functions: one trains, the other gives the loss of the first rows."""
    torch = import_module(side.split()[0])
    model, step, loss_of = start(torch, NETWORK, weights)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    recorded = pyml.record(step)

    def epoch():
        model.train()
        if side == "pyml run":
            recorded.run(x, y, batch_size=NETWORK.batch, shuffle=False)
            return
        for first in range(0, len(y), NETWORK.batch):
            batch = slice(first, first + NETWORK.batch)
            step(x[batch], y[batch])

    def loss():
        model.eval()
        with torch.no_grad():
            return loss_of(x[:LOSS_ROWS], y[:LOSS_ROWS]).item()

    return epoch, loss


def load(options):
    """Images and labels, shuffled; random ones if the files are not there."""
    rng = np.random.default_rng(0)
    if options.fashion_mnist.is_dir():
        images, labels = (
            part.numpy() for part in load_fashion_mnist(options.fashion_mnist, "train")
        )
    else:
        images = rng.random((ROWS, NETWORK.widths[0]), dtype=np.float32)
        labels = rng.integers(0, NETWORK.widths[-1], ROWS)
    chosen = rng.permutation(len(labels))[: QUICK_ROWS if options.quick else None]
    return images[chosen], labels[chosen]


def add_directory(arguments):
    """Adds the option that says where Fashion-MNIST is."""
    arguments.add_argument(
        "--fashion-mnist",
        type=Path,
        default=DIRECTORY,
        metavar="DIR",
        help=f"the four original files (default: {DIRECTORY})",
    )


def main(argv=None):
    arguments = parser(__doc__)
    add_directory(arguments)
    options = parse(arguments, argv)
    if not options.fashion_mnist.is_dir():
        print(f"{options.fashion_mnist} is not there: random images, as many and as large")
    losses = [f"{side} loss" for side in sides()]
    columns = ["rows", "threads", *sides(), *RATIOS, *losses]
    Table(about("torch"), columns, caption="median seconds of an epoch").run(rows, options)


if __name__ == "__main__":
    main()
