"""What train.Trainer costs beside a run written by hand: the same step, rows, order and bits.

A call of a side makes --epochs epochs of 10,000 rows; times are of one epoch, without validation,
metrics and callbacks, with the bar that nobody sees where the output is piped.
"""

import numpy as np

import pyml

from .compare import Table, about, agree, medians, parse, parser
from .networks import NETWORKS
from .sides import LR, first_weights, start

ROWS = 10_000
EPOCHS, QUICK_EPOCHS = 50, 2
NAMES = ("tiny", "small")


def sides(network, epochs):
    """{side: a callable that trains and returns the mean loss of each epoch}."""
    weights = first_weights(network)
    data = [part[:ROWS] for part in network.data(-(-ROWS // network.batch) + 8)]
    tensors = [pyml.from_numpy(part) for part in data]
    rows = np.full(-(-ROWS // network.batch), network.batch)  # of each step
    rows[-1] -= rows.sum() - ROWS

    _, step, _ = start(pyml, network, weights)
    step = pyml.record(step)

    def run():
        losses = step.run(*tensors, batch_size=network.batch, epochs=epochs).numpy()
        return np.average(losses.reshape(epochs, -1).astype(np.float64), 1, rows)

    model, _, _ = start(pyml, network, weights)
    optimizer = pyml.optim.Adam(model.parameters(), lr=LR)
    loss = getattr(pyml.nn, network.loss)()
    trainer = pyml.train.Trainer(model, loss, optimizer)

    def fit():
        return trainer.fit(*data, epochs=epochs, batch_size=network.batch).column("train_loss")

    return {"run": run, "trainer": fit}


def rows_of(options):
    for name in NAMES:
        both = sides(NETWORKS[name], options.epochs)
        losses = {}
        for side, call in both.items():
            pyml.manual_seed(0)
            losses[side] = call()
        agree(f"{name}: losses", losses, rtol=1e-12)
        times = medians(both, options.seconds, steps=dict.fromkeys(both, options.epochs))
        yield {"network": name, **times, "trainer / run": times["trainer"] / times["run"]}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument(
        "--epochs", type=int, default=EPOCHS, help=f"of a call (default: {EPOCHS})"
    )
    options = parse(options, argv)
    if options.quick:
        options.epochs = QUICK_EPOCHS
    columns = ["network", "threads", "run", "trainer", "trainer / run"]
    Table(about(), columns, caption="median microseconds of an epoch").run(rows_of, options)


if __name__ == "__main__":
    main()
