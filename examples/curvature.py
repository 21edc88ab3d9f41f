"""The Hessian of a network, a Newton step on a parabola, and a saddle that only Newton leaves."""

from shown import COLOURS, STYLES, panels, show

import pyml
from pyml import func, nn, optim

F64 = {"dtype": pyml.float64}


def parabola(w):
    return w[0] ** 2 + 10 * w[1] ** 2 + w[0] * w[1]


def saddle(w):
    return w[0] ** 2 - w[1] ** 2 + w[1] ** 4 / 4


def heights(surface, start, make, steps):
    """The height at the start and after each step."""
    w = pyml.tensor(start, requires_grad=True, **F64)
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
    newton_step = heights(parabola, [3.0, 1.0], optim.NewtonCG, 1)
    runs = {
        "gradient descent": heights(saddle, [1.0, 0.0], lambda w: optim.SGD(w, lr=0.1), 40),
        "Newton-CG": heights(saddle, [1.0, 0.0], optim.NewtonCG, 40),
    }

    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    loss, x = nn.MSELoss(), pyml.randn(200, 2, **F64)
    y = (x[:, :1] * x[:, 1:]).tanh()
    before = func.curvature(model, loss, x, y)
    optimizer = optim.NewtonCG(model.parameters())
    for _ in range(100):
        optimizer.step(lambda: loss(model(x), y))
    after = func.curvature(model, loss, x, y)
    eigenvalues = pyml.linalg.eigvalsh(func.loss_hessian(model, loss, x, y)).flip(0)

    figure, (left, right) = panels(2)
    for (name, values), style in zip(runs.items(), STYLES, strict=False):
        left.plot(values, label=name, **style)
    left.set(xlabel="step, from the ridge of a saddle", ylabel="height")
    left.legend()
    right.plot(range(1, len(eigenvalues) + 1), eigenvalues.abs().numpy(), "o", color=COLOURS[0])
    right.set(xlabel="eigenvalue, from the largest", ylabel="its size", yscale="log")
    return {
        "parabola: height before the step": newton_step[0],
        "parabola: height after one Newton step": newton_step[1],
        "saddle: height after 40 steps of gradient descent": runs["gradient descent"][-1],
        "saddle: height after 40 steps of Newton-CG": runs["Newton-CG"][-1],
        "a new network stands": before.verdict,
        "its gradient": before.gradient_norm,
        "after 100 Newton steps it stands": after.verdict,
        "its gradient then": after.gradient_norm,
        "its largest eigenvalue / its tenth": (eigenvalues[0] / eigenvalues[9]).item(),
    }, figure


if __name__ == "__main__":
    show(main)
