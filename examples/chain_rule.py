"""The chain rule by hand, by autograd, by differences; softmax with cross entropy gives p - y."""

from typing import Any

from shown import COLOURS, panels, show

import pyml
from pyml import nn

F64: dict[str, Any] = {"dtype": pyml.float64}


def two_layers(x, w1, w2):
    """y = sum(w2 * sigmoid(w1 * x)), and x is used once more: + x^2, whose gradient is added."""
    hidden = (w1 * x).sigmoid()
    return (w2 * hidden).sum() + x**2


def by_hand(x, w1, w2):
    """dy/dx = sum w2 s (1 - s) w1 + 2 x: a product along each path, a sum over the paths."""
    s = (w1 * x).sigmoid()
    return (w2 * s * (1 - s) * w1).sum() + 2 * x


def main(small=False):
    pyml.manual_seed(0)
    w1, w2 = pyml.randn(5, **F64), pyml.randn(5, **F64)
    x = pyml.tensor(0.7, requires_grad=True, **F64)
    y = two_layers(x, w1, w2)
    y.backward()
    hand = by_hand(x.detach(), w1, w2).item()
    steps = pyml.logspace(-1, -14, 14, **F64)
    sides = ([two_layers(x.detach() + s * h, w1, w2).item() for h in steps] for s in (1, -1))
    errors = [
        abs((above - below) / (2 * h.item()) - hand)
        for above, below, h in zip(*sides, steps, strict=True)
    ]

    scores = pyml.tensor([[2.0, -1.0, 0.5]], requires_grad=True, **F64)
    label = pyml.tensor([2])
    nn.functional.cross_entropy(scores, label).backward()
    difference = scores.softmax(1).detach() - nn.functional.one_hot(label, 3)

    figure, (left, right) = panels(2)
    left.loglog(steps.numpy(), errors, color=COLOURS[0], marker="o")
    left.set(xlabel="step h of the difference", ylabel="error of the derivative")
    places = pyml.arange(3).numpy()
    right.bar(places - 0.2, scores.softmax(1)[0].detach().numpy(), 0.4, label="p", color="0.7")
    right.bar(places + 0.2, scores.grad[0].numpy(), 0.4, label="gradient", color=COLOURS[1])
    right.axhline(0, color="black", linewidth=0.8)
    right.set(xlabel="class (the label is 2)", ylabel="p, and the gradient p - y")
    right.set_xticks(places)
    right.legend()
    return {
        "dy/dx by hand": hand,
        "by backward": x.grad.item(),
        "by the best difference, its error": min(errors),
        "gradcheck": str(pyml.autograd.gradcheck(lambda x: two_layers(x, w1, w2), (x,))),
        "cross entropy: gradient less p - y": (scores.grad - difference).abs().max().item(),
    }, figure


if __name__ == "__main__":
    show(main)
