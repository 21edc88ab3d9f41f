"""Sigmoids let the gradient vanish on its way to the first layers; ReLU and BatchNorm do not."""

from shown import STYLES, panels, show

import pyml
from pyml import nn

DEPTH, WIDTH = 20, 64


def network(activation, start, batch_norm=False):
    layers = []
    for _ in range(DEPTH):
        layer = nn.Linear(WIDTH, WIDTH)
        start(layer.weight)
        layers += [layer, *([nn.BatchNorm1d(WIDTH)] if batch_norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def gradient_by_layer(model, x, y):
    """The root mean square of the gradient of each hidden layer's weights."""
    nn.functional.cross_entropy(model(x), y).backward()
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    return [layer.weight.grad.square().mean().sqrt().item() for layer in layers[:-1]]


def main(small=False):
    pyml.manual_seed(0)
    x, y = pyml.randn(100 if small else 1000, WIDTH), pyml.randint(10, (100 if small else 1000,))
    xavier, he = nn.init.xavier_normal_, nn.init.kaiming_normal_
    networks = {
        "sigmoid": network(nn.Sigmoid, xavier),
        "tanh": network(nn.Tanh, xavier),
        "ReLU, He's start": network(nn.ReLU, lambda w: he(w, nonlinearity="relu")),
        "sigmoid, BatchNorm": network(nn.Sigmoid, xavier, batch_norm=True),
    }
    numbers, (figure, panel) = {}, panels(width=6)
    for (name, model), style in zip(networks.items(), STYLES, strict=False):
        sizes = gradient_by_layer(model, x, y)
        numbers[f"{name}: gradient of the first layer / of the last"] = sizes[0] / sizes[-1]
        panel.plot(range(1, DEPTH + 1), sizes, label=name, **style)
    panel.set(xlabel="hidden layer", ylabel="gradient of the weights (rms)", yscale="log")
    panel.set_xticks(range(1, DEPTH + 1, 3))
    panel.legend()
    return numbers, figure


if __name__ == "__main__":
    show(main)
