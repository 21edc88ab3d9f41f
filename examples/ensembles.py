"""Ensembles against their members; dropout as an ensemble of thinned networks; snapshots."""

from shown import COLOURS, panels, show

import pyml
from pyml import nn, optim
from pyml.optim.lr_scheduler import CosineAnnealingWarmRestarts

EPOCHS, CYCLE = 60, 12


def trained(seed, x, y, dropout=0.0, cyclic=False):
    """The model, and its snapshots at the end of each cycle of the rate."""
    pyml.manual_seed(seed)
    model = nn.Sequential(*(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 10)))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    schedule = CosineAnnealingWarmRestarts(optimizer, T_0=CYCLE if cyclic else EPOCHS)
    snapshots = pyml.train.Snapshots(model, CYCLE)

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step.run(x, y, batch_size=25, epochs=EPOCHS, scheduler=schedule, callback=snapshots)
    return model.eval(), snapshots


def loss_of(probabilities, y):
    return nn.functional.nll_loss(probabilities.log(), y).item()


@pyml.no_grad()
def thinned(model, x, draws):
    """The mean of the probabilities over random masks: dropout in training mode, at test time."""
    model.train()
    total = sum(model(x).softmax(1) for _ in range(draws))
    model.eval()
    return total / draws


def main(small=False):
    images, labels = pyml.data.load_digits()
    x, y, test_x, test_y = images[:200], labels[:200], images[200:], labels[200:]
    count = 4 if small else 16
    members = [trained(seed, x, y)[0] for seed in range(count)]
    alone = [loss_of(model(test_x).softmax(1), test_y) for model in members]
    together = [
        loss_of(nn.Ensemble(members[:k], "probabilities")(test_x), test_y)
        for k in range(1, count + 1)
    ]
    snapshots = trained(0, x, y, cyclic=True)[1].ensemble("probabilities")
    single = loss_of(snapshots.models[-1](test_x).softmax(1), test_y)
    dropped = trained(0, x, y, dropout=0.5)[0]
    masks = [loss_of(thinned(dropped, test_x, 1), test_y) for _ in range(10)]

    figure, panel = panels(width=6)
    panel.plot(range(1, count + 1), alone, "o", color="0.6", label="each member")
    panel.plot(range(1, count + 1), together, color=COLOURS[0], label="the first k together")
    panel.set(xlabel="k", ylabel="cross entropy on test rows")
    panel.legend()
    return {
        "mean loss of the members": sum(alone) / count,
        "loss of the ensemble": together[-1],
        "loss of the last snapshot": single,
        "loss of the ensemble of five snapshots": loss_of(snapshots(test_x), test_y),
        "dropout: mean loss of one random mask": sum(masks) / 10,
        "dropout: loss of the mean over 100 masks": loss_of(thinned(dropped, test_x, 100), test_y),
        "dropout: loss with all nodes": loss_of(dropped(test_x).softmax(1), test_y),
    }, figure


if __name__ == "__main__":
    show(main)
