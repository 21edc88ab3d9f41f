"""Stacked linear layers are one linear layer; with a ReLU between them they bend."""

from shown import STYLES, panels, show

import pyml
from pyml import nn


def trained(model, x, y, steps):
    optimizer = pyml.optim.Adam(model.parameters(), lr=0.005)

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step.run(x, y, batch_size=len(x), epochs=steps)[-1].item()


def main(small=False):
    pyml.manual_seed(0)
    x = pyml.linspace(-3, 3, 200).reshape(-1, 1)
    y = x.sin()
    linear = nn.Sequential(nn.Linear(1, 32), nn.Linear(32, 32), nn.Linear(32, 1))
    bent = nn.Sequential(
        nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    steps = 100 if small else 1000
    losses = [trained(model, x, y, steps) for model in (linear, bent)]

    # the product of the weights is the weight of one layer that does the same
    one = nn.Linear(1, 1)
    first, second, third = linear
    with pyml.no_grad():
        one.weight.copy_(third.weight @ second.weight @ first.weight)
        one.bias.copy_(third.weight @ (second.weight @ first.bias + second.bias) + third.bias)
        difference = (one(x) - linear(x)).abs().max().item()
        line = pyml.linalg.lstsq(pyml.cat([x, pyml.ones_like(x)], 1), y).solution
        best = nn.functional.mse_loss(x * line[0] + line[1], y).item()

    figure, panel = panels(width=6)
    panel.plot(x.numpy(), y.numpy(), color="0.6", linewidth=4, label="sin x")
    for model, name, style in zip(
        (linear, bent), ("three linear layers", "with ReLU between"), STYLES, strict=False
    ):
        panel.plot(x.numpy(), model(x).detach().numpy(), label=name, **style)
    panel.set(xlabel="x", ylabel="y")
    panel.legend()
    return {
        "mean squared error of the best straight line": best,
        "of three linear layers": losses[0],
        "of three linear layers with ReLU between": losses[1],
        "one layer of the product of the weights differs by less than 1e-5": str(difference < 1e-5),
    }, figure


if __name__ == "__main__":
    show(main)
