"""A Newton step on a parabola, a saddle that only Newton leaves, and the Hessian of a network."""

from shown import COLOURS, STYLES, panels, show

import pyml
from pyml import func, nn, optim
from pyml.nn import utils


def parabola(w):
    return w[0] ** 2 + 10 * w[1] ** 2 + w[0] * w[1]


def saddle(w):
    return w[0] ** 2 - w[1] ** 2 + w[1] ** 4 / 4


def heights(surface, start, make, steps):
    """The height at the start and after each step."""
    w = pyml.tensor(start, dtype=pyml.float64, requires_grad=True)
    optimizer, found = make([w]), [surface(w).item()]

    def closure():
        optimizer.zero_grad()
        loss = surface(w)
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
        found.append(surface(w).item())
    return found


def main(small=False):
    newton_step = heights(parabola, [3.0, 1.0], lambda w: optim.NewtonCG(w, tolerance_cg=0), 1)
    runs = {
        "gradient descent": heights(saddle, [1.0, 0.0], lambda w: optim.SGD(w, lr=0.1), 40),
        "Newton-CG": heights(saddle, [1.0, 0.0], optim.NewtonCG, 40),
    }

    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = pyml.randn(200, 2, dtype=pyml.float64)
    y = (x[:, :1] * x[:, 1:]).tanh()

    def loss(output, y):  # the penalty bends it upwards where the data leave it flat
        return (output - y).square().mean() + utils.l2_penalty(model.parameters(), 0.01)

    before = func.curvature(model, loss, x, y)
    optimizer = optim.NewtonCG(model.parameters())
    for _ in range(50):
        optimizer.step(lambda: loss(model(x), y))
    after = func.curvature(model, loss, x, y)
    hessian = func.loss_hessian(model, loss, x, y)
    eigenvalues = pyml.linalg.eigvalsh(hessian).flip(0)

    figure, (left, right) = panels(2)
    for (name, values), style in zip(runs.items(), STYLES, strict=False):
        left.plot(values, label=name, **style)
    left.set(xlabel="step, from the ridge of a saddle", ylabel="height")
    left.legend()
    right.plot(range(1, len(eigenvalues) + 1), eigenvalues.numpy(), "o", color=COLOURS[0])
    right.set(xlabel="eigenvalue of the network, from the largest", ylabel="its size", yscale="log")
    return {
        "parabola: height before the step": newton_step[0],
        "parabola: height after one Newton step": newton_step[1],
        "saddle: height after 40 steps of gradient descent": runs["gradient descent"][-1],
        "saddle: height after 40 steps of Newton-CG": runs["Newton-CG"][-1],
        "a new network stands": before.verdict,
        "after 50 Newton steps it stands": after.verdict,
        "parameters of the network": len(hessian),
        "numbers in its Hessian": hessian.numel(),
        "largest eigenvalue / smallest": (eigenvalues[0] / eigenvalues[-1]).item(),
    }, figure


if __name__ == "__main__":
    show(main)
