"""An epoch of Fashion-MNIST beside PyTorch's: seconds, medians of one run, the sides taking turns.

784-512-256-10 with BatchNorm, ReLU and dropout, Adam; the batches are slices of arrays in memory,
shuffled before. The sides start from the same weights and see the same batches. They drop other
activations, so their losses after the first epoch, which is not timed, agree only roughly.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

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


def rows(options):
    data = load(options)
    weights = first_weights(NETWORK)
    trained = {side: trainer(import_module(side), weights, *data) for side in sides()}
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
    yield {"rows": len(data[0]), **times, "best peer / pyml": ratio(times), **losses}


def sides():
    """pyml, and torch if it is installed."""
    return [name for name in ("pyml", "torch") if find_spec(name)]


def trainer(torch, weights, x, y):
    """(epoch, loss), two functions: one trains, the other gives the loss of the first rows."""
    model, optimizer, loss_of = start(torch, NETWORK, weights)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def epoch():
        model.train()
        for first in range(0, len(y), NETWORK.batch):
            batch = slice(first, first + NETWORK.batch)
            optimizer.zero_grad(set_to_none=True)
            loss_of(x[batch], y[batch]).backward()
            optimizer.step()

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


def main(argv=None):
    arguments = parser(__doc__)
    arguments.add_argument(
        "--fashion-mnist",
        type=Path,
        default=DIRECTORY,
        metavar="DIR",
        help=f"the four original files (default: {DIRECTORY})",
    )
    options = parse(arguments, argv)
    if not options.fashion_mnist.is_dir():
        print(f"{options.fashion_mnist} is not there: random images, as many and as large")
    losses = [f"{side} loss" for side in sides()]
    columns = ["rows", "threads", *sides(), "best peer / pyml", *losses]
    Table(about("torch"), columns, caption="median seconds of an epoch").run(rows, options)


if __name__ == "__main__":
    main()
