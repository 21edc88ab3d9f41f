"""32 members at once beside the same 32 lone runs, and PyTorch's loop.

    python -m bench.many [small|tabular]

The lone runs are recorded, too, one after another on one thread; all are of three epochs.
"""

import argparse
import statistics
import time
from functools import partial
from itertools import pairwise

import numpy as np

import pyml
from pyml import nn, optim, train

MEMBERS, EPOCHS, ROUNDS = 32, 3, 3
SHAPES = {"small": ((24, 64, 64, 4), 64, 2048), "tabular": ((64, 256, 256, 10), 256, 1024)}


def network(of, widths, norm):
    layers = []
    for i, (a, b) in enumerate(pairwise(widths)):
        layers.append(of.Linear(a, b))
        if i < len(widths) - 2:
            layers += [of.BatchNorm1d(b), of.ReLU()] if norm else [of.ReLU()]
    return of.Sequential(*layers)


def lone(make, x, y, batch):
    for seed in range(MEMBERS):
        pyml.manual_seed(seed)
        model = make()
        trainer = train.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()))
        options = {"epochs": EPOCHS, "batch_size": batch, "seed": seed, "progress": False}
        trainer.fit(x, y, **options)


def at_once(make, x, y, batch):
    members = [train.Member(make, optim.Adam) for _ in range(MEMBERS)]
    options = {"epochs": EPOCHS, "batch_size": batch, "progress": False}
    train.fit_many(members, x, y, loss=nn.CrossEntropyLoss(), **options)


def by_torch(widths, norm, x, y, batch):
    import torch

    x, y, loss = torch.from_numpy(x), torch.from_numpy(y), torch.nn.CrossEntropyLoss()
    for seed in range(MEMBERS):
        torch.manual_seed(seed)
        model = network(torch.nn, widths, norm)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(batch):
                optimizer.zero_grad()
                loss(model(x[rows]), y[rows]).backward()
                optimizer.step()


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.many", description=__doc__)
    parser.add_argument("network", nargs="*", help=f"of {', '.join(SHAPES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    names, rounds = options.network, 1 if options.quick else ROUNDS
    if unknown := set(names) - set(SHAPES):
        parser.error(f"no network is called {', '.join(unknown)}")
    threads = pyml.get_num_threads()
    for name in names or SHAPES:
        widths, batch, rows = SHAPES[name]
        random = np.random.default_rng(0)
        x = random.normal(size=(rows, widths[0])).astype(np.float32)
        y = random.integers(0, widths[-1], rows)
        norm = name == "tabular"
        make = partial(network, nn, widths, norm)
        sides = {"fit_many": partial(at_once, make), "lone runs": partial(lone, make)}
        try:
            import torch

            torch.set_num_threads(threads)
            sides["torch"] = partial(by_torch, widths, norm)
        except ImportError:
            pass
        times = {side: [] for side in sides}
        for _ in range(rounds):
            for side, function in sides.items():
                pyml.set_num_threads(1 if side == "lone runs" else threads)
                start = time.perf_counter()
                function(x, y, batch)
                times[side].append(time.perf_counter() - start)
        pyml.set_num_threads(threads)
        seconds = {side: statistics.median(each) for side, each in times.items()}
        print(f"{name}: {MEMBERS} members, {threads} threads")
        for side, each in seconds.items():
            print(f"  {side:10} {each:7.3f} s, {each / seconds['fit_many']:6.2f} of fit_many")


if __name__ == "__main__":
    main()
