"""Learning-rate schedules, and what they do to a training with noisy gradients."""

from shown import STYLES, panels, show

import pyml
from pyml import nn, optim
from pyml.optim import lr_scheduler as schedules

EPOCHS, LR = 40, 0.02

SCHEDULES = {
    "constant": lambda o: schedules.ConstantLR(o, factor=1.0),
    "linear": lambda o: schedules.LinearLR(o, 1.0, 0.01, total_iters=EPOCHS),
    "steps": lambda o: schedules.StepLR(o, step_size=12, gamma=0.2),
    "cosine": lambda o: schedules.CosineAnnealingLR(o, T_max=EPOCHS, eta_min=LR / 100),
    "warmup, cosine": lambda o: schedules.SequentialLR(
        o,
        [
            schedules.LinearLR(o, 0.05, 1.0, total_iters=5),
            schedules.CosineAnnealingLR(o, T_max=EPOCHS - 5, eta_min=LR / 100),
        ],
        milestones=[5],
    ),
}


def trained(make, x, y, best):
    """The rates of the epochs, and after each how far the loss on all rows is above the best."""
    pyml.manual_seed(1)
    model = nn.Linear(x.shape[1], 1, dtype=pyml.float64)
    optimizer = optim.SGD(model.parameters(), lr=LR)
    schedule, loss = make(optimizer), nn.MSELoss()
    rates, above = [], []

    @pyml.record
    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    for _ in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        step.run(x, y, batch_size=4, epochs=1)
        schedule.step()
        with pyml.no_grad():
            above.append(loss(model(x), y).item() - best)
    return rates, above


def main(small=False):
    pyml.manual_seed(0)
    x = pyml.randn(400, 20, dtype=pyml.float64)
    y = x @ pyml.randn(20, 1, dtype=pyml.float64) + pyml.randn(400, 1, dtype=pyml.float64)
    ones = pyml.cat([x, pyml.ones_like(x[:, :1])], 1)
    best = nn.functional.mse_loss(ones @ pyml.linalg.lstsq(ones, y).solution, y).item()
    numbers, (figure, (left, right)) = {}, panels(2)
    for (name, make), style in zip(SCHEDULES.items(), STYLES, strict=False):
        rates, above = trained(make, x, y, best)
        numbers[f"{name}: loss at the end, above the best"] = above[-1]
        left.plot(range(1, EPOCHS + 1), rates, label=name, **style)
        right.plot(range(1, EPOCHS + 1), above, label=name, **style)
    left.set(xlabel="epoch", ylabel="learning rate")
    right.set(xlabel="epoch", ylabel="loss on all rows, above the best", yscale="log")
    right.legend(fontsize="small", loc="lower left")
    return numbers, figure


if __name__ == "__main__":
    show(main)
