"""The training loss falls on while the validation loss turns; the best weights lie in between."""

from shown import COLOURS, panels, show

import pyml
from pyml import nn, optim

EPOCHS = 1500


def main(small=False):
    pyml.manual_seed(0)
    x = pyml.rand(60, 1) * 6 - 3
    y = x.sin() + 0.4 * pyml.randn(60, 1)
    train, validation = (x[:30], y[:30]), (x[30:], y[30:])
    test_x = pyml.linspace(-3, 3, 500).reshape(-1, 1)
    model = nn.Sequential(
        *(nn.Linear(1, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 1))
    )
    optimizer, loss = optim.Adam(model.parameters(), lr=3e-3), nn.MSELoss()
    stopping, held = pyml.train.EarlyStopping(model, patience=EPOCHS), []  # to see what follows

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    @pyml.no_grad()
    def loss_on(x, y):
        return loss(model(x), y).item()

    def look(_):
        held.append(loss_on(*validation))
        return stopping(held[-1])

    losses = step.run(*train, batch_size=30, epochs=EPOCHS, callback=look)
    to_the_end = loss_on(test_x, test_x.sin())
    stopping.restore()
    at_the_best = loss_on(test_x, test_x.sin())

    figure, panel = panels(width=6)
    panel.plot(losses.numpy(), color=COLOURS[1], linestyle="--", label="training")
    panel.plot(held, color=COLOURS[0], label="validation")
    panel.axvline(stopping.best_count - 1, color="black", linestyle=":", label="the best weights")
    panel.set(xlabel="epoch", ylabel="mean squared error", yscale="log", xscale="log")
    panel.legend()
    return {
        "training loss at the end": losses[-1],
        "validation loss at the end": held[-1],
        "validation loss at the best": stopping.best,
        "error on the true sine, at the end": to_the_end,
        "error on the true sine, best weights": at_the_best,
    }, figure


if __name__ == "__main__":
    show(main)
