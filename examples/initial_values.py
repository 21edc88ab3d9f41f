"""What a bad start does to a network of 30 layers: activations that die, and a loss that stays."""

from itertools import pairwise

from shown import STYLES, panels, show

import pyml
from pyml import nn

DEPTH, WIDTH = 30, 64

STARTS = {
    "normal, std 0.01": lambda w: nn.init.normal_(w, std=0.01),
    "normal, std 1": lambda w: nn.init.normal_(w, std=1.0),
    "Xavier": nn.init.xavier_normal_,
    "He": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
}


def network(start):
    widths = [64] + [WIDTH] * DEPTH
    layers = []
    for i, o in pairwise(widths):
        layer = nn.Linear(i, o)
        start(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10))


def sizes_by_layer(model, x):
    sizes = []
    for layer in model[:-1]:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            sizes.append(x.double().square().mean().sqrt().item() + 1e-45)
    return sizes


def trained(model, x, y, epochs):
    optimizer = pyml.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    losses = step.run(x, y, batch_size=50, epochs=epochs, stop_on_nan=False)
    return losses.reshape(epochs, -1).mean(1)


def main(small=False):
    pyml.manual_seed(0)
    images, labels = pyml.data.load_digits()
    x, y = (images[:1000] - images[:1000].mean()) / images[:1000].std(), labels[:1000]
    numbers, (figure, (left, right)) = {}, panels(2)
    for (name, start), style in zip(STARTS.items(), STYLES, strict=False):
        model = network(start)
        sizes = sizes_by_layer(model, x)
        losses = trained(model, x, y, epochs=12 if small else 40)
        numbers[f"{name}: activations of layer 30 / of layer 1"] = sizes[-1] / sizes[0]
        numbers[f"{name}: loss at the end"] = losses[-1]
        left.plot(range(1, DEPTH + 1), sizes, label=name, **style)
        right.plot(range(1, len(losses) + 1), losses.numpy(), label=name, **style)
    left.set(xlabel="layer", ylabel="activations (rms)", yscale="log")
    right.set(xlabel="epoch", ylabel="cross entropy", ylim=(0, 5))
    right.legend(loc="upper right")
    return numbers, figure


if __name__ == "__main__":
    show(main)
