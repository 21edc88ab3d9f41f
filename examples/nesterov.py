"""Momentum takes the gradient where it is, Nesterov where its velocity will carry it."""

from shown import STYLES, panels, show

import pyml
from pyml import optim

LR, MOMENTUM = 0.12, 0.9


def parabola(x):
    return x**2 / 2


def by_pyml(nesterov, steps):
    at = pyml.tensor([4.0], dtype=pyml.float64, requires_grad=True)
    optimizer = optim.SGD([at], lr=LR, momentum=MOMENTUM, nesterov=nesterov)
    places = [at.item()]
    for _ in range(steps):
        optimizer.zero_grad()
        parabola(at).sum().backward()
        optimizer.step()
        places.append(at.item())
    return places


def by_looking_ahead(steps):
    """As the lecture writes it: a step of the velocity first, then the gradient there.

    What optimizers keep, and by_pyml gives, is the place that was looked at.
    """
    at, velocity, looked_at = 4.0, 0.0, [4.0]
    for _ in range(steps):
        velocity = MOMENTUM * velocity - LR * (at + MOMENTUM * velocity)  # the slope there
        at += velocity
        looked_at.append(at + MOMENTUM * velocity)
    return looked_at


def main(small=False):
    steps = 60
    momentum, nesterov = by_pyml(False, steps), by_pyml(True, steps)
    ahead = by_looking_ahead(steps)
    figure, panel = panels(width=6)
    for places, name, style in zip(
        (momentum, nesterov), ("momentum", "Nesterov"), STYLES, strict=False
    ):
        panel.plot(places, label=name, **style)
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set(xlabel="step", ylabel="x, the minimum is at 0")
    panel.legend()
    return {
        "momentum: how far beyond the minimum": -min(momentum),
        "Nesterov: how far beyond the minimum": -min(nesterov),
        "momentum: distance after 60 steps": abs(momentum[-1]),
        "Nesterov: distance after 60 steps": abs(nesterov[-1]),
        "looking ahead by hand differs by": max(
            abs(a - b) for a, b in zip(nesterov, ahead, strict=True)
        ),
    }, figure


if __name__ == "__main__":
    show(main)
