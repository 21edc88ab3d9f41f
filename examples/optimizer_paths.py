"""The paths of six optimizers in a narrow valley and from the ridge of a saddle."""

from shown import STYLES, panels, show

import pyml
from pyml import optim

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.018),
    "momentum": lambda p: optim.SGD(p, lr=0.004, momentum=0.9),
    "Nesterov": lambda p: optim.SGD(p, lr=0.004, momentum=0.9, nesterov=True),
    "AdaGrad": lambda p: optim.Adagrad(p, lr=0.6),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.03),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
}


def valley(x, y):
    """Fifty times as steep across as along."""
    return x**2 + 50 * y**2


def saddle(x, y):
    """Down in y, up in x: at (0, 0) the gradient is 0."""
    return x**2 - y**2 + y**4 / 4


def path(make, surface, start, steps):
    at = pyml.tensor(start, dtype=pyml.float64, requires_grad=True)
    optimizer, places = make([at]), [at.tolist()]
    for _ in range(steps):
        optimizer.zero_grad()
        surface(at[0], at[1]).backward()
        optimizer.step()
        places.append(at.tolist())
    return pyml.tensor(places, dtype=pyml.float64)


def draw(panel, surface, limits):
    x, y = (pyml.linspace(low, high, 100) for low, high in limits)
    heights = surface(*pyml.meshgrid(x, y, indexing="xy"))
    panel.contour(x.numpy(), y.numpy(), heights.numpy(), 20, colors="0.8", linewidths=0.6)
    panel.set(xlabel=f"x ({surface.__name__})", ylabel="y")
    panel.locator_params(axis="x", nbins=6)


def main(small=False):
    numbers, (figure, (left, right)) = {}, panels(2, width=4.6, height=3.8)
    draw(left, valley, ((-2.2, 0.6), (-0.5, 0.5)))
    draw(right, saddle, ((-0.6, 1.6), (-1.9, 1.9)))
    for (name, make), style in zip(OPTIMIZERS.items(), STYLES, strict=False):
        in_valley = path(make, valley, (-2.0, 0.4), 100)
        off_ridge = path(make, saddle, (1.5, 1e-3), 300)
        numbers[f"{name}: height in the valley after 100 steps"] = valley(*in_valley[-1]).item()
        left_at = (off_ridge[:, 1].abs() > 0.5).nonzero()
        steps = left_at[0].item() if len(left_at) else -1
        numbers[f"{name}: steps until it has left the saddle"] = steps if steps > 0 else "more"
        left.plot(*in_valley.T.numpy(), label=name, linewidth=1.2, **style)
        right.plot(*off_ridge.T.numpy(), linewidth=1.2, **style)
    left.legend(fontsize="small")
    return numbers, figure


if __name__ == "__main__":
    show(main)
