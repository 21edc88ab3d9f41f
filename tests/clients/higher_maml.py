"""higher: MAML on sines, through steps of SGD with learned rates and of Adam."""

import higher
import start
import torch
from torch import nn

start.draw_by_numpy()
losses = []


def task():
    x = torch.tensor(start.rng.uniform(-2, 2, (2, 20, 1)).astype("float32"))
    return x, start.rng.uniform(0.5, 2) * (x + start.rng.uniform(0, 3)).sin()


for inner in (torch.optim.SGD, torch.optim.Adam):
    net = start.begin(nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1, bias=False)))
    rate = torch.tensor(0.02, requires_grad=True)
    outer = torch.optim.Adam([*net.parameters(), rate], lr=1e-2)
    steps = inner(net.parameters(), lr=0.02)
    for _ in range(8):
        outer.zero_grad()
        for _ in range(2):
            x, y = task()
            with higher.innerloop_ctx(
                net, steps, copy_initial_weights=False, override={"lr": [rate]}
            ) as (fast, optimizer):
                for _ in range(3):
                    optimizer.step(nn.functional.mse_loss(fast(x[0]), y[0]))
                loss = nn.functional.mse_loss(fast(x[1]), y[1])
            loss.backward()
            losses.append(loss.item())
        outer.step()
    losses.append(rate.item())
